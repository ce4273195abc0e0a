#include "controlplane/ike/xchg.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "controlplane/ike/sk.h"
#include "controlplane/ike/step.h"

XLIST_NAME(xchg_kind_name, XCHG_KIND_N, XCHG_KINDS)

/* ---- an exchange ---- */

struct xchg *xchg_new(enum xchg_kind kind, bool ours, uint8_t exchange, uint32_t mid)
{
	struct xchg *x = xcalloc(1, sizeof(*x));

	x->kind = kind;
	x->ours = ours;
	x->exchange = exchange;
	x->mid = mid;
	x->to = IKE_SA_STATE_N;
	return x;
}

void xchg_drop(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	if (!x)
		return;
	if (sa->x_out == x)
		sa->x_out = NULL;
	if (sa->x_in == x)
		sa->x_in = NULL;
	if (x->spi_in && sa->tunnel != IKE_NO_TUNNEL)
		k->env.spi_free(k->env.ctx, sa->tunnel, x->spi_in);
	if (!x->job_out)
		job_free(x->job);
	secret_wipe(x, sizeof(*x));
	free(x);
}

void xchg_wait_job(struct ike *k, struct ike_sa *sa, struct xchg *x, struct ike_job *job, xchg_then_fn *then)
{
	job->spi = sa_our_spi(sa);
	job->serial = sa->serial;
	job->ours = x->ours;
	x->job = job;
	x->job_out = true;
	x->then = then;
	k->env.job(k->env.ctx, job);
}

void xchg_job_free(struct xchg *x)
{
	job_free(x->job);
	x->job = NULL;
}

struct ike_job *xchg_job_dh(struct ike *k, enum job_kind kind, const struct alg *group)
{
	struct ike_job *job = job_new(kind);

	job->group = group;
	k->env.random(k->env.ctx, job->seed, sizeof(job->seed));
	return job;
}

struct ike_job *xchg_job_shared(const struct xchg *x, const struct payload_ke *ke)
{
	struct ike_job *job = job_new(JOB_DH_SHARED);

	job->dh = x->dh;
	job_set_peer(job, ke);
	return job;
}

void xchg_nonce(struct ike *k, struct ike_nonce *n)
{
	n->len = NONCE_LEN;
	k->env.random(k->env.ctx, n->b, NONCE_LEN);
}

enum ike_verdict xchg_read_offer(const struct ike_chain *c, struct payload_sa *sa, struct ike_nonce *nonce,
				 struct payload_ke *ke)
{
	const struct ike_payload *p = wire_find(c, IKE_PL_KE);
	enum ike_verdict v = payload_sa_decode(wire_find(c, IKE_PL_SA)->body, sa);

	*ke = (struct payload_ke){.group = 0};
	if (v == IKE_V_OK)
		v = payload_nonce_decode(wire_find(c, IKE_PL_NONCE)->body, nonce);
	if (v == IKE_V_OK && p)
		v = payload_ke_decode(p->body, ke);
	return v;
}

void xchg_job_done(struct ike *k, struct ike_sa *sa, struct xchg *x, struct ike_job *job)
{
	(void)job;
	x->job_out = false;
	x->then(k, sa, x);
}

void xchg_wait_in(struct xchg *x, const struct ike_child *c, xchg_then_fn *then)
{
	x->child = c->spi_in;
	x->waits_in = true;
	x->then = then;
}

struct xchg *xchg_waiting_for(struct ike_sa *sa, const struct ike_child *c)
{
	if (sa->x_in && sa->x_in->waits_in && sa->x_in->child == c->spi_in)
		return sa->x_in;
	if (sa->x_out && sa->x_out->waits_in && sa->x_out->child == c->spi_in)
		return sa->x_out;
	return NULL;
}

void xchg_begin(struct ike *k, struct ike_sa *sa, const struct xchg *x, struct wire_out *o)
{
	struct ike_hdr h = {
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = x->exchange,
		.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) | (x->ours ? 0 : IKE_FLAG_RESPONSE)),
		/* a request that is made again after INVALID_KE_PAYLOAD is another one (RFC 7296 2.2) */
		.mid = x->ours ? sa->mid.out.next : x->mid,
	};

	wire_msg_begin(o, k->out, sizeof(k->out), &h);
	sk_begin(o, &sa->sk_out);
}

/* What is to be sent: a message, or its fragments. p NULL: the SA is gone. */
struct sealed {
	const uint8_t *p;
	uint8_t *cut; /* to be freed */
	size_t len;
};

static struct sealed seal(struct ike *k, struct ike_sa *sa, struct wire_out *o, const struct ike_path *path)
{
	size_t limit = frag_limit(path, sa->frag.size);
	uint8_t random[SK_RANDOM_LEN];
	struct sealed s = {.p = k->out};

	wire_payload_end(o);
	if (sa->frag.on && o->w.len - o->text_at > sk_room(&sa->sk_out, limit, false))
		s.p = s.cut = frag_seal(o, &sa->sk_out, limit, &k->env, &s.len);
	if (s.cut)
		return s;
	k->env.random(k->env.ctx, random, sizeof(random));
	s.len = sk_seal(o, &sa->sk_out, random);
	s.p = s.len ? k->out : NULL;
	if (!s.len)
		sa_end(k, sa, SA_END_NOW, "a message could not be enciphered (internal error)");
	return s;
}

void xchg_request(struct ike *k, struct ike_sa *sa, struct xchg *x, struct wire_out *o)
{
	struct sealed s = seal(k, sa, o, &sa->path);

	if (!s.p)
		return;
	x->mid = sa->mid.out.next;
	msgid_out_sent(&sa->mid, s.p, s.len, k->limits.retransmit_ms, k->now_ms);
	sa->sent_ms = k->now_ms;
	k->counters.tx += frag_send(&k->env, &sa->path, s.p, s.len);
	free(s.cut);
}

void xchg_answer(struct ike *k, struct ike_sa *sa, struct xchg *x, struct wire_out *o)
{
	enum ike_sa_state to = x->to;
	struct ike_path path = x->path;
	struct sealed s = seal(k, sa, o, &path);

	if (!s.p)
		return;
	msgid_in_answer(&sa->mid, s.p, s.len);
	sa->sent_ms = k->now_ms;
	k->counters.tx += frag_send(&k->env, &path, s.p, s.len);
	free(s.cut);
	xchg_drop(k, sa, x);
	if (to != IKE_SA_STATE_N)
		step_to(k, sa, to);
}

void xchg_answer_error(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t type, const void *data, size_t len)
{
	struct wire_out o;

	x->to = IKE_SA_STATE_N;
	xchg_begin(k, sa, x, &o);
	payload_notify_add(&o, type, data, len);
	xchg_answer(k, sa, x, &o);
}

void xchg_done(struct ike *k, struct ike_sa *sa, struct xchg *x)
{
	enum ike_sa_state to = x->to;

	xchg_drop(k, sa, x);
	if (to != IKE_SA_STATE_N && sa->state != IKE_SA_DEAD)
		step_to(k, sa, to);
}

/* ---- the queue ---- */

static struct xchg_task *task_find(const struct ike_sa *sa, enum xchg_kind kind, uint32_t which)
{
	list_each (e, &sa->tasks) {
		struct xchg_task *t = list_entry(e, struct xchg_task, node);

		if (t->kind == kind && t->which == which)
			return t;
	}
	return NULL;
}

bool xchg_queued(const struct ike_sa *sa, enum xchg_kind kind, uint32_t which)
{
	return task_find(sa, kind, which) != NULL;
}

void xchg_queue(struct ike *k, struct ike_sa *sa, enum xchg_kind kind, uint32_t which, uint64_t due_ms)
{
	struct xchg_task *t = task_find(sa, kind, which);

	(void)k;
	if (sa->state == IKE_SA_DEAD)
		return;
	if (t) {
		t->due_ms = u64_min(t->due_ms, due_ms);
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->kind = kind;
	t->which = which;
	t->due_ms = due_ms;
	list_add_tail(&sa->tasks, &t->node);
	sa->n_tasks++;
}

static void task_free(struct ike_sa *sa, struct xchg_task *t)
{
	list_del(&t->node);
	sa->n_tasks--;
	free(t);
}

void xchg_unqueue(struct ike_sa *sa, enum xchg_kind kind, uint32_t spi_in)
{
	list_each_safe (e, &sa->tasks) {
		struct xchg_task *t = list_entry(e, struct xchg_task, node);

		if ((kind == XCHG_KIND_N || t->kind == kind) && (!spi_in || t->which == spi_in))
			task_free(sa, t);
	}
}

/* Something about a child is going on, so the IKE SA should not be rekeyed now: the peer would have to refuse it
 * (RFC 7296 2.25.1), or inherit what is half done. */
static bool children_busy(const struct ike_sa *sa)
{
	if (sa->x_in && sa->x_in->exchange == IKE_X_CREATE_CHILD)
		return true;
	list_each (e, &sa->children) {
		const struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->in == HALF_PENDING || c->out == HALF_PENDING || c->state == IKE_CHILD_DELETING)
			return true;
	}
	list_each (e, &sa->tasks)
		if (list_entry(e, struct xchg_task, node)->kind == XCHG_CHILD_DELETE)
			return true;
	return false;
}

/* May this task be begun in the SA's present state? */
static bool may_begin(const struct ike_sa *sa, const struct xchg_task *t)
{
	switch (sa->state) {
	case IKE_SA_UP:
		if (sa->x_in && sa->x_in->ike_rekey)
			return false; /* about to be replaced: RFC 7296 2.25.2 */
		return t->kind != XCHG_IKE_REKEY || !children_busy(sa);
	case IKE_SA_REKEYED: /* its children are about to be inherited: they wait for the heir */
	case IKE_SA_CLOSING:
		return t->kind == XCHG_IKE_DELETE || t->kind == XCHG_AUTH_FAILED;
	case IKE_SA_INIT:
	case IKE_SA_AUTH:
	case IKE_SA_DEAD:
	case IKE_SA_STATE_N:
		break;
	}
	return false;
}

uint64_t xchg_deadline(const struct ike_sa *sa)
{
	uint64_t at = UINT64_MAX;

	if (sa->x_out || sa->mid.out.msg)
		return at;
	list_each (e, &sa->tasks) {
		const struct xchg_task *t = list_entry(e, struct xchg_task, node);

		if (may_begin(sa, t))
			at = u64_min(at, t->due_ms);
	}
	return at;
}

static struct xchg_task *task_next(struct ike *k, struct ike_sa *sa)
{
	struct xchg_task *best = NULL;

	list_each (e, &sa->tasks) {
		struct xchg_task *t = list_entry(e, struct xchg_task, node);

		if (t->due_ms <= k->now_ms && may_begin(sa, t) && (!best || t->kind < best->kind))
			best = t;
	}
	return best;
}

static void begin(struct ike *k, struct ike_sa *sa, enum xchg_kind kind, uint32_t which)
{
	bool info = kind != XCHG_CHILD_REKEY && kind != XCHG_CHILD_CREATE && kind != XCHG_IKE_REKEY;
	struct xchg *x;

	x = xchg_new(kind, true, info ? IKE_X_INFORMATIONAL : IKE_X_CREATE_CHILD, sa->mid.out.next);
	if (kind == XCHG_CHILD_CREATE)
		x->index = (uint8_t)which;
	else
		x->old_spi_in = which;
	sa->x_out = x;
	if (kind == XCHG_IKE_REKEY)
		rekey_ike_start(k, sa, x);
	else if (info)
		x_info_start(k, sa, x);
	else
		x_child_start(k, sa, x);
}

void xchg_kick(struct ike *k, struct ike_sa *sa)
{
	/* a beginning may find that there is nothing to do any more: then the next one */
	while (sa->state != IKE_SA_DEAD && !sa->x_out && !sa->mid.out.msg) {
		struct xchg_task *t = task_next(k, sa);
		enum xchg_kind kind;
		uint32_t which;

		if (!t)
			return;
		kind = t->kind;
		which = t->which;
		task_free(sa, t);
		begin(k, sa, kind, which);
	}
}
