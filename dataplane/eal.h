/* DPDK's environment, started with arguments that are made from the config; nobody types them.
 *
 * Lcore 0 is the main thread (the ctl thread later), lcores 1..n are the workers. The map from lcores to CPUs is free: more
 * workers than CPUs work too, only slower.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "config/config.h"
#include "dataplane/port.h"

enum { EAL_ARGS_MAX = 48, EAL_TEXT = 8192 };

struct eal_args {
	char *argv[EAL_ARGS_MAX + 1];
	int argc;
	uint64_t memory; /* octets that -m asks for */
	char text[EAL_TEXT];
	unsigned used;
	bool full; /* something did not fit */
};

/* Arguments for c and its ports; memory: octets that the tables need. 0; -errno with a sentence for the user in why. */
int eal_args_make(struct eal_args *a, const struct config *c, const struct port_set *ports, uint64_t memory, char *why,
		  unsigned cap) MUST_USE;
/* One line, quoted for a shell; to fd. */
void eal_args_print(const struct eal_args *a, int fd);
/* Start EAL. What it has to say goes to the log at level debug; its last line is the cause in why. -errno. Main thread. */
int eal_start(const struct eal_args *a, char *why, unsigned cap) MUST_USE;
void eal_stop(void);
/* The lcore of worker w. */
unsigned eal_lcore(unsigned w);
