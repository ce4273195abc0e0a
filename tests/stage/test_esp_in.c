/* ESP into clear packets: what is accepted, and each way to be refused, with exactly one counter. RFC 4303 3.4, RFC 4301 5.2,
 * RFC 6040 4.2, RFC 3948 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_udp.h>

#include "tests/stage/rig.h"

static struct rig_sa in, out;

static void inner(struct rig_bytes *ip, uint16_t len, uint8_t fill)
{
	rig_udp(ip, RIG_FAR_HOST, RIG_LAN_HOST, len, fill);
}

/* This packet has come out on the LAN, one hop further. */
static void arrived(struct rig_bytes ip)
{
	struct rig_bytes got;

	rig_tx_ip(RIG_LAN, &got);
	rig_ip(&ip)->time_to_live--;
	rig_cksum(&ip);
	assert_int_equal(got.len, ip.len);
	assert_memory_equal(got.b, ip.b, ip.len);
}

/* A sealed packet with this trailer is refused for this reason, and the next good one passes. */
static void refused(const struct rig_trailer *t, enum stats_drop why, int sa_why)
{
	struct rig_bytes ip, f;
	uint64_t before = rig->count.drop[why], drops = 0, after = 0;
	struct msg_sa_counters a = rig_counters(0, MSG_DIR_IN), b;

	for (unsigned i = 0; i < DROP_N; i++)
		drops += rig->count.drop[i];
	inner(&ip, 101, 1);
	rig_seal(&f, &in, in.seq++, &ip, t);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_tx_nothing();
	for (unsigned i = 0; i < DROP_N; i++)
		after += rig->count.drop[i];
	assert_int_equal(rig->count.drop[why], before + 1);
	assert_int_equal(after, drops + 1);
	b = rig_counters(0, MSG_DIR_IN);
	for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
		assert_int_equal(b.drop[i], a.drop[i] + ((int)i == sa_why));
	assert_int_equal(a.packets, b.packets);
	rig_rx_sealed(&in, &ip);
	rig_run();
	arrived(ip);
}

static void packets_of_every_length_arrive_as_they_were(void **state)
{
	struct rig_bytes ip;
	uint64_t n = 0, octets = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (uint16_t len = 28; len <= 1438; len = (uint16_t)(len < 300 ? len + 1 : len + 37)) {
		inner(&ip, len, (uint8_t)len);
		rig_rx_sealed(&in, &ip);
		rig_run();
		arrived(ip);
		n++;
		octets += len;
	}
	assert_int_equal(rig_counters(0, MSG_DIR_IN).packets, n);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).octets, octets);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, n);
	rig_dropped_none();
	rig_settle(0);
}

static void every_pad_length_is_taken_when_it_is_right(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (int pad = 0; pad < 256; pad++) {
		struct rig_trailer t = RIG_TRAILER;

		inner(&ip, (uint16_t)(400 + ((2 - pad) & 3)), (uint8_t)pad); /* text stays a multiple of 4 */
		t.pad = pad;
		rig_seal(&f, &in, in.seq++, &ip, &t);
		rig_rx(RIG_WAN, &f);
		rig_run();
		arrived(ip);
	}
	rig_settle(0);
}

static void padding_that_lies_is_refused(void **state)
{
	(void)state;
	rig_sa_pair(0, &in, &out);
	for (int pad = 1; pad < 256; pad += 4) { /* 101 + pad + 2: 101 needs 1, 5, 9 .. */
		struct rig_trailer t = RIG_TRAILER;

		t.pad = pad;
		t.pad_xor = 0x80;
		refused(&t, DROP_BAD_PAD, MSG_SA_DROP_PADDING);
	}
	for (int claim = 102; claim < 256; claim++) { /* more than the text has, or what stands there is no padding */
		struct rig_trailer t = RIG_TRAILER;

		t.pad_len = claim;
		refused(&t, DROP_BAD_PAD, MSG_SA_DROP_PADDING);
	}
	rig_settle(0);
}

/* The IV's last octet happens to be what a longer padding would begin with. */
static void padding_that_reaches_before_the_text_is_refused(void **state)
{
	static const uint8_t text[4] = {2, 3, 3, 4}; /* says 3 octets of padding: 1 (in the IV), 2, 3 */
	struct rig_bytes f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_seal_text(&f, &in, 0x01000001, text, sizeof(text), 0);
	assert_int_equal(f.b[14 + 20 + 15], 1);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_dropped(DROP_BAD_PAD, 1);
	rig_settle(0);
}

static void every_next_header_but_ours_is_refused(void **state)
{
	(void)state;
	rig_sa_pair(0, &in, &out);
	for (int next = 0; next < 256; next++) {
		struct rig_trailer t = RIG_TRAILER;

		t.next = next;
		if (next == 59)
			refused(&t, DROP_DUMMY, -1); /* RFC 4303 2.6: no fault */
		else if (next == 41)                 /* and no IPv6 packet in it */
			refused(&t, DROP_INNER_BAD, MSG_SA_DROP_MISC);
		else if (next != 4)
			refused(&t, DROP_NEXT_HEADER, MSG_SA_DROP_PROTOCOL);
	}
	rig_settle(0);
}

static void a_dummy_advances_the_window(void **state)
{
	struct rig_bytes ip, f;
	struct rig_trailer t = RIG_TRAILER;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	t.next = 59;
	rig_seal(&f, &in, 500, &ip, &t);
	rig_rx(RIG_WAN, &f);
	rig_run();
	assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, 500);
	rig_rx(RIG_WAN, &f);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_REPLAY], 1);
	assert_int_equal(rig->count.drop[DROP_DUMMY], 1);
	rig_settle(0);
}

static void tfc_padding_is_cut_off(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned tfc = 0; tfc < 256; tfc++) {
		struct rig_trailer t = RIG_TRAILER;

		inner(&ip, (uint16_t)(60 + tfc), (uint8_t)tfc);
		t.tfc = (uint8_t)tfc;
		rig_seal(&f, &in, in.seq++, &ip, &t);
		rig_rx(RIG_WAN, &f);
		rig_run();
		arrived(ip);
	}
	rig_settle(0);
}

/* RFC 4303 3.4.4.1: any changed bit from the SPI to the ICV's end. */
static void any_flipped_bit_is_refused(void **state)
{
	struct rig_bytes ip, f;
	uint16_t esp = 14 + 20;
	uint64_t refusals = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 64, 1);
	rig_seal(&f, &in, 2000, &ip, NULL);
	for (unsigned bit = 0; bit < (f.len - esp) * 8u; bit++) {
		f.b[esp + bit / 8] ^= (uint8_t)(1 << bit % 8);
		rig_rx(RIG_WAN, &f);
		rig_run();
		rig_tx_nothing();
		f.b[esp + bit / 8] ^= (uint8_t)(1 << bit % 8);
		refusals++;
	}
	/* SPI bits: no SA; the rest: the ICV says no; nothing has moved the window */
	assert_int_equal(rig->count.drop[DROP_BAD_SPI], 32);
	assert_int_equal(rig->count.drop[DROP_BAD_ICV], refusals - 32);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).drop[MSG_SA_DROP_INTEGRITY], refusals - 32);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, 0);
	rig_rx(RIG_WAN, &f);
	rig_run();
	arrived(ip);
	rig_settle(0);
}

static void every_runt_is_refused(void **state)
{
	struct rig_bytes ip, f, cut;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 28, 1);
	rig_seal(&f, &in, 1, &ip, NULL); /* 32 octets of text, 84 in all */
	for (uint16_t len = 20; len < f.len - 14; len++) {
		cut = f;
		cut.len = (uint16_t)(14 + len);
		((struct rte_ipv4_hdr *)(cut.b + 14))->total_length = rte_cpu_to_be_16(len);
		((struct rte_ipv4_hdr *)(cut.b + 14))->hdr_checksum = 0;
		((struct rte_ipv4_hdr *)(cut.b + 14))->hdr_checksum =
			rte_ipv4_cksum((struct rte_ipv4_hdr *)(cut.b + 14));
		rig_rx(RIG_WAN, &cut);
		rig_run();
		rig_tx_nothing();
	}
	/* 0..35 octets of ESP, and all that are no multiple of 4, are runts; the others fail the ICV */
	assert_int_equal(rig->count.drop[DROP_BAD_ICV], (64 - 36) / 4);
	assert_int_equal(rig->count.drop[DROP_ESP_RUNT] + rig->count.drop[DROP_BAD_ICV], 64);
	rig_settle(0);
}

static void a_replay_is_refused_and_so_is_its_copy_in_the_same_burst(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	rig_seal(&f, &in, 7, &ip, NULL);
	for (unsigned i = 0; i < 5; i++)
		rig_rx(RIG_WAN, &f);
	rig_run();
	arrived(ip);
	rig_tx_nothing();
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_dropped(DROP_REPLAY, 5);
	rig_seal(&f, &in, 2000, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_seal(&f, &in, 0, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	arrived(ip);
	rig_seal(&f, &in, 976, &ip, NULL); /* 1024 behind */
	rig_rx(RIG_WAN, &f);
	rig_seal(&f, &in, 977, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	arrived(ip);
	rig_tx_nothing();
	assert_int_equal(rig->count.drop[DROP_REPLAY_OLD], 2);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).drop[MSG_SA_DROP_REPLAY], 7);
	rig_settle(0);
}

static void a_forged_number_far_ahead_does_not_move_the_window(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_seal(&f, &in, 1000000, &ip, NULL);
	f.b[f.len - 1] ^= 1;
	rig_rx(RIG_WAN, &f);
	rig_rx_sealed(&in, &ip);
	rig_run();
	arrived(ip);
	arrived(ip);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).seq, 2);
	rig_dropped(DROP_BAD_ICV, 1);
	rig_settle(0);
}

/* Six faults at each place of a full burst: the 31 others come out, in order. */
static void a_bad_packet_anywhere_in_a_burst_disturbs_no_other(void **state)
{
	struct rig_bytes ip, f;
	static const uint8_t why[6] = {DROP_BAD_ICV,     DROP_REPLAY,   DROP_BAD_PAD,
				       DROP_NEXT_HEADER, DROP_ESP_RUNT, DROP_INNER_BAD};
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned fault = 0; fault < 6; fault++) {
		for (unsigned bad = 0; bad < 32; bad++) {
			uint32_t seen = in.seq; /* to be replayed */

			inner(&ip, 100, 0);
			rig_rx_sealed(&in, &ip);
			rig_run();
			arrived(ip);
			for (unsigned i = 0; i < 32; i++) {
				struct rig_trailer t = RIG_TRAILER;

				inner(&ip, (uint16_t)(100 + i), (uint8_t)i);
				if (i == bad) {
					t.pad_xor = fault == 2 ? 1 : 0;
					t.pad = fault == 2 ? (int)(-(100 + i + 2) & 3) + 4 : -1;
					t.next = fault == 3 ? 50 : -1;
					ip.b[0] = fault == 5 ? 0x44 : 0x45;
				}
				rig_seal(&f, &in, i == bad && fault == 1 ? seen : in.seq++, &ip, &t);
				if (i == bad && fault == 0)
					f.b[60] ^= 4;
				if (i == bad && fault == 4) {
					struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)(f.b + 14);

					h->total_length = RTE_BE16(20 + 35);
					h->hdr_checksum = 0;
					h->hdr_checksum = rte_ipv4_cksum(h);
				}
				rig_rx(RIG_WAN, &f);
			}
			rig_run();
			for (unsigned i = 0; i < 32; i++) {
				inner(&ip, (uint16_t)(100 + i), (uint8_t)i);
				if (i != bad)
					arrived(ip);
			}
			rig_tx_nothing();
			assert_int_equal(rig->count.drop[why[fault]], bad + 1);
		}
	}
	rig_settle(0);
}

static void inner_packets_that_lie_are_refused(void **state)
{
	struct rig_bytes ip, f;
	uint64_t n = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned c = 0; c < 9; c++) {
		inner(&ip, 100, 1);
		if (c == 0)
			ip.b[0] = 0x65;
		if (c == 1)
			ip.b[0] = 0x44;
		if (c == 2)
			ip.b[0] = 0x4f; /* header longer than the packet claims with the next */
		if (c == 2)
			rig_ip(&ip)->total_length = RTE_BE16(59);
		if (c == 3)
			rig_ip(&ip)->total_length = RTE_BE16(103);
		if (c == 4)
			rig_ip(&ip)->total_length = RTE_BE16(19);
		if (c == 6)
			rig_ip(&ip)->src_addr = RTE_BE32(0x7f000001);
		if (c == 7)
			rig_ip(&ip)->dst_addr = RTE_BE32(0xffffffff);
		if (c != 1)
			rig_cksum(&ip);
		if (c == 5)
			ip.b[10] ^= 1;
		if (c == 8) {
			memset(&ip, 0, sizeof(ip));
			ip.len = 2; /* no header at all */
		}
		rig_seal(&f, &in, in.seq++, &ip, NULL);
		rig_rx(RIG_WAN, &f);
		rig_run();
		rig_tx_nothing();
		rig_dropped(DROP_INNER_BAD, ++n);
	}
	assert_int_equal(rig_counters(0, MSG_DIR_IN).drop[MSG_SA_DROP_MISC], n);
	rig_settle(0);
}

static void inner_addresses_outside_the_selectors_are_refused(void **state)
{
	struct rig_bytes ip;
	(void)state;

	in = rig_sa_make(0, MSG_DIR_IN);
	in.add.ts[0].remote = (struct msg_ts){.lo = {10, 2, 0, 0}, .hi = {10, 2, 255, 255}, .port_hi = 65535};
	in.add.ts[0].local = (struct msg_ts){.lo = {10, 1, 0, 0}, .hi = {10, 1, 0, 255}, .port_hi = 65535};
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	inner(&ip, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_run();
	arrived(ip);
	rig_udp(&ip, 0x0a030001, RIG_LAN_HOST, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_udp(&ip, RIG_FAR_HOST, 0x0a010100, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_udp(&ip, 0x0a01ffff, RIG_LAN_HOST, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_TS_MISMATCH, 3);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).drop[MSG_SA_DROP_TS], 3);
	rig_settle(0);
}

static void ports_and_further_pairs_are_looked_at(void **state)
{
	struct rig_bytes ip;
	(void)state;

	in = rig_sa_make(0, MSG_DIR_IN);
	in.add.n_ts = 2;
	in.add.ts[1] = in.add.ts[0];
	in.add.ts[0].proto = 6;
	in.add.ts[1].proto = 17;
	in.add.ts[1].remote.port_lo = in.add.ts[1].remote.port_hi = 1000;
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	inner(&ip, 100, 1); /* UDP from port 1000 */
	rig_rx_sealed(&in, &ip);
	rig_run();
	arrived(ip);
	ip.b[21] ^= 1; /* another port */
	rig_rx_sealed(&in, &ip);
	inner(&ip, 100, 1); /* a later fragment has no ports */
	rig_ip(&ip)->fragment_offset = RTE_BE16(100);
	rig_cksum(&ip);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_TS_MISMATCH, 2);
	rig_settle(0);
}

static void ecn_of_the_outer_header_is_carried_in(void **state)
{
	static const uint8_t drop = 0xff;
	static const uint8_t want[4][4] = {/* inner row, outer column: 00 01 10 11 */
					   {0, 0, 0, drop},
					   {1, 1, 1, 3},
					   {2, 1, 2, 3},
					   {3, 3, 3, 3}};
	struct rig_bytes ip, f;
	uint64_t dropped = 0;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (uint8_t i = 0; i < 4; i++) {
		for (uint8_t o = 0; o < 4; o++) {
			struct rig_trailer t = RIG_TRAILER;

			inner(&ip, 100, 1);
			rig_ip(&ip)->type_of_service = (uint8_t)(0x28 | i);
			rig_cksum(&ip);
			t.tos = (uint8_t)(0xb8 | o);
			rig_seal(&f, &in, in.seq++, &ip, &t);
			rig_rx(RIG_WAN, &f);
			rig_run();
			if (want[i][o] == drop) {
				rig_tx_nothing();
				dropped++;
				continue;
			}
			rig_ip(&ip)->type_of_service = (uint8_t)(0x28 | want[i][o]);
			rig_cksum(&ip);
			arrived(ip);
		}
	}
	rig_dropped(DROP_ECN, dropped);
	rig_settle(0);
}

/* --- which SA, from where --- */

static void an_unknown_spi_is_named_and_told_at_a_low_rate(void **state)
{
	struct rig_bytes ip, f;
	struct rig_sa stranger;
	struct msg_bad_spi e;
	unsigned told = 0;
	union msg m;
	(void)state;

	rig_sa_pair(0, &in, &out);
	stranger = in;
	inner(&ip, 100, 1);
	for (uint32_t i = 0; i < 200; i++) {
		stranger.add.spi =
			i < 100 ? spi_make(i % RIG_SAS, 0x777 << 20) : 256 + i; /* live slots and free ones */
		rig_seal(&f, &stranger, 1, &ip, NULL);
		rig_rx(RIG_WAN, &f);
		rig_run();
	}
	rig_tx_nothing();
	rig_dropped(DROP_BAD_SPI, 200);
	while (rig_event(&m)) {
		memcpy(&e, &m, sizeof(e));
		assert_int_equal(e.hdr.type, MSG_BAD_SPI);
		assert_memory_equal(e.remote, ((uint8_t[]){198, 51, 100, 7}), 4);
		told++;
	}
	assert_in_range(told, 10, 13);
	rig_settle(0);
}

static void an_sa_is_for_its_own_destination_only(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	memcpy(in.add.local, (uint8_t[]){10, 1, 0, 1}, 4); /* another address of ours */
	rig_seal(&f, &in, 1, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_dropped(DROP_SA_MISMATCH, 1);
	memcpy(in.add.local, (uint8_t[]){10, 1, 0, 9}, 4); /* somebody else's: we route it */
	rig_seal(&f, &in, 1, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	assert_int_equal(rig->count.tx, 1);
	rig_dropped(DROP_SA_MISMATCH, 1);
	rig_settle(0);
}

static void encapsulated_and_raw_esp_are_both_taken(void **state)
{
	struct rig_bytes ip;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	in.add.remote_port = 4500;
	for (unsigned i = 0; i < 4; i++) {
		in.encap = i % 2;
		rig_rx_sealed(&in, &ip);
		rig_run();
		arrived(ip);
	}
	rig_dropped_none();
	rig_settle(0);
}

static void a_udp_length_that_lies_is_refused(void **state)
{
	struct rig_bytes ip, f;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(f.b + 34);
	uint16_t truth;
	(void)state;

	rig_sa_pair(0, &in, &out);
	in.encap = true;
	inner(&ip, 100, 1);
	rig_seal(&f, &in, 1, &ip, NULL);
	truth = rte_be_to_cpu_16(udp->dgram_len);
	for (uint16_t len = 0; len < truth + 20; len++) {
		udp->dgram_len = rte_cpu_to_be_16(len);
		if (len != truth)
			rig_rx(RIG_WAN, &f);
		rig_run();
	}
	rig_tx_nothing();
	assert_int_equal(rig->count.drop[DROP_ESP_RUNT] + rig->count.drop[DROP_BAD_ICV], truth + 19);
	udp->dgram_len = rte_cpu_to_be_16(truth);
	rig_rx(RIG_WAN, &f);
	rig_run();
	arrived(ip);
	rig_settle(0);
}

static void a_peer_that_moves_is_told_once(void **state)
{
	struct msg_peer_moved e;
	struct rig_bytes ip, f, old;
	union msg none;
	(void)state;

	in = rig_sa_make(0, MSG_DIR_IN);
	in.encap = true;
	in.add.flags = MSG_SA_ENCAP_UDP;
	in.add.local_port = 4500;
	in.add.remote_port = 4500;
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	inner(&ip, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_run();
	assert_false(rig_event(&none));
	rig_seal(&old, &in, 2, &ip, NULL);
	in.seq = 3;
	in.add.remote_port = 1025; /* the NAT has a new mapping */
	rig_seal(&f, &in, 9, &ip, NULL);
	f.b[f.len - 1] ^= 1;
	rig_rx(RIG_WAN, &f); /* forged: no word about it */
	rig_run();
	assert_false(rig_event(&none));
	rig_rx_sealed(&in, &ip);
	rig_rx_sealed(&in, &ip);
	rig_rx(RIG_WAN, &old); /* a late one from the old place */
	rig_run();
	rig_event_is(MSG_PEER_MOVED, &e, sizeof(e));
	assert_int_equal(e.sa.slot, 0);
	assert_int_equal(e.remote_port, 1025);
	assert_memory_equal(e.remote, ((uint8_t[]){198, 51, 100, 7}), 4);
	assert_false(rig_event(&none));
	memcpy(in.add.remote, (uint8_t[]){203, 0, 113, 5}, 4);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_event_is(MSG_PEER_MOVED, &e, sizeof(e));
	assert_memory_equal(e.remote, ((uint8_t[]){203, 0, 113, 5}), 4);
	assert_false(rig_event(&none));
	rig_dropped(DROP_BAD_ICV, 1);
	rig_settle(0);
}

static void esp_in_fragments_is_refused(void **state)
{
	struct rig_bytes ip, f;
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)(f.b + 14);
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	for (unsigned i = 0; i < 2; i++) {
		rig_seal(&f, &in, 1, &ip, NULL);
		h->fragment_offset = i ? RTE_BE16(RTE_IPV4_HDR_MF_FLAG) : RTE_BE16(8);
		h->hdr_checksum = 0;
		h->hdr_checksum = rte_ipv4_cksum(h);
		rig_rx(RIG_WAN, &f);
		rig_run();
	}
	rig_dropped(DROP_FRAGMENT, 2);
	rig_settle(0);
}

static void esp_inside_esp_goes_no_further(void **state)
{
	struct rig_bytes ip, f, nest;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	rig_seal(&f, &in, 2, &ip, NULL);
	nest.len = (uint16_t)(f.len - 14);
	memcpy(nest.b, f.b + 14, nest.len); /* a packet of the same SA, to us, inside one */
	rig_seal(&f, &in, 1, &nest, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	rig_dropped(DROP_RECURSION, 1);
	rig_settle(0);
}

/* --- shared and split buffers --- */

static void a_shared_buffer_is_copied_not_deciphered_in_place(void **state)
{
	struct rig_bytes ip, f;
	struct rte_mbuf *m, *clone;
	uint8_t before[2048];
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 100, 1);
	rig_seal(&f, &in, 1, &ip, NULL);
	m = rig_mbuf(&f);
	memcpy(before, f.b, f.len);
	rte_mbuf_refcnt_update(m, 1); /* somebody else reads it */
	rig_rx_mbuf(RIG_WAN, m);
	rig_run();
	arrived(ip);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), before, f.len);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	rig_seal(&f, &in, 2, &ip, NULL);
	memcpy(rte_pktmbuf_mtod(m, void *), f.b, f.len);
	clone = rte_pktmbuf_clone(m, rig->pool); /* an indirect one */
	assert_non_null(clone);
	rig_rx_mbuf(RIG_WAN, clone);
	rig_run();
	arrived(ip);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), f.b, f.len);
	rte_pktmbuf_free(m);
	rig_dropped_none();
	rig_settle(0);
}

static void segments_are_put_together(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	inner(&ip, 600, 1);
	for (uint16_t at = 1; at < 600; at = (uint16_t)(at + 61)) {
		struct rig_bytes part;
		struct rte_mbuf *a, *b;

		rig_seal(&f, &in, in.seq++, &ip, NULL);
		part.len = at;
		memcpy(part.b, f.b, at);
		a = rig_mbuf(&part);
		part.len = (uint16_t)(f.len - at);
		memcpy(part.b, f.b + at, part.len);
		b = rig_mbuf(&part);
		assert_int_equal(rte_pktmbuf_chain(a, b), 0);
		rig_rx_mbuf(RIG_WAN, a);
		rig_run();
		arrived(ip);
	}
	rig_dropped_none();
	rig_settle(0);
}

/* --- limits and life --- */

static void limits_stop_an_inbound_sa_too(void **state)
{
	struct msg_sa_event e;
	struct rig_bytes ip;
	(void)state;

	in = rig_sa_make(0, MSG_DIR_IN);
	in.add.soft_packets = 5;
	in.add.hard_bytes = 1000;
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	inner(&ip, 100, 1);
	for (unsigned i = 0; i < 15; i++) {
		rig_rx_sealed(&in, &ip);
		rig_run();
	}
	rig_event_is(MSG_SA_SOFT, &e, sizeof(e));
	assert_int_equal(e.c.packets, 5);
	assert_int_equal(e.dir, MSG_DIR_IN);
	rig_event_is(MSG_SA_HARD, &e, sizeof(e));
	assert_int_equal(e.c.octets, 1000);
	assert_false(rig_event(&(union msg){0}));
	rig_dropped(DROP_LIMIT, 5);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).packets, 10);
	rig_settle(0);
}

static void a_deleted_sa_is_gone_and_its_slot_wiped(void **state)
{
	struct msg_sa_event gone = {0};
	static const struct sa_in none;
	struct rig_bytes ip;
	(void)state;

	rig_sa_pair(3, &in, &out);
	inner(&ip, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_run();
	arrived(ip);
	assert_int_equal(sad_del(rig, (struct msg_handle){3, 2}, MSG_DIR_IN, &gone), -ESTALE);
	assert_int_equal(sad_del(rig, (struct msg_handle){4, 1}, MSG_DIR_IN, &gone), -ENOENT);
	assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &gone), 0);
	assert_int_equal(gone.spi, in.add.spi);
	assert_int_equal(gone.c.packets, 1);
	assert_int_equal(gone.c.octets, 100);
	assert_memory_equal(&rig->sad->in[3], &none, sizeof(none));
	assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &gone), -ENOENT);
	rig_rx_sealed(&in, &ip);
	rig_run();
	rig_dropped(DROP_BAD_SPI, 1);
	in.add.sa.gen = 2; /* the slot can live again */
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	in.seq = 1;
	rig_rx_sealed(&in, &ip);
	rig_run();
	arrived(ip);
	rig_settle(0);
}

static void four_inbound_sas_of_a_tunnel_live_at_once(void **state)
{
	struct rig_sa sa[5];
	struct rig_bytes ip;
	(void)state;

	for (uint32_t i = 0; i < 5; i++) {
		sa[i] = rig_sa_make(i, MSG_DIR_IN);
		assert_int_equal(rig_sa_add(&sa[i], MSG_DIR_IN), i < 4 ? 0 : -ENOSPC);
	}
	inner(&ip, 100, 1);
	for (unsigned i = 0; i < 32; i++)
		rig_rx_sealed(&sa[i % 4], &ip);
	rig_run();
	for (unsigned i = 0; i < 32; i++)
		arrived(ip);
	assert_int_equal(rig_counters(2, MSG_DIR_IN).packets, 8);
	rig_dropped_none();
	rig_settle(0);
}

static void an_sa_that_we_cannot_do_is_refused(void **state)
{
	struct rig_sa good = rig_sa_make(0, MSG_DIR_IN), bad;
	(void)state;

	bad = good;
	bad.add.encr = MSG_ENCR_NONE;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -ENOTSUP);
	bad = good;
	bad.add.integ = MSG_INTEG_HMAC_SHA256_128; /* AES-GCM has its own */
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -ENOTSUP);
	bad = good;
	bad.add.encr = MSG_ENCR_AES256_CBC; /* never a cipher alone. RFC 8221 4 */
	bad.add.key_len = 32;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -ENOTSUP);
	bad.add.encr = MSG_ENCR_NULL;
	bad.add.key_len = 0;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -ENOTSUP);
	bad = good;
	bad.add.family = 6; /* the tunnel is of IPv4 */
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.flags = MSG_SA_TRANSPORT; /* it is not of that mode */
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.child = 1; /* it has one */
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.key_len = 32;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.spi = 255;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.spi++; /* another slot's */
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.sa.slot = RIG_SAS;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.replay_window = 2048;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -EINVAL);
	bad = good;
	bad.add.tunnel.gen = 9;
	assert_int_equal(rig_sa_add(&bad, MSG_DIR_IN), -ENOENT);
	assert_int_equal(rig_sa_add(&good, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(&good, MSG_DIR_IN), -EEXIST);
	rig_settle(0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(packets_of_every_length_arrive_as_they_were),
		T(every_pad_length_is_taken_when_it_is_right),
		T(padding_that_lies_is_refused),
		T(padding_that_reaches_before_the_text_is_refused),
		T(every_next_header_but_ours_is_refused),
		T(a_dummy_advances_the_window),
		T(tfc_padding_is_cut_off),
		T(any_flipped_bit_is_refused),
		T(every_runt_is_refused),
		T(a_replay_is_refused_and_so_is_its_copy_in_the_same_burst),
		T(a_forged_number_far_ahead_does_not_move_the_window),
		T(a_bad_packet_anywhere_in_a_burst_disturbs_no_other),
		T(inner_packets_that_lie_are_refused),
		T(inner_addresses_outside_the_selectors_are_refused),
		T(ports_and_further_pairs_are_looked_at),
		T(ecn_of_the_outer_header_is_carried_in),
		T(an_unknown_spi_is_named_and_told_at_a_low_rate),
		T(an_sa_is_for_its_own_destination_only),
		T(encapsulated_and_raw_esp_are_both_taken),
		T(a_udp_length_that_lies_is_refused),
		T(a_peer_that_moves_is_told_once),
		T(esp_in_fragments_is_refused),
		T(esp_inside_esp_goes_no_further),
		T(a_shared_buffer_is_copied_not_deciphered_in_place),
		T(segments_are_put_together),
		T(limits_stop_an_inbound_sa_too),
		T(a_deleted_sa_is_gone_and_its_slot_wiped),
		T(four_inbound_sas_of_a_tunnel_live_at_once),
		T(an_sa_that_we_cannot_do_is_refused),
	};

	return cmocka_run_group_tests_name("esp-in", tests, rig_start, rig_stop);
}
