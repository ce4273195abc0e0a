#include "tests/unit/bgp/rib_rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/aspath.h"
#include "bgp/update.h"

/* --- what the RIB calls --- */

static void on_route(void *ctx, const struct ip_prefix *p, const struct bgp_best *b)
{
	struct rig *g = ctx;
	struct rig_route *x = g->route;

	g->changes++;
	if (g->blind)
		return;
	while (x < g->route + g->n_routes && !ip_prefix_equal(&x->prefix, p))
		x++;
	assert(x < g->route + RIG_ROUTES);
	if (x == g->route + g->n_routes) {
		g->n_routes++;
		x->prefix = *p;
	}
	assert(!b || (b->n >= 1 && b->n <= BGP_PATHS_MAX));
	x->n = b ? b->n : 0;
	for (unsigned i = 0; i < x->n; i++) {
		x->nexthop[i] = *b->path[i].nexthop;
		x->peer[i] = b->path[i].peer;
	}
	x->told++;
}

static void on_watch(void *ctx, const struct ip_addr *nh)
{
	struct rig *g = ctx;

	assert(!rig_watched(g, nh) && g->n_watched < RIG_HOPS);
	g->watched[g->n_watched++] = *nh;
}

static void on_unwatch(void *ctx, const struct ip_addr *nh)
{
	struct rig *g = ctx;

	for (unsigned i = 0; i < g->n_watched; i++)
		if (ip_equal(&g->watched[i], nh)) {
			g->watched[i] = g->watched[--g->n_watched];
			return;
		}
	assert(!"unwatch of what is not watched");
}

static void on_ready(void *ctx, uint32_t peer)
{
	struct rig *g = ctx;

	g->ready[peer]++;
}

bool rig_watched(const struct rig *g, const struct ip_addr *a)
{
	for (unsigned i = 0; i < g->n_watched; i++)
		if (ip_equal(&g->watched[i], a))
			return true;
	return false;
}

/* --- set up --- */

static struct cfg_prefix_rule ten_rule = {.permit = true, .ge = 8, .le = 32};
static struct cfg_prefix_list lists[] = {{.name = "ten", .rule = &ten_rule, .n_rules = 1}};
static struct cfg_policy_entry all_entry = {.permit = true};
static struct cfg_policy_entry ten_entry = {.permit = true, .prefix = "ten", .set = {.med_set = true, .med = 77}};
static struct cfg_policy_entry hop_entry = {.permit = true};
static struct cfg_policy_entry none_entry = {.permit = false};
static struct cfg_policy policies[] = {
	{.name = "all", .entry = &all_entry, .n_entries = 1},
	{.name = "ten", .entry = &ten_entry, .n_entries = 1},
	{.name = "hop", .entry = &hop_entry, .n_entries = 1},
	{.name = "none", .entry = &none_entry, .n_entries = 1},
};

void rig_init(struct rig *g)
{
	const struct rib_ops ops = {g, on_route, on_watch, on_unwatch, on_ready};

	memset(g, 0, sizeof(*g));
	ten_rule.prefix = rig_prefix("10.0.0.0/8");
	hop_entry.set.next_hop = rig_addr("192.0.2.99");
	g->cfg.prefix_list = lists;
	g->cfg.n_prefix_lists = 1;
	g->cfg.policy = policies;
	g->cfg.n_policies = sizeof(policies) / sizeof(policies[0]);
	g->in = intern_new();
	g->policies = policy_set_new(&g->cfg, g->in);
	g->r = rib_new(&ops, g->in);
}

void rig_fini(struct rig *g)
{
	for (unsigned i = 0; i < RIG_PEERS; i++)
		for (unsigned k = 0; k < g->n_heard[i]; k++)
			intern_put(g->in, g->heard[i][k].a);
	rib_free(g->r);
	policy_set_free(g->policies);
	intern_free(g->in);
}

const struct policy *rig_policy(const struct rig *g, const char *name)
{
	return policy_find(g->policies, name ? name : "");
}

void rig_peer(struct rig *g, uint32_t i, const char *import, const char *export)
{
	struct rib_session *s = &g->session[i];

	if (s->codec.peer_as == 0)
		*s = (struct rib_session){
			.codec = {.as4 = true,
				  .mp_v4 = true,
				  .mp_v6 = true,
				  .local_as = RIG_AS,
				  .peer_as = 65010 + i,
				  .local = ip_v4(0x0a0000fe),
				  .remote = ip_v4(0x0a000001 + i)},
			.remote_id = i + 1,
			.multihop = 255,
		};
	rib_peer_policy(g->r, i, rig_policy(g, import), rig_policy(g, export), RIG_AS);
	rib_peer_up(g->r, i, s);
}

void rig_peer_down(struct rig *g, uint32_t i)
{
	rib_peer_down(g->r, i);
	for (unsigned k = 0; k < g->n_heard[i]; k++) {
		intern_put(g->in, g->heard[i][k].a);
		g->heard[i][k] = (struct rig_heard){.prefix = g->heard[i][k].prefix};
	}
}

struct ip_prefix rig_prefix(const char *s)
{
	struct ip_prefix p;

	memset(&p, 0, sizeof(p));
	if (ip_prefix_parse(s, false, &p))
		abort();
	return p;
}

struct ip_addr rig_addr(const char *s)
{
	struct ip_addr a;

	memset(&a, 0, sizeof(a));
	if (ip_parse(s, &a))
		abort();
	return a;
}

const struct bgp_attrs *rig_set(struct rig *g, const char *nexthop, const char *path)
{
	struct bgp_attrs_draft d = {.a = {.nexthop = rig_addr(nexthop)}};
	uint8_t seg[2 + 4 * 16] = {BGP_AS_SEQUENCE, 0};
	char *end;

	for (; *path; path = end) {
		uint32_t as = (uint32_t)strtoul(path, &end, 10);
		uint8_t *at = seg + 2 + 4 * seg[1]++;

		at[0] = (uint8_t)(as >> 24);
		at[1] = (uint8_t)(as >> 16);
		at[2] = (uint8_t)(as >> 8);
		at[3] = (uint8_t)as;
	}
	if (attr_set_part(&d, 0, seg, seg[1] ? 2u + 4u * seg[1] : 0))
		abort();
	return intern_get(g->in, &d.a);
}

void rig_announce(struct rig *g, uint32_t peer, const char *prefix, const char *nexthop, const char *path)
{
	const struct bgp_attrs *a = rig_set(g, nexthop, path);
	struct ip_prefix p = rig_prefix(prefix);

	rib_update(g->r, peer, &p, a);
	intern_put(g->in, a);
}

void rig_withdraw(struct rig *g, uint32_t peer, const char *prefix)
{
	struct ip_prefix p = rig_prefix(prefix);

	rib_withdraw(g->r, peer, &p);
}

void rig_reach(struct rig *g, const char *nexthop, bool reachable, uint32_t metric)
{
	struct ip_addr a = rig_addr(nexthop);

	rib_nexthop(g->r, &a, reachable, metric);
}

void rig_work(struct rig *g)
{
	for (unsigned n = 0; rib_work(g->r); n++)
		assert(n < 100000);
}

/* --- the peers' side --- */

static struct rig_heard *heard(struct rig *g, uint32_t peer, const struct ip_prefix *p)
{
	struct rig_heard *h = g->heard[peer];

	while (h < g->heard[peer] + g->n_heard[peer] && !ip_prefix_equal(&h->prefix, p))
		h++;
	assert(h < g->heard[peer] + RIG_ROUTES);
	if (h == g->heard[peer] + g->n_heard[peer]) {
		g->n_heard[peer]++;
		h->prefix = *p;
	}
	return h;
}

static void hear(struct rig *g, uint32_t peer, struct rd nlri, uint8_t family, const struct bgp_attrs *draft)
{
	struct ip_prefix p;
	unsigned n = 0;

	memset(&p, 0, sizeof(p));
	while (update_next(&nlri, family, &p)) {
		struct rig_heard *h = heard(g, peer, &p);
		const struct bgp_attrs *a = draft ? intern_get(g->in, draft) : NULL;

		if (a == h->a)
			g->same_again++;
		intern_put(g->in, h->a);
		h->a = a;
		h->there = a != NULL;
		h->times += a != NULL;
		n += a != NULL;
	}
	if (n > g->most)
		g->most = n;
}

void rig_hear(struct rig *g, uint32_t peer, const uint8_t *msg, size_t len)
{
	/* the peer sees the session from the other side */
	const struct bgp_codec *ours = &g->session[peer].codec;
	struct bgp_codec c = {.as4 = ours->as4,
			      .mp_v4 = ours->mp_v4,
			      .mp_v6 = ours->mp_v6,
			      .local_as = ours->peer_as,
			      .peer_as = ours->local_as,
			      .local = ours->remote,
			      .remote = ours->local};
	static struct bgp_update u;
	struct bgp_error err;
	enum bgp_verdict v;

	if (len == 0)
		return;
	assert(len >= BGP_HDR && len <= BGP_MSG_MAX && msg[16] * 256u + msg[17] == len && msg[18] == 2);
	v = update_decode(rd_of(msg + BGP_HDR, len - BGP_HDR), &c, &u, &err);
	if (v != BGP_OK) {
		fprintf(stderr, "verdict %d: %s\n", v, err.text);
		abort();
	}
	g->messages[peer]++;
	g->eor_v4[peer] += u.eor_v4;
	g->eor_v6[peer] += u.eor_v6;
	hear(g, peer, u.withdraw_v4, IP_V4, NULL);
	hear(g, peer, u.withdraw_mp, u.mp_withdraw_family, NULL);
	hear(g, peer, u.announce_v4, IP_V4, &u.attrs.a);
	u.attrs.a.nexthop = u.mp_nexthop;
	hear(g, peer, u.announce_mp, u.mp_announce_family, &u.attrs.a);
}

void rig_pull(struct rig *g)
{
	uint8_t buf[BGP_MSG_MAX];
	bool more = true;
	size_t len;

	while (more) {
		more = rib_work(g->r);
		for (uint32_t i = 0; i < RIG_PEERS; i++)
			while (g->session[i].codec.peer_as && (len = out_pull(g->r, i, buf))) {
				rig_hear(g, i, buf, len);
				more = true;
			}
	}
	for (uint32_t i = 0; i < RIG_PEERS; i++)
		assert(!out_pending(g->r, i));
}

const struct rig_route *rig_route(const struct rig *g, const char *prefix)
{
	struct ip_prefix p = rig_prefix(prefix);

	for (unsigned i = 0; i < g->n_routes; i++)
		if (ip_prefix_equal(&g->route[i].prefix, &p))
			return &g->route[i];
	return NULL;
}

static const struct rig_heard *find_heard(const struct rig *g, uint32_t peer, const char *prefix)
{
	struct ip_prefix p = rig_prefix(prefix);

	for (unsigned i = 0; i < g->n_heard[peer]; i++)
		if (ip_prefix_equal(&g->heard[peer][i].prefix, &p))
			return &g->heard[peer][i];
	return NULL;
}

const struct bgp_attrs *rig_held(const struct rig *g, uint32_t peer, const char *prefix)
{
	const struct rig_heard *h = find_heard(g, peer, prefix);

	return h && h->there ? h->a : NULL;
}

unsigned rig_times(const struct rig *g, uint32_t peer, const char *prefix)
{
	const struct rig_heard *h = find_heard(g, peer, prefix);

	return h ? h->times : 0;
}

unsigned rig_held_count(const struct rig *g, uint32_t peer)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->n_heard[peer]; i++)
		n += g->heard[peer][i].there;
	return n;
}

const char *rig_text(const struct bgp_attrs *a)
{
	static char text[256];
	char path[128], ip[IP_STR];

	if (!a)
		return "nothing";
	aspath_text(attr_path(a), a->path_len, path, sizeof(path));
	(void)snprintf(text, sizeof(text), "%s via %s", path, ip_str(&a->nexthop, ip));
	return text;
}
