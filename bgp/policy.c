#include "bgp/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "bgp/aspath.h"
#include "bgp/intern.h"
#include "bgp/path_list.h"
#include "bgp/prefix_list.h"

enum { NO_LIST = 0xffffffffu };

/* Prefixes of one UPDATE come one behind the other with the same set: what was made of it is remembered. */
struct made {
	const struct bgp_attrs *from, *to; /* a reference each; NULL: nothing */
	struct policy_ctx ctx;
	uint8_t family;
};

struct entry {
	const struct cfg_policy_entry *c;
	const struct prefix_list *prefix; /* NULL: no condition */
	unsigned path;                    /* as-path list, or NO_LIST */
	bool sets;
	struct made made;
};

struct policy {
	const struct cfg_policy *c;
	struct policy_set *set;
	struct entry *entry; /* [c->n_entries] */
};

struct policy_set {
	const struct config *c;
	struct intern *intern;
	struct policy *policy; /* [c->n_policies] */
	struct prefix_list **prefix;
	struct path_lists *paths;
};

static bool sets_any(const struct cfg_policy_entry *e)
{
	return e->set.med_set || e->set.local_pref_set || e->set.next_hop.family || e->set.prepend ||
	       e->set.n_community || e->set.remove_communities || e->set.remove_as || e->set.as_override;
}

static void compile(struct policy_set *s, struct policy *p, const struct cfg_policy *c)
{
	p->c = c;
	p->set = s;
	p->entry = xcalloc(c->n_entries, sizeof(p->entry[0]));
	for (unsigned i = 0; i < c->n_entries; i++) {
		const struct cfg_policy_entry *e = &c->entry[i];
		struct entry *to = &p->entry[i];

		*to = (struct entry){.c = e, .path = NO_LIST, .sets = sets_any(e)};
		if (e->prefix[0])
			to->prefix = s->prefix[config_prefix_list(s->c, e->prefix) - s->c->prefix_list];
		if (e->as_path[0])
			to->path = (unsigned)(config_as_path_list(s->c, e->as_path) - s->c->as_path_list);
	}
}

struct policy_set *policy_set_new(const struct config *c, struct intern *in)
{
	struct policy_set *s = xcalloc(1, sizeof(*s));

	s->c = c;
	s->intern = in;
	s->paths = path_lists_new(c);
	s->prefix = xcalloc(c->n_prefix_lists, sizeof(struct prefix_list *));
	for (unsigned i = 0; i < c->n_prefix_lists; i++)
		s->prefix[i] = prefix_list_new(&c->prefix_list[i]);
	s->policy = xcalloc(c->n_policies, sizeof(s->policy[0]));
	for (unsigned i = 0; i < c->n_policies; i++)
		compile(s, &s->policy[i], &c->policy[i]);
	return s;
}

static void forget(struct policy_set *s, struct made *m)
{
	intern_put(s->intern, m->from);
	intern_put(s->intern, m->to);
	*m = (struct made){0};
}

void policy_set_free(struct policy_set *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->c->n_policies; i++) {
		for (unsigned j = 0; j < s->c->policy[i].n_entries; j++)
			forget(s, &s->policy[i].entry[j].made);
		free(s->policy[i].entry);
	}
	for (unsigned i = 0; i < s->c->n_prefix_lists; i++)
		prefix_list_free(s->prefix[i]);
	path_lists_free(s->paths);
	free(s->prefix);
	free(s->policy);
	free(s);
}

const struct policy *policy_find(const struct policy_set *s, const char *name)
{
	const struct cfg_policy *c = name[0] ? config_policy(s->c, name) : NULL;

	return c ? &s->policy[c - s->c->policy] : NULL;
}

/* ---- equality ---- */

static bool same_lists(const struct policy_set *x, const struct cfg_policy_entry *a, const struct policy_set *y,
		       const struct cfg_policy_entry *b)
{
	if (!a->prefix[0] != !b->prefix[0] || !a->as_path[0] != !b->as_path[0])
		return false;
	if (a->prefix[0] &&
	    !prefix_list_equal(config_prefix_list(x->c, a->prefix), config_prefix_list(y->c, b->prefix)))
		return false;
	return !a->as_path[0] ||
	       path_lists_equal(config_as_path_list(x->c, a->as_path), config_as_path_list(y->c, b->as_path));
}

static bool same_numbers(const uint32_t *a, unsigned n, const uint32_t *b, unsigned m)
{
	return n == m && !memcmp(a, b, n * sizeof(a[0]));
}

static bool same_entry(const struct cfg_policy_entry *a, const struct cfg_policy_entry *b)
{
	return a->permit == b->permit && same_numbers(a->community, a->n_community, b->community, b->n_community) &&
	       a->set.med_set == b->set.med_set && a->set.med == b->set.med &&
	       a->set.local_pref_set == b->set.local_pref_set && a->set.local_pref == b->set.local_pref &&
	       a->set.remove_communities == b->set.remove_communities && ip_equal(&a->set.next_hop, &b->set.next_hop) &&
	       a->set.prepend == b->set.prepend && a->set.prepend_as == b->set.prepend_as &&
	       a->set.remove_as == b->set.remove_as && a->set.as_override == b->set.as_override &&
	       same_numbers(a->set.community, a->set.n_community, b->set.community, b->set.n_community);
}

bool policy_equal(const struct policy *a, const struct policy *b)
{
	if (!a || !b)
		return a == b;
	if (a->c->n_entries != b->c->n_entries)
		return false;
	for (unsigned i = 0; i < a->c->n_entries; i++)
		if (!same_entry(&a->c->entry[i], &b->c->entry[i]) ||
		    !same_lists(a->set, &a->c->entry[i], b->set, &b->c->entry[i]))
			return false;
	return true;
}

/* ---- conditions ---- */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool has_community(const uint8_t *comm, size_t len, uint32_t c)
{
	for (size_t i = 0; i + 4 <= len; i += 4)
		if (be32(comm + i) == c)
			return true;
	return false;
}

/* The cheapest condition first. */
static bool holds(const struct policy *p, const struct entry *e, const struct ip_prefix *prefix,
		  const struct bgp_attrs *a)
{
	for (unsigned i = 0; i < e->c->n_community; i++)
		if (!has_community(attr_comm(a), a->comm_len, e->c->community[i]))
			return false;
	if (e->prefix && !prefix_list_match(e->prefix, prefix))
		return false;
	return e->path == NO_LIST || path_lists_match(p->set->paths, e->path, attr_path(a), a->path_len);
}

/* ---- set ---- */

/* Removing comes before putting in front, so that what is put there stays. */
static int set_path(struct bgp_attrs_draft *d, const struct cfg_policy_entry *e, const struct policy_ctx *ctx)
{
	uint8_t one[BGP_ATTRS_DATA_MAX], two[BGP_ATTRS_DATA_MAX];
	const uint8_t *path = attr_path(&d->a);
	size_t len = d->a.path_len;

	if (e->set.remove_as) {
		len = aspath_replace(path, len, e->set.remove_as, 0, one);
		path = one;
	}
	if (e->set.as_override) {
		len = aspath_replace(path, len, ctx->peer_as, ctx->local_as, two);
		path = two;
	}
	if (e->set.prepend) {
		uint8_t *to = path == one ? two : one;

		len = aspath_prepend(path, len, e->set.prepend_as ? e->set.prepend_as : ctx->local_as, e->set.prepend,
				     to, sizeof(one));
		if (!len)
			return -1;
		path = to;
	}
	return attr_set_part(d, 0, path, len);
}

static int set_communities(struct bgp_attrs_draft *d, const struct cfg_policy_entry *e)
{
	uint8_t comm[BGP_ATTRS_DATA_MAX];
	size_t len = e->set.remove_communities ? 0 : d->a.comm_len;

	memcpy(comm, attr_comm(&d->a), len);
	for (unsigned i = 0; i < e->set.n_community; i++) {
		uint32_t c = e->set.community[i];

		if (has_community(comm, len, c))
			continue;
		if (len + 4 > sizeof(comm))
			return -1;
		comm[len++] = (uint8_t)(c >> 24);
		comm[len++] = (uint8_t)(c >> 16);
		comm[len++] = (uint8_t)(c >> 8);
		comm[len++] = (uint8_t)c;
	}
	return attr_set_part(d, 1, comm, len);
}

/* NULL: the result would be larger than a set can be. */
static const struct bgp_attrs *make(const struct policy *p, const struct cfg_policy_entry *e,
				    const struct policy_ctx *ctx, uint8_t family, const struct bgp_attrs *a)
{
	struct bgp_attrs_draft d;

	attr_draft(&d, a);
	if (e->set.med_set) {
		d.a.med = e->set.med;
		d.a.has |= BGP_HAS_MED;
	}
	if (e->set.local_pref_set) {
		d.a.local_pref = e->set.local_pref;
		d.a.has |= BGP_HAS_LOCAL_PREF;
	}
	if (e->set.next_hop.family == family)
		d.a.nexthop = e->set.next_hop;
	if ((e->set.remove_as || e->set.as_override || e->set.prepend) && set_path(&d, e, ctx) < 0)
		return NULL;
	if ((e->set.remove_communities || e->set.n_community) && set_communities(&d, e) < 0)
		return NULL;
	return intern_get(p->set->intern, &d.a);
}

static const struct bgp_attrs *apply_set(const struct policy *p, struct entry *e, const struct policy_ctx *ctx,
					 uint8_t family, const struct bgp_attrs *a)
{
	struct made *m = &e->made;
	const struct bgp_attrs *to;

	if (m->from == a && m->family == family && m->ctx.local_as == ctx->local_as && m->ctx.peer_as == ctx->peer_as)
		return intern_ref(m->to);
	to = make(p, e->c, ctx, family, a);
	if (!to)
		return NULL;
	forget(p->set, m);
	*m = (struct made){.from = intern_ref(a), .to = intern_ref(to), .ctx = *ctx, .family = family};
	return to;
}

const struct bgp_attrs *policy_apply(const struct policy *p, const struct policy_ctx *ctx,
				     const struct ip_prefix *prefix, const struct bgp_attrs *a, unsigned *entry)
{
	for (unsigned i = 0; i < p->c->n_entries; i++) {
		struct entry *e = &p->entry[i];

		if (!holds(p, e, prefix, a))
			continue;
		if (entry)
			*entry = i + 1;
		if (!e->c->permit)
			return NULL;
		return e->sets ? apply_set(p, e, ctx, prefix->addr.family, a) : intern_ref(a);
	}
	if (entry)
		*entry = 0;
	return NULL;
}
