#include "dataplane/icmp.h"

#include <string.h>

#include <rte_icmp.h>

#include "dataplane/drop.h"
#include "dataplane/fib.h"
#include "dataplane/parse.h"
#include "dataplane/pkt.h"
#include "dataplane/pmtu.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum {
	IP_HDR = sizeof(struct rte_ipv4_hdr),
	ICMP_HDR = 8,
	ERROR_MAX = 576, /* RFC 1812 4.3.2.3: as much of the packet as fits into this */
	OWN_TTL = 64,
	TOS_INTERNETWORK_CONTROL = 0xc0, /* RFC 1812 4.3.2.5: precedence 6 */
};

static uint16_t cksum(const uint8_t *p, uint32_t len)
{
	return (uint16_t)~rte_raw_cksum(p, len);
}

/* Is m an ICMP message that must not be answered by an error? Only queries may be. RFC 1122 3.2.2 */
static bool icmp_is_error(const struct rte_ipv4_hdr *ip, uint16_t len)
{
	uint16_t ihl = pkt_ihl(ip);
	uint8_t type;

	if (ip->next_proto_id != IPPROTO_ICMP)
		return false;
	if (len <= ihl)
		return true;
	type = *((const uint8_t *)ip + ihl);
	return type != ICMP_ECHO && type != ICMP_ECHO_REPLY && (type < 13 || type > 18);
}

/* RFC 1812 4.3.2.7. Sources and destinations that are no hosts were refused by parse_ip(). */
static bool may_answer(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint8_t flags)
{
	return !(flags & (PKT_OWN | PKT_L2_MANY)) && !(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) &&
	       !icmp_is_error(ip, m->data_len);
}

/* The TX SA of the tunnel that leads to this address (network order), when it is ours. */
static const struct sa_cold *sa_towards(struct worker *w, uint32_t addr_be)
{
	uint32_t addr = rte_be_to_cpu_32(addr_be), slot;
	uint32_t id;
	struct fib_nh nh;

	fib_lookup(w->fib, &addr, &id, 1);
	nh = fib_nh(w->fib, id);
	if (nh.kind & FIB_LEGS) /* their selectors hardly differ, and which one the error takes is not known yet */
		nh = fib_leg(w->fib, nh, 0, &slot);
	if (nh.kind != FIB_TUNNEL || sad_owner_tunnel(w->sad, nh.arg) != w->id)
		return NULL;
	slot = sad_tunnel_tx(w->sad, nh.arg);
	return slot == SAD_NO_SLOT ? NULL : &w->sad->cold_out[slot];
}

static bool in_local_selector(const struct sa_cold *c, uint32_t addr_be)
{
	for (unsigned i = 0; i < c->n_ts; i++)
		if (c->ts[i].family == IP_V4 && memcmp(c->ts[i].local.lo, &addr_be, 4) <= 0 &&
		    memcmp(&addr_be, c->ts[i].local.hi, 4) <= 0)
			return true;
	return false;
}

/* Which address speaks: the incoming port's; for a packet out of a tunnel, one of ours that the way back lets through. The
 * kernel takes nothing from its own addresses: to it, the far end speaks. */
static uint32_t source_be(struct worker *w, const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint8_t flags)
{
	const struct sa_cold *c = flags & PKT_DECAPPED ? sa_towards(w, ip->src_addr) : NULL;

	if (flags & PKT_TUN)
		return ip->dst_addr;
	for (uint16_t i = 0; c != NULL && i < w->n_ports; i++)
		if (w->port[i].addr_be != 0 && in_local_selector(c, w->port[i].addr_be))
			return w->port[i].addr_be;
	return m->port < w->n_ports ? w->port[m->port].addr_be : 0;
}

static void own_header(struct worker *w, struct rte_ipv4_hdr *ip, uint32_t src_be, uint32_t dst_be, uint16_t total)
{
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				    .type_of_service = TOS_INTERNETWORK_CONTROL,
				    .total_length = rte_cpu_to_be_16(total),
				    .packet_id = rte_cpu_to_be_16(w->ip_id++),
				    .time_to_live = OWN_TTL,
				    .next_proto_id = IPPROTO_ICMP,
				    .src_addr = src_be,
				    .dst_addr = dst_be};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

void icmp_error(struct worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code, uint16_t mtu)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	const uint8_t flags = pkt_of(m)->flags;
	uint16_t quote = m->data_len, total;
	struct rte_mbuf *e;
	uint32_t src_be;
	uint8_t *p;

	/* half of fwd stays free for packets that are on their way */
	if (!may_answer(m, ip, flags) || w->fwd.n >= VEC_MAX / 2 || !worker_bucket_take(&w->icmp, w->now_tsc))
		return;
	src_be = source_be(w, m, ip, flags);
	e = src_be != 0 ? rte_pktmbuf_alloc(w->pool) : NULL;
	if (e == NULL)
		return;
	if (quote > ERROR_MAX - IP_HDR - ICMP_HDR)
		quote = ERROR_MAX - IP_HDR - ICMP_HDR;
	total = (uint16_t)(IP_HDR + ICMP_HDR + quote);
	p = rte_pktmbuf_mtod(e, uint8_t *);
	own_header(w, (struct rte_ipv4_hdr *)p, src_be, ip->src_addr, total);
	p += IP_HDR;
	memset(p, 0, ICMP_HDR);
	p[0] = type;
	p[1] = code;
	p[6] = (uint8_t)(mtu >> 8); /* RFC 1191 4 */
	p[7] = (uint8_t)mtu;
	memcpy(p + ICMP_HDR, ip, quote);
	una_put16(p + 2, cksum(p, ICMP_HDR + quote));
	e->data_len = total;
	e->pkt_len = total;
	e->port = m->port;
	e->ol_flags = 0;
	*pkt_of(e) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN};
	vec_push(&w->fwd, e);
	w->count.icmp_sent++;
}

/* The reply is the request with the addresses exchanged; its own TTL. The checksum changes by the type alone. */
static void echo_reply(struct worker *w, struct rte_mbuf *m, struct rte_ipv4_hdr *ip, uint8_t *icmp)
{
	uint32_t dst_be = ip->dst_addr, sum = una_get16(icmp + 2) + (uint32_t)RTE_BE16(ICMP_ECHO << 8);

	icmp[0] = ICMP_ECHO_REPLY;
	una_put16(icmp + 2, (uint16_t)(sum + (sum >= 0xffff)));
	ip->dst_addr = ip->src_addr;
	ip->src_addr = dst_be;
	ip->time_to_live = OWN_TTL;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN};
	w->count.icmp_sent++;
	vec_give(w, &w->fwd, m);
}

void icmp_in(struct worker *w, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);
	uint16_t ihl = pkt_ihl(ip);
	uint8_t *icmp = (uint8_t *)ip + ihl;

	if (m->data_len < ihl + ICMP_HDR)
		drop(w, m, DROP_BAD_ICMP);
	else if (rte_raw_cksum(icmp, (size_t)(m->data_len - ihl)) != 0xffff)
		drop(w, m, DROP_BAD_CHECKSUM);
	else if (icmp[0] == ICMP_UNREACHABLE && icmp[1] == ICMP_FRAG_NEEDED && !(pkt_of(m)->flags & PKT_DECAPPED) &&
		 pmtu_in(w, m, (uint16_t)(ihl + ICMP_HDR), rte_be_to_cpu_16(una_get16(icmp + 6))))
		return;
	else if (icmp[0] != ICMP_ECHO)
		tun_push(w, m); /* errors about the kernel's own packets, answers to its pings */
	else if (icmp[1] != 0)
		drop(w, m, DROP_BAD_ICMP);
	else
		echo_reply(w, m, ip, icmp);
}
