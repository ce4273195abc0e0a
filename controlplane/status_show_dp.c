/* show routes, ports, workers, drops: what comes from the data plane's segment. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "controlplane/gateway.h"
#include "controlplane/status_show.h"

static void set_str(json_t *o, const char *key, const char *v)
{
	json_object_set_new(o, key, json_string(v));
}

static void set_u64(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)u64_min(v, INT64_MAX)));
}

/* A counter that its worker writes while we read. */
static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* The segment, if there is one whose numbers we may read. */
static struct shm *segment(struct gateway *g)
{
	return dp_attached(g->dp) ? dp_shm(g->dp) : NULL;
}

/* ---- routes ---- */

struct walk {
	struct gateway *g;
	json_t *rows;
};

static const char *port_name(const struct gateway *g, uint16_t port)
{
	return port < g->config->n_ports ? g->config->port[port].name : "";
}

/* The owner; of a static route what it leads to. */
static const char *kind_name(const struct feed_route_info *i)
{
	static const char *const owners[] = {"connected", "static", "bgp", "pin"};

	if (i->owner != FEED_STATIC)
		return owners[i->owner];
	if (i->leg[0].tunnel && i->nexthop.family == IP_NONE)
		return "tunnel";
	return i->n && i->leg[0].kind == MSG_NH_DROP && i->nexthop.family == IP_NONE ? "blackhole" : "static";
}

static json_t *leg_row(const struct gateway *g, const struct feed_leg *l)
{
	char via[IP_STR] = "";

	if (l->kind == MSG_NH_PORT && l->via.family != IP_NONE)
		ip_str(&l->via, via);
	return json_pack("{s:s, s:s, s:s, s:b}", "via", via, "tunnel", l->tunnel ? l->tunnel->cfg.name : "", "port",
			 l->kind == MSG_NH_PORT ? port_name(g, l->port) : "", "drop", l->kind == MSG_NH_DROP);
}

static bool route_row(void *arg, const struct feed_route_info *i)
{
	static const char *const owners[] = {"connected", "static", "bgp", "pin"};
	struct walk *w = arg;
	char prefix[IP_STR], nexthop[IP_STR] = "";
	json_t *o = leg_row(w->g, &i->leg[0]), *legs = json_array();

	if (i->nexthop.family != IP_NONE)
		ip_str(&i->nexthop, nexthop);
	for (unsigned l = 0; l < i->n; l++)
		json_array_append_new(legs, leg_row(w->g, &i->leg[l]));
	json_object_del(o, "drop");
	set_str(o, "prefix", ip_prefix_str(&i->to, prefix));
	set_str(o, "kind", kind_name(i));
	set_str(o, "owner", owners[i->owner]);
	set_u64(o, "distance", i->distance);
	set_str(o, "nexthop", nexthop);
	json_object_set_new(o, "legs", legs);
	json_object_set_new(o, "selected", json_boolean(i->selected));
	set_str(o, "state", i->state);
	set_str(o, "cause", i->cause);
	set_str(o, "error", i->err ? err_str(i->err) : "");
	json_array_append_new(w->rows, o);
	return true;
}

json_t *status_show_routes(struct gateway *g, const struct status_req *req)
{
	struct walk w = {.g = g, .rows = json_array()};
	struct ip_prefix after = req->after;
	char text[IP_STR] = "";
	unsigned n;

	n = feed_walk(g->feed, &after, req->max, route_row, &w);
	if (after.addr.family != IP_NONE)
		ip_prefix_str(&after, text);
	return json_pack("{s:o, s:b, s:s}", "rows", w.rows, "more", n >= req->max, "after", text);
}

/* ---- ports ---- */

/* What the data plane made of the device; driver "" while there is none. */
static void set_port_device(json_t *o, const struct stats_port *s)
{
	char driver[sizeof(s->driver) + 1] = "", mac[18];

	memcpy(driver, s->driver, sizeof(s->driver));
	for (char *c = driver; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			*c = '?';
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1], s->mac[2], s->mac[3],
		 s->mac[4], s->mac[5]);
	set_str(o, "driver", driver);
	set_str(o, "mac", driver[0] ? mac : "");
	set_u64(o, "rx_queues", s->n_rx);
	set_u64(o, "tx_queues", s->n_tx);
	set_u64(o, "speed_mbps", __atomic_load_n(&s->speed_mbps, __ATOMIC_RELAXED));
}

static json_t *port_row(const struct cfg_port *p, const struct stats_port *s)
{
	static const struct stats_port none;
	json_t *o = json_object(), *addrs = json_array();
	char text[IP_STR];

	if (!s)
		s = &none;
	for (unsigned i = 0; i < p->n_addr; i++)
		json_array_append_new(addrs, json_string(ip_prefix_str(&p->addr[i], text)));
	set_str(o, "name", p->name);
	set_str(o, "device", p->device);
	json_object_set_new(o, "addresses", addrs);
	set_u64(o, "mtu", p->mtu);
	set_port_device(o, s);
	json_object_set_new(o, "up", json_boolean(__atomic_load_n(&s->up, __ATOMIC_RELAXED)));
	set_u64(o, "rx_packets", load(&s->rx_packets));
	set_u64(o, "rx_octets", load(&s->rx_octets));
	set_u64(o, "tx_packets", load(&s->tx_packets));
	set_u64(o, "tx_octets", load(&s->tx_octets));
	set_u64(o, "missed", load(&s->rx_missed));
	set_u64(o, "errors", load(&s->tx_errors));
	return o;
}

json_t *status_show_ports(struct gateway *g)
{
	const struct shm *shm = segment(g);
	json_t *a = json_array();

	for (unsigned i = 0; i < g->config->n_ports; i++)
		json_array_append_new(a, port_row(&g->config->port[i],
						  shm && i < dp_limits(g->dp)->ports ? &shm->port_stats[i] : NULL));
	return a;
}

/* ---- workers ---- */

/* Per cent of the time since the last question (the first time: since its start). */
static double busy_percent(struct gateway *g, unsigned w, const struct stats_worker *s)
{
	struct status_show_state *st = &g->show;
	uint64_t busy = load(&s->tsc_busy), total = load(&s->tsc_total);
	uint64_t d_busy = busy - st->busy[w], d_total = total - st->total[w];

	st->busy[w] = busy;
	st->total[w] = total;
	if (!d_total || d_busy > d_total)
		return 0;
	return (double)(d_busy * 1000 / d_total) / 10;
}

static json_t *worker_row(struct gateway *g, unsigned w, const struct stats_worker *s)
{
	json_t *o = json_object();

	set_u64(o, "worker", w);
	json_object_set_new(o, "busy_percent", json_real(busy_percent(g, w, s)));
	set_u64(o, "polls", load(&s->polls));
	set_u64(o, "idle_sleeps", load(&s->idle_sleeps));
	set_u64(o, "rx", load(&s->rx));
	set_u64(o, "tx", load(&s->tx));
	set_u64(o, "esp_in", load(&s->esp_in));
	set_u64(o, "esp_out", load(&s->esp_out));
	set_u64(o, "punt", load(&s->punt));
	set_u64(o, "to_tun", load(&s->to_tun));
	set_u64(o, "from_tun", load(&s->from_tun));
	set_u64(o, "ecn_odd", load(&s->ecn_odd));
	set_u64(o, "joined", load(&s->joined));
	set_u64(o, "handoff_in", load(&s->handoff_in));
	set_u64(o, "handoff_out", load(&s->handoff_out));
	set_u64(o, "icmp_sent", load(&s->icmp_sent));
	set_u64(o, "arp_sent", load(&s->arp_sent));
	set_u64(o, "bad_msgs", load(&s->bad_msgs));
	set_u64(o, "evt_lost", load(&s->evt_lost));
	return o;
}

json_t *status_show_workers(struct gateway *g)
{
	const struct shm *shm = segment(g);
	json_t *a = json_array();

	if (!shm)
		return a;
	if (g->show.epoch != dp_epoch(g->dp)) {
		memset(&g->show, 0, sizeof(g->show));
		g->show.epoch = dp_epoch(g->dp);
	}
	for (unsigned w = 0; w < dp_limits(g->dp)->workers; w++)
		json_array_append_new(a, worker_row(g, w, &shm->worker_stats[w]));
	return a;
}

/* ---- drops ---- */

json_t *status_show_drops(struct gateway *g, bool all)
{
	const struct shm *shm = segment(g);
	json_t *a = json_array();

	if (!shm)
		return a;
	for (unsigned r = 0; r < DROP_N; r++) {
		json_t *per_worker = json_array();
		uint64_t sum = 0;

		for (unsigned w = 0; w < dp_limits(g->dp)->workers; w++) {
			uint64_t n = load(&shm->worker_stats[w].drop[r]);

			sum += n;
			json_array_append_new(per_worker, json_integer((json_int_t)n));
		}
		if (sum || all)
			json_array_append_new(a, json_pack("{s:s, s:I, s:o}", "reason", stats_drop_name(r), "packets",
							   (json_int_t)sum, "workers", per_worker));
		else
			json_decref(per_worker);
	}
	return a;
}
