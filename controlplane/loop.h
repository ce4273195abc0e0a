/* The one thread of the control plane: libuv's loop, the clock, the IKE core's deadline, the work pool and signals.
 *
 * Nothing else in this process sleeps or reads a clock. Before each wait the loop asks `deadline` for the time of the
 * next tick and lets `flush` ring the data plane's doorbells once for all that the turn has pushed. Jobs run in libuv's
 * pool and end on the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/build.h"

struct loop_ops {
	void *ctx;
	uint64_t (*deadline)(void *ctx); /* monotonic ms; UINT64_MAX: none */
	void (*tick)(void *ctx);         /* at or after the deadline */
	void (*flush)(void *ctx);        /* before every wait */
	void (*stop)(void *ctx);         /* SIGTERM or SIGINT; the second one ends the loop at once */
	void (*reload)(void *ctx);       /* SIGHUP */
};

struct loop {
	uv_loop_t uv;
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_signal_t sig[3];
	struct loop_ops ops;
	uint64_t armed_ms; /* what the timer is set to; UINT64_MAX: stopped */
	unsigned jobs;     /* in the pool */
	bool stopping;     /* a stop signal has come */
	bool ended;        /* loop_end() was called */
};

/* Monotonic milliseconds, never 0. */
uint64_t loop_now_ms(void);
/* Wall clock in seconds since 1970, for what people read. */
int64_t loop_wall_s(void);
/* The same of a loop_now_ms() in the past or to come. Two calls for one time give one answer, unless the clock is set. */
int64_t loop_wall_at(uint64_t ms);
/* 0 or -errno. signals: catch them (tests do not). */
int loop_init(struct loop *l, const struct loop_ops *ops, bool signals) MUST_USE;
/* Runs until loop_end(); returns when no job is left in the pool. */
void loop_run(struct loop *l);
void loop_end(struct loop *l);
/* After loop_run() and after all users of the loop have closed their handles: closes its own and waits for all. */
void loop_fini(struct loop *l);
/* work(job) in the pool, then done(ctx, job) on this thread. 0 or -errno (nothing happens then). */
int loop_job(struct loop *l, void (*work)(void *job), void (*done)(void *ctx, void *job), void *ctx,
	     void *job) MUST_USE;
