/* Diffie-Hellman: the table of groups, and X25519 and X448 (RFC 8031).
 *
 * Private values are derived from a seed given in: its random octets give each group more bits than it has strength.
 */
#include "controlplane/ike/crypto_parts.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/* ---- X25519, X448 ---- */

enum { X_LEN_MAX = 56 };

static const char *x_name(const struct crypto_group *g)
{
	return g->id == ALG_DH_X448 ? "X448" : "X25519";
}

static int x_make(const struct crypto_group *g, struct crypto_dh *dh, const uint8_t *seed)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, x_name(g), NULL, seed, g->public_len);
	size_t len = g->public_len;
	int err = -EIO;

	if (key && EVP_PKEY_get_raw_public_key(key, dh->public_value, &len) == 1 && len == g->public_len)
		err = secret_set(&dh->priv, seed, g->public_len);
	EVP_PKEY_free(key);
	return err;
}

/* RFC 8031 3.2, RFC 7748 6: a result of all zeros is a low-order point and is refused. */
static bool all_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

static int x_shared(const struct crypto_group *g, const struct crypto_dh *dh, const uint8_t *peer,
		    struct crypto_shared *out)
{
	EVP_PKEY *mine = EVP_PKEY_new_raw_private_key_ex(NULL, x_name(g), NULL, dh->priv.b, dh->priv.len);
	EVP_PKEY *his = EVP_PKEY_new_raw_public_key_ex(NULL, x_name(g), NULL, peer, g->public_len);
	EVP_PKEY_CTX *ctx = mine ? EVP_PKEY_CTX_new_from_pkey(NULL, mine, NULL) : NULL;
	size_t len = g->public_len;
	int err = -EIO;

	if (!ctx || !his || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, his) != 1)
		goto free_all;
	/* OpenSSL refuses the all-zero result itself; one cause is left once both keys were taken */
	if (EVP_PKEY_derive(ctx, out->b, &len) != 1 || len != g->public_len || all_zero(out->b, len)) {
		err = -EINVAL;
		goto free_all;
	}
	out->len = g->public_len;
	err = 0;
free_all:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(his);
	EVP_PKEY_free(mine);
	return err;
}

/* ---- the groups ---- */

static const struct crypto_group groups[] = {
	{ALG_DH_X25519, 32, x_make, x_shared},
	{ALG_DH_X448, X_LEN_MAX, x_make, x_shared},
	{ALG_DH_ECP256, 64, crypto_ecp_make, crypto_ecp_shared},
	{ALG_DH_ECP384, 96, crypto_ecp_make, crypto_ecp_shared},
	{ALG_DH_ECP521, 132, crypto_ecp_make, crypto_ecp_shared},
	{ALG_DH_MODP2048, 256, crypto_modp_make, crypto_modp_shared},
	{ALG_DH_MODP3072, 384, crypto_modp_make, crypto_modp_shared},
	{ALG_DH_MODP4096, 512, crypto_modp_make, crypto_modp_shared},
	{ALG_DH_MODP6144, 768, crypto_modp_make, crypto_modp_shared},
	{ALG_DH_MODP8192, 1024, crypto_modp_make, crypto_modp_shared},
	{ALG_DH_MODP1024, 128, crypto_modp_make, crypto_modp_shared},
};

static const struct crypto_group *group_find(const struct alg *alg)
{
	for (size_t i = 0; alg && alg->type == ALG_DH && i < N_ELEMS(groups); i++)
		if (groups[i].id == alg->id)
			return &groups[i];
	return NULL;
}

size_t crypto_dh_len(const struct alg *group)
{
	const struct crypto_group *g = group_find(group);

	return g ? g->public_len : 0;
}

int crypto_dh_make(struct crypto_dh *dh, const struct alg *group, const uint8_t seed[CRYPTO_SEED_LEN])
{
	const struct crypto_group *g = group_find(group);
	int err = -ENOTSUP;

	memset(dh, 0, sizeof(*dh));
	if (g) {
		dh->public_len = g->public_len;
		err = g->make(g, dh, seed);
	}
	if (err)
		crypto_dh_fini(dh);
	else
		dh->group = group;
	return err;
}

int crypto_dh_shared(const struct crypto_dh *dh, const uint8_t *peer, size_t len, struct crypto_shared *out)
{
	const struct crypto_group *g = group_find(dh->group);
	int err = -ENOTSUP;

	out->len = 0;
	if (g && len != g->public_len)
		err = -EINVAL;
	else if (g)
		err = g->shared(g, dh, peer, out);
	if (err)
		secret_wipe(out, sizeof(*out));
	if (err == -EINVAL)
		ERR_clear_error(); /* what a peer sent must not pile up on this thread's error queue */
	return err;
}

void crypto_dh_fini(struct crypto_dh *dh)
{
	secret_wipe(dh, sizeof(*dh));
}

static bool agrees(const struct alg *alg)
{
	uint8_t seed_a[CRYPTO_SEED_LEN] = {1, 2, 3}, seed_b[CRYPTO_SEED_LEN] = {4, 5, 6};
	struct crypto_shared ab = {0}, ba = {0};
	struct crypto_dh a, b;
	bool ok = crypto_dh_make(&a, alg, seed_a) == 0 && crypto_dh_make(&b, alg, seed_b) == 0 &&
		  crypto_dh_shared(&a, b.public_value, b.public_len, &ab) == 0 &&
		  crypto_dh_shared(&b, a.public_value, a.public_len, &ba) == 0 && ab.len == ba.len &&
		  secret_equal(ab.b, ba.b, ab.len);

	secret_wipe(&ab, sizeof(ab));
	secret_wipe(&ba, sizeof(ba));
	crypto_dh_fini(&a);
	crypto_dh_fini(&b);
	return ok;
}

int crypto_dh_selftest(void)
{
	for (size_t i = 0; i < N_ELEMS(groups); i++) {
		const struct alg alg = {.type = ALG_DH, .id = groups[i].id};

		/* the long primes cost a start too much, and differ from the others in nothing but themselves */
		if (groups[i].public_len <= 512 && !agrees(&alg))
			return -EIO;
	}
	return 0;
}
