/* One core and a peer made by hand: two connections, attempts and pauses, back-pressure. */
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

/* ---- collisions, in the live core ---- */

/* Ours and the peer's connection, both with our OPEN sent. */
static void two_connections(struct rig_conn **ours, struct rig_conn **theirs)
{
	rig_config(&r);
	*ours = rig_last(&r);
	*theirs = rig_accept(&r);
	assert_non_null(*theirs);
	rig_connected(&r, *ours);
}

static void of_two_connections_the_right_one_stays(void **state)
{
	static const uint32_t ids[] = {0x0a090909, 0x09090909}; /* above and below 10.0.0.1 */

	(void)state;
	rig_free(&r);
	for (unsigned k = 0; k < 4; k++) {
		bool ours_first = k & 1, ours_wins = k & 2;
		struct bgp_open o = rig_open_of(ids[ours_wins]);
		struct rig_conn *ours, *theirs, *winner, *loser;

		rig_new(&r);
		two_connections(&ours, &theirs);
		rig_open(&r, ours_first ? ours : theirs, &o);
		assert_int_equal(rig_state(&r), BGP_OPENCONFIRM);
		rig_open(&r, ours_first ? theirs : ours, &o);
		winner = ours_wins ? ours : theirs;
		loser = ours_wins ? theirs : ours;
		rig_expect_notification(loser, 6, 7, NULL, 0);
		assert_false(winner->closed);
		assert_int_equal(rig_state(&r), BGP_OPENCONFIRM);
		rig_keepalive(&r, winner);
		assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
		assert_int_equal(rig_info(&r).conn, winner->id);
		assert_int_equal(fake.ups, 1);
		/* none is tried beside it, and its end is followed by an attempt */
		rig_run(&r, 60000);
		assert_int_equal(r.n_conns, 2);
		bgp_closed(r.b, winner->id, 0, r.now);
		assert_int_equal(fake.downs, 1);
		rig_run(&r, 1000);
		assert_int_equal(r.n_conns, 3);
		if (k < 3)
			rig_free(&r);
	}
}

static void established_wins_against_a_new_connection(void **state)
{
	struct bgp_open o = rig_open_of(0xffffffff);

	(void)state;
	rig_free(&r);
	for (unsigned accepted = 0; accepted < 2; accepted++) {
		struct rig_conn *c, *late;

		rig_new(&r);
		if (accepted) {
			r.row[0].connect = CFG_BGP_PASSIVE;
			rig_config(&r);
			c = rig_accept(&r);
			rig_open(&r, c, &o);
			rig_keepalive(&r, c);
		} else {
			rig_config(&r);
			c = rig_establish(&r);
		}
		for (unsigned i = 0; i < 3; i++) {
			late = rig_accept(&r);
			assert_non_null(late);
			assert_false(late->closed);
			rig_open(&r, late, &o);
			rig_expect_notification(late, 6, 7, NULL, 0);
		}
		assert_false(c->closed);
		assert_int_equal(rig_info(&r).conn, c->id);
		assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
		assert_int_equal(fake.ups, 1);
		if (!accepted)
			rig_free(&r);
	}
}

/* Ours is in OpenSent when the peer's is Established: it is judged by its OPEN, and never takes over. */
static void a_late_open_on_our_own_connection_loses(void **state)
{
	struct bgp_open o = rig_open_of(0x09090909); /* by identifiers, ours would win */
	struct rig_conn *ours, *theirs;

	(void)state;
	two_connections(&ours, &theirs);
	rig_open(&r, theirs, &o);
	rig_keepalive(&r, theirs);
	assert_int_equal(rig_info(&r).conn, theirs->id);
	assert_false(ours->closed);
	rig_open(&r, ours, &o);
	rig_expect_notification(ours, 6, 7, NULL, 0);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_int_equal(fake.ups, 1);
}

static void a_new_connection_of_the_peer_replaces_its_dead_one(void **state)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *dead, *alive;

	(void)state;
	r.row[0].connect = CFG_BGP_PASSIVE;
	rig_config(&r);
	dead = rig_accept(&r);
	rig_open(&r, dead, &o);
	alive = rig_accept(&r);
	assert_true(dead->closed);
	rig_open(&r, alive, &o);
	rig_keepalive(&r, alive);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

static void a_lost_collision_is_no_error(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *ours, *theirs;

	(void)state;
	two_connections(&ours, &theirs);
	rig_feed(&r, ours, msg, wire_notification_build(msg, sizeof(msg), 6, 7, NULL, 0));
	assert_true(ours->closed);
	assert_string_equal(rig_info(&r).last_error, "");
	theirs = rig_accept(&r); /* the peer is not refused for it */
	assert_non_null(theirs);
	rig_run(&r, 5000);
	assert_int_equal(r.n_conns, 3); /* the other one is waited for */
	rig_open(&r, theirs, &o);
	rig_keepalive(&r, theirs);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

/* Ours, still being made, is given up when the peer's is Established. */
static void our_attempt_ends_when_the_peers_connection_is_up(void **state)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *ours, *theirs;

	(void)state;
	rig_config(&r);
	ours = rig_last(&r);
	theirs = rig_accept(&r);
	rig_open(&r, theirs, &o);
	assert_false(ours->closed);
	rig_keepalive(&r, theirs);
	assert_true(ours->closed);
	assert_int_equal(r.b->peer[0]->second->state, BGP_IDLE);
	rig_run(&r, 30000);
	assert_int_equal(r.n_conns, 2);
}

/* What is wrong with the peer's connection is wrong with ours: both wait. */
static void an_error_on_the_peers_connection_pauses_ours(void **state)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *ours, *theirs;

	(void)state;
	rig_config(&r);
	ours = rig_last(&r);
	theirs = rig_accept(&r);
	o.as = 65011;
	rig_open(&r, theirs, &o);
	rig_expect_notification(theirs, 2, 2, NULL, 0);
	assert_true(ours->closed);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_null(rig_accept(&r));
	rig_run(&r, 1000);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
	assert_non_null(rig_accept(&r));
}

static void so_it_does_for_a_peer_that_is_only_waited_for(void **state)
{
	uint8_t bad[BGP_HDR] = {0};

	(void)state;
	r.row[0].connect = CFG_BGP_PASSIVE;
	rig_config(&r);
	rig_feed(&r, rig_accept(&r), bad, sizeof(bad));
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_null(rig_accept(&r));
	rig_run(&r, 1000);
	assert_non_null(rig_accept(&r));
}

/* What the old one had begun to send, or could not send, is not the new one's. */
static void a_new_connection_of_the_peer_inherits_nothing(void **state)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	uint8_t half[BGP_HDR + 1];
	struct rig_conn *c;

	(void)state;
	r.row[0].connect = CFG_BGP_PASSIVE;
	memset(half, 0xff, sizeof(half));
	rig_config(&r);
	r.room = 0;
	c = rig_accept(&r);
	rig_feed(&r, c, half, 10);            /* of a message; our OPEN waits for room */
	rig_open(&r, c = rig_accept(&r), &o); /* our KEEPALIVE waits, too */
	assert_int_equal(rig_state(&r), BGP_OPENCONFIRM);
	r.room = SIZE_MAX;
	c = rig_accept(&r);
	rig_open(&r, c, &o);
	assert_int_equal(rig_state(&r), BGP_OPENCONFIRM);
	{
		const uint8_t *msg;
		size_t len;

		assert_int_equal(rig_next(c, &msg, &len), BGP_OPEN);
		assert_int_equal(rig_next(c, &msg, &len), BGP_KEEPALIVE);
		assert_int_equal(rig_next(c, &msg, &len), 0);
	}
	rig_keepalive(&r, c);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

/* Whoever connects beside a session and talks nonsense costs a line now and then, not each time. */
static void nonsense_beside_a_session_is_told_seldom(void **state)
{
	uint8_t bad[BGP_HDR] = {0}, early[BGP_HDR];
	unsigned told;

	(void)state;
	wire_keepalive_build(early, sizeof(early));
	rig_config(&r);
	rig_establish(&r);
	told = r.n_notices;
	for (unsigned i = 0; i < 40; i++) {
		struct rig_conn *c = rig_accept(&r);

		rig_feed(&r, c, i & 1 ? bad : early, BGP_HDR);
		assert_true(c->closed);
		rig_run(&r, 100);
	}
	assert_int_equal(r.n_notices, told + 1);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

/* ---- attempts and back-off ---- */

static void failed_attempts_are_repeated_soon_then_at_connect_retry(void **state)
{
	static const uint64_t gaps[] = {1000, 2000, 4000, 8000, 10000, 10000, 10000};
	unsigned told;

	(void)state;
	rig_config(&r);
	told = r.n_notices;
	for (size_t i = 0; i < N_ELEMS(gaps); i++) {
		struct rig_conn *c = rig_last(&r);
		unsigned n = r.n_conns;

		bgp_closed(r.b, c->id, -ECONNREFUSED, r.now);
		assert_int_equal(rig_state(&r), BGP_ACTIVE);
		rig_run(&r, gaps[i] - 1);
		assert_int_equal(r.n_conns, n);
		rig_run(&r, 1);
		assert_int_equal(r.n_conns, n + 1);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
	}
	assert_int_equal(r.n_notices, told + 1); /* the same cause is told once */
	assert_non_null(strstr(r.cause, "refused"));
}

/* What the peer said counts more than that it does not listen now. */
static void failed_attempts_do_not_hide_the_real_cause(void **state)
{
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	rig_feed(&r, c, msg, wire_notification_build(msg, sizeof(msg), 6, 1, NULL, 0));
	rig_run(&r, 1000);
	bgp_closed(r.b, rig_last(&r)->id, -ECONNREFUSED, r.now);
	assert_non_null(strstr(r.cause, "refused"));
	assert_non_null(strstr(rig_info(&r).last_error, "6/1"));
	rig_run(&r, 11000); /* another, which nobody answers */
	assert_non_null(strstr(r.cause, "no answer"));
	assert_non_null(strstr(rig_info(&r).last_error, "6/1"));
	rig_establish(&r);
	bgp_closed(r.b, rig_info(&r).conn, -ETIMEDOUT, r.now);
	assert_non_null(strstr(rig_info(&r).last_error, "timed out"));
}

/* RFC 2385: a segment signed with another key has no answer at all. */
static void an_unanswered_attempt_names_the_password(void **state)
{
	(void)state;
	for (unsigned has = 0; has < 2; has++) {
		const char *words = has ? "`password` the same at both ends" : "without a password (TCP-MD5)";

		rig_free(&r);
		rig_new(&r);
		r.row[0].has_password = has;
		rig_config(&r);
		rig_run(&r, 11000);
		assert_non_null(strstr(r.cause, "no answer"));
		assert_non_null(strstr(rig_info(&r).last_error, words));
		bgp_closed(r.b, rig_last(&r)->id, -ETIMEDOUT, r.now);
		assert_non_null(strstr(rig_info(&r).last_error, "cannot connect"));
		assert_non_null(strstr(rig_info(&r).last_error, words));
	}
	rig_run(&r, 11000);
	bgp_closed(r.b, rig_last(&r)->id, -ECONNREFUSED, r.now);
	assert_non_null(strstr(rig_info(&r).last_error, "does BGP run there"));
}

static void an_unanswered_attempt_is_given_up(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_last(&r);
	r.random = 2500; /* 75 % */
	rig_run(&r, 9999);
	assert_false(c->closed);
	rig_run(&r, 1);
	assert_true(c->closed);
	assert_int_equal(r.n_conns, 2);
	rig_run(&r, 7500);
	assert_int_equal(r.n_conns, 3);
}

static void an_error_of_connect_itself_is_a_failed_attempt(void **state)
{
	(void)state;
	r.connect_rc = -ENETUNREACH;
	rig_config(&r);
	assert_int_equal(rig_state(&r), BGP_ACTIVE);
	assert_non_null(strstr(rig_info(&r).last_error, "nreachable"));
	r.connect_rc = 0;
	rig_run(&r, 1000);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
}

/* What one connection left unsent is no concern of the next attempts. */
static void send_hold_ends_with_its_connection(void **state)
{
	(void)state;
	r.room = 0;
	rig_config(&r);
	rig_connected(&r, rig_last(&r));
	bgp_closed(r.b, rig_last(&r)->id, -ECONNRESET, r.now);
	r.connect_rc = -ENETUNREACH;
	rig_run(&r, 480000); /* the send-hold time as long as none is negotiated */
	assert_int_equal(rig_state(&r), BGP_ACTIVE);
}

/* Ours ends in an error while the peer's comes up: the pause of ours ends with that. */
static void a_session_ends_the_pause(void **state)
{
	struct bgp_open good = rig_open_of(0x0a090909), bad = good;
	struct rig_conn *ours, *theirs;

	(void)state;
	bad.as = 65011;
	two_connections(&ours, &theirs);
	rig_open(&r, ours, &bad);
	assert_null(rig_accept(&r));
	rig_open(&r, theirs, &good);
	rig_keepalive(&r, theirs);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_non_null(rig_accept(&r));
}

/* 1 s, 2 s, ... 60 s; a session that lived ends it. */
static void errors_are_followed_by_longer_pauses(void **state)
{
	static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	uint8_t bad[BGP_HDR] = {0};
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	for (size_t i = 0; i < N_ELEMS(pauses); i++) {
		c = rig_establish(&r);
		rig_feed(&r, c, bad, sizeof(bad));
		assert_int_equal(rig_state(&r), BGP_IDLE);
		rig_run(&r, pauses[i] - 1);
		assert_null(rig_accept(&r));
		assert_int_equal(rig_state(&r), BGP_IDLE);
		rig_run(&r, 1);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
	}
	c = rig_establish(&r);
	rig_run(&r, 29999);
	rig_feed(&r, c, bad, sizeof(bad));
	rig_run(&r, 59999);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	rig_run(&r, 1);
	c = rig_establish(&r);
	rig_run(&r, 30000);
	rig_feed(&r, c, bad, sizeof(bad));
	rig_run(&r, 1000);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
}

/* A lost connection is an error too: the next ones wait, and the peer's are refused meanwhile. */
static void lost_sessions_are_followed_by_pauses(void **state)
{
	(void)state;
	rig_config(&r);
	for (unsigned i = 0; i < 3; i++) {
		struct rig_conn *c = rig_establish(&r);

		bgp_closed(r.b, c->id, i & 1 ? 0 : -ETIMEDOUT, r.now);
		assert_null(rig_accept(&r));
		rig_run(&r, (1000u << i) - 1);
		assert_int_equal(rig_state(&r), BGP_IDLE);
		rig_run(&r, 1);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
	}
	/* no timer of the lost session is left to disturb what follows */
	for (unsigned i = 0; i < 100; i++) {
		rig_run(&r, 1000);
		assert_int_equal(rig_state(&r), BGP_CONNECT);
	}
}

static void a_session_makes_the_next_attempts_quick_again(void **state)
{
	(void)state;
	rig_config(&r);
	for (unsigned i = 0; i < 5; i++) {
		bgp_closed(r.b, rig_last(&r)->id, -ECONNREFUSED, r.now);
		rig_run(&r, 10000);
	}
	bgp_closed(r.b, rig_establish(&r)->id, 0, r.now);
	rig_run(&r, 1000);
	bgp_closed(r.b, rig_last(&r)->id, -ECONNREFUSED, r.now);
	rig_run(&r, 1000);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
}

/* Events of a connection that is gone may still be under way in the env. */
static void events_of_an_old_connection_mean_nothing(void **state)
{
	struct ip_addr local = ip_v4(0x0a000001);
	struct rig_conn *old, *c;

	(void)state;
	rig_config(&r);
	old = rig_establish(&r);
	bgp_closed(r.b, old->id, 0, r.now);
	rig_run(&r, 1000);
	c = rig_establish(&r);
	assert_false(bgp_input(r.b, old->id, (const uint8_t *)"rubbish", 7, r.now));
	bgp_closed(r.b, old->id, 0, r.now);
	bgp_connected(r.b, old->id, &local, r.now);
	bgp_writable(r.b, old->id, r.now);
	assert_false(bgp_input(r.b, 0, (const uint8_t *)"rubbish", 7, r.now));
	assert_false(bgp_input(r.b, 0xffffffff, (const uint8_t *)"rubbish", 7, r.now));
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_false(c->closed);
}

/* While the peer's connection is about to be Established, ours would only collide with it. */
static void no_attempt_is_made_beside_openconfirm(void **state)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *ours, *theirs;

	(void)state;
	rig_config(&r);
	ours = rig_last(&r);
	theirs = rig_accept(&r);
	bgp_closed(r.b, ours->id, -ECONNREFUSED, r.now);
	rig_open(&r, theirs, &o);
	rig_run(&r, 60000);
	assert_int_equal(r.n_conns, 2);
	assert_int_equal(rig_state(&r), BGP_OPENCONFIRM);
	rig_run(&r, 30000); /* its hold time is over */
	assert_true(theirs->closed);
	rig_run(&r, 1000);
	assert_int_equal(r.n_conns, 3);
}

/* One that says nothing may be dead. */
static void an_attempt_is_made_beside_opensent(void **state)
{
	(void)state;
	rig_config(&r);
	bgp_closed(r.b, rig_last(&r)->id, -ECONNREFUSED, r.now);
	assert_non_null(rig_accept(&r));
	rig_run(&r, 1000);
	assert_int_equal(r.n_conns, 3);
	assert_true(rig_last(&r)->ours);
}

static void a_peer_without_a_way_is_not_tried(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_last(&r);
	bgp_peer_reachable(r.b, 0, false, "tunnel azure1 is down", r.now);
	assert_true(c->closed);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_string_equal(rig_info(&r).unreachable, "tunnel azure1 is down");
	assert_non_null(strstr(r.cause, "tunnel azure1 is down"));
	rig_run(&r, 1000000);
	assert_int_equal(r.n_conns, 1);
	assert_null(rig_accept(&r));
	bgp_peer_reachable(r.b, 0, false, "no route to 10.9.9.9", r.now);
	assert_string_equal(rig_info(&r).unreachable, "no route to 10.9.9.9");
	bgp_peer_reachable(r.b, 0, true, NULL, r.now);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
	/* an Established session is left to its hold timer */
	c = rig_establish(&r);
	bgp_peer_reachable(r.b, 0, false, "tunnel azure1 is down", r.now);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	rig_run(&r, 90000);
	rig_expect_notification(c, 4, 0, NULL, 0);
	rig_run(&r, 1000000);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	bgp_peer_reachable(r.b, 0, true, NULL, r.now);
	assert_int_equal(rig_state(&r), BGP_CONNECT);
}

/* ---- sending ---- */

static void updates_flow_only_while_the_socket_takes_them(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	rig_count(c, 0);
	r.room = 10000;
	fake.pulls_left = 1000;
	fake.pull_len = 1000;
	fake.ops.out_ready(fake.ops.ctx, 0);
	rig_run(&r, 0);
	assert_int_equal(r.room, 0);
	assert_true(fake.pulls_left > 1000 - 40); /* what waits here is bounded */
	for (unsigned i = 0; fake.pulls_left || c->out_len % 1000; i++) {
		assert_true(i < 10000);
		rig_count(c, 0);
		memmove(c->out, c->out + c->read, c->out_len - c->read);
		c->out_len -= c->read;
		c->read = 0;
		rig_writable(&r, c, 777);
		rig_run(&r, 0);
		if (r.room)
			break;
	}
	assert_int_equal(fake.pulls_left, 0);
	assert_int_equal(rig_info(&r).msg_out[BGP_UPDATE], 1000);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

/* 8.2.2: an UPDATE is as good as a KEEPALIVE. */
static void no_keepalive_is_sent_while_updates_are(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	rig_count(c, 0);
	for (unsigned i = 0; i < 20; i++) {
		fake.pulls_left = 1;
		fake.ops.out_ready(fake.ops.ctx, 0);
		rig_run(&r, 20000);
		rig_keepalive(&r, c);
	}
	assert_int_equal(rig_info(&r).msg_out[BGP_UPDATE], 20);
	assert_int_equal(rig_count(c, BGP_KEEPALIVE), 0);
	rig_run(&r, 10000);
	assert_int_equal(rig_count(c, BGP_KEEPALIVE), 1);
}

static void one_call_does_a_bounded_share(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	fake.pulls_left = 500;
	fake.ops.out_ready(fake.ops.ctx, 0);
	assert_int_equal(bgp_deadline(r.b), 0);
	bgp_tick(r.b, r.now);
	assert_int_equal(fake.pulls_left, 500 - CONN_PULLS);
	assert_int_equal(bgp_deadline(r.b), 0); /* there is more */
	rig_run(&r, 0);
	assert_int_equal(fake.pulls_left, 0);
	assert_int_equal(rig_count(c, BGP_UPDATE), 500);
}

/* A socket that was blocked for a while, and keepalives that waited: afterwards they go on. */
static void keepalives_go_on_after_a_blockage(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	r.room = 0;
	for (unsigned i = 0; i < 5; i++) {
		rig_run(&r, 31000);
		rig_keepalive(&r, c);
	}
	rig_count(c, 0);
	rig_writable(&r, c, SIZE_MAX);
	assert_int_equal(rig_count(c, BGP_KEEPALIVE), 1);
	for (unsigned i = 0; i < 5; i++) {
		rig_run(&r, 30000);
		rig_keepalive(&r, c);
	}
	assert_in_range(rig_count(c, BGP_KEEPALIVE), 5, 7);
}

/* RFC 9687: twice the hold time without an octet taken. */
static void a_peer_that_reads_nothing_is_let_go(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	r.room = 5000;
	fake.pulls_left = 100;
	fake.pull_len = 1000;
	fake.ops.out_ready(fake.ops.ctx, 0);
	for (unsigned i = 0; i < 179; i++) {
		rig_run(&r, 1000);
		if (i % 60 == 59)
			rig_keepalive(&r, c);
	}
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	rig_run(&r, 1000);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_true(c->closed);
	assert_non_null(strstr(r.cause, "8/0"));
	/* the keepalives did not pile up either */
	assert_true(rig_info(&r).msg_out[BGP_KEEPALIVE] <= 3);
}

static void an_octet_taken_starts_the_send_hold_anew(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	r.room = 0;
	fake.pulls_left = 100;
	fake.pull_len = 1000;
	fake.ops.out_ready(fake.ops.ctx, 0);
	for (unsigned i = 0; i < 100; i++) {
		rig_run(&r, 60000);
		rig_keepalive(&r, c);
		rig_writable(&r, c, 1);
	}
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
}

/* When the room comes back in time, 8/0 still reaches the peer. */
static void send_hold_says_8_0_when_it_can(void **state)
{
	struct rig_conn *c;

	(void)state;
	r.row[0].hold_s = 0;
	rig_config(&r);
	c = rig_establish(&r);
	rig_count(c, 0);
	r.room = 0;
	fake.pulls_left = 1;
	fake.ops.out_ready(fake.ops.ctx, 0);
	rig_run(&r, 479999); /* without a hold time: 8 minutes */
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	rig_run(&r, 1);
	assert_int_equal(rig_state(&r), BGP_IDLE);
	assert_true(c->closed);
}

static void route_refresh_is_answered_for_negotiated_families(void **state)
{
	static const struct {
		uint16_t afi;
		uint8_t safi, subtype;
		bool answered;
	} rows[] = {{1, 1, 0, true}, {2, 1, 0, false}, {1, 2, 0, false}, {1, 1, 1, false}, {77, 1, 0, false}};
	uint8_t msg[BGP_MSG_MAX];
	struct rig_conn *c;
	unsigned n = 0;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		size_t len = wire_refresh_build(msg, sizeof(msg), rows[i].afi, rows[i].safi);

		msg[BGP_HDR + 2] = rows[i].subtype;
		rig_feed(&r, c, msg, len);
		n += rows[i].answered;
		assert_int_equal(fake.refreshes, n);
	}
	assert_int_equal(fake.refreshed, IP_V4);
	/* RFC 7313 5: a wrong length */
	wire_refresh_build(msg, sizeof(msg), 1, 1);
	msg[17] = 24;
	msg[23] = 0;
	rig_feed(&r, c, msg, 24);
	rig_expect_notification(c, 7, 1, msg, 24);
}

static void a_peer_that_cannot_refresh_is_not_asked_to(void **state)
{
	struct bgp_open o = rig_open_of(0x0a090909);
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_last(&r);
	rig_connected(&r, c);
	o.refresh = false;
	rig_open(&r, c, &o);
	rig_keepalive(&r, c);
	rig_count(c, 0);
	assert_int_equal(bgp_clear(r.b, 0, true, r.now), 0);
	rig_run(&r, 0);
	assert_int_equal(rig_count(c, BGP_ROUTE_REFRESH), 0);
	assert_int_equal(fake.refreshes, 1);
}

/* Asked for on a session that is gone: the next one was not asked for it. */
static void a_refresh_ends_with_its_session(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	c = rig_establish(&r);
	fake.pulls_left = 100;
	fake.pull_len = 1000;
	r.room = 1;
	fake.ops.out_ready(fake.ops.ctx, 0);
	rig_run(&r, 0); /* the socket is full */
	assert_int_equal(bgp_clear(r.b, 0, true, r.now), 0);
	bgp_closed(r.b, c->id, 0, r.now);
	r.room = SIZE_MAX;
	fake.pulls_left = 0;
	rig_run(&r, 1000);
	c = rig_establish(&r);
	rig_run(&r, 0);
	assert_int_equal(rig_count(c, BGP_ROUTE_REFRESH), 0);
}

static void a_soft_clear_asks_and_tells_again(void **state)
{
	struct rig_conn *c;

	(void)state;
	rig_config(&r);
	assert_int_equal(bgp_clear(r.b, 0, true, r.now), -ENOTCONN);
	c = rig_establish(&r);
	rig_count(c, 0);
	assert_int_equal(bgp_clear(r.b, 0, true, r.now), 0);
	rig_run(&r, 0);
	assert_int_equal(rig_count(c, BGP_ROUTE_REFRESH), 1);
	assert_int_equal(fake.refreshes, 1);
	assert_int_equal(rig_state(&r), BGP_ESTABLISHED);
	assert_int_equal(bgp_clear(r.b, 0, false, r.now), 0);
	rig_expect_notification(c, 6, 4, NULL, 0);
	assert_false(r.bad); /* it was asked for */
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		T(of_two_connections_the_right_one_stays),
		T(established_wins_against_a_new_connection),
		T(a_late_open_on_our_own_connection_loses),
		T(a_new_connection_of_the_peer_replaces_its_dead_one),
		T(a_lost_collision_is_no_error),
		T(our_attempt_ends_when_the_peers_connection_is_up),
		T(an_error_on_the_peers_connection_pauses_ours),
		T(so_it_does_for_a_peer_that_is_only_waited_for),
		T(a_new_connection_of_the_peer_inherits_nothing),
		T(nonsense_beside_a_session_is_told_seldom),
		T(failed_attempts_are_repeated_soon_then_at_connect_retry),
		T(failed_attempts_do_not_hide_the_real_cause),
		T(an_unanswered_attempt_is_given_up),
		T(an_unanswered_attempt_names_the_password),
		T(an_error_of_connect_itself_is_a_failed_attempt),
		T(send_hold_ends_with_its_connection),
		T(a_session_ends_the_pause),
		T(errors_are_followed_by_longer_pauses),
		T(lost_sessions_are_followed_by_pauses),
		T(a_session_makes_the_next_attempts_quick_again),
		T(events_of_an_old_connection_mean_nothing),
		T(no_attempt_is_made_beside_openconfirm),
		T(an_attempt_is_made_beside_opensent),
		T(a_peer_without_a_way_is_not_tried),
		T(updates_flow_only_while_the_socket_takes_them),
		T(no_keepalive_is_sent_while_updates_are),
		T(one_call_does_a_bounded_share),
		T(keepalives_go_on_after_a_blockage),
		T(a_peer_that_reads_nothing_is_let_go),
		T(an_octet_taken_starts_the_send_hold_anew),
		T(send_hold_says_8_0_when_it_can),
		T(route_refresh_is_answered_for_negotiated_families),
		T(a_peer_that_cannot_refresh_is_not_asked_to),
		T(a_refresh_ends_with_its_session),
		T(a_soft_clear_asks_and_tells_again),
	};
#undef T

	return cmocka_run_group_tests_name("bgp-session", tests, NULL, NULL);
}
