/* The guard: what is learned over a tunnel never carries the tunnel, nor the session that it was learned from.
 *
 * For a peer's address its own routes do not count. For a tunnel's endpoint neither the routes of peers that are spoken to over that
 * tunnel count, nor any BGP route that leads into a tunnel (two tunnels that learn a default route each would carry each other), nor
 * a route of the config that leads into a tunnel to that very endpoint. Where the data plane's longest match would be such a route, a
 * host route goes the allowed way: the pin.
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

/* Would the data plane send packets for w by a route that is not allowed? */
static bool guarded(const struct feed *f, const struct feed_way *w)
{
	int len = rtable_host_len(&w->addr);
	const struct feed_hop *h = NULL;
	uint32_t i, cand = 0;
	bool bad = false;

	for (; !h && (i = rtable_covering(&f->rt, &w->addr, &len)); len--) {
		uint32_t hop = feed_route_select(f, rtable_at(&f->rt, i), true, &cand);

		if (hop)
			h = &f->hop[hop];
	}
	if (!h)
		return false;
	for (unsigned p = 0; p < h->n; p++)
		bad |= !feed_pin_path_allowed(f, w, &h->path[p]);
	for (unsigned l = 0; l < h->n_leg; l++)
		bad |= !feed_pin_leg_allowed(w, !cand, &h->leg[l]);
	return bad;
}

void feed_pin_check(struct feed *f, uint32_t i)
{
	struct feed_way *w = &f->way[i];
	struct feed_path path = {.way = i, .peer = BGP_NO_PEER};
	struct feed_hop key = {.kind = HOP_VIA, .n = 1, .path = &path};
	struct ip_prefix p = {.addr = w->addr, .len = (uint8_t)rtable_host_len(&w->addr)};
	bool want = (w->n_peer || w->n_endpoint) && w->n_leg && guarded(f, w);
	uint32_t hop, cand;

	if (want == (w->pin_cand != 0))
		return;
	if (!want) {
		cand = w->pin_cand;
		w->pin_cand = 0;
		feed_cfg_del(f, cand);
		return;
	}
	hop = feed_hop_get(f, &key);
	cand = feed_cfg_add(f, &p, FEED_PIN, 0, hop);
	f->way[i].pin_cand = cand; /* the table may have moved */
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
