#include "controlplane/ike/offer.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/ike/payload.h"
#include "controlplane/ike/ts.h"

unsigned offer_children(const struct cfg_tunnel *cfg)
{
	return cfg->children == CFG_CHILDREN_PER_SELECTOR && cfg->n_ts ? cfg->n_ts : 1;
}

unsigned offer_flags(const struct cfg_tunnel *cfg)
{
	/* RFC 4303 3.4.3: without the window nobody follows the number's high half */
	if (cfg->esp.esn == CFG_ESN_PREFER)
		return cfg->esp.replay_window ? PROPOSAL_ESN_PREFER : 0;
	return cfg->esp.esn == CFG_ESN_REQUIRE ? PROPOSAL_ESN_REQUIRE : 0;
}

/* ---- what our config allows ---- */

static bool cut_to_host(struct ip_prefix *p, const struct ip_addr *host)
{
	bool any = p->addr.family == IP_NONE;

	if (!any && !ip_prefix_contains(p, host))
		return false;
	*p = (struct ip_prefix){.addr = *host, .len = (uint8_t)(ip_size(host->family) * 8)};
	return true;
}

unsigned offer_policy(const struct cfg_tunnel *cfg, uint8_t index, const struct ike_path *path, bool transport,
		      struct cfg_ts out[CFG_TS_MAX])
{
	bool one = offer_children(cfg) == 1;
	unsigned n = 0;

	for (unsigned i = 0; i < cfg->n_ts; i++) {
		if (one ? index != 0 : i != index)
			continue;
		out[n] = cfg->ts[i];
		if (transport &&
		    (!cut_to_host(&out[n].local, &path->local) || !cut_to_host(&out[n].remote, &path->remote)))
			continue;
		n++;
	}
	return n;
}

/* ---- NAT in transport mode ---- */

/* RFC 7296 2.23.1: the one address that the other end has written, as it is seen here. */
static void substitute(struct payload_ts *ts, const struct ip_addr *by)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->ts[i].lo.family == by->family && ip_equal(&ts->ts[i].lo, &ts->ts[i].hi))
			ts->ts[i].lo = ts->ts[i].hi = *by;
}

static void substitute_both(const struct ike_sa *sa, struct payload_ts *local, struct payload_ts *remote)
{
	if (sa->natt.nat_local)
		substitute(local, &sa->path.local);
	if (sa->natt.nat_remote)
		substitute(remote, &sa->path.remote);
}

/* ---- initiator ---- */

static bool has_ports(uint8_t protocol)
{
	switch (protocol) {
	case 1: /* ICMP: type and code, RFC 7296 3.13.1 */
	case 6:
	case 17:
	case 33:
	case 58:
	case 132:
	case 135:
	case 136:
		return true;
	default:
		return false;
	}
}

/* Two selectors that hold the packet alone. */
static bool first_of(const struct ike_want *w, struct cfg_ts *out)
{
	if (!w || !w->has_packet)
		return false;
	*out = w->packet;
	if (!has_ports(out->protocol)) {
		out->local_port_lo = out->remote_port_lo = 0;
		out->local_port_hi = out->remote_port_hi = UINT16_MAX;
	}
	return true;
}

/* The pair that the packet lies in, else the first. */
static unsigned only_one(struct cfg_ts policy[CFG_TS_MAX], unsigned n, const struct cfg_ts *packet)
{
	for (unsigned i = 1; packet && i < n; i++)
		if (ts_pairs_within(packet, 1, &policy[i], 1)) {
			policy[0] = policy[i];
			break;
		}
	return n ? 1 : 0;
}

void offer_build(const struct ike_tunnel *t, const struct ike_sa *sa, struct xchg *x, const struct ike_child *old)
{
	const struct ike_want *w = x->index < t->n_want ? &t->want[x->index] : NULL;
	struct cfg_ts policy[CFG_TS_MAX], packet;
	bool has_packet;
	unsigned n;

	x->transport = old ? old->transport : t->cfg->mode == CFG_MODE_TRANSPORT;
	if (old && !x->transport) {
		ts_build(old->ts, old->n_ts, NULL, &x->tsi, &x->tsr);
		return;
	}
	n = offer_policy(t->cfg, x->index, &sa->path, x->transport, policy);
	has_packet = !old && first_of(w, &packet) && ts_pairs_within(&packet, 1, policy, n);
	if (w && w->single)
		n = only_one(policy, n, has_packet ? &packet : NULL);
	ts_build(policy, n, has_packet ? &packet : NULL, &x->tsi, &x->tsr);
}

void offer_put_mode(struct wire_out *o, const struct xchg *x)
{
	if (x->transport)
		payload_notify_add(o, N_USE_TRANSPORT_MODE, NULL, 0);
}

enum ike_verdict offer_verify(const struct ike_tunnel *t, const struct ike_sa *sa, struct xchg *x,
			      const struct ike_chain *c)
{
	const struct ike_child *old = child_find_in(sa, x->old_spi_in);
	struct cfg_ts policy[CFG_TS_MAX];
	struct payload_ts tsi, tsr;
	struct payload_notify n;
	bool transport = payload_notify_find(c, N_USE_TRANSPORT_MODE, &n);
	enum ike_verdict v = payload_ts_decode(wire_find(c, IKE_PL_TSI)->body, &tsi);
	unsigned n_policy;

	if (v == IKE_V_OK)
		v = payload_ts_decode(wire_find(c, IKE_PL_TSR)->body, &tsr);
	if (v == IKE_V_OK && transport && !x->transport)
		v = IKE_V_SYNTAX; /* nobody asked for it */
	x->transport = transport;
	if (v != IKE_V_OK)
		return v;
	if (transport)
		substitute_both(sa, &tsi, &tsr);
	if (old && !transport) {
		n_policy = old->n_ts;
		memcpy(policy, old->ts, sizeof(policy));
	} else {
		n_policy = offer_policy(t->cfg, x->index, &sa->path, transport, policy);
	}
	v = ts_verify(policy, n_policy, &x->tsi, &x->tsr, &tsi, &tsr, &x->ts);
	return v == IKE_V_OK && x->ts.n == 0 ? IKE_V_TS_UNACCEPTABLE : v;
}

/* ---- responder ---- */

/* How well a child fits what the peer asks for, a bit for each reason; the largest is taken. */
enum { FIT_ANY = 1, FIT_FREE = 2, FIT_FIRST = 4, FIT_WHOLE = 8 };

struct attempt {
	unsigned fit;
	struct ts_result ts;
	struct payload_ts tsi, tsr;
};

static bool first_within(const struct payload_ts *asked, const struct payload_ts *got)
{
	struct payload_ts first = {.n = asked->n ? 1 : 0};

	first.ts[0] = asked->ts[0];
	return ts_list_within(&first, got);
}

static void try_index(const struct ike_tunnel *t, const struct ike_sa *sa, const struct xchg *x, uint8_t index,
		      const struct payload_ts *tsi, const struct payload_ts *tsr, struct attempt *a)
{
	struct cfg_ts policy[CFG_TS_MAX];
	unsigned n = offer_policy(t->cfg, index, &x->path, x->transport, policy);

	a->fit = 0;
	if (!n || ts_narrow(policy, n, tsi, tsr, &a->ts, &a->tsi, &a->tsr) != IKE_V_OK || !a->ts.n)
		return;
	a->fit = FIT_ANY;
	if (!child_of_index(sa, index))
		a->fit |= FIT_FREE;
	if (first_within(tsr, &a->tsr) &&
	    first_within(tsi, &a->tsi)) /* RFC 7296 2.9: the packet, or the first choice */
		a->fit |= FIT_FIRST;
	if (ts_list_within(tsr, &a->tsr) && ts_list_within(tsi, &a->tsi)) /* nothing is cut off */
		a->fit |= FIT_WHOLE;
}

/* The tunnel sends on one pair per child: what the last one carried has to fit the new one. */
static bool displaces(const struct ike_sa *sa, uint8_t index, const struct ts_result *ts)
{
	const struct ike_child *c = child_of_index(sa, index);

	return c && !ts_pairs_within(c->ts, c->n_ts, ts->pair, ts->n);
}

static enum ike_verdict unacceptable(const struct cfg_tunnel *cfg, const struct payload_ts *tsi,
				     const struct payload_ts *tsr, bool asked, char *why, size_t cap)
{
	if (cfg->mode == CFG_MODE_TRANSPORT && !asked)
		snprintf(why, cap,
			 "the peer asks for tunnel mode, and this tunnel's mode is transport: make them the same");
	else
		ts_explain(cfg->ts, cfg->n_ts, tsr, tsi, why, cap);
	return IKE_V_TS_UNACCEPTABLE;
}

enum ike_verdict offer_narrow(const struct ike_tunnel *t, const struct ike_sa *sa, struct xchg *x,
			      const struct ike_child *old, char *why, size_t cap)
{
	unsigned n = offer_children(t->cfg);
	struct attempt best = {.fit = 0}, a;
	struct payload_ts tsi = x->tsi, tsr = x->tsr;
	bool asked = x->transport;

	x->transport = asked && t->cfg->mode == CFG_MODE_TRANSPORT;
	if (x->transport)
		substitute_both(sa, &tsr, &tsi);
	else if (t->cfg->mode == CFG_MODE_TRANSPORT)
		return unacceptable(t->cfg, &tsi, &tsr, asked, why, cap);
	for (unsigned i = 0; i < n; i++) {
		if (old && old->index != i)
			continue;
		try_index(t, sa, x, (uint8_t)i, &tsi, &tsr, &a);
		if (a.fit <= best.fit)
			continue;
		best = a;
		x->index = (uint8_t)i;
	}
	if (!best.fit)
		return unacceptable(t->cfg, &tsi, &tsr, asked, why, cap);
	if (!old && displaces(sa, x->index, &best.ts)) {
		snprintf(why, cap,
			 "the peer asks for one more child with other selectors than the first: set `children: "
			 "per-selector` and list each pair, or make the peer put all pairs in one child");
		return IKE_V_TS_UNACCEPTABLE;
	}
	x->ts = best.ts;
	x->tsi = best.tsi;
	x->tsr = best.tsr;
	return IKE_V_OK;
}
