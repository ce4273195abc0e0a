#include "cli/table.h"

#include <stdbool.h>
#include <string.h>

#include "base/build.h"
#include "base/log.h"

enum { GAP = 2 };

const char *table_time(json_int_t s, char buf[TABLE_CELL])
{
	if (s < 60)
		snprintf(buf, TABLE_CELL, "%llds", s);
	else if (s < 3600)
		snprintf(buf, TABLE_CELL, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, TABLE_CELL, "%lldh%02lldm", s / 3600, s % 3600 / 60);
	else
		snprintf(buf, TABLE_CELL, "%lldd%02lldh", s / 86400, s % 86400 / 3600);
	return buf;
}

/* Three digits and a letter for each power of `step`. */
static void scaled(json_int_t v, double step, char buf[TABLE_CELL])
{
	static const char letters[] = "KMGTPE";
	double d = (double)v;
	unsigned i = 0;

	for (d /= step; d >= step && letters[i + 1]; i++)
		d /= step;
	snprintf(buf, TABLE_CELL, "%.1f%c", d, letters[i]);
}

static void number(json_int_t v, enum table_kind kind, char buf[TABLE_CELL])
{
	if (kind == TABLE_TIME && v <= 0)
		snprintf(buf, TABLE_CELL, "-"); /* not up, or no such limit */
	else if (kind == TABLE_TIME)
		table_time(v, buf);
	else if (kind == TABLE_OCTETS && v >= 10000)
		scaled(v, 1024, buf);
	else if (kind == TABLE_COUNT && v >= 100000000)
		scaled(v, 1000, buf);
	else
		snprintf(buf, TABLE_CELL, "%lld", v);
}

static void value(const json_t *v, enum table_kind kind, char buf[TABLE_CELL]);

static void list(const json_t *v, char buf[TABLE_CELL])
{
	size_t i, o = 0;
	json_t *e;

	buf[0] = '\0';
	json_array_foreach(v, i, e)
	{
		char one[TABLE_CELL];

		value(e, TABLE_TEXT, one);
		if (o < TABLE_CELL)
			o += (size_t)snprintf(buf + o, TABLE_CELL - o, "%s%s", o ? " " : "", one);
	}
}

static void value(const json_t *v, enum table_kind kind, char buf[TABLE_CELL])
{
	buf[0] = '\0';
	if (json_is_string(v))
		log_esc(json_string_value(v), json_string_length(v), buf, TABLE_CELL);
	else if (json_is_integer(v))
		number(json_integer_value(v), kind, buf);
	else if (json_is_real(v))
		snprintf(buf, TABLE_CELL, "%.1f", json_real_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, TABLE_CELL, "%s", json_is_true(v) ? "yes" : "no");
	else if (json_is_array(v) && kind == TABLE_LIST)
		list(v, buf);
	if (!buf[0])
		snprintf(buf, TABLE_CELL, "-");
}

const char *table_cell(const json_t *row, const struct table_col *c, char buf[TABLE_CELL])
{
	value(json_object_get(row, c->key), c->kind, buf);
	return buf;
}

static bool to_the_right(enum table_kind kind)
{
	return kind != TABLE_TEXT && kind != TABLE_ADDR && kind != TABLE_LIST && kind != TABLE_YES;
}

/* What each column needs, then less for the widest until all fit. */
static void widths(const struct table_col *cols, unsigned n, const json_t *rows, unsigned w[TABLE_COLS_MAX])
{
	unsigned sum = (n - 1) * GAP;
	char buf[TABLE_CELL];
	json_t *row;
	size_t k;

	for (unsigned i = 0; i < n; i++) {
		w[i] = (unsigned)strlen(cols[i].title);
		json_array_foreach(rows, k, row) if (json_is_object(row)) w[i] =
			(unsigned)u64_max(w[i], strlen(table_cell(row, &cols[i], buf)));
		if (cols[i].max && w[i] > cols[i].max)
			w[i] = cols[i].max;
		sum += w[i];
	}
	for (; sum > TABLE_WIDTH; sum--) {
		unsigned widest = 0;

		for (unsigned i = 1; i < n; i++)
			if (w[i] > w[widest])
				widest = i;
		w[widest]--;
	}
}

/* The last column on the left side gets no blanks behind it. */
static void put(FILE *f, const char *s, unsigned w, bool right, bool last)
{
	size_t n = strlen(s);

	if (n > w)
		fprintf(f, "%.*s~", (int)w - 1, s);
	else if (right)
		fprintf(f, "%*s", (int)w, s);
	else
		fprintf(f, "%-*s", last ? 0 : (int)w, s);
	fputs(last ? "\n" : "  ", f);
}

void table_head(FILE *f, const struct table_col *cols, unsigned n, const json_t *rows, struct table_fit *fit)
{
	widths(cols, n, rows, fit->w);
	for (unsigned i = 0; i < n; i++)
		put(f, cols[i].title, fit->w[i], to_the_right(cols[i].kind), i == n - 1);
}

void table_rows(FILE *f, const struct table_col *cols, unsigned n, const json_t *rows, const struct table_fit *fit,
		void (*detail)(FILE *f, const json_t *row))
{
	char buf[TABLE_CELL];
	json_t *row;
	size_t k;

	json_array_foreach(rows, k, row)
	{
		if (!json_is_object(row))
			continue;
		for (unsigned i = 0; i < n; i++)
			put(f, table_cell(row, &cols[i], buf), fit->w[i], to_the_right(cols[i].kind), i == n - 1);
		for (unsigned i = 0; i < n; i++)
			if (cols[i].kind == TABLE_ADDR && strlen(table_cell(row, &cols[i], buf)) > fit->w[i])
				fprintf(f, "  %s %s\n", cols[i].title, buf);
		if (detail)
			detail(f, row);
	}
}

void table_print(FILE *f, const struct table_col *cols, unsigned n, const json_t *rows,
		 void (*detail)(FILE *f, const json_t *row))
{
	struct table_fit fit;

	if (!n || n > TABLE_COLS_MAX)
		return;
	table_head(f, cols, n, rows, &fit);
	table_rows(f, cols, n, rows, &fit, detail);
}
