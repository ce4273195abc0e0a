#include "bgp/aspath.h"
#include "bgp/attr.h"

/* Attributes that we do not know are written in between, by their type. */
struct encoder {
	struct wr *w;
	struct rd other; /* whole TLVs, ascending */
};

static void header(struct wr *w, uint8_t flags, uint8_t code, size_t len)
{
	bool wide = len > UINT8_MAX;

	wr_u8(w, (uint8_t)(flags | (wide ? BGP_ATTR_EXTLEN : 0)));
	wr_u8(w, code);
	if (wide)
		wr_u16(w, (uint16_t)len);
	else
		wr_u8(w, (uint8_t)len);
}

/* Those of the unknown ones whose type is below `code`. */
static void others_below(struct encoder *e, unsigned code)
{
	while (rd_left(&e->other) >= 2 && e->other.p[1] < code) {
		const uint8_t *tlv = e->other.p;
		uint8_t flags = rd_u8(&e->other);

		rd_skip(&e->other, 1);
		rd_skip(&e->other, flags & BGP_ATTR_EXTLEN ? rd_u16(&e->other) : rd_u8(&e->other));
		if (!e->other.bad)
			wr_copy(e->w, tlv, (size_t)(e->other.p - tlv));
	}
}

static void put(struct encoder *e, uint8_t flags, uint8_t code, const void *value, size_t len)
{
	others_below(e, code);
	header(e->w, flags, code, len);
	wr_copy(e->w, value, len);
}

static void put_u32(struct encoder *e, uint8_t flags, uint8_t code, uint32_t v)
{
	others_below(e, code);
	header(e->w, flags, code, 4);
	wr_u32(e->w, v);
}

static void put_path(struct encoder *e, const struct bgp_attrs *a, bool as4)
{
	size_t segments = 0, len = a->path_len;

	for (size_t at = 0; at < len; at += 2 + attr_path(a)[at + 1] * 4u)
		segments++;
	if (!as4)
		len = segments * 2 + (len - segments * 2) / 2;
	header(e->w, BGP_ATTR_TRANSITIVE, BGP_AS_PATH, len);
	aspath_encode(e->w, attr_path(a), a->path_len, as4);
}

static void put_aggregator(struct encoder *e, const struct bgp_attrs *a, bool as4)
{
	uint8_t flags = BGP_ATTR_OPTIONAL | BGP_ATTR_TRANSITIVE;

	if (a->partial & BGP_PARTIAL_AGGREGATOR)
		flags |= BGP_ATTR_PARTIAL;
	others_below(e, BGP_AGGREGATOR);
	header(e->w, flags, BGP_AGGREGATOR, as4 ? 8 : 6);
	if (as4)
		wr_u32(e->w, a->agg_as);
	else
		wr_u16(e->w, a->agg_as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)a->agg_as);
	wr_u32(e->w, a->agg_id);
}

static void put_values(struct encoder *e, uint8_t code, const uint8_t *v, size_t len, bool partial)
{
	if (len)
		put(e, BGP_ATTR_OPTIONAL | BGP_ATTR_TRANSITIVE | (partial ? BGP_ATTR_PARTIAL : 0), code, v, len);
}

/* RFC 6793 4.2.2: only what a 2-octet number cannot say. */
static void put_as4(struct encoder *e, const struct bgp_attrs *a)
{
	if (aspath_wide(attr_path(a), a->path_len))
		put(e, BGP_ATTR_OPTIONAL | BGP_ATTR_TRANSITIVE, BGP_AS4_PATH, attr_path(a), a->path_len);
	if (a->has & BGP_HAS_AGGREGATOR && a->agg_as > UINT16_MAX) {
		others_below(e, BGP_AS4_AGGREGATOR);
		header(e->w, BGP_ATTR_OPTIONAL | BGP_ATTR_TRANSITIVE, BGP_AS4_AGGREGATOR, 8);
		wr_u32(e->w, a->agg_as);
		wr_u32(e->w, a->agg_id);
	}
}

void attr_encode(struct wr *w, const struct bgp_attrs *a, const struct bgp_codec *c, bool v4_nexthop)
{
	struct encoder e = {.w = w, .other = rd_of(attr_other(a), a->other_len)};

	put(&e, BGP_ATTR_TRANSITIVE, BGP_ORIGIN, &a->origin, 1);
	put_path(&e, a, c->as4);
	if (v4_nexthop && a->nexthop.family == IP_V4)
		put(&e, BGP_ATTR_TRANSITIVE, BGP_NEXT_HOP, a->nexthop.b, 4);
	if (a->has & BGP_HAS_MED)
		put_u32(&e, BGP_ATTR_OPTIONAL, BGP_MED, a->med);
	if (a->has & BGP_HAS_ATOMIC)
		put(&e, BGP_ATTR_TRANSITIVE, BGP_ATOMIC_AGGREGATE, NULL, 0);
	if (a->has & BGP_HAS_AGGREGATOR)
		put_aggregator(&e, a, c->as4);
	put_values(&e, BGP_COMMUNITIES, attr_comm(a), a->comm_len, a->partial & BGP_PARTIAL_COMMUNITIES);
	put_values(&e, BGP_EXT_COMMUNITIES, attr_ext(a), a->ext_len, a->partial & BGP_PARTIAL_EXT);
	if (!c->as4)
		put_as4(&e, a);
	put_values(&e, BGP_LARGE_COMMUNITIES, attr_large(a), a->large_len, a->partial & BGP_PARTIAL_LARGE);
	others_below(&e, 256);
}
