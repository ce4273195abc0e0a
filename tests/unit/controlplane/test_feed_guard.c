/* What is learned over a tunnel carries neither the tunnel nor the session. */
#include "feed_lab.h"

#include <stdio.h>
#include <string.h>

static struct tunnel *azure;

static int up(void **state)
{
	(void)state;
	lab_up();
	azure = lab_tunnel("azure", "198.51.100.7");
	return 0;
}

static int down(void **state)
{
	(void)state;
	lab_down();
	return 0;
}

/* Rows 4-03 and 4-08 of the seeds: the VNet that is learned has the peer's own address in it. */
static void the_host_route_of_the_config_wins_over_the_learned_network(void **state)
{
	(void)state;
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 1);
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	feed_tunnel_up(rig.feed, azure, true);
	lab_bgp("172.16.0.0/16", 0, "172.16.0.6", NULL);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.0/16"), "tunnel azure");
	assert_string_equal(lab_way_to("172.16.0.6"), "tunnel azure");
	assert_string_equal(lab_fib("172.16.0.6/32"), "tunnel azure"); /* the config's, no pin */
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	feed_tunnel_up(rig.feed, azure, false);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.0/16"), "-");
	assert_false(lab.way[0].reachable);
	assert_string_equal(lab.way[0].cause, "tunnel azure is down");
	assert_string_equal(lab_fib("172.16.0.6/32"), "drop"); /* the session does not go on in clear */
	assert_string_equal(lab_way_to("172.16.0.7"), "203.0.113.1 port 0");
	feed_tunnel_up(rig.feed, azure, true);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.6/32"), "tunnel azure");
}

static void a_shorter_route_into_another_tunnel_takes_over(void **state)
{
	struct tunnel *b = lab_tunnel("b", "198.51.100.8");

	(void)state;
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 1);
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_route("172.16.0.0/16", NULL, "b", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	feed_tunnel_up(rig.feed, azure, true);
	feed_tunnel_up(rig.feed, b, true);
	lab_settle();
	assert_true(lab.way[0].tunnel == azure);
	feed_tunnel_up(rig.feed, azure, false);
	lab_settle();
	assert_true(lab.way[0].reachable && lab.way[0].tunnel == b);
	assert_string_equal(lab_fib("172.16.0.6/32"), "-");
	assert_string_equal(lab_way_to("172.16.0.6"), "tunnel b");
}

static void a_peers_own_route_does_not_carry_its_session(void **state)
{
	(void)state;
	lab_route("172.16.0.0/24", NULL, "azure", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	feed_tunnel_up(rig.feed, azure, true);
	lab_settle();
	assert_true(lab.way[0].reachable && lab.way[0].tunnel == azure);
	lab_bgp("172.16.0.6/32", 0, "192.168.2.66", NULL); /* it says that it is in our LAN */
	lab_settle();
	assert_true(lab.way[0].reachable && lab.way[0].tunnel == azure);
	assert_string_equal(lab_fib("172.16.0.6/32"), "tunnel azure");
	assert_string_equal(lab_state("172.16.0.6/32"), "installed");
	assert_int_equal(lab.way[0].times, 1);
	feed_tunnel_up(rig.feed, azure, false);
	lab_settle();
	assert_false(lab.way[0].reachable);
	assert_string_equal(lab_fib("172.16.0.6/32"), "drop");
	feed_tunnel_up(rig.feed, azure, true);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.6/32"), "tunnel azure");
	lab_bgp("172.16.0.6/32", 0, NULL, NULL);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.6/32"), "-");
	assert_string_equal(lab_way_to("172.16.0.6"), "tunnel azure");
}

static void another_peers_route_may_carry_it(void **state)
{
	(void)state;
	lab_config();
	lab_peer(0, "172.16.0.6");
	lab_peer(1, "192.168.2.66");
	lab_bgp("172.16.0.0/16", 1, "192.168.2.66", NULL);
	lab_settle();
	assert_true(lab.way[0].reachable);
	assert_string_equal(lab_fib("172.16.0.6/32"), "-");
}

static void a_default_learned_over_a_tunnel_does_not_carry_the_tunnel(void **state)
{
	(void)state;
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 200);
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	feed_tunnel_up(rig.feed, azure, true);
	lab_settle();
	assert_string_equal(lab_fib("198.51.100.7/32"), "-");
	lab_bgp("0.0.0.0/0", 0, "172.16.0.6", NULL);
	lab_settle();
	assert_string_equal(lab_fib("0.0.0.0/0"), "tunnel azure");
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	assert_string_equal(lab_way_to("8.8.8.8"), "tunnel azure");
	lab_bgp("198.51.100.0/24", 0, "192.168.2.66", NULL); /* learned over it, though it leads elsewhere */
	lab_settle();
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	lab.cfg.route[0].via = ip_v4(0xc0a80209);
	lab_config();
	assert_string_equal(lab_way_to("198.51.100.7"), "192.168.2.9 port 1");
	lab_bgp("198.51.100.0/24", 0, NULL, NULL);
	lab_bgp("0.0.0.0/0", 0, NULL, NULL);
	lab_settle();
	assert_string_equal(lab_fib("198.51.100.7/32"), "-");
}

static void two_tunnels_do_not_carry_each_other(void **state)
{
	struct tunnel *b = lab_tunnel("b", "198.51.100.8");

	(void)state;
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 200);
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_route("172.16.0.7/32", NULL, "b", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	lab_peer(1, "172.16.0.7");
	feed_tunnel_up(rig.feed, azure, true);
	feed_tunnel_up(rig.feed, b, true);
	lab_bgp("0.0.0.0/0", 0, "172.16.0.6", "172.16.0.7");
	lab_settle();
	assert_string_equal(lab_fib("0.0.0.0/0"), "tunnel azure + tunnel b");
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	assert_string_equal(lab_way_to("198.51.100.8"), "203.0.113.1 port 0");
}

static void a_static_default_into_a_tunnel_does_not_carry_the_tunnel(void **state)
{
	(void)state;
	lab_route("0.0.0.0/0", NULL, "azure", 1);
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 2);
	lab_config();
	assert_string_equal(lab_fib("198.51.100.7/32"), "-");
	feed_tunnel_up(rig.feed, azure, true);
	lab_settle();
	assert_string_equal(lab_fib("0.0.0.0/0"), "tunnel azure");
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	feed_tunnel_up(rig.feed, azure, false);
	lab_settle();
	assert_string_equal(lab_fib("198.51.100.7/32"), "-");
}

static void a_route_of_an_underlay_peer_may_carry_the_tunnel(void **state)
{
	(void)state;
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	lab_peer(1, "203.0.113.1");
	feed_tunnel_up(rig.feed, azure, true);
	lab_bgp("0.0.0.0/0", 1, "203.0.113.1", NULL);
	lab_settle();
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	assert_string_equal(lab_fib("198.51.100.7/32"), "-");
	lab_bgp("198.51.0.0/16", 0, "172.16.0.6", NULL);
	lab_settle();
	assert_string_equal(lab_way_to("198.51.100.7"), "203.0.113.1 port 0");
	assert_string_equal(lab_fib("198.51.100.7/32"), "203.0.113.1 port 0");
	lab_bgp("0.0.0.0/0", 1, "203.0.113.2", NULL);
	lab_settle();
	assert_string_equal(lab_fib("198.51.100.7/32"), "203.0.113.2 port 0");
}

static void the_pin_follows_the_endpoint(void **state)
{
	(void)state;
	lab_route("0.0.0.0/0", "203.0.113.1", NULL, 200);
	lab_route("172.16.0.6/32", NULL, "azure", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	feed_tunnel_up(rig.feed, azure, true);
	lab_bgp("0.0.0.0/0", 0, "172.16.0.6", NULL);
	lab_settle();
	azure->peer = ip_v4(0xc6336409);
	feed_tunnel_moved(rig.feed, azure);
	lab_settle();
	assert_string_equal(lab_fib("198.51.100.7/32"), "-");
	assert_string_equal(lab_fib("198.51.100.9/32"), "203.0.113.1 port 0");
	azure->wanted = false;
	lab.cfg.n_routes = 1;
	lab_config();
	lab_settle();
	assert_string_equal(lab_fib("198.51.100.9/32"), "-");
	assert_int_equal(lab.n_gone, 1);
}

static void a_peer_that_goes_leaves_no_pin(void **state)
{
	(void)state;
	lab_route("172.16.0.0/24", NULL, "azure", 1);
	lab_config();
	lab_peer(0, "172.16.0.6");
	feed_tunnel_up(rig.feed, azure, true);
	lab_bgp("172.16.0.6/32", 0, "192.168.2.66", NULL);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.6/32"), "tunnel azure");
	lab_peer(0, NULL);
	lab_settle();
	assert_string_equal(lab_fib("172.16.0.6/32"), "192.168.2.66 port 1");
}

/* The same guard for an endpoint and a peer in IPv6, and for IPv6 over an IPv4 tunnel. */
static void ipv6_endpoints_and_peers_are_guarded(void **state)
{
	struct tunnel *six;

	(void)state;
	lab_six();
	six = lab_tunnel("six", "2001:db8:9::7");
	lab_route("::/0", "2001:db8:1::1", NULL, 200);
	lab_route("2001:db8:16::6/128", NULL, "six", 1);
	lab_config();
	lab_peer(0, "2001:db8:16::6");
	feed_tunnel_up(rig.feed, six, true);
	lab_settle();
	assert_true(lab.way[0].reachable && lab.way[0].tunnel == six);
	lab_bgp("::/0", 0, "2001:db8:16::6", NULL);
	lab_bgp("2001:db8:16::/48", 0, "2001:db8:16::6", NULL);
	lab_settle();
	assert_string_equal(lab_fib("::/0"), "tunnel six");
	assert_string_equal(lab_fib("2001:db8:9::7/128"), "2001:db8:1::1 port 0"); /* the pin */
	assert_string_equal(lab_way_to("2001:db8:9::8"), "tunnel six");
	feed_tunnel_up(rig.feed, six, false);
	lab_settle();
	assert_string_equal(lab_fib("2001:db8:16::6/128"), "drop"); /* the session does not go on in clear */
	assert_string_equal(lab.way[0].cause, "tunnel six is down");
	assert_string_equal(lab_fib("::/0"), "2001:db8:1::1 port 0");
	assert_string_equal(lab_fib("2001:db8:9::7/128"), "-");
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_host_route_of_the_config_wins_over_the_learned_network),
		T(a_shorter_route_into_another_tunnel_takes_over),
		T(a_peers_own_route_does_not_carry_its_session),
		T(another_peers_route_may_carry_it),
		T(a_default_learned_over_a_tunnel_does_not_carry_the_tunnel),
		T(two_tunnels_do_not_carry_each_other),
		T(a_static_default_into_a_tunnel_does_not_carry_the_tunnel),
		T(a_route_of_an_underlay_peer_may_carry_the_tunnel),
		T(the_pin_follows_the_endpoint),
		T(a_peer_that_goes_leaves_no_pin),
		T(ipv6_endpoints_and_peers_are_guarded),
	};

	return cmocka_run_group_tests_name("feed-guard", tests, NULL, NULL);
}
