#include "controlplane/ike/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/creds.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/offer.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/xchg.h"

enum { BUCKETS = 1024, CHOICES_MAX = 64 /* tunnels asked for a suite per IKE_SA_INIT */ };

/* ---- the table ---- */

static struct list *bucket(const struct ike *k, const struct ip_addr *a)
{
	uint32_t h = a->family;

	for (size_t i = 0; i < ip_size(a->family); i++)
		h = h * 31 + a->b[i];
	return &k->by_addr[(h ^ h >> 10) % BUCKETS];
}

struct ike_tunnel *tunnel_find(const struct ike *k, uint32_t index)
{
	return index < k->n_tunnels ? k->tunnel[index] : NULL;
}

static void init_buckets(struct ike *k)
{
	if (k->by_addr)
		return;
	k->by_addr = xcalloc(BUCKETS, sizeof(*k->by_addr));
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&k->by_addr[i]);
}

static struct ike_tunnel *tunnel_new(struct ike *k, uint32_t index)
{
	struct ike_tunnel *t = xcalloc(1, sizeof(*t));

	if (index >= k->n_tunnels) {
		uint32_t n = index + 1 > k->n_tunnels * 2 ? index + 1 : k->n_tunnels * 2;

		k->tunnel = xrealloc(k->tunnel, n, sizeof(struct ike_tunnel *));
		memset(k->tunnel + k->n_tunnels, 0, (n - k->n_tunnels) * sizeof(struct ike_tunnel *));
		k->n_tunnels = n;
	}
	t->index = index;
	t->timer.kind = TIMER_TUNNEL;
	list_init(&t->sas);
	list_init(&t->by_addr);
	k->tunnel[index] = t;
	return t;
}

/* Children that the config has no more are closed. */
static void set_children(struct ike *k, struct ike_tunnel *t)
{
	t->n_children = offer_children(t->cfg);
	if (t->n_children > t->n_want) {
		t->want = xrealloc(t->want, t->n_children, sizeof(*t->want));
		memset(t->want + t->n_want, 0, (t->n_children - t->n_want) * sizeof(*t->want));
		t->n_want = t->n_children;
	}
	for (unsigned i = 0; i < t->n_want; i++) {
		t->want[i].single = false;
		t->want[i].refusals = 0;
		t->want[i].hold_until_ms = 0;
		t->want[i].asked &= i < t->n_children;
	}
	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		list_each (f, &sa->children) {
			struct ike_child *c = list_entry(f, struct ike_child, node);

			if (c->index >= t->n_children && child_alive(c))
				xchg_queue(k, sa, XCHG_CHILD_DELETE, c->spi_in, k->now_ms);
		}
		sa_rearm(k, sa);
	}
}

int tunnel_set(struct ike *k, uint32_t index, const struct cfg_tunnel *cfg)
{
	struct ike_tunnel *t = tunnel_find(k, index);
	struct cert_creds *creds = NULL;
	int err;

	if (index >= CFG_TUNNELS_MAX || !cfg)
		return -EINVAL;
	err = cfg->certs ? creds_take(k, cfg->certs, &creds) : 0;
	if (err)
		return err;
	init_buckets(k);
	if (!t)
		t = tunnel_new(k, index);
	creds_give(k, t->creds);
	t->creds = creds;
	t->cfg = cfg;
	t->remote_key = cert_id_key(&cfg->remote.id);
	set_children(k, t);
	t->wanted = cfg->start == CFG_START_ALWAYS && !t->by_hand && !k->stopping;
	t->retry_at_ms = 0;
	list_del(&t->by_addr);
	list_add_tail(bucket(k, &cfg->remote.addr), &t->by_addr);
	if (t->wanted && tunnel_sa(t))
		tunnel_want(k, t);
	tunnel_rearm(k, t);
	return 0;
}

void tunnel_end_sas(struct ike *k, struct ike_tunnel *t, enum sa_end how, const char *cause)
{
	struct list *e = t->sas.next;

	/* ending one may end its heir too, so look anew each time */
	while (e != &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		if (sa->state == IKE_SA_CLOSING) {
			e = e->next;
			continue;
		}
		sa_end(k, sa, how, cause);
		e = t->sas.next;
	}
}

static void tunnel_free(struct ike_tunnel *t)
{
	if (t)
		free(t->want);
	free(t);
}

void tunnel_del(struct ike *k, uint32_t index)
{
	struct ike_tunnel *t = tunnel_find(k, index);

	if (!t)
		return;
	t->wanted = false;
	t->by_hand = true;
	tunnel_end_sas(k, t, SA_END_DELETE, "the tunnel was removed from the config");
	while (!list_empty(&t->sas)) /* what is left says Delete, and needs no config for it */
		sa_set_tunnel(k, list_entry(t->sas.next, struct ike_sa, in_tunnel), IKE_NO_TUNNEL);
	timer_set(&k->timers, &t->timer, UINT64_MAX);
	list_del(&t->by_addr);
	creds_give(k, t->creds);
	k->tunnel[index] = NULL;
	tunnel_free(t);
}

void tunnel_free_all(struct ike *k)
{
	for (uint32_t i = 0; i < k->n_tunnels; i++)
		tunnel_free(k->tunnel[i]);
	free(k->tunnel);
	free(k->by_addr);
	creds_free_all(k);
}

/* ---- whose message is this ---- */

static bool local_fits(const struct ike_tunnel *t, const struct ike_path *path)
{
	/* a peer that may be anywhere, or has a name, may use the family that our address is not of */
	if (t->cfg->remote.addr.family == IP_NONE && t->cfg->local.addr.family != path->local.family)
		return true;
	return ip_is_any(&t->cfg->local.addr) || ip_equal(&t->cfg->local.addr, &path->local);
}

/* Ask the tunnels of one remote address (family NONE: those without one) until one has a suite. */
static enum ike_verdict choose_among(struct ike *k, const struct ip_addr *addr, const struct ike_path *path,
				     const struct payload_sa *offer, uint16_t ke_group, struct proposal_choice *choice,
				     struct ike_tunnel **found)
{
	enum ike_verdict best = IKE_V_NO_PROPOSAL;
	unsigned asked = 0;

	list_each (e, bucket(k, addr)) {
		struct ike_tunnel *t = list_entry(e, struct ike_tunnel, by_addr);
		struct proposal_choice c;
		enum ike_verdict v;

		if (!ip_equal(&t->cfg->remote.addr, addr) || !local_fits(t, path))
			continue;
		if (++asked > CHOICES_MAX)
			break;
		v = proposal_choose(t->cfg->ike.proposal, t->cfg->ike.n_proposals, IKE_PROTO_IKE, offer, ke_group, 0,
				    &c);
		if (v == IKE_V_OK || (v == IKE_V_INVALID_KE && best != IKE_V_INVALID_KE)) {
			best = v;
			*choice = c;
			*found = t;
		} else if (!*found) {
			*found = t;
		}
		if (v == IKE_V_OK)
			break;
	}
	return best;
}

enum ike_verdict tunnel_choose(struct ike *k, const struct ike_path *path, const struct payload_sa *offer,
			       uint16_t ke_group, struct proposal_choice *choice, struct ike_tunnel **t)
{
	const struct ip_addr none = {.family = IP_NONE};
	struct ike_tunnel *any = NULL;
	struct proposal_choice c;
	enum ike_verdict v, v_any;

	*t = NULL;
	if (!k->by_addr)
		return IKE_V_NO_PROPOSAL;
	v = choose_among(k, &path->remote, path, offer, ke_group, choice, t);
	if (v == IKE_V_OK)
		return v;
	v_any = choose_among(k, &none, path, offer, ke_group, &c, &any);
	if (v_any == IKE_V_OK || (v_any == IKE_V_INVALID_KE && v != IKE_V_INVALID_KE)) {
		*choice = c;
		*t = any;
		return v_any;
	}
	if (!*t)
		*t = any;
	return v;
}

static void id_of_addr(const struct ip_addr *a, struct cfg_id *out)
{
	*out = (struct cfg_id){.type = a->family == IP_V6 ? CFG_ID_IPV6 : CFG_ID_IPV4,
			       .len = (uint16_t)ip_size(a->family)};
	memcpy(out->b, a->b, out->len);
}

void tunnel_local_id(const struct ike_tunnel *t, const struct ike_path *path, struct cfg_id *out)
{
	if (t->cfg->local.id.type != CFG_ID_NONE)
		*out = t->cfg->local.id;
	else if (t->creds)
		*out = *cert_creds_id(t->creds);
	else
		id_of_addr(ip_is_any(&t->cfg->local.addr) ? &path->local : &t->cfg->local.addr, out);
	if (t->creds)
		cert_creds_spell(t->creds, out);
}

void tunnel_remote_id(const struct ike_tunnel *t, const struct ike_path *path, struct cfg_id *out)
{
	(void)path;
	if (t->cfg->remote.id.type != CFG_ID_NONE)
		*out = t->cfg->remote.id;
	else if (t->cfg->remote.addr.family != IP_NONE)
		id_of_addr(&t->cfg->remote.addr, out);
	else
		*out = (struct cfg_id){.type = CFG_ID_NONE};
}

static bool listed(const struct cfg_alg_list *l, const struct alg *a)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->alg[i] == a)
			return true;
	return false;
}

/* IKE_SA_INIT chose by address alone; the tunnel that the identity names must allow the same. */
static bool suite_allowed(const struct ike_tunnel *t, const struct ike_sa *sa)
{
	for (unsigned i = 0; i < t->cfg->ike.n_proposals; i++) {
		const struct cfg_proposal *p = &t->cfg->ike.proposal[i];

		if (listed(&p->encr, sa->encr) && listed(&p->prf, sa->prf) && listed(&p->dh, sa->dh) &&
		    (sa->encr->aead || listed(&p->integ, sa->integ)))
			return true;
	}
	return false;
}

static struct ike_tunnel *match_among(struct ike *k, const struct ip_addr *addr, const struct ike_sa *sa,
				      const struct cfg_id *peer, const struct cfg_id *ours)
{
	struct ike_tunnel *any = NULL; /* one that takes whatever identity: only if no tunnel names this one */
	uint64_t key = cert_id_key(peer);
	struct cfg_id id;

	list_each (e, bucket(k, addr)) {
		struct ike_tunnel *t = list_entry(e, struct ike_tunnel, by_addr);
		bool named;

		if (!ip_equal(&t->cfg->remote.addr, addr) || !local_fits(t, &sa->path) || !suite_allowed(t, sa))
			continue;
		tunnel_remote_id(t, &sa->path, &id);
		if (id.type != CFG_ID_NONE && (t->remote_key != key || !cert_id_same(&id, peer)))
			continue;
		named = id.type != CFG_ID_NONE;
		tunnel_local_id(t, &sa->path, &id);
		if (ours && ours->type != CFG_ID_NONE && !cert_id_same(&id, ours))
			continue;
		if (named)
			return t;
		if (!any)
			any = t;
	}
	return any;
}

struct ike_tunnel *tunnel_match(struct ike *k, const struct ike_sa *sa, const struct cfg_id *peer,
				const struct cfg_id *ours)
{
	const struct ip_addr none = {.family = IP_NONE};
	struct ike_tunnel *t;

	if (!k->by_addr || peer->type == CFG_ID_NONE)
		return NULL;
	t = match_among(k, &sa->path.remote, sa, peer, ours);
	return t ? t : match_among(k, &none, sa, peer, ours);
}

/* ---- certificates of those whose message it may be ---- */

/* The tunnels of an address (family NONE: those without one) that use certificates: their anchors' names, or one of them. */
static struct cert_creds *creds_among(const struct ike *k, const struct ip_addr *addr, const struct ike_path *path,
				      struct cert_names *names)
{
	struct cert_creds *one = NULL;
	unsigned asked = 0;

	if (!k->by_addr)
		return NULL;
	list_each (e, bucket(k, addr)) {
		struct ike_tunnel *t = list_entry(e, struct ike_tunnel, by_addr);

		if (!t->creds || !ip_equal(&t->cfg->remote.addr, addr) || !local_fits(t, path))
			continue;
		if (++asked > CHOICES_MAX)
			break;
		one = t->creds;
		if (!names)
			break;
		cert_creds_names(one, names);
	}
	return one;
}

void tunnel_certreq(const struct ike *k, const struct ike_path *path, struct cert_names *out)
{
	const struct ip_addr none = {.family = IP_NONE};

	out->n = 0;
	creds_among(k, &path->remote, path, out);
	creds_among(k, &none, path, out);
}

struct cert_creds *tunnel_decoy(const struct ike *k, const struct ike_path *path)
{
	const struct ip_addr none = {.family = IP_NONE};
	struct cert_creds *c = creds_among(k, &path->remote, path, NULL);

	return c ? c : creds_among(k, &none, path, NULL);
}

/* ---- start policy ---- */

struct ike_sa *tunnel_sa(const struct ike_tunnel *t)
{
	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		if (sa->state == IKE_SA_UP && !sa->quiet && !sa->predecessor)
			return sa;
	}
	return NULL;
}

/* Established, about to be, or about to be replaced. */
static bool under_way(const struct ike_tunnel *t)
{
	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		if (!sa->quiet && sa->state != IKE_SA_CLOSING)
			return true;
	}
	return false;
}

/* first, doubled for each further failure in a row. */
static uint64_t pause_of(struct ike *k, uint64_t first, uint64_t most, uint32_t failures)
{
	uint64_t pause = first;

	for (uint32_t i = 1; i < failures && pause < most; i++)
		pause *= 2;
	return ike_jitter(k, u64_min(pause, most), 90, 110);
}

struct ike_want *tunnel_want_of(struct ike_tunnel *t, uint8_t index)
{
	return t && index < t->n_want ? &t->want[index] : NULL;
}

bool tunnel_wants(const struct ike_tunnel *t, uint8_t index)
{
	return index < t->n_children && (t->wanted || t->want[index].asked);
}

void tunnel_ask(struct ike *k, struct ike_tunnel *t, struct ike_sa *sa, uint64_t due_ms)
{
	for (unsigned i = 0; i < t->n_children; i++)
		if (tunnel_wants(t, (uint8_t)i) && !child_count_of(sa, (uint8_t)i))
			child_ask(k, sa, (uint8_t)i, u64_max(due_ms, t->want[i].hold_until_ms));
}

void tunnel_error(struct ike_tunnel *t, const char *cause)
{
	snprintf(t->last_error, sizeof(t->last_error), "%s", cause);
}

uint64_t tunnel_refused(struct ike *k, struct ike_tunnel *t, uint8_t index, const char *cause)
{
	struct ike_want *w = tunnel_want_of(t, index);

	if (!w)
		return REFUSED_MS;
	tunnel_error(t, cause);
	w->hold_until_ms = k->now_ms + pause_of(k, REFUSED_MS, REFUSED_MAX_MS, ++w->refusals);
	w->asked = false;
	w->has_packet = false;
	return w->hold_until_ms - k->now_ms;
}

static void start(struct ike *k, struct ike_tunnel *t)
{
	struct ike_path path;
	struct ike_sa *sa;

	t->retry_at_ms = 0;
	if (k->env.path(k->env.ctx, t->index, &path) < 0) {
		if (!t->last_error[0])
			notice_failed(k, t->index, NULL,
				      "the peer has no address yet: remote.address is `any` or not resolved");
		t->attempts = 0; /* nothing was tried, so nobody is spared by a longer pause */
		tunnel_failed(k, t, "the peer has no address yet: remote.address is `any` or not resolved");
		return;
	}
	sa = x_init_start(k, t->index, &path);
	if (!sa) {
		tunnel_failed(
			k, t,
			"no IKE SA could be begun: the limit of IKE SAs is reached, or no proposal has a DH group");
		return;
	}
	step_settle(k, sa);
}

void tunnel_want(struct ike *k, struct ike_tunnel *t)
{
	struct ike_sa *sa = tunnel_sa(t);

	if (k->stopping)
		return;
	if (sa) {
		tunnel_ask(k, t, sa, k->now_ms);
		step_settle(k, sa);
	} else if (!under_way(t)) {
		start(k, t);
	}
}

void tunnel_tick(struct ike *k, struct ike_tunnel *t)
{
	if (t->wanted && !under_way(t) && t->retry_at_ms <= k->now_ms)
		start(k, t);
	tunnel_rearm(k, t);
}

void tunnel_rearm(struct ike *k, struct ike_tunnel *t)
{
	uint64_t at = UINT64_MAX;

	if (t->wanted && !under_way(t))
		at = t->retry_at_ms ? t->retry_at_ms : k->now_ms;
	timer_set(&k->timers, &t->timer, at);
}

void tunnel_failed(struct ike *k, struct ike_tunnel *t, const char *cause)
{
	if (cause[0])
		tunnel_error(t, cause);
	t->attempts++;
	if (under_way(t))
		return;
	t->hold_until_ms = k->now_ms + pause_of(k, k->limits.retry_ms, RETRY_MAX_MS, t->attempts);
	for (unsigned i = 0; i < t->n_want; i++) { /* traffic and people ask anew */
		t->want[i].asked = false;
		t->want[i].has_packet = false;
	}
	if (!t->wanted)
		return;
	t->retry_at_ms = t->hold_until_ms;
	tunnel_rearm(k, t);
}

void tunnel_up(struct ike *k, struct ike_tunnel *t, uint8_t index)
{
	struct ike_want *w = tunnel_want_of(t, index);
	bool refused = false;

	if (w) {
		w->asked = w->has_packet = false;
		w->refusals = 0;
		w->hold_until_ms = 0;
	}
	for (unsigned i = 0; i < t->n_children; i++)
		refused |= t->want[i].refusals > 0;
	t->attempts = 0;
	t->retry_at_ms = t->hold_until_ms = 0;
	if (!refused) /* else it is about another child, and still true */
		t->last_error[0] = '\0';
	tunnel_rearm(k, t);
}

void tunnel_repair_tx(struct ike *k, struct ike_tunnel *t, uint8_t index, uint32_t spi_in)
{
	struct ike_want *w = tunnel_want_of(t, index);

	if (!w || w->tx_spi_in != spi_in)
		return;
	w->tx_spi_in = 0;
	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		if (sa->state != IKE_SA_UP)
			continue;
		list_each (f, &sa->children) {
			struct ike_child *c = list_entry(f, struct ike_child, node);

			if (c->index != index || c->spi_in == spi_in || !child_alive(c) || c->out != HALF_READY)
				continue;
			xchg_queue(k, sa, XCHG_CHILD_REKEY, c->spi_in, k->now_ms);
			sa_rearm(k, sa);
			return;
		}
	}
}
