/* The data plane as seen from here: one connection, one segment, commands out, events in. Only this file and ike_io.c
 * touch the rings.
 *
 * Life: WAITING (connect with back-off) -> HELLO (connected, the segment has not come yet) -> ATTACHED. What the data
 * plane says is checked message by message against limits in our own memory; an impossible ring index ends the
 * connection, and we attach anew. A segment with another epoch is another life of the data plane: every SA in it is
 * gone.
 *
 * Each command gets a sequence number and a place in a bounded table; its ACK or NACK, or the loss of the connection,
 * calls its function exactly once, and never before dp_send() has returned. Commands that find the ring full wait in
 * order in memory (bounded). Nothing is queued while there is no data plane: who wants something there (feed, sadb)
 * knows it and says it again after `attached`.
 *
 * Thread: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "controlplane/loop.h"
#include "ring/msg.h"
#include "ring/shm.h"

enum { DP_CTL = SHM_WORKERS_MAX }; /* the ctl thread, where a worker's number could stand */
enum { DP_PENDING_MAX = 8192 };    /* commands without an answer */
enum { DP_BACKOFF_MIN_MS = 50, DP_BACKOFF_MAX_MS = 1000, DP_HELLO_MS = 3000 };

enum dp_state { DP_WAITING, DP_HELLO, DP_ATTACHED };

struct dp;

/* status: 0; -errno of the NACK; -ECONNRESET: the data plane was lost, done or not. */
typedef void (*dp_ack_fn)(void *ctx, uint64_t arg, int status);

struct dp_ops {
	void *ctx;
	/* The segment is there. new_life: another epoch than the last time (true the first time). */
	void (*attached)(void *ctx, bool new_life);
	/* Called before the segment is unmapped, after all pending commands have failed: counters can be read once
	 * more. */
	void (*lost)(void *ctx);
	/* A checked event from worker (or DP_CTL): all but ACK and NACK. */
	void (*event)(void *ctx, unsigned worker, const union msg *m);
	/* Route record seq was refused. */
	void (*route_refused)(void *ctx, uint32_t seq, int status);
	/* IKE datagrams may be waiting; true: there are more than the turn's budget. */
	bool (*ike)(void *ctx);
};

struct dp_counters {
	uint64_t attaches, resets, sent, acks, nacks, events, bad_msgs, stale_msgs, unmatched_acks;
};

/* sock_path is lent. Connects at the loop's first turn. */
struct dp *dp_new(struct loop *loop, const char *sock_path, const struct dp_ops *ops);
/* Detaches (no callbacks) and frees; its handles are closed when the loop has run once more. NULL is fine. */
void dp_free(struct dp *dp);

enum dp_state dp_state(const struct dp *dp);
bool dp_attached(const struct dp *dp);
/* The segment, or NULL. Lent until `lost`. */
struct shm *dp_shm(struct dp *dp);
/* What the tables of both sides hold, from private memory. Valid while attached. */
const struct msg_limits *dp_limits(const struct dp *dp);
/* The epoch of the current or last segment. */
uint64_t dp_epoch(const struct dp *dp);

/* Send command m (type set; the rest of the head is filled in here) to a worker or DP_CTL. len: sizeof its struct. m is
 * wiped: it may hold a key. 0: fn follows. -ENOTCONN no data plane; -EAGAIN table full; -EINVAL no such worker. */
int dp_send(struct dp *dp, unsigned to, union msg *m, uint16_t len, dp_ack_fn fn, void *ctx, uint64_t arg) MUST_USE;
/* The number of the last command that dp_send() took. */
uint32_t dp_last_seq(const struct dp *dp);
/* One route record (type, family, plen, nexthop, addr); *seq gets its number. 0; -ENOBUFS ring full; -ENOTCONN. */
int dp_route(struct dp *dp, struct msg_route *r, uint32_t *seq) MUST_USE;
/* Records that the ctl thread has done of those pushed since the attach, never more than were pushed. */
uint64_t dp_routes_applied(struct dp *dp);
uint64_t dp_routes_pushed(const struct dp *dp);
/* Of the applied ones, those whose refusal would have been told by now. */
uint64_t dp_routes_known(const struct dp *dp);

/* Largest inner packet of an OUT SA now; 0: not known. */
uint32_t dp_sa_mtu(struct dp *dp, uint32_t slot, uint32_t gen);
/* The counters of an SA half when the slot is in this generation's hands: true. */
bool dp_sa_counters(struct dp *dp, uint32_t slot, uint32_t gen, unsigned dir, struct msg_sa_counters *out);

/* Have the worker's (or DP_CTL's) bell rung at the end of the turn. */
void dp_bell(struct dp *dp, unsigned to);
/* End of turn: what waited for room goes into the rings, bells ring. */
void dp_flush(struct dp *dp);
/* The other side broke the contract: drop the connection and attach anew. what is for the log. */
void dp_broken(struct dp *dp, const char *what);

void dp_counters(const struct dp *dp, struct dp_counters *out);
