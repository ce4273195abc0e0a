#include "config/nearest.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { WORD_MAX = 32, LOOK_AT = 4096 /* names compared for a suggestion */ };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned nearest_distance(const char *a, const char *b, unsigned max)
{
	unsigned row[3][WORD_MAX + 1], la = (unsigned)strnlen(a, WORD_MAX + 1), lb = (unsigned)strnlen(b, WORD_MAX + 1);

	if (la > WORD_MAX || lb > WORD_MAX)
		return max + 1;
	for (unsigned j = 0; j <= lb; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *upup = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			now[j] = min3(up[j] + 1, now[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && upup[j - 2] + 1 < now[j])
				now[j] = upup[j - 2] + 1;
		}
	}
	return row[la % 3][lb] > max ? max + 1 : row[la % 3][lb];
}

static const char *near_key(const struct schema *s, const char *word)
{
	unsigned max = strlen(word) < 4 ? 1 : 2, best = max + 1;
	const char *key = NULL;

	for (unsigned i = 0; i < s->n; i++) {
		unsigned d = s->key[i].type == SCHEMA_LATER ? best : nearest_distance(word, s->key[i].key, max);

		if (d < best) {
			best = d;
			key = s->key[i].key;
		}
	}
	return key;
}

/* The block of s that has the key word in it. */
static const char *home_of(const struct schema *s, const char *word)
{
	for (unsigned i = 0; i < s->n; i++)
		for (unsigned j = 0; s->key[i].type == SCHEMA_BLOCK && j < s->key[i].sub->n; j++)
			if (!strcmp(s->key[i].sub->key[j].key, word))
				return s->key[i].key;
	return NULL;
}

static void list_keys(const struct schema *s, char *buf, size_t cap)
{
	size_t o = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < s->n && o < cap; i++)
		if (s->key[i].type != SCHEMA_LATER)
			o += (size_t)snprintf(buf + o, cap - o, "%s%s", o ? ", " : "", s->key[i].key);
}

void nearest_error(struct load *l, const struct schema *s, const struct tree_node *n)
{
	const char *near = near_key(s, n->key), *home = home_of(s, n->key);
	char esc[64], all[256];

	log_esc(n->key, strlen(n->key), esc, sizeof(esc));
	if (home)
		load_error(l, n->key_line, "`%s` does not stand here: write it inside `%s`", esc, home);
	else if (near)
		load_error(l, n->key_line, "`%s` is unknown: did you mean `%s`?", esc, near);
	else {
		list_keys(s, all, sizeof(all));
		load_error(l, n->key_line, "`%s` is unknown: the keys here are %s", esc, all);
	}
}

void nearest_name_error(struct load *l, unsigned line, const char *what, const char *block, const char *name,
			const void *rows, size_t stride, unsigned n)
{
	const char *near = NULL, *row = rows;
	unsigned max = strlen(name) < 4 ? 1 : 2, best = max + 1;

	for (unsigned i = 0; i < n && i < LOOK_AT; i++, row += stride) {
		unsigned d = row[0] ? nearest_distance(name, row, max) : best;

		if (d < best) {
			best = d;
			near = row;
		}
	}
	if (near)
		load_error(l, line, "there is no %s `%s`: did you mean `%s`?", what, name, near);
	else
		load_error(l, line, "there is no %s `%s`: write the name of one under `%s`", what, name, block);
}
