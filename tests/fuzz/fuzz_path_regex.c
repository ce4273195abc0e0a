/* Patterns over AS paths: "PATTERN\nTEXT". Whatever the pattern, an automaton or words; and where the C library takes the same
 * pattern, as FRR has it compiled, the verdicts must be the same. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/path_regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PATTERN_MAX = 64, TEXT_MAX = 256 };

static const char alphabet[] = "0123456789 ,{}()";

/* What a repetition costs the C library grows by each number in braces; and with anchors inside of what is repeated glibc 2.36
 * matches what it should not: "((^|[ ]|$)1)+(^|[ ]|$)" on " 11 ". */
static bool is_fit(const char *s)
{
	bool anchors = strpbrk(s, "^$_");
	unsigned open = 0;

	for (unsigned i = 0; s[i]; i++) {
		if (s[i] == '{' && (++open == 4 || strcspn(s + i, "}") > 4))
			return false;
		if (i && strchr("*+?{", s[i]) && strchr(")_*+?}", s[i - 1]) && anchors)
			return false;
	}
	return true;
}

static void compare(const char *pattern, const char *text, bool verdict)
{
	char wide[PATTERN_MAX * 18 + 1];
	size_t o = 0;
	regex_t re;
	int r;

	for (; *pattern; pattern++)
		o += (size_t)snprintf(wide + o, sizeof(wide) - o, *pattern == '_' ? "(^|[,{}() ]|$)" : "%c", *pattern);
	wide[o] = '\0';
	r = regcomp(&re, wide, REG_EXTENDED | REG_NOSUB);
	if (r) {
		fprintf(stderr, "only we take \"%s\"\n", wide);
		abort();
	}
	r = regexec(&re, text, 0, NULL, 0);
	regfree(&re);
	if ((r == 0) != verdict) {
		fprintf(stderr, "\"%s\" on \"%s\": %d here\n", wide, text, verdict);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char pattern[PATH_REGEX_MAX + 2], text[TEXT_MAX + 1], err[PATH_REGEX_ERR];
	const uint8_t *nl = len ? memchr(data, '\n', len) : NULL;
	size_t n = nl ? (size_t)(nl - data) : len, t = 0;
	struct path_regex *x;
	bool verdict;

	if (n > PATH_REGEX_MAX + 1 || (n && memchr(data, '\0', n)))
		return 0;
	if (n)
		memcpy(pattern, data, n);
	pattern[n] = '\0';
	for (size_t i = n + 1; i < len && t < TEXT_MAX; i++) {
		bool fits = data[i] && strchr(alphabet, data[i]);

		text[t++] = fits ? (char)data[i] : alphabet[data[i] % (sizeof(alphabet) - 1)];
	}
	text[t] = '\0';
	x = path_regex_new(pattern, err);
	if (!x != (err[0] != '\0') || (path_regex_check(pattern, err) < 0) != !x)
		abort();
	if (!x)
		return 0;
	verdict = path_regex_match(x, text, t);
	if (verdict != path_regex_match(x, text, t)) /* now by states that were kept */
		abort();
	if (n <= PATTERN_MAX && is_fit(pattern))
		compare(pattern, text, verdict);
	path_regex_free(x);
	return 0;
}
