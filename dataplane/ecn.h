/* Explicit congestion notification through a tunnel. RFC 6040
 *
 * In goes the inner field as it is (4.1, normal mode); out comes what figure 4 says. Pairs that no tunnel makes are passed on as it says
 * there, but noticed: somebody on the way rewrites fields that he should not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_ip.h>

#include "base/build.h"
#include "dataplane/una.h"

enum { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };
enum { ECN_ODD = 1 << 2, ECN_DROP = 1 << 3 }; /* "(!!!)" or "(!)"; <drop> */

/* RFC 6040 4.2, figure 4: rows the inner field, columns the outer one. */
static const uint8_t ecn_table[4][4] = {
	[ECN_NOT_ECT] = {[ECN_NOT_ECT] = ECN_NOT_ECT,
			 [ECN_ECT0] = ECN_NOT_ECT | ECN_ODD,
			 [ECN_ECT1] = ECN_NOT_ECT | ECN_ODD,
			 [ECN_CE] = ECN_DROP | ECN_ODD},
	[ECN_ECT0] = {[ECN_NOT_ECT] = ECN_ECT0, [ECN_ECT0] = ECN_ECT0, [ECN_ECT1] = ECN_ECT1, [ECN_CE] = ECN_CE},
	[ECN_ECT1] =
		{[ECN_NOT_ECT] = ECN_ECT1, [ECN_ECT0] = ECN_ECT1 | ECN_ODD, [ECN_ECT1] = ECN_ECT1, [ECN_CE] = ECN_CE},
	[ECN_CE] = {[ECN_NOT_ECT] = ECN_CE, [ECN_ECT0] = ECN_CE, [ECN_ECT1] = ECN_CE | ECN_ODD, [ECN_CE] = ECN_CE},
};

/* Change the octet `tos` of a header, and the checksum with it. RFC 1624 eqn. 3 */
static inline void ecn_set(struct rte_ipv4_hdr *ip, uint8_t tos)
{
	uint32_t sum = (uint16_t)~rte_be_to_cpu_16(ip->hdr_checksum);

	sum += (uint16_t)~ip->type_of_service & 0xffff;
	sum += tos;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->type_of_service = tos;
	ip->hdr_checksum = rte_cpu_to_be_16((uint16_t)~sum);
}

/* Both marks alike, as almost always: there is nothing to do. */
static inline bool ecn_same(uint8_t inner_tos, uint8_t outer_tos)
{
	return ((inner_tos ^ outer_tos) & ECN_MASK) == 0;
}

/* Take the outer header's mark over into the inner header, whose DSCP stays (RFC 4301 5.1.2.1 (9)). The table's entry: ECN_DROP, and the
 * header is as it was; ECN_ODD. */
static inline uint8_t ecn_decap(struct rte_ipv4_hdr *inner, uint8_t outer_tos)
{
	uint8_t in = inner->type_of_service & ECN_MASK, to = ecn_table[in][outer_tos & ECN_MASK];

	if (!(to & ECN_DROP) && (to & ECN_MASK) != in)
		ecn_set(inner, (uint8_t)((inner->type_of_service & ~ECN_MASK) | (to & ECN_MASK)));
	return to;
}

/* The same for IPv6: the traffic class has the low half of the first octet and the high half of the second. */
static inline uint8_t ecn_decap6(struct rte_ipv6_hdr *inner, uint8_t outer_tos)
{
	uint8_t *p = (uint8_t *)inner + 1, in = *p >> 4 & ECN_MASK, to = ecn_table[in][outer_tos & ECN_MASK];

	if (!(to & ECN_DROP))
		*p = (uint8_t)((*p & ~(ECN_MASK << 4)) | (to & ECN_MASK) << 4);
	return to;
}
