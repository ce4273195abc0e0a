/* Windows, repeated requests, retransmission (RFC 7296 2.1 to 2.3). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/ike/msgid.h"

static const uint8_t one[] = "first request", two[] = "second request", answer[] = "answer";

static void new_request_is_taken_once(void **state)
{
	struct msgid m = {0};
	uint64_t p = msgid_print(one, sizeof(one));

	(void)state;
	assert_int_equal(msgid_in_judge(&m, 0, p), MSGID_NEW);
	msgid_in_take(&m, p);
	assert_int_equal(msgid_in_judge(&m, 0, p), MSGID_BUSY);
	msgid_fini(&m);
}

static void repeated_request_gets_the_kept_response(void **state)
{
	struct msgid m = {0};
	uint64_t p = msgid_print(one, sizeof(one));

	(void)state;
	msgid_in_take(&m, p);
	msgid_in_answer(&m, answer, sizeof(answer));
	assert_int_equal(msgid_in_judge(&m, 0, p), MSGID_REPEAT);
	assert_int_equal(m.in.response_len, sizeof(answer));
	assert_memory_equal(m.in.response, answer, sizeof(answer));
	assert_int_equal(msgid_in_judge(&m, 1, msgid_print(two, sizeof(two))), MSGID_NEW);
	msgid_fini(&m);
}

static void same_id_with_other_octets_is_stale(void **state)
{
	struct msgid m = {0};

	(void)state;
	msgid_in_take(&m, msgid_print(one, sizeof(one)));
	assert_int_equal(msgid_in_judge(&m, 0, msgid_print(two, sizeof(two))), MSGID_STALE);
	msgid_in_answer(&m, answer, sizeof(answer));
	assert_int_equal(msgid_in_judge(&m, 0, msgid_print(two, sizeof(two))), MSGID_STALE);
	msgid_fini(&m);
}

static void ids_outside_the_window_are_stale(void **state)
{
	struct msgid m = {0};

	(void)state;
	m.in.next = 5;
	assert_int_equal(msgid_in_judge(&m, 6, 1), MSGID_STALE);
	assert_int_equal(msgid_in_judge(&m, 4, 1), MSGID_STALE); /* nothing was answered: no response is kept */
	assert_int_equal(msgid_in_judge(&m, 3, 1), MSGID_STALE);
	assert_int_equal(msgid_in_judge(&m, UINT32_MAX, 1), MSGID_STALE);
	assert_int_equal(msgid_in_judge(&m, 5, 1), MSGID_NEW);
}

static void a_response_is_expected_once(void **state)
{
	struct msgid m = {0};

	(void)state;
	assert_false(msgid_out_expects(&m, 0));
	msgid_out_sent(&m, one, sizeof(one), 500, 1000);
	assert_true(msgid_out_expects(&m, 0));
	assert_false(msgid_out_expects(&m, 1));
	msgid_out_done(&m);
	assert_false(msgid_out_expects(&m, 0));
	assert_false(msgid_out_expects(&m, 1));
	assert_int_equal(m.out.next, 1);
	msgid_fini(&m);
}

static void pauses_grow_and_end(void **state)
{
	static const uint64_t pauses[] = {500, 900, 1620, 2916};
	struct msgid m = {0};
	uint64_t now = 1000;

	(void)state;
	msgid_out_sent(&m, one, sizeof(one), 500, now);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(msgid_deadline(&m), now + pauses[i]);
		assert_int_equal(msgid_out_due(&m, 5, now + pauses[i] - 1), MSGID_WAIT);
		now += pauses[i];
		assert_int_equal(msgid_out_due(&m, 5, now), MSGID_RESEND);
		assert_memory_equal(m.out.msg, one, sizeof(one));
	}
	assert_int_equal(msgid_out_due(&m, 5, now + 60000), MSGID_GIVE_UP);
	msgid_fini(&m);
}

static void a_cancelled_request_keeps_its_id(void **state)
{
	struct msgid m = {0};

	(void)state;
	msgid_out_sent(&m, one, sizeof(one), 500, 0);
	msgid_out_cancel(&m);
	assert_int_equal(msgid_deadline(&m), UINT64_MAX);
	assert_int_equal(m.out.next, 0);
	msgid_out_sent(&m, two, sizeof(two), 500, 0);
	assert_true(msgid_out_expects(&m, 0));
	msgid_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_request_is_taken_once),
		cmocka_unit_test(repeated_request_gets_the_kept_response),
		cmocka_unit_test(same_id_with_other_octets_is_stale),
		cmocka_unit_test(ids_outside_the_window_are_stale),
		cmocka_unit_test(a_response_is_expected_once),
		cmocka_unit_test(pauses_grow_and_end),
		cmocka_unit_test(a_cancelled_request_keeps_its_id),
	};

	return cmocka_run_group_tests_name("ike-msgid", tests, NULL, NULL);
}
