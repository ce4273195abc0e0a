#include "bgp/intern.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"

/* Open addressing, linear probing, at most 3/4 full. The hashes stand apart from the pointers: a probe that does not match costs no
 * cache line of a set. Hash 0 is a free slot. */
enum { SLOTS_MIN = 256, FROM = offsetof(struct bgp_attrs, med) /* what counts begins here */ };

struct intern {
	uint32_t *hash;
	struct bgp_attrs **set;
	uint32_t mask, n;
	uint64_t seed;
	uint64_t octets; /* of the sets */
};

_Static_assert(FROM == 8 && sizeof(struct bgp_attrs) % 8 == 0, "whole words are hashed");

static void tables_new(struct intern *t, uint32_t slots)
{
	t->hash = xcalloc(slots, sizeof(t->hash[0]));
	t->set = xrealloc(NULL, slots, sizeof(struct bgp_attrs *));
	t->mask = slots - 1;
}

struct intern *intern_new(void)
{
	struct intern *t = xcalloc(1, sizeof(*t));

	tables_new(t, SLOTS_MIN);
	/* Where things lie differs from start to start (ASLR): a peer cannot prepare sets that collide. */
	t->seed = (uint64_t)(uintptr_t)t * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)intern_new << 17;
	return t;
}

void intern_free(struct intern *t)
{
	if (!t)
		return;
	assert(t->n == 0);
	free(t->hash);
	free(t->set);
	free(t);
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Multiply and fold, 16 octets a step; the last step looks at the last 16 octets once more. */
static uint32_t hash_of(const struct intern *t, const struct bgp_attrs *a)
{
	const uint8_t *p = (const uint8_t *)a + FROM;
	size_t len = sizeof(*a) - FROM + attr_data_len(a);
	uint64_t h = t->seed ^ len;

	for (; len > 16; len -= 16, p += 16)
		h = mix(word(p) ^ 0xa0761d6478bd642fu, word(p + 8) ^ h);
	p += len;
	h = mix(word(p - 16) ^ 0xe7037ed1a0b428dbu, word(p - 8) ^ h);
	h = mix(h ^ 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u);
	return (uint32_t)h ? (uint32_t)h : 1;
}

static size_t size_of(const struct bgp_attrs *a)
{
	return sizeof(*a) + attr_data_len(a);
}

/* What malloc takes for n octets: its header, and steps of 16. */
static uint64_t heap_octets(size_t n)
{
	return (n + 8 + 15) & ~(uint64_t)15;
}

static bool same(const struct bgp_attrs *a, const struct bgp_attrs *b)
{
	size_t n = size_of(a);

	return n == size_of(b) && memcmp((const uint8_t *)a + FROM, (const uint8_t *)b + FROM, n - FROM) == 0;
}

static void resize(struct intern *t, uint32_t slots)
{
	uint32_t *old_hash = t->hash, old_slots = t->mask + 1;
	struct bgp_attrs **old_set = t->set;

	tables_new(t, slots);
	for (uint32_t i = 0; i < old_slots; i++) {
		uint32_t at = old_hash[i] & t->mask;

		if (!old_hash[i])
			continue;
		while (t->hash[at])
			at = (at + 1) & t->mask;
		t->hash[at] = old_hash[i];
		t->set[at] = old_set[i];
	}
	free(old_hash);
	free(old_set);
}

const struct bgp_attrs *intern_get(struct intern *t, const struct bgp_attrs *draft)
{
	uint32_t h = hash_of(t, draft), at;
	struct bgp_attrs *a;
	size_t n;

	for (at = h & t->mask; t->hash[at]; at = (at + 1) & t->mask) {
		if (t->hash[at] == h && same(t->set[at], draft)) {
			t->set[at]->refs++;
			return t->set[at];
		}
	}
	n = size_of(draft);
	a = xrealloc(NULL, 1, n);
	memcpy(a, draft, n);
	a->refs = 1;
	a->hash = h;
	t->hash[at] = h;
	t->set[at] = a;
	t->octets += heap_octets(n);
	if (++t->n > (t->mask + 1) / 4 * 3)
		resize(t, (t->mask + 1) * 2);
	return a;
}

/* Empty slot `at`; those behind it that would not be found any more move up. */
static void take_out(struct intern *t, uint32_t at)
{
	for (uint32_t i = (at + 1) & t->mask; t->hash[i]; i = (i + 1) & t->mask) {
		uint32_t home = t->hash[i] & t->mask;

		if (((i - home) & t->mask) < ((i - at) & t->mask))
			continue;
		t->hash[at] = t->hash[i];
		t->set[at] = t->set[i];
		at = i;
	}
	t->hash[at] = 0;
}

void intern_put(struct intern *t, const struct bgp_attrs *a)
{
	struct bgp_attrs *mine = (struct bgp_attrs *)a;
	uint32_t at;

	if (!a)
		return;
	assert(a->refs > 0);
	if (--mine->refs)
		return;
	for (at = a->hash & t->mask; t->hash[at] != a->hash || t->set[at] != a; at = (at + 1) & t->mask)
		assert(t->hash[at]);
	take_out(t, at);
	t->octets -= heap_octets(size_of(a));
	free(mine);
	t->n--;
	if (t->mask + 1 > SLOTS_MIN && t->n < (t->mask + 1) / 8)
		resize(t, (t->mask + 1) / 2);
}

uint32_t intern_count(const struct intern *t)
{
	return t->n;
}

uint64_t intern_octets(const struct intern *t)
{
	return sizeof(*t) + t->octets + (uint64_t)(t->mask + 1) * (sizeof(t->hash[0]) + sizeof(struct bgp_attrs *));
}
