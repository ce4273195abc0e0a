#include "controlplane/ike/sk.h"

#include <errno.h>
#include <string.h>

enum { LEN_AT = 24, FRAGMENT_HDR_LEN = 4 };

static size_t icv_len(const struct sk_key *k)
{
	return k->encr->aead ? k->encr->icv_len : k->integ->icv_len;
}

/* ---- sealing ---- */

/* The payload's header is written; what follows is its inside. */
static void begin_text(struct wire_out *o, const struct sk_key *k)
{
	o->sk_at = o->open_at;
	o->open_at = 0; /* its length is patched in sk_seal(), behind those of the payloads inside */
	wr_zero(&o->w, k->encr->iv_len);
	o->text_at = o->w.len;
}

void sk_begin(struct wire_out *o, const struct sk_key *k)
{
	wire_payload(o, IKE_PL_SK);
	begin_text(o, k);
}

void sk_begin_fragment(struct wire_out *o, const struct sk_key *k, uint16_t num, uint16_t total, uint8_t next)
{
	wire_payload(o, IKE_PL_SKF);
	wr_patch8(&o->w, o->open_at, next);
	wr_u16(&o->w, num);
	wr_u16(&o->w, total);
	begin_text(o, k);
}

/* RFC 7296 3.14: pad to the block, the pad length being its last octet. What is in the padding does not matter; an AEAD needs
 * none (RFC 5282 3). */
static void pad(struct wire_out *o, const struct sk_key *k)
{
	size_t over = (o->w.len - o->text_at + 1) % k->encr->block;
	uint8_t n = over ? (uint8_t)(k->encr->block - over) : 0;

	wr_zero(&o->w, n);
	wr_u8(&o->w, n);
}

/* The message is whole but for IV, cipher and ICV. */
static bool seal_aead(struct wire_out *o, struct sk_key *k, size_t icv_at)
{
	uint8_t *buf = o->w.buf;
	size_t iv_at = o->text_at - CRYPTO_IV_LEN;
	struct wr iv = wr_of(buf + iv_at, CRYPTO_IV_LEN);

	if (k->iv == UINT64_MAX)
		return false;
	wr_u64(&iv, ++k->iv);
	return crypto_seal(k->encr, k->e, iv.buf, buf, iv_at, buf + o->text_at, icv_at - o->text_at, buf + icv_at) == 0;
}

/* RFC 7296 3.14: encipher, then the ICV over all that is before it. */
static bool seal_cbc(struct wire_out *o, const struct sk_key *k, size_t icv_at, const uint8_t *random)
{
	uint8_t *buf = o->w.buf, *iv = buf + o->text_at - k->encr->iv_len, icv[CRYPTO_ICV_MAX];
	const struct crypto_part all = {.p = buf, .len = icv_at};

	memcpy(iv, random, k->encr->iv_len);
	if (crypto_cbc(k->encr, k->e, iv, true, buf + o->text_at, icv_at - o->text_at) < 0 ||
	    crypto_integ(k->integ, k->a, &all, 1, icv) < 0)
		return false;
	memcpy(buf + icv_at, icv, k->integ->icv_len);
	return true;
}

size_t sk_seal(struct wire_out *o, struct sk_key *k, const uint8_t random[SK_RANDOM_LEN])
{
	size_t icv_at;

	wire_payload_end(o);
	pad(o, k);
	icv_at = o->w.len;
	wr_zero(&o->w, icv_len(k));
	wr_len16_end(&o->w, o->sk_at + 2, o->sk_at);
	if (o->w.full || o->sk_at == 0)
		goto wipe;
	/* both lengths are protected too */
	wr_patch32(&o->w, LEN_AT, (uint32_t)o->w.len);
	if (k->encr->aead ? seal_aead(o, k, icv_at) : seal_cbc(o, k, icv_at, random))
		return o->w.len;
wipe:
	if (o->sk_at && o->w.len > o->text_at)
		secret_wipe(o->w.buf + o->text_at, o->w.len - o->text_at);
	return 0;
}

size_t sk_room(const struct sk_key *k, size_t size, bool fragment)
{
	size_t fixed =
		IKE_HDR_LEN + IKE_PAYLOAD_HDR_LEN + (fragment ? FRAGMENT_HDR_LEN : 0) + k->encr->iv_len + icv_len(k);
	size_t text = size > fixed ? size - fixed : 0;

	text -= text % k->encr->block;
	return text > 0 ? text - 1 : 0; /* the pad length */
}

/* ---- opening ---- */

/* Take padding and its length off the plaintext; false: there is less text than it says. RFC 7296 3.14. */
static bool unpad(const uint8_t *text, size_t *len)
{
	size_t n = text[*len - 1];

	if (n + 1 > *len)
		return false;
	*len -= n + 1;
	return true;
}

/* text holds the ciphertext. 0, -EBADMSG, or our own failure. */
static int decipher(const struct ike_msg *m, const struct sk_key *k, const uint8_t *iv, uint8_t *text, size_t len,
		    const uint8_t *icv)
{
	const struct crypto_part all = {.p = m->raw, .len = m->len - icv_len(k)};
	uint8_t want[CRYPTO_ICV_MAX];
	int err;

	if (k->encr->aead)
		return crypto_open(k->encr, k->e, iv, m->raw, m->aad_len, text, len, icv);
	/* RFC 7296 3.14, and the one safe order: nothing is deciphered that is not authentic */
	err = crypto_integ(k->integ, k->a, &all, 1, want);
	if (!err && !secret_equal(want, icv, k->integ->icv_len))
		err = -EBADMSG;
	secret_wipe(want, sizeof(want));
	if (err) {
		secret_wipe(text, len);
		return err;
	}
	return crypto_cbc(k->encr, k->e, iv, false, text, len);
}

enum ike_verdict sk_open_text(const struct ike_msg *m, const struct sk_key *k, uint8_t *text, size_t cap, size_t *len)
{
	struct rd r = m->sk;
	const uint8_t *iv, *icv;
	size_t n;
	int err;

	*len = 0;
	iv = rd_take(&r, k->encr->iv_len);
	if (!m->has_sk || !iv || rd_left(&r) < icv_len(k) + 1)
		return IKE_V_DECRYPT; /* not even the pad length */
	n = rd_left(&r) - icv_len(k);
	if (n % k->encr->block)
		return IKE_V_DECRYPT;
	if (n > cap)
		return IKE_V_INTERNAL;
	rd_copy(&r, text, n);
	icv = rd_take(&r, icv_len(k));
	err = decipher(m, k, iv, text, n, icv);
	if (err)
		return err == -EBADMSG ? IKE_V_DECRYPT : IKE_V_INTERNAL;
	if (!unpad(text, &n)) {
		secret_wipe(text, n);
		return IKE_V_SYNTAX;
	}
	*len = n;
	return IKE_V_OK;
}

enum ike_verdict sk_open(const struct ike_msg *m, const struct sk_key *k, uint8_t *text, size_t cap,
			 struct ike_chain *inner)
{
	enum ike_verdict v;
	size_t len;

	inner->n = 0;
	inner->seen = inner->repeated = 0;
	inner->n_unknown = 0;
	inner->critical_type = 0;
	v = m->is_fragment ? IKE_V_DECRYPT : sk_open_text(m, k, text, cap, &len);
	return v == IKE_V_OK ? wire_chain_parse(m->sk_next, rd_of(text, len), inner) : v;
}
