/* Which worker owns a tunnel: the one with the fewest, and the same one for as long as the tunnel lives.
 *
 * An SA has one owner worker, and all SAs of a tunnel have the same, so that its packets keep their order. Thread: the
 * loop's.
 */
#pragma once

#include <stdint.h>

#include "base/build.h"
#include "ring/shm.h"

enum { PLACE_NONE = 0xff };

struct place {
	unsigned n_workers;
	uint32_t load[SHM_WORKERS_MAX]; /* tunnels per worker */
};

/* n_workers: 1..SHM_WORKERS_MAX. Forgets all placements. */
void place_init(struct place *p, unsigned n_workers);
/* The worker for one more tunnel. had: where it was (PLACE_NONE: nowhere); it stays there if that worker exists. */
uint8_t place_take(struct place *p, uint8_t had) MUST_USE;
void place_give(struct place *p, uint8_t worker);
