#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/wire.h"
#include "tests/unit/ike/hex.h"

#define SPI_I "1111111111111111"
#define SPI_R "2222222222222222"
/* A header of an IKE_SA_INIT request: first payload, length. */
#define HDR(next, len) SPI_I SPI_R next "20 22 08 00000000" len

static enum ike_verdict parse(const char *text, struct ike_msg *m)
{
	size_t len;
	uint8_t *msg = hex_exact(text, &len);
	enum ike_verdict v = wire_parse(msg, len, m);

	free(msg);
	return v;
}

static void header_fields_are_in_host_order(void **state)
{
	uint8_t buf[64];
	struct ike_hdr h;

	(void)state;
	assert_int_equal(
		wire_hdr_read(buf, hex("0102030405060708 1112131415161718 00 2f 25 28 00000102 0000001c", buf), &h),
		IKE_V_OK);
	assert_true(h.spi_i == 0x0102030405060708ull && h.spi_r == 0x1112131415161718ull);
	assert_int_equal(h.exchange, IKE_X_INFORMATIONAL);
	assert_int_equal(h.mid, 0x102);
	assert_int_equal(h.version, 0x2f); /* the minor version is not looked at: 2.5 */
	assert_true(ike_hdr_response(&h) && ike_hdr_initiator(&h));
}

/* Named cases of what a header can have wrong. A24, A4 of the fault list, and versions. */
static void bad_headers_get_their_verdict(void **state)
{
	static const struct {
		const char *name, *msg;
		enum ike_verdict v;
	} cases[] = {
		{"nothing at all", "", IKE_V_SHORT},
		{"a keepalive", "ff", IKE_V_SHORT},
		{"a non-ESP marker only", "00000000", IKE_V_SHORT},
		{"one octet short", SPI_I SPI_R "00 20 22 08 00000000 000000", IKE_V_SHORT},
		{"length one less", HDR("00", "0000001b"), IKE_V_LENGTH},
		{"length one more", HDR("00", "0000001d"), IKE_V_LENGTH},
		{"length 0", HDR("00", "00000000"), IKE_V_LENGTH},
		{"length 2^32 - 1", HDR("00", "ffffffff"), IKE_V_LENGTH},
		{"octets behind the message", HDR("00", "0000001c") "00", IKE_V_LENGTH},
		{"IKEv1", SPI_I SPI_R "01 10 02 00 00000000 0000001c", IKE_V_OLD_VERSION},
		{"version 0", SPI_I SPI_R "00 00 22 08 00000000 0000001c", IKE_V_OLD_VERSION},
		{"version 3", SPI_I SPI_R "00 30 22 08 00000000 0000001c", IKE_V_NEW_VERSION},
		{"version 15", SPI_I SPI_R "00 f0 22 08 00000000 0000001c", IKE_V_NEW_VERSION},
		{"SPIi 0", "0000000000000000" SPI_R "00 20 22 08 00000000 0000001c", IKE_V_BAD_SPI},
		{"reserved flags set (ignored)", SPI_I SPI_R "00 20 22 ff 00000000 0000001c", IKE_V_OK},
		{"minor version (ignored)", SPI_I SPI_R "00 2f 22 08 00000000 0000001c", IKE_V_OK},
		{"an exchange of another standard", SPI_I SPI_R "00 20 f0 08 00000000 0000001c", IKE_V_OK},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ike_msg m;

		print_message("# %s\n", cases[i].name);
		assert_int_equal(parse(cases[i].msg, &m), cases[i].v);
	}
}

/* Every length from 0 to 40, of zeros and of ones: no read beyond, one verdict. A24. */
static void short_datagrams_are_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 40; len++)
		for (int fill = 0; fill < 2; fill++) {
			uint8_t *msg = malloc(len ? len : 1);
			struct ike_msg m;

			memset(msg, fill ? 0xff : 0, len);
			assert_int_not_equal(wire_parse(msg, len, &m), IKE_V_OK);
			free(msg);
		}
}

static void a_chain_is_listed_in_order(void **state)
{
	struct ike_msg m;
	const struct ike_payload *p;

	(void)state;
	/* Notify, Nonce, Notify */
	assert_int_equal(parse(HDR("29", "00000034") "28 00 0008 00004004"
						     "29 80 0008 01020304"
						     "00 00 0008 00004005",
			       &m),
			 IKE_V_OK);
	assert_int_equal(m.clear.n, 3);
	assert_int_equal(m.clear.seen, IKE_PL_BIT(IKE_PL_NOTIFY) | IKE_PL_BIT(IKE_PL_NONCE));
	assert_int_equal(m.clear.repeated, IKE_PL_BIT(IKE_PL_NOTIFY));
	assert_true(m.clear.pl[1].critical); /* on a known payload it says nothing */
	p = wire_find(&m.clear, IKE_PL_NOTIFY);
	assert_ptr_equal(p, &m.clear.pl[0]);
	p = wire_find_next(&m.clear, p);
	assert_ptr_equal(p, &m.clear.pl[2]);
	assert_null(wire_find_next(&m.clear, p));
	assert_null(wire_find(&m.clear, IKE_PL_KE));
	assert_false(m.has_sk);
}

/* A2, A5, A22, A25 of the fault list. */
static void bad_chains_get_their_verdict(void **state)
{
	static const struct {
		const char *name, *msg;
		enum ike_verdict v;
	} cases[] = {
		{"no payload, and none said", HDR("00", "0000001c"), IKE_V_OK},
		{"a payload said, none there", HDR("21", "0000001c"), IKE_V_SYNTAX},
		{"octets behind the last payload",
		 HDR("28", "00000028") "00 00 0008 00000000"
				       "00000000",
		 IKE_V_SYNTAX},
		{"octets, but no payload said", HDR("00", "00000020") "00000004", IKE_V_SYNTAX},
		{"half a payload header", HDR("28", "0000001e") "0000", IKE_V_SYNTAX},
		{"payload length 0", HDR("28", "00000020") "00 00 0000", IKE_V_SYNTAX},
		{"payload length 1", HDR("28", "00000020") "00 00 0001", IKE_V_SYNTAX},
		{"payload length 3", HDR("28", "00000020") "00 00 0003", IKE_V_SYNTAX},
		{"payload length 4: an empty body", HDR("28", "00000020") "00 00 0004", IKE_V_OK},
		{"payload one longer than the message", HDR("28", "00000020") "00 00 0005", IKE_V_SYNTAX},
		{"payload of 65535", HDR("28", "00000020") "00 00 ffff", IKE_V_SYNTAX},
		{"a chain that goes on for ever", HDR("28", "00000020") "28 00 0004", IKE_V_SYNTAX},
		{"an endless chain of length 0", HDR("28", "00000024") "28 00 0000 28 00 0000", IKE_V_SYNTAX},
		{"reserved bits of a payload header (ignored)", HDR("28", "00000020") "00 7f 0004", IKE_V_OK},
		{"IKEv1's payload types, not critical", HDR("01", "00000024") "10 00 0004 00 00 0004", IKE_V_OK},
		{"IKEv1's payload types, critical", HDR("01", "00000020") "00 80 0004", IKE_V_CRITICAL},
		{"an unknown type, not critical", HDR("c8", "00000020") "00 00 0004", IKE_V_OK},
		{"an unknown type, critical", HDR("c8", "00000020") "00 80 0004", IKE_V_CRITICAL},
		{"critical, but the chain is broken behind it", HDR("c8", "00000020") "28 80 0004", IKE_V_SYNTAX},
		{"a fragment payload without its numbers", HDR("35", "00000020") "00 80 0004", IKE_V_SYNTAX},
		{"a fragment payload with half of its numbers", HDR("35", "00000023") "00 80 0007 000001",
		 IKE_V_SYNTAX},
		{"an empty fragment payload (sk_open_text refuses it)", HDR("35", "00000024") "28 80 0008 00010001",
		 IKE_V_OK},
		{"a fragment payload in front of another", HDR("35", "00000028") "28 00 0008 00010001 00 00 0004",
		 IKE_V_SYNTAX},
		{"type 32, one below SA", HDR("20", "00000020") "00 80 0004", IKE_V_CRITICAL},
		{"type 49, one above EAP", HDR("31", "00000020") "00 80 0004", IKE_V_CRITICAL},
		{"SK in front of another payload", HDR("2e", "00000028") "28 00 0008 00000000 00 00 0004",
		 IKE_V_SYNTAX},
		{"SK that is longer than the message", HDR("2e", "00000020") "28 00 0040", IKE_V_SYNTAX},
		{"an empty SK (sk_open refuses it)", HDR("2e", "00000020") "28 00 0004", IKE_V_OK},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct ike_msg m;

		print_message("# %s\n", cases[i].name);
		assert_int_equal(parse(cases[i].msg, &m), cases[i].v);
	}
}

static void the_first_unknown_critical_type_is_named(void **state)
{
	struct ike_msg m;

	(void)state;
	assert_int_equal(parse(HDR("64", "00000028") "65 00 0004 66 80 0004 00 80 0004", &m), IKE_V_CRITICAL);
	assert_int_equal(m.clear.critical_type, 0x65);
	assert_int_equal(m.clear.n_unknown, 3);
	assert_int_equal(m.clear.seen, 0);
}

/* A3: N - 1, N, N + 1 payloads, known and unknown. */
static void payloads_are_counted_to_the_limit(void **state)
{
	static const uint8_t types[] = {IKE_PL_NOTIFY, 200};

	(void)state;
	for (size_t t = 0; t < N_ELEMS(types); t++)
		for (unsigned n = IKE_PAYLOADS_MAX - 1; n <= IKE_PAYLOADS_MAX + 1; n++) {
			size_t len = IKE_HDR_LEN + 4u * n;
			uint8_t *msg = malloc(len);
			struct ike_msg m;
			struct wire_out o;

			wire_msg_begin(&o, msg, len, &(struct ike_hdr){.spi_i = 1, .exchange = IKE_X_SA_INIT});
			for (unsigned i = 0; i < n; i++)
				wire_payload(&o, types[t]);
			assert_int_equal(wire_msg_end(&o), len);
			assert_int_equal(wire_parse(msg, len, &m), n <= IKE_PAYLOADS_MAX ? IKE_V_OK : IKE_V_LIMIT);
			assert_int_equal(m.clear.n, n <= IKE_PAYLOADS_MAX ? n : IKE_PAYLOADS_MAX);
			free(msg);
		}
}

static void sk_is_found_behind_clear_payloads(void **state)
{
	struct ike_msg m;

	(void)state;
	assert_int_equal(parse(HDR("29", "00000030") "2e 00 0008 00004004"
						     "27 00 000c 0102030405060708",
			       &m),
			 IKE_V_OK);
	assert_true(m.has_sk);
	assert_int_equal(m.sk_next, IKE_PL_AUTH);
	assert_int_equal(rd_left(&m.sk), 8);
	assert_int_equal(m.aad_len, 28 + 8 + 4);
	assert_int_equal(m.clear.n, 1);
	assert_true(m.clear.seen & IKE_PL_BIT(IKE_PL_SK));
}

static void inner_chain_fills_its_octets_and_has_no_sk(void **state)
{
	uint8_t b[32];
	struct ike_chain c;

	(void)state;
	assert_int_equal(wire_chain_parse(0, rd_of(b, 0), &c), IKE_V_OK);
	assert_int_equal(c.n, 0);
	assert_int_equal(wire_chain_parse(IKE_PL_NOTIFY, rd_of(b, 0), &c), IKE_V_SYNTAX);
	assert_int_equal(wire_chain_parse(0, rd_of(b, hex("00", b)), &c), IKE_V_SYNTAX);
	assert_int_equal(wire_chain_parse(IKE_PL_DELETE, rd_of(b, hex("00000008 01000000", b)), &c), IKE_V_OK);
	assert_int_equal(wire_chain_parse(IKE_PL_SK, rd_of(b, hex("00000008 01000000", b)), &c), IKE_V_SYNTAX);
}

static void emission_patches_types_and_lengths(void **state)
{
	static const struct ike_hdr h = {
		.spi_i = 0x1111111111111111, .spi_r = 0x2222222222222222, .exchange = 34, .flags = 0xff, .mid = 7};
	uint8_t buf[128], want[128];
	struct wire_out o;
	size_t n;

	(void)state;
	wire_msg_begin(&o, buf, sizeof(buf), &h);
	wire_payload(&o, IKE_PL_NONCE);
	wr_u32(&o.w, 0x01020304);
	wire_payload(&o, IKE_PL_VENDOR);
	wire_payload(&o, IKE_PL_NOTIFY);
	wr_u8(&o.w, 9);
	n = hex(SPI_I SPI_R "28 20 22 28 00000007 0000002d"
			    "2b 00 0008 01020304"
			    "29 00 0004"
			    "00 00 0005 09",
		want);
	assert_int_equal(wire_msg_end(&o), n);
	assert_memory_equal(buf, want, n);
}

static void emission_without_room_gives_no_message(void **state)
{
	static const struct ike_hdr h = {.spi_i = 1, .exchange = 34};

	(void)state;
	for (size_t cap = 0; cap < 28 + 8; cap++) {
		uint8_t *buf = malloc(cap ? cap : 1);
		struct wire_out o;

		wire_msg_begin(&o, buf, cap, &h);
		wire_payload(&o, IKE_PL_NONCE);
		wr_u32(&o.w, 1);
		assert_int_equal(wire_msg_end(&o), 0);
		free(buf);
	}
}

static void a_payload_over_64k_gives_no_message(void **state)
{
	static uint8_t buf[100000];
	struct wire_out o;

	(void)state;
	wire_msg_begin(&o, buf, sizeof(buf), &(struct ike_hdr){.spi_i = 1});
	wire_payload(&o, IKE_PL_VENDOR);
	wr_zero(&o.w, 65531);
	wire_payload(&o, IKE_PL_VENDOR);
	wr_zero(&o.w, 1);
	assert_int_not_equal(wire_msg_end(&o), 0);
	wire_msg_begin(&o, buf, sizeof(buf), &(struct ike_hdr){.spi_i = 1});
	wire_payload(&o, IKE_PL_VENDOR);
	wr_zero(&o.w, 65532);
	assert_int_equal(wire_msg_end(&o), 0);
}

static void names_are_words(void **state)
{
	(void)state;
	for (unsigned v = 0; v < IKE_V_N; v++)
		assert_string_not_equal(ike_verdict_name(v), "?");
	assert_string_equal(wire_exchange_name(34), "IKE_SA_INIT");
	assert_string_equal(wire_exchange_name(37), "INFORMATIONAL");
	assert_string_equal(wire_exchange_name(38), "?");
	assert_string_equal(wire_payload_name(33), "SA");
	assert_string_equal(wire_payload_name(46), "SK");
	assert_string_equal(wire_payload_name(48), "EAP");
	assert_string_equal(wire_payload_name(49), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_fields_are_in_host_order),
		cmocka_unit_test(bad_headers_get_their_verdict),
		cmocka_unit_test(short_datagrams_are_refused),
		cmocka_unit_test(a_chain_is_listed_in_order),
		cmocka_unit_test(bad_chains_get_their_verdict),
		cmocka_unit_test(the_first_unknown_critical_type_is_named),
		cmocka_unit_test(payloads_are_counted_to_the_limit),
		cmocka_unit_test(sk_is_found_behind_clear_payloads),
		cmocka_unit_test(inner_chain_fills_its_octets_and_has_no_sk),
		cmocka_unit_test(emission_patches_types_and_lengths),
		cmocka_unit_test(emission_without_room_gives_no_message),
		cmocka_unit_test(a_payload_over_64k_gives_no_message),
		cmocka_unit_test(names_are_words),
	};

	return cmocka_run_group_tests_name("ike-wire", tests, NULL, NULL);
}
