#include "dataplane/tx.h"

#include <rte_ethdev.h>

#include "dataplane/drop.h"
#include "dataplane/handoff.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"

void tx_push(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		vec_give(w, &w->tx[m[i]->port], m[i]);
}

/* The port has no TX queue of ours: a worker that has one sends them. */
static void hand_on(struct worker *w, const struct worker_port *p, struct vec *v)
{
	for (uint16_t i = 0; i < v->n; i++) {
		pkt_of(v->m[i])->kind = PKT_FRAME;
		handoff_push(w, p->tx_by, v->m[i]);
	}
	v->n = 0;
}

static void flush_port(struct worker *w, const struct worker_port *p, struct vec *v)
{
	bool up = atomic_load_explicit(&p->up, memory_order_relaxed);
	uint16_t sent = 0;

	if (unlikely(p->tx_other && up)) {
		hand_on(w, p, v);
		return;
	}
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
