/* Which message may come when, and what is done about it: rows that are searched (RFC 7296 1.2 to 1.4).
 *
 * A row names states, role, exchange and direction, and the payloads that must and may be there, in clear and inside SK.
 * At most one row fits any message (a test proves it), so their order says nothing. Presence is checked before run, so
 * an exchange's functions never ask "is it there?" for what their row needs. Only step_to() writes an SA's state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/ike/core.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/wire.h"

struct xchg;

/* A received message, checked: header, and the chain that counts (inside SK; IKE_SA_INIT: the clear one). */
struct step_msg {
	const struct ike_msg *m;
	const struct ike_chain *c;
	const struct ike_path *path;
	uint64_t print; /* msgid_print() of what came, of its first fragment where it was cut */
};

/* x: the peer's request being answered (sa->x_in), or our exchange that is answered (sa->x_out). */
typedef void step_fn(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct step_msg *in);

enum step_role { STEP_ANY, STEP_INITIATOR, STEP_RESPONDER };

struct step {
	const char *name;
	uint32_t from;       /* bits 1 << enum ike_sa_state */
	enum step_role role; /* ours in the IKE SA */
	uint8_t exchange;
	bool request;
	uint32_t need, may;       /* IKE_PL_BIT: in clear (SK's own bit among them) */
	uint32_t sk_need, sk_may; /* inside SK */
	step_fn *run;
	enum ike_sa_state to; /* when the exchange ends well; IKE_SA_STATE_N: stays */
};

/* The row for a message, or NULL. inner: NULL when there is no SK. */
const struct step *step_find(enum ike_sa_state state, bool initiator, const struct ike_hdr *h,
			     const struct ike_chain *clear, const struct ike_chain *inner);
/* All rows, for tests and the printed table. */
const struct step *step_rows(unsigned *n);
/* The one writer of sa->state. */
void step_to(struct ike *k, struct ike_sa *sa, enum ike_sa_state to);
/* A request whose payloads are there, but malformed inside: INVALID_SYNTAX, and the end of the SA (2.21.3). */
void step_bad_request(struct ike *k, struct ike_sa *sa, struct xchg *x, enum ike_verdict v);
/* A response that breaks the protocol: the SA is closed (2.21). */
void step_bad_response(struct ike *k, struct ike_sa *sa, struct xchg *x, const char *what);
/* After any event of an SA: the next request, and the timer. */
void step_settle(struct ike *k, struct ike_sa *sa);
/* A datagram for an SA that exists. */
void step_input(struct ike *k, struct ike_sa *sa, const struct ike_path *path, const uint8_t *msg, size_t len);

/* ---- the exchanges' runs and beginnings: each in the file of its exchange ---- */

/* x_init.c */
void x_init_request(struct ike *k, const struct ike_path *path, const uint8_t *msg, size_t len,
		    const struct ike_hdr *h);
struct ike_sa *x_init_start(struct ike *k, uint32_t tunnel, const struct ike_path *path);
step_fn x_init_accept, x_init_response, x_init_notify;
/* x_auth.c */
void x_auth_start(struct ike *k, struct ike_sa *sa);
step_fn x_auth_request, x_auth_eap, x_auth_response, x_auth_refused;
/* x_child.c */
void x_child_start(struct ike *k, struct ike_sa *sa, struct xchg *x);
/* Responder: choose a suite, selectors and an SPI for the child that x asks for, in x; 0 or the error notify to answer
 * with. nonces and offer are in x; the answer's selectors are put in place of the peer's. */
uint16_t x_child_negotiate(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t ke_group, unsigned flags);
/* Initiator: the child refused: tell people, and remember it. How long to leave it at that, in ms. */
uint64_t x_child_why_refused(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t notify);
/* Initiator: it is no transport mode where the config wants that: true, and it is on its way out. */
bool x_child_wrong_mode(struct ike *k, struct ike_sa *sa, struct ike_child *c);
/* Initiator: read and check SAr, TSi, TSr and the mode against what x offered. */
enum ike_verdict x_child_verify(struct ike *k, struct ike_sa *sa, struct xchg *x, const struct ike_chain *c);
/* Write SA and, after the caller's nonce and KE, the selectors. */
void x_child_put_sa(struct wire_out *o, const struct payload_sa *sa);
void x_child_put_ts(struct wire_out *o, const struct xchg *x);
step_fn x_child_request, x_child_response, x_child_refused, x_child_ignored, x_child_busy;
/* rekey.c */
void rekey_ike_start(struct ike *k, struct ike_sa *sa, struct xchg *x);
step_fn rekey_ike_request, rekey_ike_response;
/* x_info.c */
void x_info_start(struct ike *k, struct ike_sa *sa, struct xchg *x);
step_fn x_info_request, x_info_response;
/* Does this chain delete the IKE SA it came on? */
bool x_info_deletes_ike(const struct ike_chain *c);
