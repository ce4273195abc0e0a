/* What must never happen: trust without proof, work without end, moves without a NAT. */
#include "controlplane/ike/payload.h"
#include "tests/sim/scenario.h"

static struct sim *up(uint64_t seed)
{
	struct sim *s = sim_new(seed);

	scenario_up(s);
	scenario_settle(s, 30000);
	return s;
}

/* ---- the responder must prove itself too (RFC 7296 2.15) ---- */

/* The initiator's PSK becomes another one while the responder, satisfied, answers IKE_AUTH. */
struct change {
	struct sim *s;
	bool done;
};

static enum sim_fate change_before_the_answer(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct change *c = arg;

	(void)nth;
	if (!c->done && from == 1 && len > 28 && msg[18] == 35) {
		sim_psk(&c->s->node[0], "another secret of some length");
		c->done = true;
	}
	return SIM_PASS;
}

static void initiator_refuses_a_responder_with_another_psk(void **state)
{
	struct sim *s = sim_new(500);
	struct change c = {.s = s};

	(void)state;
	s->net.filter = change_before_the_answer;
	s->net.filter_arg = &c;
	sim_start(s);
	sim_run(s, 1500);
	assert_true(c.done);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_UP], 0);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_CHILD_UP], 0);
	assert_int_equal(s->node[0].tx[0], 0);
	assert_non_null(strstr(s->node[0].last_cause, "could not prove its identity"));
	assert_int_equal(sim_count_ike(&s->node[1], IKE_SA_UP), 0); /* told by AUTHENTICATION_FAILED: 2.21.2 */
	sim_free(s);
}

/* Who proves the PSK under a name that we did not ask for is not our peer: remote.id of the config decides. No IDr goes out
 * here, so the responder is free to answer with its own. */
static void initiator_refuses_a_responder_with_another_identity(void **state)
{
	struct sim *s = sim_new(501);

	(void)state;
	s->node[0].cfg.remote.id.type = CFG_ID_NONE; /* that of its address */
	sim_start(s);
	sim_run(s, 1500);
	assert_int_equal(s->node[0].n_notices[IKE_NOTICE_IKE_UP], 0);
	assert_int_equal(s->node[0].tx[0], 0);
	assert_non_null(strstr(s->node[0].last_cause, "node-1"));
	assert_non_null(strstr(s->node[0].last_cause, "203.0.113.1"));
	sim_free(s);
}

/* ---- work without end ---- */

static size_t cookie_answer(const uint8_t *request, uint64_t fresh, uint8_t out[44])
{
	static const uint8_t head[] = {41, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 16, 0, 0, 0x40, 0x06};

	memcpy(out, request, 8);
	memset(out + 8, 0, 8);
	memcpy(out + 16, head, sizeof(head));
	memcpy(out + 36, &fresh, 8);
	return 44;
}

static enum sim_fate ever_new_cookies(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct sim *s = arg;
	uint8_t answer[44];

	if (from == 0 && len > 28 && msg[18] == 34)
		sim_inject(&s->node[0], NULL, answer, cookie_answer(msg, nth, answer));
	return SIM_DROP;
}

static void a_peer_that_asks_for_cookies_without_end_is_given_up(void **state)
{
	struct sim *s = sim_new(510);

	(void)state;
	s->net.filter = ever_new_cookies;
	s->net.filter_arg = s;
	sim_start(s);
	sim_run(s, 10000);
	assert_in_range(s->node[0].sent, 6, 20);
	sim_free(s);
}

/* INVALID_KE_PAYLOAD, the group named being always the one that was not used. */
static enum sim_fate ever_another_group(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	static const uint8_t head[] = {41, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 38, 0, 0, 0, 10, 0, 0, 0, 17, 0};
	struct sim *s = arg;
	uint8_t answer[38];
	struct ike_msg m;
	struct payload_ke ke;
	const struct ike_payload *p;

	(void)nth;
	if (from != 0 || len <= 28 || msg[18] != 34 || wire_parse(msg, len, &m) != IKE_V_OK)
		return SIM_DROP;
	p = wire_find(&m.clear, IKE_PL_KE);
	assert_non_null(p);
	assert_int_equal(payload_ke_decode(p->body, &ke), IKE_V_OK);
	memcpy(answer, msg, 8);
	memset(answer + 8, 0, 8);
	memcpy(answer + 16, head, sizeof(head));
	answer[37] = ke.group == ALG_DH_X25519 ? ALG_DH_ECP256 : ALG_DH_X25519;
	sim_inject(&s->node[0], NULL, answer, sizeof(answer));
	return SIM_DROP;
}

static void a_peer_that_wants_another_group_without_end_is_given_up(void **state)
{
	static const char *const both[] = {"aes256gcm16-prfsha256-x25519-ecp256", NULL};
	struct sim *s = sim_new(513);

	(void)state;
	sim_propose(&s->node[0], true, both);
	s->net.filter = ever_another_group;
	s->net.filter_arg = s;
	sim_start(s);
	sim_run(s, 10000);
	assert_in_range(s->node[0].sent, 6, 20);
	sim_run(s, 120000);
	assert_non_null(strstr(s->node[0].last_cause, "does not hold to its own word"));
	sim_free(s);
}

static void pauses_between_attempts_grow(void **state)
{
	struct sim *s = sim_new(511);
	unsigned half_hour;

	(void)state;
	s->node[1].dead = true;
	s->node[0].limits.retransmit_tries = 1;
	sim_start(s);
	sim_run(s, 1800000);
	half_hour = s->node[0].n_notices[IKE_NOTICE_FAILED];
	assert_in_range(half_hour, 25, 45); /* 2, 4, 8, 16, 32, then 60 s */
	sim_free(s);
}

static void liveness_is_asked_in_silence_only(void **state)
{
	struct sim *s = sim_new(512);
	uint64_t sent;

	(void)state;
	s->node[0].cfg.dpd_s = 5;
	s->node[1].cfg.dpd_s = 0;
	scenario_up(s);
	scenario_settle(s, 30000);
	sim_run(s, 10000);
	sent = s->node[0].sent;
	sim_run(s, 60000); /* probes run: proof enough (RFC 7296 2.4) */
	assert_int_equal(s->node[0].sent, sent);
	s->probe_ms = 0;
	sim_run(s, 60000);
	assert_in_range(s->node[0].sent - sent, 9, 13);
	sim_free(s);
}

/* ---- down by hand ---- */

static void down_by_hand_holds_against_traffic_until_the_peer_begins(void **state)
{
	struct sim *s = sim_new(515);

	(void)state;
	s->node[0].cfg.start = CFG_START_ON_TRAFFIC;
	sim_start(s);
	sim_event(&s->node[0], IKE_EV_ACQUIRE, 0);
	assert_true(sim_run_until(s, sim_up, 10000));
	assert_int_equal(sim_event(&s->node[0], IKE_EV_DOWN, 0), 0);
	assert_true(sim_run_until(s, sim_empty, 60000));
	sim_event(&s->node[0], IKE_EV_ACQUIRE, 0);
	sim_run(s, 5000);
	assert_false(sim_up(s));
	/* the peer may begin, and then traffic may again */
	assert_int_equal(sim_event(&s->node[1], IKE_EV_UP, 0), 0);
	assert_true(sim_run_until(s, sim_up, 10000));
	assert_int_equal(sim_event(&s->node[1], IKE_EV_DOWN, 0), 0);
	assert_true(sim_run_until(s, sim_empty, 60000));
	sim_event(&s->node[0], IKE_EV_ACQUIRE, 0);
	assert_true(sim_run_until(s, sim_up, 10000));
	sim_free(s);
}

/* ---- moves without a NAT (RFC 7296 2.23) ---- */

static enum sim_fate from_elsewhere(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct sim *s = arg;
	struct ike_path p = {
		.local = s->node[1].addr, .remote = ip_v4(0xc6336399), .local_port = 500, .remote_port = 777};

	(void)nth;
	if (from != 0)
		return SIM_PASS;
	sim_inject(&s->node[1], &p, msg, len);
	return SIM_DROP;
}

static void a_peer_behind_no_nat_is_not_moved(void **state)
{
	struct sim *s = up(520);
	struct ike_sa_info before, after;

	(void)state;
	assert_true(sim_the_ike(&s->node[1], &before));
	s->net.filter = from_elsewhere;
	s->net.filter_arg = s;
	assert_int_equal(sim_event(&s->node[0], IKE_EV_REKEY_CHILD, 0), 0);
	sim_run(s, 300);
	s->net.filter = NULL;
	sim_run(s, 5000);
	assert_true(sim_the_ike(&s->node[1], &after));
	assert_true(after.mid_in > before.mid_in); /* it was heard */
	assert_true(ip_equal(&after.path.remote, &before.path.remote));
	assert_int_equal(after.path.remote_port, before.path.remote_port);
	scenario_settle(s, 60000);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initiator_refuses_a_responder_with_another_psk),
		cmocka_unit_test(initiator_refuses_a_responder_with_another_identity),
		cmocka_unit_test(a_peer_that_asks_for_cookies_without_end_is_given_up),
		cmocka_unit_test(a_peer_that_wants_another_group_without_end_is_given_up),
		cmocka_unit_test(pauses_between_attempts_grow),
		cmocka_unit_test(liveness_is_asked_in_silence_only),
		cmocka_unit_test(down_by_hand_holds_against_traffic_until_the_peer_begins),
		cmocka_unit_test(a_peer_behind_no_nat_is_not_moved),
	};

	return cmocka_run_group_tests_name("sim-guard", tests, NULL, NULL);
}
