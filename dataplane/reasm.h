/* Fragments of packets to ourselves, put together: ESP that was cut on its way, large IKE datagrams, large echoes. What is only
 * forwarded is never put together. RFC 791 3.2, RFC 815, RFC 8200 4.5, RFC 5722
 *
 * All fragments of a packet go to one worker, chosen by their addresses and number, because ports may have led them to different
 * queues. It keeps few packets, for a short time; one that would be too many, or a fragment, ends the oldest. Fragments that overlap, and what does
 * not fit together, end the whole packet (RFC 5722 3; of IPv4 we ask the same). What came out of a tunnel and what came in clear are
 * never mixed. A whole packet goes through classify again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

struct worker;
struct reasm;

enum {
	REASM_PACKETS = 64,   /* under way, per worker */
	REASM_PIECES = 64,    /* fragments of one: 64 KB in pieces of 1280 */
	REASM_MBUFS = 512,    /* fragments held, of all packets together */
	REASM_LIFE_MS = 2000, /* from the first one; a flood must not keep others waiting for long */
	REASM_WHOLE_MAX = 65535,
	REASM_JUMBOS = 16, /* whole packets larger than an ordinary buffer, on their way, per worker */
};

/* Octets of EAL memory that a worker's needs. */
uint64_t reasm_memory(void);
/* NULL: out of memory. EAL is up; main thread. reasm_free() gives fragments back. */
struct reasm *reasm_new(uint8_t worker, int numa_node);
void reasm_free(struct reasm *r);

/* A fragment to one of our addresses. Takes m; hands it to its worker. Drops: FRAGMENT (malformed), FRAG_OVERLAP, REASM_FULL, ECN, NO_MBUF.
 * Counted as joined: what is a part of another packet now. */
void reasm_push(struct worker *w, struct rte_mbuf *m);
/* The same, at that worker. */
void reasm_take(struct worker *w, struct rte_mbuf *m);
/* Once per turn: packets that are not whole in time are given up; the sender of a first fragment hears of it. Drop: REASM_TIMEOUT */
void reasm_age(struct worker *w);
