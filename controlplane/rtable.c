#include "controlplane/rtable.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { BUCKETS_MIN = 1024 };

void rtable_init(struct rtable *t, uint64_t seed)
{
	*t = (struct rtable){.seed = seed, .n_used = 1, .n_buckets = BUCKETS_MIN};
	t->bucket = xcalloc(t->n_buckets, sizeof(*t->bucket));
}

void rtable_fini(struct rtable *t)
{
	for (uint32_t i = 0; i < t->n_chunks; i++)
		free(t->chunk[i]);
	free(t->chunk);
	free(t->bucket);
	*t = (struct rtable){0};
}

/* Peers choose the prefixes, so they must not know the hash: the seed goes in before the mixing. */
static uint32_t hash(const struct rtable *t, uint8_t family, const uint8_t *b, uint8_t len)
{
	uint64_t lo, hi, h;

	memcpy(&lo, b, 8);
	memcpy(&hi, b + 8, 8);
	h = (lo ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 32;
	h += hi ^ ((uint64_t)len << 8 | family);
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h >> 32);
}

static uint32_t find(const struct rtable *t, uint8_t family, const uint8_t *b, uint8_t len)
{
	uint32_t i = t->bucket[hash(t, family, b, len) & (t->n_buckets - 1)];

	while (i) {
		const struct rt_node *n = rtable_at(t, i);

		if (n->len == len && n->family == family && !memcmp(n->b, b, sizeof(n->b)))
			break;
		i = n->hash_next;
	}
	return i;
}

/* The address's octets, zero behind its family's size. */
static void octets(uint8_t out[16], const struct ip_addr *a)
{
	memset(out, 0, 16);
	memcpy(out, a->b, ip_size(a->family));
}

uint32_t rtable_find(const struct rtable *t, const struct ip_prefix *p)
{
	uint8_t b[16];

	octets(b, &p->addr);
	return find(t, p->addr.family, b, p->len);
}

static void grow(struct rtable *t)
{
	free(t->bucket);
	t->n_buckets *= 2;
	t->bucket = xcalloc(t->n_buckets, sizeof(*t->bucket));
	for (uint32_t i = 1; i < t->n_used; i++) {
		struct rt_node *n = rtable_at(t, i);
		uint32_t *b = &t->bucket[hash(t, n->family, n->b, n->len) & (t->n_buckets - 1)];

		if (!n->family)
			continue;
		n->hash_next = *b;
		*b = i;
	}
}

static uint32_t place(struct rtable *t)
{
	uint32_t i = t->free;

	if (i) {
		t->free = rtable_at(t, i)->hash_next;
		return i;
	}
	if (t->n_used / RT_CHUNK >= t->n_chunks) {
		t->chunk = xrealloc(t->chunk, t->n_chunks + 1, sizeof(*t->chunk));
		t->chunk[t->n_chunks++] = xcalloc(RT_CHUNK, sizeof(struct rt_node));
	}
	return t->n_used++;
}

uint32_t rtable_get(struct rtable *t, const struct ip_prefix *p)
{
	uint32_t i = rtable_find(t, p), *b;
	struct rt_node *n;

	if (i)
		return i;
	if (t->n >= t->n_buckets / 2) /* each further node of a chain is a cache line from afar */
		grow(t);
	i = place(t);
	n = rtable_at(t, i);
	*n = (struct rt_node){.family = p->addr.family, .len = p->len};
	octets(n->b, &p->addr);
	b = &t->bucket[hash(t, n->family, n->b, n->len) & (t->n_buckets - 1)];
	n->hash_next = *b;
	*b = i;
	t->n++;
	t->n_len[n->family == IP_V6][n->len]++;
	return i;
}

void rtable_del(struct rtable *t, uint32_t i)
{
	struct rt_node *n = rtable_at(t, i);
	uint32_t *b = &t->bucket[hash(t, n->family, n->b, n->len) & (t->n_buckets - 1)];

	while (*b != i)
		b = &rtable_at(t, *b)->hash_next;
	*b = n->hash_next;
	t->n--;
	t->n_len[n->family == IP_V6][n->len]--;
	*n = (struct rt_node){.hash_next = t->free};
	t->free = i;
}

uint32_t rtable_covering(const struct rtable *t, const struct ip_addr *a, int *len)
{
	const uint32_t *n_len = t->n_len[a->family == IP_V6];
	struct ip_addr at = *a;
	uint8_t b[16];
	uint32_t i;

	for (; *len >= 0; (*len)--) {
		if (!n_len[*len])
			continue;
		ip_mask(&at, (unsigned)*len);
		octets(b, &at);
		i = find(t, at.family, b, (uint8_t)*len);
		if (i)
			return i;
	}
	return 0;
}

struct ip_prefix rtable_prefix(const struct rt_node *n)
{
	return (struct ip_prefix){.addr = ip_from_bytes(n->family, n->b), .len = n->len};
}

/* ---- in order ---- */

static int order(const struct rt_node *a, const struct rt_node *b)
{
	int d = a->family - b->family;

	if (!d)
		d = memcmp(a->b, b->b, sizeof(a->b));
	return d ? d : a->len - b->len;
}

static bool behind(const struct rtable *t, uint32_t a, uint32_t b)
{
	return order(rtable_at(t, a), rtable_at(t, b)) > 0;
}

/* heap[0] is the last in prefix order; the one at `at` may be too high up. */
static void sift_down(const struct rtable *t, uint32_t *heap, unsigned n, unsigned at)
{
	for (;;) {
		unsigned top = at, l = 2 * at + 1, r = l + 1;
		uint32_t x = heap[at];

		if (l < n && behind(t, heap[l], heap[top]))
			top = l;
		if (r < n && behind(t, heap[r], heap[top]))
			top = r;
		if (top == at)
			return;
		heap[at] = heap[top];
		heap[top] = x;
		at = top;
	}
}

unsigned rtable_after(const struct rtable *t, const struct ip_prefix *after, uint32_t *out, unsigned max)
{
	struct rt_node from = {.family = after->addr.family, .len = after->len};
	unsigned n = 0;

	octets(from.b, &after->addr);
	for (uint32_t i = 1; i < t->n_used; i++) {
		const struct rt_node *x = rtable_at(t, i);

		if (!x->family || (from.family && order(x, &from) <= 0))
			continue;
		if (n < max) {
			out[n++] = i;
			for (unsigned at = n / 2; n == max && at-- > 0;)
				sift_down(t, out, n, at);
		} else if (behind(t, out[0], i)) {
			out[0] = i;
			sift_down(t, out, n, 0);
		}
	}
	for (unsigned at = n / 2; n < max && at-- > 0;)
		sift_down(t, out, n, at);
	for (unsigned left = n; left > 1;) { /* heap sort: the last goes last */
		uint32_t last = out[0];

		out[0] = out[--left];
		out[left] = last;
		sift_down(t, out, left, 0);
	}
	return n;
}

uint64_t rtable_octets(const struct rtable *t)
{
	return (uint64_t)t->n_chunks * (RT_CHUNK * sizeof(struct rt_node) + sizeof(*t->chunk)) +
	       (uint64_t)t->n_buckets * sizeof(*t->bucket);
}
