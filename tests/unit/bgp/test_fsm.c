/* The table of fsm.c: a reviewer sees each change of it as a diff, and what RFC 4271 8.2.2 asks of every state holds.
 *
 *   test_fsm GOLDEN_FILE      (UPDATE=1 in the environment writes it anew)
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bgp/fsm.h"

static const char *golden;

static void put_state(FILE *f, enum bgp_state s)
{
	const struct fsm_arc *other = fsm_arc(s, FSM_NONE);

	fprintf(f, "%s\n", bgp_state_name(s));
	for (unsigned ev = FSM_NONE + 1; ev < FSM_EVENT_N; ev++) {
		const struct fsm_arc *a = fsm_arc(s, ev);

		if (!a->otherwise)
			fprintf(f, "  %-28s %-26s -> %s\n", fsm_event_name(ev), a->name, bgp_state_name(a->next));
	}
	fprintf(f, "  %-28s %-26s -> %s\n\n", "anything else", other->name, bgp_state_name(other->next));
}

static void the_table_is_the_golden_one(void **state)
{
	char *now = NULL, *then;
	size_t len = 0;
	FILE *f = open_memstream(&now, &len);

	(void)state;
	for (unsigned s = 0; s < BGP_STATE_N; s++)
		put_state(f, s);
	fclose(f);
	if (getenv("UPDATE")) {
		f = fopen(golden, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(now, 1, len, f), len);
		fclose(f);
	}
	then = calloc(1, len + 2);
	f = fopen(golden, "r");
	assert_non_null(f);
	assert_int_equal(fread(then, 1, len + 1, f), len);
	fclose(f);
	assert_string_equal(then, now);
	free(then);
	free(now);
}

static void only_a_keepalive_in_openconfirm_establishes(void **state)
{
	(void)state;
	for (unsigned s = 0; s < BGP_ESTABLISHED; s++)
		for (unsigned ev = 0; ev < FSM_EVENT_N; ev++)
			assert_int_equal(fsm_arc(s, ev)->next == BGP_ESTABLISHED,
					 s == BGP_OPENCONFIRM && ev == FSM_KEEPALIVE);
}

/* Every cell has an answer, and none leads up but by one step of the handshake. */
static void no_cell_is_empty_and_no_arc_skips_a_step(void **state)
{
	(void)state;
	for (unsigned s = 0; s < BGP_STATE_N; s++) {
		for (unsigned ev = 0; ev < FSM_EVENT_N; ev++) {
			const struct fsm_arc *a = fsm_arc(s, ev);

			assert_non_null(a->act);
			assert_non_null(a->name);
			if (a->next == BGP_OPENSENT && s != BGP_OPENSENT)
				assert_int_equal(ev, FSM_TCP_OPEN);
			if (a->next == BGP_OPENCONFIRM && s != BGP_OPENCONFIRM)
				assert_true(s == BGP_OPENSENT && ev == FSM_OPEN);
		}
	}
}

/* 8.2.2: "the start events are ignored in the ... state"; a stop leads to Idle from everywhere. */
static void starts_are_ignored_and_stops_obeyed(void **state)
{
	(void)state;
	for (unsigned s = BGP_CONNECT; s < BGP_STATE_N; s++) {
		assert_int_equal(fsm_arc(s, FSM_START)->next, s);
		assert_ptr_equal(fsm_arc(s, FSM_START)->act, session_stay);
		assert_int_equal(fsm_arc(s, FSM_START_PASSIVE)->next, s);
		assert_int_equal(fsm_arc(s, FSM_STOP)->next, BGP_IDLE);
		assert_int_equal(fsm_arc(s, FSM_AUTO_STOP)->next, BGP_IDLE);
	}
}

/* 6.4: a NOTIFICATION is never answered. */
static void a_notification_says_nothing_back(void **state)
{
	(void)state;
	for (unsigned s = BGP_OPENSENT; s < BGP_STATE_N; s++) {
		assert_ptr_equal(fsm_arc(s, FSM_NOTIFICATION)->act, session_told);
		assert_int_equal(fsm_arc(s, FSM_NOTIFICATION)->next, BGP_IDLE);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_the_golden_one),
		cmocka_unit_test(only_a_keepalive_in_openconfirm_establishes),
		cmocka_unit_test(no_cell_is_empty_and_no_arc_skips_a_step),
		cmocka_unit_test(starts_are_ignored_and_stops_obeyed),
		cmocka_unit_test(a_notification_says_nothing_back),
	};

	if (argc < 2)
		return 2;
	golden = argv[1];
	return cmocka_run_group_tests_name("bgp-fsm", tests, NULL, NULL);
}
