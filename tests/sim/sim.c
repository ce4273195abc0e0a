#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/proposal.h"
#include "tests/sim/sim_env.h"

/* ---- the queue: a binary heap on (at, seq), so that equal times keep their order ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
	struct sim_event t = *a;

	*a = *b;
	*b = t;
}

struct sim_event *sim_push(struct sim *s, enum sim_event_kind kind, int node, uint64_t delay_ms)
{
	struct sim_event ev = {.kind = kind, .node = node, .at = s->now + delay_ms, .seq = s->seq++};
	unsigned i;

	if (s->n_queue == s->cap_queue) {
		s->cap_queue = s->cap_queue ? s->cap_queue * 2 : 64;
		s->queue = xrealloc(s->queue, s->cap_queue, sizeof(*s->queue));
	}
	i = s->n_queue++;
	s->queue[i] = ev;
	while (i && before(&s->queue[i], &s->queue[(i - 1) / 2])) {
		swap(&s->queue[i], &s->queue[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	return &s->queue[i];
}

static struct sim_event pop(struct sim *s)
{
	struct sim_event top = s->queue[0];
	unsigned i = 0;

	s->queue[0] = s->queue[--s->n_queue];
	for (;;) {
		unsigned l = 2 * i + 1, m = i;

		if (l < s->n_queue && before(&s->queue[l], &s->queue[m]))
			m = l;
		if (l + 1 < s->n_queue && before(&s->queue[l + 1], &s->queue[m]))
			m = l + 1;
		if (m == i)
			return top;
		swap(&s->queue[i], &s->queue[m]);
		i = m;
	}
}

/* xorshift64*, so that a seed is a scenario */
static uint64_t rng(struct sim *s)
{
	s->rng ^= s->rng >> 12;
	s->rng ^= s->rng << 25;
	s->rng ^= s->rng >> 27;
	return s->rng * UINT64_C(0x2545F4914F6CDD1D);
}

uint32_t sim_random(struct sim *s, uint32_t below)
{
	return below ? (uint32_t)(rng(s) >> 33) % below : 0;
}

/* ---- making ---- */

void sim_psk(struct sim_node *n, const char *psk)
{
	if (!n->cfg.psk)
		n->cfg.psk = xcalloc(1, sizeof(*n->cfg.psk));
	if (secret_set(n->cfg.psk, psk, strlen(psk)) < 0)
		abort();
}

void sim_propose(struct sim_node *n, bool ike, const char *const words[])
{
	struct cfg_proposal *p = ike ? n->cfg.ike.proposal : n->cfg.esp.proposal;
	unsigned *count = ike ? &n->cfg.ike.n_proposals : &n->cfg.esp.n_proposals;
	char why[256];

	for (*count = 0; words[*count]; (*count)++) {
		memset(&p[*count], 0, sizeof(*p));
		if (proposal_parse(words[*count], ike ? PROPOSAL_IKE : PROPOSAL_ESP, &p[*count], why, sizeof(why)) <
		    0) {
			fprintf(stderr, "sim: %s: %s\n", words[*count], why);
			abort();
		}
	}
}

static void node_init(struct sim *s, int id)
{
	static const char *const ike[] = {"aes256gcm16-prfsha256-x25519", NULL}, *const esp[] = {"aes256gcm16", NULL};
	struct sim_node *n = &s->node[id];
	struct cfg_tunnel *c = &n->cfg;

	n->s = s;
	n->id = id;
	if (ip_parse(id ? "203.0.113.1" : "198.51.100.1", &n->addr) < 0)
		abort();
	snprintf(c->name, sizeof(c->name), "t");
	c->local.addr = n->addr;
	c->local.id.type = c->remote.id.type = CFG_ID_FQDN;
	c->local.id.len = c->remote.id.len = 6;
	memcpy(c->local.id.b, id ? "node-1" : "node-0", 6);
	memcpy(c->remote.id.b, id ? "node-0" : "node-1", 6);
	sim_psk(n, "a secret of some length");
	sim_propose(n, true, ike);
	sim_propose(n, false, esp);
	c->ike.lifetime_s = 86400;
	c->esp.lifetime_s = 3600;
	c->esp.replay_window = 1024;
	c->n_ts = 1;
	c->ts[0].local_port_hi = c->ts[0].remote_port_hi = 65535;
	c->ts[0].local.addr.family = c->ts[0].remote.addr.family = IP_V4;
	c->start = id ? CFG_START_RESPOND_ONLY : CFG_START_ALWAYS;
	c->dpd_s = 30;
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = xcalloc(1, sizeof(*s));

	s->seed = seed;
	s->rng = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	s->now = 1000;
	s->net.delay_min_ms = s->net.delay_max_ms = 10;
	s->job_ms = 1;
	s->install_ms = 1;
	s->probe_ms = 5;
	for (int i = 0; i < SIM_NODES; i++)
		node_init(s, i);
	for (int i = 0; i < SIM_NODES; i++)
		s->node[i].cfg.remote.addr = s->node[!i].addr;
	return s;
}

unsigned sim_children(const struct sim *s)
{
	const struct cfg_tunnel *c = &s->node[0].cfg;

	return c->children == CFG_CHILDREN_PER_SELECTOR ? c->n_ts : 1;
}

void sim_use_v6(struct sim *s)
{
	for (int i = 0; i < SIM_NODES; i++) {
		struct sim_node *n = &s->node[i];

		if (ip_parse(i ? "2001:db8:2::1" : "2001:db8:1::1", &n->addr) < 0)
			abort();
		n->cfg.local.addr = n->addr;
	}
	for (int i = 0; i < SIM_NODES; i++)
		s->node[i].cfg.remote.addr = s->node[!i].addr;
}

void sim_use_children(struct sim *s, unsigned n)
{
	for (int i = 0; i < SIM_NODES; i++) {
		struct cfg_tunnel *c = &s->node[i].cfg;

		c->children = CFG_CHILDREN_PER_SELECTOR;
		c->n_ts = n;
		for (unsigned k = 0; k < n; k++) {
			struct ip_prefix a = {.addr = ip_v4(0x0a010000 + (k << 8)), .len = 24},
					 b = {.addr = ip_v4(0x0a020000 + (k << 8)), .len = 24};

			c->ts[k] = (struct cfg_ts){.local = i ? b : a,
						   .remote = i ? a : b,
						   .local_port_hi = UINT16_MAX,
						   .remote_port_hi = UINT16_MAX};
		}
	}
}

void sim_add_nat(struct sim *s, bool forward)
{
	s->nat.on = true;
	s->nat.forward = forward;
	s->nat.next_port = 20000;
	if (ip_parse(s->node[0].addr.family == IP_V6 ? "2001:db8:3::1" : "192.0.2.1", &s->nat.addr) < 0)
		abort();
	s->node[0].cfg.remote.addr = s->nat.addr;
}

void sim_nat_rebind(struct sim *s)
{
	s->nat.port[0] = s->nat.port[1] = 0;
	s->nat.next_port = (uint16_t)(s->nat.next_port + 100);
}

void sim_start(struct sim *s)
{
	for (int i = 0; i < SIM_NODES; i++) {
		struct sim_node *n = &s->node[i];

		sim_env_init(n);
		n->k = ike_new(&n->env, &n->limits);
		n->in_core = true;
		if (ike_tunnel_set(n->k, SIM_TUNNEL, &n->cfg, s->now) < 0)
			abort();
		n->in_core = false;
	}
	s->probe_at = s->now;
}

static void drop_jobs(struct sim *s)
{
	/* a job's memory is the core's again only through ike_job_done() */
	while (s->n_queue) {
		struct sim_event ev = pop(s);

		if (ev.kind == SIM_EV_JOB)
			sim_handle(s, &ev);
		free(ev.msg);
	}
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	for (int i = 0; i < SIM_NODES; i++)
		s->node[i].dead = true;
	drop_jobs(s);
	drop_jobs(s); /* those that the completions began */
	for (int i = 0; i < SIM_NODES; i++) {
		ike_free(s->node[i].k);
		if (s->node[i].cfg.psk)
			secret_fini(s->node[i].cfg.psk);
		free(s->node[i].cfg.psk);
	}
	for (unsigned i = 0; i < s->n_queue; i++)
		free(s->queue[i].msg);
	free(s->queue);
	free(s);
}

/* ---- time ---- */

static void tick(struct sim_node *n)
{
	struct sim *s = n->s;

	if (!n->k || ike_deadline(n->k) > s->now)
		return;
	if (n->tick_at != s->now) {
		n->tick_at = s->now;
		n->ticks_there = 0;
	}
	if (++n->ticks_there > 1000) {
		fprintf(stderr, "sim: seed %llu: node %d's deadline does not move from %llu\n",
			(unsigned long long)s->seed, n->id, (unsigned long long)s->now);
		abort();
	}
	n->in_core = true;
	ike_tick(n->k, s->now);
	n->in_core = false;
}

static uint64_t next_time(const struct sim *s)
{
	uint64_t t = s->n_queue ? s->queue[0].at : UINT64_MAX;

	for (int i = 0; i < SIM_NODES; i++)
		if (s->node[i].k)
			t = u64_min(t, ike_deadline(s->node[i].k));
	if (s->probe_ms)
		t = u64_min(t, s->probe_at);
	return t;
}

/* One step of virtual time, at most to `end`. */
static void step(struct sim *s, uint64_t end)
{
	uint64_t t = next_time(s);

	if (t > end) {
		s->now = end;
		return;
	}
	s->now = u64_max(s->now, t);
	if (s->probe_ms && s->probe_at <= s->now) {
		for (int i = 0; i < SIM_NODES; i++)
			sim_probe(&s->node[i]);
		s->probe_at = s->now + s->probe_ms;
	}
	while (s->n_queue && s->queue[0].at <= s->now) {
		struct sim_event ev = pop(s);

		sim_handle(s, &ev);
		free(ev.msg);
	}
	for (int i = 0; i < SIM_NODES; i++)
		tick(&s->node[i]);
}

void sim_run(struct sim *s, uint64_t ms)
{
	uint64_t end = s->now + ms;

	while (s->now < end || next_time(s) <= end)
		step(s, end);
}

bool sim_run_until(struct sim *s, bool (*cond)(struct sim *s), uint64_t max_ms)
{
	uint64_t end = s->now + max_ms;

	while (!cond(s)) {
		if (s->now >= end)
			return false;
		step(s, end);
	}
	return true;
}

void sim_acquire(struct sim_node *n, uint8_t child, const struct cfg_ts *ts)
{
	struct ike_event ev = {.type = IKE_EV_ACQUIRE, .tunnel = SIM_TUNNEL, .child = child, .has_ts = ts != NULL};

	if (ts)
		ev.ts = *ts;
	n->in_core = true;
	ike_event(n->k, &ev, n->s->now);
	n->in_core = false;
}

void sim_lose_dp(struct sim_node *n)
{
	memset(n->pair, 0, sizeof(n->pair));
	memset(n->tx, 0, sizeof(n->tx));
	sim_event(n, IKE_EV_DP_LOST, 0);
}

int sim_event(struct sim_node *n, enum ike_event_type type, uint32_t spi_in)
{
	struct ike_event ev = {.type = type, .tunnel = SIM_TUNNEL, .spi_in = spi_in ? spi_in : n->tx[0]};
	int rc;

	n->in_core = true;
	rc = ike_event(n->k, &ev, n->s->now);
	n->in_core = false;
	return rc;
}
