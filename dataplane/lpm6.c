#include "dataplane/lpm6.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

enum { ROOTS = 1 << LPM6_ROOT, DEPTH = (128 - LPM6_ROOT) / LPM6_STRIDE };

/* A node that nobody has, and when no reader has it either. */
struct spare {
	uint64_t token;
	uint32_t node;
};

/* What the writer knows of a node. Lengths: bits of the prefix that a word comes from; 0: none. Where a word is a link, the node
 * behind it knows. */
struct place {
	uint8_t len[LPM6_WAYS], other_len;
	uint8_t routes; /* prefixes that end in it: 30 at most */
	uint8_t links;
};

struct lpm6_ctl {
	uint32_t none, n_nodes;
	struct rte_rcu_qsbr *qsbr;
	uint8_t *root_len;   /* [ROOTS] */
	struct place *place; /* [n_nodes] */
	struct spare *spare; /* [n_nodes] a ring: first given up, first taken */
	uint64_t head, tail; /* never wrap */
};

uint64_t lpm6_memory(uint32_t n_nodes)
{
	return (uint64_t)ROOTS * 5 +
	       n_nodes * (uint64_t)(sizeof(struct lpm6_node) + sizeof(struct place) + sizeof(struct spare));
}

static void *room(size_t n, size_t size, int numa_node)
{
	return rte_zmalloc_socket("lpm6", n * size, 64, numa_node);
}

int lpm6_init(struct lpm6 *l, uint32_t none, uint32_t n_nodes, int numa_node, struct rte_rcu_qsbr *qsbr)
{
	struct lpm6_ctl *c = room(1, sizeof(*c), numa_node);

	*l = (struct lpm6){.ctl = c};
	if (!c)
		return -ENOMEM;
	*c = (struct lpm6_ctl){.none = none, .n_nodes = n_nodes, .qsbr = qsbr, .tail = n_nodes};
	l->root = room(ROOTS, sizeof(*l->root), numa_node);
	l->node = room(n_nodes, sizeof(*l->node), numa_node);
	c->root_len = room(ROOTS, 1, numa_node);
	c->place = room(n_nodes, sizeof(*c->place), numa_node);
	c->spare = room(n_nodes, sizeof(*c->spare), numa_node);
	if (!l->root || !l->node || !c->root_len || !c->place || !c->spare)
		return -ENOMEM;
	for (uint32_t i = 0; i < ROOTS; i++)
		atomic_init(&l->root[i], none);
	for (uint32_t i = 0; i < n_nodes; i++)
		c->spare[i].node = i;
	return 0;
}

void lpm6_fini(struct lpm6 *l)
{
	if (l->ctl) {
		rte_free(l->ctl->root_len);
		rte_free(l->ctl->place);
		rte_free(l->ctl->spare);
	}
	rte_free((void *)(uintptr_t)l->root);
	rte_free(l->node);
	rte_free(l->ctl);
	*l = (struct lpm6){0};
}

uint32_t lpm6_nodes(const struct lpm6 *l)
{
	return l->ctl->n_nodes - (uint32_t)(l->ctl->tail - l->ctl->head);
}

static uint32_t get(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void put(_Atomic uint32_t *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_release);
}

/* --- addresses --- */

static unsigned nibble(struct ip6 a, unsigned pos)
{
	return (unsigned)((pos < 64 ? a.hi : a.lo) >> (60 - (pos & 63))) & (LPM6_WAYS - 1);
}

static struct ip6 masked(struct ip6 a, unsigned plen)
{
	struct ip6 m = lpm6_mask(plen);

	return (struct ip6){a.hi & m.hi, a.lo & m.lo};
}

/* Leading bits that both have. */
static unsigned common(struct ip6 a, struct ip6 b)
{
	uint64_t hi = a.hi ^ b.hi, lo = a.lo ^ b.lo;

	if (hi)
		return (unsigned)__builtin_clzll(hi);
	return lo ? 64 + (unsigned)__builtin_clzll(lo) : 128;
}

uint8_t lpm6_floor(uint8_t plen)
{
	return plen <= LPM6_ROOT ? 0 : (uint8_t)((plen - 1) / LPM6_STRIDE * LPM6_STRIDE);
}

/* --- words --- */

/* A word, and the length beside it. */
struct slot {
	_Atomic uint32_t *word;
	uint8_t *len;
};

static struct slot root_slot(const struct lpm6 *l, uint32_t i)
{
	return (struct slot){&l->root[i], &l->ctl->root_len[i]};
}

static struct slot slot(const struct lpm6 *l, uint32_t node, unsigned i)
{
	return (struct slot){&l->node[node].word[i], &l->ctl->place[node].len[i]};
}

/* All addresses of a word that come from a prefix no longer than this one. What is under a node comes from none shorter than its
 * `other`. */
static void cover(struct lpm6 *l, struct slot s, uint8_t mine, uint32_t id)
{
	uint32_t word = get(s.word), node = word & ~LPM6_EXT;
	struct place *p = &l->ctl->place[node];

	if (word & LPM6_EXT) {
		if (p->other_len > mine)
			return;
		p->other_len = mine;
		put(&l->node[node].other, id);
		for (unsigned i = 0; i < LPM6_WAYS; i++)
			cover(l, slot(l, node, i), mine, id);
	} else if (*s.len <= mine) {
		*s.len = mine;
		put(s.word, id);
	}
}

/* The same of those that come from this very prefix. */
static void uncover(struct lpm6 *l, struct slot s, uint8_t mine, uint8_t under_len, uint32_t under)
{
	uint32_t word = get(s.word), node = word & ~LPM6_EXT;
	struct place *p = &l->ctl->place[node];

	if (word & LPM6_EXT) {
		if (p->other_len != mine)
			return;
		p->other_len = under_len;
		put(&l->node[node].other, under);
		for (unsigned i = 0; i < LPM6_WAYS; i++)
			uncover(l, slot(l, node, i), mine, under_len, under);
	} else if (*s.len == mine) {
		*s.len = under_len;
		put(s.word, under);
	}
}

/* --- nodes --- */

static int node_take(struct lpm6_ctl *c, uint32_t *node)
{
	const struct spare *s = &c->spare[c->head % c->n_nodes];

	if (c->head == c->tail)
		return -ENOSPC;
	if (c->qsbr && rte_rcu_qsbr_check(c->qsbr, s->token, false) != 1)
		return -EAGAIN;
	*node = s->node;
	c->head++;
	return 0;
}

static void node_give(struct lpm6_ctl *c, uint32_t node)
{
	c->spare[c->tail++ % c->n_nodes] =
		(struct spare){.token = c->qsbr ? rte_rcu_qsbr_start(c->qsbr) : 0, .node = node};
}

/* Not linked yet: every address has what it has without the node. */
static void node_fill(struct lpm6 *l, uint32_t node, struct ip6 addr, unsigned pos, uint32_t other, uint8_t other_len)
{
	struct lpm6_node *n = &l->node[node];
	struct place *p = &l->ctl->place[node];

	n->pos = (uint8_t)pos;
	n->mask = lpm6_mask(pos);
	n->addr = masked(addr, pos);
	put(&n->other, other);
	for (unsigned i = 0; i < LPM6_WAYS; i++)
		put(&n->word[i], other);
	memset(p->len, other_len, sizeof(p->len));
	p->other_len = other_len;
	p->routes = p->links = 0;
}

static void link_into(struct lpm6 *l, uint32_t node, uint32_t child, struct ip6 addr)
{
	put(&l->node[node].word[nibble(addr, l->node[node].pos)], LPM6_EXT | child);
	l->ctl->place[node].links++;
}

/* The node `was` hangs in slot s, and a prefix that ends at pos is not on its way: where they part comes a node, unless that is at
 * pos itself, and then one at pos. The last one is in *node, and linked. */
static int split(struct lpm6 *l, struct slot s, uint32_t was, struct ip6 addr, unsigned pos, uint32_t *node)
{
	struct lpm6_ctl *c = l->ctl;
	const struct ip6 there = l->node[was].addr;
	const uint32_t other = get(&l->node[was].other);
	const uint8_t other_len = c->place[was].other_len;
	unsigned same = common(addr, there);
	uint32_t fork;
	int ret = node_take(c, node);

	if (ret)
		return ret;
	node_fill(l, *node, addr, pos, other, other_len);
	if (same >= pos) {
		link_into(l, *node, was, there);
		put(s.word, LPM6_EXT | *node);
		return 0;
	}
	ret = node_take(c, &fork);
	if (ret) {
		c->head--; /* the first one is as it was */
		return ret;
	}
	node_fill(l, fork, addr, same - same % LPM6_STRIDE, other, other_len);
	link_into(l, fork, was, there);
	link_into(l, fork, *node, addr);
	put(s.word, LPM6_EXT | fork);
	return 0;
}

/* The node where prefixes of addr that are longer than pos bits, by a stride at most, end; made if need be. */
static int reach(struct lpm6 *l, struct ip6 addr, unsigned pos, uint32_t *node)
{
	struct slot s = root_slot(l, (uint32_t)(addr.hi >> (64 - LPM6_ROOT)));
	struct lpm6_ctl *c = l->ctl;
	uint8_t *links = NULL;

	for (;;) {
		uint32_t word = get(s.word), at = word & ~LPM6_EXT;
		const struct lpm6_node *n = &l->node[at];
		int ret;

		if (!(word & LPM6_EXT)) {
			ret = node_take(c, node);
			if (ret)
				return ret;
			node_fill(l, *node, addr, pos, word, *s.len);
			put(s.word, LPM6_EXT | *node);
			if (links)
				++*links;
			return 0;
		}
		if (n->pos > pos || common(addr, n->addr) < n->pos)
			return split(l, s, at, addr, pos, node);
		if (n->pos == pos) {
			*node = at;
			return 0;
		}
		links = &c->place[at].links;
		s = slot(l, at, nibble(addr, n->pos));
	}
}

int lpm6_set(struct lpm6 *l, struct ip6 addr, uint8_t plen, uint32_t id, bool fresh)
{
	unsigned pos = lpm6_floor(plen), from, n;
	uint32_t node;
	int ret;

	if (plen <= LPM6_ROOT) {
		from = (unsigned)(addr.hi >> (64 - LPM6_ROOT));
		for (unsigned i = 0; i < 1u << (LPM6_ROOT - plen); i++)
			cover(l, root_slot(l, from + i), plen, id);
		return 0;
	}
	ret = reach(l, addr, pos, &node);
	if (ret)
		return ret;
	l->ctl->place[node].routes = (uint8_t)(l->ctl->place[node].routes + fresh);
	n = 1u << (pos + LPM6_STRIDE - plen);
	from = nibble(addr, pos);
	for (unsigned i = from; i < from + n; i++)
		cover(l, slot(l, node, i), plen, id);
	return 0;
}

/* Nodes in which nothing ends and no ways part any more. Unlinked first: whoever has read the link comes before the token. */
static void fold(struct lpm6 *l, struct ip6 addr, const uint32_t *path, unsigned depth)
{
	struct lpm6_ctl *c = l->ctl;

	for (; depth > 0; depth--) {
		uint32_t node = path[depth - 1], word = get(&l->node[node].other);
		struct slot s = root_slot(l, (uint32_t)(addr.hi >> (64 - LPM6_ROOT)));
		const struct place *p = &c->place[node];

		if (p->routes > 0 || p->links > 1)
			return;
		if (depth > 1)
			s = slot(l, path[depth - 2], nibble(addr, l->node[path[depth - 2]].pos));
		for (unsigned i = 0; p->links && i < LPM6_WAYS; i++)
			if (get(&l->node[node].word[i]) & LPM6_EXT)
				word = get(&l->node[node].word[i]);
		*s.len = p->other_len;
		put(s.word, word);
		node_give(c, node);
		if (word & LPM6_EXT)
			return;
		if (depth > 1)
			c->place[path[depth - 2]].links--;
	}
}

void lpm6_del(struct lpm6 *l, struct ip6 addr, uint8_t plen, uint32_t under, int under_plen)
{
	uint32_t path[DEPTH], word = get(&l->root[addr.hi >> (64 - LPM6_ROOT)]);
	unsigned depth = 0, pos = lpm6_floor(plen), from, n;
	struct place *p;

	if (plen <= LPM6_ROOT) {
		from = (unsigned)(addr.hi >> (64 - LPM6_ROOT));
		for (unsigned i = 0; i < 1u << (LPM6_ROOT - plen); i++)
			uncover(l, root_slot(l, from + i), plen, under_plen < 0 ? 0 : (uint8_t)under_plen,
				under_plen < 0 ? l->ctl->none : under);
		return;
	}
	for (;;) {
		path[depth++] = word & ~LPM6_EXT;
		if (l->node[path[depth - 1]].pos == pos)
			break;
		word = get(&l->node[path[depth - 1]].word[nibble(addr, l->node[path[depth - 1]].pos)]);
	}
	p = &l->ctl->place[path[depth - 1]];
	if (under_plen < 0) {
		under = get(&l->node[path[depth - 1]].other);
		under_plen = p->other_len;
	}
	n = 1u << (pos + LPM6_STRIDE - plen);
	from = nibble(addr, pos);
	for (unsigned i = from; i < from + n; i++)
		uncover(l, slot(l, path[depth - 1], i), plen, (uint8_t)under_plen, under);
	p->routes--;
	fold(l, addr, path, depth);
}

int lpm6_find(const struct lpm6 *l, struct ip6 addr, uint32_t *id)
{
	struct slot s = root_slot(l, (uint32_t)(addr.hi >> (64 - LPM6_ROOT)));

	for (*id = get(s.word); *id & LPM6_EXT; *id = get(s.word)) {
		uint32_t node = *id & ~LPM6_EXT;

		if (lpm6_way(&l->node[node], addr) == &l->node[node].other)
			s = (struct slot){&l->node[node].other, &l->ctl->place[node].other_len};
		else
			s = slot(l, node, nibble(addr, l->node[node].pos));
	}
	return *s.len ? *s.len : -1;
}
