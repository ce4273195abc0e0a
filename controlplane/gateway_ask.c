/* What `gwctl show` asks: each noun to whom it concerns. The FIB is the data plane's own: it is asked, and the client waits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "controlplane/gateway.h"
#include "controlplane/status_bgp.h"

/* ---- BGP ---- */

static void no_bgp(struct status_answer *a)
{
	snprintf(a->why, sizeof(a->why), "BGP is not configured: write bgp: {as: ...} with peers: and reload");
}

static uint32_t peer_of(struct gateway *g, const struct status_req *req, struct status_answer *a)
{
	uint32_t peer = bgp_peer_find(bgp_io_core(g->bgp), req->name);

	if (peer == BGP_NO_PEER)
		snprintf(a->why, sizeof(a->why), "there is no BGP peer %s: `gwctl show bgp summary` lists them",
			 req->name);
	return peer;
}

static void show_rows(struct gateway *g, const struct status_req *req, enum bgp_view v, struct status_answer *a)
{
	uint32_t peer = v == BGP_VIEW_BEST ? BGP_NO_PEER : peer_of(g, req, a);

	if (v == BGP_VIEW_BEST || peer != BGP_NO_PEER)
		a->data = status_bgp_rows(g->bgp, v, peer, &req->after, req->max);
}

static void show_neighbor(struct gateway *g, const struct status_req *req, struct status_answer *a)
{
	uint32_t peer = peer_of(g, req, a);

	if (peer != BGP_NO_PEER)
		a->data = status_bgp_neighbor(g->bgp, peer);
}

static bool show_bgp(struct gateway *g, const struct status_req *req, struct status_answer *a)
{
	switch (req->show) {
	case STATUS_BGP_SUMMARY:
		a->data = status_bgp_summary(g->bgp);
		return true;
	case STATUS_BGP_NEIGHBOR:
		show_neighbor(g, req, a);
		return true;
	case STATUS_BGP_RECEIVED:
		show_rows(g, req, BGP_VIEW_RECEIVED, a);
		return true;
	case STATUS_BGP_ROUTES:
		show_rows(g, req, BGP_VIEW_ROUTES, a);
		return true;
	case STATUS_BGP_ADVERTISED:
		show_rows(g, req, BGP_VIEW_ADVERTISED, a);
		return true;
	case STATUS_BGP_BEST:
		show_rows(g, req, BGP_VIEW_BEST, a);
		return true;
	case STATUS_BGP_ROUTE:
		a->data = status_bgp_route(g->bgp, &req->prefix);
		return true;
	default:
		return false;
	}
}

/* ---- the data plane's FIB ---- */

/* The question with this number, or of this ticket; whichever is not 0. */
static void settle(struct gateway *g, uint32_t seq, uint32_t ticket, json_t *data, const char *why)
{
	for (unsigned i = 0; i < GATEWAY_QUESTIONS_MAX; i++) {
		uint32_t whose = g->question[i].ticket;

		if (!whose || (seq ? g->question[i].seq != seq : whose != ticket))
			continue;
		g->question[i].ticket = 0;
		status_answer(g->status, whose, data, why);
		return;
	}
	json_decref(data);
}

/* FIB_INFO has come before this, unless the data plane could not say. */
static void fib_acked(void *ctx, uint64_t ticket, int status)
{
	char why[160];

	snprintf(why, sizeof(why), "the data plane does not tell: %s", status ? err_str(status) : "no answer came");
	settle(ctx, 0, (uint32_t)ticket, NULL, why);
}

static void ask_fib(struct gateway *g, const struct ip_addr *addr, struct status_answer *a)
{
	union msg m = {0};
	struct msg_fib_get *get = (void *)&m;
	uint32_t ticket;
	unsigned i = 0;
	int rc;

	ticket = status_ticket(g->status);
	while (i < GATEWAY_QUESTIONS_MAX && g->question[i].ticket)
		i++;
	if (i == GATEWAY_QUESTIONS_MAX) {
		snprintf(a->why, sizeof(a->why), "%d questions wait for the data plane: try again",
			 GATEWAY_QUESTIONS_MAX);
		return;
	}
	get->hdr.type = MSG_FIB_GET;
	get->family = addr->family;
	memcpy(get->addr, addr->b, ip_size(addr->family));
	rc = dp_send(g->dp, DP_CTL, &m, sizeof(*get), fib_acked, g, ticket);
	if (rc) {
		snprintf(a->why, sizeof(a->why), "%s",
			 rc == -ENOTCONN ? "the data plane is not attached; start esplanade-dataplane" : err_str(rc));
		return;
	}
	a->ticket = ticket;
	g->question[i].seq = dp_last_seq(g->dp);
	g->question[i].ticket = ticket;
}

static json_t *leg(const struct gateway *g, const struct msg_nh_leg *l)
{
	static const char *const kinds[MSG_NH_KIND_N] = {[MSG_NH_DROP] = "blackhole",
							 [MSG_NH_PORT] = "port",
							 [MSG_NH_TUNNEL] = "tunnel",
							 [MSG_NH_LOCAL] = "local"};
	const struct tunnel *t = l->kind == MSG_NH_TUNNEL ? tunnels_by_handle(&g->tunnels, &l->tunnel) : NULL;
	struct ip_addr via = ip_from_bytes(l->family, l->via);
	char text[IP_STR] = "";

	if (l->kind == MSG_NH_PORT && !ip_is_any(&via))
		ip_str(&via, text);
	return json_pack("{s:s, s:s, s:s, s:s}", "kind", l->kind < MSG_NH_KIND_N ? kinds[l->kind] : "?", "port",
			 l->kind == MSG_NH_PORT && l->port < g->config->n_ports ? g->config->port[l->port].name : "",
			 "via", text, "tunnel", t ? t->cfg.name : "");
}

void gateway_fib_info(struct gateway *g, const struct msg_fib_info *m)
{
	struct ip_prefix p = {.addr = ip_from_bytes(m->family, m->addr), .len = m->plen};
	json_t *o = json_object(), *legs = json_array();
	char text[IP_STR];

	for (unsigned i = 0; m->found && i < m->n && i < MSG_NH_LEGS; i++)
		json_array_append_new(legs, leg(g, &m->leg[i]));
	json_object_set_new(o, "found", json_boolean(m->found));
	json_object_set_new(o, "prefix", json_string(m->found ? ip_prefix_str(&p, text) : ""));
	json_object_set_new(o, "nexthop",
			    m->found && m->nexthop != UINT32_MAX ? json_integer(m->nexthop) : json_null());
	json_object_set_new(o, "legs", legs);
	json_object_set_new(o, "routes", json_integer(m->routes));
	settle(g, m->query, 0, o, NULL);
}

/* ---- all nouns ---- */

void gateway_show(void *ctx, const struct status_req *req, struct status_answer *a)
{
	struct gateway *g = ctx;

	if (req->show >= STATUS_BGP_SUMMARY && !g->config->bgp.as)
		no_bgp(a);
	else if (req->show == STATUS_FIB)
		ask_fib(g, &req->prefix.addr, a);
	else if (!show_bgp(g, req, a))
		a->data = status_show(g, req);
}
