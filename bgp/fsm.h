/* The state machine of one TCP connection: RFC 4271 8.2.2 as a table, arcs[state][event]. Private to bgp/.
 *
 * A peer has two of them (8.2.1.2): `main` connects to the peer, or holds the Established session; `second` is a
 * connection that the peer made, and ends in Idle when it is closed. fsm_run() does an arc's action, then goes to its state,
 * then takes the event that the action gave back. Actions and hooks never call fsm_run(). Only fsm.c writes conn->state.
 * Left out as the RFC allows: DelayOpen (events 12, 20), TrackTcpState (14, 15), CollisionDetectEstablishedState.
 */
#pragma once

#include "base/xlist.h"
#include "bgp/bgp.h"

struct conn;

/* The RFC's event numbers in brackets; 29 is RFC 9687's. */
#define FSM_EVENTS(X)                                     \
	X(FSM_NONE, "nothing")                            \
	X(FSM_START, "start [1, 3]")                      \
	X(FSM_START_PASSIVE, "passive start [4, 5]")      \
	X(FSM_STOP, "stop [2]")                           \
	X(FSM_AUTO_STOP, "automatic stop [8]")            \
	X(FSM_RETRY_EXPIRES, "connect-retry expires [9]") \
	X(FSM_HOLD_EXPIRES, "hold time expires [10]")     \
	X(FSM_KEEPALIVE_EXPIRES, "keepalive is due [11]") \
	X(FSM_IDLE_EXPIRES, "idle-hold expires [13]")     \
	X(FSM_TCP_OPEN, "TCP is open [16, 17]")           \
	X(FSM_TCP_FAIL, "TCP fails [18]")                 \
	X(FSM_OPEN, "OPEN [19]")                          \
	X(FSM_HEADER_ERROR, "bad header [21]")            \
	X(FSM_OPEN_ERROR, "bad OPEN [22]")                \
	X(FSM_COLLISION, "lost a collision [23]")         \
	X(FSM_NOTIFICATION, "NOTIFICATION [24, 25]")      \
	X(FSM_KEEPALIVE, "KEEPALIVE [26]")                \
	X(FSM_UPDATE, "UPDATE [27]")                      \
	X(FSM_UPDATE_ERROR, "bad UPDATE [28]")            \
	X(FSM_REFRESH, "ROUTE-REFRESH")                   \
	X(FSM_REFRESH_ERROR, "bad ROUTE-REFRESH")         \
	X(FSM_SEND_HOLD_EXPIRES, "send-hold expires [29]")
XLIST_ENUM(fsm_event, FSM_EVENT_N, FSM_EVENTS);
const char *fsm_event_name(unsigned v);

/* FSM_NONE, or the event that follows. */
typedef enum fsm_event fsm_action(struct conn *c);
typedef void fsm_hook(struct conn *c);

struct fsm_arc {
	enum bgp_state next;
	fsm_action *act;
	const char *name; /* of act, for the printed table */
	bool otherwise;   /* the state's answer to what it does not expect */
};

/* What happens to ev in state; never NULL. */
const struct fsm_arc *fsm_arc(enum bgp_state state, enum fsm_event ev);
void fsm_run(struct conn *c, enum fsm_event ev);

/* ---- actions (session.c) ---- */
fsm_action session_stay;              /* it is of no importance here */
fsm_action session_connect;           /* begin a TCP connection */
fsm_action session_reconnect;         /* drop the attempt, begin another */
fsm_action session_restart;           /* start again, if the peer is wanted */
fsm_action session_open;              /* send OPEN */
fsm_action session_confirm;           /* a good OPEN: send KEEPALIVE */
fsm_action session_keepalive;         /* send KEEPALIVE */
fsm_action session_alive;             /* hold timer from the start */
fsm_action session_update;            /* into the Adj-RIB-In */
fsm_action session_refresh;           /* send all of a family again */
fsm_action session_drop;              /* close without words */
fsm_action session_lost;              /* TCP is gone; back-off */
fsm_action session_say;               /* send conn->err, close */
fsm_action session_say_damp;          /* the same, and back-off */
fsm_action session_told;              /* the peer has said NOTIFICATION; back-off unless it was a collision */
fsm_action session_hold_expired;      /* 4/0 */
fsm_action session_send_hold_expired; /* 8/0 if it still fits */
fsm_action session_collision;         /* 6/7 */
fsm_action session_unexpected;        /* 5/x with the message's type; back-off */

/* ---- hooks: timers, the RIB (session.c) ---- */
fsm_hook session_enter_idle, session_enter_connect, session_enter_active, session_enter_opensent,
	session_enter_openconfirm, session_enter_established, session_leave_established;
/* The state has changed: show and tell (peer.c). */
void peer_moved(struct conn *c, enum bgp_state from, enum fsm_event why);
