/* Explicit congestion notification through a tunnel. RFC 6040 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_ip.h>

#include "base/build.h"

enum { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };

/* RFC 6040 4.2, figure 4: rows the inner field, columns the outer one. 0xff: drop. */
static const uint8_t ecn_table[4][4] = {
	[ECN_NOT_ECT] =
		{[ECN_NOT_ECT] = ECN_NOT_ECT, [ECN_ECT0] = ECN_NOT_ECT, [ECN_ECT1] = ECN_NOT_ECT, [ECN_CE] = 0xff},
	[ECN_ECT0] = {[ECN_NOT_ECT] = ECN_ECT0, [ECN_ECT0] = ECN_ECT0, [ECN_ECT1] = ECN_ECT1, [ECN_CE] = ECN_CE},
	[ECN_ECT1] = {[ECN_NOT_ECT] = ECN_ECT1, [ECN_ECT0] = ECN_ECT1, [ECN_ECT1] = ECN_ECT1, [ECN_CE] = ECN_CE},
	[ECN_CE] = {[ECN_NOT_ECT] = ECN_CE, [ECN_ECT0] = ECN_CE, [ECN_ECT1] = ECN_CE, [ECN_CE] = ECN_CE},
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

/* Take the outer header's mark over into the inner header. false: an illegal pair, to be dropped. */
static inline bool ecn_decap(struct rte_ipv4_hdr *inner, uint8_t outer_tos)
{
	uint8_t in = inner->type_of_service & ECN_MASK;
	uint8_t to = ecn_table[in][outer_tos & ECN_MASK];

	if (likely(to == in))
		return true;
	if (to == 0xff)
		return false;
	ecn_set(inner, (uint8_t)((inner->type_of_service & ~ECN_MASK) | to));
	return true;
}
