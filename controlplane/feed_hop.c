/* Next hops: one for each meaning, and one id in the data plane for those that routes use. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/feed_state.h"

enum { BUCKETS_MIN = 256 };

/* ---- interning ---- */

static uint32_t key_hash(const struct feed_hop *k)
{
	uint64_t h = (uint64_t)k->kind << 32 | k->port;

	if (k->tunnel)
		h ^= (uint64_t)k->tunnel->handle.slot << 40 ^ k->tunnel->handle.gen;
	for (size_t i = 0; i < ip_size(k->via.family); i++)
		h = (h ^ k->via.b[i]) * UINT64_C(0x100000001b3);
	for (unsigned i = 0; i < k->n; i++) {
		h ^= (uint64_t)k->path[i].way << 32 | k->path[i].peer;
		h *= UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	h *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h >> 32);
}

static bool key_equal(const struct feed_hop *a, const struct feed_hop *b)
{
	return a->kind == b->kind && a->n == b->n && a->port == b->port && a->tunnel == b->tunnel &&
	       ip_equal(&a->via, &b->via) && (!a->n || !memcmp(a->path, b->path, a->n * sizeof(*a->path)));
}

static void rehash(struct feed *f)
{
	free(f->hop_bucket);
	f->n_hop_bucket = f->n_hop_bucket ? f->n_hop_bucket * 2 : BUCKETS_MIN;
	f->hop_bucket = xcalloc(f->n_hop_bucket, sizeof(*f->hop_bucket));
	for (uint32_t i = 1; i < f->n_hop; i++) {
		uint32_t *b = &f->hop_bucket[key_hash(&f->hop[i]) & (f->n_hop_bucket - 1)];

		if (f->hop[i].kind == HOP_FREE)
			continue;
		f->hop[i].hash_next = *b;
		*b = i;
	}
}

static uint32_t place(struct feed *f)
{
	uint32_t i = f->free_hop;

	if (i) {
		f->free_hop = f->hop[i].hash_next;
		return i;
	}
	if (f->n_hop == f->cap_hop) {
		f->cap_hop *= 2;
		f->hop = xrealloc(f->hop, f->cap_hop, sizeof(*f->hop));
	}
	return f->n_hop++;
}

static void join_ways(struct feed *f, uint32_t i)
{
	const struct feed_hop *h = &f->hop[i];

	for (unsigned p = 0; p < h->n; p++) {
		struct feed_way *w = &f->way[h->path[p].way];

		w->refs++;
		w->hop = xrealloc(w->hop, w->n_hop + 1, sizeof(*w->hop));
		w->hop[w->n_hop++] = i;
	}
}

static void leave_ways(struct feed *f, uint32_t i)
{
	const struct feed_hop *h = &f->hop[i];

	for (unsigned p = 0; p < h->n; p++) {
		struct feed_way *w = &f->way[h->path[p].way];
		uint32_t at = 0;

		while (w->hop[at] != i)
			at++;
		w->hop[at] = w->hop[--w->n_hop];
		feed_way_put(f, h->path[p].way);
	}
}

static uint32_t make(struct feed *f, const struct feed_hop *key)
{
	uint32_t i, *b;
	struct feed_hop *h;

	if (f->live_hops >= f->n_hop_bucket)
		rehash(f);
	i = place(f);
	h = &f->hop[i];
	*h = (struct feed_hop){
		.kind = key->kind, .n = key->n, .port = key->port, .via = key->via, .tunnel = key->tunnel};
	if (h->n) {
		h->path = xcalloc(h->n, sizeof(*h->path));
		memcpy(h->path, key->path, h->n * sizeof(*h->path));
	}
	b = &f->hop_bucket[key_hash(h) & (f->n_hop_bucket - 1)];
	h->hash_next = *b;
	*b = i;
	f->live_hops++;
	if (h->tunnel)
		h->tunnel->nexthop++;
	join_ways(f, i);
	feed_hop_resolve(f, i);
	return i;
}

uint32_t feed_hop_get(struct feed *f, const struct feed_hop *key)
{
	uint32_t i = 0;

	if (f->n_hop_bucket)
		i = f->hop_bucket[key_hash(key) & (f->n_hop_bucket - 1)];
	while (i && !key_equal(&f->hop[i], key))
		i = f->hop[i].hash_next;
	if (!i)
		i = make(f, key);
	f->hop[i].refs++;
	return i;
}

void feed_hop_put(struct feed *f, uint32_t i)
{
	if (!--f->hop[i].refs)
		feed_hop_queue(f, i);
}

static void forget(struct feed *f, uint32_t i)
{
	struct feed_hop *h = &f->hop[i];
	uint32_t *b = &f->hop_bucket[key_hash(h) & (f->n_hop_bucket - 1)];

	while (*b != i)
		b = &f->hop[*b].hash_next;
	*b = h->hash_next;
	f->live_hops--;
	if (h->tunnel)
		h->tunnel->nexthop--;
	leave_ways(f, i);
	free(h->path);
	free(h->leg);
	free(h->sent);
	*h = (struct feed_hop){.hash_next = f->free_hop};
	f->free_hop = i;
}

void feed_hop_queue(struct feed *f, uint32_t i)
{
	if (f->hop[i].queued)
		return;
	f->hop[i].queued = true;
	if (f->n_hop_work == f->cap_hop_work) {
		f->cap_hop_work = f->cap_hop_work ? f->cap_hop_work * 2 : 64;
		f->hop_work = xrealloc(f->hop_work, f->cap_hop_work, sizeof(*f->hop_work));
	}
	f->hop_work[f->n_hop_work++] = i;
	f->kick = true;
}

/* ---- legs ---- */

static bool leg_equal(const struct feed_leg *a, const struct feed_leg *b)
{
	return a->kind == b->kind && a->port == b->port && a->tunnel == b->tunnel && ip_equal(&a->via, &b->via);
}

void feed_hop_add_leg(struct feed_leg *legs, uint8_t *n, const struct feed_leg *leg)
{
	for (unsigned i = 0; i < *n; i++)
		if (leg_equal(&legs[i], leg))
			return;
	if (*n == MSG_NH_LEGS)
		return;
	legs[(*n)++] = *leg;
}

bool feed_hop_tunnel_usable(const struct tunnel *t)
{
	return t->wanted && (t->has_child || t->cfg.start == CFG_START_ON_TRAFFIC);
}

/* A leg that drops stands alone in the data plane: it counts when there is no other. */
static void sort_out_drops(struct feed_leg *leg, uint8_t *n)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < *n; i++)
		if (leg[i].kind != MSG_NH_DROP)
			leg[kept++] = leg[i];
	*n = kept ? kept : *n ? 1 : 0;
}

static uint8_t legs_now(const struct feed *f, const struct feed_hop *h, struct feed_leg *leg)
{
	uint8_t n = 0;

	switch ((enum hop_kind)h->kind) {
	case HOP_DROP:
		leg[n++] = (struct feed_leg){.kind = MSG_NH_DROP};
		break;
	case HOP_TUNNEL:
		if (feed_hop_tunnel_usable(h->tunnel))
			leg[n++] = (struct feed_leg){.kind = MSG_NH_TUNNEL, .tunnel = h->tunnel};
		break;
	case HOP_LINK:
		leg[n++] = (struct feed_leg){.kind = MSG_NH_PORT, .port = h->port};
		break;
	case HOP_NEIGHBOUR:
		leg[n++] = (struct feed_leg){.kind = MSG_NH_PORT, .port = h->port, .via = h->via};
		break;
	case HOP_LOCAL:
		leg[n++] = (struct feed_leg){.kind = MSG_NH_LOCAL};
		break;
	case HOP_VIA:
		for (unsigned p = 0; p < h->n; p++)
			for (unsigned i = 0; i < f->way[h->path[p].way].n_leg; i++)
				feed_hop_add_leg(leg, &n, &f->way[h->path[p].way].leg[i]);
		sort_out_drops(leg, &n);
		break;
	case HOP_NET: /* nothing of it but our own address can be reached */
	case HOP_FREE:
		break;
	}
	return n;
}

static bool legs_equal(const struct feed_leg *a, unsigned n_a, const struct feed_leg *b, unsigned n_b)
{
	bool same = n_a == n_b;

	for (unsigned i = 0; same && i < n_a; i++)
		same = leg_equal(&a[i], &b[i]);
	return same;
}

static void replace(struct feed_leg **to, uint8_t *n_to, const struct feed_leg *from, uint8_t n)
{
	*to = xrealloc(*to, n ? n : 1, sizeof(**to));
	if (n)
		memcpy(*to, from, n * sizeof(**to));
	*n_to = n;
}

/* It is usable now, or is no more: what points to it changes its worth. */
static void flip(struct feed *f, uint32_t i)
{
	struct feed_hop *h = &f->hop[i];

	h->usable = h->n_leg;
	for (uint32_t c = h->first; c; c = f->cand[c].hop_next) {
		feed_way_touch(f, rtable_at(&f->rt, f->cand[c].node));
		feed_route_changed(f, f->cand[c].node);
		f->originate_dirty = true;
	}
	if (h->bgp)
		feed_route_scan(f);
	if (!h->usable)
		feed_route_wake(f, h);
}

void feed_hop_resolve(struct feed *f, uint32_t i)
{
	struct feed_hop *h = &f->hop[i];
	struct feed_leg leg[MSG_NH_LEGS];
	uint8_t n = legs_now(f, h, leg);

	if (legs_equal(leg, n, h->leg, h->n_leg))
		return;
	replace(&h->leg, &h->n_leg, leg, n);
	if (n && (h->in_dp || h->state == FEED_SENDING)) {
		h->changed = true;
		feed_hop_queue(f, i);
	}
	if (h->usable != (n > 0))
		flip(f, i);
}

void feed_hop_tunnel(struct feed *f, struct tunnel *t)
{
	struct feed_hop key = {.kind = HOP_TUNNEL, .tunnel = t};
	uint32_t i = f->n_hop_bucket ? f->hop_bucket[key_hash(&key) & (f->n_hop_bucket - 1)] : 0;

	while (i && !key_equal(&f->hop[i], &key))
		i = f->hop[i].hash_next;
	if (i)
		feed_hop_resolve(f, i);
}

/* ---- the data plane ---- */

/* The tunnels that the data plane's legs name must not go before them. */
static void count_tunnels(struct feed *f, const struct feed_hop *h, int by)
{
	for (unsigned i = 0; i < h->n_sent; i++)
		if (h->sent[i].tunnel)
			tunnels_at(f->ts, h->sent[i].tunnel->handle.slot)->nexthop += (uint32_t)by;
}

/* Peers can make up any number of next hops: the last part of the ids is for those that the config knows, too. */
static bool take_id(struct feed *f, struct feed_hop *h)
{
	uint32_t room = dp_limits(f->dp)->nexthops, used = f->n_id - f->n_id_free;

	if (h->id)
		return true;
	if (h->refs == h->bgp)
		room -= room / FEED_ID_RESERVE;
	if (used >= room)
		return false;
	h->id = f->n_id_free ? f->id_free[--f->n_id_free] : ++f->n_id;
	return true;
}

static void give_id(struct feed *f, struct feed_hop *h)
{
	if (!h->id)
		return;
	if (f->n_id_free == f->cap_id_free) {
		f->cap_id_free = f->cap_id_free ? f->cap_id_free * 2 : 64;
		f->id_free = xrealloc(f->id_free, f->cap_id_free, sizeof(*f->id_free));
	}
	f->id_free[f->n_id_free++] = h->id;
	h->id = 0;
}

/* Only now and then: a peer may send a million next hops. */
static void log_refused(struct feed *f, const struct feed_hop *h, int err)
{
	uint64_t now = loop_now_ms();
	char via[IP_STR];

	if (f->hop_refused_ms && now - f->hop_refused_ms < 1000) {
		f->hop_refused_mum++;
		return;
	}
	log_err(LOG_CTL, "nexthop=%s event=nexthop-refused cause=\"%s\" not-shown=%llu",
		h->n        ? ip_str(&f->way[h->path[0].way].addr, via)
		: h->tunnel ? h->tunnel->cfg.name
			    : "drop",
		feed_hop_err_str(err), (unsigned long long)f->hop_refused_mum);
	f->hop_refused_ms = now;
	f->hop_refused_mum = 0;
}

const char *feed_hop_err_str(int err)
{
	return err == -ENOSPC ? "more next hops than the data plane has room for" : err_str(err);
}

static void fail(struct feed *f, uint32_t i, int err)
{
	struct feed_hop *h = &f->hop[i];
	unsigned wait = FEED_RETRY_MS << (h->tries < FEED_RETRY_LEVELS ? h->tries : FEED_RETRY_LEVELS);

	if (!h->tries || h->err != err)
		log_refused(f, h, err);
	h->state = FEED_FAILED;
	h->err = err;
	if (h->tries < UINT8_MAX)
		h->tries++;
	h->retry_at = loop_now_ms() + (wait < FEED_RETRY_MAX_MS ? wait : FEED_RETRY_MAX_MS);
	if (!h->in_dp)
		give_id(f, h);
	feed_route_wake(f, h); /* to fail by themselves, each with its own back-off */
}

static void answered(void *ctx, uint64_t i, int status)
{
	struct feed *f = ctx;
	struct feed_hop *h = &f->hop[i];

	f->in_flight--;
	if (status == -ECONNRESET)
		return;
	if (h->state == FEED_REMOVING) {
		h->state = FEED_ABSENT;
		h->in_dp = false;
		count_tunnels(f, h, -1);
		h->n_sent = 0;
		give_id(f, h);
	} else if (status) {
		count_tunnels(f, h, -1);
		h->n_sent = 0;
		fail(f, (uint32_t)i, status);
	} else {
		h->state = FEED_DONE;
		h->in_dp = true;
		h->tries = 0;
		feed_route_wake(f, h);
	}
	feed_hop_queue(f, (uint32_t)i);
}

static void fill(struct msg_nexthop *n, const struct feed_hop *h)
{
	n->n = h->n_leg;
	for (unsigned i = 0; i < h->n_leg; i++) {
		n->leg[i].kind = h->leg[i].kind;
		n->leg[i].port = h->leg[i].port;
		if (h->leg[i].tunnel)
			n->leg[i].tunnel = h->leg[i].tunnel->handle;
		if (h->leg[i].via.family) {
			n->leg[i].family = h->leg[i].via.family;
			memcpy(n->leg[i].via, h->leg[i].via.b, ip_size(h->leg[i].via.family));
		}
	}
}

/* The data plane halves its ids by attach on its own side (fib.h), two generations deep. Windows that move on every second attach
 * keep the ids of a third and later generation away from those that routes of the first may still use. */
uint32_t feed_hop_wire_id(const struct feed *f, const struct feed_hop *h)
{
	const struct msg_limits *l = dp_limits(f->dp);

	return (uint32_t)((h->id - 1 + (uint64_t)(l->attach / 2) * (l->nexthops / 4 + 1)) % l->nexthops);
}

static bool send_hop(struct feed *f, uint32_t i, uint16_t type)
{
	union msg m = {.hdr.type = type};
	struct msg_nexthop *n = (void *)&m;
	struct feed_hop *h = &f->hop[i];

	n->id = feed_hop_wire_id(f, h);
	if (type == MSG_NEXTHOP_SET)
		fill(n, h);
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*n), answered, f, i))
		return false;
	f->in_flight++;
	if (type == MSG_NEXTHOP_SET) {
		uint8_t n_old = h->n_sent;
		struct feed_leg old[MSG_NH_LEGS];

		memcpy(old, h->sent ? h->sent : old, n_old * sizeof(*old));
		replace(&h->sent, &h->n_sent, h->leg, h->n_leg);
		count_tunnels(f, h, 1);
		for (unsigned k = 0; k < n_old; k++) /* the ring keeps the order: what names them goes first */
			if (old[k].tunnel)
				tunnels_at(f->ts, old[k].tunnel->handle.slot)->nexthop--;
	}
	h->changed = false;
	h->state = type == MSG_NEXTHOP_SET ? FEED_SENDING : FEED_REMOVING;
	return true;
}

/* 1: the tunnels that its legs name are there; 0: not yet; -1: one was refused. */
static int tunnels_there(const struct feed_hop *h)
{
	int all = 1;

	for (unsigned i = 0; i < h->n_leg; i++) {
		const struct tunnel *t = h->leg[i].tunnel;

		if (t && t->dp_state == FEED_FAILED)
			return -1;
		if (t && t->dp_state != FEED_DONE)
			all = 0;
	}
	return all;
}

/* A next hop that routes want. false: not now. */
static bool pump_wanted(struct feed *f, uint32_t i)
{
	struct feed_hop *h = &f->hop[i];
	int there;

	if (h->in_dp && !h->changed)
		return true;
	if (h->state == FEED_FAILED && loop_now_ms() < h->retry_at)
		return h->in_dp ? false : true; /* one that is not there is tried again by its routes */
	there = tunnels_there(h);
	if (there < 0) {
		fail(f, i, -ENODEV);
		return true;
	}
	if (!there || !h->n_leg)
		return false;
	if (!take_id(f, h)) {
		fail(f, i, -ENOSPC);
		return true;
	}
	if (f->in_flight < FEED_IN_FLIGHT_MAX)
		(void)send_hop(f, i, MSG_NEXTHOP_SET);
	return false;
}

/* true: nothing is left to do for now. */
static bool pump_one(struct feed *f, uint32_t i)
{
	struct feed_hop *h = &f->hop[i];

	if (h->state == FEED_SENDING || h->state == FEED_REMOVING)
		return true; /* its answer queues it again */
	if (h->fib || h->wait.n)
		return pump_wanted(f, i);
	if (h->in_dp) {
		uint64_t gone_at = u64_max(h->idle_at, f->undone_pos);

		/* not while a dirty node may be about to use it, or one whose replacement was refused still does */
		if (feed_route_idle(f) && !f->n_undo && dp_routes_known(f->dp) >= gone_at &&
		    f->in_flight < FEED_IN_FLIGHT_MAX)
			(void)send_hop(f, i, MSG_NEXTHOP_DEL);
		return false;
	}
	return true;
}

void feed_hop_pump(struct feed *f)
{
	uint32_t n = f->n_hop_work;

	f->n_hop_work = 0;
	for (uint32_t k = 0; k < n; k++) { /* in place: none is added before it has been read */
		uint32_t i = f->hop_work[k];
		struct feed_hop *h = &f->hop[i];
		bool sent, over;

		h->queued = false;
		if (h->kind == HOP_FREE)
			continue;
		over = !dp_attached(f->dp) || pump_one(f, i);
		h = &f->hop[i];
		sent = h->state == FEED_SENDING || h->state == FEED_REMOVING;
		if (!over && !sent && !h->queued) {
			h->queued = true;
			f->hop_work[f->n_hop_work++] = i;
		}
		if (over && !sent && !h->refs && !h->fib && !h->wait.n && !h->in_dp)
			forget(f, i);
	}
}

void feed_hop_attached(struct feed *f)
{
	f->n_id = f->n_id_free = 0;
	for (uint32_t i = 1; i < f->n_hop; i++) {
		struct feed_hop *h = &f->hop[i];

		if (h->kind == HOP_FREE)
			continue;
		count_tunnels(f, h, -1);
		h->n_sent = h->tries = 0;
		h->state = FEED_ABSENT;
		h->in_dp = h->changed = false;
		h->id = h->fib = 0;
		h->idle_at = h->retry_at = 0;
		h->wait = (struct feed_list){0};
		feed_hop_queue(f, i);
	}
}
