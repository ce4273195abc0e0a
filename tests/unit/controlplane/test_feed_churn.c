/* Any order of changes ends in the table that a naive reading of the rules gives. */
#include "feed_lab.h"

#include <stdio.h>
#include <string.h>

enum { N_PREFIX = 24, N_NH = 10, N_TUNNEL = 3, ROUNDS = 120, STEPS = 12, DEPTH = 8 };

/* Overlapping on purpose; next hops lie in them. */
static const char *const prefixes[N_PREFIX] = {
	"0.0.0.0/0",     "10.0.0.0/8",     "10.1.0.0/16",   "10.1.1.0/24",   "10.1.1.1/32",   "10.2.0.0/16",
	"10.2.2.0/24",   "10.2.2.2/32",    "10.3.0.0/16",   "10.3.3.0/24",   "172.16.0.0/12", "172.16.0.0/24",
	"172.16.0.6/32", "172.16.0.7/32",  "10.128.0.0/9",  "10.4.0.0/16",   "10.5.0.0/16",   "10.6.0.0/16",
	"192.0.2.0/24",  "192.0.2.128/25", "198.51.0.0/16", "198.18.0.0/15", "128.0.0.0/1",   "10.1.1.0/25",
};
static const char *const nhs[N_NH] = {"203.0.113.1", "192.168.2.9", "10.1.1.1",  "10.2.2.2", "10.3.3.3",
				      "172.16.0.6",  "172.16.0.7",  "192.0.2.9", "10.9.9.9", "192.168.2.8"};

struct model {
	struct tunnel *t[N_TUNNEL];
	bool up[N_TUNNEL];
	/* statics: per prefix one through a next hop, one through a tunnel; -1: none */
	int via[N_PREFIX], tunnel[N_PREFIX];
	uint8_t via_distance[N_PREFIX], tunnel_distance[N_PREFIX];
	int bgp[N_PREFIX], bgp2[N_PREFIX]; /* next hops; peer: none of those that are known, so nothing is guarded */
};

static struct model m;
static uint32_t seed;
static bool six;

/* The rules know no family: the same in IPv6 is the same 32 bits further behind. Two texts live at a time. */
static const char *in_family(const char *v4)
{
	static char text[4][IP_STR];
	static unsigned n;
	struct ip_prefix p, to = {.addr.family = IP_V6};
	char *buf = text[n++ % N_ELEMS(text)];

	if (!six)
		return v4;
	assert_int_equal(ip_prefix_parse(v4, true, &p), 0);
	memcpy(to.addr.b, "\x20\x01\x0d\xb8", 4);
	memcpy(to.addr.b + 4, p.addr.b, 4);
	to.len = (uint8_t)(p.len + 32);
	return strchr(v4, '/') ? ip_prefix_str(&to, buf) : ip_str(&to.addr, buf);
}

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

/* Bit per leg: tunnel 0..2, then next hop on a port 3.. */
typedef uint32_t legs;

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static legs resolve(int nh, uint32_t stack, unsigned depth);

static legs candidate(int p, unsigned which, uint32_t stack, unsigned depth, bool blocked, bool *down)
{
	legs l = 0;

	switch (which) {
	case 0: /* static through a tunnel */
		if (m.tunnel[p] < 0)
			return 0;
		if (m.up[m.tunnel[p]])
			return 1u << m.tunnel[p];
		*down = true;
		return 0;
	case 1:
		l = m.via[p] < 0 ? 0 : resolve(m.via[p], stack, depth);
		break;
	default:
		l = m.bgp[p] < 0 ? 0 : resolve(m.bgp[p], stack, depth);
		if (m.bgp2[p] >= 0)
			l |= resolve(m.bgp2[p], stack, depth);
	}
	return blocked ? l & ((1u << N_TUNNEL) - 1) : l;
}

static unsigned distance(int p, unsigned which)
{
	return which == 0 ? m.tunnel_distance[p] : which == 1 ? m.via_distance[p] : 20;
}

/* The candidates of p in order of their distance; ties: the order in which they are numbered. */
static void ranked(int p, unsigned order[3])
{
	for (unsigned i = 0; i < 3; i++)
		order[i] = i;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++)
			if (distance(p, order[k]) > distance(p, order[k + 1])) {
				unsigned x = order[k];

				order[k] = order[k + 1];
				order[k + 1] = x;
			}
}

static legs resolve(int nh, uint32_t stack, unsigned depth)
{
	struct ip_addr a = addr(nhs[nh]);
	bool blocked = false;

	if (stack & 1u << nh || depth == DEPTH)
		return 0;
	for (int len = 32; len >= 0; len--) {
		if (len == 24 && (nh <= 1 || nh == 9))
			return blocked ? 0 : 1u << (N_TUNNEL + nh); /* on a port's network */
		for (int p = 0; p < N_PREFIX; p++) {
			struct ip_prefix x;
			unsigned order[3];
			bool down = false;

			assert_int_equal(ip_prefix_parse(prefixes[p], false, &x), 0);
			if (x.len != len || !ip_prefix_contains(&x, &a))
				continue;
			ranked(p, order);
			for (unsigned i = 0; i < 3; i++) {
				legs l = candidate(p, order[i], stack | 1u << nh, depth + 1, blocked, &down);

				if (l)
					return l;
			}
			blocked |= down;
		}
	}
	return 0;
}

static legs wanted(int p)
{
	unsigned order[3];
	bool down;

	ranked(p, order);
	for (unsigned i = 0; i < 3; i++) {
		legs l = candidate(p, order[i], 0, 0, false, &down);

		if (l)
			return l;
	}
	return 0;
}

static legs has(int p)
{
	struct ip_prefix x;
	const struct fake_fib_nh *nh;
	legs l = 0;

	assert_int_equal(ip_prefix_parse(in_family(prefixes[p]), false, &x), 0);
	nh = fake_fib_get(&lab.fib, &x);
	for (unsigned i = 0; nh && i < nh->n; i++) {
		const struct msg_nh_leg *leg = &nh->leg[i];

		if (leg->kind == MSG_NH_TUNNEL)
			l |= 1u << leg->tunnel.slot;
		for (unsigned k = 0; k < N_NH && leg->kind == MSG_NH_PORT; k++)
			if (!memcmp(leg->via, addr(in_family(nhs[k])).b, 16))
				l |= 1u << (N_TUNNEL + k);
	}
	return l;
}

static void write_config(void)
{
	lab.cfg.n_routes = 0;
	for (unsigned p = 0; p < N_PREFIX; p++) {
		if (m.tunnel[p] >= 0)
			lab_route(in_family(prefixes[p]), NULL, m.t[m.tunnel[p]]->cfg.name, m.tunnel_distance[p]);
		if (m.via[p] >= 0)
			lab_route(in_family(prefixes[p]), in_family(nhs[m.via[p]]), NULL, m.via_distance[p]);
	}
	feed_config(rig.feed, &lab.cfg);
}

static void step(void)
{
	unsigned p = rnd(N_PREFIX), t = rnd(N_TUNNEL);

	switch (rnd(8)) {
	case 0:
		m.tunnel[p] = rnd(2) ? (int)t : -1;
		m.tunnel_distance[p] = rnd(2) ? 1 : 30;
		write_config();
		break;
	case 1:
		m.via[p] = rnd(2) ? (int)rnd(N_NH) : -1;
		m.via_distance[p] = rnd(2) ? 2 : 25;
		write_config();
		break;
	case 2:
		m.up[t] = !m.up[t];
		feed_tunnel_up(rig.feed, m.t[t], m.up[t]);
		break;
	case 3:
		rig_settle();
		break;
	default:
		m.bgp[p] = rnd(3) ? (int)rnd(N_NH) : -1;
		m.bgp2[p] = m.bgp[p] >= 0 && rnd(3) == 0 ? (int)rnd(N_NH) : -1;
		lab_bgp(in_family(prefixes[p]), 7, m.bgp[p] < 0 ? NULL : in_family(nhs[m.bgp[p]]),
			m.bgp2[p] < 0 ? NULL : in_family(nhs[m.bgp2[p]]));
	}
}

static void compare(unsigned round)
{
	for (int p = 0; p < N_PREFIX; p++)
		if (has(p) != wanted(p))
			fail_msg("seed %u round %u: %s has legs %x, the rules say %x", seed, round, prefixes[p], has(p),
				 wanted(p));
}

static void churn(uint32_t with, bool drops)
{
	seed = with;
	memset(&m, 0, sizeof(m));
	for (unsigned p = 0; p < N_PREFIX; p++)
		m.via[p] = m.tunnel[p] = m.bgp[p] = m.bgp2[p] = -1;
	lab_up();
	for (unsigned i = 0; i < lab.cfg.n_ports && six; i++) {
		char text[IP_STR];

		snprintf(text, sizeof(text), "%s", in_family(i ? "192.168.2.1/24" : "203.0.113.10/24"));
		assert_int_equal(ip_prefix_parse(text, true, &lab.cfg.port[i].addr[0]), 0);
	}
	for (unsigned t = 0; t < N_TUNNEL; t++) {
		char name[8];

		snprintf(name, sizeof(name), "t%u", t);
		m.t[t] = lab_tunnel(name, NULL);
	}
	lab_config();
	for (unsigned r = 0; r < ROUNDS; r++) {
		for (unsigned s = rnd(STEPS); s > 0; s--)
			step();
		if (drops && r % 50 == 49)
			fake_dp_drop(&rig.fake);
		lab_settle();
		compare(r);
	}
	lab_down();
}

static void any_order_of_changes_ends_in_the_same_table(void **state)
{
	(void)state;
	for (uint32_t s = 1; s <= 12; s++)
		churn(s * 2654435761u, false);
}

static void and_so_with_a_data_plane_that_comes_and_goes(void **state)
{
	(void)state;
	for (uint32_t s = 1; s <= 2; s++)
		churn(s * 40503u, true);
}

static void and_so_in_ipv6(void **state)
{
	(void)state;
	six = true;
	for (uint32_t s = 1; s <= 6; s++)
		churn(s * 2246822519u, s == 6);
	six = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_changes_ends_in_the_same_table),
		cmocka_unit_test(and_so_with_a_data_plane_that_comes_and_goes),
		cmocka_unit_test(and_so_in_ipv6),
	};

	return cmocka_run_group_tests_name("feed-churn", tests, NULL, NULL);
}
