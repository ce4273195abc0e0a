/* One line per event on stderr: `ts level=.. comp=.. key=value ...`, journald-ready.
 *
 * log_warn(LOG_IKE, "tunnel=%s peer=%s cause=\"...\"", ...). ERR: an operator must act. WARN: a peer misbehaves; rate
 * limited at the call site, with the suppressed count. INFO: life events. DEBUG: messages. Strings that came from a peer
 * go through log_esc() first. Keys have no way in. Data-plane workers never call this: they count.
 * Any other thread may.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"
#include "base/xlist.h"

#define LOG_LEVELS(X) X(LOG_ERR, "error") X(LOG_WARN, "warn") X(LOG_INFO, "info") X(LOG_DEBUG, "debug")
XLIST_ENUM(log_level, LOG_LEVEL_N, LOG_LEVELS);

/* clang-format off */
#define LOG_COMPONENTS(X)                                                                          \
	X(LOG_MAIN, "main") X(LOG_CONFIG, "config") X(LOG_RING, "ring") X(LOG_PORT, "port")        \
	X(LOG_CTL, "ctl") X(LOG_IKE, "ike") X(LOG_SADB, "sadb") X(LOG_BGP, "bgp") X(LOG_MGMT, "mgmt")
/* clang-format on */
XLIST_ENUM(log_comp, LOG_COMP_N, LOG_COMPONENTS);

/* Token bucket of a call site: LOG_BURST lines at once, then one a second. */
struct log_limit {
	uint64_t last_ms;
	uint32_t tokens, suppressed;
	bool started;
};

const char *log_level_name(unsigned v);
const char *log_comp_name(unsigned v);

/* "info", or "ike=debug,ring=warn" per component (a bare level means all). 0 or -EINVAL (nothing changed). */
int log_set(const char *spec) MUST_USE;
bool log_on(enum log_comp comp, enum log_level level);
/* Escape peer text for a log line into buf: quotes, backslash, control and non-ASCII octets as \xNN; cut with "...". */
const char *log_esc(const void *s, size_t len, char *buf, size_t cap);

void log_line(enum log_comp comp, enum log_level level, struct log_limit *limit, const char *fmt, ...) PRINTF(4, 5);

#define LOG_AT(comp, level, limit, ...)                            \
	do {                                                       \
		if (log_on(comp, level))                           \
			log_line(comp, level, limit, __VA_ARGS__); \
	} while (0)

#define log_err(comp, ...)   LOG_AT(comp, LOG_ERR, NULL, __VA_ARGS__)
#define log_info(comp, ...)  LOG_AT(comp, LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(comp, ...) LOG_AT(comp, LOG_DEBUG, NULL, __VA_ARGS__)
#define log_warn(comp, ...)                                       \
	do {                                                      \
		static struct log_limit log_limit_;               \
		LOG_AT(comp, LOG_WARN, &log_limit_, __VA_ARGS__); \
	} while (0)

/* Start-up cannot go on: what, which object, the way out; then exit(1). */
void log_fatal(enum log_comp comp, const char *fmt, ...) PRINTF(2, 3) __attribute__((noreturn));
