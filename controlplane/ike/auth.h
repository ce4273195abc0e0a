/* AUTH with a pre-shared key (RFC 7296 2.15). Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/secret.h"
#include "config/alg.h"
#include "controlplane/ike/crypto.h"
#include "controlplane/ike/payload.h"

/* What the signing side signs: its own first message (IKE header to end, without the non-ESP marker; the final
 * IKE_SA_INIT, the one with the cookie if there was one), the other side's nonce, and prf(SK_p of the signer, its ID
 * body). */
struct auth_octets {
	const struct alg *prf;
	const uint8_t *message;
	size_t message_len;
	const struct ike_nonce *peer_nonce;
	const struct secret *sk_p;
	const uint8_t *id; /* the ID payload's body as sent, from its type octet on */
	size_t id_len;
};

/* out = prf(prf(psk, "Key Pad for IKEv2"), octets); *len gets its length. */
int auth_psk(const struct auth_octets *o, const struct secret *psk, uint8_t out[CRYPTO_PRF_MAX], size_t *len) MUST_USE;
/* 0: got is right. -EACCES: it is not, or psk is NULL (an identity that we do not know: the same work is done with a
 * key that cannot match, so the time tells nothing). Another -errno: our own failure; never treat it as success. */
int auth_psk_verify(const struct auth_octets *o, const struct secret *psk, const uint8_t *got, size_t got_len) MUST_USE;
