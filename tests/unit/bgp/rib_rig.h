/* A RIB with what a test needs around it: what it told is remembered, next hops are answered, messages are read back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bgp/intern.h"
#include "bgp/policy.h"
#include "bgp/rib.h"

enum { RIG_AS = 65001, RIG_ROUTES = 512, RIG_HOPS = 32, RIG_PEERS = 8 };

/* The route that the RIB has told last of a prefix. */
struct rig_route {
	struct ip_prefix prefix;
	unsigned n, told; /* told: how often */
	struct ip_addr nexthop[BGP_PATHS_MAX];
	uint32_t peer[BGP_PATHS_MAX];
};

/* What a peer holds after all messages: RFC 4271 from the other side. */
struct rig_heard {
	struct ip_prefix prefix;
	bool there;
	unsigned times; /* announced */
	const struct bgp_attrs *a;
};

struct rig {
	struct intern *in;
	struct rib *r;
	struct config cfg;
	struct policy_set *policies;
	struct rig_route route[RIG_ROUTES];
	unsigned n_routes, changes;
	bool blind; /* routes are counted, not remembered */
	struct ip_addr watched[RIG_HOPS];
	unsigned n_watched;
	unsigned ready[RIG_PEERS];
	struct rib_session session[RIG_PEERS];
	struct rig_heard heard[RIG_PEERS][RIG_ROUTES];
	unsigned n_heard[RIG_PEERS];
	unsigned eor_v4[RIG_PEERS], eor_v6[RIG_PEERS], messages[RIG_PEERS];
	unsigned most;       /* prefixes announced by one message */
	unsigned same_again; /* announcements that said nothing new */
};

void rig_init(struct rig *g);
/* All references must have been given back: intern_free() looks. */
void rig_fini(struct rig *g);

/* Policies of the rig: "all", "ten" (only 10/8 and longer, MED 77), "hop" (next hop 192.0.2.99), "none" (denies). */
const struct policy *rig_policy(const struct rig *g, const char *name);
/* Peer i: address 10.0.0.(i + 1), AS 65010 + i, ID 0.0.0.(i + 1), both families, 2001:db8::(i+1) not used. Up with these policies. */
void rig_peer(struct rig *g, uint32_t i, const char *import, const char *export);
void rig_peer_down(struct rig *g, uint32_t i);

struct ip_prefix rig_prefix(const char *s);
struct ip_addr rig_addr(const char *s);
/* An interned set. path: "65010 65020"; the caller gives it back. */
const struct bgp_attrs *rig_set(struct rig *g, const char *nexthop, const char *path);
void rig_announce(struct rig *g, uint32_t peer, const char *prefix, const char *nexthop, const char *path);
void rig_withdraw(struct rig *g, uint32_t peer, const char *prefix);
void rig_reach(struct rig *g, const char *nexthop, bool reachable, uint32_t metric);
bool rig_watched(const struct rig *g, const struct ip_addr *a);

/* Work until there is none. */
void rig_work(struct rig *g);
/* Work and pull for all peers until there is nothing; messages are decoded into heard. */
void rig_pull(struct rig *g);
/* The peer reads one message of out_pull(); 0 octets are none. */
void rig_hear(struct rig *g, uint32_t peer, const uint8_t *msg, size_t len);
/* NULL: never told of it. */
const struct rig_route *rig_route(const struct rig *g, const char *prefix);
/* What the peer holds of it, NULL: nothing. */
const struct bgp_attrs *rig_held(const struct rig *g, uint32_t peer, const char *prefix);
unsigned rig_times(const struct rig *g, uint32_t peer, const char *prefix);
unsigned rig_held_count(const struct rig *g, uint32_t peer);
/* Path and next hop of a set in text: "65001 65010 via 10.0.0.1". */
const char *rig_text(const struct bgp_attrs *a);
