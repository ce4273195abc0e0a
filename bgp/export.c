/* Which set goes to a peer: RFC 1997, the export policy, and what eBGP changes. RFC 4271 5.1, 9.1.3, 9.2.
 *
 *   best path -> not back to whom it is from -> NO_EXPORT, NO_ADVERTISE (1997) -> next hop and MED as a neighbour sees them
 *   (5.1.3, 5.1.4) -> export policy (which may set both) -> own AS in front (5.1.2), LOCAL_PREF off (5.1.5), extended
 *   communities that are not transitive off (4360 6)
 *
 * The next hop goes before the policy, so that `set next_hop` is told from a learned one that is the same. A path with the
 * peer's own AS in it is sent: the peer refuses it (as FRR and BIRD do by default).
 */
#include "bgp/rib_core.h"

#include <string.h>

#include "base/build.h"
#include "bgp/aspath.h"

enum { NO_EXPORT_FIRST = 0xffffff01, NO_EXPORT_LAST = 0xffffff03 /* NO_EXPORT, NO_ADVERTISE, .._SUBCONFED */ };

static bool stays_here(const struct bgp_attrs *a)
{
	struct rd r = rd_of(attr_comm(a), a->comm_len);

	while (rd_left(&r) >= 4) {
		uint32_t c = rd_u32(&r);

		if (c >= (uint32_t)NO_EXPORT_FIRST && c <= (uint32_t)NO_EXPORT_LAST)
			return true;
	}
	return false;
}

static void put(struct rib *r, const struct bgp_attrs **at, const struct bgp_attrs *a)
{
	intern_put(r->in, *at);
	*at = a;
}

void export_forget(struct rib *r, struct rib_peer *p)
{
	put(r, &p->out.cache.in, NULL);
	put(r, &p->out.cache.base, NULL);
	put(r, &p->out.cache.said, NULL);
	put(r, &p->out.cache.wire, NULL);
}

/* RFC 4271 5.1.3: ours; or the learned one where the peer reaches it without us. IP_NONE: the session has no address of this
 * family, only a policy can give one. */
static struct ip_addr next_hop(const struct rib_session *s, uint8_t family, const struct bgp_attrs *a)
{
	const struct ip_addr *nh = &a->nexthop;

	if (s->multihop == 0 && nh->family == family && s->lan.addr.family == family && ip_prefix_contains(&s->lan, nh))
		return *nh;
	return s->codec.local.family == family ? s->codec.local : (struct ip_addr){.family = IP_NONE};
}

/* As a neighbour sees it, before policy. NULL: not to be told. */
static const struct bgp_attrs *base_of(struct rib *r, const struct rib_session *s, uint8_t family,
				       const struct bgp_attrs *a)
{
	struct bgp_attrs_draft d;

	if (stays_here(a))
		return NULL;
	attr_draft(&d, a);
	d.a.nexthop = next_hop(s, family, a);
	d.a.has &= (uint8_t) ~(BGP_HAS_MED | BGP_HAS_LOCAL_PREF | BGP_HAS_LOCAL);
	d.a.med = d.a.local_pref = 0;
	return intern_get(r->in, &d.a);
}

/* RFC 4360 6: an extended community that is not transitive does not go into another AS. */
static int drop_not_transitive(struct bgp_attrs_draft *d, const struct bgp_attrs *a)
{
	enum { SIZE = 8, NOT_TRANSITIVE = 0x40 };
	uint8_t keep[BGP_ATTRS_DATA_MAX];
	const uint8_t *ext = attr_ext(a);
	size_t len = 0;

	for (size_t at = 0; at + SIZE <= a->ext_len; at += SIZE)
		if (!(ext[at] & NOT_TRANSITIVE)) {
			memcpy(&keep[len], &ext[at], SIZE);
			len += SIZE;
		}
	return len == a->ext_len ? 0 : attr_set_part(d, 2, keep, len);
}

/* What the policy said, as it goes on the wire. NULL: it cannot. */
static const struct bgp_attrs *wire_of(struct rib *r, const struct rib_peer *p, uint8_t family,
				       const struct bgp_attrs *a)
{
	struct bgp_attrs_draft d;
	uint8_t path[BGP_ATTRS_DATA_MAX];
	size_t len = aspath_prepend(attr_path(a), a->path_len, p->local_as, 1, path, sizeof(path));

	attr_draft(&d, a);
	if (len == 0 || attr_set_part(&d, 0, path, len) || (a->ext_len && drop_not_transitive(&d, a)))
		return NULL;
	d.a.has &= (uint8_t)~BGP_HAS_LOCAL_PREF;
	d.a.local_pref = 0;
	/* never the peer's own, whoever has set it */
	if (ip_equal(&d.a.nexthop, &p->s.codec.remote))
		d.a.nexthop = p->s.codec.local;
	return d.a.nexthop.family == family ? intern_get(r->in, &d.a) : NULL;
}

/* Seed row 3-06: ORIGIN IGP, our AS alone, MED 0, next hop self; no policy is asked (3-07). */
static const struct bgp_attrs *the_default(struct rib *r, const struct rib_peer *p, uint8_t family)
{
	struct bgp_attrs_draft d;

	attr_draft(&d, r->local);
	d.a.nexthop = next_hop(&p->s, family, r->local);
	d.a.has = BGP_HAS_MED;
	return wire_of(r, p, family, &d.a);
}

static const struct bgp_attrs *with_policy(struct rib *r, struct rib_peer *p, const struct ip_prefix *prefix,
					   const struct bgp_attrs *a)
{
	struct export_cache *c = &p->out.cache;
	struct policy_ctx ctx = {.local_as = p->local_as, .peer_as = p->s.codec.peer_as};
	const struct bgp_attrs *said;
	uint8_t family = prefix->addr.family;

	if (c->in != a || c->family != family) {
		put(r, &c->base, base_of(r, &p->s, family, a));
		put(r, &c->in, intern_ref(a));
		c->family = family;
	}
	if (!c->base)
		return NULL;
	said = policy_apply(p->export, &ctx, prefix, c->base, NULL);
	if (!said)
		return NULL;
	if (c->said != said) {
		put(r, &c->wire, wire_of(r, p, family, said));
		put(r, &c->said, said);
	} else {
		intern_put(r->in, said);
	}
	return c->wire ? intern_ref(c->wire) : NULL;
}

const struct bgp_attrs *export_set(struct rib *r, struct rib_peer *p, const struct ip_prefix *prefix,
				   const struct path *b)
{
	if (p->s.default_originate && prefix->len == 0)
		return the_default(r, p, prefix->addr.family);
	/* back to whom it is from: it has it, and would refuse its own AS */
	if (!b || b->peer == p->index || !p->export)
		return NULL;
	return with_policy(r, p, prefix, b->eff);
}
