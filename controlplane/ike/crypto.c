#include "controlplane/ike/crypto.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>

#include "controlplane/ike/crypto_dh.h"

enum { GCM_SALT_LEN = 4, GCM_NONCE_LEN = 12 };

/* Fetched once, read only afterwards, so that any thread may use them without a lock. */
static struct {
	pthread_once_t once;
	EVP_MAC_CTX *hmac[3]; /* by PRF id - ALG_PRF_HMAC_SHA2_256: digest set, no key; copied for each use */
	EVP_CIPHER *gcm128, *gcm256;
	EVP_MD *sha1;
} fetched = {.once = PTHREAD_ONCE_INIT};

static EVP_MAC_CTX *hmac_fetch(const char *digest)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
			       OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac);
	if (ctx && EVP_MAC_CTX_set_params(ctx, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static void fetch(void)
{
	fetched.hmac[0] = hmac_fetch("SHA256");
	fetched.hmac[1] = hmac_fetch("SHA384");
	fetched.hmac[2] = hmac_fetch("SHA512");
	fetched.gcm128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	fetched.gcm256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	fetched.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

static void ready(void)
{
	pthread_once(&fetched.once, fetch);
}

size_t crypto_prf_len(const struct alg *prf)
{
	if (prf->type != ALG_PRF)
		return 0;
	switch (prf->id) {
	case ALG_PRF_HMAC_SHA2_256:
		return 32;
	case ALG_PRF_HMAC_SHA2_384:
		return 48;
	case ALG_PRF_HMAC_SHA2_512:
		return 64;
	}
	return 0;
}

/* out = HMAC(key, parts): size octets. */
static int hmac(unsigned which, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
		uint8_t *out, size_t size)
{
	static const uint8_t none[1]; /* an empty key is a key; OpenSSL takes a NULL for "the one before" */
	EVP_MAC_CTX *ctx;
	size_t len = 0;
	int err = -EIO;

	ready();
	if (!fetched.hmac[which])
		return -EIO;
	ctx = EVP_MAC_CTX_dup(fetched.hmac[which]);
	if (!ctx)
		return -ENOMEM;
	if (EVP_MAC_init(ctx, key_len ? key : none, key_len, NULL) != 1)
		goto free_ctx;
	for (unsigned i = 0; i < n; i++)
		if (part[i].len > 0 && EVP_MAC_update(ctx, part[i].p, part[i].len) != 1)
			goto free_ctx;
	if (EVP_MAC_final(ctx, out, &len, size) == 1 && len == size)
		err = 0;
free_ctx:
	EVP_MAC_CTX_free(ctx);
	return err;
}

int crypto_prf(const struct alg *prf, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
	       uint8_t out[CRYPTO_PRF_MAX])
{
	size_t size = crypto_prf_len(prf);
	int err = -ENOTSUP;

	if (size > 0)
		err = hmac(prf->id - ALG_PRF_HMAC_SHA2_256, key, key_len, part, n, out, size);
	if (err)
		secret_wipe(out, CRYPTO_PRF_MAX);
	return err;
}

enum { SEED_PARTS_MAX = 6 };

int crypto_prf_plus(const struct alg *prf, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
		    uint8_t *out, size_t len)
{
	/* RFC 7296 2.13: T1 = prf(K, S | 1), Tn = prf(K, Tn-1 | S | n) */
	struct crypto_part in[SEED_PARTS_MAX + 2];
	uint8_t t[CRYPTO_PRF_MAX], count = 0;
	size_t size = crypto_prf_len(prf), done = 0;
	int err = 0;

	if (size == 0)
		err = -ENOTSUP;
	else if (n > SEED_PARTS_MAX || len > 255 * size)
		err = -EMSGSIZE;
	for (unsigned i = 0; i < n && !err; i++)
		in[i + 1] = part[i];
	while (done < len && !err) {
		size_t take = len - done < size ? len - done : size;

		in[0] = (struct crypto_part){.p = t, .len = count ? size : 0};
		count++;
		in[n + 1] = (struct crypto_part){.p = &count, .len = 1};
		err = crypto_prf(prf, key, key_len, in, n + 2, t);
		if (!err)
			memcpy(out + done, t, take);
		done += take;
	}
	secret_wipe(t, sizeof(t));
	if (err)
		secret_wipe(out, len);
	return err;
}

int crypto_sha1(const struct crypto_part *part, unsigned n, uint8_t out[CRYPTO_SHA1_LEN])
{
	EVP_MD_CTX *ctx;
	unsigned len = 0;
	int err = -EIO;

	ready();
	memset(out, 0, CRYPTO_SHA1_LEN);
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return -ENOMEM;
	if (!fetched.sha1 || EVP_DigestInit_ex2(ctx, fetched.sha1, NULL) != 1)
		goto free_ctx;
	for (unsigned i = 0; i < n; i++)
		if (part[i].len > 0 && EVP_DigestUpdate(ctx, part[i].p, part[i].len) != 1)
			goto free_ctx;
	if (EVP_DigestFinal_ex(ctx, out, &len) == 1 && len == CRYPTO_SHA1_LEN)
		err = 0;
free_ctx:
	EVP_MD_CTX_free(ctx);
	return err;
}

/* A context with key and nonce set; NULL and *err. */
static EVP_CIPHER_CTX *gcm_new(const struct alg *encr, const struct secret *key, const uint8_t iv[CRYPTO_IV_LEN],
			       bool seal, int *err)
{
	uint8_t nonce[GCM_NONCE_LEN];
	const EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx;
	size_t key_len;

	ready();
	*err = -ENOTSUP;
	if (encr->type != ALG_ENCR || encr->id != ALG_ENCR_AES_GCM_16 ||
	    (encr->key_bits != 128 && encr->key_bits != 256))
		return NULL;
	key_len = encr->key_bits / 8;
	*err = -EINVAL;
	if (key->len != key_len + GCM_SALT_LEN)
		return NULL;
	*err = -EIO;
	cipher = key_len == 32 ? fetched.gcm256 : fetched.gcm128;
	ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
	if (!ctx)
		return NULL;
	/* RFC 4106 4: nonce = salt | IV; the default nonce length is 12 */
	memcpy(nonce, key->b + key_len, GCM_SALT_LEN);
	memcpy(nonce + GCM_SALT_LEN, iv, CRYPTO_IV_LEN);
	if (EVP_CipherInit_ex2(ctx, cipher, key->b, nonce, seal, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	secret_wipe(nonce, sizeof(nonce));
	return ctx;
}

/* AAD in, then text in place. */
static bool gcm_update(EVP_CIPHER_CTX *ctx, const void *aad, size_t aad_len, uint8_t *text, size_t len)
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
	EVP_CIPHER_CTX *ctx = gcm_new(encr, key, iv, true, &err);

	if (ctx && gcm_update(ctx, aad, aad_len, text, len) && EVP_CipherFinal_ex(ctx, end, &n) == 1 && n == 0 &&
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
	EVP_CIPHER_CTX *ctx = gcm_new(encr, key, iv, false, &err);

	memcpy(tag, icv, sizeof(tag));
	if (ctx && gcm_update(ctx, aad, aad_len, text, len) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_ICV_LEN, tag) == 1)
		err = EVP_CipherFinal_ex(ctx, end, &n) == 1 && n == 0 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	if (err)
		secret_wipe(text, len);
	if (err == -EBADMSG)
		ERR_clear_error(); /* what a peer sent must not pile up on this thread's error queue */
	return err;
}

/* RFC 4231 4.3 (test case 2), first octets of each HMAC. */
static int selftest_prf(void)
{
	static const uint8_t want[3][4] = {
		{0x5b, 0xdc, 0xc1, 0x46}, {0xaf, 0x45, 0xd2, 0xe3}, {0x16, 0x4b, 0x7a, 0x7b}};
	static const uint16_t size[3] = {32, 48, 64};
	const struct crypto_part part = {.p = "what do ya want for nothing?", .len = 28};

	for (unsigned i = 0; i < 3; i++) {
		uint8_t out[CRYPTO_PRF_MAX];

		if (hmac(i, "Jefe", 4, &part, 1, out, size[i]) < 0 || memcmp(out, want[i], sizeof(want[i])) != 0)
			return -EIO;
	}
	return 0;
}

/* The GCM paper's test cases 1 and 13: zero key and nonce, no text: the tag alone. */
static int selftest_gcm(void)
{
	static const uint8_t tag[2][4] = {{0x58, 0xe2, 0xfc, 0xce}, {0x53, 0x0f, 0x8a, 0xfb}}, iv[CRYPTO_IV_LEN];

	for (unsigned i = 0; i < 2; i++) {
		const struct alg encr = {.type = ALG_ENCR, .id = ALG_ENCR_AES_GCM_16, .key_bits = i ? 256 : 128};
		struct secret key = {.len = (uint16_t)(encr.key_bits / 8 + GCM_SALT_LEN)};
		uint8_t icv[CRYPTO_ICV_LEN], text[1];

		if (crypto_seal(&encr, &key, iv, NULL, 0, text, 0, icv) < 0 || memcmp(icv, tag[i], sizeof(tag[i])) != 0)
			return -EIO;
		if (crypto_open(&encr, &key, iv, NULL, 0, text, 0, icv) < 0)
			return -EIO;
		icv[15] ^= 1;
		if (crypto_open(&encr, &key, iv, NULL, 0, text, 0, icv) != -EBADMSG)
			return -EIO;
	}
	return 0;
}

int crypto_init(void)
{
	int err = selftest_prf();

	if (!err)
		err = selftest_gcm();
	return err ? err : crypto_dh_selftest();
}
