#include "bgp/path_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "bgp/aspath.h"
#include "bgp/attr.h"
#include "config/path_regex.h"

/* Longer paths are rare and judged each time. TEXT_MAX: a 4-octet number and its separator take less than 3 times their octets. */
enum { KEPT_PATH = 74, KEPT = 8192, TEXT_MAX = 3 * BGP_ATTRS_DATA_MAX, GROUP = 64 };

/* What is known of a path with 64 lists. */
struct kept {
	uint64_t known, matches; /* a bit per list */
	uint32_t group;          /* lists from 64 * group */
	uint8_t used, len;
	uint8_t path[KEPT_PATH];
};

struct path_lists {
	struct list {
		const struct cfg_as_path_list *c;
		struct path_regex **regex; /* [c->n_rules] */
	} * list;
	unsigned n;
	struct kept *kept; /* [KEPT]: made with the first path */
	char text[TEXT_MAX];
};

struct path_lists *path_lists_new(const struct config *c)
{
	struct path_lists *x = xcalloc(1, sizeof(*x));
	char err[PATH_REGEX_ERR];

	x->n = c->n_as_path_lists;
	x->list = xcalloc(x->n, sizeof(x->list[0]));
	for (unsigned i = 0; i < x->n; i++) {
		struct list *l = &x->list[i];

		l->c = &c->as_path_list[i];
		l->regex = xcalloc(l->c->n_rules, sizeof(l->regex[0]));
		for (unsigned j = 0; j < l->c->n_rules; j++) {
			l->regex[j] = path_regex_new(l->c->rule[j].regex, err);
			assert(l->regex[j]); /* config_load() has tried it */
		}
	}
	return x;
}

void path_lists_free(struct path_lists *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < x->n; i++) {
		for (unsigned j = 0; j < x->list[i].c->n_rules; j++)
			path_regex_free(x->list[i].regex[j]);
		free(x->list[i].regex);
	}
	free(x->list);
	free(x->kept);
	free(x);
}

static bool judge(struct path_lists *x, const struct list *l, const uint8_t *path, size_t len)
{
	size_t n = aspath_text(path, len, x->text, sizeof(x->text));

	assert(n < sizeof(x->text));
	for (unsigned i = 0; i < l->c->n_rules; i++)
		if (path_regex_match(l->regex[i], x->text, n))
			return l->c->rule[i].permit;
	return false;
}

static uint32_t slot_of(const uint8_t *path, size_t len, uint32_t group)
{
	uint64_t h = len ^ (uint64_t)group << 32;

	for (size_t i = 0; i < len; i++)
		h = (h ^ path[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h * UINT64_C(0x9e3779b97f4a7c15) >> 40) % KEPT;
}

bool path_lists_match(struct path_lists *x, unsigned list, const uint8_t *path, size_t len)
{
	uint64_t bit = UINT64_C(1) << (list % GROUP);
	uint32_t group = list / GROUP;
	struct kept *k;

	if (len > KEPT_PATH)
		return judge(x, &x->list[list], path, len);
	if (!x->kept)
		x->kept = xcalloc(KEPT, sizeof(*x->kept));
	k = &x->kept[slot_of(path, len, group)];
	if (!k->used || k->len != len || k->group != group || memcmp(k->path, path, len) != 0) {
		*k = (struct kept){.group = group, .used = 1, .len = (uint8_t)len};
		memcpy(k->path, path, len);
	}
	if (!(k->known & bit)) {
		k->known |= bit;
		if (judge(x, &x->list[list], path, len))
			k->matches |= bit;
	}
	return k->matches & bit;
}

bool path_lists_equal(const struct cfg_as_path_list *a, const struct cfg_as_path_list *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (unsigned i = 0; i < a->n_rules; i++)
		if (a->rule[i].permit != b->rule[i].permit || strcmp(a->rule[i].regex, b->rule[i].regex) != 0)
			return false;
	return true;
}
