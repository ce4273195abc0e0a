/* Routing of clear packets. RFC 1812 5.2, 5.3.1; RFC 791 3.2; RFC 1191
 *
 *   fwd_lookup   destination -> next hop               NO_ROUTE, BLACKHOLE, NOT_FOR_US; ours go to w->local
 *   fwd_ttl      the TTL step                          TTL
 *   fwd_send     to the port, or the tunnel's owner    TOO_BIG, NO_SA
 *   fwd_outer    ESP packets of our own to their port  RECURSION, NO_ROUTE, TOO_BIG
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/fib.h"
#include "dataplane/vec.h"

struct worker;

/* Keeps the packets that leave by a port or tunnel; nh[i] is how. n <= VEC_BURST in all of these. */
uint16_t fwd_lookup(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n);
/* One less, or an ICMP time exceeded. Packets of our own are let through. */
uint16_t fwd_ttl(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n);
/* Takes all n: into w->out (in fragments where needed), w->enc, or a handoff. */
void fwd_send(struct worker *w, struct rte_mbuf **m, const struct fib_nh *nh, uint16_t n);
/* Takes all n: into w->out. */
void fwd_outer(struct worker *w, struct rte_mbuf **m, uint16_t n);

/* A packet bigger than mtu: fragments at the end of `to`, or, when it must not be fragmented, an ICMP error and a drop.
 * How many packets it has become. */
uint16_t fwd_fit(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct vec *to);
