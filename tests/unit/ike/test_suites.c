#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "controlplane/ike/crypto.h"
#include "tests/unit/ike/hex.h"
#include "tests/vectors/modp.h"

static const struct alg *group(unsigned id)
{
	return alg_find(ALG_DH, (uint16_t)id, 0);
}

static void secret_hex(struct secret *s, const char *text)
{
	s->len = (uint16_t)hex(text, s->b);
}

/* ---- integrity and ciphers ---- */

/* RFC 4868 2.7.2 (test cases 1) and RFC 2202 3 (test case 3, cut by RFC 2404 2). */
static void integrity_gives_the_values_of_the_rfcs(void **state)
{
	static const uint8_t dd[50] = {[0 ... 49] = 0xdd};
	static const struct {
		uint16_t id;
		uint8_t key, key_len, n;
		const void *data;
		const char *icv;
	} row[] = {
		{ALG_INTEG_HMAC_SHA2_256_128, 0x0b, 32, 8, "Hi There", "198a607eb44bfbc69903a0f1cf2bbdc5"},
		{ALG_INTEG_HMAC_SHA2_384_192, 0x0b, 48, 8, "Hi There",
		 "b6a8d5636f5c6a7224f9977dcf7ee6c7 fb6d0c48cbdee973"},
		{ALG_INTEG_HMAC_SHA2_512_256, 0x0b, 64, 8, "Hi There",
		 "637edc6e01dce7e6742a99451aae82df 23da3e92439e590e43e761b33e910fb8"},
		{ALG_INTEG_HMAC_SHA1_96, 0xaa, 20, 50, dd, "125d7342b9ac11cd91a39af4"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(row); i++) {
		const struct alg *integ = alg_find(ALG_INTEG, row[i].id, 0);
		const struct crypto_part part[] = {{row[i].data, 3}, {(const uint8_t *)row[i].data + 3, row[i].n - 3u}};
		struct secret key = {.len = row[i].key_len};
		uint8_t want[CRYPTO_ICV_MAX], out[CRYPTO_ICV_MAX];

		memset(key.b, row[i].key, key.len);
		assert_int_equal(hex(row[i].icv, want), integ->icv_len);
		assert_int_equal(crypto_integ(integ, &key, part, 2, out), 0);
		assert_memory_equal(out, want, integ->icv_len);
		key.len--;
		assert_int_equal(crypto_integ(integ, &key, part, 2, out), -EINVAL);
		assert_int_equal(out[0], 0);
	}
}

/* RFC 3602 4 (cases 1, 6), NIST SP 800-38A F.2.3, F.2.5 (first block), SP 800-67 B.1 (first block). */
static void cbc_gives_the_values_of_the_rfcs(void **state)
{
	static const struct {
		uint16_t id, bits;
		const char *key, *iv, *clear, *cipher;
	} row[] = {
		{ALG_ENCR_AES_CBC, 128, "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
		 "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a"},
		{ALG_ENCR_AES_CBC, 128, "90d382b4 10eeba7a d938c46c ec1a82bf", "69d08df7 d203329d b093fc49 24e5bd80",
		 "0800b5e8 a80a0500 a69c083d 0b660e00 77777777 77777777 77777777 01020201",
		 "f5199588 1ec4e0c4 488987ce 742e8109 689bb379 d2d750c0 d915dca3 46a89f75"},
		{ALG_ENCR_AES_CBC, 192, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
		 "000102030405060708090a0b0c0d0e0f", "6bc1bee22e409f96e93d7e117393172a",
		 "4f021db243bc633d7178183a9fa071e8"},
		{ALG_ENCR_AES_CBC, 256, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
		 "000102030405060708090a0b0c0d0e0f", "6bc1bee22e409f96e93d7e117393172a",
		 "f58c4c04d6e5f1ba779eabfb5f7bfbd6"},
		{ALG_ENCR_3DES, 0, "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123", "0000000000000000",
		 "5468652071756663", "A826FD8CE53B855F"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(row); i++) {
		const struct alg *encr = alg_find(ALG_ENCR, row[i].id, row[i].bits);
		uint8_t iv[CRYPTO_IV_MAX], text[64], clear[64], cipher[64];
		size_t len = hex(row[i].clear, clear);
		struct secret key;

		secret_hex(&key, row[i].key);
		assert_int_equal(hex(row[i].iv, iv), encr->iv_len);
		assert_int_equal(hex(row[i].cipher, cipher), len);
		memcpy(text, clear, len);
		assert_int_equal(crypto_cbc(encr, &key, iv, true, text, len), 0);
		assert_memory_equal(text, cipher, len);
		assert_int_equal(crypto_cbc(encr, &key, iv, false, text, len), 0);
		assert_memory_equal(text, clear, len);
		assert_int_equal(crypto_cbc(encr, &key, iv, false, text, len - 1), -EINVAL);
		key.len--;
		assert_int_equal(crypto_cbc(encr, &key, iv, true, text, len), -EINVAL);
	}
}

/* C12 of the fault list: each row of the table that IKE may use works to the end, and no other number does. */
static void every_row_that_ike_may_agree_on_works(void **state)
{
	static const uint8_t iv[CRYPTO_IV_MAX], seed[CRYPTO_SEED_LEN] = {1};
	unsigned n;
	const struct alg *a = alg_table(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct secret key = {.len = a[i].key_len};
		uint8_t text[16] = {0}, out[CRYPTO_PRF_MAX];
		const struct crypto_part part = {text, 16};
		struct crypto_dh dh;

		if (!a[i].ike || !a[i].word)
			continue;
		if (a[i].type == ALG_ENCR && a[i].aead)
			assert_int_equal(crypto_seal(&a[i], &key, iv, NULL, 0, text, 16, out), 0);
		else if (a[i].type == ALG_ENCR)
			assert_int_equal(crypto_cbc(&a[i], &key, iv, true, text, 16), 0);
		else if (a[i].type == ALG_PRF)
			assert_int_equal(crypto_prf(&a[i], "k", 1, &part, 1, out) || crypto_prf_len(&a[i]) != key.len,
					 0);
		else if (a[i].type == ALG_INTEG)
			assert_int_equal(crypto_integ(&a[i], &key, &part, 1, out), 0);
		else if (a[i].type == ALG_DH)
			assert_int_equal(crypto_dh_make(&dh, &a[i], seed) || dh.public_len != a[i].key_len, 0);
	}
	assert_int_equal(crypto_init(), 0);
}

/* ---- groups ---- */

static void both_ways(unsigned id, const uint8_t *seed_a, const uint8_t *seed_b, struct crypto_dh *a,
		      struct crypto_shared *out)
{
	struct crypto_shared back;
	struct crypto_dh b;

	assert_int_equal(crypto_dh_make(a, group(id), seed_a), 0);
	assert_int_equal(crypto_dh_make(&b, group(id), seed_b), 0);
	assert_int_equal(crypto_dh_shared(a, b.public_value, b.public_len, out), 0);
	assert_int_equal(crypto_dh_shared(&b, a->public_value, a->public_len, &back), 0);
	assert_int_equal(out->len, back.len);
	assert_memory_equal(out->b, back.b, out->len);
}

/* RFC 7748 6.2. */
static void x448_gives_rfc7748_values(void **state)
{
	uint8_t a[CRYPTO_SEED_LEN] = {0}, b[CRYPTO_SEED_LEN] = {0}, want[56];
	struct crypto_shared shared;
	struct crypto_dh dh;

	(void)state;
	hex("9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d "
	    "d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
	    a);
	hex("1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d "
	    "6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
	    b);
	both_ways(32, a, b, &dh, &shared);
	hex("9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c "
	    "22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
	    want);
	assert_memory_equal(dh.public_value, want, 56);
	hex("07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b "
	    "b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
	    want);
	assert_int_equal(shared.len, 56);
	assert_memory_equal(shared.b, want, 56);
}

/* A8: u = 0, 1 and p - 1, p, p + 1 of Curve448 lead to zero. */
static void x448_refuses_low_order_points(void **state)
{
	uint8_t seed[CRYPTO_SEED_LEN] = {7}, p[5][56] = {{0}, {1}};
	struct crypto_shared shared;
	struct crypto_dh dh;

	(void)state;
	/* p = 2^448 - 2^224 - 1, little end first */
	for (unsigned i = 2; i < 5; i++) {
		memset(p[i], 0xff, 56);
		p[i][28] = 0xfe;
	}
	p[2][0] = 0xfe;
	memset(p[4], 0, 28);
	p[4][28] = 0xff;
	assert_int_equal(crypto_dh_make(&dh, group(32), seed), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(crypto_dh_shared(&dh, p[i], 56, &shared), -EINVAL);
		assert_int_equal(shared.len | shared.b[0], 0);
	}
}

/* The seed that becomes the private value d of n octets: d - 1, with 16 octets in front. */
static void ecp_seed(const char *d, uint8_t n, uint8_t seed[CRYPTO_SEED_LEN])
{
	memset(seed, 0, CRYPTO_SEED_LEN);
	hex(d, seed + 16);
	seed[15 + n]--; /* no value used here ends in 00 */
}

/* RFC 5903 8.2, 8.3. */
static void ecp_gives_rfc5903_values(void **state)
{
	static const struct {
		uint8_t id, n;
		const char *i, *gi, *r, *gr, *gir;
	} row[] = {
		{20, 48,
		 "099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
		 "667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA"
		 "9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
		 "41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC",
		 "E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571"
		 "DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
		 "11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746"},
		{21, 66,
		 "0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777"
		 "F5957B2639BAB072462F68C27A57382D4A52",
		 "0015417E84DBF28C0AD3C278713349DC7DF153C897A1891BD98BAB4357C9ECBEE1E3BF42E00B8E380AEAE57C2D107564"
		 "941885942AF5A7F4601723C4195D176CED3E017CAE20B6641D2EEB695786D8C946146239D099E18E1D5A514C739D7CB4"
		 "A10AD8A788015AC405D7799DC75E7B7D5B6CF2261A6A7F1507438BF01BEB6CA3926F9582",
		 "0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E9C677D600B343757A3BDBF2A3163E4C2"
		 "F869CCA7458AA4A4EFFC311F5CB151685EB9",
		 "00D0B3975AC4B799F5BEA16D5E13E9AF971D5E9B984C9F39728B5E5739735A219B97C356436ADC6E95BB0352F6BE64A6"
		 "C2912D4EF2D0433CED2B6171640012D9460F015C68226383956E3BD066E797B623C27CE0EAC2F551A10C2C724D985207"
		 "7B87220B6536C5C408A1D2AEBB8E86D678AE49CB57091F4732296579AB44FCD17F0FC56A",
		 "01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04D1427E73CA4BAA240A34786859810C06"
		 "B3C715A3A8CC3151F2BEE417996D19F3DDEA"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(row); i++) {
		uint8_t a[CRYPTO_SEED_LEN], b[CRYPTO_SEED_LEN], want[132];
		struct crypto_shared shared;
		struct crypto_dh dh;

		ecp_seed(row[i].i, row[i].n, a);
		ecp_seed(row[i].r, row[i].n, b);
		both_ways(row[i].id, b, a, &dh, &shared);
		hex(row[i].gr, want);
		assert_memory_equal(dh.public_value, want, 2 * row[i].n);
		both_ways(row[i].id, a, b, &dh, &shared);
		hex(row[i].gi, want);
		assert_memory_equal(dh.public_value, want, 2 * row[i].n);
		hex(row[i].gir, want);
		assert_int_equal(shared.len, row[i].n);
		assert_memory_equal(shared.b, want, row[i].n);
	}
}

/* A8 for each curve: off the curve, "infinity", coordinates of p and more, compressed. */
static void ecp_refuses_what_is_no_point(void **state)
{
	(void)state;
	for (unsigned id = 19; id <= 21; id++) {
		uint8_t seed[CRYPTO_SEED_LEN] = {3}, point[133];
		struct crypto_shared shared;
		struct crypto_dh dh;
		size_t n;

		assert_int_equal(crypto_dh_make(&dh, group(id), seed), 0);
		n = dh.public_len;
		memcpy(point, dh.public_value, n);
		assert_int_equal(crypto_dh_shared(&dh, point, n, &shared), 0);
		point[n - 1] ^= 1;
		assert_int_equal(crypto_dh_shared(&dh, point, n, &shared), -EINVAL);
		memset(point, 0, n);
		assert_int_equal(crypto_dh_shared(&dh, point, n, &shared), -EINVAL);
		memset(point, 0xff, n);
		assert_int_equal(crypto_dh_shared(&dh, point, n, &shared), -EINVAL);
		point[0] = 2;
		memcpy(point + 1, dh.public_value, n / 2);
		assert_int_equal(crypto_dh_shared(&dh, point, n / 2 + 1, &shared), -EINVAL);
		point[0] = 4;
		memcpy(point + 1, dh.public_value, n);
		assert_int_equal(crypto_dh_shared(&dh, point, n + 1, &shared), -EINVAL);
	}
}

static void modp_seed(uint8_t seed[CRYPTO_SEED_LEN], unsigned times, unsigned plus)
{
	for (unsigned i = 0; i < CRYPTO_SEED_LEN; i++)
		seed[i] = (uint8_t)(i * times + plus);
}

static void sha1_is(const uint8_t *p, size_t len, const uint8_t want[20])
{
	const struct crypto_part part = {p, len};
	uint8_t sum[CRYPTO_SHA1_LEN];

	assert_int_equal(crypto_sha1(&part, 1, sum), 0);
	assert_memory_equal(sum, want, 20);
}

static void modp_gives_the_independent_values(void **state)
{
	uint8_t a[CRYPTO_SEED_LEN], b[CRYPTO_SEED_LEN];

	(void)state;
	modp_seed(a, 7, 1);
	modp_seed(b, 11, 2);
	for (size_t i = 0; i < N_ELEMS(modp_vectors); i++) {
		const struct modp_vector *v = &modp_vectors[i];
		struct crypto_shared shared;
		struct crypto_dh dh;

		both_ways(v->group, b, a, &dh, &shared);
		sha1_is(dh.public_value, dh.public_len, v->b);
		both_ways(v->group, a, b, &dh, &shared);
		assert_int_equal(dh.public_len, v->len);
		assert_int_equal(shared.len, v->len);
		sha1_is(dh.public_value, dh.public_len, v->a);
		sha1_is(shared.b, shared.len, v->shared);
	}
}

/* A8 for each prime: 0, 1, and whatever begins with so many ones that it is p - 1 or more. */
static void modp_refuses_values_out_of_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(modp_vectors); i++) {
		uint8_t seed[CRYPTO_SEED_LEN] = {5}, y[1024] = {0};
		size_t n = modp_vectors[i].len;
		struct crypto_shared shared;
		struct crypto_dh dh;

		assert_int_equal(crypto_dh_make(&dh, group(modp_vectors[i].group), seed), 0);
		assert_int_equal(crypto_dh_shared(&dh, y, n, &shared), -EINVAL);
		y[n - 1] = 1;
		assert_int_equal(crypto_dh_shared(&dh, y, n, &shared), -EINVAL);
		y[n - 1] = 2;
		assert_int_equal(crypto_dh_shared(&dh, y, n, &shared), 0);
		memset(y, 0xff, n);
		assert_int_equal(crypto_dh_shared(&dh, y, n, &shared), -EINVAL);
		y[n / 2] = 0; /* the middle of a prime is pi's */
		assert_int_equal(crypto_dh_shared(&dh, y, n, &shared), -EINVAL);
		y[7] = 0xfe;
		assert_int_equal(crypto_dh_shared(&dh, y, n, &shared), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integrity_gives_the_values_of_the_rfcs),
		cmocka_unit_test(cbc_gives_the_values_of_the_rfcs),
		cmocka_unit_test(every_row_that_ike_may_agree_on_works),
		cmocka_unit_test(x448_gives_rfc7748_values),
		cmocka_unit_test(x448_refuses_low_order_points),
		cmocka_unit_test(ecp_gives_rfc5903_values),
		cmocka_unit_test(ecp_refuses_what_is_no_point),
		cmocka_unit_test(modp_gives_the_independent_values),
		cmocka_unit_test(modp_refuses_values_out_of_range),
	};

	return cmocka_run_group_tests_name("ike-suites", tests, NULL, NULL);
}
