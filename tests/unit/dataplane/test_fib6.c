/* IPv6 routes: owners, the default route, marks and sweeps, gateways of both families, and the size of a real table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_malloc.h>

#include "dataplane/fib6.h"
#include "eal.h"

enum { ROUTES = 1000, BIG = 200000 };

static struct fib *f;

static struct ip6 a6(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	assert_int_equal(a.family, IP_V6);
	return ip6_get(a.b);
}

static void nexthop(uint32_t id, const char *via)
{
	struct msg_nexthop m = {.id = id, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 6, .port = 1}};

	ip6_put(m.leg[0].via, a6(via));
	assert_int_equal(fib_nexthop_set(f, &m), 0);
}

/* The next hop of an address, as a worker has it. */
static struct fib_nh way(const char *text)
{
	struct ip6 a = a6(text);
	uint32_t id;

	fib6_lookup(f, &a, &id, 1);
	return fib_nh(f, id);
}

static bool goes_to(const char *text, const char *via)
{
	struct fib_nh nh = way(text);

	return nh.kind == FIB_PORT && nh.n == FIB_GATEWAY6 && ip6_equal(f->gateway[nh.arg], a6(via));
}

static int begin(void **state)
{
	(void)state;
	f = fib_new(&(struct fib_params){.routes_max = 16, .routes6_max = ROUTES, .n_nexthops = 8, .n_ports = 2});
	return f ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	fib_free(f);
	return 0;
}

static void longest_wins_and_the_default_is_last(void **state)
{
	(void)state;
	assert_int_equal(way("2001:db8::1").kind, FIB_NONE);
	nexthop(1, "fe80::1");
	nexthop(2, "2001:db8:ff::2");
	assert_int_equal(fib6_set(f, a6("::"), 0, 1), 0);
	assert_true(goes_to("2001:db8::1", "fe80::1") && goes_to("::1", "fe80::1"));
	assert_int_equal(fib6_set(f, a6("2001:db8::"), 32, 2), 0);
	assert_true(goes_to("2001:db8::1", "2001:db8:ff::2") && goes_to("2001:db9::1", "fe80::1"));
	nexthop(1, "fe80::2"); /* the copy follows */
	assert_true(goes_to("2001:db9::1", "fe80::2"));
	assert_int_equal(fib6_del(f, a6("::"), 0), 0);
	assert_int_equal(way("2001:db9::1").kind, FIB_NONE);
	assert_int_equal(fib6_del(f, a6("2001:db8::"), 32), 0);
	assert_int_equal(way("2001:db8::1").kind, FIB_NONE);
	assert_int_equal(fib6_del(f, a6("2001:db8::"), 32), -ENOENT);
}

static void bad_routes_are_refused(void **state)
{
	(void)state;
	nexthop(1, "fe80::1");
	assert_int_equal(fib6_set(f, a6("2001:db8::1"), 32, 1), -EINVAL);
	assert_int_equal(fib6_set(f, a6("2001:db8::"), 129, 1), -EINVAL);
	assert_int_equal(fib6_set(f, a6("2001:db8::"), 32, 2), -ENOENT);
	assert_int_equal(fib6_set(f, a6("2001:db8::"), 32, 8), -ENOENT);
	assert_int_equal(fib6_count(f), 0);
	for (unsigned i = 0; i < ROUTES; i++)
		assert_int_equal(fib6_set(f, (struct ip6){0x2001000000000000 | i, i}, 128, 1), 0);
	assert_int_equal(fib6_set(f, a6("2001:db8::"), 32, 1), -ENOSPC);
	assert_int_equal(fib6_count(f), ROUTES);
}

static void what_is_ours_stays_ours(void **state)
{
	(void)state;
	nexthop(1, "fe80::1");
	assert_int_equal(fib6_set(f, a6("2001:db8:1::"), 64, 1), 0);
	assert_int_equal(fib6_own_set(f, a6("2001:db8:1::"), 64, FIB_PORT, 1), 0);
	assert_int_equal(fib6_count(f), 0);
	assert_int_equal(fib6_own_set(f, a6("2001:db8:1::1"), 128, FIB_LOCAL, 0), 0);
	assert_int_equal(fib6_set(f, a6("2001:db8:1::"), 64, 1), -EEXIST);
	assert_int_equal(fib6_del(f, a6("2001:db8:1::1"), 128), -EEXIST);
	assert_true(way("2001:db8:1::5").kind == FIB_PORT && way("2001:db8:1::5").arg == 0 &&
		    way("2001:db8:1::5").port == 1);
	assert_int_equal(way("2001:db8:1::1").kind, FIB_LOCAL);
	assert_true(fib6_is_local(f, a6("2001:db8:1::1")) && !fib6_is_local(f, a6("2001:db8:1::2")));
	assert_int_equal(fib6_addr_set(f, a6("2001:db8:1::1")), 0); /* a port has it too */
	assert_int_equal(fib6_addr_del(f, a6("2001:db8:1::1")), -EEXIST);
	assert_int_equal(fib6_addr_set(f, a6("2001:db8:2::1")), 0);
	assert_int_equal(fib6_set(f, a6("2001:db8:2::1"), 128, 1), -EEXIST);
	assert_int_equal(fib6_addr_del(f, a6("2001:db8:2::1")), 0);
}

static void a_sweep_takes_what_was_not_said_again(void **state)
{
	(void)state;
	nexthop(1, "fe80::1");
	assert_int_equal(fib6_own_set(f, a6("2001:db8:1::"), 64, FIB_PORT, 1), 0);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(fib6_set(f, (struct ip6){0x20010db800000000 | (uint64_t)i << 16, 0}, 48, 1), 0);
	assert_int_equal(fib6_addr_set(f, a6("2001:db8:ffff::1")), 0);
	assert_int_equal(fib6_set(f, a6("::"), 0, 1), 0);
	fib_attached(f);
	fib_sync_begin(f);
	nexthop(1, "fe80::2");
	assert_int_equal(fib6_set(f, a6("2001:db8:7::"), 48, 1), 0);
	fib_sync_end(f);
	while (fib_sweep(f))
		;
	assert_int_equal(fib6_count(f), 1);
	assert_true(goes_to("2001:db8:7::1", "fe80::2"));
	assert_int_equal(way("2001:db8:8::1").kind, FIB_NONE);
	assert_int_equal(way("2001:db8:ffff::1").kind, FIB_NONE);
	assert_int_equal(way("2001:db8:1::1").kind, FIB_PORT);
}

/* Every change takes a new place for the gateway; those given up come back. */
static void gateways_come_back(void **state)
{
	struct msg_nexthop two = {.id = 3, .n = 2};
	char text[IP_STR];
	(void)state;

	for (unsigned k = 0; k < 2; k++)
		two.leg[k] = (struct msg_nh_leg){.kind = MSG_NH_PORT, .family = 6, .port = 1, .via = {0x20, 1}};
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(text, sizeof(text), "2001:db8::%x", i & 0xffff);
		nexthop(i % 3, text);
		two.leg[1].via[15] = (uint8_t)i;
		assert_int_equal(fib_nexthop_set(f, &two), 0);
	}
	assert_int_equal(fib_nexthop_del(f, 3), 0);
}

static void told_as_it_is(void **state)
{
	struct fib_found found;
	struct ip_addr want;
	(void)state;

	assert_false(fib6_find(f, a6("2001:db8::1"), &found));
	nexthop(5, "fe80::1");
	assert_int_equal(fib6_set(f, a6("2001:db8:4000::"), 35, 5), 0);
	assert_true(fib6_find(f, a6("2001:db8:5fff::1"), &found));
	assert_int_equal(ip_parse("2001:db8:4000::", &want), 0);
	assert_true(found.plen == 35 && ip_equal(&found.addr, &want) && found.nexthop == 5 && found.n == 1);
	assert_int_equal(fib6_set(f, a6("::"), 0, 5), 0);
	assert_true(fib6_find(f, a6("2001:db8:6000::1"), &found));
	assert_true(found.plen == 0 && ip_is_any(&found.addr) && found.nexthop == 5);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of the shape of the Internet's: mostly /48 and /32 to /44 below 2000::/3. */
static void two_hundred_thousand(void **state)
{
	static const uint8_t lens[] = {48, 48, 48, 48, 48, 32, 32, 44, 40, 36, 29, 46, 47, 42, 33, 64};
	struct fib_params p = {.routes_max = 16, .routes6_max = BIG, .n_nexthops = 8, .n_ports = 2};
	static struct ip6 addr[BIG];
	static uint8_t plen[BIG];
	uint64_t r = 88172645463325252ull;
	double t;
	unsigned n = 0;
	(void)state;

	fib_free(f);
	f = fib_new(&p);
	assert_non_null(f);
	nexthop(1, "fe80::1");
	for (unsigned i = 0; i < BIG; i++) {
		struct ip6 m;

		r = r * 6364136223846793005ull + 1442695040888963407ull;
		plen[i] = lens[r >> 60];
		m = lpm6_mask(plen[i]);
		/* some thousand providers, each with its own part */
		addr[i] = (struct ip6){(0x2001000000000000 + ((r >> 20 & 0x3fff) << 34) + (r >> 36 << 16)) & m.hi, 0};
	}
	t = seconds();
	for (unsigned i = 0; i < BIG; i++)
		n += fib6_set(f, addr[i], plen[i], 1) == 0;
	print_message("# %u prefixes in %.3f s, %u nodes\n", fib6_count(f), seconds() - t, lpm6_nodes(&f->lpm6));
	assert_int_equal(n, BIG);
	assert_true(seconds() - t < 10); /* a second on a machine of its own */
	t = seconds();
	for (unsigned i = 0; i < BIG; i++)
		(void)!fib6_del(f, addr[i], plen[i]);
	print_message("# away in %.3f s\n", seconds() - t);
	assert_int_equal(fib6_count(f), 0);
	assert_int_equal(lpm6_nodes(&f->lpm6), 0);
}

static int start(void **state)
{
	(void)state;
	return eal_start("512");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(longest_wins_and_the_default_is_last, begin, end),
		cmocka_unit_test_setup_teardown(bad_routes_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(what_is_ours_stays_ours, begin, end),
		cmocka_unit_test_setup_teardown(a_sweep_takes_what_was_not_said_again, begin, end),
		cmocka_unit_test_setup_teardown(gateways_come_back, begin, end),
		cmocka_unit_test_setup_teardown(told_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(two_hundred_thousand, begin, end),
	};

	return cmocka_run_group_tests_name("fib6", tests, start, NULL);
}
