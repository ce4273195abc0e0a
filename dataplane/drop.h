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

/* Take note of a loss that has no mbuf of its own (a copy that could not be made). */
static inline void drop_count(struct worker *w, enum stats_drop why)
{
	w->count.drop[why]++;
}
