/* The next hops of accepted paths: each address once, with its users counted, its reach and its distance. RFC 4271 9.1.2.1.
 *
 * Private to bgp/. Thread: the core's.
 */
#pragma once

#include <stdbool.h>

#include "base/ip.h"

struct nexthop {
	struct ip_addr addr;
	bool reachable;
	bool changed; /* since the last whole look at the table */
	uint32_t metric, refs, chain;
};

struct nexthop_table {
	struct nexthop *row; /* [0] is nobody: never reachable */
	uint32_t n, cap, free, live;
	uint32_t *bucket;
	uint32_t mask;
};

void nexthop_init(struct nexthop_table *t);
void nexthop_fini(struct nexthop_table *t);
/* One reference more; *fresh: it was not there. */
uint32_t nexthop_get(struct nexthop_table *t, const struct ip_addr *a, bool *fresh);
/* One reference less. true: that was the last; *gone is its address. */
bool nexthop_put(struct nexthop_table *t, uint32_t i, struct ip_addr *gone);
/* 0: nobody uses it. */
uint32_t nexthop_find(const struct nexthop_table *t, const struct ip_addr *a);
/* The whole table has been looked at. */
void nexthop_settled(struct nexthop_table *t);
