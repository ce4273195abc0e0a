/* The worker's side of the control plane's segment: SA commands in, acknowledgements out, and the move from one segment
 * to the next.
 *
 * The ctl thread publishes a segment in `next` and waits until every worker has said in `seen` that it uses it before
 * it unmaps the old one; a worker moves between two polls, in cmd_poll(). Events and IKE datagrams flow only while a
 * control plane is attached. A ring whose index makes no sense (-EPROTO) is not touched again: cmd_broken() tells the
 * ctl thread, which closes the connection and builds a new segment. SAs stay whatever happens.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "ring/shm.h"

struct worker;

enum { CMD_PER_POLL = 8, CMD_INFO_PER_POLL = 32 };

/* A segment as workers get it. Writer: ctl thread before it publishes; `attached` later too. */
struct cmd_segment {
	struct shm *shm;
	struct msg_limits limits;
	_Atomic bool attached; /* a control plane has answered */
};

struct cmd {
	/* between the threads */
	_Atomic(struct cmd_segment *) next; /* writer: ctl */
	_Atomic(struct cmd_segment *) seen; /* writer: worker */
	_Atomic uint32_t broken;            /* attach generation whose rings lied; writer: worker */
	int bell_ctl;                       /* the process's own; start */
	/* the worker's own */
	struct cmd_segment *cur;
	bool dead;    /* cur's rings are not touched any more */
	bool listing; /* SA_LIST under way */
	uint32_t list_dir, list_from, list_seq;
	bool deleting; /* an SA_DEL waits for a batch in flight */
	union msg held;
};

struct cmd *cmd_new(int bell_ctl);
void cmd_free(struct cmd *c);

/* Once per turn, between bursts: take over a new segment, obey up to CMD_PER_POLL commands. True when there was one. */
bool cmd_poll(struct worker *w);
/* One of our rings returned -EPROTO: stop using the segment's rings and tell the ctl thread. Worker thread. */
void cmd_broken(struct worker *w);
