/* Bodies of BGP messages for the fuzz targets: what is taken keeps its promises, and comes back when it is written again. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/aspath.h"
#include "bgp/bgp.h"
#include "bgp/update.h"

enum { FUZZ_AS4 = 1, FUZZ_V4 = 2, FUZZ_V6 = 4, FUZZ_SETS = 8, FUZZ_CHECK = 16 };

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

static inline void bgp_error_ok(const struct bgp_error *e, unsigned code)
{
	must(e->code == code && e->data_len <= sizeof(e->data));
	must(memchr(e->text, 0, sizeof(e->text)) && e->text[0]);
}

static inline void bgp_body_open(struct rd body)
{
	uint8_t buf[128];
	struct bgp_open o, back;
	struct bgp_error err;

	if (!wire_open_parse(body, &o, &err)) {
		bgp_error_ok(&err, BGP_ERR_OPEN);
		return;
	}
	must(o.version == 4 && o.as && o.my_as && o.id && o.hold_s != 1 && o.hold_s != 2);
	must(wire_open_check_as(&o, o.as, &err) && !wire_open_check_as(&o, o.as + 1, &err));

	size_t n = wire_open_build(buf, sizeof(buf), &o);

	must(n >= BGP_OPEN_MIN && wire_open_parse(rd_of(buf + BGP_HDR, n - BGP_HDR), &back, &err));
	must(back.hold_s == o.hold_s && back.id == o.id && back.refresh == o.refresh && back.as4 == o.as4);
	must(back.mp_v4 == o.mp_v4 && back.mp_v6 == o.mp_v6 && (!o.as4 || back.as == o.as));
}

static inline void bgp_nlri(struct rd r, uint8_t family)
{
	struct ip_prefix p, masked;

	while (update_next(&r, family, &p)) {
		must(p.addr.family == family && p.len <= (family == IP_V6 ? 128 : 32));
		masked = p;
		ip_mask(&masked.addr, p.len);
		must(ip_prefix_equal(&masked, &p));
	}
	must(!r.bad);
}

/* The set, written for the same session and read once more, is the same. */
static inline void bgp_again(const struct bgp_update *u, const struct bgp_codec *c)
{
	static uint8_t buf[BGP_MSG_MAX];
	static struct bgp_update again;
	struct ip_prefix p = {.addr = {.family = IP_V4, .b = {10}}, .len = 8};
	struct bgp_attrs_text text;
	struct update_build b;
	struct bgp_error err;

	bgp_attrs_text(&u->attrs.a, &text);
	must(u->attrs.a.hops == aspath_hops(attr_path(&u->attrs.a), u->attrs.a.path_len));
	update_build_announce(&b, buf, sizeof(buf), &u->attrs.a, c, IP_V4);
	if (!update_build_add(&b, &p))
		return; /* AS4_PATH beside the rest may be too much for one message */

	size_t n = update_build_end(&b);

	must(n > BGP_HDR && n <= BGP_MSG_MAX);
	must(update_decode(rd_of(buf + BGP_HDR, n - BGP_HDR), c, &again, &err) == BGP_OK);
	must(memcmp(again.attrs.room, u->attrs.room, sizeof(u->attrs.a) + attr_data_len(&u->attrs.a)) == 0);
}

static inline void bgp_body_update(struct rd body, uint8_t flags)
{
	static struct bgp_update u;
	const struct bgp_codec c = {.as4 = flags & FUZZ_AS4,
				    .mp_v4 = flags & FUZZ_V4,
				    .mp_v6 = flags & FUZZ_V6,
				    .as_sets = flags & FUZZ_SETS,
				    .local_as = 65001,
				    .peer_as = flags & FUZZ_CHECK ? 65000 : 0};
	struct bgp_error err = {.code = 0};
	enum bgp_verdict v = update_decode(body, &c, &u, &err);

	if (v != BGP_OK)
		bgp_error_ok(&err, BGP_ERR_UPDATE);
	must((v == BGP_OK && !u.discarded) || v != BGP_OK);
	if (v == BGP_RESET)
		return;
	bgp_nlri(u.withdraw_v4, IP_V4);
	bgp_nlri(u.announce_v4, IP_V4);
	bgp_nlri(u.withdraw_mp, u.mp_withdraw_family);
	bgp_nlri(u.announce_mp, u.mp_announce_family);
	must(c.mp_v4 || (!rd_left(&u.announce_v4) && u.mp_announce_family != IP_V4));
	must(c.mp_v6 || (u.mp_announce_family != IP_V6 && u.mp_withdraw_family != IP_V6));
	must(!u.has_attrs || v < BGP_TREAT_AS_WITHDRAW);
	must(!(u.eor_v4 && u.eor_v6));
	if (u.has_attrs) {
		must(attr_data_len(&u.attrs.a) <= BGP_ATTRS_DATA_MAX);
		must(!c.peer_as || aspath_first(attr_path(&u.attrs.a), u.attrs.a.path_len) == c.peer_as);
		must(c.as_sets || !aspath_has_set(attr_path(&u.attrs.a), u.attrs.a.path_len));
		must(!aspath_contains(attr_path(&u.attrs.a), u.attrs.a.path_len, 0));
		if (rd_left(&u.announce_v4))
			bgp_again(&u, &c);
	}
}
