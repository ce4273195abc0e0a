#include "cli/page.h"

#include <errno.h>
#include <string.h>

#include "cli/client.h"

/* What stands around the rows. */
static void json_head(FILE *f, const json_t *page, const struct page_view *v)
{
	const char *key;
	json_t *value, *all = (json_t *)page;

	if (!v->object) {
		fputs("[", f);
		return;
	}
	fputs("{\n", f);
	json_object_foreach(all, key, value)
	{
		if (!strcmp(key, "rows") || !strcmp(key, "more") || !strcmp(key, "after"))
			continue;
		fprintf(f, "  \"%s\": ", key); /* our own words: nothing to escape */
		json_dumpf(value, f, JSON_COMPACT | JSON_ENCODE_ANY);
		fputs(",\n", f);
	}
	fputs("  \"rows\": [", f);
}

static void json_rows(FILE *f, const json_t *rows, bool first)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		fputs(first && !i ? "\n    " : ",\n    ", f);
		json_dumpf(row, f, JSON_SORT_KEYS | JSON_ENCODE_ANY);
	}
}

static void json_foot(FILE *f, unsigned long n, const struct page_view *v)
{
	fputs(n ? "\n  ]" : "]", f);
	if (v->object)
		fprintf(f, ",\n  \"total\": %lu\n}", n);
	fputs("\n", f);
}

static void print_one(FILE *f, const json_t *page, bool first, const struct page_view *v, void *ctx, bool json)
{
	const json_t *rows = json_object_get(page, "rows");

	if (first && json)
		json_head(f, page, v);
	else if (first && v->head)
		v->head(f, page, ctx);
	if (json)
		json_rows(f, rows, first);
	else
		v->rows(f, rows, first, ctx);
}

int page_print(FILE *f, int fd, json_t *req, const struct page_view *v, void *ctx, bool json, char *why, size_t cap)
{
	unsigned long n = 0;
	bool more = true;

	for (bool first = true; more; first = false) {
		json_t *page = NULL;
		const char *after;
		int r = client_ask(fd, req, CLIENT_TIMEOUT_MS, &page, why, cap);

		if (r < 0)
			return r;
		after = json_string_value(json_object_get(page, "after"));
		if (!json_is_array(json_object_get(page, "rows")) || !after) {
			json_decref(page);
			snprintf(why, cap,
				 "the answer is no page of a table: are gwctl and the control plane of one version?");
			return -EBADMSG;
		}
		more = json_is_true(json_object_get(page, "more"));
		print_one(f, page, first, v, ctx, json);
		n += json_array_size(json_object_get(page, "rows"));
		if (!more && json)
			json_foot(f, n, v);
		else if (!more && v->foot)
			v->foot(f, page, n, ctx);
		json_object_set_new(req, "after", json_string(after));
		json_decref(page);
		if (more && ferror(f)) /* nobody reads on */
			return 0;
	}
	return 0;
}
