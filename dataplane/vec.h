/* A list of packets on its way from one stage to the next. Owned and touched by one worker. */
#pragma once

#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#include "base/build.h"

/* One burst, and what a worker's list holds: a poll starts with at most 4 bursts (ports, other workers, the control
 * plane, the TUN device), and only fragmentation makes more of them; it asks vec_room() first. */
enum { VEC_BURST = 32, VEC_MAX = 512 };

struct vec {
	uint16_t n;
	struct rte_mbuf *m[VEC_MAX];
};

static inline uint16_t vec_room(const struct vec *v)
{
	return (uint16_t)(VEC_MAX - v->n);
}

/* Takes m. The caller has made sure of room. */
static inline void vec_push(struct vec *v, struct rte_mbuf *m)
{
	v->m[v->n++] = m;
}

static inline void vec_append(struct vec *v, struct rte_mbuf *const *m, uint16_t n)
{
	memcpy(v->m + v->n, m, n * sizeof(m[0]));
	v->n = (uint16_t)(v->n + n);
}

/* The next burst of a list that may grow behind *at meanwhile. 0: all were taken, and the list is empty again. */
static inline uint16_t vec_next(struct vec *v, uint16_t *at, struct rte_mbuf *m[VEC_BURST])
{
	uint16_t n = (uint16_t)(v->n - *at);

	if (n == 0) {
		v->n = 0;
		return 0;
	}
	if (n > VEC_BURST)
		n = VEC_BURST;
	memcpy(m, v->m + *at, n * sizeof(m[0]));
	*at = (uint16_t)(*at + n);
	return n;
}
