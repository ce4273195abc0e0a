#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bgp/intern.h"

enum { MANY = 300000 /* some of them have the same hash of 32 bits */ };

/* A set that is another one for each v. */
static void draft_of(struct bgp_attrs_draft *d, uint32_t v)
{
	uint8_t path[6] = {BGP_AS_SEQUENCE, 1, (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	memset(&d->a, 0, sizeof(d->a));
	memset(d->a.data, 0x5a, 64); /* behind the set there may be anything */
	assert_int_equal(attr_set_part(d, 0, path, sizeof(path)), 0);
}

static void equal_sets_are_kept_once(void **state)
{
	static struct bgp_attrs_draft d;
	struct intern *t = intern_new();
	const struct bgp_attrs *a, *b, *c;

	(void)state;
	draft_of(&d, 1);
	a = intern_get(t, &d.a);
	d.a.data[6] = 0xff; /* not part of it */
	d.a.refs = 77;
	d.a.hash = 99;
	b = intern_get(t, &d.a);
	assert_ptr_equal(a, b);
	assert_int_equal(a->refs, 2);
	draft_of(&d, 2);
	c = intern_get(t, &d.a);
	assert_ptr_not_equal(a, c);
	assert_int_equal(intern_count(t), 2);
	assert_ptr_equal(intern_ref(c), c);
	intern_put(t, c);
	assert_int_equal(intern_count(t), 2);
	intern_put(t, c);
	assert_int_equal(intern_count(t), 1);
	intern_put(t, a);
	intern_put(t, b);
	intern_put(t, NULL);
	assert_int_equal(intern_count(t), 0);
	intern_free(t);
	intern_free(NULL);
}

/* Every octet behind refs and hash counts. */
static void a_different_octet_is_a_different_set(void **state)
{
	static struct bgp_attrs_draft d;
	struct intern *t = intern_new();
	const struct bgp_attrs *kept[128], *first;
	unsigned n = 0;

	(void)state;
	draft_of(&d, 1);
	first = intern_get(t, &d.a);
	for (size_t i = offsetof(struct bgp_attrs, med); i < sizeof(d.a) + 6; i++) {
		if (i >= offsetof(struct bgp_attrs, path_len) && i < sizeof(d.a))
			continue; /* lengths: below */
		d.room[i] ^= 0x10;
		kept[n++] = intern_get(t, &d.a);
		d.room[i] ^= 0x10;
	}
	d.a.path_len = 0; /* the same octets, seen as communities */
	d.a.comm_len = 6;
	kept[n++] = intern_get(t, &d.a);
	d.a.comm_len = 5;
	kept[n++] = intern_get(t, &d.a);
	assert_int_equal(intern_count(t), n + 1);
	while (n)
		intern_put(t, kept[--n]);
	intern_put(t, first);
	intern_free(t);
}

/* Sets come and go in disorder; each is found until its last reference is gone, and the memory comes back. */
static void a_crowd_comes_and_goes(void **state)
{
	static struct bgp_attrs_draft d;
	static const struct bgp_attrs *kept[MANY];
	struct intern *t = intern_new();
	uint64_t empty = intern_octets(t), full;
	uint32_t x = 1;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		draft_of(&d, i * 2654435761u);
		kept[i] = intern_get(t, &d.a);
	}
	full = intern_octets(t);
	assert_int_equal(intern_count(t), MANY);
	assert_true(full >= MANY * (sizeof(struct bgp_attrs) + 6) && full < MANY * 140ull);
	for (unsigned round = 0; round < 3 * MANY; round++) {
		unsigned i = (x = x * 1664525 + 1013904223) % MANY;

		draft_of(&d, i * 2654435761u);
		if (kept[i]) {
			const struct bgp_attrs *again = intern_get(t, &d.a);

			assert_ptr_equal(again, kept[i]);
			intern_put(t, again);
			intern_put(t, kept[i]);
			kept[i] = NULL;
		} else {
			kept[i] = intern_get(t, &d.a);
			assert_int_equal(kept[i]->refs, 1);
		}
	}
	for (unsigned i = 0; i < MANY; i++)
		intern_put(t, kept[i]);
	assert_int_equal(intern_count(t), 0);
	assert_int_equal(intern_octets(t), empty);
	intern_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_sets_are_kept_once),
		cmocka_unit_test(a_different_octet_is_a_different_set),
		cmocka_unit_test(a_crowd_comes_and_goes),
	};

	return cmocka_run_group_tests_name("bgp-intern", tests, NULL, NULL);
}
