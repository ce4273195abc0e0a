/* show tunnels, ike-sas, child-sas */
#include "controlplane/status_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "controlplane/gateway.h"

json_t *status_show(struct gateway *g, const struct status_req *req)
{
	switch (req->show) {
	case STATUS_TUNNELS:
		return status_show_tunnels(g);
	case STATUS_IKE_SAS:
		return status_show_ike_sas(g);
	case STATUS_CHILD_SAS:
		return status_show_child_sas(g);
	case STATUS_ROUTES:
		return status_show_routes(g, req);
	case STATUS_PORTS:
		return status_show_ports(g);
	case STATUS_WORKERS:
		return status_show_workers(g);
	case STATUS_DROPS:
		return status_show_drops(g, req->all);
	case STATUS_TOP:
		return status_top(g, req->max);
	default: /* gateway_ask.c's */
		break;
	}
	return json_array();
}

static void set_str(json_t *o, const char *key, const char *v)
{
	json_object_set_new(o, key, json_string(v));
}

static void set_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)u64_min(v, INT64_MAX)));
}

static void set_hex(json_t *o, const char *key, const char *fmt, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), fmt, v);
	set_str(o, key, text);
}

static void set_addr(json_t *o, const char *key, const struct ip_addr *a, uint16_t port)
{
	char text[IP_STR];

	set_str(o, key, ip_port_str(a, port, text));
}

static void set_alg(json_t *o, const char *key, const struct alg *a)
{
	set_str(o, key, a ? a->name : "none");
}

static void set_id(json_t *o, const char *key, const struct cfg_id *id)
{
	char text[CFG_ID_MAX * 4 + 16];

	set_str(o, key, id->type == CFG_ID_NONE ? "" : cfg_id_str(id, text, sizeof(text)));
}

/* Seconds both ways of a monotonic time; 0 where there is none. */
static void set_times(json_t *o, uint64_t up_ms, uint64_t rekey_ms, uint64_t expires_ms)
{
	uint64_t now = loop_now_ms();

	set_u64(o, "uptime_s", up_ms && up_ms < now ? (now - up_ms) / 1000 : 0);
	set_u64(o, "rekey_in_s", rekey_ms > now ? (rekey_ms - now) / 1000 : 0);
	set_u64(o, "expires_in_s", expires_ms > now ? (expires_ms - now) / 1000 : 0);
	set_u64(o, "up_since", up_ms && up_ms <= now ? (uint64_t)loop_wall_at(up_ms) : 0);
	set_u64(o, "expires_at", expires_ms > now ? (uint64_t)loop_wall_at(expires_ms) : 0);
}

/* ---- tunnels ---- */

static const char *tunnel_state(const struct tunnel *t, const struct ike_tunnel_info *i)
{
	if (i->n_child)
		return "up";
	if (!t->known || i->retry_at_ms)
		return "waiting";
	return i->wanted ? "connecting" : "down";
}

/* How many it has when all are up. */
static unsigned n_children(const struct tunnel *t)
{
	return t->cfg.children == CFG_CHILDREN_PER_SELECTOR && t->cfg.n_ts ? t->cfg.n_ts : 1;
}

static json_t *tunnel_row(struct gateway *g, const struct tunnel *t)
{
	struct ike_tunnel_info info = {0};
	struct msg_sa_counters c[2];
	json_t *o = json_object();
	uint64_t now = loop_now_ms();
	const char *error = info.last_error;

	if (t->known && ike_tunnel_info(g->ike, t->handle.slot, &info))
		info = (struct ike_tunnel_info){0};
	if (!t->known && t->dp_state == FEED_FAILED)
		error = "the data plane refused the tunnel; its log says why";
	else if (!t->known)
		error = dp_attached(g->dp) ? "waiting for the data plane to take its tunnels and routes"
					   : "the data plane is not attached: start esplanade-dataplane";
	sadb_totals(g->sadb, t, c);
	set_str(o, "name", t->cfg.name);
	set_str(o, "state", tunnel_state(t, &info));
	if (t->peer.family != IP_NONE)
		set_addr(o, "peer", &t->peer, 0);
	else
		set_str(o, "peer", t->cfg.remote.name[0] ? t->cfg.remote.name : "any");
	set_u64(o, "ike_sas", info.n_ike);
	set_u64(o, "child_sas", info.n_child);
	set_u64(o, "children", n_children(t));
	set_u64(o, "children_up", (unsigned)__builtin_popcount(info.sending));
	set_u64(o, "in_packets", c[MSG_DIR_IN].packets);
	set_u64(o, "in_octets", c[MSG_DIR_IN].octets);
	set_u64(o, "out_packets", c[MSG_DIR_OUT].packets);
	set_u64(o, "out_octets", c[MSG_DIR_OUT].octets);
	set_u64(o, "uptime_s", info.n_child && t->up_since_ms ? (now - t->up_since_ms) / 1000 : 0);
	set_u64(o, "attempts", info.attempts);
	set_u64(o, "retry_in_s", info.retry_at_ms > now ? (info.retry_at_ms - now + 999) / 1000 : 0);
	set_u64(o, "worker", t->worker == PLACE_NONE ? 0 : t->worker);
	set_str(o, "last_error", error);
	return o;
}

json_t *status_show_tunnels(struct gateway *g)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < g->tunnels.n; i++)
		if (g->tunnels.t[i] && g->tunnels.t[i]->wanted)
			json_array_append_new(a, tunnel_row(g, g->tunnels.t[i]));
	return a;
}

/* ---- IKE SAs ---- */

struct walk {
	struct gateway *g;
	json_t *rows;
};

static bool ike_row(void *arg, const struct ike_sa_info *i)
{
	struct walk *w = arg;
	json_t *o;

	if (i->state == IKE_SA_DEAD) /* it lives on only to answer repeats */
		return true;
	o = json_object();
	set_str(o, "tunnel", tunnels_name(&w->g->tunnels, i->tunnel));
	set_u64(o, "serial", i->serial);
	set_str(o, "state", ike_sa_state_name(i->state));
	set_str(o, "role", i->initiator ? "initiator" : "responder");
	set_hex(o, "spi_i", "%016" PRIx64, i->spi_i);
	set_hex(o, "spi_r", "%016" PRIx64, i->spi_r);
	set_addr(o, "local", &i->path.local, i->path.local_port);
	set_addr(o, "remote", &i->path.remote, i->path.remote_port);
	set_id(o, "local_id", &i->local_id);
	set_id(o, "remote_id", &i->remote_id);
	set_alg(o, "encr", i->encr);
	set_alg(o, "prf", i->prf);
	set_alg(o, "integ", i->integ);
	set_alg(o, "dh", i->dh);
	set_str(o, "nat",
		i->nat_local && i->nat_remote ? "both"
		: i->nat_local                ? "local"
		: i->nat_remote               ? "remote"
					      : "none");
	set_times(o, i->up_since_ms, i->rekey_at_ms, i->expires_at_ms);
	json_array_append_new(w->rows, o);
	return true;
}

json_t *status_show_ike_sas(struct gateway *g)
{
	struct walk w = {.g = g, .rows = json_array()};

	ike_sa_walk(g->ike, ike_row, &w);
	return w.rows;
}

/* ---- child SAs ---- */

static json_t *counters(const struct msg_sa_counters *c)
{
	json_t *o = json_object(), *drops = json_object();

	set_u64(o, "packets", c->packets);
	set_u64(o, "octets", c->octets);
	set_u64(o, "seq", c->seq);
	for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
		set_u64(drops, msg_sa_drop_name(i), c->drop[i]);
	json_object_set_new(o, "drops", drops);
	return o;
}

static void set_prefix(json_t *o, const char *key, const struct ip_prefix *p)
{
	char text[IP_STR];

	set_str(o, key, p->addr.family == IP_NONE ? "0.0.0.0/0" : ip_prefix_str(p, text));
}

static void set_ports(json_t *o, const char *key, uint16_t lo, uint16_t hi)
{
	char text[16];

	snprintf(text, sizeof(text), lo == hi ? "%u" : "%u-%u", lo, hi);
	set_str(o, key, lo == 0 && hi == UINT16_MAX ? "any" : text);
}

static json_t *selectors(const struct ike_child_info *i)
{
	json_t *a = json_array();

	for (unsigned n = 0; n < i->n_ts; n++) {
		const struct cfg_ts *ts = &i->ts[n];
		json_t *o = json_object();

		set_prefix(o, "local", &ts->local);
		set_prefix(o, "remote", &ts->remote);
		set_u64(o, "protocol", ts->protocol);
		set_ports(o, "local_ports", ts->local_port_lo, ts->local_port_hi);
		set_ports(o, "remote_ports", ts->remote_port_lo, ts->remote_port_hi);
		json_array_append_new(a, o);
	}
	return a;
}

static bool child_row(void *arg, const struct ike_child_info *i)
{
	struct walk *w = arg;
	const struct tunnel *t = tunnels_at(&w->g->tunnels, i->tunnel);
	struct msg_sa_counters in = {0}, out = {0};
	json_t *o = json_object();

	if (!sadb_counters(w->g->sadb, i->spi_in, MSG_DIR_IN, &in) ||
	    !sadb_counters(w->g->sadb, i->spi_in, MSG_DIR_OUT, &out))
		log_debug(LOG_MGMT, "spi_in=0x%08x cause=\"no counters yet\"", i->spi_in);
	set_str(o, "tunnel", tunnels_name(&w->g->tunnels, i->tunnel));
	set_u64(o, "child", i->child);
	set_u64(o, "ike_serial", i->ike_serial);
	set_str(o, "state", ike_child_state_name(i->state));
	set_str(o, "role", i->initiator ? "initiator" : "responder");
	set_hex(o, "spi_in", "0x%08" PRIx64, i->spi_in);
	set_hex(o, "spi_out", "0x%08" PRIx64, i->spi_out);
	set_alg(o, "encr", i->encr);
	set_alg(o, "integ", i->integ);
	set_alg(o, "dh", i->dh);
	set_addr(o, "local", &i->path.local, i->encap_udp ? i->path.local_port : 0);
	set_addr(o, "remote", &i->path.remote, i->encap_udp ? i->path.remote_port : 0);
	set_str(o, "encap", i->encap_udp ? "udp" : "none");
	set_str(o, "mode", i->transport ? "transport" : "tunnel");
	json_object_set_new(o, "esn", json_boolean(i->esn));
	set_u64(o, "mtu", sadb_mtu(w->g->sadb, i->spi_in));
	set_u64(o, "replay_window", t ? t->cfg.esp.replay_window : 0);
	json_object_set_new(o, "selectors", selectors(i));
	set_times(o, i->up_since_ms, i->rekey_at_ms, i->expires_at_ms);
	json_object_set_new(o, "in", counters(&in));
	json_object_set_new(o, "out", counters(&out));
	json_array_append_new(w->rows, o);
	return true;
}

json_t *status_show_child_sas(struct gateway *g)
{
	struct walk w = {.g = g, .rows = json_array()};

	ike_child_walk(g->ike, child_row, &w);
	return w.rows;
}
