/* Next hops of several legs: what a reader sees while they change, and where they come from and go. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/fib.h"
#include "eal.h"

enum { NEXTHOPS = FIB_GROUPS + 64, PORTS = 4 };

static struct fib *make(struct rte_rcu_qsbr *qsbr)
{
	struct fib_params p = {.routes_max = 64, .n_nexthops = NEXTHOPS, .n_ports = PORTS, .qsbr = qsbr};
	struct fib *f = fib_new(&p);

	assert_non_null(f);
	return f;
}

/* n legs by port; leg i goes by way of 10.gen.0.i */
static int set(struct fib *f, uint32_t id, uint8_t n, uint8_t gen)
{
	struct msg_nexthop m = {.id = id, .n = n};

	for (uint8_t i = 0; i < n; i++)
		m.leg[i] = (struct msg_nh_leg){
			.kind = MSG_NH_PORT, .family = 4, .port = i % PORTS, .via = {10, gen, 0, i}};
	return fib_nexthop_set(f, &m);
}

static int set_tunnels(struct fib *f, uint32_t id, uint32_t a, uint32_t b)
{
	struct msg_nexthop m = {.id = id, .n = 2};

	m.leg[0] = (struct msg_nh_leg){.kind = MSG_NH_TUNNEL, .tunnel = {a, 1}};
	m.leg[1] = (struct msg_nh_leg){.kind = MSG_NH_TUNNEL, .tunnel = {b, 1}};
	return fib_nexthop_set(f, &m);
}

static struct fib_nh leg(struct fib *f, struct fib_nh nh, uint8_t i)
{
	uint32_t id;

	return fib_leg(f, nh, (uint32_t)((((uint64_t)i << 32) + (1u << 31)) / nh.n), &id);
}

static uint8_t octet(struct fib_nh nh, unsigned i)
{
	uint8_t b[4];

	memcpy(b, &nh.arg, 4);
	return b[i];
}

static void the_hash_gives_every_leg_its_share(void **state)
{
	struct fib *f = make(NULL);
	unsigned got[MSG_NH_LEGS];
	(void)state;

	for (uint8_t n = 2; n <= MSG_NH_LEGS; n++) {
		memset(got, 0, sizeof(got));
		assert_int_equal(set(f, 7, n, n), 0);
		assert_int_equal(fib_nh(f, 7).kind, FIB_LEGS);
		for (uint64_t h = 0; h <= UINT32_MAX; h += UINT32_MAX / 84000) {
			uint32_t id;
			struct fib_nh nh = fib_leg(f, fib_nh(f, 7), (uint32_t)h, &id);

			assert_int_equal(nh.kind, FIB_PORT);
			assert_int_equal(octet(nh, 1), n);
			assert_true(octet(nh, 3) < n && nh.port == octet(nh, 3) % PORTS);
			assert_int_equal(fib_nh(f, id).arg, nh.arg);
			got[octet(nh, 3)]++;
		}
		for (uint8_t i = 0; i < n; i++)
			assert_in_range(got[i], 84000 / n - 2, 84000 / n + 2);
	}
	fib_free(f);
}

static void what_is_all_tunnels_is_known(void **state)
{
	struct fib *f = make(NULL);
	struct msg_nexthop mixed = {.id = 2, .n = 2};
	(void)state;

	assert_int_equal(set(f, 0, 2, 1), 0);
	assert_int_equal(set_tunnels(f, 1, 3, 4), 0);
	mixed.leg[0] = (struct msg_nh_leg){.kind = MSG_NH_TUNNEL, .tunnel = {3, 1}};
	mixed.leg[1] = (struct msg_nh_leg){.kind = MSG_NH_PORT, .family = 4, .port = 1};
	assert_int_equal(fib_nexthop_set(f, &mixed), 0);
	assert_false(fib_is_tunnel(fib_nh(f, 0)));
	assert_true(fib_is_tunnel(fib_nh(f, 1)));
	assert_false(fib_is_tunnel(fib_nh(f, 2)));
	assert_true(fib_is_tunnel(leg(f, fib_nh(f, 2), 0)));
	assert_false(fib_is_tunnel(leg(f, fib_nh(f, 2), 1)));
	fib_free(f);
}

static void a_tunnel_that_went_takes_its_legs_alone(void **state)
{
	struct fib *f = make(NULL);
	(void)state;

	assert_int_equal(set_tunnels(f, 1, 3, 4), 0);
	fib_tunnel_gone(f, 3);
	assert_int_equal(leg(f, fib_nh(f, 1), 0).kind, FIB_DROP);
	assert_int_equal(leg(f, fib_nh(f, 1), 1).kind, FIB_TUNNEL);
	assert_int_equal(leg(f, fib_nh(f, 1), 1).arg, 4);
	fib_free(f);
}

/* The default is a copy of its next hop (fib.c): of several legs too. */
static void a_default_route_of_several_legs(void **state)
{
	struct fib *f = make(NULL);
	uint32_t addr = 0x08080808, id;
	struct fib_found r;
	(void)state;

	assert_int_equal(set(f, 9, 3, 7), 0);
	assert_int_equal(fib_set(f, 0, 0, 9), 0);
	fib_lookup(f, &addr, &id, 1);
	assert_int_equal(fib_nh(f, id).kind, FIB_LEGS);
	for (uint8_t gen = 8; gen < 20; gen++) {
		for (uint8_t i = 0; i < 3; i++)
			assert_int_equal(octet(leg(f, fib_nh(f, id), i), 1), gen - 1);
		assert_int_equal(set(f, 9, 3, gen), 0);
	}
	assert_true(fib_find(f, addr, &r) && r.nexthop == 9 && r.n == 3 && octet(r.leg[2], 1) == 19);
	assert_int_equal(set_tunnels(f, 9, 3, 4), 0);
	assert_true(fib_is_tunnel(fib_nh(f, id)));
	fib_tunnel_gone(f, 4);
	assert_int_equal(leg(f, fib_nh(f, id), 1).kind, FIB_DROP);
	assert_int_equal(leg(f, fib_nh(f, id), 0).kind, FIB_TUNNEL);
	fib_free(f);
}

static void legs_are_finite_and_come_back(void **state)
{
	struct fib *f = make(NULL);
	uint32_t id;
	(void)state;

	for (id = 0; id < FIB_GROUPS; id++)
		assert_int_equal(set(f, id, 8, 1), 0);
	assert_int_equal(set(f, id, 2, 1), -ENOSPC);
	assert_int_equal(fib_nh(f, id).kind, FIB_NONE);
	assert_int_equal(set(f, id, 1, 1), 0);
	assert_int_equal(set(f, 0, 2, 2), -ENOSPC); /* the new legs come first, then the old ones go */
	assert_int_equal(octet(leg(f, fib_nh(f, 0), 7), 1), 1);
	assert_int_equal(set(f, 5, 1, 1), 0); /* one leg needs no group */
	assert_int_equal(set(f, 0, 2, 2), 0);
	assert_int_equal(fib_nexthop_del(f, 6), 0);
	assert_int_equal(set(f, id, 3, 3), 0);
	for (unsigned i = 0; i < 3 * FIB_GROUPS; i++) { /* round and round */
		assert_int_equal(set(f, 1, 2 + i % 7, (uint8_t)i), 0);
		assert_int_equal(octet(leg(f, fib_nh(f, 1), 1), 1), (uint8_t)i);
		assert_int_equal(octet(leg(f, fib_nh(f, 2), 7), 1), 1);
	}
	fib_free(f);
}

static void refuses_what_is_no_next_hop(void **state)
{
	struct fib *f = make(NULL);
	struct msg_nexthop m = {.id = 1, .n = 2};
	(void)state;

	m.leg[0] = m.leg[1] = (struct msg_nh_leg){.kind = MSG_NH_PORT, .family = 4, .port = PORTS};
	assert_int_equal(fib_nexthop_set(f, &m), -EINVAL);
	assert_int_equal(set(f, NEXTHOPS, 2, 1), -EINVAL);
	m.n = 0;
	assert_int_equal(fib_nexthop_set(f, &m), -EINVAL);
	m.n = MSG_NH_LEGS + 1;
	assert_int_equal(fib_nexthop_set(f, &m), -EINVAL);
	assert_int_equal(fib_nh(f, 1).kind, FIB_NONE);
	fib_free(f);
}

static struct rte_rcu_qsbr *qsbr_new(void)
{
	struct rte_rcu_qsbr *q = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);

	assert_non_null(q);
	assert_int_equal(rte_rcu_qsbr_init(q, 1), 0);
	return q;
}

static void legs_that_may_be_read_are_not_used_again(void **state)
{
	struct rte_rcu_qsbr *q = qsbr_new();
	struct fib *f = make(q);
	struct fib_nh held;
	unsigned n = 0;
	(void)state;

	rte_rcu_qsbr_thread_register(q, 0);
	rte_rcu_qsbr_thread_online(q, 0);
	assert_int_equal(set(f, 1, 3, 1), 0);
	held = fib_nh(f, 1);
	while (set(f, 1, 3, 2) == 0)
		n++;
	assert_int_equal(n, FIB_GROUPS - 1);
	assert_int_equal(set(f, 1, 3, 2), -EAGAIN);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(octet(leg(f, held, i), 1), 1);
	rte_rcu_qsbr_quiescent(q, 0);
	assert_int_equal(set(f, 1, 3, 2), 0);
	rte_rcu_qsbr_thread_offline(q, 0);
	fib_free(f);
	rte_free(q);
}

struct reader {
	struct fib *f;
	struct rte_rcu_qsbr *qsbr;
	_Atomic bool stop;
	uint64_t seen, torn;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;

	rte_rcu_qsbr_thread_register(r->qsbr, 0);
	rte_rcu_qsbr_thread_online(r->qsbr, 0);
	while (!atomic_load(&r->stop)) {
		for (unsigned k = 0; k < 64; k++) {
			struct fib_nh nh = fib_nh(r->f, 1);
			uint8_t gen = 0;

			for (uint8_t i = 0; nh.kind == FIB_LEGS && i < nh.n; i++) {
				struct fib_nh l = leg(r->f, nh, i);

				gen = i ? gen : octet(l, 1);
				r->torn += l.kind != FIB_PORT || octet(l, 1) != gen || octet(l, 3) != i ||
					   nh.n != 2 + gen % 7;
			}
			r->seen++;
		}
		rte_rcu_qsbr_quiescent(r->qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(r->qsbr, 0);
	return NULL;
}

static void a_reader_never_sees_half_a_group(void **state)
{
	struct reader r = {.qsbr = qsbr_new()};
	pthread_t t;
	unsigned sets = 0;
	(void)state;

	r.f = make(r.qsbr);
	assert_int_equal(set(r.f, 1, 2, 0), 0);
	assert_int_equal(pthread_create(&t, NULL, read_on, &r), 0);
	while (sets < 200000) {
		uint8_t gen = (uint8_t)(sets % 250);
		int ret = set(r.f, 1, (uint8_t)(2 + gen % 7), gen);

		assert_true(ret == 0 || ret == -EAGAIN);
		sets += ret == 0;
	}
	atomic_store(&r.stop, true);
	pthread_join(t, NULL);
	assert_true(r.seen > 1000);
	assert_int_equal(r.torn, 0);
	fib_free(r.f);
	rte_free(r.qsbr);
}

static void it_is_told_what_workers_do(void **state)
{
	struct fib *f = make(NULL);
	struct fib_found r;
	(void)state;

	assert_false(fib_find(f, 0x0a010203, &r));
	assert_int_equal(set(f, 9, 3, 7), 0);
	assert_int_equal(set(f, 8, 1, 6), 0);
	assert_int_equal(fib_set(f, 0x0a000000, 8, 9), 0);
	assert_int_equal(fib_set(f, 0x0a010200, 23, 8), 0);
	assert_int_equal(fib_own_set(f, 0x0a010201, 32, FIB_LOCAL, 0), 0);
	assert_true(fib_find(f, 0x0aff0000, &r));
	assert_true(ip_v4_u32(&r.addr) == 0x0a000000 && r.plen == 8 && r.nexthop == 9 && r.n == 3);
	for (uint8_t i = 0; i < 3; i++)
		assert_true(octet(r.leg[i], 1) == 7 && octet(r.leg[i], 3) == i && r.leg[i].port == i % PORTS);
	assert_true(fib_find(f, 0x0a0103ff, &r));
	assert_true(ip_v4_u32(&r.addr) == 0x0a010200 && r.plen == 23 && r.nexthop == 8 && r.n == 1 &&
		    octet(r.leg[0], 1) == 6);
	assert_true(fib_find(f, 0x0a010201, &r));
	assert_true(r.plen == 32 && r.nexthop == UINT32_MAX && r.n == 1 && r.leg[0].kind == FIB_LOCAL);
	assert_int_equal(fib_nexthop_del(f, 9), 0);
	assert_true(fib_find(f, 0x0aff0000, &r) && r.nexthop == 9 && r.n == 0);
	fib_attached(f); /* ids of an older control plane are told as it gave them */
	assert_true(fib_find(f, 0x0a0103ff, &r) && r.nexthop == 8);
	fib_free(f);
}

static int start(void **state)
{
	(void)state;
	return eal_start("512");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_gives_every_leg_its_share),
		cmocka_unit_test(what_is_all_tunnels_is_known),
		cmocka_unit_test(a_tunnel_that_went_takes_its_legs_alone),
		cmocka_unit_test(a_default_route_of_several_legs),
		cmocka_unit_test(legs_are_finite_and_come_back),
		cmocka_unit_test(refuses_what_is_no_next_hop),
		cmocka_unit_test(legs_that_may_be_read_are_not_used_again),
		cmocka_unit_test(it_is_told_what_workers_do),
		cmocka_unit_test(a_reader_never_sees_half_a_group),
	};

	return cmocka_run_group_tests_name("legs", tests, start, NULL);
}
