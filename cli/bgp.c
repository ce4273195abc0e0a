#include "cli/bgp.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cli/table.h"

enum { WORD = 128 };

/* The words at key, escaped; "" when there are none. */
static const char *words(const json_t *o, const char *key, char buf[], size_t cap)
{
	const char *s = json_string_value(json_object_get(o, key));

	buf[0] = '\0';
	return s ? log_esc(s, strlen(s), buf, cap) : "";
}

static json_int_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* 0:18:54, and days before it. */
static const char *clock_of(json_int_t s, char buf[WORD])
{
	if (s >= 86400)
		snprintf(buf, WORD, "%lldd%02lldh%02lldm", s / 86400, s / 3600 % 24, s / 60 % 60);
	else
		snprintf(buf, WORD, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	return buf;
}

static bool is_up(const json_t *peer)
{
	const char *s = json_string_value(json_object_get(peer, "state"));

	return s && !strcmp(s, "Established");
}

static const char *state_of(const json_t *peer, char buf[WORD])
{
	words(peer, yes(peer, "shutdown") ? "" : "state", buf, WORD);
	for (char *p = buf; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return buf[0] ? buf : "SHUTDOWN";
}

/* ---- summary ---- */

static const struct table_col peers[] = {
	{"neighbor", "Neighbor", TABLE_ADDR, 39},
	{"v", "V", TABLE_TEXT, 1},
	{"as", "AS", TABLE_TEXT, 10},
	{"msg_rcvd", "MsgRcvd", TABLE_COUNT, 0},
	{"msg_sent", "MsgSent", TABLE_COUNT, 0},
	{"time", "Up/DownTime", TABLE_TEXT, 11},
	{"state", "State", TABLE_TEXT, 11},
	{"received", "PfxRcd/Acc", TABLE_TEXT, 17},
	{"sent", "PfxSnt/Lim", TABLE_TEXT, 17},
};

static json_t *received(const json_t *p)
{
	if (yes(json_object_get(p, "policy"), "no_import"))
		return json_string("(Policy)");
	return json_sprintf("%lld/%lld", num(p, "pfx_rcvd"), num(p, "pfx_accepted"));
}

static json_t *sent(const json_t *p)
{
	if (yes(json_object_get(p, "policy"), "no_export"))
		return json_string("(Policy)");
	if (num(p, "limit_out"))
		return json_sprintf("%lld/%lld", num(p, "pfx_sent"), num(p, "limit_out"));
	return json_sprintf("%lld", num(p, "pfx_sent"));
}

/* A row as it is shown, with the peer itself for the lines below it. */
static json_t *shown(json_t *p)
{
	char time[WORD], state[WORD];
	json_t *o = json_object();

	json_object_set(o, "neighbor", json_object_get(p, "address"));
	json_object_set_new(o, "v", json_string("4"));
	json_object_set_new(o, "as", json_sprintf("%lld", num(p, "as")));
	json_object_set(o, "msg_rcvd", json_object_get(p, "msg_rcvd"));
	json_object_set(o, "msg_sent", json_object_get(p, "msg_sent"));
	json_object_set_new(o, "time", json_string(num(p, "since") ? clock_of(num(p, "uptime_s"), time) : "never"));
	json_object_set_new(o, "state", json_string(state_of(p, state)));
	json_object_set_new(o, "received", received(p));
	json_object_set_new(o, "sent", sent(p));
	json_object_set(o, "peer", p);
	return o;
}

static void say_why(FILE *f, const json_t *p)
{
	const json_t *policy = json_object_get(p, "policy");
	char buf[512];

	if (*words(p, "unreachable", buf, sizeof(buf)))
		fprintf(f, "  no session: %s\n", buf);
	else if (!is_up(p) && *words(json_object_get(p, "last_error"), "text", buf, sizeof(buf)))
		fprintf(f, "  last error: %s\n", buf);
	if (yes(policy, "no_import"))
		fputs("  no import policy, so nothing is accepted (RFC 8212): write import: POLICY\n", f);
	if (yes(policy, "no_export"))
		fputs("  no export policy, so nothing is sent (RFC 8212): write export: POLICY\n", f);
}

static void below_peer(FILE *f, const json_t *row)
{
	const json_t *p = json_object_get(row, "peer");
	char name[WORD], over[WORD];

	words(p, "over", over, sizeof(over));
	fprintf(f, "  %s%s%s\n", words(p, "name", name, sizeof(name)), *over ? ", via " : "", over);
	say_why(f, p);
}

void bgp_summary_print(FILE *f, const json_t *data)
{
	json_t *rows = json_array(), *p;
	char id[WORD];
	size_t i;

	fprintf(f, "BGP router ID %s, local AS number %lld\n\n", words(data, "router_id", id, sizeof(id)),
		num(data, "as"));
	json_array_foreach(json_object_get(data, "peers"), i, p) json_array_append_new(rows, shown(p));
	table_print(f, peers, N_ELEMS(peers), rows, below_peer);
	fprintf(f, "\nTotal number of neighbors %zu\n", json_array_size(rows));
	json_decref(rows);
}

/* ---- one neighbor ---- */

static void capabilities(FILE *f, const char *title, const json_t *c)
{
	static const struct {
		const char *key, *word;
	} all[] = {{"ipv4_unicast", "IPv4"},
		   {"ipv6_unicast", "IPv6"},
		   {"as4", "4-octet AS"},
		   {"route_refresh", "route refresh"}};
	const char *sep = " ";

	if (!c)
		return;
	fprintf(f, "  %s:", title);
	for (unsigned i = 0; i < N_ELEMS(all); i++)
		if (yes(c, all[i].key)) {
			fprintf(f, "%s%s", sep, all[i].word);
			sep = ", ";
		}
	fputs("\n", f);
}

static void messages(FILE *f, const json_t *p)
{
	static const char *const keys[] = {"open", "update", "notification", "keepalive", "route_refresh", "all"};
	const json_t *in = json_object_get(p, "messages_in"), *out = json_object_get(p, "messages_out");

	fputs("  Messages             Received       Sent\n", f);
	for (unsigned i = 0; i < N_ELEMS(keys); i++)
		fprintf(f, "    %-15s %11lld %10lld\n", keys[i], num(in, keys[i]), num(out, keys[i]));
}

static void socket_line(FILE *f, const json_t *p)
{
	const json_t *t = json_object_get(p, "tcp");
	char a[WORD], b[WORD];

	if (!num(t, "remote_port"))
		return;
	fprintf(f,
		"  TCP %s port %lld to %s port %lld, segments of %lld octets, TTL %lld, %lld.%03lld ms, %lld sent "
		"again%s\n",
		words(t, "local", a, sizeof(a)), num(t, "local_port"), words(t, "remote", b, sizeof(b)),
		num(t, "remote_port"), num(t, "mss"), num(t, "ttl"), num(t, "rtt_us") / 1000, num(t, "rtt_us") % 1000,
		num(t, "retrans"), yes(p, "md5") ? ", MD5" : "");
}

static void changes(FILE *f, const json_t *p)
{
	const json_t *all = json_object_get(p, "changes");
	char from[WORD], to[WORD], cause[512], at[32];
	json_t *c;
	size_t i;

	if (json_array_size(all))
		fputs("  Last changes of state:\n", f);
	json_array_foreach(all, i, c)
	{
		time_t when = (time_t)num(c, "time");
		struct tm tm;

		strftime(at, sizeof(at), "%F %TZ", gmtime_r(&when, &tm));
		fprintf(f, "    %s %s to %s: %s\n", at, words(c, "from", from, sizeof(from)),
			words(c, "to", to, sizeof(to)), words(c, "cause", cause, sizeof(cause)));
	}
}

static void prefixes(FILE *f, const json_t *p)
{
	const json_t *policy = json_object_get(p, "policy");
	char in[WORD], out[WORD];

	words(policy, "in", in, sizeof(in));
	words(policy, "out", out, sizeof(out));
	fprintf(f, "  Prefixes received %lld, accepted %lld (import policy %s), sent %lld (export policy %s)\n",
		num(p, "pfx_rcvd"), num(p, "pfx_accepted"), *in ? in : "none", num(p, "pfx_sent"), *out ? out : "none");
	if (num(p, "limit_in") || num(p, "limit_out"))
		fprintf(f, "  Limits: %lld received%s, %lld sent (0: none)\n", num(p, "limit_in"),
			yes(p, "limit_in_hit") ? " (it was exceeded)" : "", num(p, "limit_out"));
	if (num(p, "malformed_withdrawn") || num(p, "malformed_discarded"))
		fprintf(f, "  Malformed: %lld UPDATEs taken as withdrawals, %lld attributes left out (RFC 7606)\n",
			num(p, "malformed_withdrawn"), num(p, "malformed_discarded"));
}

void bgp_neighbor_print(FILE *f, const json_t *p)
{
	char addr[WORD], name[WORD], kind[WORD], text[512], time[WORD];

	fprintf(f, "BGP neighbor is %s, remote AS %lld, %s (%s)\n", words(p, "address", addr, sizeof(addr)),
		num(p, "as"), words(p, "name", name, sizeof(name)), words(p, "kind", kind, sizeof(kind)));
	if (*words(p, "description", text, sizeof(text)))
		fprintf(f, "  Description: %s\n", text);
	fprintf(f, "  BGP state %s", state_of(p, text));
	if (num(p, "since"))
		fprintf(f, " for %s", clock_of(num(p, "uptime_s"), time));
	if (*words(p, "over", text, sizeof(text)))
		fprintf(f, ", via %s", text);
	fprintf(f, "; established %lld time%s\n", num(p, "established"), num(p, "established") == 1 ? "" : "s");
	say_why(f, p);
	if (is_up(p))
		fprintf(f, "  Router ID %s, hold time %lld s, keepalive %lld s\n",
			words(p, "remote_id", text, sizeof(text)), num(p, "hold_s"), num(p, "keepalive_s"));
	capabilities(f, "Capabilities received", json_object_get(p, "capabilities_rcvd"));
	capabilities(f, "In use", json_object_get(p, "capabilities"));
	prefixes(f, p);
	messages(f, p);
	socket_line(f, p);
	if (is_up(p) && *words(json_object_get(p, "last_error"), "text", text, sizeof(text)))
		fprintf(f, "  Last error: %s\n", text);
	changes(f, p);
}

/* ---- routes ---- */

static const char *metric(const json_t *row, const char *key, char buf[WORD])
{
	const json_t *v = json_object_get(row, key);

	snprintf(buf, WORD, "%lld", json_integer_value(v));
	return json_is_integer(v) ? buf : "";
}

static char origin(const json_t *row)
{
	const char *s = json_string_value(json_object_get(row, "origin"));

	return !s || !*s ? '?' : !strcmp(s, "IGP") ? 'i' : !strcmp(s, "EGP") ? 'e' : '?';
}

static void legend(FILE *f, const json_t *page, void *ctx UNUSED)
{
	char id[WORD];

	fprintf(f, "BGP table version is %lld, local router ID is %s\n", num(page, "table_version"),
		words(page, "router_id", id, sizeof(id)));
	fprintf(f, "Local AS number %lld\n", num(page, "as"));
	fputs("Status codes: s - suppressed, * - valid, h - history\n"
	      "              > - best, i - internal, = - multipath\n"
	      "Origin codes: i - IGP, e - EGP, ? - incomplete\n\n"
	      "   Network            Next Hop            Metric     LocPrf Path\n",
	      f);
}

enum { COL_PREFIX = 18, COL_HOP = 15 };

/* A cell that is wider than its column has the line for itself; what follows it stands under its own title. */
static void cell(FILE *f, const char *s, int width, int indent)
{
	if ((int)strlen(s) > width)
		fprintf(f, "%s\n%*s ", s, indent + width, "");
	else
		fprintf(f, "%-*s ", width, s);
}

static const char *own_hop(const char *prefix)
{
	return strchr(prefix, ':') ? "::" : "0.0.0.0";
}

static void route_line(FILE *f, const json_t *row)
{
	const json_t *verdict = json_object_get(row, "verdict");
	char prefix[WORD], hop[WORD], med[WORD], pref[WORD], path[1024], why[256];

	words(row, "prefix", prefix, sizeof(prefix));
	words(row, "next_hop", hop, sizeof(hop));
	words(row, "as_path", path, sizeof(path));
	fprintf(f, "%c%c ", yes(row, "valid") ? '*' : ' ', yes(row, "best") ? '>' : yes(row, "multipath") ? '=' : ' ');
	cell(f, prefix, COL_PREFIX, 3);
	cell(f, *hop ? hop : own_hop(prefix), COL_HOP, 3 + COL_PREFIX + 1);
	fprintf(f, "%10s %10s %s%s%c\n", metric(row, "med", med), metric(row, "local_pref", pref), path,
		*path ? " " : "", origin(row));
	if (verdict && !yes(verdict, "accepted"))
		fprintf(f, "     not accepted: %s\n", words(verdict, "reason", why, sizeof(why)));
}

static void route_lines(FILE *f, const json_t *rows, bool first UNUSED, void *ctx UNUSED)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) route_line(f, row);
}

static void total(FILE *f, const json_t *page UNUSED, unsigned long n, void *ctx UNUSED)
{
	fprintf(f, "\nTotal number of prefixes %lu\n", n);
}

static void total_paths(FILE *f, const json_t *page UNUSED, unsigned long n, void *ctx UNUSED)
{
	fprintf(f, "\nTotal number of paths %lu\n", n);
}

const struct page_view bgp_paths = {.head = legend, .rows = route_lines, .foot = total_paths, .object = true};
const struct page_view bgp_table = {.head = legend, .rows = route_lines, .foot = total, .object = true};

void bgp_route_print(FILE *f, const char *prefix, const json_t *data)
{
	char peer[WORD], hop[WORD], path[1024], text[1024], med[WORD], pref[WORD];
	json_t *row;
	size_t i;

	if (!json_array_size(data)) {
		fprintf(f, "no route to %s from BGP\n", prefix);
		return;
	}
	fprintf(f, "BGP routing table entry for %s, %zu path%s\n",
		words(json_array_get(data, 0), "prefix", text, sizeof(text)), json_array_size(data),
		json_array_size(data) == 1 ? "" : "s");
	json_array_foreach(data, i, row)
	{
		words(row, "peer", peer, sizeof(peer));
		words(row, "next_hop", hop, sizeof(hop));
		words(row, "as_path", path, sizeof(path));
		metric(row, "med", med);
		fprintf(f, "%c%c %s%s, next hop %s, path %s%s%c", yes(row, "valid") ? '*' : ' ',
			yes(row, "best")        ? '>'
			: yes(row, "multipath") ? '='
						: ' ',
			*peer ? "from " : "originated here", peer, *hop ? hop : own_hop(prefix), path, *path ? " " : "",
			origin(row));
		if (*metric(row, "med", med))
			fprintf(f, ", metric %s", med);
		if (*metric(row, "local_pref", pref))
			fprintf(f, ", local preference %s", pref);
		fputs("\n", f);
		if (*words(row, "communities", text, sizeof(text)))
			fprintf(f, "     communities %s\n", text);
		if (*words(row, "large_communities", text, sizeof(text)))
			fprintf(f, "     large communities %s\n", text);
		fprintf(f, "     %s\n", words(row, "why", text, sizeof(text)));
	}
}
