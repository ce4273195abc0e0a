/* Traffic selectors: pairs, protocols, ports, fragments, both directions. RFC 4301 4.4.1.1, 7; RFC 7296 3.13.1 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataplane/selector.h"

static union {
	struct rte_ipv4_hdr ip;
	uint8_t b[256];
} h;

static struct {
	unsigned n_ts;
	struct msg_ts_pair ts[MSG_TS_MAX];
} cold;

/* The packet in h, total octets long. */
static bool match(uint32_t dir, uint16_t total)
{
	struct selector_key k;

	selector_key(&k, h.b, total, h.b[0] >> 4 == 6);
	return selector_match(cold.ts, cold.n_ts, dir, &k);
}

/* local 10.1.0.0/16, remote 10.2.0.10..10.2.0.20 */
static struct msg_ts_pair pair(uint8_t proto, uint16_t llo, uint16_t lhi, uint16_t rlo, uint16_t rhi)
{
	return (struct msg_ts_pair){
		.local = {.lo = {10, 1, 0, 0}, .hi = {10, 1, 255, 255}, .port_lo = llo, .port_hi = lhi},
		.remote = {.lo = {10, 2, 0, 10}, .hi = {10, 2, 0, 20}, .port_lo = rlo, .port_hi = rhi},
		.family = 4,
		.proto = proto};
}

static void packet(uint32_t src, uint32_t dst, uint8_t proto, uint16_t sport, uint16_t dport)
{
	memset(&h, 0, sizeof(h));
	h.ip.version_ihl = 0x45;
	h.ip.next_proto_id = proto;
	h.ip.src_addr = rte_cpu_to_be_32(src);
	h.ip.dst_addr = rte_cpu_to_be_32(dst);
	h.b[20] = (uint8_t)(sport >> 8);
	h.b[21] = (uint8_t)sport;
	h.b[22] = (uint8_t)(dport >> 8);
	h.b[23] = (uint8_t)dport;
}

/* In: from the peer to us; out: the other way. Both must say the same of one flow. */
static bool both(uint32_t remote, uint32_t local, uint8_t proto, uint16_t rport, uint16_t lport)
{
	bool in, out;

	packet(remote, local, proto, rport, lport);
	in = match(MSG_DIR_IN, 40);
	packet(local, remote, proto, lport, rport);
	out = match(MSG_DIR_OUT, 40);
	assert_int_equal(in, out);
	return in;
}

enum { L = 0x0a010203, R = 0x0a02000a };

static void address_ranges_have_exact_ends(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(0, 0, 65535, 0, 65535);
	assert_true(both(R, L, 6, 1, 2));
	assert_true(both(0x0a020014, 0x0a01ffff, 6, 1, 2));
	assert_false(both(0x0a020015, L, 6, 1, 2));
	assert_false(both(0x0a020009, L, 6, 1, 2));
	assert_false(both(R, 0x0a020000, 6, 1, 2));
	assert_false(both(R, 0x0a00ffff, 6, 1, 2));
	assert_false(both(L, R, 6, 1, 2)); /* the wrong way round */
}

static void protocol_and_ports_select(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(6, 0, 65535, 8080, 8090);
	assert_true(both(R, L, 6, 8080, 1));
	assert_true(both(R, L, 6, 8090, 65535));
	assert_false(both(R, L, 6, 8079, 1));
	assert_false(both(R, L, 6, 8091, 1));
	assert_false(both(R, L, 17, 8080, 1));
}

static void any_of_three_pairs_will_do(void **state)
{
	(void)state;
	cold.n_ts = 3;
	cold.ts[0] = pair(6, 1, 1, 0, 65535);
	cold.ts[1] = pair(17, 2, 2, 0, 65535);
	cold.ts[2] = pair(1, 0, 65535, 0, 65535);
	assert_true(both(R, L, 6, 9, 1));
	assert_true(both(R, L, 17, 9, 2));
	assert_true(both(R, L, 1, 9, 9));
	assert_false(both(R, L, 6, 9, 2));
	assert_false(both(R, L, 47, 9, 2));
	cold.n_ts = 2;
	assert_false(both(R, L, 1, 9, 9));
}

static void a_later_fragment_matches_no_ports(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(17, 0, 65535, 53, 53);
	packet(R, L, 17, 53, 9);
	assert_true(match(MSG_DIR_IN, 40));
	h.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG); /* the first one has them */
	assert_true(match(MSG_DIR_IN, 40));
	h.ip.fragment_offset = RTE_BE16(5);
	assert_false(match(MSG_DIR_IN, 40));
	cold.ts[0] = pair(17, 0, 65535, 0, 65535);
	assert_true(match(MSG_DIR_IN, 40)); /* needs none */
}

static void a_packet_too_short_for_ports_matches_none(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(17, 0, 65535, 0, 100);
	packet(R, L, 17, 0, 0);
	assert_true(match(MSG_DIR_IN, 24));
	assert_false(match(MSG_DIR_IN, 23));
	packet(R, L, 47, 0, 0); /* a protocol without ports */
	cold.ts[0] = pair(0, 0, 65535, 0, 100);
	assert_false(match(MSG_DIR_IN, 40));
}

static void icmp_type_and_code_stand_where_ports_do(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(1, 0x0800, 0x0800, 0x0800, 0x0800);
	packet(R, L, 1, 0x0800, 0x1234);
	assert_true(match(MSG_DIR_IN, 40));
	packet(R, L, 1, 0x0000, 0x0800);
	assert_false(match(MSG_DIR_IN, 40));
	packet(R, L, 1, 0x0801, 0x0800); /* another code */
	assert_false(match(MSG_DIR_IN, 40));
	/* types 3 to 5 with all codes: (T*256)+C */
	cold.ts[0] = pair(1, 0x0300, 0x05ff, 0x0300, 0x05ff);
	packet(R, L, 1, 0x05ff, 0);
	assert_true(match(MSG_DIR_IN, 40));
	packet(R, L, 1, 0x0600, 0);
	assert_false(match(MSG_DIR_IN, 40));
}

/* RFC 4301 4.4.1.3 B: the local end says what may be sent, the remote one what may be received. */
static void icmp_may_be_sent_and_received_by_different_types(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(1, 0x0800, 0x0800, 0x0000, 0x0000);
	packet(L, R, 1, 0x0800, 0);
	assert_true(match(MSG_DIR_OUT, 40));
	packet(R, L, 1, 0x0000, 0);
	assert_true(match(MSG_DIR_IN, 40));
	packet(L, R, 1, 0x0000, 0);
	assert_false(match(MSG_DIR_OUT, 40));
	packet(R, L, 1, 0x0800, 0);
	assert_false(match(MSG_DIR_IN, 40));
}

/* --- IPv6 --- */

enum {
	HBH = 0,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAG = 44,
	ESP = 50,
	AH = 51,
	ICMP6 = 58,
	NONE = 59,
	DEST = 60,
	MH = 135
};

/* 2001:db8::a..2001:db8::14 there, fd00::/16 here */
static struct msg_ts_pair pair6(uint8_t proto, uint16_t llo, uint16_t lhi, uint16_t rlo, uint16_t rhi)
{
	struct msg_ts_pair p = {
		.local = {.lo = {0xfd}, .hi = {0xfd}, .port_lo = llo, .port_hi = lhi},
		.remote = {.lo = {0x20, 1, 0xd, 0xb8}, .hi = {0x20, 1, 0xd, 0xb8}, .port_lo = rlo, .port_hi = rhi},
		.family = 6,
		.proto = proto};

	memset(p.local.hi + 2, 0xff, 14);
	p.remote.lo[15] = 0x0a;
	p.remote.hi[15] = 0x14;
	return p;
}

/* From the peer: 2001:db8::(last) to fd00::1. Extension headers of 8 octets, each a number of chain, the last one the protocol; then
 * 20 octets that begin with these ports. Its octets. */
static uint16_t packet6(uint8_t last, const uint8_t *chain, unsigned n, uint16_t a, uint16_t b)
{
	uint16_t at = 40;

	memset(&h, 0, sizeof(h));
	h.b[0] = 0x60;
	memcpy(h.b + 8, ((uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = last}), 16);
	memcpy(h.b + 24, ((uint8_t[16]){0xfd, [15] = 1}), 16);
	h.b[6] = chain[0];
	for (unsigned i = 0; i + 1 < n; i++) {
		h.b[at] = chain[i + 1];
		if (chain[i] == HBH || chain[i] == DEST)
			h.b[at + 2] = 1, h.b[at + 3] = 4; /* PadN */
		at = (uint16_t)(at + 8);
	}
	h.b[at] = (uint8_t)(a >> 8);
	h.b[at + 1] = (uint8_t)a;
	h.b[at + 2] = (uint8_t)(b >> 8);
	h.b[at + 3] = (uint8_t)b;
	return (uint16_t)(at + 20);
}

static void ipv6_ranges_have_exact_ends(void **state)
{
	const uint8_t udp[] = {UDP};
	(void)state;

	cold.n_ts = 1;
	cold.ts[0] = pair6(0, 0, 65535, 0, 65535);
	for (unsigned last = 0; last < 256; last++) {
		uint16_t len = packet6((uint8_t)last, udp, 1, 1, 2);

		assert_int_equal(match(MSG_DIR_IN, len), last >= 0x0a && last <= 0x14);
		assert_false(match(MSG_DIR_OUT, len));
	}
	/* the high half decides before the low one */
	(void)packet6(0x0c, udp, 1, 1, 2);
	h.b[15] = 1;
	assert_false(match(MSG_DIR_IN, 60));
	(void)packet6(0x0c, udp, 1, 1, 2);
	h.b[24] = 0xfc;
	assert_false(match(MSG_DIR_IN, 60));
}

static void a_pair_names_one_family(void **state)
{
	const uint8_t udp[] = {UDP};
	(void)state;

	cold.n_ts = 1;
	cold.ts[0] = pair6(0, 0, 65535, 0, 65535);
	packet(R, L, 17, 1, 2);
	assert_false(match(MSG_DIR_IN, 40));
	cold.ts[0] = (struct msg_ts_pair){.local = {.hi = {255, 255, 255, 255}, .port_hi = 65535},
					  .remote = {.hi = {255, 255, 255, 255}, .port_hi = 65535},
					  .family = 4};
	assert_true(match(MSG_DIR_IN, 40));
	assert_false(match(MSG_DIR_IN, packet6(0x0c, udp, 1, 1, 2)));
	cold.ts[1] = pair6(0, 0, 65535, 0, 65535);
	cold.n_ts = 2;
	assert_true(match(MSG_DIR_IN, 60));
}

/* What of a chain the selectors see. proto 0: nothing but ANY matches. */
static const struct {
	const char *name;
	uint8_t chain[11];
	uint8_t n, cut; /* cut: octets that are not there */
	uint8_t proto;
	bool ports;
} chains[] = {
	{"udp", {UDP}, 1, 0, UDP, true},
	{"tcp behind hop-by-hop", {HBH, TCP}, 2, 0, TCP, true},
	{"udp behind all four", {HBH, DEST, ROUTING, DEST, UDP}, 5, 0, UDP, true},
	{"udp in an atomic fragment", {FRAG, UDP}, 2, 0, UDP, true},
	{"udp behind a fragment header and options", {FRAG, DEST, UDP}, 3, 0, UDP, true},
	{"esp is a next layer", {DEST, ESP}, 2, 0, ESP, false},
	{"ah is a next layer", {AH}, 1, 0, AH, false},
	{"no next header", {NONE}, 1, 20, NONE, false},
	{"ports cut off", {DEST, UDP}, 2, 17, UDP, false},
	{"options cut off", {DEST, UDP}, 2, 21, 0, false},
	{"nothing behind the header", {DEST, UDP}, 2, 28, 0, false},
	{"two fragment headers", {FRAG, FRAG, UDP}, 3, 0, 0, false},
	{"hop-by-hop not in front", {DEST, HBH, UDP}, 3, 0, 0, false},
	{"longer than anybody's", {DEST, DEST, DEST, DEST, DEST, DEST, DEST, DEST, DEST, DEST, UDP}, 11, 0, 0, false},
};

static void selectors_see_behind_extension_headers(void **state)
{
	(void)state;
	cold.n_ts = 1;
	for (unsigned i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		uint16_t len = packet6(0x0c, chains[i].chain, chains[i].n, 500, 600);

		len = (uint16_t)(len - chains[i].cut);
		for (unsigned proto = 0; proto < 256; proto++) {
			bool want = proto == 0 || (chains[i].proto != 0 && proto == chains[i].proto);

			cold.ts[0] = pair6((uint8_t)proto, 0, 65535, 0, 65535);
			if (match(MSG_DIR_IN, len) != want)
				fail_msg("%s: protocol %u", chains[i].name, proto);
		}
		cold.ts[0] = pair6(chains[i].proto, 600, 600, 500, 500);
		if (match(MSG_DIR_IN, len) != chains[i].ports)
			fail_msg("%s: ports", chains[i].name);
		cold.ts[0] = pair6(chains[i].proto, 600, 600, 501, 501);
		assert_false(match(MSG_DIR_IN, len));
	}
}

static void a_later_ipv6_fragment_has_no_ports(void **state)
{
	const uint8_t frag[] = {FRAG, UDP}, opts[] = {FRAG, DEST, UDP};
	uint16_t len;
	(void)state;

	cold.n_ts = 1;
	cold.ts[0] = pair6(UDP, 0, 65535, 500, 500);
	len = packet6(0x0c, frag, 2, 500, 600);
	h.b[43] = 1; /* the first of several */
	assert_true(match(MSG_DIR_IN, len));
	h.b[43] = 9; /* the next, which could carry any octets there */
	assert_false(match(MSG_DIR_IN, len));
	cold.ts[0] = pair6(UDP, 0, 65535, 0, 65535);
	assert_true(match(MSG_DIR_IN, len));
	cold.ts[0] = pair6(TCP, 0, 65535, 0, 65535);
	assert_false(match(MSG_DIR_IN, len));
	/* options in the fragments: its protocol is not in this one */
	len = packet6(0x0c, opts, 3, 500, 600);
	h.b[43] = 9;
	cold.ts[0] = pair6(UDP, 0, 65535, 0, 65535);
	assert_false(match(MSG_DIR_IN, len));
	cold.ts[0] = pair6(DEST, 0, 65535, 0, 65535);
	assert_false(match(MSG_DIR_IN, len));
	cold.ts[0] = pair6(0, 0, 65535, 0, 65535);
	assert_true(match(MSG_DIR_IN, len));
}

static void icmpv6_and_mobility_types_stand_where_ports_do(void **state)
{
	const uint8_t icmp[] = {HBH, ICMP6}, mh[] = {MH};
	(void)state;

	cold.n_ts = 1;
	cold.ts[0] = pair6(ICMP6, 0, 65535, 0x8000, 0x8000);
	assert_true(match(MSG_DIR_IN, packet6(0x0c, icmp, 2, 0x8000, 0x1234)));
	assert_false(match(MSG_DIR_IN, packet6(0x0c, icmp, 2, 0x8100, 0x8000)));
	cold.ts[0] = pair6(MH, 0, 65535, 0x0500, 0x0500); /* binding update */
	assert_true(match(MSG_DIR_IN, packet6(0x0c, mh, 1, 0x3b01, 0x0500)));
	assert_false(match(MSG_DIR_IN, packet6(0x0c, mh, 1, 0x3b01, 0x0600)));
	assert_false(match(MSG_DIR_IN, packet6(0x0c, mh, 1, 0x0501, 0x0600)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_ranges_have_exact_ends),
		cmocka_unit_test(protocol_and_ports_select),
		cmocka_unit_test(any_of_three_pairs_will_do),
		cmocka_unit_test(a_later_fragment_matches_no_ports),
		cmocka_unit_test(a_packet_too_short_for_ports_matches_none),
		cmocka_unit_test(icmp_type_and_code_stand_where_ports_do),
		cmocka_unit_test(icmp_may_be_sent_and_received_by_different_types),
		cmocka_unit_test(ipv6_ranges_have_exact_ends),
		cmocka_unit_test(a_pair_names_one_family),
		cmocka_unit_test(selectors_see_behind_extension_headers),
		cmocka_unit_test(a_later_ipv6_fragment_has_no_ports),
		cmocka_unit_test(icmpv6_and_mobility_types_stand_where_ports_do),
	};

	return cmocka_run_group_tests_name("selector", tests, NULL, NULL);
}
