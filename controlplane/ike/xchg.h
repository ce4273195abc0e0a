/* One exchange in progress, and the queue of those to come (RFC 7296 2.3: window 1 in each direction).
 *
 * A message is handled by its exchange's file in turns: what can be done at once is done; slow crypto (a job) and
 * the data plane's acknowledgement end a turn, and x->then is the next one. While it waits, the SA's other direction
 * goes on. What a turn needs of the message is copied into struct xchg: views die with the datagram.
 */
#pragma once

#include "controlplane/ike/job.h"
#include "controlplane/ike/proposal.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/step.h"
#include "controlplane/ike/ts.h"

/* Our requests, in the order in which waiting ones are begun. */
#define XCHG_KINDS(X)                        \
	X(XCHG_INIT, "ike-init")             \
	X(XCHG_AUTH, "ike-auth")             \
	X(XCHG_IKE_DELETE, "delete-ike")     \
	X(XCHG_AUTH_FAILED, "refuse-peer")   \
	X(XCHG_CHILD_DELETE, "delete-child") \
	X(XCHG_CHILD_REKEY, "rekey-child")   \
	X(XCHG_CHILD_CREATE, "create-child") \
	X(XCHG_IKE_REKEY, "rekey-ike") X(XCHG_LIVENESS, "liveness") X(XCHG_ANSWER, "answer") /* the peer's request */
XLIST_ENUM(xchg_kind, XCHG_KIND_N, XCHG_KINDS);
const char *xchg_kind_name(unsigned v);

typedef void xchg_then_fn(struct ike *k, struct ike_sa *sa, struct xchg *x);

struct xchg {
	enum xchg_kind kind;
	bool ours;
	uint8_t exchange; /* enum ike_exchange */
	uint32_t mid;
	struct ike_path path; /* answer: where the request came from */
	enum ike_sa_state to; /* state when it ends well; IKE_SA_STATE_N: as it is */
	struct ike_job *job;
	bool job_out;       /* being done: not ours until it returns */
	bool waits_in;      /* for the ack of child's inbound half */
	xchg_then_fn *then; /* the next turn */

	uint32_t tunnel; /* IKE_AUTH's answer: whose it is, once that is proved */
	struct ike_nonce ni, nr;
	struct crypto_dh dh;
	struct crypto_shared shared; /* len 0: none */
	const struct alg *group;     /* of the KE; NULL: none */
	unsigned corrections;
	struct payload_sa offer; /* ours: as sent. Answer: the peer's */
	struct proposal_choice choice;
	struct payload_ts tsi, tsr; /* ours: as sent. Answer: first the peer's, then the answer to send */
	struct ts_result ts;
	uint32_t spi_in;                /* allocated for the child to be; 0: none, or taken over */
	uint8_t index;                  /* of the child in its tunnel */
	bool transport;                 /* asked for, then agreed: RFC 7296 1.3.1 */
	uint32_t old_spi_in;            /* child that is rekeyed or deleted; 0: none */
	uint64_t new_spi;               /* IKE rekey: ours for the new SA */
	uint64_t peer_spi;              /* IKE_SA_INIT's response: the responder's SPI */
	bool ike_rekey;                 /* answer: of a rekey of the IKE SA */
	bool redundant;                 /* answer: a collision was decided against what it makes */
	uint32_t child;                 /* spi_in of the child that waits for its ack; 0: none */
	enum ike_verdict child_verdict; /* IKE_AUTH: why there is no child */
	bool child_refused;             /* the peer said so */
	bool initial_contact;
	struct cfg_id id_i, id_r;
	bool has_id_r;
	struct auth_value auth; /* ours */
};

/* ---- an exchange ---- */

struct xchg *xchg_new(enum xchg_kind kind, bool ours, uint8_t exchange, uint32_t mid);
/* Free x (sa's x_in or x_out) and what it holds: an unused SPI goes back. A job that is out comes back to nobody. */
void xchg_drop(struct ike *k, struct ike_sa *sa, struct xchg *x);
/* Give a job away; `then` runs when it is back, with x->job still set (xchg_job_free() afterwards). */
void xchg_wait_job(struct ike *k, struct ike_sa *sa, struct xchg *x, struct ike_job *job, xchg_then_fn *then);
void xchg_job_free(struct xchg *x);
/* A DH job of a group, with a fresh seed. */
struct ike_job *xchg_job_dh(struct ike *k, enum job_kind kind, const struct alg *group);
/* The same for the answer's secret: our private value is x->dh, theirs is ke. */
struct ike_job *xchg_job_shared(const struct xchg *x, const struct payload_ke *ke);
void xchg_nonce(struct ike *k, struct ike_nonce *n);
/* What a request has in common with all: SA, nonce, and the KE if there is one (ke->group 0: none). Bodies only. */
enum ike_verdict xchg_read_offer(const struct ike_chain *c, struct payload_sa *sa, struct ike_nonce *nonce,
				 struct payload_ke *ke) MUST_USE;
/* `then` runs when the child's inbound half is acknowledged or refused (then c is gone: x->child is 0). */
void xchg_wait_in(struct xchg *x, const struct ike_child *c, xchg_then_fn *then);
/* The exchange of this SA that waits for this child, or NULL. */
struct xchg *xchg_waiting_for(struct ike_sa *sa, const struct ike_child *c);
/* The exchange that waits for this job is told. */
void xchg_job_done(struct ike *k, struct ike_sa *sa, struct xchg *x, struct ike_job *job);

/* Start a protected message of this exchange in k->out. */
void xchg_begin(struct ike *k, struct ike_sa *sa, const struct xchg *x, struct wire_out *o);
/* Seal and send it as request (kept for retransmission), or as answer (kept for repeats; x is dropped and the state
 * moves to x->to). A failure of crypto or size ends the SA. */
void xchg_request(struct ike *k, struct ike_sa *sa, struct xchg *x, struct wire_out *o);
void xchg_answer(struct ike *k, struct ike_sa *sa, struct xchg *x, struct wire_out *o);
/* Answer with one error notify; the state stays. */
void xchg_answer_error(struct ike *k, struct ike_sa *sa, struct xchg *x, uint16_t type, const void *data, size_t len);
/* Our exchange ended well: x is dropped, the state moves to x->to, the next one begins. */
void xchg_done(struct ike *k, struct ike_sa *sa, struct xchg *x);

/* ---- the queue ---- */

struct xchg_task {
	struct list node;
	enum xchg_kind kind;
	uint32_t which; /* CHILD_REKEY, CHILD_DELETE: its spi_in; CHILD_CREATE: its index in the tunnel; else 0 */
	uint64_t due_ms;
};

/* Ask for an exchange; an equal one that waits already gets the earlier time of both. */
void xchg_queue(struct ike *k, struct ike_sa *sa, enum xchg_kind kind, uint32_t which, uint64_t due_ms);
/* Forget waiting ones: of a kind (XCHG_KIND_N: all) and child (0: any). */
void xchg_unqueue(struct ike_sa *sa, enum xchg_kind kind, uint32_t spi_in);
bool xchg_queued(const struct ike_sa *sa, enum xchg_kind kind, uint32_t which);
/* Begin the next request, if none is on its way and one is due. */
void xchg_kick(struct ike *k, struct ike_sa *sa);
uint64_t xchg_deadline(const struct ike_sa *sa);
