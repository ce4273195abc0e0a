#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "controlplane/place.h"

static void tunnels_spread_over_all_workers(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, 3);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(place_take(&p, PLACE_NONE), i % 3);
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(p.load[w], 3);
}

static void the_least_loaded_worker_gets_the_next(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, 3);
	for (unsigned i = 0; i < 6; i++)
		assert_int_not_equal(place_take(&p, PLACE_NONE), PLACE_NONE);
	place_give(&p, 1);
	assert_int_equal(place_take(&p, PLACE_NONE), 1);
}

static void a_tunnel_stays_where_it_was(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, 4);
	assert_int_equal(place_take(&p, 3), 3);
	assert_int_equal(place_take(&p, 3), 3);
	assert_int_equal(p.load[3], 2);
}

static void a_worker_that_is_no_more_is_replaced(void **state)
{
	struct place p;

	(void)state;
	place_init(&p, 2);
	assert_int_equal(place_take(&p, 3), 0);
	assert_int_equal(place_take(&p, 3), 1);
	place_give(&p, 3); /* of the life before: counts nowhere */
	place_give(&p, PLACE_NONE);
	assert_int_equal(p.load[0] + p.load[1], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tunnels_spread_over_all_workers),
		cmocka_unit_test(the_least_loaded_worker_gets_the_next),
		cmocka_unit_test(a_tunnel_stays_where_it_was),
		cmocka_unit_test(a_worker_that_is_no_more_is_replaced),
	};

	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
