/* What Azure's gateways and route servers take. Microsoft, "About BGP with VPN Gateway", "VPN Gateway FAQ", "Azure Route
 * Server FAQ". */
#include "config/check.h"
#include "config/kind.h"

struct range {
	uint32_t lo, hi;
};

/* Azure's own, then IANA's that it refuses. */
static const struct range azure_as[] = {{8074, 8075}, {12076, 12076}, {65515, 65515}, {65517, 65520}};
static const struct range iana_as[] = {{23456, 23456}, {64496, 64511}, {65535, 65551}, {UINT32_MAX, UINT32_MAX}};

static bool is_in(const struct range *r, unsigned n, uint32_t as)
{
	for (unsigned i = 0; i < n; i++)
		if (as >= r[i].lo && as <= r[i].hi)
			return true;
	return false;
}

static bool is_reserved(uint32_t as)
{
	return is_in(azure_as, N_ELEMS(azure_as), as) || is_in(iana_as, N_ELEMS(iana_as), as);
}

static void at(struct load *l, const struct cfg_bgp_peer *p, const char *key)
{
	l->path[0] = "bgp";
	l->path[1] = "peers";
	l->path[2] = p->name;
	l->path[3] = key;
	l->depth = key ? 4 : 3;
}

static void check_our_as(struct load *l, const struct cfg_bgp_peer *p)
{
	const struct kind *k = kind_of(p->kind);
	uint32_t as = l->c->bgp.as;

	for (const struct cfg_bgp_peer *o = l->c->bgp.peer; o < p; o++)
		if (o->kind == p->kind)
			return; /* said already */
	l->path[0] = "bgp";
	l->path[1] = "as";
	l->depth = 2;
	if (as && is_reserved(as))
		load_error(l, load_line(l, &l->c->bgp.as),
			   "AS %u is reserved %s, and peer %s is %s: write one of 64512 to 65514 or 65521 to 65534", as,
			   is_in(azure_as, N_ELEMS(azure_as), as) ? "by Azure" : "by IANA", p->name, k->name);
	else if (as > k->as_max)
		load_error(l, load_line(l, &l->c->bgp.as),
			   "AS %u has more than 16 bits, which %s (peer %s) does not take: write one of 64512 to 65514 "
			   "or 65521 to 65534",
			   as, k->name, p->name);
}

static bool is_apipa(const struct ip_addr *a)
{
	return a->family == IP_V4 && a->b[0] == 169 && a->b[1] == 254;
}

/* Azure does not call an address of 169.254/16, and has only two of its /24 for itself. */
static void check_apipa(struct load *l, const struct cfg_bgp_peer *p)
{
	struct cfg_bgp_peer *to = &l->c->bgp.peer[p - l->c->bgp.peer];
	unsigned line = load_line(l, &p->connect);
	char text[IP_STR];

	if (!is_apipa(&p->addr))
		return;
	at(l, p, "address");
	if (p->addr.b[2] != 21 && p->addr.b[2] != 22)
		load_error(l, load_line(l, &p->addr),
			   "%s is not Azure's: its addresses of this kind are 169.254.21.0 to 169.254.22.255",
			   ip_str(&p->addr, text));
	at(l, p, "connect");
	if (!line)
		to->connect = CFG_BGP_ACTIVE;
	else if (p->connect != CFG_BGP_ACTIVE)
		load_error(l, line, "Azure does not call from %s: write active, or leave it out",
			   ip_str(&p->addr, text));
}

static void check_outer(struct load *l, const struct cfg_bgp_peer *p)
{
	const struct config *c = l->c;
	char text[IP_STR];

	at(l, p, "address");
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (p->addr.family && ip_equal(&c->tunnel[i].remote.addr, &p->addr)) {
			load_error(l, load_line(l, &p->addr),
				   "%s is the public address of tunnel %s: write the gateway's BGP peer address, which "
				   "lies in the virtual network",
				   ip_str(&p->addr, text), c->tunnel[i].name);
			return;
		}
}

/* Both instances must be told the same routes; each has an address of the first of its subnet. */
static void check_pair(struct load *l, const struct cfg_bgp_peer *p)
{
	const struct cfg_bgp *b = &l->c->bgp;
	char text[IP_STR];

	for (unsigned i = 0; i < b->n_peers; i++) {
		struct ip_prefix near = {.addr = p->addr, .len = 26};

		if (&b->peer[i] != p && b->peer[i].kind == p->kind && p->addr.family &&
		    ip_prefix_contains(&near, &b->peer[i].addr))
			return;
	}
	at(l, p, "address");
	if (p->addr.family)
		load_error(l, load_line(l, &p->addr),
			   "%s has two instances, and only %s is a peer: add the other one (its address is next to "
			   "this one) with the same policies",
			   kind_of(p->kind)->name, ip_str(&p->addr, text));
}

/* A path with one of Azure's numbers put in front is dropped there. */
static void check_prepend(struct load *l, const struct cfg_bgp_peer *p)
{
	const struct cfg_policy *policy = config_policy(l->c, p->export);

	at(l, p, "export");
	for (unsigned i = 0; policy && i < policy->n_entries; i++) {
		const struct cfg_policy_entry *e = &policy->entry[i];

		if (e->set.prepend && e->set.prepend_as && is_reserved(e->set.prepend_as))
			load_error(l, load_line(l, p->export),
				   "policy %s (line %u) prepends AS %u, which %s does not take: write another number",
				   policy->name, load_line(l, &e->set.prepend_as), e->set.prepend_as,
				   kind_of(p->kind)->name);
	}
}

void check_azure(struct load *l, const struct cfg_bgp_peer *p)
{
	const struct kind *k = kind_of(p->kind);

	check_our_as(l, p);
	check_apipa(l, p);
	check_outer(l, p);
	check_prepend(l, p);
	if (k->pair)
		check_pair(l, p);
	at(l, p, "address");
	if (p->addr.family == IP_V6)
		load_error(l, load_line(l, &p->addr), "%s speaks BGP over IPv4 only: write its IPv4 address", k->name);
	at(l, p, "families");
	if ((p->families & CFG_BGP_V6) && load_line(l, &p->families))
		load_error(l, load_line(l, &p->families), "%s speaks of IPv4 only: leave `families` out", k->name);
	at(l, p, "max-prefix-out");
	if (!p->max_prefix_out || p->max_prefix_out > k->max_prefix_out)
		load_note(l, load_line(l, &p->max_prefix_out),
			  "%s closes the session above its limit, %u prefixes unless Microsoft says otherwise", k->name,
			  k->max_prefix_out);
}
