/* What a bad network and restarts do: connections lost at one end or both, silence, processes killed. It heals, always. */
#include "tests/sim/bgp_scenario.h"

enum { OWN = 25 };

static void both_ends_lose_the_connection(void **state)
{
	struct bgp_sim *s = bgp_sim_new(1, 2, OWN);

	(void)state;
	bgp_sim_start(s);
	for (unsigned i = 0; i < 20; i++) {
		bgp_scenario_agree(s, 70000);
		bgp_sim_run(s, 31000); /* long enough to be forgiven */
		bgp_tcp_break(s, false);
		assert_false(bgp_sim_up(s));
	}
	bgp_scenario_agree(s, 5000); /* about a second behind each */
	bgp_sim_free(s);
}

/* Only one end knows: the other hears of it when it sends, and refuses nobody meanwhile for long. */
static void half_open_connections_heal(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct bgp_sim *s = bgp_sim_new(seed, 2, OWN);

		bgp_sim_start(s);
		bgp_scenario_agree(s, 10000);
		bgp_sim_run(s, 31000);
		bgp_tcp_break(s, true);
		bgp_scenario_agree(s, 120000);
		bgp_sim_free(s);
	}
}

static void either_side_restarts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct bgp_sim *s = bgp_sim_new(seed, 2, OWN);
		struct bgp_sim_node *n = &s->node[seed & 1];

		bgp_sim_start(s);
		bgp_scenario_agree(s, 10000);
		bgp_sim_run(s, bgp_sim_random(s, 60000));
		bgp_sim_kill(n, seed & 2);
		for (unsigned k = 0; k < OWN; k++)
			n->own[bgp_sim_index(n, k)] = bgp_sim_random(s, 2); /* it comes back with others */
		bgp_sim_run(s, bgp_sim_random(s, 200000));
		bgp_sim_boot(n);
		bgp_scenario_agree(s, 150000);
		bgp_sim_free(s);
	}
}

static void a_silent_network_costs_the_session_after_the_hold_time(void **state)
{
	struct bgp_sim *s = bgp_sim_new(3, 2, OWN);

	(void)state;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 10000);
	s->stall_until = s->now + 50000;
	bgp_sim_run(s, 60000);
	assert_int_equal(s->node[0].lost + s->node[1].lost, 0); /* shorter than the hold time less a keepalive */
	s->stall_until = s->now + 91000;
	bgp_sim_run(s, 90500);
	assert_int_equal(s->node[0].lost, 1);
	assert_int_equal(s->node[1].lost, 1);
	bgp_scenario_agree(s, 120000);
	bgp_sim_free(s);
}

static void a_graceful_stop_is_told_and_the_return_taken(void **state)
{
	struct bgp_sim *s = bgp_sim_new(4, 2, OWN);
	struct bgp_peer_info info;

	(void)state;
	bgp_sim_start(s);
	bgp_scenario_agree(s, 10000);
	bgp_sim_enter(&s->node[0]);
	bgp_shutdown(s->node[0].b, "upgrade; back in 5 minutes", s->now);
	bgp_sim_leave(&s->node[0]);
	bgp_sim_run(s, 100);
	bgp_sim_kill(&s->node[0], false);
	assert_true(bgp_peer_info(s->node[1].b, 0, &info));
	assert_non_null(strstr(info.last_error, "upgrade; back in 5 minutes"));
	assert_int_equal(info.pfx_received, 0);
	bgp_sim_run(s, 300000);
	bgp_sim_boot(&s->node[0]);
	bgp_scenario_agree(s, 30000);
	bgp_sim_free(s);
}

/* Everything at once, then a good network: both ends are up and agree. */
static void chaos(struct bgp_sim *s)
{
	struct bgp_sim_node *n = &s->node[bgp_sim_random(s, s->n)];
	unsigned k = bgp_sim_random(s, OWN);

	switch (bgp_sim_random(s, 12)) {
	case 0:
		bgp_tcp_break(s, false);
		break;
	case 1:
		bgp_tcp_break(s, true);
		break;
	case 2:
		s->stall_until = s->now + bgp_sim_random(s, 20000);
		break;
	case 3:
		if (n->b)
			bgp_sim_kill(n, bgp_sim_random(s, 2));
		else
			bgp_sim_boot(n);
		break;
	case 4:
		if (!n->b)
			break;
		bgp_sim_enter(n);
		if (bgp_clear(n->b, bgp_sim_random(s, s->n - 1), bgp_sim_random(s, 2), s->now))
			k = 0; /* it was down */
		bgp_sim_leave(n);
		break;
	case 5:
		if (!n->b)
			break;
		bgp_sim_enter(n);
		bgp_peer_reachable(n->b, bgp_sim_random(s, s->n - 1), bgp_sim_random(s, 2), "a test says so", s->now);
		bgp_sim_leave(n);
		break;
	default:
		bgp_sim_own(n, k, !n->own[bgp_sim_index(n, k)]);
		break;
	}
}

static void heal(struct bgp_sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct bgp_sim_node *n = &s->node[i];

		if (!n->b)
			bgp_sim_boot(n);
		bgp_sim_enter(n);
		for (unsigned k = 0; k + 1 < s->n; k++)
			bgp_peer_reachable(n->b, k, true, NULL, s->now);
		bgp_sim_leave(n);
	}
	/* the long hold time of a half-open OpenSent, back-off of a minute, connect-retry */
	bgp_scenario_agree(s, 500000);
}

static void a_thousand_seeds_of_chaos(void **state)
{
	uint64_t lost = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= bgp_scenario_seeds(1000); seed++) {
		struct bgp_sim *s = bgp_sim_new(seed, 2 + (seed % 4 == 0), OWN);

		s->segment = 1 + bgp_sim_random(s, 300);
		s->window = 64 + bgp_sim_random(s, 3000);
		s->delay_max_ms = 5 + bgp_sim_random(s, 400);
		s->accept_late = bgp_sim_random(s, 2);
		s->node[0].peer[0].hold_s = bgp_sim_random(s, 2) ? 90 : 6;
		bgp_sim_start(s);
		for (unsigned i = 0; i < 40; i++) {
			chaos(s);
			bgp_sim_run(s, bgp_sim_random(s, bgp_sim_random(s, 4) ? 300 : 20000));
		}
		heal(s);
		for (unsigned i = 0; i < s->n; i++)
			lost += s->node[i].lost;
		bgp_sim_free(s);
	}
	print_message("# sessions lost on the way: %llu\n", (unsigned long long)lost);
	assert_true(lost > 2 * bgp_scenario_seeds(1000)); /* it was chaos indeed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_lose_the_connection),
		cmocka_unit_test(half_open_connections_heal),
		cmocka_unit_test(either_side_restarts),
		cmocka_unit_test(a_silent_network_costs_the_session_after_the_hold_time),
		cmocka_unit_test(a_graceful_stop_is_told_and_the_return_taken),
		cmocka_unit_test(a_thousand_seeds_of_chaos),
	};

	return cmocka_run_group_tests_name("sim-bgp-network", tests, NULL, NULL);
}
