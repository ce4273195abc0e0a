#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/build.h"
#include "controlplane/ike/auth.h"
#include "controlplane/ike/keymat.h"
#include "tests/vectors/ike_kdf.h"

/* The three PRFs and their values out of ike_kdf.py. */
static const struct vector {
	uint16_t prf;
	size_t size;
	const uint8_t *sk, *rekey, *child, *child_pfs, *auth;
} vectors[] = {
	{ALG_PRF_HMAC_SHA2_256, 32, kdf_sk_sha256, kdf_rekey_sha256, kdf_child_sha256, kdf_child_pfs_sha256,
	 kdf_auth_sha256},
	{ALG_PRF_HMAC_SHA2_384, 48, kdf_sk_sha384, kdf_rekey_sha384, kdf_child_sha384, kdf_child_pfs_sha384,
	 kdf_auth_sha384},
	{ALG_PRF_HMAC_SHA2_512, 64, kdf_sk_sha512, kdf_rekey_sha512, kdf_child_sha512, kdf_child_pfs_sha512,
	 kdf_auth_sha512},
};

static struct ike_nonce nonce(const uint8_t *b, size_t len)
{
	struct ike_nonce n = {.len = (uint16_t)len};

	memcpy(n.b, b, len);
	return n;
}

static struct ike_nonce ni, nr;
static struct crypto_shared shared, shared2;

static int setup(void **state)
{
	(void)state;
	ni = nonce(kdf_ni, sizeof(kdf_ni));
	nr = nonce(kdf_nr, sizeof(kdf_nr));
	shared.len = sizeof(kdf_shared);
	memcpy(shared.b, kdf_shared, sizeof(kdf_shared));
	shared2.len = sizeof(kdf_shared2);
	memcpy(shared2.b, kdf_shared2, sizeof(kdf_shared2));
	return 0;
}

static int ike_keys(const struct vector *v, uint16_t bits, struct keymat_ike *out)
{
	const struct keymat_input in = {
		.prf = alg_find(ALG_PRF, v->prf, 0),
		.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, bits),
		.shared = &shared,
		.ni = &ni,
		.nr = &nr,
		.spi_i = KDF_SPI_I,
		.spi_r = KDF_SPI_R,
	};

	return keymat_ike(&in, out);
}

static const uint8_t *expect(const uint8_t *stream, const struct secret *s, size_t len)
{
	assert_int_equal(s->len, len);
	assert_memory_equal(s->b, stream, len);
	return stream + len;
}

/* RFC 7296 2.14, RFC 5282 7: no SK_a, each SK_e is key and salt. */
static void ike_keys_are_cut_in_order_without_integrity_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct keymat_ike k;
		const uint8_t *p = v->sk;

		assert_int_equal(ike_keys(v, 256, &k), 0);
		p = expect(p, &k.d, v->size);
		assert_int_equal(k.ai.len, 0);
		assert_int_equal(k.ar.len, 0);
		p = expect(p, &k.ei, 36);
		p = expect(p, &k.er, 36);
		p = expect(p, &k.pi, v->size);
		expect(p, &k.pr, v->size);
		assert_int_equal(ike_keys(v, 128, &k), 0);
		p = expect(v->sk, &k.d, v->size);
		p = expect(p, &k.ei, 20);
		expect(p, &k.er, 20);
		keymat_fini(&k);
		assert_int_equal(k.d.len, 0);
	}
}

/* RFC 7296 2.18: old SK_d and PRF make SKEYSEED, the new PRF the rest. */
static void ike_rekey_uses_the_old_prf_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(vectors); i++) {
		const struct vector *v = &vectors[i];
		const struct keymat_input in = {
			.prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0),
			.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 128),
			.shared = &shared2,
			.ni = &nr, /* the other side begins this one */
			.nr = &ni,
			.spi_i = KDF_SPI_R,
			.spi_r = KDF_SPI_I,
		};
		struct keymat_ike old, k;
		const uint8_t *p = v->rekey;

		assert_int_equal(ike_keys(v, 256, &old), 0);
		assert_int_equal(keymat_ike_rekey(&in, alg_find(ALG_PRF, v->prf, 0), &old.d, &k), 0);
		p = expect(p, &k.d, 32);
		p = expect(p, &k.ei, 20);
		p = expect(p, &k.er, 20);
		p = expect(p, &k.pi, 32);
		expect(p, &k.pr, 32);
	}
}

/* RFC 7296 2.17. */
static void child_keys_with_and_without_pfs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(vectors); i++) {
		const struct vector *v = &vectors[i];
		const struct alg *prf = alg_find(ALG_PRF, v->prf, 0);
		struct keymat_ike k;
		struct secret in = {0}, out = {0};

		assert_int_equal(ike_keys(v, 256, &k), 0);
		assert_int_equal(keymat_child(prf, &k.d, NULL, &ni, &nr, alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256),
					      NULL, &in, &out),
				 0);
		expect(v->child, &in, 36);
		expect(v->child + 36, &out, 36);
		assert_int_equal(keymat_child(prf, &k.d, &shared2, &ni, &nr,
					      alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 128), NULL, &in, &out),
				 0);
		expect(v->child_pfs, &in, 20);
		expect(v->child_pfs + 20, &out, 20);
	}
}

/* RFC 7296 2.14, 2.17: SK_a before SK_e, and in a child the cipher's key before the integrity key. */
static void keys_of_cipher_and_hmac_are_cut_in_the_order_of_the_rfc(void **state)
{
	const struct alg *prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA1, 0),
			 *cbc = alg_find(ALG_ENCR, ALG_ENCR_AES_CBC, 192);
	const struct alg *integ = alg_find(ALG_INTEG, ALG_INTEG_HMAC_SHA2_384_192, 0);
	const struct keymat_input in = {.prf = prf,
					.encr = cbc,
					.integ = integ,
					.shared = &shared,
					.ni = &ni,
					.nr = &nr,
					.spi_i = 1,
					.spi_r = 2};
	uint8_t key[2 * NONCE_MAX], seed[CRYPTO_PRF_MAX], spis[16] = {[7] = 1, [15] = 2},
							  want[3 * 20 + 2 * 48 + 2 * 24];
	const struct crypto_part g = {shared.b, shared.len},
				 all[] = {{ni.b, ni.len}, {nr.b, nr.len}, {spis, sizeof(spis)}};
	struct keymat_ike k;
	struct secret i, r;

	(void)state;
	memcpy(key, ni.b, ni.len);
	memcpy(key + ni.len, nr.b, nr.len);
	assert_int_equal(crypto_prf(prf, key, (size_t)ni.len + nr.len, &g, 1, seed), 0);
	assert_int_equal(crypto_prf_plus(prf, seed, 20, all, 3, want, sizeof(want)), 0);
	assert_int_equal(keymat_ike(&in, &k), 0);
	expect(want, &k.d, 20);
	expect(want + 20, &k.ai, 48);
	expect(want + 68, &k.ar, 48);
	expect(want + 116, &k.ei, 24);
	expect(want + 140, &k.er, 24);
	expect(want + 164, &k.pi, 20);
	expect(want + 184, &k.pr, 20);
	assert_int_equal(crypto_prf_plus(prf, k.d.b, 20, all, 2, want, 2 * 72), 0);
	assert_int_equal(keymat_child(prf, &k.d, NULL, &ni, &nr, cbc, integ, &i, &r), 0);
	expect(want, &i, 72);
	expect(want + 72, &r, 72);
	/* NULL has no key of its own; an AEAD takes no integrity */
	assert_int_equal(keymat_child(prf, &k.d, NULL, &ni, &nr, alg_find(ALG_ENCR, ALG_ENCR_NULL, 0), integ, &i, &r),
			 0);
	expect(want, &i, 48);
	assert_int_equal(
		keymat_child(prf, &k.d, NULL, &ni, &nr, alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256), integ, &i, &r),
		-ENOTSUP);
}

/* C12 of the fault list: what keymat does not implement fails, and no key is left that could be used. */
static void an_unknown_algorithm_leaves_no_keys(void **state)
{
	const struct alg odd = {.type = ALG_PRF, .id = 1};
	const struct alg cbc = {.type = ALG_ENCR, .id = 12, .key_bits = 256, .key_len = 32};
	struct keymat_input in = {.prf = &odd,
				  .encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256),
				  .shared = &shared,
				  .ni = &ni,
				  .nr = &nr};
	struct keymat_ike k;
	const struct secret d = {.len = 32};
	struct secret a, b;

	(void)state;
	memset(&k, 0xee, sizeof(k));
	assert_int_equal(keymat_ike(&in, &k), -ENOTSUP);
	assert_int_equal(k.ei.len | k.ei.b[0], 0);
	in.prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0);
	in.encr = &cbc;
	memset(&k, 0xee, sizeof(k));
	assert_int_equal(keymat_ike(&in, &k), -ENOTSUP);
	assert_int_equal(k.ei.len | k.ei.b[0], 0);
	memset(&a, 0xee, sizeof(a));
	assert_int_equal(keymat_child(in.prf, &d, NULL, &ni, &nr, &cbc, NULL, &a, &b), -ENOTSUP);
	assert_int_equal(a.len | a.b[0] | b.len, 0);
}

/* ---- AUTH ---- */

static struct keymat_ike auth_keys;

static struct auth_octets octets_of(const struct vector *v)
{
	assert_int_equal(ike_keys(v, 256, &auth_keys), 0);
	return (struct auth_octets){
		.prf = alg_find(ALG_PRF, v->prf, 0),
		.message = kdf_message,
		.message_len = sizeof(kdf_message),
		.peer_nonce = &nr,
		.sk_p = &auth_keys.pi,
		.id = kdf_id_body,
		.id_len = sizeof(kdf_id_body),
	};
}

static void auth_gives_the_independent_values(void **state)
{
	struct secret psk = {0};

	(void)state;
	assert_int_equal(secret_set(&psk, kdf_psk, sizeof(kdf_psk)), 0);
	for (size_t i = 0; i < N_ELEMS(vectors); i++) {
		struct auth_octets o = octets_of(&vectors[i]);
		uint8_t out[CRYPTO_PRF_MAX];
		size_t len;

		assert_int_equal(auth_psk(&o, &psk, out, &len), 0);
		assert_int_equal(len, vectors[i].size);
		assert_memory_equal(out, vectors[i].auth, len);
		assert_int_equal(auth_psk_verify(&o, &psk, out, len), 0);
	}
}

/* B2, B5 of the fault list: empty, zero, cut, longer, from another key or over other octets. */
static void auth_refuses_everything_else(void **state)
{
	struct auth_octets o = octets_of(&vectors[0]);
	struct secret psk = {0}, wrong = {0};
	uint8_t good[CRYPTO_PRF_MAX] = {0}, bad[CRYPTO_PRF_MAX + 1] = {0};
	size_t len;

	(void)state;
	assert_int_equal(secret_set(&psk, kdf_psk, sizeof(kdf_psk)), 0);
	assert_int_equal(secret_set(&wrong, kdf_psk, sizeof(kdf_psk) - 1), 0);
	assert_int_equal(auth_psk(&o, &psk, good, &len), 0);
	assert_int_equal(auth_psk_verify(&o, &psk, bad, 32), -EACCES);
	assert_int_equal(auth_psk_verify(&o, &psk, bad, 0), -EACCES);
	assert_int_equal(auth_psk_verify(&o, &psk, good, 31), -EACCES);
	memcpy(bad, good, 32);
	assert_int_equal(auth_psk_verify(&o, &psk, bad, 33), -EACCES);
	bad[31] ^= 1;
	assert_int_equal(auth_psk_verify(&o, &psk, bad, 32), -EACCES);
	assert_int_equal(auth_psk_verify(&o, &wrong, good, 32), -EACCES);
	o.sk_p = &auth_keys.pr;
	assert_int_equal(auth_psk_verify(&o, &psk, good, 32), -EACCES);
	o.sk_p = &auth_keys.pi;
	o.message_len--;
	assert_int_equal(auth_psk_verify(&o, &psk, good, 32), -EACCES);
	o.message_len++;
	o.peer_nonce = &ni;
	assert_int_equal(auth_psk_verify(&o, &psk, good, 32), -EACCES);
	o.peer_nonce = &nr;
	o.id_len--;
	assert_int_equal(auth_psk_verify(&o, &psk, good, 32), -EACCES);
}

/* Even an AUTH made with the stand-in key of unknown identities is refused. */
static void an_unknown_identity_never_authenticates(void **state)
{
	struct auth_octets o = octets_of(&vectors[0]);
	struct secret zero = {.len = 32};
	uint8_t out[CRYPTO_PRF_MAX];
	size_t len;

	(void)state;
	assert_int_equal(auth_psk(&o, &zero, out, &len), 0);
	assert_int_equal(auth_psk_verify(&o, NULL, out, len), -EACCES);
}

/* B12: a PRF that cannot be computed is an error, not a match. */
static void a_failing_prf_is_not_success(void **state)
{
	struct auth_octets o = octets_of(&vectors[0]);
	const struct alg odd = {.type = ALG_PRF, .id = 1};
	struct secret psk = {.len = 8};
	uint8_t out[CRYPTO_PRF_MAX] = {0};
	size_t len = 9;

	(void)state;
	o.prf = &odd;
	assert_int_equal(auth_psk(&o, &psk, out, &len), -ENOTSUP);
	assert_int_equal(len, 0);
	assert_int_equal(auth_psk_verify(&o, &psk, out, 0), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ike_keys_are_cut_in_order_without_integrity_keys),
		cmocka_unit_test(ike_rekey_uses_the_old_prf_once),
		cmocka_unit_test(child_keys_with_and_without_pfs),
		cmocka_unit_test(keys_of_cipher_and_hmac_are_cut_in_the_order_of_the_rfc),
		cmocka_unit_test(an_unknown_algorithm_leaves_no_keys),
		cmocka_unit_test(auth_gives_the_independent_values),
		cmocka_unit_test(auth_refuses_everything_else),
		cmocka_unit_test(an_unknown_identity_never_authenticates),
		cmocka_unit_test(a_failing_prf_is_not_success),
	};

	return cmocka_run_group_tests_name("ike-keymat", tests, setup, NULL);
}
