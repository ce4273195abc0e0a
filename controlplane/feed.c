#include "controlplane/feed.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/feed_state.h"

static const struct ip_addr *way_addr(const void *ctx, uint32_t number)
{
	const struct feed *f = ctx;

	return &f->way[number].addr;
}

struct feed *feed_new(struct loop *loop, struct dp *dp, struct tunnels *ts, const struct feed_ops *ops)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->dp = dp;
	f->ts = ts;
	f->ops = *ops;
	rtable_init(&f->rt, uv_hrtime() * UINT64_C(0x9e3779b97f4a7c15) ^ (uintptr_t)f);
	addrset_init(&f->ways, way_addr, f);
	f->n_cand = f->n_hop = f->n_way = 1;
	f->cap_hop = f->cap_way = 64;
	f->hop = xcalloc(f->cap_hop, sizeof(*f->hop));
	f->way = xcalloc(f->cap_way, sizeof(*f->way));
	f->history = xcalloc(FEED_HISTORY, sizeof(*f->history));
	uv_timer_init(&loop->uv, &f->timer);
	f->timer.data = f;
	return f;
}

static void free_closed(uv_handle_t *h)
{
	struct feed *f = h->data;

	for (uint32_t i = 1; i < f->n_hop; i++) {
		free(f->hop[i].path);
		free(f->hop[i].leg);
		free(f->hop[i].sent);
	}
	for (uint32_t i = 1; i < f->n_way; i++) {
		free(f->way[i].hop);
		free(f->way[i].leg);
		free(f->way[i].seen);
	}
	rtable_fini(&f->rt);
	addrset_fini(&f->ways);
	free(f->addr);
	free(f->cand);
	free(f->hop);
	free(f->hop_bucket);
	free(f->hop_work);
	free(f->id_free);
	free(f->way);
	free(f->quick.way);
	free(f->slow.way);
	free(f->peer);
	free(f->endpoint);
	free(f->originate);
	free(f->history);
	free(f);
}

void feed_free(struct feed *f)
{
	if (f)
		uv_close((uv_handle_t *)&f->timer, free_closed);
}

/* ---- the pump ---- */

static void poll_due(uv_timer_t *t)
{
	feed_pump(t->data);
}

static void poll_every(struct feed *f, uint32_t ms)
{
	if (ms == f->timer_ms)
		return;
	f->timer_ms = ms;
	if (ms)
		uv_timer_start(&f->timer, poll_due, ms, ms);
	else
		uv_timer_stop(&f->timer);
}

static uint32_t poll_ms(const struct feed *f, bool settled)
{
	bool retries = false;

	if (f->kick || !feed_route_idle(f))
		return FEED_BACKLOG_MS;
	for (unsigned l = 0; l < FEED_RETRY_LEVELS; l++)
		retries |= f->failed[l].n;
	return !settled || f->n_hop_work || retries || f->applied < dp_routes_pushed(f->dp) ? FEED_POLL_MS : 0;
}

/* What follows from changes, whether there is a data plane or not. */
static void resolve(struct feed *f)
{
	f->kick = false;
	feed_way_turn(f);
	feed_cfg_originate(f);
	f->kick |= !feed_way_idle(f) || f->originate_dirty;
}

void feed_pump(struct feed *f)
{
	bool settled, more;

	resolve(f);
	more = f->kick;
	if (!dp_attached(f->dp)) {
		feed_hop_pump(f);
		poll_every(f, more ? FEED_BACKLOG_MS : 0);
		return;
	}
	feed_hop_pump(f);
	feed_obj_pump(f);
	feed_route_pump(f);
	feed_hop_pump(f); /* those that the routes have just asked for */
	f->kick = more;
	f->applied = dp_routes_applied(f->dp);
	settled = (f->sync == FEED_SYNC_OVER || (f->sync == FEED_SYNC_SAID && f->learning)) &&
		  f->applied >= f->sync_pos && feed_obj_settled(f);
	poll_every(f, poll_ms(f, settled));
	if (!f->ready && settled) {
		f->ready = true;
		log_info(LOG_CTL, "event=data-plane-in-sync routes=%u tunnels=%u", f->rt.n, f->ts->n);
		f->ops.ready(f->ops.ctx);
	}
}

void feed_turn(struct feed *f)
{
	/* the data plane's bell wakes us when it has applied some: then there is room again */
	if (f->kick || (f->timer_ms && dp_attached(f->dp) && dp_routes_applied(f->dp) != f->applied))
		feed_pump(f);
}

void feed_kick(struct feed *f)
{
	f->kick = true;
}

bool feed_ready(const struct feed *f)
{
	return f->ready;
}

/* ---- events ---- */

void feed_config(struct feed *f, const struct config *c)
{
	feed_obj_config(f, c);
	feed_cfg_take(f, c);
	f->ready = false;
	f->kick = true;
}

void feed_tunnel_changed(struct feed *f, struct tunnel *t)
{
	if (t->dp_state != FEED_REMOVING)
		t->dp_state = FEED_ABSENT;
	feed_hop_tunnel(f, t);
	feed_pin_endpoint(f, t);
	f->ready = false;
	f->kick = true;
}

void feed_tunnel_up(struct feed *f, struct tunnel *t, bool up)
{
	if (t->has_child == up)
		return;
	t->has_child = up;
	feed_hop_tunnel(f, t);
	f->kick = true;
}

void feed_tunnel_moved(struct feed *f, struct tunnel *t)
{
	feed_pin_endpoint(f, t);
}

void feed_attached(struct feed *f)
{
	f->in_flight = 0;
	f->ready = false;
	f->heir = f->learning && dp_limits(f->dp)->attach > 1;
	for (uint32_t i = 0; i < f->n_addr; i++)
		f->addr[i].state = FEED_ABSENT;
	for (uint32_t i = 0; i < f->ts->n; i++)
		if (f->ts->t[i])
			f->ts->t[i]->dp_state = FEED_ABSENT;
	feed_hop_attached(f);
	feed_route_attached(f);
	f->kick = true;
}

void feed_hold(struct feed *f, bool hold)
{
	f->held = hold;
	f->kick = true;
}

void feed_learning(struct feed *f, bool learning)
{
	f->learning = learning;
	f->heir &= learning;
	feed_route_scan(f);
}

bool feed_quiet(const struct feed *f)
{
	return !dp_attached(f->dp) || (!f->kick && !f->in_flight && feed_route_idle(f) && !f->n_hop_work &&
				       dp_routes_applied(f->dp) >= dp_routes_pushed(f->dp));
}

void feed_lost(struct feed *f)
{
	f->ready = false;
	poll_every(f, 0);
}
