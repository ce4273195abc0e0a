/* Prefixes by hash, for a million of them: 52 octets each and 8 to 16 of index. Both families.
 *
 * A node is named by a number that stays while the prefix is there; 0 is none. Nodes lie in chunks that never move, so a pointer
 * holds until the node is deleted. What a node's fields mean beyond the prefix is feed's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

struct rt_node {
	uint8_t b[16]; /* host bits zero */
	uint8_t family, len;
	uint8_t state; /* enum feed_state: what became of the last record */
	uint8_t queue; /* enum feed_queue: the list that it is in */
	uint8_t err;   /* FAILED: errno */
	uint8_t tries; /* refused in a row */
	bool sync;     /* SYNC_END waits for it */
	bool named;    /* bgp: originate has it */
	uint32_t hash_next;
	uint32_t next, prev; /* in its list */
	uint32_t bgp;        /* hop of the BGP route; 0: none */
	uint32_t cand;       /* first of the other candidates, best first; 0: none */
	uint32_t fib;        /* hop that the data plane was last told; 0: no route */
	uint32_t seq;        /* of that record; queue FEED_Q_FAILED: ms when to try again */
};

_Static_assert(sizeof(struct rt_node) == 52, "a million of them");

enum { RT_CHUNK = 4096 };

struct rtable {
	struct rt_node **chunk;
	uint32_t n_chunks, n_used; /* n_used: numbers that were ever given */
	uint32_t free;             /* first of the free ones, by hash_next */
	uint32_t n;                /* prefixes */
	uint32_t *bucket;
	uint32_t n_buckets; /* a power of two */
	uint64_t seed;
	uint32_t n_len[2][129]; /* prefixes by length; [0]: IPv4 */
};

void rtable_init(struct rtable *t, uint64_t seed);
void rtable_fini(struct rtable *t);

static inline struct rt_node *rtable_at(const struct rtable *t, uint32_t i)
{
	return &t->chunk[i / RT_CHUNK][i % RT_CHUNK];
}

/* 0: not there. Host bits of p must be zero. */
uint32_t rtable_find(const struct rtable *t, const struct ip_prefix *p);
/* The same, made (all zero but the prefix) when it is not there. */
uint32_t rtable_get(struct rtable *t, const struct ip_prefix *p);
void rtable_del(struct rtable *t, uint32_t i);
/* The longest prefix with a that is not longer than *len, whose length goes to *len. 0: none. Begin with rtable_host_len(); go
 * on with *len - 1. */
uint32_t rtable_covering(const struct rtable *t, const struct ip_addr *a, int *len);
/* Up to max (>= 1) numbers behind *after in prefix order (family, address, length; IP_NONE: from the start), in that order. */
unsigned rtable_after(const struct rtable *t, const struct ip_prefix *after, uint32_t *out, unsigned max);
struct ip_prefix rtable_prefix(const struct rt_node *n);
uint64_t rtable_octets(const struct rtable *t);

static inline int rtable_host_len(const struct ip_addr *a)
{
	return a->family == IP_V4 ? 32 : 128;
}
