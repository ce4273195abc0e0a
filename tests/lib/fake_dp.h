/* A data plane without packets, on a real segment and socket: it lives on the tested code's own loop.
 *
 * Each command goes to on_cmd: 0: it is ACKed (and a SA_DEL is followed by SA_GONE), < 0: NACK, > 0: no answer. Route
 * records go to on_route; `applied` follows unless hold_applied. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "ring/shm.h"

enum { FAKE_CTL = SHM_WORKERS_MAX };

struct fake_dp {
	uv_loop_t *uv;
	char path[108];
	struct shm_params params;
	struct shm shm;
	int listener, conn;
	uv_poll_t *p_listener, *p_conn, *p_bell[SHM_WORKERS_MAX + 1];
	uv_idle_t *again;
	bool attached, silent, hold_applied;
	uint64_t applied;
	unsigned route_budget; /* records of a turn; 0: all */
	unsigned n_cmds, n_routes;
	uint64_t count[MSG_TYPE_N]; /* commands and route records by type */
	union msg last[MSG_TYPE_N];
	struct msg_sa_counters gone; /* what SA_GONE reports */
	void *ctx;
	int (*on_cmd)(void *ctx, unsigned to, const union msg *m);
	int (*on_route)(void *ctx, const struct msg_route *m); /* < 0: NACK */
};

/* Socket at path; nobody is attached yet. Aborts on failure. */
void fake_dp_start(struct fake_dp *f, uv_loop_t *uv, const char *path, const struct shm_params *p);
/* The process dies: connection and listener are closed. Handles end with the loop's next runs. */
void fake_dp_stop(struct fake_dp *f);
/* Only the connection is closed; the next control plane gets attach + 1. */
void fake_dp_drop(struct fake_dp *f);
/* Send an event, head filled in. from: worker or FAKE_CTL. */
void fake_dp_event(struct fake_dp *f, unsigned from, union msg *m, uint16_t len);
void fake_dp_answer(struct fake_dp *f, unsigned from, const union msg *cmd, int status);
