#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ring/shm.h"

enum { CAP = SHM_IKE_INIT_CAP };

static const struct msg_limits limits = {.sas = 16, .tunnels = 4, .nexthops = 4, .ports = 2, .workers = 2, .attach = 9};

struct pair {
	struct spsc tx, rx;
	struct spsc_shm *shm;
};

static struct pair pair_at(uint32_t start)
{
	struct pair p;

	assert_int_equal(posix_memalign((void **)&p.shm, 64, spsc_size(CAP, MSG_IKE_SLOT)), 0);
	memset(p.shm, 0, spsc_size(CAP, MSG_IKE_SLOT));
	spsc_init(&p.tx, p.shm, CAP, MSG_IKE_SLOT);
	spsc_init(&p.rx, p.shm, CAP, MSG_IKE_SLOT);
	p.tx.own = p.tx.peer = p.rx.own = p.rx.peer = start;
	atomic_store(&p.shm->head, start);
	atomic_store(&p.shm->tail, start);
	return p;
}

static struct msg_ike head(void)
{
	return (struct msg_ike){.attach = 9,
				.family = 4,
				.flags = MSG_IKE_ENCAP,
				.local = {192, 0, 2, 1},
				.remote = {192, 0, 2, 2},
				.local_port = 4500,
				.remote_port = 4501,
				.port = 1,
				.worker = 1};
}

static uint8_t *pattern(uint32_t total, uint32_t seed)
{
	uint8_t *b = malloc(total ? total : 1);

	assert_non_null(b);
	for (uint32_t i = 0; i < total; i++)
		b[i] = (uint8_t)(i * 31 + (i >> 8) + seed);
	return b;
}

static int push(struct pair *p, uint32_t total, uint32_t seed)
{
	struct msg_ike h = head();
	uint8_t *b = pattern(total, seed);
	int rc = shm_ike_push(&p->tx, &h, b, total);

	free(b);
	return rc;
}

/* The buffer has exactly cap octets: one written behind it is seen by the address sanitizer. */
static int pop(struct pair *p, uint32_t cap, uint32_t seed)
{
	struct msg_ike h;
	uint8_t *b = malloc(cap ? cap : 1), *want;
	int rc = shm_ike_pop(&p->rx, &limits, &h, b, cap);

	if (rc > 0) {
		want = pattern((uint32_t)rc, seed);
		assert_memory_equal(b, want, rc);
		free(want);
		assert_int_equal(h.remote_port, 4501);
		assert_int_equal(h.remote[3], 2);
		assert_int_equal(h.flags & MSG_IKE_ENCAP, MSG_IKE_ENCAP);
	}
	free(b);
	return rc;
}

static void every_length_crosses_unchanged(void **state UNUSED)
{
	static const uint32_t totals[] = {1,
					  2,
					  28,
					  MSG_IKE_DATA - 1,
					  MSG_IKE_DATA,
					  MSG_IKE_DATA + 1,
					  2 * MSG_IKE_DATA,
					  2 * MSG_IKE_DATA + 1,
					  10000,
					  MSG_IKE_MAX - 1,
					  MSG_IKE_MAX};
	struct pair p = pair_at(UINT32_MAX - 20); /* the indexes wrap in the middle of a datagram */

	for (uint32_t round = 0; round < 20; round++)
		for (size_t i = 0; i < N_ELEMS(totals); i++) {
			assert_int_equal(push(&p, totals[i], round), 0);
			assert_int_equal(pop(&p, MSG_IKE_MAX, round), totals[i]);
		}
	assert_int_equal(pop(&p, MSG_IKE_MAX, 0), -EAGAIN);
	free(p.shm);
}

static void what_does_not_fit_whole_is_not_written(void **state UNUSED)
{
	struct pair p = pair_at(0);

	for (int i = 0; i < CAP - 2; i++)
		assert_int_equal(push(&p, 100, 1), 0);
	assert_int_equal(push(&p, 3 * MSG_IKE_DATA, 2), -ENOBUFS);
	assert_int_equal(spsc_used(&p.rx), CAP - 2);
	assert_int_equal(push(&p, 2 * MSG_IKE_DATA, 2), 0);
	assert_int_equal(push(&p, 1, 2), -ENOBUFS);
	for (int i = 0; i < CAP - 2; i++)
		assert_int_equal(pop(&p, MSG_IKE_MAX, 1), 100);
	assert_int_equal(pop(&p, MSG_IKE_MAX, 2), 2 * MSG_IKE_DATA);
	free(p.shm);
}

static void lengths_that_udp_cannot_carry_are_refused(void **state UNUSED)
{
	struct pair p = pair_at(0);

	assert_int_equal(push(&p, 0, 0), -EMSGSIZE);
	assert_int_equal(push(&p, MSG_IKE_MAX + 1, 0), -EMSGSIZE);
	assert_int_equal(spsc_used(&p.rx), 0);
	free(p.shm);
}

static void a_datagram_larger_than_the_buffer_is_skipped(void **state UNUSED)
{
	struct pair p = pair_at(0);

	assert_int_equal(push(&p, 5000, 1), 0);
	assert_int_equal(push(&p, 300, 2), 0);
	assert_int_equal(pop(&p, 4999, 1), -EBADMSG);
	assert_int_equal(pop(&p, 300, 2), 300);
	free(p.shm);
}

/* Slots as a broken producer writes them. */
static void push_raw(struct pair *p, uint16_t len, uint8_t flags, uint32_t attach)
{
	struct msg_ike h = head();

	h.len = len;
	h.flags = flags;
	h.attach = attach;
	memset(h.data, 0xee, sizeof(h.data));
	assert_int_equal(spsc_push(&p->tx, &h, sizeof(h)), 0);
}

static void half_a_datagram_waits_for_its_rest(void **state UNUSED)
{
	struct pair p = pair_at(0);

	push_raw(&p, MSG_IKE_DATA, MSG_IKE_MORE | MSG_IKE_ENCAP, 9);
	assert_int_equal(shm_ike_pop(&p.rx, &limits, &(struct msg_ike){0}, (uint8_t[MSG_IKE_MAX]){0}, MSG_IKE_MAX),
			 -EAGAIN);
	push_raw(&p, 10, 0, 9);
	assert_int_equal(shm_ike_pop(&p.rx, &limits, &(struct msg_ike){0}, (uint8_t[MSG_IKE_MAX]){0}, MSG_IKE_MAX),
			 MSG_IKE_DATA + 10);
	free(p.shm);
}

static void a_bad_datagram_is_skipped_to_its_end(void **state UNUSED)
{
	static const struct {
		uint16_t len;
		uint8_t flags;
		uint32_t attach;
	} bad[] = {
		{0, 0, 9},   {MSG_IKE_DATA + 1, 0, 9}, {UINT16_MAX, 0, 9}, {100, MSG_IKE_MORE, 9}, {100, 0x80, 9},
		{100, 0, 8},
	};

	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		struct pair p = pair_at(0);

		/* alone; and as the middle of three */
		push_raw(&p, bad[i].len, bad[i].flags, bad[i].attach);
		if (bad[i].flags & MSG_IKE_MORE)
			push_raw(&p, 1, 0, 9);
		push_raw(&p, MSG_IKE_DATA, MSG_IKE_MORE, 9);
		push_raw(&p, bad[i].len, bad[i].flags | MSG_IKE_MORE, bad[i].attach);
		push_raw(&p, 1, 0, 9);
		assert_int_equal(push(&p, 77, 3), 0);
		assert_int_equal(pop(&p, MSG_IKE_MAX, 0), -EBADMSG);
		assert_int_equal(pop(&p, MSG_IKE_MAX, 0), -EBADMSG);
		assert_int_equal(pop(&p, MSG_IKE_MAX, 3), 77);
		assert_int_equal(pop(&p, MSG_IKE_MAX, 0), -EAGAIN);
		free(p.shm);
	}
}

static void a_datagram_without_end_is_thrown_away(void **state UNUSED)
{
	struct pair p = pair_at(0);
	int bad = 0, rc;

	for (int i = 0; i < CAP; i++)
		push_raw(&p, MSG_IKE_DATA, MSG_IKE_MORE, 9);
	while ((rc = pop(&p, MSG_IKE_MAX, 0)) == -EBADMSG)
		bad++;
	assert_int_equal(rc, -EAGAIN);
	assert_true(bad >= 1);
	assert_int_equal(push(&p, 77, 3), 0);
	rc = pop(&p, MSG_IKE_MAX, 3);
	assert_int_equal(rc, 77);
	free(p.shm);
}

static void impossible_indexes_are_the_peers_fault(void **state UNUSED)
{
	struct pair p = pair_at(0);

	atomic_store(&p.shm->head, CAP + 1);
	assert_int_equal(pop(&p, MSG_IKE_MAX, 0), -EPROTO);
	atomic_store(&p.shm->tail, 1);
	assert_int_equal(push(&p, 10, 0), -EPROTO);
	free(p.shm);
}

static void taken_slots_are_wiped(void **state UNUSED)
{
	struct pair p = pair_at(0);

	assert_int_equal(push(&p, 9000, 1), 0);
	assert_int_equal(pop(&p, MSG_IKE_MAX, 1), 9000);
	for (size_t i = 0; i < (size_t)CAP * MSG_IKE_SLOT; i++)
		assert_int_equal(p.shm->slots[i], 0);
	free(p.shm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_crosses_unchanged),
		cmocka_unit_test(what_does_not_fit_whole_is_not_written),
		cmocka_unit_test(lengths_that_udp_cannot_carry_are_refused),
		cmocka_unit_test(a_datagram_larger_than_the_buffer_is_skipped),
		cmocka_unit_test(half_a_datagram_waits_for_its_rest),
		cmocka_unit_test(a_bad_datagram_is_skipped_to_its_end),
		cmocka_unit_test(a_datagram_without_end_is_thrown_away),
		cmocka_unit_test(impossible_indexes_are_the_peers_fault),
		cmocka_unit_test(taken_slots_are_wiped),
	};

	return cmocka_run_group_tests_name("shm-ike", tests, NULL, NULL);
}
