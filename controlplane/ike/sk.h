/* The Encrypted payload (RFC 7296 3.14) with an AEAD (RFC 5282, 7634) or with CBC and HMAC, and its fragment (RFC 7383 2.5).
 *
 *   wire_msg_begin(&o, buf, cap, &hdr); sk_begin(&o, &key); wire_payload(&o, ...)...; len = sk_seal(&o, &key, random);
 *
 * AEAD: AAD is everything from the IKE header to the payload's own header (with a fragment's two numbers); the IV is a
 * counter per key, so none is used twice with one key; no padding but its length. CBC: a random IV, padding to the block,
 * then the ICV over everything before it.
 */
#pragma once

#include <stdint.h>

#include "base/secret.h"
#include "config/alg.h"
#include "controlplane/ike/crypto.h"
#include "controlplane/ike/wire.h"

/* One direction of an IKE SA. iv is the only thing that changes, of the sending one: the core's thread. */
struct sk_key {
	const struct alg *encr, *integ; /* integ NULL: an AEAD */
	const struct secret *e, *a;     /* lent: SK_e (key, then salt) and SK_a (not read with an AEAD) */
	uint64_t iv;                    /* AEAD: last one used; starts at 0 */
};

enum { SK_RANDOM_LEN = CRYPTO_IV_MAX };

/* Open the SK payload: it is the last of the message; payloads that follow go inside. */
void sk_begin(struct wire_out *o, const struct sk_key *k);
/* The same for fragment num of total: one piece of a message's inside follows; next: type of its first payload, 0 but in the
 * first fragment. */
void sk_begin_fragment(struct wire_out *o, const struct sk_key *k, uint16_t num, uint16_t total, uint8_t next);
/* Pad, encipher in place, add the ICV. random: octets that nobody can foretell, used once. The message's length, or 0: it
 * did not fit, or the crypto failed, or all 2^64 - 1 IVs are used; buf's text part is then wiped. A retransmission must
 * repeat the octets, not seal again. */
size_t sk_seal(struct wire_out *o, struct sk_key *k, const uint8_t random[SK_RANDOM_LEN]) MUST_USE;
/* The most octets that fit inside a message of `size` octets whose clear part is the header alone; fragment: into an SKF. */
size_t sk_room(const struct sk_key *k, size_t size, bool fragment);

/* Check and open m's SK payload into text (cap octets, the caller's; needs m->len), and read the chain inside, whose
 * views then point into text. DECRYPT: no SK payload, too short, or a wrong ICV (text holds nothing of it):
 * unauthenticated, drop and count. SYNTAX, LIMIT, CRITICAL: authenticated, but malformed inside; answer inside SK.
 * INTERNAL: our failure. */
enum ike_verdict sk_open(const struct ike_msg *m, const struct sk_key *k, uint8_t *text, size_t cap,
			 struct ike_chain *inner) MUST_USE;
/* The same for SK or SKF up to the plaintext without padding: *len octets of text. OK, DECRYPT, SYNTAX, INTERNAL. */
enum ike_verdict sk_open_text(const struct ike_msg *m, const struct sk_key *k, uint8_t *text, size_t cap,
			      size_t *len) MUST_USE;
