/* Packets from worker to worker: ESP for an SA of another owner, clear packets for a tunnel of another owner.
 *
 * One single-producer single-consumer rte_ring per ordered pair, so that order within a pair is kept and nobody
 * contends. Pushed packets are collected per destination and enqueued in bursts, at the latest by handoff_flush().
 */
#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "base/build.h"
#include "config/config.h"
#include "dataplane/vec.h"

struct rte_ring;
struct worker;

enum { HANDOFF_RING = 512 };

/* One worker's ends; touched by that worker only. */
struct handoff_worker {
	_Alignas(64) struct rte_ring *to[CFG_WORKERS_MAX]; /* NULL: ourselves */
	struct rte_ring *from[CFG_WORKERS_MAX];
	uint8_t next; /* ring to begin with in the next pop */
	uint16_t n_out[CFG_WORKERS_MAX];
	struct rte_mbuf *out[CFG_WORKERS_MAX][VEC_BURST];
	uint32_t pending; /* bit per destination with n_out > 0 */
};

struct handoff {
	uint8_t n_workers; /* start */
	struct handoff_worker w[];
};

/* NULL: out of memory. EAL is up; main thread. handoff_free() frees packets that are left. */
struct handoff *handoff_new(uint8_t n_workers, int numa_node);
void handoff_free(struct handoff *h);

/* Give m to another worker; pkt_of(m) goes with it. Takes m. Worker thread. Drop: HANDOFF_FULL */
void handoff_push(struct worker *w, uint8_t to, struct rte_mbuf *m);
/* Enqueue what was pushed; once at the end of a poll. */
void handoff_flush(struct worker *w);
/* Up to max packets that others gave us; counted as handoff_in. pkt.kind says what each is. */
uint16_t handoff_pop(struct worker *w, struct rte_mbuf **pkts, uint16_t max);
