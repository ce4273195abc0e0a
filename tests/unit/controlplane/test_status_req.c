#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/status_req.h"

static const struct good {
	const char *json;
	enum status_op op;
	unsigned what; /* show, or action */
	bool flag;     /* all, or ike */
	uint32_t wait_s;
} goods[] = {
	{"{\"op\":\"show\",\"what\":\"tunnels\"}", STATUS_SHOW, STATUS_TUNNELS, false, 0},
	{"{\"op\":\"show\",\"what\":\"ike-sas\"}", STATUS_SHOW, STATUS_IKE_SAS, false, 0},
	{"{\"op\":\"show\",\"what\":\"child-sas\"}", STATUS_SHOW, STATUS_CHILD_SAS, false, 0},
	{"{\"op\":\"show\",\"what\":\"routes\"}", STATUS_SHOW, STATUS_ROUTES, false, 0},
	{"{\"op\":\"show\",\"what\":\"ports\"}", STATUS_SHOW, STATUS_PORTS, false, 0},
	{"{\"op\":\"show\",\"what\":\"workers\"}", STATUS_SHOW, STATUS_WORKERS, false, 0},
	{"{\"op\":\"show\",\"what\":\"drops\",\"all\":true}", STATUS_SHOW, STATUS_DROPS, true, 0},
	{"{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\"}", STATUS_TUNNEL, STATUS_UP, false, 0},
	{"{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"up\",\"wait_s\":30}", STATUS_TUNNEL, STATUS_UP, false, 30},
	{"{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"down\"}", STATUS_TUNNEL, STATUS_DOWN, false, 0},
	{"{\"op\":\"tunnel\",\"name\":\"t\",\"action\":\"rekey\",\"ike\":true}", STATUS_TUNNEL, STATUS_REKEY, true, 0},
};

static void every_request_is_understood(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ELEMS(goods); i++) {
		const struct good *g = &goods[i];
		struct status_req r;
		char why[512];

		assert_int_equal(status_req_parse(g->json, strlen(g->json), &r, why, sizeof(why)), 0);
		assert_int_equal(r.op, g->op);
		assert_int_equal(r.op == STATUS_SHOW ? (unsigned)r.show : (unsigned)r.action, g->what);
		assert_int_equal(r.op == STATUS_SHOW ? r.all : r.ike, g->flag);
		assert_int_equal(r.wait_s, g->wait_s);
	}
}

static void every_question_about_bgp_and_the_fib_is_understood(void **state)
{
	static const char *const peers[] = {"bgp-neighbor", "bgp-received", "bgp-routes", "bgp-advertised"};
	struct status_req r;
	char why[512], json[256], text[IP_STR];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(peers); i++) {
		snprintf(
			json, sizeof(json),
			"{\"op\":\"show\",\"what\":\"%s\",\"name\":\"2001:db8::1\",\"after\":\"10.0.0.0/8\",\"max\":7}",
			peers[i]);
		assert_int_equal(status_req_parse(json, strlen(json), &r, why, sizeof(why)), 0);
		assert_string_equal(status_req_show_name(r.show), peers[i]);
		assert_string_equal(r.name, "2001:db8::1");
		assert_string_equal(ip_prefix_str(&r.after, text), "10.0.0.0/8");
		assert_int_equal(r.max, 7);
	}
	snprintf(json, sizeof(json), "{\"op\":\"show\",\"what\":\"bgp-best\",\"after\":\"\"}");
	assert_int_equal(status_req_parse(json, strlen(json), &r, why, sizeof(why)), 0);
	assert_int_equal(r.after.addr.family, IP_NONE);
	assert_int_equal(r.max, STATUS_ROWS_DEFAULT);
	snprintf(json, sizeof(json), "{\"op\":\"show\",\"what\":\"bgp-route\",\"prefix\":\"10.1.2.3/16\"}");
	assert_int_equal(status_req_parse(json, strlen(json), &r, why, sizeof(why)), 0);
	assert_string_equal(ip_prefix_str(&r.prefix, text), "10.1.0.0/16");
	snprintf(json, sizeof(json), "{\"op\":\"show\",\"what\":\"fib\",\"address\":\"10.1.2.3\"}");
	assert_int_equal(status_req_parse(json, strlen(json), &r, why, sizeof(why)), 0);
	assert_string_equal(ip_prefix_str(&r.prefix, text), "10.1.2.3/32");
	snprintf(json, sizeof(json), "{\"op\":\"bgp\",\"name\":\"x\",\"action\":\"clear\",\"soft\":true}");
	assert_int_equal(status_req_parse(json, strlen(json), &r, why, sizeof(why)), 0);
	assert_int_equal(r.op, STATUS_BGP);
	assert_true(r.soft);
}

static const struct bad {
	const char *json, *says;
} bads[] = {
	{"", "JSON"},
	{"{", "JSON"},
	{"[]", "JSON object"},
	{"42", "JSON object"},
	{"\"show\"", "JSON object"},
	{"null", "JSON object"},
	{"{}", "`op`"},
	{"{\"op\":1}", "`op`"},
	{"{\"op\":\"reboot\"}", "reboot"},
	{"{\"op\":\"show\"}", "`what` is missing"},
	{"{\"op\":\"show\",\"what\":\"keys\"}", "tunnels"},
	{"{\"op\":\"show\",\"what\":[]}", "`what`"},
	{"{\"op\":\"show\",\"what\":\"drops\",\"all\":1}", "`all`"},
	{"{\"op\":\"show\",\"op\":\"show\",\"what\":\"drops\"}", "duplicate"},
	{"{\"op\":\"tunnel\"}", "`action` is missing"},
	{"{\"op\":\"tunnel\",\"action\":\"up\"}", "`name`"},
	{"{\"op\":\"tunnel\",\"action\":\"up\",\"name\":\"\"}", "`name`"},
	{"{\"op\":\"tunnel\",\"action\":\"up\",\"name\":7}", "`name`"},
	{"{\"op\":\"tunnel\",\"action\":\"up\",\"name\":\"01234567890123456789012345678901\"}", "`name`"},
	{"{\"op\":\"tunnel\",\"action\":\"sideways\",\"name\":\"t\"}", "rekey"},
	{"{\"op\":\"tunnel\",\"action\":\"up\",\"name\":\"t\",\"wait_s\":-1}", "`wait_s`"},
	{"{\"op\":\"tunnel\",\"action\":\"up\",\"name\":\"t\",\"wait_s\":99999}", "`wait_s`"},
	{"{\"op\":\"tunnel\",\"action\":\"up\",\"name\":\"t\",\"wait_s\":\"1\"}", "`wait_s`"},
	{"{\"op\":\"tunnel\",\"action\":\"rekey\",\"name\":\"t\",\"ike\":\"yes\"}", "`ike`"},
	{"{\"op\":\"show\",\"what\":\"drops\"} trailing", "JSON"},
	{"{\"op\":\"show\",\"what\":\"bgp-neighbor\"}", "`name`"},
	{"{\"op\":\"show\",\"what\":\"bgp-received\",\"name\":\"\"}", "BGP peer"},
	{"{\"op\":\"show\",\"what\":\"bgp-route\"}", "`prefix` is missing"},
	{"{\"op\":\"show\",\"what\":\"bgp-route\",\"prefix\":\"10.0.0.0/33\"}", "`prefix` takes"},
	{"{\"op\":\"show\",\"what\":\"fib\",\"address\":5}", "`address` takes"},
	{"{\"op\":\"show\",\"what\":\"routes\",\"after\":\"there\"}", "`after` takes"},
	{"{\"op\":\"show\",\"what\":\"routes\",\"max\":0}", "`max` takes"},
	{"{\"op\":\"show\",\"what\":\"routes\",\"max\":2001}", "1 to 2000"},
	{"{\"op\":\"bgp\",\"name\":\"x\"}", "`clear`"},
	{"{\"op\":\"bgp\",\"name\":\"x\",\"action\":\"explode\"}", "`clear`"},
	{"{\"op\":\"bgp\",\"action\":\"clear\"}", "`name`"},
	{"{\"op\":\"bgp\",\"name\":\"x\",\"action\":\"clear\",\"soft\":1}", "`soft`"},
};

static void every_fault_is_named(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ELEMS(bads); i++) {
		struct status_req r;
		char why[512] = "";

		if (status_req_parse(bads[i].json, strlen(bads[i].json), &r, why, sizeof(why)) != -EINVAL)
			fail_msg("accepted: %s", bads[i].json);
		if (!strstr(why, bads[i].says))
			fail_msg("%s: says \"%s\", not \"%s\"", bads[i].json, why, bads[i].says);
	}
}

static void deep_nesting_is_refused_not_followed(void **state)
{
	static char deep[200000];
	struct status_req r;
	char why[512];

	(void)state;
	memset(deep, '[', sizeof(deep));
	assert_int_equal(status_req_parse(deep, sizeof(deep), &r, why, sizeof(why)), -EINVAL);
}

static void a_frame_may_come_octet_by_octet(void **state)
{
	static const char bytes[] = {0, 0, 0, 2, '{', '}', 0, 0};
	struct status_frame f = {0};
	size_t used;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(status_req_frame(&f, bytes + i, 1, &used), 0);
		assert_int_equal(used, 1);
	}
	assert_int_equal(status_req_frame(&f, bytes + 5, 3, &used), 1);
	assert_int_equal(used, 1); /* what follows is the next frame's */
	assert_memory_equal(f.body, "{}", 2);
	status_req_reset(&f);
	assert_int_equal(status_req_frame(&f, bytes + 6, 2, &used), 0);
	assert_int_equal(f.n_head, 2);
	status_req_reset(&f);
}

static void an_impossible_length_is_refused_before_it_costs_memory(void **state)
{
	static const uint8_t lens[][4] = {
		{0, 0, 0, 0}, {0, 0x10, 0, 1}, {0x7f, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0xff}};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(lens); i++) {
		struct status_frame f = {0};
		size_t used;

		assert_int_equal(status_req_frame(&f, lens[i], 4, &used), -EMSGSIZE);
		assert_null(f.body);
	}
	struct status_frame f = {0};
	size_t used;
	assert_int_equal(status_req_frame(&f, "\0\x10\0\0", 4, &used), 0); /* 1 MiB is allowed */
	status_req_reset(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_understood),
		cmocka_unit_test(every_question_about_bgp_and_the_fib_is_understood),
		cmocka_unit_test(every_fault_is_named),
		cmocka_unit_test(deep_nesting_is_refused_not_followed),
		cmocka_unit_test(a_frame_may_come_octet_by_octet),
		cmocka_unit_test(an_impossible_length_is_refused_before_it_costs_memory),
	};

	return cmocka_run_group_tests_name("status_req", tests, NULL, NULL);
}
