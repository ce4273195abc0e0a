/* Slow crypto as jobs: Diffie-Hellman, PSK work, signatures and certificate chains (ike_env.job).
 *
 * A job owns copies of all it reads, so it can run in any thread while the core goes on, and it outlives the SA that
 * asked for it: ike_job_done() finds the SA by SPI and serial, or frees the job.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "controlplane/ike/auth_sig.h"
#include "controlplane/ike/cert.h"
#include "controlplane/ike/crypto.h"
#include "controlplane/ike/payload.h"

enum job_kind {
	JOB_DH_MAKE,   /* group, seed -> dh */
	JOB_DH_ANSWER, /* group, seed, peer -> dh, shared */
	JOB_DH_SHARED, /* dh, peer -> shared */
	JOB_AUTH,      /* self, peer, auth -> auth.made, auth.verified: auth_job.h */
};

enum { JOB_WHY_MAX = 400 };

/* IKE_AUTH's work. What the peer proved comes first; ours is made only for who has proved it: own credentials are not
 * shown to strangers. */
struct job_proof {
	bool sign, verify;
	bool by_cert; /* the tunnel's method; else PSK */
	bool decoy; /* nobody is known by that name: the same work with somebody's credentials, and the answer is no */
	bool has_psk; /* else: the same work with a key that fits nothing */
	struct secret psk;
	struct cert_creds *creds; /* counted; NULL: none */
	struct auth_sig_params params_sign, params_verify;
	int64_t wall_s;
	struct cfg_id peer_id;
	struct cert_pile pile;
	struct auth_value got;  /* method 0: nothing that could be right */
	struct auth_value made; /* our AUTH */
	int verified;           /* 0: the peer's AUTH is right */
	char why[JOB_WHY_MAX];  /* else: what is wrong and what to do; "" */
};

/* What one side's AUTH covers (struct auth_octets with storage). */
struct job_auth {
	uint8_t *message; /* copy, freed with the job */
	size_t message_len;
	struct ike_nonce nonce; /* the other side's */
	struct secret sk_p;
	uint8_t id[4 + CFG_ID_MAX]; /* ID payload body */
	size_t id_len;
};

struct ike_job {
	enum job_kind kind;
	uint64_t spi;    /* ours, of the IKE SA that waits */
	uint32_t serial; /* of the same */
	bool ours;       /* its exchange is one that we began */
	int err;         /* 0 or -errno of the work */

	const struct alg *group;
	uint8_t seed[CRYPTO_SEED_LEN];
	uint8_t peer_public[CRYPTO_PUBLIC_MAX];
	size_t peer_public_len;
	struct crypto_dh dh;
	struct crypto_shared shared;

	const struct alg *prf;
	struct job_auth self, peer;
	struct job_proof auth;
};

struct ike_job *job_new(enum job_kind kind);
/* The peer's public value; one that is too long for any group becomes empty, which fits none. */
void job_set_peer(struct ike_job *job, const struct payload_ke *ke);
void job_auth_set(struct job_auth *a, const uint8_t *message, size_t len, const struct ike_nonce *nonce,
		  const struct secret *sk_p, const uint8_t *id, size_t id_len);
/* Wipes all of it; NULL is fine. */
void job_free(struct ike_job *job);
