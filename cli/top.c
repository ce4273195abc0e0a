#include "cli/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/build.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/table.h"

/* ---- one frame ---- */

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (double)json_integer_value(v) : 0;
}

/* What was added since; a counter that went back (the data plane is another one) has no past. */
static double added(const json_t *before, const json_t *now, const char *key)
{
	double n = number(now, key), b = number(before, key);

	return n >= b ? n - b : 0;
}

static double seconds(const json_t *before, const json_t *now)
{
	double ms = number(now, "now_ms") - number(before, "now_ms");

	return ms > 0 ? ms / 1000 : 1;
}

static const char *text(const json_t *o, const char *key, char *buf, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? log_esc(s, strlen(s), buf, cap) : "";
}

static void head(FILE *f, const json_t *before, const json_t *now)
{
	char name[40], version[24], up[TABLE_CELL];
	json_t *workers = json_object_get(now, "workers"), *was = json_object_get(before, "workers"), *w;
	size_t i;

	fprintf(f, "%s  esplanade %s  up %s", text(now, "gateway", name, sizeof(name)),
		text(now, "version", version, sizeof(version)), table_time((json_int_t)number(now, "uptime_s"), up));
	fprintf(f, "  tunnels %.0f/%.0f up", number(now, "tunnels_up"), number(now, "tunnels_all"));
	if (number(now, "bgp_all") > 0)
		fprintf(f, "  BGP %.0f/%.0f up", number(now, "bgp_up"), number(now, "bgp_all"));
	fprintf(f, "  routes %.0f\n", number(now, "routes"));
	if (!json_is_true(json_object_get(now, "attached")))
		fputs("the data plane is not attached: start esplanade-dataplane\n", f);
	json_array_foreach(workers, i, w)
	{
		const json_t *b = json_array_get(was, i);
		double total = added(b, w, "total"), busy = total > 0 ? 100 * added(b, w, "busy") / total : 0;

		/* four to a line */
		fprintf(f, "%sworker %zu: %3.0f%% busy%s", i % 4 ? "   " : "", i, busy < 100 ? busy : 100,
			i % 4 == 3 || i + 1 == json_array_size(workers) ? "\n" : "");
	}
}

/* Cycles per packet of each stage, over what was sampled; "-": nothing went through it. */
static void cycles(FILE *f, const json_t *before, const json_t *now)
{
	json_t *stages = json_object_get(now, "stages"), *was = json_object_get(before, "stages"), *s;
	double sum = 0, packets = 0;
	const char *name;

	fputs("cycles/packet:", f);
	json_object_foreach(stages, name, s)
	{
		const json_t *b = json_object_get(was, name);
		double n = added(b, s, "packets"), c = added(b, s, "cycles");

		sum += c;
		packets = n > packets ? n : packets;
		fprintf(f, n > 0 ? "  %s %.0f" : "  %s -", name, n > 0 ? c / n : 0);
	}
	fprintf(f, packets > 0 ? "  = %.0f\n" : "\n", packets > 0 ? sum / packets : 0);
}

static void drops(FILE *f, const json_t *before, const json_t *now)
{
	json_t *all = json_object_get(now, "drops"), *was = json_object_get(before, "drops"), *v;
	double s = seconds(before, now);
	unsigned used = (unsigned)fprintf(f, "drops/s:"), shown = 0, more = 0;
	const char *name;

	json_object_foreach(all, name, v)
	{
		double n = added(was, all, name) / s;
		char word[64];
		int len = snprintf(word, sizeof(word), "  %s %.*f", name, n < 10 ? 1 : 0, n);

		(void)v;
		if (n <= 0)
			continue;
		if (used + (unsigned)len + 10 > TABLE_WIDTH) {
			more++;
			continue;
		}
		fputs(word, f);
		used += (unsigned)len;
		shown++;
	}
	if (more)
		fprintf(f, "  +%u more", more);
	fputs(shown ? "\n" : "  none\n", f);
}

static const struct table_col columns[] = {
	{"name", "TUNNEL", TABLE_TEXT, 20},        {"peer", "PEER", TABLE_TEXT, 39},
	{"state", "STATE", TABLE_TEXT, 5},         {"cipher", "CIPHER", TABLE_TEXT, 29},
	{"rx_mbps", "RX-MBPS", TABLE_PERCENT, 0},  {"rx_kpps", "KPPS", TABLE_PERCENT, 0},
	{"tx_mbps", "TX-MBPS", TABLE_PERCENT, 0},  {"tx_kpps", "KPPS", TABLE_PERCENT, 0},
	{"lost", "LOST", TABLE_COUNT, 0},          {"replayed", "REPLAY", TABLE_COUNT, 0},
	{"rekey_in_s", "REKEY-IN", TABLE_TIME, 0},
};

static void why_down(FILE *f, const json_t *row)
{
	char buf[TABLE_WIDTH - 4];
	const char *s = text(row, "last_error", buf, sizeof(buf));

	if (*s)
		fprintf(f, "  %s\n", s);
}

static const json_t *same_tunnel(const json_t *rows, const char *name)
{
	json_t *r;
	size_t i;

	json_array_foreach(rows, i, r)
	{
		const char *s = json_string_value(json_object_get(r, "name"));

		if (s && name && !strcmp(s, name))
			return r;
	}
	return NULL;
}

/* A tunnel's row with rates beside its counters; a new reference. */
static json_t *with_rates(const json_t *before, const json_t *row, double s)
{
	json_t *o = json_copy((json_t *)row);

	if (!before) /* it was not among the rows: no rate yet */
		before = row;
	json_object_set_new(o, "rx_mbps", json_real(added(before, row, "in_octets") * 8 / 1e6 / s));
	json_object_set_new(o, "rx_kpps", json_real(added(before, row, "in_packets") / 1e3 / s));
	json_object_set_new(o, "tx_mbps", json_real(added(before, row, "out_octets") * 8 / 1e6 / s));
	json_object_set_new(o, "tx_kpps", json_real(added(before, row, "out_packets") / 1e3 / s));
	if (strcmp(json_string_value(json_object_get(row, "state")) ?: "", "down") != 0)
		json_object_del(o, "last_error"); /* of an attempt that is over */
	return o;
}

void top_print(FILE *f, const json_t *before, const json_t *now, unsigned lines)
{
	json_t *rows = json_object_get(now, "tunnels"), *was = json_object_get(before, "tunnels"),
	       *shown = json_array(), *r;
	unsigned room = lines > 8 ? lines - 8 : 1;
	size_t i;

	head(f, before, now);
	cycles(f, before, now);
	drops(f, before, now);
	fputc('\n', f);
	json_array_foreach(rows, i, r)
	{
		const json_t *b = same_tunnel(was, json_string_value(json_object_get(r, "name")));

		if (lines && i >= room)
			break;
		json_array_append_new(shown, with_rates(b, r, seconds(before, now)));
	}
	if (json_array_size(shown))
		table_print(f, columns, N_ELEMS(columns), shown, why_down);
	else
		fputs("no tunnel is configured\n", f);
	if (json_array_size(shown) < (size_t)number(now, "tunnels_all"))
		fprintf(f, "  and %.0f more (gwctl show tunnels)\n",
			number(now, "tunnels_all") - (double)json_array_size(shown));
	json_decref(shown);
}

/* ---- the terminal ---- */

static volatile sig_atomic_t ended;
static struct termios cooked;

static void on_signal(int number UNUSED)
{
	ended = 1;
}

/* Keys come at once and are not shown; the screen of before comes back at the end. */
static void screen(bool on)
{
	struct termios raw = cooked;

	if (on) {
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	} else {
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
	}
	fputs(on ? "\033[?1049h\033[?25l" : "\033[?25h\033[?1049l", stdout);
	fflush(stdout);
}

/* Each line to its end, and nothing left of the frame before. */
static void draw(const char *frame)
{
	fputs("\033[H", stdout);
	for (const char *p = frame; *p;) {
		size_t n = strcspn(p, "\n");

		printf("%.*s\033[K\r\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static unsigned terminal_lines(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row ? w.ws_row : 24;
}

/* Until the time is up; a key may end it all. */
static void wait_key(unsigned ms)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char key;

	if (poll(&p, 1, (int)ms) <= 0)
		return;
	if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q' || key == 3)
		ended = 1;
}

/* ---- the loop ---- */

struct top {
	const struct top_opts *o;
	int fd;
	bool tty;
	json_t *before;
	char why[512];
};

/* The next answer, or NULL and why. The connection is kept, and made anew after a failure. */
static json_t *ask(struct top *t)
{
	json_t *req = json_pack("{s:s, s:s, s:i}", "op", "show", "what", "top", "max", TOP_ROWS_MAX), *data = NULL;
	int r;

	if (t->fd < 0)
		t->fd = client_connect(t->o->run_dir, t->why, sizeof(t->why));
	if (t->fd >= 0) {
		r = client_ask(t->fd, req, CLIENT_TIMEOUT_MS, &data, t->why, sizeof(t->why));
		if (r < 0) {
			close(t->fd);
			t->fd = -1;
			data = NULL;
		}
	}
	json_decref(req);
	return data;
}

/* Words in lines that fit. */
static void fold(FILE *f, const char *s)
{
	while (strlen(s) > TABLE_WIDTH) {
		size_t n = TABLE_WIDTH;

		while (n > 1 && s[n] != ' ')
			n--;
		n = n > 1 ? n : TABLE_WIDTH;
		fprintf(f, "%.*s\n", (int)n, s);
		s += n + (s[n] == ' ');
	}
	fprintf(f, "%s\n", s);
}

static void show(struct top *t, const json_t *now)
{
	char *frame = NULL;
	size_t len;
	FILE *f = t->tty ? open_memstream(&frame, &len) : stdout;

	if (!f)
		return;
	if (now) {
		top_print(f, t->before, now, t->tty ? terminal_lines() : 0);
	} else {
		fold(f, t->why);
		fprintf(f, "trying again each %u s; q ends\n", t->o->interval_s);
	}
	if (!t->tty) {
		fflush(f);
		return;
	}
	fclose(f);
	draw(frame);
	free(frame);
}

static void rest(struct top *t)
{
	struct timespec s = {.tv_sec = t->o->interval_s};

	if (t->tty)
		wait_key(t->o->interval_s * 1000);
	else
		(void)nanosleep(&s, NULL);
}

static int loop(struct top *t)
{
	unsigned count = t->o->count ? t->o->count : t->tty ? TOP_COUNT_MAX : 1;

	while (!ended && count) {
		json_t *now;

		if (t->before)
			rest(t);
		now = ended ? NULL : ask(t);
		if (!now && !ended && !t->tty)
			return -1;
		if (!ended && (t->before || !now)) {
			show(t, now);
			count--;
		}
		if (!now && !ended)
			rest(t);
		json_decref(t->before);
		t->before = now;
	}
	return 0;
}

int top_run(const struct top_opts *o)
{
	struct top t = {.o = o, .fd = -1, .tty = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && !o->json};
	struct sigaction act = {.sa_handler = on_signal};
	int r;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (o->json) {
		t.before = ask(&t);
		r = t.before ? json_dumpf(t.before, stdout, JSON_INDENT(2) | JSON_SORT_KEYS) : -1;
		if (t.before)
			putchar('\n');
	} else {
		if (t.tty && tcgetattr(STDIN_FILENO, &cooked) == 0)
			screen(true);
		r = loop(&t);
		if (t.tty)
			screen(false);
	}
	if (r < 0)
		fprintf(stderr, "gwctl: %s\n", t.why);
	json_decref(t.before);
	if (t.fd >= 0)
		close(t.fd);
	return r < 0 ? 1 : 0;
}
