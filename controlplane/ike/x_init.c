/* IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.7, 2.21.1, 2.23)
 *
 *   HDR, [N(COOKIE),] SAi1, KEi, Ni, [N(NAT_DETECTION_*)]  -->
 *                                  <--  HDR, SAr1, KEr, Nr, [N(NAT_DETECTION_*)]
 *
 * Nothing here is authenticated. A responder keeps no state before a cookie came back when many are half open, and a
 * bounded number of half-open SAs for a bounded time; an initiator follows COOKIE and INVALID_KE_PAYLOAD so often and
 * no more, remembers what other errors said, and goes on trying until its time is up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/rekey.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

/* An initiator says its request again a few times; our answer may be longer, and its source be forged. */
enum { REPEATS_MAX = 16 };

static void keep(uint8_t **to, size_t *to_len, const uint8_t *msg, size_t len)
{
	free(*to);
	*to = xcalloc(1, len);
	memcpy(*to, msg, len);
	*to_len = len;
}

/* ---- responder ---- */

/* One notify in clear, to where the request came from. Nothing is kept. RFC 7296 2.6, 2.21.4. Who forges a source gets no more
 * octets sent there than he sends. */
static void reply_notify(struct ike *k, const struct ike_path *path, const struct ike_hdr *req, uint16_t type,
			 const void *data, size_t len)
{
	struct ike_hdr h = {
		.spi_i = req->spi_i, .exchange = req->exchange, .flags = IKE_FLAG_RESPONSE, .mid = req->mid};
	struct wire_out o;
	size_t n;

	wire_msg_begin(&o, k->out, sizeof(k->out), &h);
	payload_notify_add(&o, type, data, len);
	n = wire_msg_end(&o);
	if (n == 0 || n > req->len)
		return;
	k->counters.tx++;
	k->env.send(k->env.ctx, path, k->out, n);
}

static void reply_error(struct ike *k, const struct ike_path *path, const struct ike_hdr *req, uint16_t type,
			const void *data, size_t len)
{
	if (ike_bucket_take(&k->replies, UNPROTECTED_PER_S, k->now_ms))
		reply_notify(k, path, req, type, data, len);
}

/* RFC 7296 2.6: with many half-open SAs, an initiator must show that it hears us. */
static bool cookie_ok(struct ike *k, const struct ike_path *path, const struct ike_msg *m, const struct ike_nonce *ni)
{
	uint8_t fresh[COOKIE_SECRET_LEN], cookie[COOKIE_LEN];
	struct payload_notify n;

	if (k->n_half_open < k->limits.cookie_at)
		return true;
	if (cookie_due(&k->cookies, k->now_ms)) {
		k->env.random(k->env.ctx, fresh, sizeof(fresh));
		cookie_rotate(&k->cookies, fresh, k->now_ms);
		secret_wipe(fresh, sizeof(fresh));
	}
	if (payload_notify_find(&m->clear, N_COOKIE, &n) &&
	    cookie_check(&k->cookies, ni, &path->remote, m->hdr.spi_i, n.data, n.len))
		return true;
	if (cookie_make(&k->cookies, ni, &path->remote, m->hdr.spi_i, cookie) == 0) {
		k->counters.cookies_sent++;
		reply_notify(k, path, &m->hdr, N_COOKIE, cookie, sizeof(cookie));
	}
	return false;
}

static void repeated(struct ike *k, struct ike_sa *sa, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	enum msgid_verdict v = msgid_in_judge(&sa->mid, 0, msgid_print(msg, len));

	if (v == MSGID_REPEAT && sa->birth && sa->birth->repeats++ < REPEATS_MAX) {
		k->counters.duplicates++;
		k->counters.tx++;
		k->env.send(k->env.ctx, path, sa->mid.in.response, sa->mid.in.response_len);
	} else if (v == MSGID_BUSY || v == MSGID_REPEAT) {
		k->counters.duplicates++;
	} else {
		k->counters.ignored++;
	}
}

/* Room for one more responder's SA; NULL: there is none, and that is counted. */
static struct ike_sa *half_open(struct ike *k, const struct ike_path *path, const struct ike_hdr *h)
{
	struct ike_sa *sa = NULL;

	if (k->n_half_open < k->limits.half_open)
		sa = sa_new(k, false, 0, h->spi_i, path);
	if (!sa) {
		k->counters.half_open_refused++;
		return NULL;
	}
	list_add_tail(&k->half, &sa->half);
	k->n_half_open++;
	sa->birth = xcalloc(1, sizeof(*sa->birth));
	sa->die_at_ms = k->now_ms + k->limits.half_open_ms;
	return sa;
}

void x_init_request(struct ike *k, const struct ike_path *path, const uint8_t *msg, size_t len, const struct ike_hdr *h)
{
	struct ike_sa *sa = sa_find_half(k, h->spi_i, path);
	const struct step *row;
	struct ike_nonce ni;
	enum ike_verdict v;
	struct ike_msg m;

	if (sa) {
		repeated(k, sa, path, msg, len);
		return;
	}
	v = wire_parse(msg, len, &m);
	if (v == IKE_V_CRITICAL) { /* RFC 7296 2.5: the one flaw that a stranger is told of */
		k->counters.malformed++;
		reply_error(k, path, h, N_UNSUPPORTED_CRITICAL_PAYLOAD, &m.clear.critical_type, 1);
		return;
	}
	if (v != IKE_V_OK || !(row = step_find(IKE_SA_INIT, false, &m.hdr, &m.clear, NULL)) ||
	    payload_nonce_decode(wire_find(&m.clear, IKE_PL_NONCE)->body, &ni) != IKE_V_OK) {
		k->counters.malformed++;
		notice_stranger(k, IKE_NO_TUNNEL, path, h->spi_i, 0,
				"malformed IKE_SA_INIT request: ignored; the sender is no IKEv2 peer, or has a fault");
		return;
	}
	if (k->stopping || !cookie_ok(k, path, &m, &ni))
		return;
	sa = half_open(k, path, h);
	if (!sa)
		return;
	msgid_in_take(&sa->mid, msgid_print(msg, len));
	sa->x_in = xchg_new(XCHG_ANSWER, false, IKE_X_SA_INIT, 0);
	sa->x_in->path = *path;
	sa->x_in->to = row->to;
	row->run(k, sa, sa->x_in, &(struct step_msg){.m = &m, .c = &m.clear, .path = path});
	step_settle(k, sa);
}

/* The suite, from what the peer's address allows; an error is answered, and the SA is no more. */
static bool choose(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in, struct payload_ke *ke)
{
	struct ike_tunnel *t = NULL;
	char why[NOTICE_MAX] = "no tunnel of ours has this peer's address, and none has `remote: any`";
	uint8_t group[2];
	enum ike_verdict v = xchg_read_offer(in->c, &x->offer, &x->ni, ke);

	if (v == IKE_V_OK)
		v = tunnel_choose(k, in->path, &x->offer, ke->group, &x->choice, &t);
	/* 3.3.1: here the SPI is the header's; 3.4: a KE is as long as its group's values */
	if (v == IKE_V_OK && (x->choice.spi_size != 0 || ke->len != crypto_dh_len(x->choice.dh)))
		v = IKE_V_SYNTAX;
	if (v == IKE_V_OK) {
		sa->force_encap = t->cfg->encap == CFG_ENCAP_FORCE;
		sa->natt.supported = t->cfg->encap != CFG_ENCAP_NEVER;
		sa_frag_from(sa, t->cfg);
		return true;
	}
	if (v == IKE_V_INVALID_KE) { /* RFC 7296 1.3: name the group */
		group[0] = (uint8_t)(x->choice.dh->id >> 8);
		group[1] = (uint8_t)x->choice.dh->id;
		reply_error(k, in->path, &in->m->hdr, N_INVALID_KE_PAYLOAD, group, sizeof(group));
	} else if (v == IKE_V_NO_PROPOSAL) {
		k->counters.no_proposal++;
		if (t)
			proposal_explain(t->cfg->ike.proposal, t->cfg->ike.n_proposals, IKE_PROTO_IKE, &x->offer, 0,
					 why, sizeof(why));
		notice_stranger(k, t ? t->index : IKE_NO_TUNNEL, in->path, sa->spi_i, 0, "IKE_SA_INIT refused: %s",
				why);
		reply_error(k, in->path, &in->m->hdr, N_NO_PROPOSAL_CHOSEN, NULL, 0);
	} else {
		k->counters.malformed++;
		notice_stranger(k, IKE_NO_TUNNEL, in->path, sa->spi_i, 0, "IKE_SA_INIT request is %s: ignored",
				ike_verdict_name(v));
	}
	sa_end(k, sa, SA_END_NOW, "");
	return false;
}

/* RFC 7427 4: the hashes that we verify with. */
static void put_hashes(struct wire_out *o, struct sa_birth *b)
{
	uint8_t list[16];
	struct wr w = wr_of(list, sizeof(list));

	b->hashes_ours = AUTH_HASHES_OURS;
	auth_sig_hashes_encode(&w, b->hashes_ours);
	payload_notify_add(o, N_SIGNATURE_HASH_ALGORITHMS, list, w.len);
}

static void take_hashes(const struct ike_chain *c, struct sa_birth *b)
{
	struct payload_notify n;

	b->hashes_peer =
		payload_notify_find(c, N_SIGNATURE_HASH_ALGORITHMS, &n) ? auth_sig_hashes_decode(n.data, n.len) : 0;
}

/* Whoever the peer is, it may have to prove itself by a certificate: RFC 7296 1.2, 3.7. */
static void put_certreq(struct ike *k, struct wire_out *o, struct sa_birth *b, const struct ike_path *path)
{
	struct cert_names names;

	tunnel_certreq(k, path, &names);
	if (!names.n)
		return;
	cert_names_put(&names, o);
	put_hashes(o, b);
}

static void send_answer(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_hdr h = {.spi_i = sa->spi_i,
			    .spi_r = sa->spi_r,
			    .exchange = IKE_X_SA_INIT,
			    .flags = IKE_FLAG_RESPONSE,
			    .mid = 0};
	struct payload_sa answer;
	struct ike_path path = x->path;
	struct wire_out o;
	size_t len;

	wire_msg_begin(&o, k->out, sizeof(k->out), &h);
	proposal_answer(&x->choice, 0, &answer);
	wire_payload(&o, IKE_PL_SA);
	payload_sa_encode(&o.w, &answer);
	wire_payload(&o, IKE_PL_KE);
	payload_ke_encode(&o.w, x->choice.dh->id, x->dh.public_value, x->dh.public_len);
	wire_payload(&o, IKE_PL_NONCE);
	payload_nonce_encode(&o.w, &x->nr);
	if (sa->natt.supported && natt_add(&o, sa->spi_i, sa->spi_r, &path, sa->force_encap) < 0)
		sa->natt.supported = false;
	if (sa->frag.on) /* RFC 7383 2.3 */
		payload_notify_add(&o, N_FRAGMENTATION_SUPPORTED, NULL, 0);
	put_certreq(k, &o, sa->birth, &path);
	len = wire_msg_end(&o);
	if (len == 0) {
		sa_end(k, sa, SA_END_NOW, "");
		return;
	}
	keep(&sa->birth->msg_r, &sa->birth->len_r, k->out, len);
	msgid_in_answer(&sa->mid, k->out, len);
	k->counters.tx++;
	k->env.send(k->env.ctx, &path, k->out, len);
	xchg_done(k, sa, x);
}

static bool derive(struct ike_sa *sa, struct xchg *x)
{
	struct keymat_input in = {
		.prf = x->choice.prf,
		.encr = x->choice.encr,
		.integ = x->choice.integ,
		.shared = &x->shared,
		.ni = &x->ni,
		.nr = &x->nr,
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
	};

	if (keymat_ike(&in, &sa->keys) < 0)
		return false;
	sa_set_suite(sa, &x->choice);
	sa->birth->ni = x->ni;
	sa->birth->nr = x->nr;
	return true;
}

static void answered(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->dh = x->job->dh;
	x->shared = x->job->shared;
	xchg_job_free(x);
	if (err == 0 && derive(sa, x)) {
		send_answer(k, sa, x);
		return;
	}
	k->counters.malformed++;
	notice_bad(k, sa, "IKE_SA_INIT refused: the peer's Diffie-Hellman value is no element of its group");
	sa_end(k, sa, SA_END_NOW, "");
}

void x_init_accept(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct payload_notify n;
	struct ike_job *job;
	struct payload_ke ke;

	if (!choose(k, sa, x, in, &ke))
		return;
	sa->frag.on = sa->frag.on && payload_notify_find(in->c, N_FRAGMENTATION_SUPPORTED, &n);
	/* a peer that hears nothing of NAT detection must not encapsulate: RFC 7296 2.23 */
	if (!sa->natt.supported || natt_look(in->c, sa->spi_i, 0, in->path, &sa->natt) < 0)
		sa->natt = (struct natt_seen){.supported = false};
	keep(&sa->birth->msg_i, &sa->birth->len_i, in->m->raw, in->m->len);
	take_hashes(in->c, sa->birth);
	xchg_nonce(k, &x->nr);
	job = xchg_job_dh(k, JOB_DH_ANSWER, x->choice.dh);
	job_set_peer(job, &ke);
	xchg_wait_job(k, sa, x, job, answered);
}

/* ---- initiator ---- */

static void send_request(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_hdr h = {.spi_i = sa->spi_i, .exchange = IKE_X_SA_INIT, .flags = IKE_FLAG_INITIATOR, .mid = 0};
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct sa_birth *b = sa->birth;
	struct wire_out o;
	size_t len;

	wire_msg_begin(&o, k->out, sizeof(k->out), &h);
	if (b->cookie_len) /* RFC 7296 2.6: first payload, all others unchanged */
		payload_notify_add(&o, N_COOKIE, b->cookie, b->cookie_len);
	proposal_build(t->cfg->ike.proposal, t->cfg->ike.n_proposals, IKE_PROTO_IKE, 0, 0, 0, &x->offer);
	wire_payload(&o, IKE_PL_SA);
	payload_sa_encode(&o.w, &x->offer);
	wire_payload(&o, IKE_PL_KE);
	payload_ke_encode(&o.w, x->group->id, x->dh.public_value, x->dh.public_len);
	wire_payload(&o, IKE_PL_NONCE);
	payload_nonce_encode(&o.w, &x->ni);
	if (t->cfg->encap != CFG_ENCAP_NEVER && natt_add(&o, sa->spi_i, 0, &sa->path, sa->force_encap) < 0)
		notice_bad(k, sa, "NAT detection is left out: SHA-1 failed");
	sa_frag_from(sa, t->cfg);
	if (sa->frag.on)
		payload_notify_add(&o, N_FRAGMENTATION_SUPPORTED, NULL, 0);
	if (t->creds)
		put_hashes(&o, b);
	len = wire_msg_end(&o);
	if (len == 0) {
		sa_end(k, sa, SA_END_NOW, "IKE_SA_INIT does not fit: too many proposals");
		return;
	}
	keep(&b->msg_i, &b->len_i, k->out, len);
	msgid_out_sent(&sa->mid, k->out, len, k->limits.retransmit_ms, k->now_ms);
	k->counters.tx++;
	sa->sent_ms = k->now_ms;
	k->env.send(k->env.ctx, &sa->path, k->out, len);
}

static void made(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->dh = x->job->dh;
	xchg_job_free(x);
	if (err < 0 || !tunnel_find(k, sa->tunnel)) {
		sa_end(k, sa, SA_END_NOW, "the Diffie-Hellman value could not be made (internal error)");
		return;
	}
	send_request(k, sa, x);
}

struct ike_sa *x_init_start(struct ike *k, uint32_t tunnel, const struct ike_path *path)
{
	struct ike_tunnel *t = tunnel_find(k, tunnel);
	const struct alg *group = proposal_first_group(t->cfg->ike.proposal, t->cfg->ike.n_proposals);
	struct ike_sa *sa = group ? sa_new(k, true, 0, 0, path) : NULL;
	struct xchg *x;

	if (!sa)
		return NULL;
	sa_set_tunnel(k, sa, tunnel);
	sa->force_encap = t->cfg->encap == CFG_ENCAP_FORCE;
	sa->birth = xcalloc(1, sizeof(*sa->birth));
	x = sa->x_out = xchg_new(XCHG_INIT, true, IKE_X_SA_INIT, 0);
	x->group = group;
	xchg_nonce(k, &x->ni);
	xchg_wait_job(k, sa, x, xchg_job_dh(k, JOB_DH_MAKE, group), made);
	return sa;
}

/* RFC 7296 2.23: behind a NAT, or told to act so, all goes to port 4500 from the next message on. */
static void float_ports(struct ike_sa *sa)
{
	if (!sa->natt.supported || !(sa->natt.nat_local || sa->natt.nat_remote || sa->force_encap))
		return;
	sa->path.local_port = sa->path.remote_port = 4500;
	sa->path.encap = true;
}

static void shared(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	int err = x->job->err;

	x->shared = x->job->shared;
	xchg_job_free(x);
	sa->spi_r = x->peer_spi;
	if (err < 0 || !derive(sa, x)) {
		/* forged or faulty: wait on for a better one */
		sa->spi_r = 0;
		k->counters.malformed++;
		snprintf(sa->birth->refusal, sizeof(sa->birth->refusal),
			 "the peer's Diffie-Hellman value is no element of its group: its IKE software has a fault");
		return;
	}
	msgid_out_done(&sa->mid);
	float_ports(sa);
	xchg_done(k, sa, x);
	x_auth_start(k, sa);
}

void x_init_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct payload_notify n;
	struct payload_sa answer;
	struct payload_ke ke;
	enum ike_verdict v = xchg_read_offer(in->c, &answer, &x->nr, &ke);

	if (v == IKE_V_OK)
		v = proposal_verify(&x->offer, &answer, &x->choice);
	if (v == IKE_V_OK && (x->choice.dh != x->group || ke.group != x->group->id || !in->m->hdr.spi_r))
		v = IKE_V_SYNTAX;
	if (v != IKE_V_OK) {
		k->counters.malformed++;
		snprintf(sa->birth->refusal, sizeof(sa->birth->refusal),
			 "the peer's IKE_SA_INIT response does not fit our request (%s): its IKE software has a fault",
			 ike_verdict_name(v));
		return;
	}
	if (!t || t->cfg->encap == CFG_ENCAP_NEVER ||
	    natt_look(in->c, in->m->hdr.spi_i, in->m->hdr.spi_r, in->path, &sa->natt) < 0)
		sa->natt = (struct natt_seen){.supported = false};
	sa->frag.on = t && !t->cfg->ike.no_fragmentation && payload_notify_find(in->c, N_FRAGMENTATION_SUPPORTED, &n);
	x->peer_spi = in->m->hdr.spi_r;
	take_hashes(in->c, sa->birth);
	keep(&sa->birth->msg_r, &sa->birth->len_r, in->m->raw, in->m->len);
	xchg_wait_job(k, sa, x, xchg_job_shared(x, &ke), shared);
}

/* One more correction of our request? RFC 7296 2.6.1, and a bound. */
static bool correct(struct ike_sa *sa)
{
	if (sa->birth->corrections >= CORRECTIONS_MAX) {
		snprintf(sa->birth->refusal, sizeof(sa->birth->refusal),
			 "the peer answered COOKIE or INVALID_KE_PAYLOAD %u times: it does not hold to its own word",
			 sa->birth->corrections);
		return false;
	}
	sa->birth->corrections++;
	return true;
}

static void take_cookie(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct payload_notify *n)
{
	struct sa_birth *b = sa->birth;

	if (n->len < 1 || n->len > COOKIE_MAX || (n->len == b->cookie_len && !memcmp(b->cookie, n->data, n->len))) {
		k->counters.ignored++; /* no cookie, or an echo of one that we gave already */
		return;
	}
	if (!correct(sa))
		return;
	memcpy(b->cookie, n->data, n->len);
	b->cookie_len = (uint8_t)n->len;
	msgid_out_cancel(&sa->mid);
	send_request(k, sa, x);
}

/* RFC 7296 1.3, 2.7: the whole offer again, with a KE of the group that was named, if it is one of ours. */
static void take_group(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct payload_notify *n)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	uint16_t id = (uint16_t)(n->len == 2 ? (uint32_t)n->data[0] << 8 | n->data[1] : 0);
	const struct alg *group = proposal_group(t->cfg->ike.proposal, t->cfg->ike.n_proposals, id);

	if (group == x->group) {
		k->counters.ignored++; /* an echo */
		return;
	}
	if (!group) {
		snprintf(sa->birth->refusal, sizeof(sa->birth->refusal),
			 "the peer wants DH group %u, which `ike: proposals` of this tunnel does not have: add it here "
			 "or give the peer one of ours",
			 id);
		return;
	}
	if (!correct(sa))
		return;
	msgid_out_cancel(&sa->mid);
	crypto_dh_fini(&x->dh);
	x->group = group;
	xchg_wait_job(k, sa, x, xchg_job_dh(k, JOB_DH_MAKE, group), made);
}

void x_init_notify(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	char addr[IP_STR];
	struct payload_notify n;

	if (!t)
		return;
	if (payload_notify_find(in->c, N_COOKIE, &n)) {
		take_cookie(k, sa, x, &n);
		return;
	}
	if (payload_notify_find(in->c, N_INVALID_KE_PAYLOAD, &n)) {
		take_group(k, sa, x, &n);
		return;
	}
	if (!payload_notify_error(in->c, &n)) {
		k->counters.ignored++;
		return;
	}
	/* RFC 7296 2.21.1: unauthenticated, so go on trying; if nothing better comes, this was the reason */
	if (n.type == N_NO_PROPOSAL_CHOSEN)
		k->counters.no_proposal++;
	snprintf(sa->birth->refusal, sizeof(sa->birth->refusal), "%s answered IKE_SA_INIT with %s (%u)%s",
		 ip_str(&in->path->remote, addr), payload_notify_name(n.type), n.type,
		 n.type == N_NO_PROPOSAL_CHOSEN ? ": compare `ike: proposals` and the addresses at both ends" : "");
	snprintf(t->last_error, sizeof(t->last_error), "%s", sa->birth->refusal);
}
