#include "rig.h"

#include <errno.h>
#include <string.h>

static unsigned n_answers;
static int last_status;
static uint64_t last_arg;

static void answered(void *ctx, uint64_t arg, int status)
{
	assert_ptr_equal(ctx, &n_answers);
	n_answers++;
	last_status = status;
	last_arg = arg;
}

static int send_barrier(uint64_t arg)
{
	union msg m = {.hdr.type = MSG_BARRIER};

	return dp_send(rig.dp, DP_CTL, &m, sizeof(struct msg_barrier), answered, &n_answers, arg);
}

static int no_answer(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	(void)m;
	return 1;
}

static int refuse(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	(void)m;
	return -ENOSPC;
}

static int up(void **state)
{
	(void)state;
	n_answers = 0;
	rig_up(2, true);
	AWAIT(dp_attached(rig.dp));
	return 0;
}

static int up_alone(void **state)
{
	(void)state;
	n_answers = 0;
	rig_up(2, false);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down();
	return 0;
}

static void attaches_and_knows_the_tables(void **state)
{
	(void)state;
	assert_int_equal(rig.attached, 1);
	assert_int_equal(rig.new_lives, 1);
	assert_int_equal(dp_limits(rig.dp)->workers, 2);
	assert_int_equal(dp_limits(rig.dp)->sas, 16);
	assert_int_equal(dp_epoch(rig.dp), 0x1111);
}

static void waits_for_a_data_plane_that_starts_later(void **state)
{
	(void)state;
	assert_int_equal(send_barrier(1), -ENOTCONN);
	AWAIT(dp_state(rig.dp) == DP_WAITING && uv_is_active((uv_handle_t *)&rig.watchdog));
	rig_settle();
	assert_int_equal(rig.attached, 0);
	rig_start_fake(0x2222);
	AWAIT(dp_attached(rig.dp));
	assert_int_equal(rig.new_lives, 1);
}

static void each_command_gets_its_own_answer(void **state)
{
	(void)state;
	rig.fake.on_cmd = no_answer;
	assert_int_equal(send_barrier(7), 0);
	assert_int_equal(send_barrier(8), 0);
	assert_int_equal(n_answers, 0);
	AWAIT(rig.fake.n_cmds == 2);
	union msg second = rig.fake.last[MSG_BARRIER];
	fake_dp_answer(&rig.fake, FAKE_CTL, &second, -EIO);
	AWAIT(n_answers == 1);
	assert_int_equal(last_arg, 8);
	assert_int_equal(last_status, -EIO);
	second.hdr.seq--;
	fake_dp_answer(&rig.fake, FAKE_CTL, &second, 0);
	AWAIT(n_answers == 2);
	assert_int_equal(last_arg, 7);
	assert_int_equal(last_status, 0);
}

static void refusal_carries_its_errno(void **state)
{
	(void)state;
	rig.fake.on_cmd = refuse;
	assert_int_equal(send_barrier(1), 0);
	AWAIT(n_answers == 1);
	assert_int_equal(last_status, -ENOSPC);
}

static void answers_that_match_nothing_are_counted_and_skipped(void **state)
{
	struct dp_counters c;

	(void)state;
	rig.fake.on_cmd = no_answer;
	assert_int_equal(send_barrier(1), 0);
	AWAIT(rig.fake.n_cmds == 1);
	union msg m = rig.fake.last[MSG_BARRIER];
	fake_dp_answer(&rig.fake, 0, &m, 0); /* another ring's */
	m.hdr.seq += 100;
	fake_dp_answer(&rig.fake, FAKE_CTL, &m, 0); /* never sent */
	m.hdr.seq -= 100;
	m.hdr.type = MSG_TUNNEL_DEL;
	fake_dp_answer(&rig.fake, FAKE_CTL, &m, 0); /* another command's */
	AWAIT((dp_counters(rig.dp, &c), c.unmatched_acks == 3));
	assert_int_equal(n_answers, 0);
	m.hdr.type = MSG_BARRIER;
	fake_dp_answer(&rig.fake, FAKE_CTL, &m, 0);
	fake_dp_answer(&rig.fake, FAKE_CTL, &m, 0); /* twice */
	AWAIT((dp_counters(rig.dp, &c), c.unmatched_acks == 4));
	assert_int_equal(n_answers, 1);
	assert_true(dp_attached(rig.dp));
}

static void a_full_ring_makes_commands_wait_in_order(void **state)
{
	(void)state;
	rig.fake.silent = true;
	for (unsigned i = 0; i < SHM_CMD_CAP + 100; i++)
		assert_int_equal(send_barrier(i), 0);
	rig_settle();
	assert_int_equal(n_answers, 0);
	rig.fake.silent = false;
	shm_ring_bell(dp_shm(rig.dp)->bell_ctl);
	AWAIT(n_answers == SHM_CMD_CAP + 100);
	assert_int_equal(last_arg, SHM_CMD_CAP + 99);
	assert_int_equal(rig.fake.n_cmds, SHM_CMD_CAP + 100);
}

static void unanswered_commands_are_bounded(void **state)
{
	(void)state;
	rig.fake.silent = true;
	for (unsigned i = 0; i < DP_PENDING_MAX; i++)
		assert_int_equal(send_barrier(i), 0);
	assert_int_equal(send_barrier(0), -EAGAIN);
}

static int skip_first(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	(void)m;
	return rig.fake.n_cmds == 1;
}

static void a_command_that_is_never_answered_blocks_no_other(void **state)
{
	(void)state;
	rig.fake.on_cmd = skip_first;
	for (unsigned i = 0; i < 3 * DP_PENDING_MAX; i++) {
		assert_int_equal(send_barrier(i), 0);
		if (i % 256 == 255)
			AWAIT(n_answers == i);
	}
	AWAIT(n_answers == 3 * DP_PENDING_MAX - 1);
	fake_dp_drop(&rig.fake);
	AWAIT(rig.lost == 1);
	assert_int_equal(n_answers, 3 * DP_PENDING_MAX);
	assert_int_equal(last_arg, 0);
}

static void a_lost_connection_answers_all_and_says_so_once(void **state)
{
	(void)state;
	rig.fake.on_cmd = no_answer;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(send_barrier(i), 0);
	AWAIT(rig.fake.n_cmds == 5);
	fake_dp_drop(&rig.fake);
	AWAIT(rig.lost == 1);
	assert_int_equal(n_answers, 5);
	assert_int_equal(last_arg, 4);
	assert_int_equal(last_status, -ECONNRESET);
	assert_int_equal(send_barrier(9), -ENOTCONN);
}

static void the_same_epoch_is_the_same_life(void **state)
{
	(void)state;
	fake_dp_drop(&rig.fake);
	AWAIT(rig.attached == 2);
	assert_int_equal(rig.new_lives, 1);
	assert_int_equal(dp_limits(rig.dp)->attach, 2);
	assert_int_equal(send_barrier(1), 0);
	AWAIT(n_answers == 1);
	assert_int_equal(last_status, 0);
}

static void another_epoch_is_a_new_life(void **state)
{
	(void)state;
	fake_dp_stop(&rig.fake);
	AWAIT(rig.lost == 1);
	rig_start_fake(0x3333);
	AWAIT(rig.attached == 2);
	assert_int_equal(rig.new_lives, 2);
	assert_int_equal(dp_epoch(rig.dp), 0x3333);
}

static void an_impossible_index_ends_the_connection_only(void **state)
{
	(void)state;
	atomic_store(&rig.fake.shm.w[1].evt.shm->head, 0x7fffffff);
	shm_ring_bell(rig.fake.shm.bell_control);
	AWAIT(rig.lost == 1);
	AWAIT(rig.attached == 2);
}

static void malformed_events_are_counted_and_skipped(void **state)
{
	union msg m = {.hdr.type = MSG_NO_SA};
	struct msg_no_sa *n = (void *)&m;
	struct dp_counters c;

	(void)state;
	n->tunnel.gen = 0;
	fake_dp_event(&rig.fake, 0, &m, sizeof(*n)); /* generation 0 is nobody's */
	m.hdr.type = 999;
	fake_dp_event(&rig.fake, 0, &m, sizeof(*n));
	m.hdr.type = MSG_BARRIER;
	fake_dp_event(&rig.fake, 0, &m, sizeof(struct msg_barrier)); /* a command is no event */
	AWAIT((dp_counters(rig.dp, &c), c.bad_msgs == 3));
	assert_int_equal(rig.events, 0);
	m = (union msg){.hdr.type = MSG_NO_SA};
	n->tunnel = (struct msg_handle){.slot = 1, .gen = 1};
	n->family = 4;
	fake_dp_event(&rig.fake, 0, &m, sizeof(*n));
	AWAIT(rig.events == 1);
}

static void events_of_another_attach_are_stale(void **state)
{
	union msg m = {.hdr.type = MSG_NO_SA};
	struct msg_no_sa *n = (void *)&m;
	struct dp_counters c;

	(void)state;
	n->tunnel = (struct msg_handle){.slot = 1, .gen = 1};
	n->family = 4;
	rig.fake.shm.hello.attach++;
	fake_dp_event(&rig.fake, 0, &m, sizeof(*n));
	rig.fake.shm.hello.attach--;
	AWAIT((dp_counters(rig.dp, &c), c.stale_msgs == 1));
	assert_int_equal(rig.events, 0);
}

static void more_events_than_a_turns_budget_all_arrive(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		union msg m = {.hdr.type = MSG_NO_SA};
		struct msg_no_sa *n = (void *)&m;

		n->tunnel = (struct msg_handle){.slot = 1, .gen = 1};
		n->family = 4;
		fake_dp_event(&rig.fake, 1, &m, sizeof(*n));
	}
	AWAIT(rig.events == 1000);
}

static void route_refusals_go_to_the_routes(void **state)
{
	struct msg_route r = {.type = MSG_ROUTE_SET, .family = 4, .plen = 8, .addr = {10}};
	uint32_t seq;

	(void)state;
	assert_int_equal(dp_route(rig.dp, &r, &seq), 0);
	AWAIT(dp_routes_applied(rig.dp) == 1);
	union msg m = {.hdr = {.type = MSG_ROUTE_SET, .seq = seq}};
	fake_dp_answer(&rig.fake, FAKE_CTL, &m, -ENOSPC);
	AWAIT(rig.refused_seq == seq);
}

static void applied_is_never_more_than_was_pushed(void **state)
{
	(void)state;
	atomic_store(&rig.fake.shm.hdr->applied, UINT64_MAX);
	assert_int_equal(dp_routes_applied(rig.dp), 0);
}

static void counters_count_only_for_their_generation(void **state)
{
	struct msg_sa_counters c;

	(void)state;
	rig.fake.shm.sa_stats[5 * 2 + MSG_DIR_OUT] = (struct stats_sa){.gen = 9, .c = {.packets = 3, .octets = 99}};
	assert_true(dp_sa_counters(rig.dp, 5, 9, MSG_DIR_OUT, &c));
	assert_int_equal(c.packets, 3);
	assert_int_equal(c.octets, 99);
	assert_false(dp_sa_counters(rig.dp, 5, 8, MSG_DIR_OUT, &c));
	assert_false(dp_sa_counters(rig.dp, 5, 9, MSG_DIR_IN, &c));
	assert_false(dp_sa_counters(rig.dp, 16, 9, MSG_DIR_IN, &c));
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(attaches_and_knows_the_tables),
		cmocka_unit_test_setup_teardown(waits_for_a_data_plane_that_starts_later, up_alone, down),
		T(each_command_gets_its_own_answer),
		T(refusal_carries_its_errno),
		T(answers_that_match_nothing_are_counted_and_skipped),
		T(a_full_ring_makes_commands_wait_in_order),
		T(unanswered_commands_are_bounded),
		T(a_command_that_is_never_answered_blocks_no_other),
		T(a_lost_connection_answers_all_and_says_so_once),
		T(the_same_epoch_is_the_same_life),
		T(another_epoch_is_a_new_life),
		T(an_impossible_index_ends_the_connection_only),
		T(malformed_events_are_counted_and_skipped),
		T(events_of_another_attach_are_stale),
		T(more_events_than_a_turns_budget_all_arrive),
		T(route_refusals_go_to_the_routes),
		T(applied_is_never_more_than_was_pushed),
		T(counters_count_only_for_their_generation),
	};

	return cmocka_run_group_tests_name("dp", tests, NULL, NULL);
}
