#include "dataplane/lpm.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_rcu_qsbr.h>

enum { BLOCKS = 1 << 24 };

/* A group that nobody has, and when no reader has it either. */
struct spare {
	uint64_t token;
	uint32_t group;
};

struct lpm_ctl {
	uint32_t none, n_groups;
	struct rte_rcu_qsbr *qsbr;
	uint8_t *len24, *len8; /* beside each word: bits of its prefix, and 1; 0: none */
	uint16_t *routes;      /* [n_groups] prefixes longer than /24 */
	struct spare *spare;   /* [n_groups] a ring: first given up, first taken */
	uint64_t head, tail;   /* never wrap: n_groups is any number */
};

uint64_t lpm_memory(uint32_t n_groups)
{
	return (uint64_t)BLOCKS * 5 + (uint64_t)n_groups * (LPM_GROUP * 5 + sizeof(uint16_t) + sizeof(struct spare));
}

static void *room(size_t n, size_t size, int numa_node)
{
	return rte_zmalloc_socket("lpm", n * size, 64, numa_node);
}

int lpm_init(struct lpm *l, uint32_t none, uint32_t n_groups, int numa_node, struct rte_rcu_qsbr *qsbr)
{
	struct lpm_ctl *c = room(1, sizeof(*c), numa_node);

	*l = (struct lpm){.ctl = c};
	if (!c || n_groups > LPM_GROUPS_MAX)
		return -ENOMEM;
	*c = (struct lpm_ctl){.none = none, .n_groups = n_groups, .qsbr = qsbr, .tail = n_groups};
	l->tbl24 = room(BLOCKS, sizeof(*l->tbl24), numa_node);
	l->tbl8 = room((size_t)n_groups * LPM_GROUP, sizeof(*l->tbl8), numa_node);
	c->len24 = room(BLOCKS, 1, numa_node);
	c->len8 = room((size_t)n_groups * LPM_GROUP, 1, numa_node);
	c->routes = room(n_groups, sizeof(*c->routes), numa_node);
	c->spare = room(n_groups, sizeof(*c->spare), numa_node);
	if (!l->tbl24 || !l->tbl8 || !c->len24 || !c->len8 || !c->routes || !c->spare)
		return -ENOMEM;
	for (uint32_t i = 0; i < BLOCKS; i++)
		atomic_init(&l->tbl24[i], none);
	for (uint32_t i = 0; i < n_groups; i++)
		c->spare[i].group = i;
	return 0;
}

void lpm_fini(struct lpm *l)
{
	if (l->ctl) {
		rte_free(l->ctl->len24);
		rte_free(l->ctl->len8);
		rte_free(l->ctl->routes);
		rte_free(l->ctl->spare);
	}
	rte_free((void *)(uintptr_t)l->tbl24);
	rte_free((void *)(uintptr_t)l->tbl8);
	rte_free(l->ctl);
	*l = (struct lpm){0};
}

static uint32_t get(_Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void put(_Atomic uint32_t *w, uint32_t id)
{
	atomic_store_explicit(w, id, memory_order_release);
}

/* --- groups --- */

static int group_take(struct lpm_ctl *c, uint32_t *group)
{
	const struct spare *s = &c->spare[c->head % c->n_groups];

	if (c->head == c->tail)
		return -ENOSPC;
	if (c->qsbr && rte_rcu_qsbr_check(c->qsbr, s->token, false) != 1)
		return -EAGAIN;
	*group = s->group;
	c->head++;
	return 0;
}

static void group_give(struct lpm_ctl *c, uint32_t group)
{
	c->spare[c->tail++ % c->n_groups] =
		(struct spare){.token = c->qsbr ? rte_rcu_qsbr_start(c->qsbr) : 0, .group = group};
}

/* The group of a block, made from the block's own word if need be. */
static int group_of(struct lpm *l, uint32_t block, uint32_t *group)
{
	struct lpm_ctl *c = l->ctl;
	uint32_t word = get(&l->tbl24[block]);
	int ret;

	if (word & LPM_EXT) {
		*group = word & ~LPM_EXT;
		return 0;
	}
	ret = group_take(c, group);
	if (ret)
		return ret;
	for (uint32_t i = *group * LPM_GROUP; i < (*group + 1) * LPM_GROUP; i++)
		put(&l->tbl8[i], word);
	memset(c->len8 + *group * LPM_GROUP, c->len24[block], LPM_GROUP); /* its routes are 0 */
	put(&l->tbl24[block], LPM_EXT | *group);
	return 0;
}

/* A block without a prefix longer than /24 is one word again. Unlinked first: whoever has read the link comes before the token. */
static void group_fold(struct lpm *l, uint32_t block, uint32_t group)
{
	struct lpm_ctl *c = l->ctl;

	c->len24[block] = c->len8[group * LPM_GROUP];
	put(&l->tbl24[block], get(&l->tbl8[group * LPM_GROUP]));
	group_give(c, group);
}

/* --- words --- */

/* Words that come from a prefix no longer than this one. */
static void cover(_Atomic uint32_t *w, uint8_t *len, uint32_t n, uint8_t mine, uint32_t id)
{
	for (uint32_t i = 0; i < n; i++) {
		if (len[i] > mine)
			continue;
		len[i] = mine;
		put(&w[i], id);
	}
}

/* Words that come from this very prefix. */
static void uncover(_Atomic uint32_t *w, uint8_t *len, uint32_t n, uint8_t mine, uint8_t under_len, uint32_t under)
{
	for (uint32_t i = 0; i < n; i++) {
		if (len[i] != mine)
			continue;
		len[i] = under_len;
		put(&w[i], under);
	}
}

static void blocks_cover(struct lpm *l, uint32_t from, uint32_t n, uint8_t mine, uint32_t id)
{
	for (uint32_t b = from; b < from + n; b++) {
		uint32_t word = get(&l->tbl24[b]), at = (word & ~LPM_EXT) * LPM_GROUP;

		if (word & LPM_EXT)
			cover(&l->tbl8[at], &l->ctl->len8[at], LPM_GROUP, mine, id);
		else
			cover(&l->tbl24[b], &l->ctl->len24[b], 1, mine, id);
	}
}

static void blocks_uncover(struct lpm *l, uint32_t from, uint32_t n, uint8_t mine, uint8_t under_len, uint32_t under)
{
	for (uint32_t b = from; b < from + n; b++) {
		uint32_t word = get(&l->tbl24[b]), at = (word & ~LPM_EXT) * LPM_GROUP;

		if (word & LPM_EXT)
			uncover(&l->tbl8[at], &l->ctl->len8[at], LPM_GROUP, mine, under_len, under);
		else
			uncover(&l->tbl24[b], &l->ctl->len24[b], 1, mine, under_len, under);
	}
}

/* --- prefixes --- */

int lpm_set(struct lpm *l, uint32_t addr, uint8_t plen, uint32_t id, bool fresh)
{
	uint8_t mine = (uint8_t)(plen + 1);
	uint32_t group, at, n;
	int ret;

	if (plen <= 24) {
		blocks_cover(l, addr >> 8, 1u << (24 - plen), mine, id);
		return 0;
	}
	ret = group_of(l, addr >> 8, &group);
	if (ret)
		return ret;
	at = group * LPM_GROUP + (addr & 0xff);
	n = 1u << (32 - plen);
	l->ctl->routes[group] = (uint16_t)(l->ctl->routes[group] + fresh);
	cover(&l->tbl8[at], &l->ctl->len8[at], n, mine, id);
	return 0;
}

void lpm_del(struct lpm *l, uint32_t addr, uint8_t plen, uint32_t under, int under_plen)
{
	uint8_t mine = (uint8_t)(plen + 1), under_len = (uint8_t)(under_plen + 1);
	uint32_t block = addr >> 8, group, at;

	if (under_plen < 0)
		under = l->ctl->none;
	if (plen <= 24) {
		blocks_uncover(l, block, 1u << (24 - plen), mine, under_len, under);
		return;
	}
	group = get(&l->tbl24[block]) & ~LPM_EXT;
	at = group * LPM_GROUP + (addr & 0xff);
	uncover(&l->tbl8[at], &l->ctl->len8[at], 1u << (32 - plen), mine, under_len, under);
	if (--l->ctl->routes[group] == 0)
		group_fold(l, block, group);
}

int lpm_find(const struct lpm *l, uint32_t addr, uint32_t *id)
{
	uint32_t word = get(&l->tbl24[addr >> 8]), at = (word & ~LPM_EXT) * LPM_GROUP + (addr & 0xff);

	*id = word & LPM_EXT ? get(&l->tbl8[at]) : word;
	return (word & LPM_EXT ? l->ctl->len8[at] : l->ctl->len24[addr >> 8]) - 1;
}

void lpm_prefetch(const struct lpm *l, uint32_t addr)
{
	rte_prefetch0((const void *)(uintptr_t)&l->tbl24[addr >> 8]);
	rte_prefetch0(&l->ctl->len24[addr >> 8]);
}
