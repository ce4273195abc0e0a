/* Clear packets into ESP: bytes on the wire, sequence numbers, limits, selectors, MTU. RFC 4303 3.3, RFC 6040 4.1 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_udp.h>

#include "dataplane/limit.h"
#include "tests/stage/rig.h"

static struct rig_sa in, out;

/* One packet of the LAN host, and what the peer finds in ours. */
static uint32_t through(struct rig_bytes *ip, struct rig_bytes *outer)
{
	struct rig_bytes f, inner;
	uint32_t seq;

	rig_frame(&f, RIG_LAN, ip);
	rig_rx(RIG_LAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, outer);
	seq = rig_open(&inner, &out, outer);
	/* RFC 4301 5.1.2.1: the inner packet travels as it was routed: one hop further */
	rig_ip(ip)->time_to_live--;
	rig_cksum(ip);
	assert_int_equal(inner.len, ip->len);
	assert_memory_equal(inner.b, ip->b, ip->len);
	return seq;
}

static void packets_of_every_length_arrive_as_they_were(void **state)
{
	struct rig_bytes ip, outer;
	uint32_t seq = 0;
	uint64_t octets = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (uint16_t len = 28; len <= 1438; len = (uint16_t)(len < 300 ? len + 1 : len + 37)) {
		rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, len, (uint8_t)len);
		assert_int_equal(through(&ip, &outer), ++seq);
		octets += len;
	}
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).packets, seq);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).octets, octets);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).seq, seq);
	assert_int_equal(rig->count.esp_out, seq);
	rig_dropped_none();
	rig_settle(0);
}

static void the_outer_header_is_ours(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	(void)through(&ip, &outer);
	assert_int_equal(rig_ip(&outer)->src_addr, rte_cpu_to_be_32(RIG_WAN_ADDR));
	assert_int_equal(rig_ip(&outer)->dst_addr, rte_cpu_to_be_32(RIG_PEER));
	assert_int_equal(rig_ip(&outer)->time_to_live, 64);
	assert_int_equal(rig_ip(&outer)->version_ihl, 0x45);
	/* the IV is the sequence number as 64 bits */
	assert_memory_equal(outer.b + 28, ((uint8_t[]){0, 0, 0, 0, 0, 0, 0, 1}), 8);
	rig_settle(0);
}

static void dscp_and_ecn_are_copied_out(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned tos = 0; tos < 256; tos++) {
		rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 60, 1);
		rig_ip(&ip)->type_of_service = (uint8_t)tos;
		rig_cksum(&ip);
		(void)through(&ip, &outer);
		assert_int_equal(rig_ip(&outer)->type_of_service, tos);
	}
	rig_settle(0);
}

static void tunnel_df(uint8_t df)
{
	struct msg_tunnel_set t = {.tunnel = {0, 1},
				   .family = 4,
				   .df = df,
				   .dscp = MSG_DSCP_COPY,
				   .port = RIG_WAN,
				   .local = {192, 0, 2, 1}};

	assert_int_equal(sad_tunnel_set(rig->sad, &t, 1), 0);
}

static uint16_t outer_frag(bool inner_df, uint16_t *id)
{
	struct rig_bytes ip, outer;

	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 60, 1);
	if (!inner_df)
		rig_ip(&ip)->fragment_offset = 0;
	rig_cksum(&ip);
	(void)through(&ip, &outer);
	*id = rte_be_to_cpu_16(rig_ip(&outer)->packet_id);
	return rte_be_to_cpu_16(rig_ip(&outer)->fragment_offset);
}

static void df_is_copied_set_or_cleared(void **state)
{
	static const struct {
		uint8_t df;
		bool with, without;
	} row[] = {{MSG_DF_COPY, true, false}, {MSG_DF_SET, true, true}, {MSG_DF_CLEAR, false, false}};
	uint16_t id;
	(void)state;

	for (uint32_t i = 0; i < 3; i++) {
		tunnel_df(row[i].df);
		rig_sa_pair(i, &in, &out);
		assert_int_equal(outer_frag(true, &id), row[i].with ? 0x4000 : 0);
		assert_int_equal(outer_frag(false, &id), row[i].without ? 0x4000 : 0);
	}
	rig_settle(0);
}

static void packets_that_may_be_fragmented_have_unique_ids(void **state)
{
	static bool used[65536];
	uint16_t id;
	(void)state;

	tunnel_df(MSG_DF_CLEAR);
	rig_sa_pair(0, &in, &out);
	for (unsigned i = 0; i < 3000; i++) {
		(void)outer_frag(true, &id);
		assert_false(used[id]);
		used[id] = true;
	}
	rig_settle(0);
}

static void udp_encapsulation_wraps_and_leaves_the_checksum_zero(void **state)
{
	struct rig_bytes ip, outer;
	const struct rte_udp_hdr *udp = (const void *)(outer.b + 20);
	(void)state;

	in = rig_sa_make(0, MSG_DIR_IN);
	out = rig_sa_make(0, MSG_DIR_OUT);
	out.encap = true;
	out.add.flags = MSG_SA_ENCAP_UDP;
	out.add.local_port = 4500;
	out.add.remote_port = 31337;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	for (uint16_t len = 28; len < 200; len++) {
		rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, len, 3);
		(void)through(&ip, &outer);
		assert_int_equal(rte_be_to_cpu_16(udp->src_port), 4500);
		assert_int_equal(rte_be_to_cpu_16(udp->dst_port), 31337);
		assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), outer.len - 20);
		assert_int_equal(udp->dgram_cksum, 0);
	}
	rig_settle(0);
}

static void aes_128_works_beside_aes_256(void **state)
{
	struct rig_bytes ip, outer;
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.encr = MSG_ENCR_AES128_GCM16;
	out.add.key_len = 20;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 777, 3);
	(void)through(&ip, &outer);
	rig_settle(0);
}

static void a_new_sa_takes_over_between_two_packets(void **state)
{
	struct rig_sa first, second;
	struct rig_bytes ip, outer;
	struct msg_sa_event gone = {0};
	(void)state;

	rig_sa_pair(0, &in, &out);
	first = out;
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	assert_int_equal(through(&ip, &outer), 1);
	rig_sa_pair(1, &in, &second);
	out = second;
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 2);
	assert_int_equal(through(&ip, &outer), 1);
	/* deleting the old one changes nothing */
	assert_int_equal(sad_del(rig, first.add.sa, MSG_DIR_OUT, &gone), 0);
	assert_int_equal(gone.c.packets, 1);
	assert_int_equal(gone.c.octets, 100);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 3);
	assert_int_equal(through(&ip, &outer), 2);
	rig_settle(0);
}

static void a_moved_peer_gets_the_same_sa_elsewhere(void **state)
{
	struct rig_bytes ip, outer;
	struct msg_sa_move m = {.sa = {0, 1}, .dir = MSG_DIR_OUT, .family = 4, .remote = {198, 51, 100, 99}};
	(void)state;

	rig_sa_pair(0, &in, &out);
	assert_int_equal(sad_move(rig, &m), 0);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	assert_int_equal(through(&ip, &outer), 1);
	assert_int_equal(rig_ip(&outer)->dst_addr, RTE_BE32(0xc6336463));
	m.sa.gen = 2;
	assert_int_equal(sad_move(rig, &m), -ESTALE);
	rig_settle(0);
}

/* A tunnel's slot goes to another peer's tunnel while the old SA still lives: its key must not serve the new one. */
static void an_sa_serves_only_the_tunnel_it_was_made_for(void **state)
{
	struct msg_tunnel_set t = {
		.tunnel = {0, 2}, .family = 4, .dscp = MSG_DSCP_COPY, .port = RIG_WAN, .local = {192, 0, 2, 1}};
	struct msg_sa_event gone;
	struct rig_bytes ip, outer;
	struct rig_sa old;
	(void)state;

	rig_sa_pair(0, &in, &old);
	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	rig_rx_clear(100, 1);
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_NO_SA, 1);
	out = rig_sa_make(1, MSG_DIR_OUT);
	out.add.tunnel.gen = 2;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	assert_int_equal(sad_del(rig, old.add.sa, MSG_DIR_OUT, &gone), 0);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	assert_int_equal(through(&ip, &outer), 1);
	rig_settle(0);
}

/* --- what does not get out --- */

static void traffic_without_an_sa_asks_once_a_second(void **state)
{
	struct msg_no_sa e;
	union msg none;
	(void)state;

	for (unsigned i = 0; i < 50; i++)
		rig_rx_clear(100, 1);
	rig_run();
	rig_event_is(MSG_NO_SA, &e, sizeof(e));
	assert_int_equal(e.tunnel.slot, 0);
	assert_int_equal(e.tunnel.gen, 1);
	assert_int_equal(e.proto, 17);
	assert_int_equal(e.src_port, 1000);
	assert_int_equal(e.dst_port, 2000);
	assert_memory_equal(e.src, ((uint8_t[]){10, 1, 0, 9}), 4);
	assert_memory_equal(e.dst, ((uint8_t[]){10, 2, 0, 5}), 4);
	assert_false(rig_event(&none));
	rig_dropped(DROP_NO_SA, 50);
	rig_tx_nothing();
	rig->sad->child[0][0].no_sa_tsc -= rig->tsc_hz; /* a second later */
	rig_rx_clear(100, 1);
	rig_run();
	rig_event_is(MSG_NO_SA, &e, sizeof(e));
	rig_settle(0);
}

static void the_last_sequence_number_is_the_last(void **state)
{
	struct rig_bytes outer, inner;
	struct msg_sa_event e;
	union msg none;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig->sad->out[0].seq = LIMIT_SEQ_LAST - 3;
	for (unsigned i = 0; i < 40; i++)
		rig_rx_clear(100, (uint8_t)i);
	rig_run();
	for (uint32_t i = 0; i < 3; i++) {
		rig_tx_ip(RIG_WAN, &outer);
		assert_int_equal(rig_open(&inner, &out, &outer), 0xfffffffdu + i);
	}
	rig_tx_nothing();
	rig_dropped(DROP_SEQ_END, 37);
	rig_event_is(MSG_SA_SOFT, &e, sizeof(e)); /* in truth long before: 2^28 packets are left then */
	rig_event_is(MSG_SA_HARD, &e, sizeof(e));
	assert_int_equal(e.sa.slot, 0);
	assert_int_equal(e.dir, MSG_DIR_OUT);
	assert_int_equal(e.c.seq, LIMIT_SEQ_LAST);
	assert_false(rig_event(&none));
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).drop[MSG_SA_DROP_INVALID_SA], 37);
	rig_settle(0);
}

static void packet_limits_are_exact(void **state)
{
	struct msg_sa_event e;
	struct rig_bytes f;
	unsigned n = 0;
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.soft_packets = 10;
	out.add.hard_packets = 20;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	for (unsigned i = 0; i < 9; i++)
		rig_rx_clear(100, (uint8_t)i);
	rig_run();
	assert_int_equal(rig->count.esp_out, 9);
	assert_false(rig_event(&(union msg){0}));
	for (unsigned i = 0; i < 32; i++)
		rig_rx_clear(100, (uint8_t)i);
	rig_run();
	while (rig_tx(RIG_WAN, &f))
		n++;
	assert_int_equal(n, 20);
	rig_dropped(DROP_LIMIT, 21);
	rig_event_is(MSG_SA_SOFT, &e, sizeof(e));
	rig_event_is(MSG_SA_HARD, &e, sizeof(e));
	assert_int_equal(e.c.packets, 20);
	assert_false(rig_event(&(union msg){0}));
	rig_settle(0);
}

static void a_soft_limit_that_is_the_hard_one_costs_no_packet(void **state)
{
	struct msg_sa_event e;
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.soft_packets = 5;
	out.add.hard_packets = 5;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	for (unsigned i = 0; i < 8; i++)
		rig_rx_clear(100, (uint8_t)i);
	rig_run();
	assert_int_equal(rig->count.esp_out, 5);
	rig_dropped(DROP_LIMIT, 3);
	rig_event_is(MSG_SA_SOFT, &e, sizeof(e));
	rig_event_is(MSG_SA_HARD, &e, sizeof(e));
	rig_settle(0);
}

static void octet_limits_stop_after_their_burst(void **state)
{
	struct msg_sa_event e;
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.soft_bytes = 1000;
	out.add.hard_bytes = 2000;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	for (unsigned i = 0; i < 30; i++) {
		rig_rx_clear(100, (uint8_t)i);
		rig_run(); /* bursts of one */
		if (i == 8)
			assert_false(rig_event(&(union msg){0}));
		if (i == 9)
			rig_event_is(MSG_SA_SOFT, &e, sizeof(e));
	}
	rig_event_is(MSG_SA_HARD, &e, sizeof(e));
	assert_int_equal(e.c.octets, 2000);
	assert_false(rig_event(&(union msg){0}));
	rig_dropped(DROP_LIMIT, 10);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).octets, 2000);
	rig_settle(0);
}

static void an_event_that_finds_no_room_is_told_later(void **state)
{
	struct msg_sa_event e;
	struct spsc *ring = rig->evt;
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.soft_packets = 1;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	rig->evt = NULL; /* nobody is attached */
	rig_rx_clear(100, 1);
	rig_run();
	rig->evt = ring;
	assert_false(rig_event(&(union msg){0}));
	rig->published_tsc = 0;
	worker_turn(rig);
	rig_event_is(MSG_SA_SOFT, &e, sizeof(e));
	rig->published_tsc = 0;
	worker_turn(rig);
	assert_false(rig_event(&(union msg){0}));
	rig_settle(0);
}

static void packets_outside_the_selectors_stay_here(void **state)
{
	(void)state;
	out = rig_sa_make(0, MSG_DIR_OUT);
	out.add.ts[0].remote = (struct msg_ts){.lo = {10, 2, 0, 0}, .hi = {10, 2, 0, 4}, .port_hi = 65535};
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	rig_rx_clear(100, 1); /* to 10.2.0.5 */
	rig_run();
	rig_dropped(DROP_TS_MISMATCH, 1);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).drop[MSG_SA_DROP_TS], 1);
	rig_tx_nothing();
	rig_settle(0);
}

static void a_peer_that_is_routed_into_a_tunnel_is_recursion(void **state)
{
	(void)state;
	out = rig_sa_make(0, MSG_DIR_OUT);
	memcpy(out.add.remote, (uint8_t[]){10, 2, 0, 1}, 4);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	rig_rx_clear(100, 1);
	rig_run();
	rig_dropped(DROP_RECURSION, 1);
	rig_tx_nothing();
	rig_settle(0);
}

static void a_packet_without_headroom_costs_no_sequence_number(void **state)
{
	struct rig_bytes ip, f, outer, inner;
	struct rte_mbuf *m;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	rig_frame(&f, RIG_LAN, &ip);
	m = rte_pktmbuf_alloc(rig->pool);
	assert_non_null(m);
	m->data_off = 20;
	memcpy(rte_pktmbuf_append(m, f.len), f.b, f.len);
	rig_rx_mbuf(RIG_LAN, m);
	rig_run();
	rig_dropped(DROP_NO_HEADROOM, 1);
	m = rte_pktmbuf_alloc(rig->pool); /* and one without tailroom */
	assert_non_null(m);
	m->data_off = (uint16_t)(m->buf_len - f.len - 10);
	memcpy(rte_pktmbuf_append(m, f.len), f.b, f.len);
	rig_rx_mbuf(RIG_LAN, m);
	rig_run();
	rig_dropped(DROP_NO_HEADROOM, 2);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).drop[MSG_SA_DROP_MEMORY], 2);
	rig_rx(RIG_LAN, &f);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	assert_int_equal(rig_open(&inner, &out, &outer), 1);
	rig_settle(0);
}

static void a_bad_packet_anywhere_in_a_burst_disturbs_no_other(void **state)
{
	struct rig_bytes ip, f, outer, inner;
	uint32_t seq = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned bad = 0; bad < 32; bad++) {
		for (unsigned i = 0; i < 32; i++) {
			rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, (uint16_t)(100 + i), (uint8_t)i);
			if (i == bad)
				rig_ip(&ip)->time_to_live = 0; /* fails after lookup */
			rig_cksum(&ip);
			rig_frame(&f, RIG_LAN, &ip);
			rig_rx(RIG_LAN, &f);
		}
		rig_run();
		for (unsigned i = 0; i < 32; i++) {
			if (i == bad)
				continue;
			rig_tx_ip(RIG_WAN, &outer);
			assert_int_equal(rig_open(&inner, &out, &outer), ++seq);
			assert_int_equal(inner.len, 100 + i);
			assert_int_equal(inner.b[inner.len - 1], (uint8_t)(i + inner.len - 1));
		}
	}
	rig_dropped(DROP_TTL, 32);
	rig_settle((unsigned)rig->count.icmp_sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(packets_of_every_length_arrive_as_they_were, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(the_outer_header_is_ours, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(dscp_and_ecn_are_copied_out, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(df_is_copied_set_or_cleared, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(packets_that_may_be_fragmented_have_unique_ids, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(udp_encapsulation_wraps_and_leaves_the_checksum_zero, rig_reset,
						rig_clear),
		cmocka_unit_test_setup_teardown(aes_128_works_beside_aes_256, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(a_new_sa_takes_over_between_two_packets, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(an_sa_serves_only_the_tunnel_it_was_made_for, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(a_moved_peer_gets_the_same_sa_elsewhere, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(traffic_without_an_sa_asks_once_a_second, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(the_last_sequence_number_is_the_last, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(packet_limits_are_exact, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(a_soft_limit_that_is_the_hard_one_costs_no_packet, rig_reset,
						rig_clear),
		cmocka_unit_test_setup_teardown(octet_limits_stop_after_their_burst, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(an_event_that_finds_no_room_is_told_later, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(packets_outside_the_selectors_stay_here, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(a_peer_that_is_routed_into_a_tunnel_is_recursion, rig_reset, rig_clear),
		cmocka_unit_test_setup_teardown(a_packet_without_headroom_costs_no_sequence_number, rig_reset,
						rig_clear),
		cmocka_unit_test_setup_teardown(a_bad_packet_anywhere_in_a_burst_disturbs_no_other, rig_reset,
						rig_clear),
	};

	return cmocka_run_group_tests_name("esp-out", tests, rig_start, rig_stop);
}
