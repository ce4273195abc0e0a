#include "bgp/decide.h"

#include <stddef.h>

#include "bgp/aspath.h"

XLIST_NAME(decide_step_name, DECIDE_STEP_N, DECIDE_STEPS)

/* How good p is at a step: less is better. MED and the peer's address are not here. */
static uint32_t rank(enum decide_step step, const struct decide_path *p)
{
	const struct bgp_attrs *a = p->a;

	switch (step) {
	case DECIDE_LOCAL:
		return !p->local;
	case DECIDE_PREF:
		return ~(a->has & BGP_HAS_LOCAL_PREF ? a->local_pref : DECIDE_PREF_DEFAULT);
	case DECIDE_PATH:
		return a->hops;
	case DECIDE_ORIGIN:
		return a->origin;
	case DECIDE_METRIC:
		return p->metric;
	case DECIDE_ID:
		return p->id;
	case DECIDE_BEST:
	case DECIDE_MED:
	case DECIDE_ADDR:
	case DECIDE_STEP_N:
		break;
	}
	return 0;
}

static uint32_t neighbour(const struct decide_path *p)
{
	return aspath_first(attr_path(p->a), p->a->path_len);
}

static uint32_t med(const struct decide_path *p)
{
	return p->a->has & BGP_HAS_MED ? p->a->med : 0;
}

/* 9.1.2.2 c. What has fallen need not beat others: who beat it does. */
static void eliminate_med(struct decide_path *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n && !p[i].lost_at; j++)
			if (!p[j].lost_at && med(&p[j]) < med(&p[i]) && neighbour(&p[j]) == neighbour(&p[i]))
				p[i].lost_at = DECIDE_MED;
}

static void eliminate(struct decide_path *p, unsigned n, enum decide_step step)
{
	uint32_t best = UINT32_MAX;

	if (step == DECIDE_MED) {
		eliminate_med(p, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (!p[i].lost_at && rank(step, &p[i]) < best)
			best = rank(step, &p[i]);
	for (unsigned i = 0; i < n; i++)
		if (!p[i].lost_at && rank(step, &p[i]) > best)
			p[i].lost_at = (uint8_t)step;
}

/* Steps 7 and 8 between two that are equal so far. */
static bool before(const struct decide_path *a, const struct decide_path *b)
{
	if (a->lost_at || b->lost_at)
		return !a->lost_at && b->lost_at;
	return a->id != b->id ? a->id < b->id : ip_cmp(a->peer, b->peer) < 0;
}

static void sort(struct decide_path *p, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct decide_path x = p[i];
		unsigned j = i;

		for (; j > 0 && before(&x, &p[j - 1]); j--)
			p[j] = p[j - 1];
		p[j] = x;
	}
}

static bool shares(const struct decide_path *p, unsigned n_in, const struct decide_path *x)
{
	if (p[0].local || neighbour(x) != neighbour(&p[0]))
		return false;
	for (unsigned i = 0; i < n_in; i++)
		if (p[i].nexthop == x->nexthop)
			return false;
	return true;
}

unsigned decide(struct decide_path *p, unsigned n, unsigned max)
{
	unsigned in = 1;

	for (unsigned i = 0; i < n; i++)
		p[i].lost_at = DECIDE_BEST;
	if (n <= 1)
		return n;
	for (enum decide_step s = DECIDE_LOCAL; s <= DECIDE_METRIC; s++)
		eliminate(p, n, s);
	sort(p, n);
	for (unsigned i = 1; i < n && !p[i].lost_at; i++) {
		struct decide_path x = p[i];

		x.lost_at = x.id != p[0].id ? DECIDE_ID : DECIDE_ADDR;
		if (in < max && shares(p, in, &x)) {
			for (unsigned j = i; j > in; j--)
				p[j] = p[j - 1];
			p[in++] = x;
		} else {
			p[i] = x;
		}
	}
	return in;
}
