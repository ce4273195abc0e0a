#include "dataplane/pmtu.h"

#include <string.h>

#include <rte_esp.h>
#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/handoff.h"
#include "dataplane/ip6.h"
#include "dataplane/mtu.h"
#include "dataplane/pkt.h"
#include "dataplane/sad.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum { IP4_HDR = sizeof(struct rte_ipv4_hdr), UDP_HDR = sizeof(struct rte_udp_hdr), NATT = 4500 };

/* A quoted ESP packet. */
struct quote {
	const uint8_t *ip; /* its IP header */
	bool v6, udp, df;
	uint16_t total; /* octets that the packet had */
	uint32_t spi_be, seq;
};

/* Of our making, as far as one can see: no options, no extension headers, no fragment but the first. */
static bool quote_of(const uint8_t *p, uint16_t len, struct quote *q)
{
	const struct rte_ipv4_hdr *ip = (const void *)p;
	const struct rte_ipv6_hdr *ip6 = (const void *)p;
	uint16_t at;
	uint8_t proto;

	*q = (struct quote){.ip = p, .v6 = len > 0 && p[0] >> 4 == 6};
	if (len < (q->v6 ? IP6_HDR : IP4_HDR) || (!q->v6 && p[0] != RTE_IPV4_VHL_DEF))
		return false;
	if (q->v6) {
		at = IP6_HDR;
		proto = ip6->proto;
		q->total = (uint16_t)(rte_be_to_cpu_16(ip6->payload_len) + IP6_HDR);
		q->df = true;
	} else {
		at = IP4_HDR;
		proto = ip->next_proto_id;
		q->total = rte_be_to_cpu_16(ip->total_length);
		q->df = ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
		if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
			return false;
	}
	if (proto == IP6_UDP && len >= at + UDP_HDR &&
	    (una_get16(p + at) == RTE_BE16(NATT) || una_get16(p + at + 2) == RTE_BE16(NATT))) {
		q->udp = true;
		at = (uint16_t)(at + UDP_HDR);
		proto = IP6_ESP;
	}
	if (proto != IP6_ESP || len < at + sizeof(struct rte_esp_hdr))
		return false;
	q->spi_be = una_get32(p + at);
	q->seq = rte_be_to_cpu_32(una_get32(p + at + 4));
	return q->spi_be != 0;
}

bool pmtu_in(struct worker *w, struct rte_mbuf *m, uint16_t quote, uint32_t mtu)
{
	const struct sad *sad = w->sad;
	struct quote q;
	uint64_t name;
	uint32_t slot = 0;
	uint8_t owner;

	if (m->data_len <= quote ||
	    !quote_of(rte_pktmbuf_mtod(m, const uint8_t *) + quote, (uint16_t)(m->data_len - quote), &q))
		return false;
	if (!worker_bucket_take(&w->pmtu, w->now_tsc)) {
		drop(w, m, DROP_PMTU_REFUSED);
		return true;
	}
	name = sad_name_out(q.spi_be, q.ip + (q.v6 ? 24 : 16), q.v6);
	while (slot < sad->n_sas && atomic_load_explicit(&sad->name_out[slot], memory_order_relaxed) != name)
		slot++;
	owner = slot < sad->n_sas ? atomic_load_explicit(&sad->owner_out[slot], memory_order_acquire) : SAD_NOBODY;
	if (owner == SAD_NOBODY) {
		drop(w, m, DROP_PMTU_REFUSED);
		return true;
	}
	*pkt_of(m) = (struct pkt){.kind = PKT_PMTU, .flags = pkt_of(m)->flags, .esp_off = quote, .next = slot};
	m->ol_flags = 0;
	m->tx_offload = mtu; /* nobody's between parse and tx */
	if (owner == w->id)
		pmtu_take(w, m);
	else
		handoff_push(w, owner, m);
	return true;
}

static bool of_sa(const struct quote *q, const struct sa_out *s)
{
	const uint8_t *src = q->ip + (q->v6 ? 8 : 12), *dst = q->ip + (q->v6 ? 24 : 16);

	if (q->v6 != !!(s->flags & SA_V6) || q->udp != !!(s->flags & SA_ENCAP) || q->spi_be != s->spi_be)
		return false;
	if (q->v6 ? memcmp(src, s->src6, 16) != 0 || memcmp(dst, s->dst6, 16) != 0
		  : una_get32(src) != s->src_be || una_get32(dst) != s->dst_be)
		return false;
	return (uint32_t)s->seq - q->seq < u64_min(PMTU_RECENT, s->seq);
}

/* RFC 1191 5: an old router says no MTU; the next lower one of those that are common. */
static uint32_t plateau(uint16_t total)
{
	static const uint16_t steps[] = {8166, 4352, 2002, 1492, 1280, 1006, 576};

	for (unsigned i = 0; i < N_ELEMS(steps); i++)
		if (steps[i] < total)
			return steps[i];
	return PMTU_FLOOR4;
}

/* What is known of a tunnel's path now; 0: nothing. */
static uint16_t known(const struct worker *w, uint32_t tunnel, uint32_t gen)
{
	const struct pmtu *p = &w->sad->pmtu[tunnel];

	return p->gen == gen && p->until_tsc > w->now_tsc ? p->outer : 0;
}

static void learn(struct worker *w, struct msg_handle tunnel, uint16_t outer)
{
	struct sad *sad = w->sad;

	sad->pmtu[tunnel.slot] = (struct pmtu){tunnel.gen, outer, w->now_tsc + PMTU_LIFE_S * w->tsc_hz};
	for (unsigned i = 0; i < MSG_CHILDREN_MAX; i++) {
		uint32_t slot = atomic_load_explicit(&sad->child[tunnel.slot][i].tx, memory_order_relaxed);
		struct sa_out *s = slot < sad->n_sas ? &sad->out[slot] : NULL;
		uint16_t mtu;

		if (s == NULL || atomic_load_explicit(&sad->owner_out[slot], memory_order_relaxed) != w->id)
			continue;
		mtu = pmtu_inner(w, s, tunnel.slot);
		s->mtu = mtu != 0 ? mtu : s->mtu;
	}
}

void pmtu_take(struct worker *w, struct rte_mbuf *m)
{
	struct sad *sad = w->sad;
	uint32_t slot = pkt_of(m)->next, mtu = (uint32_t)m->tx_offload;
	struct msg_handle tunnel;
	uint16_t at = pkt_of(m)->esp_off;
	const struct sa_out *s = slot < sad->n_sas ? &sad->out[slot] : NULL;
	struct quote q;
	bool ok = s != NULL && atomic_load_explicit(&sad->owner_out[slot], memory_order_relaxed) == w->id &&
		  sad_owner_tunnel(sad, sad->cold_out[slot].tunnel.slot) == w->id &&
		  quote_of(rte_pktmbuf_mtod(m, const uint8_t *) + at, (uint16_t)(m->data_len - at), &q) && q.df &&
		  of_sa(&q, s);

	m->tx_offload = 0;
	if (ok) {
		uint16_t had;

		tunnel = sad->cold_out[slot].tunnel;
		had = known(w, tunnel.slot, tunnel.gen);
		if (q.v6)
			mtu = mtu < IP6_MIN_MTU ? IP6_MIN_MTU : mtu;
		else
			mtu = mtu == 0 ? plateau(q.total) : mtu < PMTU_FLOOR4 ? PMTU_FLOOR4 : mtu;
		ok = mtu < q.total; /* it says that this packet was too large */
		if (ok && (had == 0 || mtu < had))
			learn(w, tunnel, (uint16_t)mtu);
		else if (ok) /* still true */
			sad->pmtu[tunnel.slot].until_tsc = w->now_tsc + PMTU_LIFE_S * w->tsc_hz;
	}
	drop(w, m, ok ? DROP_PMTU : DROP_PMTU_REFUSED);
}

uint16_t pmtu_outer(const struct worker *w, const struct sa_out *sa, uint32_t tunnel)
{
	uint16_t port = w->sad->conf[tunnel].port, path = known(w, tunnel, sa->tunnel_gen), mtu;

	mtu = port < w->n_ports ? w->port[port].mtu : 0;
	return path != 0 && path < mtu ? path : mtu;
}

uint16_t pmtu_inner(const struct worker *w, const struct sa_out *sa, uint32_t tunnel)
{
	const struct sad_tunnel_conf *t = &w->sad->conf[tunnel];
	uint16_t inner;

	inner = mtu_inner(pmtu_outer(w, sa, tunnel), sa->flags & SA_V6, sa->flags & SA_ENCAP, sa->flags & SA_TRANSPORT,
			  &crypto_forms[sa->suite]);
	return t->mtu != 0 && t->mtu < inner ? t->mtu : inner;
}

void pmtu_age(struct worker *w, struct sa_out *sa, uint32_t tunnel)
{
	const struct pmtu *p = &w->sad->pmtu[tunnel];
	uint16_t mtu;

	if (sad_owner_tunnel(w->sad, tunnel) != w->id || p->outer == 0 || p->until_tsc > w->now_tsc)
		return;
	mtu = pmtu_inner(w, sa, tunnel);
	sa->mtu = mtu != 0 ? mtu : sa->mtu;
}
