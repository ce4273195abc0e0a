/* Regular expressions over an AS path's text, in FRR's dialect.
 *
 * POSIX extended; `_` stands for the start, the end, a space, a comma, a brace or a parenthesis. A pattern is made of
 * 0-9 _ ^ | [ , { } ( ) ] space $ * + . ? - \ only, as in FRR. The text is what aspath_text() writes: digits, spaces,
 * commas, braces, parentheses. A match costs time in proportion to the text, whatever pattern and text: the pattern becomes an
 * automaton of at most PATH_REGEX_NODES nodes, whose states are made when first met. No references back.
 * bgp/ uses it too. Thread: one at a time for one pattern (a match may add states).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/build.h"

enum { PATH_REGEX_MAX = 512 /* octets of a pattern */, PATH_REGEX_NODES = 2048, PATH_REGEX_ERR = 160 };

struct path_regex;

/* NULL: err says where and what is not understood, and what to write. */
struct path_regex *path_regex_new(const char *pattern, char err[PATH_REGEX_ERR]);
void path_regex_free(struct path_regex *x); /* NULL is fine */
/* Is there a match anywhere in text? An octet that no path has matches only `.` and [^...]. */
bool path_regex_match(struct path_regex *x, const char *text, size_t len);
/* Only whether it can be understood: 0 or -EINVAL. */
int path_regex_check(const char *pattern, char err[PATH_REGEX_ERR]) MUST_USE;
