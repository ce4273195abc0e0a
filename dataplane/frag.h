/* Cutting a packet to fit an MTU. RFC 791 3.2, RFC 1812 5.2.7.1, RFC 8200 4.5 */
#pragma once

#include <stdint.h>

#include <string.h>

#include <rte_mbuf.h>

struct worker;

/* A packet that was put together (reasm.h) may fill its buffer: its first piece moves, so that headers fit in front again. */
static inline void frag_make_room(struct rte_mbuf *m)
{
	if (likely(rte_pktmbuf_headroom(m) >= RTE_PKTMBUF_HEADROOM || rte_pktmbuf_tailroom(m) < RTE_PKTMBUF_HEADROOM))
		return;
	memmove(rte_pktmbuf_mtod_offset(m, uint8_t *, RTE_PKTMBUF_HEADROOM), rte_pktmbuf_mtod(m, void *), m->data_len);
	m->data_off = (uint16_t)(m->data_off + RTE_PKTMBUF_HEADROOM);
}

/* Cut m (DF not set, sound header, longer than mtu) into pieces in out[], first piece first: m itself becomes the
 * first. How many; 0: dropped as NO_MBUF (no mbuf, or more than max pieces) or TOO_BIG (mtu has no room for 8 octets,
 * or an mbuf none for it). */
uint16_t frag_split(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **out, uint16_t max);

/* The same for an IPv6 packet that is this gateway's own (nobody else may cut one), without extension headers, longer than mtu >= 1280. */
uint16_t frag6_split(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **out, uint16_t max);
