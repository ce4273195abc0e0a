/* Routing, TTL, MTU, fragments, ICMP, packets to ourselves, frames that are none. RFC 1812, RFC 792, RFC 1191, RFC 791 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rte_icmp.h>
#include <rte_udp.h>

#include "dataplane/icmp.h"
#include "dataplane/neigh.h"
#include "tests/stage/rig.h"

enum { OUTSIDE = 0xc6336401 /* 198.51.100.1: by the gateway */ };

static void wire(const struct rig_bytes *ip)
{
	struct rig_bytes f;

	rig_frame(&f, RIG_LAN, ip);
	rig_rx(RIG_LAN, &f);
	rig_run();
}

static void packet(struct rig_bytes *ip, uint32_t dst, uint16_t len)
{
	rig_udp(ip, RIG_LAN_HOST, dst, len, (uint8_t)len);
}

/* An ICMP error about `about`, with as much of it as RFC 1812 asks for. */
static void told(uint8_t type, uint8_t code, uint16_t mtu, const struct rig_bytes *about)
{
	struct rig_bytes got;
	uint16_t quote = about->len < 576 - 28 ? about->len : 576 - 28;

	rig_tx_ip(RIG_LAN, &got);
	assert_int_equal(rig_ip(&got)->src_addr, rte_cpu_to_be_32(RIG_LAN_ADDR));
	assert_int_equal(rig_ip(&got)->dst_addr, rte_cpu_to_be_32(RIG_LAN_HOST));
	assert_int_equal(rig_ip(&got)->next_proto_id, 1);
	assert_int_equal(got.len, 28 + quote);
	assert_int_equal(got.b[20], type);
	assert_int_equal(got.b[21], code);
	assert_int_equal(rte_raw_cksum(got.b + 20, got.len - 20u), 0xffff);
	assert_int_equal(got.b[24] << 8 | got.b[25], 0);
	assert_int_equal(got.b[26] << 8 | got.b[27], mtu);
	assert_memory_equal(got.b + 28, about->b, quote);
}

/* --- forwarding --- */

static void a_packet_is_forwarded_one_hop_further(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	for (unsigned ttl = 2; ttl < 256; ttl++) {
		packet(&ip, OUTSIDE, 200);
		rig_ip(&ip)->time_to_live = (uint8_t)ttl;
		rig_ip(&ip)->packet_id = rte_cpu_to_be_16((uint16_t)(ttl * 257));
		rig_cksum(&ip);
		wire(&ip);
		rig_tx_ip(RIG_WAN, &got);
		rig_ip(&ip)->time_to_live--;
		rig_cksum(&ip);
		assert_int_equal(got.len, ip.len);
		assert_memory_equal(got.b, ip.b, ip.len);
	}
	rig_dropped_none();
	rig_settle(0);
}

/* ESP and IKE of others, whom we are only a router for: as they came, DF and all, one hop further. */
static void tunnels_of_others_pass_through(void **state)
{
	static const struct {
		uint8_t proto;
		uint16_t port;
	} rows[] = {{50, 0}, {51, 0}, {17, 500}, {17, 4500}};
	struct rig_bytes ip, got;
	(void)state;

	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		packet(&ip, OUTSIDE, 200);
		rig_ip(&ip)->next_proto_id = rows[i].proto;
		if (rows[i].port)
			memcpy(ip.b + 22, (uint8_t[]){(uint8_t)(rows[i].port >> 8), (uint8_t)rows[i].port}, 2);
		rig_cksum(&ip);
		wire(&ip);
		rig_tx_ip(RIG_WAN, &got);
		rig_ip(&ip)->time_to_live--;
		rig_cksum(&ip);
		assert_int_equal(got.len, ip.len);
		assert_memory_equal(got.b, ip.b, ip.len);
	}
	rig_dropped_none();
	rig_settle(0);
}

/* A gateway with one port: clear packets and their ESP on the same wire. */
static void one_port_is_enough_for_a_tunnel(void **state)
{
	struct rig_bytes ip, f, got;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_GATEWAY, RIG_FAR_HOST, 200, 1);
	rig_frame(&f, RIG_WAN, &ip);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(rig_open(&f, &out, &got), 1);
	assert_int_equal(f.len, 200);
	assert_memory_equal(f.b + 12, ip.b + 12, 188);
	rig_udp(&ip, RIG_FAR_HOST, RIG_GATEWAY, 200, 2);
	rig_seal(&f, &in, 1, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(got.len, 200);
	assert_memory_equal(got.b + 12, ip.b + 12, 188);
	rig_dropped_none();
	rig_settle(0);
}

/* RFC 1141: the end-around carry, for every checksum that there is. */
static void the_checksum_stays_right_for_every_value(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	packet(&ip, OUTSIDE, 28);
	for (uint32_t id = 0; id < 65536; id += 7) {
		rig_ip(&ip)->packet_id = (uint16_t)id;
		rig_cksum(&ip);
		wire(&ip);
		rig_tx_ip(RIG_WAN, &got); /* asserts the checksum */
	}
	rig_settle(0);
}

/* RFC 4301 5.2: what a tunnel protects is not taken from the wire in clear, wherever it wants to go, and gets no answer. */
static void clear_packets_that_a_tunnel_should_have_carried_are_dropped(void **state)
{
	static const uint32_t dst[] = {RIG_LAN_HOST, RIG_FAR_HOST + 1};
	struct rig_bytes ip, f;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned i = 0; i < 2; i++) {
		rig_udp(&ip, RIG_FAR_HOST, dst[i], 100, 1);
		rig_ip(&ip)->time_to_live = i == 0 ? 1 : 64;
		rig_cksum(&ip);
		rig_frame(&f, RIG_WAN, &ip);
		rig_rx(RIG_WAN, &f);
	}
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_CLEAR_TO_PROTECTED, 2);
	/* the same packet out of the tunnel passes, and so does a clear one of somebody else in the same burst */
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_udp(&ip, OUTSIDE, RIG_LAN_HOST, 100, 1);
	rig_frame(&f, RIG_WAN, &ip);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_ip(RIG_LAN, &ip);
	rig_tx_ip(RIG_LAN, &ip);
	/* and one out of the tunnel beside one in clear, of one source */
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_frame(&f, RIG_WAN, &ip);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_ip(RIG_LAN, &ip);
	rig_tx_nothing();
	rig_dropped(DROP_CLEAR_TO_PROTECTED, 3);
	rig_settle(0);
}

/* The same among packets of many sources, at each place of a burst. */
static void a_protected_source_is_found_among_others(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	for (unsigned bad = 0; bad < 32; bad++) {
		for (unsigned i = 0; i < 32; i++) {
			rig_udp(&ip, i == bad ? RIG_FAR_HOST : OUTSIDE + i % 5, RIG_LAN_HOST, 100, (uint8_t)i);
			rig_frame(&f, RIG_WAN, &ip);
			rig_rx(RIG_WAN, &f);
		}
		rig_run();
		for (unsigned i = 0; i < 32; i++) {
			if (i == bad)
				continue;
			rig_tx_ip(RIG_LAN, &ip);
			assert_int_equal(rte_be_to_cpu_16(rig_ip(&ip)->packet_id), i);
		}
		rig_tx_nothing();
		rig_dropped(DROP_CLEAR_TO_PROTECTED, bad + 1);
	}
	rig_settle(0);
}

/* 0xffff in place of 0: the one value for which the carry goes around. */
static void the_other_zero_checksum_stays_right_too(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	packet(&ip, OUTSIDE, 28);
	for (uint32_t id = 0; id == 0 || rig_ip(&ip)->hdr_checksum != 0; id++) {
		assert_true(id < 65536);
		rig_ip(&ip)->packet_id = (uint16_t)id;
		rig_cksum(&ip);
	}
	rig_ip(&ip)->hdr_checksum = 0xffff;
	wire(&ip);
	rig_tx_ip(RIG_WAN, &got);
	rig_dropped_none();
	rig_settle(0);
}

static void ethernet_padding_is_not_forwarded(void **state)
{
	struct rig_bytes ip, f, got;
	(void)state;

	packet(&ip, OUTSIDE, 30);
	rig_frame(&f, RIG_LAN, &ip);
	memset(f.b + f.len, 0xaa, 16);
	f.len = 60;
	rig_rx(RIG_LAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(got.len, 30);
	rig_settle(0);
}

static void an_expired_packet_is_reported(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		packet(&ip, OUTSIDE, (uint16_t)(100 + ttl * 900));
		rig_ip(&ip)->time_to_live = ttl;
		rig_cksum(&ip);
		wire(&ip);
		told(ICMP_TIME_EXCEEDED, 0, 0, &ip);
	}
	rig_dropped(DROP_TTL, 2);
	rig_settle(2);
}

static void no_route_is_reported_and_a_black_hole_is_not(void **state)
{
	struct rig_bytes ip;
	(void)state;

	packet(&ip, 0x08080808, 100);
	wire(&ip);
	rig_ip(&ip)->time_to_live = 64;
	told(ICMP_UNREACHABLE, 0, 0, &ip);
	packet(&ip, 0x0a040001, 100);
	wire(&ip);
	rig_tx_nothing();
	assert_int_equal(rig->count.drop[DROP_NO_ROUTE], 1);
	assert_int_equal(rig->count.drop[DROP_BLACKHOLE], 1);
	rig_settle(1);
}

static void errors_are_rate_limited(void **state)
{
	struct rig_bytes ip, got;
	unsigned n = 0;
	(void)state;

	packet(&ip, OUTSIDE, 100);
	rig_ip(&ip)->time_to_live = 1;
	rig_cksum(&ip);
	for (unsigned i = 0; i < 500; i++)
		wire(&ip);
	while (rig_tx(RIG_LAN, &got))
		n++;
	assert_in_range(n, 50, 80); /* the burst, and what time gave back meanwhile */
	rig_dropped(DROP_TTL, 500);
	rig_settle(n);
}

/* RFC 1812 4.3.2.7: never about these. */
static void errors_about_errors_and_the_like_are_not_sent(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	packet(&ip, OUTSIDE, 100);
	rig_ip(&ip)->time_to_live = 1;
	rig_ip(&ip)->next_proto_id = 1;
	for (unsigned type = 0; type < 256; type++) {
		bool query = type == 0 || type == 8 || (type >= 13 && type <= 18);

		ip.b[20] = (uint8_t)type;
		rig_cksum(&ip);
		if (!query)
			wire(&ip);
	}
	rig_tx_nothing();
	packet(&ip, OUTSIDE, 100);
	rig_ip(&ip)->time_to_live = 1;
	rig_ip(&ip)->fragment_offset = RTE_BE16(3); /* a later fragment */
	rig_cksum(&ip);
	wire(&ip);
	packet(&ip, 0x08080808, 100);
	rig_frame(&f, RIG_LAN, &ip);
	memset(f.b, 0xff, 6); /* came as a broadcast */
	rig_rx(RIG_LAN, &f);
	rig_run();
	rig_tx_nothing();
	assert_int_equal(rig->count.icmp_sent, 0);
	rig_settle(0);
}

/* --- MTU --- */

static void too_big_with_df_is_reported_with_the_port_mtu(void **state)
{
	struct rig_bytes ip, about;
	(void)state;

	rig->port[RIG_WAN].mtu = 1000;
	packet(&ip, OUTSIDE, 1001);
	wire(&ip);
	about = ip;
	rig_ip(&about)->time_to_live--; /* RFC 1812 4.3.2.3 allows for the step */
	rig_cksum(&about);
	told(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, 1000, &about);
	packet(&ip, OUTSIDE, 1000);
	wire(&ip);
	assert_int_equal(rig->count.tx, 2);
	rig_dropped(DROP_TOO_BIG, 1);
	rig_settle(1);
}

static void too_big_for_a_tunnel_is_reported_with_the_real_overhead(void **state)
{
	struct rig_bytes ip, about;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	assert_int_equal(rig->sad->out[0].mtu,
			 1446); /* 1500 - 20 - 8 - 8 - 16 = 1448, less pad length and next header */
	rig_settle(0);
	packet(&ip, RIG_FAR_HOST, (uint16_t)(rig->sad->out[0].mtu + 1));
	wire(&ip);
	about = ip;
	rig_ip(&about)->time_to_live--;
	rig_cksum(&about);
	told(ICMP_UNREACHABLE, ICMP_FRAG_NEEDED, rig->sad->out[0].mtu, &about);
	rig_settle(1);
}

static void the_largest_inner_packet_fills_the_mtu(void **state)
{
	struct rig_bytes ip, got;
	struct rig_sa out;
	(void)state;

	for (uint16_t mtu = 576; mtu <= 1500; mtu++) {
		for (unsigned encap = 0; encap < 2; encap++) {
			struct msg_sa_event gone;

			rig->port[RIG_WAN].mtu = mtu;
			out = rig_sa_make(0, MSG_DIR_OUT);
			out.add.flags = encap ? MSG_SA_ENCAP_UDP : 0;
			out.add.remote_port = 4500;
			assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
			packet(&ip, RIG_FAR_HOST, rig->sad->out[0].mtu);
			wire(&ip);
			rig_tx_ip(RIG_WAN, &got);
			assert_in_range(got.len, mtu - 3u, mtu); /* not over, and no 4 octets more would fit */
			assert_int_equal(sad_del(rig, out.add.sa, MSG_DIR_OUT, &gone), 0);
		}
	}
	rig_dropped_none();
	rig_settle(0);
}

/* Fragments put together again by offset; gives their number. Header fields that must hold are checked. */
static unsigned reassemble(uint16_t port, struct rig_bytes *whole, uint16_t mtu)
{
	struct rig_bytes got;
	unsigned n = 0;
	uint16_t end = 0;

	memset(whole, 0, sizeof(*whole));
	do {
		uint16_t off, ihl, flags;

		rig_tx_ip(port, &got);
		assert_true(got.len <= mtu);
		flags = rte_be_to_cpu_16(rig_ip(&got)->fragment_offset);
		off = (uint16_t)((flags & 0x1fff) * 8);
		ihl = (uint16_t)((got.b[0] & 15) * 4);
		if (n == 0)
			memcpy(whole->b, got.b, ihl);
		assert_int_equal(off, end);
		memcpy(whole->b + (whole->b[0] & 15) * 4 + off, got.b + ihl, (size_t)(got.len - ihl));
		end = (uint16_t)(off + got.len - ihl);
		n++;
		if (flags & 0x2000)
			assert_int_equal((got.len - ihl) % 8, 0);
		else
			break;
	} while (n < 64);
	whole->len = (uint16_t)((whole->b[0] & 15) * 4 + end);
	rig_ip(whole)->total_length = rte_cpu_to_be_16(whole->len);
	rig_ip(whole)->fragment_offset = 0;
	rig_cksum(whole);
	return n;
}

static void too_big_without_df_is_cut(void **state)
{
	struct rig_bytes ip, whole;
	unsigned made = 0;
	(void)state;

	for (uint16_t mtu = 68; mtu < 800; mtu = (uint16_t)(mtu + 13)) {
		unsigned n;

		rig->port[RIG_WAN].mtu = mtu;
		packet(&ip, OUTSIDE, 900);
		rig_ip(&ip)->fragment_offset = 0;
		rig_cksum(&ip);
		wire(&ip);
		n = reassemble(RIG_WAN, &whole, mtu);
		assert_int_equal(n, (880 + ((mtu - 20) & ~7) - 1) / ((mtu - 20) & ~7));
		made += n - 1;
		rig_ip(&ip)->time_to_live--;
		rig_cksum(&ip);
		assert_int_equal(whole.len, ip.len);
		assert_memory_equal(whole.b, ip.b, ip.len);
	}
	rig_dropped_none();
	rig_settle(made);
}

static void options_go_into_the_pieces_that_rfc_791_says(void **state)
{
	struct rig_bytes ip, got;
	static const uint8_t options[12] = {148, 4, 0, 0, 7, 7,
					    4,   0, 0, 0, 0, 0}; /* router alert (copied), record route */
	(void)state;

	packet(&ip, OUTSIDE, 1000);
	memmove(ip.b + 32, ip.b + 20, 980);
	memcpy(ip.b + 20, options, 12);
	ip.len = 1012;
	ip.b[0] = 0x48;
	rig_ip(&ip)->total_length = rte_cpu_to_be_16(ip.len);
	rig_ip(&ip)->fragment_offset = 0;
	rig_cksum(&ip);
	rig->port[RIG_WAN].mtu = 600;
	wire(&ip);
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(got.b[0], 0x48);
	assert_memory_equal(got.b + 20, options, 12);
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(got.b[0], 0x46);
	assert_memory_equal(got.b + 20, options, 4);
	rig_settle(1);
}

static void a_fragment_is_cut_further_and_keeps_its_place(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	packet(&ip, OUTSIDE, 820);
	rig_ip(&ip)->fragment_offset = RTE_BE16(0x2000 | 100);
	rig_cksum(&ip);
	rig->port[RIG_WAN].mtu = 500;
	wire(&ip);
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(rte_be_to_cpu_16(rig_ip(&got)->fragment_offset), 0x2000 | 100);
	rig_tx_ip(RIG_WAN, &got);
	assert_int_equal(rte_be_to_cpu_16(rig_ip(&got)->fragment_offset), 0x2000 | 160);
	rig_settle(1);
}

static void too_big_for_a_tunnel_without_df_is_cut_before_encryption(void **state)
{
	struct rig_bytes ip, outer, inner;
	struct rig_sa in, out;
	uint16_t total = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	packet(&ip, RIG_FAR_HOST, 1500);
	rig_ip(&ip)->fragment_offset = 0;
	rig_cksum(&ip);
	wire(&ip);
	for (uint32_t i = 1; i <= 2; i++) {
		rig_tx_ip(RIG_WAN, &outer);
		assert_true(outer.len <= 1500);
		assert_int_equal(rig_open(&inner, &out, &outer), i);
		assert_int_equal(rte_ipv4_cksum(rig_ip(&inner)), 0);
		assert_memory_equal(inner.b + 20, ip.b + 20 + total, inner.len - 20u);
		total = (uint16_t)(total + inner.len - 20);
	}
	assert_int_equal(total, 1480);
	rig_tx_nothing();
	rig_settle(1);
}

/* --- to ourselves --- */

static void echo(struct rig_bytes *ip, uint32_t dst, uint16_t len)
{
	packet(ip, dst, len);
	rig_ip(ip)->next_proto_id = 1;
	ip->b[20] = 8;
	ip->b[21] = ip->b[22] = ip->b[23] = 0;
	*(uint16_t *)(void *)(ip->b + 22) = (uint16_t)~rte_raw_cksum(ip->b + 20, len - 20u);
	rig_cksum(ip);
}

static void echo_is_answered_for_each_of_our_addresses(void **state)
{
	struct rig_bytes ip, got;
	uint32_t ours[] = {RIG_LAN_ADDR, RIG_WAN_ADDR};
	(void)state;

	for (unsigned i = 0; i < 200; i++) {
		echo(&ip, ours[i % 2], (uint16_t)(28 + i * 7));
		rig_ip(&ip)->time_to_live = 1; /* for us: not forwarded */
		rig_cksum(&ip);
		wire(&ip);
		rig_tx_ip(RIG_LAN, &got);
		assert_int_equal(rig_ip(&got)->src_addr, rig_ip(&ip)->dst_addr);
		assert_int_equal(rig_ip(&got)->dst_addr, rig_ip(&ip)->src_addr);
		assert_int_equal(rig_ip(&got)->time_to_live, 64);
		assert_int_equal(got.b[20], 0);
		assert_int_equal(rte_raw_cksum(got.b + 20, got.len - 20u), 0xffff);
		assert_memory_equal(got.b + 24, ip.b + 24, ip.len - 24u);
	}
	assert_int_equal(rig->count.icmp_sent, 200);
	rig_dropped_none();
	rig_settle(0);
}

static void echo_through_the_tunnel_is_answered_through_it(void **state)
{
	struct rig_bytes ip, outer, inner;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	echo(&ip, RIG_LAN_ADDR, 84);
	rig_ip(&ip)->src_addr = rte_cpu_to_be_32(RIG_FAR_HOST);
	rig_cksum(&ip);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	(void)rig_open(&inner, &out, &outer);
	assert_int_equal(rig_ip(&inner)->dst_addr, rte_cpu_to_be_32(RIG_FAR_HOST));
	assert_int_equal(inner.b[20], 0);
	rig_settle(0);
}

static void what_is_not_for_us_to_answer_is_named(void **state)
{
	struct rig_bytes ip;
	(void)state;

	echo(&ip, RIG_LAN_ADDR, 84);
	ip.b[60] ^= 1;
	wire(&ip);
	assert_int_equal(rig->count.drop[DROP_BAD_CHECKSUM], 1);
	echo(&ip, RIG_LAN_ADDR, 84);
	ip.b[20] = 13;
	*(uint16_t *)(void *)(ip.b + 22) = 0;
	*(uint16_t *)(void *)(ip.b + 22) = (uint16_t)~rte_raw_cksum(ip.b + 20, 64);
	wire(&ip);
	assert_int_equal(rig->count.drop[DROP_PROTOCOL], 1);
	packet(&ip, RIG_LAN_ADDR, 28); /* UDP to a port that nobody has */
	wire(&ip);
	assert_int_equal(rig->count.drop[DROP_PROTOCOL], 2);
	echo(&ip, RIG_LAN_ADDR, 84);
	rig_ip(&ip)->fragment_offset = RTE_BE16(0x2000);
	rig_cksum(&ip);
	wire(&ip);
	assert_int_equal(rig->count.drop[DROP_FRAGMENT], 1);
	packet(&ip, RIG_LAN_ADDR, 29); /* the NAT keepalive */
	((struct rte_udp_hdr *)(ip.b + 20))->dst_port = RTE_BE16(4500);
	ip.b[28] = 0xff;
	wire(&ip);
	assert_int_equal(rig->count.drop[DROP_KEEPALIVE], 1);
	rig_tx_nothing();
	rig_settle(0);
}

static void an_expired_packet_out_of_a_tunnel_is_reported_from_an_address_inside_it(void **state)
{
	struct rig_bytes ip, outer, inner;
	struct rig_sa in, out;
	(void)state;

	in = rig_sa_make(0, MSG_DIR_IN);
	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.ts[0].local = (struct msg_ts){.lo = {10, 1, 0, 0}, .hi = {10, 1, 255, 255}, .port_hi = 65535};
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_ip(&ip)->time_to_live = 1;
	rig_cksum(&ip);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	(void)rig_open(&inner, &out, &outer);
	assert_int_equal(rig_ip(&inner)->src_addr, rte_cpu_to_be_32(RIG_LAN_ADDR));
	assert_int_equal(rig_ip(&inner)->dst_addr, rte_cpu_to_be_32(RIG_FAR_HOST));
	assert_int_equal(inner.b[20], ICMP_TIME_EXCEEDED);
	assert_memory_equal(inner.b + 28, ip.b, ip.len);
	rig_settle(1);
}

/* --- frames --- */

static void frames_that_are_none_are_named(void **state)
{
	struct rig_bytes ip, f, g;
	uint64_t n = 0;
	(void)state;

	packet(&ip, OUTSIDE, 100);
	rig_frame(&f, RIG_LAN, &ip);
	for (uint16_t len = 0; len < 34; len++, n++) {
		g = f;
		g.len = len;
		rig_rx(RIG_LAN, &g);
		rig_run();
	}
	rig_dropped(DROP_RUNT, n);
	g = f;
	g.b[12] = 0x86; /* IPv6, it says */
	g.b[13] = 0xdd;
	rig_rx(RIG_LAN, &g);
	g.b[12] = 0x81; /* a tag */
	g.b[13] = 0;
	rig_rx(RIG_LAN, &g);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_BAD_VERSION], 1);
	assert_int_equal(rig->count.drop[DROP_BAD_ETHERTYPE], 1);
	g = f;
	g.b[5] ^= 1; /* to another host */
	rig_rx(RIG_LAN, &g);
	g = f;
	g.b[0] = 1; /* a group; never forwarded */
	rig_rx(RIG_LAN, &g);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_NOT_FOR_US], 2);
	g = f;
	g.b[14] = 0x65;
	rig_rx(RIG_LAN, &g);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_BAD_VERSION], 2);
	g = f;
	g.b[24] ^= 1;
	rig_rx(RIG_LAN, &g);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_BAD_CHECKSUM], 1);
	g = f;
	g.len -= 1;
	rig_rx(RIG_LAN, &g);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_BAD_LENGTH], 1);
	rig_tx_nothing();
	rig_settle(0);
}

static void a_device_that_took_a_tag_off_does_not_smuggle_vlans(void **state)
{
	struct rig_bytes ip, f;
	struct rte_mbuf *m;
	(void)state;

	packet(&ip, OUTSIDE, 100);
	rig_frame(&f, RIG_LAN, &ip);
	m = rig_mbuf(&f);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	rig_rx_mbuf(RIG_LAN, m);
	rig_run();
	rig_dropped(DROP_BAD_ETHERTYPE, 1);
	rig_settle(0);
}

static void checksum_flags_count_only_where_the_device_is_trusted(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	packet(&ip, OUTSIDE, 100);
	rig_frame(&f, RIG_LAN, &ip);
	f.b[24] ^= 1; /* a wrong checksum */
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = rig_mbuf(&f);

		rig->port[RIG_LAN].rx_cksum_ok = i == 1;
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		rig_rx_mbuf(RIG_LAN, m);
		rig_run();
		assert_int_equal(rig->count.tx, i);
	}
	rig->port[RIG_LAN].rx_cksum_ok = false;
	rig_dropped(DROP_BAD_CHECKSUM, 1);
	rig_settle(0);
}

static void arp_goes_to_its_thread(void **state)
{
	static const uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  0xa2, 8, 6,
					0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0,    0, 0xa2,
					10,   1,    0,    9,    0,    0,    0, 0, 0, 0, 10, 1,    0, 1};
	struct rig_bytes f = {.len = 42};
	void *m = NULL;
	(void)state;

	memcpy(f.b, arp, 42);
	rig_rx(RIG_LAN, &f);
	rig_run();
	assert_int_equal(rig->count.punt, 1);
	assert_int_equal(rte_ring_dequeue(rig->neigh->link[0].up, &m), 0);
	rte_pktmbuf_free(m);
	f.b[18] = 5; /* no Ethernet address */
	rig_rx(RIG_LAN, &f);
	f.len = 41;
	f.b[18] = 6;
	rig_rx(RIG_LAN, &f);
	rig_run();
	rig_dropped(DROP_BAD_ARP, 2);
	rig_settle(0);
}

static void a_port_that_is_down_drops(void **state)
{
	struct rig_bytes ip;
	(void)state;

	atomic_store(&rig->port[RIG_WAN].up, false);
	packet(&ip, OUTSIDE, 100);
	wire(&ip);
	atomic_store(&rig->port[RIG_WAN].up, true);
	rig_dropped(DROP_LINK_DOWN, 1);
	rig_settle(0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_packet_is_forwarded_one_hop_further),
		T(tunnels_of_others_pass_through),
		T(one_port_is_enough_for_a_tunnel),
		T(the_checksum_stays_right_for_every_value),
		T(clear_packets_that_a_tunnel_should_have_carried_are_dropped),
		T(a_protected_source_is_found_among_others),
		T(the_other_zero_checksum_stays_right_too),
		T(ethernet_padding_is_not_forwarded),
		T(an_expired_packet_is_reported),
		T(no_route_is_reported_and_a_black_hole_is_not),
		T(errors_are_rate_limited),
		T(errors_about_errors_and_the_like_are_not_sent),
		T(too_big_with_df_is_reported_with_the_port_mtu),
		T(too_big_for_a_tunnel_is_reported_with_the_real_overhead),
		T(the_largest_inner_packet_fills_the_mtu),
		T(too_big_without_df_is_cut),
		T(options_go_into_the_pieces_that_rfc_791_says),
		T(a_fragment_is_cut_further_and_keeps_its_place),
		T(too_big_for_a_tunnel_without_df_is_cut_before_encryption),
		T(echo_is_answered_for_each_of_our_addresses),
		T(echo_through_the_tunnel_is_answered_through_it),
		T(what_is_not_for_us_to_answer_is_named),
		T(an_expired_packet_out_of_a_tunnel_is_reported_from_an_address_inside_it),
		T(frames_that_are_none_are_named),
		T(a_device_that_took_a_tag_off_does_not_smuggle_vlans),
		T(checksum_flags_count_only_where_the_device_is_trusted),
		T(arp_goes_to_its_thread),
		T(a_port_that_is_down_drops),
	};

	return cmocka_run_group_tests_name("forward", tests, rig_start, rig_stop);
}
