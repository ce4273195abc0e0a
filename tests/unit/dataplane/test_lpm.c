/* Longest-prefix match against a naive one, every address after every change; and its blocks of longer prefixes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/lpm.h"
#include "eal.h"

enum { NONE = 777, GROUPS = 8, PREFIXES = 512, SPAN = 1024, CHANGES = 20000 };

static const uint32_t base = 0x0a0101fe - SPAN / 2; /* two whole blocks and two cut ones */

static struct {
	uint32_t addr, id;
	uint8_t plen;
	bool live;
} known[PREFIXES];

static uint64_t rnd_state = 88172645463325252ull;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16);
}

static uint32_t mask(int plen)
{
	return plen > 0 ? UINT32_MAX << (32 - plen) : 0;
}

/* The longest known prefix of at most max bits that holds addr, or -1. */
static int naive(uint32_t addr, int max)
{
	int best = -1;

	for (int i = 0; i < PREFIXES; i++)
		if (known[i].live && known[i].plen <= max && (addr & mask(known[i].plen)) == known[i].addr &&
		    (best < 0 || known[i].plen > known[best].plen))
			best = i;
	return best;
}

static void compare(const struct lpm *l)
{
	uint32_t addr[SPAN], id[SPAN], told;

	for (uint32_t i = 0; i < SPAN; i++)
		addr[i] = base + i;
	lpm_lookup(l, addr, id, SPAN);
	for (uint32_t i = 0; i < SPAN; i++) {
		int at = naive(addr[i], 32);

		assert_int_equal(id[i], at < 0 ? NONE : known[at].id);
		assert_int_equal(lpm_find(l, addr[i], &told), at < 0 ? -1 : known[at].plen);
		assert_int_equal(told, id[i]);
	}
}

static void remove_one(struct lpm *l, unsigned i)
{
	int under = known[i].plen ? naive(known[i].addr, known[i].plen - 1) : -1;

	lpm_del(l, known[i].addr, known[i].plen, under < 0 ? 0 : known[under].id, under < 0 ? -1 : known[under].plen);
	known[i].live = false;
}

static int find(uint32_t addr, uint8_t plen)
{
	for (int i = 0; i < PREFIXES; i++)
		if (known[i].live && known[i].addr == addr && known[i].plen == plen)
			return i;
	return -1;
}

static void change(struct lpm *l)
{
	unsigned i = rnd() % PREFIXES;
	/* long ones above all; now and then one that holds everything (but not /0 to /7: they take their time) */
	uint8_t plen = (uint8_t)(rnd() % 8 ? 22 + rnd() % 11 : 8 + rnd() % 14);
	uint32_t addr = (base + rnd() % SPAN) & mask(plen), id = rnd() & 0xffff;
	int old = find(addr, plen);

	if (known[i].live) {
		remove_one(l, i);
		return;
	}
	assert_int_equal(lpm_set(l, addr, plen, id, old < 0), 0);
	if (old >= 0)
		known[old].id = id;
	else
		known[i].addr = addr, known[i].plen = plen, known[i].id = id, known[i].live = true;
}

static void every_address_after_every_change(void **state)
{
	struct lpm l;
	(void)state;

	memset(known, 0, sizeof(known));
	assert_int_equal(lpm_init(&l, NONE, GROUPS, SOCKET_ID_ANY, NULL), 0);
	compare(&l);
	for (unsigned n = 0; n < CHANGES; n++) {
		change(&l);
		if (n % 16 == 0)
			compare(&l);
	}
	for (unsigned i = 0; i < PREFIXES; i++)
		if (known[i].live)
			remove_one(&l, i);
	compare(&l);
	/* all blocks are back */
	for (uint32_t i = 0; i < GROUPS; i++)
		assert_int_equal(lpm_set(&l, i << 8 | 1, 32, 5, true), 0);
	assert_int_equal(lpm_set(&l, GROUPS << 8 | 1, 32, 5, true), -ENOSPC);
	lpm_fini(&l);
}

static uint32_t lookup(const struct lpm *l, uint32_t addr)
{
	uint32_t id;

	lpm_lookup(l, &addr, &id, 1);
	return id;
}

static void the_shortest_prefixes_too(void **state)
{
	struct lpm l;
	(void)state;

	assert_int_equal(lpm_init(&l, NONE, GROUPS, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(lpm_set(&l, 0, 0, 1, true), 0);
	assert_int_equal(lpm_set(&l, 0x80000000, 1, 2, true), 0);
	assert_int_equal(lpm_set(&l, 0xffffffff, 32, 3, true), 0);
	assert_int_equal(lpm_set(&l, 0, 32, 4, true), 0);
	assert_true(lookup(&l, 0) == 4 && lookup(&l, 1) == 1 && lookup(&l, 0x7fffffff) == 1);
	assert_true(lookup(&l, 0x80000000) == 2 && lookup(&l, 0xfffffffe) == 2 && lookup(&l, 0xffffffff) == 3);
	lpm_del(&l, 0x80000000, 1, 1, 0);
	assert_true(lookup(&l, 0x80000000) == 1 && lookup(&l, 0xffffffff) == 3);
	lpm_del(&l, 0, 0, 0, -1);
	assert_true(lookup(&l, 0x80000000) == NONE && lookup(&l, 1) == NONE && lookup(&l, 0) == 4);
	lpm_fini(&l);
}

static void a_full_table_refuses_and_goes_on(void **state)
{
	struct lpm l;
	(void)state;

	assert_int_equal(lpm_init(&l, NONE, GROUPS, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(lpm_set(&l, 0x0a000000, 8, 1, true), 0);
	for (uint32_t i = 0; i < GROUPS; i++)
		assert_int_equal(lpm_set(&l, 0x0a000000 | i << 8, 25, 2, true), 0);
	assert_int_equal(lpm_set(&l, 0x0a00ff00, 25, 2, true), -ENOSPC);
	assert_int_equal(lookup(&l, 0x0a00ff00), 1);
	assert_int_equal(lpm_set(&l, 0x0a00ff00, 24, 3, true), 0);  /* needs none */
	assert_int_equal(lpm_set(&l, 0x0a000080, 25, 4, true), 0);  /* has one */
	assert_int_equal(lpm_set(&l, 0x0a000000, 25, 5, false), 0); /* another number */
	lpm_del(&l, 0x0a000000, 25, 1, 8);
	assert_int_equal(lpm_set(&l, 0x0a00ff00, 25, 2, true), -ENOSPC); /* the other half still is there */
	lpm_del(&l, 0x0a000080, 25, 1, 8);
	assert_int_equal(lpm_set(&l, 0x0a00ff00, 25, 2, true), 0);
	assert_true(lookup(&l, 0x0a000000) == 1 && lookup(&l, 0x0a00ff01) == 2 && lookup(&l, 0x0a00ff81) == 3);
	lpm_fini(&l);
}

static void a_block_that_may_be_read_is_not_filled_anew(void **state)
{
	struct rte_rcu_qsbr *q = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);
	struct lpm l;
	(void)state;

	assert_int_equal(rte_rcu_qsbr_init(q, 1), 0);
	rte_rcu_qsbr_thread_register(q, 0);
	rte_rcu_qsbr_thread_online(q, 0);
	assert_int_equal(lpm_init(&l, NONE, 1, SOCKET_ID_ANY, q), 0);
	assert_int_equal(lpm_set(&l, 0x0a000001, 32, 1, true), 0);
	lpm_del(&l, 0x0a000001, 32, 0, -1);
	assert_int_equal(lpm_set(&l, 0x0b000001, 32, 2, true), -EAGAIN);
	assert_int_equal(lookup(&l, 0x0b000001), NONE);
	rte_rcu_qsbr_quiescent(q, 0);
	assert_int_equal(lpm_set(&l, 0x0b000001, 32, 2, true), 0);
	assert_int_equal(lookup(&l, 0x0b000001), 2);
	rte_rcu_qsbr_thread_offline(q, 0);
	lpm_fini(&l);
	rte_free(q);
}

static int start(void **state)
{
	(void)state;
	return eal_start("512");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_after_every_change),
		cmocka_unit_test(the_shortest_prefixes_too),
		cmocka_unit_test(a_full_table_refuses_and_goes_on),
		cmocka_unit_test(a_block_that_may_be_read_is_not_filled_anew),
	};

	return cmocka_run_group_tests_name("lpm", tests, start, NULL);
}
