/* The ctl thread: everything in the data plane that is not a packet.
 *
 * It is the sole writer of the FIB, the next hops, the tunnels' settings and the neighbours, obeys the control plane's
 * commands, hands out the segment, carries packets between the workers and the TUN device, and watches links. It runs in small turns (64 commands, 64 packets
 * per worker, route records for CTL_ROUTES_US), so that nothing waits for a full table, and sleeps in between. It never waits for
 * a worker: a barrier, routes that are not in force yet or an old segment are looked at again in the next turn.
 *
 * The main thread becomes the ctl thread after start.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/attach.h"
#include "dataplane/port.h"
#include "ring/msg.h"

struct nbr;
struct fib;
struct neigh;
struct rte_rcu_qsbr;
struct sad;
struct tun;
struct worker;

enum {
	CTL_TURN = 64,       /* commands per turn */
	CTL_RECORDS = 32,    /* route records taken off the ring at once */
	CTL_ROUTES_US = 200, /* route records per turn: until so long has passed */
	CTL_LINK_MS = 200,   /* between two looks at links and port counters */
	CTL_SPIN_US = 100,   /* sleep while something waits for the workers */
};

struct ctl {
	/* start */
	struct attach attach;
	struct port_set *ports;
	struct fib *fib;
	struct neigh *neigh;
	struct nbr *arp;
	struct sad *sad;
	struct tun *tun;
	struct rte_rcu_qsbr *qsbr;
	struct worker *const *worker;
	uint8_t n_workers;
	int bell;    /* eventfd: a worker has something for us */
	int signals; /* signalfd: SIGTERM, SIGINT */
	/* the thread's own */
	uint32_t attached;     /* the answer that we know of */
	uint64_t applied;      /* route records done in this attach */
	uint64_t done, flying; /* records that are in the FIB, but perhaps not in force; those that fly_token is for */
	uint64_t fly_token;
	struct msg_route record[CTL_RECORDS]; /* off the ring; from n_past on not yet done */
	unsigned n_records, n_past;
	uint64_t bad_msgs; /* messages that failed their check */
	bool sweeping;
	bool holding; /* cmd is to be looked at again */
	bool barrier; /* it is a barrier that waits for token */
	union msg cmd;
	uint64_t token;
	uint64_t link_ms;     /* next look */
	uint32_t link_unsent; /* ports whose LINK event did not fit the ring */
};

/* Until a signal comes. Its number. */
int ctl_run(struct ctl *c);
