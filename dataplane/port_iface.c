/* Linux interfaces: what AF_PACKET and AF_XDP have in common, and AF_PACKET. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include "base/err.h"
#include "base/log.h"
#include "dataplane/port_kind.h"

enum { RING_FRAMES = 2048 };

/* "eth0 eth1 lo", for people who mistyped a name. */
static void list_interfaces(char *buf, unsigned cap)
{
	struct if_nameindex *all = if_nameindex();
	unsigned at = 0;

	buf[0] = '\0';
	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		int n = snprintf(buf + at, cap - at, "%s%s", at ? " " : "", i->if_name);

		if (n < 0 || (unsigned)n >= cap - at)
			break;
		at += (unsigned)n;
	}
	if (all)
		if_freenameindex(all);
}

bool port_iface_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < PORT_IFNAME && !strpbrk(name, "/\"\\,;{}") && strcspn(name, " \t\n") == n;
}

/* Is the kernel using an address that the gateway answers for? It would not see the answers: say so. */
static void warn_same_address(const struct port *p)
{
	struct ifaddrs *all = NULL;
	char text[IP_STR];

	if (getifaddrs(&all))
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct ip_addr a;

		/* point to point: a TUN device, of another gateway's or ours */
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_POINTOPOINT)
			continue;
		a = ip_from_bytes(IP_V4, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr);
		for (unsigned k = 0; k < p->cfg->n_addr; k++)
			if (ip_equal(&a, &p->cfg->addr[k].addr))
				log_warn(LOG_PORT,
					 "port=%s event=kernel-has-address address=%s interface=%s cure=\"ip address "
					 "del %s "
					 "dev %s\"",
					 p->cfg->name, ip_str(&a, text), i->ifa_name, text, i->ifa_name);
	}
	freeifaddrs(all);
}

int port_iface_find(struct port_set *s, struct port *p, const char *ifname, uint32_t *mtu, char *why, unsigned cap)
{
	char names[256];
	struct ifreq r;

	list_interfaces(names, sizeof(names));
	if (!port_iface_name_ok(ifname))
		return port_fail(why, cap, -EINVAL, "port %s: \"%s\" is no interface name; there are: %s", p->cfg->name,
				 ifname, names);
	snprintf(p->ifname, sizeof(p->ifname), "%s", ifname);
	if (port_ask(s, p, SIOCGIFINDEX, &r))
		return port_fail(why, cap, -ENODEV, "port %s: there is no interface %s; there are: %s", p->cfg->name,
				 ifname, names);
	p->ifindex = r.ifr_ifindex;
	for (uint16_t i = 0; i < p->index; i++)
		if (s->p[i].ifindex == p->ifindex)
			return port_fail(why, cap, -EBUSY,
					 "port %s: interface %s is port %s already: give each its own", p->cfg->name,
					 ifname, s->p[i].cfg->name);
	if (port_ask(s, p, SIOCGIFHWADDR, &r) || r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return port_fail(why, cap, -ENODEV, "port %s: %s is no Ethernet interface; there are: %s", p->cfg->name,
				 ifname, names);
	memcpy(p->mac, r.ifr_hwaddr.sa_data, 6);
	if (port_ask(s, p, SIOCGIFMTU, &r))
		return port_fail(why, cap, -ENODEV, "port %s: no MTU of %s: %s", p->cfg->name, ifname, err_str(errno));
	*mtu = (uint32_t)r.ifr_mtu;
	if (*mtu < p->cfg->mtu)
		return port_fail(
			why, cap, -EINVAL,
			"port %s: mtu %u is more than the %u of interface %s; write mtu: %u, or ip link set %s mtu %u",
			p->cfg->name, p->cfg->mtu, *mtu, ifname, *mtu, ifname, p->cfg->mtu);
	warn_same_address(p);
	return 0;
}

int port_iface_plan(struct port_set *s, struct port *p, const char *ifname, unsigned n_workers, char *why, unsigned cap)
{
	uint32_t mtu;
	int ret = port_iface_find(s, p, ifname, &mtu, why, cap);

	if (ret)
		return ret;
	/* a slot for every frame that the link can carry; frames beyond the port's MTU are then whole, and dropped by name */
	for (p->frame = PORT_FRAME_MIN; p->frame < (mtu < 16000 ? mtu : 16000) + PORT_FRAME_EXTRA; p->frame *= 2)
		;
	snprintf(p->dev_name, sizeof(p->dev_name), "net_af_packet%u", p->index);
	snprintf(p->arg, sizeof(p->arg), "%s,iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u,qdisc_bypass=1",
		 p->dev_name, ifname, n_workers, p->frame * 8, p->frame, RING_FRAMES);
	p->n_rx = p->n_tx = (uint16_t)n_workers;
	return 0;
}

/* Merged frames are longer than any MTU, and a tag that the device has taken off is a tag that we do not see. What a
 * driver cannot change it does not do. */
static void offloads_off(const struct port_set *s, const struct port *p)
{
	struct ethtool_value gro = {.cmd = ETHTOOL_SGRO}, flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq r = {.ifr_data = (void *)&gro};

	memcpy(r.ifr_name, p->ifname, sizeof(r.ifr_name));
	if (ioctl(s->sock, SIOCETHTOOL, &r))
		log_debug(LOG_PORT, "port=%s event=gro-stays cause=\"%s\"", p->cfg->name, err_str(errno));
	r.ifr_data = (void *)&flags;
	if (ioctl(s->sock, SIOCETHTOOL, &r))
		return;
	flags.cmd = ETHTOOL_SFLAGS;
	flags.data &= ~(uint32_t)(ETH_FLAG_LRO | ETH_FLAG_RXVLAN);
	if (ioctl(s->sock, SIOCETHTOOL, &r))
		log_debug(LOG_PORT, "port=%s event=offloads-stay cause=\"%s\"", p->cfg->name, err_str(errno));
}

/* Neighbour discovery speaks to groups, which a device lets in when somebody has joined them: the kernel has not. */
static bool has_ipv6(const struct port *p)
{
	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V6)
			return true;
	return false;
}

int port_iface_prepare(struct port_set *s, struct port *p, char *why, unsigned cap)
{
	struct ifreq r;
	int want;

	offloads_off(s, p);
	if (port_ask(s, p, SIOCGIFFLAGS, &r))
		return port_fail(why, cap, -errno, "port %s: interface %s went away", p->cfg->name, p->ifname);
	want = IFF_UP | (has_ipv6(p) ? IFF_ALLMULTI : 0);
	if ((r.ifr_flags & want) == want)
		return 0;
	r.ifr_flags = (short)(r.ifr_flags | want);
	if (ioctl(s->sock, SIOCSIFFLAGS, &r))
		return port_fail(why, cap, -errno, "port %s: cannot bring interface %s up: %s; ip link set %s up",
				 p->cfg->name, p->ifname, err_str(errno), p->ifname);
	return 0;
}

/* The driver keeps its sockets to itself, and does not count what the kernel had to drop because a ring was full. They are
 * found among our descriptors by the interface that they are bound to. */
void port_iface_opened(struct port *p)
{
	for (int fd = 3; fd < PORT_FD_MAX && p->n_socks < CFG_WORKERS_MAX; fd++) {
		struct sockaddr_ll at = {0};
		socklen_t len = sizeof(at);

		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sll_family == AF_PACKET &&
		    at.sll_ifindex == p->ifindex)
			p->sock[p->n_socks++] = fd;
	}
}

/* Frames that found a ring full since the last call: reading sets the kernel's count to zero. */
uint64_t port_iface_missed(const struct port *p)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < p->n_socks; i++) {
		struct tpacket_stats st = {0};
		socklen_t len = sizeof(st);

		if (getsockopt(p->sock[i], SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
			sum += st.tp_drops;
	}
	return sum;
}
