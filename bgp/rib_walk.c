/* Rows for show, in the order of prefixes.
 *
 * The hash knows no order: it is made when a walk begins, as an array of keys, and kept for its next calls. Keys carry the whole
 * prefix, so a table that changes meanwhile does no harm: a key whose net is gone shows nothing.
 */
#include "bgp/rib_core.h"

#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"

/* IPv4: address, length and row in one number, so that numbers sort as prefixes do. */
enum { ROW_BITS = 26, LEN_BITS = 6 };

struct key6 {
	uint8_t addr[16];
	uint32_t len, row;
};

struct rib_order {
	uint64_t version[2]; /* of the tables when it was made */
	uint32_t n4, n6;
	uint64_t *v4;
	struct key6 *v6;
};

static uint64_t key4(const uint8_t *addr, unsigned len, uint32_t row)
{
	uint64_t a = (uint64_t)addr[0] << 24 | (uint64_t)addr[1] << 16 | (uint64_t)addr[2] << 8 | addr[3];

	return a << 32 | (uint64_t)len << ROW_BITS | row;
}

/* Stable, by the 38 bits above the row. */
static void sort4(uint64_t *v, uint32_t n)
{
	enum { DIGIT = 10, BINS = 1 << DIGIT };
	uint64_t *from = v, *to = xcalloc(n + 1ul, sizeof(*to)), *spare = to;

	for (unsigned shift = ROW_BITS; shift < 64; shift += DIGIT) {
		uint32_t at[BINS] = {0}, sum = 0;

		for (uint32_t i = 0; i < n; i++)
			at[from[i] >> shift & (BINS - 1)]++;
		for (unsigned b = 0; b < BINS; b++) {
			uint32_t c = at[b];

			at[b] = sum;
			sum += c;
		}
		for (uint32_t i = 0; i < n; i++)
			to[at[from[i] >> shift & (BINS - 1)]++] = from[i];
		to = from;
		from = from == v ? spare : v;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
	free(spare);
}

static int cmp6(const void *a, const void *b)
{
	const struct key6 *x = a, *y = b;
	int d = memcmp(x->addr, y->addr, sizeof(x->addr));

	return d ? d : (x->len > y->len) - (x->len < y->len);
}

void rib_order_free(struct rib *r)
{
	if (!r->order)
		return;
	free(r->order->v4);
	free(r->order->v6);
	free(r->order);
	r->order = NULL;
}

uint64_t rib_order_octets(const struct rib *r)
{
	return r->order ? r->order->n4 * sizeof(uint64_t) + r->order->n6 * sizeof(struct key6) : 0;
}

static void order_make(struct rib *r)
{
	struct rib_order *o = xcalloc(1, sizeof(*o));

	rib_order_free(r);
	o->version[0] = r->v4.version;
	o->version[1] = r->v6.version;
	o->v4 = xcalloc(r->v4.rows.live + 1ul, sizeof(*o->v4));
	o->v6 = xcalloc(r->v6.rows.live + 1ul, sizeof(*o->v6));
	for (uint32_t i = 1; i <= r->v4.rows.used && i < 1u << ROW_BITS; i++) {
		const struct net *n = net_live(&r->v4, i);

		if (n)
			o->v4[o->n4++] = key4(n->addr, n->len, i);
	}
	for (uint32_t i = 1; i <= r->v6.rows.used; i++) {
		const struct net *n = net_live(&r->v6, i);

		if (n) {
			o->v6[o->n6] = (struct key6){.len = n->len, .row = i};
			memcpy(o->v6[o->n6++].addr, n->addr, 16);
		}
	}
	sort4(o->v4, o->n4);
	qsort(o->v6, o->n6, sizeof(*o->v6), cmp6);
	r->order = o;
}

/* --- one net's rows --- */

struct walk {
	struct rib *r;
	enum bgp_view view;
	uint16_t peer;
	bool (*fn)(void *arg, const struct bgp_row *row);
	void *arg;
	unsigned rows, max;
	bool stop;
};

static void emit(struct walk *w, struct bgp_row *row)
{
	w->rows++;
	if (!w->fn(w->arg, row))
		w->stop = true;
}

/* The place of path i in its net's list: is it in force? */
static void standing(const struct rib *r, const struct net *n, uint32_t i, struct bgp_row *row)
{
	bool local = n->path && rib_path(r, n->path)->peer == RIB_LOCAL;
	unsigned place = 0;

	for (uint32_t at = n->path; at && at != i; at = rib_path(r, at)->next)
		place++;
	row->valid = path_eligible(r, rib_path(r, i));
	row->best = row->valid && place == 0;
	row->multipath = row->valid && place > 0 && place < n->n_best + (unsigned)local && n->n_best > 1 && !local;
}

/* Why path i of n stands where it stands. */
static const char *why(struct rib *r, const struct net *n, uint32_t i)
{
	const struct path *p = rib_path(r, i);
	unsigned m;

	if (p->filter)
		return path_filter_name(p->filter);
	if (!path_eligible(r, p))
		return "next hop unreachable";
	m = rib_candidates(r, n);
	decide(r->cand, m, r->multipath);
	for (unsigned k = 0; k < m; k++)
		if (r->cand[k].tag == i)
			return decide_step_name(r->cand[k].lost_at);
	return "";
}

static void path_row(struct walk *w, const struct ip_prefix *prefix, const struct net *n, uint32_t i)
{
	const struct path *p = rib_path(w->r, i);
	struct bgp_row row = {.prefix = *prefix, .peer = p->peer == RIB_LOCAL ? BGP_NO_PEER : p->peer};

	if (!path_alive(w->r, p) || (w->view != BGP_VIEW_RECEIVED && !p->eff))
		return;
	row.attrs = w->view == BGP_VIEW_RECEIVED ? p->in : p->eff;
	row.filtered = !p->eff;
	standing(w->r, n, i, &row);
	row.why = why(w->r, n, i);
	emit(w, &row);
}

static void sent_row(struct walk *w, const struct ip_prefix *prefix, const struct net *n)
{
	for (uint32_t i = n->out; i; i = rib_sent(w->r, i)->next) {
		const struct sent *s = rib_sent(w->r, i);
		struct bgp_row row = {.prefix = *prefix,
				      .attrs = s->set,
				      .peer = BGP_NO_PEER,
				      .valid = true,
				      .best = true,
				      .why = ""};

		if (s->peer != w->peer || s->session != w->r->peer[s->peer]->session)
			continue;
		if (n->path && rib_path(w->r, n->path)->peer != RIB_LOCAL &&
		    !(w->r->peer[w->peer]->s.default_originate && n->len == 0))
			row.peer = rib_path(w->r, n->path)->peer;
		emit(w, &row);
		return;
	}
}

/* false: no more. */
static bool net_rows(struct walk *w, struct net_table *t, uint32_t row, struct ip_prefix *after)
{
	const struct net *n = net_live(t, row);
	struct ip_prefix prefix;
	unsigned paths = 0;

	if (!n)
		return true;
	prefix = net_prefix(t, n);
	for (uint32_t i = n->path; i && w->view == BGP_VIEW_BEST; i = rib_path(w->r, i)->next)
		paths++;
	if (w->rows && w->rows + paths > w->max)
		return false;
	if (w->view == BGP_VIEW_ADVERTISED)
		sent_row(w, &prefix, n);
	for (uint32_t i = n->path; i && w->view != BGP_VIEW_ADVERTISED && !w->stop; i = rib_path(w->r, i)->next)
		if (w->view == BGP_VIEW_BEST || rib_path(w->r, i)->peer == w->peer)
			path_row(w, &prefix, n, i);
	*after = prefix;
	return !w->stop && w->rows < w->max;
}

/* --- the way through the order --- */

static uint32_t first4(const struct rib_order *o, const struct ip_prefix *after)
{
	uint64_t k = key4(after->addr.b, after->len, (1u << ROW_BITS) - 1);
	uint32_t lo = 0, hi = after->addr.family == IP_NONE ? 0 : o->n4;

	if (after->addr.family == IP_V6)
		return o->n4;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (o->v4[mid] > k)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static uint32_t first6(const struct rib_order *o, const struct ip_prefix *after)
{
	struct key6 k = {.len = after->len};
	uint32_t lo = 0, hi = after->addr.family == IP_V6 ? o->n6 : 0;

	memcpy(k.addr, after->addr.b, sizeof(k.addr));
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (cmp6(&o->v6[mid], &k) > 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Is row still the prefix of its key? A net may have gone and another have taken its row. */
static bool same4(const struct rib *r, uint64_t k)
{
	const struct net *n = net_live(&r->v4, (uint32_t)(k & ((1u << ROW_BITS) - 1)));

	return n && key4(n->addr, n->len, 0) == (k & ~(uint64_t)((1u << ROW_BITS) - 1));
}

static bool same6(const struct rib *r, const struct key6 *k)
{
	const struct net *n = net_live(&r->v6, k->row);

	return n && n->len == k->len && memcmp(n->addr, k->addr, sizeof(k->addr)) == 0;
}

static bool nothing(const struct rib *r, enum bgp_view v, uint32_t peer)
{
	if (v == BGP_VIEW_BEST)
		return false;
	if (peer >= r->n_peers || !r->peer[peer])
		return true;
	return v == BGP_VIEW_ADVERTISED ? r->peer[peer]->out.count == 0 : r->peer[peer]->received == 0;
}

unsigned rib_walk(struct rib *r, enum bgp_view v, uint32_t peer, struct ip_prefix *after, unsigned max,
		  bool (*fn)(void *arg, const struct bgp_row *row), void *arg)
{
	struct walk w = {.r = r, .view = v, .peer = (uint16_t)peer, .fn = fn, .arg = arg, .max = max};
	bool fresh = after->addr.family == IP_NONE, more = true;
	uint32_t i4, i6;

	if (max == 0 || nothing(r, v, peer))
		return 0;
	if (!r->order || (fresh && (r->order->version[0] != r->v4.version || r->order->version[1] != r->v6.version)))
		order_make(r);
	i4 = first4(r->order, after);
	i6 = first6(r->order, after);
	for (; more && i4 < r->order->n4; i4++)
		if (same4(r, r->order->v4[i4]))
			more = net_rows(&w, &r->v4, (uint32_t)(r->order->v4[i4] & ((1u << ROW_BITS) - 1)), after);
	for (; more && i6 < r->order->n6; i6++)
		if (same6(r, &r->order->v6[i6]))
			more = net_rows(&w, &r->v6, r->order->v6[i6].row, after);
	if (more || w.stop)
		rib_order_free(r);
	return w.rows;
}
