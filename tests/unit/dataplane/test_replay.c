/* The anti-replay window, by its numbered limits, and against a naive one. RFC 6479, RFC 4303 3.4.3 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataplane/replay.h"

struct win {
	uint64_t bitmap[REPLAY_WORDS];
	uint64_t head;
	uint16_t window;
};

/* What a receiver does with an authenticated packet. */
static enum replay take(struct win *w, uint64_t seq)
{
	enum replay r = replay_check(w->bitmap, w->head, w->window, seq);

	if (r == REPLAY_OK)
		replay_update(w->bitmap, &w->head, seq);
	return r;
}

static void limits_of_a_window(uint16_t window)
{
	const uint64_t W = window;
	struct win w = {.window = window};

	/*  1 */ assert_int_equal(take(&w, 0), REPLAY_OLD); /* never sent */
	/*  2 */ assert_int_equal(take(&w, 1), REPLAY_OK);
	/*  3 */ assert_int_equal(take(&w, 1), REPLAY_SEEN);
	/*  4 */ assert_int_equal(take(&w, 9), REPLAY_OK);
	/*  5 */ assert_int_equal(take(&w, 8), REPLAY_OK);
	/*  6 */ assert_int_equal(take(&w, 7), REPLAY_OK);
	/*  7 */ assert_int_equal(take(&w, 7), REPLAY_SEEN);
	/*  8 */ assert_int_equal(take(&w, W), REPLAY_OK);
	/*  9 */ assert_int_equal(take(&w, W - 1), REPLAY_OK);
	/* 10 */ assert_int_equal(take(&w, W - 1), REPLAY_SEEN);
	/* 11 */ assert_int_equal(take(&w, 2), REPLAY_OK);     /* W - 2 behind the head */
	/* 12 */ assert_int_equal(take(&w, W + 1), REPLAY_OK); /* the left edge is now 2 */
	/* 13 */ assert_int_equal(take(&w, 2), REPLAY_SEEN);
	/* 14 */ assert_int_equal(take(&w, 1), REPLAY_OLD);
	/* 15 */ assert_int_equal(take(&w, W + 2), REPLAY_OK);
	/* 16 */ assert_int_equal(take(&w, 2), REPLAY_OLD);
	/* 17 */ assert_int_equal(take(&w, 3), REPLAY_OK); /* exactly W - 1 behind */
	/* 18 */ assert_int_equal(take(&w, 3), REPLAY_SEEN);
	/* 19 */ assert_int_equal(take(&w, 3 * W), REPLAY_OK); /* a jump of almost two windows */
	/* 20 */ assert_int_equal(take(&w, 2 * W), REPLAY_OLD);
	/* 21 */ assert_int_equal(take(&w, 2 * W + 1), REPLAY_OK);
	/* 22 */ assert_int_equal(take(&w, W + 2), REPLAY_OLD);
	/* 23 */ assert_int_equal(take(&w, 100000),
				  REPLAY_OK); /* beyond the whole ring: nothing old may shine through */
	for (uint64_t s = 100000 - W + 1; s < 100000; s++)
		assert_int_equal(take(&w, s), REPLAY_OK);
	for (uint64_t s = 100000 - W + 1; s <= 100000; s++)
		assert_int_equal(take(&w, s), REPLAY_SEEN);
	/* 24 */ assert_int_equal(take(&w, 100000 - W), REPLAY_OLD);
	/* 25 */ assert_int_equal(take(&w, UINT32_MAX), REPLAY_OK);
	/* 26 */ assert_int_equal(take(&w, UINT32_MAX), REPLAY_SEEN);
	/* 27 */ assert_int_equal(take(&w, UINT32_MAX - W + 1), REPLAY_OK);
	/* 28 */ assert_int_equal(take(&w, UINT32_MAX - W), REPLAY_OLD);
}

static void limits_hold_for_each_window_size(void **state)
{
	(void)state;
	for (uint16_t window = 64; window <= REPLAY_WINDOW_MAX; window = (uint16_t)(window * 2))
		limits_of_a_window(window);
}

static void check_alone_changes_nothing(void **state)
{
	struct win w = {.window = 64}, before;
	(void)state;

	assert_int_equal(take(&w, 77), REPLAY_OK);
	before = w;
	for (uint64_t s = 0; s < 5000; s++)
		(void)replay_check(w.bitmap, w.head, w.window, s);
	assert_memory_equal(&w, &before, sizeof(w));
}

static void window_zero_takes_all_but_number_zero(void **state)
{
	struct win w = {.window = 0};
	(void)state;

	assert_int_equal(take(&w, 0), REPLAY_OLD);
	assert_int_equal(take(&w, 1000000), REPLAY_OK);
	assert_int_equal(take(&w, 1000000), REPLAY_OK);
	assert_int_equal(take(&w, 1), REPLAY_OK);
	assert_int_equal(w.head, 1000000);
}

static void head_on_every_bit_of_a_word_keeps_its_neighbours(void **state)
{
	(void)state;
	for (uint64_t head = 2000; head < 2000 + 130; head++) {
		struct win w = {.window = REPLAY_WINDOW_MAX};

		for (uint64_t s = 1; s <= head; s++)
			assert_int_equal(take(&w, s), REPLAY_OK);
		for (uint64_t s = head - REPLAY_WINDOW_MAX + 1; s <= head; s++)
			assert_int_equal(take(&w, s), REPLAY_SEEN);
		assert_int_equal(take(&w, head - REPLAY_WINDOW_MAX), REPLAY_OLD);
	}
}

/* A window that remembers everything. */
enum { SPACE = 60000 };
static uint8_t seen[SPACE];

static void agrees_with_a_naive_window_on_random_orders(void **state)
{
	uint64_t rnd = 88172645463325252u;
	(void)state;

	for (uint16_t window = 64; window <= REPLAY_WINDOW_MAX; window = (uint16_t)(window * 4)) {
		struct win w = {.window = window};
		uint64_t head = 0;

		memset(seen, 0, sizeof(seen));
		for (unsigned i = 0; i < 200000; i++) {
			uint64_t seq;
			enum replay want = REPLAY_OK;

			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			/* near the head mostly; now and then a jump */
			seq = head + rnd % 8 - rnd / 8 % (rnd % 16 == 0 ? 3000 : 40);
			if (rnd % 1009 == 0)
				seq = head + rnd / 1024 % 5000;
			if (seq == 0 || seq >= SPACE)
				continue;
			if (seq <= head && head - seq >= window)
				want = REPLAY_OLD;
			else if (seen[seq])
				want = REPLAY_SEEN;
			assert_int_equal(take(&w, seq), want);
			seen[seq] = 1;
			if (seq > head)
				head = seq;
			assert_int_equal(w.head, head);
		}
		assert_true(head > 20000);
	}
}

/* RFC 4303 A2.2, against the definition: of the numbers with this low half, the one that is not below the window, or the next. */
static void the_high_half_is_the_one_nearest_to_the_window(void **state)
{
	static const uint64_t heads[] = {0,
					 1,
					 62,
					 63,
					 64,
					 1023,
					 1024,
					 0x7fffffff,
					 0xffffffff,
					 UINT64_C(0x100000000),
					 UINT64_C(0x100000001),
					 UINT64_C(0x10000003f),
					 UINT64_C(0x100000040),
					 UINT64_C(0x5ffffffff),
					 UINT64_C(0x600000010),
					 UINT64_C(0xfffffffffffffff0)};
	static const int64_t steps[] = {-1023, -64, -63, -1, 0, 1, 63, 64, 1024, 0x7fffffff, 0xfffffbff, 0xfffffc00};
	(void)state;

	for (unsigned h = 0; h < N_ELEMS(heads); h++) {
		for (uint16_t window = 64; window <= REPLAY_WINDOW_MAX; window = (uint16_t)(window * 4)) {
			for (unsigned i = 0; i < N_ELEMS(steps); i++) {
				const uint64_t seq = heads[h] + (uint64_t)steps[i];
				const bool inside = steps[i] > -(int64_t)window && steps[i] <= 0x100000000 - window;
				const uint64_t got = replay_esn(heads[h], window, (uint32_t)seq);

				if (steps[i] < 0 && heads[h] < (uint64_t)-steps[i])
					assert_true(got == 0 || got > heads[h]); /* before the first */
				else if (steps[i] > 0 && seq < heads[h])
					continue; /* behind the last */
				else if (inside)
					assert_int_equal(got, seq);
				else
					assert_int_not_equal(got, seq);
			}
		}
		assert_int_equal(replay_esn(heads[h], 0, (uint32_t)heads[h]), heads[h]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_hold_for_each_window_size),
		cmocka_unit_test(check_alone_changes_nothing),
		cmocka_unit_test(window_zero_takes_all_but_number_zero),
		cmocka_unit_test(head_on_every_bit_of_a_word_keeps_its_neighbours),
		cmocka_unit_test(agrees_with_a_naive_window_on_random_orders),
		cmocka_unit_test(the_high_half_is_the_one_nearest_to_the_window),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
