#include "config/policy_entry.h"

#include <stddef.h>
#include <string.h>

#include "config/community.h"
#include "config/field.h"
#include "config/field_bgp.h"
#include "config/schema.h"
#include "config/value.h"

enum { PREPEND_MAX = 16 };

static void read_name(struct load *l, const struct tree_node *n, const char *what, char out[CFG_NAME_MAX])
{
	const char *s = load_value(l, n, what);

	load_mark(l, out, n->line);
	if (s)
		field_name(l, s, n->line, out);
}

static void read_prefix(struct load *l, const struct tree_node *n, void *entry)
{
	read_name(l, n, "the name of a prefix list", ((struct cfg_policy_entry *)entry)->prefix);
}

static void read_as_path(struct load *l, const struct tree_node *n, void *entry)
{
	read_name(l, n, "the name of an as-path list", ((struct cfg_policy_entry *)entry)->as_path);
}

/* A list, or a single one. */
static void read_communities(struct load *l, const struct tree_node *n, uint32_t *out, unsigned *count)
{
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;
	char show[80];

	if (!c)
		load_error(l, n->line, "the list is empty: write communities such as [\"65010:1\", no-export]");
	for (; c; c = n->kind == TREE_LIST ? c->next : NULL) {
		const char *s = load_value(l, c, "a community such as \"65010:1\" or no-export");
		bool twice = false;
		uint32_t v;

		if (!s)
			continue;
		if (community_parse(s, &v) < 0) {
			load_error(
				l, c->line,
				"\"%s\" is not a community: write two numbers up to 65535 such as \"65010:1\", or "
				"no-export, no-advertise, no-export-subconfed, no-peer, blackhole, graceful-shutdown",
				load_show(c, show));
			continue;
		}
		for (unsigned i = 0; i < *count; i++)
			twice |= out[i] == v;
		if (twice) {
			load_error(l, c->line, "%s stands in the list twice: leave one out", load_show(c, show));
			continue;
		}
		if (*count == CFG_COMMUNITIES_MAX) {
			load_error(l, c->line, "more than %d communities: leave some out", CFG_COMMUNITIES_MAX);
			return;
		}
		out[(*count)++] = v;
	}
}

static void read_community(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	read_communities(l, n, e->community, &e->n_community);
}

/* ---- set ---- */

static void read_u32(struct load *l, const struct tree_node *n, bool *set, uint32_t *out)
{
	const char *s = load_value(l, n, "a number of 0 to 4294967295");
	char show[80];
	uint64_t v;

	if (!s)
		return;
	if (value_uint(s, &v) < 0 || v > UINT32_MAX) {
		load_error(l, n->line, "\"%s\" is not a number of 0 to 4294967295", load_show(n, show));
		return;
	}
	*set = true;
	*out = (uint32_t)v;
}

static void set_med(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	read_u32(l, n, &e->set.med_set, &e->set.med);
}

static void set_local_pref(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	read_u32(l, n, &e->set.local_pref_set, &e->set.local_pref);
}

static void set_next_hop(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	field_bgp_host(l, n, "the address of the next hop", &e->set.next_hop);
}

static void set_community(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	read_communities(l, n, e->set.community, &e->set.n_community);
}

static void set_remove_as(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	field_bgp_as_number(l, n, true, &e->set.remove_as);
}

static void prepend_as(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;

	load_mark(l, &e->set.prepend_as, n->line);
	field_bgp_as_number(l, n, false, &e->set.prepend_as);
}

static const struct schema_key prepend_keys[] = {
	{.key = "as", .type = SCHEMA_CUSTOM, .read = prepend_as, .help = "an AS number"},
	{.key = "times",
	 .type = SCHEMA_UINT,
	 AT(cfg_policy_entry, set.prepend),
	 .required = true,
	 .min = 1,
	 .max = PREPEND_MAX,
	 .help = "a number such as 2"},
};
static const struct schema prepend = {prepend_keys, N_ELEMS(prepend_keys)};

/* `2`, or {as: 65050, times: 2}. */
static void set_prepend(struct load *l, const struct tree_node *n, void *entry)
{
	struct cfg_policy_entry *e = entry;
	char show[80];
	uint64_t v;

	if (n->kind == TREE_BLOCK) {
		schema_read(l, &prepend, n, e);
		return;
	}
	if (n->kind != TREE_VALUE || value_uint(n->s, &v) < 0 || !v || v > PREPEND_MAX)
		load_error(l, n->line, "\"%s\" is not a number of times: write 1 to %d, or {as: NUMBER, times: 2}",
			   load_show(n, show), PREPEND_MAX);
	else
		e->set.prepend = (uint8_t)v;
}

static const struct schema_key set_keys[] = {
	{.key = "med", .type = SCHEMA_CUSTOM, .read = set_med, .help = "a number"},
	{.key = "local-pref", .type = SCHEMA_CUSTOM, .read = set_local_pref, .help = "a number"},
	{.key = "next-hop", .type = SCHEMA_CUSTOM, .read = set_next_hop, .help = "an address"},
	{.key = "prepend", .type = SCHEMA_CUSTOM, .read = set_prepend, .help = "a number of times"},
	{.key = "community", .type = SCHEMA_CUSTOM, .read = set_community, .help = "communities to add"},
	{.key = "remove-communities",
	 .type = SCHEMA_BOOL,
	 AT(cfg_policy_entry, set.remove_communities),
	 .help = "true or false"},
	{.key = "remove-as", .type = SCHEMA_CUSTOM, .read = set_remove_as, .help = "an AS number"},
	{.key = "as-override", .type = SCHEMA_BOOL, AT(cfg_policy_entry, set.as_override), .help = "true or false"},
};
static const struct schema set_schema = {set_keys, N_ELEMS(set_keys)};

/* ---- conditions ---- */

static const struct schema_key deny_keys[] = {
	{.key = "prefix", .type = SCHEMA_CUSTOM, .read = read_prefix, .help = "the name of a prefix list"},
	{.key = "as-path", .type = SCHEMA_CUSTOM, .read = read_as_path, .help = "the name of an as-path list"},
	{.key = "community", .type = SCHEMA_CUSTOM, .read = read_community, .help = "communities, all of them there"},
};
static const struct schema deny = {deny_keys, N_ELEMS(deny_keys)};

static const struct schema_key permit_keys[] = {
	{.key = "prefix", .type = SCHEMA_CUSTOM, .read = read_prefix, .help = "the name of a prefix list"},
	{.key = "as-path", .type = SCHEMA_CUSTOM, .read = read_as_path, .help = "the name of an as-path list"},
	{.key = "community", .type = SCHEMA_CUSTOM, .read = read_community, .help = "communities, all of them there"},
	{.key = "set", .type = SCHEMA_BLOCK, .sub = &set_schema, .help = "{med: 1}"},
};
static const struct schema permit = {permit_keys, N_ELEMS(permit_keys)};

static void read_permit(struct load *l, const struct tree_node *n, void *entry)
{
	((struct cfg_policy_entry *)entry)->permit = true;
	schema_read(l, &permit, n, entry);
}

static void read_deny(struct load *l, const struct tree_node *n, void *entry)
{
	if (n->kind == TREE_BLOCK)
		for (const struct tree_node *c = n->first; c; c = c->next)
			if (!strcmp(c->key, "set")) {
				load_error(l, c->key_line,
					   "what is denied is given nothing: remove `set`, or write permit");
				return;
			}
	schema_read(l, &deny, n, entry);
}

static const struct schema_key entry_keys[] = {
	{.key = "permit", .type = SCHEMA_CUSTOM, .read = read_permit, .help = "{} for all, or conditions"},
	{.key = "deny", .type = SCHEMA_CUSTOM, .read = read_deny, .help = "{} for all, or conditions"},
};
static const struct schema entry = {entry_keys, N_ELEMS(entry_keys)};

void policy_entry_read(struct load *l, const struct tree_node *n, struct cfg_policy_entry *e)
{
	e->line = n->line;
	schema_read(l, &entry, n, e);
}
