/* First stage: is this frame a sound IPv4 packet for a router to take up? RFC 791 3.1, RFC 1812 4.2.2, 5.2.2, 5.3.7
 *
 * Survivors are single-segment, unshared, begin at the IPv4 header, have no octets behind the IP total length, and
 * their pkt is set (kind CLEAR). ARP goes to neigh; the rest is dropped.
 */
#pragma once

#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/build.h"
#include "dataplane/una.h"
#include "ring/stats.h"

struct worker;

uint16_t parse_burst(struct worker *w, struct rte_mbuf **m, uint16_t n);

/* Are these addresses (host order) such as a packet that is routed may have? The source: not 0/8, 127/8, multicast,
 * class E or broadcast; the destination the same. RFC 1812 5.3.7, 4.2.2.11 */
static inline bool parse_addr_ok(uint32_t a)
{
	return likely(a >= 0x01000000 && a < 0xe0000000 && a >> 24 != 127);
}

/* Sum of n 16-bit words in memory order, not folded. */
static inline uint32_t parse_sum16(const void *p, unsigned n_words)
{
	const uint8_t *v = p;
	uint32_t sum = 0;

	for (unsigned i = 0; i < n_words; i++)
		sum += una_get16(v + i * 2);
	return sum;
}

/* Is the header's checksum right? ihl: octets. RFC 1071 */
static inline bool parse_cksum_ok(const struct rte_ipv4_hdr *ip, uint16_t ihl)
{
	uint32_t sum = parse_sum16(ip, 10);

	if (unlikely(ihl > sizeof(*ip)))
		sum += parse_sum16(ip + 1, (ihl - sizeof(*ip)) / 2);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* A sound IPv4 header of `avail` octets? DROP_N: yes. */
enum stats_drop parse_ip(const struct rte_ipv4_hdr *ip, uint32_t avail, bool cksum_known_good);
