/* The forwarding table: prefix -> next hop, read in bulk by the workers, written by the ctl thread alone. The routes of IPv4 are here,
 * those of IPv6 in fib6.h; next hops, owners and syncs are for both.
 *
 * lpm.h finds the number of a next hop; a change of a route is seen at once, for each address either before or after.
 * 0.0.0.0/0 is not in there: what has no other route has a number of its own, whose next hop is a copy of the default route's.
 *
 * Next hops are a table of 8-octet values behind small ids, each replaced by one atomic store: a changed next hop needs
 * no change of the FIB. Ids 0..n_nexthops-1 are the control plane's; those above are ours (none, local, the ports'
 * links, legs).
 *
 * A next hop of several legs (ECMP) names the first of its legs, which are next hops themselves, side by side. They are written
 * before it is, and are not used again before every worker has passed a quiescent state: a reader never sees a half-written
 * group. A flow keeps its leg as long as the group is the same (RFC 2992: hash-threshold).
 *
 * A route has an owner. What the data plane knows from its config (addresses of its ports, connected subnets, addresses
 * never to be forwarded) is its own and cannot be taken over: -EEXIST. RFC 1812 5.2.4.3, 5.3.7
 *
 * A control plane that comes back may number its next hops anew while routes of its predecessor are still in force, so
 * the table has two halves: fib_attached() turns to the other one, and older routes keep theirs until the sweep.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "config/config.h"
#include "dataplane/lpm.h"
#include "dataplane/lpm6.h"
#include "ring/msg.h"

struct rte_rcu_qsbr;

enum fib_kind {
	FIB_NONE, /* no route: DROP_NO_ROUTE */
	FIB_DROP, /* DROP_BLACKHOLE */
	FIB_PORT, /* arg: the gateway's address (network order), or where it stands in fib.gateway; 0: on link, the packet's own destination */
	FIB_TUNNEL, /* arg: the tunnel's slot */
	FIB_LOCAL,  /* one of our own addresses; port FIB_ANYCAST: others' too */
	FIB_KIND_N,
	/* one of n legs by the flow, each PORT or TUNNEL (DROP: its tunnel is gone); arg: the first one's id */
	FIB_LEGS = 1 << 4,
	FIB_TUNNELS = FIB_LEGS | FIB_TUNNEL, /* the same, when all legs are tunnels */
};

/* A next hop as a worker sees it: one 8-octet load. */
struct fib_nh {
	uint8_t kind;  /* enum fib_kind */
	uint8_t n;     /* LEGS: how many; PORT: FIB_GATEWAY6 or 0 */
	uint16_t port; /* PORT: index in the config; LOCAL: 0 or FIB_ANYCAST */
	uint32_t arg;
};

enum {
	FIB_PREFETCH = 32,
	FIB_SWEEP = 64,    /* routes that a turn of the sweep removes */
	FIB_SHORT = 8,     /* prefixes shorter than this are a turn's work each: up to 8 million words */
	FIB_GROUPS = 4096, /* next hops of several legs at a time */
	FIB_ANYCAST = 1,   /* in fib_nh.port: no packet has it for its source. RFC 4291 2.6 */
	FIB_GATEWAY6 = 6,  /* in fib_nh.n: the gateway has an IPv6 address */
};

struct fib_ctl;

struct fib {
	struct lpm lpm;       /* writer: ctl thread. Readers: workers, under QSBR */
	struct lpm6 lpm6;     /* the same */
	_Atomic uint64_t *nh; /* [n_all] struct fib_nh; writer: ctl thread */
	struct ip6 *
		gateway; /* of next hops; a place is written before its next hop is, and again behind a quiescent state */
	uint32_t links;             /* start: id of "on link at port 0"; the other ports' follow */
	uint32_t n_nexthops, n_all; /* start; n_all: both halves, our own, and legs */
	uint32_t hash_key;          /* start: which leg a flow gets is nobody's to foresee */
	struct fib_ctl *ctl;        /* the ctl thread's own */
};

struct fib_params {
	uint32_t routes_max, routes6_max; /* of the control plane */
	uint32_t n_nexthops;
	uint16_t n_ports;
	int numa_node;
	struct rte_rcu_qsbr *qsbr; /* NULL: no readers but the caller (tests) */
};

/* EAL memory that fib_new() takes, in octets: for -m without hugepages. */
uint64_t fib_memory(const struct fib_params *p);
/* All memory is taken here. NULL: out of memory. EAL is up; main thread. */
struct fib *fib_new(const struct fib_params *p);
void fib_free(struct fib *f); /* no reader is left; NULL is fine */

/* --- workers, between two quiescent states --- */

/* Next-hop ids of n destinations (host order). Every id is valid for fib_nh(). */
static inline void fib_lookup(const struct fib *f, const uint32_t *addr, uint32_t *id, uint16_t n)
{
	lpm_lookup(&f->lpm, addr, id, n);
}

static inline struct fib_nh fib_nh(const struct fib *f, uint32_t id)
{
	union {
		uint64_t v;
		struct fib_nh nh;
	} u = {.v = atomic_load_explicit(&f->nh[id], memory_order_relaxed)};

	return u.nh;
}

/* The leg that a flow with this hash takes; its id in *id. nh has legs. */
static inline struct fib_nh fib_leg(const struct fib *f, struct fib_nh nh, uint32_t hash, uint32_t *id)
{
	*id = nh.arg + (uint32_t)(((uint64_t)hash * nh.n) >> 32);
	atomic_thread_fence(memory_order_acquire); /* nh was stored after its legs */
	return fib_nh(f, *id);
}

/* Does all that goes there go by tunnels? */
static inline bool fib_is_tunnel(struct fib_nh nh)
{
	return (nh.kind & ~FIB_LEGS) == FIB_TUNNEL;
}

/* --- ctl thread --- */

/* Route a prefix to a next hop of the control plane; over an existing one it replaces it. addr: host order, host bits
 * zero. 0; -ENOENT no such next hop; -ENOSPC routes_max or the table's own limit; -EEXIST the prefix is ours; -EINVAL; -EAGAIN workers
 * may still use what it needs: ask again soon. */
int fib_set(struct fib *f, uint32_t addr, uint8_t plen, uint32_t nexthop) MUST_USE;
/* -ENOENT: no such route. */
int fib_del(struct fib *f, uint32_t addr, uint8_t plen) MUST_USE;
/* A route of the data plane's own, from the config: kind LOCAL, DROP, or PORT on link. Takes over any other. Start
 * only. */
int fib_own_set(struct fib *f, uint32_t addr, uint8_t plen, enum fib_kind kind, uint16_t port) MUST_USE;
/* An address of the gateway's own that is on no port (ADDR_SET, ADDR_DEL). Set again: fine. As fib_set(). */
int fib_addr_set(struct fib *f, uint32_t addr) MUST_USE;
int fib_addr_del(struct fib *f, uint32_t addr) MUST_USE;
/* Is it one of the gateway's own, as of the last call? */
bool fib_is_local(const struct fib *f, uint32_t addr);

/* Fetch into the caches what fib_set() and fib_del() of these prefixes, which need not be any, will touch: together they wait for
 * memory once and not each for itself. n <= FIB_PREFETCH. */
void fib_prefetch(const struct fib *f, const uint32_t *addr, const uint8_t *plen, unsigned n);

/* A control plane has attached: its next-hop ids begin anew. */
void fib_attached(struct fib *f);
/* Mark and sweep: routes not set between begin and end, and addresses not set since fib_attached(), are removed,
 * FIB_SWEEP a turn, or a single short one. A second begin starts over; an end without a begin does nothing. */
void fib_sync_begin(struct fib *f);
void fib_sync_end(struct fib *f);
/* A turn of the sweep; true while there is more to do. */
bool fib_sweep(struct fib *f);

/* Next hops: visible at once. The caller has checked m (msg_check_cmd) and that its tunnels live. DEL leaves routes to
 * it as FIB_NONE. -EINVAL id; -ENOSPC FIB_GROUPS; -EAGAIN workers may still use the legs or gateways that it would take. */
int fib_nexthop_set(struct fib *f, const struct msg_nexthop *m) MUST_USE;
int fib_nexthop_del(struct fib *f, uint32_t id) MUST_USE;
/* A tunnel went away: its next hops and legs become FIB_DROP, so that nothing for it leaves by another that takes the slot. */
void fib_tunnel_gone(struct fib *f, uint32_t tunnel);

/* What a worker does with packets to addr now. */
struct fib_found {
	struct ip_addr addr; /* the prefix that matched */
	uint8_t plen;
	uint8_t n;        /* legs; 0: the next hop was deleted */
	uint32_t nexthop; /* the control plane's id; UINT32_MAX: the route is our own */
	struct fib_nh leg[MSG_NH_LEGS];
};
/* Read from the table that workers read. false: there is no route. */
bool fib_find(const struct fib *f, uint32_t addr, struct fib_found *out);
uint32_t fib_count(const struct fib *f); /* IPv4 routes of the control plane */
