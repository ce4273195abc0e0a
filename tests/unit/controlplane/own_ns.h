/* A network namespace of the test's own: lo is up, addresses and ports are nobody else's. Without root: a user namespace, too. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"

/* Alias n of lo has this address, and no network around it. 0 or -1. */
static inline int own_ns_addr(unsigned n, const char *ip)
{
	struct ifreq r = {0};
	struct sockaddr_in *sin = (void *)&r.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
	struct ip_addr addr;

	if (fd < 0 || ip_parse(ip, &addr))
		return -1;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "lo:%u", n);
	sin->sin_family = AF_INET;
	memcpy(&sin->sin_addr, addr.b, 4);
	rc = ioctl(fd, SIOCSIFADDR, &r);
	memset(&sin->sin_addr, 0xff, 4);
	if (!rc)
		rc = ioctl(fd, SIOCSIFNETMASK, &r);
	close(fd);
	return rc;
}

static inline int own_ns(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, rc;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		perror("no network namespace of our own");
		return -1;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
	return rc;
}
