#include "controlplane/ike/timer.h"

#include <stdlib.h>

#include "base/xalloc.h"

static void place(struct timer_heap *h, struct timer *t, uint32_t pos)
{
	h->t[pos] = t;
	t->pos = pos;
}

static void sift_up(struct timer_heap *h, uint32_t pos)
{
	struct timer *t = h->t[pos];

	for (; pos > 1 && h->t[pos / 2]->at_ms > t->at_ms; pos /= 2)
		place(h, h->t[pos / 2], pos);
	place(h, t, pos);
}

static void sift_down(struct timer_heap *h, uint32_t pos)
{
	struct timer *t = h->t[pos];

	for (;;) {
		uint32_t child = pos * 2;

		if (child > h->n)
			break;
		if (child < h->n && h->t[child + 1]->at_ms < h->t[child]->at_ms)
			child++;
		if (h->t[child]->at_ms >= t->at_ms)
			break;
		place(h, h->t[child], pos);
		pos = child;
	}
	place(h, t, pos);
}

static void take_out(struct timer_heap *h, struct timer *t)
{
	uint32_t pos = t->pos;
	struct timer *last = h->t[h->n--];

	t->pos = 0;
	if (last == t)
		return;
	place(h, last, pos);
	sift_up(h, pos);
	sift_down(h, last->pos);
}

void timer_set(struct timer_heap *h, struct timer *t, uint64_t at_ms)
{
	if (t->pos && t->at_ms == at_ms)
		return;
	if (t->pos)
		take_out(h, t);
	if (at_ms == UINT64_MAX)
		return;
	if (h->n + 1 >= h->cap) {
		h->cap = h->cap ? h->cap * 2 : 64;
		h->t = xrealloc(h->t, h->cap, sizeof(*h->t));
	}
	t->at_ms = at_ms;
	place(h, t, ++h->n);
	sift_up(h, h->n);
}

struct timer *timer_take(struct timer_heap *h, uint64_t now_ms)
{
	struct timer *t;

	if (h->n == 0 || h->t[1]->at_ms > now_ms)
		return NULL;
	t = h->t[1];
	take_out(h, t);
	return t;
}

uint64_t timer_next(const struct timer_heap *h)
{
	return h->n ? h->t[1]->at_ms : UINT64_MAX;
}

void timer_fini(struct timer_heap *h)
{
	free(h->t);
	*h = (struct timer_heap){0};
}
