/* The forwarding table at the size of the Internet's: 600 000 prefixes against a naive table, a full one, a long sweep. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/fib.h"
#include "eal.h"

enum { ROUTES = 600000, NEXTHOPS = 512, PLACES = 1 << 21, LOOKUPS = 400000, BOUND_MS = 20000 };

/* Naive: a hash of (prefix, length), asked for every length from 32 down. */
static struct {
	uint32_t addr, nh;
	uint8_t plen, live; /* live: 0 never used, 1 yes, 2 gone */
} * place;

static uint32_t (*prefix)[2]; /* [ROUTES] address, length */
static uint64_t rnd_state = 88172645463325252ull;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16);
}

static uint32_t mask(unsigned plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

/* Where this prefix is, or would be. */
static uint32_t place_of(uint32_t addr, uint8_t plen)
{
	uint32_t at = ((addr ^ plen * 0x85ebca6bu) * 0x9e3779b1u) >> 11;

	while (place[at].live && (place[at].addr != addr || place[at].plen != plen))
		at = (at + 1) % PLACES;
	return at;
}

static uint32_t naive(uint32_t addr)
{
	for (int plen = 32; plen >= 0; plen--) {
		uint32_t at = place_of(addr & mask((unsigned)plen), (uint8_t)plen);

		if (place[at].live == 1)
			return place[at].nh;
	}
	return 2 * NEXTHOPS;
}

static void note(uint32_t addr, uint8_t plen, uint32_t nh, uint8_t live)
{
	uint32_t at = place_of(addr, plen);

	place[at].addr = addr;
	place[at].plen = plen;
	place[at].nh = nh;
	place[at].live = live;
}

static struct fib *make(uint32_t routes_max)
{
	struct fib_params p = {.routes_max = routes_max, .n_nexthops = NEXTHOPS, .n_ports = 2};
	struct fib *f = fib_new(&p);

	assert_non_null(f);
	for (uint32_t i = 0; i < NEXTHOPS; i++) {
		struct msg_nexthop m = {.id = i, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 4}};

		assert_int_equal(fib_nexthop_set(f, &m), 0);
	}
	return f;
}

static void compare(struct fib *f)
{
	for (unsigned n = 0; n < LOOKUPS; n++) {
		const uint32_t *p = prefix[rnd() % ROUTES];
		uint32_t addr = n % 4 ? (p[0] | (rnd() & ~mask(p[1]))) + rnd() % 3 - 1 : rnd(), id;

		fib_lookup(f, &addr, &id, 1);
		assert_int_equal(id, naive(addr));
	}
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void six_hundred_thousand_agree_with_a_naive_table(void **state)
{
	struct fib *f = make(ROUTES);
	uint64_t begun = now_ms();
	uint32_t n = 0;
	(void)state;

	while (n < ROUTES) { /* lengths as they are on the Internet: most are /24 */
		uint8_t plen = (uint8_t)(rnd() % 2 ? 24 : rnd() % 16 ? 16 + rnd() % 8 : 8 + rnd() % 25);
		uint32_t addr = (0x01000000 + rnd() % 0xdf000000) & mask(plen);

		if (place[place_of(addr, plen)].live)
			continue;
		assert_int_equal(fib_set(f, addr, plen, n % NEXTHOPS), 0);
		note(addr, plen, n % NEXTHOPS, 1);
		prefix[n][0] = addr;
		prefix[n++][1] = plen;
	}
	assert_int_equal(fib_count(f), ROUTES);
	compare(f);
	for (uint32_t i = 0; i < ROUTES; i++) {
		uint32_t addr = prefix[i][0], nh = rnd() % NEXTHOPS;
		uint8_t plen = (uint8_t)prefix[i][1];

		if (i % 3 == 0) {
			assert_int_equal(fib_del(f, addr, plen), 0);
			note(addr, plen, 0, 2);
		} else if (i % 3 == 1) {
			assert_int_equal(fib_set(f, addr, plen, nh), 0);
			note(addr, plen, nh, 1);
		}
	}
	assert_int_equal(fib_count(f), ROUTES - ROUTES / 3);
	compare(f);
	for (uint32_t i = 0; i < ROUTES; i++)
		if (i % 3) {
			assert_int_equal(fib_del(f, prefix[i][0], (uint8_t)prefix[i][1]), 0);
			note(prefix[i][0], (uint8_t)prefix[i][1], 0, 2);
		}
	assert_int_equal(fib_count(f), 0);
	compare(f);
	assert_in_range(now_ms() - begun, 0, BOUND_MS);
	fib_free(f);
}

static void a_full_table_says_so_and_forwards_on(void **state)
{
	struct fib *f = make(100000);
	uint32_t addr = 0x0a000001, id;
	(void)state;

	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(fib_set(f, 0x0a000000 + (i << 8), 24, i % NEXTHOPS), 0);
	for (uint32_t i = 100000; i < 101000; i++)
		assert_int_equal(fib_set(f, 0x0a000000 + (i << 8), 24, 1), -ENOSPC);
	assert_int_equal(fib_count(f), 100000);
	fib_lookup(f, &addr, &id, 1);
	assert_int_equal(id, 0);
	assert_int_equal(fib_set(f, 0x0a000000, 24, 7), 0);
	fib_lookup(f, &addr, &id, 1);
	assert_int_equal(id, 7);
	assert_int_equal(fib_addr_set(f, 0x01010101), 0); /* ours have places of their own */
	assert_int_equal(fib_del(f, 0x0a000000, 24), 0);
	assert_int_equal(fib_set(f, 0x0b000000 + (100000u << 8), 24, 1), 0);
	fib_free(f);
}

static void blocks_of_long_prefixes_are_finite_too(void **state)
{
	struct fib *f = make(4000);
	unsigned set = 0;
	int ret;
	(void)state;

	while ((ret = fib_set(f, 0x0a000000 + (set << 8), 32, 1)) == 0)
		set++;
	assert_int_equal(ret, -ENOSPC);
	assert_in_range(set, 1000, 3999);
	assert_int_equal(fib_count(f), set); /* the one that failed left nothing */
	assert_int_equal(fib_set(f, 0x0b000000, 24, 1), 0);
	assert_int_equal(fib_del(f, 0x0a000000, 32), 0);
	assert_int_equal(fib_set(f, 0x0a000000 + (set << 8), 32, 1), 0);
	fib_free(f);
}

static void half_a_million_are_swept_in_small_turns(void **state)
{
	struct fib *f = make(ROUTES);
	uint64_t worst = 0, begun = now_ms();
	unsigned turns = 0;
	(void)state;

	for (uint32_t i = 0; i < 500000; i++)
		assert_int_equal(fib_set(f, 0x01000000 + (i << 8), 24, 1), 0);
	fib_attached(f);
	for (uint32_t i = 0; i < NEXTHOPS; i++) {
		struct msg_nexthop m = {.id = i, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 4}};

		assert_int_equal(fib_nexthop_set(f, &m), 0);
	}
	fib_sync_begin(f);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(fib_set(f, 0x01000000 + (i << 8), 24, 2), 0);
	fib_sync_end(f);
	for (bool more = true; more; turns++) {
		uint64_t at = now_ms();

		more = fib_sweep(f);
		worst = at < now_ms() && now_ms() - at > worst ? now_ms() - at : worst;
	}
	assert_int_equal(fib_count(f), 1000);
	assert_true(turns > 499000 / FIB_SWEEP);
	assert_in_range(worst, 0, 100); /* a turn is some microseconds; the rest is another process's */
	assert_in_range(now_ms() - begun, 0, BOUND_MS);
	fib_free(f);
}

static int start(void **state)
{
	(void)state;
	place = calloc(PLACES, sizeof(*place));
	prefix = calloc(ROUTES, sizeof(*prefix));
	return place && prefix ? eal_start("1024") : -1;
}

static int stop(void **state)
{
	(void)state;
	free(place);
	free(prefix);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(six_hundred_thousand_agree_with_a_naive_table),
		cmocka_unit_test(a_full_table_says_so_and_forwards_on),
		cmocka_unit_test(blocks_of_long_prefixes_are_finite_too),
		cmocka_unit_test(half_a_million_are_swept_in_small_turns),
	};

	return cmocka_run_group_tests_name("fib-scale", tests, start, stop);
}
