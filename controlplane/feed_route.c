/* The dirty list is the queue: nodes go from it into the ring while that has room. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "controlplane/feed_state.h"

/* ---- lists of nodes ---- */

static struct rt_node *at(const struct feed *f, uint32_t i)
{
	return rtable_at(&f->rt, i);
}

static void append(struct feed *f, struct feed_list *l, uint32_t i, uint8_t queue)
{
	struct rt_node *n = at(f, i);

	n->queue = queue;
	n->next = 0;
	n->prev = l->last;
	if (l->last)
		at(f, l->last)->next = i;
	else
		l->first = i;
	l->last = i;
	l->n++;
}

static void take(struct feed *f, struct feed_list *l, uint32_t i)
{
	struct rt_node *n = at(f, i);

	if (n->prev)
		at(f, n->prev)->next = n->next;
	else
		l->first = n->next;
	if (n->next)
		at(f, n->next)->prev = n->prev;
	else
		l->last = n->prev;
	n->queue = FEED_Q_NONE;
	l->n--;
}

/* What is to be said before SYNC_END, which would sweep it, is waited for. */
static void to_say(struct feed *f, uint32_t i)
{
	struct rt_node *n = at(f, i);

	append(f, &f->dirty, i, FEED_Q_DIRTY);
	if (f->sync == FEED_SYNC_OVER || n->sync)
		return;
	n->sync = true;
	f->n_sync++;
}

/* SYNC_END need not wait for it any longer. */
static void synced(struct feed *f, struct rt_node *n)
{
	f->n_sync -= n->sync;
	n->sync = false;
}

/* ---- which candidate ---- */

uint32_t feed_route_select(const struct feed *f, const struct rt_node *n, bool no_pin, uint32_t *cand)
{
	bool bgp = n->bgp && f->hop[n->bgp].usable;

	for (uint32_t c = n->cand; c; c = f->cand[c].next) {
		const struct feed_cand *x = &f->cand[c];

		if (bgp && x->distance > FEED_BGP_DISTANCE)
			break;
		if (!f->hop[x->hop].usable || (no_pin && x->owner == FEED_PIN))
			continue;
		*cand = c;
		return x->hop;
	}
	*cand = 0;
	return bgp ? n->bgp : 0;
}

/* The hop that the data plane shall have. What it knows from its config is not said. */
static uint32_t wanted(const struct feed *f, const struct rt_node *n)
{
	uint32_t cand, hop = feed_route_select(f, n, false, &cand);

	if (f->hop[hop].kind == HOP_LINK || f->hop[hop].kind == HOP_LOCAL)
		return 0;
	/* it floats behind a BGP route that may still be there, or it is there itself: both stay until it is known which */
	if (f->heir && cand && f->cand[cand].distance > FEED_BGP_DISTANCE)
		return n->fib;
	return hop;
}

/* Nobody wants it, and nothing of it is, or may be, in the data plane. */
static bool over(const struct rt_node *n)
{
	return !n->bgp && !n->cand && !n->fib && n->state != FEED_REMOVING;
}

/* ---- changes ---- */

void feed_route_changed(struct feed *f, uint32_t i)
{
	struct rt_node *n = at(f, i);

	switch (n->queue) {
	case FEED_Q_DIRTY:
		n->err = 0;
		break;
	case FEED_Q_HOP: /* looked at anew when the hop has its answer */
		return;
	case FEED_Q_NONE:
		to_say(f, i);
		break;
	default: /* new facts, a new try */
		take(f, &f->failed[n->queue - FEED_Q_FAILED], i);
		n->tries = 0;
		to_say(f, i);
	}
	f->kick = true;
	if (over(n)) {
		take(f, &f->dirty, i);
		synced(f, n);
		rtable_del(&f->rt, i);
	}
}

void feed_route_scan(struct feed *f)
{
	f->scan_left = f->rt.n_used;
	f->kick = true;
}

void feed_route_wake(struct feed *f, struct feed_hop *h)
{
	uint32_t i;

	while ((i = h->wait.first)) {
		take(f, &h->wait, i);
		append(f, &f->dirty, i, FEED_Q_DIRTY);
		f->kick = true;
	}
}

/* A record is known to be applied; told once more before its number comes round again. */
static void note_applied(const struct feed *f, struct rt_node *n)
{
	if (n->state == FEED_SENDING && feed_route_applied(f, n->seq))
		n->state = FEED_DONE;
}

static void scan(struct feed *f)
{
	for (unsigned looked = 0; f->scan_left && looked < FEED_SCAN; looked++, f->scan_left--) {
		struct rt_node *n;

		if (f->scan_at >= f->rt.n_used)
			f->scan_at = 0;
		n = at(f, f->scan_at++);
		if (!n->family)
			continue;
		note_applied(f, n);
		if (wanted(f, n) != n->fib)
			feed_route_changed(f, f->scan_at - 1);
	}
}

/* ---- into the ring ---- */

enum pushed { PUSH_DONE, PUSH_FULL };

static void set_fib(struct feed *f, struct rt_node *n, uint32_t hop)
{
	if (n->fib && !--f->hop[n->fib].fib) {
		f->hop[n->fib].idle_at = dp_routes_pushed(f->dp);
		feed_hop_queue(f, n->fib);
	}
	n->fib = hop;
	if (hop)
		f->hop[hop].fib++;
}

static bool push(struct feed *f, uint32_t i, uint32_t hop)
{
	struct rt_node *n = at(f, i);
	struct msg_route m = {.type = hop ? MSG_ROUTE_SET : MSG_ROUTE_DEL,
			      .family = n->family,
			      .plen = n->len,
			      .nexthop = hop ? feed_hop_wire_id(f, &f->hop[hop]) : 0};

	for (unsigned k = 0; k < sizeof(m.addr); k++)
		m.addr[k] = n->b[k];
	if (dp_route(f->dp, &m, &n->seq))
		return false;
	f->history[n->seq % FEED_HISTORY] = i;
	n->state = FEED_SENDING;
	set_fib(f, n, hop);
	return true;
}

/* Only now and then: a full table refuses each of a million. */
static void log_refused(struct feed *f, const struct rt_node *n, int err)
{
	uint64_t now = loop_now_ms();
	struct ip_prefix p = rtable_prefix(n);
	char to[IP_STR];

	if (now - f->refused_ms < 1000) {
		f->refused_mum++;
		return;
	}
	log_err(LOG_CTL, "route=%s event=route-refused cause=\"%s\" not-shown=%llu", ip_prefix_str(&p, to),
		err_str(err), (unsigned long long)f->refused_mum);
	f->refused_ms = now;
	f->refused_mum = 0;
}

static void fail(struct feed *f, uint32_t i, int err)
{
	struct rt_node *n = at(f, i);
	unsigned level = n->tries < FEED_RETRY_LEVELS ? n->tries : FEED_RETRY_LEVELS - 1;
	uint32_t wait = (uint32_t)FEED_RETRY_MS << level;

	log_refused(f, n, err);
	synced(f, n);
	n->state = FEED_FAILED;
	n->err = (uint8_t)(err < 0 ? -err : err);
	if (n->tries < UINT8_MAX)
		n->tries++;
	n->seq = (uint32_t)loop_now_ms() + (wait < FEED_RETRY_MAX_MS ? wait : FEED_RETRY_MAX_MS);
	append(f, &f->failed[level], i, (uint8_t)(FEED_Q_FAILED + level));
}

/* The next hop is not there yet. The node is in no list. */
static void wait_for(struct feed *f, uint32_t i, uint32_t hop)
{
	struct feed_hop *h = &f->hop[hop];

	if (h->state == FEED_FAILED && loop_now_ms() < h->retry_at) {
		fail(f, i, h->err);
		return;
	}
	if (h->state == FEED_FAILED)
		h->state = FEED_ABSENT;
	append(f, &h->wait, i, FEED_Q_HOP);
	feed_hop_queue(f, hop);
}

/* Of a refused route an older one may stand, whose next hop is about to go: it goes first. */
static bool undo(struct feed *f, uint32_t i)
{
	if (!push(f, i, 0))
		return false;
	f->undone_pos = dp_routes_pushed(f->dp);
	f->n_undo--;
	return true;
}

/* The node is the first of the dirty list. */
static enum pushed settle(struct feed *f, uint32_t i)
{
	struct rt_node *n = at(f, i);
	uint32_t hop = wanted(f, n);
	bool there = !hop || (f->hop[hop].in_dp && f->hop[hop].state != FEED_REMOVING);

	if (n->state == FEED_REMOVING) {
		if (!undo(f, i))
			return PUSH_FULL;
		if (n->err) {
			take(f, &f->dirty, i);
			fail(f, i, -n->err);
			return PUSH_DONE;
		}
	}
	if (hop != n->fib && there && !push(f, i, hop))
		return PUSH_FULL;
	take(f, &f->dirty, i);
	if (hop != n->fib) {
		wait_for(f, i, hop);
		return PUSH_DONE;
	}
	synced(f, n);
	if (over(n))
		rtable_del(&f->rt, i);
	return PUSH_DONE;
}

static void retry(struct feed *f)
{
	uint32_t now = (uint32_t)loop_now_ms();
	unsigned n = 0;

	for (unsigned l = 0; l < FEED_RETRY_LEVELS; l++)
		for (uint32_t i; (i = f->failed[l].first) && (int32_t)(now - at(f, i)->seq) >= 0;) {
			if (n++ == FEED_TURN)
				return;
			take(f, &f->failed[l], i);
			append(f, &f->dirty, i, FEED_Q_DIRTY);
		}
}

static bool push_mark(struct feed *f, uint16_t type)
{
	struct msg_route m = {.type = type};
	uint32_t seq;

	if (dp_route(f->dp, &m, &seq))
		return false;
	f->history[seq % FEED_HISTORY] = 0;
	return true;
}

/* Record numbers wrap: what was applied long ago must be known before its number seems to lie ahead. */
static void remember_applied(struct feed *f)
{
	uint32_t seq = (uint32_t)dp_routes_pushed(f->dp);

	if (seq - f->scan_seq < UINT32_C(1) << 30)
		return;
	f->scan_seq = seq;
	feed_route_scan(f);
}

void feed_route_pump(struct feed *f)
{
	unsigned n = 0;

	scan(f);
	retry(f);
	remember_applied(f);
	if (f->sync == FEED_SYNC_BEGIN) {
		if (!push_mark(f, MSG_SYNC_BEGIN))
			return;
		f->sync = FEED_SYNC_ROUTES;
	}
	while (f->dirty.first && n++ < FEED_TURN)
		if (settle(f, f->dirty.first) == PUSH_FULL)
			return;
	if (f->sync == FEED_SYNC_OVER || f->held || f->n_sync || f->scan_left || f->quick.n)
		return;
	if (f->sync == FEED_SYNC_ROUTES)
		f->sync_pos = dp_routes_pushed(f->dp);
	f->sync = FEED_SYNC_SAID;
	if (!f->learning && push_mark(f, MSG_SYNC_END)) {
		f->sync = FEED_SYNC_OVER;
		f->sync_pos = dp_routes_pushed(f->dp);
	}
}

void feed_route_attached(struct feed *f)
{
	f->dirty = (struct feed_list){0};
	for (unsigned l = 0; l < FEED_RETRY_LEVELS; l++)
		f->failed[l] = (struct feed_list){0};
	f->n_sync = f->scan_seq = f->n_undo = 0;
	f->undone_pos = 0;
	f->sync = FEED_SYNC_BEGIN;
	for (uint32_t i = 1; i < f->rt.n_used; i++) {
		struct rt_node *n = at(f, i);

		if (!n->family)
			continue;
		n->fib = 0;
		n->state = FEED_ABSENT;
		n->tries = 0;
		n->queue = FEED_Q_NONE;
		n->sync = true;
		f->n_sync++;
		append(f, &f->dirty, i, FEED_Q_DIRTY);
	}
}

/* ---- answers ---- */

bool feed_route_applied(const struct feed *f, uint32_t seq)
{
	return dp_attached(f->dp) && (int32_t)((uint32_t)dp_routes_applied(f->dp) - seq) >= 0;
}

bool feed_route_idle(const struct feed *f)
{
	return !f->dirty.n && !f->scan_left;
}

void feed_route_refused(struct feed *f, uint32_t seq, int status)
{
	uint32_t i = f->history[seq % FEED_HISTORY];
	struct rt_node *n;

	if (!i || i >= f->rt.n_used)
		return;
	n = at(f, i);
	if (!n->family || n->seq != seq || n->state == FEED_FAILED)
		return; /* a later record has taken its place */
	if (!n->fib)
		return; /* a route that was not there cannot be removed: as wanted */
	set_fib(f, n, 0);
	n->state = FEED_REMOVING;
	n->err = n->queue == FEED_Q_NONE ? (uint8_t)-status : 0; /* else there is news: a new try */
	f->n_undo++;
	if (n->queue == FEED_Q_NONE)
		append(f, &f->dirty, i, FEED_Q_DIRTY);
	f->kick = true;
}
