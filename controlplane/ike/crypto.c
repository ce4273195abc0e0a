#include "controlplane/ike/crypto.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>

#include "controlplane/ike/crypto_parts.h"

/* One hash, twice: as PRF and as integrity algorithm. */
static const struct hash {
	uint16_t prf, integ; /* IANA's ids */
	uint8_t size;        /* octets of its output */
	const char *digest;
} hashes[] = {
	{ALG_PRF_HMAC_SHA2_256, ALG_INTEG_HMAC_SHA2_256_128, 32, "SHA256"},
	{ALG_PRF_HMAC_SHA2_384, ALG_INTEG_HMAC_SHA2_384_192, 48, "SHA384"},
	{ALG_PRF_HMAC_SHA2_512, ALG_INTEG_HMAC_SHA2_512_256, 64, "SHA512"},
	{ALG_PRF_HMAC_SHA1, ALG_INTEG_HMAC_SHA1_96, 20, "SHA1"},
};

/* Fetched once, read only afterwards, so that any thread may use them without a lock. */
static struct {
	pthread_once_t once;
	EVP_MAC_CTX *hmac[N_ELEMS(hashes)]; /* digest set, no key; copied for each use */
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
	for (unsigned i = 0; i < N_ELEMS(hashes); i++)
		fetched.hmac[i] = hmac_fetch(hashes[i].digest);
	fetched.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

static void ready(void)
{
	pthread_once(&fetched.once, fetch);
}

static const struct hash *hash_of_prf(const struct alg *prf)
{
	for (unsigned i = 0; i < N_ELEMS(hashes); i++)
		if (prf->type == ALG_PRF && hashes[i].prf == prf->id)
			return &hashes[i];
	return NULL;
}

size_t crypto_prf_len(const struct alg *prf)
{
	const struct hash *h = hash_of_prf(prf);

	return h ? h->size : 0;
}

/* out = HMAC(key, parts): h->size octets. */
static int hmac(const struct hash *h, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
		uint8_t *out)
{
	static const uint8_t none[1]; /* an empty key is a key; OpenSSL takes a NULL for "the one before" */
	EVP_MAC_CTX *ctx;
	size_t len = 0;
	int err = -EIO;

	ready();
	if (!fetched.hmac[h - hashes])
		return -EIO;
	ctx = EVP_MAC_CTX_dup(fetched.hmac[h - hashes]);
	if (!ctx)
		return -ENOMEM;
	if (EVP_MAC_init(ctx, key_len ? key : none, key_len, NULL) != 1)
		goto free_ctx;
	for (unsigned i = 0; i < n; i++)
		if (part[i].len > 0 && EVP_MAC_update(ctx, part[i].p, part[i].len) != 1)
			goto free_ctx;
	if (EVP_MAC_final(ctx, out, &len, h->size) == 1 && len == h->size)
		err = 0;
free_ctx:
	EVP_MAC_CTX_free(ctx);
	return err;
}

int crypto_prf(const struct alg *prf, const void *key, size_t key_len, const struct crypto_part *part, unsigned n,
	       uint8_t out[CRYPTO_PRF_MAX])
{
	const struct hash *h = hash_of_prf(prf);
	int err = h ? hmac(h, key, key_len, part, n, out) : -ENOTSUP;

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

int crypto_integ(const struct alg *integ, const struct secret *key, const struct crypto_part *part, unsigned n,
		 uint8_t out[CRYPTO_ICV_MAX])
{
	uint8_t mac[CRYPTO_PRF_MAX];
	const struct hash *h = NULL;
	int err = -ENOTSUP;

	for (unsigned i = 0; i < N_ELEMS(hashes); i++)
		if (integ->type == ALG_INTEG && hashes[i].integ == integ->id)
			h = &hashes[i];
	if (h && (key->len != integ->key_len || integ->icv_len > CRYPTO_ICV_MAX))
		err = -EINVAL;
	else if (h)
		err = hmac(h, key->b, key->len, part, n, mac);
	if (err)
		secret_wipe(out, CRYPTO_ICV_MAX);
	else
		memcpy(out, mac, integ->icv_len);
	secret_wipe(mac, sizeof(mac));
	return err;
}

/* RFC 4231 4.3 and RFC 2202 3 (test case 2 of both), first octets of each HMAC. */
static int selftest_hmac(void)
{
	static const uint8_t want[N_ELEMS(hashes)][4] = {
		{0x5b, 0xdc, 0xc1, 0x46}, {0xaf, 0x45, 0xd2, 0xe3}, {0x16, 0x4b, 0x7a, 0x7b}, {0xef, 0xfc, 0xdf, 0x6a}};
	const struct crypto_part part = {.p = "what do ya want for nothing?", .len = 28};

	for (unsigned i = 0; i < N_ELEMS(hashes); i++) {
		uint8_t out[CRYPTO_PRF_MAX];

		if (hmac(&hashes[i], "Jefe", 4, &part, 1, out) < 0 || memcmp(out, want[i], sizeof(want[i])) != 0)
			return -EIO;
	}
	return 0;
}

int crypto_init(void)
{
	int err = selftest_hmac();

	if (!err)
		err = crypto_cipher_selftest();
	return err ? err : crypto_dh_selftest();
}
