#include "dataplane/parse.h"

#include <string.h>

#include <rte_ether.h>

#include "dataplane/drop.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_LSRR = 131, OPT_SSRR = 137 };

/* Every option inside the header, none that lets the sender choose the way. RFC 791 3.1; source routes are refused as
 * RFC 1812 5.2.4.1 lets us be configured, because they lead packets past the routes that select a tunnel. */
static __rte_noinline bool options_ok(const struct rte_ipv4_hdr *ip, uint16_t ihl)
{
	const uint8_t *p = (const uint8_t *)ip + sizeof(*ip), *end = (const uint8_t *)ip + ihl;

	while (p < end && *p != OPT_END) {
		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p || *p == OPT_LSRR || *p == OPT_SSRR)
			return false;
		p += p[1];
	}
	return true;
}

enum stats_drop parse_ip(const struct rte_ipv4_hdr *ip, uint32_t avail, bool cksum_known_good)
{
	uint16_t ihl, total;

	if (unlikely(avail < sizeof(*ip)))
		return DROP_RUNT;
	if (unlikely(ip->version_ihl >> 4 != 4))
		return DROP_BAD_VERSION;
	ihl = (uint16_t)((ip->version_ihl & 15) * 4);
	total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(ihl < sizeof(*ip) || total < ihl || total > avail))
		return DROP_BAD_LENGTH;
	if (!cksum_known_good && unlikely(!parse_cksum_ok(ip, ihl)))
		return DROP_BAD_CHECKSUM;
	if (unlikely(ihl > sizeof(*ip)) && !options_ok(ip, ihl))
		return DROP_BAD_OPTIONS;
	if (unlikely(!parse_addr_ok(rte_be_to_cpu_32(ip->src_addr)) || !parse_addr_ok(rte_be_to_cpu_32(ip->dst_addr))))
		return DROP_BAD_ADDRESS;
	return DROP_N;
}

/* A packet of our own to write into, in one piece: what comes shared or in segments is copied. NULL: it is dropped. */
static __rte_noinline struct rte_mbuf *make_private(struct worker *w, struct rte_mbuf *m)
{
	struct rte_mbuf *copy;

	if (m->pkt_len + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(w->pool)) {
		drop(w, m, DROP_TOO_BIG);
		return NULL;
	}
	copy = rte_pktmbuf_copy(m, w->pool, 0, UINT32_MAX);
	if (copy == NULL) {
		drop(w, m, DROP_NO_MBUF);
		return NULL;
	}
	copy->port = m->port;
	copy->ol_flags = m->ol_flags & ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
	rte_pktmbuf_free(m);
	return copy;
}

/* To this port's address, or to a group. Others are for a neighbour (a mirror, a hub, a promiscuous port). */
static inline bool frame_for_us(const struct worker_port *port, const struct rte_ether_hdr *eth, uint8_t *flags)
{
	if (likely(memcmp(&eth->dst_addr, port->mac, RTE_ETHER_ADDR_LEN) == 0))
		return true;
	if (eth->dst_addr.addr_bytes[0] & RTE_ETHER_GROUP_ADDR) {
		*flags = PKT_L2_MANY;
		return true;
	}
	return port->any_mac;
}

static enum stats_drop parse_frame(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct worker_port *port = &w->port[m->port];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(rte_pktmbuf_mtod(m, uint8_t *) + RTE_ETHER_HDR_LEN);
	bool good = port->rx_cksum_ok && (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	uint8_t flags = 0;
	enum stats_drop why;
	uint16_t total;

	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN + sizeof(*ip)))
		return DROP_RUNT;
	/* a tag that the device took off means another VLAN's frame */
	if (unlikely(eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) || m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		return DROP_BAD_ETHERTYPE;
	if (unlikely(!frame_for_us(port, eth, &flags)))
		return DROP_NOT_FOR_US;
	why = parse_ip(ip, m->data_len - RTE_ETHER_HDR_LEN, good);
	if (unlikely(why != DROP_N))
		return why;
	total = rte_be_to_cpu_16(ip->total_length);
	m->data_off = (uint16_t)(m->data_off + RTE_ETHER_HDR_LEN);
	m->data_len = total;
	m->pkt_len = total;
	m->ol_flags = 0;
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = flags};
	return DROP_N;
}

static inline bool is_arp(const struct rte_mbuf *m)
{
	return m->data_len >= RTE_ETHER_HDR_LEN &&
	       rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) &&
	       !(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
}

uint16_t parse_burst(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *p = m[i];
		enum stats_drop why;

		if (unlikely(p->nb_segs != 1 || rte_mbuf_refcnt_read(p) != 1 || !RTE_MBUF_DIRECT(p))) {
			p = make_private(w, p);
			if (p == NULL)
				continue;
		}
		why = parse_frame(w, p);
		if (likely(why == DROP_N))
			m[kept++] = p;
		else if (why == DROP_BAD_ETHERTYPE && is_arp(p))
			neigh_arp_in(w, p);
		else
			drop(w, p, why);
	}
	return kept;
}
