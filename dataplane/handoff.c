#include "dataplane/handoff.h"

#include <stdio.h>

#include <rte_malloc.h>
#include <rte_ring.h>

#include "dataplane/drop.h"
#include "dataplane/worker.h"

_Static_assert(CFG_WORKERS_MAX <= 32, "pending is a bit per worker");

static int ring_new(struct handoff *h, uint8_t from, uint8_t to, int numa_node)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "handoff_%u_%u", from, to);
	r = rte_ring_create(name, HANDOFF_RING, numa_node, RING_F_SP_ENQ | RING_F_SC_DEQ);
	h->w[from].to[to] = r;
	h->w[to].from[from] = r;
	return r ? 0 : -ENOMEM;
}

struct handoff *handoff_new(uint8_t n_workers, int numa_node)
{
	size_t size = sizeof(struct handoff) + n_workers * sizeof(struct handoff_worker);
	struct handoff *h = rte_zmalloc_socket("handoff", size, 64, numa_node);

	if (!h)
		return NULL;
	h->n_workers = n_workers;
	for (uint8_t from = 0; from < n_workers; from++) {
		for (uint8_t to = 0; to < n_workers; to++) {
			if (from != to && ring_new(h, from, to, numa_node)) {
				handoff_free(h);
				return NULL;
			}
		}
	}
	return h;
}

static void ring_free(struct rte_ring *r)
{
	void *m;

	while (r && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	for (uint8_t from = 0; from < h->n_workers; from++) {
		for (uint8_t to = 0; to < h->n_workers; to++) {
			rte_pktmbuf_free_bulk(h->w[from].out[to], h->w[from].n_out[to]);
			ring_free(h->w[from].to[to]);
		}
	}
	rte_free(h);
}

static void flush_one(struct worker *w, struct handoff_worker *hw, uint8_t to)
{
	uint16_t n = hw->n_out[to], done;

	done = (uint16_t)rte_ring_sp_enqueue_burst(hw->to[to], (void **)hw->out[to], n, NULL);
	w->count.handoff_out += done;
	for (uint16_t i = done; i < n; i++)
		drop(w, hw->out[to][i], DROP_HANDOFF_FULL);
	hw->n_out[to] = 0;
	hw->pending &= ~(1u << to);
}

void handoff_push(struct worker *w, uint8_t to, struct rte_mbuf *m)
{
	struct handoff_worker *hw = &w->handoff->w[w->id];

	if (unlikely(to >= w->handoff->n_workers || to == w->id)) {
		drop(w, m, DROP_HANDOFF_FULL); /* an owner that does not exist: nobody to take it */
		return;
	}
	hw->out[to][hw->n_out[to]++] = m;
	hw->pending |= 1u << to;
	if (hw->n_out[to] == VEC_BURST)
		flush_one(w, hw, to);
}

void handoff_flush(struct worker *w)
{
	struct handoff_worker *hw = &w->handoff->w[w->id];

	while (hw->pending)
		flush_one(w, hw, (uint8_t)__builtin_ctz(hw->pending));
}

uint16_t handoff_pop(struct worker *w, struct rte_mbuf **pkts, uint16_t max)
{
	uint8_t n_workers = w->handoff->n_workers;
	struct handoff_worker *hw = &w->handoff->w[w->id];
	uint16_t n = 0;

	for (uint8_t i = 0; i < n_workers && n < max; i++) {
		struct rte_ring *r = hw->from[hw->next];

		if (++hw->next == n_workers) /* each has its turn at being first */
			hw->next = 0;
		if (r)
			n = (uint16_t)(n +
				       rte_ring_sc_dequeue_burst(r, (void **)(pkts + n), (unsigned)(max - n), NULL));
	}
	w->count.handoff_in += n;
	return n;
}
