/* A config becomes peers: what is new, what has changed and how much, what has gone. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "bgp/peer.h"

static bool same_secret(const struct secret *a, const struct secret *b)
{
	if (!a || !b)
		return a == b;
	return a->len == b->len && secret_equal(a->b, b->b, a->len);
}

/* What a running session cannot take over. */
static bool same_session(const struct cfg_bgp_peer *a, const struct cfg_bgp_peer *b)
{
	return ip_equal(&a->addr, &b->addr) && ip_equal(&a->source, &b->source) && a->as == b->as &&
	       a->families == b->families && a->connect == b->connect && a->multihop == b->multihop &&
	       a->gtsm_hops == b->gtsm_hops && a->hold_s == b->hold_s && a->keepalive_s == b->keepalive_s &&
	       same_secret(a->password, b->password);
}

static struct peer *by_name(const struct bgp *b, const char *name)
{
	for (unsigned i = 0; i < b->n_peers; i++)
		if (b->peer[i] && strcmp(b->peer[i]->cfg.name, name) == 0)
			return b->peer[i];
	return NULL;
}

static const struct cfg_bgp_peer *row_of(const struct cfg_bgp *c, const char *name)
{
	for (unsigned i = 0; c->as && i < c->n_peers; i++)
		if (strcmp(c->peer[i].name, name) == 0)
			return &c->peer[i];
	return NULL;
}

static void drop(struct bgp *b, struct peer *p)
{
	peer_cause(p, "no longer configured");
	p->cfg.shutdown = true; /* it is not tried again */
	peer_stop(p, BGP_CEASE_DECONFIGURED, NULL);
	peer_settle(p);
	rib_peer_forget(b->rib, p->index);
	b->peer[p->index] = NULL;
	peer_free(p);
}

static struct peer *add(struct bgp *b, const struct cfg_bgp_peer *row)
{
	unsigned i = 0;

	while (i < b->n_peers && b->peer[i])
		i++;
	if (i == b->n_peers) {
		b->peer = xrealloc(b->peer, i + 1, sizeof(struct peer *));
		b->n_peers = i + 1;
	}
	b->peer[i] = peer_new(b, i, row);
	return b->peer[i];
}

/* all: the gateway itself is another (AS, router id). */
static void change(struct peer *p, const struct cfg_bgp_peer *row, bool all)
{
	bool was_down = p->cfg.shutdown, other = all || !same_session(&p->cfg, row);
	bool limit = p->limit_hit && p->cfg.max_prefix_in != row->max_prefix_in;

	p->cfg = *row;
	if (p->main->state == BGP_ESTABLISHED)
		rib_peer_export(p->b->rib, p->index, row->default_originate, row->max_prefix_out);
	if (row->shutdown && !was_down) {
		peer_cause(p, "shut down by the config");
		peer_stop(p, BGP_CEASE_SHUTDOWN, NULL);
	} else if (other) {
		peer_cause(p, "its configuration has changed");
		peer_stop(p, BGP_CEASE_CONFIG, NULL);
	}
	if (other || limit || row->shutdown != was_down)
		peer_forgive(p);
}

/* A limit that is below what has been told already. */
static void check_limit(struct bgp *b, struct peer *p)
{
	uint32_t max = p->cfg.max_prefix_in;

	if (p->main->state != BGP_ESTABLISHED || !max || rib_received(b->rib, p->index) <= max)
		return;
	input_limit(p->main, p->main->codec.mp_v4 ? IP_V4 : IP_V6);
	fsm_run(p->main, FSM_AUTO_STOP);
}

static void take_peers(struct bgp *b, const struct cfg_bgp *c, bool all)
{
	for (unsigned i = 0; i < b->n_peers; i++)
		if (b->peer[i] && !row_of(c, b->peer[i]->cfg.name))
			drop(b, b->peer[i]);
	for (unsigned i = 0; c->as && i < c->n_peers; i++) {
		struct peer *p = by_name(b, c->peer[i].name);

		if (p)
			change(p, &c->peer[i], all);
		else
			p = add(b, &c->peer[i]);
		p->import = policy_find(b->policies, p->cfg.import);
		p->export = policy_find(b->policies, p->cfg.export);
		rib_peer_policy(b->rib, p->index, p->import, p->export, c->as);
		check_limit(b, p);
		peer_settle(p);
	}
}

static int own_cmp(const void *a, const void *b)
{
	const struct ip_prefix *x = &((const struct bgp_own *)a)->prefix, *y = &((const struct bgp_own *)b)->prefix;
	int c = ip_cmp(&x->addr, &y->addr);

	return c ? c : x->len - y->len;
}

struct bgp_own *reload_own(struct bgp_own *own, unsigned n, const struct ip_prefix *prefix)
{
	struct bgp_own key = {.prefix = *prefix};

	return n ? bsearch(&key, own, n, sizeof(*own), own_cmp) : NULL;
}

static void take_originate(struct bgp *b, const struct cfg_bgp *c)
{
	unsigned n = c->as ? c->n_originate : 0;
	struct bgp_own *own = xcalloc(n + 1, sizeof(*own));

	for (unsigned i = 0; i < n; i++) {
		struct bgp_own *was = reload_own(b->own, b->n_own, &c->originate[i]);

		own[i].prefix = c->originate[i];
		own[i].present = was && was->present;
	}
	qsort(own, n, sizeof(*own), own_cmp);
	for (unsigned i = 0; i < b->n_own; i++)
		if (b->own[i].present && !reload_own(own, n, &b->own[i].prefix))
			rib_originate(b->rib, &b->own[i].prefix, false);
	free(b->own);
	b->own = own;
	b->n_own = n;
}

void bgp_config(struct bgp *b, const struct config *c, uint64_t now_ms)
{
	struct policy_set *old = b->policies;
	bool all = b->cfg && (b->as != c->bgp.as || b->router_id != c->bgp.router_id);

	b->now = now_ms;
	b->policies = policy_set_new(c, b->intern);
	b->as = c->bgp.as;
	b->router_id = c->bgp.router_id;
	b->cfg = c;
	rib_multipath(b->rib, c->bgp.multipath ? c->bgp.multipath : 1);
	take_originate(b, &c->bgp);
	take_peers(b, &c->bgp, all);
	policy_set_free(old);
	for (unsigned i = 0; i < b->n_peers; i++) {
		struct peer *p = b->peer[i];

		if (!p || p->damped)
			continue;
		peer_cause(p, "configured");
		peer_kick(p);
		peer_settle(p);
	}
}
