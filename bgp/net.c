#include "bgp/net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"

enum { BITS_MIN = 6, BITS_MAX = 31 };

void net_init(struct net_table *t, uint8_t family, uint64_t seed)
{
	*t = (struct net_table){.family = family, .size = (uint8_t)ip_size(family), .bits = BITS_MIN};
	slab_init(&t->rows, (uint32_t)(sizeof(struct net) + t->size));
	/* odd, and with enough set bits: it multiplies */
	t->seed = (seed ^ 0x9e3779b97f4a7c15) | 1;
	t->bucket = xcalloc(1u << t->bits, sizeof(*t->bucket));
}

void net_fini(struct net_table *t)
{
	slab_fini(&t->rows);
	free(t->bucket);
	t->bucket = NULL;
}

/* A multiplication spreads upwards: the high bits are the good ones. */
static uint32_t slot(const struct net_table *t, const uint8_t *addr, uint8_t len)
{
	uint64_t k = 0, hi, lo;

	if (t->size == 4) {
		uint32_t a;

		memcpy(&a, addr, sizeof(a));
		k = (uint64_t)len << 32 | a;
	} else {
		memcpy(&hi, addr, sizeof(hi));
		memcpy(&lo, addr + 8, sizeof(lo));
		k = (hi ^ (lo * t->seed >> 7) ^ lo << 32) + len;
	}
	k *= t->seed;
	k ^= k >> 32;
	k *= 0xd6e8feb86659fd93;
	return (uint32_t)(k >> (64 - t->bits));
}

static bool same(const struct net_table *t, const struct net *n, const uint8_t *addr, uint8_t len)
{
	if (n->len != len)
		return false;
	return t->size == 4 ? memcmp(n->addr, addr, 4) == 0 : memcmp(n->addr, addr, 16) == 0;
}

static uint32_t lookup(const struct net_table *t, uint32_t bucket, const struct ip_prefix *p)
{
	uint32_t i = t->bucket[bucket];

	while (i && !same(t, net_at(t, i), p->addr.b, p->len))
		i = net_at(t, i)->chain;
	return i;
}

uint32_t net_find(const struct net_table *t, const struct ip_prefix *p)
{
	return lookup(t, slot(t, p->addr.b, p->len), p);
}

static void resize(struct net_table *t, uint8_t bits)
{
	free(t->bucket);
	t->bits = bits;
	t->bucket = xcalloc((size_t)1 << bits, sizeof(*t->bucket));
	for (uint32_t i = 1; i <= t->rows.used; i++) {
		struct net *n = net_live(t, i);

		if (n) {
			uint32_t b = slot(t, n->addr, n->len);

			n->chain = t->bucket[b];
			t->bucket[b] = i;
		}
	}
}

uint32_t net_get(struct net_table *t, const struct ip_prefix *p)
{
	uint32_t b = slot(t, p->addr.b, p->len), i = lookup(t, b, p);
	struct net *n;

	assert(p->addr.family == t->family);
	if (i)
		return i;
	i = slab_take(&t->rows);
	n = net_at(t, i);
	*n = (struct net){
		.chain = t->bucket[b], .len = p->len, .flags = (uint8_t)(NET_LIVE | (n->flags & NET_JOURNALED))};
	memcpy(n->addr, p->addr.b, t->size);
	t->bucket[b] = i;
	t->version++;
	if (unlikely(t->rows.live > 1u << t->bits) && t->bits < BITS_MAX)
		resize(t, t->bits + 1);
	return i;
}

static void unlink_net(struct net_table *t, uint32_t i, const struct net *n)
{
	uint32_t *at = &t->bucket[slot(t, n->addr, n->len)];

	while (*at != i)
		at = &net_at(t, *at)->chain;
	*at = n->chain;
}

bool net_drop(struct net_table *t, uint32_t i)
{
	struct net *n = net_at(t, i);

	if (n->path || n->out || n->flags & NET_PINNED)
		return false;
	unlink_net(t, i, n);
	n->flags &= NET_JOURNALED;
	slab_give(&t->rows, i);
	t->version++;
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
	return slab_octets(&t->rows) + ((uint64_t)sizeof(*t->bucket) << t->bits);
}
