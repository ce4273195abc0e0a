/* Second stage: ESP for us goes to its SA's owner, all else to the FIB. RFC 4303 3.4.2, RFC 3948 2
 *
 * Only the SPI is looked at: its slot tells the owner worker. Whether the packet is really that SA's (whole SPI,
 * destination) is for esp_in_lookup() to say, which only the owner can; what is not goes on as a clear packet, and when
 * the FIB finds that it is to us, local.c names it.
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

struct worker;

/* Takes all n: into w->esp, w->fwd, or a handoff. */
void classify_burst(struct worker *w, struct rte_mbuf **m, uint16_t n);
/* Packets that other workers have handed to us: into w->esp or w->enc. */
void classify_handed(struct worker *w, struct rte_mbuf **m, uint16_t n);
