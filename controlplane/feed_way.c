/* Where addresses lead: the longest usable match, recursively. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/feed_state.h"

/* A look-up is some hundred ns to some us. The slow ones get a share of the thread that leaves the rest alone. */
enum { ROUNDS = 16, LOOKS_QUICK = 4096, LOOKS_SLOW = 256 };

uint32_t feed_way_find(const struct feed *f, const struct ip_addr *a)
{
	uint32_t i = addrset_find(&f->ways, a);

	return i == UINT32_MAX ? 0 : i;
}

static void todo_add(struct feed_todo *t, uint32_t i)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->way = xrealloc(t->way, t->cap, sizeof(*t->way));
	}
	t->way[t->n++] = i;
}

void feed_way_dirty(struct feed *f, uint32_t i)
{
	struct feed_way *w = &f->way[i];

	if (!w->dirty)
		todo_add(w->looped ? &f->slow : &f->quick, i);
	w->dirty = FEED_FRESH;
	f->fresh = f->kick = true;
}

bool feed_way_idle(const struct feed *f)
{
	return !f->quick.n && !f->slow.n;
}

/* The place of a freed way keeps its dirty mark: it is still in the list. */
uint32_t feed_way_get(struct feed *f, const struct ip_addr *a)
{
	uint32_t i = feed_way_find(f, a);

	if (!i) {
		uint8_t dirty = FEED_CLEAN;

		i = f->free_way;
		if (i) {
			f->free_way = f->way[i].watch;
			dirty = f->way[i].dirty;
		} else {
			if (f->n_way == f->cap_way) {
				f->cap_way *= 2;
				f->way = xrealloc(f->way, f->cap_way, sizeof(*f->way));
			}
			i = f->n_way++;
		}
		f->way[i] = (struct feed_way){.addr = *a, .dirty = dirty};
		addrset_add(&f->ways, i);
		feed_way_dirty(f, i);
	}
	f->way[i].refs++;
	return i;
}

void feed_way_put(struct feed *f, uint32_t i)
{
	struct feed_way *w = &f->way[i];

	if (--w->refs)
		return;
	addrset_del(&f->ways, i);
	free(w->hop);
	free(w->leg);
	free(w->seen);
	*w = (struct feed_way){.watch = f->free_way, .dirty = w->dirty};
	f->free_way = i;
}

struct touch {
	struct feed *f;
	uint8_t len;
};

static void touch_one(void *ctx, uint32_t i)
{
	struct touch *t = ctx;

	if (t->len >= t->f->way[i].watch_len || t->f->way[i].always)
		feed_way_dirty(t->f, i);
}

void feed_way_touch(struct feed *f, const struct rt_node *n)
{
	struct ip_prefix p = rtable_prefix(n);
	struct touch t = {f, n->len};

	addrset_within(&f->ways, &p, touch_one, &t);
}

/* ---- one look-up ---- */

struct look {
	struct feed *f;
	uint32_t stack[FEED_DEPTH];
	unsigned depth;
	uint32_t seen[FEED_SEEN];
	unsigned n_seen, n_looks;
	bool overflow, looped, blocked;
	const struct tunnel *down;
	uint32_t metric; /* of the way that the look began with */
	int len;         /* likewise: of the deciding prefix; -1: none */
};

/* One address of the recursion. */
struct level {
	const struct feed_way *way;
	const struct tunnel *down; /* that a prefix passed by goes into */
	uint32_t metric;
	bool own; /* the address is ours */
	bool blocked;
};

static void see(struct look *l, uint32_t way)
{
	for (unsigned i = 0; i < l->n_seen; i++)
		if (l->seen[i] == way)
			return;
	if (l->n_seen == FEED_SEEN)
		l->overflow = true;
	else
		l->seen[l->n_seen++] = way;
}

static bool in_stack(const struct look *l, uint32_t way)
{
	for (unsigned i = 0; i < l->depth; i++)
		if (l->stack[i] == way)
			return true;
	return false;
}

static uint8_t way_legs(struct look *l, uint32_t way, struct feed_leg *leg);

/* The legs of a recursive route for address w. A path that leads back to an address on our way here would resolve by itself. */
static uint8_t path_legs(struct look *l, const struct feed_way *w, const struct feed_hop *h, struct feed_leg *leg)
{
	uint8_t n = 0;

	for (unsigned p = 0; p < h->n; p++) {
		struct feed_leg more[MSG_NH_LEGS];
		uint8_t n_more;

		see(l, h->path[p].way);
		if (in_stack(l, h->path[p].way)) {
			l->looped = true;
			continue;
		}
		if (!feed_pin_path_allowed(l->f, w, &h->path[p]))
			continue;
		n_more = way_legs(l, h->path[p].way, more);
		for (unsigned i = 0; i < n_more; i++)
			feed_hop_add_leg(leg, &n, &more[i]);
	}
	return n;
}

/* at->blocked: a longer prefix goes into a tunnel that is down. Then only another tunnel will do, lest in clear go what the config
 * sends into a tunnel. */
static uint8_t hop_legs(struct look *l, struct level *at, const struct feed_hop *h, bool bgp, struct feed_leg *leg)
{
	const struct feed_way *w = at->way;
	struct feed_leg all[MSG_NH_LEGS];
	uint8_t n_all = 0, n = 0;

	switch ((enum hop_kind)h->kind) {
	case HOP_VIA:
		n_all = path_legs(l, w, h, all);
		break;
	case HOP_LINK:
		all[n_all++] = (struct feed_leg){.kind = MSG_NH_PORT, .port = h->port, .via = w->addr};
		break;
	case HOP_NEIGHBOUR:
		all[n_all++] = (struct feed_leg){.kind = MSG_NH_PORT, .port = h->port, .via = h->via};
		break;
	case HOP_TUNNEL:
		if (feed_hop_tunnel_usable(h->tunnel))
			all[n_all++] = (struct feed_leg){.kind = MSG_NH_TUNNEL, .tunnel = h->tunnel};
		else
			at->down = h->tunnel;
		break;
	case HOP_DROP:
		all[n_all++] = (struct feed_leg){.kind = MSG_NH_DROP};
		break;
	case HOP_LOCAL:
	case HOP_NET:
	case HOP_FREE:
		break;
	}
	for (unsigned i = 0; i < n_all; i++)
		if (feed_pin_leg_allowed(w, bgp, &all[i]) && !(at->blocked && all[i].kind == MSG_NH_PORT))
			feed_hop_add_leg(leg, &n, &all[i]);
	return n;
}

/* The first usable candidate of a node, BGP's in its place among them. */
static uint8_t node_legs(struct look *l, struct level *at, const struct rt_node *n, struct feed_leg *leg)
{
	const struct feed *f = l->f;
	uint32_t bgp = n->bgp;
	uint8_t n_leg = 0;

	for (uint32_t c = n->cand; c; c = f->cand[c].next) {
		const struct feed_cand *x = &f->cand[c];

		if (x->owner == FEED_PIN)
			continue;
		if (bgp && x->distance > FEED_BGP_DISTANCE) {
			n_leg = hop_legs(l, at, &f->hop[bgp], true, leg);
			at->metric = FEED_BGP_DISTANCE;
			bgp = 0;
			if (n_leg)
				return n_leg;
		}
		if (f->hop[x->hop].kind == HOP_LOCAL) {
			at->own = true;
			return 0;
		}
		n_leg = hop_legs(l, at, &f->hop[x->hop], false, leg);
		at->metric = x->distance;
		if (n_leg)
			return n_leg;
	}
	at->metric = FEED_BGP_DISTANCE;
	return bgp ? hop_legs(l, at, &f->hop[bgp], true, leg) : 0;
}

static uint8_t way_legs(struct look *l, uint32_t way, struct feed_leg *leg)
{
	struct feed *f = l->f;
	struct level at = {.way = &f->way[way]};
	int len = rtable_host_len(&at.way->addr);
	uint32_t i;
	uint8_t n = 0;

	if (l->depth == FEED_DEPTH || l->n_looks++ >= FEED_LOOKS) {
		l->overflow = true;
		return 0;
	}
	l->stack[l->depth++] = way;
	for (; !n && !at.own && (i = rtable_covering(&f->rt, &at.way->addr, &len)); len--) {
		n = node_legs(l, &at, rtable_at(&f->rt, i), leg);
		at.blocked = at.down && !at.way->n_endpoint;
	}
	l->depth--;
	l->metric = at.metric;
	l->len = n || at.own ? len + 1 : 0;
	l->blocked = !n && at.blocked;
	if (!n && at.down)
		l->down = at.down;
	return n;
}

/* ---- the turn ---- */

static bool legs_differ(const struct feed_way *w, const struct feed_leg *leg, uint8_t n)
{
	bool same = w->n_leg == n;

	for (unsigned i = 0; same && i < n; i++)
		same = w->leg[i].kind == leg[i].kind && w->leg[i].port == leg[i].port &&
		       w->leg[i].tunnel == leg[i].tunnel && ip_equal(&w->leg[i].via, &leg[i].via);
	return !same;
}

/* Number of look-ups. */
static unsigned resolve(struct feed *f, uint32_t i)
{
	struct look l = {.f = f};
	struct feed_leg leg[MSG_NH_LEGS];
	uint8_t n = way_legs(&l, i, leg);
	struct feed_way *w = &f->way[i];
	bool changed = legs_differ(w, leg, n);

	w->watch_len = (uint16_t)l.len;
	w->metric = l.metric;
	w->down = n ? NULL : l.down;
	w->blocked = l.blocked;
	w->reach = n;
	/* in a loop, who decides depends on where one began: then any change near may matter */
	w->looped = l.overflow || l.looped;
	w->always |= w->looped;
	w->n_seen = l.n_seen;
	w->seen = xrealloc(w->seen, l.n_seen ? l.n_seen : 1, sizeof(*w->seen));
	memcpy(w->seen, l.seen, l.n_seen * sizeof(*w->seen));
	if (!changed)
		return l.n_looks;
	w->leg = xrealloc(w->leg, n ? n : 1, sizeof(*w->leg));
	memcpy(w->leg, leg, n * sizeof(*leg));
	w->n_leg = n;
	for (uint32_t h = 0; h < f->way[i].n_hop; h++)
		feed_hop_resolve(f, f->way[i].hop[h]);
	return l.n_looks;
}

/* Who looked at a way that is dirty is dirty, too. */
static void spread(struct feed *f)
{
	bool more = f->fresh;

	while (more) {
		more = false;
		for (uint32_t i = 1; i < f->n_way; i++) {
			const struct feed_way *w = &f->way[i];
			bool hit = w->refs && !w->dirty && w->n_seen && w->always;

			for (uint32_t s = 0; w->refs && w->dirty != FEED_FRESH && !hit && s < w->n_seen; s++)
				hit = f->way[w->seen[s]].dirty == FEED_FRESH;
			if (hit)
				feed_way_dirty(f, i);
			more |= hit;
		}
	}
	for (uint32_t i = f->fresh ? 1 : f->n_way; i < f->n_way; i++)
		f->way[i].dirty = f->way[i].dirty ? FEED_DIRTY : FEED_CLEAN;
	f->fresh = false;
}

/* What a way with a loop or an overflow has looked at matters to it in ways that a look of its own does not show. */
static void mark_always(struct feed *f, uint32_t i)
{
	const struct feed_way *w = &f->way[i];

	for (uint32_t s = 0; w->looped && s < w->n_seen; s++)
		f->way[w->seen[s]].always = true;
	f->loops |= w->looped;
}

/* All are resolved: whose mark is of no use any more is seen now. */
static void mark_anew(struct feed *f)
{
	f->loops = false;
	for (uint32_t i = 1; i < f->n_way; i++)
		f->way[i].always = f->way[i].looped;
	for (uint32_t i = 1; i < f->n_way; i++)
		mark_always(f, i);
}

/* The tunnel of the first leg. */
static const struct tunnel *tunnel_of(const struct feed_way *w)
{
	return w->n_leg ? w->leg[0].tunnel : NULL;
}

/* Where a peer is spoken to decides what its routes may carry. */
static void move_peers(struct feed *f)
{
	for (uint32_t p = 0; p < f->n_peer; p++) {
		struct feed_peer *x = &f->peer[p];
		const struct tunnel *now = x->way ? tunnel_of(&f->way[x->way]) : NULL, *was = x->tunnel;

		if (now == was)
			continue;
		x->tunnel = now;
		if (was && was->handle.slot < f->n_endpoint && f->endpoint[was->handle.slot])
			feed_way_dirty(f, f->endpoint[was->handle.slot]);
		if (now && now->handle.slot < f->n_endpoint && f->endpoint[now->handle.slot])
			feed_way_dirty(f, f->endpoint[now->handle.slot]);
	}
}

static void tell_peer(struct feed *f, uint32_t p)
{
	struct feed_peer *x = &f->peer[p];
	const struct feed_way *w = &f->way[x->way];
	const struct tunnel *t = tunnel_of(w);
	char cause[128] = "", text[IP_STR];
	bool reach = w->reach;

	if (w->n_leg == 1 && w->leg[0].kind == MSG_NH_DROP)
		reach = false;
	if (x->told && x->told_reach == reach && x->told_tunnel == t)
		return;
	x->told = true;
	x->told_reach = reach;
	x->told_tunnel = t;
	if (!f->ops.peer_way)
		return;
	if (!reach && w->down)
		snprintf(cause, sizeof(cause), "tunnel %s is down", w->down->cfg.name);
	else if (!reach)
		snprintf(cause, sizeof(cause), "there is no route to %s", ip_str(&w->addr, text));
	f->ops.peer_way(f->ops.ctx, p, reach, t, cause);
}

static void tell_watcher(struct feed *f, uint32_t i)
{
	struct feed_way *w = &f->way[i];
	struct ip_addr addr = w->addr;

	if (!w->watch || (w->told && w->told_reach == w->reach && w->told_metric == w->metric))
		return;
	w->told = true;
	w->told_reach = w->reach;
	w->told_metric = w->metric;
	if (f->ops.nexthop)
		f->ops.nexthop(f->ops.ctx, &addr, w->reach, w->reach ? w->metric : 0);
}

/* The listeners may call us: nothing is held over a call but numbers. */
static void tell(struct feed *f, const struct feed_todo *done)
{
	for (uint32_t k = 0; k < done->n; k++)
		if (f->way[done->way[k]].refs)
			tell_watcher(f, done->way[k]);
	for (uint32_t p = 0; p < f->n_peer; p++)
		if (f->peer[p].way && !f->way[f->peer[p].way].dirty)
			tell_peer(f, p);
}

/* Resolve from t what *looks allows; done gets it. */
static void resolve_some(struct feed *f, struct feed_todo *t, int *looks, struct feed_todo *done)
{
	uint32_t n = t->n; /* what becomes dirty meanwhile is for the next round */

	while (t->at<n && * looks> 0) {
		uint32_t i = t->way[t->at++];

		if (f->way[i].dirty == FEED_FRESH) { /* since this round began: those that looked at it come first */
			todo_add(t, i);
			continue;
		}
		f->way[i].dirty = FEED_CLEAN;
		if (!f->way[i].refs)
			continue;
		todo_add(done, i);
		*looks -= (int)resolve(f, i);
	}
	t->n -= t->at;
	if (t->n && t->at)
		memmove(t->way, &t->way[t->at], t->n * sizeof(*t->way));
	t->at = 0;
}

/* In any order, in as many turns as it takes: a way is looked up in the routes, not in what is known of other ways. */
void feed_way_turn(struct feed *f)
{
	int quick = LOOKS_QUICK, slow = LOOKS_SLOW;
	struct feed_todo done = {0};
	bool any = !feed_way_idle(f);

	/* listeners may answer with changes; what does not come to rest here goes on in the next turn */
	for (unsigned round = 0; !feed_way_idle(f) && round < ROUNDS && (f->quick.n ? quick : slow) > 0; round++) {
		spread(f);
		done.n = 0;
		resolve_some(f, &f->quick, &quick, &done);
		resolve_some(f, &f->slow, &slow, &done);
		for (uint32_t k = 0; k < done.n; k++)
			mark_always(f, done.way[k]);
		move_peers(f);
		for (uint32_t k = 0; k < done.n; k++) {
			const struct feed_way *w = &f->way[done.way[k]];

			if (w->refs && (w->n_peer || w->n_endpoint))
				feed_pin_check(f, done.way[k]);
		}
		tell(f, &done);
	}
	free(done.way);
	if (any && f->loops && feed_way_idle(f))
		mark_anew(f);
}
