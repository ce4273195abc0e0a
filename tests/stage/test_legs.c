/* Next hops of several legs, through whole polls: one flow, one leg. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_udp.h>

#include "tests/stage/rig.h"

enum { NH_PORTS = 8, NH_TUNNELS, NH_MIXED, FLOWS = 64 };

#define TO_PORTS   0x0a050000u
#define TO_TUNNELS 0x0a060000u
#define TO_MIXED   0x0a070000u

static const struct msg_nh_leg wan = {.kind = MSG_NH_PORT, .family = 4, .port = RIG_WAN, .via = {192, 0, 2, 254}};
static const struct msg_nh_leg lan = {.kind = MSG_NH_PORT, .family = 4, .port = RIG_LAN, .via = {10, 1, 0, 9}};
static const struct msg_nh_leg tunnel0 = {.kind = MSG_NH_TUNNEL, .tunnel = {0, 1}};
static const struct msg_nh_leg tunnel1 = {.kind = MSG_NH_TUNNEL, .tunnel = {1, 1}};

static void nexthop(uint32_t id, struct msg_nh_leg a, struct msg_nh_leg b)
{
	struct msg_nexthop m = {.id = id, .n = 2, .leg = {a, b}};

	assert_int_equal(fib_nexthop_set(rig->fib, &m), 0);
}

static int start(void **state)
{
	if (rig_start(state))
		return -1;
	nexthop(NH_PORTS, wan, lan);
	nexthop(NH_TUNNELS, tunnel0, tunnel1);
	nexthop(NH_MIXED, tunnel0, wan);
	if (fib_set(rig->fib, TO_PORTS, 16, NH_PORTS) || fib_set(rig->fib, TO_TUNNELS, 16, NH_TUNNELS) ||
	    fib_set(rig->fib, TO_MIXED, 16, NH_MIXED))
		return -1;
	return 0;
}

static void flow(struct rig_bytes *ip, uint32_t dst, uint16_t sport, uint16_t frag)
{
	rig_udp(ip, RIG_LAN_HOST, dst, 100, 1);
	((struct rte_udp_hdr *)(ip->b + 20))->src_port = rte_cpu_to_be_16(sport);
	rig_ip(ip)->fragment_offset = rte_cpu_to_be_16(frag);
	rig_cksum(ip);
}

static void put(const struct rig_bytes *ip)
{
	struct rig_bytes f;

	rig_frame(&f, RIG_LAN, ip);
	rig_rx(RIG_LAN, &f);
}

/* The port by which the one packet left. */
static int left_by(void)
{
	struct rig_bytes f;

	rig_run();
	for (uint16_t i = 0; i < RIG_PORTS; i++) {
		if (rig_tx(i, &f)) {
			rig_tx_nothing();
			return i;
		}
	}
	return -1;
}

static void one_flow_has_one_leg_and_flows_share_them(void **state)
{
	unsigned got[RIG_PORTS] = {0};
	struct rig_bytes ip;
	(void)state;

	for (uint16_t i = 0; i < FLOWS; i++) {
		int port = -1;

		for (unsigned k = 0; k < 3; k++) {
			flow(&ip, TO_PORTS + 9, (uint16_t)(1000 + i), RTE_IPV4_HDR_DF_FLAG);
			put(&ip);
			port = k ? port : left_by();
			assert_in_range(port, 0, RIG_PORTS - 1);
			if (k)
				assert_int_equal(left_by(), port);
		}
		got[port]++;
	}
	/* 64 coins: 8 and fewer of one side would be a miracle */
	assert_in_range(got[RIG_WAN], FLOWS / 8, FLOWS - FLOWS / 8);
	rig_dropped_none();
	rig_settle(0);
}

static void a_burst_is_divided_as_its_packets_are(void **state)
{
	struct rig_bytes ip;
	int alone[32];
	unsigned wan_n = 0, n = 0;
	(void)state;

	for (uint16_t i = 0; i < 32; i++) {
		flow(&ip, i % 4 ? TO_PORTS + i : 0xc6336407u, (uint16_t)(7 * i), RTE_IPV4_HDR_DF_FLAG);
		put(&ip);
		alone[i] = left_by();
		wan_n += alone[i] == RIG_WAN;
	}
	for (uint16_t i = 0; i < 32; i++) {
		flow(&ip, i % 4 ? TO_PORTS + i : 0xc6336407u, (uint16_t)(7 * i), RTE_IPV4_HDR_DF_FLAG);
		put(&ip);
	}
	rig_run();
	while (rig_tx(RIG_WAN, &ip))
		n++;
	assert_int_equal(n, wan_n);
	assert_true(wan_n > 8 && wan_n < 32);
	rig_settle(0);
}

/* What stands behind the end of a packet without ports is no port: here it is padding of its frame. */
static void a_packet_too_short_for_ports_is_of_one_flow(void **state)
{
	struct rig_bytes ip;
	int port = -1;
	(void)state;

	for (uint16_t i = 0; i < FLOWS; i++) {
		rig_udp(&ip, RIG_LAN_HOST, TO_PORTS + 9, 60, (uint8_t)(3 * i));
		((struct rte_udp_hdr *)(ip.b + 20))->src_port = rte_cpu_to_be_16((uint16_t)(1000 + i));
		rig_ip(&ip)->total_length = RTE_BE16(23);
		rig_cksum(&ip);
		put(&ip);
		if (i == 0)
			port = left_by();
		else
			assert_int_equal(left_by(), port);
	}
	rig_settle(0);
}

/* Later fragments have no ports: none of them may count. */
static void the_fragments_of_a_datagram_stay_together(void **state)
{
	struct rig_bytes ip;
	(void)state;

	for (uint16_t i = 0; i < FLOWS; i++) {
		int port;

		flow(&ip, TO_PORTS + i, (uint16_t)(1000 + i), RTE_IPV4_HDR_MF_FLAG);
		put(&ip);
		port = left_by();
		flow(&ip, TO_PORTS + i, (uint16_t)(5000 + i), RTE_IPV4_HDR_MF_FLAG | 12);
		put(&ip);
		assert_int_equal(left_by(), port);
		flow(&ip, TO_PORTS + i, (uint16_t)(9000 + i), 24);
		put(&ip);
		assert_int_equal(left_by(), port);
	}
	rig_settle(0);
}

static void tunnels_share_flows_too(void **state)
{
	struct msg_tunnel_set t = {.tunnel = {1, 1},
				   .family = 4,
				   .dscp = MSG_DSCP_COPY,
				   .port = RIG_WAN,
				   .local = {192, 0, 2, 1},
				   .name = "t1"};
	struct rig_sa in, out, in1, out1;
	struct rig_bytes ip;
	unsigned sent[2];
	(void)state;

	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	rig_sa_pair(0, &in, &out);
	in1 = rig_sa_make(1, MSG_DIR_IN);
	out1 = rig_sa_make(1, MSG_DIR_OUT);
	in1.add.tunnel = out1.add.tunnel = (struct msg_handle){1, 1};
	assert_int_equal(rig_sa_add(&in1, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&out1, MSG_DIR_OUT), 0);
	for (uint16_t i = 0; i < FLOWS; i++) {
		flow(&ip, TO_TUNNELS + 1, (uint16_t)(1000 + i), RTE_IPV4_HDR_DF_FLAG);
		put(&ip);
		put(&ip);
		rig_run();
		assert_int_equal(rig_counters(0, MSG_DIR_OUT).packets % 2, 0);
		assert_true(rig_tx(RIG_WAN, &ip) && rig_tx(RIG_WAN, &ip));
	}
	sent[0] = (unsigned)rig_counters(0, MSG_DIR_OUT).packets;
	sent[1] = (unsigned)rig_counters(1, MSG_DIR_OUT).packets;
	assert_int_equal(sent[0] + sent[1], 2 * FLOWS);
	assert_int_equal(sent[0] % 2, 0);
	assert_in_range(sent[0], FLOWS / 4, 2 * FLOWS - FLOWS / 4);
	rig_dropped_none();
	rig_settle(0);
}

/* RFC 4301 5.2: behind tunnels only, it has to come by one; where a leg is a port, it may come in clear. */
static void who_is_behind_tunnels_does_not_come_in_clear(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		rig_udp(&ip, i ? TO_MIXED + 1 : TO_TUNNELS + 1, RIG_LAN_HOST, 100, 1);
		rig_frame(&f, RIG_WAN, &ip);
		rig_rx(RIG_WAN, &f);
		rig_run();
		rig_dropped(DROP_CLEAR_TO_PROTECTED, 1);
		assert_int_equal(rig_tx(RIG_LAN, &f), i == 1);
	}
	rig_settle(0);
}

/* The way back of an error has several legs: the address that speaks is one that their selectors let through, and not the outer port's. */
static void an_error_back_into_tunnels_speaks_from_inside(void **state)
{
	struct rig_sa in, out = rig_sa_make(0, MSG_DIR_OUT);
	struct rig_bytes ip, outer, inner;
	(void)state;

	nexthop(12, tunnel0, tunnel0);
	assert_int_equal(fib_set(rig->fib, 0x0a090000, 16, 12), 0);
	in = rig_sa_make(0, MSG_DIR_IN);
	out.add.ts[0].local = (struct msg_ts){.lo = {10, 1, 0, 0}, .hi = {10, 1, 0, 255}, .port_hi = UINT16_MAX};
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	rig_udp(&ip, 0x0a090001, RIG_LAN_HOST, 100, 1);
	rig_ip(&ip)->time_to_live = 1;
	rig_cksum(&ip);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	(void)rig_open(&inner, &out, &outer);
	assert_int_equal(rig_ip(&inner)->src_addr, rte_cpu_to_be_32(RIG_LAN_ADDR));
	assert_int_equal(rig_ip(&inner)->dst_addr, rte_cpu_to_be_32(0x0a090001));
	rig_dropped(DROP_TTL, 1);
	rig_settle(1);
}

static void a_leg_whose_tunnel_is_gone_loses_its_flows_alone(void **state)
{
	struct rig_bytes ip;
	uint64_t lost;
	(void)state;

	nexthop(11, tunnel1, wan);
	assert_int_equal(fib_set(rig->fib, 0x0a080000, 16, 11), 0);
	fib_tunnel_gone(rig->fib, 1);
	for (uint16_t i = 0; i < FLOWS; i++) {
		flow(&ip, 0x0a080001, (uint16_t)(1000 + i), RTE_IPV4_HDR_DF_FLAG);
		put(&ip);
		(void)left_by();
	}
	lost = rig->count.drop[DROP_BLACKHOLE];
	assert_in_range(lost, FLOWS / 8, FLOWS - FLOWS / 8);
	rig_dropped(DROP_BLACKHOLE, lost);
	rig_settle(0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_flow_has_one_leg_and_flows_share_them),
		TEST(a_burst_is_divided_as_its_packets_are),
		TEST(a_packet_too_short_for_ports_is_of_one_flow),
		TEST(the_fragments_of_a_datagram_stay_together),
		TEST(tunnels_share_flows_too),
		TEST(who_is_behind_tunnels_does_not_come_in_clear),
		TEST(an_error_back_into_tunnels_speaks_from_inside),
		TEST(a_leg_whose_tunnel_is_gone_loses_its_flows_alone),
	};

	return cmocka_run_group_tests_name("legs", tests, start, rig_stop);
}
