/* Is the peer's certificate good? RFC 5280 6, RFC 4945 5. All of it comes from a stranger. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/xalloc.h"
#include "controlplane/ike/cert_creds.h"
#include "controlplane/ike/payload.h"

enum { NAME_TEXT = 96, AUTH_LEVEL = 2 /* 112 bits: no SHA1, no MD5, no RSA below 2048 in what was signed */ };

/* ---- CERT payloads ---- */

static void keep(struct cert_pile *p, size_t *total, const struct payload_cert *c)
{
	if (p->n == CERT_PEER_MAX || *total + c->len > CERT_PEER_OCTETS) {
		p->over = true;
		return;
	}
	p->der = xrealloc(p->der, *total + c->len + 1, 1);
	memcpy(p->der + *total, c->data, c->len);
	*total += c->len;
	p->len[p->n++] = c->len;
}

void cert_pile_read(struct cert_pile *p, const struct ike_chain *chain)
{
	const struct ike_payload *pl = wire_find(chain, IKE_PL_CERT);
	struct payload_cert c;
	size_t total = 0;

	for (; pl; pl = wire_find_next(chain, pl)) {
		if (payload_cert_decode(pl->body, &c) != IKE_V_OK || c.len == 0)
			p->bad = true;
		else if (c.encoding != IKE_CERT_X509)
			p->other++;
		else
			keep(p, &total, &c);
	}
}

void cert_pile_fini(struct cert_pile *p)
{
	free(p->der);
	*p = (struct cert_pile){.n = 0};
}

/* Every certificate whole, and every key one that we would use: before anything is computed with it. */
static int parse(const struct cert_pile *p, STACK_OF(X509) * to, struct text *why)
{
	const unsigned char *at = p->der;
	char reason[160], name[NAME_TEXT];

	for (unsigned i = 0; i < p->n; i++) {
		const unsigned char *end = at + p->len[i];
		X509 *x = d2i_X509(NULL, &at, (long)p->len[i]);
		struct text r = text_of(reason, sizeof(reason));

		if (!x || at != end) {
			X509_free(x);
			text_say(why, "CERT payload %u of it is no X.509 certificate: its IKE software has a fault",
				 i + 1);
			return -EACCES;
		}
		if (sk_X509_push(to, x) <= 0) {
			X509_free(x);
			return -ENOMEM;
		}
		if (auth_sig_key(X509_get0_pubkey(x), &r) == AUTH_KEY_NONE) {
			text_say(why, "the certificate of %s has %s: give the peer another",
				 cert_id_str(x, name, sizeof(name)), reason);
			return -EACCES;
		}
	}
	return 0;
}

static int read_pile(const struct cert_pile *p, STACK_OF(X509) * to, struct text *why)
{
	if (p->over)
		text_say(why,
			 "it sent more than %d certificates or %d octets of them: have it send its own and the "
			 "intermediates only",
			 CERT_PEER_MAX, CERT_PEER_OCTETS);
	else if (p->bad)
		text_say(why, "it sent an empty CERT payload: its IKE software has a fault");
	else if (!p->n && p->other)
		text_say(why, "it sent certificates as hash and URL or in another encoding: have it send X.509 itself");
	else if (!p->n)
		text_say(why, "it sent no certificate: have it always send one (strongSwan: send_cert = always)");
	else
		return parse(p, to, why);
	return -EACCES;
}

/* ---- the chain ---- */

/* What a CRL may lack without refusing anybody: always that of an anchor, which the config believes as it is; without crl_strict
 * that of any issuer. A stale CRL still says who was revoked by then. */
static int judge(int ok, X509_STORE_CTX *ctx)
{
	const struct cert_creds *c = X509_STORE_CTX_get_app_data(ctx);
	bool anchor = X509_STORE_CTX_get_error_depth(ctx) == sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1;

	if (ok)
		return 1;
	switch (X509_STORE_CTX_get_error(ctx)) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return anchor || !c->cfg->crl_strict;
	}
	return 0;
}

static const char *remedy(int err)
{
	switch (err) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "add its authority to `ca`, or the missing intermediate to what the peer sends or to `cert`";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "its root is not in `ca`: add it there if it is to be believed";
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "have it renewed";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "compare the clocks";
	case X509_V_ERR_CERT_REVOKED:
		return "give the peer another, or close it out";
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return "add its issuer's CRL to `crl`, or set crl-strict: false";
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return "fetch its issuer's CRL anew and reload";
	case X509_V_ERR_CA_MD_TOO_WEAK:
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
		return "have it made anew with SHA2 and a key of 2048 bits or more";
	}
	return "have it made anew";
}

static int verify(X509_STORE_CTX *ctx, struct text *why)
{
	int err, ok = X509_verify_cert(ctx);
	char name[NAME_TEXT];
	X509 *x;

	if (ok == 1)
		return 0;
	err = X509_STORE_CTX_get_error(ctx);
	if (ok < 0 || err == X509_V_ERR_OUT_OF_MEM || err == X509_V_OK)
		return -EIO;
	x = X509_STORE_CTX_get_current_cert(ctx);
	text_say(why, "its certificate is refused: %s: %s; %s", x ? cert_id_str(x, name, sizeof(name)) : "(no name)",
		 X509_verify_cert_error_string(err), remedy(err));
	return -EACCES;
}

static int check_chain(const struct cert_creds *c, STACK_OF(X509) * sent, int64_t wall_s, struct text *why)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_dup(sent);
	X509_VERIFY_PARAM *param;
	int err = -ENOMEM;

	for (int i = 1; untrusted && i < sk_X509_num(c->own); i++) /* intermediates that the peer left out */
		if (sk_X509_push(untrusted, sk_X509_value(c->own, i)) <= 0)
			goto out;
	if (!ctx || !untrusted || X509_STORE_CTX_init(ctx, c->store, sk_X509_value(sent, 0), untrusted) != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)wall_s);
	X509_VERIFY_PARAM_set_depth(param, CERT_DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (c->cfg->n_crl)
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	X509_STORE_CTX_set_app_data(ctx, (void *)(uintptr_t)c);
	X509_STORE_CTX_set_verify_cb(ctx, judge);
	err = verify(ctx, why);
out:
	sk_X509_free(untrusted);
	X509_STORE_CTX_free(ctx);
	return err;
}

/* ---- the peer's own ---- */

/* RFC 4945 5.1.3.12: who does not support the extension passes it over unless it is critical. Azure and Windows gateways have certificates
 * for servers and clients, not for IKE; the CA and the name are what says who it is. A critical one must be for IKE or anything. */
static bool purpose_ok(const X509 *x)
{
	int critical = -1;
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
	/* -1: absent; -2: there twice */
	bool ok = (!eku && critical == -1) || (eku && critical == 0);

	for (int i = 0; eku && !ok && i < sk_ASN1_OBJECT_num(eku); i++) {
		int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i));

		ok = nid == NID_ipsec_IKE || nid == NID_anyExtendedKeyUsage;
	}
	EXTENDED_KEY_USAGE_free(eku);
	return ok;
}

static int check_leaf(X509 *x, const struct cfg_id *id, struct text *why)
{
	char name[NAME_TEXT], wanted[NAME_TEXT];

	if (!cert_id_in(x, id)) {
		text_say(why,
			 "the identity %s is not in its certificate (%s): give it a certificate with that name in "
			 "subjectAltName, or use the subject as the ID",
			 cfg_id_str(id, wanted, sizeof(wanted)), cert_id_str(x, name, sizeof(name)));
		return -EACCES;
	}
	/* RFC 4945 5.1.3.2; UINT32_MAX when there is no such extension */
	if (!(X509_get_key_usage(x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION))) {
		text_say(why,
			 "its certificate's keyUsage allows no signatures: have it made anew with digitalSignature");
		return -EACCES;
	}
	if (!purpose_ok(x)) {
		text_say(why,
			 "its certificate's extendedKeyUsage is for other things: have it made anew without, or with "
			 "ipsecIKE (1.3.6.1.5.5.7.3.17)");
		return -EACCES;
	}
	return 0;
}

int cert_check_peer(const struct cert_creds *c, const struct cert_pile *p, const struct cfg_id *id, int64_t wall_s,
		    EVP_PKEY **key, struct text *why)
{
	STACK_OF(X509) *sent = sk_X509_new_null();
	int err = sent ? read_pile(p, sent, why) : -ENOMEM;
	X509 *x;

	*key = NULL;
	if (err)
		goto out;
	x = sk_X509_value(sent, 0);
	*key = X509_get_pubkey(x);
	err = *key ? check_chain(c, sent, wall_s, why) : -EACCES;
	if (!err)
		err = check_leaf(x, id, why);
out:
	if (err && err != -EACCES)
		text_say(why, "its certificate could not be checked (internal error)");
	sk_X509_pop_free(sent, X509_free);
	ERR_clear_error();
	return err;
}
