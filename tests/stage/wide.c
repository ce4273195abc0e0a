#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/stage/wide.h"

#include <string.h>

#include "dataplane/classify.h"
#include "dataplane/esp_in.h"
#include "dataplane/esp_out.h"
#include "dataplane/pkt.h"
#include "tests/lib/esp_peer.h"

const uint8_t wide_us[2][16] = {{192, 0, 2, 1}, {0x20, 1, 0xd, 0xb8, [15] = 1}};
const uint8_t wide_peer[2][16] = {{198, 51, 100, 7}, {0x20, 1, 0xd, 0xb8, 0, 7, [15] = 7}};
const uint8_t wide_here[2][16] = {{10, 1, 0, 9}, {0xfd, 1, [15] = 9}};
const uint8_t wide_there[2][16] = {{10, 2, 0, 5}, {0xfd, 2, [15] = 5}};

/* --- tunnels and SAs --- */

struct msg_tunnel_set wide_tunnel(uint32_t slot, uint8_t family)
{
	struct msg_tunnel_set t = {.tunnel = {slot, 1},
				   .family = family,
				   .df = MSG_DF_COPY,
				   .port = RIG_WAN,
				   .dscp = MSG_DSCP_COPY,
				   .n_ts = 2,
				   .n_children = 1,
				   .name = "wide"};

	memcpy(t.local, wide_us[family == 6], 16);
	memcpy(t.remote, wide_peer[family == 6], 16);
	t.ts[0] = wide_any(4);
	t.ts[1] = wide_any(6);
	return t;
}

void wide_tunnel_set(const struct msg_tunnel_set *t)
{
	assert_int_equal(sad_tunnel_set(rig->sad, t, 2), 0);
}

struct msg_ts_pair wide_any(uint8_t family)
{
	struct msg_ts_pair p = {.family = family, .local.port_hi = 65535, .remote.port_hi = 65535};

	memset(p.local.hi, 0xff, family == 6 ? 16 : 4);
	memset(p.remote.hi, 0xff, family == 6 ? 16 : 4);
	return p;
}

struct rig_sa wide_sa(uint32_t slot, uint32_t dir, uint32_t tunnel, uint8_t family)
{
	struct rig_sa sa = rig_sa_make(slot, dir);

	sa.add.tunnel.slot = tunnel;
	sa.add.family = family;
	memcpy(sa.add.local, wide_us[family == 6], 16);
	memcpy(sa.add.remote, wide_peer[family == 6], 16);
	sa.add.n_ts = 2;
	sa.add.ts[0] = wide_any(4);
	sa.add.ts[1] = wide_any(6);
	return sa;
}

void wide_pair(uint32_t slot, uint32_t tunnel, uint8_t family, struct rig_sa *in, struct rig_sa *out)
{
	*in = wide_sa(slot, MSG_DIR_IN, tunnel, family);
	*out = wide_sa(slot, MSG_DIR_OUT, tunnel, family);
	assert_int_equal(rig_sa_add(in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(out, MSG_DIR_OUT), 0);
}

/* --- packets --- */

static bool is_v6(const struct rig_bytes *ip)
{
	return ip->b[0] >> 4 == 6;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void wide_udp(struct rig_bytes *ip, bool v6, const uint8_t *src, const uint8_t *dst, uint8_t tos, uint16_t len)
{
	uint16_t head = v6 ? IP6_HDR : WIDE_IP4;

	*ip = (struct rig_bytes){.len = len};
	for (uint16_t i = head; i < len; i++)
		ip->b[i] = (uint8_t)(i * 3 + len);
	if (len >= head + WIDE_UDP) {
		put16(ip->b + head, 1000);
		put16(ip->b + head + 2, 2000);
		put16(ip->b + head + 4, (uint16_t)(len - head));
		put16(ip->b + head + 6, 0);
	}
	if (v6) {
		ip->b[0] = (uint8_t)(0x60 | tos >> 4);
		ip->b[1] = (uint8_t)(tos << 4 | 0x5);
		ip->b[2] = 0x43, ip->b[3] = 0x21; /* a flow label of the inner packet's own */
		put16(ip->b + 4, (uint16_t)(len - IP6_HDR));
		ip->b[6] = IPPROTO_UDP;
		ip->b[7] = 60;
		memcpy(ip->b + 8, src, 16);
		memcpy(ip->b + 24, dst, 16);
		return;
	}
	*rig_ip(ip) = (struct rte_ipv4_hdr){.version_ihl = 0x45,
					    .type_of_service = tos,
					    .total_length = rte_cpu_to_be_16(len),
					    .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
					    .time_to_live = 60,
					    .next_proto_id = IPPROTO_UDP};
	memcpy(ip->b + 12, src, 4);
	memcpy(ip->b + 16, dst, 4);
	rig_cksum(ip);
}

void wide_inner(struct rig_bytes *ip, bool v6, uint32_t dir, uint8_t tos, uint16_t len)
{
	const uint8_t *here = wide_here[v6], *there = wide_there[v6];

	wide_udp(ip, v6, dir == MSG_DIR_OUT ? here : there, dir == MSG_DIR_OUT ? there : here, tos, len);
}

void wide_insert(struct rig_bytes *ip, uint8_t first, const uint8_t *ext, uint16_t n)
{
	assert_true(ip->len + n <= RIG_FRAME_MAX);
	memmove(ip->b + IP6_HDR + n, ip->b + IP6_HDR, ip->len - IP6_HDR);
	memcpy(ip->b + IP6_HDR, ext, n);
	ip->b[6] = first;
	ip->len = (uint16_t)(ip->len + n);
	put16(ip->b + 4, (uint16_t)(ip->len - IP6_HDR));
}

uint8_t wide_tos(const struct rig_bytes *ip)
{
	return is_v6(ip) ? (uint8_t)(ip->b[0] << 4 | ip->b[1] >> 4) : ip->b[1];
}

/* --- through the stages --- */

static struct rte_mbuf *handed(const struct rig_bytes *ip, enum pkt_kind kind, uint8_t flags, uint32_t next)
{
	struct rte_mbuf *m = rig_mbuf(ip);

	m->port = 0;
	*pkt_of(m) = (struct pkt){.kind = kind, .flags = (uint8_t)(flags | (is_v6(ip) ? PKT_V6 : 0)), .next = next};
	return m;
}

static void taken(struct rte_mbuf *m, struct rig_bytes *to, uint8_t *flags)
{
	assert_int_equal(m->pkt_len, m->data_len);
	to->len = m->data_len < RIG_FRAME_MAX ? m->data_len : RIG_FRAME_MAX; /* its end is of no interest then */
	memcpy(to->b, rte_pktmbuf_mtod(m, void *), to->len);
	if (flags != NULL)
		*flags = pkt_of(m)->flags;
	assert_int_equal(!!(pkt_of(m)->flags & PKT_V6), is_v6(to));
	rte_pktmbuf_free(m);
}

static void leave(struct vec *v)
{
	rte_pktmbuf_free_bulk(v->m, v->n);
	v->n = 0;
}

unsigned wide_out_burst(const struct rig_bytes *ip, unsigned n, uint32_t tunnel, uint8_t flags, struct rig_bytes *outer)
{
	struct rte_mbuf *m[VEC_BURST];
	uint16_t got, at = 0;
	unsigned made = 0;

	for (unsigned i = 0; i < n; i++)
		vec_push(&rig->enc, handed(&ip[i], PKT_TUNNEL, flags, tunnel));
	esp_out_lookup(rig);
	assert_int_equal(rig->enc.n, 0);
	while ((got = vec_next(&rig->ready, &at, m)) != 0) {
		esp_out_prepare(rig, m, rig->ready_sa + at - got, got, rig->batch_out);
		crypto_run(&rig->crypto, rig->batch_out, NULL, 0);
		got = esp_out_finish(rig, rig->batch_out, m);
		for (uint16_t i = 0; i < got; i++, made++) {
			if (made < n)
				taken(m[i], &outer[made], NULL);
			else
				rte_pktmbuf_free(m[i]);
		}
	}
	leave(&rig->fwd);
	drop_flush(rig);
	return made;
}

unsigned wide_out(const struct rig_bytes *ip, uint32_t tunnel, uint8_t flags, struct rig_bytes *outer)
{
	return wide_out_burst(ip, 1, tunnel, flags, outer);
}

unsigned wide_in_burst(const struct rig_bytes *outer, unsigned n, struct rig_bytes *ip, uint8_t *flags)
{
	struct rte_mbuf *m[VEC_BURST];
	struct sa_in *sa[VEC_BURST];
	uint16_t got, at = 0;
	unsigned made = 0;

	for (unsigned i = 0; i < n; i++)
		m[i] = handed(&outer[i], PKT_CLEAR, 0, 0);
	classify_burst(rig, m, (uint16_t)n);
	while ((got = vec_next(&rig->esp, &at, m)) != 0) {
		got = esp_in_lookup(rig, m, sa, got);
		esp_in_prepare(rig, m, sa, got, rig->batch_in);
		crypto_run(&rig->crypto, rig->batch_in, NULL, 0);
		got = esp_in_finish(rig, rig->batch_in, m);
		for (uint16_t i = 0; i < got; i++, made++)
			taken(m[i], &ip[made], flags);
	}
	leave(&rig->fwd);
	drop_flush(rig);
	return made;
}

bool wide_in(const struct rig_bytes *outer, struct rig_bytes *ip, uint8_t *flags)
{
	return wide_in_burst(outer, 1, ip, flags) == 1;
}

/* --- the peer --- */

void wide_seal(struct rig_bytes *outer, struct rig_sa *sa, const struct rig_bytes *text, uint8_t next, uint8_t tos)
{
	bool v6 = sa->add.family == 6;
	uint16_t udp = sa->encap ? WIDE_UDP : 0, head = v6 ? IP6_HDR : WIDE_IP4, len = text->len, esp_len;
	uint16_t pad = (uint16_t)(-(len + 2) & (esp_peer_align(sa->add.encr) - 1));
	uint8_t t[RIG_FRAME_MAX + 64], iv[ESP_PEER_IV_MAX], esp[RIG_FRAME_MAX + 128];

	memcpy(t, text->b, len);
	for (uint16_t i = 0; i < pad; i++)
		t[len++] = (uint8_t)(i + 1);
	t[len++] = (uint8_t)pad;
	t[len++] = next;
	for (unsigned i = 0; i < sizeof(iv); i++)
		iv[i] = (uint8_t)(i % 8 < 4 ? 0xee : sa->seq >> 8 * (i % 4));
	esp_len = esp_peer_seal(&sa->add, sa->seq++, iv, t, len, esp);
	wide_udp(outer, v6, sa->add.remote, sa->add.local, tos, (uint16_t)(head + udp + esp_len));
	memcpy(outer->b + head + udp, esp, esp_len);
	outer->b[v6 ? 6 : 9] = sa->encap ? IPPROTO_UDP : IPPROTO_ESP;
	if (!v6)
		rig_cksum(outer);
	if (sa->encap) {
		put16(outer->b + head, sa->add.remote_port);
		put16(outer->b + head + 2, 4500);
		put16(outer->b + head + 4, (uint16_t)(udp + esp_len));
		put16(outer->b + head + 6, 0);
	}
}

void wide_open(struct rig_bytes *text, uint8_t *next, const struct rig_sa *sa, const struct rig_bytes *outer,
	       uint16_t head)
{
	uint16_t at = (uint16_t)(head + (sa->encap ? WIDE_UDP : 0));
	uint8_t t[RIG_FRAME_MAX + 64];
	int n = esp_peer_open(&sa->add, (uint32_t)(sa->seq >> 32), outer->b + at, (uint16_t)(outer->len - at), t);

	assert_true(n > 0);
	*next = t[n - 1];
	assert_true(t[n - 2] < esp_peer_align(sa->add.encr));
	text->len = (uint16_t)(n - 2 - t[n - 2]);
	memcpy(text->b, t, text->len);
	for (int i = text->len; i < n - 2; i++)
		assert_int_equal(t[i], i - text->len + 1);
}

void wide_settle(void)
{
	rig_run();
	rig_tx_nothing();
	assert_int_equal(rte_mempool_in_use_count(rig->pool), 0);
}
