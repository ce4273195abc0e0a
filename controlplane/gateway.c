#include "controlplane/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

/* ---- the IKE core's tunnels ---- */

/* Everything that the core does not know yet and the data plane has. */
static void tell_core(struct gateway *g)
{
	for (uint32_t i = 0; i < g->tunnels.n; i++) {
		struct tunnel *t = g->tunnels.t[i];
		int rc;

		if (!t || !t->wanted || !t->stale || t->dp_state != FEED_DONE)
			continue;
		rc = ike_tunnel_set(g->ike, i, &t->cfg, loop_now_ms());
		if (rc) {
			log_err(LOG_IKE, "tunnel=%s event=tunnel-refused cause=\"%s\"", t->cfg.name, err_str(rc));
			continue;
		}
		t->known = true;
		t->stale = false;
	}
}

/* Both feed and sadb are in step with this life of the data plane. */
static void maybe_go(struct gateway *g)
{
	struct ike_event lost = {.type = IKE_EV_DP_LOST, .tunnel = IKE_NO_TUNNEL};

	if (!feed_ready(g->feed) || !sadb_ready(g->sadb) || g->stop_at_ms)
		return;
	if (g->started && g->dp_restarted)
		(void)!ike_event(g->ike, &lost, loop_now_ms());
	g->dp_restarted = false;
	g->started = true;
	tell_core(g);
}

static void feed_is_ready(void *ctx)
{
	maybe_go(ctx);
}

/* What a former control plane has left still carries traffic: its routes stay. */
static void sadb_is_ready(void *ctx)
{
	struct gateway *g = ctx;

	for (uint32_t i = 0; i < g->tunnels.n; i++)
		if (g->tunnels.t[i] && !list_empty(&g->tunnels.t[i]->pairs))
			feed_tunnel_up(g->feed, g->tunnels.t[i], true);
	feed_hold(g->feed, false);
	maybe_go(g);
}

static void on_sa_event(void *ctx, const struct ike_event *ev)
{
	struct gateway *g = ctx;

	(void)!ike_event(g->ike, ev, loop_now_ms()); /* nothing to act upon is fine: the core has moved on */
}

/* May come from within the core: only noted. */
static void tunnel_idle(void *ctx, struct tunnel *t)
{
	struct gateway *g = ctx;

	if (!t->wanted)
		feed_kick(g->feed);
	else if (!t->up_since_ms)
		feed_tunnel_up(g->feed, t, false);
}

static void tunnel_gone(void *ctx, struct tunnel *t)
{
	struct gateway *g = ctx;

	if (t->wanted) { /* it has come back meanwhile */
		feed_kick(g->feed);
		return;
	}
	log_info(LOG_CTL, "tunnel=%s event=tunnel-removed", t->cfg.name);
	place_give(&g->place, t->worker);
	tunnels_del(&g->tunnels, t);
}

/* ---- the data plane ---- */

static void place_all(struct gateway *g)
{
	unsigned n = dp_limits(g->dp)->workers;

	place_init(&g->place, n);
	for (uint32_t i = 0; i < g->tunnels.n; i++) {
		struct tunnel *t = g->tunnels.t[i];

		if (t)
			t->worker = place_take(&g->place, t->worker);
	}
}

static void dp_is_attached(void *ctx, bool new_life)
{
	struct gateway *g = ctx;

	if (new_life)
		place_all(g);
	g->dp_restarted |= new_life;
	feed_hold(g->feed, true);
	feed_attached(g->feed);
	sadb_attached(g->sadb, new_life);
}

static void dp_is_lost(void *ctx)
{
	struct gateway *g = ctx;

	sadb_lost(g->sadb);
	feed_lost(g->feed);
}

static void dp_event(void *ctx, unsigned worker, const union msg *m)
{
	struct gateway *g = ctx;
	const struct msg_link *link = (const void *)m;
	const struct msg_bad_spi *bad = (const void *)m;
	struct ip_addr from;
	char text[IP_STR];

	switch (m->hdr.type) {
	case MSG_NO_SA:
		gateway_no_sa(g, (const void *)m);
		break;
	case MSG_LINK:
		log_info(LOG_PORT, "port=%s event=link-%s",
			 link->port < g->config->n_ports ? g->config->port[link->port].name : "?",
			 link->up ? "up" : "down");
		break;
	case MSG_FIB_INFO:
		gateway_fib_info(g, (const void *)m);
		break;
	case MSG_BAD_SPI:
		from = ip_from_bytes(bad->family, bad->remote);
		log_warn(LOG_SADB, "event=unknown-spi spi=0x%08x peer=%s worker=%u", bad->spi, ip_str(&from, text),
			 worker);
		break;
	default:
		sadb_event(g->sadb, worker, m);
	}
}

static void route_refused(void *ctx, uint32_t seq, int status)
{
	struct gateway *g = ctx;

	feed_route_refused(g->feed, seq, status);
}

static bool take_datagrams(void *ctx)
{
	struct gateway *g = ctx;

	return ike_io_turn(&g->io);
}

/* Before the first sync nobody could be answered well: a peer sends again. */
static void ike_datagram(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	struct gateway *g = ctx;

	if (g->started)
		ike_input(g->ike, path, msg, len, loop_now_ms());
}

/* ---- the loop ---- */

static uint64_t next_deadline(void *ctx)
{
	struct gateway *g = ctx;

	return u64_min(g->started ? ike_deadline(g->ike) : UINT64_MAX, bgp_io_deadline(g->bgp));
}

static void tick(void *ctx)
{
	struct gateway *g = ctx;

	ike_tick(g->ike, loop_now_ms());
	bgp_io_tick(g->bgp);
}

static void look_at_touched(struct gateway *g)
{
	list_each_safe (e, &g->touched) {
		struct tunnel *t = list_entry(e, struct tunnel, touched);
		struct ike_tunnel_info info;
		bool up;

		list_del(&t->touched);
		if (!t->known || ike_tunnel_info(g->ike, t->handle.slot, &info))
			continue;
		if (!info.n_child && info.n_ike && t->peer_error[0])
			status_settle(g->status, t->handle.slot, t->peer_error);
		t->peer_error[0] = '\0';
		if (t->ended && !info.n_ike)
			resolve_failed(g->resolve, t);
		t->ended = false;
		/* what has an inbound half only would swallow what routes send into it */
		up = info.n_child && (t->up_since_ms || info.n_sending);
		if (up == !!t->up_since_ms)
			continue;
		t->up_since_ms = up ? loop_now_ms() : 0;
		feed_tunnel_up(g->feed, t, up);
	}
}

static void before_wait(void *ctx)
{
	struct gateway *g = ctx;

	look_at_touched(g);
	feed_turn(g->feed);
	gateway_bgp_turn(g); /* connections that feed's news have made possible */
	dp_flush(g->dp);
}

static void sweep_due(uv_timer_t *t)
{
	struct gateway *g = t->data;

	sadb_sweep(g->sadb);
	gateway_bgp_learned(g);
	for (uint32_t i = 0; i < g->tunnels.n; i++) /* a name may have got another address */
		if (g->tunnels.t[i] && g->tunnels.t[i]->cfg.remote.name[0])
			feed_tunnel_moved(g->feed, g->tunnels.t[i]);
}

/* ---- stopping ---- */

static bool count_one(void *arg, const struct ike_sa_info *i)
{
	unsigned *n = arg;

	if (i->state != IKE_SA_DEAD)
		(*n)++;
	return true;
}

/* BGP's peers have heard; the tunnels may go now. */
static void say_delete(struct gateway *g, uint64_t now)
{
	g->cease_until_ms = 0;
	g->stop_at_ms = now + GATEWAY_STOP_MS;
	if (g->started)
		ike_shutdown(g->ike, now);
	else
		g->said_bye = true;
}

static void stop_due(uv_timer_t *t)
{
	struct gateway *g = t->data;
	uint64_t now = loop_now_ms();
	unsigned sas = 0;
	bool over = now >= g->stop_at_ms;

	if (g->cease_until_ms && now < g->cease_until_ms && !bgp_io_quiet(g->bgp))
		return;
	if (g->cease_until_ms)
		say_delete(g, now);
	if (!g->said_bye) {
		ike_sa_walk(g->ike, count_one, &sas);
		if (sas && now < g->stop_at_ms - (GATEWAY_STOP_MS - GATEWAY_BYE_MS))
			return;
		g->said_bye = true;
	}
	if (!sadb_stop_all(g->sadb) && dp_attached(g->dp) && !over)
		return;
	uv_timer_stop(&g->timer);
	log_info(LOG_MAIN, "event=stopped");
	loop_end(&g->loop);
}

void gateway_stop(struct gateway *g)
{
	uint64_t now = loop_now_ms();

	if (g->stop_at_ms)
		return;
	g->cease_until_ms = now + GATEWAY_CEASE_MS;
	g->stop_at_ms = g->cease_until_ms + GATEWAY_STOP_MS;
	log_info(LOG_MAIN, "event=stopping");
	bgp_io_shutdown(g->bgp);
	uv_timer_start(&g->timer, stop_due, 0, GATEWAY_STOP_POLL_MS);
}

static void stop_signal(void *ctx)
{
	gateway_stop(ctx);
}

static void reload_signal(void *ctx)
{
	(void)!gateway_reload(ctx);
}

/* ---- config ---- */

static uint16_t port_index(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_ports; i++)
		if (!strcmp(c->port[i].name, name))
			return (uint16_t)i;
	return 0; /* config_load() does not let that pass */
}

struct tally {
	unsigned added, changed, removed;
};

static void want_tunnel(struct gateway *g, const struct config *c, const struct cfg_tunnel *cfg, struct tally *n)
{
	struct tunnel *t = tunnels_find(&g->tunnels, cfg->name);
	uint16_t port = port_index(c, cfg->local.port);

	if (!t) {
		t = tunnels_add(&g->tunnels, cfg);
		if (!t) {
			log_err(LOG_CONFIG, "tunnel=%s cause=\"no room: %d tunnels are there\"", cfg->name,
				CFG_TUNNELS_MAX);
			return;
		}
		if (g->place.n_workers)
			t->worker = place_take(&g->place, PLACE_NONE);
		n->added++;
	} else {
		bool changed = tunnels_change(t, cfg);

		if (t->known && !changed && t->port == port) {
			t->wanted = true;
			return;
		}
		n->changed += t->known;
		n->added += !t->known;
	}
	t->port = port;
	t->wanted = t->stale = true;
	feed_tunnel_changed(g->feed, t);
}

static void unwant_tunnel(struct gateway *g, struct tunnel *t, struct tally *n)
{
	n->removed++;
	t->stale = false;
	if (t->known)
		ike_tunnel_del(g->ike, t->handle.slot, loop_now_ms());
	t->known = false;
	sadb_drop_orphans(g->sadb, t);
	status_settle(g->status, t->handle.slot, "the tunnel was removed from the config");
}

static void take_config(struct gateway *g, const struct config *c, struct tally *n)
{
	for (unsigned i = 0; i < c->notes.n; i++)
		log_warn(LOG_CONFIG, "event=config-note file=%s line=%u cause=\"%s\"", g->config_path,
			 c->notes.e[i].line, c->notes.e[i].text);
	for (uint32_t i = 0; i < g->tunnels.n; i++)
		if (g->tunnels.t[i])
			g->tunnels.t[i]->wanted = false;
	for (unsigned i = 0; i < c->n_tunnels; i++)
		want_tunnel(g, c, &c->tunnel[i], n);
	for (uint32_t i = 0; i < g->tunnels.n; i++)
		if (g->tunnels.t[i] && !g->tunnels.t[i]->wanted && (g->tunnels.t[i]->known || g->tunnels.t[i]->stale))
			unwant_tunnel(g, g->tunnels.t[i], n);
	feed_config(g->feed, c);
	bgp_io_config(g->bgp, c);
}

/* What only the data plane's start reads. */
static bool same_hardware(const struct config *a, const struct config *b)
{
	return a->n_ports == b->n_ports && !memcmp(a->port, b->port, a->n_ports * sizeof(a->port[0])) &&
	       !memcmp(&a->dataplane, &b->dataplane, sizeof(a->dataplane));
}

int gateway_reload(struct gateway *g)
{
	struct cfg_errors errs = {0};
	struct config *next = config_load(g->config_path, true, &errs);
	struct tally n = {0};

	if (next && ike_config_check(next, time(NULL), &errs)) {
		config_free(next);
		next = NULL;
	}
	if (!next) {
		cfg_errors_print(&errs, g->config_path, STDERR_FILENO);
		log_err(LOG_CONFIG,
			"event=reload-refused file=%s errors=%u remedy=\"the running config stays; correct the file "
			"and reload\"",
			g->config_path, errs.n);
		cfg_errors_free(&errs);
		return -EINVAL;
	}
	cfg_errors_free(&errs);
	if (!same_hardware(g->config, next))
		log_warn(LOG_CONFIG,
			 "event=reload cause=\"ports or dataplane differ\" remedy=\"restart esplanade-dataplane to "
			 "use them\"");
	take_config(g, next, &n);
	config_free(g->config);
	g->config = next;
	resolve_kick(g->resolve);
	log_info(LOG_CONFIG, "event=reloaded file=%s added=%u changed=%u removed=%u routes=%u", g->config_path, n.added,
		 n.changed, n.removed, next->n_routes);
	return 0;
}

/* ---- life ---- */

static void why_not_up(void *ctx, uint32_t index, char *why, size_t cap)
{
	const struct gateway *g = ctx;
	struct ike_tunnel_info info;

	if (!dp_attached(g->dp))
		snprintf(why, cap, "the data plane is not attached; start esplanade-dataplane");
	else if (!ike_tunnel_info(g->ike, index, &info))
		snprintf(why, cap, "%s", info.last_error);
}

static void random_octets(void *ctx, void *buf, size_t len)
{
	gateway_env(ctx).random(ctx, buf, len);
}

static int open_status(struct gateway *g, int fd)
{
	struct status_ops ops = {.ctx = g,
				 .show = gateway_show,
				 .tunnel = gateway_by_hand,
				 .cause = why_not_up,
				 .bgp = gateway_bgp_clear};

	g->status = status_new(&g->loop, fd, &ops);
	return g->status ? 0 : -errno;
}

int gateway_init(struct gateway *g, const struct gateway_params *p)
{
	struct loop_ops loop = {g, next_deadline, tick, before_wait, stop_signal, reload_signal};
	struct dp_ops dp = {g, dp_is_attached, dp_is_lost, dp_event, route_refused, take_datagrams};
	struct sadb_ops sadb = {g, on_sa_event, sadb_is_ready, tunnel_idle, random_octets};
	struct feed_ops feed = {.ctx = g, .ready = feed_is_ready, .tunnel_gone = tunnel_gone};
	struct bgp_io_ops bgp = gateway_bgp_ops(g);
	struct ike_limits limits = {0};
	struct ike_env env = gateway_env(g);
	struct tally n = {0};
	int rc;

	memset(g, 0, sizeof(*g));
	g->config_path = p->config_path;
	g->config = p->config;
	g->started_ms = loop_now_ms();
	g->by_hand = IKE_NO_TUNNEL;
	list_init(&g->touched);
	tunnels_init(&g->tunnels);
	rc = loop_init(&g->loop, &loop, p->signals);
	if (rc)
		return rc;
	g->dp = dp_new(&g->loop, p->dp_sock, &dp);
	g->sadb = sadb_new(g->dp, &g->tunnels, &sadb);
	gateway_bgp_feed(&feed);
	g->feed = feed_new(&g->loop, g->dp, &g->tunnels, &feed);
	g->resolve = resolve_new(&g->loop, &g->tunnels, gateway_can_reach, g);
	g->io.dp = g->dp;
	g->io.input = ike_datagram;
	g->io.ctx = g;
	uv_timer_init(&g->loop.uv, &g->timer);
	g->timer.data = g;
	uv_timer_start(&g->timer, sweep_due, GATEWAY_SWEEP_MS, GATEWAY_SWEEP_MS);
	g->ike = ike_new(&env, &limits);
	g->bgp = bgp_io_new(&g->loop, &bgp);
	rc = open_status(g, p->status_fd);
	if (rc)
		return rc;
	take_config(g, g->config, &n);
	gateway_bgp_learn(g);
	resolve_kick(g->resolve);
	return 0;
}

void gateway_run(struct gateway *g)
{
	loop_run(&g->loop);
}

void gateway_fini(struct gateway *g)
{
	bgp_io_free(g->bgp);
	ike_free(g->ike);
	status_free(g->status);
	resolve_free(g->resolve);
	feed_free(g->feed);
	sadb_free(g->sadb);
	dp_free(g->dp);
	uv_close((uv_handle_t *)&g->timer, NULL);
	loop_fini(&g->loop);
	tunnels_fini(&g->tunnels);
	config_free(g->config);
}

/* ---- by hand ---- */

static int act(struct gateway *g, const struct tunnel *t, enum ike_event_type type, char *why, size_t cap)
{
	struct ike_event ev = {.type = type, .tunnel = t->handle.slot};
	int rc = ike_event(g->ike, &ev, loop_now_ms());

	if (rc == -ENOENT && (type == IKE_EV_REKEY_CHILD || type == IKE_EV_REKEY_IKE))
		snprintf(why, cap, "tunnel %s has nothing to rekey: bring it up first with `gwctl tunnel %s up`",
			 t->cfg.name, t->cfg.name);
	else if (rc == -ENOENT)
		snprintf(why, cap, "tunnel %s has no SA", t->cfg.name);
	return rc;
}

static int up_by_hand(struct gateway *g, const struct tunnel *t, char *why, size_t cap)
{
	struct ike_tunnel_info info;
	int rc;

	g->by_hand = t->handle.slot;
	g->by_hand_cause[0] = '\0';
	if (t->peer.family == IP_NONE) {
		snprintf(why, cap,
			 t->cfg.remote.name[0] ? "the name of tunnel %s's peer has no address yet: check DNS"
					       : "the peer of tunnel %s may be anywhere, so only it can begin: give "
						 "remote: address, or bring it up from the peer",
			 t->cfg.name);
		return -EHOSTUNREACH;
	}
	rc = act(g, t, IKE_EV_UP, why, cap);
	g->by_hand = IKE_NO_TUNNEL;
	if (!rc && g->by_hand_cause[0]) { /* it failed at once */
		snprintf(why, cap, "%s", g->by_hand_cause);
		return -EHOSTUNREACH;
	}
	if (!rc && !ike_tunnel_info(g->ike, t->handle.slot, &info) && info.n_child)
		return 0;
	return rc ? rc : (int)t->handle.slot + 1;
}

int gateway_by_hand(void *ctx, const struct status_req *req, char *why, size_t cap)
{
	struct gateway *g = ctx;
	const struct tunnel *t = tunnels_find(&g->tunnels, req->name);

	if (!t || !t->wanted) {
		snprintf(why, cap, "there is no tunnel %s: `gwctl show tunnels` lists them", req->name);
		return -ENOENT;
	}
	if (!t->known) {
		snprintf(why, cap,
			 dp_attached(g->dp) ? "the data plane has not taken tunnel %s yet: see `gwctl show tunnels`"
					    : "tunnel %s must wait: the data plane is not attached; start "
					      "esplanade-dataplane",
			 req->name);
		return -ENOTCONN;
	}
	switch (req->action) {
	case STATUS_UP:
		return up_by_hand(g, t, why, cap);
	case STATUS_DOWN:
		return act(g, t, IKE_EV_DOWN, why, cap);
	case STATUS_REKEY:
		return act(g, t, req->ike ? IKE_EV_REKEY_IKE : IKE_EV_REKEY_CHILD, why, cap);
	case STATUS_ACTION_N:
		break;
	}
	return -EINVAL;
}
