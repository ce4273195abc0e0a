/* The Encrypted payload (RFC 7296 3.14) with AEAD (RFC 5282).
 *
 *   wire_msg_begin(&o, buf, cap, &hdr); sk_begin(&o); wire_payload(&o, ...)...; len = sk_seal(&o, &key);
 *
 * AAD is everything from the IKE header to the SK payload's generic header; IV 8 octets, a counter per key, so no IV is
 * used twice with one key; one pad-length octet; ICV 16.
 */
#pragma once

#include <stdint.h>

#include "base/secret.h"
#include "config/alg.h"
#include "controlplane/ike/wire.h"

/* The sending half of an IKE SA. iv is the only writer's: the core's thread. */
struct sk_key {
	const struct alg *encr;
	struct secret key; /* SK_ei or SK_er: key, then salt */
	uint64_t iv;       /* last one used; starts at 0 */
};

/* Open the SK payload: it is the last of the message; payloads that follow go inside. */
void sk_begin(struct wire_out *o);
/* Pad, encipher in place, add the ICV. The message's length, or 0: it did not fit, or the crypto failed, or all 2^64 -
 * 1 IVs are used; buf's text part is then wiped. A retransmission must repeat the octets, not seal again. */
size_t sk_seal(struct wire_out *o, struct sk_key *k) MUST_USE;

/* Check and open m's SK payload into text (cap octets, the caller's; needs m->len), and read the chain inside, whose
 * views then point into text. DECRYPT: no SK payload, too short, or a wrong ICV (text holds nothing of it):
 * unauthenticated, drop and count. SYNTAX, LIMIT, CRITICAL: authenticated, but malformed inside; answer inside SK.
 * INTERNAL: our failure. */
enum ike_verdict sk_open(const struct ike_msg *m, const struct alg *encr, const struct secret *key, uint8_t *text,
			 size_t cap, struct ike_chain *inner) MUST_USE;
