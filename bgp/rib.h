/* Routes: Adj-RIB-In of every peer and Loc-RIB in one table by prefix. RFC 4271 3.2, 9.1. Private to bgp/.
 *
 * A prefix (net) holds a list of paths, at most one per peer; a path holds the set as received and the set after import policy (the
 * same object when the policy changes nothing), so a changed policy is evaluated anew without asking the peer. When the best of
 * a net changes, ops say so once, and the net is queued for every peer's Adj-RIB-Out (out.h).
 * Whole-table work is queued here and done in slices by rib_work(). Thread: the core's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bgp/attr.h"
#include "bgp/bgp.h"
#include "bgp/intern.h"
#include "bgp/policy.h"

struct rib;
struct rib_peer; /* rib.c's part of a peer */

struct rib_ops {
	void *ctx;
	void (*route_change)(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *b);
	void (*nexthop_watch)(void *ctx, const struct ip_addr *nh);
	void (*nexthop_unwatch)(void *ctx, const struct ip_addr *nh);
	/* out_pull() of this peer has something again. May be called in any rib or out function. */
	void (*out_ready)(void *ctx, uint32_t peer);
};

/* What the RIB has to know of a peer; the session fills it when it reaches Established. */
struct rib_session {
	struct bgp_codec codec;  /* ASes, addresses, negotiated families and AS width */
	uint32_t remote_id;      /* BGP Identifier, host order: decision step f */
	bool default_originate;  /* default to this peer, whatever the export policy says (seed row 3-07) */
	uint32_t max_prefix_out; /* 0: none */
	uint8_t multihop;        /* 0: directly connected; decides the next hop that is sent (4271 5.1.3) */
	struct ip_prefix
		lan; /* the port's network that the peer is on: a next hop there may stay (5.1.3); IP_NONE: self */
};

enum { RIB_PEERS_MAX = 4096, RIB_SLICE = 2048 /* nets per rib_work() */, RIB_AHEAD = 32 };

struct rib *rib_new(const struct rib_ops *ops, struct intern *in);
void rib_free(struct rib *r);

/* Policies of a peer; NULL: none (RFC 8212: nothing in or out). A change queues an evaluation of what is there; policies that
 * say the same as before (policy_equal(): the old ones must still live) do not. local_as: of the gateway. Also for a peer that
 * is not up. */
void rib_peer_policy(struct rib *r, uint32_t peer, const struct policy *import, const struct policy *export,
		     uint32_t local_as);
/* The largest number of paths that share load; 1: none. */
void rib_multipath(struct rib *r, unsigned max);

/* s is copied. The whole Adj-RIB-Out is queued. */
void rib_peer_up(struct rib *r, uint32_t peer, const struct rib_session *s);
/* These two of an Established peer's session have another value in a new config. */
void rib_peer_export(struct rib *r, uint32_t peer, bool default_originate, uint32_t max_prefix_out);
/* All paths of the peer go, in slices; its Adj-RIB-Out at once. The peer may come up again before the slices are done: paths of
 * the old session are told apart from new ones. */
void rib_peer_down(struct rib *r, uint32_t peer);
/* The peer leaves the config (after rib_peer_down). */
void rib_peer_forget(struct rib *r, uint32_t peer);

/* These prefixes are about to be updated or withdrawn: fetch what that looks at, all at once instead of one by one (a table of a
 * million is in no cache). Changes nothing; at most RIB_AHEAD are looked at. */
void rib_prefetch(const struct rib *r, uint8_t family, const struct ip_prefix *p, unsigned n);
/* Paths of an Established peer. a: lent, interned, the set as received. Own AS in the path (4271 9.1.2), our own next hop and the like make a
 * path that is kept and shown but not eligible. */
void rib_update(struct rib *r, uint32_t peer, const struct ip_prefix *p, const struct bgp_attrs *a);
void rib_withdraw(struct rib *r, uint32_t peer, const struct ip_prefix *p);
/* Paths in the peer's Adj-RIB-In, and of those the accepted. */
uint32_t rib_received(const struct rib *r, uint32_t peer);
uint32_t rib_accepted(const struct rib *r, uint32_t peer);
/* The peer has sent its whole table again after our ROUTE-REFRESH? No stale handling here (RFC 7313 is later). */

/* A locally originated prefix (network statement) that may be sent; NEXT_HOP self, ORIGIN IGP, empty path. */
void rib_originate(struct rib *r, const struct ip_prefix *p, bool present);
void rib_nexthop(struct rib *r, const struct ip_addr *nh, bool reachable, uint32_t metric);

/* One slice of queued work. true: there is more. */
bool rib_work(struct rib *r);
bool rib_busy(const struct rib *r);

/* As bgp_walk(). Rows of a prefix are not torn apart, so the first prefix may give more than max. The order is made at the first
 * call and kept until a walk ends: prefixes that came meanwhile may be missing. */
unsigned rib_walk(struct rib *r, enum bgp_view v, uint32_t peer, struct ip_prefix *after, unsigned max,
		  bool (*fn)(void *arg, const struct bgp_row *row), void *arg);
void rib_totals(const struct rib *r, struct bgp_totals *out);

/* --- Adj-RIB-Out (out.c) --- */

/* The next message to the peer: whole, with its header, at most BGP_MSG_MAX octets into buf (of that size). 0: nothing to send now.
 * Withdrawals first; then announcements, many prefixes of one set in a message; after the first full pass End-of-RIB of each negotiated family. */
size_t out_pull(struct rib *r, uint32_t peer, uint8_t *buf);
bool out_pending(const struct rib *r, uint32_t peer);
/* ROUTE-REFRESH for a family: everything of it once more (2918). */
void out_refresh(struct rib *r, uint32_t peer, uint8_t family);
uint32_t out_count(const struct rib *r, uint32_t peer); /* prefixes advertised */
/* max_prefix_out keeps prefixes back. */
bool out_limited(const struct rib *r, uint32_t peer);
