#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/payload.h"
#include "tests/unit/ike/hex.h"

/* Decoders of one shape, so that malformed bodies can be listed. */
static enum ike_verdict sa(struct rd r)
{
	struct payload_sa out;

	return payload_sa_decode(r, &out);
}

static enum ike_verdict ke(struct rd r)
{
	struct payload_ke out;

	return payload_ke_decode(r, &out);
}

static enum ike_verdict id(struct rd r)
{
	struct cfg_id out;

	return payload_id_decode(r, &out);
}

static enum ike_verdict auth(struct rd r)
{
	struct payload_auth out;

	return payload_auth_decode(r, &out);
}

static enum ike_verdict cert(struct rd r)
{
	struct payload_cert out;

	return payload_cert_decode(r, &out);
}

static enum ike_verdict notify(struct rd r)
{
	struct payload_notify out;

	return payload_notify_decode(r, &out);
}

static enum ike_verdict delete_(struct rd r)
{
	struct payload_delete out;

	return payload_delete_decode(r, &out);
}

static enum ike_verdict ts(struct rd r)
{
	struct payload_ts out;

	return payload_ts_decode(r, &out);
}

static enum ike_verdict cp(struct rd r)
{
	struct payload_cp out;

	return payload_cp_decode(r, &out);
}

#define AES_256  "0300000c 01000014 800e0100"
#define PRF_256  "03000008 02000005"
#define X25519_L "00000008 0400001f"

/* Part 2 A of the fault list, body by body. */
static const struct bad {
	const char *name;
	enum ike_verdict (*decode)(struct rd r);
	const char *body;
	enum ike_verdict v;
} bad[] = {
	{"SA: a good one", sa, "00000024 01010003" AES_256 PRF_256 X25519_L, IKE_V_OK},
	{"SA: empty", sa, "", IKE_V_SYNTAX},
	{"SA: half a proposal header", sa, "000000", IKE_V_SYNTAX},
	{"SA: proposal length 0", sa, "00000000 01010000", IKE_V_SYNTAX},
	{"SA: proposal length 7", sa, "00000007 01010000", IKE_V_SYNTAX},
	{"SA: proposal longer than the payload", sa, "00000009 01010000", IKE_V_SYNTAX},
	{"SA: proposal of 65535", sa, "0000ffff 01010000", IKE_V_SYNTAX},
	{"SA: octets behind the last proposal", sa, "00000008 01010000 00", IKE_V_SYNTAX},
	{"SA: last proposal says there are more", sa, "02000008 01010000", IKE_V_SYNTAX},
	{"SA: first of two says there are none", sa, "00000008 01010000 00000008 02010000", IKE_V_SYNTAX},
	{"SA: two proposals", sa, "02000008 01010000 00000008 02010000", IKE_V_OK},
	{"SA: proposal numbers 1, 3", sa, "02000008 01010000 00000008 03010000", IKE_V_SYNTAX},
	{"SA: proposal numbers 1, 1", sa, "02000008 01010000 00000008 01010000", IKE_V_SYNTAX},
	{"SA: proposal numbers 2, 3", sa, "02000008 02010000 00000008 03010000", IKE_V_SYNTAX},
	{"SA: proposal number 0", sa, "00000008 00010000", IKE_V_SYNTAX},
	{"SA: a single proposal of another number (an answer)", sa, "00000008 07010000", IKE_V_OK},
	{"SA: no transforms (A7)", sa, "00000008 01010000", IKE_V_OK},
	{"SA: one transform said, none there", sa, "00000008 01010001", IKE_V_SYNTAX},
	{"SA: two said, one there", sa, "00000010 01010002 00000008 04000013", IKE_V_SYNTAX},
	{"SA: one said, two there", sa, "00000018 01010001 03000008 04000013 00000008 0400001f", IKE_V_SYNTAX},
	{"SA: 255 said", sa, "00000010 010100ff 00000008 04000013", IKE_V_SYNTAX},
	{"SA: transform length 0 (A22)", sa, "00000010 01010001 00000000 04000013", IKE_V_SYNTAX},
	{"SA: transform length 7", sa, "00000010 01010001 00000007 04000013", IKE_V_SYNTAX},
	{"SA: transform longer than the proposal", sa, "00000010 01010001 00000009 04000013", IKE_V_SYNTAX},
	{"SA: last transform says there are more", sa, "00000010 01010001 03000008 04000013", IKE_V_SYNTAX},
	{"SA: attribute cut", sa, "00000012 01010001 0000000a 01000014 800e", IKE_V_SYNTAX},
	{"SA: long attribute of length 0 (A22)", sa, "00000014 01010001 0000000c 01000014 000e0000", IKE_V_OK},
	{"SA: long attribute longer than its transform", sa, "00000014 01010001 0000000c 01000014 000e0001",
	 IKE_V_SYNTAX},
	{"SA: long attribute of 65535", sa, "00000014 01010001 0000000c 01000014 000effff", IKE_V_SYNTAX},
	{"SA: SPI longer than the proposal", sa, "00000008 01030400", IKE_V_SYNTAX},
	{"SA: SPI of 255 octets", sa, "00000008 0103ff00", IKE_V_SYNTAX},
	{"SA: SPI of 3 octets (kept aside)", sa, "0000000b 01030300 010203", IKE_V_OK},
	{"SA: transform type 6, one past ours (A14)", sa, "00000010 01010001 00000008 06000001", IKE_V_OK},

	{"KE: empty", ke, "", IKE_V_SYNTAX},
	{"KE: no value", ke, "00130000", IKE_V_SYNTAX},
	{"KE: half a group", ke, "00", IKE_V_SYNTAX},
	{"KE: group 1025 (A1)", ke, "04010000 ff", IKE_V_OK},

	{"ID: empty", id, "", IKE_V_SYNTAX},
	{"ID: three octets", id, "020000", IKE_V_SYNTAX},
	{"ID: type 0", id, "00000000 61", IKE_V_SYNTAX},
	{"ID: IPv4 of 3 octets", id, "01000000 0a0000", IKE_V_SYNTAX},
	{"ID: IPv4 of 5 octets", id, "01000000 0a00000000", IKE_V_SYNTAX},
	{"ID: IPv6 of 4 octets", id, "05000000 0a000000", IKE_V_SYNTAX},
	{"ID: name of no octets", id, "02000000", IKE_V_OK},
	{"ID: reserved octets set (ignored)", id, "02ffffff 61", IKE_V_OK},
	{"ID: distinguished name of 1 octet (A18)", id, "09000000 30", IKE_V_OK},
	{"ID: a type we have no name for", id, "c9000000 30", IKE_V_OK},

	{"AUTH: empty", auth, "", IKE_V_SYNTAX},
	{"AUTH: method alone", auth, "02000000", IKE_V_SYNTAX},
	{"AUTH: one octet", auth, "02000000 00", IKE_V_OK},

	{"CERT: empty", cert, "", IKE_V_SYNTAX},
	{"CERTREQ: encoding alone", cert, "04", IKE_V_OK},

	{"Notify: empty", notify, "", IKE_V_SYNTAX},
	{"Notify: cut (A12)", notify, "000040", IKE_V_SYNTAX},
	{"Notify: no data", notify, "00004004", IKE_V_OK},
	{"Notify: SPI of 3 octets (A13)", notify, "03034009 010203", IKE_V_SYNTAX},
	{"Notify: SPI of 4 octets, 3 there", notify, "03044009 010203", IKE_V_SYNTAX},
	{"Notify: SPI of 8 octets, 7 there", notify, "01084009 01020304 050607", IKE_V_SYNTAX},
	{"Notify: SPI of 255 octets", notify, "03ff4009", IKE_V_SYNTAX},

	{"Delete: empty", delete_, "", IKE_V_SYNTAX},
	{"Delete: the IKE SA", delete_, "01000000", IKE_V_OK},
	{"Delete: the IKE SA with an SPI", delete_, "01080001 0102030405060708", IKE_V_SYNTAX},
	{"Delete: the IKE SA with a count", delete_, "01000001", IKE_V_SYNTAX},
	{"Delete: the IKE SA with octets behind", delete_, "01000000 00", IKE_V_SYNTAX},
	{"Delete: one child", delete_, "03040001 01020304", IKE_V_OK},
	{"Delete: no child", delete_, "03040000", IKE_V_OK},
	{"Delete: two said, one there", delete_, "03040002 01020304", IKE_V_SYNTAX},
	{"Delete: one said, two there", delete_, "03040001 01020304 05060708", IKE_V_SYNTAX},
	{"Delete: 65535 said", delete_, "0304ffff 01020304", IKE_V_SYNTAX},
	{"Delete: SPIs of 0 octets", delete_, "0300ffff", IKE_V_SYNTAX},
	{"Delete: SPIs of 8 octets", delete_, "03080001 0102030405060708", IKE_V_SYNTAX},
	{"Delete: protocol 0", delete_, "00000000", IKE_V_SYNTAX},
	{"Delete: protocol 4", delete_, "04040001 01020304", IKE_V_SYNTAX},

	{"TS: empty", ts, "", IKE_V_SYNTAX},
	{"TS: none (A10, C5)", ts, "00000000", IKE_V_SYNTAX},
	{"TS: one said, none there", ts, "01000000", IKE_V_SYNTAX},
	{"TS: 255 said, one there (A10)", ts, "ff000000 07000010 0000ffff 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: one said, two there", ts,
	 "01000000 07000010 0000ffff 00000000 ffffffff 07000010 0000ffff 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: IPv4 of length 15 (A10)", ts, "01000000 0700000f 0000ffff 00000000 ffffff", IKE_V_SYNTAX},
	{"TS: IPv4 of length 17", ts, "01000000 07000011 0000ffff 00000000 ffffffff 00", IKE_V_SYNTAX},
	{"TS: IPv4 of IPv6's length", ts,
	 "01000000 07000028 0000ffff 00000000000000000000000000000000 ffffffffffffffffffffffffffffffff", IKE_V_SYNTAX},
	{"TS: IPv6 of IPv4's length", ts, "01000000 08000010 0000ffff 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: length 0 (A22)", ts, "01000000 07000000 0000ffff 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: length 3", ts, "01000000 07000003 0000ffff 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: longer than the payload (A11)", ts, "01000000 07000014 0000ffff 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: ports the wrong way round", ts, "01000000 07000010 00020001 00000000 ffffffff", IKE_V_SYNTAX},
	{"TS: addresses the wrong way round", ts, "01000000 07000010 0000ffff 0a000001 0a000000", IKE_V_SYNTAX},
	{"TS: opaque ports (left out)", ts, "01000000 07000010 ffff0000 0a000001 0a000001", IKE_V_OK},
	{"TS: type 0 (left out)", ts, "01000000 00000008 00000000", IKE_V_OK},
	{"TS: type 9 (left out)", ts, "01000000 09000004", IKE_V_OK},

	{"CP: empty", cp, "", IKE_V_SYNTAX},
	{"CP: no attributes", cp, "01000000", IKE_V_OK},
	{"CP: attributes of length 0 (A22)", cp, "01000000 00010000 00020000", IKE_V_OK},
	{"CP: attribute cut", cp, "01000000 000100", IKE_V_SYNTAX},
	{"CP: attribute longer than the payload", cp, "01000000 00010001", IKE_V_SYNTAX},
};

static void malformed_bodies_get_their_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		size_t len;
		uint8_t *b = hex_exact(bad[i].body, &len);

		print_message("# %s\n", bad[i].name);
		assert_int_equal(bad[i].decode(rd_of(b, len)), bad[i].v);
		free(b);
	}
}

/* Every prefix of every body above: no read beyond its end (the sanitizer's watch). */
static void cut_bodies_are_read_within_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		size_t len;
		uint8_t *b = hex_exact(bad[i].body, &len);

		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = malloc(n ? n : 1);

			memcpy(cut, b, n);
			(void)!bad[i].decode(rd_of(cut, n));
			free(cut);
		}
		free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_bodies_get_their_verdict),
		cmocka_unit_test(cut_bodies_are_read_within_bounds),
	};

	return cmocka_run_group_tests_name("ike-payload-bad", tests, NULL, NULL);
}
