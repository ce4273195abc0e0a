#include "controlplane/ike/step.h"

#include <string.h>

#include "controlplane/ike/frag.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/payload.h"
#include "controlplane/ike/rekey.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/weak.h"
#include "controlplane/ike/xchg.h"

XLIST_NAME(ike_sa_state_name, IKE_SA_STATE_N, IKE_SA_STATES)
XLIST_NAME(ike_child_state_name, IKE_CHILD_STATE_N, IKE_CHILD_STATES)

#define B(type)   IKE_PL_BIT(IKE_PL_##type)
#define IN(state) (1u << IKE_SA_##state)

/* What may come with anything and changes nothing, or is found by its notify type. */
#define EXTRA (B(NOTIFY) | B(VENDOR))
#define CERTS (B(CERT) | B(CERTREQ))
/* A known payload that has no business in an exchange but is not critical either is ignored (RFC 7296 2.5). */
#define ANY 0x0000ffffu

static const struct step rows[] = {
	/* RFC 7296 1.2: HDR, SAi1, KEi, Ni --> */
	{"accept", IN(INIT), STEP_RESPONDER, IKE_X_SA_INIT, true, B(SA) | B(KE) | B(NONCE), EXTRA | B(CERTREQ), 0, 0,
	 x_init_accept, IKE_SA_AUTH},
	/* <-- HDR, SAr1, KEr, Nr, [CERTREQ] */
	{"accepted", IN(INIT), STEP_INITIATOR, IKE_X_SA_INIT, false, B(SA) | B(KE) | B(NONCE), EXTRA | B(CERTREQ), 0, 0,
	 x_init_response, IKE_SA_AUTH},
	/* <-- HDR, N(COOKIE), N(INVALID_KE_PAYLOAD), an error: 2.6, 1.3, 2.21.1 */
	{"init-notify", IN(INIT), STEP_INITIATOR, IKE_X_SA_INIT, false, B(NOTIFY), B(VENDOR), 0, 0, x_init_notify,
	 IKE_SA_STATE_N},

	/* HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, SAi2, TSi, TSr} --> */
	{"auth", IN(AUTH), STEP_RESPONDER, IKE_X_AUTH, true, B(SK), EXTRA, B(IDI) | B(AUTH) | B(SA) | B(TSI) | B(TSR),
	 B(IDR) | EXTRA | CERTS | B(CP), x_auth_request, IKE_SA_UP},
	/* 2.16: no AUTH asks for EAP, which we do not do */
	{"auth-eap", IN(AUTH), STEP_RESPONDER, IKE_X_AUTH, true, B(SK), EXTRA, B(IDI) | B(SA) | B(TSI) | B(TSR),
	 B(IDR) | EXTRA | CERTS | B(CP), x_auth_eap, IKE_SA_STATE_N},
	/* <-- HDR, SK {IDr, [CERT,] AUTH, SAr2, TSi, TSr} */
	{"authenticated", IN(AUTH), STEP_INITIATOR, IKE_X_AUTH, false, B(SK), EXTRA,
	 B(IDR) | B(AUTH) | B(SA) | B(TSI) | B(TSR), EXTRA | CERTS | B(CP), x_auth_response, IKE_SA_UP},
	/* <-- HDR, SK {IDr, [CERT,] AUTH, N(no child)}: 2.21.2 */
	{"authenticated-no-child", IN(AUTH), STEP_INITIATOR, IKE_X_AUTH, false, B(SK), EXTRA,
	 B(IDR) | B(AUTH) | B(NOTIFY), B(VENDOR) | CERTS | B(CP), x_auth_response, IKE_SA_UP},
	/* <-- HDR, SK {N(AUTHENTICATION_FAILED)}: 2.21.2 */
	{"auth-refused", IN(AUTH), STEP_INITIATOR, IKE_X_AUTH, false, B(SK), EXTRA, B(NOTIFY), B(VENDOR),
	 x_auth_refused, IKE_SA_STATE_N},

	/* RFC 7296 1.3.1, 1.3.3: HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr} --> */
	{"child", IN(UP), STEP_ANY, IKE_X_CREATE_CHILD, true, B(SK), EXTRA, B(SA) | B(NONCE) | B(TSI) | B(TSR),
	 B(KE) | EXTRA | B(CP), x_child_request, IKE_SA_STATE_N},
	/* 1.3.2: HDR, SK {SA, Ni, KEi} --> */
	{"rekey", IN(UP), STEP_ANY, IKE_X_CREATE_CHILD, true, B(SK), EXTRA, B(SA) | B(NONCE) | B(KE), EXTRA,
	 rekey_ike_request, IKE_SA_REKEYED},
	/* 2.25.2: a rekey, or a child, on an SA that is being replaced or closed */
	{"too-late", IN(REKEYED) | IN(CLOSING), STEP_ANY, IKE_X_CREATE_CHILD, true, B(SK), EXTRA, B(SA) | B(NONCE),
	 ANY & ~(B(SA) | B(NONCE) | B(SK)), x_child_busy, IKE_SA_STATE_N},
	/* <-- HDR, SK {SA, Nr, [KEr,] TSi, TSr} */
	{"child-made", IN(UP) | IN(REKEYED), STEP_ANY, IKE_X_CREATE_CHILD, false, B(SK), EXTRA,
	 B(SA) | B(NONCE) | B(TSI) | B(TSR), B(KE) | EXTRA | B(CP), x_child_response, IKE_SA_STATE_N},
	/* <-- HDR, SK {SA, Nr, KEr} */
	{"rekeyed", IN(UP) | IN(REKEYED), STEP_ANY, IKE_X_CREATE_CHILD, false, B(SK), EXTRA, B(SA) | B(NONCE) | B(KE),
	 EXTRA, rekey_ike_response, IKE_SA_REKEYED},
	/* <-- HDR, SK {N(error)} */
	{"refused", IN(UP) | IN(REKEYED), STEP_ANY, IKE_X_CREATE_CHILD, false, B(SK), EXTRA, B(NOTIFY), B(VENDOR),
	 x_child_refused, IKE_SA_STATE_N},
	/* an answer that we have no more use for */
	{"moot", IN(CLOSING), STEP_ANY, IKE_X_CREATE_CHILD, false, B(SK), EXTRA, 0, ANY & ~B(SK), x_child_ignored,
	 IKE_SA_STATE_N},

	/* RFC 7296 1.4: HDR, SK {[N,] [D,] [CP,] ...} in both directions */
	{"info", IN(UP) | IN(REKEYED) | IN(CLOSING), STEP_ANY, IKE_X_INFORMATIONAL, true, B(SK), EXTRA, 0, ANY & ~B(SK),
	 x_info_request, IKE_SA_STATE_N},
	{"info-answer", IN(UP) | IN(REKEYED) | IN(CLOSING), STEP_ANY, IKE_X_INFORMATIONAL, false, B(SK), EXTRA, 0,
	 ANY & ~B(SK), x_info_response, IKE_SA_STATE_N},
};

const struct step *step_rows(unsigned *n)
{
	*n = N_ELEMS(rows);
	return rows;
}

static bool fits(uint32_t seen, uint32_t need, uint32_t may)
{
	return (seen & need) == need && (seen & ~(need | may)) == 0;
}

const struct step *step_find(enum ike_sa_state state, bool initiator, const struct ike_hdr *h,
			     const struct ike_chain *clear, const struct ike_chain *inner)
{
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		const struct step *s = &rows[i];

		if (!(s->from & 1u << state) || s->exchange != h->exchange || s->request == ike_hdr_response(h) ||
		    (s->role != STEP_ANY && (s->role == STEP_INITIATOR) != initiator))
			continue;
		if (fits(clear->seen, s->need, s->may) && fits(inner ? inner->seen : 0, s->sk_need, s->sk_may))
			return s;
	}
	return NULL;
}

void step_to(struct ike *k, struct ike_sa *sa, enum ike_sa_state to)
{
	enum ike_sa_state from = sa->state;

	if (from == to)
		return;
	sa->state = to;
	if (to == IKE_SA_UP && !sa->told_up) {
		struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

		sa_up(k, sa);
		sa->told_up = true;
		notice_sa(k, sa, sa->predecessor || sa->quiet ? IKE_NOTICE_IKE_REKEYED : IKE_NOTICE_IKE_UP, "");
		weak_tell_ike(k, sa);
		if (t)
			t->retry_at_ms = 0;
	}
}

/* ---- a datagram ---- */

static bool from_the_right_side(const struct ike_sa *sa, const struct ike_hdr *h)
{
	uint64_t peer = sa->initiator ? sa->spi_r : sa->spi_i, theirs = sa->initiator ? h->spi_r : h->spi_i;

	/* the I flag is the sender's role: our own messages, reflected, have the wrong one */
	return ike_hdr_initiator(h) != sa->initiator && (peer == theirs || (sa->state == IKE_SA_INIT && !peer));
}

/* RFC 7296 2.21.3, 2.5: an authenticated request that cannot be taken. INVALID_SYNTAX is fatal in both peers, and so is
 * anything that spoils IKE_AUTH (2.21.2). */
static void refuse(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t notify, uint8_t type, const char *why)
{
	bool critical = notify == N_UNSUPPORTED_CRITICAL_PAYLOAD, fatal = !critical || sa->state == IKE_SA_AUTH;

	notice_bad(k, sa, "%s request is %s: answered %s; the peer's IKE software has a fault or we lack a feature",
		   wire_exchange_name(x->exchange), why, payload_notify_name(notify));
	xchg_answer_error(k, sa, x, notify, &type, critical ? 1 : 0);
	if (fatal)
		sa_end(k, sa, SA_END_LINGER, "the peer sent a malformed request");
}

void step_bad_request(struct ike *k, struct ike_sa *sa, struct xchg *x, enum ike_verdict v)
{
	k->counters.malformed++;
	refuse(k, sa, x, N_INVALID_SYNTAX, 0, ike_verdict_name(v));
}

/* RFC 7296 2.21: no error is sent for a response; the state is cleaned up. */
void step_bad_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const char *what)
{
	k->counters.malformed++;
	notice_bad(k, sa, "%s response is bad: %s; the IKE SA is closed; the peer's IKE software has a fault",
		   wire_exchange_name(x ? x->exchange : 0), what);
	xchg_drop(k, sa, x);
	sa_end(k, sa, SA_END_DELETE, "the peer sent a bad response");
}

void step_settle(struct ike *k, struct ike_sa *sa)
{
	/* RFC 7296 2.2: message ids must not wrap */
	if (sa_usable(sa) && (sa->mid.out.next | sa->mid.in.next) >> 31 && sa->rekey_at_ms > k->now_ms + 2 * REFUSED_MS)
		sa->rekey_at_ms = k->now_ms + 1;
	if (sa->state != IKE_SA_DEAD)
		xchg_kick(k, sa);
	if (sa->state != IKE_SA_DEAD)
		sa_rearm(k, sa);
}

static void take_request(struct ike *k, struct ike_sa *sa, enum ike_verdict v, const struct step_msg *in)
{
	const struct ike_hdr *h = &in->m->hdr;
	const struct step *row;
	struct xchg *x;

	msgid_in_take(&sa->mid, in->print);
	frag_drop(&sa->frag.set[0]);
	x = sa->x_in = xchg_new(XCHG_ANSWER, false, h->exchange, h->mid);
	x->path = *in->path;
	sa_moved(k, sa, in->path);
	if (v == IKE_V_CRITICAL) {
		refuse(k, sa, x, N_UNSUPPORTED_CRITICAL_PAYLOAD, in->c->critical_type, ike_verdict_name(v));
		return;
	}
	row = v == IKE_V_OK ? step_find(sa->state, sa->initiator, h, &in->m->clear, in->c) : NULL;
	if (!row) {
		k->counters.malformed++;
		refuse(k, sa, x, N_INVALID_SYNTAX, 0, v == IKE_V_OK ? "not what may come now" : ike_verdict_name(v));
		return;
	}
	x->to = row->to;
	if (sa->predecessor && !x_info_deletes_ike(in->c))
		rekey_ike_inherit(k, sa_find(k, sa->predecessor)); /* the peer uses it: 2.8 */
	row->run(k, sa, x, in);
}

static void take_response(struct ike *k, struct ike_sa *sa, enum ike_verdict v, const struct step_msg *in)
{
	const struct ike_hdr *h = &in->m->hdr;
	const struct step *row = NULL;
	struct xchg *x = sa->x_out;

	sa_moved(k, sa, in->path);
	if (v == IKE_V_OK && (x || sa->state == IKE_SA_CLOSING))
		row = step_find(sa->state, sa->initiator, h, &in->m->clear, in->c);
	msgid_out_done(&sa->mid);
	frag_drop(&sa->frag.set[1]);
	if (!row || (x && x->exchange != h->exchange)) {
		step_bad_response(k, sa, x, v == IKE_V_OK ? "not what may come now" : ike_verdict_name(v));
		return;
	}
	if (x)
		x->to = row->to;
	row->run(k, sa, x, in);
}

/* IKE_SA_INIT's response: nothing of it is authenticated, so what does not fit is ignored (RFC 7296 2.21.1). */
static void take_init_response(struct ike *k, struct ike_sa *sa, const struct step_msg *in)
{
	const struct step *row = NULL;
	struct xchg *x = sa->x_out;

	if (!x || x->kind != XCHG_INIT || x->job || !msgid_out_expects(&sa->mid, in->m->hdr.mid)) {
		k->counters.ignored++;
		return;
	}
	row = step_find(sa->state, sa->initiator, &in->m->hdr, &in->m->clear, NULL);
	if (!row) {
		k->counters.malformed++;
		return;
	}
	x->to = row->to;
	row->run(k, sa, x, in);
}

static void repeat(struct ike *k, struct ike_sa *sa, const struct ike_path *path)
{
	k->counters.duplicates++;
	child_repeated(k, sa);
	k->counters.tx += frag_send(&k->env, path, sa->mid.in.response, sa->mid.in.response_len);
}

/* The windows (RFC 7296 2.3), before any crypto. True: to be opened and processed. */
static bool in_window(struct ike *k, struct ike_sa *sa, const struct ike_path *path, const struct ike_msg *m)
{
	if (ike_hdr_response(&m->hdr)) {
		if (msgid_out_expects(&sa->mid, m->hdr.mid))
			return true;
		k->counters.ignored++;
		return false;
	}
	switch (msgid_in_judge(&sa->mid, m->hdr.mid, msgid_print(m->raw, m->len))) {
	case MSGID_NEW:
		return true;
	case MSGID_REPEAT:
		repeat(k, sa, path);
		return false;
	case MSGID_BUSY:
		k->counters.duplicates++;
		return false;
	case MSGID_STALE:
		k->counters.ignored++;
		return false;
	}
	return false;
}

/* RFC 7383 2.6.1: a request that was answered came again, cut otherwise (its sender looks for a size that passes). Its first
 * fragment, and only that, asks for the answer. */
static bool cut_anew(struct ike *k, const struct ike_sa *sa, const struct ike_msg *m)
{
	size_t len;

	return !ike_hdr_response(&m->hdr) && m->hdr.mid == sa->mid.in.next - 1 && !sa->mid.in.busy &&
	       sa->mid.in.response && m->frag_num == 1 &&
	       sk_open_text(m, &sa->sk_in, k->text, sizeof(k->text), &len) == IKE_V_OK;
}

/* RFC 7383 5: who has not shown who he is gets no second try. */
static void flooded(struct ike *k, struct ike_sa *sa)
{
	k->counters.malformed++;
	notice_bad(k, sa,
		   "a message in more than %d fragments, or of more than %d octets: ignored; the peer's IKE software "
		   "has a "
		   "fault",
		   FRAG_COUNT_MAX, FRAG_OCTETS_MAX);
	if (sa->state == IKE_SA_AUTH && !sa->initiator)
		sa_end(k, sa, SA_END_NOW, "");
}

/* True: the message is whole; its inside is len octets of k->text. */
static bool collect(struct ike *k, struct ike_sa *sa, const struct ike_msg *m, size_t *len)
{
	struct frag_set *s = &sa->frag.set[ike_hdr_response(&m->hdr)];

	switch (frag_take(s, m, &sa->sk_in, k->text, sizeof(k->text), len, k->now_ms)) {
	case FRAG_BAD:
		k->counters.malformed++;
		return false;
	case FRAG_REPEAT:
		k->counters.duplicates++;
		return false;
	case FRAG_FORGED:
		k->counters.decrypt_failed++;
		return false;
	case FRAG_FLOOD:
		flooded(k, sa);
		return false;
	case FRAG_KEPT:
		sa->seen_ms = k->now_ms;
		return false;
	case FRAG_WHOLE:
		sa->seen_ms = k->now_ms;
		return true;
	}
	return false;
}

/* A fragment: RFC 7383 2.6. */
static void take_fragment(struct ike *k, struct ike_sa *sa, const struct ike_path *path, const struct ike_msg *m)
{
	struct frag_set *s = &sa->frag.set[ike_hdr_response(&m->hdr)];
	struct ike_msg whole = *m;
	struct ike_chain inner;
	struct step_msg in = {.m = &whole, .c = &inner, .path = path};
	enum ike_verdict v;
	size_t len;

	if (!sa->frag.on) { /* 2.4: not agreed on */
		k->counters.ignored++;
		return;
	}
	if (cut_anew(k, sa, m)) {
		repeat(k, sa, path);
		return;
	}
	if (!in_window(k, sa, path, m) || !collect(k, sa, m, &len))
		return;
	in.print = s->print;
	/* 2.6: "processed as if it was received, verified, and decrypted as a regular IKE message" */
	whole.clear.n = 0;
	whole.clear.seen = IKE_PL_BIT(IKE_PL_SK);
	v = wire_chain_parse(s->next, rd_of(k->text, len), &inner);
	frag_fit(&sa->frag, path, s->largest);
	if (ike_hdr_response(&m->hdr))
		take_response(k, sa, v, &in);
	else
		take_request(k, sa, v, &in);
}

static void take_protected(struct ike *k, struct ike_sa *sa, const struct ike_path *path, const struct ike_msg *m)
{
	struct ike_chain inner;
	struct step_msg in = {.m = m, .c = &inner, .path = path};
	enum ike_verdict v;

	if (!sa->encr || !m->has_sk) {
		k->counters.ignored++;
		return;
	}
	if (m->is_fragment) {
		take_fragment(k, sa, path, m);
		return;
	}
	if (!in_window(k, sa, path, m))
		return;
	in.print = msgid_print(m->raw, m->len);
	v = sk_open(m, &sa->sk_in, k->text, sizeof(k->text), &inner);
	if (v == IKE_V_DECRYPT || v == IKE_V_INTERNAL) {
		k->counters.decrypt_failed++;
		return;
	}
	sa->seen_ms = k->now_ms;
	if (ike_hdr_response(&m->hdr))
		take_response(k, sa, v, &in);
	else
		take_request(k, sa, v, &in);
}

void step_input(struct ike *k, struct ike_sa *sa, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	struct ike_msg m;
	enum ike_verdict v = wire_parse(msg, len, &m);

	if (v != IKE_V_OK) { /* clear payloads are nothing that we would act upon, whatever is wrong with them */
		k->counters.malformed++;
		return;
	}
	if (!from_the_right_side(sa, &m.hdr)) {
		k->counters.bad_spi++;
		return;
	}
	if (m.hdr.exchange == IKE_X_SA_INIT) {
		struct step_msg in = {.m = &m, .c = &m.clear, .path = path};

		if (ike_hdr_response(&m.hdr) && sa->state == IKE_SA_INIT && sa->initiator)
			take_init_response(k, sa, &in);
		else
			k->counters.ignored++;
		return;
	}
	if (sa->state == IKE_SA_INIT) {
		k->counters.ignored++;
		return;
	}
	take_protected(k, sa, path, &m);
	step_settle(k, sa);
}
