#include "config/tree.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/log.h"
#include "base/xalloc.h"

enum { CHUNK = 64 * 1024 };

/* Nodes and texts of one tree, in chunks, wiped together. */
struct chunk {
	struct chunk *next;
	size_t used, cap;
	alignas(16) char b[];
};

struct tree {
	struct chunk *chunks;
	struct tree_node *root;
	struct cfg_errors *errs;
	unsigned n_nodes;
	yaml_parser_t parser;
};

static void *take(struct tree *t, size_t n)
{
	struct chunk *c = t->chunks;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (!c || c->cap - c->used < n) {
		size_t cap = n > CHUNK ? n : CHUNK;

		c = xcalloc(1, sizeof(*c) + cap);
		c->cap = cap;
		c->next = t->chunks;
		t->chunks = c;
	}
	p = c->b + c->used;
	c->used += n;
	return p;
}

static const char *take_text(struct tree *t, const yaml_char_t *s, size_t len)
{
	char *p = take(t, len + 1);

	memcpy(p, s, len);
	return p;
}

static unsigned line_of(yaml_mark_t m)
{
	return (unsigned)m.line + 1;
}

/* What libyaml says, and where it helps a cure. */
static void syntax_error(struct tree *t, const char *text, size_t len)
{
	const yaml_parser_t *p = &t->parser;
	size_t at = p->problem_mark.index;
	const char *cure = "check the indentation, quotes (IPv6 addresses need them) and brackets here";
	const char *problem = p->problem ? p->problem : "it cannot be read";

	if (strstr(problem, "cannot start any token") && at < len)
		cure = text[at] == '\t' ? "indent with spaces, not with tabs" : "put the value into quotes";
	else if (strstr(problem, "mapping values are not allowed"))
		cure = "write every key as `key: value`, keys of one block at one indentation, and quote values with "
		       "\": \" in them";
	else if (strstr(problem, "unexpected ':'"))
		cure = "write a space behind the `:` of a key, and put values with `:` in them into quotes";
	else if (strstr(problem, "could not find expected ':'"))
		cure = "write `key: value`, with a space after the colon";
	if (p->context && p->context_mark.line != p->problem_mark.line)
		errors_add(t->errs, line_of(p->problem_mark), "not YAML: %s %s of line %u: %s", problem, p->context,
			   line_of(p->context_mark), cure);
	else
		errors_add(t->errs, line_of(p->problem_mark), "not YAML: %s: %s", problem, cure);
}

static int by_key(const void *a, const void *b)
{
	const struct tree_node *x = *(struct tree_node *const *)a, *y = *(struct tree_node *const *)b;
	int r = strcmp(x->key, y->key);

	return r ? r : x->key_line < y->key_line ? -1 : x->key_line > y->key_line;
}

static void refuse_twins(struct tree *t, const struct tree_node *block)
{
	struct tree_node **a;
	unsigned n = 0;

	if (block->n < 2)
		return;
	a = xcalloc(block->n, sizeof(struct tree_node *));
	for (struct tree_node *c = block->first; c; c = c->next)
		a[n++] = c;
	qsort(a, n, sizeof(struct tree_node *), by_key);
	for (unsigned i = 1; i < n; i++) {
		char esc[64];

		if (strcmp(a[i - 1]->key, a[i]->key))
			continue;
		errors_add(t->errs, a[i]->key_line, "`%s` is written twice (first in line %u): keep one",
			   log_esc(a[i]->key, strlen(a[i]->key), esc, sizeof(esc)), a[i - 1]->key_line);
		a[i]->kind = TREE_BROKEN;
	}
	free(a);
}

static struct tree_node *node_new(struct tree *t, enum tree_kind kind, unsigned line)
{
	struct tree_node *n;

	if (t->n_nodes++ >= TREE_NODES_MAX) {
		if (t->n_nodes == TREE_NODES_MAX + 1)
			errors_add(t->errs, line, "the file holds more than %u values: split the gateway",
				   TREE_NODES_MAX);
		return NULL;
	}
	n = take(t, sizeof(*n));
	n->kind = kind;
	n->line = line;
	return n;
}

static struct tree_node *build(struct tree *t, const yaml_event_t *e, unsigned depth);

/* The next event; false: libyaml gave up (reported by the caller of all) or a bound was met. */
static bool next(struct tree *t, yaml_event_t *e)
{
	return yaml_parser_parse(&t->parser, e) == 1;
}

static struct tree_node *build_value(struct tree *t, const yaml_event_t *e)
{
	struct tree_node *n = node_new(t, TREE_VALUE, line_of(e->start_mark));

	if (!n)
		return NULL;
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->s = take_text(t, e->data.scalar.value, e->data.scalar.length);
	if (strlen(n->s) != e->data.scalar.length) {
		errors_add(t->errs, n->line, "the value has a NUL octet in it: leave it out");
		n->kind = TREE_BROKEN;
	}
	if (e->data.scalar.anchor || (!e->data.scalar.plain_implicit && !e->data.scalar.quoted_implicit)) {
		errors_add(t->errs, n->line, "anchors (&) and tags (!) are not taken: write the plain value");
		n->kind = TREE_BROKEN;
	}
	return n;
}

static void add_child(struct tree_node *parent, struct tree_node *c)
{
	if (parent->last)
		parent->last->next = c;
	else
		parent->first = c;
	parent->last = c;
	parent->n++;
}

/* The key of the event e, taken into *key. false: stop. */
static bool take_key(struct tree *t, const yaml_event_t *e, const char **key)
{
	if (e->type != YAML_SCALAR_EVENT) {
		errors_add(t->errs, line_of(e->start_mark), "a key must be a plain word: write `key: value`");
		return false;
	}
	*key = take_text(t, e->data.scalar.value, e->data.scalar.length);
	if (strlen(*key) != e->data.scalar.length || e->data.scalar.anchor || e->data.scalar.tag) {
		errors_add(t->errs, line_of(e->start_mark), "a key must be a plain word, without NUL, anchor or tag");
		return false;
	}
	return true;
}

static bool build_children(struct tree *t, struct tree_node *n, unsigned depth)
{
	yaml_event_type_t end = n->kind == TREE_LIST ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT;

	for (;;) {
		const char *key = NULL;
		unsigned key_line = 0;
		struct tree_node *c;
		yaml_event_t e;
		bool ok = true;

		if (!next(t, &e))
			return false;
		if (e.type == end) {
			yaml_event_delete(&e);
			return true;
		}
		if (n->kind == TREE_BLOCK) {
			key_line = line_of(e.start_mark);
			ok = take_key(t, &e, &key);
			yaml_event_delete(&e);
			if (!ok || !next(t, &e))
				return false;
		}
		c = build(t, &e, depth);
		yaml_event_delete(&e);
		if (!c)
			return false;
		c->key = key;
		c->key_line = key_line;
		add_child(n, c);
	}
}

static struct tree_node *build_parent(struct tree *t, const yaml_event_t *e, unsigned depth)
{
	bool list = e->type == YAML_SEQUENCE_START_EVENT;
	struct tree_node *n = node_new(t, list ? TREE_LIST : TREE_BLOCK, line_of(e->start_mark));
	bool odd = list ? e->data.sequence_start.anchor || !e->data.sequence_start.implicit
			: e->data.mapping_start.anchor || !e->data.mapping_start.implicit;

	if (!n)
		return NULL;
	if (depth >= TREE_DEPTH_MAX) {
		errors_add(t->errs, n->line, "nested deeper than %d levels: nothing in this file is", TREE_DEPTH_MAX);
		return NULL;
	}
	if (!build_children(t, n, depth + 1))
		return NULL;
	if (odd)
		errors_add(t->errs, n->line, "anchors (&) and tags (!) are not taken: write it out");
	if (n->kind == TREE_BLOCK)
		refuse_twins(t, n);
	return n;
}

/* NULL: stop, it has been reported or libyaml knows why. */
static struct tree_node *build(struct tree *t, const yaml_event_t *e, unsigned depth)
{
	struct tree_node *n;

	if (e->type == YAML_SCALAR_EVENT)
		return build_value(t, e);
	if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT)
		return build_parent(t, e, depth);
	n = node_new(t, TREE_BROKEN, line_of(e->start_mark));
	if (n)
		errors_add(t->errs, n->line, "aliases (*) are not taken: write the value out");
	return n;
}

/* Stream and document events around the one root. */
static void build_all(struct tree *t)
{
	yaml_event_t e;
	bool more = true;

	while (more && next(t, &e)) {
		switch (e.type) {
		case YAML_STREAM_END_EVENT:
			more = false;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (t->root) {
				errors_add(t->errs, line_of(e.start_mark),
					   "a second document begins: a gateway is one file with one document");
				more = false;
			}
			break;
		case YAML_SCALAR_EVENT:
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
		case YAML_ALIAS_EVENT:
			t->root = build(t, &e, 0);
			more = t->root != NULL;
			break;
		case YAML_NO_EVENT:
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			break;
		}
		yaml_event_delete(&e);
	}
}

struct tree *tree_new(const char *text, size_t len, struct cfg_errors *errs)
{
	struct tree *t = xcalloc(1, sizeof(*t));
	unsigned before = errs->n;
	bool broken;

	t->errs = errs;
	if (!yaml_parser_initialize(&t->parser))
		log_fatal(LOG_CONFIG, "out of memory for the YAML parser");
	yaml_parser_set_encoding(&t->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&t->parser, (const unsigned char *)text, len);
	build_all(t);
	broken = t->parser.error != YAML_NO_ERROR;
	if (broken)
		syntax_error(t, text, len);
	yaml_parser_delete(&t->parser);
	/* a tree that stopped half-way would only say things that are not so */
	if (broken || (!t->root && errs->n > before)) {
		tree_free(t);
		return NULL;
	}
	return t;
}

const struct tree_node *tree_root(const struct tree *t)
{
	return t->root;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	for (struct chunk *c = t->chunks, *n; c; c = n) {
		n = c->next;
		explicit_bzero(c, sizeof(*c) + c->cap);
		free(c);
	}
	free(t);
}
