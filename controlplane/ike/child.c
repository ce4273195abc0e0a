#include "controlplane/ike/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/xalloc.h"
#include "controlplane/ike/keymat.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/rekey.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/twin.h"
#include "controlplane/ike/weak.h"
#include "controlplane/ike/xchg.h"

void child_ask(struct ike *k, struct ike_sa *sa, uint8_t index, uint64_t due_ms)
{
	xchg_queue(k, sa, XCHG_CHILD_CREATE, index, due_ms);
}

/* ---- making ---- */

struct ike_child *child_new(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *c = xcalloc(1, sizeof(*c));
	struct secret *ki = x->ours ? &c->key_out : &c->key_in, *kr = x->ours ? &c->key_in : &c->key_out;
	bool nat = sa->natt.nat_local || sa->natt.nat_remote || sa->force_encap;

	(void)k;
	if (keymat_child(sa->prf, &sa->keys.d, x->shared.len ? &x->shared : NULL, &x->ni, &x->nr, x->choice.encr,
			 x->choice.integ, ki, kr) < 0) {
		free(c);
		return NULL;
	}
	c->tunnel = sa->tunnel;
	c->index = x->index;
	c->transport = x->transport;
	c->spi_in = x->spi_in;
	x->spi_in = 0;
	c->spi_out = (uint32_t)x->choice.spi;
	c->state = IKE_CHILD_NEGOTIATING;
	c->initiator = x->ours;
	c->redundant = x->redundant;
	c->replaces = x->old_spi_in;
	c->low = *rekey_low(&x->ni, &x->nr);
	c->encr = x->choice.encr;
	c->integ = x->choice.integ;
	c->dh = x->choice.dh;
	c->esn = x->choice.esn;
	c->encap = sa->path.encap && nat;
	c->path = sa->path;
	c->n_ts = x->ts.n;
	memcpy(c->ts, x->ts.pair, sizeof(c->ts));
	list_add_tail(&sa->children, &c->node);
	sa->n_children++;
	return c;
}

static void half_of(const struct ike_child *c, bool in, struct ike_child_half *h)
{
	*h = (struct ike_child_half){
		.tunnel = c->tunnel,
		.spi = in ? c->spi_in : c->spi_out,
		.spi_in = c->spi_in,
		.child = c->index,
		.transport = c->transport,
		.encr = c->encr,
		.integ = c->integ,
		.path = c->path,
		.encap_udp = c->encap,
		.esn = c->esn,
		.n_ts = c->n_ts,
	};
	h->key = in ? c->key_in : c->key_out;
	memcpy(h->ts, c->ts, sizeof(h->ts));
}

/* Inbound halves of the tunnel's child that the data plane has, and the drained one that may go first. */
static unsigned count_in(const struct ike_tunnel *t, uint8_t index, struct ike_sa **of, struct ike_child **oldest)
{
	unsigned n = 0;

	*oldest = NULL;
	list_each (e, &t->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		list_each (f, &sa->children) {
			struct ike_child *c = list_entry(f, struct ike_child, node);

			if (c->index != index)
				continue;
			n += !c->lost && (c->in == HALF_PENDING || c->in == HALF_READY);
			if (c->state == IKE_CHILD_OLD && (!*oldest || c->gone_at_ms < (*oldest)->gone_at_ms)) {
				*oldest = c;
				*of = sa;
			}
		}
	}
	return n;
}

/* Rekeys that follow each other faster than old pairs drain cut the draining short. */
static void make_room(struct ike *k, const struct ike_sa *sa, uint8_t index)
{
	const struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct ike_child *oldest;
	struct ike_sa *of = NULL;

	while (t && count_in(t, index, &of, &oldest) >= CHILD_IN_MAX && oldest)
		child_remove(k, of, oldest, "");
}

int child_install_in(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	struct ike_child_half h;
	int rc;

	make_room(k, sa, c->index);
	half_of(c, true, &h);
	rc = k->env.install_in(k->env.ctx, &h);
	secret_fini(&h.key);
	secret_fini(&c->key_in);
	c->in = rc < 0 ? HALF_NONE : HALF_PENDING;
	c->state = IKE_CHILD_INSTALLING;
	return rc;
}

int child_install_out(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	struct ike_want *w = tunnel_want_of(tunnel_find(k, c->tunnel), c->index);
	struct ike_child_half h;
	int rc;

	(void)sa;
	half_of(c, false, &h);
	rc = k->env.install_out(k->env.ctx, &h);
	secret_fini(&h.key);
	secret_fini(&c->key_out);
	c->out = rc < 0 ? HALF_GONE : HALF_PENDING;
	if (rc == 0 && w)
		w->tx_spi_in = c->spi_in;
	return rc;
}

/* From here on it counts: lifetimes, and one line. */
static void go_live(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	struct ike_tunnel *t = tunnel_find(k, c->tunnel);
	uint64_t life_ms = t ? t->cfg->esp.lifetime_s * UINT64_C(1000) : 0;

	c->up_since_ms = k->now_ms;
	if (c->redundant) {
		c->state = IKE_CHILD_REKEYED;
		c->expires_at_ms = k->now_ms + COLLISION_MS;
		return;
	}
	c->state = IKE_CHILD_UP;
	sa->carried = true;
	if (life_ms) {
		c->rekey_at_ms = k->now_ms + ike_jitter(k, life_ms, 85, 95);
		c->expires_at_ms = k->now_ms + life_ms;
	}
	notice_child(k, sa, c, c->replaces ? IKE_NOTICE_CHILD_REKEYED : IKE_NOTICE_CHILD_UP, "");
	weak_tell_child(k, sa, c);
	if (t)
		tunnel_up(k, t, c->index);
	twin_look(k, sa);
}

/* Traffic waits for a first child: sending a little too early can lose a packet, waiting surely does. */
void child_wanted(struct ike *k, struct ike_sa *sa, uint8_t index)
{
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->index == index && c->waits_for_use && !c->replaces)
			c->switch_at_ms = u64_min(c->switch_at_ms, u64_max(k->now_ms, c->up_since_ms + EARLY_USE_MS));
	}
}

void child_answered(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	const struct ike_want *w = tunnel_want_of(tunnel_find(k, c->tunnel), c->index);
	struct ike_child *old = child_find_in(sa, c->replaces);

	go_live(k, sa, c);
	if (c->redundant)
		return;
	c->waits_for_use = true;
	c->switch_at_ms = k->now_ms + (c->replaces ? SWITCH_MS : FIRST_USE_MS);
	if (w && w->acquired_at_ms && k->now_ms - w->acquired_at_ms < ACQUIRE_MS)
		child_wanted(k, sa, c->index);
	if (!old)
		return;
	old->replaced_by = c->spi_in;
	if (old->state == IKE_CHILD_UP)
		old->state = IKE_CHILD_REKEYED;
	old->rekey_at_ms = 0;
}

void child_repeated(struct ike *k, struct ike_sa *sa)
{
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);
		uint64_t since = k->now_ms - c->up_since_ms;

		if (c->waits_for_use)
			c->switch_at_ms = u64_max(c->switch_at_ms, k->now_ms + u64_max(FIRST_USE_MS, 2 * since));
	}
}

/* ---- the data plane's answers ---- */

/* It cannot be used: tell the peer to forget it, and try once more later. */
static void give_up(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *what, int err)
{
	struct ike_child *old = child_find_in(sa, c->replaces);

	notice_bad(k, sa, "the data plane did not take the %s half of SPI %08x: %s; it is made anew", what, c->spi_in,
		   err_str(err));
	child_drop_out(k, c);
	child_drop_in(k, c);
	c->waits_for_use = false;
	c->state = IKE_CHILD_DELETING;
	xchg_queue(k, sa, XCHG_CHILD_DELETE, c->spi_in, k->now_ms);
	if (old && old->replaced_by == c->spi_in)
		old->replaced_by = 0;
	if (old && (old->state == IKE_CHILD_REKEYED || old->state == IKE_CHILD_REKEYING)) {
		old->state = IKE_CHILD_UP;
		old->rekey_at_ms = k->now_ms + REFUSED_MS;
	} else if (!old) {
		child_ask(k, sa, c->index, k->now_ms + k->limits.retry_ms);
	}
}

void child_start(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	int rc = child_install_in(k, sa, c);

	if (rc < 0)
		give_up(k, sa, c, "inbound", rc);
}

/* Both ends asked for a new child at the same moment, for one was gone at both: one is enough, and the rule of crossing
 * rekeys (RFC 7296 2.8.1) tells which. We ask for none while there is one, so the peer's came after our request. */
static bool is_surplus(const struct ike_sa *sa, const struct ike_child *made)
{
	const struct xchg *x = sa->x_in;

	if (made->replaces)
		return false;
	list_each (e, &sa->children) {
		const struct ike_child *c = list_entry(e, struct ike_child, node);

		if (!c->initiator && !c->replaces && child_alive(c) && c->index == made->index)
			return rekey_loses(&made->low, &c->low);
	}
	return x && x->exchange == IKE_X_CREATE_CHILD && !x->ike_rekey && !x->old_spi_in && x->nr.len &&
	       x->index == made->index && rekey_loses(&made->low, rekey_low(&x->ni, &x->nr));
}

void child_in_ready(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	struct xchg *x = xchg_waiting_for(sa, c);
	int rc;

	if (c->in != HALF_PENDING)
		return;
	c->in = HALF_READY;
	if (x) {
		x->waits_in = false;
		x->then(k, sa, x);
		return;
	}
	if (!c->initiator || c->state != IKE_CHILD_INSTALLING)
		return;
	c->redundant |= is_surplus(sa, c);
	if (c->redundant || rekey_child_settle(k, sa, c)) {
		/* RFC 7296 2.8.1: the SA with the lowest nonce is closed by the one that made it */
		c->state = IKE_CHILD_REKEYED;
		xchg_queue(k, sa, XCHG_CHILD_DELETE, c->spi_in, k->now_ms);
		return;
	}
	rc = child_install_out(k, sa, c);
	if (rc < 0)
		give_up(k, sa, c, "outbound", rc);
}

void child_out_ready(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	struct ike_child *old = child_find_in(sa, c->replaces);

	if (c->out != HALF_PENDING)
		return;
	c->out = HALF_READY;
	if (!c->up_since_ms && c->state == IKE_CHILD_INSTALLING)
		go_live(k, sa, c);
	else if (!old)
		notice_child(k, sa, c, IKE_NOTICE_CHILD_SENDS, "");
	if (!old)
		return;
	child_drop_out(k, old);
	if (c->initiator && old->state != IKE_CHILD_OLD && old->state != IKE_CHILD_DELETING)
		xchg_queue(k, sa, XCHG_CHILD_DELETE, old->spi_in, k->now_ms);
}

void child_failed(struct ike *k, struct ike_sa *sa, struct ike_child *c, int err)
{
	struct xchg *x = xchg_waiting_for(sa, c);

	if (x) {
		child_remove(k, sa, c, ""); /* tells x */
		return;
	}
	if (c->in == HALF_PENDING || c->out == HALF_PENDING)
		give_up(k, sa, c, c->in == HALF_PENDING ? "inbound" : "outbound", err);
}

/* ---- the switch, and the end ---- */

void child_use(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	int rc;

	if (!c->waits_for_use)
		return;
	c->waits_for_use = false;
	if (c->in != HALF_READY || c->out != HALF_NONE || c->lost)
		return;
	rc = child_install_out(k, sa, c);
	if (rc < 0)
		give_up(k, sa, c, "outbound", rc);
}

void child_drop_out(struct ike *k, struct ike_child *c)
{
	struct ike_tunnel *t = tunnel_find(k, c->tunnel);

	if ((c->out == HALF_PENDING || c->out == HALF_READY) && !c->lost)
		k->env.child_remove(k->env.ctx, c->tunnel, c->spi_in, false);
	c->out = HALF_GONE;
	secret_fini(&c->key_out);
	if (t)
		tunnel_repair_tx(k, t, c->index, c->spi_in);
}

void child_drop_in(struct ike *k, struct ike_child *c)
{
	if (!c->lost && (c->in == HALF_PENDING || c->in == HALF_READY))
		k->env.child_remove(k->env.ctx, c->tunnel, c->spi_in, true);
	else if (!c->lost && c->in == HALF_NONE)
		k->env.spi_free(k->env.ctx, c->tunnel, c->spi_in);
	c->in = HALF_GONE;
	secret_fini(&c->key_in);
}

/* The pair that c was to replace has no successor any more. */
static void orphan(struct ike *k, struct ike_sa *sa, const struct ike_child *c)
{
	struct ike_child *old = child_find_in(sa, c->replaces);

	if (!old || old->replaced_by != c->spi_in)
		return;
	old->replaced_by = 0;
	if (old->state == IKE_CHILD_REKEYED) {
		old->state = IKE_CHILD_UP;
		old->rekey_at_ms = k->now_ms + ike_jitter(k, TEMPORARY_MIN_MS, 100, 200);
	}
}

void child_remove(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *cause)
{
	struct xchg *x = xchg_waiting_for(sa, c);

	if (c->up_since_ms && c->state != IKE_CHILD_OLD && !c->redundant && !c->replaced_by)
		notice_child(k, sa, c, IKE_NOTICE_CHILD_DOWN, cause);
	list_del(&c->node);
	sa->n_children--;
	orphan(k, sa, c);
	child_drop_out(k, c);
	child_drop_in(k, c);
	xchg_unqueue(sa, XCHG_CHILD_REKEY, c->spi_in);
	xchg_unqueue(sa, XCHG_CHILD_DELETE, c->spi_in);
	secret_wipe(c, sizeof(*c));
	free(c);
	if (x) {
		x->waits_in = false;
		x->child = 0;
		x->then(k, sa, x);
	}
}

void child_retire(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *cause)
{
	struct ike_child *next = child_find_in(sa, c->replaced_by);

	if (!next || c->lost || c->redundant) {
		child_remove(k, sa, c, cause);
		return;
	}
	c->state = IKE_CHILD_OLD;
	c->gone_at_ms = k->now_ms + k->limits.old_child_grace_ms;
	c->rekey_at_ms = c->expires_at_ms = 0;
	c->waits_for_use = false;
	xchg_unqueue(sa, XCHG_CHILD_REKEY, c->spi_in);
	xchg_unqueue(sa, XCHG_CHILD_DELETE, c->spi_in);
	if (next->out == HALF_READY)
		child_drop_out(k, c);
}

void child_expire(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *cause)
{
	struct ike_child *next = child_find_in(sa, c->replaced_by);

	if (c->state == IKE_CHILD_DELETING || c->state == IKE_CHILD_OLD)
		return;
	if (next)
		child_use(k, sa, next); /* the peer had time enough to take the new pair */
	else if (!c->redundant)
		notice_child(k, sa, c, IKE_NOTICE_CHILD_DOWN, cause);
	c->up_since_ms = 0; /* its end is told */
	c->rekey_at_ms = c->expires_at_ms = 0;
	c->state = IKE_CHILD_DELETING;
	c->waits_for_use = false;
	child_drop_out(k, c);
	child_drop_in(k, c);
	xchg_unqueue(sa, XCHG_CHILD_REKEY, c->spi_in);
	xchg_queue(k, sa, XCHG_CHILD_DELETE, c->spi_in, k->now_ms);
	if (!c->redundant && !c->replaced_by)
		child_ask(k, sa, c->index, k->now_ms);
}

void child_disown(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	struct ike_child *old = child_find_in(sa, c->replaces);

	c->state = IKE_CHILD_DELETING;
	xchg_queue(k, sa, XCHG_CHILD_DELETE, c->spi_in, k->now_ms);
	if (old && old->state == IKE_CHILD_REKEYING) {
		old->state = IKE_CHILD_UP;
		old->rekey_at_ms = k->now_ms + REFUSED_MS;
	}
}

void child_lost(struct ike *k, struct ike_sa *sa, struct ike_child *c, uint64_t due_ms)
{
	c->lost = true;
	c->in = c->out = HALF_GONE;
	c->waits_for_use = false;
	secret_fini(&c->key_in);
	secret_fini(&c->key_out);
	c->rekey_at_ms = c->expires_at_ms = 0;
	if (!c->up_since_ms || c->state == IKE_CHILD_OLD || c->redundant) {
		child_remove(k, sa, c, "the data plane restarted");
		return;
	}
	if (c->state == IKE_CHILD_UP)
		xchg_queue(k, sa, XCHG_CHILD_REKEY, c->spi_in, due_ms);
}

/* ---- time ---- */

/* Where traffic starts the tunnel, what carried none goes, and the next packet brings it back. */
static bool idle(struct ike *k, const struct ike_child *c)
{
	const struct ike_tunnel *t = tunnel_find(k, c->tunnel);

	return t && t->cfg->start == CFG_START_ON_TRAFFIC &&
	       !k->env.child_rx_packets(k->env.ctx, c->tunnel, c->spi_in) &&
	       !k->env.child_tx_packets(k->env.ctx, c->tunnel, c->spi_in);
}

static void tick_one(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	if (c->state == IKE_CHILD_OLD) {
		if (k->now_ms >= c->gone_at_ms)
			child_remove(k, sa, c, "");
		return;
	}
	if (c->waits_for_use &&
	    (k->now_ms >= c->switch_at_ms || k->env.child_rx_packets(k->env.ctx, c->tunnel, c->spi_in) > 0))
		child_use(k, sa, c);
	if (c->expires_at_ms && k->now_ms >= c->expires_at_ms) {
		child_expire(k, sa, c, "its lifetime is over and it was not rekeyed");
		return;
	}
	if (c->rekey_at_ms && k->now_ms >= c->rekey_at_ms) {
		c->rekey_at_ms = 0;
		xchg_queue(k, sa, idle(k, c) ? XCHG_CHILD_DELETE : XCHG_CHILD_REKEY, c->spi_in, k->now_ms);
	}
}

void child_tick(struct ike *k, struct ike_sa *sa)
{
	list_each_safe (e, &sa->children)
		tick_one(k, sa, list_entry(e, struct ike_child, node));
}

uint64_t child_deadline(const struct ike *k, const struct ike_child *c)
{
	uint64_t at = UINT64_MAX;

	if (c->state == IKE_CHILD_OLD)
		return c->gone_at_ms;
	if (c->waits_for_use)
		at = u64_min(c->switch_at_ms, k->now_ms + RX_POLL_MS);
	if (c->expires_at_ms)
		at = u64_min(at, c->expires_at_ms);
	if (c->rekey_at_ms)
		at = u64_min(at, c->rekey_at_ms);
	return at;
}

bool child_rx_grew(struct ike *k, struct ike_sa *sa)
{
	bool grew = false;

	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);
		uint64_t n;

		if (c->in != HALF_READY || c->lost)
			continue;
		n = k->env.child_rx_packets(k->env.ctx, c->tunnel, c->spi_in);
		grew |= n != c->rx_seen;
		c->rx_seen = n;
	}
	return grew;
}
