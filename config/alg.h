/* The algorithms that a proposal can name: IANA's "IKEv2 Transform" numbers, strongSwan's words, and what each needs.
 *
 * One table (alg.c) serves the config (words), the IKE core (numbers, key lengths) and the status output (names). Only
 * rows that are implemented to the end are in it, so that nothing can be agreed that keymat or the data plane lacks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"

/* RFC 7296 3.3.2: transform types. */
enum alg_type { ALG_ENCR = 1, ALG_PRF = 2, ALG_INTEG = 3, ALG_DH = 4, ALG_ESN = 5 };

enum {
	ALG_ENCR_3DES = 3,               /* RFC 2451 */
	ALG_ENCR_NULL = 11,              /* RFC 2410 */
	ALG_ENCR_AES_CBC = 12,           /* RFC 3602 */
	ALG_ENCR_AES_GCM_16 = 20,        /* RFC 4106, 5282 */
	ALG_ENCR_AES_GMAC = 21,          /* RFC 4543: ENCR_NULL_AUTH_AES_GMAC */
	ALG_ENCR_CHACHA20_POLY1305 = 28, /* RFC 7634 */
};
enum {
	ALG_PRF_HMAC_SHA1 = 2,
	ALG_PRF_HMAC_SHA2_256 = 5, /* RFC 4868 */
	ALG_PRF_HMAC_SHA2_384 = 6,
	ALG_PRF_HMAC_SHA2_512 = 7
};
enum {
	ALG_INTEG_NONE = 0,
	ALG_INTEG_HMAC_SHA1_96 = 2,       /* RFC 2404 */
	ALG_INTEG_HMAC_SHA2_256_128 = 12, /* RFC 4868 */
	ALG_INTEG_HMAC_SHA2_384_192 = 13,
	ALG_INTEG_HMAC_SHA2_512_256 = 14,
};
enum {
	ALG_DH_NONE = 0,
	ALG_DH_MODP1024 = 2,
	ALG_DH_MODP2048 = 14, /* RFC 3526 */
	ALG_DH_MODP3072 = 15,
	ALG_DH_MODP4096 = 16,
	ALG_DH_MODP6144 = 17,
	ALG_DH_MODP8192 = 18,
	ALG_DH_ECP256 = 19, /* RFC 5903 */
	ALG_DH_ECP384 = 20,
	ALG_DH_ECP521 = 21,
	ALG_DH_X25519 = 31, /* RFC 8031 */
	ALG_DH_X448 = 32,
};
enum { ALG_ESN_NO = 0, ALG_ESN_YES = 1 };

struct alg {
	uint8_t type;            /* enum alg_type */
	uint16_t id;             /* IANA transform id */
	uint16_t key_bits;       /* the Key Length attribute; 0: none is sent */
	const char *word;        /* strongSwan's word, lower case: "aes256gcm16", "prfsha256", "x25519" */
	const char *name;        /* for people: "AES-GCM-16-256" */
	uint16_t key_len;        /* octets of key; ENCR: with salt (GCM 36, 28, 20); DH: of the public value */
	uint8_t iv_len, icv_len; /* octets on the wire; icv_len of ENCR: 0 where INTEG brings it */
	uint8_t block;           /* ENCR: the text is padded to a multiple of it; 1: any length */
	bool aead;               /* ENCR: has an ICV of its own, GMAC too; goes with no INTEG */
	bool ike, esp;           /* where it may be used */
	bool legacy;             /* only where the tunnel says `legacy: true`; each use is warned of once */
};

/* All rows; *n gets their count. */
const struct alg *alg_table(unsigned *n);
/* NULL when there is no such row. key_bits counts for ENCR only. */
const struct alg *alg_find(enum alg_type type, uint16_t id, uint16_t key_bits);
/* By strongSwan's word ("curve25519" and "x25519" are the same, so are "modp2048" and Azure's "DHGroup14"). */
const struct alg *alg_by_word(const char *word, unsigned len);
/* The PRF of the same hash as an integrity algorithm's: what strongSwan takes where a proposal names none. Lent. */
const struct alg *alg_prf_of(const struct alg *integ);
