/* IKE datagrams between the core and the rings. A reply leaves by the worker and port that received.
 *
 * In: each worker's ike_in (established peers) before its ike_init (strangers), each within a budget per turn, so that
 * a flood of IKE_SA_INIT starves neither liveness nor timers. Out: what finds the ring full is dropped and counted; IKE
 * sends it again. Thread: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/dp.h"
#include "controlplane/ike/ike.h"

enum { IKE_IO_BUDGET_IN = 128, IKE_IO_BUDGET_INIT = 32 };

struct ike_io_counters {
	uint64_t in, in_init, out, out_full, out_away, bad;
};

struct ike_io {
	struct dp *dp;
	void (*input)(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len);
	void *ctx;
	struct ike_io_counters c;
	uint8_t buf[IKE_MSG_MAX];
};

/* One turn over all workers' rings. true: more than the budget is waiting. */
bool ike_io_turn(struct ike_io *io);
void ike_io_send(struct ike_io *io, const struct ike_path *path, const uint8_t *msg, size_t len);
/* RFC 3948 2.3: one octet 0xff, without a marker. */
void ike_io_keepalive(struct ike_io *io, const struct ike_path *path);
