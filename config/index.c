#include "config/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/nearest.h"

enum { LOOK_AT = 4096 }; /* names compared for a suggestion */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct cfg_tunnel *const *)a)->name, (*(const struct cfg_tunnel *const *)b)->name);
}

void index_init(struct index *x, const struct config *c)
{
	x->t = xcalloc(c->n_tunnels, sizeof(*x->t));
	x->n = 0;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (c->tunnel[i].name[0])
			x->t[x->n++] = &c->tunnel[i];
	if (x->n)
		qsort(x->t, x->n, sizeof(*x->t), by_name);
}

void index_fini(struct index *x)
{
	free(x->t);
	*x = (struct index){0};
}

const struct cfg_tunnel *index_find(const struct index *x, const char *name)
{
	unsigned lo = 0, hi = x->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int r = strcmp(name, x->t[mid]->name);

		if (!r)
			return x->t[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

void index_error(struct load *l, unsigned line, const struct index *x, const char *what, const char *name)
{
	const char *near = NULL;
	unsigned best = 3;

	for (unsigned i = 0; i < x->n && i < LOOK_AT; i++) {
		unsigned d = nearest_distance(name, x->t[i]->name, 2);

		if (d < best) {
			best = d;
			near = x->t[i]->name;
		}
	}
	if (near)
		load_error(l, line, "there is no %s `%s`: did you mean `%s`?", what, name, near);
	else
		load_error(l, line, "there is no %s `%s`: write the name of one that is in the file", what, name);
}
