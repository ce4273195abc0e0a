/* IPv6 headers: addresses as pairs of numbers, and the way through the extension headers. RFC 8200 3, 4; RFC 4291 2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "base/build.h"
#include "dataplane/una.h"
#include "ring/stats.h"

enum {
	IP6_HDR = 40,
	IP6_MIN_MTU = 1280, /* RFC 8200 5 */
	IP6_CHAIN_MAX = 8,  /* extension headers that are looked through */
	IP6_FRAG_HDR = 8,
	/* next header values */
	IP6_HOP_BY_HOP = 0,
	IP6_TCP = 6,
	IP6_UDP = 17,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_ESP = 50,
	IP6_AH = 51,
	IP6_ICMP = 58,
	IP6_NONE = 59,
	IP6_DEST_OPTIONS = 60,
};

#define IP6_VERSION      RTE_BE32(0x60000000) /* of vtc_flow, with the mask */
#define IP6_VERSION_MASK RTE_BE32(0xf0000000)

/* An address: two numbers in host order. */
struct ip6 {
	uint64_t hi, lo;
};

static inline struct ip6 ip6_get(const void *p)
{
	return (struct ip6){rte_be_to_cpu_64(una_get64(p)), rte_be_to_cpu_64(una_get64((const uint8_t *)p + 8))};
}

static inline void ip6_put(void *p, struct ip6 a)
{
	una_put64(p, rte_cpu_to_be_64(a.hi));
	una_put64((uint8_t *)p + 8, rte_cpu_to_be_64(a.lo));
}

static inline bool ip6_equal(struct ip6 a, struct ip6 b)
{
	return ((a.hi ^ b.hi) | (a.lo ^ b.lo)) == 0;
}

/* The same of addresses in memory. */
static inline bool ip6_same(const void *a, const void *b)
{
	return ((una_get64(a) ^ una_get64(b)) |
		(una_get64((const uint8_t *)a + 8) ^ una_get64((const uint8_t *)b + 8))) == 0;
}

/* Octets of the addresses in a header: DPDK changed their type between releases. */
static inline const uint8_t *ip6_src(const struct rte_ipv6_hdr *ip)
{
	return (const uint8_t *)ip + 8;
}

static inline const uint8_t *ip6_dst(const struct rte_ipv6_hdr *ip)
{
	return (const uint8_t *)ip + 24;
}

static inline bool ip6_is_multicast(struct ip6 a)
{
	return a.hi >> 56 == 0xff;
}

static inline bool ip6_is_link_local(struct ip6 a) /* RFC 4291 2.5.6 */
{
	return a.hi >> 54 == 0xfe80 >> 6;
}

static inline bool ip6_is_any(struct ip6 a)
{
	return (a.hi | a.lo) == 0;
}

/* Can it be the address of a host? Not of ::/64, which has the unspecified address, loopback and those that stand for IPv4's
 * (RFC 4291 2.5.2, 2.5.3, 2.5.5), and no group. */
static inline bool ip6_addr_ok(struct ip6 a)
{
	return likely(a.hi - 1 < 0xff00000000000000 - 1);
}

static inline uint8_t ip6_tclass(const struct rte_ipv6_hdr *ip)
{
	return (uint8_t)(rte_be_to_cpu_32(ip->vtc_flow) >> 20);
}

/* The group that listens for an address. RFC 4291 2.7.1 */
static inline struct ip6 ip6_solicited_node(struct ip6 a)
{
	return (struct ip6){0xff02000000000000, 0x1ff000000 | (a.lo & 0xffffff)};
}

/* Link-local from a MAC. RFC 4291 2.5.6, appendix A */
static inline struct ip6 ip6_eui64(const uint8_t mac[6])
{
	uint64_t lo = (uint64_t)(mac[0] ^ 2) << 56 | (uint64_t)mac[1] << 48 | (uint64_t)mac[2] << 40 |
		      (uint64_t)0xfffe << 24 | (uint64_t)mac[3] << 16 | (uint64_t)mac[4] << 8 | mac[5];

	return (struct ip6){0xfe80000000000000, lo};
}

/* What the chain of headers leads to. Offsets are octets from the IPv6 header. */
struct ip6_chain {
	uint8_t proto;     /* of the header at off: no extension header */
	bool later;        /* a fragment but the first: at off is no header */
	bool whole;        /* no fragment; an atomic one (RFC 6946) neither */
	uint16_t off;      /* <= the packet's length */
	uint16_t frag;     /* offset of the fragment header; 0: none */
	uint16_t hop_opts; /* of the hop-by-hop options; 0: none */
	uint16_t last;     /* offset of the octet that says proto */
};

/* Go through the extension headers of a packet of len octets (header included, all there). DROP_N; DROP_EXT_HEADER: one is cut off, in
 * the wrong place, or there are too many, or a routing header of type 0 wants to go on (RFC 5095), or a first fragment does not
 * hold them all (RFC 7112); DROP_BAD_LENGTH: a jumbogram (RFC 2675). */
enum stats_drop ip6_walk(const struct rte_ipv6_hdr *ip, uint16_t len, struct ip6_chain *out);

/* No extension header has this number. */
static inline bool ip6_is_upper(uint8_t proto)
{
	return proto != IP6_HOP_BY_HOP && proto != IP6_ROUTING && proto != IP6_FRAGMENT && proto != IP6_DEST_OPTIONS;
}

/* Options of one header (hop-by-hop or destination) that its receiver has to know. RFC 8200 4.2 */
struct ip6_option {
	uint8_t action; /* the two high bits of an unknown one: 0 none, or passed over; 1 discard, 2 and say so, 3 unless to a group */
	uint16_t off; /* of its type, in the packet */
};

/* The header at off, which ip6_walk() has passed. false: they are no options. */
bool ip6_options(const struct rte_ipv6_hdr *ip, uint16_t off, struct ip6_option *unknown);

/* Checksum over the pseudo header and len octets of an upper header at p: what its field has to be, the field being zero;
 * 0 when the field is right. RFC 8200 8.1 */
uint16_t ip6_cksum(struct ip6 src, struct ip6 dst, uint8_t proto, const void *p, uint32_t len);
/* The same over the pseudo header alone. */
uint16_t ip6_cksum_pseudo(struct ip6 src, struct ip6 dst, uint8_t proto, uint32_t len);
