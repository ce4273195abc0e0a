/* Attributes. tests/vectors/bgp-updates.txt has what peers get wrong; here is what comes of what they get right.
 *
 *   test_attr VECTORS
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/aspath.h"
#include "bgp/bgp.h"
#include "bgp/update.h"
#include "tests/lib/bgp_vectors.h"
#include "tests/unit/ike/hex.h"

static const char *vectors;

static struct bgp_codec codec(bool as4)
{
	return (struct bgp_codec){.as4 = as4, .mp_v4 = true, .mp_v6 = true, .local_as = 65001, .peer_as = 65000};
}

static const char *const verdicts[] = {"ok", "discard", "withdraw", "reset"};

static void check_vector(void *arg, const struct bgp_vector *v)
{
	struct bgp_codec c = codec(v->as4);
	struct bgp_update *u = malloc(sizeof(*u)); /* exactly, for the address sanitizer */
	uint8_t *body = malloc(v->body_len ? v->body_len : 1);
	size_t data_len = v->data_len < 64 ? v->data_len : 64;
	struct bgp_error err = {.code = 0};
	unsigned *wrong = arg;

	memset(u, 0xa5, sizeof(*u));
	memcpy(body, v->body, v->body_len);

	enum bgp_verdict got = update_decode(rd_of(body, v->body_len), &c, u, &err);

	if (got != v->verdict) {
		print_message("# %s (%s): %s, not %s: %s\n", v->name, v->why, verdicts[got], verdicts[v->verdict],
			      err.text);
		(*wrong)++;
	} else if (err.code != v->code || err.sub != v->sub || err.data_len != data_len ||
		   memcmp(err.data, v->data, data_len) != 0) {
		print_message("# %s (%s): %u/%u with %u octets, not %u/%u with %zu: %s\n", v->name, v->why, err.code,
			      err.sub, err.data_len, v->code, v->sub, data_len, err.text);
		(*wrong)++;
	} else if (got < BGP_TREAT_AS_WITHDRAW && u->discarded != v->discarded) {
		print_message("# %s (%s): %u attributes discarded\n", v->name, v->why, u->discarded);
		(*wrong)++;
	} else if (got == BGP_TREAT_AS_WITHDRAW &&
		   (u->has_attrs || (!rd_left(&u->announce_v4) && !rd_left(&u->announce_mp)))) {
		print_message("# %s (%s): nothing to withdraw\n", v->name, v->why);
		(*wrong)++;
	}
	free(body);
	free(u);
}

static void every_vector_gets_its_verdict(void **state)
{
	unsigned wrong = 0;

	(void)state;
	assert_true(bgp_vectors_read(vectors, check_vector, &wrong) >= 200);
	assert_int_equal(wrong, 0);
}

static struct bgp_update u;
static struct bgp_error err;

/* Decode attributes in front of one NLRI. */
static enum bgp_verdict decode(const char *attrs, const struct bgp_codec *c)
{
	static uint8_t body[4096];
	struct wr w = wr_of(body, sizeof(body));
	uint8_t b[4096];
	size_t n = hex(attrs, b);

	wr_u16(&w, 0);
	wr_u16(&w, (uint16_t)n);
	wr_copy(&w, b, n);
	wr_copy(&w, "\x18\xcb\x00\x71", 4);
	return update_decode(rd_of(body, w.len), c, &u, &err);
}

static void path_is(const char *want)
{
	char text[256];

	aspath_text(attr_path(&u.attrs.a), u.attrs.a.path_len, text, sizeof(text));
	assert_string_equal(text, want);
	assert_int_equal(u.attrs.a.hops, aspath_hops(attr_path(&u.attrs.a), u.attrs.a.path_len));
}

static void octets_are(const uint8_t *p, size_t len, const char *want)
{
	uint8_t b[256];

	assert_int_equal(len, hex(want, b));
	assert_memory_equal(p, b, len);
}

#define O    "40 01 01 02"
#define P    "40 02 0a 02 02 0000fde8 00010000"
#define N    "40 03 04 c0000202"
#define GOOD O P N

static void a_set_is_decoded_whole(void **state)
{
	struct bgp_codec c = codec(true);
	const struct bgp_attrs *a = &u.attrs.a;
	/* unknown ones out of order, and the known ones too */
	const char *m =
		"c0 ff 01 aa" N "c0 20 0c 000000010000000200000003" P "c0 63 02 0102" O "c0 10 08 0002fde800000001"
		"80 04 04 00000064 40 06 00 c0 07 08 0000fde8 c0000203 c0 08 08 fde80001ffffff01";

	(void)state;
	assert_int_equal(decode(m, &c), BGP_OK);
	assert_true(u.has_attrs);
	assert_int_equal(a->origin, BGP_ORIGIN_INCOMPLETE);
	assert_int_equal(a->has, BGP_HAS_MED | BGP_HAS_ATOMIC | BGP_HAS_AGGREGATOR);
	assert_int_equal(a->med, 100);
	assert_int_equal(a->agg_as, 65000);
	assert_int_equal(a->agg_id, 0xc0000203);
	assert_int_equal(ip_v4_u32(&a->nexthop), 0xc0000202);
	assert_int_equal(a->partial, 0);
	path_is("65000 65536");
	assert_int_equal(a->hops, 2);
	octets_are(attr_comm(a), a->comm_len, "fde80001 ffffff01");
	octets_are(attr_ext(a), a->ext_len, "0002fde800000001");
	octets_are(attr_large(a), a->large_len, "000000010000000200000003");
	/* by type, the Partial bit set: RFC 4271 5 */
	octets_are(attr_other(a), a->other_len, "e0 63 02 0102 e0 ff 01 aa");
	assert_int_equal(a->refs | a->hash | a->local_pref, 0);
}

static void the_partial_bit_stays(void **state)
{
	struct bgp_codec c = codec(true);
	const struct bgp_attrs *a = &u.attrs.a;
	uint8_t buf[512];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	assert_int_equal(decode(GOOD
				"e0 07 08 0000fde8 c0000203 e0 08 04 fde80001 e0 10 08 0002fde800000001"
				"e0 20 0c 000000010000000200000003 e0 19 14 0000000000000000000000000000000000000000",
				&c),
			 BGP_OK);
	assert_int_equal(a->partial,
			 BGP_PARTIAL_AGGREGATOR | BGP_PARTIAL_COMMUNITIES | BGP_PARTIAL_EXT | BGP_PARTIAL_LARGE);
	attr_encode(&w, a, &c, true);
	octets_are(buf, w.len,
		   GOOD "e0 07 08 0000fde8 c0000203 e0 08 04 fde80001 e0 10 08 0002fde800000001"
			"e0 19 14 0000000000000000000000000000000000000000 e0 20 0c 000000010000000200000003");
}

static void what_we_know_by_name_only_is_not_partial(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode(GOOD "c0 19 14 0000000000000000000000000000000000000000", &c), BGP_OK);
	octets_are(attr_other(&u.attrs.a), u.attrs.a.other_len, "c0 19 14 0000000000000000000000000000000000000000");
}

static void unused_flags_and_wide_lengths_do_not_make_another_set(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode(GOOD "df 63 0002 0102", &c), BGP_OK);
	octets_are(attr_other(&u.attrs.a), u.attrs.a.other_len, "e0 63 02 0102");
}

static void a_long_unknown_attribute_is_passed_on(void **state)
{
	struct bgp_codec c = codec(true);
	char m[2048] = GOOD "d0 63 0100";
	uint8_t buf[512];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		strcat(m, "5a");
	assert_int_equal(decode(m, &c), BGP_OK);
	assert_int_equal(u.attrs.a.other_len, 4 + 256);
	assert_memory_equal(attr_other(&u.attrs.a), "\xf0\x63\x01\x00\x5a", 5);
	attr_encode(&w, &u.attrs.a, &c, true);
	assert_memory_equal(buf + w.len - 260, attr_other(&u.attrs.a), 260);
}

/* 255 octets are the most that a length of one octet can say. */
static void an_unknown_attribute_of_255_octets_keeps_its_short_length(void **state)
{
	struct bgp_codec c = codec(true);
	char m[2048] = GOOD "c0 63 ff";

	(void)state;
	for (unsigned i = 0; i < 255; i++)
		strcat(m, "5a");
	assert_int_equal(decode(m, &c), BGP_OK);
	assert_int_equal(u.attrs.a.other_len, 3 + 255);
	assert_memory_equal(attr_other(&u.attrs.a), "\xe0\x63\xff\x5a", 4);
}

static void the_first_of_two_counts(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode(GOOD "80 04 04 00000001 80 04 04 00000002 c0 08 04 00010001 c0 08 04 00020002", &c),
			 BGP_DISCARD_ATTR);
	assert_int_equal(u.attrs.a.med, 1);
	octets_are(attr_comm(&u.attrs.a), u.attrs.a.comm_len, "00010001");
}

static void discarded_ones_leave_nothing(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode(GOOD "40 05 04 000000c8 80 09 04 01010101 80 0a 04 01010101 c0 07 01 00 40 06 01 00"
				     "c0 11 06 02 01 00000007 c0 12 08 00000007 01010101",
				&c),
			 BGP_DISCARD_ATTR);
	assert_int_equal(u.discarded, 7);
	assert_int_equal(u.attrs.a.has, 0);
	assert_int_equal(u.attrs.a.local_pref, 0);
	assert_int_equal(u.attrs.a.other_len, 0);
	path_is("65000 65536");
}

static void large_communities_are_kept_once(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode(GOOD "c0 20 30 000000010000000200000003 000000010000000200000004"
				     "000000010000000200000003 000000010000000200000004",
				&c),
			 BGP_OK);
	octets_are(attr_large(&u.attrs.a), u.attrs.a.large_len, "000000010000000200000003 000000010000000200000004");
}

/* RFC 6793 4.2.3: what comes from a 2-octet peer of AS 65000. */
static void as4_path_and_as_path_are_merged(void **state)
{
	static const struct {
		const char *name, *path, *as4, *want;
		bool sets;
	} cases[] = {
		{"no AS4_PATH", "02 02 fde8 5ba0", "", "65000 23456", false},
		{"all but the leading one", "02 03 fde8 5ba0 5ba0", "02 02 00010000 00010001", "65000 65536 65537",
		 false},
		{"the middle was OLD", "02 04 fde8 0001 0002 5ba0", "02 01 00010000", "65000 1 2 65536", false},
		{"longer: ignored", "02 01 fde8", "02 02 0000fde8 00010000", "65000", false},
		{"the same length: all of it", "02 02 fde8 5ba0", "02 02 0000fde8 00010000", "65000 65536", false},
		{"in two segments", "02 01 fde8 02 02 0001 5ba0", "02 01 00010000", "65000 1 65536", false},
		{"cut inside the second", "02 01 fde8 02 03 0001 5ba0 5ba0", "02 02 00010000 00010001",
		 "65000 1 65536 65537", false},
		{"a set counts once", "02 01 fde8 01 02 5ba0 5ba0 02 01 5ba0", "01 02 00010000 00010001 02 01 00010002",
		 "65000 {65536,65537} 65538", true},
		{"a set before the cut", "02 01 fde8 01 02 0001 0002 02 01 5ba0", "02 01 00010002", "65000 {1,2} 65538",
		 true},
		{"a set in AS4_PATH is longer in octets", "02 02 fde8 5ba0", "01 03 00010000 00010001 00010002",
		 "65000 {65536,65537,65538}", true},
		{"confederation segments go", "02 02 fde8 5ba0",
		 "04 01 00000009 03 02 00000007 00000008 02 01 00010000", "65000 65536", false},
		{"only confederation segments", "02 02 fde8 0001", "03 02 00000007 00000008", "65000 1", false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct bgp_codec c = codec(false);
		uint8_t b[128];
		char m[512];

		c.as_sets = cases[i].sets;
		snprintf(m, sizeof(m), O "40 02 %02x %s" N, (unsigned)hex(cases[i].path, b), cases[i].path);
		if (*cases[i].as4)
			snprintf(m + strlen(m), sizeof(m) - strlen(m), "c0 11 %02x %s", (unsigned)hex(cases[i].as4, b),
				 cases[i].as4);
		if (decode(m, &c) != BGP_OK)
			fail_msg("%s: %s", cases[i].name, err.text);
		path_is(cases[i].want);
	}
}

static void as4_aggregator_counts_only_behind_as_trans(void **state)
{
	struct bgp_codec c = codec(false);

	(void)state;
	/* AS_TRANS: AS4_AGGREGATOR is the aggregator, AS4_PATH counts */
	assert_int_equal(decode(O "40 02 06 02 02 fde8 5ba0" N "c0 07 06 5ba0 01010101 c0 11 06 02 01 00010000"
				  "c0 12 08 00010007 02020202",
				&c),
			 BGP_OK);
	path_is("65000 65536");
	assert_int_equal(u.attrs.a.agg_as, 65543);
	assert_int_equal(u.attrs.a.agg_id, 0x02020202);
	/* another AS: both AS4_* are ignored */
	assert_int_equal(decode(O "40 02 06 02 02 fde8 5ba0" N "c0 07 06 fde9 01010101 c0 11 06 02 01 00010000"
				  "c0 12 08 00010007 02020202",
				&c),
			 BGP_OK);
	path_is("65000 23456");
	assert_int_equal(u.attrs.a.agg_as, 65001);
	/* no AS4_AGGREGATOR: AS4_PATH counts, whatever AGGREGATOR says */
	assert_int_equal(decode(O "40 02 06 02 02 fde8 5ba0" N "c0 07 06 fde9 01010101 c0 11 06 02 01 00010000", &c),
			 BGP_OK);
	path_is("65000 65536");
	/* no AGGREGATOR: there is none */
	assert_int_equal(decode(O "40 02 04 02 01 fde8" N "c0 12 08 00010007 02020202", &c), BGP_OK);
	assert_int_equal(u.attrs.a.has, 0);
}

/* RFC 6793 4.2.2 */
static void a_2_octet_peer_is_told_as4(void **state)
{
	struct bgp_codec new = codec(true), old = codec(false);
	uint8_t buf[256];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	assert_int_equal(decode(GOOD "c0 07 08 00010007 02020202 c0 20 0c 000000010000000200000003", &new), BGP_OK);
	attr_encode(&w, &u.attrs.a, &old, true);
	octets_are(buf, w.len,
		   O "40 02 06 02 02 fde8 5ba0" N "c0 07 06 5ba0 02020202 c0 11 0a 02 02 0000fde8 00010000"
		     "c0 12 08 00010007 02020202 c0 20 0c 000000010000000200000003");
	/* all mappable: neither of the two */
	w = wr_of(buf, sizeof(buf));
	assert_int_equal(decode(O "40 02 0a 02 02 0000fde8 0000ffff" N "c0 07 08 0000ffff 02020202", &new), BGP_OK);
	attr_encode(&w, &u.attrs.a, &old, true);
	octets_are(buf, w.len, O "40 02 06 02 02 fde8 ffff" N "c0 07 06 ffff 02020202");
}

static void local_pref_is_never_written(void **state)
{
	struct bgp_codec c = codec(true);
	uint8_t buf[256];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	assert_int_equal(decode(GOOD, &c), BGP_OK);
	u.attrs.a.has |= BGP_HAS_LOCAL_PREF;
	u.attrs.a.local_pref = 200;
	attr_encode(&w, &u.attrs.a, &c, false);
	octets_are(buf, w.len, O P);
}

static void as_sets_pass_only_when_allowed(void **state)
{
	struct bgp_codec c = codec(true);
	const char *m = O "40 02 10 02 01 0000fde8 01 02 00000001 00000002" N;

	(void)state;
	assert_int_equal(decode(m, &c), BGP_TREAT_AS_WITHDRAW);
	c.as_sets = true;
	assert_int_equal(decode(m, &c), BGP_OK);
	path_is("65000 {1,2}");
	assert_int_equal(u.attrs.a.hops, 2);
}

static void the_first_as_need_not_be_checked(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	c.peer_as = 0;
	assert_int_equal(decode(O "40 02 06 02 01 00000001" N, &c), BGP_OK);
	assert_int_equal(decode(O "40 02 00" N, &c), BGP_OK);
	assert_int_equal(u.attrs.a.hops, 0);
}

static void the_largest_paths_find_room(void **state)
{
	struct bgp_codec c = codec(false);
	static char m[16384];
	size_t n = (size_t)sprintf(m, O N "50 02 0f70");

	(void)state;
	for (unsigned octets = 0; octets < 0xf70;) { /* 2-octet segments of 255, all AS 65000 */
		unsigned k = (0xf70 - octets - 2) / 2 < 255 ? (0xf70 - octets - 2) / 2 : 255;

		n += (size_t)sprintf(m + n, "02%02x", k);
		for (unsigned i = 0; i < k; i++)
			n += (size_t)sprintf(m + n, "fde8");
		octets += 2 + k * 2;
	}
	assert_int_equal(decode(m, &c), BGP_OK);
	assert_int_equal(u.attrs.a.hops, (0xf70 - 8 * 2) / 2);
	assert_true(attr_data_len(&u.attrs.a) <= BGP_ATTRS_DATA_MAX);
}

static void parts_are_replaced(void **state)
{
	static struct bgp_attrs_draft d;
	static uint8_t big[BGP_ATTRS_DATA_MAX];
	struct bgp_codec c = codec(true);
	uint8_t path[64];

	(void)state;
	assert_int_equal(decode(GOOD "c0 08 04 00010001 c0 63 01 07", &c), BGP_OK);
	attr_draft(&d, &u.attrs.a);
	assert_int_equal(attr_set_part(&d, 1, "\0\2\0\2\0\3\0\3", 8), 0);
	assert_int_equal(attr_set_part(&d, 3, "abcdefghijkl", 12), 0);
	assert_int_equal(attr_set_part(&d, 0, path, hex("02 03 00000001 00000002 00000003", path)), 0);
	assert_int_equal(d.a.hops, 3);
	octets_are(d.a.data, attr_data_len(&d.a),
		   "02 03 00000001 00000002 00000003 00020002 00030003 6162636465666768696a6b6c e0 63 01 07");
	assert_int_equal(attr_set_part(&d, 1, NULL, 0), 0);
	assert_int_equal(attr_set_part(&d, 0, NULL, 0), 0);
	assert_int_equal(d.a.hops, 0);
	octets_are(d.a.data, attr_data_len(&d.a), "6162636465666768696a6b6c e0 63 01 07");
	assert_int_equal(attr_set_part(&d, 1, big, sizeof(big) - 15), -E2BIG);
	for (unsigned i = 0; i < 2; i++) /* the same once more */
		assert_int_equal(attr_set_part(&d, 1, big, sizeof(big) - 16), 0);
}

static void sets_are_put_into_words(void **state)
{
	struct bgp_codec c = codec(true);
	struct bgp_attrs_text t;
	char m[8192];

	(void)state;
	assert_int_equal(decode(GOOD "80 04 04 00000007 c0 08 18 fde80001 ffffff01 ffffff02 ffffff03 ffff0000 ffff029a"
				     "c0 20 18 0000fde8 00000001 00000002 ffffffff 00000000 00000003",
				&c),
			 BGP_OK);
	bgp_attrs_text(&u.attrs.a, &t);
	assert_string_equal(t.path, "65000 65536");
	assert_string_equal(t.community, "65000:1 no-export no-advertise local-AS graceful-shutdown blackhole");
	assert_string_equal(t.large, "65000:1:2 4294967295:0:3");
	assert_true(t.has_med && t.med == 7 && !t.has_local_pref && t.origin == '?');
	assert_int_equal(ip_v4_u32(&t.nexthop), 0xc0000202);

	strcpy(m, O "50 02 01f6 02 7d" N); /* 125 ASes */
	char *at = strstr(m, "02 7d") + 5;
	memmove(at + 125 * 8, at, strlen(at) + 1);
	for (unsigned i = 0; i < 125; i++)
		memcpy(at + i * 8, "0000fde8", 8);
	strcat(m, "c0 08 fc");
	for (unsigned i = 0; i < 63; i++)
		strcat(m, "fde8fde8");
	assert_int_equal(decode(m, &c), BGP_OK);
	bgp_attrs_text(&u.attrs.a, &t);
	assert_int_equal(strlen(t.path), sizeof(t.path) - 1);
	assert_string_equal(t.path + sizeof(t.path) - 4, "...");
	assert_int_equal(strlen(t.community), sizeof(t.community) - 1);
	assert_string_equal(t.community + sizeof(t.community) - 4, "...");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_gets_its_verdict),
		cmocka_unit_test(a_set_is_decoded_whole),
		cmocka_unit_test(the_partial_bit_stays),
		cmocka_unit_test(what_we_know_by_name_only_is_not_partial),
		cmocka_unit_test(unused_flags_and_wide_lengths_do_not_make_another_set),
		cmocka_unit_test(a_long_unknown_attribute_is_passed_on),
		cmocka_unit_test(an_unknown_attribute_of_255_octets_keeps_its_short_length),
		cmocka_unit_test(the_first_of_two_counts),
		cmocka_unit_test(discarded_ones_leave_nothing),
		cmocka_unit_test(large_communities_are_kept_once),
		cmocka_unit_test(as4_path_and_as_path_are_merged),
		cmocka_unit_test(as4_aggregator_counts_only_behind_as_trans),
		cmocka_unit_test(a_2_octet_peer_is_told_as4),
		cmocka_unit_test(local_pref_is_never_written),
		cmocka_unit_test(as_sets_pass_only_when_allowed),
		cmocka_unit_test(the_first_as_need_not_be_checked),
		cmocka_unit_test(the_largest_paths_find_room),
		cmocka_unit_test(parts_are_replaced),
		cmocka_unit_test(sets_are_put_into_words),
	};

	if (argc < 2)
		return 2;
	vectors = argv[1];
	return cmocka_run_group_tests_name("bgp-attr", tests, NULL, NULL);
}
