/* Certificates (RFC 5280, RFC 4945): what a tunnel proves itself with, and whom it believes.
 *
 * struct cert_creds is made of a tunnel's cfg_certs once, never changed and counted, so that jobs may read it in any thread.
 * Nothing here touches the network: what is not in the config's files or in the peer's CERT payloads is not there (no
 * CRL distribution point, no OCSP, no HTTP_CERT_LOOKUP). Every chain ends at a certificate of `ca`, whether that is a root, an
 * intermediate authority or the peer's own.
 *
 *   cert.c         credentials of a tunnel      cert_check.c   the peer's chain
 *   cert_file.c    PEM and DER                  cert_id.c      identities and names
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/list.h"
#include "config/config.h"
#include "controlplane/ike/auth_sig.h"
#include "controlplane/ike/crypto.h"
#include "controlplane/ike/wire.h"

enum {
	CERT_PEER_MAX = 16,          /* certificates taken of one message */
	CERT_PEER_OCTETS = 64 << 10, /* of all of them */
	CERT_DEPTH_MAX = 8,          /* authorities between the peer and an anchor */
	CERT_OWN_MAX = 8,            /* certificates that we send */
	CERT_OWN_OCTETS = 32 << 10,
	CERT_ANCHORS_MAX = 20, /* authorities named in a CERTREQ */
};

struct cert_creds;

/* ---- ours: cert.c ---- */

/* Read cfg. 0; -EINVAL: unusable, -EKEYEXPIRED: our certificate, or every ca, is not valid at wall_s (seconds since 1970): both with
 * what is wrong and what to do in why. Without the key's octets (cfg->key.p NULL) the rest is read; such creds cannot sign.
 * out may be NULL: only looked at. */
int cert_creds_load(struct cfg_certs *cfg, int64_t wall_s, struct cert_creds **out, char *why, size_t cap) MUST_USE;
struct cert_creds *cert_creds_ref(struct cert_creds *c); /* NULL is fine, here and below */
void cert_creds_unref(struct cert_creds *c);
/* Made of files with the same octets? */
bool cert_creds_of(const struct cert_creds *c, const struct cfg_certs *cfg);
/* Our subject: the identity of a tunnel that names none. Type NONE: it is empty, or longer than CFG_ID_MAX. */
const struct cfg_id *cert_creds_id(const struct cert_creds *c);
/* Is this identity in our certificate? */
bool cert_creds_has_id(const struct cert_creds *c, const struct cfg_id *id);
/* The identity to send for id: a DN becomes the subject's own octets (RFC 4945 3.1.5). */
void cert_creds_spell(const struct cert_creds *c, struct cfg_id *id);
/* NULL: none was read. */
EVP_PKEY *cert_creds_key(const struct cert_creds *c);
/* 0, or -EKEYEXPIRED and words: ours is not valid now. */
int cert_creds_valid(const struct cert_creds *c, int64_t wall_s, char *why, size_t cap) MUST_USE;
/* CERT payloads: ours first, then the intermediates (RFC 7296 3.6). */
void cert_creds_put(const struct cert_creds *c, struct wire_out *o);

/* Names of anchors for a CERTREQ (RFC 7296 3.7: SHA-1 of their public keys). */
struct cert_names {
	unsigned n;
	uint8_t sha1[CERT_ANCHORS_MAX][CRYPTO_SHA1_LEN];
};
/* Add c's, each once, as far as there is room. */
void cert_creds_names(const struct cert_creds *c, struct cert_names *out);
/* One CERTREQ payload, if there are names. */
void cert_names_put(const struct cert_names *n, struct wire_out *o);

/* ---- the peer's: cert_check.c ---- */

/* The CERT payloads of a message, copied: they outlive the datagram. */
struct cert_pile {
	unsigned n;
	unsigned other; /* payloads of an encoding that we do not take (URLs among them) */
	bool over;      /* more than CERT_PEER_MAX or CERT_PEER_OCTETS */
	bool bad;       /* a payload that is too short */
	uint8_t *der;   /* one behind the other */
	size_t len[CERT_PEER_MAX];
};

void cert_pile_read(struct cert_pile *p, const struct ike_chain *chain);
void cert_pile_fini(struct cert_pile *p);

/* 0: the first certificate is id's, and of an issuer that c believes, at wall_s; its key is in *key (free it). -EACCES: not so;
 * *key may be set all the same, so that the caller can do the same work as for a good one. Another -errno: our own failure.
 * why: what is wrong and what to do. */
int cert_check_peer(const struct cert_creds *c, const struct cert_pile *p, const struct cfg_id *id, int64_t wall_s,
		    EVP_PKEY **key, struct text *why) MUST_USE;

/* ---- identities: cert_id.c ---- */

/* Same type and same octets; names (DN) as RFC 5280 7.1 compares them, whatever kind of string they are written in. */
bool cert_id_same(const struct cfg_id *a, const struct cfg_id *b);
/* Identities that are the same have the same key; 0 for all but names (DN), which are dear to compare. */
uint64_t cert_id_key(const struct cfg_id *id);
/* RFC 4945 3.1: FQDN, e-mail and address are in subjectAltName, whole and without wildcards; a DN is the subject. */
bool cert_id_in(const X509 *x, const struct cfg_id *id);
/* The subject as an identity; false (and type NONE): it is empty or too long. */
bool cert_id_subject(const X509 *x, struct cfg_id *out);
/* The subject in words for people, escaped. Lends buf. */
const char *cert_id_str(const X509 *x, char *buf, unsigned cap);
