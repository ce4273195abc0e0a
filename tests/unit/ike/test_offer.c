/* A child's selectors before they are sent: what the config, the path and the peer's last words make of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/ike/offer.h"

static struct cfg_tunnel cfg;
static struct ike_want want[CFG_TS_MAX];
static struct ike_tunnel tunnel;
static struct ike_sa sa;
static struct xchg x;

static struct cfg_ts pair(const char *local, const char *remote)
{
	struct cfg_ts ts = {.local_port_hi = UINT16_MAX, .remote_port_hi = UINT16_MAX};

	assert_int_equal(ip_prefix_parse(local, false, &ts.local), 0);
	assert_int_equal(ip_prefix_parse(remote, false, &ts.remote), 0);
	return ts;
}

static int fresh(void **state)
{
	(void)state;
	memset(&cfg, 0, sizeof(cfg));
	memset(want, 0, sizeof(want));
	memset(&x, 0, sizeof(x));
	memset(&sa, 0, sizeof(sa));
	list_init(&sa.children);
	cfg.n_ts = 3;
	cfg.ts[0] = pair("10.1.0.0/24", "10.2.0.0/24");
	cfg.ts[1] = pair("10.1.1.0/24", "10.2.1.0/24");
	cfg.ts[2] = pair("2001:db8:1::/48", "2001:db8:2::/48");
	tunnel = (struct ike_tunnel){.cfg = &cfg, .want = want, .n_want = CFG_TS_MAX, .n_children = 1};
	assert_int_equal(ip_parse("10.1.0.1", &sa.path.local), 0);
	assert_int_equal(ip_parse("10.2.0.1", &sa.path.remote), 0);
	return 0;
}

static void expect_lists(const char *i, const char *r)
{
	char buf[512];

	offer_build(&tunnel, &sa, &x, NULL);
	assert_string_equal(ts_list_str(&x.tsi, buf, sizeof(buf)), i);
	assert_string_equal(ts_list_str(&x.tsr, buf, sizeof(buf)), r);
}

static void one_child_asks_for_all_and_another_for_its_own(void **state)
{
	(void)state;
	expect_lists("10.1.0.0/24, 10.1.1.0/24, 2001:db8:1::/48", "10.2.0.0/24, 10.2.1.0/24, 2001:db8:2::/48");
	cfg.children = CFG_CHILDREN_PER_SELECTOR;
	tunnel.n_children = offer_children(&cfg);
	assert_int_equal(tunnel.n_children, 3);
	x.index = 2;
	expect_lists("2001:db8:1::/48", "2001:db8:2::/48");
}

/* RFC 7296 3.10.1: SINGLE_PAIR_REQUIRED */
static void a_peer_that_takes_one_pair_is_asked_for_one(void **state)
{
	(void)state;
	want[0].single = true;
	expect_lists("10.1.0.0/24", "10.2.0.0/24");
	want[0].has_packet = true;
	want[0].packet = pair("10.1.1.7/32", "10.2.1.8/32");
	want[0].packet.protocol = 17;
	want[0].packet.local_port_lo = want[0].packet.local_port_hi = 5000;
	want[0].packet.remote_port_lo = want[0].packet.remote_port_hi = 53;
	expect_lists("10.1.1.7/32 udp port 5000, 10.1.1.0/24", "10.2.1.8/32 udp port 53, 10.2.1.0/24");
}

static void a_packet_without_ports_says_none_and_one_from_elsewhere_nothing(void **state)
{
	(void)state;
	want[0].has_packet = true;
	want[0].packet = pair("10.1.0.7/32", "10.2.0.8/32");
	want[0].packet.protocol = 47;
	want[0].packet.local_port_hi = want[0].packet.remote_port_hi = 0; /* as the data plane tells it */
	cfg.n_ts = 1;
	expect_lists("10.1.0.7/32 protocol 47, 10.1.0.0/24", "10.2.0.8/32 protocol 47, 10.2.0.0/24");
	want[0].packet.protocol = 1; /* type 8, code 0 */
	want[0].packet.local_port_lo = want[0].packet.local_port_hi = 0x800;
	want[0].packet.remote_port_lo = want[0].packet.remote_port_hi = 0x800;
	expect_lists("10.1.0.7/32 icmp port 2048, 10.1.0.0/24", "10.2.0.8/32 icmp port 2048, 10.2.0.0/24");
	want[0].packet.local.addr = ip_v4(0x0a630001);
	expect_lists("10.1.0.0/24", "10.2.0.0/24");
}

static void transport_mode_is_for_the_two_ends_of_the_path(void **state)
{
	(void)state;
	cfg.mode = CFG_MODE_TRANSPORT;
	expect_lists("10.1.0.1/32", "10.2.0.1/32");
	assert_true(x.transport);
	assert_int_equal(ip_parse("198.51.100.1", &sa.path.remote), 0);
	offer_build(&tunnel, &sa, &x, NULL);
	assert_int_equal(x.tsi.n, 0); /* no pair holds them */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_child_asks_for_all_and_another_for_its_own, fresh),
		cmocka_unit_test_setup(a_peer_that_takes_one_pair_is_asked_for_one, fresh),
		cmocka_unit_test_setup(a_packet_without_ports_says_none_and_one_from_elsewhere_nothing, fresh),
		cmocka_unit_test_setup(transport_mode_is_for_the_two_ends_of_the_path, fresh),
	};

	return cmocka_run_group_tests_name("offer", tests, NULL, NULL);
}
