#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/update.h"
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

/* Peer 0 tells, peer 1 hears. */
static void two_peers(const char *export)
{
	rig_peer(&g, 0, "all", "all");
	rig_peer(&g, 1, "all", export);
}

static void announce(const char *prefix, const char *path)
{
	rig_announce(&g, 0, prefix, "10.0.0.1", path);
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_work(&g);
}

/* An announcement of peer 0 with more than a path. */
static void announce_with(const char *prefix, const char *nexthop, uint8_t has, uint32_t value, unsigned part,
			  const void *octets, size_t len)
{
	const struct bgp_attrs *plain = rig_set(&g, nexthop, "65010"), *a;
	struct ip_prefix p = rig_prefix(prefix);
	struct bgp_attrs_draft d;

	attr_draft(&d, plain);
	d.a.has = has;
	if (has & BGP_HAS_MED)
		d.a.med = value;
	if (has & BGP_HAS_LOCAL_PREF)
		d.a.local_pref = value;
	if (len)
		assert_int_equal(attr_set_part(&d, part, octets, len), 0);
	a = intern_get(g.in, &d.a);
	rib_update(g.r, 0, &p, a);
	rig_reach(&g, nexthop, true, 0);
	rig_work(&g);
	intern_put(g.in, a);
	intern_put(g.in, plain);
}

static const char *held(uint32_t peer, const char *prefix)
{
	return rig_text(rig_held(&g, peer, prefix));
}

/* --- what eBGP does to a route (RFC 4271 5.1) --- */

static void a_route_goes_to_the_others_as_ours(void **state)
{
	const struct bgp_attrs *a;

	(void)state;
	two_peers("all");
	announce_with("10.1.0.0/16", "10.0.0.1", BGP_HAS_MED | BGP_HAS_LOCAL_PREF, 30, 0, NULL, 0);
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 10.0.0.254");
	a = rig_held(&g, 1, "10.1.0.0/16");
	assert_int_equal(a->has, 0); /* MED stays here (5.1.4), LOCAL_PREF too (5.1.5) */
	assert_string_equal(held(0, "10.1.0.0/16"), "nothing");
	assert_int_equal(out_count(g.r, 1), 1);
	assert_int_equal(out_count(g.r, 0), 0);
}

static void what_is_not_ours_passes_unchanged(void **state)
{
	static const uint8_t comm[] = {0xff, 0x29, 0x2e, 0xe1, 0xfd, 0xea, 0, 7};
	static const uint8_t large[] = {0, 0, 0xfd, 0xea, 0, 0, 0, 1, 0, 0, 0, 2};
	static const uint8_t other[] = {0xe0, 99, 3, 1, 2, 3};
	const struct bgp_attrs *a;

	(void)state;
	two_peers("all");
	announce_with("10.1.0.0/16", "10.0.0.1", BGP_HAS_ATOMIC, 0, 1, comm, sizeof(comm));
	announce_with("10.2.0.0/16", "10.0.0.1", 0, 0, 3, large, sizeof(large));
	announce_with("10.3.0.0/16", "10.0.0.1", 0, 0, 4, other, sizeof(other));
	rig_pull(&g);
	a = rig_held(&g, 1, "10.1.0.0/16");
	assert_int_equal(a->comm_len, sizeof(comm));
	assert_memory_equal(attr_comm(a), comm, sizeof(comm));
	assert_int_equal(a->has, BGP_HAS_ATOMIC);
	a = rig_held(&g, 1, "10.2.0.0/16");
	assert_int_equal(a->large_len, sizeof(large));
	assert_memory_equal(attr_large(a), large, sizeof(large));
	a = rig_held(&g, 1, "10.3.0.0/16");
	assert_int_equal(a->other_len, sizeof(other));
	assert_memory_equal(attr_other(a), other, sizeof(other)); /* the Partial bit is in it */
}

static void extended_communities_leave_only_if_transitive(void **state)
{
	static const uint8_t ext[] = {0x40, 4, 0, 1, 0, 0, 0, 9,  /* link bandwidth: not transitive */
				      0x00, 2, 0, 1, 0, 0, 0, 7,  /* route target */
				      0x43, 0, 0, 0, 0, 0, 0, 0}; /* origin validation state: not transitive */
	const struct bgp_attrs *a;

	(void)state;
	two_peers("all");
	announce_with("10.1.0.0/16", "10.0.0.1", 0, 0, 2, ext, sizeof(ext));
	announce_with("10.2.0.0/16", "10.0.0.1", 0, 0, 2, ext, 8);
	announce_with("10.3.0.0/16", "10.0.0.1", 0, 0, 2, ext + 8, 8);
	rig_pull(&g);
	for (unsigned i = 0; i < 2; i++) {
		a = rig_held(&g, 1, i ? "10.1.0.0/16" : "10.3.0.0/16");
		assert_int_equal(a->ext_len, 8);
		assert_memory_equal(attr_ext(a), ext + 8, 8);
		assert_int_equal(a->path_len, 10); /* two ASes: nothing else is touched */
	}
	a = rig_held(&g, 1, "10.2.0.0/16");
	assert_non_null(a);
	assert_int_equal(a->ext_len, 0);
}

static void well_known_communities_keep_a_route_here(void **state)
{
	static const uint32_t stay[] = {0xffffff01, 0xffffff02, 0xffffff03}, go[] = {0xffffff00, 0xffffff04};
	char prefix[32];

	(void)state;
	two_peers("all");
	for (unsigned i = 0; i < 5; i++) {
		uint32_t c = i < 3 ? stay[i] : go[i - 3];
		uint8_t comm[8] = {0xfd,      0xea, 0, 1, (uint8_t)(c >> 24), (uint8_t)(c >> 16), (uint8_t)(c >> 8),
				   (uint8_t)c};

		(void)snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
		announce_with(prefix, "10.0.0.1", 0, 0, 1, comm, sizeof(comm));
	}
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 2);
	assert_non_null(rig_held(&g, 1, "10.3.0.0/16"));
	assert_non_null(rig_held(&g, 1, "10.4.0.0/16"));
}

static void without_a_policy_only_end_of_rib_is_sent(void **state)
{
	(void)state;
	two_peers(NULL);
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
	assert_int_equal(g.messages[1], 2);
	assert_int_equal(g.eor_v4[1], 1);
	assert_int_equal(g.eor_v6[1], 1);
	/* then one comes, and goes */
	rib_peer_policy(g.r, 1, rig_policy(&g, "all"), rig_policy(&g, "all"), RIG_AS);
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 1);
	rib_peer_policy(g.r, 1, rig_policy(&g, "all"), NULL, RIG_AS);
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
	assert_int_equal(out_count(g.r, 1), 0);
	assert_int_equal(g.eor_v4[1], 1);
	announce("10.2.0.0/16", "65010");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
}

static void a_policy_may_set_next_hop_and_med(void **state)
{
	(void)state;
	two_peers("hop");
	rig_peer(&g, 2, NULL, "ten");
	announce("10.1.0.0/16", "65010");
	announce("11.1.0.0/16", "65010");
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 192.0.2.99");
	assert_string_equal(held(2, "10.1.0.0/16"), "65001 65010 via 10.0.0.254");
	assert_int_equal(rig_held(&g, 2, "10.1.0.0/16")->has, BGP_HAS_MED);
	assert_int_equal(rig_held(&g, 2, "10.1.0.0/16")->med, 77);
	assert_null(rig_held(&g, 2, "11.1.0.0/16"));
	/* another policy: what it denies is withdrawn, what is the same is not sent again */
	g.same_again = 0;
	rib_peer_policy(g.r, 1, rig_policy(&g, "all"), rig_policy(&g, "ten"), RIG_AS);
	rig_pull(&g);
	assert_null(rig_held(&g, 1, "11.1.0.0/16"));
	assert_int_equal(rig_held(&g, 1, "10.1.0.0/16")->med, 77);
	rib_peer_policy(g.r, 2, NULL, rig_policy(&g, "all"), RIG_AS);
	rib_peer_policy(g.r, 2, NULL, rig_policy(&g, "ten"), RIG_AS);
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 2, "10.1.0.0/16"), 1);
	assert_int_equal(g.same_again, 0);
}

/* RFC 4271 5.1.3. */
static void the_next_hop_stays_only_where_the_peer_reaches_it(void **state)
{
	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, NULL, "all");
	rig_peer_down(&g, 1);
	g.session[1].multihop = 0;
	g.session[1].lan = rig_prefix("10.0.0.0/24");
	rig_peer(&g, 1, NULL, "all");
	announce("10.1.0.0/16", "65010");
	announce_with("10.2.0.0/16", "10.0.0.2", 0, 0, 0, NULL, 0);  /* the peer's own address */
	announce_with("10.3.0.0/16", "10.0.1.77", 0, 0, 0, NULL, 0); /* elsewhere */
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 10.0.0.1");
	assert_string_equal(held(1, "10.2.0.0/16"), "65001 65010 via 10.0.0.254");
	assert_string_equal(held(1, "10.3.0.0/16"), "65001 65010 via 10.0.0.254");
	/* through a router: always ours */
	rig_peer_down(&g, 1);
	g.session[1].multihop = 2;
	rig_peer(&g, 1, NULL, "all");
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 10.0.0.254");
}

static void a_family_without_an_address_of_ours_is_not_told(void **state)
{
	(void)state;
	two_peers("all");
	announce("2001:db8::/32", "65010");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
	rig_peer_down(&g, 1);
	g.session[1].codec.local = rig_addr("fd00::1");
	g.session[1].codec.remote = rig_addr("fd00::2");
	rig_peer(&g, 1, NULL, "all");
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 1);
	assert_string_equal(held(1, "2001:db8::/32"), "65001 65010 via fd00::1");
	rig_withdraw(&g, 0, "2001:db8::/32");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
}

/* --- originated here --- */

static void an_originated_prefix_goes_by_the_policy(void **state)
{
	struct ip_prefix ten = rig_prefix("10.9.0.0/16"), eleven = rig_prefix("11.9.0.0/16");

	(void)state;
	rig_peer(&g, 0, NULL, "all");
	rig_peer(&g, 1, NULL, "ten");
	rib_originate(g.r, &ten, true);
	rib_originate(g.r, &eleven, true);
	rig_pull(&g);
	assert_string_equal(held(0, "10.9.0.0/16"), "65001 via 10.0.0.254");
	assert_int_equal(rig_held(&g, 0, "10.9.0.0/16")->origin, BGP_ORIGIN_IGP);
	assert_int_equal(rig_held(&g, 0, "10.9.0.0/16")->has, 0);
	assert_int_equal(rig_held_count(&g, 0), 2);
	assert_int_equal(rig_held_count(&g, 1), 1);
	rib_originate(g.r, &ten, false);
	rig_pull(&g);
	assert_null(rig_held(&g, 0, "10.9.0.0/16"));
	assert_int_equal(out_count(g.r, 1), 0);
}

static bool count_rows(void *arg, const struct bgp_row *r)
{
	*(unsigned *)arg += r->prefix.len == 0 && r->peer == BGP_NO_PEER;
	return true;
}

/* Seed rows 3-06 to 3-09. */
static void a_default_is_originated_whatever_the_policy_says(void **state)
{
	struct ip_prefix after = {.addr = {.family = IP_NONE}};
	const struct bgp_attrs *a;
	unsigned n = 0;

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, NULL, "ten");
	rig_peer(&g, 2, NULL, NULL);
	rib_peer_export(g.r, 1, true, 0);
	rib_peer_export(g.r, 2, true, 0);
	rig_pull(&g);
	for (uint32_t i = 1; i < 3; i++) {
		a = rig_held(&g, i, "0.0.0.0/0");
		assert_string_equal(rig_text(a), "65001 via 10.0.0.254");
		assert_int_equal(a->origin, BGP_ORIGIN_IGP);
		assert_int_equal(a->has, BGP_HAS_MED);
		assert_int_equal(a->med, 0);
		assert_int_equal(out_count(g.r, i), 1);
	}
	assert_int_equal(rib_walk(g.r, BGP_VIEW_ADVERTISED, 1, &after, 10, count_rows, &n), 1);
	assert_int_equal(n, 1);
	/* a learned one does not change it, and no route of ours comes of it */
	assert_int_equal(g.changes, 0);
	announce("0.0.0.0/0", "65010 65020");
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "0.0.0.0/0"), 1);
	assert_string_equal(held(1, "0.0.0.0/0"), "65001 via 10.0.0.254");
	/* the option goes: denied by "ten", so withdrawn; with "all" the learned one takes its place */
	rib_peer_export(g.r, 1, false, 0);
	rig_pull(&g);
	assert_null(rig_held(&g, 1, "0.0.0.0/0"));
	rib_peer_policy(g.r, 2, NULL, rig_policy(&g, "all"), RIG_AS);
	rig_pull(&g);
	assert_string_equal(held(2, "0.0.0.0/0"), "65001 via 10.0.0.254");
	rib_peer_export(g.r, 2, false, 0);
	rig_pull(&g);
	assert_string_equal(held(2, "0.0.0.0/0"), "65001 65010 65020 via 10.0.0.254");
	rig_withdraw(&g, 0, "0.0.0.0/0");
	rig_pull(&g);
	assert_null(rig_held(&g, 2, "0.0.0.0/0"));
	/* with it from the start of a session, and nothing in the table */
	rig_peer_down(&g, 2);
	g.session[2].default_originate = true;
	rig_peer(&g, 2, NULL, NULL);
	rig_pull(&g);
	assert_string_equal(held(2, "0.0.0.0/0"), "65001 via 10.0.0.254");
}

/* --- what is sent, and how often --- */

static void the_latest_counts_and_nothing_is_sent_twice(void **state)
{
	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	announce("10.3.0.0/16", "65010");
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "10.1.0.0/16"), 1);
	/* there and back again between two pulls: nothing to say */
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010 65020");
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_withdraw(&g, 0, "10.1.0.0/16");
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_announce(&g, 0, "10.2.0.0/16", "10.0.0.1", "65010");
	rig_withdraw(&g, 0, "10.2.0.0/16");
	g.messages[1] = 0;
	rig_pull(&g);
	assert_int_equal(g.messages[1], 0);
	/* what differs for us only (MED, LOCAL_PREF) is the same for the peer */
	announce_with("10.1.0.0/16", "10.0.0.1", BGP_HAS_MED, 5, 0, NULL, 0);
	rig_pull(&g);
	assert_int_equal(g.messages[1], 0);
	announce("10.1.0.0/16", "65010 65020");
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "10.1.0.0/16"), 2);
	rig_withdraw(&g, 0, "10.1.0.0/16");
	rig_pull(&g);
	assert_null(rig_held(&g, 1, "10.1.0.0/16"));
	assert_int_equal(g.messages[1], 2);
}

static void a_peer_is_woken_only_for_something(void **state)
{
	unsigned was;

	(void)state;
	two_peers("all");
	rig_pull(&g);
	was = g.ready[1];
	announce("10.1.0.0/16", "65010");
	announce("10.2.0.0/16", "65010");
	assert_int_equal(g.ready[1], was + 1); /* the second is evaluated when the first has left */
	assert_true(out_pending(g.r, 1));
	rig_pull(&g);
	assert_false(out_pending(g.r, 1));
	assert_int_equal(rig_held_count(&g, 1), 2);
	was = g.ready[1];
	rig_announce(&g, 1, "10.3.0.0/16", "10.0.0.1", "65011"); /* its own */
	rig_work(&g);
	assert_int_equal(g.ready[1], was);
}

static void many_prefixes_of_one_set_share_a_message(void **state)
{
	char p[32];

	(void)state;
	two_peers("all");
	rig_pull(&g);
	g.messages[1] = 0;
	for (unsigned i = 0; i < 256; i++) {
		(void)snprintf(p, sizeof(p), "10.1.%u.0/24", i);
		rig_announce(&g, 0, p, "10.0.0.1", i % 2 ? "65010" : "65010 65020");
	}
	rig_reach(&g, "10.0.0.1", true, 0);
	rig_pull(&g);
	assert_int_equal(g.messages[1], 2);
	assert_int_equal(rig_held_count(&g, 1), 256);
	rig_peer_down(&g, 0);
	rig_pull(&g);
	assert_int_equal(g.messages[1], 3);
	assert_int_equal(rig_held_count(&g, 1), 0);
}

static void withdrawals_leave_first(void **state)
{
	uint8_t buf[BGP_MSG_MAX];

	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	announce("10.0.0.0/16", "65010");
	(void)out_pull(g.r, 0, buf);
	rig_pull(&g);
	rig_announce(&g, 0, "10.2.0.0/16", "10.0.0.1", "65010");
	rig_withdraw(&g, 0, "10.1.0.0/16");
	assert_true(out_pull(g.r, 1, buf) > 0);
	assert_true(buf[BGP_HDR] * 256 + buf[BGP_HDR + 1] > 0); /* withdrawn routes length */
	rig_pull(&g);
	assert_non_null(rig_held(&g, 1, "10.2.0.0/16"));
}

static void a_refresh_sends_all_of_a_family_once_more(void **state)
{
	(void)state;
	two_peers("all");
	rig_peer_down(&g, 1);
	g.session[1].codec.local = rig_addr("fd00::1");
	g.session[1].codec.remote = rig_addr("fd00::2");
	rig_peer(&g, 1, NULL, "hop"); /* gives IPv4 a next hop */
	announce("10.1.0.0/16", "65010");
	announce("10.2.0.0/16", "65010 65020");
	announce("2001:db8::/32", "65010");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 3);
	out_refresh(g.r, 1, IP_V4);
	rig_announce(&g, 0, "10.2.0.0/16", "10.0.0.1", "65010 65030"); /* in the midst of it: once is enough */
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "10.1.0.0/16"), 2);
	assert_int_equal(rig_times(&g, 1, "10.2.0.0/16"), 2);
	assert_int_equal(rig_times(&g, 1, "2001:db8::/32"), 1);
	assert_string_equal(held(1, "10.2.0.0/16"), "65001 65010 65030 via 192.0.2.99");
	out_refresh(g.r, 1, IP_V6);
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "10.1.0.0/16"), 2);
	assert_int_equal(rig_times(&g, 1, "2001:db8::/32"), 2);
	assert_int_equal(g.eor_v4[1] + g.eor_v6[1], 2);
}

/* Routes of both families go to a session over IPv6 whose policy gives IPv4 a next hop. */
static void both_families(bool mp_v6)
{
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, NULL, NULL);
	rig_peer_down(&g, 1);
	g.session[1].codec.local = rig_addr("fd00::1");
	g.session[1].codec.remote = rig_addr("fd00::2");
	g.session[1].codec.mp_v6 = mp_v6;
	rig_peer(&g, 1, NULL, "hop");
	rig_pull(&g);
	g.messages[1] = 0;
	announce("10.1.0.0/16", "65010");
	announce("2001:db8::/32", "65010");
	rig_pull(&g);
}

static void withdrawals_of_both_families_part(void **state)
{
	(void)state;
	both_families(true);
	assert_int_equal(rig_held_count(&g, 1), 2);
	rig_peer_down(&g, 0);
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
}

static void a_family_that_is_not_negotiated_is_not_told(void **state)
{
	(void)state;
	both_families(false);
	assert_int_equal(g.messages[1], 1);
	assert_int_equal(out_count(g.r, 1), 1);
	out_refresh(g.r, 1, IP_V6);
	assert_false(rib_busy(g.r));
	rib_peer_policy(g.r, 1, NULL, NULL, RIG_AS);
	rib_peer_policy(g.r, 1, NULL, rig_policy(&g, "hop"), RIG_AS);
	rig_pull(&g);
	assert_int_equal(out_count(g.r, 1), 1);
}

static void only_a_refresh_sends_again(void **state)
{
	(void)state;
	both_families(true);
	out_refresh(g.r, 1, IP_V4);
	out_refresh(g.r, 1, IP_V6);
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "10.1.0.0/16"), 2);
	/* the next walk, for another reason, finds nothing new */
	rib_peer_policy(g.r, 1, NULL, NULL, RIG_AS);
	rib_peer_policy(g.r, 1, NULL, rig_policy(&g, "hop"), RIG_AS);
	rig_pull(&g);
	assert_int_equal(rig_times(&g, 1, "10.1.0.0/16"), 2);
	assert_int_equal(rig_times(&g, 1, "2001:db8::/32"), 2);
}

/* Prefixes that a message announces. */
static unsigned announced(const uint8_t *msg, size_t len)
{
	static const struct bgp_codec c = {.as4 = true, .mp_v4 = true, .mp_v6 = true, .peer_as = RIG_AS};
	static struct bgp_update u;
	struct bgp_error err;
	struct ip_prefix p;
	unsigned n = 0;

	if (len == 0)
		return 0;
	assert_int_equal(update_decode(rd_of(msg + BGP_HDR, len - BGP_HDR), &c, &u, &err), BGP_OK);
	while (update_next(&u.announce_v4, IP_V4, &p) || update_next(&u.announce_mp, u.mp_announce_family, &p))
		n++;
	return n;
}

static unsigned pull_announced(void)
{
	uint8_t buf[BGP_MSG_MAX];
	unsigned n = 0;
	size_t len;

	do
		while ((len = out_pull(g.r, 1, buf)))
			n += announced(buf, len);
	while (rib_work(g.r) || out_pending(g.r, 1));
	return n;
}

static void refresh_in_the_midst(uint8_t family)
{
	enum { N = 10000 };
	const struct bgp_attrs *a = rig_set(&g, family == IP_V6 ? "2001:db8::1" : "10.0.0.1", "65010");
	struct rib_session *s = &g.session[1];
	uint8_t buf[BGP_MSG_MAX];
	unsigned n = 0;

	g.blind = true;
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, NULL, "all");
	s->codec.local = rig_addr(family == IP_V6 ? "fd00::1" : "10.0.0.254");
	s->codec.remote = rig_addr(family == IP_V6 ? "fd00::2" : "10.0.0.2");
	for (unsigned i = 0; i < N; i++) {
		struct ip_prefix p = {.addr = ip_v4(0x0b000000 + (i << 8)), .len = 24};

		p.addr.family = family;
		rib_update(g.r, 0, &p, a);
	}
	rib_nexthop(g.r, &a->nexthop, true, 0);
	pull_announced();
	rig_peer_down(&g, 1);
	rig_peer(&g, 1, NULL, "all");
	n = pull_announced();
	assert_int_equal(n, N);
	rig_peer_down(&g, 1);
	rig_peer(&g, 1, NULL, "all");
	do /* the first rows of the family are staged now */
		n = announced(buf, out_pull(g.r, 1, buf));
	while (n == 0);
	while (out_pending(g.r, 1))
		n += announced(buf, out_pull(g.r, 1, buf));
	assert_in_range(n, 1, N - 1);
	out_refresh(g.r, 1, family);
	n += pull_announced();
	assert_in_range(n, N + 1, 2 * N - 1);
	intern_put(g.in, a);
}

static void a_refresh_in_the_midst_of_the_walk_begins_it_anew(void **state)
{
	(void)state;
	refresh_in_the_midst(IP_V4);
	rig_fini(&g);
	rig_init(&g);
	refresh_in_the_midst(IP_V6);
}

/* Its paths are dead, but still there until the sweep comes by. */
static void a_lost_neighbours_route_is_not_told_anew(void **state)
{
	uint8_t buf[BGP_MSG_MAX];

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	announce("10.1.0.0/16", "65010");
	rig_peer_down(&g, 0);
	rig_peer(&g, 1, NULL, "all");
	assert_int_equal(out_pull(g.r, 1, buf), BGP_HDR + 4); /* End-of-RIB */
	assert_int_equal(out_count(g.r, 1), 0);
}

/* A session that is back before the sweep comes by says the same again: who passed the dead path over must hear of it. */
static void a_path_that_comes_back_is_told_to_all(void **state)
{
	uint8_t buf[BGP_MSG_MAX];

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	announce("10.1.0.0/16", "65010");
	rig_peer_down(&g, 0);
	rig_peer(&g, 1, NULL, "all");
	assert_int_equal(out_pull(g.r, 1, buf), BGP_HDR + 4); /* the walk is over: End-of-RIB */
	rig_peer(&g, 0, "all", NULL);
	rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", "65010");
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 10.0.0.254");
	assert_int_equal(g.changes, 1); /* for the FIB nothing has happened */
}

/* The next hop goes, then the neighbour, and this peer reads of it only then. */
static void a_route_that_ended_before_its_neighbour_is_withdrawn(void **state)
{
	uint8_t buf[BGP_MSG_MAX];

	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	announce("10.2.0.0/16", "65010"); /* stands in the stage */
	rig_reach(&g, "10.0.0.1", false, 0);
	rig_work(&g);
	rig_peer_down(&g, 0);
	rig_hear(&g, 1, buf, out_pull(g.r, 1, buf));
	rig_hear(&g, 1, buf, out_pull(g.r, 1, buf));
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 0);
	assert_int_equal(out_count(g.r, 1), 0);
}

static void what_has_been_read_is_forgotten(void **state)
{
	struct bgp_totals before, after;

	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	rib_totals(g.r, &before);
	for (unsigned i = 0; i < 5000; i++) {
		announce("10.1.0.0/16", i % 2 ? "65010" : "65010 65020");
		rig_pull(&g);
	}
	rib_totals(g.r, &after);
	assert_int_equal(before.octets, after.octets);
}

static void end_of_rib_comes_once_behind_the_routes(void **state)
{
	uint8_t buf[BGP_MSG_MAX];
	size_t len;
	unsigned n = 0;

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	announce("10.1.0.0/16", "65010");
	announce("10.2.0.0/16", "65010 65020");
	rig_peer(&g, 1, NULL, "all");
	while ((len = out_pull(g.r, 1, buf)) > BGP_HDR + 4)
		n += len > BGP_HDR + 11; /* not the IPv6 one */
	assert_int_equal(n, 2);
	assert_int_equal(len, BGP_HDR + 4);
	rig_pull(&g);
	assert_int_equal(g.eor_v4[1], 0); /* that was it */
	assert_int_equal(g.eor_v6[1], 1);
}

/* Seed rows. */
static void the_limit_is_never_exceeded(void **state)
{
	char p[32];

	(void)state;
	two_peers("all");
	rib_peer_export(g.r, 1, false, 10);
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(p, sizeof(p), "10.1.%u.0/24", i);
		announce(p, "65010");
	}
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 8);
	assert_false(out_limited(g.r, 1));
	/* what the peer has and what a message brings stays within the limit */
	g.most = 0;
	out_refresh(g.r, 1, IP_V4);
	rig_pull(&g);
	assert_int_equal(g.most, 2);
	for (unsigned i = 8; i < 20; i++) {
		(void)snprintf(p, sizeof(p), "10.1.%u.0/24", i);
		announce(p, "65010");
		rig_pull(&g);
		assert_true(rig_held_count(&g, 1) <= 10);
	}
	assert_int_equal(out_count(g.r, 1), 10);
	assert_true(out_limited(g.r, 1));
	/* a change of what is there is not more; room lets another in */
	announce("10.1.3.0/24", "65010 65020");
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.3.0/24"), "65001 65010 65020 via 10.0.0.254");
	rig_withdraw(&g, 0, "10.1.0.0/24");
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 10);
	rib_peer_export(g.r, 1, false, 100);
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 19);
	assert_false(out_limited(g.r, 1));
	/* a lower one takes back what is too much */
	rib_peer_export(g.r, 1, false, 6);
	rig_pull(&g);
	assert_int_equal(rig_held_count(&g, 1), 6);
	assert_int_equal(out_count(g.r, 1), 6);
	assert_true(out_limited(g.r, 1));
}

static void a_set_that_fits_no_message_is_withdrawn(void **state)
{
	static uint8_t comm[4 * 1015];

	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	announce("10.2.0.0/16", "65010");
	rig_pull(&g);
	for (unsigned i = 0; i < sizeof(comm); i++)
		comm[i] = (uint8_t)(i % 4 ? i : 1);
	announce_with("10.1.0.0/16", "10.0.0.1", 0, 0, 1, comm, sizeof(comm));
	rig_pull(&g);
	assert_null(rig_held(&g, 1, "10.1.0.0/16"));
	assert_non_null(rig_held(&g, 1, "10.2.0.0/16"));
	assert_int_equal(out_count(g.r, 1), 1);
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	assert_non_null(rig_held(&g, 1, "10.1.0.0/16"));
}

static void a_new_session_hears_all_again(void **state)
{
	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	rig_peer_down(&g, 1);
	assert_int_equal(out_count(g.r, 1), 0);
	rig_peer(&g, 1, NULL, "all"); /* before the sweep */
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 10.0.0.254");
	assert_int_equal(out_count(g.r, 1), 1);
	assert_int_equal(g.eor_v4[1], 2);
}

static void a_peer_that_only_listened_leaves_nothing(void **state)
{
	struct bgp_totals t;

	(void)state;
	rig_peer(&g, 0, "all", NULL);
	rig_peer(&g, 1, NULL, "all");
	announce("10.1.0.0/16", "65010");
	rig_pull(&g);
	rig_peer_down(&g, 1);
	rig_withdraw(&g, 0, "10.1.0.0/16");
	rig_work(&g);
	rib_totals(g.r, &t);
	assert_int_equal(t.prefixes, 0);
}

/* A peer that does not read: the journal does not grow without bound, and the peer still hears the last state. */
static void a_slow_peer_walks_instead(void **state)
{
	struct bgp_totals t;

	(void)state;
	two_peers("all");
	announce("10.1.0.0/16", "65010");
	rig_peer(&g, 2, NULL, "all");
	rig_pull(&g);
	announce("10.2.0.0/16", "65010"); /* stands in the stage of peer 1, which does not pull */
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t buf[BGP_MSG_MAX];

		rig_announce(&g, 0, "10.1.0.0/16", "10.0.0.1", i % 2 ? "65010" : "65010 65020");
		(void)rib_work(g.r);
		while (out_pull(g.r, 2, buf))
			;
	}
	rib_totals(g.r, &t);
	assert_true(t.octets < 3000000);
	rig_pull(&g);
	assert_string_equal(held(1, "10.1.0.0/16"), "65001 65010 via 10.0.0.254");
	assert_string_equal(held(1, "10.2.0.0/16"), "65001 65010 via 10.0.0.254");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_route_goes_to_the_others_as_ours, up, down),
		cmocka_unit_test_setup_teardown(what_is_not_ours_passes_unchanged, up, down),
		cmocka_unit_test_setup_teardown(extended_communities_leave_only_if_transitive, up, down),
		cmocka_unit_test_setup_teardown(well_known_communities_keep_a_route_here, up, down),
		cmocka_unit_test_setup_teardown(without_a_policy_only_end_of_rib_is_sent, up, down),
		cmocka_unit_test_setup_teardown(a_policy_may_set_next_hop_and_med, up, down),
		cmocka_unit_test_setup_teardown(the_next_hop_stays_only_where_the_peer_reaches_it, up, down),
		cmocka_unit_test_setup_teardown(a_family_without_an_address_of_ours_is_not_told, up, down),
		cmocka_unit_test_setup_teardown(an_originated_prefix_goes_by_the_policy, up, down),
		cmocka_unit_test_setup_teardown(a_default_is_originated_whatever_the_policy_says, up, down),
		cmocka_unit_test_setup_teardown(the_latest_counts_and_nothing_is_sent_twice, up, down),
		cmocka_unit_test_setup_teardown(a_peer_is_woken_only_for_something, up, down),
		cmocka_unit_test_setup_teardown(many_prefixes_of_one_set_share_a_message, up, down),
		cmocka_unit_test_setup_teardown(withdrawals_leave_first, up, down),
		cmocka_unit_test_setup_teardown(a_refresh_sends_all_of_a_family_once_more, up, down),
		cmocka_unit_test_setup_teardown(withdrawals_of_both_families_part, up, down),
		cmocka_unit_test_setup_teardown(a_family_that_is_not_negotiated_is_not_told, up, down),
		cmocka_unit_test_setup_teardown(only_a_refresh_sends_again, up, down),
		cmocka_unit_test_setup_teardown(a_refresh_in_the_midst_of_the_walk_begins_it_anew, up, down),
		cmocka_unit_test_setup_teardown(a_lost_neighbours_route_is_not_told_anew, up, down),
		cmocka_unit_test_setup_teardown(a_path_that_comes_back_is_told_to_all, up, down),
		cmocka_unit_test_setup_teardown(a_route_that_ended_before_its_neighbour_is_withdrawn, up, down),
		cmocka_unit_test_setup_teardown(what_has_been_read_is_forgotten, up, down),
		cmocka_unit_test_setup_teardown(end_of_rib_comes_once_behind_the_routes, up, down),
		cmocka_unit_test_setup_teardown(the_limit_is_never_exceeded, up, down),
		cmocka_unit_test_setup_teardown(a_set_that_fits_no_message_is_withdrawn, up, down),
		cmocka_unit_test_setup_teardown(a_new_session_hears_all_again, up, down),
		cmocka_unit_test_setup_teardown(a_peer_that_only_listened_leaves_nothing, up, down),
		cmocka_unit_test_setup_teardown(a_slow_peer_walks_instead, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
