/* IPv4 headers: what parse_ip() lets pass, checksums, ECN through a tunnel. RFC 791, RFC 1071, RFC 6040 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataplane/ecn.h"
#include "dataplane/parse.h"

/* A sound header with room for options behind it. */
static union {
	struct rte_ipv4_hdr ip;
	uint8_t b[128];
} h;

static void header(uint8_t ihl, uint16_t total)
{
	memset(&h, 0, sizeof(h));
	h.ip.version_ihl = (uint8_t)(0x40 | ihl / 4);
	h.ip.total_length = rte_cpu_to_be_16(total);
	h.ip.time_to_live = 64;
	h.ip.next_proto_id = 17;
	h.ip.src_addr = RTE_BE32(0x0a000001);
	h.ip.dst_addr = RTE_BE32(0x0a000002);
	for (uint8_t i = 20; i < ihl; i++)
		h.b[i] = 1; /* NOP */
}

/* By the book, octet by octet. RFC 1071 4.1 */
static uint16_t sum_naive(const uint8_t *p, unsigned len)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void seal(void)
{
	h.ip.hdr_checksum = 0;
	h.ip.hdr_checksum = rte_cpu_to_be_16(sum_naive(h.b, (h.ip.version_ihl & 15u) * 4));
}

static void sound_headers_pass(void **state)
{
	(void)state;
	for (uint8_t ihl = 20; ihl <= 60; ihl = (uint8_t)(ihl + 4)) {
		header(ihl, 100);
		seal();
		assert_int_equal(parse_ip(&h.ip, 100, false), DROP_N);
		assert_int_equal(parse_ip(&h.ip, 101, false), DROP_N); /* padding behind */
	}
}

static void lying_headers_do_not(void **state)
{
	(void)state;
	header(20, 100);
	seal();
	assert_int_equal(parse_ip(&h.ip, 19, false), DROP_RUNT);
	assert_int_equal(parse_ip(&h.ip, 99, false), DROP_BAD_LENGTH);
	header(20, 19);
	seal();
	assert_int_equal(parse_ip(&h.ip, 100, false), DROP_BAD_LENGTH);
	header(24, 23);
	seal();
	assert_int_equal(parse_ip(&h.ip, 100, false), DROP_BAD_LENGTH);
	header(20, 100);
	h.ip.version_ihl = 0x44;
	assert_int_equal(parse_ip(&h.ip, 100, false), DROP_BAD_LENGTH);
	h.ip.version_ihl = 0x65;
	assert_int_equal(parse_ip(&h.ip, 100, false), DROP_BAD_VERSION);
}

static void every_wrong_bit_fails_the_checksum(void **state)
{
	(void)state;
	for (unsigned bit = 32; bit < 160; bit++) {
		header(20, 100);
		seal();
		h.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(parse_ip(&h.ip, 100, false), DROP_BAD_CHECKSUM);
	}
	header(40, 100);
	seal();
	h.b[39] ^= 1;
	assert_int_equal(parse_ip(&h.ip, 100, false), DROP_BAD_CHECKSUM);
	assert_int_not_equal(parse_ip(&h.ip, 100, true), DROP_BAD_CHECKSUM); /* the device has said that it is right */
}

static enum stats_drop options(const uint8_t *o, uint8_t n)
{
	header((uint8_t)(20 + (n + 3) / 4 * 4), 100);
	memset(h.b + 20, 0, 40);
	memcpy(h.b + 20, o, n);
	seal();
	return parse_ip(&h.ip, 100, false);
}

static void options_are_walked_to_their_end(void **state)
{
	(void)state;
	assert_int_equal(options((uint8_t[]){1, 1, 1, 0}, 4), DROP_N);
	assert_int_equal(options((uint8_t[]){148, 4, 0, 0}, 4), DROP_N);           /* router alert */
	assert_int_equal(options((uint8_t[]){7, 7, 4, 0, 0, 0, 0, 0}, 8), DROP_N); /* record route */
	assert_int_equal(options((uint8_t[]){7, 0, 4, 0}, 4), DROP_BAD_OPTIONS);   /* would never end */
	assert_int_equal(options((uint8_t[]){7, 1, 4, 0}, 4), DROP_BAD_OPTIONS);
	assert_int_equal(options((uint8_t[]){7, 5, 4, 0}, 4), DROP_BAD_OPTIONS);            /* beyond the header */
	assert_int_equal(options((uint8_t[]){1, 1, 1, 7}, 4), DROP_BAD_OPTIONS);            /* no length */
	assert_int_equal(options((uint8_t[]){131, 7, 4, 1, 2, 3, 4}, 7), DROP_BAD_OPTIONS); /* source routes */
	assert_int_equal(options((uint8_t[]){137, 7, 4, 1, 2, 3, 4}, 7), DROP_BAD_OPTIONS);
}

static enum stats_drop addresses(uint32_t src, uint32_t dst)
{
	header(20, 100);
	h.ip.src_addr = rte_cpu_to_be_32(src);
	h.ip.dst_addr = rte_cpu_to_be_32(dst);
	seal();
	return parse_ip(&h.ip, 100, false);
}

static void addresses_that_are_no_hosts_are_refused(void **state)
{
	static const uint32_t bad[] = {0,          0x00ffffff, 0x7f000001, 0x7fffffff,
				       0xe0000000, 0xefffffff, 0xf0000000, 0xffffffff};
	(void)state;

	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		assert_int_equal(addresses(bad[i], 0x0a000001), DROP_BAD_ADDRESS);
		assert_int_equal(addresses(0x0a000001, bad[i]), DROP_BAD_ADDRESS);
	}
	assert_int_equal(addresses(0x01000000, 0xdfffffff), DROP_N);
	assert_int_equal(addresses(0x7e000000, 0x80000000), DROP_N);
}

/* RFC 6040 figure 4, written out as in the RFC: rows the inner, columns the outer, -1: drop. */
static void ecn_through_the_tunnel_is_rfc_6040_figure_4(void **state)
{
	enum { NOT, ECT0, ECT1, CE };
	static const uint8_t code[4] = {[NOT] = 0, [ECT0] = 2, [ECT1] = 1, [CE] = 3};
	static const int figure[4][4] = {
		/*          NOT   ECT0  ECT1  CE */
		[NOT] = {NOT, NOT, NOT, -1},
		[ECT0] = {ECT0, ECT0, ECT1, CE},
		[ECT1] = {ECT1, ECT1, ECT1, CE},
		[CE] = {CE, CE, CE, CE},
	};
	/* "(!!!)" and "(!)" there */
	static const bool odd[4][4] = {
		[NOT] = {[ECT0] = true, [ECT1] = true, [CE] = true},
		[ECT1] = {[ECT0] = true},
		[CE] = {[ECT1] = true},
	};
	(void)state;

	for (unsigned in = 0; in < 4; in++) {
		for (unsigned out = 0; out < 4; out++) {
			for (unsigned dscp = 0; dscp < 64; dscp++) {
				header(20, 100);
				h.ip.type_of_service = (uint8_t)(dscp << 2 | code[in]);
				h.ip.packet_id = rte_cpu_to_be_16((uint16_t)(dscp * 1031)); /* other checksums */
				seal();
				uint8_t verdict = ecn_decap(&h.ip, (uint8_t)(0xb8 | code[out]));

				assert_int_equal(!(verdict & ECN_DROP), figure[in][out] >= 0);
				assert_int_equal(!!(verdict & ECN_ODD), odd[in][out]);
				if (verdict & ECN_DROP)
					continue;
				assert_int_equal(h.ip.type_of_service, dscp << 2 | code[figure[in][out]]);
				assert_int_equal(parse_ip(&h.ip, 100, false), DROP_N); /* checksum follows */
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_headers_pass),
		cmocka_unit_test(lying_headers_do_not),
		cmocka_unit_test(every_wrong_bit_fails_the_checksum),
		cmocka_unit_test(options_are_walked_to_their_end),
		cmocka_unit_test(addresses_that_are_no_hosts_are_refused),
		cmocka_unit_test(ecn_through_the_tunnel_is_rfc_6040_figure_4),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
