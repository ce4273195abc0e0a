#include "rig.h"

#include <errno.h>
#include <string.h>

#include "controlplane/ike_io.h"

static struct ike_io io;
static unsigned n_in;
static struct ike_path last_path;
static uint8_t last[IKE_MSG_MAX];
static size_t last_len;
static uint8_t order[512]; /* first octets in the order of arrival */

static void input(void *ctx, const struct ike_path *path, const uint8_t *msg, size_t len)
{
	(void)ctx;
	order[n_in++ % sizeof(order)] = msg[0];
	last_path = *path;
	last_len = len;
	memcpy(last, msg, len);
}

static int up(void **state)
{
	(void)state;
	n_in = 0;
	memset(&io, 0, sizeof(io));
	rig_up(2, true);
	io.dp = rig.dp;
	io.input = input;
	AWAIT(dp_attached(rig.dp) && rig.fake.attached);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down();
	return 0;
}

static struct msg_ike head_of(unsigned worker)
{
	struct msg_ike m = {.family = 4,
			    .local = {192, 0, 2, 1},
			    .remote = {198, 51, 100, 1},
			    .local_port = 500,
			    .remote_port = 500,
			    .port = 1};

	m.attach = rig.fake.shm.hello.attach;
	m.worker = (uint8_t)worker;
	return m;
}

static struct ike_path path_to(uint8_t worker)
{
	return (struct ike_path){.local = ip_v4(0xc0000201),
				 .remote = ip_v4(0xc6336401),
				 .local_port = 4500,
				 .remote_port = 4500,
				 .dp_port = UINT16_MAX,
				 .worker = worker,
				 .encap = true};
}

static struct msg_limits limits(void)
{
	return *dp_limits(rig.dp);
}

static void a_datagram_comes_in_with_its_path(void **state)
{
	struct msg_ike m = head_of(1);
	static uint8_t data[5000];

	(void)state;
	memset(data, 0x5a, sizeof(data));
	m.flags = MSG_IKE_ENCAP;
	m.remote_port = 40000;
	assert_int_equal(shm_ike_push(&rig.fake.shm.w[1].ike_in, &m, data, sizeof(data)), 0);
	assert_false(ike_io_turn(&io));
	assert_int_equal(n_in, 1);
	assert_int_equal(last_len, sizeof(data));
	assert_memory_equal(last, data, sizeof(data));
	assert_int_equal(ip_v4_u32(&last_path.remote), 0xc6336401);
	assert_int_equal(last_path.remote_port, 40000);
	assert_int_equal(last_path.dp_port, 1);
	assert_int_equal(last_path.worker, 1);
	assert_true(last_path.encap);
}

static void a_worker_cannot_speak_for_another(void **state)
{
	struct msg_ike m = head_of(0);

	(void)state;
	assert_int_equal(shm_ike_push(&rig.fake.shm.w[1].ike_in, &m, (const uint8_t *)"x", 1), 0);
	assert_false(ike_io_turn(&io));
	assert_int_equal(last_path.worker, 1);
}

static void strangers_wait_for_peers_and_both_for_the_budget(void **state)
{
	struct msg_ike m = head_of(0);

	(void)state;
	for (unsigned i = 0; i < IKE_IO_BUDGET_INIT + 5; i++)
		assert_int_equal(shm_ike_push(&rig.fake.shm.w[0].ike_init, &m, (const uint8_t *)"s", 1), 0);
	for (unsigned i = 0; i < IKE_IO_BUDGET_IN + 7; i++)
		assert_int_equal(shm_ike_push(&rig.fake.shm.w[0].ike_in, &m, (const uint8_t *)"p", 1), 0);
	assert_true(ike_io_turn(&io)); /* there is more */
	assert_int_equal(n_in, IKE_IO_BUDGET_IN + IKE_IO_BUDGET_INIT);
	assert_int_equal(order[0], 'p');
	assert_int_equal(order[IKE_IO_BUDGET_IN], 's');
	assert_false(ike_io_turn(&io));
	assert_int_equal(n_in, IKE_IO_BUDGET_IN + IKE_IO_BUDGET_INIT + 12);
	assert_int_equal(order[IKE_IO_BUDGET_IN + IKE_IO_BUDGET_INIT], 'p');
}

static void a_malformed_slot_is_skipped_and_counted(void **state)
{
	struct msg_ike m = head_of(0);

	(void)state;
	m.family = 9;
	assert_int_equal(shm_ike_push(&rig.fake.shm.w[0].ike_in, &m, (const uint8_t *)"x", 1), 0);
	assert_false(ike_io_turn(&io));
	m.family = 4;
	assert_int_equal(shm_ike_push(&rig.fake.shm.w[0].ike_in, &m, (const uint8_t *)"y", 1), 0);
	assert_false(ike_io_turn(&io));
	assert_int_equal(io.c.bad, 1);
	assert_int_equal(n_in, 1);
	assert_int_equal(order[0], 'y');
}

static void an_impossible_index_drops_the_connection(void **state)
{
	(void)state;
	atomic_store(&rig.fake.shm.w[0].ike_init.shm->head, 0x40000000);
	assert_false(ike_io_turn(&io));
	AWAIT(rig.lost == 1);
}

static void a_message_goes_out_by_its_worker_and_rings_it(void **state)
{
	struct ike_path path = path_to(1);
	struct msg_limits l = limits();
	static uint8_t data[3000], got[IKE_MSG_MAX];
	struct msg_ike h;

	(void)state;
	memset(data, 7, sizeof(data));
	ike_io_send(&io, &path, data, sizeof(data));
	assert_int_equal(shm_ike_pop(&rig.fake.shm.w[1].ike_out, &l, &h, got, sizeof(got)), sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	assert_true(h.flags & MSG_IKE_ENCAP);
	assert_int_equal(h.remote_port, 4500);
	assert_int_equal(h.port, UINT16_MAX);
	assert_int_equal(io.c.out, 1);
}

static void a_keepalive_is_one_octet_without_a_marker(void **state)
{
	struct ike_path path = path_to(0);
	struct msg_limits l = limits();
	uint8_t got[16];
	struct msg_ike h;

	(void)state;
	ike_io_keepalive(&io, &path);
	assert_int_equal(shm_ike_pop(&rig.fake.shm.w[0].ike_out, &l, &h, got, sizeof(got)), 1);
	assert_int_equal(got[0], 0xff);
	assert_false(h.flags & MSG_IKE_ENCAP);
}

static void a_full_ring_drops_and_counts(void **state)
{
	struct ike_path path = path_to(0);

	(void)state;
	for (unsigned i = 0; i < SHM_IKE_CAP + 10; i++)
		ike_io_send(&io, &path, (const uint8_t *)"x", 1);
	assert_int_equal(io.c.out, SHM_IKE_CAP);
	assert_int_equal(io.c.out_full, 10);
	assert_true(dp_attached(rig.dp));
}

static void without_a_data_plane_messages_are_dropped_and_counted(void **state)
{
	struct ike_path path = path_to(0);

	(void)state;
	fake_dp_stop(&rig.fake);
	AWAIT(rig.lost == 1);
	ike_io_send(&io, &path, (const uint8_t *)"x", 1);
	assert_int_equal(io.c.out_away, 1);
}

static void a_worker_that_is_no_more_is_not_written_to(void **state)
{
	struct ike_path path = path_to(17);
	struct msg_limits l = limits();
	uint8_t got[16];
	struct msg_ike h;

	(void)state;
	ike_io_send(&io, &path, (const uint8_t *)"x", 1);
	assert_int_equal(shm_ike_pop(&rig.fake.shm.w[0].ike_out, &l, &h, got, sizeof(got)), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_datagram_comes_in_with_its_path),
		T(a_worker_cannot_speak_for_another),
		T(strangers_wait_for_peers_and_both_for_the_budget),
		T(a_malformed_slot_is_skipped_and_counted),
		T(an_impossible_index_drops_the_connection),
		T(a_message_goes_out_by_its_worker_and_rings_it),
		T(a_keepalive_is_one_octet_without_a_marker),
		T(a_full_ring_drops_and_counts),
		T(without_a_data_plane_messages_are_dropped_and_counted),
		T(a_worker_that_is_no_more_is_not_written_to),
	};

	return cmocka_run_group_tests_name("ike_io", tests, NULL, NULL);
}
