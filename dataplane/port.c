#include "dataplane/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "base/log.h"
#include "dataplane/onlink.h"
#include "dataplane/port_kind.h"
#include "dataplane/worker.h"

enum {
	XDP_FILL = 2048 + 512, /* mbufs that the driver has in the kernel's hands per queue, and those in its RX ring */
	XDP_TX = 2048          /* sent, not yet given back */
};

/* What RSS shall hash, as far as a device can: addresses, ports, and the SPI of ESP. */
#define RSS (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_ESP)

int port_fail(char *why, unsigned cap, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return ret;
}

int port_ask(const struct port_set *s, const struct port *p, unsigned long what, struct ifreq *r)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->ifr_name, p->ifname, sizeof(r->ifr_name));
	return ioctl(s->sock, what, r) ? -errno : 0;
}

uint32_t port_hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (const char *c = text; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	return h;
}

/* --- before EAL --- */

static int plan_one(struct port_set *s, struct port *p, unsigned n_workers, char *why, unsigned cap)
{
	static const struct {
		const char *prefix;
		enum port_kind kind;
	} kinds[] = {{"af_packet:", PORT_AF_PACKET},
		     {"af_xdp:", PORT_AF_XDP},
		     {"pci:", PORT_PCI},
		     {"memif:", PORT_MEMIF},
		     {"pcap:", PORT_PCAP}};
	const char *device = p->cfg->device, *rest = NULL;

	for (unsigned i = 0; i < N_ELEMS(kinds) && !rest; i++) {
		size_t n = strlen(kinds[i].prefix);

		if (strncmp(device, kinds[i].prefix, n) != 0)
			continue;
		p->kind = kinds[i].kind;
		rest = device + n;
	}
	if (!rest)
		return port_fail(
			why, cap, -ENOTSUP,
			"port %s: device %s has a kind that this version does not drive; it drives af_packet:, "
			"af_xdp:, pci:, memif: and pcap:",
			p->cfg->name, device);
	switch (p->kind) {
	case PORT_AF_PACKET:
		return port_iface_plan(s, p, rest, n_workers, why, cap);
	case PORT_AF_XDP:
		return port_xdp_plan(s, p, rest, n_workers, why, cap);
	case PORT_PCI:
		return port_pci_plan(p, rest, n_workers, why, cap);
	case PORT_MEMIF:
		return port_memif_plan(s, p, rest, n_workers, why, cap);
	case PORT_PCAP:
	case PORT_KIND_N:
		break;
	}
	return port_pcap_plan(p, rest, n_workers, why, cap);
}

int port_plan(struct port_set *s, const struct config *c, char *why, unsigned cap)
{
	int ret;

	*s = (struct port_set){.n = (uint16_t)c->n_ports};
	s->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->sock < 0)
		return port_fail(why, cap, -errno, "no socket for questions about interfaces: %s", err_str(errno));
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
	for (uint16_t i = 0; i < s->n; i++)
		port_xdp_fini(&s->p[i]);
	if (s->sock > 0)
		close(s->sock);
	s->sock = 0;
}

bool port_any(const struct port_set *s, enum port_kind kind)
{
	for (uint16_t i = 0; i < s->n; i++)
		if (s->p[i].kind == kind)
			return true;
	return false;
}

int port_prepare(struct port_set *s, char *why, unsigned cap)
{
	for (uint16_t i = 0; i < s->n; i++) {
		struct port *p = &s->p[i];
		int ret = 0;

		if (p->ifindex)
			ret = port_iface_prepare(s, p, why, cap);
		if (!ret && p->kind == PORT_AF_XDP)
			ret = port_xdp_prepare(s, p, why, cap);
		if (!ret && p->kind == PORT_MEMIF)
			ret = port_memif_prepare(p, why, cap);
		if (ret)
			return ret;
	}
	return 0;
}

/* --- with EAL --- */

uint32_t port_mbufs(const struct port_set *s, uint16_t n_workers)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < s->n; i++) {
		if (s->p[i].kind == PORT_AF_XDP)
			n += s->p[i].n_rx * (uint32_t)(XDP_FILL + XDP_TX);
		else if (s->p[i].kind == PORT_PCI)
			n += (uint32_t)n_workers * (PORT_RX_DESC + PORT_TX_DESC);
	}
	return n;
}

uint32_t port_room(const struct port_set *s)
{
	uint32_t room = PORT_FRAME_MIN;

	for (uint16_t i = 0; i < s->n; i++) {
		uint32_t frame = s->p[i].cfg->mtu + (uint32_t)PORT_FRAME_EXTRA;

		room = RTE_MAX(room, frame);
		room = RTE_MAX(room, s->p[i].frame);
	}
	return room;
}

/* As many queues as there are workers, as far as the device has them; with several, RSS. */
static void fit_pci(struct port *p, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	if (p->n_rx > info->max_rx_queues)
		p->n_rx = info->max_rx_queues;
	if (p->n_tx > info->max_tx_queues)
		p->n_tx = info->max_tx_queues;
	if (p->n_rx > 1 && info->flow_type_rss_offloads & RSS) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & RSS;
	}
	conf->rxmode.mtu = RTE_MIN(p->cfg->mtu, info->max_mtu);
}

static int open_one(struct port *p, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_get_port_by_name(p->dev_name, &p->dev);

	if (!ret)
		ret = rte_eth_dev_info_get(p->dev, &info);
	if (!ret && p->kind == PORT_PCI)
		fit_pci(p, &info, &conf);
	if (!ret)
		ret = rte_eth_dev_configure(p->dev, p->n_rx, p->n_tx, &conf);
	for (uint16_t q = 0; q < p->n_rx && !ret; q++)
		ret = rte_eth_rx_queue_setup(p->dev, q, PORT_RX_DESC, (unsigned)SOCKET_ID_ANY, NULL, pool);
	for (uint16_t q = 0; q < p->n_tx && !ret; q++)
		ret = rte_eth_tx_queue_setup(p->dev, q, PORT_TX_DESC, (unsigned)SOCKET_ID_ANY, NULL);
	if (!ret)
		ret = rte_eth_dev_start(p->dev);
	if (ret && p->kind == PORT_MEMIF && !p->server)
		ret = 0; /* its server is not there yet: port_memif_turn() tries again */
	if (!ret && p->kind == PORT_PCI) {
		struct rte_ether_addr mac;

		ret = rte_eth_macaddr_get(p->dev, &mac);
		memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
		(void)rte_eth_allmulticast_enable(p->dev); /* neighbour discovery; some cannot, and let all in */
	}
	return ret;
}

/* Ports with fewer queues than workers begin at different workers. */
static void spread(struct port_set *s, uint16_t n_workers)
{
	uint16_t next = 0;

	for (uint16_t i = 0; i < s->n; i++) {
		struct port *p = &s->p[i];

		if (p->n_rx >= n_workers && p->n_tx >= n_workers)
			continue;
		p->first = next;
		next = (uint16_t)((next + p->n_rx) % n_workers);
		log_info(LOG_PORT,
			 "port=%s event=fewer-queues-than-workers rx-queues=%u tx-queues=%u workers=%u read-by=%u-%u",
			 p->cfg->name, p->n_rx, p->n_tx, n_workers, p->first, (p->first + p->n_rx - 1) % n_workers);
	}
}

static int open_port(const struct port_set *s, struct port *p, struct rte_mempool *pool, char *why, unsigned cap)
{
	int ret = p->kind == PORT_AF_XDP ? port_xdp_pool_ok(p, pool, why, cap) : 0;

	if (ret)
		return ret;
	ret = open_one(p, pool);
	if (ret == -ENODEV && p->kind == PORT_PCI)
		return port_fail(
			why, cap, ret,
			"port %s: no DPDK driver takes PCI device %s; install the one for it (apt-cache search "
			"librte-net), or see --log-level debug",
			p->cfg->name, p->dev_name);
	if (ret)
		return port_fail(why, cap, ret, "port %s: device %s does not start: %s", p->cfg->name, p->cfg->device,
				 err_str(ret));
	p->opened = true;
	if (p->kind == PORT_AF_PACKET)
		port_iface_opened(p);
	if (p->kind == PORT_AF_XDP)
		port_xdp_opened(p);
	p->up = port_link(s, p);
	log_info(LOG_PORT,
		 "port=%s event=open device=%s mac=%02x:%02x:%02x:%02x:%02x:%02x mtu=%u rx-queues=%u tx-queues=%u "
		 "link=%s",
		 p->cfg->name, p->cfg->device, p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5],
		 p->cfg->mtu, p->n_rx, p->n_tx, p->up ? "up" : "down");
	return 0;
}

int port_open(struct port_set *s, uint16_t n_workers, struct rte_mempool *pool, char *why, unsigned cap)
{
	for (uint16_t i = 0; i < s->n; i++) {
		int ret = open_port(s, &s->p[i], pool, why, cap);

		if (ret)
			return ret;
	}
	spread(s, n_workers);
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

static void fill6(const struct port *p, struct worker_port *out)
{
	struct ip6 addr[ONLINK_ADDRS6];
	unsigned n = onlink_addrs6(p, addr);

	if (n > 0)
		out->link6 = addr[0];
	for (unsigned i = n; i-- > 1;)
		if (!ip6_is_link_local(addr[i]))
			out->addr6 = addr[i];
}

void port_fill(const struct port *p, uint8_t worker, uint16_t n_workers, struct worker_port *out)
{
	uint16_t own = (uint16_t)((worker + n_workers - p->first) % n_workers);

	out->dev = p->dev;
	out->rx_queue = out->tx_queue = own;
	out->rx = own < p->n_rx;
	out->tx_other = own >= p->n_tx;
	out->tx_by = (uint8_t)((p->first + own % p->n_tx) % n_workers);
	out->mtu = p->cfg->mtu;
	memcpy(out->mac, p->mac, sizeof(out->mac));
	out->rx_when_up = p->kind == PORT_MEMIF;
	out->any_mac = p->kind == PORT_PCAP;
	out->rx_cksum_ok = false; /* no kind has a device that looks */
	for (unsigned i = 0; i < p->cfg->n_addr && !out->addr_be; i++)
		if (p->cfg->addr[i].addr.family == IP_V4)
			memcpy(&out->addr_be, p->cfg->addr[i].addr.b, 4);
	fill6(p, out);
	atomic_store(&out->up, p->up);
}

bool port_gone(const struct port_set *s, const struct port *p)
{
	struct ifreq r;

	return p->ifindex && (port_ask(s, p, SIOCGIFINDEX, &r) || r.ifr_ifindex != p->ifindex);
}

bool port_link(const struct port_set *s, const struct port *p)
{
	struct rte_eth_link link;
	struct ifreq r;

	if (p->kind == PORT_PCAP)
		return true;
	if (!p->ifindex)
		return rte_eth_link_get_nowait(p->dev, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
	if (port_gone(s, p))
		return false;
	return !port_ask(s, p, SIOCGIFFLAGS, &r) && (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_RUNNING);
}

void port_turn(struct port *p, struct rte_rcu_qsbr *qsbr)
{
	if (p->kind == PORT_MEMIF)
		port_memif_turn(p, qsbr);
}

/* What does not change, but for the speed. */
static void stats_what(const struct port *p, struct stats_port *out)
{
	struct rte_eth_dev_info info;
	struct rte_eth_link link = {0};

	if (rte_eth_dev_info_get(p->dev, &info) == 0 && info.driver_name)
		snprintf(out->driver, sizeof(out->driver), "%s", info.driver_name);
	memcpy(out->mac, p->mac, sizeof(out->mac));
	out->n_rx = p->n_rx;
	out->n_tx = p->n_tx;
	if (p->up && rte_eth_link_get_nowait(p->dev, &link) == 0 && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		__atomic_store_n(&out->speed_mbps, link.link_speed, __ATOMIC_RELAXED);
}

void port_stats(struct port *p, struct stats_port *out)
{
	uint64_t missed;
	struct rte_eth_stats st;

	if (rte_eth_stats_get(p->dev, &st))
		return;
	missed = p->missed;
	if (p->kind == PORT_AF_PACKET)
		missed = p->missed += port_iface_missed(p);
	else if (p->kind == PORT_AF_XDP)
		missed = port_xdp_missed(p);
	stats_what(p, out);
	__atomic_store_n(&out->rx_packets, st.ipackets, __ATOMIC_RELAXED);
	__atomic_store_n(&out->rx_octets, st.ibytes, __ATOMIC_RELAXED);
	__atomic_store_n(&out->tx_packets, st.opackets, __ATOMIC_RELAXED);
	__atomic_store_n(&out->tx_octets, st.obytes, __ATOMIC_RELAXED);
	__atomic_store_n(&out->rx_missed, st.imissed + st.rx_nombuf + missed, __ATOMIC_RELAXED);
	__atomic_store_n(&out->tx_errors, st.oerrors, __ATOMIC_RELAXED);
	__atomic_store_n(&out->up, p->up, __ATOMIC_RELAXED);
}
