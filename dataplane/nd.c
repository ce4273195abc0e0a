/* Neighbour discovery's answers and questions. RFC 4861 7.2, RFC 4862 5.4
 *
 * Addresses are used at once: who stands at both ends of a tunnel is not to wait, and a second host of the same address is the
 * operator's mistake, which no waiting mends. A gateway asks once whether anybody has them (5.4.2) and says so if somebody does
 * (nbr_conflict()), as with ARP.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "dataplane/nbr_core.h"
#include "dataplane/nd_msg.h"
#include "dataplane/onlink.h"

static const struct ip6 all_nodes = {0xff02000000000000, 1};

/* has_mac: with our own in it. mac: where to; NULL: the group's that is the destination. */
static void transmit(struct nbr *a, uint8_t worker, uint16_t port, struct nd_msg *d, const uint8_t *mac)
{
	const struct port *p = &a->ports->p[port];
	struct rte_mbuf *m = nbr_frame(a, worker, ND_FRAME);
	uint16_t len;

	if (!m)
		return; /* it is asked again */
	memcpy(d->src_mac, p->mac, 6);
	memcpy(d->mac, p->mac, 6);
	if (mac)
		memcpy(d->dst_mac, mac, 6);
	else
		nd_group_mac(d->dst, d->dst_mac);
	len = nd_msg_write(d, rte_pktmbuf_mtod(m, uint8_t *));
	rte_pktmbuf_trim(m, (uint16_t)(ND_FRAME - len));
	nbr_send(a, worker, port, m);
}

/* 7.2.2; to the neighbour itself when its MAC is known: 7.3.3 */
void nd_ask(struct nbr *a, const struct nbr_entry *e)
{
	const struct port *p = &a->ports->p[e->who.port];
	uint64_t mac = nbr_mac(e);
	struct nd_msg d = {.type = ND_SOLICIT,
			   .dst = mac ? e->who.addr6 : ip6_solicited_node(e->who.addr6),
			   .target = e->who.addr6,
			   .has_mac = true};

	if (onlink_source6(p, e->who.addr6, &d.src))
		transmit(a, e->asks, e->who.port, &d, mac ? (const uint8_t *)&mac : NULL);
}

/* 7.2.4 */
static void answer(struct nbr *a, uint8_t worker, uint16_t port, const struct nd_msg *s, bool anycast)
{
	bool asked = !ip6_is_any(s->src);
	struct nd_msg d = {.type = ND_ADVERT,
			   .src = s->target,
			   .dst = asked ? s->src : all_nodes,
			   .target = s->target,
			   .flags = (uint8_t)(ND_ROUTER | (asked ? ND_SOLICITED : 0) | (anycast ? 0 : ND_OVERRIDE)),
			   .has_mac = true};

	if (anycast && !onlink_link6(&a->ports->p[port], &d.src))
		return;
	transmit(a, worker, port, &d, asked ? (s->has_mac ? s->mac : s->src_mac) : NULL);
}

/* 7.2.3: what is said about the sender is hearsay, until it answers. */
static void solicited(struct nbr *a, uint8_t worker, uint16_t port, const struct nd_msg *s, uint64_t now_ms)
{
	const struct port *p = &a->ports->p[port];
	const struct neigh_who who = {.addr6 = s->src, .port = port, .six = true};
	bool anycast = onlink_is_anycast6(p, s->target);
	struct nbr_entry *e;

	if (!anycast && !onlink_is_ours6(p, s->target)) {
		a->count.ignored++;
		return;
	}
	if (s->has_mac) {
		e = nbr_find(a, &who);
		/* an entry of its own only for a host of this link: others would be a way to fill the table */
		if (!e && onlink_is_on6(p, s->src))
			e = nbr_make(a, &who, worker);
		if (e && nbr_mac(e) != neigh_mac_pack(s->mac))
			nbr_resolve(a, e, s->mac, NBR_STALE, now_ms);
	}
	answer(a, worker, port, s, anycast);
}

/* 7.2.5 */
static void advertised(struct nbr *a, const struct nd_msg *d, uint16_t port, uint64_t now_ms)
{
	const struct neigh_who who = {.addr6 = d->target, .port = port, .six = true};
	const enum nbr_state state = d->flags & ND_SOLICITED ? NBR_REACHABLE : NBR_STALE;
	struct nbr_entry *e = nbr_find(a, &who);
	uint64_t known;
	bool same;

	if (!e) {
		a->count.ignored++;
		return;
	}
	known = nbr_mac(e);
	same = !d->has_mac || neigh_mac_pack(d->mac) == known;
	if (!known) {
		if (d->has_mac)
			nbr_resolve(a, e, d->mac, state, now_ms);
	} else if (!same && !(d->flags & ND_OVERRIDE)) {
		if (e->state == NBR_REACHABLE)
			nbr_doubt(a, e, now_ms);
	} else if (state == NBR_REACHABLE || !same) {
		nbr_resolve(a, e, same ? (const uint8_t *)&known : d->mac, state, now_ms);
	}
}

/* Somebody has an address of ours, or wants it. RFC 4862 5.4.3, 5.4.4, 5.4.5 */
static bool conflicts(const struct port *p, const struct nd_msg *d)
{
	struct ip6 theirs = d->type == ND_ADVERT || ip6_is_any(d->src) ? d->target : d->src;

	return onlink_is_ours6(p, theirs);
}

void nd_in(struct nbr *a, uint8_t worker, const struct rte_mbuf *m, uint64_t now_ms)
{
	const struct port *p = &a->ports->p[m->port];
	struct ip_addr addr;
	uint8_t octets[16];
	struct nd_msg d;

	if (nd_msg_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &d) != DROP_N ||
	    neigh_mac_pack(d.src_mac) == neigh_mac_pack(p->mac))
		return;
	if (conflicts(p, &d)) {
		ip6_put(octets, d.type == ND_ADVERT || ip6_is_any(d.src) ? d.target : d.src);
		addr = ip_from_bytes(IP_V6, octets);
		nbr_conflict(a, p, &addr, d.src_mac);
		if (d.type == ND_ADVERT || !ip6_is_any(d.src))
			return;
	}
	if (d.type == ND_SOLICIT)
		solicited(a, worker, m->port, &d, now_ms);
	else
		advertised(a, &d, m->port, now_ms);
}

/* Is this address taken? RFC 4862 5.4.2; and: it is here. RFC 4861 7.2.6 */
static void say(struct nbr *a, uint16_t port, struct ip6 addr, bool first)
{
	struct nd_msg ask = {.type = ND_SOLICIT, .dst = ip6_solicited_node(addr), .target = addr};
	struct nd_msg tell = {.type = ND_ADVERT,
			      .src = addr,
			      .dst = all_nodes,
			      .target = addr,
			      .flags = ND_ROUTER | ND_OVERRIDE,
			      .has_mac = true};

	if (first)
		transmit(a, 0, port, &ask, NULL);
	transmit(a, 0, port, &tell, NULL);
}

void nd_announce(struct nbr *a, uint16_t port, bool first)
{
	struct ip6 addr[ONLINK_ADDRS6];
	unsigned n = onlink_addrs6(&a->ports->p[port], addr);

	for (unsigned i = 0; i < n; i++)
		say(a, port, addr[i], first);
}
