/* First stage: is this frame a sound IP packet for a router to take up? RFC 791 3.1, RFC 1812 4.2.2, 5.2.2, 5.3.7; RFC 8200 3, 4
 *
 * Survivors are single-segment, unshared, begin at the IP header, have no octets behind the length that it says, and
 * their pkt is set (kind CLEAR, and V6). ARP and neighbour discovery go to neigh; the rest is dropped.
 */
#pragma once

#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/build.h"
#include "dataplane/ip6.h"
#include "dataplane/una.h"
#include "ring/stats.h"

struct worker;

uint16_t parse_burst(struct worker *w, struct rte_mbuf **m, uint16_t n);

/* Are these addresses (host order) such as a packet that is routed may have? The source: not 0/8, 127/8, multicast,
 * class E or broadcast; the destination the same. RFC 1812 5.3.7, 4.2.2.11 */
static inline bool parse_addr_ok(uint32_t a)
{
	return likely(a - 0x01000000 < 0xdf000000 && a >> 24 != 127);
}

/* Is the checksum of a header of len octets (a multiple of 4) right? RFC 1071 2: words of any size give the same sum, and all
 * ones, which it has to be, is what divides by 65535; a header is never all zero. */
static inline bool parse_cksum_ok(const struct rte_ipv4_hdr *ip, uint16_t len)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < len; i = (uint16_t)(i + 4))
		sum += una_get32((const uint8_t *)ip + i);
	return sum % 65535 == 0;
}

/* Everything that parse_ip() looks at, for the header that almost every packet has: no options. false: ask parse_ip(). */
static inline bool parse_plain(const struct rte_ipv4_hdr *ip, uint32_t avail)
{
	uint16_t total = rte_be_to_cpu_16(ip->total_length);

	return likely(avail >= sizeof(*ip) && ip->version_ihl == RTE_IPV4_VHL_DEF && total >= sizeof(*ip) &&
		      total <= avail && parse_cksum_ok(ip, sizeof(*ip)) &&
		      parse_addr_ok(rte_be_to_cpu_32(ip->src_addr)) && parse_addr_ok(rte_be_to_cpu_32(ip->dst_addr)));
}

/* A sound IPv4 header of `avail` octets? DROP_N: yes. The whole test, with the reason. */
enum stats_drop parse_ip(const struct rte_ipv4_hdr *ip, uint32_t avail, bool cksum_known_good);

/* The same for IPv6: addresses of hosts, the length that is there, and no extension header. RFC 8200 3 */
static inline bool parse_plain6(const struct rte_ipv6_hdr *ip, uint32_t avail)
{
	uint32_t total = IP6_HDR + (uint32_t)rte_be_to_cpu_16(ip->payload_len);

	return likely(avail >= IP6_HDR && (ip->vtc_flow & IP6_VERSION_MASK) == IP6_VERSION && total <= avail &&
		      total > IP6_HDR && ip6_is_upper(ip->proto) && ip6_addr_ok(ip6_get(ip6_src(ip))) &&
		      ip6_addr_ok(ip6_get(ip6_dst(ip))));
}

/* The whole test, with the reason. The chain of extension headers is sound as far as ip6_walk() goes. DROP_NOT_FOR_US: to a group. */
enum stats_drop parse_ip6(const struct rte_ipv6_hdr *ip, uint32_t avail);
