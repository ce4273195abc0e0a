#include "dataplane/fwd.h"

#include <netinet/in.h>

#include <rte_jhash.h>

#include "dataplane/drop.h"
#include "dataplane/frag.h"
#include "dataplane/handoff.h"
#include "dataplane/icmp.h"
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

/* Next hops of several legs become one of these. */
static __rte_noinline void choose_legs(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (nh[i].kind & FIB_LEGS)
			nh[i] = fib_leg(w->fib, nh[i], flow_hash(m[i], pkt_ip(m[i]), w->fib->hash_key),
					&pkt_of(m[i])->next);
}

void fwd_lookup(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n)
{
	const struct fib *f = w->fib;
	uint32_t dst[VEC_BURST];
	uint32_t id[VEC_BURST];
	uint8_t kinds = 0;

	for (uint16_t i = 0; i < n; i++)
		dst[i] = rte_be_to_cpu_32(pkt_ip(m[i])->dst_addr);
	fib_lookup(f, dst, id, n);
	for (uint16_t i = 0; i < n; i++) {
		nh[i] = fib_nh(f, id[i]);
		pkt_of(m[i])->next = id[i];
		kinds |= nh[i].kind;
	}
	if (unlikely(kinds & FIB_LEGS))
		choose_legs(w, m, nh, n);
}

/* A packet that goes no further as a packet: to ourselves, or nowhere. */
static __rte_noinline void ends_here(struct worker *w, struct rte_mbuf *m, enum fib_kind kind)
{
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
		icmp_error(w, m, ICMP_UNREACHABLE, ICMP_NET, 0);
		drop(w, m, DROP_NO_ROUTE);
		break;
	}
}

static __rte_noinline void expired(struct worker *w, struct rte_mbuf *m)
{
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

/* Which packets came in clear from an address behind a tunnel, a bit each: they should have come encrypted. Whoever is on the
 * wire could otherwise speak for the hosts behind it. RFC 4301 5.2. Sources are looked up in bulk; a burst of one source
 * needs only one. */
static inline uint32_t came_bare(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	uint32_t src[VEC_BURST], clear = 0, differ = 0, bare = 0;
	uint32_t id[VEC_BURST];

	for (uint16_t i = 0; i < n; i++)
		clear |= (uint32_t) !(pkt_of(m[i])->flags & (PKT_OWN | PKT_TUN | PKT_DECAPPED)) << i;
	if (clear == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		src[i] = rte_be_to_cpu_32(pkt_ip(m[i])->src_addr);
		differ |= src[i] ^ src[0];
	}
	if (differ == 0) {
		fib_lookup(w->fib, src, id, 1);
		return fib_is_tunnel(fib_nh(w->fib, id[0])) ? clear : 0;
	}
	fib_lookup(w->fib, src, id, n);
	for (uint16_t i = 0; i < n; i++)
		bare |= (uint32_t)fib_is_tunnel(fib_nh(w->fib, id[i])) << i;
	return bare & clear;
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
		if (unlikely(flags & PKT_V6)) {
			drop(w, m[i], DROP_NO_ROUTE);
			continue;
		}
		bool leaves = nh[i].kind == FIB_PORT || nh[i].kind == FIB_TUNNEL;

		if (unlikely(!leaves || flags & PKT_L2_MANY))
			ends_here(w, m[i], (enum fib_kind)nh[i].kind);
		else if (unlikely(bare >> i & 1))
			drop(w, m[i], DROP_CLEAR_TO_PROTECTED);
		else if (unlikely(!(flags & (PKT_OWN | PKT_TUN)) && !hop(pkt_ip(m[i]))))
			expired(w, m[i]);
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
		if (likely(nh[i].kind == FIB_PORT))
			to_port(w, m[i], &nh[i]);
		else
			no_way_out(w, m[i], nh[i].kind);
	}
}

uint16_t fwd_fit(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct vec *to)
{
	uint16_t made;

	if (pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) {
		icmp_error(w, m, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, mtu);
		drop(w, m, DROP_TOO_BIG);
		return 0;
	}
	made = frag_split(w, m, mtu, to->m + to->n, vec_room(to));
	to->n = (uint16_t)(to->n + made);
	return made;
}
