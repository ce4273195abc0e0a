#include "tests/sim/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/xalloc.h"

enum { WHICH_MAX = 4 };

static EVP_PKEY *keys[PKI_KINDS][WHICH_MAX];

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pki: %s failed\n", what);
	abort();
}

const char *pki_kind_name(enum pki_kind kind)
{
	static const char *const names[PKI_KINDS] = {"RSA 2048", "RSA 3072", "RSASSA-PSS", "P-256", "P-384",
						     "P-521",    "Ed25519",  "RSA 1024",   "P-224", "Ed448"};

	return names[kind];
}

static EVP_PKEY *rsa_pss(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	must(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1 &&
		     EVP_PKEY_generate(ctx, &key) == 1,
	     "RSASSA-PSS");
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *key_new(enum pki_kind kind)
{
	switch (kind) {
	case PKI_RSA_2048:
		return EVP_RSA_gen(2048);
	case PKI_RSA_3072:
		return EVP_RSA_gen(3072);
	case PKI_RSA_PSS:
		return rsa_pss();
	case PKI_P256:
		return EVP_EC_gen("P-256");
	case PKI_P384:
		return EVP_EC_gen("P-384");
	case PKI_P521:
		return EVP_EC_gen("P-521");
	case PKI_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case PKI_RSA_1024:
		return EVP_RSA_gen(1024);
	case PKI_P224:
		return EVP_EC_gen("P-224");
	case PKI_ED448:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
	case PKI_KINDS:
		break;
	}
	return NULL;
}

EVP_PKEY *pki_key(enum pki_kind kind, unsigned which)
{
	must(kind < PKI_KINDS && which < WHICH_MAX, "a key's number");
	if (!keys[kind][which])
		keys[kind][which] = key_new(kind);
	must(keys[kind][which], "a key");
	return keys[kind][which];
}

void pki_done(void)
{
	for (unsigned i = 0; i < PKI_KINDS; i++)
		for (unsigned j = 0; j < WHICH_MAX; j++)
			EVP_PKEY_free(keys[i][j]);
	memset(keys, 0, sizeof(keys));
}

/* ---- certificates ---- */

/* "CN=x, O=y" */
static void set_name(X509_NAME *n, const char *text)
{
	char *copy = xstrdup(text), *save = NULL;

	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(one, '=');

		must(eq, "a name");
		*eq = '\0';
		one += strspn(one, " ");
		must(X509_NAME_add_entry_by_txt(n, one, MBSTRING_UTF8, (const unsigned char *)eq + 1, -1, -1, 0) == 1,
		     one);
	}
	free(copy);
}

static void add_ext(X509 *x, X509 *by, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (!value || !value[0])
		return;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, by, x, NULL, NULL, 0);
	ext = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	must(ext && X509_add_ext(x, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static const EVP_MD *md_of(const EVP_PKEY *key, const EVP_MD *md)
{
	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return NULL;
	return md ? md : EVP_sha256();
}

static void set_time(ASN1_TIME *t, int days)
{
	must(ASN1_TIME_set(t, (time_t)PKI_WALL_S + (time_t)days * 86400), "a time");
}

struct pki *pki_make(const struct pki_spec *s)
{
	static long serial = 1000;
	struct pki *p = xcalloc(1, sizeof(*p));
	X509 *by;

	p->x = X509_new();
	p->key = pki_key(s->kind, s->which);
	EVP_PKEY_up_ref(p->key);
	by = s->by ? s->by->x : p->x;
	must(X509_set_version(p->x, X509_VERSION_3) == 1, "version");
	ASN1_INTEGER_set(X509_get_serialNumber(p->x), s->serial ? s->serial : serial++);
	set_time(X509_getm_notBefore(p->x), s->from_days || s->to_days ? s->from_days : -1);
	set_time(X509_getm_notAfter(p->x), s->from_days || s->to_days ? s->to_days : 365);
	if (s->subject)
		set_name(X509_get_subject_name(p->x), s->subject);
	X509_set_issuer_name(p->x, X509_get_subject_name(by));
	X509_set_pubkey(p->x, s->key ? (EVP_PKEY *)(uintptr_t)s->key : p->key);
	add_ext(p->x, by, NID_basic_constraints, s->basic ? s->basic : s->ca ? "critical,CA:TRUE" : "CA:FALSE");
	add_ext(p->x, by, NID_key_usage, s->ku ? s->ku : s->ca ? "critical,keyCertSign,cRLSign" : "digitalSignature");
	add_ext(p->x, by, NID_ext_key_usage, s->eku);
	add_ext(p->x, by, NID_subject_alt_name, s->san);
	must(X509_sign(p->x, s->by ? s->by->key : p->key, md_of(s->by ? s->by->key : p->key, s->md)) > 0, "X509_sign");
	return p;
}

void pki_free(struct pki *p)
{
	if (!p)
		return;
	X509_free(p->x);
	EVP_PKEY_free(p->key);
	free(p);
}

X509_CRL *pki_crl(const struct pki *by, const struct pki *const revoked[], int from_days, int to_days)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->x));
	set_time(t, from_days);
	X509_CRL_set1_lastUpdate(crl, t);
	for (unsigned i = 0; revoked && revoked[i]; i++) {
		X509_REVOKED *r = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked[i]->x));
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	set_time(t, to_days);
	X509_CRL_set1_nextUpdate(crl, t);
	X509_CRL_sort(crl);
	must(X509_CRL_sign(crl, by->key, md_of(by->key, NULL)) > 0, "X509_CRL_sign");
	ASN1_TIME_free(t);
	return crl;
}

/* ---- files ---- */

void pki_file(struct cfg_file *f, const char *path, const void *p, size_t len)
{
	f->path = xstrdup(path);
	f->p = xcalloc(1, len + 1);
	memcpy(f->p, p, len);
	f->len = len;
}

static void take_bio(struct cfg_file *f, const char *path, BIO *bio)
{
	char *p;
	long len = BIO_get_mem_data(bio, &p);

	pki_file(f, path, p, (size_t)len);
	BIO_free(bio);
}

struct cfg_certs *pki_certs(void)
{
	struct cfg_certs *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	return c;
}

void pki_add_cert(struct cfg_certs *c, const struct pki *p)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_X509(bio, p->x) == 1, "PEM");
	take_bio(&c->cert[c->n_cert++], "own.pem", bio);
}

void pki_add_ca(struct cfg_certs *c, const struct pki *p)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_X509(bio, p->x) == 1, "PEM");
	take_bio(&c->ca[c->n_ca++], "ca.pem", bio);
}

void pki_add_crl(struct cfg_certs *c, X509_CRL *crl)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_X509_CRL(bio, crl) == 1, "PEM");
	take_bio(&c->crl[c->n_crl++], "ca.crl", bio);
	X509_CRL_free(crl);
}

void pki_set_key(struct cfg_certs *c, const EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, "PEM");
	take_bio(&c->key, "own.key", bio);
}

struct cfg_certs *pki_files(const struct pki *ours, const struct pki *ca)
{
	struct cfg_certs *c = pki_certs();

	pki_add_cert(c, ours);
	pki_set_key(c, ours->key);
	pki_add_ca(c, ca);
	return c;
}
