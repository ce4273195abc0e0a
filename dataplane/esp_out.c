#include "dataplane/esp_out.h"

#include <string.h>

#include <rte_esp.h>
#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/fwd.h"
#include "dataplane/limit.h"
#include "dataplane/pkt.h"
#include "dataplane/sad.h"
#include "dataplane/selector.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum {
	IP_HDR = sizeof(struct rte_ipv4_hdr),
	UDP_HDR = sizeof(struct rte_udp_hdr),
	TRAILER = 2,    /* pad length, next header */
	FRAME_HDR = 14, /* what neigh_rewrite() puts in front */
	OUTER_TTL = 64,
	NEXT_IPV4 = 4,
};

/* Traffic for a tunnel that has no TX SA: ask for one, once a second and tunnel. RFC 4301 5.1 */
static __rte_noinline void no_sa(struct worker *w, struct rte_mbuf *m, uint32_t tunnel)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	uint64_t *last = &w->sad->no_sa_tsc[tunnel];
	uint16_t ihl = pkt_ihl(ip);
	struct msg_no_sa e = {.tunnel = {tunnel, atomic_load_explicit(&w->sad->conf[tunnel].gen, memory_order_acquire)},
			      .family = 4,
			      .proto = ip->next_proto_id};

	if (e.tunnel.gen != 0 && (*last == 0 || w->now_tsc - *last >= w->tsc_hz)) {
		memcpy(e.src, &ip->src_addr, 4);
		memcpy(e.dst, &ip->dst_addr, 4);
		if ((ip->next_proto_id == IPPROTO_TCP || ip->next_proto_id == IPPROTO_UDP) && m->data_len >= ihl + 4 &&
		    (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) == 0) {
			e.src_port = rte_be_to_cpu_16(una_get16((const uint8_t *)ip + ihl));
			e.dst_port = rte_be_to_cpu_16(una_get16((const uint8_t *)ip + ihl + 2));
		}
		if (worker_event(w, MSG_NO_SA, &e, sizeof(e)))
			*last = w->now_tsc;
	}
	drop(w, m, DROP_NO_SA);
}

static __rte_noinline void lose(struct worker *w, struct rte_mbuf *m, const struct sa_out *s, enum stats_drop why,
				enum msg_sa_drop sa_why)
{
	w->sad->cold_out[s->slot].drop[sa_why]++;
	drop(w, m, why);
}

/* Too big for the SA: fragments in w->ready, or lost. */
static __rte_noinline void fit(struct worker *w, struct rte_mbuf *m, const struct sa_out *s)
{
	if (fwd_fit(w, m, s->mtu, &w->ready) == 0)
		w->sad->cold_out[s->slot].drop[MSG_SA_DROP_MISC]++;
}

static __rte_noinline bool selected(const struct sa_cold *c, struct rte_mbuf *m)
{
	struct selector_key k;

	selector_key(&k, pkt_ip(m), m->data_len, false);
	return selector_match(c->ts, c->n_ts, MSG_DIR_OUT, &k);
}

void esp_out_lookup(struct worker *w)
{
	struct sad *sad = w->sad;
	uint16_t n = w->ready.n;

	for (uint16_t i = 0; i < w->enc.n; i++) {
		struct rte_mbuf *m = w->enc.m[i];
		uint32_t tunnel = pkt_of(m)->next;
		const struct sad_tunnel *t = &sad->tunnel[tunnel];
		uint32_t slot = atomic_load_explicit(&t->tx, memory_order_acquire);
		struct sa_out *s;

		if (unlikely(slot == SAD_NO_SLOT || sad_owner_tunnel(sad, tunnel) != w->id ||
			     sad->out[slot].tunnel_gen != atomic_load_explicit(&t->gen, memory_order_relaxed))) {
			no_sa(w, m, tunnel);
			continue;
		}
		s = &sad->out[slot];
		if (unlikely(s->flags & SA_STOPPED)) {
			lose(w, m, s, limit_reason_out(s), MSG_SA_DROP_INVALID_SA);
			continue;
		}
		if (!(s->flags & SA_ANY) &&
		    unlikely(!selected(&sad->cold_out[slot], m))) {
			lose(w, m, s, DROP_TS_MISMATCH, MSG_SA_DROP_TS);
			continue;
		}
		if (unlikely(m->data_len > s->mtu))
			fit(w, m, s);
		else
			vec_give(w, &w->ready, m);
		while (n < w->ready.n)
			w->ready_sa[n++] = s;
	}
	w->enc.n = 0;
}

static inline uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* The outer IPv4 header, 20 octets at p; total: octets of the outer packet. TOS is the inner one's, ECN included (RFC
 * 6040 4.1, normal mode). A packet that may be fragmented on its way has an identification of its own (RFC 6864 4.3).
 */
static inline void outer_ip(struct worker *w, const struct sa_out *s, uint8_t *p, const struct rte_ipv4_hdr *inner,
			    uint16_t total)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;
	bool df = s->df == MSG_DF_COPY ? (inner->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) != 0
				       : s->df == MSG_DF_SET;
	uint16_t id = df ? 0 : w->ip_id++, frag = df ? RTE_IPV4_HDR_DF_FLAG : 0;
	uint8_t tos = inner->type_of_service;

	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->type_of_service = tos;
	ip->total_length = rte_cpu_to_be_16(total);
	ip->packet_id = rte_cpu_to_be_16(id);
	ip->fragment_offset = rte_cpu_to_be_16(frag);
	ip->time_to_live = OUTER_TTL;
	ip->next_proto_id = s->flags & SA_ENCAP ? IPPROTO_UDP : IPPROTO_ESP;
	ip->hdr_checksum = rte_cpu_to_be_16((uint16_t)~fold((uint32_t)s->cksum + tos + total + id + frag));
	ip->src_addr = s->src_be;
	ip->dst_addr = s->dst_be;
}

/* RFC 3948 2.1: the checksum is 0. */
static inline void outer_udp(const struct sa_out *s, uint8_t *p, uint16_t len)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)p;

	udp->src_port = s->sport_be;
	udp->dst_port = s->dport_be;
	udp->dgram_len = rte_cpu_to_be_16(len);
	udp->dgram_cksum = 0;
}

/* The IV in front of the text: the sequence number; for CBC the block whose cipher text the IV will be (crypto_jobs.h). */
static inline void put_iv(const struct sa_out *s, uint8_t *p, uint64_t seq)
{
	uint64_t iv = rte_cpu_to_be_64(seq);

	if (s->suite < CRYPTO_HMAC) {
		una_put64(p, iv);
		return;
	}
	memcpy(p, s->iv_mask, s->iv_len);
	if (s->iv_len != 0)
		una_put64(p, una_get64(s->iv_mask) ^ iv);
}

/* The form of SA_FAST's packets, as constants. */
static const struct crypto_form fast_form = {.iv_len = CRYPTO_IV, .icv_len = CRYPTO_ICV, .align = 4};

/* RFC 4303 2.4 */
static const uint8_t padding[CRYPTO_ALIGN_MAX] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Wrap one packet and describe the cipher's work on it. The IV of AEADs is the sequence number: it never repeats under this
 * key, which is all that RFC 4106 3.1 asks for. Inlined twice: f's and fast's values are constants for SA_FAST. */
static __rte_always_inline void wrap(struct worker *w, const struct sa_out *s, struct rte_mbuf *m, uint64_t seq,
				     struct crypto_op *op, const struct crypto_form f, bool fast)
{
	const struct rte_ipv4_hdr *inner = pkt_ip(m);
	const uint16_t head_len = (uint16_t)(sizeof(struct rte_esp_hdr) + f.iv_len);
	uint8_t *text = rte_pktmbuf_mtod(m, uint8_t *), *esp = text - head_len;
	uint16_t len = m->data_len, pad = (uint16_t)(-(len + TRAILER) & (f.align - 1)),
		 text_len = (uint16_t)(len + pad + TRAILER);
	uint16_t esp_len = (uint16_t)(head_len + text_len + f.icv_len);
	uint16_t udp_len = s->flags & SA_ENCAP ? UDP_HDR : 0, total = (uint16_t)(IP_HDR + udp_len + esp_len);
	uint64_t iv = rte_cpu_to_be_64(seq);
	/* SPI and sequence number, from registers both times: a load behind two narrower stores would stall */
	uint64_t head = s->spi_be | (uint64_t)rte_cpu_to_be_32((uint32_t)seq) << 32;

	if (fast) /* padding 1, 2, 3 (RFC 4303 2.4); 4 octets are always free here, the ICV comes there */
		una_put32(text + len, RTE_LE32(0x00030201));
	else
		memcpy(text + len, padding, sizeof(padding)); /* so are 16: room(), at least 3 + 2 + 12 */
	text[len + pad] = (uint8_t)pad;
	text[len + pad + 1] = NEXT_IPV4;
	una_put64(esp, head);
	if (fast)
		una_put64(esp + 8, iv);
	else
		put_iv(s, esp + 8, seq);
	outer_ip(w, s, esp - udp_len - IP_HDR, inner, total);
	if (udp_len != 0)
		outer_udp(s, esp - UDP_HDR, (uint16_t)(UDP_HDR + esp_len));
	op->data = text;
	op->key = &s->key;
	op->salt = s->salt;
	memcpy(op->iv, &iv, sizeof(iv));
	op->len = text_len;
	op->suite = s->suite;
	if (fast || !(s->flags & SA_ESN)) {
		op->aad_len = 8;
		memcpy(op->aad, &head, sizeof(head)); /* RFC 4106 5 */
	} else {
		op->aad_len = 12;
		una_put32(op->aad, s->spi_be);
		una_put64(op->aad + 4, iv); /* RFC 4303 2.2.1: all 64 bits count */
	}
	m->data_off = (uint16_t)(m->data_off - head_len - udp_len - IP_HDR);
	m->data_len = total;
	m->pkt_len = total;
}

/* Every SA that is not SA_FAST. */
static __rte_noinline void wrap_rare(struct worker *w, const struct sa_out *s, struct rte_mbuf *m, uint64_t seq,
				     struct crypto_batch *b, uint16_t at)
{
	const struct crypto_form f = {.iv_len = s->iv_len, .icv_len = s->icv_len, .align = s->align};

	wrap(w, s, m, seq, &b->op[at], f, false);
	b->others = (uint16_t)(b->others + (s->suite >= CRYPTO_GCM_N));
}

static inline bool room(const struct rte_mbuf *m, const struct sa_out *s)
{
	unsigned front =
		FRAME_HDR + IP_HDR + (s->flags & SA_ENCAP ? UDP_HDR : 0) + sizeof(struct rte_esp_hdr) + s->iv_len;
	unsigned behind = s->align - 1u + TRAILER + s->icv_len;

	return m->data_off >= front && (unsigned)m->buf_len - m->data_off - m->data_len >= behind;
}

void esp_out_prepare(struct worker *w, struct rte_mbuf **m, struct sa_out **sa, uint16_t n, struct crypto_batch *b)
{
	uint32_t octets = 0;
	uint16_t kept = 0;

	b->others = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct sa_out *s = sa[i];
		uint64_t seq = s->seq + 1;

		if (unlikely(!room(m[i], s))) {
			lose(w, m[i], s, DROP_NO_HEADROOM, MSG_SA_DROP_MEMORY);
		} else if (unlikely(seq >= s->seq_limit) && !limit_out_seq(w, s, seq)) {
			lose(w, m[i], s, limit_reason_out(s), MSG_SA_DROP_INVALID_SA);
		} else {
			s->seq = seq;
			octets += m[i]->data_len;
			if (likely(s->flags & SA_FAST))
				wrap(w, s, m[i], seq, &b->op[kept], fast_form, true);
			else
				wrap_rare(w, s, m[i], seq, b, kept);
			*pkt_of(m[i]) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN | PKT_OUTER};
			b->m[kept] = m[i];
			b->sa[kept++] = s;
		}
		if (i + 1 == n || sa[i + 1] != s) { /* once per run of an SA */
			s->bytes_left -= octets;
			octets = 0;
			if (unlikely(s->bytes_left <= 0))
				limit_out_bytes(w, s);
		}
	}
	b->n = kept;
	b->dir = CRYPTO_ENCRYPT;
	b->owner = w->id;
	atomic_store_explicit(&b->done, 0, memory_order_relaxed);
}

/* Lose what the cipher could not do: it would leave in clear. */
static __rte_noinline uint16_t keep_sound(struct worker *w, struct crypto_batch *b)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		if (b->op[i].suite >= CRYPTO_GCM_N && b->op[i].result != CRYPTO_OK)
			lose(w, b->m[i], b->sa[i], DROP_CIPHER, MSG_SA_DROP_CIPHER);
		else
			b->m[kept++] = b->m[i];
	}
	return kept;
}

uint16_t esp_out_finish(struct worker *w, struct crypto_batch *b, struct rte_mbuf **m)
{
	uint16_t n = b->n;

	if (unlikely(b->failed != 0))
		n = keep_sound(w, b);
	memcpy(m, b->m, n * sizeof(m[0]));
	w->count.esp_out += n;
	b->n = 0;
	return n;
}
