/* Longest-prefix match for IPv4: prefix -> a number of 31 bits, one memory access for prefixes up to /24, two beyond (DIR-24-8: Gupta,
 * Lin, McKeown, "Routing Lookups in Hardware at Memory Access Speeds", 1998).
 *
 * tbl24 has a word for each /24: the number, or EXT and a group of tbl8, which has one for each address of it. Beside each word
 * the writer keeps how long the prefix is that it comes from; that, and who stands under a prefix that goes (which the caller
 * knows), is all that changes need: no trie.
 *
 * One writer, any number of readers, no lock: each word is replaced by one store, so a reader sees for any address what was right
 * before a change or what is right after it. A group is filled before it is linked, and filled anew only after every reader has
 * passed a quiescent state since it was unlinked.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"

struct rte_rcu_qsbr;
struct lpm_ctl;

enum { LPM_EXT = 1u << 31, LPM_GROUP = 256, LPM_GROUPS_MAX = 1 << 23 };

struct lpm {
	_Atomic uint32_t *tbl24, *tbl8; /* start; the words: writer: ctl thread */
	struct lpm_ctl *ctl;            /* the writer's own */
};

/* Memory that lpm_init() takes, in octets. */
uint64_t lpm_memory(uint32_t n_groups);
/* none: what an address without a route gives. n_groups: blocks of 256 addresses that may have routes longer than /24. qsbr NULL: no
 * readers but the caller. 0 or -ENOMEM; l is fit for lpm_fini() either way. EAL is up. */
int lpm_init(struct lpm *l, uint32_t none, uint32_t n_groups, int numa_node, struct rte_rcu_qsbr *qsbr) MUST_USE;
void lpm_fini(struct lpm *l);

/* --- readers --- */

/* Addresses in host order. */
static inline void lpm_lookup(const struct lpm *l, const uint32_t *addr, uint32_t *id, uint16_t n)
{
	uint32_t all = 0;

	for (uint16_t i = 0; i < n; i++) {
		id[i] = atomic_load_explicit(&l->tbl24[addr[i] >> 8], memory_order_relaxed);
		all |= id[i];
	}
	/* a group was filled before it was linked, and its word's address comes from the link: no fence in between */
	for (uint16_t i = 0; all & LPM_EXT && i < n; i++)
		if (id[i] & LPM_EXT) /* the shift takes it off */
			id[i] = atomic_load_explicit(&l->tbl8[id[i] << 8 | (addr[i] & 0xff)], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire); /* what the numbers stand for was written before they were */
}

/* --- the writer --- */

/* A prefix (host bits zero) is there now (fresh), or has another number. 0; -ENOSPC no group is left; -EAGAIN readers may still use
 * the one that is. */
int lpm_set(struct lpm *l, uint32_t addr, uint8_t plen, uint32_t id, bool fresh) MUST_USE;
/* A prefix that is there goes. under: the number of the longest prefix around it, of under_plen bits; -1: none, and under is not
 * looked at. */
void lpm_del(struct lpm *l, uint32_t addr, uint8_t plen, uint32_t under, int under_plen);
/* Length of the prefix that a reader's answer for this address comes from, or -1; the answer in *id. */
int lpm_find(const struct lpm *l, uint32_t addr, uint32_t *id);
/* Fetch what a change of this prefix will touch. */
void lpm_prefetch(const struct lpm *l, uint32_t addr);
