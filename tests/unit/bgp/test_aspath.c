#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bgp/aspath.h"
#include "bgp/attr.h"
#include "tests/unit/ike/hex.h"

static void paths_are_measured_and_put_into_words(void **state)
{
	static const struct {
		const char *path, *text;
		unsigned hops;
		uint32_t first, origin;
	} cases[] = {
		{"", "", 0, 0, 0},
		{"02 01 0000fde8", "65000", 1, 65000, 65000},
		{"02 03 0000fde8 00000001 ffffffff", "65000 1 4294967295", 3, 65000, 4294967295},
		{"02 01 0000fde8 02 02 00000001 00000002", "65000 1 2", 3, 65000, 2},
		{"02 02 0000fdf2 0000fdfc 01 02 00000001 00000002", "65010 65020 {1,2}", 3, 65010, 65020},
		{"01 02 00000001 00000002 02 01 00000003", "{1,2} 3", 2, 0, 3},
		{"01 01 00000001", "{1}", 1, 0, 0},
		{"01 01 00000001 01 02 00000002 00000003", "{1} {2,3}", 2, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		size_t len;
		uint8_t *path = hex_exact(cases[i].path, &len);
		char text[64];

		assert_int_equal(aspath_text(path, len, text, sizeof(text)), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(aspath_hops(path, len), cases[i].hops);
		assert_int_equal(aspath_first(path, len), cases[i].first);
		assert_int_equal(aspath_origin(path, len), cases[i].origin);
		free(path);
	}
}

static void words_are_cut_at_the_end_of_the_buffer(void **state)
{
	uint8_t path[32];
	size_t len = hex("02 02 0000fdf2 0000fdfc 01 02 00000001 00000002", path);
	char text[18];

	(void)state;
	for (size_t cap = 0; cap <= 18; cap++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(aspath_text(path, len, text, cap), 17);
		for (size_t i = cap; i < sizeof(text); i++)
			assert_int_equal(text[i], '#');
		if (!cap)
			continue;
		assert_int_equal(text[cap - 1], '\0');
		assert_memory_equal(text, "65010 65020 {1,2}", cap - 1);
	}
}

static void an_as_is_found_in_any_segment(void **state)
{
	uint8_t path[32];
	size_t len = hex("02 02 0000fdf2 0000fdfc 01 02 00000001 00000102", path);

	(void)state;
	assert_true(aspath_contains(path, len, 65010) && aspath_contains(path, len, 65020));
	assert_true(aspath_contains(path, len, 1) && aspath_contains(path, len, 258));
	assert_false(aspath_contains(path, len, 2));
	assert_false(aspath_contains(path, len, 0xfdf20000));
	assert_false(aspath_contains(path, 0, 0));
}

/* RFC 4271 5.1.2 */
static void prepending_goes_into_the_leading_sequence(void **state)
{
	static const struct {
		const char *path;
		unsigned n;
		const char *want;
	} cases[] = {
		{"", 1, "02 01 0000fde9"},
		{"", 0, ""},
		{"", 2, "02 02 0000fde9 0000fde9"},
		{"02 01 00000001", 0, "02 01 00000001"},
		{"02 01 00000001", 1, "02 02 0000fde9 00000001"},
		{"02 01 00000001", 3, "02 04 0000fde9 0000fde9 0000fde9 00000001"},
		{"01 01 00000001", 1, "02 01 0000fde9 01 01 00000001"},
		{"02 01 00000001 01 01 00000002", 1, "02 02 0000fde9 00000001 01 01 00000002"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		uint8_t want[64];
		size_t len, n = hex(cases[i].want, want);
		uint8_t *path = hex_exact(cases[i].path, &len), *out = malloc(n + 1);

		assert_int_equal(aspath_prepend(path, len, 65001, cases[i].n, out, n), n);
		assert_memory_equal(out, want, n);
		if (n)
			assert_int_equal(aspath_prepend(path, len, 65001, cases[i].n, out, n - 1), 0);
		free(out);
		free(path);
	}
}

static void a_sequence_has_255_at_most(void **state)
{
	static uint8_t path[2 + 255 * 4] = {BGP_AS_SEQUENCE, 255}, out[4096];

	(void)state;
	for (unsigned have = 1; have <= 255; have++) {
		for (unsigned n = 0; n < 600; n += 7) {
			size_t len = 2 + have * 4, got;

			path[1] = (uint8_t)have;
			memset(path + 2, 0x11, have * 4);
			got = aspath_prepend(path, len, 7, n, out, sizeof(out));
			assert_int_equal(aspath_hops(out, got), have + n);
			assert_int_equal(aspath_first(out, got), n ? 7 : 0x11111111);
			assert_int_equal(aspath_origin(out, got), 0x11111111);
			assert_true(got >= len + n * 4 && got <= len + n * 4 + 3 * 2);
			for (size_t at = 0; at < got; at += 2 + out[at + 1] * 4u)
				assert_true(out[at] == BGP_AS_SEQUENCE && out[at + 1] > 0);
		}
	}
}

static void numbers_are_replaced_or_go(void **state)
{
	static const struct {
		const char *path;
		uint32_t from, to;
		const char *want;
	} cases[] = {
		{"02 03 00000001 00000002 00000001", 1, 9, "02 03 00000009 00000002 00000009"},
		{"02 03 00000001 00000002 00000001", 3, 9, "02 03 00000001 00000002 00000001"},
		{"02 03 00000001 00000002 00000001", 1, 0, "02 01 00000002"},
		{"02 01 00000001 01 02 00000001 00000002", 1, 0, "01 01 00000002"},
		{"02 02 00000001 00000001", 1, 0, ""},
		{"", 1, 2, ""},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		uint8_t want[64];
		size_t len, n = hex(cases[i].want, want);
		uint8_t *path = hex_exact(cases[i].path, &len), *out = malloc(len + 1);

		assert_int_equal(aspath_replace(path, len, cases[i].from, cases[i].to, out), n);
		assert_memory_equal(out, want, n);
		free(out);
		free(path);
	}
}

/* RFC 6793 4.2.2 */
static void two_octets_say_as_trans(void **state)
{
	uint8_t path[64], want[64], out[64];
	size_t len = hex("02 03 0000ffff 00010000 00000001 01 01 ffffffff", path);
	struct wr w = wr_of(out, sizeof(out));

	(void)state;
	aspath_encode(&w, path, len, false);
	assert_int_equal(w.len, hex("02 03 ffff 5ba0 0001 01 01 5ba0", want));
	assert_memory_equal(out, want, w.len);
	assert_true(aspath_wide(path, len));
	assert_false(aspath_wide(path, hex("02 02 0000ffff 00000001", path)));
	assert_true(aspath_has_set(path, hex("02 01 00000001 01 01 00000001", path)));
	assert_false(aspath_has_set(path, hex("02 01 00000001 02 01 00000001", path)));
}

static void merged_sequences_split_at_255(void **state)
{
	static uint8_t path[2 + 100 * 4] = {BGP_AS_SEQUENCE, 100}, as4[2 * (2 + 255 * 4)], out[8192];
	static uint8_t longer[2 * (2 + 255 * 4)];
	size_t n;

	(void)state;
	/* 100 hops of which AS4_PATH covers 60: 40 and 60 become one sequence */
	memset(path + 2, 1, 400);
	as4[0] = BGP_AS_SEQUENCE;
	as4[1] = 60;
	memset(as4 + 2, 2, 240);
	n = aspath_merge(path, sizeof(path), as4, 242, out);
	assert_int_equal(n, 402);
	assert_int_equal(out[1], 100);
	assert_int_equal(aspath_origin(out, n), 0x02020202);
	/* 355 of which it covers 255: they do not fit into one */
	longer[0] = longer[2 + 255 * 4] = BGP_AS_SEQUENCE;
	longer[1] = 255;
	longer[2 + 255 * 4 + 1] = 100;
	as4[1] = 255;
	n = aspath_merge(longer, 2 + 255 * 4 + 2 + 400, as4, 2 + 255 * 4, out);
	assert_int_equal(n, 402 + 2 + 255 * 4);
	assert_int_equal(out[1], 100);
	assert_int_equal(aspath_hops(out, n), 355);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_measured_and_put_into_words),
		cmocka_unit_test(words_are_cut_at_the_end_of_the_buffer),
		cmocka_unit_test(an_as_is_found_in_any_segment),
		cmocka_unit_test(prepending_goes_into_the_leading_sequence),
		cmocka_unit_test(a_sequence_has_255_at_most),
		cmocka_unit_test(numbers_are_replaced_or_go),
		cmocka_unit_test(two_octets_say_as_trans),
		cmocka_unit_test(merged_sequences_split_at_255),
	};

	return cmocka_run_group_tests_name("bgp-aspath", tests, NULL, NULL);
}
