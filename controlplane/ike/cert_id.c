/* Names in certificates against names in ID payloads. RFC 4945 3.1, RFC 5280 7.1 */
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "controlplane/ike/cert.h"
#include "controlplane/ike/payload.h"

/* A whole DER name and nothing behind it; NULL: it is none. */
static X509_NAME *name_of(const struct cfg_id *id)
{
	const unsigned char *p = id->b;
	X509_NAME *n = d2i_X509_NAME(NULL, &p, id->len);

	if (n && p == id->b + id->len)
		return n;
	X509_NAME_free(n);
	ERR_clear_error();
	return NULL;
}

uint64_t cert_id_key(const struct cfg_id *id)
{
	X509_NAME *n = id->type == CFG_ID_DN ? name_of(id) : NULL;
	int ok = 0;
	uint64_t key = n ? X509_NAME_hash_ex(n, NULL, NULL, &ok) + 1ull : 0; /* of the form that is compared */

	X509_NAME_free(n);
	ERR_clear_error();
	return ok ? key : 0;
}

bool cert_id_same(const struct cfg_id *a, const struct cfg_id *b)
{
	X509_NAME *x, *y;
	bool same;

	if (payload_id_equal(a, b))
		return true;
	if (a->type != CFG_ID_DN || b->type != CFG_ID_DN)
		return false;
	x = name_of(a);
	y = name_of(b);
	same = x && y && X509_NAME_cmp(x, y) == 0;
	X509_NAME_free(x);
	X509_NAME_free(y);
	ERR_clear_error();
	return same;
}

static bool subject_is(const X509 *x, const struct cfg_id *id)
{
	X509_NAME *n = name_of(id);
	/* an empty subject is nobody's name */
	bool same = n && X509_NAME_entry_count(n) > 0 && X509_NAME_cmp(n, X509_get_subject_name(x)) == 0;

	X509_NAME_free(n);
	ERR_clear_error();
	return same;
}

static bool text_is(const ASN1_STRING *s, const struct cfg_id *id)
{
	return ASN1_STRING_length(s) == id->len &&
	       !strncasecmp((const char *)ASN1_STRING_get0_data(s), (const char *)id->b, id->len) &&
	       !memchr(id->b, 0, id->len);
}

static bool address_is(const ASN1_STRING *s, const struct cfg_id *id)
{
	return ASN1_STRING_length(s) == id->len && !memcmp(ASN1_STRING_get0_data(s), id->b, id->len);
}

static bool alternative_is(const GENERAL_NAME *g, const struct cfg_id *id)
{
	switch (id->type) {
	case CFG_ID_FQDN:
		return g->type == GEN_DNS && text_is(g->d.dNSName, id);
	case CFG_ID_EMAIL:
		return g->type == GEN_EMAIL && text_is(g->d.rfc822Name, id);
	case CFG_ID_IPV4:
	case CFG_ID_IPV6:
		return g->type == GEN_IPADD && address_is(g->d.iPAddress, id);
	}
	return false;
}

bool cert_id_in(const X509 *x, const struct cfg_id *id)
{
	GENERAL_NAMES *names;
	bool found = false;

	if (id->type == CFG_ID_NONE || id->len == 0)
		return false;
	if (id->type == CFG_ID_DN)
		return subject_is(x, id);
	/* one extension of it, whole: what OpenSSL cannot read, or finds twice, names nobody */
	names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; names && !found && i < sk_GENERAL_NAME_num(names); i++)
		found = alternative_is(sk_GENERAL_NAME_value(names, i), id);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return found;
}

bool cert_id_subject(const X509 *x, struct cfg_id *out)
{
	X509_NAME *n = X509_get_subject_name(x);
	const unsigned char *der = NULL;
	size_t len = 0;

	*out = (struct cfg_id){.type = CFG_ID_NONE};
	if (X509_NAME_entry_count(n) <= 0 || X509_NAME_get0_der(n, &der, &len) != 1 || len > sizeof(out->b))
		return false;
	out->type = CFG_ID_DN;
	out->len = (uint16_t)len;
	memcpy(out->b, der, len);
	return true;
}

const char *cert_id_str(const X509 *x, char *buf, unsigned cap)
{
	struct cfg_id id;

	if (cert_id_subject(x, &id))
		return cfg_id_str(&id, buf, cap);
	snprintf(buf, cap, "%s", X509_NAME_entry_count(X509_get_subject_name(x)) > 0 ? "(a long name)" : "(no name)");
	return buf;
}
