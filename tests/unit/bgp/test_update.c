/* UPDATEs: NLRI, building, and what is built comes back as it was; and a whole Internet table.
 *
 *   test_update TABLE.mrt.gz
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/aspath.h"
#include "bgp/intern.h"
#include "bgp/update.h"
#include "perf/mrt.h"
#include "tests/unit/ike/hex.h"

static const char *table;
static struct bgp_update u;
static struct bgp_error err;
static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(seed >> 4) * below >> 28);
}

static struct bgp_codec codec(bool as4)
{
	return (struct bgp_codec){.as4 = as4, .mp_v4 = true, .mp_v6 = true, .as_sets = true, .local_as = 65001};
}

static enum bgp_verdict decode(const char *body, const struct bgp_codec *c)
{
	static uint8_t *b;
	size_t len;

	free(b); /* views of it live until the next call */
	b = hex_exact(body, &len);
	return update_decode(rd_of(b, len), c, &u, &err);
}

/* All prefixes of a field in text. */
static void prefixes_are(struct rd nlri, uint8_t family, const char *want)
{
	char text[512] = "", one[IP_STR];
	struct ip_prefix p;

	while (update_next(&nlri, family, &p))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "",
			 ip_prefix_str(&p, one));
	assert_false(nlri.bad);
	assert_string_equal(text, want);
}

#define ATTRS "40010100 40020602010000fde8 400304c0000202"

static void fields_are_carved(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode("0005 18c00002 00 0014" ATTRS "08 0a 20 01020304 00", &c), BGP_OK);
	prefixes_are(u.withdraw_v4, IP_V4, "192.0.2.0/24 0.0.0.0/0");
	prefixes_are(u.announce_v4, IP_V4, "10.0.0.0/8 1.2.3.4/32 0.0.0.0/0");
	assert_true(u.has_attrs && !u.eor_v4 && !u.eor_v6);
	assert_int_equal(rd_left(&u.announce_mp) + rd_left(&u.withdraw_mp), 0);
}

/* RFC 4271 4.3: trailing bits are irrelevant. */
static void host_bits_are_cleared(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode("0000 0014" ATTRS "08 0b 09 0aff 01 ff 1f ffffffff 07 0a", &c), BGP_OK);
	prefixes_are(u.announce_v4, IP_V4, "11.0.0.0/8 10.128.0.0/9 128.0.0.0/1 255.255.255.254/31 10.0.0.0/7");
}

static void what_cannot_be_a_route_is_passed_over(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	assert_int_equal(decode("0000 0014" ATTRS "04 e0 08 0a 20 effffffa 03 e0", &c), BGP_OK);
	prefixes_are(u.announce_v4, IP_V4, "10.0.0.0/8 224.0.0.0/3");
	assert_int_equal(decode("0000 0034 800e 24 0002 01 10 20010db8000000000000000000000002 00 08 ff 0a fe80 08 20 "
				"1a fe800000 0a fec0"
				"40010100 40020602010000fde8",
				&c),
			 BGP_OK);
	prefixes_are(u.announce_mp, IP_V6, "2000::/8 fec0::/10");
}

static void multiprotocol_fields_are_found(void **state)
{
	struct bgp_codec c = codec(true);
	char text[IP_STR];
	const char *m =
		"0000 0039 800f 0a 0002 01 30 20010db80114 800e 1c 0002 01 10 20010db8000000000000000000000002 00 30 "
		"20010db80113 40010100 40020602010000fde8";

	(void)state;
	assert_int_equal(decode(m, &c), BGP_OK);
	assert_int_equal(u.mp_announce_family, IP_V6);
	assert_int_equal(u.mp_withdraw_family, IP_V6);
	prefixes_are(u.announce_mp, IP_V6, "2001:db8:113::/48");
	prefixes_are(u.withdraw_mp, IP_V6, "2001:db8:114::/48");
	assert_string_equal(ip_str(&u.mp_nexthop, text), "2001:db8::2");
	assert_true(u.has_attrs);
	c.mp_v6 = false; /* not negotiated: ignored, and no error */
	assert_int_equal(decode(m, &c), BGP_OK);
	assert_int_equal(rd_left(&u.announce_mp) + rd_left(&u.withdraw_mp), 0);
	assert_int_equal(u.mp_announce_family | u.mp_withdraw_family, IP_NONE);
}

static void ipv4_that_was_not_negotiated_is_ignored(void **state)
{
	struct bgp_codec c = codec(true);

	(void)state;
	c.mp_v4 = false;
	assert_int_equal(decode("0002 08 0a 0014" ATTRS "08 0b", &c), BGP_OK);
	assert_int_equal(rd_left(&u.announce_v4) + rd_left(&u.withdraw_v4), 0);
}

/* RFC 4760: how long its next hop may be is then nobody's business. */
static void what_was_not_negotiated_is_not_looked_into(void **state)
{
	struct bgp_codec c = codec(true);
	const char *v4 = "0000 0029 800e 19 0001 01 10 20010db8000000000000000000000002 00 18 cb0071 40010100 "
			 "40020602010000fde8";
	const char *v6 = "0000 0020 800e 10 0002 01 04 c0000202 00 30 20010db80113 40010100 40020602010000fde8";

	(void)state;
	assert_int_equal(decode(v4, &c), BGP_RESET);
	assert_int_equal(decode(v6, &c), BGP_RESET);
	c.mp_v4 = false;
	assert_int_equal(decode(v4, &c), BGP_OK);
	assert_int_equal(decode(v6, &c), BGP_RESET);
	c.mp_v4 = true;
	c.mp_v6 = false;
	assert_int_equal(decode(v4, &c), BGP_RESET);
	assert_int_equal(decode(v6, &c), BGP_OK);
}

static void the_global_next_hop_of_two_counts(void **state)
{
	struct bgp_codec c = codec(true);
	char text[IP_STR];

	(void)state;
	assert_int_equal(decode("0000 003c 800e 2c 0002 01 20 20010db8000000000000000000000002 "
				"fe800000000000000000000000000002 00 30 "
				"20010db80113 40010100 40020602010000fde8",
				&c),
			 BGP_OK);
	assert_string_equal(ip_str(&u.mp_nexthop, text), "2001:db8::2");
}

/* RFC 4724 2 */
static void end_of_rib_is_seen(void **state)
{
	static const struct {
		const char *body;
		bool v4, v6;
	} cases[] = {
		{"0000 0000", true, false},
		{"0000 0006 800f 03 0002 01", false, true},
		{"0000 0007 900f 0003 0002 01", false, true},
		{"0000 0006 800f 03 0001 01", true, false},
		{"0000 0006 800f 03 0019 46", false, false},
		{"0000 0008 800f 05 0002 01 08 20", false, false},
		{"0000 000a 800f 03 0002 01 40010100", false, false},
		{"0002 08 0a 0000", false, false},
		{"0002 08 0a 0006 800f 03 0002 01", false, false},
		{"0000 0004 40010100", false, false},
	};
	struct bgp_codec c = codec(true);

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		assert_int_equal(decode(cases[i].body, &c), BGP_OK);
		if (u.eor_v4 != cases[i].v4 || u.eor_v6 != cases[i].v6)
			fail_msg("%s", cases[i].body);
		assert_false(u.has_attrs);
	}
}

static void end_of_rib_octets_are_the_rfcs(void **state)
{
	uint8_t buf[64], want[64];

	(void)state;
	assert_int_equal(update_build_eor(buf, sizeof(buf), IP_V4),
			 hex("ffffffffffffffffffffffffffffffff 0017 02 0000 0000", want));
	assert_memory_equal(buf, want, 23);
	assert_int_equal(update_build_eor(buf, sizeof(buf), IP_V6),
			 hex("ffffffffffffffffffffffffffffffff 001e 02 0000 0007 900f 0003 0002 01", want));
	assert_memory_equal(buf, want, 30);
	for (size_t cap = 0; cap < 23; cap++)
		assert_int_equal(update_build_eor(buf, cap, IP_V4), 0);
	for (size_t cap = 0; cap < 30; cap++)
		assert_int_equal(update_build_eor(buf, cap, IP_V6), 0);
}

static struct ip_prefix prefix(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, false, &p), 0);
	return p;
}

static void built_octets_are_the_rfcs(void **state)
{
	struct bgp_codec c = codec(true);
	static struct bgp_attrs_draft d;
	struct update_build b;
	uint8_t buf[256], want[256];
	size_t n;

	(void)state;
	assert_int_equal(decode("0000 0014" ATTRS "00", &c), BGP_OK);
	attr_draft(&d, &u.attrs.a);
	update_build_announce(&b, buf, sizeof(buf), &d.a, &c, IP_V4);
	struct ip_prefix p = prefix("10.0.0.0/8"), q = prefix("0.0.0.0/0"), r = prefix("10.1.128.0/17");

	assert_true(update_build_add(&b, &p) && update_build_add(&b, &q) && update_build_add(&b, &r));
	n = hex("ffffffffffffffffffffffffffffffff 0032 02 0000 0014" ATTRS "08 0a 00 11 0a0180", want);
	assert_int_equal(update_build_end(&b), n);
	assert_memory_equal(buf, want, n);

	update_build_withdraw(&b, buf, sizeof(buf), IP_V4);
	assert_true(update_build_add(&b, &p) && update_build_add(&b, &r));
	n = hex("ffffffffffffffffffffffffffffffff 001d 02 0006 08 0a 11 0a0180 0000", want);
	assert_int_equal(update_build_end(&b), n);
	assert_memory_equal(buf, want, n);

	/* RFC 7606 5.1: MP_REACH_NLRI first */
	d.a.nexthop = prefix("2001:db8::2").addr;
	p = prefix("2001:db8:113::/48");
	update_build_announce(&b, buf, sizeof(buf), &d.a, &c, IP_V6);
	assert_true(update_build_add(&b, &p));
	n = hex("ffffffffffffffffffffffffffffffff 0044 02 0000 002d 900e 001c 0002 01 10 "
		"20010db8000000000000000000000002 00"
		"30 20010db80113 40010100 40020602010000fde8",
		want);
	assert_int_equal(update_build_end(&b), n);
	assert_memory_equal(buf, want, n);

	update_build_withdraw(&b, buf, sizeof(buf), IP_V6);
	assert_true(update_build_add(&b, &p));
	n = hex("ffffffffffffffffffffffffffffffff 0025 02 0000 000e 900f 000a 0002 01 30 20010db80113", want);
	assert_int_equal(update_build_end(&b), n);
	assert_memory_equal(buf, want, n);
}

/* --- what is built comes back as it was --- */

static size_t random_path(uint8_t *out)
{
	struct wr w = wr_of(out, 4096);

	for (unsigned segs = 1 + rnd(3), i = 0; i < segs; i++) {
		unsigned n = 1 + rnd(rnd(20) ? 6 : 255);

		wr_u8(&w, i && rnd(4) == 0 ? BGP_AS_SET : BGP_AS_SEQUENCE);
		wr_u8(&w, (uint8_t)n);
		for (; n; n--)
			wr_u32(&w, 1 + rnd(2) * (1 + rnd(1 << 20)) + rnd(60000));
	}
	return w.len;
}

static void random_octets(uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)rnd(256);
}

static size_t random_others(uint8_t *out)
{
	struct wr w = wr_of(out, 4096);

	for (unsigned code = 19; code < 256; code += 1 + rnd(80)) {
		uint8_t v[300];
		unsigned n = rnd(10) ? rnd(20) : 256 + rnd(40);

		if (code == BGP_IPV6_EXT_COMMUNITIES || code == BGP_LARGE_COMMUNITIES)
			continue;
		random_octets(v, n);
		wr_u8(&w, n > 255 ? 0xf0 : 0xe0);
		wr_u8(&w, (uint8_t)code);
		if (n > 255)
			wr_u16(&w, (uint16_t)n);
		else
			wr_u8(&w, (uint8_t)n);
		wr_copy(&w, v, n);
	}
	return w.len;
}

static void random_set(struct bgp_attrs_draft *d, uint8_t family)
{
	struct bgp_attrs *a = &d->a;
	uint8_t b[4096];
	size_t n;

	memset(a, 0, sizeof(*a));
	a->origin = (uint8_t)rnd(3);
	a->has = (uint8_t)(rnd(2) * BGP_HAS_MED | rnd(2) * BGP_HAS_ATOMIC | rnd(2) * BGP_HAS_AGGREGATOR);
	a->med = a->has & BGP_HAS_MED ? rnd(1 << 28) : 0;
	if (a->has & BGP_HAS_AGGREGATOR) {
		a->agg_as = 1 + rnd(2) * rnd(1 << 20) + rnd(10000);
		a->agg_id = rnd(1 << 28);
		a->partial |= (uint8_t)(rnd(2) * BGP_PARTIAL_AGGREGATOR);
	}
	a->nexthop = family == IP_V4 ? ip_v4(0x0a000001 + rnd(1 << 20)) : prefix("2001:db8::7").addr;
	n = random_path(b);
	assert_int_equal(attr_set_part(d, 0, b, n), 0);
	for (unsigned part = 1; part <= 3; part++) {
		static const unsigned size[] = {0, 4, 8, 12};

		n = rnd(2) * size[part] * rnd(5);
		random_octets(b, n);
		assert_int_equal(attr_set_part(d, part, b, n), 0);
		if (n)
			a->partial |= (uint8_t)(rnd(2) * (BGP_PARTIAL_AGGREGATOR << part));
	}
	n = rnd(2) ? random_others(b) : 0;
	assert_int_equal(attr_set_part(d, 4, b, n), 0);
}

static struct ip_prefix random_prefix(uint8_t family)
{
	struct ip_prefix p = {.addr.family = family, .len = (uint8_t)rnd(family == IP_V4 ? 33 : 129)};

	random_octets(p.addr.b, ip_size(family));
	p.addr.b[0] &= 0x7f; /* no multicast */
	ip_mask(&p.addr, p.len);
	return p;
}

/* Fill a message with set d and random prefixes until it is full, and read it. */
static void there_and_back(const struct bgp_attrs_draft *d, const struct bgp_codec *c, uint8_t family, size_t cap)
{
	static struct ip_prefix sent[4096];
	static uint8_t buf[BGP_MSG_MAX];
	struct update_build b;
	struct ip_prefix got;
	unsigned n = 0;
	size_t len;

	update_build_announce(&b, buf, cap, &d->a, c, family);
	for (sent[n] = random_prefix(family); update_build_add(&b, &sent[n]); sent[n] = random_prefix(family))
		n++;
	len = update_build_end(&b);
	if (!n && !len)
		return;                            /* the attributes did not fit */
	assert_true(len <= cap && len + 18 > cap); /* full to the last prefix */

	uint8_t *exact = malloc(len);

	memcpy(exact, buf, len);

	enum bgp_verdict v = update_decode(rd_of(exact + BGP_HDR, len - BGP_HDR), c, &u, &err);

	if (v != BGP_OK)
		fail_msg("%u: %s", v, err.text);
	if (!n) {
		free(exact);
		return;
	}
	if (family == IP_V6)
		u.attrs.a.nexthop = u.mp_nexthop;
	assert_memory_equal(u.attrs.room, d->room, sizeof(d->a) + attr_data_len(&d->a));
	struct rd nlri = family == IP_V6 ? u.announce_mp : u.announce_v4;

	for (unsigned i = 0; i < n; i++) {
		assert_true(update_next(&nlri, family, &got));
		assert_true(ip_prefix_equal(&got, &sent[i]));
	}
	assert_false(update_next(&nlri, family, &got));
	free(exact);
}

/* Large communities of random octets do not repeat; paths of a 2-octet session come back by AS4_PATH. */
static void what_is_built_comes_back(void **state)
{
	static struct bgp_attrs_draft d;

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		struct bgp_codec c = codec(i & 1);
		uint8_t family = i & 2 ? IP_V6 : IP_V4;

		random_set(&d, family);
		there_and_back(&d, &c, family, rnd(4) ? BGP_MSG_MAX : 100 + rnd(2000));
	}
}

static void withdrawals_come_back(void **state)
{
	static uint8_t buf[BGP_MSG_MAX];
	static struct ip_prefix sent[4096];
	struct bgp_codec c = codec(true);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint8_t family = i & 1 ? IP_V6 : IP_V4;
		size_t cap = rnd(2) ? BGP_MSG_MAX : 64 + rnd(500), len;
		struct update_build b;
		struct ip_prefix got;
		unsigned n = 0;

		update_build_withdraw(&b, buf, cap, family);
		for (sent[n] = random_prefix(family); update_build_add(&b, &sent[n]); sent[n] = random_prefix(family))
			n++;
		len = update_build_end(&b);
		assert_true(n && len <= cap && len + 18 > cap);
		assert_int_equal(update_decode(rd_of(buf + BGP_HDR, len - BGP_HDR), &c, &u, &err), BGP_OK);
		struct rd nlri = family == IP_V6 ? u.withdraw_mp : u.withdraw_v4;

		for (unsigned k = 0; k < n; k++)
			assert_true(update_next(&nlri, family, &got) && ip_prefix_equal(&got, &sent[k]));
		assert_false(update_next(&nlri, family, &got));
	}
}

static void attributes_that_do_not_fit_make_no_message(void **state)
{
	static struct bgp_attrs_draft d;
	static uint8_t buf[2 * BGP_MSG_MAX], comm[5000];
	struct bgp_codec c = codec(true);
	struct update_build b;
	struct ip_prefix p = prefix("10.0.0.0/8");

	(void)state;
	for (unsigned family = IP_V4; family <= IP_V6; family += 2) {
		random_set(&d, (uint8_t)family);
		assert_int_equal(attr_set_part(&d, 4, NULL, 0), 0);
		assert_int_equal(attr_set_part(&d, 1, comm, 4100), 0);
		update_build_announce(&b, buf, sizeof(buf), &d.a, &c, (uint8_t)family);
		assert_false(update_build_add(&b, &p));
		assert_int_equal(update_build_end(&b), 0);
	}
}

/* --- a whole table --- */

struct count {
	unsigned messages, prefixes, verdict[4], sets;
};

/* All of it through the decoder, as it was recorded or as an eBGP peer of AS `as` would send it. */
static struct count read_table(struct mrt *m, const struct bgp_codec *c, uint32_t as)
{
	struct intern *t = intern_new();
	static const struct bgp_attrs *kept[100000];
	static uint8_t buf[BGP_MSG_MAX];
	struct count n = {.messages = 0};
	struct ip_prefix p;
	size_t len;

	mrt_rewind(m);
	while ((len = mrt_next(m, as, buf))) {
		struct wire_hdr h;

		assert_true(wire_hdr_parse(buf, &h, &err) && h.len == len);
		enum bgp_verdict v = update_decode(rd_of(buf + BGP_HDR, len - BGP_HDR), c, &u, &err);

		n.verdict[v]++;
		for (struct rd r = u.announce_v4; update_next(&r, IP_V4, &p);)
			n.prefixes++;
		if (u.has_attrs)
			kept[n.messages] = intern_get(t, &u.attrs.a);
		n.messages++;
	}
	n.sets = intern_count(t);
	for (unsigned i = 0; i < n.messages; i++) {
		intern_put(t, kept[i]);
		kept[i] = NULL;
	}
	intern_free(t);
	return n;
}

static void a_recorded_table_is_read_whole(void **state)
{
	struct bgp_codec c = codec(true);
	char why[256];
	struct mrt *m = mrt_open(table, why, sizeof(why));
	struct count n;

	(void)state;
	if (!m)
		fail_msg("%s", why);
	/* As recorded, over iBGP: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST in each message. One path has AS 0 in it. */
	n = read_table(m, &c, 0);
	assert_int_equal(n.messages, 89675);
	assert_int_equal(n.prefixes, 577737);
	assert_int_equal(n.verdict[BGP_OK], 0);
	assert_int_equal(n.verdict[BGP_DISCARD_ATTR], 89674);
	assert_int_equal(n.verdict[BGP_TREAT_AS_WITHDRAW], 1);
	assert_int_equal(n.sets, 89637);
	/* As an eBGP peer would send it: what is left are three AGGREGATORs of AS 0. */
	c.peer_as = 64999;
	n = read_table(m, &c, 64999);
	assert_int_equal(n.prefixes, 577737);
	assert_int_equal(n.verdict[BGP_OK], 89671);
	assert_int_equal(n.verdict[BGP_DISCARD_ATTR], 3);
	assert_int_equal(n.verdict[BGP_TREAT_AS_WITHDRAW], 1);
	/* Without leave for AS_SETs (RFC 9774): 136 messages go. */
	c.as_sets = false;
	n = read_table(m, &c, 64999);
	assert_int_equal(n.verdict[BGP_OK] + n.verdict[BGP_DISCARD_ATTR], 89674 - 136);
	assert_int_equal(n.verdict[BGP_TREAT_AS_WITHDRAW], 137);
	assert_int_equal(n.verdict[BGP_RESET], 0);
	mrt_close(m);
}

static void what_is_no_table_is_refused(void **state)
{
	char why[256];

	(void)state;
	assert_null(mrt_open("/nonexistent", why, sizeof(why)));
	assert_non_null(strstr(why, "/nonexistent"));
	assert_null(mrt_open("/dev/null", why, sizeof(why)));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_carved),
		cmocka_unit_test(host_bits_are_cleared),
		cmocka_unit_test(what_cannot_be_a_route_is_passed_over),
		cmocka_unit_test(multiprotocol_fields_are_found),
		cmocka_unit_test(ipv4_that_was_not_negotiated_is_ignored),
		cmocka_unit_test(what_was_not_negotiated_is_not_looked_into),
		cmocka_unit_test(the_global_next_hop_of_two_counts),
		cmocka_unit_test(end_of_rib_is_seen),
		cmocka_unit_test(end_of_rib_octets_are_the_rfcs),
		cmocka_unit_test(built_octets_are_the_rfcs),
		cmocka_unit_test(what_is_built_comes_back),
		cmocka_unit_test(withdrawals_come_back),
		cmocka_unit_test(attributes_that_do_not_fit_make_no_message),
		cmocka_unit_test(a_recorded_table_is_read_whole),
		cmocka_unit_test(what_is_no_table_is_refused),
	};

	if (argc < 2)
		return 2;
	table = argv[1];
	return cmocka_run_group_tests_name("bgp-update", tests, NULL, NULL);
}
