/* Where the peer is and who it is: IPv6, peers that move, peers known by their identity alone; when lives end. */
#include <stdlib.h>

#include "tests/sim/scenario.h"

/* ---- IPv6 ---- */

static void over_ipv6_all_is_the_same(void **state)
{
	(void)state;
	for (unsigned who = 0; who < 2; who++) {
		struct sim *s = sim_new(300 + who);
		struct scenario_spis a, b;
		struct ike_sa_info sa;

		sim_use_v6(s);
		s->node[who].cfg.start = CFG_START_ALWAYS;
		s->node[!who].cfg.start = CFG_START_RESPOND_ONLY;
		s->node[!who].limits.cookie_at = 1; /* the second half-open one is asked, RFC 7296 2.6 */
		scenario_up(s);
		scenario_settle(s, 30000);
		assert_true(sim_the_ike(&s->node[0], &sa));
		assert_int_equal(sa.path.remote.family, IP_V6);
		/* 2.23: hashes over 16 octets say that there is none */
		assert_false(sa.nat_local || sa.nat_remote);
		assert_int_equal(sa.path.remote_port, 500);
		a = scenario_spis(&s->node[0]);
		sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
		sim_run(s, 1000);
		sim_event(&s->node[1], IKE_EV_REKEY_IKE, 0);
		sim_run(s, 1000);
		scenario_settle(s, 60000);
		b = scenario_spis(&s->node[0]);
		scenario_child_changed(&a, &b);
		scenario_ike_changed(&a, &b);
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

static void a_flood_over_ipv4_does_not_keep_an_ipv6_peer_out(void **state)
{
	struct sim *s = sim_new(303);
	struct ike_counters c;

	(void)state;
	sim_use_v6(s);
	s->node[1].cfg.remote.addr.family = IP_NONE;
	s->node[1].limits.cookie_at = 4;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	sim_start(s);
	for (unsigned i = 0; i < 8; i++) /* half-open ones, which make it ask for cookies */
		scenario_flood(s, 1);
	scenario_flood(s, 20);
	sim_acquire(&s->node[0], 0, NULL);
	assert_true(sim_run_until(s, sim_up, 20000));
	ike_counters(s->node[1].k, &c);
	assert_true(c.cookies_sent >= 1);
	sim_free(s);
}

static void a_nat_over_ipv6_is_seen_and_its_rebinding_followed(void **state)
{
	struct sim *s = sim_new(304);
	struct ike_sa_info sa;
	uint16_t port;

	(void)state;
	sim_use_v6(s);
	sim_add_nat(s, false);
	s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
	s->node[1].cfg.start = CFG_START_ALWAYS;
	s->node[0].cfg.remote.addr.family = IP_NONE;
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[0], &sa));
	assert_true(sa.nat_remote && !sa.nat_local && sa.path.encap);
	assert_true(ip_equal(&sa.path.remote, &s->nat.addr));
	port = sa.path.remote_port;
	sim_run(s, 60000);
	assert_true(s->node[1].keepalives >= 1 || s->node[1].sent > 4);
	sim_nat_rebind(s);
	sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 10000);
	assert_true(sim_the_ike(&s->node[0], &sa));
	assert_int_not_equal(sa.path.remote_port, port);
	sim_run(s, 200000);
	scenario_settle(s, 60000);
	sim_free(s);
}

/* ---- who may move a peer: RFC 7296 2.23 ---- */

/* The last long datagram from node 1, as it was sent. */
struct tape {
	uint8_t msg[SIM_DATAGRAM_MAX];
	size_t len;
};

static enum sim_fate record(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct tape *t = arg;

	(void)nth;
	if (from == 1 && len <= sizeof(t->msg)) {
		memcpy(t->msg, msg, len);
		t->len = len;
	}
	return SIM_PASS;
}

static void what_is_not_authentic_or_not_new_moves_nobody(void **state)
{
	struct sim *s = sim_new(310);
	struct ike_sa_info before, after;
	struct ike_path elsewhere;
	struct tape tape = {.len = 0};

	(void)state;
	sim_add_nat(s, false);
	s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
	s->node[1].cfg.start = CFG_START_ALWAYS;
	s->node[0].cfg.remote.addr.family = IP_NONE;
	scenario_up(s);
	scenario_settle(s, 30000);
	s->net.filter = record;
	s->net.filter_arg = &tape;
	sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 10000);
	assert_true(tape.len > 28);
	assert_true(sim_the_ike(&s->node[0], &before));
	elsewhere = before.path;
	elsewhere.remote = ip_v4(0xc6336407);
	elsewhere.remote_port = 4242;
	sim_inject(&s->node[0], &elsewhere, tape.msg, tape.len); /* a repeat */
	for (size_t at = 20; at < tape.len; at += 7) {           /* the next id, and other octets changed */
		uint8_t changed[SIM_DATAGRAM_MAX];

		memcpy(changed, tape.msg, tape.len);
		changed[23] = (uint8_t)(changed[23] + 1);
		changed[at] ^= 0x55;
		sim_inject(&s->node[0], &elsewhere, changed, tape.len);
	}
	assert_true(sim_the_ike(&s->node[0], &after));
	assert_true(ip_equal(&after.path.remote, &before.path.remote));
	assert_int_equal(after.path.remote_port, before.path.remote_port);
	sim_run(s, 60000);
	scenario_settle(s, 60000);
	sim_free(s);
}

static enum sim_fate odd_source(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct sim *s = arg;
	struct ike_path p = {.local = s->node[1].addr,
			     .remote = ip_v4(0xc6336408),
			     .local_port = 4500,
			     .remote_port = 4500,
			     .encap = true};

	(void)nth;
	if (from != 0)
		return SIM_PASS;
	s->node[1].in_core = true;
	ike_input(s->node[1].k, &p, msg, len, s->now);
	s->node[1].in_core = false;
	return SIM_DROP;
}

/* Whoever is behind a NAT himself does not follow: 2.23. */
static void behind_a_nat_nobody_is_followed(void **state)
{
	struct sim *s = sim_new(311);
	struct ike_sa_info before, after;
	struct ike_event ev = {.type = IKE_EV_PEER_MOVED, .tunnel = SIM_TUNNEL};

	(void)state;
	sim_add_nat(s, true);
	s->node[0].cfg.encap = CFG_ENCAP_FORCE; /* it seems to be behind one as well */
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[1], &before));
	assert_true(before.nat_local && before.nat_remote);
	s->net.filter = odd_source;
	s->net.filter_arg = s;
	sim_event(&s->node[0], IKE_EV_REKEY_IKE, 0);
	sim_run(s, 500);
	s->net.filter = NULL;
	ev.spi_in = s->node[1].tx[0];
	ev.path = before.path;
	ev.path.remote_port = 999;
	s->node[1].in_core = true;
	ike_event(s->node[1].k, &ev, s->now);
	s->node[1].in_core = false;
	assert_true(sim_the_ike(&s->node[1], &after));
	assert_true(ip_equal(&after.path.remote, &before.path.remote));
	assert_int_equal(after.path.remote_port, before.path.remote_port);
	sim_run(s, 60000);
	scenario_settle(s, 60000);
	sim_free(s);
}

/* ---- known by the identity alone ---- */

static void the_tunnel_that_names_the_peer_comes_before_one_for_anybody(void **state)
{
	struct sim *s = sim_new(320);
	struct sim_node *n = &s->node[1];
	struct cfg_tunnel *anybody = calloc(1, sizeof(*anybody));
	struct ike_sa_info sa;

	(void)state;
	n->cfg.remote.addr.family = IP_NONE;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	sim_start(s);
	*anybody = n->cfg;
	anybody->remote.id.type = CFG_ID_NONE;
	n->in_core = true;
	assert_int_equal(ike_tunnel_set(n->k, 1, anybody, s->now), 0);
	assert_int_equal(ike_tunnel_set(n->k, SIM_TUNNEL, &n->cfg, s->now), 0); /* it is asked last */
	n->in_core = false;
	sim_acquire(&s->node[0], 0, NULL);
	assert_true(sim_run_until(s, sim_up, 10000));
	assert_true(sim_the_ike(n, &sa));
	assert_int_equal(sa.tunnel, SIM_TUNNEL);
	sim_free(s);
	free(anybody);
}

/* IKE_SA_INIT chose for one tunnel; the identity names another, whose config allows all of the suite but its integrity. */
static void the_tunnel_that_is_named_has_to_allow_all_of_the_suite(void **state)
{
	static const char *const weak[] = {"aes256-sha1-prfsha256-x25519", NULL};
	static const char *const strong[] = {"aes256-sha256-prfsha256-x25519", NULL};
	struct sim *s = sim_new(321);
	struct sim_node *n = &s->node[1];
	struct cfg_tunnel *other = calloc(1, sizeof(*other));
	struct ike_sa_info sa;

	(void)state;
	n->cfg.remote.addr.family = IP_NONE;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	s->node[0].cfg.ike.legacy = n->cfg.ike.legacy = true;
	sim_propose(&s->node[0], true, weak);
	sim_propose(n, true, weak);
	*other = n->cfg;
	other->remote.id.b[0] ^= 1;
	sim_propose(n, true, strong);
	sim_start(s);
	n->in_core = true;
	assert_int_equal(ike_tunnel_set(n->k, 1, other, s->now), 0);
	n->in_core = false;
	sim_acquire(&s->node[0], 0, NULL);
	sim_run(s, 5000);
	assert_false(sim_up(s));
	assert_non_null(strstr(s->node[0].last_cause, "AUTHENTICATION_FAILED"));
	n->in_core = true;
	other->remote.id.b[0] ^= 1; /* and this one allows it */
	assert_int_equal(ike_tunnel_set(n->k, 1, other, s->now), 0);
	n->in_core = false;
	sim_run(s, 60000);
	sim_acquire(&s->node[0], 0, NULL);
	sim_run(s, 5000);
	assert_true(sim_the_ike(n, &sa));
	assert_int_equal(sa.tunnel, 1);
	sim_free(s);
	free(other);
}

/* ---- lives: RFC 7296 2.8, jittered so that both ends seldom rekey at once ---- */

static void lives_end_somewhere_between_85_and_95_percent(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	for (uint64_t seed = 330; seed < 360; seed++) {
		struct sim *s = sim_new(seed);
		struct ike_sa_info sa;
		struct ike_child_info c;

		scenario_up(s);
		for (unsigned i = 0; i < SIM_NODES; i++) {
			assert_true(sim_the_ike(&s->node[i], &sa));
			assert_true(sim_the_child(&s->node[i], &c));
			assert_in_range(c.rekey_at_ms - c.up_since_ms, 3060000, 3420000);
			assert_int_equal(c.expires_at_ms - c.up_since_ms, 3600000);
			assert_in_range(sa.rekey_at_ms - sa.up_since_ms, 73440000, 82080000);
			assert_int_equal(sa.expires_at_ms - sa.up_since_ms, 86400000);
			least = u64_min(least, c.rekey_at_ms - c.up_since_ms);
			most = u64_max(most, c.rekey_at_ms - c.up_since_ms);
		}
		sim_free(s);
	}
	assert_true(least < 3150000 && most > 3330000); /* and they differ */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_ipv6_all_is_the_same),
		cmocka_unit_test(a_flood_over_ipv4_does_not_keep_an_ipv6_peer_out),
		cmocka_unit_test(a_nat_over_ipv6_is_seen_and_its_rebinding_followed),
		cmocka_unit_test(what_is_not_authentic_or_not_new_moves_nobody),
		cmocka_unit_test(behind_a_nat_nobody_is_followed),
		cmocka_unit_test(the_tunnel_that_names_the_peer_comes_before_one_for_anybody),
		cmocka_unit_test(the_tunnel_that_is_named_has_to_allow_all_of_the_suite),
		cmocka_unit_test(lives_end_somewhere_between_85_and_95_percent),
	};

	return cmocka_run_group_tests_name("sim-peers", tests, NULL, NULL);
}
