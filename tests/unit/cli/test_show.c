#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "cli/show.h"
#include "cli/table.h"

static char *show(const char *noun, const char *json)
{
	json_t *data = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(data);
	if (!strcmp(noun, "routes")) {
		struct table_fit fit;

		show_routes.rows(f, data, true, &fit);
	} else {
		assert_true(show_print(f, noun, data));
	}
	fclose(f);
	json_decref(data);
	return text;
}

static void expect(const char *noun, const char *json, const char *want)
{
	char *text = show(noun, json);

	assert_string_equal(text, want);
	free(text);
}

static void columns_are_as_wide_as_their_cells(void **state)
{
	(void)state;
	expect("drops",
	       "[{\"reason\":\"no-sa\",\"packets\":3,\"workers\":[1,2]},{\"reason\":\"ttl-exceeded\",\"packets\":12345,"
	       "\"workers\":[12345,0]}]",
	       "REASON        PACKETS  PER WORKER\n"
	       "no-sa               3  1 2\n"
	       "ttl-exceeded    12345  12345 0\n");
}

static void tunnels_show_state_counters_and_the_last_error(void **state)
{
	(void)state;
	expect("tunnels",
	       "[{\"name\":\"site-b\",\"state\":\"up\",\"peer\":\"198.51.100.7\",\"ike_sas\":1,\"child_sas\":1,\"in_"
	       "packets\":10,"
	       "\"in_octets\":20480,\"out_packets\":11,\"out_octets\":900,\"uptime_s\":3725,\"attempts\":1,\"last_"
	       "error\":\"\"},"
	       "{\"name\":\"c\",\"state\":\"waiting\",\"peer\":\"any\",\"ike_sas\":0,\"child_sas\":0,\"in_packets\":0,"
	       "\"in_octets\":0,\"out_packets\":0,\"out_octets\":0,\"uptime_s\":0,\"attempts\":4,\"retry_in_s\":8,"
	       "\"last_error\":\"peer says \\\"NO_PROPOSAL_CHOSEN\\\"\"}]",
	       "TUNNEL  STATE    PEER          IKE  CHILD  IN-PKTS  IN-OCT  OUT-PKTS  OUT-OCT     UP  TRIES\n"
	       "site-b  up       198.51.100.7    1      1       10   20.0K        11      900  1h02m      1\n"
	       "c       waiting  any             0      0        0       0         0        0      -      4\n"
	       "  last error: peer says \\x22NO_PROPOSAL_CHOSEN\\x22\n"
	       "  next try in 8s\n");
}

static void no_rows_are_said_in_words(void **state)
{
	static const char *const nouns[] = {"tunnels", "ike-sas", "child-sas", "ports", "workers", "drops"};

	(void)state;
	expect("tunnels", "[]", "no tunnel is configured\n");
	for (unsigned i = 0; i < N_ELEMS(nouns); i++) {
		char *text = show(nouns[i], "[]");

		assert_true(show_knows(nouns[i]));
		assert_non_null(strstr(show_nouns(), nouns[i]));
		assert_true(strlen(text) > 4 && strchr(text, '\n') == text + strlen(text) - 1);
		free(text);
	}
	assert_false(show_knows("tunnel"));
}

static void missing_and_odd_values_are_a_dash(void **state)
{
	(void)state;
	expect("routes",
	       "[{\"prefix\":\"10.0.0.0/8\",\"via\":\"\",\"tunnel\":null,\"port\":{\"a\":1},\"state\":[1]}, 7, [], "
	       "null]",
	       "   PREFIX      KIND  DIST  NEXT-HOP  VIA  TUNNEL  PORT  STATE\n"
	       "   10.0.0.0/8  -        -  -         -    -       -     -\n");
}

static void routes_show_who_counts_and_why_others_do_not(void **state)
{
	(void)state;
	expect("routes",
	       "[{\"prefix\":\"10.1.0.0/"
	       "16\",\"kind\":\"static\",\"distance\":1,\"nexthop\":\"192.0.2.1\",\"via\":\"192.0.2.1\","
	       "\"tunnel\":\"\",\"port\":\"lan0\",\"selected\":true,\"state\":\"installed\",\"cause\":\"\",\"legs\":[{}"
	       ","
	       "{\"tunnel\":\"b\"},{\"port\":\"wan0\",\"via\":\"203.0.113.1\"}]},"
	       "{\"prefix\":\"10.1.0.0/16\",\"kind\":\"bgp\",\"distance\":20,\"nexthop\":\"172.16.0.6\",\"via\":\"\","
	       "\"tunnel\":\"azure\",\"port\":\"\",\"selected\":false,\"state\":\"inactive\",\"cause\":\"the static "
	       "route of "
	       "distance 1 counts\"}]",
	       "   PREFIX       KIND    DIST  NEXT-HOP    VIA        TUNNEL  PORT  STATE\n"
	       "*  10.1.0.0/16  static     1  192.0.2.1   192.0.2.1  -       lan0  installed\n"
	       "  shared with tunnel b\n"
	       "  shared with port wan0 via 203.0.113.1\n"
	       "   10.1.0.0/16  bgp       20  172.16.0.6  -          azure   -     inactive\n"
	       "  the static route of distance 1 counts\n");
}

static void foreign_text_cannot_move_the_cursor(void **state)
{
	char *text = show("routes", "[{\"prefix\":\"\\u001b[2J\\n\",\"error\":\"a\\rb\"}]");

	(void)state;
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\r'));
	assert_non_null(strstr(text, "\\x1b[2J\\x0a"));
	free(text);
}

static void assert_fits(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n > TABLE_WIDTH)
			print_error("%zu characters: %.*s\n", n, (int)n, text);
		assert_true(n <= TABLE_WIDTH);
		text += n + (text[n] == '\n');
	}
}

/* Two IPv6 addresses in full do not fit: they are cut, and said below. */
static void what_is_cut_of_an_address_is_said_below(void **state)
{
	char *text =
		show("routes", "[{\"prefix\":\"2001:db8:1111:2222:3333:4444:5555:0/125\",\"kind\":\"bgp\","
			       "\"distance\":20,\"nexthop\":\"2001:db8:1111:2222:3333:4444:5555:6666\",\"via\":"
			       "\"2001:db8:1111:2222:3333:4444:5555:7777\",\"tunnel\":\"\",\"port\":\"wan0\","
			       "\"selected\":true,\"state\":\"installed\"},"
			       "{\"prefix\":\"::/0\",\"kind\":\"static\",\"distance\":1,\"nexthop\":\"2001:db8::1\","
			       "\"via\":\"2001:db8::1\",\"port\":\"wan0\",\"state\":\"installed\"}]");

	(void)state;
	assert_non_null(strstr(text, "  PREFIX 2001:db8:1111:2222:3333:4444:5555:0/125\n"
				     "  NEXT-HOP 2001:db8:1111:2222:3333:4444:5555:6666\n"
				     "  VIA 2001:db8:1111:2222:3333:4444:5555:7777\n"));
	assert_non_null(strstr(text, "   ::/0 ")); /* one that is not cut has no lines */
	assert_null(strstr(text, "  PREFIX ::/0"));
	assert_fits(text);
	free(text);
}

/* Everything as long as it can be. */
static void every_table_fits_a_hundred_columns(void **state)
{
#define LONG "\"a-tunnel-with-the-longest-name1\""
#define BIG  "9223372036854775807"
	static const char *const rows[][2] = {
		{"tunnels",
		 "[{\"name\":" LONG
		 ",\"state\":\"connecting\",\"peer\":\"2001:db8:1111:2222:3333:4444:5555:6666\",\"ike_sas\":" BIG
		 ",\"child_sas\":" BIG ",\"in_packets\":" BIG ",\"in_octets\":" BIG ",\"out_packets\":" BIG
		 ",\"out_octets\":" BIG ",\"uptime_s\":99999999,\"attempts\":" BIG
		 ",\"last_error\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]"},
		{"ike-sas", "[{\"tunnel\":" LONG ",\"serial\":4294967295,\"state\":\"rekeying-now\",\"role\":"
			    "\"initiator\",\"spi_i\":\"0123456789abcdef\","
			    "\"spi_r\":\"0123456789abcdef\",\"local\":\"2001:db8:1111:2222:3333:4444:5555:6666:4500\","
			    "\"remote\":\"198.51.100.254:4500\","
			    "\"local_id\":\"a-very-long-name-of-a-gateway.in-a-very-long-domain.example.net.a-very-"
			    "long-name\",\"remote_id\":\"x\","
			    "\"encr\":\"AES-GCM-16-256\",\"prf\":\"PRF-HMAC-SHA2-384\",\"integ\":\"none\",\"dh\":"
			    "\"X25519\",\"nat\":\"both\",\"uptime_s\":99999999,"
			    "\"rekey_in_s\":99999999,\"expires_in_s\":99999999}]"},
		{"routes", "[{\"prefix\":\"2001:db8:1111:2222:3333:4444:5555:6666/"
			   "128\",\"via\":\"2001:db8:1111:2222:3333:4444:5555:6666\",\"tunnel\":" LONG ",\"port\":" LONG
			   ",\"kind\":\"connected\",\"state\":\"installed\"}]"},
		{"ports",
		 "[{\"name\":" LONG ",\"up\":true,\"device\":\"pcap:rx=/a/very/long/path/of/a/"
		 "capture.pcap\",\"addresses\":[\"203.0.113.10/24\","
		 "\"203.0.113.11/24\",\"203.0.113.12/24\",\"203.0.113.13/24\"],\"mtu\":9216,\"rx_packets\":" BIG
		 ",\"rx_octets\":" BIG ",\"tx_packets\":" BIG ",\"tx_octets\":" BIG ",\"missed\":" BIG
		 ",\"errors\":" BIG "}]"},
		{"workers", "[{\"worker\":31,\"busy_percent\":100.0,\"rx\":" BIG ",\"tx\":" BIG ",\"esp_in\":" BIG
			    ",\"esp_out\":" BIG ",\"punt\":" BIG ",\"handoff_in\":" BIG ",\"handoff_out\":" BIG
			    ",\"icmp_sent\":" BIG ",\"arp_sent\":" BIG ",\"bad_msgs\":" BIG ",\"evt_lost\":" BIG "}]"},
		{"drops", "[{\"reason\":\"clear-to-protected\",\"packets\":" BIG ",\"workers\":[" BIG "," BIG "," BIG
			  "," BIG "," BIG "," BIG "," BIG "]}]"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		char *text = show(rows[i][0], rows[i][1]);

		assert_fits(text);
		free(text);
	}
}

static void numbers_and_times_are_scaled(void **state)
{
	static const struct table_col c[] = {
		{"v", "V", TABLE_COUNT, 0}, {"v", "V", TABLE_OCTETS, 0}, {"v", "V", TABLE_TIME, 0}};
	static const struct {
		json_int_t v;
		const char *count, *octets, *time;
	} rows[] = {
		{0, "0", "0", "-"},
		{59, "59", "59", "59s"},
		{3599, "3599", "3599", "59m59s"},
		{86399, "86399", "84.4K", "23h59m"},
		{99999999, "99999999", "95.4M", "1157d09h"},
		{100000000, "100.0M", "95.4M", "1157d09h"},
		{INT64_MAX, "9.2E", "8.0E", NULL},
	};
	char buf[TABLE_CELL];

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(rows); i++) {
		json_t *row = json_pack("{s:I}", "v", rows[i].v);

		assert_string_equal(table_cell(row, &c[0], buf), rows[i].count);
		assert_string_equal(table_cell(row, &c[1], buf), rows[i].octets);
		if (rows[i].time)
			assert_string_equal(table_cell(row, &c[2], buf), rows[i].time);
		json_decref(row);
	}
}

static void child_sa_has_the_fields_people_know(void **state)
{
	(void)state;
	expect("child-sas",
	       "[{\"tunnel\":\"site-b\",\"child\":2,\"esn\":true,\"ike_serial\":3,\"state\":\"up\",\"role\":"
	       "\"initiator\",\"spi_in\":"
	       "\"0x12300001\",\"spi_out\":\"0xc0ffee00\","
	       "\"encr\":\"AES-GCM-16-256\",\"integ\":\"none\",\"dh\":\"X25519\",\"local\":\"203.0.113.10:4500\","
	       "\"remote\":\"198.51.100.7:4500\","
	       "\"encap\":\"udp\",\"mode\":\"tunnel\",\"mtu\":1422,\"replay_window\":1024,\"uptime_s\":61,\"rekey_in_"
	       "s\":3000,"
	       "\"expires_in_s\":3500,"
	       "\"selectors\":[{\"local\":\"192.168.2.0/24\",\"remote\":\"10.1.0.0/"
	       "16\",\"protocol\":0,\"local_ports\":\"any\",\"remote_ports\":\"any\"},"
	       "{\"local\":\"0.0.0.0/0\",\"remote\":\"10.2.0.0/"
	       "16\",\"protocol\":6,\"local_ports\":\"any\",\"remote_ports\":\"443\"}],"
	       "\"out\":{\"packets\":71,\"octets\":4448,\"seq\":71,\"drops\":{\"cipher failure\":0,\"replay "
	       "detected\":0}},"
	       "\"in\":{\"packets\":160,\"octets\":8990,\"seq\":161,\"drops\":{\"replay detected\":2,\"flux "
	       "lost\":5}}}]",
	       "1 child SA\n"
	       "Tunnel site-b\n"
	       "  State             : up, as initiator\n"
	       "  IKE SA            : 3\n"
	       "  Child             : 2\n"
	       "  Child SA protocol : ESP, tunnel mode, in UDP, extended sequence numbers\n"
	       "  SPI               : (in) 0x12300001 (out) 0xc0ffee00\n"
	       "  Local addr        : 203.0.113.10:4500\n"
	       "  Peer addr         : 198.51.100.7:4500\n"
	       "  Enc alg           : AES-GCM-16-256, integrity none, PFS group X25519\n"
	       "  Lifetime          : up 1m01s, rekey in 50m00s, expires in 58m20s\n"
	       "  Anti-replay       : on, window 1024\n"
	       "  MTU               : 1422\n"
	       "  Selectors         : 192.168.2.0/24 <-> 10.1.0.0/16\n"
	       "                    : 0.0.0.0/0 <-> 10.2.0.0/16 protocol 6 remote ports 443\n"
	       "  Statistics\n"
	       "    Outbound 71 packets, 4448 octets, sequence 71\n"
	       "      0 cipher failure, 0 out of memory, 0 ts unacceptable\n"
	       "      0 misc error\n"
	       "    Inbound 160 packets, 8990 octets, sequence 161\n"
	       "      0 invalid sa, 2 replay detected, 0 integrity failure\n"
	       "      0 cipher failure, 0 packet truncated, 0 invalid padding\n"
	       "      0 unknown protocol, 0 out of memory, 0 ts unacceptable\n"
	       "      0 misc error, 5 flux lost\n");
}

static void data_that_is_no_list_is_refused(void **state)
{
	json_t *o = json_object();

	(void)state;
	assert_false(show_print(stdout, "tunnels", o));
	assert_false(show_print(stdout, "tunnels", json_null()));
	assert_false(show_print(stdout, "nothing", o));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_cells),
		cmocka_unit_test(tunnels_show_state_counters_and_the_last_error),
		cmocka_unit_test(no_rows_are_said_in_words),
		cmocka_unit_test(missing_and_odd_values_are_a_dash),
		cmocka_unit_test(routes_show_who_counts_and_why_others_do_not),
		cmocka_unit_test(foreign_text_cannot_move_the_cursor),
		cmocka_unit_test(what_is_cut_of_an_address_is_said_below),
		cmocka_unit_test(every_table_fits_a_hundred_columns),
		cmocka_unit_test(numbers_and_times_are_scaled),
		cmocka_unit_test(child_sa_has_the_fields_people_know),
		cmocka_unit_test(data_that_is_no_list_is_refused),
	};

	return cmocka_run_group_tests_name("cli-show", tests, NULL, NULL);
}
