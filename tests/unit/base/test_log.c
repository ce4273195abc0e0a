#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static int saved = -1, lines = -1; /* stderr, and what stands in for it */

static void catch_stderr(void)
{
	saved = dup(STDERR_FILENO);
	lines = memfd_create("log", MFD_CLOEXEC);
	assert_true(saved >= 0 && lines >= 0);
	dup2(lines, STDERR_FILENO);
}

/* What was logged since; stderr is back. Free it. */
static char *caught(void)
{
	char *text = calloc(1, 65536);

	dup2(saved, STDERR_FILENO);
	close(saved);
	lseek(lines, 0, SEEK_SET);
	assert_true(read(lines, text, 65535) >= 0);
	close(lines);
	return text;
}

static unsigned count(const char *text, char c)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static void event_is_one_line_of_keys_and_values(void **state)
{
	char *text;

	(void)state;
	catch_stderr();
	log_info(LOG_IKE, "tunnel=%s state=up", "a");
	text = caught();
	assert_int_equal(count(text, '\n'), 1);
	assert_non_null(strstr(text, "Z level=info comp=ike tunnel=a state=up\n"));
	free(text);
}

static void levels_are_set_for_all_or_for_one_component(void **state)
{
	(void)state;
	assert_int_equal(log_set("warn"), 0);
	assert_true(log_on(LOG_IKE, LOG_WARN) && !log_on(LOG_IKE, LOG_INFO));
	assert_int_equal(log_set("error,ike=debug"), 0);
	assert_true(log_on(LOG_IKE, LOG_DEBUG) && !log_on(LOG_RING, LOG_WARN));
	assert_int_equal(log_set("info"), 0);
}

static void bad_spec_changes_nothing(void **state)
{
	static const char *const bad[] = {"",       "loud", "ike=loud", "ikes=debug", "debug,",
					  ",debug", "ike=", "=debug",   "ike"};

	(void)state;
	assert_int_equal(log_set("info"), 0);
	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		assert_true(log_set(bad[i]) < 0);
		assert_true(log_on(LOG_IKE, LOG_INFO) && !log_on(LOG_IKE, LOG_DEBUG));
	}
}

static void peer_text_is_escaped(void **state)
{
	static const unsigned char nasty[] = "a\"b\\c\n\x1b[2J\x7f\xff";
	char buf[64];

	(void)state;
	assert_string_equal(log_esc(nasty, sizeof(nasty) - 1, buf, sizeof(buf)),
			    "a\\x22b\\x5cc\\x0a\\x1b[2J\\x7f\\xff");
	assert_string_equal(log_esc("", 0, buf, sizeof(buf)), "");
	assert_string_equal(log_esc("a\0b", 3, buf, sizeof(buf)), "a\\x00b");
}

/* Whatever the room and the text: terminated, inside the buffer, and said to be cut. */
static void escaped_text_never_outgrows_its_buffer(void **state)
{
	unsigned char all[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	for (size_t cap = 8; cap < 80; cap++) {
		char *buf = malloc(cap);

		log_esc(all, sizeof(all), buf, cap);
		assert_true(strlen(buf) < cap);
		assert_string_equal(buf + strlen(buf) - 3, "...");
		free(buf);
	}
}

static void call_site_is_limited_and_tells_how_much_it_held_back(void **state)
{
	struct log_limit l = {0};
	char *text;

	(void)state;
	catch_stderr();
	for (unsigned i = 0; i < 100; i++)
		log_line(LOG_IKE, LOG_WARN, &l, "n=%u", i);
	text = caught();
	assert_in_range(count(text, '\n'), 10, 11); /* the burst; a second may pass meanwhile */
	assert_in_range(l.suppressed, 88, 90);
	free(text);
	l.last_ms -= 5000; /* as if five seconds had gone by */
	catch_stderr();
	for (unsigned i = 0; i < 100; i++)
		log_line(LOG_IKE, LOG_WARN, &l, "n=%u", i);
	text = caught();
	assert_in_range(count(text, '\n'), 5, 6);
	assert_non_null(strstr(text, " suppressed="));
	free(text);
}

static void long_event_is_cut_but_stays_a_line(void **state)
{
	char big[5000], *text;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	catch_stderr();
	log_info(LOG_MAIN, "%s", big);
	text = caught();
	assert_int_equal(count(text, '\n'), 1);
	assert_true(strlen(text) <= 2048);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

static void fatal_error_is_one_line_and_exit_1(void **state)
{
	int status;
	char *text;
	pid_t pid;

	(void)state;
	catch_stderr();
	pid = fork();
	if (pid == 0) {
		if (log_set("error") < 0)
			_exit(9);
		log_fatal(LOG_PORT, "port=wan0 cause=\"no such interface\"");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	text = caught();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_non_null(strstr(text, "level=error comp=port port=wan0"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_is_one_line_of_keys_and_values),
		cmocka_unit_test(levels_are_set_for_all_or_for_one_component),
		cmocka_unit_test(bad_spec_changes_nothing),
		cmocka_unit_test(peer_text_is_escaped),
		cmocka_unit_test(escaped_text_never_outgrows_its_buffer),
		cmocka_unit_test(call_site_is_limited_and_tells_how_much_it_held_back),
		cmocka_unit_test(long_event_is_cut_but_stays_a_line),
		cmocka_unit_test(fatal_error_is_one_line_and_exit_1),
	};

	return cmocka_run_group_tests_name("base-log", tests, NULL, NULL);
}
