#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/crypto.h"
#include "controlplane/ike/payload.h"
#include "controlplane/ike/sk.h"
#include "tests/unit/ike/hex.h"

static const struct ike_hdr hdr = {
	.spi_i = 0x1111, .spi_r = 0x2222, .exchange = IKE_X_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR, .mid = 3};

static const uint8_t random_iv[SK_RANDOM_LEN] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99};

/* Each suite of the SK payload. */
static const struct suite {
	uint16_t encr, bits, integ;
} suites[] = {
	{ALG_ENCR_AES_GCM_16, 128, 0},
	{ALG_ENCR_AES_GCM_16, 192, 0},
	{ALG_ENCR_AES_GCM_16, 256, 0},
	{ALG_ENCR_CHACHA20_POLY1305, 0, 0},
	{ALG_ENCR_AES_CBC, 128, ALG_INTEG_HMAC_SHA2_256_128},
	{ALG_ENCR_AES_CBC, 192, ALG_INTEG_HMAC_SHA2_384_192},
	{ALG_ENCR_AES_CBC, 256, ALG_INTEG_HMAC_SHA2_512_256},
	{ALG_ENCR_AES_CBC, 256, ALG_INTEG_HMAC_SHA1_96},
	{ALG_ENCR_3DES, 0, ALG_INTEG_HMAC_SHA2_256_128},
};

static struct sk_key key_of_suite(const struct suite *s)
{
	static struct secret e[N_ELEMS(suites)], a[N_ELEMS(suites)];
	size_t at = (size_t)(s - suites);
	struct sk_key k = {.encr = alg_find(ALG_ENCR, s->encr, s->bits),
			   .integ = s->integ ? alg_find(ALG_INTEG, s->integ, 0) : NULL,
			   .e = &e[at],
			   .a = &a[at]};

	e[at].len = k.encr->key_len;
	a[at].len = k.integ ? k.integ->key_len : 0;
	for (unsigned i = 0; i < e[at].len; i++)
		e[at].b[i] = (uint8_t)(i * 3 + s->bits);
	for (unsigned i = 0; i < a[at].len; i++)
		a[at].b[i] = (uint8_t)(i * 5 + s->bits);
	return k;
}

static struct sk_key key_of(uint16_t bits)
{
	return key_of_suite(&suites[bits / 64 - 2]);
}

/* A message with a clear Vendor ID and two payloads inside. */
static size_t seal(struct sk_key *k, uint8_t *buf, size_t cap)
{
	struct wire_out o;

	wire_msg_begin(&o, buf, cap, &hdr);
	wire_payload(&o, IKE_PL_VENDOR);
	wr_u32(&o.w, 0xaabbccdd);
	sk_begin(&o, k);
	payload_notify_add(&o, N_INITIAL_CONTACT, NULL, 0);
	wire_payload(&o, IKE_PL_DELETE);
	payload_delete_encode(&o.w, IKE_PROTO_IKE, NULL, 0);
	return sk_seal(&o, k, random_iv);
}

static void what_is_sealed_opens(void **state)
{
	(void)state;
	for (unsigned bits = 128; bits <= 256; bits += 128) {
		struct sk_key k = key_of((uint16_t)bits);
		uint8_t buf[256], text[256];
		size_t len = seal(&k, buf, sizeof(buf));
		struct ike_msg m;
		struct ike_chain inner;
		struct payload_notify n;

		/* header, Vendor ID, SK header, IV, Notify, Delete, pad length, ICV */
		assert_int_equal(len, 28 + 8 + 4 + 8 + 8 + 8 + 1 + 16);
		assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
		assert_true(m.has_sk);
		assert_int_equal(m.sk_next, IKE_PL_NOTIFY);
		assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_OK);
		assert_int_equal(inner.n, 2);
		assert_true(payload_notify_find(&inner, N_INITIAL_CONTACT, &n));
		assert_int_equal(inner.pl[1].type, IKE_PL_DELETE);
	}
}

static void an_empty_inside_opens(void **state)
{
	struct sk_key k = key_of(256);
	uint8_t buf[256], text[256];
	struct wire_out o;
	struct ike_msg m;
	struct ike_chain inner;
	size_t len;

	(void)state;
	wire_msg_begin(&o, buf, sizeof(buf), &hdr);
	sk_begin(&o, &k);
	len = sk_seal(&o, &k, random_iv);
	assert_int_equal(len, 28 + 4 + 8 + 1 + 16);
	assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
	assert_int_equal(m.sk_next, 0);
	assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_OK);
	assert_int_equal(inner.n, 0);
}

/* RFC 5282 3.1: an IV is used once with a key. */
static void each_message_has_its_own_iv(void **state)
{
	struct sk_key k = key_of(256);
	uint8_t a[256], b[256];
	size_t len = seal(&k, a, sizeof(a));

	(void)state;
	assert_int_equal(seal(&k, b, sizeof(b)), len);
	assert_memory_not_equal(a + 40, b + 40, 8);
	assert_memory_not_equal(a + 48, b + 48, 16);
	assert_int_equal(k.iv, 2);
	k.iv = UINT64_MAX;
	assert_int_equal(seal(&k, b, sizeof(b)), 0);
}

/* RFC 7296 3.14 octet by octet: IV, padding, order of cipher and ICV. */
static void cbc_is_padded_enciphered_and_then_authenticated(void **state)
{
	(void)state;
	for (const struct suite *s = suites; s < suites + N_ELEMS(suites); s++) {
		struct sk_key k = key_of_suite(s);
		uint8_t buf[256], icv[CRYPTO_ICV_MAX],
			want[16] = {IKE_PL_DELETE, 0, 0, 8, 0, 0, 0x40, 0, 0, 0, 0, 8, 1};
		size_t len = seal(&k, buf, sizeof(buf)), iv = 28 + 8 + 4, n = len - iv - k.encr->iv_len;
		const struct crypto_part all = {buf, len - (k.integ ? k.integ->icv_len : 0)};

		if (!k.integ)
			continue;
		n -= k.integ->icv_len;
		assert_int_equal(n, k.encr->block == 16 ? 32 : 24); /* 16 of payloads, 1 of length */
		assert_memory_equal(buf + iv, random_iv, k.encr->iv_len);
		assert_int_equal(crypto_integ(k.integ, k.a, &all, 1, icv), 0);
		assert_memory_equal(buf + all.len, icv, k.integ->icv_len);
		assert_int_equal(crypto_cbc(k.encr, k.e, buf + iv, false, buf + iv + k.encr->iv_len, n), 0);
		assert_memory_equal(buf + iv + k.encr->iv_len, want, 13);
		assert_int_equal(buf[iv + k.encr->iv_len + n - 1], n - 17);
	}
}

/* An authentic text that no CBC cipher can have made: one octet more than blocks. */
static void a_broken_block_is_not_read(void **state)
{
	struct sk_key k = key_of_suite(&suites[4]);
	uint8_t buf[128], text[128], icv[CRYPTO_ICV_MAX];
	struct wire_out o;
	struct ike_msg m;
	size_t len, n;

	(void)state;
	wire_msg_begin(&o, buf, sizeof(buf), &hdr);
	wire_payload(&o, IKE_PL_SK);
	wr_zero(&o.w, 16 + 33 + 16);
	len = wire_msg_end(&o);
	assert_int_equal(crypto_integ(k.integ, k.a, &(struct crypto_part){buf, len - 16}, 1, icv), 0);
	memcpy(buf + len - 16, icv, 16);
	assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
	assert_int_equal(sk_open_text(&m, &k, text, sizeof(text), &n), IKE_V_DECRYPT);
}

/* RFC 7634 appendix B. */
static void chacha20_gives_rfc7634_message(void **state)
{
	static const char example[] = "c0c1c2c3c4c5c6c7 d0d1d2d3d4d5d6d7 2e202500 00000009 00000045 29000029 "
				      "1011121314151617 610394701f8d017f"
				      "7c12924889 6b71bfe25236efd7cdc67066906315b2";
	struct secret key = {.len = 36};
	const struct sk_key k = {.encr = alg_find(ALG_ENCR, ALG_ENCR_CHACHA20_POLY1305, 0), .e = &key};
	uint8_t msg[69], text[69];
	struct ike_chain inner;
	struct payload_notify n;
	struct ike_msg m;

	(void)state;
	for (unsigned i = 0; i < 36; i++)
		key.b[i] = (uint8_t)(0x80 + i);
	assert_int_equal(hex(example, msg), 69);
	assert_int_equal(wire_parse(msg, 69, &m), IKE_V_OK);
	assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_OK);
	assert_true(payload_notify_find(&inner, 16385, &n));
	assert_int_equal(n.data[3], 10);
}

/* What fits by sk_room() fits, and one octet more does not. */
static void room_is_what_fits(void **state)
{
	(void)state;
	for (const struct suite *s = suites; s < suites + N_ELEMS(suites); s++)
		for (size_t size = 104; size < 140; size++)
			for (int frag = 0; frag < 2; frag++)
				for (size_t more = 0; more < 2; more++) {
					struct sk_key k = key_of_suite(s);
					uint8_t buf[256];
					struct wire_out o;
					size_t len;

					wire_msg_begin(&o, buf, sizeof(buf), &hdr);
					if (frag)
						sk_begin_fragment(&o, &k, 2, 3, 0);
					else
						sk_begin(&o, &k);
					wr_zero(&o.w, sk_room(&k, size, frag) + more);
					len = sk_seal(&o, &k, random_iv);
					assert_true(len > 0 && (len <= size) == !more);
				}
}

/* Every bit of the message is protected: header, clear payloads, IV, text and ICV. */
static void any_changed_bit_is_noticed_and_no_text_is_left(void **state)
{
	uint8_t buf[256], text[256], none[256] = {0};

	(void)state;
	for (const struct suite *s = suites; s < suites + N_ELEMS(suites); s++) {
		struct sk_key k = key_of_suite(s);
		size_t len = seal(&k, buf, sizeof(buf));
		struct ike_chain inner;
		struct ike_msg m;

		assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
		assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_OK);
		assert_int_equal(inner.n, 2);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (wire_parse(buf, len, &m) == IKE_V_OK && m.has_sk) {
				memset(text, 0, sizeof(text));
				assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_DECRYPT);
				assert_memory_equal(text, none, sizeof(text));
				assert_int_equal(inner.n, 0);
			}
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* A5 of the fault list: every SK body from nothing to one octet less than IV, pad length and ICV. */
static void a_short_sk_is_not_read(void **state)
{
	(void)state;
	for (const struct suite *s = suites; s < suites + N_ELEMS(suites); s++) {
		struct sk_key k = key_of_suite(s);
		size_t icv = k.integ ? k.integ->icv_len : k.encr->icv_len;

		for (size_t body = 0; body < k.encr->iv_len + k.encr->block + icv; body++) {
			size_t len = IKE_HDR_LEN + 4 + body;
			uint8_t *msg = malloc(len), text[64];
			struct wire_out o;
			struct ike_msg m;
			struct ike_chain inner;

			wire_msg_begin(&o, msg, len, &hdr);
			wire_payload(&o, IKE_PL_SK);
			wr_zero(&o.w, body);
			assert_int_equal(wire_msg_end(&o), len);
			assert_int_equal(wire_parse(msg, len, &m), IKE_V_OK);
			assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_DECRYPT);
			free(msg);
		}
	}
}

static void a_message_without_sk_does_not_open(void **state)
{
	struct sk_key k = key_of(256);
	uint8_t buf[64], text[64];
	struct wire_out o;
	struct ike_msg m;
	struct ike_chain inner;
	size_t len;

	(void)state;
	wire_msg_begin(&o, buf, sizeof(buf), &hdr);
	payload_notify_add(&o, N_AUTHENTICATION_FAILED, NULL, 0);
	len = wire_msg_end(&o);
	assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
	assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_DECRYPT);
}

/* Seal any plaintext (with its padding) under a first inner type. */
static size_t seal_text(struct sk_key *k, uint8_t next, const uint8_t *plain, size_t n, uint8_t *buf, size_t cap)
{
	struct wire_out o;
	uint8_t *iv, *text, *icv;
	size_t len;

	wire_msg_begin(&o, buf, cap, &hdr);
	wire_payload(&o, IKE_PL_SK);
	iv = wr_room(&o.w, 8);
	memset(iv, 7, 8);
	text = wr_room(&o.w, n);
	memcpy(text, plain, n);
	icv = wr_room(&o.w, 16);
	len = wire_msg_end(&o);
	buf[IKE_HDR_LEN] = next;
	assert_int_equal(crypto_seal(k->encr, k->e, iv, buf, IKE_HDR_LEN + 4, text, n, icv), 0);
	return len;
}

static void padding_of_every_length_is_taken(void **state)
{
	struct sk_key k = key_of(128);

	(void)state;
	for (unsigned pad = 0; pad < 256; pad++) {
		uint8_t plain[8 + 256] = {0, 0, 0, 8, 1, 0, 0, 0}, buf[512], text[512];
		struct ike_msg m;
		struct ike_chain inner;
		size_t len;

		memset(plain + 8, 0x5a, pad);
		plain[8 + pad] = (uint8_t)pad;
		len = seal_text(&k, IKE_PL_DELETE, plain, 8 + pad + 1, buf, sizeof(buf));
		assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
		assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_OK);
		assert_int_equal(inner.n, 1);
		/* one more than there is text: authenticated nonsense */
		plain[8 + pad] = (uint8_t)(8 + pad + 1);
		if (8 + pad + 1 > 255)
			continue;
		len = seal_text(&k, IKE_PL_DELETE, plain, 8 + pad + 1, buf, sizeof(buf));
		assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
		assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), IKE_V_SYNTAX);
	}
}

static void authenticated_nonsense_inside_is_a_syntax_error(void **state)
{
	static const struct {
		uint8_t next, plain[10];
		size_t n;
		enum ike_verdict v;
	} cases[] = {
		{IKE_PL_DELETE, {0}, 1, IKE_V_SYNTAX},         /* said, but not there */
		{0, {0, 0, 0, 4, 0}, 5, IKE_V_SYNTAX},         /* there, but not said */
		{IKE_PL_SK, {0, 0, 0, 4, 0}, 5, IKE_V_SYNTAX}, /* SK in SK */
		{200, {0, 0x80, 0, 4, 0}, 5, IKE_V_CRITICAL},
		{IKE_PL_NOTIFY, {IKE_PL_NOTIFY, 0, 0, 0, 0}, 5, IKE_V_SYNTAX}, /* an endless chain */
	};
	struct sk_key k = key_of(256);

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		uint8_t buf[128], text[128];
		struct ike_msg m;
		struct ike_chain inner;
		size_t len = seal_text(&k, cases[i].next, cases[i].plain, cases[i].n, buf, sizeof(buf));

		assert_int_equal(wire_parse(buf, len, &m), IKE_V_OK);
		assert_int_equal(sk_open(&m, &k, text, sizeof(text), &inner), cases[i].v);
	}
}

static void sealing_without_room_gives_no_message(void **state)
{
	struct sk_key k = key_of(256);
	uint8_t big[256];
	size_t need = seal(&k, big, sizeof(big));

	(void)state;
	for (size_t cap = 0; cap < need; cap++) {
		uint8_t *buf = malloc(cap ? cap : 1);

		assert_int_equal(seal(&k, buf, cap), 0);
		free(buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens),
		cmocka_unit_test(an_empty_inside_opens),
		cmocka_unit_test(each_message_has_its_own_iv),
		cmocka_unit_test(cbc_is_padded_enciphered_and_then_authenticated),
		cmocka_unit_test(a_broken_block_is_not_read),
		cmocka_unit_test(chacha20_gives_rfc7634_message),
		cmocka_unit_test(room_is_what_fits),
		cmocka_unit_test(any_changed_bit_is_noticed_and_no_text_is_left),
		cmocka_unit_test(a_short_sk_is_not_read),
		cmocka_unit_test(a_message_without_sk_does_not_open),
		cmocka_unit_test(padding_of_every_length_is_taken),
		cmocka_unit_test(authenticated_nonsense_inside_is_a_syntax_error),
		cmocka_unit_test(sealing_without_room_gives_no_message),
	};

	return cmocka_run_group_tests_name("ike-sk", tests, NULL, NULL);
}
