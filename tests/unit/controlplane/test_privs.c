/* What is left when the control plane has become another user: in children, because it cannot be taken back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controlplane/privs.h"

/* Exit code of fn in a child. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool drop(bool to_nobody)
{
	struct privs_user u;

	privs_harden();
	return to_nobody ? privs_find("nobody", &u) == 1 && !privs_drop(&u) : !privs_drop(NULL);
}

static int has_one_capability(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct c[2] = {0};

	if (!drop(true) || geteuid() == 0 || syscall(SYS_capget, &head, c))
		return 1;
	if (c[0].permitted != 1u << CAP_NET_BIND_SERVICE || c[0].effective != c[0].permitted || c[0].inheritable)
		return 2;
	if (c[1].permitted || c[1].effective || c[1].inheritable)
		return 3;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
			return 4;
	return setuid(0) ? 0 : 5;
}

/* An address of a reload: bound long after the start. */
static int binds_the_port_of_bgp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(179)};
	int fd;

	if (unshare(CLONE_NEWNET) || !drop(true))
		return 1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) ? 2 : 0;
}

static int opens_no_raw_socket(void)
{
	return drop(false) && socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) < 0 && errno == EPERM ? 0 : 1;
}

static void another_user_keeps_one_capability(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(in_child(has_one_capability), 0);
}

static void another_user_can_bind_the_port_of_bgp(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(in_child(binds_the_port_of_bgp), 0);
}

static void the_same_user_loses_all_others_too(void **state)
{
	(void)state;
	assert_int_equal(in_child(opens_no_raw_socket), 0);
}

static void an_unknown_user_is_an_error(void **state)
{
	struct privs_user u;

	(void)state;
	assert_int_equal(privs_find("no-such-user-here", &u), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_user_keeps_one_capability),
		cmocka_unit_test(another_user_can_bind_the_port_of_bgp),
		cmocka_unit_test(the_same_user_loses_all_others_too),
		cmocka_unit_test(an_unknown_user_is_an_error),
	};

	return cmocka_run_group_tests_name("privs", tests, NULL, NULL);
}
