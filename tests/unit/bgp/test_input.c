/* What comes over an Established session: octets in any pieces, UPDATEs good and bad, too many prefixes. */
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

static void announced_and_withdrawn_prefixes_reach_the_rib(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	struct update_build b;
	struct ip_prefix p = {.addr = ip_v4(0x0b000000), .len = 24};
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	rig_feed(&r, c, msg, rig_update(msg, 0x0b0000, 3));
	assert_int_equal(fake.updates, 3);
	assert_int_equal(ip_v4_u32(&fake.nexthop), 0x0a090909);
	update_build_withdraw(&b, msg, sizeof(msg), IP_V4);
	assert_true(update_build_add(&b, &p));
	rig_feed(&r, c, msg, update_build_end(&b));
	assert_int_equal(fake.withdraws, 1);
	assert_true(ip_prefix_equal(&fake.last, &p));
}

/* RFC 7606 2: the session stays, and the earlier path goes. */
static void a_malformed_attribute_withdraws_its_prefixes(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;
	size_t len;
	unsigned told;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	len = rig_update(msg, 0x0b0000, 2);
	told = r.n_notices;
	assert_int_equal(msg[BGP_HDR + 4 + 1], BGP_ORIGIN);
	msg[BGP_HDR + 4 + 3] = 9; /* no such ORIGIN */
	for (unsigned i = 0; i < 50; i++)
		rig_feed(&r, c, msg, len);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_int_equal(fake.updates, 0);
	assert_int_equal(fake.withdraws, 100);
	assert_int_equal(rig_info(&r).malformed_withdraw, 50);
	assert_int_equal(r.n_notices, told + 1); /* and told once a minute */
	for (unsigned i = 0; i < 3; i++) {
		rig_run(&r, 20000);
		rig_keepalive(&r, c);
	}
	rig_feed(&r, c, msg, len);
	assert_int_equal(r.n_notices, told + 2);
	assert_non_null(strstr(r.cause, "49 more"));
}

/* RFC 7606 7.7: an AGGREGATOR of a wrong length is left out, the rest counts. */
static void a_malformed_attribute_of_the_other_kind_is_left_out(void **state)
{
	static const uint8_t wrong[] = {0xc0, BGP_AGGREGATOR, 5, 0, 0, 0, 1, 10, 0x40, BGP_LOCAL_PREF, 4, 0, 0, 0, 9};
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;
	size_t len, at;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	len = rig_update(msg, 0x0b0000, 2);
	at = BGP_HDR + 4 + msg[BGP_HDR + 3]; /* behind the attributes */
	memmove(msg + at + sizeof(wrong), msg + at, len - at);
	memcpy(msg + at, wrong, sizeof(wrong));
	msg[BGP_HDR + 3] = (uint8_t)(msg[BGP_HDR + 3] + sizeof(wrong));
	msg[17] = (uint8_t)(len + sizeof(wrong));
	rig_feed(&r, c, msg, len + sizeof(wrong));
	assert_int_equal(fake.updates, 2);
	assert_int_equal(fake.withdraws, 0);
	assert_int_equal(rig_info(&r).malformed_discard, 2); /* LOCAL_PREF, from another AS, is the second */
	assert_non_null(strstr(r.cause, "left out"));
}

static void so_does_one_in_an_ipv6_update(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	static const uint8_t path[] = {BGP_AS_SEQUENCE, 1, 0, 0, 0xfd, 0xf2};
	struct bgp_codec codec = {.as4 = true, .mp_v6 = true};
	struct bgp_open o = rig_open_of(0x0a090909);
	struct ip_prefix p;
	struct bgp_attrs_draft d;
	struct update_build b;
	struct rig_conn *c;
	size_t len;

	(void)state;
	r.row[0].families = CFG_BGP_V6;
	rig_config(&r);
	c = rig_last(&r);
	rig_connected(&r, c);
	o.mp_v6 = true;
	rig_open(&r, c, &o);
	rig_keepalive(&r, c);
	memset(&d, 0, sizeof(d));
	assert_int_equal(ip_parse("2001:db8::1", &d.a.nexthop), 0);
	assert_int_equal(ip_prefix_parse("2001:db8:77::/48", false, &p), 0);
	assert_int_equal(attr_set_part(&d, 0, path, sizeof(path)), 0);
	update_build_announce(&b, msg, sizeof(msg), &d.a, &codec, IP_V6);
	assert_true(update_build_add(&b, &p));
	len = update_build_end(&b);
	rig_feed(&r, c, msg, len);
	assert_int_equal(fake.updates, 1);
	assert_true(ip_equal(&fake.nexthop, &d.a.nexthop));
	for (size_t i = BGP_HDR; i + 3 < len; i++) /* ORIGIN, wherever it stands */
		if (msg[i] == BGP_ATTR_TRANSITIVE && msg[i + 1] == BGP_ORIGIN && msg[i + 2] == 1)
			msg[i + 3] = 9;
	rig_feed(&r, c, msg, len);
	assert_int_equal(fake.withdraws, 1);
	assert_true(ip_prefix_equal(&fake.last, &p));
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

/* MP_UNREACH and MP_REACH of one UPDATE: withdrawn first, so a prefix of both is announced. */
static void one_update_may_withdraw_and_announce_ipv6(void **state)
{
	/* 2001:db8:7::/48 is announced, and withdrawn with 2001:db8:8::/48; the other attributes come behind */
	static const uint8_t msg[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				      0xff, 0xff, 0xff, 0x00, 0x57, 0x02, 0x00, 0x00, 0x00, 0x40, 0x80, 0x0e, 0x1c,
				      0x00, 0x02, 0x01, 0x10, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00,
				      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x30, 0x20, 0x01, 0x0d, 0xb8,
				      0x00, 0x07, 0x80, 0x0f, 0x11, 0x00, 0x02, 0x01, 0x30, 0x20, 0x01, 0x0d, 0xb8,
				      0x00, 0x07, 0x30, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x08, 0x40, 0x01, 0x01, 0x00,
				      0x40, 0x02, 0x06, 0x02, 0x01, 0x00, 0x00, 0xfd, 0xf2};
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *c;

	(void)state;
	r.row[0].families = CFG_BGP_V6;
	rig_config(&r);
	c = rig_last(&r);
	rig_connected(&r, c);
	o.mp_v6 = true;
	rig_open(&r, c, &o);
	rig_keepalive(&r, c);
	assert_int_equal(sizeof(msg), msg[17]);
	rig_feed(&r, c, msg, sizeof(msg));
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_int_equal(fake.withdraws, 2);
	assert_int_equal(fake.updates, 1);
	assert_int_equal(fake.last.addr.b[5], 7); /* the announcement came last */
}

static void an_update_that_cannot_be_carved_resets(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;
	size_t len;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	len = rig_update(msg, 0x0b0000, 1);
	msg[BGP_HDR] = 0xff; /* Withdrawn Routes Length */
	rig_feed(&r, c, msg, len);
	rig_expect_notification(c, 3, 1, NULL, 0);
	assert_int_equal(fake.downs, 1);
}

static void too_many_prefixes_end_the_session_for_longer(void **state)
{
	static const uint8_t data[] = {0, 1, 1, 0, 0, 0, 5}, bad[BGP_HDR];
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;

	(void)state;
	r.row[0].max_prefix_in = 5;
	rig_config(&r);
	c = rig_establish(&r);
	rig_feed(&r, c, msg, rig_update(msg, 0x0b0000, 5));
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	rig_feed(&r, c, msg, rig_update(msg, 0x0c0000, 100));
	rig_expect_notification(c, 6, 1, data, sizeof(data));
	assert_int_equal(fake.updates, 6); /* and no further */
	assert_true(rig_info(&r).max_prefix_hit);
	assert_non_null(strstr(r.cause, "`max-prefix-in`"));
	assert_true(r.bad);
	rig_run(&r, 59999);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	rig_run(&r, 1);
	c = rig_establish(&r);
	assert_false(rig_info(&r).max_prefix_hit);
	rig_feed(&r, c, msg, rig_update(msg, 0x0c0000, 100));
	rig_run(&r, 119999);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	rig_run(&r, 1);
	/* another error has its own, short pause */
	c = rig_establish(&r);
	rig_feed(&r, c, bad, sizeof(bad));
	rig_run(&r, 1000);
	c = rig_establish(&r);
	rig_feed(&r, c, msg, rig_update(msg, 0x0c0000, 100));
	rig_run(&r, 1000);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	/* that there is a way again changes nothing about it */
	bgp_peer_reachable(r.b, 0, false, "", r.now);
	bgp_peer_reachable(r.b, 0, true, NULL, r.now);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_int_equal(bgp_clear(r.b, 0, false, r.now), 0); /* by hand it starts at once */
	assert_int_equal(rig_state(&r), BGP_CONNECT);
	/* and all is forgiven: the pauses begin with the shortest; so they do when a session has lived */
	for (unsigned i = 0; i < 2; i++) {
		c = rig_establish(&r);
		rig_run(&r, i * 30000);
		rig_feed(&r, c, msg, rig_update(msg, 0x0c0000, 100));
		rig_run(&r, 60000);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
	}
}

static void octets_may_come_one_by_one_or_all_at_once(void **state)
{
	uint8_t msg[BGP_MSG_MAX * 4];
	struct rig_conn *c;
	size_t len = 0;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	len += rig_update(msg, 0x0b0000, 700);
	len += wire_keepalive_build(msg + len, sizeof(msg) - len);
	len += rig_update(msg + len, 0x0c0000, 1);
	for (size_t i = 0; i < len; i++)
		rig_feed(&r, c, msg + i, 1);
	assert_int_equal(fake.updates, 701);
	rig_feed(&r, c, msg, len);
	assert_int_equal(fake.updates, 1402);
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at < 1234 ? len - at : 1234;
		rig_feed(&r, c, msg + at, n);
	}
	assert_int_equal(fake.updates, 2103);
	assert_int_equal(rig_info(&r).msg_in[BGP_UPDATE], 6);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		T(announced_and_withdrawn_prefixes_reach_the_rib),      T(a_malformed_attribute_withdraws_its_prefixes),
		T(a_malformed_attribute_of_the_other_kind_is_left_out), T(so_does_one_in_an_ipv6_update),
		T(one_update_may_withdraw_and_announce_ipv6),           T(an_update_that_cannot_be_carved_resets),
		T(too_many_prefixes_end_the_session_for_longer),        T(octets_may_come_one_by_one_or_all_at_once),
	};
#undef T

	return cmocka_run_group_tests_name("bgp-input", tests, NULL, NULL);
}
