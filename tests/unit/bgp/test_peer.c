/* One core and a peer made by hand: what is sent, when, and what ends a session. */
#include "tests/unit/bgp/peer_rig.h"

static struct rig r;

static int begin(void **state)
{
	(void)state;
	rig_new(&r);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_free(&r);
	return 0;
}

static void comes_up_by_our_connection(void **state)
{
	struct rig_conn *c;
	const uint8_t *msg;
	size_t len;
	struct bgp_open o;
	struct bgp_error err;
	struct rd body;

	(void)state;
	r.row[0].default_originate = true;
	r.row[0].max_prefix_out = 4000;
	rig_config(&r);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
	c = rig_last(&r);
	rig_connected(&r, c);
	assert_int_equal(rig_state(&r), BGP_OPENSENT);
	assert_int_equal(rig_next(c, &msg, &len), BGP_OPEN);
	body = rd_of(msg + BGP_HDR, len - BGP_HDR);
	assert_true(wire_open_parse(body, &o, &err));
	assert_int_equal(o.as, 65050);
	assert_int_equal(o.id, 0x0a000001);
	assert_int_equal(o.hold_s, 90);
	assert_true(o.as4 && o.refresh && o.mp_v4 && !o.mp_v6);
	o = rig_open_of(0x0a090909);
	rig_open(&r, c, &o);
	assert_int_equal(rig_state(&r), BGP_OPENCONFIRM);
	assert_int_equal(rig_next(c, &msg, &len), BGP_KEEPALIVE);
	assert_int_equal(fake.ups, 0);
	rig_keepalive(&r, c);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_int_equal(fake.ups, 1);
	assert_int_equal(fake.session.remote_id, 0x0a090909);
	assert_int_equal(fake.session.multihop, 255);
	assert_true(fake.session.default_originate);
	assert_int_equal(fake.session.max_prefix_out, 4000);
	assert_string_equal(r.cause, "session is up: hold time 90 s, keepalive 30 s, IPv4");
	assert_int_equal(r.to, BGP_ESTABLISHED);
}

static void comes_up_by_the_peers_connection(void **state)
{
	struct rig_conn *c;
	struct bgp_open o = rig_open_of(0x0a090909);

	(void)state;
	r.row[0].connect = CFG_BGP_PASSIVE;
	rig_config(&r);
	assert_int_equal(rig_state(&r), BGP_ACTIVE);
	rig_run(&r, 100000);
	assert_int_equal(r.n_conns, 0); /* passive */
	c = rig_accept(&r);
	assert_non_null(c);
	rig_open(&r, c, &o);
	rig_keepalive(&r, c);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_int_equal(rig_info(&r).conn, c->id);
	rig_run(&r, 20000);
	assert_int_equal(r.n_conns, 1); /* none of ours beside it */
}

static void an_active_peer_is_not_let_in(void **state)
{
	(void)state;
	r.row[0].connect = CFG_BGP_ACTIVE;
	rig_config(&r);
	assert_null(rig_accept(&r));
}

/* 4.2, 4.4: hold times of 0, 3 and 180 on either side. */
static void hold_and_keepalive_are_negotiated(void **state)
{
	static const struct {
		uint16_t ours, keepalive, theirs, hold, every;
	} rows[] = {
		{90, 0, 90, 90, 30},     {180, 0, 90, 90, 30},    {90, 0, 180, 90, 30},
		{180, 60, 180, 180, 60}, {180, 10, 180, 180, 10}, {180, 100, 180, 180, 60},
		{90, 0, 3, 3, 1},        {3, 0, 90, 3, 1},        {0, 0, 90, 0, 0},
		{90, 0, 0, 0, 0},        {0, 30, 0, 0, 0},        {65535, 0, 65535, 65535, 21845},
	};

	(void)state;
	rig_free(&r);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct bgp_open o = rig_open_of(0x0a090909);
		struct rig_conn *c;
		struct bgp_peer_info info;

		rig_new(&r);
		r.row[0].hold_s = rows[i].ours;
		r.row[0].keepalive_s = rows[i].keepalive;
		rig_config(&r);
		c = rig_last(&r);
		o.hold_s = rows[i].theirs;
		rig_connected(&r, c);
		rig_open(&r, c, &o);
		rig_keepalive(&r, c);
		info = rig_info(&r);
		assert_int_equal(info.state, BGP_ESTABLISHED);
		assert_int_equal(info.hold_s, rows[i].hold);
		assert_int_equal(info.keepalive_s, rows[i].every);
		rig_count(c, 0);
		if (rows[i].hold == 0) {
			rig_run(&r, 100000000);
			assert_int_equal(rig_count(c, BGP_KEEPALIVE), 0); /* none at all */
			assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
		} else if (i + 1 < N_ELEMS(rows)) {
			uint64_t start = r.now;
			unsigned n;

			rig_run(&r, 1000ull * rows[i].hold - 1);
			assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
			n = rig_count(c, BGP_KEEPALIVE);
			assert_in_range(n, 2, (unsigned)((r.now - start) / (rows[i].every * 750u)));
			rig_run(&r, 1);
			rig_expect_notification(c, 4, 0, NULL, 0);
		}
		if (i + 1 < N_ELEMS(rows))
			rig_free(&r);
	}
}

static void keepalives_are_jittered_down_to_three_quarters(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	rig_count(c, 0);
	r.random = 7500; /* a quarter of 30 s: the most */
	rig_run(&r, 30000);
	assert_int_equal(rig_count(c, BGP_KEEPALIVE), 1);
	rig_run(&r, 22499);
	assert_int_equal(rig_count(c, BGP_KEEPALIVE), 0);
	rig_run(&r, 1);
	assert_int_equal(rig_count(c, BGP_KEEPALIVE), 1);
}

static void any_update_or_keepalive_restarts_the_hold_timer(void **state)
{
	uint8_t update[BGP_MSG_MAX];
	size_t len = update_build_eor(update, sizeof(update), IP_V4);
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	for (unsigned i = 0; i < 6; i++) {
		rig_run(&r, 89999);
		if (i & 1)
			rig_keepalive(&r, c);
		else
			rig_feed(&r, c, update, len);
	}
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	rig_run(&r, 90000);
	rig_expect_notification(c, 4, 0, NULL, 0);
}

static void silence_after_tcp_is_borne_for_four_minutes(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_last(&r);
	rig_connected(&r, c);
	rig_run(&r, 239999);
	assert_int_equal(rig_state(&r), BGP_OPENSENT);
	rig_run(&r, 1);
	rig_expect_notification(c, 4, 0, NULL, 0);
}

/* Our own sleep is no silence of the peer: its messages may lie unread. But only once. */
static void a_late_tick_gives_the_peer_a_second(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	r.now += 120000;
	bgp_tick(r.b, r.now);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	rig_keepalive(&r, c);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	r.now += 120000;
	bgp_tick(r.b, r.now);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	r.now += 120000;
	bgp_tick(r.b, r.now);
	rig_expect_notification(c, 4, 0, NULL, 0);
}

/* RFC 4271 5.1.3: only where the peer is on a network of ours may a next hop of that network be passed on. */
static void a_peer_on_a_network_of_ours_is_told_from_others(void **state)
{
	struct cfg_port *port = &r.cfg.port[0];
	struct ip_prefix near;

	(void)state;
	assert_int_equal(ip_prefix_parse("10.9.9.0/24", false, &near), 0);
	assert_int_equal(ip_prefix_parse("10.9.9.1/24", true, &port->addr[0]), 0);
	assert_int_equal(ip_prefix_parse("10.0.0.1/8", true, &port->addr[1]), 0);
	assert_int_equal(ip_prefix_parse("192.0.2.1/24", true, &port->addr[2]), 0);
	port->n_addr = 3;
	rig_config(&r);
	rig_establish(&r);
	assert_int_equal(fake.session.multihop, 255);
	assert_int_equal(fake.session.lan.addr.family, IP_NONE);
	r.cfg.n_ports = 1;
	rig_config(&r);
	bgp_closed(r.b, rig_info(&r).conn, 0, r.now);
	rig_run(&r, 1000);
	rig_establish(&r);
	assert_int_equal(fake.session.multihop, 0);
	assert_true(ip_prefix_equal(&fake.session.lan, &near));
	r.row[0].multihop = 3;
	rig_config(&r);
	rig_run(&r, 1000);
	rig_establish(&r);
	assert_int_equal(fake.session.multihop, 3);
}

/* 6.2 and the capabilities: exact octets. */
static void a_bad_open_gets_its_own_answer(void **state)
{
	static const uint8_t v4[] = {0, 4}, cap_v4[] = {1, 4, 0, 1, 0, 1}, cap_v6[] = {1, 4, 0, 2, 0, 1};
	struct rig_conn *c = NULL;

	(void)state;
	rig_free(&r);
	for (unsigned i = 0; i < 10; i++) {
		struct bgp_open o = rig_open_of(0x0a090909);
		uint8_t msg[BGP_MSG_MAX];
		size_t len;

		rig_new(&r);
		if (i == 7)
			r.row[0].families = CFG_BGP_V6;
		if (i == 9)
			r.row[0].as = 70000;
		rig_config(&r);
		c = rig_last(&r);
		rig_connected(&r, c);
		o.as = i == 1 ? 65011 : i == 9 ? 23456 : 65010;
		o.hold_s = i == 2 ? 1 : i == 3 ? 2 : 90;
		o.mp_v4 = i != 6;
		o.mp_v6 = i == 6;
		if (i == 7)
			o.mp = o.mp_v4 = false; /* without the capability: IPv4 only */
		if (i == 9)
			o.as4 = false;
		len = wire_open_build(msg, sizeof(msg), &o);
		if (i == 0)
			msg[BGP_HDR] = 3;
		if (i == 4)
			memset(msg + BGP_HDR + 5, 0, 4); /* identifier */
		if (i == 5)
			memset(msg + BGP_HDR + 3, 0, 2), msg[BGP_HDR + 4] = 2; /* hold time 2 on the wire */
		if (i == 8)
			msg[BGP_HDR + 10] = 9; /* an optional parameter that nobody knows */
		rig_feed(&r, c, msg, len);
		switch (i) {
		case 0:
			rig_expect_notification(c, 2, 1, v4, 2);
			break;
		case 1:
		case 9:
			rig_expect_notification(c, 2, 2, NULL, 0);
			assert_non_null(
				strstr(rig_info(&r).last_error, "correct `as` of the peer here, or its own there"));
			break;
		case 2:
		case 3:
		case 5:
			rig_expect_notification(c, 2, 6, NULL, 0);
			break;
		case 4:
			rig_expect_notification(c, 2, 3, NULL, 0);
			break;
		case 6:
			rig_expect_notification(c, 2, 7, cap_v4, sizeof(cap_v4));
			break;
		case 7:
			rig_expect_notification(c, 2, 7, cap_v6, sizeof(cap_v6));
			break;
		default:
			rig_expect_notification(c, 2, 4, NULL, 0);
			break;
		}
		assert_int_equal(rig_state(&r), BGP_IDLE);
		assert_null(rig_accept(&r)); /* damped */
		rig_run(&r, 1000);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
		if (i < 9)
			rig_free(&r);
	}
}

static void families_and_as_width_are_what_both_have(void **state)
{
	static const struct {
		uint8_t ours;
		bool mp, v4, v6, as4;
		bool want_v4, want_v6;
	} rows[] = {
		{CFG_BGP_V4, false, false, false, false, true, false},
		{CFG_BGP_V4 | CFG_BGP_V6, false, false, false, true, true, false},
		{CFG_BGP_V4 | CFG_BGP_V6, true, true, true, true, true, true},
		{CFG_BGP_V4 | CFG_BGP_V6, true, false, true, true, false, true},
		{CFG_BGP_V6, true, true, true, false, false, true},
	};

	(void)state;
	rig_free(&r);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct bgp_open o = rig_open_of(0x0a090909);
		struct rig_conn *c;

		rig_new(&r);
		r.row[0].families = rows[i].ours;
		rig_config(&r);
		c = rig_last(&r);
		rig_connected(&r, c);
		o.mp = rows[i].mp;
		o.mp_v4 = rows[i].v4;
		o.mp_v6 = rows[i].v6;
		o.as4 = rows[i].as4;
		rig_open(&r, c, &o);
		rig_keepalive(&r, c);
		assert_int_equal(fake.ups, 1);
		assert_int_equal(fake.session.codec.mp_v4, rows[i].want_v4);
		assert_int_equal(fake.session.codec.mp_v6, rows[i].want_v6);
		assert_int_equal(fake.session.codec.as4, rows[i].as4);
		assert_int_equal(fake.session.codec.peer_as, 65010);
		if (i + 1 < N_ELEMS(rows))
			rig_free(&r);
	}
}

/* Up to `s`, by our own connection. */
static struct rig_conn *up_to(enum bgp_state s)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *c;

	rig_config(&r);
	c = rig_last(&r);
	rig_connected(&r, c);
	if (s >= BGP_OPENCONFIRM)
		rig_open(&r, c, &o);
	if (s >= BGP_ESTABLISHED)
		rig_keepalive(&r, c);
	assert_int_equal(rig_state(&r), s);
	return c;
}

/* RFC 6608: every message in every state where it has no place. */
static void messages_out_of_place_are_named(void **state)
{
	static const struct {
		enum bgp_state s;
		uint8_t type, sub;
	} rows[] = {
		{BGP_OPENSENT, BGP_KEEPALIVE, 1},     {BGP_OPENSENT, BGP_UPDATE, 1},
		{BGP_OPENSENT, BGP_ROUTE_REFRESH, 1}, {BGP_OPENCONFIRM, BGP_OPEN, 2},
		{BGP_OPENCONFIRM, BGP_UPDATE, 2},     {BGP_OPENCONFIRM, BGP_ROUTE_REFRESH, 2},
		{BGP_ESTABLISHED, BGP_OPEN, 3},
	};

	(void)state;
	rig_free(&r);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct bgp_open o = rig_open_of(0x0a090909);
		uint8_t msg[BGP_MSG_MAX];
		struct rig_conn *c;
		size_t len = 0;

		rig_new(&r);
		c = up_to(rows[i].s);
		switch (rows[i].type) {
		case BGP_OPEN:
			len = wire_open_build(msg, sizeof(msg), &o);
			msg[BGP_HDR] = 3; /* what else is wrong with it does not count */
			break;
		case BGP_UPDATE:
			len = update_build_eor(msg, sizeof(msg), IP_V4);
			break;
		case BGP_KEEPALIVE:
			len = wire_keepalive_build(msg, sizeof(msg));
			break;
		default:
			len = wire_refresh_build(msg, sizeof(msg), BGP_AFI_V4, BGP_SAFI_UNICAST);
			break;
		}
		rig_feed(&r, c, msg, len);
		rig_expect_notification(c, 5, rows[i].sub, &rows[i].type, 1);
		assert_int_equal(rig_state(&r), BGP_IDLE);
		if (i + 1 < N_ELEMS(rows))
			rig_free(&r);
	}
}

/* 6.1 in every state that has a connection: marker, lengths, type; the data are the octets that were wrong. */
static void bad_headers_get_their_answer_in_every_state(void **state)
{
	static const struct {
		uint8_t at, value[3], n, sub, data_at, data_len;
	} rows[] = {
		{0, {0}, 1, 1, 0, 0},          {15, {0xfe}, 1, 1, 0, 0},        {16, {0, 18}, 2, 2, 16, 2},
		{16, {0x10, 1}, 2, 2, 16, 2},  {16, {0xff, 0xff}, 2, 2, 16, 2}, {16, {0, 20, 4}, 3, 2, 16, 2},
		{16, {0, 28, 1}, 3, 2, 16, 2}, {16, {0, 22, 2}, 3, 2, 16, 2},   {16, {0, 20, 3}, 3, 2, 16, 2},
		{18, {0}, 1, 3, 18, 1},        {18, {6}, 1, 3, 18, 1},          {18, {255}, 1, 3, 18, 1},
	};

	(void)state;
	rig_free(&r);
	for (unsigned s = BGP_OPENSENT; s < BGP_STATE_N; s++) {
		for (size_t i = 0; i < N_ELEMS(rows); i++) {
			uint8_t msg[BGP_HDR];
			struct rig_conn *c;

			wire_keepalive_build(msg, sizeof(msg));
			memcpy(msg + rows[i].at, rows[i].value, rows[i].n);
			rig_new(&r);
			c = up_to(s);
			rig_feed(&r, c, msg, sizeof(msg));
			rig_expect_notification(c, 1, rows[i].sub, msg + rows[i].data_at, rows[i].data_len);
			assert_int_equal(rig_state(&r), BGP_IDLE);
			assert_int_equal(fake.downs, s == BGP_ESTABLISHED);
			if (s + 1 < BGP_STATE_N || i + 1 < N_ELEMS(rows))
				rig_free(&r);
		}
	}
}

static void a_notification_is_put_into_words_and_not_answered(void **state)
{
	static const struct {
		uint8_t code, sub;
		const char *words;
	} rows[] = {
		{2, 2, "another AS than 65050: correct `as` here or there"},
		{2, 3, "`router-id`"},
		{2, 6, "`hold-time`"},
		{4, 0, "heard nothing from us"},
		{6, 1, "`max-prefix-out`"},
		{6, 2, "shut down there"},
		{6, 3, "configure this gateway there"},
		{77, 3, "77/3"},
	};

	(void)state;
	rig_free(&r);
	for (unsigned s = BGP_OPENSENT; s < BGP_STATE_N; s++) {
		for (size_t i = 0; i < N_ELEMS(rows); i++) {
			uint8_t msg[BGP_MSG_MAX];
			struct rig_conn *c;
			size_t sent,
				len = wire_notification_build(msg, sizeof(msg), rows[i].code, rows[i].sub, NULL, 0);

			rig_new(&r);
			c = up_to(s);
			sent = c->out_len;
			rig_feed(&r, c, msg, len);
			assert_int_equal(c->out_len, sent);
			assert_true(c->closed);
			assert_int_equal(rig_state(&r), BGP_IDLE);
			if (!strstr(rig_info(&r).last_error, rows[i].words))
				fail_msg("\"%s\" does not say \"%s\"", rig_info(&r).last_error, rows[i].words);
			assert_string_equal(rig_info(&r).last_error, r.cause);
			assert_null(rig_accept(&r)); /* a pause follows */
			if (s + 1 < BGP_STATE_N || i + 1 < N_ELEMS(rows))
				rig_free(&r);
		}
	}
}

static void a_shutdown_text_is_shown_escaped(void **state)
{
	static const uint8_t data[] = {10, 'b', 'y', 0, 'e', 0x1b, '[', '2', 'J', '"', 0xc3};
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;

	(void)state;
	c = up_to(BGP_ESTABLISHED);
	rig_feed(&r, c, msg, wire_notification_build(msg, sizeof(msg), 6, 2, data, sizeof(data)));
	assert_non_null(strstr(r.cause, "by\\x00e\\x1b[2J"));
	assert_true(c->closed);
}

static void our_shutdown_text_is_sent(void **state)
{
	struct rig_conn *c = up_to(BGP_ESTABLISHED);

	(void)state;
	bgp_shutdown(r.b, "back at 8", r.now);
	rig_expect_notification(c, 6, 2,
				"\x09"
				"back at 8",
				10);
	rig_run(&r, 1000000);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_int_equal(r.n_conns, 1);
	assert_null(rig_accept(&r));
	assert_true(bgp_deadline(r.b) == UINT64_MAX); /* no timer is left running */
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		T(comes_up_by_our_connection),
		T(comes_up_by_the_peers_connection),
		T(an_active_peer_is_not_let_in),
		T(hold_and_keepalive_are_negotiated),
		T(keepalives_are_jittered_down_to_three_quarters),
		T(any_update_or_keepalive_restarts_the_hold_timer),
		T(silence_after_tcp_is_borne_for_four_minutes),
		T(a_late_tick_gives_the_peer_a_second),
		T(a_peer_on_a_network_of_ours_is_told_from_others),
		T(a_bad_open_gets_its_own_answer),
		T(families_and_as_width_are_what_both_have),
		T(messages_out_of_place_are_named),
		T(bad_headers_get_their_answer_in_every_state),
		T(a_notification_is_put_into_words_and_not_answered),
		T(a_shutdown_text_is_shown_escaped),
		T(our_shutdown_text_is_sent),
	};
#undef T

	return cmocka_run_group_tests_name("bgp-peer", tests, NULL, NULL);
}
