#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/payload.h"
#include "tests/unit/ike/hex.h"

#define AES_256 "0300000c 01000014 800e0100"

/* ---- SA ---- */

static void sa_round_trip_keeps_all_fields(void **state)
{
	static struct payload_sa in, out;
	uint8_t buf[1024], again[1024];
	struct wr w = wr_of(buf, sizeof(buf)), w2 = wr_of(again, sizeof(again));

	(void)state;
	in = (struct payload_sa){
		.n = 2,
		.n_transforms = 3,
		.proposal =
			{{.num = 1, .protocol = 3, .spi_size = 4, .spi = 0x052357bb, .first = 0, .n = 2},
			 {.num = 2, .protocol = 1, .spi_size = 8, .spi = 0x0102030405060708ull, .first = 2, .n = 1}},
		.transform = {{.type = 1, .id = 20, .key_bits = 256, .has_key_bits = true},
			      {.type = 5, .id = 0},
			      {.type = 4, .id = 1025}},
	};
	payload_sa_encode(&w, &in);
	assert_false(w.full);
	assert_int_equal(payload_sa_decode(rd_of(buf, w.len), &out), IKE_V_OK);
	assert_int_equal(out.n, 2);
	assert_int_equal(out.proposal[0].spi, 0x052357bb);
	assert_true(out.proposal[1].spi == 0x0102030405060708ull);
	assert_int_equal(out.proposal[1].first, 2);
	assert_true(out.transform[0].has_key_bits);
	assert_int_equal(out.transform[0].key_bits, 256);
	assert_false(out.transform[1].has_key_bits);
	assert_int_equal(out.transform[2].id, 1025);
	payload_sa_encode(&w2, &out);
	assert_int_equal(w2.len, w.len);
	assert_memory_equal(again, buf, w.len);
}

/* RFC 7296 3.3.6: an attribute that is not known makes its transform unacceptable, no more. */
static void unknown_attributes_mark_their_transform_alone(void **state)
{
	struct payload_sa out;
	uint8_t b[128];

	(void)state;
	assert_int_equal(payload_sa_decode(rd_of(b, hex("0000003c 01010004" AES_256 "0300000c 01000014 800f0100"
							"03000010 01000014 800e0100 800e0080"
							"0000000c 01000014 000e0000",
							b)),
					   &out),
			 IKE_V_OK);
	assert_int_equal(out.n_transforms, 4);
	assert_false(out.transform[0].unacceptable);
	assert_true(out.transform[1].unacceptable); /* another attribute */
	assert_true(out.transform[2].unacceptable); /* twice */
	assert_true(out.transform[3].unacceptable); /* key length in the long form */
}

/* A peer with more proposals or transforms than we keep loses those behind, not our memory. */
static void sa_beyond_our_room_is_left_out(void **state)
{
	static uint8_t b[65536];
	static struct payload_sa out;
	struct wr w = wr_of(b, sizeof(b));
	unsigned n = 255, per = 4;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		wr_u8(&w, i + 1 < n ? 2 : 0);
		wr_u8(&w, 0);
		wr_u16(&w, (uint16_t)(8 + 8 * per));
		wr_u8(&w, (uint8_t)(i + 1));
		wr_u8(&w, 1);
		wr_u8(&w, 0);
		wr_u8(&w, (uint8_t)per);
		for (unsigned k = 0; k < per; k++) {
			wr_u8(&w, k + 1 < per ? 3 : 0);
			wr_u8(&w, 0);
			wr_u16(&w, 8);
			wr_u32(&w, 0x04000013);
		}
	}
	assert_int_equal(payload_sa_decode(rd_of(b, w.len), &out), IKE_V_OK);
	assert_int_equal(out.n, PAYLOAD_PROPOSALS_MAX);
	assert_int_equal(out.left_out, n - PAYLOAD_PROPOSALS_MAX);
	assert_int_equal(out.n_transforms, PAYLOAD_PROPOSALS_MAX * per);
	/* a flaw in one that is left out is still a flaw */
	b[w.len - 5] ^= 0xff;
	assert_int_equal(payload_sa_decode(rd_of(b, w.len), &out), IKE_V_SYNTAX);
}

static void transforms_beyond_our_room_take_their_proposal_out(void **state)
{
	static uint8_t b[65536];
	static struct payload_sa out;
	struct wr w = wr_of(b, sizeof(b));
	unsigned n = 3, per = 255;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		wr_u8(&w, i + 1 < n ? 2 : 0);
		wr_u8(&w, 0);
		wr_u16(&w, (uint16_t)(8 + 8 * per));
		wr_u32(&w, (i + 1) << 24 | 0x010000 | per);
		for (unsigned k = 0; k < per; k++) {
			wr_u32(&w, (k + 1 < per ? 0x03000000u : 0) | 8);
			wr_u32(&w, 0x04000013);
		}
	}
	assert_int_equal(payload_sa_decode(rd_of(b, w.len), &out), IKE_V_OK);
	assert_int_equal(out.n, 3);
	assert_int_equal(out.proposal[1].n, 255);
	assert_false(out.proposal[1].unacceptable);
	assert_true(out.proposal[2].unacceptable);
	assert_int_equal(out.proposal[2].n, 0);
	assert_int_equal(out.n_transforms, 510);
}

/* ---- the others ---- */

static void ke_round_trip(void **state)
{
	uint8_t value[32] = {1, 2, 3}, buf[64];
	struct wr w = wr_of(buf, sizeof(buf));
	struct payload_ke out;

	(void)state;
	payload_ke_encode(&w, 31, value, 32);
	assert_int_equal(payload_ke_decode(rd_of(buf, w.len), &out), IKE_V_OK);
	assert_int_equal(out.group, 31);
	assert_int_equal(out.len, 32);
	assert_memory_equal(out.data, value, 32);
}

/* RFC 7296 2.10, 3.9: 16 to 256 octets. */
static void nonce_lengths_are_kept_to(void **state)
{
	static uint8_t b[300];
	struct ike_nonce n;

	(void)state;
	for (size_t len = 0; len <= sizeof(b); len++) {
		enum ike_verdict v = payload_nonce_decode(rd_of(b, len), &n);

		assert_int_equal(v, len >= 16 && len <= 256 ? IKE_V_OK : IKE_V_SYNTAX);
		assert_int_equal(n.len, v == IKE_V_OK ? len : 0);
	}
}

static void nonces_compare_as_octet_strings(void **state)
{
	struct ike_nonce a = {.len = 2, .b = {1, 2}}, b = {.len = 2, .b = {1, 3}}, c = {.len = 3, .b = {1, 2, 0}};

	(void)state;
	assert_true(payload_nonce_cmp(&a, &b) < 0);
	assert_true(payload_nonce_cmp(&b, &a) > 0);
	assert_int_equal(payload_nonce_cmp(&a, &a), 0);
	assert_true(payload_nonce_cmp(&a, &c) < 0);
}

static void id_round_trip(void **state)
{
	struct cfg_id in = {.type = CFG_ID_FQDN, .len = 14}, out;
	uint8_t buf[300];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	memcpy(in.b, "gw.example.net", 14);
	payload_id_encode(&w, &in);
	assert_int_equal(w.len, 18);
	assert_int_equal(payload_id_decode(rd_of(buf, w.len), &out), IKE_V_OK);
	assert_true(payload_id_equal(&in, &out));
	out.type = CFG_ID_EMAIL;
	assert_false(payload_id_equal(&in, &out));
	out.type = CFG_ID_FQDN;
	out.len = 13;
	assert_false(payload_id_equal(&in, &out));
}

/* A15: identities around and far beyond our storage, before authentication. */
static void long_identities_do_not_overflow(void **state)
{
	static const size_t lens[] = {254, 255, 256, 257, 519, 520, 521, 4096, 65527};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(lens); i++) {
		uint8_t *b = malloc(4 + lens[i]);
		struct {
			struct cfg_id id;
			uint8_t guard[64];
		} out;

		memset(b, 'a', 4 + lens[i]);
		b[0] = CFG_ID_KEY;
		memset(&out, 0xee, sizeof(out));
		assert_int_equal(payload_id_decode(rd_of(b, 4 + lens[i]), &out.id),
				 lens[i] <= CFG_ID_MAX ? IKE_V_OK : IKE_V_TOO_LONG);
		assert_int_equal(out.id.len, lens[i] <= CFG_ID_MAX ? lens[i] : 0);
		assert_int_equal(out.id.type, lens[i] <= CFG_ID_MAX ? CFG_ID_KEY : CFG_ID_NONE);
		for (size_t k = 0; k < sizeof(out.guard); k++)
			assert_int_equal(out.guard[k], 0xee);
		free(b);
	}
}

static void auth_cert_and_vendor_round_trip(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));
	struct payload_auth a;
	struct payload_cert c;
	const uint8_t *v;
	uint16_t len;

	(void)state;
	payload_auth_encode(&w, IKE_AUTH_PSK, (const uint8_t *)"abcd", 4);
	assert_int_equal(payload_auth_decode(rd_of(buf, w.len), &a), IKE_V_OK);
	assert_int_equal(a.method, IKE_AUTH_PSK);
	assert_int_equal(a.len, 4);
	assert_memory_equal(a.data, "abcd", 4);
	w = wr_of(buf, sizeof(buf));
	payload_cert_encode(&w, 4, (const uint8_t *)"xyz", 3);
	assert_int_equal(payload_cert_decode(rd_of(buf, w.len), &c), IKE_V_OK);
	assert_int_equal(c.encoding, 4);
	assert_int_equal(c.len, 3);
	w = wr_of(buf, sizeof(buf));
	payload_vendor_encode(&w, "vendor", 6);
	assert_int_equal(payload_vendor_decode(rd_of(buf, w.len), &v, &len), IKE_V_OK);
	assert_int_equal(len, 6);
	assert_memory_equal(v, "vendor", 6);
}

static void notify_round_trip_with_each_spi_size(void **state)
{
	static const struct payload_notify in[] = {
		{.protocol = 0, .spi_size = 0, .type = N_COOKIE, .len = 3, .data = (const uint8_t *)"abc"},
		{.protocol = 3, .spi_size = 4, .spi = 0xdeadbeef, .type = N_REKEY_SA},
		{.protocol = 1, .spi_size = 8, .spi = 0x0123456789abcdefull, .type = N_INVALID_SPI},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(in); i++) {
		uint8_t buf[32];
		struct wr w = wr_of(buf, sizeof(buf));
		struct payload_notify out;

		payload_notify_encode(&w, &in[i]);
		assert_int_equal(payload_notify_decode(rd_of(buf, w.len), &out), IKE_V_OK);
		assert_int_equal(out.protocol, in[i].protocol);
		assert_true(out.spi == in[i].spi && out.spi_size == in[i].spi_size);
		assert_int_equal(out.type, in[i].type);
		assert_int_equal(out.len, in[i].len);
		if (in[i].len)
			assert_memory_equal(out.data, in[i].data, in[i].len);
	}
}

static void notifies_are_found_past_malformed_ones(void **state)
{
	uint8_t buf[256];
	struct wire_out o;
	struct ike_msg m;
	struct payload_notify n;

	(void)state;
	wire_msg_begin(&o, buf, sizeof(buf), &(struct ike_hdr){.spi_i = 1});
	wire_payload(&o, IKE_PL_NOTIFY);
	wr_u16(&o.w, 0); /* cut */
	payload_notify_add(&o, N_NAT_DETECTION_SOURCE_IP, "x", 1);
	payload_notify_add_esp(&o, N_CHILD_SA_NOT_FOUND, 0x01020304);
	payload_notify_add(&o, N_COOKIE, "cookie", 6);
	assert_int_equal(wire_parse(buf, wire_msg_end(&o), &m), IKE_V_OK);
	assert_true(payload_notify_find(&m.clear, N_COOKIE, &n));
	assert_int_equal(n.len, 6);
	assert_false(payload_notify_find(&m.clear, N_REKEY_SA, &n));
	assert_true(payload_notify_error(&m.clear, &n));
	assert_int_equal(n.type, N_CHILD_SA_NOT_FOUND);
	assert_int_equal(n.spi, 0x01020304);
	assert_int_equal(n.protocol, IKE_PROTO_ESP);
	assert_string_equal(payload_notify_name(n.type), "CHILD_SA_NOT_FOUND");
	assert_string_equal(payload_notify_name(12345), "?");
}

static void delete_gives_its_spis_once(void **state)
{
	const uint32_t in[] = {0x11111111, 0, 0xffffffff};
	uint8_t buf[32];
	struct wr w = wr_of(buf, sizeof(buf));
	struct payload_delete d;
	uint32_t spi;

	(void)state;
	payload_delete_encode(&w, IKE_PROTO_ESP, in, 3);
	assert_int_equal(payload_delete_decode(rd_of(buf, w.len), &d), IKE_V_OK);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(payload_delete_next(&d, &spi));
		assert_int_equal(spi, in[i]);
	}
	assert_false(payload_delete_next(&d, &spi));
	assert_int_equal(spi, 0);
}

/* C11: as many SPIs as the limit, and one more. */
static void delete_spis_are_limited(void **state)
{
	static uint8_t b[4 + 4 * (PAYLOAD_DELETE_MAX + 1)] = {3, 4};
	struct payload_delete d;

	(void)state;
	for (unsigned n = PAYLOAD_DELETE_MAX; n <= PAYLOAD_DELETE_MAX + 1; n++) {
		b[2] = (uint8_t)(n >> 8);
		b[3] = (uint8_t)n;
		assert_int_equal(payload_delete_decode(rd_of(b, 4 + 4u * n), &d),
				 n <= PAYLOAD_DELETE_MAX ? IKE_V_OK : IKE_V_LIMIT);
	}
}

static void ts_round_trip_of_both_families(void **state)
{
	static struct payload_ts in, out;
	uint8_t buf[256];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	in = (struct payload_ts){.n = 2};
	in.ts[0] = (struct ike_ts){
		.protocol = 6, .port_lo = 80, .port_hi = 0x1234, .lo = ip_v4(0x0a000000), .hi = ip_v4(0x0a0000ff)};
	in.ts[1] = (struct ike_ts){.port_hi = 65535};
	assert_int_equal(ip_parse("2001:db8::", &in.ts[1].lo), 0);
	assert_int_equal(ip_parse("2001:db8::ffff", &in.ts[1].hi), 0);
	payload_ts_encode(&w, &in);
	assert_int_equal(w.len, 4 + 16 + 40);
	assert_int_equal(payload_ts_decode(rd_of(buf, w.len), &out), IKE_V_OK);
	assert_int_equal(out.n, 2);
	assert_int_equal(out.ts[0].port_lo, 80);
	assert_int_equal(out.ts[0].port_hi, 0x1234);
	assert_true(ip_equal(&out.ts[0].hi, &in.ts[0].hi));
	assert_int_equal(out.ts[1].lo.family, IP_V6);
	assert_true(ip_equal(&out.ts[1].hi, &in.ts[1].hi));
}

/* RFC 7296 2.9: unknown types are ignored; opaque ports (3.13.1) are none that we allow. */
static void ts_that_we_do_not_know_are_left_out(void **state)
{
	static struct payload_ts out;
	uint8_t b[256];

	(void)state;
	assert_int_equal(payload_ts_decode(rd_of(b, hex("04000000 09000008 01020304 07110010 ffff0000 0a000001 0a000001"
							"07060010 00500050 0a000001 0a000002 00000004",
							b)),
					   &out),
			 IKE_V_OK);
	assert_int_equal(out.n, 1);
	assert_int_equal(out.left_out, 3);
	assert_int_equal(out.ts[0].protocol, 6);
	assert_int_equal(out.ts[0].port_lo, 80);
}

static void ts_beyond_our_room_are_left_out(void **state)
{
	static struct payload_ts out;
	static uint8_t b[4 + 255 * 16];
	struct wr w = wr_of(b, sizeof(b));

	(void)state;
	wr_u32(&w, 0xff000000);
	for (unsigned i = 0; i < 255; i++) {
		wr_u32(&w, 0x07000010);
		wr_u32(&w, 0x0000ffff);
		wr_u32(&w, i);
		wr_u32(&w, i);
	}
	assert_int_equal(payload_ts_decode(rd_of(b, w.len), &out), IKE_V_OK);
	assert_int_equal(out.n, PAYLOAD_TS_MAX);
	assert_int_equal(out.left_out, 255 - PAYLOAD_TS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sa_round_trip_keeps_all_fields),
		cmocka_unit_test(unknown_attributes_mark_their_transform_alone),
		cmocka_unit_test(sa_beyond_our_room_is_left_out),
		cmocka_unit_test(transforms_beyond_our_room_take_their_proposal_out),
		cmocka_unit_test(ke_round_trip),
		cmocka_unit_test(nonce_lengths_are_kept_to),
		cmocka_unit_test(nonces_compare_as_octet_strings),
		cmocka_unit_test(id_round_trip),
		cmocka_unit_test(long_identities_do_not_overflow),
		cmocka_unit_test(auth_cert_and_vendor_round_trip),
		cmocka_unit_test(notify_round_trip_with_each_spi_size),
		cmocka_unit_test(notifies_are_found_past_malformed_ones),
		cmocka_unit_test(delete_gives_its_spis_once),
		cmocka_unit_test(delete_spis_are_limited),
		cmocka_unit_test(ts_round_trip_of_both_families),
		cmocka_unit_test(ts_that_we_do_not_know_are_left_out),
		cmocka_unit_test(ts_beyond_our_room_are_left_out),
	};

	return cmocka_run_group_tests_name("ike-payload", tests, NULL, NULL);
}
