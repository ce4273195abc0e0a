#include "cli/show.h"

#include <string.h>

#include "base/build.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/table.h"

static const struct table_col tunnels[] = {
	{"name", "TUNNEL", TABLE_TEXT, 31},         {"state", "STATE", TABLE_TEXT, 10},
	{"peer", "PEER", TABLE_ADDR, 39},           {"ike_sas", "IKE", TABLE_COUNT, 0},
	{"child_sas", "CHILD", TABLE_COUNT, 0},     {"in_packets", "IN-PKTS", TABLE_COUNT, 0},
	{"in_octets", "IN-OCT", TABLE_OCTETS, 0},   {"out_packets", "OUT-PKTS", TABLE_COUNT, 0},
	{"out_octets", "OUT-OCT", TABLE_OCTETS, 0}, {"uptime_s", "UP", TABLE_TIME, 0},
	{"attempts", "TRIES", TABLE_COUNT, 0},
};

static const struct table_col ike_sas[] = {
	{"tunnel", "TUNNEL", TABLE_TEXT, 31},       {"serial", "SA", TABLE_COUNT, 0},
	{"state", "STATE", TABLE_TEXT, 12},         {"role", "ROLE", TABLE_TEXT, 9},
	{"spi_i", "SPI-I", TABLE_TEXT, 16},         {"spi_r", "SPI-R", TABLE_TEXT, 16},
	{"uptime_s", "UP", TABLE_TIME, 0},          {"rekey_in_s", "REKEY-IN", TABLE_TIME, 0},
	{"expires_in_s", "EXPIRES", TABLE_TIME, 0},
};

/* Of several candidates of a prefix the one that counts has a star. */
static const struct table_col routes[] = {
	{"mark", "", TABLE_TEXT, 1},
	{"prefix", "PREFIX", TABLE_ADDR, 43},
	{"kind", "KIND", TABLE_TEXT, 12},
	{"distance", "DIST", TABLE_COUNT, 0},
	{"nexthop", "NEXT-HOP", TABLE_ADDR, 39},
	{"via", "VIA", TABLE_ADDR, 39},
	{"tunnel", "TUNNEL", TABLE_TEXT, 31},
	{"port", "PORT", TABLE_TEXT, 31},
	{"state", "STATE", TABLE_TEXT, 12},
};

static const struct table_col ports[] = {
	{"name", "PORT", TABLE_TEXT, 31},          {"up", "UP", TABLE_YES, 0},
	{"device", "DEVICE", TABLE_TEXT, 18},      {"mac", "MAC", TABLE_TEXT, 17},
	{"rx_queues", "RXQ", TABLE_COUNT, 0},      {"tx_queues", "TXQ", TABLE_COUNT, 0},
	{"speed_mbps", "MBIT/S", TABLE_COUNT, 0},  {"addresses", "ADDRESSES", TABLE_LIST, 18},
	{"rx_packets", "RX-PKTS", TABLE_COUNT, 0}, {"tx_packets", "TX-PKTS", TABLE_COUNT, 0},
	{"missed", "MISSED", TABLE_COUNT, 0},      {"errors", "ERRORS", TABLE_COUNT, 0},
};

static const struct table_col workers[] = {
	{"worker", "W", TABLE_COUNT, 0},
	{"busy_percent", "BUSY%", TABLE_PERCENT, 0},
	{"rx", "RX", TABLE_COUNT, 0},
	{"tx", "TX", TABLE_COUNT, 0},
	{"esp_in", "ESP-IN", TABLE_COUNT, 0},
	{"esp_out", "ESP-OUT", TABLE_COUNT, 0},
	{"punt", "PUNT", TABLE_COUNT, 0},
	{"handoff_in", "HAND-IN", TABLE_COUNT, 0},
	{"handoff_out", "HAND-OUT", TABLE_COUNT, 0},
	{"icmp_sent", "ICMP", TABLE_COUNT, 0},
	{"arp_sent", "ARP", TABLE_COUNT, 0},
	{"bad_msgs", "BADMSG", TABLE_COUNT, 0},
	{"evt_lost", "LOST", TABLE_COUNT, 0},
};

static const struct table_col drops[] = {
	{"reason", "REASON", TABLE_TEXT, 40},
	{"packets", "PACKETS", TABLE_COUNT, 0},
	{"workers", "PER WORKER", TABLE_LIST, 46},
};

/* The words at key, escaped, or NULL when there are none. */
static const char *words(const json_t *row, const char *key, char *buf, size_t cap)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s && *s ? log_esc(s, strlen(s), buf, cap) : NULL;
}

static void last_error(FILE *f, const json_t *row)
{
	char buf[TABLE_WIDTH - 14], time[TABLE_CELL];
	const char *s = words(row, "last_error", buf, sizeof(buf));
	json_int_t retry = json_integer_value(json_object_get(row, "retry_in_s"));

	if (s)
		fprintf(f, "  last error: %s\n", s);
	if (retry > 0)
		fprintf(f, "  next try in %s\n", table_time(retry, time));
}

static void leg_line(FILE *f, const json_t *leg)
{
	char via[48], tunnel[64], port[64];
	const char *v = words(leg, "via", via, sizeof(via)), *t = words(leg, "tunnel", tunnel, sizeof(tunnel)),
		   *p = words(leg, "port", port, sizeof(port));

	fprintf(f, "  shared with %s%s%s%s%s\n",
		t   ? "tunnel "
		: p ? "port "
		    : "",
		t   ? t
		: p ? p
		    : "",
		v ? " via " : "", v ? v : "", !t && !p && !v ? "nothing" : "");
}

/* The other legs of a route that shares its load, and why it is not in use. */
static void route_detail(FILE *f, const json_t *row)
{
	const json_t *legs = json_object_get(row, "legs");
	char buf[TABLE_WIDTH - 10];
	const char *s = words(row, "cause", buf, sizeof(buf));

	for (size_t i = 1; i < json_array_size(legs); i++)
		leg_line(f, json_array_get(legs, i));
	if (!s)
		s = words(row, "error", buf, sizeof(buf));
	if (s)
		fprintf(f, "  %s\n", s);
}

static void route_rows(FILE *f, const json_t *rows, bool first, void *ctx)
{
	struct table_fit *fit = ctx;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) json_object_set_new(
		row, "mark", json_string(json_is_true(json_object_get(row, "selected")) ? "*" : " "));
	if (first && !json_array_size(rows)) {
		fputs("no routes\n", f);
		return;
	}
	if (first)
		table_head(f, routes, N_ELEMS(routes), rows, fit);
	table_rows(f, routes, N_ELEMS(routes), rows, fit, route_detail);
}

const struct page_view show_routes = {.rows = route_rows};

static void end_line(FILE *f, const json_t *row, const char *what, const char *addr, const char *id)
{
	char a[48], b[TABLE_WIDTH / 2 - 8];
	const char *at = words(row, addr, a, sizeof(a)), *who = words(row, id, b, sizeof(b));

	fprintf(f, "  %-6s %s  id %s\n", what, at ? at : "-", who ? who : "-");
}

/* Who and how, below the row that says where. */
static void ike_detail(FILE *f, const json_t *row)
{
	char encr[64], prf[64], integ[64], dh[64], nat[64];
	const char *e = words(row, "encr", encr, sizeof(encr)), *p = words(row, "prf", prf, sizeof(prf));
	const char *i = words(row, "integ", integ, sizeof(integ)), *d = words(row, "dh", dh, sizeof(dh));
	const char *n = words(row, "nat", nat, sizeof(nat));

	end_line(f, row, "local", "local", "local_id");
	end_line(f, row, "peer", "remote", "remote_id");
	fprintf(f, "  %s / %s%s%s / %s, nat: %s\n", e ? e : "-", p ? p : "-", i && strcmp(i, "none") ? " / " : "",
		i && strcmp(i, "none") ? i : "", d ? d : "-", n ? n : "-");
}

static const struct noun {
	const char *word, *none; /* what to say when there are no rows */
	const struct table_col *cols;
	unsigned n;
	void (*detail)(FILE *f, const json_t *row);
} nouns[] = {
	{"tunnels", "no tunnel is configured", tunnels, N_ELEMS(tunnels), last_error},
	{"ike-sas", "no IKE SA", ike_sas, N_ELEMS(ike_sas), ike_detail},
	{"child-sas", "no child SA", NULL, 0, NULL},
	{"ports", "no ports", ports, N_ELEMS(ports), NULL},
	{"workers", "no workers: the data plane is not attached (is esplanade-dataplane running?)", workers,
	 N_ELEMS(workers), NULL},
	{"drops", "no drops", drops, N_ELEMS(drops), NULL},
};

static const struct noun *find(const char *noun)
{
	for (unsigned i = 0; i < N_ELEMS(nouns); i++)
		if (!strcmp(nouns[i].word, noun))
			return &nouns[i];
	return NULL;
}

bool show_knows(const char *noun)
{
	return find(noun) != NULL;
}

const char *show_nouns(void)
{
	return "tunnels|ike-sas|child-sas|ports|workers|drops";
}

bool show_print(FILE *f, const char *noun, const json_t *data)
{
	const struct noun *n = find(noun);

	if (!n || !json_is_array(data))
		return false;
	if (!json_array_size(data))
		fprintf(f, "%s\n", n->none);
	else if (n->cols)
		table_print(f, n->cols, n->n, data, n->detail);
	else
		child_print(f, data);
	return true;
}

void show_fib(FILE *f, const char *addr, const json_t *data)
{
	const json_t *legs = json_object_get(data, "legs");
	char prefix[64];
	const char *p = words(data, "prefix", prefix, sizeof(prefix));
	json_t *leg;
	size_t i;

	if (!json_is_true(json_object_get(data, "found"))) {
		fprintf(f, "%s: no route: packets are dropped and counted as no-route\n", addr);
		return;
	}
	fprintf(f, "%s: %s\n", addr, p ? p : "?");
	json_array_foreach(legs, i, leg)
	{
		char via[48], tunnel[64], port[64], kind[32];
		const char *v = words(leg, "via", via, sizeof(via)), *t = words(leg, "tunnel", tunnel, sizeof(tunnel)),
			   *o = words(leg, "port", port, sizeof(port)), *k = words(leg, "kind", kind, sizeof(kind));

		fprintf(f, "  %s%s%s%s%s\n", k ? k : "?", t || o ? " " : "",
			t   ? t
			: o ? o
			    : "",
			v ? " via " : "", v ? v : "");
	}
}
