/* Neighbours, the workers' side: (port, address) -> MAC, looked up without a lock; frames of ARP and neighbour discovery, and packets
 * that wait for an answer, go to the ctl thread.
 *
 *   worker:  neigh_rewrite() --known--> Ethernet header in front, on to tx
 *                            --unknown--> ring `up` --> ctl (nbr.c): holds it, asks, times out
 *            neigh_arp_in(), neigh_nd_in()  -- frame --> ring `up`
 *            neigh_poll()   <-- frames to send, packets given up -- ring `down`
 *
 * One writer: the ctl thread owns the table, all states and timers (nbr.h), because a resolution concerns every worker
 * and is rare. Readers see an entry as two atomic words, key and MAC, and look at the key again after the MAC: an entry
 * that was given to another neighbour in between is a miss. IPv6's key is a hash of address and port and a number that is another for
 * each new entry of the place; the address stands beside it, and is read between the two looks. Rings are single producer, single consumer.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#include "base/build.h"
#include "config/config.h"
#include "dataplane/fib.h"
#include "dataplane/ip6.h"
#include "dataplane/pkt.h"

struct rte_ring;
struct worker;

enum {
	NEIGH_MAX = 4096,   /* entries */
	NEIGH_TABLE = 8192, /* hash places */
	NEIGH_PROBE = 16,   /* places looked at for one key */
	NEIGH_RING = 256,   /* packets on their way up, per worker */
	NEIGH_DOWN = 2048,  /* and down: more than the ctl thread ever holds, so that it can always let go of them */
	/* pkt.kind on the way */
	NEIGH_ARP = 0xff,      /* up: an ARP frame */
	NEIGH_OWN = 0xfc,      /* down: a frame of ARP or neighbour discovery */
	NEIGH_ND = 0xfd,       /* up: a frame of neighbour discovery */
	NEIGH_GIVEN_UP = 0xfe, /* down: a packet that comes back unsent, as it went up */
};

/* Writer: ctl thread; `used` is set by readers, only when it is not set already, and cleared by ctl. */
struct neigh_place {
	/* 1 << 63 | port << 32 | IPv4 (network order as a number); 3 << 62 | port << 48 | number << 32 | hash; 0: empty */
	_Atomic uint64_t key;
	_Atomic uint64_t mac;    /* 1 << 63 | six octets in memory order from the lowest; 0: not known (yet) */
	_Atomic uint64_t hi, lo; /* IPv6 */
	_Atomic uint8_t used;
};

/* Who is meant. */
struct neigh_who {
	struct ip6 addr6;
	uint32_t addr_be; /* of IPv4 */
	uint16_t port;
	bool six;
};

struct neigh_link {
	struct rte_ring *up;   /* worker -> ctl: ARP frames and packets to hold */
	struct rte_ring *down; /* ctl -> worker: whole frames, m->port says where to; or pkt.kind NEIGH_GIVEN_UP */
	_Atomic bool rung;     /* ctl has been woken for `up` and has not looked yet */
};

struct neigh {
	struct neigh_place place[NEIGH_TABLE];
	struct neigh_link link[CFG_WORKERS_MAX];
	uint32_t hash_key; /* IPv6 hosts choose their addresses */
	uint16_t number;   /* of the last IPv6 entry; ctl */
	int bell_ctl;      /* eventfd that wakes the ctl thread, the process's own; start */
	uint8_t n_workers;
};

/* NULL: out of memory. EAL is up; main thread. neigh_free() also frees packets in the rings. */
struct neigh *neigh_new(uint8_t n_workers, int numa_node);
void neigh_free(struct neigh *n);

/* --- worker --- */

/* Stage. In: IP packets, pkt.next = id of a next hop of kind FIB_PORT. Out: Ethernet frames, m->port = the port to
 * leave by. Packets for a neighbour not yet known go to the ctl thread, which holds a few and sends them later. Drops:
 * NO_ROUTE (the next hop is no port any more), NO_NEIGH, NO_HEADROOM. */
uint16_t neigh_rewrite(struct worker *w, struct rte_mbuf **pkts, uint16_t n);
/* Takes an ARP frame: data at the Ethernet header, m->port = config index it came in by. Drops: BAD_ARP, PUNT_FULL. */
void neigh_arp_in(struct worker *w, struct rte_mbuf *m);
/* The same for neighbour discovery over IPv6 (RFC 4861). Drops: BAD_ND, PUNT_FULL. */
void neigh_nd_in(struct worker *w, struct rte_mbuf *m);
/* Once per poll, before w->fwd is looked at: frames of the ctl thread go to w->tx[], counted as arp_sent where they are its own;
 * packets given up are dropped as NO_NEIGH, and their sources told. RFC 1812 5.2.7.1. Number of packets. */
uint16_t neigh_poll(struct worker *w);

/* --- both --- */

static inline uint64_t neigh_mac_pack(const uint8_t mac[6])
{
	uint64_t v = 0;

	memcpy(&v, mac, 6);
	return v | 1ull << 63;
}

/* The neighbour that a packet leaves by: the next hop's gateway, of either family, or the packet's own destination. */
static inline struct neigh_who neigh_who(const struct fib *f, struct rte_mbuf *m, struct fib_nh nh)
{
	if (nh.n == FIB_GATEWAY6)
		return (struct neigh_who){.port = nh.port, .six = true, .addr6 = f->gateway[nh.arg]};
	if (nh.arg == 0 && pkt_is_v6(m))
		return (struct neigh_who){.port = nh.port, .six = true, .addr6 = ip6_get(ip6_dst(pkt_ip6(m)))};
	return (struct neigh_who){.port = nh.port, .addr_be = nh.arg ? nh.arg : pkt_ip(m)->dst_addr};
}

/* Its place, or NULL. */
struct neigh_place *neigh_find(struct neigh *n, const struct neigh_who *who);
/* Header in front of an IP packet. False: no headroom, m as it was. */
bool neigh_frame(struct rte_mbuf *m, uint64_t dst_mac, const uint8_t src_mac[6]);

/* --- ctl thread --- */

/* A place for a new key, without a MAC yet; NULL: none is free where the key could be. */
struct neigh_place *neigh_add(struct neigh *n, const struct neigh_who *who);
void neigh_remove(struct neigh_place *p);
