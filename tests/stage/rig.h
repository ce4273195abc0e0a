/* One worker on a bench: two ports made of rings, a route to a tunnel, and everything in reach of the test.
 *
 *   lan host 10.1.0.9 -- lan0 10.1.0.1/16 [worker] 192.0.2.1/24 wan0 -- 192.0.2.254 -- 198.51.100.7 peer, 10.2.0.0/16 behind
 *
 * Frames go in by rig_rx(), whole polls run, frames come out by rig_tx(). The peer's ESP is made and opened by OpenSSL, not by
 * the code under test. rig_settle() ends each test: every packet must have left by tx, punt, handoff or drop, and every mbuf be
 * back in the pool.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "dataplane/fib.h"
#include "dataplane/sad.h"
#include "dataplane/worker.h"

enum { RIG_WAN, RIG_LAN, RIG_PORTS };
enum { RIG_SAS = 64, RIG_TUNNELS = 8, RIG_MBUFS = 2047, RIG_FRAME_MAX = 2048, RIG_MTU = 1500 };
enum { RIG_NH_GATEWAY, RIG_NH_TUNNEL, RIG_NH_TUNNEL1, RIG_NH_DROP };

#define RIG_LAN_ADDR 0x0a010001u
#define RIG_LAN_HOST 0x0a010009u
#define RIG_FAR_HOST 0x0a020005u
#define RIG_WAN_ADDR 0xc0000201u
#define RIG_GATEWAY  0xc00002feu
#define RIG_PEER     0xc6336407u

/* A frame, or any other string of octets. */
struct rig_bytes {
	uint16_t len;
	uint8_t b[RIG_FRAME_MAX];
};

extern struct worker *rig;

/* cmocka group fixtures: EAL and all; and per test: empty SAD, counters zero, default routes. */
int rig_start(void **state);
int rig_stop(void **state);
int rig_reset(void **state);
/* Per-test teardown: rig_settle() must have passed or the test failed anyway; drains what is left. */
int rig_clear(void **state);

/* --- frames --- */

void rig_rx(uint16_t port, const struct rig_bytes *f);
void rig_rx_mbuf(uint16_t port, struct rte_mbuf *m);
struct rte_mbuf *rig_mbuf(const struct rig_bytes *f);
/* Poll until nothing moves. */
void rig_run(void);
/* The next frame that left by this port; false: none. */
bool rig_tx(uint16_t port, struct rig_bytes *f);
/* The next frame must be there and be IPv4 with a right checksum; the Ethernet header is taken off. */
void rig_tx_ip(uint16_t port, struct rig_bytes *ip);
void rig_tx_nothing(void);

/* Every packet accounted for. made: packets that the worker made itself (ICMP errors, extra fragments). Drains tx. */
void rig_settle(unsigned made);
/* This drop counter, and no other, has moved, by n. */
void rig_dropped(enum stats_drop why, uint64_t n);
void rig_dropped_none(void);

/* An IPv4/UDP packet of `len` octets, its text numbered from `fill`; DF set. */
void rig_udp(struct rig_bytes *ip, uint32_t src, uint32_t dst, uint16_t len, uint8_t fill);
/* Put the header's checksum right again. */
void rig_cksum(struct rig_bytes *ip);
/* Ethernet header in front, to our port. */
void rig_frame(struct rig_bytes *f, uint16_t port, const struct rig_bytes *ip);
/* rig_udp + rig_frame + rig_rx from the LAN host to the far one. */
void rig_rx_clear(uint16_t len, uint8_t fill);

static inline struct rte_ipv4_hdr *rig_ip(struct rig_bytes *ip)
{
	return (struct rte_ipv4_hdr *)ip->b;
}

/* --- SAs --- */

struct rig_sa {
	struct msg_sa_add add; /* as installed; the key is kept here */
	uint64_t seq;          /* of the peer's next packet; OUT with ESN: its high half is that of ours */
	bool encap;
};

/* A message for tunnel 0, selectors any, AES-256, window 1024, no limits. dir: MSG_DIR_*. */
struct rig_sa rig_sa_make(uint32_t slot, uint32_t dir);
int rig_sa_add(const struct rig_sa *sa, uint32_t dir);
/* Make and install both halves in slot; both must succeed. */
void rig_sa_pair(uint32_t slot, struct rig_sa *in, struct rig_sa *out);
struct msg_sa_counters rig_counters(uint32_t slot, uint32_t dir);

/* What the peer writes behind the inner packet. */
struct rig_trailer {
	uint8_t tfc;     /* octets of TFC padding */
	int pad;         /* octets of padding; -1: as few as needed */
	uint8_t pad_xor; /* spoils the first padding octet */
	int pad_len;     /* pad length to claim; -1: the truth */
	int next;        /* next header; -1: 4 */
	uint8_t tos;     /* of the outer header */
};
#define RIG_TRAILER ((struct rig_trailer){.pad = -1, .pad_len = -1, .next = -1})

/* The peer encrypts: a frame for our WAN port with sequence number seq. t NULL: RIG_TRAILER. */
void rig_seal(struct rig_bytes *f, const struct rig_sa *sa, uint64_t seq, const struct rig_bytes *inner,
	      const struct rig_trailer *t);
/* The same with text of one's own instead of inner packet and trailer; text_len is a multiple of the suite's align. */
void rig_seal_text(struct rig_bytes *f, const struct rig_sa *sa, uint64_t seq, const uint8_t *text, uint16_t text_len,
		   uint8_t tos);
/* The peer decrypts ours: outer is the IPv4 packet, inner gets what was in it. Fails the test when anything is wrong with it:
 * SPI, ICV, padding, next header. Gives the sequence number. */
uint32_t rig_open(struct rig_bytes *inner, const struct rig_sa *sa, const struct rig_bytes *outer);
/* rig_seal + rig_rx of sa's next packet. */
void rig_rx_sealed(struct rig_sa *sa, const struct rig_bytes *inner);

/* --- events --- */

/* The next event of the worker's ring; false: none. */
bool rig_event(union msg *m);
/* It must be there and of this type. */
void rig_event_is(enum msg_type type, void *m, uint16_t len);
