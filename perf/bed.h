/* A worker for benchmarks: two ports made of rings, up to thousands of tunnels, packets that can be made fresh again.
 *
 *   LAN 10.1.0.0/16 -- lan [worker] wan -- gateway 192.0.2.254 -- peer 198.51.100.7
 *   tunnel t: 10.(128 + t / 256).(t % 256).0/24 behind the peer
 *   The same in IPv6: 2001:db8:1::/64, 2001:db8::/64, 2001:db8:ff::7, 2001:db8:(8000 + t)::/48.
 *
 * The stages are the product's own objects. One thread; EAL without hugepages unless there are some.
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/worker.h"

enum { BED_WAN, BED_LAN, BED_PORTS };
enum { BED_TUNNELS_MAX = 16384, BED_MBUFS_MAX = 16384, BED_FRAME = 1600 };
enum bed_dir { BED_ENCRYPT, BED_DECRYPT, BED_FORWARD, BED_DIR_N };

struct bed {
	struct worker *w;
	struct rte_ring *rx[BED_PORTS], *tx[BED_PORTS];
	enum bed_dir dir;
	uint16_t len;        /* octets of the inner packet */
	uint8_t encr, integ; /* the SAs' (ring/msg.h) */
	uint8_t family;      /* inside and outside */
	uint32_t tunnels;
	uint32_t n;                        /* packets */
	struct rte_mbuf *m[BED_MBUFS_MAX]; /* in the order of arrival */
	uint16_t frame_len;
	uint8_t (*frame)[BED_FRAME]; /* decrypt: what packet i is, to be copied back */
};

extern struct bed bed;

/* EAL, ports, FIB, neighbours. The process ends with a line when that fails. */
void bed_start(void);
/* What the SAs of the next rows are; before that AES-256-GCM and IPv4. */
void bed_kind(uint8_t encr, uint8_t integ, uint8_t family);
/* Tunnels and packets for one row: n packets of len octets (inner IP) over so many tunnels in random order. */
void bed_set(enum bed_dir dir, uint16_t len, uint32_t tunnels, uint32_t n);
void bed_clear(void);
/* Make all packets fresh, outside the timed part. */
void bed_restore(void);
/* All packets into the ring of the port that they arrive by; and those that have left taken out again. 0, or how many are
 * missing. */
void bed_feed(void);
uint32_t bed_drain(void);
