/* A set of addresses that can be asked "is one of them in this prefix?" in the time of a few cache lines: a crit-bit tree.
 *
 * Each address has a number of its own, the caller's. A branch is the first bit in which the addresses below it differ. Both
 * families, a tree each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

struct addrset_branch {
	uint32_t bit;
	uint32_t child[2]; /* with ADDRSET_LEAF: the number of an address */
};

struct addrset {
	struct addrset_branch *branch; /* [0] is not used */
	uint32_t n_branch, cap, free;  /* free: first of the free ones, by child[0] */
	uint32_t root[2];              /* IPv4, IPv6; 0: empty */
	const struct ip_addr *(*addr)(const void *ctx, uint32_t number);
	const void *ctx;
};

void addrset_init(struct addrset *s, const struct ip_addr *(*addr)(const void *ctx, uint32_t number), const void *ctx);
void addrset_fini(struct addrset *s);
/* The number of a; UINT32_MAX: it is not in the set. */
uint32_t addrset_find(const struct addrset *s, const struct ip_addr *a);
/* number's address joins (it is not in the set), or leaves (it is). */
void addrset_add(struct addrset *s, uint32_t number);
void addrset_del(struct addrset *s, uint32_t number);
/* fn for each address in p. */
void addrset_within(const struct addrset *s, const struct ip_prefix *p, void (*fn)(void *ctx, uint32_t number),
		    void *ctx);
