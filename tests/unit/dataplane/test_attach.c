/* Handing out segments: a control plane and two workers played by the test, time by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/attach.h"

static struct attach a;
static struct cmd worker[2];
static struct cmd *const cmds[2] = {&worker[0], &worker[1]};
static struct shm shm; /* the control plane's view */
static char dir[] = "/tmp/esplanade-attach-XXXXXX";
static uint64_t now;
static int sock;

static const struct shm_params params = {.workers = 2, .ports = 1, .sas = 4, .tunnels = 4, .nexthops = 4};

static int begin(void **state)
{
	(void)state;
	now = 100000;
	sock = -1;
	memset(worker, 0, sizeof(worker));
	memset(&shm, 0, sizeof(shm));
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	if (!mkdtemp(dir) || attach_listen(&a, dir, 0))
		return -1;
	return attach_start(&a, &params, cmds, 1000000);
}

static int finish(void **state)
{
	(void)state;
	shm_fini(&shm);
	if (sock >= 0)
		close(sock);
	attach_fini(&a);
	return rmdir(dir);
}

/* What cmd_poll() does with a new segment. */
static void workers_move(void)
{
	for (unsigned i = 0; i < 2; i++)
		atomic_store(&worker[i].seen, atomic_load(&worker[i].next));
}

static void turns(unsigned n)
{
	while (n--)
		(void)attach_turn(&a, now);
}

static int dial(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/dataplane.sock", dir);
	return shm_connect(path);
}

/* Connect, receive, answer. 0, or what shm_recv() said. */
static int attach(void)
{
	const char *why = "";
	int ret;

	sock = dial();
	assert_true(sock >= 0);
	turns(2);
	ret = shm_recv(&shm, sock, &why);
	turns(2);
	return ret;
}

static void leave(void)
{
	shm_fini(&shm);
	close(sock);
	sock = -1;
	turns(3);
}

static void the_first_segment_is_there_before_anybody_asks(void **state)
{
	(void)state;
	assert_non_null(attach_segment(&a));
	assert_null(attach_shm(&a));
	assert_ptr_equal(atomic_load(&worker[0].next)->shm, attach_segment(&a));
	assert_false(atomic_load(&worker[0].next)->attached);
	assert_int_not_equal(a.params.epoch, 0);
	assert_int_equal(attach_limits(&a)->attach, 1);
	assert_int_equal(attach_limits(&a)->sas, 4);
}

static void an_answer_attaches_and_a_close_costs_a_segment(void **state)
{
	struct cmd_segment *first = atomic_load(&worker[0].next);
	uint64_t epoch = a.params.epoch;
	(void)state;

	workers_move();
	assert_int_equal(attach(), 0);
	assert_true(first->attached);
	assert_ptr_equal(attach_shm(&a), first->shm);
	assert_int_equal(a.attached, 1);
	leave();
	assert_null(attach_shm(&a));
	assert_int_equal(attach_limits(&a)->attach, 2);
	assert_true(atomic_load(&worker[0].next) != first);
	assert_true(a.slot[0].used && a.slot[1].used); /* a worker may still use the old one */
	workers_move();
	turns(1);
	assert_true(a.slot[0].used != a.slot[1].used);
	assert_int_equal(attach(), 0);
	assert_int_equal(shm.hello.attach, 2);
	assert_true(shm.hello.epoch == epoch);
}

static void the_next_segment_waits_for_the_slowest_worker(void **state)
{
	(void)state;
	workers_move();
	assert_int_equal(attach(), 0);
	leave();
	atomic_store(&worker[0].seen, atomic_load(&worker[0].next)); /* worker 1 does not */
	assert_int_equal(attach(), 0);
	leave();
	assert_true(a.renew); /* both slots are in use */
	assert_true(attach_turn(&a, now) <= now + 10);
	sock = dial();
	turns(5);
	assert_int_equal(a.conn, -1); /* nobody gets a segment that has been given away */
	workers_move();
	turns(3);
	assert_false(a.renew);
	assert_int_equal(attach_limits(&a)->attach, 3);
	assert_true(a.conn >= 0);
}

static void only_one_control_plane_is_attached(void **state)
{
	char c;
	int other;
	(void)state;

	workers_move();
	assert_int_equal(attach(), 0);
	other = dial();
	assert_true(other >= 0);
	turns(2);
	assert_int_equal(recv(other, &c, 1, MSG_DONTWAIT), 0);
	assert_non_null(attach_shm(&a));
	close(other);
}

static void silence_and_wrong_answers_end_the_connection(void **state)
{
	struct shm_attach lie = {.magic = SHM_MAGIC, .layout = MSG_LAYOUT, .attach = 77};
	char c;
	(void)state;

	workers_move();
	sock = dial();
	turns(2);
	assert_true(a.conn >= 0);
	now += ATTACH_ANSWER_MS;
	turns(2);
	assert_int_equal(a.conn, -1);
	assert_int_equal(attach_limits(&a)->attach, 2);
	close(sock);
	workers_move();
	turns(1);
	sock = dial();
	turns(2);
	assert_int_equal(send(sock, &lie, sizeof(lie), 0), sizeof(lie));
	turns(2);
	assert_int_equal(a.attached, 0);
	assert_int_equal(attach_limits(&a)->attach, 3);
	close(sock);
	workers_move();
	turns(1);
	assert_int_equal(attach(), 0);
	assert_int_equal(send(sock, &lie, sizeof(lie), 0), sizeof(lie)); /* nothing may follow the answer */
	turns(2);
	assert_null(attach_shm(&a));
	while (recv(sock, &c, 1, MSG_DONTWAIT) > 0)
		;
}

static void break_once(void)
{
	workers_move();
	turns(2);
	assert_int_equal(attach(), 0);
	atomic_store(&worker[1].broken, attach_limits(&a)->attach);
	turns(1);
	assert_null(attach_shm(&a));
	shm_fini(&shm);
	close(sock);
	workers_move();
	turns(2);
}

static void three_broken_rings_in_a_minute_stop_for_a_minute(void **state)
{
	struct pollfd fds[3];
	(void)state;

	for (unsigned i = 0; i < 3; i++) {
		break_once();
		now += 1000;
	}
	sock = dial();
	turns(3);
	assert_int_equal(a.conn, -1);
	assert_int_equal(attach_fds(&a, now, fds), 0); /* and it does not spin over the one who waits */
	now += ATTACH_BLOCK_MS;
	turns(2);
	assert_true(a.conn >= 0);
}

static void three_broken_rings_in_a_long_time_stop_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		break_once();
		now += ATTACH_RESET_SPAN_MS / 2 + 1;
	}
	assert_int_equal(attach(), 0);
}

static void a_living_predecessor_is_respected(void **state)
{
	static struct attach second;
	struct stat st;
	char path[128];
	(void)state;

	assert_int_equal(attach_listen(&second, dir, 0), -EADDRINUSE);
	attach_fini(&second);
	snprintf(path, sizeof(path), "%s/dataplane.sock", dir);
	assert_int_equal(stat(path, &st), 0); /* and its socket is left alone */
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, finish)
		CASE(the_first_segment_is_there_before_anybody_asks),
		CASE(an_answer_attaches_and_a_close_costs_a_segment),
		CASE(the_next_segment_waits_for_the_slowest_worker),
		CASE(only_one_control_plane_is_attached),
		CASE(silence_and_wrong_answers_end_the_connection),
		CASE(three_broken_rings_in_a_minute_stop_for_a_minute),
		CASE(three_broken_rings_in_a_long_time_stop_nothing),
		CASE(a_living_predecessor_is_respected),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
