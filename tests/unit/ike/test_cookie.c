#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "controlplane/ike/cookie.h"

static const uint8_t secret_a[COOKIE_SECRET_LEN] = {1}, secret_b[COOKIE_SECRET_LEN] = {2},
		     secret_c[COOKIE_SECRET_LEN] = {3};
static struct ike_nonce ni = {.len = 32, .b = {9, 9, 9}};
static const uint64_t spi = 0x0123456789abcdefull;

static struct ip_addr peer(void)
{
	return ip_v4(0xc6336401);
}

static void our_cookie_is_taken_for_the_same_peer_only(void **state)
{
	struct cookie_jar j;
	struct ip_addr addr = peer(), other = ip_v4(0xc6336402);
	struct ike_nonce n = ni;
	uint8_t c[COOKIE_LEN];

	(void)state;
	cookie_init(&j, secret_a, 1000);
	assert_int_equal(cookie_make(&j, &ni, &addr, spi, c), 0);
	assert_true(cookie_check(&j, &ni, &addr, spi, c, sizeof(c)));
	assert_false(cookie_check(&j, &ni, &other, spi, c, sizeof(c)));
	assert_false(cookie_check(&j, &ni, &addr, spi + 1, c, sizeof(c)));
	n.b[31] ^= 1;
	assert_false(cookie_check(&j, &n, &addr, spi, c, sizeof(c)));
	n = ni;
	n.len--;
	assert_false(cookie_check(&j, &n, &addr, spi, c, sizeof(c)));
}

static void a_forged_or_cut_cookie_is_refused(void **state)
{
	struct cookie_jar j;
	struct ip_addr addr = peer();
	uint8_t c[COOKIE_MAX] = {0};

	(void)state;
	cookie_init(&j, secret_a, 0);
	for (unsigned version = 0; version < 256; version++) {
		c[0] = (uint8_t)version;
		assert_false(cookie_check(&j, &ni, &addr, spi, c, COOKIE_LEN));
	}
	assert_int_equal(cookie_make(&j, &ni, &addr, spi, c), 0);
	for (size_t len = 0; len <= COOKIE_MAX; len++)
		assert_int_equal(cookie_check(&j, &ni, &addr, spi, c, len), len == COOKIE_LEN);
	for (size_t bit = 0; bit < 8 * COOKIE_LEN; bit++) {
		c[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(cookie_check(&j, &ni, &addr, spi, c, COOKIE_LEN));
		c[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* RFC 7296 2.6: who was asked just before a rotation is not refused, who comes two later is. */
static void a_cookie_lives_through_one_rotation(void **state)
{
	struct cookie_jar j;
	struct ip_addr addr = peer();
	uint8_t c[COOKIE_LEN];

	(void)state;
	cookie_init(&j, secret_a, 1000);
	assert_int_equal(cookie_make(&j, &ni, &addr, spi, c), 0);
	assert_false(cookie_due(&j, 1000 + COOKIE_ROTATE_MS - 1));
	assert_true(cookie_due(&j, 1000 + COOKIE_ROTATE_MS));
	cookie_rotate(&j, secret_b, 1000 + COOKIE_ROTATE_MS);
	assert_false(cookie_due(&j, 1000 + COOKIE_ROTATE_MS));
	assert_true(cookie_check(&j, &ni, &addr, spi, c, sizeof(c)));
	cookie_rotate(&j, secret_c, 1000 + 2 * COOKIE_ROTATE_MS);
	assert_false(cookie_check(&j, &ni, &addr, spi, c, sizeof(c)));
}

static void an_idle_jar_forgets_the_old_secret(void **state)
{
	struct cookie_jar j;
	struct ip_addr addr = peer();
	uint8_t c[COOKIE_LEN];

	(void)state;
	cookie_init(&j, secret_a, 1000);
	assert_int_equal(cookie_make(&j, &ni, &addr, spi, c), 0);
	cookie_rotate(&j, secret_b, 1000 + 10 * COOKIE_ROTATE_MS);
	assert_false(cookie_check(&j, &ni, &addr, spi, c, sizeof(c)));
}

static void versions_wrap(void **state)
{
	struct cookie_jar j;
	struct ip_addr addr = peer();
	uint8_t before[COOKIE_LEN], c[COOKIE_LEN];

	(void)state;
	cookie_init(&j, secret_a, 0);
	for (unsigned i = 1; i < 600; i++) {
		assert_int_equal(cookie_make(&j, &ni, &addr, spi, before), 0);
		cookie_rotate(&j, i & 1 ? secret_b : secret_c, (uint64_t)i * COOKIE_ROTATE_MS);
		assert_int_equal(cookie_make(&j, &ni, &addr, spi, c), 0);
		assert_true(cookie_check(&j, &ni, &addr, spi, before, sizeof(before)));
		assert_true(cookie_check(&j, &ni, &addr, spi, c, sizeof(c)));
	}
}

static void a_finished_jar_takes_nothing(void **state)
{
	struct cookie_jar j;
	struct ip_addr addr = peer();
	uint8_t c[COOKIE_LEN];

	(void)state;
	cookie_init(&j, secret_a, 0);
	assert_int_equal(cookie_make(&j, &ni, &addr, spi, c), 0);
	cookie_fini(&j);
	assert_false(cookie_check(&j, &ni, &addr, spi, c, sizeof(c)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_cookie_is_taken_for_the_same_peer_only),
		cmocka_unit_test(a_forged_or_cut_cookie_is_refused),
		cmocka_unit_test(a_cookie_lives_through_one_rotation),
		cmocka_unit_test(an_idle_jar_forgets_the_old_secret),
		cmocka_unit_test(versions_wrap),
		cmocka_unit_test(a_finished_jar_takes_nothing),
	};

	return cmocka_run_group_tests_name("ike-cookie", tests, NULL, NULL);
}
