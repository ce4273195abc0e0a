/* What a new config does to a live core: which changes reset a session, and what the peer is told. */
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

static struct config other; /* the earlier one must still live */

static void changed(void (*how)(struct cfg_bgp_peer *))
{
	static struct cfg_bgp_peer rows[4];

	memcpy(rows, r.row, sizeof(rows));
	other = r.cfg;
	other.bgp.peer = rows;
	how(rows);
	bgp_config(r.b, &other, r.now);
}

static void new_hold(struct cfg_bgp_peer *p)
{
	p->hold_s = 30;
}
static void new_keepalive(struct cfg_bgp_peer *p)
{
	p->keepalive_s = 5;
}
static void new_addr(struct cfg_bgp_peer *p)
{
	p->addr.b[3] ^= 1;
}
static void new_source(struct cfg_bgp_peer *p)
{
	p->source = ip_v4(0x0a000001);
}
static void new_as(struct cfg_bgp_peer *p)
{
	p->as = 65011;
}
static void new_families(struct cfg_bgp_peer *p)
{
	p->families = CFG_BGP_V4 | CFG_BGP_V6;
}
static void new_connect(struct cfg_bgp_peer *p)
{
	p->connect = CFG_BGP_ACTIVE;
}
static void new_multihop(struct cfg_bgp_peer *p)
{
	p->multihop = 2;
}
static void new_gtsm(struct cfg_bgp_peer *p)
{
	p->gtsm_hops = 1;
}
static void new_password(struct cfg_bgp_peer *p)
{
	static struct secret key;

	assert_int_equal(secret_set(&key, "another", 7), 0);
	p->password = &key;
}
static void new_policy(struct cfg_bgp_peer *p)
{
	snprintf(p->import, sizeof(p->import), "x");
	p->default_originate = true;
	p->max_prefix_out = 7;
	p->connect_retry_s = 20;
}
static void new_limit(struct cfg_bgp_peer *p)
{
	p->max_prefix_in = 3;
}
static void shut(struct cfg_bgp_peer *p)
{
	p->shutdown = true;
}
static void renamed(struct cfg_bgp_peer *p)
{
	snprintf(p->name, sizeof(p->name), "q");
}

static void whatever_a_session_cannot_take_over_begins_it_anew(void **state)
{
	static void (*const how[])(struct cfg_bgp_peer *) = {new_hold, new_keepalive, new_addr,    new_source,
							     new_as,   new_families,  new_connect, new_multihop,
							     new_gtsm, new_password};

	(void)state;
	rig_free(&r);
	for (size_t i = 0; i < N_ELEMS(how); i++) {
		struct rig_conn *c;
		static struct secret key;

		rig_new(&r);
		assert_int_equal(secret_set(&key, "one key", 7), 0);
		r.row[0].password = &key;
		rig_config(&r);
		c = rig_establish(&r);
		changed(how[i]);
		rig_expect_notification(c, 6, 6, NULL, 0);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
		if (i + 1 < N_ELEMS(how))
			rig_free(&r);
	}
}

static void another_identifier_or_as_of_ours_resets_all(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	other = r.cfg;
	other.bgp.router_id++;
	bgp_config(r.b, &other, r.now);
	rig_expect_notification(c, 6, 6, NULL, 0);
	assert_int_equal(bgp_router_id(r.b), 0x0a000002);
	c = rig_establish(&r);
	r.cfg.bgp.router_id++;
	r.cfg.bgp.as++;
	rig_config(&r);
	rig_expect_notification(c, 6, 6, NULL, 0);
}

static void a_changed_session_begins_anew(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	changed(new_hold);
	rig_expect_notification(c, 6, 6, NULL, 0);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
	rig_establish(&r);
	assert_int_equal(rig_info(&r).hold_s, 30);
}

static void a_changed_policy_resets_nothing(void **state)
{
	struct rig_conn *c;
	unsigned policies;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	policies = fake.policies;
	changed(new_policy);
	assert_false(c->closed);
	assert_int_equal(fake.policies, policies + 1);
	assert_true(fake.session.default_originate);
	assert_int_equal(fake.session.max_prefix_out, 7);
	rig_config(&r); /* and nothing at all */
	assert_false(c->closed);
	assert_false(fake.session.default_originate);
}

static void a_lower_limit_counts_at_once(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	rig_feed(&r, c, msg, rig_update(msg, 0x0b0000, 4));
	changed(new_limit);
	assert_true(c->closed);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	rig_config(&r); /* the limit is gone, and so is the pause */
	assert_int_equal(rig_state(&r), BGP_CONNECT);
}

static void a_peer_can_be_shut_down_and_back(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	changed(shut);
	rig_expect_notification(c, 6, 2, NULL, 0);
	rig_run(&r, 100000);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_null(rig_accept(&r));
	assert_int_equal(bgp_clear(r.b, 0, false, r.now), -ENOTCONN);
	rig_config(&r);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
	/* the pause after an error ends with it */
	c = rig_establish(&r);
	bgp_closed(r.b, c->id, 0, r.now);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	changed(shut);
	rig_config(&r);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
}

static void a_peer_that_is_gone_is_told_so(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	assert_int_equal(bgp_peer_find(r.b, "p"), 0);
	assert_int_equal(bgp_peer_find(r.b, "10.9.9.9"), 0);
	changed(renamed);
	rig_expect_notification(c, 6, 3, NULL, 0);
	assert_int_equal(fake.forgets, 1);
	assert_int_equal(bgp_peer_find(r.b, "p"), BGP_NO_PEER);
	assert_int_equal(bgp_peer_find(r.b, "q"), 0); /* its number is free again */
	assert_false(bgp_input(r.b, c->id, (const uint8_t *)"x", 1, r.now));
	other.bgp.as = 0;
	bgp_config(r.b, &other, r.now);
	assert_int_equal(bgp_peer_find(r.b, "q"), BGP_NO_PEER);
}

static void originated_prefixes_follow_table_and_config(void **state)
{
	struct ip_prefix p[2] = {{.addr = ip_v4(0x0a010000), .len = 16}, {.addr = ip_v4(0x0a020000), .len = 16}};

	(void)state;
	r.cfg.bgp.originate = p;
	r.cfg.bgp.n_originate = 1;
	rig_config(&r);
	assert_int_equal(fake.originated, 0);
	bgp_originate(r.b, &p[0], true, r.now);
	bgp_originate(r.b, &p[0], true, r.now);
	bgp_originate(r.b, &p[1], true, r.now); /* not ours to originate */
	assert_int_equal(fake.originated, 1);
	other = r.cfg;
	bgp_config(r.b, &other, r.now); /* what is known stays known */
	bgp_originate(r.b, &p[0], true, r.now);
	assert_int_equal(fake.originated, 1);
	bgp_originate(r.b, &p[0], false, r.now);
	assert_int_equal(fake.originated, 0);
	bgp_originate(r.b, &p[0], true, r.now);
	r.cfg = other;
	bgp_config(r.b, &r.cfg, r.now);
	other.bgp.n_originate = 0;
	bgp_config(r.b, &other, r.now);
	assert_int_equal(fake.originated, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		T(whatever_a_session_cannot_take_over_begins_it_anew),
		T(another_identifier_or_as_of_ours_resets_all),
		T(a_changed_session_begins_anew),
		T(a_changed_policy_resets_nothing),
		T(a_lower_limit_counts_at_once),
		T(a_peer_can_be_shut_down_and_back),
		T(a_peer_that_is_gone_is_told_so),
		T(originated_prefixes_follow_table_and_config),
	};
#undef T

	return cmocka_run_group_tests_name("bgp-reload", tests, NULL, NULL);
}
