#include "bgp/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "bgp/intern.h"

enum { ITEMS = 8192, SLOTS = 2 * ITEMS, WITHDRAW_V4 = 0, WITHDRAW_V6 = 1, GROUPS_FIRST = 2 };

struct item {
	struct ip_prefix prefix;
	uint16_t next; /* in its group, + 1 */
};

struct group {
	const struct bgp_attrs *set;
	uint16_t head, tail; /* items, + 1; 0: none */
};

struct stage {
	unsigned n_items, n_groups;
	unsigned at;    /* the group that leaves now */
	unsigned waits; /* items */
	struct item item[ITEMS];
	struct group group[ITEMS + GROUPS_FIRST];
	uint16_t slot[SLOTS]; /* groups by set; 0: free (the withdrawals are not in here) */
};

static void clear(struct stage *s)
{
	s->n_items = s->at = s->waits = 0;
	s->n_groups = GROUPS_FIRST;
	memset(s->group, 0, GROUPS_FIRST * sizeof(s->group[0]));
	memset(s->slot, 0, sizeof(s->slot));
}

struct stage *stage_new(void)
{
	struct stage *s = xcalloc(1, sizeof(*s));

	s->n_groups = GROUPS_FIRST;
	return s;
}

void stage_free(struct stage *s)
{
	assert(!s || stage_empty(s));
	free(s);
}

bool stage_empty(const struct stage *s)
{
	return s->waits == 0;
}

bool stage_full(const struct stage *s)
{
	return s->n_items == ITEMS;
}

/* The group of set; a new one takes the reference, an old one gives it back. */
static struct group *group_of(struct stage *s, struct intern *in, const struct bgp_attrs *set, uint8_t family)
{
	uint32_t h = (uint32_t)(((uint64_t)(uintptr_t)set * 0x9e3779b97f4a7c15) >> 32);

	if (!set)
		return &s->group[family == IP_V6 ? WITHDRAW_V6 : WITHDRAW_V4];
	for (;; h++) {
		uint16_t *slot = &s->slot[h % SLOTS];

		if (*slot == 0) {
			*slot = (uint16_t)s->n_groups;
			s->group[s->n_groups] = (struct group){.set = set};
			return &s->group[s->n_groups++];
		}
		if (s->group[*slot].set == set) {
			intern_put(in, set);
			return &s->group[*slot];
		}
	}
}

void stage_add(struct stage *s, struct intern *in, const struct bgp_attrs *set, const struct ip_prefix *p)
{
	struct group *g = group_of(s, in, set, p->addr.family);
	uint16_t me = (uint16_t)(s->n_items + 1);

	assert(!stage_full(s));
	s->item[s->n_items++] = (struct item){.prefix = *p};
	if (g->tail)
		s->item[g->tail - 1].next = me;
	else
		g->head = me;
	g->tail = me;
	s->waits++;
}

const struct ip_prefix *stage_peek(const struct stage *s, const struct bgp_attrs **set)
{
	unsigned at = s->at;

	if (s->waits == 0)
		return NULL;
	while (s->group[at].head == 0)
		at++;
	*set = s->group[at].set;
	return &s->item[s->group[at].head - 1].prefix;
}

void stage_pop(struct stage *s, struct intern *in)
{
	struct group *g;

	while (s->group[s->at].head == 0)
		s->at++;
	g = &s->group[s->at];
	g->head = s->item[g->head - 1].next;
	if (!g->head)
		intern_put(in, g->set);
	if (--s->waits == 0)
		clear(s);
}

void stage_drop(struct stage *s, struct intern *in)
{
	while (s->waits)
		stage_pop(s, in);
}

uint64_t stage_octets(void)
{
	return sizeof(struct stage);
}
