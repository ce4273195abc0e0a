/* The forwarding table against a naive one, mark and sweep, owners, and readers during churn. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_byteorder.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/fib.h"
#include "dataplane/onlink.h"
#include "eal.h"

enum { ROUTES = 20000, NEXTHOPS = 512, PORTS = 3 };

/* Naive table: longest match by a walk over everything. */
struct naive {
	uint32_t addr, nh;
	uint8_t plen;
	bool live;
};

static struct naive naive[ROUTES];
static unsigned n_naive;
static uint64_t rnd_state = 88172645463325252ull;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16);
}

static uint32_t mask(uint8_t plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

static struct naive *naive_find(uint32_t addr, uint8_t plen)
{
	for (unsigned i = 0; i < n_naive; i++)
		if (naive[i].live && naive[i].addr == addr && naive[i].plen == plen)
			return &naive[i];
	return NULL;
}

static uint32_t naive_lookup(uint32_t addr, uint32_t none)
{
	int best = -1;
	uint32_t nh = none;

	for (unsigned i = 0; i < n_naive; i++) {
		if (naive[i].live && (addr & mask(naive[i].plen)) == naive[i].addr && naive[i].plen > best) {
			best = naive[i].plen;
			nh = naive[i].nh;
		}
	}
	return nh;
}

static void set_nexthop(struct fib *f, uint32_t id, uint16_t port)
{
	struct msg_nexthop m = {.id = id,
				.n = 1,
				.leg[0] = {.kind = MSG_NH_PORT,
					   .family = 4,
					   .port = port,
					   .via = {10, 0, (uint8_t)(id >> 8), (uint8_t)id}}};

	assert_int_equal(fib_nexthop_set(f, &m), 0);
}

/* The next hop that a reader gets: by its number, or of the default by what it is. */
static uint32_t answer(const struct fib *f, uint32_t id)
{
	struct fib_nh nh = fib_nh(f, id);

	return id != 2 * NEXTHOPS || nh.kind == FIB_NONE ? id : rte_be_to_cpu_32(nh.arg) & 0xffff;
}

static struct fib *make(uint32_t routes_max, struct rte_rcu_qsbr *qsbr)
{
	struct fib_params p = {.routes_max = routes_max, .n_nexthops = NEXTHOPS, .n_ports = PORTS, .qsbr = qsbr};
	struct fib *f = fib_new(&p);

	assert_non_null(f);
	for (uint32_t i = 0; i < NEXTHOPS; i++)
		set_nexthop(f, i, (uint16_t)(i % PORTS));
	return f;
}

static uint32_t lookup(struct fib *f, uint32_t addr)
{
	uint32_t id = UINT32_MAX;

	fib_lookup(f, &addr, &id, 1);
	return answer(f, id);
}

static enum fib_kind kind(struct fib *f, uint32_t addr)
{
	uint32_t id;

	fib_lookup(f, &addr, &id, 1);
	return fib_nh(f, id).kind;
}

static void compare(struct fib *f, unsigned n)
{
	uint32_t addr[32];
	uint32_t id[32];

	for (unsigned done = 0; done < n; done += 32) {
		for (unsigned i = 0; i < 32; i++) {
			const struct naive *r = &naive[rnd() % n_naive];

			/* around the edges of prefixes, where mistakes live, and anywhere */
			addr[i] = rnd() % 4 == 0 ? rnd() : (r->addr | (rnd() & ~mask(r->plen))) + (rnd() % 3 - 1);
		}
		fib_lookup(f, addr, id, 32);
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(answer(f, id[i]), naive_lookup(addr[i], 2 * NEXTHOPS));
	}
}

static void agrees_with_a_naive_table_under_add_replace_and_delete(void **state)
{
	struct fib *f = make(ROUTES, NULL);
	(void)state;

	n_naive = 0;
	while (n_naive < 10000) {
		uint8_t plen = rnd() % 8 == 0 ? (uint8_t)(rnd() % 33) : (uint8_t)(16 + rnd() % 17);
		uint32_t addr = (0x0a000000 | (rnd() & 0x00ffffff)) & mask(plen), nh = rnd() % NEXTHOPS;
		struct naive *old = naive_find(addr, plen);

		assert_int_equal(fib_set(f, addr, plen, nh), 0);
		if (old)
			old->nh = nh;
		else
			naive[n_naive++] = (struct naive){.addr = addr, .nh = nh, .plen = plen, .live = true};
	}
	assert_int_equal(fib_count(f), n_naive);
	compare(f, 2048);
	for (unsigned i = 0; i < n_naive; i += 3) {
		assert_int_equal(fib_del(f, naive[i].addr, naive[i].plen), 0);
		naive[i].live = false;
	}
	compare(f, 2048);
	for (unsigned i = 1; i < n_naive; i += 3) {
		naive[i].nh = rnd() % NEXTHOPS;
		assert_int_equal(fib_set(f, naive[i].addr, naive[i].plen, naive[i].nh), 0);
	}
	assert_int_equal(fib_set(f, 0x01000000, 8, 1), 0);
	naive[n_naive++] = (struct naive){.addr = 0x01000000, .nh = 1, .plen = 8, .live = true};
	compare(f, 2048);
	fib_free(f);
}

/* What goes leaves its addresses to the longest prefix around it, of whatever length, however often it came and went. */
static void what_goes_leaves_to_the_one_around(void **state)
{
	static const uint8_t around[] = {0, 1, 8, 23, 24, 25, 31};
	struct fib *f = make(100, NULL);
	(void)state;

	for (unsigned i = 0; i < sizeof(around); i++) {
		uint32_t addr = 0x8a010100 & mask(around[i]);

		for (unsigned again = 0; again < 3; again++) {
			assert_int_equal(fib_set(f, addr, around[i], 1), 0);
			assert_int_equal(fib_set(f, 0x8a010100, 32, 2), 0);
			assert_int_equal(lookup(f, 0x8a010100), 2);
			assert_int_equal(fib_del(f, 0x8a010100, 32), 0);
			assert_int_equal(lookup(f, 0x8a010100), 1);
			assert_int_equal(fib_del(f, addr, around[i]), 0);
			assert_int_equal(lookup(f, 0x8a010100), 2 * NEXTHOPS);
			/* gone for good: the next one finds nothing around it */
			assert_int_equal(fib_set(f, 0x8a010100, 32, 2), 0);
			assert_int_equal(fib_del(f, 0x8a010100, 32), 0);
			assert_int_equal(lookup(f, 0x8a010100), 2 * NEXTHOPS);
		}
	}
	fib_free(f);
}

static unsigned ms_since(const struct timespec *begun)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (unsigned)((t.tv_sec - begun->tv_sec) * 1000 + (t.tv_nsec - begun->tv_nsec) / 1000000);
}

/* Default routes come and go in everyday life of BGP, so they cost no more than others: a store. */
static void a_default_route_is_one_store(void **state)
{
	struct fib *f = make(100, NULL);
	struct timespec begun;
	(void)state;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
	for (uint32_t i = 0; i < 100000; i++) {
		assert_int_equal(fib_set(f, 0, 0, i % 7), 0);
		if (i % 3 == 0)
			assert_int_equal(fib_del(f, 0, 0), 0);
	}
	assert_in_range(ms_since(&begun), 0, 2000);
	fib_free(f);
}

/* It is a copy of its next hop, and follows whatever happens to that. */
static void a_default_route_follows_its_next_hop(void **state)
{
	struct fib *f = make(100, NULL);
	struct msg_nexthop tun = {.id = 3, .n = 1, .leg[0] = {.kind = MSG_NH_TUNNEL, .tunnel = {9, 1}}};
	struct fib_found r;
	(void)state;

	assert_false(fib_find(f, 0x08080808, &r));
	assert_int_equal(fib_set(f, 0, 0, 3), 0);
	assert_int_equal(fib_set(f, 0x0a000000, 8, 4), 0);
	assert_int_equal(fib_set(f, 0x0a000001, 32, 5), 0);
	assert_true(lookup(f, 0) == 3 && lookup(f, 0x08080808) == 3 && lookup(f, 0xffffffff) == 3);
	assert_true(lookup(f, 0x0a010000) == 4 && lookup(f, 0x0a000001) == 5);
	assert_true(fib_find(f, 0x08080808, &r) && ip_v4_u32(&r.addr) == 0 && r.plen == 0 && r.nexthop == 3 &&
		    r.n == 1);
	assert_int_equal(fib_nexthop_set(f, &tun), 0);
	assert_true(kind(f, 0x08080808) == FIB_TUNNEL && kind(f, 0x0a010000) == FIB_PORT);
	fib_tunnel_gone(f, 8);
	assert_int_equal(kind(f, 0x08080808), FIB_TUNNEL);
	fib_tunnel_gone(f, 9);
	assert_int_equal(kind(f, 0x08080808), FIB_DROP);
	assert_int_equal(fib_nexthop_del(f, 3), 0);
	assert_int_equal(kind(f, 0x08080808), FIB_NONE);
	assert_true(fib_find(f, 0x08080808, &r) && r.nexthop == 3 && r.n == 0); /* the route is still there */
	set_nexthop(f, 3, 1);
	assert_int_equal(lookup(f, 0x08080808), 3);
	/* another next hop: it follows that one, and the former one no more */
	assert_int_equal(fib_set(f, 0, 0, 6), 0);
	assert_int_equal(fib_nexthop_set(f, &tun), 0);
	assert_int_equal(lookup(f, 0x08080808), 6);
	/* what goes leaves its addresses to it, and it leaves nothing */
	assert_int_equal(fib_del(f, 0x0a000000, 8), 0);
	assert_int_equal(fib_del(f, 0x0a000001, 32), 0);
	assert_true(lookup(f, 0x0a000001) == 6 && lookup(f, 0x0a010000) == 6);
	assert_int_equal(fib_del(f, 0, 0), 0);
	assert_true(lookup(f, 0x08080808) == 2 * NEXTHOPS && lookup(f, 0x0a000001) == 2 * NEXTHOPS);
	set_nexthop(f, 6, 2); /* a next hop that was the default's is nobody's now */
	assert_int_equal(kind(f, 0x08080808), FIB_NONE);
	assert_false(fib_find(f, 0x08080808, &r));
	assert_int_equal(fib_count(f), 0);
	fib_free(f);
}

/* A later control plane numbers anew: the default keeps its own next hop until it is swept. */
static void a_default_route_outlives_its_control_plane(void **state)
{
	struct fib *f = make(100, NULL);
	struct fib_found r;
	(void)state;

	assert_int_equal(fib_set(f, 0, 0, 3), 0);
	fib_attached(f);
	set_nexthop(f, 3, 1);
	set_nexthop(f, 4, 1);
	assert_int_equal(fib_nexthop_del(f, 3), 0);
	assert_int_equal(kind(f, 0x08080808), FIB_PORT);
	assert_true(fib_find(f, 0x08080808, &r) && r.nexthop == 3 && r.n == 1);
	fib_sync_begin(f);
	assert_int_equal(fib_set(f, 0, 0, 4), 0);
	assert_int_equal(fib_set(f, 0x0a000000, 8, 4), 0);
	fib_sync_end(f);
	while (fib_sweep(f))
		;
	assert_int_equal(lookup(f, 0x08080808), 4);
	assert_true(fib_find(f, 0x08080808, &r) && r.nexthop == 4);
	assert_true(fib_find(f, 0x0a000001, &r) && r.nexthop == 4 && r.plen == 8);
	fib_sync_begin(f);
	fib_sync_end(f);
	while (fib_sweep(f))
		;
	assert_int_equal(kind(f, 0x08080808), FIB_NONE);
	fib_free(f);
}

static void refuses_what_it_cannot_do(void **state)
{
	struct fib *f = make(100, NULL);
	(void)state;

	assert_int_equal(fib_set(f, 0x0a000001, 8, 1), -EINVAL);
	assert_int_equal(fib_set(f, 0x0a000000, 33, 1), -EINVAL);
	assert_int_equal(fib_set(f, 0x0a000000, 8, NEXTHOPS), -ENOENT);
	assert_int_equal(fib_set(f, 0x0a000000, 8, UINT32_MAX), -ENOENT);
	assert_int_equal(fib_nexthop_del(f, 5), 0);
	assert_int_equal(fib_set(f, 0x0a000000, 8, 5), -ENOENT);
	assert_int_equal(fib_del(f, 0x0a000000, 8), -ENOENT);
	assert_int_equal(fib_del(f, 0x0a000001, 8), -ENOENT);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(fib_set(f, 0x0a000000 + i, 32, 1), 0);
	assert_int_equal(fib_set(f, 0x0b000000, 32, 1), -ENOSPC);
	assert_int_equal(fib_set(f, 0x0a000000, 32, 2), 0); /* a replacement needs no room */
	assert_int_equal(fib_del(f, 0x0a000000, 32), 0);
	assert_int_equal(fib_set(f, 0x0b000000, 32, 1), 0);
	fib_free(f);
}

/* All blocks of longer prefixes are taken: what is refused leaves no trace. */
static void what_finds_no_block_leaves_nothing_behind(void **state)
{
	enum { MAX = 3000 };
	struct fib *f = make(MAX, NULL);
	uint32_t n = 0, addr;
	(void)state;

	while (fib_set(f, 0x0a000000 + (n << 8), 25, 1) == 0)
		n++;
	assert_in_range(n, 1000, MAX - 1);
	addr = 0x0a000000 + (n << 8);
	assert_int_equal(fib_set(f, addr, 25, 1), -ENOSPC);
	assert_int_equal(fib_count(f), n);
	assert_int_equal(fib_del(f, addr, 25), -ENOENT);
	assert_int_equal(fib_set(f, addr, 24, 2), 0); /* needs none */
	assert_int_equal(fib_del(f, 0x0a000000, 25), 0);
	assert_int_equal(fib_set(f, addr + 1, 32, 3), 0);
	assert_int_equal(fib_del(f, addr + 1, 32), 0);
	assert_int_equal(lookup(f, addr + 1), 2); /* and not what was refused */
	assert_int_equal(fib_count(f), n);
	fib_free(f);
}

static void own_routes_cannot_be_taken_over(void **state)
{
	struct fib *f = make(100, NULL);
	(void)state;

	assert_int_equal(fib_own_set(f, 0xc0000200, 24, FIB_PORT, 2), 0);
	assert_int_equal(fib_own_set(f, 0xc0000201, 32, FIB_LOCAL, 0), 0);
	assert_int_equal(fib_own_set(f, 0xe0000000, 4, FIB_DROP, 0), 0);
	assert_int_equal(fib_own_set(f, 0xc0000300, 24, FIB_PORT, PORTS), -EINVAL);
	assert_int_equal(fib_set(f, 0xc0000200, 24, 1), -EEXIST);
	assert_int_equal(fib_del(f, 0xc0000200, 24), -EEXIST);
	assert_int_equal(fib_addr_set(f, 0xc0000201), 0); /* has it already */
	assert_int_equal(fib_addr_del(f, 0xc0000201), -EEXIST);
	assert_int_equal(fib_addr_set(f, 0x0a000001), 0);
	assert_int_equal(fib_addr_set(f, 0x0a000001), 0);
	assert_int_equal(fib_set(f, 0x0a000001, 32, 1), -EEXIST);
	assert_int_equal(kind(f, 0xc0000201), FIB_LOCAL);
	assert_int_equal(kind(f, 0x0a000001), FIB_LOCAL);
	assert_int_equal(kind(f, 0xc0000202), FIB_PORT);
	assert_int_equal(fib_nh(f, lookup(f, 0xc0000202)).port, 2);
	assert_int_equal(fib_nh(f, lookup(f, 0xc0000202)).arg, 0);
	assert_int_equal(kind(f, 0xe0000001), FIB_DROP);
	assert_int_equal(fib_addr_del(f, 0x0a000001), 0);
	assert_int_equal(kind(f, 0x0a000001), FIB_NONE);
	/* what takes over a route of the control plane gives it its place back */
	assert_int_equal(fib_set(f, 0x0a000002, 32, 1), 0);
	assert_int_equal(fib_count(f), 1);
	assert_int_equal(fib_addr_set(f, 0x0a000002), 0);
	assert_int_equal(kind(f, 0x0a000002), FIB_LOCAL);
	assert_int_equal(fib_count(f), 0);
	assert_int_equal(fib_del(f, 0x0a000002, 32), -EEXIST);
	fib_free(f);
}

static void sweep(struct fib *f)
{
	while (fib_sweep(f))
		;
}

static void sync_removes_what_was_not_set_again(void **state)
{
	struct fib *f = make(1000, NULL);
	(void)state;

	assert_int_equal(fib_own_set(f, 0xc0000200, 24, FIB_PORT, 0), 0);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(fib_set(f, 0x0a000000 + (i << 8), 24, 1), 0);
	fib_sync_end(f); /* without a begin: nothing */
	sweep(f);
	assert_int_equal(fib_count(f), 1000);
	fib_sync_begin(f);
	for (uint32_t i = 0; i < 1000; i += 2)
		assert_int_equal(fib_set(f, 0x0a000000 + (i << 8), 24, i % 4 ? 1 : 3), 0);
	assert_int_equal(fib_count(f), 1000); /* until the end, all are in force */
	assert_int_equal(lookup(f, 0x0a000101), 1);
	fib_sync_end(f);
	sweep(f);
	assert_int_equal(fib_count(f), 500);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(lookup(f, 0x0a000001 + (i << 8)), i % 2 ? 2 * NEXTHOPS : i % 4 ? 1 : 3);
	assert_int_equal(kind(f, 0xc0000202), FIB_PORT);
	fib_free(f);
}

/* A control plane that goes in the middle of its sync has not said that the rest may go. */
static void a_sync_ends_with_its_control_plane(void **state)
{
	struct fib *f = make(1000, NULL);
	(void)state;

	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(fib_set(f, 0x0a000000 + (i << 8), 24, 1), 0);
	fib_sync_begin(f);
	fib_attached(f);
	fib_sync_end(f);
	assert_false(fib_sweep(f));
	assert_int_equal(fib_count(f), 1000);
	fib_sync_begin(f);
	fib_sync_end(f);
	assert_true(fib_sweep(f));
	fib_attached(f);
	assert_false(fib_sweep(f));
	assert_int_equal(fib_count(f), 1000 - FIB_SWEEP);
	fib_sync_begin(f);
	fib_sync_end(f);
	assert_true(fib_sweep(f));
	fib_sync_begin(f); /* nor one that begins anew */
	assert_false(fib_sweep(f));
	assert_int_equal(fib_count(f), 1000 - 2 * FIB_SWEEP);
	fib_free(f);
}

/* Each of them is millions of words: nobody waits for two at once. */
static void short_prefixes_are_swept_one_a_turn(void **state)
{
	struct fib *f = make(1000, NULL);
	uint32_t n = 0;
	(void)state;

	for (uint8_t plen = 1; plen < FIB_SHORT; plen++)
		for (uint32_t i = 0; i < 2; i++, n++)
			assert_int_equal(fib_set(f, i << (32 - plen), plen, 1), 0);
	for (uint32_t i = 0; i < FIB_SWEEP; i++)
		assert_int_equal(fib_set(f, 0x0a000000 + (i << 16), FIB_SHORT + 8, 1), 0);
	fib_sync_begin(f);
	fib_sync_end(f);
	for (uint32_t left = n + FIB_SWEEP; left > FIB_SWEEP; left--) {
		assert_int_equal(fib_count(f), left);
		assert_true(fib_sweep(f));
	}
	(void)fib_sweep(f);
	assert_int_equal(fib_count(f), 0);
	sweep(f);
	fib_free(f);
}

static void next_hop_ids_of_a_new_attach_do_not_touch_older_routes(void **state)
{
	struct fib *f = make(100, NULL);
	struct msg_nexthop tun = {.id = 1, .n = 1, .leg[0] = {.kind = MSG_NH_TUNNEL, .tunnel = {9, 1}}};
	(void)state;

	assert_int_equal(fib_nexthop_set(f, &tun), 0);
	assert_int_equal(fib_set(f, 0x0a000000, 8, 1), 0);
	assert_int_equal(fib_addr_set(f, 0x01010101), 0);
	assert_int_equal(fib_addr_set(f, 0x02020202), 0);
	fib_attached(f);
	assert_int_equal(fib_set(f, 0x0b000000, 8, 1), -ENOENT); /* not set in this attach */
	tun.leg[0].tunnel.slot = 4;
	assert_int_equal(fib_nexthop_set(f, &tun), 0);
	assert_int_equal(fib_nh(f, lookup(f, 0x0a000001)).arg, 9);
	assert_int_equal(fib_addr_set(f, 0x01010101), 0);
	fib_sync_begin(f);
	assert_int_equal(fib_set(f, 0x0b000000, 8, 1), 0);
	assert_int_equal(fib_nh(f, lookup(f, 0x0a000001)).arg, 9);
	assert_int_equal(fib_nh(f, lookup(f, 0x0b000001)).arg, 4);
	fib_sync_end(f);
	sweep(f);
	assert_int_equal(kind(f, 0x0a000001), FIB_NONE);
	assert_int_equal(kind(f, 0x01010101), FIB_LOCAL);
	assert_int_equal(kind(f, 0x02020202), FIB_NONE);
	fib_tunnel_gone(f, 4);
	assert_int_equal(kind(f, 0x0b000001), FIB_DROP);
	fib_free(f);
}

static void ports_bring_their_networks_and_no_broadcast_is_forwarded(void **state)
{
	static struct config c = {.n_ports = 2, .port = {{.n_addr = 2}, {.n_addr = 2}}};
	struct fib *f = make(16, NULL);
	(void)state;

	assert_int_equal(ip_prefix_parse("192.0.2.1/24", true, &c.port[0].addr[0]), 0);
	assert_int_equal(ip_prefix_parse("198.51.100.0/31", true, &c.port[0].addr[1]), 0);
	assert_int_equal(ip_prefix_parse("192.0.2.255/32", true, &c.port[1].addr[0]), 0);
	assert_int_equal(ip_prefix_parse("203.0.113.129/25", true, &c.port[1].addr[1]), 0);
	assert_int_equal(onlink_install(f, &c), 0);
	assert_int_equal(kind(f, 0xc0000201), FIB_LOCAL);
	assert_int_equal(kind(f, 0xc0000202), FIB_PORT);
	assert_int_equal(kind(f, 0xc0000200), FIB_DROP);
	assert_int_equal(kind(f, 0xc00002ff),
			 FIB_LOCAL); /* another port's address wins over this network's broadcast */
	assert_int_equal(kind(f, 0xc6336400), FIB_LOCAL); /* RFC 3021: a /31 has no broadcast */
	assert_int_equal(kind(f, 0xc6336401), FIB_PORT);
	assert_int_equal(kind(f, 0xcb007181), FIB_LOCAL);
	assert_int_equal(fib_nh(f, lookup(f, 0xcb007182)).port, 1);
	assert_int_equal(kind(f, 0xcb0071ff), FIB_DROP);
	assert_int_equal(kind(f, 0xcb007101), FIB_NONE);
	assert_int_equal(fib_count(f), 0); /* none of the control plane's */
	fib_free(f);
}

/* Churn: 10.0.0.0/8 is always there with next hop 1; a /16 inside comes and goes with next hop 2; and a /24 in a third
 * place is replaced 3 <-> 4. A reader must never see anything else. */
struct reader {
	struct fib *f;
	struct rte_rcu_qsbr *qsbr;
	_Atomic bool stop;
	_Atomic uint64_t lookups;
	uint64_t wrong, seen[5];
};

static void *read_on(void *arg)
{
	struct reader *r = arg;
	uint32_t addr[4] = {0x0a010101, 0x0a020202, 0x0a030303, 0x0b000000};
	uint32_t id[4];

	rte_rcu_qsbr_thread_register(r->qsbr, 0);
	rte_rcu_qsbr_thread_online(r->qsbr, 0);
	while (!atomic_load(&r->stop)) {
		for (unsigned i = 0; i < 64; i++) {
			fib_lookup(r->f, addr, id, 4);
			r->wrong += id[0] != 1 && id[0] != 2;
			r->wrong += id[1] != 1;
			r->wrong += id[2] != 3 && id[2] != 4;
			r->wrong += id[3] != 2 * NEXTHOPS;
			if (id[0] < 5)
				r->seen[id[0]]++;
			if (id[2] < 5)
				r->seen[id[2]]++;
		}
		r->lookups += 64;
		rte_rcu_qsbr_quiescent(r->qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(r->qsbr, 0);
	return NULL;
}

/* The block that it needs may still be in the reader's hands: the ctl thread asks again, too. */
static int set_soon(struct fib *f, uint32_t addr, uint8_t plen, uint32_t nh)
{
	int ret;

	while ((ret = fib_set(f, addr, plen, nh)) == -EAGAIN)
		;
	return ret;
}

static void a_reader_never_sees_a_wrong_next_hop_during_churn(void **state)
{
	struct rte_rcu_qsbr *qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);
	struct reader r = {.qsbr = qsbr};
	pthread_t t;
	(void)state;

	assert_int_equal(rte_rcu_qsbr_init(qsbr, 1), 0);
	r.f = make(ROUTES, qsbr);
	assert_int_equal(fib_set(r.f, 0x0a000000, 8, 1), 0);
	assert_int_equal(fib_set(r.f, 0x0a030300, 24, 3), 0);
	assert_int_equal(pthread_create(&t, NULL, read_on, &r), 0);
	while (atomic_load(&r.lookups) == 0)
		;
	for (uint32_t i = 0; i < 2000; i++) {
		/* neighbours in the same tables, so that blocks are taken and given back */
		for (uint32_t k = 0; k < 20; k++)
			assert_int_equal(set_soon(r.f, 0x0a010000 + ((rnd() & 0x7f) << 8) + 0x80, 25, 2), 0);
		assert_int_equal(fib_set(r.f, 0x0a010000, 16, 2), 0);
		assert_int_equal(fib_set(r.f, 0x0a030300, 24, i % 2 ? 3 : 4), 0);
		for (uint32_t k = 0; k < 128; k++)
			(void)!fib_del(r.f, 0x0a010000 + (k << 8) + 0x80, 25);
		assert_int_equal(fib_del(r.f, 0x0a010000, 16), 0);
	}
	atomic_store(&r.stop, true);
	pthread_join(t, NULL);
	assert_true(r.lookups > 1000);
	assert_int_equal(r.wrong, 0);
	assert_true(r.seen[1] > 0 && r.seen[2] > 0 && r.seen[3] > 0 && r.seen[4] > 0);
	fib_free(r.f);
	rte_free(qsbr);
}

static int start(void **state)
{
	(void)state;
	return eal_start("768");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_naive_table_under_add_replace_and_delete),
		cmocka_unit_test(what_goes_leaves_to_the_one_around),
		cmocka_unit_test(a_default_route_is_one_store),
		cmocka_unit_test(a_default_route_follows_its_next_hop),
		cmocka_unit_test(a_default_route_outlives_its_control_plane),
		cmocka_unit_test(refuses_what_it_cannot_do),
		cmocka_unit_test(what_finds_no_block_leaves_nothing_behind),
		cmocka_unit_test(own_routes_cannot_be_taken_over),
		cmocka_unit_test(sync_removes_what_was_not_set_again),
		cmocka_unit_test(a_sync_ends_with_its_control_plane),
		cmocka_unit_test(short_prefixes_are_swept_one_a_turn),
		cmocka_unit_test(ports_bring_their_networks_and_no_broadcast_is_forwarded),
		cmocka_unit_test(next_hop_ids_of_a_new_attach_do_not_touch_older_routes),
		cmocka_unit_test(a_reader_never_sees_a_wrong_next_hop_during_churn),
	};

	return cmocka_run_group_tests_name("fib", tests, start, NULL);
}
