#include "dataplane/drop.h"

void drop_flush(struct worker *w)
{
	if (w->dead.n == 0)
		return;
	rte_pktmbuf_free_bulk(w->dead.m, w->dead.n);
	w->dead.n = 0;
}
