/* Routes that the data plane knows from its ports' addresses. RFC 1812 4.2.2.11, 5.3.5
 *
 * For 192.0.2.1/24 on a port: 192.0.2.0/24 on link there, 192.0.2.1 ours, and 192.0.2.0 and 192.0.2.255 dropped: a
 * gateway does not forward broadcasts into a connected network (RFC 2644).
 */
#pragma once

#include "base/build.h"
#include "config/config.h"

struct fib;

/* Before the first worker reads f. 0; -ENOSPC; -EINVAL. */
int onlink_install(struct fib *f, const struct config *c) MUST_USE;
