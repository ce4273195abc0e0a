#include "controlplane/dp_link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "ring/spi.h"

enum { EVT_BUDGET = 256, STEADY_MS = 5000 };

static void connect_now(struct dp *dp);

static void timer_due(uv_timer_t *t);

static void retry_later(struct dp *dp)
{
	dp->state = DP_WAITING;
	uv_timer_start(&dp->timer, timer_due, dp->backoff_ms, 0);
	dp->backoff_ms = (uint32_t)u64_min(dp->backoff_ms * 2, DP_BACKOFF_MAX_MS);
}

static void conn_closed(uv_handle_t *h)
{
	struct dp_conn *c = h->data;

	if (--c->n_open == 0)
		free(c);
}

/* The descriptors of the bell belong to the segment; the socket is ours. */
void dp_link_drop(struct dp *dp)
{
	struct dp_conn *c = dp->conn;

	if (!c)
		return;
	dp->conn = NULL;
	c->dp = NULL;
	uv_close((uv_handle_t *)&c->sock, conn_closed);
	if (c->bell_open)
		uv_close((uv_handle_t *)&c->bell, conn_closed);
	close(c->fd);
}

void dp_link_forget(struct dp *dp)
{
	for (unsigned i = 0; i <= SHM_WORKERS_MAX; i++)
		list_each_safe (e, &dp->queue[i]) {
			struct dp_queued *q = list_entry(e, struct dp_queued, link);

			list_del(&q->link);
			secret_wipe(q, sizeof(*q));
			free(q);
		}
}

/* Every command that has no answer gets -ECONNRESET, in the order of sending. */
static void fail_pending(struct dp *dp)
{
	uint32_t first = dp->seq + 1;

	dp_link_forget(dp);
	for (unsigned i = 0; i < DP_PENDING_MAX && dp->n_pending; i++) {
		struct dp_pending *p = &dp->pending[(first + i) % DP_PENDING_MAX];
		struct dp_pending done = *p;

		if (!done.seq)
			continue;
		*p = (struct dp_pending){0};
		dp->n_pending--;
		done.fn(done.ctx, done.arg, -ECONNRESET);
	}
}

void dp_link_detach(struct dp *dp, const char *cause)
{
	bool was = dp->state == DP_ATTACHED;

	dp_link_drop(dp);
	dp->broken = NULL;
	dp->bells = 0;
	dp->state = DP_WAITING; /* dp_send() refuses from here on */
	uv_idle_stop(&dp->more);
	if (was) {
		log_warn(LOG_RING, "event=data-plane-lost epoch=%016" PRIx64 " cause=\"%s\"", dp->epoch, cause);
		fail_pending(dp);
		dp->ops.lost(dp->ops.ctx);
		dp->said_waiting = true;
		/* a peer that breaks again and again is not asked twenty times a second */
		if (loop_now_ms() - dp->attached_at_ms > STEADY_MS)
			dp->backoff_ms = DP_BACKOFF_MIN_MS;
	}
	shm_fini(&dp->shm);
	retry_later(dp);
}

static void say_waiting(struct dp *dp, const char *cause)
{
	if (dp->said_waiting)
		return;
	dp->said_waiting = true;
	log_info(LOG_RING, "event=waiting-for-data-plane socket=%s cause=\"%s\"", dp->sock_path, cause);
}

/* ---- events in ---- */

static void take_answer(struct dp *dp, unsigned from, const struct msg_ack *a)
{
	struct dp_pending *p = &dp->pending[a->hdr.seq % DP_PENDING_MAX];
	int status = a->hdr.type == MSG_ACK ? 0 : a->status;
	struct dp_pending done = *p;

	if (status > 0)
		status = -EPROTO;
	if (a->type == MSG_ROUTE_SET || a->type == MSG_ROUTE_DEL || a->type == MSG_SYNC_BEGIN ||
	    a->type == MSG_SYNC_END) {
		if (status && from == DP_CTL)
			dp->ops.route_refused(dp->ops.ctx, a->hdr.seq, status);
		return;
	}
	if (!a->hdr.seq || done.seq != a->hdr.seq || done.to != from || done.type != a->type) {
		dp->c.unmatched_acks++;
		log_warn(LOG_RING, "from=%u seq=%u cause=\"answer to a command that was never sent\"", from,
			 a->hdr.seq);
		return;
	}
	*p = (struct dp_pending){0};
	dp->n_pending--;
	if (status) {
		dp->c.nacks++;
		log_debug(LOG_RING, "command=%s to=%u seq=%u refused=\"%s\"", msg_type_name(a->type), from, a->hdr.seq,
			  err_str(status));
	} else {
		dp->c.acks++;
	}
	done.fn(done.ctx, done.arg, status);
}

static void take_event(struct dp *dp, unsigned from, const union msg *m)
{
	int rc = msg_check_evt(m, &dp->limits);

	if (rc == -ESTALE) {
		dp->c.stale_msgs++;
		return;
	}
	if (rc) {
		dp->c.bad_msgs++;
		log_warn(LOG_RING, "from=%u type=%u len=%u cause=\"malformed event skipped\"", from, m->hdr.type,
			 m->hdr.len);
		return;
	}
	dp->c.events++;
	if (m->hdr.type == MSG_ACK || m->hdr.type == MSG_NACK)
		take_answer(dp, from, (const struct msg_ack *)(const void *)m);
	else
		dp->ops.event(dp->ops.ctx, from, m);
}

/* true: there is more than the budget. */
static bool drain(struct dp *dp, struct spsc *q, unsigned from)
{
	union msg m;

	for (unsigned i = 0; i < EVT_BUDGET; i++) {
		int rc = spsc_pop(q, &m);

		if (rc == -EAGAIN)
			return false;
		if (rc) {
			dp_broken(dp, "impossible index in an event ring");
			return false;
		}
		take_event(dp, from, &m);
		if (dp->broken)
			return false;
	}
	return true;
}

static void more_due(uv_idle_t *h);

/* One turn over all rings: SA events first, then the datagrams, of which each worker gets its share. */
static void turn(struct dp *dp)
{
	uint64_t applied = dp_routes_applied(dp); /* a refusal is in the ring before its record counts as applied */
	bool more = drain(dp, &dp->shm.ctl_evt, DP_CTL);

	if (!more)
		dp->routes_known = applied;

	for (unsigned w = 0; w < dp->limits.workers && !dp->broken; w++)
		more |= drain(dp, &dp->shm.w[w].evt, w);
	if (!dp->broken)
		more |= dp->ops.ike(dp->ops.ctx);
	if (more && !dp->broken)
		uv_idle_start(&dp->more, more_due);
}

static void more_due(uv_idle_t *h)
{
	struct dp *dp = h->data;

	uv_idle_stop(h);
	if (dp->state == DP_ATTACHED)
		turn(dp);
}

static void on_bell(uv_poll_t *h, int status, int events)
{
	struct dp_conn *c = h->data;

	if (!c->dp || c->dp->state != DP_ATTACHED)
		return;
	if (status || events & UV_DISCONNECT) {
		dp_broken(c->dp, "it closed our doorbell");
		return;
	}
	shm_clear_bell(c->dp->shm.bell_control);
	turn(c->dp);
}

/* ---- attach ---- */

static void take_limits(struct dp *dp)
{
	const struct shm_hello *h = &dp->shm.hello;

	dp->limits = (struct msg_limits){.sas = h->sas,
					 .tunnels = h->tunnels,
					 .nexthops = h->nexthops,
					 .ports = (uint16_t)h->ports,
					 .workers = (uint8_t)h->workers,
					 .attach = h->attach};
}

static const char *hello_fault(const struct shm_hello *h)
{
	if (!h->workers || h->workers > SHM_WORKERS_MAX)
		return "data plane names an impossible number of workers";
	if (h->ports > STATS_PORTS_MAX)
		return "data plane names an impossible number of ports";
	if (!h->sas || h->sas > SPI_SLOTS_MAX)
		return "data plane names an impossible number of SA slots";
	return NULL;
}

static void attach_done(struct dp *dp)
{
	bool new_life = dp->shm.hello.epoch != dp->epoch;

	uv_timer_stop(&dp->timer);
	take_limits(dp);
	dp->epoch = dp->shm.hello.epoch;
	dp->state = DP_ATTACHED;
	dp->said_waiting = false;
	dp->attached_at_ms = loop_now_ms();
	dp->applied_base = atomic_load_explicit(&dp->shm.hdr->applied, memory_order_acquire);
	dp->routes_pushed = dp->routes_known = 0;
	dp->route_seq = 0;
	dp->c.attaches++;
	log_info(LOG_RING,
		 "event=data-plane-attached pid=%u epoch=%016" PRIx64 " attach=%u workers=%u sas=%u build=%.31s%s",
		 dp->shm.hello.pid, dp->epoch, dp->shm.hello.attach, dp->limits.workers, dp->limits.sas,
		 dp->shm.hello.build, new_life ? " new-life=yes" : "");
	dp->ops.attached(dp->ops.ctx, new_life);
	/* what came before we listened */
	uv_idle_start(&dp->more, more_due);
}

static void take_hello(struct dp *dp)
{
	struct dp_conn *c = dp->conn;
	const char *why = "no segment";
	int rc = shm_recv(&dp->shm, c->fd, &why);

	if (!rc) {
		const char *fault = hello_fault(&dp->shm.hello);

		if (fault) {
			why = fault;
			rc = -EPROTO;
		}
	}
	if (rc) {
		if (rc == -EPROTO && !dp->said_waiting)
			log_err(LOG_RING, "event=attach-refused socket=%s cause=\"%s\"", dp->sock_path, why);
		dp->said_waiting = true;
		dp_link_detach(dp, why);
		return;
	}
	if (uv_poll_init(&dp->loop->uv, &c->bell, dp->shm.bell_control)) {
		dp_link_detach(dp, "doorbell cannot be polled");
		return;
	}
	c->bell.data = c;
	c->bell_open = true;
	c->n_open++;
	uv_poll_start(&c->bell, UV_READABLE | UV_DISCONNECT, on_bell);
	/* from now on the socket says one thing only: gone */
	attach_done(dp);
}

static void on_sock(uv_poll_t *h, int status, int events UNUSED)
{
	struct dp_conn *c = h->data;

	if (!c->dp)
		return;
	if (!status && c->dp->state == DP_HELLO)
		take_hello(c->dp);
	else
		dp_link_detach(c->dp, "it closed the connection");
}

static void timer_due(uv_timer_t *t)
{
	struct dp *dp = t->data;

	if (dp->state == DP_HELLO) {
		say_waiting(dp,
			    "it accepts but gives no segment: another control plane is attached, or it has stopped us "
			    "for a minute");
		dp_link_detach(dp, "no hello");
		return;
	}
	connect_now(dp);
}

static void connect_now(struct dp *dp)
{
	int fd = shm_connect(dp->sock_path);
	struct dp_conn *c;

	if (fd < 0) {
		say_waiting(dp, err_str(fd));
		retry_later(dp);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->dp = dp;
	c->fd = fd;
	if (uv_poll_init(&dp->loop->uv, &c->sock, fd)) {
		close(fd);
		free(c);
		retry_later(dp);
		return;
	}
	c->sock.data = c;
	c->n_open = 1;
	dp->conn = c;
	dp->state = DP_HELLO;
	uv_poll_start(&c->sock, UV_READABLE | UV_DISCONNECT, on_sock);
	uv_timer_start(&dp->timer, timer_due, DP_HELLO_MS, 0);
}

void dp_link_start(struct dp *dp)
{
	uv_timer_init(&dp->loop->uv, &dp->timer);
	uv_idle_init(&dp->loop->uv, &dp->more);
	dp->timer.data = dp->more.data = dp;
	dp->n_handles = 2;
	uv_timer_start(&dp->timer, timer_due, 0, 0);
}
