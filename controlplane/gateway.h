/* The control plane as a whole: who is wired to whom.
 *
 *     config -> tunnels -> place -> feed ------> dp ====== rings ====== data plane
 *                  |                              |
 *                  +--> ike core <-- events -- sadb, ike_io
 *                  |         \-- jobs -> loop's pool        status <- gwctl
 *                  +--> bgp_io -> bgp core
 *                         |  \-- tcp -> kernel -> TUN -> data plane
 *                       feed: routes down; ways, next hops and originated prefixes up (gateway_bgp.c)
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
#include "controlplane/bgp_io.h"
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
/* Before that, for BGP's Cease to leave through tunnels that still live; and for the data plane to answer a question. */
enum { GATEWAY_CEASE_MS = 700, GATEWAY_QUESTIONS_MAX = 16 };
/* How long a fresh control plane waits for BGP's peers before it sweeps what the former one has learned, and for how long a session
 * must have told nothing new. How long a connection waits for the data plane to have the way to the peer. */
enum { GATEWAY_LEARN_MS = 120000, GATEWAY_LEARN_QUIET_MS = 3000, GATEWAY_WAY_MS = 1000 };

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
	struct bgp_io *bgp;
	struct resolve *resolve;
	struct status *status;
	struct status_show_state show;
	struct ike_io io;
	uv_timer_t timer;        /* sweep; when stopping: are we done? */
	struct list touched;     /* tunnels whose children came or went */
	uint64_t started_ms;     /* when the process began */
	bool started;            /* the core has its tunnels */
	bool dp_restarted;       /* and the core does not know it yet */
	uint32_t by_hand;        /* tunnel that is being told to come up right now; IKE_NO_TUNNEL: none */
	char by_hand_cause[256]; /* what it said to that */
	uint64_t stop_at_ms;     /* 0: not stopping */
	uint64_t cease_until_ms; /* stopping: IKE is told to at that time or before; 0: it has been */
	bool said_bye;
	bool learning;           /* BGP has not told all since the process began */
	uint64_t learn_until_ms; /* 0: the data plane is not in step yet */
	uint64_t learn_version;  /* of the table, at the last look */
	uint64_t busy_since_ms;  /* feed is not quiet; 0: it is */
	struct {
		uint32_t seq, ticket; /* a FIB_GET, and who waits for it; 0: free */
	} question[GATEWAY_QUESTIONS_MAX];
};

/* 0 or -errno. */
int gateway_init(struct gateway *g, const struct gateway_params *p) MUST_USE;
/* Until SIGTERM has been answered, or gateway_stop() and its end. */
void gateway_run(struct gateway *g);
void gateway_fini(struct gateway *g);
/* Say Cease to BGP peers, then Delete to IKE's, stop all SAs, end the loop; bounded by GATEWAY_CEASE_MS + GATEWAY_STOP_MS. */
void gateway_stop(struct gateway *g);
/* Read the file again; a bad one changes nothing. 0 or -EINVAL. */
int gateway_reload(struct gateway *g);
/* Our outer address of this family for t: the config's, or the port's first. false: there is none. */
bool gateway_local(const struct gateway *g, const struct tunnel *t, uint8_t family, struct ip_addr *out);
/* Is there one? ctx is the gateway. */
bool gateway_can_reach(void *ctx, const struct tunnel *t, uint8_t family);
/* Traffic found no SA: the core is told. */
void gateway_no_sa(struct gateway *g, const struct msg_no_sa *m);
/* The core's hands. */
struct ike_env gateway_env(struct gateway *g);
/* By hand: gwctl tunnel ... (status_ops.tunnel). */
int gateway_by_hand(void *ctx, const struct status_req *req, char *why, size_t why_len);

/* gateway_bgp.c */
struct bgp_io_ops gateway_bgp_ops(struct gateway *g);
void gateway_bgp_feed(struct feed_ops *ops);
/* Connections, once the data plane has the ways to the peers. Before every wait. */
void gateway_bgp_turn(struct gateway *g);
/* The process begins: what a former one has learned stays until the peers have told theirs. Then once a second. */
void gateway_bgp_learn(struct gateway *g);
void gateway_bgp_learned(struct gateway *g);
/* By hand: gwctl bgp clear (status_ops.bgp). */
int gateway_bgp_clear(void *ctx, const struct status_req *req, char *why, size_t why_len);

/* gateway_ask.c: `gwctl show` (status_ops.show). */
void gateway_show(void *ctx, const struct status_req *req, struct status_answer *a);
/* The data plane's answer to a FIB_GET. */
void gateway_fib_info(struct gateway *g, const struct msg_fib_info *m);
