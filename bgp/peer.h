/* The core's own structs: the core, its peers, their connections. Private to bgp/ (and to its tests).
 *
 *   bgp.c      the door: events to peers, time
 *   peer.c     a peer's life: start, stop, back-off, which connection counts, what is shown
 *   fsm.c      the state machine of a connection
 *   session.c  its actions and timers; OPEN negotiated
 *   conn.c     a connection's octets: framing, sending
 *   input.c    a message's checks, and which event it is; UPDATE into the RIB
 *   collide.c  RFC 4271 6.8
 *   reload.c   a config becomes peers
 *   remedy.c   what to do about a NOTIFICATION
 *   show.c     for people
 */
#pragma once

#include "base/list.h"
#include "bgp/attr.h"
#include "bgp/bgp.h"
#include "bgp/fsm.h"
#include "bgp/intern.h"
#include "bgp/policy.h"
#include "bgp/rib.h"
#include "bgp/update.h"
#include "bgp/wire.h"

enum conn_timer { T_RETRY, T_IDLE, T_KEEPALIVE, T_HOLD, T_SEND_HOLD, CONN_TIMER_N };
#define NEVER UINT64_MAX

enum {
	PEER_OPEN_HOLD_MS = 240000, /* until an OPEN has come (8.2.2) */
	PEER_BACKOFF_MIN_MS = 1000, /* after an error; doubled each time */
	PEER_BACKOFF_MAX_MS = 60000,
	PEER_LIMIT_MIN_MS = 60000, /* after max-prefix-in */
	PEER_LIMIT_MAX_MS = 960000,
	PEER_LIVED_MS = 30000,             /* a session of this age ends the back-off */
	PEER_SEND_HOLD_0_MS = 480000,      /* send-hold without a hold time (RFC 9687's 8 minutes) */
	PEER_LATE_MS = 1000,               /* a hold timer looked at this late: we slept, not the peer */
	PEER_REPORT_MS = 60000,            /* between reports of malformed UPDATEs of a peer */
	PEER_ASIDE_MS = 10000,             /* between words about a second connection */
	CONN_OUT_MAX = 4 * BGP_MSG_MAX,    /* what is pulled from the Adj-RIB-Out at once */
	CONN_OUT_ROOM = BGP_MSG_MAX + 512, /* for messages that do not wait: NOTIFICATION, OPEN, KEEPALIVE */
	CONN_PULLS = 64,                   /* UPDATEs in one go */
	PEER_CAUSE_MAX = 400,
};

/* Of an open connection; taken with it and freed behind it. */
struct conn_io {
	size_t in_len;          /* octets of a message whose rest is to come */
	size_t out_at, out_len; /* what waits is out[out_at..out_len) */
	uint8_t in[BGP_MSG_MAX];
	uint8_t out[CONN_OUT_MAX + CONN_OUT_ROOM];
};

struct conn {
	struct peer *peer;
	enum bgp_state state; /* fsm.c writes it, nobody else */
	uint32_t id;          /* 0: no TCP connection, nor an attempt at one */
	bool ours;            /* we have made it */
	bool up;              /* TCP is open */
	bool blocked;         /* bgp_writable() will come */
	bool keepalive_waits; /* one stands in out already */
	bool hold_grace;      /* the hold timer was late once */
	bool fresh;           /* bgp_accepted() has not returned its number yet: nothing may be sent */
	uint64_t at[CONN_TIMER_N];
	struct ip_addr local;
	struct conn_io *io;

	/* negotiated; valid from OpenConfirm */
	struct bgp_open open; /* the peer's */
	bool open_rcvd;
	uint32_t hold_s, keepalive_ms, keepalive_in_ms; /* in: with this round's jitter */
	bool refresh;
	struct bgp_codec codec;

	/* of the event that is being handled */
	struct bgp_error err;         /* to be sent */
	char words[128];              /* Cease: RFC 9003's text; "" */
	uint8_t type;                 /* of the message */
	struct rd body;               /* behind the header */
	uint8_t family;               /* of ROUTE-REFRESH */
	struct bgp_notification told; /* that was received */
};

struct peer {
	struct bgp *b;
	uint32_t index;
	struct cfg_bgp_peer cfg;
	const struct policy *import, *export;
	struct conn conn[2];
	struct conn *main, *second; /* fsm.h */

	/* what keeps it from being tried */
	char unreachable[160]; /* ""; else why */
	bool damped;           /* main waits in Idle after an error; connections of the peer are refused meanwhile */
	bool damp;             /* an action asks for that */
	bool limit;            /* max-prefix-in was the cause: the long back-off */
	uint32_t backoff_ms, limit_ms; /* of the last error */
	unsigned tries;                /* TCP attempts without a session since; ConnectRetryCounter */

	bool refresh_v4, refresh_v6; /* ROUTE-REFRESH to be sent */
	struct list ready;           /* in bgp->ready: has something to send, and its socket takes it */

	/* for show */
	enum bgp_state shown;
	uint64_t since_ms, established_ms;
	uint64_t msg_in[6], msg_out[6], established;
	uint64_t malformed_withdraw, malformed_discard;
	uint64_t report_at_ms; /* malformed UPDATEs are told of again from then on */
	uint32_t unreported;
	uint64_t aside_at_ms; /* the like, of connections that do not count */
	bool limit_hit;
	bool caps_rcvd; /* open is of the last session */
	struct bgp_open open;
	char last_error[PEER_CAUSE_MAX];
	uint64_t last_error_ms;
	bool grave;                 /* a NOTIFICATION or a lost session: failed attempts do not hide it */
	char cause[PEER_CAUSE_MAX]; /* of the event that is being handled */
	bool bad;                   /* it is an error */
	bool cause_told;
	char told[PEER_CAUSE_MAX]; /* of the last notice: nothing is told twice */
};

struct bgp_own {
	struct ip_prefix prefix;
	bool present;
};

struct bgp {
	struct bgp_env env;
	uint64_t now;
	uint32_t serial; /* of connections */
	bool down;       /* bgp_shutdown() */
	const struct config *cfg;
	uint32_t as, router_id;
	struct peer **peer; /* by index; NULL: free */
	unsigned n_peers;
	struct rib *rib;
	struct intern *intern;
	struct policy_set *policies;
	struct list ready;
	uint64_t due; /* no timer is due before; may be too early, never too late */
	struct bgp_own *own;
	unsigned n_own;
	struct bgp_update update; /* scratch of one message */
};

/* ---- peer.c ---- */
struct peer *peer_new(struct bgp *b, uint32_t index, const struct cfg_bgp_peer *cfg);
/* Not in the RIB any more. */
void peer_free(struct peer *p);
/* May a session be tried? */
bool peer_wanted(const struct peer *p);
/* The connection that counts for show. */
struct conn *peer_best(const struct peer *p);
enum bgp_state peer_state(const struct peer *p);
/* main starts now if it waits in Idle and nothing forbids it. */
void peer_kick(struct peer *p);
/* Cease with a subcode (and words) on every connection. */
void peer_stop(struct peer *p, uint8_t sub, const char *words);
/* Forget errors and back-off. */
void peer_forgive(struct peer *p);
/* After any event: Established becomes main, what has ended is put away. */
void peer_settle(struct peer *p);
/* How long main waits in Idle now. */
uint64_t peer_backoff(struct peer *p);
/* 75..100 % of ms (RFC 4271 10). */
uint64_t peer_jitter(struct peer *p, uint64_t ms);
/* Words on why; the first ones of an event stay. */
void peer_cause(struct peer *p, const char *fmt, ...) PRINTF(2, 3);
/* The same, and they are the last error. */
void peer_error(struct peer *p, const char *fmt, ...) PRINTF(2, 3);
/* An attempt to connect has failed: the last error only if none was said in words since the last session. */
void peer_failed(struct peer *p, const char *fmt, ...) PRINTF(2, 3);
/* A path of the peer misbehaves: tell, but seldom. */
void peer_report(struct peer *p, const char *what, const char *why);
/* The Adj-RIB-Out has something: send it in bgp_tick(). */
void peer_ready(struct peer *p);

/* ---- session.c ---- */
void session_timer(struct conn *c, enum conn_timer t, uint64_t in_ms);
void session_timer_stop(struct conn *c, enum conn_timer t);
/* The next KEEPALIVE is due a keepalive time from now; again: with new jitter. */
void session_keepalive_restart(struct conn *c, bool again);
/* The event of a timer that is due. */
enum fsm_event session_timer_event(struct conn *c, enum conn_timer t);
/* What we say of ourselves. */
void session_own_open(const struct peer *p, struct bgp_open *o);
/* Can we do with the peer's OPEN? Fills what is negotiated; false: err. */
bool session_negotiate(struct conn *c, const struct bgp_open *o, struct bgp_error *err);
/* Out of TCP's way: the connection is put away. tell: call env's close. */
void session_close(struct conn *c, bool tell);
/* What to do about a NOTIFICATION that we sent or received; "": nothing special. buf is lent. */
const char *session_remedy(const struct peer *p, uint8_t code, uint8_t sub, bool sent, char *buf, size_t cap);
/* The same about a TCP connection that did not come about, err -errno: ": words", or "". */
const char *session_tcp_remedy(const struct peer *p, int err);

/* ---- conn.c ---- */
/* A new number and buffers; the state is not touched. */
void conn_open(struct conn *c, bool ours);
/* Octets of the stream. false: the connection is gone. */
bool conn_input(struct conn *c, const uint8_t *p, size_t len);
/* A whole message, in front of all that is not yet in out. false: it does not fit. */
bool conn_send(struct conn *c, const uint8_t *msg, size_t len);
/* Let the socket take what it will, and refill from the Adj-RIB-Out, at most CONN_PULLS messages. */
void conn_pump(struct conn *c);

/* ---- input.c ---- */
/* A whole message of a checked header. */
void input_message(struct conn *c, uint8_t type, struct rd msg);
/* An UPDATE (c->body) into the RIB: FSM_NONE, FSM_UPDATE_ERROR or FSM_AUTO_STOP. */
enum fsm_event input_update(struct conn *c);
/* max-prefix-in is exceeded: fills err for FSM_AUTO_STOP. */
void input_limit(struct conn *c, uint8_t family);

/* ---- collide.c ---- */
enum collide_verdict { COLLIDE_NONE, COLLIDE_NEW_LOSES, COLLIDE_OLD_LOSES };
struct collide_side {
	uint32_t id, as; /* host order */
};
/* An OPEN of `remote` has come on a connection (ours: we made it) while another of the peer is in state old, whose OPEN
 * named old_id (once it is in OpenConfirm). RFC 4271 6.8, RFC 6286 2.3. */
enum collide_verdict collide(enum bgp_state old, uint32_t old_id, bool ours, struct collide_side local,
			     struct collide_side remote);

/* ---- reload.c ---- */
/* The row of a prefix in a sorted list; NULL: none. */
struct bgp_own *reload_own(struct bgp_own *own, unsigned n, const struct ip_prefix *prefix);
