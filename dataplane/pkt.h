/* What the stages remember about a packet, in the eight octets of the mbuf's first cache line that DPDK uses for the
 * RSS hash, so that it costs no further line. Valid from parse until tx.
 *
 * From parse_burst() on, the mbuf's data begins at the IP header (IPv4, or IPv6 where PKT_V6 is set), is one segment, and
 * pkt_len == data_len == the IP packet's length (Ethernet padding is trimmed). m->port is the index of the port in the config (not DPDK's number) that
 * the packet came in by, and after neigh_rewrite() the one it leaves by. IP and TCP/UDP checksums are always in the
 * packet: no stage asks a device for an offload.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/build.h"

/* What becomes of the packet where it is next taken up: set by classify, read by the worker that a handoff reaches. */
enum pkt_kind {
	PKT_CLEAR,  /* an IP packet to be looked up in the FIB */
	PKT_ESP,    /* ESP to us; pkt.esp_off says where */
	PKT_TUNNEL, /* clear, through TTL and MTU, to be encrypted for tunnel pkt.next */
	PKT_PMTU,   /* a message about our ESP (pmtu.h), for the owner of the SA pkt.next */
	PKT_FRAG,   /* a fragment to us, for the worker that puts its kind together (reasm.h) */
	PKT_FRAME,  /* a whole frame, to be sent by the port m->port, of which the sender has no queue */
	PKT_KIND_N
};

enum {
	PKT_DECAPPED = 1 << 0, /* came out of one of our tunnels */
	PKT_OWN = 1 << 1,      /* made by this gateway: no TTL step, no ICMP error about it */
	PKT_OUTER = 1 << 2,    /* an ESP packet that we have made: its next hop must be a port */
	PKT_ENCAP = 1 << 3,    /* ESP came in UDP */
	PKT_L2_MANY = 1 << 4,  /* came as link-layer broadcast or multicast */
	PKT_TUN = 1 << 5,      /* made by this host's kernel: no TTL step, but it wants to hear of errors */
	PKT_V6 = 1 << 6,       /* IPv6: pkt_ip6() */
};

/* esp_off: of ESP, octets from the IP header to the ESP header, behind any extension headers; of OUTER, the path's MTU, 0: the port's */
struct pkt {
	uint8_t kind;  /* enum pkt_kind */
	uint8_t flags; /* PKT_* */
	uint16_t esp_off;
	uint32_t next; /* next hop's id (fib.h); TUNNEL: the tunnel's slot */
};

_Static_assert(sizeof(struct pkt) == sizeof(((struct rte_mbuf *)0)->hash), "pkt lives in the mbuf's hash field");

static inline struct pkt *pkt_of(struct rte_mbuf *m)
{
	return (struct pkt *)(void *)&m->hash;
}

/* The IPv4 header at the start of the data. */
static inline struct rte_ipv4_hdr *pkt_ip(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
}

static inline bool pkt_is_v6(struct rte_mbuf *m)
{
	return pkt_of(m)->flags & PKT_V6;
}

/* The IPv6 header at the start of the data; ip6.h looks into it. */
static inline struct rte_ipv6_hdr *pkt_ip6(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *);
}

static inline uint16_t pkt_ihl(const struct rte_ipv4_hdr *ip)
{
	return (uint16_t)((ip->version_ihl & 15u) * 4u);
}
