/* Helpers of the tests that hand segments over. After cmocka.h. */
#pragma once

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring/shm.h"

static const struct shm_params params = {
	.workers = 2, .ports = 3, .sas = 64, .tunnels = 16, .nexthops = 32, .epoch = 0x1122334455667788, .attach = 1};

static inline struct msg_limits limits_of(const struct shm *s)
{
	return (struct msg_limits){.sas = s->hello.sas,
				   .tunnels = s->hello.tunnels,
				   .nexthops = s->hello.nexthops,
				   .ports = (uint16_t)s->hello.ports,
				   .workers = (uint8_t)s->hello.workers,
				   .attach = s->hello.attach};
}

static inline void socket_pair(int sock[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
}

static inline unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

static inline bool rings(int bell)
{
	struct pollfd p = {.fd = bell, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static inline void expect_exit(pid_t pid, int code)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}
