/* AUTH by signatures: identifiers as in the RFCs, every key with every hash, and keys that are not to be used. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "controlplane/ike/auth.h"
#include "controlplane/ike/auth_sig.h"
#include "tests/sim/pki.h"
#include "tests/unit/ike/hex.h"

static struct ike_nonce nonce = {.len = 32, .b = {1, 2, 3}};
static struct secret sk_p = {.len = 32, .b = {4, 5, 6}};

static struct auth_octets octets(const char *message)
{
	return (struct auth_octets){.prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0),
				    .message = (const uint8_t *)message,
				    .message_len = strlen(message),
				    .peer_nonce = &nonce,
				    .sk_p = &sk_p,
				    .id = (const uint8_t *)"\2\0\0\0node",
				    .id_len = 8};
}

static int check(EVP_PKEY *key, const char *message, unsigned hashes, bool legacy, const struct auth_value *v)
{
	const struct auth_sig_params p = {.hashes = hashes, .legacy = legacy};
	const struct auth_octets o = octets(message);
	char why[300];
	struct text t = text_of(why, sizeof(why));
	int err = auth_sig_verify(key, &o, &p, v, NULL, &t);

	assert_true((err == 0) == (why[0] == '\0'));
	return err;
}

static int make(EVP_PKEY *key, const struct auth_sig_params *p, struct auth_value *v)
{
	const struct auth_octets o = octets("message");
	char why[300];
	struct text t = text_of(why, sizeof(why));
	int err = auth_sig_make(key, &o, p, v, &t);

	assert_true((err == 0) == (why[0] == '\0'));
	return err;
}

/* RFC 7427 A, RFC 8420 A: the octets in front of the signature. PSS is A.4.3 in DER proper, without the default trailer field. */
static void identifiers_are_those_of_the_rfcs(void **state)
{
	static const struct {
		enum pki_kind kind;
		enum auth_hash hash;
		bool pkcs1;
		const char *hex;
	} rows[] = {
		{PKI_RSA_2048, AUTH_HASH_SHA2_256, true, "0f300d06092a864886f70d01010b0500"},
		{PKI_RSA_2048, AUTH_HASH_SHA2_384, true, "0f300d06092a864886f70d01010c0500"},
		{PKI_RSA_2048, AUTH_HASH_SHA2_512, true, "0f300d06092a864886f70d01010d0500"},
		{PKI_RSA_2048, AUTH_HASH_SHA2_256, false,
		 "43304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
		 "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"},
		{PKI_RSA_2048, AUTH_HASH_SHA2_512, false,
		 "43304106092a864886f70d01010a3034a00f300d06096086480165030402030500"
		 "a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140"},
		{PKI_P256, AUTH_HASH_SHA2_256, false, "0c300a06082a8648ce3d040302"},
		{PKI_P256, AUTH_HASH_SHA2_384, false, "0c300a06082a8648ce3d040303"},
		{PKI_P521, AUTH_HASH_SHA2_512, false, "0c300a06082a8648ce3d040304"},
		{PKI_ED25519, AUTH_HASH_IDENTITY, false, "07300506032b6570"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		const struct auth_sig_params p = {.hashes = AUTH_HASH_BIT(rows[i].hash), .pkcs1 = rows[i].pkcs1};
		struct auth_value v;
		uint8_t want[128];
		size_t n = hex(rows[i].hex, want);

		assert_int_equal(make(pki_key(rows[i].kind, 0), &p, &v), 0);
		assert_int_equal(v.method, IKE_AUTH_SIGNATURE);
		assert_memory_equal(v.b, want, n);
		assert_int_equal(check(pki_key(rows[i].kind, 0), "message", AUTH_HASHES_OURS, false, &v), 0);
	}
}

/* RFC 7427 A.4.3 to the letter: with the trailer field. The signature is the same. */
static void pss_with_the_default_trailer_is_taken(void **state)
{
	const struct auth_sig_params p = {.hashes = AUTH_HASH_BIT(AUTH_HASH_SHA2_256)};
	EVP_PKEY *key = pki_key(PKI_RSA_2048, 0);
	struct auth_value v, rfc = {.method = IKE_AUTH_SIGNATURE};
	size_t n;

	(void)state;
	assert_int_equal(make(key, &p, &v), 0);
	n = hex("48304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06"
		"09"
		"6086480165030402010500a203020120a303020101",
		rfc.b);
	assert_int_equal(n, 73);
	memcpy(rfc.b + n, v.b + 68, 256);
	rfc.len = (uint16_t)(n + 256);
	assert_int_equal(check(key, "message", AUTH_HASHES_OURS, false, &rfc), 0);
	rfc.b[n - 1] = 2; /* another trailer */
	assert_int_equal(check(key, "message", AUTH_HASHES_OURS, false, &rfc), -EACCES);
}

static void every_key_verifies_its_own_and_nothing_else(void **state)
{
	(void)state;
	for (unsigned k = 0; k < PKI_GOOD_KINDS; k++)
		for (unsigned h = AUTH_HASH_SHA2_256; h <= AUTH_HASH_IDENTITY; h++) {
			const struct auth_sig_params p = {.hashes = AUTH_HASH_BIT(h)};
			bool ed = k == PKI_ED25519, id = h == AUTH_HASH_IDENTITY, old = ed != id;
			struct auth_value v;
			int err = make(pki_key(k, 0), &p, &v);

			if (old && (ed || k == PKI_RSA_PSS)) { /* which have no older method */
				assert_int_equal(err, -ENOTSUP);
				continue;
			}
			assert_int_equal(err, 0);
			assert_true(old == (v.method != IKE_AUTH_SIGNATURE));
			assert_int_equal(check(pki_key(k, 0), "message", AUTH_HASHES_OURS, false, &v), 0);
			assert_int_equal(check(pki_key(k, 0), "massage", AUTH_HASHES_OURS, false, &v), -EACCES);
			assert_int_equal(check(pki_key(k, 1), "message", AUTH_HASHES_OURS, false, &v), -EACCES);
			if (!old) /* a hash that we have not announced, and none announced at all */
				assert_int_equal(check(pki_key(k, 0), "message", AUTH_HASHES_OURS & ~AUTH_HASH_BIT(h),
						       false, &v),
						 -EACCES);
			if (!old)
				assert_int_equal(check(pki_key(k, 0), "message", 0, false, &v), -EACCES);
			for (unsigned at = 0; at < v.len; at += 7) {
				v.b[at] ^= 0x10;
				assert_int_equal(check(pki_key(k, 0), "message", AUTH_HASHES_OURS, false, &v), -EACCES);
				v.b[at] ^= 0x10;
			}
			for (unsigned len = 1; len < v.len; len += 5) {
				struct auth_value cut = v;

				cut.len = (uint16_t)len;
				assert_int_equal(check(pki_key(k, 0), "message", AUTH_HASHES_OURS, false, &cut),
						 -EACCES);
			}
		}
}

/* The strength of the key asks for a hash; what the peer has decides. */
static void the_hash_fits_the_key_and_the_peers_list(void **state)
{
	static const struct {
		enum pki_kind kind;
		unsigned hashes, hash; /* numbers of RFC 7427 7; hash 0: an older method */
	} rows[] = {
		{PKI_RSA_2048, 0x1c, 2}, {PKI_RSA_2048, 0x18, 3}, {PKI_RSA_3072, 0x1c, 2}, {PKI_P256, 0x1c, 2},
		{PKI_P256, 0x10, 4},     {PKI_P384, 0x1c, 3},     {PKI_P384, 0x14, 4},     {PKI_P384, 0x04, 2},
		{PKI_P521, 0x1c, 4},     {PKI_P521, 0x0c, 3},     {PKI_P256, 0x02, 0},     {PKI_P256, 0x20, 0},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		const struct auth_sig_params p = {.hashes = rows[i].hashes, .pkcs1 = true};
		struct auth_value v;

		assert_int_equal(make(pki_key(rows[i].kind, 0), &p, &v), 0);
		if (!rows[i].hash)
			assert_true(v.method != IKE_AUTH_SIGNATURE);
		else if (rows[i].kind <= PKI_RSA_3072)
			assert_int_equal(v.b[13], 9 + rows[i].hash);
		else
			assert_int_equal(v.b[12], rows[i].hash);
	}
}

/* RFC 7296 3.8: method 1's hash is open; SHA1 is for `legacy` only. */
static void method_1_takes_sha1_only_where_the_tunnel_says_so(void **state)
{
	EVP_PKEY *key = pki_key(PKI_RSA_2048, 0);

	(void)state;
	for (unsigned legacy = 0; legacy < 2; legacy++) {
		const struct auth_sig_params p = {.legacy = legacy};
		struct auth_value v;

		assert_int_equal(make(key, &p, &v), 0);
		assert_int_equal(v.method, IKE_AUTH_RSA);
		assert_int_equal(v.len, 256);
		assert_int_equal(check(key, "message", AUTH_HASHES_OURS, true, &v), 0);
		assert_int_equal(check(key, "message", AUTH_HASHES_OURS, false, &v), legacy ? -EACCES : 0);
	}
}

static void keys_that_are_not_taken_neither_sign_nor_verify(void **state)
{
	const struct auth_sig_params p = {.hashes = AUTH_HASHES_OURS};
	struct auth_value v;

	(void)state;
	for (unsigned k = PKI_GOOD_KINDS; k < PKI_KINDS; k++) {
		assert_int_equal(make(pki_key(k, 0), &p, &v), -ENOTSUP);
		v = (struct auth_value){.method = IKE_AUTH_RSA, .len = 128};
		assert_int_equal(check(pki_key(k, 0), "message", AUTH_HASHES_OURS, true, &v), -EACCES);
	}
}

static void lists_of_hashes_come_and_go(void **state)
{
	uint8_t b[16];
	struct wr w = wr_of(b, sizeof(b));

	(void)state;
	auth_sig_hashes_encode(&w, AUTH_HASHES_OURS);
	assert_int_equal(w.len, 8);
	assert_memory_equal(b, "\0\2\0\3\0\4\0\5", 8);
	assert_int_equal(auth_sig_hashes_decode(b, 8), AUTH_HASHES_OURS);
	assert_int_equal(auth_sig_hashes_decode(b, 7), 0); /* malformed: as if it had not come */
	assert_int_equal(auth_sig_hashes_decode(b, 0), 0);
	assert_int_equal(auth_sig_hashes_decode((const uint8_t *)"\0\0\0\2\0\6\1\2\xff\xff", 10),
			 AUTH_HASH_BIT(AUTH_HASH_SHA2_256));
}

static int done(void **state)
{
	(void)state;
	pki_done();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identifiers_are_those_of_the_rfcs),
		cmocka_unit_test(pss_with_the_default_trailer_is_taken),
		cmocka_unit_test(every_key_verifies_its_own_and_nothing_else),
		cmocka_unit_test(the_hash_fits_the_key_and_the_peers_list),
		cmocka_unit_test(method_1_takes_sha1_only_where_the_tunnel_says_so),
		cmocka_unit_test(keys_that_are_not_taken_neither_sign_nor_verify),
		cmocka_unit_test(lists_of_hashes_come_and_go),
	};

	return cmocka_run_group_tests_name("ike-auth-sig", tests, NULL, done);
}
