/* The guard: what is learned over a tunnel never carries the tunnel, nor the session that it was learned from.
 *
 * For a peer's address its own routes do not count. For a tunnel's endpoint neither the routes of peers that are spoken to over that
 * tunnel count, nor any BGP route that leads into a tunnel (two tunnels that learn a default route each would carry each other), nor
 * a route of the config that leads into a tunnel to that very endpoint. Where the data plane's longest match would be such a route, a
 * host route goes the allowed way: the pin. And where a peer's way is a tunnel that is down, a pin drops what a shorter route would let
 * out in clear.
 */
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/feed_state.h"

bool feed_pin_path_allowed(const struct feed *f, const struct feed_way *w, const struct feed_path *p)
{
	const struct feed_peer *x;

	if (p->peer >= f->n_peer)
		return true;
	x = &f->peer[p->peer];
	if (x->way && &f->way[x->way] == w)
		return false;
	return !(w->n_endpoint && x->tunnel && ip_equal(&x->tunnel->peer, &w->addr));
}

bool feed_pin_leg_allowed(const struct feed_way *w, bool bgp, const struct feed_leg *leg)
{
	if (!w->n_endpoint || leg->kind != MSG_NH_TUNNEL)
		return true;
	return !bgp && !ip_equal(&leg->tunnel->peer, &w->addr);
}

/* What the data plane would send packets for w by, if there were no pins. NULL: by nothing. */
static const struct feed_hop *unpinned(const struct feed *f, const struct feed_way *w, bool *bgp)
{
	int len = rtable_host_len(&w->addr);
	uint32_t i, cand, hop = 0;

	for (; (i = rtable_covering(&f->rt, &w->addr, &len)); len--) {
		hop = feed_route_select(f, rtable_at(&f->rt, i), true, &cand);
		*bgp = !cand;
		if (hop)
			return &f->hop[hop];
	}
	return NULL;
}

static bool has_port(const struct feed_hop *h)
{
	bool any = false;

	for (unsigned l = 0; l < h->n_leg; l++)
		any |= h->leg[l].kind == MSG_NH_PORT;
	return any;
}

/* Would that be by a route that is not allowed? */
static bool guarded(const struct feed *f, const struct feed_way *w)
{
	bool bgp = false, bad = false;
	const struct feed_hop *h = unpinned(f, w, &bgp);

	for (unsigned p = 0; h && p < h->n; p++)
		bad |= !feed_pin_path_allowed(f, w, &h->path[p]);
	for (unsigned l = 0; h && l < h->n_leg; l++)
		bad |= !feed_pin_leg_allowed(w, bgp, &h->leg[l]);
	/* a session that belongs into a tunnel does not go on in clear when that is down */
	return bad || (h && w->n_peer && w->blocked && has_port(h));
}

/* The hop that a pin shall have; a reference more. 0: no pin. */
static uint32_t wanted(struct feed *f, uint32_t i)
{
	const struct feed_way *w = &f->way[i];
	struct feed_path path = {.way = i, .peer = BGP_NO_PEER};

	if ((!w->n_peer && !w->n_endpoint) || !guarded(f, w))
		return 0;
	if (w->n_leg)
		return feed_hop_get(f, &(struct feed_hop){.kind = HOP_VIA, .n = 1, .path = &path});
	return w->blocked ? feed_hop_get(f, &(struct feed_hop){.kind = HOP_DROP}) : 0;
}

void feed_pin_check(struct feed *f, uint32_t i)
{
	struct ip_prefix p = {.addr = f->way[i].addr, .len = (uint8_t)rtable_host_len(&f->way[i].addr)};
	uint32_t hop = wanted(f, i), old = f->way[i].pin;

	if (hop == (old ? f->cand[old].hop : 0)) {
		if (hop)
			feed_hop_put(f, hop);
		return;
	}
	f->way[i].pin = hop ? feed_cfg_add(f, &p, FEED_PIN, 0, hop) : 0;
	if (old)
		feed_cfg_del(f, old);
}

void feed_pin_endpoint(struct feed *f, const struct tunnel *t)
{
	uint32_t i = t->handle.slot, now = 0, was;

	if (i >= f->n_endpoint) {
		f->endpoint = xrealloc(f->endpoint, (size_t)i + 64, sizeof(*f->endpoint));
		memset(&f->endpoint[f->n_endpoint], 0, (i + 64 - f->n_endpoint) * sizeof(*f->endpoint));
		f->n_endpoint = i + 64;
	}
	was = f->endpoint[i];
	if (t->wanted && t->peer.family != IP_NONE) {
		now = feed_way_get(f, &t->peer);
		f->way[now].n_endpoint++;
		if (now != was)
			feed_way_dirty(f, now);
	}
	f->endpoint[i] = now;
	if (!was)
		return;
	f->way[was].n_endpoint--;
	if (now != was)
		feed_pin_check(f, was);
	feed_way_put(f, was);
}
