#include "tests/sim/sim_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static void check_in_core(const struct sim_node *n)
{
	if (!n->in_core) {
		fprintf(stderr, "sim: node %d's core used its hands outside a call\n", n->id);
		abort();
	}
}

/* ---- the network ---- */

/* The NAT in front of node 1. From inside: source becomes the outside address and a mapped port. From outside: the
 * destination becomes node 1. false: there is no mapping, the datagram is lost. */
static bool translate(struct sim *s, int from, struct ike_path *p)
{
	struct sim_nat *nat = &s->nat;

	if (!nat->on)
		return true;
	if (from == 1) {
		unsigned i = p->local_port == 4500;

		if (!nat->port[i])
			nat->port[i] = nat->next_port++;
		p->local = nat->addr;
		p->local_port = nat->port[i];
		return true;
	}
	if (!ip_equal(&p->remote, &nat->addr))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		uint16_t inside = i ? 4500 : 500;

		if ((nat->port[i] && p->remote_port == nat->port[i]) || (nat->forward && p->remote_port == inside)) {
			p->remote = s->node[1].addr;
			p->remote_port = inside;
			return true;
		}
	}
	return false;
}

static void deliver_later(struct sim *s, int from, const struct ike_path *p, const uint8_t *msg, size_t len,
			  uint32_t more_ms)
{
	uint32_t span = s->net.delay_max_ms - s->net.delay_min_ms;
	struct sim_event *ev;

	ev = sim_push(s, SIM_EV_DATAGRAM, !from, s->net.delay_min_ms + sim_random(s, span + 1) + more_ms);
	ev->path = (struct ike_path){
		.local = p->remote,
		.remote = p->local,
		.local_port = p->remote_port,
		.remote_port = p->local_port,
		.dp_port = 0,
		.encap = p->encap,
	};
	ev->msg = xcalloc(1, len);
	memcpy(ev->msg, msg, len);
	ev->len = len;
}

static void env_send(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	struct sim_node *n = ctx;
	struct sim *s = n->s;
	struct ike_path p = *path;
	enum sim_fate fate = SIM_PASS;

	check_in_core(n);
	if (len > IKE_MSG_MAX || !ip_equal(&p.local, &n->addr) || (p.local_port == 4500) != p.encap) {
		fprintf(stderr, "sim: node %d sends %zu octets from port %u, encap %d\n", n->id, len, p.local_port,
			p.encap);
		abort();
	}
	if (n->dead)
		return;
	if (s->net.filter)
		fate = s->net.filter(s->net.filter_arg, n->id, n->sent, msg, len);
	n->sent++;
	if (fate == SIM_DROP || !translate(s, n->id, &p))
		return;
	if (sim_random(s, 100) < s->net.loss_percent)
		return;
	if (fate == SIM_DUP || sim_random(s, 100) < s->net.dup_percent)
		deliver_later(s, n->id, &p, msg, len, 0);
	deliver_later(s, n->id, &p, msg, len, fate == SIM_DELAY ? s->net.filter_delay_ms : 0);
}

static void env_keepalive(void *ctx, const struct ike_path *path)
{
	struct sim_node *n = ctx;
	struct ike_path p = *path;

	check_in_core(n);
	n->keepalives++;
	translate(n->s, n->id, &p); /* keeps the mapping, and nobody answers */
}

/* 2026-01-01 and the virtual time. */
static int64_t env_wall_s(void *ctx)
{
	return 1767225600 + (int64_t)(((struct sim_node *)ctx)->s->now / 1000);
}

static void env_random(void *ctx, void *buf, size_t len)
{
	struct sim_node *n = ctx;
	uint8_t *b = buf;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)sim_random(n->s, 256);
}

static int env_path(void *ctx, uint32_t tunnel, struct ike_path *out)
{
	struct sim_node *n = ctx;

	if (tunnel != SIM_TUNNEL || n->cfg.remote.addr.family == IP_NONE)
		return -EHOSTUNREACH;
	*out = (struct ike_path){
		.local = n->addr, .remote = n->cfg.remote.addr, .local_port = 500, .remote_port = 500, .dp_port = 0};
	return 0;
}

/* ---- the model data plane ---- */

static struct sim_pair *pair_find(struct sim_node *n, uint32_t spi_in)
{
	for (unsigned i = 0; i < SIM_PAIRS_MAX; i++)
		if (n->pair[i].used && n->pair[i].spi_in == spi_in)
			return &n->pair[i];
	return NULL;
}

static struct sim_pair *pair_must(struct sim_node *n, uint32_t spi_in, const char *what)
{
	struct sim_pair *p = pair_find(n, spi_in);

	check_in_core(n);
	if (!p) {
		fprintf(stderr, "sim: seed %llu: node %d: %s for unknown SPI %08x\n", (unsigned long long)n->s->seed,
			n->id, what, spi_in);
		abort();
	}
	return p;
}

static int env_spi_alloc(void *ctx, uint32_t tunnel, uint32_t *spi)
{
	struct sim_node *n = ctx;

	check_in_core(n);
	for (unsigned i = 0; i < SIM_PAIRS_MAX; i++) {
		if (n->pair[i].used)
			continue;
		do
			*spi = 0x1000 + sim_random(n->s, 0x7fff0000);
		while (pair_find(n, *spi));
		n->pair[i] = (struct sim_pair){.used = true, .reserved = true, .tunnel = tunnel, .spi_in = *spi};
		return 0;
	}
	return -ENOSPC;
}

static void pair_end(struct sim_pair *p)
{
	if (!p->reserved && !p->in.used && !p->out.used)
		memset(p, 0, sizeof(*p));
}

static void env_spi_free(void *ctx, uint32_t tunnel, uint32_t spi)
{
	struct sim_pair *p = pair_must(ctx, spi, "spi_free");

	(void)tunnel;
	if (!p->reserved) {
		fprintf(stderr, "sim: spi_free of an installed SPI %08x\n", spi);
		abort();
	}
	p->reserved = false;
	pair_end(p);
}

static void half_take(struct sim_node *n, struct sim_half *to, const struct ike_child_half *h, bool in)
{
	struct sim_event *ev;

	if (to->used) { /* a key is installed once in its life */
		fprintf(stderr, "sim: node %d: SPI %08x is installed twice\n", n->id, h->spi);
		abort();
	}
	*to = (struct sim_half){.used = true,
				.spi = h->spi,
				.child = h->child,
				.esn = h->esn,
				.transport = h->transport,
				.encr = h->encr,
				.path = h->path,
				.encap_udp = h->encap_udp,
				.n_ts = h->n_ts};
	to->key = h->key;
	memcpy(to->ts, h->ts, sizeof(to->ts));
	ev = sim_push(n->s, SIM_EV_INSTALL, n->id, n->s->install_ms);
	ev->spi = h->spi_in;
	ev->in = in;
}

/* Inbound halves, of which the data plane keeps four for each child of a tunnel. */
static unsigned count_in(const struct sim_node *n, uint8_t child)
{
	unsigned used = 0;

	for (unsigned i = 0; i < SIM_PAIRS_MAX; i++)
		used += n->pair[i].in.used && n->pair[i].in.child == child;
	return used;
}

static int env_install_in(void *ctx, const struct ike_child_half *h)
{
	struct sim_node *n = ctx;
	struct sim_pair *p = pair_must(n, h->spi_in, "install_in");

	if (n->refuse_install || count_in(n, h->child) >= 4)
		return -ENOSPC;
	if (h->spi != h->spi_in || !p->reserved || !h->n_ts || h->encr->aead == (h->integ != NULL) ||
	    h->key.len != h->encr->key_len + (h->integ ? h->integ->key_len : 0))
		abort();
	p->reserved = false;
	half_take(n, &p->in, h, true);
	return 0;
}

static int env_install_out(void *ctx, const struct ike_child_half *h)
{
	struct sim_node *n = ctx;
	struct sim_pair *p = pair_must(n, h->spi_in, "install_out");

	if (!p->in.ready || h->spi < 256 || !h->n_ts || h->child != p->in.child || h->esn != p->in.esn ||
	    h->transport != p->in.transport)
		abort();
	half_take(n, &p->out, h, false);
	return 0;
}

static void env_child_remove(void *ctx, uint32_t tunnel, uint32_t spi_in, bool in)
{
	struct sim_node *n = ctx;
	struct sim_pair *p = pair_must(n, spi_in, "child_remove");
	struct sim_half *h = in ? &p->in : &p->out;

	(void)tunnel;
	if (!h->used) {
		fprintf(stderr, "sim: seed %llu: node %d: SPI %08x: no %s half to remove\n",
			(unsigned long long)n->s->seed, n->id, spi_in, in ? "inbound" : "outbound");
		abort();
	}
	if (!in && n->tx[h->child] == spi_in)
		n->tx[h->child] = 0;
	memset(h, 0, sizeof(*h));
	pair_end(p);
}

static void env_child_move(void *ctx, uint32_t tunnel, uint32_t spi_in, const struct ike_path *path)
{
	struct sim_pair *p = pair_must(ctx, spi_in, "child_move");

	(void)tunnel;
	p->out.path = *path;
}

static uint64_t env_child_rx(void *ctx, uint32_t tunnel, uint32_t spi_in)
{
	struct sim_node *n = ctx;
	struct sim_pair *p = pair_find(n, spi_in);

	(void)tunnel;
	return p ? p->rx_packets : 0;
}

static uint64_t env_child_tx(void *ctx, uint32_t tunnel, uint32_t spi_in)
{
	struct sim_node *n = ctx;
	struct sim_pair *p = pair_find(n, spi_in);

	(void)tunnel;
	return p ? p->tx_packets : 0;
}

static void env_job(void *ctx, struct ike_job *job)
{
	struct sim_node *n = ctx;
	struct sim_event *ev;

	check_in_core(n);
	ike_job_run(job);
	ev = sim_push(n->s, SIM_EV_JOB, n->id, n->s->job_ms);
	ev->job = job;
}

static void env_notice(void *ctx, const struct ike_notice *notice)
{
	struct sim_node *n = ctx;

	check_in_core(n);
	if (notice->kind >= IKE_NOTICE_N)
		abort();
	n->n_notices[notice->kind]++;
	if (notice->cause && notice->cause[0])
		snprintf(n->last_cause, sizeof(n->last_cause), "%s", notice->cause);
	if (getenv("SIM_VERBOSE"))
		fprintf(stderr, "# %8llu node %d %s in %08x out %08x %s\n", (unsigned long long)n->s->now, n->id,
			ike_notice_name(notice->kind), notice->spi_in, notice->spi_out,
			notice->cause ? notice->cause : "");
}

void sim_env_init(struct sim_node *n)
{
	n->env = (struct ike_env){
		.ctx = n,
		.send = env_send,
		.keepalive = env_keepalive,
		.random = env_random,
		.wall_s = env_wall_s,
		.path = env_path,
		.spi_alloc = env_spi_alloc,
		.spi_free = env_spi_free,
		.install_in = env_install_in,
		.install_out = env_install_out,
		.child_remove = env_child_remove,
		.child_move = env_child_move,
		.job = env_job,
		.notice = env_notice,
		.child_rx_packets = env_child_rx,
		.child_tx_packets = env_child_tx,
	};
}

/* ---- data probes ---- */

static void probe(struct sim_node *n, uint8_t child)
{
	struct sim *s = n->s;
	struct sim_pair *p = n->tx[child] ? pair_find(n, n->tx[child]) : NULL;
	struct sim_event *ev;

	if (!p || !p->out.ready) {
		n->probes_no_sa++;
		return;
	}
	n->probes_sent++;
	p->tx_packets++;
	ev = sim_push(s, SIM_EV_PROBE, !n->id, s->net.delay_min_ms);
	ev->spi = p->out.spi;
	ev->key = p->out.key;
}

void sim_probe(struct sim_node *n)
{
	for (unsigned i = 0; i < sim_children(n->s) && !n->dead && !n->quiet; i++)
		probe(n, (uint8_t)i);
}

static void probe_arrives(struct sim_node *n, const struct sim_event *ev)
{
	struct sim_node *from = &n->s->node[!n->id];
	struct sim_pair *p = pair_find(n, ev->spi);

	if (n->dead)
		return;
	if (p && p->in.ready && p->in.key.len == ev->key.len && secret_equal(p->in.key.b, ev->key.b, ev->key.len)) {
		p->rx_packets++;
		n->probes_received++;
		return;
	}
	if (getenv("SIM_VERBOSE"))
		fprintf(stderr, "# %8llu node %d: probe lost, SPI %08x\n", (unsigned long long)n->s->now, n->id,
			ev->spi);
	from->probes_lost++;
}

/* ---- events ---- */

static void installed(struct sim_node *n, const struct sim_event *ev)
{
	struct sim_pair *p = pair_find(n, ev->spi);
	struct ike_event e = {.type = ev->in ? IKE_EV_IN_READY : IKE_EV_OUT_READY,
			      .tunnel = p ? p->tunnel : SIM_TUNNEL,
			      .spi_in = ev->spi};
	struct sim_half *h = !p ? NULL : ev->in ? &p->in : &p->out;

	if (!h || !h->used)
		return; /* removed meanwhile: the acknowledgement names nothing */
	h->ready = true;
	if (!ev->in && p->tunnel == SIM_TUNNEL)
		n->tx[h->child] = ev->spi;
	n->in_core = true;
	ike_event(n->k, &e, n->s->now);
	n->in_core = false;
}

void sim_inject(struct sim_node *to, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	struct sim_node *from = &to->s->node[!to->id];
	struct ike_path p = {.local = to->addr, .remote = from->addr, .local_port = 500, .remote_port = 500};

	to->in_core = true;
	ike_input(to->k, path ? path : &p, msg, len, to->s->now);
	to->in_core = false;
}

void sim_handle(struct sim *s, const struct sim_event *ev)
{
	struct sim_node *n = &s->node[ev->node];

	switch (ev->kind) {
	case SIM_EV_DATAGRAM:
		if (n->dead)
			return;
		n->received++;
		sim_inject(n, &ev->path, ev->msg, ev->len);
		return;
	case SIM_EV_JOB:
		n->in_core = true;
		ike_job_done(n->k, ev->job, s->now);
		n->in_core = false;
		return;
	case SIM_EV_INSTALL:
		installed(n, ev);
		return;
	case SIM_EV_PROBE:
		probe_arrives(n, ev);
		return;
	}
}
