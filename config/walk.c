/* The walk of a tree by the schema's rows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "config/value.h"

static void store(void *base, const struct schema_key *k, uint64_t v)
{
	uint8_t *p = (uint8_t *)base + k->off;

	switch (k->size) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)(void *)p = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)(void *)p = (uint32_t)v;
		break;
	default:
		*(uint64_t *)(void *)p = v;
	}
}

static const char *bound_str(const struct schema_key *k, uint64_t v, char buf[VALUE_STR])
{
	if (k->type == SCHEMA_DURATION)
		return value_duration_str(v, buf);
	if (k->type == SCHEMA_SIZE)
		return value_size_str(v, buf);
	snprintf(buf, VALUE_STR, "%" PRIu64, v);
	return buf;
}

/* Text to a number by the row's type. 0 or as value.h says; a duration that is no whole second is -EDOM. */
static int number(const struct schema_key *k, const char *s, uint64_t *v)
{
	int r;

	if (k->type == SCHEMA_UINT)
		return value_uint(s, v);
	if (k->type == SCHEMA_SIZE)
		return value_size(s, v);
	if (k->zero && !strcmp(s, "off")) {
		*v = 0;
		return 0;
	}
	r = value_duration_ms(s, v);
	if (r < 0)
		return r;
	if (*v % 1000)
		return -EDOM;
	*v /= 1000;
	return 0;
}

static void read_number(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	const char *s = load_value(l, n, k->help);
	char show[80], lo[VALUE_STR], hi[VALUE_STR];
	uint64_t v = 0;
	int r;

	if (!s)
		return;
	r = number(k, s, &v);
	if (r == -ENOKEY)
		load_error(l, n->line, "%" PRIu64 " has no unit: write %" PRIu64 "%s", v, v,
			   k->type == SCHEMA_DURATION ? "s" : "KB (1 KB is 1024 octets), MB or GB");
	else if (r == -EDOM)
		load_error(l, n->line, "\"%s\" is no whole number of seconds: write %s", load_show(n, show), k->help);
	else if (r == -EINVAL)
		load_error(l, n->line, "\"%s\" is not %s", load_show(n, show), k->help);
	else if (r == -ERANGE || v > k->max || (v < k->min && !(k->zero && v == 0)))
		load_error(l, n->line, "%s is out of range: write %s to %s%s", load_show(n, show),
			   bound_str(k, k->min, lo), bound_str(k, k->max, hi), k->zero ? ", or 0 for none" : "");
	else if (k->unit > 1 && v % k->unit)
		load_error(l, n->line, "%s is no multiple of %s: write %s", load_show(n, show),
			   value_size_str(k->unit, lo), k->help);
	else
		store(base, k, k->unit ? v / k->unit : v);
}

static void read_word(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	const char *s = load_value(l, n, k->help);
	char show[80];

	if (!s)
		return;
	for (unsigned i = 0; k->words[i]; i++)
		if (!strcmp(s, k->words[i])) {
			store(base, k, i);
			return;
		}
	load_error(l, n->line, "\"%s\" is none of its words: write %s", load_show(n, show), k->help);
}

static void read_bool(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	const char *s = load_value(l, n, k->help);
	char show[80];
	bool v;

	if (!s)
		return;
	if (value_bool(s, &v) < 0)
		load_error(l, n->line, "\"%s\" is neither true nor false: write one of them", load_show(n, show));
	else
		store(base, k, v != k->inverse);
}

/* A list, or a single one. */
static void read_prefixes(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	struct ip_prefix *p = (void *)((char *)base + k->off);
	unsigned *count = (void *)((char *)base + k->off_n);
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;

	for (; c; c = n->kind == TREE_LIST ? c->next : NULL) {
		struct ip_prefix one = {0};
		bool twice = false;
		char show[80];

		if (!field_prefix(l, c, true, &one))
			continue;
		for (unsigned i = 0; i < *count; i++)
			twice |= ip_equal(&p[i].addr, &one.addr);
		if (twice) {
			load_error(l, c->line, "%s stands in the list twice: leave one out", load_show(c, show));
			continue;
		}
		if (*count == k->cap) {
			load_error(l, c->line, "more than %u addresses: leave some out", k->cap);
			return;
		}
		load_mark(l, &p[*count], c->line);
		p[(*count)++] = one;
	}
}

static void read_named(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	size_t stride = 0;
	char *row;

	if (n->kind == TREE_VALUE && !n->s[0] && !n->quoted && !k->required)
		return; /* `tunnels:` with nothing below it yet */
	if (n->kind != TREE_BLOCK || !n->n) {
		load_error(l, n->line, "no names stand here: write %s below it", k->help);
		return;
	}
	row = k->rows(l, base, n->n, n->line, &stride);
	for (const struct tree_node *c = n->first; row && c; c = c->next, row += stride) {
		/* both kinds of row begin with their name; a row without one is left alone by later passes */
		if (c->kind == TREE_BROKEN || !field_name(l, c->key, c->key_line, row))
			continue;
		l->path[l->depth++] = c->key;
		if (k->size)
			store(row, k, c->key_line);
		load_mark(l, row, c->key_line);
		schema_read(l, k->sub, c, row);
		l->depth--;
	}
}

static void read_list(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	size_t stride = 0;
	char *row;

	if (n->kind == TREE_VALUE && !n->s[0] && !n->quoted)
		return;
	if (n->kind != TREE_LIST) {
		load_error(l, n->line, "no list stands here: write lines such as %s below it", k->help);
		return;
	}
	row = k->rows(l, base, n->n, n->line, &stride);
	for (const struct tree_node *c = n->first; row && c; c = c->next, row += stride) {
		store(row, k, c->line);
		schema_read(l, k->sub, c, row);
	}
}

static void read_key(struct load *l, const struct schema_key *k, const struct tree_node *n, void *base)
{
	if (n->kind == TREE_BROKEN)
		return;
	switch (k->type) {
	case SCHEMA_BLOCK:
		schema_read(l, k->sub, n, (char *)base + k->off);
		break;
	case SCHEMA_NAMED:
		read_named(l, k, n, base);
		break;
	case SCHEMA_LIST:
		read_list(l, k, n, base);
		break;
	case SCHEMA_UINT:
	case SCHEMA_DURATION:
	case SCHEMA_SIZE:
		load_mark(l, (char *)base + k->off, n->line);
		read_number(l, k, n, base);
		break;
	case SCHEMA_WORD:
		load_mark(l, (char *)base + k->off, n->line);
		read_word(l, k, n, base);
		break;
	case SCHEMA_BOOL:
		load_mark(l, (char *)base + k->off, n->line);
		read_bool(l, k, n, base);
		break;
	case SCHEMA_PREFIXES:
		load_mark(l, (char *)base + k->off_n, n->line);
		read_prefixes(l, k, n, base);
		break;
	case SCHEMA_CUSTOM:
		k->read(l, n, base);
		break;
	case SCHEMA_LATER:
		break;
	}
}

static void read_child(struct load *l, const struct schema *s, const struct tree_node *c, void *base, uint64_t *seen)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (strcmp(s->key[i].key, c->key))
			continue;
		*seen |= UINT64_C(1) << i;
		if (s->key[i].type == SCHEMA_LATER) {
			load_error(l, c->key_line, "`%s` is not in this release: remove it", c->key);
			return;
		}
		l->path[l->depth++] = c->key;
		read_key(l, &s->key[i], c, base);
		l->depth--;
		return;
	}
	nearest_error(l, s, c);
}

void schema_read(struct load *l, const struct schema *s, const struct tree_node *n, void *base)
{
	uint64_t seen = 0;

	if (n->kind == TREE_BROKEN)
		return;
	if (n->kind != TREE_BLOCK && !(n->kind == TREE_VALUE && !n->s[0] && !n->quoted)) {
		load_error(l, n->line, "no block of keys stands here: write lines of `key: value` below it");
		return;
	}
	for (const struct tree_node *c = n->first; c; c = c->next)
		read_child(l, s, c, base, &seen);
	for (unsigned i = 0; i < s->n; i++)
		if (s->key[i].required && !(seen >> i & 1))
			load_error(l, n->key_line ? n->key_line : n->line, "`%s` is missing: write %s: %s",
				   s->key[i].key, s->key[i].key, s->key[i].help);
}
