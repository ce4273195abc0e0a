/* What fib.c, fib6.c and fib_nh.c share: the ctl thread's side of the forwarding table. For nobody else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/fib.h"

struct rte_hash;
struct rte_rcu_qsbr;

enum { FIB_SELF_MAX = 4096 }; /* routes that are no control plane's, per family */

/* Who a route belongs to: a higher one is not given up for a lower one. */
enum fib_owner { FIB_OWNER_ROUTE, FIB_OWNER_ADDR, FIB_OWNER_SELF };

/* Something that no next hop has, and when nobody reads it any more. */
struct fib_spare {
	uint64_t token;
	uint32_t at; /* legs: the first one's id; gateways: its place */
};

/* What is given up goes behind, what is taken is in front. */
struct fib_spares {
	struct fib_spare *s; /* [n] */
	uint32_t n;
	uint64_t head, tail; /* never wrap */
};

struct fib_route4;
struct fib6_ctl;

struct fib_ctl {
	struct rte_rcu_qsbr *qsbr;
	struct rte_hash *index; /* prefix -> place in route */
	struct fib_route4 *route;
	uint32_t n_places, n_routes, routes_max;
	uint32_t n_len[33]; /* routes by length, all owners */
	uint64_t *there;    /* a bit for every prefix up to /24: has it a route? */

	uint32_t half;   /* 0 or 1: the next-hop ids of this attach */
	uint32_t attach; /* counts fib_attached() */
	uint32_t sync;   /* counts syncs */
	uint32_t sweep_at;
	bool syncing, sweeping;

	uint32_t dflt;  /* id of 0.0.0.0/0's next hop; fib_id_none(): there is no such route */
	uint32_t dflt6; /* of ::/0; fib_id_none6() */

	uint32_t legs; /* id of the first leg of all */
	struct fib_spares groups, gateways;
	struct fib6_ctl *six;
};

/* Our own next hops stand above both halves. What has no route in one family, and in the other. */
static inline uint32_t fib_id_none(const struct fib *f)
{
	return 2 * f->n_nexthops;
}

static inline uint32_t fib_id_none6(const struct fib *f)
{
	return fib_id_none(f) + 1;
}

static inline uint32_t fib_id_own(const struct fib *f, enum fib_kind kind, uint16_t port)
{
	uint32_t base = fib_id_none6(f);

	if (kind == FIB_LOCAL)
		return base + 1 + (port == FIB_ANYCAST);
	if (kind == FIB_DROP)
		return base + 3;
	return base + 4 + port;
}

static inline uint32_t fib_id_of(const struct fib *f, uint32_t nexthop)
{
	return f->ctl->half * f->n_nexthops + nexthop;
}

/* fib_nh.c */
int fib_nh_init(struct fib *f, const struct fib_params *p) MUST_USE;
void fib_nh_fini(struct fib *f);
uint64_t fib_nh_memory(uint32_t n_nexthops);
/* The default routes are no words in the tables: what "none" stands for is a copy of their next hop. */
void fib_nh_default(struct fib *f, uint32_t id);
void fib_nh_default6(struct fib *f, uint32_t id);
/* A route's next hop, as FIB_GET tells it. */
void fib_nh_found(const struct fib *f, uint32_t id, struct fib_found *out);

/* fib6.c */
int fib6_init(struct fib *f, const struct fib_params *p) MUST_USE;
void fib6_fini(struct fib *f);
uint64_t fib6_memory(uint32_t routes_max);
/* A turn of the sweep, of gone routes at most; true while there is more to do. */
bool fib6_sweep(struct fib *f, unsigned *gone);
void fib6_sweep_begin(struct fib *f);
