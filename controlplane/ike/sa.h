/* IKE SAs: table by our SPI, states, timers, the end (RFC 7296 1.2, 2.4, 2.8, 2.21).
 *
 * The state is written by step_to() only. An SA that ends is unlinked at once and freed when the call from outside ends,
 * so a function may go on reading an SA that died under it (state DEAD).
 */
#pragma once

#include "base/list.h"
#include "controlplane/ike/child.h"
#include "controlplane/ike/core.h"
#include "controlplane/ike/frag.h"
#include "controlplane/ike/keymat.h"
#include "controlplane/ike/msgid.h"
#include "controlplane/ike/natt.h"
#include "controlplane/ike/sk.h"

struct xchg;

/* What IKE_AUTH needs of IKE_SA_INIT (2.15); freed when the SA is up or dead. */
struct sa_birth {
	uint8_t *msg_i, *msg_r; /* the two first messages, as on the wire */
	size_t len_i, len_r;
	struct ike_nonce ni, nr;
	uint8_t cookie[COOKIE_MAX]; /* initiator: to be repeated (2.6) */
	uint8_t cookie_len;
	unsigned repeats;                  /* responder: IKE_SA_INIT came again */
	unsigned corrections;              /* COOKIE and INVALID_KE_PAYLOAD followed so far */
	unsigned hashes_ours, hashes_peer; /* SIGNATURE_HASH_ALGORITHMS as announced (RFC 7427 4); 0: not at all */
	char refusal[192];                 /* what an unauthenticated error said (2.21.1); "" */
};

struct ike_sa {
	struct ike_sa *next; /* chain of the table */
	struct list all, in_tunnel, half;
	uint32_t serial, tunnel; /* IKE_NO_TUNNEL: responder before IKE_AUTH, or the tunnel is gone */
	uint64_t spi_i, spi_r;
	bool initiator; /* ours is spi_i */
	enum ike_sa_state state;
	bool told_up; /* notice given */
	bool carried; /* it, or the one it was rekeyed from, has had a child in use */
	bool quiet;   /* replaced or redundant: its end is no event */

	struct ike_path path;
	struct natt_seen natt;
	bool force_encap; /* we said a NAT is there (encapsulation: force) */
	const struct alg *encr, *prf, *integ, *dh;
	struct keymat_ike keys;
	struct sk_key sk_out, sk_in; /* ours, the peer's: of keys */
	struct cfg_id local_id, remote_id;
	struct sa_birth *birth;

	struct msgid mid;
	struct frag frag;          /* RFC 7383 */
	struct xchg *x_out, *x_in; /* our exchange, the peer's; NULL: none */
	struct list tasks;         /* requests to come: xchg.h */
	unsigned n_tasks;
	unsigned temporary; /* TEMPORARY_FAILUREs in a row */
	struct list children;
	unsigned n_children;

	/* IKE rekey (2.8, 2.18): our SPIs of other SAs; 0: none */
	uint64_t successor;   /* made by answering the peer's rekey; inherits when the peer shows use */
	uint64_t predecessor; /* of such an SA, until it has inherited */
	bool bequeathed;      /* an heir has inherited: a rekey of ours that is still under way has lost */
	bool redundant;       /* lost a collision: its creator deletes it (2.8.2) */
	struct ike_nonce low; /* the lower nonce of the exchange that made it */

	struct timer timer;
	uint64_t created_ms, up_since_ms, rekey_at_ms, expires_at_ms; /* 0: not yet / never */
	uint64_t die_at_ms;                                           /* half-open or lingering: the end; 0: none */
	uint64_t twin_at_ms;    /* twin.h: the next step towards closing it; 0: none */
	bool twin_moved;        /* traffic was moved to its twin */
	uint64_t inherit_at_ms; /* predecessor: the successor inherits at the latest then; 0: none */
	uint64_t seen_ms;       /* last sign of life (2.4) */
	uint64_t sent_ms;       /* last message to the peer, keepalives too */
};

/* How an SA ends. */
enum sa_end {
	SA_END_DELETE, /* say Delete, wait for the answer */
	SA_END_REFUSE, /* say AUTHENTICATION_FAILED, wait for the answer (2.21.2) */
	SA_END_LINGER, /* the peer knows: answer its repeats for a while */
	SA_END_NOW,    /* nothing to say, nobody to say it to */
};

enum { SA_TABLE_MIN = 64 };

/* A new SA, linked in all tables. spi_ours 0: a fresh one; spi_peer 0: not known yet. NULL: limits.ike_sas reached. */
struct ike_sa *sa_new(struct ike *k, bool initiator, uint64_t spi_ours, uint64_t spi_peer, const struct ike_path *path);
/* Not zero and not in use. */
uint64_t sa_fresh_spi(struct ike *k);
/* Take over what IKE_SA_INIT or the rekey agreed on; keys are set already. */
void sa_set_suite(struct ike_sa *sa, const struct proposal_choice *c);
/* Whether and how it is to cut its messages (RFC 7383); the peer has a word in it too. */
void sa_frag_from(struct ike_sa *sa, const struct cfg_tunnel *cfg);
void sa_set_tunnel(struct ike *k, struct ike_sa *sa, uint32_t tunnel);
/* Established: lifetimes start. */
void sa_up(struct ike *k, struct ike_sa *sa);
/* End it: children go, one notice, the tunnel's policy is told (unless the SA was replaced). Any state, also twice. */
void sa_end(struct ike *k, struct ike_sa *sa, enum sa_end how, const char *cause);
/* Unlink and free what is on the dead list. Called when a call from outside ends. */
void sa_reap(struct ike *k);
/* All SAs, now, without words (ike_free). */
void sa_free_all(struct ike *k);

struct ike_sa *sa_find(const struct ike *k, uint64_t our_spi);
/* A responder's SA before IKE_AUTH that the same initiator began (RFC 7296 2.1). */
struct ike_sa *sa_find_half(const struct ike *k, uint64_t spi_i, const struct ike_path *path);
/* It is no longer half open. */
void sa_half_done(struct ike *k, struct ike_sa *sa);
void sa_birth_free(struct ike_sa *sa);

static inline uint64_t sa_our_spi(const struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

/* Established and usable for new requests. */
static inline bool sa_usable(const struct ike_sa *sa)
{
	return sa->state == IKE_SA_UP;
}

/* The peer spoke from here in an authenticated message (RFC 7296 2.23). */
void sa_moved(struct ike *k, struct ike_sa *sa, const struct ike_path *path);
/* Everything that is due; then the timer anew. */
void sa_tick(struct ike *k, struct ike_sa *sa);
void sa_rearm(struct ike *k, struct ike_sa *sa);
