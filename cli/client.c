#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/rd.h"
#include "base/wr.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int client_connect(const char *run_dir, char *why, size_t cap)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", run_dir);
	int fd, r;

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path)) {
		snprintf(why, cap, "the run directory's path is too long for a socket (%zu octets at most)",
			 sizeof(sa.sun_path) - sizeof("/control.sock"));
		return -ENAMETOOLONG;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	r = -errno;
	if (fd >= 0)
		close(fd);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR)
		snprintf(why, cap,
			 "no control plane at %s: is esplanade-controlplane running? "
			 "(systemctl status esplanade-controlplane, or --run-dir)",
			 sa.sun_path);
	else if (r == -EACCES || r == -EPERM)
		snprintf(why, cap, "%s is not open to you: run gwctl as root, or as the control plane's user",
			 sa.sun_path);
	else if (r == -EAGAIN)
		snprintf(why, cap, "the control plane at %s has too many visitors: try again", sa.sun_path);
	else
		snprintf(why, cap, "cannot reach %s: %s", sa.sun_path, err_str(r));
	return r;
}

/* Wait until fd is ready for events; -ETIMEDOUT when the deadline comes first. */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		uint64_t now = now_ms();
		struct pollfd p = {.fd = fd, .events = events};
		int r = poll(&p, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const void *from, size_t n, uint64_t deadline_ms)
{
	const char *p = from;

	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (k >= 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(fd, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -EPIPE: closed before n octets had come. */
static int read_all(int fd, void *to, size_t n, uint64_t deadline_ms)
{
	char *p = to;

	while (n) {
		ssize_t k = recv(fd, p, n, MSG_DONTWAIT);
		int r;

		if (k == 0)
			return -EPIPE;
		if (k > 0) {
			p += k;
			n -= (size_t)k;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(fd, POLLIN, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int send_frame(int fd, const json_t *req, uint64_t deadline_ms)
{
	char *text = json_dumps(req, JSON_COMPACT);
	uint8_t head[4];
	struct wr w = wr_of(head, sizeof(head));
	size_t n;
	int r;

	if (!text)
		return -ENOMEM;
	n = strlen(text);
	wr_u32(&w, (uint32_t)n);
	r = send_all(fd, head, sizeof(head), deadline_ms);
	if (r == 0)
		r = send_all(fd, text, n, deadline_ms);
	free(text);
	return r;
}

/* The reply's octets, malloc'd. -EMSGSIZE: larger than we take; -EBADMSG: no octets at all. */
static int read_frame(int fd, uint64_t deadline_ms, char **text, uint32_t *len)
{
	uint8_t head[4];
	int r = read_all(fd, head, sizeof(head), deadline_ms);
	struct rd rd = rd_of(head, sizeof(head));

	if (r < 0)
		return r;
	*len = rd_u32(&rd);
	if (!*len)
		return -EBADMSG;
	if (*len > CLIENT_REPLY_MAX)
		return -EMSGSIZE;
	*text = malloc(*len);
	if (!*text)
		return -ENOMEM;
	r = read_all(fd, *text, *len, deadline_ms);
	if (r < 0)
		free(*text);
	return r;
}

static void say_why(int r, unsigned timeout_ms, char *why, size_t cap)
{
	if (r == -ETIMEDOUT)
		snprintf(why, cap, "the control plane did not answer within %u s: look at its log", timeout_ms / 1000);
	else if (r == -EPIPE || r == -ECONNRESET)
		snprintf(why, cap,
			 "the control plane closed the connection without a whole answer (only root and its own user "
			 "may ask): look at its log");
	else if (r == -EMSGSIZE)
		snprintf(why, cap, "the answer is larger than %d MB: ask for less", CLIENT_REPLY_MAX >> 20);
	else if (r == -EBADMSG)
		snprintf(why, cap,
			 "the control plane's answer is not what gwctl " ESPLANADE_VERSION
			 " understands: are both of one version?");
	else
		snprintf(why, cap, "talking to the control plane failed: %s", err_str(r));
}

/* {"ok": true, "data": ...}, or {"ok": false, "error": "..."}. */
static int take_reply(const char *text, uint32_t len, json_t **data, char *why, size_t cap)
{
	json_t *reply = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *error = json_string_value(json_object_get(reply, "error"));
	json_t *ok = json_object_get(reply, "ok");
	int r = -EBADMSG;

	if (json_is_true(ok)) {
		*data = json_object_get(reply, "data");
		*data = *data ? json_incref(*data) : json_null();
		r = 0;
	} else if (json_is_false(ok) && error) {
		log_esc(error, strlen(error), why, cap);
		r = -EREMOTEIO;
	}
	json_decref(reply);
	return r;
}

int client_ask(int fd, const json_t *req, unsigned timeout_ms, json_t **data, char *why, size_t cap)
{
	uint64_t deadline_ms = now_ms() + timeout_ms;
	char *text = NULL;
	uint32_t len = 0;
	int r = send_frame(fd, req, deadline_ms);

	/* who refuses us may have said why before closing */
	if (r == 0 || r == -EPIPE)
		r = read_frame(fd, deadline_ms, &text, &len);
	if (r == 0) {
		r = take_reply(text, len, data, why, cap);
		free(text);
	}
	if (r < 0 && r != -EREMOTEIO)
		say_why(r, timeout_ms, why, cap);
	return r;
}
