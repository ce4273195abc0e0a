/* A BGP speaker of the product's own parts, without a data plane: the core, its sockets and the config, in whatever network
 * namespace it is started. Every next hop is reachable, every prefix of `originate` is there. For tests and benchmarks.
 *
 * bgp_speaker --config FILE [--log-level SPEC] [--peer NAME=ADDR,SOURCE]... --peer: that session runs between these two
 * addresses instead of the config's, and so may be over IPv6, which the config refuses.
 * Commands on stdin, one a line; each is answered by one line of JSON:
 *   summary | totals | neighbor P | received P [AFTER [MAX]] | routes P [AFTER [MAX]] | advertised P [AFTER [MAX]]
 *   best [AFTER [MAX]] | route PREFIX | config FILE | clear P [soft] | quit
 * AFTER: "-" from the start. {"error": "..."} says what was wrong. quit, SIGTERM and the end of stdin tell the peers Cease and
 * end. Exit 0; 1: the config is bad. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/status_bgp.h"

enum { LINE_MAX_LEN = 4096, WORDS_MAX = 5, BYE_MS = 1000, BYE_POLL_MS = 5, OVERRIDES_MAX = 8 };

/* --peer */
struct override {
	char name[CFG_NAME_MAX];
	struct ip_addr addr, source;
};
static struct override overrides[OVERRIDES_MAX];
static unsigned n_overrides;

struct speaker {
	struct loop loop;
	struct bgp_io *io;
	struct config *config;
	uv_poll_t in;
	uv_timer_t bye;
	uint64_t bye_at_ms; /* 0: not stopping */
	char line[LINE_MAX_LEN];
	size_t len;
};

static void answer(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static void wrong(const char *what)
{
	answer(json_pack("{s:s}", "error", what));
}

static bool override_parse(char *text)
{
	struct override *o = n_overrides < OVERRIDES_MAX ? &overrides[n_overrides] : NULL;
	char *addr = strchr(text, '='), *source = addr ? strchr(addr, ',') : NULL;

	if (!o || !source || addr - text >= CFG_NAME_MAX)
		return false;
	*addr++ = *source++ = '\0';
	snprintf(o->name, sizeof(o->name), "%s", text);
	n_overrides++;
	return !ip_parse(addr, &o->addr) && !ip_parse(source, &o->source) && o->addr.family == o->source.family;
}

static struct cfg_bgp_peer *peer_of(struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->bgp.n_peers; i++)
		if (!strcmp(c->bgp.peer[i].name, name))
			return &c->bgp.peer[i];
	return NULL;
}

static struct config *load(const char *path)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load(path, true, &errs);

	if (!c)
		cfg_errors_print(&errs, path, STDERR_FILENO);
	cfg_errors_free(&errs);
	for (unsigned i = 0; c && i < n_overrides; i++) {
		struct cfg_bgp_peer *p = peer_of(c, overrides[i].name);

		if (!p)
			continue;
		p->addr = overrides[i].addr;
		p->source = overrides[i].source;
	}
	return c;
}

/* ---- commands ---- */

static void take_config(struct speaker *s, const char *path)
{
	struct config *c = load(path);

	if (!c) {
		wrong("the config is bad: see stderr");
		return;
	}
	bgp_io_config(s->io, c);
	config_free(s->config);
	s->config = c;
	answer(json_object());
}

static void say_totals(struct speaker *s)
{
	struct bgp_totals t;

	bgp_totals(bgp_io_core(s->io), &t);
	answer(json_pack("{s:I, s:I, s:I, s:I, s:I}", "prefixes", (json_int_t)t.prefixes, "paths", (json_int_t)t.paths,
			 "attr_sets", (json_int_t)t.attr_sets, "octets", (json_int_t)t.octets, "changes",
			 (json_int_t)bgp_io_version(s->io)));
}

static void say_rows(struct speaker *s, enum bgp_view view, uint32_t peer, char **w)
{
	struct ip_prefix after = {0};
	unsigned long max = STATUS_BGP_PAGE;

	if (w[0] && strcmp(w[0], "-") && ip_prefix_parse(w[0], false, &after)) {
		wrong("AFTER is a prefix, or -");
		return;
	}
	if (w[0] && w[1])
		max = strtoul(w[1], NULL, 10);
	answer(status_bgp_rows(s->io, view, peer, &after, max && max < UINT32_MAX ? (unsigned)max : UINT32_MAX));
}

static void say_route(struct speaker *s, const char *text)
{
	struct ip_prefix p;

	if (!text || ip_prefix_parse(text, false, &p))
		wrong("route takes a prefix");
	else
		answer(status_bgp_route(s->io, &p));
}

static void of_peer(struct speaker *s, char **w)
{
	static const struct {
		const char *word;
		enum bgp_view view;
	} views[] = {{"received", BGP_VIEW_RECEIVED}, {"routes", BGP_VIEW_ROUTES}, {"advertised", BGP_VIEW_ADVERTISED}};
	uint32_t peer = w[1] ? bgp_peer_find(bgp_io_core(s->io), w[1]) : BGP_NO_PEER;

	for (unsigned i = 0; i < N_ELEMS(views); i++)
		if (!strcmp(w[0], views[i].word) && peer != BGP_NO_PEER) {
			say_rows(s, views[i].view, peer, &w[2]);
			return;
		}
	if (peer == BGP_NO_PEER) {
		wrong("no such command, or no such peer");
	} else if (!strcmp(w[0], "neighbor")) {
		answer(status_bgp_neighbor(s->io, peer));
	} else if (!strcmp(w[0], "clear")) {
		int rc = bgp_clear(bgp_io_core(s->io), peer, w[2] && !strcmp(w[2], "soft"), loop_now_ms());

		if (rc)
			wrong("there is no session");
		else
			answer(json_object());
	} else {
		wrong("no such command");
	}
}

static void bye(struct speaker *s);

static void command(struct speaker *s, char *line)
{
	char *w[WORDS_MAX + 1] = {0}, *at = NULL;
	unsigned n = 0;

	for (char *p = strtok_r(line, " \t\r", &at); p && n < WORDS_MAX; p = strtok_r(NULL, " \t\r", &at))
		w[n++] = p;
	if (!n)
		return;
	if (!strcmp(w[0], "summary"))
		answer(status_bgp_summary(s->io));
	else if (!strcmp(w[0], "totals"))
		say_totals(s);
	else if (!strcmp(w[0], "best"))
		say_rows(s, BGP_VIEW_BEST, BGP_NO_PEER, &w[1]);
	else if (!strcmp(w[0], "route"))
		say_route(s, w[1]);
	else if (!strcmp(w[0], "config") && w[1])
		take_config(s, w[1]);
	else if (!strcmp(w[0], "quit"))
		bye(s);
	else
		of_peer(s, w);
}

static void stdin_ready(uv_poll_t *p, int status, int events)
{
	struct speaker *s = p->data;
	ssize_t n = read(STDIN_FILENO, s->line + s->len, sizeof(s->line) - s->len - 1);
	char *line = s->line, *nl;

	(void)status;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || s->len + (size_t)n == sizeof(s->line) - 1) {
		bye(s);
		return;
	}
	s->len += (size_t)n;
	s->line[s->len] = '\0';
	while ((nl = strchr(line, '\n'))) {
		*nl = '\0';
		command(s, line);
		line = nl + 1;
	}
	s->len = strlen(line);
	memmove(s->line, line, s->len);
}

/* ---- the loop ---- */

static uint64_t deadline(void *ctx)
{
	return bgp_io_deadline(((struct speaker *)ctx)->io);
}

static void tick(void *ctx)
{
	bgp_io_tick(((struct speaker *)ctx)->io);
}

static void turn(void *ctx)
{
	bgp_io_turn(((struct speaker *)ctx)->io);
}

static void bye_due(uv_timer_t *t)
{
	struct speaker *s = t->data;

	if (!bgp_io_quiet(s->io) && loop_now_ms() < s->bye_at_ms)
		return;
	uv_timer_stop(t);
	loop_end(&s->loop);
}

static void bye(struct speaker *s)
{
	if (s->bye_at_ms)
		return;
	s->bye_at_ms = loop_now_ms() + BYE_MS;
	uv_poll_stop(&s->in);
	bgp_io_shutdown(s->io);
	uv_timer_start(&s->bye, bye_due, 0, BYE_POLL_MS);
}

static void stop(void *ctx)
{
	bye(ctx);
}

static void reload(void *ctx)
{
	(void)ctx; /* `config FILE` does it */
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"log-level", required_argument, NULL, 'l'},
					      {"peer", required_argument, NULL, 'p'},
					      {0}};
	static struct speaker s;
	struct loop_ops ops = {&s, deadline, tick, turn, stop, reload};
	const char *path = NULL;
	int k;

	while ((k = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (k == 'c')
			path = optarg;
		else if (k == 'p' ? !override_parse(optarg) : k != 'l' || log_set(optarg))
			return 2;
	s.config = path ? load(path) : NULL;
	if (!s.config)
		return 1;
	if (loop_init(&s.loop, &ops, true))
		return 1;
	s.io = bgp_io_new(&s.loop, NULL);
	if (uv_poll_init(&s.loop.uv, &s.in, STDIN_FILENO)) {
		fputs("bgp_speaker: stdin must be a pipe or a terminal\n", stderr);
		return 2;
	}
	uv_timer_init(&s.loop.uv, &s.bye);
	s.in.data = s.bye.data = &s;
	uv_poll_start(&s.in, UV_READABLE, stdin_ready);
	bgp_io_config(s.io, s.config);
	loop_run(&s.loop);
	bgp_io_free(s.io);
	uv_close((uv_handle_t *)&s.in, NULL);
	uv_close((uv_handle_t *)&s.bye, NULL);
	loop_fini(&s.loop);
	config_free(s.config);
	return 0;
}
