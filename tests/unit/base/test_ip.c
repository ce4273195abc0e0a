#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "base/build.h"
#include "base/ip.h"

static struct ip_prefix prefix(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, true, &p), 0);
	return p;
}

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static void addresses_come_back_as_they_were_written(void **state)
{
	static const char *const good[] = {"0.0.0.0", "192.0.2.1",   "255.255.255.255", "::",
					   "::1",     "2001:db8::1", "fe80::1:2:3",     "::ffff:192.0.2.1"};
	char buf[IP_STR];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(good); i++) {
		struct ip_addr a = addr(good[i]);

		assert_string_equal(ip_str(&a, buf), good[i]);
	}
	assert_string_equal(ip_str(&(struct ip_addr){0}, buf), "-");
}

static void a_port_stands_apart_from_its_address(void **state)
{
	struct ip_addr four = addr("192.0.2.1"), six = addr("2001:db8::1");
	struct ip_addr longest = addr("2001:1111:2222:3333:4444:5555:6666:7777");
	char buf[IP_STR];

	(void)state;
	assert_string_equal(ip_port_str(&four, 500, buf), "192.0.2.1:500");
	assert_string_equal(ip_port_str(&six, 4500, buf), "[2001:db8::1]:4500");
	assert_string_equal(ip_port_str(&longest, 65535, buf), "[2001:1111:2222:3333:4444:5555:6666:7777]:65535");
	assert_string_equal(ip_port_str(&four, 0, buf), "192.0.2.1");
	assert_string_equal(ip_port_str(&six, 0, buf), "2001:db8::1");
}

static void what_is_no_address_leaves_the_result_alone(void **state)
{
	static const char *const bad[] = {"",           "1",        "1.2.3",     "1.2.3.256", "1.2.3.4.5",
					  "1.2.3.4/24", " 1.2.3.4", "a.b.c.d",   "1.2.3.-4",  "1:2:3:4:5:6:7",
					  "::1%lo",     "gggg::",   "01.2.3.4x", "1.2.3.4 "};
	struct ip_addr a = addr("192.0.2.1"), before = a;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		assert_true(ip_parse(bad[i], &a) < 0);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void prefix_drops_or_keeps_the_host_bits(void **state)
{
	struct ip_prefix p;
	char buf[IP_STR];

	(void)state;
	assert_int_equal(ip_prefix_parse("203.0.113.10/24", false, &p), 0);
	assert_string_equal(ip_prefix_str(&p, buf), "203.0.113.0/24");
	assert_int_equal(ip_prefix_parse("203.0.113.10/24", true, &p), 0);
	assert_string_equal(ip_prefix_str(&p, buf), "203.0.113.10/24");
	assert_int_equal(ip_prefix_parse("203.0.113.10", false, &p), 0);
	assert_int_equal(p.len, 32);
	assert_int_equal(ip_prefix_parse("2001:db8::1/61", false, &p), 0);
	assert_string_equal(ip_prefix_str(&p, buf), "2001:db8::/61");
}

static void bad_prefixes_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"/24",
		"1.2.3.4/",
		"1.2.3.4/33",
		"1.2.3.4/-1",
		"1.2.3.4/+1",
		"1.2.3.4/ 1",
		"1.2.3.4/1x",
		"::/129",
		"::/1000",
		"1.2.3.4/0000",
		"1.2.3.4/8/8",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/1"};
	struct ip_prefix p = prefix("10.0.0.0/8"), before = p;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		assert_true(ip_prefix_parse(bad[i], true, &p) < 0);
		assert_memory_equal(&p, &before, sizeof(p));
	}
}

static void mask_clears_every_bit_behind_its_length(void **state)
{
	(void)state;
	for (unsigned len = 0; len <= 128; len++) {
		struct ip_addr a = {.family = IP_V6};

		memset(a.b, 0xff, sizeof(a.b));
		ip_mask(&a, len);
		for (unsigned bit = 0; bit < 128; bit++)
			assert_int_equal(a.b[bit / 8] >> (7 - bit % 8) & 1, bit < len);
	}
}

static void prefix_contains_its_first_and_last_address_only(void **state)
{
	struct ip_prefix p = prefix("10.1.2.3/22"); /* host bits do not matter */
	struct ip_addr lo, hi, a;

	(void)state;
	ip_prefix_range(&p, &lo, &hi);
	assert_true(ip_v4_u32(&lo) == 0x0a010000 && ip_v4_u32(&hi) == 0x0a0103ff);
	assert_true(ip_prefix_contains(&p, &lo) && ip_prefix_contains(&p, &hi));
	a = ip_v4(ip_v4_u32(&lo) - 1);
	assert_false(ip_prefix_contains(&p, &a));
	a = ip_v4(ip_v4_u32(&hi) + 1);
	assert_false(ip_prefix_contains(&p, &a));
	a = addr("::");
	assert_false(ip_prefix_contains(&p, &a));
	p = prefix("0.0.0.0/0");
	assert_true(ip_prefix_contains(&p, &hi));
	assert_false(ip_prefix_contains(&p, &a));
}

static void overlap_is_the_same_from_both_sides(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{"10.0.0.0/8", "10.1.0.0/16", true},        {"10.0.0.0/8", "11.0.0.0/8", false},
		{"10.0.0.0/8", "10.0.0.0/8", true},         {"0.0.0.0/0", "10.0.0.1/32", true},
		{"10.0.0.0/31", "10.0.0.2/31", false},      {"0.0.0.0/0", "::/0", false},
		{"2001:db8::/32", "2001:db8:1::/48", true},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct ip_prefix a = prefix(rows[i].a), b = prefix(rows[i].b);

		assert_int_equal(ip_prefix_overlap(&a, &b), rows[i].overlap);
		assert_int_equal(ip_prefix_overlap(&b, &a), rows[i].overlap);
	}
}

static void range_is_a_prefix_only_when_it_fills_it(void **state)
{
	static const struct {
		const char *lo, *hi, *prefix;
	} rows[] = {
		{"10.0.0.0", "10.0.0.255", "10.0.0.0/24"},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
		{"10.0.0.7", "10.0.0.7", "10.0.0.7/32"},
		{"10.0.0.0", "10.0.0.254", NULL},
		{"10.0.0.1", "10.0.0.255", NULL},
		{"10.0.0.255", "10.0.0.0", NULL},
		{"10.0.0.128", "10.0.1.127", NULL},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
		{"10.0.0.0", "::", NULL},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct ip_addr lo = addr(rows[i].lo), hi = addr(rows[i].hi);
		struct ip_prefix p;
		char buf[IP_STR];

		assert_int_equal(ip_range_prefix(&lo, &hi, &p), rows[i].prefix != NULL);
		if (rows[i].prefix)
			assert_string_equal(ip_prefix_str(&p, buf), rows[i].prefix);
	}
}

static void order_is_by_family_and_then_by_number(void **state)
{
	struct ip_addr a = addr("10.0.0.1"), b = addr("10.0.0.2"), c = addr("::");

	(void)state;
	assert_true(ip_cmp(&a, &b) < 0 && ip_cmp(&b, &a) > 0 && ip_cmp(&b, &c) < 0);
	assert_true(ip_equal(&a, &a) && !ip_equal(&a, &b));
	assert_true(ip_v4_u32(&a) == 0x0a000001 && ip_v4_u32(&c) == 0);
}

static void special_addresses_are_known(void **state)
{
	struct ip_addr none = {0}, any4 = addr("0.0.0.0"), any6 = addr("::"), one = addr("0.0.0.1");
	struct ip_addr m4 = addr("239.255.0.1"), m6 = addr("ff02::1"), edge = addr("240.0.0.0");

	(void)state;
	assert_true(ip_is_any(&none) && ip_is_any(&any4) && ip_is_any(&any6) && !ip_is_any(&one));
	assert_true(ip_is_multicast(&m4) && ip_is_multicast(&m6));
	assert_false(ip_is_multicast(&edge) || ip_is_multicast(&none));
	assert_int_equal(ip_size(IP_NONE) + ip_size(9), 0);
	assert_memory_equal(ip_from_bytes(IP_V4, "\x01\x02\x03\x04").b, "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_back_as_they_were_written),
		cmocka_unit_test(a_port_stands_apart_from_its_address),
		cmocka_unit_test(what_is_no_address_leaves_the_result_alone),
		cmocka_unit_test(prefix_drops_or_keeps_the_host_bits),
		cmocka_unit_test(bad_prefixes_are_refused),
		cmocka_unit_test(mask_clears_every_bit_behind_its_length),
		cmocka_unit_test(prefix_contains_its_first_and_last_address_only),
		cmocka_unit_test(overlap_is_the_same_from_both_sides),
		cmocka_unit_test(range_is_a_prefix_only_when_it_fills_it),
		cmocka_unit_test(order_is_by_family_and_then_by_number),
		cmocka_unit_test(special_addresses_are_known),
	};

	return cmocka_run_group_tests_name("base-ip", tests, NULL, NULL);
}
