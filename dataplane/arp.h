/* Address resolution, the ctl thread's side. RFC 826, RFC 1122 2.3.2, RFC 5227 (conflicts); states after RFC 4861 7.3
 *
 *   INCOMPLETE  asked, no answer yet: holds up to ARP_HOLD packets; given up after ARP_TRIES requests, a second apart
 *   REACHABLE   answered within ARP_REACHABLE_MS
 *   PROBE       that is over and workers use it: asked directly, still used
 *   STALE       that is over and nobody used it: kept, and probed at the next use
 *
 * The table that workers read is in neigh.h; this file is its only writer. Entries, packets held, and unanswered entries
 * are bounded, so that a scan of a connected network costs neither memory nor the neighbours that are known. An entry is
 * made by a packet of ours or by a request for one of our addresses, never by hearsay. Everything here belongs to the
 * ctl thread; the time is given in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/neigh.h"
#include "dataplane/port.h"

struct fib;
struct arp;

enum {
	ARP_HOLD = 3,              /* packets per neighbour asked for */
	ARP_HOLD_ALL = 1024,       /* of all */
	ARP_INCOMPLETE_MAX = 1024, /* neighbours asked for at a time */
	ARP_TRIES = 3,
	ARP_RETRY_MS = 1000, /* RFC 1122 2.3.2.1: at most one a second per neighbour */
	ARP_REACHABLE_MS = 30000,
	ARP_STALE_MS = 300000,
	ARP_TURN = 64,    /* packets per turn, of all workers */
	ARP_ANNOUNCE = 2, /* RFC 5227 2.3 */
};

struct arp_stats {
	uint64_t conflicts; /* another host uses an address of ours */
	uint64_t moved;     /* a neighbour has a new MAC */
	uint64_t ignored;   /* sound, but nothing to us */
	uint64_t lost;      /* packets for which a worker's ring was full */
};

/* NULL: out of memory. EAL is up; main thread. ports, n and f outlive it. */
struct arp *arp_new(struct neigh *n, struct fib *f, const struct port_set *ports, int numa_node);
void arp_free(struct arp *a);

/* Take what workers sent up. True: there may be more. */
bool arp_turn(struct arp *a, uint64_t now_ms);
/* Timers. When to call again, or UINT64_MAX. */
uint64_t arp_tick(struct arp *a, uint64_t now_ms);
/* Say our addresses to a port's network (link up): now, and again a moment later. RFC 5227 2.3 */
void arp_announce(struct arp *a, uint16_t port, uint64_t now_ms);
const struct arp_stats *arp_counts(const struct arp *a);
/* Neighbours with a MAC; all entries in *all. */
unsigned arp_known(const struct arp *a, unsigned *all);
