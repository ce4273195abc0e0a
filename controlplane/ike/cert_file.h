/* What is in a file of the config: PEM (any number of objects, any order) or DER (one). Any thread. */
#pragma once

#include <openssl/types.h>
#include <openssl/x509.h>

#include "config/config.h"
#include "controlplane/ike/text.h"

/* Add every certificate (CRL) of the file to a list. 0, or -EINVAL and why: none, or one that cannot be read. */
int cert_file_certs(const struct cfg_file *f, STACK_OF(X509) * to, struct text *why) MUST_USE;
int cert_file_crls(const struct cfg_file *f, STACK_OF(X509_CRL) * to, struct text *why) MUST_USE;
/* The private key: PKCS #8, or the older forms of RSA and EC. An enciphered one is refused: nobody is there to type a pass
 * phrase. */
int cert_file_key(const struct cfg_file *f, EVP_PKEY **key, struct text *why) MUST_USE;
