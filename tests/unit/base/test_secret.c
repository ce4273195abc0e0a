#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/secret.h"

static const uint8_t zero[sizeof(struct secret)];

static void set_keeps_the_octets(void **state)
{
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_set(&s, "sesame", 6), 0);
	assert_int_equal(s.len, 6);
	assert_memory_equal(s.b, "sesame", 6);
	secret_fini(&s);
}

static void shorter_value_leaves_nothing_of_the_longer(void **state)
{
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_set(&s, "open sesame", 11), 0);
	assert_int_equal(secret_set(&s, "x", 1), 0);
	assert_memory_equal(s.b + 1, zero, SECRET_MAX - 1);
	secret_fini(&s);
}

static void the_longest_fits_and_one_more_is_refused_and_wiped(void **state)
{
	uint8_t key[SECRET_MAX + 1];
	struct secret s = {0};

	(void)state;
	memset(key, 0xab, sizeof(key));
	assert_int_equal(secret_set(&s, key, SECRET_MAX), 0);
	assert_int_equal(s.len, SECRET_MAX);
	assert_int_equal(secret_set(&s, key, SECRET_MAX + 1), -EMSGSIZE);
	assert_memory_equal(&s, zero, sizeof(s));
	assert_int_equal(secret_set(&s, key, SIZE_MAX), -EMSGSIZE);
}

static void fini_wipes_everything(void **state)
{
	struct secret s = {0};

	(void)state;
	assert_int_equal(secret_set(&s, "sesame", 6), 0);
	secret_fini(&s);
	assert_memory_equal(&s, zero, sizeof(s));
}

static void equal_looks_at_every_octet(void **state)
{
	uint8_t a[64] = {0}, b[64] = {0};

	(void)state;
	assert_true(secret_equal(a, b, sizeof(a)));
	for (unsigned i = 0; i < 8 * sizeof(a); i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(secret_equal(a, b, sizeof(a)));
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	b[63] = 1;
	assert_true(secret_equal(a, b, 63));
	assert_true(secret_equal(a, b, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_keeps_the_octets),
		cmocka_unit_test(shorter_value_leaves_nothing_of_the_longer),
		cmocka_unit_test(the_longest_fits_and_one_more_is_refused_and_wiped),
		cmocka_unit_test(fini_wipes_everything),
		cmocka_unit_test(equal_looks_at_every_octet),
	};

	return cmocka_run_group_tests_name("base-secret", tests, NULL, NULL);
}
