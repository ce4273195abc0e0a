#include "bgp/prefix_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { LENS = 129 };

struct prefix_list {
	const struct cfg_prefix_list *c;
	uint32_t *order; /* rule numbers: sorted by length of the network, network, number */
	struct group {
		uint8_t len;
		uint32_t from, to;
	} group[2 * LENS]; /* by family, then length: only those that there are */
	unsigned n_groups;
};

static int cmp_net(const struct ip_prefix *a, const struct ip_prefix *b)
{
	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->addr.b, b->addr.b, ip_size(a->addr.family));
}

static int by_net(const void *a, const void *b, void *arg)
{
	const struct cfg_prefix_rule *rule = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int r = cmp_net(&rule[x].prefix, &rule[y].prefix);

	return r ? r : x < y ? -1 : x > y;
}

struct prefix_list *prefix_list_new(const struct cfg_prefix_list *c)
{
	struct prefix_list *x = xcalloc(1, sizeof(*x));
	const struct ip_prefix *last = NULL;

	x->c = c;
	x->order = xcalloc(c->n_rules, sizeof(x->order[0]));
	for (uint32_t i = 0; i < c->n_rules; i++)
		x->order[i] = i;
	if (c->n_rules)
		qsort_r(x->order, c->n_rules, sizeof(x->order[0]), by_net, c->rule);
	for (uint32_t i = 0; i < c->n_rules; i++) {
		const struct ip_prefix *p = &c->rule[x->order[i]].prefix;

		if (!last || last->addr.family != p->addr.family || last->len != p->len)
			x->group[x->n_groups++] = (struct group){.len = p->len, .from = i};
		x->group[x->n_groups - 1].to = i + 1;
		last = p;
	}
	return x;
}

void prefix_list_free(struct prefix_list *x)
{
	if (!x)
		return;
	free(x->order);
	free(x);
}

/* The first place of the group whose network is not less than net. */
static uint32_t find(const struct prefix_list *x, const struct group *g, const struct ip_prefix *net)
{
	uint32_t lo = g->from, hi = g->to;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (cmp_net(&x->c->rule[x->order[mid]].prefix, net) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool prefix_list_match(const struct prefix_list *x, const struct ip_prefix *p)
{
	const struct cfg_prefix_rule *rule = x->c->rule;
	uint32_t best = UINT32_MAX;

	for (unsigned i = 0; i < x->n_groups; i++) {
		const struct group *g = &x->group[i];
		struct ip_prefix net = {.addr = p->addr, .len = g->len};

		if (rule[x->order[g->from]].prefix.addr.family != p->addr.family || g->len > p->len)
			continue;
		ip_mask(&net.addr, net.len);
		for (uint32_t k = find(x, g, &net); k < g->to; k++) {
			uint32_t n = x->order[k];

			if (n >= best || cmp_net(&rule[n].prefix, &net))
				break;
			if (p->len >= rule[n].ge && p->len <= rule[n].le)
				best = n;
		}
	}
	return best != UINT32_MAX && rule[best].permit;
}

bool prefix_list_equal(const struct cfg_prefix_list *a, const struct cfg_prefix_list *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (unsigned i = 0; i < a->n_rules; i++) {
		const struct cfg_prefix_rule *x = &a->rule[i], *y = &b->rule[i];

		if (x->permit != y->permit || x->ge != y->ge || x->le != y->le ||
		    !ip_prefix_equal(&x->prefix, &y->prefix))
			return false;
	}
	return true;
}
