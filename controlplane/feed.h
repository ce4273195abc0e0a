/* What the data plane shall forward by: own addresses, tunnels, next hops and routes of every owner.
 *
 *   connected, static (config) -+
 *   BGP (bgp.h's route_change) -+-> candidates of a prefix -> the one of the least distance that is usable -> dirty list
 *   pins                       -+         ^                                                                     |
 *                        next hops, resolved recursively <- tunnels up and down          ring while it has room <-+
 *
 * The desired state is here; feed_pump() moves the data plane towards it, in this order, each step after the ACKs of the
 * one before: addresses and tunnels -> next hops -> routes. The dirty list is the queue: the latest best wins and a slow data
 * plane costs no memory. Commands in flight are bounded. A refused route stays dirty and is tried again later. After each attach
 * everything is said again between SYNC_BEGIN and SYNC_END, which sweeps what is left from before; forwarding never stops
 * for it.
 *
 * Distances: connected 0, static 1 (or as the config says), eBGP 20. A static route through a tunnel counts only while the
 * tunnel has a child SA (a tunnel that starts on traffic: always).
 * Recursion: a next hop is resolved by the longest usable match among all routes but two kinds: those that would resolve by
 * themselves, and, the guard, BGP routes from a peer that is spoken to over tunnel T when the address is T's endpoint or that peer.
 * Where a guarded route would win the address in the data plane, feed adds a host route (a pin) along the allowed way.
 * Equal legs are merged. A next hop that changes its way is one NEXTHOP_SET for any number of prefixes.
 * One writer: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "bgp/bgp.h"
#include "controlplane/dp.h"
#include "controlplane/tunnels.h"

struct feed;

enum feed_state { FEED_ABSENT, FEED_SENDING, FEED_DONE, FEED_FAILED, FEED_REMOVING };

enum { FEED_IN_FLIGHT_MAX = 256, FEED_POLL_MS = 20 };

struct feed_ops {
	void *ctx;
	void (*ready)(void *ctx);                         /* all is said and answered since the attach */
	void (*tunnel_gone)(void *ctx, struct tunnel *t); /* an unwanted tunnel has left the data plane */
	/* All of these come out of feed_turn() or feed_pump(), never out of the call that caused them. May be NULL (tests). */
	void (*nexthop)(void *ctx, const struct ip_addr *nh, bool reachable, uint32_t metric);
	/* The way to BGP peer `peer`: over tunnel t (NULL: a port). Not reachable: cause says why ("tunnel azure is down"). */
	void (*peer_way)(void *ctx, uint32_t peer, bool reachable, const struct tunnel *t, const char *cause);
	/* A prefix of the config's bgp.originate is, or is no more, in the table (connected, static or an own address). */
	void (*originate)(void *ctx, const struct ip_prefix *p, bool present);
};

enum feed_owner { FEED_CONNECTED, FEED_STATIC, FEED_BGP, FEED_PIN };

struct feed_leg {
	uint8_t kind;                /* MSG_NH_* */
	uint16_t port;               /* PORT: index in the config */
	struct ip_addr via;          /* PORT; IP_NONE: on link */
	const struct tunnel *tunnel; /* TUNNEL; else NULL */
};

struct feed_route_info {
	struct ip_prefix to;
	enum feed_owner owner;
	uint8_t distance;
	bool selected;          /* the candidate of its prefix that counts */
	struct ip_addr nexthop; /* as configured or learned (the first); IP_NONE: none */
	unsigned n;             /* resolved legs; 0: not usable now (leg[0] may name the tunnel that is down) */
	struct feed_leg leg[MSG_NH_LEGS];
	const char *state; /* "installed", "pending", "failed", "inactive" (with cause) */
	const char *cause; /* inactive, failed: words; else "" */
	int err;           /* failed: -errno */
};

struct feed *feed_new(struct loop *loop, struct dp *dp, struct tunnels *ts, const struct feed_ops *ops);
void feed_free(struct feed *f);

/* Take addresses and routes from c (tunnels: those of the table that are wanted). c is not kept. */
void feed_config(struct feed *f, const struct config *c);
/* A tunnel's row has changed. */
void feed_tunnel_changed(struct feed *f, struct tunnel *t);
void feed_attached(struct feed *f);
void feed_lost(struct feed *f);
/* hold: the attach is not said to be over, so that nothing is swept, and not ready. For the time in which it is not known what
 * carries traffic. */
void feed_hold(struct feed *f, bool hold);
/* learning: the sessions have not told their routes yet. Ready all the same, but what a former control plane has left is not swept, and
 * not replaced by what would count only without BGP's route. */
void feed_learning(struct feed *f, bool learning);
/* Has the data plane all that it shall have at the moment? True when there is none. */
bool feed_quiet(const struct feed *f);
void feed_route_refused(struct feed *f, uint32_t seq, int status);
bool feed_ready(const struct feed *f);
/* Do what can be done now: a pass over everything. */
void feed_pump(struct feed *f);
/* The same, if anything has changed. Before every wait. */
void feed_turn(struct feed *f);
void feed_kick(struct feed *f);
/* Routes behind *after in prefix order (family IP_NONE: from the start), all candidates of each prefix, at most max prefixes; *after
 * gets the last. fn returns false to stop; info is lent. Number of prefixes. */
unsigned feed_walk(struct feed *f, struct ip_prefix *after, unsigned max,
		   bool (*fn)(void *arg, const struct feed_route_info *i), void *arg);

/* --- what BGP says (the core's env functions may call these) --- */

/* The best route of a prefix, or none (NULL). b is lent. Peers as in feed_bgp_peer(). */
void feed_bgp_route(struct feed *f, const struct ip_prefix *p, const struct bgp_best *b);
/* Peer `peer` of the BGP core is at addr (IP_NONE: it is gone): peer_way() answers, now and at every change. */
void feed_bgp_peer(struct feed *f, uint32_t peer, const struct ip_addr *addr);
/* Next hops of BGP paths: nexthop() answers, now and at every change. */
void feed_watch(struct feed *f, const struct ip_addr *nh);
void feed_unwatch(struct feed *f, const struct ip_addr *nh);
/* The tunnel has got its first child SA, or lost its last. */
void feed_tunnel_up(struct feed *f, struct tunnel *t, bool up);
/* t->peer has changed. */
void feed_tunnel_moved(struct feed *f, struct tunnel *t);
/* Where would the data plane send a packet to addr, by what feed wants? Number of legs (0: nowhere); *tunnel: of the first. */
unsigned feed_resolve(struct feed *f, const struct ip_addr *addr, struct feed_leg leg[MSG_NH_LEGS]);

struct feed_totals {
	uint32_t routes, dirty, failed; /* prefixes */
	uint64_t pushed, applied;       /* records of this attach */
	uint64_t octets;                /* that routes and their index take */
};
void feed_totals(const struct feed *f, struct feed_totals *out);
