#include "dataplane/crypto_kat_esp.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "dataplane/crypto_jobs.h"
#include "dataplane/crypto_kat.h"
#include "ring/msg.h"

enum { HDR = 8, TEXT_MAX = 1440, PACKET_MAX = HDR + CRYPTO_IV_MAX + TEXT_MAX + CRYPTO_ICV_MAX };

static const uint8_t head[HDR] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
static const uint8_t high[4] = {0x99, 0xaa, 0xbb, 0xcc};

struct bench {
	struct crypto c;
	struct crypto_batch b;
	struct crypto_key key[N_ELEMS(crypto_kat_rows)];
	uint8_t packet[VEC_BURST][PACKET_MAX];
};

static uint8_t text_octet(unsigned i)
{
	return (uint8_t)(i * 7 + 3 + (i >> 8));
}

static void fill(struct bench *x, unsigned at, unsigned row)
{
	const struct crypto_kat_row *r = &crypto_kat_rows[row];
	const struct crypto_form *f = &crypto_forms[r->suite];
	uint8_t *p = x->packet[at], raw[MSG_KEY_MAX];
	struct crypto_op *op = &x->b.op[at];

	for (unsigned i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 3 + 1);
	crypto_key_set(&x->c, &x->key[row], (enum crypto_suite)r->suite, raw);
	*op = (struct crypto_op){.data = p + HDR + f->iv_len,
				 .key = &x->key[row],
				 .salt = crypto_salt((enum crypto_suite)r->suite, raw),
				 .len = r->len,
				 .suite = r->suite,
				 .aad_len = r->esn ? 12 : 8};
	memcpy(op->aad, head, 4);
	memcpy(op->aad + 4, high, 4);
	memcpy(op->aad + (r->esn ? 8 : 4), head + 4, 4);
	memcpy(p, head, HDR);
	for (unsigned i = 0; i < f->iv_len; i++)
		p[HDR + i] = (uint8_t)(0xa0 + i);
	for (unsigned i = 0; i < CRYPTO_IV; i++)
		op->iv[i] = (uint8_t)(0xa0 + i);
	for (unsigned i = 0; i < r->len; i++)
		op->data[i] = text_octet(i);
}

static bool sealed_right(const struct bench *x, unsigned at, unsigned row)
{
	const struct crypto_kat_row *r = &crypto_kat_rows[row];
	const struct crypto_op *op = &x->b.op[at];

	return op->result == CRYPTO_OK && secret_equal(op->data + op->len, r->icv, sizeof(r->icv));
}

static bool opened_right(const struct bench *x, unsigned at, bool spoilt)
{
	const struct crypto_op *op = &x->b.op[at];
	uint8_t wrong = 0;

	if (op->result != (spoilt ? CRYPTO_BAD_ICV : CRYPTO_OK))
		return false;
	for (unsigned i = 0; i < op->len; i++)
		wrong |= (uint8_t)(op->data[i] ^ text_octet(i));
	return wrong == 0;
}

/* `count` of the rows, from `first` on, in one batch: so that suites are mixed and lanes are full, half full and empty. There, and
 * back with each third ICV spoilt. */
static bool batch_right(struct bench *x, unsigned first, unsigned step, unsigned count)
{
	struct crypto_batch *b = &x->b;
	unsigned row[VEC_BURST], n;

	b->n = (uint16_t)count;
	b->dir = CRYPTO_ENCRYPT;
	b->failed = 0;
	for (n = 0; n < count; n++) {
		row[n] = (first + n * step) % N_ELEMS(crypto_kat_rows);
		fill(x, n, row[n]);
	}
	crypto_jobs_run(&x->c, b);
	for (unsigned i = 0; i < n; i++)
		if (!sealed_right(x, i, row[i]))
			return false;
	b->dir = CRYPTO_DECRYPT;
	for (unsigned i = 0; i < n; i += 3)
		b->op[i].data[b->op[i].len + crypto_forms[b->op[i].suite].icv_len - 1] ^= 1;
	crypto_jobs_run(&x->c, b);
	for (unsigned i = 0; i < n; i++)
		if (!opened_right(x, i, i % 3 == 0))
			return false;
	return true;
}

/* Enough packets to fill all lanes; 3DES is slow and has 16 at most. */
static unsigned lanes_of(const struct crypto_kat_row *r)
{
	return crypto_forms[r->suite].encr == MSG_ENCR_3DES_CBC ? 17 : VEC_BURST;
}

bool crypto_kat_esp_pass(IMB_MGR *mgr)
{
	struct bench *x = aligned_alloc(64, sizeof(*x));
	bool right = x != NULL;

	if (x != NULL)
		crypto_attach(&x->c, mgr);
	for (unsigned i = 0; right && i < N_ELEMS(crypto_kat_rows); i++)
		right = batch_right(x, i, 0, lanes_of(&crypto_kat_rows[i])) &&
			(i % 8 != 0 || batch_right(x, i, 1, VEC_BURST));
	free(x);
	return right;
}
