#include "tests/sim/bgp_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"
#include "bgp/peer.h"

static char why[512];

uint32_t bgp_sim_random(struct bgp_sim *s, uint32_t below)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return below ? (uint32_t)(s->rng >> 32) % below : 0;
}

uint64_t bgp_sim_delay(struct bgp_sim *s)
{
	return s->delay_min_ms + bgp_sim_random(s, s->delay_max_ms - s->delay_min_ms + 1);
}

/* ---- the queue ---- */

static bool before(const struct bgp_sim_event *a, const struct bgp_sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void bgp_sim_push(struct bgp_sim *s, struct bgp_sim_event ev)
{
	unsigned i = s->n_queue++;

	if (s->n_queue > s->cap_queue) {
		s->cap_queue = s->cap_queue ? 2 * s->cap_queue : 256;
		s->queue = xrealloc(s->queue, s->cap_queue, sizeof(ev));
	}
	ev.seq = s->seq++;
	for (; i && before(&ev, &s->queue[(i - 1) / 2]); i = (i - 1) / 2)
		s->queue[i] = s->queue[(i - 1) / 2];
	s->queue[i] = ev;
}

static struct bgp_sim_event pop(struct bgp_sim *s)
{
	struct bgp_sim_event top = s->queue[0], last = s->queue[--s->n_queue];
	unsigned i = 0;

	for (unsigned k; (k = 2 * i + 1) < s->n_queue; i = k) {
		if (k + 1 < s->n_queue && before(&s->queue[k + 1], &s->queue[k]))
			k++;
		if (!before(&s->queue[k], &last))
			break;
		s->queue[i] = s->queue[k];
	}
	s->queue[i] = last;
	return top;
}

/* ---- prefixes ---- */

struct ip_prefix bgp_sim_prefix(const struct bgp_sim *s, unsigned i)
{
	struct ip_prefix p = {.len = 24};
	uint8_t b[16] = {0x20, 0x01, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	if (!s->v6) {
		p.addr = ip_v4(0x20000000 + (i << 8));
		return p;
	}
	p.addr = ip_from_bytes(IP_V6, b);
	p.len = 48;
	return p;
}

static unsigned index_of(const struct ip_prefix *p)
{
	const uint8_t *b = p->addr.b;

	return p->addr.family == IP_V4 ? (ip_v4_u32(&p->addr) - 0x20000000) >> 8
				       : (unsigned)b[2] << 16 | (unsigned)b[3] << 8 | b[4];
}

unsigned bgp_sim_index(const struct bgp_sim_node *n, unsigned k)
{
	return n->id * (BGP_SIM_PREFIXES / 4) + k;
}

void bgp_sim_own(struct bgp_sim_node *n, unsigned k, bool present)
{
	unsigned i = bgp_sim_index(n, k);
	struct ip_prefix p = bgp_sim_prefix(n->s, i);

	n->own[i] = present;
	if (!n->b)
		return;
	bgp_sim_enter(n);
	bgp_originate(n->b, &p, present, n->s->now);
	bgp_sim_leave(n);
}

/* ---- the hands ---- */

static uint32_t env_random(void *ctx)
{
	return bgp_sim_random(((struct bgp_sim_node *)ctx)->s, 0x7fffffff);
}

static void env_route_change(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *b)
{
	struct bgp_sim_node *n = ctx;
	unsigned i = index_of(prefix);

	if (i >= BGP_SIM_PREFIXES)
		abort();
	n->fib[i] = b != NULL;
	n->route_changes++;
}

static void env_nexthop_watch(void *ctx, const struct ip_addr *nh)
{
	struct bgp_sim_node *n = ctx;
	struct bgp_sim_event ev = {
		.at = n->s->now + bgp_sim_random(n->s, 5), .kind = BGP_SIM_NEXTHOP, .node = n, .nh = *nh};

	bgp_sim_push(n->s, ev);
}

static void env_nexthop_unwatch(void *ctx, const struct ip_addr *nh)
{
	(void)ctx, (void)nh;
}

static void env_notice(void *ctx, const struct bgp_notice *notice)
{
	struct bgp_sim_node *n = ctx;

	snprintf(n->last_cause, sizeof(n->last_cause), "%s", notice->cause);
	n->established += notice->from != BGP_ESTABLISHED && notice->to == BGP_ESTABLISHED;
	n->lost += notice->from == BGP_ESTABLISHED && notice->to != BGP_ESTABLISHED;
	if (getenv("BGP_SIM_TRACE"))
		fprintf(stderr, "%llu node %u peer %u %s -> %s: %s\n", (unsigned long long)n->s->now, n->id,
			notice->peer, bgp_state_name(notice->from), bgp_state_name(notice->to), notice->cause);
}

void bgp_sim_enter(struct bgp_sim_node *n)
{
	if (n->in_core)
		abort();
	n->in_core = true;
}

/* RFC 4271 6.8: at most one. */
static void check_one_established(struct bgp_sim_node *n)
{
	for (unsigned i = 0; i < n->b->n_peers; i++) {
		struct peer *p = n->b->peer[i];

		if (!p || p->conn[0].state != BGP_ESTABLISHED || p->conn[1].state != BGP_ESTABLISHED)
			continue;
		fprintf(stderr, "bgp_sim: seed %llu: two Established connections at node %u\n",
			(unsigned long long)n->s->seed, n->id);
		abort();
	}
}

void bgp_sim_leave(struct bgp_sim_node *n)
{
	n->in_core = false;
	check_one_established(n);
}

/* ---- life ---- */

static void node_init(struct bgp_sim *s, unsigned id, unsigned n_own)
{
	struct bgp_sim_node *n = &s->node[id];
	struct cfg_bgp *c = &n->cfg.bgp;
	unsigned k = 0;

	n->s = s;
	n->id = id;
	n->addr = ip_v4(0x0aff0001 + id);
	n->fib = xcalloc(BGP_SIM_PREFIXES, sizeof(*n->fib));
	n->own = xcalloc(BGP_SIM_PREFIXES, sizeof(*n->own));
	n->entry.permit = true;
	snprintf(n->policy.name, sizeof(n->policy.name), "all");
	n->policy.entry = &n->entry;
	n->policy.n_entries = 1;
	n->cfg.policy = &n->policy;
	n->cfg.n_policies = 1;
	*c = (struct cfg_bgp){.as = 65001 + id, .router_id = 0x0aff0001 + id, .multipath = 8, .port = 179};
	c->peer = n->peer;
	c->n_originate = n_own;
	c->originate = xcalloc(n_own + 1, sizeof(*c->originate));
	for (unsigned i = 0; i < n_own; i++)
		n->own[bgp_sim_index(n, i)] = true;
	for (unsigned i = 0; i < s->n; i++) {
		struct cfg_bgp_peer *p = &n->peer[k];

		if (i == id)
			continue;
		snprintf(p->name, sizeof(p->name), "node%u", i);
		snprintf(p->import, sizeof(p->import), "all");
		snprintf(p->export, sizeof(p->export), "all");
		p->addr = ip_v4(0x0aff0001 + i);
		p->as = 65001 + i;
		p->families = CFG_BGP_V4;
		p->hold_s = 90;
		p->connect_retry_s = 10;
		k++;
	}
	c->n_peers = k;
}

void bgp_sim_use_v6(struct bgp_sim *s)
{
	s->v6 = true;
	for (unsigned i = 0; i < s->n; i++) {
		uint8_t b[16] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(i + 1)};

		s->node[i].addr = ip_from_bytes(IP_V6, b);
	}
	for (unsigned i = 0; i < s->n; i++)
		for (unsigned k = 0; k + 1 < s->n; k++) {
			s->node[i].peer[k].addr = s->node[k < i ? k : k + 1].addr;
			s->node[i].peer[k].families = CFG_BGP_V6;
		}
}

struct bgp_sim *bgp_sim_new(uint64_t seed, unsigned n, unsigned n_own)
{
	struct bgp_sim *s = xcalloc(1, sizeof(*s));

	s->seed = seed;
	s->rng = (seed + 1) * 0x9e3779b97f4a7c15u | 1;
	for (unsigned i = 0; i < 8; i++)
		bgp_sim_random(s, 0);
	s->now = 1000000;
	s->n = n;
	s->delay_min_ms = 5;
	s->delay_max_ms = 20;
	s->window = 65536;
	s->segment = 1460;
	for (unsigned i = 0; i < n; i++)
		node_init(s, i, n_own);
	return s;
}

void bgp_sim_free(struct bgp_sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		bgp_free(s->node[i].b);
		free(s->node[i].fib);
		free(s->node[i].own);
		free(s->node[i].cfg.bgp.originate);
	}
	for (unsigned i = 0; i < s->n_queue; i++)
		free(s->queue[i].b);
	free(s->queue);
	free(s);
}

void bgp_sim_boot(struct bgp_sim_node *n)
{
	struct bgp_env env = {n,          bgp_tcp_connect,  bgp_tcp_send,      bgp_tcp_close,
			      env_random, env_route_change, env_nexthop_watch, env_nexthop_unwatch,
			      env_notice};
	struct cfg_bgp *c = &n->cfg.bgp;

	for (unsigned i = 0; i < c->n_originate; i++)
		c->originate[i] = bgp_sim_prefix(n->s, bgp_sim_index(n, i));
	n->b = bgp_new(&env);
	bgp_sim_enter(n);
	bgp_config(n->b, &n->cfg, n->s->now);
	for (unsigned i = 0; i < c->n_originate; i++)
		if (n->own[bgp_sim_index(n, i)])
			bgp_originate(n->b, &c->originate[i], true, n->s->now);
	bgp_sim_leave(n);
}

void bgp_sim_kill(struct bgp_sim_node *n, bool rst)
{
	bgp_tcp_node_died(n, rst);
	bgp_free(n->b);
	n->b = NULL;
	memset(n->fib, 0, BGP_SIM_PREFIXES * sizeof(*n->fib));
	for (unsigned i = 0; i < n->s->n_queue; i++)
		if (n->s->queue[i].kind == BGP_SIM_NEXTHOP && n->s->queue[i].node == n)
			n->s->queue[i].node = NULL;
}

void bgp_sim_start(struct bgp_sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		bgp_sim_boot(&s->node[i]);
}

/* ---- time ---- */

static uint64_t node_due(const struct bgp_sim_node *n)
{
	return n->b ? u64_max(bgp_deadline(n->b), n->busy_until) : UINT64_MAX;
}

static void tick(struct bgp_sim_node *n)
{
	struct bgp_sim *s = n->s;

	if (node_due(n) > s->now)
		return;
	if (n->tick_at != s->now) {
		n->tick_at = s->now;
		n->ticks_there = 0;
	}
	if (++n->ticks_there > 100000) {
		fprintf(stderr, "bgp_sim: seed %llu: node %u's deadline does not move from %llu\n",
			(unsigned long long)s->seed, n->id, (unsigned long long)s->now);
		abort();
	}
	if (s->work_ms && bgp_deadline(n->b) == 0)
		n->busy_until = s->now + s->work_ms;
	bgp_sim_enter(n);
	bgp_tick(n->b, s->now);
	bgp_sim_leave(n);
}

static void handle(struct bgp_sim *s, struct bgp_sim_event *ev)
{
	if (ev->kind != BGP_SIM_NEXTHOP) {
		bgp_tcp_handle(s, ev);
		return;
	}
	if (!ev->node || !ev->node->b)
		return;
	bgp_sim_enter(ev->node);
	bgp_nexthop(ev->node->b, &ev->nh, true, 0, s->now);
	bgp_sim_leave(ev->node);
}

static uint64_t next_time(const struct bgp_sim *s)
{
	uint64_t t = s->n_queue ? u64_max(s->queue[0].at, s->stall_until) : UINT64_MAX;

	for (unsigned i = 0; i < s->n; i++)
		t = u64_min(t, node_due(&s->node[i]));
	return t;
}

static void step(struct bgp_sim *s, uint64_t end)
{
	uint64_t t = next_time(s);

	if (t > end) {
		s->now = end;
		return;
	}
	s->now = u64_max(s->now, t);
	while (s->n_queue && u64_max(s->queue[0].at, s->stall_until) <= s->now) {
		struct bgp_sim_event ev = pop(s);

		handle(s, &ev);
		free(ev.b);
	}
	for (unsigned i = 0; i < s->n; i++)
		tick(&s->node[i]);
}

void bgp_sim_run(struct bgp_sim *s, uint64_t ms)
{
	uint64_t end = s->now + ms;

	while (s->now < end || next_time(s) <= end)
		step(s, end);
}

bool bgp_sim_until(struct bgp_sim *s, bool (*cond)(struct bgp_sim *s), uint64_t max_ms)
{
	uint64_t end = s->now + max_ms;

	while (!cond(s)) {
		/* a condition is dear: let things happen between two looks */
		uint64_t look = s->now + 50;

		if (s->now >= end)
			return false;
		while (s->now < look && s->now < end)
			step(s, u64_min(look, end));
	}
	return true;
}

/* ---- conditions ---- */

bool bgp_sim_up(struct bgp_sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		for (unsigned k = 0; k + 1 < s->n; k++) {
			struct bgp_peer_info info;

			if (s->node[i].b && bgp_peer_info(s->node[i].b, k, &info) && info.state == BGP_ESTABLISHED)
				continue;
			snprintf(why, sizeof(why), "seed %llu: node %u peer %u is not Established: %s",
				 (unsigned long long)s->seed, i, k, s->node[i].b ? info.last_error : "dead");
			return false;
		}
	return true;
}

struct rows {
	unsigned n, cap;
	struct row {
		struct ip_prefix prefix;
		struct ip_addr nexthop;
		char path[64];
	} * row;
};

static bool collect(void *arg, const struct bgp_row *r)
{
	struct rows *out = arg;
	struct bgp_attrs_text t;
	struct row *row;

	if (out->n == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 1024;
		out->row = xrealloc(out->row, out->cap, sizeof(*out->row));
	}
	row = &out->row[out->n++];
	memset(row, 0, sizeof(*row));
	bgp_attrs_text(r->attrs, &t);
	row->prefix = r->prefix;
	row->nexthop = t.nexthop;
	snprintf(row->path, sizeof(row->path), "%.60s", t.path);
	return true;
}

static void walk(struct bgp_sim_node *n, enum bgp_view v, uint32_t peer, struct rows *out)
{
	struct ip_prefix after = {.len = 0};

	out->n = 0;
	while (bgp_walk(n->b, v, peer, &after, 4096, collect, out))
		;
}

/* What a told b is what b heard of a. */
static bool told_is_heard(struct bgp_sim_node *a, struct bgp_sim_node *b)
{
	static struct rows told, heard;
	bool same;

	walk(a, BGP_VIEW_ADVERTISED, bgp_peer_by_addr(a->b, &b->addr), &told);
	walk(b, BGP_VIEW_RECEIVED, bgp_peer_by_addr(b->b, &a->addr), &heard);
	same = told.n == heard.n && (told.n == 0 || memcmp(told.row, heard.row, told.n * sizeof(*told.row)) == 0);
	if (!same)
		snprintf(why, sizeof(why), "seed %llu: node %u told node %u %u prefixes, it heard %u, or others",
			 (unsigned long long)a->s->seed, a->id, b->id, told.n, heard.n);
	return same;
}

/* Does `at` hold what `owner` originates, and nothing of it that is gone? */
static bool table_is_right(const struct bgp_sim_node *owner, const struct bgp_sim_node *at)
{
	for (unsigned k = 0; k < owner->cfg.bgp.n_originate; k++) {
		unsigned i = bgp_sim_index(owner, k);
		bool want = owner != at && owner->own[i];

		if (at->fib[i] == want)
			continue;
		snprintf(why, sizeof(why), "seed %llu: prefix %u of node %u: %s at node %u",
			 (unsigned long long)at->s->seed, k, owner->id, want ? "missing" : "left over", at->id);
		return false;
	}
	return true;
}

bool bgp_sim_agreed(struct bgp_sim *s)
{
	if (!bgp_sim_up(s))
		return false;
	for (unsigned owner = 0; owner < s->n; owner++)
		for (unsigned k = 0; k < s->n; k++)
			if (!table_is_right(&s->node[owner], &s->node[k]))
				return false;
	for (unsigned i = 0; i < s->n; i++)
		for (unsigned k = 0; k < s->n; k++)
			if (i != k && !told_is_heard(&s->node[i], &s->node[k]))
				return false;
	return true;
}

const char *bgp_sim_why(struct bgp_sim *s)
{
	(void)s;
	return why;
}
