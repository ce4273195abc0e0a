#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/build.h"
#include "controlplane/ike/crypto.h"
#include "tests/unit/ike/hex.h"
#include "tests/vectors/ike_kdf.h"

static const struct alg *prf(unsigned id)
{
	return alg_find(ALG_PRF, (uint16_t)id, 0);
}

static const struct alg *gcm(uint16_t bits)
{
	return alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, bits);
}

static const struct alg *dh_group(unsigned id)
{
	return alg_find(ALG_DH, (uint16_t)id, 0);
}

static void self_test_passes(void **state)
{
	(void)state;
	assert_int_equal(crypto_init(), 0);
	assert_int_equal(crypto_init(), 0);
}

/* RFC 4231 4.2, 4.3, 4.7: test cases 1, 2, 6 (key longer than the block). */
static void prf_gives_rfc4231_values(void **state)
{
	static const struct {
		const char *key, *data, *out256, *out384, *out512;
	} v[] = {
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
		 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		 "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
		 "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
		 "be9d914eeb61f1702e696c203a126854"},
		{"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		 "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		 "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
		 "caeab1a34d4a6b4b636e070a38bce737"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(v); i++) {
		const char *want[] = {v[i].out256, v[i].out384, v[i].out512};
		uint8_t key[256], data[256], out[CRYPTO_PRF_MAX], expect[CRYPTO_PRF_MAX];
		size_t key_len = hex(v[i].key, key), len = hex(v[i].data, data);

		for (unsigned k = 0; k < 3; k++) {
			/* in two parts: they are joined */
			const struct crypto_part part[] = {{data, 3}, {data + 3, len - 3}};
			size_t n = hex(want[k], expect);

			assert_int_equal(crypto_prf_len(prf(5 + k)), n);
			assert_int_equal(crypto_prf(prf(5 + k), key, key_len, part, 2, out), 0);
			assert_memory_equal(out, expect, n);
		}
	}
}

/* HMAC-SHA2-256 with empty key and data, a well-known value. */
static void prf_takes_an_empty_key(void **state)
{
	uint8_t out[CRYPTO_PRF_MAX], want[32];

	(void)state;
	hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", want);
	assert_int_equal(crypto_prf(prf(5), NULL, 0, NULL, 0, out), 0);
	assert_memory_equal(out, want, 32);
}

static void prf_plus_gives_the_independent_values(void **state)
{
	const uint8_t *want[] = {kdf_prf_plus_sha256, kdf_prf_plus_sha384, kdf_prf_plus_sha512};
	const struct crypto_part seed = {"a seed of some octets", 21};
	uint8_t key[40], out[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(crypto_prf_plus(prf(5 + k), key, sizeof(key), &seed, 1, out, sizeof(out)), 0);
		assert_memory_equal(out, want[k], sizeof(out));
		memset(out, 0, sizeof(out));
		assert_int_equal(crypto_prf_plus(prf(5 + k), key, sizeof(key), &seed, 1, out, 1), 0);
		assert_int_equal(out[0], want[k][0]);
		assert_int_equal(out[1], 0);
	}
}

static void prf_plus_ends_at_255_blocks(void **state)
{
	static uint8_t out[255 * 32 + 1];

	(void)state;
	assert_int_equal(crypto_prf_plus(prf(5), "k", 1, NULL, 0, out, 255 * 32), 0);
	assert_int_equal(crypto_prf_plus(prf(5), "k", 1, NULL, 0, out, 255 * 32 + 1), -EMSGSIZE);
	assert_int_equal(out[0] | out[4000], 0);
}

static void sha1_gives_fips_180_values(void **state)
{
	const struct crypto_part abc[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	uint8_t out[CRYPTO_SHA1_LEN], want[CRYPTO_SHA1_LEN];

	(void)state;
	hex("a9993e364706816aba3e25717850c26c9cd0d89d", want);
	assert_int_equal(crypto_sha1(abc, 3, out), 0);
	assert_memory_equal(out, want, sizeof(out));
}

/* The GCM specification's (McGrew and Viega) test cases 4 and 16; the first 4 octets of the IV are our salt. */
static void gcm_gives_the_specification_values(void **state)
{
	static const char *const p = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
				     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
	static const struct {
		uint16_t bits;
		const char *key, *c, *t;
	} v[] = {
		{128, "feffe9928665731c6d6a8f9467308308 cafebabe",
		 "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30"
		 "b39"
		 "6a0aac973d58e091",
		 "5bc94fbc3221a5db94fae95ae7121a47"},
		{256, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308 cafebabe",
		 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61"
		 "e63"
		 "93ba7a0abcc9f662",
		 "76fc6ece0f4e1768cddf8853bb2d551b"},
	};
	uint8_t iv[8], aad[20];

	(void)state;
	hex("facedbaddecaf888", iv);
	hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
	for (size_t i = 0; i < N_ELEMS(v); i++) {
		struct secret key = {0};
		uint8_t text[64], plain[64], c[64], t[16], icv[16];
		size_t len = hex(p, text);

		memcpy(plain, text, len);
		key.len = (uint16_t)hex(v[i].key, key.b);
		hex(v[i].c, c);
		hex(v[i].t, t);
		assert_int_equal(crypto_seal(gcm(v[i].bits), &key, iv, aad, 20, text, len, icv), 0);
		assert_memory_equal(text, c, len);
		assert_memory_equal(icv, t, 16);
		assert_int_equal(crypto_open(gcm(v[i].bits), &key, iv, aad, 20, text, len, icv), 0);
		assert_memory_equal(text, plain, len);
	}
}

static void gcm_open_refuses_a_changed_bit_and_leaves_no_text(void **state)
{
	struct secret key = {.len = 36};
	uint8_t iv[8] = {1}, aad[32] = {2}, text[48], icv[16], zero[48] = {0};

	(void)state;
	for (unsigned what = 0; what < 4; what++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(crypto_seal(gcm(256), &key, iv, aad, 32, text, 48, icv), 0);
		if (what == 0)
			text[47] ^= 1;
		else if (what == 1)
			icv[15] ^= 0x80;
		else if (what == 2)
			aad[31] ^= 4;
		else
			iv[7] ^= 1;
		assert_int_equal(crypto_open(gcm(256), &key, iv, aad, 32, text, 48, icv), -EBADMSG);
		assert_memory_equal(text, zero, 48);
	}
}

static void gcm_refuses_a_key_of_another_length(void **state)
{
	struct secret key = {.len = 35};
	uint8_t iv[8] = {0}, text[4] = "abcd", icv[16];

	(void)state;
	assert_int_equal(crypto_seal(gcm(256), &key, iv, NULL, 0, text, 4, icv), -EINVAL);
	assert_int_equal(text[0], 0);
	key.len = 36;
	assert_int_equal(crypto_seal(gcm(128), &key, iv, NULL, 0, text, 4, icv), -EINVAL);
	assert_int_equal(crypto_seal(prf(5), &key, iv, NULL, 0, text, 4, icv), -ENOTSUP);
}

/* RFC 7748 6.1. */
static void x25519_gives_rfc7748_values(void **state)
{
	uint8_t a[CRYPTO_SEED_LEN] = {0}, b[CRYPTO_SEED_LEN] = {0}, a_public[32], b_public[32], k[32];
	struct crypto_dh dh_a, dh_b;
	struct crypto_shared shared = {0};

	(void)state;
	hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
	hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", a_public);
	hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
	hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", b_public);
	hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", k);
	assert_int_equal(crypto_dh_make(&dh_a, dh_group(31), a), 0);
	assert_int_equal(crypto_dh_make(&dh_b, dh_group(31), b), 0);
	assert_int_equal(dh_a.public_len, 32);
	assert_memory_equal(dh_a.public_value, a_public, 32);
	assert_memory_equal(dh_b.public_value, b_public, 32);
	assert_int_equal(crypto_dh_shared(&dh_a, b_public, 32, &shared), 0);
	assert_int_equal(shared.len, 32);
	assert_memory_equal(shared.b, k, 32);
	assert_int_equal(crypto_dh_shared(&dh_b, a_public, 32, &shared), 0);
	assert_memory_equal(shared.b, k, 32);
	crypto_dh_fini(&dh_a);
	assert_int_equal(dh_a.priv.len | dh_a.priv.b[0], 0);
}

/* RFC 7748 7: points of small order and their other spellings; each would make the secret known. A8 of the fault list. */
static void x25519_refuses_low_order_points(void **state)
{
	static const char *const low[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t seed[CRYPTO_SEED_LEN] = {9, 8, 7}, point[32];
	struct crypto_dh dh;
	struct crypto_shared shared;

	(void)state;
	assert_int_equal(crypto_dh_make(&dh, dh_group(31), seed), 0);
	for (size_t i = 0; i < N_ELEMS(low); i++) {
		hex(low[i], point);
		memset(&shared, 0xee, sizeof(shared));
		assert_int_equal(crypto_dh_shared(&dh, point, 32, &shared), -EINVAL);
		assert_int_equal(shared.len, 0);
		assert_int_equal(shared.b[0], 0);
	}
}

/* The seed that p256_make() turns into the private value d: d - 1, in 48 octets. */
static void p256_seed(const char *d, uint8_t seed[CRYPTO_SEED_LEN])
{
	memset(seed, 0, CRYPTO_SEED_LEN);
	hex(d, seed + 16);
	seed[47]--; /* no value used here ends in 00 */
}

/* RFC 5903 8.1. */
static void ecp256_gives_rfc5903_values(void **state)
{
	uint8_t seed[CRYPTO_SEED_LEN], gi[64], gr[64], gir[32];
	struct crypto_dh i, r;
	struct crypto_shared shared = {0};

	(void)state;
	hex("DAD0B653 94221CF9 B051E1FE CA5787D0 98DFE637 FC90B9EF 945D0C37 72581180"
	    "5271A046 1CDB8252 D61F1C45 6FA3E59A B1F45B33 ACCF5F58 389E0577 B8990BB3",
	    gi);
	hex("D12DFB52 89C8D4F8 1208B702 70398C34 2296970A 0BCCB74C 736FC755 4494BF63"
	    "56FBF3CA 366CC23E 8157854C 13C58D6A AC23F046 ADA30F83 53E74F33 039872AB",
	    gr);
	hex("D6840F6B 42F6EDAF D13116E0 E1256520 2FEF8E9E CE7DCE03 812464D0 4B9442DE", gir);
	p256_seed("C88F01F5 10D9AC3F 70A292DA A2316DE5 44E9AAB8 AFE84049 C62A9C57 862D1433", seed);
	assert_int_equal(crypto_dh_make(&i, dh_group(19), seed), 0);
	p256_seed("C6EF9C5D 78AE012A 011164AC B397CE20 88685D8F 06BF9BE0 B283AB46 476BEE53", seed);
	assert_int_equal(crypto_dh_make(&r, dh_group(19), seed), 0);
	assert_int_equal(i.public_len, 64);
	assert_memory_equal(i.public_value, gi, 64);
	assert_memory_equal(r.public_value, gr, 64);
	assert_int_equal(crypto_dh_shared(&i, gr, 64, &shared), 0);
	assert_int_equal(shared.len, 32);
	assert_memory_equal(shared.b, gir, 32);
	assert_int_equal(crypto_dh_shared(&r, gi, 64, &shared), 0);
	assert_memory_equal(shared.b, gir, 32);
}

static void ecp256_refuses_points_off_the_curve(void **state)
{
	uint8_t seed[CRYPTO_SEED_LEN] = {3}, point[65];
	struct crypto_dh dh;
	struct crypto_shared shared = {0};

	(void)state;
	assert_int_equal(crypto_dh_make(&dh, dh_group(19), seed), 0);
	memcpy(point, dh.public_value, 64);
	assert_int_equal(crypto_dh_shared(&dh, point, 64, &shared), 0);
	point[63] ^= 1;
	assert_int_equal(crypto_dh_shared(&dh, point, 64, &shared), -EINVAL);
	memset(point, 0, sizeof(point)); /* "infinity" */
	assert_int_equal(crypto_dh_shared(&dh, point, 64, &shared), -EINVAL);
	/* x = 5 lies on the curve; 5 + p is another spelling of it and must not be taken */
	hex("ffffffff00000001000000000000000000000001000000000000000000000004"
	    "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc",
	    point);
	assert_int_equal(crypto_dh_shared(&dh, point, 64, &shared), -EINVAL);
	/* compressed, and with the leading octet of X9.62 */
	point[0] = 2;
	memcpy(point + 1, dh.public_value, 32);
	assert_int_equal(crypto_dh_shared(&dh, point, 33, &shared), -EINVAL);
	point[0] = 4;
	memcpy(point + 1, dh.public_value, 64);
	assert_int_equal(crypto_dh_shared(&dh, point, 65, &shared), -EINVAL);
	assert_int_equal(shared.len, 0);
}

static void modp2048_gives_the_independent_values(void **state)
{
	uint8_t a[CRYPTO_SEED_LEN] = {0}, b[CRYPTO_SEED_LEN] = {0};
	struct crypto_dh dh;
	struct crypto_shared shared = {0};

	(void)state;
	memcpy(a, modp_a, sizeof(modp_a));
	memcpy(b, modp_b, sizeof(modp_b));
	assert_int_equal(crypto_dh_make(&dh, dh_group(14), a), 0);
	assert_int_equal(dh.public_len, 256);
	assert_memory_equal(dh.public_value, modp_a_public, 256);
	assert_int_equal(crypto_dh_shared(&dh, modp_b_public, 256, &shared), 0);
	assert_int_equal(shared.len, 256);
	assert_memory_equal(shared.b, modp_shared, 256);
	assert_int_equal(crypto_dh_make(&dh, dh_group(14), b), 0);
	assert_memory_equal(dh.public_value, modp_b_public, 256);
	assert_int_equal(crypto_dh_shared(&dh, modp_a_public, 256, &shared), 0);
	assert_memory_equal(shared.b, modp_shared, 256);
}

/* RFC 7296 2.14: leading zero octets belong to the shared secret. */
static void modp2048_pads_the_shared_secret_in_front(void **state)
{
	uint8_t c[CRYPTO_SEED_LEN] = {0};
	struct crypto_dh dh;
	struct crypto_shared shared = {0};

	(void)state;
	memcpy(c, modp_c, sizeof(modp_c));
	assert_int_equal(crypto_dh_make(&dh, dh_group(14), c), 0);
	assert_int_equal(crypto_dh_shared(&dh, modp_b_public, 256, &shared), 0);
	assert_int_equal(shared.len, 256);
	assert_int_equal(shared.b[0], 0);
	assert_memory_equal(shared.b, modp_c_shared, 256);
}

/* A8: 0, 1, p - 1, p, p + 1, all ones. */
static void modp2048_refuses_values_out_of_range(void **state)
{
	uint8_t seed[CRYPTO_SEED_LEN] = {5}, y[256];
	struct crypto_dh dh;
	struct crypto_shared shared = {0};

	(void)state;
	assert_int_equal(crypto_dh_make(&dh, dh_group(14), seed), 0);
	memset(y, 0, sizeof(y));
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), -EINVAL);
	y[255] = 1;
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), -EINVAL);
	y[255] = 2;
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), 0);
	memcpy(y, modp_p, 256); /* ends in ff */
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), -EINVAL);
	y[255] -= 1;
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), -EINVAL);
	y[255] -= 1;
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), 0);
	memset(y, 0xff, sizeof(y));
	assert_int_equal(crypto_dh_shared(&dh, y, 256, &shared), -EINVAL);
}

/* A9: a KE value longer or shorter than the group's; A1: groups with private or internal numbers. */
static void dh_refuses_other_lengths_and_groups(void **state)
{
	static const uint8_t ids[] = {31, 32, 19, 20, 21, 2, 14, 15, 16, 17, 18};
	uint8_t seed[CRYPTO_SEED_LEN] = {1}, value[1100] = {2};
	struct crypto_dh dh;
	struct crypto_shared shared = {0};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(ids); i++) {
		size_t len = crypto_dh_len(dh_group(ids[i]));

		assert_int_equal(len, dh_group(ids[i])->key_len);
		assert_int_equal(crypto_dh_make(&dh, dh_group(ids[i]), seed), 0);
		assert_int_equal(crypto_dh_shared(&dh, value, len - 1, &shared), -EINVAL);
		assert_int_equal(crypto_dh_shared(&dh, value, len + 1, &shared), -EINVAL);
		assert_int_equal(crypto_dh_shared(&dh, value, 0, &shared), -EINVAL);
	}
	for (unsigned id = 0; id < 65536; id += id < 40 ? 1 : 985) {
		const struct alg odd = {.type = ALG_DH, .id = (uint16_t)id};

		if (memchr(ids, (int)id, sizeof(ids)) && id < 256)
			continue;
		assert_int_equal(crypto_dh_len(&odd), 0);
		assert_int_equal(crypto_dh_make(&dh, &odd, seed), -ENOTSUP);
		assert_int_equal(crypto_dh_shared(&dh, value, 32, &shared), -ENOTSUP);
	}
}

static void *agree(void *arg)
{
	uint8_t *seed = arg;
	struct crypto_dh a, b;
	struct crypto_shared ab = {0}, ba = {0};
	intptr_t bad = 0;

	for (unsigned i = 0; i < 20; i++) {
		const struct alg *g = dh_group((const uint8_t[]){31, 19, 14}[i % 3]);
		uint8_t other[CRYPTO_SEED_LEN] = {(uint8_t)i};

		bad |= crypto_dh_make(&a, g, seed) || crypto_dh_make(&b, g, other) ||
		       crypto_dh_shared(&a, b.public_value, b.public_len, &ab) ||
		       crypto_dh_shared(&b, a.public_value, a.public_len, &ba) || ab.len != ba.len ||
		       !secret_equal(ab.b, ba.b, ab.len);
	}
	return (void *)bad;
}

static void dh_runs_in_several_threads(void **state)
{
	pthread_t t[4];
	uint8_t seed[4][CRYPTO_SEED_LEN] = {{1}, {2}, {3}, {4}};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, agree, seed[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		assert_null(bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dh_runs_in_several_threads), /* first: so that they race for the fetch */
		cmocka_unit_test(self_test_passes),
		cmocka_unit_test(prf_gives_rfc4231_values),
		cmocka_unit_test(prf_takes_an_empty_key),
		cmocka_unit_test(prf_plus_gives_the_independent_values),
		cmocka_unit_test(prf_plus_ends_at_255_blocks),
		cmocka_unit_test(sha1_gives_fips_180_values),
		cmocka_unit_test(gcm_gives_the_specification_values),
		cmocka_unit_test(gcm_open_refuses_a_changed_bit_and_leaves_no_text),
		cmocka_unit_test(gcm_refuses_a_key_of_another_length),
		cmocka_unit_test(x25519_gives_rfc7748_values),
		cmocka_unit_test(x25519_refuses_low_order_points),
		cmocka_unit_test(ecp256_gives_rfc5903_values),
		cmocka_unit_test(ecp256_refuses_points_off_the_curve),
		cmocka_unit_test(modp2048_gives_the_independent_values),
		cmocka_unit_test(modp2048_pads_the_shared_secret_in_front),
		cmocka_unit_test(modp2048_refuses_values_out_of_range),
		cmocka_unit_test(dh_refuses_other_lengths_and_groups),
	};

	return cmocka_run_group_tests_name("ike-crypto", tests, NULL, NULL);
}
