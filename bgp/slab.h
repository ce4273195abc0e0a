/* Rows of one size with 32-bit numbers: half the octets of pointers, close together, and they never move.
 *
 * Number 0 is nobody. Private to bgp/.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SLAB_SHIFT = 13, SLAB_CHUNK = 1 << SLAB_SHIFT /* rows */ };

struct slab {
	uint8_t **chunk;
	uint32_t n_chunks, size; /* size: octets of a row, >= 4, a multiple of 4 */
	uint32_t used;           /* numbers 1..used have been given at least once */
	uint32_t live;
	uint32_t free; /* head of a list through the first word of each free row */
};

void slab_init(struct slab *s, uint32_t size);
void slab_fini(struct slab *s);
/* The number of a free row; what stands in it is its last owner's, but for the first word. A new row is zero. */
uint32_t slab_take(struct slab *s);
void slab_give(struct slab *s, uint32_t i);
/* Give all memory back; only when nothing is live. */
void slab_reset(struct slab *s);
uint64_t slab_octets(const struct slab *s);

static inline void *slab_at(const struct slab *s, uint32_t i)
{
	return s->chunk[i >> SLAB_SHIFT] + (size_t)(i & (SLAB_CHUNK - 1)) * s->size;
}
