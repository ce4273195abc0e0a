#include "dataplane/tx.h"

#include <rte_ethdev.h>

#include "dataplane/drop.h"
#include "dataplane/worker.h"

void tx_push(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		vec_give(w, &w->tx[m[i]->port], m[i]);
}

static void flush_port(struct worker *w, const struct worker_port *p, struct vec *v)
{
	bool up = atomic_load_explicit(&p->up, memory_order_relaxed);
	uint16_t sent = 0;

	if (likely(up))
		sent = rte_eth_tx_burst(p->dev, p->tx_queue, v->m, v->n);
	w->count.tx += sent;
	for (uint16_t i = sent; i < v->n; i++)
		drop(w, v->m[i], up ? DROP_TX_FULL : DROP_LINK_DOWN);
	v->n = 0;
}

void tx_flush(struct worker *w)
{
	for (uint16_t i = 0; i < w->n_ports; i++)
		if (w->tx[i].n != 0)
			flush_port(w, &w->port[i], &w->tx[i]);
}
