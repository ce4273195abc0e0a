/* Giving up what the process does not need any more. Capabilities belong to threads, so each thread gives up its own.
 *
 *   privs_early()   before EAL makes threads: what opening ports and memory needs
 *   privs_main()    when all is open: CAP_NET_ADMIN, for addresses on the TUN device, and to remove the guard at exit
 *   privs_none()    each other thread, as the first thing it does
 */
#pragma once

#include "base/build.h"

/* What opening some kinds of ports needs besides; given up with the rest by privs_main(). */
enum privs_port {
	PRIVS_XDP = 1, /* CAP_BPF: load the XDP program */
	PRIVS_PCI = 2, /* CAP_SYS_ADMIN: all of a device's configuration space, and physical addresses */
};

/* 0 or -errno. No new privileges by exec, no core file with keys in it, no debugger but root's. ports: of enum privs_port. */
int privs_early(unsigned ports) MUST_USE;
int privs_main(void) MUST_USE;
int privs_none(void) MUST_USE;
/* Keep the memory that is mapped now out of swap, as it is touched. 0 or -errno. */
int privs_lock_memory(void) MUST_USE;
