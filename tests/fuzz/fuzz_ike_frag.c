/* What an authenticated peer may say in fragments (RFC 7383): messages in pieces, in any order, with any numbers. The input is a
 * list of orders of 8 octets: number, total (16 bits each), message id, type, length of the piece (in 4s), what is done to it.
 * A model beside it says what must be kept. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ORDER_LEN = 8, FORGE = 1, LATE = 2 };

static uint8_t buf[4096], text[IKE_MSG_MAX];

static void must(bool ok)
{
	if (!ok)
		abort();
}

static const struct sk_key *key(uint64_t iv)
{
	static const struct secret gcm = {.len = 36};
	static struct sk_key k;

	k = (struct sk_key){.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256), .e = &gcm, .iv = iv};
	return &k;
}

static bool fragment(const uint8_t *order, uint64_t iv, struct ike_msg *m)
{
	const struct ike_hdr h = {.spi_i = 1, .spi_r = 2, .exchange = IKE_X_AUTH, .mid = order[4]};
	static const uint8_t random[SK_RANDOM_LEN];
	struct sk_key k = *key(iv);
	struct wire_out o;
	size_t len;

	wire_msg_begin(&o, buf, sizeof(buf), &h);
	sk_begin_fragment(&o, &k, (uint16_t)(order[0] << 8 | order[1]), (uint16_t)(order[2] << 8 | order[3]), order[5]);
	for (unsigned i = 0; i < order[6] * 4u; i++)
		wr_u8(&o.w, order[1]);
	len = sk_seal(&o, &k, random);
	must(len > 0);
	if (order[7] & FORGE)
		buf[len - 1] ^= 1;
	return wire_parse(buf, len, m) == IKE_V_OK;
}

/* What was collected is what the set says of itself. */
static void sound(const struct frag_set *s)
{
	uint32_t octets = 0, have = 0;

	for (unsigned i = 0; i < s->total; i++) {
		have += s->piece[i].p != NULL;
		octets += s->piece[i].p ? s->piece[i].len : 0;
	}
	must(have == s->have && octets == s->octets && octets <= FRAG_OCTETS_MAX && s->total <= FRAG_COUNT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct frag_set s = {.total = 0};
	uint64_t now_ms = 0;

	for (uint64_t n = 0; len >= ORDER_LEN; data += ORDER_LEN, len -= ORDER_LEN, n++) {
		unsigned num = (unsigned)data[0] << 8 | data[1], total = (unsigned)data[2] << 8 | data[3];
		uint16_t had = s.have, of = s.total;
		static struct ike_msg m;
		static struct ike_chain c;
		size_t whole = 0;

		now_ms += data[7] & LATE ? FRAG_MS : 1;
		if (!fragment(data, n, &m))
			continue;
		switch (frag_take(&s, &m, key(0), text, sizeof(text), &whole, now_ms)) {
		case FRAG_BAD:
			must(!num || num > total || total < of || (num > 1 && data[5]));
			break;
		case FRAG_REPEAT:
			must(s.have == had && total == of);
			break;
		case FRAG_FORGED:
			must(data[7] & FORGE);
			break;
		case FRAG_FLOOD:
			must(s.total == 0 && !(data[7] & FORGE));
			break;
		case FRAG_KEPT:
			must(s.have < s.total && s.total == total && s.piece[num - 1].p && !(data[7] & FORGE));
			break;
		case FRAG_WHOLE:
			must(s.have == s.total && whole == s.octets && s.total == total);
			(void)!wire_chain_parse(s.next, rd_of(text, whole), &c);
			frag_drop(&s);
			break;
		}
		sound(&s);
	}
	frag_drop(&s);
	return 0;
}
