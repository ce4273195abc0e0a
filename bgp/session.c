#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "bgp/peer.h"

/* ---- timers ---- */

void session_timer(struct conn *c, enum conn_timer t, uint64_t in_ms)
{
	struct bgp *b = c->peer->b;

	c->at[t] = b->now + in_ms;
	b->due = u64_min(b->due, c->at[t]);
}

void session_timer_stop(struct conn *c, enum conn_timer t)
{
	c->at[t] = NEVER;
}

void session_keepalive_restart(struct conn *c, bool again)
{
	if (!c->keepalive_ms)
		return;
	/* An UPDATE takes over the jitter of this round: a random number for each would be dear. */
	if (again)
		c->keepalive_in_ms = (uint32_t)peer_jitter(c->peer, c->keepalive_ms);
	session_timer(c, T_KEEPALIVE, c->keepalive_in_ms);
}

static void hold_restart(struct conn *c)
{
	c->hold_grace = false;
	if (c->hold_s)
		session_timer(c, T_HOLD, 1000ull * c->hold_s);
	else
		session_timer_stop(c, T_HOLD);
}

static void stop_timers(struct conn *c)
{
	for (unsigned t = 0; t < CONN_TIMER_N; t++)
		c->at[t] = NEVER;
}

/* It is long past: this process did not run, and the peer's messages may lie unread. Once. */
static bool hold_was_late(struct conn *c, uint64_t at)
{
	if (c->hold_grace || c->peer->b->now - at < PEER_LATE_MS)
		return false;
	c->hold_grace = true;
	session_timer(c, T_HOLD, PEER_LATE_MS);
	return true;
}

enum fsm_event session_timer_event(struct conn *c, enum conn_timer t)
{
	uint64_t at = c->at[t];

	session_timer_stop(c, t);
	switch (t) {
	case T_RETRY:
		/* The peer's own connection is about to be Established: another would only collide with it. */
		if (c->peer->second->state == BGP_OPENCONFIRM) {
			session_timer(c, T_RETRY, peer_jitter(c->peer, 1000));
			return FSM_NONE;
		}
		return FSM_RETRY_EXPIRES;
	case T_IDLE:
		return FSM_IDLE_EXPIRES;
	case T_KEEPALIVE:
		return FSM_KEEPALIVE_EXPIRES;
	case T_HOLD:
		return hold_was_late(c, at) ? FSM_NONE : FSM_HOLD_EXPIRES;
	case T_SEND_HOLD:
		return FSM_SEND_HOLD_EXPIRES;
	case CONN_TIMER_N:
		break;
	}
	return FSM_NONE;
}

/* ---- OPEN ---- */

void session_own_open(const struct peer *p, struct bgp_open *o)
{
	*o = (struct bgp_open){
		.version = BGP_VERSION,
		.as = p->b->as,
		.hold_s = p->cfg.hold_s,
		.id = p->b->router_id,
		.as4 = true,
		.refresh = true,
		.mp = true,
		.mp_v4 = p->cfg.families & CFG_BGP_V4,
		.mp_v6 = p->cfg.families & CFG_BGP_V6,
	};
}

/* RFC 5492 5: the capabilities that we miss, as in an OPEN. */
static void missing_family(const struct peer *p, struct bgp_error *err)
{
	uint8_t caps[12];
	struct wr w = wr_of(caps, sizeof(caps));

	for (unsigned v6 = 0; v6 < 2; v6++) {
		if (!(p->cfg.families & (v6 ? CFG_BGP_V6 : CFG_BGP_V4)))
			continue;
		wr_u8(&w, 1); /* multiprotocol (4760 8) */
		wr_u8(&w, 4);
		wr_u16(&w, v6 ? BGP_AFI_V6 : BGP_AFI_V4);
		wr_u16(&w, BGP_SAFI_UNICAST);
	}
	wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_CAP, caps, w.len, "no address family in common: here %s%s%s",
		   p->cfg.families & CFG_BGP_V4 ? "IPv4" : "",
		   p->cfg.families == (CFG_BGP_V4 | CFG_BGP_V6) ? " and " : "",
		   p->cfg.families & CFG_BGP_V6 ? "IPv6" : "");
}

bool session_negotiate(struct conn *c, const struct bgp_open *o, struct bgp_error *err)
{
	const struct cfg_bgp_peer *cfg = &c->peer->cfg;
	uint32_t keepalive_ms;
	bool v4 = o->mp ? o->mp_v4 : true, v6 = o->mp && o->mp_v6;

	v4 = v4 && cfg->families & CFG_BGP_V4;
	v6 = v6 && cfg->families & CFG_BGP_V6;
	if (!v4 && !v6) {
		missing_family(c->peer, err);
		return false;
	}
	c->open = *o;
	c->open_rcvd = true;
	c->refresh = o->refresh;
	/* RFC 4271 4.2: the smaller; 4.4: a third of it at most */
	c->hold_s = o->hold_s < cfg->hold_s ? o->hold_s : cfg->hold_s;
	keepalive_ms = c->hold_s * 1000u / 3;
	if (cfg->keepalive_s && cfg->keepalive_s * 1000u < keepalive_ms)
		keepalive_ms = cfg->keepalive_s * 1000u;
	c->keepalive_ms = c->keepalive_in_ms = keepalive_ms;
	c->codec = (struct bgp_codec){
		.as4 = o->as4,
		.mp_v4 = v4,
		.mp_v6 = v6,
		.local_as = c->peer->b->as,
		.peer_as = cfg->as,
		.local = c->local,
		.remote = cfg->addr,
	};
	return true;
}

/* ---- sending, closing ---- */

static void send_open(struct conn *c)
{
	struct bgp_open o;
	uint8_t buf[BGP_MSG_MAX];

	session_own_open(c->peer, &o);
	conn_send(c, buf, wire_open_build(buf, sizeof(buf), &o));
}

static void send_keepalive(struct conn *c)
{
	uint8_t buf[BGP_HDR];

	conn_send(c, buf, wire_keepalive_build(buf, sizeof(buf)));
}

static void send_error(struct conn *c)
{
	const struct bgp_error *e = &c->err;
	uint8_t buf[BGP_MSG_MAX];
	bool text = e->code == BGP_ERR_CEASE && (e->sub == BGP_CEASE_SHUTDOWN || e->sub == BGP_CEASE_RESET);

	if (!c->up)
		return;
	conn_send(c, buf,
		  text ? wire_shutdown_build(buf, sizeof(buf), e->sub, c->words)
		       : wire_notification_build(buf, sizeof(buf), e->code, e->sub, e->data, e->data_len));
}

void session_close(struct conn *c, bool tell)
{
	const struct bgp_env *env = &c->peer->b->env;
	uint32_t id = c->id;

	c->id = 0;
	c->up = false;
	if (id && tell)
		env->close(env->ctx, id);
}

/* ---- actions ---- */

enum fsm_event session_stay(struct conn *c)
{
	(void)c;
	return FSM_NONE;
}

enum fsm_event session_connect(struct conn *c)
{
	const struct bgp_env *env = &c->peer->b->env;
	int rc;

	conn_open(c, true);
	rc = env->connect(env->ctx, c->peer->index, c->id);
	if (rc == 0)
		return FSM_NONE;
	session_close(c, false);
	peer_failed(c->peer, "cannot begin a TCP connection: %s", err_str(rc));
	return FSM_TCP_FAIL;
}

enum fsm_event session_reconnect(struct conn *c)
{
	char addr[IP_STR];

	peer_failed(c->peer, "no answer to the TCP connection to %s within %u s%s", ip_str(&c->peer->cfg.addr, addr),
		    c->peer->cfg.connect_retry_s, session_tcp_remedy(c->peer, -ETIMEDOUT));
	session_close(c, true);
	session_timer(c, T_RETRY, peer_jitter(c->peer, 1000ull * c->peer->cfg.connect_retry_s));
	return session_connect(c);
}

enum fsm_event session_restart(struct conn *c)
{
	struct peer *p = c->peer;

	p->damped = false;
	if (!peer_wanted(p))
		return FSM_NONE;
	if (p->second->state >= BGP_OPENSENT) {
		/* The peer's connection has won; should it fail, we are there again soon. */
		session_timer(c, T_IDLE, peer_jitter(p, PEER_BACKOFF_MIN_MS));
		return FSM_NONE;
	}
	return p->cfg.connect == CFG_BGP_PASSIVE ? FSM_START_PASSIVE : FSM_START;
}

enum fsm_event session_open(struct conn *c)
{
	c->up = true;
	send_open(c);
	return FSM_NONE;
}

enum fsm_event session_confirm(struct conn *c)
{
	send_keepalive(c);
	return FSM_NONE;
}

enum fsm_event session_keepalive(struct conn *c)
{
	send_keepalive(c);
	return FSM_NONE;
}

enum fsm_event session_alive(struct conn *c)
{
	hold_restart(c);
	return FSM_NONE;
}

enum fsm_event session_update(struct conn *c)
{
	hold_restart(c);
	return input_update(c);
}

enum fsm_event session_refresh(struct conn *c)
{
	if (c->family != IP_NONE)
		out_refresh(c->peer->b->rib, c->peer->index, c->family);
	return FSM_NONE;
}

enum fsm_event session_drop(struct conn *c)
{
	session_close(c, true);
	return FSM_NONE;
}

enum fsm_event session_lost(struct conn *c)
{
	session_close(c, true);
	c->peer->damp = true;
	return FSM_NONE;
}

enum fsm_event session_say(struct conn *c)
{
	struct peer *p = c->peer;
	char name[128], remedy[256];

	send_error(c);
	session_remedy(p, c->err.code, c->err.sub, true, remedy, sizeof(remedy));
	peer_error(p, "told the peer %u/%u %s%s%s%s%s", c->err.code, c->err.sub,
		   wire_error_text(c->err.code, c->err.sub, name, sizeof(name)), *c->err.text ? ": " : "", c->err.text,
		   *remedy ? ": " : "", remedy);
	/* What was asked for is no error. */
	if (c->err.code == BGP_ERR_CEASE && c->err.sub != BGP_CEASE_MAX_PREFIX)
		p->bad = false;
	session_close(c, true);
	return FSM_NONE;
}

enum fsm_event session_say_damp(struct conn *c)
{
	c->peer->damp = true;
	return session_say(c);
}

enum fsm_event session_told(struct conn *c)
{
	struct peer *p = c->peer;
	const struct bgp_notification *n = &c->told;
	char text[512], remedy[256];

	/* To have lost a collision is no error. */
	if (n->code == BGP_ERR_CEASE && n->sub == BGP_CEASE_COLLISION) {
		peer_cause(p, "connection collision: the peer keeps the other one (RFC 4271 6.8)");
		session_close(c, true);
		return FSM_NONE;
	}
	session_remedy(p, n->code, n->sub, false, remedy, sizeof(remedy));
	peer_error(p, "the peer says %u/%u %s%s%s", n->code, n->sub, wire_notification_text(n, text, sizeof(text)),
		   *remedy ? ": " : "", remedy);
	session_close(c, true);
	p->damp = true;
	return FSM_NONE;
}

enum fsm_event session_hold_expired(struct conn *c)
{
	wire_error(&c->err, BGP_ERR_HOLD, 0, NULL, 0, "the peer was silent for %u s",
		   c->state == BGP_OPENSENT ? PEER_OPEN_HOLD_MS / 1000 : c->hold_s);
	return session_say_damp(c);
}

enum fsm_event session_send_hold_expired(struct conn *c)
{
	wire_error(&c->err, BGP_ERR_SEND_HOLD, 0, NULL, 0, "the peer has read nothing for too long");
	return session_say_damp(c);
}

enum fsm_event session_collision(struct conn *c)
{
	struct peer *p = c->peer;

	wire_error(&c->err, BGP_ERR_CEASE, BGP_CEASE_COLLISION, NULL, 0, "another connection of the two is kept");
	send_error(c);
	peer_cause(p, "connection collision: the other one is kept (RFC 4271 6.8)");
	session_close(c, true);
	return FSM_NONE;
}

enum fsm_event session_unexpected(struct conn *c)
{
	static const char *const names[] = {"?", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"};
	uint8_t sub = c->state == BGP_OPENSENT      ? BGP_FSM_OPENSENT
		      : c->state == BGP_OPENCONFIRM ? BGP_FSM_OPENCONFIRM
						    : BGP_FSM_ESTABLISHED;

	wire_error(&c->err, BGP_ERR_FSM, sub, &c->type, 1, "%s is out of place in %s",
		   names[c->type < N_ELEMS(names) ? c->type : 0], bgp_state_name(c->state));
	return session_say_damp(c);
}

/* ---- hooks ---- */

void session_enter_idle(struct conn *c)
{
	struct peer *p = c->peer;

	stop_timers(c);
	c->hold_s = c->keepalive_ms = 0;
	c->open_rcvd = false;
	if (c != p->main)
		return;
	p->damped = p->damp;
	if (p->damp || peer_wanted(p))
		session_timer(c, T_IDLE, p->damp ? peer_backoff(p) : peer_jitter(p, PEER_BACKOFF_MIN_MS));
	p->damp = false;
}

/* "Sufficiently large to allow TCP initialization" (8.2.2) */
void session_enter_connect(struct conn *c)
{
	session_timer(c, T_RETRY, peer_jitter(c->peer, 1000ull * c->peer->cfg.connect_retry_s));
}

/* A failed attempt is repeated soon at first, then at connect-retry. */
void session_enter_active(struct conn *c)
{
	struct peer *p = c->peer;
	uint64_t most = 1000ull * p->cfg.connect_retry_s, soon = 1000ull << p->tries;

	stop_timers(c);
	if (c != p->main || p->cfg.connect == CFG_BGP_PASSIVE)
		return;
	if (p->tries < 16)
		p->tries++;
	session_timer(c, T_RETRY, peer_jitter(p, u64_min(soon, most)));
}

void session_enter_opensent(struct conn *c)
{
	session_timer_stop(c, T_RETRY);
	session_timer(c, T_HOLD, PEER_OPEN_HOLD_MS);
}

void session_enter_openconfirm(struct conn *c)
{
	hold_restart(c);
	session_keepalive_restart(c, true);
}

/* 5.1.3: only to a peer on a network of ours may a next hop of that network be passed on. IP_NONE: it is on none. */
static struct ip_prefix port_network(const struct peer *p)
{
	const struct config *cfg = p->b->cfg;
	struct ip_prefix net = {.len = 0};

	for (unsigned i = 0; i < cfg->n_ports; i++)
		for (unsigned k = 0; k < cfg->port[i].n_addr; k++)
			if (ip_prefix_contains(&cfg->port[i].addr[k], &p->cfg.addr) &&
			    cfg->port[i].addr[k].len >= net.len)
				net = cfg->port[i].addr[k];
	ip_mask(&net.addr, net.len);
	return net;
}

void session_enter_established(struct conn *c)
{
	struct peer *p = c->peer;
	struct ip_prefix net = port_network(p);
	struct rib_session s = {
		.codec = c->codec,
		.remote_id = c->open.id,
		.default_originate = p->cfg.default_originate,
		.max_prefix_out = p->cfg.max_prefix_out,
		.multihop = p->cfg.multihop   ? p->cfg.multihop
			    : net.addr.family ? 0
					      : 255,
		.lan = net,
	};

	p->established++;
	p->established_ms = p->b->now;
	p->tries = 0;
	p->limit_hit = p->grave = p->damped = false;
	p->refresh_v4 = p->refresh_v6 = false;
	peer_cause(p, "session is up: hold time %u s, keepalive %u s%s%s%s", c->hold_s, c->keepalive_ms / 1000,
		   c->codec.mp_v4 ? ", IPv4" : "", c->codec.mp_v6 ? ", IPv6" : "", c->codec.as4 ? "" : ", 2-octet AS");
	rib_peer_up(p->b->rib, p->index, &s);
	peer_ready(p);
}

void session_leave_established(struct conn *c)
{
	struct peer *p = c->peer;

	if (p->b->now - p->established_ms >= PEER_LIVED_MS)
		p->backoff_ms = p->limit_ms = 0;
	rib_peer_down(p->b->rib, p->index);
}
