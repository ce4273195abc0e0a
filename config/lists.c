#include "config/lists.h"

#include <stddef.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/field.h"
#include "config/field_bgp.h"
#include "config/path_regex.h"
#include "config/policy_entry.h"
#include "config/schema.h"

enum { LISTS_MAX = 4096, ROWS_MAX = 65536 };

/* How the rows of one of the three blocks are kept and read. A list begins with its name. */
struct sort {
	const char *row; /* an example */
	size_t list_size, row_size;
	void (*attach)(void *list, void *rows, unsigned n);
	void (*read)(struct load *l, const struct tree_node *n, void *row);
};

static void read_rows(struct load *l, const struct sort *s, const struct tree_node *n, char *list)
{
	char *row;

	if (n->kind != TREE_LIST) {
		load_error(l, n->line, "no list stands here: write lines such as %s below it", s->row);
		return;
	}
	if (n->n > ROWS_MAX) {
		load_error(l, n->line, "%u rows: at most %d are taken", n->n, ROWS_MAX);
		return;
	}
	row = xcalloc(n->n, s->row_size);
	s->attach(list, row, n->n);
	for (const struct tree_node *c = n->first; c; c = c->next, row += s->row_size)
		if (c->kind != TREE_BROKEN)
			s->read(l, c, row);
}

static void *read_lists(struct load *l, const struct sort *s, const struct tree_node *n, unsigned *count)
{
	char *lists, *list;

	if (n->kind == TREE_VALUE && !n->s[0] && !n->quoted)
		return NULL;
	if (n->kind != TREE_BLOCK) {
		load_error(l, n->line, "no names stand here: write NAME: [%s] below it", s->row);
		return NULL;
	}
	if (n->n > LISTS_MAX) {
		load_error(l, n->line, "%u of them: at most %d are taken", n->n, LISTS_MAX);
		return NULL;
	}
	*count = n->n;
	lists = list = xcalloc(n->n, s->list_size);
	for (const struct tree_node *c = n->first; c; c = c->next, list += s->list_size) {
		if (c->kind == TREE_BROKEN || !field_name(l, c->key, c->key_line, list))
			continue;
		l->path[l->depth++] = c->key;
		load_mark(l, list, c->key_line);
		read_rows(l, s, c, list);
		l->depth--;
	}
	return lists;
}

/* ---- prefix lists ---- */

static void rule_permit(struct load *l, const struct tree_node *n, void *rule)
{
	struct cfg_prefix_rule *r = rule;

	load_mark(l, &r->prefix, n->line);
	r->permit = true;
	field_bgp_network(l, n, &r->prefix);
}

static void rule_deny(struct load *l, const struct tree_node *n, void *rule)
{
	struct cfg_prefix_rule *r = rule;

	load_mark(l, &r->permit, n->line);
	field_bgp_network(l, n, &r->prefix);
}

static const struct schema_key rule_keys[] = {
	{.key = "permit", .type = SCHEMA_CUSTOM, .read = rule_permit, .help = "a network"},
	{.key = "deny", .type = SCHEMA_CUSTOM, .read = rule_deny, .help = "a network"},
	{.key = "ge", .type = SCHEMA_UINT, AT(cfg_prefix_rule, ge), .max = 128, .help = "a length such as 16"},
	{.key = "le", .type = SCHEMA_UINT, AT(cfg_prefix_rule, le), .max = 128, .help = "a length such as 24"},
};
static const struct schema rule_schema = {rule_keys, N_ELEMS(rule_keys)};

static bool one_verdict(struct load *l, const struct tree_node *n, const char *what)
{
	unsigned verdicts = 0;

	if (n->kind != TREE_BLOCK && (n->kind != TREE_VALUE || n->s[0] || n->quoted))
		return false; /* schema_read() has said so */
	for (const struct tree_node *c = n->first; c; c = c->next)
		verdicts += !strcmp(c->key, "permit") || !strcmp(c->key, "deny");
	if (verdicts == 1)
		return true;
	load_error(l, n->line, "%s: write {permit: %s} or {deny: %s}",
		   verdicts ? "both permit and deny stand here" : "neither permit nor deny stands here", what, what);
	return false;
}

static bool has_key(const struct tree_node *n, const char *key)
{
	for (const struct tree_node *c = n->first; c; c = c->next)
		if (!strcmp(c->key, key))
			return true;
	return false;
}

/* Lengths: none given: this network alone; `ge` alone: from there to single addresses; `le` alone: from the network's own
 * length to there. */
static void read_rule(struct load *l, const struct tree_node *n, void *row)
{
	struct cfg_prefix_rule *r = row;
	unsigned before = l->errs->n, max;
	bool ge, le;

	r->line = n->line;
	schema_read(l, &rule_schema, n, r);
	if (!one_verdict(l, n, "NETWORK") || l->errs->n != before)
		return;
	ge = has_key(n, "ge");
	le = has_key(n, "le");
	max = r->prefix.addr.family == IP_V4 ? 32 : 128;
	if (!le)
		r->le = ge ? (uint8_t)max : r->prefix.len;
	if (!ge)
		r->ge = r->prefix.len;
	if (r->ge < r->prefix.len || r->le < r->ge || r->le > max)
		load_error(l, n->line,
			   "lengths from %u to %u: what is meant must be within %u (the network's own) to %u", r->ge,
			   r->le, r->prefix.len, max);
}

static void attach_rules(void *list, void *rows, unsigned n)
{
	struct cfg_prefix_list *to = list;

	to->rule = rows;
	to->n_rules = n;
}

static const struct sort prefix_lists = {
	.row = "{permit: 10.0.0.0/8, le: 24}",
	.list_size = sizeof(struct cfg_prefix_list),
	.row_size = sizeof(struct cfg_prefix_rule),
	.attach = attach_rules,
	.read = read_rule,
};

void lists_prefix(struct load *l, const struct tree_node *n, void *config)
{
	struct config *c = config;

	c->prefix_list = read_lists(l, &prefix_lists, n, &c->n_prefix_lists);
}

/* ---- as-path lists ---- */

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

static void read_regex(struct load *l, const struct tree_node *n, struct cfg_as_path_rule *r)
{
	const char *s = load_value(l, n, "a regular expression such as \"_65515_\"");
	char err[PATH_REGEX_ERR], show[80];

	if (!s)
		return;
	if (path_regex_check(s, err) < 0) /* escaping `\` in it would only confuse */
		load_error(l, n->line, "\"%.79s\": %s", is_printable(s) ? s : load_show(n, show), err);
	else
		r->regex = xstrdup(s);
}

static void path_permit(struct load *l, const struct tree_node *n, void *rule)
{
	struct cfg_as_path_rule *r = rule;

	r->permit = true;
	if (!r->regex)
		read_regex(l, n, r);
}

static void path_deny(struct load *l, const struct tree_node *n, void *rule)
{
	struct cfg_as_path_rule *r = rule;

	if (!r->regex)
		read_regex(l, n, r);
}

static const struct schema_key path_keys[] = {
	{.key = "permit", .type = SCHEMA_CUSTOM, .read = path_permit, .help = "a regular expression"},
	{.key = "deny", .type = SCHEMA_CUSTOM, .read = path_deny, .help = "a regular expression"},
};
static const struct schema path_schema = {path_keys, N_ELEMS(path_keys)};

static void read_path_rule(struct load *l, const struct tree_node *n, void *row)
{
	struct cfg_as_path_rule *r = row;

	r->line = n->line;
	schema_read(l, &path_schema, n, r);
	one_verdict(l, n, "\"REGEX\"");
}

static void attach_paths(void *list, void *rows, unsigned n)
{
	struct cfg_as_path_list *to = list;

	to->rule = rows;
	to->n_rules = n;
}

static const struct sort as_path_lists = {
	.row = "{permit: \"_65515_\"}",
	.list_size = sizeof(struct cfg_as_path_list),
	.row_size = sizeof(struct cfg_as_path_rule),
	.attach = attach_paths,
	.read = read_path_rule,
};

void lists_as_path(struct load *l, const struct tree_node *n, void *config)
{
	struct config *c = config;

	c->as_path_list = read_lists(l, &as_path_lists, n, &c->n_as_path_lists);
}

/* ---- policies ---- */

static void attach_entries(void *list, void *rows, unsigned n)
{
	struct cfg_policy *to = list;

	to->entry = rows;
	to->n_entries = n;
}

static void read_entry(struct load *l, const struct tree_node *n, void *row)
{
	policy_entry_read(l, n, row);
	one_verdict(l, n, "{CONDITIONS}");
}

static const struct sort policies = {
	.row = "{permit: {prefix: LIST, set: {med: 1}}}",
	.list_size = sizeof(struct cfg_policy),
	.row_size = sizeof(struct cfg_policy_entry),
	.attach = attach_entries,
	.read = read_entry,
};

void lists_policy(struct load *l, const struct tree_node *n, void *config)
{
	struct config *c = config;

	c->policy = read_lists(l, &policies, n, &c->n_policies);
}
