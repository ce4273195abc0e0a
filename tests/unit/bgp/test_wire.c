#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/wire.h"
#include "tests/unit/ike/hex.h"

#define MARKER "ffffffffffffffffffffffffffffffff"
/* Version 4, AS 65000, hold 90, 192.0.2.2, then the parameters. */
#define OPEN "04 fde8 005a c0000202 "

static void error_is(const struct bgp_error *e, unsigned code, unsigned sub, const char *data)
{
	uint8_t want[128];
	size_t n = hex(data, want);

	assert_int_equal(e->code, code);
	assert_int_equal(e->sub, sub);
	assert_int_equal(e->data_len, n);
	assert_memory_equal(e->data, want, n);
	assert_true(strlen(e->text) > 3);
}

static bool header(const char *text, struct wire_hdr *h, struct bgp_error *err)
{
	size_t len;
	uint8_t *p = hex_exact(text, &len);
	bool ok;

	assert_int_equal(len, BGP_HDR);
	ok = wire_hdr_parse(p, h, err);
	free(p);
	return ok;
}

/* RFC 4271 6.1 */
static void headers_are_checked(void **state)
{
	static const struct {
		const char *name, *hdr;
		unsigned sub; /* 0: fine */
		const char *data;
	} cases[] = {
		{"keepalive", MARKER "0013 04", 0, ""},
		{"the shortest OPEN", MARKER "001d 01", 0, ""},
		{"the shortest UPDATE", MARKER "0017 02", 0, ""},
		{"the longest UPDATE", MARKER "1000 02", 0, ""},
		{"the shortest NOTIFICATION", MARKER "0015 03", 0, ""},
		{"ROUTE-REFRESH", MARKER "0017 05", 0, ""},
		{"first octet of the marker", "feffffffffffffffffffffffffffffff 0013 04", 1, ""},
		{"last octet of the marker", "ffffffffffffffffffffffffffffff7f 0013 04", 1, ""},
		{"no marker at all", "00000000000000000000000000000000 0013 04", 1, ""},
		{"length 0", MARKER "0000 04", 2, "0000"},
		{"length 18", MARKER "0012 04", 2, "0012"},
		{"length 4097", MARKER "1001 02", 2, "1001"},
		{"length 65535", MARKER "ffff 02", 2, "ffff"},
		{"OPEN of 28", MARKER "001c 01", 2, "001c"},
		{"UPDATE of 22", MARKER "0016 02", 2, "0016"},
		{"NOTIFICATION of 20", MARKER "0014 03", 2, "0014"},
		{"KEEPALIVE of 20", MARKER "0014 04", 2, "0014"},
		{"KEEPALIVE of 4096", MARKER "1000 04", 2, "1000"},
		{"type 0", MARKER "0013 00", 3, "00"},
		{"type 6", MARKER "0013 06", 3, "06"},
		{"type 255", MARKER "0020 ff", 3, "ff"},
		{"type 6, length 18: the length first", MARKER "0012 06", 2, "0012"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct bgp_error err = {.code = 99};
		struct wire_hdr h;
		bool ok = header(cases[i].hdr, &h, &err);

		if (ok != !cases[i].sub)
			fail_msg("%s", cases[i].name);
		if (cases[i].sub)
			error_is(&err, BGP_ERR_HEADER, cases[i].sub, cases[i].data);
	}
}

static bool open_of(const char *text, struct bgp_open *o, struct bgp_error *err)
{
	size_t len;
	uint8_t *p = hex_exact(text, &len);
	bool ok = wire_open_parse(rd_of(p, len), o, err);

	free(p);
	return ok;
}

/* RFC 5492 4, 9072 2 */
static void capabilities_come_in_any_packing(void **state)
{
	static const struct {
		const char *name, *msg;
	} cases[] = {
		{"one parameter", OPEN "16 02 14 01 04 0001 00 01 01 04 0002 00 01 02 00 41 04 00010000"},
		{"one each", OPEN "1c 02 06 01 04 0001 00 01 02 06 01 04 0002 00 01 02 02 02 00 02 06 41 04 00010000"},
		{"extended, short", OPEN "ff ff 0017 02 0014 01 04 0001 00 01 01 04 0002 00 01 02 00 41 04 00010000"},
		{"extended, first length not 255", /* RFC 9072 2, 3 */
		 OPEN "01 ff 0017 02 0014 01 04 0001 00 01 01 04 0002 00 01 02 00 41 04 00010000"},
		{"extended, one each", OPEN
		 "ff ff 0020 02 0006 01 04 0001 00 01 02 0006 01 04 0002 00 01 02 0002 02 00 02 0006 41 04 00010000"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct bgp_error err = {.text = ""};
		struct bgp_open o;

		if (!open_of(cases[i].msg, &o, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(o.my_as, 65000);
		assert_int_equal(o.as, 65536);
		assert_int_equal(o.hold_s, 90);
		assert_int_equal(o.id, 0xc0000202);
		assert_true(o.as4 && o.refresh && o.mp && o.mp_v4 && o.mp_v6);
		assert_int_equal(o.unknown, 0);
	}
}

static void an_extended_open_may_be_long(void **state)
{
	char text[2 * 4096 + 1] = OPEN "ff ff 03f3 02 03f0 ";
	struct bgp_error err;
	struct bgp_open o;
	size_t n = strlen(text);

	(void)state;
	for (unsigned i = 0; i < 1008 / 8; i++) /* unknown capabilities of 8 octets */
		n += (size_t)sprintf(text + n, "f0 06 %012x", i);
	assert_true(open_of(text, &o, &err));
	assert_int_equal(o.unknown, 126);
}

static void unknown_capabilities_are_ignored(void **state)
{
	struct bgp_error err;
	struct bgp_open o;

	(void)state;
	/* graceful restart, enhanced refresh, FQDN, an unknown one; MP for VPNv4 */
	assert_true(open_of(OPEN "16 02 14 40 02 0078 46 00 49 03 02 6162 fe 01 00 01 04 0001 00 80", &o, &err));
	assert_int_equal(o.unknown, 4);
	assert_true(o.mp && !o.mp_v4 && !o.mp_v6 && !o.as4 && !o.refresh);
	assert_int_equal(o.as, 65000);
	assert_true(open_of(OPEN "00", &o, &err));
	assert_true(!o.mp && !o.as4);
	assert_true(open_of(OPEN "02 02 00", &o, &err)); /* a parameter without capabilities */
	assert_true(open_of(OPEN "ff ff 0000", &o, &err));
}

/* RFC 4271 6.2, 6286, 7607 */
static void bad_opens_get_their_notification(void **state)
{
	static const struct {
		const char *name, *msg;
		unsigned sub;
		const char *data;
	} cases[] = {
		{"version 3", "03 fde8 005a c0000202 00", 1, "0004"},
		{"version 5", "05 fde8 005a c0000202 00", 1, "0004"},
		{"version 0, and all else wrong", "00 0000 0001 00000000 05", 1, "0004"},
		{"AS 0", "04 0000 005a c0000202 00", 2, ""},
		{"capability 65 with AS 0", OPEN "08 02 06 41 04 00000000", 2, ""},
		{"AS 0, capability 65 right", "04 0000 005a c0000202 08 02 06 41 04 0000fde8", 2, ""},
		{"identifier 0", "04 fde8 005a 00000000 00", 3, ""},
		{"hold 1", "04 fde8 0001 c0000202 00", 6, ""},
		{"hold 2", "04 fde8 0002 c0000202 00", 6, ""},
		{"parameter 1 (authentication)", OPEN "03 01 01 00", 4, ""},
		{"parameter 3", OPEN "02 03 00", 4, ""},
		{"parameter 255 behind another", OPEN "06 02 02 02 00 ff 00", 4, ""},
		{"parameter 255 inside an extended one", OPEN "ff ff 0003 ff 0000", 4, ""},
		{"no length of parameters' octets", OPEN "04 02 00", 0, ""},
		{"octets behind the parameters", OPEN "02 02 00 00", 0, ""},
		{"octets where none are said", OPEN "00 02 00", 0, ""},
		{"a parameter runs over", OPEN "03 02 02 02", 0, ""},
		{"a parameter without length", OPEN "01 02", 0, ""},
		{"a capability runs over", OPEN "04 02 02 41 04", 0, ""},
		{"a capability without length", OPEN "03 02 01 41", 0, ""},
		{"capability 65 of 2 octets", OPEN "06 02 04 41 02 fde8", 0, ""},
		{"capability 65 of 5 octets", OPEN "09 02 07 41 05 0000fde800", 0, ""},
		{"multiprotocol of 3 octets", OPEN "07 02 05 01 03 000100", 0, ""},
		{"multiprotocol of 5 octets", OPEN "09 02 07 01 05 0001000100", 0, ""},
		{"route refresh of 1 octet", OPEN "05 02 03 02 01 00", 0, ""},
		{"extended, first length 0", OPEN "00 ff 0003 02 0000", 0, ""}, /* RFC 9072 2: not 0 */
		{"extended length cut", OPEN "ff ff 00", 0, ""},
		{"extended length too large", OPEN "ff ff 0004 02 0000", 0, ""},
		{"extended length too small", OPEN "ff ff 0002 02 0000", 0, ""},
		{"an extended parameter runs over", OPEN "ff ff 0004 02 0002 02", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct bgp_error err = {.code = 99};
		struct bgp_open o;

		if (open_of(cases[i].msg, &o, &err))
			fail_msg("%s: was taken", cases[i].name);
		if (err.sub != cases[i].sub)
			fail_msg("%s: 2/%u, not 2/%u (%s)", cases[i].name, err.sub, cases[i].sub, err.text);
		error_is(&err, BGP_ERR_OPEN, cases[i].sub, cases[i].data);
	}
}

static void hold_0_and_3_are_fine(void **state)
{
	struct bgp_error err;
	struct bgp_open o;

	(void)state;
	assert_true(open_of("04 fde8 0000 c0000202 00", &o, &err));
	assert_true(open_of("04 fde8 0003 c0000202 00", &o, &err));
	assert_int_equal(o.hold_s, 3);
}

static void another_as_is_refused(void **state)
{
	struct bgp_error err;
	struct bgp_open o;

	(void)state;
	assert_true(open_of("04 5ba0 005a c0000202 08 02 06 41 04 00010000", &o, &err));
	assert_true(wire_open_check_as(&o, 65536, &err));
	assert_false(wire_open_check_as(&o, BGP_AS_TRANS, &err));
	error_is(&err, BGP_ERR_OPEN, BGP_OPEN_BAD_AS, "");
}

static void an_open_comes_back_as_it_was(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		const struct bgp_open o = {.as = 4200000001,
					   .hold_s = 180,
					   .id = 0x0a020202,
					   .as4 = bits & 1,
					   .refresh = bits & 2,
					   .mp_v4 = bits & 4,
					   .mp_v6 = bits & 8};
		uint8_t buf[128];
		size_t n = wire_open_build(buf, sizeof(buf), &o);
		struct bgp_error err;
		struct wire_hdr h;
		struct bgp_open back;

		assert_true(wire_hdr_parse(buf, &h, &err));
		assert_int_equal(h.len, n);
		assert_int_equal(h.type, BGP_OPEN);
		assert_true(wire_open_parse(rd_of(buf + BGP_HDR, n - BGP_HDR), &back, &err));
		assert_int_equal(back.my_as, BGP_AS_TRANS);
		assert_int_equal(back.as, o.as4 ? o.as : BGP_AS_TRANS);
		assert_int_equal(back.hold_s, 180);
		assert_int_equal(back.id, 0x0a020202);
		assert_true(back.as4 == o.as4 && back.refresh == o.refresh && back.mp_v4 == o.mp_v4 &&
			    back.mp_v6 == o.mp_v6);
		assert_true(back.mp == (o.mp_v4 || o.mp_v6));
		assert_int_equal(wire_open_build(buf, n - 1, &o), 0);
	}
}

static void as_trans_stands_for_wide_numbers_only(void **state)
{
	uint8_t buf[64];

	(void)state;
	for (uint32_t as = 65534; as <= 65537; as++) {
		const struct bgp_open o = {.as = as, .id = 1, .as4 = true};
		size_t n = wire_open_build(buf, sizeof(buf), &o);
		struct bgp_open back;
		struct bgp_error err;

		assert_true(wire_open_parse(rd_of(buf + BGP_HDR, n - BGP_HDR), &back, &err));
		assert_int_equal(back.my_as, as <= 65535 ? as : BGP_AS_TRANS);
		assert_int_equal(back.as, as);
	}
}

static void open_octets_are_the_rfcs(void **state)
{
	const struct bgp_open o = {
		.as = 65001, .hold_s = 90, .id = 0xc0000201, .as4 = true, .refresh = true, .mp_v4 = true};
	uint8_t buf[128], want[128];
	size_t n = hex(MARKER "002d 01 04 fde9 005a c0000201 10 02 0e 01 04 0001 00 01 02 00 41 04 0000fde9", want);

	(void)state;
	assert_int_equal(wire_open_build(buf, sizeof(buf), &o), n);
	assert_memory_equal(buf, want, n);
}

static struct bgp_notification told(const char *text, uint8_t *buf)
{
	struct bgp_notification n;

	wire_notification_parse(rd_of(buf, hex(text, buf)), &n);
	return n;
}

static void notifications_are_put_into_words(void **state)
{
	static const struct {
		const char *body, *text;
	} cases[] = {
		{"06 02", "Cease/Administrative Shutdown"},
		{"06 02 05 68656c6c6f", "Cease/Administrative Shutdown: \"hello\""},
		{"06 04 02 6f6b", "Cease/Administrative Reset: \"ok\""},
		{"06 02 03 1b5b22",
		 "Cease/Administrative Shutdown: \"\\x1b[\\x22\""}, /* no escape sequence gets through */
		{"06 02 01 00", "Cease/Administrative Shutdown: \"\\x00\""},
		{"06 02 00", "Cease/Administrative Shutdown"},
		{"06 02 06 68656c6c6f", "Cease/Administrative Shutdown"}, /* its length is not its length */
		{"06 02 04 68656c6c6f", "Cease/Administrative Shutdown"},
		{"06 03 05 68656c6c6f", "Cease/Peer De-configured"}, /* RFC 9003 2: in 2 and 4 only */
		{"06 07", "Cease/Connection Collision Resolution"},
		{"03 0b", "UPDATE Message Error/Malformed AS_PATH"},
		{"03 07", "UPDATE Message Error/AS Routing Loop"},
		{"02 02", "OPEN Message Error/Bad Peer AS"},
		{"02 00", "OPEN Message Error"},
		{"01 02 0012", "Message Header Error/Bad Message Length"},
		{"04 00", "Hold Timer Expired"},
		{"05 02", "Finite State Machine Error/Unexpected Message in OpenConfirm"},
		{"06 63", "Cease/99"},
		{"08 00", "Send Hold Timer Expired"},
		{"00 01", "code 0/1"},
		{"4d 03", "code 77/3"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		uint8_t buf[64];
		char text[256];
		struct bgp_notification n = told(cases[i].body, buf);

		assert_string_equal(wire_notification_text(&n, text, sizeof(text)), cases[i].text);
	}
}

static void the_longest_text_is_shown_whole(void **state)
{
	uint8_t body[2 + 1 + 255] = {6, 2, 255};
	struct bgp_notification n;
	char text[2048];

	(void)state;
	memset(body + 3, 0x80, 255); /* not UTF-8: escaped */
	wire_notification_parse(rd_of(body, sizeof(body)), &n);
	assert_true(n.has_text);
	wire_notification_text(&n, text, sizeof(text));
	assert_int_equal(strlen(text), strlen("Cease/Administrative Shutdown: \"\"") + 255 * 4);
}

static void a_shutdown_text_is_cut_at_a_character(void **state)
{
	uint8_t buf[256];
	char text[200];

	(void)state;
	assert_int_equal(wire_shutdown_build(buf, sizeof(buf), BGP_CEASE_SHUTDOWN, "bye"), BGP_HDR + 2 + 1 + 3);
	assert_memory_equal(buf + BGP_HDR, "\6\2\3bye", 6);
	assert_int_equal(wire_shutdown_build(buf, sizeof(buf), BGP_CEASE_RESET, NULL), BGP_HDR + 2);
	assert_int_equal(wire_shutdown_build(buf, sizeof(buf), BGP_CEASE_RESET, ""), BGP_HDR + 2);
	memset(text, 'x', sizeof(text));
	memcpy(text + 126, "\xe2\x82\xac", 3); /* octets 127 to 129: one euro */
	text[150] = '\0';
	assert_int_equal(wire_shutdown_build(buf, sizeof(buf), BGP_CEASE_SHUTDOWN, text), BGP_HDR + 2 + 1 + 126);
	assert_int_equal(buf[BGP_HDR + 2], 126);
	text[126] = text[127] = text[128] = 'x';
	text[128] = '\0';
	assert_int_equal(wire_shutdown_build(buf, sizeof(buf), BGP_CEASE_SHUTDOWN, text), BGP_HDR + 2 + 1 + 128);
}

static void notification_octets_are_the_rfcs(void **state)
{
	uint8_t buf[64], want[64];
	size_t n = hex(MARKER "0017 03 01 02 0012", want);

	(void)state;
	assert_int_equal(wire_notification_build(buf, sizeof(buf), 1, 2, "\x00\x12", 2), n);
	assert_memory_equal(buf, want, n);
	assert_int_equal(wire_notification_build(buf, n - 1, 1, 2, "\x00\x12", 2), 0);
	n = hex(MARKER "0013 04", want);
	assert_int_equal(wire_keepalive_build(buf, sizeof(buf)), n);
	assert_memory_equal(buf, want, n);
}

static void route_refresh_is_23_octets(void **state)
{
	struct bgp_refresh r;
	struct bgp_error err;
	uint8_t buf[64], want[64];
	size_t n = hex(MARKER "0017 05 0002 00 01", want);

	(void)state;
	assert_int_equal(wire_refresh_build(buf, sizeof(buf), 2, 1), n);
	assert_memory_equal(buf, want, n);
	assert_true(wire_refresh_parse(rd_of(buf, n), &r, &err));
	assert_int_equal(r.afi, 2);
	assert_int_equal(r.safi, 1);
	assert_int_equal(r.subtype, 0);
	assert_true(wire_refresh_parse(rd_of(buf, hex(MARKER "0017 05 0001 01 80", buf)), &r, &err));
	assert_int_equal(r.subtype, 1);
	assert_int_equal(r.safi, 128);
	assert_false(wire_refresh_parse(rd_of(buf, hex(MARKER "0016 05 0001 00", buf)), &r, &err));
	error_is(&err, BGP_ERR_REFRESH, 1, MARKER "0016 05 0001 00");
	assert_false(wire_refresh_parse(rd_of(buf, hex(MARKER "0018 05 0001 00 01 00", buf)), &r, &err));
	error_is(&err, BGP_ERR_REFRESH, 1, MARKER "0018 05 0001 00 01 00");
}

static void nothing_longer_than_a_message_is_built(void **state)
{
	static uint8_t buf[8192], data[8192];

	(void)state;
	assert_int_equal(wire_notification_build(buf, sizeof(buf), 3, 1, data, BGP_MSG_MAX - BGP_HDR - 2), BGP_MSG_MAX);
	assert_int_equal(wire_notification_build(buf, sizeof(buf), 3, 1, data, BGP_MSG_MAX - BGP_HDR - 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_checked),
		cmocka_unit_test(capabilities_come_in_any_packing),
		cmocka_unit_test(an_extended_open_may_be_long),
		cmocka_unit_test(unknown_capabilities_are_ignored),
		cmocka_unit_test(bad_opens_get_their_notification),
		cmocka_unit_test(hold_0_and_3_are_fine),
		cmocka_unit_test(another_as_is_refused),
		cmocka_unit_test(an_open_comes_back_as_it_was),
		cmocka_unit_test(as_trans_stands_for_wide_numbers_only),
		cmocka_unit_test(open_octets_are_the_rfcs),
		cmocka_unit_test(notifications_are_put_into_words),
		cmocka_unit_test(the_longest_text_is_shown_whole),
		cmocka_unit_test(a_shutdown_text_is_cut_at_a_character),
		cmocka_unit_test(notification_octets_are_the_rfcs),
		cmocka_unit_test(route_refresh_is_23_octets),
		cmocka_unit_test(nothing_longer_than_a_message_is_built),
	};

	return cmocka_run_group_tests_name("bgp-wire", tests, NULL, NULL);
}
