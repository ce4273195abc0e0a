/* What BGP says, and what it asks for. */
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/feed_state.h"

/* The hop of a best route: the winner's next hop first. */
static uint32_t hop_of(struct feed *f, const struct bgp_best *b)
{
	struct feed_path path[BGP_PATHS_MAX];
	struct feed_hop key = {.kind = HOP_VIA, .path = path};
	uint32_t hop;

	for (unsigned i = 0; i < b->n && i < BGP_PATHS_MAX; i++)
		path[key.n++] = (struct feed_path){.way = feed_way_get(f, b->path[i].nexthop), .peer = b->path[i].peer};
	hop = feed_hop_get(f, &key);
	for (unsigned i = 0; i < key.n; i++)
		feed_way_put(f, path[i].way);
	return hop;
}

void feed_bgp_route(struct feed *f, const struct ip_prefix *p, const struct bgp_best *b)
{
	uint32_t i, hop = 0, old;
	struct rt_node *n;

	i = b ? rtable_get(&f->rt, p) : rtable_find(&f->rt, p);
	if (!i)
		return;
	n = rtable_at(&f->rt, i);
	old = n->bgp;
	if (b)
		hop = hop_of(f, b);
	if (hop == old) {
		if (hop)
			feed_hop_put(f, hop);
		return;
	}
	n->bgp = hop;
	if (hop)
		f->hop[hop].bgp++;
	feed_way_touch(f, n);
	if (old) {
		f->hop[old].bgp--;
		feed_hop_put(f, old);
	}
	feed_route_changed(f, i);
}

void feed_bgp_peer(struct feed *f, uint32_t peer, const struct ip_addr *addr)
{
	struct feed_peer *x;
	uint32_t old;

	if (peer >= f->n_peer) {
		f->peer = xrealloc(f->peer, (size_t)peer + 1, sizeof(*f->peer));
		memset(&f->peer[f->n_peer], 0, (peer + 1 - f->n_peer) * sizeof(*f->peer));
		f->n_peer = peer + 1;
	}
	x = &f->peer[peer];
	old = x->way;
	*x = (struct feed_peer){0};
	if (addr && addr->family != IP_NONE) {
		x->way = feed_way_get(f, addr);
		f->way[x->way].n_peer++;
		feed_way_dirty(f, x->way);
	}
	if (!old)
		return;
	f->way[old].n_peer--;
	feed_pin_check(f, old);
	feed_way_dirty(f, old);
	feed_way_put(f, old);
}

void feed_watch(struct feed *f, const struct ip_addr *nh)
{
	uint32_t i = feed_way_get(f, nh);

	f->way[i].watch++;
	f->way[i].told = false;
	feed_way_dirty(f, i);
}

void feed_unwatch(struct feed *f, const struct ip_addr *nh)
{
	uint32_t i = feed_way_find(f, nh);

	if (!i || !f->way[i].watch)
		return;
	f->way[i].watch--;
	feed_way_put(f, i);
}
