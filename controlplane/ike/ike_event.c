/* Events of the data plane and of the operator. */
#include <errno.h>

#include "controlplane/ike/core.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

/* ---- about one pair ---- */

static void soft(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	if (c->state == IKE_CHILD_UP && !c->redundant)
		xchg_queue(k, sa, XCHG_CHILD_REKEY, c->spi_in, k->now_ms);
}

/* ESP that was authenticated came from elsewhere. RFC 7296 2.23 */
static void moved(struct ike *k, struct ike_sa *sa, const struct ike_path *path)
{
	struct ike_path p = sa->path;

	p.remote = path->remote;
	p.remote_port = path->remote_port;
	sa_moved(k, sa, &p);
}

static void about_child(struct ike *k, const struct ike_event *ev)
{
	struct ike_sa *sa = NULL;
	struct ike_child *c = child_of_tunnel(k, ev->tunnel, ev->spi_in, &sa);

	if (!c)
		return;
	switch (ev->type) {
	case IKE_EV_IN_READY:
		child_in_ready(k, sa, c);
		break;
	case IKE_EV_OUT_READY:
		child_out_ready(k, sa, c);
		break;
	case IKE_EV_INSTALL_FAILED:
		child_failed(k, sa, c, ev->err);
		break;
	case IKE_EV_CHILD_SOFT:
		soft(k, sa, c);
		break;
	case IKE_EV_CHILD_HARD:
		child_expire(k, sa, c, "its byte, packet or sequence limit is reached");
		break;
	case IKE_EV_PEER_MOVED:
		moved(k, sa, &ev->path);
		break;
	case IKE_EV_ACQUIRE:
	case IKE_EV_DP_LOST:
	case IKE_EV_UP:
	case IKE_EV_DOWN:
	case IKE_EV_REKEY_CHILD:
	case IKE_EV_REKEY_IKE:
		break;
	}
	step_settle(k, sa);
}

/* ---- about the whole data plane ---- */

static void forget_spi(struct xchg *x)
{
	if (x)
		x->spi_in = 0; /* whoever gave it has forgotten it */
}

/* Those of which nothing is left to be rekeyed. */
static void ask_missing(struct ike *k, struct ike_sa *sa, uint64_t due_ms)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	unsigned have = 0; /* by index */

	list_each (e, &sa->children)
		have |= 1u << list_entry(e, struct ike_child, node)->index;
	for (unsigned i = 0; t && i < t->n_children; i++)
		if (tunnel_wants(t, (uint8_t)i) && !(have & 1u << i))
			child_ask(k, sa, (uint8_t)i, due_ms);
}

/* RFC 7296 says nothing of it; the IKE SAs live, so each child is rekeyed under its peer's eyes, a few at a time. */
static void dp_lost(struct ike *k)
{
	uint64_t due_ms = k->now_ms;

	for (uint32_t i = 0; i < k->n_tunnels; i++)
		for (unsigned n = 0; k->tunnel[i] && n < k->tunnel[i]->n_want; n++)
			k->tunnel[i]->want[n].tx_spi_in = 0;
	list_each_safe (e, &k->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, all);

		forget_spi(sa->x_out);
		forget_spi(sa->x_in);
		if (sa->n_children)
			due_ms += PACE_MS;
		list_each_safe (f, &sa->children)
			child_lost(k, sa, list_entry(f, struct ike_child, node), due_ms);
		if (sa->state == IKE_SA_UP && !sa->quiet && !sa->predecessor)
			ask_missing(k, sa, due_ms);
		sa_rearm(k, sa);
	}
}

/* ---- by hand, and by traffic ---- */

static int up(struct ike *k, struct ike_tunnel *t)
{
	t->by_hand = false;
	t->wanted = t->cfg->start == CFG_START_ALWAYS;
	t->attempts = 0;
	t->retry_at_ms = t->hold_until_ms = 0;
	for (unsigned i = 0; i < t->n_children; i++) {
		t->want[i].asked = true;
		t->want[i].hold_until_ms = 0;
	}
	tunnel_want(k, t);
	tunnel_rearm(k, t);
	return 0;
}

static int down(struct ike *k, struct ike_tunnel *t)
{
	int rc = list_empty(&t->sas) && !t->wanted ? -ENOENT : 0;

	t->wanted = false;
	t->by_hand = true;
	t->retry_at_ms = 0;
	for (unsigned i = 0; i < t->n_want; i++)
		t->want[i].asked = false;
	tunnel_end_sas(k, t, SA_END_DELETE, "taken down by hand");
	tunnel_rearm(k, t);
	return rc;
}

static int rekey_children(struct ike *k, struct ike_tunnel *t)
{
	unsigned n = 0;

	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		list_each (f, &sa->children) {
			struct ike_child *c = list_entry(f, struct ike_child, node);

			if (!child_alive(c) || c->state == IKE_CHILD_INSTALLING)
				continue;
			n++;
			if (c->state == IKE_CHILD_UP) /* else it is being rekeyed */
				xchg_queue(k, sa, XCHG_CHILD_REKEY, c->spi_in, k->now_ms);
		}
		sa_rearm(k, sa); /* begun by the next tick, which is due now */
	}
	return n ? 0 : -ENOENT;
}

static int rekey_ike(struct ike *k, struct ike_tunnel *t)
{
	struct ike_sa *sa = tunnel_sa(t);

	if (!sa)
		return -ENOENT;
	if (!sa->x_out || sa->x_out->kind != XCHG_IKE_REKEY)
		xchg_queue(k, sa, XCHG_IKE_REKEY, 0, k->now_ms);
	step_settle(k, sa);
	return 0;
}

static void acquire(struct ike *k, struct ike_tunnel *t, const struct ike_event *ev)
{
	struct ike_want *w = ev->child < t->n_children ? &t->want[ev->child] : NULL;
	bool has_sa = tunnel_sa(t) != NULL;

	if (!w)
		return;
	w->acquired_at_ms = k->now_ms;
	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		child_wanted(k, sa, ev->child);
		sa_rearm(k, sa);
	}
	/* a respond-only tunnel may ask for a child, not for an IKE SA */
	if (t->by_hand || (t->cfg->start == CFG_START_RESPOND_ONLY && !has_sa))
		return;
	/* what failed a moment ago is not tried again for each packet */
	if (k->now_ms < w->hold_until_ms || (!has_sa && k->now_ms < t->hold_until_ms))
		return;
	w->asked = true;
	w->has_packet = ev->has_ts;
	w->packet = ev->ts;
	tunnel_want(k, t);
}

static int about_tunnel(struct ike *k, const struct ike_event *ev)
{
	struct ike_tunnel *t = tunnel_find(k, ev->tunnel);

	if (!t)
		return -ENOENT;
	switch (ev->type) {
	case IKE_EV_UP:
		return up(k, t);
	case IKE_EV_DOWN:
		return down(k, t);
	case IKE_EV_REKEY_CHILD:
		return rekey_children(k, t);
	case IKE_EV_REKEY_IKE:
		return rekey_ike(k, t);
	case IKE_EV_ACQUIRE:
		acquire(k, t, ev);
		break;
	default: /* the rest is not a tunnel's */
		break;
	}
	return 0;
}

int ike_event(struct ike *k, const struct ike_event *ev, uint64_t now_ms)
{
	int rc = 0;

	k->now_ms = u64_max(k->now_ms, now_ms);
	switch (ev->type) {
	case IKE_EV_IN_READY:
	case IKE_EV_OUT_READY:
	case IKE_EV_INSTALL_FAILED:
	case IKE_EV_CHILD_SOFT:
	case IKE_EV_CHILD_HARD:
	case IKE_EV_PEER_MOVED:
		about_child(k, ev);
		break;
	case IKE_EV_DP_LOST:
		dp_lost(k);
		break;
	case IKE_EV_ACQUIRE:
		(void)about_tunnel(k, ev);
		break;
	case IKE_EV_UP:
	case IKE_EV_DOWN:
	case IKE_EV_REKEY_CHILD:
	case IKE_EV_REKEY_IKE:
		rc = about_tunnel(k, ev);
		break;
	}
	sa_reap(k);
	return rc;
}
