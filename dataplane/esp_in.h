/* From ESP packets to the inner IPv4 packets that they carried. RFC 4303 3.4, RFC 4301 5.2, RFC 6040 4.2
 *
 *   esp_in_lookup    SPI and destination -> SA            BAD_SPI (by way of the FIB), LIMIT, ESP_RUNT
 *   esp_in_prepare   replay pre-check, batch              REPLAY_OLD, REPLAY
 *   crypto_run       (crypto.h)
 *   esp_in_finish    ICV, replay, trailer, inner packet   BAD_ICV, REPLAY*, BAD_PAD, DUMMY, NEXT_HEADER, INNER_BAD,
 *                                                         TS_MISMATCH, ECN
 * A packet that is lost here also moves one of its SA's own drop counters, but for dummies, which are no fault.
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/crypto.h"
#include "dataplane/sa.h"

struct worker;

/* Keeps the packets whose SPI and destination name a live SA of ours: sa[i]. Those that name none go on to w->fwd. */
uint16_t esp_in_lookup(struct worker *w, struct rte_mbuf **m, struct sa_in **sa, uint16_t n);
/* Takes all n <= VEC_BURST into the batch, which is empty, or drops them. RFC 4303 3.4.3 */
void esp_in_prepare(struct worker *w, struct rte_mbuf **m, struct sa_in **sa, uint16_t n, struct crypto_batch *b);
/* Takes the batch apart: m gets the inner packets, in order, their data at the inner IPv4 header. */
uint16_t esp_in_finish(struct worker *w, struct crypto_batch *b, struct rte_mbuf **m);
