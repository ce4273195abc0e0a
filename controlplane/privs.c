#include "controlplane/privs.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_USER "esplanade"

void privs_harden(void)
{
	static const struct rlimit none = {0};

	/* none of these can fail for a process about itself, but for kernels that lack them; then there is nothing to
	 * do */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int privs_find(const char *name, struct privs_user *u)
{
	const struct passwd *pw = getpwnam(name ? name : DEFAULT_USER);

	if (!pw)
		return name ? -ENOENT : 0;
	if (!name && geteuid() != 0)
		return 0;
	snprintf(u->name, sizeof(u->name), "%s", pw->pw_name);
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	return 1;
}

/* A reload may bring BGP, or another address of it, and port 179 is below 1024: CAP_NET_BIND_SERVICE stays, where it was
 * there. TCP-MD5, TTL and GTSM need none. It is not in the bounding set, so nothing that we could start would have it. */
static int drop_caps(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct c[2] = {0};

	for (int cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno == EPERM)
			break; /* not ours to drop */
	if (syscall(SYS_capget, &head, c))
		return -errno;
	c[0].permitted &= 1u << CAP_NET_BIND_SERVICE;
	c[0].effective = c[0].permitted;
	c[0].inheritable = 0;
	c[1] = (struct __user_cap_data_struct){0};
	return syscall(SYS_capset, &head, c) ? -errno : 0;
}

int privs_drop(const struct privs_user *u)
{
	int rc = 0;

	if (u && u->uid != geteuid()) {
		for (int cap = 0; cap <= 63; cap++)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); /* what is left of them drop_caps() says */
		if (setgroups(1, &u->gid) || setresgid(u->gid, u->gid, u->gid) || setresuid(u->uid, u->uid, u->uid))
			return -errno;
	}
	rc = drop_caps();
	/* a changed uid makes a process dumpable again */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return rc;
}
