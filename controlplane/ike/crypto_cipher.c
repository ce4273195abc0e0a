/* Ciphers: AES-GCM (RFC 4106, 5282), ChaCha20-Poly1305 (RFC 7634), AES-CBC (RFC 3602), 3DES-CBC (RFC 2451). */
#include "controlplane/ike/crypto_parts.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

enum { SALT_LEN = 4, NONCE_LEN = 12 };

static const struct cipher {
	uint16_t id, key_bits; /* the row of config/alg.h */
	uint8_t key_len;       /* octets, without salt */
	uint8_t salt_len;      /* 0: a CBC cipher */
	const char *name;
} ciphers[] = {
	{ALG_ENCR_AES_GCM_16, 128, 16, SALT_LEN, "AES-128-GCM"},
	{ALG_ENCR_AES_GCM_16, 192, 24, SALT_LEN, "AES-192-GCM"},
	{ALG_ENCR_AES_GCM_16, 256, 32, SALT_LEN, "AES-256-GCM"},
	{ALG_ENCR_CHACHA20_POLY1305, 0, 32, SALT_LEN, "ChaCha20-Poly1305"},
	{ALG_ENCR_AES_CBC, 128, 16, 0, "AES-128-CBC"},
	{ALG_ENCR_AES_CBC, 192, 24, 0, "AES-192-CBC"},
	{ALG_ENCR_AES_CBC, 256, 32, 0, "AES-256-CBC"},
	{ALG_ENCR_3DES, 0, 24, 0, "DES-EDE3-CBC"},
};

/* Fetched once, read only afterwards, so that any thread may use them without a lock. */
static struct {
	pthread_once_t once;
	EVP_CIPHER *cipher[N_ELEMS(ciphers)];
} fetched = {.once = PTHREAD_ONCE_INIT};

static void fetch(void)
{
	for (unsigned i = 0; i < N_ELEMS(ciphers); i++)
		fetched.cipher[i] = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
}

static const struct cipher *find(const struct alg *encr)
{
	for (unsigned i = 0; i < N_ELEMS(ciphers); i++)
		if (encr->type == ALG_ENCR && encr->id == ciphers[i].id && encr->key_bits == ciphers[i].key_bits)
			return &ciphers[i];
	return NULL;
}

/* NULL: OpenSSL does not have it. */
static const EVP_CIPHER *cipher_of(const struct cipher *c)
{
	pthread_once(&fetched.once, fetch);
	return fetched.cipher[c - ciphers];
}

/* ---- AEAD ---- */

/* A context with key and nonce set; NULL and *err. */
static EVP_CIPHER_CTX *aead_new(const struct alg *encr, const struct secret *key, const uint8_t iv[CRYPTO_IV_LEN],
				bool seal, int *err)
{
	const struct cipher *c = find(encr);
	uint8_t nonce[NONCE_LEN];
	EVP_CIPHER_CTX *ctx;

	*err = -ENOTSUP;
	if (!c || !c->salt_len)
		return NULL;
	*err = -EINVAL;
	if (key->len != c->key_len + c->salt_len)
		return NULL;
	*err = -EIO;
	ctx = cipher_of(c) ? EVP_CIPHER_CTX_new() : NULL;
	if (!ctx)
		return NULL;
	/* RFC 4106 4, RFC 7634 2: nonce = salt | IV; the default nonce length is 12 */
	memcpy(nonce, key->b + c->key_len, SALT_LEN);
	memcpy(nonce + SALT_LEN, iv, CRYPTO_IV_LEN);
	if (EVP_CipherInit_ex2(ctx, cipher_of(c), key->b, nonce, seal, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	secret_wipe(nonce, sizeof(nonce));
	return ctx;
}

/* AAD in, then text in place. */
static bool aead_update(EVP_CIPHER_CTX *ctx, const void *aad, size_t aad_len, uint8_t *text, size_t len)
{
	int n;

	if (aad_len > INT_MAX || len > INT_MAX)
		return false;
	if (aad_len > 0 && EVP_CipherUpdate(ctx, NULL, &n, aad, (int)aad_len) != 1)
		return false;
	return len == 0 || (EVP_CipherUpdate(ctx, text, &n, text, (int)len) == 1 && n == (int)len);
}

int crypto_seal(const struct alg *encr, const struct secret *key, const uint8_t iv[CRYPTO_IV_LEN], const void *aad,
		size_t aad_len, uint8_t *text, size_t len, uint8_t icv[CRYPTO_ICV_LEN])
{
	uint8_t end[16];
	int err, n;
	EVP_CIPHER_CTX *ctx = aead_new(encr, key, iv, true, &err);

	if (ctx && aead_update(ctx, aad, aad_len, text, len) && EVP_CipherFinal_ex(ctx, end, &n) == 1 && n == 0 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_ICV_LEN, icv) == 1)
		err = 0;
	EVP_CIPHER_CTX_free(ctx);
	if (err) {
		secret_wipe(text, len);
		secret_wipe(icv, CRYPTO_ICV_LEN);
	}
	return err;
}

int crypto_open(const struct alg *encr, const struct secret *key, const uint8_t iv[CRYPTO_IV_LEN], const void *aad,
		size_t aad_len, uint8_t *text, size_t len, const uint8_t icv[CRYPTO_ICV_LEN])
{
	uint8_t end[16], tag[CRYPTO_ICV_LEN];
	int err, n;
	EVP_CIPHER_CTX *ctx = aead_new(encr, key, iv, false, &err);

	memcpy(tag, icv, sizeof(tag));
	if (ctx && aead_update(ctx, aad, aad_len, text, len) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_ICV_LEN, tag) == 1)
		err = EVP_CipherFinal_ex(ctx, end, &n) == 1 && n == 0 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	if (err)
		secret_wipe(text, len);
	if (err == -EBADMSG)
		ERR_clear_error(); /* what a peer sent must not pile up on this thread's error queue */
	return err;
}

/* ---- CBC ---- */

int crypto_cbc(const struct alg *encr, const struct secret *key, const uint8_t *iv, bool seal, uint8_t *text,
	       size_t len)
{
	const struct cipher *c = find(encr);
	EVP_CIPHER_CTX *ctx = NULL;
	uint8_t end[CRYPTO_IV_MAX];
	int err = -ENOTSUP, n;

	if (!c || c->salt_len)
		goto out;
	err = -EINVAL;
	if (key->len != c->key_len || len > INT_MAX || len % encr->block)
		goto out;
	err = -EIO;
	ctx = cipher_of(c) ? EVP_CIPHER_CTX_new() : NULL;
	if (!ctx || EVP_CipherInit_ex2(ctx, cipher_of(c), key->b, iv, seal, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		goto out;
	if (len > 0 && (EVP_CipherUpdate(ctx, text, &n, text, (int)len) != 1 || n != (int)len))
		goto out;
	if (EVP_CipherFinal_ex(ctx, end, &n) == 1 && n == 0)
		err = 0;
out:
	EVP_CIPHER_CTX_free(ctx);
	if (err)
		secret_wipe(text, len);
	return err;
}

/* ---- known answers ---- */

/* Zero key, nonce and IV. AEAD: no text, the tag alone (of AES-128 and AES-256 the GCM paper's test cases 1 and 13). CBC: one
 * block of zeros, which makes it FIPS 197's and FIPS 46-3's block cipher of zero. */
static const uint8_t answers[N_ELEMS(ciphers)][4] = {
	{0x58, 0xe2, 0xfc, 0xce}, {0xcd, 0x33, 0xb2, 0x8a}, {0x53, 0x0f, 0x8a, 0xfb}, {0x4e, 0xb9, 0x72, 0xc9},
	{0x66, 0xe9, 0x4b, 0xd4}, {0xaa, 0xe0, 0x69, 0x92}, {0xdc, 0x95, 0xc0, 0x78}, {0x8c, 0xa6, 0x4d, 0xe9},
};

static bool aead_answers(const struct alg *encr, const struct secret *key, const uint8_t want[4])
{
	static const uint8_t iv[CRYPTO_IV_LEN];
	uint8_t icv[CRYPTO_ICV_LEN], text[1];

	if (crypto_seal(encr, key, iv, NULL, 0, text, 0, icv) < 0 || !secret_equal(icv, want, 4) ||
	    crypto_open(encr, key, iv, NULL, 0, text, 0, icv) < 0)
		return false;
	icv[15] ^= 1;
	return crypto_open(encr, key, iv, NULL, 0, text, 0, icv) == -EBADMSG;
}

static bool cbc_answers(const struct alg *encr, const struct secret *key, const uint8_t want[4])
{
	static const uint8_t iv[CRYPTO_IV_MAX];
	uint8_t text[CRYPTO_IV_MAX] = {0};

	return crypto_cbc(encr, key, iv, true, text, encr->block) == 0 && secret_equal(text, want, 4) &&
	       crypto_cbc(encr, key, iv, false, text, encr->block) == 0 && secret_equal(text, iv, encr->block);
}

int crypto_cipher_selftest(void)
{
	for (unsigned i = 0; i < N_ELEMS(ciphers); i++) {
		const struct alg *encr = alg_find(ALG_ENCR, ciphers[i].id, ciphers[i].key_bits);
		struct secret key = {.len = (uint16_t)(ciphers[i].key_len + ciphers[i].salt_len)};

		if (!encr || !(encr->aead ? aead_answers : cbc_answers)(encr, &key, answers[i]))
			return -EIO;
	}
	return 0;
}
