/* What a route costs on its way from BGP into the ring: nanoseconds of the control plane's thread, without a data plane's.
 *
 *   feed_bench [PREFIXES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/feed.h"
#include "tests/lib/fake_dp.h"

enum { NEXT_HOPS = 200, PER_SET = 6 };

static struct loop loop;
static struct dp *dp;
static struct feed *feed;
static struct fake_dp fake;
static struct tunnels tunnels;
static bool ready;
static uv_timer_t watch;

static uint64_t never(void *ctx)
{
	(void)ctx;
	return UINT64_MAX;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void before_wait(void *ctx)
{
	(void)ctx;
	if (feed)
		feed_turn(feed);
	dp_flush(dp);
}

static void attached(void *ctx, bool new_life)
{
	(void)ctx;
	(void)new_life;
	feed_attached(feed);
}

static void lost(void *ctx)
{
	(void)ctx;
	feed_lost(feed);
}

static void event(void *ctx, unsigned worker, const union msg *m)
{
	(void)ctx;
	(void)worker;
	(void)m;
}

static void refused(void *ctx, uint32_t seq, int status)
{
	(void)ctx;
	feed_route_refused(feed, seq, status);
}

static bool no_ike(void *ctx)
{
	(void)ctx;
	return false;
}

static void is_ready(void *ctx)
{
	(void)ctx;
	ready = true;
}

static void no_tunnel(void *ctx, struct tunnel *t)
{
	(void)ctx;
	(void)t;
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Prefix i of a full table's kind: /24s spread over the unicast space. */
static struct ip_prefix prefix(uint32_t i)
{
	return (struct ip_prefix){.addr = ip_v4((i * 2654435761u) % 0xdf000000u & 0xffffff00u), .len = 24};
}

static void say_all(uint32_t n, uint32_t shift)
{
	for (uint32_t i = 0; i < n; i++) {
		struct ip_addr nh = ip_v4(0x0a000002u + (i / PER_SET + shift) % NEXT_HOPS);
		struct ip_prefix p = prefix(i);
		struct bgp_best b = {.n = 1};

		b.path[0].nexthop = &nh;
		feed_bgp_route(feed, &p, shift == UINT32_MAX ? NULL : &b);
	}
}

static void until_applied(void)
{
	struct feed_totals t;

	do {
		uv_run(&loop.uv, UV_RUN_ONCE);
		feed_totals(feed, &t);
	} while (t.dirty || t.applied < t.pushed);
}

static void measure(const char *what, uint32_t n, uint32_t shift)
{
	double cpu = cpu_s(), wall = wall_s(), said;
	struct feed_totals t;

	say_all(n, shift);
	said = cpu_s();
	until_applied();
	feed_totals(feed, &t);
	printf("%-10s %7u prefixes: said %4.0f ns each, pushed and applied %4.0f ns each, %.2f s wall, %.1f octets a "
	       "prefix\n",
	       what, n, (said - cpu) * 1e9 / n, (cpu_s() - said) * 1e9 / n, wall_s() - wall,
	       t.routes > n / 2 ? (double)t.octets / t.routes : 0);
}

static void tick(uv_timer_t *t)
{
	(void)t; /* what happens just before the loop sleeps is seen after this */
}

static void start(const char *path)
{
	struct loop_ops ops = {NULL, never, nothing, before_wait, nothing, nothing};
	struct dp_ops dp_ops = {NULL, attached, lost, event, refused, no_ike};
	struct feed_ops feed_ops = {.ready = is_ready, .tunnel_gone = no_tunnel};
	struct shm_params p = {
		.workers = 1, .ports = 1, .sas = 16, .tunnels = 8, .nexthops = 4096, .epoch = 1, .attach = 1};

	if (loop_init(&loop, &ops, false))
		exit(1);
	uv_timer_init(&loop.uv, &watch);
	uv_timer_start(&watch, tick, 1, 1);
	fake_dp_start(&fake, &loop.uv, path, &p);
	dp = dp_new(&loop, path, &dp_ops);
	feed = feed_new(&loop, dp, &tunnels, &feed_ops);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	char dir[] = "/tmp/esplanade-bench-XXXXXX", path[64];
	static struct config cfg;

	if (!n || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/dp.sock", dir);
	start(path);
	cfg.n_ports = cfg.port[0].n_addr = 1;
	cfg.port[0].addr[0] = (struct ip_prefix){.addr = ip_v4(0x0a000001), .len = 16};
	feed_config(feed, &cfg);
	while (!ready)
		uv_run(&loop.uv, UV_RUN_ONCE);
	measure("announce", n, 0);
	measure("again", n, 1);
	measure("withdraw", n, UINT32_MAX);
	fake_dp_stop(&fake);
	rmdir(dir);
	return 0;
}
