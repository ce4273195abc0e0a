/* The lists that policies name. */
#include "config/check.h"
#include "config/nearest.h"

static void at(struct load *l, const struct cfg_policy *p, const char *key)
{
	l->path[0] = "policies";
	l->path[1] = p->name;
	l->path[2] = key;
	l->depth = 3;
}

static void check_entry(struct load *l, const struct cfg_policy *p, const struct cfg_policy_entry *e)
{
	const struct config *c = l->c;

	at(l, p, "prefix");
	if (e->prefix[0] && !config_prefix_list(c, e->prefix))
		nearest_name_error(l, load_line(l, e->prefix), "prefix list", "prefix-lists", e->prefix, c->prefix_list,
				   sizeof(c->prefix_list[0]), c->n_prefix_lists);
	at(l, p, "as-path");
	if (e->as_path[0] && !config_as_path_list(c, e->as_path))
		nearest_name_error(l, load_line(l, e->as_path), "as-path list", "as-path-lists", e->as_path,
				   c->as_path_list, sizeof(c->as_path_list[0]), c->n_as_path_lists);
}

void check_policies(struct load *l)
{
	const struct config *c = l->c;

	for (unsigned i = 0; i < c->n_policies; i++)
		for (unsigned j = 0; j < c->policy[i].n_entries; j++)
			check_entry(l, &c->policy[i], &c->policy[i].entry[j]);
	l->depth = 0;
}
