/* The BGP core's hands: tcp.c for its octets, the loop for its time, `ops` for its routes, log lines for its notices.
 *
 *   config -> bgp_config + tcp_config          tcp.c -> bgp_accepted, bgp_connected, bgp_input, bgp_writable, bgp_closed
 *   core -> connect (waits for bgp_io_turn()), send, close, notices
 *
 * The gateway gives ops that reach feed; a speaker without a data plane (tests, perf) gives none: then every next hop is reachable
 * and every prefix of `originate` is there. Thread: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bgp/bgp.h"
#include "controlplane/loop.h"
#include "controlplane/tcp.h"

struct bgp_io;

enum { BGP_IO_CHANGES = 10 /* of a peer's state that are remembered */ };

struct bgp_io_ops {
	void *ctx;
	/* As struct bgp_env's; called from within the core. */
	void (*route_change)(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *b);
	void (*nexthop_watch)(void *ctx, const struct ip_addr *nh);
	void (*nexthop_unwatch)(void *ctx, const struct ip_addr *nh);
	/* Peer is at addr now (IP_NONE: it is gone). */
	void (*peer)(void *ctx, uint32_t peer, const struct ip_addr *addr);
	/* The largest segment on the way to addr; 0: unknown. */
	uint16_t (*mss)(void *ctx, const struct ip_addr *addr);
};

/* ops: copied; NULL: no data plane. */
struct bgp_io *bgp_io_new(struct loop *loop, const struct bgp_io_ops *ops);
/* Closes all at once; handles end when the loop has run once more. NULL is fine. */
void bgp_io_free(struct bgp_io *io);
struct bgp *bgp_io_core(struct bgp_io *io);
/* The config in force; NULL before the first. */
const struct config *bgp_io_configured(const struct bgp_io *io);

/* c lives until the next call or bgp_io_free(). */
void bgp_io_config(struct bgp_io *io, const struct config *c);
/* Is there a way to the peer (bgp_peer_reachable)? over: "tunnel azure", "port wan0". Its segments are sized anew. */
void bgp_io_way(struct bgp_io *io, uint32_t peer, bool reachable, const char *over, const char *cause);

/* For the loop: when to tick, the tick, and before every wait. */
uint64_t bgp_io_deadline(const struct bgp_io *io);
void bgp_io_tick(struct bgp_io *io);
void bgp_io_turn(struct bgp_io *io);

/* Tell all peers that we stop. */
void bgp_io_shutdown(struct bgp_io *io);
/* Has every peer acknowledged what was said before its connection was closed? */
bool bgp_io_quiet(const struct bgp_io *io);

/* Changes of best routes so far, for "BGP table version". */
uint64_t bgp_io_version(const struct bgp_io *io);
/* "" for an index that nobody has. Lent until the next bgp_io_config(). */
const char *bgp_io_peer_name(const struct bgp_io *io, uint32_t peer);
/* As bgp_io_way() was told; "". */
const char *bgp_io_peer_over(const struct bgp_io *io, uint32_t peer);

struct bgp_io_change {
	enum bgp_state from, to;
	int64_t at_s; /* since 1970 */
	char cause[200];
};
/* Change number n of the peer's state, 0 the last; NULL: as many are not known. */
const struct bgp_io_change *bgp_io_change(const struct bgp_io *io, uint32_t peer, unsigned n);
bool bgp_io_tcp(const struct bgp_io *io, uint32_t conn, struct tcp_info_row *out);
void bgp_io_tcp_counters(const struct bgp_io *io, struct tcp_counters *out);
