#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "handover.h"
#include "valid.h"

/* In a child there is no cmocka: say where, and leave. */
#define NEED(cond)                                                                  \
	do {                                                                        \
		if (!(cond)) {                                                      \
			fprintf(stderr, "# child: line %d: %s\n", __LINE__, #cond); \
			_exit(1);                                                   \
		}                                                                   \
	} while (0)

/* The control plane of the tests: attach, take one event, answer it with a command, ring, wait for the end. */
static void control_plane(int sock, uint32_t attach)
{
	const char *why = "";
	struct msg_limits l;
	struct shm s;
	union msg m;

	NEED(shm_recv(&s, sock, &why) == 0);
	NEED(s.hello.attach == attach && s.hello.epoch == params.epoch && s.hello.workers == 2);
	l = limits_of(&s);
	NEED(poll(&(struct pollfd){.fd = s.bell_control, .events = POLLIN}, 1, 10000) == 1);
	shm_clear_bell(s.bell_control);
	NEED(spsc_pop(&s.w[1].evt, &m) == 0 && msg_check_evt(&m, &l) == 0 && m.hdr.type == MSG_LINK);
	NEED(valid_msg(&m, MSG_SA_DEL));
	m.hdr.attach = attach;
	m.hdr.seq = 4711;
	NEED(spsc_push(&s.w[1].cmd, &m, m.hdr.len) == 0);
	shm_ring_bell(s.bell_worker[1]);
	NEED(atomic_load(&s.hdr->applied) == 99);
	NEED(s.sa_stats[127].c.packets == 1234567);
	/* killed here, or told to end by the closed socket */
	NEED(poll(&(struct pollfd){.fd = sock, .events = POLLIN}, 1, 20000) == 1);
	shm_fini(&s);
	_exit(0);
}

/* The data plane's half of it, in the test's own process. */
static void data_plane_turn(struct shm *s, int sock)
{
	struct msg_limits l = limits_of(s);
	union msg m;

	assert_int_equal(shm_take_answer(s, sock), -EAGAIN);
	atomic_store(&s->hdr->applied, 99);
	s->sa_stats[127].c.packets = 1234567;
	assert_int_equal(shm_send(s, sock), 0);
	wait_readable(sock);
	assert_int_equal(shm_take_answer(s, sock), 0);
	assert_true(valid_msg(&m, MSG_LINK));
	m.hdr.attach = s->hello.attach;
	assert_int_equal(spsc_push(&s->w[1].evt, &m, m.hdr.len), 0);
	shm_ring_bell(s->bell_control);
	wait_readable(s->bell_worker[1]);
	shm_clear_bell(s->bell_worker[1]);
	assert_int_equal(spsc_pop(&s->w[1].cmd, &m), 0);
	assert_int_equal(msg_check_cmd(&m, &l), 0);
	assert_int_equal(m.hdr.seq, 4711);
}

static pid_t start_control_plane(int sock[2], uint32_t attach)
{
	pid_t pid;

	socket_pair(sock);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(sock[0]);
		control_plane(sock[1], attach);
	}
	close(sock[1]);
	return pid;
}

static void two_processes_meet_in_one_segment(void **state UNUSED)
{
	struct shm s;
	int sock[2];
	pid_t pid;

	assert_int_equal(shm_create(&s, &params), 0);
	pid = start_control_plane(sock, 1);
	data_plane_turn(&s, sock[0]);
	close(sock[0]);
	expect_exit(pid, 0);
	shm_fini(&s);
}

static void a_killed_control_plane_costs_a_new_segment(void **state UNUSED)
{
	struct shm_params p = params;
	struct shm old, fresh;
	union msg m;
	int sock[2];
	pid_t pid;

	assert_int_equal(shm_create(&old, &p), 0);
	pid = start_control_plane(sock, 1);
	data_plane_turn(&old, sock[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	wait_readable(sock[0]);
	assert_int_equal(shm_take_answer(&old, sock[0]), -ECONNRESET);
	close(sock[0]);
	/* the old rings can still be used: nothing is mapped away */
	shm_ring_bell(old.bell_control);
	assert_int_equal(spsc_pop(&old.w[1].cmd, &m), -EAGAIN);

	p.attach = 2;
	assert_int_equal(shm_create(&fresh, &p), 0);
	pid = start_control_plane(sock, 2);
	data_plane_turn(&fresh, sock[0]);
	/* what is left of the first generation is told apart */
	valid_msg(&m, MSG_SA_DEL);
	m.hdr.attach = 1;
	assert_int_equal(msg_check_cmd(&m, &(struct msg_limits){.sas = 64, .attach = 2}), -ESTALE);
	close(sock[0]);
	expect_exit(pid, 0);
	shm_fini(&old);
	shm_fini(&fresh);
}

static void a_killed_data_plane_leaves_a_readable_segment_and_its_path_free(void **state UNUSED)
{
	char dir[] = "/tmp/ring-test-XXXXXX", path[64];
	const char *why = "";
	int ready[2], sock, listener;
	struct shm s;
	union msg m;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/dataplane.sock", dir);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int conn, fd = shm_listen(path);

		NEED(fd >= 0 && shm_create(&s, &params) == 0);
		NEED(write(ready[1], "x", 1) == 1);
		valid_msg(&m, MSG_LINK);
		m.hdr.attach = 1;
		NEED(spsc_push(&s.ctl_evt, &m, m.hdr.len) == 0);
		for (int i = 0; i < 2; i++) { /* the first is the look of another shm_listen() */
			NEED(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000) == 1);
			conn = accept(fd, NULL, NULL);
			NEED(conn >= 0 && shm_peer_ok(conn, 12345));
			if (i == 0) /* it hangs up when it has seen that somebody listens */
				NEED(poll(&(struct pollfd){.fd = conn, .events = POLLIN}, 1, 10000) == 1);
			NEED(shm_send(&s, conn) == (i == 0 ? -EPIPE : 0));
		}
		for (;;)
			pause();
	}
	wait_readable(ready[0]);
	assert_int_equal(shm_listen(path), -EADDRINUSE); /* a living one is there */
	sock = shm_connect(path);
	assert_true(sock >= 0);
	wait_readable(sock);
	assert_int_equal(shm_recv(&s, sock, &why), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(spsc_pop(&s.ctl_evt, &m), 0);
	assert_int_equal(m.hdr.type, MSG_LINK);
	assert_int_equal(spsc_push(&s.ctl_cmd, &m, 16), 0);
	shm_ring_bell(s.bell_ctl); /* no SIGPIPE */
	wait_readable(sock);
	assert_true(recv(sock, &m, 1, 0) <= 0);
	close(sock);
	shm_fini(&s);

	assert_int_equal(shm_connect(path), -ECONNREFUSED);
	listener = shm_listen(path);
	assert_true(listener >= 0);
	close(listener);
	unlink(path);
	assert_int_equal(shm_connect(path), -ENOENT);
	rmdir(dir);
	close(ready[0]);
	close(ready[1]);
}

static void the_socket_is_private_and_no_other_file_is_removed(void **state UNUSED)
{
	char dir[] = "/tmp/ring-test-XXXXXX", path[64], longer[200];
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	close(fd);
	assert_int_equal(shm_listen(path), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	fd = shm_listen(path);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	unlink(path);
	rmdir(dir);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(shm_listen(longer), -ENAMETOOLONG);
	assert_int_equal(shm_connect(longer), -ENAMETOOLONG);
}

static void numbers_out_of_range_make_no_segment(void **state UNUSED)
{
	static const struct shm_params bad[] = {
		{0, 3, 64, 16, 32, 1, 1},
		{33, 3, 64, 16, 32, 1, 1},
		{2, 17, 64, 16, 32, 1, 1},
		{2, 3, 0, 16, 32, 1, 1},
		{2, 3, (1 << 20) + 1, 16, 32, 1, 1},
		{2, 3, 64, 0, 32, 1, 1},
		{2, 3, 64, UINT32_MAX, 32, 1, 1},
		{2, 3, 64, 16, 0, 1, 1},
		{2, 3, 64, 16, 32, 0, 1},
	};

	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		struct shm s;

		assert_int_equal(shm_create(&s, &bad[i]), -EINVAL);
		shm_fini(&s);
		shm_fini(&s);
	}
}

static void parts_of_the_segment_do_not_overlap(void **state UNUSED)
{
	struct shm s;
	uint8_t *end, *last = NULL;
	struct spsc *rings_of[16];
	unsigned n = 0;

	assert_int_equal(shm_create(&s, &params), 0);
	for (unsigned w = 0; w < 2; w++) {
		rings_of[n++] = &s.w[w].cmd;
		rings_of[n++] = &s.w[w].evt;
		rings_of[n++] = &s.w[w].ike_init;
		rings_of[n++] = &s.w[w].ike_in;
		rings_of[n++] = &s.w[w].ike_out;
	}
	rings_of[n++] = &s.ctl_cmd;
	rings_of[n++] = &s.ctl_evt;
	rings_of[n++] = &s.route;
	assert_true((uint8_t *)s.worker_stats >= s.base + sizeof(struct shm_hdr));
	assert_true((uint8_t *)s.port_stats >= (uint8_t *)(s.worker_stats + 2));
	assert_true((uint8_t *)s.sa_stats >= (uint8_t *)(s.port_stats + 3));
	last = (uint8_t *)(s.sa_stats + 2 * 64);
	for (unsigned i = 0; i < n; i++) {
		assert_true((uint8_t *)rings_of[i]->shm >= last);
		assert_int_equal((uintptr_t)rings_of[i]->shm % 64, 0);
		last = (uint8_t *)rings_of[i]->shm + spsc_size(rings_of[i]->mask + 1, rings_of[i]->slot_size);
	}
	end = s.base + s.hello.size;
	assert_true(last <= end && end - last < 64);
	memset(s.base, 0, s.hello.size); /* all of it is mapped */
	shm_fini(&s);
}

static void a_bell_rings_until_it_is_cleared_and_never_blocks(void **state UNUSED)
{
	int sock[2];
	struct shm dp, cp;
	const char *why = "";

	assert_int_equal(shm_create(&dp, &params), 0);
	socket_pair(sock);
	assert_int_equal(shm_send(&dp, sock[0]), 0);
	assert_int_equal(shm_recv(&cp, sock[1], &why), 0);
	assert_false(rings(dp.bell_ctl));
	for (int i = 0; i < 100000; i++) /* far more than a socket holds */
		shm_ring_bell(cp.bell_ctl);
	assert_true(rings(dp.bell_ctl));
	assert_false(rings(dp.bell_worker[0]));
	for (int i = 0; i < 1000 && rings(dp.bell_ctl); i++)
		shm_clear_bell(dp.bell_ctl);
	assert_false(rings(dp.bell_ctl));
	/* a peer that makes the descriptors blocking cannot make us wait: alarm() would end the test */
	alarm(20);
	fcntl(cp.bell_ctl, F_SETFL, 0);
	fcntl(cp.bell_control, F_SETFL, 0);
	fcntl(dp.bell_ctl, F_SETFL, 0);
	shm_clear_bell(dp.bell_ctl);
	for (int i = 0; i < 100000; i++)
		shm_ring_bell(dp.bell_control);
	alarm(0);
	shm_fini(&cp);
	shm_ring_bell(dp.bell_control); /* nobody there */
	shm_clear_bell(dp.bell_control);
	shm_fini(&dp);
	close(sock[0]);
	close(sock[1]);
}

static void a_wrong_answer_is_refused(void **state UNUSED)
{
	struct shm_attach good = {.magic = SHM_MAGIC, .layout = MSG_LAYOUT, .epoch = params.epoch, .attach = 1}, a;
	struct shm s;
	int sock[2];

	assert_int_equal(shm_create(&s, &params), 0);
	socket_pair(sock);
#define ANSWER(rc, n, ...)                                          \
	do {                                                        \
		a = good;                                           \
		__VA_ARGS__;                                        \
		assert_int_equal(send(sock[1], &a, n, 0), n);       \
		assert_int_equal(shm_take_answer(&s, sock[0]), rc); \
	} while (0)
	ANSWER(0, sizeof(a), );
	ANSWER(-EPROTO, sizeof(a), a.magic++);
	ANSWER(-EPROTO, sizeof(a), a.layout++);
	ANSWER(-EPROTO, sizeof(a), a.epoch++);
	ANSWER(-EPROTO, sizeof(a), a.attach++);
	ANSWER(-EPROTO, sizeof(a) - 1, );
	ANSWER(-EPROTO, 1, );
#undef ANSWER
	assert_int_equal(shm_take_answer(&s, sock[0]), -EAGAIN);
	close(sock[1]);
	assert_int_equal(shm_take_answer(&s, sock[0]), -ECONNRESET);
	close(sock[0]);
	shm_fini(&s);
}

static void no_hello_yet_is_no_error(void **state UNUSED)
{
	const char *why = "";
	struct shm s;
	int sock[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sock), 0);
	assert_int_equal(shm_recv(&s, sock[1], &why), -EAGAIN);
	shm_fini(&s);
	close(sock[0]);
	close(sock[1]);
}

static void nothing_leaks(void **state UNUSED)
{
	unsigned before = open_fds();

	for (int i = 0; i < 20; i++) {
		const char *why = "";
		struct shm dp, cp;
		int sock[2];

		assert_int_equal(shm_create(&dp, &params), 0);
		socket_pair(sock);
		assert_int_equal(shm_send(&dp, sock[0]), 0);
		assert_int_equal(shm_recv(&cp, sock[1], &why), 0);
		shm_fini(&dp);
		shm_fini(&cp);
		shm_fini(&cp);
		close(sock[0]);
		close(sock[1]);
	}
	assert_int_equal(open_fds(), before);
}

/* A daemon may run without stdio: descriptor 0 then would read as "none" in struct shm. */
static void closed_stdio_is_survived(void **state UNUSED)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct shm s;

		close(0);
		NEED(shm_create(&s, &params) == 0);
		NEED(s.memfd > 2 && s.bell_control > 2 && fcntl(0, F_GETFD) < 0);
		shm_fini(&s);
		_exit(0);
	}
	expect_exit(pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_processes_meet_in_one_segment),
		cmocka_unit_test(a_killed_control_plane_costs_a_new_segment),
		cmocka_unit_test(a_killed_data_plane_leaves_a_readable_segment_and_its_path_free),
		cmocka_unit_test(the_socket_is_private_and_no_other_file_is_removed),
		cmocka_unit_test(numbers_out_of_range_make_no_segment),
		cmocka_unit_test(parts_of_the_segment_do_not_overlap),
		cmocka_unit_test(a_bell_rings_until_it_is_cleared_and_never_blocks),
		cmocka_unit_test(a_wrong_answer_is_refused),
		cmocka_unit_test(no_hello_yet_is_no_error),
		cmocka_unit_test(nothing_leaks),
		cmocka_unit_test(closed_stdio_is_survived),
	};

	return cmocka_run_group_tests_name("shm", tests, NULL, NULL);
}
