/* One frame of gwctl top: rates are what was added between two answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/build.h"
#include "cli/top.h"

static char *frame(const char *before, const char *now, unsigned lines)
{
	json_t *b = json_loads(before, 0, NULL), *n = json_loads(now, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(b);
	assert_non_null(n);
	top_print(f, b, n, lines);
	fclose(f);
	json_decref(b);
	json_decref(n);
	return text;
}

#define TUNNEL(name, state, io, op, lost, err)                                                                   \
	"{\"name\":\"" name "\",\"peer\":\"203.0.113.2\",\"state\":\"" state "\",\"cipher\":\"AES-GCM-16-256\"," \
	"\"in_octets\":" io ",\"in_packets\":1000,\"out_octets\":0,\"out_packets\":" op ",\"lost\":" lost        \
	",\"replayed\":0,\"rekey_in_s\":3000,\"last_error\":\"" err "\"}"
#define ANSWER(ms, busy, total, packets, cycles, drops, all, tunnels)                                               \
	"{\"gateway\":\"edge\",\"version\":\"9\",\"now_ms\":" ms ",\"uptime_s\":61,\"routes\":5,\"attached\":true," \
	"\"bgp_all\":2,\"bgp_up\":1,\"tunnels_all\":" all ",\"tunnels_up\":1,"                                      \
	"\"workers\":[{\"busy\":" busy ",\"total\":" total "}],"                                                    \
	"\"stages\":{\"rx\":{\"packets\":" packets ",\"cycles\":" cycles "},\"tx\":{\"packets\":0,\"cycles\":0}},"  \
	"\"drops\":{" drops "},\"tunnels\":[" tunnels "]}"

static void rates_are_what_was_added(void **state UNUSED)
{
	char *t = frame(ANSWER("1000", "100", "1000", "64", "640", "\"bad-icv\":5", "1",
			       TUNNEL("a", "up", "1000000", "0", "0", "")),
			ANSWER("3000", "350", "2000", "128", "1920", "\"bad-icv\":25,\"ttl\":1", "1",
			       TUNNEL("a", "up", "2000000", "4000", "7", "old words")),
			0);

	assert_non_null(strstr(t, "edge  esplanade 9  up 1m01s  tunnels 1/1 up  BGP 1/2 up  routes 5\n"));
	assert_non_null(strstr(t, "worker 0:  25% busy\n"));
	assert_non_null(strstr(t, "rx 20  tx -  = 20\n"));
	assert_non_null(strstr(t, "drops/s:  bad-icv 10  ttl 0.5\n"));
	assert_non_null(strstr(t, "4.0   0.0      0.0   2.0     7"));
	assert_null(strstr(t, "old words"));
	free(t);
}

static void a_restarted_data_plane_gives_no_wild_rates(void **state UNUSED)
{
	char *t = frame(ANSWER("1000", "5000", "90000", "640", "6400", "\"ttl\":900", "1",
			       TUNNEL("a", "up", "9000000", "9000", "0", "")),
			ANSWER("2000", "10", "100", "0", "0", "", "1", TUNNEL("a", "up", "10", "1", "0", "")), 0);

	assert_non_null(strstr(t, "drops/s:  none"));
	assert_non_null(strstr(t, "0.0   0.0      0.0   0.0"));
	assert_non_null(strstr(t, "rx -"));
	free(t);
}

static void a_tunnel_that_is_down_says_why(void **state UNUSED)
{
	char *t = frame("{}",
			ANSWER("2000", "10", "100", "0", "0", "", "1",
			       TUNNEL("a", "down", "0", "0", "0", "the peer\\u001b[2J is silent")),
			0);

	assert_non_null(strstr(t, "the peer\\x1b[2J is silent"));
	assert_null(strchr(t, '\033'));
	free(t);
}

static void a_small_terminal_gets_fewer_rows(void **state UNUSED)
{
	static const char answer[] =
		ANSWER("2000", "10", "100", "0", "0", "", "3",
		       TUNNEL("a", "up", "0", "0", "0", "") "," TUNNEL("b", "up", "0", "0", "0",
								       "") "," TUNNEL("c", "up", "0", "0", "0", ""));
	char *t = frame(answer, answer, 10);

	assert_non_null(strstr(t, "and 1 more"));
	assert_null(strstr(t, "\nc "));
	free(t);
	t = frame("{}", "{}", 24);
	assert_non_null(strstr(t, "no tunnel is configured"));
	assert_non_null(strstr(t, "the data plane is not attached"));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_what_was_added),
		cmocka_unit_test(a_restarted_data_plane_gives_no_wild_rates),
		cmocka_unit_test(a_tunnel_that_is_down_says_why),
		cmocka_unit_test(a_small_terminal_gets_fewer_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
