/* The way to each peer: what is sent to it in ESP must leave by a port, and BGP must have one at all. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/check.h"

/* Routes by network, for a longest match over a hundred thousand peers. */
struct ways {
	const struct cfg_route **r; /* sorted by network, then length */
	unsigned n;
};

static int cmp(const struct ip_prefix *x, const struct ip_prefix *y)
{
	int r = ip_cmp(&x->addr, &y->addr);

	return r ? r : (int)x->len - (int)y->len;
}

static int by_prefix(const void *a, const void *b)
{
	const struct cfg_route *x = *(const struct cfg_route *const *)a, *y = *(const struct cfg_route *const *)b;
	int r = cmp(&x->to, &y->to);

	return r ? r : (int)x->distance - (int)y->distance;
}

static void ways_init(struct ways *w, struct load *l)
{
	const struct config *c = l->c;

	w->r = xcalloc(c->n_routes, sizeof(*w->r));
	w->n = 0;
	for (unsigned i = 0; i < c->n_routes; i++)
		if (c->route[i].to.addr.family)
			w->r[w->n++] = &c->route[i];
	if (w->n)
		qsort(w->r, w->n, sizeof(*w->r), by_prefix);
	for (unsigned i = 0, n = w->n; i < n; i++) { /* of several to one network the nearest */
		if (!i)
			w->n = 0;
		if (!w->n || cmp(&w->r[w->n - 1]->to, &w->r[i]->to))
			w->r[w->n++] = w->r[i];
	}
}

static const struct cfg_route *exact(const struct ways *w, const struct ip_prefix *p)
{
	unsigned lo = 0, hi = w->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int r = cmp(p, &w->r[mid]->to);

		if (!r)
			return w->r[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static int host_len(const struct ip_addr *a)
{
	return (int)ip_size(a->family) * 8;
}

/* The longest match that is longer than min_len; NULL: none. */
static const struct cfg_route *way_to(const struct ways *w, const struct ip_addr *a, int min_len)
{
	for (int len = host_len(a); len > min_len; len--) {
		struct ip_prefix p = {.addr = *a, .len = (uint8_t)len};
		const struct cfg_route *r;

		ip_mask(&p.addr, p.len);
		r = exact(w, &p);
		if (r)
			return r;
	}
	return NULL;
}

/* Length of the port's network that the address is in; -1: in none. */
static int neighbour_len(const struct config *c, const struct ip_addr *a)
{
	int len = -1;

	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned j = 0; j < c->port[i].n_addr; j++)
			if (c->port[i].addr[j].len > len && ip_prefix_contains(&c->port[i].addr[j], a))
				len = c->port[i].addr[j].len;
	return len;
}

/* A session whose packets go nowhere, or in clear past the tunnel, is no error of the file: routes may be added later. */
static void note_way(struct load *l, const struct ways *w, const struct cfg_bgp_peer *p)
{
	const struct cfg_route *r = way_to(w, &p->addr, -1);
	char to[IP_STR], peer[IP_STR];

	if (!p->addr.family || neighbour_len(l->c, &p->addr) >= 0 || (r && r->tunnel[0]))
		return;
	ip_str(&p->addr, peer);
	l->path[0] = "bgp";
	l->path[1] = "peers";
	l->path[2] = p->name;
	l->path[3] = "address";
	l->depth = 4;
	if (!r || r->blackhole)
		load_note(l, load_line(l, &p->addr), "no route leads to %s: add {to: %s/%d, tunnel: NAME} to routes",
			  peer, peer, host_len(&p->addr));
	else if (p->kind == CFG_BGP_AZURE_VPN_GATEWAY)
		load_note(
			l, load_line(l, &p->addr),
			"the way to %s leads past the tunnels (route to %s, line %u): add {to: %s/32, tunnel: NAME} to "
			"routes",
			peer, ip_prefix_str(&r->to, to), r->line, peer);
}

void check_peers(struct load *l)
{
	const struct config *c = l->c;
	struct ways ways;

	ways_init(&ways, l);
	l->path[0] = "tunnels";
	l->path[2] = "remote.address";
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		const struct cfg_tunnel *t = &c->tunnel[i];
		const struct cfg_route *r;
		char to[IP_STR], peer[IP_STR];

		if (!t->remote.addr.family)
			continue;
		r = way_to(&ways, &t->remote.addr, neighbour_len(c, &t->remote.addr));
		if (!r || (!r->tunnel[0] && !r->blackhole))
			continue;
		l->path[1] = t->name;
		l->depth = 3;
		load_error(l, load_line(l, &t->remote.addr),
			   "the way to %s leads into %s%s (route to %s, line %u): add a route {to: %s/%d, via: ROUTER}",
			   ip_str(&t->remote.addr, peer), r->blackhole ? "a blackhole" : "tunnel ", r->tunnel,
			   ip_prefix_str(&r->to, to), r->line, peer, host_len(&t->remote.addr));
	}
	for (unsigned i = 0; i < c->bgp.n_peers; i++)
		note_way(l, &ways, &c->bgp.peer[i]);
	l->depth = 0;
	free(ways.r);
}
