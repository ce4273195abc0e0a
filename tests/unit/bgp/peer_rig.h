/* A live core whose hands are the test's: what it sends is kept, what comes is made here. The RIB below it is a model
 * (fake_rib.c) that counts calls; sim and interop tests run the true one. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bgp/peer.h"

enum { RIG_CONNS = 64, RIG_BYTES = 65536, RIG_NOTICES = 256 };

struct rig_conn {
	uint32_t id;
	bool ours, closed, blocked;
	uint8_t out[RIG_BYTES]; /* what the core sent */
	size_t out_len, read;   /* read: by rig_next() */
};

struct rig {
	struct bgp *b;
	struct config cfg;
	struct cfg_bgp_peer row[4];
	uint64_t now;
	struct rig_conn conn[RIG_CONNS];
	unsigned n_conns;
	size_t room;    /* octets that a socket takes before it blocks; SIZE_MAX: all */
	int connect_rc; /* of the next connects */
	bool in_core;
	char cause[512]; /* of the last notice */
	enum bgp_state from, to;
	unsigned n_notices;
	bool bad;        /* of the last notice */
	uint32_t random; /* given out; the same each time */
};

/* The model RIB. */
struct fake_rib {
	unsigned ups, downs, forgets, updates, withdraws, refreshes;
	struct rib_session session;
	uint32_t received;
	struct ip_prefix last;
	struct ip_addr nexthop;
	unsigned pulls_left; /* UPDATEs that out_pull() still gives */
	size_t pull_len;
	unsigned policies;
	unsigned originated;
	bool busy;
	struct rib_ops ops;
	uint8_t refreshed;
};
extern struct fake_rib fake;

/* Local AS 65050, id 10.0.0.1; peer "p" 10.9.9.9 AS 65010, both, hold 90, retry 10 s. Not yet configured. */
void rig_new(struct rig *r);
void rig_free(struct rig *r);
void rig_config(struct rig *r);
/* Let time pass, tick by tick. */
void rig_run(struct rig *r, uint64_t ms);
struct rig_conn *rig_of(struct rig *r, uint32_t id);
/* The last connection that was made; NULL: none, or it is closed. */
struct rig_conn *rig_last(struct rig *r);
/* Our own connect() succeeds / the peer connects. */
void rig_connected(struct rig *r, struct rig_conn *c);
struct rig_conn *rig_accept(struct rig *r); /* NULL: refused */
/* The socket has room for n octets (SIZE_MAX: all) again. */
void rig_writable(struct rig *r, struct rig_conn *c, size_t n);
bool rig_feed(struct rig *r, struct rig_conn *c, const void *msg, size_t len);
void rig_keepalive(struct rig *r, struct rig_conn *c);
/* The peer's OPEN: AS 65010, hold 90, id, all capabilities. */
struct bgp_open rig_open_of(uint32_t id);
void rig_open(struct rig *r, struct rig_conn *c, const struct bgp_open *o);
/* The next whole message that the core sent on c: its type, the message at *msg; 0: none. */
uint8_t rig_next(struct rig_conn *c, const uint8_t **msg, size_t *len);
/* The rest of what was sent ends in this NOTIFICATION, and the connection is closed. */
void rig_expect_notification(struct rig_conn *c, uint8_t code, uint8_t sub, const void *data, size_t len);
unsigned rig_count(struct rig_conn *c, uint8_t type); /* of the messages not yet read */
/* An UPDATE of n /24s from first << 8, path 65010, next hop 10.9.9.9; its octets. */
size_t rig_update(uint8_t buf[BGP_MSG_MAX], uint32_t first, unsigned n);
struct bgp_peer_info rig_info(struct rig *r);
#define rig_state(r) (rig_info(r).state)
/* By our own connection, up to Established. */
struct rig_conn *rig_establish(struct rig *r);
