/* Child SAs (RFC 7296 2.8, 2.17): two halves in the data plane, and when each comes and goes.
 *
 * No packet is lost in a rekey when the peer keeps to the same order:
 *   initiator: response -> inbound installed (acked) -> outbound installed (acked) -> Delete of the old pair -> its
 *              answer -> the old inbound half stays old_child_grace_ms for packets on their way.
 *   responder: inbound installed (acked) -> response -> the peer shows that it has the new pair (Delete of the old one,
 *              or traffic on the new) -> outbound installed (acked), then the old outbound half goes.
 * A key is handed over once. Plain data: no pointer but the list's.
 */
#pragma once

#include "base/list.h"
#include "controlplane/ike/core.h"
#include "controlplane/ike/proposal.h"
#include "controlplane/ike/ts.h"

struct ike_sa;
struct xchg;

enum child_half { HALF_NONE, HALF_PENDING, HALF_READY, HALF_GONE };

struct ike_child {
	struct list node; /* in ike_sa.children */
	uint32_t tunnel;
	uint8_t index;            /* which of the tunnel's children */
	uint32_t spi_in, spi_out; /* spi_in names the pair */
	enum ike_child_state state;
	enum child_half in, out;
	bool initiator;        /* we began its exchange */
	bool lost;             /* the data plane restarted and has forgotten it */
	bool redundant;        /* lost a collision: its creator deletes it (2.8.1) */
	uint32_t replaces;     /* spi_in of the pair that this one rekeys; 0: none */
	uint32_t replaced_by;  /* spi_in of its successor; 0: none */
	bool waits_for_use;    /* we answered a rekey: send on it when the peer shows that it has it */
	uint64_t switch_at_ms; /* waits_for_use: at the latest */
	struct ike_nonce low;  /* the lower nonce of its exchange */
	const struct alg *encr, *integ, *dh;
	bool esn, transport;
	struct secret key_in, key_out; /* until handed over */
	bool encap;
	struct ike_path path;
	unsigned n_ts;
	struct cfg_ts ts[CFG_TS_MAX];
	uint64_t up_since_ms, rekey_at_ms, expires_at_ms; /* 0: not yet / never */
	uint64_t gone_at_ms;                              /* IKE_CHILD_OLD: end of the grace */
	uint64_t rx_seen;                                 /* packets in, at the last look */
};

/* A child of an exchange, not installed; its SPI is x->spi_in (taken over). Keys are made from the nonces, x->shared if
 * there was a DH, and sa's SK_d. NULL: crypto failed. */
struct ike_child *child_new(struct ike *k, struct ike_sa *sa, struct xchg *x);
/* Hand a half over. 0, or -errno: it is not there and no event comes. The in half makes the state INSTALLING. */
int child_install_in(struct ike *k, struct ike_sa *sa, struct ike_child *c) MUST_USE;
int child_install_out(struct ike *k, struct ike_sa *sa, struct ike_child *c) MUST_USE;
/* We began, and the peer has answered: install; what follows is driven by the acknowledgements. */
void child_start(struct ike *k, struct ike_sa *sa, struct ike_child *c);
/* The data plane's answers. */
void child_in_ready(struct ike *k, struct ike_sa *sa, struct ike_child *c);
void child_out_ready(struct ike *k, struct ike_sa *sa, struct ike_child *c);
void child_failed(struct ike *k, struct ike_sa *sa, struct ike_child *c, int err);

/* A packet of our side found no SA to leave by: a first child that waits for its use is not waited for much longer. */
void child_wanted(struct ike *k, struct ike_sa *sa, uint8_t index);
/* Ask the peer for this child of the tunnel at due_ms, unless it is there by then. */
void child_ask(struct ike *k, struct ike_sa *sa, uint8_t index, uint64_t due_ms);
/* The peer has it, and we cannot take it: Delete. Nothing of it is in the data plane. */
void child_disown(struct ike *k, struct ike_sa *sa, struct ike_child *c);
/* We answered: it waits until the peer shows that it has it too. Lifetimes start, the old pair is marked. */
void child_answered(struct ike *k, struct ike_sa *sa, struct ike_child *c);
/* The peer asked once more for an answer that we gave: it does not have the pair yet. */
void child_repeated(struct ike *k, struct ike_sa *sa);
/* The peer has the new pair: send on it (2.8). No-op unless it waits for that. */
void child_use(struct ike *k, struct ike_sa *sa, struct ike_child *c);
/* A Delete exchange of this pair is over, or the peer's Delete was read. A pair that has a successor drains: inbound
 * stays for the grace, outbound until the successor's is acked. Another one goes at once. */
void child_retire(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *cause);
/* Both halves go now. Frees c. */
void child_remove(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *cause);
/* Stop sending (hard limit, crossing Deletes); stop receiving. */
void child_drop_out(struct ike *k, struct ike_child *c);
void child_drop_in(struct ike *k, struct ike_child *c);
/* The hard limit: nothing more goes through it; Delete, and a new one. */
void child_expire(struct ike *k, struct ike_sa *sa, struct ike_child *c, const char *cause);
/* The data plane has forgotten it: rekey it at due_ms. */
void child_lost(struct ike *k, struct ike_sa *sa, struct ike_child *c, uint64_t due_ms);

/* Borrowed or NULL. Pairs that the data plane has lost are found by their SPI too, except by child_of_tunnel(). */
struct ike_child *child_find_in(const struct ike_sa *sa, uint32_t spi_in);
struct ike_child *child_find_out(const struct ike_sa *sa, uint32_t spi_out);
struct ike_child *child_of_tunnel(struct ike *k, uint32_t tunnel, uint32_t spi_in, struct ike_sa **sa);
/* In use by us, or about to be: not being deleted, not draining, not redundant. */
bool child_alive(const struct ike_child *c);
unsigned child_count_alive(const struct ike_sa *sa);
/* Those that are the tunnel's child `index`; the first of them, or NULL. */
unsigned child_count_of(const struct ike_sa *sa, uint8_t index);
struct ike_child *child_of_index(const struct ike_sa *sa, uint8_t index);

/* What is due at k->now_ms: rekey, hard end, grace, switch. */
void child_tick(struct ike *k, struct ike_sa *sa);
uint64_t child_deadline(const struct ike *k, const struct ike_child *c);
/* Any growth of inbound counters since the last look? RFC 7296 2.4. */
bool child_rx_grew(struct ike *k, struct ike_sa *sa);
