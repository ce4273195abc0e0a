/* IPv6 longest-prefix match against a naive one after every change; its nodes all come back; a reader beside the writer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/lpm6.h"
#include "eal.h"

enum { NONE = 777, PREFIXES = 300, NODES = 2 * PREFIXES, CHANGES = 40000, ASK = 64 };

static struct known {
	struct ip6 addr;
	uint32_t id;
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

/* Few bits are free in each nibble, so that prefixes of all lengths meet. */
static struct ip6 some_addr(void)
{
	uint64_t sparse = 0x1010800101010003;

	return (struct ip6){0x20010db800000000 | (((uint64_t)rnd() << 32 | rnd()) & sparse),
			    ((uint64_t)rnd() << 32 | rnd()) & sparse};
}

static bool within(struct ip6 a, const struct known *k)
{
	struct ip6 m = lpm6_mask(k->plen);

	return (a.hi & m.hi) == k->addr.hi && (a.lo & m.lo) == k->addr.lo;
}

/* The longest known prefix of min to max bits that holds a, or NULL. */
static struct known *naive(struct ip6 a, int min, int max)
{
	struct known *best = NULL;

	for (int i = 0; i < PREFIXES; i++)
		if (known[i].live && known[i].plen >= min && known[i].plen <= max && within(a, &known[i]) &&
		    (!best || known[i].plen > best->plen))
			best = &known[i];
	return best;
}

/* Addresses at, beside and around the known prefixes, and any. */
static struct ip6 ask(void)
{
	struct ip6 a = some_addr();
	const struct known *k = &known[rnd() % PREFIXES];

	if (rnd() % 4) {
		a = k->addr;
		if (rnd() % 2)
			a.lo ^= 1ull << rnd() % 64;
		if (rnd() % 2)
			a.hi ^= 1ull << rnd() % 64;
	}
	return a;
}

static void compare(const struct lpm6 *l)
{
	struct ip6 addr[ASK];
	uint32_t id[ASK], told;

	for (unsigned i = 0; i < ASK; i++)
		addr[i] = ask();
	lpm6_lookup(l, addr, id, ASK);
	for (unsigned i = 0; i < ASK; i++) {
		const struct known *k = naive(addr[i], 1, 128);

		assert_int_equal(id[i], k ? k->id : NONE);
		assert_int_equal(lpm6_find(l, addr[i], &told), k ? k->plen : -1);
		assert_int_equal(told, id[i]);
	}
}

static void remove_one(struct lpm6 *l, struct known *k)
{
	const struct known *under = naive(k->addr, lpm6_floor(k->plen) + 1, k->plen - 1);

	lpm6_del(l, k->addr, k->plen, under ? under->id : 0, under ? under->plen : -1);
	k->live = false;
}

static struct known *find(struct ip6 addr, uint8_t plen)
{
	for (int i = 0; i < PREFIXES; i++)
		if (known[i].live && ip6_equal(known[i].addr, addr) && known[i].plen == plen)
			return &known[i];
	return NULL;
}

static void change(struct lpm6 *l)
{
	static const uint8_t lens[] = {1,  3,  8,  15, 16, 17, 20, 29, 32, 33, 36,  40,  44,  47,  48,
				       49, 52, 56, 60, 61, 63, 64, 65, 68, 96, 112, 124, 125, 127, 128};
	struct known *k = &known[rnd() % PREFIXES], *old;
	uint8_t plen = rnd() % 2 ? lens[rnd() % sizeof(lens)] : (uint8_t)(1 + rnd() % 128);
	struct ip6 addr = some_addr(), m = lpm6_mask(plen);
	uint32_t id = rnd() & 0xffff;

	if (k->live) {
		remove_one(l, k);
		return;
	}
	addr = (struct ip6){addr.hi & m.hi, addr.lo & m.lo};
	old = find(addr, plen);
	assert_int_equal(lpm6_set(l, addr, plen, id, !old), 0);
	if (old)
		old->id = id;
	else
		*k = (struct known){addr, id, plen, true};
}

static void every_answer_after_every_change(void **state)
{
	struct lpm6 l;
	(void)state;

	memset(known, 0, sizeof(known));
	assert_int_equal(lpm6_init(&l, NONE, NODES, SOCKET_ID_ANY, NULL), 0);
	compare(&l);
	for (unsigned n = 0; n < CHANGES; n++) {
		change(&l);
		compare(&l);
	}
	assert_true(lpm6_nodes(&l) > 0);
	for (unsigned i = 0; i < PREFIXES; i++)
		if (known[i].live) {
			remove_one(&l, &known[i]);
			compare(&l);
		}
	assert_int_equal(lpm6_nodes(&l), 0);
	lpm6_fini(&l);
}

/* Two nodes a prefix are enough, whatever the prefixes. */
static void two_nodes_a_prefix(void **state)
{
	enum { N = 500 };
	struct lpm6 l;
	(void)state;

	assert_int_equal(lpm6_init(&l, NONE, LPM6_NODES_PER_ROUTE * N, SOCKET_ID_ANY, NULL), 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(lpm6_set(&l,
					  (struct ip6){(uint64_t)rnd() << 32 | rnd(), (uint64_t)rnd() << 32 | rnd()},
					  128, i, true),
				 0);
	lpm6_fini(&l);
}

static uint32_t lookup(const struct lpm6 *l, uint64_t hi, uint64_t lo)
{
	struct ip6 a = {hi, lo};
	uint32_t id;

	lpm6_lookup(l, &a, &id, 1);
	return id;
}

static void without_nodes_nothing_changes(void **state)
{
	struct lpm6 l;
	(void)state;

	assert_int_equal(lpm6_init(&l, NONE, 2, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(lpm6_set(&l, (struct ip6){0x20010db800000000, 0}, 128, 1, true), 0);
	/* it would take a fork and a node */
	assert_int_equal(lpm6_set(&l, (struct ip6){0x20010db800010000, 0}, 64, 2, true), -ENOSPC);
	assert_int_equal(lpm6_nodes(&l), 1);
	assert_int_equal(lookup(&l, 0x20010db800000000, 0), 1);
	assert_int_equal(lookup(&l, 0x20010db800010000, 0), NONE);
	/* and this one only a node */
	assert_int_equal(lpm6_set(&l, (struct ip6){0x20010db800000000, 0}, 64, 3, true), 0);
	assert_int_equal(lookup(&l, 0x20010db800000000, 1), 3);
	assert_int_equal(lookup(&l, 0x20010db800000000, 0), 1);
	lpm6_fini(&l);
}

/* --- a reader beside the writer --- */

static struct {
	struct lpm6 l;
	struct rte_rcu_qsbr *qsbr;
	_Atomic bool stop;
	_Atomic unsigned rounds;
	unsigned wrong;
} both;

/* An address of the /48 that is always there: 48, or one of the /64s and /128s that come and go in it, which have numbers of their
 * own by what they hold. */
static void *reader(void *arg)
{
	uint64_t rnd_own = 12345;
	(void)arg;

	rte_rcu_qsbr_thread_register(both.qsbr, 0);
	rte_rcu_qsbr_thread_online(both.qsbr, 0);
	while (!atomic_load(&both.stop)) {
		struct ip6 a[32];
		uint32_t id[32];

		for (unsigned i = 0; i < 32; i++) {
			rnd_own = rnd_own * 6364136223846793005ull + 1442695040888963407ull;
			a[i] = (struct ip6){0x20010db800010000 | (rnd_own >> 60), rnd_own >> 40 & 15};
		}
		lpm6_lookup(&both.l, a, id, 32);
		for (unsigned i = 0; i < 32; i++) {
			uint32_t net = (uint32_t)(a[i].hi & 15), host = net << 4 | (uint32_t)a[i].lo;

			both.wrong += id[i] != 48 && id[i] != 64000 + net && id[i] != 128000 + host;
		}
		atomic_fetch_add(&both.rounds, 1);
		rte_rcu_qsbr_quiescent(both.qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(both.qsbr, 0);
	rte_rcu_qsbr_thread_unregister(both.qsbr, 0);
	return NULL;
}

static int set(struct ip6 a, uint8_t plen, uint32_t id)
{
	int ret;

	do
		ret = lpm6_set(&both.l, a, plen, id, true);
	while (ret == -EAGAIN);
	return ret;
}

static void a_reader_sees_before_or_after(void **state)
{
	bool net[16] = {false}, host[256] = {false};
	pthread_t t;
	(void)state;

	both.qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);
	assert_int_equal(rte_rcu_qsbr_init(both.qsbr, 1), 0);
	assert_int_equal(lpm6_init(&both.l, NONE, 800, SOCKET_ID_ANY, both.qsbr), 0);
	assert_int_equal(set((struct ip6){0x20010db800010000, 0}, 48, 48), 0);
	assert_int_equal(pthread_create(&t, NULL, reader, NULL), 0);
	for (unsigned n = 0; n < 200000 || atomic_load(&both.rounds) < 2000; n++) {
		uint32_t h = rnd() % 256, s = h >> 4;
		struct ip6 a = {0x20010db800010000 | s, h & 15};

		if (rnd() % 8 == 0) {
			a.lo = 0;
			if (net[s])
				lpm6_del(&both.l, a, 64, 0, -1);
			else
				assert_int_equal(set(a, 64, 64000 + s), 0);
			net[s] = !net[s];
		} else {
			if (host[h])
				lpm6_del(&both.l, a, 128, 0, -1);
			else
				assert_int_equal(set(a, 128, 128000 + h), 0);
			host[h] = !host[h];
		}
	}
	atomic_store(&both.stop, true);
	pthread_join(t, NULL);
	assert_int_equal(both.wrong, 0);
	lpm6_fini(&both.l);
	rte_free(both.qsbr);
}

static int start(void **state)
{
	(void)state;
	return eal_start("256");
}

static int stop(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_after_every_change),
		cmocka_unit_test(two_nodes_a_prefix),
		cmocka_unit_test(without_nodes_nothing_changes),
		cmocka_unit_test(a_reader_sees_before_or_after),
	};

	return cmocka_run_group_tests_name("lpm6", tests, start, stop);
}
