#include "dataplane/fwd.h"

#include <netinet/in.h>

#include <rte_jhash.h>

#include "dataplane/drop.h"
#include "dataplane/fib6.h"
#include "dataplane/frag.h"
#include "dataplane/handoff.h"
#include "dataplane/icmp.h"
#include "dataplane/icmp6.h"
#include "dataplane/pkt.h"
#include "dataplane/sad.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

/* Which flow it is of: addresses, protocol, and ports where every packet of it has them. Keyed, so that nobody can choose a leg for
 * his packets. RFC 2992 */
static uint32_t flow_hash(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint32_t key)
{
	const uint16_t ihl = pkt_ihl(ip);
	const bool ports = (ip->next_proto_id == IPPROTO_TCP || ip->next_proto_id == IPPROTO_UDP ||
			    ip->next_proto_id == IPPROTO_SCTP || ip->next_proto_id == IPPROTO_UDPLITE) &&
			   !(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) &&
			   m->data_len >= ihl + 4;

	return rte_jhash_3words(ip->src_addr, ip->dst_addr, ports ? una_get32((const uint8_t *)ip + ihl) : 0,
				key ^ ip->next_proto_id);
}

/* The same for IPv6. Extension headers hide the ports: then the flow label stands for them. RFC 6437 3 */
static uint32_t flow_hash6(const struct rte_mbuf *m, const struct rte_ipv6_hdr *ip, uint32_t key)
{
	const bool ports = (ip->proto == IP6_TCP || ip->proto == IP6_UDP || ip->proto == IPPROTO_SCTP ||
			    ip->proto == IPPROTO_UDPLITE) &&
			   m->data_len >= IP6_HDR + 4;
	uint32_t words[9];

	memcpy(words, ip6_src(ip), 32);
	words[8] = ports ? una_get32((const uint8_t *)ip + IP6_HDR) : ip->vtc_flow & RTE_BE32(0xfffff);
	return rte_jhash_32b(words, 9, key ^ ip->proto);
}

/* Next hops of several legs become one of these. */
static __rte_noinline void choose_legs(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n)
{
	const uint32_t key = w->fib->hash_key;

	for (uint16_t i = 0; i < n; i++)
		if (nh[i].kind & FIB_LEGS)
			nh[i] = fib_leg(w->fib, nh[i],
					pkt_is_v6(m[i]) ? flow_hash6(m[i], pkt_ip6(m[i]), key)
							: flow_hash(m[i], pkt_ip(m[i]), key),
					&pkt_of(m[i])->next);
}

/* What is to a link-local address has no route: our own leave by the port that they are for. */
static __rte_noinline void lookup_link(const struct worker *w, struct rte_mbuf *m, uint32_t *id)
{
	if (fib_nh(w->fib, *id).kind == FIB_DROP && pkt_of(m)->flags & PKT_OWN && m->port < w->n_ports)
		*id = fib6_link(w->fib, m->port);
}

enum { SRC6 = 8, DST6 = 24 }; /* in the IPv6 header */

/* Have all n packets, at least one, the same address there? */
static inline bool same6(struct rte_mbuf **m, uint16_t n, unsigned at)
{
	const uint8_t *first = rte_pktmbuf_mtod(m[0], const uint8_t *) + at;
	const uint64_t hi = una_get64(first), lo = una_get64(first + 8);
	uint64_t differ = 0;

	for (uint16_t i = 1; i < n; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(m[i], const uint8_t *) + at;

		differ |= (una_get64(p) ^ hi) | (una_get64(p + 8) ^ lo);
	}
	return differ == 0;
}

/* Ids of IPv6 packets, at least one. A burst to one destination needs one look. */
static void lookup6(const struct worker *w, struct rte_mbuf **m, uint32_t *id, uint16_t n)
{
	struct ip6 dst[VEC_BURST];
	uint16_t look = same6(m, n, DST6) && !ip6_is_link_local(ip6_get(ip6_dst(pkt_ip6(m[0])))) ? 1 : n;

	for (uint16_t i = 0; i < look; i++)
		dst[i] = ip6_get(ip6_dst(pkt_ip6(m[i])));
	fib6_lookup(w->fib, dst, id, look);
	for (uint16_t i = look; i < n; i++)
		id[i] = id[0];
	for (uint16_t i = 0; i < look; i++)
		if (unlikely(ip6_is_link_local(dst[i])))
			lookup_link(w, m[i], &id[i]);
}

static __rte_noinline void lookup_mixed(const struct worker *w, struct rte_mbuf **m, uint32_t *id, uint16_t n)
{
	struct rte_mbuf *six[VEC_BURST];
	uint32_t dst[VEC_BURST], got[VEC_BURST], got6[VEC_BURST];
	uint16_t n4 = 0, n6 = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (pkt_is_v6(m[i]))
			six[n6++] = m[i];
		else
			dst[n4++] = rte_be_to_cpu_32(pkt_ip(m[i])->dst_addr);
	}
	fib_lookup(w->fib, dst, got, n4);
	lookup6(w, six, got6, n6);
	for (uint16_t i = n; i-- > 0;)
		id[i] = pkt_is_v6(m[i]) ? got6[--n6] : got[--n4];
}

void fwd_lookup(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n)
{
	const struct fib *f = w->fib;
	uint32_t dst[VEC_BURST];
	uint32_t id[VEC_BURST];
	uint8_t kinds = 0, any = 0, all = PKT_V6;

	/* an IPv6 header is longer: it can be read as IPv4's, for nothing */
	for (uint16_t i = 0; i < n; i++) {
		dst[i] = rte_be_to_cpu_32(pkt_ip(m[i])->dst_addr);
		any |= pkt_of(m[i])->flags;
		all &= pkt_of(m[i])->flags;
	}
	if (likely(!(any & PKT_V6)))
		fib_lookup(f, dst, id, n);
	else if (likely(all))
		lookup6(w, m, id, n);
	else
		lookup_mixed(w, m, id, n);
	for (uint16_t i = 0; i < n; i++) {
		nh[i] = fib_nh(f, id[i]);
		pkt_of(m[i])->next = id[i];
		kinds |= nh[i].kind;
	}
	if (unlikely(kinds & FIB_LEGS))
		choose_legs(w, m, nh, n);
}

static void unreachable(struct worker *w, struct rte_mbuf *m)
{
	if (pkt_is_v6(m))
		icmp6_error(w, m, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0);
	else
		icmp_error(w, m, ICMP_UNREACHABLE, ICMP_NET, 0);
	drop(w, m, DROP_NO_ROUTE);
}

/* RFC 4291 2.5.6, RFC 4443 3.1: what is from or to a link-local address stays on its link. */
static inline bool is_link_bound(const struct rte_ipv6_hdr *ip)
{
	return ip6_is_link_local(ip6_get(ip6_src(ip))) || ip6_is_link_local(ip6_get(ip6_dst(ip)));
}

static __rte_noinline void beyond_scope(struct worker *w, struct rte_mbuf *m)
{
	if (ip6_is_link_local(ip6_get(ip6_src(pkt_ip6(m)))) && !ip6_is_link_local(ip6_get(ip6_dst(pkt_ip6(m)))))
		icmp6_error(w, m, ICMP6_UNREACHABLE, ICMP6_SCOPE, 0);
	drop(w, m, DROP_BAD_ADDRESS);
}

/* A packet that goes no further as a packet: to ourselves, or nowhere. */
static __rte_noinline void ends_here(struct worker *w, struct rte_mbuf *m, enum fib_kind kind)
{
	if (kind != FIB_LOCAL && pkt_is_v6(m) && is_link_bound(pkt_ip6(m))) {
		beyond_scope(w, m);
		return;
	}
	switch (kind) {
	case FIB_LOCAL:
		vec_give(w, &w->local, m);
		break;
	case FIB_DROP:
		drop(w, m, DROP_BLACKHOLE);
		break;
	case FIB_PORT:
	case FIB_TUNNEL: /* RFC 1812 5.3.4: came by a link broadcast */
		drop(w, m, DROP_NOT_FOR_US);
		break;
	case FIB_NONE:
	case FIB_KIND_N:
	case FIB_LEGS: /* a leg, never legs */
	case FIB_TUNNELS:
		unreachable(w, m);
		break;
	}
}

static __rte_noinline void expired(struct worker *w, struct rte_mbuf *m)
{
	if (pkt_is_v6(m))
		icmp6_error(w, m, ICMP6_TIME_EXCEEDED, ICMP6_HOPS, 0);
	else
		icmp_error(w, m, ICMP_TIME_EXCEEDED, ICMP_TTL, 0);
	drop(w, m, DROP_TTL);
}

/* The TTL step; false: it is used up. RFC 1141: the TTL is the high octet of its word, so the checksum needs an end-around
 * carry and not a new sum. */
static inline bool hop(struct rte_ipv4_hdr *ip)
{
	uint32_t sum = ip->hdr_checksum + (uint32_t)RTE_BE16(0x0100);

	if (unlikely(ip->time_to_live <= 1))
		return false;
	ip->hdr_checksum = (uint16_t)(sum + (sum >= 0xffff));
	ip->time_to_live--;
	return true;
}

/* RFC 8200 3: the same, without a checksum. */
static inline bool hop6(struct rte_ipv6_hdr *ip)
{
	if (unlikely(ip->hop_limits <= 1))
		return false;
	ip->hop_limits--;
	return true;
}

/* What is due before a packet goes on; false: it has ended. */
static inline bool step(struct worker *w, struct rte_mbuf *m, uint8_t flags)
{
	bool on;

	if (likely(!(flags & (PKT_OWN | PKT_TUN | PKT_V6)))) {
		on = hop(pkt_ip(m));
	} else if (flags & PKT_OWN || !(flags & PKT_V6)) {
		return true;
	} else if (unlikely(is_link_bound(pkt_ip6(m)))) {
		beyond_scope(w, m);
		return false;
	} else {
		on = flags & PKT_TUN || hop6(pkt_ip6(m));
	}
	if (unlikely(!on))
		expired(w, m);
	return on;
}

/* came_bare() of the packets that are IPv6, which are not `clear` any more. */
static __rte_noinline uint32_t came_bare6(struct worker *w, struct rte_mbuf **m, uint16_t n, uint32_t *clear)
{
	struct ip6 src[VEC_BURST];
	uint32_t id[VEC_BURST], bare = 0;
	uint8_t at[VEC_BURST];
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (!(*clear >> i & 1) || !pkt_is_v6(m[i]))
			continue;
		*clear &= ~(1u << i);
		src[k] = ip6_get(ip6_src(pkt_ip6(m[i])));
		at[k++] = (uint8_t)i;
	}
	if (k == 0)
		return 0;
	fib6_lookup(w->fib, src, id, k);
	for (uint16_t i = 0; i < k; i++)
		bare |= (uint32_t)fib_is_tunnel(fib_nh(w->fib, id[i])) << at[i];
	return bare;
}

/* The same where all n are IPv6 and one of them is clear. */
static inline uint32_t came_bare_six(struct worker *w, struct rte_mbuf **m, uint16_t n, uint32_t clear)
{
	struct ip6 src = ip6_get(ip6_src(pkt_ip6(m[0])));
	uint32_t id;

	if (!same6(m, n, SRC6))
		return came_bare6(w, m, n, &clear);
	fib6_lookup(w->fib, &src, &id, 1);
	return fib_is_tunnel(fib_nh(w->fib, id)) ? clear : 0;
}

/* Which packets came in clear from an address behind a tunnel, a bit each: they should have come encrypted. Whoever is on the
 * wire could otherwise speak for the hosts behind it. RFC 4301 5.2. Sources are looked up in bulk; a burst of one source
 * needs only one. */
static inline uint32_t came_bare(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	uint32_t src[VEC_BURST], clear = 0, differ = 0, bare = 0;
	uint32_t id[VEC_BURST];
	uint8_t any = 0, all = PKT_V6;

	for (uint16_t i = 0; i < n; i++) {
		uint8_t flags = pkt_of(m[i])->flags;

		clear |= (uint32_t) !(flags & (PKT_OWN | PKT_TUN | PKT_DECAPPED)) << i;
		any |= flags;
		all &= flags;
	}
	if (clear == 0)
		return 0;
	if (unlikely(any & PKT_V6)) {
		if (likely(all))
			return came_bare_six(w, m, n, clear);
		bare = came_bare6(w, m, n, &clear);
		if (clear == 0)
			return bare;
	}
	for (uint16_t i = 0; i < n; i++) {
		src[i] = rte_be_to_cpu_32(pkt_ip(m[i])->src_addr);
		differ |= src[i] ^ src[0];
	}
	if (differ == 0) {
		fib_lookup(w->fib, src, id, 1);
		return fib_is_tunnel(fib_nh(w->fib, id[0])) ? bare | clear : bare;
	}
	fib_lookup(w->fib, src, id, n);
	for (uint16_t i = 0; i < n; i++)
		bare |= ((uint32_t)fib_is_tunnel(fib_nh(w->fib, id[i])) << i) & clear;
	return bare;
}

/* A tunnel's packets are its owner's to encrypt. */
static inline void to_tunnel(struct worker *w, struct rte_mbuf *m, uint32_t tunnel)
{
	uint8_t owner = sad_owner_tunnel(w->sad, tunnel);
	struct pkt *pkt = pkt_of(m);

	if (unlikely(owner == SAD_NOBODY)) {
		drop(w, m, DROP_NO_SA);
		return;
	}
	pkt->kind = PKT_TUNNEL;
	pkt->next = tunnel;
	if (likely(owner == w->id)) {
		uint32_t slot = atomic_load_explicit(&w->sad->tunnel[tunnel].tx, memory_order_relaxed);

		rte_prefetch0(&w->sad->out[slot < w->sad->n_sas ? slot : 0]);
		vec_give(w, &w->enc, m);
		return;
	}
	handoff_push(w, owner, m);
}

static inline void to_port(struct worker *w, struct rte_mbuf *m, const struct fib_nh *nh)
{
	uint16_t mtu = w->port[nh->port].mtu;

	if (unlikely(m->data_len > mtu))
		fwd_fit(w, m, mtu, &w->out);
	else
		vec_give(w, &w->out, m);
}

void fwd_send(struct worker *w, struct rte_mbuf **m, const struct fib_nh *nh, uint16_t n)
{
	_Static_assert(VEC_BURST <= 32, "a bit per packet");
	uint32_t bare = came_bare(w, m, n);

	for (uint16_t i = 0; i < n; i++) {
		uint8_t flags = pkt_of(m[i])->flags;
		bool leaves = nh[i].kind == FIB_PORT || nh[i].kind == FIB_TUNNEL;

		if (unlikely(!leaves || flags & PKT_L2_MANY))
			ends_here(w, m[i], (enum fib_kind)nh[i].kind);
		else if (unlikely(bare >> i & 1))
			drop(w, m[i], DROP_CLEAR_TO_PROTECTED);
		else if (unlikely(!step(w, m[i], flags)))
			continue;
		else if (nh[i].kind == FIB_TUNNEL)
			to_tunnel(w, m[i], nh[i].arg);
		else
			to_port(w, m[i], &nh[i]);
	}
}

/* RFC 4301 5.1: by a tunnel, or to ourselves, it would never get out. */
static __rte_noinline void no_way_out(struct worker *w, struct rte_mbuf *m, uint8_t kind)
{
	if (kind == FIB_TUNNEL || kind == FIB_LOCAL)
		drop(w, m, DROP_RECURSION);
	else
		drop(w, m, kind == FIB_DROP ? DROP_BLACKHOLE : DROP_NO_ROUTE);
}

void fwd_outer(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	struct fib_nh nh[VEC_BURST];

	fwd_lookup(w, m, nh, n);
	for (uint16_t i = 0; i < n; i++) {
		uint16_t path = pkt_of(m[i])->esp_off;

		if (unlikely(nh[i].kind != FIB_PORT))
			no_way_out(w, m[i], nh[i].kind);
		else if (unlikely(path != 0) && m[i]->data_len > path)
			fwd_fit(w, m[i], path, &w->out);
		else
			to_port(w, m[i], &nh[i]);
	}
}

uint16_t fwd_fit(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct vec *to)
{
	uint16_t made;

	if (pkt_is_v6(m) && pkt_of(m)->flags & (PKT_OWN | PKT_OUTER)) {
		made = frag6_split(w, m, mtu, to->m + to->n, vec_room(to));
		to->n = (uint16_t)(to->n + made);
		return made;
	}
	if (pkt_is_v6(m)) { /* RFC 8200 5, RFC 4443 3.2 */
		icmp6_error(w, m, ICMP6_TOO_BIG, 0, mtu);
		drop(w, m, DROP_TOO_BIG);
		return 0;
	}
	if (pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) {
		icmp_error(w, m, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, mtu);
		drop(w, m, DROP_TOO_BIG);
		return 0;
	}
	made = frag_split(w, m, mtu, to->m + to->n, vec_room(to));
	to->n = (uint16_t)(to->n + made);
	return made;
}
