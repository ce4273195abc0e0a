#include "bgp/fsm.h"

#include <assert.h>

#include "bgp/peer.h"

XLIST_NAME(fsm_event_name, FSM_EVENT_N, FSM_EVENTS)

#define DO(to, fn)                                     \
	{                                              \
		.next = (to), .act = (fn), .name = #fn \
	}

/* 8.2.2, "in response to any other event". Idle: no change. Without a connection: Idle. With one: FSM error (RFC 6608). */
static const struct fsm_arc otherwise[BGP_STATE_N] = {
	[BGP_IDLE] = {BGP_IDLE, session_stay, "session_stay", true},
	[BGP_CONNECT] = {BGP_IDLE, session_lost, "session_lost", true},
	[BGP_ACTIVE] = {BGP_IDLE, session_lost, "session_lost", true},
	[BGP_OPENSENT] = {BGP_IDLE, session_unexpected, "session_unexpected", true},
	[BGP_OPENCONFIRM] = {BGP_IDLE, session_unexpected, "session_unexpected", true},
	[BGP_ESTABLISHED] = {BGP_IDLE, session_unexpected, "session_unexpected", true},
};

static const struct fsm_arc arcs[BGP_STATE_N][FSM_EVENT_N] = {
	[BGP_IDLE] =
		{
			[FSM_START] = DO(BGP_CONNECT, session_connect),
			[FSM_START_PASSIVE] = DO(BGP_ACTIVE, session_stay),
			[FSM_IDLE_EXPIRES] = DO(BGP_IDLE, session_restart),
		},
	[BGP_CONNECT] =
		{
			[FSM_START] = DO(BGP_CONNECT, session_stay),
			[FSM_START_PASSIVE] = DO(BGP_CONNECT, session_stay),
			[FSM_STOP] = DO(BGP_IDLE, session_drop),
			[FSM_AUTO_STOP] = DO(BGP_IDLE, session_drop),
			[FSM_RETRY_EXPIRES] = DO(BGP_CONNECT, session_reconnect),
			[FSM_TCP_OPEN] = DO(BGP_OPENSENT, session_open),
			/* As if the DelayOpenTimer ran: the peer may still come to us, and is not refused in Idle. */
			[FSM_TCP_FAIL] = DO(BGP_ACTIVE, session_drop),
		},
	[BGP_ACTIVE] =
		{
			[FSM_START] = DO(BGP_ACTIVE, session_stay),
			[FSM_START_PASSIVE] = DO(BGP_ACTIVE, session_stay),
			[FSM_STOP] = DO(BGP_IDLE, session_drop),
			[FSM_AUTO_STOP] = DO(BGP_IDLE, session_drop),
			[FSM_RETRY_EXPIRES] = DO(BGP_CONNECT, session_connect),
			[FSM_TCP_OPEN] = DO(BGP_OPENSENT, session_open),
		},
	[BGP_OPENSENT] =
		{
			[FSM_START] = DO(BGP_OPENSENT, session_stay),
			[FSM_START_PASSIVE] = DO(BGP_OPENSENT, session_stay),
			[FSM_STOP] = DO(BGP_IDLE, session_say),
			[FSM_AUTO_STOP] = DO(BGP_IDLE, session_say_damp),
			[FSM_HOLD_EXPIRES] = DO(BGP_IDLE, session_hold_expired),
			[FSM_TCP_FAIL] = DO(BGP_ACTIVE, session_drop),
			[FSM_OPEN] = DO(BGP_OPENCONFIRM, session_confirm),
			[FSM_HEADER_ERROR] = DO(BGP_IDLE, session_say_damp),
			[FSM_OPEN_ERROR] = DO(BGP_IDLE, session_say_damp),
			[FSM_SEND_HOLD_EXPIRES] = DO(BGP_IDLE, session_send_hold_expired),
			[FSM_COLLISION] = DO(BGP_IDLE, session_collision),
			/* 8.2.2 would answer with an FSM error; 6.4 and common sense do not answer a NOTIFICATION. */
			[FSM_NOTIFICATION] = DO(BGP_IDLE, session_told),
		},
	[BGP_OPENCONFIRM] =
		{
			[FSM_START] = DO(BGP_OPENCONFIRM, session_stay),
			[FSM_START_PASSIVE] = DO(BGP_OPENCONFIRM, session_stay),
			[FSM_STOP] = DO(BGP_IDLE, session_say),
			[FSM_AUTO_STOP] = DO(BGP_IDLE, session_say_damp),
			[FSM_HOLD_EXPIRES] = DO(BGP_IDLE, session_hold_expired),
			[FSM_KEEPALIVE_EXPIRES] = DO(BGP_OPENCONFIRM, session_keepalive),
			[FSM_TCP_FAIL] = DO(BGP_IDLE, session_lost),
			[FSM_HEADER_ERROR] = DO(BGP_IDLE, session_say_damp),
			[FSM_SEND_HOLD_EXPIRES] = DO(BGP_IDLE, session_send_hold_expired),
			[FSM_COLLISION] = DO(BGP_IDLE, session_collision),
			[FSM_NOTIFICATION] = DO(BGP_IDLE, session_told),
			[FSM_KEEPALIVE] = DO(BGP_ESTABLISHED, session_alive),
		},
	[BGP_ESTABLISHED] =
		{
			[FSM_START] = DO(BGP_ESTABLISHED, session_stay),
			[FSM_START_PASSIVE] = DO(BGP_ESTABLISHED, session_stay),
			[FSM_STOP] = DO(BGP_IDLE, session_say),
			[FSM_AUTO_STOP] = DO(BGP_IDLE, session_say_damp),
			[FSM_HOLD_EXPIRES] = DO(BGP_IDLE, session_hold_expired),
			[FSM_KEEPALIVE_EXPIRES] = DO(BGP_ESTABLISHED, session_keepalive),
			[FSM_TCP_FAIL] = DO(BGP_IDLE, session_lost),
			/* 8.2.2 would say FSM error; 6.1 asks for the error itself. */
			[FSM_HEADER_ERROR] = DO(BGP_IDLE, session_say_damp),
			[FSM_NOTIFICATION] = DO(BGP_IDLE, session_told),
			[FSM_KEEPALIVE] = DO(BGP_ESTABLISHED, session_alive),
			[FSM_UPDATE] = DO(BGP_ESTABLISHED, session_update),
			[FSM_UPDATE_ERROR] = DO(BGP_IDLE, session_say_damp),
			[FSM_REFRESH] = DO(BGP_ESTABLISHED, session_refresh),
			[FSM_REFRESH_ERROR] = DO(BGP_IDLE, session_say_damp),
			[FSM_SEND_HOLD_EXPIRES] = DO(BGP_IDLE, session_send_hold_expired),
		},
};

static fsm_hook *const on_enter[BGP_STATE_N] = {
	[BGP_IDLE] = session_enter_idle,
	[BGP_CONNECT] = session_enter_connect,
	[BGP_ACTIVE] = session_enter_active,
	[BGP_OPENSENT] = session_enter_opensent,
	[BGP_OPENCONFIRM] = session_enter_openconfirm,
	[BGP_ESTABLISHED] = session_enter_established,
};
static fsm_hook *const on_leave[BGP_STATE_N] = {
	[BGP_ESTABLISHED] = session_leave_established,
};

const struct fsm_arc *fsm_arc(enum bgp_state state, enum fsm_event ev)
{
	const struct fsm_arc *a = &arcs[state][ev];

	return a->act ? a : &otherwise[state];
}

/* The one writer of a connection's state. */
static void go(struct conn *c, enum bgp_state to, enum fsm_event why)
{
	enum bgp_state from = c->state;

	if (from == to)
		return;
	if (on_leave[from])
		on_leave[from](c);
	c->state = to;
	on_enter[to](c);
	peer_moved(c, from, why);
}

void fsm_run(struct conn *c, enum fsm_event ev)
{
	/* An action's own event never leads to one of the same kind, so a few rounds are all there can be. */
	for (unsigned rounds = 0; ev != FSM_NONE; rounds++) {
		const struct fsm_arc *a = fsm_arc(c->state, ev);
		enum fsm_event next = a->act(c);

		assert(rounds < 8);
		go(c, a->next, ev);
		ev = next;
	}
}
