/* What happens where something else is amiss too: a full event ring, a tunnel that went elsewhere, an answer without a way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_ring.h>

#include "dataplane/handoff.h"
#include "dataplane/icmp.h"
#include "dataplane/pkt.h"
#include "tests/stage/rig.h"

enum { NOWHERE = 0xac100001 /* 172.16.0.1: no route leads there */ };

static struct rig_sa in, out;

static void fill_events(void)
{
	struct msg_link m = {0};

	while (worker_event(rig, MSG_LINK, &m, sizeof(m)))
		;
}

static unsigned drain_events(enum msg_type type)
{
	unsigned n = 0;
	union msg m;

	while (rig_event(&m))
		n += m.hdr.type == type;
	return n;
}

static void an_acquire_that_finds_no_room_is_asked_with_the_next_packet(void **state)
{
	(void)state;
	fill_events();
	rig_rx_clear(100, 1);
	rig_run();
	assert_int_equal(drain_events(MSG_NO_SA), 0);
	rig_rx_clear(100, 2);
	rig_run();
	assert_int_equal(drain_events(MSG_NO_SA), 1);
	rig_rx_clear(100, 3); /* and now the second of silence holds */
	rig_run();
	assert_int_equal(drain_events(MSG_NO_SA), 0);
	rig_dropped(DROP_NO_SA, 3);
	rig_settle(0);
}

static void elsewhere(uint32_t seq)
{
	struct rig_bytes f, ip;
	struct rte_ipv4_hdr *outer = (struct rte_ipv4_hdr *)(f.b + 14);

	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, (uint8_t)seq);
	rig_seal(&f, &in, seq, &ip, NULL);
	outer->src_addr = RTE_BE32(0xc6336463);
	outer->hdr_checksum = 0;
	outer->hdr_checksum = rte_ipv4_cksum(outer);
	rig_rx(RIG_WAN, &f);
	rig_run();
}

static void a_moved_peer_that_finds_no_room_is_told_with_the_next_packet(void **state)
{
	(void)state;
	rig_sa_pair(0, &in, &out);
	fill_events();
	elsewhere(1);
	assert_int_equal(drain_events(MSG_PEER_MOVED), 0);
	elsewhere(2);
	assert_int_equal(drain_events(MSG_PEER_MOVED), 1);
	elsewhere(3);
	assert_int_equal(drain_events(MSG_PEER_MOVED), 0);
	rig_settle(0);
}

static void a_deleted_sa_leaves_no_key_in_either_direction(void **state)
{
	static const uint8_t none[sizeof(struct sa_in)];
	struct msg_sa_event gone = {0};
	(void)state;

	rig_sa_pair(3, &in, &out);
	assert_int_equal(sad_del(rig, out.add.sa, MSG_DIR_OUT, &gone), 0);
	assert_memory_equal(&rig->sad->out[3], none, sizeof(rig->sad->out[3]));
	assert_memory_not_equal(&rig->sad->in[3], none, sizeof(rig->sad->in[3]));
	assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &gone), 0);
	assert_memory_equal(&rig->sad->in[3], none, sizeof(rig->sad->in[3]));
	assert_memory_equal(&rig->sad->cold_in[3], none, sizeof(rig->sad->cold_in[3]));
	assert_memory_equal(&rig->sad->cold_out[3], none, sizeof(rig->sad->cold_out[3]));
}

/* The sender's copy of the message as well, whether the SA was taken or not. */
static void an_install_wipes_the_message(void **state)
{
	static const uint8_t none[MSG_KEY_MAX];
	struct msg_sa_add m;
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		m = rig_sa_make(5, MSG_DIR_IN).add;
		assert_int_equal(sad_add_in(rig, &m), i == 0 ? 0 : -EEXIST);
		assert_memory_equal(m.key, none, sizeof(none));
		m = rig_sa_make(5, MSG_DIR_OUT).add;
		assert_int_equal(sad_add_out(rig, &m), i == 0 ? 0 : -EEXIST);
		assert_memory_equal(m.key, none, sizeof(none));
	}
}

static void a_tunnels_own_mtu_counts_where_it_is_less(void **state)
{
	struct msg_tunnel_set t = {.tunnel = {0, 1},
				   .family = 4,
				   .dscp = MSG_DSCP_COPY,
				   .port = RIG_WAN,
				   .mtu = 1000,
				   .local = {192, 0, 2, 1}};
	struct rig_bytes got;
	(void)state;

	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	rig_sa_pair(0, &in, &out);
	rig_rx_clear(1000, 1);
	rig_run();
	rig_tx_ip(RIG_WAN, &got);
	rig_rx_clear(1001, 1);
	rig_run();
	rig_tx_ip(RIG_LAN, &got);
	assert_int_equal(got.b[20], ICMP_UNREACHABLE);
	assert_int_equal(got.b[21], ICMP_FRAG_NEEDED);
	assert_int_equal(got.b[26] << 8 | got.b[27], 1000);
	rig_dropped(DROP_TOO_BIG, 1);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).drop[MSG_SA_DROP_MISC], 1);
	rig_settle(1);
}

/* An echo request to our LAN address. */
static void echo_request(struct rig_bytes *ip, uint32_t src, uint8_t code, uint16_t id)
{
	rig_udp(ip, src, RIG_LAN_ADDR, 60, 1);
	rig_ip(ip)->next_proto_id = 1;
	memset(ip->b + 20, 0, 8);
	ip->b[20] = ICMP_ECHO;
	ip->b[21] = code;
	memcpy(ip->b + 24, &id, sizeof(id));
	*(uint16_t *)(void *)(ip->b + 22) = (uint16_t)~rte_raw_cksum(ip->b + 20, ip->len - 20u);
	rig_cksum(ip);
}

static void from_lan(const struct rig_bytes *ip, bool broadcast)
{
	struct rig_bytes f;

	rig_frame(&f, RIG_LAN, ip);
	if (broadcast)
		memset(f.b, 0xff, 6);
	rig_rx(RIG_LAN, &f);
	rig_run();
}

static void nobody_is_told_about_packets_of_our_own(void **state)
{
	struct rig_bytes ip;
	(void)state;

	echo_request(&ip, NOWHERE, 0, 1);
	from_lan(&ip, false);
	rig_tx_nothing();
	assert_int_equal(rig->count.icmp_sent, 1); /* the answer, which has no way */
	rig_dropped(DROP_NO_ROUTE, 1);
	rig_settle(0);
}

/* RFC 1122 3.3.6 */
static void a_frame_to_all_is_not_answered(void **state)
{
	struct rig_bytes ip;
	(void)state;

	echo_request(&ip, RIG_LAN_HOST, 0, 1);
	from_lan(&ip, true);
	rig_tx_nothing();
	rig_dropped(DROP_NOT_FOR_US, 1);
	rig_settle(0);
}

static void echo_with_a_code_is_none(void **state)
{
	struct rig_bytes ip;
	(void)state;

	echo_request(&ip, RIG_LAN_HOST, 1, 1);
	from_lan(&ip, false);
	rig_tx_nothing();
	rig_dropped(DROP_BAD_ICMP, 1);
	rig_settle(0);
}

static void the_checksum_of_an_echo_reply_is_right_for_every_value(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	for (uint32_t id = 0; id < 65536; id++) {
		echo_request(&ip, RIG_LAN_HOST, 0, (uint16_t)id);
		from_lan(&ip, false);
		rig_tx_ip(RIG_LAN, &got);
		assert_int_equal(got.b[20], ICMP_ECHO_REPLY);
		assert_int_equal(rte_raw_cksum(got.b + 20, got.len - 20u), 0xffff);
	}
	rig_dropped_none();
	rig_settle(0);
}

static void a_move_to_port_0_is_refused_for_esp_in_udp(void **state)
{
	struct msg_sa_move m = {.dir = MSG_DIR_OUT, .family = 4, .remote = {198, 51, 100, 99}};
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	out.encap = true;
	out.add.flags = MSG_SA_ENCAP_UDP;
	out.add.local_port = out.add.remote_port = 4500;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	m.sa = out.add.sa;
	assert_int_equal(sad_move(rig, &m), -EINVAL);
	assert_int_equal(rig->sad->out[0].dst_be, rte_cpu_to_be_32(RIG_PEER));
	m.remote_port = 4501;
	assert_int_equal(sad_move(rig, &m), 0);
	assert_int_equal(rig->sad->out[0].dst_be, RTE_BE32(0xc6336463));
}

/* A control plane that came back may give a tunnel to another worker than the one whose SAs still live: refused, the tunnel
 * would be down for ever; sent with by both, a sequence number would be used twice. */
static void a_tunnel_that_changes_its_worker_waits_for_an_sa_of_the_new_one(void **state)
{
	struct msg_tunnel_set t = {.tunnel = {0, 1},
				   .worker = 1,
				   .family = 4,
				   .dscp = MSG_DSCP_COPY,
				   .port = RIG_WAN,
				   .local = {192, 0, 2, 1}};
	struct msg_sa_event gone = {0};
	struct rig_bytes ip;
	(void)state;

	rig_sa_pair(0, &in, &out);
	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	assert_int_equal(atomic_load(&rig->sad->tunnel[0].tx), SAD_NO_SLOT);
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_rx_sealed(&in, &ip); /* what the peer still sends is received where its SA is */
	rig_run();
	rig_tx_ip(RIG_LAN, &ip);
	t.worker = 0; /* back again: the old SA is not taken up, its tunnel waits */
	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	rig_rx_clear(100, 1);
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_NO_SA, 1);
	assert_int_equal(drain_events(MSG_NO_SA), 1);
	out = rig_sa_make(1, MSG_DIR_OUT);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	assert_int_equal(sad_del(rig, (struct msg_handle){0, 1}, MSG_DIR_OUT, &gone), 0);
	rig_rx_clear(100, 1);
	rig_run();
	rig_tx_ip(RIG_WAN, &ip);
	rig_settle(0);
}

/* On its way from another worker the packet's tunnel was given back: the SA that is still there is not for it. */
static void a_handed_packet_whose_tunnel_has_gone_is_dropped(void **state)
{
	struct rig_bytes ip;
	struct rte_mbuf *m;
	(void)state;

	rig_sa_pair(0, &in, &out);
	assert_int_equal(sad_tunnel_del(rig->sad, (struct msg_handle){0, 1}), 0);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	m = rig_mbuf(&ip);
	*pkt_of(m) = (struct pkt){.kind = PKT_TUNNEL, .next = 0};
	assert_int_equal(rte_ring_enqueue(rig->handoff->w[0].from[1], m), 0);
	rig_run();
	rig_tx_nothing();
	rig_dropped(DROP_NO_SA, 1);
	assert_int_equal(rig_counters(0, MSG_DIR_OUT).packets, 0);
	assert_int_equal(drain_events(MSG_NO_SA), 0);
	rig_settle(0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_acquire_that_finds_no_room_is_asked_with_the_next_packet),
		T(a_moved_peer_that_finds_no_room_is_told_with_the_next_packet),
		T(a_deleted_sa_leaves_no_key_in_either_direction),
		T(an_install_wipes_the_message),
		T(a_tunnels_own_mtu_counts_where_it_is_less),
		T(nobody_is_told_about_packets_of_our_own),
		T(a_frame_to_all_is_not_answered),
		T(echo_with_a_code_is_none),
		T(the_checksum_of_an_echo_reply_is_right_for_every_value),
		T(a_move_to_port_0_is_refused_for_esp_in_udp),
		T(a_tunnel_that_changes_its_worker_waits_for_an_sa_of_the_new_one),
		T(a_handed_packet_whose_tunnel_has_gone_is_dropped),
	};

	return cmocka_run_group_tests_name("edges", tests, rig_start, rig_stop);
}
