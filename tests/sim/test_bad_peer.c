/* A peer with real keys that breaks the rules, before and after it has proved who it is: it gets its documented answer and
 * loses its own SA at most; the tunnel between the nodes is not disturbed. */
#include "tests/sim/stage.h"

/* ---- with keys, before authentication ---- */

static void auth_without_any_of_its_payloads_ends_the_attempt(void **state)
{
	static const struct {
		uint8_t type;
		unsigned answer, counter;
	} rows[] = {
		{IKE_PL_IDI, N_INVALID_SYNTAX, COUNTER(malformed)},
		{IKE_PL_AUTH, N_AUTHENTICATION_FAILED, COUNTER(auth_failed)}, /* asks for EAP: 2.16 */
		{IKE_PL_SA, N_INVALID_SYNTAX, COUNTER(malformed)},
		{IKE_PL_TSI, N_INVALID_SYNTAX, COUNTER(malformed)},
		{IKE_PL_TSR, N_INVALID_SYNTAX, COUNTER(malformed)},
	};
	static struct stage g;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct wire_out o;

		stage_up(&g, 110 + i);
		assert_true(stranger_connect(&g.p));
		mark(&g);
		stranger_begin(&g.p, &o, IKE_X_AUTH);
		stranger_put_auth(&g.p, &o, IKE_PL_BIT(rows[i].type));
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), rows[i].answer);
		counted(&g, rows[i].counter);
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 1); /* node 0's */
		stage_down(&g);
	}
	stage_up(&g, 119);
	assert_true(stranger_up(&g.p)); /* with all of them it goes */
	assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 2);
	assert_int_equal(sim_count_child(&g.s->node[1], IKE_CHILD_UP), 2);
	stage_down(&g);
}

/* One payload with this body, protected, in this exchange. */
static void say_one(struct stranger *p, uint8_t exchange, uint8_t type, const void *body, size_t len)
{
	struct wire_out o;

	stranger_begin(p, &o, exchange);
	wire_payload(&o, type);
	wr_copy(&o.w, body, len);
	stranger_end(p, &o);
}

/* A15, A16, A19: identities that are long, odd or hostile: refused like any stranger, and the words stay printable. */
static void odd_identities_are_refused_alike(void **state)
{
	static const struct {
		uint8_t type;
		size_t len;
		const char *text;
		unsigned answer;
	} rows[] = {
		{CFG_ID_FQDN, 0, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_FQDN, 255, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_FQDN, 256, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_FQDN, 257, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_KEY, 519, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_KEY, 521, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_DN, 3, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_EMAIL, 3500, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_IPV4, 5, NULL, N_INVALID_SYNTAX},
		{0, 4, NULL, N_INVALID_SYNTAX},
		{201, 20, NULL, N_AUTHENTICATION_FAILED},
		{CFG_ID_FQDN, 30, "`id`$(reboot);\n%n%s\x1b[31m\" x=y ", N_AUTHENTICATION_FAILED},
	};
	static struct stage g;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		uint8_t id[4 + 4000] = {rows[i].type};
		struct wire_out o;

		stage_up(&g, 130 + i);
		assert_true(stranger_connect(&g.p));
		memset(id + 4, 'a', rows[i].len);
		if (rows[i].text)
			memcpy(id + 4, rows[i].text, strlen(rows[i].text));
		stranger_begin(&g.p, &o, IKE_X_AUTH);
		wire_payload(&o, IKE_PL_IDI);
		wr_copy(&o.w, id, 4 + rows[i].len);
		stranger_put_auth(&g.p, &o, IKE_PL_BIT(IKE_PL_IDI));
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), rows[i].answer);
		for (const char *c = g.s->node[1].last_cause; *c; c++)
			assert_true(*c >= 0x20 && *c < 0x7f);
		stage_down(&g);
	}
}

/* IKE_AUTH with an ID payload whose body has len octets, in fragments; alone: and with nothing else inside. */
static unsigned say_long_id(struct stranger *p, size_t len, bool alone)
{
	enum { PIECE = 3900 };
	static uint8_t msg[IKE_MSG_MAX + 100];
	const struct ike_hdr h = {.spi_i = p->spi_i,
				  .spi_r = p->spi_r,
				  .exchange = IKE_X_AUTH,
				  .flags = IKE_FLAG_INITIATOR,
				  .mid = p->mid++};
	struct wire_out all, o;
	uint16_t total;

	wire_msg_begin(&all, msg, sizeof(msg), &h);
	sk_begin(&all, &p->out);
	wire_payload(&all, IKE_PL_IDI);
	wr_u8(&all.w, CFG_ID_KEY);
	wr_zero(&all.w, len - 1);
	if (!alone)
		stranger_put_auth(p, &all, IKE_PL_BIT(IKE_PL_IDI));
	wire_payload_end(&all);
	assert_false(all.w.full);
	total = (uint16_t)((all.w.len - all.text_at + PIECE - 1) / PIECE);
	for (uint16_t i = 0; i < total; i++) {
		size_t at = all.text_at + i * (size_t)PIECE, left = all.w.len - at;

		wire_msg_begin(&o, p->said, sizeof(p->said), &h);
		sk_begin_fragment(&o, &p->out, (uint16_t)(i + 1), total, i ? 0 : IKE_PL_IDI);
		wr_copy(&o.w, msg + at, left < PIECE ? left : PIECE);
		p->said_len = sk_seal(&o, &p->out, stranger_random);
		assert_true(p->said_len > 0);
		stranger_say(p, p->said, p->said_len);
	}
	return stranger_answer(p);
}

/* A15: as long as it can be said at all, before anybody has proved who he is. */
static void identities_of_every_length_are_refused_alike(void **state)
{
	static const struct {
		size_t len; /* of the payload's body: type, reserved, data */
		bool alone;
		unsigned answer;
	} rows[] = {
		{4, false, N_AUTHENTICATION_FAILED},       {4 + 255, false, N_AUTHENTICATION_FAILED},
		{4 + 256, false, N_AUTHENTICATION_FAILED}, {4 + 4096, false, N_AUTHENTICATION_FAILED},
		{65000, false, N_AUTHENTICATION_FAILED},   {65531, true, N_INVALID_SYNTAX}, /* no room for more */
	};
	static struct stage g;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		stage_up(&g, 170 + i);
		g.p.cuts = true;
		assert_true(stranger_connect(&g.p));
		assert_int_equal(say_long_id(&g.p, rows[i].len, rows[i].alone), rows[i].answer);
		stage_down(&g);
	}
}

/* B5: another PSK. B2: AUTH of zeros, of one octet, of another method. */
static void a_wrong_auth_is_refused(void **state)
{
	static struct stage g;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		uint8_t auth[4 + 64] = {i == 4 ? IKE_AUTH_RSA : IKE_AUTH_PSK};
		static const size_t lens[] = {0, 32, 1, 64, 32};
		struct wire_out o;

		stage_up(&g, 150 + i);
		assert_true(stranger_connect(&g.p));
		mark(&g);
		stranger_begin(&g.p, &o, IKE_X_AUTH);
		if (i == 0) {
			g.p.init_i[20] ^= 1; /* signs something else than what was said */
			stranger_put_auth(&g.p, &o, 0);
		} else {
			wire_payload(&o, IKE_PL_AUTH);
			wr_copy(&o.w, auth, 4 + lens[i]);
			stranger_put_auth(&g.p, &o, IKE_PL_BIT(IKE_PL_AUTH));
		}
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), N_AUTHENTICATION_FAILED);
		counted(&g, COUNTER(auth_failed));
		stage_down(&g);
	}
}

/* B1: every other exchange on a half-open SA; none makes it established. */
static void other_exchanges_before_authentication_end_the_attempt(void **state)
{
	static const uint8_t exchanges[] = {IKE_X_CREATE_CHILD, IKE_X_INFORMATIONAL, 38, 255};
	static struct stage g;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(exchanges); i++) {
		struct wire_out o;

		stage_up(&g, 160 + i);
		assert_true(stranger_connect(&g.p));
		mark(&g);
		stranger_begin(&g.p, &o, exchanges[i]);
		if (i == 0)
			stranger_put_rekey(&g.p, &o, 0);
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), N_INVALID_SYNTAX);
		counted(&g, COUNTER(malformed));
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 1);
		stage_down(&g);
	}
}

/* ---- with keys, authenticated ---- */

/* Whoever has proved who it is and breaks the syntax loses its own SA, and no more (2.21.3). */
static void child_without_any_of_its_payloads_ends_its_own_sa(void **state)
{
	static const uint8_t types[] = {IKE_PL_SA, IKE_PL_NONCE, IKE_PL_TSI, IKE_PL_TSR};
	static struct stage g;
	struct wire_out o;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(types); i++) {
		stage_up(&g, 170 + i);
		assert_true(stranger_up(&g.p));
		mark(&g);
		stranger_begin(&g.p, &o, IKE_X_CREATE_CHILD);
		stranger_put_child(&g.p, &o, IKE_PL_BIT(types[i]));
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), N_INVALID_SYNTAX);
		counted(&g, COUNTER(malformed));
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 1);
		assert_int_equal(sim_count_child(&g.s->node[1], IKE_CHILD_UP), 1);
		stage_down(&g);
	}
	stage_up(&g, 179);
	assert_true(stranger_up(&g.p));
	stranger_begin(&g.p, &o, IKE_X_CREATE_CHILD);
	stranger_put_child(&g.p, &o, 0);
	stranger_end(&g.p, &o);
	assert_int_equal(stranger_answer(&g.p), 0); /* with all of them it goes */
	assert_int_equal(sim_count_child(&g.s->node[1], IKE_CHILD_UP), 3);
	stage_down(&g);
}

static void ike_rekey_without_any_of_its_payloads_ends_its_own_sa(void **state)
{
	static const uint8_t types[] = {IKE_PL_SA, IKE_PL_NONCE, IKE_PL_KE};
	static struct stage g;
	struct wire_out o;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(types); i++) {
		stage_up(&g, 180 + i);
		assert_true(stranger_up(&g.p));
		mark(&g);
		stranger_begin(&g.p, &o, IKE_X_CREATE_CHILD);
		stranger_put_rekey(&g.p, &o, IKE_PL_BIT(types[i]));
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), N_INVALID_SYNTAX);
		counted(&g, COUNTER(malformed));
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 1);
		stage_down(&g);
	}
	stage_up(&g, 189);
	assert_true(stranger_up(&g.p));
	stranger_begin(&g.p, &o, IKE_X_CREATE_CHILD);
	stranger_put_rekey(&g.p, &o, 0);
	stranger_end(&g.p, &o);
	assert_int_equal(stranger_answer(&g.p), 0);
	stage_down(&g);
}

/* A13: REKEY_SA that names nothing of ours; C11: Deletes of unknown, repeated and very many SPIs. */
static void names_of_unknown_children_change_nothing(void **state)
{
	static const struct payload_notify rekeys[] = {
		{.protocol = IKE_PROTO_ESP, .spi_size = 4, .spi = 0x12345678, .type = N_REKEY_SA},
		{.protocol = IKE_PROTO_NONE, .spi_size = 4, .spi = 0x12345678, .type = N_REKEY_SA},
		{.protocol = IKE_PROTO_IKE, .spi_size = 4, .spi = 0x12345678, .type = N_REKEY_SA},
		{.protocol = IKE_PROTO_IKE, .spi_size = 8, .spi = 0x12345678, .type = N_REKEY_SA},
		{.protocol = IKE_PROTO_ESP, .spi_size = 0, .type = N_REKEY_SA},
	};
	static struct stage g;
	struct wire_out o;
	uint8_t many[4 + 4 * PAYLOAD_DELETE_MAX] = {IKE_PROTO_ESP, 4, PAYLOAD_DELETE_MAX >> 8,
						    PAYLOAD_DELETE_MAX & 0xff};

	(void)state;
	stage_up(&g, 190);
	assert_true(stranger_up(&g.p));
	for (unsigned i = 0; i < N_ELEMS(rekeys); i++) {
		stranger_begin(&g.p, &o, IKE_X_CREATE_CHILD);
		wire_payload(&o, IKE_PL_NOTIFY);
		payload_notify_encode(&o.w, &rekeys[i]);
		stranger_put_child(&g.p, &o, 0);
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), N_CHILD_SA_NOT_FOUND);
		assert_int_equal(sim_count_child(&g.s->node[1], IKE_CHILD_UP), 2);
	}
	/* SPIs of node 0's child, as a peer that has no right to it */
	memcpy(many + 4, &(uint32_t){__builtin_bswap32(g.spis.child_in)}, 4);
	memcpy(many + 8, &(uint32_t){__builtin_bswap32(g.spis.child_out)}, 4);
	say_one(&g.p, IKE_X_INFORMATIONAL, IKE_PL_DELETE, many, 4 + 4 * 900);
	assert_int_equal(stranger_answer(&g.p), N_INVALID_SYNTAX); /* counts that lie */
	stage_down(&g);
	stage_up(&g, 191);
	assert_true(stranger_up(&g.p));
	memcpy(many + 4, &(uint32_t){__builtin_bswap32(g.spis.child_in)}, 4);
	memcpy(many + 8, &(uint32_t){__builtin_bswap32(g.spis.child_out)}, 4);
	many[2] = 900 >> 8;
	many[3] = 900 & 0xff;
	say_one(&g.p, IKE_X_INFORMATIONAL, IKE_PL_DELETE, many, 4 + 4 * 900);
	assert_int_equal(stranger_answer(&g.p), 0);
	assert_int_equal(sim_count_child(&g.s->node[1], IKE_CHILD_UP), 2);
	stage_down(&g);
}

/* RFC 7296 2.5: an unknown critical payload rejects its request, not the SA. */
static void unknown_payloads_inside_are_answered_or_skipped(void **state)
{
	static struct stage g;
	struct wire_out o;

	(void)state;
	stage_up(&g, 192);
	assert_true(stranger_up(&g.p));
	for (unsigned critical = 0; critical < 2; critical++) {
		stranger_begin(&g.p, &o, IKE_X_INFORMATIONAL);
		wire_payload(&o, 200);
		wr_patch8(&o.w, o.open_at + 1, critical ? 0x80 : 0);
		wr_u32(&o.w, 1);
		stranger_end(&g.p, &o);
		assert_int_equal(stranger_answer(&g.p), critical ? N_UNSUPPORTED_CRITICAL_PAYLOAD : 0);
		assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 2);
	}
	stage_down(&g);
}

/* RFC 7296 2.1, 2.3: the same octets, the same answer, done once; older and newer ids are not looked at. */
static void repeated_requests_are_answered_once_and_alike(void **state)
{
	static struct stage g;
	static uint8_t first[SIM_DATAGRAM_MAX], first_said[SIM_DATAGRAM_MAX];
	size_t first_len, first_said_len;
	struct wire_out o;

	(void)state;
	stage_up(&g, 193);
	assert_true(stranger_up(&g.p));
	stranger_begin(&g.p, &o, IKE_X_CREATE_CHILD);
	stranger_put_child(&g.p, &o, 0);
	stranger_end(&g.p, &o);
	first_len = g.p.heard_len;
	memcpy(first, g.p.heard, first_len);
	first_said_len = g.p.said_len;
	memcpy(first_said, g.p.said, first_said_len);
	for (unsigned i = 0; i < 3; i++) {
		mark(&g);
		stranger_say(&g.p, first_said, first_said_len);
		counted(&g, COUNTER(duplicates));
		assert_int_equal(g.p.heard_len, first_len);
		assert_memory_equal(g.p.heard, first, first_len);
		assert_int_equal(sim_count_child(&g.s->node[1], IKE_CHILD_UP), 3);
	}
	/* IKE_SA_INIT again, after all that */
	mark(&g);
	stranger_say(&g.p, g.p.init_i, g.p.init_i_len);
	assert_int_equal(sim_count_ike(&g.s->node[1], IKE_SA_UP), 2);
	stranger_begin(&g.p, &o, IKE_X_INFORMATIONAL);
	stranger_end(&g.p, &o);
	assert_int_equal(stranger_answer(&g.p), 0);
	mark(&g);
	stranger_say(&g.p, first_said, first_said_len); /* now it is old */
	counted(&g, COUNTER(ignored));
	assert_int_equal(g.p.heard_len, 0);
	mark(&g);
	g.p.mid += 5;
	stranger_begin(&g.p, &o, IKE_X_INFORMATIONAL);
	stranger_end(&g.p, &o);
	counted(&g, COUNTER(ignored));
	assert_int_equal(g.p.heard_len, 0);
	stage_down(&g);
}

/* RFC 7296 3.10.1: a peer that takes one pair of selectors per child is asked for one, at once. */
static void a_peer_that_takes_one_pair_is_asked_for_one(void **state)
{
	static struct stage g;
	struct ike_event ev = {.type = IKE_EV_ACQUIRE, .tunnel = STRANGER_TUNNEL};
	struct payload_ts ts;
	struct cfg_ts wrong[CFG_TS_MAX];
	struct ike_hdr h;
	struct wire_out o;

	(void)state;
	stage_up(&g, 190);
	g.p.cfg.n_ts = 2;
	g.p.cfg.ts[0] = g.p.cfg.ts[1] = (struct cfg_ts){.local_port_hi = UINT16_MAX, .remote_port_hi = UINT16_MAX};
	for (unsigned i = 0; i < 2; i++) {
		g.p.cfg.ts[i].local = (struct ip_prefix){ip_v4(0x0a010000 + (i << 8)), 24};
		g.p.cfg.ts[i].remote = (struct ip_prefix){ip_v4(0x0a020000 + (i << 8)), 24};
	}
	g.p.cfg.start = CFG_START_ON_TRAFFIC;
	assert_true(stranger_connect(&g.p));
	stranger_begin(&g.p, &o, IKE_X_AUTH);
	memcpy(wrong, g.p.cfg.ts, sizeof(wrong));
	g.p.cfg.ts[0].remote.addr = g.p.cfg.ts[1].remote.addr = ip_v4(0xc0000200); /* no child yet */
	stranger_put_auth(&g.p, &o, 0);
	memcpy(g.p.cfg.ts, wrong, sizeof(wrong));
	stranger_end(&g.p, &o);
	assert_int_equal(stranger_answer(&g.p), N_TS_UNACCEPTABLE);
	for (unsigned want = 2; want >= 1; want--) {
		if (want == 2) {
			g.p.heard_len = 0;
			g.s->node[1].in_core = true;
			ike_event(g.s->node[1].k, &ev, g.s->now);
			g.s->node[1].in_core = false;
			sim_run(g.s, 200);
		}
		assert_int_equal(stranger_answer(&g.p), 0);
		assert_int_equal(wire_hdr_read(g.p.heard, g.p.heard_len, &h), IKE_V_OK);
		assert_int_equal(h.exchange, IKE_X_CREATE_CHILD);
		assert_false(ike_hdr_response(&h));
		assert_int_equal(payload_ts_decode(wire_find(&g.p.inner, IKE_PL_TSI)->body, &ts), IKE_V_OK);
		assert_int_equal(ts.n, want);
		h.flags = IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE;
		wire_msg_begin(&o, g.p.said, sizeof(g.p.said), &h);
		sk_begin(&o, &g.p.out);
		payload_notify_add(&o, N_SINGLE_PAIR_REQUIRED, NULL, 0);
		g.p.said_len = sk_seal(&o, &g.p.out, stranger_random);
		stranger_say(&g.p, g.p.said, g.p.said_len);
		sim_run(g.s, 100);
	}
	assert_int_equal(g.p.heard_len, 0); /* it has nothing smaller, and waits */
	assert_non_null(strstr(g.s->node[1].last_cause, "per-selector"));
	stage_down(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_without_any_of_its_payloads_ends_the_attempt),
		cmocka_unit_test(odd_identities_are_refused_alike),
		cmocka_unit_test(identities_of_every_length_are_refused_alike),
		cmocka_unit_test(a_peer_that_takes_one_pair_is_asked_for_one),
		cmocka_unit_test(a_wrong_auth_is_refused),
		cmocka_unit_test(other_exchanges_before_authentication_end_the_attempt),
		cmocka_unit_test(child_without_any_of_its_payloads_ends_its_own_sa),
		cmocka_unit_test(ike_rekey_without_any_of_its_payloads_ends_its_own_sa),
		cmocka_unit_test(names_of_unknown_children_change_nothing),
		cmocka_unit_test(unknown_payloads_inside_are_answered_or_skipped),
		cmocka_unit_test(repeated_requests_are_answered_once_and_alike),
	};

	return cmocka_run_group_tests_name("sim-bad-peer", tests, NULL, NULL);
}
