/* The forwarding table's IPv6 routes. As fib.h in all that it does not say: owners, marks and sweeps, next hops, threads.
 *
 * lpm6.h finds the number. ::/0 is not in there, as 0.0.0.0/0 is not in lpm.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/fib.h"
#include "dataplane/ip6.h"

enum {
	FIB6_SHORT = 24
}; /* prefixes shorter than this may have large parts of the table under them: a turn's work each */

/* --- workers, between two quiescent states --- */

static inline void fib6_lookup(const struct fib *f, const struct ip6 *addr, uint32_t *id, uint16_t n)
{
	lpm6_lookup(&f->lpm6, addr, id, n);
}

/* The next hop "on link at this port": for what has no route, link-local addresses. */
static inline uint32_t fib6_link(const struct fib *f, uint16_t port)
{
	return f->links + port;
}

/* --- ctl thread --- */

int fib6_set(struct fib *f, struct ip6 addr, uint8_t plen, uint32_t nexthop) MUST_USE;
int fib6_del(struct fib *f, struct ip6 addr, uint8_t plen) MUST_USE;
int fib6_own_set(struct fib *f, struct ip6 addr, uint8_t plen, enum fib_kind kind, uint16_t port) MUST_USE;
int fib6_addr_set(struct fib *f, struct ip6 addr) MUST_USE;
int fib6_addr_del(struct fib *f, struct ip6 addr) MUST_USE;
bool fib6_is_local(const struct fib *f, struct ip6 addr);
bool fib6_find(const struct fib *f, struct ip6 addr, struct fib_found *out);
uint32_t fib6_count(const struct fib *f);
