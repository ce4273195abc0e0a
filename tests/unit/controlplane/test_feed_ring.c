/* From the dirty list through the ring: failures, replays, storms. */
#include "feed_lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int up(void **state)
{
	(void)state;
	lab_up();
	return 0;
}

static int down(void **state)
{
	(void)state;
	lab_down();
	return 0;
}

/* n prefixes of /24 from 10.0.0.0 on. */
static void load(unsigned from, unsigned n, const char *nh)
{
	for (unsigned i = from; i < from + n; i++) {
		char p[32];

		snprintf(p, sizeof(p), "%u.%u.%u.0/24", 10 + (i >> 16), i >> 8 & 255, i & 255);
		lab_bgp(p, 0, nh, NULL);
	}
}

static struct feed_totals totals(void)
{
	struct feed_totals t;

	feed_totals(rig.feed, &t);
	return t;
}

static void a_failover_of_10000_prefixes_is_one_record(void **state)
{
	struct tunnel *a = lab_tunnel("a", "198.51.100.1"), *b = lab_tunnel("b", "198.51.100.2");
	uint64_t sets, hops;

	(void)state;
	lab_route("172.16.0.6/32", NULL, "a", 1);
	lab_route("172.16.0.6/32", NULL, "b", 2);
	lab_config();
	feed_tunnel_up(rig.feed, a, true);
	feed_tunnel_up(rig.feed, b, true);
	load(0, 10000, "172.16.0.6");
	lab_settle();
	assert_int_equal(lab.fib.n, 10001);
	assert_string_equal(lab_fib("10.39.15.0/24"), "tunnel a");
	sets = rig.fake.n_routes;
	hops = rig.fake.count[MSG_NEXTHOP_SET];
	feed_tunnel_up(rig.feed, a, false);
	lab_settle();
	assert_string_equal(lab_fib("10.39.15.0/24"), "tunnel b");
	assert_int_equal(rig.fake.n_routes, sets + 1);               /* the static itself moves to the next hop of b */
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], hops + 2); /* that one, and BGP's */
	assert_int_equal(totals().routes, 10000 + 4 + 1);
}

static void more_than_the_ring_holds_all_arrive(void **state)
{
	(void)state;
	rig.fake.route_budget = 512;
	lab_config();
	load(0, 40000, "203.0.113.1");
	assert_int_equal(totals().dirty, 40000);
	lab_settle();
	assert_int_equal(lab.fib.n, 40000);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 40000);
	assert_true(totals().octets / 40000 < 80);
}

static void a_storm_of_flaps_is_few_records(void **state)
{
	(void)state;
	lab_config();
	load(0, 100, "203.0.113.1");
	lab_settle();
	rig.fake.silent = true;
	for (unsigned i = 0; i < 1000; i++) {
		load(0, 100, i & 1 ? "203.0.113.1" : "203.0.113.2");
		if (!(i % 10))
			uv_run(&rig.loop.uv, UV_RUN_NOWAIT);
	}
	load(0, 50, NULL);
	assert_true(totals().dirty <= 100);
	rig.fake.silent = false;
	rig_settle();
	dp_bell(rig.dp, DP_CTL);
	lab_settle();
	assert_int_equal(lab.fib.n, 50);
	assert_string_equal(lab_fib("10.0.99.0/24"), "203.0.113.1 port 0");
	assert_true(rig.fake.n_routes < 100 + 8192 + 200);
}

static unsigned refusals;

static int refuse_ten_zero_seven(const struct msg_route *r)
{
	if (r->type != MSG_ROUTE_SET || r->addr[2] != 7 || !refusals)
		return 0;
	refusals--;
	return -ENOSPC;
}

static void a_refused_route_is_tried_again_and_holds_up_no_other(void **state)
{
	uint64_t began;

	(void)state;
	lab_config();
	refusals = 1;
	lab.fib.refuse = refuse_ten_zero_seven;
	load(0, 10, "203.0.113.1");
	began = loop_now_ms();
	lab_settle();
	assert_int_equal(lab.fib.n, 9);
	assert_int_equal(totals().failed, 1);
	assert_string_equal(lab_state("10.0.7.0/24"), "failed: refused by the data plane: No space left on device");
	assert_string_equal(lab_state("10.0.8.0/24"), "installed");
	AWAIT(lab.fib.n == 10);
	assert_true(loop_now_ms() - began >= FEED_POLL_MS * 40); /* after a second */
	lab_settle();
	assert_string_equal(lab_state("10.0.7.0/24"), "installed");
	assert_int_equal(totals().failed, 0);
}

static void the_wait_doubles(void **state)
{
	uint64_t sets, began = loop_now_ms();

	(void)state;
	lab_config();
	refusals = 2;
	lab.fib.refuse = refuse_ten_zero_seven;
	load(7, 1, "203.0.113.1");
	sets = rig.fake.count[MSG_ROUTE_SET];
	AWAIT(rig.fake.count[MSG_ROUTE_SET] == sets + 3);
	assert_true(loop_now_ms() - began >= 3000);
	lab_settle();
	assert_int_equal(lab.fib.n, 1);
}

static void a_refused_route_that_changes_is_tried_at_once(void **state)
{
	(void)state;
	lab_config();
	refusals = 1;
	lab.fib.refuse = refuse_ten_zero_seven;
	load(7, 1, "203.0.113.1");
	lab_settle();
	assert_int_equal(lab.fib.n, 0);
	load(7, 1, "203.0.113.2");
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "203.0.113.2 port 0");
}

static void a_refused_change_leaves_nothing_behind(void **state)
{
	(void)state;
	lab_config();
	load(7, 1, "203.0.113.1");
	lab_settle();
	refusals = 1;
	lab.fib.refuse = refuse_ten_zero_seven;
	load(7, 1, "203.0.113.2");
	lab_settle();
	assert_string_equal(lab_state("10.0.7.0/24"), "failed: refused by the data plane: No space left on device");
	load(7, 1, NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "-");
	assert_string_equal(lab_state("10.0.7.0/24"), "");
}

/* lab_down() looks whether a next hop went before its routes. */
static void what_a_refused_change_would_have_replaced_goes_before_its_next_hop(void **state)
{
	(void)state;
	lab_config();
	load(7, 1, "203.0.113.1");
	lab_settle();
	refusals = 1;
	lab.fib.refuse = refuse_ten_zero_seven;
	load(7, 1, "203.0.113.2");
	lab_settle();
	AWAIT(rig.fake.count[MSG_NEXTHOP_DEL] == 2); /* neither has a route */
	assert_string_equal(lab_fib("10.0.7.0/24"), "-");
	AWAIT(lab.fib.n == 1);
	assert_string_equal(lab_fib("10.0.7.0/24"), "203.0.113.2 port 0");
}

static void a_change_that_is_refused_while_the_route_goes_leaves_nothing_behind(void **state)
{
	(void)state;
	lab_config();
	load(7, 1, "203.0.113.1");
	load(8, 1, "203.0.113.2");
	lab_settle();
	rig.fake.silent = true;
	refusals = 1;
	lab.fib.refuse = refuse_ten_zero_seven;
	load(7, 1, "203.0.113.2");
	rig_settle();
	assert_int_equal(totals().pushed, totals().applied + 1);
	load(7, 1, NULL);
	feed_route_refused(rig.feed, ((const struct msg_route *)&rig.fake.last[MSG_ROUTE_SET])->seq + 1, -ENOSPC);
	rig.fake.silent = false;
	dp_bell(rig.dp, DP_CTL);
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "-");
	assert_string_equal(lab_state("10.0.7.0/24"), "");
}

static void a_late_refusal_of_an_older_record_means_nothing(void **state)
{
	uint32_t old;

	(void)state;
	lab_config();
	load(7, 1, "203.0.113.1");
	lab_settle();
	old = ((const struct msg_route *)&rig.fake.last[MSG_ROUTE_SET])->seq;
	load(7, 1, "203.0.113.2");
	lab_settle();
	feed_route_refused(rig.feed, old, -ENOSPC);
	assert_string_equal(lab_state("10.0.7.0/24"), "installed");
	assert_int_equal(totals().failed, 0);
}

static int (*fib_cmd)(void *ctx, unsigned to, const union msg *m);

static int hold_removal(void *ctx, unsigned to, const union msg *m)
{
	return m->hdr.type == MSG_NEXTHOP_DEL ? 1 : fib_cmd(ctx, to, m);
}

/* Commands and records have rings of their own: the record could overtake. */
static void a_next_hop_on_its_way_out_is_not_pointed_to(void **state)
{
	(void)state;
	lab_config();
	load(0, 1, "203.0.113.1");
	lab_settle();
	fib_cmd = rig.fake.on_cmd;
	rig.fake.on_cmd = hold_removal;
	load(0, 1, NULL);
	AWAIT(rig.fake.count[MSG_NEXTHOP_DEL] == 1);
	load(0, 1, "203.0.113.1");
	rig_settle();
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 1);
	rig.fake.on_cmd = fib_cmd;
	fake_dp_answer(&rig.fake, FAKE_CTL, &rig.fake.last[MSG_NEXTHOP_DEL], 0);
	lab_settle();
	assert_string_equal(lab_fib("10.0.0.0/24"), "203.0.113.1 port 0");
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], 2);
}

static int hold_new_ones(void *ctx, unsigned to, const union msg *m)
{
	return m->hdr.type == MSG_NEXTHOP_SET ? 1 : fib_cmd(ctx, to, m);
}

/* Its record was refused; the next one waits. Meanwhile what stands is the first. */
static void a_route_that_waits_keeps_the_next_hop_of_what_stands(void **state)
{
	uint64_t until;

	(void)state;
	lab_config();
	load(7, 1, "203.0.113.1");
	load(8, 1, "203.0.113.2");
	lab_settle();
	refusals = 1;
	lab.fib.refuse = refuse_ten_zero_seven;
	fib_cmd = rig.fake.on_cmd;
	rig.fake.on_cmd = hold_new_ones;
	rig.fake.silent = true;
	load(7, 1, "203.0.113.2");
	rig_settle();
	load(7, 1, "203.0.113.3");
	rig_settle();
	rig.fake.silent = false;
	dp_bell(rig.dp, DP_CTL);
	AWAIT(!refusals);
	until = loop_now_ms() + 5 * FEED_POLL_MS;
	AWAIT(loop_now_ms() > until);
	assert_string_equal(lab_fib("10.0.7.0/24"), "203.0.113.1 port 0");
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_DEL], 0);
	rig.fake.on_cmd = fib_cmd;
	fib_cmd(&lab.fib, FAKE_CTL, &rig.fake.last[MSG_NEXTHOP_SET]);
	fake_dp_answer(&rig.fake, FAKE_CTL, &rig.fake.last[MSG_NEXTHOP_SET], 0);
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "203.0.113.3 port 0");
}

static int refuse_hop;

static int refuse_hops(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	if (m->hdr.type != MSG_NEXTHOP_SET || !refuse_hop)
		return 0;
	refuse_hop--;
	return -ENOSPC;
}

static void a_refused_next_hop_is_tried_again(void **state)
{
	(void)state;
	rig.fake.on_cmd = refuse_hops;
	rig.fake.on_route = NULL;
	lab_config();
	refuse_hop = 1;
	load(0, 3, "203.0.113.1");
	lab_settle();
	assert_int_equal(totals().failed, 3);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 0);
	AWAIT(rig.fake.count[MSG_ROUTE_SET] == 3);
	lab_settle();
	assert_string_equal(lab_state("10.0.2.0/24"), "installed");
}

/* 1024 ids, of which BGP alone gets seven eighths. */
static void next_hops_of_peers_leave_room_for_those_of_the_config(void **state)
{
	(void)state;
	lab_config();
	for (unsigned i = 0; i < 1000; i++) {
		char p[32], nh[32];

		snprintf(nh, sizeof(nh), "192.168.2.%u", 2 + i % 250);
		snprintf(p, sizeof(p), "10.%u.%u.0/24", i >> 8, i & 255);
		lab_bgp(p, i, nh, NULL);
	}
	lab_settle();
	assert_int_equal(lab.fib.n, 896);
	assert_int_equal(totals().failed, 1000 - 896);
	assert_string_equal(lab_state("10.3.231.0/24"),
			    "failed: refused by the data plane: more next hops than the data plane has room for");
	lab_route("172.16.0.0/12", "203.0.113.9", NULL, 1);
	lab_config();
	assert_string_equal(lab_fib("172.16.0.0/12"), "203.0.113.9 port 0");
	assert_string_equal(lab_state("10.0.1.0/24"), "installed");
}

static void an_old_control_planes_routes_are_swept(void **state)
{
	(void)state;
	rig.fake.route_budget = 300;
	lab_config();
	load(0, 5000, "203.0.113.1");
	lab_settle();
	rig.fake.hold_applied = true; /* the connection breaks while records are under way */
	load(0, 5000, "203.0.113.2");
	load(5000, 3000, "203.0.113.2");
	rig_settle();
	fake_dp_drop(&rig.fake);
	load(0, 1000, NULL);
	rig.fake.hold_applied = false;
	AWAIT(lab.n_ready == 2);
	lab_settle();
	assert_int_equal(lab.fib.n, 7000);
	assert_string_equal(lab_fib("10.3.231.0/24"), "-");
	assert_string_equal(lab_fib("10.3.232.0/24"), "203.0.113.2 port 0");
	assert_string_equal(lab_state("10.3.232.0/24"), "installed");
}

static int (*fib_route)(void *ctx, const struct msg_route *m);
static uint32_t at_the_end;

static int count_at_the_end(void *ctx, const struct msg_route *m)
{
	if (m->type == MSG_SYNC_END)
		at_the_end = lab.fib.n;
	return fib_route(ctx, m);
}

/* More than one turn looks up. */
static void nothing_is_swept_before_all_next_hops_are_looked_up(void **state)
{
	enum { MANY = 3000 };

	(void)state;
	rig.fake.params.nexthops = FAKE_FIB_NEXTHOPS;
	fib_route = rig.fake.on_route;
	rig.fake.on_route = count_at_the_end;
	lab_route("10.200.0.0/16", "203.0.113.1", NULL, 1);
	for (unsigned i = 0; i < MANY; i++) {
		char p[32], nh[32];

		snprintf(p, sizeof(p), "10.%u.%u.0/24", i >> 8, i & 255);
		snprintf(nh, sizeof(nh), "10.200.%u.%u", i >> 8, i & 255);
		lab_bgp(p, 0, nh, NULL);
	}
	feed_config(rig.feed, &lab.cfg);
	AWAIT(dp_attached(rig.dp) && rig.fake.count[MSG_SYNC_END] == 1);
	assert_int_equal(at_the_end, MANY + 1);
}

static void while_held_nothing_is_swept(void **state)
{
	struct tunnel *t = lab_tunnel("azure", "198.51.100.7");

	(void)state;
	lab_route("10.9.0.0/16", NULL, "azure", 1);
	lab_config();
	feed_tunnel_up(rig.feed, t, true);
	lab_settle();
	t->has_child = false; /* as if we were new and did not know */
	feed_config(rig.feed, &lab.cfg);
	feed_hold(rig.feed, true);
	fake_dp_drop(&rig.fake);
	AWAIT(rig.attached == 2);
	rig_settle();
	assert_int_equal(lab.n_ready, 2);
	assert_string_equal(lab_fib("10.9.0.0/16"), "tunnel azure");
	feed_tunnel_up(rig.feed, t, true);
	feed_hold(rig.feed, false);
	lab_settle();
	assert_string_equal(lab_fib("10.9.0.0/16"), "tunnel azure");
	assert_int_equal(rig.fake.count[MSG_ROUTE_DEL], 0);
}

static void what_was_learned_stays_until_bgp_has_told_anew(void **state)
{
	(void)state;
	lab_route("10.9.0.0/16", NULL, NULL, 250);
	lab_config();
	lab_bgp("10.8.0.0/16", 1, "203.0.113.1", NULL);
	lab_bgp("10.9.0.0/16", 1, "203.0.113.1", NULL);
	lab_settle();
	feed_learning(rig.feed, true); /* as if we were new and had learned nothing */
	fake_dp_drop(&rig.fake);
	AWAIT(rig.lost == 1);
	lab_bgp("10.8.0.0/16", 1, NULL, NULL);
	lab_bgp("10.9.0.0/16", 1, NULL, NULL);
	AWAIT(lab.n_ready == 2);
	rig_settle();
	assert_string_equal(lab_fib("10.8.0.0/16"), "203.0.113.1 port 0");
	assert_string_equal(lab_fib("10.9.0.0/16"), "203.0.113.1 port 0");
	lab_bgp("10.7.0.0/16", 1, "203.0.113.2", NULL);
	feed_learning(rig.feed, false);
	lab_settle();
	assert_string_equal(lab_fib("10.7.0.0/16"), "203.0.113.2 port 0");
	assert_string_equal(lab_fib("10.8.0.0/16"), "-");
	assert_string_equal(lab_fib("10.9.0.0/16"), "drop");
	assert_int_equal(rig.fake.count[MSG_ROUTE_DEL], 0);
	assert_true(feed_quiet(rig.feed));
}

static void a_new_life_of_the_data_plane_gets_everything(void **state)
{
	(void)state;
	lab_config();
	load(0, 3000, "203.0.113.1");
	lab_settle();
	fake_dp_stop(&rig.fake);
	AWAIT(rig.lost == 1);
	assert_string_equal(lab_state("10.0.7.0/24"), "pending");
	load(3000, 1000, "203.0.113.1");
	load(0, 10, NULL);
	rig_start_fake(0x2222);
	AWAIT(lab.n_ready == 2);
	lab_settle();
	assert_int_equal(lab.fib.n, 3990);
}

/* Its routes of the first attach stay right until a sweep, however often a control plane dies before it has said all. */
static void next_hop_ids_of_many_attaches_do_not_meet(void **state)
{
	uint32_t id[6];

	(void)state;
	lab_config();
	load(0, 1, "203.0.113.1");
	lab_settle();
	for (unsigned i = 0; i < N_ELEMS(id); i++) {
		id[i] = ((const struct msg_nexthop *)&rig.fake.last[MSG_NEXTHOP_SET])->id << 1 |
			(rig.fake.shm.hello.attach & 1); /* the data plane's half */
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(id[k], id[i]);
		fake_dp_drop(&rig.fake);
		AWAIT(lab.n_ready == i + 2);
	}
}

static int never_answer(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_NEXTHOP_SET;
}

static void routes_that_wait_for_a_next_hop_go_when_it_is_not_wanted(void **state)
{
	(void)state;
	lab_config();
	rig.fake.on_cmd = never_answer;
	load(0, 100, "203.0.113.1");
	rig_settle();
	assert_int_equal(totals().dirty, 100);
	load(0, 100, NULL);
	rig_settle();
	fake_dp_answer(&rig.fake, FAKE_CTL, &rig.fake.last[MSG_NEXTHOP_SET], 0);
	AWAIT(!totals().dirty);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 0);
	AWAIT(rig.fake.count[MSG_NEXTHOP_DEL] == 1);
	assert_int_equal(totals().routes, 4);
}

struct seen {
	unsigned n;
	struct ip_prefix last;
};

static bool in_order(void *arg, const struct feed_route_info *i)
{
	struct seen *s = arg;
	int d = s->n ? ip_cmp(&s->last.addr, &i->to.addr) : -1;

	assert_true(d < 0 || (d == 0 && s->last.len < i->to.len));
	s->last = i->to;
	s->n++;
	return true;
}

static void the_walk_is_in_order_in_pages_of_any_size(void **state)
{
	(void)state;
	lab_config();
	load(0, 20000, "203.0.113.1");
	lab_bgp("10.0.0.0/8", 0, "203.0.113.1", NULL);
	lab_bgp("10.0.0.0/16", 0, "203.0.113.1", NULL);
	lab_bgp("2001:db8::/32", 0, "203.0.113.1", NULL);
	for (unsigned page = 1; page <= 20000; page = page * 7 + 2) {
		struct ip_prefix after = {0};
		struct seen s = {0};
		unsigned n, rounds = 0;

		do {
			n = feed_walk(rig.feed, &after, page, in_order, &s);
		} while (n == page && (page > 100 || ++rounds < 50));
		if (page > 100)
			assert_int_equal(s.n, 20000 + 3 + 2); /* own addresses are no rows */
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_failover_of_10000_prefixes_is_one_record),
		T(more_than_the_ring_holds_all_arrive),
		T(a_storm_of_flaps_is_few_records),
		T(a_refused_route_is_tried_again_and_holds_up_no_other),
		T(the_wait_doubles),
		T(a_refused_route_that_changes_is_tried_at_once),
		T(a_refused_change_leaves_nothing_behind),
		T(what_a_refused_change_would_have_replaced_goes_before_its_next_hop),
		T(a_change_that_is_refused_while_the_route_goes_leaves_nothing_behind),
		T(a_late_refusal_of_an_older_record_means_nothing),
		T(a_next_hop_on_its_way_out_is_not_pointed_to),
		T(a_route_that_waits_keeps_the_next_hop_of_what_stands),
		T(a_refused_next_hop_is_tried_again),
		T(next_hops_of_peers_leave_room_for_those_of_the_config),
		T(an_old_control_planes_routes_are_swept),
		T(nothing_is_swept_before_all_next_hops_are_looked_up),
		T(while_held_nothing_is_swept),
		T(what_was_learned_stays_until_bgp_has_told_anew),
		T(a_new_life_of_the_data_plane_gets_everything),
		T(next_hop_ids_of_many_attaches_do_not_meet),
		T(routes_that_wait_for_a_next_hop_go_when_it_is_not_wanted),
		T(the_walk_is_in_order_in_pages_of_any_size),
	};

	return cmocka_run_group_tests_name("feed-ring", tests, NULL, NULL);
}
