/* Bad messages of strangers to a living core: each moves one counter or gets its documented answer, and disturbs no tunnel.
 *
 * Node 1 carries a tunnel to node 0, with probes. Datagrams of nobody, and copies of real ones that were changed, repeated
 * or sent back. */
#include "controlplane/ike/cookie.h"
#include "tests/sim/stage.h"

/* ---- no key is needed ---- */

#define SPIS            "5100000000000007 0000000000000000"
#define INIT(next, len) SPIS next "20 22 08 00000000 000000" len

static size_t hex_(const char *s, uint8_t *buf)
{
	size_t n = 0;
	unsigned v;
	int used;

	for (; sscanf(s, " %2x%n", &v, &used) == 1; s += used)
		buf[n++] = (uint8_t)v;
	return n;
}

static const struct datagram {
	const char *name, *msg;
	unsigned counter, answer;
} datagrams[] = {
	{"one octet", "00", COUNTER(malformed), STRANGER_SILENCE},
	{"a keepalive", "ff", NO_COUNTER, STRANGER_SILENCE},
	{"27 octets", SPIS "00 20 22 08 00000000 000000", COUNTER(malformed), STRANGER_SILENCE},
	{"length too short", INIT("00", "1b"), COUNTER(malformed), STRANGER_SILENCE},
	{"length too long", INIT("00", "1d"), COUNTER(malformed), STRANGER_SILENCE},
	{"IKEv1", SPIS "01 10 02 00 00000000 0000001c", COUNTER(bad_version), STRANGER_SILENCE},
	{"version 3", SPIS "00 30 22 08 00000000 00000024 0000000000000000", COUNTER(bad_version),
	 N_INVALID_MAJOR_VERSION},
	{"version 3, shorter than the answer", SPIS "00 30 22 08 00000000 00000024 00000000000000",
	 COUNTER(bad_version), STRANGER_SILENCE},
	{"version 3, a response", SPIS "00 30 22 28 00000000 0000001c", COUNTER(bad_version), STRANGER_SILENCE},
	{"initiator SPI 0", "0000000000000000 0000000000000000 00 20 22 08 00000000 0000001c", COUNTER(malformed),
	 STRANGER_SILENCE},
	{"SPIs of nobody", "5100000000000007 1122334455667788 00 20 25 08 00000000 0000001c", COUNTER(bad_spi),
	 STRANGER_SILENCE},
	{"a response to nobody", "5100000000000007 1122334455667788 00 20 25 20 00000000 0000001c", COUNTER(bad_spi),
	 STRANGER_SILENCE},
	{"IKE_AUTH without a responder SPI", SPIS "00 20 23 08 00000001 0000001c", COUNTER(bad_spi), STRANGER_SILENCE},
	{"an unknown exchange", SPIS "00 20 f0 08 00000000 0000001c", COUNTER(bad_spi), STRANGER_SILENCE},
	{"IKE_SA_INIT with message id 1", SPIS "00 20 22 08 00000001 0000001c", COUNTER(malformed), STRANGER_SILENCE},
	{"no payload at all", INIT("00", "1c"), COUNTER(malformed), STRANGER_SILENCE},
	{"a payload that is not there", INIT("21", "1c"), COUNTER(malformed), STRANGER_SILENCE},
	{"an endless chain", INIT("29", "24") "29000004 29000004", COUNTER(malformed), STRANGER_SILENCE},
	{"an endless chain of no length", INIT("29", "24") "29000000 29000000", COUNTER(malformed), STRANGER_SILENCE},
	{"IKEv1's payloads", INIT("01", "24") "04000004 00000004", COUNTER(malformed), STRANGER_SILENCE},
	{"an unknown critical payload", INIT("c8", "25") "00800009 0000000000", COUNTER(malformed),
	 N_UNSUPPORTED_CRITICAL_PAYLOAD},
	{"the same, shorter than the answer", INIT("c8", "24") "00800008 00000000", COUNTER(malformed),
	 STRANGER_SILENCE},
	{"SK in IKE_SA_INIT", INIT("2e", "20") "00000004", COUNTER(malformed), STRANGER_SILENCE},
	{"SK and something behind", INIT("2e", "24") "29000004 00000004", COUNTER(malformed), STRANGER_SILENCE},
};

static void datagrams_of_strangers_move_one_counter(void **state)
{
	static struct stage g;

	(void)state;
	stage_up(&g, 100);
	for (unsigned i = 0; i < N_ELEMS(datagrams); i++) {
		uint8_t b[256];
		size_t len = hex_(datagrams[i].msg, b);

		print_message("# %s\n", datagrams[i].name);
		mark(&g);
		stranger_say(&g.p, b, len);
		counted(&g, datagrams[i].counter);
		assert_int_equal(stranger_answer(&g.p), datagrams[i].answer);
		assert_true(g.p.heard_len <= len); /* C14: no amplifier */
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_INIT) + sim_count_ike(&g.s->node[1], IKE_SA_AUTH),
				 0);
	}
	stage_down(&g);
}

static void init_without_any_of_its_payloads_is_ignored(void **state)
{
	static const uint8_t types[] = {IKE_PL_SA, IKE_PL_KE, IKE_PL_NONCE};
	static struct stage g;

	(void)state;
	stage_up(&g, 101);
	for (unsigned i = 0; i < N_ELEMS(types); i++) {
		mark(&g);
		stranger_put_init(&g.p, IKE_PL_BIT(types[i]));
		stranger_say(&g.p, g.p.said, g.p.said_len);
		counted(&g, COUNTER(malformed));
		assert_int_equal(stranger_answer(&g.p), STRANGER_SILENCE);
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_INIT), 0);
	}
	assert_true(stranger_connect(&g.p)); /* with all of them it goes */
	stage_down(&g);
}

/* C14: whose source is forged gets one answer to each request, and repeats of one are not answered for ever. */
static void a_repeated_init_is_answered_so_often_and_no_more(void **state)
{
	static struct stage g;
	struct ike_counters now;

	(void)state;
	stage_up(&g, 103);
	stranger_put_init(&g.p, 0);
	for (unsigned i = 0; i < 1000; i++) {
		stranger_say(&g.p, g.p.said, g.p.said_len);
		assert_true(g.p.n_heard <= i + 1);
	}
	assert_int_equal(g.p.n_heard, 1 + 16);
	ike_counters(g.s->node[1].k, &now);
	assert_int_equal(now.duplicates - g.before.duplicates, 999);
	stage_down(&g);
}

/* C14: with cookies asked for, a request that is shorter than one gets none. */
static void a_cookie_is_no_longer_than_the_request(void **state)
{
	static struct stage g;
	struct wire_out o;

	(void)state;
	g.s = sim_new(104);
	g.s->node[1].limits.cookie_at = 1;
	scenario_up(g.s);
	scenario_settle(g.s, 30000);
	g.spis = scenario_spis(&g.s->node[0]);
	stranger_init(&g.p, g.s, 7);
	stranger_put_init(&g.p, 0);
	stranger_say(&g.p, g.p.said, g.p.said_len); /* one is half open now */
	for (unsigned more = 0; more < 40; more++) {
		const struct ike_hdr h = {.spi_i = ++g.p.spi_i, .exchange = IKE_X_SA_INIT, .flags = IKE_FLAG_INITIATOR};
		size_t len;

		wire_msg_begin(&o, g.p.said, sizeof(g.p.said), &h);
		wire_payload(&o, IKE_PL_SA);
		wire_payload(&o, IKE_PL_KE);
		wire_payload(&o, IKE_PL_NONCE);
		wr_zero(&o.w, 16 + more);
		len = wire_msg_end(&o);
		stranger_say(&g.p, g.p.said, len);
		assert_int_equal(g.p.heard_len, len < 28 + 8 + COOKIE_LEN ? 0 : 28 + 8 + COOKIE_LEN);
	}
	stage_down(&g);
}

/* A1, A8, A9: KE of other groups, lengths and values; the SA that it began is no more. */
static void init_with_a_bad_ke_leaves_nothing(void **state)
{
	static const struct {
		const char *name;
		uint16_t group;
		size_t len;
		unsigned answer;
	} rows[] = {
		{"group 0", 0, 32, N_INVALID_KE_PAYLOAD},
		{"group 1025", 1025, 32, N_INVALID_KE_PAYLOAD},
		{"one octet short", 31, 31, STRANGER_SILENCE},
		{"one octet long", 31, 33, STRANGER_SILENCE},
		{"no octets", 31, 0, STRANGER_SILENCE},
		{"4000 octets", 31, 4000, STRANGER_SILENCE},
		{"zero", 31, 32, STRANGER_SILENCE},
	};
	static const uint8_t zero[4000];
	static struct stage g;

	(void)state;
	stage_up(&g, 102);
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		const struct ike_hdr h = {.spi_i = g.p.spi_i, .exchange = IKE_X_SA_INIT, .flags = IKE_FLAG_INITIATOR};
		static uint8_t msg[5000];
		struct payload_sa sa;
		struct wire_out o;

		wire_msg_begin(&o, msg, sizeof(msg), &h);
		proposal_build(g.p.cfg.ike.proposal, 1, IKE_PROTO_IKE, 0, 0, 0, &sa);
		wire_payload(&o, IKE_PL_SA);
		payload_sa_encode(&o.w, &sa);
		wire_payload(&o, IKE_PL_KE);
		payload_ke_encode(&o.w, rows[i].group, zero, rows[i].len);
		wire_payload(&o, IKE_PL_NONCE);
		payload_nonce_encode(&o.w, &g.p.ni);
		print_message("# %s\n", rows[i].name);
		mark(&g);
		stranger_say(&g.p, msg, wire_msg_end(&o));
		counted(&g, rows[i].answer == STRANGER_SILENCE ? COUNTER(malformed) : NO_COUNTER);
		assert_int_equal(stranger_answer(&g.p), rows[i].answer);
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_INIT) + sim_count_ike(&g.s->node[1], IKE_SA_AUTH),
				 0);
	}
	stage_down(&g);
}

/* B10: what node 1 said comes back to it, as it is, with the flags turned, with the SPIs exchanged. */
static void reflected_messages_are_not_taken(void **state)
{
	static struct stage g;
	static uint8_t m[SIM_DATAGRAM_MAX];
	struct wire_out o;

	(void)state;
	stage_up(&g, 194);
	assert_true(stranger_up(&g.p));
	stranger_begin(&g.p, &o, IKE_X_INFORMATIONAL);
	stranger_end(&g.p, &o);
	for (unsigned flags = 0; flags < 256; flags++)
		for (unsigned swap = 0; swap < 2; swap++) {
			size_t len = g.p.heard_len;

			memcpy(m, g.p.heard, len);
			m[19] = (uint8_t)flags;
			if (swap) {
				memcpy(m, g.p.heard + 8, 8);
				memcpy(m + 8, g.p.heard, 8);
			}
			sim_inject(&g.s->node[1], &g.p.path, m, len);
			sim_run(g.s, 2);
			assert_int_equal(g.p.heard_len, len);
			assert_memory_equal(g.p.heard + 28, m + 28, len - 28);
		}
	stranger_begin(&g.p, &o, IKE_X_INFORMATIONAL);
	stranger_end(&g.p, &o);
	assert_int_equal(stranger_answer(&g.p), 0);
	stage_down(&g);
}

/* Every octet of a protected request, changed: nothing is answered, nothing is lost. */
static void changed_messages_are_not_taken(void **state)
{
	static struct stage g;
	static uint8_t m[SIM_DATAGRAM_MAX];
	struct wire_out o;
	size_t len;

	(void)state;
	stage_up(&g, 195);
	assert_true(stranger_up(&g.p));
	stranger_begin(&g.p, &o, IKE_X_INFORMATIONAL);
	len = sk_seal(&o, &g.p.out, stranger_random);
	for (size_t i = 0; i < len; i++) {
		memcpy(m, g.p.said, len);
		m[i] ^= 0x11;
		stranger_say(&g.p, m, len);
		if (i != 17) /* the version's major: told that ours is 2 */
			assert_int_equal(g.p.heard_len, 0);
	}
	for (size_t cut = 0; cut < len; cut++) {
		memcpy(m, g.p.said, cut);
		if (cut >= 28) {
			m[26] = (uint8_t)(cut >> 8);
			m[27] = (uint8_t)cut;
		}
		stranger_say(&g.p, m, cut);
		assert_int_equal(g.p.heard_len, 0);
	}
	stranger_say(&g.p, g.p.said, len);
	assert_int_equal(stranger_answer(&g.p), 0);
	stage_down(&g);
}

/* B11: errors in clear, with the right SPIs and ids, to both ends of a living SA. */
static void errors_in_clear_do_not_end_a_living_sa(void **state)
{
	static const uint16_t types[] = {
		N_AUTHENTICATION_FAILED, N_INVALID_SYNTAX,     N_INVALID_IKE_SPI, N_NO_PROPOSAL_CHOSEN,
		N_INVALID_MAJOR_VERSION, N_INVALID_MESSAGE_ID, N_COOKIE};
	static struct stage g;

	(void)state;
	stage_up(&g, 196);
	for (unsigned t = 0; t < N_ELEMS(types); t++)
		for (unsigned exchange = IKE_X_SA_INIT; exchange <= IKE_X_INFORMATIONAL; exchange++)
			for (unsigned flags = 0; flags < 4; flags++)
				for (uint32_t mid = 0; mid < 4; mid++) {
					const struct ike_hdr h = {
						.spi_i = g.spis.ike_i,
						.spi_r = g.spis.ike_r,
						.exchange = (uint8_t)exchange,
						.flags = (uint8_t)((flags & 1 ? 0x08 : 0) | (flags & 2 ? 0x20 : 0)),
						.mid = mid};
					uint8_t m[128];
					struct wire_out o;
					size_t len;

					wire_msg_begin(&o, m, sizeof(m), &h);
					payload_notify_add(&o, types[t], "x", 1);
					len = wire_msg_end(&o);
					for (int n = 0; n < 2; n++)
						sim_inject(&g.s->node[n], NULL, m, len);
				}
	sim_run(g.s, 60000);
	stage_down(&g);
}

/* What the nodes really said, changed at random, thousands of times, to both of them. */
struct tape {
	uint8_t msg[32][SIM_DATAGRAM_MAX];
	size_t len[32];
	unsigned n;
};

static enum sim_fate record(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct tape *t = arg;

	(void)from;
	(void)nth;
	if (t->n < N_ELEMS(t->msg) && len <= sizeof(t->msg[0])) {
		memcpy(t->msg[t->n], msg, len);
		t->len[t->n++] = len;
	}
	return SIM_PASS;
}

static void changed_tapes_of_a_tunnel_do_not_disturb_it(void **state)
{
	static struct tape t;
	struct stage g = {.s = sim_new(197)};

	(void)state;
	t.n = 0;
	g.s->net.filter = record;
	g.s->net.filter_arg = &t;
	scenario_up(g.s);
	sim_event(&g.s->node[0], IKE_EV_REKEY_CHILD, 0);
	sim_run(g.s, 2000);
	sim_event(&g.s->node[1], IKE_EV_REKEY_IKE, 0);
	sim_run(g.s, 2000);
	g.s->net.filter = NULL;
	scenario_settle(g.s, 60000);
	g.spis = scenario_spis(&g.s->node[0]);
	assert_true(t.n > 8);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned which = sim_random(g.s, t.n);
		size_t len = t.len[which];
		uint8_t m[SIM_DATAGRAM_MAX];

		memcpy(m, t.msg[which], len);
		for (unsigned k = sim_random(g.s, 4); k > 0; k--)
			m[sim_random(g.s, (uint32_t)len)] = (uint8_t)sim_random(g.s, 256);
		if (sim_random(g.s, 4) == 0) { /* to the SAs that live now */
			uint64_t i_be = __builtin_bswap64(g.spis.ike_i), r_be = __builtin_bswap64(g.spis.ike_r);

			memcpy(m, &i_be, 8);
			memcpy(m + 8, &r_be, 8);
		}
		sim_inject(&g.s->node[sim_random(g.s, 2)], NULL, m, len);
		if (i % 100 == 0)
			sim_run(g.s, 1);
	}
	sim_run(g.s, 10000);
	stage_down(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_of_strangers_move_one_counter),
		cmocka_unit_test(init_without_any_of_its_payloads_is_ignored),
		cmocka_unit_test(a_repeated_init_is_answered_so_often_and_no_more),
		cmocka_unit_test(a_cookie_is_no_longer_than_the_request),
		cmocka_unit_test(init_with_a_bad_ke_leaves_nothing),
		cmocka_unit_test(reflected_messages_are_not_taken),
		cmocka_unit_test(changed_messages_are_not_taken),
		cmocka_unit_test(errors_in_clear_do_not_end_a_living_sa),
		cmocka_unit_test(changed_tapes_of_a_tunnel_do_not_disturb_it),
	};

	return cmocka_run_group_tests_name("sim-bad-input", tests, NULL, NULL);
}
