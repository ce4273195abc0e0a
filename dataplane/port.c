#include "dataplane/port.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "base/log.h"
#include "dataplane/worker.h"

enum {
	FRAME_EXTRA = 14 + 4 + 128 /* Ethernet, a tag, the kernel's slot head */,
	FRAME_MIN = 2048,
	RING_FRAMES = 2048,
	FD_MAX = 4096
};

static int fail(char *why, unsigned cap, int ret, const char *fmt, ...) PRINTF(4, 5);
static int fail(char *why, unsigned cap, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return ret;
}

/* --- before EAL --- */

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

static int ask(const struct port_set *s, const struct port *p, unsigned long what, struct ifreq *r)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->ifr_name, p->ifname, sizeof(r->ifr_name));
	return ioctl(s->sock, what, r) ? -errno : 0;
}

static bool name_ok(const char *name)
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

static int plan_af_packet(struct port_set *s, struct port *p, const char *ifname, unsigned n_workers, char *why,
			  unsigned cap)
{
	char names[256];
	struct ifreq r;
	uint32_t mtu;

	list_interfaces(names, sizeof(names));
	if (!name_ok(ifname))
		return fail(why, cap, -EINVAL, "port %s: \"%s\" is no interface name; there are: %s", p->cfg->name,
			    ifname, names);
	snprintf(p->ifname, sizeof(p->ifname), "%s", ifname);
	if (ask(s, p, SIOCGIFINDEX, &r))
		return fail(why, cap, -ENODEV, "port %s: there is no interface %s; there are: %s", p->cfg->name, ifname,
			    names);
	p->ifindex = r.ifr_ifindex;
	if (ask(s, p, SIOCGIFHWADDR, &r) || r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return fail(why, cap, -ENODEV, "port %s: %s is no Ethernet interface; there are: %s", p->cfg->name,
			    ifname, names);
	memcpy(p->mac, r.ifr_hwaddr.sa_data, 6);
	if (ask(s, p, SIOCGIFMTU, &r))
		return fail(why, cap, -ENODEV, "port %s: no MTU of %s: %s", p->cfg->name, ifname, err_str(errno));
	mtu = (uint32_t)r.ifr_mtu;
	if (mtu < p->cfg->mtu)
		return fail(
			why, cap, -EINVAL,
			"port %s: mtu %u is more than the %u of interface %s; write mtu: %u, or ip link set %s mtu %u",
			p->cfg->name, p->cfg->mtu, mtu, ifname, mtu, ifname, p->cfg->mtu);
	/* a slot for every frame that the link can carry; frames beyond the port's MTU are then whole, and dropped by name */
	for (p->frame = FRAME_MIN; p->frame < (mtu < 16000 ? mtu : 16000) + FRAME_EXTRA; p->frame *= 2)
		;
	snprintf(p->vdev_name, sizeof(p->vdev_name), "net_af_packet%u", p->index);
	snprintf(p->vdev, sizeof(p->vdev), "%s,iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u,qdisc_bypass=1",
		 p->vdev_name, ifname, n_workers, p->frame * 8, p->frame, RING_FRAMES);
	p->n_rx = (uint16_t)n_workers;
	warn_same_address(p);
	return 0;
}

/* A device of net_pcap has one RX queue, and a TX file of its own for each worker after the first: FILE.1, FILE.2 .. */
static int pcap_arg(struct port *p, unsigned *at, const char *key, const char *value, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char suffix[16] = "";
		int len;

		if (i && !strcmp(key, "tx_pcap"))
			snprintf(suffix, sizeof(suffix), ".%u", i);
		len = snprintf(p->vdev + *at, sizeof(p->vdev) - *at, ",%s=%s%s", key, value, suffix);
		if (len < 0 || (unsigned)len >= sizeof(p->vdev) - *at)
			return -ENAMETOOLONG;
		*at += (unsigned)len;
	}
	return 0;
}

static int plan_pcap(struct port *p, const char *spec, unsigned n_workers, char *why, unsigned cap)
{
	char buf[sizeof(p->cfg->device)], *save = NULL;
	unsigned at;
	int ret = 0;

	snprintf(p->vdev_name, sizeof(p->vdev_name), "net_pcap%u", p->index);
	at = (unsigned)snprintf(p->vdev, sizeof(p->vdev), "net_pcap%u", p->index);
	snprintf(buf, sizeof(buf), "%s", spec);
	for (char *t = strtok_r(buf, ",", &save); t && !ret; t = strtok_r(NULL, ",", &save)) {
		if (!strncmp(t, "rx=", 3)) {
			if (access(t + 3, R_OK))
				return fail(why, cap, -errno, "port %s: cannot read %s: %s", p->cfg->name, t + 3,
					    err_str(errno));
			ret = pcap_arg(p, &at, "rx_pcap", t + 3, 1);
		} else if (!strncmp(t, "tx=", 3)) {
			ret = pcap_arg(p, &at, "tx_pcap", t + 3, n_workers);
		} else if (!strncmp(t, "iface=", 6)) {
			if (!name_ok(t + 6) || !if_nametoindex(t + 6))
				return fail(why, cap, -ENODEV, "port %s: there is no interface %s", p->cfg->name,
					    t + 6);
			ret = pcap_arg(p, &at, "rx_iface_in", t + 6, 1);
			if (!ret)
				ret = pcap_arg(p, &at, "tx_iface", t + 6, n_workers);
		} else {
			return fail(why, cap, -EINVAL,
				    "port %s: \"%s\" in device; write pcap:rx=FILE,tx=FILE or pcap:iface=NAME",
				    p->cfg->name, t);
		}
	}
	if (ret || at == strlen(p->vdev_name))
		return fail(why, cap, -EINVAL,
			    "port %s: device names no file, or too long ones; write pcap:rx=FILE,tx=FILE",
			    p->cfg->name);
	p->n_rx = 1;
	/* no wire, no MAC: a locally administered one that tells the ports apart */
	memcpy(p->mac, (const uint8_t[6]){0x02, 0x70, 0x63, 0x61, 0x70, (uint8_t)p->index}, 6);
	return 0;
}

static int plan_one(struct port_set *s, struct port *p, unsigned n_workers, char *why, unsigned cap)
{
	const char *device = p->cfg->device;

	if (!strncmp(device, "af_packet:", 10)) {
		p->kind = PORT_AF_PACKET;
		return plan_af_packet(s, p, device + 10, n_workers, why, cap);
	}
	if (!strncmp(device, "pcap:", 5)) {
		p->kind = PORT_PCAP;
		return plan_pcap(p, device + 5, n_workers, why, cap);
	}
	return fail(why, cap, -ENOTSUP,
		    "port %s: device %s has a kind that this version does not drive; it drives af_packet: "
		    "and pcap:",
		    p->cfg->name, device);
}

int port_plan(struct port_set *s, const struct config *c, char *why, unsigned cap)
{
	int ret;

	*s = (struct port_set){.n = (uint16_t)c->n_ports};
	s->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->sock < 0)
		return fail(why, cap, -errno, "no socket for questions about interfaces: %s", err_str(errno));
	for (uint16_t i = 0; i < s->n; i++) {
		s->p[i].cfg = &c->port[i];
		s->p[i].index = i;
		ret = plan_one(s, &s->p[i], c->dataplane.n_workers, why, cap);
		if (ret)
			return ret;
	}
	return 0;
}

void port_fini(struct port_set *s)
{
	if (s->sock > 0)
		close(s->sock);
	s->sock = 0;
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

int port_prepare(struct port_set *s, char *why, unsigned cap)
{
	for (uint16_t i = 0; i < s->n; i++) {
		const struct port *p = &s->p[i];
		struct ifreq r;

		if (!p->ifindex)
			continue;
		offloads_off(s, p);
		if (ask(s, p, SIOCGIFFLAGS, &r))
			return fail(why, cap, -errno, "port %s: interface %s went away", p->cfg->name, p->ifname);
		if (r.ifr_flags & IFF_UP)
			continue;
		r.ifr_flags |= IFF_UP;
		if (ioctl(s->sock, SIOCSIFFLAGS, &r))
			return fail(why, cap, -errno, "port %s: cannot bring interface %s up: %s; ip link set %s up",
				    p->cfg->name, p->ifname, err_str(errno), p->ifname);
	}
	return 0;
}

/* --- with EAL --- */

uint32_t port_mbufs(const struct port_set *s, uint16_t n_workers)
{
	return (uint32_t)s->n * n_workers * (PORT_RX_DESC + PORT_TX_DESC);
}

uint32_t port_room(const struct port_set *s)
{
	uint32_t room = FRAME_MIN;

	for (uint16_t i = 0; i < s->n; i++) {
		uint32_t frame = s->p[i].cfg->mtu + (uint32_t)FRAME_EXTRA;

		room = RTE_MAX(room, frame);
		room = RTE_MAX(room, s->p[i].frame);
	}
	return room;
}

static int open_one(struct port *p, uint16_t n_workers, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	int ret = rte_eth_dev_get_port_by_name(p->vdev_name, &p->dev);

	if (!ret)
		ret = rte_eth_dev_configure(p->dev, p->n_rx, n_workers, &conf);
	for (uint16_t q = 0; q < p->n_rx && !ret; q++)
		ret = rte_eth_rx_queue_setup(p->dev, q, PORT_RX_DESC, (unsigned)SOCKET_ID_ANY, NULL, pool);
	for (uint16_t q = 0; q < n_workers && !ret; q++)
		ret = rte_eth_tx_queue_setup(p->dev, q, PORT_TX_DESC, (unsigned)SOCKET_ID_ANY, NULL);
	if (!ret)
		ret = rte_eth_dev_start(p->dev);
	return ret;
}

/* The driver keeps its sockets to itself, and does not count what the kernel had to drop because a ring was full. They are
 * found among our descriptors by the interface that they are bound to. */
static void find_sockets(struct port *p)
{
	for (int fd = 3; fd < FD_MAX && p->n_socks < CFG_WORKERS_MAX; fd++) {
		struct sockaddr_ll at = {0};
		socklen_t len = sizeof(at);

		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sll_family == AF_PACKET &&
		    at.sll_ifindex == p->ifindex)
			p->sock[p->n_socks++] = fd;
	}
}

/* Frames that found a ring full since the last call: reading sets the kernel's count to zero. */
static uint64_t ring_full(const struct port *p)
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

int port_open(struct port_set *s, uint16_t n_workers, struct rte_mempool *pool, char *why, unsigned cap)
{
	for (uint16_t i = 0; i < s->n; i++) {
		struct port *p = &s->p[i];
		int ret = open_one(p, n_workers, pool);

		if (ret)
			return fail(why, cap, ret, "port %s: device %s does not start: %s", p->cfg->name,
				    p->cfg->device, err_str(ret));
		p->opened = true;
		if (p->kind == PORT_AF_PACKET)
			find_sockets(p);
		p->up = port_link(s, p);
		log_info(LOG_PORT, "port=%s event=open device=%s mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u link=%s",
			 p->cfg->name, p->cfg->device, p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5],
			 p->cfg->mtu, p->up ? "up" : "down");
	}
	return 0;
}

void port_close(struct port_set *s)
{
	for (uint16_t i = 0; i < s->n; i++) {
		if (!s->p[i].opened)
			continue;
		(void)rte_eth_dev_stop(s->p[i].dev);
		(void)rte_eth_dev_close(s->p[i].dev);
		s->p[i].opened = false;
		s->p[i].n_socks = 0;
	}
}

void port_fill(const struct port *p, uint8_t worker, struct worker_port *out)
{
	out->dev = p->dev;
	out->rx_queue = out->tx_queue = worker;
	out->mtu = p->cfg->mtu;
	memcpy(out->mac, p->mac, sizeof(out->mac));
	out->rx = worker < p->n_rx;
	out->any_mac = p->kind == PORT_PCAP;
	out->rx_cksum_ok = false; /* neither kind has a device that looks */
	for (unsigned i = 0; i < p->cfg->n_addr && !out->addr_be; i++)
		if (p->cfg->addr[i].addr.family == IP_V4)
			memcpy(&out->addr_be, p->cfg->addr[i].addr.b, 4);
	atomic_store(&out->up, p->up);
}

bool port_gone(const struct port_set *s, const struct port *p)
{
	struct ifreq r;

	return p->ifindex && (ask(s, p, SIOCGIFINDEX, &r) || r.ifr_ifindex != p->ifindex);
}

bool port_link(const struct port_set *s, const struct port *p)
{
	struct ifreq r;

	if (!p->ifindex)
		return true;
	if (port_gone(s, p))
		return false;
	return !ask(s, p, SIOCGIFFLAGS, &r) && (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_RUNNING);
}

void port_stats(struct port *p, struct stats_port *out)
{
	struct rte_eth_stats st;

	if (rte_eth_stats_get(p->dev, &st))
		return;
	p->missed += ring_full(p);
	__atomic_store_n(&out->rx_packets, st.ipackets, __ATOMIC_RELAXED);
	__atomic_store_n(&out->rx_octets, st.ibytes, __ATOMIC_RELAXED);
	__atomic_store_n(&out->tx_packets, st.opackets, __ATOMIC_RELAXED);
	__atomic_store_n(&out->tx_octets, st.obytes, __ATOMIC_RELAXED);
	__atomic_store_n(&out->rx_missed, st.imissed + st.rx_nombuf + p->missed, __ATOMIC_RELAXED);
	__atomic_store_n(&out->tx_errors, st.oerrors, __ATOMIC_RELAXED);
	__atomic_store_n(&out->up, p->up, __ATOMIC_RELAXED);
}
