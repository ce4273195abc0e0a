#include "bgp/rib_core.h"

#include <assert.h>
#include <stdlib.h>

#include "base/build.h"
#include "base/xalloc.h"

XLIST_NAME(path_filter_name, PATH_FILTER_N, PATH_FILTERS)

struct rib *rib_new(const struct rib_ops *ops, struct intern *in)
{
	struct rib *r = xcalloc(1, sizeof(*r));
	struct bgp_attrs_draft d = {.a = {.origin = BGP_ORIGIN_IGP, .has = BGP_HAS_LOCAL}};

	r->ops = *ops;
	r->in = in;
	r->multipath = 1;
	/* where the object lies is as good a secret as this needs */
	net_init(&r->v4, IP_V4, (uint64_t)(uintptr_t)r * 0xd1342543de82ef95);
	net_init(&r->v6, IP_V6, (uint64_t)(uintptr_t)r * 0xaf251af3b0f025b5);
	slab_init(&r->paths, sizeof(struct path));
	slab_init(&r->sents, sizeof(struct sent));
	nexthop_init(&r->nexthops);
	list_init(&r->idle);
	list_init(&r->working);
	r->local = intern_get(in, &d.a);
	return r;
}

static void free_paths(struct rib *r, struct net_table *t)
{
	for (uint32_t i = 1; i <= t->rows.used; i++) {
		struct net *n = net_live(t, i);

		for (uint32_t p = n ? n->path : 0; p; p = rib_path(r, p)->next) {
			intern_put(r->in, rib_path(r, p)->in);
			intern_put(r->in, rib_path(r, p)->eff);
		}
		for (uint32_t s = n ? n->out : 0; s; s = rib_sent(r, s)->next)
			intern_put(r->in, rib_sent(r, s)->set);
	}
	net_fini(t);
}

void rib_free(struct rib *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->n_peers; i++)
		if (r->peer[i]) {
			out_stop(r, r->peer[i]);
			intern_put(r->in, r->peer[i]->seen);
		}
	for (uint32_t i = 0; i < r->n_peers; i++)
		free(r->peer[i]);
	free_paths(r, &r->v4);
	free_paths(r, &r->v6);
	free(r->peer);
	intern_put(r->in, r->local);
	out_free(r);
	rib_order_free(r);
	nexthop_fini(&r->nexthops);
	slab_fini(&r->paths);
	slab_fini(&r->sents);
	free(r->cand);
	free(r->rest);
	free(r);
}

/* --- peers --- */

struct rib_peer *rib_peer(const struct rib *r, uint32_t peer)
{
	assert(peer < r->n_peers && r->peer[peer]);
	return r->peer[peer];
}

static struct rib_peer *peer_get(struct rib *r, uint32_t peer)
{
	assert(peer < RIB_PEERS_MAX);
	while (peer >= r->n_peers) {
		r->peer = xrealloc(r->peer, r->n_peers + 1, sizeof(struct rib_peer *));
		r->peer[r->n_peers++] = NULL;
	}
	if (!r->peer[peer]) {
		r->peer[peer] = xcalloc(1, sizeof(struct rib_peer));
		r->peer[peer]->index = peer;
		list_init(&r->peer[peer]->out.link);
	}
	return r->peer[peer];
}

static void forget_sets(struct rib *r, struct rib_peer *p)
{
	intern_put(r->in, p->seen);
	p->seen = NULL;
	export_forget(r, p);
}

static bool same_policy(const struct policy *a, const struct policy *b)
{
	return a && b ? policy_equal(a, b) : a == b;
}

void rib_peer_policy(struct rib *r, uint32_t peer, const struct policy *import, const struct policy *export,
		     uint32_t local_as)
{
	struct rib_peer *p = peer_get(r, peer);
	bool in_differs = !same_policy(p->import, import) || p->local_as != local_as;
	bool out_differs = !same_policy(p->export, export) || p->local_as != local_as;

	p->import = import;
	p->export = export;
	p->local_as = local_as;
	forget_sets(r, p);
	if (in_differs && p->received) {
		p->reimport = true;
		rib_sweep(r);
	}
	if (out_differs && p->up)
		out_again(r, p, FAMILIES_ALL, false);
}

void rib_multipath(struct rib *r, unsigned max)
{
	unsigned was = r->multipath;

	r->multipath = max < 1 ? 1 : max > BGP_PATHS_MAX ? BGP_PATHS_MAX : max;
	if (r->multipath == was || r->paths.live == 0)
		return;
	for (uint32_t i = 1; i < r->nexthops.n; i++)
		r->nexthops.row[i].changed = true;
	rib_sweep(r);
}

/* A default to originate must have a net to hang on. */
static void pin_default(struct net_table *t, bool on)
{
	struct ip_prefix p = {.addr = {.family = t->family}};
	uint32_t i = on ? net_get(t, &p) : net_find(t, &p);

	if (!i)
		return;
	if (on) {
		net_at(t, i)->flags |= NET_PINNED;
	} else {
		net_at(t, i)->flags &= (uint8_t)~NET_PINNED;
		net_drop(t, i);
	}
}

static void pin_defaults(struct rib *r)
{
	bool v4 = false, v6 = false;

	for (uint32_t i = 0; i < r->n_peers; i++) {
		const struct rib_peer *p = r->peer[i];

		if (p && p->up && p->s.default_originate) {
			v4 |= p->s.codec.mp_v4;
			v6 |= p->s.codec.mp_v6;
		}
	}
	pin_default(&r->v4, v4);
	pin_default(&r->v6, v6);
}

void rib_peer_up(struct rib *r, uint32_t peer, const struct rib_session *s)
{
	struct rib_peer *p = peer_get(r, peer);

	if (p->up)
		rib_peer_down(r, peer);
	p->up = true;
	p->s = *s;
	p->received = p->accepted = 0;
	pin_defaults(r);
	out_start(r, p);
}

void rib_peer_down(struct rib *r, uint32_t peer)
{
	struct rib_peer *p = peer < r->n_peers ? r->peer[peer] : NULL;

	if (!p || !p->up)
		return;
	p->up = false;
	p->session++;
	if (p->received || p->out.count)
		rib_sweep(r);
	p->received = p->accepted = 0;
	out_stop(r, p);
	forget_sets(r, p);
	pin_defaults(r);
}

void rib_peer_forget(struct rib *r, uint32_t peer)
{
	struct rib_peer *p = peer < r->n_peers ? r->peer[peer] : NULL;

	if (!p)
		return;
	rib_peer_down(r, peer);
	/* the row stays: dead paths name it until the sweep is over, and so does a next peer of this number */
	p->import = p->export = NULL;
	p->local_as = 0;
}

void rib_peer_export(struct rib *r, uint32_t peer, bool default_originate, uint32_t max_prefix_out)
{
	struct rib_peer *p = rib_peer(r, peer);
	bool differs = p->s.default_originate != default_originate || p->s.max_prefix_out != max_prefix_out;

	p->s.default_originate = default_originate;
	p->s.max_prefix_out = max_prefix_out;
	if (!p->up || !differs)
		return;
	out_again(r, p, FAMILIES_ALL, false);
	pin_defaults(r);
}

uint32_t rib_received(const struct rib *r, uint32_t peer)
{
	return peer < r->n_peers && r->peer[peer] ? r->peer[peer]->received : 0;
}

uint32_t rib_accepted(const struct rib *r, uint32_t peer)
{
	return peer < r->n_peers && r->peer[peer] ? r->peer[peer]->accepted : 0;
}

void rib_totals(const struct rib *r, struct bgp_totals *out)
{
	*out = (struct bgp_totals){
		.prefixes = (uint64_t)r->v4.rows.live + r->v6.rows.live,
		.paths = r->paths.live,
		.attr_sets = intern_count(r->in),
		.octets = sizeof(*r) + net_octets(&r->v4) + net_octets(&r->v6) + slab_octets(&r->paths) +
			  slab_octets(&r->sents) + intern_octets(r->in) + rib_order_octets(r) + out_octets(r) +
			  (uint64_t)r->nexthops.cap * sizeof(struct nexthop) +
			  (r->nexthops.mask + 1ull) * sizeof(uint32_t) +
			  (uint64_t)r->cand_cap * (sizeof(*r->cand) + sizeof(*r->rest)) +
			  (uint64_t)r->n_peers * sizeof(struct rib_peer),
	};
}
