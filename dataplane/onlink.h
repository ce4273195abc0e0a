/* A port's addresses: which they are, and the routes that the data plane knows from them. RFC 1812 4.2.2.11, 5.3.5; RFC 4291 2.5.6, 2.6.1
 *
 * For 192.0.2.1/24 on a port: 192.0.2.0/24 on link there, 192.0.2.1 ours, and 192.0.2.0 and 192.0.2.255 dropped: a
 * gateway does not forward broadcasts into a connected network (RFC 2644).
 * For 2001:db8::1/64: 2001:db8::/64 on link, 2001:db8::1 ours, and 2001:db8::, which is any router of the network. A port with an IPv6
 * address has a link-local one too: the config's, or one made of its MAC. Link-local addresses and groups are never forwarded.
 */
#pragma once

#include <stdbool.h>

#include "base/build.h"
#include "config/config.h"
#include "dataplane/ip6.h"

struct fib;
struct port;
struct port_set;

enum { ONLINK_ADDRS6 = CFG_ADDRS_MAX + 1 };

/* Before the first worker reads f. 0; -ENOSPC; -EINVAL. */
int onlink_install(struct fib *f, const struct config *c) MUST_USE;
/* The IPv6 ones, which want to know MACs. */
int onlink_install6(struct fib *f, const struct port_set *ports) MUST_USE;

/* The port's link-local address; false: it has no IPv6. */
bool onlink_link6(const struct port *p, struct ip6 *out);
/* All its IPv6 addresses, the link-local one first. How many. */
unsigned onlink_addrs6(const struct port *p, struct ip6 out[ONLINK_ADDRS6]);
/* Is this one of them? */
bool onlink_is_ours6(const struct port *p, struct ip6 a);
/* Does it mean any router of a network there? RFC 4291 2.6.1; no such address in a /127 (RFC 6164). */
bool onlink_is_anycast6(const struct port *p, struct ip6 a);
/* Is it a neighbour's there? */
bool onlink_is_on6(const struct port *p, struct ip6 a);
/* Which of our addresses speaks to this one: the one in its network, or the link-local one. false: the port has no IPv6. */
bool onlink_source6(const struct port *p, struct ip6 to, struct ip6 *out);
