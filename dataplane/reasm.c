#include "dataplane/reasm.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <rte_jhash.h>
#include <rte_malloc.h>

#include "dataplane/classify.h"
#include "dataplane/drop.h"
#include "dataplane/ecn.h"
#include "dataplane/handoff.h"
#include "dataplane/icmp.h"
#include "dataplane/icmp6.h"
#include "dataplane/ip6.h"
#include "dataplane/nd_msg.h"
#include "dataplane/pkt.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum {
	REASSEMBLY = 1 /* code of time exceeded, both families */,
	TAIL = 128 /* behind an ordinary packet, for what ESP adds */
};

/* Which packet a fragment is of. RFC 791 3.2, RFC 8200 4.5 */
struct whose {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint8_t proto; /* IPv4: part of the key */
	bool v6, decapped;
	uint8_t pad;
};

/* Octets [from, to) of the packet behind the headers that every fragment repeats. */
struct piece {
	struct rte_mbuf *m;
	uint16_t from, to;
	uint16_t head; /* octets in front of them: IP header, and extension headers with the fragment header */
};

struct entry {
	struct whose whose;
	uint64_t born_tsc;                /* 0: free */
	uint16_t n, have;                 /* pieces; octets */
	uint16_t total;                   /* octets in all; 0: the last piece has not come */
	bool bad;                         /* dead, but remembered until its time: further pieces of it are lost too */
	struct piece piece[REASM_PIECES]; /* in order of from */
};

struct reasm {
	struct entry e[REASM_PACKETS];
	struct rte_mempool *jumbo;
	uint32_t used; /* entries */
	uint32_t held; /* fragments */
};

static const char pool_name[] = "reassembly%u";

uint64_t reasm_memory(void)
{
	return sizeof(struct reasm) + REASM_JUMBOS * (REASM_WHOLE_MAX + RTE_PKTMBUF_HEADROOM + 512ull) + 65536;
}

struct reasm *reasm_new(uint8_t worker, int numa_node)
{
	struct reasm *r = rte_zmalloc_socket("reasm", sizeof(*r), RTE_CACHE_LINE_SIZE, numa_node);
	char name[32];

	snprintf(name, sizeof(name), pool_name, worker);
	if (r == NULL)
		return NULL;
	/* an mbuf's room has 16 bits: the packet fits, and little of a headroom */
	r->jumbo = rte_pktmbuf_pool_create(name, REASM_JUMBOS - 1, 0, 0, UINT16_MAX, numa_node);
	if (r->jumbo == NULL) {
		rte_free(r);
		return NULL;
	}
	return r;
}

static void entry_free(struct reasm *r, struct entry *e)
{
	for (uint16_t i = 0; i < e->n; i++)
		rte_pktmbuf_free(e->piece[i].m);
	r->held -= e->n;
	r->used -= e->born_tsc != 0;
	e->n = 0;
	e->born_tsc = 0;
}

void reasm_free(struct reasm *r)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; i < REASM_PACKETS; i++)
		entry_free(r, &r->e[i]);
	rte_mempool_free(r->jumbo);
	rte_free(r);
}

/* --- one fragment --- */

/* What m is: its packet, its place, and whether it is the last. DROP_N; FRAGMENT: no fragment that could be right. */
static enum stats_drop piece_of(struct rte_mbuf *m, struct whose *k, struct piece *p, bool *last)
{
	uint16_t field, len;

	memset(k, 0, sizeof(*k));
	k->decapped = pkt_of(m)->flags & PKT_DECAPPED;
	k->v6 = pkt_is_v6(m);
	if (k->v6) {
		const struct rte_ipv6_hdr *ip = pkt_ip6(m);
		const uint8_t *frag;
		struct ip6_chain c;

		if (ip6_walk(ip, m->data_len, &c) != DROP_N || c.frag == 0)
			return DROP_FRAGMENT;
		frag = (const uint8_t *)ip + c.frag;
		memcpy(k->src, ip6_src(ip), 16);
		memcpy(k->dst, ip6_dst(ip), 16);
		k->id = una_get32(frag + 4);
		field = rte_be_to_cpu_16(una_get16(frag + 2));
		*last = !(field & 1);
		p->from = field & 0xfff8;
		p->head = (uint16_t)(c.frag + IP6_FRAG_HDR);
	} else {
		const struct rte_ipv4_hdr *ip = pkt_ip(m);

		memcpy(k->src, &ip->src_addr, 4);
		memcpy(k->dst, &ip->dst_addr, 4);
		k->id = ip->packet_id;
		k->proto = ip->next_proto_id;
		field = rte_be_to_cpu_16(ip->fragment_offset);
		*last = !(field & RTE_IPV4_HDR_MF_FLAG);
		p->from = (uint16_t)((field & RTE_IPV4_HDR_OFFSET_MASK) * 8);
		p->head = pkt_ihl(ip);
	}
	len = (uint16_t)(m->data_len - p->head);
	p->m = m;
	p->to = (uint16_t)(p->from + len);
	/* none is empty; all but the last are a multiple of 8 octets; and the whole is a packet: RFC 8200 4.5 */
	if (len == 0 || (!*last && len % 8 != 0) || (uint32_t)p->from + len + p->head > REASM_WHOLE_MAX)
		return DROP_FRAGMENT;
	return DROP_N;
}

static struct entry *find(struct reasm *r, const struct whose *k)
{
	for (unsigned i = 0; i < REASM_PACKETS; i++)
		if (r->e[i].born_tsc != 0 && memcmp(&r->e[i].whose, k, sizeof(*k)) == 0)
			return &r->e[i];
	return NULL;
}

/* Dead: its pieces are lost for this reason. */
static void lose(struct worker *w, struct entry *e, enum stats_drop why)
{
	w->reasm->held -= e->n;
	for (uint16_t i = 0; i < e->n; i++)
		drop(w, e->piece[i].m, why);
	e->n = 0;
}

/* The oldest of those that hold fragments, but not this one; NULL: there is none. */
static struct entry *oldest(struct reasm *r, const struct entry *but)
{
	struct entry *e = NULL;

	for (unsigned i = 0; i < REASM_PACKETS; i++)
		if (r->e[i].n != 0 && &r->e[i] != but && (e == NULL || r->e[i].born_tsc < e->born_tsc))
			e = &r->e[i];
	return e;
}

/* A free place; else the oldest packet's. */
static struct entry *place(struct worker *w, const struct whose *k)
{
	struct reasm *r = w->reasm;
	struct entry *e = &r->e[0];

	for (unsigned i = 1; i < REASM_PACKETS && e->born_tsc != 0; i++)
		if (r->e[i].born_tsc < e->born_tsc)
			e = &r->e[i];
	lose(w, e, DROP_REASM_FULL);
	entry_free(r, e);
	r->used++;
	e->whose = *k;
	e->born_tsc = w->now_tsc != 0 ? w->now_tsc : 1;
	e->have = e->total = 0;
	e->bad = false;
	return e;
}

/* Put a piece in its place. DROP_N; else why it, and with FRAG_OVERLAP all of its packet, is lost. The same piece once more is
 * lost alone (RFC 8200 4.5 lets a receiver ignore an exact copy). */
static enum stats_drop insert(struct entry *e, const struct piece *p, bool last)
{
	uint16_t at = e->n;

	while (at > 0 && e->piece[at - 1].from > p->from)
		at--;
	if (at > 0 && e->piece[at - 1].from == p->from && e->piece[at - 1].to == p->to)
		return DROP_FRAGMENT;
	if ((at > 0 && e->piece[at - 1].to > p->from) || (at < e->n && e->piece[at].from < p->to))
		return DROP_FRAG_OVERLAP;
	if (last ? e->total != 0 || (e->n != 0 && e->piece[e->n - 1].to > p->to) : e->total != 0 && p->to >= e->total)
		return DROP_FRAG_OVERLAP; /* two ends, or something behind the end */
	memmove(&e->piece[at + 1], &e->piece[at], (size_t)(e->n - at) * sizeof(e->piece[0]));
	e->piece[at] = *p;
	e->n++;
	e->have = (uint16_t)(e->have + p->to - p->from);
	if (last)
		e->total = p->to;
	return DROP_N;
}

/* --- the whole --- */

/* The first fragment's headers, without the fragment header (IPv6), for a packet of `total` octets behind them. Its octets. */
static uint16_t whole_head(uint8_t *to, const struct entry *e)
{
	const uint8_t *from = rte_pktmbuf_mtod(e->piece[0].m, const uint8_t *);
	uint16_t head = e->piece[0].head;

	memcpy(to, from, head);
	if (e->whose.v6) {
		struct rte_ipv6_hdr *ip = (void *)to;
		uint16_t at = offsetof(struct rte_ipv6_hdr, proto), frag = (uint16_t)(head - IP6_FRAG_HDR);

		/* the header in front of the fragment header now says what stood behind it */
		for (uint16_t off = IP6_HDR; off < frag; off = (uint16_t)(off + (to[off + 1] + 1) * 8))
			at = off;
		to[at] = from[frag];
		head = frag;
		ip->payload_len = rte_cpu_to_be_16((uint16_t)(head - IP6_HDR + e->total));
	} else {
		struct rte_ipv4_hdr *ip = (void *)to;

		ip->fragment_offset = 0;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(head + e->total));
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_raw_cksum(ip, head);
		ip->hdr_checksum = (uint16_t)~ip->hdr_checksum;
	}
	return head;
}

static uint8_t ecn_of(struct rte_mbuf *m)
{
	return (pkt_is_v6(m) ? ip6_tclass(pkt_ip6(m)) : pkt_ip(m)->type_of_service) & ECN_MASK;
}

/* CE on one fragment is CE on the whole; where others say that they know nothing of ECN, the packet is lost. false: that. RFC 3168 5.3 */
static bool whole_ecn(uint8_t *p, const struct entry *e)
{
	unsigned seen = 0;

	for (uint16_t i = 0; i < e->n; i++)
		seen |= 1u << ecn_of(e->piece[i].m);
	if (!(seen & 1u << ECN_CE))
		return true;
	if (seen & 1u << ECN_NOT_ECT)
		return false;
	if (e->whose.v6)
		p[1] |= ECN_CE << 4;
	else
		p[1] |= ECN_CE;
	return true;
}

static struct rte_mbuf *whole_alloc(struct worker *w, uint32_t len)
{
	struct rte_mempool *pool = w->pool;
	struct rte_mbuf *m;

	if (len + TAIL > (uint32_t)rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM)
		pool = w->reasm->jumbo;
	m = rte_pktmbuf_alloc(pool);
	if (m != NULL && rte_pktmbuf_tailroom(m) < len)
		m->data_off = (uint16_t)(m->buf_len - len); /* frag.c gets by without a headroom */
	return m;
}

/* Classified anew in this poll or the next: lists that grow behind those who fill them must have room. */
static bool room_behind(const struct worker *w)
{
	return w->fwd.n < VEC_MAX - VEC_BURST && w->esp.n < VEC_MAX / 2;
}

/* Neighbour discovery in fragments is none: RFC 6980 5. Behind options it is not looked at anyway (icmp6.c). */
static bool is_discovery(const uint8_t *ip, uint16_t len)
{
	return ip[6] == IP6_ICMP && len > IP6_HDR && ip[IP6_HDR] >= ND_ROUTER_SOLICIT && ip[IP6_HDR] <= ND_REDIRECT;
}

static void join(struct worker *w, struct entry *e)
{
	struct rte_mbuf *first = e->piece[0].m, *m = NULL;
	uint32_t len = (uint32_t)e->piece[0].head + e->total;
	enum stats_drop why = DROP_N;
	uint16_t head;
	uint8_t *p;

	if (len > REASM_WHOLE_MAX) /* the first one's header is longer than the others' */
		why = DROP_FRAGMENT;
	else if (!room_behind(w))
		why = DROP_REASM_FULL;
	else if ((m = whole_alloc(w, len)) == NULL)
		why = DROP_NO_MBUF;
	else if (!whole_ecn(rte_pktmbuf_mtod(first, uint8_t *), e))
		why = DROP_ECN;
	if (why != DROP_N) {
		rte_pktmbuf_free(m);
		lose(w, e, why);
		entry_free(w->reasm, e);
		return;
	}
	p = rte_pktmbuf_mtod(m, uint8_t *);
	head = whole_head(p, e);
	for (uint16_t i = 0; i < e->n; i++)
		memcpy(p + head + e->piece[i].from, rte_pktmbuf_mtod_offset(e->piece[i].m, uint8_t *, e->piece[i].head),
		       (size_t)(e->piece[i].to - e->piece[i].from));
	m->data_len = (uint16_t)(head + e->total);
	m->pkt_len = m->data_len;
	m->port = first->port;
	m->ol_flags = 0;
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = pkt_of(first)->flags};
	w->count.joined += e->n - 1u;
	entry_free(w->reasm, e);
	if (pkt_is_v6(m) && is_discovery(p, m->data_len))
		drop(w, m, DROP_BAD_ND);
	else if (pkt_of(m)->flags & PKT_DECAPPED) /* ESP in a tunnel is nothing of ours: local.c says so */
		vec_push(&w->fwd, m);
	else
		classify_burst(w, &m, 1);
}

/* --- from outside --- */

static uint64_t life_of(const struct worker *w)
{
	return w->tsc_hz / 1000 * REASM_LIFE_MS;
}

/* Its time is over. Who has sent a first fragment hears of it: RFC 792, RFC 4443 3.3 */
static void give_up(struct worker *w, struct entry *e)
{
	if (e->n != 0 && e->piece[0].from == 0) {
		if (e->whose.v6)
			icmp6_error(w, e->piece[0].m, ICMP6_TIME_EXCEEDED, REASSEMBLY, 0);
		else
			icmp_error(w, e->piece[0].m, ICMP_TIME_EXCEEDED, REASSEMBLY, 0);
	}
	lose(w, e, DROP_REASM_TIMEOUT);
	entry_free(w->reasm, e);
}

/* No secret: who fills one worker could as well fill the others. */
static uint8_t worker_of(const struct worker *w, const struct whose *k)
{
	uint32_t words[10];

	memcpy(words, k->src, 16);
	memcpy(words + 4, k->dst, 16);
	words[8] = k->id;
	words[9] = k->proto;
	return (uint8_t)(rte_jhash_32b(words, 10, 0x5ca1ab1e) % w->n_workers);
}

/* RFC 8200 4.5: who sends what cannot be a fragment hears of it. */
static void tell(struct worker *w, struct rte_mbuf *m, const struct piece *p, bool last)
{
	uint16_t len = (uint16_t)(p->to - p->from);

	if (!pkt_is_v6(m) || p->head == 0 || len == 0)
		return;
	if (!last && len % 8 != 0)
		icmp6_error(w, m, ICMP6_PARAM_PROBLEM, ICMP6_FIELD, offsetof(struct rte_ipv6_hdr, payload_len));
	else
		icmp6_error(w, m, ICMP6_PARAM_PROBLEM, ICMP6_FIELD, p->head - IP6_FRAG_HDR + 2u);
}

/* Room for one more fragment of e (NULL: of a packet that is new). Who has waited longest makes it. */
static bool make_room(struct worker *w, struct entry *e)
{
	struct reasm *r = w->reasm;
	struct entry *old;

	if (e != NULL && e->n == REASM_PIECES)
		return false;
	while (r->held >= REASM_MBUFS && (old = oldest(r, e)) != NULL) {
		lose(w, old, DROP_REASM_FULL);
		entry_free(r, old);
	}
	return r->held < REASM_MBUFS;
}

void reasm_take(struct worker *w, struct rte_mbuf *m)
{
	struct reasm *r = w->reasm;
	enum stats_drop why;
	struct entry *e;
	struct whose k;
	struct piece p;
	bool last;

	if (piece_of(m, &k, &p, &last) != DROP_N) {
		drop(w, m, DROP_FRAGMENT);
		return;
	}
	e = find(r, &k);
	if (e != NULL && w->now_tsc - e->born_tsc >= life_of(w)) { /* before reasm_age() came by */
		give_up(w, e);
		e = NULL;
	}
	if (e != NULL && e->bad)
		why = DROP_FRAG_OVERLAP;
	else
		why = make_room(w, e) ? DROP_N : DROP_REASM_FULL;
	if (why != DROP_N) {
		drop(w, m, why);
		return;
	}
	e = e != NULL ? e : place(w, &k);
	why = insert(e, &p, last);
	if (why == DROP_FRAG_OVERLAP) {
		lose(w, e, why);
		e->bad = true;
	}
	if (why != DROP_N) {
		drop(w, m, why);
		return;
	}
	r->held++;
	if (e->total != 0 && e->have == e->total)
		join(w, e);
}

void reasm_push(struct worker *w, struct rte_mbuf *m)
{
	struct piece p = {0};
	struct whose k;
	bool last = false;
	uint8_t to;

	if (w->reasm == NULL) {
		drop(w, m, DROP_FRAGMENT);
		return;
	}
	if (piece_of(m, &k, &p, &last) != DROP_N) {
		tell(w, m, &p, last);
		drop(w, m, DROP_FRAGMENT);
		return;
	}
	to = w->n_workers > 1 ? worker_of(w, &k) : w->id;
	if (to == w->id) {
		reasm_take(w, m);
		return;
	}
	pkt_of(m)->kind = PKT_FRAG;
	handoff_push(w, to, m);
}

void reasm_age(struct worker *w)
{
	struct reasm *r = w->reasm;
	uint64_t life = life_of(w);

	for (unsigned i = 0; r != NULL && r->used != 0 && i < REASM_PACKETS; i++)
		if (r->e[i].born_tsc != 0 && w->now_tsc - r->e[i].born_tsc >= life)
			give_up(w, &r->e[i]);
}
