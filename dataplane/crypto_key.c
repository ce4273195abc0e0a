#include <string.h>

#include "base/err.h"
#include "dataplane/crypto.h"
#include "ring/msg.h"

/* clang-format off */
#define AEAD(E)       {E, MSG_INTEG_NONE, CRYPTO_IV, CRYPTO_ICV, 4}
#define HMACS(E, IV, ALIGN)                                    \
	{E, MSG_INTEG_HMAC_SHA1_96, IV, 12, ALIGN},            \
	{E, MSG_INTEG_HMAC_SHA256_128, IV, 16, ALIGN},         \
	{E, MSG_INTEG_HMAC_SHA384_192, IV, 24, ALIGN},         \
	{E, MSG_INTEG_HMAC_SHA512_256, IV, 32, ALIGN}
/* clang-format on */

/* In the order of enum crypto_suite. RFC 4106 3.1 and 6, 7634 2, 4543 3.1, 3602 3, 2451 3, 2410; 2404 2, 4868 2.3 */
const struct crypto_form crypto_forms[CRYPTO_SUITE_N] = {
	AEAD(MSG_ENCR_AES128_GCM16),        AEAD(MSG_ENCR_AES192_GCM16),        AEAD(MSG_ENCR_AES256_GCM16),
	AEAD(MSG_ENCR_CHACHA20_POLY1305),   AEAD(MSG_ENCR_AES128_GMAC),         AEAD(MSG_ENCR_AES192_GMAC),
	AEAD(MSG_ENCR_AES256_GMAC),         HMACS(MSG_ENCR_AES128_CBC, 16, 16), HMACS(MSG_ENCR_AES192_CBC, 16, 16),
	HMACS(MSG_ENCR_AES256_CBC, 16, 16), HMACS(MSG_ENCR_3DES_CBC, 8, 8),     HMACS(MSG_ENCR_NULL, 0, 4),
};

int crypto_suite_of(unsigned encr, unsigned integ)
{
	for (int i = 0; i < CRYPTO_GCM_N; i++)
		if (crypto_forms[i].encr == encr && crypto_forms[i].integ == integ)
			return i;
	return -ENOTSUP;
}

uint16_t crypto_key_len(enum crypto_suite suite)
{
	const struct crypto_form *f = &crypto_forms[suite];

	return (uint16_t)(msg_encr_key_len(f->encr) + msg_integ_key_len(f->integ));
}

uint32_t crypto_salt(enum crypto_suite suite, const uint8_t *key)
{
	uint32_t salt = 0;

	if (suite < CRYPTO_HMAC) /* the AEADs' key ends with it */
		memcpy(&salt, key + crypto_key_len(suite) - CRYPTO_SALT, sizeof(salt));
	return salt;
}

void crypto_key_set(struct crypto *c, struct crypto_key *k, enum crypto_suite suite, const uint8_t *key)
{
	switch (crypto_forms[suite].encr) {
	case MSG_ENCR_AES128_GCM16:
		IMB_AES128_GCM_PRE(c->mgr, key, &k->gcm);
		break;
	case MSG_ENCR_AES192_GCM16:
		IMB_AES192_GCM_PRE(c->mgr, key, &k->gcm);
		break;
	default:
		IMB_AES256_GCM_PRE(c->mgr, key, &k->gcm);
		break;
	}
}
