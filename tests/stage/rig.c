#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/stage/rig.h"
#include "tests/lib/esp_peer.h"

#include <stdlib.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "dataplane/handoff.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/pool.h"
#include "dataplane/punt.h"
#include "tests/unit/dataplane/eal.h"

enum { ETH = 14, IP = 20, UDP = 8, EVENTS = 256 };

struct worker *rig;
static struct rte_ring *rx_ring[RIG_PORTS], *tx_ring[RIG_PORTS];
static struct spsc evt_in, evt_out; /* the worker's end, ours */
static void *evt_mem;
static const uint8_t our_mac[RIG_PORTS][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
static const uint8_t their_mac[RIG_PORTS][6] = {{2, 0, 0, 0, 0, 0xa1}, {2, 0, 0, 0, 0, 0xa2}};

/* --- the bench --- */

static void port_start(uint16_t i, const char *name)
{
	struct rte_eth_conf conf = {0};
	struct worker_port *p = &rig->port[i];
	char ring[32];
	int dev;

	snprintf(ring, sizeof(ring), "%s-rx", name);
	rx_ring[i] = rte_ring_create(ring, 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(ring, sizeof(ring), "%s-tx", name);
	tx_ring[i] = rte_ring_create(ring, 2048, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	dev = rte_eth_from_rings(name, &rx_ring[i], 1, &tx_ring[i], 1, 0);
	if (dev < 0 || rte_eth_dev_configure((uint16_t)dev, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup((uint16_t)dev, 0, 512, 0, NULL, rig->pool) != 0 ||
	    rte_eth_tx_queue_setup((uint16_t)dev, 0, 512, 0, NULL) != 0 || rte_eth_dev_start((uint16_t)dev) != 0)
		abort();
	*p = (struct worker_port){.dev = (uint16_t)dev, .mtu = RIG_MTU, .rx = true};
	memcpy(p->mac, our_mac[i], 6);
	atomic_init(&p->up, true);
	p->addr_be = rte_cpu_to_be_32(i == RIG_WAN ? RIG_WAN_ADDR : RIG_LAN_ADDR);
}

static void nexthop(uint32_t id, uint8_t kind, uint32_t tunnel)
{
	struct msg_nexthop m = {
		.id = id, .n = 1, .leg[0] = {.kind = kind, .family = 4, .port = RIG_WAN, .tunnel = {tunnel, 1}}};

	if (kind == MSG_NH_PORT)
		memcpy(m.leg[0].via, (uint8_t[]){192, 0, 2, 254}, 4);
	if (fib_nexthop_set(rig->fib, &m) != 0)
		abort();
}

static void routes(void)
{
	struct fib *f = rig->fib;

	nexthop(RIG_NH_GATEWAY, MSG_NH_PORT, 0);
	nexthop(RIG_NH_TUNNEL, MSG_NH_TUNNEL, 0);
	nexthop(RIG_NH_TUNNEL1, MSG_NH_TUNNEL, 1);
	nexthop(RIG_NH_DROP, MSG_NH_DROP, 0);
	if (fib_own_set(f, RIG_WAN_ADDR, 32, FIB_LOCAL, 0) || fib_own_set(f, RIG_LAN_ADDR, 32, FIB_LOCAL, 0) ||
	    fib_own_set(f, 0xc0000200, 24, FIB_PORT, RIG_WAN) || fib_own_set(f, 0x0a010000, 16, FIB_PORT, RIG_LAN) ||
	    fib_set(f, 0xc6336400, 24, RIG_NH_GATEWAY) || fib_set(f, 0x0a020000, 16, RIG_NH_TUNNEL) ||
	    fib_set(f, 0x0a030000, 16, RIG_NH_TUNNEL1) || fib_set(f, 0x0a040000, 16, RIG_NH_DROP))
		abort();
}

/* A neighbour that is known, as the ctl thread would have entered it. */
static void neighbour(uint16_t port, uint32_t addr, const uint8_t mac[6])
{
	struct neigh_place *p =
		neigh_add(rig->neigh, &(struct neigh_who){.port = port, .addr_be = rte_cpu_to_be_32(addr)});

	if (p == NULL)
		abort();
	atomic_store(&p->mac, neigh_mac_pack(mac));
}

int rig_start(void **state)
{
	const char *why = "";

	(void)state;
	if (eal_start("512") != 0)
		return -1;
	rig = rte_zmalloc("rig", sizeof(*rig), 64);
	rig->n_workers = 2; /* the other one exists only as the owner of some SAs */
	rig->n_ports = RIG_PORTS;
	rig->pool = pool_new("rig", RIG_MBUFS, 256, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (rig->pool == NULL || worker_init(rig, 0, &why) != 0)
		return -1;
	port_start(RIG_WAN, "wan");
	port_start(RIG_LAN, "lan");
	rig->fib = fib_new(
		&(struct fib_params){.routes_max = 64, .routes6_max = 64, .n_nexthops = 16, .n_ports = RIG_PORTS});
	rig->neigh = neigh_new(1, SOCKET_ID_ANY);
	rig->handoff = handoff_new(2, SOCKET_ID_ANY);
	rig->punt = punt_new(rig, SOCKET_ID_ANY);
	rig->stats = calloc(1, sizeof(*rig->stats));
	rig->sa_stats = calloc(RIG_SAS * 2, sizeof(*rig->sa_stats));
	evt_mem = calloc(1, spsc_size(EVENTS, MSG_SLOT) + 64);
	if (!rig->fib || !rig->neigh || !rig->handoff || !rig->punt)
		return -1;
	routes();
	neighbour(RIG_WAN, RIG_GATEWAY, their_mac[RIG_WAN]);
	neighbour(RIG_LAN, RIG_LAN_HOST, their_mac[RIG_LAN]);
	rig->bell = rig->bell_control = -1;
	return 0;
}

int rig_stop(void **state)
{
	(void)state;
	worker_fini(rig);
	fib_free(rig->fib);
	neigh_free(rig->neigh);
	handoff_free(rig->handoff);
	punt_free(rig->punt);
	free(rig->stats);
	free(rig->sa_stats);
	free(evt_mem);
	rte_free(rig);
	return rte_eal_cleanup();
}

int rig_reset(void **state)
{
	struct msg_tunnel_set t = {.tunnel = {0, 1},
				   .family = 4,
				   .dscp = MSG_DSCP_COPY,
				   .df = MSG_DF_COPY,
				   .port = RIG_WAN,
				   .local = {192, 0, 2, 1},
				   .name = "t0"};

	(void)state;
	rig->sad = sad_new(RIG_SAS, RIG_TUNNELS, SOCKET_ID_ANY);
	if (rig->sad == NULL || sad_tunnel_set(rig->sad, &t, 2) != 0)
		return -1;
	memset(&rig->count, 0, sizeof(rig->count));
	memset(rig->sa_stats, 0, RIG_SAS * 2 * sizeof(*rig->sa_stats));
	memset(evt_mem, 0, spsc_size(EVENTS, MSG_SLOT));
	spsc_init(&evt_in, (void *)RTE_PTR_ALIGN(evt_mem, 64), EVENTS / 2, MSG_SLOT);
	evt_out = evt_in;
	rig->evt = &evt_in;
	rig->attach = 7;
	rig->polls_left = WORKER_POLLS_PER_TURN;
	for (uint16_t i = 0; i < RIG_PORTS; i++)
		rig->port[i].mtu = RIG_MTU;
	worker_bucket_init(&rig->icmp, rig->tsc_hz, 100, 50);
	worker_bucket_init(&rig->icmp6, rig->tsc_hz, 100, 50);
	worker_bucket_init(&rig->bad_spi, rig->tsc_hz, 10, 10);
	return 0;
}

int rig_clear(void **state)
{
	struct rig_bytes f;

	(void)state;
	for (uint16_t i = 0; i < RIG_PORTS; i++)
		while (rig_tx(i, &f))
			;
	sad_free(rig->sad);
	return 0;
}

/* --- frames --- */

struct rte_mbuf *rig_mbuf(const struct rig_bytes *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, f->len), f->b, f->len);
	return m;
}

void rig_rx_mbuf(uint16_t port, struct rte_mbuf *m)
{
	assert_int_equal(rte_ring_enqueue(rx_ring[port], m), 0);
}

void rig_rx(uint16_t port, const struct rig_bytes *f)
{
	rig_rx_mbuf(port, rig_mbuf(f));
}

void rig_run(void)
{
	for (unsigned idle = 0; idle < 3;)
		idle = worker_poll(rig) ? 0 : idle + 1;
}

bool rig_tx(uint16_t port, struct rig_bytes *f)
{
	void *p;
	struct rte_mbuf *m;

	if (rte_ring_dequeue(tx_ring[port], &p) != 0)
		return false;
	m = p;
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	assert_int_equal(m->ol_flags, 0);
	f->len = m->data_len;
	memcpy(f->b, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
	return true;
}

void rig_tx_ip(uint16_t port, struct rig_bytes *ip)
{
	struct rig_bytes f;

	assert_true(rig_tx(port, &f));
	assert_true(f.len >= ETH + IP);
	assert_memory_equal(f.b, their_mac[port], 6);
	assert_memory_equal(f.b + 6, our_mac[port], 6);
	assert_int_equal(f.b[12] << 8 | f.b[13], 0x0800);
	ip->len = (uint16_t)(f.len - ETH);
	memcpy(ip->b, f.b + ETH, ip->len);
	assert_int_equal(rte_be_to_cpu_16(rig_ip(ip)->total_length), ip->len);
	assert_int_equal(rte_ipv4_cksum(rig_ip(ip)), 0);
}

void rig_tx_nothing(void)
{
	struct rig_bytes f;

	assert_false(rig_tx(RIG_WAN, &f));
	assert_false(rig_tx(RIG_LAN, &f));
}

void rig_settle(unsigned made)
{
	const struct stats_worker *c = &rig->count;
	uint64_t dropped = 0, in = c->rx + c->handoff_in + made;
	struct rig_bytes f;

	rig_run();
	for (unsigned i = 0; i < DROP_N; i++)
		dropped += c->drop[i];
	assert_int_equal(in, c->tx + c->punt + c->handoff_out + c->joined + dropped);
	for (uint16_t i = 0; i < RIG_PORTS; i++)
		while (rig_tx(i, &f))
			;
	assert_int_equal(rte_mempool_in_use_count(rig->pool), 0);
}

static uint64_t drops(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		n += rig->count.drop[i];
	return n;
}

void rig_dropped(enum stats_drop why, uint64_t n)
{
	if (rig->count.drop[why] != n || drops() != n)
		for (unsigned i = 0; i < DROP_N; i++)
			if (rig->count.drop[i] != 0)
				print_message("# %s %lu\n", stats_drop_name(i), (unsigned long)rig->count.drop[i]);
	assert_int_equal(rig->count.drop[why], n);
	assert_int_equal(drops(), n);
}

void rig_dropped_none(void)
{
	rig_dropped(DROP_RUNT, 0);
}

void rig_cksum(struct rig_bytes *ip)
{
	rig_ip(ip)->hdr_checksum = 0;
	rig_ip(ip)->hdr_checksum = rte_ipv4_cksum(rig_ip(ip));
}

void rig_udp(struct rig_bytes *ip, uint32_t src, uint32_t dst, uint16_t len, uint8_t fill)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip->b + IP);

	assert_true(len >= IP + UDP && len <= RIG_FRAME_MAX - ETH);
	ip->len = len;
	for (uint16_t i = IP + UDP; i < len; i++)
		ip->b[i] = (uint8_t)(fill + i);
	*rig_ip(ip) = (struct rte_ipv4_hdr){.version_ihl = 0x45,
					    .total_length = rte_cpu_to_be_16(len),
					    .packet_id = rte_cpu_to_be_16(fill),
					    .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
					    .time_to_live = 64,
					    .next_proto_id = IPPROTO_UDP,
					    .src_addr = rte_cpu_to_be_32(src),
					    .dst_addr = rte_cpu_to_be_32(dst)};
	*udp = (struct rte_udp_hdr){.src_port = RTE_BE16(1000),
				    .dst_port = RTE_BE16(2000),
				    .dgram_len = rte_cpu_to_be_16((uint16_t)(len - IP))};
	rig_cksum(ip);
}

void rig_frame(struct rig_bytes *f, uint16_t port, const struct rig_bytes *ip)
{
	f->len = (uint16_t)(ETH + ip->len);
	memcpy(f->b, our_mac[port], 6);
	memcpy(f->b + 6, their_mac[port], 6);
	f->b[12] = 8;
	f->b[13] = 0;
	memcpy(f->b + ETH, ip->b, ip->len);
}

void rig_rx_clear(uint16_t len, uint8_t fill)
{
	struct rig_bytes ip, f;

	rig_udp(&ip, RIG_LAN_HOST, RIG_FAR_HOST, len, fill);
	rig_frame(&f, RIG_LAN, &ip);
	rig_rx(RIG_LAN, &f);
}

/* --- SAs --- */

struct rig_sa rig_sa_make(uint32_t slot, uint32_t dir)
{
	struct msg_ts any = {.hi = {255, 255, 255, 255}, .port_hi = 65535};
	struct rig_sa sa = {.seq = 1,
			    .add = {.sa = {slot, 1},
				    .tunnel = {0, 1},
				    .spi = spi_make(slot, 0x12345678 + dir),
				    .encr = MSG_ENCR_AES256_GCM16,
				    .family = 4,
				    .n_ts = 1,
				    .local = {192, 0, 2, 1},
				    .remote = {198, 51, 100, 7},
				    .replay_window = 1024,
				    .key_len = 36,
				    .soft_bytes = UINT64_MAX,
				    .hard_bytes = UINT64_MAX,
				    .soft_packets = UINT64_MAX,
				    .hard_packets = UINT64_MAX,
				    .ts = {{.local = any, .remote = any, .family = 4}}}};

	for (unsigned i = 0; i < MSG_KEY_MAX; i++)
		sa.add.key[i] = (uint8_t)(i * 7 + slot * 13 + dir * 101 + 1);
	return sa;
}

int rig_sa_add(const struct rig_sa *sa, uint32_t dir)
{
	struct msg_sa_add m = sa->add;
	static const uint8_t none[MSG_KEY_MAX];
	int err = dir == MSG_DIR_IN ? sad_add_in(rig, &m) : sad_add_out(rig, &m);

	assert_memory_equal(m.key, none, sizeof(none)); /* wiped whatever happens */
	return err;
}

void rig_sa_pair(uint32_t slot, struct rig_sa *in, struct rig_sa *out)
{
	*in = rig_sa_make(slot, MSG_DIR_IN);
	*out = rig_sa_make(slot, MSG_DIR_OUT);
	assert_int_equal(rig_sa_add(in, MSG_DIR_IN), 0);
	assert_int_equal(rig_sa_add(out, MSG_DIR_OUT), 0);
}

struct msg_sa_counters rig_counters(uint32_t slot, uint32_t dir)
{
	struct msg_sa_counters c;

	sad_counters(rig->sad, slot, dir, &c);
	return c;
}

/* --- the peer --- */

void rig_seal_text(struct rig_bytes *f, const struct rig_sa *sa, uint64_t seq, const uint8_t *text, uint16_t text_len,
		   uint8_t tos)
{
	uint16_t udp_len = sa->encap ? UDP : 0;
	struct rig_bytes ip = {0};
	uint8_t iv[ESP_PEER_IV_MAX];

	for (unsigned i = 0; i < sizeof(iv); i++) /* unlike ours: any that does not repeat will do */
		iv[i] = (uint8_t)(i % 8 < 4 ? 0xee : seq >> 8 * (i % 4));
	ip.len = (uint16_t)(IP + udp_len + esp_peer_seal(&sa->add, seq, iv, text, text_len, ip.b + IP + udp_len));
	assert_true(ip.len <= RIG_FRAME_MAX - ETH);
	*rig_ip(&ip) = (struct rte_ipv4_hdr){.version_ihl = 0x45,
					     .type_of_service = tos,
					     .total_length = rte_cpu_to_be_16(ip.len),
					     .time_to_live = 60,
					     .next_proto_id = sa->encap ? IPPROTO_UDP : IPPROTO_ESP};
	memcpy(ip.b + 12, sa->add.remote, 4);
	memcpy(ip.b + 16, sa->add.local, 4);
	rig_cksum(&ip);
	if (sa->encap) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip.b + IP);

		udp->src_port = rte_cpu_to_be_16(sa->add.remote_port);
		udp->dst_port = RTE_BE16(4500);
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(ip.len - IP));
	}
	rig_frame(f, RIG_WAN, &ip);
}

void rig_seal(struct rig_bytes *f, const struct rig_sa *sa, uint64_t seq, const struct rig_bytes *inner,
	      const struct rig_trailer *t)
{
	struct rig_trailer plain = RIG_TRAILER;
	uint8_t text[RIG_FRAME_MAX];
	uint16_t len = inner->len, pad;

	if (t == NULL)
		t = &plain;
	memcpy(text, inner->b, inner->len);
	memset(text + len, 0x77, t->tfc);
	len = (uint16_t)(len + t->tfc);
	pad = (uint16_t)(t->pad >= 0 ? t->pad : (-(len + 2) & (esp_peer_align(sa->add.encr) - 1)));
	for (uint16_t i = 0; i < pad; i++)
		text[len + i] = (uint8_t)(i + 1);
	if (pad > 0)
		text[len] ^= t->pad_xor;
	len = (uint16_t)(len + pad);
	text[len++] = (uint8_t)(t->pad_len >= 0 ? t->pad_len : pad);
	text[len++] = (uint8_t)(t->next >= 0 ? t->next : 4);
	rig_seal_text(f, sa, seq, text, len, t->tos);
}

uint32_t rig_open(struct rig_bytes *inner, const struct rig_sa *sa, const struct rig_bytes *outer)
{
	uint16_t udp_len = sa->encap ? UDP : 0, esp_len = (uint16_t)(outer->len - IP - udp_len);
	const uint8_t *esp = outer->b + IP + udp_len;
	uint8_t text[RIG_FRAME_MAX];
	int n;

	assert_int_equal(outer->b[9], sa->encap ? IPPROTO_UDP : IPPROTO_ESP);
	assert_int_equal((uint32_t)esp[0] << 24 | esp[1] << 16 | esp[2] << 8 | esp[3], sa->add.spi);
	n = esp_peer_open(&sa->add, (uint32_t)(sa->seq >> 32), esp, esp_len, text);
	assert_true(n > 0);
	assert_int_equal(text[n - 1], 4);
	assert_true(text[n - 2] < esp_peer_align(sa->add.encr)); /* no more padding than is needed */
	inner->len = (uint16_t)(n - 2 - text[n - 2]);
	for (int i = inner->len; i < n - 2; i++)
		assert_int_equal(text[i], i - inner->len + 1);
	memcpy(inner->b, text, inner->len);
	return (uint32_t)esp[4] << 24 | (uint32_t)esp[5] << 16 | (uint32_t)esp[6] << 8 | esp[7];
}

void rig_rx_sealed(struct rig_sa *sa, const struct rig_bytes *inner)
{
	struct rig_bytes f;

	rig_seal(&f, sa, sa->seq++, inner, NULL);
	rig_rx(RIG_WAN, &f);
}

/* --- events --- */

bool rig_event(union msg *m)
{
	return spsc_pop(&evt_out, m) == 0;
}

void rig_event_is(enum msg_type type, void *m, uint16_t len)
{
	union msg got;

	assert_true(rig_event(&got));
	assert_int_equal(got.hdr.type, type);
	assert_int_equal(got.hdr.len, len);
	assert_int_equal(got.hdr.attach, rig->attach);
	memcpy(m, &got, len);
}
