/* Routes between cores: churn, large tables over thin links, flap storms. What one told is what the other heard. */
#include "bgp/peer.h"
#include "tests/sim/bgp_scenario.h"

static void churn(struct bgp_sim *s, unsigned times, unsigned n_own, unsigned pause_ms)
{
	for (unsigned i = 0; i < times; i++) {
		struct bgp_sim_node *n = &s->node[bgp_sim_random(s, s->n)];
		unsigned k = bgp_sim_random(s, n_own);

		bgp_sim_own(n, k, !n->own[bgp_sim_index(n, k)]);
		if (pause_ms)
			bgp_sim_run(s, bgp_sim_random(s, pause_ms));
	}
}

static void random_churn_ends_in_agreement(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= bgp_scenario_seeds(150); seed++) {
		unsigned n = 2 + (unsigned)(seed & 1);
		struct bgp_sim *s = bgp_sim_new(seed, n, 40);

		s->segment = 1 + bgp_sim_random(s, 200);
		s->window = 64 + bgp_sim_random(s, 2000);
		if (seed % 3 == 0)
			bgp_sim_use_v6(s);
		bgp_sim_start(s);
		churn(s, 200, 40, 50);
		bgp_scenario_agree(s, 60000);
		churn(s, 200, 40, 0);
		bgp_scenario_agree(s, 30000);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(s->node[i].lost, s->node[i].established - (n - 1));
		bgp_sim_free(s);
	}
}

/* A prefix that comes and goes fast costs the other end a few changes, not each; and the last word is right. */
static void a_flap_storm_is_folded(void **state)
{
	struct bgp_sim *s = bgp_sim_new(11, 2, 50);
	uint64_t before;
	unsigned lost;

	(void)state;
	s->window = 400;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 10000);
	before = s->node[1].route_changes;
	lost = s->node[0].lost;
	for (unsigned i = 0; i < 20001; i++) {
		bgp_sim_own(&s->node[0], 7, i & 1);
		if (i % 100 == 0)
			bgp_sim_run(s, 10);
	}
	bgp_scenario_agree(s, 10000);
	assert_false(s->node[1].fib[bgp_sim_index(&s->node[0], 7)]);
	assert_true(s->node[1].route_changes - before < 500);
	assert_int_equal(s->node[0].lost, lost);
	bgp_sim_free(s);
}

/* A large table both ways over a thin, slow line, with the least hold time there is, while each slice of work takes time. */
static void keepalives_stay_on_time_while_a_large_table_flows(void **state)
{
	struct bgp_sim *s = bgp_sim_new(12, 2, 60000);
	uint64_t start;

	(void)state;
	s->node[0].peer[0].hold_s = s->node[1].peer[0].hold_s = 3;
	s->delay_min_ms = 40;
	s->delay_max_ms = 60;
	s->window = 1500;
	s->segment = 1460;
	s->work_ms = 5;
	bgp_sim_start(s);
	bgp_scenario_up(s, 5000);
	start = s->now;
	bgp_scenario_agree(s, 300000);
	assert_true(s->now - start > 6000); /* it took more than two hold times */
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned k = 0; k < 60000; k++)
			bgp_sim_own(&s->node[0], k, round & 1);
		bgp_scenario_agree(s, 300000);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(s->node[i].established, 1);
		assert_int_equal(s->node[i].lost, 0);
	}
	bgp_sim_free(s);
}

/* One end sends nothing but the table and keepalives, the other hardly reads: slow is not dead (RFC 9687). */
static void a_slow_reader_is_not_a_dead_one(void **state)
{
	struct bgp_sim *s = bgp_sim_new(13, 2, 20000);

	(void)state;
	s->node[0].peer[0].hold_s = 9;
	s->delay_min_ms = s->delay_max_ms = 400;
	s->window = 700;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 1000000);
	assert_int_equal(s->node[0].lost + s->node[1].lost, 0);
	bgp_sim_free(s);
}

static void a_policy_change_is_carried_out_without_a_reset(void **state)
{
	struct bgp_sim *s = bgp_sim_new(14, 2, 5000);
	struct bgp_sim_node *n = &s->node[1];
	struct cfg_policy_entry deny = {.permit = false};
	struct cfg_policy none = {.name = "all", .entry = &deny, .n_entries = 1};
	struct config other;
	struct bgp_peer_info info;

	(void)state;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 10000);
	other = n->cfg;
	other.policy = &none;
	bgp_sim_enter(n);
	bgp_config(n->b, &other, s->now);
	bgp_sim_leave(n);
	bgp_sim_run(s, 5000);
	assert_true(bgp_peer_info(n->b, 0, &info));
	assert_int_equal(info.pfx_received, 5000);
	assert_int_equal(info.pfx_accepted, 0);
	assert_int_equal(info.pfx_sent, 0);
	for (unsigned k = 0; k < 5000; k++)
		assert_false(n->fib[bgp_sim_index(&s->node[0], k)]);
	bgp_sim_enter(n);
	bgp_config(n->b, &n->cfg, s->now);
	bgp_sim_leave(n);
	bgp_scenario_agree(s, 5000);
	assert_int_equal(s->node[0].lost + s->node[1].lost, 0);
	bgp_sim_free(s);
}

static void without_a_policy_nothing_passes(void **state)
{
	struct bgp_sim *s = bgp_sim_new(15, 2, 100);
	struct bgp_peer_info a, b;

	(void)state;
	s->node[0].peer[0].export[0] = '\0';
	s->node[0].peer[0].import[0] = '\0';
	bgp_sim_start(s);
	bgp_scenario_up(s, 5000);
	bgp_sim_run(s, 5000);
	assert_true(bgp_peer_info(s->node[0].b, 0, &a));
	assert_true(bgp_peer_info(s->node[1].b, 0, &b));
	assert_true(a.no_import && a.no_export);
	assert_int_equal(a.pfx_received, 100);
	assert_int_equal(a.pfx_accepted, 0);
	assert_int_equal(a.pfx_sent, 0);
	assert_int_equal(b.pfx_received, 0);
	assert_int_equal(s->node[0].route_changes, 0);
	bgp_sim_free(s);
}

static void a_soft_clear_sends_all_again_and_changes_nothing(void **state)
{
	struct bgp_sim *s = bgp_sim_new(16, 2, 1000);
	struct bgp_peer_info before, after;
	uint64_t changes;

	(void)state;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 5000);
	bgp_sim_run(s, 1000);
	assert_true(bgp_peer_info(s->node[0].b, 0, &before));
	changes = s->node[1].route_changes;
	bgp_sim_enter(&s->node[1]);
	assert_int_equal(bgp_clear(s->node[1].b, 0, true, s->now), 0);
	bgp_sim_leave(&s->node[1]);
	bgp_sim_run(s, 5000);
	assert_true(bgp_peer_info(s->node[0].b, 0, &after));
	assert_int_equal(after.msg_in[5], before.msg_in[5] + 1);
	assert_true(after.msg_out[2] > before.msg_out[2]);
	assert_int_equal(s->node[1].route_changes, changes);
	assert_true(bgp_sim_agreed(s));
	bgp_sim_free(s);
}

static void max_prefix_in_ends_the_session_with_words(void **state)
{
	struct bgp_sim *s = bgp_sim_new(17, 2, 300);
	struct bgp_peer_info info;

	(void)state;
	s->node[1].peer[0].max_prefix_in = 200;
	bgp_sim_start(s);
	bgp_sim_run(s, 900);
	assert_true(bgp_peer_info(s->node[1].b, 0, &info));
	assert_true(info.max_prefix_hit);
	assert_int_equal(info.state, BGP_IDLE);
	assert_non_null(strstr(info.last_error, "max-prefix-in"));
	assert_true(bgp_peer_info(s->node[0].b, 0, &info));
	assert_non_null(strstr(info.last_error, "max-prefix-out"));
	for (unsigned k = 0; k < 300; k++)
		assert_false(s->node[1].fib[bgp_sim_index(&s->node[0], k)]);
	/* with fewer, it comes back by itself */
	for (unsigned k = 150; k < 300; k++)
		bgp_sim_own(&s->node[0], k, false);
	bgp_scenario_agree(s, 300000);
	bgp_sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_churn_ends_in_agreement),
		cmocka_unit_test(a_flap_storm_is_folded),
		cmocka_unit_test(keepalives_stay_on_time_while_a_large_table_flows),
		cmocka_unit_test(a_slow_reader_is_not_a_dead_one),
		cmocka_unit_test(a_policy_change_is_carried_out_without_a_reset),
		cmocka_unit_test(without_a_policy_nothing_passes),
		cmocka_unit_test(a_soft_clear_sends_all_again_and_changes_nothing),
		cmocka_unit_test(max_prefix_in_ends_the_session_with_words),
	};

	return cmocka_run_group_tests_name("sim-bgp-routes", tests, NULL, NULL);
}
