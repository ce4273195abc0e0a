/* What the door shows: a peer's session and the RIB's rows. */
#include <string.h>

#include "bgp/peer.h"

unsigned bgp_peer_count(const struct bgp *b)
{
	return b->n_peers;
}

static void put_session(const struct conn *c, struct bgp_peer_info *out)
{
	out->conn = c->id;
	out->local = c->local;
	if (c->state < BGP_OPENCONFIRM)
		return;
	out->remote_id = c->open.id;
	out->hold_s = c->hold_s;
	out->keepalive_s = c->keepalive_ms / 1000;
	out->as4 = c->codec.as4;
	out->refresh = c->refresh;
	out->mp_v4 = c->codec.mp_v4;
	out->mp_v6 = c->codec.mp_v6;
}

static void put_received(const struct peer *p, struct bgp_peer_info *out)
{
	out->caps_rcvd = p->caps_rcvd;
	out->as4_rcvd = p->open.as4;
	out->refresh_rcvd = p->open.refresh;
	out->mp_v4_rcvd = p->open.mp_v4;
	out->mp_v6_rcvd = p->open.mp_v6;
	memcpy(out->msg_in, p->msg_in, sizeof(out->msg_in));
	memcpy(out->msg_out, p->msg_out, sizeof(out->msg_out));
	out->pfx_received = rib_received(p->b->rib, p->index);
	out->pfx_accepted = rib_accepted(p->b->rib, p->index);
	out->pfx_sent = out_count(p->b->rib, p->index);
	out->malformed_withdraw = p->malformed_withdraw;
	out->malformed_discard = p->malformed_discard;
}

bool bgp_peer_info(const struct bgp *b, uint32_t peer, struct bgp_peer_info *out)
{
	const struct peer *p = peer < b->n_peers ? b->peer[peer] : NULL;

	memset(out, 0, sizeof(*out));
	if (!p)
		return false;
	out->cfg = &p->cfg;
	out->state = p->shown;
	out->since_ms = p->since_ms;
	out->established = p->established;
	out->no_import = !p->import;
	out->no_export = !p->export;
	out->max_prefix_hit = p->limit_hit;
	out->last_error = p->last_error;
	out->last_error_ms = p->last_error_ms;
	out->unreachable = p->unreachable;
	put_session(peer_best(p), out);
	put_received(p, out);
	return true;
}

uint32_t bgp_peer_by_addr(const struct bgp *b, const struct ip_addr *a)
{
	for (unsigned i = 0; i < b->n_peers; i++)
		if (b->peer[i] && ip_equal(&b->peer[i]->cfg.addr, a))
			return i;
	return BGP_NO_PEER;
}

uint32_t bgp_peer_find(const struct bgp *b, const char *name_or_addr)
{
	struct ip_addr a;

	for (unsigned i = 0; i < b->n_peers; i++)
		if (b->peer[i] && strcmp(b->peer[i]->cfg.name, name_or_addr) == 0)
			return i;
	return ip_parse(name_or_addr, &a) == 0 ? bgp_peer_by_addr(b, &a) : BGP_NO_PEER;
}

uint32_t bgp_router_id(const struct bgp *b)
{
	return b->router_id;
}

unsigned bgp_walk(struct bgp *b, enum bgp_view v, uint32_t peer, struct ip_prefix *after, unsigned max,
		  bool (*fn)(void *arg, const struct bgp_row *r), void *arg)
{
	return rib_walk(b->rib, v, peer, after, max, fn, arg);
}

void bgp_totals(const struct bgp *b, struct bgp_totals *out)
{
	rib_totals(b->rib, out);
}
