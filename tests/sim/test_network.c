/* Bad networks: every message lost once, doubled once, late once; seeded chaos; dead peers; moved peers. */
#include "tests/sim/scenario.h"

/* What to do to the nth datagram of one sender. */
struct plan {
	int from;
	uint64_t nth;
	enum sim_fate fate;
	uint64_t base[2]; /* datagrams sent before the part that is tested */
};

static enum sim_fate by_plan(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	const struct plan *p = arg;

	(void)msg;
	(void)len;
	return from == p->from && nth == p->base[from] + p->nth ? p->fate : SIM_PASS;
}

/* Connect, then rekey child and IKE SA from both sides, with one datagram of one side treated badly. */
static void one_bad_datagram(enum sim_fate fate)
{
	for (uint64_t nth = 0; nth < 12; nth++) {
		for (int from = 0; from < 2; from++) {
			struct sim *s = sim_new(1000 + nth * 2 + (unsigned)from);
			struct plan p = {.from = from, .nth = nth, .fate = fate};

			s->net.filter = by_plan;
			s->net.filter_arg = &p;
			s->net.filter_delay_ms = 3000;
			scenario_up(s);
			for (unsigned i = 0; i < 4; i++) {
				sim_event(&s->node[i & 1], i < 2 ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE, 0);
				sim_run(s, 6000);
			}
			scenario_settle(s, 120000);
			if (scenario_lost(s))
				fail_msg("datagram %llu of node %d: %llu probes lost", (unsigned long long)nth, from,
					 (unsigned long long)scenario_lost(s));
			sim_free(s);
		}
	}
}

static void each_message_lost_once(void **state)
{
	(void)state;
	one_bad_datagram(SIM_DROP);
}

static void each_message_doubled_once(void **state)
{
	(void)state;
	one_bad_datagram(SIM_DUP);
}

static void each_message_late_once(void **state)
{
	(void)state;
	one_bad_datagram(SIM_DELAY);
}

/* Retransmissions are the same octets: what was dropped is compared with what comes next. */
struct same {
	uint8_t msg[SIM_DATAGRAM_MAX];
	size_t len;
	unsigned seen, different;
};

static enum sim_fate keep_first(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct same *k = arg;

	(void)nth;
	if (from != 0)
		return SIM_PASS;
	if (!k->seen++) {
		memcpy(k->msg, msg, len);
		k->len = len;
	} else if (k->len != len || memcmp(k->msg, msg, len)) {
		k->different++;
	}
	return k->seen < 4 ? SIM_DROP : SIM_PASS;
}

static void retransmissions_are_bit_identical(void **state)
{
	struct sim *s = sim_new(1100);
	struct same k = {.seen = 0};

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	sim_run(s, 100);
	s->net.filter = keep_first;
	s->net.filter_arg = &k;
	sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 1000);
	assert_true(k.seen >= 2);
	assert_int_equal(k.different, 0);
	sim_free(s);
}

/* Loss, duplicates, reordering, rekeys from both sides at random moments. */
static void chaos(uint64_t seed, unsigned loss_percent, unsigned rekeys, uint32_t pause_ms)
{
	struct sim *s = sim_new(seed);

	s->net.loss_percent = loss_percent;
	s->net.dup_percent = 5;
	s->net.delay_min_ms = 5;
	s->net.delay_max_ms = 60;
	s->job_ms = sim_random(s, 20);
	s->install_ms = sim_random(s, 20);
	if (seed % 3 == 0)
		sim_add_nat(s, true);
	scenario_up(s);
	/* a responder whose answer is lost again and again begins to send after a second (RFC 7296 2.8 lets it) */
	s->node[0].probes_lost = s->node[1].probes_lost = 0;
	for (unsigned i = 0; i < rekeys; i++) {
		sim_event(&s->node[sim_random(s, 2)], sim_random(s, 3) ? IKE_EV_REKEY_CHILD : IKE_EV_REKEY_IKE, 0);
		sim_run(s, sim_random(s, pause_ms));
	}
	s->net.loss_percent = s->net.dup_percent = 0;
	s->net.delay_max_ms = s->net.delay_min_ms;
	scenario_settle(s, 180000);
	if (scenario_lost(s))
		fail_msg("seed %llu: %llu probes lost", (unsigned long long)seed, (unsigned long long)scenario_lost(s));
	sim_free(s);
}

static void a_thousand_seeds_of_chaos(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++)
		chaos(seed, 5, 6, 1500);
}

/* Answers that come ten seconds and several rekeys late. */
static void heavy_loss_only_costs_time(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++)
		chaos(seed, 20, 12, 6000);
}

static void dead_peer_is_found_and_tried_again(void **state)
{
	struct sim *s = sim_new(1200);

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	s->node[1].dead = true;
	s->probe_ms = 50;
	sim_run(s, 200000);
	assert_int_equal(sim_count_ike(&s->node[0], IKE_SA_UP), 0);
	assert_int_equal(s->node[0].tx[0], 0);
	assert_true(s->node[0].n_notices[IKE_NOTICE_IKE_DOWN] >= 1);
	s->node[1].dead = false;
	assert_true(sim_run_until(s, sim_up, 180000));
	sim_run(s, 300000);
	scenario_settle(s, 60000);
	sim_free(s);
}

static void idle_tunnel_stays_up(void **state)
{
	struct sim *s = sim_new(1201);

	(void)state;
	s->probe_ms = 0;
	scenario_up(s);
	scenario_settle(s, 30000);
	sim_run(s, 3000 * 1000);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_DOWN], 0);
	assert_true(sim_settled(s));
	sim_free(s);
}

static void peer_restart_replaces_the_old_sa(void **state)
{
	struct sim *s = sim_new(1202);
	struct sim_node *n = &s->node[0];

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	/* node 0 forgets everything without a word, and connects anew */
	sim_run(s, 50);
	n->dead = true;
	sim_run(s, 500);
	ike_free(n->k);
	memset(n->pair, 0, sizeof(n->pair));
	n->tx[0] = 0;
	n->dead = false;
	n->k = ike_new(&n->env, &n->limits);
	n->in_core = true;
	assert_int_equal(ike_tunnel_set(n->k, SIM_TUNNEL, &n->cfg, s->now), 0);
	n->in_core = false;
	assert_true(sim_run_until(s, sim_up, 20000));
	scenario_settle(s, 20000); /* INITIAL_CONTACT removed the old one */
	sim_free(s);
}

static void nat_rebinding_is_followed(void **state)
{
	struct sim *s = sim_new(1203);
	struct ike_sa_info sa;
	uint16_t port;

	(void)state;
	sim_add_nat(s, false);
	s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
	s->node[1].cfg.start = CFG_START_ALWAYS;
	s->node[0].cfg.remote.addr.family = IP_NONE;
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[0], &sa));
	port = sa.path.remote_port;
	sim_nat_rebind(s);
	sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 10000);
	assert_true(sim_the_ike(&s->node[0], &sa));
	assert_int_not_equal(sa.path.remote_port, port);
	sim_run(s, 200000);
	scenario_settle(s, 60000);
	sim_free(s);
}

static void flood_of_half_open_is_bounded(void **state)
{
	struct sim *s = sim_new(1204);
	struct ike_counters c;

	(void)state;
	s->node[1].limits.half_open = 64;
	s->node[1].cfg.remote.addr.family = IP_NONE;
	s->node[1].limits.cookie_at = UINT32_MAX; /* only the bound is left */
	scenario_up(s);
	scenario_settle(s, 30000);
	scenario_flood(s, 2000);
	assert_true(sim_count_ike(&s->node[1], IKE_SA_INIT) + sim_count_ike(&s->node[1], IKE_SA_AUTH) <= 64);
	ike_counters(s->node[1].k, &c);
	assert_true(c.half_open_refused >= 1900);
	sim_run(s, 60000);
	scenario_settle(s, 1);
	assert_int_equal(scenario_lost(s), 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heavy_loss_only_costs_time),         cmocka_unit_test(each_message_lost_once),
		cmocka_unit_test(each_message_doubled_once),          cmocka_unit_test(each_message_late_once),
		cmocka_unit_test(retransmissions_are_bit_identical),  cmocka_unit_test(a_thousand_seeds_of_chaos),
		cmocka_unit_test(dead_peer_is_found_and_tried_again), cmocka_unit_test(idle_tunnel_stays_up),
		cmocka_unit_test(peer_restart_replaces_the_old_sa),   cmocka_unit_test(nat_rebinding_is_followed),
		cmocka_unit_test(flood_of_half_open_is_bounded),
	};

	return cmocka_run_group_tests_name("sim-network", tests, NULL, NULL);
}
