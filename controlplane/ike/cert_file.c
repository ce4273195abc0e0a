#include "controlplane/ike/cert_file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/log.h"
#include "base/secret.h"

/* One object: its PEM label ("" for DER), header lines and DER octets. 0: taken, or not of this kind; -EINVAL: it is broken. */
typedef int take_fn(void *arg, const char *label, const char *header, const uint8_t *der, long len);

static const char *path_of(const struct cfg_file *f, char *buf, size_t cap)
{
	return f->path ? log_esc(f->path, strlen(f->path), buf, cap) : "(a file)";
}

static bool is_pem(const struct cfg_file *f)
{
	return f->len >= 11 && memmem(f->p, f->len, "-----BEGIN ", 11);
}

static int each_pem(const struct cfg_file *f, take_fn *take, void *arg)
{
	BIO *bio = BIO_new_mem_buf(f->p, (int)f->len);
	char *label = NULL, *header = NULL;
	unsigned char *der = NULL;
	long len = 0;
	int err = bio ? 0 : -ENOMEM;

	while (!err && PEM_read_bio(bio, &label, &header, &der, &len) == 1) {
		err = take(arg, label, header, der, len);
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
		label = header = NULL;
		der = NULL;
	}
	/* the end is told as the error that no further object begins */
	if (!err && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		err = -EINVAL;
	BIO_free(bio);
	ERR_clear_error();
	return err;
}

static int each(const struct cfg_file *f, take_fn *take, void *arg)
{
	int err;

	if (!f->p || f->len == 0 || f->len > CFG_CERT_FILE_SIZE)
		return 0; /* nothing in it: the caller counts */
	if (is_pem(f))
		return each_pem(f, take, arg);
	err = take(arg, "", "", f->p, (long)f->len);
	ERR_clear_error();
	return err;
}

/* ---- certificates and CRLs ---- */

static int take_cert(void *arg, const char *label, const char *header, const uint8_t *der, long len)
{
	const unsigned char *p = der;
	X509 *x;

	(void)header;
	if (label[0] && strcmp(label, PEM_STRING_X509) != 0 && strcmp(label, PEM_STRING_X509_OLD) != 0)
		return 0; /* a key or parameters beside it */
	x = d2i_X509(NULL, &p, len);
	if (x && p == der + len && sk_X509_push(arg, x) > 0)
		return 0;
	X509_free(x);
	return -EINVAL;
}

static int take_crl(void *arg, const char *label, const char *header, const uint8_t *der, long len)
{
	const unsigned char *p = der;
	X509_CRL *x;

	(void)header;
	if (label[0] && strcmp(label, PEM_STRING_X509_CRL) != 0)
		return 0;
	x = d2i_X509_CRL(NULL, &p, len);
	if (x && p == der + len && sk_X509_CRL_push(arg, x) > 0)
		return 0;
	X509_CRL_free(x);
	return -EINVAL;
}

int cert_file_certs(const struct cfg_file *f, STACK_OF(X509) * to, struct text *why)
{
	int before = sk_X509_num(to), err = each(f, take_cert, to);
	char path[160];

	if (!err && sk_X509_num(to) > before)
		return 0;
	text_say(why,
		 err ? "%s holds a certificate that cannot be read: write it anew as PEM or DER"
		     : "there is no certificate in %s: it must be PEM (BEGIN CERTIFICATE) or DER",
		 path_of(f, path, sizeof(path)));
	return -EINVAL;
}

int cert_file_crls(const struct cfg_file *f, STACK_OF(X509_CRL) * to, struct text *why)
{
	int before = sk_X509_CRL_num(to), err = each(f, take_crl, to);
	char path[160];

	if (!err && sk_X509_CRL_num(to) > before)
		return 0;
	text_say(why,
		 err ? "%s holds a CRL that cannot be read: fetch it anew as PEM or DER"
		     : "there is no CRL in %s: it must be PEM (BEGIN X509 CRL) or DER",
		 path_of(f, path, sizeof(path)));
	return -EINVAL;
}

/* ---- keys ---- */

struct found_key {
	EVP_PKEY *key;
	bool enciphered;
};

static bool is_key_label(const char *label)
{
	size_t n = strlen(label), end = strlen(PEM_STRING_PKCS8INF);

	return !label[0] || (n >= end && !strcmp(label + n - end, PEM_STRING_PKCS8INF));
}

/* PKCS #8 as DER says by itself whether it is enciphered. */
static bool is_enciphered_der(const uint8_t *der, long len)
{
	const unsigned char *p = der;
	X509_SIG *sig = d2i_X509_SIG(NULL, &p, len);
	bool yes = sig && p == der + len;

	X509_SIG_free(sig);
	return yes;
}

static int take_key(void *arg, const char *label, const char *header, const uint8_t *der, long len)
{
	const unsigned char *p = der;
	struct found_key *found = arg;

	if (!is_key_label(label) || found->key)
		return 0; /* its certificate, EC parameters; of several keys the first */
	if (!strcmp(label, PEM_STRING_PKCS8) || strstr(header, "ENCRYPTED")) {
		found->enciphered = true;
		return -EINVAL;
	}
	found->key = d2i_AutoPrivateKey(NULL, &p, len);
	if (found->key)
		return 0;
	found->enciphered = !label[0] && is_enciphered_der(der, len);
	return -EINVAL;
}

int cert_file_key(const struct cfg_file *f, EVP_PKEY **key, struct text *why)
{
	struct found_key found = {.key = NULL};
	int err = each(f, take_key, &found);
	char path[160];

	*key = found.key;
	if (!err && found.key)
		return 0;
	EVP_PKEY_free(found.key);
	*key = NULL;
	path_of(f, path, sizeof(path));
	if (found.enciphered)
		text_say(
			why,
			"the private key in %s is enciphered, and there is nobody to type its pass phrase: write it in "
			"clear with `openssl pkey -in %s -out FILE`, mode 0600",
			path, path);
	else
		text_say(why,
			 err ? "the private key in %s cannot be read: it must be PKCS #8, RSA or EC, PEM or DER"
			     : "there is no private key in %s: it must be PEM (BEGIN PRIVATE KEY) or DER",
			 path);
	return -EINVAL;
}
