/* BGP peers against the rest of the file. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/check.h"
#include "config/kind.h"
#include "config/nearest.h"

static void at(struct load *l, const struct cfg_bgp_peer *p, const char *key)
{
	l->path[0] = "bgp";
	l->path[1] = "peers";
	l->path[2] = p->name;
	l->path[3] = key;
	l->depth = key ? 4 : 3;
}

static const struct ip_prefix *find_addr(const struct ip_prefix *p, unsigned n, const struct ip_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_equal(&p[i].addr, a))
			return &p[i];
	return NULL;
}

static bool is_ours(const struct config *c, const struct ip_addr *a)
{
	if (find_addr(c->gateway_addr, c->n_gateway_addr, a))
		return true;
	for (unsigned i = 0; i < c->n_ports; i++)
		if (find_addr(c->port[i].addr, c->port[i].n_addr, a))
			return true;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (find_addr(c->tunnel[i].addr, c->tunnel[i].n_addr, a))
			return true;
	return false;
}

/* Our address on the network that a is on; NULL: on none. */
static const struct ip_prefix *net_of(const struct ip_prefix *p, unsigned n, const struct ip_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_prefix_contains(&p[i], a))
			return &p[i];
	return NULL;
}

static const struct ip_prefix *port_net(const struct config *c, const struct ip_addr *a)
{
	const struct ip_prefix *in = NULL;

	for (unsigned i = 0; i < c->n_ports && !in; i++)
		in = net_of(c->port[i].addr, c->port[i].n_addr, a);
	return in;
}

static const struct ip_prefix *tunnel_net(const struct config *c, const struct ip_addr *a)
{
	const struct ip_prefix *in = NULL;

	for (unsigned i = 0; i < c->n_tunnels && !in; i++)
		in = net_of(c->tunnel[i].addr, c->tunnel[i].n_addr, a);
	return in;
}

/* The highest of n addresses, IPv4, and *best. */
static void highest(const struct ip_prefix *p, unsigned n, uint32_t *best)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_v4_u32(&p[i].addr) > *best)
			*best = ip_v4_u32(&p[i].addr);
}

/* Of a loopback address rather than of a port: it stays when a port is changed. RFC 4271 4.2, 6286 2.1 */
static void fill_router_id(struct load *l, struct cfg_bgp *b)
{
	const struct config *c = l->c;
	bool of_ports;

	if (load_line(l, &b->router_id))
		return;
	highest(c->gateway_addr, c->n_gateway_addr, &b->router_id);
	of_ports = !b->router_id; /* the gateway may have IPv6 addresses only */
	for (unsigned i = 0; i < c->n_ports && of_ports; i++)
		highest(c->port[i].addr, c->port[i].n_addr, &b->router_id);
	if (b->router_id)
		return;
	l->path[0] = "bgp";
	l->depth = 1;
	load_error(l, load_line(l, &b->as),
		   "there is no IPv4 address to take the router ID from: write router-id: A.B.C.D");
}

static const struct ip_prefix *gateway_addr(const struct config *c, uint8_t family)
{
	for (unsigned i = 0; i < c->n_gateway_addr; i++)
		if (c->gateway_addr[i].addr.family == family)
			return &c->gateway_addr[i];
	return NULL;
}

static void check_source(struct load *l, struct cfg_bgp_peer *p)
{
	const struct config *c = l->c;
	const struct ip_prefix *in;
	char text[IP_STR], peer[IP_STR];

	at(l, p, "source");
	if (p->source.family && !is_ours(c, &p->source))
		load_error(l, load_line(l, &p->source),
			   "%s is no address of this gateway: write one of gateway.addresses, of a port or of a tunnel",
			   ip_str(&p->source, text));
	else if (p->source.family && p->addr.family && p->source.family != p->addr.family)
		load_error(l, load_line(l, &p->source),
			   "%s is of another family than the peer's address %s: write one of the same",
			   ip_str(&p->source, text), ip_str(&p->addr, peer));
	if (load_line(l, &p->source) || !p->addr.family)
		return;
	in = port_net(c, &p->addr);
	in = in ? in : tunnel_net(c, &p->addr);
	in = in ? in : gateway_addr(c, p->addr.family);
	if (in)
		p->source = in->addr;
	else
		load_error(
			l, p->line,
			"%s is on no network of ours, and there is no %s gateway address to speak from: write source: "
			"ADDRESS, or gateway.addresses",
			ip_str(&p->addr, text), p->addr.family == IP_V4 ? "IPv4" : "IPv6");
}

/* TTLs. RFC 5082 3: a peer that multihop lets be far away cannot be asked to be near. */
static void check_ttl(struct load *l, const struct cfg_bgp_peer *p)
{
	unsigned multihop = load_line(l, &p->multihop), gtsm = load_line(l, &p->gtsm_hops);

	at(l, p, "ttl-security");
	if (multihop && gtsm)
		load_error(l, gtsm > multihop ? gtsm : multihop,
			   "multihop and ttl-security exclude each other: keep ttl-security with the number of hops "
			   "if the peer sends with TTL 255, else multihop");
}

static void check_addr(struct load *l, const struct cfg_bgp_peer *p)
{
	const struct ip_prefix *in = port_net(l->c, &p->addr);
	char text[IP_STR];

	at(l, p, "address");
	if (!p->addr.family)
		return;
	if (is_ours(l->c, &p->addr)) {
		load_error(l, load_line(l, &p->addr), "%s is our own address: write the peer's",
			   ip_str(&p->addr, text));
		return;
	}
	if (in && check_is_end(in, &p->addr))
		load_error(l, load_line(l, &p->addr), "%s is no host of its network: write the peer's address",
			   ip_str(&p->addr, text));
}

static void check_as(struct load *l, const struct cfg_bgp_peer *p)
{
	at(l, p, "as");
	if (p->as && p->as == l->c->bgp.as)
		load_error(l, load_line(l, &p->as),
			   "AS %u is our own, and BGP within one AS (iBGP) is not in this release: give each side its "
			   "own number",
			   p->as);
}

static void check_timers(struct load *l, struct cfg_bgp_peer *p)
{
	const struct kind *k = kind_of(p->kind);
	unsigned hold = load_line(l, &p->hold_s), keepalive = load_line(l, &p->keepalive_s);

	if (!hold)
		p->hold_s = k->hold_s;
	if (!keepalive && p->hold_s >= 3 * k->keepalive_s)
		p->keepalive_s = k->keepalive_s;
	at(l, p, "keepalive");
	if (keepalive && !p->hold_s)
		load_error(l, keepalive, "with hold-time 0 there are no keepalives: leave one of the two out");
	else if (keepalive && p->keepalive_s >= p->hold_s)
		load_error(l, keepalive, "%u s is not less than the hold time of %u s: write at most %u s",
			   p->keepalive_s, p->hold_s, p->hold_s / 3);
	at(l, p, "hold-time");
	if (hold && k->azure && p->hold_s && p->hold_s < k->hold_s)
		load_note(l, hold, "less than %u s is not reliable with %s: leave it out for %u s", k->hold_s, k->name,
			  k->hold_s);
}

static void check_password(struct load *l, const struct cfg_bgp_peer *p)
{
	unsigned in_file = load_line(l, &l->c->bgp.password_file[p - l->c->bgp.peer]),
		 here = load_line(l, &p->password);

	at(l, p, "password");
	if (in_file && here)
		load_error(l, in_file > here ? in_file : here,
			   "both password and password-file are given: keep one (password-file is safer)");
}

static void check_policy_name(struct load *l, const struct cfg_bgp_peer *p, const char *key, const char *name)
{
	const struct config *c = l->c;
	bool in = !strcmp(key, "import");

	at(l, p, key);
	if (name[0] && !config_policy(c, name))
		nearest_name_error(l, load_line(l, name), "policy", "policies", name, c->policy, sizeof(c->policy[0]),
				   c->n_policies);
	else if (!load_line(l, name))
		load_note(l, p->line, "no policy, so nothing is %s (RFC 8212): write %s: POLICY",
			  in ? "accepted" : "advertised", key);
}

static int by_addr(const void *a, const void *b)
{
	const struct cfg_bgp_peer *x = *(const struct cfg_bgp_peer *const *)a,
				  *y = *(const struct cfg_bgp_peer *const *)b;
	int r = ip_cmp(&x->addr, &y->addr);

	return r ? r : x->line < y->line ? -1 : x->line > y->line;
}

/* Who calls us is known by his address. */
static void refuse_twins(struct load *l, const struct cfg_bgp *b)
{
	const struct cfg_bgp_peer **p = xcalloc(b->n_peers, sizeof(*p));
	char text[IP_STR];

	for (unsigned i = 0; i < b->n_peers; i++)
		p[i] = &b->peer[i];
	if (b->n_peers)
		qsort(p, b->n_peers, sizeof(*p), by_addr);
	for (unsigned i = 1; i < b->n_peers; i++) {
		if (!p[i]->addr.family || !ip_equal(&p[i]->addr, &p[i - 1]->addr))
			continue;
		at(l, p[i], "address");
		load_error(l, load_line(l, &p[i]->addr), "%s is peer %s (line %u) already: keep one",
			   ip_str(&p[i]->addr, text), p[i - 1]->name, p[i - 1]->line);
	}
	free(p);
}

static void check_peer(struct load *l, struct cfg_bgp_peer *p)
{
	if (!p->name[0])
		return;
	if (!load_line(l, &p->families))
		p->families = p->addr.family == IP_V6 ? CFG_BGP_V6 : CFG_BGP_V4;
	if (!load_line(l, &p->max_prefix_out))
		p->max_prefix_out = kind_of(p->kind)->max_prefix_out;
	check_addr(l, p);
	check_as(l, p);
	check_source(l, p);
	check_ttl(l, p);
	check_timers(l, p);
	check_password(l, p);
	check_policy_name(l, p, "import", p->import);
	check_policy_name(l, p, "export", p->export);
	if (kind_of(p->kind)->azure)
		check_azure(l, p);
}

static bool is_net(const struct ip_prefix *own, unsigned n, const struct ip_prefix *p)
{
	for (unsigned i = 0; i < n; i++)
		if (own[i].len == p->len && ip_prefix_contains(&own[i], &p->addr))
			return true;
	return false;
}

/* Only what is in the table to the very bit is told: a network of ours, a route, or one that is learned. */
static void note_originate(struct load *l, const struct ip_prefix *p)
{
	const struct config *c = l->c;
	bool known = is_net(c->gateway_addr, c->n_gateway_addr, p);
	char text[IP_STR];

	for (unsigned i = 0; i < c->n_ports; i++)
		known |= is_net(c->port[i].addr, c->port[i].n_addr, p);
	for (unsigned i = 0; i < c->n_routes && !known; i++)
		known = ip_prefix_equal(&c->route[i].to, p);
	if (known)
		return;
	l->path[0] = "bgp";
	l->path[1] = "originate";
	l->depth = 2;
	load_note(
		l, load_line(l, &c->bgp.originate),
		"no port and no route of the file has the network %s: it is advertised only while one that is learned "
		"has",
		ip_prefix_str(p, text));
}

void check_bgp(struct load *l)
{
	struct cfg_bgp *b = &l->c->bgp;

	if (!load_line(l, &b->as)) /* absent, or the lack has been reported */
		return;
	fill_router_id(l, b);
	for (unsigned i = 0; i < b->n_peers; i++)
		check_peer(l, &b->peer[i]);
	refuse_twins(l, b);
	for (unsigned i = 0; i < b->n_originate; i++)
		note_originate(l, &b->originate[i]);
	l->depth = 0;
}
