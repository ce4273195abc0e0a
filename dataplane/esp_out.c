#include "dataplane/esp_out.h"

#include <string.h>

#include <rte_esp.h>
#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/ecn.h"
#include "dataplane/fwd.h"
#include "dataplane/ip6.h"
#include "dataplane/limit.h"
#include "dataplane/mss.h"
#include "dataplane/pkt.h"
#include "dataplane/pmtu.h"
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
	/* what any SA needs */
	FRONT_MAX = FRAME_HDR + IP6_HDR + UDP_HDR + sizeof(struct rte_esp_hdr) + CRYPTO_IV_MAX,
	BEHIND_MAX = CRYPTO_ALIGN_MAX - 1 + TRAILER + CRYPTO_ICV_MAX,
};

/* Traffic for a child that has no TX SA: ask for one, once a second and child. RFC 4301 5.1 */
static void no_sa(struct worker *w, struct rte_mbuf *m, uint32_t tunnel, uint8_t child, const struct selector_key *k)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t *last = &w->sad->child[tunnel][child].no_sa_tsc;
	struct msg_no_sa e = {.tunnel = {tunnel, atomic_load_explicit(&w->sad->conf[tunnel].gen, memory_order_acquire)},
			      .family = k->family,
			      .proto = k->proto_known ? k->proto : 0,
			      .child = child};

	if (e.tunnel.gen != 0 && (*last == 0 || w->now_tsc - *last >= w->tsc_hz)) {
		memcpy(e.src, ip + (k->family == 6 ? 8 : 12), k->family == 6 ? 16 : 4);
		memcpy(e.dst, ip + (k->family == 6 ? 24 : 16), k->family == 6 ? 16 : 4);
		if (k->ports_known && !k->one_port) {
			e.src_port = k->sport;
			e.dst_port = k->dport;
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

/* May it travel by this SA? DROP_N, or why not. RFC 4301 5.1; 7: where ports count, no later fragment may */
static __rte_noinline enum stats_drop selected(struct worker *w, struct rte_mbuf *m, const struct sa_out *s)
{
	const struct sa_cold *c = &w->sad->cold_out[s->slot];
	bool v6 = pkt_is_v6(m);
	struct selector_key k;
	uint16_t at;

	if (v6 && s->flags & SA_ANY6)
		return DROP_N;
	selector_key(&k, rte_pktmbuf_mtod(m, const void *), m->data_len, v6);
	if (s->flags & SA_TRANSPORT && k.fragment)
		return DROP_FRAGMENT;
	if (s->flags & SA_TRANSPORT && (!transport_fits(s, m, &k) || transport_head(m, &at) == 0))
		return DROP_TS_MISMATCH;
	return selector_match(c->ts, c->n_ts, MSG_DIR_OUT, &k) ? DROP_N : DROP_TS_MISMATCH;
}

static __rte_noinline bool usable_rare(struct worker *w, struct rte_mbuf *m, const struct sa_out *s)
{
	enum stats_drop why;

	if (unlikely(s->flags & SA_STOPPED)) {
		lose(w, m, s, limit_reason_out(s), MSG_SA_DROP_INVALID_SA);
		return false;
	}
	why = selected(w, m, s);
	if (why != DROP_N)
		lose(w, m, s, why, MSG_SA_DROP_TS);
	return why == DROP_N;
}

/* Not stopped, and selected; or it is lost. */
static inline bool usable(struct worker *w, struct rte_mbuf *m, const struct sa_out *s)
{
	uint16_t any = SA_ANY;

	if (unlikely(pkt_is_v6(m))) {
		any = SA_ANY6;
		rte_prefetch0(s->src6);
	}
	return likely((s->flags & (SA_STOPPED | any)) == any) || usable_rare(w, m, s);
}

/* The TX SA of one child, made for this generation of the tunnel; NULL: none. */
static struct sa_out *sa_of(struct sad *sad, uint32_t tunnel, uint8_t child)
{
	uint32_t slot = atomic_load_explicit(&sad->child[tunnel][child].tx, memory_order_acquire);
	uint32_t gen = atomic_load_explicit(&sad->tunnel[tunnel].gen, memory_order_relaxed);

	return slot != SAD_NO_SLOT && sad->out[slot].tunnel_gen == gen ? &sad->out[slot] : NULL;
}

/* The slow way to an SA: there are several children, or there is none. They are asked in the order of the config, as the entries of an SPD
 * are (RFC 4301 4.4.1): the first one that names the packet has it, and when its SA is not there the packet waits for that and takes
 * no other. NULL: it is lost. */
static __rte_noinline struct sa_out *pick(struct worker *w, struct rte_mbuf *m, uint32_t tunnel)
{
	struct sad *sad = w->sad;
	const struct sad_tunnel_conf *conf = &sad->conf[tunnel];
	bool ours = sad_owner_tunnel(sad, tunnel) == w->id;
	uint8_t n = atomic_load_explicit(&sad->tunnel[tunnel].n_children, memory_order_relaxed);
	struct selector_key k;

	selector_key(&k, rte_pktmbuf_mtod(m, const void *), m->data_len, pkt_is_v6(m));
	for (uint8_t i = 0; i < n && i < MSG_CHILDREN_MAX; i++) {
		struct sa_out *s = ours ? sa_of(sad, tunnel, i) : NULL;

		if (s == NULL && sad_tunnel_names(conf, i, MSG_DIR_OUT, &k)) {
			no_sa(w, m, tunnel, i, &k);
			return NULL;
		}
		if (s != NULL && (n == 1 || selected(w, m, s) == DROP_N))
			return usable(w, m, s) ? s : NULL;
	}
	drop(w, m, DROP_TS_MISMATCH);
	return NULL;
}

/* May the ESP packet be cut, and not the one in it? In transport mode fragments come after the cipher, in tunnel mode where the config
 * says so, if the outer header allows it. An IPv6 packet of 1280 octets must get through whatever the path (RFC 8200 5). */
static bool cut_later(struct worker *w, struct rte_mbuf *m, const struct sa_out *s)
{
	const struct sad_tunnel_conf *c = &w->sad->conf[w->sad->cold_out[s->slot].tunnel.slot];
	bool v6 = pkt_is_v6(m), df = !v6 && pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	bool outer_df = !(s->flags & SA_V6) && (s->df == MSG_DF_SET || (s->df == MSG_DF_COPY && v6));

	if (s->flags & SA_TRANSPORT) /* in IPv6 it is for the one who made it */
		return v6 ? pkt_of(m)->flags & PKT_OWN : !df;
	if (v6)
		return m->data_len <= IP6_MIN_MTU;
	return c->fragment == MSG_FRAGMENT_AFTER && !df && !outer_df;
}

/* Too big for the SA, or there is no room: fragments in w->ready, or lost. In transport mode fragments come after the cipher. RFC 4301 4.1,
 * 7 */
static __rte_noinline void fit(struct worker *w, struct rte_mbuf *m, struct sa_out *s)
{
	uint16_t mtu = pkt_is_v6(m) && s->mtu < IP6_MIN_MTU ? IP6_MIN_MTU : s->mtu;
	uint16_t n = w->ready.n;

	if (m->data_len <= s->mtu || cut_later(w, m, s))
		vec_give(w, &w->ready, m);
	else if (fwd_fit(w, m, mtu, &w->ready) == 0)
		w->sad->cold_out[s->slot].drop[MSG_SA_DROP_MISC]++;
	while (n < w->ready.n)
		w->ready_sa[n++] = s;
}

static __rte_noinline void clamp(struct worker *w, struct rte_mbuf *m, const struct sa_out *s)
{
	mss_clamp(m, s->mtu, w->sad->conf[w->sad->cold_out[s->slot].tunnel.slot].mss);
}

void esp_out_lookup(struct worker *w)
{
	struct sad *sad = w->sad;

	for (uint16_t i = 0; i < w->enc.n; i++) {
		struct rte_mbuf *m = w->enc.m[i];
		uint32_t tunnel = pkt_of(m)->next;
		const struct sad_tunnel *t = &sad->tunnel[tunnel];
		uint32_t slot = atomic_load_explicit(&t->tx, memory_order_acquire);
		struct sa_out *s;

		if (unlikely(slot == SAD_NO_SLOT || sad_owner_tunnel(sad, tunnel) != w->id ||
			     sad->out[slot].tunnel_gen != atomic_load_explicit(&t->gen, memory_order_relaxed))) {
			s = pick(w, m, tunnel);
			if (s == NULL)
				continue;
		} else {
			s = &sad->out[slot];
			if (unlikely(!usable(w, m, s)))
				continue;
		}
		if (mss_is_syn(m))
			clamp(w, m, s);
		if (unlikely(m->data_len > s->mtu || w->ready.n == VEC_MAX)) {
			fit(w, m, s);
		} else {
			w->ready_sa[w->ready.n] = s;
			vec_push(&w->ready, m);
		}
	}
	w->enc.n = 0;
}

static inline uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static inline bool outer_df(const struct sa_out *s, bool inner_df)
{
	return s->df == MSG_DF_COPY ? inner_df : s->df == MSG_DF_SET;
}

/* The outer IPv4 header, 20 octets at p; total: octets of the outer packet. A packet that may be fragmented on its way has an
 * identification of its own (RFC 6864 4.3). */
static inline void outer_ip(struct worker *w, const struct sa_out *s, uint8_t *p, uint8_t tos, bool df, uint16_t total)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;
	uint16_t id = df ? 0 : w->ip_id++, frag = df ? RTE_IPV4_HDR_DF_FLAG : 0;

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

/* The outer IPv6 header. RFC 4301 5.1.2.2 */
static inline void outer_ip6(const struct sa_out *s, uint8_t *p, uint32_t tclass_be, uint16_t total)
{
	una_put64(p, s->head6 | tclass_be | (uint64_t)rte_cpu_to_be_16((uint16_t)(total - IP6_HDR)) << 32);
	memcpy(p + 8, s->src6, 16);
	memcpy(p + 24, s->dst6, 16);
}

/* Transport mode: the packet's own header of head octets, moved to p. RFC 4303 3.1.1 */
static void outer_own(const struct sa_out *s, uint8_t *p, const uint8_t *was, uint16_t head, uint16_t next_at,
		      uint16_t total)
{
	uint8_t next = s->flags & SA_ENCAP ? IPPROTO_UDP : IPPROTO_ESP;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;

	memmove(p, was, head);
	p[next_at] = next;
	if (s->flags & SA_V6) {
		una_put16(p + 4, rte_cpu_to_be_16((uint16_t)(total - IP6_HDR)));
		return;
	}
	ip->total_length = rte_cpu_to_be_16(total);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, head);
}

/* DSCP as the inner one or as configured; ECN as the inner one (RFC 6040 4.1, normal mode). RFC 2983 3 */
static inline uint8_t outer_tos(const struct sa_out *s, uint8_t inner)
{
	return s->dscp == MSG_DSCP_COPY ? inner : (uint8_t)(s->dscp << 2 | (inner & ECN_MASK));
}

/* RFC 3948 2.1: the checksum is 0. In IPv6 it is not, but that has to wait for the cipher: udp6_cksum(). */
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

/* What goes around the text. */
struct coat {
	uint16_t ip_len;  /* octets of the header in front of ESP or UDP */
	uint16_t keep;    /* transport mode: the same, of the packet's own */
	uint16_t next_at; /* in it: the octet that says what follows */
	uint8_t next;     /* what the text is. RFC 4303 2.6 */
	uint8_t plain;    /* 4, 6: IPv4 in IPv4, IPv6 in IPv6 (and never in UDP), DSCP copied */
};
static const struct coat plain_coat = {.ip_len = IP_HDR, .next = IPPROTO_IPIP, .plain = 4};
static const struct coat plain_coat6 = {.ip_len = IP6_HDR, .next = IPPROTO_IPV6, .plain = 6};

static inline struct coat coat_of(const struct sa_out *s, struct rte_mbuf *m)
{
	struct coat c = {.ip_len = s->flags & SA_V6 ? IP6_HDR : IP_HDR,
			 .next = pkt_is_v6(m) ? IPPROTO_IPV6 : IPPROTO_IPIP};

	if (unlikely(s->flags & SA_TRANSPORT)) {
		c.keep = c.ip_len = transport_head(m, &c.next_at);
		c.next = rte_pktmbuf_mtod(m, const uint8_t *)[c.next_at];
	}
	return c;
}

/* Every outer header but the plain one. */
static inline void outer_any(struct worker *w, const struct sa_out *s, uint8_t *p, struct rte_mbuf *m,
			     const struct coat c, uint16_t total)
{
	bool v6 = pkt_is_v6(m), df = v6 || pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	uint8_t tos = outer_tos(s, v6 ? ip6_tclass(pkt_ip6(m)) : pkt_ip(m)->type_of_service);

	if (unlikely(c.keep != 0))
		outer_own(s, p, rte_pktmbuf_mtod(m, const uint8_t *), c.keep, c.next_at, total);
	else if (s->flags & SA_V6)
		outer_ip6(s, p, rte_cpu_to_be_32((uint32_t)tos << 20), total);
	else
		outer_ip(w, s, p, tos, m->data_len <= s->mtu && outer_df(s, df), total); /* cut_later() */
}

/* Wrap one packet and describe the cipher's work on it. The IV of AEADs is the sequence number: it never repeats under this
 * key, which is all that RFC 4106 3.1 asks for. Inlined four times: the values of f, fast and c are constants for SA_FAST and SA_FAST6,
 * those of f and fast for all AES-GCM. */
static __rte_always_inline void wrap(struct worker *w, const struct sa_out *s, struct rte_mbuf *m, uint64_t seq,
				     struct crypto_op *op, const struct crypto_form f, bool fast, const struct coat c)
{
	const uint16_t head_len = (uint16_t)(sizeof(struct rte_esp_hdr) + f.iv_len);
	uint8_t *text = rte_pktmbuf_mtod(m, uint8_t *) + c.keep, *esp = text - head_len;
	uint16_t len = (uint16_t)(m->data_len - c.keep), pad = (uint16_t)(-(len + TRAILER) & (f.align - 1)),
		 text_len = (uint16_t)(len + pad + TRAILER);
	uint16_t esp_len = (uint16_t)(head_len + text_len + f.icv_len);
	uint16_t udp_len = c.plain != 6 && s->flags & SA_ENCAP ? UDP_HDR : 0,
		 total = (uint16_t)(c.ip_len + udp_len + esp_len);
	uint64_t iv = rte_cpu_to_be_64(seq);
	/* SPI and sequence number, from registers both times: a load behind two narrower stores would stall */
	uint64_t head = s->spi_be | (uint64_t)rte_cpu_to_be_32((uint32_t)seq) << 32;

	if (fast) /* padding 1, 2, 3 (RFC 4303 2.4); 4 octets are always free here, the ICV comes there */
		una_put32(text + len, RTE_LE32(0x00030201));
	else
		memcpy(text + len, padding, sizeof(padding)); /* so are 16: room(), at least 3 + 2 + 12 */
	text[len + pad] = (uint8_t)pad;
	text[len + pad + 1] = c.next;
	if (c.plain == 6)
		outer_ip6(s, esp - IP6_HDR, pkt_ip6(m)->vtc_flow & RTE_BE32(0xff << 20), total);
	else if (c.plain == 4)
		outer_ip(w, s, esp - udp_len - IP_HDR, pkt_ip(m)->type_of_service,
			 outer_df(s, pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)), total);
	else /* before the ESP header, which overwrites the packet's own */
		outer_any(w, s, esp - udp_len - c.ip_len, m, c, total);
	una_put64(esp, head);
	if (fast)
		una_put64(esp + 8, iv);
	else
		put_iv(s, esp + 8, seq);
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
	m->data_off = (uint16_t)(m->data_off + c.keep - head_len - udp_len - c.ip_len);
	m->data_len = total;
	m->pkt_len = total;
}

/* Every packet that is not IPv4 for an SA_FAST, or IPv6 for an SA_FAST6. */
static __rte_noinline void wrap_rare(struct worker *w, const struct sa_out *s, struct rte_mbuf *m, uint64_t seq,
				     struct crypto_batch *b, uint16_t at)
{
	const struct crypto_form f = {.iv_len = s->iv_len, .icv_len = s->icv_len, .align = s->align};

	if (likely(s->suite < CRYPTO_GCM_N && !(s->flags & SA_ESN)))
		wrap(w, s, m, seq, &b->op[at], fast_form, true, coat_of(s, m));
	else
		wrap(w, s, m, seq, &b->op[at], f, false, coat_of(s, m));
	b->others = (uint16_t)(b->others + (s->suite >= CRYPTO_GCM_N));
	b->udp6 = (uint16_t)(b->udp6 + ((s->flags & (SA_V6 | SA_ENCAP)) == (SA_V6 | SA_ENCAP)));
}

/* Exactly as much as this SA's packets need. */
static __rte_noinline bool room_exact(const struct rte_mbuf *m, const struct sa_out *s)
{
	unsigned front = FRAME_HDR + (s->flags & SA_FAST ? IP_HDR : IP6_HDR) + (s->flags & SA_ENCAP ? UDP_HDR : 0) +
			 sizeof(struct rte_esp_hdr) + s->iv_len;
	unsigned behind = s->align - 1u + TRAILER + s->icv_len;

	return m->data_off >= front && (unsigned)m->buf_len - m->data_off - m->data_len >= behind;
}

static inline bool room(const struct rte_mbuf *m, const struct sa_out *s)
{
	return likely(m->data_off >= FRONT_MAX && m->buf_len - m->data_off - m->data_len >= BEHIND_MAX) ||
	       room_exact(m, s);
}

static inline uint8_t outer_flags(const struct sa_out *s)
{
	_Static_assert(SA_V6 == PKT_V6 << 2, "a shift turns one into the other");
	return (uint8_t)(PKT_OWN | PKT_OUTER | (s->flags & SA_V6) >> 2);
}

/* To be cut behind the cipher, and what to: in IPv6 no router does it for us. */
static __rte_noinline uint16_t path_of(struct worker *w, const struct sa_out *s)
{
	return s->flags & SA_V6 ? pmtu_outer(w, s, w->sad->cold_out[s->slot].tunnel.slot) : 0;
}

void esp_out_prepare(struct worker *w, struct rte_mbuf **m, struct sa_out **sa, uint16_t n, struct crypto_batch *b)
{
	uint32_t octets = 0;
	uint16_t kept = 0;

	b->others = b->udp6 = 0;
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
			if (likely(s->flags & SA_FAST && !pkt_is_v6(m[i]))) {
				wrap(w, s, m[i], seq, &b->op[kept], fast_form, true, plain_coat);
				*pkt_of(m[i]) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN | PKT_OUTER};
			} else if (likely(s->flags & SA_FAST6 && pkt_is_v6(m[i]) && m[i]->data_len <= s->mtu)) {
				wrap(w, s, m[i], seq, &b->op[kept], fast_form, true, plain_coat6);
				*pkt_of(m[i]) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN | PKT_OUTER | PKT_V6};
			} else {
				uint16_t path = unlikely(m[i]->data_len > s->mtu) ? path_of(w, s) : 0;

				wrap_rare(w, s, m[i], seq, b, kept);
				*pkt_of(m[i]) =
					(struct pkt){.kind = PKT_CLEAR, .flags = outer_flags(s), .esp_off = path};
			}
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

/* UDP checksums of ESP over IPv6, which cover what the cipher has made. RFC 6935 5 would let a tunnel send none; receivers drop such
 * datagrams unless they were told to take them (RFC 8200 8.1), which nothing in IKE can, and neither RFC 3948 2.1 nor 7296 asks for it. */
static __rte_noinline void udp6_cksum(struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ipv6_hdr *ip = pkt_ip6(m[i]);
		uint8_t *udp = rte_pktmbuf_mtod(m[i], uint8_t *);
		struct ip6_chain c;
		uint16_t sum;

		if (!pkt_is_v6(m[i]) || ip6_walk(ip, m[i]->data_len, &c) != DROP_N || c.proto != IPPROTO_UDP)
			continue;
		udp += c.off;
		sum = ip6_cksum(ip6_get(ip6_src(ip)), ip6_get(ip6_dst(ip)), IPPROTO_UDP, udp,
				(uint32_t)(m[i]->data_len - c.off));
		una_put16(udp + 6, sum == 0 ? 0xffff : sum);
	}
}

uint16_t esp_out_finish(struct worker *w, struct crypto_batch *b, struct rte_mbuf **m)
{
	uint16_t n = b->n;

	if (unlikely(b->failed != 0))
		n = keep_sound(w, b);
	if (unlikely(b->udp6 != 0))
		udp6_cksum(b->m, n);
	memcpy(m, b->m, n * sizeof(m[0]));
	w->count.esp_out += n;
	b->n = 0;
	return n;
}
