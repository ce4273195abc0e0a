/* Several children of a tunnel: which SA a packet takes, and whom it asks for one. RFC 4301 4.4.1, 5.1; RFC 7296 2.9 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dataplane/pkt.h"
#include "tests/stage/wide.h"

enum { TCP = 6, UDP = 17, TUNNEL = 1 };

static struct rig_sa in, out;

/* Child 0: UDP to 2000; 1: any UDP; 2: IPv6; 3: all IPv4. */
static struct msg_tunnel_set four(void)
{
	struct msg_tunnel_set t = wide_tunnel(TUNNEL, 4);

	t.n_children = t.n_ts = 4;
	t.ts[0] = t.ts[1] = t.ts[3] = wide_any(4);
	t.ts[2] = wide_any(6);
	t.ts[0].proto = t.ts[1].proto = UDP;
	t.ts[0].remote.port_lo = t.ts[0].remote.port_hi = 2000;
	return t;
}

/* The SA of a child, with the config's selectors, in slot 10 + child. */
static struct rig_sa sa_of(uint8_t child, uint32_t dir)
{
	struct msg_tunnel_set t = four();
	struct rig_sa sa = wide_sa(10u + child, dir, TUNNEL, 4);

	sa.add.child = child;
	sa.add.n_ts = 1;
	sa.add.ts[0] = t.ts[child];
	memset(&sa.add.ts[1], 0, sizeof(sa.add.ts[1]));
	return sa;
}

static void install(uint8_t child)
{
	out = sa_of(child, MSG_DIR_OUT);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
}

static void packet(struct rig_bytes *ip, bool v6, uint8_t proto, uint16_t port)
{
	uint16_t at = v6 ? IP6_HDR : WIDE_IP4;

	wide_inner(ip, v6, MSG_DIR_OUT, 0, 100);
	ip->b[v6 ? 6 : 9] = proto;
	ip->b[at + 2] = (uint8_t)(port >> 8);
	ip->b[at + 3] = (uint8_t)port;
	if (!v6)
		rig_cksum(ip);
}

/* Which child's SPI it left with; -1: it did not leave. */
static int taken_by(const struct rig_bytes *ip)
{
	struct rig_bytes outer;
	uint32_t spi;

	if (wide_out(ip, TUNNEL, 0, &outer) == 0)
		return -1;
	spi = (uint32_t)outer.b[20] << 24 | (uint32_t)outer.b[21] << 16 | (uint32_t)outer.b[22] << 8 | outer.b[23];
	return (int)spi_slot(spi) - 10;
}

static const struct {
	bool v6;
	uint8_t proto;
	uint16_t port;
	int child;
} flows[] = {
	{false, UDP, 2000, 0}, {false, UDP, 2001, 1}, {true, UDP, 2000, 2},  {true, TCP, 80, 2},
	{false, TCP, 2000, 3}, {false, 47, 0, 3},     {false, UDP, 1999, 1},
};
enum { FLOWS = sizeof(flows) / sizeof(flows[0]) };

static void the_first_child_that_names_a_packet_has_it(void **state)
{
	struct msg_tunnel_set t = four();
	struct rig_bytes ip;
	(void)state;

	wide_tunnel_set(&t);
	for (uint8_t i = 4; i-- > 0;) /* the order of installs does not count */
		install(i);
	for (unsigned i = 0; i < FLOWS; i++) {
		packet(&ip, flows[i].v6, flows[i].proto, flows[i].port);
		assert_int_equal(taken_by(&ip), flows[i].child);
	}
	rig_dropped_none();
	wide_settle();
}

/* Child i is not there: its packets wait for it and take no other, though one of those would let them pass. */
static void a_child_without_an_sa_takes_its_traffic_with_it(void **state)
{
	(void)state;
	for (uint8_t missing = 0; missing < 4; missing++) {
		struct msg_tunnel_set t = four();
		uint64_t lost = 0;
		bool asked = false;

		rig_clear(NULL);
		rig_reset(NULL);
		wide_tunnel_set(&t);
		for (uint8_t i = 0; i < 4; i++)
			if (i != missing)
				install(i);
		for (unsigned i = 0; i < FLOWS; i++) {
			struct rig_bytes ip;
			struct msg_no_sa e;
			union msg none;

			packet(&ip, flows[i].v6, flows[i].proto, flows[i].port);
			assert_int_equal(taken_by(&ip), flows[i].child == missing ? -1 : flows[i].child);
			if (flows[i].child == missing && !asked) {
				rig_event_is(MSG_NO_SA, &e, sizeof(e));
				asked = true;
				assert_int_equal(e.child, missing);
				assert_int_equal(e.family, flows[i].v6 ? 6 : 4);
				assert_int_equal(e.proto, flows[i].proto);
				assert_int_equal(e.src_port, flows[i].proto == 47 ? 0 : 1000);
				assert_int_equal(e.dst_port, flows[i].port);
				assert_memory_equal(e.src, wide_here[flows[i].v6], 16);
				assert_memory_equal(e.dst, wide_there[flows[i].v6], 16);
			}
			assert_false(rig_event(&none));
			lost += flows[i].child == missing;
			assert_int_equal(rig->count.drop[DROP_NO_SA], lost);
		}
		assert_true(asked);
	}
	wide_settle();
}

static void each_child_asks_at_its_own_rate(void **state)
{
	struct msg_tunnel_set t = four();
	struct rig_bytes ip;
	struct msg_no_sa e;
	union msg none;
	(void)state;

	wide_tunnel_set(&t);
	for (unsigned round = 0; round < 3; round++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < 5 * FLOWS; i++) {
			packet(&ip, flows[i % FLOWS].v6, flows[i % FLOWS].proto, flows[i % FLOWS].port);
			assert_int_equal(taken_by(&ip), -1);
		}
		for (unsigned i = 0; i < 4; i++) {
			rig_event_is(MSG_NO_SA, &e, sizeof(e));
			seen |= 1u << e.child;
			rig->sad->child[TUNNEL][i].no_sa_tsc -= rig->tsc_hz; /* a second later */
		}
		assert_int_equal(seen, 15);
		assert_false(rig_event(&none));
	}
	rig_dropped(DROP_NO_SA, 3 * 5 * FLOWS);
	wide_settle();
}

/* Narrowed by the peer: what its SA does not name goes on to the next child; what none names is dropped and asks nobody. */
static void a_narrowed_sa_leaves_the_rest_to_the_next(void **state)
{
	struct msg_tunnel_set t = four();
	struct rig_bytes ip;
	union msg none;
	(void)state;

	t.n_ts = t.n_children = 2;
	memset(&t.ts[2], 0, 2 * sizeof(t.ts[0]));
	wide_tunnel_set(&t);
	out = sa_of(0, MSG_DIR_OUT);
	out.add.ts[0].local.port_lo = out.add.ts[0].local.port_hi = 9999;
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	install(1);
	packet(&ip, false, UDP, 2000);
	assert_int_equal(taken_by(&ip), 1);
	packet(&ip, false, TCP, 2000);
	assert_int_equal(taken_by(&ip), -1);
	packet(&ip, true, UDP, 2000);
	assert_int_equal(taken_by(&ip), -1);
	rig_dropped(DROP_TS_MISMATCH, 2);
	assert_false(rig_event(&none));
	wide_settle();
}

static void a_new_sa_replaces_only_its_own_childs(void **state)
{
	struct msg_tunnel_set t = four();
	struct msg_sa_event gone;
	struct rig_bytes ip;
	(void)state;

	wide_tunnel_set(&t);
	for (uint8_t i = 0; i < 4; i++)
		install(i);
	out = sa_of(1, MSG_DIR_OUT);
	out.add.sa.slot = 20;
	out.add.spi = spi_make(20, 0x777);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	for (unsigned i = 0; i < FLOWS; i++) {
		packet(&ip, flows[i].v6, flows[i].proto, flows[i].port);
		assert_int_equal(taken_by(&ip), flows[i].child == 1 ? 10 : flows[i].child);
	}
	/* the old one goes: nothing changes; the new one goes: child 1 has none, and the others go on */
	assert_int_equal(sad_del(rig, (struct msg_handle){11, 1}, MSG_DIR_OUT, &gone), 0);
	packet(&ip, false, UDP, 2001);
	assert_int_equal(taken_by(&ip), 10);
	assert_int_equal(sad_del(rig, (struct msg_handle){20, 1}, MSG_DIR_OUT, &gone), 0);
	assert_int_equal(taken_by(&ip), -1);
	packet(&ip, false, UDP, 2000);
	assert_int_equal(taken_by(&ip), 0);
	wide_settle();
}

static void each_child_has_room_for_four_inbound_sas(void **state)
{
	struct msg_tunnel_set t = four();
	struct msg_sa_event gone;
	(void)state;

	wide_tunnel_set(&t);
	for (uint8_t child = 0; child < 4; child++) {
		for (uint32_t i = 0; i <= SAD_IN_PER_CHILD; i++) {
			in = sa_of(child, MSG_DIR_IN);
			in.add.sa.slot = 20 + child * 8u + i;
			in.add.spi = spi_make(in.add.sa.slot, 0x777);
			assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), i < SAD_IN_PER_CHILD ? 0 : -ENOSPC);
		}
		assert_int_equal(sad_del(rig, (struct msg_handle){20 + child * 8u, 1}, MSG_DIR_IN, &gone), 0);
		assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
	}
	in = sa_of(3, MSG_DIR_IN);
	in.add.child = 4; /* there is none */
	assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), -EINVAL);
	wide_settle();
}

/* What comes in by one child's SA must be of that child. RFC 4301 5.2 */
static void an_inbound_sa_takes_its_own_childs_traffic_only(void **state)
{
	struct msg_tunnel_set t = four();
	struct rig_bytes ip, outer, got;
	(void)state;

	wide_tunnel_set(&t);
	for (uint8_t child = 0; child < 4; child++) {
		in = sa_of(child, MSG_DIR_IN);
		assert_int_equal(rig_sa_add(&in, MSG_DIR_IN), 0);
		for (unsigned v6 = 0; v6 < 2; v6++) {
			wide_inner(&ip, v6, MSG_DIR_IN, 0, 100); /* UDP from 1000 */
			wide_seal(&outer, &in, &ip, v6 ? 41 : 4, 0);
			assert_int_equal(wide_in(&outer, &got, NULL), v6 ? child == 2 : child == 1 || child == 3);
		}
	}
	rig_dropped(DROP_TS_MISMATCH, 5);
	wide_settle();
}

/* One child more or less while SAs live: none of them serves what it was not made for, and nothing is sent in clear. */
static void the_number_of_children_may_change(void **state)
{
	struct msg_tunnel_set t = four(), one = wide_tunnel(TUNNEL, 4);
	struct rig_bytes ip;
	(void)state;

	wide_tunnel_set(&one);
	out = wide_sa(10, MSG_DIR_OUT, TUNNEL, 4);
	assert_int_equal(rig_sa_add(&out, MSG_DIR_OUT), 0);
	packet(&ip, false, UDP, 2001);
	assert_int_equal(taken_by(&ip), 0);
	wide_tunnel_set(&t); /* the SA is child 0's now, and lets all pass */
	assert_int_equal(atomic_load(&rig->sad->tunnel[TUNNEL].tx), SAD_NO_SLOT); /* all are asked */
	assert_int_equal(taken_by(&ip), 0);
	install(1);
	assert_int_equal(taken_by(&ip), 0);
	wide_tunnel_set(&one);
	assert_int_equal(taken_by(&ip), 0);
	packet(&ip, true, UDP, 2001);
	assert_int_equal(taken_by(&ip), 0);
	wide_settle();
}

/* n_ts 0, n_children 0 (tests, tools): one child, any traffic. Selectors of the config decide who may ask. */
static void one_child_asks_for_what_its_config_names(void **state)
{
	struct msg_tunnel_set t = wide_tunnel(TUNNEL, 4);
	struct rig_bytes ip;
	union msg none;
	struct msg_no_sa e;
	(void)state;

	t.n_ts = t.n_children = 0;
	wide_tunnel_set(&t);
	packet(&ip, true, UDP, 2001);
	assert_int_equal(taken_by(&ip), -1);
	rig_event_is(MSG_NO_SA, &e, sizeof(e));
	rig->sad->child[TUNNEL][0].no_sa_tsc = 0;
	t.n_children = 1;
	t.n_ts = 2;
	t.ts[0].proto = t.ts[1].proto = TCP;
	wide_tunnel_set(&t);
	assert_int_equal(taken_by(&ip), -1);
	assert_false(rig_event(&none));
	packet(&ip, true, TCP, 2001);
	assert_int_equal(taken_by(&ip), -1);
	rig_event_is(MSG_NO_SA, &e, sizeof(e));
	assert_int_equal(e.child, 0);
	assert_int_equal(rig->count.drop[DROP_NO_SA], 2);
	assert_int_equal(rig->count.drop[DROP_TS_MISMATCH], 1);
	wide_settle();
}

static void wrong_tunnels_are_refused(void **state)
{
	struct msg_tunnel_set t, bad;
	(void)state;

	t = four();
#define REFUSED(field, value)                                                 \
	do {                                                                  \
		bad = t;                                                      \
		bad.field = value;                                            \
		assert_int_equal(sad_tunnel_set(rig->sad, &bad, 2), -EINVAL); \
	} while (0)
	REFUSED(family, 5);
	REFUSED(mode, MSG_MODE_N);
	REFUSED(dscp, 64);
	REFUSED(fragment, MSG_FRAGMENT_N);
	REFUSED(n_ts, MSG_TS_MAX + 1);
	REFUSED(n_children, 3);
	REFUSED(n_children, 9);
	REFUSED(df, MSG_DF_N);
	REFUSED(tunnel.slot, RIG_TUNNELS);
	REFUSED(mtu, 67);
	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	assert_int_equal(rig->sad->conf[TUNNEL].n_children, 4);
	t.mss = 1300;
	t.fragment = MSG_FRAGMENT_AFTER;
	assert_int_equal(sad_tunnel_set(rig->sad, &t, 2), 0);
	assert_int_equal(rig->sad->conf[TUNNEL].mss, 1300);
	assert_int_equal(rig->sad->conf[TUNNEL].fragment, MSG_FRAGMENT_AFTER);
	wide_settle();
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_reset, rig_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_first_child_that_names_a_packet_has_it),
		T(a_child_without_an_sa_takes_its_traffic_with_it),
		T(each_child_asks_at_its_own_rate),
		T(a_narrowed_sa_leaves_the_rest_to_the_next),
		T(a_new_sa_replaces_only_its_own_childs),
		T(each_child_has_room_for_four_inbound_sas),
		T(an_inbound_sa_takes_its_own_childs_traffic_only),
		T(the_number_of_children_may_change),
		T(one_child_asks_for_what_its_config_names),
		T(wrong_tunnels_are_refused),
	};

	return cmocka_run_group_tests_name("children", tests, rig_start, rig_stop);
}
