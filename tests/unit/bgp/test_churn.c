/* The RIB against a model that does everything anew each time, under random events. Each seed is one life of a gateway. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/aspath.h"
#include "bgp/update.h"
#include "tests/unit/bgp/rib_rig.h"

enum { PEERS = 5, PREFIXES = 24, SETS = 14, HOPS = 5, STEPS = 3000, LIVES = 120 };
/* Some lives have a table of several slices, so that events fall in between: paths of one more peer, which are not accepted. */
enum { HEAVY = 6, BALLAST = 4 * RIB_SLICE, BALLAST_PEER = PEERS };

static const char *const prefixes[PREFIXES] = {
	"0.0.0.0/0",     "10.0.0.0/8",    "10.1.0.0/16",   "10.1.1.0/24",     "10.1.1.0/25",     "10.1.1.128/25",
	"10.200.0.0/16", "11.0.0.0/8",    "11.1.0.0/16",   "172.16.0.0/12",   "192.0.2.0/24",    "192.0.2.1/32",
	"::/0",          "2001:db8::/32", "2001:db8::/48", "2001:db8:1::/48", "2001:db8:2::/48", "fd00::/8",
	"10.2.0.0/16",   "10.3.0.0/16",   "10.4.0.0/16",   "10.5.0.0/16",     "10.6.0.0/16",     "10.7.0.0/16",
};
static const char *const policy_names[] = {NULL, "all", "all", "all", "ten", "none"};
static const char *const hops[HOPS] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.77", "10.0.0.254"};

/* The model: what has been said, nothing derived. */
static struct {
	const struct bgp_attrs *in[PEERS][PREFIXES];
	bool up[PEERS], def[PEERS], own[PREFIXES];
	const char *import[PEERS], *export[PEERS];
	bool reach[HOPS];
	uint32_t metric[HOPS];
	unsigned multipath;
} m;

static struct rig g;
static uint64_t dice;
static struct ip_prefix prefix[PREFIXES];
static const struct bgp_attrs *set[SETS];

static unsigned roll(unsigned n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 33) % n;
}

/* --- the model's view --- */

static bool ten(const struct ip_prefix *p)
{
	return p->addr.family == IP_V4 && p->addr.b[0] == 10;
}

static bool passes(const char *policy, const struct ip_prefix *p)
{
	return policy && (strcmp(policy, "all") == 0 || (strcmp(policy, "ten") == 0 && ten(p)));
}

static int hop_of(const struct ip_addr *a)
{
	for (int i = 0; i < HOPS; i++) {
		struct ip_addr h = rig_addr(hops[i]);

		if (ip_equal(&h, a))
			return i;
	}
	return -1;
}

static bool accepted(unsigned peer, unsigned p)
{
	const struct bgp_attrs *a = m.in[peer][p];

	return a && m.up[peer] && !aspath_contains(attr_path(a), a->path_len, RIG_AS) &&
	       hop_of(&a->nexthop) != HOPS - 1 && passes(m.import[peer], &prefix[p]);
}

static bool eligible(unsigned peer, unsigned p)
{
	return accepted(peer, p) && m.reach[hop_of(&m.in[peer][p]->nexthop)];
}

static uint32_t med_of(unsigned peer, unsigned p)
{
	const struct bgp_attrs *a = m.in[peer][p];

	if (strcmp(m.import[peer], "ten") == 0)
		return 77;
	return a->has & BGP_HAS_MED ? a->med : 0;
}

static uint32_t first_as(unsigned peer, unsigned p)
{
	return aspath_first(attr_path(m.in[peer][p]), m.in[peer][p]->path_len);
}

/* x is put out by some y before the tie is broken by IDs: stage by stage, with sets of survivors as bits. */
static unsigned survivors(unsigned p)
{
	unsigned alive = 0, next;

	for (unsigned x = 0; x < PEERS; x++)
		alive |= (unsigned)eligible(x, p) << x;
	for (unsigned stage = 0; stage < 4; stage++) {
		next = alive;
		for (unsigned x = 0; x < PEERS; x++)
			for (unsigned y = 0; y < PEERS; y++) {
				const struct bgp_attrs *a = m.in[x][p], *b = m.in[y][p];
				bool worse;

				if (!(alive >> x & alive >> y & 1))
					continue;
				worse = stage == 0   ? a->hops > b->hops
					: stage == 1 ? a->origin > b->origin
					: stage == 2 ? first_as(x, p) == first_as(y, p) && med_of(x, p) > med_of(y, p)
						     : m.metric[hop_of(&a->nexthop)] > m.metric[hop_of(&b->nexthop)];
				if (worse)
					next &= ~(1u << x);
			}
		alive = next;
	}
	return alive;
}

/* Peers in force, the best first; IDs rise with the index. */
static unsigned in_force(unsigned p, unsigned out[PEERS])
{
	unsigned alive = survivors(p), n = 0;

	for (unsigned x = 0; x < PEERS && n < m.multipath; x++) {
		bool fits = alive >> x & 1;

		for (unsigned k = 0; k < n && fits; k++)
			fits = first_as(x, p) == first_as(out[0], p) &&
			       !ip_equal(&m.in[x][p]->nexthop, &m.in[out[k]][p]->nexthop);
		if (fits)
			out[n++] = x;
	}
	return n;
}

static void check_route(unsigned p)
{
	const struct rig_route *r = rig_route(&g, prefixes[p]);
	unsigned who[PEERS], n = in_force(p, who);

	assert_int_equal(r ? r->n : 0, n);
	for (unsigned k = 0; k < n; k++) {
		assert_int_equal(r->peer[k], who[k]);
		assert_true(ip_equal(&r->nexthop[k], &m.in[who[k]][p]->nexthop));
	}
}

/* The AS path that peer must hold of p; NULL: none. */
static const char *expected(unsigned peer, unsigned p)
{
	static char text[256];
	char path[200] = "";
	unsigned who[PEERS], n = in_force(p, who);

	if (prefix[p].addr.family == IP_V6)
		return NULL; /* the sessions have no address of it */
	if (m.def[peer] && prefix[p].len == 0)
		return "65001";
	if (!passes(m.export[peer], &prefix[p]) || (!m.own[p] && (n == 0 || who[0] == peer)))
		return NULL;
	if (!m.own[p])
		aspath_text(attr_path(m.in[who[0]][p]), m.in[who[0]][p]->path_len, path, sizeof(path));
	(void)snprintf(text, sizeof(text), "65001%s%s", *path ? " " : "", path);
	return text;
}

static void check_heard(unsigned peer, unsigned p)
{
	const struct bgp_attrs *a = rig_held(&g, peer, prefixes[p]);
	const char *want = expected(peer, p);
	char path[256];
	bool med;

	if (!want || !a) {
		assert_true(!want && !a);
		return;
	}
	aspath_text(attr_path(a), a->path_len, path, sizeof(path));
	assert_string_equal(path, want);
	assert_true(ip_equal(&a->nexthop, &g.session[peer].codec.local));
	med = (m.def[peer] && prefix[p].len == 0) || strcmp(m.export[peer] ? m.export[peer] : "", "ten") == 0;
	assert_int_equal(a->has, med ? BGP_HAS_MED : 0);
}

/* A next hop that is watched anew is not reachable until somebody says so; the model's somebody says it at once. */
static void answer_nexthops(void)
{
	for (unsigned h = 0; h < HOPS; h++)
		rig_reach(&g, hops[h], m.reach[h], m.metric[h]);
}

static bool order_row(void *arg, const struct bgp_row *row)
{
	struct ip_prefix *last = arg;
	int d = ip_cmp(&last->addr, &row->prefix.addr);

	assert_true(d < 0 || (d == 0 && last->len <= row->prefix.len));
	*last = row->prefix;
	return true;
}

static void check_counts(unsigned peer)
{
	struct ip_prefix after = {.addr = {.family = IP_NONE}}, last = after;
	unsigned received = 0, ok = 0, sent = 0, rows = 0, n;

	for (unsigned p = 0; p < PREFIXES; p++) {
		received += m.in[peer][p] != NULL;
		ok += accepted(peer, p);
		sent += m.up[peer] && expected(peer, p);
	}
	assert_int_equal(rib_received(g.r, peer), received);
	assert_int_equal(rib_accepted(g.r, peer), ok);
	assert_int_equal(out_count(g.r, peer), sent);
	while ((n = rib_walk(g.r, BGP_VIEW_RECEIVED, peer, &after, 1 + roll(9), order_row, &last)))
		rows += n;
	assert_int_equal(rows, received);
}

static void check_all(void)
{
	rig_pull(&g);
	answer_nexthops(); /* a policy may have let new ones in */
	rig_pull(&g);
	for (unsigned p = 0; p < PREFIXES; p++)
		check_route(p);
	for (unsigned i = 0; i < PEERS; i++) {
		check_counts(i);
		for (unsigned p = 0; p < PREFIXES && m.up[i]; p++)
			check_heard(i, p);
	}
	assert_int_equal(g.same_again, 0);
	for (int h = 0; h < HOPS; h++) {
		struct ip_addr a = rig_addr(hops[h]);
		bool used = false;

		for (unsigned x = 0; x < PEERS; x++)
			for (unsigned p = 0; p < PREFIXES; p++)
				used |= accepted(x, p) && hop_of(&m.in[x][p]->nexthop) == h;
		assert_int_equal(rig_watched(&g, &a), used);
	}
}

/* --- events --- */

static void peer_down(unsigned i)
{
	rig_peer_down(&g, i);
	m.up[i] = false;
	m.def[i] = false;
	for (unsigned p = 0; p < PREFIXES; p++) {
		intern_put(g.in, m.in[i][p]);
		m.in[i][p] = NULL;
	}
}

static void peer_event(unsigned i)
{
	m.import[i] = policy_names[roll(6)];
	m.export[i] = policy_names[roll(6)];
	if (!m.up[i] || roll(2)) {
		if (m.up[i])
			peer_down(i);
		rig_peer(&g, i, m.import[i], m.export[i]);
		m.up[i] = true;
	} else {
		rib_peer_policy(g.r, i, rig_policy(&g, m.import[i]), rig_policy(&g, m.export[i]), RIG_AS);
	}
}

static void path_event(unsigned i, unsigned p)
{
	if (!m.up[i])
		return;
	intern_put(g.in, m.in[i][p]);
	m.in[i][p] = NULL;
	if (roll(3)) {
		m.in[i][p] = intern_ref(set[roll(SETS)]);
		rib_update(g.r, i, &prefix[p], m.in[i][p]);
	} else {
		rib_withdraw(g.r, i, &prefix[p]);
	}
}

static void read_some(unsigned i)
{
	/* one message leaves while everything moves on */
	uint8_t buf[BGP_MSG_MAX];

	if (g.session[i].codec.peer_as)
		rig_hear(&g, i, buf, out_pull(g.r, i, buf));
}

static void event(void)
{
	unsigned i = roll(PEERS), p = roll(PREFIXES), h = roll(HOPS);

	switch (roll(40)) {
	case 0:
		peer_event(i);
		break;
	case 1:
		if (m.up[i])
			peer_down(i);
		break;
	case 2:
		m.reach[h] = roll(3) != 0;
		m.metric[h] = roll(2);
		break;
	case 3:
		m.own[p] = !m.own[p];
		rib_originate(g.r, &prefix[p], m.own[p]);
		break;
	case 4:
		m.multipath = 1 + roll(4);
		rib_multipath(g.r, m.multipath);
		break;
	case 5:
		if (m.up[i]) {
			m.def[i] = !m.def[i];
			rib_peer_export(g.r, i, m.def[i], 0);
		}
		break;
	case 6:
	case 7:
		(void)rib_work(g.r);
		break;
	case 8:
	case 9:
	case 10:
		read_some(i);
		break;
	default:
		path_event(i, p);
	}
	answer_nexthops();
}

static void make_sets(void)
{
	static const char *const paths[] = {"65010",       "65010 65020", "65011",       "65010 65001",
					    "65012 65020", "65010 65021", "65011 65021", "65010 65022"};

	for (unsigned i = 0; i < SETS; i++) {
		const struct bgp_attrs *a = rig_set(&g, hops[roll(20) ? roll(HOPS - 1) : HOPS - 1], paths[roll(8)]);
		struct bgp_attrs_draft d;

		attr_draft(&d, a);
		d.a.origin = roll(4) == 0;
		if (roll(3) == 0) {
			d.a.has |= BGP_HAS_MED;
			d.a.med = roll(3);
		}
		set[i] = intern_get(g.in, &d.a);
		intern_put(g.in, a);
	}
}

static void ballast_row(unsigned i, bool there)
{
	struct ip_prefix p = {.addr = ip_v4(0xf0000000 + (i << 8)), .len = 24};

	if (there)
		rib_update(g.r, BALLAST_PEER, &p, set[0]);
	else
		rib_withdraw(g.r, BALLAST_PEER, &p);
}

/* Free rows stay everywhere in the table for the prefixes of the model. */
static void take_ballast(void)
{
	rig_peer(&g, BALLAST_PEER, NULL, NULL);
	for (unsigned i = 0; i < BALLAST; i++)
		ballast_row(i, true);
	for (unsigned i = 0; i < BALLAST; i += BALLAST / PREFIXES)
		ballast_row(i, false);
}

static void one_life(uint64_t seed, bool heavy)
{
	memset(&m, 0, sizeof(m));
	dice = seed * 0x9e3779b97f4a7c15 + 1;
	rig_init(&g);
	m.multipath = 1;
	make_sets();
	if (heavy)
		take_ballast();
	for (unsigned step = 0; step < STEPS; step++) {
		event();
		if (roll(60) == 0)
			check_all();
	}
	check_all();
	for (unsigned i = 0; i < PEERS; i++)
		if (m.up[i])
			peer_down(i);
	for (unsigned p = 0; p < PREFIXES; p++)
		rib_originate(g.r, &prefix[p], m.own[p] = false);
	check_all();
	rig_peer_down(&g, BALLAST_PEER);
	rig_work(&g);
	for (unsigned i = 0; i < SETS; i++)
		intern_put(g.in, set[i]);
	{
		struct bgp_totals t;

		rib_totals(g.r, &t);
		assert_int_equal(t.prefixes + t.paths, 0);
	}
	rig_fini(&g);
}

static void the_model_is_right(void **state)
{
	(void)state;
	for (unsigned p = 0; p < PREFIXES; p++)
		prefix[p] = rig_prefix(prefixes[p]);
	for (uint64_t seed = 1; seed <= LIVES; seed++)
		one_life(seed, seed > LIVES - HEAVY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_model_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
