#include "bgp/update.h"

#include <stdio.h>

#include "bgp/wire.h"

/* --- NLRI --- */

static unsigned max_len(uint8_t family)
{
	return family == IP_V6 ? 128 : 32;
}

/* RFC 7606 5.3: NULL, or what is wrong. */
static const char *nlri_check(struct rd r, uint8_t family)
{
	unsigned max = max_len(family);

	while (rd_left(&r)) {
		unsigned bits = rd_u8(&r);

		if (bits > max)
			return "a prefix is longer than an address";
		rd_skip(&r, (bits + 7) / 8);
	}
	return r.bad ? "a prefix runs over the end" : NULL;
}

/* What cannot be the destination of a route: multicast, link-local of IPv6 (RFC 4271 6.3). */
static bool is_odd(const struct ip_prefix *p)
{
	if (p->addr.family == IP_V4)
		return p->len >= 4 && p->addr.b[0] >> 4 == 0xe;
	return (p->len >= 8 && p->addr.b[0] == 0xff) ||
	       (p->len >= 10 && p->addr.b[0] == 0xfe && (p->addr.b[1] & 0xc0) == 0x80);
}

bool update_next(struct rd *nlri, uint8_t family, struct ip_prefix *out)
{
	while (rd_left(nlri)) {
		unsigned bits = rd_u8(nlri), n = (bits + 7) / 8;
		const uint8_t *p = rd_take(nlri, n);

		if (!p || bits > max_len(family)) {
			rd_fail(nlri);
			return false;
		}
		*out = (struct ip_prefix){.addr.family = family, .len = (uint8_t)bits};
		memcpy(out->addr.b, p, n);
		if (bits % 8)
			out->addr.b[n - 1] &= (uint8_t)(0xff00 >> bits % 8);
		if (!is_odd(out))
			return true;
	}
	return false;
}

/* --- decoding --- */

static enum bgp_verdict reset(struct bgp_error *err, uint8_t sub, const char *field, const char *why)
{
	wire_error(err, BGP_ERR_UPDATE, sub, NULL, 0, "%s: %s", field, why);
	return BGP_RESET;
}

/* enum ip_family of a negotiated family; else IP_NONE. */
static uint8_t family_of(const struct bgp_codec *c, uint16_t afi, uint8_t safi)
{
	if (safi != BGP_SAFI_UNICAST)
		return IP_NONE;
	if (afi == BGP_AFI_V4 && c->mp_v4)
		return IP_V4;
	return afi == BGP_AFI_V6 && c->mp_v6 ? IP_V6 : IP_NONE;
}

/* Hand over the fields of MP_*; those of a family that was not negotiated stay empty (4760 8). */
static enum bgp_verdict take_mp(struct bgp_update *u, const struct bgp_codec *c, const struct attr_mp *mp,
				struct bgp_error *err)
{
	uint8_t reach = mp->reach ? family_of(c, mp->reach_afi, mp->reach_safi) : IP_NONE;
	uint8_t unreach = mp->unreach ? family_of(c, mp->unreach_afi, mp->unreach_safi) : IP_NONE;
	const char *bad;

	if (reach) {
		bad = nlri_check(mp->reach_nlri, reach);
		if (bad)
			return reset(err, BGP_UPD_OPTIONAL, "MP_REACH_NLRI", bad);
		u->announce_mp = mp->reach_nlri;
		u->mp_nexthop = mp->nexthop;
		u->mp_announce_family = reach;
	}
	if (unreach) {
		bad = nlri_check(mp->unreach_nlri, unreach);
		if (bad)
			return reset(err, BGP_UPD_OPTIONAL, "MP_UNREACH_NLRI", bad);
		u->withdraw_mp = mp->unreach_nlri;
		u->mp_withdraw_family = unreach;
	}
	return BGP_OK;
}

/* RFC 4724 2: nothing at all, or an MP_UNREACH_NLRI without NLRI alone. */
static void end_of_rib(struct bgp_update *u, const struct attr_mp *mp, size_t attrs_len)
{
	static const size_t alone = 3 + 3, alone_wide = 4 + 3; /* its octets */
	bool only_unreach = mp->unreach && (attrs_len == alone || attrs_len == alone_wide);

	if (rd_left(&u->withdraw_v4) || rd_left(&u->announce_v4))
		return;
	u->eor_v4 = attrs_len == 0 || (only_unreach && u->mp_withdraw_family == IP_V4);
	u->eor_v6 = only_unreach && u->mp_withdraw_family == IP_V6;
}

/* The three fields of the body; what is left behind them is the NLRI. */
static bool carve(struct rd body, struct bgp_update *u, struct rd *attrs)
{
	u->withdraw_v4 = rd_sub(&body, rd_u16(&body));
	*attrs = rd_sub(&body, rd_u16(&body));
	u->announce_v4 = body;
	return !body.bad;
}

/* All of u but the draft. */
static void clear(struct bgp_update *u)
{
	u->withdraw_mp = u->announce_mp = rd_of(NULL, 0);
	u->mp_withdraw_family = u->mp_announce_family = IP_NONE;
	u->has_attrs = u->eor_v4 = u->eor_v6 = false;
	u->discarded = 0;
	u->mp_nexthop = (struct ip_addr){.family = IP_NONE};
}

enum bgp_verdict update_decode(struct rd body, const struct bgp_codec *c, struct bgp_update *u, struct bgp_error *err)
{
	enum bgp_verdict verdict;
	struct attr_mp mp;
	struct rd attrs;
	const char *bad;

	clear(u);
	if (!carve(body, u, &attrs)) /* RFC 4271 6.3, 7606 3b */
		return reset(err, BGP_UPD_MALFORMED_LIST, "UPDATE", "the lengths of its fields exceed the message's");
	bad = nlri_check(u->withdraw_v4, IP_V4);
	if (bad)
		return reset(err, BGP_UPD_NETWORK, "withdrawn routes", bad);
	bad = nlri_check(u->announce_v4, IP_V4);
	if (bad)
		return reset(err, BGP_UPD_NETWORK, "NLRI", bad);
	verdict = attr_decode(attrs, c, rd_left(&u->announce_v4) > 0, &u->attrs, &mp, &u->discarded, err);
	if (verdict == BGP_RESET || take_mp(u, c, &mp, err) == BGP_RESET)
		return BGP_RESET;

	bool reachable = rd_left(&u->announce_v4) || (mp.reach && rd_left(&mp.reach_nlri));

	if (verdict == BGP_TREAT_AS_WITHDRAW && !reachable) /* 7606 5.2: did we find all of its NLRI? */
		return BGP_RESET;
	end_of_rib(u, &mp, rd_left(&attrs));
	if (!c->mp_v4)
		u->withdraw_v4 = u->announce_v4 = rd_of(NULL, 0);
	u->has_attrs = reachable && verdict < BGP_TREAT_AS_WITHDRAW;
	return verdict;
}

/* --- building --- */

static size_t msg_cap(size_t cap)
{
	return cap < BGP_MSG_MAX ? cap : BGP_MSG_MAX;
}

static uint16_t afi_of(uint8_t family)
{
	return family == IP_V6 ? BGP_AFI_V6 : BGP_AFI_V4;
}

/* An MP_* attribute with a length to be patched: wide, since it grows. */
static void begin_mp(struct update_build *b, uint8_t code)
{
	wr_u8(&b->w, BGP_ATTR_OPTIONAL | BGP_ATTR_EXTLEN);
	wr_u8(&b->w, code);
	b->len_at = wr_len16(&b->w);
	wr_u16(&b->w, afi_of(b->family));
	wr_u8(&b->w, BGP_SAFI_UNICAST);
}

/* RFC 7606 5.1: MP_REACH_NLRI comes first. Its length is known last, so the other attributes wait at the buffer's end. */
static void begin_v6(struct update_build *b, const struct bgp_attrs *a, const struct bgp_codec *c)
{
	begin_mp(b, BGP_MP_REACH);
	wr_u8(&b->w, 16);
	wr_copy(&b->w, a->nexthop.b, 16);
	wr_u8(&b->w, 0);
	if (b->w.full)
		return;

	struct wr rest = wr_of(b->w.buf + b->w.len, b->w.cap - b->w.len);

	attr_encode(&rest, a, c, false);
	b->w.full = rest.full;
	b->tail = rest.len;
	b->w.cap -= rest.len;
	memmove(b->w.buf + b->w.cap, rest.buf, rest.len);
}

void update_build_announce(struct update_build *b, uint8_t *buf, size_t cap, const struct bgp_attrs *a,
			   const struct bgp_codec *c, uint8_t family)
{
	*b = (struct update_build){.w = wr_of(buf, msg_cap(cap)), .family = family};
	wire_begin(&b->w, BGP_UPDATE);
	wr_u16(&b->w, 0);
	b->attrs_at = wr_len16(&b->w);
	if (family == IP_V6) {
		begin_v6(b, a, c);
	} else {
		attr_encode(&b->w, a, c, true);
		wr_len16_end(&b->w, b->attrs_at, b->attrs_at + 2);
	}
}

void update_build_withdraw(struct update_build *b, uint8_t *buf, size_t cap, uint8_t family)
{
	*b = (struct update_build){.w = wr_of(buf, msg_cap(cap)), .family = family};
	wire_begin(&b->w, BGP_UPDATE);
	if (family == IP_V6) {
		wr_u16(&b->w, 0);
		b->attrs_at = wr_len16(&b->w);
		begin_mp(b, BGP_MP_UNREACH);
	} else {
		b->len_at = wr_len16(&b->w);
		b->tail = 2; /* the attributes' length, 0, behind the withdrawn routes */
		if (b->w.cap - b->w.len < b->tail)
			b->w.full = true;
		else
			b->w.cap -= b->tail;
	}
}

bool update_build_add(struct update_build *b, const struct ip_prefix *p)
{
	size_t n = (p->len + 7u) / 8;

	if (b->w.full || b->w.cap - b->w.len < n + 1)
		return false;
	wr_u8(&b->w, p->len);
	wr_copy(&b->w, p->addr.b, n);
	return true;
}

size_t update_build_end(struct update_build *b)
{
	if (b->w.full)
		return 0;
	if (b->len_at) /* but for an announcement of IPv4: its length is the message's */
		wr_len16_end(&b->w, b->len_at, b->len_at + 2);
	b->w.cap += b->tail;
	if (b->family == IP_V6) {
		memmove(b->w.buf + b->w.len, b->w.buf + b->w.cap - b->tail, b->tail);
		b->w.len += b->tail;
		wr_len16_end(&b->w, b->attrs_at, b->attrs_at + 2);
	} else {
		wr_zero(&b->w, b->tail);
	}
	return wire_end(&b->w);
}

size_t update_build_eor(uint8_t *buf, size_t cap, uint8_t family)
{
	struct update_build b;

	update_build_withdraw(&b, buf, cap, family);
	return update_build_end(&b);
}
