#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/build.h"
#include "config/path_regex.h"
#include "tests/vectors/as_path_frr.h"

static bool match(const char *pattern, const char *text)
{
	char err[PATH_REGEX_ERR];
	struct path_regex *x = path_regex_new(pattern, err);
	bool r;

	if (!x)
		print_error("%s: %s\n", pattern, err);
	assert_non_null(x);
	r = path_regex_match(x, text, strlen(text));
	assert_int_equal(path_regex_match(x, text, strlen(text)), r);
	path_regex_free(x);
	return r;
}

/* FRR's own verdicts: tests/vectors/as_path_frr.py. */
static void verdicts_are_those_of_frr(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(frr_verdicts); i++) {
		char err[PATH_REGEX_ERR];
		struct path_regex *x = path_regex_new(frr_verdicts[i].pattern, err);

		assert_non_null(x);
		assert_int_equal(strlen(frr_verdicts[i].verdicts), N_ELEMS(frr_paths));
		for (unsigned j = 0; j < N_ELEMS(frr_paths); j++) {
			bool want = frr_verdicts[i].verdicts[j] == '1';

			if (path_regex_match(x, frr_paths[j], strlen(frr_paths[j])) != want)
				print_error("%s on \"%s\": FRR says %d\n", frr_verdicts[i].pattern, frr_paths[j], want);
			assert_int_equal(path_regex_match(x, frr_paths[j], strlen(frr_paths[j])), want);
			n += want;
		}
		path_regex_free(x);
	}
	assert_true(N_ELEMS(frr_verdicts) >= 30 && N_ELEMS(frr_paths) >= 100);
	assert_true(n > 500); /* both answers occur often */
}

static void underscore_is_any_boundary(void **state)
{
	static const char *const yes[] = {"0", "0 1", "1 0", "1 0 2", "{0}", "1 {2,0}", "{0,1}", "(0)"};
	static const char *const no[] = {"", "10", "01", "100", "1 10 2", "{10}", "{1,20}"};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(yes); i++)
		assert_true(match("_0_", yes[i]));
	for (unsigned i = 0; i < N_ELEMS(no); i++)
		assert_false(match("_0_", no[i]));
}

static void anchors_and_alternatives(void **state)
{
	(void)state;
	assert_true(match("^$", ""));
	assert_false(match("^$", "1"));
	assert_true(match("_$", ""));
	assert_true(match("$^", ""));
	assert_false(match("$^", "1"));
	assert_true(match("^65", "650"));
	assert_true(match("^65", "65515 1"));
	assert_false(match("^65", "165"));
	assert_true(match("1$|^2", "2 3"));
	assert_true(match("(1|2)3", "23"));
	assert_false(match("^(1|2)3", "33"));
	assert_true(match("1||2", "9"));
	assert_true(match("()", ""));
	assert_false(match("(_1)+_", " 11 ")); /* glibc's regexec says yes */
	assert_true(match("(_1)+_", "9 1  1 9"));
}

static void repetitions(void **state)
{
	(void)state;
	assert_true(match("^1{3}$", "111"));
	assert_false(match("^1{3}$", "11"));
	assert_false(match("^1{3}$", "1111"));
	assert_true(match("^1{2,}$", "11111"));
	assert_false(match("^1{2,}$", "1"));
	assert_true(match("^1{,2}$", ""));
	assert_false(match("^1{,2}$", "111"));
	assert_true(match("^1{0}2$", "2"));
	assert_false(match("^1{0}2$", "12"));
	assert_true(match("^(12){2,3}{2}$", "12121212"));
	assert_false(match("^(12){2,3}{2}$", "121212"));
	assert_false(match("^(12){2,3}{2}$", "12121212121212"));
	assert_true(match("^1*{2}$", "")); /* the star is repeated as well */
	assert_true(match("^1?2*3+$", "33"));
	assert_false(match("^1?2*3+$", "12"));
}

static void bracket_sets(void **state)
{
	(void)state;
	assert_true(match("^[]1]$", "1"));
	assert_true(match("^[^]1]$", "2"));
	assert_false(match("^[^]1]$", "1"));
	assert_true(match("^[+-9]$", "5"));
	assert_false(match("^[+-4]$", "5"));
	assert_true(match("^1[ ,{}()]2$", "1,2"));
	assert_true(match("^[1-]$", "1"));
	assert_true(match("^\\{1\\}$", "{1}"));
	assert_true(match("^.$", "-")); /* not of a path, but one octet all the same */
	assert_true(match("^[^1]$", "-"));
	assert_false(match("^[0-9]$", "a"));
}

/* What is not understood is said with its place. */
static void bad_patterns_are_named(void **state)
{
	static const struct {
		const char *pattern, *words;
	} rows[] = {
		{"65a10", "character 3: `a` stands in no AS path"},
		{"[[:digit:]]", "character 3: `:` stands in no AS path"},
		{"(65)\\1", "character 5: a reference back (`\\1`)"},
		{"\\_", "character 1: `\\_` is not understood"},
		{"65\\", "character 3: nothing follows"},
		{"*65", "character 1: `*` has nothing before it"},
		{"1(+2)", "character 3: `+` has nothing before it"},
		{"1|?", "character 3: `?` has nothing before it"},
		{"^*", "character 2: `*` repeats an anchor"},
		{"1$+", "character 3: `+` repeats an anchor"},
		{"(65", "character 1: `(` is not closed"},
		{"65)", "character 3: `)` closes nothing"},
		{"1[0-9", "character 2: `[` is not closed"},
		{"[]", "character 1: `[` is not closed"},
		{"[9-0]", "character 2: the range 9-0 is empty"},
		{"[0-6-9]", "character 5: `-` is neither a range nor last"},
		{"[_0]", "character 2: `_` has no meaning inside"},
		{"[[.1]", "character 2: `[.` inside"},
		{"1{", "character 2: `{` begins no repetition"},
		{"1{2", "character 2: `{` begins no repetition"},
		{"1{3,2}", "character 2: {3,2} is no range"},
		{"1{256}", "character 2: more than 255 repetitions"},
		{"((1{255}){255}){255}", "the repetitions up to here are too many"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		char err[PATH_REGEX_ERR];

		assert_int_equal(path_regex_check(rows[i].pattern, err), -22);
		if (!strstr(err, rows[i].words))
			print_error("%s: %s\n", rows[i].pattern, err);
		assert_non_null(strstr(err, rows[i].words));
		assert_null(path_regex_new(rows[i].pattern, err));
	}
}

static void limits_hold(void **state)
{
	char err[PATH_REGEX_ERR], s[PATH_REGEX_MAX + 2], deep[128];

	(void)state;
	memset(s, '1', sizeof(s));
	s[PATH_REGEX_MAX] = '\0';
	assert_int_equal(path_regex_check(s, err), 0);
	s[PATH_REGEX_MAX] = '1';
	s[PATH_REGEX_MAX + 1] = '\0';
	assert_int_equal(path_regex_check(s, err), -22);
	snprintf(deep, sizeof(deep), "%.32s1%.32s", "((((((((((((((((((((((((((((((((",
		 "))))))))))))))))))))))))))))))))");
	assert_int_equal(path_regex_check(deep, err), 0);
	snprintf(deep, sizeof(deep), "(%.32s1%.32s)", "((((((((((((((((((((((((((((((((",
		 "))))))))))))))))))))))))))))))))");
	assert_int_equal(path_regex_check(deep, err), -22);
	assert_non_null(strstr(err, "more than 32 parentheses"));
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Patterns that make other matchers slow; a text as long as a message allows. More states than are kept occur. */
static void no_path_is_expensive(void **state)
{
	static const char *const patterns[] = {"(1*)*2",   "((1|1)*)*2", "(1?){64}1{64}2",
					       "1.{100}2", "(1+1+)+2",   "^(([0-9]+ )*)*$3"};
	static char text[16384];
	uint64_t start = now_ms();
	uint32_t x = 1;

	(void)state;
	for (unsigned i = 0; i < sizeof(text) - 1; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = i < 8192 || x >> 31 ? '1' : ' ';
	}
	for (unsigned i = 0; i < N_ELEMS(patterns); i++)
		assert_false(match(patterns[i], text));
	assert_true(now_ms() - start < 3000);
}

/* A second automaton, never asked before, must say the same as one that has forgotten its states many times. */
static void forgotten_states_are_found_again(void **state)
{
	char err[PATH_REGEX_ERR], text[64];
	struct path_regex *used = path_regex_new("1.{14}2", err);
	uint32_t x = 7;
	unsigned yes = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		for (unsigned j = 0; j < sizeof(text); j++) {
			x = x * 1664525 + 1013904223;
			text[j] = "1 2"[(x >> 16) % 3];
		}
		text[24 + i % 40] = '\0';
		bool want = false;

		for (unsigned j = 0; j + 15 < strlen(text); j++)
			want |= text[j] == '1' && text[j + 15] == '2';
		assert_int_equal(path_regex_match(used, text, strlen(text)), want);
		yes += want;
	}
	assert_true(yes > 500 && yes < 2990);
	path_regex_free(used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_those_of_frr),
		cmocka_unit_test(underscore_is_any_boundary),
		cmocka_unit_test(anchors_and_alternatives),
		cmocka_unit_test(repetitions),
		cmocka_unit_test(bracket_sets),
		cmocka_unit_test(bad_patterns_are_named),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(no_path_is_expensive),
		cmocka_unit_test(forgotten_states_are_found_again),
	};

	return cmocka_run_group_tests_name("config-path_regex", tests, NULL, NULL);
}
