#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/status.h"

static struct loop loop;
static struct status *status;
static char dir[64], path[96];
static unsigned n_shows, n_tunnels, n_bgp;
static uint32_t last_ticket;
static size_t big; /* octets of filler in each reply */

static uint64_t no_deadline(void *ctx)
{
	(void)ctx;
	return UINT64_MAX;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void show(void *ctx, const struct status_req *req, struct status_answer *answer)
{
	json_t *a;
	char *filler;

	(void)ctx;
	n_shows++;
	if (req->show == STATUS_FIB) {
		answer->ticket = last_ticket = status_ticket(status);
		return;
	}
	if (req->show == STATUS_BGP_NEIGHBOR) {
		snprintf(answer->why, sizeof(answer->why), "there is no BGP peer %s", req->name);
		return;
	}
	a = json_array();
	filler = calloc(1, big + 1);
	memset(filler, 'x', big);
	json_array_append_new(a, json_string(status_req_show_name(req->show)));
	json_array_append_new(a, json_string(filler));
	free(filler);
	answer->data = a;
}

static int bgp(void *ctx, const struct status_req *req, char *why, size_t cap)
{
	(void)ctx;
	n_bgp++;
	if (req->soft)
		return 0;
	snprintf(why, cap, "there is no session with %s", req->name);
	return -ENOTCONN;
}

static int tunnel(void *ctx, const struct status_req *req, char *why, size_t cap)
{
	(void)ctx;
	n_tunnels++;
	if (!strcmp(req->name, "nobody")) {
		snprintf(why, cap, "there is no tunnel nobody");
		return -ENOENT;
	}
	return req->action == STATUS_UP ? 5 + 1 : 0;
}

static void cause(void *ctx, uint32_t index, char *why, size_t cap)
{
	(void)ctx;
	snprintf(why, cap, "tunnel %u: no proposal chosen", (unsigned)index);
}

static int up(void **state)
{
	struct loop_ops ops = {NULL, no_deadline, nothing, nothing, nothing, nothing};
	struct status_ops sops = {NULL, show, tunnel, cause, bgp};
	int fd;

	(void)state;
	n_shows = n_tunnels = n_bgp = last_ticket = 0;
	big = 0;
	snprintf(dir, sizeof(dir), "/tmp/esplanade-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	assert_int_equal(loop_init(&loop, &ops, false), 0);
	fd = status_listen(path, (uint32_t)-1, (uint32_t)-1);
	assert_true(fd >= 0);
	status = status_new(&loop, fd, &sops);
	assert_non_null(status);
	return 0;
}

static int down(void **state)
{
	(void)state;
	status_free(status);
	loop_fini(&loop);
	unlink(path);
	rmdir(dir);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void turns(unsigned n)
{
	while (n--)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void say(int fd, const char *json)
{
	uint32_t len = (uint32_t)strlen(json);
	uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

	assert_int_equal(write(fd, head, 4), 4);
	assert_int_equal(write(fd, json, len), len);
}

/* n octets, running the server's loop meanwhile. 0: closed. */
static size_t take(int fd, uint8_t *to, size_t n)
{
	size_t got = 0;

	for (unsigned idle = 0; got < n && idle < 20000; idle++) {
		ssize_t k = read(fd, to + got, n - got);

		if (k == 0)
			return 0;
		if (k > 0) {
			got += (size_t)k;
			idle = 0;
		}
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	}
	assert_int_equal(got, n);
	return got;
}

static json_t *hear(int fd)
{
	uint8_t head[4];
	uint8_t *body;
	json_t *o;
	size_t len;

	if (!take(fd, head, 4))
		return NULL;
	len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	body = calloc(1, len);
	take(fd, body, len);
	o = json_loadb((char *)body, len, 0, NULL);
	free(body);
	assert_non_null(o);
	return o;
}

static void expect_ok(int fd)
{
	json_t *o = hear(fd);

	assert_non_null(o);
	assert_true(json_is_true(json_object_get(o, "ok")));
	assert_true(json_is_array(json_object_get(o, "data")));
	json_decref(o);
}

static void expect_error(int fd, const char *says)
{
	json_t *o = hear(fd);

	assert_non_null(o);
	assert_true(json_is_false(json_object_get(o, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(o, "error")), says));
	json_decref(o);
}

static void the_socket_is_for_its_owner_only(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_process_is_refused(void **state)
{
	(void)state;
	assert_int_equal(status_listen(path, (uint32_t)-1, (uint32_t)-1), -EADDRINUSE);
}

static void a_dead_process_socket_is_replaced(void **state)
{
	char old[128];
	int fd;

	(void)state;
	snprintf(old, sizeof(old), "%s/old.sock", dir);
	fd = status_listen(old, (uint32_t)-1, (uint32_t)-1);
	assert_true(fd >= 0);
	close(fd);
	fd = status_listen(old, (uint32_t)-1, (uint32_t)-1);
	assert_true(fd >= 0);
	close(fd);
	unlink(old);
}

static void requests_are_answered_one_by_one(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"op\":\"show\",\"what\":\"tunnels\"}");
	say(fd, "{\"op\":\"show\",\"what\":\"drops\"}"); /* both may be in one read */
	expect_ok(fd);
	expect_ok(fd);
	say(fd, "{\"op\":\"show\",\"what\":\"ports\"}");
	expect_ok(fd);
	assert_int_equal(n_shows, 3);
	close(fd);
}

static void faults_are_answered_and_the_connection_lives(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "not json");
	expect_error(fd, "JSON");
	say(fd, "{\"op\":\"sing\"}");
	expect_error(fd, "sing");
	say(fd, "{\"op\":\"tunnel\",\"name\":\"nobody\",\"action\":\"up\"}");
	expect_error(fd, "no tunnel nobody");
	say(fd, "{\"op\":\"show\",\"what\":\"ports\"}");
	expect_ok(fd);
	close(fd);
}

static void bgp_is_cleared_or_the_reason_is_said(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"op\":\"bgp\",\"name\":\"x\",\"action\":\"clear\",\"soft\":true}");
	expect_ok(fd);
	say(fd, "{\"op\":\"bgp\",\"name\":\"x\",\"action\":\"clear\"}");
	expect_error(fd, "no session with x");
	say(fd, "{\"op\":\"show\",\"what\":\"bgp-neighbor\",\"name\":\"y\"}");
	expect_error(fd, "no BGP peer y");
	assert_int_equal(n_bgp, 2);
	close(fd);
}

/* What the data plane must be asked for comes later; others are answered meanwhile. */
static void an_answer_may_come_later(void **state)
{
	int fd = dial(), other = dial();
	uint32_t first;

	(void)state;
	say(fd, "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.0.0.1\"}");
	while (!last_ticket)
		turns(1);
	first = last_ticket;
	say(fd, "{\"op\":\"show\",\"what\":\"ports\"}"); /* waits its turn */
	say(other, "{\"op\":\"show\",\"what\":\"drops\"}");
	expect_ok(other);
	assert_int_equal(n_shows, 2);
	status_answer(status, first + 1, json_array(), NULL); /* nobody's */
	status_answer(status, 0, json_array(), NULL);
	turns(5);
	assert_int_equal(n_shows, 2);
	status_answer(status, first, json_array(), NULL);
	expect_ok(fd);
	expect_ok(fd);
	assert_int_equal(n_shows, 3);
	status_answer(status, first, json_array(), NULL); /* it has been answered */

	say(fd, "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.0.0.1\"}");
	while (last_ticket == first)
		turns(1);
	status_answer(status, last_ticket, NULL, "the data plane is gone");
	expect_error(fd, "is gone");
	say(fd, "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.0.0.1\"}");
	first = last_ticket;
	while (last_ticket == first)
		turns(1);
	close(fd);
	turns(10);
	status_answer(status, last_ticket, json_array(), NULL); /* who asked has left */
	close(other);
}

static void a_frame_of_impossible_length_ends_the_connection(void **state)
{
	int fd = dial();
	uint8_t octet;

	(void)state;
	assert_int_equal(write(fd, "\xff\xff\xff\xffgarbage", 11), 11);
	expect_error(fd, "1 MiB");
	assert_int_equal(take(fd, &octet, 1), 0);
	close(fd);
	turns(10);
	assert_int_equal(status_clients(status), 0);
}

static void a_frame_in_pieces_is_one_request(void **state)
{
	static const char json[] = "{\"op\":\"show\",\"what\":\"ports\"}";
	uint8_t frame[4 + sizeof(json)] = {0, 0, 0, sizeof(json) - 1};
	int fd = dial();

	(void)state;
	memcpy(frame + 4, json, sizeof(json) - 1);
	for (size_t i = 0; i < 4 + sizeof(json) - 1; i++) {
		assert_int_equal(n_shows, 0);
		assert_int_equal(write(fd, frame + i, 1), 1);
		turns(3);
	}
	expect_ok(fd);
	close(fd);
}

static void two_requests_and_a_half_in_one_write(void **state)
{
	static const char json[] = "{\"op\":\"show\",\"what\":\"ports\"}";
	uint8_t one[4 + sizeof(json) - 1] = {0, 0, 0, sizeof(json) - 1}, all[3 * sizeof(one)];
	int fd = dial();

	(void)state;
	memcpy(one + 4, json, sizeof(json) - 1);
	for (unsigned i = 0; i < 3; i++)
		memcpy(all + i * sizeof(one), one, sizeof(one));
	assert_int_equal(write(fd, all, 2 * sizeof(one) + 2), 2 * sizeof(one) + 2); /* half a head */
	expect_ok(fd);
	expect_ok(fd);
	turns(5);
	assert_int_equal(n_shows, 2);
	assert_int_equal(write(fd, all + 2 * sizeof(one) + 2, sizeof(one) - 2), sizeof(one) - 2);
	expect_ok(fd);
	close(fd);
}

static void a_client_that_leaves_in_the_middle_of_a_reply_hurts_nobody(void **state)
{
	int fd = dial(), other = dial();
	uint8_t some[100];

	(void)state;
	big = 4 << 20;
	say(fd, "{\"op\":\"show\",\"what\":\"ports\"}");
	take(fd, some, sizeof(some));
	close(fd);
	turns(20);
	assert_int_equal(status_clients(status), 1);
	big = 0;
	say(other, "{\"op\":\"show\",\"what\":\"ports\"}");
	expect_ok(other);
	close(other);
}

static void a_large_reply_arrives_whole(void **state)
{
	int fd = dial();

	(void)state;
	big = 3 << 20;
	say(fd, "{\"op\":\"show\",\"what\":\"ports\"}");
	expect_ok(fd);
	close(fd);
}

static void up_with_a_wait_is_answered_when_it_is_settled(void **state)
{
	int fd = dial(), other = dial();
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)state;
	say(fd, "{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\",\"wait_s\":60}");
	say(other, "{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\",\"wait_s\":60}");
	for (unsigned i = 0; i < 100 && n_tunnels < 2; i++)
		turns(1);
	assert_int_equal(n_tunnels, 2);
	status_settle(status, 4, NULL); /* another tunnel */
	turns(10);
	assert_int_equal(poll(&p, 1, 0), 0);
	status_settle(status, 5, NULL);
	expect_ok(fd);
	expect_ok(other);
	say(fd, "{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\",\"wait_s\":60}");
	for (unsigned i = 0; i < 100 && n_tunnels < 3; i++)
		turns(1);
	status_settle(status, 5, "no proposal chosen: offer aes256gcm16");
	expect_error(fd, "no proposal chosen");
	close(fd);
	close(other);
}

static void up_without_a_wait_is_answered_at_once(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\"}");
	expect_ok(fd);
	close(fd);
}

static void a_wait_has_an_end(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\",\"wait_s\":1}");
	while (!n_tunnels)
		turns(1);
	uv_run(&loop.uv, UV_RUN_ONCE); /* sleeps until the wait's timer */
	expect_error(fd, "did not come up in that time: tunnel 5: no proposal chosen");
	close(fd);
}

static void connections_are_bounded(void **state)
{
	int fds[STATUS_CLIENTS_MAX + 8];
	uint8_t octet;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(fds); i++) {
		fds[i] = dial();
		turns(2);
	}
	turns(20);
	assert_int_equal(status_clients(status), STATUS_CLIENTS_MAX);
	assert_int_equal(take(fds[STATUS_CLIENTS_MAX], &octet, 1), 0);
	for (unsigned i = 0; i < N_ELEMS(fds); i++)
		close(fds[i]);
	turns(20);
	assert_int_equal(status_clients(status), 0);
}

static void stopping_with_clients_in_every_state_leaks_nothing(void **state)
{
	int idle = dial(), half = dial(), waiting = dial();

	(void)state;
	assert_int_equal(write(half, "\0\0\1\0{", 5), 5);
	say(waiting, "{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\",\"wait_s\":60}");
	turns(20);
	assert_int_equal(status_clients(status), 3);
	close(idle);
	close(half);
	close(waiting);
	/* down() frees while two of them are unread: the address sanitizer is the judge */
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_socket_is_for_its_owner_only),
		T(a_second_process_is_refused),
		T(a_dead_process_socket_is_replaced),
		T(requests_are_answered_one_by_one),
		T(faults_are_answered_and_the_connection_lives),
		T(bgp_is_cleared_or_the_reason_is_said),
		T(an_answer_may_come_later),
		T(a_frame_of_impossible_length_ends_the_connection),
		T(a_frame_in_pieces_is_one_request),
		T(two_requests_and_a_half_in_one_write),
		T(a_client_that_leaves_in_the_middle_of_a_reply_hurts_nobody),
		T(a_large_reply_arrives_whole),
		T(up_with_a_wait_is_answered_when_it_is_settled),
		T(up_without_a_wait_is_answered_at_once),
		T(a_wait_has_an_end),
		T(connections_are_bounded),
		T(stopping_with_clients_in_every_state_leaks_nothing),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
