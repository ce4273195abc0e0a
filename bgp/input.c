#include "bgp/peer.h"

/* The next prefixes of a field, at most as many as the RIB looks ahead. */
static unsigned take(struct peer *p, struct rd *nlri, uint8_t family, struct ip_prefix prefix[RIB_AHEAD])
{
	unsigned n = 0;

	while (n < RIB_AHEAD && update_next(nlri, family, &prefix[n]))
		n++;
	rib_prefetch(p->b->rib, family, prefix, n);
	return n;
}

static void withdraw(struct peer *p, struct rd nlri, uint8_t family)
{
	struct ip_prefix prefix[RIB_AHEAD];
	unsigned n;

	while ((n = take(p, &nlri, family, prefix)))
		for (unsigned i = 0; i < n; i++)
			rib_withdraw(p->b->rib, p->index, &prefix[i]);
}

/* False: more than max-prefix-in. err is RFC 4486 4's: AFI, SAFI, the limit. */
static bool announce(struct conn *c, struct rd nlri, uint8_t family, const struct bgp_attrs *a)
{
	struct peer *p = c->peer;
	struct ip_prefix prefix[RIB_AHEAD];
	uint32_t max = p->cfg.max_prefix_in;
	unsigned n;

	while ((n = take(p, &nlri, family, prefix)))
		for (unsigned i = 0; i < n; i++) {
			rib_update(p->b->rib, p->index, &prefix[i], a);
			if (max && rib_received(p->b->rib, p->index) > max) {
				input_limit(c, family);
				return false;
			}
		}
	return true;
}

void input_limit(struct conn *c, uint8_t family)
{
	uint32_t max = c->peer->cfg.max_prefix_in;
	uint8_t data[7];
	struct wr w = wr_of(data, sizeof(data));

	wr_u16(&w, family == IP_V6 ? BGP_AFI_V6 : BGP_AFI_V4);
	wr_u8(&w, BGP_SAFI_UNICAST);
	wr_u32(&w, max);
	wire_error(&c->err, BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIX, data, w.len,
		   "the peer told more than %u prefixes, the limit here", max);
	c->peer->limit = c->peer->limit_hit = true;
}

static bool announce_all(struct conn *c, struct bgp_update *u)
{
	struct intern *in = c->peer->b->intern;
	const struct bgp_attrs *a;
	bool ok = true;

	if (!u->has_attrs)
		return true;
	if (rd_left(&u->announce_v4)) {
		a = intern_get(in, &u->attrs.a);
		ok = announce(c, u->announce_v4, IP_V4, a);
		intern_put(in, a);
	}
	if (ok && rd_left(&u->announce_mp)) {
		u->attrs.a.nexthop = u->mp_nexthop;
		a = intern_get(in, &u->attrs.a);
		ok = announce(c, u->announce_mp, u->mp_announce_family, a);
		intern_put(in, a);
	}
	return ok;
}

enum fsm_event input_update(struct conn *c)
{
	struct peer *p = c->peer;
	struct bgp_update *u = &p->b->update;
	enum bgp_verdict v = update_decode(c->body, &c->codec, u, &c->err);

	if (v == BGP_RESET)
		return FSM_UPDATE_ERROR;
	/* Withdrawn first: a prefix in both fields is announced (RFC 4271 4.3). */
	withdraw(p, u->withdraw_v4, IP_V4);
	withdraw(p, u->withdraw_mp, u->mp_withdraw_family);
	if (v == BGP_TREAT_AS_WITHDRAW) {
		/* RFC 7606 2: the earlier path goes with it */
		withdraw(p, u->announce_v4, IP_V4);
		withdraw(p, u->announce_mp, u->mp_announce_family);
		p->malformed_withdraw++;
		peer_report(p, "an UPDATE with a malformed attribute was taken as a withdrawal", c->err.text);
		return FSM_NONE;
	}
	if (v == BGP_DISCARD_ATTR) {
		p->malformed_discard += u->discarded;
		peer_report(p, "a malformed attribute was left out", c->err.text);
	}
	return announce_all(c, u) ? FSM_NONE : FSM_AUTO_STOP;
}

/* RFC 4271 6.2 and 6.8: is it a good one, and may this connection live beside the other? */
static void open_message(struct conn *c)
{
	struct peer *p = c->peer;
	struct conn *other = c == p->main ? p->second : p->main;
	struct bgp_open o;

	if (c->state != BGP_OPENSENT) {
		fsm_run(c, FSM_OPEN); /* out of place, whatever it says */
		return;
	}
	if (!wire_open_parse(c->body, &o, &c->err)) {
		fsm_run(c, FSM_OPEN_ERROR);
		return;
	}
	p->open = o;
	p->caps_rcvd = true;
	if (!wire_open_check_as(&o, p->cfg.as, &c->err) || !session_negotiate(c, &o, &c->err)) {
		fsm_run(c, FSM_OPEN_ERROR);
		return;
	}
	switch (collide(other->state, other->open.id, c->ours, (struct collide_side){p->b->router_id, p->b->as},
			(struct collide_side){o.id, o.as})) {
	case COLLIDE_NEW_LOSES:
		fsm_run(c, FSM_COLLISION);
		return;
	case COLLIDE_OLD_LOSES:
		fsm_run(other, FSM_COLLISION);
		break;
	case COLLIDE_NONE:
		break;
	}
	fsm_run(c, FSM_OPEN);
}

static void refresh_message(struct conn *c, struct rd msg)
{
	struct bgp_refresh r;

	c->family = IP_NONE;
	if (c->state == BGP_ESTABLISHED) {
		if (!wire_refresh_parse(msg, &r, &c->err)) {
			fsm_run(c, FSM_REFRESH_ERROR);
			return;
		}
		/* An unknown family (2918 4) or subtype (7313 5) is ignored. */
		if (r.subtype == 0 && r.safi == BGP_SAFI_UNICAST)
			c->family = r.afi == BGP_AFI_V4 && c->codec.mp_v4   ? IP_V4
				    : r.afi == BGP_AFI_V6 && c->codec.mp_v6 ? IP_V6
									    : IP_NONE;
	}
	fsm_run(c, FSM_REFRESH);
}

void input_message(struct conn *c, uint8_t type, struct rd msg)
{
	struct peer *p = c->peer;

	p->msg_in[0]++;
	if (type < N_ELEMS(p->msg_in))
		p->msg_in[type]++;
	c->type = type;
	c->body = msg;
	rd_skip(&c->body, BGP_HDR);
	switch ((enum bgp_msg_type)type) {
	case BGP_OPEN:
		open_message(c);
		break;
	case BGP_UPDATE:
		fsm_run(c, FSM_UPDATE);
		break;
	case BGP_NOTIFICATION:
		wire_notification_parse(c->body, &c->told);
		fsm_run(c, FSM_NOTIFICATION);
		break;
	case BGP_KEEPALIVE:
		fsm_run(c, FSM_KEEPALIVE);
		break;
	case BGP_ROUTE_REFRESH:
		refresh_message(c, msg);
		break;
	}
}
