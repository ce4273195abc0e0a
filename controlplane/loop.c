#include "controlplane/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"

enum { CLOCK_SET_MS = 500 };

struct job {
	uv_work_t req;
	struct loop *loop;
	void (*work)(void *job);
	void (*done)(void *ctx, void *job);
	void *ctx, *arg;
};

uint64_t loop_now_ms(void)
{
	return uv_hrtime() / 1000000 + 1;
}

int64_t loop_wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

int64_t loop_wall_at(uint64_t ms)
{
	static int64_t ahead; /* of the monotonic clock, ms */
	struct timespec ts;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ts.tv_sec * 1000 + ts.tv_nsec / 1000000 - (int64_t)loop_now_ms();
	if (now - ahead > CLOCK_SET_MS || ahead - now > CLOCK_SET_MS)
		ahead = now;
	return (ahead + (int64_t)ms) / 1000;
}

static void timer_due(uv_timer_t *t)
{
	struct loop *l = t->data;

	l->armed_ms = UINT64_MAX;
	l->ops.tick(l->ops.ctx);
}

/* The deadline moves with every datagram: setting the timer once per turn is cheaper than at each change. */
static void before_wait(uv_prepare_t *p)
{
	struct loop *l = p->data;
	uint64_t due, now;

	l->ops.flush(l->ops.ctx);
	due = l->ops.deadline(l->ops.ctx);
	if (due == l->armed_ms)
		return;
	l->armed_ms = due;
	if (due == UINT64_MAX) {
		uv_timer_stop(&l->timer);
		return;
	}
	now = loop_now_ms();
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, timer_due, due > now ? due - now : 0, 0);
}

static void on_signal(uv_signal_t *s, int signum)
{
	struct loop *l = s->data;

	if (signum == SIGHUP) {
		l->ops.reload(l->ops.ctx);
		return;
	}
	if (l->stopping) {
		loop_end(l);
		return;
	}
	l->stopping = true;
	l->ops.stop(l->ops.ctx);
}

static int catch_signals(struct loop *l)
{
	static const int nums[N_ELEMS(l->sig)] = {SIGTERM, SIGINT, SIGHUP};
	int rc = 0;

	for (unsigned i = 0; i < N_ELEMS(nums) && !rc; i++)
		rc = uv_signal_start(&l->sig[i], on_signal, nums[i]);
	return rc;
}

int loop_init(struct loop *l, const struct loop_ops *ops, bool signals)
{
	int rc;

	*l = (struct loop){.ops = *ops, .armed_ms = UINT64_MAX};
	/* a client that closes in the middle of its reply is an error of its own, not the end of us */
	signal(SIGPIPE, SIG_IGN);
	rc = uv_loop_init(&l->uv);
	if (rc)
		return rc;
	uv_timer_init(&l->uv, &l->timer);
	uv_prepare_init(&l->uv, &l->prepare);
	l->timer.data = l->prepare.data = l;
	for (unsigned i = 0; i < N_ELEMS(l->sig); i++) {
		uv_signal_init(&l->uv, &l->sig[i]);
		l->sig[i].data = l;
	}
	uv_prepare_start(&l->prepare, before_wait);
	return signals ? catch_signals(l) : 0;
}

void loop_run(struct loop *l)
{
	while (!l->ended || l->jobs)
		uv_run(&l->uv, UV_RUN_ONCE);
}

void loop_end(struct loop *l)
{
	l->ended = true;
	uv_stop(&l->uv);
}

void loop_fini(struct loop *l)
{
	uv_close((uv_handle_t *)&l->timer, NULL);
	uv_close((uv_handle_t *)&l->prepare, NULL);
	for (unsigned i = 0; i < N_ELEMS(l->sig); i++)
		uv_close((uv_handle_t *)&l->sig[i], NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&l->uv))
		log_err(LOG_MAIN, "cause=\"event loop closed while handles were open\"");
}

static void run_job(uv_work_t *req)
{
	struct job *j = req->data;

	j->work(j->arg);
}

static void end_job(uv_work_t *req, int status UNUSED)
{
	struct job *j = req->data;

	j->loop->jobs--;
	j->done(j->ctx, j->arg);
	free(j);
}

int loop_job(struct loop *l, void (*work)(void *job), void (*done)(void *ctx, void *job), void *ctx, void *arg)
{
	struct job *j = xcalloc(1, sizeof(*j));
	int rc;

	*j = (struct job){.loop = l, .work = work, .done = done, .ctx = ctx, .arg = arg};
	j->req.data = j;
	rc = uv_queue_work(&l->uv, &j->req, run_job, end_job);
	if (rc) {
		free(j);
		return rc;
	}
	l->jobs++;
	return 0;
}
