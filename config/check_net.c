#include "config/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/field.h"
#include "config/index.h"
#include "config/nearest.h"

/* A network that an interface of ours stands in. */
struct net {
	struct ip_addr lo, hi;   /* both within */
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

/* An address that an interface can have: of one host, neither end of its network (RFC 3021, 6164: but for one of two); the
 * first of an IPv6 network is every router's (RFC 4291 2.6.1), the last one an address as any other. */
static void check_own(struct load *l, const struct ip_prefix *p)
{
	bool v4 = p->addr.family == IP_V4;
	struct ip_addr lo, hi;
	char text[IP_STR];

	ip_prefix_range(p, &lo, &hi);
	if (!field_is_host(&p->addr))
		load_error(l, load_line(l, p), "%s is not the address of one host: write one that is",
			   ip_str(&p->addr, text));
	else if (field_is_link_local(&p->addr))
		load_error(l, load_line(l, p),
			   "%s is link-local, and the gateway makes such an address itself: remove it",
			   ip_str(&p->addr, text));
	else if (p->len < (v4 ? 31 : 127) && ip_equal(&p->addr, &lo))
		load_error(l, load_line(l, p), "%s is the first address of its network: write another one",
			   ip_prefix_str(p, text));
	else if (v4 && p->len < 31 && ip_equal(&p->addr, &hi))
		load_error(l, load_line(l, p), "%s is the broadcast address of its network: write another one",
			   ip_prefix_str(p, text));
	else if (p->len < (v4 ? 8 : 16))
		load_error(l, load_line(l, p), "%s stands in a network larger than /%u: check its length",
			   ip_prefix_str(p, text), v4 ? 8 : 16);
}

static void add_net(struct net *to, const struct ip_prefix *p, const char *kind, const char *name, const void *owner)
{
	struct ip_addr lo, hi;

	ip_prefix_range(p, &lo, &hi);
	*to = (struct net){lo, hi, kind, name, owner, p};
}

static int by_start(const void *a, const void *b)
{
	const struct net *x = a, *y = b;
	int r = ip_cmp(&x->lo, &y->lo);

	r = r ? r : ip_cmp(&y->hi, &x->hi);
	return r ? r : x->prefix < y->prefix ? -1 : x->prefix > y->prefix;
}

/* Sorted by their beginnings, a network overlaps an earlier one exactly when it begins before the farthest end so far.
 */
static void sweep(struct load *l, struct net *net, unsigned n)
{
	const struct net *far = net;

	qsort(net, n, sizeof(*net), by_start);
	for (unsigned i = 1; i < n; i++) {
		if (ip_cmp(&net[i].lo, &far->hi) <= 0 && net[i].owner != far->owner) {
			unsigned a = load_line(l, net[i].prefix), b = load_line(l, far->prefix);
			const struct net *late = a >= b ? &net[i] : far, *early = a >= b ? far : &net[i];
			char x[IP_STR], y[IP_STR];

			set_path(l, late->kind, late->name, "addresses");
			load_error(l, a >= b ? a : b, "%s overlaps %s of %s.%s (line %u): give each its own network",
				   ip_prefix_str(late->prefix, x), ip_prefix_str(early->prefix, y), early->kind,
				   early->name, a >= b ? b : a);
		}
		if (ip_cmp(&net[i].hi, &far->hi) > 0)
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

		if (p->len != ip_size(p->addr.family) * 8) {
			load_error(l, load_line(l, p), "a loopback address stands alone: write %s/%zu",
				   ip_str(&p->addr, text), ip_size(p->addr.family) * 8);
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

/* The first port before number i that has its device; NULL: none. */
static const struct cfg_port *device_owner(const struct config *c, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (!strcmp(c->port[j].device, c->port[i].device))
			return &c->port[j];
	return NULL;
}

static void check_ports(struct load *l)
{
	const struct config *c = l->c;

	for (unsigned i = 0; i < c->n_ports; i++) {
		const struct cfg_port *p = &c->port[i], *owner = p->device[0] ? device_owner(c, i) : NULL;

		if (owner) {
			set_path(l, "ports", p->name, "device");
			load_error(l, load_line(l, p->device),
				   "%s belongs to port %s (line %u) already: give each its own", p->device, owner->name,
				   load_line(l, owner->device));
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

/* Neither end of a network is one of its hosts; the first of an IPv6 network is whichever router answers (RFC 4291 2.6.1). */
bool check_is_end(const struct ip_prefix *net, const struct ip_addr *a)
{
	struct ip_addr lo, hi;

	if (net->len >= (a->family == IP_V4 ? 31 : 127))
		return false;
	ip_prefix_range(net, &lo, &hi);
	return ip_equal(a, &lo) || (a->family == IP_V4 && ip_equal(a, &hi));
}

/* The next router must be a neighbour, and not ourselves. */
static void check_via(struct load *l, const struct cfg_route *r)
{
	const struct config *c = l->c;
	const struct ip_prefix *in = NULL;
	char text[IP_STR], to[IP_STR];

	set_path(l, "routes", "via", NULL);
	if (r->to.addr.family && r->to.addr.family != r->via.family) {
		load_error(l, load_line(l, &r->via), "%s is of another family than %s: write a router of the same",
			   ip_str(&r->via, text), ip_prefix_str(&r->to, to));
		return;
	}
	if (r->via_port[0]) {
		if (!config_port(c, r->via_port))
			nearest_name_error(l, load_line(l, &r->via), "port", "ports", r->via_port, c->port,
					   sizeof(c->port[0]), c->n_ports);
		return;
	}
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
	if (check_is_end(in, &r->via))
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

static void check_own_net(struct load *l, const struct cfg_route *r)
{
	const struct config *c = l->c;
	char text[IP_STR];

	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned j = 0; j < c->port[i].n_addr; j++) {
			struct ip_prefix own = c->port[i].addr[j];

			ip_mask(&own.addr, own.len);
			if (!r->to.addr.family || !ip_prefix_equal(&own, &r->to))
				continue;
			load_error(l, load_line(l, &r->to), "%s is port %s's own network: remove the route",
				   ip_prefix_str(&own, text), c->port[i].name);
			return;
		}
}

static void check_route(struct load *l, const struct cfg_route *r, const struct index *names, bool *routed)
{
	const struct config *c = l->c;
	unsigned n = !!load_line(l, &r->via) + !!load_line(l, r->tunnel) + !!load_line(l, &r->blackhole);
	const struct cfg_tunnel *t;

	set_path(l, "routes", NULL, NULL);
	if (n != 1)
		load_error(l, r->line, "%s: write exactly one of `via`, `tunnel` and `blackhole: true`",
			   n ? "more than one way is given" : "no way is given");
	check_own_net(l, r);
	if (r->via.family)
		check_via(l, r);
	if (!r->tunnel[0])
		return;
	t = index_find(names, r->tunnel);
	set_path(l, "routes", "tunnel", NULL);
	if (t && t->mode == CFG_MODE_TRANSPORT) {
		load_error(l, load_line(l, r->tunnel),
			   "%s is in transport mode, which takes the way to its peer: remove the route, or write mode: "
			   "tunnel there",
			   t->name);
		routed[t - c->tunnel] = true;
		return;
	}
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

static void check_room(struct load *l, uint8_t family, uint32_t room, const char *key)
{
	const struct config *c = l->c;
	unsigned n = 0, line = 0;

	for (unsigned i = 0; i < c->n_routes; i++)
		if (c->route[i].to.addr.family == family && !n++)
			line = c->route[i].line;
	if (n > room)
		load_error(l, line, "%u routes, but room for %u: raise dataplane.%s", n, room, key);
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
	check_room(l, IP_V4, c->dataplane.routes_max, "max-routes");
	check_room(l, IP_V6, c->dataplane.routes6_max, "max-routes6");
	l->depth = 0;
}
