#include "controlplane/addrset.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define ADDRSET_LEAF (UINT32_C(1) << 31)

void addrset_init(struct addrset *s, const struct ip_addr *(*addr)(const void *ctx, uint32_t number), const void *ctx)
{
	*s = (struct addrset){.n_branch = 1, .addr = addr, .ctx = ctx};
}

void addrset_fini(struct addrset *s)
{
	free(s->branch);
	s->branch = NULL;
}

static bool is_leaf(uint32_t at)
{
	return at & ADDRSET_LEAF;
}

static const struct ip_addr *leaf(const struct addrset *s, uint32_t at)
{
	return s->addr(s->ctx, at & ~ADDRSET_LEAF);
}

static unsigned bit_of(const struct ip_addr *a, uint32_t bit)
{
	return a->b[bit / 8] >> (7 - bit % 8) & 1;
}

static uint32_t root_of(const struct addrset *s, const struct ip_addr *a)
{
	return s->root[a->family == IP_V6];
}

/* The leaf that a would be, if it is in the set. */
static uint32_t nearest(const struct addrset *s, const struct ip_addr *a)
{
	uint32_t at = root_of(s, a);

	while (at && !is_leaf(at))
		at = s->branch[at].child[bit_of(a, s->branch[at].bit)];
	return at;
}

uint32_t addrset_find(const struct addrset *s, const struct ip_addr *a)
{
	uint32_t at = nearest(s, a);

	return at && ip_equal(leaf(s, at), a) ? at & ~ADDRSET_LEAF : UINT32_MAX;
}

/* The first bit in which two different addresses of a family differ. */
static uint32_t first_difference(const struct ip_addr *a, const struct ip_addr *b)
{
	uint32_t bit = 0;

	while (a->b[bit / 8] == b->b[bit / 8])
		bit += 8;
	while (bit_of(a, bit) == bit_of(b, bit))
		bit++;
	return bit;
}

static uint32_t new_branch(struct addrset *s)
{
	uint32_t i = s->free;

	if (i) {
		s->free = s->branch[i].child[0];
		return i;
	}
	if (s->n_branch >= s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->branch = xrealloc(s->branch, s->cap, sizeof(*s->branch));
	}
	return s->n_branch++;
}

void addrset_add(struct addrset *s, uint32_t number)
{
	const struct ip_addr *a = s->addr(s->ctx, number);
	uint32_t near = nearest(s, a), *at = &s->root[a->family == IP_V6], i, bit;
	unsigned side;

	if (!near) {
		*at = number | ADDRSET_LEAF;
		return;
	}
	bit = first_difference(a, leaf(s, near));
	i = new_branch(s); /* may move them all */
	while (!is_leaf(*at) && s->branch[*at].bit < bit)
		at = &s->branch[*at].child[bit_of(a, s->branch[*at].bit)];
	side = bit_of(a, bit);
	s->branch[i].bit = bit;
	s->branch[i].child[side] = number | ADDRSET_LEAF;
	s->branch[i].child[!side] = *at;
	*at = i;
}

void addrset_del(struct addrset *s, uint32_t number)
{
	const struct ip_addr *a = s->addr(s->ctx, number);
	uint32_t *at = &s->root[a->family == IP_V6], *up = NULL, i;
	unsigned side = 0;

	while (!is_leaf(*at)) {
		up = at;
		side = bit_of(a, s->branch[*at].bit);
		at = &s->branch[*at].child[side];
	}
	if (!up) {
		*at = 0;
		return;
	}
	i = *up;
	*up = s->branch[i].child[!side];
	s->branch[i].child[0] = s->free;
	s->free = i;
}

static void each(const struct addrset *s, uint32_t at, void (*fn)(void *ctx, uint32_t number), void *ctx)
{
	for (; !is_leaf(at); at = s->branch[at].child[1])
		each(s, s->branch[at].child[0], fn, ctx);
	fn(ctx, at & ~ADDRSET_LEAF);
}

void addrset_within(const struct addrset *s, const struct ip_prefix *p, void (*fn)(void *ctx, uint32_t number),
		    void *ctx)
{
	uint32_t at = root_of(s, &p->addr), any;

	while (at && !is_leaf(at) && s->branch[at].bit < p->len)
		at = s->branch[at].child[bit_of(&p->addr, s->branch[at].bit)];
	if (!at)
		return;
	/* all below agree in the prefix's bits: one speaks for them */
	for (any = at; !is_leaf(any);)
		any = s->branch[any].child[0];
	if (ip_prefix_contains(p, leaf(s, any)))
		each(s, at, fn, ctx);
}
