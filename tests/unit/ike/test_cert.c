/* A tunnel's files: what is in them, what is refused with which words, and that OpenSSL's failures never pass for success. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "config/errors.h"
#include "controlplane/ike/auth.h"
#include "controlplane/ike/cert.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike/payload.h"
#include "tests/sim/pki.h"

/* ---- failures of memory, on request: set before OpenSSL allocates anything ---- */

static long fail_at, allocations; /* 0: never */

static void *may_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fail_at && ++allocations >= fail_at ? NULL : malloc(n);
}

static void *may_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fail_at && ++allocations >= fail_at ? NULL : realloc(p, n);
}

static void just_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* ---- the world ---- */

static struct pki *root, *mid, *ours, *peer;

static int make_world(void **state)
{
	(void)state;
	root = pki_make(&(struct pki_spec){.kind = PKI_P256, .subject = "CN=root", .ca = true});
	mid = pki_make(&(struct pki_spec){.kind = PKI_P384, .by = root, .subject = "CN=mid", .ca = true});
	ours = pki_make(&(struct pki_spec){
		.kind = PKI_RSA_2048, .by = root, .subject = "C=DE, O=x, CN=ours", .san = "DNS:gw.example"});
	peer = pki_make(
		&(struct pki_spec){.kind = PKI_P521, .by = mid, .subject = "CN=peer", .san = "DNS:peer.example"});
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	pki_free(root);
	pki_free(mid);
	pki_free(ours);
	pki_free(peer);
	pki_done();
	return 0;
}

static int load(struct cfg_certs *c, struct cert_creds **out, char why[512])
{
	why[0] = '\0';
	return cert_creds_load(c, PKI_WALL_S, out, why, 512);
}

/* Refused, with these words. */
static void bad(struct cfg_certs *c, int err, const char *words)
{
	char why[512];

	assert_int_equal(load(c, NULL, why), err);
	if (!strstr(why, words))
		fail_msg("%s", why);
	cfg_certs_unref(c);
}

static void replace(struct cfg_file *f, const void *p, size_t len)
{
	free(f->path);
	free(f->p);
	pki_file(f, "some.file", p, len);
}

/* ---- files ---- */

static void pem_and_der_are_read_whatever_lies_beside(void **state)
{
	struct cert_creds *creds;
	struct cfg_certs *c;
	unsigned char *der = NULL;
	char why[512], text[4096] = "Certificate:\n  in words\n";
	int len;

	(void)state;
	c = pki_files(ours, root); /* the key and the certificate in one file, with words in front */
	strcat(text, (char *)c->key.p);
	strcat(text, (char *)c->cert[0].p);
	replace(&c->cert[0], text, strlen(text));
	replace(&c->key, text, strlen(text));
	assert_int_equal(load(c, &creds, why), 0);
	assert_int_equal(cert_creds_id(creds)->type, CFG_ID_DN);
	assert_non_null(cert_creds_key(creds));
	cert_creds_unref(creds);
	cfg_certs_unref(c);

	c = pki_files(ours, root);
	len = i2d_X509(ours->x, &der);
	replace(&c->cert[0], der, (size_t)len);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_X509(root->x, &der);
	replace(&c->ca[0], der, (size_t)len);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_PrivateKey(ours->key, &der); /* PKCS #1 */
	replace(&c->key, der, (size_t)len);
	OPENSSL_free(der);
	assert_int_equal(load(c, NULL, why), 0);
	cfg_certs_unref(c);
}

static void without_the_keys_octets_the_rest_is_looked_at(void **state)
{
	struct cfg_certs *c = pki_files(ours, root);
	struct cert_creds *creds;
	char why[512];

	(void)state;
	free(c->key.p);
	c->key.p = NULL;
	assert_int_equal(load(c, &creds, why), 0);
	assert_null(cert_creds_key(creds));
	cert_creds_unref(creds);
	cfg_certs_unref(c);
}

static void enciphered_keys_are_refused_with_a_way_out(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem()), *old = BIO_new(BIO_s_mem()), *der = BIO_new(BIO_s_mem());
	struct cfg_certs *c;
	char *p;
	long len;

	(void)state;
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, ours->key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
	assert_int_equal(PEM_write_bio_PrivateKey_traditional(old, ours->key, EVP_aes_128_cbc(),
							      (const unsigned char *)"secret", 6, NULL, NULL),
			 1);
	assert_int_equal(i2d_PKCS8PrivateKey_bio(der, ours->key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
	BIO *const all[] = {bio, old, der};
	for (unsigned i = 0; i < N_ELEMS(all); i++) {
		c = pki_files(ours, root);
		len = BIO_get_mem_data(all[i], &p);
		replace(&c->key, p, (size_t)len);
		bad(c, -EINVAL, "is enciphered, and there is nobody to type its pass phrase: write it in clear with");
		BIO_free(all[i]);
	}
}

static void what_is_wrong_with_files_is_said(void **state)
{
	struct cfg_certs *c;
	X509_CRL *crl;

	(void)state;
	c = pki_files(ours, root);
	replace(&c->cert[0], "", 0);
	bad(c, -EINVAL, "there is no certificate in some.file");
	c = pki_files(ours, root);
	replace(&c->cert[0], "rubbish", 7);
	bad(c, -EINVAL, "some.file holds a certificate that cannot be read");
	c = pki_files(ours, root);
	c->cert[0].len -= 40; /* cut */
	bad(c, -EINVAL, "holds a certificate that cannot be read");
	c = pki_files(ours, root);
	replace(&c->ca[0], c->key.p, c->key.len);
	bad(c, -EINVAL, "there is no certificate in some.file");
	c = pki_files(ours, root);
	replace(&c->key, c->cert[0].p, c->cert[0].len);
	bad(c, -EINVAL, "there is no private key in some.file");
	c = pki_files(ours, root);
	replace(&c->key, "\x30\x03\x02\x01\x01", 5);
	bad(c, -EINVAL, "the private key in some.file cannot be read");
	c = pki_files(ours, root);
	free(c->key.path);
	free(c->key.p);
	pki_set_key(c, peer->key);
	bad(c, -EINVAL, "is not that of the certificate own.pem");
	c = pki_files(mid, root); /* an authority's certificate first, ours behind it */
	pki_add_cert(c, ours);
	free(c->key.path);
	free(c->key.p);
	pki_set_key(c, ours->key);
	bad(c, -EINVAL, "our certificate first");
	c = pki_certs();
	bad(c, -EINVAL, "write `cert: FILE`");
	c = pki_certs();
	pki_add_cert(c, ours);
	bad(c, -EINVAL, "write `key: FILE`");
	c = pki_certs();
	pki_add_cert(c, ours);
	pki_set_key(c, ours->key);
	bad(c, -EINVAL, "write `ca: FILE`");
	c = pki_files(ours, root);
	c->crl_strict = true;
	bad(c, -EINVAL, "`crl-strict` without CRLs");
	c = pki_files(ours, root);
	crl = pki_crl(root, NULL, -1, 1);
	pki_add_crl(c, crl);
	replace(&c->crl[0], c->ca[0].p, c->ca[0].len);
	bad(c, -EINVAL, "there is no CRL in some.file");
	c = pki_files(ours, root);
	for (unsigned i = 1; i < CFG_CERT_FILES_MAX; i++)
		pki_add_cert(c, mid);
	bad(pki_files(ours, peer), -EINVAL + EINVAL, ""); /* a peer's own certificate is an anchor */
	cfg_certs_unref(c);
}

static void times_and_weak_keys_are_told(void **state)
{
	static const struct {
		enum pki_kind kind;
		int from, to, err;
		const char *words;
	} rows[] = {
		{PKI_P256, -9, -2, -EKEYEXPIRED, "our certificate own.pem is expired: renew it and reload"},
		{PKI_P256, 2, 9, -EKEYEXPIRED, "our certificate own.pem is not valid yet"},
		{PKI_RSA_1024, -1, 9, -EINVAL, "an RSA key of 1024 bits: 2048 to 8192 are taken"},
		{PKI_P224, -1, 9, -EINVAL, "a curve that is not taken"},
		{PKI_ED448, -1, 9, -EINVAL, "neither RSA nor ECDSA nor Ed25519"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct pki *p = pki_make(&(struct pki_spec){.kind = rows[i].kind,
							    .by = root,
							    .subject = "CN=x",
							    .from_days = rows[i].from,
							    .to_days = rows[i].to});
		struct pki *old = pki_make(&(struct pki_spec){
			.kind = PKI_P256, .subject = "CN=old", .ca = true, .from_days = -9, .to_days = -2});

		bad(pki_files(p, root), rows[i].err, rows[i].words);
		bad(pki_files(ours, old), -EKEYEXPIRED, "no certificate of `ca` is valid now");
		pki_free(p);
		pki_free(old);
	}
}

/* ---- a tunnel as a whole ---- */

static void a_tunnels_ids_must_be_ones_that_certificates_have(void **state)
{
	static const struct {
		const char *local, *remote, *words;
	} rows[] = {
		{NULL, "peer.example", NULL},
		{"gw.example", "peer.example", NULL},
		{"GW.example", "peer.example", NULL},
		{"C=DE, O=x, CN=ours", "CN=peer", NULL},
		{"other.example", "peer.example",
		 "local.id other.example is not in our certificate (C=DE, O=x, CN=ours)"},
		{"192.0.2.1", "peer.example", "is not in our certificate"},
		{"C=DE, O=x", "peer.example", "is not in our certificate"},
		{"gw.example", "key:0102", "remote.id is a key ID, which no certificate has"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct cfg_tunnel t = {.certs = pki_files(ours, root), .name = "t", .line = 7};
		struct config c = {.tunnel = &t, .n_tunnels = 1};
		struct cfg_errors errs = {0};
		char why[512] = "";

		if (rows[i].local)
			assert_int_equal(cfg_id_parse(rows[i].local, &t.local.id), 0);
		assert_int_equal(cfg_id_parse(rows[i].remote, &t.remote.id), 0);
		assert_int_equal(ike_tunnel_check(&t, PKI_WALL_S, why, sizeof(why)), rows[i].words ? -EINVAL : 0);
		assert_int_equal(ike_config_check(&c, PKI_WALL_S, &errs), rows[i].words ? -EINVAL : 0);
		assert_int_equal(errs.n, rows[i].words ? 1 : 0);
		if (rows[i].words &&
		    (!strstr(why, rows[i].words) || !strstr(errs.e[0].text, why) || errs.e[0].line != 7))
			fail_msg("%s; %s", why, errs.e[0].text);
		cfg_errors_free(&errs);
		cfg_certs_unref(t.certs);
	}
}

static void the_key_of_a_name_is_that_of_what_is_compared(void **state)
{
	static const char *const same[] = {"dn:300d310b300906035504030c026162", "dn:300d310b3009060355040313024142"};
	static const char *const not_these[] = {"dn:300d310b300906035504030c026163", "dn:300d", "ab.example", "key:01"};
	struct cfg_id id[2], other;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(cfg_id_parse(same[i], &id[i]), 0);
	assert_true(cert_id_same(&id[0], &id[1]));
	assert_true(cert_id_key(&id[0]) && cert_id_key(&id[0]) == cert_id_key(&id[1]));
	for (unsigned i = 0; i < N_ELEMS(not_these); i++) {
		assert_int_equal(cfg_id_parse(not_these[i], &other), 0);
		assert_true(cert_id_key(&other) != cert_id_key(&id[0]));
		assert_int_equal(cert_id_key(&other) == 0, i > 0);
	}
}

/* ---- B12 ---- */

static struct cert_pile pile_of(const struct pki *a, const struct pki *b)
{
	struct cert_pile p = {.n = 2};
	unsigned char *da = NULL, *db = NULL;
	int la = i2d_X509(a->x, &da), lb = i2d_X509(b->x, &db);

	p.der = malloc((size_t)la + (size_t)lb);
	memcpy(p.der, da, (size_t)la);
	memcpy(p.der + la, db, (size_t)lb);
	p.len[0] = (size_t)la;
	p.len[1] = (size_t)lb;
	OPENSSL_free(da);
	OPENSSL_free(db);
	return p;
}

/* With every allocation of OpenSSL failing from the nth on: what is wrong is never taken for right, and nothing crashes. */
static void failing_crypto_is_never_success(void **state)
{
	static struct ike_nonce nonce = {.len = 32};
	static struct secret sk_p = {.len = 32};
	const struct auth_octets o = {.prf = alg_find(ALG_PRF, ALG_PRF_HMAC_SHA2_256, 0),
				      .message = (const uint8_t *)"m",
				      .message_len = 1,
				      .peer_nonce = &nonce,
				      .sk_p = &sk_p,
				      .id = (const uint8_t *)"i",
				      .id_len = 1};
	const struct auth_sig_params params = {.hashes = AUTH_HASHES_OURS};
	struct cfg_certs *c = pki_files(ours, root);
	struct cert_pile pile = pile_of(peer, mid);
	struct auth_value good, wrong;
	struct cert_creds *creds;
	struct cfg_id id, other;
	char why[512], scratch[512];
	unsigned through = 0;

	(void)state;
	assert_int_equal(load(c, &creds, why), 0);
	assert_int_equal(cfg_id_parse("peer.example", &id) | cfg_id_parse("other.example", &other), 0);
	struct text t = text_of(scratch, sizeof(scratch));
	assert_int_equal(auth_sig_make(peer->key, &o, &params, &good, &t), 0);
	wrong = good;
	wrong.b[wrong.len - 1] ^= 1;
	for (long n = 1; through < 3 && n < 200000; n += n < 100 ? 1 : n / 25) {
		EVP_PKEY *key = NULL, *none = NULL;
		int chain, sig = -EIO, bad_sig = -EIO, bad_name;
		struct auth_value made;

		t = text_of(scratch, sizeof(scratch));
		allocations = 0;
		fail_at = n;
		chain = cert_check_peer(creds, &pile, &id, PKI_WALL_S, &key, &t);
		allocations = 0;
		bad_name = cert_check_peer(creds, &pile, &other, PKI_WALL_S, &none, &t);
		allocations = 0;
		if (key)
			sig = auth_sig_verify(key, &o, &params, &good, NULL, &t);
		allocations = 0;
		if (key)
			bad_sig = auth_sig_verify(key, &o, &params, &wrong, NULL, &t);
		allocations = 0;
		if (auth_sig_make(peer->key, &o, &params, &made, &t) < 0)
			assert_int_equal(made.len, 0);
		fail_at = 0;
		assert_true(bad_sig != 0 && bad_name != 0);
		assert_true(chain <= 0 && sig <= 0);
		through += chain == 0 && sig == 0;
		EVP_PKEY_free(key);
		EVP_PKEY_free(none);
	}
	assert_int_equal(through, 3); /* and with memory enough it goes */
	cert_pile_fini(&pile);
	cert_creds_unref(creds);
	cfg_certs_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pem_and_der_are_read_whatever_lies_beside),
		cmocka_unit_test(without_the_keys_octets_the_rest_is_looked_at),
		cmocka_unit_test(enciphered_keys_are_refused_with_a_way_out),
		cmocka_unit_test(what_is_wrong_with_files_is_said),
		cmocka_unit_test(times_and_weak_keys_are_told),
		cmocka_unit_test(a_tunnels_ids_must_be_ones_that_certificates_have),
		cmocka_unit_test(the_key_of_a_name_is_that_of_what_is_compared),
		cmocka_unit_test(failing_crypto_is_never_success),
	};

	CRYPTO_set_mem_functions(may_malloc, may_realloc, just_free);
	return cmocka_run_group_tests_name("ike-cert", tests, make_world, end_world);
}
