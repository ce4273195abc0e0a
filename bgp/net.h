/* Prefixes of one family, found by a hash; rows with 32-bit numbers. Private to bgp/. Thread: the core's.
 *
 * What hangs on a net (paths, what was sent) is rib.c's and out.c's; a net with neither and no mark is given back by
 * net_drop(). The order of rows is the order in which they came: whole-table work follows it, and so does memory.
 */
#pragma once

#include <stdbool.h>

#include "base/ip.h"
#include "bgp/slab.h"

enum {
	NET_LIVE = 1 << 0,
	NET_JOURNALED = 1 << 1, /* stands in the journal and nobody has read that yet; outlives the net */
	NET_PINNED = 1 << 2,    /* a default route to be originated: stays without paths */
};

struct net {
	uint32_t path; /* the first of its paths: originated here, best, those that share with it, all others */
	uint32_t out;  /* the first of what was sent */
	uint8_t len, flags;
	uint8_t n_best; /* learned paths in force */
	uint8_t pad;
	uint8_t addr[]; /* 4 or 16 */
};

/* Open addressing, linear probing. A slot is a row's number with as many bits of the hash above it as are left: a slot that
 * does not match costs no look at its row. 0: free, and ends the search; a number 0 with bits above: was taken. */
struct net_table {
	struct slab rows;
	uint32_t *slot;
	uint32_t filled;      /* slots that are not free */
	uint8_t family, size; /* size: octets of an address */
	uint8_t bits;         /* of the number of slots, and of a row's number */
	uint64_t seed;
	uint64_t version; /* another one with each new prefix */
};

void net_init(struct net_table *t, uint8_t family, uint64_t seed);
void net_fini(struct net_table *t);
/* The prefix has the table's family, host bits cleared. 0: none. */
uint32_t net_find(const struct net_table *t, const struct ip_prefix *p);
/* Found or made, without paths. */
uint32_t net_get(struct net_table *t, const struct ip_prefix *p);
/* Give the net back when nothing hangs on it. true: it is gone. */
bool net_drop(struct net_table *t, uint32_t i);
struct ip_prefix net_prefix(const struct net_table *t, const struct net *n);
uint64_t net_octets(const struct net_table *t);

/* The memory that a search for p looks at first is wanted soon; then its row. */
void net_prefetch_slot(const struct net_table *t, const struct ip_prefix *p);
/* The row that p has, most likely; 0: none. */
uint32_t net_guess(const struct net_table *t, const struct ip_prefix *p);
/* Row i is about to go. */
void net_prefetch_row_slot(const struct net_table *t, uint32_t i);

static inline struct net *net_at(const struct net_table *t, uint32_t i)
{
	return slab_at(&t->rows, i);
}
/* The net of row i when there is one: whole-table work steps over free rows. */
static inline struct net *net_live(const struct net_table *t, uint32_t i)
{
	struct net *n = i <= t->rows.used ? net_at(t, i) : NULL;

	return n && n->flags & NET_LIVE ? n : NULL;
}
