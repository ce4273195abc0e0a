#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/build.h"
#include "bgp/decide.h"

/* A path in few words. Fields that a row does not name are equal everywhere. */
struct row {
	uint32_t pref, med, metric, id, nexthop, first_as;
	uint8_t addr, origin, hops;
	bool local, no_pref, no_med;
};

struct kept {
	union {
		struct bgp_attrs a;
		uint8_t room[sizeof(struct bgp_attrs) + 64];
	};
	struct ip_addr addr;
};

static struct kept kept[8];

static struct decide_path path(unsigned i, const struct row *r)
{
	struct kept *k = &kept[i];
	unsigned hops = r->hops ? r->hops : 2;
	uint32_t as = r->first_as ? r->first_as : 65010;

	memset(k, 0, sizeof(*k));
	k->a.has = (uint8_t)((r->no_pref ? 0 : BGP_HAS_LOCAL_PREF) | (r->no_med ? 0 : BGP_HAS_MED));
	k->a.local_pref = r->no_pref ? 12345 : r->pref ? r->pref : 100;
	k->a.med = r->no_med ? 12345 : r->med;
	k->a.origin = r->origin;
	k->a.hops = (uint16_t)hops;
	k->a.path_len = (uint16_t)(2 + 4 * hops);
	k->a.data[0] = BGP_AS_SEQUENCE;
	k->a.data[1] = (uint8_t)hops;
	k->a.data[4] = (uint8_t)(as >> 8);
	k->a.data[5] = (uint8_t)as;
	k->addr = ip_v4(0x0a000000u + (r->addr ? r->addr : 10 + i));
	return (struct decide_path){.a = &k->a,
				    .peer = &k->addr,
				    .metric = r->metric,
				    .id = r->id ? r->id : 100 + i,
				    .nexthop = r->nexthop ? r->nexthop : 1 + i,
				    .tag = i,
				    .local = r->local};
}

/* Row a beats row b at the step, whichever comes first, whatever all later steps say. */
static void beats(struct row a, struct row b, enum decide_step step)
{
	struct decide_path p[2];

	for (unsigned order = 0; order < 2; order++) {
		p[order] = path(order, &a);
		p[!order] = path(!order, &b);
		p[order].id = a.id ? a.id : 100;
		p[!order].id = b.id ? b.id : 100;
		decide(p, 2, 1);
		assert_int_equal(p[0].tag, order);
		assert_int_equal(p[0].lost_at, DECIDE_BEST);
		assert_string_equal(decide_step_name(p[1].lost_at), decide_step_name(step));
	}
}

static void each_step_goes_before_all_later_ones(void **state)
{
	/* the winner of a row is worse in everything that comes later */
	(void)state;
	beats(
		(struct row){
			.local = true, .pref = 1, .hops = 9, .origin = 2, .med = 9, .metric = 9, .id = 999, .addr = 99},
		(struct row){.pref = 500}, DECIDE_LOCAL);
	beats((struct row){.pref = 101, .hops = 9, .origin = 2, .med = 9, .metric = 9, .id = 999, .addr = 99},
	      (struct row){.pref = 100}, DECIDE_PREF);
	beats((struct row){.hops = 2, .origin = 2, .med = 9, .metric = 9, .id = 999, .addr = 99},
	      (struct row){.hops = 3}, DECIDE_PATH);
	beats((struct row){.origin = 1, .med = 9, .metric = 9, .id = 999, .addr = 99}, (struct row){.origin = 2},
	      DECIDE_ORIGIN);
	beats((struct row){.origin = 0, .med = 9, .metric = 9, .id = 999, .addr = 99}, (struct row){.origin = 1},
	      DECIDE_ORIGIN);
	beats((struct row){.med = 1, .metric = 9, .id = 999, .addr = 99}, (struct row){.med = 2}, DECIDE_MED);
	beats((struct row){.metric = 1, .id = 999, .addr = 99}, (struct row){.metric = 2}, DECIDE_METRIC);
	beats((struct row){.id = 7, .addr = 99}, (struct row){.id = 8}, DECIDE_ID);
	beats((struct row){.id = 7, .addr = 20}, (struct row){.id = 7, .addr = 21}, DECIDE_ADDR);
}

static void what_is_missing_has_a_value(void **state)
{
	(void)state;
	/* no LOCAL_PREF: 100, neither more nor less */
	beats((struct row){.no_pref = true}, (struct row){.pref = 99}, DECIDE_PREF);
	beats((struct row){.pref = 101}, (struct row){.no_pref = true}, DECIDE_PREF);
	/* no MED: the best there is */
	beats((struct row){.no_med = true, .id = 999}, (struct row){.med = 1}, DECIDE_MED);
	beats((struct row){.no_med = true, .id = 7}, (struct row){.med = 0, .id = 8}, DECIDE_ID);
}

static void med_counts_within_a_neighbouring_as_only(void **state)
{
	(void)state;
	beats((struct row){.med = 9, .first_as = 65020, .id = 7}, (struct row){.med = 1, .first_as = 65010, .id = 8},
	      DECIDE_ID);
	beats((struct row){.med = 1, .first_as = 65020, .id = 8}, (struct row){.med = 9, .first_as = 65020, .id = 7},
	      DECIDE_MED);
}

/* The known trap: with pairs compared in turn, who wins depends on who came first. */
static void med_does_not_depend_on_the_order_of_arrival(void **state)
{
	const struct row rows[] = {
		{.first_as = 65010, .med = 10, .id = 2},
		{.first_as = 65020, .med = 0, .id = 3},
		{.first_as = 65010, .med = 5, .id = 4},
	};
	static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (unsigned o = 0; o < N_ELEMS(orders); o++) {
		struct decide_path p[3];

		for (unsigned i = 0; i < 3; i++)
			p[i] = path(orders[o][i], &rows[orders[o][i]]);
		assert_int_equal(decide(p, 3, 1), 1);
		assert_int_equal(p[0].tag, 1);
		for (unsigned i = 1; i < 3; i++)
			assert_int_equal(p[i].lost_at, p[i].tag == 0 ? DECIDE_MED : DECIDE_ID);
	}
}

static void equal_paths_share_the_load(void **state)
{
	const struct row rows[] = {
		{.id = 4}, {.id = 3}, {.id = 2}, {.id = 1}, {.id = 5, .metric = 1},
	};
	struct decide_path p[5];

	(void)state;
	for (unsigned max = 1; max <= 6; max++) {
		for (unsigned i = 0; i < 5; i++)
			p[i] = path(i, &rows[i]);
		assert_int_equal(decide(p, 5, max), max < 4 ? max : 4);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(p[i].tag, 3 - i);
		assert_int_equal(p[4].lost_at, DECIDE_METRIC);
		assert_int_equal(p[3].lost_at, DECIDE_ID);
	}
}

static void a_next_hop_is_taken_once(void **state)
{
	const struct row rows[] = {{.id = 1, .nexthop = 7}, {.id = 2, .nexthop = 7}, {.id = 3, .nexthop = 8}};
	struct decide_path p[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		p[i] = path(i, &rows[i]);
	assert_int_equal(decide(p, 3, 8), 2);
	assert_int_equal(p[0].tag, 0);
	assert_int_equal(p[1].tag, 2);
	assert_int_equal(p[2].tag, 1);
}

static void another_neighbour_does_not_share(void **state)
{
	const struct row rows[] = {{.id = 1}, {.id = 2, .first_as = 65020}, {.id = 3}};
	struct decide_path p[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		p[i] = path(i, &rows[i]);
	assert_int_equal(decide(p, 3, 8), 2);
	assert_int_equal(p[1].tag, 2);
	assert_int_equal(p[2].tag, 1);
	assert_int_equal(p[2].lost_at, DECIDE_ID);
}

static void nothing_and_one_are_easy(void **state)
{
	struct row r = {.id = 1};
	struct decide_path p = path(0, &r);

	(void)state;
	assert_int_equal(decide(&p, 0, 8), 0);
	p.lost_at = DECIDE_MED;
	assert_int_equal(decide(&p, 1, 8), 1);
	assert_int_equal(p.lost_at, DECIDE_BEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_goes_before_all_later_ones),
		cmocka_unit_test(what_is_missing_has_a_value),
		cmocka_unit_test(med_counts_within_a_neighbouring_as_only),
		cmocka_unit_test(med_does_not_depend_on_the_order_of_arrival),
		cmocka_unit_test(equal_paths_share_the_load),
		cmocka_unit_test(a_next_hop_is_taken_once),
		cmocka_unit_test(another_neighbour_does_not_share),
		cmocka_unit_test(nothing_and_one_are_easy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
