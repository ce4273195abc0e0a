/* Single-producer single-consumer ring of fixed-size slots in shared memory.
 *
 * head and tail are the only fields that are ever read from shared memory; slot size and mask stay in the private
 * struct spsc of each side. Indexes run free (mod 2^32). Both sides distrust the other's index: a distance beyond the
 * capacity is a broken peer (-EPROTO), never an out-of-bounds access. One thread per end.
 */
#pragma once

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/build.h"

/* In the segment, followed by the slots. */
struct spsc_shm {
	_Alignas(64) _Atomic uint32_t head; /* written by the producer */
	_Alignas(64) _Atomic uint32_t tail; /* written by the consumer */
	_Alignas(64) uint8_t slots[];
};

/* One side's private view. */
struct spsc {
	struct spsc_shm *shm;
	uint32_t mask, slot_size; /* capacity - 1, octets */
	uint32_t own;             /* our own index: never read back from shared memory */
	uint32_t peer;            /* the other's index as last seen */
};

/* Octets that a ring takes in the segment; capacity is a power of two. */
static inline size_t spsc_size(uint32_t capacity, uint32_t slot_size)
{
	return sizeof(struct spsc_shm) + (size_t)capacity * slot_size;
}

static inline void spsc_init(struct spsc *q, void *shm, uint32_t capacity, uint32_t slot_size)
{
	*q = (struct spsc){.shm = shm, .mask = capacity - 1, .slot_size = slot_size};
}

static inline uint8_t *spsc_slot(const struct spsc *q, uint32_t i)
{
	return q->shm->slots + (size_t)(i & q->mask) * q->slot_size;
}

/* Producer: slots free now, 0..capacity; -EPROTO when the consumer's index is impossible (it is not taken over then). */
static inline int64_t spsc_free(struct spsc *q)
{
	uint32_t tail = atomic_load_explicit(&q->shm->tail, memory_order_acquire), used = q->own - tail;

	if (unlikely(used > q->mask + 1))
		return -EPROTO;
	q->peer = tail;
	return (int64_t)q->mask + 1 - used;
}

/* Producer: hand over the n slots behind our index, filled by the caller through spsc_slot(q, q->own + i). */
static inline void spsc_publish(struct spsc *q, uint32_t n)
{
	q->own += n;
	atomic_store_explicit(&q->shm->head, q->own, memory_order_release);
}

/* Producer: copy len octets (<= slot size) into a new slot. 0; -ENOBUFS full, nothing written; -EPROTO. The rest of the slot
 * is what the consumer left there: zeroes. */
static inline int spsc_push(struct spsc *q, const void *m, uint32_t len)
{
	if (q->own - q->peer > q->mask) {
		int64_t n = spsc_free(q);

		if (n <= 0)
			return n < 0 ? -EPROTO : -ENOBUFS;
	}
	memcpy(spsc_slot(q, q->own), m, len);
	spsc_publish(q, 1);
	return 0;
}

/* Consumer: slots filled now, 0..capacity; -EPROTO when the producer's index is impossible (it is not taken over then). */
static inline int64_t spsc_used(struct spsc *q)
{
	uint32_t head = atomic_load_explicit(&q->shm->head, memory_order_acquire), used = head - q->own;

	if (unlikely(used > q->mask + 1))
		return -EPROTO;
	q->peer = head;
	return used;
}

/* Consumer: wipe the n oldest slots (they may hold keys) and hand them back. */
static inline void spsc_release(struct spsc *q, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		explicit_bzero(spsc_slot(q, q->own + i), q->slot_size);
	q->own += n;
	atomic_store_explicit(&q->shm->tail, q->own, memory_order_release);
}

/* Consumer: copy the oldest slot (slot size octets) out, wipe it, hand it back. 0; -EAGAIN empty; -EPROTO. */
static inline int spsc_pop(struct spsc *q, void *m)
{
	if (q->own == q->peer) {
		int64_t n = spsc_used(q);

		if (n <= 0)
			return n < 0 ? -EPROTO : -EAGAIN;
	}
	memcpy(m, spsc_slot(q, q->own), q->slot_size);
	spsc_release(q, 1);
	return 0;
}
