/* One child's selectors and mode, from the config's rows to what goes over the wire and back (RFC 7296 1.3.1, 2.9, 2.23.1).
 *
 * A tunnel has one child that carries all its pairs of selectors, or one for each pair (cfg_tunnel.children). In transport mode a
 * pair is what of the config's lies between the two ends of the path, and a NAT's addresses are put right first (2.23.1).
 */
#pragma once

#include "controlplane/ike/core.h"
#include "controlplane/ike/xchg.h"

/* How many children the tunnel has: 1..CFG_TS_MAX. */
unsigned offer_children(const struct cfg_tunnel *cfg);
/* The pairs that child `index` may carry on this path; their number, 0: there is no such child, or none fits the path. */
unsigned offer_policy(const struct cfg_tunnel *cfg, uint8_t index, const struct ike_path *path, bool transport,
		      struct cfg_ts out[CFG_TS_MAX]);
/* The PROPOSAL_* flags that the config asks for in ESP. */
unsigned offer_flags(const struct cfg_tunnel *cfg);

/* Initiator: x->tsi, x->tsr and x->transport for x->index, or for what `old` carries where that is to be rekeyed (2.9.2). */
void offer_build(const struct ike_tunnel *t, const struct ike_sa *sa, struct xchg *x, const struct ike_child *old);
/* Write N(USE_TRANSPORT_MODE) if x asks for it, or agrees. */
void offer_put_mode(struct wire_out *o, const struct xchg *x);
/* Initiator: the answer's selectors; x->transport tells whether the peer agreed to it. OK, TS_UNACCEPTABLE, SYNTAX. */
enum ike_verdict offer_verify(const struct ike_tunnel *t, const struct ike_sa *sa, struct xchg *x,
			      const struct ike_chain *c) MUST_USE;
/* Responder: choose the child (x->index) unless `old` says it, and narrow; x->tsi and x->tsr become the answer. A child that the
 * tunnel has already is replaced only by one that carries as much. OK; TS_UNACCEPTABLE, and in why what to do about it. */
enum ike_verdict offer_narrow(const struct ike_tunnel *t, const struct ike_sa *sa, struct xchg *x,
			      const struct ike_child *old, char *why, size_t cap) MUST_USE;
