/* Packets between the workers and the kernel's own sockets (tundev.h).
 *
 *   worker:  tun_push()  -- policed --> ring `up`   --> ctl: tun_turn() --> the device
 *            tun_poll()  <------------- ring `down` <-- ctl: tun_turn() <-- the device
 *
 * Up goes every packet to one of our own addresses that is not IKE, ESP, ARP, an echo request or a fragment, as it came (a checksum that
 * was left to a device is completed). What
 * could come from anybody (not of a TCP connection that exists: SYN, and all that is not TCP) has a small rate of its own, so that a
 * flood of it starves no session; and what comes out of a tunnel has rates of its own, so that no flood in clear does. Down, packets join w->fwd behind the TTL step, which is the forwarder's: eBGP's TTL of 1 and
 * RFC 5082's 255 leave as the kernel wrote them. All else on their way is as for any packet: FIB, tunnels, MTU, neighbours; errors
 * go back to the kernel.
 * Order within a flow is kept: it has one worker. Rings are single producer, single consumer.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/build.h"
#include "config/config.h"
#include "dataplane/worker.h"

struct rte_ring;
struct tundev;

enum {
	TUN_TURN = 64,        /* packets per turn of the ctl thread: from each worker, and from the kernel */
	TUN_RING = 512,       /* packets on their way, per worker and direction */
	TUN_NEW_PER_S = 1000, /* SYN and all that is not TCP, per worker and origin */
	TUN_NEW_BURST = 256,
	TUN_PER_S = 200000, /* the rest of TCP, the same */
	TUN_BURST = 4096,
};

enum tun_from { TUN_FROM_WIRE, TUN_FROM_TUNNEL, TUN_FROM_N };

struct tun_link {
	struct rte_ring *up, *down;
	_Atomic bool rung; /* ctl has been woken for `up` and has not looked yet */
	struct worker_bucket fresh[TUN_FROM_N], rest[TUN_FROM_N]; /* the worker's own */
};

struct tun {
	/* start */
	struct tundev *dev; /* the ctl thread's */
	struct rte_mempool *pool;
	int bell_ctl; /* eventfd that wakes the ctl thread */
	uint8_t n_workers;
	/* the ctl thread's own */
	bool stuck;             /* a ring or the pool has no room: what the kernel sends waits there */
	struct rte_mbuf *spare; /* for the next packet */
	uint64_t lost, told;    /* packets that the device did not take; those that the log knows of */
	_Atomic bool up;        /* the device takes packets; writer: ctl */
	struct tun_link link[CFG_WORKERS_MAX];
};

/* dev is lent. NULL: out of memory. EAL is up; main thread. tun_free() also frees packets in the rings; NULL is fine. */
struct tun *tun_new(struct tundev *dev, struct rte_mempool *pool, uint8_t n_workers, int bell_ctl, int numa_node);
void tun_free(struct tun *t);

/* --- worker --- */

/* Takes an IP packet to one of our own addresses. Drops: PROTOCOL (there is no device), LINK_DOWN (it is down), CLEAR_TO_PROTECTED
 * (in clear, from an address behind a tunnel), TUN_POLICED, PUNT_FULL; counted as to_tun otherwise. */
void tun_push(struct worker *w, struct rte_mbuf *m);
/* Up to a burst of what the kernel sends, into w->fwd; counted as from_tun. Drops: parse.h's, and BAD_ADDRESS when its source is not ours.
 * Number of packets. */
uint16_t tun_poll(struct worker *w);

/* --- ctl thread --- */

/* Both ways, TUN_TURN each. True: there may be more. */
bool tun_turn(struct tun *t);
/* Descriptor to wait for, POLLIN; -1: none, look again soon when stuck. */
int tun_fd(const struct tun *t);
/* Look at the device; every now and then. */
void tun_watch(struct tun *t);
