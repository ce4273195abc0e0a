/* The segment and who is attached to it: RUN_DIR/dataplane.sock.
 *
 * There is always a current segment, so that workers have a place for their counters. One control plane at a time
 * gets it; when its connection closes, or when it breaks the rings' rules, the next segment (attach + 1) takes over:
 * workers move to it between two polls, and the old one is unmapped once the last has. SAs, routes and
 * forwarding do not notice. Three resets because of broken rings within a minute stop further attaches for a minute.
 *
 * ctl thread. No DPDK in here.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "dataplane/cmd.h"
#include "ring/shm.h"

enum {
	ATTACH_ANSWER_MS = 5000, /* from hello to answer */
	ATTACH_RESETS = 3,
	ATTACH_RESET_SPAN_MS = 60000,
	ATTACH_BLOCK_MS = 60000,
};

struct attach_slot {
	struct shm shm;
	struct cmd_segment seg;
	bool used;
};

struct attach {
	char path[128];
	int listener, conn; /* -1: none */
	uint32_t allowed_uid;
	struct shm_params params; /* of the next segment */
	uint32_t tsc_khz;
	struct attach_slot slot[2];
	unsigned cur;
	bool leaving; /* workers may still use the other slot */
	bool renew;   /* the current segment has been given away, and a new one is due */
	bool answered;
	uint64_t answer_by_ms;
	uint64_t reset_ms[ATTACH_RESETS]; /* the latest ones, 0: none */
	unsigned next_reset;
	uint64_t blocked_until_ms;
	uint32_t attached;      /* counts answers: a change tells the ctl thread of a new control plane */
	struct cmd *const *cmd; /* [params.workers] */
};

/* Take the socket; nothing else happens yet. 0; -EADDRINUSE another data plane is there; -errno. a is fit for attach_fini(). */
int attach_listen(struct attach *a, const char *run_dir, uint32_t allowed_uid) MUST_USE;
/* Make and publish the first segment, before the workers run. p.epoch and p.attach are chosen here. -errno. */
int attach_start(struct attach *a, const struct shm_params *p, struct cmd *const *cmd, uint32_t tsc_khz) MUST_USE;
/* No worker runs any more. */
void attach_fini(struct attach *a);

/* Descriptors to wait for, POLLIN; up to 3 into fds. How many. */
unsigned attach_fds(const struct attach *a, uint64_t now_ms, struct pollfd *fds);
/* Whatever there is to do. When to come again at the latest, or UINT64_MAX. */
uint64_t attach_turn(struct attach *a, uint64_t now_ms);
/* The segment of the attached control plane, or NULL. */
struct shm *attach_shm(struct attach *a);
/* Always there: where counters go. */
struct shm *attach_segment(struct attach *a);
const struct msg_limits *attach_limits(const struct attach *a);
/* A ring of the ctl thread returned -EPROTO. */
void attach_broken(struct attach *a, uint64_t now_ms, const char *who);
