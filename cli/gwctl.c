/* gwctl: one question, one answer. Exit 0: done; 1: refused or failed, the reason is on stderr; 2: usage. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "cli/bgp.h"
#include "cli/client.h"
#include "cli/file.h"
#include "cli/page.h"
#include "cli/presets.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/top.h"

enum { WAIT_MAX_S = 600 };

struct opts {
	const char *run_dir;
	bool json, ike, all, no_secrets;
	unsigned wait_s, count, interval_s;
	char **word; /* what is no option */
	int n;
};

static void usage(FILE *f)
{
	fprintf(f,
		"usage: gwctl [--run-dir DIR] [--json] COMMAND\n"
		"  show %s [--all]\n"
		"  show routes                        of all owners; * is the one that counts\n"
		"  show fib ADDRESS                   what the data plane does with packets to it\n"
		"  show presets                       what a tunnel's `kind` stands for\n"
		"  top [--count N] [--interval S]     tunnels, load, cycles and drops, each second; q ends it\n"
		"  show bgp summary\n"
		"  show bgp neighbor PEER [routes | received-routes | advertised-routes]\n"
		"  show bgp route [PREFIX]            all paths of each prefix, and what decided\n"
		"  bgp clear PEER [soft]              begin the session anew; soft: exchange the routes anew\n"
		"  tunnel NAME up [--wait SECONDS] | down | rekey [--ike]\n"
		"  config check FILE [--no-secrets]   every error of the file, with its line\n"
		"  config show FILE                   the canonical file, without secrets\n"
		"  help | version\n"
		"--run-dir: of the gateway to ask (default /run/esplanade). --json: for programs.\n"
		"exit code: 0 done, 1 refused or failed (the reason is on stderr), 2 usage\n",
		show_nouns());
}

static int bad_usage(const char *what)
{
	fprintf(stderr, "gwctl: %s\n", what);
	usage(stderr);
	return 2;
}

static void print_json(const json_t *data)
{
	json_dumpf(data, stdout, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	putchar('\n');
}

static void say_error(const struct opts *o, const char *why)
{
	fprintf(stderr, "gwctl: %s\n", why);
	if (o->json) {
		json_t *e = json_pack("{s:b, s:s}", "ok", 0, "error", why);

		print_json(e);
		json_decref(e);
	}
}

/* Takes req over. NULL after the reason has been printed. */
static json_t *ask(const struct opts *o, json_t *req, unsigned timeout_ms)
{
	int fd = -1, r = -ENOMEM;
	json_t *data = NULL;
	char why[1024] = "out of memory";

	if (req)
		r = fd = client_connect(o->run_dir, why, sizeof(why));
	if (fd >= 0) {
		r = client_ask(fd, req, timeout_ms, &data, why, sizeof(why));
		close(fd);
	}
	json_decref(req);
	if (r >= 0)
		return data;
	say_error(o, why);
	return NULL;
}

/* A table in pages. Takes req over. Exit code. */
static int ask_pages(const struct opts *o, json_t *req, const struct page_view *v, void *ctx)
{
	char why[1024] = "out of memory";
	int fd = -1, r = -ENOMEM;

	if (req)
		r = fd = client_connect(o->run_dir, why, sizeof(why));
	if (fd >= 0) {
		r = page_print(stdout, fd, req, v, ctx, o->json, why, sizeof(why));
		close(fd);
	}
	json_decref(req);
	if (r >= 0)
		return 0;
	fflush(stdout);
	say_error(o, why);
	return 1;
}

/* Takes req over; data is printed by print(). Exit code. */
static int ask_one(const struct opts *o, json_t *req, void (*print)(FILE *f, const json_t *data))
{
	json_t *data = ask(o, req, CLIENT_TIMEOUT_MS);

	if (!data)
		return 1;
	if (o->json)
		print_json(data);
	else
		print(stdout, data);
	json_decref(data);
	return 0;
}

static const char *subject; /* what was asked for: printers of one thing name it */

static void print_fib(FILE *f, const json_t *data)
{
	show_fib(f, subject, data);
}

static void print_route(FILE *f, const json_t *data)
{
	bgp_route_print(f, subject, data);
}

static json_t *question(const char *what, const char *key, const char *value)
{
	json_t *q = json_pack("{s:s, s:s}", "op", "show", "what", what);

	if (key)
		json_object_set_new(q, key, json_string(value));
	return q;
}

/* show bgp ... */
static int run_show_bgp(const struct opts *o)
{
	static const struct {
		const char *word, *what;
	} tables[] = {
		{"routes", "bgp-routes"}, {"received-routes", "bgp-received"}, {"advertised-routes", "bgp-advertised"}};
	const char *verb = o->n > 2 ? o->word[2] : "";

	subject = o->n > 3 ? o->word[3] : "";
	if (o->n == 3 && !strcmp(verb, "summary"))
		return ask_one(o, question("bgp-summary", NULL, NULL), bgp_summary_print);
	if (o->n == 3 && !strcmp(verb, "route"))
		return ask_pages(o, question("bgp-best", NULL, NULL), &bgp_paths, NULL);
	if (o->n == 4 && !strcmp(verb, "route"))
		return ask_one(o, question("bgp-route", "prefix", subject), print_route);
	if (o->n == 4 && !strcmp(verb, "neighbor"))
		return ask_one(o, question("bgp-neighbor", "name", subject), bgp_neighbor_print);
	for (unsigned i = 0; o->n == 5 && !strcmp(verb, "neighbor") && i < N_ELEMS(tables); i++)
		if (!strcmp(o->word[4], tables[i].word))
			return ask_pages(o, question(tables[i].what, "name", subject), &bgp_table, NULL);
	return bad_usage(
		"write: show bgp summary, show bgp neighbor PEER [routes|received-routes|advertised-routes], or "
		"show bgp route [PREFIX]");
}

static int run_show(const struct opts *o)
{
	struct table_fit fit;
	json_t *data;
	bool ok = true;

	if (o->n >= 2 && !strcmp(o->word[1], "bgp"))
		return run_show_bgp(o);
	if (o->n == 2 && !strcmp(o->word[1], "presets"))
		return presets_show(o->json);
	if (o->n == 2 && !strcmp(o->word[1], "routes"))
		return ask_pages(o, question("routes", NULL, NULL), &show_routes, &fit);
	if (o->n == 3 && !strcmp(o->word[1], "fib")) {
		subject = o->word[2];
		return ask_one(o, question("fib", "address", subject), print_fib);
	}
	if (o->n != 2 || !show_knows(o->word[1]))
		return bad_usage("show what?");
	data = ask(o, json_pack("{s:s, s:s, s:b}", "op", "show", "what", o->word[1], "all", o->all), CLIENT_TIMEOUT_MS);
	if (!data)
		return 1;
	if (o->json)
		print_json(data);
	else
		ok = show_print(stdout, o->word[1], data);
	if (!ok)
		fprintf(stderr,
			"gwctl: the answer is no list of rows: are gwctl and the control plane of one version?\n");
	json_decref(data);
	return ok ? 0 : 1;
}

static int run_tunnel(const struct opts *o)
{
	const char *name = o->n == 3 ? o->word[1] : "", *action = o->n == 3 ? o->word[2] : "";
	json_t *data;

	if (strcmp(action, "up") && strcmp(action, "down") && strcmp(action, "rekey"))
		return bad_usage("write: tunnel NAME up|down|rekey");
	if (o->ike && strcmp(action, "rekey"))
		return bad_usage("--ike goes with rekey");
	if (o->wait_s && strcmp(action, "up"))
		return bad_usage("--wait goes with up");
	data = ask(o,
		   json_pack("{s:s, s:s, s:s, s:b, s:i}", "op", "tunnel", "name", name, "action", action, "ike", o->ike,
			     "wait_s", (int)o->wait_s),
		   CLIENT_TIMEOUT_MS + o->wait_s * 1000);
	if (!data)
		return 1;
	if (o->json)
		print_json(data);
	else if (o->wait_s)
		printf("tunnel %s: it is up\n", name);
	else
		printf("tunnel %s: %s%s has begun (see: gwctl show tunnels)\n", name, o->ike ? "IKE " : "", action);
	json_decref(data);
	return 0;
}

static int run_bgp(const struct opts *o)
{
	bool soft = o->n == 4 && !strcmp(o->word[3], "soft");
	json_t *data;

	if (o->n < 3 || o->n > 4 || strcmp(o->word[1], "clear") || (o->n == 4 && !soft))
		return bad_usage("write: bgp clear PEER [soft]");
	data = ask(o,
		   json_pack("{s:s, s:s, s:s, s:b}", "op", "bgp", "action", "clear", "name", o->word[2], "soft", soft),
		   CLIENT_TIMEOUT_MS);
	if (!data)
		return 1;
	if (o->json)
		print_json(data);
	else if (soft)
		printf("BGP peer %s: its routes are asked for and ours are sent again\n", o->word[2]);
	else
		printf("BGP peer %s: the session ends and begins anew (see: gwctl show bgp summary)\n", o->word[2]);
	json_decref(data);
	return 0;
}

static int run_config(const struct opts *o)
{
	if (o->n == 3 && !strcmp(o->word[1], "check"))
		return file_check(o->word[2], !o->no_secrets, o->json);
	if (o->n == 3 && !strcmp(o->word[1], "show"))
		return file_show(o->word[2], o->json);
	return bad_usage("write: config check FILE, or config show FILE");
}

static int run(const struct opts *o)
{
	const char *noun = o->n ? o->word[0] : "";

	if (!strcmp(noun, "show"))
		return run_show(o);
	if (!strcmp(noun, "top"))
		return o->n == 1 ? top_run(&(struct top_opts){o->run_dir, o->interval_s, o->count, o->json})
				 : bad_usage("top takes no words");
	if (!strcmp(noun, "tunnel"))
		return run_tunnel(o);
	if (!strcmp(noun, "bgp"))
		return run_bgp(o);
	if (!strcmp(noun, "config"))
		return run_config(o);
	if (!strcmp(noun, "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(noun, "version")) {
		puts("gwctl " ESPLANADE_VERSION);
		return 0;
	}
	return bad_usage(*noun ? "there is no such command" : "a command is missing");
}

static bool take_number(const char *s, unsigned long max, unsigned *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 10);
	if (errno || *end || *s < '0' || *s > '9' || v > max)
		return false;
	*out = (unsigned)v;
	return true;
}

/* 0, or 2 after the usage; -1: help was wanted and printed. */
static int take_opts(int argc, char **argv, struct opts *o)
{
	static const struct option longs[] = {
		{"run-dir", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},
		{"ike", no_argument, NULL, 'i'},
		{"all", no_argument, NULL, 'a'},
		{"wait", required_argument, NULL, 'w'},
		{"count", required_argument, NULL, 'c'},
		{"interval", required_argument, NULL, 't'},
		{"no-secrets", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int k;

	while ((k = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (k == 'r')
			o->run_dir = optarg;
		else if (k == 'j')
			o->json = true;
		else if (k == 'i')
			o->ike = true;
		else if (k == 'a')
			o->all = true;
		else if (k == 'n')
			o->no_secrets = true;
		else if (k == 'w' && !take_number(optarg, WAIT_MAX_S, &o->wait_s))
			return bad_usage("--wait takes seconds, 0 to 600");
		else if (k == 'c' && !take_number(optarg, TOP_COUNT_MAX, &o->count))
			return bad_usage("--count takes a number of frames, 1 to 1000000");
		else if (k == 't' && (!take_number(optarg, TOP_INTERVAL_MAX_S, &o->interval_s) || !o->interval_s))
			return bad_usage("--interval takes seconds, 1 to 3600");
		else if (k == 'h' || k == 'v') {
			k == 'h' ? usage(stdout) : (void)puts("gwctl " ESPLANADE_VERSION);
			return -1;
		} else if (k == '?') {
			usage(stderr);
			return 2;
		}
	}
	o->word = argv + optind;
	o->n = argc - optind;
	return 0;
}

int main(int argc, char **argv)
{
	struct opts o = {.run_dir = "/run/esplanade", .interval_s = 1};
	int r = take_opts(argc, argv, &o);

	if (r == 0)
		r = run(&o);
	if (r < 0)
		r = 0;
	if (fflush(stdout) != 0 && r == 0) { /* a full disk, a closed pipe */
		fprintf(stderr, "gwctl: cannot write: %s\n", strerror(errno));
		r = 1;
	}
	return r;
}
