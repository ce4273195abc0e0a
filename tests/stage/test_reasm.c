/* Fragments to ourselves, put together. RFC 791 3.2, RFC 815, RFC 8200 4.5, RFC 5722, RFC 3168 5.3 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/stage/wide.h"

#include <string.h>

#include <rte_icmp.h>
#include <rte_udp.h>

#include "dataplane/classify.h"
#include "dataplane/drop.h"
#include "dataplane/handoff.h"
#include "dataplane/pkt.h"
#include "dataplane/reasm.h"

enum { ETH = 14, IP4 = 20, QUARTER = 64, BODY = 4 * QUARTER, FRAG = 44, DEST_OPTIONS = 60, HUGE = 65535 };

static uint32_t id; /* of the packet that is being cut */

static int reset(void **state)
{
	int err = rig_reset(state);

	rig->reasm = reasm_new(0, SOCKET_ID_ANY);
	rig->n_workers = 1;
	rig->port[RIG_WAN].addr6 = ip6_get(wide_us[1]);
	rig->now_tsc = rte_rdtsc();
	id++;
	return err != 0 || rig->reasm == NULL ? -1 : 0;
}

static int clear(void **state)
{
	reasm_free(rig->reasm);
	rig->reasm = NULL;
	rig->n_workers = 2;
	return rig_clear(state);
}

/* Octets [from, to) behind the first `head` octets of a packet, in front of which (IPv6) the fragment header comes; next_at: where the
 * type of what follows stands. */
static struct rte_mbuf *cut_at(const struct rig_bytes *ip, uint16_t head, uint16_t next_at, uint16_t from, uint16_t to,
			       bool more)
{
	bool v6 = ip->b[0] >> 4 == 6;
	struct rig_bytes f = {.len = head};

	memcpy(f.b, ip->b, head);
	if (v6) {
		f.b[head] = f.b[next_at];
		f.b[next_at] = FRAG;
		una_put16(f.b + head + 2, rte_cpu_to_be_16((uint16_t)(from | more)));
		una_put32(f.b + head + 4, id);
		f.len = (uint16_t)(f.len + IP6_FRAG_HDR);
	}
	memcpy(f.b + f.len, ip->b + head + from, (size_t)(to - from));
	f.len = (uint16_t)(f.len + to - from);
	if (v6) {
		una_put16(f.b + 4, rte_cpu_to_be_16((uint16_t)(f.len - IP6_HDR)));
	} else {
		rig_ip(&f)->packet_id = (uint16_t)id;
		rig_ip(&f)->fragment_offset = rte_cpu_to_be_16((uint16_t)(from / 8 | (more ? 0x2000 : 0)));
		rig_ip(&f)->total_length = rte_cpu_to_be_16(f.len);
		rig_cksum(&f);
	}
	struct rte_mbuf *m = rig_mbuf(&f);

	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = v6 ? PKT_V6 : 0};
	m->port = RIG_WAN;
	return m;
}

static struct rte_mbuf *cut(const struct rig_bytes *ip, uint16_t from, uint16_t to, bool more)
{
	bool v6 = ip->b[0] >> 4 == 6;

	return cut_at(ip, v6 ? IP6_HDR : IP4, 6, from, to, more);
}

static void push(const struct rig_bytes *ip, uint16_t from, uint16_t to, bool more)
{
	reasm_push(rig, cut(ip, from, to, more));
}

static void body(struct rig_bytes *ip, bool v6, uint16_t len)
{
	wide_udp(ip, v6, wide_peer[v6], wide_us[v6], 0, (uint16_t)((v6 ? IP6_HDR : IP4) + len));
	if (!v6) {
		rig_ip(ip)->fragment_offset = 0;
		rig_ip(ip)->packet_id = (uint16_t)id;
		rig_cksum(ip);
	}
	ip->b[(v6 ? IP6_HDR : IP4) + 3] = 77; /* no ESP in UDP */
}

/* What has come of it: this packet; NULL: none. */
static void came(const struct rig_bytes *ip)
{
	assert_int_equal(rig->fwd.n, ip != NULL);
	if (ip != NULL) {
		struct rte_mbuf *m = rig->fwd.m[0];

		assert_int_equal(m->data_len, ip->len);
		assert_int_equal(m->pkt_len, ip->len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), ip->b, ip->len);
		rte_pktmbuf_free(m);
		rig->fwd.n = 0;
	}
	drop_flush(rig);
}

static void nothing_held(void)
{
	drop_flush(rig);
	assert_int_equal(rte_mempool_in_use_count(rig->pool), 0);
}

static void later(unsigned ms)
{
	rig->now_tsc += rig->tsc_hz / 1000 * ms;
}

/* --- the order --- */

static void any_order_makes_the_packet(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (unsigned o = 0; o < 256; o++, id++) {
			unsigned order[4] = {o & 3, o >> 2 & 3, o >> 4 & 3, o >> 6}, seen = 0;

			for (unsigned i = 0; i < 4; i++)
				seen |= 1u << order[i];
			if (seen != 15)
				continue;
			body(&ip, v6, BODY - 3);
			for (unsigned i = 0; i < 4; i++) {
				uint16_t from = (uint16_t)(order[i] * QUARTER);

				assert_int_equal(rig->fwd.n, 0);
				push(&ip, from, (uint16_t)(order[i] == 3 ? BODY - 3 : from + QUARTER), order[i] != 3);
			}
			came(&ip);
			nothing_held();
		}
	}
	rig_dropped_none();
	assert_int_equal(rig->count.joined, 2 * 24 * 3);
}

static const struct {
	const char *name;
	struct {
		uint16_t from, to;
		bool more;
	} f[6];
	bool whole;
	enum stats_drop why;
	uint16_t dropped;
} row[] = {
	{"a copy of the first", {{0, 64, 1}, {0, 64, 1}, {64, 256, 0}}, true, DROP_FRAGMENT, 1},
	{"a copy of the last", {{192, 256, 0}, {192, 256, 0}, {0, 192, 1}}, true, DROP_FRAGMENT, 1},
	{"an overlap to the left", {{0, 64, 1}, {56, 256, 0}}, false, DROP_FRAG_OVERLAP, 2},
	{"an overlap to the right", {{64, 256, 0}, {0, 72, 1}}, false, DROP_FRAG_OVERLAP, 2},
	{"one in the other", {{0, 192, 1}, {64, 128, 1}, {192, 256, 0}}, false, DROP_FRAG_OVERLAP, 3},
	{"one around the other", {{64, 128, 1}, {0, 192, 1}, {192, 256, 0}}, false, DROP_FRAG_OVERLAP, 3},
	{"the same start, longer", {{0, 64, 1}, {0, 128, 1}}, false, DROP_FRAG_OVERLAP, 2},
	{"two ends", {{192, 256, 0}, {128, 192, 0}}, false, DROP_FRAG_OVERLAP, 2},
	{"two ends, the later one last", {{128, 192, 0}, {192, 256, 0}}, false, DROP_FRAG_OVERLAP, 2},
	{"behind the end", {{64, 128, 0}, {128, 192, 1}}, false, DROP_FRAG_OVERLAP, 2},
	{"up to the end, and more", {{64, 128, 0}, {0, 64, 1}}, true, DROP_N, 0},
	{"an end before what is there", {{128, 192, 1}, {64, 128, 0}}, false, DROP_FRAG_OVERLAP, 2},
	{"what follows the death dies too",
	 {{0, 64, 1}, {0, 72, 1}, {64, 256, 0}, {0, 64, 1}},
	 false,
	 DROP_FRAG_OVERLAP,
	 4},
	{"an empty one", {{64, 64, 1}, {0, 64, 1}, {64, 256, 0}}, true, DROP_FRAGMENT, 1},
	{"an empty end", {{0, 256, 1}, {256, 256, 0}}, false, DROP_FRAGMENT, 1},
	{"no multiple of 8", {{0, 63, 1}}, false, DROP_FRAGMENT, 1},
	{"a gap", {{0, 64, 1}, {128, 256, 0}}, false, DROP_N, 0},
	{"only ends", {{248, 256, 0}}, false, DROP_N, 0},
	{"of 8 octets", {{0, 8, 1}, {8, 16, 1}, {16, 256, 0}}, true, DROP_N, 0},
};

static void what_does_not_fit_together_is_lost(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		for (unsigned v6 = 0; v6 < 2; v6++, id++) {
			uint16_t len = 0, held;

			print_message("# %s, IPv%u\n", row[i].name, v6 ? 6 : 4);
			memset(rig->count.drop, 0, sizeof(rig->count.drop));
			body(&ip, v6, BODY);
			for (unsigned f = 0; f < 6 && row[i].f[f].to != 0; f++) {
				push(&ip, row[i].f[f].from, row[i].f[f].to, row[i].f[f].more);
				if (!row[i].f[f].more)
					len = row[i].f[f].to;
			}
			if (row[i].whole && len != BODY) { /* its length fields say less */
				ip.len = (uint16_t)(ip.len - BODY + len);
				if (v6) {
					una_put16(ip.b + 4, rte_cpu_to_be_16(len));
				} else {
					rig_ip(&ip)->total_length = rte_cpu_to_be_16(ip.len);
					rig_cksum(&ip);
				}
			}
			if (rig->fwd.n > row[i].whole) { /* IPv6: its sender is told */
				assert_true(v6 && row[i].why == DROP_FRAGMENT);
				rte_pktmbuf_free(rig->fwd.m[0]);
				rig->fwd.m[0] = rig->fwd.m[--rig->fwd.n];
			}
			came(row[i].whole ? &ip : NULL);
			rig_dropped(row[i].why == DROP_N ? DROP_RUNT : row[i].why, row[i].dropped);
			held = (uint16_t)rte_mempool_in_use_count(rig->pool);
			later(REASM_LIFE_MS);
			reasm_age(rig);
			rte_pktmbuf_free_bulk(rig->fwd.m, rig->fwd.n);
			rig->fwd.n = 0;
			assert_int_equal(rig->count.drop[DROP_REASM_TIMEOUT], held);
			nothing_held();
		}
	}
}

/* RFC 8200 4.5: parameter problem, at the payload length and at the offset. */
static void who_sends_impossible_fragments_hears_of_it(void **state)
{
	static const struct {
		uint16_t from, len;
		bool more;
		uint32_t at;
	} bad[] = {{0, 63, true, 4}, {65528, 64, false, 42}, {65472, 64, true, 42}};
	static struct rig_bytes ip;
	(void)state;

	for (unsigned i = 0; i < 3; i++) {
		struct rte_mbuf *m;
		const uint8_t *p;

		body(&ip, true, BODY);
		m = cut(&ip, 0, bad[i].len, bad[i].more);
		una_put16(rte_pktmbuf_mtod_offset(m, uint8_t *, IP6_HDR + 2),
			  rte_cpu_to_be_16((uint16_t)(bad[i].from | bad[i].more)));
		reasm_push(rig, m);
		assert_int_equal(rig->fwd.n, 1);
		p = rte_pktmbuf_mtod(rig->fwd.m[0], const uint8_t *);
		assert_int_equal(p[40], 4);
		assert_int_equal(p[41], 0);
		assert_int_equal(rte_be_to_cpu_32(una_get32(p + 44)), bad[i].at);
		rte_pktmbuf_free(rig->fwd.m[--rig->fwd.n]);
	}
	rig_dropped(DROP_FRAGMENT, 3);
	nothing_held();
}

/* --- what belongs together --- */

static void strangers_are_never_mixed(void **state)
{
	static const struct {
		const char *name;
		bool v6;
		uint16_t at; /* octet of the second one that is another */
		uint8_t flags;
	} other[] = {{"source", false, 15, 0},
		     {"destination", false, 19, 0},
		     {"identification", false, 5, 0},
		     {"protocol", false, 9, 0},
		     {"out of a tunnel", false, 0, PKT_DECAPPED},
		     {"source", true, 8, 0},
		     {"destination", true, 39, 0},
		     {"identification", true, 47, 0},
		     {"out of a tunnel", true, 0, PKT_DECAPPED}};
	struct rig_bytes ip;
	(void)state;

	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++, id++) {
		struct rte_mbuf *m;

		body(&ip, other[i].v6, BODY);
		push(&ip, 0, QUARTER, true);
		m = cut(&ip, QUARTER, BODY, false);
		if (other[i].at != 0)
			rte_pktmbuf_mtod(m, uint8_t *)[other[i].at] ^= 0x10;
		pkt_of(m)->flags |= other[i].flags;
		reasm_push(rig, m);
		came(NULL);
	}
	rig_dropped_none();
}

static void the_whole_is_what_its_first_one_was(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned v6 = 0; v6 < 2; v6++, id++) {
		struct rte_mbuf *m[2];

		body(&ip, v6, BODY);
		for (unsigned i = 0; i < 2; i++) {
			m[i] = cut(&ip, i ? QUARTER : 0, i ? BODY : QUARTER, !i);
			pkt_of(m[i])->flags |= PKT_DECAPPED;
			reasm_push(rig, m[i]);
		}
		assert_int_equal(rig->fwd.n, 1);
		assert_int_equal(pkt_of(rig->fwd.m[0])->flags, PKT_DECAPPED | (v6 ? PKT_V6 : 0));
		assert_int_equal(rig->fwd.m[0]->port, RIG_WAN);
		came(&ip);
	}
	/* headers in front of the fragment header stay */
	body(&ip, true, BODY);
	wide_insert(&ip, DEST_OPTIONS, (const uint8_t[8]){IPPROTO_UDP, 0, 1, 4}, 8);
	reasm_push(rig, cut_at(&ip, IP6_HDR + 8, IP6_HDR, QUARTER, BODY, false));
	reasm_push(rig, cut_at(&ip, IP6_HDR + 8, IP6_HDR, 0, QUARTER, true));
	came(&ip);
	nothing_held();
}

static void congestion_is_not_forgotten(void **state)
{
	static const struct {
		uint8_t a, b, is; /* 4: lost */
	} t[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}, {2, 3, 3}, {3, 2, 3},
		 {1, 3, 3}, {3, 1, 3}, {0, 3, 4}, {3, 0, 4}, {2, 1, 2}, {0, 2, 0}};
	unsigned lost = 0;
	(void)state;

	for (unsigned i = 0; i < 2 * sizeof(t) / sizeof(t[0]); i++, id++) {
		struct rig_bytes a, b;
		bool v6 = i & 1;

		body(&a, v6, BODY);
		b = a;
		a.b[1] |= (uint8_t)(v6 ? t[i / 2].a << 4 : t[i / 2].a);
		b.b[1] |= (uint8_t)(v6 ? t[i / 2].b << 4 : t[i / 2].b);
		push(&b, QUARTER, BODY, false);
		push(&a, 0, QUARTER, true);
		if (t[i / 2].is == 4) {
			came(NULL);
			lost += 2;
			continue;
		}
		a.b[1] = (uint8_t)(v6 ? (a.b[1] & 0xcf) | t[i / 2].is << 4 : t[i / 2].is);
		if (!v6)
			rig_cksum(&a);
		came(&a);
	}
	rig_dropped(DROP_ECN, lost);
	nothing_held();
}

/* --- how much --- */

/* A packet of 65535 octets in pieces of `step`; how many. */
static unsigned huge(bool v6, uint16_t step, uint16_t total)
{
	uint16_t head = v6 ? IP6_HDR : IP4, text = (uint16_t)(total - head);
	unsigned n = 0;

	for (uint32_t at = 0; at < text; at += step, n++) {
		uint16_t len = (uint16_t)(text - at < step ? text - at : step);
		struct rig_bytes ip;
		struct rte_mbuf *m;

		body(&ip, v6, len);
		for (uint16_t i = 0; i < len; i++)
			ip.b[head + i] = (uint8_t)((at + i) * 7 >> 3);
		m = cut(&ip, 0, len, at + len < text);
		if (v6)
			una_put16(rte_pktmbuf_mtod_offset(m, uint8_t *, 42),
				  rte_cpu_to_be_16((uint16_t)(at | (at + len < text))));
		else
			pkt_ip(m)->fragment_offset =
				rte_cpu_to_be_16((uint16_t)(at / 8 | (at + len < text ? 0x2000 : 0)));
		reasm_push(rig, m);
	}
	return n;
}

static void the_largest_packet_is_made(void **state)
{
	static const uint16_t size[] = {1800, 1920, 1921, 2048, 9000, HUGE - 128, HUGE - 8};
	(void)state;

	for (unsigned i = 0; i < 2 * sizeof(size) / sizeof(size[0]); i++, id++) {
		bool v6 = i & 1;
		uint16_t total = size[i / 2], head = v6 ? IP6_HDR : IP4;
		const uint8_t *p;

		huge(v6, 1448, total);
		assert_int_equal(rig->fwd.n, 1);
		assert_int_equal(rig->fwd.m[0]->data_len, total);
		p = rte_pktmbuf_mtod(rig->fwd.m[0], const uint8_t *);
		for (uint16_t at = 0; at < total - head; at++)
			assert_int_equal(p[head + at], (uint8_t)(at * 7 >> 3));
		rte_pktmbuf_free(rig->fwd.m[--rig->fwd.n]);
		nothing_held();
	}
	huge(false, 1480, HUGE); /* IPv6: as large with its fragment header */
	assert_int_equal(rig->fwd.n, 1);
	assert_int_equal(rte_be_to_cpu_16(pkt_ip(rig->fwd.m[0])->total_length), HUGE);
	rte_pktmbuf_free(rig->fwd.m[--rig->fwd.n]);
	rig_dropped_none();
}

/* The first one's options make it too large, which none alone shows. */
static void a_header_can_be_the_last_straw(void **state)
{
	struct rig_bytes ip = {0};
	struct rte_mbuf *m;
	unsigned n;
	(void)state;

	body(&ip, false, 1480);
	m = cut(&ip, 0, 1480, true);
	rte_pktmbuf_prepend(m, 40);
	memmove(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod_offset(m, void *, 40), IP4);
	memset(rte_pktmbuf_mtod_offset(m, void *, IP4), 1, 40);
	pkt_ip(m)->version_ihl = 0x4f;
	reasm_push(rig, m);
	n = huge(false, 1480, HUGE); /* its first is a copy */
	came(NULL);
	assert_int_equal(rig->count.drop[DROP_FRAGMENT], n + 1);
	nothing_held();
}

static void too_many_pieces_are_refused(void **state)
{
	(void)state;

	assert_int_equal(huge(false, 8, IP4 + 8 * (REASM_PIECES + 1)), REASM_PIECES + 1);
	came(NULL);
	rig_dropped(DROP_REASM_FULL, 1);
	id++;
	huge(false, 8, IP4 + 8 * REASM_PIECES);
	assert_int_equal(rig->fwd.n, 1);
	rte_pktmbuf_free(rig->fwd.m[--rig->fwd.n]);
}

static void a_flood_leaves_room_for_others(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned i = 0; i < 2000; i++, id++, rig->now_tsc++) { /* first fragments */
		body(&ip, i & 1, BODY);
		push(&ip, 0, QUARTER, true);
		drop_flush(rig);
		assert_in_range(rte_mempool_in_use_count(rig->pool), 1, REASM_PACKETS);
	}
	rig_dropped(DROP_REASM_FULL, 2000 - REASM_PACKETS);
	for (unsigned i = 0; i < 20; i++, id++, rig->now_tsc++) { /* and many pieces of each */
		body(&ip, i & 1, BODY);
		for (uint16_t at = 8; at < 8 + 60 * 8; at = (uint16_t)(at + 8)) {
			struct rte_mbuf *m = cut(&ip, 8, 16, true);
			uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

			una_put16(p + (i & 1 ? 42 : 6), rte_cpu_to_be_16((uint16_t)(i & 1 ? at | 1 : at / 8 | 0x2000)));
			reasm_push(rig, m);
			drop_flush(rig);
			assert_in_range(rte_mempool_in_use_count(rig->pool), 1, REASM_MBUFS);
		}
	}
	assert_true(rte_mempool_in_use_count(rig->pool) > REASM_MBUFS - 64);
	body(&ip, false, BODY);
	push(&ip, QUARTER, BODY, false);
	push(&ip, 0, QUARTER, true);
	came(&ip);
	later(REASM_LIFE_MS);
	reasm_age(rig);
	rte_pktmbuf_free_bulk(rig->fwd.m, rig->fwd.n);
	rig->fwd.n = 0;
	nothing_held();
}

/* --- how long --- */

static void what_is_not_whole_in_time_is_given_up(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (unsigned i = 0; i < 4; i++, id++) {
		bool v6 = i & 1, first = i & 2;

		memset(&rig->count, 0, sizeof(rig->count));
		body(&ip, v6, BODY);
		push(&ip, first ? 0 : QUARTER, 2 * QUARTER, true);
		later(REASM_LIFE_MS - 1);
		reasm_age(rig);
		rig_dropped_none();
		later(1);
		reasm_age(rig);
		rig_dropped(DROP_REASM_TIMEOUT, 1);
		assert_int_equal(rig->fwd.n, first);
		if (first) {
			const uint8_t *p = rte_pktmbuf_mtod(rig->fwd.m[0], const uint8_t *);
			uint16_t at = v6 ? IP6_HDR : IP4;

			assert_int_equal(p[at], v6 ? 3 : 11);
			assert_int_equal(p[at + 1], 1);
			assert_memory_equal(v6 ? p + 24 : p + 16, wide_peer[v6], v6 ? 16 : 4);
			rte_pktmbuf_free(rig->fwd.m[--rig->fwd.n]);
		}
		nothing_held();
		push(&ip, 2 * QUARTER, BODY, false); /* too late for the others: a packet of its own */
		came(NULL);
		later(REASM_LIFE_MS);
		reasm_age(rig);
	}
}

static void a_dead_ones_number_can_be_used_again(void **state)
{
	struct rig_bytes ip;
	(void)state;

	body(&ip, false, BODY);
	push(&ip, 0, QUARTER, true);
	push(&ip, 8, QUARTER, true);
	rig_dropped(DROP_FRAG_OVERLAP, 2);
	later(REASM_LIFE_MS);
	push(&ip, 0, QUARTER, true); /* whether reasm_age() was there or not */
	push(&ip, QUARTER, BODY, false);
	came(&ip);
	push(&ip, 0, QUARTER, true);
	push(&ip, 8, QUARTER, true);
	later(REASM_LIFE_MS);
	reasm_age(rig);
	push(&ip, 0, QUARTER, true);
	push(&ip, QUARTER, BODY, false);
	came(&ip);
	nothing_held();
}

/* --- two workers --- */

static void all_pieces_go_to_one_worker(void **state)
{
	static struct worker other;
	struct rte_mbuf *m[VEC_BURST];
	struct rig_bytes ip;
	unsigned here, there;
	(void)state;

	rig->n_workers = 2;
	other = (struct worker){.id = 1,
				.n_workers = 2,
				.pool = rig->pool,
				.handoff = rig->handoff,
				.sad = rig->sad,
				.tsc_hz = rig->tsc_hz,
				.now_tsc = rig->now_tsc};
	other.reasm = reasm_new(1, SOCKET_ID_ANY);
	for (unsigned i = 0; i < 100; i++, id++) {
		body(&ip, i & 1, BODY);
		push(&ip, QUARTER, BODY, false);
		push(&ip, 0, QUARTER, true);
		handoff_flush(rig);
		classify_handed(&other, m, handoff_pop(&other, m, VEC_BURST));
	}
	here = rig->fwd.n;
	there = other.fwd.n;
	assert_int_equal(here + there, 100);
	assert_in_range(here, 25, 75);
	rte_pktmbuf_free_bulk(rig->fwd.m, here);
	rte_pktmbuf_free_bulk(other.fwd.m, there);
	rig->fwd.n = 0;
	reasm_free(other.reasm);
	nothing_held();
}

/* --- what it is for --- */

static void halves(const struct rig_bytes *ip)
{
	uint16_t head = ip->b[0] >> 4 == 6 ? IP6_HDR : IP4, len = (uint16_t)(ip->len - head);

	push(ip, 104, len, false);
	push(ip, 0, 104, true);
}

static void esp_in_fragments_is_deciphered(void **state)
{
	(void)state;

	for (unsigned i = 0; i < 4; i++, id++) {
		struct msg_tunnel_set t = wide_tunnel(1, i & 1 ? 6 : 4);
		struct rig_sa in = wide_sa(1, MSG_DIR_IN, 1, t.family);
		struct rig_bytes ip, outer, got;
		struct msg_sa_event gone;

		wide_tunnel_set(&t);
		if (i & 2) {
			in.encap = true;
			in.add.flags |= MSG_SA_ENCAP_UDP;
			in.add.local_port = in.add.remote_port = 4500;
		}
		assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
		wide_inner(&ip, false, MSG_DIR_IN, 0, 1400);
		wide_seal(&outer, &in, &ip, 4, 0);
		if (t.family == 4)
			rig_ip(&outer)->fragment_offset = 0;
		halves(&outer);
		assert_int_equal(rig->fwd.n, 0);
		assert_int_equal(rig->esp.n, 1);
		rig_run();
		rig_tx_ip(RIG_LAN, &got);
		rig_ip(&ip)->time_to_live--;
		rig_cksum(&ip);
		assert_int_equal(got.len, ip.len);
		assert_memory_equal(got.b, ip.b, ip.len);
		assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &gone), 0);
	}
	rig_dropped_none();
	nothing_held();
}

/* No tunnel to us inside a tunnel to us, in fragments neither. */
static void esp_in_fragments_in_a_tunnel_is_not(void **state)
{
	struct rig_bytes ip, outer;
	struct rig_sa in, out;
	struct rte_mbuf *m;
	(void)state;

	rig_sa_pair(0, &in, &out);
	wide_inner(&ip, false, MSG_DIR_IN, 0, 400);
	wide_seal(&outer, &in, &ip, 4, 0);
	rig_ip(&outer)->fragment_offset = 0;
	for (unsigned i = 0; i < 2; i++) {
		m = cut(&outer, i ? 104 : 0, (uint16_t)(i ? outer.len - IP4 : 104), !i);
		pkt_of(m)->flags |= PKT_DECAPPED;
		reasm_push(rig, m);
	}
	rig_run();
	rig_dropped(DROP_RECURSION, 1);
	nothing_held();
}

static void rx(const struct rig_bytes *ip, uint16_t from, uint16_t to, bool more)
{
	struct rte_mbuf *m = cut(ip, from, to, more);
	struct rig_bytes b = {.len = m->data_len}, f;

	memcpy(b.b, rte_pktmbuf_mtod(m, void *), b.len);
	rte_pktmbuf_free(m);
	rig_frame(&f, RIG_WAN, &b);
	rig_rx(RIG_WAN, &f);
}

static void ike_in_fragments_reaches_its_ring(void **state)
{
	struct rig_bytes ip;
	(void)state;

	body(&ip, false, BODY);
	una_put16(ip.b + 20, RTE_BE16(500));
	una_put16(ip.b + 22, RTE_BE16(500));
	ip.b[20 + 8 + 17] = 0x20;
	for (uint16_t at = 0; at < BODY; at = (uint16_t)(at + QUARTER))
		rx(&ip, (uint16_t)(BODY - QUARTER - at), (uint16_t)(BODY - at), at != 0);
	rig_run();
	rig_dropped(DROP_PUNT_FULL, 1); /* the rig has no control plane; until here it was good */
	rig_settle(0);
}

/* A ping of any size is answered; the answer is cut. D10 */
static void the_largest_echo_is_answered(void **state)
{
	static const uint16_t size[] = {1501, 3000, 9000, HUGE - 200, HUGE};
	static uint8_t text[HUGE];
	(void)state;

	for (unsigned s = 0; s < sizeof(size) / sizeof(size[0]); s++, id++) {
		uint16_t len = (uint16_t)(size[s] - IP4), sum, got = 0, next = 0;
		struct rig_bytes ip, f;
		unsigned n = 0;

		for (unsigned i = 0; i < len; i++)
			text[i] = (uint8_t)(i * 11 >> 2);
		memset(text, 0, 8);
		text[0] = 8;
		sum = (uint16_t)~rte_raw_cksum(text, len);
		memcpy(text + 2, &sum, 2);
		for (uint32_t at = 0; at < len; at += 1480, n++) {
			uint16_t part = (uint16_t)(len - at < 1480 ? len - at : 1480);
			struct rte_mbuf *m;
			struct rig_bytes b;

			body(&b, false, part);
			b.b[9] = IPPROTO_ICMP;
			memcpy(b.b + IP4, text + at, part);
			m = cut(&b, 0, part, at + part < len);
			pkt_ip(m)->fragment_offset =
				rte_cpu_to_be_16((uint16_t)(at / 8 | (at + part < len ? 0x2000 : 0)));
			ip.len = m->data_len;
			memcpy(ip.b, pkt_ip(m), ip.len);
			rte_pktmbuf_free(m);
			rig_cksum(&ip);
			rig_frame(&f, RIG_WAN, &ip);
			rig_rx(RIG_WAN, &f);
		}
		rig_run();
		text[0] = 0;
		while (got < len) {
			uint16_t frag;

			rig_tx_ip(RIG_WAN, &ip);
			frag = rte_be_to_cpu_16(rig_ip(&ip)->fragment_offset);
			assert_int_equal((frag & 0x1fff) * 8, next);
			assert_true(ip.len <= RIG_MTU);
			for (uint16_t i = 0; i < ip.len - IP4; i++)
				if (next + i != 2 && next + i != 3)
					assert_int_equal(ip.b[IP4 + i], text[next + i]);
			next = got = (uint16_t)(got + ip.len - IP4);
			assert_int_equal(!!(frag & 0x2000), got < len);
		}
		rig_tx_nothing();
		rig_dropped_none();
		nothing_held();
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, reset, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_order_makes_the_packet),
		T(what_does_not_fit_together_is_lost),
		T(who_sends_impossible_fragments_hears_of_it),
		T(strangers_are_never_mixed),
		T(the_whole_is_what_its_first_one_was),
		T(congestion_is_not_forgotten),
		T(the_largest_packet_is_made),
		T(a_header_can_be_the_last_straw),
		T(too_many_pieces_are_refused),
		T(a_flood_leaves_room_for_others),
		T(what_is_not_whole_in_time_is_given_up),
		T(a_dead_ones_number_can_be_used_again),
		T(all_pieces_go_to_one_worker),
		T(esp_in_fragments_is_deciphered),
		T(esp_in_fragments_in_a_tunnel_is_not),
		T(ike_in_fragments_reaches_its_ring),
		T(the_largest_echo_is_answered),
	};

	return cmocka_run_group_tests_name("reasm", tests, rig_start, rig_stop);
}
