#include "tests/lib/fake_dp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUDGET = 64 };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake data plane: %s: %s\n", what, strerror(errno));
	abort();
}

static void closed(uv_handle_t *h)
{
	free(h);
}

static uv_poll_t *watch(struct fake_dp *f, int fd, uv_poll_cb cb)
{
	uv_poll_t *p = calloc(1, sizeof(*p));

	must(p && !uv_poll_init(f->uv, p, fd), "poll");
	p->data = f;
	must(!uv_poll_start(p, UV_READABLE, cb), "poll");
	return p;
}

static void unwatch(uv_poll_t **p)
{
	if (*p)
		uv_close((uv_handle_t *)*p, closed);
	*p = NULL;
}

void fake_dp_event(struct fake_dp *f, unsigned from, union msg *m, uint16_t len)
{
	struct spsc *q = from == FAKE_CTL ? &f->shm.ctl_evt : &f->shm.w[from].evt;

	m->hdr.len = len;
	m->hdr.attach = f->shm.hello.attach;
	must(!spsc_push(q, m, len), "event ring full");
	shm_ring_bell(f->shm.bell_control);
}

static void answer(struct fake_dp *f, unsigned from, uint16_t type, uint32_t seq, int status)
{
	union msg m = {.hdr.type = status ? MSG_NACK : MSG_ACK};
	struct msg_ack *a = (void *)&m;

	a->hdr.seq = seq;
	a->type = type;
	a->status = status;
	fake_dp_event(f, from, &m, sizeof(*a));
}

void fake_dp_answer(struct fake_dp *f, unsigned from, const union msg *cmd, int status)
{
	answer(f, from, cmd->hdr.type, cmd->hdr.seq, status);
}

static void gone(struct fake_dp *f, unsigned from, const struct msg_sa_del *d)
{
	union msg m = {.hdr.type = MSG_SA_GONE};
	struct msg_sa_event *e = (void *)&m;

	e->sa = d->sa;
	e->tunnel = (struct msg_handle){.slot = 0, .gen = 1};
	e->dir = d->dir;
	e->spi = 0x100000 | d->sa.slot;
	e->c = f->gone;
	fake_dp_event(f, from, &m, sizeof(*e));
}

static void take_cmd(struct fake_dp *f, unsigned to, union msg *m)
{
	struct msg_limits l = {.sas = f->params.sas,
			       .tunnels = f->params.tunnels,
			       .nexthops = f->params.nexthops,
			       .ports = (uint16_t)f->params.ports,
			       .workers = (uint8_t)f->params.workers,
			       .attach = f->shm.hello.attach};
	int rc = msg_check_cmd(m, &l);

	if (rc) {
		fprintf(stderr, "fake data plane: bad command %s: %d\n", msg_type_name(m->hdr.type), rc);
		abort();
	}
	f->n_cmds++;
	f->count[m->hdr.type]++;
	f->last[m->hdr.type] = *m;
	rc = f->on_cmd ? f->on_cmd(f->ctx, to, m) : 0;
	if (rc > 0)
		return;
	fake_dp_answer(f, to, m, rc);
	if (!rc && m->hdr.type == MSG_SA_DEL)
		gone(f, to, (const void *)m);
}

/* true: the budget is used up. */
static bool take_routes(struct fake_dp *f)
{
	struct msg_limits l = {.nexthops = f->params.nexthops, .attach = f->shm.hello.attach};
	unsigned n = 0;
	struct msg_route r;

	while ((!f->route_budget || n++ < f->route_budget) && !spsc_pop(&f->shm.route, &r)) {
		int rc = msg_check_route(&r, &l);

		must(!rc, "bad route record");
		f->n_routes++;
		f->count[r.type]++;
		memcpy(&f->last[r.type], &r, sizeof(r));
		rc = f->on_route ? f->on_route(f->ctx, &r) : 0;
		if (rc < 0)
			answer(f, FAKE_CTL, r.type, r.seq, rc);
		f->applied++;
	}
	if (!f->hold_applied && atomic_exchange(&f->shm.hdr->applied, f->applied) != f->applied)
		shm_ring_bell(f->shm.bell_control);
	return f->route_budget && n > f->route_budget;
}

static void again(uv_idle_t *t);

/* Up to BUDGET commands of each ring: the answers must find room. */
static void turn(struct fake_dp *f)
{
	bool more = false;
	union msg m;

	for (unsigned i = 0; i < BUDGET && !spsc_pop(&f->shm.ctl_cmd, &m); i++) {
		take_cmd(f, FAKE_CTL, &m);
		more |= i + 1 == BUDGET;
	}
	for (unsigned w = 0; w < f->params.workers; w++)
		for (unsigned i = 0; i < BUDGET && !spsc_pop(&f->shm.w[w].cmd, &m); i++) {
			take_cmd(f, w, &m);
			more |= i + 1 == BUDGET;
		}
	more |= take_routes(f);
	if (more)
		uv_idle_start(f->again, again);
}

static void again(uv_idle_t *t)
{
	uv_idle_stop(t);
	turn(t->data);
}

static void on_bell(uv_poll_t *p, int status, int events)
{
	struct fake_dp *f = p->data;

	(void)status;
	(void)events;
	for (unsigned w = 0; w < f->params.workers; w++)
		shm_clear_bell(f->shm.bell_worker[w]);
	shm_clear_bell(f->shm.bell_ctl);
	if (!f->silent)
		turn(f);
}

void fake_dp_drop(struct fake_dp *f)
{
	unwatch(&f->p_conn);
	if (f->again)
		uv_close((uv_handle_t *)f->again, closed);
	f->again = NULL;
	for (unsigned i = 0; i <= SHM_WORKERS_MAX; i++)
		unwatch(&f->p_bell[i]);
	if (f->conn > 0)
		close(f->conn);
	f->conn = 0;
	f->attached = false;
	shm_fini(&f->shm);
	f->params.attach++;
}

static void on_conn(uv_poll_t *p, int status, int events)
{
	struct fake_dp *f = p->data;

	(void)status;
	(void)events;
	if (f->attached || shm_take_answer(&f->shm, f->conn)) {
		fake_dp_drop(f);
		return;
	}
	f->attached = true;
	f->again = calloc(1, sizeof(*f->again));
	must(f->again && !uv_idle_init(f->uv, f->again), "idle");
	f->again->data = f;
	for (unsigned w = 0; w < f->params.workers; w++)
		f->p_bell[w] = watch(f, f->shm.bell_worker[w], on_bell);
	f->p_bell[SHM_WORKERS_MAX] = watch(f, f->shm.bell_ctl, on_bell);
}

static void on_listener(uv_poll_t *p, int status, int events)
{
	struct fake_dp *f = p->data;
	int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	if (f->conn > 0) {
		close(fd);
		return;
	}
	f->conn = fd;
	f->applied = 0;
	must(!shm_create(&f->shm, &f->params), "segment");
	must(!shm_send(&f->shm, fd), "hello");
	f->p_conn = watch(f, fd, on_conn);
}

void fake_dp_start(struct fake_dp *f, uv_loop_t *uv, const char *path, const struct shm_params *p)
{
	f->uv = uv;
	f->params = *p;
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->listener = shm_listen(path);
	must(f->listener > 0, path);
	f->p_listener = watch(f, f->listener, on_listener);
}

void fake_dp_stop(struct fake_dp *f)
{
	fake_dp_drop(f);
	unwatch(&f->p_listener);
	if (f->listener > 0)
		close(f->listener);
	f->listener = 0;
	unlink(f->path);
}
