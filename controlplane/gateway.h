/* The control plane as a whole: who is wired to whom.
 *
 *     config -> tunnels -> place -> feed ------> dp ====== rings ====== data plane
 *                  |                              |
 *                  +--> ike core <-- events -- sadb, ike_io
 *                            \-- jobs -> loop's pool        status <- gwctl
 *
 * The IKE core is told of a tunnel only when the data plane has it and holds the routes, so that whatever a handshake
 * ends in can be installed. The core's hands are here (gateway_env.c); what it must not be called back for waits until
 * the loop is about to sleep. One writer of all of it: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "base/list.h"
#include "config/config.h"
#include "controlplane/dp.h"
#include "controlplane/feed.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike_io.h"
#include "controlplane/loop.h"
#include "controlplane/place.h"
#include "controlplane/resolve.h"
#include "controlplane/sadb.h"
#include "controlplane/status.h"
#include "controlplane/status_show.h"
#include "controlplane/tunnels.h"

enum { GATEWAY_SWEEP_MS = 1000, GATEWAY_STOP_POLL_MS = 20, GATEWAY_BYE_MS = 1500, GATEWAY_STOP_MS = 2000 };

struct gateway_params {
	const char *config_path, *dp_sock; /* lent for good */
	struct config *config;             /* taken over */
	int status_fd;                     /* taken over */
	bool signals;
};

struct gateway {
	struct loop loop;
	const char *config_path;
	struct config *config;
	struct tunnels tunnels;
	struct place place;
	struct dp *dp;
	struct sadb *sadb;
	struct feed *feed;
	struct ike *ike;
	struct resolve *resolve;
	struct status *status;
	struct status_show_state show;
	struct ike_io io;
	uv_timer_t timer;        /* sweep; when stopping: are we done? */
	struct list touched;     /* tunnels whose children came or went */
	bool started;            /* the core has its tunnels */
	bool dp_restarted;       /* and the core does not know it yet */
	uint32_t by_hand;        /* tunnel that is being told to come up right now; IKE_NO_TUNNEL: none */
	char by_hand_cause[256]; /* what it said to that */
	uint64_t stop_at_ms;     /* 0: not stopping */
	bool said_bye;
};

/* 0 or -errno. */
int gateway_init(struct gateway *g, const struct gateway_params *p) MUST_USE;
/* Until SIGTERM has been answered, or gateway_stop() and its end. */
void gateway_run(struct gateway *g);
void gateway_fini(struct gateway *g);
/* Say Delete to all peers, stop all SAs, end the loop; bounded by GATEWAY_STOP_MS. */
void gateway_stop(struct gateway *g);
/* Read the file again; a bad one changes nothing. 0 or -EINVAL. */
int gateway_reload(struct gateway *g);
/* The core's hands. */
struct ike_env gateway_env(struct gateway *g);
/* By hand: gwctl tunnel ... (status_ops.tunnel). */
int gateway_by_hand(void *ctx, const struct status_req *req, char *why, size_t why_len);
