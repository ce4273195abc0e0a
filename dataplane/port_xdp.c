/* AF_XDP: DPDK's driver, our own XDP program. On the program's life: xdp/steer.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>

#include <rte_mempool.h>

#include "base/err.h"
#include "base/log.h"
#include "dataplane/port_kind.h"
#include "dataplane/xdp/steer.h"

enum { XDP_HEADROOM = 256 /* the kernel's, in each frame */, ETHER = 14 + 4, PAGE = 4096 };

static int channels(const struct port_set *s, const struct port *p, struct ethtool_channels *c)
{
	struct ifreq r = {.ifr_data = (void *)c};

	memcpy(r.ifr_name, p->ifname, sizeof(r.ifr_name));
	return ioctl(s->sock, SIOCETHTOOL, &r) ? -errno : 0;
}

/* The driver reads combined queues; what has none of these (veth) is one queue to it. */
static unsigned n_queues(const struct port_set *s, const struct port *p, unsigned want)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};

	if (channels(s, p, &c) || !c.max_combined)
		return 1;
	return want < c.max_combined ? want : c.max_combined;
}

static bool is_veth(const struct port_set *s, const struct port *p)
{
	struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq r = {.ifr_data = (void *)&d};

	memcpy(r.ifr_name, p->ifname, sizeof(r.ifr_name));
	return ioctl(s->sock, SIOCETHTOOL, &r) == 0 && !strcmp(d.driver, "veth");
}

int port_xdp_plan(struct port_set *s, struct port *p, const char *ifname, unsigned n_workers, char *why, unsigned cap)
{
	struct steer_conf conf = {.n_mgmt = 0};
	uint32_t mtu;
	bool veth;
	int ret = port_iface_find(s, p, ifname, &mtu, why, cap);

	if (ret)
		return ret;
	if (mtu > PORT_XDP_MTU)
		return port_fail(
			why, cap, -EINVAL,
			"port %s: the mtu %u of interface %s is more than AF_XDP takes (%u); ip link set %s mtu "
			"%u, or write af_packet:%s",
			p->cfg->name, mtu, ifname, PORT_XDP_MTU, ifname, PORT_XDP_MTU, ifname);
	p->prog = steer_file(&conf);
	if (p->prog < 0) {
		ret = p->prog;
		p->prog = 0;
		return port_fail(why, cap, ret,
				 ret == -ENOTSUP
					 ? "port %s: this build has no AF_XDP (clang or bpftool was missing): write "
					   "af_packet:%s, or build again behind `tools/bootstrap build`"
					 : "port %s: the XDP program for %s cannot be written to memory",
				 p->cfg->name, ifname);
	}
	p->n_rx = p->n_tx = (uint16_t)n_queues(s, p, n_workers);
	p->frame = mtu + ETHER + XDP_HEADROOM;
	veth = is_veth(s, p);
	snprintf(p->dev_name, sizeof(p->dev_name), "net_af_xdp%u", p->index);
	/* a veth has no zero copy to try, and its frames come by themselves: no system call to fetch them */
	snprintf(p->arg, sizeof(p->arg), "%s,iface=%s,queue_count=%u,xdp_prog=/proc/self/fd/%d%s", p->dev_name, ifname,
		 p->n_rx, p->prog, veth ? ",busy_budget=0,force_copy=1" : "");
	return 0;
}

/* Frames of a queue that nobody reads would be lost: the device has as many as are read. */
static int fit_queues(const struct port_set *s, const struct port *p, char *why, unsigned cap)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
	const char *kind;

	if (channels(s, p, &c) || c.combined_count + c.rx_count <= p->n_rx)
		return 0;
	kind = c.max_combined ? "combined" : "rx";
	c.cmd = ETHTOOL_SCHANNELS;
	if (c.max_combined) {
		c.combined_count = p->n_rx;
		c.rx_count = c.tx_count = 0;
	} else {
		c.rx_count = p->n_rx;
	}
	if (channels(s, p, &c))
		return port_fail(
			why, cap, -errno,
			"port %s: interface %s has more receive queues than are read (%u): %s; ethtool -L %s %s "
			"%u, or more workers",
			p->cfg->name, p->ifname, p->n_rx, err_str(errno), p->ifname, kind, p->n_rx);
	log_info(LOG_PORT, "port=%s event=queues-set interface=%s %s=%u", p->cfg->name, p->ifname, kind, p->n_rx);
	return 0;
}

/* A killed predecessor's program; the interface's lock says that it is nobody's. */
static int take_leftover(const struct port *p, char *why, unsigned cap)
{
	struct steer_attached a;
	int ret = steer_query(p->ifindex, &a);

	if (ret < 0)
		return port_fail(
			why, cap, ret,
			"port %s: cannot see which XDP program interface %s has: %s; run as root, or ip link set "
			"dev %s xdp off",
			p->cfg->name, p->ifname, err_str(ret), p->ifname);
	if (ret == 0)
		return 0;
	if (strcmp(a.name, STEER_PROGRAM) != 0)
		return port_fail(why, cap, -EBUSY,
				 "port %s: interface %s carries the XDP program %s (id %u), which is not ours; end who "
				 "uses it, or ip link set dev %s %s off",
				 p->cfg->name, p->ifname, a.name, a.id, p->ifname, a.generic ? "xdpgeneric" : "xdpdrv");
	ret = steer_detach(p->ifindex, &a);
	if (ret)
		return port_fail(
			why, cap, ret,
			"port %s: interface %s carries the XDP program of a gateway that was killed, and it does "
			"not go: %s; ip link set dev %s %s off",
			p->cfg->name, p->ifname, err_str(ret), p->ifname, a.generic ? "xdpgeneric" : "xdpdrv");
	log_info(LOG_PORT, "port=%s event=leftover-removed interface=%s xdp-program=%s id=%u", p->cfg->name, p->ifname,
		 a.name, a.id);
	return 0;
}

int port_xdp_prepare(struct port_set *s, struct port *p, char *why, unsigned cap)
{
	int ret = fit_queues(s, p, why, cap);

	return ret ? ret : take_leftover(p, why, cap);
}

/* The driver gives the kernel the pool's memory as it is: one piece, and each buffer within a page. */
int port_xdp_pool_ok(const struct port *p, const struct rte_mempool *pool, char *why, unsigned cap)
{
	uint32_t size = pool->header_size + pool->elt_size + pool->trailer_size;

	if (size > PAGE)
		return port_fail(
			why, cap, -EINVAL,
			"port %s: buffers of %u octets do not fit AF_XDP, which wants them in a page: give every port "
			"an mtu of at most %u, and its interface too, or write af_packet:%s",
			p->cfg->name, size, PORT_XDP_MTU, p->ifname);
	if (pool->nb_mem_chunks != 1)
		return port_fail(
			why, cap, -ENOMEM,
			"port %s: the packet buffers lie in %u pieces, AF_XDP wants one: write hugepages: false, or "
			"af_packet:%s",
			p->cfg->name, pool->nb_mem_chunks, p->ifname);
	return 0;
}

static bool is_xsk(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

/* This port's are those that no port before it has. */
void port_xdp_opened(struct port *p)
{
	struct xdp_options o = {0};
	socklen_t len = sizeof(o);
	struct steer_attached a = {0};
	const char *mode;

	for (int fd = 3; fd < PORT_FD_MAX && p->n_socks < CFG_WORKERS_MAX; fd++) {
		bool known = !is_xsk(fd);

		for (const struct port *q = p - p->index; q < p && !known; q++)
			for (unsigned i = 0; q->kind == PORT_AF_XDP && i < q->n_socks; i++)
				known |= q->sock[i] == fd;
		if (!known)
			p->sock[p->n_socks++] = fd;
	}
	/* the name needs CAP_SYS_ADMIN, which has gone; how it is attached does not */
	mode = steer_query(p->ifindex, &a) < 0 && !a.id ? "unknown" : a.generic ? "generic" : "native";
	if (p->n_socks && getsockopt(p->sock[0], SOL_XDP, XDP_OPTIONS, &o, &len) == 0)
		log_info(LOG_PORT, "port=%s event=xdp program=%s mode=%s copy=%s queues=%u", p->cfg->name,
			 STEER_PROGRAM, mode, o.flags & XDP_OPTIONS_ZEROCOPY ? "no" : "yes", p->n_rx);
}

/* Frames that found no room in the ring or no free buffer, of all times; what the driver counts by itself is not in it. */
uint64_t port_xdp_missed(const struct port *p)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < p->n_socks; i++) {
		struct xdp_statistics st = {0};
		socklen_t len = sizeof(st);

		if (getsockopt(p->sock[i], SOL_XDP, XDP_STATISTICS, &st, &len) == 0)
			sum += st.rx_ring_full + st.rx_fill_ring_empty_descs;
	}
	return sum;
}

void port_xdp_fini(struct port *p)
{
	if (p->prog > 0)
		close(p->prog);
	p->prog = 0;
}
