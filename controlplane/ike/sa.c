#include "controlplane/ike/sa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/rekey.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/twin.h"
#include "controlplane/ike/xchg.h"

/* ---- table ---- */

static uint32_t bucket(const struct ike *k, uint64_t spi)
{
	return (uint32_t)(spi ^ spi >> 32) & (k->table_size - 1); /* ours are random */
}

static void table_add(struct ike *k, struct ike_sa *sa)
{
	struct ike_sa **at = &k->table[bucket(k, sa_our_spi(sa))];

	sa->next = *at;
	*at = sa;
}

static void table_grow(struct ike *k)
{
	k->table_size *= 2;
	free(k->table);
	k->table = xcalloc(k->table_size, sizeof(struct ike_sa *));
	list_each (e, &k->sas)
		table_add(k, list_entry(e, struct ike_sa, all));
}

static void table_del(struct ike *k, struct ike_sa *sa)
{
	struct ike_sa **at = &k->table[bucket(k, sa_our_spi(sa))];

	while (*at && *at != sa)
		at = &(*at)->next;
	if (*at)
		*at = sa->next;
}

struct ike_sa *sa_find(const struct ike *k, uint64_t our_spi)
{
	struct ike_sa *sa = k->table[bucket(k, our_spi)];

	while (sa && sa_our_spi(sa) != our_spi)
		sa = sa->next;
	return sa;
}

struct ike_sa *sa_find_half(const struct ike *k, uint64_t spi_i, const struct ike_path *path)
{
	list_each (e, &k->half) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, half);

		if (sa->spi_i == spi_i && ip_equal(&sa->path.remote, &path->remote) &&
		    sa->path.remote_port == path->remote_port)
			return sa;
	}
	return NULL;
}

/* ---- life ---- */

uint64_t sa_fresh_spi(struct ike *k)
{
	uint64_t spi;

	do
		spi = ike_random64(k);
	while (spi == 0 || sa_find(k, spi));
	return spi;
}

struct ike_sa *sa_new(struct ike *k, bool initiator, uint64_t spi_ours, uint64_t spi_peer, const struct ike_path *path)
{
	struct ike_sa *sa;

	if (k->n_sas >= k->limits.ike_sas)
		return NULL;
	sa = xcalloc(1, sizeof(*sa));
	sa->serial = ++k->next_serial;
	sa->tunnel = IKE_NO_TUNNEL;
	sa->initiator = initiator;
	if (!spi_ours)
		spi_ours = sa_fresh_spi(k);
	sa->spi_i = initiator ? spi_ours : spi_peer;
	sa->spi_r = initiator ? spi_peer : spi_ours;
	sa->path = *path;
	sa->timer.kind = TIMER_SA;
	sa->created_ms = sa->seen_ms = sa->sent_ms = k->now_ms;
	list_init(&sa->in_tunnel);
	list_init(&sa->half);
	list_init(&sa->tasks);
	list_init(&sa->children);
	if (k->n_sas >= k->table_size)
		table_grow(k);
	list_add_tail(&k->sas, &sa->all);
	table_add(k, sa);
	k->n_sas++;
	return sa;
}

void sa_set_suite(struct ike_sa *sa, const struct proposal_choice *c)
{
	sa->encr = c->encr;
	sa->prf = c->prf;
	sa->integ = c->integ;
	sa->dh = c->dh;
	sa->sk_out = (struct sk_key){.encr = c->encr, .integ = c->integ, .e = &sa->keys.er, .a = &sa->keys.ar};
	sa->sk_in = (struct sk_key){.encr = c->encr, .integ = c->integ, .e = &sa->keys.ei, .a = &sa->keys.ai};
	if (sa->initiator) {
		struct sk_key t = sa->sk_out;

		sa->sk_out = sa->sk_in;
		sa->sk_in = t;
	}
}

void sa_frag_from(struct ike_sa *sa, const struct cfg_tunnel *cfg)
{
	sa->frag.on = !cfg->ike.no_fragmentation;
	sa->frag.size = cfg->ike.fragment_size ? cfg->ike.fragment_size : FRAG_SIZE_DEFAULT;
}

void sa_set_tunnel(struct ike *k, struct ike_sa *sa, uint32_t tunnel)
{
	struct ike_tunnel *t = tunnel_find(k, tunnel);

	list_del(&sa->in_tunnel);
	sa->tunnel = t ? tunnel : IKE_NO_TUNNEL;
	if (t)
		list_add_tail(&t->sas, &sa->in_tunnel);
}

void sa_half_done(struct ike *k, struct ike_sa *sa)
{
	if (list_empty(&sa->half))
		return;
	list_del(&sa->half);
	k->n_half_open--;
}

void sa_birth_free(struct ike_sa *sa)
{
	if (!sa->birth)
		return;
	free(sa->birth->msg_i);
	free(sa->birth->msg_r);
	secret_wipe(sa->birth, sizeof(*sa->birth));
	free(sa->birth);
	sa->birth = NULL;
}

void sa_up(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	uint64_t life_ms = t ? t->cfg->ike.lifetime_s * UINT64_C(1000) : 0;

	sa_half_done(k, sa);
	sa_birth_free(sa);
	sa->die_at_ms = 0;
	sa->up_since_ms = sa->seen_ms = k->now_ms;
	if (life_ms) {
		/* RFC 7296 2.8: jittered, so that both ends seldom begin at once */
		sa->rekey_at_ms = k->now_ms + ike_jitter(k, life_ms, 85, 95);
		sa->expires_at_ms = k->now_ms + life_ms;
	}
}

static void free_tasks(struct ike_sa *sa)
{
	xchg_unqueue(sa, XCHG_KIND_N, 0);
}

static void sa_kill(struct ike *k, struct ike_sa *sa)
{
	if (sa->state == IKE_SA_DEAD)
		return;
	step_to(k, sa, IKE_SA_DEAD);
	xchg_drop(k, sa, sa->x_out);
	xchg_drop(k, sa, sa->x_in);
	free_tasks(sa);
	sa_half_done(k, sa);
	timer_set(&k->timers, &sa->timer, UINT64_MAX);
	table_del(k, sa);
	list_del(&sa->in_tunnel);
	list_del(&sa->all);
	list_add_tail(&k->dead, &sa->all);
	k->n_sas--;
}

static void sa_free(struct ike_sa *sa)
{
	msgid_fini(&sa->mid);
	frag_fini(&sa->frag);
	sa_birth_free(sa);
	keymat_fini(&sa->keys);
	secret_wipe(sa, sizeof(*sa));
	free(sa);
}

void sa_reap(struct ike *k)
{
	list_each_safe (e, &k->dead) {
		list_del(e);
		sa_free(list_entry(e, struct ike_sa, all));
	}
}

static void end_children(struct ike *k, struct ike_sa *sa, const char *cause)
{
	list_each_safe (e, &sa->children)
		child_remove(k, sa, list_entry(e, struct ike_child, node), cause);
}

void sa_free_all(struct ike *k)
{
	list_each_safe (e, &k->sas) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, all);

		sa->quiet = true;
		xchg_drop(k, sa, sa->x_in); /* first, or they would hear of their children's end and answer */
		xchg_drop(k, sa, sa->x_out);
		end_children(k, sa, "");
		sa_kill(k, sa);
	}
	sa_reap(k);
}

/* ---- the end ---- */

static void tell_end(struct ike *k, struct ike_sa *sa, const char *cause)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	bool attempt = !sa->told_up;

	if (sa->quiet)
		return;
	sa->quiet = true;
	if (!attempt)
		notice_sa(k, sa, IKE_NOTICE_IKE_DOWN, cause);
	else if (sa->initiator)
		notice_failed(k, sa->tunnel, sa, cause);
	if (t && (!attempt || sa->initiator))
		tunnel_failed(k, t, cause); /* being quiet, this SA is not counted by the policy any more */
}

/* The heir that has not inherited yet has nobody left to inherit from. */
static void end_successor(struct ike *k, struct ike_sa *sa)
{
	struct ike_sa *heir = sa->successor ? sa_find(k, sa->successor) : NULL;

	sa->successor = 0;
	if (!heir || heir == sa)
		return;
	heir->quiet = true;
	sa_end(k, heir, SA_END_NOW, "");
}

/* It was made by answering a rekey, and its maker gave it up: the old SA goes on, unless our own rekey is under way. */
static void leave_predecessor(struct ike *k, struct ike_sa *sa)
{
	struct ike_sa *old = sa->predecessor ? sa_find(k, sa->predecessor) : NULL;

	sa->predecessor = 0;
	if (!old || old->successor != sa_our_spi(sa))
		return;
	old->successor = 0;
	old->inherit_at_ms = 0;
	if (old->state == IKE_SA_REKEYED && !(old->x_out && old->x_out->kind == XCHG_IKE_REKEY)) {
		step_to(k, old, IKE_SA_UP);
		old->rekey_at_ms = k->now_ms + ike_jitter(k, TEMPORARY_MIN_MS, 100, 200);
		sa_rearm(k, old);
	}
}

void sa_end(struct ike *k, struct ike_sa *sa, enum sa_end how, const char *cause)
{
	bool sent = sa->mid.out.msg != NULL;

	if (sa->state == IKE_SA_DEAD)
		return;
	if (how == SA_END_DELETE && (sa->state == IKE_SA_INIT || sa->state == IKE_SA_AUTH))
		how = SA_END_NOW; /* there are no keys, or no peer who would believe us */
	if (how == SA_END_DELETE && sa->state == IKE_SA_CLOSING)
		return;
	xchg_drop(k, sa, sa->x_in);
	if (how != SA_END_DELETE || !sent)
		xchg_drop(k, sa, sa->x_out);
	free_tasks(sa);
	end_children(k, sa, cause);
	end_successor(k, sa);
	sa->quiet |= sa->predecessor != 0; /* it never was in use */
	leave_predecessor(k, sa);
	tell_end(k, sa, cause);
	sa->rekey_at_ms = sa->expires_at_ms = sa->inherit_at_ms = sa->twin_at_ms = 0;
	switch (how) {
	case SA_END_NOW:
		sa_kill(k, sa);
		return;
	case SA_END_REFUSE:
		step_to(k, sa, IKE_SA_CLOSING);
		xchg_queue(k, sa, XCHG_AUTH_FAILED, 0, k->now_ms);
		break;
	case SA_END_LINGER: /* one that never got past IKE_AUTH goes on counting as half open */
		step_to(k, sa, IKE_SA_CLOSING);
		msgid_out_cancel(&sa->mid);
		sa->die_at_ms = k->now_ms + LINGER_MS;
		break;
	case SA_END_DELETE:
		/* RFC 7296 2.8: Delete is the last request; what is on its way is waited for */
		step_to(k, sa, IKE_SA_CLOSING);
		xchg_queue(k, sa, XCHG_IKE_DELETE, 0, k->now_ms);
		break;
	}
	sa_rearm(k, sa);
}

/* ---- time ---- */

/* RFC 7296 2.23: only where a NAT may have moved the peer, and never when we are behind one ourselves. */
void sa_moved(struct ike *k, struct ike_sa *sa, const struct ike_path *path)
{
	bool same = ip_equal(&sa->path.remote, &path->remote) && sa->path.remote_port == path->remote_port;

	sa->path.worker = path->worker;
	sa->path.dp_port = path->dp_port;
	if (same || sa->natt.nat_local || !sa->natt.nat_remote || path->encap != sa->path.encap)
		return;
	sa->path.remote = path->remote;
	sa->path.remote_port = path->remote_port;
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		c->path.remote = path->remote;
		c->path.remote_port = path->remote_port;
		if (!c->lost && (c->out == HALF_READY || c->out == HALF_PENDING))
			k->env.child_move(k->env.ctx, c->tunnel, c->spi_in, &c->path);
	}
}

static void give_up(struct ike *k, struct ike_sa *sa)
{
	char addr[IP_STR], cause[NOTICE_MAX];
	unsigned n = sa->mid.out.sends;

	ip_str(&sa->path.remote, addr);
	if (sa->birth && sa->birth->refusal[0])
		snprintf(cause, sizeof(cause), "%s", sa->birth->refusal);
	else if (sa->state == IKE_SA_INIT)
		snprintf(cause, sizeof(cause),
			 "no answer to IKE_SA_INIT from %s port %u after %u tries: is the address right, is the peer "
			 "running, and does UDP 500 and 4500 pass?",
			 addr, sa->path.remote_port, n);
	else if (sa->state == IKE_SA_AUTH)
		snprintf(cause, sizeof(cause),
			 "no answer to IKE_AUTH from %s port %u after %u tries: does UDP %u pass, and does the peer's "
			 "log refuse us?",
			 addr, sa->path.remote_port, n, sa->path.remote_port);
	else
		snprintf(cause, sizeof(cause), "peer %s is dead: no answer to %u requests", addr, n);
	sa_end(k, sa, SA_END_NOW, cause);
}

/* RFC 7383 2.5.2: no answer to what may be too long for the way: cut it smaller, with timers that begin anew. */
static void cut_smaller(struct ike *k, struct ike_sa *sa)
{
	struct msgid_out *out = &sa->mid.out;
	unsigned sends = out->sends;
	uint8_t *msgs;
	size_t len;

	if (sends != FRAG_SMALLER_AT || !sa->frag.on || sa->state == IKE_SA_INIT)
		return;
	msgs = frag_smaller(&sa->frag, &sa->path, out->msg, out->len, &sa->sk_out, &k->env, k->out, k->text,
			    IKE_MSG_MAX, &len);
	if (!msgs)
		return;
	msgid_out_sent(&sa->mid, msgs, len, k->limits.retransmit_ms, k->now_ms);
	out->sends = sends;
	free(msgs);
}

static void tick_out(struct ike *k, struct ike_sa *sa)
{
	switch (msgid_out_due(&sa->mid, k->limits.retransmit_tries, k->now_ms)) {
	case MSGID_WAIT:
		break;
	case MSGID_RESEND:
		cut_smaller(k, sa);
		k->counters.retransmits++;
		sa->sent_ms = k->now_ms;
		k->counters.tx += frag_send(&k->env, &sa->path, sa->mid.out.msg, sa->mid.out.len);
		break;
	case MSGID_GIVE_UP:
		give_up(k, sa);
		break;
	}
}

static uint64_t dpd_at(struct ike *k, const struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	if (!t || !t->cfg->dpd_s || sa->state != IKE_SA_UP || sa->x_out || xchg_queued(sa, XCHG_LIVENESS, 0))
		return UINT64_MAX;
	return sa->seen_ms + t->cfg->dpd_s * UINT64_C(1000);
}

/* RFC 3948 4: from behind a NAT only. */
static uint64_t keepalive_at(const struct ike *k, const struct ike_sa *sa)
{
	if (!sa->natt.nat_local || !sa->path.encap || (sa->state != IKE_SA_UP && sa->state != IKE_SA_AUTH))
		return UINT64_MAX;
	return sa->sent_ms + k->limits.keepalive_ms;
}

static void tick_idle(struct ike *k, struct ike_sa *sa)
{
	if (dpd_at(k, sa) <= k->now_ms) {
		if (child_rx_grew(k, sa))
			sa->seen_ms = k->now_ms; /* RFC 7296 2.4: fresh protected traffic is proof of life */
		else
			xchg_queue(k, sa, XCHG_LIVENESS, 0, k->now_ms);
	}
	if (keepalive_at(k, sa) <= k->now_ms) {
		sa->sent_ms = k->now_ms;
		k->env.keepalive(k->env.ctx, &sa->path);
	}
}

/* Nobody needs it: where traffic starts the tunnel, and there was none for a child's life. */
static bool idle(struct ike *k, const struct ike_sa *sa)
{
	const struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	return t && t->cfg->start == CFG_START_ON_TRAFFIC && sa_usable(sa) && !sa->n_children && !sa->x_in &&
	       !sa->x_out;
}

static void tick_life(struct ike *k, struct ike_sa *sa)
{
	if (sa->inherit_at_ms && k->now_ms >= sa->inherit_at_ms) {
		/* the peer rekeyed and says no more on either SA */
		rekey_ike_inherit(k, sa);
		sa_end(k, sa, SA_END_DELETE, "replaced");
		return;
	}
	if (sa->twin_at_ms && k->now_ms >= sa->twin_at_ms)
		twin_tick(k, sa);
	if (sa->expires_at_ms && k->now_ms >= sa->expires_at_ms) {
		/* a redundant one that its creator did not delete is not known to it any more */
		sa_end(k, sa, sa->redundant ? SA_END_NOW : SA_END_DELETE,
		       "the IKE SA's lifetime is over and it could not be rekeyed");
		return;
	}
	if (sa->rekey_at_ms && k->now_ms >= sa->rekey_at_ms) {
		sa->rekey_at_ms = 0;
		if (idle(k, sa)) {
			notice_sa(k, sa, IKE_NOTICE_IKE_DOWN, "it has no child, and traffic will bring it back");
			sa->quiet = true;
			sa_end(k, sa, SA_END_DELETE, "");
		} else if (sa_usable(sa)) {
			xchg_queue(k, sa, XCHG_IKE_REKEY, 0, k->now_ms);
		}
	}
}

void sa_tick(struct ike *k, struct ike_sa *sa)
{
	if (sa->die_at_ms && k->now_ms >= sa->die_at_ms) {
		sa_end(k, sa, SA_END_NOW, "the peer did not go on");
		return;
	}
	frag_tick(&sa->frag, k->now_ms);
	tick_out(k, sa);
	if (sa->state != IKE_SA_DEAD)
		tick_life(k, sa);
	if (sa->state != IKE_SA_DEAD)
		child_tick(k, sa);
	if (sa->state != IKE_SA_DEAD) {
		tick_idle(k, sa);
		xchg_kick(k, sa);
	}
	if (sa->state != IKE_SA_DEAD)
		sa_rearm(k, sa);
}

static void earlier(uint64_t *at, uint64_t v)
{
	if (v && v < *at)
		*at = v;
}

void sa_rearm(struct ike *k, struct ike_sa *sa)
{
	uint64_t at = UINT64_MAX;

	if (sa->state == IKE_SA_DEAD)
		return;
	earlier(&at, sa->die_at_ms);
	earlier(&at, msgid_deadline(&sa->mid));
	earlier(&at, frag_deadline(&sa->frag));
	earlier(&at, sa->inherit_at_ms);
	earlier(&at, sa->twin_at_ms);
	earlier(&at, sa->expires_at_ms);
	earlier(&at, sa->rekey_at_ms);
	earlier(&at, dpd_at(k, sa));
	earlier(&at, keepalive_at(k, sa));
	earlier(&at, xchg_deadline(sa));
	list_each (e, &sa->children)
		earlier(&at, child_deadline(k, list_entry(e, struct ike_child, node)));
	timer_set(&k->timers, &sa->timer, at);
}
