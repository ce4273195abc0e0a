#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 2048
#define LOG_BURST    10

XLIST_NAME(log_level_name, LOG_LEVEL_N, LOG_LEVELS)
XLIST_NAME(log_comp_name, LOG_COMP_N, LOG_COMPONENTS)

static uint8_t levels[LOG_COMP_N] = {[0 ... LOG_COMP_N - 1] = LOG_INFO};

static int find(const char *s, size_t n, const char *(*name)(unsigned), unsigned last)
{
	for (unsigned i = 0; i < last; i++)
		if (strlen(name(i)) == n && !memcmp(name(i), s, n))
			return (int)i;
	return -EINVAL;
}

static int set_one(uint8_t *to, const char *s, size_t n)
{
	const char *eq = memchr(s, '=', n);
	int level = eq ? find(eq + 1, n - (size_t)(eq + 1 - s), log_level_name, LOG_LEVEL_N)
		       : find(s, n, log_level_name, LOG_LEVEL_N);
	int comp = eq ? find(s, (size_t)(eq - s), log_comp_name, LOG_COMP_N) : 0;

	if (level < 0 || comp < 0)
		return -EINVAL;
	if (eq)
		to[comp] = (uint8_t)level;
	else
		memset(to, level, LOG_COMP_N);
	return 0;
}

int log_set(const char *spec)
{
	uint8_t next[LOG_COMP_N];

	memcpy(next, levels, sizeof(next));
	for (;;) {
		size_t n = strcspn(spec, ",");

		if (set_one(next, spec, n) < 0)
			return -EINVAL;
		if (!spec[n])
			break;
		spec += n + 1;
	}
	memcpy(levels, next, sizeof(next));
	return 0;
}

bool log_on(enum log_comp comp, enum log_level level)
{
	return level <= levels[comp];
}

const char *log_esc(const void *s, size_t len, char *buf, size_t cap)
{
	const unsigned char *p = s;
	size_t o = 0;

	for (size_t i = 0; i < len; i++) {
		if (o + 8 > cap) { /* "\xNN" + "..." + NUL */
			memcpy(buf + o, "...", 4);
			return buf;
		}
		if (isprint(p[i]) && p[i] != '"' && p[i] != '\\' && p[i] < 0x7f)
			buf[o++] = (char)p[i];
		else
			o += (size_t)snprintf(buf + o, 5, "\\x%02x", p[i]);
	}
	buf[o] = '\0';
	return buf;
}

static uint64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* May this call site speak now? */
static bool allowed(struct log_limit *l)
{
	uint64_t now = mono_ms();
	uint64_t more = (now - l->last_ms) / 1000;

	if (!l->started) {
		l->started = true;
		l->tokens = LOG_BURST;
		l->last_ms = now;
	} else if (more) {
		l->tokens = (uint32_t)u64_min(l->tokens + more, LOG_BURST);
		l->last_ms = now;
	}
	if (!l->tokens) {
		l->suppressed++;
		return false;
	}
	l->tokens--;
	return true;
}

static void put(enum log_comp comp, enum log_level level, uint32_t suppressed, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];
	struct timespec ts;
	struct tm tm;
	size_t n;
	int k;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ level=%s comp=%s ", ts.tv_nsec / 1000000,
			      log_level_name(level), log_comp_name(comp));
	k = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	n += k < 0 ? 0 : (size_t)k;
	if (n >= sizeof(line) - 32)
		n = sizeof(line) - 32;
	if (suppressed)
		n += (size_t)snprintf(line + n, 31, " suppressed=%u", suppressed);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say so */
}

void log_line(enum log_comp comp, enum log_level level, struct log_limit *limit, const char *fmt, ...)
{
	uint32_t suppressed = 0;
	va_list ap;

	if (limit) {
		if (!allowed(limit))
			return;
		suppressed = limit->suppressed;
		limit->suppressed = 0;
	}
	va_start(ap, fmt);
	put(comp, level, suppressed, fmt, ap);
	va_end(ap);
}

void log_fatal(enum log_comp comp, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(comp, LOG_ERR, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
