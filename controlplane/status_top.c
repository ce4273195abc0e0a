/* show top: one object with the counters of everything that moves, cheap enough to be asked for each second. */
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"
#include "controlplane/gateway.h"
#include "controlplane/status_show.h"

/* One tunnel while the rows are chosen and filled. */
struct row {
	const struct tunnel *t;
	struct ike_tunnel_info info;
	struct msg_sa_counters c[2];
	const struct alg *encr, *integ;
	uint64_t rekey_at_ms; /* the first of its children's; 0: none */
	unsigned rank;        /* 0: it should be up and is not; 1: up; 2: not wanted now */
	uint64_t octets;
};

struct rows {
	struct row *r;
	uint32_t n;
	uint32_t *at; /* [tunnels.n]: index in r, UINT32_MAX: none */
};

static void set_str(json_t *o, const char *key, const char *v)
{
	json_object_set_new(o, key, json_string(v));
}

static void set_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)u64_min(v, INT64_MAX)));
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* ---- tunnels ---- */

static int by_interest(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->octets != b->octets)
		return a->octets > b->octets ? -1 : 1;
	return strcmp(a->t->cfg.name, b->t->cfg.name);
}

static unsigned rank_of(const struct ike_tunnel_info *i)
{
	if (i->n_child)
		return 1;
	return i->wanted || i->retry_at_ms ? 0 : 2;
}

static void collect(struct gateway *g, struct rows *rows)
{
	rows->r = xcalloc(g->tunnels.n + 1, sizeof(*rows->r));
	rows->at = xcalloc(g->tunnels.n + 1, sizeof(*rows->at));
	for (uint32_t i = 0; i < g->tunnels.n; i++) {
		const struct tunnel *t = g->tunnels.t[i];
		struct row *r = &rows->r[rows->n];

		rows->at[i] = UINT32_MAX;
		if (!t || !t->wanted)
			continue;
		r->t = t;
		if (!t->known || ike_tunnel_info(g->ike, t->handle.slot, &r->info))
			r->info = (struct ike_tunnel_info){0};
		sadb_totals(g->sadb, t, r->c);
		r->octets = r->c[0].octets + r->c[1].octets;
		r->rank = t->known ? rank_of(&r->info) : 0;
		rows->at[i] = rows->n++;
	}
}

/* Cipher and next rekey of the children in use. */
static bool child(void *arg, const struct ike_child_info *i)
{
	struct rows *rows = arg;
	struct row *r = rows->at[i->tunnel] == UINT32_MAX ? NULL : &rows->r[rows->at[i->tunnel]];

	if (!r || (i->state != IKE_CHILD_UP && i->state != IKE_CHILD_REKEYING))
		return true;
	r->encr = i->encr;
	r->integ = i->integ;
	if (i->rekey_at_ms && (!r->rekey_at_ms || i->rekey_at_ms < r->rekey_at_ms))
		r->rekey_at_ms = i->rekey_at_ms;
	return true;
}

static void set_cipher(json_t *o, const struct row *r)
{
	char text[96];

	snprintf(text, sizeof(text), "%s%s%s", r->encr ? r->encr->name : "", r->integ && r->integ->icv_len ? "/" : "",
		 r->integ && r->integ->icv_len ? r->integ->name : "");
	set_str(o, "cipher", text);
}

static json_t *tunnel_row(const struct row *r, uint64_t now)
{
	static const char *const states[] = {"down", "up", "idle"};
	const struct msg_sa_counters *in = &r->c[MSG_DIR_IN], *out = &r->c[MSG_DIR_OUT];
	char peer[IP_STR];
	uint64_t lost = 0;
	json_t *o = json_object();

	for (unsigned d = 0; d < MSG_SA_DROP_N; d++)
		lost += (d == MSG_SA_DROP_REPLAY ? 0 : in->drop[d]) + out->drop[d];
	set_str(o, "name", r->t->cfg.name);
	if (r->t->peer.family != IP_NONE)
		set_str(o, "peer", ip_str(&r->t->peer, peer));
	else
		set_str(o, "peer", r->t->cfg.remote.name[0] ? r->t->cfg.remote.name : "any");
	set_str(o, "state", states[r->rank]);
	set_cipher(o, r);
	set_u64(o, "in_packets", in->packets);
	set_u64(o, "in_octets", in->octets);
	set_u64(o, "out_packets", out->packets);
	set_u64(o, "out_octets", out->octets);
	set_u64(o, "lost", lost);
	set_u64(o, "replayed", in->drop[MSG_SA_DROP_REPLAY]);
	set_u64(o, "rekey_in_s", r->rekey_at_ms > now ? (r->rekey_at_ms - now) / 1000 : 0);
	set_str(o, "last_error", r->info.last_error);
	return o;
}

static void set_tunnels(json_t *o, struct gateway *g, uint32_t max)
{
	struct rows rows = {0};
	json_t *a = json_array();
	uint32_t up = 0;

	collect(g, &rows);
	ike_child_walk(g->ike, child, &rows);
	for (uint32_t i = 0; i < rows.n; i++)
		up += rows.r[i].rank == 1;
	qsort(rows.r, rows.n, sizeof(*rows.r), by_interest);
	for (uint32_t i = 0; i < rows.n && i < max; i++)
		json_array_append_new(a, tunnel_row(&rows.r[i], loop_now_ms()));
	json_object_set_new(o, "tunnels", a);
	set_u64(o, "tunnels_all", rows.n);
	set_u64(o, "tunnels_up", up);
	free(rows.r);
	free(rows.at);
}

/* ---- the data plane ---- */

static json_t *worker_row(const struct stats_worker *s)
{
	json_t *o = json_object();

	set_u64(o, "busy", load(&s->tsc_busy));
	set_u64(o, "total", load(&s->tsc_total));
	set_u64(o, "rx", load(&s->rx));
	set_u64(o, "tx", load(&s->tx));
	return o;
}

static void set_dataplane(json_t *o, struct gateway *g)
{
	const struct shm *shm = dp_attached(g->dp) ? dp_shm(g->dp) : NULL;
	unsigned n = shm ? dp_limits(g->dp)->workers : 0;
	json_t *workers = json_array(), *stages = json_object(), *drops = json_object();

	for (unsigned w = 0; w < n; w++)
		json_array_append_new(workers, worker_row(&shm->worker_stats[w]));
	for (unsigned s = 0; s < STATS_STAGE_N; s++) {
		uint64_t packets = 0, cycles = 0;

		for (unsigned w = 0; w < n; w++) {
			packets += load(&shm->worker_stats[w].stage[s].packets);
			cycles += load(&shm->worker_stats[w].stage[s].cycles);
		}
		json_object_set_new(
			stages, stats_stage_name(s),
			json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "cycles", (json_int_t)cycles));
	}
	for (unsigned r = 0; r < DROP_N; r++) {
		uint64_t sum = 0;

		for (unsigned w = 0; w < n; w++)
			sum += load(&shm->worker_stats[w].drop[r]);
		if (sum)
			set_u64(drops, stats_drop_name(r), sum);
	}
	json_object_set_new(o, "attached", json_boolean(shm));
	json_object_set_new(o, "workers", workers);
	json_object_set_new(o, "stages", stages);
	json_object_set_new(o, "drops", drops);
}

/* ---- the rest ---- */

static void set_bgp(json_t *o, struct gateway *g)
{
	const struct bgp *b = g->config->bgp.as ? bgp_io_core(g->bgp) : NULL;
	uint32_t n = b ? bgp_peer_count(b) : 0, up = 0;
	struct bgp_peer_info i;

	for (uint32_t p = 0; p < n; p++)
		up += bgp_peer_info(b, p, &i) && i.state == BGP_ESTABLISHED;
	set_u64(o, "bgp_all", n);
	set_u64(o, "bgp_up", up);
}

json_t *status_top(struct gateway *g, uint32_t max)
{
	json_t *o = json_object();
	struct feed_totals t;

	feed_totals(g->feed, &t);
	set_str(o, "gateway", g->config->gateway_name);
	set_str(o, "version", ESPLANADE_VERSION);
	set_u64(o, "now_ms", loop_now_ms());
	set_u64(o, "uptime_s", (loop_now_ms() - g->started_ms) / 1000);
	set_u64(o, "routes", t.routes);
	set_dataplane(o, g);
	set_tunnels(o, g, max);
	set_bgp(o, g);
	return o;
}
