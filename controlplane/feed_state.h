/* Private to feed*.c: the desired state, and what the data plane has of it.
 *
 *   way   an address that somebody wants to reach (a next hop, a peer, a tunnel's endpoint), with the legs that lead there
 *   hop   what routes point to: a tunnel, nothing, or one or more ways; it has one next-hop id in the data plane
 *   cand  a route of the config, of a port, or a pin: one of the candidates of its prefix. BGP's has no cand: it is in the node
 *
 * A change goes cands and nodes -> ways (feed_way.c) -> hops (feed_hop.c) -> nodes -> dirty list -> ring (feed_route.c). All three
 * are named by numbers, 0 is none, and keep them while somebody refers to them.
 */
#pragma once

#include "controlplane/addrset.h"
#include "controlplane/feed.h"
#include "controlplane/rtable.h"

enum {
	FEED_DEPTH = 8,      /* levels of recursion */
	FEED_LOOKS = 512,    /* look-ups that one way may take, over all branches */
	FEED_ID_RESERVE = 8, /* this part of the next-hop ids is not for BGP alone */
	FEED_SEEN = 64,      /* ways that one depends on by name; with more, on all */
	FEED_TURN = 4096,    /* route records of one turn */
	FEED_SCAN = 65536,   /* nodes that one turn looks at again */
	FEED_HISTORY =
		1 << 16,     /* records that a refusal is matched with; more than the rings and their owners can hold */
	FEED_BACKLOG_MS = 1, /* poll while the ring is full */
	FEED_RETRY_MS = 1000,  /* of what was refused: doubled each time */
	FEED_RETRY_LEVELS = 7, /* up to FEED_RETRY_MAX_MS */
	FEED_RETRY_MAX_MS = 60000,
	FEED_BGP_DISTANCE = 20,
};

/* FRESH: those that looked at it are not yet dirty themselves. */
enum feed_dirt { FEED_CLEAN, FEED_DIRTY, FEED_FRESH };

enum feed_queue { FEED_Q_NONE, FEED_Q_DIRTY, FEED_Q_HOP, FEED_Q_FAILED /* + level */ };

/* Ways to be resolved anew, in order. */
struct feed_todo {
	uint32_t *way;
	uint32_t at, n, cap; /* at: the next one */
};

/* Nodes in order, linked by their next and prev. */
struct feed_list {
	uint32_t first, last, n;
};

struct feed_addr {
	struct ip_prefix p;
	bool wanted;
	uint8_t state; /* enum feed_state */
};

struct feed_path {
	uint32_t way, peer; /* peer: who told it; BGP_NO_PEER: the config */
};

enum hop_kind { HOP_FREE, HOP_DROP, HOP_TUNNEL, HOP_VIA, HOP_LINK, HOP_LOCAL, HOP_NET, HOP_NEIGHBOUR };

struct feed_hop {
	uint8_t kind; /* HOP_LINK: a port's network; HOP_LOCAL: an own address; HOP_NET: the network of an own address on no port;
			 HOP_NEIGHBOUR: a link-local address on a port */
	uint8_t n;     /* paths */
	uint8_t n_leg; /* 0: not usable */
	uint8_t n_sent;
	uint8_t state; /* enum feed_state of the command under way, or of the last one */
	bool in_dp;    /* the id is known there */
	bool changed;  /* its legs, since they were last sent */
	bool queued;   /* in hop_work */
	bool usable;
	uint8_t tries; /* refused in a row */
	uint16_t port;
	struct ip_addr via; /* NEIGHBOUR */
	int err;
	struct tunnel *tunnel;
	struct feed_path *path; /* [n] */
	struct feed_leg *leg;   /* [n_leg] */
	struct feed_leg *sent;  /* [n_sent]: what the data plane has, or was sent last */
	uint32_t hash_next;
	uint32_t id;           /* + 1; 0: none */
	uint32_t refs;         /* candidates */
	uint32_t bgp;          /* of them BGP's */
	uint32_t fib;          /* nodes whose last record names it */
	uint32_t first;        /* of its cands */
	uint64_t idle_at;      /* records pushed when the last such node left: done with when that many are applied */
	uint64_t retry_at;     /* FAILED */
	struct feed_list wait; /* nodes that wait for its ACK */
};

struct feed_cand {
	uint32_t next; /* of the same node */
	uint32_t node, hop;
	uint32_t hop_next, hop_prev; /* of the same hop */
	uint8_t owner, distance;
	bool wanted, live;
};

struct feed_way {
	struct ip_addr addr;
	uint32_t refs; /* paths, watches, peers, endpoints; 0: a free place */
	uint32_t watch, n_peer, n_endpoint;
	uint32_t *hop; /* [n_hop]: those with a path to it */
	uint32_t n_hop;
	uint8_t n_leg;
	uint8_t dirty; /* enum feed_dirt */
	bool looped;   /* it depends on more than could be written down */
	bool always;   /* so does it, or one that looked at it: every change near may matter */
	bool blocked;  /* it leads into a tunnel that is down, and nowhere else */
	bool reach, told, told_reach;
	uint16_t watch_len; /* a change of a shorter prefix cannot matter */
	uint32_t metric, told_metric;
	struct feed_leg *leg;
	uint32_t *seen; /* [n_seen]: ways whose look-up it depends on, itself not */
	uint32_t n_seen;
	const struct tunnel *down; /* the tunnel whose being down stands in its way; NULL */
	uint32_t pin;              /* cand; 0: none */
};

struct feed_peer {
	uint32_t way; /* 0: no such peer */
	const struct tunnel *tunnel;
	bool told, told_reach;
	const struct tunnel *told_tunnel;
};

struct feed_originate {
	struct ip_prefix p;
	bool wanted, told, present;
};

/* SAID: all, but what is left from before stays for a while. */
enum feed_sync { FEED_SYNC_BEGIN, FEED_SYNC_ROUTES, FEED_SYNC_SAID, FEED_SYNC_OVER };

struct feed {
	struct dp *dp;
	struct tunnels *ts;
	struct feed_ops ops;
	uv_timer_t timer;  /* runs while something is on its way */
	uint32_t timer_ms; /* 0: stopped */

	struct feed_addr *addr;
	uint32_t n_addr;

	struct rtable rt;
	struct feed_cand *cand;
	uint32_t n_cand, free_cand; /* [0] is not used; free by next */
	struct feed_hop *hop;
	uint32_t n_hop, cap_hop, free_hop; /* as cand; free by hash_next */
	uint32_t *hop_bucket, n_hop_bucket, live_hops;
	uint32_t *hop_work, n_hop_work, cap_hop_work;
	uint32_t *id_free, n_id_free, cap_id_free, n_id; /* next-hop ids of this attach */
	struct feed_way *way;
	uint32_t n_way, cap_way, free_way; /* as cand; free by watch */
	struct addrset ways;
	struct feed_todo quick, slow; /* slow: those of loops and too many branches, which a peer can make at will */
	bool fresh;                   /* there is one */
	bool loops;                   /* there may be a way that is `always` */
	struct feed_peer *peer;
	uint32_t n_peer;
	uint32_t *endpoint; /* way of tunnel i; 0: none */
	uint32_t n_endpoint;
	struct feed_originate *originate;
	uint32_t n_originate;
	bool originate_dirty;

	struct feed_list dirty, failed[FEED_RETRY_LEVELS];
	uint32_t *history; /* [FEED_HISTORY]: node of record seq % FEED_HISTORY */
	uint32_t scan_at, scan_left;
	uint32_t scan_seq;                /* the last record when the last scan began */
	uint64_t refused_ms, refused_mum; /* of log lines */
	uint64_t hop_refused_ms, hop_refused_mum;
	unsigned in_flight;
	uint8_t sync;        /* enum feed_sync */
	uint32_t n_undo;     /* nodes REMOVING: refused, and what may stand of them from before is to be taken back */
	uint64_t undone_pos; /* routes pushed with the last such */
	uint64_t sync_pos;   /* routes pushed when all was said, or with SYNC_END */
	uint32_t n_sync;     /* nodes that SYNC_END waits for */
	uint64_t applied;    /* when last looked at */
	bool ready, held, learning, heir;
	bool kick; /* something has changed since the last pump */
};

/* --- feed_obj.c: addresses and tunnels in the data plane --- */
void feed_obj_config(struct feed *f, const struct config *c);
void feed_obj_pump(struct feed *f);
bool feed_obj_settled(const struct feed *f);

/* --- feed_cfg.c: the config's routes as candidates --- */
void feed_cfg_take(struct feed *f, const struct config *c);
/* Candidate of p; the hop's reference is taken over. */
uint32_t feed_cfg_add(struct feed *f, const struct ip_prefix *p, uint8_t owner, uint8_t distance, uint32_t hop);
void feed_cfg_del(struct feed *f, uint32_t cand);
/* Tell of prefixes of `originate` that have come or gone. */
void feed_cfg_originate(struct feed *f);

/* --- feed_hop.c: next hops --- */
/* The hop of that meaning, one reference more. paths are looked at in order. */
uint32_t feed_hop_get(struct feed *f, const struct feed_hop *key);
void feed_hop_put(struct feed *f, uint32_t hop);
/* Its legs are to be computed anew. */
void feed_hop_resolve(struct feed *f, uint32_t hop);
/* The tunnel came up, went down or changed. */
void feed_hop_tunnel(struct feed *f, struct tunnel *t);
bool feed_hop_tunnel_usable(const struct tunnel *t);
void feed_hop_queue(struct feed *f, uint32_t hop);
void feed_hop_pump(struct feed *f);
void feed_hop_attached(struct feed *f);
/* Its id in the data plane; it has one. */
uint32_t feed_hop_wire_id(const struct feed *f, const struct feed_hop *h);
/* Words for why a next hop was refused. */
const char *feed_hop_err_str(int err);
/* Add leg, if no equal one is there and there is room. */
void feed_hop_add_leg(struct feed_leg *legs, uint8_t *n, const struct feed_leg *leg);

/* --- feed_way.c: where addresses lead --- */
uint32_t feed_way_get(struct feed *f, const struct ip_addr *a);
uint32_t feed_way_find(const struct feed *f, const struct ip_addr *a); /* 0: none */
void feed_way_put(struct feed *f, uint32_t way);
void feed_way_dirty(struct feed *f, uint32_t way);
/* A candidate of that node has come, gone, or changed its worth. */
void feed_way_touch(struct feed *f, const struct rt_node *n);
/* Resolve anew what has to be, as far as the turn goes; tell who asked. */
void feed_way_turn(struct feed *f);
bool feed_way_idle(const struct feed *f);

/* --- feed_pin.c: the guard --- */
bool feed_pin_path_allowed(const struct feed *f, const struct feed_way *w, const struct feed_path *p);
bool feed_pin_leg_allowed(const struct feed_way *w, bool bgp, const struct feed_leg *leg);
void feed_pin_check(struct feed *f, uint32_t way);
/* The tunnel's peer, or whether it is wanted, may have changed. */
void feed_pin_endpoint(struct feed *f, const struct tunnel *t);

/* --- feed_route.c: nodes to ring --- */
void feed_route_changed(struct feed *f, uint32_t node);
/* All nodes are to be looked at again: a hop of BGP routes has become usable, or is no more. */
void feed_route_scan(struct feed *f);
/* Those that wait for the hop may go on. */
void feed_route_wake(struct feed *f, struct feed_hop *h);
void feed_route_pump(struct feed *f);
void feed_route_attached(struct feed *f);
/* The selected candidate: its hop (0: none) and, if it is not BGP's, its cand. no_pin: pins do not count. */
uint32_t feed_route_select(const struct feed *f, const struct rt_node *n, bool no_pin, uint32_t *cand);
/* Is the record with seq applied? */
bool feed_route_applied(const struct feed *f, uint32_t seq);
/* Nothing more to push; retries are not counted. */
bool feed_route_idle(const struct feed *f);
