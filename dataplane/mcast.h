/* Frames to the groups of our IPv6 addresses: devices filter them unless they are asked for. RFC 2464 7, RFC 4861 7.2.1
 *
 * A Linux interface is asked by a packet socket that receives nothing and whose end takes the request back; a device of DPDK's by its
 * driver. Others have no filter. The groups are not reported to routers (MLD): a switch that snoops without a querier that tells it of
 * us floods them, as it does those of hosts that are silent.
 */
#pragma once

#include "base/build.h"

struct port;
struct port_set;

/* For all Linux interfaces. A descriptor to keep open, 0 when nothing is to be asked for, or -errno; needs CAP_NET_RAW. Before EAL. */
int mcast_join(const struct port_set *ports) MUST_USE;
/* For an opened device of DPDK's own. 0 or -errno. */
int mcast_filter(const struct port *p) MUST_USE;
