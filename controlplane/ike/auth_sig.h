/* AUTH by digital signatures: RSA, ECDSA, Ed25519 (RFC 7296 2.15, RFC 7427, RFC 4754, RFC 8420). Any thread.
 *
 * Method 14 names its algorithm by an AlgorithmIdentifier, whose octets must be those of a row of our table: nothing of
 * them is parsed. Its hash must be one that the verifying side has announced in IKE_SA_INIT (SIGNATURE_HASH_ALGORITHMS).
 * Without such an announcement the older methods remain: 1 (RSA, PKCS #1 v1.5) and 9 to 11 (ECDSA with the curve's own hash).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/build.h"
#include "base/wr.h"
#include "controlplane/ike/text.h"

struct auth_octets;

enum {
	AUTH_VALUE_MAX = 1152, /* octets of AUTH data: an identifier and a signature of AUTH_RSA_MAX bits */
	AUTH_RSA_MIN = 2048,   /* bits of a modulus */
	AUTH_RSA_MAX = 8192,
};

/* RFC 7427 7, RFC 8420 2: numbers of SIGNATURE_HASH_ALGORITHMS. A set of them is a mask of AUTH_HASH_BIT. */
enum auth_hash {
	AUTH_HASH_SHA1 = 1,
	AUTH_HASH_SHA2_256 = 2,
	AUTH_HASH_SHA2_384 = 3,
	AUTH_HASH_SHA2_512 = 4,
	AUTH_HASH_IDENTITY = 5,
};
#define AUTH_HASH_BIT(h) (1u << (h))
/* What we announce: never SHA1. */
#define AUTH_HASHES_OURS                                                                                             \
	(AUTH_HASH_BIT(AUTH_HASH_SHA2_256) | AUTH_HASH_BIT(AUTH_HASH_SHA2_384) | AUTH_HASH_BIT(AUTH_HASH_SHA2_512) | \
	 AUTH_HASH_BIT(AUTH_HASH_IDENTITY))

/* Keys that we sign and verify with. */
enum auth_key {
	AUTH_KEY_NONE,
	AUTH_KEY_RSA,
	AUTH_KEY_RSA_PSS, /* may be used with RSASSA-PSS only (RFC 4055 1.2) */
	AUTH_KEY_P256,
	AUTH_KEY_P384,
	AUTH_KEY_P521,
	AUTH_KEY_ED25519,
};

/* AUTH payload's method and data. */
struct auth_value {
	uint8_t method; /* enum ike_auth_method */
	uint16_t len;
	uint8_t b[AUTH_VALUE_MAX];
};

/* The notify's data of a set, and back: numbers that we do not know are left out; 0 when it is malformed. */
void auth_sig_hashes_encode(struct wr *w, unsigned hashes);
unsigned auth_sig_hashes_decode(const uint8_t *p, size_t len);

/* The kind of a key, public or private. NONE: we do not take it, and why says the reason: an algorithm or curve that we do not
 * have, RSA outside of AUTH_RSA_MIN..MAX bits, an even modulus, an exponent that is even or below 3 or above 64 bits. */
enum auth_key auth_sig_key(const EVP_PKEY *key, struct text *why);

/* Is this the number of a method that signs (not PSK, not NULL)? */
bool auth_sig_method(uint8_t method);

struct auth_sig_params {
	unsigned hashes; /* sign: the peer's; verify: ours. As announced; 0: nothing was */
	bool pkcs1;      /* sign with RSA by method 14: PKCS #1 v1.5 instead of PSS */
	bool legacy;     /* SHA1 where method 1 leaves the hash open */
};

/* Sign o's octets. 0; -ENOTSUP: nothing that both sides have; -EIO, -ENOMEM. why is filled on failure. */
int auth_sig_make(EVP_PKEY *key, const struct auth_octets *o, const struct auth_sig_params *p, struct auth_value *out,
		  struct text *why) MUST_USE;
/* 0: v is the owner's of key signature over o's octets. -EACCES: it is not, or was made in a way that we do not take; another -errno:
 * our own failure, never success. used_pkcs1 (may be NULL): it was RSA with PKCS #1 v1.5 by method 14. */
int auth_sig_verify(EVP_PKEY *key, const struct auth_octets *o, const struct auth_sig_params *p,
		    const struct auth_value *v, bool *used_pkcs1, struct text *why) MUST_USE;
