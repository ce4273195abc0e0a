/* For people: what there is, and why it is not used. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/xalloc.h"
#include "controlplane/feed_state.h"

enum { WINDOW = 16384 };

struct walk {
	struct feed *f;
	const struct rt_node *n;
	uint32_t selected_hop, selected_cand;
	char cause[160];
};

static const char *owner_name(const struct walk *w)
{
	static const char *const names[] = {"connected", "static", "BGP", "pinned"};
	const struct feed *f = w->f;

	return names[w->selected_cand ? f->cand[w->selected_cand].owner : FEED_BGP];
}

/* Why the hop leads nowhere. */
static void why_unusable(struct walk *w, const struct feed_hop *h)
{
	char text[IP_STR];

	if (h->kind == HOP_TUNNEL) {
		snprintf(w->cause, sizeof(w->cause), "tunnel %s is down", h->tunnel->cfg.name);
	} else if (h->kind == HOP_VIA) {
		const struct feed_way *way = &w->f->way[h->path[0].way];

		if (way->down)
			snprintf(w->cause, sizeof(w->cause), "no way to next hop %s: tunnel %s is down",
				 ip_str(&way->addr, text), way->down->cfg.name);
		else
			snprintf(w->cause, sizeof(w->cause), "there is no route to next hop %s",
				 ip_str(&way->addr, text));
	} else {
		snprintf(w->cause, sizeof(w->cause), "of this network only our own address can be reached");
	}
}

static void state_of_selected(struct walk *w, const struct feed_hop *h, struct feed_route_info *i)
{
	const struct rt_node *n = w->n;

	if (h->kind == HOP_LINK) { /* the data plane has it from its config */
		i->state = dp_attached(w->f->dp) ? "installed" : "pending";
	} else if (n->state == FEED_FAILED) {
		i->state = "failed";
		i->err = -n->err;
		snprintf(w->cause, sizeof(w->cause), "refused by the data plane: %s",
			 h->state == FEED_FAILED ? feed_hop_err_str(h->err) : err_str(n->err));
	} else if (n->queue == FEED_Q_NONE && n->fib && (n->state == FEED_DONE || feed_route_applied(w->f, n->seq)) &&
		   dp_attached(w->f->dp)) {
		i->state = "installed";
	} else {
		i->state = "pending";
	}
}

static void describe(struct walk *w, uint32_t hop, uint8_t owner, uint8_t distance, struct feed_route_info *i)
{
	const struct feed *f = w->f;
	const struct feed_hop *h = &f->hop[hop];

	*i = (struct feed_route_info){.to = rtable_prefix(w->n), .owner = owner, .distance = distance, .n = h->n_leg};
	w->cause[0] = '\0';
	if (h->kind == HOP_VIA)
		i->nexthop = f->way[h->path[0].way].addr;
	else if (h->kind == HOP_NEIGHBOUR)
		i->nexthop = h->via;
	for (unsigned l = 0; l < h->n_leg; l++)
		i->leg[l] = h->leg[l];
	if (h->kind == HOP_TUNNEL && !h->n_leg)
		i->leg[0] = (struct feed_leg){.kind = MSG_NH_TUNNEL, .tunnel = h->tunnel};
	if (!h->usable)
		why_unusable(w, h);
	i->state = "inactive";
}

static bool show(struct walk *w, uint32_t hop, uint32_t cand, bool (*fn)(void *arg, const struct feed_route_info *i),
		 void *arg)
{
	const struct feed *f = w->f;
	struct feed_route_info i;

	if (cand)
		describe(w, hop, f->cand[cand].owner, f->cand[cand].distance, &i);
	else
		describe(w, hop, FEED_BGP, FEED_BGP_DISTANCE, &i);
	i.selected = w->selected_hop == hop && w->selected_cand == cand;
	if (i.selected)
		state_of_selected(w, &f->hop[hop], &i);
	else if (f->hop[hop].usable)
		snprintf(w->cause, sizeof(w->cause), "the %s route of distance %u counts", owner_name(w),
			 w->selected_cand ? f->cand[w->selected_cand].distance : FEED_BGP_DISTANCE);
	i.cause = w->cause;
	return fn(arg, &i);
}

/* All candidates of a prefix, best first. Own addresses are no routes. */
static bool show_node(struct walk *w, bool (*fn)(void *arg, const struct feed_route_info *i), void *arg)
{
	const struct feed *f = w->f;
	uint32_t bgp = w->n->bgp;
	bool go_on = true;

	w->selected_hop = feed_route_select(f, w->n, false, &w->selected_cand);
	for (uint32_t c = w->n->cand; c && go_on; c = f->cand[c].next) {
		if (bgp && f->cand[c].distance > FEED_BGP_DISTANCE) {
			go_on = show(w, bgp, 0, fn, arg);
			bgp = 0;
		}
		if (go_on && f->hop[f->cand[c].hop].kind != HOP_LOCAL)
			go_on = show(w, f->cand[c].hop, c, fn, arg);
	}
	if (bgp && go_on)
		go_on = show(w, bgp, 0, fn, arg);
	return go_on;
}

unsigned feed_walk(struct feed *f, struct ip_prefix *after, unsigned max,
		   bool (*fn)(void *arg, const struct feed_route_info *i), void *arg)
{
	unsigned size = max < WINDOW ? max : WINDOW, n = 0, got;
	uint32_t *at;
	bool go_on = size > 0;

	if (size > f->rt.n)
		size = f->rt.n;
	if (!size)
		return 0;
	at = xcalloc(size, sizeof(*at));
	do {
		got = rtable_after(&f->rt, after, at, max - n < size ? max - n : size);
		for (unsigned k = 0; k < got && go_on; k++, n++) {
			struct walk w = {.f = f, .n = rtable_at(&f->rt, at[k])};

			*after = rtable_prefix(w.n);
			go_on = show_node(&w, fn, arg);
		}
	} while (go_on && got == size && n < max);
	free(at);
	return n;
}

unsigned feed_resolve(struct feed *f, const struct ip_addr *addr, struct feed_leg leg[MSG_NH_LEGS])
{
	int len = rtable_host_len(addr);
	uint32_t i, cand;

	for (; (i = rtable_covering(&f->rt, addr, &len)); len--) {
		const struct feed_hop *h = &f->hop[feed_route_select(f, rtable_at(&f->rt, i), false, &cand)];

		for (unsigned l = 0; l < h->n_leg; l++) {
			leg[l] = h->leg[l];
			if (h->kind == HOP_LINK)
				leg[l].via = *addr;
		}
		if (h->n_leg)
			return h->n_leg;
	}
	return 0;
}

void feed_totals(const struct feed *f, struct feed_totals *out)
{
	*out = (struct feed_totals){
		.routes = f->rt.n,
		.dirty = f->dirty.n,
		.pushed = dp_routes_pushed(f->dp),
		.applied = dp_routes_applied(f->dp),
		.octets = rtable_octets(&f->rt) + f->n_cand * sizeof(*f->cand) + f->cap_hop * sizeof(*f->hop) +
			  f->n_hop_bucket * sizeof(*f->hop_bucket) + f->cap_way * sizeof(*f->way) +
			  FEED_HISTORY * sizeof(*f->history),
	};
	for (unsigned l = 0; l < FEED_RETRY_LEVELS; l++)
		out->failed += f->failed[l].n;
	for (uint32_t i = 1; i < f->n_hop; i++)
		out->dirty += f->hop[i].wait.n;
}
