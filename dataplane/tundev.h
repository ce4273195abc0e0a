/* The TUN device: how the kernel's own sockets (BGP's above all) have a place on the data plane's network.
 *
 * The gateway's addresses stand on it as /32 and /128, without routes. What the kernel sends from one of them is routed by a table of its
 * own, chosen by that source ("from A lookup T", in T "default dev TUN"); the main table is never touched. T comes from the
 * interface's number, so several gateways of a host have different ones. The device forwards nothing, so a packet whose address
 * has just gone cannot leave by another interface in clear; and when it is down, T ends in "unreachable".
 * All of it goes with the process, but for the rules when that is killed; the next start takes those away whose table has no
 * interface any more. Main thread, then the ctl thread. Needs CAP_NET_ADMIN. No DPDK in here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "base/ip.h"
#include "dataplane/rtnl.h"

#define TUNDEV_NAME "esplanade%d"

enum { TUNDEV_ADDRS_MAX = 4096 };

struct tundev {
	int fd;      /* packets; non-blocking */
	int ifindex; /* 0: none */
	char name[16];
	uint32_t table;
	int sock; /* for questions about it */
	struct rtnl rtnl;
	bool up, gone;
	bool six; /* the kernel has IPv6 */
	unsigned n_addrs;
	unsigned watched; /* runs free: whose rule is looked at next */
	struct ip_addr addr[TUNDEV_ADDRS_MAX];
};

/* Make the device and bring it up. name: may hold one %d; "": TUNDEV_NAME. 0; -errno with a sentence for the user in why. t is zeroed
 * before, and fit for tundev_close() either way. */
int tundev_open(struct tundev *t, const char *name, uint16_t mtu, char *why, unsigned cap) MUST_USE;
void tundev_close(struct tundev *t);

/* An address of the gateway's own, not link-local; there already, or not there: fine. 0; -ENOSPC TUNDEV_ADDRS_MAX; -errno. A device
 * that was removed takes no more, nor does a kernel without IPv6 take its addresses: 0. */
int tundev_addr_set(struct tundev *t, const struct ip_addr *a) MUST_USE;
int tundev_addr_del(struct tundev *t, const struct ip_addr *a) MUST_USE;

/* Look whether it was set down, up again or removed: t->up, t->gone; and put rules back that others removed, some at a time. Every now
 * and then. */
void tundev_watch(struct tundev *t);
