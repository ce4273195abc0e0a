/* What protects BGP's sockets, and what their packets look like. */
#include "tcp_rig.h"

/* ---- MD5 ---- */

static void wants_the_right_key(void **state)
{
	int wrong, none, right;

	(void)state;
	peer[0].password = &key_a;
	start();
	wrong = call("127.0.0.2", "127.0.0.1", 0, &key_b);
	none = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_false(comes_up(wrong, 300));
	assert_false(comes_up(none, 10));
	assert_int_equal(seen.n_accepted, 0);
	right = call("127.0.0.2", "127.0.0.1", 0, &key_a);
	assert_true(reaches(&seen.n_accepted, 1));
	close(wrong);
	close(none);
	close(right);
}

static void leaves_peers_without_a_key_alone(void **state)
{
	int fd;

	(void)state;
	peer[0].password = &key_a;
	start();
	fd = call("127.0.0.3", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	close(fd);
}

static void changes_and_drops_keys_without_a_restart(void **state)
{
	int fd;

	(void)state;
	peer[0].password = &key_a;
	start();
	peer[0].password = &key_b;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, &key_a);
	assert_false(comes_up(fd, 300));
	close(fd);
	fd = call("127.0.0.2", "127.0.0.1", 0, &key_b);
	assert_true(reaches(&seen.n_accepted, 1));
	close(fd);
	peer[0].password = NULL;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 2));
	close(fd);
}

/* The kernel has taken it before there was a key, we take it after. */
static void a_connection_older_than_the_key_is_not_heard(void **state)
{
	struct pollfd p = {.events = POLLOUT};

	(void)state;
	start();
	p.fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1); /* the loop does not turn */
	peer[0].password = &key_a;
	start();
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(send(p.fd, "hello", 5, 0), 5);
	idle(100);
	assert_int_equal(seen.octets, 0);
	close(p.fd);
}

static void signs_what_it_connects_with(void **state)
{
	int fd = serve("127.0.0.2", &peer[0].source, &key_a), s;

	(void)state;
	peer[0].password = &key_b;
	start();
	assert_int_equal(tcp_connect(tcp, 0, 7), 0);
	idle(200);
	assert_int_equal(seen.n_connected, 0);
	peer[0].password = &key_a;
	start();
	assert_int_equal(tcp_connect(tcp, 0, 8), 0);
	assert_true(reaches(&seen.n_connected, 1));
	assert_int_equal(seen.conn, 8);
	s = accept(fd, NULL, NULL);
	assert_true(s >= 0);
	close(s);
	close(fd);
}

/* ---- TTL ---- */

static void drops_syns_from_afar(void **state)
{
	int fd, near;

	(void)state;
	peer[0].min_ttl = 254;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 253, NULL);
	near = call("127.0.0.2", "127.0.0.1", 254, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_false(comes_up(fd, 300)); /* no SYN-ACK, no RST */
	assert_int_equal(seen.n_accepted, 1);
	close(fd);
	close(near);
	fd = call("127.0.0.3", "127.0.0.1", 1, NULL); /* another peer, without GTSM */
	assert_true(reaches(&seen.n_accepted, 2));
	close(fd);
	peer[0].min_ttl = 0;
	peer[1].min_ttl = 250; /* one row of the filter after the other */
	peer[2] = peer[0];
	peer[2].addr = addr("127.0.0.4");
	peer[2].min_ttl = 2;
	start();
	fd = call("127.0.0.4", "127.0.0.1", 1, NULL);
	assert_false(comes_up(fd, 300));
	close(fd);
	fd = call("127.0.0.2", "127.0.0.1", 1, NULL);
	assert_true(reaches(&seen.n_accepted, 3));
	close(fd);
}

static void drops_segments_from_afar_on_an_open_connection(void **state)
{
	int fd;

	(void)state;
	peer[0].min_ttl = 255;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 255, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(tcp_sock_ttl(fd, IP_V4, 254), 0);
	assert_int_equal(send(fd, "far", 3, 0), 3);
	idle(100);
	assert_int_equal(seen.octets, 0);
	assert_int_equal(tcp_sock_ttl(fd, IP_V4, 255), 0);
	assert_true(reaches(&seen.turns, 1)); /* sent again */
	assert_memory_equal(seen.first, "far", 3);
	close(fd);
}

static void sends_with_the_ttl_of_each_peer(void **state)
{
	int cap = sniff(), fd, s;

	(void)state;
	peer[0].ttl = 1;
	peer[1].accept = false;
	peer[1].ttl = 77;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_int_equal(ttl_of(cap, "127.0.0.1", TH_SYN | TH_ACK), 1);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(tcp_send(tcp, seen.conn, (const uint8_t *)"x", 1), 1);
	assert_int_equal(ttl_of(cap, "127.0.0.1", TH_PUSH | TH_ACK), 1);
	close(fd);

	s = serve("127.0.0.3", NULL, NULL);
	assert_int_equal(tcp_connect(tcp, 1, 9), 0);
	assert_int_equal(ttl_of(cap, "127.0.0.1", TH_SYN), 77);
	assert_true(reaches(&seen.n_connected, 1));
	close(s);
	close(cap);
}

/* The SYN-ACK is sent before the peer is known; the connection has the peer's own. */
static void the_syn_ack_has_the_largest_ttl_of_its_peers(void **state)
{
	int cap = sniff(), fd;

	(void)state;
	peer[0].ttl = 64;
	peer[1].ttl = 1;
	start();
	fd = call("127.0.0.3", "127.0.0.1", 0, NULL);
	assert_int_equal(ttl_of(cap, "127.0.0.1", TH_SYN | TH_ACK), 64);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(tcp_send(tcp, seen.conn, (const uint8_t *)"x", 1), 1);
	assert_int_equal(ttl_of(cap, "127.0.0.1", TH_PUSH | TH_ACK), 1);
	close(fd);
	close(cap);
}

static void keeps_segments_within_the_way(void **state)
{
	struct tcp_info_row i;
	int fd, s = serve("127.0.0.2", NULL, NULL);

	(void)state;
	peer[0].mss = 1240;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_true(comes_up(fd, WAIT_MS));
	assert_true(get_int(fd, IPPROTO_TCP, TCP_MAXSEG) <= 1240);
	assert_true(tcp_info_get(tcp, seen.conn, &i));
	assert_true(i.mss <= 1240);
	assert_int_equal(i.local_port, PORT);
	close(fd);

	tcp_peer_mss(tcp, 0, 900);
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(comes_up(fd, WAIT_MS));
	assert_true(get_int(fd, IPPROTO_TCP, TCP_MAXSEG) <= 900);
	close(fd);
	assert_int_equal(tcp_connect(tcp, 0, 3), 0);
	assert_true(reaches(&seen.n_connected, 1));
	fd = accept(s, NULL, NULL);
	assert_true(get_int(fd, IPPROTO_TCP, TCP_MAXSEG) <= 900);
	close(fd);
	close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(wants_the_right_key),
		T(leaves_peers_without_a_key_alone),
		T(changes_and_drops_keys_without_a_restart),
		T(a_connection_older_than_the_key_is_not_heard),
		T(signs_what_it_connects_with),
		T(drops_syns_from_afar),
		T(drops_segments_from_afar_on_an_open_connection),
		T(sends_with_the_ttl_of_each_peer),
		T(the_syn_ack_has_the_largest_ttl_of_its_peers),
		T(keeps_segments_within_the_way),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
