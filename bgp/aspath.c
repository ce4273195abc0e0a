#include "bgp/aspath.h"

#include "bgp/attr.h"

enum { SEG_MAX = 255, CONFED_SEQUENCE = 3, CONFED_SET = 4 /* RFC 5065 3 */ };

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

/* n numbers of one segment into kept form. false: AS 0 is among them (RFC 7607). */
static bool copy_numbers(struct rd v, unsigned n, bool as4, uint8_t *out)
{
	bool zero = false;

	for (; n; n--, out += 4) {
		const uint8_t *p = rd_take(&v, as4 ? 4 : 2);

		if (as4) {
			memcpy(out, p, 4);
		} else {
			out[0] = out[1] = 0;
			memcpy(out + 2, p, 2);
		}
		zero |= !(out[0] | out[1] | out[2] | out[3]);
	}
	return !zero;
}

/* What is wrong with a segment of this type; NULL: nothing. */
static const char *bad_type(uint8_t type, unsigned flags)
{
	if (type == BGP_AS_SEQUENCE)
		return NULL;
	if (type == BGP_AS_SET)
		return flags & ASPATH_SETS ? NULL : "it has an AS_SET (RFC 9774)";
	if (type != CONFED_SEQUENCE && type != CONFED_SET)
		return "it has a segment of an unknown type";
	return flags & ASPATH_DROP_CONFED ? NULL : "it has a confederation segment, from another AS";
}

/* RFC 7606 7.2, 6793 6 */
const char *aspath_decode(struct rd v, unsigned flags, uint8_t *out, size_t *len, unsigned *hops)
{
	bool as4 = flags & ASPATH_AS4;

	*len = *hops = 0;
	while (rd_left(&v)) {
		uint8_t type = rd_u8(&v), n = rd_u8(&v);
		struct rd as = rd_sub(&v, as4 ? n * 4u : n * 2u);
		const char *bad = v.bad ? NULL : bad_type(type, flags);

		if (v.bad)
			return "a segment runs over its end";
		if (bad)
			return bad;
		if (!n)
			return "it has an empty segment";
		if (type != BGP_AS_SEQUENCE && type != BGP_AS_SET)
			continue;
		out[*len] = type;
		out[*len + 1] = n;
		if (!copy_numbers(as, n, as4, out + *len + 2))
			return "it has AS 0 (RFC 7607)";
		*len += 2 + n * 4u;
		*hops += type == BGP_AS_SEQUENCE ? n : 1;
	}
	return NULL;
}

void aspath_encode(struct wr *w, const uint8_t *path, size_t len, bool as4)
{
	struct rd r = rd_of(path, len), seg;
	uint8_t type;

	if (as4) {
		wr_copy(w, path, len);
		return;
	}
	while (seg_next(&r, &type, &seg)) {
		wr_u8(w, type);
		wr_u8(w, (uint8_t)(rd_left(&seg) / 4));
		while (rd_left(&seg)) {
			uint32_t as = rd_u32(&seg);

			wr_u16(w, as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)as);
		}
	}
}

bool aspath_wide(const uint8_t *path, size_t len)
{
	struct rd r = rd_of(path, len), seg;
	uint8_t type;

	while (seg_next(&r, &type, &seg)) {
		while (rd_left(&seg)) {
			if (rd_u32(&seg) > UINT16_MAX)
				return true;
		}
	}
	return false;
}

bool aspath_has_set(const uint8_t *path, size_t len)
{
	struct rd r = rd_of(path, len), seg;
	uint8_t type;

	while (seg_next(&r, &type, &seg)) {
		if (type == BGP_AS_SET)
			return true;
	}
	return false;
}

/* Put b behind a, whose last segment begins at last; it and a leading sequence of b become one if they fit. */
static size_t join(uint8_t *a, size_t a_len, size_t last, const uint8_t *b, size_t b_len)
{
	if (a_len && b_len && a[last] == BGP_AS_SEQUENCE && b[0] == BGP_AS_SEQUENCE && a[last + 1] + b[1] <= SEG_MAX) {
		a[last + 1] = (uint8_t)(a[last + 1] + b[1]);
		b += 2;
		b_len -= 2;
	}
	if (b_len)
		memcpy(a + a_len, b, b_len);
	return a_len + b_len;
}

size_t aspath_merge(const uint8_t *path, size_t len, const uint8_t *as4, size_t as4_len, uint8_t *out)
{
	unsigned take = aspath_hops(path, len) - aspath_hops(as4, as4_len);
	struct wr w = wr_of(out, len);
	struct rd r = rd_of(path, len), seg;
	size_t last = 0;
	uint8_t type;

	while (take && seg_next(&r, &type, &seg)) {
		unsigned n = (unsigned)rd_left(&seg) / 4;

		if (type == BGP_AS_SEQUENCE && n > take)
			n = take;
		last = w.len;
		wr_u8(&w, type);
		wr_u8(&w, (uint8_t)n);
		wr_copy(&w, seg.p, n * 4u);
		take -= type == BGP_AS_SEQUENCE ? n : 1;
	}
	return join(out, w.len, last, as4, as4_len);
}
