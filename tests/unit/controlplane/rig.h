/* Loop, dp and a fake data plane on one thread; AWAIT() runs the loop until something is so. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "controlplane/dp.h"
#include "controlplane/feed.h"
#include "tests/lib/fake_dp.h"

struct rig {
	char dir[64], path[96];
	struct loop loop;
	struct dp *dp;
	struct feed *feed; /* turned before every wait, if there is one */
	struct fake_dp fake;
	uv_timer_t watchdog;
	bool late;
	unsigned naps; /* of 10 ms */
	unsigned attached, lost, new_lives, events, ike_turns;
	uint32_t refused_seq;
	union msg event;
	/* further listeners of dp */
	void (*on_attached)(bool new_life);
	void (*on_lost)(void);
	void (*on_event)(unsigned worker, const union msg *m);
};

extern struct rig rig;

/* sas 16, tunnels 8, nexthops 32, ports 2, the given number of workers. fake: start it, too. */
void rig_up(unsigned workers, bool fake);
void rig_down(void);
void rig_start_fake(uint64_t epoch);
/* The loop until cond; fails the test after 5 s. */
#define AWAIT(cond)                                                    \
	do {                                                           \
		rig_arm();                                             \
		while (!(cond)) {                                      \
			uv_run(&rig.loop.uv, UV_RUN_ONCE);             \
			if (rig.late)                                  \
				fail_msg("not within 5 s: %s", #cond); \
		}                                                      \
		uv_timer_stop(&rig.watchdog);                          \
	} while (0)
void rig_arm(void);
/* Everything that is under way has been done: n turns without waiting. */
void rig_settle(void);
