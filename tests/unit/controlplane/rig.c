#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rig rig;

static uint64_t no_deadline(void *ctx)
{
	(void)ctx;
	return UINT64_MAX;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void flush(void *ctx)
{
	(void)ctx;
	if (rig.feed)
		feed_turn(rig.feed);
	if (rig.dp)
		dp_flush(rig.dp);
}

static void attached(void *ctx, bool new_life)
{
	(void)ctx;
	rig.attached++;
	rig.new_lives += new_life;
	if (rig.on_attached)
		rig.on_attached(new_life);
}

static void lost(void *ctx)
{
	(void)ctx;
	rig.lost++;
	if (rig.on_lost)
		rig.on_lost();
}

static void event(void *ctx, unsigned worker, const union msg *m)
{
	(void)ctx;
	rig.events++;
	rig.event = *m;
	if (rig.on_event)
		rig.on_event(worker, m);
}

static void refused(void *ctx, uint32_t seq, int status)
{
	(void)ctx;
	rig.refused_seq = seq;
	if (rig.feed)
		feed_route_refused(rig.feed, seq, status);
}

static bool ike(void *ctx)
{
	(void)ctx;
	rig.ike_turns++;
	return false;
}

void rig_start_fake(uint64_t epoch)
{
	struct shm_params p = {.workers = rig.fake.params.workers,
			       .ports = 2,
			       .sas = 16,
			       .tunnels = 8,
			       .nexthops = 32,
			       .epoch = epoch,
			       .attach = 1};

	fake_dp_start(&rig.fake, &rig.loop.uv, rig.path, &p);
}

void rig_up(unsigned workers, bool fake)
{
	struct loop_ops ops = {NULL, no_deadline, nothing, flush, nothing, nothing};
	struct dp_ops dp = {NULL, attached, lost, event, refused, ike};

	memset(&rig, 0, sizeof(rig));
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/esplanade-test-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.path, sizeof(rig.path), "%s/dataplane.sock", rig.dir);
	assert_int_equal(loop_init(&rig.loop, &ops, false), 0);
	uv_timer_init(&rig.loop.uv, &rig.watchdog);
	rig.fake.params.workers = workers;
	if (fake)
		rig_start_fake(0x1111);
	rig.dp = dp_new(&rig.loop, rig.path, &dp);
}

void rig_down(void)
{
	dp_free(rig.dp);
	rig.dp = NULL;
	fake_dp_stop(&rig.fake);
	uv_close((uv_handle_t *)&rig.watchdog, NULL);
	loop_fini(&rig.loop);
	rmdir(rig.dir);
}

static void too_late(uv_timer_t *t)
{
	(void)t;
	rig.late = ++rig.naps > 500;
}

void rig_arm(void)
{
	rig.late = false;
	rig.naps = 0;
	uv_update_time(&rig.loop.uv);
	/* often: what happens just before the loop sleeps must be seen, too */
	uv_timer_start(&rig.watchdog, too_late, 10, 10);
}

void rig_settle(void)
{
	for (unsigned i = 0; i < 20; i++)
		uv_run(&rig.loop.uv, UV_RUN_NOWAIT);
}
