/* Routing of clear packets, of both families. RFC 1812 5.2, 5.3.1; RFC 791 3.2; RFC 1191; RFC 8200 3; RFC 4443 3; RFC 4291 2.5.6
 *
 *   fwd_lookup   destination -> next hop
 *   fwd_send     TTL, MTU; to the port or the tunnel's owner    TTL, TOO_BIG, NO_SA, NO_ROUTE, BLACKHOLE, NOT_FOR_US,
 *                                                               CLEAR_TO_PROTECTED, BAD_ADDRESS (link-local)
 *   fwd_outer    ESP packets of our own to their port           RECURSION, NO_ROUTE, BLACKHOLE, TOO_BIG
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/fib.h"
#include "dataplane/vec.h"

struct worker;

/* nh[i]: how packet i leaves; its pkt.next is the next hop's id. n <= VEC_BURST in all of these. */
void fwd_lookup(struct worker *w, struct rte_mbuf **m, struct fib_nh *nh, uint16_t n);
/* Takes all n: one hop less to live (unless our own or the kernel's), then into w->out (in fragments where needed), w->enc, w->local or a
 * handoff; or it ends here, with an ICMP error where RFC 1812 asks for one. */
void fwd_send(struct worker *w, struct rte_mbuf **m, const struct fib_nh *nh, uint16_t n);
/* Takes all n: into w->out. */
void fwd_outer(struct worker *w, struct rte_mbuf **m, uint16_t n);

/* A packet bigger than mtu: fragments at the end of `to`, or, when it must not be fragmented (IPv6: never), an ICMP error and a drop.
 * How many packets it has become. */
uint16_t fwd_fit(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct vec *to);
