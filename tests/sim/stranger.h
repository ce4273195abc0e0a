/* A hand-made IKE peer for node 1: it can say anything, correctly protected, and keeps what it hears.
 *
 * It comes from 192.0.2.77 and is the peer of a second tunnel (index 1, ID "stranger") of node 1, so that the tunnel
 * between the nodes shows whether others are disturbed. Keys are the real ones of its own exchange.
 */
#pragma once

#include "controlplane/ike/crypto.h"
#include "controlplane/ike/keymat.h"
#include "controlplane/ike/payload.h"
#include "controlplane/ike/proposal.h"
#include "controlplane/ike/sk.h"
#include "tests/sim/sim.h"

enum { STRANGER_TUNNEL = 1, STRANGER_SILENCE = 0xffff };

struct stranger {
	struct sim *s;
	struct cfg_tunnel cfg; /* of node 1 */
	struct ike_path path;  /* as node 1 sees it */
	uint64_t spi_i, spi_r;
	uint32_t spi_in; /* of the child that it asks for */
	struct ike_nonce ni, nr;
	struct crypto_dh dh;
	struct keymat_ike keys;
	struct sk_key out, in; /* of keys */
	uint32_t mid;          /* of the next request */
	bool cuts;             /* it says that it knows RFC 7383 */
	bool hashes;           /* it announces SIGNATURE_HASH_ALGORITHMS: SHA2 and identity */
	uint8_t init_i[SIM_DATAGRAM_MAX], init_r[SIM_DATAGRAM_MAX];
	size_t init_i_len, init_r_len;
	/* what came last */
	uint8_t heard[SIM_DATAGRAM_MAX];
	size_t heard_len;
	unsigned n_heard;
	/* what was said last */
	uint8_t said[SIM_DATAGRAM_MAX];
	size_t said_len;
	/* what was opened last; views into text */
	struct ike_chain inner;
	uint8_t text[SIM_DATAGRAM_MAX];
};

extern const uint8_t stranger_random[SK_RANDOM_LEN]; /* for sk_seal() */

/* Make it known to a started sim. seed: its SPI and values. */
void stranger_init(struct stranger *p, struct sim *s, uint8_t seed);
/* Give bytes to node 1 and let some time pass. */
void stranger_say(struct stranger *p, const uint8_t *msg, size_t len);
/* Write an IKE_SA_INIT request into p->said (not said yet). leave_out: IKE_PL_BITs, here and below. */
void stranger_put_init(struct stranger *p, uint32_t leave_out);
/* IKE_SA_INIT until keys are there. */
bool stranger_connect(struct stranger *p);
/* IKE_SA_INIT and a good IKE_AUTH. */
bool stranger_up(struct stranger *p);

/* A protected request: begin, add payloads, end (seals, says it and takes the next message id). */
void stranger_begin(struct stranger *p, struct wire_out *o, uint8_t exchange);
void stranger_end(struct stranger *p, struct wire_out *o);
/* The payloads of IKE_AUTH, CREATE_CHILD_SA for a child, and for the IKE SA, less those to leave out. */
void stranger_put_auth(struct stranger *p, struct wire_out *o, uint32_t leave_out);
void stranger_put_child(struct stranger *p, struct wire_out *o, uint32_t leave_out);
void stranger_put_rekey(struct stranger *p, struct wire_out *o, uint32_t leave_out);

/* Open what came last: the first error notify's type, 0 for an answer without one, STRANGER_SILENCE for none since
 * stranger_say() (or one that does not open). */
unsigned stranger_answer(struct stranger *p);
