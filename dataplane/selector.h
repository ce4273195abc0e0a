/* Traffic selectors: may this inner packet travel by this SA? RFC 4301 4.4.1.1, 4.4.1.3, 5.2, 7; RFC 7296 2.9
 *
 * The first IPv4 pair's addresses are in the SA's hot line when that is all there is; this is the whole test, for SAs with more
 * pairs, a protocol or ports, for IPv6, and for the selectors of a tunnel's config.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/ip6.h"
#include "ring/msg.h"

/* What selectors look at in a packet. An IPv4 address is a number in lo. */
struct selector_key {
	struct ip6 src, dst;
	uint8_t family; /* 4 or 6 */
	uint8_t proto;  /* next layer protocol: what stands behind IPv6's extension headers */
	bool proto_known;
	bool ports_known;
	bool one_port; /* ICMP's type and code, or a mobility header's type, in both; RFC 4301 4.4.1.3 B */
	bool fragment;
	uint16_t sport, dport;
	uint16_t off; /* of the next layer's header; 0: not there */
};

/* Read a packet of len octets whose IP header was found sound (parse.h). A fragment other than the first has no ports to look at, so
 * it matches no pair that names some (RFC 4301 7.1; 7.3 would need a state), and in IPv6 its protocol may not be there either. */
void selector_key(struct selector_key *k, const void *ip, uint16_t len, bool v6);
/* Does one of the n pairs name it? dir: MSG_DIR_*, whose way the packet goes. */
bool selector_match(const struct msg_ts_pair *ts, unsigned n, uint32_t dir, const struct selector_key *k);
/* The same, where a fragment's ports and what else is not to be seen could be such as are named. */
bool selector_may_match(const struct msg_ts_pair *ts, unsigned n, uint32_t dir, const struct selector_key *k);
