#include "bgp/peer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static void conn_init(struct conn *c, struct peer *p)
{
	c->peer = p;
	for (unsigned t = 0; t < CONN_TIMER_N; t++)
		c->at[t] = NEVER;
}

struct peer *peer_new(struct bgp *b, uint32_t index, const struct cfg_bgp_peer *cfg)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->b = b;
	p->index = index;
	p->cfg = *cfg;
	p->main = &p->conn[0];
	p->second = &p->conn[1];
	for (unsigned i = 0; i < 2; i++)
		conn_init(&p->conn[i], p);
	list_init(&p->ready);
	return p;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	list_del(&p->ready);
	for (unsigned i = 0; i < 2; i++)
		free(p->conn[i].io);
	free(p);
}

bool peer_wanted(const struct peer *p)
{
	return !p->b->down && !p->cfg.shutdown && !*p->unreachable;
}

struct conn *peer_best(const struct peer *p)
{
	return p->second->state >= BGP_OPENSENT && p->second->state > p->main->state ? p->second : p->main;
}

enum bgp_state peer_state(const struct peer *p)
{
	return peer_best(p)->state;
}

uint64_t peer_jitter(struct peer *p, uint64_t ms)
{
	const struct bgp_env *env = &p->b->env;
	uint64_t quarter = ms / 4;

	return quarter ? ms - env->random(env->ctx) % (quarter + 1) : ms;
}

static uint32_t doubled(uint32_t ms, uint32_t min, uint32_t max)
{
	return ms == 0 ? min : ms < max / 2 ? 2 * ms : max;
}

uint64_t peer_backoff(struct peer *p)
{
	if (p->limit) {
		p->limit = false;
		p->limit_ms = doubled(p->limit_ms, PEER_LIMIT_MIN_MS, PEER_LIMIT_MAX_MS);
		return p->limit_ms;
	}
	p->backoff_ms = doubled(p->backoff_ms, PEER_BACKOFF_MIN_MS, PEER_BACKOFF_MAX_MS);
	return peer_jitter(p, p->backoff_ms);
}

void peer_forgive(struct peer *p)
{
	p->backoff_ms = p->limit_ms = 0;
	p->tries = 0;
	p->limit_hit = p->damped = p->grave = false;
}

void peer_kick(struct peer *p)
{
	if (p->main->state != BGP_IDLE || !peer_wanted(p))
		return;
	p->damped = false;
	session_timer_stop(p->main, T_IDLE);
	fsm_run(p->main, session_restart(p->main));
}

void peer_stop(struct peer *p, uint8_t sub, const char *words)
{
	for (unsigned i = 0; i < 2; i++) {
		struct conn *c = &p->conn[i];

		wire_error(&c->err, BGP_ERR_CEASE, sub, NULL, 0, "%s", "");
		snprintf(c->words, sizeof(c->words), "%s", words ? words : "");
		fsm_run(c, FSM_STOP);
	}
}

void peer_ready(struct peer *p)
{
	list_del(&p->ready);
	list_add_tail(&p->b->ready, &p->ready);
}

/* ---- what is told ---- */

static void cause_va(struct peer *p, const char *fmt, va_list ap)
{
	if (!*p->cause)
		vsnprintf(p->cause, sizeof(p->cause), fmt, ap);
}

void peer_cause(struct peer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cause_va(p, fmt, ap);
	va_end(ap);
}

void peer_error(struct peer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->last_error, sizeof(p->last_error), fmt, ap);
	va_end(ap);
	p->last_error_ms = p->b->now;
	p->bad = p->grave = true;
	peer_cause(p, "%s", p->last_error);
}

void peer_failed(struct peer *p, const char *fmt, ...)
{
	char text[PEER_CAUSE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!p->grave) {
		snprintf(p->last_error, sizeof(p->last_error), "%s", text);
		p->last_error_ms = p->b->now;
	}
	p->bad = true;
	peer_cause(p, "%s", text);
}

static void tell(struct peer *p, enum bgp_state from, enum bgp_state to, const char *cause, bool bad)
{
	const struct bgp_env *env = &p->b->env;
	struct bgp_notice n = {
		.peer = p->index, .name = p->cfg.name, .from = from, .to = to, .cause = cause, .bad = bad};

	snprintf(p->told, sizeof(p->told), "%s", cause);
	env->notice(env->ctx, &n);
}

/* Attempts that fail as the last one did are shown, not told. */
static bool worth_telling(const struct peer *p, enum bgp_state from, enum bgp_state to)
{
	if (from >= BGP_OPENCONFIRM || to >= BGP_OPENCONFIRM)
		return true;
	return *p->cause && strcmp(p->cause, p->told) != 0;
}

void peer_moved(struct conn *c, enum bgp_state from, enum fsm_event why)
{
	struct peer *p = c->peer;
	enum bgp_state to = peer_state(p), was = p->shown;
	char words[PEER_CAUSE_MAX], *number;

	(void)from;
	if (to == was)
		return;
	p->shown = to;
	p->since_ms = p->b->now;
	if (!worth_telling(p, was, to))
		return;
	snprintf(words, sizeof(words), "%s", *p->cause ? p->cause : fsm_event_name(why));
	number = *p->cause ? NULL : strstr(words, " [");
	if (number)
		*number = '\0'; /* the RFC's, of the event: for the printed table */
	tell(p, was, to, words, p->bad);
	p->cause_told = true;
}

void peer_report(struct peer *p, const char *what, const char *why)
{
	char text[PEER_CAUSE_MAX], more[64] = "";

	p->unreported++;
	if (p->b->now < p->report_at_ms)
		return;
	if (p->unreported > 1)
		snprintf(more, sizeof(more), " (%u more since the last report)", p->unreported - 1);
	snprintf(text, sizeof(text), "%s: %s%s", what, why, more);
	p->unreported = 0;
	p->report_at_ms = p->b->now + PEER_REPORT_MS;
	tell(p, p->shown, p->shown, text, true);
}

/* ---- after an event ---- */

/* A session that the peer's connection brought up counts from now on. */
static void promote(struct peer *p)
{
	struct conn *c = p->second;

	if (c->state != BGP_ESTABLISHED)
		return;
	p->second = p->main;
	p->main = c;
	session_timer_stop(p->second, T_IDLE);
	assert(p->second->state < BGP_OPENCONFIRM); /* by collide() */
}

static void put_away(struct conn *c)
{
	if (c->id)
		return;
	free(c->io);
	c->io = NULL;
}

void peer_settle(struct peer *p)
{
	promote(p);
	/* It has ended, or is our attempt that nobody needs any more. One in OpenSent is judged by its OPEN. */
	if (p->second->state == BGP_CONNECT || (p->second->state == BGP_ACTIVE && !p->second->id))
		fsm_run(p->second, FSM_STOP);
	/* The peer's connection ended in an error: ours would end alike. It takes the back-off over. */
	if (p->damp && p->main->state <= BGP_ACTIVE && p->main->state != BGP_IDLE)
		fsm_run(p->main, FSM_STOP);
	p->damp = false;
	put_away(p->main);
	put_away(p->second);
	/* About a connection beside the one that counts. */
	if (p->bad && !p->cause_told && p->b->now >= p->aside_at_ms && strcmp(p->cause, p->told) != 0) {
		tell(p, p->shown, p->shown, p->cause, true);
		p->aside_at_ms = p->b->now + PEER_ASIDE_MS;
	}
	p->cause[0] = '\0';
	p->cause_told = p->bad = false;
}
