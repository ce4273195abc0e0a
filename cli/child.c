#include "cli/child.h"

#include <stdbool.h>
#include <string.h>

#include "base/build.h"
#include "base/log.h"
#include "cli/table.h"

/* The order in which people know them. Other reasons follow, when they have counted something. */
static const char *const out_reasons[] = {"cipher failure", "out of memory", "ts unacceptable", "misc error"};
static const char *const in_reasons[] = {
	"invalid sa",      "replay detected",  "integrity failure", "cipher failure",  "packet truncated",
	"invalid padding", "unknown protocol", "out of memory",     "ts unacceptable", "misc error",
};

static const char *text(const json_t *row, const char *key, char buf[TABLE_CELL])
{
	return table_cell(row, &(struct table_col){.key = key}, buf);
}

static json_int_t count(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool listed(const char *reason, const char *const *known, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(known[i], reason))
			return true;
	return false;
}

/* Counters of one direction, three a line. */
static void print_drops(FILE *f, json_t *drops, const char *const *known, unsigned n)
{
	unsigned k = 0;
	const char *reason;
	json_t *v;

	for (unsigned i = 0; i < n; i++, k++)
		fprintf(f, "%s%lld %s", k % 3 ? ", " : k ? "\n      " : "      ", count(drops, known[i]), known[i]);
	json_object_foreach(drops, reason, v)
	{
		char esc[40];

		if (listed(reason, known, n) || !json_integer_value(v))
			continue;
		fprintf(f, "%s%lld %s", k % 3 ? ", " : "\n      ", json_integer_value(v),
			log_esc(reason, strlen(reason), esc, sizeof(esc)));
		k++;
	}
	fputc('\n', f);
}

static void print_direction(FILE *f, const char *title, const json_t *o, const char *const *known, unsigned n)
{
	fprintf(f, "    %s %lld packets, %lld octets, sequence %lld\n", title, count(o, "packets"), count(o, "octets"),
		count(o, "seq"));
	print_drops(f, json_object_get(o, "drops"), known, n);
}

static void print_protocol(FILE *f, const json_t *ts)
{
	char protocol[TABLE_CELL], local[TABLE_CELL], remote[TABLE_CELL];

	text(ts, "protocol", protocol);
	text(ts, "local_ports", local);
	text(ts, "remote_ports", remote);
	if (strcmp(protocol, "0") && strcmp(protocol, "-"))
		fprintf(f, " protocol %s", protocol);
	if (strcmp(local, "any") && strcmp(local, "-"))
		fprintf(f, " local ports %s", local);
	if (strcmp(remote, "any") && strcmp(remote, "-"))
		fprintf(f, " remote ports %s", remote);
}

static void print_selectors(FILE *f, const json_t *list)
{
	char local[TABLE_CELL], remote[TABLE_CELL];
	json_t *ts;
	size_t i;

	json_array_foreach(list, i, ts)
	{
		fprintf(f, "  %-18s: %s <-> %s", i ? "" : "Selectors", text(ts, "local", local),
			text(ts, "remote", remote));
		print_protocol(f, ts);
		fputc('\n', f);
	}
}

static void print_line(FILE *f, const json_t *row, const char *title, const char *key)
{
	char buf[TABLE_CELL];

	fprintf(f, "  %-18s: %s\n", title, text(row, key, buf));
}

static void print_times(FILE *f, const json_t *row)
{
	char up[TABLE_CELL], rekey[TABLE_CELL], end[TABLE_CELL];

	fprintf(f, "  %-18s: up %s, rekey in %s, expires in %s\n", "Lifetime", table_time(count(row, "uptime_s"), up),
		table_time(count(row, "rekey_in_s"), rekey), table_time(count(row, "expires_in_s"), end));
}

static void print_child(FILE *f, const json_t *row)
{
	char a[TABLE_CELL], b[TABLE_CELL], c[TABLE_CELL];
	json_int_t window = count(row, "replay_window");

	fprintf(f, "Tunnel %s\n", text(row, "tunnel", a));
	fprintf(f, "  %-18s: %s, as %s\n", "State", text(row, "state", a), text(row, "role", b));
	print_line(f, row, "IKE SA", "ike_serial");
	print_line(f, row, "Child", "child");
	fprintf(f, "  %-18s: ESP, %s mode%s%s\n", "Child SA protocol", text(row, "mode", a),
		!strcmp(text(row, "encap", b), "udp") ? ", in UDP" : "",
		json_is_true(json_object_get(row, "esn")) ? ", extended sequence numbers" : "");
	fprintf(f, "  %-18s: (in) %s (out) %s\n", "SPI", text(row, "spi_in", a), text(row, "spi_out", b));
	print_line(f, row, "Local addr", "local");
	print_line(f, row, "Peer addr", "remote");
	fprintf(f, "  %-18s: %s, integrity %s, PFS group %s\n", "Enc alg", text(row, "encr", a), text(row, "integ", b),
		text(row, "dh", c));
	print_times(f, row);
	if (window)
		fprintf(f, "  %-18s: on, window %lld\n", "Anti-replay", window);
	else
		fprintf(f, "  %-18s: off\n", "Anti-replay");
	if (count(row, "mtu")) /* the data plane tells it with the first counters */
		fprintf(f, "  %-18s: %lld\n", "MTU", count(row, "mtu"));
	print_selectors(f, json_object_get(row, "selectors"));
	fputs("  Statistics\n", f);
	print_direction(f, "Outbound", json_object_get(row, "out"), out_reasons, N_ELEMS(out_reasons));
	print_direction(f, "Inbound", json_object_get(row, "in"), in_reasons, N_ELEMS(in_reasons));
}

void child_print(FILE *f, const json_t *rows)
{
	json_t *row;
	size_t i;

	fprintf(f, "%zu child SA%s\n", json_array_size(rows), json_array_size(rows) == 1 ? "" : "s");
	json_array_foreach(rows, i, row) if (json_is_object(row)) print_child(f, row);
}
