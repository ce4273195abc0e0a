/* The one way to lose a packet: under a reason of ring/stats.h, counted once, freed in bulk at the end of the poll. */
#pragma once

#include <rte_mbuf.h>

#include "dataplane/worker.h"
#include "ring/stats.h"

/* Takes m, which must not be touched any more. Worker thread. */
static inline void drop(struct worker *w, struct rte_mbuf *m, enum stats_drop why)
{
	if (unlikely(w->dead.n == VEC_MAX))
		drop_flush(w);
	w->count.drop[why]++;
	vec_push(&w->dead, m);
}

/* Pass m on to the next stage. Lists are sized so that they have room; should one be full, the packet is lost as if the
 * port behind it were, and memory stays whole. */
static inline void vec_give(struct worker *w, struct vec *v, struct rte_mbuf *m)
{
	if (likely(v->n < VEC_MAX))
		vec_push(v, m);
	else
		drop(w, m, DROP_TX_FULL);
}

/* Take note of a loss that has no mbuf of its own (a copy that could not be made). */
static inline void drop_count(struct worker *w, enum stats_drop why)
{
	w->count.drop[why]++;
}
