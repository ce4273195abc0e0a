/* How sessions come up: both ends at once, in every mode and order. */
#include "tests/sim/bgp_scenario.h"

static void two_cores_come_up_and_tell_their_routes(void **state)
{
	struct bgp_sim *s = bgp_sim_new(1, 2, 100);

	(void)state;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 5000);
	bgp_sim_run(s, 600000);
	assert_true(bgp_sim_agreed(s));
	assert_int_equal(s->node[0].established, 1);
	assert_int_equal(s->node[1].established, 1);
	bgp_sim_free(s);
}

/* Identifiers in both orders and equal (6286), random delays and start times, streams cut anywhere. */
static void thousands_of_simultaneous_connects_end_with_one_session(void **state)
{
	uint64_t slow = 0, flaps = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= bgp_scenario_seeds(4000); seed++) {
		struct bgp_sim *s = bgp_sim_new(seed, 2, 1);
		unsigned order = bgp_sim_random(s, 3);

		s->delay_min_ms = bgp_sim_random(s, 3) ? 0 : 5;
		s->delay_max_ms = s->delay_min_ms + bgp_sim_random(s, 120);
		s->segment = 1 + bgp_sim_random(s, 60);
		s->accept_late = bgp_sim_random(s, 2);
		s->node[0].cfg.bgp.router_id = order == 0 ? 0x0aff0009 : order == 1 ? 0x01ff0009 : 0x0aff0002;
		bgp_sim_boot(&s->node[0]);
		bgp_sim_run(s, bgp_sim_random(s, 2) ? 0 : bgp_sim_random(s, 300));
		bgp_sim_boot(&s->node[1]);
		if (!bgp_sim_until(s, bgp_sim_agreed, 2000)) {
			slow++;
			bgp_scenario_agree(s, 60000);
		}
		flaps += s->node[0].established > 1 || s->node[1].established > 1;
		bgp_sim_run(s, 60000); /* and it stays */
		assert_true(bgp_sim_agreed(s));
		assert_int_equal(bgp_tcp_open(s), 1);
		bgp_sim_free(s);
	}
	/* The RFC's own race (both ends close what the other keeps) is rare, and over with the next attempt. */
	print_message("# slow %llu, with a second session %llu\n", (unsigned long long)slow, (unsigned long long)flaps);
	assert_true(slow < bgp_scenario_seeds(4000) / 10);
}

static void every_pair_of_modes_that_can_meet_does(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 3; a++)
		for (unsigned b = 0; b < 3; b++) {
			bool can = !(a == CFG_BGP_PASSIVE && b == CFG_BGP_PASSIVE) &&
				   !(a == CFG_BGP_ACTIVE && b == CFG_BGP_ACTIVE);

			for (uint64_t seed = 1; seed <= 20; seed++) {
				struct bgp_sim *s = bgp_sim_new(seed, 2, 3);

				s->node[0].peer[0].connect = (uint8_t)a;
				s->node[1].peer[0].connect = (uint8_t)b;
				bgp_sim_start(s);
				if (can)
					bgp_scenario_agree(s, 30000);
				else
					assert_false(bgp_sim_until(s, bgp_sim_up, 30000));
				bgp_sim_free(s);
			}
		}
}

static void hold_time_zero_lives_in_silence(void **state)
{
	struct bgp_sim *s = bgp_sim_new(5, 2, 3);
	struct bgp_peer_info info;

	(void)state;
	s->node[0].peer[0].hold_s = 0;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 5000);
	bgp_sim_run(s, 86400000);
	assert_true(bgp_sim_agreed(s));
	for (unsigned i = 0; i < 2; i++) {
		assert_true(bgp_peer_info(s->node[i].b, 0, &info));
		assert_int_equal(info.hold_s, 0);
		assert_int_equal(info.msg_in[4], 1); /* the one that confirms */
		assert_int_equal(info.established, 1);
	}
	bgp_sim_free(s);
}

static void a_wrong_as_is_told_at_both_ends(void **state)
{
	struct bgp_sim *s = bgp_sim_new(6, 2, 3);
	struct bgp_peer_info info;

	(void)state;
	s->node[0].peer[0].as = 65099;
	s->node[1].peer[0].connect = CFG_BGP_PASSIVE;
	bgp_sim_start(s);
	bgp_sim_run(s, 300000);
	assert_false(bgp_sim_up(s));
	assert_true(bgp_peer_info(s->node[0].b, 0, &info));
	assert_non_null(strstr(info.last_error, "2/2"));
	assert_true(bgp_peer_info(s->node[1].b, 0, &info));
	assert_non_null(strstr(info.last_error, "it expects another AS than 65002: correct `as` here or there"));
	assert_in_range(info.msg_in[3], 5, 20); /* a minute apart in the end */
	bgp_sim_free(s);
}

static void two_octet_neighbours_and_large_ases(void **state)
{
	struct bgp_sim *s = bgp_sim_new(7, 2, 20);

	(void)state;
	s->node[0].cfg.bgp.as = 4200000001;
	s->node[1].peer[0].as = 4200000001;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 5000);
	bgp_sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_cores_come_up_and_tell_their_routes),
		cmocka_unit_test(thousands_of_simultaneous_connects_end_with_one_session),
		cmocka_unit_test(every_pair_of_modes_that_can_meet_does),
		cmocka_unit_test(hold_time_zero_lives_in_silence),
		cmocka_unit_test(a_wrong_as_is_told_at_both_ends),
		cmocka_unit_test(two_octet_neighbours_and_large_ases),
	};

	return cmocka_run_group_tests_name("sim-bgp-connect", tests, NULL, NULL);
}
