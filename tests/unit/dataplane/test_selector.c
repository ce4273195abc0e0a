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
	uint8_t b[64];
} h;

static struct sa_cold cold;

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
	in = selector_match(&cold, MSG_DIR_IN, &h.ip, 40);
	packet(local, remote, proto, lport, rport);
	out = selector_match(&cold, MSG_DIR_OUT, &h.ip, 40);
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
	assert_true(selector_match(&cold, MSG_DIR_IN, &h.ip, 40));
	h.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG); /* the first one has them */
	assert_true(selector_match(&cold, MSG_DIR_IN, &h.ip, 40));
	h.ip.fragment_offset = RTE_BE16(5);
	assert_false(selector_match(&cold, MSG_DIR_IN, &h.ip, 40));
	cold.ts[0] = pair(17, 0, 65535, 0, 65535);
	assert_true(selector_match(&cold, MSG_DIR_IN, &h.ip, 40)); /* needs none */
}

static void a_packet_too_short_for_ports_matches_none(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(17, 0, 65535, 0, 100);
	packet(R, L, 17, 0, 0);
	assert_true(selector_match(&cold, MSG_DIR_IN, &h.ip, 24));
	assert_false(selector_match(&cold, MSG_DIR_IN, &h.ip, 23));
	packet(R, L, 47, 0, 0); /* a protocol without ports */
	cold.ts[0] = pair(0, 0, 65535, 0, 100);
	assert_false(selector_match(&cold, MSG_DIR_IN, &h.ip, 40));
}

static void icmp_type_and_code_stand_where_ports_do(void **state)
{
	(void)state;
	cold.n_ts = 1;
	cold.ts[0] = pair(1, 0x0800, 0x0800, 0x0800, 0x0800);
	packet(R, L, 1, 0x0800, 0x1234);
	assert_true(selector_match(&cold, MSG_DIR_IN, &h.ip, 40));
	packet(R, L, 1, 0x0000, 0x0800);
	assert_false(selector_match(&cold, MSG_DIR_IN, &h.ip, 40));
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
	};

	return cmocka_run_group_tests_name("selector", tests, NULL, NULL);
}
