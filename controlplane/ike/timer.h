/* Deadlines of the IKE core: a binary heap of timers that live inside what they belong to (SA, tunnel).
 *
 * One deadline per owner: the owner computes the earliest thing it waits for and sets it. Core's thread only.
 */
#pragma once

#include <stdint.h>

enum timer_kind { TIMER_SA, TIMER_TUNNEL };

struct timer {
	uint64_t at_ms; /* meaningful while pos > 0 */
	uint32_t pos;   /* place in the heap, from 1; 0: not armed */
	uint8_t kind;   /* enum timer_kind: what it is part of */
};

struct timer_heap {
	struct timer **t; /* t[0] is not used */
	uint32_t n, cap;
};

/* Arm, move or (UINT64_MAX) disarm. */
void timer_set(struct timer_heap *h, struct timer *t, uint64_t at_ms);
/* Take the earliest timer that is due, disarmed; NULL: none is. */
struct timer *timer_take(struct timer_heap *h, uint64_t now_ms);
/* When the earliest is due; UINT64_MAX: never. */
uint64_t timer_next(const struct timer_heap *h);
void timer_fini(struct timer_heap *h);
