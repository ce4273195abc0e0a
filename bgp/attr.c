#include "bgp/attr.h"

#include <errno.h>

#include "bgp/aspath.h"
#include "bgp/wire.h"

enum { FLAGS_THAT_COUNT = BGP_ATTR_OPTIONAL | BGP_ATTR_TRANSITIVE, WELL_KNOWN = BGP_ATTR_TRANSITIVE };
enum { OPTIONAL_TRANSITIVE = BGP_ATTR_OPTIONAL | BGP_ATTR_TRANSITIVE };

/* An attribute that is passed on without being understood: sorted by code, each code once. */
struct other {
	uint8_t code, flags;
	struct rd v;
};

struct decoder {
	const struct bgp_codec *c;
	struct bgp_attrs *a;
	struct attr_mp *mp;
	struct bgp_error *err;
	enum bgp_verdict verdict;
	unsigned discarded;
	bool classic_nlri;
	bool path_ok;
	uint64_t seen[4]; /* a bit per code */
	/* the attribute in hand */
	uint8_t flags, code;
	const uint8_t *tlv;
	size_t tlv_len;
	/* views, to be put together at the end */
	struct rd comm, ext, large, as4_path;
	bool has_as4_path, has_as4_aggregator;
	uint32_t as4_agg_as, as4_agg_id;
	unsigned n_other;
	struct other *other; /* [256] */
};

enum len_rule {
	LEN_ANY,
	LEN_IS,
	LEN_MIN,
	LEN_MULTIPLE,   /* and not 0 */
	LEN_AGGREGATOR, /* 8, or 6 from a 2-octet peer */
};
enum ignore { NEVER, FROM_EBGP, FROM_AS4 };

struct row {
	const char *name;
	uint8_t flags;
	enum len_rule rule;
	uint8_t n;            /* of the rule */
	enum bgp_verdict bad; /* when it is malformed */
	enum ignore ignore;   /* attribute discard, unseen */
	void (*decode)(struct decoder *d, struct rd v);
};

static const struct row *row_of(uint8_t code);

/* The strongest counts, of equals the first (RFC 7606 3h). Data: the attribute (4271 6.3), where `with` says so. */
static void fail(struct decoder *d, enum bgp_verdict verdict, uint8_t sub, bool with, const char *fmt, ...)
	PRINTF(5, 6);
static void fail(struct decoder *d, enum bgp_verdict verdict, uint8_t sub, bool with, const char *fmt, ...)
{
	va_list ap;

	d->discarded += verdict == BGP_DISCARD_ATTR;
	if (verdict <= d->verdict)
		return;
	d->verdict = verdict;
	va_start(ap, fmt);
	wire_verror(d->err, BGP_ERR_UPDATE, sub, d->tlv, with ? d->tlv_len : 0, fmt, ap);
	va_end(ap);
}

/* The attribute in hand has a bad value. */
static void bad_value(struct decoder *d, uint8_t sub, const char *why)
{
	const struct row *row = row_of(d->code);

	fail(d, row->bad, sub, sub != BGP_UPD_AS_PATH, "%s: %s", row->name, why);
}

/* --- a decoder per attribute: v has the length that the row asks for --- */

static void origin(struct decoder *d, struct rd v)
{
	d->a->origin = rd_u8(&v);
	if (d->a->origin > BGP_ORIGIN_INCOMPLETE)
		bad_value(d, BGP_UPD_ORIGIN, "the value is none of IGP, EGP and INCOMPLETE");
}

static unsigned path_flags(const struct bgp_codec *c)
{
	return (c->as4 ? ASPATH_AS4 : 0) | (c->as_sets ? ASPATH_SETS : 0);
}

static void as_path(struct decoder *d, struct rd v)
{
	unsigned hops;
	size_t len;
	const char *bad = aspath_decode(v, path_flags(d->c), d->a->data, &len, &hops);

	if (bad) {
		bad_value(d, BGP_UPD_AS_PATH, bad);
		return;
	}
	d->path_ok = true;
	d->a->path_len = (uint16_t)len;
	d->a->hops = (uint16_t)hops;
}

/* What no router has as its address. RFC 4271 6.3 */
static bool is_host(const struct ip_addr *a)
{
	static const uint8_t v6_loopback[16] = {[15] = 1};

	if (a->family == IP_V4)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	return !ip_is_any(a) && a->b[0] != 0xff && memcmp(a->b, v6_loopback, sizeof(v6_loopback)) != 0;
}

static void next_hop(struct decoder *d, struct rd v)
{
	if (!d->classic_nlri)
		return; /* RFC 4760 3: MP_REACH_NLRI has its own */
	d->a->nexthop = ip_from_bytes(IP_V4, v.p);
	if (!is_host(&d->a->nexthop))
		bad_value(d, BGP_UPD_NEXT_HOP, "it is not the address of a host");
}

static void med(struct decoder *d, struct rd v)
{
	d->a->med = rd_u32(&v);
	d->a->has |= BGP_HAS_MED;
}

static void atomic_aggregate(struct decoder *d, struct rd v)
{
	(void)v;
	d->a->has |= BGP_HAS_ATOMIC;
}

static void aggregator(struct decoder *d, struct rd v)
{
	uint32_t as = d->c->as4 ? rd_u32(&v) : rd_u16(&v);

	if (as == 0) {
		bad_value(d, BGP_UPD_OPTIONAL, "AS 0 (RFC 7607)");
		return;
	}
	d->a->agg_as = as;
	d->a->agg_id = rd_u32(&v);
	d->a->has |= BGP_HAS_AGGREGATOR;
	if (d->flags & BGP_ATTR_PARTIAL)
		d->a->partial |= BGP_PARTIAL_AGGREGATOR;
}

static void communities(struct decoder *d, struct rd v)
{
	d->comm = v;
	if (d->flags & BGP_ATTR_PARTIAL)
		d->a->partial |= BGP_PARTIAL_COMMUNITIES;
}

static void ext_communities(struct decoder *d, struct rd v)
{
	d->ext = v;
	if (d->flags & BGP_ATTR_PARTIAL)
		d->a->partial |= BGP_PARTIAL_EXT;
}

static void large_communities(struct decoder *d, struct rd v)
{
	d->large = v;
	if (d->flags & BGP_ATTR_PARTIAL)
		d->a->partial |= BGP_PARTIAL_LARGE;
}

static void as4_path(struct decoder *d, struct rd v)
{
	d->as4_path = v;
	d->has_as4_path = true;
}

static void as4_aggregator(struct decoder *d, struct rd v)
{
	uint32_t as = rd_u32(&v);

	if (as == 0) {
		bad_value(d, BGP_UPD_OPTIONAL, "AS 0 (RFC 7607)");
		return;
	}
	d->has_as4_aggregator = true;
	d->as4_agg_as = as;
	d->as4_agg_id = rd_u32(&v);
}

static bool negotiated(const struct bgp_codec *c, uint16_t afi, uint8_t safi)
{
	return safi == BGP_SAFI_UNICAST && ((afi == BGP_AFI_V4 && c->mp_v4) || (afi == BGP_AFI_V6 && c->mp_v6));
}

/* RFC 4760 3, 2545 3; 7606 7.11. What was not negotiated is not looked into. */
static void mp_reach(struct decoder *d, struct rd v)
{
	struct attr_mp *mp = d->mp;

	mp->reach = true;
	mp->reach_afi = rd_u16(&v);
	mp->reach_safi = rd_u8(&v);

	struct rd hop = rd_sub(&v, rd_u8(&v));
	size_t n = rd_left(&hop);
	uint8_t family = mp->reach_afi == BGP_AFI_V4 ? IP_V4 : IP_V6;

	rd_skip(&v, 1); /* reserved */
	mp->reach_nlri = v;
	if (v.bad) {
		bad_value(d, BGP_UPD_OPTIONAL, "the next hop runs over the end");
		return;
	}
	if (!negotiated(d->c, mp->reach_afi, mp->reach_safi))
		return;
	if (n != ip_size(family) && (family == IP_V4 || n != 32)) {
		bad_value(d, BGP_UPD_OPTIONAL, "the next hop's length is not the family's");
		return;
	}
	mp->nexthop = ip_from_bytes(family, hop.p);
	if (!is_host(&mp->nexthop))
		fail(d, BGP_TREAT_AS_WITHDRAW, BGP_UPD_OPTIONAL, true,
		     "MP_REACH_NLRI: the next hop is not the address of a host");
}

static void mp_unreach(struct decoder *d, struct rd v)
{
	d->mp->unreach = true;
	d->mp->unreach_afi = rd_u16(&v);
	d->mp->unreach_safi = rd_u8(&v);
	d->mp->unreach_nlri = v;
}

static void keep_other(struct decoder *d, struct rd v)
{
	unsigned i = d->n_other++;

	for (; i > 0 && d->other[i - 1].code > d->code; i--)
		d->other[i] = d->other[i - 1];
	d->other[i] =
		(struct other){.code = d->code, .flags = d->flags & (FLAGS_THAT_COUNT | BGP_ATTR_PARTIAL), .v = v};
}

/* RFC 4271 4.3, 5; the verdicts are RFC 7606 7 (6793 6, 8092 6). */
/* clang-format off */
static const struct row rows[] = {
	[BGP_ORIGIN] = {"ORIGIN", WELL_KNOWN, LEN_IS, 1, BGP_TREAT_AS_WITHDRAW, NEVER, origin},
	[BGP_AS_PATH] = {"AS_PATH", WELL_KNOWN, LEN_ANY, 0, BGP_TREAT_AS_WITHDRAW, NEVER, as_path},
	[BGP_NEXT_HOP] = {"NEXT_HOP", WELL_KNOWN, LEN_IS, 4, BGP_TREAT_AS_WITHDRAW, NEVER, next_hop},
	[BGP_MED] = {"MULTI_EXIT_DISC", BGP_ATTR_OPTIONAL, LEN_IS, 4, BGP_TREAT_AS_WITHDRAW, NEVER, med},
	[BGP_LOCAL_PREF] = {"LOCAL_PREF", WELL_KNOWN, LEN_IS, 4, BGP_DISCARD_ATTR, FROM_EBGP, NULL},
	[BGP_ATOMIC_AGGREGATE] = {"ATOMIC_AGGREGATE", WELL_KNOWN, LEN_IS, 0, BGP_DISCARD_ATTR, NEVER, atomic_aggregate},
	[BGP_AGGREGATOR] = {"AGGREGATOR", OPTIONAL_TRANSITIVE, LEN_AGGREGATOR, 0, BGP_DISCARD_ATTR, NEVER, aggregator},
	[BGP_COMMUNITIES] = {"COMMUNITIES", OPTIONAL_TRANSITIVE, LEN_MULTIPLE, 4, BGP_TREAT_AS_WITHDRAW, NEVER, communities},
	[BGP_ORIGINATOR_ID] = {"ORIGINATOR_ID", BGP_ATTR_OPTIONAL, LEN_IS, 4, BGP_DISCARD_ATTR, FROM_EBGP, NULL},
	[BGP_CLUSTER_LIST] = {"CLUSTER_LIST", BGP_ATTR_OPTIONAL, LEN_MULTIPLE, 4, BGP_DISCARD_ATTR, FROM_EBGP, NULL},
	[BGP_MP_REACH] = {"MP_REACH_NLRI", BGP_ATTR_OPTIONAL, LEN_MIN, 5, BGP_RESET, NEVER, mp_reach},
	[BGP_MP_UNREACH] = {"MP_UNREACH_NLRI", BGP_ATTR_OPTIONAL, LEN_MIN, 3, BGP_RESET, NEVER, mp_unreach},
	[BGP_EXT_COMMUNITIES] = {"EXTENDED COMMUNITIES", OPTIONAL_TRANSITIVE, LEN_MULTIPLE, 8, BGP_TREAT_AS_WITHDRAW, NEVER,
				 ext_communities},
	[BGP_AS4_PATH] = {"AS4_PATH", OPTIONAL_TRANSITIVE, LEN_MIN, 6, BGP_DISCARD_ATTR, FROM_AS4, as4_path},
	[BGP_AS4_AGGREGATOR] = {"AS4_AGGREGATOR", OPTIONAL_TRANSITIVE, LEN_IS, 8, BGP_DISCARD_ATTR, FROM_AS4, as4_aggregator},
	[BGP_IPV6_EXT_COMMUNITIES] = {"IPV6 EXTENDED COMMUNITIES", OPTIONAL_TRANSITIVE, LEN_MULTIPLE, 20,
				      BGP_TREAT_AS_WITHDRAW, NEVER, keep_other},
	[BGP_LARGE_COMMUNITIES] = {"LARGE COMMUNITIES", OPTIONAL_TRANSITIVE, LEN_MULTIPLE, 12, BGP_TREAT_AS_WITHDRAW, NEVER,
				   large_communities},
};
/* clang-format on */

/* NULL: an attribute that we do not know. */
static const struct row *row_of(uint8_t code)
{
	return code < N_ELEMS(rows) && rows[code].name ? &rows[code] : NULL;
}

static bool is_mp(uint8_t code)
{
	return code == BGP_MP_REACH || code == BGP_MP_UNREACH;
}

/* RFC 4271 5, 6.3 */
static void unknown(struct decoder *d, struct rd v)
{
	if (!(d->flags & BGP_ATTR_OPTIONAL)) {
		fail(d, BGP_RESET, BGP_UPD_UNKNOWN_WELL_KNOWN, true, "attribute %u: well-known, and not known here",
		     d->code);
		return;
	}
	if (!(d->flags & BGP_ATTR_TRANSITIVE))
		return;
	d->flags |= BGP_ATTR_PARTIAL;
	keep_other(d, v);
}

static bool length_ok(const struct row *row, const struct bgp_codec *c, size_t len)
{
	switch (row->rule) {
	case LEN_ANY:
		return true;
	case LEN_IS:
		return len == row->n;
	case LEN_MIN:
		return len >= row->n;
	case LEN_MULTIPLE:
		return len && len % row->n == 0;
	case LEN_AGGREGATOR:
		return len == (c->as4 ? 8 : 6);
	}
	return false;
}

static void attribute(struct decoder *d, struct rd v)
{
	const struct row *row = row_of(d->code);
	uint64_t *seen = &d->seen[d->code / 64], bit = 1ull << d->code % 64;

	if (*seen & bit) { /* RFC 7606 3g */
		fail(d, is_mp(d->code) ? BGP_RESET : BGP_DISCARD_ATTR, BGP_UPD_MALFORMED_LIST, false,
		     "attribute %u is there twice", d->code);
		return;
	}
	*seen |= bit;
	if (!row) {
		unknown(d, v);
		return;
	}
	if (row->ignore == FROM_EBGP || (row->ignore == FROM_AS4 && d->c->as4)) { /* 7606 7.5, 7.9, 7.10; 6793 4.1 */
		fail(d, BGP_DISCARD_ATTR, BGP_UPD_OPTIONAL, true, "%s: does not come from %s", row->name,
		     row->ignore == FROM_EBGP ? "another AS" : "a peer with 4-octet AS numbers");
		return;
	}
	if ((d->flags ^ row->flags) & FLAGS_THAT_COUNT) { /* 3c; 5.3 for MP_* */
		fail(d, is_mp(d->code) ? BGP_RESET : BGP_TREAT_AS_WITHDRAW,
		     is_mp(d->code) ? BGP_UPD_OPTIONAL : BGP_UPD_FLAGS, true, "%s: flags 0x%02x", row->name, d->flags);
		return;
	}
	if (!length_ok(row, d->c, rd_left(&v))) {
		fail(d, row->bad, is_mp(d->code) ? BGP_UPD_OPTIONAL : BGP_UPD_LENGTH, true, "%s: length %zu", row->name,
		     rd_left(&v));
		return;
	}
	row->decode(d, v);
}

/* One after the other; false: the list broke off (RFC 7606 4). */
static bool walk(struct decoder *d, struct rd r)
{
	while (rd_left(&r)) {
		const uint8_t *tlv = r.p;

		d->tlv = tlv;
		d->tlv_len = rd_left(&r);
		d->flags = rd_u8(&r);
		d->code = rd_u8(&r);

		struct rd v = rd_sub(&r, d->flags & BGP_ATTR_EXTLEN ? rd_u16(&r) : rd_u8(&r));

		if (r.bad) {
			bool mp = d->tlv_len >= 2 && is_mp(d->code); /* its NLRI cannot be found: 7606 3j */

			fail(d, mp ? BGP_RESET : BGP_TREAT_AS_WITHDRAW, mp ? BGP_UPD_OPTIONAL : BGP_UPD_MALFORMED_LIST,
			     mp, "attribute %u runs over the end of the list", d->code);
			return false;
		}
		d->tlv_len = (size_t)(r.p - tlv);
		attribute(d, v);
	}
	return true;
}

static bool was_seen(const struct decoder *d, uint8_t code)
{
	return d->seen[code / 64] >> code % 64 & 1;
}

static void missing(struct decoder *d, uint8_t code)
{
	if (was_seen(d, code))
		return;
	d->tlv = &code;
	d->tlv_len = 1;
	fail(d, BGP_TREAT_AS_WITHDRAW, BGP_UPD_MISSING, true, "%s is missing", rows[code].name);
}

/* RFC 4271 5.1, 4760 3; 7606 3d */
static void mandatory(struct decoder *d)
{
	if (d->classic_nlri || d->mp->reach) {
		missing(d, BGP_ORIGIN);
		missing(d, BGP_AS_PATH);
	}
	if (d->classic_nlri)
		missing(d, BGP_NEXT_HOP);
}

/* From a 2-octet peer: AS4_AGGREGATOR and AS4_PATH. RFC 6793 4.2.3. Its buffers stay off the usual way's stack. */
static __attribute__((noinline)) void merge_as4(struct decoder *d)
{
	uint8_t as4[BGP_ATTRS_DATA_MAX], merged[BGP_ATTRS_DATA_MAX];
	struct bgp_attrs *a = d->a;
	unsigned hops;
	size_t len;

	if (d->has_as4_aggregator && a->has & BGP_HAS_AGGREGATOR) {
		if (a->agg_as != BGP_AS_TRANS)
			return;
		a->agg_as = d->as4_agg_as;
		a->agg_id = d->as4_agg_id;
	}
	if (!d->has_as4_path || !d->path_ok)
		return;

	const char *bad = aspath_decode(d->as4_path, ASPATH_AS4 | ASPATH_SETS | ASPATH_DROP_CONFED, as4, &len, &hops);

	if (bad) {
		fail(d, BGP_DISCARD_ATTR, BGP_UPD_OPTIONAL, false, "AS4_PATH: %s", bad);
		return;
	}
	if (a->hops < hops)
		return;
	a->path_len = (uint16_t)aspath_merge(a->data, a->path_len, as4, len, merged);
	memcpy(a->data, merged, a->path_len);
	if (!d->c->as_sets && aspath_has_set(a->data, a->path_len))
		fail(d, BGP_TREAT_AS_WITHDRAW, BGP_UPD_AS_PATH, false, "AS4_PATH: it has an AS_SET (RFC 9774)");
}

/* RFC 4271 6.3, 7606 7.2. Also an empty path, and one that begins with a set. */
static void first_as(struct decoder *d)
{
	uint32_t first = aspath_first(d->a->data, d->a->path_len);

	if (d->path_ok && d->c->peer_as && first != d->c->peer_as)
		fail(d, BGP_TREAT_AS_WITHDRAW, BGP_UPD_AS_PATH, false, "AS_PATH: begins with AS %u, the peer is AS %u",
		     first, d->c->peer_as);
}

static uint16_t append(uint8_t **at, struct rd v)
{
	size_t n = rd_left(&v);

	if (n)
		memcpy(*at, v.p, n);
	*at += n;
	return (uint16_t)n;
}

/* RFC 8092 3: a value that is there twice counts once. */
static uint16_t append_large(uint8_t **at, struct rd v)
{
	uint8_t *first = *at;

	while (rd_left(&v)) {
		const uint8_t *value = rd_take(&v, 12), *p = first;

		while (p < *at && memcmp(p, value, 12) != 0)
			p += 12;
		if (p < *at)
			continue;
		memcpy(*at, value, 12);
		*at += 12;
	}
	return (uint16_t)(*at - first);
}

static uint16_t append_other(uint8_t *at, const struct decoder *d)
{
	struct wr w = wr_of(at, (size_t)(d->a->data + BGP_ATTRS_DATA_MAX - at));

	for (unsigned i = 0; i < d->n_other; i++) {
		const struct other *o = &d->other[i];
		size_t n = rd_left(&o->v);

		wr_u8(&w, o->flags | (n > UINT8_MAX ? BGP_ATTR_EXTLEN : 0));
		wr_u8(&w, o->code);
		if (n > UINT8_MAX)
			wr_u16(&w, (uint16_t)n);
		else
			wr_u8(&w, (uint8_t)n);
		wr_copy(&w, o->v.p, n);
	}
	return (uint16_t)w.len;
}

/* The parts behind the path, which lies in its place. */
static void assemble(struct decoder *d)
{
	struct bgp_attrs *a = d->a;
	uint8_t *at = a->data + a->path_len;

	a->comm_len = append(&at, d->comm);
	a->ext_len = append(&at, d->ext);
	a->large_len = append_large(&at, d->large);
	a->other_len = append_other(at, d);
}

enum bgp_verdict attr_decode(struct rd r, const struct bgp_codec *c, bool classic_nlri, struct bgp_attrs_draft *out,
			     struct attr_mp *mp, unsigned *discarded, struct bgp_error *err)
{
	struct other other[256];
	struct decoder d = {.c = c, .a = &out->a, .mp = mp, .err = err, .classic_nlri = classic_nlri, .other = other};

	memset(&out->a, 0, sizeof(out->a));
	*mp = (struct attr_mp){.reach = false};
	if (rd_left(&r) > BGP_MSG_MAX) {
		fail(&d, BGP_RESET, BGP_UPD_MALFORMED_LIST, false, "%zu octets of attributes", rd_left(&r));
		return d.verdict;
	}
	if (walk(&d, r)) {
		mandatory(&d);
		if (!c->as4 && (d.has_as4_path || d.has_as4_aggregator))
			merge_as4(&d);
		if (classic_nlri || mp->reach)
			first_as(&d);
	}
	if (d.verdict < BGP_TREAT_AS_WITHDRAW)
		assemble(&d);
	*discarded += d.discarded;
	return d.verdict;
}

void attr_draft(struct bgp_attrs_draft *d, const struct bgp_attrs *a)
{
	memcpy(d->room, a, sizeof(*a) + attr_data_len(a));
}

int attr_set_part(struct bgp_attrs_draft *d, unsigned part, const void *octets, size_t len)
{
	struct bgp_attrs *a = &d->a;
	uint16_t *const lens[] = {&a->path_len, &a->comm_len, &a->ext_len, &a->large_len, &a->other_len};
	size_t before = 0, behind = 0, old = *lens[part];

	for (unsigned i = 0; i < N_ELEMS(lens); i++) {
		before += i < part ? *lens[i] : 0;
		behind += i > part ? *lens[i] : 0;
	}
	if (before + len + behind > BGP_ATTRS_DATA_MAX)
		return -E2BIG;
	memmove(a->data + before + len, a->data + before + old, behind);
	if (len)
		memcpy(a->data + before, octets, len);
	*lens[part] = (uint16_t)len;
	if (part == 0)
		a->hops = (uint16_t)aspath_hops(a->data, len);
	return 0;
}
