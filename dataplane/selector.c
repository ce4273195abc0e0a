#include "dataplane/selector.h"

#include <netinet/in.h>

#include "base/build.h"

enum { PROTO_DCCP = 33, PROTO_MH = 135, PROTO_UDPLITE = 136 };

static struct ip6 addr4(const void *p)
{
	return (struct ip6){0, rte_be_to_cpu_32(una_get32(p))};
}

/* The fields that stand where a port stands: l4 is the next layer's header, n octets of it. RFC 4301 4.4.1.1, RFC 7296 3.13.1 */
static void ports_read(struct selector_key *k, const uint8_t *l4, int n)
{
	if (n < 4)
		return;
	switch (k->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case PROTO_UDPLITE:
	case PROTO_DCCP:
		k->sport = (uint16_t)(l4[0] << 8 | l4[1]);
		k->dport = (uint16_t)(l4[2] << 8 | l4[3]);
		k->ports_known = true;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		k->sport = k->dport = (uint16_t)(l4[0] << 8 | l4[1]);
		k->ports_known = k->one_port = true;
		break;
	case PROTO_MH: /* RFC 6275 6.1.1: the type is the third octet */
		k->sport = k->dport = (uint16_t)(l4[2] << 8);
		k->ports_known = k->one_port = true;
		break;
	}
}

static void key4(struct selector_key *k, const struct rte_ipv4_hdr *ip, uint16_t len)
{
	uint16_t ihl = (uint16_t)((ip->version_ihl & 15) * 4);

	k->family = 4;
	k->src = addr4(&ip->src_addr);
	k->dst = addr4(&ip->dst_addr);
	k->proto = ip->next_proto_id;
	k->proto_known = true;
	k->fragment = (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0;
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return;
	k->off = ihl;
	ports_read(k, (const uint8_t *)ip + ihl, len - ihl);
}

/* RFC 4301 4.4.1.1: hop-by-hop, routing, fragment and destination options headers are passed over, AH and ESP are not. A chain that
 * leaves the packet, or is longer than anybody's, hides the protocol. */
static void key6(struct selector_key *k, const struct rte_ipv6_hdr *ip, uint16_t len)
{
	struct ip6_chain c;

	k->family = 6;
	k->src = ip6_get(ip6_src(ip));
	k->dst = ip6_get(ip6_dst(ip));
	if (ip6_walk(ip, len, &c) != DROP_N)
		return;
	k->fragment = !c.whole;
	k->proto = c.proto;
	k->proto_known = ip6_is_upper(c.proto); /* not so behind the header of a later fragment */
	if (c.later)
		return;
	k->off = c.off;
	ports_read(k, (const uint8_t *)ip + c.off, len - c.off);
}

void selector_key(struct selector_key *k, const void *ip, uint16_t len, bool v6)
{
	*k = (struct selector_key){0};
	if (v6)
		key6(k, ip, len);
	else
		key4(k, ip, len);
}

static bool le(struct ip6 a, struct ip6 b)
{
	return a.hi < b.hi || (a.hi == b.hi && a.lo <= b.lo);
}

static bool addr_in(const struct msg_ts *t, struct ip6 a, uint8_t family)
{
	if (family == 4)
		return le(addr4(t->lo), a) && le(a, addr4(t->hi));
	return le(ip6_get(t->lo), a) && le(a, ip6_get(t->hi));
}

static bool port_in(const struct msg_ts *t, uint16_t port)
{
	return t->port_lo <= port && port <= t->port_hi;
}

static bool ports_any(const struct msg_ts *t)
{
	return t->port_lo == 0 && t->port_hi == UINT16_MAX;
}

/* Protocol and ports. unseen: what to say where they are not to be seen. */
static bool next_layer_in(const struct msg_ts_pair *t, const struct msg_ts *src, const struct msg_ts *dst,
			  const struct selector_key *k, bool unseen)
{
	if (t->proto != 0 && !(k->proto_known ? t->proto == k->proto : unseen))
		return false;
	if (!k->ports_known)
		return (ports_any(src) && ports_any(dst)) || (unseen && (k->fragment || !k->proto_known));
	/* the sender's end says what may be sent, where there is one field only: RFC 4301 4.4.1.3 B */
	return port_in(src, k->sport) && (k->one_port || port_in(dst, k->dport));
}

static bool match(const struct msg_ts_pair *ts, unsigned n, uint32_t dir, const struct selector_key *k, bool unseen)
{
	for (unsigned i = 0; i < n; i++) {
		const struct msg_ts_pair *t = &ts[i];
		const struct msg_ts *src = dir == MSG_DIR_IN ? &t->remote : &t->local;
		const struct msg_ts *dst = dir == MSG_DIR_IN ? &t->local : &t->remote;

		if (t->family == k->family && addr_in(src, k->src, k->family) && addr_in(dst, k->dst, k->family) &&
		    next_layer_in(t, src, dst, k, unseen))
			return true;
	}
	return false;
}

bool selector_match(const struct msg_ts_pair *ts, unsigned n, uint32_t dir, const struct selector_key *k)
{
	return match(ts, n, dir, k, false);
}

bool selector_may_match(const struct msg_ts_pair *ts, unsigned n, uint32_t dir, const struct selector_key *k)
{
	return match(ts, n, dir, k, true);
}
