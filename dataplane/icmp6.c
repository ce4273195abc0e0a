#include "dataplane/icmp6.h"

#include <string.h>

#include <rte_ether.h>

#include "dataplane/drop.h"
#include "dataplane/fib6.h"
#include "dataplane/nd_msg.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/pmtu.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/worker.h"

enum {
	HEAD = 8,
	OWN_HOPS = 64,
	INFORMATIONAL = 128,
	TCLASS_CONTROL = 0xc0, /* as RFC 1812 4.3.2.5 */
};

/* Is m an ICMPv6 message that must not be answered by an error? RFC 4443 2.4 (e.1), (e.2) */
static bool is_error(struct rte_mbuf *m)
{
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);
	struct ip6_chain c;
	uint8_t type;

	if (ip6_walk(ip, m->data_len, &c) != DROP_N)
		return false;
	if (c.proto != IP6_ICMP)
		return false;
	if (c.later || m->data_len <= c.off)
		return true; /* nobody knows */
	type = *((const uint8_t *)ip + c.off);
	return type < INFORMATIONAL || type == ND_REDIRECT;
}

/* Sources and destinations that are no hosts were refused by parse_ip6(). A link-local source inside a tunnel has no link. */
static bool may_answer(struct rte_mbuf *m, uint8_t flags)
{
	if (flags & (PKT_OWN | PKT_L2_MANY) ||
	    (flags & PKT_DECAPPED && ip6_is_link_local(ip6_get(ip6_src(pkt_ip6(m))))))
		return false;
	return !is_error(m);
}

/* The TX SA of the tunnel that leads to this address, when it is ours. */
static const struct sa_cold *sa_towards(struct worker *w, struct ip6 addr)
{
	uint32_t id, slot;
	struct fib_nh nh;

	fib6_lookup(w->fib, &addr, &id, 1);
	nh = fib_nh(w->fib, id);
	if (nh.kind & FIB_LEGS) /* their selectors hardly differ, and which one the error takes is not known yet */
		nh = fib_leg(w->fib, nh, 0, &slot);
	if (nh.kind != FIB_TUNNEL || sad_owner_tunnel(w->sad, nh.arg) != w->id)
		return NULL;
	slot = sad_tunnel_tx(w->sad, nh.arg);
	return slot == SAD_NO_SLOT ? NULL : &w->sad->cold_out[slot];
}

static bool in_local_selector(const struct sa_cold *c, struct ip6 addr)
{
	uint8_t octets[16];

	ip6_put(octets, addr);
	for (unsigned i = 0; i < c->n_ts; i++)
		if (c->ts[i].family == IP_V6 && memcmp(c->ts[i].local.lo, octets, 16) <= 0 &&
		    memcmp(octets, c->ts[i].local.hi, 16) <= 0)
			return true;
	return false;
}

/* One that is heard beyond the link: the port's, else any. */
static struct ip6 global(const struct worker *w, uint16_t port)
{
	if (port < w->n_ports && !ip6_is_any(w->port[port].addr6))
		return w->port[port].addr6;
	for (uint16_t i = 0; i < w->n_ports; i++)
		if (!ip6_is_any(w->port[i].addr6))
			return w->port[i].addr6;
	return (struct ip6){0};
}

/* Which address speaks (RFC 4443 2.2): the one that the packet was sent to, if it is ours alone; else the incoming port's; for a packet
 * out of a tunnel, one of ours that the way back lets through. The kernel takes nothing from its own addresses: to it, the far end
 * speaks. :: when there is none. */
static struct ip6 source(struct worker *w, struct rte_mbuf *m, uint8_t flags)
{
	const struct ip6 src = ip6_get(ip6_src(pkt_ip6(m))), dst = ip6_get(ip6_dst(pkt_ip6(m)));
	const struct sa_cold *c = flags & PKT_DECAPPED ? sa_towards(w, src) : NULL;
	struct fib_nh nh;
	uint32_t id;

	fib6_lookup(w->fib, &dst, &id, 1);
	nh = fib_nh(w->fib, id);
	if (flags & PKT_TUN || (nh.kind == FIB_LOCAL && nh.port != FIB_ANYCAST))
		return dst;
	for (uint16_t i = 0; c != NULL && i < w->n_ports; i++)
		if (!ip6_is_any(w->port[i].addr6) && in_local_selector(c, w->port[i].addr6))
			return w->port[i].addr6;
	if (ip6_is_link_local(src) && m->port < w->n_ports)
		return w->port[m->port].link6;
	return global(w, m->port);
}

static void own_header(uint8_t *p, struct ip6 src, struct ip6 dst, uint16_t payload)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)p;

	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)TCLASS_CONTROL << 20);
	ip->payload_len = rte_cpu_to_be_16(payload);
	ip->proto = IP6_ICMP;
	ip->hop_limits = OWN_HOPS;
	ip6_put(p + 8, src);
	ip6_put(p + 24, dst);
}

void icmp6_error(struct worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code, uint32_t word)
{
	const struct ip6 dst = ip6_get(ip6_src(pkt_ip6(m)));
	const uint8_t flags = pkt_of(m)->flags;
	/* RFC 4443 2.4 (c): as much of the packet as fits into the least MTU */
	uint16_t quote = RTE_MIN(m->data_len, (uint16_t)(IP6_MIN_MTU - IP6_HDR - HEAD)), total = IP6_HDR + HEAD + quote;
	struct rte_mbuf *e;
	struct ip6 src;
	uint8_t *p;

	if (!may_answer(m, flags) || w->fwd.n >= VEC_MAX / 2) /* half of fwd stays free for packets on their way */
		return;
	src = source(w, m, flags);
	if (ip6_is_any(src) || !worker_bucket_take(&w->icmp6, w->now_tsc))
		return;
	e = rte_pktmbuf_alloc(w->pool);
	if (e == NULL)
		return;
	p = (uint8_t *)rte_pktmbuf_append(e, total);
	if (p == NULL) {
		rte_pktmbuf_free(e);
		return;
	}
	own_header(p, src, dst, (uint16_t)(total - IP6_HDR));
	p += IP6_HDR;
	p[0] = type;
	p[1] = code;
	una_put16(p + 2, 0);
	una_put32(p + 4, rte_cpu_to_be_32(word));
	memcpy(p + HEAD, pkt_ip6(m), quote);
	una_put16(p + 2, ip6_cksum(src, dst, IP6_ICMP, p, (uint32_t)(HEAD + quote)));
	e->port = m->port;
	e->ol_flags = 0;
	*pkt_of(e) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN | PKT_V6};
	vec_push(&w->fwd, e);
	w->count.icmp_sent++;
}

/* The reply is the request with the addresses exchanged, without extension headers; its own hop limit. RFC 4443 4.2 */
static void echo_reply(struct worker *w, struct rte_mbuf *m, uint16_t off)
{
	struct ip6 src = ip6_get(ip6_dst(pkt_ip6(m))), dst = ip6_get(ip6_src(pkt_ip6(m)));
	struct rte_ipv6_hdr *ip;
	struct fib_nh nh;
	uint8_t *p;
	uint32_t id;

	fib6_lookup(w->fib, &src, &id, 1);
	nh = fib_nh(w->fib, id);
	if (nh.kind == FIB_LOCAL && nh.port == FIB_ANYCAST)
		src = ip6_is_link_local(dst) && m->port < w->n_ports ? w->port[m->port].link6 : global(w, m->port);
	memmove(rte_pktmbuf_mtod_offset(m, uint8_t *, off - IP6_HDR), pkt_ip6(m), IP6_HDR);
	rte_pktmbuf_adj(m, (uint16_t)(off - IP6_HDR));
	ip = pkt_ip6(m);
	p = (uint8_t *)ip;
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(m->data_len - IP6_HDR));
	ip->proto = IP6_ICMP;
	ip->hop_limits = OWN_HOPS;
	ip6_put(p + 8, src);
	ip6_put(p + 24, dst);
	p += IP6_HDR;
	p[0] = ICMP6_ECHO_REPLY;
	una_put16(p + 2, 0);
	una_put16(p + 2, ip6_cksum(src, dst, IP6_ICMP, p, m->data_len - (uint32_t)IP6_HDR));
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN | PKT_V6};
	w->count.icmp_sent++;
	vec_give(w, &w->fwd, m);
}

/* To an address of ours that is known beyond the link: as it came off the wire, or not at all. RFC 4861 7.1, RFC 6980 */
static void nd_in(struct worker *w, struct rte_mbuf *m, const struct ip6_chain *c)
{
	if (pkt_of(m)->flags & (PKT_DECAPPED | PKT_TUN) || c->off != IP6_HDR ||
	    rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN) == NULL)
		drop(w, m, DROP_BAD_ND);
	else
		neigh_nd_in(w, m);
}

void icmp6_in(struct worker *w, struct rte_mbuf *m, const struct ip6_chain *c)
{
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);
	const uint8_t *p = (const uint8_t *)ip + c->off;

	if (m->data_len < c->off + HEAD)
		drop(w, m, DROP_BAD_ICMP);
	else if (ip6_cksum(ip6_get(ip6_src(ip)), ip6_get(ip6_dst(ip)), IP6_ICMP, p, (uint32_t)(m->data_len - c->off)) !=
		 0)
		drop(w, m, DROP_BAD_CHECKSUM);
	else if (p[0] >= ND_ROUTER_SOLICIT && p[0] <= ND_REDIRECT)
		nd_in(w, m, c);
	else if (p[0] == ICMP6_TOO_BIG && p[1] == 0 && !(pkt_of(m)->flags & PKT_DECAPPED) &&
		 pmtu_in(w, m, (uint16_t)(c->off + HEAD), rte_be_to_cpu_32(una_get32(p + 4))))
		return;
	else if (p[0] != ICMP6_ECHO)
		tun_push(w, m); /* errors about the kernel's own packets, answers to its pings */
	else if (p[1] != 0)
		drop(w, m, DROP_BAD_ICMP);
	else
		echo_reply(w, m, c->off);
}
