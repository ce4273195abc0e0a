#include "tests/lib/bgp_vectors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/wr.h"

enum { COLUMNS = 7, NAMES_MAX = 32, LINE = 4096 };

/* $NAME and its octets in hex. */
static struct {
	char name[16], text[256];
} names[NAMES_MAX];
static unsigned n_names;
static unsigned line_number;

static void die(const char *why, const char *what)
{
	printf("Bail out! line %u: %s: %s\n", line_number, why, what);
	exit(1);
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

static void define(char *line)
{
	char *eq = strchr(line, '=');

	if (!eq || n_names == NAMES_MAX)
		die("no definition", line);
	*eq = '\0';
	snprintf(names[n_names].name, sizeof(names[0].name), "%s", trim(line + 1));
	snprintf(names[n_names++].text, sizeof(names[0].text), "%s", trim(eq + 1));
}

static uint8_t octet(const char *s)
{
	char two[3] = {s[0], s[1], '\0'}, *end;
	unsigned long v = strtoul(two, &end, 16);

	if (*end || !s[0] || !s[1])
		die("not an octet", s);
	return (uint8_t)v;
}

static const char *definition(const char **s)
{
	size_t n = strcspn(*s, " []");

	for (unsigned i = 0; i < n_names; i++) {
		if (strlen(names[i].name) == n - 1 && strncmp(names[i].name, *s + 1, n - 1) == 0) {
			*s += n;
			return names[i].text;
		}
	}
	die("not defined", *s);
	return NULL;
}

/* Hex, blanks, $NAME, 00*N and, around the attribute that is wrong, brackets. */
static void octets(const char *s, struct wr *w, size_t *from, size_t *to)
{
	while (*s) {
		if (*s == ' ') {
			s++;
		} else if (*s == '[') {
			*from = w->len;
			s++;
		} else if (*s == ']') {
			*to = w->len;
			s++;
		} else if (*s == '$') {
			octets(definition(&s), w, from, to);
		} else if (s[2] == '*') {
			char *end;

			for (unsigned long n = strtoul(s + 3, &end, 10); n; n--)
				wr_u8(w, octet(s));
			s = end;
		} else {
			wr_u8(w, octet(s));
			s += 2;
		}
	}
}

static void verdict_of(char *s, struct bgp_vector *v)
{
	static const char *const words[] = {"ok", "discard", "withdraw", "reset"};
	char *colon = strchr(s, ':');

	if (colon)
		*colon = '\0';
	for (v->verdict = BGP_OK; v->verdict <= BGP_RESET; v->verdict++) {
		if (strcmp(words[v->verdict], s) == 0)
			break;
	}
	if (v->verdict > BGP_RESET)
		die("no verdict", s);
	v->discarded = colon ? (unsigned)atoi(colon + 1) : v->verdict == BGP_DISCARD_ATTR;
}

static void message(struct bgp_vector *v, char *const col[COLUMNS], size_t *from, size_t *to)
{
	struct wr w = wr_of(v->body, sizeof(v->body));

	if (strcmp(col[2], "raw") == 0) {
		octets(col[3], &w, from, to);
	} else {
		size_t mark = wr_len16(&w);

		octets(col[3], &w, from, to);
		wr_len16_end(&w, mark, mark + 2);
		mark = wr_len16(&w);
		octets(col[4], &w, from, to);
		wr_len16_end(&w, mark, mark + 2);
		v->has_nlri = *col[5];
		octets(col[5], &w, from, to);
	}
	if (w.full)
		die("too long", v->name);
	v->body_len = w.len;
}

static void error_of(struct bgp_vector *v, const char *s, size_t from, size_t to)
{
	struct wr w = wr_of(v->data, sizeof(v->data));
	const char *data = strchr(s, ' ');
	unsigned code, sub;

	if (strcmp(s, "-") == 0)
		return;
	if (sscanf(s, "%u/%u", &code, &sub) != 2)
		die("no code/subcode", s);
	v->code = (uint8_t)code;
	v->sub = (uint8_t)sub;
	if (data && strcmp(data, " []") == 0)
		wr_copy(&w, v->body + from, to - from);
	else if (data)
		octets(data, &w, &from, &to);
	v->data_len = w.len;
}

static void row(char *line, struct bgp_vector *v)
{
	size_t from = 0, to = 0;
	char *col[COLUMNS], *colon;

	memset(v, 0, sizeof(*v));
	for (unsigned i = 0; i < COLUMNS; i++) {
		char *bar = i < COLUMNS - 1 ? strchr(line, '|') : NULL;

		if (!bar && i < COLUMNS - 1)
			die("too few columns", line);
		if (bar)
			*bar = '\0';
		col[i] = trim(line);
		line = bar ? bar + 1 : line;
	}
	colon = strchr(col[6], ':');
	if (!colon)
		die("no name", col[6]);
	*colon = '\0';
	snprintf(v->name, sizeof(v->name), "%s", col[6]);
	snprintf(v->why, sizeof(v->why), "%s", colon + 2);
	verdict_of(col[0], v);
	v->as4 = strcmp(col[2], "as2") != 0;
	message(v, col, &from, &to);
	error_of(v, col[1], from, to);
}

unsigned bgp_vectors_read(const char *path, void (*fn)(void *arg, const struct bgp_vector *v), void *arg)
{
	static struct bgp_vector v;
	static char line[LINE];
	FILE *f = fopen(path, "r");
	unsigned rows = 0;

	n_names = line_number = 0;
	if (!f)
		die("cannot be opened", path);
	while (fgets(line, sizeof(line), f)) {
		char *s = trim(line);

		line_number++;
		if (!*s || *s == '#')
			continue;
		if (*s == '$') {
			define(s);
			continue;
		}
		row(s, &v);
		fn(arg, &v);
		rows++;
	}
	fclose(f);
	return rows;
}
