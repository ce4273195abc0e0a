/* The suites that are not AES-GCM: the RFCs' vectors, OpenSSL as the second opinion, and what the library may touch. RFC 3602 4,
 * 7634 A, 4231, 2202, 4303 2.2.1 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "dataplane/crypto.h"
#include "dataplane/crypto_kat.h"
#include "tests/lib/esp_peer.h"

enum { HDR = 8, TEXT_MAX = 2048, PACKET = HDR + ESP_PEER_IV_MAX + TEXT_MAX + ESP_PEER_ICV_MAX };

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

/* What the owner of an SA would write for the packet at `esp`. */
static void op_set(struct crypto_op *op, const struct msg_sa_add *sa, const struct crypto_key *key, uint8_t *esp,
		   uint64_t seq, uint16_t len)
{
	const int suite = crypto_suite_of(sa->encr, sa->integ);
	const bool esn = sa->flags & MSG_SA_ESN;

	assert_true(suite >= 0);
	*op = (struct crypto_op){.data = esp + HDR + crypto_forms[suite].iv_len,
				 .key = key,
				 .salt = crypto_salt((enum crypto_suite)suite, sa->key),
				 .len = len,
				 .suite = (uint8_t)suite,
				 .aad_len = esn ? 12 : 8};
	memcpy(op->iv, esp + HDR, sizeof(op->iv));
	memcpy(op->aad, esp, 4);
	for (unsigned i = 0; i < 4; i++)
		op->aad[4 + i] = (uint8_t)(seq >> 32 >> (24 - 8 * i));
	memcpy(op->aad + (esn ? 8 : 4), esp + 4, 4);
}

static void run(unsigned n, enum crypto_dir dir)
{
	batch.n = (uint16_t)n;
	batch.dir = (uint8_t)dir;
	batch.others = (uint16_t)n;
	crypto_run(&crypto, &batch, NULL, 0);
	assert_int_equal(atomic_load(&batch.done), 1);
}

static void key_set(struct msg_sa_add *sa, struct crypto_key *key)
{
	crypto_key_set(&crypto, key, (enum crypto_suite)crypto_suite_of(sa->encr, sa->integ), sa->key);
}

/* SA number i of those that are not AES-GCM, without and with ESN; false: there are no more. */
static bool sa_make(unsigned i, struct msg_sa_add *sa)
{
	const unsigned suite = CRYPTO_GCM_N + i / 2;

	if (suite >= CRYPTO_SUITE_N)
		return false;
	*sa = (struct msg_sa_add){
		.spi = 0x10203040, .encr = crypto_forms[suite].encr, .integ = crypto_forms[suite].integ};
	sa->flags = i % 2 ? MSG_SA_ESN : 0;
	sa->key_len = crypto_key_len((enum crypto_suite)suite);
	for (unsigned j = 0; j < sa->key_len; j++)
		sa->key[j] = (uint8_t)(j * 11 + i * 3 + 1);
	return true;
}

static void only_pairs_with_integrity_are_suites(void **state)
{
	unsigned n = 0;
	(void)state;

	for (unsigned e = 0; e < MSG_ENCR_N + 2; e++)
		for (unsigned i = 0; i < MSG_INTEG_N + 2; i++) {
			int suite = crypto_suite_of(e, i);
			bool want = e != MSG_ENCR_NONE && e < MSG_ENCR_N && i < MSG_INTEG_N &&
				    msg_encr_is_aead(e) == (i == MSG_INTEG_NONE);

			assert_int_equal(suite >= 0, want);
			if (suite < 0)
				continue;
			n++;
			assert_int_equal(crypto_key_len((enum crypto_suite)suite),
					 msg_encr_key_len(e) + msg_integ_key_len(i));
			assert_int_equal(crypto_forms[suite].iv_len, esp_peer_iv_len(e));
			assert_int_equal(crypto_forms[suite].icv_len, esp_peer_icv_len(e, i));
			assert_int_equal(crypto_forms[suite].align, esp_peer_align(e));
		}
	assert_int_equal(n, CRYPTO_SUITE_N);
}

static void batches_agree_with_openssl_at_every_length(void **state)
{
	static uint8_t packet[VEC_BURST][PACKET], plain[VEC_BURST][TEXT_MAX], got[TEXT_MAX + 64];
	struct crypto_key key;
	struct msg_sa_add sa;
	uint8_t iv[ESP_PEER_IV_MAX];
	(void)state;

	for (unsigned kind = 0; sa_make(kind, &sa); kind++) {
		const uint16_t align = esp_peer_align(sa.encr), iv_len = esp_peer_iv_len(sa.encr);
		const uint16_t icv_len = esp_peer_icv_len(sa.encr, sa.integ);

		key_set(&sa, &key);
		for (uint16_t first = align; first < 1500; first = (uint16_t)(first + 7 * VEC_BURST * align)) {
			uint16_t len[VEC_BURST];

			for (unsigned i = 0; i < VEC_BURST; i++) {
				const uint64_t seq = (UINT64_C(7) << 32) + kind * 1000 + i;

				len[i] = (uint16_t)(first + i * align < TEXT_MAX - 64 ? first + i * align : align);
				for (unsigned j = 0; j < len[i]; j++)
					plain[i][j] = (uint8_t)(j * 3 + i);
				for (unsigned j = 0; j < sizeof(iv); j++)
					iv[j] = (uint8_t)(j * 17 + i + first);
				esp_peer_seal(&sa, seq, iv, plain[i], len[i], packet[i]); /* for its head */
				memcpy(packet[i] + HDR, iv, iv_len);
				memcpy(packet[i] + HDR + iv_len, plain[i], len[i]);
				memset(packet[i] + HDR + iv_len + len[i], 0xdd, icv_len + 4u);
				op_set(&batch.op[i], &sa, &key, packet[i], seq, len[i]);
			}
			run(VEC_BURST, CRYPTO_ENCRYPT);
			assert_int_equal(batch.failed, 0);
			for (unsigned i = 0; i < VEC_BURST; i++) {
				const uint16_t all = (uint16_t)(HDR + iv_len + len[i] + icv_len);

				assert_int_equal(batch.op[i].result, CRYPTO_OK);
				assert_int_equal(esp_peer_open(&sa, 7, packet[i], all, got), len[i]);
				assert_memory_equal(got, plain[i], len[i]);
				assert_int_equal(packet[i][all], 0xdd); /* nothing is written behind the ICV */
				assert_int_equal(packet[i][all + 3], 0xdd);
			}
			run(VEC_BURST, CRYPTO_DECRYPT);
			assert_int_equal(batch.failed, 0);
			for (unsigned i = 0; i < VEC_BURST; i++)
				assert_memory_equal(packet[i] + HDR + iv_len, plain[i], len[i]);
		}
	}
}

/* The packet ends with a page, and the next must not be touched: RFC lengths and all others, on every instruction set. */
static void nothing_is_touched_behind_the_icv(void **state)
{
#define INIT(name, fn, id)  init_mb_mgr_##fn,
#define NEEDS(name, fn, id) IMB_CPUFLAGS_##id,
	static void (*const sets[])(IMB_MGR *) = {MB_SETS(INIT)};
	static const uint64_t needs[] = {MB_SETS(NEEDS)};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct crypto_key key;
	struct msg_sa_add sa;
	(void)state;

	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	for (unsigned set = 0; set < N_ELEMS(sets); set++) {
		if ((crypto.mgr->features & needs[set]) != needs[set])
			continue;
		sets[set](crypto.mgr);
		crypto_attach(&crypto, crypto.mgr);
		for (unsigned kind = 0; sa_make(kind, &sa); kind++) {
			const uint16_t align = sa.encr >= MSG_ENCR_AES128_CBC ? esp_peer_align(sa.encr) : 1;
			const uint16_t over =
				(uint16_t)(HDR + esp_peer_iv_len(sa.encr) + esp_peer_icv_len(sa.encr, sa.integ));

			key_set(&sa, &key);
			for (uint16_t len = align; len <= 256;
			     len = (uint16_t)(len + (sa.encr == MSG_ENCR_NULL ? 1 : align))) {
				uint8_t *esp = two + page - over - len;

				memset(esp, 0x5a, (size_t)over + len);
				op_set(&batch.op[0], &sa, &key, esp, 0, len);
				run(1, CRYPTO_ENCRYPT);
				assert_int_equal(batch.op[0].result, CRYPTO_OK);
				run(1, CRYPTO_DECRYPT);
				assert_int_equal(batch.op[0].result, CRYPTO_OK);
			}
		}
	}
	munmap(two, 2 * page);
	init_mb_mgr_auto(crypto.mgr, NULL);
	crypto_attach(&crypto, crypto.mgr);
}

static void hex(uint8_t *to, const char *text)
{
	unsigned octet;

	for (; sscanf(text, "%2x", &octet) == 1; text += 2)
		*to++ = (uint8_t)octet;
}

/* RFC 3602 4, case 5: deciphered; and enciphered from the block whose cipher text is the RFC's IV. */
static void the_cbc_packet_of_rfc_3602(void **state)
{
	struct msg_sa_add sa = {
		.spi = 0x4321, .encr = MSG_ENCR_AES128_CBC, .integ = MSG_INTEG_HMAC_SHA1_96, .key_len = 36};
	uint8_t esp[256], want[256], plain[80], first[16];
	struct crypto_key key;
	(void)state;

	hex(sa.key, "90d382b410eeba7ad938c46cec1a82bf");
	key_set(&sa, &key);
	hex(want, "0000432100000001e96e8c08ab465763fd098d45dd3ff893"
		  "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52"
		  "775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6");
	hex(plain, "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617"
		   "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
		   "0102030405060708090a0b0c0d0e0e01");
	memcpy(esp, want, 104);
	op_set(&batch.op[0], &sa, &key, esp, 1, 80);
	run(1, CRYPTO_DECRYPT);
	assert_int_equal(batch.op[0].result, CRYPTO_BAD_ICV); /* the RFC's has none */
	assert_memory_equal(esp + 24, plain, 80);
	/* D(IV), by deciphering it behind a block of zeros */
	memset(esp + HDR, 0, 16);
	memcpy(esp + HDR + 16, want + HDR, 16);
	op_set(&batch.op[0], &sa, &key, esp, 1, 16);
	run(1, CRYPTO_DECRYPT);
	memcpy(first, esp + HDR + 16, 16);
	memcpy(esp, want, HDR);
	memcpy(esp + HDR, first, 16);
	memcpy(esp + 24, plain, 80);
	op_set(&batch.op[0], &sa, &key, esp, 1, 80);
	run(1, CRYPTO_ENCRYPT);
	assert_memory_equal(esp, want, 104);
}

static void the_chacha_packet_of_rfc_7634(void **state)
{
	struct msg_sa_add sa = {.spi = 0x01020304, .encr = MSG_ENCR_CHACHA20_POLY1305, .key_len = 36};
	uint8_t esp[256], want[256], plain[88];
	struct crypto_key key;
	(void)state;

	for (unsigned i = 0; i < 32; i++)
		sa.key[i] = (uint8_t)(0x80 + i);
	hex(sa.key + 32, "a0a1a2a3");
	key_set(&sa, &key);
	hex(plain,
	    "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f1011121314151617"
	    "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204");
	hex(want, "01020304000000051011121314151617"
		  "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f7"
		  "2aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
		  "76aaa8266b7fb0f7b11b369907e1ad43");
	memcpy(esp, want, 16);
	memcpy(esp + 16, plain, 88);
	op_set(&batch.op[0], &sa, &key, esp, 5, 88);
	run(1, CRYPTO_ENCRYPT);
	assert_memory_equal(esp, want, 16 + 88 + 16);
	run(1, CRYPTO_DECRYPT);
	assert_int_equal(batch.op[0].result, CRYPTO_OK);
	assert_memory_equal(esp + 16, plain, 88);
}

/* RFC 4231 4.4 and RFC 2202 3, case 3: 20 octets of aa as the key, 50 of dd; what follows a key of HMAC are zeros. */
static void the_hmacs_of_rfc_4231_and_2202(void **state)
{
	static const struct {
		uint8_t integ;
		const char *icv;
	} row[] = {
		{MSG_INTEG_HMAC_SHA1_96, "125d7342b9ac11cd91a39af4"},
		{MSG_INTEG_HMAC_SHA256_128, "773ea91e36800e46854db8ebd09181a7"},
		{MSG_INTEG_HMAC_SHA384_192, "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9feb"},
		{MSG_INTEG_HMAC_SHA512_256, "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"},
	};
	struct crypto_key key;
	uint8_t esp[128], want[32];
	(void)state;

	for (unsigned i = 0; i < N_ELEMS(row); i++) {
		struct msg_sa_add sa = {.spi = 0xdddddddd, .encr = MSG_ENCR_NULL, .integ = row[i].integ};
		const uint16_t icv_len = esp_peer_icv_len(sa.encr, sa.integ);

		memset(sa.key, 0xaa, 20);
		sa.key_len = msg_integ_key_len(sa.integ);
		key_set(&sa, &key);
		memset(esp, 0xdd, 50);
		hex(want, row[i].icv);
		op_set(&batch.op[0], &sa, &key, esp, 0, 42);
		run(1, CRYPTO_ENCRYPT);
		assert_memory_equal(esp + 50, want, icv_len);
		for (unsigned bit = 0; bit < icv_len * 8u; bit++) {
			esp[50 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			run(1, CRYPTO_DECRYPT);
			assert_int_equal(batch.op[0].result, CRYPTO_BAD_ICV);
			esp[50 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		run(1, CRYPTO_DECRYPT);
		assert_int_equal(batch.op[0].result, CRYPTO_OK);
	}
}

/* A library that computes something else does not pass its known answers, whichever call it is. */
static uint32_t lazy_cipher(IMB_MGR *mgr, IMB_JOB *jobs, const uint32_t n, const IMB_CIPHER_MODE mode,
			    const IMB_CIPHER_DIRECTION dir, const IMB_KEY_SIZE_BYTES key)
{
	(void)mgr, (void)jobs, (void)mode, (void)dir, (void)key;
	return n;
}

static uint32_t lazy_hash(IMB_MGR *mgr, IMB_JOB *jobs, const uint32_t n, const IMB_HASH_ALG hash)
{
	(void)mgr, (void)hash;
	for (uint32_t i = 0; i < n; i++)
		memset(jobs[i].auth_tag_output, 0, jobs[i].auth_tag_output_len_in_bytes);
	return n;
}

static void a_broken_library_fails_its_known_answers(void **state)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);
	(void)state;

	assert_non_null(mgr);
	init_mb_mgr_auto(mgr, NULL);
	assert_true(crypto_kat_esp_pass(mgr));
	mgr->submit_cipher_burst = lazy_cipher;
	assert_false(crypto_kat_esp_pass(mgr));
	init_mb_mgr_auto(mgr, NULL);
	mgr->submit_hash_burst = lazy_hash;
	assert_false(crypto_kat_esp_pass(mgr));
	init_mb_mgr_auto(mgr, NULL);
	mgr->gmac192_finalize = mgr->gmac256_finalize;
	assert_false(crypto_kat_esp_pass(mgr));
	init_mb_mgr_auto(mgr, NULL);
	mgr->keyexp_192 = mgr->keyexp_256;
	assert_false(crypto_kat_esp_pass(mgr));
	init_mb_mgr_auto(mgr, NULL);
	mgr->sha384_one_block = mgr->sha512_one_block;
	assert_false(crypto_kat_esp_pass(mgr));
	free_mb_mgr(mgr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_pairs_with_integrity_are_suites),
		cmocka_unit_test(batches_agree_with_openssl_at_every_length),
		cmocka_unit_test(nothing_is_touched_behind_the_icv),
		cmocka_unit_test(the_cbc_packet_of_rfc_3602),
		cmocka_unit_test(the_chacha_packet_of_rfc_7634),
		cmocka_unit_test(the_hmacs_of_rfc_4231_and_2202),
		cmocka_unit_test(a_broken_library_fails_its_known_answers),
	};

	return cmocka_run_group_tests_name("crypto-suites", tests, start, stop);
}
