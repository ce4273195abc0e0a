/* The inside of struct cert_creds, for cert.c and cert_check.c. */
#pragma once

#include <openssl/x509.h>

#include "controlplane/ike/cert.h"

struct cert_creds {
	unsigned refs;         /* changed on the core's thread only: jobs are freed there */
	struct cfg_certs *cfg; /* counted: the files it was made of */
	EVP_PKEY *key;
	struct cfg_id subject;
	STACK_OF(X509) * own; /* ours first, then what completes chains: ours, and the peer's if need be */
	STACK_OF(X509) * ca;
	struct cert_names names; /* of ca */
	X509_STORE *store;       /* ca and CRLs, and how to verify */
};
