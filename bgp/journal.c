#include "bgp/journal.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum { CAP_MIN = 1024, CAP_KEEP = 65536 /* of an empty journal */ };

void journal_fini(struct journal *j)
{
	free(j->ring);
	*j = (struct journal){.ring = NULL};
}

static void grow(struct journal *j)
{
	uint32_t cap = j->cap ? j->cap * 2 : CAP_MIN;
	uint32_t *ring = xcalloc(cap, sizeof(*ring));

	for (uint64_t i = j->start; i < j->end; i++)
		ring[i & (cap - 1)] = journal_at(j, i);
	free(j->ring);
	j->ring = ring;
	j->cap = cap;
}

void journal_add(struct journal *j, uint32_t v)
{
	if (j->end - j->start == j->cap)
		grow(j);
	j->ring[j->end++ & (j->cap - 1)] = v;
}

void journal_trim(struct journal *j, uint64_t to)
{
	if (to > j->start)
		j->start = to;
	if (j->read < j->start)
		j->read = j->start;
	if (j->start == j->end && j->cap > CAP_KEEP) {
		free(j->ring);
		j->ring = NULL;
		j->cap = 0;
	}
}
