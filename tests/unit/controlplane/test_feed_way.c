/* Which route counts, and where next hops lead. */
#include "feed_lab.h"

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

static void the_least_distance_counts(void **state)
{
	(void)state;
	lab_route("10.1.0.0/16", "192.168.2.9", NULL, 30);
	lab_route("10.1.0.0/16", "192.168.2.8", NULL, 5);
	lab_config();
	assert_string_equal(lab_fib("10.1.0.0/16"), "192.168.2.8 port 1");
	lab_bgp("10.1.0.0/16", 0, "203.0.113.1", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.1.0.0/16"), "192.168.2.8 port 1");
	lab.cfg.n_routes = 1;
	lab_config();
	assert_string_equal(lab_fib("10.1.0.0/16"), "203.0.113.1 port 0"); /* 20 < 30 */
	lab_bgp("10.1.0.0/16", 0, NULL, NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.1.0.0/16"), "192.168.2.9 port 1");
	lab.cfg.n_routes = 0;
	lab_config();
	assert_string_equal(lab_fib("10.1.0.0/16"), "-");
}

static void a_static_of_distance_20_is_before_bgp(void **state)
{
	(void)state;
	lab_bgp("10.1.0.0/16", 0, "203.0.113.1", NULL);
	lab_route("10.1.0.0/16", "192.168.2.9", NULL, 20);
	lab_config();
	assert_string_equal(lab_fib("10.1.0.0/16"), "192.168.2.9 port 1");
}

static void what_the_data_plane_has_from_its_config_is_never_pushed(void **state)
{
	(void)state;
	lab_gateway_addr("10.2.2.2/32");
	lab_config();
	lab_bgp("192.168.2.0/24", 0, "203.0.113.1", NULL);
	lab_bgp("10.2.2.2/32", 0, "203.0.113.1", NULL);
	lab_bgp("203.0.113.10/32", 0, "203.0.113.1", NULL);
	lab_settle();
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 0);
	assert_string_equal(lab_state("192.168.2.0/24"), "installed");
}

static void a_static_through_a_tunnel_counts_while_it_is_up(void **state)
{
	struct tunnel *t = lab_tunnel("azure", "198.51.100.7");

	(void)state;
	lab_route("10.9.0.0/16", NULL, "azure", 1);
	lab_route("10.9.0.0/16", "192.168.2.9", NULL, 200);
	lab_route("10.8.0.0/16", NULL, "azure", 1);
	lab_config(); /* and ready does not wait for it */
	assert_string_equal(lab_fib("10.9.0.0/16"), "192.168.2.9 port 1");
	assert_string_equal(lab_fib("10.8.0.0/16"), "-");
	assert_string_equal(lab_state("10.8.0.0/16"), "inactive: tunnel azure is down");
	feed_tunnel_up(rig.feed, t, true);
	lab_settle();
	assert_string_equal(lab_fib("10.9.0.0/16"), "tunnel azure");
	assert_string_equal(lab_fib("10.8.0.0/16"), "tunnel azure");
	assert_string_equal(lab_state("10.8.0.0/16"), "installed");
	feed_tunnel_up(rig.feed, t, false);
	lab_settle();
	assert_string_equal(lab_fib("10.9.0.0/16"), "192.168.2.9 port 1");
	assert_string_equal(lab_fib("10.8.0.0/16"), "-");
	assert_int_equal(lab.n_ready, 1);
}

static void a_tunnel_that_starts_on_traffic_counts_always(void **state)
{
	struct tunnel *t = lab_tunnel("azure", "198.51.100.7");

	(void)state;
	t->cfg.start = CFG_START_ON_TRAFFIC;
	lab_route("10.9.0.0/16", NULL, "azure", 1);
	lab_config();
	assert_string_equal(lab_fib("10.9.0.0/16"), "tunnel azure");
	feed_tunnel_up(rig.feed, t, true);
	feed_tunnel_up(rig.feed, t, false);
	lab_settle();
	assert_string_equal(lab_fib("10.9.0.0/16"), "tunnel azure");
}

/* Rows 3-04 and 3-05: both instances of the Route Server stand behind one gateway. */
static void two_next_hops_behind_one_gateway_are_one_leg(void **state)
{
	(void)state;
	lab_route("10.100.210.0/24", "203.0.113.1", NULL, 1);
	lab_config();
	lab_bgp("10.200.0.0/16", 0, "10.100.210.4", "10.100.210.5");
	lab_settle();
	assert_string_equal(lab_fib("10.200.0.0/16"), "203.0.113.1 port 0");
	assert_string_equal(lab_state("10.200.0.0/16"), "installed");
}

static void two_tunnels_share_the_load_and_one_is_enough(void **state)
{
	struct tunnel *a = lab_tunnel("a", "198.51.100.1"), *b = lab_tunnel("b", "198.51.100.2");
	uint64_t sets;

	(void)state;
	lab_route("172.16.0.6/32", NULL, "a", 1);
	lab_route("172.16.0.7/32", NULL, "b", 1);
	lab_config();
	feed_tunnel_up(rig.feed, a, true);
	feed_tunnel_up(rig.feed, b, true);
	for (unsigned i = 0; i < 200; i++) {
		char p[32];

		snprintf(p, sizeof(p), "10.0.%u.0/24", i);
		lab_bgp(p, 0, "172.16.0.6", "172.16.0.7");
	}
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "tunnel a + tunnel b");
	sets = rig.fake.count[MSG_ROUTE_SET];
	feed_tunnel_up(rig.feed, a, false);
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "tunnel b");
	assert_string_equal(lab_fib("10.0.199.0/24"), "tunnel b");
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], sets); /* the next hop has changed, not the routes */
	feed_tunnel_up(rig.feed, b, false);
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "-");
	assert_int_equal(lab.fib.n, 0);
	feed_tunnel_up(rig.feed, a, true);
	lab_settle();
	assert_string_equal(lab_fib("10.0.7.0/24"), "tunnel a");
}

static void next_hops_resolve_through_bgp_routes(void **state)
{
	(void)state;
	lab_config();
	lab_bgp("10.1.0.0/16", 0, "203.0.113.1", NULL);
	lab_bgp("10.2.0.0/16", 0, "10.1.0.1", NULL);
	lab_bgp("10.3.0.0/16", 0, "10.2.0.1", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.3.0.0/16"), "203.0.113.1 port 0");
	lab_bgp("10.1.0.0/16", 0, "192.168.2.7", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.3.0.0/16"), "192.168.2.7 port 1");
	lab_bgp("10.2.0.0/24", 0, "192.168.2.8", NULL); /* longer */
	lab_settle();
	assert_string_equal(lab_fib("10.3.0.0/16"), "192.168.2.8 port 1");
	lab_bgp("10.2.0.0/24", 0, NULL, NULL);
	lab_bgp("10.1.0.0/16", 0, NULL, NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.3.0.0/16"), "-");
	assert_string_equal(lab_state("10.3.0.0/16"), "inactive: there is no route to next hop 10.2.0.1");
}

/* The first address is on a port's network; each further one is a level. */
static void chain(unsigned levels)
{
	char p[32], nh[32];

	lab_bgp("10.1.0.0/16", 0, "203.0.113.1", NULL);
	for (unsigned i = 2; i <= levels; i++) {
		snprintf(p, sizeof(p), "10.%u.0.0/16", i);
		snprintf(nh, sizeof(nh), "10.%u.0.1", i - 1);
		lab_bgp(p, 0, nh, NULL);
	}
}

static void eight_levels_are_the_most(void **state)
{
	(void)state;
	lab_config();
	chain(9);
	lab_settle();
	assert_string_equal(lab_fib("10.8.0.0/16"), "203.0.113.1 port 0");
	assert_string_equal(lab_fib("10.9.0.0/16"), "-");
	lab_bgp("10.1.0.0/16", 0, "192.168.2.7", NULL); /* all of them hear of it */
	lab_bgp("10.4.0.0/16", 0, "192.168.2.8", NULL); /* and the chain is shorter */
	lab_settle();
	assert_string_equal(lab_fib("10.2.0.0/16"), "192.168.2.7 port 1");
	assert_string_equal(lab_fib("10.9.0.0/16"), "192.168.2.8 port 1");
}

static void a_route_does_not_resolve_its_own_next_hop(void **state)
{
	(void)state;
	lab_config();
	lab_bgp("10.1.0.0/16", 0, "10.1.0.1", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.1.0.0/16"), "-");
	lab_route("10.0.0.0/8", "203.0.113.1", NULL, 1);
	lab_config();
	assert_string_equal(lab_fib("10.1.0.0/16"), "203.0.113.1 port 0"); /* by the shorter one */
}

static void routes_that_resolve_each_other_lead_nowhere(void **state)
{
	(void)state;
	lab_config();
	lab_bgp("10.1.0.0/16", 0, "10.2.0.1", NULL);
	lab_bgp("10.2.0.0/16", 0, "10.3.0.1", NULL);
	lab_bgp("10.3.0.0/16", 0, "10.1.0.1", NULL);
	lab_settle();
	assert_int_equal(lab.fib.n, 0);
	lab_bgp("10.3.0.0/16", 0, "192.168.2.3", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.1.0.0/16"), "192.168.2.3 port 1");
	assert_string_equal(lab_fib("10.2.0.0/16"), "192.168.2.3 port 1");
	lab_bgp("10.3.0.0/16", 0, "10.1.0.1", NULL);
	lab_settle();
	assert_int_equal(lab.fib.n, 0);
}

static void a_next_hop_in_a_black_hole_is_a_black_hole(void **state)
{
	(void)state;
	lab_route("192.0.2.1/32", NULL, NULL, 1);
	lab_config();
	lab_bgp("10.66.6.6/32", 0, "192.0.2.1", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.66.6.6/32"), "drop");
	lab_bgp("10.66.6.6/32", 0, "192.0.2.1", "203.0.113.1"); /* another leg is better than none */
	lab_settle();
	assert_string_equal(lab_fib("10.66.6.6/32"), "203.0.113.1 port 0");
}

static void our_own_address_is_no_next_hop(void **state)
{
	(void)state;
	lab_gateway_addr("10.2.2.2/32");
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 1);
	lab_config();
	lab_bgp("10.1.0.0/16", 0, "10.2.2.2", NULL);
	lab_bgp("10.3.0.0/16", 0, "203.0.113.10", NULL);
	lab_settle();
	assert_string_equal(lab_fib("10.1.0.0/16"), "-");
	assert_string_equal(lab_fib("10.3.0.0/16"), "-");
}

static void watchers_hear_now_and_at_every_change(void **state)
{
	struct tunnel *t = lab_tunnel("azure", "198.51.100.7");
	struct ip_addr a;

	(void)state;
	assert_int_equal(ip_parse("172.16.0.6", &a), 0);
	lab_route("172.16.0.0/24", NULL, "azure", 7);
	lab_config();
	feed_watch(rig.feed, &a);
	assert_int_equal(lab_told("172.16.0.6")->times, 0); /* never out of the call itself */
	rig_settle();
	assert_int_equal(lab_told("172.16.0.6")->times, 1);
	assert_false(lab_told("172.16.0.6")->reachable);
	feed_tunnel_up(rig.feed, t, true);
	rig_settle();
	assert_int_equal(lab_told("172.16.0.6")->times, 2);
	assert_true(lab_told("172.16.0.6")->reachable);
	assert_int_equal(lab_told("172.16.0.6")->metric, 7);
	lab_bgp("172.16.0.0/25", 0, "203.0.113.1", NULL);
	rig_settle();
	assert_int_equal(lab_told("172.16.0.6")->metric, 20);
	feed_unwatch(rig.feed, &a);
	lab_bgp("172.16.0.0/25", 0, NULL, NULL);
	feed_tunnel_up(rig.feed, t, false);
	rig_settle();
	assert_int_equal(lab_told("172.16.0.6")->times, 3);
	feed_watch(rig.feed, &a);
	rig_settle();
	assert_int_equal(lab_told("172.16.0.6")->times, 4);
	assert_false(lab_told("172.16.0.6")->reachable);
	feed_unwatch(rig.feed, &a);
}

static void a_peer_hears_which_way_and_why_not(void **state)
{
	struct tunnel *t = lab_tunnel("azure", "198.51.100.7");

	(void)state;
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_config();
	lab_peer(3, "172.16.0.6");
	lab_peer(4, "203.0.113.77");
	lab_peer(5, "10.77.0.1");
	rig_settle();
	assert_false(lab.way[3].reachable);
	assert_string_equal(lab.way[3].cause, "tunnel azure is down");
	assert_true(lab.way[4].reachable && !lab.way[4].tunnel);
	assert_string_equal(lab.way[5].cause, "there is no route to 10.77.0.1");
	feed_tunnel_up(rig.feed, t, true);
	rig_settle();
	assert_true(lab.way[3].reachable && lab.way[3].tunnel == t);
	assert_int_equal(lab.way[4].times, 1);
	lab_peer(3, NULL);
	feed_tunnel_up(rig.feed, t, false);
	rig_settle();
	assert_int_equal(lab.way[3].times, 2);
}

static void ipv6_goes_the_same_way(void **state)
{
	struct tunnel *t;
	struct ip_addr a;

	(void)state;
	lab_six();
	t = lab_tunnel("azure", "2001:db8:9::7");
	lab_route("::/0", "2001:db8:1::1", NULL, 1);
	lab_route("2001:db8:a::/48", NULL, "azure", 1);
	lab_route("2001:db8:a::/48", NULL, NULL, 250);
	lab_route("10.9.0.0/16", NULL, "azure", 1);
	lab_gateway_addr("2001:db8:ffff::1/128");
	lab_config();
	assert_string_equal(lab_fib("::/0"), "2001:db8:1::1 port 0");
	assert_string_equal(lab_fib("2001:db8:a::/48"), "drop");
	assert_string_equal(lab_fib("10.9.0.0/16"), "-");
	assert_string_equal(lab_fib("2001:db8:1::/64"), "-"); /* the data plane has it from its config */
	assert_string_equal(lab_state("2001:db8:1::/64"), "installed");
	assert_int_equal(rig.fake.count[MSG_ADDR_SET], 1);
	feed_tunnel_up(rig.feed, t, true);
	lab_settle();
	assert_string_equal(lab_fib("2001:db8:a::/48"), "tunnel azure");
	assert_string_equal(lab_fib("10.9.0.0/16"), "tunnel azure"); /* both families, one next hop */
	assert_int_equal(ip_parse("2001:db8:2::9", &a), 0);
	feed_watch(rig.feed, &a);
	lab_bgp("2001:db8:77::/48", 0, "2001:db8:2::9", "2001:db8:a::5");
	lab_settle();
	assert_true(lab_told("2001:db8:2::9")->reachable);
	assert_string_equal(lab_fib("2001:db8:77::/48"), "2001:db8:2::9 port 1 + tunnel azure");
	assert_string_equal(lab_state("2001:db8:77::/48"), "installed");
	feed_tunnel_up(rig.feed, t, false);
	lab_settle();
	assert_string_equal(lab_fib("2001:db8:77::/48"), "2001:db8:2::9 port 1");
	lab_bgp("2001:db8:77::/48", 0, NULL, NULL);
	lab_settle();
	assert_string_equal(lab_state("2001:db8:77::/48"), "");
	assert_string_equal(lab_fib("2001:db8:77::/48"), "-");
	feed_unwatch(rig.feed, &a);
}

static bool is_shown(void *arg, const struct feed_route_info *i)
{
	unsigned *n = arg;
	char text[IP_STR];

	if (!strcmp(ip_prefix_str(&i->to, text), "2001:db8:5::/48")) {
		assert_string_equal(ip_str(&i->nexthop, text), "fe80::1");
		assert_int_equal(i->leg[0].port, 1);
		(*n)++;
	}
	return true;
}

static void a_link_local_router_is_known_by_its_port(void **state)
{
	struct ip_addr a;
	unsigned shown = 0;

	(void)state;
	lab_six();
	lab_route("::/0", "fe80::1%wan0", NULL, 1);
	lab_route("2001:db8:5::/48", "fe80::1%lan0", NULL, 1);
	lab_route("2001:db8:6::/48", "2001:db8:5::9", NULL, 1); /* looked up by the one before */
	lab_config();
	assert_string_equal(lab_fib("::/0"), "fe80::1 port 0");
	assert_string_equal(lab_fib("2001:db8:5::/48"), "fe80::1 port 1");
	assert_string_equal(lab_fib("2001:db8:6::/48"), "fe80::1 port 1");
	feed_walk(rig.feed, &(struct ip_prefix){0}, UINT32_MAX, is_shown, &shown);
	assert_int_equal(shown, 1);
	assert_int_equal(ip_parse("2001:db8:99::1", &a), 0);
	feed_watch(rig.feed, &a);
	lab_settle();
	assert_true(lab_told("2001:db8:99::1")->reachable);
	lab.cfg.n_routes = 0;
	lab_route("::/0", "fe80::2%wan0", NULL, 1);
	lab_config();
	assert_string_equal(lab_fib("::/0"), "fe80::2 port 0");
	assert_string_equal(lab_fib("2001:db8:5::/48"), "-");
	feed_unwatch(rig.feed, &a);
}

static void the_families_do_not_resolve_each_other(void **state)
{
	struct ip_addr a;

	(void)state;
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 1);
	lab_config();
	assert_int_equal(ip_parse("2001:db8:2::9", &a), 0);
	feed_watch(rig.feed, &a);
	lab_bgp("2001:db8:77::/48", 0, "2001:db8:2::9", NULL);
	lab_settle();
	assert_false(lab_told("2001:db8:2::9")->reachable);
	assert_string_equal(lab_state("2001:db8:77::/48"), "inactive: there is no route to next hop 2001:db8:2::9");
	feed_unwatch(rig.feed, &a);
}

static const struct lab_originate *orig(const char *s)
{
	static const struct lab_originate never;
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, false, &p), 0);
	for (unsigned i = 0; i < lab.n_orig; i++)
		if (ip_prefix_equal(&lab.orig[i].p, &p))
			return &lab.orig[i];
	return &never;
}

static void prefixes_of_originate_are_told_of_while_they_are_there(void **state)
{
	static const char *const all[] = {"192.168.2.0/24", "10.9.0.0/16", "10.0.0.0/8", "10.2.2.2/32", "10.5.0.0/16"};
	struct tunnel *t = lab_tunnel("azure", "198.51.100.7");

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(all); i++)
		assert_int_equal(ip_prefix_parse(all[i], false, &lab.originate[i]), 0);
	lab.cfg.bgp.n_originate = N_ELEMS(all);
	lab_gateway_addr("10.2.2.2/32");
	lab_gateway_addr("10.0.0.1/8"); /* row 3-17 */
	lab_route("10.9.0.0/16", NULL, "azure", 1);
	lab_config();
	lab_bgp("10.5.0.0/16", 0, "203.0.113.1", NULL); /* learned is not ours */
	lab_settle();
	assert_true(orig("192.168.2.0/24")->present && orig("10.0.0.0/8")->present && orig("10.2.2.2/32")->present);
	assert_true(!orig("10.9.0.0/16")->present && !orig("10.5.0.0/16")->present);
	feed_tunnel_up(rig.feed, t, true);
	lab_settle();
	assert_true(orig("10.9.0.0/16")->present);
	feed_tunnel_up(rig.feed, t, false);
	lab_settle();
	assert_false(orig("10.9.0.0/16")->present);
	assert_int_equal(orig("192.168.2.0/24")->times, 1);
	lab.cfg.bgp.n_originate = 0;
	feed_config(rig.feed, &lab.cfg);
	assert_true(orig("192.168.2.0/24")->present); /* not out of the call itself */
	lab_settle();
	assert_false(orig("192.168.2.0/24")->present);
	assert_int_equal(orig("192.168.2.0/24")->times, 2);
}

static void resolve_says_what_the_data_plane_would_do(void **state)
{
	struct feed_leg leg[MSG_NH_LEGS];
	struct ip_addr a;

	(void)state;
	lab_route("10.1.0.0/16", "192.168.2.9", NULL, 1);
	lab_config();
	assert_int_equal(ip_parse("10.1.2.3", &a), 0);
	assert_int_equal(feed_resolve(rig.feed, &a, leg), 1);
	assert_int_equal(leg[0].kind, MSG_NH_PORT);
	assert_int_equal(ip_v4_u32(&leg[0].via), 0xc0a80209);
	assert_int_equal(ip_parse("203.0.113.5", &a), 0);
	assert_int_equal(feed_resolve(rig.feed, &a, leg), 1);
	assert_true(ip_equal(&leg[0].via, &a));
	assert_int_equal(ip_parse("10.3.0.1", &a), 0);
	assert_int_equal(feed_resolve(rig.feed, &a, leg), 0);
}

/* n next hops that all lie in each other's routes, under a ladder of shorter ones. */
static void tangle(unsigned n, unsigned shift)
{
	char p[32], nh[32];

	for (unsigned len = 8; len < 23; len++) {
		snprintf(p, sizeof(p), "10.0.0.0/%u", len);
		snprintf(nh, sizeof(nh), "10.0.0.%u", 1 + (len + shift) % 200);
		lab_bgp(p, 7, nh, NULL);
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(p, sizeof(p), "10.0.%u.%u/32", i / 200, 1 + i % 200);
		snprintf(nh, sizeof(nh), "10.0.%u.%u", (i * 7 + shift) % n / 200, 1 + (i * 7 + shift) % n % 200);
		lab_bgp(p, 7, nh, NULL);
	}
}

static void a_tangle_of_next_hops_holds_up_nobody(void **state)
{
	struct ip_addr a;

	(void)state;
	lab_config();
	tangle(600, 3);
	lab_settle();
	AWAIT(feed_quiet(rig.feed));
	tangle(600, 4); /* they are known as what takes long */
	assert_int_equal(ip_parse("203.0.113.77", &a), 0);
	feed_watch(rig.feed, &a);
	feed_pump(rig.feed);
	assert_true(lab_told("203.0.113.77")->reachable);
	assert_false(feed_quiet(rig.feed)); /* of the others one turn has done a part */
	AWAIT(feed_quiet(rig.feed));
	assert_string_equal(lab_state("10.0.1.1/32"), "inactive: there is no route to next hop 10.0.1.5");
	lab_bgp("10.0.1.5/32", 7, "203.0.113.1", NULL);
	lab_settle();
	AWAIT(feed_quiet(rig.feed));
	assert_string_equal(lab_fib("10.0.1.1/32"), "203.0.113.1 port 0");
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_least_distance_counts),
		T(a_static_of_distance_20_is_before_bgp),
		T(what_the_data_plane_has_from_its_config_is_never_pushed),
		T(a_static_through_a_tunnel_counts_while_it_is_up),
		T(a_tunnel_that_starts_on_traffic_counts_always),
		T(two_next_hops_behind_one_gateway_are_one_leg),
		T(two_tunnels_share_the_load_and_one_is_enough),
		T(next_hops_resolve_through_bgp_routes),
		T(eight_levels_are_the_most),
		T(a_route_does_not_resolve_its_own_next_hop),
		T(routes_that_resolve_each_other_lead_nowhere),
		T(a_next_hop_in_a_black_hole_is_a_black_hole),
		T(our_own_address_is_no_next_hop),
		T(watchers_hear_now_and_at_every_change),
		T(a_peer_hears_which_way_and_why_not),
		T(ipv6_goes_the_same_way),
		T(the_families_do_not_resolve_each_other),
		T(a_link_local_router_is_known_by_its_port),
		T(prefixes_of_originate_are_told_of_while_they_are_there),
		T(a_tangle_of_next_hops_holds_up_nobody),
		T(resolve_says_what_the_data_plane_would_do),
	};

	return cmocka_run_group_tests_name("feed-way", tests, NULL, NULL);
}
