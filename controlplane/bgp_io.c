#include "controlplane/bgp_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/xalloc.h"

enum { TTL_MAX = 255 };

/* A peer as it was told to tcp.c and ops. */
struct row {
	char name[CFG_NAME_MAX];
	char over[CFG_NAME_MAX + 16];
	struct ip_addr addr;
	bool renamed;                                /* another peer, which ops has not been told of */
	struct bgp_io_change change[BGP_IO_CHANGES]; /* a ring */
	unsigned n_changes;
};

struct want_conn {
	struct list link;
	uint32_t peer, conn;
};

struct want_nexthop {
	struct list link;
	struct ip_addr nh;
};

struct bgp_io {
	struct bgp_io_ops ops;
	struct bgp *core;
	struct tcp *tcp;
	const struct config *config; /* the owner's */
	struct row *row;
	uint32_t n_rows;
	struct list conns;    /* to be opened */
	struct list nexthops; /* to be answered: there is no data plane */
	bool alone;
	uint64_t version;
};

/* ---- what the core says ---- */

const char *bgp_io_peer_name(const struct bgp_io *io, uint32_t peer)
{
	return peer < io->n_rows ? io->row[peer].name : "";
}

const char *bgp_io_peer_over(const struct bgp_io *io, uint32_t peer)
{
	return peer < io->n_rows ? io->row[peer].over : "";
}

const struct bgp_io_change *bgp_io_change(const struct bgp_io *io, uint32_t peer, unsigned n)
{
	const struct row *r = peer < io->n_rows ? &io->row[peer] : NULL;

	if (!r || n >= r->n_changes || n >= BGP_IO_CHANGES)
		return NULL;
	return &r->change[(r->n_changes - 1 - n) % BGP_IO_CHANGES];
}

static struct row *row_of(struct bgp_io *io, uint32_t peer)
{
	if (peer >= io->n_rows) {
		io->row = xrealloc(io->row, peer + 1ul, sizeof(*io->row));
		memset(&io->row[io->n_rows], 0, (peer + 1ul - io->n_rows) * sizeof(*io->row));
		io->n_rows = peer + 1;
	}
	return &io->row[peer];
}

/* An index may go to another peer: what is known of the old one is not the new one's. */
static void set_name(struct row *r, const char *name)
{
	if (!strcmp(r->name, name))
		return;
	r->renamed = true;
	r->n_changes = 0;
	r->over[0] = '\0';
	snprintf(r->name, sizeof(r->name), "%s", name);
}

static void env_notice(void *ctx, const struct bgp_notice *n)
{
	struct row *r = row_of(ctx, n->peer);
	struct bgp_io_change *c;

	set_name(r, n->name);
	if (n->from == n->to) {
		if (n->bad)
			log_warn(LOG_BGP, "peer=%s cause=\"%s\"", n->name, n->cause);
		else
			log_info(LOG_BGP, "peer=%s cause=\"%s\"", n->name, n->cause);
		return;
	}
	LOG_AT(LOG_BGP, n->bad ? LOG_WARN : LOG_INFO, NULL, "peer=%s from=%s to=%s cause=\"%s\"", n->name,
	       bgp_state_name(n->from), bgp_state_name(n->to), n->cause);
	c = &r->change[r->n_changes++ % BGP_IO_CHANGES];
	c->from = n->from;
	c->to = n->to;
	c->at_s = loop_wall_s();
	snprintf(c->cause, sizeof(c->cause), "%s", n->cause);
}

static int env_connect(void *ctx, uint32_t peer, uint32_t conn)
{
	struct bgp_io *io = ctx;
	struct want_conn *w = xcalloc(1, sizeof(*w));

	w->peer = peer;
	w->conn = conn;
	list_add_tail(&io->conns, &w->link);
	return 0;
}

static size_t env_send(void *ctx, uint32_t conn, const uint8_t *b, size_t len)
{
	struct bgp_io *io = ctx;

	return tcp_send(io->tcp, conn, b, len);
}

static void env_close(void *ctx, uint32_t conn)
{
	struct bgp_io *io = ctx;

	list_each_safe (e, &io->conns) {
		struct want_conn *w = list_entry(e, struct want_conn, link);

		if (w->conn != conn)
			continue;
		list_del(&w->link);
		free(w);
		return;
	}
	tcp_close(io->tcp, conn);
}

static uint32_t env_random(void *ctx)
{
	uint32_t v = 0;

	(void)ctx;
	/* four octets are never cut short by a signal once the pool is there */
	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		log_fatal(LOG_MAIN, "cause=\"the kernel gives no random octets: %s\"", err_str(errno));
	return v;
}

static void env_route_change(void *ctx, const struct ip_prefix *p, const struct bgp_best *b)
{
	struct bgp_io *io = ctx;

	io->version++;
	if (io->ops.route_change)
		io->ops.route_change(io->ops.ctx, p, b);
}

static void env_nexthop_watch(void *ctx, const struct ip_addr *nh)
{
	struct bgp_io *io = ctx;
	struct want_nexthop *w;

	if (!io->alone) {
		io->ops.nexthop_watch(io->ops.ctx, nh);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->nh = *nh;
	list_add_tail(&io->nexthops, &w->link);
}

static void env_nexthop_unwatch(void *ctx, const struct ip_addr *nh)
{
	struct bgp_io *io = ctx;

	if (!io->alone)
		io->ops.nexthop_unwatch(io->ops.ctx, nh);
}

/* ---- what the sockets say ---- */

static void on_connected(void *ctx, uint32_t conn, const struct ip_addr *local)
{
	struct bgp_io *io = ctx;

	bgp_connected(io->core, conn, local, loop_now_ms());
}

static uint32_t on_accepted(void *ctx, uint32_t peer, const struct ip_addr *local)
{
	struct bgp_io *io = ctx;
	uint32_t conn = bgp_accepted(io->core, peer, local, loop_now_ms());

	return conn;
}

static void on_closed(void *ctx, uint32_t conn, int err)
{
	struct bgp_io *io = ctx;

	bgp_closed(io->core, conn, err, loop_now_ms());
}

static void on_input(void *ctx, uint32_t conn, const uint8_t *p, size_t len)
{
	struct bgp_io *io = ctx;

	(void)bgp_input(io->core, conn, p, len, loop_now_ms());
}

static void on_writable(void *ctx, uint32_t conn)
{
	struct bgp_io *io = ctx;

	bgp_writable(io->core, conn, loop_now_ms());
}

/* ---- config ---- */

static uint16_t mss_of(const struct bgp_io *io, const struct ip_addr *addr)
{
	return io->ops.mss ? io->ops.mss(io->ops.ctx, addr) : 0;
}

/* On a network of a port? Nothing of ours then is routed on. */
static bool is_direct(const struct config *c, const struct ip_addr *a)
{
	for (unsigned i = 0; i < c->n_ports; i++)
		for (unsigned k = 0; k < c->port[i].n_addr; k++)
			if (ip_prefix_contains(&c->port[i].addr[k], a))
				return true;
	return false;
}

static uint8_t ttl_of(const struct bgp_io *io, const struct cfg_bgp_peer *p)
{
	if (p->multihop && !p->gtsm_hops)
		return p->multihop;
	return p->gtsm_hops || !is_direct(io->config, &p->addr) ? TTL_MAX : 1;
}

static struct tcp_peer socket_of(const struct bgp_io *io, const struct cfg_bgp_peer *p)
{
	return (struct tcp_peer){
		.addr = p->addr,
		.source = p->source,
		.ttl = ttl_of(io, p),
		.min_ttl = p->gtsm_hops ? (uint8_t)(256 - p->gtsm_hops) : 0,
		.mss = mss_of(io, &p->addr),
		.accept = !p->shutdown && p->connect != CFG_BGP_ACTIVE,
		.password = p->password,
	};
}

/* Names and addresses by the core's index. */
static void take_rows(struct bgp_io *io, struct tcp_peer *sockets, uint32_t n)
{
	struct bgp_peer_info info;

	for (uint32_t i = 0; i < n; i++) {
		struct row *r = row_of(io, i);
		struct ip_addr addr = {0};

		if (bgp_peer_info(io->core, i, &info)) {
			set_name(r, info.cfg->name);
			addr = info.cfg->addr;
			sockets[i] = socket_of(io, info.cfg);
		} else {
			set_name(r, "");
		}
		if ((r->renamed || !ip_equal(&r->addr, &addr)) && io->ops.peer)
			io->ops.peer(io->ops.ctx, i, &addr);
		r->addr = addr;
		r->renamed = false;
	}
}

void bgp_io_config(struct bgp_io *io, const struct config *c)
{
	struct tcp_peer *sockets;
	uint32_t n;

	io->config = c;
	bgp_config(io->core, c, loop_now_ms());
	n = bgp_peer_count(io->core);
	sockets = xcalloc(n + 1, sizeof(*sockets));
	take_rows(io, sockets, n);
	tcp_config(io->tcp, c->bgp.port, sockets, n);
	free(sockets);
	for (unsigned i = 0; io->alone && i < c->bgp.n_originate; i++)
		bgp_originate(io->core, &c->bgp.originate[i], true, loop_now_ms());
}

void bgp_io_way(struct bgp_io *io, uint32_t peer, bool reachable, const char *over, const char *cause)
{
	struct row *r = peer < io->n_rows ? &io->row[peer] : NULL;

	if (!r || r->addr.family == IP_NONE)
		return;
	snprintf(r->over, sizeof(r->over), "%s", over);
	bgp_peer_reachable(io->core, peer, reachable, cause, loop_now_ms());
	tcp_peer_mss(io->tcp, peer, mss_of(io, &r->addr));
}

/* ---- the loop ---- */

uint64_t bgp_io_deadline(const struct bgp_io *io)
{
	return bgp_deadline(io->core);
}

void bgp_io_tick(struct bgp_io *io)
{
	bgp_tick(io->core, loop_now_ms());
}

static void open_wanted(struct bgp_io *io)
{
	while (!list_empty(&io->conns)) {
		struct want_conn *w = list_entry(io->conns.next, struct want_conn, link);
		uint32_t conn = w->conn;
		int rc = tcp_connect(io->tcp, w->peer, conn);

		list_del(&w->link);
		free(w);
		if (rc)
			bgp_closed(io->core, conn, rc, loop_now_ms());
	}
}

static void answer_nexthops(struct bgp_io *io)
{
	while (!list_empty(&io->nexthops)) {
		struct want_nexthop *w = list_entry(io->nexthops.next, struct want_nexthop, link);

		list_del(&w->link);
		bgp_nexthop(io->core, &w->nh, true, 0, loop_now_ms());
		free(w);
	}
}

void bgp_io_turn(struct bgp_io *io)
{
	open_wanted(io);
	answer_nexthops(io);
}

/* ---- the end ---- */

void bgp_io_shutdown(struct bgp_io *io)
{
	bgp_shutdown(io->core, NULL, loop_now_ms());
	tcp_config(io->tcp, io->config ? io->config->bgp.port : 0, NULL, 0);
}

bool bgp_io_quiet(const struct bgp_io *io)
{
	return !tcp_leaving(io->tcp);
}

/* ---- life, and asking ---- */

struct bgp_io *bgp_io_new(struct loop *loop, const struct bgp_io_ops *ops)
{
	struct bgp_io *io = xcalloc(1, sizeof(*io));
	struct tcp_ops sockets = {io, on_connected, on_accepted, on_closed, on_input, on_writable};
	struct bgp_env env = {io,         env_connect,      env_send,          env_close,
			      env_random, env_route_change, env_nexthop_watch, env_nexthop_unwatch,
			      env_notice};

	io->alone = !ops;
	if (ops)
		io->ops = *ops;
	list_init(&io->conns);
	list_init(&io->nexthops);
	io->tcp = tcp_new(loop, &sockets);
	io->core = bgp_new(&env);
	return io;
}

void bgp_io_free(struct bgp_io *io)
{
	if (!io)
		return;
	bgp_free(io->core);
	tcp_free(io->tcp);
	list_each_safe (e, &io->conns)
		free(list_entry(e, struct want_conn, link));
	list_each_safe (f, &io->nexthops)
		free(list_entry(f, struct want_nexthop, link));
	free(io->row);
	free(io);
}

struct bgp *bgp_io_core(struct bgp_io *io)
{
	return io->core;
}

const struct config *bgp_io_configured(const struct bgp_io *io)
{
	return io->config;
}

uint64_t bgp_io_version(const struct bgp_io *io)
{
	return io->version;
}

bool bgp_io_tcp(const struct bgp_io *io, uint32_t conn, struct tcp_info_row *out)
{
	return conn && tcp_info_get(io->tcp, conn, out);
}

void bgp_io_tcp_counters(const struct bgp_io *io, struct tcp_counters *out)
{
	tcp_counters(io->tcp, out);
}
