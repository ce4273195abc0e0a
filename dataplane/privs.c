#include "dataplane/privs.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#define CAP_BIT(c) (UINT64_C(1) << (c))

/* Of the wanted capabilities, those that the thread has. Nothing is inherited by a program that it might run. */
static int limit_to(uint64_t want)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(want >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

int privs_early(unsigned ports)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    setrlimit(RLIMIT_CORE, &none))
		return -errno;
	/* DAC_OVERRIDE: capture files and the run directory may be another user's */
	return limit_to(CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_IPC_LOCK) |
			CAP_BIT(CAP_DAC_OVERRIDE) | (ports & PRIVS_XDP ? CAP_BIT(CAP_BPF) : 0) |
			(ports & PRIVS_PCI ? CAP_BIT(CAP_SYS_ADMIN) : 0));
}

int privs_main(void)
{
	return limit_to(CAP_BIT(CAP_NET_ADMIN));
}

int privs_none(void)
{
	return limit_to(0);
}

int privs_lock_memory(void)
{
	return mlockall(MCL_CURRENT | MCL_ONFAULT) ? -errno : 0;
}
