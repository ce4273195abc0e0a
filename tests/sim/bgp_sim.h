/* Two or three BGP cores with virtual TCP between them, in virtual time.
 *
 * The cores are the product's (bgp/bgp.h), RIB and policies too. Around them: streams that keep their order, cut at random, with
 * delay, a small window, resets and half-open ends (bgp_tcp.c); a table of routes that takes route_change; next hops that
 * answer late. After every event the invariants are looked at: at most one Established connection of a peer. Everything is
 * deterministic in the seed. No sockets, no clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bgp/bgp.h"

enum { BGP_SIM_NODES = 3, BGP_SIM_LINKS = 512, BGP_SIM_PREFIXES = 1 << 18 };

struct bgp_sim;
struct bgp_sim_event;

/* One direction of a stream's state at one end. */
struct bgp_tcp_end {
	struct bgp_sim_node *node;
	uint32_t conn;   /* the core's number; 0: it does not know this end (any more) */
	bool open;       /* the core has heard that TCP is up */
	bool gone;       /* closed, or its node died: what comes is answered by a reset */
	bool blocked;    /* the core waits for room */
	bool fin;        /* FIN is under way to the other end */
	size_t inflight; /* octets sent and not yet delivered */
	uint64_t last;   /* arrival of what was sent last: order is kept */
};
struct bgp_tcp_link {
	bool used;
	unsigned serial;
	struct bgp_tcp_end end[2]; /* 0 made it */
};

struct bgp_sim_node {
	struct bgp_sim *s;
	unsigned id;
	struct ip_addr addr;
	struct bgp *b; /* NULL: dead */
	struct config cfg;
	struct cfg_bgp_peer peer[BGP_SIM_NODES]; /* change it before bgp_sim_start() */
	struct cfg_policy policy;
	struct cfg_policy_entry entry;
	uint64_t busy_until; /* it computes: the next slice of work and no timer before */
	uint64_t tick_at;    /* against deadlines that do not move */
	unsigned ticks_there;
	bool in_core; /* calls back are a bug */
	bool *fib;    /* [BGP_SIM_PREFIXES]: by route_change */
	bool *own;    /* [BGP_SIM_PREFIXES]: in its table, to be originated */
	/* what was seen */
	unsigned established, lost; /* sessions of any peer */
	uint64_t route_changes;
	char last_cause[512];
};

struct bgp_sim {
	uint64_t now, seed, rng;
	unsigned n;
	bool v6;
	struct bgp_sim_node node[BGP_SIM_NODES];
	uint32_t delay_min_ms, delay_max_ms;
	size_t window, segment; /* octets under way in a direction; the largest piece (random below) */
	uint32_t work_ms;       /* what a call into a core costs while it has work waiting */
	bool down;              /* nothing arrives; what is under way waits */
	bool accept_late;       /* a refused connection looks open first, as with a kernel's listen queue */
	uint64_t stall_until;
	struct bgp_tcp_link link[BGP_SIM_LINKS];
	unsigned serial;
	struct bgp_sim_event *queue; /* binary heap on (at, seq) */
	unsigned n_queue, cap_queue;
	uint64_t seq;
};

/* n nodes, each a peer of every other: AS 65001.., id = address 10.255.0.1.., hold 90, accept and tell all. n_own prefixes are in each
 * node's originate list (and table). 5..20 ms of delay. */
struct bgp_sim *bgp_sim_new(uint64_t seed, unsigned n, unsigned n_own);
void bgp_sim_free(struct bgp_sim *s);
void bgp_sim_start(struct bgp_sim *s);
/* Make a node's core and tell it of its config and table. */
void bgp_sim_boot(struct bgp_sim_node *n);
/* The process is killed: its ends are silent; the kernel resets them when rst. */
void bgp_sim_kill(struct bgp_sim_node *n, bool rst);
void bgp_sim_run(struct bgp_sim *s, uint64_t ms);
bool bgp_sim_until(struct bgp_sim *s, bool (*cond)(struct bgp_sim *s), uint64_t max_ms);
uint32_t bgp_sim_random(struct bgp_sim *s, uint32_t below);
/* IPv6 from now on: addresses, families and prefixes. Before bgp_sim_start(). */
void bgp_sim_use_v6(struct bgp_sim *s);
/* Prefix i of the space. */
struct ip_prefix bgp_sim_prefix(const struct bgp_sim *s, unsigned i);
/* Node's own prefix k (0..n_own-1) comes into its table or leaves it. */
void bgp_sim_own(struct bgp_sim_node *n, unsigned k, bool present);
unsigned bgp_sim_index(const struct bgp_sim_node *n, unsigned k);
/* A call into the core, by hand: before and after it. */
void bgp_sim_enter(struct bgp_sim_node *n);
void bgp_sim_leave(struct bgp_sim_node *n);

/* All peers of all nodes are Established. */
bool bgp_sim_up(struct bgp_sim *s);
/* And what each was told is what the other says it told, and the tables hold all that is originated. */
bool bgp_sim_agreed(struct bgp_sim *s);
/* Why not: lent, static. */
const char *bgp_sim_why(struct bgp_sim *s);

/* ---- for bgp_tcp.c ---- */

enum bgp_sim_kind {
	BGP_SIM_SYN,
	BGP_SIM_OPENED,
	BGP_SIM_DATA,
	BGP_SIM_FIN,
	BGP_SIM_RESET,
	BGP_SIM_NEXTHOP,
};
struct bgp_sim_event {
	uint64_t at, seq;
	enum bgp_sim_kind kind;
	unsigned link, serial, to; /* of the link; which end hears it */
	int err;
	uint8_t *b;
	size_t len;
	struct bgp_sim_node *node; /* of NEXTHOP */
	struct ip_addr nh;
};
void bgp_sim_push(struct bgp_sim *s, struct bgp_sim_event ev);
uint64_t bgp_sim_delay(struct bgp_sim *s);

/* ---- bgp_tcp.c: the hands of the core ---- */
int bgp_tcp_connect(void *node, uint32_t peer, uint32_t conn);
size_t bgp_tcp_send(void *node, uint32_t conn, const uint8_t *b, size_t len);
void bgp_tcp_close(void *node, uint32_t conn);
void bgp_tcp_handle(struct bgp_sim *s, struct bgp_sim_event *ev);
/* Both ends of a random open link lose it, now or never hearing of it (half: one end only). */
void bgp_tcp_break(struct bgp_sim *s, bool half);
void bgp_tcp_node_died(struct bgp_sim_node *n, bool rst);
unsigned bgp_tcp_open(const struct bgp_sim *s);
