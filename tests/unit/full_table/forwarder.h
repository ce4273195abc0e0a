/* The data plane without packets: its ctl thread, segment and FIB as in the product, and a worker that does nothing but look up.
 *
 * The worker reads an address, compares where it leads with what was expected, reports a quiescent state, and takes the next. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/fib.h"

/* Where what is for an address must go. */
struct forwarder_watch {
	uint32_t addr, via; /* host order */
};

struct forwarder {
	struct fib *fib;
	const struct forwarder_watch *watch; /* what the worker looks at */
	_Atomic uint32_t n_watch;            /* 0: nothing */
	_Atomic uint64_t turns, looked, wrong;
};

/* Its socket is DIR/dataplane.sock. -errno. EAL is up. */
int forwarder_start(struct forwarder *f, const char *dir, const struct config *c);
void forwarder_stop(struct forwarder *f);
/* From now on the worker looks at these; they are lent until the next call. */
void forwarder_watch(struct forwarder *f, const struct forwarder_watch *watch, uint32_t n);
/* The gateway's address for a destination (host order), or 0: none. Any thread while nothing changes. */
uint32_t forwarder_via(const struct forwarder *f, uint32_t addr, struct fib_nh *nh);
