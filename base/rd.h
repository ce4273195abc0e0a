/* Bounds-checked, sticky reader: the one door for foreign bytes.
 *
 * A view of bytes that we do not own. Reading past the end yields 0 and sets bad; bad never clears, and a bad reader is
 * empty, so a loop over it ends. Read a fixed part whole, test bad once, then use. A length becomes a sub-reader at once
 * (rd_sub): the parent has then moved past it. Big-endian throughout (network order in, host order out).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/build.h"

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd rd_of(const void *p, size_t len)
{
	const uint8_t *b = p;

	return (struct rd){.p = b, .end = b ? b + len : b, .bad = false};
}

/* Octets left. */
static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

static inline void rd_fail(struct rd *r)
{
	r->p = r->end;
	r->bad = true;
}

/* Whether there are n octets more; bad when there are fewer. */
static inline bool rd_has(struct rd *r, size_t n)
{
	if (likely(rd_left(r) >= n))
		return true;
	rd_fail(r);
	return false;
}

/* Step over n octets and lend them; NULL (and bad) when there are fewer. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (!rd_has(r, n))
		return NULL;
	r->p += n;
	return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return rd_has(r, 1) ? *r->p++ : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *p = r->p;

	if (!rd_has(r, 2))
		return 0;
	r->p += 2;
	return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static inline uint32_t rd_u24(struct rd *r)
{
	const uint8_t *p = r->p;

	if (!rd_has(r, 3))
		return 0;
	r->p += 3;
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t rd_u32(struct rd *r)
{
	const uint8_t *p = r->p;

	if (!rd_has(r, 4))
		return 0;
	r->p += 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t rd_u64(struct rd *r)
{
	uint64_t hi = rd_u32(r);

	return hi << 32 | rd_u32(r);
}

/* Copy n octets out; zeroes and bad when there are fewer. */
static inline void rd_copy(struct rd *r, void *to, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

static inline void rd_skip(struct rd *r, size_t n)
{
	(void)rd_take(r, n);
}

/* A reader over the next n octets; the parent has moved past them. Empty and bad (both) when there are fewer. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	return (struct rd){.p = p, .end = p ? p + n : NULL, .bad = !p};
}

/* Everything was read and nothing was missing. */
static inline bool rd_done(const struct rd *r)
{
	return !r->bad && r->p == r->end;
}
