/* The MSS of TCP connections through a tunnel: what a SYN or SYN-ACK announces is lowered to what fits, so that segments need no
 * fragments. RFC 9293 3.7.1, RFC 6691; RFC 4459 3.2 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/ip6.h"
#include "dataplane/pkt.h"

struct worker;

/* A TCP segment with SYN, not in fragments, directly behind its IP header? (Behind IPv6 extension headers none is looked for.) What
 * follows the header is there in octets only if m is long enough. */
static inline bool mss_is_syn(struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t at;

	if (likely(!pkt_is_v6(m))) {
		const struct rte_ipv4_hdr *ip = (const void *)p;

		if (ip->next_proto_id != IP6_TCP)
			return false;
		at = pkt_ihl(ip);
	} else {
		if (((const struct rte_ipv6_hdr *)(const void *)p)->proto != IP6_TCP)
			return false;
		at = IP6_HDR;
	}
	return unlikely(m->data_len >= at + 20 && p[at + 13] & 0x02);
}

/* Lower the MSS option of a SYN, if it has one, to what a packet of mtu octets carries, or to conf (MSG_MSS_AUTO: only that;
 * MSG_MSS_OFF: nothing happens). The checksum is kept right. */
void mss_clamp(struct rte_mbuf *m, uint16_t mtu, uint16_t conf);
