/* The long run: twins, peers that move, tunnels that go, children that cannot be made anew. */
#include "tests/sim/scenario.h"

/* Both ends begin at once: both IKE SAs carry traffic, then one of them is closed without a packet lost. */
static void twins_become_one(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct sim *s = sim_new(seed);

		s->node[1].cfg.start = CFG_START_ALWAYS;
		s->net.delay_max_ms = 40;
		scenario_up(s);
		sim_run(s, 2000);
		s->node[0].probes_lost = s->node[1].probes_lost = 0;
		s->net.delay_max_ms = s->net.delay_min_ms;
		scenario_settle(s, 120000);
		if (scenario_lost(s))
			fail_msg("seed %llu: %llu probes lost", (unsigned long long)seed,
				 (unsigned long long)scenario_lost(s));
		sim_free(s);
	}
}

static void twins_under_loss_and_rekeys_end_alike(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct sim *s = sim_new(seed);

		s->node[1].cfg.start = CFG_START_ALWAYS;
		s->net.loss_percent = s->net.dup_percent = 5;
		s->net.delay_max_ms = 60;
		scenario_up(s);
		for (unsigned i = 0; i < 6; i++) {
			sim_event(&s->node[sim_random(s, 2)], sim_random(s, 3) ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE,
				  0);
			sim_run(s, sim_random(s, 1500));
		}
		s->net.loss_percent = s->net.dup_percent = 0;
		s->net.delay_max_ms = s->net.delay_min_ms;
		scenario_settle(s, 180000);
		sim_free(s);
	}
}

static void removed_tunnel_says_delete_and_leaves_nothing(void **state)
{
	struct sim *s = sim_new(900);

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	s->node[0].in_core = true;
	ike_tunnel_del(s->node[0].k, SIM_TUNNEL, s->now);
	s->node[0].in_core = false;
	assert_true(sim_run_until(s, sim_empty, 60000));
	assert_int_equal(s->node[1].n_notices[IKE_NOTICE_IKE_DOWN], 1);
	assert_int_equal(ike_deadline(s->node[0].k), UINT64_MAX);
	sim_free(s);
}

static void shutdown_tells_the_peer(void **state)
{
	struct sim *s = sim_new(901);

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	s->node[0].in_core = true;
	ike_shutdown(s->node[0].k, s->now);
	s->node[0].in_core = false;
	assert_true(sim_run_until(s, sim_empty, 60000));
	assert_non_null(strstr(s->node[1].last_cause, "deleted"));
	sim_run(s, 120000);
	assert_true(sim_empty(s)); /* nothing begins again */
	sim_free(s);
}

/* RFC 7296 2.23: authenticated ESP from elsewhere moves the outbound half, if the peer is behind a NAT. */
static void esp_from_elsewhere_is_followed_behind_a_nat_only(void **state)
{
	(void)state;
	for (int nat = 0; nat < 2; nat++) {
		struct sim *s = sim_new(902 + (unsigned)nat);
		struct ike_event ev = {.type = IKE_EV_PEER_MOVED, .tunnel = SIM_TUNNEL};
		struct ike_sa_info sa;

		if (nat)
			sim_add_nat(s, true);
		scenario_up(s);
		scenario_settle(s, 30000);
		assert_true(sim_the_ike(&s->node[0], &sa));
		ev.spi_in = s->node[0].tx[0];
		ev.path = sa.path;
		ev.path.remote_port = 31234;
		s->node[0].in_core = true;
		ike_event(s->node[0].k, &ev, s->now);
		s->node[0].in_core = false;
		assert_true(sim_the_ike(&s->node[0], &sa));
		if (nat)
			assert_int_equal(sa.path.remote_port, 31234);
		else
			assert_int_equal(sa.path.remote_port, 500);
		sim_free(s);
	}
}

/* PFS at one end only: IKE_AUTH's child comes up, no rekey of it does. RFC 7296 2.8: start over, so traffic goes on. */
static void pfs_at_one_end_starts_over_when_the_child_expires(void **state)
{
	static const char *const with[] = {"aes256gcm16-x25519", NULL};
	struct sim *s = sim_new(910);

	(void)state;
	sim_propose(&s->node[0], false, with);
	for (int i = 0; i < SIM_NODES; i++)
		s->node[i].cfg.esp.lifetime_s = 60;
	s->probe_ms = 50;
	scenario_up(s);
	sim_run(s, 600 * 1000);
	assert_true(s->node[0].n_notices[IKE_NOTICE_IKE_UP] >= 3);
	assert_true(s->node[1].n_notices[IKE_NOTICE_PEER_ERROR] > 0); /* and it was said why */
	assert_true(sim_run_until(s, sim_up, 60000));
	sim_free(s);
}

/* A respond-only end with an IKE SA may still ask for a child. */
static void traffic_at_the_responder_makes_a_child(void **state)
{
	struct sim *s = sim_new(911);

	(void)state;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	sim_start(s);
	sim_event(&s->node[0], IKE_EV_ACQUIRE, 0);
	assert_true(sim_run_until(s, sim_up, 5000));
	scenario_settle(s, 30000);
	sim_event(&s->node[0], IKE_EV_CHILD_HARD, 0);
	sim_run(s, 100);
	sim_event(&s->node[1], IKE_EV_ACQUIRE, 0);
	sim_run(s, 2000);
	scenario_settle(s, 30000);
	sim_free(s);
}

/* Another group than ours for the rekeys: INVALID_KE_PAYLOAD, and once more. */
static void rekeys_follow_invalid_ke(void **state)
{
	static const char *const ike_two[] = {"aes256gcm16-prfsha256-x25519", "aes256gcm16-prfsha256-ecp256", NULL};
	static const char *const ike_one[] = {"aes256gcm16-prfsha256-ecp256", NULL};
	static const char *const esp_two[] = {"aes256gcm16-x25519", "aes256gcm16-ecp256", NULL};
	static const char *const esp_one[] = {"aes256gcm16-ecp256", NULL};
	struct sim *s = sim_new(912);
	struct scenario_spis a, b;

	(void)state;
	sim_propose(&s->node[0], true, ike_two);
	sim_propose(&s->node[0], false, esp_two);
	sim_propose(&s->node[1], true, ike_one);
	sim_propose(&s->node[1], false, esp_one);
	scenario_up(s);
	scenario_settle(s, 30000);
	a = scenario_spis(&s->node[0]);
	sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 1000);
	sim_event(&s->node[0], IKE_EV_REKEY_IKE, 0);
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	b = scenario_spis(&s->node[0]);
	scenario_child_changed(&a, &b);
	scenario_ike_changed(&a, &b);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

/* One end's rekey is refused (its selectors are not ours any more) while the other's is on its way. */
static void a_refused_rekey_crosses_a_good_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct sim *s = sim_new(920 + i);

		scenario_up(s);
		scenario_settle(s, 30000);
		s->node[0].probes_lost = s->node[1].probes_lost = 0;
		s->node[1].cfg.ts[0].remote = (struct ip_prefix){.addr = ip_v4(0x0a000000), .len = 8};
		s->node[1].cfg.ts[0].protocol = 6;
		s->node[0].cfg.ts[0].protocol = 17; /* nothing in common: both are refused */
		if (i & 1)
			s->node[0].cfg.ts[0].protocol = 0; /* or node 0's alone is narrowed */
		s->net.delay_max_ms = 25;
		sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
		sim_run(s, i / 2);
		sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
		sim_run(s, 3000);
		s->net.delay_max_ms = s->net.delay_min_ms;
		scenario_settle(s, 60000);
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

static enum sim_fate nothing_passes(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	(void)arg;
	(void)from;
	(void)nth;
	(void)msg;
	(void)len;
	return SIM_DROP;
}

/* The link goes down for a while at any moment of a rekey of the IKE SA. */
static void a_link_that_bounces_during_a_rekey_costs_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct sim *s = sim_new(970 + i);

		scenario_up(s);
		scenario_settle(s, 30000);
		sim_event(&s->node[i & 1], i & 2 ? IKE_EV_REKEY_IKE : IKE_EV_REKEY_CHILD, 0);
		sim_run(s, i * 2);
		s->net.filter = nothing_passes;
		sim_run(s, 1000 * (i % 20 + 1));
		s->net.filter = NULL;
		scenario_settle(s, 180000);
		assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_DOWN], 0);
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

/* All kinds of requests wait while the peer is silent; it is given up, and the next attempt begins with none of them. */
static void what_waited_for_a_dead_peer_is_forgotten(void **state)
{
	struct sim *s = sim_new(1010);

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	s->node[1].dead = true;
	sim_run(s, 35000); /* a liveness check is out */
	sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
	sim_event(&s->node[0], IKE_EV_REKEY_IKE, 0);
	sim_run(s, 100000);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_DOWN], 1);
	s->node[1].dead = false;
	assert_true(sim_run_until(s, sim_up, 120000));
	scenario_settle(s, 120000);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_CHILD_REKEYED], 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twins_become_one),
		cmocka_unit_test(twins_under_loss_and_rekeys_end_alike),
		cmocka_unit_test(removed_tunnel_says_delete_and_leaves_nothing),
		cmocka_unit_test(shutdown_tells_the_peer),
		cmocka_unit_test(esp_from_elsewhere_is_followed_behind_a_nat_only),
		cmocka_unit_test(pfs_at_one_end_starts_over_when_the_child_expires),
		cmocka_unit_test(traffic_at_the_responder_makes_a_child),
		cmocka_unit_test(rekeys_follow_invalid_ke),
		cmocka_unit_test(a_refused_rekey_crosses_a_good_one),
		cmocka_unit_test(a_link_that_bounces_during_a_rekey_costs_nothing),
		cmocka_unit_test(what_waited_for_a_dead_peer_is_forgotten),
	};

	return cmocka_run_group_tests_name("sim-life", tests, NULL, NULL);
}
