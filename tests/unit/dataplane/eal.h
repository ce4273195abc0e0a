/* A small EAL without hugepages, files or devices for unit tests. */
#pragma once

#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>

static inline int eal_start(const char *mb)
{
	char prefix[64];
	char *argv[] = {"test",
			"--no-huge",
			"--no-shconf",
			"-m",
			(char *)mb,
			"--no-pci",
			"--no-telemetry",
			"--log-level=*:error",
			"--lcores",
			"0@0",
			"--iova-mode=va",
			"--force-max-simd-bitwidth=512",
			"--file-prefix",
			prefix,
			NULL};
	int argc = (int)(sizeof(argv) / sizeof(argv[0])) - 1;

	snprintf(prefix, sizeof(prefix), "esplanade-test-%d", (int)getpid());
	if (rte_eal_init(argc, argv) < 0)
		return -1;
	(void)rmdir(rte_eal_get_runtime_dir());
	return 0;
}
