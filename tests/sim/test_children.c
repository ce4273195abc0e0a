/* Several children in one tunnel, their mode and sequence numbers, and traffic that asks for one of them. */
#include "tests/sim/scenario.h"

static struct sim *several(uint64_t seed, unsigned n)
{
	struct sim *s = sim_new(seed);

	sim_use_children(s, n);
	scenario_up(s);
	scenario_settle(s, 30000);
	s->node[0].probes_lost = s->node[1].probes_lost = 0;
	return s;
}

static struct ike_child_info child_of(const struct sim_node *n, unsigned child)
{
	struct ike_child_info i;

	if (!sim_child_of(n, (uint8_t)child, &i))
		fail_msg("node %d has not one child %u", n->id, child);
	return i;
}

static const char *error_of(const struct sim_node *n)
{
	static struct ike_tunnel_info info;

	assert_int_equal(ike_tunnel_info(n->k, SIM_TUNNEL, &info), 0);
	return info.last_error;
}

static void every_pair_has_its_child(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= CFG_TS_MAX; n++) {
		struct sim *s = several(n, n);

		for (unsigned i = 0; i < n; i++) {
			struct ike_child_info a = child_of(&s->node[0], i), b = child_of(&s->node[1], i);

			assert_int_equal(a.n_ts, 1);
			assert_memory_equal(&a.ts[0], &s->node[0].cfg.ts[i], sizeof(a.ts[0]));
			assert_memory_equal(&b.ts[0], &s->node[1].cfg.ts[i], sizeof(b.ts[0]));
		}
		sim_run(s, 30000); /* and nobody makes more */
		scenario_settle(s, 1000);
		assert_int_equal(s->node[0].n_notices[IKE_NOTICE_CHILD_UP], n);
		assert_int_equal(s->node[1].n_notices[IKE_NOTICE_CHILD_UP], n);
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

/* Both ends want them all, and both IKE SAs of a crossing carry some. */
static void both_ends_begin_and_one_set_is_left(void **state)
{
	(void)state;
	for (uint64_t seed = 20; seed < 50; seed++) {
		struct sim *s = sim_new(seed);

		s->node[1].cfg.start = CFG_START_ALWAYS;
		s->net.delay_max_ms = 40;
		sim_use_children(s, 3);
		scenario_up(s);
		sim_run(s, 2000);
		s->net.delay_max_ms = s->net.delay_min_ms;
		s->node[0].probes_lost = s->node[1].probes_lost = 0;
		scenario_settle(s, 180000);
		if (scenario_lost(s))
			fail_msg("seed %llu: %llu probes lost", (unsigned long long)seed,
				 (unsigned long long)scenario_lost(s));
		sim_free(s);
	}
}

static void a_rekey_of_one_leaves_the_others(void **state)
{
	struct sim *s = several(60, 4);
	struct ike_child_info before[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		before[i] = child_of(&s->node[0], i);
	sim_event(&s->node[0], IKE_EV_CHILD_SOFT, before[2].spi_in);
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(child_of(&s->node[0], i).spi_in != before[i].spi_in, i == 2);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

/* What the data plane has room for is counted for each child. */
static void the_old_pairs_of_all_drain_to_the_end(void **state)
{
	struct sim *s = several(61, 4);

	(void)state;
	sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 2000);
	assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_OLD), 4);
	assert_int_equal(sim_count_child(&s->node[1], IKE_CHILD_OLD), 4);
	scenario_settle(s, 60000);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

static void crossing_rekeys_of_all_lose_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct sim *s = several(100 + i, 4);

		s->net.delay_min_ms = 5;
		s->net.delay_max_ms = 25;
		sim_event(&s->node[0], i % 3 == 2 ? IKE_EV_REKEY_IKE : IKE_EV_REKEY_CHILD, 0);
		sim_run(s, i);
		sim_event(&s->node[1], i % 3 == 1 ? IKE_EV_REKEY_IKE : IKE_EV_REKEY_CHILD, 0);
		sim_run(s, 3000);
		s->net.delay_max_ms = s->net.delay_min_ms;
		scenario_settle(s, 180000);
		if (scenario_lost(s))
			fail_msg("seed %u: %llu probes lost", 100 + i, (unsigned long long)scenario_lost(s));
		sim_free(s);
	}
}

static void a_hard_limit_is_one_childs_own(void **state)
{
	struct sim *s = several(160, 3);
	struct ike_child_info before[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		before[i] = child_of(&s->node[1], i);
	sim_event(&s->node[0], IKE_EV_CHILD_HARD, child_of(&s->node[0], 1).spi_in);
	sim_run(s, 2000);
	scenario_settle(s, 60000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(child_of(&s->node[1], i).spi_in != before[i].spi_in, i == 1);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_UP], 1);
	sim_free(s);
}

static void a_lost_data_plane_gets_all_eight_anew(void **state)
{
	struct sim *s = several(170, 8);
	struct scenario_spis a = scenario_spis(&s->node[0]), b;

	(void)state;
	sim_lose_dp(&s->node[0]);
	sim_run(s, 3000);
	scenario_settle(s, 120000);
	b = scenario_spis(&s->node[0]);
	assert_true(a.ike_i == b.ike_i && a.ike_r == b.ike_r);
	/* while they are being made, too */
	sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
	for (unsigned i = 0; i < 5; i++) {
		sim_run(s, 17 * i);
		sim_lose_dp(&s->node[i % 2]);
	}
	scenario_settle(s, 300000);
	sim_free(s);
}

/* One pair that the peer does not have: the others work, the cause is told, and it is tried again more and more seldom. */
static void one_child_may_be_refused(void **state)
{
	struct sim *s = sim_new(180);
	uint64_t refused;

	(void)state;
	sim_use_children(s, 3);
	s->node[1].cfg.ts[1].remote.addr = ip_v4(0x0a630000);
	sim_start(s);
	sim_run(s, 5000);
	child_of(&s->node[0], 0);
	child_of(&s->node[0], 2);
	assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_UP), 2);
	assert_non_null(strstr(error_of(&s->node[0]), "TS_UNACCEPTABLE"));
	assert_non_null(strstr(error_of(&s->node[0]), "create-child 1 of this tunnel"));
	refused = s->node[1].n_notices[IKE_NOTICE_PEER_ERROR];
	assert_int_equal(refused, 1);
	sim_run(s, 600 * 1000);
	refused = s->node[1].n_notices[IKE_NOTICE_PEER_ERROR];
	assert_in_range(refused, 4, 6); /* 30, 60, 120, 240 and 300 s */
	s->node[1].cfg.ts[1].remote.addr = s->node[0].cfg.ts[1].local.addr;
	assert_true(sim_run_until(s, sim_up, 400 * 1000));
	scenario_settle(s, 30000);
	assert_string_equal(error_of(&s->node[0]), "");
	sim_free(s);
}

/* Ours has one child for all: a second one of the peer's with other selectors would take the first one's way. */
static void a_second_child_does_not_displace_the_first(void **state)
{
	struct sim *s = sim_new(190);

	(void)state;
	sim_use_children(s, 2);
	s->node[1].cfg.children = CFG_CHILDREN_ONE;
	sim_start(s);
	sim_run(s, 5000);
	child_of(&s->node[1], 0);
	assert_int_equal(sim_count_child(&s->node[1], IKE_CHILD_UP), 1);
	assert_non_null(strstr(s->node[1].last_cause, "per-selector"));
	sim_free(s);
}

/* The other way round: one request for all pairs gets a part of them, and the rest is asked for. */
static void one_request_for_all_gets_one_pair(void **state)
{
	struct sim *s = sim_new(191);

	(void)state;
	sim_use_children(s, 2);
	s->node[0].cfg.children = CFG_CHILDREN_ONE;
	sim_start(s);
	sim_run(s, 5000);
	assert_int_equal(child_of(&s->node[1], 0).n_ts, 1);
	assert_int_equal(child_of(&s->node[0], 0).n_ts, 1);
	sim_free(s);
}

static void equal_pairs_get_a_child_each(void **state)
{
	struct sim *s = sim_new(193);

	(void)state;
	sim_use_children(s, 2);
	for (int i = 0; i < SIM_NODES; i++)
		s->node[i].cfg.ts[1] = s->node[i].cfg.ts[0];
	scenario_up(s);
	scenario_settle(s, 30000);
	sim_free(s);
}

/* Of nested pairs the one that holds all that the peer asks for, not the packet alone. */
static void nested_pairs_are_told_apart(void **state)
{
	struct sim *s = sim_new(194);
	struct cfg_ts p;

	(void)state;
	sim_use_children(s, 2);
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	for (int i = 0; i < SIM_NODES; i++) {
		s->node[i].cfg.ts[1] = s->node[i].cfg.ts[0];
		s->node[i].cfg.ts[1].local.len = s->node[i].cfg.ts[1].remote.len = 16;
	}
	sim_start(s);
	p = s->node[0].cfg.ts[0];
	p.local.len = p.remote.len = 32;
	p.local.addr.b[3] = p.remote.addr.b[3] = 7;
	sim_acquire(&s->node[0], 1, &p);
	sim_run(s, 3000);
	assert_int_equal(child_of(&s->node[1], 1).ts[0].local.len, 16);
	sim_free(s);
}

static void children_that_the_config_lost_are_closed(void **state)
{
	struct sim *s = several(192, 4);

	(void)state;
	for (int i = 0; i < SIM_NODES; i++) {
		s->node[i].cfg.n_ts = 2;
		s->node[i].in_core = true;
		assert_int_equal(ike_tunnel_set(s->node[i].k, SIM_TUNNEL, &s->node[i].cfg, s->now), 0);
		s->node[i].in_core = false;
	}
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	sim_use_children(s, 5);
	s->node[1].in_core = s->node[0].in_core = true;
	assert_int_equal(ike_tunnel_set(s->node[1].k, SIM_TUNNEL, &s->node[1].cfg, s->now), 0);
	assert_int_equal(ike_tunnel_set(s->node[0].k, SIM_TUNNEL, &s->node[0].cfg, s->now), 0);
	s->node[1].in_core = s->node[0].in_core = false;
	sim_run(s, 1000);
	scenario_settle(s, 60000);
	sim_free(s);
}

/* ---- ESN: RFC 4303 2.2.1 ---- */

static void esn_is_what_both_ends_allow(void **state)
{
	/* [ours][theirs]; -1: no child */
	static const int want[3][3] = {
		[CFG_ESN_PREFER] = {1, 1, 0}, [CFG_ESN_REQUIRE] = {1, 1, -1}, [CFG_ESN_NO] = {0, -1, 0}};

	(void)state;
	for (unsigned a = 0; a < 3; a++)
		for (unsigned b = 0; b < 3; b++) {
			struct sim *s = sim_new(200 + a * 3 + b);
			struct ike_child_info i, k;

			s->node[0].cfg.esp.esn = (uint8_t)a;
			s->node[1].cfg.esp.esn = (uint8_t)b;
			sim_start(s);
			sim_run(s, 3000);
			if (want[a][b] < 0) {
				assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_UP), 0);
				assert_non_null(strstr(s->node[1].last_cause, "extended sequence numbers"));
			} else {
				assert_true(sim_the_child(&s->node[0], &i));
				assert_true(sim_the_child(&s->node[1], &k));
				assert_int_equal(i.esn, want[a][b]);
				assert_int_equal(k.esn, want[a][b]);
				assert_int_equal(sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0), 0);
				sim_run(s, 1000);
				scenario_settle(s, 30000);
				assert_true(sim_the_child(&s->node[0], &i));
				assert_int_equal(i.esn, want[a][b]);
			}
			sim_free(s);
		}
}

static void no_window_means_no_esn_unless_it_must_be(void **state)
{
	(void)state;
	for (unsigned must = 0; must < 2; must++) {
		struct sim *s = sim_new(210);
		struct ike_child_info i;

		s->node[0].cfg.esp.replay_window = 0;
		s->node[0].cfg.esp.esn = must ? CFG_ESN_REQUIRE : CFG_ESN_PREFER;
		scenario_up(s);
		assert_true(sim_the_child(&s->node[1], &i));
		assert_int_equal(i.esn, must);
		sim_free(s);
	}
}

/* ---- transport mode: RFC 7296 1.3.1, 2.23.1 ---- */

static void transport_is_agreed_and_lies_between_the_two_ends(void **state)
{
	(void)state;
	for (unsigned nat = 0; nat < 2; nat++)
		for (unsigned who = 0; who < 2; who++) {
			struct sim *s = sim_new(220 + nat * 2 + who);
			struct ike_child_info a, b;

			for (int i = 0; i < SIM_NODES; i++)
				s->node[i].cfg.mode = CFG_MODE_TRANSPORT;
			if (nat) {
				sim_add_nat(s, true);
				s->node[0].cfg.remote.addr = s->nat.addr;
			}
			if (who) {
				s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
				s->node[1].cfg.start = CFG_START_ALWAYS;
			}
			scenario_up(s);
			for (unsigned round = 0; round < 3; round++) { /* rekeys from either end keep it */
				scenario_settle(s, 30000);
				assert_true(sim_the_child(&s->node[0], &a));
				assert_true(sim_the_child(&s->node[1], &b));
				assert_true(a.transport && b.transport);
				assert_int_equal(a.n_ts, 1);
				assert_int_equal(a.ts[0].remote.len, 32);
				assert_true(ip_equal(&a.ts[0].local.addr, &s->node[0].addr));
				assert_true(ip_equal(&a.ts[0].remote.addr, nat ? &s->nat.addr : &s->node[1].addr));
				assert_true(ip_equal(&b.ts[0].local.addr, &s->node[1].addr));
				assert_true(ip_equal(&b.ts[0].remote.addr, &s->node[0].addr));
				assert_int_equal(sim_event(&s->node[round & 1], IKE_EV_REKEY_CHILD, 0), 0);
				sim_run(s, 1000);
			}
			assert_int_equal(scenario_lost(s), 0);
			sim_free(s);
		}
}

static void transport_at_one_end_only_is_refused_with_a_cause(void **state)
{
	(void)state;
	for (unsigned who = 0; who < 2; who++) {
		struct sim *s = sim_new(230 + who);

		s->node[who].cfg.mode = CFG_MODE_TRANSPORT;
		sim_start(s);
		sim_run(s, 5000);
		assert_int_equal(sim_count_ike(&s->node[0], IKE_SA_UP), 1);
		assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_UP), 0);
		assert_int_equal(sim_count_child(&s->node[1], IKE_CHILD_UP), 0); /* ours was deleted there */
		assert_non_null(strstr(s->node[who].last_cause, "mode is transport"));
		if (!who)
			assert_non_null(strstr(error_of(&s->node[0]), "mode is transport"));
		sim_run(s, 100000); /* and it is not asked for all the time */
		assert_in_range(s->node[who].n_notices[IKE_NOTICE_PEER_ERROR], 2, 4);
		for (unsigned i = 0; i < SIM_PAIRS_MAX; i++)
			assert_false(s->node[0].pair[i].used);
		sim_free(s);
	}
}

/* ---- traffic asks ---- */

static struct cfg_ts packet_of(const struct sim *s, unsigned child)
{
	struct cfg_ts p = s->node[0].cfg.ts[child];

	p.local.addr.b[3] = p.remote.addr.b[3] = 7;
	p.local.len = p.remote.len = 32;
	p.protocol = 17;
	p.local_port_lo = p.local_port_hi = 1234;
	p.remote_port_lo = p.remote_port_hi = 53;
	return p;
}

static void traffic_brings_its_own_child_up(void **state)
{
	struct sim *s = sim_new(240);
	struct cfg_ts p;

	(void)state;
	sim_use_children(s, 4);
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	sim_start(s);
	sim_run(s, 5000);
	assert_int_equal(s->node[0].sent, 0);
	p = packet_of(s, 2);
	sim_acquire(&s->node[0], 2, &p);
	sim_run(s, 5000);
	assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_UP), 1);
	assert_int_equal(child_of(&s->node[1], 2).n_ts, 1);
	/* RFC 7296 2.9: the packet stood first, and the whole pair came back */
	assert_int_equal(child_of(&s->node[0], 2).ts[0].local.len, 24);
	p = packet_of(s, 0);
	for (unsigned i = 0; i < 5; i++)
		sim_acquire(&s->node[0], 0, &p); /* one attempt is under way */
	sim_run(s, 5000);
	assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_UP), 2);
	child_of(&s->node[1], 0);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_UP], 1);
	sim_acquire(&s->node[0], 9, &p); /* no such child */
	sim_free(s);
}

/* A peer that has one pair only takes the packet's. */
static void the_packet_decides_what_is_narrowed_to(void **state)
{
	struct sim *s = sim_new(241);
	struct cfg_ts p;

	(void)state;
	sim_use_children(s, 3); /* 10.1.i.0/24, which no two lists can say together */
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	s->node[0].cfg.children = CFG_CHILDREN_ONE;
	sim_start(s);
	p = packet_of(s, 1);
	sim_acquire(&s->node[0], 0, &p);
	sim_run(s, 5000);
	child_of(&s->node[1], 1);
	sim_free(s);
}

static void refused_traffic_does_not_storm(void **state)
{
	struct sim *s = sim_new(242);
	struct cfg_ts p;

	(void)state;
	sim_use_children(s, 2);
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	s->node[1].cfg.ts[1].remote.addr = ip_v4(0x0a630000);
	sim_start(s);
	p = packet_of(s, 1);
	for (unsigned i = 0; i < 300; i++) { /* once a second, as the data plane tells */
		sim_acquire(&s->node[0], 1, &p);
		sim_run(s, 1000);
	}
	assert_in_range(s->node[1].n_notices[IKE_NOTICE_PEER_ERROR], 3, 5);
	assert_non_null(strstr(error_of(&s->node[0]), "TS_UNACCEPTABLE"));
	assert_in_range(s->node[0].sent, 2, 40);
	sim_free(s);
}

static void an_absent_peer_is_not_called_for_each_packet(void **state)
{
	struct sim *s = sim_new(243);

	(void)state;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	s->node[0].limits.retransmit_tries = 2;
	s->node[1].dead = true;
	sim_start(s);
	for (unsigned i = 0; i < 600; i++) {
		sim_acquire(&s->node[0], 0, NULL);
		sim_run(s, 1000);
	}
	assert_in_range(s->node[0].n_notices[IKE_NOTICE_FAILED], 8, 16); /* 2, 4, .. 60 s apart */
	sim_run(s, 300000);
	assert_true(sim_empty(s)); /* and for no packet not at all */
	sim_free(s);
}

/* What carried nothing is not kept alive: first the child, then the IKE SA. */
static void idle_tunnels_end_and_come_back(void **state)
{
	struct sim *s = sim_new(244);

	(void)state;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	s->node[0].cfg.esp.lifetime_s = 600;
	s->node[0].cfg.ike.lifetime_s = 3000;
	s->node[0].quiet = s->node[1].quiet = true;
	sim_start(s);
	sim_acquire(&s->node[0], 0, NULL);
	assert_true(sim_run_until(s, sim_up, 5000));
	sim_run(s, 650 * 1000);
	assert_int_equal(sim_count_child(&s->node[0], IKE_CHILD_UP), 0);
	assert_int_equal(sim_count_ike(&s->node[0], IKE_SA_UP), 1);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_CHILD_REKEYED], 0);
	sim_run(s, 2600 * 1000);
	assert_true(sim_empty(s));
	s->node[0].quiet = false;
	sim_acquire(&s->node[0], 0, NULL);
	assert_true(sim_run_until(s, sim_up, 5000));
	sim_run(s, 1300 * 1000); /* it carries probes: it is rekeyed */
	assert_in_range(s->node[0].n_notices[IKE_NOTICE_CHILD_REKEYED], 1, 3);
	scenario_settle(s, 30000);
	sim_free(s);
}

static void respond_only_never_begins(void **state)
{
	struct sim *s = sim_new(245);
	uint64_t sent;

	(void)state;
	sim_use_children(s, 2);
	sim_start(s);
	s->node[1].limits.retransmit_tries = 3;
	assert_true(sim_run_until(s, sim_up, 10000));
	scenario_settle(s, 30000);
	s->node[0].dead = true;
	sim_run(s, 300 * 1000); /* DPD has ended it */
	assert_int_equal(sim_count_ike(&s->node[1], IKE_SA_UP), 0);
	sent = s->node[1].sent;
	for (unsigned i = 0; i < 100; i++) {
		sim_acquire(&s->node[1], (uint8_t)(i & 1), NULL);
		sim_run(s, 1000);
	}
	s->node[1].in_core = true;
	assert_int_equal(ike_tunnel_set(s->node[1].k, SIM_TUNNEL, &s->node[1].cfg, s->now), 0);
	s->node[1].in_core = false;
	sim_run(s, 100 * 1000);
	assert_int_equal(s->node[1].sent, sent);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_has_its_child),
		cmocka_unit_test(both_ends_begin_and_one_set_is_left),
		cmocka_unit_test(a_rekey_of_one_leaves_the_others),
		cmocka_unit_test(the_old_pairs_of_all_drain_to_the_end),
		cmocka_unit_test(crossing_rekeys_of_all_lose_nothing),
		cmocka_unit_test(a_hard_limit_is_one_childs_own),
		cmocka_unit_test(a_lost_data_plane_gets_all_eight_anew),
		cmocka_unit_test(one_child_may_be_refused),
		cmocka_unit_test(a_second_child_does_not_displace_the_first),
		cmocka_unit_test(one_request_for_all_gets_one_pair),
		cmocka_unit_test(equal_pairs_get_a_child_each),
		cmocka_unit_test(nested_pairs_are_told_apart),
		cmocka_unit_test(children_that_the_config_lost_are_closed),
		cmocka_unit_test(esn_is_what_both_ends_allow),
		cmocka_unit_test(no_window_means_no_esn_unless_it_must_be),
		cmocka_unit_test(transport_is_agreed_and_lies_between_the_two_ends),
		cmocka_unit_test(transport_at_one_end_only_is_refused_with_a_cause),
		cmocka_unit_test(traffic_brings_its_own_child_up),
		cmocka_unit_test(the_packet_decides_what_is_narrowed_to),
		cmocka_unit_test(refused_traffic_does_not_storm),
		cmocka_unit_test(an_absent_peer_is_not_called_for_each_packet),
		cmocka_unit_test(idle_tunnels_end_and_come_back),
		cmocka_unit_test(respond_only_never_begins),
	};

	return cmocka_run_group_tests_name("sim-children", tests, NULL, NULL);
}
