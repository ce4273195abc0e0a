#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "cli/bgp.h"
#include "cli/table.h"

static char *text;
static size_t len;

static void print(void (*fn)(FILE *f, const json_t *data), const char *json)
{
	json_t *data = json_loads(json, 0, NULL);
	FILE *f = open_memstream(&text, &len);

	assert_non_null(data);
	fn(f, data);
	fclose(f);
	json_decref(data);
}

static void table(FILE *f, const json_t *page)
{
	bgp_table.head(f, page, NULL);
	bgp_table.rows(f, json_object_get(page, "rows"), true, NULL);
	bgp_table.foot(f, page, json_array_size(json_object_get(page, "rows")), NULL);
}

static void route(FILE *f, const json_t *data)
{
	bgp_route_print(f, "10.0.0.0/8", data);
}

static void expect(void (*fn)(FILE *f, const json_t *data), const char *json, const char *want)
{
	print(fn, json);
	assert_string_equal(text, want);
	free(text);
}

static void says(void (*fn)(FILE *f, const json_t *data), const char *json, const char *want)
{
	print(fn, json);
	if (!strstr(text, want))
		fail_msg("no \"%s\" in:\n%s", want, text);
	free(text);
}

#define PEER(more)                                                                                                   \
	"{\"router_id\":\"10.2.2.2\",\"as\":65050,\"peers\":[{\"name\":\"azure\",\"address\":\"172.16.0.6\",\"as\":" \
	"65010,"                                                                                                     \
	"\"since\":1700000000,\"uptime_s\":1134,\"msg_rcvd\":25,\"msg_sent\":21,\"pfx_rcvd\":3,\"pfx_accepted\":1,"  \
	"\"pfx_sent\":1,\"limit_out\":4000,\"over\":\"tunnel azure1\"," more "}]}"

/* The columns and words of a router that people know. */
static void the_summary_looks_as_it_always_did(void **state)
{
	(void)state;
	expect(bgp_summary_print, PEER("\"state\":\"Established\",\"last_error\":{\"text\":\"an old one\"}"),
	       "BGP router ID 10.2.2.2, local AS number 65050\n"
	       "\n"
	       "Neighbor    V  AS     MsgRcvd  MsgSent  Up/DownTime  State        PfxRcd/Acc  PfxSnt/Lim\n"
	       "172.16.0.6  4  65010       25       21  0:18:54      ESTABLISHED  3/1         1/4000\n"
	       "  azure, via tunnel azure1\n"
	       "\n"
	       "Total number of neighbors 1\n");
}

static void the_summary_says_why_there_is_no_session(void **state)
{
	(void)state;
	says(bgp_summary_print, PEER("\"state\":\"Idle\",\"unreachable\":\"tunnel azure1 is down\""),
	     "\n  no session: tunnel azure1 is down\n");
	says(bgp_summary_print, PEER("\"state\":\"Active\",\"last_error\":{\"text\":\"hold timer expired\"}"),
	     "\n  last error: hold timer expired\n");
	says(bgp_summary_print, PEER("\"state\":\"Idle\",\"shutdown\":true"), " SHUTDOWN ");
	says(bgp_summary_print, "{\"peers\":[{\"state\":\"Idle\",\"since\":0}]}", " never ");
}

/* RFC 8212 */
static void lack_of_a_policy_is_seen(void **state)
{
	(void)state;
	says(bgp_summary_print, PEER("\"state\":\"Established\",\"policy\":{\"no_import\":true}"),
	     "  (Policy)    1/4000\n");
	says(bgp_summary_print, PEER("\"state\":\"Established\",\"policy\":{\"no_export\":true}"),
	     "  3/1         (Policy)\n");
	says(bgp_summary_print, PEER("\"state\":\"Established\",\"policy\":{\"no_import\":true}"),
	     "  no import policy, so nothing is accepted (RFC 8212): write import: POLICY\n");
}

static void routes_look_as_they_always_did(void **state)
{
	(void)state;
	expect(table,
	       "{\"router_id\":\"10.2.2.2\",\"as\":65050,\"table_version\":2,\"rows\":[{\"prefix\":\"172.16.0.0/"
	       "16\",\"next_hop\":"
	       "\"172.16.0.6\",\"med\":null,\"local_pref\":null,\"as_path\":\"65010\",\"origin\":\"IGP\",\"valid\":"
	       "true,\"best\":true},"
	       "{\"prefix\":\"192.168.2.0/"
	       "24\",\"next_hop\":\"10.2.2.2\",\"med\":1,\"local_pref\":100,\"as_path\":\"\",\"origin\":"
	       "\"incomplete\",\"valid\":true,\"multipath\":true}]}",
	       "BGP table version is 2, local router ID is 10.2.2.2\n"
	       "Local AS number 65050\n"
	       "Status codes: s - suppressed, * - valid, h - history\n"
	       "              > - best, i - internal, = - multipath\n"
	       "Origin codes: i - IGP, e - EGP, ? - incomplete\n"
	       "\n"
	       "   Network            Next Hop            Metric     LocPrf Path\n"
	       "*> 172.16.0.0/16      172.16.0.6                            65010 i\n"
	       "*= 192.168.2.0/24     10.2.2.2                 1        100 ?\n"
	       "\n"
	       "Total number of prefixes 2\n");
}

static void long_addresses_have_lines_of_their_own(void **state)
{
	(void)state;
	says(table,
	     "{\"rows\":[{\"prefix\":\"2001:db8:77::/"
	     "48\",\"next_hop\":\"2001:db8:16::6\",\"med\":1,\"as_path\":\"65010\","
	     "\"origin\":\"IGP\",\"valid\":true,\"best\":true},"
	     "{\"prefix\":\"2001:db8:1111:2222::/"
	     "64\",\"next_hop\":\"2001:db8:1111:2222:3333:4444:5555:6666\",\"as_path\":"
	     "\"65010\",\"origin\":\"IGP\",\"valid\":true},"
	     "{\"prefix\":\"::/0\",\"origin\":\"IGP\"}]}",
	     "*> 2001:db8:77::/48   2001:db8:16::6           1            65010 i\n"
	     "*  2001:db8:1111:2222::/64\n"
	     "                      2001:db8:1111:2222:3333:4444:5555:6666\n"
	     "                                                            65010 i\n"
	     "   ::/0               ::                                    i\n");
}

static void a_route_that_was_not_taken_says_why(void **state)
{
	(void)state;
	says(table,
	     "{\"rows\":[{\"prefix\":\"10.0.0.0/"
	     "8\",\"origin\":\"EGP\",\"verdict\":{\"accepted\":false,\"reason\":\"our AS is in the "
	     "path\"}}]}",
	     " e\n     not accepted: our AS is in the path\n");
	says(table, "{\"rows\":[{\"prefix\":\"10.0.0.0/8\",\"verdict\":{\"accepted\":true,\"reason\":\"best\"}}]}",
	     " ?\n\nTotal number of prefixes 1\n");
}

static void a_prefix_shows_all_its_paths(void **state)
{
	(void)state;
	expect(route,
	       "[{\"prefix\":\"10.0.0.0/8\",\"peer\":\"a\",\"next_hop\":\"192.0.2.1\",\"as_path\":\"1 "
	       "2\",\"origin\":\"IGP\",\"med\":5,"
	       "\"valid\":true,\"best\":true,\"communities\":\"1:2 no-export\",\"why\":\"best\"},"
	       "{\"prefix\":\"10.0.0.0/"
	       "8\",\"peer\":\"\",\"next_hop\":\"\",\"as_path\":\"\",\"origin\":\"EGP\",\"local_pref\":7,\"why\":"
	       "\"longer AS path\"}]",
	       "BGP routing table entry for 10.0.0.0/8, 2 paths\n"
	       "*> from a, next hop 192.0.2.1, path 1 2 i, metric 5\n"
	       "     communities 1:2 no-export\n"
	       "     best\n"
	       "   originated here, next hop 0.0.0.0, path e, local preference 7\n"
	       "     longer AS path\n");
	expect(route, "[]", "no route to 10.0.0.0/8 from BGP\n");
}

static void a_neighbor_tells_all_that_is_known(void **state)
{
	static const char json[] = "{\"name\":\"azure\",\"address\":\"172.16.0.6\",\"as\":65010,\"kind\":\"azure-vpn-"
				   "gateway\",\"state\":\"Established\","
				   "\"since\":1700000000,\"uptime_s\":90000,\"over\":\"tunnel "
				   "azure1\",\"established\":1,\"remote_id\":\"172.16.0.6\",\"hold_s\":"
				   "180,\"keepalive_s\":60,\"capabilities_rcvd\":{\"as4\":true,\"ipv4_unicast\":true},"
				   "\"policy\":{\"in\":\"from\",\"out\":\"to\"},"
				   "\"messages_in\":{\"open\":1,\"all\":25},\"messages_out\":{\"update\":2},\"tcp\":{"
				   "\"local\":\"10.2.2.2\",\"local_port\":179,"
				   "\"remote\":\"172.16.0.6\",\"remote_port\":40000,\"mss\":1350,\"ttl\":255,\"rtt_"
				   "us\":1234},\"md5\":true,"
				   "\"last_error\":{\"text\":\"hold timer "
				   "expired\"},\"changes\":[{\"time\":86400,\"from\":\"OpenConfirm\",\"to\":"
				   "\"Established\",\"cause\":\"session is up\"}]}";

	(void)state;
	says(bgp_neighbor_print, json, "BGP neighbor is 172.16.0.6, remote AS 65010, azure (azure-vpn-gateway)\n");
	says(bgp_neighbor_print, json, "BGP state ESTABLISHED for 1d01h00m, via tunnel azure1; established 1 time\n");
	says(bgp_neighbor_print, json, "hold time 180 s, keepalive 60 s\n");
	says(bgp_neighbor_print, json, "Capabilities received: IPv4, 4-octet AS\n");
	says(bgp_neighbor_print, json, "(import policy from)");
	says(bgp_neighbor_print, json, "    update                    0          2\n");
	says(bgp_neighbor_print, json,
	     "TCP 10.2.2.2 port 179 to 172.16.0.6 port 40000, segments of 1350 octets, TTL 255, 1.234 ms, 0 sent "
	     "again, MD5\n");
	says(bgp_neighbor_print, json, "Last error: hold timer expired\n");
	says(bgp_neighbor_print, json, "    1970-01-02 00:00:00Z OpenConfirm to Established: session is up\n");
}

static void what_a_peer_says_cannot_move_the_cursor(void **state)
{
	static const char json[] =
		"{\"name\":\"\\u001b[2J\",\"state\":\"\\r\",\"last_error\":{\"text\":\"\\u001b[2J\\n\"},\"rows\":[{"
		"\"prefix\":"
		"\"\\u001b\",\"as_path\":\"\\r\",\"verdict\":{\"reason\":\"\\u001b\"}}],\"peers\":[{\"last_error\":"
		"{\"text\":\"\\u001b\"}}]}";
	void (*const all[])(FILE * f, const json_t *data) = {bgp_summary_print, bgp_neighbor_print, table};

	(void)state;
	for (unsigned i = 0; i < N_ELEMS(all); i++) {
		print(all[i], json);
		assert_null(strchr(text, '\x1b'));
		assert_null(strchr(text, '\r'));
		free(text);
	}
}

static void the_summary_fits_a_hundred_columns(void **state)
{
	(void)state;
	print(bgp_summary_print, "{\"peers\":[{\"name\":\"a-peer-with-the-longest-name-of-all\",\"address\":\"2001:db8:"
				 "1111:2222:3333:4444:5555:6666\","
				 "\"as\":4294967295,\"state\":\"Established\",\"since\":1,\"uptime_s\":999999999,\"msg_"
				 "rcvd\":99999999,\"msg_sent\":99999999,"
				 "\"pfx_rcvd\":1000000,\"pfx_accepted\":1000000,\"pfx_sent\":1000000,\"limit_out\":"
				 "1000000,\"over\":\"tunnel x\"}]}");
	for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
		assert_true(strcspn(p, "\n") <= TABLE_WIDTH);
	assert_non_null(strstr(text, "4294967295")); /* never 4.3G */
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_summary_looks_as_it_always_did),
		cmocka_unit_test(the_summary_says_why_there_is_no_session),
		cmocka_unit_test(lack_of_a_policy_is_seen),
		cmocka_unit_test(routes_look_as_they_always_did),
		cmocka_unit_test(long_addresses_have_lines_of_their_own),
		cmocka_unit_test(a_route_that_was_not_taken_says_why),
		cmocka_unit_test(a_prefix_shows_all_its_paths),
		cmocka_unit_test(a_neighbor_tells_all_that_is_known),
		cmocka_unit_test(what_a_peer_says_cannot_move_the_cursor),
		cmocka_unit_test(the_summary_fits_a_hundred_columns),
	};

	return cmocka_run_group_tests_name("cli-bgp", tests, NULL, NULL);
}
