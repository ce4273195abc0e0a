/* The doors between crypto.c and its parts; everybody else uses crypto.h. */
#pragma once

#include "controlplane/ike/crypto.h"

/* A known answer through each cipher. 0 or -EIO. */
int crypto_cipher_selftest(void) MUST_USE;
/* Two sides of each group agree. 0 or -EIO. */
int crypto_dh_selftest(void) MUST_USE;

/* A kind of group: MODP and ECP differ by tables only. */
struct crypto_group {
	uint16_t id, public_len;
	/* make: seed of CRYPTO_SEED_LEN octets -> dh->priv, public_value, public_len. 0 or -EIO */
	int (*make)(const struct crypto_group *g, struct crypto_dh *dh, const uint8_t *seed);
	/* peer: public_len octets. 0, -EIO, or -EINVAL: no value of the group */
	int (*shared)(const struct crypto_group *g, const struct crypto_dh *dh, const uint8_t *peer,
		      struct crypto_shared *out);
};

int crypto_modp_make(const struct crypto_group *g, struct crypto_dh *dh, const uint8_t *seed) MUST_USE;
int crypto_modp_shared(const struct crypto_group *g, const struct crypto_dh *dh, const uint8_t *peer,
		       struct crypto_shared *out) MUST_USE;
int crypto_ecp_make(const struct crypto_group *g, struct crypto_dh *dh, const uint8_t *seed) MUST_USE;
int crypto_ecp_shared(const struct crypto_group *g, const struct crypto_dh *dh, const uint8_t *peer,
		      struct crypto_shared *out) MUST_USE;
