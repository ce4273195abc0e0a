#include "controlplane/dp.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "controlplane/dp_link.h"

struct dp *dp_new(struct loop *loop, const char *sock_path, const struct dp_ops *ops)
{
	struct dp *dp = xcalloc(1, sizeof(*dp));

	dp->loop = loop;
	dp->sock_path = sock_path;
	dp->ops = *ops;
	dp->backoff_ms = DP_BACKOFF_MIN_MS;
	dp->pending = xcalloc(DP_PENDING_MAX, sizeof(*dp->pending));
	for (unsigned i = 0; i <= SHM_WORKERS_MAX; i++)
		list_init(&dp->queue[i]);
	dp_link_start(dp);
	return dp;
}

static void free_closed(uv_handle_t *h)
{
	struct dp *dp = h->data;

	if (--dp->n_handles)
		return;
	free(dp->pending);
	free(dp);
}

void dp_free(struct dp *dp)
{
	if (!dp)
		return;
	dp_link_drop(dp);
	dp_link_forget(dp);
	shm_fini(&dp->shm);
	dp->state = DP_WAITING;
	uv_close((uv_handle_t *)&dp->timer, free_closed);
	uv_close((uv_handle_t *)&dp->more, free_closed);
}

/* ---- commands out ---- */

static struct spsc *ring_of(struct dp *dp, unsigned to)
{
	if (to == DP_CTL)
		return &dp->shm.ctl_cmd;
	return to < dp->limits.workers ? &dp->shm.w[to].cmd : NULL;
}

static void enqueue(struct dp *dp, unsigned to, const union msg *m, uint16_t len)
{
	struct dp_queued *q = xcalloc(1, sizeof(*q));

	q->len = len;
	memcpy(&q->m, m, len);
	list_add_tail(&dp->queue[to], &q->link);
}

/* The next sequence number whose place is free. A command that the data plane skipped as malformed keeps its place until
 * the connection ends; those behind go around it. NULL: all places are taken. */
static struct dp_pending *next_place(struct dp *dp, uint32_t *seq)
{
	struct dp_pending *p;

	if (dp->n_pending == DP_PENDING_MAX)
		return NULL;
	*seq = dp->seq;
	do {
		if (++*seq == 0)
			*seq = 1;
		p = &dp->pending[*seq % DP_PENDING_MAX];
	} while (p->seq);
	return p;
}

int dp_send(struct dp *dp, unsigned to, union msg *m, uint16_t len, dp_ack_fn fn, void *ctx, uint64_t arg)
{
	struct dp_pending *p = NULL;
	struct spsc *ring = NULL;
	uint32_t seq = 0;
	int rc = 0;

	if (dp->state != DP_ATTACHED || dp->broken)
		rc = -ENOTCONN;
	else if (!(ring = ring_of(dp, to)))
		rc = -EINVAL;
	else if (!(p = next_place(dp, &seq)))
		rc = -EAGAIN;
	if (rc)
		goto wipe;

	dp->seq = seq;
	m->hdr.len = len;
	m->hdr.seq = seq;
	m->hdr.attach = dp->limits.attach;
	m->hdr.pad = 0;
	*p = (struct dp_pending){.seq = seq, .type = m->hdr.type, .to = (uint8_t)to, .fn = fn, .ctx = ctx, .arg = arg};
	dp->n_pending++;
	dp->c.sent++;
	dp_bell(dp, to);
	/* what waits goes first: order per ring */
	if (!list_empty(&dp->queue[to])) {
		enqueue(dp, to, m, len);
		goto wipe;
	}
	switch (spsc_push(ring, m, len)) {
	case 0:
		break;
	case -ENOBUFS:
		enqueue(dp, to, m, len);
		break;
	default: /* its answer is -ECONNRESET, at the end of the turn */
		dp_broken(dp, "impossible index in a command ring");
	}
wipe:
	secret_wipe(m, len);
	return rc;
}

uint32_t dp_last_seq(const struct dp *dp)
{
	return dp->seq;
}

int dp_route(struct dp *dp, struct msg_route *r, uint32_t *seq)
{
	int rc;

	if (dp->state != DP_ATTACHED || dp->broken)
		return -ENOTCONN;
	r->seq = dp->route_seq + 1;
	r->attach = dp->limits.attach;
	rc = spsc_push(&dp->shm.route, r, sizeof(*r));
	if (rc == -EPROTO) {
		dp_broken(dp, "impossible index in the route ring");
		return -ENOTCONN;
	}
	if (rc)
		return rc;
	*seq = ++dp->route_seq;
	dp->routes_pushed++;
	dp_bell(dp, DP_CTL);
	return 0;
}

uint64_t dp_routes_applied(struct dp *dp)
{
	uint64_t n;

	if (dp->state != DP_ATTACHED)
		return 0;
	n = atomic_load_explicit(&dp->shm.hdr->applied, memory_order_acquire) - dp->applied_base;
	return u64_min(n, dp->routes_pushed);
}

uint64_t dp_routes_pushed(const struct dp *dp)
{
	return dp->routes_pushed;
}

uint64_t dp_routes_known(const struct dp *dp)
{
	return dp->routes_known;
}

void dp_bell(struct dp *dp, unsigned to)
{
	dp->bells |= UINT64_C(1) << to;
}

static void flush_queue(struct dp *dp, unsigned to)
{
	list_each_safe (e, &dp->queue[to]) {
		struct dp_queued *q = list_entry(e, struct dp_queued, link);
		int rc = spsc_push(ring_of(dp, to), &q->m, q->len);

		if (rc == -EPROTO)
			dp_broken(dp, "impossible index in a command ring");
		if (rc)
			return;
		list_del(&q->link);
		secret_wipe(q, sizeof(*q));
		free(q);
		dp_bell(dp, to);
	}
}

void dp_flush(struct dp *dp)
{
	if (dp->state != DP_ATTACHED)
		return;
	if (!dp->broken) {
		flush_queue(dp, DP_CTL);
		for (unsigned w = 0; w < dp->limits.workers; w++)
			flush_queue(dp, w);
	}
	if (dp->broken) {
		dp->c.resets++;
		dp_link_detach(dp, dp->broken);
		return;
	}
	for (unsigned w = 0; w < dp->limits.workers; w++)
		if (dp->bells & UINT64_C(1) << w)
			shm_ring_bell(dp->shm.bell_worker[w]);
	if (dp->bells & UINT64_C(1) << DP_CTL)
		shm_ring_bell(dp->shm.bell_ctl);
	dp->bells = 0;
}

void dp_broken(struct dp *dp, const char *what)
{
	if (!dp->broken)
		dp->broken = what;
}

/* ---- asking ---- */

enum dp_state dp_state(const struct dp *dp)
{
	return dp->state;
}

bool dp_attached(const struct dp *dp)
{
	return dp->state == DP_ATTACHED;
}

struct shm *dp_shm(struct dp *dp)
{
	return dp->shm.base ? &dp->shm : NULL;
}

const struct msg_limits *dp_limits(const struct dp *dp)
{
	return &dp->limits;
}

uint64_t dp_epoch(const struct dp *dp)
{
	return dp->epoch;
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

bool dp_sa_counters(struct dp *dp, uint32_t slot, uint32_t gen, unsigned dir, struct msg_sa_counters *out)
{
	const struct stats_sa *s;

	if (!dp->shm.base || slot >= dp->limits.sas || dir > MSG_DIR_OUT)
		return false;
	s = &dp->shm.sa_stats[(size_t)slot * 2 + dir];
	if (__atomic_load_n(&s->gen, __ATOMIC_ACQUIRE) != gen)
		return false;
	out->packets = load(&s->c.packets);
	out->octets = load(&s->c.octets);
	out->seq = load(&s->c.seq);
	for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
		out->drop[i] = load(&s->c.drop[i]);
	atomic_thread_fence(memory_order_acquire);
	return __atomic_load_n(&s->gen, __ATOMIC_RELAXED) == gen; /* reused while we read: not ours */
}

uint32_t dp_sa_mtu(struct dp *dp, uint32_t slot, uint32_t gen)
{
	const struct stats_sa *s;
	uint32_t mtu;

	if (!dp->shm.base || slot >= dp->limits.sas)
		return 0;
	s = &dp->shm.sa_stats[(size_t)slot * 2 + MSG_DIR_OUT];
	mtu = __atomic_load_n(&s->mtu, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_acquire);
	return __atomic_load_n(&s->gen, __ATOMIC_RELAXED) == gen ? mtu : 0;
}

void dp_counters(const struct dp *dp, struct dp_counters *out)
{
	*out = dp->c;
}
