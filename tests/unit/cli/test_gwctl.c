/* The program itself: exit codes, and what goes to which stream.
 *
 *   test_gwctl GWCTL
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/build.h"
#include "base/xalloc.h"

static const char *gwctl;
static char dir[] = "/tmp/esplanade-gwctl-XXXXXX";
static char out[65536], err[65536]; /* of the last run */

static void slurp(int fd, char to[65536])
{
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	n = read(fd, to, 65535);
	assert_true(n >= 0);
	to[n] = '\0';
	close(fd);
}

/* Arguments up to NULL; the exit code. */
static int run(const char *first, ...)
{
	int fo = memfd_create("out", MFD_CLOEXEC), fe = memfd_create("err", MFD_CLOEXEC), status;
	const char *argv[16] = {gwctl, first};
	unsigned n = 2;
	va_list ap;
	pid_t pid;

	va_start(ap, first);
	while (first && n < 15 && (argv[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fo, 1);
		dup2(fe, 2);
		execv(gwctl, (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	slurp(fo, out);
	slurp(fe, err);
	return WEXITSTATUS(status);
}

static char *file(const char *name, mode_t mode, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static void drop(char *path)
{
	unlink(path);
	free(path);
}

#define GOOD                                                                          \
	"ports: {wan0: {device: \"af_packet:eth1\", addresses: [203.0.113.10/24]}}\n" \
	"routes: [{to: 0.0.0.0/0, via: 203.0.113.1}, {to: 10.1.0.0/16, tunnel: a}]\n" \
	"tunnels: {a: {local: {port: wan0}, remote: {address: 198.51.100.7}, auth: {psk-file: a.psk}}}\n"

static void usage_is_exit_2_on_stderr(void **state)
{
	(void)state;
	assert_int_equal(run(NULL), 2);
	assert_non_null(strstr(err, "usage:"));
	assert_string_equal(out, "");
	assert_int_equal(run("frobnicate", NULL), 2);
	assert_int_equal(run("show", NULL), 2);
	assert_int_equal(run("show", "everything", NULL), 2);
	assert_int_equal(run("show", "tunnels", "routes", NULL), 2);
	assert_int_equal(run("tunnel", "a", NULL), 2);
	assert_int_equal(run("tunnel", "a", "sideways", NULL), 2);
	assert_int_equal(run("tunnel", "a", "up", "--ike", NULL), 2);
	assert_int_equal(run("tunnel", "a", "down", "--wait", "5", NULL), 2);
	assert_int_equal(run("tunnel", "a", "up", "--wait", "601", NULL), 2);
	assert_int_equal(run("tunnel", "a", "up", "--wait", "-1", NULL), 2);
	assert_int_equal(run("config", "check", NULL), 2);
	assert_int_equal(run("config", "mend", "x", NULL), 2);
	assert_int_equal(run("show", "fib", NULL), 2);
	assert_int_equal(run("show", "bgp", NULL), 2);
	assert_int_equal(run("show", "bgp", "neighbor", NULL), 2);
	assert_int_equal(run("show", "bgp", "neighbor", "x", "dreams", NULL), 2);
	assert_int_equal(run("show", "bgp", "summary", "x", NULL), 2);
	assert_int_equal(run("bgp", "clear", NULL), 2);
	assert_int_equal(run("bgp", "clear", "x", "hard", NULL), 2);
	assert_int_equal(run("bgp", "restart", "x", NULL), 2);
	assert_int_equal(run("--bogus", "show", "tunnels", NULL), 2);
	assert_int_equal(run("--run-dir", NULL), 2);
}

static void help_and_version_are_exit_0_on_stdout(void **state)
{
	(void)state;
	assert_int_equal(run("help", NULL), 0);
	assert_non_null(strstr(out, "usage:"));
	assert_int_equal(run("--help", NULL), 0);
	assert_non_null(strstr(out, "usage:"));
	assert_string_equal(err, "");
	assert_int_equal(run("version", NULL), 0);
	assert_non_null(strstr(out, "gwctl "));
}

static void good_file_is_counted(void **state)
{
	char *psk = file("a.psk", 0600, "sesame\n"), *cfg = file("gw.yaml", 0644, GOOD);

	(void)state;
	assert_int_equal(run("config", "check", cfg, NULL), 0);
	assert_non_null(strstr(out, ": ok (1 port, 1 tunnel, 2 routes)\n"));
	assert_int_equal(run("--json", "config", "check", cfg, NULL), 0);
	assert_non_null(strstr(out, "\"ok\": true"));
	assert_int_equal(run("config", "show", cfg, NULL), 0);
	assert_non_null(strstr(out, "psk-file: \"a.psk\""));
	assert_null(strstr(out, "sesame"));
	drop(psk);
	assert_int_equal(run("config", "check", cfg, NULL), 1);
	assert_non_null(strstr(err, "gw.yaml:3: tunnels.a.auth.psk-file: cannot open the PSK file a.psk"));
	assert_int_equal(run("config", "check", "--no-secrets", cfg, NULL), 0);
	assert_int_equal(run("config", "show", cfg, NULL), 0);
	drop(cfg);
}

static void bad_file_is_exit_1_with_every_line(void **state)
{
	char *cfg = file("bad.yaml", 0600, "ports: {wan0: {}}\nnat: {}\n");

	(void)state;
	assert_int_equal(run("config", "check", cfg, NULL), 1);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, "bad.yaml:1: ports.wan0: `device` is missing"));
	assert_non_null(strstr(err, "bad.yaml:2: `nat` is not in this release: remove it"));
	assert_int_equal(run("config", "check", cfg, "--json", NULL), 1);
	assert_non_null(strstr(out, "\"line\": 2"));
	assert_int_equal(run("config", "show", cfg, NULL), 1);
	drop(cfg);
	assert_int_equal(run("config", "check", "/nonexistent", NULL), 1);
	assert_non_null(strstr(err, "/nonexistent: cannot open the file"));
}

static void no_daemon_is_exit_1_with_the_cure(void **state)
{
	(void)state;
	assert_int_equal(run("--run-dir", dir, "show", "tunnels", NULL), 1);
	assert_non_null(strstr(err, "gwctl: no control plane at "));
	assert_non_null(strstr(err, "systemctl status esplanade-controlplane, or --run-dir"));
	assert_string_equal(out, "");
	assert_int_equal(run("tunnel", "a", "rekey", "--ike", "--json", "--run-dir", dir, NULL), 1);
	assert_non_null(strstr(out, "\"ok\": false"));
}

/* A control plane that gives these answers, to one visitor or to one visitor each; the requests' text goes to a pipe. */
static pid_t fake_many(const char *const *replies, unsigned times, bool one_visit, int *requests)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), p[2];
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", dir);
	unlink(sa.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(fd);
		close(p[1]);
		*requests = p[0];
		return pid;
	}
	alarm(20); /* nobody waits for us when a check has failed */
	for (unsigned i = 0; i < times; i++) {
		static int c = -1;
		size_t n = strlen(replies[i]);
		uint8_t head[4];
		char buf[1024];
		ssize_t k;

		if (!i || !one_visit)
			c = accept(fd, NULL, NULL);
		k = recv(c, head, 4, MSG_WAITALL) == 4 ? recv(c, buf, head[3], MSG_WAITALL) : -1;
		memset(head, 0, sizeof(head));
		head[2] = (uint8_t)(n >> 8);
		head[3] = (uint8_t)n;
		if (k <= 0 || write(p[1], buf, (size_t)k) != k || write(c, head, 4) != 4 ||
		    write(c, replies[i], n) != (ssize_t)n)
			_exit(1);
		if (!one_visit)
			close(c);
	}
	_exit(0);
}

static pid_t fake(const char *reply, unsigned times, int *requests)
{
	const char *replies[4] = {reply, reply, reply, reply};

	assert_true(times <= N_ELEMS(replies));
	return fake_many(replies, times, false, requests);
}

static void end_fake(pid_t pid, int requests, const char *want)
{
	char buf[4096], *path = xasprintf("%s/control.sock", dir);
	size_t n = 0;
	ssize_t k;
	int status;

	while ((k = read(requests, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)k;
	buf[n] = '\0';
	close(requests);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(buf, want);
	unlink(path);
	free(path);
}

static void answer_is_shown_as_table_or_json(void **state)
{
	int requests;
	pid_t pid = fake("{\"ok\":true,\"data\":[{\"reason\":\"no-sa\",\"packets\":3,\"workers\":[3],\"extra\":1}]}", 2,
			 &requests);

	(void)state;
	assert_int_equal(run("--run-dir", dir, "show", "drops", NULL), 0);
	assert_string_equal(out, "REASON  PACKETS  PER WORKER\nno-sa         3  3\n");
	assert_int_equal(run("--run-dir", dir, "show", "drops", "--all", "--json", NULL), 0);
	assert_non_null(strstr(out, "\"extra\": 1"));
	end_fake(pid, requests,
		 "{\"op\":\"show\",\"what\":\"drops\",\"all\":false}{\"op\":\"show\",\"what\":\"drops\",\"all\":true}");
}

static void tunnel_commands_say_what_they_ask(void **state)
{
	int requests;
	pid_t pid = fake("{\"ok\":true}", 3, &requests);

	(void)state;
	assert_int_equal(run("--run-dir", dir, "tunnel", "a", "rekey", "--ike", NULL), 0);
	assert_non_null(strstr(out, "tunnel a: IKE rekey has begun"));
	assert_int_equal(run("--run-dir", dir, "tunnel", "a", "up", "--wait", "7", NULL), 0);
	assert_string_equal(out, "tunnel a: it is up\n");
	assert_int_equal(run("--run-dir", dir, "tunnel", "a", "down", NULL), 0);
	end_fake(pid, requests,
		 "{\"op\":\"tunnel\",\"name\":\"a\",\"action\":\"rekey\",\"ike\":true,\"wait_s\":0}"
		 "{\"op\":\"tunnel\",\"name\":\"a\",\"action\":\"up\",\"ike\":false,\"wait_s\":7}"
		 "{\"op\":\"tunnel\",\"name\":\"a\",\"action\":\"down\",\"ike\":false,\"wait_s\":0}");
}

static void refusal_is_exit_1_with_its_reason(void **state)
{
	int requests;
	pid_t pid = fake("{\"ok\":false,\"error\":\"there is no tunnel `x`: see gwctl show tunnels\"}", 1, &requests);

	(void)state;
	assert_int_equal(run("--run-dir", dir, "tunnel", "x", "up", NULL), 1);
	assert_string_equal(err, "gwctl: there is no tunnel `x`: see gwctl show tunnels\n");
	end_fake(pid, requests, "{\"op\":\"tunnel\",\"name\":\"x\",\"action\":\"up\",\"ike\":false,\"wait_s\":0}");
}

static void a_large_table_comes_in_pages(void **state)
{
	static const char *const pages[] = {
		"{\"ok\":true,\"data\":{\"router_id\":\"10.2.2.2\",\"as\":65050,\"table_version\":2,\"more\":true,"
		"\"after\":"
		"\"10.0.0.0/8\",\"rows\":[{\"prefix\":\"10.0.0.0/8\",\"origin\":\"IGP\"}]}}",
		"{\"ok\":true,\"data\":{\"more\":false,\"after\":\"11.0.0.0/8\",\"rows\":[{\"prefix\":\"11.0.0.0/"
		"8\",\"origin\":"
		"\"EGP\"}]}}",
	};
	static const char asked[] =
		"{\"op\":\"show\",\"what\":\"bgp-received\",\"name\":\"x\"}"
		"{\"op\":\"show\",\"what\":\"bgp-received\",\"name\":\"x\",\"after\":\"10.0.0.0/8\"}";
	int requests;
	json_t *doc;
	pid_t pid;

	(void)state;
	pid = fake_many(pages, 2, true, &requests);
	assert_int_equal(run("--run-dir", dir, "show", "bgp", "neighbor", "x", "received-routes", NULL), 0);
	assert_non_null(strstr(out, "local router ID is 10.2.2.2\n"));
	assert_non_null(strstr(out, "   10.0.0.0/8 "));
	assert_non_null(strstr(out, "   11.0.0.0/8 "));
	assert_non_null(strstr(out, "Total number of prefixes 2\n"));
	end_fake(pid, requests, asked);
	pid = fake_many(pages, 2, true, &requests);
	assert_int_equal(run("--run-dir", dir, "show", "bgp", "route", NULL), 0);
	assert_non_null(strstr(out, "Total number of paths 2\n"));
	end_fake(pid, requests,
		 "{\"op\":\"show\",\"what\":\"bgp-best\"}{\"op\":\"show\",\"what\":\"bgp-best\",\"after\":\"10.0.0.0/"
		 "8\"}");
	pid = fake_many(pages, 2, true, &requests);
	assert_int_equal(run("--run-dir", dir, "show", "bgp", "neighbor", "x", "received-routes", "--json", NULL), 0);
	end_fake(pid, requests, asked);
	doc = json_loads(out, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(json_integer_value(json_object_get(doc, "total")), 2);
	assert_int_equal(json_array_size(json_object_get(doc, "rows")), 2);
	assert_int_equal(json_integer_value(json_object_get(doc, "as")), 65050);
	assert_null(json_object_get(doc, "after"));
	assert_null(json_object_get(doc, "more"));
	json_decref(doc);
	pid = fake_many(pages, 2, true, &requests);
	assert_int_equal(run("--run-dir", dir, "show", "routes", "--json", NULL), 0);
	end_fake(pid, requests,
		 "{\"op\":\"show\",\"what\":\"routes\"}{\"op\":\"show\",\"what\":\"routes\",\"after\":\"10.0.0.0/8\"}");
	doc = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(doc), 2);
	json_decref(doc);
}

static void a_page_that_is_none_is_refused(void **state)
{
	static const char *const pages[] = {
		"{\"ok\":true,\"data\":{\"more\":true,\"after\":\"10.0.0.0/8\",\"rows\":[{\"prefix\":\"10.0.0.0/"
		"8\"}]}}",
		"{\"ok\":true,\"data\":[]}",
	};
	int requests;
	pid_t pid = fake_many(pages, 2, true, &requests);

	(void)state;
	assert_int_equal(run("--run-dir", dir, "show", "routes", NULL), 1);
	assert_non_null(strstr(out, "10.0.0.0/8"));
	assert_non_null(strstr(err, "no page of a table"));
	end_fake(pid, requests,
		 "{\"op\":\"show\",\"what\":\"routes\"}{\"op\":\"show\",\"what\":\"routes\",\"after\":\"10.0.0.0/8\"}");
}

static void bgp_commands_say_what_they_ask(void **state)
{
	int requests;
	pid_t pid = fake("{\"ok\":true,\"data\":[]}", 3, &requests);

	(void)state;
	assert_int_equal(run("--run-dir", dir, "bgp", "clear", "x", NULL), 0);
	assert_non_null(strstr(out, "begins anew"));
	assert_int_equal(run("--run-dir", dir, "bgp", "clear", "x", "soft", NULL), 0);
	assert_null(strstr(out, "begins anew"));
	assert_int_equal(run("--run-dir", dir, "show", "bgp", "route", "10.1.0.0/16", NULL), 0);
	assert_string_equal(out, "no route to 10.1.0.0/16 from BGP\n");
	end_fake(pid, requests,
		 "{\"op\":\"bgp\",\"action\":\"clear\",\"name\":\"x\",\"soft\":false}"
		 "{\"op\":\"bgp\",\"action\":\"clear\",\"name\":\"x\",\"soft\":true}"
		 "{\"op\":\"show\",\"what\":\"bgp-route\",\"prefix\":\"10.1.0.0/16\"}");
}

static void the_fib_is_asked_for_an_address(void **state)
{
	int requests;
	pid_t pid =
		fake("{\"ok\":true,\"data\":{\"found\":true,\"prefix\":\"10.1.0.0/16\",\"legs\":[{\"kind\":\"tunnel\","
		     "\"tunnel\":\"azure\"},{\"kind\":\"port\",\"port\":\"wan0\",\"via\":\"203.0.113.1\"}]}}",
		     1, &requests);

	(void)state;
	assert_int_equal(run("--run-dir", dir, "show", "fib", "10.1.2.3", NULL), 0);
	assert_string_equal(out, "10.1.2.3: 10.1.0.0/16\n  tunnel azure\n  port wan0 via 203.0.113.1\n");
	end_fake(pid, requests, "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.1.2.3\"}");
	pid = fake("{\"ok\":true,\"data\":{\"found\":false}}", 1, &requests);
	assert_int_equal(run("--run-dir", dir, "show", "fib", "10.1.2.3", NULL), 0);
	assert_non_null(strstr(out, "no route"));
	end_fake(pid, requests, "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.1.2.3\"}");
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void presets_are_told_without_a_gateway(void **state)
{
	json_t *rows, *azure;

	(void)state;
	assert_int_equal(run("--run-dir", "/nonexistent", "show", "presets", NULL), 0);
	assert_non_null(
		strstr(out, "- kind: azure-vpn-gateway\n  ike:\n    proposals:\n      - aes256-sha1-modp1024\n"));
	assert_non_null(strstr(out, "    lifetime-bytes: 102400000KB\n  dpd: 45s\n"));
	assert_non_null(strstr(out, "- kind: windows-rras\n"));
	assert_non_null(strstr(out, "- kind: aws-vpn\n"));
	assert_int_equal(run("--json", "show", "presets", NULL), 0);
	rows = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(rows), 4);
	azure = json_array_get(rows, 1);
	assert_string_equal(json_string_value(json_object_get(azure, "kind")), "azure-vpn-gateway");
	assert_true(json_is_true(json_object_get(azure, "needs_legacy")));
	assert_int_equal(json_integer_value(json_object_get(azure, "esp_lifetime_bytes")), 102400000LL * 1024);
	assert_true(json_is_false(json_object_get(json_array_get(rows, 3), "needs_legacy")));
	json_decref(rows);
	assert_int_equal(run("show", "presets", "azure", NULL), 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_is_exit_2_on_stderr),
		cmocka_unit_test(help_and_version_are_exit_0_on_stdout),
		cmocka_unit_test(good_file_is_counted),
		cmocka_unit_test(bad_file_is_exit_1_with_every_line),
		cmocka_unit_test(no_daemon_is_exit_1_with_the_cure),
		cmocka_unit_test(answer_is_shown_as_table_or_json),
		cmocka_unit_test(tunnel_commands_say_what_they_ask),
		cmocka_unit_test(refusal_is_exit_1_with_its_reason),
		cmocka_unit_test(a_large_table_comes_in_pages),
		cmocka_unit_test(a_page_that_is_none_is_refused),
		cmocka_unit_test(bgp_commands_say_what_they_ask),
		cmocka_unit_test(the_fib_is_asked_for_an_address),
		cmocka_unit_test(presets_are_told_without_a_gateway),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_gwctl GWCTL\n");
		return 2;
	}
	gwctl = argv[1];
	return cmocka_run_group_tests_name("cli-gwctl", tests, make_dir, remove_dir);
}
