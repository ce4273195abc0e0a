/* CREATE_CHILD_SA for the IKE SA itself (RFC 7296 1.3.2, 2.8, 2.18), and who wins when rekeys cross (2.8.1, 2.8.2, 2.25)
 *
 *   HDR, SK {SA, Ni, KEi}  -->
 *                         <--  HDR, SK {SA, Nr, KEr}
 *
 * The new SA inherits the children: at once on the side that began, on the other one when the peer deletes the old SA or
 * uses the new one. Message ids start at 0. When both begin at once there are two heirs; the one whose exchange has the
 * lowest of the four nonces is deleted by the side that made it.
 */
#include "controlplane/ike/rekey.h"

#include "controlplane/ike/notice.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/twin.h"
#include "controlplane/ike/xchg.h"

/* ---- collisions ---- */

const struct ike_nonce *rekey_low(const struct ike_nonce *ni, const struct ike_nonce *nr)
{
	return payload_nonce_cmp(ni, nr) <= 0 ? ni : nr;
}

bool rekey_loses(const struct ike_nonce *ours, const struct ike_nonce *theirs)
{
	return payload_nonce_cmp(ours, theirs) < 0;
}

static bool out_is(const struct ike_sa *sa, enum xchg_kind kind)
{
	return sa->x_out && sa->x_out->kind == kind;
}

enum rekey_answer rekey_child_judge(const struct ike_sa *sa, const struct ike_child *old, bool want_old)
{
	/* 2.25.2: while the IKE SA is being rekeyed, no child is made on it */
	if (out_is(sa, XCHG_IKE_REKEY))
		return REKEY_TEMPORARY;
	if (!want_old)
		return REKEY_PROCEED;
	/* it may be the pair that the peer has just made for us: its answer has not come yet, or waits for a job */
	if (!old && (out_is(sa, XCHG_CHILD_REKEY) || out_is(sa, XCHG_CHILD_CREATE)))
		return REKEY_TEMPORARY;
	/* 2.25.1: it does not exist, or not any more */
	if (!old || old->state == IKE_CHILD_OLD)
		return REKEY_NOT_FOUND;
	/* 2.25.1: being rekeyed by us is as usual; being closed, or rekeyed already, is not */
	if (old->replaced_by || (old->state != IKE_CHILD_UP && old->state != IKE_CHILD_REKEYING))
		return REKEY_TEMPORARY;
	return REKEY_PROCEED;
}

enum rekey_answer rekey_ike_judge(const struct ike_sa *sa)
{
	/* 2.25.1: creating, rekeying or closing a child */
	if (out_is(sa, XCHG_CHILD_CREATE) || out_is(sa, XCHG_CHILD_REKEY) || out_is(sa, XCHG_CHILD_DELETE))
		return REKEY_TEMPORARY;
	list_each (e, &sa->children) {
		const struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->in == HALF_PENDING || (c->initiator && c->out == HALF_PENDING))
			return REKEY_TEMPORARY;
	}
	return REKEY_PROCEED;
}

/* The pair that we made by answering the peer's rekey of the same old one. */
static struct ike_child *rival_of(const struct ike_sa *sa, const struct ike_child *made)
{
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c != made && !c->initiator && !c->redundant && c->replaces == made->replaces)
			return c;
	}
	return NULL;
}

bool rekey_child_settle(struct ike *k, struct ike_sa *sa, struct ike_child *made)
{
	struct ike_child *old = child_find_in(sa, made->replaces), *rival;
	struct xchg *x = sa->x_in;

	if (!made->replaces)
		return false;
	rival = rival_of(sa, made);
	if (x && (x->exchange != IKE_X_CREATE_CHILD || x->old_spi_in != made->replaces || !x->nr.len))
		x = NULL;
	/* one that is in use already has won: the peer deleted the old pair, which the winner's maker does */
	if ((rival && (rival->out != HALF_NONE || rekey_loses(&made->low, &rival->low))) ||
	    (!rival && x && rekey_loses(&made->low, rekey_low(&x->ni, &x->nr)))) {
		made->redundant = true;
		return true;
	}
	if (!rival && !x && (!old || old->replaced_by) && child_count_of(sa, made->index) > 1) {
		/* the answer is so late that the winner has been at work, or was itself replaced, since */
		made->redundant = true;
		return true;
	}
	if (rival) {
		rival->redundant = true;
		rival->waits_for_use = false;
		rival->rekey_at_ms = 0;
		rival->expires_at_ms = k->now_ms + COLLISION_MS;
		rival->state = IKE_CHILD_REKEYED;
	} else if (x) {
		x->redundant = true;
	}
	if (old) {
		old->replaced_by = made->spi_in;
		if (old->state == IKE_CHILD_REKEYING || old->state == IKE_CHILD_UP)
			old->state = IKE_CHILD_REKEYED;
		old->rekey_at_ms = 0;
	}
	return false;
}

/* ---- inheritance ---- */

static void move_all(struct ike *k, struct ike_sa *from, struct ike_sa *to)
{
	list_each_safe (e, &from->children) {
		list_del(e);
		list_add_tail(&to->children, e);
	}
	to->n_children += from->n_children;
	from->n_children = 0;
	list_each_safe (e, &from->tasks) {
		struct xchg_task *t = list_entry(e, struct xchg_task, node);

		if (t->kind == XCHG_CHILD_DELETE || t->kind == XCHG_CHILD_REKEY || t->kind == XCHG_CHILD_CREATE)
			xchg_queue(k, to, t->kind, t->which, t->due_ms);
	}
	xchg_unqueue(from, XCHG_KIND_N, 0);
	/* what was asked for on the old SA and not done any more: again on the new one */
	list_each (e, &to->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->state == IKE_CHILD_DELETING)
			xchg_queue(k, to, XCHG_CHILD_DELETE, c->spi_in, k->now_ms);
		if (c->state == IKE_CHILD_REKEYING && !c->replaced_by) {
			c->state = IKE_CHILD_UP;
			xchg_queue(k, to, XCHG_CHILD_REKEY, c->spi_in, k->now_ms);
		}
	}
}

static void inherit(struct ike *k, struct ike_sa *old, struct ike_sa *heir)
{
	struct ike_tunnel *t = tunnel_find(k, heir->tunnel);

	move_all(k, old, heir);
	heir->predecessor = 0;
	heir->seen_ms = k->now_ms;
	old->successor = 0;
	old->inherit_at_ms = 0;
	old->rekey_at_ms = old->expires_at_ms = 0;
	old->quiet = true;
	old->bequeathed = true;
	if (t)
		tunnel_ask(k, t, heir, k->now_ms + k->limits.retry_ms);
	sa_rearm(k, heir);
	twin_look(k, heir);
}

void rekey_ike_inherit(struct ike *k, struct ike_sa *sa)
{
	struct ike_sa *heir = sa && sa->successor ? sa_find(k, sa->successor) : NULL;

	if (heir) {
		inherit(k, sa, heir);
		sa_rearm(k, sa);
	}
}

/* ---- the new SA ---- */

/* initiator: of the exchange x, and so of the new SA (2.18). NULL: no room, or crypto failed. */
static struct ike_sa *make(struct ike *k, struct ike_sa *old, const struct xchg *x)
{
	struct ike_sa *sa = sa_new(k, x->ours, x->new_spi, x->choice.spi, &old->path);
	struct keymat_input in = {
		.prf = x->choice.prf,
		.encr = x->choice.encr,
		.integ = x->choice.integ,
		.shared = &x->shared,
		.ni = &x->ni,
		.nr = &x->nr,
	};

	if (!sa)
		return NULL;
	in.spi_i = sa->spi_i;
	in.spi_r = sa->spi_r;
	if (keymat_ike_rekey(&in, old->prf, &old->keys.d, &sa->keys) < 0) {
		sa_end(k, sa, SA_END_NOW, "");
		return NULL;
	}
	sa_set_suite(sa, &x->choice);
	sa_set_tunnel(k, sa, old->tunnel);
	sa->natt = old->natt;
	sa->force_encap = old->force_encap;
	sa->frag = (struct frag){.on = old->frag.on, .size = old->frag.size};
	sa->carried = old->carried;
	sa->local_id = old->local_id;
	sa->remote_id = old->remote_id;
	sa->low = *rekey_low(&x->ni, &x->nr);
	sa->predecessor = sa_our_spi(old);
	return sa;
}

/* ---- initiator ---- */

void rekey_ike_failed(struct ike *k, struct ike_sa *sa, uint64_t pause_ms)
{
	if (sa->state == IKE_SA_REKEYED && !sa->successor)
		step_to(k, sa, IKE_SA_UP);
	if (sa->state == IKE_SA_UP)
		sa->rekey_at_ms = k->now_ms + pause_ms;
}

static void send_request(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct wire_out o;

	if (!t || sa->state != IKE_SA_UP) {
		xchg_drop(k, sa, x); /* the peer was first, or it is over */
		rekey_ike_failed(k, sa, REFUSED_MS);
		return;
	}
	xchg_begin(k, sa, x, &o);
	proposal_build(t->cfg->ike.proposal, t->cfg->ike.n_proposals, IKE_PROTO_IKE, x->new_spi, IKE_SPI_LEN, 0,
		       &x->offer);
	x_child_put_sa(&o, &x->offer);
	wire_payload(&o, IKE_PL_NONCE);
	payload_nonce_encode(&o.w, &x->ni);
	wire_payload(&o, IKE_PL_KE);
	payload_ke_encode(&o.w, x->group->id, x->dh.public_value, x->dh.public_len);
	xchg_request(k, sa, x, &o);
}

void rekey_ike_made(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->dh = x->job->dh;
	xchg_job_free(x);
	if (err < 0) {
		xchg_drop(k, sa, x);
		rekey_ike_failed(k, sa, REFUSED_MS);
		return;
	}
	send_request(k, sa, x);
}

void rekey_ike_start(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	x->group = t ? proposal_first_group(t->cfg->ike.proposal, t->cfg->ike.n_proposals) : NULL;
	if (!x->group) {
		xchg_drop(k, sa, x);
		return;
	}
	sa->rekey_at_ms = 0;
	x->new_spi = sa_fresh_spi(k);
	xchg_nonce(k, &x->ni);
	xchg_wait_job(k, sa, x, xchg_job_dh(k, JOB_DH_MAKE, x->group), rekey_ike_made);
}

/* RFC 7296 2.8.2: the heir that we made by answering, or are about to make, against the one that we asked for. */
static bool lost(struct ike *k, struct ike_sa *old, const struct ike_sa *made)
{
	struct ike_sa *rival = old->successor ? sa_find(k, old->successor) : NULL;
	const struct xchg *x = old->x_in && old->x_in->ike_rekey ? old->x_in : NULL;

	if (old->bequeathed) /* the peer uses the other one already */
		return true;
	if (rival && rekey_loses(&made->low, &rival->low))
		return true;
	if (!rival && x && rekey_loses(&made->low, rekey_low(&x->ni, &x->nr)))
		return true;
	if (rival) { /* its maker deletes it; if not, it ends by itself */
		rival->redundant = rival->quiet = true;
		rival->predecessor = 0;
		rival->rekey_at_ms = 0;
		rival->expires_at_ms = k->now_ms + COLLISION_MS;
		sa_rearm(k, rival);
		old->successor = 0;
	}
	return false;
}

static void take_over(struct ike *k, struct ike_sa *old, struct xchg *x)
{
	struct ike_sa *sa = make(k, old, x);

	if (!sa) {
		xchg_drop(k, old, x);
		sa_end(k, old, SA_END_DELETE, "the rekeyed IKE SA could not be made");
		return;
	}
	xchg_done(k, old, x); /* state: REKEYED */
	old->temporary = 0;
	if (lost(k, old, sa)) {
		sa->quiet = sa->redundant = true;
		sa->predecessor = 0;
		step_to(k, sa, IKE_SA_UP);
		sa_end(k, sa, SA_END_DELETE, "");
		return;
	}
	step_to(k, sa, IKE_SA_UP);
	inherit(k, old, sa);
	sa_end(k, old, SA_END_DELETE, "replaced"); /* RFC 7296 2.8: the initiator deletes the old SA */
}

static void shared(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->shared = x->job->shared;
	xchg_job_free(x);
	if (err < 0)
		step_bad_response(k, sa, x, "its Diffie-Hellman value is no element of its group");
	else
		take_over(k, sa, x);
}

void rekey_ike_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct payload_sa answer;
	struct payload_ke ke;
	enum ike_verdict v = xchg_read_offer(in->c, &answer, &x->nr, &ke);

	if (x->kind != XCHG_IKE_REKEY)
		v = IKE_V_SYNTAX; /* no selectors in the answer to a request that had some */
	if (v == IKE_V_OK)
		v = proposal_verify(&x->offer, &answer, &x->choice);
	if (v == IKE_V_OK && (x->choice.dh != x->group || ke.group != x->group->id))
		v = IKE_V_INVALID_KE;
	if (v != IKE_V_OK) {
		step_bad_response(k, sa, x, ike_verdict_name(v));
		return;
	}
	xchg_wait_job(k, sa, x, xchg_job_shared(x, &ke), shared);
}

/* ---- responder ---- */

static void send_answer(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_sa *heir = sa->state != IKE_SA_CLOSING ? make(k, sa, x) : NULL;
	struct payload_sa answer;
	bool redundant = x->redundant;
	struct wire_out o;

	if (!heir) {
		xchg_answer_error(k, sa, x, N_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	xchg_begin(k, sa, x, &o);
	proposal_answer(&x->choice, sa_our_spi(heir), &answer);
	x_child_put_sa(&o, &answer);
	wire_payload(&o, IKE_PL_NONCE);
	payload_nonce_encode(&o.w, &x->nr);
	wire_payload(&o, IKE_PL_KE);
	payload_ke_encode(&o.w, x->choice.dh->id, x->dh.public_value, x->dh.public_len);
	xchg_answer(k, sa, x, &o);
	if (sa->state == IKE_SA_DEAD)
		return;
	sa->successor = redundant ? 0 : sa_our_spi(heir);
	sa->inherit_at_ms = k->now_ms + SWITCH_MS;
	sa->rekey_at_ms = 0;
	step_to(k, heir, IKE_SA_UP);
	sa_rearm(k, heir);
}

static void answered(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->dh = x->job->dh;
	x->shared = x->job->shared;
	xchg_job_free(x);
	if (err < 0)
		step_bad_request(k, sa, x, IKE_V_SYNTAX);
	else
		send_answer(k, sa, x);
}

static void refuse(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct ike_tunnel *t)
{
	char why[NOTICE_MAX];

	k->counters.no_proposal++;
	notice_bad(k, sa, "the peer's rekey of the IKE SA is refused: %s",
		   proposal_explain(t->cfg->ike.proposal, t->cfg->ike.n_proposals, IKE_PROTO_IKE, &x->offer, 0, why,
				    sizeof(why)));
	xchg_answer_error(k, sa, x, N_NO_PROPOSAL_CHOSEN, NULL, 0);
}

void rekey_ike_request(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct payload_ke ke;
	struct ike_job *job;
	enum ike_verdict v = xchg_read_offer(in->c, &x->offer, &x->ni, &ke);

	if (v != IKE_V_OK) {
		step_bad_request(k, sa, x, v);
		return;
	}
	if (!t || rekey_ike_judge(sa) != REKEY_PROCEED) {
		xchg_answer_error(k, sa, x, N_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	v = proposal_choose(t->cfg->ike.proposal, t->cfg->ike.n_proposals, IKE_PROTO_IKE, &x->offer, ke.group, 0,
			    &x->choice);
	if (v == IKE_V_INVALID_KE) {
		uint8_t group[2] = {(uint8_t)(x->choice.dh->id >> 8), (uint8_t)x->choice.dh->id};

		xchg_answer_error(k, sa, x, N_INVALID_KE_PAYLOAD, group, sizeof(group));
		return;
	}
	if (v != IKE_V_OK || x->choice.spi_size != IKE_SPI_LEN || !x->choice.spi) {
		refuse(k, sa, x, t);
		return;
	}
	x->ike_rekey = true;
	xchg_nonce(k, &x->nr);
	job = xchg_job_dh(k, JOB_DH_ANSWER, x->choice.dh);
	job_set_peer(job, &ke);
	xchg_wait_job(k, sa, x, job, answered);
}
