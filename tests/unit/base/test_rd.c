#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};

static void numbers_are_big_endian(void **state)
{
	struct rd r = rd_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u24(&r), 0x040506);
	assert_int_equal(rd_u32(&r), 0x0708090a);
	assert_true(rd_u64(&r) == UINT64_C(0x0b0c0d0e0f101112));
	assert_true(rd_done(&r));
}

/* The buffer is exactly as long as it says: a read behind it is seen by the address sanitizer. */
static void no_read_goes_past_the_end(void **state)
{
	(void)state;
	for (size_t len = 0; len < 8; len++) {
		uint8_t *b = malloc(len ? len : 1);
		struct rd r[5];

		memset(b, 0xff, len ? len : 1);
		for (unsigned i = 0; i < 5; i++)
			r[i] = rd_of(b, len);
		assert_int_equal(rd_u8(&r[0]), len >= 1 ? 0xff : 0);
		assert_int_equal(rd_u16(&r[1]), len >= 2 ? 0xffff : 0);
		assert_int_equal(rd_u24(&r[2]), len >= 3 ? 0xffffff : 0);
		assert_true(rd_u32(&r[3]) == (len >= 4 ? 0xffffffff : 0));
		(void)rd_u64(&r[4]);
		assert_int_equal(r[0].bad, len < 1);
		assert_int_equal(r[1].bad, len < 2);
		assert_int_equal(r[2].bad, len < 3);
		assert_int_equal(r[3].bad, len < 4);
		assert_int_equal(r[4].bad, len < 8);
		free(b);
	}
}

static void bad_reader_is_empty_and_stays_bad(void **state)
{
	struct rd r = rd_of(bytes, 3);

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_u8(&r), 0); /* though there were three octets */
	assert_true(r.bad);
	assert_false(rd_done(&r));
	assert_null(rd_take(&r, 1));
}

static void taking_nothing_is_fine_even_at_the_end(void **state)
{
	struct rd r = rd_of(bytes, 1), none = rd_of(NULL, 0);

	(void)state;
	rd_skip(&r, 1);
	assert_non_null(rd_take(&r, 0));
	assert_true(rd_done(&r));
	rd_skip(&none, 0);
	assert_true(rd_done(&none));
	assert_int_equal(rd_u8(&none), 0);
	assert_true(none.bad);
}

static void sub_reader_ends_where_its_length_says(void **state)
{
	struct rd r = rd_of(bytes, 6), s;

	(void)state;
	s = rd_sub(&r, 2);
	assert_int_equal(rd_left(&r), 4);
	assert_int_equal(rd_u16(&s), 0x0102);
	assert_true(rd_done(&s));
	assert_int_equal(rd_u8(&s), 0);
	assert_true(s.bad);
	assert_false(r.bad); /* the parent does not suffer */
	assert_int_equal(rd_u8(&r), 3);
}

static void sub_reader_longer_than_its_parent_makes_both_bad(void **state)
{
	struct rd r = rd_of(bytes, 4), s = rd_sub(&r, 5);

	(void)state;
	assert_true(r.bad && s.bad);
	assert_int_equal(rd_left(&s), 0);
	assert_int_equal(rd_u8(&s), 0);
}

static void huge_lengths_do_not_wrap(void **state)
{
	struct rd r = rd_of(bytes, 4), s = r, t = r;

	(void)state;
	assert_null(rd_take(&r, SIZE_MAX));
	assert_true(r.bad);
	rd_skip(&s, SIZE_MAX - 3);
	assert_true(s.bad);
	assert_true(rd_sub(&t, (size_t)1 << 63).bad);
}

static void copy_that_does_not_fit_gives_zeroes(void **state)
{
	struct rd r = rd_of(bytes, 4);
	uint8_t to[8];

	(void)state;
	rd_copy(&r, to, 4);
	assert_memory_equal(to, bytes, 4);
	memset(to, 0xaa, sizeof(to));
	rd_copy(&r, to, 8);
	assert_memory_equal(to, "\0\0\0\0\0\0\0\0", 8);
	assert_true(r.bad);
}

static void loop_over_a_lying_chain_ends(void **state)
{
	static const uint8_t lie[] = {2, 0xaa, 255, 1};
	struct rd r = rd_of(lie, sizeof(lie));
	unsigned turns = 0;

	(void)state;
	while (rd_left(&r)) {
		size_t len = rd_u8(&r);
		struct rd one = rd_sub(&r, len - 1);

		(void)one;
		assert_true(++turns < 10);
	}
	assert_int_equal(turns, 2);
	assert_true(r.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(no_read_goes_past_the_end),
		cmocka_unit_test(bad_reader_is_empty_and_stays_bad),
		cmocka_unit_test(taking_nothing_is_fine_even_at_the_end),
		cmocka_unit_test(sub_reader_ends_where_its_length_says),
		cmocka_unit_test(sub_reader_longer_than_its_parent_makes_both_bad),
		cmocka_unit_test(huge_lengths_do_not_wrap),
		cmocka_unit_test(copy_that_does_not_fit_gives_zeroes),
		cmocka_unit_test(loop_over_a_lying_chain_ends),
	};

	return cmocka_run_group_tests_name("base-rd", tests, NULL, NULL);
}
