/* Rekeys, crossings, deletes: one SA pair at the end, no probe lost on the way. */
#include <malloc.h>

#include "tests/sim/scenario.h"

static struct sim *fresh(uint64_t seed, bool pfs)
{
	static const char *const with[] = {"aes256gcm16-x25519", NULL};
	struct sim *s = sim_new(seed);

	if (pfs)
		for (int i = 0; i < SIM_NODES; i++)
			sim_propose(&s->node[i], false, with);
	scenario_up(s);
	scenario_settle(s, 30000);
	s->node[0].probes_lost = s->node[1].probes_lost = 0;
	return s;
}

static void child_rekey_from(int who, bool pfs)
{
	struct sim *s = fresh(100 + (unsigned)who, pfs);
	struct scenario_spis a = scenario_spis(&s->node[0]), b;

	assert_int_equal(sim_event(&s->node[who], IKE_EV_REKEY_CHILD, 0), 0);
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	b = scenario_spis(&s->node[0]);
	scenario_child_changed(&a, &b);
	assert_true(a.ike_i == b.ike_i);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

static void child_rekey_by_initiator(void **state)
{
	(void)state;
	child_rekey_from(0, false);
}

static void child_rekey_by_responder(void **state)
{
	(void)state;
	child_rekey_from(1, false);
}

static void child_rekey_with_pfs(void **state)
{
	(void)state;
	child_rekey_from(0, true);
	child_rekey_from(1, true);
}

/* The data plane keeps four inbound SAs of a tunnel, and an old one drains for five seconds. */
static void rekeys_faster_than_old_pairs_drain_all_succeed(void **state)
{
	struct sim *s = fresh(105, false);

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct scenario_spis a = scenario_spis(&s->node[0]), b;

		assert_int_equal(sim_event(&s->node[i % 2], IKE_EV_REKEY_CHILD, 0), 0);
		sim_run(s, 500);
		b = scenario_spis(&s->node[0]);
		scenario_child_changed(&a, &b);
	}
	scenario_settle(s, 60000);
	assert_int_equal(scenario_lost(s), 0);
	for (unsigned i = 0; i < SIM_NODES; i++)
		assert_int_equal(s->node[i].n_notices[IKE_NOTICE_PEER_ERROR], 0);
	sim_free(s);
}

static void ike_rekey_keeps_the_children(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		struct sim *s = fresh(110 + (unsigned)who, false);
		struct scenario_spis a = scenario_spis(&s->node[0]), b;

		assert_int_equal(sim_event(&s->node[who], IKE_EV_REKEY_IKE, 0), 0);
		sim_run(s, 1000);
		scenario_settle(s, 60000);
		b = scenario_spis(&s->node[0]);
		scenario_ike_changed(&a, &b);
		assert_int_equal(a.child_in, b.child_in);
		assert_int_equal(scenario_lost(s), 0);
		/* and the new one works: liveness, another rekey from the other side */
		assert_int_equal(sim_event(&s->node[!who], IKE_EV_REKEY_IKE, 0), 0);
		sim_run(s, 1000);
		assert_int_equal(sim_event(&s->node[!who], IKE_EV_REKEY_CHILD, 0), 0);
		sim_run(s, 1000);
		scenario_settle(s, 60000);
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

static void ike_rekey_changes_prf_and_cipher(void **state)
{
	static const char *const first[] = {"aes256gcm16-prfsha256-x25519", NULL};
	static const char *const then[] = {"aes128gcm16-prfsha384-ecp256", NULL};
	struct sim *s = sim_new(120);
	struct ike_sa_info sa;

	(void)state;
	for (int i = 0; i < SIM_NODES; i++)
		sim_propose(&s->node[i], true, first);
	scenario_up(s);
	scenario_settle(s, 30000);
	for (int i = 0; i < SIM_NODES; i++)
		sim_propose(&s->node[i], true, then);
	sim_event(&s->node[0], IKE_EV_REKEY_IKE, 0);
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	assert_true(sim_the_ike(&s->node[1], &sa));
	assert_int_equal(sa.prf->id, ALG_PRF_HMAC_SHA2_384);
	sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

/* Two things at once, from node 0 and from node 1, `apart` ms from each other. */
static void cross(uint64_t seed, enum ike_event_type a, enum ike_event_type b, uint32_t apart, bool zero_loss)
{
	struct sim *s = fresh(seed, seed & 1);

	s->net.delay_min_ms = 5;
	s->net.delay_max_ms = 25;
	sim_event(&s->node[0], a, 0);
	sim_run(s, apart);
	sim_event(&s->node[1], b, 0);
	sim_run(s, 2000);
	s->net.delay_max_ms = s->net.delay_min_ms;
	scenario_settle(s, 120000);
	if (zero_loss && scenario_lost(s))
		fail_msg("seed %llu, %u ms apart: %llu probes lost", (unsigned long long)seed, apart,
			 (unsigned long long)scenario_lost(s));
	sim_free(s);
}

static void crossing_child_rekeys_lose_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		cross(200 + i, IKE_EV_REKEY_CHILD, IKE_EV_REKEY_CHILD, i, true);
}

static void crossing_ike_rekeys_lose_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		cross(300 + i, IKE_EV_REKEY_IKE, IKE_EV_REKEY_IKE, i, true);
}

static void child_rekey_crosses_ike_rekey(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		cross(400 + i, IKE_EV_REKEY_CHILD, IKE_EV_REKEY_IKE, i, true);
		cross(500 + i, IKE_EV_REKEY_IKE, IKE_EV_REKEY_CHILD, i, true);
	}
}

/* A tunnel that is taken down while the other end rekeys ends down at both ends, with nothing left. */
static void rekey_crosses_delete(void **state)
{
	static const enum ike_event_type rekeys[] = {IKE_EV_REKEY_CHILD, IKE_EV_REKEY_IKE};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct sim *s = fresh(600 + i, i & 1);
		int down = i & 1;

		sim_event(&s->node[!down], rekeys[i / 2 % 2], 0);
		sim_run(s, i / 2);
		s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
		sim_event(&s->node[0], IKE_EV_DOWN, 0);
		if (down)
			sim_event(&s->node[1], IKE_EV_DOWN, 0);
		if (!sim_run_until(s, sim_empty, 180000))
			fail_msg("seed %u: something is left", 600 + i);
		sim_free(s);
	}
}

static void both_take_it_down_at_once(void **state)
{
	struct sim *s = fresh(700, false);

	(void)state;
	sim_event(&s->node[0], IKE_EV_DOWN, 0);
	sim_event(&s->node[1], IKE_EV_DOWN, 0);
	assert_true(sim_run_until(s, sim_empty, 60000));
	sim_event(&s->node[0], IKE_EV_UP, 0);
	assert_true(sim_run_until(s, sim_up, 10000));
	scenario_settle(s, 30000);
	sim_free(s);
}

static void lifetimes_rekey_by_themselves(void **state)
{
	struct sim *s = sim_new(800);
	struct scenario_spis a, b;

	(void)state;
	for (int i = 0; i < SIM_NODES; i++) {
		s->node[i].cfg.ike.lifetime_s = 600;
		s->node[i].cfg.esp.lifetime_s = 120;
	}
	s->probe_ms = 20;
	scenario_up(s);
	scenario_settle(s, 30000);
	a = scenario_spis(&s->node[0]);
	s->node[0].probes_lost = s->node[1].probes_lost = 0;
	sim_run(s, 3600 * 1000);
	scenario_settle(s, 30000);
	b = scenario_spis(&s->node[0]);
	scenario_ike_changed(&a, &b);
	scenario_child_changed(&a, &b);
	assert_true(s->node[0].n_notices[IKE_NOTICE_CHILD_REKEYED] >= 25);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

static void byte_limit_rekeys(void **state)
{
	struct sim *s = fresh(801, false);
	struct scenario_spis a = scenario_spis(&s->node[0]), b;

	(void)state;
	sim_event(&s->node[0], IKE_EV_CHILD_SOFT, 0);
	sim_event(&s->node[0], IKE_EV_CHILD_SOFT, 0); /* both halves may say so */
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	b = scenario_spis(&s->node[0]);
	scenario_child_changed(&a, &b);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

static void hard_limit_makes_a_new_child(void **state)
{
	struct sim *s = fresh(802, false);
	struct scenario_spis a = scenario_spis(&s->node[1]), b;

	(void)state;
	sim_event(&s->node[1], IKE_EV_CHILD_HARD, 0);
	sim_run(s, 2000);
	scenario_settle(s, 120000);
	b = scenario_spis(&s->node[1]);
	scenario_child_changed(&a, &b);
	sim_free(s);
}

/* Both ends ask for the new child, and one is enough. */
static void hard_limits_at_both_ends_make_one_new_child(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 40; seed++) {
		struct sim *s = fresh(803 + seed, seed % 2);
		struct scenario_spis a = scenario_spis(&s->node[1]), b;

		for (unsigned i = 0; i < SIM_NODES; i++)
			sim_event(&s->node[i], IKE_EV_CHILD_HARD, 0);
		sim_run(s, 2000);
		scenario_settle(s, 20000);
		b = scenario_spis(&s->node[1]);
		scenario_child_changed(&a, &b);
		assert_true(a.ike_i == b.ike_i);
		sim_free(s);
	}
}

static void data_plane_restart_makes_new_children_on_the_same_ike_sa(void **state)
{
	struct sim *s = fresh(803, false);
	struct scenario_spis a = scenario_spis(&s->node[0]), b;

	(void)state;
	memset(s->node[0].pair, 0, sizeof(s->node[0].pair));
	s->node[0].tx[0] = 0;
	sim_event(&s->node[0], IKE_EV_DP_LOST, 0);
	sim_run(s, 2000);
	scenario_settle(s, 120000);
	b = scenario_spis(&s->node[0]);
	scenario_child_changed(&a, &b);
	assert_true(a.ike_i == b.ike_i && a.ike_r == b.ike_r);
	sim_free(s);
}

static void many_rekeys_leave_nothing_behind(void **state)
{
	struct sim *s = fresh(804, false);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		sim_event(&s->node[i & 1], i % 5 ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE, 0);
		sim_run(s, 20 + sim_random(s, 200));
	}
	scenario_settle(s, 120000);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

/* C7: what a rekey leaves behind, however little, is too much after years. */
static void thousands_of_rekeys_cost_no_memory(void **state)
{
	enum { REKEYS = 20000, WARM = 2000 };
	struct sim *s = fresh(805, false);
	size_t before = 0;
	struct scenario_spis a, b;

	(void)state;
	s->node[0].quiet = s->node[1].quiet = true;
	s->job_ms = s->install_ms = 1;
	for (unsigned i = 0; i < REKEYS; i++) {
		a = scenario_spis(&s->node[0]);
		sim_event(&s->node[i & 1], i % 10 ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE, 0);
		for (unsigned k = 0; k < 60; k++) {
			sim_run(s, 100);
			if (sim_settled(s))
				break;
		}
		b = scenario_spis(&s->node[0]);
		assert_true(i % 10 ? a.child_in != b.child_in : a.ike_i != b.ike_i);
		if (i + 1 == WARM)
			before = mallinfo2().uordblks;
	}
	assert_true(mallinfo2().uordblks <= before + 4096); /* 0 under a sanitizer, which looks for leaks itself */
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_rekey_by_initiator),
		cmocka_unit_test(child_rekey_by_responder),
		cmocka_unit_test(child_rekey_with_pfs),
		cmocka_unit_test(rekeys_faster_than_old_pairs_drain_all_succeed),
		cmocka_unit_test(ike_rekey_keeps_the_children),
		cmocka_unit_test(ike_rekey_changes_prf_and_cipher),
		cmocka_unit_test(crossing_child_rekeys_lose_nothing),
		cmocka_unit_test(crossing_ike_rekeys_lose_nothing),
		cmocka_unit_test(child_rekey_crosses_ike_rekey),
		cmocka_unit_test(rekey_crosses_delete),
		cmocka_unit_test(both_take_it_down_at_once),
		cmocka_unit_test(lifetimes_rekey_by_themselves),
		cmocka_unit_test(byte_limit_rekeys),
		cmocka_unit_test(hard_limit_makes_a_new_child),
		cmocka_unit_test(hard_limits_at_both_ends_make_one_new_child),
		cmocka_unit_test(data_plane_restart_makes_new_children_on_the_same_ike_sa),
		cmocka_unit_test(many_rekeys_leave_nothing_behind),
		cmocka_unit_test(thousands_of_rekeys_cost_no_memory),
	};

	return cmocka_run_group_tests_name("sim-rekey", tests, NULL, NULL);
}
