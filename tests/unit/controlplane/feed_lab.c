#include "feed_lab.h"

#include <stdio.h>
#include <string.h>

struct lab lab;

static void on_ready(void *ctx)
{
	(void)ctx;
	lab.n_ready++;
}

static void on_gone(void *ctx, struct tunnel *t)
{
	(void)ctx;
	lab.n_gone++;
	tunnels_del(&lab.ts, t);
}

static void on_nexthop(void *ctx, const struct ip_addr *nh, bool reachable, uint32_t metric)
{
	unsigned i = 0;

	(void)ctx;
	while (i < lab.n_nexthop && !ip_equal(&lab.nexthop[i].nh, nh))
		i++;
	assert_true(i < LAB_TOLD);
	if (i == lab.n_nexthop)
		lab.n_nexthop++;
	lab.nexthop[i] = (struct lab_nexthop){*nh, reachable, metric, lab.nexthop[i].times + 1};
}

static void on_way(void *ctx, uint32_t peer, bool reachable, const struct tunnel *t, const char *cause)
{
	struct lab_way *w = &lab.way[peer];

	(void)ctx;
	assert_true(peer < LAB_TOLD);
	w->reachable = reachable;
	w->tunnel = t;
	w->times++;
	snprintf(w->cause, sizeof(w->cause), "%s", cause);
}

static void on_originate(void *ctx, const struct ip_prefix *p, bool present)
{
	unsigned i = 0;

	(void)ctx;
	while (i < lab.n_orig && !ip_prefix_equal(&lab.orig[i].p, p))
		i++;
	assert_true(i < N_ELEMS(lab.orig));
	if (i == lab.n_orig)
		lab.n_orig++;
	lab.orig[i] = (struct lab_originate){*p, present, lab.orig[i].times + 1};
}

static void dp_attached_now(bool new_life)
{
	if (new_life)
		fake_fib_clear(&lab.fib);
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

void lab_up(void)
{
	struct feed_ops ops = {.ready = on_ready,
			       .tunnel_gone = on_gone,
			       .nexthop = on_nexthop,
			       .peer_way = on_way,
			       .originate = on_originate};

	memset(&lab, 0, sizeof(lab));
	lab.cfg.n_ports = 2;
	snprintf(lab.cfg.port[0].name, CFG_NAME_MAX, "wan0");
	snprintf(lab.cfg.port[1].name, CFG_NAME_MAX, "lan0");
	lab.cfg.port[0].n_addr = lab.cfg.port[1].n_addr = 1;
	prefix(&lab.cfg.port[0].addr[0], "203.0.113.10/24");
	prefix(&lab.cfg.port[1].addr[0], "192.168.2.1/24");
	lab.cfg.route = lab.route;
	lab.cfg.bgp.originate = lab.originate;
	tunnels_init(&lab.ts);
	rig_up(1, true);
	rig.fake.params.nexthops = 1024;
	rig.fake.params.tunnels = 64;
	fake_fib_init(&lab.fib, &rig.fake);
	rig.feed = feed_new(&rig.loop, rig.dp, &lab.ts, &ops);
	rig.on_attached = dp_attached_now;
	rig.on_lost = dp_lost_now;
}

void lab_down(void)
{
	assert_int_equal(lab.fib.bad, 0);
	feed_free(rig.feed);
	rig.feed = NULL;
	rig_down();
	tunnels_fini(&lab.ts);
	fake_fib_fini(&lab.fib);
}

void lab_route(const char *to, const char *via, const char *tunnel, uint8_t distance)
{
	struct cfg_route *r = &lab.route[lab.cfg.n_routes++];

	assert_true(lab.cfg.n_routes <= LAB_ROUTES);
	memset(r, 0, sizeof(*r));
	prefix(&r->to, to);
	if (via && strchr(via, '%')) {
		char host[IP_STR];

		snprintf(host, sizeof(host), "%.*s", (int)strcspn(via, "%"), via);
		snprintf(r->via_port, sizeof(r->via_port), "%s", strchr(via, '%') + 1);
		assert_int_equal(ip_parse(host, &r->via), 0);
	} else if (via) {
		assert_int_equal(ip_parse(via, &r->via), 0);
	}
	if (tunnel)
		snprintf(r->tunnel, sizeof(r->tunnel), "%s", tunnel);
	r->blackhole = !via && !tunnel;
	r->distance = distance;
}

struct tunnel *lab_tunnel(const char *name, const char *peer)
{
	struct cfg_tunnel c;
	struct tunnel *t;

	memset(&c, 0, sizeof(c));
	snprintf(c.name, sizeof(c.name), "%s", name);
	c.local.addr = ip_v4(0xcb00710a);
	c.n_ts = 1;
	if (peer)
		assert_int_equal(ip_parse(peer, &c.remote.addr), 0);
	if (c.remote.addr.family == IP_V6)
		c.local.addr = lab.cfg.port[0].addr[1].addr;
	t = tunnels_add(&lab.ts, &c);
	t->worker = 0;
	t->wanted = true;
	return t;
}

void lab_six(void)
{
	lab.cfg.port[0].n_addr = lab.cfg.port[1].n_addr = 2;
	prefix(&lab.cfg.port[0].addr[1], "2001:db8:1::10/64");
	prefix(&lab.cfg.port[1].addr[1], "2001:db8:2::1/64");
}

void lab_gateway_addr(const char *s)
{
	prefix(&lab.cfg.gateway_addr[lab.cfg.n_gateway_addr++], s);
}

static bool quiet(void)
{
	struct feed_totals t;

	feed_totals(rig.feed, &t);
	return feed_ready(rig.feed) && !t.dirty && t.applied == t.pushed;
}

void lab_settle(void)
{
	rig_settle();
	AWAIT(quiet());
	rig_settle();
	AWAIT(quiet());
}

void lab_config(void)
{
	feed_config(rig.feed, &lab.cfg);
	lab_settle();
}

void lab_bgp(const char *p, uint32_t peer, const char *nh, const char *nh2)
{
	struct ip_addr a[2];
	struct ip_prefix to;
	struct bgp_best b = {.n = nh2 ? 2 : 1};

	prefix(&to, p);
	if (!nh) {
		feed_bgp_route(rig.feed, &to, NULL);
		return;
	}
	assert_int_equal(ip_parse(nh, &a[0]), 0);
	if (nh2)
		assert_int_equal(ip_parse(nh2, &a[1]), 0);
	for (unsigned i = 0; i < b.n; i++) {
		b.path[i].nexthop = &a[i];
		b.path[i].peer = peer + i;
	}
	feed_bgp_route(rig.feed, &to, &b);
}

void lab_peer(uint32_t peer, const char *addr)
{
	struct ip_addr a = {0};

	if (addr)
		assert_int_equal(ip_parse(addr, &a), 0);
	feed_bgp_peer(rig.feed, peer, &a);
}

const struct lab_nexthop *lab_told(const char *nh)
{
	static const struct lab_nexthop never;
	struct ip_addr a;

	assert_int_equal(ip_parse(nh, &a), 0);
	for (unsigned i = 0; i < lab.n_nexthop; i++)
		if (ip_equal(&lab.nexthop[i].nh, &a))
			return &lab.nexthop[i];
	return &never;
}

static const char *legs_text(const struct fake_fib_nh *nh)
{
	static char text[512];
	char via[IP_STR];
	size_t at = 0;

	if (!nh)
		return "-";
	text[0] = '\0';
	for (unsigned i = 0; i < nh->n; i++) {
		const struct msg_nh_leg *l = &nh->leg[i];
		struct ip_addr a = ip_from_bytes(l->family, l->via);
		const char *sep = i ? " + " : "";

		if (l->kind == MSG_NH_TUNNEL)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%stunnel %s", sep,
					       tunnels_name(&lab.ts, l->tunnel.slot));
		else if (l->kind == MSG_NH_PORT)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s port %u", sep, ip_str(&a, via),
					       l->port);
		else
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%sdrop", sep);
	}
	return text;
}

const char *lab_fib(const char *s)
{
	struct ip_prefix p;

	prefix(&p, s);
	return legs_text(fake_fib_get(&lab.fib, &p));
}

const char *lab_way_to(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return legs_text(fake_fib_lookup(&lab.fib, &a));
}

struct state_arg {
	const char *prefix;
	char text[256];
	bool selected;
};

static bool find_state(void *arg, const struct feed_route_info *i)
{
	struct state_arg *a = arg;
	char text[IP_STR];

	if (strcmp(ip_prefix_str(&i->to, text), a->prefix) || (a->text[0] && !i->selected) || a->selected)
		return true;
	snprintf(a->text, sizeof(a->text), "%s%s%s", i->state, i->cause[0] ? ": " : "", i->cause);
	a->selected = i->selected;
	return true;
}

const char *lab_state(const char *s)
{
	static struct state_arg a;

	a = (struct state_arg){.prefix = s};
	feed_walk(rig.feed, &(struct ip_prefix){0}, UINT32_MAX, find_state, &a);
	return a.text;
}
