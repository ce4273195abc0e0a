#include "bgp/aspath.h"

#include <stdio.h>

#include "base/rd.h"
#include "base/wr.h"
#include "bgp/attr.h"

enum { SEG_MAX = 255 };

/* The next segment's type and its AS numbers; false at the end. */
static bool seg_next(struct rd *r, uint8_t *type, struct rd *as)
{
	if (!rd_left(r))
		return false;
	*type = rd_u8(r);
	*as = rd_sub(r, rd_u8(r) * 4u);
	return !r->bad;
}

unsigned aspath_hops(const uint8_t *path, size_t len)
{
	struct rd r = rd_of(path, len), as;
	unsigned n = 0;
	uint8_t type;

	while (seg_next(&r, &type, &as))
		n += type == BGP_AS_SEQUENCE ? (unsigned)rd_left(&as) / 4 : 1;
	return n;
}

uint32_t aspath_first(const uint8_t *path, size_t len)
{
	struct rd r = rd_of(path, len), as;
	uint8_t type;

	return seg_next(&r, &type, &as) && type == BGP_AS_SEQUENCE ? rd_u32(&as) : 0;
}

uint32_t aspath_origin(const uint8_t *path, size_t len)
{
	struct rd r = rd_of(path, len), as;
	uint32_t origin = 0;
	uint8_t type;

	while (seg_next(&r, &type, &as)) {
		while (type == BGP_AS_SEQUENCE && rd_left(&as))
			origin = rd_u32(&as);
	}
	return origin;
}

bool aspath_contains(const uint8_t *path, size_t len, uint32_t want)
{
	struct rd r = rd_of(path, len), as;
	uint8_t type;

	while (seg_next(&r, &type, &as)) {
		while (rd_left(&as)) {
			if (rd_u32(&as) == want)
				return true;
		}
	}
	return false;
}

/* Text that grows; what does not fit is counted. */
struct text {
	char *buf;
	size_t cap, need;
};

static void put(struct text *t, char c)
{
	if (t->need + 1 < t->cap)
		t->buf[t->need] = c;
	t->need++;
}

static void put_number(struct text *t, uint32_t v)
{
	char digits[10];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		put(t, digits[--n]);
}

size_t aspath_text(const uint8_t *path, size_t len, char *buf, size_t cap)
{
	struct text t = {.buf = buf, .cap = cap};
	struct rd r = rd_of(path, len), as;
	uint8_t type;

	while (seg_next(&r, &type, &as)) {
		bool set = type == BGP_AS_SET, first = true;

		if (t.need)
			put(&t, ' ');
		if (set)
			put(&t, '{');
		while (rd_left(&as)) {
			if (!first)
				put(&t, set ? ',' : ' ');
			first = false;
			put_number(&t, rd_u32(&as));
		}
		if (set)
			put(&t, '}');
	}
	if (cap)
		buf[t.need < cap ? t.need : cap - 1] = '\0';
	return t.need;
}

static void put_seg(struct wr *w, uint32_t as, unsigned n, unsigned more)
{
	wr_u8(w, BGP_AS_SEQUENCE);
	wr_u8(w, (uint8_t)(n + more));
	for (unsigned i = 0; i < n; i++)
		wr_u32(w, as);
}

/* RFC 4271 5.1.2: into the leading sequence while it has room, else into new ones in front of it. */
size_t aspath_prepend(const uint8_t *path, size_t len, uint32_t as, unsigned n, uint8_t *out, size_t cap)
{
	struct rd r = rd_of(path, len), lead;
	struct wr w = wr_of(out, cap);
	unsigned have = 0, join;
	uint8_t type;

	if (n && seg_next(&r, &type, &lead) && type == BGP_AS_SEQUENCE)
		have = (unsigned)rd_left(&lead) / 4;
	join = have ? SEG_MAX - have : 0;
	if (join > n)
		join = n;
	for (unsigned left = n - join; left;) {
		unsigned k = left % SEG_MAX ? left % SEG_MAX : SEG_MAX;

		put_seg(&w, as, k, 0);
		left -= k;
	}
	if (have) {
		put_seg(&w, as, join, have);
		path += 2;
		len -= 2;
	}
	wr_copy(&w, path, len);
	return w.full ? 0 : w.len;
}

size_t aspath_replace(const uint8_t *path, size_t len, uint32_t from, uint32_t to, uint8_t *out)
{
	struct rd r = rd_of(path, len), seg;
	struct wr w = wr_of(out, len);
	uint8_t type;

	while (seg_next(&r, &type, &seg)) {
		size_t at = w.len;
		unsigned n = 0;

		wr_u8(&w, type);
		wr_u8(&w, 0);
		while (rd_left(&seg)) {
			uint32_t as = rd_u32(&seg);

			if (as == from)
				as = to;
			if (!as)
				continue;
			wr_u32(&w, as);
			n++;
		}
		if (n)
			wr_patch8(&w, at + 1, (uint8_t)n);
		else
			w.len = at; /* nothing is left of it */
	}
	return w.len;
}
