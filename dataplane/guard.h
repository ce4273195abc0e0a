/* Keeps the kernel away from frames of an AF_PACKET port.
 *
 * The kernel sees every frame of the interface as well and would answer in the gateway's place: ARP, neighbour discovery, port
 * unreachable, TCP resets. An nftables chain at the interface's ingress hook drops them behind AF_PACKET's tap. The interface's addresses
 * are left alone. So is its IPv6: the kernel hears no solicitation and no router, and what it says by itself when the link comes up (it
 * looks for duplicates of its link-local address and for routers) is of the same MAC and changes nothing. One gateway per interface: an abstract Unix socket named after it (gone with its process, whatever
 * kills that) is the lock, so a chain of ours on an interface whose lock is free is a leftover, and goes.
 * Main thread; needs CAP_NET_ADMIN. No DPDK in here.
 */
#pragma once

#include <stdbool.h>

#include "base/build.h"
#include "config/config.h"

struct port_set;

struct guard {
	char table[48]; /* "esplanade_" and a number made from the run directory; "": nothing installed */
	int lock[CFG_PORTS_MAX];
	unsigned n_locks;
};

/* Lock the interfaces. 0; -errno with a sentence for the user in why. g is fit for guard_off() either way. */
int guard_lock(struct guard *g, const struct port_set *ports, char *why, unsigned cap) MUST_USE;
/* Replace what a predecessor left by chains of our own. As guard_lock(). */
int guard_on(struct guard *g, const struct port_set *ports, const char *run_dir, char *why, unsigned cap) MUST_USE;
/* Remove the chains, release the locks. Safe on a zeroed struct and twice. */
void guard_off(struct guard *g);
