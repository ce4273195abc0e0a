#include "dataplane/parse.h"

#include <string.h>

#include <rte_ether.h>

#include "dataplane/drop.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_LSRR = 131, OPT_SSRR = 137 };
enum { ND_TYPE_MIN = 133, ND_TYPE_MAX = 137 }; /* RFC 4861 4: router and neighbour discovery, redirects */

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

/* RFC 8200 3, RFC 4291 2.5.2 to 2.5.5, 2.7 */
enum stats_drop parse_ip6(const struct rte_ipv6_hdr *ip, uint32_t avail)
{
	struct ip6_chain chain;
	struct ip6 dst;
	uint32_t total;

	if (avail < IP6_HDR)
		return DROP_RUNT;
	if ((ip->vtc_flow & IP6_VERSION_MASK) != IP6_VERSION)
		return DROP_BAD_VERSION;
	total = IP6_HDR + (uint32_t)rte_be_to_cpu_16(ip->payload_len);
	if (total > avail || total > UINT16_MAX)
		return DROP_BAD_LENGTH;
	if (ip->payload_len == 0 && ip->proto != IP6_NONE) /* a jumbogram, or nothing where something should be */
		return DROP_BAD_LENGTH;
	dst = ip6_get(ip6_dst(ip));
	if (!ip6_addr_ok(ip6_get(ip6_src(ip))) || (!ip6_addr_ok(dst) && !ip6_is_multicast(dst)))
		return DROP_BAD_ADDRESS;
	if (ip6_is_multicast(dst))
		return DROP_NOT_FOR_US;
	return ip6_is_upper(ip->proto) ? DROP_N : ip6_walk(ip, (uint16_t)total, &chain);
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

/* To this port's address: six octets at once; what stands behind them in both is shifted out. */
static inline bool frame_to_port(const struct worker_port *port, const struct rte_ether_hdr *eth)
{
	_Static_assert(offsetof(struct worker_port, mac) + 8 <= sizeof(struct worker_port), "8 octets can be read");
	return (una_get64(&eth->dst_addr) ^ una_get64(port->mac)) << 16 == 0;
}

/* From here on the packet begins at its IPv4 header and ends where that says. */
static inline void take_over(struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint8_t flags)
{
	uint16_t total = rte_be_to_cpu_16(ip->total_length);

	m->data_off = (uint16_t)(m->data_off + RTE_ETHER_HDR_LEN);
	m->data_len = total;
	m->pkt_len = total;
	m->ol_flags = 0;
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = flags};
}

static inline void take_over6(struct rte_mbuf *m, const struct rte_ipv6_hdr *ip, uint8_t flags)
{
	uint16_t total = (uint16_t)(IP6_HDR + rte_be_to_cpu_16(ip->payload_len));

	m->data_off = (uint16_t)(m->data_off + RTE_ETHER_HDR_LEN);
	m->data_len = total;
	m->pkt_len = total;
	m->ol_flags = 0;
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = (uint8_t)(flags | PKT_V6)};
}

/* Something that is ours to know and to nobody to forward: to a group, or from or to an address of one link. What is to another address
 * of ours goes the common way, and comes to neigh from icmp6_in(). */
static inline bool is_nd(const struct rte_ipv6_hdr *ip, uint32_t avail)
{
	uint8_t type;

	if (likely(ip->proto != IP6_ICMP) || avail < IP6_HDR + 1)
		return false;
	type = *((const uint8_t *)ip + IP6_HDR);
	if (type < ND_TYPE_MIN || type > ND_TYPE_MAX)
		return false;
	return ip6_is_multicast(ip6_get(ip6_dst(ip))) || ip6_is_link_local(ip6_get(ip6_dst(ip))) ||
	       ip6_is_link_local(ip6_get(ip6_src(ip))) || ip6_is_any(ip6_get(ip6_src(ip)));
}

/* The frame that almost all are: to us, IP without options, extension headers or fault, in a buffer of ours alone. */
static inline bool parse_fast(const struct worker *w, struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const void *ip = p + RTE_ETHER_HDR_LEN;
	const uint32_t avail = m->data_len - (uint32_t)RTE_ETHER_HDR_LEN;
	uint16_t type;

	if (unlikely(m->nb_segs != 1 || rte_mbuf_refcnt_read(m) != 1 ||
		     m->data_len < RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) ||
		     m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_RX_VLAN_STRIPPED)))
		return false;
	if (unlikely(!frame_to_port(&w->port[m->port], (const void *)p)))
		return false;
	type = una_get16(p + 12);
	if (likely(type == RTE_BE16(RTE_ETHER_TYPE_IPV4))) {
		if (unlikely(!parse_plain(ip, avail)))
			return false;
		take_over(m, ip, 0);
		return true;
	}
	if (unlikely(type != RTE_BE16(RTE_ETHER_TYPE_IPV6) || !parse_plain6(ip, avail) || is_nd(ip, avail)))
		return false;
	take_over6(m, ip, 0);
	return true;
}

/* To this port's address, or to a group. Others are for a neighbour (a mirror, a hub, a promiscuous port). */
static bool frame_for_us(const struct worker_port *port, const struct rte_ether_hdr *eth, uint8_t *flags)
{
	if (frame_to_port(port, eth))
		return true;
	if (eth->dst_addr.addr_bytes[0] & RTE_ETHER_GROUP_ADDR) {
		*flags = PKT_L2_MANY;
		return true;
	}
	return port->any_mac;
}

static inline bool has_type(const struct rte_mbuf *m, uint16_t type_be)
{
	return m->data_len >= RTE_ETHER_HDR_LEN &&
	       rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type == type_be &&
	       !(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED);
}

/* The same for IPv6, whatever its Ethernet type says otherwise. */
static enum stats_drop parse_frame6(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv6_hdr *ip = (const void *)(eth + 1);
	uint8_t flags = 0;
	enum stats_drop why;

	if (!frame_for_us(&w->port[m->port], eth, &flags))
		return DROP_NOT_FOR_US;
	why = parse_ip6(ip, m->data_len - (uint32_t)RTE_ETHER_HDR_LEN);
	if (why == DROP_N)
		take_over6(m, ip, flags);
	return why;
}

/* Every other frame: accepted all the same (DROP_N), or why not. m is one segment and unshared. */
static enum stats_drop parse_frame(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct worker_port *port = &w->port[m->port];
	const struct rte_ipv4_hdr *ip = (const void *)(eth + 1);
	bool good = port->rx_cksum_ok && (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	uint8_t flags = 0;
	enum stats_drop why;

	if (m->data_len < RTE_ETHER_HDR_LEN + sizeof(*ip))
		return DROP_RUNT;
	if (has_type(m, RTE_BE16(RTE_ETHER_TYPE_IPV6)))
		return parse_frame6(w, m);
	/* a tag that the device took off means another VLAN's frame */
	if (eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) || m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		return DROP_BAD_ETHERTYPE;
	if (!frame_for_us(port, eth, &flags))
		return DROP_NOT_FOR_US;
	why = parse_ip(ip, m->data_len - (uint32_t)RTE_ETHER_HDR_LEN, good);
	if (why == DROP_N)
		take_over(m, ip, flags);
	return why;
}

/* Neighbour discovery in a frame that is to us or to a group: neigh's, addresses and all. */
static bool is_nd_frame(const struct worker *w, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	uint8_t flags;

	return has_type(m, RTE_BE16(RTE_ETHER_TYPE_IPV6)) && m->data_len >= RTE_ETHER_HDR_LEN + IP6_HDR &&
	       is_nd((const void *)(eth + 1), m->data_len - (uint32_t)RTE_ETHER_HDR_LEN) &&
	       frame_for_us(&w->port[m->port], eth, &flags);
}

/* What parse_fast() did not take: NULL when it is gone. */
static __rte_noinline struct rte_mbuf *parse_slow(struct worker *w, struct rte_mbuf *m)
{
	enum stats_drop why;

	if (m->nb_segs != 1 || rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m)) {
		m = make_private(w, m);
		if (m == NULL)
			return NULL;
	}
	if (is_nd_frame(w, m)) {
		neigh_nd_in(w, m);
		return NULL;
	}
	why = parse_frame(w, m);
	if (why == DROP_N)
		return m;
	if (why == DROP_BAD_ETHERTYPE && has_type(m, RTE_BE16(RTE_ETHER_TYPE_ARP)))
		neigh_arp_in(w, m);
	else
		drop(w, m, why);
	return NULL;
}

uint16_t parse_burst(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *p = m[i];

		if (unlikely(!parse_fast(w, p))) {
			p = parse_slow(w, p);
			if (p == NULL)
				continue;
		}
		m[kept++] = p;
	}
	return kept;
}
