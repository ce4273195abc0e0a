/* Diffie-Hellman over the NIST curves (RFC 5903): KE is x | y (7), the shared secret is x (9). */
#include "controlplane/ike/crypto_parts.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

enum { COORD_MAX = 66, MORE_BITS = 16 };
_Static_assert((int)COORD_MAX + (int)MORE_BITS <= (int)CRYPTO_SEED_LEN,
	       "the seed is long enough for the largest order");

struct curve {
	uint16_t id;
	int nid;
	uint8_t len; /* octets of a coordinate, and of the private value */
};
static const struct curve curves[] = {
	{ALG_DH_ECP256, NID_X9_62_prime256v1, 32},
	{ALG_DH_ECP384, NID_secp384r1, 48},
	{ALG_DH_ECP521, NID_secp521r1, 66},
};

/* Made once, read only afterwards. */
static struct {
	pthread_once_t once;
	EC_GROUP *group[N_ELEMS(curves)];
	BIGNUM *order_1[N_ELEMS(curves)]; /* order - 1 */
} fixed = {.once = PTHREAD_ONCE_INIT};

static void make_fixed(void)
{
	for (unsigned i = 0; i < N_ELEMS(curves); i++) {
		EC_GROUP *g = EC_GROUP_new_by_curve_name(curves[i].nid);
		BIGNUM *n = g ? BN_dup(EC_GROUP_get0_order(g)) : NULL;

		if (n && BN_sub_word(n, 1) == 1) {
			fixed.group[i] = g;
			fixed.order_1[i] = n;
		} else {
			EC_GROUP_free(g);
			BN_free(n);
		}
	}
}

/* NULL: OpenSSL does not have it. */
static const struct curve *curve_of(const struct crypto_group *g)
{
	pthread_once(&fixed.once, make_fixed);
	for (unsigned i = 0; i < N_ELEMS(curves); i++)
		if (curves[i].id == g->id && fixed.group[i])
			return &curves[i];
	return NULL;
}

/* point -> 0x04 | x | y, without the first octet */
static bool point_write(const struct curve *c, const EC_POINT *point, BN_CTX *ctx, uint8_t *xy)
{
	uint8_t oct[1 + 2 * COORD_MAX];
	size_t len = 1 + 2 * (size_t)c->len;
	bool ok = EC_POINT_point2oct(fixed.group[c - curves], point, POINT_CONVERSION_UNCOMPRESSED, oct, sizeof(oct),
				     ctx) == len;

	if (ok)
		memcpy(xy, oct + 1, len - 1);
	secret_wipe(oct, sizeof(oct));
	return ok;
}

int crypto_ecp_make(const struct crypto_group *g, struct crypto_dh *dh, const uint8_t *seed)
{
	const struct curve *c = curve_of(g);
	const EC_GROUP *group = c ? fixed.group[c - curves] : NULL;
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *d = BN_secure_new(), *wide = BN_secure_new();
	EC_POINT *point = group ? EC_POINT_new(group) : NULL;
	int err = -EIO;

	/* 128 bits more than the order, so that the reduction is even enough (FIPS 186-4 B.4.1) */
	if (!ctx || !d || !wide || !point || !BN_bin2bn(seed, c->len + MORE_BITS, wide))
		goto free_all;
	BN_set_flags(wide, BN_FLG_CONSTTIME);
	/* d = seed mod (n - 1) + 1: 1..n-1 */
	if (BN_mod(d, wide, fixed.order_1[c - curves], ctx) != 1 || BN_add_word(d, 1) != 1)
		goto free_all;
	if (EC_POINT_mul(group, point, d, NULL, NULL, ctx) != 1 || !point_write(c, point, ctx, dh->public_value))
		goto free_all;
	if (BN_bn2binpad(d, dh->priv.b, c->len) != c->len)
		goto free_all;
	dh->priv.len = c->len;
	err = 0;
free_all:
	EC_POINT_free(point);
	BN_clear_free(wide);
	BN_clear_free(d);
	BN_CTX_free(ctx);
	return err;
}

int crypto_ecp_shared(const struct crypto_group *g, const struct crypto_dh *dh, const uint8_t *peer,
		      struct crypto_shared *out)
{
	uint8_t oct[1 + 2 * COORD_MAX] = {POINT_CONVERSION_UNCOMPRESSED}, xy[2 * COORD_MAX];
	const struct curve *c = curve_of(g);
	const EC_GROUP *group = c ? fixed.group[c - curves] : NULL;
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *d = BN_secure_new();
	EC_POINT *his = group ? EC_POINT_new(group) : NULL, *point = group ? EC_POINT_new(group) : NULL;
	int err = -EIO;

	if (!ctx || !d || !his || !point || !BN_bin2bn(dh->priv.b, dh->priv.len, d))
		goto free_all;
	memcpy(oct + 1, peer, g->public_len);
	err = -EINVAL;
	/* RFC 6989 2.3: coordinates below p and on the curve; both are checked by oct2point. The cofactor is 1. */
	if (EC_POINT_oct2point(group, his, oct, 1 + (size_t)g->public_len, ctx) != 1 ||
	    EC_POINT_is_on_curve(group, his, ctx) != 1 || EC_POINT_is_at_infinity(group, his))
		goto free_all;
	err = -EIO;
	if (EC_POINT_mul(group, point, NULL, his, d, ctx) != 1 || !point_write(c, point, ctx, xy))
		goto free_all;
	out->len = c->len;
	memcpy(out->b, xy, c->len);
	err = 0;
free_all:
	secret_wipe(xy, sizeof(xy));
	EC_POINT_clear_free(point);
	EC_POINT_free(his);
	BN_clear_free(d);
	BN_CTX_free(ctx);
	return err;
}
