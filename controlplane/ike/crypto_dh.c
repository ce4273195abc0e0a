/* Diffie-Hellman: X25519 (RFC 8031), NIST P-256 (RFC 5903), 2048-bit MODP (RFC 3526 3).
 *
 * Private values are derived from a seed given in: 64 random octets give each group more bits than it has strength.
 */
#include "controlplane/ike/crypto_dh.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

enum {
	X25519_LEN = 32,
	P256_LEN = 32,      /* of a coordinate and of the private value */
	P256_SEED_LEN = 48, /* 128 bits more than the order, so that the reduction is even enough (FIPS 186-4 B.4.1) */
	MODP2048_LEN = 256,
	MODP2048_PRIV_LEN = 40, /* 320 bits: RFC 3526 8, the upper estimate for group 14 */
};

/* Made once, read only afterwards. */
static struct {
	pthread_once_t once;
	EC_GROUP *p256;
	BIGNUM *p256_order_1;            /* order - 1 */
	BIGNUM *modp2048, *modp2048_max; /* p, and p - 2: the largest good public value */
	BIGNUM *two;
	BN_MONT_CTX *mont;
} fixed = {.once = PTHREAD_ONCE_INIT};

static BIGNUM *minus(const BIGNUM *a, BN_ULONG b)
{
	BIGNUM *r = a ? BN_dup(a) : NULL;

	if (r && BN_sub_word(r, b) != 1) {
		BN_free(r);
		r = NULL;
	}
	return r;
}

static void make_fixed(void)
{
	BN_CTX *ctx = BN_CTX_new();

	fixed.p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	fixed.p256_order_1 = fixed.p256 ? minus(EC_GROUP_get0_order(fixed.p256), 1) : NULL;
	fixed.modp2048 = BN_get_rfc3526_prime_2048(NULL);
	fixed.modp2048_max = minus(fixed.modp2048, 2);
	fixed.two = BN_new();
	if (fixed.two && BN_set_word(fixed.two, 2) != 1) {
		BN_free(fixed.two);
		fixed.two = NULL;
	}
	fixed.mont = BN_MONT_CTX_new();
	if (fixed.mont && (!ctx || !fixed.modp2048 || BN_MONT_CTX_set(fixed.mont, fixed.modp2048, ctx) != 1)) {
		BN_MONT_CTX_free(fixed.mont);
		fixed.mont = NULL;
	}
	BN_CTX_free(ctx);
}

static bool ready(void)
{
	pthread_once(&fixed.once, make_fixed);
	return fixed.p256 && fixed.p256_order_1 && fixed.modp2048 && fixed.modp2048_max && fixed.two && fixed.mont;
}

/* ---- X25519 ---- */

static int x25519_make(struct crypto_dh *dh, const uint8_t *seed)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, seed, X25519_LEN);
	size_t len = X25519_LEN;
	int err = -EIO;

	if (key && EVP_PKEY_get_raw_public_key(key, dh->public_value, &len) == 1 && len == X25519_LEN)
		err = secret_set(&dh->priv, seed, X25519_LEN);
	dh->public_len = X25519_LEN;
	EVP_PKEY_free(key);
	return err;
}

/* RFC 8031 3, RFC 7748 6.1: a result of all zeros is a low-order point and is refused. */
static bool all_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

static int x25519_shared(const struct crypto_dh *dh, const uint8_t *peer, struct secret *out)
{
	EVP_PKEY *mine = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, dh->priv.b, dh->priv.len);
	EVP_PKEY *his = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer, X25519_LEN);
	EVP_PKEY_CTX *ctx = mine ? EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL) : NULL;
	size_t len = X25519_LEN;
	int err = -EIO;

	if (!ctx || !his || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, his) != 1)
		goto free_all;
	/* OpenSSL refuses the all-zero result itself; one cause is left once both keys were taken */
	if (EVP_PKEY_derive(ctx, out->b, &len) != 1 || len != X25519_LEN || all_zero(out->b, len)) {
		err = -EINVAL;
		goto free_all;
	}
	out->len = X25519_LEN;
	err = 0;
free_all:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(his);
	EVP_PKEY_free(mine);
	return err;
}

/* ---- P-256: KE is x | y (RFC 5903 6), the shared secret is x (RFC 5903 9) ---- */

/* point -> 0x04 | x | y, without the first octet */
static bool p256_write(const EC_POINT *point, BN_CTX *ctx, uint8_t xy[2 * P256_LEN])
{
	uint8_t oct[1 + 2 * P256_LEN];
	bool ok = EC_POINT_point2oct(fixed.p256, point, POINT_CONVERSION_UNCOMPRESSED, oct, sizeof(oct), ctx) ==
		  sizeof(oct);

	if (ok)
		memcpy(xy, oct + 1, 2 * P256_LEN);
	secret_wipe(oct, sizeof(oct));
	return ok;
}

static int p256_make(struct crypto_dh *dh, const uint8_t *seed)
{
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *d = BN_secure_new(), *wide = BN_secure_new();
	EC_POINT *point = EC_POINT_new(fixed.p256);
	int err = -EIO;

	if (!ctx || !d || !wide || !point || !BN_bin2bn(seed, P256_SEED_LEN, wide))
		goto free_all;
	BN_set_flags(wide, BN_FLG_CONSTTIME);
	/* d = seed mod (n - 1) + 1: 1..n-1 */
	if (BN_mod(d, wide, fixed.p256_order_1, ctx) != 1 || BN_add_word(d, 1) != 1)
		goto free_all;
	if (EC_POINT_mul(fixed.p256, point, d, NULL, NULL, ctx) != 1 || !p256_write(point, ctx, dh->public_value))
		goto free_all;
	if (BN_bn2binpad(d, dh->priv.b, P256_LEN) != P256_LEN)
		goto free_all;
	dh->priv.len = P256_LEN;
	dh->public_len = 2 * P256_LEN;
	err = 0;
free_all:
	EC_POINT_free(point);
	BN_clear_free(wide);
	BN_clear_free(d);
	BN_CTX_free(ctx);
	return err;
}

static int p256_shared(const struct crypto_dh *dh, const uint8_t *peer, struct secret *out)
{
	uint8_t oct[1 + 2 * P256_LEN] = {POINT_CONVERSION_UNCOMPRESSED}, xy[2 * P256_LEN];
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *d = BN_secure_new();
	EC_POINT *his = EC_POINT_new(fixed.p256), *point = EC_POINT_new(fixed.p256);
	int err = -EIO;

	if (!ctx || !d || !his || !point || !BN_bin2bn(dh->priv.b, dh->priv.len, d))
		goto free_all;
	memcpy(oct + 1, peer, 2 * P256_LEN);
	err = -EINVAL;
	/* RFC 6989 2.3: coordinates below p and on the curve; both are checked by oct2point. The cofactor is 1. */
	if (EC_POINT_oct2point(fixed.p256, his, oct, sizeof(oct), ctx) != 1 ||
	    EC_POINT_is_on_curve(fixed.p256, his, ctx) != 1 || EC_POINT_is_at_infinity(fixed.p256, his))
		goto free_all;
	err = -EIO;
	if (EC_POINT_mul(fixed.p256, point, NULL, his, d, ctx) != 1 || !p256_write(point, ctx, xy))
		goto free_all;
	err = secret_set(out, xy, P256_LEN);
free_all:
	secret_wipe(xy, sizeof(xy));
	EC_POINT_clear_free(point);
	EC_POINT_free(his);
	BN_clear_free(d);
	BN_CTX_free(ctx);
	return err;
}

/* ---- MODP 2048: values padded in front to 256 octets (RFC 7296 2.14, 3.4) ---- */

/* out = base ^ priv mod p in constant time. */
static int modp_exp(const BIGNUM *base, const uint8_t *priv, uint8_t out[MODP2048_LEN])
{
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *x = BN_secure_new(), *r = BN_secure_new();
	int err = -EIO;

	if (!ctx || !x || !r || !BN_bin2bn(priv, MODP2048_PRIV_LEN, x))
		goto free_all;
	BN_set_flags(x, BN_FLG_CONSTTIME);
	if (BN_mod_exp_mont_consttime(r, base, x, fixed.modp2048, ctx, fixed.mont) != 1)
		goto free_all;
	if (BN_bn2binpad(r, out, MODP2048_LEN) == MODP2048_LEN)
		err = 0;
free_all:
	BN_clear_free(r);
	BN_clear_free(x);
	BN_CTX_free(ctx);
	return err;
}

static int modp_make(struct crypto_dh *dh, const uint8_t *seed)
{
	int err = secret_set(&dh->priv, seed, MODP2048_PRIV_LEN);

	dh->priv.b[0] |= 0x80; /* the full length, and never zero */
	dh->public_len = MODP2048_LEN;
	return err ? err : modp_exp(fixed.two, dh->priv.b, dh->public_value);
}

static int modp_shared(const struct crypto_dh *dh, const uint8_t *peer, struct secret *out)
{
	BIGNUM *his = BN_bin2bn(peer, MODP2048_LEN, NULL);
	int err;

	if (!his)
		return -EIO;
	/* RFC 6989 2.1: 1 < y < p - 1. p is a safe prime, so no small subgroup is left */
	if (BN_cmp(his, fixed.two) < 0 || BN_cmp(his, fixed.modp2048_max) > 0)
		err = -EINVAL;
	else
		err = modp_exp(his, dh->priv.b, out->b);
	out->len = MODP2048_LEN;
	BN_free(his);
	return err;
}

/* ---- the groups ---- */

static const struct group {
	uint16_t id, public_len;
	int (*make)(struct crypto_dh *dh, const uint8_t *seed);
	int (*shared)(const struct crypto_dh *dh, const uint8_t *peer, struct secret *out);
} groups[] = {
	{ALG_DH_X25519, X25519_LEN, x25519_make, x25519_shared},
	{ALG_DH_ECP256, 2 * P256_LEN, p256_make, p256_shared},
	{ALG_DH_MODP2048, MODP2048_LEN, modp_make, modp_shared},
};

static const struct group *group_find(const struct alg *alg)
{
	for (size_t i = 0; alg && alg->type == ALG_DH && i < N_ELEMS(groups); i++)
		if (groups[i].id == alg->id)
			return &groups[i];
	return NULL;
}

size_t crypto_dh_len(const struct alg *group)
{
	const struct group *g = group_find(group);

	return g ? g->public_len : 0;
}

int crypto_dh_make(struct crypto_dh *dh, const struct alg *group, const uint8_t seed[CRYPTO_SEED_LEN])
{
	const struct group *g = group_find(group);
	int err = -ENOTSUP;

	memset(dh, 0, sizeof(*dh));
	if (g)
		err = ready() ? g->make(dh, seed) : -EIO;
	if (err)
		crypto_dh_fini(dh);
	else
		dh->group = group;
	return err;
}

int crypto_dh_shared(const struct crypto_dh *dh, const uint8_t *peer, size_t len, struct secret *out)
{
	const struct group *g = group_find(dh->group);
	int err = -ENOTSUP;

	out->len = 0;
	if (g && len != g->public_len)
		err = -EINVAL;
	else if (g)
		err = ready() ? g->shared(dh, peer, out) : -EIO;
	if (err)
		secret_fini(out);
	if (err == -EINVAL)
		ERR_clear_error(); /* what a peer sent must not pile up on this thread's error queue */
	return err;
}

void crypto_dh_fini(struct crypto_dh *dh)
{
	secret_wipe(dh, sizeof(*dh));
}

int crypto_dh_selftest(void)
{
	for (size_t i = 0; i < N_ELEMS(groups); i++) {
		const struct alg alg = {.type = ALG_DH, .id = groups[i].id};
		uint8_t seed_a[CRYPTO_SEED_LEN] = {1, 2, 3}, seed_b[CRYPTO_SEED_LEN] = {4, 5, 6};
		struct crypto_dh a, b;
		struct secret ab = {0}, ba = {0};
		bool ok = crypto_dh_make(&a, &alg, seed_a) == 0 && crypto_dh_make(&b, &alg, seed_b) == 0 &&
			  crypto_dh_shared(&a, b.public_value, b.public_len, &ab) == 0 &&
			  crypto_dh_shared(&b, a.public_value, a.public_len, &ba) == 0 && ab.len == ba.len &&
			  secret_equal(ab.b, ba.b, ab.len);

		secret_fini(&ab);
		secret_fini(&ba);
		if (!ok)
			return -EIO;
	}
	return 0;
}
