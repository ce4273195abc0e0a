/* Cutting a packet to fit an MTU. RFC 791 3.2, RFC 1812 5.2.7.1, RFC 8200 4.5 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

struct worker;

/* Cut m (DF not set, sound header, longer than mtu) into pieces in out[], first piece first: m itself becomes the
 * first. How many; 0: dropped as NO_MBUF (no mbuf, or more than max pieces) or TOO_BIG (mtu has no room for 8 octets,
 * or an mbuf none for it). */
uint16_t frag_split(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **out, uint16_t max);

/* The same for an IPv6 packet that is this gateway's own (nobody else may cut one), without extension headers, longer than mtu >= 1280. */
uint16_t frag6_split(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **out, uint16_t max);
