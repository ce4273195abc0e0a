/* From clear IPv4 packets to ESP packets of our own. RFC 4303 3.3, RFC 4301 5.1.2, RFC 3948 3.2, RFC 6040 4.1
 *
 *   esp_out_lookup   tunnel -> TX SA; selectors; fit into its MTU   NO_SA, LIMIT, SEQ_END, TS_MISMATCH, TOO_BIG
 *   esp_out_prepare  sequence number, headers, padding, batch       NO_HEADROOM, LIMIT, SEQ_END
 *   crypto_run       (crypto.h)
 *   esp_out_finish   outer packets
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/crypto.h"
#include "dataplane/sa.h"

struct worker;

/* Takes w->enc (pkt.next: tunnel) and fills w->ready and w->ready_sa, in order; what does not fit the SA's MTU becomes
 * fragments there, or an ICMP error in w->fwd. A tunnel without an SA raises NO_SA, at most once a second. */
void esp_out_lookup(struct worker *w);
/* Takes all n <= VEC_BURST into the batch, which is empty, or drops them. From here on the mbuf's data begins at the
 * outer IPv4 header. */
void esp_out_prepare(struct worker *w, struct rte_mbuf **m, struct sa_out **sa, uint16_t n, struct crypto_batch *b);
/* Takes the batch apart: m gets the outer packets, in order. */
uint16_t esp_out_finish(struct worker *w, struct crypto_batch *b, struct rte_mbuf **m);
