/* A stranger with certificates: whatever it shows, it gets AUTHENTICATION_FAILED, is counted once and told once with cause and
 * remedy, and the tunnel between the nodes is not disturbed. The rows are the faults of other implementations (docs/faults.md). */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "tests/sim/show.h"

static void show_whole(struct show *w, struct pki_spec s)
{
	struct pki *p = show_end(w, s);

	show_put_x509(w, p->x);
	show_put_signed(w, p->key);
	pki_free(p);
}

/* ---- certificates ---- */

static void wrong_key(struct show *w)
{
	show_put_x509(w, w->end->x);
	show_put_signed(w, pki_key(PKI_P256, 3));
}

static void other_peers_certificate(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .san = "DNS:node-0"});
}

static void no_certificate(struct show *w)
{
	show_put_signed(w, w->end->key);
}

static void expired(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .from_days = -30, .to_days = -1});
}

static void not_yet_valid(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .from_days = 5, .to_days = 30});
}

static void self_signed_stranger(struct show *w)
{
	struct pki *p = pki_make(&(struct pki_spec){.kind = PKI_P256, .subject = "CN=stranger", .san = "DNS:stranger"});

	show_put_x509(w, p->x);
	show_put_signed(w, p->key);
	pki_free(p);
}

/* Of an authority that has our root's name, and another key. */
static void issuer_of_the_same_name(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .by = w->other_root});
}

static void missing_intermediate(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .by = w->mid});
}

/* An end certificate that plays authority; CA:FALSE, no basicConstraints, no keyCertSign, beyond its path length. */
static void issued_by(struct show *w, struct pki_spec issuer)
{
	struct pki *false_ca, *p;

	issuer.by = issuer.by ? issuer.by : w->root;
	issuer.subject = "CN=false authority";
	false_ca = pki_make(&issuer);
	p = show_end(w, (struct pki_spec){.kind = PKI_P256, .by = false_ca});
	show_put_x509(w, p->x);
	show_put_x509(w, false_ca->x);
	show_put_x509(w, w->mid->x);
	show_put_signed(w, p->key);
	pki_free(p);
	pki_free(false_ca);
}

static void issued_by_an_end(struct show *w)
{
	issued_by(w, (struct pki_spec){.kind = PKI_P384, .ku = "keyCertSign"});
}

static void issued_without_basic_constraints(struct show *w)
{
	issued_by(w, (struct pki_spec){.kind = PKI_P384, .basic = "", .ku = "keyCertSign"});
}

static void issued_without_the_right(struct show *w)
{
	issued_by(w, (struct pki_spec){.kind = PKI_P384, .ca = true, .ku = "digitalSignature"});
}

static void issued_beyond_the_path_length(struct show *w)
{
	issued_by(w, (struct pki_spec){.kind = PKI_P384, .ca = true, .by = w->mid}); /* mid: pathlen 0 */
}

static void issued_with_sha1(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .md = EVP_sha1()});
}

static void for_encipherment_only(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .ku = "keyEncipherment"});
}

static void for_web_servers_only(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .eku = "critical,serverAuth,clientAuth"});
}

static void unknown_critical_extension(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_P256});
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *oid = OBJ_txt2obj("1.2.3.4.5", 1);
	X509_EXTENSION *ext;

	ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2);
	ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
	X509_add_ext(p->x, ext, -1);
	X509_sign(p->x, w->root->key, EVP_sha256());
	show_put_x509(w, p->x);
	show_put_signed(w, p->key);
	X509_EXTENSION_free(ext);
	ASN1_OBJECT_free(oid);
	ASN1_OCTET_STRING_free(value);
	pki_free(p);
}

static void revoked(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .serial = 666});
}

/* ---- keys in certificates ---- */

/* B3, B4: an RSA key of these numbers, in a certificate that the root has signed. */
static void rsa_numbers(struct show *w, const BIGNUM *n, const BIGNUM *e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;
	struct pki *p;

	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
	params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	p = show_end(w, (struct pki_spec){.kind = PKI_RSA_2048, .key = key});
	show_put_x509(w, p->x);
	show_put_signed(w, p->key);
	pki_free(p);
	EVP_PKEY_free(key);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
}

static void rsa_of(struct show *w, unsigned bits, bool even, unsigned long exponent)
{
	BIGNUM *n = BN_new(), *e = BN_new();

	BN_rand(n, (int)bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	if (even)
		BN_clear_bit(n, 0);
	BN_set_word(e, exponent);
	rsa_numbers(w, n, e);
	BN_free(n);
	BN_free(e);
}

static void exponent_zero(struct show *w)
{
	rsa_of(w, 2048, false, 0);
}

static void exponent_one(struct show *w)
{
	rsa_of(w, 2048, false, 1);
}

static void exponent_even(struct show *w)
{
	rsa_of(w, 2048, false, 65536);
}

static void modulus_even(struct show *w)
{
	rsa_of(w, 2048, true, 65537);
}

static void modulus_tiny(struct show *w)
{
	rsa_of(w, 16, false, 3);
}

static void modulus_huge(struct show *w)
{
	rsa_of(w, 16384, false, 65537);
}

/* We cannot sign with it ourselves. */
static void shown_with_another_key(struct show *w, enum pki_kind kind)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = kind});

	show_put_x509(w, p->x);
	show_put_signed(w, w->end->key);
	pki_free(p);
}

static void modulus_of_1024_bits(struct show *w)
{
	shown_with_another_key(w, PKI_RSA_1024);
}

static void exponent_huge(struct show *w)
{
	BIGNUM *n = BN_new(), *e = BN_new();

	BN_rand(n, 2048, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_rand(e, 2040, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	rsa_numbers(w, n, e);
	BN_free(n);
	BN_free(e);
}

static void curve_not_taken(struct show *w)
{
	shown_with_another_key(w, PKI_P224);
}

static void key_not_taken(struct show *w)
{
	shown_with_another_key(w, PKI_ED448);
}

/* ---- CERT payloads ---- */

static void cut_certificate(struct show *w)
{
	unsigned char *der = NULL;
	int len = i2d_X509(w->end->x, &der);

	show_put_cert(w, IKE_CERT_X509, der, (size_t)len - 7);
	OPENSSL_free(der);
	show_put_signed(w, w->end->key);
}

static void certificate_with_a_tail(struct show *w)
{
	unsigned char *der = NULL;
	uint8_t buf[2048];
	int len = i2d_X509(w->end->x, &der);

	memcpy(buf, der, (size_t)len);
	buf[len] = 0;
	show_put_cert(w, IKE_CERT_X509, buf, (size_t)len + 1);
	OPENSSL_free(der);
	show_put_signed(w, w->end->key);
}

static void rubbish_for_a_certificate(struct show *w)
{
	show_put_cert(w, IKE_CERT_X509, "\x30\x84\xff\xff\xff\xff\x30", 7);
	show_put_signed(w, w->end->key);
}

static void empty_certificate(struct show *w)
{
	show_put_cert(w, IKE_CERT_X509, "", 0);
	show_put_signed(w, w->end->key);
}

static void unknown_encoding(struct show *w)
{
	show_put_cert(w, 201, "abc", 3);
	show_put_signed(w, w->end->key);
}

/* B9: a URL is not fetched. */
static void hash_and_url(struct show *w)
{
	show_put_cert(w, 12, "01234567890123456789http://192.0.2.1/cert", 41);
	show_put_signed(w, w->end->key);
}

static void too_many_certificates(struct show *w)
{
	for (unsigned i = 0; i < 50; i++)
		show_put_cert(w, IKE_CERT_X509, "\x30\x00", 2);
	show_put_signed(w, w->end->key);
}

/* ---- and those that are good, so that the rest is known to fail for its own reason ---- */

static void good_for_ike(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .eku = "ipsecIKE,serverAuth"});
}

static void good_for_servers_and_clients(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .eku = "serverAuth,clientAuth"});
}

static void good_for_anything(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .eku = "anyExtendedKeyUsage", .ku = "nonRepudiation"});
}

static void good_without_usages(struct show *w)
{
	show_whole(w, (struct pki_spec){.kind = PKI_P256, .ku = "", .basic = ""});
}

static void good_with_intermediate(struct show *w)
{
	struct pki *p = show_end(w, (struct pki_spec){.kind = PKI_P256, .by = w->mid});

	show_put_x509(w, p->x);
	show_put_cert(w, 201, "abc", 3);
	show_put_x509(w, w->mid->x);
	show_put_signed(w, p->key);
	pki_free(p);
}

static const struct show_row rows[] = {
	{"wrong key", wrong_key, "another private key"},
	{"other peer's certificate", other_peers_certificate, "is not in its certificate"},
	{"no certificate", no_certificate, "sent no certificate"},
	{"expired", expired, "expired; have it renewed"},
	{"not yet valid", not_yet_valid, "compare the clocks"},
	{"self-signed stranger", self_signed_stranger, "its root is not in `ca`"},
	{"issuer of the same name", issuer_of_the_same_name, "certificate signature failure"},
	{"missing intermediate", missing_intermediate, "missing intermediate"},
	{"issued by an end certificate", issued_by_an_end, "invalid CA certificate"},
	{"issued without basicConstraints", issued_without_basic_constraints, "invalid CA certificate"},
	{"issued without keyCertSign", issued_without_the_right, "refused"},
	{"issued beyond pathlen", issued_beyond_the_path_length, "path length"},
	{"issued with SHA1", issued_with_sha1, "SHA2"},
	{"keyUsage", for_encipherment_only, "keyUsage allows no signatures"},
	{"extendedKeyUsage", for_web_servers_only, "extendedKeyUsage"},
	{"unknown critical extension", unknown_critical_extension, "critical extension"},
	{"revoked", revoked, "revoked"},
	{"RSA exponent 0", exponent_zero, "bad exponent"},
	{"RSA exponent 1", exponent_one, "bad exponent"},
	{"RSA exponent even", exponent_even, "bad exponent"},
	{"RSA exponent huge", exponent_huge, "bad exponent"},
	{"RSA modulus even", modulus_even, "even modulus"},
	{"RSA modulus tiny", modulus_tiny, "bits"},
	{"RSA modulus huge", modulus_huge, "bits"},
	{"RSA 1024", modulus_of_1024_bits, "1024 bits"},
	{"P-224", curve_not_taken, "curve that is not taken"},
	{"Ed448", key_not_taken, "neither RSA nor ECDSA nor Ed25519"},
	{"cut certificate", cut_certificate, "no X.509 certificate"},
	{"certificate with a tail", certificate_with_a_tail, "no X.509 certificate"},
	{"rubbish for a certificate", rubbish_for_a_certificate, "no X.509 certificate"},
	{"empty CERT", empty_certificate, "empty CERT payload"},
	{"unknown encoding", unknown_encoding, "another encoding"},
	{"hash and URL", hash_and_url, "hash and URL"},
	{"fifty certificates", too_many_certificates, "more than 16 certificates"},
	{"good", show_good, NULL},
	{"good, for IKE", good_for_ike, NULL},
	{"good, for servers and clients", good_for_servers_and_clients, NULL},
	{"good, for anything", good_for_anything, NULL},
	{"good, no usages", good_without_usages, NULL},
	{"good, with intermediate", good_with_intermediate, NULL},
};

static void whatever_is_wrong_with_a_certificate_is_refused_alike_and_told_apart(void **state)
{
	static struct stage g;
	struct show w;

	(void)state;
	show_up(&w, &g, 800);
	show_rows(&w, rows, N_ELEMS(rows));
	show_down(&w);
}

/* B6, and the reply for who is unknown: a good certificate of our authority with a name that no tunnel has; a certificate
 * for a tunnel with a PSK; a PSK for one with certificates (above). */
static void unknown_names_and_other_methods_are_refused_alike(void **state)
{
	static struct stage g;
	struct show w;

	(void)state;
	show_up(&w, &g, 801);
	show_meet(&w, 1, "nobody", true);
	mark(&g);
	assert_int_equal(show_auth(&w, show_good), N_AUTHENTICATION_FAILED);
	counted(&g, COUNTER(auth_failed));
	show_told_once(&w, "unknown", "no tunnel for this address has this remote.id");
	show_meet(&w, 2, "stranger", false);
	sim_run(g.s, 200);
	mark(&g);
	assert_int_equal(show_auth(&w, show_good), N_AUTHENTICATION_FAILED);
	counted(&g, COUNTER(auth_failed));
	show_told_once(&w, "certificate for PSK", "set both ends to one method");
	show_down(&w);
}

/* A18: a DN whose inside lies; A15 to A17: long ones. None is anybody's. */
static void odd_names_are_nobodys(void **state)
{
	static const struct {
		uint8_t type;
		size_t len;
		const char *text;
	} ids[] = {
		{CFG_ID_DN, 1, "\x30"},
		{CFG_ID_DN, 2, "\x30\x80"},
		{CFG_ID_DN, 3, "\x30\x82\xff"},
		{CFG_ID_DN, 2, "\x30\x00"},
		{CFG_ID_DN, 4, "\x30\x84\xff\xff"},
		{CFG_ID_DN, 13, "\x30\x7f\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00"},
		{CFG_ID_DN, 13, "\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x7f"},
		{CFG_ID_DN, 31, "\x30\x1d\x31\x1b\x30\x19\x06\x03\x55\x04\x03\x0c\x12\x1b[31m`id`$(reboot);\n%n"},
		{CFG_ID_FQDN, 8, "stranger"},
		{CFG_ID_FQDN, 0, ""},
		{CFG_ID_FQDN, 255, NULL},
		{CFG_ID_FQDN, 256, NULL},
		{CFG_ID_DN, 257, NULL},
		{CFG_ID_DN, 3000, NULL},
	};
	static struct stage g;
	struct show w;

	(void)state;
	show_up(&w, &g, 803);
	for (unsigned i = 0; i < N_ELEMS(ids); i++) {
		uint8_t id[4 + 3000] = {ids[i].type};
		bool known = ids[i].type == CFG_ID_FQDN && ids[i].len == 8;
		struct stranger *p = &g.p;

		show_meet(&w, (uint8_t)(i + 1), "stranger", true);
		sim_run(g.s, 200);
		memset(id + 4, 'a', ids[i].len);
		if (ids[i].text)
			memcpy(id + 4, ids[i].text, ids[i].len);
		mark(&g);
		g.s->node[1].n_notices[IKE_NOTICE_PEER_ERROR] = 0;
		stranger_begin(p, &w.o, IKE_X_AUTH);
		wire_payload(&w.o, IKE_PL_IDI);
		wr_copy(&w.o.w, id, 4 + ids[i].len);
		show_good(&w);
		stranger_put_auth(p, &w.o, IKE_PL_BIT(IKE_PL_IDI) | IKE_PL_BIT(IKE_PL_AUTH));
		stranger_end(p, &w.o);
		assert_int_equal(stranger_answer(p), known ? 0 : N_AUTHENTICATION_FAILED);
		if (known)
			continue;
		counted(&g, COUNTER(auth_failed));
		show_told_once(&w, "name", "no tunnel for this address");
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
		cmocka_unit_test(whatever_is_wrong_with_a_certificate_is_refused_alike_and_told_apart),
		cmocka_unit_test(unknown_names_and_other_methods_are_refused_alike),
		cmocka_unit_test(odd_names_are_nobodys),
	};

	return cmocka_run_group_tests_name("sim-bad-cert", tests, NULL, done);
}
