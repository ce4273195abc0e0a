/* The XDP program of AF_XDP ports: what it is told, and its life on an interface.
 *
 * DPDK's driver loads the program from a file, attaches it and gives it the sockets. The file is a memfd with our object
 * (it is built into this executable) and the settings: nothing is installed and nothing is pinned, so no bpffs is needed. A
 * killed gateway leaves the program attached, which then drops what has no socket; it is known by its name.
 *
 * steer.bpf.c includes this file too.
 */
#pragma once

#include <linux/types.h>

#define STEER_MAGIC   "esplanade-steer" /* 16 octets with the NUL, once in the object */
#define STEER_PROGRAM "esplanade_steer" /* as the kernel keeps it: 15 octets */

enum { STEER_MGMT_MAX = 8, STEER_QUEUES_MAX = 64 };

struct steer_mgmt {
	__u8 protocol, pad; /* 6 or 17 */
	__u16 port;
};

struct steer_conf {
	char magic[16];
	__u32 n_mgmt; /* 0: the interface is the gateway's alone */
	struct steer_mgmt mgmt[STEER_MGMT_MAX];
};

#ifndef __bpf__ /* what clang -target bpf defines */
#include "base/build.h"

struct steer_attached {
	__u32 id;
	int generic; /* the kernel's own, not the driver's */
	char name[16];
};

/* A descriptor of the object's file with these settings (its magic is set here); -ENOTSUP: this build has no XDP. */
int steer_file(const struct steer_conf *conf) MUST_USE;
/* The program that is on the interface: 1 and *a; 0: none; -errno: not to be found out (CAP_SYS_ADMIN). */
int steer_query(int ifindex, struct steer_attached *a) MUST_USE;
/* Take exactly this one off. */
int steer_detach(int ifindex, const struct steer_attached *a) MUST_USE;
#endif
