/* The few rtnetlink requests that the TUN device needs, on a socket of their own. RFC 3549; rtnetlink(7)
 *
 * A request is done when the call returns: the kernel carries it out inside send(), and its answer waits by then. No DPDK in
 * here. Needs CAP_NET_ADMIN when it is called, and when the socket was opened.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "base/ip.h"

struct rtnl {
	int fd; /* 0: none */
	uint32_t seq;
};

/* What a rule of ours says: packets from src are routed by this table. */
struct rtnl_rule {
	struct ip_addr src;
	uint32_t table;
};

/* 0 or -errno, in all of these. */
int rtnl_open(struct rtnl *n) MUST_USE;
void rtnl_close(struct rtnl *n); /* zeroed is fine */

/* An address with all its bits on an interface, without any route; there already, or gone already: fine. */
int rtnl_addr_set(struct rtnl *n, int ifindex, const struct ip_addr *a) MUST_USE;
int rtnl_addr_del(struct rtnl *n, int ifindex, const struct ip_addr *a) MUST_USE;
/* "from SRC lookup TABLE"; set: 1 when it is there already, and nobody is told of anything; del: gone already is fine. */
int rtnl_rule_set(struct rtnl *n, const struct rtnl_rule *r) MUST_USE;
int rtnl_rule_del(struct rtnl *n, const struct rtnl_rule *r) MUST_USE;
/* Rules of a family that rtnl_rule_set() made, in this process or another; up to cap into r. How many. */
int rtnl_rules(struct rtnl *n, uint8_t family, struct rtnl_rule *r, unsigned cap) MUST_USE;
/* "default dev IFINDEX table TABLE". As the rules. */
int rtnl_default(struct rtnl *n, uint8_t family, int ifindex, uint32_t table) MUST_USE;
/* "unreachable default table TABLE", behind the other: without it a lookup would go on to the main table as soon as the
 * interface is down. As the rules. */
int rtnl_wall_set(struct rtnl *n, uint8_t family, uint32_t table) MUST_USE;
int rtnl_wall_del(struct rtnl *n, uint8_t family, uint32_t table) MUST_USE;
/* The interface forwards nothing that it receives, takes no redirects and filters no sources; no IPv6 addresses of its own. */
int rtnl_quiet(struct rtnl *n, int ifindex) MUST_USE;
