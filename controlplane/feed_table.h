/* Private to feed*.c: the desired state. */
#pragma once

#include "controlplane/feed.h"

struct feed_addr {
	struct ip_prefix p;
	bool wanted;
	uint8_t state; /* enum feed_state */
};

struct feed_nh {
	uint8_t kind; /* MSG_NH_* */
	uint8_t state;
	uint16_t port;
	struct ip_addr via;
	struct tunnel *tunnel;
	uint32_t refs;    /* routes that point here; 0 and ABSENT: a free place */
	uint64_t idle_at; /* routes pushed when the last of them left: done with when that many are applied */
	int err;
};

struct feed_route {
	struct ip_prefix to;
	uint32_t nh; /* index of the next hop */
	bool wanted, dirty;
	uint8_t state;
	uint32_t seq; /* of its last record */
	uint64_t pos; /* routes pushed with it */
	int err;
};

enum feed_sync { FEED_SYNC_BEGIN, FEED_SYNC_ROUTES, FEED_SYNC_OVER };

struct feed {
	struct dp *dp;
	struct tunnels *ts;
	struct feed_ops ops;
	uv_timer_t timer; /* runs while route records are on their way */
	struct feed_addr *addr;
	struct feed_nh *nh;
	struct feed_route *route;
	uint32_t n_addr, n_nh, n_route;
	unsigned in_flight;
	uint8_t sync;      /* enum feed_sync */
	uint64_t sync_pos; /* routes pushed with SYNC_END */
	bool ready, polling;
	bool kick; /* something has changed since the last pump */
};

/* Desired addresses and routes := those of c. */
void feed_table_config(struct feed *f, const struct config *c);
void feed_table_addrs(struct feed *f, const struct config *c);
/* A route has left next hop i. */
void feed_table_unref(struct feed *f, uint32_t i);
/* Next hop i is in no data plane and wanted by nobody: its place is free. */
void feed_table_forget(struct feed *f, uint32_t i);
/* The id of next hop i in this attach. */
uint32_t feed_table_id(const struct feed *f, uint32_t i);
