/* Distinguished names in words and in DER. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

/* RFC 5280 4.1.2.4: PrintableString where it can be, else UTF8String; country and serial number are PrintableString by definition,
 * DC and e-mail IA5String. */
static void names_become_der(void **state)
{
	static const struct {
		const char *text, *hex, *shown; /* shown NULL: as written */
	} rows[] = {
		{"CN=x",
		 "300c310a3008060355040313"
		 "0178",
		 NULL},
		{"C=DE, O=Example, CN=gw",
		 "302c310b3009060355040613024445"
		 "3110300e060355040a13074578616d706c65"
		 "310b3009060355040313026777",
		 NULL},
		{"CN=\xc3\xbc", "300d310b300906035504030c02c3bc", "CN=\\C3\\BC"},
		{"CN=\\C3\\bc", "300d310b300906035504030c02c3bc", "CN=\\C3\\BC"},
		{"CN=a\\,b", "300e310c300a06035504031303612c62", "CN=a\\2Cb"},
		{"CN=a\\ ", "300d310b3009060355040313026120", "CN=a\\20"},
		{"E=a@b.c", "30163114301206092a864886f70d01090116056140622e63", "emailAddress=a@b.c"},
		{"DC=net",
		 "301531133011060a0992268993f22c640119160"
		 "36e6574",
		 NULL},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cfg_id id, again;
		char hex[2 * CFG_ID_MAX + 1], shown[256];

		assert_int_equal(cfg_id_parse(rows[i].text, &id), 0);
		assert_int_equal(id.type, CFG_ID_DN);
		for (unsigned j = 0; j < id.len; j++)
			snprintf(hex + 2 * j, 3, "%02x", id.b[j]);
		assert_string_equal(hex, rows[i].hex);
		assert_string_equal(cfg_id_str(&id, shown, sizeof(shown)),
				    rows[i].shown ? rows[i].shown : rows[i].text);
		assert_int_equal(cfg_id_parse(shown, &again), 0);
		assert_memory_equal(&again, &id, sizeof(id));
	}
}

static void spaces_around_and_letters_of_attributes_do_not_matter(void **state)
{
	struct cfg_id a, b;

	(void)state;
	assert_int_equal(cfg_id_parse("C=DE, O=a b, CN=x", &a), 0);
	assert_int_equal(cfg_id_parse(" c = DE ,o=a b  ,   cn=x ", &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const rows[] = {
		"CN=",      "=x",     "CN=x,",   ",CN=x",           "CN=x,,O=y",   "XX=y",
		"CN=a+O=b", "CN=a\\", "CN=a\\x", "CN=\xff",         "C=\xc3\xbc",  "E=\xc3\xbc",
		"dn:",      "dn:3",   "dn:zz",   "CN=\xed\xa0\x80", "CN=\xc0\x80", "CN=\"a\""};
	char big[400] = "CN=";
	struct cfg_id id;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (cfg_id_parse(rows[i], &id) == 0)
			fail_msg("%s", rows[i]);
	memset(big + 3, 'x', 239); /* with its headers 256 octets: the most there is room for */
	assert_int_equal(cfg_id_parse(big, &id), 0);
	assert_int_equal(id.len, CFG_ID_MAX);
	memset(big + 3, 'x', 240);
	assert_int_equal(cfg_id_parse(big, &id), -22);
}

/* A18 and its kin: none is read beyond its end, all are shown as hex. */
static void der_that_lies_is_shown_as_hex(void **state)
{
	static const struct {
		unsigned len;
		const char *der, *shown;
	} rows[] = {
		{1, "\x30", "dn:30"},
		{2, "\x30\x80", "dn:3080"},
		{3, "\x30\x82\xff", "dn:3082ff"},
		{2, "\x30\x00", "dn:3000"},
		{4, "\x30\x02\x31\x00", "dn:30023100"},
		{14, "\x30\x0d\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01x", "dn:300d310a30080603550403130178"},
		{15, "\x30\x81\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01x", "dn:30810c310a30080603550403130178"},
		{14, "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x02x", "dn:300c310a30080603550403130278"},
		{13, "\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x13\x00", "dn:300b3109300706035504031300"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cfg_id id = {.type = CFG_ID_DN, .len = (uint16_t)rows[i].len}, again;
		char shown[256];

		memcpy(id.b, rows[i].der, rows[i].len);
		assert_string_equal(cfg_id_str(&id, shown, sizeof(shown)), rows[i].shown);
		assert_int_equal(cfg_id_parse(shown, &again), 0);
		assert_memory_equal(&again, &id, sizeof(id));
	}
}

static void terminals_and_shells_are_not_spoken_to(void **state)
{
	struct cfg_id id = {.type = CFG_ID_DN, .len = 34};
	char shown[256], narrow[20];

	(void)state;
	memcpy(id.b, "\x30\x20\x31\x1e\x30\x1c\x06\x03\x55\x04\x03\x0c\x15\x1b[31m`id`$(x);\n%n\"\x00'", 34);
	assert_string_equal(cfg_id_str(&id, shown, sizeof(shown)),
			    "CN=\\1B\\5B31m\\60id\\60\\24(x)\\3B\\0A\\25n\\22\\00'\\00");
	assert_string_equal(cfg_id_str(&id, narrow, sizeof(narrow)), "CN=\\1B\\5B31m\\60i...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_der),
		cmocka_unit_test(spaces_around_and_letters_of_attributes_do_not_matter),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(der_that_lies_is_shown_as_hex),
		cmocka_unit_test(terminals_and_shells_are_not_spoken_to),
	};

	return cmocka_run_group_tests_name("config-dn", tests, NULL, NULL);
}
