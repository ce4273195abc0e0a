/* CREATE_CHILD_SA for children (RFC 7296 1.3.1, 1.3.3, 2.8, 2.9, 2.17, 2.25)
 *
 *   HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->
 *                                    <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
 *
 * The responder's inbound half is acknowledged before its answer leaves; when each half comes and goes is child.h's
 * story. KE goes along when the proposals name DH groups (PFS). The IKE SA's own rekey is in rekey.c.
 */
#include <stdio.h>
#include <string.h>

#include "controlplane/ike/notice.h"
#include "controlplane/ike/offer.h"
#include "controlplane/ike/rekey.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

/* ---- shared with IKE_AUTH ---- */

void x_child_put_sa(struct wire_out *o, const struct payload_sa *sa)
{
	wire_payload(o, IKE_PL_SA);
	payload_sa_encode(&o->w, sa);
}

void x_child_put_ts(struct wire_out *o, const struct xchg *x)
{
	wire_payload(o, IKE_PL_TSI);
	payload_ts_encode(&o->w, &x->tsi);
	wire_payload(o, IKE_PL_TSR);
	payload_ts_encode(&o->w, &x->tsr);
}

static uint16_t refuse_proposal(struct ike *k, struct ike_sa *sa, const struct ike_tunnel *t, const struct xchg *x,
				unsigned flags)
{
	char why[NOTICE_MAX];

	k->counters.no_proposal++;
	notice_bad(k, sa, "child refused: %s",
		   proposal_explain(t->cfg->esp.proposal, t->cfg->esp.n_proposals, IKE_PROTO_ESP, &x->offer, flags, why,
				    sizeof(why)));
	return N_NO_PROPOSAL_CHOSEN;
}

uint16_t x_child_negotiate(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t ke_group, unsigned flags)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	char why[NOTICE_MAX];
	enum ike_verdict v;

	if (!t)
		return N_TEMPORARY_FAILURE;
	flags |= offer_flags(t->cfg);
	v = proposal_choose(t->cfg->esp.proposal, t->cfg->esp.n_proposals, IKE_PROTO_ESP, &x->offer, ke_group, flags,
			    &x->choice);
	if (v == IKE_V_INVALID_KE)
		return N_INVALID_KE_PAYLOAD;
	/* RFC 4303 2.1: 1 to 255 are reserved */
	if (v != IKE_V_OK || x->choice.spi_size != 4 || x->choice.spi < 256)
		return refuse_proposal(k, sa, t, x, flags);
	if (offer_narrow(t, sa, x, child_find_in(sa, x->old_spi_in), why, sizeof(why)) != IKE_V_OK) {
		k->counters.ts_unacceptable++;
		notice_bad(k, sa, "child refused: %s", why);
		return N_TS_UNACCEPTABLE;
	}
	if (sa->n_children >= CHILDREN_MAX)
		return N_NO_ADDITIONAL_SAS;
	if (k->env.spi_alloc(k->env.ctx, sa->tunnel, &x->spi_in) < 0) {
		x->spi_in = 0;
		return N_TEMPORARY_FAILURE;
	}
	return 0;
}

enum ike_verdict x_child_verify(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct ike_chain *c)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct payload_sa answer;
	enum ike_verdict v = payload_sa_decode(wire_find(c, IKE_PL_SA)->body, &answer);

	if (!t)
		return IKE_V_INTERNAL;
	if (v == IKE_V_OK)
		v = proposal_verify(&x->offer, &answer, &x->choice);
	if (v == IKE_V_OK && x->choice.spi < 256)
		v = IKE_V_SYNTAX;
	return v == IKE_V_OK ? offer_verify(t, sa, x, c) : v;
}

/* RFC 7296 1.3.1: the peer has made it in tunnel mode. Who may not have that deletes it. */
bool x_child_wrong_mode(struct ike *k, struct ike_sa *sa, struct ike_child *c)
{
	static const char cause[] =
		"the peer answered with tunnel mode, and this tunnel's mode is transport: make them "
		"the same at both ends";
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	const struct ike_child *old = child_find_in(sa, c->replaces);
	uint64_t pause;

	if (!t || c->transport || (old ? !old->transport : t->cfg->mode != CFG_MODE_TRANSPORT))
		return false;
	notice_bad(k, sa, "%s", cause);
	pause = tunnel_refused(k, t, c->index, cause);
	child_disown(k, sa, c);
	if (tunnel_wants(t, c->index))
		child_ask(k, sa, c->index, k->now_ms + pause);
	return true;
}

/* ---- initiator ---- */

static struct ike_child *rekeyed(const struct ike_sa *sa, const struct xchg *x)
{
	struct ike_child *old = child_find_in(sa, x->old_spi_in);

	return old && old->state == IKE_CHILD_REKEYING ? old : NULL;
}

/* It came to nothing: the old pair goes on, and is rekeyed again after a pause. */
static void later(struct ike *k, struct ike_sa *sa, struct xchg *x, uint64_t pause_ms)
{
	struct ike_child *old = rekeyed(sa, x);
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	enum xchg_kind kind = x->kind;
	uint8_t index = x->index;

	xchg_drop(k, sa, x);
	if (old && !old->replaced_by) {
		old->state = IKE_CHILD_UP;
		old->rekey_at_ms = k->now_ms + pause_ms;
	} else if (old) {
		old->state = IKE_CHILD_REKEYED; /* the peer has rekeyed it, and will delete it */
	}
	/* what was there is made again; what is new only while somebody wants it */
	if ((kind == XCHG_CHILD_CREATE && t && tunnel_wants(t, index)) ||
	    (kind == XCHG_CHILD_REKEY && !old && !child_count_of(sa, index)))
		child_ask(k, sa, index, k->now_ms + pause_ms);
}

/* Transport mode between two ends that the config does not name. */
static void no_selectors(struct ike *k, struct ike_sa *sa, struct ike_tunnel *t, struct xchg *x)
{
	static const char cause[] = "no pair of `selectors` holds the two addresses that transport mode is to protect";

	notice_bad(k, sa, "%s", cause);
	later(k, sa, x, tunnel_refused(k, t, x->index, cause));
}

static void send_request(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	const struct ike_child *old = rekeyed(sa, x);
	struct wire_out o;

	/* what was to be rekeyed is gone, or rekeyed by the peer meanwhile */
	if (!t || (x->kind == XCHG_CHILD_REKEY && (!old || old->replaced_by)) || sa->state != IKE_SA_UP) {
		later(k, sa, x, k->limits.retry_ms);
		return;
	}
	if (!x->spi_in && k->env.spi_alloc(k->env.ctx, sa->tunnel, &x->spi_in) < 0) {
		x->spi_in = 0;
		notice_bad(k, sa,
			   "no child could be made: the data plane gives no SPI; is it running, is its table full?");
		later(k, sa, x, REFUSED_MS);
		return;
	}
	offer_build(t, sa, x, old);
	if (!x->tsi.n || !x->tsr.n) {
		no_selectors(k, sa, t, x);
		return;
	}
	xchg_begin(k, sa, x, &o);
	if (old) /* RFC 7296 1.3.3: named by the SPI that we receive on */
		payload_notify_add_esp(&o, N_REKEY_SA, old->spi_in);
	proposal_build(t->cfg->esp.proposal, t->cfg->esp.n_proposals, IKE_PROTO_ESP, x->spi_in, 4, offer_flags(t->cfg),
		       &x->offer);
	x_child_put_sa(&o, &x->offer);
	wire_payload(&o, IKE_PL_NONCE);
	payload_nonce_encode(&o.w, &x->ni);
	if (x->group) {
		wire_payload(&o, IKE_PL_KE);
		payload_ke_encode(&o.w, x->group->id, x->dh.public_value, x->dh.public_len);
	}
	x_child_put_ts(&o, x);
	offer_put_mode(&o, x);
	xchg_request(k, sa, x, &o);
}

static void made(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->dh = x->job->dh;
	xchg_job_free(x);
	if (err < 0)
		later(k, sa, x, REFUSED_MS);
	else
		send_request(k, sa, x);
}

void x_child_start(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct ike_child *old = child_find_in(sa, x->old_spi_in);

	if (!t || (x->kind == XCHG_CHILD_REKEY && (!old || old->state != IKE_CHILD_UP || old->replaced_by)) ||
	    (x->kind == XCHG_CHILD_CREATE &&
	     (child_count_of(sa, x->index) || x->index >= t->n_children || sa->n_children >= CHILDREN_MAX))) {
		xchg_drop(k, sa, x);
		return;
	}
	if (old && old->waits_for_use) { /* the peer may not have it yet, and would not find it */
		xchg_queue(k, sa, x->kind, x->old_spi_in, k->now_ms + 2 * RX_POLL_MS);
		xchg_drop(k, sa, x);
		return;
	}
	if (old) {
		x->index = old->index;
		old->state = IKE_CHILD_REKEYING;
		old->rekey_at_ms = 0;
	}
	xchg_nonce(k, &x->ni);
	x->group = proposal_first_group(t->cfg->esp.proposal, t->cfg->esp.n_proposals);
	if (x->group)
		xchg_wait_job(k, sa, x, xchg_job_dh(k, JOB_DH_MAKE, x->group), made);
	else
		send_request(k, sa, x);
}

static void take_child(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *c;

	if (!x->spi_in) {
		/* the data plane restarted meanwhile: the peer has a child that we cannot have any more */
		xchg_done(k, sa, x);
		sa_end(k, sa, SA_END_DELETE, "the data plane restarted while a child was being made");
		return;
	}
	c = child_new(k, sa, x);
	xchg_done(k, sa, x);
	sa->temporary = 0;
	if (c && !x_child_wrong_mode(k, sa, c))
		child_start(k, sa, c);
	else if (!c)
		sa_end(k, sa, SA_END_DELETE, "keys could not be derived (internal error)");
}

static void shared(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->shared = x->job->shared;
	xchg_job_free(x);
	if (err < 0)
		step_bad_response(k, sa, x, "its Diffie-Hellman value is no element of its group");
	else
		take_child(k, sa, x);
}

void x_child_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct payload_sa answer;
	struct payload_ke ke;
	enum ike_verdict v = xchg_read_offer(in->c, &answer, &x->nr, &ke);

	if (x->kind == XCHG_IKE_REKEY)
		v = IKE_V_SYNTAX; /* selectors in the answer to a request that had none */
	if (v == IKE_V_OK)
		v = x_child_verify(k, sa, x, in->c);
	if (v == IKE_V_OK && x->choice.dh && (x->choice.dh != x->group || ke.group != x->group->id))
		v = IKE_V_INVALID_KE;
	if (v != IKE_V_OK) {
		step_bad_response(k, sa, x, ike_verdict_name(v));
		return;
	}
	if (x->choice.dh)
		xchg_wait_job(k, sa, x, xchg_job_shared(x, &ke), shared);
	else
		take_child(k, sa, x);
}

/* RFC 7296 2.25: wait, so that the peer may finish what it is at; not for ever. */
static void temporary(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	uint64_t pause = ike_jitter(k, TEMPORARY_MIN_MS, 100, 200);

	if (++sa->temporary > TEMPORARY_TRIES) {
		xchg_drop(k, sa, x);
		sa_end(k, sa, SA_END_DELETE, "the peer answers TEMPORARY_FAILURE for minutes: its state is not ours");
		return;
	}
	if (x->kind == XCHG_IKE_REKEY) {
		xchg_drop(k, sa, x);
		rekey_ike_failed(k, sa, pause);
		return;
	}
	later(k, sa, x, pause);
}

/* RFC 7296 1.3: again, with a KE of the group that was named, if it is ours. */
static bool other_group(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct payload_notify *n)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	bool ike = x->kind == XCHG_IKE_REKEY;
	uint16_t id = (uint16_t)(n->len == 2 ? (uint32_t)n->data[0] << 8 | n->data[1] : 0);
	const struct alg *group;

	if (!t || x->corrections++ >= CORRECTIONS_MAX)
		return false;
	group = ike ? proposal_group(t->cfg->ike.proposal, t->cfg->ike.n_proposals, id)
		    : proposal_group(t->cfg->esp.proposal, t->cfg->esp.n_proposals, id);
	if (!group || group == x->group)
		return false;
	crypto_dh_fini(&x->dh);
	x->group = group;
	xchg_wait_job(k, sa, x, xchg_job_dh(k, JOB_DH_MAKE, group), ike ? rekey_ike_made : made);
	return true;
}

/* RFC 7296 2.25: the peer has no such pair. Ours goes without words, and a new one is made, unless the peer has rekeyed
 * or deleted it meanwhile (2.8.1). */
static void not_found(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *old = rekeyed(sa, x);
	uint8_t index = x->index;

	xchg_drop(k, sa, x);
	if (old && !old->replaced_by)
		child_remove(k, sa, old, "the peer does not have it");
	if (!child_count_of(sa, index))
		child_ask(k, sa, index, k->now_ms);
}

/* What to change, by what the peer said. */
static const char *remedy(uint16_t type, const struct ike_tunnel *t)
{
	switch (type) {
	case N_TS_UNACCEPTABLE:
		return "compare `selectors` at both ends";
	case N_NO_PROPOSAL_CHOSEN:
		return "compare `esp: proposals` (DH groups and esn too) at both ends";
	case N_SINGLE_PAIR_REQUIRED:
		return "it takes one pair of selectors per child: write `children: per-selector`; until then one pair "
		       "is "
		       "asked for alone";
	case N_NO_ADDITIONAL_SAS:
		return t->n_children > 1 ? "it takes no more children: write `children: one`, or raise its limit"
					 : "it takes no rekey either: the IKE SA begins anew when the child ends";
	default:
		return "see its log";
	}
}

uint64_t x_child_why_refused(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t type)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct ike_want *w = tunnel_want_of(t, x->index);
	char cause[NOTICE_MAX];
	unsigned n = 0;

	if (!w)
		return REFUSED_MS;
	if (type == N_TS_UNACCEPTABLE)
		k->counters.ts_unacceptable++;
	n = (unsigned)snprintf(cause, sizeof(cause), "the peer refused to %s",
			       x->kind == XCHG_AUTH ? "make the child" : xchg_kind_name(x->kind));
	if (t->n_children > 1 && n < sizeof(cause))
		n += (unsigned)snprintf(cause + n, sizeof(cause) - n, " %u of this tunnel", x->index);
	if (n < sizeof(cause))
		snprintf(cause + n, sizeof(cause) - n, ": %s; %s", payload_notify_name(type), remedy(type, t));
	notice_bad(k, sa, "%s%s", x->kind == XCHG_AUTH ? "the IKE SA is up, but " : "", cause);
	if (type == N_SINGLE_PAIR_REQUIRED && !w->single && x->kind != XCHG_CHILD_REKEY) {
		w->single = true; /* at once, and with less */
		tunnel_error(t, cause);
		return 0;
	}
	return x->kind == XCHG_CHILD_REKEY ? REFUSED_MS : tunnel_refused(k, t, x->index, cause);
}

void x_child_refused(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct payload_notify n = {.type = 0};
	uint64_t pause;

	if (!payload_notify_error(in->c, &n)) {
		step_bad_response(k, sa, x, "it neither accepts nor refuses");
		return;
	}
	if (n.type == N_TEMPORARY_FAILURE) {
		temporary(k, sa, x);
		return;
	}
	if (n.type == N_INVALID_SYNTAX) { /* RFC 7296 2.21.3: fatal in both peers */
		sa_end(k, sa, SA_END_LINGER, "the peer could not read our request (INVALID_SYNTAX)");
		return;
	}
	if (n.type == N_INVALID_KE_PAYLOAD && other_group(k, sa, x, &n))
		return;
	if (n.type == N_CHILD_SA_NOT_FOUND && x->kind == XCHG_CHILD_REKEY) {
		not_found(k, sa, x);
		return;
	}
	if (n.type == N_NO_PROPOSAL_CHOSEN)
		k->counters.no_proposal++;
	if (x->kind == XCHG_IKE_REKEY) {
		notice_bad(k, sa, "the peer refused to %s: %s; compare proposals at both ends", xchg_kind_name(x->kind),
			   payload_notify_name(n.type));
		xchg_drop(k, sa, x);
		rekey_ike_failed(k, sa, REFUSED_MS);
		return;
	}
	pause = x_child_why_refused(k, sa, x, n.type);
	if (x->kind == XCHG_CHILD_CREATE && sa->carried && child_count_alive(sa) == 0) {
		/* RFC 7296 2.8: what expired and cannot be made anew ends the IKE SA; IKE_AUTH may have better luck */
		sa_end(k, sa, SA_END_DELETE, "the peer refuses a new child in place of the one that is gone");
		return;
	}
	later(k, sa, x, pause);
}

void x_child_ignored(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	(void)in;
	if (x)
		xchg_done(k, sa, x);
}

/* ---- responder ---- */

static void send_answer(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *c = child_find_in(sa, x->child);
	struct payload_sa answer;
	struct wire_out o;

	if (!c) {
		xchg_answer_error(k, sa, x, N_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	c->redundant = x->redundant;
	xchg_begin(k, sa, x, &o);
	proposal_answer(&x->choice, c->spi_in, &answer);
	x_child_put_sa(&o, &answer);
	wire_payload(&o, IKE_PL_NONCE);
	payload_nonce_encode(&o.w, &x->nr);
	if (x->choice.dh) {
		wire_payload(&o, IKE_PL_KE);
		payload_ke_encode(&o.w, x->choice.dh->id, x->dh.public_value, x->dh.public_len);
	}
	x_child_put_ts(&o, x);
	if (x->ts.additional)
		payload_notify_add(&o, N_ADDITIONAL_TS_POSSIBLE, NULL, 0);
	offer_put_mode(&o, x);
	xchg_answer(k, sa, x, &o);
	if (sa->state != IKE_SA_DEAD)
		child_answered(k, sa, c);
}

static void install(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *c = x->spi_in && sa->state == IKE_SA_UP ? child_new(k, sa, x) : NULL;

	if (c && child_install_in(k, sa, c) == 0) {
		xchg_wait_in(x, c, send_answer);
		return;
	}
	if (c)
		child_remove(k, sa, c, "");
	xchg_answer_error(k, sa, x, N_TEMPORARY_FAILURE, NULL, 0);
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
		install(k, sa, x);
}

/* The pair that N(REKEY_SA) names by the peer's inbound SPI, and what may be done about it. */
static enum rekey_answer judge(struct ike_sa *sa, struct xchg *x, const struct ike_chain *c, uint32_t *spi)
{
	struct ike_child *old = NULL;
	struct payload_notify n;
	bool rekey = payload_notify_find(c, N_REKEY_SA, &n);

	*spi = 0;
	if (rekey) {
		*spi = (uint32_t)n.spi;
		old = n.spi_size == 4 ? child_find_out(sa, *spi) : NULL;
	}
	if (old)
		x->old_spi_in = old->spi_in;
	return rekey_child_judge(sa, old, rekey);
}

static void refuse(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t notify)
{
	uint8_t group[2] = {0};

	if (notify != N_INVALID_KE_PAYLOAD) {
		xchg_answer_error(k, sa, x, notify, NULL, 0);
		return;
	}
	group[0] = (uint8_t)(x->choice.dh->id >> 8);
	group[1] = (uint8_t)x->choice.dh->id;
	xchg_answer_error(k, sa, x, notify, group, sizeof(group));
}

static void answer_not_found(struct ike *k, struct ike_sa *sa, struct xchg *x, uint32_t spi)
{
	struct wire_out o;

	xchg_begin(k, sa, x, &o);
	payload_notify_add_esp(&o, N_CHILD_SA_NOT_FOUND, spi);
	xchg_answer(k, sa, x, &o);
}

static enum ike_verdict read_request(struct xchg *x, const struct ike_chain *c, struct payload_ke *ke)
{
	enum ike_verdict v = xchg_read_offer(c, &x->offer, &x->ni, ke);
	struct payload_notify n;

	if (v == IKE_V_OK)
		v = payload_ts_decode(wire_find(c, IKE_PL_TSI)->body, &x->tsi);
	if (v == IKE_V_OK)
		v = payload_ts_decode(wire_find(c, IKE_PL_TSR)->body, &x->tsr);
	x->transport = payload_notify_find(c, N_USE_TRANSPORT_MODE, &n);
	return v;
}

void x_child_request(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct ike_job *job;
	struct payload_ke ke;
	uint16_t refusal;
	uint32_t spi;
	enum ike_verdict v = read_request(x, in->c, &ke);

	if (v != IKE_V_OK) {
		step_bad_request(k, sa, x, v);
		return;
	}
	switch (judge(sa, x, in->c, &spi)) {
	case REKEY_TEMPORARY:
		refuse(k, sa, x, N_TEMPORARY_FAILURE);
		return;
	case REKEY_NOT_FOUND:
		answer_not_found(k, sa, x, spi);
		return;
	case REKEY_PROCEED:
		break;
	}
	refusal = x_child_negotiate(k, sa, x, ke.group, 0);
	if (!refusal && x->choice.dh && ke.len != crypto_dh_len(x->choice.dh)) {
		step_bad_request(k, sa, x, IKE_V_SYNTAX);
		return;
	}
	if (refusal) {
		refuse(k, sa, x, refusal);
		return;
	}
	xchg_nonce(k, &x->nr);
	if (!x->choice.dh) {
		install(k, sa, x);
		return;
	}
	job = xchg_job_dh(k, JOB_DH_ANSWER, x->choice.dh);
	job_set_peer(job, &ke);
	xchg_wait_job(k, sa, x, job, answered);
}

/* RFC 7296 2.25.2: this IKE SA is being replaced or closed. */
void x_child_busy(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	(void)in;
	xchg_answer_error(k, sa, x, N_TEMPORARY_FAILURE, NULL, 0);
}
