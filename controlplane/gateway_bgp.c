/* BGP's routes and ways: the core's hands on one side, feed on the other. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/gateway.h"

/* What a tunnel's largest inner packet is when its `mtu` does not say: outer IPv6, UDP, ESP with the largest IV, padding and ICV
 * that there are (AES-CBC with HMAC-SHA2-512). */
enum {
	TRANSPORT_OVERHEAD = 8 + 8 + 16 + 15 + 2 + 32,
	TUNNEL_OVERHEAD = 40 + TRANSPORT_OVERHEAD,
	IP4_TCP = 20 + 20,
	IP6_TCP = 40 + 20,
	MTU_DEFAULT = 1500
};

/* ---- what BGP asks of feed ---- */

static void route_change(void *ctx, const struct ip_prefix *p, const struct bgp_best *b)
{
	struct gateway *g = ctx;

	feed_bgp_route(g->feed, p, b);
}

static void nexthop_watch(void *ctx, const struct ip_addr *nh)
{
	struct gateway *g = ctx;

	feed_watch(g->feed, nh);
}

static void nexthop_unwatch(void *ctx, const struct ip_addr *nh)
{
	struct gateway *g = ctx;

	feed_unwatch(g->feed, nh);
}

static void peer_at(void *ctx, uint32_t peer, const struct ip_addr *addr)
{
	struct gateway *g = ctx;

	feed_bgp_peer(g->feed, peer, addr);
}

static unsigned mtu_of_port(const struct gateway *g, uint16_t port)
{
	return port < g->config->n_ports ? g->config->port[port].mtu : MTU_DEFAULT;
}

static unsigned mtu_of_leg(const struct gateway *g, const struct feed_leg *l)
{
	if (l->kind != MSG_NH_TUNNEL || !l->tunnel)
		return mtu_of_port(g, l->port);
	if (l->tunnel->cfg.mtu)
		return l->tunnel->cfg.mtu;
	return mtu_of_port(g, l->tunnel->port) - TUNNEL_OVERHEAD;
}

/* In transport mode ESP goes between our packets' own headers. */
static bool in_transport(const struct gateway *g, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < g->tunnels.n; i++) {
		const struct tunnel *t = g->tunnels.t[i];

		if (t && t->wanted && t->cfg.mode == CFG_MODE_TRANSPORT && ip_equal(&t->peer, addr))
			return true;
	}
	return false;
}

static uint16_t mss(void *ctx, const struct ip_addr *addr)
{
	struct gateway *g = ctx;
	struct feed_leg leg[MSG_NH_LEGS];
	unsigned n = feed_resolve(g->feed, addr, leg), mtu = UINT16_MAX;

	for (unsigned i = 0; i < n; i++)
		mtu = (unsigned)u64_min(mtu, mtu_of_leg(g, &leg[i]));
	if (n && in_transport(g, addr))
		mtu -= TRANSPORT_OVERHEAD;
	return n ? (uint16_t)(mtu - (addr->family == IP_V6 ? IP6_TCP : IP4_TCP)) : 0;
}

struct bgp_io_ops gateway_bgp_ops(struct gateway *g)
{
	return (struct bgp_io_ops){.ctx = g,
				   .route_change = route_change,
				   .nexthop_watch = nexthop_watch,
				   .nexthop_unwatch = nexthop_unwatch,
				   .peer = peer_at,
				   .mss = mss};
}

/* ---- what feed tells BGP ---- */

static void nexthop(void *ctx, const struct ip_addr *nh, bool reachable, uint32_t metric)
{
	struct gateway *g = ctx;

	bgp_nexthop(bgp_io_core(g->bgp), nh, reachable, metric, loop_now_ms());
}

static void peer_way(void *ctx, uint32_t peer, bool reachable, const struct tunnel *t, const char *cause)
{
	struct gateway *g = ctx;
	char over[CFG_NAME_MAX + 16] = "";

	if (t)
		snprintf(over, sizeof(over), "tunnel %s", t->cfg.name);
	bgp_io_way(g->bgp, peer, reachable, over, cause);
}

static void originate(void *ctx, const struct ip_prefix *p, bool present)
{
	struct gateway *g = ctx;

	bgp_originate(bgp_io_core(g->bgp), p, present, loop_now_ms());
}

void gateway_bgp_feed(struct feed_ops *ops)
{
	ops->nexthop = nexthop;
	ops->peer_way = peer_way;
	ops->originate = originate;
}

void gateway_bgp_turn(struct gateway *g)
{
	uint64_t now = loop_now_ms();

	if (feed_quiet(g->feed))
		g->busy_since_ms = 0;
	else if (!g->busy_since_ms)
		g->busy_since_ms = now;
	/* what begins too early is told that there is no route, and tried again much later */
	if (!g->busy_since_ms || now - g->busy_since_ms >= GATEWAY_WAY_MS)
		bgp_io_turn(g->bgp);
}

/* ---- a fresh start ---- */

void gateway_bgp_learn(struct gateway *g)
{
	g->learning = g->config->bgp.as && g->config->bgp.n_peers;
	feed_learning(g->feed, g->learning);
}

static bool has_told(const struct bgp_peer_info *i, uint64_t now)
{
	if (i->cfg->shutdown || i->max_prefix_hit)
		return true;
	return i->state == BGP_ESTABLISHED && now - i->since_ms >= GATEWAY_LEARN_QUIET_MS;
}

/* End-of-RIB is no sign: peers send it only to those that can restart gracefully. */
void gateway_bgp_learned(struct gateway *g)
{
	const struct bgp *b = bgp_io_core(g->bgp);
	uint64_t now = loop_now_ms(), version = bgp_io_version(g->bgp);
	bool all = version == g->learn_version;
	struct bgp_peer_info i;

	if (!g->learning || !feed_ready(g->feed))
		return;
	g->learn_version = version;
	if (!g->learn_until_ms)
		g->learn_until_ms = now + GATEWAY_LEARN_MS;
	for (uint32_t p = 0; p < bgp_peer_count(b); p++)
		all &= !bgp_peer_info(b, p, &i) || has_told(&i, now);
	if (!all && now < g->learn_until_ms)
		return;
	g->learning = false;
	feed_learning(g->feed, false);
	log_info(LOG_BGP, "event=former-routes-swept cause=\"%s\"",
		 all ? "all peers have told theirs" : "not all peers came back in time");
}

/* ---- by hand ---- */

int gateway_bgp_clear(void *ctx, const struct status_req *req, char *why, size_t cap)
{
	struct gateway *g = ctx;
	struct bgp *b = bgp_io_core(g->bgp);
	uint32_t peer = bgp_peer_find(b, req->name);
	int rc;

	if (peer == BGP_NO_PEER) {
		snprintf(why, cap, "there is no BGP peer %s: `gwctl show bgp summary` lists them", req->name);
		return -ENOENT;
	}
	rc = bgp_clear(b, peer, req->soft, loop_now_ms());
	if (rc == -ENOTCONN)
		snprintf(why, cap, "there is no session with %s: `gwctl show bgp neighbor %s` says why", req->name,
			 req->name);
	return rc;
}
