/* Neighbours with a clock by hand: one worker's stages on one side, the ctl thread's on the other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ring.h>

#include "dataplane/nbr.h"
#include "dataplane/drop.h"
#include "dataplane/fib.h"
#include "dataplane/neigh.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"
#include "eal.h"

static struct rte_mempool *pool;
static struct fib *fib;
static struct cfg_port cfg = {.name = "wan0", .mtu = 1500, .n_addr = 1};
static struct port_set ports = {.n = 1, .p = {{.cfg = &cfg, .mac = {2, 0, 0, 0, 0, 1}}}};
static struct neigh *neigh;
static struct nbr *arp;
static struct worker *w;
static uint64_t now;
static uint32_t on_link, via; /* ids of next hops */

enum { US = 0xc0000201 /* 192.0.2.1 */, NET = 0xc0000200 };

static int start(void **state)
{
	struct fib_params p = {.routes_max = 64, .n_nexthops = 8, .n_ports = 1};
	struct msg_nexthop link = {.id = 1, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 4}};
	struct msg_nexthop far = {
		.id = 2, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 4, .via = {192, 0, 2, 254}}};
	(void)state;

	if (eal_start("512"))
		return -1;
	pool = rte_pktmbuf_pool_create("t", 8191, 0, 0, 512, 0);
	fib = fib_new(&p);
	if (!pool || !fib || ip_prefix_parse("192.0.2.1/24", true, &cfg.addr[0]))
		return -1;
	on_link = link.id;
	via = far.id;
	return fib_nexthop_set(fib, &link) || fib_nexthop_set(fib, &far) ? -1 : 0;
}

static int begin(void **state)
{
	(void)state;
	now = 1000;
	w = calloc(1, sizeof(*w));
	neigh = neigh_new(1, 0);
	arp = neigh ? nbr_new(neigh, fib, &ports, 0) : NULL;
	if (!w || !arp)
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
	nbr_free(arp);
	free(w);
	/* nothing is lost: every packet is back */
	return rte_mempool_avail_count(pool) == 8191 ? 0 : -1;
}

/* A packet on its way to a neighbour, with a number in it. */
static struct rte_mbuf *packet(uint32_t id, uint32_t dst, uint8_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ipv4_hdr *ip = (void *)rte_pktmbuf_append(m, 21);

	memset(ip, 0, 21);
	ip->version_ihl = 0x45;
	ip->dst_addr = rte_cpu_to_be_32(dst);
	((uint8_t *)ip)[20] = number;
	*pkt_of(m) = (struct pkt){.next = id};
	return m;
}

/* True: it went out as a frame at once. */
static bool forward(uint32_t id, uint32_t dst, uint8_t number)
{
	struct rte_mbuf *m = packet(id, dst, number);

	if (neigh_rewrite(w, &m, 1) == 0)
		return false;
	assert_int_equal(m->port, 0);
	assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[12], 8);
	rte_pktmbuf_free(m);
	return true;
}

static void turn(void)
{
	while (nbr_turn(arp, now))
		;
	while (neigh_poll(w))
		;
}

/* Let time pass. */
static void pass(uint64_t ms)
{
	for (uint64_t end = now + ms; now < end; now += 100) {
		(void)nbr_tick(arp, now);
		turn();
	}
}

static void arp_in(uint16_t op, const uint8_t mac[6], uint32_t from, uint32_t to)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth = (void *)rte_pktmbuf_append(m, 60);
	struct rte_arp_hdr *a = (void *)(eth + 1);

	memset(eth, 0, 60);
	*a = (struct rte_arp_hdr){.arp_hardware = RTE_BE16(1),
				  .arp_protocol = RTE_BE16(0x0800),
				  .arp_hlen = 6,
				  .arp_plen = 4,
				  .arp_opcode = rte_cpu_to_be_16(op),
				  .arp_data = {.arp_sip = rte_cpu_to_be_32(from), .arp_tip = rte_cpu_to_be_32(to)}};
	memcpy(&a->arp_data.arp_sha, mac, 6);
	m->port = 0;
	neigh_arp_in(w, m);
	turn();
}

/* ARP frames among those to be sent; the list is emptied. */
static unsigned sent(uint16_t op, bool broadcast)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < w->tx[0].n; i++) {
		const uint8_t *f = rte_pktmbuf_mtod(w->tx[0].m[i], uint8_t *);

		n += f[12] == 8 && f[13] == 6 && f[21] == op && (f[0] == 0xff) == broadcast;
		rte_pktmbuf_free(w->tx[0].m[i]);
	}
	w->tx[0].n = 0;
	return n;
}

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static uint64_t given_up(void)
{
	return w->count.drop[DROP_NO_NEIGH];
}

static void the_latest_three_packets_wait_and_go_out_in_order(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 5; i++)
		assert_false(forward(on_link, NET + 9, i));
	turn();
	assert_int_equal(given_up(), 2);
	assert_int_equal(sent(1, true), 1);
	arp_in(2, mac_a, NET + 9, US);
	assert_int_equal(w->tx[0].n, 3);
	for (uint8_t i = 0; i < 3; i++) {
		const uint8_t *f = rte_pktmbuf_mtod(w->tx[0].m[i], uint8_t *);

		assert_memory_equal(f, mac_a, 6);
		assert_memory_equal(f + 6, ports.p[0].mac, 6);
		assert_int_equal(f[34], i + 2);
	}
	(void)sent(1, true);
	assert_true(forward(on_link, NET + 9, 7));
	assert_int_equal(given_up(), 2);
}

static void a_gateway_is_asked_for_in_place_of_the_destination(void **state)
{
	(void)state;
	assert_false(forward(via, 0x08080808, 0));
	turn();
	arp_in(2, mac_a, NET + 254, US);
	(void)sent(1, true);
	assert_true(forward(via, 0x01010101, 1));
	assert_false(forward(on_link, 0x08080808, 2)); /* another key */
	turn();
}

static void a_silent_neighbour_is_asked_three_times_a_second_apart(void **state)
{
	(void)state;
	assert_false(forward(on_link, NET + 9, 0));
	turn();
	assert_int_equal(sent(1, true), 1);
	pass(900);
	assert_int_equal(sent(1, true), 0);
	pass(300);
	assert_int_equal(sent(1, true), 1);
	pass(1000);
	assert_int_equal(sent(1, true), 1);
	assert_int_equal(given_up(), 0);
	pass(1200);
	assert_int_equal(sent(1, true), 0);
	assert_int_equal(given_up(), 1);
	assert_int_equal(nbr_known(arp, &(unsigned){0}), 0);
	/* and the next packet begins anew */
	assert_false(forward(on_link, NET + 9, 0));
	turn();
	assert_int_equal(sent(1, true), 1);
}

static void a_neighbour_in_use_is_probed_before_it_is_forgotten(void **state)
{
	unsigned all;
	(void)state;

	arp_in(1, mac_a, NET + 9, US);
	assert_int_equal(sent(2, false), 1);
	assert_true(forward(on_link, NET + 9, 0));
	pass(NBR_REACHABLE_MS - 500);
	assert_int_equal(sent(1, false), 0);
	pass(1000);
	assert_int_equal(sent(1, false), 1);
	assert_true(forward(on_link, NET + 9, 0)); /* meanwhile it is used */
	arp_in(2, mac_a, NET + 9, US);
	pass(NBR_REACHABLE_MS - 1000);
	assert_int_equal(sent(1, false), 0);
	assert_true(forward(on_link, NET + 9, 0));
	pass(1000 + NBR_TRIES * NBR_RETRY_MS + 1000); /* now it does not answer */
	assert_int_equal(sent(1, false), NBR_TRIES);
	assert_false(forward(on_link, NET + 9, 0));
	assert_int_equal(nbr_known(arp, &all), 0);
}

static void an_unused_neighbour_is_not_probed_and_goes_in_the_end(void **state)
{
	unsigned all;
	(void)state;

	arp_in(1, mac_a, NET + 9, US);
	(void)sent(2, false);
	pass(NBR_REACHABLE_MS + 5000);
	assert_int_equal(sent(1, false), 0);
	assert_int_equal(nbr_known(arp, &all), 1);
	assert_true(forward(on_link, NET + 9, 0)); /* used again: asked again */
	pass(1500);
	assert_true(sent(1, false) >= 1);
	arp_in(2, mac_a, NET + 9, US);
	pass(NBR_REACHABLE_MS + NBR_STALE_MS + 2000);
	assert_int_equal(nbr_known(arp, &all), 0);
	assert_int_equal(all, 0);
}

static void a_new_mac_is_taken_from_a_known_neighbour_only(void **state)
{
	struct rte_mbuf *m;
	(void)state;

	arp_in(2, mac_a, NET + 9, US); /* nobody asked */
	assert_false(forward(on_link, NET + 9, 0));
	turn();
	arp_in(2, mac_a, NET + 9, US);
	arp_in(1, mac_b, NET + 9, NET + 9); /* it says that it has moved */
	assert_int_equal(nbr_counts(arp)->moved, 1);
	m = packet(on_link, NET + 9, 0);
	assert_int_equal(neigh_rewrite(w, &m, 1), 1);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), mac_b, 6);
	rte_pktmbuf_free(m);
	arp_in(1, mac_b, 0x0a000001, US); /* from outside the network: answered, not remembered */
	assert_int_equal(neigh_find(neigh, &(struct neigh_who){.addr_be = rte_cpu_to_be_32(0x0a000001)}), NULL);
}

static void a_stranger_with_our_address_changes_nothing(void **state)
{
	(void)state;
	(void)sent(2, false);
	arp_in(1, mac_b, US, US);
	arp_in(2, mac_b, US, NET + 9);
	assert_int_equal(nbr_counts(arp)->conflicts, 2);
	assert_int_equal(w->tx[0].n, 0);
	arp_in(1, ports.p[0].mac, US, US); /* our own announcement, come back */
	assert_int_equal(nbr_counts(arp)->conflicts, 2);
}

static void a_scan_is_bounded_and_harms_no_known_neighbour(void **state)
{
	unsigned all;
	(void)state;

	arp_in(1, mac_a, NET + 9, US);
	assert_true(forward(on_link, NET + 9, 0));
	for (uint32_t i = 0; i < 5000; i++) {
		(void)forward(on_link, 0x0a000000 + i, 0);
		if (i % 50 == 0) {
			turn();
			(void)sent(1, true);
			drop_flush(w);
		}
	}
	turn();
	assert_int_equal(nbr_known(arp, &all), 1);
	assert_true(all <= NBR_INCOMPLETE_MAX + 1);
	assert_true(forward(on_link, NET + 9, 0));
	for (unsigned i = 0; i < 50; i++) {
		pass(100);
		(void)sent(1, true);
		drop_flush(w);
	}
	assert_int_equal(given_up(), 5000);
	nbr_known(arp, &all);
	assert_int_equal(all, 1);
}

static void addresses_are_announced_twice(void **state)
{
	(void)state;
	nbr_announce(arp, 0, now);
	turn();
	assert_int_equal(sent(1, true), 1);
	pass(3000);
	assert_int_equal(sent(1, true), 1);
	pass(3000);
	assert_int_equal(sent(1, true), 0);
}

static void a_next_hop_that_is_no_port_any_more_drops(void **state)
{
	struct msg_nexthop nh = {.id = 1, .n = 1, .leg[0] = {.kind = MSG_NH_PORT, .family = 4}};
	(void)state;

	assert_false(forward(on_link, NET + 9, 0)); /* on its way up */
	assert_int_equal(fib_nexthop_del(fib, 1), 0);
	turn();
	assert_int_equal(given_up(), 1);
	assert_false(forward(on_link, NET + 9, 0));
	assert_int_equal(w->count.drop[DROP_NO_ROUTE], 1);
	assert_int_equal(fib_nexthop_set(fib, &nh), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, finish)
		CASE(the_latest_three_packets_wait_and_go_out_in_order),
		CASE(a_gateway_is_asked_for_in_place_of_the_destination),
		CASE(a_silent_neighbour_is_asked_three_times_a_second_apart),
		CASE(a_neighbour_in_use_is_probed_before_it_is_forgotten),
		CASE(an_unused_neighbour_is_not_probed_and_goes_in_the_end),
		CASE(a_new_mac_is_taken_from_a_known_neighbour_only),
		CASE(a_stranger_with_our_address_changes_nothing),
		CASE(a_scan_is_bounded_and_harms_no_known_neighbour),
		CASE(addresses_are_announced_twice),
		CASE(a_next_hop_that_is_no_port_any_more_drops),
	};

	return cmocka_run_group_tests_name("neigh", tests, start, NULL);
}
