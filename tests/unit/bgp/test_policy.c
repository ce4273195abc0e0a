#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "bgp/aspath.h"
#include "bgp/intern.h"
#include "bgp/policy.h"
#include "tests/vectors/as_path_frr.h"

#define PORT "ports: {wan0: {device: \"af_packet:eth1\", addresses: [203.0.113.10/24]}}\n"

static struct config *load(const char *text)
{
	char *all = NULL;
	struct cfg_errors errs = {0};
	struct config *c;

	assert_true(asprintf(&all, PORT "%s", text) > 0);
	c = config_load_text(all, strlen(all), NULL, false, &errs);
	cfg_errors_print(&errs, "test", 2);
	assert_non_null(c);
	cfg_errors_free(&errs);
	free(all);
	return c;
}

/* "1 2 {3,4}" in kept form. */
static size_t path_of(const char *text, uint8_t *out)
{
	size_t n = 0, seg = 0;
	bool set = false;

	for (const char *s = text; *s;) {
		char *end;
		uint32_t as;

		if (*s == '{' || (*s >= '0' && *s <= '9' && !set && (s == text || s[-2] == '}'))) {
			seg = n;
			set = *s == '{';
			out[n++] = set ? BGP_AS_SET : BGP_AS_SEQUENCE;
			out[n++] = 0;
		}
		if (*s < '0' || *s > '9') {
			set &= *s != '}';
			s++;
			continue;
		}
		as = (uint32_t)strtoul(s, &end, 10);
		out[n++] = (uint8_t)(as >> 24);
		out[n++] = (uint8_t)(as >> 16);
		out[n++] = (uint8_t)(as >> 8);
		out[n++] = (uint8_t)as;
		out[seg + 1]++;
		s = end;
	}
	return n;
}

static const struct bgp_attrs *set_of(struct intern *in, const char *path, const uint32_t *comm, unsigned n_comm)
{
	static struct bgp_attrs_draft d;
	uint8_t octets[1024], c[256];

	memset(&d, 0, sizeof(d.a));
	d.a.nexthop = ip_v4(0x0a000001);
	d.a.med = 7;
	d.a.has = BGP_HAS_MED;
	assert_int_equal(attr_set_part(&d, 0, octets, path_of(path, octets)), 0);
	for (unsigned i = 0; i < n_comm; i++)
		for (unsigned j = 0; j < 4; j++)
			c[4 * i + j] = (uint8_t)(comm[i] >> (24 - 8 * j));
	assert_int_equal(attr_set_part(&d, 1, c, 4 * n_comm), 0);
	return intern_get(in, &d.a);
}

static const struct policy_ctx ctx = {.local_as = 65001, .peer_as = 65515};

static struct ip_prefix net(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, false, &p), 0);
	return p;
}

/* The number of the entry that permits; 0: denied. */
static unsigned verdict(const struct policy *p, struct intern *in, const char *prefix, const char *path)
{
	const struct bgp_attrs *a = set_of(in, path, NULL, 0), *r;
	struct ip_prefix to = net(prefix);
	unsigned entry = 99;

	r = policy_apply(p, &ctx, &to, a, &entry);
	if (r)
		assert_ptr_equal(r, a);
	assert_true(entry != 99);
	intern_put(in, r);
	intern_put(in, a);
	return r ? entry : 0;
}

/* The lists of a route server's FRR, as its configuration has them. */
static void bogon_paths_of_a_route_server(void **state)
{
	static const struct {
		const char *path;
		bool accepted;
	} rows[] = {
		{"65515", true},
		{"65515 12076", true},
		{"65515 65010", true},
		{"65515 0", false},
		{"65515 23456", false},
		{"65515 131000", false},
		{"65515 131069", false},
		{"65515 131071", false},
		{"65515 130999", true},
		{"65515 65552", true},
		{"65515 650", true},
		{"65515 65515 65010", true},
		{"650", false},
		{"65001 12", false},
		{"12 65010", true},
		{"", true},
		{"12 {65515,23456}", false},
	};
	struct config *c = load(
		"as-path-lists:\n  azure-asns: [{permit: _65515_}]\n  bogon-asns:\n    - {permit: _0_}\n"
		"    - {permit: _23456_}\n    - {permit: \"_1310[0-6][0-9]_|_13107[0-1]_\"}\n    - {deny: _65515_}\n"
		"    - {permit: ^65}\n"
		"policies:\n  in: [{deny: {as-path: bogon-asns}}, {permit: {}}]\n"
		"  out: [{deny: {as-path: azure-asns}}, {permit: {}}]\n");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);

	(void)state;
	for (unsigned round = 0; round < 2; round++) /* the second time as remembered */
		for (unsigned i = 0; i < N_ELEMS(rows); i++) {
			unsigned v = verdict(policy_find(s, "in"), in, "10.0.0.0/8", rows[i].path);

			if (v != (rows[i].accepted ? 2 : 0))
				print_error("%s: %u\n", rows[i].path, v);
			assert_int_equal(v, rows[i].accepted ? 2 : 0);
			assert_int_equal(!verdict(policy_find(s, "out"), in, "10.0.0.0/8", rows[i].path),
					 strstr(rows[i].path, "65515") != NULL);
		}
	policy_set_free(s);
	assert_int_equal(intern_count(in), 0);
	intern_free(in);
	config_free(c);
}

/* From sets as they are kept, through their text, by lists: what FRR says of each pattern and path. */
static void lists_say_what_frr_says(void **state)
{
	struct config *c = calloc(1, sizeof(*c));
	struct intern *in = intern_new();
	struct policy_set *s;

	(void)state;
	c->n_as_path_lists = c->n_policies = N_ELEMS(frr_verdicts);
	c->as_path_list = calloc(c->n_as_path_lists, sizeof(c->as_path_list[0]));
	c->policy = calloc(c->n_policies, sizeof(c->policy[0]));
	for (unsigned i = 0; i < N_ELEMS(frr_verdicts); i++) {
		struct cfg_as_path_rule *r = calloc(1, sizeof(*r));
		struct cfg_policy_entry *e = calloc(1, sizeof(*e));

		*r = (struct cfg_as_path_rule){.permit = true, .regex = strdup(frr_verdicts[i].pattern)};
		c->as_path_list[i] = (struct cfg_as_path_list){.rule = r, .n_rules = 1};
		snprintf(c->as_path_list[i].name, CFG_NAME_MAX, "l%u", i);
		e->permit = true;
		snprintf(e->as_path, CFG_NAME_MAX, "l%u", i);
		c->policy[i] = (struct cfg_policy){.entry = e, .n_entries = 1};
		snprintf(c->policy[i].name, CFG_NAME_MAX, "p%u", i);
	}
	s = policy_set_new(c, in);
	for (unsigned i = 0; i < N_ELEMS(frr_verdicts); i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%u", i);
		for (unsigned j = 0; j < N_ELEMS(frr_paths); j++)
			assert_int_equal(verdict(policy_find(s, name), in, "10.0.0.0/8", frr_paths[j]),
					 frr_verdicts[i].verdicts[j] == '1');
	}
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

/* More lists than one word has bits, paths longer than are remembered. */
static void many_lists_and_long_paths(void **state)
{
	static char text[16384], path[2048];
	struct intern *in = intern_new();
	struct policy_set *s;
	struct config *c;
	size_t o = 0;

	(void)state;
	o += (size_t)snprintf(text + o, sizeof(text) - o, "as-path-lists:\n");
	for (unsigned i = 1; i <= 130; i++)
		o += (size_t)snprintf(text + o, sizeof(text) - o, "  l%u: [{permit: _%u_}]\n", i, i);
	o += (size_t)snprintf(text + o, sizeof(text) - o, "policies:\n");
	for (unsigned i = 1; i <= 130; i++)
		o += (size_t)snprintf(text + o, sizeof(text) - o, "  p%u: [{permit: {as-path: l%u}}]\n", i, i);
	c = load(text);
	s = policy_set_new(c, in);
	o = 0;
	for (unsigned i = 0; i < 60; i++)
		o += (size_t)snprintf(path + o, sizeof(path) - o, "%u ", 70000 + i);
	snprintf(path + o, sizeof(path) - o, "129");
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 1; i <= 130; i++) {
			char name[8];

			snprintf(name, sizeof(name), "p%u", i);
			assert_int_equal(verdict(policy_find(s, name), in, "10.0.0.0/8", "1 64 65 66 130"),
					 i == 1 || (i >= 64 && i <= 66) || i == 130);
			assert_int_equal(verdict(policy_find(s, name), in, "10.0.0.0/8", path), i == 129);
		}
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

static void prefix_lists_match_as_in_frr(void **state)
{
	static const struct {
		const char *prefix;
		bool exact, longer, upto, between, any, first, six;
	} rows[] = {
		{"10.0.0.0/8", true, false, true, false, true, false, false},
		{"10.1.0.0/16", false, true, true, true, true, false, false},
		{"10.1.1.0/24", false, true, true, true, true, true, false},
		{"10.1.1.128/25", false, true, false, false, true, true, false},
		{"10.1.1.1/32", false, true, false, false, true, true, false},
		{"10.0.0.0/7", false, false, false, false, true, false, false},
		{"11.0.0.0/8", false, false, false, false, true, false, false},
		{"0.0.0.0/0", false, false, false, false, true, false, false},
		{"10.2.0.0/16", false, true, true, true, true, false, false},
		{"2001:db8::/32", false, false, false, false, false, false, false},
		{"2001:db8:1::/48", false, false, false, false, false, false, true},
		{"2001:db9:1::/48", false, false, false, false, false, false, false},
	};
	struct config *c =
		load("prefix-lists:\n  exact: [{permit: 10.0.0.0/8}]\n  longer: [{permit: 10.0.0.0/8, ge: 16}]\n"
		     "  upto: [{permit: 10.0.0.0/8, le: 24}]\n  between: [{permit: 10.0.0.0/8, ge: 9, le: 24}]\n"
		     "  any: [{permit: 0.0.0.0/0, le: 32}]\n"
		     "  first: [{deny: 10.1.0.0/16}, {permit: 10.1.0.0/16, le: 32}, {deny: 0.0.0.0/0, le: 32}]\n"
		     "  six: [{permit: \"2001:db8::/32\", ge: 48, le: 48}]\n"
		     "policies:\n  exact: [{permit: {prefix: exact}}]\n  longer: [{permit: {prefix: longer}}]\n"
		     "  upto: [{permit: {prefix: upto}}]\n  between: [{permit: {prefix: between}}]\n"
		     "  any: [{permit: {prefix: any}}]\n  first: [{permit: {prefix: first}}]\n  six: [{permit: "
		     "{prefix: six}}]\n");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		assert_int_equal(verdict(policy_find(s, "exact"), in, rows[i].prefix, "1"), rows[i].exact);
		assert_int_equal(verdict(policy_find(s, "longer"), in, rows[i].prefix, "1"), rows[i].longer);
		assert_int_equal(verdict(policy_find(s, "upto"), in, rows[i].prefix, "1"), rows[i].upto);
		assert_int_equal(verdict(policy_find(s, "between"), in, rows[i].prefix, "1"), rows[i].between);
		assert_int_equal(verdict(policy_find(s, "any"), in, rows[i].prefix, "1"), rows[i].any);
		assert_int_equal(verdict(policy_find(s, "first"), in, rows[i].prefix, "1"), rows[i].first);
		assert_int_equal(verdict(policy_find(s, "six"), in, rows[i].prefix, "1"), rows[i].six);
	}
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

/* A list of random rules must say what reading it row by row says. */
static void long_prefix_lists_say_what_their_rows_say(void **state)
{
	struct cfg_prefix_rule rule[400];
	struct cfg_prefix_list list = {.name = "l", .rule = rule, .n_rules = N_ELEMS(rule)};
	struct cfg_policy_entry e = {.permit = true, .prefix = "l"};
	struct cfg_policy p = {.name = "p", .entry = &e, .n_entries = 1};
	struct config c = {.prefix_list = &list, .n_prefix_lists = 1, .policy = &p, .n_policies = 1};
	struct intern *in = intern_new();
	unsigned yes = 0;
	struct policy_set *s;

	(void)state;
	srandom(5);
	for (unsigned i = 0; i < N_ELEMS(rule); i++) {
		struct ip_prefix net = {.addr = ip_v4(0x0a000000u | (uint32_t)(random() & 0x030303ff)),
					.len = (uint8_t)(random() % 33)};

		ip_mask(&net.addr, net.len);
		rule[i] = (struct cfg_prefix_rule){.permit = random() % 2, .prefix = net, .ge = net.len, .le = net.len};
		rule[i].le = (uint8_t)(net.len + (unsigned)random() % (33u - net.len));
		rule[i].ge = (uint8_t)(net.len + (unsigned)random() % (rule[i].le - net.len + 1u));
	}
	s = policy_set_new(&c, in);
	for (unsigned i = 0; i < 20000; i++) {
		struct ip_prefix to = {.addr = ip_v4(0x0a000000u | (uint32_t)(random() & 0x030303ff)),
				       .len = (uint8_t)(random() % 33)};
		bool want = false;
		char text[IP_STR];

		ip_mask(&to.addr, to.len);
		for (unsigned j = 0; j < N_ELEMS(rule); j++)
			if (to.len >= rule[j].ge && to.len <= rule[j].le &&
			    ip_prefix_contains(&rule[j].prefix, &to.addr)) {
				want = rule[j].permit;
				break;
			}
		assert_int_equal(verdict(policy_find(s, "p"), in, ip_prefix_str(&to, text), "1"), want);
		yes += want;
	}
	assert_true(yes > 2000 && yes < 18000);
	policy_set_free(s);
	intern_free(in);
}

static void entries_are_tried_in_order(void **state)
{
	struct config *c =
		load("prefix-lists: {a: [{permit: 10.0.0.0/8}], b: [{permit: 10.0.0.0/8}, {permit: 11.0.0.0/8}]}\n"
		     "as-path-lists: {x: [{permit: _7_}]}\n"
		     "policies:\n  p: [{deny: {prefix: a, as-path: x}}, {permit: {prefix: b}}, {deny: {as-path: x}},"
		     " {permit: {prefix: a}}]\n  none: []\n  all: [{permit: {}}]\n");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	const struct policy *p = policy_find(s, "p");

	(void)state;
	assert_int_equal(verdict(p, in, "10.0.0.0/8", "7"), 0); /* both conditions of the first hold */
	assert_int_equal(verdict(p, in, "10.0.0.0/8", "8"), 2);
	assert_int_equal(verdict(p, in, "11.0.0.0/8", "7"), 2);
	assert_int_equal(verdict(p, in, "12.0.0.0/8", "8"), 0); /* the end denies */
	assert_int_equal(verdict(policy_find(s, "none"), in, "10.0.0.0/8", "7"), 0);
	assert_int_equal(verdict(policy_find(s, "all"), in, "2001:db8::/32", ""), 1);
	assert_null(policy_find(s, ""));
	assert_null(policy_find(s, "q"));
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

static void communities_must_all_be_there(void **state)
{
	static const uint32_t comm[] = {0x10002, 0xffffff01, 0x20003};
	struct config *c = load(
		"policies: {p: [{permit: {community: [\"1:2\", no-export]}}], q: [{permit: {community: \"2:4\"}}]}");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	struct ip_prefix to = net("10.0.0.0/8");

	(void)state;
	for (unsigned n = 0; n <= 3; n++) {
		const struct bgp_attrs *a = set_of(in, "1", comm, n), *r;

		r = policy_apply(policy_find(s, "p"), &ctx, &to, a, NULL);
		assert_int_equal(r != NULL, n >= 2);
		intern_put(in, r);
		assert_null(policy_apply(policy_find(s, "q"), &ctx, &to, a, NULL));
		intern_put(in, a);
	}
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

/* ---- set ---- */

struct made {
	char path[256];
	struct bgp_attrs_draft d;
	bool denied;
};

/* What `set` makes of a path with communities 1:2 and no-export. */
static void apply(const char *set, const char *path, const char *prefix, struct made *out)
{
	static const uint32_t comm[] = {0x10002, 0xffffff01};
	struct intern *in = intern_new();
	struct ip_prefix to = net(prefix);
	const struct bgp_attrs *a, *r, *again;
	struct policy_set *s;
	struct config *c;
	char text[512];

	snprintf(text, sizeof(text), "policies: {p: [{permit: {set: {%s}}}]}\n", set);
	c = load(text);
	s = policy_set_new(c, in);
	a = set_of(in, path, comm, 2);
	r = policy_apply(policy_find(s, "p"), &ctx, &to, a, NULL);
	again = policy_apply(policy_find(s, "p"), &ctx, &to, a, NULL);
	assert_ptr_equal(r, again);
	out->denied = !r;
	if (r) {
		attr_draft(&out->d, r);
		aspath_text(attr_path(r), r->path_len, out->path, sizeof(out->path));
	}
	intern_put(in, again);
	intern_put(in, r);
	intern_put(in, a);
	policy_set_free(s);
	assert_int_equal(intern_count(in), 0);
	intern_free(in);
	config_free(c);
}

static void numbers_are_set(void **state)
{
	static struct made m;

	(void)state;
	apply("med: 0", "1 2", "10.0.0.0/8", &m);
	assert_int_equal(m.d.a.med, 0);
	assert_int_equal(m.d.a.has, BGP_HAS_MED);
	apply("local-pref: 200", "1 2", "10.0.0.0/8", &m);
	assert_int_equal(m.d.a.local_pref, 200);
	assert_int_equal(m.d.a.med, 7);
	assert_int_equal(m.d.a.has, BGP_HAS_MED | BGP_HAS_LOCAL_PREF);
	assert_string_equal(m.path, "1 2");
	assert_int_equal(m.d.a.comm_len, 8);
}

static void what_is_set_is_marked_as_there(void **state)
{
	static struct bgp_attrs_draft d;
	struct config *c = load("policies: {p: [{permit: {set: {med: 0}}}]}");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	const struct bgp_attrs *a = intern_get(in, &d.a), *r;
	struct ip_prefix to = net("10.0.0.0/8");

	(void)state;
	r = policy_apply(policy_find(s, "p"), &ctx, &to, a, NULL);
	assert_ptr_not_equal(r, a);
	assert_int_equal(r->has, BGP_HAS_MED);
	intern_put(in, r);
	intern_put(in, a);
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

static void next_hop_is_set_on_routes_of_its_family(void **state)
{
	static struct made m;
	char text[IP_STR];

	(void)state;
	apply("next-hop: 10.0.0.9", "1", "10.0.0.0/8", &m);
	assert_string_equal(ip_str(&m.d.a.nexthop, text), "10.0.0.9");
	apply("next-hop: 10.0.0.9", "1", "2001:db8::/32", &m);
	assert_string_equal(ip_str(&m.d.a.nexthop, text), "10.0.0.1");
	apply("next-hop: \"2001:db8::9\"", "1", "2001:db8::/32", &m);
	assert_string_equal(ip_str(&m.d.a.nexthop, text), "2001:db8::9");
}

static void paths_are_changed(void **state)
{
	static const struct {
		const char *set, *from, *to;
		unsigned hops;
	} rows[] = {
		{"prepend: 1", "1 2", "65001 1 2", 3},
		{"prepend: 3", "", "65001 65001 65001", 3},
		{"prepend: {as: 65050, times: 2}", "{1,2}", "65050 65050 {1,2}", 3},
		{"remove-as: 65515", "65515 1 65515 {65515} {65515,2}", "1 {2}", 2},
		{"remove-as: 1", "1", "", 0},
		{"as-override: true", "65515 1 65515 65514", "65001 1 65001 65514", 4},
		{"as-override: true, remove-as: 65515", "65515 1", "1", 1},
		{"as-override: true, prepend: 1", "65515 1", "65001 65001 1", 3},
		{"remove-as: 65515, prepend: {as: 65515, times: 1}", "65515 1", "65515 1", 2},
		{"remove-as: 1, as-override: true, prepend: 2", "1 65515 2", "65001 65001 65001 2", 4},
	};
	static struct made m;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		apply(rows[i].set, rows[i].from, "10.0.0.0/8", &m);
		assert_false(m.denied);
		assert_string_equal(m.path, rows[i].to);
		assert_int_equal(m.d.a.hops, rows[i].hops);
		assert_int_equal(m.d.a.comm_len, 8); /* what stands behind the path has moved along */
		assert_memory_equal(attr_comm(&m.d.a), "\x00\x01\x00\x02\xff\xff\xff\x01", 8);
	}
}

static void communities_are_changed(void **state)
{
	static struct made m;

	(void)state;
	apply("community: [\"3:4\", \"1:2\", blackhole]", "1", "10.0.0.0/8", &m);
	assert_int_equal(m.d.a.comm_len, 16);
	assert_memory_equal(attr_comm(&m.d.a), "\x00\x01\x00\x02\xff\xff\xff\x01\x00\x03\x00\x04\xff\xff\x02\x9a", 16);
	apply("remove-communities: true", "1", "10.0.0.0/8", &m);
	assert_int_equal(m.d.a.comm_len, 0);
	apply("remove-communities: true, community: \"1:2\"", "1", "10.0.0.0/8", &m);
	assert_int_equal(m.d.a.comm_len, 4);
	assert_memory_equal(attr_comm(&m.d.a), "\x00\x01\x00\x02", 4);
	assert_string_equal(m.path, "1");
}

/* What is remembered of one peer must not be given to another. */
static void peers_of_one_policy_are_kept_apart(void **state)
{
	struct config *c = load("policies: {p: [{permit: {set: {as-override: true, prepend: 1}}}]}");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	const struct policy *p = policy_find(s, "p");
	static const struct policy_ctx peers[] = {{65001, 1}, {65001, 2}, {65002, 2}, {65001, 1}};
	static const char *const want[] = {"65001 65001 2", "65001 1 65001", "65002 1 65002", "65001 65001 2"};
	const struct bgp_attrs *a = set_of(in, "1 2", NULL, 0);
	struct ip_prefix to = net("10.0.0.0/8");
	char text[64];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(peers); i++) {
		const struct bgp_attrs *r = policy_apply(p, &peers[i], &to, a, NULL);

		aspath_text(attr_path(r), r->path_len, text, sizeof(text));
		assert_string_equal(text, want[i]);
		intern_put(in, r);
	}
	intern_put(in, a);
	policy_set_free(s);
	assert_int_equal(intern_count(in), 0);
	intern_free(in);
	config_free(c);
}

/* What is remembered of one set, or of a prefix of one family, must not be given to another. */
static void sets_and_families_are_kept_apart(void **state)
{
	struct config *c = load("policies: {p: [{permit: {set: {next-hop: 10.0.0.9}}}]}");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	const struct bgp_attrs *a[] = {set_of(in, "1", NULL, 0), set_of(in, "2", NULL, 0)};
	struct ip_prefix to[] = {net("10.0.0.0/8"), net("2001:db8::/32")};
	char text[IP_STR];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		unsigned which = i / 2 % 2, family = i % 2;
		const struct bgp_attrs *r = policy_apply(policy_find(s, "p"), &ctx, &to[family], a[which], NULL);

		assert_string_equal(ip_str(&r->nexthop, text), family ? "10.0.0.1" : "10.0.0.9");
		assert_int_equal(aspath_first(attr_path(r), r->path_len), which + 1);
		intern_put(in, r);
		r = policy_apply(policy_find(s, "p"), &ctx, &to[family], a[!which], NULL);
		assert_int_equal(aspath_first(attr_path(r), r->path_len), !which + 1);
		intern_put(in, r);
	}
	intern_put(in, a[0]);
	intern_put(in, a[1]);
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

/* More paths than are remembered, of any length: the verdict is that of the path, asked once or twice. */
static void remembered_verdicts_are_those_of_the_path(void **state)
{
	struct config *c = load("as-path-lists: {l: [{permit: _7_}]}\npolicies: {p: [{permit: {as-path: l}}]}");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	unsigned yes = 0;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		srandom(9);
		for (unsigned i = 0; i < 20000; i++) {
			char path[512];
			size_t o = 0;
			bool want = false;

			for (unsigned n = 1 + (unsigned)random() % 40; n; n--) {
				unsigned as = 1 + (unsigned)random() % 60;

				want |= as == 7;
				o += (size_t)snprintf(path + o, sizeof(path) - o, "%u%s", as, n > 1 ? " " : "");
			}
			assert_int_equal(verdict(policy_find(s, "p"), in, "10.0.0.0/8", path), want);
			yes += want;
		}
	}
	assert_true(yes > 4000 && yes < 36000);
	policy_set_free(s);
	intern_free(in);
	config_free(c);
}

/* A set that is full already cannot grow: the route is denied, not cut. */
static void what_would_be_too_large_is_denied(void **state)
{
	static struct bgp_attrs_draft d;
	static uint8_t comm[BGP_ATTRS_DATA_MAX];
	struct config *c =
		load("policies: {p: [{permit: {set: {prepend: 1}}}], q: [{permit: {set: {community: \"1:1\"}}}],"
		     " r: [{permit: {set: {remove-communities: yes, community: \"1:1\", prepend: 1}}}]}");
	struct intern *in = intern_new();
	struct policy_set *s = policy_set_new(c, in);
	struct ip_prefix to = net("10.0.0.0/8");
	const struct bgp_attrs *a;
	unsigned entry = 0;

	(void)state;
	assert_int_equal(attr_set_part(&d, 1, comm, sizeof(comm) - 4), 0);
	a = intern_get(in, &d.a);
	assert_null(policy_apply(policy_find(s, "p"), &ctx, &to, a, &entry));
	assert_int_equal(entry, 1);
	intern_put(in, a);
	assert_int_equal(attr_set_part(&d, 1, comm, sizeof(comm)), 0);
	a = intern_get(in, &d.a);
	assert_null(policy_apply(policy_find(s, "q"), &ctx, &to, a, NULL));
	intern_put(in, a);
	assert_int_equal(attr_set_part(&d, 1, NULL, 0), 0);
	for (unsigned i = 0; i < 8190; i += 1022) { /* whole segments, and one of three */
		comm[i] = BGP_AS_SEQUENCE;
		comm[i + 1] = i < 8176 ? 255 : 3;
	}
	assert_int_equal(attr_set_part(&d, 0, comm, 8190), 0);
	a = intern_get(in, &d.a);
	assert_null(policy_apply(policy_find(s, "p"), &ctx, &to, a, NULL));
	intern_put(in, a);
	policy_set_free(s);
	assert_int_equal(intern_count(in), 0);
	intern_free(in);
	config_free(c);
}

/* ---- equality ---- */

#define BASE                                                                                                      \
	"prefix-lists: {a: [{permit: 10.0.0.0/8, le: 24}]}\nas-path-lists: {x: [{deny: _1_}, {permit: _2_}]}\n"   \
	"policies: {p: [{deny: {prefix: a, as-path: x, community: \"1:2\"}},"                                     \
	" {permit: {set: {med: 1, local-pref: 2, next-hop: 10.0.0.1, prepend: 2, community: \"3:4\", remove-as: " \
	"5}}}]}\n"

static void policies_that_say_the_same_are_equal(void **state)
{
	static const struct {
		const char *from, *to;
		bool equal;
	} edits[] = {
		{"policies", "policies", true},
		{"policies", "\n\npolicies", true}, /* lines do not count */
		{"le: 24", "le: 25", false},
		{"permit: 10.0", "deny: 10.0", false},
		{"10.0.0.0/8", "11.0.0.0/8", false},
		{"10.0.0.0/8, le: 24}", "10.0.0.0/8, le: 24}, {permit: 11.0.0.0/8}", false},
		{"deny: _1_", "permit: _1_", false},
		{"_2_", "_3_", false},
		{"deny: {prefix: a, ", "deny: {", false},
		{"as-path: x, ", "", false},
		{"community: \"1:2\"", "community: \"1:3\"", false},
		{"{deny: {prefix", "{permit: {prefix", false},
		{"med: 1", "med: 2", false},
		{"med: 1, ", "", false},
		{"local-pref: 2", "local-pref: 3", false},
		{"local-pref: 2, ", "", false},
		{"10.0.0.1", "10.0.0.2", false},
		{"prepend: 2", "prepend: 3", false},
		{"prepend: 2", "prepend: {as: 9, times: 2}", false},
		{"\"3:4\"", "[\"3:4\", \"3:5\"]", false},
		{"\"3:4\"", "\"3:5\"", false},
		{"remove-as: 5", "remove-as: 6", false},
		{"remove-as: 5", "remove-as: 5, as-override: true", false},
		{"remove-as: 5", "remove-as: 5, remove-communities: true", false},
		{"remove-as: 5}}}", "remove-as: 5}}}, {permit: {}}", false},
	};
	struct intern *in = intern_new();

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(edits); i++) {
		char text[1024];
		const char *at = strstr(BASE, edits[i].from);
		struct config *one = load(BASE), *two;
		struct policy_set *x = policy_set_new(one, in), *y;

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - BASE), BASE, edits[i].to,
			 at + strlen(edits[i].from));
		two = load(text);
		y = policy_set_new(two, in);
		if (policy_equal(policy_find(x, "p"), policy_find(y, "p")) != edits[i].equal)
			print_error("%s -> %s\n", edits[i].from, edits[i].to);
		assert_int_equal(policy_equal(policy_find(x, "p"), policy_find(y, "p")), edits[i].equal);
		assert_int_equal(policy_equal(policy_find(y, "p"), policy_find(x, "p")), edits[i].equal);
		assert_false(policy_equal(policy_find(x, "p"), NULL));
		policy_set_free(x);
		policy_set_free(y);
		config_free(one);
		config_free(two);
	}
	assert_true(policy_equal(NULL, NULL));
	intern_free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bogon_paths_of_a_route_server),
		cmocka_unit_test(lists_say_what_frr_says),
		cmocka_unit_test(many_lists_and_long_paths),
		cmocka_unit_test(prefix_lists_match_as_in_frr),
		cmocka_unit_test(long_prefix_lists_say_what_their_rows_say),
		cmocka_unit_test(entries_are_tried_in_order),
		cmocka_unit_test(communities_must_all_be_there),
		cmocka_unit_test(numbers_are_set),
		cmocka_unit_test(what_is_set_is_marked_as_there),
		cmocka_unit_test(next_hop_is_set_on_routes_of_its_family),
		cmocka_unit_test(paths_are_changed),
		cmocka_unit_test(communities_are_changed),
		cmocka_unit_test(peers_of_one_policy_are_kept_apart),
		cmocka_unit_test(sets_and_families_are_kept_apart),
		cmocka_unit_test(remembered_verdicts_are_those_of_the_path),
		cmocka_unit_test(what_would_be_too_large_is_denied),
		cmocka_unit_test(policies_that_say_the_same_are_equal),
	};

	return cmocka_run_group_tests_name("bgp-policy", tests, NULL, NULL);
}
