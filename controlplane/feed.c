#include "controlplane/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/feed_table.h"

static void poll_due(uv_timer_t *t)
{
	feed_pump(t->data);
}

struct feed *feed_new(struct loop *loop, struct dp *dp, struct tunnels *ts, const struct feed_ops *ops)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->dp = dp;
	f->ts = ts;
	f->ops = *ops;
	uv_timer_init(&loop->uv, &f->timer);
	f->timer.data = f;
	return f;
}

static void free_closed(uv_handle_t *h)
{
	struct feed *f = h->data;

	free(f->addr);
	free(f->nh);
	free(f->route);
	free(f);
}

void feed_free(struct feed *f)
{
	if (f)
		uv_close((uv_handle_t *)&f->timer, free_closed);
}

/* ---- addresses ---- */

static void addr_answered(void *ctx, uint64_t i, int status)
{
	struct feed *f = ctx;
	struct feed_addr *a = i < f->n_addr ? &f->addr[i] : NULL;
	char text[IP_STR];

	f->in_flight--;
	if (!a || status == -ECONNRESET)
		return;
	if (a->state == FEED_REMOVING) {
		a->state = FEED_ABSENT;
	} else if (a->state == FEED_SENDING) {
		a->state = status ? FEED_FAILED : FEED_DONE;
		if (status)
			log_err(LOG_CTL, "address=%s event=address-refused cause=\"%s\"", ip_prefix_str(&a->p, text),
				err_str(status));
	}
	f->kick = true;
}

static bool send_addr(struct feed *f, uint32_t i, uint16_t type)
{
	union msg m = {.hdr.type = type};
	struct msg_addr *a = (void *)&m;

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	a->family = f->addr[i].p.addr.family;
	a->plen = f->addr[i].p.len;
	memcpy(a->addr, f->addr[i].p.addr.b, sizeof(a->addr));
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*a), addr_answered, f, i))
		return false;
	f->in_flight++;
	f->addr[i].state = type == MSG_ADDR_SET ? FEED_SENDING : FEED_REMOVING;
	return true;
}

static void pump_addrs(struct feed *f)
{
	for (uint32_t i = 0; i < f->n_addr; i++) {
		const struct feed_addr *a = &f->addr[i];

		if (a->wanted && a->state == FEED_ABSENT && !send_addr(f, i, MSG_ADDR_SET))
			return;
		if (!a->wanted && a->state == FEED_DONE && !send_addr(f, i, MSG_ADDR_DEL))
			return;
	}
}

/* ---- tunnels ---- */

static void tunnel_answered(void *ctx, uint64_t index, int status)
{
	struct feed *f = ctx;
	struct tunnel *t = tunnels_at(f->ts, (uint32_t)index);

	f->in_flight--;
	if (!t || status == -ECONNRESET)
		return;
	if (t->dp_state == FEED_REMOVING) {
		t->dp_state = FEED_ABSENT;
		f->ops.tunnel_gone(f->ops.ctx, t);
	} else if (t->dp_state == FEED_SENDING) {
		t->dp_state = status ? FEED_FAILED : FEED_DONE;
		if (status)
			log_err(LOG_CTL, "tunnel=%s event=tunnel-refused cause=\"%s\"", t->cfg.name, err_str(status));
	} /* else: changed meanwhile, and to be sent again */
	f->kick = true;
}

static bool send_tunnel(struct feed *f, struct tunnel *t)
{
	union msg m = {.hdr.type = MSG_TUNNEL_SET};
	struct msg_tunnel_set *s = (void *)&m;

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	s->tunnel = t->handle;
	s->worker = t->worker;
	s->family = t->cfg.local.addr.family;
	s->df = t->cfg.df;
	s->mtu = t->cfg.mtu;
	s->port = t->port;
	memcpy(s->local, t->cfg.local.addr.b, sizeof(s->local));
	memcpy(s->name, t->cfg.name, sizeof(s->name));
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*s), tunnel_answered, f, t->handle.slot))
		return false;
	f->in_flight++;
	t->dp_state = FEED_SENDING;
	return true;
}

/* Its routes and SAs have gone: now the tunnel itself. */
static bool send_tunnel_del(struct feed *f, struct tunnel *t)
{
	union msg m = {.hdr.type = MSG_TUNNEL_DEL};
	struct msg_tunnel_del *d = (void *)&m;

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	d->tunnel = t->handle;
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*d), tunnel_answered, f, t->handle.slot))
		return false;
	f->in_flight++;
	t->dp_state = FEED_REMOVING;
	return true;
}

static void pump_tunnels(struct feed *f)
{
	for (uint32_t i = 0; i < f->ts->n; i++) {
		struct tunnel *t = f->ts->t[i];

		if (!t)
			continue;
		if (t->wanted && t->dp_state == FEED_ABSENT && !send_tunnel(f, t))
			return;
		if (!t->wanted && !t->known && !t->nexthop && list_empty(&t->pairs) && t->dp_state != FEED_SENDING &&
		    t->dp_state != FEED_REMOVING && !send_tunnel_del(f, t))
			return;
	}
}

/* ---- next hops ---- */

static void nh_answered(void *ctx, uint64_t i, int status)
{
	struct feed *f = ctx;
	struct feed_nh *h = &f->nh[i];

	f->in_flight--;
	if (status == -ECONNRESET)
		return;
	if (h->state == FEED_REMOVING) {
		feed_table_forget(f, (uint32_t)i);
	} else if (h->state == FEED_SENDING) {
		h->state = status ? FEED_FAILED : FEED_DONE;
		h->err = status;
		if (status)
			log_err(LOG_CTL, "nexthop=%u event=nexthop-refused cause=\"%s\"", (unsigned)i, err_str(status));
	}
	f->kick = true;
}

static bool send_nh(struct feed *f, uint32_t i, uint16_t type)
{
	union msg m = {.hdr.type = type};
	struct msg_nexthop *n = (void *)&m;
	struct feed_nh *h = &f->nh[i];

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	n->id = feed_table_id(f, i);
	if (type == MSG_NEXTHOP_SET) {
		n->n = 1;
		n->leg[0].kind = h->kind;
		n->leg[0].family = h->via.family;
		n->leg[0].port = h->port;
		if (h->tunnel)
			n->leg[0].tunnel = h->tunnel->handle;
		memcpy(n->leg[0].via, h->via.b, sizeof(n->leg[0].via));
	}
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*n), nh_answered, f, i))
		return false;
	f->in_flight++;
	h->state = type == MSG_NEXTHOP_SET ? FEED_SENDING : FEED_REMOVING;
	return true;
}

/* A next hop that routes want. false: not now. */
static bool pump_wanted_nh(struct feed *f, uint32_t i)
{
	struct feed_nh *h = &f->nh[i];

	if (h->state != FEED_ABSENT)
		return true;
	if (i >= dp_limits(f->dp)->nexthops / 2) {
		h->state = FEED_FAILED;
		h->err = -ENOSPC;
		log_err(LOG_CTL, "nexthop=%u cause=\"more next hops than the data plane has room for\"", i);
		return true;
	}
	if (h->tunnel && h->tunnel->dp_state == FEED_FAILED) {
		h->state = FEED_FAILED;
		h->err = -ENODEV;
		return true;
	}
	if (h->tunnel && h->tunnel->dp_state != FEED_DONE)
		return true; /* its answer brings us back */
	return send_nh(f, i, MSG_NEXTHOP_SET);
}

static void pump_nexthops(struct feed *f)
{
	uint64_t applied = dp_routes_applied(f->dp);

	for (uint32_t i = 0; i < f->n_nh; i++) {
		struct feed_nh *h = &f->nh[i];

		if (h->refs) {
			if (!pump_wanted_nh(f, i))
				return;
			continue;
		}
		if (applied < h->idle_at)
			continue;
		if (h->state == FEED_DONE && !send_nh(f, i, MSG_NEXTHOP_DEL))
			return;
		if (h->state == FEED_FAILED)
			feed_table_forget(f, i);
	}
}

/* ---- routes ---- */

static bool push_record(struct feed *f, uint16_t type, const struct feed_route *r, uint32_t *seq)
{
	struct msg_route m = {.type = type};

	if (r) {
		m.family = r->to.addr.family;
		m.plen = r->to.len;
		m.nexthop = type == MSG_ROUTE_SET ? feed_table_id(f, r->nh) : 0;
		memcpy(m.addr, r->to.addr.b, sizeof(m.addr));
	}
	return dp_route(f->dp, &m, seq) == 0;
}

static void route_fail(struct feed_route *r, int err)
{
	char to[IP_STR];

	r->state = FEED_FAILED;
	r->err = err;
	r->dirty = false;
	log_err(LOG_CTL, "route=%s event=route-refused cause=\"%s\"", ip_prefix_str(&r->to, to), err_str(err));
}

/* false: no room in the ring. */
static bool pump_route(struct feed *f, struct feed_route *r)
{
	const struct feed_nh *h = &f->nh[r->nh];

	if (h->state == FEED_FAILED) {
		route_fail(r, h->err ? h->err : -EIO);
		return true;
	}
	if (h->state != FEED_DONE)
		return true;
	if (!push_record(f, MSG_ROUTE_SET, r, &r->seq))
		return false;
	r->pos = dp_routes_pushed(f->dp);
	r->state = FEED_SENDING;
	r->dirty = false;
	r->err = 0;
	return true;
}

/* An unwanted route: one record, then forgotten (the ring keeps the order, should it come back). false: no room. */
static bool drop_route(struct feed *f, uint32_t i)
{
	struct feed_route *r = &f->route[i];
	uint32_t seq;

	if (r->state != FEED_ABSENT && !push_record(f, MSG_ROUTE_DEL, r, &seq))
		return false;
	feed_table_unref(f, r->nh);
	f->route[i] = f->route[--f->n_route];
	return true;
}

/* All routes are pushed and have an answer or are applied. */
static bool routes_settled(struct feed *f, uint64_t applied)
{
	bool all = true;

	for (uint32_t i = 0; i < f->n_route; i++) {
		struct feed_route *r = &f->route[i];

		if (r->state == FEED_SENDING && applied >= r->pos)
			r->state = FEED_DONE;
		all &= !r->dirty && r->state != FEED_SENDING;
	}
	return all;
}

static bool any_dirty(const struct feed *f)
{
	for (uint32_t i = 0; i < f->n_route; i++)
		if (f->route[i].dirty)
			return true;
	return false;
}

static void pump_routes(struct feed *f)
{
	uint32_t seq;

	if (f->sync == FEED_SYNC_BEGIN) {
		if (!push_record(f, MSG_SYNC_BEGIN, NULL, &seq))
			return;
		f->sync = FEED_SYNC_ROUTES;
	}
	for (uint32_t i = 0; i < f->n_route;) {
		struct feed_route *r = &f->route[i];

		if (!r->wanted) {
			if (!drop_route(f, i))
				return;
			continue; /* another route has taken its place */
		}
		if (r->dirty && !pump_route(f, r))
			return;
		i++;
	}
	if (f->sync == FEED_SYNC_ROUTES && !any_dirty(f) && push_record(f, MSG_SYNC_END, NULL, &seq)) {
		f->sync = FEED_SYNC_OVER;
		f->sync_pos = dp_routes_pushed(f->dp);
	}
}

/* ---- all of it ---- */

static bool objects_settled(const struct feed *f)
{
	for (uint32_t i = 0; i < f->n_addr; i++)
		if (f->addr[i].wanted && (f->addr[i].state == FEED_ABSENT || f->addr[i].state == FEED_SENDING))
			return false;
	for (uint32_t i = 0; i < f->ts->n; i++) {
		const struct tunnel *t = f->ts->t[i];

		if (t && t->wanted && (t->dp_state == FEED_ABSENT || t->dp_state == FEED_SENDING))
			return false;
	}
	return true;
}

static void poll_while(struct feed *f, bool on)
{
	if (on == f->polling)
		return;
	f->polling = on;
	if (on)
		uv_timer_start(&f->timer, poll_due, FEED_POLL_MS, FEED_POLL_MS);
	else
		uv_timer_stop(&f->timer);
}

void feed_pump(struct feed *f)
{
	uint64_t applied;
	bool settled;

	if (!dp_attached(f->dp))
		return;
	f->kick = false;
	pump_addrs(f);
	pump_tunnels(f);
	pump_nexthops(f);
	pump_routes(f);
	applied = dp_routes_applied(f->dp);
	settled = routes_settled(f, applied) && f->sync == FEED_SYNC_OVER && objects_settled(f);
	poll_while(f, !settled || applied < dp_routes_pushed(f->dp));
	if (!f->ready && settled && applied >= f->sync_pos) {
		f->ready = true;
		log_info(LOG_CTL, "event=data-plane-in-sync routes=%u tunnels=%u", f->n_route, f->ts->n);
		f->ops.ready(f->ops.ctx);
	}
}

void feed_turn(struct feed *f)
{
	if (f->kick)
		feed_pump(f);
}

void feed_kick(struct feed *f)
{
	f->kick = true;
}

void feed_config(struct feed *f, const struct config *c)
{
	feed_table_config(f, c);
	f->ready = false;
	f->kick = true;
}

void feed_tunnel_changed(struct feed *f, struct tunnel *t)
{
	if (t->dp_state != FEED_REMOVING)
		t->dp_state = FEED_ABSENT;
	f->ready = false;
	f->kick = true;
}

void feed_attached(struct feed *f)
{
	f->in_flight = 0;
	f->ready = false;
	f->sync = FEED_SYNC_BEGIN;
	for (uint32_t i = 0; i < f->n_addr; i++)
		f->addr[i].state = FEED_ABSENT;
	for (uint32_t i = 0; i < f->ts->n; i++)
		if (f->ts->t[i])
			f->ts->t[i]->dp_state = FEED_ABSENT;
	for (uint32_t i = 0; i < f->n_nh; i++) {
		f->nh[i].state = FEED_ABSENT;
		f->nh[i].idle_at = 0;
		if (!f->nh[i].refs)
			feed_table_forget(f, i);
	}
	for (uint32_t i = 0; i < f->n_route; i++) {
		f->route[i].state = FEED_ABSENT;
		f->route[i].dirty = true;
	}
	f->kick = true;
}

void feed_lost(struct feed *f)
{
	f->ready = false;
	poll_while(f, false);
	for (uint32_t i = 0; i < f->n_route; i++)
		f->route[i].state = FEED_ABSENT;
}

void feed_route_refused(struct feed *f, uint32_t seq, int status)
{
	for (uint32_t i = 0; i < f->n_route; i++)
		if (f->route[i].seq == seq && (f->route[i].state == FEED_SENDING || f->route[i].state == FEED_DONE))
			route_fail(&f->route[i], status);
	f->kick = true;
}

bool feed_ready(const struct feed *f)
{
	return f->ready;
}

static void describe(struct feed *f, const struct feed_route *r, struct feed_route_info *i)
{
	const struct feed_nh *h = &f->nh[r->nh];

	*i = (struct feed_route_info){.to = r->to,
				      .owner = FEED_STATIC,
				      .distance = 1,
				      .selected = true,
				      .nexthop = h->via,
				      .n = 1,
				      .cause = "",
				      .err = r->err};
	i->leg[0] = (struct feed_leg){.kind = h->kind, .via = h->via, .tunnel = h->tunnel, .port = h->port};
	i->state = r->state == FEED_DONE ? "installed" : r->state == FEED_FAILED ? "failed" : "pending";
}

unsigned feed_walk(struct feed *f, struct ip_prefix *after UNUSED, unsigned max UNUSED,
		   bool (*fn)(void *arg, const struct feed_route_info *i), void *arg)
{
	struct feed_route_info info;

	routes_settled(f, dp_routes_applied(f->dp));
	for (uint32_t i = 0; i < f->n_route; i++) {
		describe(f, &f->route[i], &info);
		if (!fn(arg, &info))
			break;
	}
	return f->n_route;
}

/* The BGP side: not yet. */
void feed_bgp_route(struct feed *f UNUSED, const struct ip_prefix *p UNUSED, const struct bgp_best *b UNUSED)
{
}

void feed_bgp_peer(struct feed *f UNUSED, uint32_t peer UNUSED, const struct ip_addr *addr UNUSED)
{
}

void feed_watch(struct feed *f UNUSED, const struct ip_addr *nh UNUSED)
{
}

void feed_unwatch(struct feed *f UNUSED, const struct ip_addr *nh UNUSED)
{
}

void feed_tunnel_up(struct feed *f UNUSED, struct tunnel *t UNUSED, bool up UNUSED)
{
}

unsigned feed_resolve(struct feed *f UNUSED, const struct ip_addr *addr UNUSED, struct feed_leg leg[MSG_NH_LEGS] UNUSED)
{
	return 0;
}

void feed_totals(const struct feed *f, struct feed_totals *out)
{
	*out = (struct feed_totals){.routes = f->n_route};
}
