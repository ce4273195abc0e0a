#include "controlplane/status_bgp.h"

#include <string.h>

#include "config/kind.h"

static void set_str(json_t *o, const char *key, const char *v)
{
	json_object_set_new(o, key, json_string(v));
}

static void set_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)u64_min(v, INT64_MAX)));
}

static void set_bool(json_t *o, const char *key, bool v)
{
	json_object_set_new(o, key, json_boolean(v));
}

static void set_addr(json_t *o, const char *key, const struct ip_addr *a)
{
	char text[IP_STR];

	set_str(o, key, a->family == IP_NONE ? "" : ip_str(a, text));
}

/* Monotonic ms as seconds since 1970; 0: never. */
static uint64_t wall_of(uint64_t at_ms)
{
	return at_ms ? (uint64_t)loop_wall_at(at_ms) : 0;
}

static void set_head(json_t *o, struct bgp_io *io)
{
	const struct config *c = bgp_io_configured(io);
	struct ip_addr id = ip_v4(bgp_router_id(bgp_io_core(io)));

	set_addr(o, "router_id", &id);
	set_u64(o, "as", c ? c->bgp.as : 0);
	set_u64(o, "table_version", bgp_io_version(io) + 1);
}

/* ---- peers ---- */

static json_t *policies(const struct bgp_peer_info *i)
{
	json_t *o = json_object();

	set_str(o, "in", i->cfg->import);
	set_str(o, "out", i->cfg->export);
	set_bool(o, "no_import", i->no_import);
	set_bool(o, "no_export", i->no_export);
	return o;
}

static json_t *last_error(const struct bgp_peer_info *i)
{
	json_t *o = json_object();

	set_str(o, "text", i->last_error);
	set_u64(o, "time", wall_of(i->last_error[0] ? i->last_error_ms : 0));
	return o;
}

/* What the summary says of a peer. */
static json_t *peer_row(struct bgp_io *io, uint32_t peer, const struct bgp_peer_info *i)
{
	uint64_t now = loop_now_ms();
	json_t *o = json_object();

	set_str(o, "name", i->cfg->name);
	set_addr(o, "address", &i->cfg->addr);
	set_u64(o, "as", i->cfg->as);
	set_str(o, "kind", kind_of(i->cfg->kind)->word);
	set_str(o, "state", bgp_state_name(i->state));
	set_bool(o, "shutdown", i->cfg->shutdown);
	set_u64(o, "since", wall_of(i->since_ms));
	set_u64(o, "uptime_s", i->since_ms && i->since_ms < now ? (now - i->since_ms) / 1000 : 0);
	set_u64(o, "msg_rcvd", i->msg_in[0]);
	set_u64(o, "msg_sent", i->msg_out[0]);
	set_u64(o, "pfx_rcvd", i->pfx_received);
	set_u64(o, "pfx_accepted", i->pfx_accepted);
	set_u64(o, "pfx_sent", i->pfx_sent);
	set_u64(o, "limit_in", i->cfg->max_prefix_in);
	set_u64(o, "limit_out", i->cfg->max_prefix_out);
	set_bool(o, "limit_in_hit", i->max_prefix_hit);
	json_object_set_new(o, "policy", policies(i));
	json_object_set_new(o, "last_error", last_error(i));
	set_str(o, "unreachable", i->unreachable);
	set_str(o, "over", bgp_io_peer_over(io, peer));
	return o;
}

json_t *status_bgp_summary(struct bgp_io *io)
{
	const struct bgp *b = bgp_io_core(io);
	json_t *o = json_object(), *peers = json_array();
	struct bgp_peer_info i;
	struct bgp_totals t;

	set_head(o, io);
	for (uint32_t p = 0; p < bgp_peer_count(b); p++)
		if (bgp_peer_info(b, p, &i))
			json_array_append_new(peers, peer_row(io, p, &i));
	json_object_set_new(o, "peers", peers);
	bgp_totals(b, &t);
	json_object_set_new(o, "totals",
			    json_pack("{s:I, s:I, s:I, s:I}", "prefixes", (json_int_t)t.prefixes, "paths",
				      (json_int_t)t.paths, "attr_sets", (json_int_t)t.attr_sets, "octets",
				      (json_int_t)t.octets));
	return o;
}

static json_t *capabilities(const struct bgp_peer_info *i, bool received)
{
	json_t *o = json_object();

	set_bool(o, "as4", received ? i->as4_rcvd : i->as4);
	set_bool(o, "route_refresh", received ? i->refresh_rcvd : i->refresh);
	set_bool(o, "ipv4_unicast", received ? i->mp_v4_rcvd : i->mp_v4);
	set_bool(o, "ipv6_unicast", received ? i->mp_v6_rcvd : i->mp_v6);
	return o;
}

static json_t *by_type(const uint64_t n[6])
{
	static const char *const words[] = {"all", "open", "update", "notification", "keepalive", "route_refresh"};
	json_t *o = json_object();

	for (unsigned k = 0; k < N_ELEMS(words); k++)
		set_u64(o, words[k], n[k]);
	return o;
}

static json_t *socket_of(struct bgp_io *io, uint32_t conn)
{
	struct tcp_info_row t;
	json_t *o = json_object();

	if (!bgp_io_tcp(io, conn, &t))
		return o;
	set_addr(o, "local", &t.local);
	set_u64(o, "local_port", t.local_port);
	set_addr(o, "remote", &t.remote);
	set_u64(o, "remote_port", t.remote_port);
	set_u64(o, "mss", t.mss);
	set_u64(o, "ttl", t.ttl);
	set_u64(o, "rtt_us", t.rtt_us);
	set_u64(o, "retrans", t.retrans);
	return o;
}

static json_t *changes(struct bgp_io *io, uint32_t peer)
{
	const struct bgp_io_change *c;
	json_t *a = json_array();

	for (unsigned n = 0; (c = bgp_io_change(io, peer, n)); n++)
		json_array_append_new(a, json_pack("{s:I, s:s, s:s, s:s}", "time", (json_int_t)c->at_s, "from",
						   bgp_state_name(c->from), "to", bgp_state_name(c->to), "cause",
						   c->cause));
	return a;
}

json_t *status_bgp_neighbor(struct bgp_io *io, uint32_t peer)
{
	struct bgp_peer_info i;
	struct ip_addr id;
	json_t *o;

	if (!bgp_peer_info(bgp_io_core(io), peer, &i))
		return json_object();
	o = peer_row(io, peer, &i);
	id = ip_v4(i.remote_id);
	set_str(o, "description", i.cfg->description);
	set_addr(o, "source", &i.cfg->source);
	set_addr(o, "remote_id", &id);
	set_u64(o, "hold_s", i.hold_s);
	set_u64(o, "keepalive_s", i.keepalive_s);
	set_u64(o, "established", i.established);
	set_u64(o, "multihop", i.cfg->multihop);
	set_u64(o, "ttl_security", i.cfg->gtsm_hops);
	set_bool(o, "md5", i.cfg->password != NULL);
	set_bool(o, "default_originate", i.cfg->default_originate);
	if (i.caps_rcvd)
		json_object_set_new(o, "capabilities_rcvd", capabilities(&i, true));
	if (i.state == BGP_ESTABLISHED)
		json_object_set_new(o, "capabilities", capabilities(&i, false));
	json_object_set_new(o, "messages_in", by_type(i.msg_in));
	json_object_set_new(o, "messages_out", by_type(i.msg_out));
	set_u64(o, "malformed_withdrawn", i.malformed_withdraw);
	set_u64(o, "malformed_discarded", i.malformed_discard);
	json_object_set_new(o, "tcp", socket_of(io, i.conn));
	json_object_set_new(o, "changes", changes(io, peer));
	return o;
}

/* ---- tables ---- */

struct page {
	struct bgp_io *io;
	enum bgp_view view;
	json_t *rows;
	const struct ip_prefix *only;
};

static const char *origin_word(char c)
{
	return c == 'i' ? "IGP" : c == 'e' ? "EGP" : "incomplete";
}

static void set_attrs(json_t *o, const struct bgp_attrs *a)
{
	struct bgp_attrs_text t;

	bgp_attrs_text(a, &t);
	set_addr(o, "next_hop", &t.nexthop);
	json_object_set_new(o, "med", t.has_med ? json_integer(t.med) : json_null());
	json_object_set_new(o, "local_pref", t.has_local_pref ? json_integer(t.local_pref) : json_null());
	set_str(o, "as_path", t.path);
	set_str(o, "origin", origin_word(t.origin));
	set_str(o, "communities", t.community);
	set_str(o, "large_communities", t.large);
}

static bool add_row(void *arg, const struct bgp_row *r)
{
	struct page *p = arg;
	char text[IP_STR];
	json_t *o;

	if (p->only && !ip_prefix_equal(p->only, &r->prefix))
		return false;
	o = json_object();
	set_str(o, "prefix", ip_prefix_str(&r->prefix, text));
	set_str(o, "peer", r->peer == BGP_NO_PEER ? "" : bgp_io_peer_name(p->io, r->peer));
	set_attrs(o, r->attrs);
	set_bool(o, "valid", r->valid);
	set_bool(o, "best", r->best);
	set_bool(o, "multipath", r->multipath);
	if (p->view == BGP_VIEW_RECEIVED)
		json_object_set_new(o, "verdict",
				    json_pack("{s:b, s:s}", "accepted", !r->filtered, "reason", r->why ? r->why : ""));
	else
		set_str(o, "why", r->why ? r->why : "");
	json_array_append_new(p->rows, o);
	return true;
}

json_t *status_bgp_rows(struct bgp_io *io, enum bgp_view v, uint32_t peer, const struct ip_prefix *after, unsigned max)
{
	struct page page = {.io = io, .view = v, .rows = json_array()};
	struct ip_prefix last = *after;
	unsigned n = bgp_walk(bgp_io_core(io), v, peer, &last, max, add_row, &page);
	json_t *o = json_object();
	char text[IP_STR];

	set_head(o, io);
	set_str(o, "peer", peer == BGP_NO_PEER ? "" : bgp_io_peer_name(io, peer));
	set_str(o, "after", last.addr.family == IP_NONE ? "" : ip_prefix_str(&last, text));
	/* the paths of a prefix are not torn apart: a page may end before max */
	set_bool(o, "more", n && n + (v == BGP_VIEW_BEST ? bgp_peer_count(bgp_io_core(io)) + 1 : 0) >= max);
	json_object_set_new(o, "rows", page.rows);
	return o;
}

/* In prefix order (address, then length) nothing stands between this and p. */
static struct ip_prefix before(const struct ip_prefix *p)
{
	struct ip_prefix b = *p;

	if (b.len) {
		b.len--;
	} else if (b.addr.family == IP_V6) {
		b = (struct ip_prefix){.addr = ip_v4(UINT32_MAX), .len = 32};
	} else {
		b = (struct ip_prefix){0};
	}
	return b;
}

json_t *status_bgp_route(struct bgp_io *io, const struct ip_prefix *p)
{
	struct page page = {.io = io, .view = BGP_VIEW_BEST, .rows = json_array(), .only = p};
	struct ip_prefix after = before(p);

	bgp_walk(bgp_io_core(io), BGP_VIEW_BEST, BGP_NO_PEER, &after, UINT32_MAX, add_row, &page);
	return page.rows;
}
