/* Longest-prefix match for IPv6: prefix -> a number of 31 bits. A trie of 4-bit strides with skipped levels, behind a table of the
 * first 16 bits.
 *
 * A node says which addresses it is for (its first `pos` bits), has a word for each value of the next four, and one for the
 * addresses that came here and are not its own. A word is the number, or EXT and another node. A node stands only where prefixes
 * end in it or ways part: at most two nodes a prefix, however long they are, and few steps in a small table. Beside each word the
 * writer keeps how long the prefix is that it comes from, as in lpm.h.
 *
 * One writer, any number of readers, no lock: each word is replaced by one store, a new node is complete before it is linked
 * and used anew only after every reader has passed a quiescent state since it was unlinked. So a reader sees for any address
 * what was right before a change or what is right after it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/ip6.h"

struct rte_rcu_qsbr;
struct lpm6_ctl;

enum { LPM6_EXT = 1u << 31, LPM6_ROOT = 16, LPM6_STRIDE = 4, LPM6_WAYS = 1 << LPM6_STRIDE, LPM6_NODES_PER_ROUTE = 2 };

struct lpm6_node {
	struct ip6 addr, mask; /* fixed while it is linked */
	uint8_t pos;           /* bits of mask */
	_Atomic uint32_t other;
	_Alignas(64) _Atomic uint32_t word[LPM6_WAYS];
};

struct lpm6 {
	_Atomic uint32_t *root; /* start; the words: writer: ctl thread */
	struct lpm6_node *node; /* the same */
	struct lpm6_ctl *ctl;   /* the writer's own */
};

/* Memory that lpm6_init() takes, in octets. */
uint64_t lpm6_memory(uint32_t n_nodes);
/* none: what an address without a route gives. qsbr NULL: no readers but the caller. 0 or -ENOMEM; l is fit for lpm6_fini() either
 * way. EAL is up. */
int lpm6_init(struct lpm6 *l, uint32_t none, uint32_t n_nodes, int numa_node, struct rte_rcu_qsbr *qsbr) MUST_USE;
void lpm6_fini(struct lpm6 *l);

/* --- readers --- */

static inline const _Atomic uint32_t *lpm6_way(const struct lpm6_node *n, struct ip6 a)
{
	uint64_t half = n->pos < 64 ? a.hi : a.lo;
	bool own = (((a.hi ^ n->addr.hi) & n->mask.hi) | ((a.lo ^ n->addr.lo) & n->mask.lo)) == 0;

	return own ? &n->word[half >> (60 - (n->pos & 63)) & (LPM6_WAYS - 1)] : &n->other;
}

/* All addresses take a step, then all the next: their waits for memory overlap. */
static inline void lpm6_lookup(const struct lpm6 *l, const struct ip6 *addr, uint32_t *id, uint16_t n)
{
	uint32_t all = 0;

	for (uint16_t i = 0; i < n; i++) {
		id[i] = atomic_load_explicit(&l->root[addr[i].hi >> (64 - LPM6_ROOT)], memory_order_relaxed);
		all |= id[i];
	}
	/* a node was complete before it was linked, and its address comes from the link: no fence in between */
	while (all & LPM6_EXT) {
		all = 0;
		for (uint16_t i = 0; i < n; i++) {
			if (id[i] & LPM6_EXT) {
				id[i] = atomic_load_explicit(lpm6_way(&l->node[id[i] & ~LPM6_EXT], addr[i]),
							     memory_order_relaxed);
				all |= id[i];
			}
		}
	}
	atomic_thread_fence(memory_order_acquire); /* what the numbers stand for was written before they were */
}

/* --- the writer --- */

/* A prefix (1 to 128 bits, host bits zero) is there now (fresh), or has another number. 0; -ENOSPC no node is left; -EAGAIN readers
 * may still use those that are. */
int lpm6_set(struct lpm6 *l, struct ip6 addr, uint8_t plen, uint32_t id, bool fresh) MUST_USE;
/* Prefixes around one of plen bits that are longer than this share its stride: lpm6_del() wants to hear of them. */
uint8_t lpm6_floor(uint8_t plen);
/* A prefix that is there goes. under: the number of the longest prefix around it, if that has more than lpm6_floor() bits: under_plen;
 * else -1, and under is not looked at. */
void lpm6_del(struct lpm6 *l, struct ip6 addr, uint8_t plen, uint32_t under, int under_plen);
/* Length of the prefix that a reader's answer for this address comes from, or -1; the answer in *id. */
int lpm6_find(const struct lpm6 *l, struct ip6 addr, uint32_t *id);
uint32_t lpm6_nodes(const struct lpm6 *l); /* linked now */

static inline struct ip6 lpm6_mask(unsigned plen)
{
	return (struct ip6){plen == 0   ? 0
			    : plen < 64 ? UINT64_MAX << (64 - plen)
					: UINT64_MAX,
			    plen <= 64 ? 0 : UINT64_MAX << (128 - plen)};
}
