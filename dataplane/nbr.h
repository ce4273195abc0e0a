/* Neighbours, the ctl thread's side, for both families: who is asked for, what waits for an answer, how long one is believed.
 * RFC 826, RFC 1122 2.3.2; RFC 4861 7.3, whose states these are, but for DELAY: a stale neighbour is probed at the first use
 *
 *   INCOMPLETE  asked, no answer yet: holds up to NBR_HOLD packets; given up after NBR_TRIES requests, a second apart
 *   REACHABLE   answered within NBR_REACHABLE_MS
 *   PROBE       that is over and workers use it: asked directly, still used
 *   STALE       that is over and nobody used it, or what it said was hearsay: kept, and probed at the next use
 *
 * The table that workers read is in neigh.h; this is its only writer. arp.c and nd.c read and write the frames. Entries, packets held,
 * and unanswered entries are bounded, the latter for each family by itself, so that a scan of a connected network costs neither memory,
 * nor the neighbours that are known, nor the other family (RFC 6583). An entry is made by a packet of ours or by a request for one of
 * our addresses, never by hearsay. Everything here belongs to the ctl thread; the time is given in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/neigh.h"
#include "dataplane/port.h"

struct fib;
struct nbr;

enum {
	NBR_HOLD = 3,              /* packets per neighbour asked for */
	NBR_HOLD_ALL = 768,        /* of all, per family */
	NBR_INCOMPLETE_MAX = 1024, /* neighbours asked for at a time, per family */
	NBR_TRIES = 3,
	NBR_RETRY_MS = 1000, /* RFC 1122 2.3.2.1, RFC 4861 10: at most one a second per neighbour */
	NBR_REACHABLE_MS = 30000,
	NBR_STALE_MS = 300000,
	NBR_TURN = 64,    /* packets per turn, of all workers */
	NBR_ANNOUNCE = 2, /* RFC 5227 2.3, RFC 4861 7.2.6 */
	NBR_FAMILIES = 2,
};

struct nbr_stats {
	uint64_t conflicts; /* another host uses an address of ours */
	uint64_t moved;     /* a neighbour has a new MAC */
	uint64_t ignored;   /* sound, but nothing to us */
	uint64_t lost;      /* packets for which a worker's ring was full */
};

/* NULL: out of memory. EAL is up; main thread. ports, n and f outlive it. */
struct nbr *nbr_new(struct neigh *n, struct fib *f, const struct port_set *ports, int numa_node);
void nbr_free(struct nbr *a);

/* Take what workers sent up. True: there may be more. */
bool nbr_turn(struct nbr *a, uint64_t now_ms);
/* Timers. When to call again, or UINT64_MAX. */
uint64_t nbr_tick(struct nbr *a, uint64_t now_ms);
/* Say our addresses to a port's network (link up): now, and again a moment later. */
void nbr_announce(struct nbr *a, uint16_t port, uint64_t now_ms);
const struct nbr_stats *nbr_counts(const struct nbr *a);
/* Neighbours with a MAC; all entries in *all. */
unsigned nbr_known(const struct nbr *a, unsigned *all);
