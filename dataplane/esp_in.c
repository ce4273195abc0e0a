#include "dataplane/esp_in.h"

#include <string.h>

#include <rte_esp.h>
#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/ecn.h"
#include "dataplane/ip6.h"
#include "dataplane/limit.h"
#include "dataplane/mss.h"
#include "dataplane/parse.h"
#include "dataplane/pkt.h"
#include "dataplane/replay.h"
#include "dataplane/sad.h"
#include "dataplane/selector.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum { TRAILER = 2 }; /* pad length, next header */

/* The form of SA_FAST's packets, as constants. */
static const struct crypto_form fast_form = {.iv_len = CRYPTO_IV, .icv_len = CRYPTO_ICV, .align = 4};

enum { NEXT_IPV4 = IPPROTO_IPIP, NEXT_IPV6 = IPPROTO_IPV6, NEXT_NONE = IPPROTO_NONE }; /* RFC 4303 2.6 */

static struct sa_cold *cold_of(struct worker *w, const struct sa_in *sa)
{
	return &w->sad->cold_in[spi_slot(rte_be_to_cpu_32(sa->spi_be))];
}

/* Lose a packet of an SA. */
static __rte_noinline void lose(struct worker *w, struct rte_mbuf *m, const struct sa_in *sa, enum stats_drop why,
				enum msg_sa_drop sa_why)
{
	cold_of(w, sa)->drop[sa_why]++;
	drop(w, m, why);
}

static inline uint8_t *esp_at(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, uint8_t *) + pkt_of(m)->esp_off;
}

/* Octets of ESP, from the SPI to the ICV's end: up to the end of the IP packet, or of the UDP datagram in it. 0: the
 * UDP length lies. */
static inline uint16_t esp_len(const struct rte_mbuf *m, const struct pkt *pkt, const uint8_t *esp)
{
	uint16_t len = (uint16_t)(m->data_len - pkt->esp_off);

	if (pkt->flags & PKT_ENCAP) {
		const struct rte_udp_hdr *udp = (const void *)(esp - sizeof(*udp));
		uint16_t dgram = rte_be_to_cpu_16(udp->dgram_len);

		if (unlikely(dgram < sizeof(*udp) || dgram - sizeof(*udp) > len))
			return 0;
		len = (uint16_t)(dgram - sizeof(*udp));
	}
	return len;
}

/* RFC 4303 2.4: the text is a multiple of 4, or of the cipher's block, and never empty. */
static __rte_always_inline bool len_ok(uint16_t len, const struct crypto_form f)
{
	const uint16_t bare = (uint16_t)(sizeof(struct rte_esp_hdr) + f.iv_len + f.icv_len);

	return len > bare && (len - bare) % f.align == 0;
}

/* IPv6's UDP checksum also guards the addresses, which have no other guard. All else the ICV guards better: so it is looked at only
 * when the peer seems to have moved. None at all is fine for a tunnel: RFC 6935 5. */
static bool udp6_ok(struct rte_mbuf *m, const struct sa_in *s, const uint8_t *esp)
{
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);
	const struct rte_udp_hdr *udp = (const void *)(esp - sizeof(*udp));

	if (udp->dgram_cksum == 0 ||
	    (memcmp(ip6_src(ip), s->remote6, sizeof(s->remote6)) == 0 && udp->src_port == s->remote_port_be))
		return true;
	return ip6_cksum(ip6_get(ip6_src(ip)), ip6_get(ip6_dst(ip)), IPPROTO_UDP, udp,
			 rte_be_to_cpu_16(udp->dgram_len)) == 0;
}

/* Did it come to the address that the SA belongs to? RFC 4301 4.1 */
static inline bool is_to(const struct sa_in *s, struct rte_mbuf *m, const struct pkt *pkt)
{
	if (unlikely((s->flags & SA_V6) | (pkt->flags & PKT_V6)))
		return s->flags & SA_V6 && pkt->flags & PKT_V6 && ip6_same(s->local6, ip6_dst(pkt_ip6(m)));
	return s->local_be == pkt_ip(m)->dst_addr;
}

/* Is the length, and in IPv6 the checksum, sound for an SA that is not SA_FAST? DROP_N, or why not. */
static __rte_noinline enum stats_drop sound_rare(struct rte_mbuf *m, const struct sa_in *s, const uint8_t *esp,
						 uint16_t len)
{
	if (!len_ok(len, crypto_forms[s->suite]))
		return DROP_ESP_RUNT;
	if ((pkt_of(m)->flags & (PKT_V6 | PKT_ENCAP)) == (PKT_V6 | PKT_ENCAP) && !udp6_ok(m, s, esp))
		return DROP_BAD_CHECKSUM;
	return DROP_N;
}

static inline enum stats_drop sound(struct rte_mbuf *m, const struct sa_in *s, const uint8_t *esp, uint16_t len)
{
	if (likely(s->flags & SA_FAST || (s->flags & SA_FAST6 && !(pkt_of(m)->flags & PKT_ENCAP))))
		return likely(len_ok(len, fast_form)) ? DROP_N : DROP_ESP_RUNT;
	return sound_rare(m, s, esp, len);
}

uint16_t esp_in_lookup(struct worker *w, struct rte_mbuf **m, struct sa_in **sa, uint16_t n)
{
	struct sad *sad = w->sad;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *esp = esp_at(m[i]);
		struct pkt *pkt = pkt_of(m[i]);
		uint32_t spi_be = una_get32(esp);
		uint32_t slot = spi_slot(rte_be_to_cpu_32(spi_be));
		struct sa_in *s = &sad->in[slot];
		enum stats_drop why;
		uint16_t len;

		if (unlikely(sad_owner_in(sad, rte_be_to_cpu_32(spi_be)) != w->id || s->spi_be != spi_be ||
			     !is_to(s, m[i], pkt))) {
			pkt->kind = PKT_CLEAR;
			vec_push(&w->fwd, m[i]);
			continue;
		}
		if (unlikely(s->flags & SA_STOPPED)) {
			lose(w, m[i], s, DROP_LIMIT, MSG_SA_DROP_INVALID_SA);
			continue;
		}
		len = esp_len(m[i], pkt, esp);
		why = sound(m[i], s, esp, len);
		if (unlikely(why != DROP_N)) {
			lose(w, m[i], s, why, why == DROP_ESP_RUNT ? MSG_SA_DROP_TRUNCATED : MSG_SA_DROP_MISC);
			continue;
		}
		rte_prefetch0(&s->bitmap[rte_be_to_cpu_32(una_get32(esp + 4)) / 64 % REPLAY_WORDS]);
		m[i]->data_len = (uint16_t)(pkt->esp_off + len); /* no octet behind the ICV */
		m[kept] = m[i];
		sa[kept++] = s;
	}
	return kept;
}

/* Describe the cipher's work on one packet. Inlined twice: f's and fast's values are constants for SA_FAST and SA_FAST6. */
static __rte_always_inline void describe(struct sa_in *s, struct rte_mbuf *m, uint8_t *esp, uint64_t seq,
					 struct crypto_op *op, const struct crypto_form f, bool fast)
{
	const uint16_t head_len = (uint16_t)(sizeof(struct rte_esp_hdr) + f.iv_len);

	op->data = esp + head_len;
	op->key = &s->key;
	op->salt = s->salt;
	if (fast || s->suite < CRYPTO_HMAC)
		memcpy(op->iv, esp + sizeof(struct rte_esp_hdr), CRYPTO_IV);
	op->len = (uint16_t)(m->data_len - pkt_of(m)->esp_off - head_len - f.icv_len);
	op->suite = s->suite;
	op->aad_len = 8;
	memcpy(op->aad, esp, 8); /* RFC 4106 5: SPI and 32-bit sequence number */
	if (!fast && s->flags & SA_ESN) {
		op->aad_len = 12;
		una_put64(op->aad + 4, rte_cpu_to_be_64(seq)); /* all 64 bits. RFC 4303 2.2.1 */
	}
}

/* Every SA that is not SA_FAST. */
static __rte_noinline void describe_rare(struct sa_in *s, struct rte_mbuf *m, uint8_t *esp, uint64_t seq,
					 struct crypto_batch *b, uint16_t at)
{
	describe(s, m, esp, seq, &b->op[at], crypto_forms[s->suite], false);
	b->others = (uint16_t)(b->others + (s->suite >= CRYPTO_GCM_N));
}

void esp_in_prepare(struct worker *w, struct rte_mbuf **m, struct sa_in **sa, uint16_t n, struct crypto_batch *b)
{
	uint16_t kept = 0;

	b->others = 0;
	for (uint16_t i = 0; i < n; i++) {
		uint8_t *esp = esp_at(m[i]);
		struct sa_in *s = sa[i];
		uint64_t seq = rte_be_to_cpu_32(una_get32(esp + 4));
		enum replay r;

		if (unlikely(s->flags & SA_ESN))
			seq = replay_esn(s->head, s->window, (uint32_t)seq);
		r = replay_check(s->bitmap, s->head, s->window, seq);
		if (unlikely(r != REPLAY_OK)) {
			lose(w, m[i], s, r == REPLAY_OLD ? DROP_REPLAY_OLD : DROP_REPLAY, MSG_SA_DROP_REPLAY);
			continue;
		}
		if (likely(s->flags & (SA_FAST | SA_FAST6)))
			describe(s, m[i], esp, seq, &b->op[kept], fast_form, true);
		else
			describe_rare(s, m[i], esp, seq, b, kept);
		b->seq[kept] = seq;
		b->m[kept] = m[i];
		b->sa[kept++] = s;
	}
	b->n = kept;
	b->dir = CRYPTO_DECRYPT;
	b->owner = w->id;
	atomic_store_explicit(&b->done, 0, memory_order_relaxed);
}

/* Same ICV? The time does not depend on where they differ. */
static inline bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	return ((una_get64(a) ^ una_get64(b)) | (una_get64(a + 8) ^ una_get64(b + 8))) == 0;
}

/* RFC 4303 2.4: the padding is 1, 2, 3 .. and the receiver SHOULD look. */
static inline bool pad_ok(const uint8_t *pad, uint8_t n)
{
	const unsigned other = 56u - 8u * n;
	uint8_t wrong = 0;

	if (likely(n < 8)) /* the last n of eight octets; the ESP header is in front of them */
		return (una_get64(pad + n - 8) ^ UINT64_C(0x0807060504030201) << other << 8) >> other >> 8 == 0;
	for (unsigned i = 0; i < n; i++)
		wrong |= (uint8_t)(pad[i] ^ (i + 1));
	return wrong == 0;
}

/* An authenticated packet came from another address, or in UDP from another port, than the last did: tell, once, and
 * only when it is the newest, so that a late packet of the old path does not turn it back. RFC 7296 2.23 */
static __rte_noinline void peer_moved(struct worker *w, struct sa_in *s, struct rte_mbuf *m, uint16_t port_be)
{
	const struct sa_cold *c = cold_of(w, s);
	bool v6 = pkt_is_v6(m);
	struct msg_peer_moved e = {.sa = {spi_slot(rte_be_to_cpu_32(s->spi_be)), c->gen},
				   .tunnel = c->tunnel,
				   .family = v6 ? 6 : 4,
				   .remote_port = rte_be_to_cpu_16(port_be)};

	if (v6)
		memcpy(e.remote, ip6_src(pkt_ip6(m)), 16);
	else
		memcpy(e.remote, &pkt_ip(m)->src_addr, 4);
	if (!worker_event(w, MSG_PEER_MOVED, &e, sizeof(e)))
		return; /* said again with the next packet */
	if (v6)
		memcpy(s->remote6, e.remote, 16);
	else
		s->remote_be = pkt_ip(m)->src_addr;
	if (port_be != 0)
		s->remote_port_be = port_be;
}

static inline bool came_from(const struct sa_in *s, struct rte_mbuf *m)
{
	if (!(s->flags & SA_V6))
		return pkt_ip(m)->src_addr == s->remote_be;
	return ip6_same(s->remote6, ip6_src(pkt_ip6(m)));
}

/* In transport mode the address is what the selectors name: only the port can move. */
static __rte_noinline void look_at_rare_peer(struct worker *w, struct sa_in *s, struct rte_mbuf *m, uint16_t port_be)
{
	bool same = came_from(s, m);

	if ((!same || (port_be != 0 && port_be != s->remote_port_be)) && (same || !(s->flags & SA_TRANSPORT)))
		peer_moved(w, s, m, port_be);
}

static inline void look_at_peer(struct worker *w, struct sa_in *s, struct rte_mbuf *m, const uint8_t *esp)
{
	uint16_t port_be = 0;

	if (pkt_of(m)->flags & PKT_ENCAP)
		port_be = ((const struct rte_udp_hdr *)(const void *)(esp - sizeof(struct rte_udp_hdr)))->src_port;
	if (unlikely(s->flags & (SA_V6 | SA_TRANSPORT))) {
		if (unlikely(!(s->flags & SA_FAST6) || port_be != 0 || !came_from(s, m)))
			look_at_rare_peer(w, s, m, port_be);
	} else if (unlikely(pkt_ip(m)->src_addr != s->remote_be || (port_be != 0 && port_be != s->remote_port_be))) {
		peer_moved(w, s, m, port_be);
	}
}

static __rte_noinline bool selected_slowly(const struct sa_cold *c, const void *ip, uint16_t total, bool v6)
{
	struct selector_key k;

	selector_key(&k, ip, total, v6);
	return selector_match(c->ts, c->n_ts, MSG_DIR_IN, &k);
}

static inline bool selected(struct worker *w, const struct sa_in *s, const struct rte_ipv4_hdr *ip, uint16_t total)
{
	uint32_t src = rte_be_to_cpu_32(ip->src_addr), dst = rte_be_to_cpu_32(ip->dst_addr);

	if (unlikely(s->flags & SA_SELECT))
		return selected_slowly(cold_of(w, s), ip, total, false);
	return src - s->rlo <= s->rhi - s->rlo && dst - s->llo <= s->lhi - s->llo;
}

/* What is wrong with the decrypted text, for both kinds of counters. */
struct fault {
	uint8_t why, sa_why; /* enum stats_drop, enum msg_sa_drop; DROP_N: nothing */
};

/* ECN's verdict. RFC 6040 4.2 */
static inline bool ecn_fine(struct worker *w, uint8_t verdict)
{
	if (unlikely(verdict & ECN_ODD))
		w->count.ecn_odd++;
	return likely(!(verdict & ECN_DROP));
}

static inline void unwrap(struct rte_mbuf *m, uint8_t *ip, uint16_t total, uint8_t flags)
{
	m->data_off = (uint16_t)(ip - (uint8_t *)m->buf_addr);
	m->data_len = total;
	m->pkt_len = total;
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = flags};
}

static const struct fault fine = {DROP_N, MSG_SA_DROP_N};

/* An IPv4 packet of at most len octets; what follows it is TFC padding. RFC 4303 2.7 */
static inline struct fault open_ip4(struct worker *w, struct sa_in *s, struct rte_mbuf *m, uint8_t *text, uint16_t len,
				    uint8_t outer_tos)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;
	uint16_t total;

	if (unlikely(!parse_plain(ip, len) && parse_ip(ip, len, false) != DROP_N))
		return (struct fault){DROP_INNER_BAD, MSG_SA_DROP_MISC};
	total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(!selected(w, s, ip, total)))
		return (struct fault){DROP_TS_MISMATCH, MSG_SA_DROP_TS};
	if (unlikely(!ecn_same(ip->type_of_service, outer_tos)) && !ecn_fine(w, ecn_decap(ip, outer_tos)))
		return (struct fault){DROP_ECN, MSG_SA_DROP_MISC};
	unwrap(m, text, total, PKT_DECAPPED);
	return fine;
}

/* The same for IPv6. */
static inline struct fault open_ip6(struct worker *w, struct sa_in *s, struct rte_mbuf *m, uint8_t *text, uint16_t len,
				    uint8_t outer_tos)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)text;
	uint16_t total;

	if (unlikely(!parse_plain6(ip, len) && parse_ip6(ip, len) != DROP_N))
		return (struct fault){DROP_INNER_BAD, MSG_SA_DROP_MISC};
	total = (uint16_t)(IP6_HDR + rte_be_to_cpu_16(ip->payload_len));
	if (unlikely(!(s->flags & SA_ANY6) && !selected_slowly(cold_of(w, s), ip, total, true)))
		return (struct fault){DROP_TS_MISMATCH, MSG_SA_DROP_TS};
	if (unlikely(!ecn_same(ip6_tclass(ip), outer_tos)) && !ecn_fine(w, ecn_decap6(ip, outer_tos)))
		return (struct fault){DROP_ECN, MSG_SA_DROP_MISC};
	unwrap(m, text, total, PKT_DECAPPED | PKT_V6);
	return fine;
}

/* Transport mode: len octets of protocol next, from and to the SA's own addresses. RFC 4301 4.1: no fragments */
static struct fault open_transport(struct worker *w, struct sa_in *s, struct rte_mbuf *m, uint8_t *text, uint16_t len,
				   uint8_t next)
{
	struct selector_key k;
	const struct sa_cold *c = cold_of(w, s);

	if (!transport_open(m, text, len, next))
		return (struct fault){DROP_INNER_BAD, MSG_SA_DROP_MISC};
	selector_key(&k, rte_pktmbuf_mtod(m, const void *), m->data_len, pkt_is_v6(m));
	if (k.fragment || !came_from(s, m) || !selector_match(c->ts, c->n_ts, MSG_DIR_IN, &k))
		return (struct fault){DROP_TS_MISMATCH, MSG_SA_DROP_TS};
	return fine;
}

/* All but IPv4 in IPv4, and IPv6 in an SA_FAST6. */
static __rte_noinline struct fault open_rare(struct worker *w, struct sa_in *s, struct rte_mbuf *m, uint8_t *text,
					     uint16_t len, uint8_t next)
{
	uint8_t tos = pkt_is_v6(m) ? ip6_tclass(pkt_ip6(m)) : pkt_ip(m)->type_of_service;

	if (s->flags & SA_TRANSPORT)
		return open_transport(w, s, m, text, len, next);
	if (next == NEXT_IPV6)
		return open_ip6(w, s, m, text, len, tos);
	if (next == NEXT_IPV4)
		return open_ip4(w, s, m, text, len, tos);
	return (struct fault){DROP_NEXT_HEADER, MSG_SA_DROP_PROTOCOL};
}

static inline struct fault open_text(struct worker *w, struct sa_in *s, struct rte_mbuf *m, const struct crypto_op *op)
{
	const uint8_t *end = op->data + op->len;
	const uint8_t pad = end[-2], next = end[-1];
	uint16_t len = (uint16_t)(op->len - TRAILER - pad);

	if (unlikely(pad + TRAILER > op->len || !pad_ok(end - TRAILER - pad, pad)))
		return (struct fault){DROP_BAD_PAD, MSG_SA_DROP_PADDING};
	if (unlikely(next == NEXT_NONE)) /* RFC 4303 2.6: a dummy, dropped without prejudice */
		return (struct fault){DROP_DUMMY, MSG_SA_DROP_N};
	if (unlikely(next != NEXT_IPV4 || s->flags & (SA_V6 | SA_TRANSPORT))) {
		if (likely(next == NEXT_IPV6 && s->flags & SA_FAST6))
			return open_ip6(w, s, m, op->data, len, ip6_tclass(pkt_ip6(m)));
		return open_rare(w, s, m, op->data, len, next);
	}
	return open_ip4(w, s, m, op->data, len, pkt_ip(m)->type_of_service);
}

/* Counters and limits, once per run of packets of one SA. */
static inline void count_run(struct worker *w, struct sa_in *s, uint32_t packets, uint32_t octets)
{
	s->packets_left -= packets;
	s->bytes_left -= octets;
	if (unlikely(s->packets_left <= 0 || s->bytes_left <= 0))
		limit_in(w, s);
}

/* One packet that the cipher has been over. The order is RFC 4303's 3.4.3 and 3.4.4: nothing of a packet counts before
 * its ICV is right. */
static inline struct fault finish_one(struct worker *w, struct sa_in *s, struct rte_mbuf *m, const struct crypto_op *op,
				      uint64_t seq)
{
	bool newest = seq > s->head;
	enum replay r;

	if (unlikely(op->suite >= CRYPTO_GCM_N)) {
		if (op->result != CRYPTO_OK)
			return op->result == CRYPTO_BAD_ICV ? (struct fault){DROP_BAD_ICV, MSG_SA_DROP_INTEGRITY}
							    : (struct fault){DROP_CIPHER, MSG_SA_DROP_CIPHER};
	} else if (unlikely(!tag_equal(op->tag, op->data + op->len))) {
		return (struct fault){DROP_BAD_ICV, MSG_SA_DROP_INTEGRITY};
	}
	r = replay_check(s->bitmap, s->head, s->window, seq); /* again: its copy may be in the same burst */
	if (unlikely(r != REPLAY_OK))
		return (struct fault){r == REPLAY_OLD ? DROP_REPLAY_OLD : DROP_REPLAY, MSG_SA_DROP_REPLAY};
	replay_update(s->bitmap, &s->head, seq);
	if (newest)
		look_at_peer(w, s, m, esp_at(m));
	return open_text(w, s, m, op);
}

static __rte_noinline void lose_fault(struct worker *w, struct rte_mbuf *m, const struct sa_in *s, struct fault f)
{
	if (f.sa_why == MSG_SA_DROP_N)
		drop(w, m, f.why);
	else
		lose(w, m, s, f.why, f.sa_why);
}

/* A connection's beginning: its MSS is made to fit the way back, which is taken to be like the way here. */
static __rte_noinline void clamp(struct worker *w, const struct sa_in *s, struct rte_mbuf *m)
{
	uint32_t tunnel = cold_of(w, s)->tunnel.slot, slot = sad_tunnel_tx(w->sad, tunnel);

	if (slot != SAD_NO_SLOT)
		mss_clamp(m, w->sad->out[slot].mtu, w->sad->conf[tunnel].mss);
}

uint16_t esp_in_finish(struct worker *w, struct crypto_batch *b, struct rte_mbuf **m)
{
	uint32_t packets = 0, octets = 0;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct sa_in *s = b->sa[i];
		struct fault f = finish_one(w, s, b->m[i], &b->op[i], b->seq[i]);

		if (likely(f.why == DROP_N)) {
			packets++;
			octets += b->m[i]->data_len;
			if (mss_is_syn(b->m[i]))
				clamp(w, s, b->m[i]);
			m[kept++] = b->m[i];
		} else {
			lose_fault(w, b->m[i], s, f);
		}
		if (packets != 0 && (i + 1 == b->n || b->sa[i + 1] != s)) {
			count_run(w, s, packets, octets);
			packets = octets = 0;
		}
	}
	w->count.esp_in += kept;
	b->n = 0;
	return kept;
}
