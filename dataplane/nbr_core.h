/* What nbr.c, arp.c and nd.c share. For nobody else. */
#pragma once

#include "dataplane/ip6.h"
#include "dataplane/nbr.h"

struct rte_mempool;

enum { NBR_ENTRIES = NEIGH_MAX, NBR_FRAME = 256 /* room in a buffer for a frame of ours */ };

enum nbr_state { NBR_FREE, NBR_INCOMPLETE, NBR_REACHABLE, NBR_PROBE, NBR_STALE };

struct nbr_entry {
	struct neigh_place *place;
	struct neigh_who who;
	uint64_t deadline_ms;
	uint8_t state, tries, n_held;
	uint8_t worker[NBR_HOLD]; /* who sends held[i] */
	uint8_t asks;             /* worker that sends our requests */
	struct rte_mbuf *held[NBR_HOLD];
};

struct nbr {
	struct neigh *neigh;
	struct fib *fib;
	const struct port_set *ports;
	struct rte_mempool *pool;
	struct nbr_stats count;
	unsigned n_entries, n_incomplete[NBR_FAMILIES], n_held[NBR_FAMILIES];
	uint64_t next_ms; /* when nbr_tick() looks at the entries again */
	uint8_t announce_left[CFG_PORTS_MAX];
	uint16_t entry_at[NEIGH_TABLE]; /* place -> entry, or none */
	uint16_t free_entry[NBR_ENTRIES];
	struct nbr_entry entry[NBR_ENTRIES];
};

struct nbr_entry *nbr_find(struct nbr *a, const struct neigh_who *who);
/* NULL: the table is full. Without a state yet. */
struct nbr_entry *nbr_make(struct nbr *a, const struct neigh_who *who, uint8_t worker);
/* The neighbour has this MAC: say so to the workers, and send what waited. */
void nbr_resolve(struct nbr *a, struct nbr_entry *e, const uint8_t mac[6], enum nbr_state state, uint64_t now_ms);
/* What is known of it is in doubt. */
void nbr_doubt(struct nbr *a, struct nbr_entry *e, uint64_t now_ms);
uint64_t nbr_mac(const struct nbr_entry *e); /* as neigh_place.mac */
/* A buffer for a frame of len octets by a worker; NULL: there is none, or its ring has no room to spare. */
struct rte_mbuf *nbr_frame(struct nbr *a, uint8_t worker, uint16_t len);
/* Off to the worker, to leave by this port. */
void nbr_send(struct nbr *a, uint8_t worker, uint16_t port, struct rte_mbuf *m);
/* Another host says that it has an address of ours: told, counted. RFC 5227 2.4, RFC 4862 5.4.5 */
void nbr_conflict(struct nbr *a, const struct port *p, const struct ip_addr *addr, const uint8_t mac[6]);

/* arp.c. m: the frame, sound; e: an entry of IPv4's */
void arp_in(struct nbr *a, uint8_t worker, const struct rte_mbuf *m, uint64_t now_ms);
void arp_ask(struct nbr *a, const struct nbr_entry *e);
void arp_announce(struct nbr *a, uint16_t port);
bool arp_is_ours(const struct port *p, uint32_t addr_be);

/* nd.c, the same for IPv6. first: it is the first of a series */
void nd_in(struct nbr *a, uint8_t worker, const struct rte_mbuf *m, uint64_t now_ms);
void nd_ask(struct nbr *a, const struct nbr_entry *e);
void nd_announce(struct nbr *a, uint16_t port, bool first);
