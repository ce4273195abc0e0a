/* A peer that breaks RFC 7383's rules, or an attacker beside one that keeps to them. */
#include <stdlib.h>

#include "controlplane/ike/frag.h"
#include "tests/sim/stage.h"

/* One fragment of an INFORMATIONAL or other request: n octets of inside, behind so many clear payloads of an unknown type. Not
 * said yet, and the message id stays. */
static void put(struct stranger *p, uint8_t exchange, uint16_t num, uint16_t total, uint8_t next, size_t n,
		unsigned unknown)
{
	const struct ike_hdr h = {
		.spi_i = p->spi_i, .spi_r = p->spi_r, .exchange = exchange, .flags = IKE_FLAG_INITIATOR, .mid = p->mid};
	struct wire_out o;

	wire_msg_begin(&o, p->said, sizeof(p->said), &h);
	for (unsigned i = 0; i < unknown; i++)
		wire_payload(&o, 200);
	sk_begin_fragment(&o, &p->out, num, total, next);
	wr_zero(&o.w, n);
	p->said_len = sk_seal(&o, &p->out, stranger_random);
	assert_true(p->said_len > 0);
}

static unsigned say(struct stranger *p)
{
	stranger_say(p, p->said, p->said_len);
	return stranger_answer(p);
}

static void a_fragment_that_nobody_agreed_on_is_ignored(void **state)
{
	static struct stage g;
	struct ike_counters c;

	(void)state;
	stage_up(&g, 4700);
	assert_true(stranger_up(&g.p));
	mark(&g);
	put(&g.p, IKE_X_INFORMATIONAL, 1, 1, 0, 0, 0);
	assert_int_equal(say(&g.p), STRANGER_SILENCE);
	ike_counters(g.s->node[1].k, &c);
	assert_int_equal(c.ignored, g.before.ignored + 1);
	stage_down(&g);
}

static void the_first_fragment_alone_asks_for_the_answer_again(void **state)
{
	static uint8_t first[SIM_DATAGRAM_MAX], second[SIM_DATAGRAM_MAX], answer[SIM_DATAGRAM_MAX];
	static struct stage g;
	size_t first_len, second_len, answer_len;

	(void)state;
	stage_up(&g, 4701);
	g.p.cuts = true;
	assert_true(stranger_up(&g.p));
	put(&g.p, IKE_X_INFORMATIONAL, 1, 2, 0, 0, 0);
	memcpy(first, g.p.said, first_len = g.p.said_len);
	assert_int_equal(say(&g.p), STRANGER_SILENCE);
	put(&g.p, IKE_X_INFORMATIONAL, 2, 2, 0, 0, 0);
	memcpy(second, g.p.said, second_len = g.p.said_len);
	assert_int_equal(say(&g.p), 0);
	memcpy(answer, g.p.heard, answer_len = g.p.heard_len);
	stranger_say(&g.p, second, second_len);
	assert_int_equal(g.p.heard_len, 0);
	stranger_say(&g.p, first, first_len);
	assert_int_equal(g.p.heard_len, answer_len);
	assert_memory_equal(g.p.heard, answer, answer_len);
	/* cut anew: its first fragment too, if it is authentic */
	put(&g.p, IKE_X_INFORMATIONAL, 2, 3, 0, 0, 0);
	assert_int_equal(say(&g.p), STRANGER_SILENCE);
	put(&g.p, IKE_X_INFORMATIONAL, 1, 3, 0, 0, 0);
	g.p.said[g.p.said_len - 1] ^= 1;
	assert_int_equal(say(&g.p), STRANGER_SILENCE);
	g.p.said[g.p.said_len - 1] ^= 1;
	assert_int_equal(say(&g.p), 0);
	assert_memory_equal(g.p.heard, answer, answer_len);
	/* and the window goes on, with whole messages and with others */
	g.p.mid++;
	put(&g.p, IKE_X_INFORMATIONAL, 1, 1, 0, 0, 0);
	assert_int_equal(say(&g.p), 0);
	stage_down(&g);
}

/* A3: clear payloads of an unknown type in front of the fragment, up to the chain's limit and beyond. */
static void unknown_payloads_before_a_fragment_are_counted(void **state)
{
	static struct stage g;

	(void)state;
	for (unsigned n = IKE_PAYLOADS_MAX - 1; n <= IKE_PAYLOADS_MAX + 1; n++) {
		stage_up(&g, 4710 + n);
		g.p.cuts = true;
		assert_true(stranger_up(&g.p));
		put(&g.p, IKE_X_INFORMATIONAL, 1, 1, 0, 0, n);
		assert_int_equal(say(&g.p), n <= IKE_PAYLOADS_MAX ? 0 : STRANGER_SILENCE);
		stage_down(&g);
	}
}

/* A22, and what is authentic nonsense when it is put together: answered as a whole message would be. */
static void nonsense_in_fragments_is_refused_as_a_whole(void **state)
{
	static struct stage g;

	(void)state;
	stage_up(&g, 4720);
	g.p.cuts = true;
	assert_true(stranger_up(&g.p));
	put(&g.p, IKE_X_INFORMATIONAL, 2, 2, 0, 40, 0);
	assert_int_equal(say(&g.p), STRANGER_SILENCE);
	put(&g.p, IKE_X_INFORMATIONAL, 1, 2, IKE_PL_DELETE, 40, 0); /* payloads of length zero */
	assert_int_equal(say(&g.p), N_INVALID_SYNTAX);
	sim_run(g.s, 60000);
	stage_down(&g);
}

/* RFC 7383 5, A20: who has shown nothing but a Diffie-Hellman value gets no memory without end. */
static void a_flood_before_authentication_ends_the_attempt(void **state)
{
	static struct stage g;
	unsigned i;

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		stage_up(&g, 4730 + how);
		g.p.cuts = true;
		assert_true(stranger_connect(&g.p));
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_AUTH), 1);
		for (i = 0; i < 60 && sim_count_ike(&g.s->node[1], IKE_SA_AUTH); i++) {
			put(&g.p, IKE_X_AUTH, (uint16_t)(i + 2), how ? 65535 : 255, 0, 3500, 0);
			assert_int_equal(say(&g.p), STRANGER_SILENCE);
		}
		assert_int_equal(i, how ? 1 : FRAG_OCTETS_MAX / 3500 + 1);
		stage_down(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fragment_that_nobody_agreed_on_is_ignored),
		cmocka_unit_test(the_first_fragment_alone_asks_for_the_answer_again),
		cmocka_unit_test(unknown_payloads_before_a_fragment_are_counted),
		cmocka_unit_test(nonsense_in_fragments_is_refused_as_a_whole),
		cmocka_unit_test(a_flood_before_authentication_ends_the_attempt),
	};

	return cmocka_run_group_tests_name("sim-bad-fragment", tests, NULL, NULL);
}
