/* A recorded Internet table from octets to the forwarding table: the BGP core, the feed and the control plane's end of the ring on one
 * thread, the data plane's ctl thread on another, a worker that looks up on a third. Then every prefix is looked up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bgp/bgp.h"
#include "bgp/update.h"
#include "bgp/wire.h"
#include "controlplane/dp.h"
#include "controlplane/feed.h"
#include "forwarder.h"
#include "perf/mrt.h"
#include "table.h"
#include "tests/unit/dataplane/eal.h"

enum { PATIENCE_S = 60, NEXT_HOPS = 200, READ_AT_ONCE = 65536 };
enum { OURS = 4200000001, THEIRS = 4200000002 }; /* private: in no recorded path */
#define NET       0xc6120000u                    /* 198.18.0.0/24, on the port */
#define PEER      (NET + 2)
#define NEXT_HOP0 (NET + 2)

static const char yaml[] = "gateway: {name: full-table}\n"
			   "dataplane: {workers: 1, max-routes: 700000}\n"
			   "ports:\n  lan0: {device: \"af_packet:lan0\", addresses: [198.18.0.1/24]}\n"
			   "bgp:\n  as: 4200000001\n  router-id: 198.18.0.1\n  peers:\n"
			   "    feed: {address: 198.18.0.2, as: 4200000002, import: any, connect: passive}\n"
			   "policies:\n  any: [{permit: {}}]\n";

static struct config *cfg;
static struct loop loop;
static struct dp *dp;
static struct feed *feed;
static struct bgp *bgp;
static struct tunnels tunnels;
static struct forwarder forwarder;
static struct table table;
static uv_timer_t heart; /* what happens before the loop sleeps is seen soon after */
static char dir[] = "/tmp/esplanade-table-XXXXXX", sock_path[64];
static unsigned attaches, refusals;
static bool reachable;
static uint32_t conn;

/* --- hands of the core, of feed and of dp --- */

static int env_connect(void *ctx, uint32_t peer, uint32_t c)
{
	(void)ctx, (void)peer, (void)c;
	return -1;
}

static size_t env_send(void *ctx, uint32_t c, const uint8_t *b, size_t len)
{
	(void)ctx, (void)c, (void)b;
	return len;
}

static void env_close(void *ctx, uint32_t c)
{
	(void)ctx, (void)c;
}

static uint32_t env_random(void *ctx)
{
	(void)ctx;
	return 0x12345678;
}

static void env_route_change(void *ctx, const struct ip_prefix *p, const struct bgp_best *b)
{
	(void)ctx;
	feed_bgp_route(feed, p, b);
}

static void env_watch(void *ctx, const struct ip_addr *nh)
{
	(void)ctx;
	feed_watch(feed, nh);
}

static void env_unwatch(void *ctx, const struct ip_addr *nh)
{
	(void)ctx;
	feed_unwatch(feed, nh);
}

static void env_notice(void *ctx, const struct bgp_notice *n)
{
	(void)ctx;
	if (n->bad && n->from != n->to)
		print_error("%s\n", n->cause);
}

static void on_ready(void *ctx)
{
	(void)ctx;
}

static void on_tunnel_gone(void *ctx, struct tunnel *t)
{
	(void)ctx, (void)t;
}

static void on_nexthop(void *ctx, const struct ip_addr *nh, bool there, uint32_t metric)
{
	(void)ctx;
	bgp_nexthop(bgp, nh, there, metric, loop_now_ms());
}

static void on_way(void *ctx, uint32_t peer, bool there, const struct tunnel *t, const char *cause)
{
	(void)ctx, (void)t;
	reachable = there;
	bgp_peer_reachable(bgp, peer, there, cause, loop_now_ms());
}

static void on_attached(void *ctx, bool new_life)
{
	(void)ctx, (void)new_life;
	attaches++;
	feed_attached(feed);
}

static void on_lost(void *ctx)
{
	(void)ctx;
	feed_lost(feed);
}

static void on_event(void *ctx, unsigned worker, const union msg *m)
{
	(void)ctx, (void)worker, (void)m;
}

static void on_refused(void *ctx, uint32_t seq, int status)
{
	(void)ctx;
	refusals++;
	feed_route_refused(feed, seq, status);
}

static bool on_ike(void *ctx)
{
	(void)ctx;
	return false;
}

static uint64_t deadline(void *ctx)
{
	(void)ctx;
	return bgp ? bgp_deadline(bgp) : UINT64_MAX;
}

static void tick(void *ctx)
{
	(void)ctx;
	bgp_tick(bgp, loop_now_ms());
}

static void before_wait(void *ctx)
{
	(void)ctx;
	if (feed)
		feed_turn(feed);
	dp_flush(dp);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void beat(uv_timer_t *t)
{
	(void)t;
}

/* --- the loop --- */

#define AWAIT(cond)                                                                 \
	do {                                                                        \
		uint64_t until_ = loop_now_ms() + PATIENCE_S * 1000;                \
		while (!(cond)) {                                                   \
			uv_run(&loop.uv, UV_RUN_ONCE);                              \
			if (loop_now_ms() > until_)                                 \
				fail_msg("not within %d s: %s", PATIENCE_S, #cond); \
		}                                                                   \
	} while (0)

static bool quiet(void)
{
	struct feed_totals t;

	feed_totals(feed, &t);
	return feed_ready(feed) && feed_quiet(feed) && !t.dirty && t.applied == t.pushed &&
	       bgp_deadline(bgp) > loop_now_ms();
}

static enum bgp_state state(void)
{
	struct bgp_peer_info i;

	assert_true(bgp_peer_info(bgp, 0, &i));
	return i.state;
}

static void input(const uint8_t *p, size_t len)
{
	assert_true(bgp_input(bgp, conn, p, len, loop_now_ms()));
}

static void session_up(void)
{
	const struct bgp_open o = {
		.version = BGP_VERSION, .as = THEIRS, .hold_s = 0, .id = PEER, .as4 = true, .mp_v4 = true};
	const struct ip_addr local = ip_v4(NET + 1);
	uint8_t buf[BGP_MSG_MAX];

	AWAIT(reachable);
	AWAIT((conn = bgp_accepted(bgp, 0, &local, loop_now_ms())) != 0);
	AWAIT(state() == BGP_OPENSENT);
	input(buf, wire_open_build(buf, sizeof(buf), &o));
	input(buf, wire_keepalive_build(buf, sizeof(buf)));
	AWAIT(state() == BGP_ESTABLISHED);
}

static int begin(void **unused)
{
	const struct bgp_env env = {NULL,      env_connect, env_send,  env_close, env_random, env_route_change,
				    env_watch, env_unwatch, env_notice};
	const struct loop_ops loop_ops = {NULL, deadline, tick, before_wait, nothing, nothing};
	const struct dp_ops dp_ops = {NULL, on_attached, on_lost, on_event, on_refused, on_ike};
	const struct feed_ops feed_ops = {
		.ready = on_ready, .tunnel_gone = on_tunnel_gone, .nexthop = on_nexthop, .peer_way = on_way};
	const struct ip_addr peer = ip_v4(PEER);
	struct cfg_errors errs = {0};
	(void)unused;

	cfg = config_load_text(yaml, strlen(yaml), NULL, true, &errs);
	cfg_errors_print(&errs, "yaml", STDERR_FILENO);
	cfg_errors_free(&errs);
	if (!cfg || !mkdtemp(dir) || eal_start("640") || forwarder_start(&forwarder, dir, cfg))
		return -1;
	table_init(&table);
	tunnels_init(&tunnels);
	snprintf(sock_path, sizeof(sock_path), "%s/dataplane.sock", dir);
	if (loop_init(&loop, &loop_ops, false))
		return -1;
	uv_timer_init(&loop.uv, &heart);
	uv_timer_start(&heart, beat, 5, 5);
	dp = dp_new(&loop, sock_path, &dp_ops);
	feed = feed_new(&loop, dp, &tunnels, &feed_ops);
	feed_config(feed, cfg);
	bgp = bgp_new(&env);
	bgp_config(bgp, cfg, loop_now_ms());
	feed_bgp_peer(feed, 0, &peer);
	session_up();
	return 0;
}

static int finish(void **unused)
{
	(void)unused;
	bgp_free(bgp);
	feed_free(feed);
	dp_free(dp);
	feed = NULL;
	uv_close((uv_handle_t *)&heart, NULL);
	loop_fini(&loop);
	tunnels_fini(&tunnels);
	forwarder_stop(&forwarder);
	table_fini(&table);
	config_free(cfg);
	return rmdir(dir);
}

/* --- what is said --- */

struct stream {
	uint8_t b[READ_AT_ONCE];
	size_t len;
};

/* As it would come out of a socket: any number of messages at once, and the loop turns in between. */
static void say(struct stream *s, const uint8_t *msg, size_t len)
{
	if (!msg || s->len + len > sizeof(s->b)) {
		input(s->b, s->len);
		s->len = 0;
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	if (msg)
		memcpy(s->b + s->len, msg, len);
	s->len += len;
}

/* The same prefixes, taken back. */
static size_t turn_round(uint8_t *msg, size_t len)
{
	struct rd r = rd_of(msg, len);
	size_t n;

	rd_skip(&r, BGP_HDR);
	rd_skip(&r, rd_u16(&r));
	rd_skip(&r, rd_u16(&r));
	n = rd_left(&r);
	memmove(msg + BGP_HDR + 2, r.p, n);
	msg[BGP_HDR] = (uint8_t)(n >> 8);
	msg[BGP_HDR + 1] = (uint8_t)n;
	memset(msg + BGP_HDR + 2 + n, 0, 2);
	n += BGP_HDR + 4;
	msg[BGP_HDR - 3] = (uint8_t)(n >> 8);
	msg[BGP_HDR - 2] = (uint8_t)n;
	return n;
}

/* The whole recording; message i names next hop i + shift, and every so manieth takes its prefixes back (0: none). */
static void say_recording(uint32_t shift, uint32_t holes)
{
	static struct stream s;
	uint8_t msg[BGP_MSG_MAX];
	char err[256];
	struct mrt *m = mrt_open(TABLE_FILE, err, sizeof(err));
	size_t len;

	if (!m)
		fail_msg("%s", err);
	for (uint32_t i = 0; (len = mrt_next(m, THEIRS, msg)); i++) {
		if (holes && i % holes == 0)
			len = turn_round(msg, len);
		table_update(&table, msg, len, NEXT_HOP0 + (i + shift) % NEXT_HOPS);
		say(&s, msg, len);
	}
	say(&s, NULL, 0);
	mrt_close(m);
	AWAIT(quiet());
}

/* All that the table has no more; the data plane need not hear of it at once. */
static void say_withdrawals(void)
{
	static struct stream s;
	uint8_t buf[BGP_MSG_MAX];
	struct update_build b;

	update_build_withdraw(&b, buf, sizeof(buf), IP_V4);
	for (uint32_t i = 0; i < TABLE_SLOTS; i++) {
		const struct table_prefix *t = &table.slot[i];
		struct ip_prefix p = {.addr = ip_v4(t->addr), .len = t->len};

		if (!t->used || t->nexthop || update_build_add(&b, &p))
			continue;
		say(&s, buf, update_build_end(&b));
		update_build_withdraw(&b, buf, sizeof(buf), IP_V4);
		assert_true(update_build_add(&b, &p));
	}
	say(&s, buf, update_build_end(&b));
	say(&s, NULL, 0);
}

/* --- what came out --- */

static void look_up(uint32_t addr)
{
	struct fib_nh nh;
	uint32_t via = forwarder_via(&forwarder, addr, &nh), want = table_lookup(&table, addr);

	if (addr >> 8 == NET >> 8) { /* what the data plane knows by itself cannot be learned away */
		if (nh.kind != (addr == NET + 1 ? FIB_LOCAL : addr == NET || addr == NET + 255 ? FIB_DROP : FIB_PORT))
			fail_msg("%08x is on the port, not kind %u via %08x", addr, nh.kind, via);
		return;
	}
	if (via != want || nh.kind != (want ? FIB_PORT : FIB_NONE))
		fail_msg("%08x leaves via %08x (kind %u), not %08x", addr, via, nh.kind, want);
}

/* First and last address of every prefix, withdrawn ones too, and those beside it. */
static void look_up_every_prefix(void)
{
	for (uint32_t i = 0; i < TABLE_SLOTS; i++) {
		const struct table_prefix *p = &table.slot[i];
		uint32_t last = p->addr | (p->len ? (uint32_t)(0xffffffffull >> p->len) : UINT32_MAX);

		if (!p->used)
			continue;
		look_up(p->addr);
		look_up(last);
		look_up(p->addr - 1);
		look_up(last + 1);
	}
}

/* What one next hop has goes out of the table. Addresses for the worker: of each prefix, unless that changes the way there. */
static struct forwarder_watch *watch_all_but(uint32_t nexthop)
{
	struct forwarder_watch *w = calloc(table.n, sizeof(*w));
	uint32_t n = 0, kept = 0;

	assert_non_null(w);
	for (uint32_t i = 0; i < TABLE_SLOTS; i++) {
		const struct table_prefix *p = &table.slot[i];

		if (p->nexthop && p->addr >> 8 != NET >> 8)
			w[n++] = (struct forwarder_watch){p->addr, table_lookup(&table, p->addr)};
	}
	for (uint32_t i = 0; i < TABLE_SLOTS; i++) {
		const struct table_prefix *p = &table.slot[i];

		if (p->nexthop == nexthop)
			table_set(&table, p->addr, p->len, 0);
	}
	for (uint32_t i = 0; i < n; i++)
		if (table_lookup(&table, w[i].addr) == w[i].via)
			w[kept++] = w[i];
	forwarder_watch(&forwarder, w, kept);
	return w;
}

static void counts_agree(void)
{
	struct feed_totals t;
	struct bgp_peer_info i;

	feed_totals(feed, &t);
	assert_true(bgp_peer_info(bgp, 0, &i));
	assert_int_equal(i.pfx_accepted, table.n);
	assert_int_equal(fib_count(forwarder.fib), table.n);
	assert_int_equal(t.failed, 0);
	assert_int_equal(refusals, 0);
	assert_int_equal(state(), BGP_ESTABLISHED);
}

/* --- the cases, one after the other --- */

static void every_prefix_of_the_internet_is_found(void **unused)
{
	struct bgp_peer_info i;
	(void)unused;

	say_recording(0, 0);
	assert_int_equal(table.n, 577525);
	assert_int_equal(table.left_out, 137);
	counts_agree();
	assert_true(bgp_peer_info(bgp, 0, &i));
	assert_int_equal(i.malformed_withdraw, table.left_out);
	look_up_every_prefix();
}

/* A control plane that attaches anew says all again under other next-hop numbers, and what it says no more is swept; whatever stays
 * is never away. */
static void a_replay_changes_no_other_way(void **unused)
{
	struct forwarder_watch *w = watch_all_but(NEXT_HOP0 + 1);
	unsigned before = attaches;
	uint64_t looked;
	(void)unused;

	dp_broken(dp, "the test attaches anew");
	AWAIT(!dp_attached(dp));
	say_withdrawals();
	AWAIT(attaches > before);
	looked = atomic_load(&forwarder.looked);
	AWAIT(quiet());
	assert_true(atomic_load(&forwarder.looked) > looked);
	assert_int_equal(atomic_load(&forwarder.wrong), 0);
	forwarder_watch(&forwarder, NULL, 0);
	free(w);
	counts_agree();
	look_up_every_prefix();
}

static void other_next_hops_and_holes(void **unused)
{
	(void)unused;
	say_recording(1, 3);
	assert_in_range(table.n, 577525 / 2, 577525 / 4 * 3);
	counts_agree();
	look_up_every_prefix();
}

static void all_withdrawn_is_all_gone(void **unused)
{
	(void)unused;
	for (uint32_t i = 0; i < TABLE_SLOTS; i++)
		if (table.slot[i].used)
			table_set(&table, table.slot[i].addr, table.slot[i].len, 0);
	assert_int_equal(table.n, 0);
	say_withdrawals();
	AWAIT(quiet());
	counts_agree();
	look_up_every_prefix();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_of_the_internet_is_found),
		cmocka_unit_test(a_replay_changes_no_other_way),
		cmocka_unit_test(other_next_hops_and_holes),
		cmocka_unit_test(all_withdrawn_is_all_gone),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
