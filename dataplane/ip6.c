#include "dataplane/ip6.h"

enum {
	OPT_PAD1 = 0,
	OPT_PADN = 1,
	OPT_JUMBO = 0xc2, /* RFC 2675 */
	ROUTING_0 = 0,
	FRAG_OFFSET = 0xfff8,
	FRAG_MORE = 1,
};

/* Octets of the options header at p, of which room are there. 0: it is cut off. */
static uint16_t options_len(const uint8_t *p, uint16_t room)
{
	uint16_t len;

	if (room < 8)
		return 0;
	len = (uint16_t)((p[1] + 1) * 8);
	return len <= room ? len : 0;
}

bool ip6_options(const struct rte_ipv6_hdr *ip, uint16_t off, struct ip6_option *unknown)
{
	const uint8_t *base = (const uint8_t *)ip, *p = base + off + 2, *end = base + off + (base[off + 1] + 1) * 8;

	*unknown = (struct ip6_option){0};
	while (p < end) {
		if (*p == OPT_PAD1) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] > end - p - 2)
			return false;
		if (*p >> 6 != 0 && unknown->action == 0)
			*unknown = (struct ip6_option){.action = *p >> 6, .off = (uint16_t)(p - base)};
		p += p[1] + 2;
	}
	return true;
}

static bool has_jumbo(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == OPT_PAD1 || end - p >= 2)) {
		if (*p == OPT_JUMBO)
			return true;
		p += *p == OPT_PAD1 ? 1 : p[1] + 2;
	}
	return false;
}

/* The fragment header at p. */
static void fragment(const uint8_t *p, uint16_t off, struct ip6_chain *c)
{
	uint16_t word = rte_be_to_cpu_16(una_get16(p + 2));

	c->frag = off;
	c->later = (word & FRAG_OFFSET) != 0;
	c->whole = (word & (FRAG_OFFSET | FRAG_MORE)) == 0;
}

/* One extension header, of type c->proto at c->off: passed, or what is wrong with it. */
static enum stats_drop step(const uint8_t *base, uint16_t len, bool first, struct ip6_chain *c)
{
	const uint8_t *p = base + c->off;
	uint16_t room = (uint16_t)(len - c->off), n = options_len(p, room);

	if (c->proto == IP6_FRAGMENT)
		n = room < IP6_FRAG_HDR || c->frag != 0 ? 0 : IP6_FRAG_HDR;
	if (n == 0 || (c->proto == IP6_HOP_BY_HOP && !first)) /* 8200 4.1: only right behind the IPv6 header */
		return DROP_EXT_HEADER;
	if (c->proto == IP6_ROUTING && p[2] == ROUTING_0 && p[3] != 0)
		return DROP_EXT_HEADER;
	if (c->proto == IP6_HOP_BY_HOP) {
		if (has_jumbo(p + 2, p + n))
			return DROP_BAD_LENGTH;
		c->hop_opts = c->off;
	}
	if (c->proto == IP6_FRAGMENT)
		fragment(p, c->off, c);
	c->last = c->off;
	c->proto = p[0];
	c->off = (uint16_t)(c->off + n);
	return DROP_N;
}

enum stats_drop ip6_walk(const struct rte_ipv6_hdr *ip, uint16_t len, struct ip6_chain *out)
{
	struct ip6_chain c = {.proto = ip->proto, .off = IP6_HDR, .whole = true, .last = 6};
	enum stats_drop why = DROP_N;

	for (unsigned i = 0; !ip6_is_upper(c.proto) && !c.later && why == DROP_N; i++)
		why = i == IP6_CHAIN_MAX ? DROP_EXT_HEADER : step((const uint8_t *)ip, len, i == 0, &c);
	*out = c;
	return why;
}

uint16_t ip6_cksum_pseudo(struct ip6 src, struct ip6 dst, uint8_t proto, uint32_t len)
{
	uint8_t pseudo[40] = {0};

	ip6_put(pseudo, src);
	ip6_put(pseudo + 16, dst);
	una_put32(pseudo + 32, rte_cpu_to_be_32(len));
	pseudo[39] = proto;
	return (uint16_t)~rte_raw_cksum(pseudo, sizeof(pseudo));
}

uint16_t ip6_cksum(struct ip6 src, struct ip6 dst, uint8_t proto, const void *p, uint32_t len)
{
	uint32_t sum = (uint16_t)~ip6_cksum_pseudo(src, dst, proto, len);

	sum += rte_raw_cksum(p, len);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}
