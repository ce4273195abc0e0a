#include "bgp/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"

enum { BITS_MIN = 6 /* of 31 at most: memory ends long before */ };

void net_init(struct net_table *t, uint8_t family, uint64_t seed)
{
	*t = (struct net_table){.family = family, .size = (uint8_t)ip_size(family), .bits = BITS_MIN};
	slab_init(&t->rows, (uint32_t)(sizeof(struct net) + t->size));
	/* odd, and with enough set bits: it multiplies */
	t->seed = (seed ^ 0x9e3779b97f4a7c15) | 1;
	t->slot = xcalloc((size_t)1 << t->bits, sizeof(*t->slot));
}

void net_fini(struct net_table *t)
{
	slab_fini(&t->rows);
	free(t->slot);
	t->slot = NULL;
}

static inline uint64_t hash(const struct net_table *t, const uint8_t *addr, uint8_t len)
{
	uint64_t k, hi, lo;
	uint32_t a;

	if (t->size == 4) {
		memcpy(&a, addr, sizeof(a));
		k = (uint64_t)len << 32 | a;
	} else {
		memcpy(&hi, addr, sizeof(hi));
		memcpy(&lo, addr + 8, sizeof(lo));
		k = (hi ^ (lo * t->seed >> 7) ^ lo << 32) + len;
	}
	k *= t->seed;
	k ^= k >> 32;
	return k * 0xd6e8feb86659fd93;
}

/* A multiplication spreads upwards: the highest bits are the best ones, and say where; those below them go into the slot. */
static inline uint32_t home(const struct net_table *t, uint64_t h)
{
	return (uint32_t)(h >> (64 - t->bits));
}

static inline uint32_t tag(const struct net_table *t, uint64_t h)
{
	return (uint32_t)(h >> 8) << t->bits;
}

static inline uint32_t next(const struct net_table *t, uint32_t at)
{
	return (at + 1) & ((1u << t->bits) - 1);
}

static inline uint32_t row_of(const struct net_table *t, uint32_t v)
{
	return v & ((1u << t->bits) - 1);
}

static inline bool same(const struct net_table *t, const struct net *n, const uint8_t *addr, uint8_t len)
{
	if (n->len != len)
		return false;
	return t->size == 4 ? memcmp(n->addr, addr, 4) == 0 : memcmp(n->addr, addr, 16) == 0;
}

static inline uint32_t lookup(const struct net_table *t, uint64_t h, const struct ip_prefix *p)
{
	for (uint32_t at = home(t, h), v; (v = t->slot[at]); at = next(t, at)) {
		uint32_t i = row_of(t, v);

		if (v - i == tag(t, h) && i && same(t, net_at(t, i), p->addr.b, p->len))
			return i;
	}
	return 0;
}

uint32_t net_find(const struct net_table *t, const struct ip_prefix *p)
{
	return lookup(t, hash(t, p->addr.b, p->len), p);
}

void net_prefetch_slot(const struct net_table *t, const struct ip_prefix *p)
{
	__builtin_prefetch(&t->slot[home(t, hash(t, p->addr.b, p->len))]);
}

uint32_t net_guess(const struct net_table *t, const struct ip_prefix *p)
{
	uint64_t h = hash(t, p->addr.b, p->len);

	for (uint32_t at = home(t, h), v; (v = t->slot[at]); at = next(t, at))
		if (v - row_of(t, v) == tag(t, h))
			return row_of(t, v);
	return 0;
}

void net_prefetch_row_slot(const struct net_table *t, uint32_t i)
{
	const struct net *n = net_live(t, i);

	if (n)
		__builtin_prefetch(&t->slot[home(t, hash(t, n->addr, n->len))]);
}

static void put_slot(struct net_table *t, uint64_t h, uint32_t i)
{
	uint32_t at = home(t, h);

	while (row_of(t, t->slot[at]))
		at = next(t, at);
	t->filled += t->slot[at] == 0;
	t->slot[at] = tag(t, h) | i;
}

static void resize(struct net_table *t, uint8_t bits)
{
	free(t->slot);
	t->bits = bits;
	t->filled = 0;
	t->slot = xcalloc((size_t)1 << bits, sizeof(*t->slot));
	for (uint32_t i = 1; i <= t->rows.used; i++) {
		const struct net *n = net_live(t, i);

		if (n)
			put_slot(t, hash(t, n->addr, n->len), i);
	}
}

uint32_t net_get(struct net_table *t, const struct ip_prefix *p)
{
	uint64_t h = hash(t, p->addr.b, p->len);
	uint32_t i = lookup(t, h, p), slots = 1u << t->bits;
	struct net *n;

	assert(p->addr.family == t->family);
	if (i)
		return i;
	/* at most 3/4 full; what is only marks of the past goes without growing */
	if (unlikely(t->filled >= slots / 4 * 3))
		resize(t, t->rows.live >= slots / 2 ? t->bits + 1 : t->bits);
	i = slab_take(&t->rows);
	n = net_at(t, i);
	*n = (struct net){.len = p->len, .flags = (uint8_t)(NET_LIVE | (n->flags & NET_JOURNALED))};
	memcpy(n->addr, p->addr.b, t->size);
	put_slot(t, h, i);
	t->version++;
	return i;
}

/* Free the slot of row i when no search passes it, else leave a mark; marks before a free slot are free too. */
static void take_out(struct net_table *t, uint32_t i, const struct net *n)
{
	uint64_t h = hash(t, n->addr, n->len);
	uint32_t at = home(t, h), mask = (1u << t->bits) - 1;

	while (t->slot[at] != (tag(t, h) | i))
		at = next(t, at);
	t->slot[at] = 1u << t->bits;
	if (t->slot[next(t, at)])
		return;
	for (; t->slot[at] && !row_of(t, t->slot[at]); at = (at - 1) & mask) {
		t->slot[at] = 0;
		t->filled--;
	}
}

bool net_drop(struct net_table *t, uint32_t i)
{
	struct net *n = net_at(t, i);

	if (n->path || n->out || n->flags & NET_PINNED)
		return false;
	take_out(t, i, n);
	n->flags &= NET_JOURNALED;
	slab_give(&t->rows, i);
	if (t->rows.live == 0) {
		slab_reset(&t->rows);
		resize(t, BITS_MIN);
	}
	return true;
}

struct ip_prefix net_prefix(const struct net_table *t, const struct net *n)
{
	struct ip_prefix p = {.addr = {.family = t->family}, .len = n->len};

	memcpy(p.addr.b, n->addr, t->size);
	return p;
}

uint64_t net_octets(const struct net_table *t)
{
	return slab_octets(&t->rows) + ((uint64_t)sizeof(*t->slot) << t->bits);
}
