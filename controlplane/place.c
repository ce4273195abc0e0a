#include "controlplane/place.h"

void place_init(struct place *p, unsigned n_workers)
{
	*p = (struct place){.n_workers = n_workers};
}

uint8_t place_take(struct place *p, uint8_t had)
{
	uint8_t best = 0;

	if (had < p->n_workers) {
		p->load[had]++;
		return had;
	}
	for (uint8_t w = 1; w < p->n_workers; w++)
		if (p->load[w] < p->load[best])
			best = w;
	p->load[best]++;
	return best;
}

void place_give(struct place *p, uint8_t worker)
{
	if (worker < p->n_workers && p->load[worker])
		p->load[worker]--;
}
