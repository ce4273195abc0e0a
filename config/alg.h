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

enum { ALG_ENCR_AES_GCM_16 = 20 }; /* RFC 4106, 5282 */
enum { ALG_PRF_HMAC_SHA2_256 = 5, ALG_PRF_HMAC_SHA2_384 = 6, ALG_PRF_HMAC_SHA2_512 = 7 };
enum { ALG_INTEG_NONE = 0 };
enum { ALG_DH_NONE = 0, ALG_DH_MODP2048 = 14, ALG_DH_ECP256 = 19, ALG_DH_X25519 = 31 };
enum { ALG_ESN_NO = 0, ALG_ESN_YES = 1 };

struct alg {
	uint8_t type;            /* enum alg_type */
	uint16_t id;             /* IANA transform id */
	uint16_t key_bits;       /* the Key Length attribute; 0: none is sent */
	const char *word;        /* strongSwan's word, lower case: "aes256gcm16", "prfsha256", "x25519" */
	const char *name;        /* for people: "AES-GCM-16-256" */
	uint16_t key_len;        /* octets of key; ENCR: with salt (GCM 36, 20); DH: of the public value */
	uint8_t iv_len, icv_len; /* octets on the wire */
	bool aead;
	bool ike, esp; /* where it may be used */
	bool legacy;   /* only where the tunnel says `legacy: true`; each use is warned of once */
};

/* All rows; *n gets their count. */
const struct alg *alg_table(unsigned *n);
/* NULL when there is no such row. key_bits counts for ENCR only. */
const struct alg *alg_find(enum alg_type type, uint16_t id, uint16_t key_bits);
/* By strongSwan's word ("curve25519" and "x25519" are the same, so are "modp2048" and Azure's "DHGroup14"). */
const struct alg *alg_by_word(const char *word, unsigned len);
