#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "base/xalloc.h"

enum { HDR = 19, EXTENDED = 0x10, ATTR_AS_PATH = 2, ATTR_NEXT_HOP = 3, AS_SEQUENCE = 2 };

void table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	t->slot = xcalloc(TABLE_SLOTS, sizeof(*t->slot));
}

void table_fini(struct table *t)
{
	free(t->slot);
}

static uint32_t mask(unsigned len)
{
	return len ? UINT32_MAX << (32 - len) : 0;
}

/* Where this prefix is, or would be. */
static struct table_prefix *find(const struct table *t, uint32_t addr, uint8_t len)
{
	uint32_t i = ((addr ^ len * 0x85ebca6bu) * 0x9e3779b1u) >> 11;

	while (t->slot[i].used && (t->slot[i].addr != addr || t->slot[i].len != len))
		i = (i + 1) % TABLE_SLOTS;
	return &t->slot[i];
}

void table_set(struct table *t, uint32_t addr, uint8_t len, uint32_t nexthop)
{
	struct table_prefix *p = find(t, addr & mask(len), len);

	if (!p->used && ++t->taken > TABLE_SLOTS / 4 * 3)
		abort();
	t->n += (nexthop != 0) - (p->nexthop != 0);
	t->n_lens[len] += (nexthop != 0) - (p->nexthop != 0);
	*p = (struct table_prefix){.addr = addr & mask(len), .len = len, .nexthop = nexthop, .used = true};
}

uint32_t table_lookup(const struct table *t, uint32_t addr)
{
	for (int len = 32; len >= 0; len--) {
		const struct table_prefix *p;

		if (!t->n_lens[len])
			continue;
		p = find(t, addr & mask((unsigned)len), (uint8_t)len);
		if (p->used && p->nexthop)
			return p->nexthop;
	}
	return 0;
}

static void prefixes(struct table *t, struct rd r, uint32_t nexthop)
{
	while (rd_left(&r)) {
		uint8_t len = rd_u8(&r);
		uint32_t addr = 0;

		for (unsigned i = 0; i < (len + 7u) / 8; i++)
			addr |= (uint32_t)rd_u8(&r) << (24 - 8 * i);
		if (r.bad || len > 32)
			abort();
		table_set(t, addr, len, nexthop);
	}
}

/* No AS 0 (RFC 7607), and sequences only (RFC 9774): else what it announces counts as withdrawn. AS 0 as the aggregator's only
 * costs that attribute. */
static bool path_is_fine(struct rd v)
{
	while (rd_left(&v)) {
		uint8_t type = rd_u8(&v), n = rd_u8(&v);

		if (type != AS_SEQUENCE)
			return false;
		while (n--)
			if (!rd_u32(&v))
				return false;
	}
	return !v.bad;
}

void table_update(struct table *t, uint8_t *msg, size_t len, uint32_t nexthop)
{
	struct rd r = rd_of(msg, len), withdrawn, attrs;
	bool fine = true;

	rd_skip(&r, HDR);
	withdrawn = rd_sub(&r, rd_u16(&r));
	attrs = rd_sub(&r, rd_u16(&r));
	while (rd_left(&attrs)) {
		uint8_t flags = rd_u8(&attrs), code = rd_u8(&attrs);
		struct rd v = rd_sub(&attrs, flags & EXTENDED ? rd_u16(&attrs) : rd_u8(&attrs));

		if (code == ATTR_AS_PATH)
			fine &= path_is_fine(v);
		for (unsigned i = 0; code == ATTR_NEXT_HOP && i < 4; i++)
			msg[(size_t)(v.p - msg) + i] = (uint8_t)(nexthop >> (24 - 8 * i));
	}
	t->left_out += !fine;
	prefixes(t, withdrawn, 0);
	prefixes(t, r, fine ? nexthop : 0);
}
