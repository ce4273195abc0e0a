/* How a tunnel comes up, and how it does not. */
#include "tests/sim/scenario.h"

static void comes_up_and_settles(void **state)
{
	struct sim *s = sim_new(1);

	(void)state;
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_int_equal(scenario_lost(s), 0);
	sim_run(s, 60000);
	assert_true(sim_settled(s));
	assert_true(s->node[0].probes_received > 1000 && s->node[1].probes_received > 1000);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_PEER_ERROR] + s->node[1].n_notices[IKE_NOTICE_PEER_ERROR], 0);
	sim_free(s);
}

static void either_side_initiates(void **state)
{
	struct sim *s = sim_new(2);
	struct ike_sa_info sa;

	(void)state;
	s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
	s->node[1].cfg.start = CFG_START_ALWAYS;
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[1], &sa));
	assert_true(sa.initiator);
	sim_free(s);
}

static void both_initiate_at_once(void **state)
{
	struct sim *s = sim_new(3);

	(void)state;
	s->node[1].cfg.start = CFG_START_ALWAYS;
	scenario_up(s);
	sim_run(s, 120000);
	assert_true(sim_up(s));
	assert_true(sim_count_ike(&s->node[0], IKE_SA_UP) <= 2);
	sim_free(s);
}

static void traffic_starts_it(void **state)
{
	struct sim *s = sim_new(4);

	(void)state;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	sim_start(s);
	sim_run(s, 20000);
	assert_true(sim_empty(s));
	sim_event(&s->node[0], IKE_EV_ACQUIRE, 0);
	assert_true(sim_run_until(s, sim_up, 5000));
	scenario_settle(s, 30000);
	sim_free(s);
}

static void every_group_and_cipher(void **state)
{
	static const char *const ike[][2] = {
		{"aes256gcm16-prfsha256-x25519"},
		{"aes256gcm16-prfsha384-ecp256"},
		{"aes128gcm16-prfsha256-modp2048"},
		{"aes128gcm16-prfsha384-x25519"},
	};
	static const char *const esp[][2] = {
		{"aes256gcm16"}, {"aes128gcm16"}, {"aes256gcm16-ecp256"}, {"aes128gcm16-modp2048"}};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct sim *s = sim_new(10 + i);
		struct ike_sa_info a, b;

		for (unsigned n = 0; n < 2; n++) {
			sim_propose(&s->node[n], true, ike[i]);
			sim_propose(&s->node[n], false, esp[i]);
		}
		scenario_up(s);
		scenario_settle(s, 30000);
		assert_true(sim_the_ike(&s->node[0], &a) && sim_the_ike(&s->node[1], &b));
		assert_ptr_equal(a.dh, b.dh);
		assert_ptr_equal(a.prf, b.prf);
		assert_ptr_equal(a.encr, b.encr);
		sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0);
		sim_run(s, 2000);
		scenario_settle(s, 30000);
		assert_int_equal(scenario_lost(s), 0);
		sim_free(s);
	}
}

static void wrong_first_group_is_retried(void **state)
{
	static const char *const both[] = {"aes256gcm16-prfsha256-x25519", "aes256gcm16-prfsha256-ecp256", NULL};
	static const char *const one[] = {"aes256gcm16-prfsha256-ecp256", NULL};
	struct sim *s = sim_new(20);
	struct ike_sa_info sa;

	(void)state;
	sim_propose(&s->node[0], true, both);
	sim_propose(&s->node[1], true, one);
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[0], &sa));
	assert_int_equal(sa.dh->id, ALG_DH_ECP256);
	sim_free(s);
}

static void cookie_is_asked_and_given(void **state)
{
	struct sim *s = sim_new(21);
	struct ike_counters c;

	(void)state;
	s->node[1].limits.cookie_at = 3;
	s->node[1].cfg.remote.addr.family = IP_NONE;
	s->node[0].dead = true;
	sim_start(s);
	scenario_flood(s, 10);
	s->node[0].dead = false;
	assert_true(sim_run_until(s, sim_up, 60000));
	ike_counters(s->node[1].k, &c);
	assert_true(c.cookies_sent >= 8); /* seven of the flood, and the honest one */
	sim_run(s, 60000);
	scenario_settle(s, 1); /* the half-open ones are gone */
	sim_free(s);
}

static void nat_is_seen_and_ports_float(void **state)
{
	struct sim *s = sim_new(22);
	struct ike_sa_info sa;
	struct ike_child_info child;

	(void)state;
	sim_add_nat(s, true);
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[0], &sa) && sim_the_child(&s->node[0], &child));
	assert_true(sa.nat_remote && !sa.nat_local);
	assert_int_equal(sa.path.local_port, 4500);
	assert_true(sa.path.encap && child.encap_udp);
	sim_free(s);
}

static void from_behind_a_nat(void **state)
{
	struct sim *s = sim_new(23);
	struct ike_sa_info sa;

	(void)state;
	sim_add_nat(s, false);
	s->node[0].cfg.start = CFG_START_RESPOND_ONLY;
	s->node[1].cfg.start = CFG_START_ALWAYS;
	s->node[0].cfg.remote.addr.family = IP_NONE; /* known by its ID only */
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_ike(&s->node[1], &sa));
	assert_true(sa.nat_local && !sa.nat_remote);
	s->probe_ms = 0;
	s->node[1].keepalives = 0;
	sim_run(s, 120000);
	assert_true(s->node[1].keepalives >= 3);
	assert_int_equal(s->node[0].keepalives, 0); /* RFC 3948 4: from behind the NAT only */
	sim_free(s);
}

static void no_nat_means_plain_esp_unless_forced(void **state)
{
	struct ike_child_info child;

	(void)state;
	for (int force = 0; force < 2; force++) {
		struct sim *s = sim_new(24 + (unsigned)force);

		s->node[0].cfg.encap = force ? CFG_ENCAP_FORCE : CFG_ENCAP_AUTO;
		scenario_up(s);
		scenario_settle(s, 30000);
		assert_true(sim_the_child(&s->node[0], &child));
		assert_int_equal(child.encap_udp, force);
		assert_true(sim_the_child(&s->node[1], &child));
		assert_int_equal(child.encap_udp, force);
		sim_free(s);
	}
}

/* RFC 7296 2.23: a peer that hears nothing of NAT detection stays on port 500, whatever it would like. */
static void encapsulation_never_keeps_a_forcing_peer_from_it(void **state)
{
	struct ike_child_info child;

	(void)state;
	for (unsigned never = 0; never < 2; never++) {
		struct sim *s = sim_new(26 + never);

		s->node[never].cfg.encap = CFG_ENCAP_NEVER;
		s->node[!never].cfg.encap = CFG_ENCAP_FORCE;
		scenario_up(s);
		scenario_settle(s, 30000);
		for (unsigned i = 0; i < 2; i++) {
			assert_true(sim_the_child(&s->node[i], &child));
			assert_false(child.encap_udp);
			assert_int_equal(child.path.remote_port, 500);
		}
		sim_free(s);
	}
}

/* The attempt must fail, be told in words at the named node, leave nothing, and be tried again. */
static void fails(struct sim *s, int told, const char *word)
{
	sim_start(s);
	sim_run(s, 20000);
	assert_false(sim_up(s));
	assert_true(s->node[told].n_notices[IKE_NOTICE_FAILED] + s->node[told].n_notices[IKE_NOTICE_PEER_ERROR] > 0);
	if (!strstr(s->node[told].last_cause, word))
		fail_msg("cause \"%s\" does not say \"%s\"", s->node[told].last_cause, word);
	assert_int_equal(s->node[0].tx[0], 0);
	sim_free(s);
}

static void wrong_psk_is_told_at_both_ends(void **state)
{
	struct sim *s = sim_new(30);

	(void)state;
	sim_psk(&s->node[1], "another secret");
	fails(s, 0, "AUTHENTICATION_FAILED");
	s = sim_new(30);
	sim_psk(&s->node[1], "another secret");
	fails(s, 1, "PSK");
}

static void unknown_id_gets_the_same_answer(void **state)
{
	struct sim *s = sim_new(31);

	(void)state;
	s->node[0].cfg.local.id.b[0] = 'X';
	fails(s, 0, "AUTHENTICATION_FAILED");
}

static void no_common_proposal_is_explained(void **state)
{
	static const char *const a[] = {"aes256gcm16-prfsha256-x25519", NULL};
	static const char *const b[] = {"aes128gcm16-prfsha256-x25519", NULL};
	struct sim *s = sim_new(32);

	(void)state;
	sim_propose(&s->node[0], true, a);
	sim_propose(&s->node[1], true, b);
	fails(s, 1, "aes256gcm16");
}

static void child_mismatch_leaves_the_ike_sa_up(void **state)
{
	static const char *const b[] = {"aes128gcm16", NULL};
	struct sim *s = sim_new(33);

	(void)state;
	sim_propose(&s->node[1], false, b);
	sim_start(s);
	sim_run(s, 1500);
	assert_int_equal(sim_count_ike(&s->node[0], IKE_SA_UP), 1);
	assert_int_equal(sim_count_ike(&s->node[1], IKE_SA_UP), 1);
	assert_int_equal(s->node[0].tx[0], 0);
	sim_free(s);
}

static void selectors_are_narrowed(void **state)
{
	struct sim *s = sim_new(34);
	struct ike_child_info child;
	char buf[IP_STR];

	(void)state;
	assert_int_equal(ip_prefix_parse("10.2.0.0/16", false, &s->node[1].cfg.ts[0].local), 0);
	assert_int_equal(ip_prefix_parse("10.1.0.0/16", false, &s->node[1].cfg.ts[0].remote), 0);
	scenario_up(s);
	scenario_settle(s, 30000);
	assert_true(sim_the_child(&s->node[0], &child));
	assert_int_equal(child.n_ts, 1);
	assert_string_equal(ip_prefix_str(&child.ts[0].local, buf), "10.1.0.0/16");
	assert_string_equal(ip_prefix_str(&child.ts[0].remote, buf), "10.2.0.0/16");
	sim_event(&s->node[1], IKE_EV_REKEY_CHILD, 0);
	sim_run(s, 2000);
	scenario_settle(s, 30000);
	assert_true(sim_the_child(&s->node[0], &child));
	assert_string_equal(ip_prefix_str(&child.ts[0].remote, buf), "10.2.0.0/16");
	sim_free(s);
}

static void disjoint_selectors_are_refused(void **state)
{
	struct sim *s = sim_new(35);

	(void)state;
	assert_int_equal(ip_prefix_parse("10.2.0.0/16", false, &s->node[1].cfg.ts[0].local), 0);
	assert_int_equal(ip_prefix_parse("10.9.0.0/16", false, &s->node[0].cfg.ts[0].remote), 0);
	sim_start(s);
	sim_run(s, 1500);
	assert_int_equal(sim_count_ike(&s->node[0], IKE_SA_UP), 1);
	assert_int_equal(s->node[0].tx[0], 0);
	assert_non_null(strstr(s->node[0].last_cause, "TS_UNACCEPTABLE"));
	sim_free(s);
}

static void data_plane_that_refuses_ends_cleanly(void **state)
{
	struct sim *s = sim_new(36);

	(void)state;
	s->node[1].refuse_install = true;
	sim_start(s);
	sim_run(s, 3000);
	assert_int_equal(s->node[0].tx[0], 0);
	s->node[1].refuse_install = false;
	assert_true(sim_run_until(s, sim_up, 120000));
	scenario_settle(s, 30000);
	sim_free(s);
}

static void absent_peer_is_tried_again(void **state)
{
	struct sim *s = sim_new(37);

	(void)state;
	s->node[1].dead = true;
	sim_start(s);
	sim_run(s, 180000);
	assert_true(s->node[0].n_notices[IKE_NOTICE_FAILED] >= 1);
	s->node[1].dead = false;
	assert_true(sim_run_until(s, sim_up, 180000));
	scenario_settle(s, 60000);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_up_and_settles),
		cmocka_unit_test(either_side_initiates),
		cmocka_unit_test(both_initiate_at_once),
		cmocka_unit_test(traffic_starts_it),
		cmocka_unit_test(every_group_and_cipher),
		cmocka_unit_test(wrong_first_group_is_retried),
		cmocka_unit_test(cookie_is_asked_and_given),
		cmocka_unit_test(nat_is_seen_and_ports_float),
		cmocka_unit_test(from_behind_a_nat),
		cmocka_unit_test(no_nat_means_plain_esp_unless_forced),
		cmocka_unit_test(encapsulation_never_keeps_a_forcing_peer_from_it),
		cmocka_unit_test(wrong_psk_is_told_at_both_ends),
		cmocka_unit_test(unknown_id_gets_the_same_answer),
		cmocka_unit_test(no_common_proposal_is_explained),
		cmocka_unit_test(child_mismatch_leaves_the_ike_sa_up),
		cmocka_unit_test(selectors_are_narrowed),
		cmocka_unit_test(disjoint_selectors_are_refused),
		cmocka_unit_test(data_plane_that_refuses_ends_cleanly),
		cmocka_unit_test(absent_peer_is_tried_again),
	};

	return cmocka_run_group_tests_name("sim-connect", tests, NULL, NULL);
}
