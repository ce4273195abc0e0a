/* Private to dp*.c: the connection's state. */
#pragma once

#include "base/list.h"
#include "controlplane/dp.h"

/* The handles of one connection: libuv closes them later than we drop it, so they live on their own. */
struct dp_conn {
	struct dp *dp; /* NULL: dropped */
	uv_poll_t sock, bell;
	int fd;
	bool bell_open;
	unsigned n_open;
};

struct dp_pending {
	uint32_t seq; /* 0: free */
	uint16_t type;
	uint8_t to;
	dp_ack_fn fn;
	void *ctx;
	uint64_t arg;
};

/* A command that found its ring full. */
struct dp_queued {
	struct list link;
	uint16_t len;
	union msg m;
};

struct dp {
	struct loop *loop;
	const char *sock_path;
	struct dp_ops ops;
	enum dp_state state;
	struct dp_conn *conn;
	uv_timer_t timer;   /* back-off, or the wait for hello */
	uv_idle_t more;     /* a turn left something: again, after the others */
	unsigned n_handles; /* open, of these two */
	uint32_t backoff_ms;
	bool said_waiting;
	const char *broken; /* why to drop the connection at the end of the turn */

	struct shm shm;
	struct msg_limits limits;
	uint64_t epoch, attached_at_ms, applied_base, routes_pushed, routes_known;
	uint32_t seq, route_seq, n_pending;
	struct dp_pending *pending; /* [DP_PENDING_MAX], by seq */
	struct list queue[SHM_WORKERS_MAX + 1];
	uint64_t bells; /* bit per worker, bit DP_CTL */
	struct dp_counters c;
};

/* Connect now, or wait and try again. */
void dp_link_start(struct dp *dp);
/* The connection is over: pending commands fail, `lost` is called, the next attempt is set. */
void dp_link_detach(struct dp *dp, const char *cause);
/* Close the connection's handles. No callbacks. */
void dp_link_drop(struct dp *dp);
/* Forget (and wipe) the commands that wait for room. */
void dp_link_forget(struct dp *dp);
