/* Two whole control planes with the real cores on one thread; fake data planes carry their IKE datagrams to each other, and lo
 * of a network namespace of the test's own carries BGP. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/gateway.h"
#include "tests/lib/fake_dp.h"
#include "tests/unit/controlplane/own_ns.h"

struct side {
	struct gateway g;
	struct fake_dp fake;
	char path[128], file[128], sock[108];
	unsigned last_octet;
	uint64_t epoch;
	union msg in, out; /* the newest SA_IN_ADD, SA_OUT_ADD */
	bool drop_ike;     /* what it sends is lost */
	bool stopped;
	bool bgp; /* the config has BGP */
};

/* What a side's bgp: says beyond the usual. */
static const char *bgp_peer_more = "", *bgp_policies = "all: [{permit: {}}]";

static struct side a, b;
static bool with_bgp;
static char dir[64];

static int keep_adds(void *ctx, unsigned to, const union msg *m)
{
	struct side *s = ctx;

	(void)to;
	if (m->hdr.type == MSG_SA_IN_ADD)
		s->in = *m;
	else if (m->hdr.type == MSG_SA_OUT_ADD)
		s->out = *m;
	return 0;
}

static void write_bgp(FILE *f, unsigned me, unsigned other)
{
	fprintf(f,
		"  - {to: 10.9.0.%u/32, tunnel: link}\n"
		"  - {to: 10.%u0.0.0/16, blackhole: true}\n"
		"bgp:\n"
		"  as: 6500%u\n"
		"  originate: [10.%u0.0.0/16]\n"
		"  peers:\n"
		"    other: {address: 10.9.0.%u, as: 6500%u, source: 10.9.0.%u, import: all, export: all, "
		"connect-retry: 1s%s}\n"
		"policies: {%s}\n",
		other, me, me, me, other, other, me, bgp_peer_more, bgp_policies);
}

static void write_config(struct side *s, const char *start, const char *more)
{
	unsigned other = s == &a ? 2 : 1, me = s->last_octet;
	FILE *f = fopen(s->file, "w");
	char nets[80];

	assert_non_null(f);
	snprintf(nets, sizeof(nets), s->bgp ? "any" : "[{local: 10.%u.0.0/24, remote: 10.%u.0.0/24}]", me, other);
	fchmod(fileno(f), 0600);
	fprintf(f,
		"gateway: {name: gw%u, addresses: [10.9.0.%u/32]}\n"
		"ports:\n"
		"  wan0: {device: \"af_packet:wan\", addresses: [203.0.113.%u/24]}\n"
		"  lan0: {device: \"af_packet:lan\", addresses: [10.%u.0.1/24]}\n"
		"tunnels:\n"
		"  link:\n"
		"    local: {port: wan0}\n"
		"    remote: {address: 203.0.113.%u}\n"
		"    auth: {psk: \"correct horse battery staple\"}\n"
		"    ike: {proposals: [aes256gcm16-prfsha384-x25519]}\n"
		"    esp: {proposals: [aes256gcm16-x25519]}\n"
		"    selectors: %s\n"
		"    start: %s\n%s"
		"routes:\n"
		"  - {to: 10.%u.0.0/24, tunnel: link}\n",
		me, me, me, me, other, nets, start, more, other);
	if (s->bgp)
		write_bgp(f, me, other);
	fclose(f);
}

static void start_fake(struct side *s)
{
	struct shm_params p = {
		.workers = 1, .ports = 2, .sas = 64, .tunnels = 16, .nexthops = 64, .epoch = ++s->epoch, .attach = 1};

	memset(&s->fake, 0, sizeof(s->fake));
	s->fake.ctx = s;
	s->fake.on_cmd = keep_adds;
	fake_dp_start(&s->fake, &s->g.loop.uv, s->path, &p);
}

static void start_side(struct side *s, unsigned n, const char *start)
{
	struct gateway_params p = {.config_path = s->file, .dp_sock = s->path};
	struct cfg_errors errs = {0};

	memset(s, 0, sizeof(*s));
	s->last_octet = n;
	snprintf(s->path, sizeof(s->path), "%s/%u.dp", dir, n);
	snprintf(s->file, sizeof(s->file), "%s/%u.yaml", dir, n);
	snprintf(s->sock, sizeof(s->sock), "%s/%u.control", dir, n);
	s->bgp = with_bgp;
	write_config(s, start, "");
	p.config = config_load(s->file, true, &errs);
	if (!p.config)
		cfg_errors_print(&errs, s->file, 2);
	assert_non_null(p.config);
	p.status_fd = status_listen(s->sock, (uint32_t)-1, (uint32_t)-1);
	assert_true(p.status_fd >= 0);
	assert_int_equal(gateway_init(&s->g, &p), 0);
	start_fake(s);
}

static void end_side(struct side *s)
{
	fake_dp_stop(&s->fake);
	gateway_fini(&s->g);
	unlink(s->file);
	unlink(s->sock);
}

/* Datagrams from one data plane into the other's rings, as the wire would. */
static void carry(struct side *from, struct side *to)
{
	struct msg_limits l = {.ports = 2, .workers = 1, .attach = from->fake.shm.hello.attach};
	static uint8_t data[IKE_MSG_MAX];
	struct msg_ike h, m;
	int n;

	if (!from->fake.attached)
		return;
	while ((n = shm_ike_pop(&from->fake.shm.w[0].ike_out, &l, &h, data, sizeof(data))) > 0) {
		bool init = n > 18 && data[18] == 34; /* RFC 7296 3.1: IKE_SA_INIT */

		if (n == 1 || from->drop_ike || !to->fake.attached)
			continue;
		m = h;
		memcpy(m.local, h.remote, sizeof(m.local));
		memcpy(m.remote, h.local, sizeof(m.remote));
		m.local_port = h.remote_port;
		m.remote_port = h.local_port;
		m.port = 0;
		m.attach = to->fake.shm.hello.attach;
		assert_int_equal(shm_ike_push(init ? &to->fake.shm.w[0].ike_init : &to->fake.shm.w[0].ike_in, &m, data,
					      (uint32_t)n),
				 0);
		shm_ring_bell(to->fake.shm.bell_control);
	}
}

/* Sleep until one of the loops has something to do. */
static void sleep_for_both(void)
{
	struct pollfd p[2] = {{.fd = uv_backend_fd(&a.g.loop.uv), .events = POLLIN},
			      {.fd = uv_backend_fd(&b.g.loop.uv), .events = POLLIN}};
	int ta = uv_backend_timeout(&a.g.loop.uv), tb = uv_backend_timeout(&b.g.loop.uv);
	int t = ta < 0 ? tb : tb < 0 ? ta : ta < tb ? ta : tb;

	(void)poll(p, 2, t < 0 || t > 20 ? 20 : t);
}

static void turn(void)
{
	carry(&a, &b);
	carry(&b, &a);
	sleep_for_both();
	uv_run(&a.g.loop.uv, UV_RUN_NOWAIT);
	uv_run(&b.g.loop.uv, UV_RUN_NOWAIT);
}

/* Jobs run in real threads and timers in real time: both loops turn until it is so, at most for a while. */
#define AWAIT(cond)                                                     \
	do {                                                            \
		uint64_t until = loop_now_ms() + 15000;                 \
		while (!(cond)) {                                       \
			turn();                                         \
			if (loop_now_ms() > until)                      \
				fail_msg("not within 15 s: %s", #cond); \
		}                                                       \
	} while (0)

static unsigned children(struct side *s)
{
	struct ike_tunnel_info i;

	return s->g.started && !ike_tunnel_info(s->g.ike, 0, &i) ? i.n_child : 0;
}

static unsigned ikes(struct side *s)
{
	struct ike_tunnel_info i;

	return s->g.started && !ike_tunnel_info(s->g.ike, 0, &i) ? i.n_ike : 0;
}

/* Each side has one child, and its data plane has had n pairs since its start. */
static bool one_pair(unsigned n)
{
	return children(&a) == 1 && children(&b) == 1 && a.fake.count[MSG_SA_OUT_ADD] == n &&
	       b.fake.count[MSG_SA_OUT_ADD] >= n;
}

static int up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/esplanade-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	start_side(&b, 2, "respond-only");
	start_side(&a, 1, "always");
	AWAIT(one_pair(1));
	return 0;
}

static const struct bgp_peer_info *bgp_of(struct side *s)
{
	static struct bgp_peer_info i;

	memset(&i, 0, sizeof(i));
	(void)!bgp_peer_info(bgp_io_core(s->g.bgp), 0, &i);
	return &i;
}

static bool bgp_up(struct side *s)
{
	return bgp_of(s)->state == BGP_ESTABLISHED;
}

static int up_with_bgp(void **state)
{
	with_bgp = true;
	bgp_peer_more = "";
	bgp_policies = "all: [{permit: {}}]";
	assert_int_equal(up(state), 0);
	AWAIT(bgp_up(&a) && bgp_up(&b) && bgp_of(&a)->pfx_accepted == 1 && bgp_of(&b)->pfx_accepted == 1);
	return 0;
}

static int down(void **state)
{
	(void)state;
	end_side(&a);
	end_side(&b);
	rmdir(dir);
	with_bgp = false;
	return 0;
}

static const struct msg_sa_add *in_of(const struct side *s)
{
	return (const void *)&s->in;
}

static const struct msg_sa_add *out_of(const struct side *s)
{
	return (const void *)&s->out;
}

static int by_hand(struct side *s, enum status_action action, bool ike)
{
	struct status_req r = {.op = STATUS_TUNNEL, .name = "link", .action = action, .ike = ike};
	char why[512];

	return gateway_by_hand(&s->g, &r, why, sizeof(why));
}

static void assert_crosswise(void)
{
	assert_int_equal(in_of(&a)->spi, out_of(&b)->spi);
	assert_int_equal(out_of(&a)->spi, in_of(&b)->spi);
	assert_memory_equal(in_of(&a)->key, out_of(&b)->key, MSG_KEY_MAX);
	assert_memory_equal(out_of(&a)->key, in_of(&b)->key, MSG_KEY_MAX);
	assert_memory_not_equal(in_of(&a)->key, out_of(&a)->key, 36);
}

static void both_data_planes_get_the_same_keys_crosswise(void **state)
{
	static const uint8_t net[4] = {10, 1, 0, 0};

	(void)state;
	assert_crosswise();
	assert_int_equal(in_of(&a)->n_ts, 1);
	assert_memory_equal(in_of(&a)->ts[0].local.lo, net, 4);
	assert_memory_equal(in_of(&b)->ts[0].remote.lo, net, 4);
	assert_int_equal(a.fake.count[MSG_ROUTE_SET], 1);
}

static void a_child_rekey_brings_new_keys_and_removes_the_old_pair(void **state)
{
	union msg old = a.in;
	uint32_t of;

	(void)state;
	assert_int_equal(by_hand(&a, STATUS_REKEY, false), 0);
	AWAIT(one_pair(2));
	assert_crosswise();
	assert_memory_not_equal(in_of(&a)->key, ((struct msg_sa_add *)&old)->key, 36);
	AWAIT(sadb_used(a.g.sadb, &of) == 1 && sadb_used(b.g.sadb, &of) == 1);
	assert_int_equal(children(&a), 1);
}

static void an_ike_rekey_keeps_the_children(void **state)
{
	(void)state;
	assert_int_equal(by_hand(&b, STATUS_REKEY, true), 0);
	AWAIT(ikes(&a) == 1 && ikes(&b) == 1 && a.g.io.c.in >= 3);
	assert_int_equal(a.fake.count[MSG_SA_IN_ADD], 1);
	assert_int_equal(a.fake.count[MSG_SA_DEL], 0);
	assert_int_equal(children(&a), 1);
}

static void down_by_hand_leaves_nothing_on_both_sides(void **state)
{
	uint32_t of;

	(void)state;
	assert_int_equal(by_hand(&a, STATUS_DOWN, false), 0);
	AWAIT(!ikes(&a) && !ikes(&b) && !sadb_used(a.g.sadb, &of) && !sadb_used(b.g.sadb, &of));
	assert_int_equal(by_hand(&a, STATUS_REKEY, false), -ENOENT);
	assert_int_equal(by_hand(&a, STATUS_UP, false), 1);
	AWAIT(children(&a) == 1 && children(&b) == 1);
}

static void a_responder_whose_hosts_wait_does_not_wait_for_the_peers_first_packet(void **state)
{
	union msg m = {.hdr.type = MSG_NO_SA};
	struct msg_no_sa *n = (void *)&m;
	uint64_t began;

	(void)state;
	assert_int_equal(by_hand(&a, STATUS_DOWN, false), 0);
	AWAIT(!ikes(&a) && !ikes(&b));
	n->tunnel = tunnels_at(&b.g.tunnels, 0)->handle;
	n->family = 4;
	fake_dp_event(&b.fake, 0, &m, sizeof(*n));
	assert_int_equal(by_hand(&a, STATUS_UP, false), 1);
	AWAIT(children(&b) == 1);
	began = loop_now_ms();
	AWAIT(b.fake.count[MSG_SA_OUT_ADD] == 2);
	assert_true(loop_now_ms() - began < 500); /* and not a second */
}

static void a_new_data_plane_gets_new_keys_on_the_old_ike_sa(void **state)
{
	union msg old = a.in;

	(void)state;
	fake_dp_stop(&a.fake);
	AWAIT(!dp_attached(a.g.dp));
	start_fake(&a);
	AWAIT(one_pair(1) && b.fake.count[MSG_SA_OUT_ADD] == 2);
	assert_int_equal(ikes(&a), 1);
	assert_crosswise();
	assert_memory_not_equal(in_of(&a)->key, ((struct msg_sa_add *)&old)->key, 36);
	assert_int_equal(b.g.io.c.in_init, 1); /* no second IKE_SA_INIT */
}

static void a_lost_connection_alone_renews_nothing(void **state)
{
	unsigned adds = (unsigned)a.fake.count[MSG_SA_IN_ADD];

	(void)state;
	fake_dp_drop(&a.fake);
	AWAIT(dp_attached(a.g.dp) && dp_limits(a.g.dp)->attach == 2 && feed_ready(a.g.feed));
	for (unsigned i = 0; i < 50; i++)
		turn();
	assert_int_equal(a.fake.count[MSG_SA_IN_ADD], adds);
	assert_int_equal(children(&a), 1);
}

static void a_reload_with_errors_changes_nothing(void **state)
{
	struct tunnel *t = tunnels_at(&a.g.tunnels, 0);

	(void)state;
	write_config(&a, "always", "surprise: yes\n");
	assert_int_equal(gateway_reload(&a.g), -EINVAL);
	assert_true(t->known && t->wanted);
	assert_int_equal(children(&a), 1);
}

static void a_reload_touches_only_what_changed(void **state)
{
	static const char other[] = "  other:\n"
				    "    local: {port: wan0}\n"
				    "    remote: {address: 203.0.113.77}\n"
				    "    auth: {psk: \"another secret of some length\"}\n"
				    "    selectors: [{local: 10.1.0.0/24, remote: 10.77.0.0/24}]\n"
				    "    start: respond-only\n";
	unsigned adds = (unsigned)a.fake.count[MSG_SA_IN_ADD];
	struct tunnel *t;

	(void)state;
	write_config(&a, "always", other);
	assert_int_equal(gateway_reload(&a.g), 0);
	AWAIT((t = tunnels_find(&a.g.tunnels, "other")) && t->known);
	assert_int_equal(a.fake.count[MSG_TUNNEL_SET], 2);
	write_config(&a, "always", "");
	assert_int_equal(gateway_reload(&a.g), 0);
	AWAIT(!tunnels_find(&a.g.tunnels, "other"));
	assert_int_equal(a.fake.count[MSG_TUNNEL_DEL], 1);
	assert_int_equal(a.fake.count[MSG_SA_IN_ADD], adds);
	assert_int_equal(children(&a), 1);
}

static void a_removed_tunnel_is_deleted_at_the_peer_too(void **state)
{
	FILE *f = fopen(a.file, "w");
	uint32_t of;

	(void)state;
	fputs("ports:\n  wan0: {device: \"af_packet:wan\", addresses: [203.0.113.1/24]}\n", f);
	fclose(f);
	assert_int_equal(gateway_reload(&a.g), 0);
	AWAIT(!ikes(&b) && !sadb_used(b.g.sadb, &of));
	AWAIT(!sadb_used(a.g.sadb, &of) && !tunnels_find(&a.g.tunnels, "link"));
	assert_int_equal(a.fake.count[MSG_ROUTE_DEL], 1);
}

static void stopping_says_delete_and_wipes_all_sas(void **state)
{
	uint64_t began = loop_now_ms();
	uint32_t of;

	(void)state;
	gateway_stop(&a.g);
	AWAIT(a.g.loop.ended);
	assert_true(loop_now_ms() - began < GATEWAY_STOP_MS + 500);
	assert_int_equal(a.fake.count[MSG_SA_DEL], 2);
	AWAIT(!ikes(&b) && !sadb_used(b.g.sadb, &of));
}

static void stopping_does_not_wait_for_a_dead_peer_for_long(void **state)
{
	uint64_t began = loop_now_ms();

	(void)state;
	a.drop_ike = true;
	gateway_stop(&a.g);
	AWAIT(a.g.loop.ended);
	assert_true(loop_now_ms() - began <= GATEWAY_STOP_MS + 500);
	assert_int_equal(a.fake.count[MSG_SA_DEL], 2);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		fail_msg("no text at %s", key);
	return s;
}

static json_t *ask(struct side *s, enum status_show what)
{
	struct status_req r = {.op = STATUS_SHOW, .show = what, .all = true, .max = STATUS_ROWS_DEFAULT};
	struct status_answer answer = {0};

	gateway_show(&s->g, &r, &answer);
	return answer.data;
}

static void every_show_tells_its_rows(void **state)
{
	json_t *tunnels = ask(&a, STATUS_TUNNELS), *row = json_array_get(tunnels, 0);
	json_t *ike_sas = ask(&a, STATUS_IKE_SAS), *i = json_array_get(ike_sas, 0);
	json_t *kids = ask(&a, STATUS_CHILD_SAS), *c = json_array_get(kids, 0);
	json_t *routes = ask(&a, STATUS_ROUTES);
	char spi[16];

	(void)state;
	assert_int_equal(json_array_size(tunnels), 1);
	assert_string_equal(text(row, "name"), "link");
	assert_string_equal(text(row, "state"), "up");
	assert_string_equal(text(row, "peer"), "203.0.113.2");
	assert_int_equal(json_integer_value(json_object_get(row, "child_sas")), 1);
	assert_string_equal(text(i, "role"), "initiator");
	assert_string_equal(text(i, "state"), "established");
	assert_int_equal(strlen(text(i, "spi_i")), 16);
	assert_string_equal(text(i, "nat"), "none");
	snprintf(spi, sizeof(spi), "0x%08x", in_of(&a)->spi);
	assert_string_equal(text(c, "spi_in"), spi);
	assert_string_equal(text(json_array_get(json_object_get(c, "selectors"), 0), "remote"), "10.2.0.0/24");
	assert_true(json_is_object(json_object_get(json_object_get(c, "in"), "drops")));
	assert_int_equal(json_array_size(json_object_get(routes, "rows")),
			 3); /* two connected, one through the tunnel */
	for (enum status_show w = 0; w <= STATUS_DROPS; w++) {
		json_t *data = ask(&a, w), *rows = w == STATUS_ROUTES ? json_object_get(data, "rows") : data;

		assert_true(json_is_array(rows) && json_array_size(rows) > 0);
		json_decref(data);
	}
	json_decref(tunnels);
	json_decref(ike_sas);
	json_decref(kids);
	json_decref(routes);
}

/* ---- BGP ---- */

struct hunt {
	const char *prefix;
	struct feed_route_info i;
	char state[32];
	bool found;
};

static bool look(void *arg, const struct feed_route_info *i)
{
	struct hunt *h = arg;
	char to[IP_STR];

	if (i->owner != FEED_BGP || strcmp(ip_prefix_str(&i->to, to), h->prefix) != 0)
		return true;
	h->i = *i;
	snprintf(h->state, sizeof(h->state), "%s", i->state);
	h->found = true;
	return false;
}

static struct hunt route(struct side *s, const char *prefix)
{
	struct hunt h = {.prefix = prefix};
	struct ip_prefix after = {0};

	feed_walk(s->g.feed, &after, UINT32_MAX, look, &h);
	return h;
}

static void a_learned_route_goes_through_the_tunnel_into_the_data_plane(void **state)
{
	struct hunt h;
	json_t *sum, *peer;

	(void)state;
	AWAIT(!strcmp(route(&a, "10.20.0.0/16").state, "installed"));
	h = route(&a, "10.20.0.0/16");
	assert_int_equal(h.i.n, 1);
	assert_int_equal(h.i.leg[0].kind, MSG_NH_TUNNEL);
	assert_string_equal(h.i.leg[0].tunnel->cfg.name, "link");
	sum = ask(&a, STATUS_BGP_SUMMARY);
	peer = json_array_get(json_object_get(sum, "peers"), 0);
	assert_string_equal(text(peer, "state"), "Established");
	assert_string_equal(text(peer, "over"), "tunnel link");
	assert_int_equal(json_integer_value(json_object_get(peer, "pfx_rcvd")), 1);
	json_decref(sum);
}

/* The segment's size is the tunnel's, not that of lo. */
static void the_session_fits_the_tunnel(void **state)
{
	struct tcp_info_row i;

	(void)state;
	assert_true(bgp_io_tcp(a.g.bgp, bgp_of(&a)->conn, &i));
	assert_in_range(i.mss, 1300, 1400);
	assert_int_equal(i.ttl, 255); /* not on a network of a port */
}

static void a_session_that_transport_mode_protects_leaves_room_for_esp(void **state)
{
	struct bgp_io_ops ops = gateway_bgp_ops(&a.g);
	struct tunnel *t = tunnels_find(&a.g.tunnels, "link");
	struct ip_addr next = ip_v4(0xcb007102), other = ip_v4(0xcb007103);

	(void)state;
	assert_int_equal(ops.mss(ops.ctx, &next), 1460);
	t->cfg.mode = CFG_MODE_TRANSPORT;
	assert_in_range(ops.mss(ops.ctx, &next), 1360, 1400);
	assert_int_equal(ops.mss(ops.ctx, &other), 1460); /* not the tunnel's peer */
	t->cfg.mode = CFG_MODE_TUNNEL;
}

static void a_tunnel_that_is_down_is_the_reason(void **state)
{
	(void)state;
	assert_int_equal(by_hand(&a, STATUS_DOWN, false), 0);
	AWAIT(bgp_of(&a)->unreachable[0]);
	assert_non_null(strstr(bgp_of(&a)->unreachable, "link is down"));
	AWAIT(!route(&a, "10.20.0.0/16").i.n); /* what goes through it cannot be used */
	assert_int_equal(by_hand(&a, STATUS_UP, false) < 0, 0);
	AWAIT(!bgp_of(&a)->unreachable[0] && !strcmp(route(&a, "10.20.0.0/16").state, "installed"));
	assert_int_equal(bgp_of(&a)->established, 1); /* the session has lived through it */
}

static void an_ike_rekey_does_not_touch_the_session(void **state)
{
	uint64_t since = bgp_of(&a)->since_ms;

	(void)state;
	assert_int_equal(by_hand(&a, STATUS_REKEY, false), 0);
	AWAIT(a.fake.count[MSG_SA_OUT_ADD] == 2);
	assert_int_equal(by_hand(&a, STATUS_REKEY, true), 0);
	AWAIT(ikes(&a) == 1 && ikes(&b) == 1);
	assert_true(bgp_up(&a) && bgp_up(&b));
	assert_int_equal(bgp_of(&a)->since_ms, since);
	assert_string_equal(bgp_of(&a)->unreachable, "");
}

static void reload(struct side *s)
{
	write_config(s, s == &a ? "always" : "respond-only", "");
	assert_int_equal(gateway_reload(&s->g), 0);
}

static void a_reload_of_a_policy_takes_routes_without_a_reset(void **state)
{
	(void)state;
	bgp_policies = "all: [{deny: {}}]";
	reload(&a);
	AWAIT(!bgp_of(&a)->pfx_accepted && !bgp_of(&b)->pfx_received && !route(&a, "10.20.0.0/16").found);
	assert_int_equal(bgp_of(&a)->pfx_received, 1);
	bgp_policies = "all: [{permit: {}}]";
	reload(&a);
	AWAIT(bgp_of(&a)->pfx_accepted && bgp_of(&b)->pfx_received);
	assert_int_equal(bgp_of(&a)->established, 1);
}

static void a_reload_of_the_key_needs_no_restart(void **state)
{
	(void)state;
	bgp_peer_more = ", password: \"first\"";
	reload(&a);
	AWAIT(!bgp_up(&b));
	reload(&b);
	AWAIT(bgp_up(&a) && bgp_up(&b));
	bgp_peer_more = ", password: \"second\"";
	reload(&a);
	AWAIT(!bgp_up(&b));
	for (uint64_t until = loop_now_ms() + 1500; loop_now_ms() < until;) /* a retry each second */
		turn();
	assert_false(bgp_up(&a) || bgp_up(&b));
	reload(&b);
	AWAIT(bgp_up(&a) && bgp_up(&b));
}

static void a_peer_that_leaves_the_config_is_told_and_its_routes_go(void **state)
{
	(void)state;
	AWAIT(route(&a, "10.20.0.0/16").found);
	a.bgp = false;
	reload(&a);
	AWAIT(!bgp_up(&b) && !route(&a, "10.20.0.0/16").found);
	assert_non_null(strstr(bgp_of(&b)->last_error, "6/3"));
	assert_false(bgp_of(&a)->cfg);
	a.bgp = true;
	reload(&a);
	AWAIT(bgp_up(&a) && bgp_up(&b));
}

static void clear_by_hand_begins_the_session_anew_and_soft_does_not(void **state)
{
	struct status_req r = {.op = STATUS_BGP, .name = "other", .soft = true};
	char why[512] = "";

	(void)state;
	assert_int_equal(gateway_bgp_clear(&a.g, &r, why, sizeof(why)), 0);
	AWAIT(bgp_of(&b)->msg_in[5] == 1); /* ROUTE-REFRESH */
	assert_int_equal(bgp_of(&a)->established, 1);
	r.soft = false;
	snprintf(r.name, sizeof(r.name), "10.9.0.2");
	assert_int_equal(gateway_bgp_clear(&a.g, &r, why, sizeof(why)), 0);
	assert_false(bgp_up(&a));
	r.soft = true;
	assert_int_equal(gateway_bgp_clear(&a.g, &r, why, sizeof(why)), -ENOTCONN);
	assert_non_null(strstr(why, "no session with 10.9.0.2"));
	AWAIT(bgp_of(&a)->established == 2);
	snprintf(r.name, sizeof(r.name), "nobody");
	assert_int_equal(gateway_bgp_clear(&a.g, &r, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no BGP peer nobody"));
}

static void stopping_says_cease_before_delete(void **state)
{
	(void)state;
	gateway_stop(&a.g);
	AWAIT(!bgp_up(&b));
	assert_non_null(strstr(bgp_of(&b)->last_error, "6/2"));
	assert_int_equal(children(&b), 1); /* the tunnel has carried it */
	AWAIT(a.g.loop.ended);
	AWAIT(!ikes(&b));
}

/* A Cease that nobody acknowledges keeps the tunnels for its time, and no longer. */
static void stopping_does_not_wait_for_a_deaf_bgp_peer_for_long(void **state)
{
	uint64_t began, ended;

	(void)state;
	assert_int_equal(own_ns_addr(2, "10.9.0.99"), 0); /* 10.9.0.2 is gone */
	began = loop_now_ms();
	gateway_stop(&a.g);
	AWAIT(!ikes(&b)); /* Delete has come */
	ended = loop_now_ms();
	assert_in_range(ended - began, GATEWAY_CEASE_MS - 50, GATEWAY_CEASE_MS + 700);
	AWAIT(a.g.loop.ended);
	assert_true(loop_now_ms() - began <= GATEWAY_CEASE_MS + GATEWAY_STOP_MS + 500);
	assert_int_equal(own_ns_addr(2, "10.9.0.2"), 0);
}

static void what_was_learned_before_is_swept_when_the_peers_have_told_theirs(void **state)
{
	(void)state;
	assert_true(a.g.learning);
	assert_int_equal(a.fake.count[MSG_SYNC_END], 0);
	AWAIT(a.fake.count[MSG_SYNC_END] == 1);
	assert_false(a.g.learning);
	assert_true(bgp_up(&a) && loop_now_ms() - bgp_of(&a)->since_ms >= GATEWAY_LEARN_QUIET_MS);
}

static void what_was_learned_from_a_peer_that_never_returns_is_swept_in_time(void **state)
{
	struct status_req r = {.name = "other"};
	char why[256];
	uint64_t lost;

	(void)state;
	assert_int_equal(own_ns_addr(2, "10.9.0.99"), 0); /* 10.9.0.2 is gone */
	assert_int_equal(gateway_bgp_clear(&a.g, &r, why, sizeof(why)), 0);
	AWAIT(!bgp_up(&a) && a.g.learn_until_ms);
	lost = loop_now_ms();
	assert_in_range(a.g.learn_until_ms - lost, GATEWAY_LEARN_MS - 15000, GATEWAY_LEARN_MS);
	AWAIT(loop_now_ms() > lost + GATEWAY_LEARN_QUIET_MS + 1500);
	assert_int_equal(a.fake.count[MSG_SYNC_END], 0);
	a.g.learn_until_ms = loop_now_ms();
	AWAIT(a.fake.count[MSG_SYNC_END] == 1);
	assert_false(a.g.learning);
	assert_int_equal(own_ns_addr(2, "10.9.0.2"), 0);
}

/* ---- questions that the data plane answers ---- */

static int answer_fib(void *ctx, unsigned to, const union msg *m)
{
	struct side *s = ctx;
	union msg reply = {0};
	struct msg_fib_info *i = (void *)&reply;

	if (m->hdr.type != MSG_FIB_GET)
		return keep_adds(ctx, to, m);
	i->hdr.type = MSG_FIB_INFO;
	i->query = m->hdr.seq;
	i->found = 1;
	i->family = 4;
	i->plen = 16;
	i->addr[0] = 10;
	i->addr[1] = 20;
	i->n = 1;
	i->leg[0].kind = MSG_NH_TUNNEL;
	i->leg[0].tunnel = s->g.tunnels.t[0]->handle;
	fake_dp_event(&s->fake, FAKE_CTL, &reply, sizeof(*i));
	return 0;
}

static json_t *gwctl(struct side *s, const char *json)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint8_t head[4] = {0, 0, 0, (uint8_t)strlen(json)};
	char body[4096] = "";
	json_t *o;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->sock);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(write(fd, head, 4), 4);
	assert_int_equal(write(fd, json, strlen(json)), strlen(json));
	AWAIT(recv(fd, head, 4, MSG_PEEK) == 4);
	AWAIT(recv(fd, body, sizeof(body), MSG_PEEK) == 4 + head[2] * 256 + head[3]);
	o = json_loads(body + 4, 0, NULL);
	assert_non_null(o);
	close(fd);
	return o;
}

static void the_fib_is_asked_and_answered(void **state)
{
	static const char ask_it[] = "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.20.0.7\"}";
	json_t *o, *data;

	(void)state;
	a.fake.on_cmd = answer_fib;
	o = gwctl(&a, ask_it);
	data = json_object_get(o, "data");
	assert_string_equal(text(data, "prefix"), "10.20.0.0/16");
	assert_string_equal(text(json_array_get(json_object_get(data, "legs"), 0), "tunnel"), "link");
	json_decref(o);
	a.fake.on_cmd = keep_adds; /* ACK, and nothing else */
	o = gwctl(&a, ask_it);
	assert_non_null(strstr(text(o, "error"), "does not tell"));
	json_decref(o);
	for (unsigned i = 0; i < GATEWAY_QUESTIONS_MAX; i++)
		assert_int_equal(a.g.question[i].ticket, 0);
	fake_dp_stop(&a.fake);
	AWAIT(!dp_attached(a.g.dp));
	o = gwctl(&a, ask_it);
	assert_non_null(strstr(text(o, "error"), "not attached"));
	json_decref(o);
	start_fake(&a);
	AWAIT(dp_attached(a.g.dp));
}

static void without_bgp_its_questions_say_so(void **state)
{
	struct status_req r = {.op = STATUS_SHOW, .show = STATUS_BGP_SUMMARY};
	struct status_answer answer = {0};

	(void)state;
	gateway_show(&a.g, &r, &answer);
	assert_null(answer.data);
	assert_non_null(strstr(answer.why, "BGP is not configured"));
}

static int set_up(void **state)
{
	(void)state;
	return own_ns() || own_ns_addr(1, "10.9.0.1") || own_ns_addr(2, "10.9.0.2");
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define B(name) cmocka_unit_test_setup_teardown(name, up_with_bgp, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_data_planes_get_the_same_keys_crosswise),
		T(a_child_rekey_brings_new_keys_and_removes_the_old_pair),
		T(an_ike_rekey_keeps_the_children),
		T(down_by_hand_leaves_nothing_on_both_sides),
		T(a_responder_whose_hosts_wait_does_not_wait_for_the_peers_first_packet),
		T(a_new_data_plane_gets_new_keys_on_the_old_ike_sa),
		T(a_lost_connection_alone_renews_nothing),
		T(a_reload_with_errors_changes_nothing),
		T(a_reload_touches_only_what_changed),
		T(a_removed_tunnel_is_deleted_at_the_peer_too),
		T(stopping_says_delete_and_wipes_all_sas),
		T(stopping_does_not_wait_for_a_dead_peer_for_long),
		T(every_show_tells_its_rows),
		T(without_bgp_its_questions_say_so),
		B(a_learned_route_goes_through_the_tunnel_into_the_data_plane),
		B(the_session_fits_the_tunnel),
		B(a_session_that_transport_mode_protects_leaves_room_for_esp),
		B(a_tunnel_that_is_down_is_the_reason),
		B(an_ike_rekey_does_not_touch_the_session),
		B(a_reload_of_a_policy_takes_routes_without_a_reset),
		B(a_reload_of_the_key_needs_no_restart),
		B(a_peer_that_leaves_the_config_is_told_and_its_routes_go),
		B(clear_by_hand_begins_the_session_anew_and_soft_does_not),
		B(stopping_says_cease_before_delete),
		B(stopping_does_not_wait_for_a_deaf_bgp_peer_for_long),
		B(what_was_learned_before_is_swept_when_the_peers_have_told_theirs),
		B(what_was_learned_from_a_peer_that_never_returns_is_swept_in_time),
		T(the_fib_is_asked_and_answered),
	};

	(void)!log_set("warn");
	return cmocka_run_group_tests_name("gateway", tests, set_up, NULL);
}
