#include "controlplane/ike/ike.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/core.h"
#include "controlplane/ike/job.h"
#include "controlplane/ike/notice.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

/* ---- helpers of the whole room ---- */

uint64_t ike_random64(struct ike *k)
{
	uint64_t v;

	k->env.random(k->env.ctx, &v, sizeof(v));
	return v;
}

uint64_t ike_jitter(struct ike *k, uint64_t v, unsigned lo, unsigned hi)
{
	uint64_t from = v * lo / 100, span = v * hi / 100 - from;

	return from + ike_random64(k) % (span + 1);
}

bool ike_bucket_take(struct bucket *b, uint32_t per_s, uint64_t now_ms)
{
	uint64_t passed = now_ms - b->last_ms;

	if (!b->started || passed >= 1000) {
		b->tokens = per_s;
		b->last_ms = now_ms;
		b->started = true;
	}
	if (b->tokens == 0) {
		b->suppressed++;
		return false;
	}
	b->tokens--;
	return true;
}

static void enter(struct ike *k, uint64_t now_ms)
{
	k->now_ms = u64_max(k->now_ms, now_ms);
}

static void leave(struct ike *k)
{
	sa_reap(k);
}

/* ---- life ---- */

static uint32_t or_default(uint32_t v, uint32_t d)
{
	return v ? v : d;
}

static void set_limits(struct ike_limits *to, const struct ike_limits *l)
{
	to->ike_sas = or_default(l->ike_sas, 200000);
	to->half_open = or_default(l->half_open, 512);
	to->cookie_at = or_default(l->cookie_at, 30);
	to->half_open_ms = or_default(l->half_open_ms, 30000);
	to->retransmit_ms = or_default(l->retransmit_ms, 500);
	to->retransmit_tries = or_default(l->retransmit_tries, 8);
	to->old_child_grace_ms = or_default(l->old_child_grace_ms, 5000);
	to->keepalive_ms = or_default(l->keepalive_ms, 20000);
	to->retry_ms = or_default(l->retry_ms, 2000);
}

struct ike *ike_new(const struct ike_env *env, const struct ike_limits *limits)
{
	static const struct ike_limits none;
	struct ike *k = xcalloc(1, sizeof(*k));
	uint8_t secret[COOKIE_SECRET_LEN];

	k->env = *env;
	set_limits(&k->limits, limits ? limits : &none);
	list_init(&k->sas);
	list_init(&k->creds);
	list_init(&k->half);
	list_init(&k->dead);
	k->table_size = SA_TABLE_MIN;
	k->table = xcalloc(k->table_size, sizeof(struct ike_sa *));
	k->env.random(k->env.ctx, secret, sizeof(secret));
	cookie_init(&k->cookies, secret, 0);
	secret_wipe(secret, sizeof(secret));
	return k;
}

/* Hands of a core that ends: the data plane keeps what it has, and the caller's hands may be gone. */
static void mute_path(void *ctx, const struct ike_path *path)
{
	(void)ctx;
	(void)path;
}

static void mute_spi_free(void *ctx, uint32_t tunnel, uint32_t spi)
{
	(void)ctx;
	(void)tunnel;
	(void)spi;
}

static void mute_child_remove(void *ctx, uint32_t tunnel, uint32_t spi_in, bool in)
{
	(void)ctx;
	(void)tunnel;
	(void)spi_in;
	(void)in;
}

static void mute_notice(void *ctx, const struct ike_notice *n)
{
	(void)ctx;
	(void)n;
}

void ike_free(struct ike *k)
{
	if (!k)
		return;
	k->env.keepalive = mute_path;
	k->env.spi_free = mute_spi_free;
	k->env.child_remove = mute_child_remove;
	k->env.notice = mute_notice;
	sa_free_all(k);
	tunnel_free_all(k);
	timer_fini(&k->timers);
	cookie_fini(&k->cookies);
	free(k->table);
	secret_wipe(k, sizeof(*k));
	free(k);
}

int ike_tunnel_set(struct ike *k, uint32_t index, const struct cfg_tunnel *cfg, uint64_t now_ms)
{
	int rc;

	enter(k, now_ms);
	rc = tunnel_set(k, index, cfg);
	leave(k);
	return rc;
}

void ike_tunnel_del(struct ike *k, uint32_t index, uint64_t now_ms)
{
	enter(k, now_ms);
	tunnel_del(k, index);
	leave(k);
}

void ike_shutdown(struct ike *k, uint64_t now_ms)
{
	enter(k, now_ms);
	k->stopping = true;
	for (uint32_t i = 0; i < k->n_tunnels; i++) {
		if (!k->tunnel[i])
			continue;
		k->tunnel[i]->wanted = false;
		tunnel_rearm(k, k->tunnel[i]);
	}
	/* ending one may end its heir too, so look anew each time; the Deletes leave with the next tick, due now */
	for (struct list *e = k->sas.next; e != &k->sas;) {
		struct ike_sa *sa = list_entry(e, struct ike_sa, all);

		if (sa->state == IKE_SA_CLOSING) {
			e = e->next;
			continue;
		}
		sa_end(k, sa, SA_END_DELETE, "this gateway shuts down");
		e = k->sas.next;
	}
	leave(k);
}

/* ---- datagrams ---- */

/* RFC 7296 2.5: answered in clear with our version, in measure, and with no more octets than came. */
static void newer_version(struct ike *k, const struct ike_path *path, const struct ike_hdr *in, size_t in_len)
{
	struct ike_hdr h = {.spi_i = in->spi_i,
			    .spi_r = in->spi_r,
			    .exchange = in->exchange,
			    .flags = (uint8_t)(IKE_FLAG_RESPONSE | (ike_hdr_initiator(in) ? 0 : IKE_FLAG_INITIATOR)),
			    .mid = in->mid};
	struct wire_out o;
	size_t len;

	if (ike_hdr_response(in) || !ike_bucket_take(&k->replies, UNPROTECTED_PER_S, k->now_ms))
		return;
	wire_msg_begin(&o, k->out, sizeof(k->out), &h);
	payload_notify_add(&o, N_INVALID_MAJOR_VERSION, NULL, 0);
	len = wire_msg_end(&o);
	if (!len || len > in_len)
		return;
	k->counters.tx++;
	k->env.send(k->env.ctx, path, k->out, len);
}

static bool header_ok(struct ike *k, const struct ike_path *path, const uint8_t *msg, size_t len, struct ike_hdr *h)
{
	enum ike_verdict v = wire_hdr_read(msg, len, h);

	if (v == IKE_V_OK)
		return true;
	if (v == IKE_V_OLD_VERSION || v == IKE_V_NEW_VERSION) {
		k->counters.bad_version++;
		notice_stranger(k, IKE_NO_TUNNEL, path, h->spi_i, h->spi_r, "%s: set it to IKEv2", ike_verdict_name(v));
		if (v == IKE_V_NEW_VERSION)
			newer_version(k, path, h, len);
		return false;
	}
	k->counters.malformed++;
	notice_stranger(k, IKE_NO_TUNNEL, path, 0, 0, "a datagram that is no IKE message: %s; ignored",
			ike_verdict_name(v));
	return false;
}

void ike_input(struct ike *k, const struct ike_path *path, const uint8_t *msg, size_t len, uint64_t now_ms)
{
	struct ike_hdr h;
	struct ike_sa *sa;

	enter(k, now_ms);
	if (len == 1 && msg[0] == 0xff)
		return; /* a keepalive, RFC 3948 2.3 */
	k->counters.rx++;
	if (!header_ok(k, path, msg, len, &h))
		return;
	if (h.exchange == IKE_X_SA_INIT && h.spi_r == 0 && ike_hdr_initiator(&h) && !ike_hdr_response(&h)) {
		if (h.mid == 0)
			x_init_request(k, path, msg, len, &h);
		else
			k->counters.malformed++;
		leave(k);
		return;
	}
	/* the sender's role tells which SPI is ours (3.1) */
	sa = sa_find(k, ike_hdr_initiator(&h) ? h.spi_r : h.spi_i);
	if (sa)
		step_input(k, sa, path, msg, len);
	else
		k->counters.bad_spi++; /* never answered: 2.21.4 leaves that to us */
	leave(k);
}

/* ---- jobs ---- */

void ike_job_done(struct ike *k, struct ike_job *job, uint64_t now_ms)
{
	struct ike_sa *sa = sa_find(k, job->spi);
	struct xchg *x;

	enter(k, now_ms);
	if (sa && sa->serial != job->serial)
		sa = NULL;
	x = !sa ? NULL : job->ours ? sa->x_out : sa->x_in;
	if (!x || x->job != job || !x->job_out) {
		job_free(job); /* its SA, or its exchange, is no more */
		return;
	}
	xchg_job_done(k, sa, x, job);
	step_settle(k, sa);
	leave(k);
}

/* ---- time ---- */

uint64_t ike_deadline(const struct ike *k)
{
	return timer_next(&k->timers);
}

void ike_tick(struct ike *k, uint64_t now_ms)
{
	uint32_t turns = k->timers.n; /* one each; what is due again at once comes with the next call */
	struct timer *t;

	enter(k, now_ms);
	while (turns-- && (t = timer_take(&k->timers, k->now_ms)) != NULL) {
		switch ((enum timer_kind)t->kind) {
		case TIMER_SA:
			sa_tick(k, container_of(t, struct ike_sa, timer));
			break;
		case TIMER_TUNNEL:
			tunnel_tick(k, container_of(t, struct ike_tunnel, timer));
			break;
		}
	}
	leave(k);
}
