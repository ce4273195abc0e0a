#include "perf/suite_ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

enum { BUFFERS = 256, SIZE = 2048, HDR = 8, PASSES_MAX = 2001 };

static struct {
	uint8_t (*buf)[SIZE];
	uint8_t (*tag)[64];
	struct crypto_key key;
	enum crypto_suite suite;
	enum crypto_dir dir;
	uint16_t len;
} ref;

static void job_fill(IMB_JOB *j, unsigned i)
{
	static const IMB_HASH_ALG hash[CRYPTO_HASH_N] = {IMB_AUTH_HMAC_SHA_1, IMB_AUTH_HMAC_SHA_256,
							 IMB_AUTH_HMAC_SHA_384, IMB_AUTH_HMAC_SHA_512};
	static const uint8_t key_len[CRYPTO_CIPHER_N] = {16, 24, 32, 24, 0};
	const struct crypto_form *f = &crypto_forms[ref.suite];
	const unsigned cipher = (ref.suite - CRYPTO_HMAC) / CRYPTO_HASH_N;
	const struct crypto_mb_key *k = &ref.key.mb;
	uint8_t *p = ref.buf[i];

	j->cipher_direction = ref.dir == CRYPTO_ENCRYPT ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	j->chain_order = ref.dir == CRYPTO_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	j->src = p;
	j->dst = p + HDR + f->iv_len;
	j->cipher_start_src_offset_in_bytes = HDR + f->iv_len;
	j->msg_len_to_cipher_in_bytes = ref.len;
	j->iv = p + HDR;
	j->iv_len_in_bytes = f->iv_len;
	j->auth_tag_output = ref.tag[i];
	j->auth_tag_output_len_in_bytes = f->icv_len;
	if (ref.suite == CRYPTO_CHACHA20_POLY1305) {
		j->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
		j->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
		j->enc_keys = j->dec_keys = k->chacha;
		j->key_len_in_bytes = 32;
		j->hash_start_src_offset_in_bytes = HDR + f->iv_len;
		j->msg_len_to_hash_in_bytes = ref.len;
		j->iv_len_in_bytes = 12;
		j->u.CHACHA20_POLY1305.aad = p;
		j->u.CHACHA20_POLY1305.aad_len_in_bytes = HDR;
		return;
	}
	j->hash_start_src_offset_in_bytes = 0;
	j->msg_len_to_hash_in_bytes = (uint64_t)HDR + f->iv_len + ref.len;
	j->cipher_mode = cipher == CRYPTO_NULL       ? IMB_CIPHER_NULL
			 : cipher == CRYPTO_3DES_CBC ? IMB_CIPHER_DES3
						     : IMB_CIPHER_CBC;
	j->hash_alg = hash[(ref.suite - CRYPTO_HMAC) % CRYPTO_HASH_N];
	j->enc_keys = cipher == CRYPTO_3DES_CBC ? (const void *)k->des.ks3 : k->aes.enc;
	j->dec_keys = cipher == CRYPTO_3DES_CBC ? (const void *)k->des.ks3 : k->aes.dec;
	j->key_len_in_bytes = key_len[cipher];
	j->u.HMAC._hashed_auth_key_xor_ipad = k->ipad;
	j->u.HMAC._hashed_auth_key_xor_opad = k->opad;
}

static void must(bool ok)
{
	if (!ok) {
		fputs("stage_bench: ipsec-mb's own calls fail\n", stderr);
		exit(1);
	}
}

static void by_jobs(IMB_MGR *mgr, unsigned first)
{
	unsigned done = 0;

	for (unsigned i = 0; i < VEC_BURST; i++) {
		IMB_JOB *j = IMB_GET_NEXT_JOB(mgr);

		job_fill(j, first + i);
		for (j = IMB_SUBMIT_JOB(mgr); j != NULL; j = IMB_GET_COMPLETED_JOB(mgr))
			done += j->status == IMB_STATUS_COMPLETED;
	}
	for (IMB_JOB *j; (j = IMB_FLUSH_JOB(mgr)) != NULL;)
		done += j->status == IMB_STATUS_COMPLETED;
	must(done == VEC_BURST);
}

static void by_bursts(IMB_MGR *mgr, unsigned first)
{
	IMB_JOB *jobs[VEC_BURST];
	uint32_t done;

	must(IMB_GET_NEXT_BURST(mgr, VEC_BURST, jobs) == VEC_BURST);
	for (unsigned i = 0; i < VEC_BURST; i++)
		job_fill(jobs[i], first + i);
	done = IMB_SUBMIT_BURST(mgr, VEC_BURST, jobs);
	while (done < VEC_BURST) {
		uint32_t more = IMB_FLUSH_BURST(mgr, VEC_BURST - done, jobs + done);

		must(more != 0);
		done += more;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(IMB_MGR *mgr, void (*call)(IMB_MGR *, unsigned), unsigned passes)
{
	static double v[PASSES_MAX];

	for (unsigned n = 0; n < passes; n++) {
		uint64_t start = rte_rdtsc_precise();

		for (unsigned i = 0; i < BUFFERS; i += VEC_BURST)
			call(mgr, i);
		v[n] = (double)(rte_rdtsc_precise() - start) / BUFFERS;
	}
	qsort(v, passes, sizeof(v[0]), compare);
	return v[passes / 2];
}

double suite_ref(IMB_MGR *mgr, enum crypto_suite suite, enum crypto_dir dir, uint16_t len, unsigned passes)
{
	struct crypto c = {.mgr = mgr};
	uint8_t raw[128];
	double jobs, bursts;

	if (suite < CRYPTO_GCM_N || (suite < CRYPTO_HMAC && suite != CRYPTO_CHACHA20_POLY1305))
		return 0;
	if (ref.buf == NULL) {
		ref.buf = aligned_alloc(64, sizeof(*ref.buf) * BUFFERS);
		ref.tag = aligned_alloc(64, sizeof(*ref.tag) * BUFFERS);
		must(ref.buf != NULL && ref.tag != NULL);
		memset(ref.buf, 0x5a, sizeof(*ref.buf) * BUFFERS);
	}
	memset(raw, 0x3c, sizeof(raw));
	ref.suite = suite;
	ref.dir = dir;
	ref.len = len;
	crypto_key_set(&c, &ref.key, suite, raw);
	passes = passes > PASSES_MAX ? PASSES_MAX : passes;
	jobs = median_of(mgr, by_jobs, passes);
	bursts = median_of(mgr, by_bursts, passes);
	return jobs < bursts ? jobs : bursts;
}
