#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "config/config.h"
#include "config/nearest.h"
#include "config/value.h"

static void durations_have_units(void **state)
{
	static const struct {
		const char *s;
		uint64_t ms;
	} rows[] = {{"500ms", 500},     {"45s", 45000},   {"8h", 28800000}, {"1d", 86400000},
		    {"2w", 1209600000}, {"90M", 5400000}, {"0", 0},         {"0s", 0}};
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		assert_int_equal(value_duration_ms(rows[i].s, &v), 0);
		assert_int_equal(v, rows[i].ms);
	}
	assert_int_equal(value_duration_ms("3600", &v), -ENOKEY);
	assert_int_equal(v, 3600);
}

static void a_kilobyte_is_1024_octets(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(value_size("102400000KB", &v), 0);
	assert_int_equal(v, 102400000ull * 1024);
	assert_int_equal(value_size("2gb", &v), 0);
	assert_int_equal(v, 2ull << 30);
	assert_int_equal(value_size("1KiB", &v), 0);
	assert_int_equal(v, 1024);
	assert_int_equal(value_size("7B", &v), 0);
	assert_int_equal(v, 7);
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = {"",  " 1s",   "1 s", "-1s", "+1s",      "1.5s",
					  "s", "0x10s", "1ss", "1sm", "\xd9\xa1s"};
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bad); i++) {
		assert_int_equal(value_duration_ms(bad[i], &v), -EINVAL);
		assert_int_equal(value_uint(bad[i], &v), -EINVAL);
	}
}

static void overflow_is_an_error_at_every_step(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(value_uint("18446744073709551615", &v), 0);
	assert_int_equal(v, UINT64_MAX);
	assert_int_equal(value_uint("18446744073709551616", &v), -ERANGE);
	assert_int_equal(value_uint("99999999999999999999999999", &v), -ERANGE);
	assert_int_equal(value_size("18446744073709551615KB", &v), -ERANGE);
	assert_int_equal(value_size("18014398509481983KB", &v), 0);
	assert_int_equal(value_duration_ms("18446744073709551615s", &v), -ERANGE);
}

static void values_are_printed_in_the_largest_whole_unit(void **state)
{
	char buf[VALUE_STR];

	(void)state;
	assert_string_equal(value_duration_str(28800, buf), "8h");
	assert_string_equal(value_duration_str(86400 * 7, buf), "7d");
	assert_string_equal(value_duration_str(90, buf), "90s");
	assert_string_equal(value_duration_str(0, buf), "0s");
	assert_string_equal(value_size_str(1536, buf), "1536B");
	assert_string_equal(value_size_str(3 << 20, buf), "3MB");
}

static void identities_come_back_as_they_were_written(void **state)
{
	static const struct {
		const char *s, *out;
		uint8_t type;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", CFG_ID_IPV4},
		{"2001:db8::1", "2001:db8::1", CFG_ID_IPV6},
		{"gw.example.net", "gw.example.net", CFG_ID_FQDN},
		{"site_b", "site_b", CFG_ID_FQDN},
		{"@gw.example.net", "gw.example.net", CFG_ID_FQDN},
		{"@192.0.2.1", "@192.0.2.1", CFG_ID_FQDN},
		{"user+x@example.net", "user+x@example.net", CFG_ID_EMAIL},
		{"key:00FFa5", "key:00ffa5", CFG_ID_KEY},
	};
	char buf[64];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		struct cfg_id id, again;

		assert_int_equal(cfg_id_parse(rows[i].s, &id), 0);
		assert_int_equal(id.type, rows[i].type);
		assert_string_equal(cfg_id_str(&id, buf, sizeof(buf)), rows[i].out);
		assert_int_equal(cfg_id_parse(buf, &again), 0);
		assert_memory_equal(&id, &again, sizeof(id));
	}
}

static void a_peers_identity_cannot_write_to_the_terminal(void **state)
{
	struct cfg_id id = {.type = CFG_ID_FQDN, .len = 6, .b = "a\x1b[2J\n"}, lying = {.type = CFG_ID_IPV4, .len = 3};
	char buf[64], tiny[8];

	(void)state;
	assert_string_equal(cfg_id_str(&id, buf, sizeof(buf)), "@a\\x1b[2J\\x0a");
	assert_string_equal(cfg_id_str(&lying, buf, sizeof(buf)), "id:000000");
	id = (struct cfg_id){.type = CFG_ID_KEY, .len = CFG_ID_MAX};
	assert_true(strlen(cfg_id_str(&id, tiny, sizeof(tiny))) < sizeof(tiny));
	id = (struct cfg_id){.type = CFG_ID_FQDN, .len = CFG_ID_MAX};
	assert_true(strlen(cfg_id_str(&id, tiny, sizeof(tiny))) < sizeof(tiny));
	assert_string_equal(cfg_id_str(&(struct cfg_id){0}, buf, sizeof(buf)), "any");
}

static void distance_counts_single_edits(void **state)
{
	(void)state;
	assert_int_equal(nearest_distance("lifetime", "lifetime", 2), 0);
	assert_int_equal(nearest_distance("lifetmie", "lifetime", 2), 1);
	assert_int_equal(nearest_distance("liftime", "lifetime", 2), 1);
	assert_int_equal(nearest_distance("", "ab", 2), 2);
	assert_int_equal(nearest_distance("abc", "xyz", 2), 3);
	assert_int_equal(nearest_distance("a-word-that-is-longer-than-any-key-that-we-have", "mtu", 2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(a_kilobyte_is_1024_octets),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(overflow_is_an_error_at_every_step),
		cmocka_unit_test(values_are_printed_in_the_largest_whole_unit),
		cmocka_unit_test(identities_come_back_as_they_were_written),
		cmocka_unit_test(a_peers_identity_cannot_write_to_the_terminal),
		cmocka_unit_test(distance_counts_single_edits),
	};

	return cmocka_run_group_tests_name("config-value", tests, NULL, NULL);
}
