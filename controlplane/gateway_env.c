/* The IKE core's hands: rings, SPIs, keys, randomness, jobs and log lines. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "controlplane/gateway.h"

static void env_send(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	struct gateway *g = ctx;

	ike_io_send(&g->io, path, msg, len);
}

static void env_keepalive(void *ctx, const struct ike_path *path)
{
	struct gateway *g = ctx;

	ike_io_keepalive(&g->io, path);
}

static int64_t env_wall_s(void *ctx UNUSED)
{
	return (int64_t)time(NULL);
}

static void env_random(void *ctx UNUSED, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			log_fatal(LOG_MAIN, "cause=\"the kernel gives no random octets: %s\"", err_str(errno));
		p += n;
		len -= (size_t)n;
	}
}

bool gateway_local(const struct gateway *g, const struct tunnel *t, uint8_t family, struct ip_addr *out)
{
	const struct cfg_port *p = config_port(g->config, t->cfg.local.port);

	*out = t->cfg.local.addr;
	for (unsigned i = 0; out->family != family && p && i < p->n_addr; i++)
		*out = p->addr[i].addr;
	return out->family == family;
}

bool gateway_can_reach(void *ctx, const struct tunnel *t, uint8_t family)
{
	struct ip_addr local;

	return gateway_local(ctx, t, family, &local);
}

/* The first message: from the tunnel's own worker, out by the route. RFC 7296 2: port 500. */
static int env_path(void *ctx, uint32_t index, struct ike_path *out)
{
	struct gateway *g = ctx;
	const struct tunnel *t = tunnels_at(&g->tunnels, index);

	struct ip_addr local;

	if (!t || t->peer.family == IP_NONE || !dp_attached(g->dp) || !gateway_local(g, t, t->peer.family, &local))
		return -EHOSTUNREACH;
	*out = (struct ike_path){.local = local,
				 .remote = t->peer,
				 .local_port = 500,
				 .remote_port = 500,
				 .dp_port = UINT16_MAX,
				 .worker = t->worker};
	return 0;
}

static int env_spi_alloc(void *ctx, uint32_t tunnel, uint32_t *spi)
{
	struct gateway *g = ctx;

	return sadb_spi_alloc(g->sadb, tunnel, spi);
}

static void env_spi_free(void *ctx, uint32_t tunnel, uint32_t spi)
{
	struct gateway *g = ctx;

	sadb_spi_free(g->sadb, tunnel, spi);
}

static int env_install_in(void *ctx, const struct ike_child_half *h)
{
	struct gateway *g = ctx;

#ifdef ESPLANADE_KEYLOG
	ike_keylog_child(h, true);
#endif
	return sadb_install(g->sadb, h, MSG_DIR_IN);
}

static int env_install_out(void *ctx, const struct ike_child_half *h)
{
	struct gateway *g = ctx;

#ifdef ESPLANADE_KEYLOG
	ike_keylog_child(h, false);
#endif
	return sadb_install(g->sadb, h, MSG_DIR_OUT);
}

static void env_child_remove(void *ctx, uint32_t tunnel, uint32_t spi_in, bool in)
{
	struct gateway *g = ctx;

	sadb_remove(g->sadb, tunnel, spi_in, in ? MSG_DIR_IN : MSG_DIR_OUT);
}

static void env_child_move(void *ctx, uint32_t tunnel, uint32_t spi_in, const struct ike_path *path)
{
	struct gateway *g = ctx;

	sadb_move(g->sadb, tunnel, spi_in, path);
}

static uint64_t env_child_rx_packets(void *ctx, uint32_t tunnel, uint32_t spi_in)
{
	struct gateway *g = ctx;

	return sadb_rx_packets(g->sadb, tunnel, spi_in);
}

static uint64_t env_child_tx_packets(void *ctx, uint32_t tunnel, uint32_t spi_in)
{
	struct gateway *g = ctx;

	return sadb_tx_packets(g->sadb, tunnel, spi_in);
}

static void job_run(void *job)
{
	ike_job_run(job);
}

static void job_done(void *ctx, void *job)
{
	struct gateway *g = ctx;

	ike_job_done(g->ike, job, loop_now_ms());
}

static void env_job(void *ctx, struct ike_job *job)
{
	struct gateway *g = ctx;
	int rc = loop_job(&g->loop, job_run, job_done, g, job);

	if (rc)
		log_fatal(LOG_MAIN, "cause=\"the work pool takes no job: %s\"", uv_strerror(rc));
}

/* key=value pairs that this notice has. */
static void describe(const struct ike_notice *n, char *buf, size_t cap)
{
	char local[IP_STR], remote[IP_STR];
	size_t at = 0;

	buf[0] = '\0';
	if (n->path)
		at += (size_t)snprintf(buf, cap, " local=%s peer=%s",
				       ip_port_str(&n->path->local, n->path->local_port, local),
				       ip_port_str(&n->path->remote, n->path->remote_port, remote));
	if (n->spi_i && at < cap)
		at += (size_t)snprintf(buf + at, cap - at, " spi_i=%016" PRIx64 " spi_r=%016" PRIx64, n->spi_i,
				       n->spi_r);
	if (n->spi_in && at < cap)
		at += (size_t)snprintf(buf + at, cap - at, " spi_in=0x%08x spi_out=0x%08x", n->spi_in, n->spi_out);
	if (n->cause && n->cause[0] && at < cap)
		snprintf(buf + at, cap - at, " cause=\"%s\"", n->cause);
}

static void env_notice(void *ctx, const struct ike_notice *n)
{
	struct gateway *g = ctx;
	struct tunnel *t = tunnels_at(&g->tunnels, n->tunnel);
	const char *cause = n->cause && n->cause[0] ? n->cause : "the attempt failed";
	char what[1024];

	describe(n, what, sizeof(what));
	if (n->kind == IKE_NOTICE_PEER_ERROR) /* anybody can cause these */
		log_warn(LOG_IKE, "tunnel=%s event=%s%s", tunnels_name(&g->tunnels, n->tunnel),
			 ike_notice_name(n->kind), what);
	else
		LOG_AT(LOG_IKE, n->kind == IKE_NOTICE_FAILED || n->kind == IKE_NOTICE_WEAK ? LOG_WARN : LOG_INFO, NULL,
		       "tunnel=%s event=%s%s", tunnels_name(&g->tunnels, n->tunnel), ike_notice_name(n->kind), what);
	if (!t)
		return;
	if (list_empty(&t->touched))
		list_add_tail(&g->touched, &t->touched);
	if (n->kind == IKE_NOTICE_PEER_ERROR) /* the end of an attempt, if the IKE SA is up and has no child then */
		snprintf(t->peer_error, sizeof(t->peer_error), "%s", n->cause);
	if (n->kind == IKE_NOTICE_FAILED || n->kind == IKE_NOTICE_IKE_DOWN)
		t->ended = true;
	if (n->kind == IKE_NOTICE_CHILD_UP)
		status_settle(g->status, n->tunnel, NULL);
	if (n->kind != IKE_NOTICE_FAILED)
		return;
	status_settle(g->status, n->tunnel, cause);
	if (g->by_hand == n->tunnel)
		snprintf(g->by_hand_cause, sizeof(g->by_hand_cause), "%s", cause);
}

struct ike_env gateway_env(struct gateway *g)
{
	return (struct ike_env){.ctx = g,
				.send = env_send,
				.keepalive = env_keepalive,
				.random = env_random,
				.wall_s = env_wall_s,
				.path = env_path,
				.spi_alloc = env_spi_alloc,
				.spi_free = env_spi_free,
				.install_in = env_install_in,
				.install_out = env_install_out,
				.child_remove = env_child_remove,
				.child_move = env_child_move,
				.job = env_job,
				.notice = env_notice,
				.child_rx_packets = env_child_rx_packets,
				.child_tx_packets = env_child_tx_packets};
}

/* ---- news for the core ---- */

static struct ip_prefix host_of(uint8_t family, const uint8_t *addr)
{
	return (struct ip_prefix){.addr = ip_from_bytes(family, addr), .len = (uint8_t)(ip_size(family) * 8)};
}

void gateway_no_sa(struct gateway *g, const struct msg_no_sa *m)
{
	const struct tunnel *t = tunnels_by_handle(&g->tunnels, &m->tunnel);
	struct ike_event ev = {.type = IKE_EV_ACQUIRE, .child = m->child, .has_ts = true};

	if (!t || !t->known)
		return;
	ev.ts = (struct cfg_ts){.local = host_of(m->family, m->src),
				.remote = host_of(m->family, m->dst),
				.protocol = m->proto,
				.local_port_lo = m->src_port,
				.local_port_hi = m->src_port,
				.remote_port_lo = m->dst_port,
				.remote_port_hi = m->dst_port};
	ev.tunnel = t->handle.slot;
	log_debug(LOG_IKE, "tunnel=%s event=acquire child=%u", t->cfg.name, m->child);
	(void)!ike_event(g->ike, &ev, loop_now_ms());
}
