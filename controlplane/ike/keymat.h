/* Keys (RFC 7296 2.14, 2.17, 2.18; RFC 5282 7: no SK_a with AEAD, the salt follows the key).
 *
 * Each function fills its output or wipes it and returns -errno. Pure, any thread.
 */
#pragma once

#include <stdint.h>

#include "base/secret.h"
#include "config/alg.h"
#include "controlplane/ike/crypto.h"
#include "controlplane/ike/payload.h"

struct keymat_ike {
	struct secret d;      /* SK_d */
	struct secret ai, ar; /* empty with AEAD */
	struct secret ei, er; /* key, then salt */
	struct secret pi, pr;
};

/* What both kinds of IKE SA have in common. Nonces: of the exchange that makes this SA; SPIs: the new SA's. */
struct keymat_input {
	const struct alg *prf, *encr, *integ; /* integ NULL: none, with an AEAD */
	const struct crypto_shared *shared;   /* g^ir */
	const struct ike_nonce *ni, *nr;
	uint64_t spi_i, spi_r;
};

/* SKEYSEED = prf(Ni | Nr, g^ir). RFC 7296 2.14. */
int keymat_ike(const struct keymat_input *in, struct keymat_ike *out) MUST_USE;
/* SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) with the old SA's PRF; the rest with the new. RFC 7296 2.18. */
int keymat_ike_rekey(const struct keymat_input *in, const struct alg *old_prf, const struct secret *old_d,
		     struct keymat_ike *out) MUST_USE;
void keymat_fini(struct keymat_ike *k);

/* KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr). i: initiator to responder (of the exchange that makes the child), taken first;
 * each is the cipher's key, its salt, then integ's key. integ NULL: none, with an AEAD. shared NULL: no PFS. RFC 7296
 * 2.17. */
int keymat_child(const struct alg *prf, const struct secret *d, const struct crypto_shared *shared,
		 const struct ike_nonce *ni, const struct ike_nonce *nr, const struct alg *encr,
		 const struct alg *integ, struct secret *i, struct secret *r) MUST_USE;
