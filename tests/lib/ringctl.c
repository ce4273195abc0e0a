/* A control plane by hand, for tests: ringctl RUN_DIR
 *
 * Reads one JSON object per line on stdin ({"cmd": "sa-in-add", "slot": 0, ...}) and writes one per line on stdout. A
 * command that goes over a ring is answered at once by {"sent": SEQ}, later by {"event": "ack" | "nack", "seq": SEQ, ...};
 * everything else by one line: {"done": ...} or {"error": "..."}. Events, IKE datagrams and the loss of the data plane
 * come between. What each command takes stands at its function. It can also break the contract: `push`, `index`, `spoil`.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "ringctl.h"

enum { ATTACH_MS = 10000, LINE = 1 << 18 };

struct ringctl ctl = {.sock = -1};
static char sock_path[200];

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Takes o. */
void ringctl_say(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(o);
}

void ringctl_say_error(const char *what)
{
	ringctl_say(json_pack("{ss}", "error", what));
}

uint64_t ringctl_num(const json_t *o, const char *key, uint64_t def)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (uint64_t)json_integer_value(v) : def;
}

const char *ringctl_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Octets of the hex string, at most cap. */
uint32_t ringctl_unhex(const char *s, uint8_t *out, uint32_t cap)
{
	uint32_t n = 0;

	for (; n < cap && s[0] && s[1]; s += 2) {
		char two[3] = {s[0], s[1], 0};

		out[n++] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

void ringctl_say_sent(int rc)
{
	if (rc)
		ringctl_say_error(err_str(rc));
	else
		ringctl_say(json_pack("{sI}", "sent", (json_int_t)ctl.seq));
}

static bool attach_once(void)
{
	const char *why = "";
	struct pollfd p;
	int rc;

	ctl.sock = shm_connect(sock_path);
	if (ctl.sock < 0)
		return false;
	p = (struct pollfd){.fd = ctl.sock, .events = POLLIN};
	rc = poll(&p, 1, 2000) == 1 ? shm_recv(&ctl.shm, ctl.sock, &why) : -ETIMEDOUT;
	if (rc == 0)
		return true;
	close(ctl.sock);
	ctl.sock = -1;
	return false;
}

/* attach: connect, within ms (10000). */
static void attach(const json_t *o)
{
	uint64_t end = now_ms() + ringctl_num(o, "ms", ATTACH_MS);

	while (!attach_once()) {
		if (now_ms() >= end) {
			ringctl_say_error("no data plane");
			return;
		}
		usleep(20000);
	}
	ctl.limits = (struct msg_limits){.sas = ctl.shm.hello.sas,
					 .tunnels = ctl.shm.hello.tunnels,
					 .nexthops = ctl.shm.hello.nexthops,
					 .ports = (uint16_t)ctl.shm.hello.ports,
					 .workers = (uint8_t)ctl.shm.hello.workers,
					 .attach = ctl.shm.hello.attach};
	ringctl_say(json_pack("{s:{sIsIsIsIsIsIsIsI}}", "done", "attach", (json_int_t)ctl.shm.hello.attach, "epoch",
			      (json_int_t)(ctl.shm.hello.epoch & INT64_MAX), "workers",
			      (json_int_t)ctl.shm.hello.workers, "ports", (json_int_t)ctl.shm.hello.ports, "sas",
			      (json_int_t)ctl.shm.hello.sas, "tunnels", (json_int_t)ctl.shm.hello.tunnels, "nexthops",
			      (json_int_t)ctl.shm.hello.nexthops, "pid", (json_int_t)ctl.shm.hello.pid));
}

static void detach(void)
{
	shm_fini(&ctl.shm);
	if (ctl.sock >= 0)
		close(ctl.sock);
	ctl.sock = -1;
}

static void obey(const json_t *o)
{
	const char *cmd = ringctl_text(o, "cmd");

	if (strcmp(cmd, "attach") == 0)
		attach(o);
	else if (!ctl.shm.base)
		ringctl_say_error("not attached");
	else if (strcmp(cmd, "detach") == 0) {
		detach();
		ringctl_say(json_pack("{ss}", "done", "detach"));
	} else if (strcmp(cmd, "counters") == 0)
		ringctl_show_counters();
	else if (strcmp(cmd, "ike-send") == 0)
		ringctl_cmd_ike(o);
	else if (!ringctl_cmd_ring(cmd, o) && !ringctl_cmd_route(cmd, o) && !ringctl_break(cmd, o))
		ringctl_say_error("no such command");
}

/* stdin is read by hand: buffered lines of stdio would not wake poll(). false: its end. */
static bool take_lines(void)
{
	static char buf[LINE];
	static size_t len;
	ssize_t n = read(0, buf + len, sizeof(buf) - 1 - len);
	char *line = buf, *nl;

	if (n <= 0)
		return false;
	len += (size_t)n;
	buf[len] = 0;
	while ((nl = strchr(line, '\n'))) {
		json_t *o;

		*nl = 0;
		o = json_loads(line, 0, NULL);
		if (o)
			obey(o);
		else
			ringctl_say_error("not JSON");
		json_decref(o);
		line = nl + 1;
	}
	len -= (size_t)(line - buf);
	memmove(buf, line, len);
	return len < sizeof(buf) - 1;
}

static void look_at_socket(void)
{
	char octet;

	if (recv(ctl.sock, &octet, 1, MSG_DONTWAIT) > 0)
		return;
	ringctl_show_events();
	detach();
	ringctl_say(json_pack("{ss}", "event", "lost"));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s RUN_DIR\n", argv[0]);
		return 2;
	}
	snprintf(sock_path, sizeof(sock_path), "%s/dataplane.sock", argv[1]);
	for (;;) {
		struct pollfd p[] = {{.fd = 0, .events = POLLIN},
				     {.fd = ctl.sock, .events = POLLIN},
				     {.fd = ctl.shm.base ? ctl.shm.bell_control : -1, .events = POLLIN}};

		if (poll(p, N_ELEMS(p), 1000) < 0 && errno != EINTR)
			return 1;
		if (p[2].revents)
			shm_clear_bell(ctl.shm.bell_control);
		if (ctl.shm.base)
			ringctl_show_events();
		if (p[1].revents && ctl.sock >= 0)
			look_at_socket();
		if (p[0].revents && !take_lines())
			return 0;
	}
}
