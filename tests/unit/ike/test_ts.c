#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "controlplane/ike/ts.h"

/* ---- selectors from words ---- */

/* "10.1.0.0/16" "10.2.0.0/16", protocol and remote ports. */
static struct cfg_ts pair(const char *local, const char *remote, uint8_t protocol, uint16_t lo, uint16_t hi)
{
	struct cfg_ts ts = {.protocol = protocol, .local_port_hi = 65535, .remote_port_lo = lo, .remote_port_hi = hi};

	assert_int_equal(ip_prefix_parse(local, false, &ts.local), 0);
	assert_int_equal(ip_prefix_parse(remote, false, &ts.remote), 0);
	return ts;
}

static struct cfg_ts any_pair(const char *local, const char *remote)
{
	return pair(local, remote, 0, 0, 65535);
}

static void add(struct payload_ts *list, const char *lo, const char *hi, uint8_t protocol, uint16_t port_lo,
		uint16_t port_hi)
{
	struct ike_ts *ts = &list->ts[list->n++];

	*ts = (struct ike_ts){.protocol = protocol, .port_lo = port_lo, .port_hi = port_hi};
	assert_int_equal(ip_parse(lo, &ts->lo), 0);
	assert_int_equal(ip_parse(hi, &ts->hi), 0);
}

static void add_any(struct payload_ts *list, const char *lo, const char *hi)
{
	add(list, lo, hi, 0, 0, 65535);
}

static struct payload_ts peer_i, peer_r, tsi, tsr;
static struct ts_result res;

static int clear(void **state)
{
	(void)state;
	memset(&peer_i, 0, sizeof(peer_i));
	memset(&peer_r, 0, sizeof(peer_r));
	return 0;
}

static void expect_pairs(const char *want)
{
	char buf[1024];

	assert_string_equal(ts_pairs_str(res.pair, res.n, buf, sizeof(buf)), want);
}

static void expect_lists(const char *i, const char *r)
{
	char buf[1024];

	assert_string_equal(ts_list_str(&tsi, buf, sizeof(buf)), i);
	assert_string_equal(ts_list_str(&tsr, buf, sizeof(buf)), r);
}

/* ---- the responder narrows: TSi is the peer's side, TSr ours ---- */

static void equal_selectors_stay_as_they_are(void **state)
{
	struct cfg_ts p = any_pair("10.1.0.0/16", "10.2.0.0/16");

	(void)state;
	add_any(&peer_i, "10.2.0.0", "10.2.255.255");
	add_any(&peer_r, "10.1.0.0", "10.1.255.255");
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.0.0/16 <-> 10.2.0.0/16");
	expect_lists("10.2.0.0/16", "10.1.0.0/16");
	assert_false(res.additional || res.cut);
}

static void a_wide_offer_is_narrowed_to_policy(void **state)
{
	struct cfg_ts p = pair("10.1.0.0/16", "10.2.0.0/16", 6, 80, 81);

	(void)state;
	add_any(&peer_i, "0.0.0.0", "255.255.255.255");
	add_any(&peer_r, "0.0.0.0", "255.255.255.255");
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.0.0/16 <-> 10.2.0.0/16 ports 80-81 tcp");
	expect_lists("10.2.0.0/16 tcp ports 80-81", "10.1.0.0/16 tcp");
}

static void any_policy_takes_what_is_offered(void **state)
{
	struct cfg_ts p = any_pair("0.0.0.0/0", "0.0.0.0/0"), none = {.local_port_hi = 65535, .remote_port_hi = 65535};

	(void)state;
	add_any(&peer_i, "192.168.0.0", "192.168.0.255");
	add(&peer_r, "10.1.1.1", "10.1.1.1", 17, 53, 53);
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.1.1/32 port 53 <-> 192.168.0.0/24 udp");
	/* a pair without addresses means the same */
	assert_int_equal(ts_narrow(&none, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.1.1/32 port 53 <-> 192.168.0.0/24 udp");
}

static void nothing_in_common_is_unacceptable(void **state)
{
	static const struct {
		const char *name, *ilo, *ihi, *rlo, *rhi;
		uint8_t protocol;
		uint16_t port_lo, port_hi;
	} rows[] = {
		{"other remote", "10.3.0.0", "10.3.0.255", "10.1.0.0", "10.1.0.255", 0, 0, 65535},
		{"other local", "10.2.0.0", "10.2.0.255", "10.4.0.0", "10.4.0.255", 0, 0, 65535},
		{"sides swapped", "10.1.0.0", "10.1.255.255", "10.2.0.0", "10.2.255.255", 0, 0, 65535},
		{"other protocol", "10.2.0.0", "10.2.0.255", "10.1.0.0", "10.1.0.255", 17, 0, 65535},
		{"other ports", "10.2.0.0", "10.2.0.255", "10.1.0.0", "10.1.0.255", 6, 0, 79},
		{"other family", "2001:db8::", "2001:db8::1", "2001:db8::", "2001:db8::1", 0, 0, 65535},
	};
	struct cfg_ts p = pair("10.1.0.0/16", "10.2.0.0/16", 6, 80, 80);

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		clear(NULL);
		add(&peer_i, rows[i].ilo, rows[i].ihi, rows[i].protocol, rows[i].port_lo, rows[i].port_hi);
		add(&peer_r, rows[i].rlo, rows[i].rhi, rows[i].protocol, 0, 65535);
		print_message("# %s\n", rows[i].name);
		assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_TS_UNACCEPTABLE);
		assert_int_equal(res.n | tsi.n | tsr.n, 0);
	}
	clear(NULL); /* all of them were of types that we skip */
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_TS_UNACCEPTABLE);
}

/* RFC 7296 2.9: the packet's selector stands first, the network behind it; both are one answer. */
static void the_trigger_packet_is_inside_the_answer(void **state)
{
	struct cfg_ts p = any_pair("198.51.100.0/24", "192.0.2.0/24");

	(void)state;
	add(&peer_i, "192.0.2.43", "192.0.2.43", 6, 4000, 4000);
	add_any(&peer_i, "192.0.2.0", "192.0.2.255");
	add(&peer_r, "198.51.100.7", "198.51.100.7", 6, 22, 22);
	add_any(&peer_r, "198.51.100.0", "198.51.100.255");
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("198.51.100.0/24 <-> 192.0.2.0/24");
	assert_false(res.additional);
}

/* The pair that takes the first selectors whole wins where lists cannot say both. */
static void the_first_choice_decides_between_pairs(void **state)
{
	struct cfg_ts p[] = {any_pair("10.1.0.0/24", "10.9.0.0/24"), any_pair("10.2.0.0/24", "10.8.0.0/24")};

	(void)state;
	add(&peer_i, "10.8.0.5", "10.8.0.5", 6, 1, 1);
	add_any(&peer_i, "0.0.0.0", "255.255.255.255");
	add(&peer_r, "10.2.0.5", "10.2.0.5", 6, 2, 2);
	add_any(&peer_r, "0.0.0.0", "255.255.255.255");
	assert_int_equal(ts_narrow(p, 2, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.2.0.0/24 <-> 10.8.0.0/24");
	assert_true(res.additional);
	clear(NULL); /* without a first choice: our first pair */
	add_any(&peer_i, "0.0.0.0", "255.255.255.255");
	add_any(&peer_r, "0.0.0.0", "255.255.255.255");
	assert_int_equal(ts_narrow(p, 2, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.0.0/24 <-> 10.9.0.0/24");
	assert_true(res.additional);
}

static void pairs_with_one_side_in_common_go_together(void **state)
{
	struct cfg_ts p[] = {any_pair("10.1.0.0/24", "10.9.0.0/24"), any_pair("10.1.0.0/24", "10.8.0.0/24"),
			     any_pair("10.1.0.0/24", "2001:db8::/64")};

	(void)state;
	add_any(&peer_i, "10.0.0.0", "10.255.255.255");
	add_any(&peer_r, "10.0.0.0", "10.255.255.255");
	assert_int_equal(ts_narrow(p, 2, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.0.0/24 <-> 10.9.0.0/24, 10.1.0.0/24 <-> 10.8.0.0/24");
	expect_lists("10.9.0.0/24, 10.8.0.0/24", "10.1.0.0/24");
	assert_false(res.additional);
}

/* Both families in one child: lists of both, pairs of each. */
static void families_do_not_mix(void **state)
{
	struct cfg_ts p[] = {any_pair("10.1.0.0/24", "10.9.0.0/24"), any_pair("2001:db8:1::/48", "2001:db8:2::/48")};

	(void)state;
	add_any(&peer_i, "0.0.0.0", "255.255.255.255");
	add_any(&peer_i, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	add_any(&peer_r, "0.0.0.0", "255.255.255.255");
	add_any(&peer_r, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_int_equal(ts_narrow(p, 2, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.0.0/24 <-> 10.9.0.0/24, 2001:db8:1::/48 <-> 2001:db8:2::/48");
	assert_int_equal(tsi.n, 2);
}

/* Two protocols in one child: combinations across them say nothing. */
static void protocols_do_not_mix(void **state)
{
	struct cfg_ts p[] = {pair("10.1.0.0/24", "10.9.0.0/24", 6, 80, 80),
			     pair("10.1.0.0/24", "10.9.0.0/24", 17, 53, 53)};

	(void)state;
	add_any(&peer_i, "0.0.0.0", "255.255.255.255");
	add_any(&peer_r, "0.0.0.0", "255.255.255.255");
	assert_int_equal(ts_narrow(p, 2, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_pairs("10.1.0.0/24 <-> 10.9.0.0/24 port 80 tcp, 10.1.0.0/24 <-> 10.9.0.0/24 port 53 udp");
}

/* The data plane has prefixes: a range is cut, and the answer says what is installed, nothing else. */
static void a_range_becomes_prefixes(void **state)
{
	struct cfg_ts p = any_pair("10.1.0.0/16", "0.0.0.0/0");

	(void)state;
	add_any(&peer_i, "192.168.1.4", "192.168.1.12");
	add_any(&peer_r, "10.1.0.0", "10.1.255.255");
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	expect_lists("192.168.1.4/30, 192.168.1.8/30, 192.168.1.12/32", "10.1.0.0/16");
	assert_int_equal(res.n, 3);
	assert_false(res.cut);
}

static void a_range_of_many_prefixes_keeps_the_largest(void **state)
{
	struct cfg_ts p = any_pair("10.1.0.0/16", "0.0.0.0/0");

	(void)state;
	add_any(&peer_i, "0.0.0.1", "255.255.255.254");
	add_any(&peer_r, "10.1.0.0", "10.1.255.255");
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	assert_int_equal(res.n, CFG_TS_MAX);
	assert_int_equal(res.pair[0].remote.len, 2); /* 64.0.0.0/2 and 128.0.0.0/2 */
	assert_int_equal(res.pair[1].remote.len, 2);
	assert_int_equal(tsi.n, CFG_TS_MAX);
	assert_true(res.cut);
	clear(NULL);
	add_any(&peer_i, "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	add_any(&peer_r, "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	p = any_pair("::/0", "::/0");
	assert_int_equal(ts_narrow(&p, 1, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	assert_true(res.cut);
	assert_true(res.n > 0 && res.n <= CFG_TS_MAX);
}

/* As many selectors as a payload holds, on both sides: bounded work, bounded answer, all of it inside our policy. */
static void a_flood_of_selectors_is_bounded(void **state)
{
	struct cfg_ts p[CFG_TS_MAX];

	(void)state;
	for (unsigned i = 0; i < CFG_TS_MAX; i++)
		p[i] = any_pair("10.0.0.0/8", "10.0.0.0/8");
	for (unsigned i = 0; i < PAYLOAD_TS_MAX; i++) {
		char lo[32], hi[32];

		snprintf(lo, sizeof(lo), "10.%u.0.1", i);
		snprintf(hi, sizeof(hi), "10.%u.255.254", i);
		add_any(&peer_i, lo, hi);
		add_any(&peer_r, lo, hi);
	}
	assert_int_equal(ts_narrow(p, CFG_TS_MAX, &peer_i, &peer_r, &res, &tsi, &tsr), IKE_V_OK);
	assert_int_equal(res.n, CFG_TS_MAX);
	assert_true(res.cut && res.additional);
	assert_true(ts_pairs_within(res.pair, res.n, p, 1));
	assert_true(tsi.n * tsr.n == res.n);
}

/* ---- the initiator ---- */

static void an_offer_says_each_selector_once(void **state)
{
	struct cfg_ts p[] = {any_pair("10.1.0.0/24", "10.9.0.0/24"), any_pair("10.1.0.0/24", "10.8.0.0/24")};
	struct cfg_ts packet = pair("10.1.0.5/32", "10.8.0.5/32", 6, 22, 22);

	(void)state;
	ts_build(p, 2, NULL, &tsi, &tsr);
	expect_lists("10.1.0.0/24", "10.9.0.0/24, 10.8.0.0/24");
	packet.local_port_lo = packet.local_port_hi = 4000;
	ts_build(p, 2, &packet, &tsi, &tsr);
	expect_lists("10.1.0.5/32 tcp port 4000, 10.1.0.0/24", "10.8.0.5/32 tcp port 22, 10.9.0.0/24, 10.8.0.0/24");
}

static void a_narrowed_answer_is_installed_as_it_is(void **state)
{
	struct cfg_ts p = any_pair("10.1.0.0/16", "0.0.0.0/0");

	(void)state;
	ts_build(&p, 1, NULL, &tsi, &tsr);
	add_any(&peer_i, "10.1.2.0", "10.1.2.255");
	add(&peer_r, "10.9.0.0", "10.9.255.255", 17, 0, 65535);
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_OK);
	expect_pairs("10.1.2.0/24 <-> 10.9.0.0/16 udp");
}

static void an_answer_beyond_the_offer_is_refused(void **state)
{
	struct cfg_ts p = pair("10.1.0.0/16", "10.2.0.0/16", 6, 80, 80);

	(void)state;
	ts_build(&p, 1, NULL, &tsi, &tsr);
	add(&peer_i, "10.1.0.0", "10.1.255.255", 6, 0, 65535);
	add(&peer_r, "10.2.0.0", "10.2.255.255", 6, 80, 80);
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_OK);
	peer_r.ts[0].port_hi = 81; /* more ports */
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_TS_UNACCEPTABLE);
	peer_r.ts[0].port_hi = 80;
	peer_r.ts[0].port_lo = 79;
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_TS_UNACCEPTABLE);
	peer_r.ts[0].port_lo = 80;
	peer_r.ts[0].protocol = 0; /* any protocol */
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_TS_UNACCEPTABLE);
	peer_r.ts[0].protocol = 6;
	peer_i.ts[0].hi = ip_v4(0x0a020000); /* more addresses */
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_TS_UNACCEPTABLE);
	peer_i.ts[0].hi = ip_v4(0x0a01ffff);
	peer_i.left_out = 1; /* a type that we never sent */
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_TS_UNACCEPTABLE);
	clear(NULL); /* none */
	assert_int_equal(ts_verify(&p, 1, &tsi, &tsr, &peer_i, &peer_r, &res), IKE_V_TS_UNACCEPTABLE);
}

/* Two lists say more than our pairs: what our policy does not hold is not installed. */
static void only_our_pairs_of_an_answer_are_installed(void **state)
{
	struct cfg_ts p[] = {any_pair("10.1.0.0/24", "10.9.0.0/24"), any_pair("10.2.0.0/24", "10.8.0.0/24")};

	(void)state;
	ts_build(p, 2, NULL, &tsi, &tsr);
	assert_int_equal(ts_verify(p, 2, &tsi, &tsr, &tsi, &tsr, &res), IKE_V_OK);
	expect_pairs("10.1.0.0/24 <-> 10.9.0.0/24, 10.2.0.0/24 <-> 10.8.0.0/24");
}

/* What one of our cores narrows the other verifies, and both install the same mirrored pairs. */
static void both_ends_agree(void **state)
{
	struct cfg_ts a[] = {any_pair("10.1.0.0/16", "0.0.0.0/0")};
	struct cfg_ts b[] = {any_pair("172.16.0.0/12", "10.1.5.0/24"), any_pair("192.168.7.0/25", "10.1.5.0/24")};
	static struct payload_ts answer_i, answer_r;
	struct ts_result mine;

	(void)state;
	ts_build(a, 1, NULL, &tsi, &tsr);
	assert_int_equal(ts_narrow(b, 2, &tsi, &tsr, &res, &answer_i, &answer_r), IKE_V_OK);
	assert_int_equal(ts_verify(a, 1, &tsi, &tsr, &answer_i, &answer_r, &mine), IKE_V_OK);
	assert_int_equal(mine.n, res.n);
	for (unsigned i = 0; i < mine.n; i++) {
		assert_true(ip_prefix_equal(&mine.pair[i].local, &res.pair[i].remote));
		assert_true(ip_prefix_equal(&mine.pair[i].remote, &res.pair[i].local));
	}
}

/* RFC 7296 2.9.2 */
static void a_rekey_is_compared_with_the_old_child(void **state)
{
	struct cfg_ts old = any_pair("10.1.0.0/16", "10.2.0.0/16"), narrow = any_pair("10.1.0.0/24", "10.2.0.0/16"),
		      wide = any_pair("0.0.0.0/0", "0.0.0.0/0");

	(void)state;
	assert_true(ts_pairs_within(&old, 1, &old, 1));
	assert_true(ts_pairs_within(&old, 1, &wide, 1));
	assert_false(ts_pairs_within(&old, 1, &narrow, 1));
	assert_true(ts_pairs_within(&narrow, 1, &old, 1));
}

static void a_refusal_is_explained_with_its_cure(void **state)
{
	struct cfg_ts p = any_pair("10.1.0.0/16", "10.2.0.0/16");
	char buf[512];

	(void)state;
	add_any(&peer_i, "10.3.0.0", "10.3.0.255");
	add_any(&peer_r, "10.1.0.0", "10.1.255.255");
	ts_explain(&p, 1, &peer_r, &peer_i, buf, sizeof(buf));
	assert_string_equal(buf,
			    "the peer asks for 10.1.0.0/16 here and 10.3.0.0/24 there, selectors allow 10.1.0.0/16 <-> "
			    "10.2.0.0/16; add {local: 10.1.0.0/16, remote: 10.3.0.0/24} to this tunnel's selectors, or "
			    "make the peer's match");
	ts_explain(&p, 1, &peer_r, &peer_i, buf, 40);
	assert_string_equal(buf, "the peer asks for 10.1.0.0/16 here a...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(equal_selectors_stay_as_they_are, clear),
		cmocka_unit_test_setup(a_wide_offer_is_narrowed_to_policy, clear),
		cmocka_unit_test_setup(any_policy_takes_what_is_offered, clear),
		cmocka_unit_test_setup(nothing_in_common_is_unacceptable, clear),
		cmocka_unit_test_setup(the_trigger_packet_is_inside_the_answer, clear),
		cmocka_unit_test_setup(the_first_choice_decides_between_pairs, clear),
		cmocka_unit_test_setup(pairs_with_one_side_in_common_go_together, clear),
		cmocka_unit_test_setup(families_do_not_mix, clear),
		cmocka_unit_test_setup(protocols_do_not_mix, clear),
		cmocka_unit_test_setup(a_range_becomes_prefixes, clear),
		cmocka_unit_test_setup(a_range_of_many_prefixes_keeps_the_largest, clear),
		cmocka_unit_test_setup(a_flood_of_selectors_is_bounded, clear),
		cmocka_unit_test_setup(an_offer_says_each_selector_once, clear),
		cmocka_unit_test_setup(a_narrowed_answer_is_installed_as_it_is, clear),
		cmocka_unit_test_setup(an_answer_beyond_the_offer_is_refused, clear),
		cmocka_unit_test_setup(only_our_pairs_of_an_answer_are_installed, clear),
		cmocka_unit_test_setup(both_ends_agree, clear),
		cmocka_unit_test_setup(a_rekey_is_compared_with_the_old_child, clear),
		cmocka_unit_test_setup(a_refusal_is_explained_with_its_cure, clear),
	};

	return cmocka_run_group_tests_name("ike-ts", tests, NULL, NULL);
}
