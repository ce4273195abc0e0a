#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct tunnels ts;
static struct config cfg;
static struct cfg_route routes[16];
static unsigned n_ready, n_gone;

static void on_ready(void *ctx)
{
	(void)ctx;
	n_ready++;
}

static void on_gone(void *ctx, struct tunnel *t)
{
	(void)ctx;
	n_gone++;
	tunnels_del(&ts, t);
}

static void dp_attached_now(bool new_life)
{
	(void)new_life;
	feed_attached(rig.feed);
}

static void dp_lost_now(void)
{
	feed_lost(rig.feed);
}

static void prefix(struct ip_prefix *p, const char *s)
{
	assert_int_equal(ip_prefix_parse(s, true, p), 0);
}

static void route(const char *to, const char *via, const char *tunnel)
{
	struct cfg_route *r = &routes[cfg.n_routes++];

	memset(r, 0, sizeof(*r));
	prefix(&r->to, to);
	if (via)
		assert_int_equal(ip_parse(via, &r->via), 0);
	if (tunnel)
		snprintf(r->tunnel, sizeof(r->tunnel), "%s", tunnel);
	r->blackhole = !via && !tunnel;
}

static struct tunnel *add_tunnel(const char *name)
{
	struct cfg_tunnel c;
	struct tunnel *t;

	memset(&c, 0, sizeof(c));
	snprintf(c.name, sizeof(c.name), "%s", name);
	c.local.addr = ip_v4(0xcb00710a);
	c.n_ts = 1;
	c.start = CFG_START_ON_TRAFFIC; /* its routes count always */
	t = tunnels_add(&ts, &c);
	t->worker = 0;
	t->wanted = true;
	return t;
}

static int start(void **state)
{
	struct feed_ops ops = {.ready = on_ready, .tunnel_gone = on_gone};

	(void)state;
	n_ready = n_gone = 0;
	memset(&cfg, 0, sizeof(cfg));
	cfg.n_ports = 2;
	cfg.port[0].n_addr = cfg.port[1].n_addr = 1;
	prefix(&cfg.port[0].addr[0], "203.0.113.10/24");
	prefix(&cfg.port[1].addr[0], "192.168.2.1/24");
	cfg.route = routes;
	tunnels_init(&ts);
	rig_up(1, true);
	rig.feed = feed_new(&rig.loop, rig.dp, &ts, &ops);
	rig.on_attached = dp_attached_now;
	rig.on_lost = dp_lost_now;
	return 0;
}

static int end(void **state)
{
	(void)state;
	feed_free(rig.feed);
	rig.feed = NULL;
	rig_down();
	tunnels_fini(&ts);
	return 0;
}

static const struct msg_nexthop *nh(void)
{
	return (const void *)&rig.fake.last[MSG_NEXTHOP_SET];
}

static const struct msg_route *set(void)
{
	return (const void *)&rig.fake.last[MSG_ROUTE_SET];
}

/* The state of each route by its text, "" : no such route. */
static bool find_state(void *arg, const struct feed_route_info *i)
{
	const char **found = arg;
	char text[IP_STR];

	if (strcmp(ip_prefix_str(&i->to, text), found[0]))
		return true;
	found[1] = i->state;
	return false;
}

static const char *state_of(const char *to)
{
	const char *found[2] = {to, ""};

	feed_walk(rig.feed, &(struct ip_prefix){0}, UINT32_MAX, find_state, found);
	return found[1];
}

static void everything_is_said_between_begin_and_end(void **state)
{
	(void)state;
	cfg.n_gateway_addr = 1;
	prefix(&cfg.gateway_addr[0], "10.2.2.2/32");
	add_tunnel("azure");
	route("0.0.0.0/0", "203.0.113.1", NULL);
	route("10.9.0.0/16", NULL, "azure");
	route("10.66.0.0/16", NULL, NULL);
	feed_config(rig.feed, &cfg);
	assert_string_equal(state_of("10.9.0.0/16"), "pending");
	AWAIT(n_ready == 1);
	assert_int_equal(rig.fake.count[MSG_ADDR_SET], 1);
	assert_int_equal(rig.fake.count[MSG_TUNNEL_SET], 1);
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], 3);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 3);
	assert_int_equal(rig.fake.count[MSG_SYNC_BEGIN], 1);
	assert_int_equal(rig.fake.count[MSG_SYNC_END], 1);
	const struct msg_route *sync_end = (const void *)&rig.fake.last[MSG_SYNC_END];
	assert_int_equal(sync_end->seq, 5); /* behind begin and the routes */
	assert_string_equal(state_of("0.0.0.0/0"), "installed");
	assert_string_equal(state_of("10.9.0.0/16"), "installed");
	assert_string_equal(state_of("10.66.0.0/16"), "installed");
}

static void a_gateway_names_the_port_of_its_network(void **state)
{
	static const uint8_t via[4] = {192, 168, 2, 9};

	(void)state;
	route("10.0.0.0/8", "192.168.2.9", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	assert_int_equal(nh()->leg[0].kind, MSG_NH_PORT);
	assert_int_equal(nh()->leg[0].port, 1);
	assert_memory_equal(nh()->leg[0].via, via, 4);
	assert_int_equal(set()->nexthop, nh()->id);
}

static void routes_of_one_gateway_share_a_next_hop(void **state)
{
	(void)state;
	route("10.1.0.0/16", "192.168.2.9", NULL);
	route("10.2.0.0/16", "192.168.2.9", NULL);
	route("10.3.0.0/16", "192.168.2.8", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], 2);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 3);
}

static int hold_nexthops(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_NEXTHOP_SET;
}

static void no_route_before_its_next_hop_is_acknowledged(void **state)
{
	(void)state;
	rig.fake.on_cmd = hold_nexthops;
	route("10.1.0.0/16", "192.168.2.9", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(rig.fake.count[MSG_NEXTHOP_SET] == 1);
	rig_settle();
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 0);
	assert_int_equal(rig.fake.count[MSG_SYNC_END], 0);
	assert_false(feed_quiet(rig.feed)); /* what goes that way now finds none */
	fake_dp_answer(&rig.fake, FAKE_CTL, &rig.fake.last[MSG_NEXTHOP_SET], 0);
	AWAIT(n_ready == 1);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 1);
}

static void ready_means_applied_not_pushed(void **state)
{
	(void)state;
	rig.fake.hold_applied = true;
	route("10.1.0.0/16", "192.168.2.9", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(rig.fake.count[MSG_SYNC_END] == 1);
	rig_settle();
	assert_int_equal(n_ready, 0);
	assert_string_equal(state_of("10.1.0.0/16"), "pending");
	atomic_store(&rig.fake.shm.hdr->applied, rig.fake.applied);
	AWAIT(n_ready == 1); /* found by the poll: no doorbell says so */
	assert_string_equal(state_of("10.1.0.0/16"), "installed");
}

static int refuse_tunnel(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_TUNNEL_SET ? -EINVAL : 0;
}

static void a_refused_tunnel_fails_its_routes_and_holds_up_nothing_else(void **state)
{
	(void)state;
	rig.fake.on_cmd = refuse_tunnel;
	add_tunnel("azure");
	route("10.9.0.0/16", NULL, "azure");
	route("10.1.0.0/16", "192.168.2.9", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	assert_string_equal(state_of("10.9.0.0/16"), "failed");
	assert_string_equal(state_of("10.1.0.0/16"), "installed");
}

static int refuse_ten_one(void *ctx, const struct msg_route *r)
{
	(void)ctx;
	return r->type == MSG_ROUTE_SET && r->addr[1] == 1 ? -ENOSPC : 0;
}

static void a_refused_route_is_shown_as_failed(void **state)
{
	(void)state;
	rig.fake.on_route = refuse_ten_one;
	route("10.1.0.0/16", "192.168.2.9", NULL);
	route("10.2.0.0/16", "192.168.2.9", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	AWAIT(!strcmp(state_of("10.1.0.0/16"), "failed"));
	assert_string_equal(state_of("10.2.0.0/16"), "installed");
}

static void a_changed_config_sends_only_the_difference(void **state)
{
	(void)state;
	route("10.1.0.0/16", "192.168.2.9", NULL);
	route("10.2.0.0/16", "192.168.2.9", NULL);
	route("10.3.0.0/16", "192.168.2.8", NULL);
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	cfg.n_routes = 0;
	route("10.2.0.0/16", "192.168.2.9", NULL); /* as before */
	route("10.3.0.0/16", "192.168.2.9", NULL); /* elsewhere */
	route("10.4.0.0/16", "192.168.2.9", NULL); /* new */
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 2);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 3 + 2);
	assert_int_equal(rig.fake.count[MSG_ROUTE_DEL], 1);
	AWAIT(rig.fake.count[MSG_NEXTHOP_DEL] == 1); /* of 192.168.2.8 */
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], 2);
	assert_int_equal(rig.fake.count[MSG_SYNC_BEGIN], 1);
	assert_string_equal(state_of("10.1.0.0/16"), "");
	assert_string_equal(state_of("10.4.0.0/16"), "installed");
}

static void a_route_that_goes_and_comes_back_ends_installed(void **state)
{
	(void)state;
	add_tunnel("azure");
	route("10.1.0.0/16", NULL, "azure");
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	cfg.n_routes = 0;
	feed_config(rig.feed, &cfg);
	AWAIT(rig.fake.count[MSG_ROUTE_DEL] == 1);
	route("10.1.0.0/16", NULL, "azure"); /* its next hop may be on its way out */
	feed_config(rig.feed, &cfg);
	AWAIT(!strcmp(state_of("10.1.0.0/16"), "installed"));
	rig_settle();
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], 1 + rig.fake.count[MSG_NEXTHOP_DEL]);
	assert_int_equal(set()->nexthop, nh()->id);
}

static void a_new_attach_says_all_again_with_other_next_hop_ids(void **state)
{
	uint32_t first;

	(void)state;
	add_tunnel("azure");
	route("10.1.0.0/16", NULL, "azure");
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	first = set()->nexthop;
	fake_dp_drop(&rig.fake); /* the same life: its routes still use the old id */
	AWAIT(n_ready == 2);
	assert_int_equal(rig.fake.count[MSG_SYNC_BEGIN], 2);
	assert_int_equal(rig.fake.count[MSG_SYNC_END], 2);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 2);
	assert_int_equal(rig.fake.count[MSG_TUNNEL_SET], 2);
	assert_int_not_equal(set()->nexthop, first);
	assert_true(set()->nexthop < 32);
}

static void a_removed_tunnel_goes_after_its_routes(void **state)
{
	struct tunnel *t = add_tunnel("azure");

	(void)state;
	route("10.1.0.0/16", NULL, "azure");
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	t->wanted = false;
	cfg.n_routes = 0;
	feed_config(rig.feed, &cfg);
	AWAIT(n_gone == 1);
	assert_int_equal(rig.fake.count[MSG_ROUTE_DEL], 1);
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_DEL], 1);
	assert_int_equal(rig.fake.count[MSG_TUNNEL_DEL], 1);
	assert_null(tunnels_find(&ts, "azure"));
}

static void a_tunnel_with_living_sas_stays_until_they_are_gone(void **state)
{
	struct tunnel *t = add_tunnel("azure");
	struct list pair;

	(void)state;
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	list_init(&pair);
	list_add_tail(&t->pairs, &pair);
	t->wanted = false;
	feed_config(rig.feed, &cfg);
	rig_settle();
	assert_int_equal(rig.fake.count[MSG_TUNNEL_DEL], 0);
	list_del(&pair);
	feed_kick(rig.feed);
	AWAIT(n_gone == 1);
}

static void removed_addresses_are_taken_back(void **state)
{
	(void)state;
	cfg.n_gateway_addr = 2;
	prefix(&cfg.gateway_addr[0], "10.2.2.2/32");
	prefix(&cfg.gateway_addr[1], "10.2.2.3/32");
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	cfg.n_gateway_addr = 1;
	feed_config(rig.feed, &cfg);
	AWAIT(rig.fake.count[MSG_ADDR_DEL] == 1);
	assert_int_equal(((struct msg_addr *)&rig.fake.last[MSG_ADDR_DEL])->addr[3], 3);
}

static void more_tunnels_than_may_be_in_flight_all_arrive(void **state)
{
	char name[CFG_NAME_MAX];

	(void)state;
	rig.fake.params.tunnels = 4096;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		add_tunnel(name);
	}
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	assert_int_equal(rig.fake.count[MSG_TUNNEL_SET], 1000);
}

static void more_next_hops_than_there_is_room_for_fail_alone(void **state)
{
	static struct cfg_route many[40];
	char to[32], via[32];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(many); i++) {
		snprintf(to, sizeof(to), "10.%u.0.0/16", i);
		snprintf(via, sizeof(via), "192.168.2.%u", 10 + i);
		cfg.n_routes = 0;
		route(to, via, NULL);
		many[i] = routes[0];
	}
	cfg.route = many;
	cfg.n_routes = N_ELEMS(many);
	feed_config(rig.feed, &cfg);
	AWAIT(n_ready == 1);
	assert_int_equal(rig.fake.count[MSG_NEXTHOP_SET], 32);
	assert_int_equal(rig.fake.count[MSG_ROUTE_SET], 32);
	assert_string_equal(state_of("10.31.0.0/16"), "installed");
	assert_string_equal(state_of("10.32.0.0/16"), "failed");
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(everything_is_said_between_begin_and_end),
		T(a_gateway_names_the_port_of_its_network),
		T(routes_of_one_gateway_share_a_next_hop),
		T(no_route_before_its_next_hop_is_acknowledged),
		T(ready_means_applied_not_pushed),
		T(a_refused_tunnel_fails_its_routes_and_holds_up_nothing_else),
		T(a_refused_route_is_shown_as_failed),
		T(a_changed_config_sends_only_the_difference),
		T(a_route_that_goes_and_comes_back_ends_installed),
		T(a_new_attach_says_all_again_with_other_next_hop_ids),
		T(a_removed_tunnel_goes_after_its_routes),
		T(a_tunnel_with_living_sas_stays_until_they_are_gone),
		T(removed_addresses_are_taken_back),
		T(more_tunnels_than_may_be_in_flight_all_arrive),
		T(more_next_hops_than_there_is_room_for_fail_alone),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
