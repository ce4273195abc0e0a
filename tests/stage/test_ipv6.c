/* IPv6 in clear through a worker: which headers are taken, hop limits, ICMPv6, link-local addresses, neighbour discovery. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <rte_ring.h>

#include "dataplane/fib6.h"
#include "dataplane/icmp6.h"
#include "dataplane/nd_msg.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/reasm.h"
#include "tests/stage/rig.h"

enum { ETH = 14, L4 = ETH + IP6_HDR, HOPS = ETH + 7, NEXT = ETH + 6, SRC = ETH + 8, DST = ETH + 24 };
enum { NH_V6_GATEWAY = 8, NH_V6_TUNNEL = 9 };

#define LAN_HOST "2001:db8:1::9"
#define LAN_GW   "2001:db8:1::1"
#define WAN_GW   "2001:db8:2::1"
#define WAN_HOST "2001:db8:2::9"
#define OUTSIDE  "2001:db8:99::1"
#define BEHIND   "2001:db8:77::5" /* a tunnel */
#define LAN_LINK "fe80::ff:fe00:2"
#define HOST_LL  "fe80::a2"

static const uint8_t their_mac[6] = {2, 0, 0, 0, 0, 0xa2};

static struct ip6 a6(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return ip6_get(a.b);
}

static void neighbour(uint16_t port, const char *addr, uint8_t last)
{
	struct neigh_place *p =
		neigh_add(rig->neigh, &(struct neigh_who){.addr6 = a6(addr), .port = port, .six = true});
	uint8_t mac[6] = {2, 0, 0, 0, 0, last};

	assert_non_null(p);
	atomic_store(&p->mac, neigh_mac_pack(mac));
}

static int start(void **state)
{
	struct msg_nexthop gw = {
		.id = NH_V6_GATEWAY, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 6, .port = RIG_WAN}};
	struct msg_nexthop tun = {.id = NH_V6_TUNNEL, .n = 1, .leg[0] = {.kind = MSG_NH_TUNNEL, .tunnel = {3, 1}}};
	int ret = rig_start(state);

	if (ret)
		return ret;
	ip6_put(gw.leg[0].via, a6("fe80::fe"));
	ret |= fib_nexthop_set(rig->fib, &gw) | fib_nexthop_set(rig->fib, &tun);
	ret |= fib6_own_set(rig->fib, a6("fe80::"), 10, FIB_DROP, 0);
	ret |= fib6_own_set(rig->fib, a6("2001:db8:1::"), 64, FIB_PORT, RIG_LAN);
	ret |= fib6_own_set(rig->fib, a6("2001:db8:2::"), 64, FIB_PORT, RIG_WAN);
	ret |= fib6_own_set(rig->fib, a6("2001:db8:1::"), 128, FIB_LOCAL, FIB_ANYCAST);
	ret |= fib6_own_set(rig->fib, a6(LAN_GW), 128, FIB_LOCAL, 0);
	ret |= fib6_own_set(rig->fib, a6(WAN_GW), 128, FIB_LOCAL, 0);
	ret |= fib6_own_set(rig->fib, a6(LAN_LINK), 128, FIB_LOCAL, 0);
	ret |= fib6_set(rig->fib, a6("2001:db8:99::"), 48, NH_V6_GATEWAY);
	ret |= fib6_set(rig->fib, a6("2001:db8:77::"), 48, NH_V6_TUNNEL);
	rig->port[RIG_LAN].addr6 = a6(LAN_GW);
	rig->port[RIG_LAN].link6 = a6(LAN_LINK);
	rig->port[RIG_WAN].addr6 = a6(WAN_GW);
	rig->port[RIG_WAN].link6 = a6("fe80::ff:fe00:1");
	neighbour(RIG_LAN, LAN_HOST, 0xa2);
	neighbour(RIG_LAN, HOST_LL, 0xa2);
	neighbour(RIG_WAN, WAN_HOST, 0xa1);
	neighbour(RIG_WAN, "fe80::fe", 0xa1);
	return ret;
}

static int reset(void **state)
{
	int ret = rig_reset(state);

	worker_bucket_init(&rig->icmp6, rig->tsc_hz, 100, 50);
	return ret;
}

/* A frame from the LAN host to our LAN port: payload octets of text behind the IPv6 header, next header as given. */
static void frame(struct rig_bytes *f, const char *src, const char *dst, uint8_t next, const void *text, uint16_t len)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->b, (const uint8_t[6]){2, 0, 0, 0, 0, 2}, 6);
	memcpy(f->b + 6, their_mac, 6);
	f->b[12] = 0x86;
	f->b[13] = 0xdd;
	f->b[ETH] = 0x60;
	f->b[ETH + 4] = (uint8_t)(len >> 8);
	f->b[ETH + 5] = (uint8_t)len;
	f->b[NEXT] = next;
	f->b[HOPS] = 64;
	ip6_put(f->b + SRC, a6(src));
	ip6_put(f->b + DST, a6(dst));
	memcpy(f->b + L4, text, len);
	f->len = (uint16_t)(L4 + len);
}

static void udp(struct rig_bytes *f, const char *src, const char *dst, uint16_t len)
{
	uint8_t text[2048] = {0x30, 0x39, 0x00, 0x35, (uint8_t)(len >> 8), (uint8_t)len};

	for (uint16_t i = 8; i < len; i++)
		text[i] = (uint8_t)i;
	frame(f, src, dst, IP6_UDP, text, len);
	una_put16(f->b + L4 + 6, ip6_cksum(a6(src), a6(dst), IP6_UDP, f->b + L4, len));
}

/* An ICMPv6 message of 8 octets and text; the checksum is right. */
static void icmp(struct rig_bytes *f, const char *src, const char *dst, uint8_t type, uint8_t code, uint16_t len)
{
	uint8_t text[2048] = {type, code, 0, 0, 0x12, 0x34, 0, 1};

	frame(f, src, dst, IP6_ICMP, text, len);
	una_put16(f->b + L4 + 2, ip6_cksum(a6(src), a6(dst), IP6_ICMP, f->b + L4, len));
}

/* The next frame that left by this port is IPv6, from and to these, with a right checksum if it is ICMPv6. */
static void out(uint16_t port, struct rig_bytes *f, const char *src, const char *dst)
{
	assert_true(rig_tx(port, f));
	assert_int_equal(f->b[12] << 8 | f->b[13], 0x86dd);
	assert_int_equal(f->b[ETH] >> 4, 6);
	assert_int_equal(L4 + (f->b[ETH + 4] << 8 | f->b[ETH + 5]), f->len);
	assert_true(ip6_equal(ip6_get(f->b + SRC), a6(src)));
	assert_true(ip6_equal(ip6_get(f->b + DST), a6(dst)));
	if (f->b[NEXT] == IP6_ICMP)
		assert_int_equal(ip6_cksum(a6(src), a6(dst), IP6_ICMP, f->b + L4, f->len - (uint32_t)L4), 0);
}

/* An ICMPv6 error about the frame that we sent in, back to the LAN host. */
static void error(const struct rig_bytes *sent, const char *src, uint8_t type, uint8_t code, uint32_t word)
{
	struct rig_bytes f;
	uint16_t quoted = RTE_MIN((uint16_t)(sent->len - ETH), (uint16_t)(IP6_MIN_MTU - IP6_HDR - 8));

	out(RIG_LAN, &f, src, LAN_HOST);
	assert_int_equal(f.b[NEXT], IP6_ICMP);
	assert_true(f.b[L4] == type && f.b[L4 + 1] == code);
	assert_int_equal(rte_be_to_cpu_32(una_get32(f.b + L4 + 4)), word);
	assert_int_equal(f.len, L4 + 8 + quoted);
	assert_memory_equal(f.b + L4 + 8, sent->b + ETH, quoted);
}

static void forwarded_with_one_hop_less(void **state)
{
	struct rig_bytes f, g;
	(void)state;

	udp(&f, LAN_HOST, WAN_HOST, 100);
	rig_rx(RIG_LAN, &f);
	rig_run();
	out(RIG_WAN, &g, LAN_HOST, WAN_HOST);
	assert_int_equal(g.b[HOPS], 63);
	f.b[HOPS] = 63;
	assert_memory_equal(g.b + ETH, f.b + ETH, f.len - ETH);
	udp(&f, LAN_HOST, OUTSIDE, 100); /* by a gateway with a link-local address */
	memset(f.b + f.len, 0xee, 6);    /* Ethernet padding goes */
	f.len = (uint16_t)(f.len + 6);
	rig_rx(RIG_LAN, &f);
	rig_run();
	out(RIG_WAN, &g, LAN_HOST, OUTSIDE);
	rig_dropped_none();
	rig_settle(0);
}

static void families_in_one_burst_each_find_their_way(void **state)
{
	struct rig_bytes f, g, ip;
	unsigned six = 0;
	(void)state;

	for (unsigned i = 0; i < 32; i++) {
		if (i % 3) {
			udp(&f, LAN_HOST, i % 2 ? WAN_HOST : OUTSIDE, 60);
		} else {
			rig_udp(&ip, RIG_LAN_HOST, RIG_PEER, 60, 0);
			rig_frame(&f, RIG_LAN, &ip);
		}
		rig_rx(RIG_LAN, &f);
	}
	rig_run();
	for (unsigned i = 0; i < 32; i++) {
		assert_true(rig_tx(RIG_WAN, &g));
		assert_int_equal(g.b[12] == 0x86, i % 3 != 0);
		if (i % 3)
			assert_true(ip6_equal(ip6_get(g.b + DST), a6(i % 2 ? WAN_HOST : OUTSIDE)));
		six += i % 3 != 0;
	}
	assert_int_equal(six, 21);
	rig_settle(0);
}

/* One octet of a good frame is changed, or its length: where it ends. */
static void bad_headers_are_named(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t at;
		int value; /* -1: none */
		int cut;
		enum stats_drop why;
	} bad[] = {
		{LAN_HOST, WAN_HOST, ETH, 0x40, 0, DROP_BAD_VERSION},
		{LAN_HOST, WAN_HOST, ETH, 0x70, 0, DROP_BAD_VERSION},
		{LAN_HOST, WAN_HOST, ETH + 5, 101, 0, DROP_BAD_LENGTH},
		{LAN_HOST, WAN_HOST, ETH + 4, 0xff, 0, DROP_BAD_LENGTH},
		{LAN_HOST, WAN_HOST, ETH + 5, 0, 0, DROP_BAD_LENGTH}, /* no payload, but UDP */
		{LAN_HOST, WAN_HOST, 0, -1, 1, DROP_BAD_LENGTH},
		{LAN_HOST, WAN_HOST, 0, -1, 100, DROP_N},
		{LAN_HOST, WAN_HOST, 0, -1, 101, DROP_RUNT},
		{LAN_HOST, WAN_HOST, 0, -1, 140, DROP_RUNT},
		{"::", WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{"::1", WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{"::ffff:10.1.0.9", WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{"::10.1.0.9", WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{"ff02::1", WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{"ff0e::1", WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{LAN_HOST, "::", 0, -1, 0, DROP_BAD_ADDRESS},
		{LAN_HOST, "::1", 0, -1, 0, DROP_BAD_ADDRESS},
		{LAN_HOST, "::ffff:192.0.2.254", 0, -1, 0, DROP_BAD_ADDRESS},
		{LAN_HOST, "ff02::1", 0, -1, 0, DROP_NOT_FOR_US},
		{LAN_HOST, "ff0e::1", 0, -1, 0, DROP_NOT_FOR_US},
		{BEHIND, WAN_HOST, 0, -1, 0, DROP_CLEAR_TO_PROTECTED},
		{HOST_LL, WAN_HOST, 0, -1, 0, DROP_BAD_ADDRESS},
		{LAN_HOST, "fe80::77", 0, -1, 0, DROP_BAD_ADDRESS},
		{HOST_LL, "fe80::ff:fe00:1", 0, -1, 0, DROP_BAD_ADDRESS}, /* the other port's */
		{LAN_HOST, "2001:db8:1234::1", 0, -1, 0, DROP_NO_ROUTE},
		{LAN_HOST, WAN_HOST, 5, 0x77, 0, DROP_NOT_FOR_US}, /* another MAC */
		{LAN_HOST, WAN_HOST, 0, 3, 0, DROP_NOT_FOR_US},    /* a group's: never forwarded */
	};
	struct rig_bytes f;
	(void)state;

	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		memset(&rig->count, 0, sizeof(rig->count));
		udp(&f, bad[i].src, bad[i].dst, 100);
		if (bad[i].value >= 0)
			f.b[bad[i].at] = (uint8_t)bad[i].value;
		f.len = (uint16_t)(f.len - bad[i].cut);
		if (bad[i].cut == 100) { /* the header and nothing behind it is a packet */
			f.b[ETH + 5] = 0;
			f.b[NEXT] = IP6_NONE;
		}
		rig_rx(RIG_LAN, &f);
		rig_run();
		if (bad[i].why != DROP_N)
			rig_dropped(bad[i].why, 1);
		else
			rig_dropped_none();
		while (rig_tx(RIG_LAN, &f) || rig_tx(RIG_WAN, &f))
			;
	}
	memset(&rig->count, 0, sizeof(rig->count));
	rig_settle(0);
}

/* Chains of extension headers: to a host beyond, and to us. */
static void extension_headers(void **state)
{
	static const struct {
		uint8_t first;
		uint8_t ext[40];
		uint8_t len;
		enum stats_drop on, us; /* forwarded, and to us; DROP_N: goes on */
	} t[] = {
		{IP6_HOP_BY_HOP, {17, 0, 1, 4}, 8, DROP_N, DROP_PROTOCOL},
		{IP6_DEST_OPTIONS, {17, 0, 1, 4}, 8, DROP_N, DROP_PROTOCOL},
		{IP6_HOP_BY_HOP, {60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4}, 16, DROP_N, DROP_PROTOCOL},
		{IP6_DEST_OPTIONS, {0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4}, 16, DROP_EXT_HEADER, DROP_EXT_HEADER},
		{IP6_HOP_BY_HOP, {17, 9}, 8, DROP_EXT_HEADER, DROP_EXT_HEADER}, /* beyond the end */
		{IP6_HOP_BY_HOP, {17, 0, 0xc2, 4, 0, 1, 0, 0}, 8, DROP_BAD_LENGTH, DROP_BAD_LENGTH}, /* jumbo */
		{IP6_ROUTING, {17, 0, 0, 1}, 8, DROP_EXT_HEADER, DROP_EXT_HEADER},                   /* RFC 5095 */
		{IP6_ROUTING, {17, 0, 0, 0}, 8, DROP_N, DROP_PROTOCOL},
		{IP6_ROUTING, {17, 0, 4, 1}, 8, DROP_N, DROP_EXT_HEADER}, /* one that we do not know */
		{IP6_FRAGMENT, {17, 0, 0, 1}, 8, DROP_N, DROP_FRAGMENT},
		{IP6_FRAGMENT, {17, 0, 0, 0x48}, 8, DROP_N, DROP_FRAGMENT},
		{IP6_FRAGMENT, {17, 0, 0, 0}, 8, DROP_N, DROP_PROTOCOL}, /* atomic: RFC 6946 */
		{IP6_FRAGMENT, {44, 0, 0, 1, 0, 0, 0, 0, 17, 0, 0, 1}, 16, DROP_EXT_HEADER, DROP_EXT_HEADER},
		{IP6_FRAGMENT, {60, 0, 0, 1, 0, 0, 0, 0, 17, 9}, 16, DROP_EXT_HEADER, DROP_EXT_HEADER}, /* RFC 7112 */
		{IP6_DEST_OPTIONS, {17, 0, 0x1e, 4}, 8, DROP_N, DROP_PROTOCOL},   /* unknown: skip */
		{IP6_DEST_OPTIONS, {17, 0, 0x5e, 4}, 8, DROP_N, DROP_EXT_HEADER}, /* discard */
		{IP6_DEST_OPTIONS, {17, 0, 0x9e, 4}, 8, DROP_N, DROP_EXT_HEADER}, /* and say so */
		{IP6_DEST_OPTIONS, {17, 0, 0xde, 4}, 8, DROP_N, DROP_EXT_HEADER},
		{IP6_DEST_OPTIONS, {17, 0, 1, 5}, 8, DROP_N, DROP_EXT_HEADER}, /* an option beyond its header */
	};
	struct rig_bytes f;
	uint8_t text[2048];
	(void)state;

	for (unsigned i = 0; i < 2 * RTE_DIM(t); i++) {
		const unsigned k = i / 2;
		enum stats_drop why = i % 2 ? t[k].us : t[k].on;

		memset(&rig->count, 0, sizeof(rig->count));
		memset(text, 0, sizeof(text));
		memcpy(text, t[k].ext, t[k].len);
		text[t[k].len + 3] = 53;
		text[t[k].len + 5] = 16;
		frame(&f, LAN_HOST, i % 2 ? LAN_GW : WAN_HOST, t[k].first, text, (uint16_t)(t[k].len + 16));
		rig_rx(RIG_LAN, &f);
		rig_run();
		if (why == DROP_N)
			rig_dropped_none();
		else
			rig_dropped(why, 1);
		assert_int_equal(rig->count.icmp_sent,
				 i % 2 && (k == 8 || k == 16 || k == 17)); /* parameter problems: RFC 4443 3.4 */
		if (k == 8 && i % 2)
			error(&f, LAN_GW, ICMP6_PARAM_PROBLEM, ICMP6_FIELD, IP6_HDR + 2);
		if ((k == 16 || k == 17) && i % 2)
			error(&f, LAN_GW, ICMP6_PARAM_PROBLEM, ICMP6_OPTION, IP6_HDR + 2);
		while (rig_tx(RIG_WAN, &f))
			;
	}
	memset(&rig->count, 0, sizeof(rig->count));
	rig_settle(0);
}

static void too_many_headers_are_too_many(void **state)
{
	struct rig_bytes f;
	uint8_t text[256] = {0};
	(void)state;

	for (unsigned n = IP6_CHAIN_MAX; n <= IP6_CHAIN_MAX + 1; n++) {
		for (unsigned i = 0; i < n; i++)
			text[i * 8] = i + 1 == n ? IP6_UDP : IP6_DEST_OPTIONS;
		frame(&f, LAN_HOST, WAN_HOST, IP6_DEST_OPTIONS, text, (uint16_t)(n * 8 + 8));
		rig_rx(RIG_LAN, &f);
	}
	rig_run();
	rig_dropped(DROP_EXT_HEADER, 1);
	rig_settle(0);
}

static void errors_are_told_to_the_source(void **state)
{
	struct rig_bytes f;
	(void)state;

	udp(&f, LAN_HOST, WAN_HOST, 100);
	f.b[HOPS] = 1;
	rig_rx(RIG_LAN, &f);
	rig_run();
	error(&f, LAN_GW, ICMP6_TIME_EXCEEDED, ICMP6_HOPS, 0);
	udp(&f, LAN_HOST, "2001:db8:1234::1", 1400);
	rig_rx(RIG_LAN, &f);
	rig_run();
	error(&f, LAN_GW, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0);
	rig->port[RIG_WAN].mtu = 1300;
	udp(&f, LAN_HOST, WAN_HOST, 1300);
	rig_rx(RIG_LAN, &f);
	rig_run();
	f.b[HOPS]--; /* its step was taken */
	error(&f, LAN_GW, ICMP6_TOO_BIG, 0, 1300);
	rig->port[RIG_WAN].mtu = RIG_MTU;
	assert_true(rig->count.drop[DROP_TTL] == 1 && rig->count.drop[DROP_NO_ROUTE] == 1 &&
		    rig->count.drop[DROP_TOO_BIG] == 1);
	rig_tx_nothing();
	rig_settle(3);
}

/* RFC 4443 2.4 (e) */
static void errors_about_these_are_not_sent(void **state)
{
	struct rig_bytes f;
	uint8_t later[24] = {IP6_ICMP, 0, 0, 0x48};
	(void)state;

	for (uint8_t type = 0; type < 128; type++) { /* errors */
		icmp(&f, LAN_HOST, OUTSIDE, type, 0, 64);
		f.b[HOPS] = 1;
		rig_rx(RIG_LAN, &f);
		rig_run();
	}
	icmp(&f, LAN_HOST, OUTSIDE, ND_REDIRECT, 0, 64);
	f.b[HOPS] = 1;
	rig_rx(RIG_LAN, &f);
	frame(&f, LAN_HOST, OUTSIDE, IP6_FRAGMENT, later, sizeof(later));
	f.b[HOPS] = 1;
	rig_rx(RIG_LAN, &f);
	rig_run();
	rig_dropped(DROP_TTL, 130);
	assert_int_equal(rig->count.icmp_sent, 0);
	icmp(&f, LAN_HOST, OUTSIDE, ICMP6_ECHO, 0, 64); /* about this one they are */
	f.b[HOPS] = 1;
	rig_rx(RIG_LAN, &f);
	rig_run();
	assert_int_equal(rig->count.icmp_sent, 1);
	rig_settle(1);
}

static void errors_have_a_rate(void **state)
{
	struct rig_bytes f;
	(void)state;

	for (unsigned i = 0; i < 300; i++) {
		udp(&f, LAN_HOST, WAN_HOST, 100);
		f.b[HOPS] = 1;
		rig_rx(RIG_LAN, &f);
		rig_run();
	}
	assert_in_range(rig->count.icmp_sent, 50, 60);
	rig_settle((unsigned)rig->count.icmp_sent);
}

static void echo_is_answered(void **state)
{
	static const struct {
		const char *src, *dst, *from;
	} t[] = {{LAN_HOST, LAN_GW, LAN_GW},
		 {LAN_HOST, WAN_GW, WAN_GW},
		 {HOST_LL, LAN_LINK, LAN_LINK},
		 {LAN_HOST, "2001:db8:1::", LAN_GW}}; /* any router there: not its source */
	struct rig_bytes f, g;
	(void)state;

	for (unsigned i = 0; i < RTE_DIM(t); i++) {
		icmp(&f, t[i].src, t[i].dst, ICMP6_ECHO, 0, 200);
		f.b[HOPS] = 255;
		rig_rx(RIG_LAN, &f);
		rig_run();
		out(RIG_LAN, &g, t[i].from, t[i].src);
		assert_true(g.b[L4] == ICMP6_ECHO_REPLY && g.b[HOPS] == 64 && g.len == f.len);
		assert_memory_equal(g.b + L4 + 4, f.b + L4 + 4, 196);
	}
	icmp(&f, LAN_HOST, LAN_GW, ICMP6_ECHO, 0, 64);
	f.b[L4 + 30] ^= 1;
	rig_rx(RIG_LAN, &f);
	icmp(&f, LAN_HOST, LAN_GW, ICMP6_ECHO, 1, 64);
	rig_rx(RIG_LAN, &f);
	icmp(&f, LAN_HOST, LAN_GW, ICMP6_ECHO, 0, 7);
	rig_rx(RIG_LAN, &f);
	rig_run();
	assert_int_equal(rig->count.drop[DROP_BAD_CHECKSUM], 1);
	assert_int_equal(rig->count.drop[DROP_BAD_ICMP], 2);
	rig_tx_nothing();
	rig_settle(0);
}

/* Behind a header of options too, without it in the answer. */
static void echo_behind_options(void **state)
{
	struct rig_bytes f, g;
	uint8_t text[24] = {IP6_ICMP, 0, 1, 4, 0, 0, 0, 0, ICMP6_ECHO, 0, 0, 0, 1, 2, 3, 4};
	(void)state;

	una_put16(text + 10, ip6_cksum(a6(LAN_HOST), a6(LAN_GW), IP6_ICMP, text + 8, 16));
	frame(&f, LAN_HOST, LAN_GW, IP6_DEST_OPTIONS, text, sizeof(text));
	rig_rx(RIG_LAN, &f);
	rig_run();
	out(RIG_LAN, &g, LAN_GW, LAN_HOST);
	assert_true(g.len == L4 + 16 && g.b[NEXT] == IP6_ICMP && g.b[L4] == ICMP6_ECHO_REPLY);
	rig_settle(0);
}

/* IKE over IPv6 wants its checksum (RFC 8200 8.1). Nobody is attached here, so what is good ends as punt-full. */
static void ike_with_a_checksum_goes_to_the_rings(void **state)
{
	static const struct {
		uint16_t port, len, sum; /* sum: what is added to the right one */
		bool none;
		enum stats_drop why;
	} t[] = {{500, 36, 0, false, DROP_PUNT_FULL},   {500, 36, 1, false, DROP_BAD_CHECKSUM},
		 {500, 36, 0, true, DROP_BAD_CHECKSUM}, {500, 35, 0, false, DROP_RUNT},
		 {4500, 40, 0, false, DROP_PUNT_FULL},  {4500, 9, 0, false, DROP_KEEPALIVE}};
	(void)state;

	for (unsigned i = 0; i < RTE_DIM(t); i++) {
		uint8_t text[64] = {1, 244, (uint8_t)(t[i].port >> 8), (uint8_t)t[i].port, 0, (uint8_t)t[i].len};
		struct rig_bytes f;

		memset(&rig->count, 0, sizeof(rig->count));
		if (t[i].len == 9)
			text[8] = 0xff;
		text[8 + (t[i].port == 4500 ? 4 : 0) + 17] = 0x20; /* version */
		frame(&f, LAN_HOST, LAN_GW, IP6_UDP, text, t[i].len);
		una_put16(f.b + L4 + 6, ip6_cksum(a6(LAN_HOST), a6(LAN_GW), IP6_UDP, f.b + L4, t[i].len));
		f.b[L4 + 7] = (uint8_t)(f.b[L4 + 7] + t[i].sum);
		if (t[i].none)
			una_put16(f.b + L4 + 6, 0);
		rig_rx(RIG_LAN, &f);
		rig_run();
		rig_dropped(t[i].why, 1);
	}
	memset(&rig->count, 0, sizeof(rig->count));
	rig_settle(0);
}

/* --- neighbour discovery: what a worker hands up to the ctl thread, and what not --- */

enum nd_case {
	OURS,
	OTHERS,
	SHORT,
	HOPS_LOW,
	CODE,
	SUM,
	OPT_ZERO,
	OPT_LONG,
	MCAST_TARGET,
	DAD_WITH_MAC,
	DAD_TO_ALL,
	MCAST_MAC,
	ADVERT,
	SOLICITED_TO_ALL,
	ROUTER,
	REDIRECT,
	ND_CASE_N
};

/* What it says. */
static struct nd_msg nd_make(enum nd_case i)
{
	struct nd_msg d = {.type = ND_SOLICIT, .src = a6(LAN_HOST), .target = a6(LAN_GW), .has_mac = true};

	memcpy(d.mac, their_mac, 6);
	memcpy(d.src_mac, their_mac, 6);
	if (i == OTHERS)
		d.target = a6("2001:db8:1::77");
	if (i == MCAST_TARGET)
		d.target = a6("ff02::1");
	if (i == DAD_WITH_MAC || i == DAD_TO_ALL)
		d.src = (struct ip6){0};
	if (i == DAD_TO_ALL)
		d.has_mac = false;
	if (i == MCAST_MAC)
		d.mac[0] |= 1;
	if (i == ADVERT || i == SOLICITED_TO_ALL)
		d.type = ND_ADVERT, d.flags = ND_SOLICITED, d.target = a6(LAN_HOST);
	if (i == ROUTER || i == REDIRECT)
		d.type = i == ROUTER ? ND_ROUTER_ADVERT : ND_REDIRECT;
	d.dst = i == SOLICITED_TO_ALL || i == DAD_TO_ALL ? a6("ff02::1") : ip6_solicited_node(d.target);
	nd_group_mac(d.dst, d.dst_mac);
	if (i == ADVERT) {
		d.dst = a6(LAN_GW);
		memcpy(d.dst_mac, (const uint8_t[6]){2, 0, 0, 0, 0, 2}, 6);
	}
	return d;
}

/* What is spoiled on the way, and the checksum right again. */
static void nd_frame(enum nd_case i, struct rig_bytes *f)
{
	const struct nd_msg d = nd_make(i);

	f->len = nd_msg_write(&d, f->b);
	if (i == SHORT) {
		f->len = (uint16_t)(f->len - 12);
		f->b[ETH + 5] = (uint8_t)(f->b[ETH + 5] - 12);
	}
	if (i == HOPS_LOW)
		f->b[HOPS] = 254;
	if (i == CODE)
		f->b[L4 + 1] = 1;
	if (i == OPT_ZERO || i == OPT_LONG)
		f->b[L4 + 25] = i == OPT_ZERO ? 0 : 2;
	una_put16(f->b + L4 + 2, 0);
	una_put16(f->b + L4 + 2, ip6_cksum(d.src, d.dst, IP6_ICMP, f->b + L4, f->len - (uint32_t)L4));
	f->b[L4 + 2] ^= i == SUM;
}

static void discovery_goes_up_when_it_is_sound(void **state)
{
	struct rte_mbuf *m = NULL;
	struct rig_bytes f;
	(void)state;

	for (enum nd_case i = 0; i < ND_CASE_N; i++) {
		const bool good = i == OURS || i == ADVERT, not_ours = i == OTHERS || i == ROUTER || i == REDIRECT;

		memset(&rig->count, 0, sizeof(rig->count));
		nd_frame(i, &f);
		rig_rx(RIG_LAN, &f);
		rig_run();
		rig_dropped(not_ours ? DROP_NOT_FOR_US : DROP_BAD_ND, !good);
		assert_int_equal(rte_ring_dequeue(rig->neigh->link[0].up, (void **)&m) == 0, good);
		if (!good)
			continue;
		assert_int_equal(pkt_of(m)->kind, NEIGH_ND);
		assert_int_equal(m->data_len, f.len); /* from the Ethernet header on, also when it came by the FIB */
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), f.b, f.len);
		rte_pktmbuf_free(m);
	}
	memset(&rig->count, 0, sizeof(rig->count));
	rig_settle(0);
}

/* RFC 6980 5: neighbour discovery in fragments is none, although what is to us is put together. */
static void discovery_in_fragments_is_ignored(void **state)
{
	struct nd_msg d = {
		.type = ND_SOLICIT, .src = a6(LAN_HOST), .dst = a6(LAN_GW), .target = a6(LAN_GW), .has_mac = true};
	uint8_t whole[ND_FRAME], text[40];
	void *m;
	(void)state;

	memcpy(d.src_mac, their_mac, 6);
	memcpy(d.mac, their_mac, 6);
	assert_int_equal(nd_msg_write(&d, whole), L4 + 32);
	rig->n_workers = 1;
	rig->reasm = reasm_new(0, SOCKET_ID_ANY);
	assert_non_null(rig->reasm);
	for (unsigned i = 0; i < 2; i++) {
		struct rig_bytes f;

		memcpy(text, (const uint8_t[8]){IP6_ICMP, 0, 0, i == 0 ? 1 : 16, 1, 2, 3, 4}, 8);
		memcpy(text + 8, whole + L4 + 16 * i, 16);
		frame(&f, LAN_HOST, LAN_GW, IP6_FRAGMENT, text, 24);
		f.b[HOPS] = 255;
		rig_rx(RIG_LAN, &f);
	}
	rig_run();
	assert_int_equal(rte_ring_dequeue(rig->neigh->link[0].up, &m), -ENOENT);
	rig_dropped(DROP_BAD_ND, 1);
	reasm_free(rig->reasm);
	rig->reasm = NULL;
	rig->n_workers = 2;
	memset(&rig->count, 0, sizeof(rig->count));
	rig_settle(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(forwarded_with_one_hop_less, reset, rig_clear),
		cmocka_unit_test_setup_teardown(families_in_one_burst_each_find_their_way, reset, rig_clear),
		cmocka_unit_test_setup_teardown(bad_headers_are_named, reset, rig_clear),
		cmocka_unit_test_setup_teardown(extension_headers, reset, rig_clear),
		cmocka_unit_test_setup_teardown(too_many_headers_are_too_many, reset, rig_clear),
		cmocka_unit_test_setup_teardown(errors_are_told_to_the_source, reset, rig_clear),
		cmocka_unit_test_setup_teardown(errors_about_these_are_not_sent, reset, rig_clear),
		cmocka_unit_test_setup_teardown(errors_have_a_rate, reset, rig_clear),
		cmocka_unit_test_setup_teardown(echo_is_answered, reset, rig_clear),
		cmocka_unit_test_setup_teardown(echo_behind_options, reset, rig_clear),
		cmocka_unit_test_setup_teardown(ike_with_a_checksum_goes_to_the_rings, reset, rig_clear),
		cmocka_unit_test_setup_teardown(discovery_goes_up_when_it_is_sound, reset, rig_clear),
		cmocka_unit_test_setup_teardown(discovery_in_fragments_is_ignored, reset, rig_clear),
	};

	return cmocka_run_group_tests_name("ipv6", tests, start, rig_stop);
}
