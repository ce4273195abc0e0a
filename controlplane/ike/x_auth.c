/* IKE_AUTH with pre-shared keys or certificates (RFC 7296 1.2, 2.15, 2.21.2)
 *
 *   HDR, SK {IDi, [CERT.., CERTREQ,] [IDr,] AUTH, [N(INITIAL_CONTACT),] SAi2, TSi, TSr}  -->
 *                                          <--  HDR, SK {IDr, [CERT..,] AUTH, SAr2, TSi, TSr}
 *
 * The responder learns here who the peer is, and so which tunnel this is: the tunnel says by which method both prove themselves.
 * An unknown identity, a wrong PSK or certificate and another method are answered alike and cost the same work; ours is shown
 * to nobody who has not proved the own. What goes wrong with the child alone leaves the IKE SA up.
 */
#include <stdio.h>
#include <string.h>

#include "controlplane/ike/auth_job.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/offer.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

enum { ID_TEXT = 128 };

static const char *id_text(const struct cfg_id *id, char *buf, unsigned cap)
{
	return id->type == CFG_ID_NONE ? "(none)" : cfg_id_str(id, buf, cap);
}

/* RFC 7296 2.4: the peer has no other SA of ours, if it was up before this one began. (One that came up while this one
 * was on its way is the other half of a crossing, and stays.) */
static void honour_initial_contact(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	for (struct list *e = t ? t->sas.next : NULL; e && e != &t->sas;) {
		struct ike_sa *other = list_entry(e, struct ike_sa, in_tunnel);

		if (other != sa && other->up_since_ms && other->up_since_ms < sa->created_ms &&
		    cert_id_same(&other->remote_id, &sa->remote_id)) {
			sa_end(k, other, SA_END_NOW, "the peer restarted (INITIAL_CONTACT)");
			e = t->sas.next; /* ending one may end its heir too */
		} else {
			e = e->next;
		}
	}
}

/* ---- initiator ---- */

static bool other_sa_up(const struct ike_tunnel *t)
{
	list_each (e, &t->sas)
		if (list_entry(e, struct ike_sa, in_tunnel)->state == IKE_SA_UP)
			return true;
	return false;
}

static void put_auth(struct wire_out *o, const struct xchg *x)
{
	wire_payload(o, IKE_PL_AUTH);
	payload_auth_encode(&o->w, x->auth.method, x->auth.b, x->auth.len);
}

static void send_request(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct wire_out o;

	offer_build(t, sa, x, NULL);
	if (!x->tsi.n || !x->tsr.n) {
		sa_end(k, sa, SA_END_NOW,
		       "no pair of `selectors` holds the two addresses that transport mode is to protect");
		return;
	}
	xchg_begin(k, sa, x, &o);
	wire_payload(&o, IKE_PL_IDI);
	payload_id_encode(&o.w, &x->id_i);
	if (t->creds) {
		struct cert_names names = {.n = 0};

		cert_creds_put(t->creds, &o);
		cert_creds_names(t->creds, &names);
		cert_names_put(&names, &o);
	}
	if (x->has_id_r) {
		wire_payload(&o, IKE_PL_IDR);
		payload_id_encode(&o.w, &x->id_r);
	}
	put_auth(&o, x);
	if (!other_sa_up(t))
		payload_notify_add(&o, N_INITIAL_CONTACT, NULL, 0);
	/* RFC 7296 1.2: no DH in the child of this exchange */
	proposal_build(t->cfg->esp.proposal, t->cfg->esp.n_proposals, IKE_PROTO_ESP, x->spi_in, 4,
		       PROPOSAL_NO_DH | offer_flags(t->cfg), &x->offer);
	x_child_put_sa(&o, &x->offer);
	x_child_put_ts(&o, x);
	offer_put_mode(&o, x);
	xchg_request(k, sa, x, &o);
}

static void signed_(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;
	char why[NOTICE_MAX];

	snprintf(why, sizeof(why), "%s", x->job->auth.why);
	x->auth = x->job->auth.made;
	xchg_job_free(x);
	if (err < 0 || !tunnel_find(k, sa->tunnel)) {
		sa_end(k, sa, SA_END_NOW, why[0] ? why : "AUTH could not be computed (internal error)");
		return;
	}
	send_request(k, sa, x);
}

/* Is there something to prove ourselves with? Else the SA ends. */
static bool able(struct ike *k, struct ike_sa *sa, const struct ike_tunnel *t)
{
	char why[NOTICE_MAX];

	if (!t || (!t->cfg->psk && !t->creds))
		snprintf(why, sizeof(why),
			 "the tunnel has neither PSK nor certificate: set auth.psk-file, or auth.cert, key and ca");
	else if (!t->creds || !cert_creds_valid(t->creds, k->env.wall_s(k->env.ctx), why, sizeof(why)))
		return true;
	sa_end(k, sa, SA_END_NOW, why);
	return false;
}

void x_auth_start(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct xchg *x;

	if (!able(k, sa, t))
		return;
	x = sa->x_out = xchg_new(XCHG_AUTH, true, IKE_X_AUTH, sa->mid.out.next);
	if (k->env.spi_alloc(k->env.ctx, sa->tunnel, &x->spi_in) < 0) {
		x->spi_in = 0;
		sa_end(k, sa, SA_END_NOW,
		       "the data plane has no SPI for a child: is it running, is its SA table full?");
		return;
	}
	for (unsigned i = 0; i < t->n_children; i++) /* the first that is wanted; the others follow */
		if (tunnel_wants(t, (uint8_t)i)) {
			x->index = (uint8_t)i;
			break;
		}
	x->ni = sa->birth->ni;
	x->nr = sa->birth->nr;
	tunnel_local_id(t, &sa->path, &x->id_i);
	tunnel_remote_id(t, &sa->path, &x->id_r);
	x->has_id_r = t->cfg->remote.id.type != CFG_ID_NONE;
	sa->local_id = x->id_i;
	xchg_wait_job(k, sa, x, auth_job_new(k, sa, t, &x->id_i, true), signed_);
}

/* The child of an authenticated answer: made, or the reason why not is told and it is asked for again later. */
static void take_child(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *c = x->child_verdict == IKE_V_OK ? child_new(k, sa, x) : NULL;
	bool broken = x->child_verdict != IKE_V_OK && !x->child_refused;
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	xchg_done(k, sa, x);
	if (broken) {
		sa_end(k, sa, SA_END_DELETE, "the peer's choice for the child does not fit our offer");
		return;
	}
	if (c && !x_child_wrong_mode(k, sa, c))
		child_start(k, sa, c);
	if (t)
		tunnel_ask(k, t, sa, k->now_ms); /* the tunnel's others, and one that was refused after a pause */
}

static void verified(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int bad = x->job->auth.verified;
	char cause[NOTICE_MAX], id[ID_TEXT];

	if (bad) {
		k->counters.auth_failed++;
		snprintf(cause, sizeof(cause), "the peer %s could not prove its identity: %s",
			 id_text(&x->id_r, id, sizeof(id)), x->job->auth.why);
		xchg_job_free(x);
		notice_bad(k, sa, "%s", cause);
		sa_end(k, sa, SA_END_REFUSE, cause);
		return;
	}
	xchg_job_free(x);
	sa->remote_id = x->id_r;
	take_child(k, sa, x);
}

static void read_child(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct payload_notify n = {.type = 0};

	if (in->c->seen & IKE_PL_BIT(IKE_PL_SA)) {
		x->child_verdict = x_child_verify(k, sa, x, in->c);
		return;
	}
	x->child_verdict = IKE_V_NO_PROPOSAL;
	x->child_refused = true;
	payload_notify_error(in->c, &n);
	x_child_why_refused(k, sa, x, n.type);
}

void x_auth_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct rd id_body_rd = wire_find(in->c, IKE_PL_IDR)->body;
	char got[ID_TEXT], wanted[ID_TEXT];
	struct payload_auth auth;
	struct ike_job *job;
	struct cfg_id id;

	if (!t || payload_id_decode(id_body_rd, &id) != IKE_V_OK ||
	    payload_auth_decode(wire_find(in->c, IKE_PL_AUTH)->body, &auth) != IKE_V_OK) {
		sa_end(k, sa, SA_END_REFUSE, "the peer's IKE_AUTH response is malformed: its IKE software has a fault");
		return;
	}
	if (x->id_r.type != CFG_ID_NONE && !cert_id_same(&id, &x->id_r)) {
		char cause[NOTICE_MAX];

		k->counters.auth_failed++;
		snprintf(cause, sizeof(cause),
			 "the peer says it is %s, but remote.id of this tunnel is %s: correct one",
			 id_text(&id, got, sizeof(got)), id_text(&x->id_r, wanted, sizeof(wanted)));
		notice_bad(k, sa, "%s", cause);
		sa_end(k, sa, SA_END_REFUSE, cause);
		return;
	}
	x->id_r = id;
	read_child(k, sa, x, in);
	job = auth_job_new(k, sa, t, &x->id_i, false);
	auth_job_verify(k, job, sa, &id, id_body_rd, &auth, in->c);
	xchg_wait_job(k, sa, x, job, verified);
}

/* RFC 7296 2.21.2: enciphered, but whoever says so has not proved who it is; the attempt ends, the next one comes. */
void x_auth_refused(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	const struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	char cause[NOTICE_MAX], id[ID_TEXT];
	struct payload_notify n = {.type = 0};

	payload_notify_error(in->c, &n);
	snprintf(cause, sizeof(cause), "the peer answered IKE_AUTH with %s (%u)%s%s%s", payload_notify_name(n.type),
		 n.type,
		 n.type != N_AUTHENTICATION_FAILED ? ""
		 : t && t->creds ? ": see its log; whether it believes our certificate's authority, and knows us as "
				 : ": compare auth.psk at both ends, and whether it knows us as ",
		 n.type == N_AUTHENTICATION_FAILED ? id_text(&x->id_i, id, sizeof(id)) : "",
		 n.type == N_AUTHENTICATION_FAILED ? "" : ": see its log");
	sa_end(k, sa, SA_END_NOW, cause);
}

/* ---- responder ---- */

static void put_child(struct wire_out *o, struct xchg *x, const struct ike_child *c)
{
	struct payload_sa answer;

	proposal_answer(&x->choice, c->spi_in, &answer);
	x_child_put_sa(o, &answer);
	x_child_put_ts(o, x);
	if (x->ts.additional)
		payload_notify_add(o, N_ADDITIONAL_TS_POSSIBLE, NULL, 0);
	offer_put_mode(o, x);
}

/* The last turn: the child is in, or there is none and `refusal` says why. */
static void send_answer(struct ike *k, struct ike_sa *sa, struct xchg *x, struct ike_child *c, uint16_t refusal)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	bool initial_contact = x->initial_contact;
	struct wire_out o;

	xchg_begin(k, sa, x, &o);
	wire_payload(&o, IKE_PL_IDR);
	payload_id_encode(&o.w, &x->id_r);
	if (t && t->creds)
		cert_creds_put(t->creds, &o);
	put_auth(&o, x);
	if (c)
		put_child(&o, x, c);
	else
		payload_notify_add(&o, refusal, NULL, 0);
	xchg_answer(k, sa, x, &o);
	if (sa->state == IKE_SA_DEAD)
		return;
	if (c)
		child_answered(k, sa, c);
	if (initial_contact)
		honour_initial_contact(k, sa);
	if (c && t)
		tunnel_ask(k, t, sa, k->now_ms + ike_jitter(k, LEAVE_MS, 100, 200));
}

static void installed(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	send_answer(k, sa, x, child_find_in(sa, x->child), N_TEMPORARY_FAILURE);
}

static void make_child(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	uint16_t refusal = x_child_negotiate(k, sa, x, 0, PROPOSAL_NO_DH);
	struct ike_child *c = refusal ? NULL : child_new(k, sa, x);

	if (c && child_install_in(k, sa, c) == 0) {
		xchg_wait_in(x, c, installed);
		return;
	}
	if (c)
		child_remove(k, sa, c, "");
	send_answer(k, sa, x, NULL, refusal ? refusal : N_TEMPORARY_FAILURE);
}

/* RFC 7296 2.21.2. One answer for all causes; what it was is told to our own people only. */
static void fail(struct ike *k, struct ike_sa *sa, struct xchg *x, const char *why)
{
	char id[ID_TEXT];

	k->counters.auth_failed++;
	notice_stranger(k, x->tunnel, &sa->path, sa->spi_i, sa->spi_r, "peer %s is refused: %s",
			id_text(&x->id_i, id, sizeof(id)), why);
	xchg_answer_error(k, sa, x, N_AUTHENTICATION_FAILED, NULL, 0);
	sa_end(k, sa, SA_END_LINGER, "");
}

/* The peer has proved itself, or not, and we can or cannot: NULL, or why it is refused. */
static const char *refusal(struct ike *k, const struct ike_tunnel *t, const struct ike_job *job, char *why, size_t cap)
{
	if (!t)
		return "no tunnel for this address has this remote.id (and local.id); add one, or correct the ID at "
		       "one end";
	if (!job->auth.verified && !job->err &&
	    (!t->creds || !cert_creds_valid(t->creds, k->env.wall_s(k->env.ctx), why, cap)))
		return NULL;
	if (job->auth.verified || job->err)
		snprintf(why, cap, "%s",
			 job->auth.why[0] ? job->auth.why : "AUTH could not be computed (internal error)");
	return why;
}

static void checked(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_tunnel *t = tunnel_find(k, x->tunnel);
	char text[NOTICE_MAX];
	const char *why = refusal(k, t, x->job, text, sizeof(text));

	x->auth = x->job->auth.made;
	xchg_job_free(x);
	if (why) {
		fail(k, sa, x, why);
		return;
	}
	sa_set_tunnel(k, sa, x->tunnel);
	sa->remote_id = x->id_i;
	sa->local_id = x->id_r;
	sa->path = x->path;
	t->by_hand = false; /* DOWN lasts until the peer starts it */
	make_child(k, sa, x);
}

/* What of the request outlives the datagram. */
static enum ike_verdict read_request(struct xchg *x, const struct ike_chain *c, struct payload_auth *auth)
{
	const struct ike_payload *idr = wire_find(c, IKE_PL_IDR);
	struct payload_notify n;
	enum ike_verdict v = payload_id_decode(wire_find(c, IKE_PL_IDI)->body, &x->id_i);

	if (v == IKE_V_TOO_LONG)
		v = IKE_V_OK; /* an identity that no tunnel can have: type NONE */
	if (v == IKE_V_OK)
		v = payload_auth_decode(wire_find(c, IKE_PL_AUTH)->body, auth);
	if (v == IKE_V_OK && idr) {
		x->has_id_r = payload_id_decode(idr->body, &x->id_r) == IKE_V_OK;
		if (!x->has_id_r)
			x->id_r = (struct cfg_id){.type = CFG_ID_NONE};
	}
	if (v == IKE_V_OK)
		v = payload_sa_decode(wire_find(c, IKE_PL_SA)->body, &x->offer);
	if (v == IKE_V_OK)
		v = payload_ts_decode(wire_find(c, IKE_PL_TSI)->body, &x->tsi);
	if (v == IKE_V_OK)
		v = payload_ts_decode(wire_find(c, IKE_PL_TSR)->body, &x->tsr);
	x->initial_contact = payload_notify_find(c, N_INITIAL_CONTACT, &n);
	x->transport = payload_notify_find(c, N_USE_TRANSPORT_MODE, &n);
	return v;
}

void x_auth_request(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct payload_auth auth;
	struct ike_tunnel *t;
	struct ike_job *job;
	enum ike_verdict v = read_request(x, in->c, &auth);

	if (v != IKE_V_OK) {
		step_bad_request(k, sa, x, v);
		return;
	}
	t = tunnel_match(k, sa, &x->id_i, x->has_id_r ? &x->id_r : NULL);
	x->tunnel = t ? t->index : IKE_NO_TUNNEL;
	x->ni = sa->birth->ni;
	x->nr = sa->birth->nr;
	if (t)
		tunnel_local_id(t, in->path, &x->id_r);
	job = auth_job_new(k, sa, t, &x->id_r, true);
	auth_job_verify(k, job, sa, &x->id_i, wire_find(in->c, IKE_PL_IDI)->body, &auth, in->c);
	xchg_wait_job(k, sa, x, job, checked);
}

/* RFC 7296 2.16: a request without AUTH asks for EAP. */
void x_auth_eap(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	(void)in;
	x->tunnel = IKE_NO_TUNNEL;
	fail(k, sa, x, "it asks for EAP, which this gateway does not do: set it to a pre-shared key or a certificate");
}
