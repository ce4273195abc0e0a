/* Tunnels that cannot be told apart. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/check.h"

static int by_line(const struct cfg_tunnel *x, const struct cfg_tunnel *y)
{
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Where a peer is looked for, and who it says it is. RFC 7296 2.15 */
static int cmp_peer(const struct cfg_tunnel *x, const struct cfg_tunnel *y)
{
	int r = ip_cmp(&x->local.addr, &y->local.addr);

	r = r ? r : ip_cmp(&x->remote.addr, &y->remote.addr);
	return r ? r : memcmp(&x->remote.id, &y->remote.id, sizeof(x->remote.id));
}

static int cmp_ts(const struct cfg_tunnel *x, const struct cfg_tunnel *y)
{
	if (x->n_ts != y->n_ts)
		return x->n_ts < y->n_ts ? -1 : 1;
	return memcmp(x->ts, y->ts, x->n_ts * sizeof(x->ts[0]));
}

static int by_peer(const void *a, const void *b)
{
	const struct cfg_tunnel *x = *(const struct cfg_tunnel *const *)a, *y = *(const struct cfg_tunnel *const *)b;
	int r = cmp_peer(x, y);

	r = r ? r : strcmp(x->remote.name, y->remote.name);
	return r ? r : by_line(x, y);
}

static int by_ts(const void *a, const void *b)
{
	const struct cfg_tunnel *x = *(const struct cfg_tunnel *const *)a, *y = *(const struct cfg_tunnel *const *)b;
	int r = cmp_ts(x, y);

	return r ? r : by_line(x, y);
}

static void twin_peers(struct load *l, const struct cfg_tunnel **t, unsigned n)
{
	qsort(t, n, sizeof(*t), by_peer);
	for (unsigned i = 1; i < n; i++) {
		unsigned line = load_line(l, &t[i]->remote.id);

		if (cmp_peer(t[i - 1], t[i]))
			continue;
		l->path[1] = t[i]->name;
		l->path[2] = "remote";
		l->depth = 3;
		line = line ? line : load_line(l, &t[i]->remote.addr);
		line = line ? line : t[i]->line;
		if (!strcmp(t[i - 1]->remote.name, t[i]->remote.name))
			load_error(l, line,
				   "tunnel %s (line %u) has the same local address, peer address and peer identity: "
				   "change `id`",
				   t[i - 1]->name, t[i - 1]->line);
		else /* each is told apart as long as we call */
			load_note(l, line,
				  "tunnel %s (line %u) has the same peer identity, and where a peer with a name calls "
				  "from is not known before: when it calls, either may be taken; change `id`",
				  t[i - 1]->name, t[i - 1]->line);
	}
}

/* Without a route into either, nothing says which of the two the traffic takes. */
static void twin_selectors(struct load *l, const struct cfg_tunnel **t, unsigned n)
{
	qsort(t, n, sizeof(*t), by_ts);
	for (unsigned i = 1; i < n; i++) {
		if (cmp_ts(t[i - 1], t[i]))
			continue;
		l->path[1] = t[i]->name;
		l->path[2] = "selectors";
		l->depth = 3;
		load_error(l, load_line(l, &t[i]->n_ts),
			   "tunnel %s (line %u) has the same ones, and no route leads into either: add routes or "
			   "change them",
			   t[i - 1]->name, t[i - 1]->line);
	}
}

void check_twins(struct load *l, const bool *routed)
{
	const struct config *c = l->c;
	const struct cfg_tunnel **t = xcalloc(c->n_tunnels, sizeof(*t));
	unsigned n = 0;

	l->path[0] = "tunnels";
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (c->tunnel[i].local.addr.family && load_line(l, &c->tunnel[i].remote.addr) &&
		    c->tunnel[i].remote.name[0] != '?')
			t[n++] = &c->tunnel[i];
	if (n)
		twin_peers(l, t, n);
	n = 0;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (!routed[i] && c->tunnel[i].mode == CFG_MODE_TUNNEL && c->tunnel[i].n_ts &&
		    (c->tunnel[i].ts[0].local.len || c->tunnel[i].ts[0].remote.len))
			t[n++] = &c->tunnel[i];
	if (n)
		twin_selectors(l, t, n);
	free(t);
	l->depth = 0;
}
