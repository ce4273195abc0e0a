#include <string.h>

#include "base/err.h"
#include "base/secret.h"
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
	for (int i = 0; i < CRYPTO_SUITE_N; i++)
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

/* The hash's state behind one block of key ^ pad. RFC 2104 2; no key is longer than a block. */
static void pad_state(IMB_MGR *mgr, enum crypto_hash hash, const uint8_t *key, unsigned len, uint8_t pad, uint8_t *out)
{
	uint8_t block[IMB_SHA_512_BLOCK_SIZE];

	memset(block, pad, sizeof(block));
	for (unsigned i = 0; i < len; i++)
		block[i] ^= key[i];
	switch (hash) {
	case CRYPTO_SHA1_96:
		IMB_SHA1_ONE_BLOCK(mgr, block, out);
		break;
	case CRYPTO_SHA256_128:
		IMB_SHA256_ONE_BLOCK(mgr, block, out);
		break;
	case CRYPTO_SHA384_192:
		IMB_SHA384_ONE_BLOCK(mgr, block, out);
		break;
	case CRYPTO_SHA512_256:
		IMB_SHA512_ONE_BLOCK(mgr, block, out);
		break;
	}
	secret_wipe(block, sizeof(block));
}

static void hmac_set(IMB_MGR *mgr, struct crypto_mb_key *k, enum crypto_suite suite, const uint8_t *key)
{
	const enum crypto_hash hash = (enum crypto_hash)((suite - CRYPTO_HMAC) % CRYPTO_HASH_N);
	const enum crypto_cipher cipher = (enum crypto_cipher)((suite - CRYPTO_HMAC) / CRYPTO_HASH_N);
	const unsigned cipher_len = msg_encr_key_len(crypto_forms[suite].encr);
	const unsigned hash_len = msg_integ_key_len(crypto_forms[suite].integ);

	pad_state(mgr, hash, key + cipher_len, hash_len, 0x36, k->ipad);
	pad_state(mgr, hash, key + cipher_len, hash_len, 0x5c, k->opad);
	switch (cipher) {
	case CRYPTO_AES128_CBC:
		IMB_AES_KEYEXP_128(mgr, key, k->aes.enc, k->aes.dec);
		break;
	case CRYPTO_AES192_CBC:
		IMB_AES_KEYEXP_192(mgr, key, k->aes.enc, k->aes.dec);
		break;
	case CRYPTO_AES256_CBC:
		IMB_AES_KEYEXP_256(mgr, key, k->aes.enc, k->aes.dec);
		break;
	case CRYPTO_3DES_CBC:
		for (unsigned i = 0; i < 3; i++) {
			IMB_DES_KEYSCHED(mgr, k->des.ks[i], key + i * 8);
			k->des.ks3[i] = k->des.ks[i];
		}
		break;
	case CRYPTO_NULL:
		break;
	}
}

void crypto_key_set(struct crypto *c, struct crypto_key *k, enum crypto_suite suite, const uint8_t *key)
{
	switch (suite) {
	case CRYPTO_AES128_GCM16:
	case CRYPTO_AES128_GMAC:
		IMB_AES128_GCM_PRE(c->mgr, key, &k->gcm);
		break;
	case CRYPTO_AES192_GCM16:
	case CRYPTO_AES192_GMAC:
		IMB_AES192_GCM_PRE(c->mgr, key, &k->gcm);
		break;
	case CRYPTO_AES256_GCM16:
	case CRYPTO_AES256_GMAC:
		IMB_AES256_GCM_PRE(c->mgr, key, &k->gcm);
		break;
	case CRYPTO_CHACHA20_POLY1305:
		memcpy(k->mb.chacha, key, sizeof(k->mb.chacha));
		break;
	default:
		hmac_set(c->mgr, &k->mb, suite, key);
		break;
	}
}
