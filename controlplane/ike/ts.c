#include "controlplane/ike/ts.h"

#include <string.h>

/* A pair as two ranges of one protocol. */
struct pair {
	struct ike_ts local, remote;
};

enum {
	CANDIDATES_MAX = 64, /* overlaps considered for one answer */
	LOOKS_MAX = 4096,    /* combinations looked at for them: a peer with 64 selectors a side costs no more */
	PIECES_MAX = 256,    /* prefixes of one range: at most 2 * 128 - 2 */
};

/* ---- selectors as sets ---- */

static struct ike_ts from_prefix(const struct ip_prefix *p, uint8_t protocol, uint16_t port_lo, uint16_t port_hi)
{
	struct ike_ts ts = {.protocol = protocol, .port_lo = port_lo, .port_hi = port_hi};
	struct ip_prefix any = {.addr = ip_v4(0), .len = 0};

	ip_prefix_range(p->addr.family == IP_NONE ? &any : p, &ts.lo, &ts.hi);
	return ts;
}

static struct pair from_cfg(const struct cfg_ts *c)
{
	return (struct pair){
		.local = from_prefix(&c->local, c->protocol, c->local_port_lo, c->local_port_hi),
		.remote = from_prefix(&c->remote, c->protocol, c->remote_port_lo, c->remote_port_hi),
	};
}

static bool within(const struct ike_ts *a, const struct ike_ts *b)
{
	return a->lo.family == b->lo.family && ip_cmp(&b->lo, &a->lo) <= 0 && ip_cmp(&a->hi, &b->hi) <= 0 &&
	       b->port_lo <= a->port_lo && a->port_hi <= b->port_hi && (b->protocol == 0 || a->protocol == b->protocol);
}

static bool pair_within(const struct pair *a, const struct pair *b)
{
	return within(&a->local, &b->local) && within(&a->remote, &b->remote);
}

static bool protocols_meet(uint8_t a, uint8_t b)
{
	return a == b || a == 0 || b == 0;
}

/* out = a and b; false: nothing is in both. */
static bool overlap(const struct ike_ts *a, const struct ike_ts *b, struct ike_ts *out)
{
	if (a->lo.family != b->lo.family || !protocols_meet(a->protocol, b->protocol))
		return false;
	out->lo = ip_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo;
	out->hi = ip_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi;
	out->port_lo = a->port_lo > b->port_lo ? a->port_lo : b->port_lo;
	out->port_hi = a->port_hi < b->port_hi ? a->port_hi : b->port_hi;
	out->protocol = a->protocol ? a->protocol : b->protocol;
	return ip_cmp(&out->lo, &out->hi) <= 0 && out->port_lo <= out->port_hi;
}

/* What a policy pair and one combination of the peer's selectors have in common. */
static bool pair_overlap(const struct pair *policy, const struct ike_ts *local, const struct ike_ts *remote,
			 struct pair *out)
{
	uint8_t protocol;

	if (!overlap(&policy->local, local, &out->local) || !overlap(&policy->remote, remote, &out->remote) ||
	    !protocols_meet(out->local.protocol, out->remote.protocol))
		return false;
	protocol = out->local.protocol ? out->local.protocol : out->remote.protocol;
	out->local.protocol = out->remote.protocol = protocol;
	return true;
}

/* ---- ranges as prefixes ---- */

static bool increment(struct ip_addr *a)
{
	for (size_t i = ip_size(a->family); i-- > 0;)
		if (++a->b[i] != 0)
			return true;
	return false;
}

/* Cut lo..hi into the fewest prefixes, the largest first; their number. */
static unsigned cut(const struct ip_addr *lo, const struct ip_addr *hi, struct ip_prefix piece[PIECES_MAX])
{
	struct ip_addr at = *lo, first, last;
	unsigned n = 0;

	if (ip_range_prefix(lo, hi, &piece[0]))
		return 1;
	do {
		struct ip_prefix p = {.addr = at, .len = 0};
		unsigned k = n;

		for (;; p.len++) {
			ip_prefix_range(&p, &first, &last);
			if (ip_equal(&first, &at) && ip_cmp(&last, hi) <= 0)
				break;
		}
		for (; k > 0 && piece[k - 1].len > p.len; k--)
			piece[k] = piece[k - 1];
		piece[k] = p;
		n++;
		at = last;
	} while (n < PIECES_MAX && increment(&at) && ip_cmp(&at, hi) <= 0);
	return n;
}

/* ---- candidates: overlaps, none inside another ---- */

struct candidates {
	unsigned n, looks;
	bool full; /* there were more */
	struct pair pair[CANDIDATES_MAX];
};

static void candidate_add(struct candidates *c, const struct pair *p)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (pair_within(p, &c->pair[i]))
			return;
		if (pair_within(&c->pair[i], p)) {
			c->pair[i] = *p;
			return;
		}
	}
	if (c->n == CANDIDATES_MAX)
		c->full = true;
	else
		c->pair[c->n++] = *p;
}

/* All overlaps of one policy pair, those of the peer's first selectors in front. */
static void candidates_of(struct candidates *c, const struct cfg_ts *policy, const struct payload_ts *local,
			  const struct payload_ts *remote)
{
	struct pair rule = from_cfg(policy), p;

	for (unsigned i = 0; i < local->n; i++)
		for (unsigned k = 0; k < remote->n; k++) {
			if (c->full || c->looks++ == LOOKS_MAX) {
				c->full = true;
				return;
			}
			if (pair_overlap(&rule, &local->ts[i], &remote->ts[k], &p))
				candidate_add(c, &p);
		}
}

/* RFC 7296 2.9: the policy pair that takes the peer's first choices whole, else the first that takes a part of them. */
static unsigned first_choice(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *local,
			     const struct payload_ts *remote)
{
	unsigned part = n_policy;

	for (unsigned k = 0; k < n_policy && local->n && remote->n; k++) {
		struct pair rule = from_cfg(&policy[k]), p;

		if (!pair_overlap(&rule, &local->ts[0], &remote->ts[0], &p))
			continue;
		if (within(&local->ts[0], &rule.local) && within(&remote->ts[0], &rule.remote))
			return k;
		if (part == n_policy)
			part = k;
	}
	return part < n_policy ? part : 0;
}

/* ---- the answer: two lists whose every combination is allowed ---- */

static void ts_put(struct payload_ts *list, const struct ike_ts *ts)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < list->n; i++)
		if (within(ts, &list->ts[i]))
			return;
	for (unsigned i = 0; i < list->n; i++)
		if (!within(&list->ts[i], ts))
			list->ts[kept++] = list->ts[i];
	list->n = kept;
	if (list->n < PAYLOAD_TS_MAX)
		list->ts[list->n++] = *ts;
}

static bool allowed(const struct pair *p, const struct cfg_ts *policy, unsigned n_policy)
{
	for (unsigned i = 0; i < n_policy; i++) {
		struct pair rule = from_cfg(&policy[i]);

		if (pair_within(p, &rule))
			return true;
	}
	return false;
}

static bool to_cfg(const struct pair *p, struct cfg_ts *out)
{
	*out = (struct cfg_ts){
		.protocol = p->local.protocol,
		.local_port_lo = p->local.port_lo,
		.local_port_hi = p->local.port_hi,
		.remote_port_lo = p->remote.port_lo,
		.remote_port_hi = p->remote.port_hi,
	};
	return ip_range_prefix(&p->local.lo, &p->local.hi, &out->local) &&
	       ip_range_prefix(&p->remote.lo, &p->remote.hi, &out->remote);
}

/* The pairs that two lists say. false: one is outside our policy, or there are more than we can install. */
static bool combine(const struct payload_ts *local, const struct payload_ts *remote, const struct cfg_ts *policy,
		    unsigned n_policy, struct ts_result *out)
{
	out->n = 0;
	for (unsigned i = 0; i < local->n; i++)
		for (unsigned k = 0; k < remote->n; k++) {
			struct pair p = {.local = local->ts[i], .remote = remote->ts[k]};

			/* no packet is of two protocols, and none has two families: such a combination says nothing */
			if (p.local.lo.family != p.remote.lo.family ||
			    !protocols_meet(p.local.protocol, p.remote.protocol))
				continue;
			if (p.local.protocol == 0)
				p.local.protocol = p.remote.protocol;
			p.remote.protocol = p.local.protocol;
			if (!allowed(&p, policy, n_policy) || out->n == CFG_TS_MAX || !to_cfg(&p, &out->pair[out->n]))
				return false;
			out->n++;
		}
	return true;
}

/* Widen the answer by one pair of prefixes if all combinations stay allowed and installable. */
static bool widen(const struct pair *p, const struct cfg_ts *policy, unsigned n_policy, struct ts_result *out,
		  struct payload_ts *local, struct payload_ts *remote)
{
	struct payload_ts l = *local, r = *remote;
	struct ts_result t;

	ts_put(&l, &p->local);
	ts_put(&r, &p->remote);
	if (!combine(&l, &r, policy, n_policy, &t) || t.n == 0)
		return false;
	out->n = t.n;
	memcpy(out->pair, t.pair, t.n * sizeof(t.pair[0]));
	*local = l;
	*remote = r;
	return true;
}

/* Widen by a candidate, cut into prefixes where it is none. */
static void widen_by(const struct pair *c, const struct cfg_ts *policy, unsigned n_policy, struct ts_result *out,
		     struct payload_ts *local, struct payload_ts *remote)
{
	struct ip_prefix lp[PIECES_MAX], rp[PIECES_MAX];
	unsigned nl = cut(&c->local.lo, &c->local.hi, lp), nr = cut(&c->remote.lo, &c->remote.hi, rp);
	bool whole = nl == 1 && nr == 1;

	/* the largest pieces come first, and CFG_TS_MAX pairs are all there is room for */
	for (unsigned i = 0; i < nl && i < CFG_TS_MAX; i++)
		for (unsigned k = 0; k < nr && k < CFG_TS_MAX; k++) {
			struct pair p = *c;

			if (out->n == CFG_TS_MAX) {
				out->cut |= !whole;
				return;
			}
			ip_prefix_range(&lp[i], &p.local.lo, &p.local.hi);
			ip_prefix_range(&rp[k], &p.remote.lo, &p.remote.hi);
			if (widen(&p, policy, n_policy, out, local, remote))
				continue;
			if (whole)
				out->additional = true;
			else
				out->cut = true;
		}
	if (nl > CFG_TS_MAX || nr > CFG_TS_MAX)
		out->cut = true;
}

enum ike_verdict ts_narrow(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *peer_tsi,
			   const struct payload_ts *peer_tsr, struct ts_result *out, struct payload_ts *tsi,
			   struct payload_ts *tsr)
{
	/* we are the responder: TSr is our side */
	unsigned first = first_choice(policy, n_policy, peer_tsr, peer_tsi);
	struct candidates c = {0};
	unsigned i = 0;

	*out = (struct ts_result){0};
	tsi->n = tsi->left_out = tsr->n = tsr->left_out = 0;
	if (first < n_policy)
		candidates_of(&c, &policy[first], peer_tsr, peer_tsi);
	for (unsigned k = 0; k < n_policy; k++)
		if (k != first)
			candidates_of(&c, &policy[k], peer_tsr, peer_tsi);
	for (; i < c.n && out->n < CFG_TS_MAX; i++)
		widen_by(&c.pair[i], policy, n_policy, out, tsr, tsi);
	out->additional |= c.full || i < c.n;
	return out->n ? IKE_V_OK : IKE_V_TS_UNACCEPTABLE;
}

/* ---- the initiator's side ---- */

static void put_once(struct payload_ts *list, const struct ike_ts *ts)
{
	for (unsigned i = 0; i < list->n; i++)
		if (within(ts, &list->ts[i]) && within(&list->ts[i], ts))
			return;
	if (list->n < PAYLOAD_TS_MAX)
		list->ts[list->n++] = *ts;
}

void ts_build(const struct cfg_ts *policy, unsigned n_policy, const struct cfg_ts *first, struct payload_ts *tsi,
	      struct payload_ts *tsr)
{
	tsi->n = tsi->left_out = tsr->n = tsr->left_out = 0;
	if (first) {
		struct pair p = from_cfg(first);

		tsi->ts[tsi->n++] = p.local;
		tsr->ts[tsr->n++] = p.remote;
	}
	for (unsigned i = 0; i < n_policy; i++) {
		struct pair p = from_cfg(&policy[i]);

		put_once(tsi, &p.local);
		put_once(tsr, &p.remote);
	}
}

bool ts_list_within(const struct payload_ts *a, const struct payload_ts *b)
{
	for (unsigned i = 0; i < a->n; i++) {
		bool in = false;

		for (unsigned k = 0; k < b->n && !in; k++)
			in = within(&a->ts[i], &b->ts[k]);
		if (!in)
			return false;
	}
	return true;
}

/* Add what a candidate is in prefixes to the pairs to install. */
static void install_add(const struct pair *c, struct ts_result *out)
{
	struct ip_prefix lp[PIECES_MAX], rp[PIECES_MAX];
	unsigned nl = cut(&c->local.lo, &c->local.hi, lp), nr = cut(&c->remote.lo, &c->remote.hi, rp);

	for (unsigned i = 0; i < nl; i++)
		for (unsigned k = 0; k < nr; k++) {
			struct pair p = *c;

			if (out->n == CFG_TS_MAX) {
				out->cut = true;
				return;
			}
			ip_prefix_range(&lp[i], &p.local.lo, &p.local.hi);
			ip_prefix_range(&rp[k], &p.remote.lo, &p.remote.hi);
			if (to_cfg(&p, &out->pair[out->n]))
				out->n++;
		}
}

enum ike_verdict ts_verify(const struct cfg_ts *policy, unsigned n_policy, const struct payload_ts *sent_tsi,
			   const struct payload_ts *sent_tsr, const struct payload_ts *got_tsi,
			   const struct payload_ts *got_tsr, struct ts_result *out)
{
	struct candidates c = {0};

	*out = (struct ts_result){0};
	if (got_tsi->left_out || got_tsr->left_out || !ts_list_within(got_tsi, sent_tsi) ||
	    !ts_list_within(got_tsr, sent_tsr))
		return IKE_V_TS_UNACCEPTABLE;
	for (unsigned k = 0; k < n_policy; k++)
		candidates_of(&c, &policy[k], got_tsi, got_tsr);
	for (unsigned i = 0; i < c.n; i++)
		install_add(&c.pair[i], out);
	out->cut |= c.full;
	return out->n ? IKE_V_OK : IKE_V_TS_UNACCEPTABLE;
}

bool ts_pairs_within(const struct cfg_ts *a, unsigned n_a, const struct cfg_ts *b, unsigned n_b)
{
	for (unsigned i = 0; i < n_a; i++) {
		struct pair p = from_cfg(&a[i]);

		if (!allowed(&p, b, n_b))
			return false;
	}
	return true;
}
