/* IPv6 neighbours with a clock by hand: one worker's stages on one side, the ctl thread's on the other. RFC 4861 7.2, 7.3; RFC 6583 */
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
#include "dataplane/neigh.h"
#include "dataplane/onlink.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"
#include "eal.h"

enum { BUFFERS = 8191, NEXTHOP_VIA = 1, NEXT_AT = 20 };

#define US   "2001:db8:1::1"
#define HOST "2001:db8:1::9"
#define VIA  "fe80::fe"
#define LINK "fe80::ff:fe00:1" /* of our MAC */

static struct rte_mempool *pool;
static struct fib *fib;
static struct cfg_port cfg = {.name = "wan0", .mtu = 1500, .n_addr = 1};
static struct port_set ports = {.n = 1, .p = {{.cfg = &cfg, .mac = {2, 0, 0, 0, 0, 1}}}};
static struct neigh *neigh;
static struct nbr *nbr;
static struct worker *w;
static uint64_t now;
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static struct ip6 a6(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return ip6_get(a.b);
}

static int start(void **state)
{
	struct fib_params p = {.routes_max = 64, .routes6_max = 64, .n_nexthops = 8, .n_ports = 1};
	struct msg_nexthop via = {.id = NEXTHOP_VIA, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 6}};
	(void)state;

	if (eal_start("512"))
		return -1;
	pool = rte_pktmbuf_pool_create("t", BUFFERS, 0, 0, 512, 0);
	fib = fib_new(&p);
	if (!pool || !fib || ip_prefix_parse(US "/64", true, &cfg.addr[0]))
		return -1;
	ip6_put(via.leg[0].via, a6(VIA));
	return onlink_install6(fib, &ports) | fib_nexthop_set(fib, &via) |
	       fib6_set(fib, a6("2001:db8:99::"), 48, NEXTHOP_VIA);
}

static int begin(void **state)
{
	(void)state;
	now = 1000;
	w = calloc(1, sizeof(*w));
	neigh = neigh_new(1, 0);
	nbr = neigh ? nbr_new(neigh, fib, &ports, 0) : NULL;
	if (!w || !nbr)
		return -1;
	w->n_ports = 1;
	w->n_workers = 1;
	w->fib = fib;
	w->neigh = neigh;
	w->pool = pool;
	memcpy(w->port[0].mac, ports.p[0].mac, 6);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	drop_flush(w);
	rte_pktmbuf_free_bulk(w->tx[0].m, w->tx[0].n);
	neigh_free(neigh);
	nbr_free(nbr);
	free(w);
	/* nothing is lost: every packet is back */
	return rte_mempool_avail_count(pool) == BUFFERS ? 0 : -1;
}

/* A packet to dst through lookup and rewrite. True: it went out as a frame at once, to this MAC. */
static bool forward6(struct ip6 dst, const uint8_t mac[6])
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, IP6_HDR);
	uint32_t id;

	memset(p, 0, IP6_HDR);
	p[0] = 0x60;
	ip6_put(p + 24, dst);
	fib6_lookup(fib, &dst, &id, 1);
	*pkt_of(m) = (struct pkt){.next = id, .flags = PKT_V6};
	if (neigh_rewrite(w, &m, 1) == 0)
		return false;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	assert_int_equal(p[12] << 8 | p[13], 0x86dd);
	assert_memory_equal(p, mac, 6);
	assert_memory_equal(p + 6, ports.p[0].mac, 6);
	rte_pktmbuf_free(m);
	return true;
}

static bool forward(const char *dst, const uint8_t mac[6])
{
	return forward6(a6(dst), mac);
}

static void turn(void)
{
	while (nbr_turn(nbr, now))
		;
	while (neigh_poll(w))
		;
}

static void pass(uint64_t ms)
{
	for (uint64_t end = now + ms; now < end; now += 100) {
		(void)nbr_tick(nbr, now);
		turn();
	}
}

static void hear(struct nd_msg *d, const uint8_t mac[6])
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	memcpy(d->src_mac, mac, 6);
	memcpy(d->mac, mac, 6);
	memcpy(d->dst_mac, ports.p[0].mac, 6);
	(void)rte_pktmbuf_append(m, nd_msg_write(d, rte_pktmbuf_mtod(m, uint8_t *)));
	m->port = 0;
	neigh_nd_in(w, m);
	turn();
}

static void advert(const char *target, uint8_t flags, const uint8_t mac[6], bool with_mac)
{
	struct nd_msg d = {.type = ND_ADVERT,
			   .src = a6(target),
			   .dst = a6(US),
			   .target = a6(target),
			   .flags = flags,
			   .has_mac = with_mac};

	hear(&d, mac);
}

static void solicit(const char *src, const char *target, const uint8_t mac[6])
{
	struct nd_msg d = {.type = ND_SOLICIT, .src = a6(src), .target = a6(target), .has_mac = strcmp(src, "::") != 0};

	d.dst = ip6_solicited_node(d.target);
	hear(&d, mac);
}

/* The next frame of discovery that is to be sent; others are passed over. */
static bool sent(struct nd_msg *d)
{
	while (w->tx[0].n) {
		struct rte_mbuf *m = w->tx[0].m[0];
		bool is = rte_pktmbuf_mtod(m, uint8_t *)[NEXT_AT] == IP6_ICMP;
		enum stats_drop why = nd_msg_read(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, d);

		memmove(w->tx[0].m, w->tx[0].m + 1, --w->tx[0].n * sizeof(m));
		rte_pktmbuf_free(m);
		if (is) {
			assert_int_equal(why, DROP_N);
			return true;
		}
	}
	return false;
}

static unsigned sent_all(void)
{
	struct nd_msg d;
	unsigned n = 0;

	while (sent(&d))
		n++;
	return n;
}

static uint64_t given_up(void)
{
	return w->count.drop[DROP_NO_NEIGH];
}

static void asked_by_the_group_then_answered(void **state)
{
	struct nd_msg d;
	(void)state;

	assert_false(forward(HOST, mac_a));
	turn();
	assert_true(sent(&d));
	assert_int_equal(d.type, ND_SOLICIT);
	assert_true(ip6_equal(d.target, a6(HOST)) && ip6_equal(d.dst, a6("ff02::1:ff00:9")) &&
		    ip6_equal(d.src, a6(US)));
	assert_memory_equal(d.dst_mac, ((uint8_t[]){0x33, 0x33, 0xff, 0, 0, 9}), 6);
	assert_true(d.has_mac && !memcmp(d.mac, ports.p[0].mac, 6));
	assert_false(sent(&d));
	advert(HOST, ND_SOLICITED | ND_OVERRIDE, mac_a, true);
	assert_int_equal(w->tx[0].n, 1); /* what waited */
	assert_true(forward(HOST, mac_a));
}

static void a_gateway_is_asked_from_the_link_local_address(void **state)
{
	struct nd_msg d;
	(void)state;

	assert_false(forward("2001:db8:99::1", mac_a));
	turn();
	assert_true(sent(&d));
	assert_true(ip6_equal(d.target, a6(VIA)) && ip6_equal(d.src, a6(LINK)));
	advert(VIA, ND_SOLICITED, mac_a, true);
	assert_true(forward("2001:db8:99::2", mac_a));
	assert_true(forward("2001:db8:99:1::3", mac_a));
}

static void asked_three_times_a_second_apart(void **state)
{
	(void)state;
	assert_false(forward(HOST, mac_a));
	turn();
	assert_int_equal(sent_all(), 1);
	pass(900);
	assert_int_equal(sent_all(), 0);
	pass(400);
	assert_int_equal(sent_all(), 1);
	pass(1000);
	assert_int_equal(sent_all(), 1);
	assert_int_equal(given_up(), 0);
	pass(1500);
	assert_int_equal(sent_all(), 0);
	assert_int_equal(given_up(), 1);
	assert_int_equal(nbr_known(nbr, &(unsigned){0}), 0);
}

/* 7.2.5 */
static void what_an_advertisement_changes(void **state)
{
	struct nd_msg d;
	unsigned all;
	(void)state;

	advert(HOST, ND_SOLICITED | ND_OVERRIDE, mac_a, true); /* nobody asked */
	assert_int_equal(nbr_known(nbr, &all), 0);
	assert_int_equal(all, 0);
	assert_false(forward(HOST, mac_a));
	turn();
	advert(HOST, ND_SOLICITED | ND_OVERRIDE, mac_a, false); /* no address in it: still not known */
	assert_false(forward(HOST, mac_a));
	turn();
	advert(HOST, ND_SOLICITED | ND_OVERRIDE, mac_a, true);
	assert_true(forward(HOST, mac_a));
	(void)sent_all();
	advert(HOST, ND_SOLICITED, mac_b, true); /* another, without override: in doubt, and asked */
	assert_true(forward(HOST, mac_a));
	pass(1300);
	assert_true(sent(&d));
	assert_true(d.type == ND_SOLICIT && ip6_equal(d.dst, a6(HOST)) && !memcmp(d.dst_mac, mac_a, 6)); /* itself */
	advert(HOST, ND_OVERRIDE, mac_b, true);                                                          /* override */
	assert_true(forward(HOST, mac_b));
	assert_int_equal(nbr_counts(nbr)->moved, 1);
	pass(1300);
	assert_true(sent(&d)); /* it was not solicited: stale, and so probed */
	assert_memory_equal(d.dst_mac, mac_b, 6);
	advert(HOST, ND_SOLICITED, mac_b, false);
	(void)sent_all();
	pass(NBR_REACHABLE_MS - 1000);
	assert_int_equal(sent_all(), 0);
}

static void who_is_used_is_probed_and_who_is_silent_goes(void **state)
{
	struct nd_msg d;
	unsigned all;
	(void)state;

	assert_false(forward(HOST, mac_a));
	turn();
	advert(HOST, ND_SOLICITED | ND_OVERRIDE, mac_a, true);
	(void)sent_all();
	assert_true(forward(HOST, mac_a));
	pass(NBR_REACHABLE_MS + 300);
	assert_true(sent(&d));
	assert_memory_equal(d.dst_mac, mac_a, 6);
	assert_true(forward(HOST, mac_a)); /* still used */
	pass(NBR_TRIES * NBR_RETRY_MS + 1000);
	assert_int_equal(nbr_known(nbr, &all), 0);
	assert_int_equal(all, 0);
	assert_false(forward(HOST, mac_a));
}

static void solicitations_are_answered(void **state)
{
	struct nd_msg d;
	unsigned all;
	(void)state;

	solicit(HOST, US, mac_a);
	assert_true(sent(&d));
	assert_int_equal(d.type, ND_ADVERT);
	assert_int_equal(d.flags, ND_ROUTER | ND_SOLICITED | ND_OVERRIDE);
	assert_true(ip6_equal(d.src, a6(US)) && ip6_equal(d.dst, a6(HOST)) && ip6_equal(d.target, a6(US)));
	assert_memory_equal(d.dst_mac, mac_a, 6);
	assert_int_equal(nbr_known(nbr, &all), 1);
	assert_true(forward(HOST, mac_a)); /* and remembered, but as hearsay */
	pass(1300);
	assert_true(sent(&d));
	assert_int_equal(d.type, ND_SOLICIT);
	solicit("fe80::9", LINK, mac_b);
	assert_true(sent(&d));
	assert_true(ip6_equal(d.src, a6(LINK)));
	solicit("2001:db8:77::1", US, mac_b); /* not of this link: answered, not remembered */
	assert_true(sent(&d));
	assert_null(neigh_find(neigh, &(struct neigh_who){.addr6 = a6("2001:db8:77::1"), .six = true}));
	solicit(HOST, "2001:db8:1::", mac_a); /* any router: may be another tomorrow */
	assert_true(sent(&d));
	assert_int_equal(d.flags, ND_ROUTER | ND_SOLICITED);
	assert_true(ip6_equal(d.src, a6(LINK)));
	solicit(HOST, "2001:db8:1::77", mac_a);
	assert_false(sent(&d));
}

/* RFC 4862 5.4: he is told that it is taken, and we stay. */
static void who_wants_our_address_is_told(void **state)
{
	struct nd_msg d;
	(void)state;

	solicit("::", US, mac_b);
	assert_true(sent(&d));
	assert_true(d.type == ND_ADVERT && ip6_equal(d.dst, a6("ff02::1")) && ip6_equal(d.target, a6(US)));
	assert_int_equal(d.flags, ND_ROUTER | ND_OVERRIDE);
	assert_int_equal(nbr_counts(nbr)->conflicts, 1);
	advert(US, ND_OVERRIDE, mac_b, true);
	assert_int_equal(nbr_counts(nbr)->conflicts, 2);
	solicit(US, HOST, mac_b);
	assert_false(sent(&d));
	solicit("::", US, ports.p[0].mac); /* our own, come back */
	assert_false(sent(&d));
	assert_int_equal(nbr_counts(nbr)->conflicts, 2);
}

static void addresses_are_announced(void **state)
{
	struct nd_msg d;
	unsigned asks = 0, tells = 0;
	(void)state;

	nbr_announce(nbr, 0, now);
	turn();
	while (sent(&d)) {
		asks += d.type == ND_SOLICIT && ip6_is_any(d.src) && !d.has_mac;
		tells += d.type == ND_ADVERT && d.flags == (ND_ROUTER | ND_OVERRIDE) && ip6_equal(d.dst, a6("ff02::1"));
	}
	assert_true(asks == 2 && tells == 2); /* the link-local address too */
	pass(3000);
	assert_int_equal(sent_all(), 2);
}

/* RFC 6583: a scan of a /64 leaves who is known alone, and IPv4. */
static void a_scan_costs_little(void **state)
{
	unsigned all;
	(void)state;

	solicit(HOST, US, mac_a);
	advert(HOST, ND_SOLICITED | ND_OVERRIDE, mac_a, true);
	(void)sent_all();
	for (uint32_t i = 0; i < 5000; i++) {
		(void)forward6((struct ip6){0x20010db800010000, 0x10000 + i}, mac_a);
		if (i % 50 == 0) {
			turn();
			(void)sent_all();
			drop_flush(w);
		}
	}
	turn();
	assert_int_equal(nbr_known(nbr, &all), 1);
	assert_int_equal(all, NBR_INCOMPLETE_MAX + 1);
	assert_true(forward(HOST, mac_a));
	for (unsigned i = 0; i < 50; i++) {
		pass(100);
		(void)sent_all();
		drop_flush(w);
	}
	assert_int_equal(given_up(), 5000);
	(void)nbr_known(nbr, &all);
	assert_int_equal(all, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asked_by_the_group_then_answered, begin, finish),
		cmocka_unit_test_setup_teardown(a_gateway_is_asked_from_the_link_local_address, begin, finish),
		cmocka_unit_test_setup_teardown(asked_three_times_a_second_apart, begin, finish),
		cmocka_unit_test_setup_teardown(what_an_advertisement_changes, begin, finish),
		cmocka_unit_test_setup_teardown(who_is_used_is_probed_and_who_is_silent_goes, begin, finish),
		cmocka_unit_test_setup_teardown(solicitations_are_answered, begin, finish),
		cmocka_unit_test_setup_teardown(who_wants_our_address_is_told, begin, finish),
		cmocka_unit_test_setup_teardown(addresses_are_announced, begin, finish),
		cmocka_unit_test_setup_teardown(a_scan_costs_little, begin, finish),
	};

	return cmocka_run_group_tests_name("nd", tests, start, NULL);
}
