#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/bgp/rib_rig.h"

static struct rig g;

static int up(void **state)
{
	(void)state;
	rig_init(&g);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_fini(&g);
	return 0;
}

/* "10.0.0.1#0 10.0.0.2#1": next hops and peers of the route in force; "" when there is none, "-" when never told. */
static const char *route(const char *prefix)
{
	const struct rig_route *x = rig_route(&g, prefix);
	static char text[256];
	char ip[IP_STR];
	int n = 0;

	if (!x)
		return "-";
	text[0] = 0;
	for (unsigned i = 0; i < x->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s#%u", i ? " " : "", ip_str(&x->nexthop[i], ip),
			      x->peer[i]);
	return text;
}

/* --- rows of a walk in text --- */

static char rows[4096];

static bool add_row(void *arg, const struct bgp_row *r)
{
	char ip[IP_STR];
	size_t n = strlen(rows);
	int *left = arg;

	(void)snprintf(rows + n, sizeof(rows) - n, "%s#%d%s%s%s%s %s %s\n", ip_prefix_str(&r->prefix, ip), (int)r->peer,
		       r->valid ? " valid" : "", r->best ? " best" : "", r->multipath ? " multipath" : "",
		       r->filtered ? " filtered" : "", rig_text(r->attrs), r->why);
	return !left || --*left > 0;
}

static const char *walk(enum bgp_view v, uint32_t peer)
{
	struct ip_prefix after = {.addr = {.family = IP_NONE}};

	rows[0] = 0;
	while (rib_walk(g.r, v, peer, &after, 1, add_row, NULL))
		;
	return rows;
}

/* --- --- */

static void a_path_needs_policy_and_next_hop(void **state)
{
	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	assert_string_equal(route("10.1.0.0/16"), "-");
	assert_string_equal(walk(BGP_VIEW_ROUTES, 0), "10.1.0.0/16#0 65010 via 10.0.0.1 next hop unreachable\n");
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0");
	assert_string_equal(walk(BGP_VIEW_ROUTES, 0), "10.1.0.0/16#0 valid best 65010 via 10.0.0.1 best\n");
	rig_reach(&g, "10.0.0.1", false, 0);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "");
	assert_int_equal(g.changes, 2);
}

static void without_policy_all_is_kept_and_nothing_accepted(void **state)
{
	(void)state;
	rig_peer(&g, 0, NULL, NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	assert_int_equal(rib_received(g.r, 0), 1);
	assert_int_equal(rib_accepted(g.r, 0), 0);
	assert_int_equal(g.n_watched, 0);
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0),
			    "10.1.0.0/16#0 filtered 65010 via 10.0.0.1 no import policy (RFC 8212)\n");
	assert_string_equal(walk(BGP_VIEW_ROUTES, 0), "");
	/* the policy comes later: no need to ask the peer again */
	rib_peer_policy(g.r, 0, rig_policy(&g, "all"), NULL, RIG_AS);
	rig_work(&g);
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	assert_int_equal(rib_accepted(g.r, 0), 1);
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0");
	rib_peer_policy(g.r, 0, NULL, NULL, RIG_AS);
	rig_work(&g);
	assert_int_equal(rib_accepted(g.r, 0), 0);
	assert_int_equal(rib_received(g.r, 0), 1);
	assert_string_equal(route("10.1.0.0/16"), "");
	assert_int_equal(g.n_watched, 0);
}

static void a_policy_changes_the_set_and_keeps_the_received(void **state)
{
	struct bgp_attrs_text t;
	const struct bgp_attrs *a;

	(void)state;
	(void)a;
	(void)t;
	rig_peer(&g, 0, "hop", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	assert_true(g.n_watched == 1 && rig_watched(&g, &(struct ip_addr){.family = IP_V4, .b = {192, 0, 2, 99}}));
	rig_reach(&g, "192.0.2.99", true, 0);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "192.0.2.99#0");
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0), "10.1.0.0/16#0 valid best 65010 via 10.0.0.1 best\n");
	assert_string_equal(walk(BGP_VIEW_ROUTES, 0), "10.1.0.0/16#0 valid best 65010 via 192.0.2.99 best\n");
	rib_peer_policy(g.r, 0, rig_policy(&g, "none"), NULL, RIG_AS);
	rig_work(&g);
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0),
			    "10.1.0.0/16#0 filtered 65010 via 10.0.0.1 denied by the import policy\n");
	assert_string_equal(route("10.1.0.0/16"), "");
}

/* RFC 4271 9.1.2: excluded, but it has replaced the earlier path. */
static void a_loop_replaces_the_path_and_is_not_used(void **state)
{
	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010 65001 65020");
	assert_string_equal(route("10.1.0.0/16"), "");
	assert_int_equal(rib_received(g.r, 0), 1);
	assert_int_equal(rib_accepted(g.r, 0), 0);
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0),
			    "10.1.0.0/16#0 filtered 65010 65001 65020 via 10.0.0.1 own AS in the path\n");
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.254", "65010");
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0),
			    "10.1.0.0/16#0 filtered 65010 via 10.0.0.254 next hop is our own address\n");
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0");
}

static void a_change_is_told_once_and_only_when_it_is_one(void **state)
{
	(void)state;
	rib_multipath(g.r, 8);
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010 65099");
	rig_announce(&g, 1, "10.1.0.0/16", "10.0.0.2", "65010 65099");
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_reach(&g, "10.0.0.2", true, 0);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0 10.0.0.2#1");
	assert_int_equal(g.changes, 1);
	/* the same again; another path of the same next hops */
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010 65099");
	assert_int_equal(g.changes, 1);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010 65098");
	assert_int_equal(g.changes, 1);
	/* a distance that changes nothing */
	rig_reach(&g, "10.0.0.1", true, 0);
	assert_false(rib_busy(g.r));
	/* the second falls behind, then leaves */
	rig_announce(&g, 1, "10.1.0.0/16", "10.0.0.2", "65010 65099 65098");
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0");
	assert_int_equal(g.changes, 2);
	rig_withdraw(&g, 1, "10.1.0.0/16");
	assert_int_equal(g.changes, 2);
	rig_withdraw(&g, 1, "10.1.0.0/16");
	rig_withdraw(&g, 1, "10.9.0.0/16");
	assert_int_equal(g.changes, 2);
	rig_withdraw(&g, 0, "10.1.0.0/16");
	assert_string_equal(route("10.1.0.0/16"), "");
	assert_int_equal(g.n_watched, 0);
}

static void multipath_has_a_limit_that_can_change(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		char nh[16];

		(void)snprintf(nh, sizeof(nh), "10.0.0.%u", i + 1);
		rig_peer(&g, i, "all", NULL);
		rig_announce(&g, i, "2001:db8::/32", nh, "65010");
		rig_reach(&g, nh, true, 5);
	}
	rig_work(&g);
	assert_string_equal(route("2001:db8::/32"), "10.0.0.1#0");
	rib_multipath(g.r, 3);
	rig_work(&g);
	assert_string_equal(route("2001:db8::/32"), "10.0.0.1#0 10.0.0.2#1 10.0.0.3#2");
	rig_reach(&g, "10.0.0.1", true, 6);
	rig_work(&g);
	assert_string_equal(route("2001:db8::/32"), "10.0.0.2#1 10.0.0.3#2 10.0.0.4#3");
	assert_string_equal(walk(BGP_VIEW_BEST, 0), "2001:db8::/32#1 valid best 65010 via 10.0.0.2 best\n"
						    "2001:db8::/32#2 valid multipath 65010 via 10.0.0.3 router ID\n"
						    "2001:db8::/32#3 valid multipath 65010 via 10.0.0.4 router ID\n"
						    "2001:db8::/32#0 valid 65010 via 10.0.0.1 next hop distance\n");
}

static void a_lost_peer_takes_its_paths_along(void **state)
{
	char p[32];

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, "all", NULL);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(p, sizeof(p), "10.1.%u.0/24", i);
		rig_announce(&g, 0, p, "10.0.0.1", "65010");
		if (i % 2)
			rig_announce(&g, 1, p, "10.0.0.2", "65011 65010");
	}
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_reach(&g, "10.0.0.2", true, 0);
	rig_work(&g);
	rig_peer_down(&g, 0);
	assert_int_equal(rib_received(g.r, 0), 0);
	assert_true(rib_busy(g.r));
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/24"), "");
	assert_string_equal(route("10.1.1.0/24"), "10.0.0.2#1");
	assert_int_equal(g.n_watched, 1);
	assert_int_equal(rib_received(g.r, 1), 100);
}

/* The session is back before the slices are done: what it says now counts, what it has not said yet does not. */
static void paths_of_the_old_session_are_told_apart(void **state)
{
	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_announce(&g, 0, "10.2.0.0/16", "10.0.0.1", "65010");
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	rig_peer_down(&g, 0);
	rig_peer(&g, 0, "all", NULL);
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0), "");
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	assert_int_equal(rib_received(g.r, 0), 1);
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0), "10.1.0.0/16#0 valid best 65010 via 10.0.0.1 best\n");
	rig_withdraw(&g, 0, "10.1.0.0/16");
	assert_int_equal(rib_received(g.r, 0), 0);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010 65077");
	rig_withdraw(&g, 0, "10.2.0.0/16");
	assert_int_equal(rib_received(g.r, 0), 1);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0");
	assert_string_equal(route("10.2.0.0/16"), "");
	assert_int_equal(rib_received(g.r, 0), 1);
	assert_int_equal(rib_accepted(g.r, 0), 1);
}

static void a_lost_peer_is_swept_in_slices(void **state)
{
	unsigned slices = 0, most = 0, was;

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	for (unsigned i = 0; i < 3 * RIB_SLICE; i++) {
		struct ip_prefix p = {.addr = ip_v4(0x0b000000 + (i << 8)), .len = 24};
		const struct bgp_attrs *a = rig_set(&g, "10.0.0.1", "65010");

		rib_update(g.r, 0, &p, a);
		intern_put(g.in, a);
	}
	rig_peer_down(&g, 0);
	do {
		struct bgp_totals t;

		rib_totals(g.r, &t);
		was = (unsigned)t.paths;
		slices++;
		(void)rib_work(g.r);
		rib_totals(g.r, &t);
		if (was - t.paths > most)
			most = was - (unsigned)t.paths;
	} while (rib_busy(g.r));
	assert_true(slices >= 3 && slices <= 8);
	assert_true(most <= RIB_SLICE);
}

/* A cause that comes when the sweep is past the nets that it is about. */
static void a_sweep_that_is_overtaken_runs_once_more(void **state)
{
	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	for (unsigned i = 0; i < 2 * RIB_SLICE; i++) {
		struct ip_prefix p = {.addr = ip_v4(0x0b000000 + (i << 8)), .len = 24};
		const struct bgp_attrs *a = rig_set(&g, "10.0.0.2", "65011");

		rib_update(g.r, 1, &p, a);
		intern_put(g.in, a);
	}
	rig_peer_down(&g, 1);
	assert_true(rib_work(g.r)); /* the first row is behind us now */
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	assert_string_equal(route("10.1.0.0/16"), "10.0.0.1#0");
}

/* What is originated here is best for neighbours; the route in force stays the learned one, which another owner may hide. */
static void an_originated_prefix_is_not_a_route(void **state)
{
	struct ip_prefix p = rig_prefix("192.168.2.0/24");

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rib_originate(g.r, &p, true);
	rib_originate(g.r, &p, true);
	assert_int_equal(g.changes, 0);
	assert_string_equal(walk(BGP_VIEW_BEST, 0), "192.168.2.0/24#-1 valid best  via - best\n");
	rig_announce(&g, 0, "192.168.2.0/24", "10.0.0.1", "65010");
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
	assert_string_equal(route("192.168.2.0/24"), "10.0.0.1#0");
	assert_string_equal(walk(BGP_VIEW_BEST, 0), "192.168.2.0/24#-1 valid best  via - best\n"
						    "192.168.2.0/24#0 valid 65010 via 10.0.0.1 originated here\n");
	rib_originate(g.r, &p, false);
	assert_int_equal(g.changes, 1);
	assert_string_equal(walk(BGP_VIEW_BEST, 0), "192.168.2.0/24#0 valid best 65010 via 10.0.0.1 best\n");
}

static void a_walk_is_in_prefix_order(void **state)
{
	static const char *const mixed[] = {"10.1.0.0/16", "2001:db8::/32", "9.0.0.0/8", "10.0.0.0/8",
					    "10.1.0.0/24", "2001:db8::/48", "2001::/16", "255.255.255.255/32",
					    "0.0.0.0/0",   "10.0.128.0/17"};
	struct ip_prefix after = {.addr = {.family = IP_NONE}};
	int left = 2;

	(void)state;
	rig_peer(&g, 0, NULL, NULL);
	for (unsigned i = 0; i < sizeof(mixed) / sizeof(mixed[0]); i++)
		rig_announce(&g, 0, mixed[i], "10.0.0.1", "1");
	assert_string_equal(walk(BGP_VIEW_RECEIVED, 0),
			    "0.0.0.0/0#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "9.0.0.0/8#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "10.0.0.0/8#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "10.0.128.0/17#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "10.1.0.0/16#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "10.1.0.0/24#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "255.255.255.255/32#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "2001::/16#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "2001:db8::/32#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
			    "2001:db8::/48#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n");
	/* fn may stop, and the next call goes on behind; what left meanwhile is stepped over */
	rows[0] = 0;
	assert_int_equal(rib_walk(g.r, BGP_VIEW_RECEIVED, 0, &after, 100, add_row, &left), 2);
	rig_withdraw(&g, 0, "10.0.0.0/8");
	assert_int_equal(rib_walk(g.r, BGP_VIEW_RECEIVED, 0, &after, 1, add_row, NULL), 1);
	rig_withdraw(&g, 0, "10.1.0.0/16");
	rig_announce(&g, 0, "10.0.64.0/18", "10.0.0.1", "1"); /* takes the row of what has just gone */
	assert_int_equal(rib_walk(g.r, BGP_VIEW_RECEIVED, 0, &after, 1, add_row, NULL), 1);
	assert_string_equal(rows, "0.0.0.0/0#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
				  "9.0.0.0/8#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
				  "10.0.128.0/17#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n"
				  "10.1.0.0/24#0 filtered 1 via 10.0.0.1 no import policy (RFC 8212)\n");
}

static void a_walk_does_not_tear_a_prefix_apart(void **state)
{
	struct ip_prefix after = {.addr = {.family = IP_NONE}};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		rig_peer(&g, i, "all", NULL);
		rig_announce(&g, i, "10.1.0.0/16", "10.0.0.1", "65010");
		rig_announce(&g, i, "10.2.0.0/16", "10.0.0.1", "65010");
	}
	assert_int_equal(rib_walk(g.r, BGP_VIEW_BEST, 0, &after, 5, add_row, NULL), 3);
	assert_int_equal(rib_walk(g.r, BGP_VIEW_BEST, 0, &after, 2, add_row, NULL), 3);
	assert_int_equal(rib_walk(g.r, BGP_VIEW_BEST, 0, &after, 2, add_row, NULL), 0);
}

static void a_new_walk_sees_what_is_new(void **state)
{
	struct ip_prefix after = {.addr = {.family = IP_NONE}};

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_announce(&g, 0, "10.2.0.0/16", "10.0.0.1", "65010");
	assert_int_equal(rib_walk(g.r, BGP_VIEW_BEST, 0, &after, 1, add_row, NULL), 1); /* and not to the end */
	rig_announce(&g, 0, "10.3.0.0/16", "10.0.0.1", "65010");
	assert_non_null(strstr(walk(BGP_VIEW_BEST, 0), "10.3.0.0/16"));
	after.addr.family = IP_NONE;
	assert_int_equal(rib_walk(g.r, BGP_VIEW_BEST, 0, &after, 1, add_row, NULL), 1);
	rig_announce(&g, 0, "2001:db8::/32", "10.0.0.1", "65010");
	assert_non_null(strstr(walk(BGP_VIEW_BEST, 0), "2001:db8::/32"));
}

/* Prefixes come and go; what they leave in the hash is cleared away without growing. */
static void coming_and_going_takes_no_memory(void **state)
{
	struct bgp_totals before, after;
	char p[32];

	(void)state;
	rig_peer(&g, 0, NULL, NULL);
	for (unsigned i = 0; i < 450; i++) { /* of 1024 slots */
		(void)snprintf(p, sizeof(p), "10.%u.%u.0/24", i / 256, i % 256);
		rig_announce(&g, 0, p, "10.0.0.1", "65010");
	}
	rib_totals(g.r, &before);
	for (unsigned i = 0; i < 20000; i++) {
		(void)snprintf(p, sizeof(p), "11.%u.%u.0/24", i / 256, i % 256);
		rig_announce(&g, 0, p, "10.0.0.1", "65010");
		if (i >= 20) {
			(void)snprintf(p, sizeof(p), "11.%u.%u.0/24", (i - 20) / 256, (i - 20) % 256);
			rig_withdraw(&g, 0, p);
		}
	}
	rib_totals(g.r, &after);
	assert_int_equal(after.prefixes, 450 + 20);
	assert_in_range(after.octets, before.octets, before.octets + 1000);
}

static void a_prefix_takes_little_memory(void **state)
{
	enum { N = 100000 };
	struct bgp_totals t;

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	for (unsigned i = 0; i < N; i++) {
		char path[32];
		const struct bgp_attrs *a;
		struct ip_prefix p = {.addr = ip_v4(i << 8), .len = 24};

		(void)snprintf(path, sizeof(path), "65010 65020 3356 %u", i / 6 + 1);
		a = rig_set(&g, "10.0.0.1", path);
		rib_update(g.r, 0, &p, a);
		intern_put(g.in, a);
	}
	rib_totals(g.r, &t);
	assert_int_equal(t.prefixes, N);
	assert_int_equal(t.paths, N);
	assert_int_equal(t.attr_sets, N / 6 + 2);
	assert_in_range(t.octets / N, 40, 100);
	rig_peer_down(&g, 0);
	rig_work(&g);
	rib_totals(g.r, &t);
	assert_int_equal(t.prefixes, 0);
	assert_true(t.octets < 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_path_needs_policy_and_next_hop, up, down),
		cmocka_unit_test_setup_teardown(without_policy_all_is_kept_and_nothing_accepted, up, down),
		cmocka_unit_test_setup_teardown(a_policy_changes_the_set_and_keeps_the_received, up, down),
		cmocka_unit_test_setup_teardown(a_loop_replaces_the_path_and_is_not_used, up, down),
		cmocka_unit_test_setup_teardown(a_change_is_told_once_and_only_when_it_is_one, up, down),
		cmocka_unit_test_setup_teardown(multipath_has_a_limit_that_can_change, up, down),
		cmocka_unit_test_setup_teardown(a_lost_peer_takes_its_paths_along, up, down),
		cmocka_unit_test_setup_teardown(paths_of_the_old_session_are_told_apart, up, down),
		cmocka_unit_test_setup_teardown(a_lost_peer_is_swept_in_slices, up, down),
		cmocka_unit_test_setup_teardown(a_sweep_that_is_overtaken_runs_once_more, up, down),
		cmocka_unit_test_setup_teardown(an_originated_prefix_is_not_a_route, up, down),
		cmocka_unit_test_setup_teardown(a_walk_is_in_prefix_order, up, down),
		cmocka_unit_test_setup_teardown(a_walk_does_not_tear_a_prefix_apart, up, down),
		cmocka_unit_test_setup_teardown(a_new_walk_sees_what_is_new, up, down),
		cmocka_unit_test_setup_teardown(coming_and_going_takes_no_memory, up, down),
		cmocka_unit_test_setup_teardown(a_prefix_takes_little_memory, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
