/* What the RIB alone costs: prefixes in, looked at, out. Usage: rib_bench [prefixes [prefixes a set]]
 *
 * No octets are parsed and no policy has work to do; sets are made beforehand. One line of JSON: CPU nanoseconds a prefix for
 * each kind of work, and octets a prefix.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "bgp/rib.h"

static const struct policy *permit(struct config *c, struct policy_set **set, struct intern *in)
{
	static struct cfg_policy_entry entry = {.permit = true};
	static struct cfg_policy policy = {.name = "all", .entry = &entry, .n_entries = 1};

	c->policy = &policy;
	c->n_policies = 1;
	*set = policy_set_new(c, in);
	return policy_find(*set, "all");
}

static uint64_t changes;

static void on_change(void *ctx, const struct ip_prefix *p, const struct bgp_best *b)
{
	(void)ctx;
	(void)p;
	(void)b;
	changes++;
}

static void on_nexthop(void *ctx, const struct ip_addr *nh)
{
	(void)ctx;
	(void)nh;
}

static void on_ready(void *ctx, uint32_t peer)
{
	(void)ctx;
	(void)peer;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds a prefix since the last call. */
static double lap(uint32_t n)
{
	static double last;
	double now = cpu_ns(), d = (now - last) / n;

	last = now;
	return d;
}

static struct ip_prefix prefix(uint32_t i)
{
	/* /24s far apart, as in a real table; each once */
	return (struct ip_prefix){.addr = ip_v4(0x01000000u + (i * 7368787u % (1u << 22) << 8)), .len = 24};
}

static const struct bgp_attrs *make_set(struct intern *in, uint32_t i)
{
	struct bgp_attrs_draft d = {.a = {.nexthop = ip_v4(0x0a000002)}};
	uint8_t path[2 + 4 * 4] = {BGP_AS_SEQUENCE, 4, 0, 0, 0xfd, 0xea};

	path[11] = (uint8_t)i;
	path[12] = (uint8_t)(i >> 8);
	path[13] = (uint8_t)(i >> 16);
	if (attr_set_part(&d, 0, path, sizeof(path)))
		abort();
	return intern_get(in, &d.a);
}

static bool count_row(void *arg, const struct bgp_row *row)
{
	(void)row;
	++*(uint64_t *)arg;
	return true;
}

static uint64_t walk(struct rib *r)
{
	struct ip_prefix after = {.addr = {.family = IP_NONE}};
	uint64_t rows = 0;

	while (rib_walk(r, BGP_VIEW_BEST, 0, &after, 1024, count_row, &rows))
		;
	return rows;
}

static struct rib_session session(uint32_t remote, uint32_t as)
{
	return (struct rib_session){
		.codec = {.as4 = true,
			  .mp_v4 = true,
			  .local_as = 65001,
			  .peer_as = as,
			  .local = ip_v4(0x0a000001),
			  .remote = ip_v4(remote)},
		.remote_id = remote,
		.multihop = 255,
	};
}

static uint64_t pull_all(struct rib *r, uint32_t peer, uint64_t *octets)
{
	uint8_t buf[4096];
	uint64_t n = 0;
	size_t len;

	do {
		while ((len = out_pull(r, peer, buf))) {
			n++;
			*octets += len;
		}
	} while (rib_work(r) || out_pending(r, peer));
	return n;
}

static void settle(struct rib *r)
{
	while (rib_work(r))
		;
}

struct bench {
	struct rib *r;
	const struct policy *all;
	const struct bgp_attrs **set;
	uint32_t n, per_set;
	struct bgp_totals totals; /* of the full table */
	double update, replace, shown, exported, withdrawn, lost;
	uint64_t octets, messages; /* told to the second neighbour */
};

/* Every prefix with its set, or with the one `shift` further. */
static void update_all(struct bench *b, uint32_t shift)
{
	struct ip_addr nh = ip_v4(0x0a000002);

	for (uint32_t i = 0; i < b->n; i++) {
		struct ip_prefix p = prefix(i);

		rib_update(b->r, 0, &p, b->set[i / b->per_set + shift]);
		if (i == 0)
			rib_nexthop(b->r, &nh, true, 0);
	}
}

static void run(struct bench *b)
{
	struct rib_session s = session(0x0a000002, 65002), s2 = session(0x0a000003, 65003);

	rib_peer_policy(b->r, 0, b->all, NULL, 65001);
	rib_peer_up(b->r, 0, &s);
	lap(b->n);
	update_all(b, 0);
	b->update = lap(b->n);
	rib_totals(b->r, &b->totals);
	update_all(b, 1);
	b->replace = lap(b->n);
	settle(b->r);
	lap(b->n);
	if (walk(b->r) != b->n)
		abort();
	b->shown = lap(b->n);
	rib_peer_policy(b->r, 1, NULL, b->all, 65001);
	rib_peer_up(b->r, 1, &s2);
	b->messages = pull_all(b->r, 1, &b->octets);
	b->exported = lap(b->n);
	rib_peer_down(b->r, 1);
	settle(b->r);
	lap(b->n);
	for (uint32_t i = 0; i < b->n / 2; i++) {
		struct ip_prefix p = prefix(i);

		rib_withdraw(b->r, 0, &p);
	}
	b->withdrawn = lap(b->n / 2);
	rib_peer_down(b->r, 0);
	settle(b->r);
	b->lost = lap(b->n - b->n / 2);
}

int main(int argc, char **argv)
{
	const struct rib_ops ops = {.route_change = on_change,
				    .nexthop_watch = on_nexthop,
				    .nexthop_unwatch = on_nexthop,
				    .out_ready = on_ready};
	struct bench b = {.n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000,
			  .per_set = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 6};
	uint32_t n_sets = b.per_set ? b.n / b.per_set + 2 : 0;
	static struct config cfg;
	struct policy_set *policies;
	struct intern *in = intern_new();

	if (b.n < 2 || n_sets == 0)
		return 2;
	b.r = rib_new(&ops, in);
	b.all = permit(&cfg, &policies, in);
	b.set = xcalloc(n_sets, sizeof(*b.set));
	for (uint32_t i = 0; i < n_sets; i++)
		b.set[i] = make_set(in, i);
	run(&b);
	printf("{\"prefixes\": %u, \"per_set\": %u, \"update_ns\": %.0f, \"replace_ns\": %.0f, \"walk_ns\": %.0f, "
	       "\"export_ns\": %.0f, \"withdraw_ns\": %.0f, \"peer_down_ns\": %.0f, \"octets_per_prefix\": %.1f, "
	       "\"update_messages\": %lu, \"update_octets\": %lu, \"changes\": %lu}\n",
	       b.n, b.per_set, b.update, b.replace, b.shown, b.exported, b.withdrawn, b.lost,
	       (double)b.totals.octets / b.n, b.messages, b.octets, changes);
	rib_free(b.r);
	for (uint32_t i = 0; i < n_sets; i++)
		intern_put(in, b.set[i]);
	policy_set_free(policies);
	intern_free(in);
	free(b.set);
	return 0;
}
