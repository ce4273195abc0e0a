/* Frames from the ports. */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

struct worker;

/* The burst that rx_ahead() took, or a new one from the next port that has one. m->port becomes the config's index. */
uint16_t rx_burst(struct worker *w, struct rte_mbuf **m);
/* Take the next burst from the ports already, unless one waits: crypto_run() fetches its lines while it ciphers. */
void rx_ahead(struct worker *w);
