/* Whole-table work in slices. */
#include "bgp/rib_core.h"

#include "base/build.h"

enum { SWEEP_AHEAD = 16 /* rows: their slots are fetched before their turn */ };

void rib_sweep(struct rib *r)
{
	if (r->sweeping) {
		r->again = true;
		return;
	}
	r->sweeping = true;
	r->sweep_family = IP_V4;
	r->sweep_at = 0;
}

static void sweep_end(struct rib *r)
{
	r->sweeping = false;
	if (r->again) {
		r->again = false;
		rib_sweep(r);
		return;
	}
	nexthop_settled(&r->nexthops);
	for (uint32_t i = 0; i < r->n_peers; i++)
		if (r->peer[i])
			r->peer[i]->reimport = false;
}

static void sweep_slice(struct rib *r)
{
	struct net_table *t = rib_table(r, r->sweep_family);

	for (unsigned k = 0; k < RIB_SLICE; k++) {
		if (r->sweep_at >= t->rows.used) {
			if (r->sweep_family == IP_V6) {
				sweep_end(r);
				return;
			}
			r->sweep_family = IP_V6;
			r->sweep_at = 0;
			t = &r->v6;
			continue;
		}
		net_prefetch_row_slot(t, r->sweep_at + SWEEP_AHEAD);
		if (net_live(t, ++r->sweep_at))
			rib_clean(r, t, r->sweep_at);
	}
}

void rib_nexthop(struct rib *r, const struct ip_addr *nh, bool reachable, uint32_t metric)
{
	uint32_t i = nexthop_find(&r->nexthops, nh);
	struct nexthop *row = &r->nexthops.row[i];

	if (!i || (row->reachable == reachable && (!reachable || row->metric == metric)))
		return;
	row->reachable = reachable;
	row->metric = metric;
	row->changed = true;
	rib_sweep(r);
}

bool rib_work(struct rib *r)
{
	if (r->sweeping)
		sweep_slice(r);
	out_work(r);
	return rib_busy(r);
}

bool rib_busy(const struct rib *r)
{
	return r->sweeping || !list_empty(&r->working);
}
