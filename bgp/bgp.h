/* BGP-4 (RFC 4271): the room's only door.
 *
 * A core without hands. It is given octets, events and the time, and gives octets, effects and its next deadline. No
 * socket, no clock, no random source, no ring inside: they come in by struct bgp_env. So the same code runs in the
 * control plane, in the simulator with virtual time, and in the benchmark.
 *
 *   octets -> peer.c (framing) -> wire.c -> fsm.c -> update.c -> attr.c (RFC 7606) -> rib.c (Adj-RIB-In)
 *          -> policy.c (import) -> decide.c -> env->route_change        rib.c -> policy.c (export) -> out.c -> octets
 *
 * One struct bgp serves all peers; peers are eBGP only. A peer is named by its index, a TCP connection by a number that
 * the core gives (never 0, not used again soon). All calls come from one thread, none re-enters: env functions must not
 * call back into the core, but queue.
 *
 * Invariants: without an import policy nothing is accepted, without an export policy nothing is sent (RFC 8212); at most
 * one connection of a peer is Established (4271 6.8); an UPDATE with a malformed attribute never leaves the earlier path
 * of its prefixes in force (7606 2); a path whose next hop is not known to be reachable is never best (4271 9.1.2.1);
 * what is sent to a peer and did not change is not sent again, but for a ROUTE-REFRESH. Work that a single event makes
 * for a whole table (a peer lost, a policy changed, a next hop gone) is done in slices by bgp_tick(), so that keepalives
 * stay on time.
 *
 * RFCs: 4271, 4760 (MP-BGP), 2545 (IPv6), 5492 + 9072 (capabilities), 6793 (4-octet AS), 2918 (route refresh), 6286 (ID), 6608
 * (FSM subcodes), 7606 (revised errors), 7607 (AS 0), 8212 (default reject), 1997 / 4360 / 8092 (communities), 4486 + 9003
 * (Cease), 9687's send-hold timer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/xlist.h"
#include "config/config.h"

struct bgp;

enum { BGP_NO_PEER = 0xffffffffu, BGP_PATHS_MAX = 8 /* of a multipath route */ };

/* RFC 4271 8.2.2, in the words that people read. */
#define BGP_STATES(X)             \
	X(BGP_IDLE, "Idle")       \
	X(BGP_CONNECT, "Connect") \
	X(BGP_ACTIVE, "Active")   \
	X(BGP_OPENSENT, "OpenSent") X(BGP_OPENCONFIRM, "OpenConfirm") X(BGP_ESTABLISHED, "Established")
XLIST_ENUM(bgp_state, BGP_STATE_N, BGP_STATES);
const char *bgp_state_name(unsigned v);

/* The best route of a prefix: the winner first, then those that share its load. */
struct bgp_best {
	unsigned n; /* 1..BGP_PATHS_MAX */
	struct {
		const struct ip_addr *nexthop;
		uint32_t peer; /* who told it */
	} path[BGP_PATHS_MAX];
};

/* What a person should hear of. Strings are lent and already escaped. */
struct bgp_notice {
	uint32_t peer;
	const char *name;        /* the peer's */
	enum bgp_state from, to; /* equal: no change of state */
	const char *cause;       /* words: what, why, and what to do about it */
	bool bad;                /* a peer or a path misbehaves: a warning */
};

/* The core's hands. None may call back into the core. */
struct bgp_env {
	void *ctx;
	/* Open a TCP connection to the peer; bgp_connected() or bgp_closed() for conn follows. 0; -errno: no event follows. */
	int (*connect)(void *ctx, uint32_t peer, uint32_t conn);
	/* Octets taken of b, 0..len; when fewer than len, bgp_writable(conn) follows once there is room. */
	size_t (*send)(void *ctx, uint32_t conn, const uint8_t *b, size_t len);
	/* Close; what send() took shall still leave. No event follows. */
	void (*close)(void *ctx, uint32_t conn);
	/* For the jitter of timers (RFC 4271 10). */
	uint32_t (*random)(void *ctx);
	/* The best route of prefix is now b (lent), or none (NULL). At most once per event and change. */
	void (*route_change)(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *b);
	/* Is nh reachable, and how far? bgp_nexthop() answers now or whenever that changes, until unwatch. Until then: no. */
	void (*nexthop_watch)(void *ctx, const struct ip_addr *nh);
	void (*nexthop_unwatch)(void *ctx, const struct ip_addr *nh);
	void (*notice)(void *ctx, const struct bgp_notice *n);
};

/* env is copied. NULL never. */
struct bgp *bgp_new(const struct bgp_env *env);
/* Frees all; sends nothing, closes nothing (bgp_shutdown() first). NULL is fine. */
void bgp_free(struct bgp *b);

/* Take over the BGP part of c (peers by name; lists and policies compiled). The first call starts the peers; later ones
 * change only what differs: a peer whose session parameters changed is closed (Cease 6/3 or 6/6) and begins anew, one with
 * another policy is evaluated anew without a reset (Adj-RIB-In is kept), one that is gone is closed (Cease 6/3). c must
 * live until the next call or bgp_free(). Peers keep their index. */
void bgp_config(struct bgp *b, const struct config *c, uint64_t now_ms);
/* Withdraws nothing, tells every peer Cease/Administrative Shutdown (RFC 4486) and stops; text (<= 128 octets UTF-8, NULL:
 * none) is RFC 9003's. */
void bgp_shutdown(struct bgp *b, const char *text, uint64_t now_ms);

/* --- events --- */

/* Our own connect() has worked. local, remote: as the kernel says. */
void bgp_connected(struct bgp *b, uint32_t conn, const struct ip_addr *local, uint64_t now_ms);
/* Somebody connected to us. peer: by the source address. The connection's number, or 0: refused, close it. Nothing is sent on it
 * before the next bgp_tick(), which is due at once. */
uint32_t bgp_accepted(struct bgp *b, uint32_t peer, const struct ip_addr *local, uint64_t now_ms);
/* The connection has failed (err: -errno) or was closed by the peer (0). It is gone: env's close is not called for it. */
void bgp_closed(struct bgp *b, uint32_t conn, int err, uint64_t now_ms);
/* Octets of the stream, any number. false: the connection is gone now (the core has called close). */
bool bgp_input(struct bgp *b, uint32_t conn, const uint8_t *p, size_t len, uint64_t now_ms);
void bgp_writable(struct bgp *b, uint32_t conn, uint64_t now_ms);
/* The way to a watched next hop. metric: of the route to it; smaller is nearer. */
void bgp_nexthop(struct bgp *b, const struct ip_addr *nh, bool reachable, uint32_t metric, uint64_t now_ms);
/* A prefix of `originate` is, or is no longer, in the table of routes. */
void bgp_originate(struct bgp *b, const struct ip_prefix *prefix, bool present, uint64_t now_ms);
/* Is there a way to the peer at all? Tunnel down: false, with the cause in words; a session is not tried meanwhile. An
 * established one is left to its hold timer. Default: true. */
void bgp_peer_reachable(struct bgp *b, uint32_t peer, bool reachable, const char *cause, uint64_t now_ms);

/* Monotonic ms of the next thing to do; UINT64_MAX: none. Not later than now when work is waiting. */
uint64_t bgp_deadline(const struct bgp *b);
/* Timers that are due, and one slice of waiting work (a few ms at most). */
void bgp_tick(struct bgp *b, uint64_t now_ms);

/* --- by hand (gwctl bgp ...) --- */

/* soft: ask for a refresh and send ours again, no reset; -ENOTCONN: not Established. Else Cease 6/4, and what kept the peer waiting is
 * forgotten: it is tried at once; -ENOTCONN: it is shut down, or there is no way to it. -ENOENT: no such peer. */
int bgp_clear(struct bgp *b, uint32_t peer, bool soft, uint64_t now_ms) MUST_USE;

/* --- for show: everything is lent until the next call --- */

struct bgp_peer_info {
	const struct cfg_bgp_peer *cfg;
	enum bgp_state state;
	uint64_t since_ms; /* of this state; 0: never changed */
	uint32_t remote_id;
	uint32_t hold_s, keepalive_s;                                   /* negotiated */
	struct ip_addr local;                                           /* of the connection */
	bool as4, refresh, mp_v4, mp_v6;                                /* negotiated */
	bool caps_rcvd, as4_rcvd, refresh_rcvd, mp_v4_rcvd, mp_v6_rcvd; /* as the peer said */
	uint64_t msg_in[6], msg_out[6];                                 /* by type: 1 OPEN .. 5 ROUTE-REFRESH; 0: all */
	uint64_t established;                                           /* times */
	uint32_t pfx_received, pfx_accepted, pfx_sent;
	bool no_import, no_export; /* RFC 8212: for lack of a policy */
	bool max_prefix_hit;
	const char *last_error; /* words, direction and codes in them; "" */
	uint64_t last_error_ms;
	uint64_t malformed_withdraw,
		malformed_discard; /* RFC 7606: UPDATEs treated as withdraw, attributes discarded */
	const char *unreachable;   /* why no session is tried; "" */
	uint32_t conn;             /* the one that counts; 0: none */
};

unsigned bgp_peer_count(const struct bgp *b); /* indices < this; some may be free */
/* false: no such peer. */
bool bgp_peer_info(const struct bgp *b, uint32_t peer, struct bgp_peer_info *out);
/* By name, or by address in text. BGP_NO_PEER: none. */
uint32_t bgp_peer_find(const struct bgp *b, const char *name_or_addr);
uint32_t bgp_peer_by_addr(const struct bgp *b, const struct ip_addr *a);
uint32_t bgp_router_id(const struct bgp *b);

enum bgp_view {
	BGP_VIEW_RECEIVED,   /* Adj-RIB-In as it came, before policy */
	BGP_VIEW_ROUTES,     /* accepted, after import policy */
	BGP_VIEW_ADVERTISED, /* as on the wire */
	BGP_VIEW_BEST,       /* Loc-RIB, all paths of each prefix (peer is ignored) */
};
struct bgp_attrs; /* bgp/attr.h; the text functions below read it */
struct bgp_row {
	struct ip_prefix prefix;
	const struct bgp_attrs *attrs;
	uint32_t peer;                         /* BGP_NO_PEER: originated here */
	bool valid, best, multipath, filtered; /* filtered: by import policy or a loop; only in RECEIVED */
	const char *why; /* RECEIVED: why not accepted; BEST: the deciding step (loser) or "best" */
};
/* From the first prefix behind *after (family IP_NONE: from the start), at most max rows; *after gets the last. Prefix order.
 * Number of rows; fn returns false to stop. */
unsigned bgp_walk(struct bgp *b, enum bgp_view v, uint32_t peer, struct ip_prefix *after, unsigned max,
		  bool (*fn)(void *arg, const struct bgp_row *r), void *arg);

struct bgp_attrs_text {
	struct ip_addr nexthop;
	bool has_med, has_local_pref;
	uint32_t med, local_pref;
	char origin;         /* i, e or ? */
	char path[512];      /* "65010 65020 {1,2}", cut with "..." */
	char community[256]; /* "65010:1 no-export", cut with "..." */
	char large[256];
};
void bgp_attrs_text(const struct bgp_attrs *a, struct bgp_attrs_text *out);

struct bgp_totals {
	uint64_t prefixes, paths, attr_sets;
	uint64_t octets; /* that RIB and attribute sets take */
};
void bgp_totals(const struct bgp *b, struct bgp_totals *out);
