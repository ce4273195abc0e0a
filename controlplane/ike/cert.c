#include "controlplane/ike/cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/ike/cert_creds.h"
#include "controlplane/ike/cert_file.h"
#include "controlplane/ike/payload.h"

enum { PATH_TEXT = 160 };

/* ---- life ---- */

static struct cert_creds *creds_new(struct cfg_certs *cfg)
{
	struct cert_creds *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	c->cfg = cfg_certs_ref(cfg);
	c->own = sk_X509_new_null();
	c->ca = sk_X509_new_null();
	c->store = X509_STORE_new();
	return c;
}

struct cert_creds *cert_creds_ref(struct cert_creds *c)
{
	if (c)
		c->refs++;
	return c;
}

void cert_creds_unref(struct cert_creds *c)
{
	if (!c || --c->refs)
		return;
	EVP_PKEY_free(c->key); /* OpenSSL wipes what is private in it */
	sk_X509_pop_free(c->own, X509_free);
	sk_X509_pop_free(c->ca, X509_free);
	X509_STORE_free(c->store);
	cfg_certs_unref(c->cfg);
	free(c);
}

bool cert_creds_of(const struct cert_creds *c, const struct cfg_certs *cfg)
{
	return c->cfg == cfg || cfg_certs_same(c->cfg, cfg);
}

/* ---- reading ---- */

static const char *path_text(const struct cfg_file *f, char buf[PATH_TEXT])
{
	return f->path ? log_esc(f->path, strlen(f->path), buf, PATH_TEXT) : "(a file)";
}

static const X509 *leaf(const struct cert_creds *c)
{
	return sk_X509_value(c->own, 0);
}

static int read_own(struct cert_creds *c, const struct cfg_certs *cfg, struct text *why)
{
	size_t octets = 0;
	int err = 0;

	if (!cfg->n_cert) {
		text_say(why, "there is no certificate of ours: write `cert: FILE` under auth");
		return -EINVAL;
	}
	for (unsigned i = 0; !err && i < cfg->n_cert; i++)
		err = cert_file_certs(&cfg->cert[i], c->own, why);
	if (err)
		return err;
	for (int i = 0; i < sk_X509_num(c->own); i++)
		octets += (size_t)i2d_X509(sk_X509_value(c->own, i), NULL);
	if (sk_X509_num(c->own) > CERT_OWN_MAX || octets > CERT_OWN_OCTETS) {
		text_say(why,
			 "`cert` holds %d certificates, %zu octets in all: at most %d and %d are sent; leave the root "
			 "out",
			 sk_X509_num(c->own), octets, CERT_OWN_MAX, CERT_OWN_OCTETS);
		return -EINVAL;
	}
	return 0;
}

/* Our own key must be one that we would take from a peer, and the certificate's. */
static int read_key(struct cert_creds *c, const struct cfg_certs *cfg, struct text *why)
{
	char path[PATH_TEXT], of[PATH_TEXT], reason[160];
	struct text r = text_of(reason, sizeof(reason));
	int err;

	path_text(&cfg->cert[0], path);
	if (auth_sig_key(X509_get0_pubkey(leaf(c)), &r) == AUTH_KEY_NONE) {
		text_say(why, "the certificate %s has %s: make another", path, reason);
		return -EINVAL;
	}
	if (!cfg->key.path && !cfg->key.p) {
		text_say(why, "there is no private key for %s: write `key: FILE` under auth", path);
		return -EINVAL;
	}
	if (!cfg->key.p)
		return 0; /* secrets are not read here */
	err = cert_file_key(&cfg->key, &c->key, why);
	if (err)
		return err;
	if (X509_check_private_key(leaf(c), c->key) != 1) {
		text_say(why,
			 "the private key in %s is not that of the certificate %s: give the key it was made for, and "
			 "our "
			 "certificate first",
			 path_text(&cfg->key, of), path);
		return -EINVAL;
	}
	return 0;
}

static void add_name(struct cert_names *out, const uint8_t sha1[CRYPTO_SHA1_LEN])
{
	for (unsigned i = 0; i < out->n; i++)
		if (!memcmp(out->sha1[i], sha1, CRYPTO_SHA1_LEN))
			return;
	if (out->n < CERT_ANCHORS_MAX)
		memcpy(out->sha1[out->n++], sha1, CRYPTO_SHA1_LEN);
}

/* Once: a stranger's IKE_SA_INIT has them written. */
static int make_names(struct cert_creds *c)
{
	int err = 0;

	for (int i = 0; !err && i < sk_X509_num(c->ca) && c->names.n < CERT_ANCHORS_MAX; i++) {
		unsigned char *der = NULL;
		int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(sk_X509_value(c->ca, i)), &der);
		const struct crypto_part part = {.p = der, .len = len > 0 ? (size_t)len : 0};
		uint8_t sha1[CRYPTO_SHA1_LEN];

		err = len > 0 ? crypto_sha1(&part, 1, sha1) : -ENOMEM;
		if (!err)
			add_name(&c->names, sha1);
		OPENSSL_free(der);
	}
	return err;
}

static int read_anchors(struct cert_creds *c, const struct cfg_certs *cfg, struct text *why)
{
	char path[PATH_TEXT];
	int err = 0;

	if (!cfg->n_ca) {
		text_say(why, "there is no authority to believe: write `ca: FILE` under auth");
		return -EINVAL;
	}
	for (unsigned i = 0; !err && i < cfg->n_ca; i++)
		err = cert_file_certs(&cfg->ca[i], c->ca, why);
	for (int i = 0; !err && i < sk_X509_num(c->ca); i++) {
		char reason[160];
		struct text r = text_of(reason, sizeof(reason));

		if (auth_sig_key(X509_get0_pubkey(sk_X509_value(c->ca, i)), &r) == AUTH_KEY_NONE) {
			text_say(why, "a certificate of ca (%s) has %s: nothing that it signed is taken",
				 path_text(&cfg->ca[0], path), reason);
			err = -EINVAL;
		} else if (X509_STORE_add_cert(c->store, sk_X509_value(c->ca, i)) != 1) {
			err = -ENOMEM;
		}
	}
	return err;
}

static int read_crls(struct cert_creds *c, const struct cfg_certs *cfg, struct text *why)
{
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	int err = crls ? 0 : -ENOMEM;

	if (cfg->crl_strict && !cfg->n_crl) {
		text_say(why, "`crl-strict` without CRLs refuses every peer: write `crl: [FILE]` under auth");
		err = -EINVAL;
	}
	for (unsigned i = 0; !err && i < cfg->n_crl; i++)
		err = cert_file_crls(&cfg->crl[i], crls, why);
	for (int i = 0; !err && i < sk_X509_CRL_num(crls); i++)
		if (X509_STORE_add_crl(c->store, sk_X509_CRL_value(crls, i)) != 1)
			err = -ENOMEM;
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	return err;
}

/* ---- validity ---- */

/* -1: not yet, 1: no more, 0: valid. */
static int when(const X509 *x, int64_t wall_s)
{
	time_t t = (time_t)wall_s;

	/* X509_cmp_time: > 0, the certificate's time is later than t; 0: it cannot be read */
	if (X509_cmp_time(X509_get0_notBefore(x), &t) >= 0)
		return -1;
	return X509_cmp_time(X509_get0_notAfter(x), &t) <= 0 ? 1 : 0;
}

int cert_creds_valid(const struct cert_creds *c, int64_t wall_s, char *why, size_t cap)
{
	int w = when(leaf(c), wall_s);
	char path[PATH_TEXT];

	ERR_clear_error();
	if (!w)
		return 0;
	snprintf(why, cap, "our certificate %s is %s: %s", path_text(&c->cfg->cert[0], path),
		 w < 0 ? "not valid yet" : "expired", w < 0 ? "set the clock, or wait" : "renew it and reload");
	return -EKEYEXPIRED;
}

static int anchors_valid(const struct cert_creds *c, int64_t wall_s, char *why, size_t cap)
{
	for (int i = 0; i < sk_X509_num(c->ca); i++)
		if (!when(sk_X509_value(c->ca, i), wall_s))
			return 0;
	ERR_clear_error();
	snprintf(why, cap, "no certificate of `ca` is valid now: renew them and reload, or set the clock");
	return -EKEYEXPIRED;
}

int cert_creds_load(struct cfg_certs *cfg, int64_t wall_s, struct cert_creds **out, char *why, size_t cap)
{
	struct cert_creds *c = creds_new(cfg);
	struct text t = text_of(why, cap);
	int err = c->own && c->ca && c->store ? 0 : -ENOMEM;

	if (!err)
		err = read_own(c, cfg, &t);
	if (!err)
		err = read_key(c, cfg, &t);
	if (!err)
		err = read_anchors(c, cfg, &t);
	if (!err)
		err = read_crls(c, cfg, &t);
	if (!err)
		err = make_names(c);
	if (!err)
		(void)cert_id_subject(leaf(c), &c->subject);
	if (!err && out)
		*out = cert_creds_ref(c);
	if (!err)
		err = cert_creds_valid(c, wall_s, why, cap);
	if (!err)
		err = anchors_valid(c, wall_s, why, cap);
	if (err && err != -EINVAL && err != -EKEYEXPIRED)
		text_say(&t, "the certificates could not be read (internal error)");
	cert_creds_unref(c);
	ERR_clear_error();
	return err;
}

/* ---- use ---- */

const struct cfg_id *cert_creds_id(const struct cert_creds *c)
{
	return &c->subject;
}

bool cert_creds_has_id(const struct cert_creds *c, const struct cfg_id *id)
{
	return cert_id_in(leaf(c), id);
}

void cert_creds_spell(const struct cert_creds *c, struct cfg_id *id)
{
	if (id->type == CFG_ID_DN && cert_id_same(id, &c->subject))
		*id = c->subject;
}

EVP_PKEY *cert_creds_key(const struct cert_creds *c)
{
	return c->key;
}

void cert_creds_put(const struct cert_creds *c, struct wire_out *o)
{
	for (int i = 0; i < sk_X509_num(c->own); i++) {
		X509 *x = sk_X509_value(c->own, i);
		unsigned char *der = NULL;
		int len;

		if (i && X509_self_signed(x, 0) == 1)
			continue; /* a root: who believes it has it */
		len = i2d_X509(x, &der);
		if (len > 0) {
			wire_payload(o, IKE_PL_CERT);
			payload_cert_encode(&o->w, IKE_CERT_X509, der, (size_t)len);
		}
		OPENSSL_free(der);
	}
	ERR_clear_error();
}

void cert_creds_names(const struct cert_creds *c, struct cert_names *out)
{
	for (unsigned i = 0; i < c->names.n; i++)
		add_name(out, c->names.sha1[i]);
}

void cert_names_put(const struct cert_names *n, struct wire_out *o)
{
	if (!n->n)
		return;
	wire_payload(o, IKE_PL_CERTREQ);
	payload_cert_encode(&o->w, IKE_CERT_X509, n->sha1[0], n->n * sizeof(n->sha1[0]));
}
