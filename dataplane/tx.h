/* Frames to the ports. */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

struct worker;

/* Takes all n: whole frames, m->port says where to. */
void tx_push(struct worker *w, struct rte_mbuf **m, uint16_t n);
/* Give everything in w->tx[] to the devices, or to a worker that has a queue of theirs. What a device does not take is dropped, it never
 * waits: TX_FULL, LINK_DOWN. */
void tx_flush(struct worker *w);
