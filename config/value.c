#include "config/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *word;
	uint64_t factor;
};

static const struct unit durations[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
};

static const struct unit sizes[] = {
	{"B", 1},           {"KB", 1 << 10},     {"KiB", 1 << 10},   {"MB", 1 << 20},     {"MiB", 1 << 20},
	{"GB", 1ULL << 30}, {"GiB", 1ULL << 30}, {"TB", 1ULL << 40}, {"TiB", 1ULL << 40},
};

/* Digits at s; *end is behind them. */
static int digits(const char *s, const char **end, uint64_t *out)
{
	uint64_t v = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t d = (uint64_t)(*p - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -ERANGE;
		v = v * 10 + d;
	}
	*end = p;
	*out = v;
	return p == s ? -EINVAL : 0;
}

static int with_unit(const char *s, const struct unit *units, unsigned n, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int r = digits(s, &end, &v);

	if (r < 0)
		return r;
	if (!*end) {
		*out = v;
		return v ? -ENOKEY : 0; /* nothing is nothing in every unit */
	}
	for (unsigned i = 0; i < n; i++) {
		if (strcasecmp(end, units[i].word))
			continue;
		if (v > UINT64_MAX / units[i].factor)
			return -ERANGE;
		*out = v * units[i].factor;
		return 0;
	}
	return -EINVAL;
}

int value_duration_ms(const char *s, uint64_t *out)
{
	return with_unit(s, durations, N_ELEMS(durations), out);
}

int value_size(const char *s, uint64_t *out)
{
	return with_unit(s, sizes, N_ELEMS(sizes), out);
}

int value_uint(const char *s, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int r = digits(s, &end, &v);

	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

const char *value_duration_str(uint64_t s, char buf[VALUE_STR])
{
	const struct unit *u = &durations[1];

	for (unsigned i = 2; i < N_ELEMS(durations) - 1; i++) /* weeks are read, not written */
		if (s && s % (durations[i].factor / 1000) == 0)
			u = &durations[i];
	snprintf(buf, VALUE_STR, "%" PRIu64 "%s", s / (u->factor / 1000), u->word);
	return buf;
}

const char *value_size_str(uint64_t octets, char buf[VALUE_STR])
{
	const struct unit *u = &sizes[0];

	for (unsigned i = 1; i < N_ELEMS(sizes); i += 2)
		if (octets && octets % sizes[i].factor == 0)
			u = &sizes[i];
	snprintf(buf, VALUE_STR, "%" PRIu64 "%s", octets / u->factor, u->word);
	return buf;
}

int value_bool(const char *s, bool *out)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};

	for (unsigned i = 0; i < N_ELEMS(yes); i++)
		if (!strcmp(s, yes[i]) || !strcmp(s, no[i])) {
			*out = !strcmp(s, yes[i]);
			return 0;
		}
	return -EINVAL;
}
