/* IKE datagrams between the wire and the control plane's rings. RFC 7296 2.23, 3.1; RFC 3948 2.2, 2.3
 *
 * In: UDP 500, and UDP 4500 behind the non-ESP marker, to one of our own addresses. IKE_SA_INIT requests have a ring
 * and a rate of their own, so that a flood of them starves nobody's liveness checks. Out: the control plane's reply
 * comes down the ring of the worker that received the request, becomes IP packets here (fragments where it must) and
 * takes the same FIB and neighbour code as everything else. All of it runs on the worker's own thread.
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "base/build.h"
#include "dataplane/vec.h"
#include "dataplane/worker.h"
#include "ring/msg.h"

struct shm_worker_rings;

enum {
	PUNT_PORT_IKE = 500,
	PUNT_PORT_NATT = 4500,
	PUNT_INIT_PER_S = 1000, /* IKE_SA_INIT requests, per worker */
	PUNT_INIT_BURST = 256,
	PUNT_IKE_PER_S = 20000, /* all other IKE, per worker */
	PUNT_IKE_BURST = 2000,
	PUNT_OUT_ROOM = 128, /* packets that one datagram can become: 64 KiB in fragments at an IPv4 MTU of 576 */
	PUNT_OUT_TURN = 8,   /* datagrams per call */
	PUNT_OUT_KEEP =
		3 *
		VEC_BURST, /* left free in the list: what comes out of tunnels and the TUN in the same poll joins it */
};

struct punt {
	struct worker_bucket init, ike;
	struct shm_worker_rings *rings; /* NULL: nobody attached; set by cmd.c on the worker's thread */
	struct msg_limits limits;       /* with the attach generation of rings */
	uint16_t mtu_min;               /* smallest of the ports: for replies that name no port */
	struct msg_ike head;            /* scratch */
	uint8_t data[MSG_IKE_MAX];      /* scratch */
};

/* NULL: out of memory. EAL is up; main thread. */
struct punt *punt_new(const struct worker *w, int numa_node);
void punt_free(struct punt *p);

/* Takes an IP packet (headers already checked, not a fragment, UDP at off) to one of our own addresses whose destination port
 * is 500, or 4500 and which is not ESP (that is: the first four octets are zero, or there are fewer than four). Drops:
 * RUNT, BAD_LENGTH, BAD_CHECKSUM, KEEPALIVE, BAD_VERSION, IKE_POLICED, PUNT_FULL; counted as punt otherwise. */
void punt_ike_in(struct worker *w, struct rte_mbuf *m, uint16_t off);
/* Build packets from our ike_out ring into v: IP headers complete, flags PKT_OWN, kind PKT_CLEAR, to be looked up in
 * the FIB. Up to PUNT_OUT_TURN datagrams, and only while PUNT_OUT_ROOM + PUNT_OUT_KEEP is free in v. Number of packets. Every poll or
 * every few. */
uint16_t punt_ike_out(struct worker *w, struct vec *v);
