/* INFORMATIONAL (RFC 7296 1.4, 1.4.1, 2.4, 2.21.2, 2.25)
 *
 *   HDR, SK {[N,] [D,] [CP,] ...}  -->
 *                              <--  HDR, SK {[D,] ...}
 *
 * Liveness (nothing inside), Delete of children and of the IKE SA, and the word that authentication failed.
 */
#include "controlplane/ike/notice.h"
#include "controlplane/ike/rekey.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

/* ---- ours ---- */

static void put_delete(struct wire_out *o, uint8_t protocol, const uint32_t *spi, unsigned n)
{
	wire_payload(o, IKE_PL_DELETE);
	payload_delete_encode(&o->w, protocol, spi, n);
}

void x_info_start(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	struct ike_child *c = child_find_in(sa, x->old_spi_in);
	struct wire_out o;

	if (x->kind == XCHG_CHILD_DELETE && (!c || c->state == IKE_CHILD_OLD)) {
		xchg_drop(k, sa, x); /* the peer was first */
		return;
	}
	xchg_begin(k, sa, x, &o);
	if (x->kind == XCHG_CHILD_DELETE) {
		/* RFC 7296 1.4.1: named by the SPI that we receive on */
		c->state = IKE_CHILD_DELETING;
		put_delete(&o, IKE_PROTO_ESP, &c->spi_in, 1);
	} else if (x->kind == XCHG_IKE_DELETE) {
		put_delete(&o, IKE_PROTO_IKE, NULL, 0);
	} else if (x->kind == XCHG_AUTH_FAILED) {
		payload_notify_add(&o, N_AUTHENTICATION_FAILED, NULL, 0);
	}
	xchg_request(k, sa, x, &o);
}

void x_info_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	enum xchg_kind kind = x ? x->kind : XCHG_IKE_DELETE;
	struct ike_child *c = x ? child_find_in(sa, x->old_spi_in) : NULL;

	(void)in;
	if (x)
		xchg_done(k, sa, x);
	if (kind == XCHG_IKE_DELETE || kind == XCHG_AUTH_FAILED) {
		sa_end(k, sa, SA_END_NOW, "");
		return;
	}
	sa->temporary = 0;
	if (kind == XCHG_CHILD_DELETE && c)
		child_retire(k, sa, c, "deleted by us");
}

/* ---- the peer's ---- */

bool x_info_deletes_ike(const struct ike_chain *c)
{
	struct payload_delete d;

	for (const struct ike_payload *p = wire_find(c, IKE_PL_DELETE); p; p = wire_find_next(c, p))
		if (payload_delete_decode(p->body, &d) == IKE_V_OK && d.protocol == IKE_PROTO_IKE)
			return true;
	return false;
}

/* What a request's Deletes come to: our SPIs to answer with. */
struct deleted {
	uint32_t spi[CHILDREN_MAX];
	unsigned n;
};

static void delete_child(struct ike *k, struct ike_sa *sa, struct ike_child *c, struct deleted *d)
{
	bool crossed = sa->x_out && sa->x_out->kind == XCHG_CHILD_DELETE && sa->x_out->old_spi_in == c->spi_in;
	struct ike_child *next = child_find_in(sa, c->replaced_by);

	if (c->state == IKE_CHILD_OLD)
		return; /* said before */
	if (crossed) {
		/* RFC 7296 1.4.1: we asked for the same; outbound goes now, inbound with the answer, and no Delete here */
		child_drop_out(k, c);
		return;
	}
	if (d->n < CHILDREN_MAX)
		d->spi[d->n++] = c->spi_in;
	if (next)
		child_use(k, sa, next); /* 2.8: the peer has the new pair */
	child_retire(k, sa, c, "the peer deleted it");
}

static enum ike_verdict delete_all(struct ike *k, struct ike_sa *sa, const struct ike_chain *c, struct deleted *out)
{
	struct payload_delete d;
	uint32_t spi;

	for (const struct ike_payload *p = wire_find(c, IKE_PL_DELETE); p; p = wire_find_next(c, p)) {
		enum ike_verdict v = payload_delete_decode(p->body, &d);

		if (v != IKE_V_OK)
			return v;
		while (d.protocol == IKE_PROTO_ESP && payload_delete_next(&d, &spi)) {
			struct ike_child *child = child_find_out(sa, spi);

			if (child)
				delete_child(k, sa, child, out);
		}
	}
	return IKE_V_OK;
}

/* A tunnel that is to be up lacks a child. */
static void want_again(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	if (t && sa->state == IKE_SA_UP)
		tunnel_ask(k, t, sa, k->now_ms + ike_jitter(k, k->limits.retry_ms, 90, 150));
}

static void end_by_peer(struct ike *k, struct ike_sa *sa, struct xchg *x, const char *why)
{
	struct wire_out o;

	xchg_begin(k, sa, x, &o);
	xchg_answer(k, sa, x, &o); /* RFC 7296 1.4.1: an empty response */
	if (sa->state == IKE_SA_DEAD)
		return;
	rekey_ike_inherit(k, sa); /* 2.8.2: if the peer rekeyed it, our own attempt is forgotten */
	sa_end(k, sa, SA_END_LINGER, why);
}

void x_info_request(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in)
{
	const struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct deleted d = {.n = 0};
	struct payload_notify n;
	struct wire_out o;
	enum ike_verdict v;

	if (payload_notify_find(in->c, N_AUTHENTICATION_FAILED, &n)) {
		k->counters.auth_failed++;
		end_by_peer(
			k, sa, x,
			t && t->creds
				? "the peer refused us (AUTHENTICATION_FAILED): see its log; whether it believes our "
				  "certificate's authority, and compare the IDs at both ends"
				: "the peer refused us (AUTHENTICATION_FAILED): compare auth.psk and IDs at both ends");
		return;
	}
	if (x_info_deletes_ike(in->c)) {
		end_by_peer(k, sa, x, "the peer deleted the IKE SA");
		return;
	}
	v = delete_all(k, sa, in->c, &d);
	if (v != IKE_V_OK) {
		step_bad_request(k, sa, x, v);
		return;
	}
	xchg_begin(k, sa, x, &o);
	if (d.n)
		put_delete(&o, IKE_PROTO_ESP, d.spi, d.n);
	xchg_answer(k, sa, x, &o);
	if (d.n)
		want_again(k, sa);
}
