/* Two BGP speakers without a data plane, one on each address of lo of the test's own network namespace, and what is shown of
 * them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/status_bgp.h"
#include "tests/unit/controlplane/own_ns.h"

enum { NETS = 25, WAIT_MS = 15000 };

struct side {
	struct loop loop;
	struct bgp_io *io;
	struct config *config;
};

static struct side a, b;

static uint64_t deadline(void *ctx)
{
	return bgp_io_deadline(((struct side *)ctx)->io);
}

static void tick(void *ctx)
{
	bgp_io_tick(((struct side *)ctx)->io);
}

static void turn(void *ctx)
{
	bgp_io_turn(((struct side *)ctx)->io);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* n networks of 10.ME.x.0/24 are originated; import: what is taken of the other's. */
static struct config *config_of(unsigned me, unsigned n, const char *import, const char *policies)
{
	char text[8192];
	size_t at = 0;
	struct cfg_errors errs = {0};
	struct config *c;

	at += (size_t)snprintf(text + at, sizeof(text) - at,
			       "gateway: {name: s%u, addresses: [10.9.0.%u/32]}\n"
			       "ports: {p: {device: \"af_packet:none\", addresses: [10.8.%u.1/24]}}\n"
			       "bgp:\n  as: 6500%u\n  originate: [",
			       me, me, me, me);
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s10.%u.%u.0/24", i ? ", " : "", me, i);
	snprintf(text + at, sizeof(text) - at,
		 "]\n  peers:\n    other: {address: 10.9.0.%u, as: 6500%u, source: 10.9.0.%u, import: %s, export: all, "
		 "connect-retry: 1s}\n"
		 "prefix-lists: {some: [{permit: 10.0.0.0/8, ge: 24}]}\n"
		 "policies: {all: [{permit: {}}]%s}\n",
		 3 - me, 3 - me, me, import, policies);
	c = config_load_text(text, strlen(text), NULL, true, &errs);
	if (!c)
		cfg_errors_print(&errs, "text", 2);
	cfg_errors_free(&errs);
	assert_non_null(c);
	return c;
}

static void start(struct side *s, struct config *c)
{
	struct loop_ops ops = {s, deadline, tick, turn, nothing, nothing};

	memset(s, 0, sizeof(*s));
	assert_int_equal(loop_init(&s->loop, &ops, false), 0);
	s->io = bgp_io_new(&s->loop, NULL);
	s->config = c;
	bgp_io_config(s->io, c);
}

static void change(struct side *s, struct config *c)
{
	bgp_io_config(s->io, c);
	config_free(s->config);
	s->config = c;
}

static void end(struct side *s)
{
	bgp_io_free(s->io);
	loop_fini(&s->loop);
	config_free(s->config);
}

static struct bgp_peer_info info(const struct side *s)
{
	struct bgp_peer_info i = {0};

	(void)!bgp_peer_info(bgp_io_core(s->io), 0, &i);
	return i;
}

#define AWAIT(cond)                                                               \
	do {                                                                      \
		uint64_t until = loop_now_ms() + WAIT_MS;                         \
		while (!(cond)) {                                                 \
			uv_run(&a.loop.uv, UV_RUN_NOWAIT);                        \
			uv_run(&b.loop.uv, UV_RUN_NOWAIT);                        \
			poll(NULL, 0, 1);                                         \
			if (loop_now_ms() > until)                                \
				fail_msg("not within %d ms: %s", WAIT_MS, #cond); \
		}                                                                 \
	} while (0)

static int up(void **state)
{
	(void)state;
	start(&a, config_of(1, 2, "all", ""));
	start(&b, config_of(2, NETS, "all", ""));
	AWAIT(info(&a).pfx_accepted == NETS && info(&b).pfx_accepted == 2);
	return 0;
}

static int down(void **state)
{
	(void)state;
	end(&a);
	end(&b);
	return 0;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		fail_msg("no text at %s", key);
	return s;
}

static json_int_t num(const json_t *o, const char *key)
{
	assert_true(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

/* All pages of a view, max rows each; every prefix once and in order. The number of rows. */
static unsigned count(struct side *s, enum bgp_view v, unsigned max, unsigned *pages)
{
	struct ip_prefix after = {0}, last = {0};
	unsigned n = 0;
	bool more = true;

	for (*pages = 0; more; (*pages)++) {
		json_t *page = status_bgp_rows(s->io, v, 0, &after, max), *row;
		size_t i;

		json_array_foreach(json_object_get(page, "rows"), i, row)
		{
			struct ip_prefix p;

			assert_int_equal(ip_prefix_parse(text(row, "prefix"), false, &p), 0);
			assert_true(ip_cmp(&p.addr, &last.addr) > 0);
			last = p;
			n++;
		}
		assert_true(json_array_size(json_object_get(page, "rows")) <= max);
		more = json_is_true(json_object_get(page, "more"));
		if (*text(page, "after"))
			assert_int_equal(ip_prefix_parse(text(page, "after"), false, &after), 0);
		json_decref(page);
		assert_true(*pages < 100);
	}
	return n;
}

static void a_table_comes_whole_in_pages_of_any_size(void **state)
{
	static const unsigned sizes[] = {1, 7, NETS - 1, NETS, NETS + 1, 1000};
	unsigned pages;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(sizes); i++) {
		assert_int_equal(count(&a, BGP_VIEW_RECEIVED, sizes[i], &pages), NETS);
		assert_in_range(pages, NETS / sizes[i], NETS / sizes[i] + 1);
		assert_int_equal(count(&a, BGP_VIEW_ROUTES, sizes[i], &pages), NETS);
		assert_int_equal(count(&b, BGP_VIEW_ADVERTISED, sizes[i], &pages), NETS);
		assert_int_equal(count(&a, BGP_VIEW_BEST, sizes[i], &pages), NETS + 2);
	}
	assert_int_equal(count(&a, BGP_VIEW_RECEIVED, 1000, &pages), NETS);
	assert_int_equal(pages, 1);
}

static void the_summary_has_its_fields(void **state)
{
	json_t *o = status_bgp_summary(a.io), *p = json_array_get(json_object_get(o, "peers"), 0);

	(void)state;
	assert_string_equal(text(o, "router_id"), "10.9.0.1");
	assert_int_equal(num(o, "as"), 65001);
	assert_int_equal(json_array_size(json_object_get(o, "peers")), 1);
	assert_string_equal(text(p, "name"), "other");
	assert_string_equal(text(p, "address"), "10.9.0.2");
	assert_int_equal(num(p, "as"), 65002);
	assert_string_equal(text(p, "kind"), "plain");
	assert_string_equal(text(p, "state"), "Established");
	assert_in_range(num(p, "since"), loop_wall_s() - 60, loop_wall_s());
	assert_in_range(num(p, "uptime_s"), 0, 60);
	assert_int_equal(num(p, "pfx_rcvd"), NETS);
	assert_int_equal(num(p, "pfx_accepted"), NETS);
	assert_int_equal(num(p, "pfx_sent"), 2);
	assert_true(num(p, "msg_rcvd") >= 3 && num(p, "msg_sent") >= 3);
	assert_string_equal(text(json_object_get(p, "policy"), "in"), "all");
	assert_true(json_is_false(json_object_get(json_object_get(p, "policy"), "no_import")));
	json_decref(o);
}

/* Programs tell by it whether the session is still the same. */
static void the_time_of_a_session_does_not_move(void **state)
{
	uint64_t until = loop_now_ms() + 1100;
	json_int_t first = 0;

	(void)state;
	while (loop_now_ms() < until) {
		json_t *o = status_bgp_neighbor(a.io, 0);

		if (!first)
			first = num(o, "since");
		assert_int_equal(num(o, "since"), first);
		json_decref(o);
		poll(NULL, 0, 1);
	}
}

static void a_neighbor_shows_its_session_and_its_socket(void **state)
{
	json_t *o = status_bgp_neighbor(a.io, 0), *tcp = json_object_get(o, "tcp");
	json_t *first = json_array_get(json_object_get(o, "changes"), 0);

	(void)state;
	assert_int_equal(num(o, "hold_s"), 90);
	assert_string_equal(text(o, "remote_id"), "10.9.0.2");
	assert_true(json_is_true(json_object_get(json_object_get(o, "capabilities"), "as4")));
	assert_true(json_is_true(json_object_get(json_object_get(o, "capabilities_rcvd"), "route_refresh")));
	assert_true(num(json_object_get(o, "messages_in"), "open") >= 1);
	assert_string_equal(text(tcp, "local"), "10.9.0.1");
	assert_string_equal(text(tcp, "remote"), "10.9.0.2");
	assert_true(num(tcp, "local_port") == 179 || num(tcp, "remote_port") == 179);
	assert_int_equal(num(tcp, "ttl"), 255);
	assert_string_equal(text(first, "to"), "Established");
	json_decref(o);
	o = status_bgp_neighbor(a.io, 7);
	assert_int_equal(json_object_size(o), 0);
	json_decref(o);
}

static void a_received_route_says_why_it_is_not_taken(void **state)
{
	struct ip_prefix none = {0};
	json_t *o, *row;

	(void)state;
	change(&a, config_of(1, 2, "few", ", few: [{deny: {prefix: some}}]"));
	AWAIT(info(&a).pfx_accepted == 0);
	assert_int_equal(info(&a).pfx_received, NETS);
	o = status_bgp_rows(a.io, BGP_VIEW_RECEIVED, 0, &none, 1);
	row = json_array_get(json_object_get(o, "rows"), 0);
	assert_string_equal(text(row, "prefix"), "10.2.0.0/24");
	assert_string_equal(text(row, "as_path"), "65002");
	assert_string_equal(text(row, "next_hop"), "10.9.0.2");
	assert_string_equal(text(row, "origin"), "IGP");
	assert_true(json_is_false(json_object_get(json_object_get(row, "verdict"), "accepted")));
	assert_non_null(strstr(text(json_object_get(row, "verdict"), "reason"), "policy"));
	json_decref(o);
	o = status_bgp_rows(a.io, BGP_VIEW_ROUTES, 0, &none, 1000);
	assert_int_equal(json_array_size(json_object_get(o, "rows")), 0);
	assert_true(json_is_false(json_object_get(o, "more")));
	json_decref(o);
}

static void one_prefix_is_found_among_its_neighbours(void **state)
{
	static const char *const there[] = {"10.2.0.0/24", "10.2.7.0/24", "10.2.24.0/24", "10.1.0.0/24"};
	static const char *const not [] = {"10.2.7.0/25",        "10.2.6.0/23", "0.0.0.0/0",
					   "255.255.255.255/32", "::/0",        "10.2.25.0/24"};
	struct ip_prefix p;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(there); i++) {
		json_t *o;

		assert_int_equal(ip_prefix_parse(there[i], false, &p), 0);
		o = status_bgp_route(a.io, &p);
		assert_int_equal(json_array_size(o), 1);
		assert_string_equal(text(json_array_get(o, 0), "prefix"), there[i]);
		json_decref(o);
	}
	for (unsigned i = 0; i < N_ELEMS(not ); i++) {
		json_t *o;

		assert_int_equal(ip_prefix_parse(not [i], false, &p), 0);
		o = status_bgp_route(a.io, &p);
		assert_int_equal(json_array_size(o), 0);
		json_decref(o);
	}
}

static void a_prefix_that_is_no_longer_originated_is_withdrawn(void **state)
{
	(void)state;
	change(&b, config_of(2, 3, "all", ""));
	AWAIT(info(&a).pfx_received == 3);
	change(&b, config_of(2, NETS, "all", ""));
	AWAIT(info(&a).pfx_received == NETS);
	assert_int_equal(info(&a).established, 1);
}

/* The own address is on no interface: nothing comes of the attempt but its failure. */
static void an_attempt_that_fails_at_once_is_told(void **state)
{
	(void)state;
	assert_int_equal(own_ns_addr(1, "10.9.0.3"), 0); /* 10.9.0.1 is gone */
	assert_int_equal(bgp_clear(bgp_io_core(a.io), 0, false, loop_now_ms()), 0);
	AWAIT(strstr(info(&a).last_error, "annot assign requested address"));
	assert_int_equal(own_ns_addr(1, "10.9.0.1"), 0);
	AWAIT(info(&a).state == BGP_ESTABLISHED); /* and it is tried again */
}

static void on_route(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *best)
{
	(void)ctx, (void)prefix, (void)best;
}

static void on_nexthop(void *ctx, const struct ip_addr *nh)
{
	(void)ctx, (void)nh;
}

static void on_peer(void *ctx, uint32_t peer, const struct ip_addr *addr)
{
	(void)peer, (void)addr;
	++*(unsigned *)ctx;
}

/* Who answers for the ways to peers must do so for one that has taken another's place, also at the same address. */
static void a_renamed_peer_is_told_as_a_new_one(void **state)
{
	unsigned told = 0, first, again, renamed;
	struct bgp_io_ops ops = {&told, on_route, on_nexthop, on_nexthop, on_peer, NULL};
	struct config *c[3];
	struct bgp_io *io = bgp_io_new(&a.loop, &ops);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		c[i] = config_of(1, 1, "all", "");
		c[i]->bgp.port = 1790; /* the other has the usual one */
	}
	snprintf(c[2]->bgp.peer[0].name, sizeof(c[2]->bgp.peer[0].name), "another");
	bgp_io_config(io, c[0]);
	first = told;
	bgp_io_config(io, c[1]);
	again = told;
	bgp_io_config(io, c[2]);
	renamed = told;
	bgp_io_free(io);
	for (unsigned i = 0; i < 3; i++)
		config_free(c[i]);
	assert_int_equal(first, 1);
	assert_int_equal(again, 1);
	assert_int_equal(renamed, 2);
}

static void cease_is_acknowledged_before_the_end(void **state)
{
	(void)state;
	bgp_io_shutdown(a.io);
	AWAIT(bgp_io_quiet(a.io) && info(&b).state != BGP_ESTABLISHED);
	assert_non_null(strstr(info(&b).last_error, "6/2"));
}

static int set_up(void **state)
{
	(void)state;
	return own_ns() || own_ns_addr(1, "10.9.0.1") || own_ns_addr(2, "10.9.0.2") || log_set("error");
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_table_comes_whole_in_pages_of_any_size),
		T(the_summary_has_its_fields),
		T(the_time_of_a_session_does_not_move),
		T(a_neighbor_shows_its_session_and_its_socket),
		T(a_received_route_says_why_it_is_not_taken),
		T(one_prefix_is_found_among_its_neighbours),
		T(a_prefix_that_is_no_longer_originated_is_withdrawn),
		T(a_renamed_peer_is_told_as_a_new_one),
		T(an_attempt_that_fails_at_once_is_told),
		T(cease_is_acknowledged_before_the_end),
	};

	return cmocka_run_group_tests_name("status_bgp", tests, set_up, NULL);
}
