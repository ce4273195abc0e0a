#include "dataplane/rx.h"

#include <string.h>

#include <rte_ethdev.h>

#include "dataplane/worker.h"

/* Ports take turns, so that a busy one does not starve the others. */
static uint16_t take(struct worker *w, struct rte_mbuf **m)
{
	for (uint16_t tries = 0; tries < w->n_ports; tries++) {
		const struct worker_port *p = &w->port[w->next_port];
		uint16_t index = w->next_port, n = 0;

		if (++w->next_port >= w->n_ports)
			w->next_port = 0;
		if (p->rx && (!p->rx_when_up || atomic_load_explicit(&p->up, memory_order_relaxed)))
			n = rte_eth_rx_burst(p->dev, p->rx_queue, m, VEC_BURST);
		if (n == 0)
			continue;
		for (uint16_t i = 0; i < n; i++) {
			m[i]->port = index;
			rte_prefetch0((const uint8_t *)m[i] + sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM);
		}
		w->count.rx += n;
		return n;
	}
	return 0;
}

uint16_t rx_burst(struct worker *w, struct rte_mbuf **m)
{
	uint16_t n = w->n_ahead;

	if (n == 0)
		return take(w, m);
	memcpy(m, w->ahead, n * sizeof(m[0]));
	w->n_ahead = 0;
	return n;
}

void rx_ahead(struct worker *w)
{
	if (w->n_ahead == 0)
		w->n_ahead = take(w, w->ahead);
}
