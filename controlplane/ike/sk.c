#include "controlplane/ike/sk.h"

#include <errno.h>

#include "controlplane/ike/crypto.h"

_Static_assert((int)IKE_SK_IV_LEN == (int)CRYPTO_IV_LEN, "RFC 5282 3.1");

enum { LEN_AT = 24 };

void sk_begin(struct wire_out *o)
{
	wire_payload(o, IKE_PL_SK);
	o->sk_at = o->open_at;
	o->open_at = 0; /* its length is patched in sk_seal(), behind those of the payloads inside */
	wr_zero(&o->w, IKE_SK_IV_LEN);
}

/* Octets from the SK payload's start to its ciphertext. */
enum { TEXT_OFF = IKE_PAYLOAD_HDR_LEN + IKE_SK_IV_LEN };

size_t sk_seal(struct wire_out *o, struct sk_key *k)
{
	size_t text_at = o->sk_at + TEXT_OFF, text_len, icv_at;
	struct wr iv;

	wire_payload_end(o);
	wr_u8(&o->w, 0); /* RFC 5282 3: no alignment is needed, so no padding but its length */
	text_len = o->w.len - text_at;
	icv_at = o->w.len;
	wr_zero(&o->w, CRYPTO_ICV_LEN);
	wr_len16_end(&o->w, o->sk_at + 2, o->sk_at);
	if (o->w.full || o->sk_at == 0 || k->iv == UINT64_MAX)
		goto wipe;
	/* both lengths are part of the AAD */
	wr_patch32(&o->w, LEN_AT, (uint32_t)o->w.len);
	iv = wr_of(o->w.buf + o->sk_at + IKE_PAYLOAD_HDR_LEN, IKE_SK_IV_LEN);
	wr_u64(&iv, ++k->iv);
	if (crypto_seal(k->encr, &k->key, iv.buf, o->w.buf, o->sk_at + IKE_PAYLOAD_HDR_LEN, o->w.buf + text_at,
			text_len, o->w.buf + icv_at) < 0)
		goto wipe;
	return o->w.len;
wipe:
	if (o->sk_at && o->w.len > text_at)
		secret_wipe(o->w.buf + text_at, o->w.len - text_at);
	return 0;
}

/* Take padding and its length off the plaintext; false: there is less text than it says. RFC 7296 3.14. */
static bool unpad(const uint8_t *text, size_t *len)
{
	size_t pad = text[*len - 1];

	if (pad + 1 > *len)
		return false;
	*len -= pad + 1;
	return true;
}

enum ike_verdict sk_open(const struct ike_msg *m, const struct alg *encr, const struct secret *key, uint8_t *text,
			 size_t cap, struct ike_chain *inner)
{
	struct rd r = m->sk;
	const uint8_t *iv, *icv;
	size_t len;
	int err;

	inner->n = 0;
	inner->seen = inner->repeated = 0;
	inner->n_unknown = 0;
	inner->critical_type = 0;
	iv = rd_take(&r, IKE_SK_IV_LEN);
	if (!m->has_sk || !iv || rd_left(&r) < CRYPTO_ICV_LEN + 1)
		return IKE_V_DECRYPT; /* not even the pad length */
	len = rd_left(&r) - CRYPTO_ICV_LEN;
	if (len > cap)
		return IKE_V_INTERNAL;
	rd_copy(&r, text, len);
	icv = rd_take(&r, CRYPTO_ICV_LEN);
	err = crypto_open(encr, key, iv, m->raw, m->aad_len, text, len, icv);
	if (err)
		return err == -EBADMSG ? IKE_V_DECRYPT : IKE_V_INTERNAL;
	if (!unpad(text, &len)) {
		secret_wipe(text, len);
		return IKE_V_SYNTAX;
	}
	return wire_chain_parse(m->sk_next, rd_of(text, len), inner);
}
