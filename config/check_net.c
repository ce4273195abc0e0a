#include "config/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/index.h"

/* A network that an interface of ours stands in. */
struct net {
	uint32_t lo, hi;         /* host order, both within */
	const char *kind, *name; /* "port", its name */
	const void *owner;       /* networks of one owner may overlap: second addresses */
	const struct ip_prefix *prefix;
};

static void set_path(struct load *l, const char *kind, const char *name, const char *key)
{
	l->depth = 0;
	l->path[l->depth++] = kind;
	if (name)
		l->path[l->depth++] = name;
	if (key)
		l->path[l->depth++] = key;
}

/* An address that an interface can have: of one host, neither end of its network (RFC 3021: but for /31). */
static void check_own(struct load *l, const struct ip_prefix *p)
{
	struct ip_addr lo, hi;
	char text[IP_STR];

	ip_prefix_range(p, &lo, &hi);
	if (ip_is_any(&p->addr) || ip_is_multicast(&p->addr) || p->addr.b[0] == 127 || p->addr.b[0] >= 240)
		load_error(l, load_line(l, p), "%s is not the address of one host: write one that is",
			   ip_str(&p->addr, text));
	else if (p->len < 31 && (ip_equal(&p->addr, &lo) || ip_equal(&p->addr, &hi)))
		load_error(l, load_line(l, p), "%s is the %s of its network: write an address between them",
			   ip_prefix_str(p, text), ip_equal(&p->addr, &lo) ? "first address" : "broadcast address");
	else if (p->len < 8)
		load_error(l, load_line(l, p), "%s stands in a network larger than /8: check its length",
			   ip_prefix_str(p, text));
}

static void add_net(struct net *to, const struct ip_prefix *p, const char *kind, const char *name, const void *owner)
{
	struct ip_addr lo, hi;

	ip_prefix_range(p, &lo, &hi);
	*to = (struct net){ip_v4_u32(&lo), ip_v4_u32(&hi), kind, name, owner, p};
}

static int by_start(const void *a, const void *b)
{
	const struct net *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->hi != y->hi ? (x->hi > y->hi ? -1 : 1) : x->prefix < y->prefix ? -1 : x->prefix > y->prefix;
}

/* Sorted by their beginnings, a network overlaps an earlier one exactly when it begins before the farthest end so far.
 */
static void sweep(struct load *l, struct net *net, unsigned n)
{
	const struct net *far = net;

	qsort(net, n, sizeof(*net), by_start);
	for (unsigned i = 1; i < n; i++) {
		if (net[i].lo <= far->hi && net[i].owner != far->owner) {
			unsigned a = load_line(l, net[i].prefix), b = load_line(l, far->prefix);
			const struct net *late = a >= b ? &net[i] : far, *early = a >= b ? far : &net[i];
			char x[IP_STR], y[IP_STR];

			set_path(l, late->kind, late->name, "addresses");
			load_error(l, a >= b ? a : b, "%s overlaps %s of %s.%s (line %u): give each its own network",
				   ip_prefix_str(late->prefix, x), ip_prefix_str(early->prefix, y), early->kind,
				   early->name, a >= b ? b : a);
		}
		if (net[i].hi > far->hi)
			far = &net[i];
	}
}

static void check_overlaps(struct load *l)
{
	const struct config *c = l->c;
	unsigned n = 0, cap = c->n_gateway_addr;
	struct net *net;

	for (unsigned i = 0; i < c->n_ports; i++)
		cap += c->port[i].n_addr;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		cap += c->tunnel[i].n_addr;
	net = xcalloc(cap, sizeof(*net));
	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned j = 0; j < c->port[i].n_addr; j++)
			add_net(&net[n++], &c->port[i].addr[j], "ports", c->port[i].name, &c->port[i]);
	for (unsigned i = 0; i < c->n_tunnels; i++)
		for (unsigned j = 0; j < c->tunnel[i].n_addr; j++)
			add_net(&net[n++], &c->tunnel[i].addr[j], "tunnels", c->tunnel[i].name, &c->tunnel[i]);
	if (n)
		sweep(l, net, n);
	free(net);
}

static void check_gateway(struct load *l)
{
	const struct config *c = l->c;
	char text[IP_STR];

	set_path(l, "gateway", "addresses", NULL);
	for (unsigned i = 0; i < c->n_gateway_addr; i++) {
		const struct ip_prefix *p = &c->gateway_addr[i];

		if (p->len != 32) {
			load_error(l, load_line(l, p), "a loopback address stands alone: write %s/32",
				   ip_str(&p->addr, text));
			continue;
		}
		check_own(l, p);
		for (unsigned j = 0; j < c->n_ports; j++)
			for (unsigned k = 0; k < c->port[j].n_addr; k++)
				if (ip_equal(&p->addr, &c->port[j].addr[k].addr))
					load_error(l, load_line(l, p),
						   "%s is an address of port %s already: remove it here",
						   ip_str(&p->addr, text), c->port[j].name);
	}
}

static void check_ports(struct load *l)
{
	const struct config *c = l->c;

	for (unsigned i = 0; i < c->n_ports; i++) {
		const struct cfg_port *p = &c->port[i];

		for (unsigned j = 0; j < i; j++)
			if (p->device[0] && !strcmp(p->device, c->port[j].device)) {
				set_path(l, "ports", p->name, "device");
				load_error(l, load_line(l, p->device),
					   "%s belongs to port %s (line %u) already: give each its own", p->device,
					   c->port[j].name, load_line(l, c->port[j].device));
			}
		set_path(l, "ports", p->name, "addresses");
		for (unsigned j = 0; j < p->n_addr; j++)
			check_own(l, &p->addr[j]);
	}
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		set_path(l, "tunnels", c->tunnel[i].name, "addresses");
		for (unsigned j = 0; j < c->tunnel[i].n_addr; j++)
			check_own(l, &c->tunnel[i].addr[j]);
	}
}

/* The next router must be a neighbour, and not ourselves. */
static void check_via(struct load *l, const struct cfg_route *r)
{
	const struct config *c = l->c;
	const struct ip_prefix *in = NULL;
	struct ip_addr lo, hi;
	char text[IP_STR];

	set_path(l, "routes", "via", NULL);
	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned j = 0; j < c->port[i].n_addr; j++) {
			if (ip_equal(&c->port[i].addr[j].addr, &r->via)) {
				load_error(l, load_line(l, &r->via),
					   "%s is our own address on port %s: write the next router's",
					   ip_str(&r->via, text), c->port[i].name);
				return;
			}
			if (ip_prefix_contains(&c->port[i].addr[j], &r->via))
				in = &c->port[i].addr[j];
		}
	if (!in) {
		load_error(l, load_line(l, &r->via),
			   "%s is on no port's network: write a neighbour's address, or give a port an "
			   "address in its network",
			   ip_str(&r->via, text));
		return;
	}
	ip_prefix_range(in, &lo, &hi);
	if (in->len < 31 && (ip_equal(&r->via, &lo) || ip_equal(&r->via, &hi)))
		load_error(l, load_line(l, &r->via), "%s is no host of its network: write the next router's address",
			   ip_str(&r->via, text));
}

/* A route to networks of which the tunnel takes none: each of its packets would be dropped. */
static void check_selected(struct load *l, const struct cfg_route *r, const struct cfg_tunnel *t)
{
	char text[IP_STR];

	for (unsigned i = 0; i < t->n_ts; i++)
		if (ip_prefix_overlap(&t->ts[i].remote, &r->to))
			return;
	if (!t->n_ts || !r->to.addr.family)
		return;
	load_error(l, load_line(l, r->tunnel),
		   "no `remote` of %s's selectors meets %s: change the route or the selectors", t->name,
		   ip_prefix_str(&r->to, text));
}

static void check_route(struct load *l, const struct cfg_route *r, const struct index *names, bool *routed)
{
	const struct config *c = l->c;
	unsigned n = !!load_line(l, &r->via) + !!load_line(l, r->tunnel) + !!load_line(l, &r->blackhole);
	const struct cfg_tunnel *t;
	char text[IP_STR];

	set_path(l, "routes", NULL, NULL);
	if (n != 1)
		load_error(l, r->line, "%s: write exactly one of `via`, `tunnel` and `blackhole: true`",
			   n ? "more than one way is given" : "no way is given");
	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned j = 0; j < c->port[i].n_addr; j++) {
			struct ip_prefix own = c->port[i].addr[j];

			ip_mask(&own.addr, own.len);
			if (r->to.addr.family && ip_prefix_equal(&own, &r->to))
				load_error(l, load_line(l, &r->to), "%s is port %s's own network: remove the route",
					   ip_prefix_str(&own, text), c->port[i].name);
		}
	if (r->via.family)
		check_via(l, r);
	if (!r->tunnel[0])
		return;
	t = index_find(names, r->tunnel);
	set_path(l, "routes", "tunnel", NULL);
	if (t) {
		routed[t - c->tunnel] = true;
		check_selected(l, r, t);
		return;
	}
	index_error(l, load_line(l, r->tunnel), names, "tunnel", r->tunnel);
}

static int by_prefix(const void *a, const void *b)
{
	const struct cfg_route *x = *(const struct cfg_route *const *)a, *y = *(const struct cfg_route *const *)b;
	int r = ip_cmp(&x->to.addr, &y->to.addr);

	if (r || x->to.len != y->to.len)
		return r ? r : x->to.len < y->to.len ? -1 : 1;
	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void refuse_twin_routes(struct load *l)
{
	const struct config *c = l->c;
	const struct cfg_route **r = xcalloc(c->n_routes, sizeof(*r));
	char text[IP_STR];

	for (unsigned i = 0; i < c->n_routes; i++)
		r[i] = &c->route[i];
	if (c->n_routes)
		qsort(r, c->n_routes, sizeof(*r), by_prefix);
	set_path(l, "routes", "to", NULL);
	for (unsigned i = 1; i < c->n_routes; i++)
		if (r[i]->to.addr.family && ip_prefix_equal(&r[i]->to, &r[i - 1]->to) &&
		    r[i]->distance == r[i - 1]->distance)
			load_error(l, load_line(l, &r[i]->to),
				   "%s has a route in line %u already: keep one, or give them different distances",
				   ip_prefix_str(&r[i]->to, text), load_line(l, &r[i - 1]->to));
	free(r);
}

void check_net(struct load *l, const struct index *tunnels, bool *routed)
{
	const struct config *c = l->c;

	check_ports(l);
	check_gateway(l);
	check_overlaps(l);
	for (unsigned i = 0; i < c->n_routes; i++)
		if (load_line(l, &c->route[i].to)) /* else the row itself was no route */
			check_route(l, &c->route[i], tunnels, routed);
	refuse_twin_routes(l);
	set_path(l, "routes", NULL, NULL);
	if (c->n_routes > c->dataplane.routes_max)
		load_error(l, c->route[0].line, "%u routes, but room for %u: raise dataplane.max-routes", c->n_routes,
			   c->dataplane.routes_max);
	l->depth = 0;
}
