#include "dataplane/nd_msg.h"

#include <string.h>

enum { ETH = 14, HEAD = 24, ICMP = ETH + IP6_HDR, OPT_SOURCE = 1, OPT_TARGET = 2, HOPS = 255 };

/* The options behind the target: each has a length, and one may be the address that is looked for. RFC 4861 4.6 */
static bool options(const uint8_t *p, const uint8_t *end, uint8_t wanted, struct nd_msg *out)
{
	while (p < end) {
		unsigned len;

		if (end - p < 2)
			return false;
		len = p[1] * 8u;
		if (len == 0 || len > (size_t)(end - p))
			return false;
		if (p[0] == wanted && !out->has_mac) {
			if (len != 8 || p[2] & 1) /* not Ethernet's, or a group */
				return false;
			memcpy(out->mac, p + 2, 6);
			out->has_mac = true;
		}
		p += len;
	}
	return true;
}

/* RFC 4861 7.1.1, 7.1.2: what the addresses and flags must be to each other. */
static bool sound(const struct nd_msg *m)
{
	if (ip6_is_multicast(m->target) || ip6_is_any(m->target) || ip6_is_multicast(m->src) || m->src_mac[0] & 1)
		return false;
	if (m->type == ND_ADVERT)
		return ip6_addr_ok(m->src) && !(ip6_is_multicast(m->dst) && m->flags & ND_SOLICITED);
	if (ip6_is_any(m->src)) /* somebody wants to have the address: RFC 4862 5.4.2 */
		return ip6_equal(m->dst, ip6_solicited_node(m->target)) && !m->has_mac;
	return ip6_addr_ok(m->src);
}

enum stats_drop nd_msg_read(const uint8_t *f, uint16_t len, struct nd_msg *out)
{
	const struct rte_ipv6_hdr *ip = (const void *)(f + ETH);
	const uint8_t *p = f + ICMP;
	uint32_t n;

	if (len < ICMP + 8 || (ip->vtc_flow & IP6_VERSION_MASK) != IP6_VERSION || ip->proto != IP6_ICMP)
		return DROP_BAD_ND;
	n = rte_be_to_cpu_16(ip->payload_len);
	if (n > len - (uint32_t)ICMP || n < 8 || ip->hop_limits != HOPS || p[1] != 0)
		return DROP_BAD_ND;
	*out = (struct nd_msg){.src = ip6_get(ip6_src(ip)), .dst = ip6_get(ip6_dst(ip)), .type = p[0]};
	if (ip6_cksum(out->src, out->dst, IP6_ICMP, p, n) != 0)
		return DROP_BAD_ND;
	if (out->type != ND_SOLICIT && out->type != ND_ADVERT)
		return DROP_NOT_FOR_US;
	if (n < HEAD)
		return DROP_BAD_ND;
	out->target = ip6_get(p + 8);
	out->flags = out->type == ND_ADVERT ? p[4] : 0;
	memcpy(out->dst_mac, f, 6);
	memcpy(out->src_mac, f + 6, 6);
	if (!options(p + HEAD, p + n, out->type == ND_SOLICIT ? OPT_SOURCE : OPT_TARGET, out))
		return DROP_BAD_ND;
	return sound(out) ? DROP_N : DROP_BAD_ND;
}

uint16_t nd_msg_write(const struct nd_msg *m, uint8_t *f)
{
	struct rte_ipv6_hdr *ip = (void *)(f + ETH);
	uint8_t *p = f + ICMP;
	uint16_t n = HEAD + (m->has_mac ? 8 : 0);

	memset(f, 0, (size_t)ICMP + n);
	memcpy(f, m->dst_mac, 6);
	memcpy(f + 6, m->src_mac, 6);
	una_put16(f + 12, RTE_BE16(0x86dd));
	ip->vtc_flow = IP6_VERSION;
	ip->payload_len = rte_cpu_to_be_16(n);
	ip->proto = IP6_ICMP;
	ip->hop_limits = HOPS;
	ip6_put(f + ETH + 8, m->src);
	ip6_put(f + ETH + 24, m->dst);
	p[0] = m->type;
	p[4] = m->flags;
	ip6_put(p + 8, m->target);
	if (m->has_mac) {
		p[HEAD] = m->type == ND_SOLICIT ? OPT_SOURCE : OPT_TARGET;
		p[HEAD + 1] = 1;
		memcpy(p + HEAD + 2, m->mac, 6);
	}
	una_put16(p + 2, ip6_cksum(m->src, m->dst, IP6_ICMP, p, n));
	return (uint16_t)(ICMP + n);
}

void nd_group_mac(struct ip6 group, uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	for (unsigned i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(group.lo >> (24 - 8 * i));
}
