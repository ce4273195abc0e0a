#include "bgp/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void slab_init(struct slab *s, uint32_t size)
{
	*s = (struct slab){.size = size};
}

void slab_reset(struct slab *s)
{
	uint32_t size = s->size;

	assert(s->live == 0);
	for (uint32_t i = 0; i < s->n_chunks; i++)
		free(s->chunk[i]);
	free(s->chunk);
	slab_init(s, size);
}

void slab_fini(struct slab *s)
{
	s->live = 0;
	slab_reset(s);
}

uint32_t slab_take(struct slab *s)
{
	uint32_t i = s->free;

	s->live++;
	if (i) {
		memcpy(&s->free, slab_at(s, i), sizeof(s->free));
		return i;
	}
	i = ++s->used;
	if ((i >> SLAB_SHIFT) >= s->n_chunks) {
		s->chunk = xrealloc(s->chunk, s->n_chunks + 1, sizeof(*s->chunk));
		s->chunk[s->n_chunks++] = xcalloc(SLAB_CHUNK, s->size);
	}
	return i;
}

void slab_give(struct slab *s, uint32_t i)
{
	memcpy(slab_at(s, i), &s->free, sizeof(s->free));
	s->free = i;
	s->live--;
}

uint64_t slab_octets(const struct slab *s)
{
	return (uint64_t)s->n_chunks * (SLAB_CHUNK * (uint64_t)s->size + sizeof(*s->chunk));
}
