#include "bgp/bgp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/xalloc.h"
#include "bgp/peer.h"

XLIST_NAME(bgp_state_name, BGP_STATE_N, BGP_STATES)

enum { TICK_PUMPS = 16 /* peers that are sent to in one tick */ };

/* ---- the RIB's hands ---- */

static void on_route_change(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *best)
{
	struct bgp *b = ctx;

	b->env.route_change(b->env.ctx, prefix, best);
}

static void on_nexthop_watch(void *ctx, const struct ip_addr *nh)
{
	struct bgp *b = ctx;

	b->env.nexthop_watch(b->env.ctx, nh);
}

static void on_nexthop_unwatch(void *ctx, const struct ip_addr *nh)
{
	struct bgp *b = ctx;

	b->env.nexthop_unwatch(b->env.ctx, nh);
}

static void on_out_ready(void *ctx, uint32_t peer)
{
	struct bgp *b = ctx;
	struct peer *p = peer < b->n_peers ? b->peer[peer] : NULL;

	if (p && p->main->state == BGP_ESTABLISHED && !p->main->blocked)
		peer_ready(p);
}

struct bgp *bgp_new(const struct bgp_env *env)
{
	struct bgp *b = xcalloc(1, sizeof(*b));
	struct rib_ops ops = {b, on_route_change, on_nexthop_watch, on_nexthop_unwatch, on_out_ready};

	b->env = *env;
	b->due = NEVER;
	list_init(&b->ready);
	b->intern = intern_new();
	b->rib = rib_new(&ops, b->intern);
	return b;
}

void bgp_free(struct bgp *b)
{
	if (!b)
		return;
	rib_free(b->rib);
	for (unsigned i = 0; i < b->n_peers; i++)
		peer_free(b->peer[i]);
	policy_set_free(b->policies);
	intern_free(b->intern);
	free(b->peer);
	free(b->own);
	free(b);
}

static struct peer *peer_at(const struct bgp *b, uint32_t i)
{
	return i < b->n_peers ? b->peer[i] : NULL;
}

/* NULL: a number of a connection that is gone. */
static struct conn *conn_at(const struct bgp *b, uint32_t id)
{
	struct peer *p = peer_at(b, id >> 1 & 0xfff);
	struct conn *c = p ? &p->conn[id & 1] : NULL;

	return c && id && c->id == id ? c : NULL;
}

/* ---- events ---- */

void bgp_connected(struct bgp *b, uint32_t conn, const struct ip_addr *local, uint64_t now_ms)
{
	struct conn *c = conn_at(b, conn);

	b->now = now_ms;
	if (!c || c->up)
		return;
	c->local = *local;
	fsm_run(c, FSM_TCP_OPEN);
	peer_settle(c->peer);
}

/* Idle "refuses all incoming BGP connections" (8.2.2). A speaker has one attempt under way: a new one says that the old
 * one is dead, unless that is Established. */
uint32_t bgp_accepted(struct bgp *b, uint32_t peer, const struct ip_addr *local, uint64_t now_ms)
{
	struct peer *p = peer_at(b, peer);
	struct conn *c;

	b->now = now_ms;
	if (!p || !peer_wanted(p) || p->damped || p->cfg.connect == CFG_BGP_ACTIVE)
		return 0;
	c = p->second;
	if (c->state >= BGP_OPENSENT)
		fsm_run(c, FSM_COLLISION);
	conn_open(c, false);
	c->fresh = true;
	c->local = *local;
	fsm_run(c, FSM_START_PASSIVE);
	fsm_run(c, FSM_TCP_OPEN);
	peer_ready(p);
	peer_settle(p);
	return c->id;
}

void bgp_closed(struct bgp *b, uint32_t conn, int err, uint64_t now_ms)
{
	struct conn *c = conn_at(b, conn);
	struct peer *p;

	b->now = now_ms;
	if (!c)
		return;
	p = c->peer;
	if (!c->up)
		peer_failed(p, "cannot connect: %s%s", err ? err_str(err) : "closed", session_tcp_remedy(p, err));
	else if (err)
		peer_error(p, "the TCP connection is lost: %s", err_str(err));
	else if (c->state == BGP_OPENSENT)
		peer_failed(p, "the peer closed the TCP connection before its OPEN: is this gateway configured there?");
	else
		peer_error(p, "the peer closed the TCP connection");
	session_close(c, false);
	fsm_run(c, FSM_TCP_FAIL);
	peer_settle(p);
}

bool bgp_input(struct bgp *b, uint32_t conn, const uint8_t *p, size_t len, uint64_t now_ms)
{
	struct conn *c = conn_at(b, conn);
	bool alive;

	b->now = now_ms;
	if (!c || !c->up)
		return false;
	alive = conn_input(c, p, len);
	peer_settle(c->peer);
	return alive;
}

void bgp_writable(struct bgp *b, uint32_t conn, uint64_t now_ms)
{
	struct conn *c = conn_at(b, conn);

	b->now = now_ms;
	if (!c || !c->up)
		return;
	c->blocked = false;
	conn_pump(c);
	peer_settle(c->peer);
}

void bgp_nexthop(struct bgp *b, const struct ip_addr *nh, bool reachable, uint32_t metric, uint64_t now_ms)
{
	b->now = now_ms;
	rib_nexthop(b->rib, nh, reachable, metric);
}

void bgp_originate(struct bgp *b, const struct ip_prefix *prefix, bool present, uint64_t now_ms)
{
	struct bgp_own *own = reload_own(b->own, b->n_own, prefix);

	b->now = now_ms;
	if (!own || own->present == present)
		return;
	own->present = present;
	rib_originate(b->rib, prefix, present);
}

void bgp_peer_reachable(struct bgp *b, uint32_t peer, bool reachable, const char *cause, uint64_t now_ms)
{
	struct peer *p = peer_at(b, peer);
	bool was = p && !*p->unreachable;

	b->now = now_ms;
	if (!p || (reachable && was))
		return;
	if (!reachable)
		snprintf(p->unreachable, sizeof(p->unreachable), "%s", cause && *cause ? cause : "no way to the peer");
	if (!reachable && was) {
		peer_cause(p, "not tried: %s", p->unreachable);
		if (peer_state(p) != BGP_ESTABLISHED)
			peer_stop(p, BGP_CEASE_REJECTED, NULL);
	} else if (reachable) {
		p->unreachable[0] = '\0';
		p->tries = 0;
		p->backoff_ms = 0;
		peer_cause(p, "there is a way to the peer");
		if (!p->damped || !p->limit_hit) /* what it told too much of is still too much */
			peer_kick(p);
	}
	peer_settle(p);
}

/* ---- time ---- */

uint64_t bgp_deadline(const struct bgp *b)
{
	return rib_busy(b->rib) || !list_empty(&b->ready) ? 0 : b->due;
}

static void run_timers(struct bgp *b, struct peer *p)
{
	bool ran = false;

	for (unsigned i = 0; i < 2; i++) {
		struct conn *c = &p->conn[i];

		for (unsigned t = 0; t < CONN_TIMER_N; t++) {
			if (c->at[t] > b->now)
				continue;
			fsm_run(c, session_timer_event(c, t));
			ran = true;
		}
	}
	if (ran)
		peer_settle(p);
}

static uint64_t next_timer(const struct bgp *b)
{
	uint64_t due = NEVER;

	for (unsigned i = 0; i < b->n_peers; i++)
		for (unsigned k = 0; b->peer[i] && k < 2; k++)
			for (unsigned t = 0; t < CONN_TIMER_N; t++)
				due = u64_min(due, b->peer[i]->conn[k].at[t]);
	return due;
}

/* Each that waits gets one turn, and stands at the end again if it has more. */
static void pump(struct bgp *b)
{
	const struct list *last = b->ready.prev;

	for (unsigned n = TICK_PUMPS; n && !list_empty(&b->ready); n--) {
		struct list *e = b->ready.next;
		struct peer *p = list_entry(e, struct peer, ready);

		list_del(e);
		for (unsigned i = 0; i < 2; i++) {
			p->conn[i].fresh = false;
			if (p->conn[i].up)
				conn_pump(&p->conn[i]);
		}
		if (e == last)
			break;
	}
}

void bgp_tick(struct bgp *b, uint64_t now_ms)
{
	b->now = now_ms;
	if (b->due <= now_ms) {
		for (unsigned i = 0; i < b->n_peers; i++)
			if (b->peer[i])
				run_timers(b, b->peer[i]);
		b->due = next_timer(b);
	}
	if (rib_busy(b->rib))
		(void)rib_work(b->rib);
	pump(b);
}

/* ---- by hand ---- */

void bgp_shutdown(struct bgp *b, const char *text, uint64_t now_ms)
{
	b->now = now_ms;
	b->down = true;
	for (unsigned i = 0; i < b->n_peers; i++) {
		if (!b->peer[i])
			continue;
		peer_stop(b->peer[i], BGP_CEASE_SHUTDOWN, text);
		peer_settle(b->peer[i]);
	}
}

static int soft(struct peer *p)
{
	struct conn *c = p->main;

	if (c->state != BGP_ESTABLISHED)
		return -ENOTCONN;
	p->refresh_v4 = c->refresh && c->codec.mp_v4;
	p->refresh_v6 = c->refresh && c->codec.mp_v6;
	if (c->codec.mp_v4)
		out_refresh(p->b->rib, p->index, IP_V4);
	if (c->codec.mp_v6)
		out_refresh(p->b->rib, p->index, IP_V6);
	peer_ready(p);
	return 0;
}

int bgp_clear(struct bgp *b, uint32_t peer, bool is_soft, uint64_t now_ms)
{
	struct peer *p = peer_at(b, peer);

	b->now = now_ms;
	if (!p)
		return -ENOENT;
	if (is_soft)
		return soft(p);
	if (!peer_wanted(p))
		return -ENOTCONN;
	peer_cause(p, "cleared by hand");
	if (peer_state(p) >= BGP_OPENSENT)
		peer_stop(p, BGP_CEASE_RESET, NULL);
	peer_forgive(p);
	peer_kick(p);
	peer_settle(p);
	return 0;
}
