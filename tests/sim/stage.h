/* A tunnel that must not be disturbed, a stranger who says what is wrong, and node 1's counters. */
#pragma once

#include "tests/sim/scenario.h"
#include "tests/sim/stranger.h"

struct stage {
	struct sim *s;
	struct stranger p;
	struct scenario_spis spis;
	struct ike_counters before;
};

static inline void stage_up(struct stage *g, uint64_t seed)
{
	g->s = sim_new(seed);
	scenario_up(g->s);
	scenario_settle(g->s, 30000);
	g->spis = scenario_spis(&g->s->node[0]);
	stranger_init(&g->p, g->s, 7);
	ike_counters(g->s->node[1].k, &g->before);
}

static inline void mark(struct stage *g)
{
	ike_counters(g->s->node[1].k, &g->before);
}

/* The tunnel between the nodes is the same as ever and lost nothing. */
static inline void undisturbed(struct stage *g)
{
	struct scenario_spis now = scenario_spis(&g->s->node[0]);

	assert_true(sim_up(g->s));
	assert_true(now.ike_i == g->spis.ike_i && now.ike_r == g->spis.ike_r);
	assert_int_equal(now.child_in, g->spis.child_in);
	assert_int_equal(now.child_out, g->spis.child_out);
	assert_int_equal(scenario_lost(g->s), 0);
}

static inline void stage_down(struct stage *g)
{
	undisturbed(g);
	sim_free(g->s);
}

#define COUNTER(field) (offsetof(struct ike_counters, field) / sizeof(uint64_t))
enum { N_COUNTERS = sizeof(struct ike_counters) / sizeof(uint64_t), NO_COUNTER = 0xff };

/* Since mark(): this counter moved by one, and none of the others but rx and tx. */
static inline void counted(struct stage *g, unsigned which)
{
	struct ike_counters after;
	uint64_t a[N_COUNTERS], b[N_COUNTERS];

	ike_counters(g->s->node[1].k, &after);
	memcpy(a, &g->before, sizeof(a));
	memcpy(b, &after, sizeof(b));
	for (unsigned i = 0; i < N_COUNTERS; i++)
		if (i != COUNTER(rx) && i != COUNTER(tx) && b[i] - a[i] != (i == which))
			fail_msg("counter %u moved by %u", i, (unsigned)(b[i] - a[i]));
}
