#include "controlplane/ike/auth_sig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/rd.h"
#include "base/xalloc.h"
#include "controlplane/ike/auth.h"

/* ---- the methods' numbers and identifiers ---- */

enum pad { PAD_PKCS1, PAD_PSS, PAD_ECDSA, PAD_EDDSA };

struct scheme {
	enum pad pad;
	enum auth_hash hash;
	uint8_t len;
	uint8_t aid[76];
};

#define OID_RSA(n)    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, n
#define OID_SHA2(n)   0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, n
#define OID_ECDSA(n)  0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, n
#define ASN1_NULL     0x05, 0x00
#define PSS_HASH(n)   0xa0, 0x0f, 0x30, 0x0d, OID_SHA2(n), ASN1_NULL
#define PSS_MGF(n)    0xa1, 0x1c, 0x30, 0x1a, OID_RSA(8), 0x30, 0x0d, OID_SHA2(n), ASN1_NULL
#define PSS_SALT(len) 0xa2, 0x03, 0x02, 0x01, len
#define PSS_TRAILER   0xa3, 0x03, 0x02, 0x01, 0x01
/* the same with the hashes' parameters left out, which RFC 4055 2.1 has us take too */
#define PSS_HASH0(n) 0xa0, 0x0d, 0x30, 0x0b, OID_SHA2(n)
#define PSS_MGF0(n)  0xa1, 0x1a, 0x30, 0x18, OID_RSA(8), 0x30, 0x0b, OID_SHA2(n)

/* RFC 7427 A, RFC 8420 3. PSS as in A.4.3 with the trailer field, and in DER proper without it; the first row of several is the one
 * that we send. */
static const struct scheme schemes[] = {
	{PAD_PSS, AUTH_HASH_SHA2_256, 67, {0x30, 0x41, OID_RSA(10), 0x30, 0x34, PSS_HASH(1), PSS_MGF(1), PSS_SALT(32)}},
	{PAD_PSS, AUTH_HASH_SHA2_384, 67, {0x30, 0x41, OID_RSA(10), 0x30, 0x34, PSS_HASH(2), PSS_MGF(2), PSS_SALT(48)}},
	{PAD_PSS, AUTH_HASH_SHA2_512, 67, {0x30, 0x41, OID_RSA(10), 0x30, 0x34, PSS_HASH(3), PSS_MGF(3), PSS_SALT(64)}},
	{PAD_PSS,
	 AUTH_HASH_SHA2_256,
	 72,
	 {0x30, 0x46, OID_RSA(10), 0x30, 0x39, PSS_HASH(1), PSS_MGF(1), PSS_SALT(32), PSS_TRAILER}},
	{PAD_PSS,
	 AUTH_HASH_SHA2_384,
	 72,
	 {0x30, 0x46, OID_RSA(10), 0x30, 0x39, PSS_HASH(2), PSS_MGF(2), PSS_SALT(48), PSS_TRAILER}},
	{PAD_PSS,
	 AUTH_HASH_SHA2_512,
	 72,
	 {0x30, 0x46, OID_RSA(10), 0x30, 0x39, PSS_HASH(3), PSS_MGF(3), PSS_SALT(64), PSS_TRAILER}},
	{PAD_PSS,
	 AUTH_HASH_SHA2_256,
	 63,
	 {0x30, 0x3d, OID_RSA(10), 0x30, 0x30, PSS_HASH0(1), PSS_MGF0(1), PSS_SALT(32)}},
	{PAD_PSS,
	 AUTH_HASH_SHA2_384,
	 63,
	 {0x30, 0x3d, OID_RSA(10), 0x30, 0x30, PSS_HASH0(2), PSS_MGF0(2), PSS_SALT(48)}},
	{PAD_PSS,
	 AUTH_HASH_SHA2_512,
	 63,
	 {0x30, 0x3d, OID_RSA(10), 0x30, 0x30, PSS_HASH0(3), PSS_MGF0(3), PSS_SALT(64)}},
	{PAD_PKCS1, AUTH_HASH_SHA2_256, 15, {0x30, 0x0d, OID_RSA(11), ASN1_NULL}},
	{PAD_PKCS1, AUTH_HASH_SHA2_384, 15, {0x30, 0x0d, OID_RSA(12), ASN1_NULL}},
	{PAD_PKCS1, AUTH_HASH_SHA2_512, 15, {0x30, 0x0d, OID_RSA(13), ASN1_NULL}},
	{PAD_PKCS1, AUTH_HASH_SHA1, 15, {0x30, 0x0d, OID_RSA(5), ASN1_NULL}},
	{PAD_ECDSA, AUTH_HASH_SHA2_256, 12, {0x30, 0x0a, OID_ECDSA(2)}},
	{PAD_ECDSA, AUTH_HASH_SHA2_384, 12, {0x30, 0x0a, OID_ECDSA(3)}},
	{PAD_ECDSA, AUTH_HASH_SHA2_512, 12, {0x30, 0x0a, OID_ECDSA(4)}},
	{PAD_EDDSA, AUTH_HASH_IDENTITY, 7, {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70}},
};

static const struct scheme *scheme_find(enum pad pad, enum auth_hash hash)
{
	for (unsigned i = 0; i < N_ELEMS(schemes); i++)
		if (schemes[i].pad == pad && schemes[i].hash == hash)
			return &schemes[i];
	return NULL;
}

static const struct scheme *scheme_named(const uint8_t *aid, size_t len)
{
	for (unsigned i = 0; i < N_ELEMS(schemes); i++)
		if (schemes[i].len == len && !memcmp(schemes[i].aid, aid, len))
			return &schemes[i];
	return NULL;
}

/* RFC 4754 1: the curve's method, its hash, and the octets of each half of a signature. */
static const struct curve {
	enum auth_key key;
	uint8_t method;
	enum auth_hash hash;
	uint8_t half;
	const char *name;
} curves[] = {
	{AUTH_KEY_P256, IKE_AUTH_ECDSA_256, AUTH_HASH_SHA2_256, 32, "prime256v1"},
	{AUTH_KEY_P384, IKE_AUTH_ECDSA_384, AUTH_HASH_SHA2_384, 48, "secp384r1"},
	{AUTH_KEY_P521, IKE_AUTH_ECDSA_521, AUTH_HASH_SHA2_512, 66, "secp521r1"},
};

static const struct curve *curve_of(enum auth_key key)
{
	for (unsigned i = 0; i < N_ELEMS(curves); i++)
		if (curves[i].key == key)
			return &curves[i];
	return NULL;
}

bool auth_sig_method(uint8_t method)
{
	return method == IKE_AUTH_RSA || method == IKE_AUTH_SIGNATURE ||
	       (method >= IKE_AUTH_ECDSA_256 && method <= IKE_AUTH_ECDSA_521);
}

static const EVP_MD *digest(enum auth_hash hash)
{
	switch (hash) {
	case AUTH_HASH_SHA1:
		return EVP_sha1();
	case AUTH_HASH_SHA2_256:
		return EVP_sha256();
	case AUTH_HASH_SHA2_384:
		return EVP_sha384();
	case AUTH_HASH_SHA2_512:
		return EVP_sha512();
	case AUTH_HASH_IDENTITY: /* RFC 8420 2: the key's own algorithm hashes */
		break;
	}
	return NULL;
}

void auth_sig_hashes_encode(struct wr *w, unsigned hashes)
{
	for (unsigned h = AUTH_HASH_SHA1; h <= AUTH_HASH_IDENTITY; h++)
		if (hashes & AUTH_HASH_BIT(h))
			wr_u16(w, (uint16_t)h);
}

unsigned auth_sig_hashes_decode(const uint8_t *p, size_t len)
{
	struct rd r = rd_of(p, len);
	unsigned hashes = 0;

	while (rd_left(&r)) {
		unsigned h = rd_u16(&r);

		if (!r.bad && h >= AUTH_HASH_SHA1 && h <= AUTH_HASH_IDENTITY)
			hashes |= AUTH_HASH_BIT(h);
		if (r.bad)
			return 0;
	}
	return hashes;
}

/* ---- keys ---- */

static enum auth_key rsa_kind(const EVP_PKEY *key, struct text *why)
{
	BIGNUM *n = NULL, *e = NULL;
	enum auth_key kind = AUTH_KEY_NONE;
	int bits;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1) {
		text_say(why, "an RSA key without modulus or exponent");
		goto out;
	}
	bits = BN_num_bits(n);
	if (bits < AUTH_RSA_MIN || bits > AUTH_RSA_MAX)
		text_say(why, "an RSA key of %d bits: %d to %d are taken", bits, AUTH_RSA_MIN, AUTH_RSA_MAX);
	else if (!BN_is_odd(n))
		text_say(why, "an RSA key with an even modulus");
	else if (!BN_is_odd(e) || BN_is_one(e) || BN_num_bits(e) > 64)
		text_say(why, "an RSA key with a bad exponent");
	else
		kind = EVP_PKEY_is_a(key, "RSA-PSS") ? AUTH_KEY_RSA_PSS : AUTH_KEY_RSA;
out:
	BN_free(n);
	BN_free(e);
	return kind;
}

static enum auth_key ec_kind(const EVP_PKEY *key, struct text *why)
{
	char name[64] = "";
	int explicit_params = 0;

	/* RFC 5480 2.1.1: a curve is named, not described */
	(void)EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_params);
	if (!explicit_params &&
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name), NULL) == 1)
		for (unsigned i = 0; i < N_ELEMS(curves); i++)
			if (!strcmp(curves[i].name, name))
				return curves[i].key;
	text_say(why, "an EC key of a curve that is not taken: P-256, P-384 and P-521 are");
	return AUTH_KEY_NONE;
}

enum auth_key auth_sig_key(const EVP_PKEY *key, struct text *why)
{
	if (!key) {
		text_say(why, "a public key that cannot be read");
		return AUTH_KEY_NONE;
	}
	if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
		return rsa_kind(key, why);
	if (EVP_PKEY_is_a(key, "EC"))
		return ec_kind(key, why);
	if (EVP_PKEY_is_a(key, "ED25519"))
		return AUTH_KEY_ED25519;
	text_say(why, "a key that is neither RSA nor ECDSA nor Ed25519");
	return AUTH_KEY_NONE;
}

/* ---- signatures as OpenSSL knows them ---- */

struct octets {
	uint8_t *p;
	size_t len;
};

/* What is signed, in one piece: Ed25519 takes it no other way. */
static int collect(const struct auth_octets *o, struct octets *out)
{
	const struct crypto_part id = {.p = o->id, .len = o->id_len};
	uint8_t maced_id[CRYPTO_PRF_MAX];
	size_t prf_len = crypto_prf_len(o->prf);
	int err = crypto_prf(o->prf, o->sk_p->b, o->sk_p->len, &id, 1, maced_id);
	struct wr w;

	if (err)
		return err;
	out->len = o->message_len + o->peer_nonce->len + prf_len;
	out->p = xcalloc(1, out->len);
	w = wr_of(out->p, out->len);
	wr_copy(&w, o->message, o->message_len);
	wr_copy(&w, o->peer_nonce->b, o->peer_nonce->len);
	wr_copy(&w, maced_id, prf_len);
	secret_wipe(maced_id, sizeof(maced_id));
	return 0;
}

static bool set_pad(EVP_PKEY_CTX *ctx, enum pad pad)
{
	switch (pad) {
	case PAD_PKCS1:
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	case PAD_PSS:
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	case PAD_ECDSA:
	case PAD_EDDSA:
		return true;
	}
	return false;
}

static int sign(EVP_PKEY *key, enum pad pad, enum auth_hash hash, const struct octets *o, uint8_t *out, size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	int err = -EIO;

	if (!ctx)
		return -ENOMEM;
	if (EVP_DigestSignInit(ctx, &pctx, digest(hash), NULL, key) == 1 && set_pad(pctx, pad) &&
	    EVP_DigestSign(ctx, out, len, o->p, o->len) == 1)
		err = 0;
	EVP_MD_CTX_free(ctx);
	return err;
}

/* 0, -EACCES, or our own failure. OpenSSL's answers below 0 are no success. */
static int verify(EVP_PKEY *key, enum pad pad, enum auth_hash hash, const struct octets *o, const uint8_t *sig,
		  size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	int err = -EIO;

	if (!ctx)
		return -ENOMEM;
	if (EVP_DigestVerifyInit(ctx, &pctx, digest(hash), NULL, key) == 1 && set_pad(pctx, pad))
		err = EVP_DigestVerify(ctx, sig, len, o->p, o->len) == 1 ? 0 : -EACCES;
	EVP_MD_CTX_free(ctx);
	return err;
}

/* RFC 4754 7: r and s, each as long as the curve's order; OpenSSL's form is a SEQUENCE of two INTEGERs. */
static int verify_pair(EVP_PKEY *key, const struct curve *c, const struct octets *o, const struct auth_value *v)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(v->b, c->half, NULL), *s = BN_bin2bn(v->b + c->half, c->half, NULL);
	unsigned char *der = NULL;
	int len, err = -ENOMEM;

	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		goto out;
	}
	len = i2d_ECDSA_SIG(sig, &der);
	if (len > 0)
		err = verify(key, PAD_ECDSA, c->hash, o, der, (size_t)len);
out:
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return err;
}

static int sign_pair(EVP_PKEY *key, const struct curve *c, const struct octets *o, struct auth_value *out)
{
	uint8_t der[160];
	size_t len = sizeof(der);
	const unsigned char *p = der;
	ECDSA_SIG *sig;
	int err = sign(key, PAD_ECDSA, c->hash, o, der, &len);

	if (err)
		return err;
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	if (!sig)
		return -ENOMEM;
	out->method = c->method;
	out->len = (uint16_t)(2 * c->half);
	if (BN_bn2binpad(ECDSA_SIG_get0_r(sig), out->b, c->half) != c->half ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out->b + c->half, c->half) != c->half)
		err = -EIO;
	ECDSA_SIG_free(sig);
	return err;
}

/* ---- ours ---- */

/* The hash that fits the key's strength (SP 800-57 part 1, tables 2 and 3), else a stronger one, else a weaker one. 0: none. */
static enum auth_hash choose_hash(const EVP_PKEY *key, enum auth_key kind, unsigned hashes)
{
	int bits = EVP_PKEY_get_bits(key);
	enum auth_hash best = AUTH_HASH_SHA2_256;

	if (kind == AUTH_KEY_ED25519)
		return hashes & AUTH_HASH_BIT(AUTH_HASH_IDENTITY) ? AUTH_HASH_IDENTITY : 0;
	if (kind == AUTH_KEY_P384 || (kind <= AUTH_KEY_RSA_PSS && bits > 3072))
		best = AUTH_HASH_SHA2_384;
	if (kind == AUTH_KEY_P521 || (kind <= AUTH_KEY_RSA_PSS && bits > 7680))
		best = AUTH_HASH_SHA2_512;
	for (unsigned h = best; h <= AUTH_HASH_SHA2_512; h++)
		if (hashes & AUTH_HASH_BIT(h))
			return h;
	for (unsigned h = best - 1; h >= AUTH_HASH_SHA2_256; h--)
		if (hashes & AUTH_HASH_BIT(h))
			return h;
	return 0;
}

static enum pad choose_pad(enum auth_key kind, bool pkcs1)
{
	switch (kind) {
	case AUTH_KEY_RSA:
		return pkcs1 ? PAD_PKCS1 : PAD_PSS;
	case AUTH_KEY_RSA_PSS:
		return PAD_PSS;
	case AUTH_KEY_ED25519:
		return PAD_EDDSA;
	case AUTH_KEY_P256:
	case AUTH_KEY_P384:
	case AUTH_KEY_P521:
	case AUTH_KEY_NONE:
		break;
	}
	return PAD_ECDSA;
}

/* RFC 7427 3: length, AlgorithmIdentifier, signature. */
static int make_named(EVP_PKEY *key, const struct scheme *s, const struct octets *o, struct auth_value *out)
{
	size_t room = sizeof(out->b) - 1 - s->len;
	int err;

	out->method = IKE_AUTH_SIGNATURE;
	out->b[0] = s->len;
	memcpy(out->b + 1, s->aid, s->len);
	err = sign(key, s->pad, s->hash, o, out->b + 1 + s->len, &room);
	out->len = err ? 0 : (uint16_t)(1 + s->len + room);
	return err;
}

/* The peer has announced nothing that fits. */
static int make_old(EVP_PKEY *key, enum auth_key kind, const struct octets *o, const struct auth_sig_params *p,
		    struct auth_value *out, struct text *why)
{
	const struct curve *c = curve_of(kind);
	size_t room = sizeof(out->b);
	int err;

	if (c)
		return sign_pair(key, c, o, out);
	if (kind != AUTH_KEY_RSA) {
		text_say(why,
			 "the peer has no hash for our %s key (RFC 7427): give it software that has, or use an RSA or "
			 "ECDSA key here",
			 kind == AUTH_KEY_ED25519 ? "Ed25519" : "RSASSA-PSS");
		return -ENOTSUP;
	}
	out->method = IKE_AUTH_RSA;
	err = sign(key, PAD_PKCS1, p->legacy ? AUTH_HASH_SHA1 : AUTH_HASH_SHA2_256, o, out->b, &room);
	out->len = err ? 0 : (uint16_t)room;
	return err;
}

int auth_sig_make(EVP_PKEY *key, const struct auth_octets *o, const struct auth_sig_params *p, struct auth_value *out,
		  struct text *why)
{
	enum auth_key kind = auth_sig_key(key, why);
	enum auth_hash hash;
	struct octets octets;
	int err;

	memset(out, 0, sizeof(*out));
	if (kind == AUTH_KEY_NONE)
		return -ENOTSUP;
	err = collect(o, &octets);
	if (!err) {
		hash = choose_hash(key, kind, p->hashes);
		err = hash ? make_named(key, scheme_find(choose_pad(kind, p->pkcs1), hash), &octets, out)
			   : make_old(key, kind, &octets, p, out, why);
		free(octets.p);
	}
	if (err && err != -ENOTSUP)
		text_say(why, "the signature could not be made (internal error)");
	ERR_clear_error();
	return err;
}

/* ---- the peer's ---- */

static bool fits(enum auth_key kind, enum pad pad)
{
	switch (pad) {
	case PAD_PKCS1:
		return kind == AUTH_KEY_RSA;
	case PAD_PSS:
		return kind == AUTH_KEY_RSA || kind == AUTH_KEY_RSA_PSS;
	case PAD_ECDSA:
		return curve_of(kind) != NULL;
	case PAD_EDDSA:
		return kind == AUTH_KEY_ED25519;
	}
	return false;
}

static bool rsa_length_ok(const EVP_PKEY *key, enum auth_key kind, size_t len)
{
	return (kind != AUTH_KEY_RSA && kind != AUTH_KEY_RSA_PSS) || len == (size_t)EVP_PKEY_get_size(key);
}

static int verify_named(EVP_PKEY *key, enum auth_key kind, const struct octets *o, const struct auth_sig_params *p,
			const struct auth_value *v, bool *used_pkcs1, struct text *why)
{
	struct rd r = rd_of(v->b, v->len);
	size_t aid_len = rd_u8(&r);
	const uint8_t *aid = rd_take(&r, aid_len), *sig;
	const struct scheme *s = aid ? scheme_named(aid, aid_len) : NULL;
	size_t len = rd_left(&r);

	if (!p->hashes) {
		text_say(why, "it signs by RFC 7427, which was not agreed upon: its IKE software has a fault");
		return -EACCES;
	}
	if (!s) {
		text_say(why, "its signature names an algorithm that is not taken: RSA with PKCS #1 or PSS, ECDSA with "
			      "SHA2, and Ed25519 are");
		return -EACCES;
	}
	if (!(p->hashes & AUTH_HASH_BIT(s->hash))) {
		text_say(why, "its signature uses a hash that was not offered%s: its IKE software has a fault",
			 s->hash == AUTH_HASH_SHA1 ? " (SHA1)" : "");
		return -EACCES;
	}
	if (!fits(kind, s->pad)) {
		text_say(
			why,
			"its signature's algorithm is not that of its certificate's key: its IKE software has a fault");
		return -EACCES;
	}
	sig = rd_take(&r, len);
	if (!sig || !rsa_length_ok(key, kind, len))
		return -EACCES;
	if (used_pkcs1)
		*used_pkcs1 = s->pad == PAD_PKCS1;
	return verify(key, s->pad, s->hash, o, sig, len);
}

/* RFC 7296 3.8, method 1: which hash is in the signature's own octets; OpenSSL builds the padding for a hash and compares all of it,
 * so that is asked for one after the other. */
static int verify_rsa(EVP_PKEY *key, const struct octets *o, const struct auth_sig_params *p,
		      const struct auth_value *v, struct text *why)
{
	static const enum auth_hash hashes[] = {AUTH_HASH_SHA2_256, AUTH_HASH_SHA2_384, AUTH_HASH_SHA2_512,
						AUTH_HASH_SHA1};
	int err = -EACCES;

	if (!rsa_length_ok(key, AUTH_KEY_RSA, v->len))
		return -EACCES;
	for (unsigned i = 0; err == -EACCES && i < N_ELEMS(hashes); i++) {
		err = verify(key, PAD_PKCS1, hashes[i], o, v->b, v->len);
		if (err == 0 && hashes[i] == AUTH_HASH_SHA1 && !p->legacy) {
			text_say(why,
				 "its signature uses SHA1: have it sign by RFC 7427 with SHA2, or write `legacy: true` "
				 "under ike of this tunnel");
			return -EACCES;
		}
	}
	return err;
}

static int verify_by_method(EVP_PKEY *key, enum auth_key kind, const struct octets *o, const struct auth_sig_params *p,
			    const struct auth_value *v, bool *used_pkcs1, struct text *why)
{
	const struct curve *c = curve_of(kind);

	if (v->method == IKE_AUTH_SIGNATURE)
		return verify_named(key, kind, o, p, v, used_pkcs1, why);
	if (v->method == IKE_AUTH_RSA && kind == AUTH_KEY_RSA)
		return verify_rsa(key, o, p, v, why);
	if (c && c->method == v->method)
		return v->len == 2 * c->half ? verify_pair(key, c, o, v) : -EACCES;
	text_say(why, "its AUTH method (%u) is not one of its certificate's key: its IKE software has a fault",
		 v->method);
	return -EACCES;
}

int auth_sig_verify(EVP_PKEY *key, const struct auth_octets *o, const struct auth_sig_params *p,
		    const struct auth_value *v, bool *used_pkcs1, struct text *why)
{
	enum auth_key kind = auth_sig_key(key, why);
	struct octets octets;
	int err;

	if (kind == AUTH_KEY_NONE)
		return -EACCES;
	err = collect(o, &octets);
	if (!err) {
		err = verify_by_method(key, kind, &octets, p, v, used_pkcs1, why);
		free(octets.p);
	}
	if (err == -EACCES && !why->len)
		text_say(why, "its signature does not fit its certificate's key: it has another private key, or the "
			      "messages were changed on the way");
	else if (err && err != -EACCES)
		text_say(why, "its signature could not be checked (internal error)");
	ERR_clear_error();
	return err;
}
