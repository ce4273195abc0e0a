#include "dataplane/crypto_jobs.h"

#include <string.h>

#include <rte_esp.h>
#include <rte_prefetch.h>

#include "dataplane/una.h"

enum { HDR = sizeof(struct rte_esp_hdr), ESN_HIGH = 4 };

static const uint8_t zero_iv[CRYPTO_IV_MAX];

static const struct {
	IMB_HASH_ALG alg;
	uint8_t icv_len;
} hashes[CRYPTO_HASH_N] = {
	[CRYPTO_SHA1_96] = {IMB_AUTH_HMAC_SHA_1, 12},
	[CRYPTO_SHA256_128] = {IMB_AUTH_HMAC_SHA_256, 16},
	[CRYPTO_SHA384_192] = {IMB_AUTH_HMAC_SHA_384, 24},
	[CRYPTO_SHA512_256] = {IMB_AUTH_HMAC_SHA_512, 32},
};

static const struct {
	IMB_CIPHER_MODE mode;
	uint8_t key_len, iv_len;
} ciphers[CRYPTO_CIPHER_N] = {
	[CRYPTO_AES128_CBC] = {IMB_CIPHER_CBC, 16, 16}, [CRYPTO_AES192_CBC] = {IMB_CIPHER_CBC, 24, 16},
	[CRYPTO_AES256_CBC] = {IMB_CIPHER_CBC, 32, 16}, [CRYPTO_3DES_CBC] = {IMB_CIPHER_DES3, 24, 8},
	[CRYPTO_NULL] = {IMB_CIPHER_NULL, 0, 0},
};

/* Ops of one suite, in one direction. */
struct run {
	uint16_t n;
	enum crypto_dir dir;
	enum crypto_hash hash;
	enum crypto_cipher cipher;
	struct crypto_op *op[VEC_BURST];
};

/* Same octets? The time does not depend on where they differ. n is a multiple of 4. */
static bool same(const uint8_t *a, const uint8_t *b, unsigned n)
{
	uint32_t wrong = 0;

	for (unsigned i = 0; i < n; i += 4)
		wrong |= una_get32(a + i) ^ una_get32(b + i);
	return wrong == 0;
}

/* ---- cipher and HMAC ---- */

static void fetch_key(const struct crypto_op *op, const struct run *r)
{
	const struct crypto_mb_key *k = &op->key->mb;
	const uint8_t *sched = r->dir == CRYPTO_ENCRYPT ? k->aes.enc : k->aes.dec;

	rte_prefetch0(k->ipad);
	rte_prefetch0(k->opad);
	if (r->cipher == CRYPTO_NULL)
		return;
	for (unsigned i = 0; i < 4; i++)
		rte_prefetch0(sched + i * 64);
}

static void job_cipher(IMB_JOB *j, const struct crypto_op *op, const struct run *r)
{
	const struct crypto_mb_key *k = &op->key->mb;
	const unsigned iv_len = ciphers[r->cipher].iv_len;

	if (r->cipher == CRYPTO_3DES_CBC) {
		j->enc_keys = k->des.ks3;
		j->dec_keys = k->des.ks3;
	} else {
		j->enc_keys = k->aes.enc;
		j->dec_keys = k->aes.dec;
	}
	j->key_len_in_bytes = ciphers[r->cipher].key_len;
	j->iv_len_in_bytes = iv_len;
	j->cipher_mode = ciphers[r->cipher].mode;
	if (r->dir == CRYPTO_ENCRYPT) {
		j->cipher_direction = IMB_DIR_ENCRYPT;
		j->chain_order = IMB_ORDER_CIPHER_HASH;
		j->cipher_start_src_offset_in_bytes = HDR;
		j->dst = op->data - iv_len;
		j->iv = zero_iv;
		j->msg_len_to_cipher_in_bytes = iv_len + op->len;
	} else {
		j->cipher_direction = IMB_DIR_DECRYPT;
		j->chain_order = IMB_ORDER_HASH_CIPHER;
		j->cipher_start_src_offset_in_bytes = HDR + iv_len;
		j->dst = op->data;
		j->iv = op->data - iv_len;
		j->msg_len_to_cipher_in_bytes = op->len;
	}
}

/* RFC 4303 2.2.1: the high half of the number is hashed as if it followed the next header. It stands where the ICV will, or was:
 * that is put aside in `icv`. */
static void job_hash(IMB_JOB *j, const struct crypto_op *op, const struct run *r, uint8_t *tag, uint8_t *icv)
{
	const struct crypto_mb_key *k = &op->key->mb;
	const unsigned icv_len = hashes[r->hash].icv_len;
	uint8_t *end = op->data + op->len;

	j->hash_alg = hashes[r->hash].alg;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = (uint64_t)(end - j->src);
	j->u.HMAC._hashed_auth_key_xor_ipad = k->ipad;
	j->u.HMAC._hashed_auth_key_xor_opad = k->opad;
	j->auth_tag_output_len_in_bytes = icv_len;
	j->auth_tag_output = r->dir == CRYPTO_ENCRYPT ? end : tag;
	if (r->dir == CRYPTO_DECRYPT)
		memcpy(icv, end, icv_len);
	if (op->aad_len == 12) {
		memcpy(end, op->aad + 4, ESN_HIGH);
		j->msg_len_to_hash_in_bytes += ESN_HIGH;
	}
}

static uint16_t des_flush(IMB_MGR *mgr)
{
	uint16_t done = 0;

	for (const IMB_JOB *out; (out = IMB_FLUSH_JOB(mgr)) != NULL;)
		done = (uint16_t)(done + (out->status == IMB_STATUS_COMPLETED));
	return done;
}

/* 3DES has no burst call: the jobs go through the library's queue, which is empty again afterwards. */
static bool des_burst(IMB_MGR *mgr, const IMB_JOB *jobs, uint16_t n)
{
	uint16_t done = 0;

	for (uint16_t i = 0; i < n; i++) {
		IMB_JOB *j = IMB_GET_NEXT_JOB(mgr);

		*j = jobs[i];
		j->hash_alg = IMB_AUTH_NULL;
		for (const IMB_JOB *out = IMB_SUBMIT_JOB(mgr); out != NULL; out = IMB_GET_COMPLETED_JOB(mgr))
			done = (uint16_t)(done + (out->status == IMB_STATUS_COMPLETED));
		if (MB_DES_ALONE)
			done = (uint16_t)(done + des_flush(mgr));
	}
	return (uint16_t)(done + des_flush(mgr)) == n;
}

static bool cipher_burst(struct crypto *c, const struct run *r)
{
	IMB_CIPHER_DIRECTION dir = r->dir == CRYPTO_ENCRYPT ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;

	switch (r->cipher) {
	case CRYPTO_NULL:
		return true;
	case CRYPTO_3DES_CBC:
		return des_burst(c->mgr, c->job, r->n);
	case CRYPTO_AES128_CBC:
	case CRYPTO_AES192_CBC:
	case CRYPTO_AES256_CBC:
		break;
	}
	return IMB_SUBMIT_CIPHER_BURST(c->mgr, c->job, r->n, IMB_CIPHER_CBC, dir,
				       (IMB_KEY_SIZE_BYTES)ciphers[r->cipher].key_len) == r->n;
}

static bool hash_burst(struct crypto *c, const struct run *r)
{
	return IMB_SUBMIT_HASH_BURST(c->mgr, c->job, r->n, hashes[r->hash].alg) == r->n;
}

static void run_hmac(struct crypto *c, struct run *r)
{
	const unsigned iv_len = ciphers[r->cipher].iv_len, icv_len = hashes[r->hash].icv_len;

	for (uint16_t i = 0; i < r->n; i++)
		fetch_key(r->op[i], r);
	for (uint16_t i = 0; i < r->n; i++) {
		const struct crypto_op *op = r->op[i];
		IMB_JOB *j = &c->job[i];

		j->src = op->data - iv_len - HDR;
		job_cipher(j, op, r);
		job_hash(j, op, r, c->tag[i], c->icv[i]);
	}
	/* encrypt then authenticate, authenticate then decrypt. RFC 4303 3.3.2, 3.4.4 */
	if (r->dir == CRYPTO_ENCRYPT ? !cipher_burst(c, r) || !hash_burst(c, r)
				     : !hash_burst(c, r) || !cipher_burst(c, r))
		return; /* they are CRYPTO_FAILED */
	for (uint16_t i = 0; i < r->n; i++) {
		bool right = r->dir == CRYPTO_ENCRYPT || same(c->tag[i], c->icv[i], icv_len);

		r->op[i]->result = right ? CRYPTO_OK : CRYPTO_BAD_ICV;
	}
}

/* ---- ChaCha20-Poly1305 ---- */

static void chacha_job(IMB_JOB *j, struct crypto_op *op, enum crypto_dir dir)
{
	j->enc_keys = op->key->mb.chacha;
	j->dec_keys = op->key->mb.chacha;
	j->key_len_in_bytes = sizeof(op->key->mb.chacha);
	j->src = op->data;
	j->dst = op->data;
	j->cipher_start_src_offset_in_bytes = 0;
	j->msg_len_to_cipher_in_bytes = op->len;
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = op->len;
	j->iv = (const uint8_t *)&op->salt;
	j->iv_len_in_bytes = CRYPTO_SALT + CRYPTO_IV;
	j->auth_tag_output = dir == CRYPTO_ENCRYPT ? op->data + op->len : op->tag;
	j->auth_tag_output_len_in_bytes = CRYPTO_ICV;
	j->u.CHACHA20_POLY1305.aad = op->aad;
	j->u.CHACHA20_POLY1305.aad_len_in_bytes = op->aad_len;
	j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	j->cipher_direction = dir == CRYPTO_ENCRYPT ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	j->chain_order = dir == CRYPTO_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	j->user_data = op;
}

static void aead_done(struct crypto_op *op, enum crypto_dir dir)
{
	bool right = dir == CRYPTO_ENCRYPT || same(op->tag, op->data + op->len, CRYPTO_ICV);

	op->result = right ? CRYPTO_OK : CRYPTO_BAD_ICV;
}

static void chacha_done(const IMB_JOB *j, enum crypto_dir dir)
{
	if (j->status == IMB_STATUS_COMPLETED)
		aead_done(j->user_data, dir);
}

static void run_chacha(struct crypto *c, struct run *r)
{
	const IMB_JOB *out;

	for (uint16_t i = 0; i < r->n; i++) {
		chacha_job(IMB_GET_NEXT_JOB(c->mgr), r->op[i], r->dir);
		for (out = IMB_SUBMIT_JOB(c->mgr); out != NULL; out = IMB_GET_COMPLETED_JOB(c->mgr))
			chacha_done(out, r->dir);
	}
	while ((out = IMB_FLUSH_JOB(c->mgr)) != NULL)
		chacha_done(out, r->dir);
}

/* ---- AES-GMAC: all from the SPI on is AAD, and there is no text. RFC 4543 3.3 ---- */

static void run_gmac(struct crypto *c, struct run *r, enum crypto_suite suite)
{
	const aes_gmac_init_t init[] = {c->mgr->gmac128_init, c->mgr->gmac192_init, c->mgr->gmac256_init};
	const aes_gmac_update_t update[] = {c->mgr->gmac128_update, c->mgr->gmac192_update, c->mgr->gmac256_update};
	const aes_gmac_finalize_t final[] = {c->mgr->gmac128_finalize, c->mgr->gmac192_finalize,
					     c->mgr->gmac256_finalize};
	const unsigned k = suite - CRYPTO_AES128_GMAC;

	for (uint16_t i = 0; i < r->n; i++) {
		struct crypto_op *op = r->op[i];
		const struct gcm_key_data *key = &op->key->gcm;
		uint8_t *tag = r->dir == CRYPTO_ENCRYPT ? op->data + op->len : op->tag;

		init[k](key, &c->ctx, (const uint8_t *)&op->salt, CRYPTO_SALT + CRYPTO_IV);
		update[k](key, &c->ctx, op->aad, op->aad_len);
		update[k](key, &c->ctx, op->data - CRYPTO_IV, (uint64_t)op->len + CRYPTO_IV);
		final[k](key, &c->ctx, tag, CRYPTO_ICV);
		aead_done(op, r->dir);
	}
}

/* ---- runs ---- */

static void run_suite(struct crypto *c, struct run *r, enum crypto_suite suite)
{
	if (suite == CRYPTO_CHACHA20_POLY1305) {
		run_chacha(c, r);
	} else if (suite < CRYPTO_HMAC) {
		run_gmac(c, r, suite);
	} else {
		r->hash = (enum crypto_hash)((suite - CRYPTO_HMAC) % CRYPTO_HASH_N);
		r->cipher = (enum crypto_cipher)((suite - CRYPTO_HMAC) / CRYPTO_HASH_N);
		run_hmac(c, r);
	}
}

void crypto_jobs_run(struct crypto *c, struct crypto_batch *b)
{
	struct crypto_op *left[VEC_BURST];
	struct run r = {.dir = (enum crypto_dir)b->dir};
	uint16_t n = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		b->op[i].result = CRYPTO_FAILED; /* until it is done */
		if (b->op[i].suite >= CRYPTO_GCM_N)
			left[n++] = &b->op[i];
	}
	while (n != 0) {
		const enum crypto_suite suite = (enum crypto_suite)left[0]->suite;
		uint16_t kept = 0;

		r.n = 0;
		for (uint16_t i = 0; i < n; i++) {
			if (left[i]->suite == suite)
				r.op[r.n++] = left[i];
			else
				left[kept++] = left[i];
		}
		n = kept;
		run_suite(c, &r, suite);
		for (uint16_t i = 0; i < r.n; i++)
			b->failed = (uint16_t)(b->failed + (r.op[i]->result != CRYPTO_OK));
	}
}
