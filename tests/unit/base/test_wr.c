#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"

static void what_is_written_is_read_back(void **state)
{
	uint8_t buf[32];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd r;

	(void)state;
	wr_u8(&w, 0xfe);
	wr_u16(&w, 0xfedc);
	wr_u24(&w, 0xfedcba);
	wr_u32(&w, 0xfedcba98);
	wr_u64(&w, UINT64_C(0xfedcba9876543210));
	wr_copy(&w, "abc", 3);
	wr_zero(&w, 2);
	assert_false(w.full);
	r = rd_of(buf, w.len);
	assert_int_equal(rd_u8(&r), 0xfe);
	assert_int_equal(rd_u16(&r), 0xfedc);
	assert_int_equal(rd_u24(&r), 0xfedcba);
	assert_true(rd_u32(&r) == 0xfedcba98);
	assert_true(rd_u64(&r) == UINT64_C(0xfedcba9876543210));
	assert_memory_equal(rd_take(&r, 5), "abc\0\0", 5);
	assert_true(rd_done(&r));
}

static void write_that_does_not_fit_writes_nothing_and_sticks(void **state)
{
	uint8_t *buf = malloc(3); /* exactly: the sanitizer watches the fourth octet */
	struct wr w = wr_of(buf, 3);

	(void)state;
	memset(buf, 0xaa, 3);
	wr_u32(&w, 1);
	assert_true(w.full);
	assert_int_equal(w.len, 0);
	assert_memory_equal(buf, "\xaa\xaa\xaa", 3);
	wr_u8(&w, 1); /* there would be room, but the message has a hole already */
	assert_int_equal(w.len, 0);
	assert_null(wr_room(&w, 0));
	free(buf);
}

static void buffer_can_be_filled_to_the_last_octet(void **state)
{
	uint8_t buf[4];
	struct wr w = wr_of(buf, 4);

	(void)state;
	wr_u32(&w, 7);
	assert_false(w.full);
	wr_copy(&w, NULL, 0);
	assert_false(w.full);
	wr_u8(&w, 1);
	assert_true(w.full);
	assert_int_equal(w.len, 4);
}

static void huge_room_does_not_wrap(void **state)
{
	uint8_t buf[8];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	wr_u8(&w, 1);
	assert_null(wr_room(&w, SIZE_MAX));
	assert_true(w.full);
}

static void length_is_patched_when_it_is_known(void **state)
{
	uint8_t buf[16];
	struct wr w = wr_of(buf, sizeof(buf));
	size_t from, mark;

	(void)state;
	wr_u8(&w, 9);
	from = w.len;
	mark = wr_len16(&w);
	wr_copy(&w, "abcd", 4);
	wr_len16_end(&w, mark, from);
	assert_memory_equal(buf,
			    "\x09\x00\x06"
			    "abcd",
			    7);
}

static void length_beyond_16_bits_counts_as_full(void **state)
{
	static uint8_t buf[70000];
	size_t cap = sizeof(buf);
	struct wr w = wr_of(buf, cap);
	size_t mark = wr_len16(&w);

	(void)state;
	wr_zero(&w, UINT16_MAX - 2);
	wr_len16_end(&w, mark, 0);
	assert_false(w.full);
	assert_int_equal(buf[0] << 8 | buf[1], UINT16_MAX);
	wr_u8(&w, 0);
	wr_len16_end(&w, mark, 0);
	assert_true(w.full);
}

static void patch_touches_only_what_was_written(void **state)
{
	uint8_t buf[8] = {0};
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	wr_u32(&w, 0);
	wr_patch8(&w, 3, 0xbb);
	wr_patch8(&w, 4, 0xcc);
	assert_memory_equal(buf, "\0\0\0\xbb\0\0\0\0", 8);
	wr_patch32(&w, 0, 0x01020304);
	wr_patch32(&w, 1, 0xffffffff);
	wr_patch32(&w, SIZE_MAX, 0xffffffff);
	assert_memory_equal(buf, "\1\2\3\4\0\0\0\0", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(write_that_does_not_fit_writes_nothing_and_sticks),
		cmocka_unit_test(buffer_can_be_filled_to_the_last_octet),
		cmocka_unit_test(huge_room_does_not_wrap),
		cmocka_unit_test(length_is_patched_when_it_is_known),
		cmocka_unit_test(length_beyond_16_bits_counts_as_full),
		cmocka_unit_test(patch_touches_only_what_was_written),
	};

	return cmocka_run_group_tests_name("base-wr", tests, NULL, NULL);
}
