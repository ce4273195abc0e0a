/* Certificates, CRLs and keys made at test time, and the config's files out of them.
 *
 * Times are days from 2026-01-01, which is the simulator's wall clock at its start. Failures abort: a test cannot go on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "config/config.h"

enum { PKI_WALL_S = 1767225600 };

enum pki_kind {
	PKI_RSA_2048,
	PKI_RSA_3072,
	PKI_RSA_PSS, /* a key for RSASSA-PSS only */
	PKI_P256,
	PKI_P384,
	PKI_P521,
	PKI_ED25519,
	PKI_RSA_1024, /* from here on: not to be taken */
	PKI_P224,
	PKI_ED448,
	PKI_KINDS,
	PKI_GOOD_KINDS = PKI_RSA_1024,
};
const char *pki_kind_name(enum pki_kind kind);

struct pki {
	X509 *x;
	EVP_PKEY *key;
};

struct pki_spec {
	enum pki_kind kind;
	unsigned which;         /* another key of the same kind */
	const struct pki *by;   /* issuer; NULL: signs itself */
	const EVP_PKEY *key;    /* the public key in it; NULL: that of kind and which, which is made once */
	const char *subject;    /* "CN=x, O=y" as OpenSSL's short names; NULL: empty */
	const char *san;        /* "DNS:a, email:b@c, IP:1.2.3.4"; NULL: none */
	int from_days, to_days; /* both 0: -1 to 365 */
	bool ca;
	const char *basic, *ku,
		*eku;     /* extensions in OpenSSL's words; NULL: basic and ku by `ca`, no eku; "": left out */
	const EVP_MD *md; /* NULL: SHA2-256 */
	long serial;      /* 0: the next one */
};

struct pki *pki_make(const struct pki_spec *spec);
void pki_free(struct pki *p);
/* A key of a kind; lent. */
EVP_PKEY *pki_key(enum pki_kind kind, unsigned which);
/* A CRL of `by` with these revoked (NULL-terminated). */
X509_CRL *pki_crl(const struct pki *by, const struct pki *const revoked[], int from_days, int to_days);
/* Free the keys that were made. */
void pki_done(void);

/* A config's set of files: one reference; each call adds a file (PEM, or DER where said). */
struct cfg_certs *pki_certs(void);
void pki_add_cert(struct cfg_certs *c, const struct pki *p);
void pki_add_ca(struct cfg_certs *c, const struct pki *p);
void pki_add_crl(struct cfg_certs *c, X509_CRL *crl); /* taken */
void pki_set_key(struct cfg_certs *c, const EVP_PKEY *key);
/* Ours with its key, and an authority. */
struct cfg_certs *pki_files(const struct pki *ours, const struct pki *ca);
/* Any octets as a file. */
void pki_file(struct cfg_file *f, const char *path, const void *p, size_t len);
