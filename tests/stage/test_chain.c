/* The whole chain: there and back, two owners, every packet accounted for whatever comes in, counters published. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_ring.h>
#include <rte_udp.h>

#include "dataplane/handoff.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/punt.h"
#include "dataplane/stats.h"
#include "tests/stage/rig.h"

static struct rig_sa in, out;
static uint64_t rnd_state;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16);
}

/* Route 10.2/16 into the tunnel, or to the LAN: the way out and the way back of a loop. */
static void far_net(uint8_t kind)
{
	struct msg_nexthop m = {
		.id = RIG_NH_TUNNEL, .n = 1, .leg[0] = {.kind = kind, .family = 4, .port = RIG_LAN, .tunnel = {0, 1}}};

	if (kind == MSG_NH_PORT)
		memcpy(m.leg[0].via, (uint8_t[]){10, 1, 0, 9}, 4);
	assert_int_equal(fib_nexthop_set(rig->fib, &m), 0);
}

/* What we encrypt, we decrypt: an inbound SA with the same SPI and key, for the peer's address. */
static void our_own_esp_comes_back_byte_for_byte(void **state)
{
	static struct rig_bytes sent[32], f, back;
	struct rig_sa loop;
	(void)state;

	out = rig_sa_make(0, MSG_DIR_OUT);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	loop = out;
	memcpy(loop.add.local, out.add.remote, 4);
	memcpy(loop.add.remote, out.add.local, 4);
	assert_int_equal(rig_sa_add(&loop, MSG_DIR_IN), 0);
	rnd_state = 1234567;
	for (unsigned round = 0; round < 40; round++) {
		far_net(MSG_NH_TUNNEL);
		for (unsigned i = 0; i < 32; i++) {
			rig_udp(&sent[i], RIG_LAN_HOST, RIG_FAR_HOST, (uint16_t)(28 + rnd() % 1411), (uint8_t)i);
			for (uint16_t k = 28; k < sent[i].len; k++)
				sent[i].b[k] = (uint8_t)rnd();
			rig_frame(&f, RIG_LAN, &sent[i]);
			rig_rx(RIG_LAN, &f);
		}
		rig_run();
		far_net(MSG_NH_PORT);
		for (unsigned i = 0; i < 32; i++) {
			rig_tx_ip(RIG_WAN, &back);
			rig_frame(&f, RIG_WAN, &back);
			rig_rx(RIG_WAN, &f);
		}
		rig_run();
		for (unsigned i = 0; i < 32; i++) {
			rig_tx_ip(RIG_LAN, &back);
			rig_ip(&sent[i])->time_to_live = 62;
			rig_cksum(&sent[i]);
			assert_int_equal(back.len, sent[i].len);
			assert_memory_equal(back.b, sent[i].b, back.len);
		}
	}
	far_net(MSG_NH_TUNNEL);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).packets, 1280);
	assert_int_equal(rig_counters(0, MSG_DIR_IN).octets, rig_counters(0, MSG_DIR_OUT).octets);
	rig_dropped_none();
	rig_settle(0);
}

/* --- two owners --- */

static struct rte_mbuf *handed_over(void)
{
	void *m = NULL;

	assert_int_equal(rte_ring_dequeue(rig->handoff->w[0].to[1], &m), 0);
	return m;
}

static void tunnel_of_worker(uint32_t slot, uint8_t worker)
{
	struct msg_tunnel_set t = {.tunnel = {slot, 1},
				   .worker = worker,
				   .family = 4,
				   .dscp = MSG_DSCP_COPY,
				   .port = RIG_WAN,
				   .local = {192, 0, 2, 1}};

	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
}

static void esp_of_another_owner_is_handed_to_it(void **state)
{
	struct rig_bytes ip, f;
	struct rte_mbuf *m;
	(void)state;

	tunnel_of_worker(0, 1);
	in = rig_sa_make(5, MSG_DIR_IN);
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), -EXDEV); /* not ours to install */
	rig->id = 1;
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	rig->id = 0;
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_seal(&f, &in, 1, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	in.encap = true;
	rig_seal(&f, &in, 2, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_run();
	assert_int_equal(rig->count.handoff_out, 2);
	m = handed_over();
	assert_int_equal(pkt_of(m)->kind, PKT_ESP);
	assert_int_equal(pkt_of(m)->esp_off, 20);
	rte_pktmbuf_free(m);
	m = handed_over();
	assert_int_equal(pkt_of(m)->esp_off, 28);
	assert_true(pkt_of(m)->flags & PKT_ENCAP);
	rte_pktmbuf_free(m);
	rig_tx_nothing();
	rig_settle(0);
}

static void packets_for_another_owners_tunnel_are_handed_to_it(void **state)
{
	struct rte_mbuf *m;
	(void)state;

	tunnel_of_worker(0, 1);
	rig_rx_clear(100, 1);
	rig_run();
	m = handed_over();
	assert_int_equal(pkt_of(m)->kind, PKT_TUNNEL);
	assert_int_equal(pkt_of(m)->next, 0);
	assert_int_equal(rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *)->time_to_live, 63); /* the hop is counted once */
	rte_pktmbuf_free(m);
	rig_settle(0);
}

/* What another worker hands to us goes on where that worker stopped. */
static void handed_packets_go_on_where_they_stopped(void **state)
{
	struct rig_bytes ip, f, outer, inner;
	struct rte_mbuf *m;
	(void)state;

	rig_sa_pair(0, &in, &out);
	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, 100, 1);
	m = rig_mbuf(&ip);
	*pkt_of(m) = (struct pkt){.kind = PKT_TUNNEL, .next = 0};
	assert_int_equal(rte_ring_enqueue(rig->handoff->w[0].from[1], m), 0);
	rig_run();
	rig_tx_ip(RIG_WAN, &outer);
	assert_int_equal(rig_open(&inner, &out, &outer), 1);
	assert_memory_equal(inner.b, ip.b, ip.len); /* no second hop */
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_seal(&f, &in, 1, &ip, NULL);
	m = rig_mbuf(&f);
	rte_pktmbuf_adj(m, 14);
	*pkt_of(m) = (struct pkt){.kind = PKT_ESP, .esp_off = 20};
	assert_int_equal(rte_ring_enqueue(rig->handoff->w[0].from[1], m), 0);
	rig_run();
	rig_tx_ip(RIG_LAN, &inner);
	assert_int_equal(inner.len, 100);
	assert_int_equal(rig->count.handoff_in, 2);
	rig_dropped_none();
	rig_settle(0);
}

/* --- everything at once --- */

static unsigned ring_drain(struct rte_ring *r)
{
	unsigned n = 0;
	void *m;

	while (rte_ring_dequeue(r, &m) == 0) {
		rte_pktmbuf_free(m);
		n++;
	}
	return n;
}

/* One of many kinds of frame, good and bad, then maybe spoilt in a few octets. */
static void any_frame(struct rig_bytes *f, uint16_t *port)
{
	struct rig_trailer t = RIG_TRAILER;
	struct rig_bytes ip;
	uint16_t len = (uint16_t)(28 + rnd() % 1400);

	*port = RIG_LAN;
	switch (rnd() % 8) {
	case 0: /* to be encrypted */
		rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, len, 1);
		rig_frame(f, RIG_LAN, &ip);
		break;
	case 1: /* forwarded in clear, or nowhere */
		rig_udp(&ip, RIG_LAN_HOST, rnd() % 4 ? 0xc6336401 : rnd(), len, 1);
		rig_frame(f, RIG_LAN, &ip);
		break;
	case 2: /* to ourselves */
		rig_udp(&ip, RIG_LAN_HOST, rnd() % 2 ? RIG_LAN_ADDR : RIG_WAN_ADDR, len, 1);
		((struct rte_udp_hdr *)(ip.b + 20))->dst_port = rte_cpu_to_be_16(rnd() % 2 ? 500 : 4500);
		rig_ip(&ip)->next_proto_id = (uint8_t)(rnd() % 3 ? 17 : 1);
		rig_cksum(&ip);
		rig_frame(f, RIG_LAN, &ip);
		break;
	case 3: /* for the other worker's tunnel */
		rig_udp(&ip, RIG_LAN_HOST, 0x0a030001, len, 1);
		rig_frame(f, RIG_LAN, &ip);
		break;
	default: /* from the peer */
		*port = RIG_WAN;
		rig_udp(&ip, RIG_FAR_HOST, rnd() % 8 ? RIG_LAN_HOST : RIG_FAR_HOST, len, 1);
		t.next = rnd() % 16 ? 4 : (int)(rnd() % 256);
		t.pad_xor = (uint8_t)(rnd() % 16 == 0);
		t.tos = (uint8_t)rnd();
		in.encap = rnd() % 2;
		rig_seal(f, &in, rnd() % 16 ? in.seq++ : rnd() % 4096, &ip, &t);
	}
	if (rnd() % 4 == 0)
		for (unsigned i = 0; i < 1 + rnd() % 3; i++)
			f->b[rnd() % 3 ? 14 + rnd() % 40 : rnd() % f->len] = (uint8_t)rnd();
	if (rnd() % 16 == 0)
		f->len = (uint16_t)(rnd() % (f->len + 1u));
}

static void every_packet_leaves_by_exactly_one_door(void **state)
{
	struct rig_bytes f;
	uint64_t made = 0, held, echoes = 0;
	const struct stats_worker *c = &rig->count;
	(void)state;

	rig_sa_pair(0, &in, &out);
	tunnel_of_worker(1, 1);
	rnd_state = 20261121;
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t dropped = 0, in_all;

		for (unsigned i = rnd() % 64; i > 0; i--) {
			uint16_t port;

			any_frame(&f, &port);
			rig_rx(port, &f);
		}
		rig_run();
		for (uint16_t i = 0; i < RIG_PORTS; i++)
			while (rig_tx(i, &f))
				echoes += f.b[23] == 1 && f.b[34] == 0;
		(void)ring_drain(rig->handoff->w[0].to[1]);
		held = ring_drain(rig->neigh->link[0].up);
		assert_int_equal(rte_mempool_in_use_count(rig->pool), 0); /* no packet is lost, in any round */
		for (unsigned i = 0; i < DROP_N; i++)
			dropped += c->drop[i];
		/* out, less in, is what was made here, ICMP errors and fragments: it never shrinks */
		in_all = c->rx + c->handoff_in;
		assert_true(c->tx + c->punt + c->handoff_out + dropped + held + made >= in_all);
	}
	/* the count by kinds: each moved */
	assert_true(c->tx > 1000 && c->esp_in > 1000 && c->esp_out > 1000 && c->handoff_out > 100);
	assert_true(c->drop[DROP_BAD_ICV] && c->drop[DROP_REPLAY_OLD] && c->drop[DROP_BAD_PAD] && c->drop[DROP_ECN] &&
		    c->drop[DROP_NEXT_HEADER] && c->drop[DROP_BAD_CHECKSUM] && c->drop[DROP_RUNT] &&
		    c->drop[DROP_NO_ROUTE] && c->drop[DROP_BAD_SPI] && c->drop[DROP_BAD_LENGTH]);
}

/* The same as an exact equation, for traffic of which we know what is made. */
static void the_sum_of_doors_is_exact(void **state)
{
	struct rig_bytes ip, f;
	(void)state;

	rig_sa_pair(0, &in, &out);
	for (unsigned i = 0; i < 500; i++) {
		rig_rx_clear((uint16_t)(28 + i), (uint8_t)i); /* tx */
		rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
		rig_seal(&f, &in, i / 2 + 1, &ip, NULL); /* tx, replay */
		rig_rx(RIG_WAN, &f);
		rig_udp(&ip, RIG_LAN_HOST, 0x0a040001, 100, 1); /* black hole */
		rig_frame(&f, RIG_LAN, &ip);
		rig_rx(RIG_LAN, &f);
		if (i % 16 == 0)
			rig_run();
	}
	rig_run();
	assert_int_equal(rig->count.rx, 1500);
	assert_int_equal(rig->count.tx, 750);
	assert_int_equal(rig->count.drop[DROP_REPLAY], 250);
	assert_int_equal(rig->count.drop[DROP_BLACKHOLE], 500);
	rig_settle(0);
}

/* --- counters --- */

static void counters_are_published_when_the_worker_comes_to_rest(void **state)
{
	struct rig_bytes ip;
	(void)state;

	rig_sa_pair(9, &in, &out);
	memset(rig->stats, 0, sizeof(*rig->stats));
	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_rx_sealed(&in, &ip);
	rig_rx_clear(200, 1);
	rig_run();
	rig->now_tsc = rig->published_tsc + rig->tsc_hz / 50; /* 20 ms later */
	rig->unpublished = true;
	rig->idle_polls = 1;
	rig->worked = false;
	worker_turn(rig);
	assert_int_equal(rig->stats->rx, 2);
	assert_int_equal(rig->stats->tx, 2);
	assert_int_equal(rig->sa_stats[18].gen, 1);
	assert_int_equal(rig->sa_stats[18].spi, in.add.spi);
	assert_int_equal(rig->sa_stats[18].c.octets, 100);
	assert_int_equal(rig->sa_stats[19].c.octets, 200);
	assert_false(rig->unpublished);
	assert_int_equal(sad_del(rig, in.add.sa, MSG_DIR_IN, &(struct msg_sa_event){0}), 0);
	assert_int_equal(rig->sa_stats[18].gen, 0);
	rig_settle(0);
}

/* The worker's thread, in its own time: asleep when nothing comes, there when something does, gone when told. */
static bool wait_for(const uint64_t *counter, uint64_t at_least)
{
	for (unsigned ms = 0; ms < 5000; ms++) {
		if (__atomic_load_n(counter, __ATOMIC_RELAXED) >= at_least)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static void *run(void *arg)
{
	(void)worker_run(arg);
	return NULL;
}

static void an_idle_worker_sleeps_and_wakes(void **state)
{
	static _Atomic bool stop;
	struct rig_bytes ip;
	pthread_t thread;
	uint64_t sleeps;
	(void)state;

	rig_sa_pair(0, &in, &out);
	memset(rig->stats, 0, sizeof(*rig->stats));
	atomic_store(&stop, false);
	rig->stop = &stop;
	rig->bell = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(pthread_create(&thread, NULL, run, rig), 0);
	assert_true(wait_for(&rig->stats->idle_sleeps, 100));
	sleeps = __atomic_load_n(&rig->stats->idle_sleeps, __ATOMIC_RELAXED);
	rig_rx_clear(100, 1);
	assert_true(wait_for(&rig->stats->tx, 1)); /* and the counters of the burst are published without another */
	assert_true(wait_for(&rig->sa_stats[1].c.octets, 100));
	assert_int_equal(eventfd_write(rig->bell, 1), 0);
	assert_true(wait_for(&rig->stats->idle_sleeps, sleeps + 100)); /* asleep again */
	atomic_store(&stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(rig->stats->tsc_total > rig->stats->tsc_busy && rig->stats->tsc_busy > 0);
	close(rig->bell);
	rig->bell = -1;
	rig->stop = NULL;
	rig_tx_ip(RIG_WAN, &ip);
	rig_settle(0);
}

static void buckets_give_their_rate(void **state)
{
	struct worker_bucket b;
	uint64_t now;
	unsigned n = 0;
	(void)state;

	worker_bucket_init(&b, 1000000, 100, 10);
	now = b.last_tsc;
	while (worker_bucket_take(&b, now))
		n++;
	assert_int_equal(n, 10);
	for (n = 0; now < b.last_tsc + 0 || n < 1; now += 1000) /* 10 000 cycles a token */
		n += worker_bucket_take(&b, now);
	now += 100000000; /* a long pause gives the burst, not more */
	for (n = 0; worker_bucket_take(&b, now); n++)
		;
	assert_int_equal(n, 10);
	assert_false(worker_bucket_take(&b, now - 5000)); /* time that goes back gives nothing */
}

/* The control plane decides how many packets its datagrams become: the list that they join is shared with those that
 * come out of tunnels in the same poll, two bursts at most. */
static void ike_in_many_fragments_leaves_room_for_the_tunnels(void **state)
{
	static uint8_t data[65400];
	struct msg_ike h = {
		.attach = 7, .family = 4, .local = {192, 0, 2, 1}, .remote = {192, 0, 2, 254}, .port = RIG_WAN};
	void *mem = aligned_alloc(64, spsc_size(SHM_IKE_CAP, MSG_IKE_SLOT));
	struct shm_worker_rings rings = {0};
	struct spsc control;
	unsigned calls = 0, n = 0;
	(void)state;

	assert_non_null(mem);
	memset(mem, 0, spsc_size(SHM_IKE_CAP, MSG_IKE_SLOT));
	spsc_init(&control, mem, SHM_IKE_CAP, MSG_IKE_SLOT);
	rings.ike_out = control;
	rig->punt->rings = &rings;
	rig->punt->limits = (struct msg_limits){.ports = RIG_PORTS, .workers = 2, .attach = 7};
	rig->port[RIG_WAN].mtu = 576;
	h.local_port = h.remote_port = 500;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(shm_ike_push(&control, &h, data, sizeof(data)), 0);
	for (; calls < 8 && n < 8 * 119; calls++) {
		n += punt_ike_out(rig, &rig->fwd);
		assert_true(vec_room(&rig->fwd) >= 2 * VEC_BURST);
		rte_pktmbuf_free_bulk(rig->fwd.m, rig->fwd.n);
		rig->fwd.n = 0;
	}
	assert_int_equal(n, 8 * 119); /* 65408 octets in pieces of 552: none is lost, each comes in its turn */
	assert_true(calls > 1);
	rig->punt->rings = NULL;
	free(mem);
	rig_settle(0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(our_own_esp_comes_back_byte_for_byte),
		T(esp_of_another_owner_is_handed_to_it),
		T(packets_for_another_owners_tunnel_are_handed_to_it),
		T(handed_packets_go_on_where_they_stopped),
		T(every_packet_leaves_by_exactly_one_door),
		T(the_sum_of_doors_is_exact),
		T(counters_are_published_when_the_worker_comes_to_rest),
		T(an_idle_worker_sleeps_and_wakes),
		T(buckets_give_their_rate),
		T(ike_in_many_fragments_leaves_room_for_the_tunnels),
	};

	return cmocka_run_group_tests_name("chain", tests, rig_start, rig_stop);
}
