#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ring/spsc.h"

enum { CAP = 8, SLOT = 64 };

/* Both ends of a ring whose indexes stand at start. */
struct pair {
	struct spsc tx, rx;
	struct spsc_shm *shm;
};

static struct pair pair_at(uint32_t start)
{
	struct pair p;

	/* exactly what the ring takes: one octet more is seen by the address sanitizer */
	assert_int_equal(posix_memalign((void **)&p.shm, 64, spsc_size(CAP, SLOT)), 0);
	memset(p.shm, 0, spsc_size(CAP, SLOT));
	spsc_init(&p.tx, p.shm, CAP, SLOT);
	spsc_init(&p.rx, p.shm, CAP, SLOT);
	p.tx.own = p.tx.peer = p.rx.own = p.rx.peer = start;
	atomic_store(&p.shm->head, start);
	atomic_store(&p.shm->tail, start);
	return p;
}

static int push_u32(struct pair *p, uint32_t v)
{
	uint8_t m[SLOT];

	memset(m, (int)(v & 0xff), sizeof(m));
	memcpy(m, &v, sizeof(v));
	return spsc_push(&p->tx, m, sizeof(m));
}

static void pop_expect(struct pair *p, uint32_t v)
{
	uint8_t m[SLOT], want[SLOT];

	memset(want, (int)(v & 0xff), sizeof(want));
	memcpy(want, &v, sizeof(v));
	assert_int_equal(spsc_pop(&p->rx, m), 0);
	assert_memory_equal(m, want, SLOT);
}

static void an_empty_ring_gives_nothing(void **state UNUSED)
{
	struct pair p = pair_at(0);
	uint8_t m[SLOT];

	assert_int_equal(spsc_used(&p.rx), 0);
	assert_int_equal(spsc_pop(&p.rx, m), -EAGAIN);
	push_u32(&p, 1);
	pop_expect(&p, 1);
	assert_int_equal(spsc_pop(&p.rx, m), -EAGAIN);
	free(p.shm);
}

static void a_full_ring_takes_nothing_and_keeps_all(void **state UNUSED)
{
	struct pair p = pair_at(0);

	for (uint32_t i = 0; i < CAP; i++)
		assert_int_equal(push_u32(&p, i), 0);
	assert_int_equal(spsc_free(&p.tx), 0);
	assert_int_equal(push_u32(&p, 99), -ENOBUFS);
	assert_int_equal(spsc_used(&p.rx), CAP);
	for (uint32_t i = 0; i < CAP; i++)
		pop_expect(&p, i);
	assert_int_equal(spsc_free(&p.tx), CAP);
	free(p.shm);
}

static void indexes_run_over_2_to_the_32(void **state UNUSED)
{
	struct pair p = pair_at(UINT32_MAX - 5);

	for (uint32_t round = 0; round < 10; round++) {
		for (uint32_t i = 0; i < CAP; i++)
			assert_int_equal(push_u32(&p, round * CAP + i), 0);
		assert_int_equal(push_u32(&p, 0), -ENOBUFS);
		for (uint32_t i = 0; i < CAP; i++)
			pop_expect(&p, round * CAP + i);
	}
	assert_true(p.tx.own < 1000);
	free(p.shm);
}

static void a_taken_slot_is_wiped(void **state UNUSED)
{
	static const uint8_t zeroes[CAP * SLOT];
	struct pair p = pair_at(3);

	for (uint32_t i = 0; i < CAP; i++)
		push_u32(&p, 0x5a5a5a5a);
	for (uint32_t i = 0; i < CAP; i++)
		pop_expect(&p, 0x5a5a5a5a);
	assert_memory_equal(p.shm->slots, zeroes, sizeof(zeroes));
	free(p.shm);
}

static void a_short_message_is_followed_by_zeroes(void **state UNUSED)
{
	struct pair p = pair_at(0);
	uint8_t m[SLOT], want[SLOT] = "abc";

	for (uint32_t i = 0; i < CAP; i++) {
		push_u32(&p, 0xffffffff);
		pop_expect(&p, 0xffffffff);
	}
	assert_int_equal(spsc_push(&p.tx, "abc", 3), 0);
	assert_int_equal(spsc_pop(&p.rx, m), 0);
	assert_memory_equal(m, want, SLOT);
	free(p.shm);
}

static const uint32_t offsets[] = {CAP + 1, CAP + 2, 1000, 0x7fffffff, 0x80000000, UINT32_MAX - CAP - 1, UINT32_MAX};

static void an_impossible_head_is_refused_until_it_is_gone(void **state UNUSED)
{
	for (size_t i = 0; i < N_ELEMS(offsets); i++) {
		struct pair p = pair_at(UINT32_MAX - 2);
		uint8_t m[SLOT];

		push_u32(&p, 7);
		atomic_store(&p.shm->head, p.rx.own + offsets[i]);
		for (int again = 0; again < 3; again++) {
			assert_int_equal(spsc_pop(&p.rx, m), -EPROTO);
			assert_int_equal(spsc_used(&p.rx), -EPROTO);
		}
		atomic_store(&p.shm->head, p.tx.own);
		pop_expect(&p, 7);
		free(p.shm);
	}
}

static void an_impossible_tail_is_refused_until_it_is_gone(void **state UNUSED)
{
	for (size_t i = 0; i < N_ELEMS(offsets); i++) {
		struct pair p = pair_at(UINT32_MAX - 2);

		for (uint32_t k = 0; k < CAP; k++)
			push_u32(&p, k);
		atomic_store(&p.shm->tail, p.tx.own - offsets[i]);
		for (int again = 0; again < 3; again++) {
			assert_int_equal(push_u32(&p, 1), -EPROTO);
			assert_int_equal(spsc_free(&p.tx), -EPROTO);
		}
		atomic_store(&p.shm->tail, p.rx.own);
		assert_int_equal(push_u32(&p, 1), -ENOBUFS);
		free(p.shm);
	}
}

/* The own index is private: what the peer writes over it in the segment changes nothing. */
static void an_own_index_never_comes_from_the_segment(void **state UNUSED)
{
	struct pair p = pair_at(0);

	for (uint32_t k = 0; k < CAP; k++) {
		atomic_store(&p.shm->head, 0xdeadbeef);
		assert_int_equal(push_u32(&p, k), 0);
	}
	for (uint32_t k = 0; k < CAP; k++) {
		atomic_store(&p.shm->tail, 0xdeadbeef);
		pop_expect(&p, k);
	}
	assert_int_equal(atomic_load(&p.shm->head), CAP);
	assert_int_equal(atomic_load(&p.shm->tail), CAP);
	free(p.shm);
}

static void any_pair_of_indexes_stays_in_bounds(void **state UNUSED)
{
	uint32_t x = 1;

	for (int i = 0; i < 20000; i++) {
		struct pair p = pair_at(x);
		uint8_t m[SLOT];

		x = x * 1664525u + 1013904223u;
		atomic_store(&p.shm->head, i & 1 ? x : p.rx.own + x % (2 * CAP));
		x = x * 1664525u + 1013904223u;
		atomic_store(&p.shm->tail, i & 1 ? x : p.tx.own - x % (2 * CAP));
		for (int k = 0; k < 2 * CAP; k++) {
			int rc = spsc_pop(&p.rx, m);

			assert_true(rc == 0 || rc == -EAGAIN || rc == -EPROTO);
			rc = push_u32(&p, 1);
			assert_true(rc == 0 || rc == -ENOBUFS || rc == -EPROTO);
		}
		free(p.shm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ring_gives_nothing),
		cmocka_unit_test(a_full_ring_takes_nothing_and_keeps_all),
		cmocka_unit_test(indexes_run_over_2_to_the_32),
		cmocka_unit_test(a_taken_slot_is_wiped),
		cmocka_unit_test(a_short_message_is_followed_by_zeroes),
		cmocka_unit_test(an_impossible_head_is_refused_until_it_is_gone),
		cmocka_unit_test(an_impossible_tail_is_refused_until_it_is_gone),
		cmocka_unit_test(an_own_index_never_comes_from_the_segment),
		cmocka_unit_test(any_pair_of_indexes_stays_in_bounds),
	};

	return cmocka_run_group_tests_name("spsc", tests, NULL, NULL);
}
