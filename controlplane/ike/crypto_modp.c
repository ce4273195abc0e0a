/* Diffie-Hellman modulo a prime (RFC 3526, RFC 7296 B.2): values padded in front to the prime's length (RFC 7296 2.14, 3.4). */
#include "controlplane/ike/crypto_parts.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/bn.h>

enum { PRIV_MAX = 80 };
_Static_assert((int)PRIV_MAX <= (int)CRYPTO_SEED_LEN, "the seed is long enough for the largest group");

struct modp {
	uint16_t id, len;
	uint8_t priv_len; /* octets: at least RFC 3526 8's upper estimate of an exponent */
	BIGNUM *(*prime)(BIGNUM *bn);
};
static const struct modp modps[] = {
	{ALG_DH_MODP1024, 128, 40, BN_get_rfc2409_prime_1024},
	{ALG_DH_MODP2048, 256, 40, BN_get_rfc3526_prime_2048},
	{ALG_DH_MODP3072, 384, 53, BN_get_rfc3526_prime_3072},
	{ALG_DH_MODP4096, 512, 60, BN_get_rfc3526_prime_4096},
	{ALG_DH_MODP6144, 768, 68, BN_get_rfc3526_prime_6144},
	{ALG_DH_MODP8192, 1024, PRIV_MAX, BN_get_rfc3526_prime_8192},
};

/* Made once, read only afterwards. */
static struct {
	pthread_once_t once;
	BIGNUM *two;
	struct modp_fixed {
		BIGNUM *p, *max; /* and p - 2: the largest good public value */
		BN_MONT_CTX *mont;
	} of[N_ELEMS(modps)];
} fixed = {.once = PTHREAD_ONCE_INIT};

static bool make_one(const struct modp *m, struct modp_fixed *f, BN_CTX *ctx)
{
	f->p = m->prime(NULL);
	f->max = f->p ? BN_dup(f->p) : NULL;
	f->mont = BN_MONT_CTX_new();
	return f->max && f->mont && BN_sub_word(f->max, 2) == 1 && BN_MONT_CTX_set(f->mont, f->p, ctx) == 1;
}

static void make_fixed(void)
{
	BN_CTX *ctx = BN_CTX_new();

	fixed.two = BN_new();
	if (fixed.two && BN_set_word(fixed.two, 2) != 1) {
		BN_free(fixed.two);
		fixed.two = NULL;
	}
	for (unsigned i = 0; ctx && fixed.two && i < N_ELEMS(modps); i++)
		if (!make_one(&modps[i], &fixed.of[i], ctx)) {
			BN_free(fixed.of[i].p);
			fixed.of[i].p = NULL;
		}
	BN_CTX_free(ctx);
}

/* NULL: OpenSSL failed when it was made. */
static const struct modp_fixed *fixed_of(const struct crypto_group *g, const struct modp **m)
{
	pthread_once(&fixed.once, make_fixed);
	for (unsigned i = 0; i < N_ELEMS(modps); i++)
		if (modps[i].id == g->id && fixed.of[i].p) {
			*m = &modps[i];
			return &fixed.of[i];
		}
	return NULL;
}

/* out = base ^ priv mod p in constant time. */
static int modp_exp(const struct modp *m, const struct modp_fixed *f, const BIGNUM *base, const uint8_t *priv,
		    uint8_t *out)
{
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *x = BN_secure_new(), *r = BN_secure_new();
	int err = -EIO;

	if (!ctx || !x || !r || !BN_bin2bn(priv, m->priv_len, x))
		goto free_all;
	BN_set_flags(x, BN_FLG_CONSTTIME);
	if (BN_mod_exp_mont_consttime(r, base, x, f->p, ctx, f->mont) != 1)
		goto free_all;
	if (BN_bn2binpad(r, out, m->len) == m->len)
		err = 0;
free_all:
	BN_clear_free(r);
	BN_clear_free(x);
	BN_CTX_free(ctx);
	return err;
}

int crypto_modp_make(const struct crypto_group *g, struct crypto_dh *dh, const uint8_t *seed)
{
	const struct modp *m = NULL;
	const struct modp_fixed *f = fixed_of(g, &m);
	int err;

	if (!f)
		return -EIO;
	err = secret_set(&dh->priv, seed, m->priv_len);
	dh->priv.b[0] |= 0x80; /* the full length, and never zero */
	return err ? err : modp_exp(m, f, fixed.two, dh->priv.b, dh->public_value);
}

int crypto_modp_shared(const struct crypto_group *g, const struct crypto_dh *dh, const uint8_t *peer,
		       struct crypto_shared *out)
{
	const struct modp *m = NULL;
	const struct modp_fixed *f = fixed_of(g, &m);
	BIGNUM *his = f ? BN_bin2bn(peer, m->len, NULL) : NULL;
	int err;

	if (!his)
		return -EIO;
	/* RFC 6989 2.1: 1 < y < p - 1. p is a safe prime, so no small subgroup is left */
	if (BN_cmp(his, fixed.two) < 0 || BN_cmp(his, f->max) > 0)
		err = -EINVAL;
	else
		err = modp_exp(m, f, his, dh->priv.b, out->b);
	out->len = m->len;
	BN_free(his);
	return err;
}
