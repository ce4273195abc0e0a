#include "controlplane/ike/keymat.h"

#include "controlplane/ike/keylog.h"

#include <errno.h>
#include <string.h>

#include "base/wr.h"
#include "controlplane/ike/crypto.h"

/* Cut `len` octets off a key stream into s. */
static const uint8_t *cut(const uint8_t *from, struct secret *s, size_t len)
{
	s->len = (uint16_t)len;
	memcpy(s->b, from, len);
	return from + len;
}

/* Octets of the integrity key beside this cipher; false: they do not go together, or one is nothing that we have. */
static bool integ_len(const struct alg *encr, const struct alg *integ, size_t *len)
{
	*len = integ ? integ->key_len : 0;
	return encr->aead ? !integ : integ && integ->icv_len;
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr). RFC 7296 2.14.
 * With an AEAD SK_a are of length 0 (RFC 5282 7). */
static int expand(const struct keymat_input *in, const uint8_t skeyseed[CRYPTO_PRF_MAX], size_t seed_len,
		  struct keymat_ike *out)
{
	uint8_t spis[2 * IKE_SPI_LEN], stream[3 * CRYPTO_PRF_MAX + 2 * SECRET_MAX];
	size_t prf_len = crypto_prf_len(in->prf), encr_len = in->encr->key_len, auth_len;
	bool known = integ_len(in->encr, in->integ, &auth_len);
	size_t len = 3 * prf_len + 2 * auth_len + 2 * encr_len;
	const uint8_t *p = stream;
	struct wr w = wr_of(spis, sizeof(spis));
	int err = -ENOTSUP;

	wr_u64(&w, in->spi_i);
	wr_u64(&w, in->spi_r);
	if (known && prf_len > 0 && encr_len > 0 && auth_len + encr_len <= SECRET_MAX)
		err = crypto_prf_plus(in->prf, skeyseed, seed_len,
				      (struct crypto_part[]){
					      {in->ni->b, in->ni->len}, {in->nr->b, in->nr->len}, {spis, sizeof(spis)}},
				      3, stream, len);
	memset(out, 0, sizeof(*out));
	if (!err) {
		p = cut(p, &out->d, prf_len);
		p = cut(p, &out->ai, auth_len);
		p = cut(p, &out->ar, auth_len);
		p = cut(p, &out->ei, encr_len);
		p = cut(p, &out->er, encr_len);
		p = cut(p, &out->pi, prf_len);
		cut(p, &out->pr, prf_len);
	}
#ifdef ESPLANADE_KEYLOG
	if (!err)
		keylog_ike(in, out);
#endif
	secret_wipe(stream, sizeof(stream));
	return err;
}

int keymat_ike(const struct keymat_input *in, struct keymat_ike *out)
{
	uint8_t key[2 * NONCE_MAX], skeyseed[CRYPTO_PRF_MAX];
	struct wr w = wr_of(key, sizeof(key));
	const struct crypto_part shared = {.p = in->shared->b, .len = in->shared->len};
	int err;

	/* RFC 7296 2.14: all bits of the nonces are the key: HMAC takes keys of any length */
	wr_copy(&w, in->ni->b, in->ni->len);
	wr_copy(&w, in->nr->b, in->nr->len);
	err = crypto_prf(in->prf, key, w.len, &shared, 1, skeyseed);
	if (!err)
		err = expand(in, skeyseed, crypto_prf_len(in->prf), out);
	if (err)
		keymat_fini(out);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return err;
}

int keymat_ike_rekey(const struct keymat_input *in, const struct alg *old_prf, const struct secret *old_d,
		     struct keymat_ike *out)
{
	const struct crypto_part part[] = {
		{in->shared->b, in->shared->len}, {in->ni->b, in->ni->len}, {in->nr->b, in->nr->len}};
	uint8_t skeyseed[CRYPTO_PRF_MAX];
	int err = crypto_prf(old_prf, old_d->b, old_d->len, part, N_ELEMS(part), skeyseed);

	if (!err)
		err = expand(in, skeyseed, crypto_prf_len(old_prf), out);
	if (err)
		keymat_fini(out);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return err;
}

void keymat_fini(struct keymat_ike *k)
{
	secret_wipe(k, sizeof(*k));
}

int keymat_child(const struct alg *prf, const struct secret *d, const struct crypto_shared *shared,
		 const struct ike_nonce *ni, const struct ike_nonce *nr, const struct alg *encr,
		 const struct alg *integ, struct secret *i, struct secret *r)
{
	const struct crypto_part part[] = {
		{shared ? shared->b : NULL, shared ? shared->len : 0}, {ni->b, ni->len}, {nr->b, nr->len}};
	uint8_t stream[2 * SECRET_MAX];
	size_t auth_len;
	bool known = integ_len(encr, integ, &auth_len);
	size_t len = encr->key_len + auth_len;
	int err = -ENOTSUP;

	if (known && len <= SECRET_MAX)
		err = crypto_prf_plus(prf, d->b, d->len, part, N_ELEMS(part), stream, 2 * len);
	if (!err)
		err = secret_set(i, stream, len);
	if (!err)
		err = secret_set(r, stream + len, len);
	if (err) {
		secret_fini(i);
		secret_fini(r);
	}
	secret_wipe(stream, sizeof(stream));
	return err;
}
