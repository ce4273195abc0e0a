#include "bgp/nexthop.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { BUCKETS_MIN = 64 };

void nexthop_init(struct nexthop_table *t)
{
	*t = (struct nexthop_table){.n = 1, .cap = 16, .mask = BUCKETS_MIN - 1};
	t->row = xcalloc(t->cap, sizeof(*t->row));
	t->bucket = xcalloc(BUCKETS_MIN, sizeof(*t->bucket));
}

void nexthop_fini(struct nexthop_table *t)
{
	free(t->row);
	free(t->bucket);
}

static uint32_t *bucket(const struct nexthop_table *t, const struct ip_addr *a)
{
	size_t len = ip_size(a->family);
	uint32_t h = 2166136261;

	for (size_t i = 0; i < len; i++)
		h = (h ^ a->b[i]) * 16777619;
	return &t->bucket[(h ^ h >> 15) & t->mask];
}

uint32_t nexthop_find(const struct nexthop_table *t, const struct ip_addr *a)
{
	uint32_t i = *bucket(t, a);

	while (i && !ip_equal(&t->row[i].addr, a))
		i = t->row[i].chain;
	return i;
}

static void grow(struct nexthop_table *t)
{
	t->mask = t->mask * 2 + 1;
	free(t->bucket);
	t->bucket = xcalloc(t->mask + 1, sizeof(*t->bucket));
	for (uint32_t i = 1; i < t->n; i++)
		if (t->row[i].refs) {
			uint32_t *b = bucket(t, &t->row[i].addr);

			t->row[i].chain = *b;
			*b = i;
		}
}

static uint32_t take(struct nexthop_table *t)
{
	uint32_t i = t->free;

	if (i) {
		t->free = t->row[i].chain;
		return i;
	}
	if (t->n == t->cap)
		t->row = xrealloc(t->row, t->cap *= 2, sizeof(*t->row));
	return t->n++;
}

uint32_t nexthop_get(struct nexthop_table *t, const struct ip_addr *a, bool *fresh)
{
	uint32_t i = nexthop_find(t, a), *b;

	*fresh = i == 0;
	if (i) {
		t->row[i].refs++;
		return i;
	}
	i = take(t);
	b = bucket(t, a);
	t->row[i] = (struct nexthop){.addr = *a, .refs = 1, .chain = *b};
	*b = i;
	if (++t->live > t->mask)
		grow(t);
	return i;
}

bool nexthop_put(struct nexthop_table *t, uint32_t i, struct ip_addr *gone)
{
	uint32_t *at;

	if (i == 0 || --t->row[i].refs)
		return false;
	*gone = t->row[i].addr;
	for (at = bucket(t, gone); *at != i;)
		at = &t->row[*at].chain;
	*at = t->row[i].chain;
	t->row[i] = (struct nexthop){.chain = t->free};
	t->free = i;
	t->live--;
	return true;
}

void nexthop_settled(struct nexthop_table *t)
{
	for (uint32_t i = 1; i < t->n; i++)
		t->row[i].changed = false;
}
