#include "perf/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <rte_udp.h>

#include "dataplane/esp_out.h"
#include "dataplane/fib.h"
#include "dataplane/fib6.h"
#include "dataplane/ip6.h"
#include "dataplane/handoff.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/pool.h"
#include "dataplane/punt.h"
#include "dataplane/sad.h"

enum { ETH = 14, BED_TUNNELS6 = 1000, RING = BED_MBUFS_MAX * 2, NH_GATEWAY = BED_TUNNELS_MAX, NH_GATEWAY6, NH_N };

#define WAN_ADDR 0xc0000201u
#define GATEWAY  0xc00002feu
#define PEER     0xc6336407u
#define LAN_ADDR 0x0a010001u
#define LAN_HOST 0x0a010009u

static const struct ip6 wan6 = {0x20010db800000000, 1}, gateway6 = {0x20010db800000000, 0xfe},
			peer6 = {0x20010db800ff0000, 7};
static const struct ip6 lan6 = {0x20010db800010000, 1}, lan_host6 = {0x20010db800010000, 9};

struct bed bed;
static struct rte_mempool *pool;
static const uint8_t mac_ours[BED_PORTS][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
static const uint8_t mac_theirs[BED_PORTS][6] = {{2, 0, 0, 0, 0, 0xa1}, {2, 0, 0, 0, 0, 0xa2}};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "stage_bench: cannot make %s\n", what);
		exit(1);
	}
}

static void eal(void)
{
	char prefix[64];
	char *argv[] = {"stage_bench",
			"--no-huge",
			"--no-shconf",
			"-m",
			"1024",
			"--no-pci",
			"--no-telemetry",
			"--log-level=*:error",
			"--lcores",
			"0@0",
			"--iova-mode=va",
			"--force-max-simd-bitwidth=512",
			"--file-prefix",
			prefix,
			NULL};

	snprintf(prefix, sizeof(prefix), "esplanade-bench-%d", (int)getpid());
	must(rte_eal_init((int)N_ELEMS(argv) - 1, argv) >= 0, "an EAL without hugepages");
	(void)rmdir(rte_eal_get_runtime_dir());
}

static struct rte_ring *ring(const char *port, const char *what)
{
	char name[32];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "%s-%s", port, what);
	r = rte_ring_create(name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	must(r != NULL, name);
	return r;
}

static void port(uint16_t i, const char *name)
{
	struct rte_eth_conf conf = {0};
	struct worker_port *p = &bed.w->port[i];
	int dev;

	bed.rx[i] = ring(name, "rx");
	bed.tx[i] = ring(name, "tx");
	dev = rte_eth_from_rings(name, &bed.rx[i], 1, &bed.tx[i], 1, 0);
	must(dev >= 0 && rte_eth_dev_configure((uint16_t)dev, 1, 1, &conf) == 0 &&
		     rte_eth_rx_queue_setup((uint16_t)dev, 0, 512, 0, NULL, pool) == 0 &&
		     rte_eth_tx_queue_setup((uint16_t)dev, 0, 512, 0, NULL) == 0 &&
		     rte_eth_dev_start((uint16_t)dev) == 0,
	     name);
	*p = (struct worker_port){.dev = (uint16_t)dev, .mtu = 1600, .rx = true};
	memcpy(p->mac, mac_ours[i], 6);
	atomic_init(&p->up, true);
	p->addr_be = rte_cpu_to_be_32(i == BED_WAN ? WAN_ADDR : LAN_ADDR);
	p->addr6 = i == BED_WAN ? wan6 : lan6;
}

static void neighbour(uint16_t i, uint32_t addr, struct ip6 addr6)
{
	struct neigh_place *p =
		neigh_add(bed.w->neigh, &(struct neigh_who){.port = i, .addr_be = rte_cpu_to_be_32(addr)});
	struct neigh_place *six = neigh_add(bed.w->neigh, &(struct neigh_who){.port = i, .six = true, .addr6 = addr6});

	must(six != NULL, "a neighbour");
	atomic_store(&six->mac, neigh_mac_pack(mac_theirs[i]));
	must(p != NULL, "a neighbour");
	atomic_store(&p->mac, neigh_mac_pack(mac_theirs[i]));
}

static void route(struct fib *f, uint32_t addr, uint8_t plen, uint32_t nh)
{
	must(fib_set(f, addr, plen, nh) == 0, "a route");
}

static uint32_t tunnel_net(uint32_t t)
{
	return 0x0a800000u + (t << 8);
}

static struct ip6 tunnel_net6(uint32_t t)
{
	return (struct ip6){0x20010db800000000 | (uint64_t)(0x8000 + t) << 16, 0};
}

static void routes6(void)
{
	struct fib *f = bed.w->fib;
	struct msg_nexthop via = {
		.id = NH_GATEWAY6, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 6, .port = BED_WAN}};

	ip6_put(via.leg[0].via, gateway6);
	must(!fib6_own_set(f, wan6, 128, FIB_LOCAL, 0) && !fib6_own_set(f, lan6, 128, FIB_LOCAL, 0) &&
		     !fib6_own_set(f, (struct ip6){wan6.hi, 0}, 64, FIB_PORT, BED_WAN) &&
		     !fib6_own_set(f, (struct ip6){lan6.hi, 0}, 64, FIB_PORT, BED_LAN) && !fib_nexthop_set(f, &via) &&
		     !fib6_set(f, (struct ip6){peer6.hi, 0}, 48, NH_GATEWAY6),
	     "the IPv6 routes");
	for (uint32_t t = 0; t < BED_TUNNELS6; t++)
		must(fib6_set(f, tunnel_net6(t), 48, t) == 0, "an IPv6 route");
}

static void routes(void)
{
	struct fib *f = bed.w->fib;
	struct msg_nexthop via = {
		.id = NH_GATEWAY,
		.n = 1,
		.leg[0] = {.kind = MSG_NH_PORT, .family = 4, .port = BED_WAN, .via = {192, 0, 2, 254}}};

	must(!fib_own_set(f, WAN_ADDR, 32, FIB_LOCAL, 0) && !fib_own_set(f, LAN_ADDR, 32, FIB_LOCAL, 0) &&
		     !fib_own_set(f, 0xc0000200, 24, FIB_PORT, BED_WAN) &&
		     !fib_own_set(f, 0x0a010000, 16, FIB_PORT, BED_LAN) && !fib_nexthop_set(f, &via),
	     "the routes");
	route(f, 0xc6336400, 24, NH_GATEWAY);
	for (uint32_t t = 0; t < BED_TUNNELS_MAX; t++) {
		struct msg_nexthop nh = {.id = t, .n = 1, .leg[0] = {.kind = MSG_NH_TUNNEL, .tunnel = {t, 1}}};

		must(fib_nexthop_set(f, &nh) == 0, "a next hop");
		route(f, tunnel_net(t), 24, t);
	}
}

void bed_start(void)
{
	const char *why = "";
	struct worker *w;

	eal();
	bed.w = w = rte_zmalloc("worker", sizeof(*w), 64);
	must(w != NULL, "a worker");
	bed_kind(MSG_ENCR_AES256_GCM16, MSG_INTEG_NONE, 4);
	w->n_workers = 1;
	w->n_ports = BED_PORTS;
	pool = pool_new("bench", BED_MBUFS_MAX + 511, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	must(pool != NULL, "packet buffers");
	w->pool = pool;
	must(worker_init(w, 0, &why) == 0, why);
	port(BED_WAN, "wan");
	port(BED_LAN, "lan");
	w->fib = fib_new(&(struct fib_params){.routes_max = BED_TUNNELS_MAX + 64,
					      .routes6_max = BED_TUNNELS6 + 64,
					      .n_nexthops = NH_N,
					      .n_ports = BED_PORTS});
	w->neigh = neigh_new(1, SOCKET_ID_ANY);
	w->handoff = handoff_new(1, SOCKET_ID_ANY);
	w->punt = punt_new(w, SOCKET_ID_ANY);
	w->stats = calloc(1, sizeof(*w->stats));
	w->sa_stats = calloc(BED_TUNNELS_MAX * 2, sizeof(*w->sa_stats));
	bed.frame = calloc(BED_MBUFS_MAX, sizeof(*bed.frame));
	must(w->fib && w->neigh && w->handoff && w->punt && w->stats && w->sa_stats && bed.frame, "the tables");
	w->bell = w->bell_control = -1;
	routes();
	routes6();
	neighbour(BED_WAN, GATEWAY, gateway6);
	neighbour(BED_LAN, LAN_HOST, lan_host6);
}

/* ---- one row ---- */

/* Both halves of tunnel t with the same key and SPI. For decrypt rows the outbound half is the peer's: it makes what the
 * inbound half opens. */
static void install(uint32_t t, bool as_peer)
{
	struct msg_ts any = {.hi = {255, 255, 255, 255}, .port_hi = 65535};
	struct msg_tunnel_set tunnel = {.tunnel = {t, 1},
					.family = 4,
					.dscp = MSG_DSCP_COPY,
					.df = MSG_DF_COPY,
					.port = BED_WAN,
					.local = {192, 0, 2, 1}};
	struct msg_sa_add in = {.sa = {t, 1},
				.tunnel = {t, 1},
				.spi = spi_make(t, 0x5a5a5a5a),
				.encr = bed.encr,
				.integ = bed.integ,
				.family = 4,
				.n_ts = 1,
				.local = {192, 0, 2, 1},
				.remote = {198, 51, 100, 7},
				.replay_window = 1024,
				.key_len = (uint16_t)(msg_encr_key_len(bed.encr) + msg_integ_key_len(bed.integ)),
				.soft_bytes = UINT64_MAX,
				.hard_bytes = UINT64_MAX,
				.soft_packets = UINT64_MAX,
				.hard_packets = UINT64_MAX,
				.ts = {{.local = any, .remote = any, .family = 4}}};
	struct msg_sa_add out;

	if (bed.family == 6) {
		tunnel.family = in.family = in.ts[0].family = 6;
		memset(in.ts[0].local.hi, 255, 16);
		memset(in.ts[0].remote.hi, 255, 16);
		ip6_put(tunnel.local, wan6);
		ip6_put(in.local, wan6);
		ip6_put(in.remote, peer6);
	}
	for (unsigned i = 0; i < in.key_len; i++)
		in.key[i] = (uint8_t)(i * 7 + t * 13 + (t >> 8));
	out = in;
	if (as_peer) {
		memcpy(out.local, in.remote, 16);
		memcpy(out.remote, in.local, 16);
	}
	must(sad_tunnel_set(bed.w->sad, &tunnel, 1) == 0 && sad_add_in(bed.w, &in) == 0 &&
		     sad_add_out(bed.w, &out) == 0,
	     "an SA");
}

/* The IPv6 one. */
static void write_clear6(uint8_t *frame, uint16_t port_in, struct ip6 src, struct ip6 dst)
{
	uint8_t *ip = frame + ETH;
	struct rte_udp_hdr *udp = (void *)(ip + 40);

	memcpy(frame, mac_ours[port_in], 6);
	memcpy(frame + 6, mac_theirs[port_in], 6);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[4] = (uint8_t)((bed.len - 40) >> 8);
	ip[5] = (uint8_t)(bed.len - 40);
	ip[6] = IPPROTO_UDP;
	ip[7] = 64;
	ip6_put(ip + 8, src);
	ip6_put(ip + 24, dst);
	*udp = (struct rte_udp_hdr){.src_port = RTE_BE16(1000),
				    .dst_port = RTE_BE16(2000),
				    .dgram_len = rte_cpu_to_be_16((uint16_t)(bed.len - 40)),
				    .dgram_cksum = 0xffff};
}

/* The inner packet, or the clear one, with its Ethernet header. */
static void write_clear(uint8_t *frame, uint16_t port_in, uint32_t src, uint32_t dst)
{
	struct rte_ipv4_hdr *ip = (void *)(frame + ETH);
	struct rte_udp_hdr *udp = (void *)(ip + 1);

	memcpy(frame, mac_ours[port_in], 6);
	memcpy(frame + 6, mac_theirs[port_in], 6);
	frame[12] = 8;
	frame[13] = 0;
	*ip = (struct rte_ipv4_hdr){.version_ihl = 0x45,
				    .total_length = rte_cpu_to_be_16(bed.len),
				    .fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
				    .time_to_live = 64,
				    .next_proto_id = IPPROTO_UDP,
				    .src_addr = rte_cpu_to_be_32(src),
				    .dst_addr = rte_cpu_to_be_32(dst)};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){.src_port = RTE_BE16(1000),
				    .dst_port = RTE_BE16(2000),
				    .dgram_len = rte_cpu_to_be_16((uint16_t)(bed.len - 20))};
}

/* Between the LAN host and a host behind a tunnel, the way of a packet that comes in by this port. */
static void inner(uint8_t *frame, uint16_t port_in, uint32_t tunnel)
{
	const struct ip6 far6 = {tunnel_net6(tunnel).hi, 5};
	const uint32_t far = tunnel_net(tunnel) + 5;
	const bool out = port_in == BED_LAN;

	if (bed.family == 6)
		write_clear6(frame, port_in, out ? lan_host6 : far6, out ? far6 : lan_host6);
	else
		write_clear(frame, port_in, out ? LAN_HOST : far, out ? far : LAN_HOST);
}

static void set_data(struct rte_mbuf *m, uint16_t len)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = len;
	m->pkt_len = len;
	m->ol_flags = 0;
}

/* Packet i as ESP: enciphered by the product's own stages with the peer's half, kept in bed.frame[i]. */
static void seal(uint32_t i, uint32_t tunnel)
{
	struct worker *w = bed.w;
	struct rte_mbuf *m = bed.m[i], *out[VEC_BURST];
	struct sa_out *sa[1];
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	inner(p, BED_WAN, tunnel);
	rte_pktmbuf_adj(m, ETH);
	*pkt_of(m) = (struct pkt){.kind = PKT_TUNNEL, .next = tunnel, .flags = bed.family == 6 ? PKT_V6 : 0};
	vec_push(&w->enc, m);
	esp_out_lookup(w);
	must(w->ready.n == 1, "an ESP packet");
	w->ready.n = 0;
	sa[0] = w->ready_sa[0];
	esp_out_prepare(w, &m, sa, 1, w->batch_out);
	crypto_run(&w->crypto, w->batch_out, NULL, 0);
	must(esp_out_finish(w, w->batch_out, out) == 1, "an ESP packet");
	p = (uint8_t *)rte_pktmbuf_prepend(m, ETH);
	memcpy(p, mac_ours[BED_WAN], 6);
	memcpy(p + 6, mac_theirs[BED_WAN], 6);
	p[12] = bed.family == 6 ? 0x86 : 8;
	p[13] = bed.family == 6 ? 0xdd : 0;
	bed.frame_len = m->data_len;
	memcpy(bed.frame[i], p, m->data_len);
}

static void shuffle(void)
{
	for (uint32_t i = bed.n - 1; i > 0; i--) {
		uint32_t j = (uint32_t)rte_rand_max(i + 1);
		struct rte_mbuf *t = bed.m[i];

		bed.m[i] = bed.m[j];
		bed.m[j] = t;
	}
}

void bed_kind(uint8_t encr, uint8_t integ, uint8_t family)
{
	bed.encr = encr;
	bed.integ = integ;
	bed.family = family;
}

void bed_set(enum bed_dir dir, uint16_t len, uint32_t tunnels, uint32_t n)
{
	bed.dir = dir;
	bed.len = len;
	bed.tunnels = tunnels;
	bed.n = n;
	bed.w->sad = sad_new(BED_TUNNELS_MAX, BED_TUNNELS_MAX, SOCKET_ID_ANY);
	must(bed.w->sad != NULL, "the SA table");
	for (uint32_t t = 0; t < tunnels; t++)
		install(t, dir == BED_DECRYPT);
	must(rte_pktmbuf_alloc_bulk(pool, bed.m, n) == 0, "packets");
	shuffle();
	for (uint32_t i = 0; i < n; i++) {
		set_data(bed.m[i], (uint16_t)(ETH + len));
		memset(rte_pktmbuf_mtod(bed.m[i], void *), 0x5a, (size_t)ETH + len);
		if (dir == BED_DECRYPT)
			seal(i, (uint32_t)rte_rand_max(tunnels));
	}
}

void bed_clear(void)
{
	rte_pktmbuf_free_bulk(bed.m, bed.n);
	sad_free(bed.w->sad);
	bed.w->sad = NULL;
}

/* The windows of all SAs as if nothing had arrived: the same packets come again. */
static void forget_replay(void)
{
	for (uint32_t t = 0; t < bed.tunnels; t++) {
		struct sa_in *s = &bed.w->sad->in[t];

		s->head = 0;
		memset(s->bitmap, 0, sizeof(s->bitmap));
	}
}

void bed_restore(void)
{
	if (bed.dir == BED_DECRYPT)
		forget_replay();
	for (uint32_t i = 0; i < bed.n; i++) {
		struct rte_mbuf *m = bed.m[i];
		uint8_t *p;

		set_data(m, bed.dir == BED_DECRYPT ? bed.frame_len : (uint16_t)(ETH + bed.len));
		p = rte_pktmbuf_mtod(m, uint8_t *);
		if (bed.dir == BED_DECRYPT)
			memcpy(p, bed.frame[i], bed.frame_len);
		else if (bed.dir == BED_ENCRYPT)
			inner(p, BED_LAN, (uint32_t)rte_rand_max(bed.tunnels));
		else
			write_clear(p, BED_LAN, LAN_HOST, PEER);
	}
}

void bed_feed(void)
{
	struct rte_ring *r = bed.rx[bed.dir == BED_DECRYPT ? BED_WAN : BED_LAN];

	must(rte_ring_enqueue_bulk(r, (void **)bed.m, bed.n, NULL) == bed.n, "room in a ring");
}

uint32_t bed_drain(void)
{
	struct rte_ring *r = bed.tx[bed.dir == BED_DECRYPT ? BED_LAN : BED_WAN];
	static void *out[BED_MBUFS_MAX];

	return bed.n - rte_ring_dequeue_burst(r, out, bed.n, NULL);
}
