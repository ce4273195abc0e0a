/* The forwarding table of fake_dp: what routes and next hops would be in force, and what must never be asked of it.
 *
 * Takes fake_dp's on_cmd and on_route. Ids are per attach, as in the data plane: those of an earlier attach keep their meaning for
 * the routes that use them until the sweep. */
#pragma once

#include "base/ip.h"
#include "tests/lib/fake_dp.h"

enum { FAKE_FIB_NEXTHOPS = 4096 };

struct fake_fib_nh {
	uint8_t n; /* 0: not there */
	struct msg_nh_leg leg[MSG_NH_LEGS];
};

struct fake_fib_route {
	struct ip_prefix to;
	bool live;
	uint32_t half, id, mark;
};

struct fake_fib {
	struct fake_dp *dp;
	struct fake_fib_nh nh[2][FAKE_FIB_NEXTHOPS]; /* by half: the parity of the attach */
	struct fake_fib_route *route;
	uint32_t cap, n, taken; /* cap: a power of two; n: live ones; taken: and dead ones */
	uint32_t mark;          /* counts syncs */
	unsigned
		bad; /* routes to next hops that are not there, next hops that go before their routes, or tunnels before them */
	int (*refuse)(const struct msg_route *r); /* < 0: NACK; may be NULL */
};

void fake_fib_init(struct fake_fib *f, struct fake_dp *dp);
void fake_fib_fini(struct fake_fib *f);
/* Empty, as a new life of the data plane. */
void fake_fib_clear(struct fake_fib *f);
/* The next hop of exactly that prefix; NULL: no such route. */
const struct fake_fib_nh *fake_fib_get(const struct fake_fib *f, const struct ip_prefix *p);
/* The longest match. */
const struct fake_fib_nh *fake_fib_lookup(const struct fake_fib *f, const struct ip_addr *a);
