/* What the data plane shall forward by: own addresses, tunnels, next hops and static routes, kept equal to the config.
 *
 * The desired state is here; feed_pump() moves the data plane towards it, in this order, each step after the ACKs of
 * the one before: addresses and tunnels -> next hops -> routes. Commands in flight are bounded, and routes go while
 * their ring has room, so a slow data plane costs no memory. After each attach everything is said again between
 * SYNC_BEGIN and SYNC_END, which sweeps what is left from before; forwarding never stops for it. Next hop ids change
 * halves of the id space with the parity of the attach generation, so that an id which live routes still use never
 * changes its meaning under them. A route through a tunnel stays while the tunnel is down: its packets are dropped as
 * no-sa and ask for the tunnel. One writer: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "controlplane/dp.h"
#include "controlplane/tunnels.h"

struct feed;

enum feed_state { FEED_ABSENT, FEED_SENDING, FEED_DONE, FEED_FAILED, FEED_REMOVING };

enum { FEED_IN_FLIGHT_MAX = 256, FEED_POLL_MS = 20 };

struct feed_ops {
	void *ctx;
	void (*ready)(void *ctx);                         /* all is said and answered since the attach */
	void (*tunnel_gone)(void *ctx, struct tunnel *t); /* an unwanted tunnel has left the data plane */
};

struct feed_route_info {
	struct ip_prefix to;
	uint8_t kind;                /* MSG_NH_* */
	struct ip_addr via;          /* PORT */
	const struct tunnel *tunnel; /* TUNNEL; else NULL */
	uint16_t port;               /* PORT: index in the config */
	const char *state;           /* "installed", "pending", "failed" */
	int err;                     /* failed: -errno */
};

struct feed *feed_new(struct loop *loop, struct dp *dp, struct tunnels *ts, const struct feed_ops *ops);
void feed_free(struct feed *f);

/* Take addresses and routes from c (tunnels: those of the table that are wanted). c is not kept. */
void feed_config(struct feed *f, const struct config *c);
/* A tunnel's row has changed. */
void feed_tunnel_changed(struct feed *f, struct tunnel *t);
void feed_attached(struct feed *f);
void feed_lost(struct feed *f);
void feed_route_refused(struct feed *f, uint32_t seq, int status);
bool feed_ready(const struct feed *f);
/* Do what can be done now: a pass over everything. */
void feed_pump(struct feed *f);
/* The same, if anything has changed. Before every wait. */
void feed_turn(struct feed *f);
void feed_kick(struct feed *f);
/* fn returns false to stop; info is lent. */
void feed_walk(struct feed *f, bool (*fn)(void *arg, const struct feed_route_info *i), void *arg);
