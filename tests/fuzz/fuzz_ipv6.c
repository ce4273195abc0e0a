/* IPv6 and neighbour discovery into the worker and the ctl thread's neighbours.
 *
 * The first octet says what the rest is:
 *   0  a frame on the LAN port                    1  an IPv6 packet there, its length put right
 *   2  the same, with ICMPv6's checksum put right  3  a solicitation or advertisement's text behind good headers
 * A good packet goes after it: it must come out, and no mbuf may be missing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataplane/drop.h"
#include "dataplane/fib6.h"
#include "dataplane/nbr.h"
#include "dataplane/nd_msg.h"
#include "dataplane/onlink.h"
#include "dataplane/port.h"
#include "tests/stage/rig.h"

enum { ETH = 14, L4 = ETH + IP6_HDR, GOOD = 64 };

static struct cfg_port cfg[RIG_PORTS] = {{.name = "wan0", .mtu = 1500, .n_addr = 1},
					 {.name = "lan0", .mtu = 1500, .n_addr = 1}};
static struct port_set ports = {.n = RIG_PORTS};
static struct nbr *nbr;
static uint64_t now = 1000;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void start(void)
{
	static const char *const text[RIG_PORTS] = {"2001:db8:2::1/64", "2001:db8:1::1/64"};
	struct ip6 addr[ONLINK_ADDRS6];

	check(rig_start(NULL) == 0 && rig_reset(NULL) == 0);
	for (uint16_t i = 0; i < RIG_PORTS; i++) {
		ports.p[i] = (struct port){.cfg = &cfg[i], .index = i, .mac = {2, 0, 0, 0, 0, (uint8_t)(i + 1)}};
		check(ip_prefix_parse(text[i], true, &cfg[i].addr[0]) == 0);
		check(onlink_addrs6(&ports.p[i], addr) == 2);
		rig->port[i].link6 = addr[0];
		rig->port[i].addr6 = addr[1];
	}
	check(onlink_install6(rig->fib, &ports) == 0);
	nbr = nbr_new(rig->neigh, rig->fib, &ports, SOCKET_ID_ANY);
	check(nbr != NULL);
}

/* What EAL's memory holds, the leak detector cannot see. */
static void finish(void)
{
	(void)rig_clear(NULL);
	(void)rig_stop(NULL);
}

static void ethernet(uint8_t *f)
{
	memcpy(f, (const uint8_t[14]){2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0xa2, 0x86, 0xdd}, ETH);
}

static void lengths(struct rig_bytes *f)
{
	uint16_t n = (uint16_t)(f->len - L4);

	f->b[ETH] = (uint8_t)(0x60 | (f->b[ETH] & 15));
	f->b[ETH + 4] = (uint8_t)(n >> 8);
	f->b[ETH + 5] = (uint8_t)n;
}

static void sum(struct rig_bytes *f)
{
	if (f->len < L4 + 4 || f->b[ETH + 6] != IP6_ICMP)
		return;
	una_put16(f->b + L4 + 2, 0);
	una_put16(f->b + L4 + 2, ip6_cksum(ip6_get(f->b + ETH + 8), ip6_get(f->b + ETH + 24), IP6_ICMP, f->b + L4,
					   (uint32_t)(f->len - L4)));
}

/* From a host of the LAN to our group. */
static void discovery(struct rig_bytes *f)
{
	f->b[ETH + 6] = IP6_ICMP;
	f->b[ETH + 7] = 255;
	ip6_put(f->b + ETH + 8, (struct ip6){0x20010db800010000, 9});
	ip6_put(f->b + ETH + 24, (struct ip6){0xff02000000000000, 0x1ff000001});
	memcpy(f->b, (const uint8_t[6]){0x33, 0x33, 0xff, 0, 0, 1}, 6);
}

static void drain(void)
{
	struct rig_bytes f;

	for (unsigned i = 0; i < 3; i++) {
		rig_run();
		while (nbr_turn(nbr, now))
			;
		now += 100;
		(void)nbr_tick(nbr, now);
	}
	rig_run();
	for (uint16_t i = 0; i < RIG_PORTS; i++)
		while (rig_tx(i, &f))
			;
}

/* An echo to us is answered, whatever came before. */
static void good(void)
{
	struct rig_bytes f = {.len = L4 + GOOD}, got;
	bool answered = false;

	ethernet(f.b);
	lengths(&f);
	f.b[ETH + 6] = IP6_ICMP;
	f.b[ETH + 7] = 64;
	ip6_put(f.b + ETH + 8, ip6_get(f.b + ETH + 8));
	ip6_put(f.b + ETH + 8, (struct ip6){0x20010db800010000, 0xfedc});
	ip6_put(f.b + ETH + 24, (struct ip6){0x20010db800010000, 1});
	f.b[L4] = 128;
	sum(&f);
	rig_rx(RIG_LAN, &f);
	rig_run();
	answered = rig->count.icmp_sent > 0;
	check(answered);
	while (rig_tx(RIG_LAN, &got))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig_bytes f = {0};
	unsigned kind = size ? data[0] & 3 : 0;
	uint16_t head = kind == 0 ? 0 : kind == 3 ? L4 : ETH;

	if (rig == NULL) {
		start();
		atexit(finish);
	}
	if (size > 0)
		data++, size--;
	if (size > RIG_MTU)
		size = RIG_MTU;
	if (kind != 0)
		ethernet(f.b);
	memcpy(f.b + head, data, size);
	f.len = (uint16_t)(head + size);
	if (kind != 0 && f.len >= L4) {
		lengths(&f);
		if (kind == 3)
			discovery(&f);
		if (kind >= 2)
			sum(&f);
	}
	memset(&rig->count, 0, sizeof(rig->count));
	rig_rx(RIG_LAN, &f);
	drain();
	memset(&rig->count, 0, sizeof(rig->count));
	good();
	/* neighbours that are asked for hold what waits for them; when they are given up it must be back */
	for (unsigned i = 0; i < 80 && rte_mempool_in_use_count(rig->pool); i++)
		drain();
	check(rte_mempool_in_use_count(rig->pool) == 0);
	return 0;
}
