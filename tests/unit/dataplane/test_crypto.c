/* AES-GCM batches: known answers, OpenSSL as the second opinion, and the layout rules. RFC 4106, NIST SP 800-38D */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "dataplane/crypto.h"
#include "dataplane/crypto_kat.h"
#include "dataplane/sa.h"

static struct crypto crypto;
static struct crypto_batch batch;

static int start(void **state)
{
	(void)state;
	return crypto_init(&crypto);
}

static int stop(void **state)
{
	(void)state;
	crypto_fini(&crypto);
	return 0;
}

/* OpenSSL's answer: cipher text and ICV behind it, in place. */
static void openssl_seal(enum crypto_suite suite, const uint8_t *key, const uint8_t nonce[12], const uint8_t *aad,
			 int aad_len, uint8_t *text, int len)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0;

	const EVP_CIPHER *gcm[CRYPTO_GCM_N] = {EVP_aes_128_gcm(), EVP_aes_192_gcm(), EVP_aes_256_gcm()};

	assert_int_equal(EVP_EncryptInit_ex(x, gcm[suite], NULL, key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(x, NULL, &n, aad, aad_len), 1);
	assert_int_equal(EVP_EncryptUpdate(x, text, &n, text, len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(x, text + n, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, CRYPTO_ICV, text + len), 1);
	EVP_CIPHER_CTX_free(x);
}

static void op_fill(struct crypto_op *op, struct crypto_key *k, enum crypto_suite suite, uint8_t *data, uint16_t len,
		    const uint8_t nonce[12], const uint8_t aad[8])
{
	*op = (struct crypto_op){.data = data, .key = k, .len = len, .suite = (uint8_t)suite, .aad_len = 8};
	memcpy(&op->salt, nonce, 4);
	memcpy(op->iv, nonce + 4, 8);
	memcpy(op->aad, aad, 8);
}

static void every_instruction_set_gives_the_known_answers(void **state)
{
	const char *which = NULL;
	(void)state;

	assert_int_equal(crypto_self_test(&which), 0);
	assert_non_null(which);
	assert_string_not_equal(crypto_arch(&crypto), "none");
}

static void a_broken_cipher_fails_its_known_answers(void **state)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);
	(void)state;

	assert_non_null(mgr);
	init_mb_mgr_auto(mgr, NULL);
	assert_true(crypto_kat_pass(mgr));
	mgr->gcm256_dec = mgr->gcm256_enc;
	assert_false(crypto_kat_pass(mgr));
	init_mb_mgr_auto(mgr, NULL);
	mgr->gcm128_enc = mgr->gcm256_enc;
	assert_false(crypto_kat_pass(mgr));
	free_mb_mgr(mgr);
}

static void batches_agree_with_openssl_at_every_length(void **state)
{
	static uint8_t text[VEC_BURST][2048], want[2048];
	struct crypto_key key;
	uint8_t raw[32], nonce[12], aad[8];
	(void)state;

	for (unsigned s = 0; s < CRYPTO_GCM_N; s++) {
		for (unsigned i = 0; i < sizeof(raw); i++)
			raw[i] = (uint8_t)(i * 5 + s);
		for (unsigned i = 0; i < sizeof(nonce); i++)
			nonce[i] = (uint8_t)(0xc0 + i + s);
		for (unsigned i = 0; i < sizeof(aad); i++)
			aad[i] = (uint8_t)(i + 1);
		crypto_key_set(&crypto, &key, (enum crypto_suite)s, raw);
		for (uint16_t first = 1; first < 1500; first = (uint16_t)(first + VEC_BURST)) {
			batch.dir = CRYPTO_ENCRYPT;
			batch.n = VEC_BURST;
			for (uint16_t i = 0; i < VEC_BURST; i++) {
				for (unsigned j = 0; j < first + i; j++)
					text[i][j] = (uint8_t)(j * 3 + i);
				op_fill(&batch.op[i], &key, (enum crypto_suite)s, text[i], (uint16_t)(first + i), nonce,
					aad);
			}
			atomic_store(&batch.done, 0);
			crypto_run(&crypto, &batch, NULL, 0);
			assert_int_equal(atomic_load(&batch.done), 1);
			for (uint16_t i = 0; i < VEC_BURST; i++) {
				for (unsigned j = 0; j < first + i; j++)
					want[j] = (uint8_t)(j * 3 + i);
				openssl_seal((enum crypto_suite)s, raw, nonce, aad, 8, want, first + i);
				assert_memory_equal(text[i], want, (size_t)(first + i + CRYPTO_ICV));
			}
			batch.dir = CRYPTO_DECRYPT;
			crypto_run(&crypto, &batch, NULL, 0);
			for (uint16_t i = 0; i < VEC_BURST; i++) {
				assert_memory_equal(batch.op[i].tag, text[i] + first + i, CRYPTO_ICV);
				for (unsigned j = 0; j < first + i; j++)
					assert_int_equal(text[i][j], (uint8_t)(j * 3 + i));
			}
		}
	}
}

/* Suites and keys change from packet to packet. */
static void a_batch_may_mix_keys_and_suites(void **state)
{
	static uint8_t text[VEC_BURST][256], want[256];
	static struct crypto_key key[VEC_BURST];
	uint8_t raw[32] = {0}, nonce[12] = {0}, aad[8] = {0};
	(void)state;

	batch.dir = CRYPTO_ENCRYPT;
	batch.n = VEC_BURST;
	for (uint16_t i = 0; i < VEC_BURST; i++) {
		enum crypto_suite s = i % 3 == 0 ? CRYPTO_AES128_GCM16 : CRYPTO_AES256_GCM16;

		raw[0] = (uint8_t)i;
		memset(text[i], i, 100);
		crypto_key_set(&crypto, &key[i], s, raw);
		op_fill(&batch.op[i], &key[i], s, text[i], 100, nonce, aad);
	}
	crypto_run(&crypto, &batch, NULL, 0);
	for (uint16_t i = 0; i < VEC_BURST; i++) {
		raw[0] = (uint8_t)i;
		memset(want, i, 100);
		openssl_seal(i % 3 == 0 ? CRYPTO_AES128_GCM16 : CRYPTO_AES256_GCM16, raw, nonce, aad, 8, want, 100);
		assert_memory_equal(text[i], want, 100 + CRYPTO_ICV);
	}
}

/* What the library has for each kind of processor, as far as this one can run it. */
static bool take_set(unsigned set)
{
#define INIT(name, fn, id)  init_mb_mgr_##fn,
#define NEEDS(name, fn, id) IMB_CPUFLAGS_##id,
	static void (*const sets[])(IMB_MGR *) = {MB_SETS(INIT)};
	static const uint64_t needs[] = {MB_SETS(NEEDS)};

	if (set >= N_ELEMS(sets)) {
		init_mb_mgr_auto(crypto.mgr, NULL);
		crypto_attach(&crypto, crypto.mgr);
		return false;
	}
	if ((crypto.mgr->features & needs[set]) == needs[set]) {
		sets[set](crypto.mgr);
		crypto_attach(&crypto, crypto.mgr);
	}
	return true;
}

/* The library must not read behind the text: a page that cannot be touched stands there. */
static void nothing_is_touched_behind_the_text(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct crypto_key key;
	uint8_t raw[32] = {1}, nonce[12] = {2}, aad[8] = {3};
	(void)state;

	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	for (unsigned set = 0; take_set(set); set++)
		for (unsigned i = 0; i < CRYPTO_GCM_N * 600; i++) {
			const enum crypto_suite s = (enum crypto_suite)(i / 600);
			const uint16_t len = (uint16_t)(i % 600 + 1);
			uint8_t *text = two + page - len;

			crypto_key_set(&crypto, &key, s, raw);
			/* decrypt: the ICV that follows is not the cipher's to read */
			batch.dir = CRYPTO_DECRYPT;
			batch.n = 1;
			op_fill(&batch.op[0], &key, s, text, len, nonce, aad);
			crypto_run(&crypto, &batch, NULL, 0);
			if (len > CRYPTO_ICV) {
				batch.dir = CRYPTO_ENCRYPT;
				op_fill(&batch.op[0], &key, s, text, (uint16_t)(len - CRYPTO_ICV), nonce, aad);
				crypto_run(&crypto, &batch, NULL, 0);
			}
		}
	munmap(two, 2 * page);
}

/* The block counter's lowest octet runs over at block 255, and every 256 blocks: packets of a large MTU get there. */
static void the_block_counter_runs_over_its_lowest_octet(void **state)
{
	static uint8_t text[9300], want[9300];
	struct crypto_key key;
	uint8_t raw[32] = {4}, nonce[12] = {5}, aad[8] = {6};
	(void)state;

	for (unsigned set = 0; take_set(set); set++)
		for (unsigned i = 0; i < CRYPTO_GCM_N * 9; i++) {
			static const uint16_t lens[] = {4047, 4048, 4063, 4064, 4065, 4081, 8160, 8161, 9216};
			const enum crypto_suite s = (enum crypto_suite)(i / N_ELEMS(lens));
			const uint16_t len = lens[i % N_ELEMS(lens)];

			for (unsigned j = 0; j < len; j++)
				text[j] = want[j] = (uint8_t)(j * 7 + i);
			crypto_key_set(&crypto, &key, s, raw);
			batch.dir = CRYPTO_ENCRYPT;
			batch.n = 1;
			op_fill(&batch.op[0], &key, s, text, len, nonce, aad);
			crypto_run(&crypto, &batch, NULL, 0);
			openssl_seal(s, raw, nonce, aad, 8, want, len);
			assert_memory_equal(text, want, (size_t)len + CRYPTO_ICV);
		}
}

/* No two alike, of one worker or of two. */
static void random_octets_do_not_repeat(void **state)
{
	static uint8_t got[2][200][16];
	static struct crypto other;
	(void)state;

	assert_int_equal(crypto_init(&other), 0);
	for (unsigned i = 0; i < 200; i++) {
		crypto_random(&crypto, got[0][i]);
		crypto_random(&other, got[1][i]);
	}
	crypto_fini(&other);
	for (unsigned i = 0; i < 400; i++)
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(got[i / 200][i % 200], got[j / 200][j % 200], 8);
}

/* What the asserts in the headers promise, said once more where it is seen to run. */
static void hot_structs_lie_on_cache_lines(void **state)
{
	static struct sa_out out[2];
	static struct sa_in in[2];
	(void)state;

	assert_int_equal((uintptr_t)&out[0].key % 64, 0);
	assert_int_equal((uintptr_t)&out[1].key % 64, 0);
	assert_int_equal((uintptr_t)&in[1].key % 64, 0);
	assert_int_equal((uintptr_t)&in[1].bitmap % 64, 0);
	assert_int_equal(sizeof(struct sa_out), (1 + MB_KEY_LINES + 2) * 64);
	assert_int_equal(sizeof(struct sa_in), (5 + MB_KEY_LINES + 2) * 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_instruction_set_gives_the_known_answers),
		cmocka_unit_test(a_broken_cipher_fails_its_known_answers),
		cmocka_unit_test(batches_agree_with_openssl_at_every_length),
		cmocka_unit_test(a_batch_may_mix_keys_and_suites),
		cmocka_unit_test(nothing_is_touched_behind_the_text),
		cmocka_unit_test(the_block_counter_runs_over_its_lowest_octet),
		cmocka_unit_test(random_octets_do_not_repeat),
		cmocka_unit_test(hot_structs_lie_on_cache_lines),
	};

	return cmocka_run_group_tests_name("crypto", tests, start, stop);
}
