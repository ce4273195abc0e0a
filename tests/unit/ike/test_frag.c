#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/frag.h"
#include "controlplane/ike/payload.h"

static const struct ike_hdr hdr = {
	.spi_i = 0x1111, .spi_r = 0x2222, .exchange = IKE_X_AUTH, .flags = IKE_FLAG_INITIATOR, .mid = 1};
static const struct secret gcm = {.len = 36, .b = {1, 2, 3}};
static uint8_t buf[IKE_MSG_MAX], text[IKE_MSG_MAX];

static void no_random(void *ctx, void *p, size_t len)
{
	(void)ctx;
	memset(p, 0x42, len);
}

static const struct ike_env env = {.random = no_random};

static struct sk_key key(void)
{
	return (struct sk_key){.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256), .e = &gcm};
}

/* A message of one Vendor ID payload of n octets, in fragments of at most limit; the fragments behind each other. */
static uint8_t *cut(struct sk_key *k, size_t n, size_t limit, size_t *len)
{
	struct wire_out o;

	wire_msg_begin(&o, buf, sizeof(buf), &hdr);
	sk_begin(&o, k);
	wire_payload(&o, IKE_PL_VENDOR);
	for (size_t i = 0; i < n; i++)
		wr_u8(&o.w, (uint8_t)i);
	return frag_seal(&o, k, limit, &env, len);
}

/* The ith of them. */
static struct ike_msg nth(const uint8_t *all, size_t len, unsigned i)
{
	static struct ike_msg m;

	for (;; i--) {
		size_t n = (size_t)all[24] << 24 | (size_t)all[25] << 16 | (size_t)all[26] << 8 | all[27];

		assert_true(n <= len);
		if (i == 0) {
			assert_int_equal(wire_parse(all, n, &m), IKE_V_OK);
			assert_true(m.is_fragment);
			return m;
		}
		all += n;
		len -= n;
	}
}

/* One fragment by hand, with whatever numbers. */
static struct ike_msg forge(uint8_t *to, uint16_t num, uint16_t total, uint8_t next, size_t n, uint32_t mid)
{
	static struct ike_msg m;
	struct sk_key k = key();
	struct ike_hdr h = hdr;
	struct wire_out o;
	size_t len;

	h.mid = mid;
	k.iv = (uint64_t)mid << 32 | (uint64_t)num << 16 | total;
	wire_msg_begin(&o, to, IKE_MSG_MAX, &h);
	sk_begin_fragment(&o, &k, num, total, next);
	wr_zero(&o.w, n);
	len = sk_seal(&o, &k, text);
	assert_true(len > 0);
	assert_int_equal(wire_parse(to, len, &m), IKE_V_OK);
	return m;
}

static enum frag_verdict take(struct frag_set *s, const struct ike_msg *m, size_t *len, uint64_t now_ms)
{
	const struct sk_key k = key();

	return frag_take(s, m, &k, text, sizeof(text), len, now_ms);
}

static void whole(const struct frag_set *s, size_t len, size_t n)
{
	struct ike_chain c;

	assert_int_equal(s->next, IKE_PL_VENDOR);
	assert_int_equal(wire_chain_parse(s->next, rd_of(text, len), &c), IKE_V_OK);
	assert_int_equal(c.n, 1);
	assert_int_equal(rd_left(&c.pl[0].body), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(c.pl[0].body.p[i], (uint8_t)i);
}

static void what_is_cut_is_put_together_in_any_order(void **state)
{
	static const size_t sizes[] = {1, 50, 400, 3000, 60000};
	static const size_t limits[] = {70, 548, 1252};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(sizes); i++)
		for (size_t l = 0; l < N_ELEMS(limits); l++)
			for (int backwards = 0; backwards < 2; backwards++) {
				struct sk_key k = key();
				struct frag_set s = {.total = 0};
				size_t len, got = 0;
				uint8_t *all = cut(&k, sizes[i], limits[l], &len);
				unsigned total;

				if (sizes[i] >= 3000 && l == 0) {
					assert_null(all); /* more than 255 of them */
					continue;
				}
				total = nth(all, len, 0).frag_total;
				for (unsigned f = 0; f < total; f++) {
					struct ike_msg m = nth(all, len, backwards ? total - 1 - f : f);

					assert_true(m.len <= limits[l]);
					assert_int_equal(m.frag_num == 1 ? IKE_PL_VENDOR : 0, m.sk_next);
					assert_int_equal(take(&s, &m, &got, 5), f + 1 < total ? FRAG_KEPT : FRAG_WHOLE);
				}
				whole(&s, got, sizes[i]);
				frag_drop(&s);
				free(all);
			}
}

/* RFC 7383 2.6, one check after the other. */
static void numbers_that_cannot_be_are_dropped(void **state)
{
	static const struct {
		uint16_t num, total;
		uint8_t next;
		enum frag_verdict v;
	} row[] = {
		{0, 3, 0, FRAG_BAD},
		{4, 3, 0, FRAG_BAD},
		{0, 0, 0, FRAG_BAD},
		{1, 0, IKE_PL_VENDOR, FRAG_BAD},
		{65535, 3, 0, FRAG_BAD},
		{2, 3, IKE_PL_VENDOR, FRAG_BAD}, /* only the first has a type */
		{1, 2, IKE_PL_VENDOR, FRAG_BAD}, /* of an older cut */
		{3, 3, 0, FRAG_REPEAT},
		{1, 256, IKE_PL_VENDOR, FRAG_FLOOD},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(row); i++) {
		struct frag_set s = {.total = 0};
		struct ike_msg m = forge(buf, 3, 3, 0, 20, 1);
		size_t len;

		assert_int_equal(take(&s, &m, &len, 0), FRAG_KEPT);
		m = forge(buf, row[i].num, row[i].total, row[i].next, 20, 1);
		assert_int_equal(take(&s, &m, &len, 0), row[i].v);
		assert_int_equal(s.have, row[i].v == FRAG_FLOOD ? 0 : 1);
		frag_drop(&s);
	}
}

static void a_forged_fragment_changes_nothing(void **state)
{
	struct frag_set s = {.total = 0};
	struct ike_msg m = forge(buf, 2, 3, 0, 20, 1);
	size_t len;

	(void)state;
	assert_int_equal(take(&s, &m, &len, 0), FRAG_KEPT);
	for (uint16_t total = 3; total < 9; total += 5) {
		m = forge(buf, 1, total, IKE_PL_VENDOR, 20, 1);
		buf[m.len - 1] ^= 1;
		assert_int_equal(take(&s, &m, &len, 0), FRAG_FORGED);
		assert_int_equal(s.have, 1);
		assert_int_equal(s.total, 3);
	}
	/* number and total are protected (2.5) */
	m = forge(buf, 3, 3, 0, 20, 1);
	m.frag_num = 1;
	buf[33] = 1;
	assert_int_equal(take(&s, &m, &len, 0), FRAG_FORGED);
	frag_drop(&s);
}

/* 2.5.2, 2.6: a newer cut of the message replaces what is there of the older one. */
static void a_newer_cut_begins_anew(void **state)
{
	struct frag_set s = {.total = 0};
	struct sk_key k = key();
	size_t len, len2, got = 0;
	uint8_t *old = cut(&k, 900, 548, &len), *new = cut(&k, 900, 300, &len2);
	struct ike_msg m = nth(old, len, 0);
	unsigned total = nth(new, len2, 0).frag_total;

	(void)state;
	assert_true(total > m.frag_total);
	assert_int_equal(take(&s, &m, &got, 0), FRAG_KEPT);
	for (unsigned i = 0; i < total; i++) {
		m = nth(new, len2, i);
		assert_int_equal(take(&s, &m, &got, 0), i + 1 < total ? FRAG_KEPT : FRAG_WHOLE);
		m = nth(old, len, 1);
		if (i == 0)
			assert_int_equal(take(&s, &m, &got, 0), FRAG_BAD);
	}
	/* take() of the last one wrote text; nothing has since */
	whole(&s, got, 900);
	frag_drop(&s);
	free(old);
	free(new);
}

/* 2.6: what is never complete is forgotten; so is it when the next message comes. */
static void an_incomplete_message_is_forgotten(void **state)
{
	struct frag f = {.on = true};
	struct ike_msg m = forge(buf, 2, 3, 0, 20, 1);
	size_t len;

	(void)state;
	assert_true(frag_deadline(&f) == UINT64_MAX);
	assert_int_equal(take(&f.set[0], &m, &len, 1000), FRAG_KEPT);
	assert_int_equal(frag_deadline(&f), 1000 + FRAG_MS);
	frag_tick(&f, 999 + FRAG_MS);
	assert_int_equal(f.set[0].have, 1);
	m = forge(buf, 2, 3, 0, 20, 2);
	assert_int_equal(take(&f.set[0], &m, &len, 2000), FRAG_KEPT);
	assert_int_equal(f.set[0].have, 1);
	assert_int_equal(f.set[0].mid, 2);
	m = forge(buf, 2, 3, 0, 20, 2);
	assert_int_equal(take(&f.set[0], &m, &len, 2000 + FRAG_MS), FRAG_KEPT); /* too late to be a repeat */
	frag_tick(&f, 2000 + 2 * FRAG_MS);
	assert_true(frag_deadline(&f) == UINT64_MAX);
	assert_int_equal(f.set[0].have, 0);
	frag_fini(&f);
}

/* RFC 7383 5, A20, A21: octets and fragments are bounded, and nothing is left of a flood. */
static void a_flood_is_forgotten(void **state)
{
	struct frag_set s = {.total = 0};
	struct ike_msg m;
	size_t len;
	unsigned i;

	(void)state;
	for (i = 255; i > 0; i--) {
		enum frag_verdict v;

		m = forge(buf, (uint16_t)i, 255, i == 1 ? IKE_PL_VENDOR : 0, 1000, 1);
		v = take(&s, &m, &len, 0);
		if (v == FRAG_FLOOD)
			break;
		assert_int_equal(v, FRAG_KEPT);
		assert_true(s.octets <= FRAG_OCTETS_MAX);
	}
	assert_int_equal(255 - i, 65); /* 65 of 1000 octets fit into 65535, one more does not */
	assert_int_equal(s.total, 0);
	m = forge(buf, 65535, 65535, 0, 10, 1);
	assert_int_equal(take(&s, &m, &len, 0), FRAG_FLOOD);
	assert_null(s.piece);
}

/* 2.5.3: a fragment may be empty; a message of nothing but such is empty too. */
static void fragments_may_be_empty(void **state)
{
	struct frag_set s = {.total = 0};
	struct ike_msg m;
	size_t len = 99;

	(void)state;
	for (uint16_t i = 1; i <= 255; i++) {
		m = forge(buf, i, 255, 0, 0, 1);
		assert_int_equal(take(&s, &m, &len, 0), i < 255 ? FRAG_KEPT : FRAG_WHOLE);
	}
	assert_int_equal(len, 0);
	frag_drop(&s);
}

static unsigned n_sent;
static size_t longest;

static void count_sent(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)path;
	(void)msg;
	n_sent++;
	longest = len > longest ? len : longest;
}

static void cutting_smaller_keeps_the_inside(void **state)
{
	const struct ike_path path = {.remote = ip_v4(1), .encap = true};
	const struct ike_env sender = {.random = no_random, .send = count_sent};
	struct frag f = {.on = true, .size = 1280};
	struct frag_set s = {.total = 0};
	struct sk_key k = key();
	size_t len, len2, got = 0;
	uint8_t *all = cut(&k, 3000, frag_limit(&path, 1280), &len), *small;
	uint8_t *scratch = xcalloc(1, IKE_MSG_MAX);

	(void)state;
	n_sent = 0;
	longest = 0;
	assert_int_equal(frag_send(&sender, &path, all, len), 3);
	assert_int_equal(n_sent, 3);
	assert_int_equal(longest, 1280 - 32);
	small = frag_smaller(&f, &path, all, len, &k, &env, buf, scratch, IKE_MSG_MAX, &len2);
	assert_non_null(small);
	assert_int_equal(f.size, FRAG_SIZE_SMALL);
	longest = 0;
	assert_true(frag_send(&sender, &path, small, len2) > 3);
	assert_int_equal(longest, FRAG_SIZE_SMALL - 32);
	for (unsigned i = 0, total = nth(small, len2, 0).frag_total; i < total; i++) {
		struct ike_msg m = nth(small, len2, i);

		assert_int_equal(take(&s, &m, &got, 0), i + 1 < total ? FRAG_KEPT : FRAG_WHOLE);
	}
	whole(&s, got, 3000);
	frag_drop(&s);
	/* no smaller than that */
	assert_null(frag_smaller(&f, &path, small, len2, &k, &env, buf, scratch, IKE_MSG_MAX, &len));
	free(all);
	free(small);
	free(scratch);
}

/* 2.5.1: the peer's size is a hint, down to what passes everywhere. */
static void the_peers_size_is_a_hint(void **state)
{
	const struct ike_path path = {.remote = ip_v4(1)};
	struct frag f = {.on = true, .size = 1280};

	(void)state;
	frag_fit(&f, &path, 2000);
	assert_int_equal(f.size, 1280);
	frag_fit(&f, &path, 972);
	assert_int_equal(f.size, 1000);
	frag_fit(&f, &path, 30);
	assert_int_equal(f.size, FRAG_SIZE_SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_cut_is_put_together_in_any_order),
		cmocka_unit_test(numbers_that_cannot_be_are_dropped),
		cmocka_unit_test(a_forged_fragment_changes_nothing),
		cmocka_unit_test(a_newer_cut_begins_anew),
		cmocka_unit_test(an_incomplete_message_is_forgotten),
		cmocka_unit_test(a_flood_is_forgotten),
		cmocka_unit_test(fragments_may_be_empty),
		cmocka_unit_test(cutting_smaller_keeps_the_inside),
		cmocka_unit_test(the_peers_size_is_a_hint),
	};

	return cmocka_run_group_tests_name("ike-frag", tests, NULL, NULL);
}
