/* A fake control plane in a thread at the other end of a socket pair. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/build.h"
#include "base/xalloc.h"
#include "cli/client.h"

struct server {
	int fd;
	const void *bytes; /* to answer with */
	size_t len;
	size_t step;       /* octets per write; 0: all at once */
	bool stay;         /* keep the connection open until the client has gone */
	bool deaf;         /* do not read the request */
	char request[512]; /* with its head */
	size_t n_request;
};

/* Read one whole frame. */
static void read_request(struct server *s)
{
	size_t want = 4;

	while (s->n_request < want) {
		ssize_t k = read(s->fd, s->request + s->n_request, want - s->n_request);

		if (k <= 0)
			return;
		s->n_request += (size_t)k;
		if (s->n_request == 4)
			want = 4 + (size_t)(uint8_t)s->request[3] + ((size_t)(uint8_t)s->request[2] << 8);
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	const char *p = s->bytes;
	char c;

	if (!s->deaf)
		read_request(s);
	for (size_t i = 0; i < s->len;) {
		size_t n = s->step && s->len - i > s->step ? s->step : s->len - i;
		ssize_t k = send(s->fd, p + i, n, MSG_NOSIGNAL);

		if (k <= 0)
			break;
		i += (size_t)k;
	}
	while (s->stay && read(s->fd, &c, 1) > 0)
		;
	close(s->fd);
	return NULL;
}

/* Ask a server that behaves so. The result of client_ask(); the reply's data in *data when 0. */
static int ask(struct server *s, unsigned timeout_ms, json_t **data, char why[512])
{
	json_t *req = json_pack("{s:s}", "op", "show");
	pthread_t t;
	int fds[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->fd = fds[1];
	assert_int_equal(pthread_create(&t, NULL, serve, s), 0);
	why[0] = '\0';
	r = client_ask(fds[0], req, timeout_ms, data, why, 512);
	close(fds[0]);
	pthread_join(t, NULL);
	json_decref(req);
	return r;
}

/* The same with a reply of that text in a frame. */
static int ask_text(const char *text, json_t **data, char why[512])
{
	size_t n = strlen(text);
	uint8_t *frame = xcalloc(1, n + 4);
	struct server s = {.bytes = frame, .len = n + 4};
	int r;

	frame[1] = (uint8_t)(n >> 16);
	frame[2] = (uint8_t)(n >> 8);
	frame[3] = (uint8_t)n;
	memcpy(frame + 4, text, n);
	r = ask(&s, 5000, data, why);
	free(frame);
	return r;
}

static void request_goes_out_as_one_frame(void **state)
{
	struct server s = {.bytes = "\0\0\0\x0b{\"ok\":true}", .len = 15};
	json_t *data;
	char why[512];

	(void)state;
	assert_int_equal(ask(&s, 5000, &data, why), 0);
	assert_true(json_is_null(data));
	assert_int_equal(s.n_request, 17);
	assert_memory_equal(s.request, "\0\0\0\x0d{\"op\":\"show\"}", 17);
	json_decref(data);
}

static void reply_in_single_octets_is_taken(void **state)
{
	struct server s = {.bytes = "\0\0\0\x1a{\"ok\":true,\"data\":[1,2,3]}", .len = 30, .step = 1, .stay = true};
	json_t *data;
	char why[512];

	(void)state;
	assert_int_equal(ask(&s, 5000, &data, why), 0);
	assert_int_equal(json_array_size(data), 3);
	json_decref(data);
}

static void large_reply_is_taken(void **state)
{
	enum { ROWS = 300000 };
	char *text = xcalloc(1, ROWS * 8 + 64), *p = text;
	json_t *data;
	char why[512];

	(void)state;
	p += sprintf(p, "{\"ok\":true,\"data\":[0");
	for (unsigned i = 0; i < ROWS; i++)
		p += sprintf(p, ",%u", 100000 + i);
	strcpy(p, "]}");
	assert_int_equal(ask_text(text, &data, why), 0);
	assert_int_equal(json_array_size(data), ROWS + 1);
	json_decref(data);
	free(text);
}

static void refusal_carries_the_reason_escaped(void **state)
{
	json_t *data;
	char why[512];

	(void)state;
	assert_int_equal(ask_text("{\"ok\":false,\"error\":\"no tunnel \\u001b[2Jx: write another\"}", &data, why),
			 -EREMOTEIO);
	assert_string_equal(why, "no tunnel \\x1b[2Jx: write another");
}

static void what_is_no_reply_is_said(void **state)
{
	static const char *const bad[] = {"x",
					  "[]",
					  "{}",
					  "null",
					  "{\"ok\":1}",
					  "{\"ok\":false}",
					  "{\"ok\":false,\"error\":1}",
					  "{\"ok\":true,\"ok\":true}",
					  "{\"ok\":true}}",
					  "{\"ok\":true",
					  "\x80"};
	json_t *data;
	char why[512];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		assert_int_equal(ask_text(bad[i], &data, why), -EBADMSG);
		assert_non_null(strstr(why, "version"));
	}
}

static void empty_and_oversized_frames_are_refused(void **state)
{
	struct server empty = {.bytes = "\0\0\0\0", .len = 4, .stay = true};
	struct server huge = {.bytes = "\xff\xff\xff\xff", .len = 4, .stay = true};
	struct server one_more = {.bytes = "\x04\0\0\x01", .len = 4, .stay = true};
	json_t *data;
	char why[512];

	(void)state;
	assert_int_equal(ask(&empty, 5000, &data, why), -EBADMSG);
	assert_int_equal(ask(&huge, 5000, &data, why), -EMSGSIZE);
	assert_int_equal(ask(&one_more, 5000, &data, why), -EMSGSIZE);
	assert_non_null(strstr(why, "64 MB"));
}

static void close_at_any_octet_is_an_error(void **state)
{
	static const char reply[] = "\0\0\0\x0b{\"ok\":true}";
	json_t *data;
	char why[512];

	(void)state;
	for (size_t n = 0; n < sizeof(reply) - 1; n++) {
		struct server s = {.bytes = reply, .len = n};

		assert_int_equal(ask(&s, 5000, &data, why), -EPIPE);
		assert_non_null(strstr(why, "closed the connection"));
	}
}

static void silence_ends_at_the_deadline(void **state)
{
	struct server mute = {.stay = true}, half = {.bytes = "\0\0\0\x0b{\"ok\"", .len = 9, .stay = true};
	json_t *data;
	char why[512];

	(void)state;
	assert_int_equal(ask(&mute, 50, &data, why), -ETIMEDOUT);
	assert_int_equal(ask(&half, 50, &data, why), -ETIMEDOUT);
	assert_non_null(strstr(why, "did not answer"));
}

static void refusal_before_the_request_was_read_is_told(void **state)
{
	struct server s = {.bytes = "\0\0\0\x19{\"ok\":false,\"error\":\"no\"}", .len = 29, .deaf = true};
	json_t *data;
	char why[512];
	int r;

	(void)state;
	/* whether the words get through the reset depends on the order of events; a clean error comes either way */
	r = ask(&s, 5000, &data, why);
	assert_true(r == -EREMOTEIO || r == -EPIPE || r == -ECONNRESET);
	assert_true(why[0]);
}

static void absent_control_plane_is_told_with_the_cure(void **state)
{
	char why[512], dir[] = "/tmp/esplanade-cli-XXXXXX", path[128];
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	(void)state;
	assert_int_equal(client_connect("/nonexistent", why, sizeof(why)), -ENOENT);
	assert_non_null(
		strstr(why, "no control plane at /nonexistent/control.sock: is esplanade-controlplane running?"));
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd); /* left behind, nobody listens */
	assert_int_equal(client_connect(dir, why, sizeof(why)), -ECONNREFUSED);
	assert_non_null(strstr(why, "is esplanade-controlplane running?"));
	unlink(path);
	rmdir(dir);
}

static void run_dir_that_fits_no_socket_is_refused(void **state)
{
	char why[512], dir[200];

	(void)state;
	memset(dir, 'x', sizeof(dir));
	dir[0] = '/';
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(client_connect(dir, why, sizeof(why)), -ENAMETOOLONG);
	assert_non_null(strstr(why, "too long"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_goes_out_as_one_frame),
		cmocka_unit_test(reply_in_single_octets_is_taken),
		cmocka_unit_test(large_reply_is_taken),
		cmocka_unit_test(refusal_carries_the_reason_escaped),
		cmocka_unit_test(what_is_no_reply_is_said),
		cmocka_unit_test(empty_and_oversized_frames_are_refused),
		cmocka_unit_test(close_at_any_octet_is_an_error),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(refusal_before_the_request_was_read_is_told),
		cmocka_unit_test(absent_control_plane_is_told_with_the_cure),
		cmocka_unit_test(run_dir_that_fits_no_socket_is_refused),
	};

	return cmocka_run_group_tests_name("cli-client", tests, NULL, NULL);
}
