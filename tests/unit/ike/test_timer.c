/* The heap of deadlines, against a plain search. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/build.h"
#include "controlplane/ike/timer.h"

enum { N = 200 };

static uint32_t seed;

static uint32_t roll(uint32_t below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % below;
}

static void empty_heap_never_fires(void **state)
{
	struct timer_heap h = {0};

	(void)state;
	assert_int_equal(timer_next(&h), UINT64_MAX);
	assert_null(timer_take(&h, UINT64_MAX - 1));
	timer_fini(&h);
}

static void timers_come_in_order_and_once(void **state)
{
	struct timer_heap h = {0};
	struct timer t[3] = {{.kind = TIMER_SA}};

	(void)state;
	timer_set(&h, &t[0], 30);
	timer_set(&h, &t[1], 10);
	timer_set(&h, &t[2], 20);
	assert_int_equal(timer_next(&h), 10);
	assert_null(timer_take(&h, 9));
	assert_ptr_equal(timer_take(&h, 25), &t[1]);
	assert_ptr_equal(timer_take(&h, 25), &t[2]);
	assert_null(timer_take(&h, 25));
	timer_set(&h, &t[0], UINT64_MAX);
	assert_null(timer_take(&h, 1000));
	timer_fini(&h);
}

static void any_sequence_agrees_with_a_plain_search(void **state)
{
	struct timer t[N] = {{.kind = TIMER_SA}};
	uint64_t at[N];
	struct timer_heap h = {0};

	(void)state;
	seed = 1;
	memset(at, 0xff, sizeof(at));
	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = roll(N);
		uint64_t min = UINT64_MAX;

		at[k] = roll(4) ? roll(1000) : UINT64_MAX;
		timer_set(&h, &t[k], at[k]);
		for (unsigned j = 0; j < N; j++)
			min = u64_min(min, at[j]);
		assert_int_equal(timer_next(&h), min);
		if (roll(8) == 0 && min != UINT64_MAX) {
			struct timer *due = timer_take(&h, min);

			assert_non_null(due);
			assert_int_equal(at[due - t], min);
			at[due - t] = UINT64_MAX;
		}
	}
	timer_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_heap_never_fires),
		cmocka_unit_test(timers_come_in_order_and_once),
		cmocka_unit_test(any_sequence_agrees_with_a_plain_search),
	};

	return cmocka_run_group_tests_name("ike-timer", tests, NULL, NULL);
}
