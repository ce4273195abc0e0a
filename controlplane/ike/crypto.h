/* A thin wrapper around OpenSSL 3 (EVP): PRF, prf+, integrity, AEAD, CBC, Diffie-Hellman, SHA-1.
 *
 * Algorithms are rows of config/alg.h; one that is not handled here gives -ENOTSUP. Every call returns 0 or -errno
 * (-EIO: OpenSSL failed) and on failure leaves its output wiped, so a result cannot be used by mistake. Nothing is
 * random in here: private values come from seeds given in (ike_env.random). No state but objects fetched once, so every
 * call may be made from any thread; one struct crypto_dh by one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"
#include "base/secret.h"
#include "config/alg.h"

enum {
	CRYPTO_PRF_MAX = 64,      /* octets of the longest PRF output */
	CRYPTO_ICV_LEN = 16,      /* of an AEAD */
	CRYPTO_IV_LEN = 8,        /* of an AEAD */
	CRYPTO_ICV_MAX = 32,      /* of any integrity algorithm */
	CRYPTO_IV_MAX = 16,       /* of any cipher */
	CRYPTO_SEED_LEN = 96,     /* random octets for one DH private value */
	CRYPTO_PUBLIC_MAX = 1024, /* octets of the longest public value that we have a group for */
	CRYPTO_SHA1_LEN = 20,
};

/* A piece of input; a message is an array of them. */
struct crypto_part {
	const void *p;
	size_t len;
};

/* Fetch the algorithms and run a known answer through each. 0, or -EIO with the reason on OpenSSL's error queue: the
 * process must not start. Calling it is optional otherwise (the first use fetches); idempotent. */
int crypto_init(void) MUST_USE;

/* Octets of a PRF's output, which is also its preferred key length (RFC 7296 2.13); 0: unknown. */
size_t crypto_prf_len(const struct alg *prf);

/* out = prf(key, parts...): crypto_prf_len() octets. key_len 0 is allowed. RFC 4868 2.1.2, RFC 2104. */
int crypto_prf(const struct alg *prf, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
	       uint8_t out[CRYPTO_PRF_MAX]) MUST_USE;
/* prf+(key, parts...), len octets of it. -EMSGSIZE beyond 255 blocks. RFC 7296 2.13. */
int crypto_prf_plus(const struct alg *prf, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
		    uint8_t *out, size_t len) MUST_USE;

int crypto_sha1(const struct crypto_part *part, unsigned n, uint8_t out[CRYPTO_SHA1_LEN]) MUST_USE;

/* integ->icv_len octets of an HMAC. -EINVAL: the key is not integ->key_len long. RFC 2404, RFC 4868 2.1.1. */
int crypto_integ(const struct alg *integ, const struct secret *key, const struct crypto_part *part, unsigned n,
		 uint8_t out[CRYPTO_ICV_MAX]) MUST_USE;

/* AES-GCM and ChaCha20-Poly1305 with a 16-octet ICV. key: cipher key then 4-octet salt (alg->key_len in all); nonce is salt |
 * iv. seal: text (len octets) is enciphered in place, icv written. open: in place; -EBADMSG: the ICV is wrong, and text is
 * wiped. RFC 5282 4, RFC 4106 4, RFC 7634 2. */
int crypto_seal(const struct alg *encr, const struct secret *key, const uint8_t iv[CRYPTO_IV_LEN], const void *aad,
		size_t aad_len, uint8_t *text, size_t len, uint8_t icv[CRYPTO_ICV_LEN]) MUST_USE;
int crypto_open(const struct alg *encr, const struct secret *key, const uint8_t iv[CRYPTO_IV_LEN], const void *aad,
		size_t aad_len, uint8_t *text, size_t len, const uint8_t icv[CRYPTO_ICV_LEN]) MUST_USE;

/* AES and 3DES in CBC mode, text in place, len a multiple of encr->block (else -EINVAL). iv: encr->iv_len octets, which a peer
 * must not be able to foretell (RFC 3602 3). No ICV: crypto_integ() first when opening, last when sealing. */
int crypto_cbc(const struct alg *encr, const struct secret *key, const uint8_t *iv, bool seal, uint8_t *text,
	       size_t len) MUST_USE;

/* What Diffie-Hellman comes to (g^ir): longer than any key. Wiped with secret_wipe(). */
struct crypto_shared {
	uint16_t len; /* 0: none */
	uint8_t b[CRYPTO_PUBLIC_MAX];
};

/* A private value and its public one, plain data: no pointers, may be copied, ends with crypto_dh_fini(). */
struct crypto_dh {
	const struct alg *group;
	struct secret priv;
	uint16_t public_len;
	uint8_t public_value[CRYPTO_PUBLIC_MAX]; /* the KE payload's data */
};

/* Octets of a KE payload's data for this group; 0: a group that we do not have. */
size_t crypto_dh_len(const struct alg *group);
/* Make a key pair from a seed. Slow (up to tens of milliseconds): a job. */
int crypto_dh_make(struct crypto_dh *dh, const struct alg *group, const uint8_t seed[CRYPTO_SEED_LEN]) MUST_USE;
/* The shared secret with the peer's public value. -EINVAL: a value that must be refused: wrong length, out of 2..p-2,
 * not on the curve, all-zero result (RFC 8031 3, RFC 6989 2, RFC 5903 7). Slow: a job. */
int crypto_dh_shared(const struct crypto_dh *dh, const uint8_t *peer, size_t len, struct crypto_shared *out) MUST_USE;
void crypto_dh_fini(struct crypto_dh *dh);
