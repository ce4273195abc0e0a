/* Bounded, sticky writer with length back-patch. Big-endian.
 *
 * Writes into the caller's buffer; a write that does not fit writes nothing and sets full, which never clears: test it
 * once at the end. Nothing is allocated.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/build.h"

struct wr {
	uint8_t *buf;
	size_t len; /* octets written */
	size_t cap; /* octets there is room for */
	bool full;  /* something did not fit */
};

static inline struct wr wr_of(void *buf, size_t cap)
{
	return (struct wr){.buf = buf, .len = 0, .cap = cap, .full = false};
}

/* Room for n octets, to be filled by the caller; NULL (and full) when there is none. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p = w->buf + w->len;

	if (unlikely(w->full || w->cap - w->len < n)) {
		w->full = true;
		return NULL;
	}
	w->len += n;
	return p;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_room(w, 1);

	if (p)
		p[0] = v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_room(w, 2);

	if (p) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void wr_u24(struct wr *w, uint32_t v)
{
	wr_u8(w, (uint8_t)(v >> 16));
	wr_u16(w, (uint16_t)v);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_room(w, 4);

	if (p) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

static inline void wr_copy(struct wr *w, const void *from, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memcpy(p, from, n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p)
		memset(p, 0, n);
}

/* Leave 2 octets for a length that is known later; give the mark to wr_len16_end(). */
static inline size_t wr_len16(struct wr *w)
{
	size_t mark = w->len;

	wr_u16(w, 0);
	return mark;
}

/* Patch the 2 octets at mark with the distance from `from` to here. Too long for 16 bits counts as full. */
static inline void wr_len16_end(struct wr *w, size_t mark, size_t from)
{
	size_t n = w->len - from;

	if (w->full)
		return;
	if (n > UINT16_MAX) {
		w->full = true;
		return;
	}
	w->buf[mark] = (uint8_t)(n >> 8);
	w->buf[mark + 1] = (uint8_t)n;
}

/* Overwrite one octet that was written before. */
static inline void wr_patch8(struct wr *w, size_t at, uint8_t v)
{
	if (at < w->len)
		w->buf[at] = v;
}

static inline void wr_patch32(struct wr *w, size_t at, uint32_t v)
{
	if (w->len >= 4 && at <= w->len - 4) {
		w->buf[at] = (uint8_t)(v >> 24);
		w->buf[at + 1] = (uint8_t)(v >> 16);
		w->buf[at + 2] = (uint8_t)(v >> 8);
		w->buf[at + 3] = (uint8_t)v;
	}
}
