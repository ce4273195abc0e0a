/* A worker: one poll-mode thread that takes packets from its port queues and carries each one through to its end.
 *
 *   worker_poll() in worker.c is the description of the packet's way; read it first.
 *
 * Everything here belongs to the worker's own thread unless a line says otherwise; no lock and no atomic is on its way.
 * "start" marks what main sets before the thread runs and nobody changes afterwards.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/build.h"
#include "dataplane/crypto.h"
#include "dataplane/ip6.h"
#include "dataplane/vec.h"
#include "ring/shm.h"
#include "ring/stats.h"

struct fib;
struct neigh;
struct handoff;
struct punt;
struct tun;
struct reasm;
struct cmd;
struct sad;

/* One poll of WORKER_SAMPLE has its stages timed: rdtsc between them would cost every packet some cycles. A power of two. */
enum { WORKER_PORTS_MAX = STATS_PORTS_MAX, WORKER_POLLS_PER_TURN = 256, WORKER_SAMPLE = 64 };

/* A port as a worker sees it: one RX and one TX queue of its own. Writer: main at start; `up` the ctl thread. */
struct worker_port {
	uint16_t dev; /* DPDK's port number */
	uint16_t rx_queue, tx_queue;
	uint16_t mtu; /* octets of IP */
	uint8_t mac[6];
	bool rx;       /* this worker reads a queue of the port */
	bool tx_other; /* it has no TX queue for this worker: worker tx_by sends for it */
	uint8_t tx_by;
	bool rx_when_up;  /* but only while the link is up (memif: nothing is there before) */
	bool any_mac;     /* take frames whatever their destination (pcap) */
	bool rx_cksum_ok; /* the device checks IP checksums and says so in ol_flags */
	_Atomic bool up;
	uint32_t addr_be; /* its first address: source of the ICMP errors sent by it */
	/* IPv6, host order; zero: none. RFC 4291 2.5.6: where there is any, there is a link-local one */
	struct ip6 addr6, link6; /* the first that is not link-local; the link-local one */
};

/* Tokens for things that a peer could make us do too often: icmp errors, events. */
struct worker_bucket {
	uint64_t tokens_tsc; /* credit, in TSC cycles */
	uint64_t cost_tsc;   /* of one */
	uint64_t cap_tsc;
	uint64_t last_tsc;
};

struct worker {
	/* start */
	uint8_t id; /* index: cmd rings, doorbells, QSBR thread */
	uint8_t n_workers;
	bool spin; /* idle: spin; else adaptive sleep */
	uint16_t n_ports;
	struct rte_mempool *pool;   /* for packets that the worker makes: ICMP, fragments, copies */
	struct rte_rcu_qsbr *qsbr;  /* all readers of fib, neigh and tunnel tables; NULL: none (tests) */
	struct sad *sad;            /* shared; each slot has one owner worker */
	struct fib *fib;            /* shared, read under qsbr */
	struct neigh *neigh;        /* shared, read under qsbr */
	struct handoff *handoff;    /* packet rings between workers */
	struct punt *punt;          /* IKE datagrams: this worker's policing and rings */
	struct reasm *reasm;        /* fragments to us; NULL: none (tests), they are dropped */
	struct tun *tun;            /* packets to and from the kernel; NULL: none (tests) */
	struct cmd *cmd;            /* command side of this worker (cmd.c) */
	struct stats_worker *stats; /* published counters, in the segment; may move on re-attach (cmd.c, own thread) */
	struct stats_sa *sa_stats;  /* the same, [sas * 2] */
	struct spsc *evt;           /* events to the control plane; NULL: nobody attached */
	uint32_t attach;            /* generation to write into events */
	int bell_control;           /* its doorbell, or -1 */
	int bell;                   /* our own doorbell: ends a sleep; or -1 */
	const _Atomic bool *stop;   /* set by main: worker_run() returns */

	struct worker_port port[WORKER_PORTS_MAX]; /* [n_ports], index as in the config */

	/* the poll's lists: empty between polls, but for ahead */
	uint16_t next_port; /* round robin of rx */
	uint16_t n_ahead;   /* packets taken before the last burst's crypto, not yet looked at */
	struct rte_mbuf *ahead[VEC_BURST];
	struct vec esp;   /* ESP for SAs that we own */
	struct vec fwd;   /* clear IPv4 to be looked up */
	struct vec local; /* to one of our own addresses */
	struct vec enc;   /* to be encrypted by us */
	struct vec ready; /* the same, each with its TX SA and small enough */
	struct sa_out *ready_sa[VEC_MAX];
	struct vec out;  /* next hop known, Ethernet header missing */
	struct vec dead; /* dropped, to be freed */
	struct vec tx[WORKER_PORTS_MAX];

	struct crypto crypto; /* ipsec-mb manager and scratch */
	struct crypto_batch *batch_in, *batch_out;

	/* counting and pacing */
	struct stats_worker count; /* our own copy; stats_publish() stores it into the segment */
	uint64_t now_tsc;          /* read once per poll */
	uint64_t tsc_hz;
	uint64_t started_tsc, published_tsc;
	uint32_t polls_left; /* until the next turn of commands and counters */
	uint32_t idle_polls; /* in a row */
	uint32_t n_polls;    /* for the choice of the next one */
	bool sampled;        /* this poll's stages are timed */
	uint64_t mark_tsc;   /* sampled: when the last stage ended */
	bool bell_pending;   /* an event or IKE datagram waits: ring the control plane at the end of the poll */
	bool unpublished;    /* counters have moved since stats_publish() went over all */
	bool worked;         /* this poll moved something */
	uint32_t frag6_id;   /* the same of IPv6 packets in fragments. RFC 8200 4.5 */
	uint16_t ip_id;      /* next IP identification of packets that the gateway makes */
	struct worker_bucket icmp, icmp6, bad_spi, pmtu;
	uint32_t sa_publish_next; /* stats_publish() walks the live SAs in turns */
};

/* Make a worker's own things (crypto manager, batches, buckets). The "start" fields are the caller's, before or after.
 * 0; -ENOMEM; -ENOTSUP: no usable instruction set, or its known-answer test failed (why gets a static text).
 * EAL is up. Any thread, before the worker runs. */
int worker_init(struct worker *w, uint8_t id, const char **why) MUST_USE;
/* Free them; packets still in the lists go back to their pools. */
void worker_fini(struct worker *w);

/* One turn of the chain: true when it moved a packet or obeyed a command. Worker thread. */
bool worker_poll(struct worker *w);
/* Poll until *stop; sleep when idle (adaptive), publish counters. For rte_eal_remote_launch(): arg is the worker. */
int worker_run(void *arg);

/* The rare things: commands, quiescent state, counters, doorbell. worker_poll() calls it every WORKER_POLLS_PER_TURN.
 */
void worker_turn(struct worker *w);

/* Put an event on our evt ring (type, len, attach are filled in; m is the caller's). false when nobody is attached or the
 * ring is full (counted). The doorbell rings at the end of the poll. */
bool worker_event(struct worker *w, enum msg_type type, void *m, uint16_t len);

/* May one more happen now? per_s is given at worker_bucket_init(). */
bool worker_bucket_take(struct worker_bucket *b, uint64_t now_tsc);
void worker_bucket_init(struct worker_bucket *b, uint64_t tsc_hz, uint32_t per_s, uint32_t burst);

/* Free all that was dropped in this poll, in one go (drop.c). */
void drop_flush(struct worker *w);
