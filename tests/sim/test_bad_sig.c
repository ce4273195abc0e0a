/* A stranger with a good certificate and bad signatures: as in test_bad_cert.c. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "tests/sim/show.h"

/* What is signed, for those who pad by hand. */
static size_t message(struct show *w, uint8_t *out, size_t cap)
{
	const struct auth_octets o = show_octets(w);
	const struct crypto_part id = {.p = o.id, .len = o.id_len};
	uint8_t mac[CRYPTO_PRF_MAX];
	struct wr wr = wr_of(out, cap);

	assert_int_equal(crypto_prf(o.prf, o.sk_p->b, o.sk_p->len, &id, 1, mac), 0);
	wr_copy(&wr, o.message, o.message_len);
	wr_copy(&wr, o.peer_nonce->b, o.peer_nonce->len);
	wr_copy(&wr, mac, crypto_prf_len(o.prf));
	assert_false(wr.full);
	return wr.len;
}

/* ---- signatures ---- */

static void damaged(struct show *w, EVP_PKEY *key, int at)
{
	struct auth_value v = show_sign(w, key, AUTH_HASHES_OURS, false);

	v.b[at < 0 ? v.len + at : at] ^= 1;
	show_put_auth(w, v.method, v.b, v.len);
}

static void damaged_signature(struct show *w)
{
	show_put_x509(w, w->end->x);
	damaged(w, w->end->key, -1);
}

static void damaged_identifier(struct show *w)
{
	show_put_x509(w, w->end->x);
	damaged(w, w->end->key, 3);
}

/* B2 */
static void zeros(struct show *w, uint8_t method, size_t keep, size_t len)
{
	struct auth_value v = show_sign(w, w->end->key, AUTH_HASHES_OURS, false);

	show_put_x509(w, w->end->x);
	memset(v.b + keep, 0, sizeof(v.b) - keep);
	show_put_auth(w, method, v.b, len);
}

static void all_zero_signature(struct show *w)
{
	zeros(w, IKE_AUTH_SIGNATURE, 13, 13 + 70);
}

static void no_signature_behind_the_identifier(struct show *w)
{
	zeros(w, IKE_AUTH_SIGNATURE, 13, 13);
}

static void one_octet(struct show *w)
{
	zeros(w, IKE_AUTH_SIGNATURE, 0, 1);
}

static void identifier_beyond_the_end(struct show *w)
{
	show_put_x509(w, w->end->x);
	show_put_auth(w, IKE_AUTH_SIGNATURE, "\xff\x30\x0a\x06", 4);
}

static void ecdsa_pair_of_zeros(struct show *w)
{
	zeros(w, IKE_AUTH_ECDSA_256, 0, 64);
}

static void ecdsa_pair_too_short(struct show *w)
{
	zeros(w, IKE_AUTH_ECDSA_256, 0, 63);
}

static void method_of_another_curve(struct show *w)
{
	zeros(w, IKE_AUTH_ECDSA_384, 0, 96);
}

static void method_dss(struct show *w)
{
	zeros(w, IKE_AUTH_DSS, 0, 40);
}

static void method_null(struct show *w)
{
	zeros(w, IKE_AUTH_NULL, 0, 32);
}

static void method_psk(struct show *w)
{
	zeros(w, IKE_AUTH_PSK, 0, 32);
}

/* An AlgorithmIdentifier of another kind of key, and a hash that was not offered. */
static void named(struct show *w, struct pki *p, const void *aid, uint8_t aid_len)
{
	struct auth_value v = show_sign(w, p->key, AUTH_HASHES_OURS, false);
	uint8_t out[1200];
	size_t skip = 1u + v.b[0];

	show_put_x509(w, p->x);
	out[0] = aid_len;
	memcpy(out + 1, aid, aid_len);
	memcpy(out + 1 + aid_len, v.b + skip, v.len - skip);
	show_put_auth(w, IKE_AUTH_SIGNATURE, out, 1 + aid_len + v.len - skip);
}

static void algorithm_of_another_key(struct show *w)
{
	named(w, w->end, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15);
}

static void sha1_was_not_offered(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});

	named(w, p, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00", 15);
	pki_free(p);
}

static void pss_of_default_parameters(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});

	named(w, p, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00", 15);
	pki_free(p);
}

static void rsa_with_sha1_by_the_old_method(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});
	struct auth_value v = show_sign(w, p->key, 0, true);

	show_put_x509(w, p->x);
	show_put_auth(w, v.method, v.b, v.len);
	pki_free(p);
}

/* B3: s = 0, 1, n - 1, n, n + 1 */
static void rsa_value(struct show *w, int offset_of_n, unsigned word)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});
	BIGNUM *n = NULL;
	uint8_t sig[256];

	EVP_PKEY_get_bn_param(p->key, OSSL_PKEY_PARAM_RSA_N, &n);
	if (word != UINT32_MAX)
		BN_set_word(n, word);
	else if (offset_of_n < 0)
		BN_sub_word(n, 1);
	else
		BN_add_word(n, (unsigned)offset_of_n);
	assert_int_equal(BN_bn2binpad(n, sig, sizeof(sig)), 256);
	show_put_x509(w, p->x);
	show_put_auth(w, IKE_AUTH_RSA, sig, sizeof(sig));
	BN_free(n);
	pki_free(p);
}

static void rsa_zero(struct show *w)
{
	rsa_value(w, 0, 0);
}

static void rsa_one(struct show *w)
{
	rsa_value(w, 0, 1);
}

static void rsa_n(struct show *w)
{
	rsa_value(w, 0, UINT32_MAX);
}

static void rsa_n_less_one(struct show *w)
{
	rsa_value(w, -1, UINT32_MAX);
}

static void rsa_n_and_one(struct show *w)
{
	rsa_value(w, 1, UINT32_MAX);
}

static void rsa_of_another_length(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});
	struct auth_value v = show_sign(w, p->key, 0, false);

	memmove(v.b + 1, v.b, v.len);
	v.b[0] = 0;
	show_put_x509(w, p->x);
	show_put_auth(w, v.method, v.b, v.len + 1u);
	pki_free(p);
}

/* B3, CVE-2018-16151, CVE-2018-16152, Bleichenbacher 2006: paddings that a lax reader takes. Here they are made with the private key, which
 * is what an exponent of 3 would allow to do without it: a verifier that takes one of them is broken. */
enum forgery { GARBAGE_BEHIND, SHORT_PADDING, NULL_MISSING, PARAMETERS, BLOCK_TYPE_2, ZERO_IN_PADDING, GOOD };

static void forge(struct show *w, enum forgery how)
{
	static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	static const uint8_t info_no_null[] = {0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
					       0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20};
	static const uint8_t info_long[] = {0x30, 0x35, 0x30, 0x11, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
					    0x04, 0x02, 0x01, 0x04, 0x04, 'e',  'v',  'i',  'l',  0x04, 0x20};
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(p->key, NULL);
	const uint8_t *di = how == NULL_MISSING ? info_no_null : how == PARAMETERS ? info_long : info;
	size_t di_len = how == NULL_MISSING ? sizeof(info_no_null)
			: how == PARAMETERS ? sizeof(info_long)
					    : sizeof(info);
	uint8_t text[SIM_DATAGRAM_MAX], hash[32], em[256], sig[256];
	size_t len = message(w, text, sizeof(text)), at, n = sizeof(sig);

	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, text, len, hash, NULL), 1);
	memset(em, 0xff, sizeof(em));
	em[0] = 0;
	em[1] = how == BLOCK_TYPE_2 ? 2 : 1;
	at = how == GARBAGE_BEHIND || how == SHORT_PADDING ? 10 : sizeof(em) - 32 - di_len - 1;
	if (how == ZERO_IN_PADDING)
		em[40] = 0;
	em[at] = 0;
	memcpy(em + at + 1, di, di_len);
	memcpy(em + at + 1 + di_len, hash, 32);
	if (how == SHORT_PADDING)
		memset(em + at + 1 + di_len + 32, 0, sizeof(em) - at - 1 - di_len - 32);
	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, em, sizeof(em)), 1);
	show_put_x509(w, p->x);
	show_put_auth(w, IKE_AUTH_RSA, sig, n);
	EVP_PKEY_CTX_free(ctx);
	pki_free(p);
}

static void forged_garbage_behind(struct show *w)
{
	forge(w, GARBAGE_BEHIND);
}

static void forged_short_padding(struct show *w)
{
	forge(w, SHORT_PADDING);
}

static void forged_without_null(struct show *w)
{
	forge(w, NULL_MISSING);
}

static void forged_parameters(struct show *w)
{
	forge(w, PARAMETERS);
}

static void forged_block_type(struct show *w)
{
	forge(w, BLOCK_TYPE_2);
}

static void forged_zero_in_padding(struct show *w)
{
	forge(w, ZERO_IN_PADDING);
}

static void good_by_hand(struct show *w)
{
	forge(w, GOOD);
}

static void good_by_the_old_method(struct show *w)
{
	struct auth_value v = show_sign(w, w->end->key, 0, false);

	show_put_x509(w, w->end->x);
	assert_int_equal(v.method, IKE_AUTH_ECDSA_256);
	show_put_auth(w, v.method, v.b, v.len);
}

static void good_pkcs1(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048});
	const struct auth_sig_params params = {.hashes = AUTH_HASH_BIT(AUTH_HASH_SHA2_512), .pkcs1 = true};
	const struct auth_octets o = show_octets(w);
	struct auth_value v;
	char why[100];
	struct text t = text_of(why, sizeof(why));

	assert_int_equal(auth_sig_make(p->key, &o, &params, &v, &t), 0);
	show_put_x509(w, p->x);
	show_put_auth(w, v.method, v.b, v.len);
	pki_free(p);
}

static const struct show_row rows[] = {
	{"damaged signature", damaged_signature, "does not fit"},
	{"damaged identifier", damaged_identifier, "algorithm that is not taken"},
	{"signature of zeros", all_zero_signature, "does not fit"},
	{"no signature", no_signature_behind_the_identifier, "does not fit"},
	{"one octet", one_octet, "algorithm that is not taken"},
	{"identifier beyond the end", identifier_beyond_the_end, "algorithm that is not taken"},
	{"ECDSA pair of zeros", ecdsa_pair_of_zeros, "does not fit"},
	{"ECDSA pair too short", ecdsa_pair_too_short, "does not fit"},
	{"method of another curve", method_of_another_curve, "AUTH method (10)"},
	{"method DSS", method_dss, "one method"},
	{"method NULL", method_null, "NULL"},
	{"method PSK", method_psk, "one method"},
	{"algorithm of another key", algorithm_of_another_key, "not that of its certificate's key"},
	{"SHA1 not offered", sha1_was_not_offered, "not offered"},
	{"PSS of default parameters", pss_of_default_parameters, "algorithm that is not taken"},
	{"RSA with SHA1 by method 1", rsa_with_sha1_by_the_old_method, "uses SHA1"},
	{"RSA signature 0", rsa_zero, "does not fit"},
	{"RSA signature 1", rsa_one, "does not fit"},
	{"RSA signature n", rsa_n, "does not fit"},
	{"RSA signature n - 1", rsa_n_less_one, "does not fit"},
	{"RSA signature n + 1", rsa_n_and_one, "does not fit"},
	{"RSA signature too long", rsa_of_another_length, "does not fit"},
	{"PKCS #1: garbage behind", forged_garbage_behind, "does not fit"},
	{"PKCS #1: short padding", forged_short_padding, "does not fit"},
	{"PKCS #1: NULL missing", forged_without_null, "does not fit"},
	{"PKCS #1: parameters", forged_parameters, "does not fit"},
	{"PKCS #1: block type 2", forged_block_type, "does not fit"},
	{"PKCS #1: zero in padding", forged_zero_in_padding, "does not fit"},
	{"good", show_good, NULL},
	{"good, padded by hand", good_by_hand, NULL},
	{"good, by method 9", good_by_the_old_method, NULL},
	{"good, PKCS #1 with SHA2-512", good_pkcs1, NULL},
};

static void whatever_is_wrong_with_a_signature_is_refused_alike_and_told_apart(void **state)
{
	static struct stage g;
	struct show w;

	(void)state;
	show_up(&w, &g, 820);
	show_rows(&w, rows, N_ELEMS(rows));
	show_down(&w);
}

/* RFC 7427 4: who has not announced hashes gets no method 14 from us, and we take none that was not agreed upon. */
static void without_announced_hashes_the_older_methods_remain(void **state)
{
	static struct stage g;
	struct payload_auth auth;
	struct show w;

	(void)state;
	show_up(&w, &g, 802);
	cfg_certs_unref(w.certs);
	pki_free(w.ours);
	w.ours = pki_make(&(struct pki_spec){.kind = PKI_P384, .by = w.root, .subject = "CN=n1", .san = "DNS:node-1"});
	w.certs = pki_files(w.ours, w.root);
	for (unsigned hashes = 0; hashes < 2; hashes++) {
		show_meet(&w, (uint8_t)(1 + hashes), "stranger", true);
		if (!hashes) {
			g.p.hashes = false;
			g.p.spi_i += 0x100;
			assert_true(stranger_connect(&g.p));
		}
		assert_int_equal(show_auth(&w, good_by_the_old_method), 0);
		assert_int_equal(payload_auth_decode(wire_find(&g.p.inner, IKE_PL_AUTH)->body, &auth), IKE_V_OK);
		assert_int_equal(auth.method, hashes ? IKE_AUTH_SIGNATURE : IKE_AUTH_ECDSA_384);
		assert_int_equal(auth.len, hashes ? auth.len : 96);
	}
	show_down(&w);
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
		cmocka_unit_test(whatever_is_wrong_with_a_signature_is_refused_alike_and_told_apart),
		cmocka_unit_test(without_announced_hashes_the_older_methods_remain),
	};

	return cmocka_run_group_tests_name("sim-bad-sig", tests, NULL, done);
}
