/* Adj-RIB-In and Loc-RIB of one prefix: paths come and go, the best is chosen. RFC 4271 9.1. */
#include "bgp/rib_core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"
#include "bgp/aspath.h"

/* --- the choice --- */

struct rib_choice rib_choice(const struct rib *r, const struct net *n)
{
	struct rib_choice c;
	uint32_t i = n->path;

	/* not cleared whole: this is on the way of every prefix */
	c.n = n->n_best;
	c.first_peer = 0;
	c.first = NULL;
	if (!i)
		return c;
	if (rib_path(r, i)->peer == RIB_LOCAL || n->n_best) {
		c.first_peer = rib_path(r, i)->peer;
		c.first = rib_path(r, i)->eff;
	}
	if (rib_path(r, i)->peer == RIB_LOCAL)
		i = rib_path(r, i)->next;
	for (unsigned k = 0; k < c.n; k++, i = rib_path(r, i)->next) {
		c.learned[k].peer = rib_path(r, i)->peer;
		c.learned[k].nexthop = rib_path(r, i)->nexthop;
	}
	return c;
}

static bool same_learned(const struct rib_choice *a, const struct rib_choice *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned k = 0; k < a->n; k++)
		if (a->learned[k].peer != b->learned[k].peer || a->learned[k].nexthop != b->learned[k].nexthop)
			return false;
	return true;
}

static void scratch(struct rib *r, unsigned n)
{
	if (n <= r->cand_cap)
		return;
	r->cand_cap = n + 16;
	r->cand = xrealloc(r->cand, r->cand_cap, sizeof(*r->cand));
	r->rest = xrealloc(r->rest, r->cand_cap, sizeof(*r->rest));
}

static void candidate(const struct rib *r, struct decide_path *c, uint32_t i)
{
	static const struct ip_addr none;
	const struct path *p = rib_path(r, i);
	const struct nexthop *nh = &r->nexthops.row[p->nexthop];

	*c = (struct decide_path){.a = p->eff, .peer = &none, .tag = i, .local = p->peer == RIB_LOCAL};
	if (c->local)
		return;
	c->peer = &r->peer[p->peer]->s.codec.remote;
	c->id = r->peer[p->peer]->s.remote_id;
	c->metric = nh->metric;
	c->nexthop = p->nexthop;
}

unsigned rib_candidates(struct rib *r, const struct net *n)
{
	unsigned m = 0;

	for (uint32_t i = n->path; i; i = rib_path(r, i)->next) {
		scratch(r, m + 1);
		if (path_eligible(r, rib_path(r, i)))
			candidate(r, &r->cand[m++], i);
	}
	return m;
}

/* Order the list of n: originated here, the best, those that share, the rest as it was. */
static void choose(struct rib *r, struct net *n)
{
	uint32_t local = 0, *at = &n->path;
	unsigned rest = 0, m = 0;

	for (uint32_t i = n->path; i; i = rib_path(r, i)->next) {
		scratch(r, m + rest + 1);
		if (rib_path(r, i)->peer == RIB_LOCAL)
			local = i;
		else if (path_eligible(r, rib_path(r, i)))
			candidate(r, &r->cand[m++], i);
		else
			r->rest[rest++] = i;
	}
	n->n_best = (uint8_t)decide(r->cand, m, r->multipath);
	if (local) {
		*at = local;
		at = &rib_path(r, local)->next;
	}
	for (unsigned k = 0; k < m + rest; k++) {
		*at = k < m ? r->cand[k].tag : r->rest[k - m];
		at = &rib_path(r, *at)->next;
	}
	*at = 0;
}

static void tell_route(struct rib *r, const struct net_table *t, const struct net *n, const struct rib_choice *c)
{
	struct ip_prefix prefix = net_prefix(t, n);
	struct bgp_best best = {.n = c->n};

	for (unsigned k = 0; k < c->n; k++) {
		best.path[k].nexthop = &r->nexthops.row[c->learned[k].nexthop].addr;
		best.path[k].peer = c->learned[k].peer;
	}
	r->ops.route_change(r->ops.ctx, &prefix, c->n ? &best : NULL);
}

void rib_settle(struct rib *r, struct net_table *t, uint32_t i, const struct rib_choice *before)
{
	struct net *n = net_at(t, i);
	struct rib_choice now;

	/* one path, which is the rule, needs no decision */
	if (n->path && !rib_path(r, n->path)->next && rib_path(r, n->path)->peer != RIB_LOCAL)
		n->n_best = path_eligible(r, rib_path(r, n->path));
	else
		choose(r, n);
	now = rib_choice(r, n);
	if (!same_learned(before, &now))
		tell_route(r, t, n, &now);
	if (before->first != now.first || (now.first && before->first_peer != now.first_peer))
		out_changed(r, t, i);
	net_drop(t, i);
}

/* --- a path --- */

static uint32_t nexthop_take(struct rib *r, const struct ip_addr *a)
{
	bool fresh;
	uint32_t i = nexthop_get(&r->nexthops, a, &fresh);

	if (fresh)
		r->ops.nexthop_watch(r->ops.ctx, a);
	return i;
}

static void nexthop_give(struct rib *r, uint32_t i)
{
	struct ip_addr gone;

	if (nexthop_put(&r->nexthops, i, &gone))
		r->ops.nexthop_unwatch(r->ops.ctx, &gone);
}

/* What can be said without the policy. RFC 4271 9.1.2 (AS loops), 5.1.3 (our own address). */
static enum path_filter check(struct rib *r, struct rib_peer *p, const struct bgp_attrs *a)
{
	if (p->seen == a)
		return p->seen_filter;
	intern_put(r->in, p->seen);
	p->seen = intern_ref(a);
	p->seen_filter = PATH_ACCEPTED;
	if (aspath_contains(attr_path(a), a->path_len, p->local_as))
		p->seen_filter = PATH_OWN_AS;
	else if (ip_equal(&a->nexthop, &p->s.codec.local))
		p->seen_filter = PATH_OWN_NEXTHOP;
	else if (!p->import)
		p->seen_filter = PATH_NO_POLICY;
	return p->seen_filter;
}

/* The import policy's word on set a: a reference, or NULL and why. */
static const struct bgp_attrs *import(struct rib *r, struct rib_peer *p, const struct ip_prefix *prefix,
				      const struct bgp_attrs *a, enum path_filter *why)
{
	const struct bgp_attrs *eff;

	*why = check(r, p, a);
	if (*why)
		return NULL;
	eff = policy_apply(p->import, &(struct policy_ctx){.local_as = p->local_as, .peer_as = p->s.codec.peer_as},
			   prefix, a, NULL);
	*why = eff ? PATH_ACCEPTED : PATH_DENIED;
	return eff;
}

/* path becomes {in, eff}; both are references that it takes over. Old things go last, so that no new one is mistaken for
 * them. */
static void set_path(struct rib *r, struct path *path, const struct bgp_attrs *in, const struct bgp_attrs *eff,
		     enum path_filter why)
{
	struct path old = *path;

	/* with the same set, or another with the same next hop, the next hop needs no search */
	if (eff && old.nexthop && ip_equal(&r->nexthops.row[old.nexthop].addr, &eff->nexthop))
		r->nexthops.row[path->nexthop = old.nexthop].refs++;
	else
		path->nexthop = eff ? nexthop_take(r, &eff->nexthop) : 0;
	path->in = in;
	path->eff = eff;
	path->filter = (uint8_t)why;
	nexthop_give(r, old.nexthop);
	intern_put(r->in, old.in);
	intern_put(r->in, old.eff);
}

static uint32_t find_path(const struct rib *r, const struct net *n, uint16_t peer)
{
	uint32_t i = n->path;

	while (i && rib_path(r, i)->peer != peer)
		i = rib_path(r, i)->next;
	return i;
}

static struct path *add_path(struct rib *r, struct net *n, uint16_t peer)
{
	uint32_t i = slab_take(&r->paths), *at = &n->path;
	struct path *p = rib_path(r, i);

	*p = (struct path){.peer = peer};
	while (*at)
		at = &rib_path(r, *at)->next;
	*at = i;
	return p;
}

/* Take row i off n's list and free it. */
static void drop_path(struct rib *r, struct net *n, uint32_t i)
{
	struct path *p = rib_path(r, i);
	uint32_t *at = &n->path;

	while (*at != i)
		at = &rib_path(r, *at)->next;
	*at = p->next;
	set_path(r, p, NULL, NULL, PATH_ACCEPTED);
	slab_give(&r->paths, i);
	if (r->paths.live == 0)
		slab_reset(&r->paths);
}

void rib_prefetch(const struct rib *r, uint8_t family, const struct ip_prefix *p, unsigned n)
{
	const struct net_table *t = family == IP_V6 ? &r->v6 : &r->v4;
	const void *at[RIB_AHEAD];
	uint32_t row[RIB_AHEAD];

	if (n > RIB_AHEAD)
		n = RIB_AHEAD;
	for (unsigned i = 0; i < n; i++)
		net_prefetch_slot(t, &p[i]);
	for (unsigned i = 0; i < n; i++)
		if ((row[i] = net_guess(t, &p[i])))
			__builtin_prefetch(net_at(t, row[i]));
	for (unsigned i = 0; i < n; i++) {
		at[i] = NULL;
		if (row[i] && net_at(t, row[i])->path)
			__builtin_prefetch(at[i] = rib_path(r, net_at(t, row[i])->path));
	}
	for (unsigned i = 0; i < n; i++)
		if (at[i])
			__builtin_prefetch(((const struct path *)at[i])->in);
}

void rib_update(struct rib *r, uint32_t peer, const struct ip_prefix *p, const struct bgp_attrs *a)
{
	struct rib_peer *pr = rib_peer(r, peer);
	struct net_table *t = rib_table(r, p->addr.family);
	enum path_filter why;
	const struct bgp_attrs *eff = import(r, pr, p, a, &why);
	uint32_t i = net_get(t, p), at;
	struct net *n = net_at(t, i);
	struct rib_choice before = rib_choice(r, n);
	struct path *path;

	assert(pr->up);
	at = find_path(r, n, (uint16_t)peer);
	path = at ? rib_path(r, at) : add_path(r, n, (uint16_t)peer);
	if (at && path_alive(r, path)) {
		pr->received--;
		pr->accepted -= path->eff != NULL;
		if (path->in == a && path->eff == eff && path->filter == why) {
			pr->received++;
			pr->accepted += eff != NULL;
			intern_put(r->in, eff);
			return;
		}
	} else if (at && at == n->path) {
		before.first_peer = RIB_LOCAL; /* another: it was dead, and some have passed it over */
	}
	path->session = pr->session;
	pr->received++;
	pr->accepted += eff != NULL;
	set_path(r, path, intern_ref(a), eff, why);
	rib_settle(r, t, i, &before);
}

void rib_withdraw(struct rib *r, uint32_t peer, const struct ip_prefix *p)
{
	struct rib_peer *pr = rib_peer(r, peer);
	struct net_table *t = rib_table(r, p->addr.family);
	uint32_t i = net_find(t, p), at = i ? find_path(r, net_at(t, i), (uint16_t)peer) : 0;
	struct rib_choice before;

	if (!at)
		return;
	before = rib_choice(r, net_at(t, i));
	if (path_alive(r, rib_path(r, at))) {
		pr->received--;
		pr->accepted -= rib_path(r, at)->eff != NULL;
	}
	drop_path(r, net_at(t, i), at);
	rib_settle(r, t, i, &before);
}

void rib_originate(struct rib *r, const struct ip_prefix *p, bool present)
{
	struct net_table *t = rib_table(r, p->addr.family);
	uint32_t i = present ? net_get(t, p) : net_find(t, p), at;
	struct rib_choice before;

	if (!i)
		return;
	at = find_path(r, net_at(t, i), RIB_LOCAL);
	if (present == (at != 0))
		return;
	before = rib_choice(r, net_at(t, i));
	if (present) {
		struct path *path = add_path(r, net_at(t, i), RIB_LOCAL);

		path->in = intern_ref(r->local);
		path->eff = intern_ref(r->local);
	} else {
		drop_path(r, net_at(t, i), at);
	}
	rib_settle(r, t, i, &before);
}

/* --- the sweep's part --- */

/* Path i of n after whatever has happened. true: it may weigh otherwise now. */
static bool clean_path(struct rib *r, struct net_table *t, struct net *n, uint32_t i)
{
	struct path *p = rib_path(r, i);
	struct rib_peer *pr;
	const struct bgp_attrs *eff;
	enum path_filter why;
	struct ip_prefix prefix;

	if (p->peer == RIB_LOCAL)
		return false;
	pr = r->peer[p->peer];
	if (!path_alive(r, p)) {
		drop_path(r, n, i);
		return true;
	}
	if (!pr->reimport)
		return r->nexthops.row[p->nexthop].changed;
	prefix = net_prefix(t, n);
	eff = import(r, pr, &prefix, p->in, &why);
	if (eff == p->eff && why == p->filter) {
		intern_put(r->in, eff);
		return r->nexthops.row[p->nexthop].changed;
	}
	pr->accepted += (eff != NULL) - (p->eff != NULL);
	set_path(r, p, intern_ref(p->in), eff, why);
	return true;
}

static void clean_sents(struct rib *r, struct net *n)
{
	for (uint32_t *at = &n->out, i; (i = *at);) {
		struct sent *s = rib_sent(r, i);

		if (s->session == r->peer[s->peer]->session) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		intern_put(r->in, s->set);
		slab_give(&r->sents, i);
	}
	if (r->sents.live == 0)
		slab_reset(&r->sents);
}

void rib_clean(struct rib *r, struct net_table *t, uint32_t i)
{
	struct net *n = net_at(t, i);
	struct rib_choice before = rib_choice(r, n);
	bool again = false;

	for (uint32_t p = n->path, next; p; p = next) {
		next = rib_path(r, p)->next;
		again |= clean_path(r, t, n, p);
	}
	if (n->out)
		clean_sents(r, n);
	if (again)
		rib_settle(r, t, i, &before);
	else
		net_drop(t, i);
}
