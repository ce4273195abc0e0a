/* Packets between the chain and the kernel, whose end of the device is here a socket of the test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "dataplane/icmp.h"
#include "dataplane/tun.h"
#include "dataplane/tundev.h"
#include "tests/stage/rig.h"

#define STRANGER 0xc6336409u /* behind the WAN's gateway, not behind a tunnel */

static struct tundev dev;
static int kernel; /* the other end */

static int reset(void **state)
{
	int s[2];

	if (rig_reset(state) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s))
		return -1;
	dev = (struct tundev){.fd = s[0], .ifindex = 1, .up = true};
	kernel = s[1];
	rig->tun = tun_new(&dev, rig->pool, 1, -1, SOCKET_ID_ANY);
	return rig->tun ? 0 : -1;
}

static int clear(void **state)
{
	tun_free(rig->tun);
	rig->tun = NULL;
	close(dev.fd);
	close(kernel);
	return rig_clear(state);
}

/* Both threads until nothing moves. */
static void run(void)
{
	for (unsigned i = 0; i < 4; i++) {
		rig_run();
		(void)tun_turn(rig->tun);
	}
}

static bool kernel_gets(struct rig_bytes *ip)
{
	ssize_t n = recv(kernel, ip->b, sizeof(ip->b), 0);

	ip->len = n > 0 ? (uint16_t)n : 0;
	return n > 0;
}

static void kernel_sends(const struct rig_bytes *ip)
{
	assert_int_equal(send(kernel, ip->b, ip->len, 0), ip->len);
}

static void wire(uint16_t port, const struct rig_bytes *ip)
{
	struct rig_bytes f;

	rig_frame(&f, port, ip);
	rig_rx(port, &f);
}

static void tcp(struct rig_bytes *ip, uint32_t src, uint32_t dst, uint8_t flags)
{
	struct rte_tcp_hdr *t = (void *)(ip->b + 20);

	rig_udp(ip, src, dst, 40, 1);
	*t = (struct rte_tcp_hdr){.dst_port = RTE_BE16(179), .data_off = 0x50, .tcp_flags = flags};
	rig_ip(ip)->next_proto_id = IPPROTO_TCP;
	rig_cksum(ip);
}

static void ttl(struct rig_bytes *ip, uint8_t n)
{
	rig_ip(ip)->time_to_live = n;
	rig_cksum(ip);
}

/* Everything that went in has come out; what went up counts as out, what came down as in. */
static void settle(unsigned made)
{
	struct stats_worker *c = &rig->count;

	run();
	assert_int_equal(rig->tun->lost, 0);
	c->punt += c->to_tun;
	c->rx += c->from_tun;
	c->to_tun = c->from_tun = 0;
	rte_pktmbuf_free(rig->tun->spare);
	rig->tun->spare = NULL;
	rig_settle(made);
}

static void tcp_to_ourselves_goes_up_as_it_came(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	for (unsigned i = 0; i < 3; i++) {
		tcp(&ip, RIG_LAN_HOST, i ? RIG_LAN_ADDR : RIG_WAN_ADDR, RTE_TCP_ACK_FLAG);
		ttl(&ip, (uint8_t[]){255, 1, 64}[i]);
		wire(RIG_LAN, &ip);
		run();
		assert_true(kernel_gets(&got));
		assert_int_equal(got.len, ip.len);
		assert_memory_equal(got.b, ip.b, ip.len);
	}
	assert_int_equal(rig->count.to_tun, 3);
	rig_dropped_none();
	settle(0);
}

static void what_the_kernel_sends_keeps_its_ttl(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		tcp(&ip, RIG_LAN_ADDR, RIG_LAN_HOST, RTE_TCP_ACK_FLAG);
		ttl(&ip, i ? 1 : 255);
		kernel_sends(&ip);
		run();
		rig_tx_ip(RIG_LAN, &got);
		assert_int_equal(got.len, ip.len);
		assert_memory_equal(got.b, ip.b, ip.len);
	}
	assert_int_equal(rig->count.from_tun, 2);
	rig_dropped_none();
	settle(0);
}

static void it_goes_through_tunnels_both_ways(void **state)
{
	struct rig_bytes ip, outer, inner, got;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	tcp(&ip, RIG_FAR_HOST, RIG_LAN_ADDR, RTE_TCP_SYN_FLAG);
	ttl(&ip, 1);
	rig_rx_sealed(&in, &ip);
	run();
	assert_true(kernel_gets(&got));
	assert_memory_equal(got.b, ip.b, ip.len);
	tcp(&ip, RIG_LAN_ADDR, RIG_FAR_HOST, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG);
	ttl(&ip, 1);
	kernel_sends(&ip);
	run();
	rig_tx_ip(RIG_WAN, &outer);
	(void)rig_open(&inner, &out, &outer);
	assert_int_equal(inner.len, ip.len);
	assert_memory_equal(inner.b, ip.b, ip.len);
	rig_dropped_none();
	settle(0);
}

/* RFC 4301 5.2 */
static void in_clear_from_behind_a_tunnel_it_does_not_go_up(void **state)
{
	struct rig_bytes ip;
	(void)state;

	tcp(&ip, RIG_FAR_HOST, RIG_LAN_ADDR, RTE_TCP_RST_FLAG);
	wire(RIG_WAN, &ip);
	rig_udp(&ip, RIG_FAR_HOST, RIG_WAN_ADDR, 60, 1);
	wire(RIG_WAN, &ip);
	run();
	assert_false(kernel_gets(&ip));
	rig_dropped(DROP_CLEAR_TO_PROTECTED, 2);
	settle(0);
}

static void the_kernel_may_not_speak_for_others(void **state)
{
	static const uint32_t wrong[][2] = {{STRANGER, RIG_LAN_HOST},
					    {RIG_LAN_HOST, STRANGER},
					    {0x7f000001, RIG_LAN_HOST},
					    {RIG_LAN_ADDR, 0xe0000016}};
	struct rig_bytes ip;
	(void)state;

	for (unsigned i = 0; i < N_ELEMS(wrong); i++) {
		tcp(&ip, wrong[i][0], wrong[i][1], RTE_TCP_ACK_FLAG);
		kernel_sends(&ip);
		run();
		rig_dropped(DROP_BAD_ADDRESS, i + 1);
	}
	rig_tx_nothing();
	settle(0);
}

static void what_it_sends_to_ourselves_ends(void **state)
{
	struct rig_bytes ip;
	(void)state;

	tcp(&ip, RIG_LAN_ADDR, RIG_WAN_ADDR, RTE_TCP_ACK_FLAG);
	kernel_sends(&ip);
	run();
	rig_dropped(DROP_NOT_FOR_US, 1);
	assert_false(kernel_gets(&ip));
	settle(0);
}

static void rubbish_from_the_device_is_named(void **state)
{
	struct rig_bytes ip;
	(void)state;

	tcp(&ip, RIG_LAN_ADDR, RIG_LAN_HOST, RTE_TCP_ACK_FLAG);
	for (ip.len = 1; ip.len < 20; ip.len++)
		kernel_sends(&ip);
	run();
	rig_dropped(DROP_RUNT, 19);
	ip.len = 39;
	kernel_sends(&ip);
	ip.len = 40;
	ip.b[0] = 0x75;
	kernel_sends(&ip);
	ip.b[0] = 0x45;
	ip.b[10] ^= 1;
	kernel_sends(&ip);
	run();
	assert_int_equal(rig->count.drop[DROP_BAD_LENGTH], 1);
	assert_int_equal(rig->count.drop[DROP_BAD_VERSION], 1);
	assert_int_equal(rig->count.drop[DROP_BAD_CHECKSUM], 1);
	rig_tx_nothing();
	settle(0);
}

static void too_big_is_told_to_the_kernel_by_the_far_end(void **state)
{
	struct rig_bytes ip, got;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_LAN_ADDR, RIG_FAR_HOST, 1500, 1);
	kernel_sends(&ip);
	run();
	assert_true(kernel_gets(&got));
	assert_int_equal(rte_ipv4_cksum(rig_ip(&got)), 0);
	assert_int_equal(rig_ip(&got)->src_addr, rte_cpu_to_be_32(RIG_FAR_HOST));
	assert_int_equal(rig_ip(&got)->dst_addr, rte_cpu_to_be_32(RIG_LAN_ADDR));
	assert_int_equal(got.b[20], ICMP_UNREACHABLE);
	assert_int_equal(got.b[21], ICMP_FRAG_NEEDED);
	assert_in_range(got.b[26] << 8 | got.b[27], 1400, 1480);
	assert_memory_equal(got.b + 28, ip.b, 28);
	rig_dropped(DROP_TOO_BIG, 1);
	settle(1);
}

static void without_df_it_is_split(void **state)
{
	struct rig_bytes ip, outer, inner;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_LAN_ADDR, RIG_FAR_HOST, 1500, 1);
	rig_ip(&ip)->fragment_offset = 0;
	rig_cksum(&ip);
	kernel_sends(&ip);
	run();
	for (unsigned i = 0; i < 2; i++) {
		rig_tx_ip(RIG_WAN, &outer);
		(void)rig_open(&inner, &out, &outer);
		assert_int_equal(rig_ip(&inner)->time_to_live, 64);
		assert_int_equal(rig_ip(&inner)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG) ? 0 : 1, i);
	}
	rig_dropped_none();
	settle(1);
}

static bool sum_ok(struct rig_bytes *ip)
{
	return ((uint32_t)rte_ipv4_phdr_cksum(rig_ip(ip), 0) + rte_raw_cksum(ip->b + 20, ip->len - 20u)) % 0xffff == 0;
}

/* TCP and UDP, long and short: as a kernel on a virtual wire leaves them; one whole; and one that is really damaged. */
static void a_sum_left_to_a_device_is_completed(void **state)
{
	struct rig_bytes ip, got;
	(void)state;

	for (uint16_t len = 40; len < 80; len++) {
		for (unsigned kind = 0; kind < 6; kind++) {
			bool udp = kind % 2;
			uint16_t *field;

			rig_udp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, len, (uint8_t)(len * 7));
			rig_ip(&ip)->next_proto_id = udp ? IPPROTO_UDP : IPPROTO_TCP;
			rig_cksum(&ip);
			field = (void *)(ip.b + 20 + (udp ? 6 : 16));
			*field = 0;
			*field = kind < 2   ? rte_ipv4_phdr_cksum(rig_ip(&ip), 0)
				 : kind < 4 ? rte_ipv4_udptcp_cksum(rig_ip(&ip), ip.b + 20)
					    : (uint16_t)(rte_ipv4_phdr_cksum(rig_ip(&ip), 0) + 1);
			wire(RIG_LAN, &ip);
			run();
			assert_true(kernel_gets(&got));
			assert_int_equal(sum_ok(&got), kind < 4);
			if (kind >= 2)
				assert_memory_equal(got.b, ip.b, ip.len);
		}
	}
	tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, 0); /* cut short */
	for (uint16_t len = 21; len < 40; len++) {
		rig_ip(&ip)->total_length = rte_cpu_to_be_16(len);
		rig_cksum(&ip);
		wire(RIG_LAN, &ip);
		run();
		assert_true(kernel_gets(&got));
		assert_memory_equal(got.b, ip.b, len);
	}
	settle(0);
}

/* None left, whatever the clock says. */
static void empty(struct worker_bucket *b)
{
	b->cost_tsc = UINT64_MAX / 4;
	b->tokens_tsc = 0;
}

static void a_flood_of_syns_leaves_the_session_its_way(void **state)
{
	struct rig_bytes ip;
	unsigned got = 0;
	(void)state;

	worker_bucket_init(&rig->tun->link[0].fresh[0], rig->tsc_hz, 1,
			   TUN_NEW_BURST); /* however slow this machine is */
	for (unsigned i = 0; i < 2000; i++) {
		tcp(&ip, 0x0a010100 + i, RIG_LAN_ADDR, RTE_TCP_SYN_FLAG);
		wire(RIG_LAN, &ip);
		run();
		got += kernel_gets(&ip);
	}
	assert_in_range(got, TUN_NEW_BURST, TUN_NEW_BURST + 60);
	rig_dropped(DROP_TUN_POLICED, 2000 - got);
	empty(&rig->tun->link[0].fresh[TUN_FROM_WIRE]);
	tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, RTE_TCP_SYN_FLAG);
	wire(RIG_LAN, &ip);
	rig_udp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, 60, 1);
	wire(RIG_LAN, &ip);
	run();
	assert_false(kernel_gets(&ip));
	for (unsigned i = 0; i < 2; i++) {
		tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, RTE_TCP_ACK_FLAG | (i ? RTE_TCP_SYN_FLAG : 0));
		wire(RIG_LAN, &ip);
		run();
		assert_true(kernel_gets(&ip));
	}
	settle(0);
}

/* Whoever is on the wire may send segments of any kind, at any rate: what comes out of a tunnel does not feel it, nor the other way. */
static void no_flood_in_clear_starves_a_session_in_a_tunnel(void **state)
{
	struct tun_link *l = &rig->tun->link[0];
	struct rig_bytes ip, got;
	struct rig_sa in, out;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned origin = 0; origin < TUN_FROM_N; origin++) {
		for (unsigned fresh = 0; fresh < 2; fresh++) {
			struct worker_bucket *b = fresh ? &l->fresh[origin] : &l->rest[origin], full = *b;
			uint8_t flags = fresh ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG;

			empty(b);
			tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, flags);
			wire(RIG_LAN, &ip);
			run();
			assert_int_equal(kernel_gets(&got), origin != TUN_FROM_WIRE);
			tcp(&ip, RIG_FAR_HOST, RIG_LAN_ADDR, flags);
			rig_rx_sealed(&in, &ip);
			run();
			assert_int_equal(kernel_gets(&got), origin != TUN_FROM_TUNNEL);
			*b = full;
		}
	}
	rig_dropped(DROP_TUN_POLICED, 4);
	settle(0);
}

/* One that was removed: the rest of the data plane lives on. */
static void a_device_that_is_gone_is_left_alone(void **state)
{
	struct rig_bytes ip;
	(void)state;

	assert_int_equal(tun_fd(rig->tun), dev.fd);
	dev.sock = -1; /* questions about it have no answer */
	tun_watch(rig->tun);
	assert_true(dev.gone);
	assert_int_equal(tun_fd(rig->tun), -1);
	tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, RTE_TCP_ACK_FLAG);
	wire(RIG_LAN, &ip);
	tcp(&ip, RIG_LAN_ADDR, RIG_LAN_HOST, RTE_TCP_ACK_FLAG);
	kernel_sends(&ip);
	run();
	rig_dropped(DROP_LINK_DOWN, 1);
	rig_tx_nothing();
	settle(0);
}

static void a_full_ring_is_named(void **state)
{
	struct rig_bytes ip;
	unsigned got = 0;
	(void)state;

	tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, RTE_TCP_ACK_FLAG);
	for (unsigned i = 0; i < TUN_RING + 10; i++) {
		wire(RIG_LAN, &ip);
		rig_run(); /* no turn of the ctl thread */
	}
	rig_dropped(DROP_PUNT_FULL, 11);
	for (unsigned i = 0; i < TUN_RING / TUN_TURN; i++) {
		(void)tun_turn(rig->tun);
		while (kernel_gets(&ip))
			got++;
	}
	assert_int_equal(got, TUN_RING - 1);
	settle(0);
}

static void a_worker_that_is_behind_loses_nothing(void **state)
{
	struct rig_bytes ip;
	unsigned sent = 0;
	(void)state;

	tcp(&ip, RIG_LAN_ADDR, RIG_LAN_HOST, RTE_TCP_ACK_FLAG);
	for (unsigned turn = 0; turn < 12; turn++) {
		for (unsigned i = 0; i < TUN_TURN; i++)
			sent += send(kernel, ip.b, ip.len, 0) == ip.len;
		(void)tun_turn(rig->tun);
	}
	assert_true(rig->tun->stuck);
	assert_int_equal(tun_fd(rig->tun), -1);
	for (unsigned i = 0; i < 40; i++)
		run();
	assert_false(rig->tun->stuck);
	assert_int_equal(rig->count.from_tun, sent);
	rig_dropped_none();
	settle(0);
}

static void a_device_that_is_down_takes_nothing(void **state)
{
	struct rig_bytes ip;
	(void)state;

	atomic_store(&rig->tun->up, false);
	tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, RTE_TCP_ACK_FLAG);
	wire(RIG_LAN, &ip);
	run();
	rig_dropped(DROP_LINK_DOWN, 1);
	settle(0);
}

static void fragments_ike_esp_and_echo_stay_ours(void **state)
{
	struct rig_bytes ip;
	(void)state;

	tcp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, RTE_TCP_ACK_FLAG);
	rig_ip(&ip)->fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG);
	rig_cksum(&ip);
	wire(RIG_LAN, &ip);
	rig_udp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, 60, 1);
	((struct rte_udp_hdr *)(ip.b + 20))->dst_port = RTE_BE16(500);
	wire(RIG_LAN, &ip);
	rig_udp(&ip, RIG_LAN_HOST, RIG_LAN_ADDR, 60, 1);
	rig_ip(&ip)->next_proto_id = IPPROTO_ESP;
	rig_cksum(&ip);
	wire(RIG_LAN, &ip);
	run();
	assert_false(kernel_gets(&ip));
	assert_int_equal(rig->count.to_tun, 0);
	assert_int_equal(rig->count.drop[DROP_FRAGMENT], 1);
	assert_int_equal(rig->count.drop[DROP_BAD_SPI], 1);
	settle(0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tcp_to_ourselves_goes_up_as_it_came),
		TEST(what_the_kernel_sends_keeps_its_ttl),
		TEST(it_goes_through_tunnels_both_ways),
		TEST(in_clear_from_behind_a_tunnel_it_does_not_go_up),
		TEST(the_kernel_may_not_speak_for_others),
		TEST(what_it_sends_to_ourselves_ends),
		TEST(rubbish_from_the_device_is_named),
		TEST(too_big_is_told_to_the_kernel_by_the_far_end),
		TEST(without_df_it_is_split),
		TEST(a_sum_left_to_a_device_is_completed),
		TEST(a_flood_of_syns_leaves_the_session_its_way),
		TEST(no_flood_in_clear_starves_a_session_in_a_tunnel),
		TEST(a_device_that_is_gone_is_left_alone),
		TEST(a_full_ring_is_named),
		TEST(a_worker_that_is_behind_loses_nothing),
		TEST(a_device_that_is_down_takes_nothing),
		TEST(fragments_ike_esp_and_echo_stay_ours),
	};

	return cmocka_run_group_tests_name("tun", tests, rig_start, rig_stop);
}
