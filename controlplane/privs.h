/* What this process gives up once its sockets are bound and its secrets read. */
#pragma once

#include <sys/types.h>

#include "base/build.h"

struct privs_user {
	char name[64];
	uid_t uid;
	gid_t gid;
};

/* No core files, no tracing by others, no new privileges: before any secret is read. */
void privs_harden(void);
/* The user to become. name NULL: `esplanade` if there is one, else nobody else. 1: *u is set; 0: stay; -ENOENT: no such
 * user. */
int privs_find(const char *name, struct privs_user *u) MUST_USE;
/* Become u (NULL: stay) and give up every capability but CAP_NET_BIND_SERVICE, for BGP's port. 0 or -errno. */
int privs_drop(const struct privs_user *u) MUST_USE;
