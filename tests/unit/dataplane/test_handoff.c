/* Packets between three workers: order within a pair, fairness between givers, nothing lost without a count. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "dataplane/drop.h"
#include "dataplane/handoff.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"
#include "eal.h"

enum { WORKERS = 3, PACKETS = 2047 };

static struct rte_mempool *pool;
static struct handoff *handoff;
static struct worker *w[WORKERS];

static int start(void **state)
{
	(void)state;
	if (eal_start("64"))
		return -1;
	pool = rte_pktmbuf_pool_create("t", PACKETS, 0, 0, 256, 0);
	return pool ? 0 : -1;
}

static int begin(void **state)
{
	(void)state;
	handoff = handoff_new(WORKERS, 0);
	for (uint8_t i = 0; i < WORKERS; i++) {
		w[i] = calloc(1, sizeof(*w[i]));
		if (!w[i] || !handoff)
			return -1;
		w[i]->id = i;
		w[i]->handoff = handoff;
	}
	return 0;
}

/* Every packet is back, also those that were left in rings. */
static int finish(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORKERS; i++) {
		drop_flush(w[i]);
		free(w[i]);
	}
	handoff_free(handoff);
	return rte_mempool_avail_count(pool) == PACKETS ? 0 : -1;
}

static void give(unsigned from, uint8_t to, uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	*pkt_of(m) = (struct pkt){.kind = PKT_TUNNEL, .next = number};
	handoff_push(w[from], to, m);
}

static void order_within_a_pair_is_kept_and_pkt_goes_along(void **state)
{
	struct rte_mbuf *m[VEC_BURST];
	uint32_t seen = 0;
	uint16_t n;
	(void)state;

	for (uint32_t i = 0; i < 100; i++)
		give(0, 1, i);
	handoff_flush(w[0]);
	while ((n = handoff_pop(w[1], m, VEC_BURST)) != 0) {
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(pkt_of(m[i])->kind, PKT_TUNNEL);
			assert_int_equal(pkt_of(m[i])->next, seen++);
		}
		rte_pktmbuf_free_bulk(m, n);
	}
	assert_int_equal(seen, 100);
	assert_int_equal(w[0]->count.handoff_out, 100);
	assert_int_equal(w[1]->count.handoff_in, 100);
	assert_int_equal(handoff_pop(w[2], m, VEC_BURST), 0);
}

static void a_part_of_a_burst_goes_at_the_flush(void **state)
{
	struct rte_mbuf *m[VEC_BURST];
	(void)state;

	give(0, 1, 1);
	give(0, 2, 2);
	assert_int_equal(handoff_pop(w[1], m, VEC_BURST), 0);
	handoff_flush(w[0]);
	assert_int_equal(handoff_pop(w[1], m, VEC_BURST), 1);
	rte_pktmbuf_free(m[0]);
	assert_int_equal(handoff_pop(w[2], m, VEC_BURST), 1);
	rte_pktmbuf_free(m[0]);
}

static void a_full_ring_is_counted_and_harms_no_other(void **state)
{
	struct rte_mbuf *m[VEC_BURST];
	(void)state;

	for (uint32_t i = 0; i < HANDOFF_RING + 100; i++) {
		give(0, 1, i);
		drop_flush(w[0]);
	}
	give(0, 2, 7);
	handoff_flush(w[0]);
	assert_int_equal(w[0]->count.handoff_out + w[0]->count.drop[DROP_HANDOFF_FULL], HANDOFF_RING + 101);
	assert_in_range(w[0]->count.drop[DROP_HANDOFF_FULL], 100, 132);
	assert_int_equal(handoff_pop(w[2], m, VEC_BURST), 1);
	rte_pktmbuf_free(m[0]);
}

static void a_busy_giver_does_not_starve_another(void **state)
{
	struct rte_mbuf *m[VEC_BURST];
	unsigned polls = 0, found = 0;
	(void)state;

	for (uint32_t i = 0; i < 400; i++)
		give(0, 2, 0);
	handoff_flush(w[0]);
	give(1, 2, 1);
	handoff_flush(w[1]);
	while (!found && polls++ < 4) {
		uint16_t n = handoff_pop(w[2], m, VEC_BURST);

		for (uint16_t i = 0; i < n; i++)
			found += pkt_of(m[i])->next;
		rte_pktmbuf_free_bulk(m, n);
	}
	assert_int_equal(found, 1);
}

static void an_owner_that_does_not_exist_gets_nothing(void **state)
{
	(void)state;
	give(0, WORKERS, 0);
	give(0, 255, 0);
	give(0, 0, 0);
	assert_int_equal(w[0]->count.drop[DROP_HANDOFF_FULL], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, finish)
		CASE(order_within_a_pair_is_kept_and_pkt_goes_along), CASE(a_part_of_a_burst_goes_at_the_flush),
		CASE(a_full_ring_is_counted_and_harms_no_other),      CASE(a_busy_giver_does_not_starve_another),
		CASE(an_owner_that_does_not_exist_gets_nothing),
	};

	return cmocka_run_group_tests_name("handoff", tests, start, NULL);
}
