/* BGP's sockets: who is let in, connecting, octets, the end. */
#include "tcp_rig.h"

/* ---- who is let in ---- */

static void lets_configured_peers_in_and_nobody_else(void **state)
{
	struct tcp_counters c;
	char buf[8];
	int fd, err;

	(void)state;
	start();
	fd = call("127.0.0.3", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(seen.peer, 1);
	assert_true(ip_equal(&seen.local, &peer[1].source));
	close(fd);
	assert_true(reaches(&seen.n_closed, 1));
	assert_int_equal(seen.err, 0);

	fd = call("127.0.0.4", "127.0.0.1", 0, NULL);
	assert_true(comes_up(fd, WAIT_MS));
	assert_int_equal(read_all(fd, buf, sizeof(buf), &err), 0);
	close(fd);
	assert_int_equal(seen.n_accepted, 1);
	tcp_counters(tcp, &c);
	assert_int_equal(c.accepted, 1);
	assert_int_equal(c.refused, 1);
}

static void refuses_a_peer_at_the_address_of_another(void **state)
{
	char buf[8];
	int fd, err;

	(void)state;
	peer[1].source = addr("127.0.0.9");
	start();
	fd = call("127.0.0.3", "127.0.0.1", 0, NULL); /* peer 0's listener */
	assert_true(comes_up(fd, WAIT_MS));
	assert_int_equal(read_all(fd, buf, sizeof(buf), &err), 0);
	close(fd);
	assert_int_equal(seen.n_accepted, 0);
	fd = call("127.0.0.3", "127.0.0.9", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	close(fd);
}

static void listens_only_where_a_peer_may_connect(void **state)
{
	int fd;

	(void)state;
	peer[0].accept = peer[1].accept = false;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_false(comes_up(fd, WAIT_MS)); /* RST */
	close(fd);
	peer[1].accept = true;
	tcp_config(tcp, 1790, peer, 3);
	fd = call("127.0.0.3", "127.0.0.1", 0, NULL);
	assert_false(comes_up(fd, WAIT_MS));
	close(fd);
	start();
	fd = call("127.0.0.3", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	close(fd);
}

static void listens_on_an_address_that_is_not_there_yet(void **state)
{
	int fd;

	(void)state;
	peer[0].source = addr("198.51.100.7");
	start();
	assert_int_equal(own_ns_addr(1, "198.51.100.7"), 0);
	fd = call("127.0.0.2", "198.51.100.7", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	close(fd);
	assert_int_equal(own_ns_addr(1, "198.51.100.8"), 0);
}

static void speaks_ipv6(void **state)
{
	int fd;

	(void)state;
	peer[0].addr = peer[0].source = addr("::1");
	peer[0].min_ttl = 255;
	start();
	fd = call("::1", "::1", 254, NULL);
	assert_false(comes_up(fd, 300));
	close(fd);
	fd = call("::1", "::1", 255, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(seen.local.family, IP_V6);
	close(fd);
}

/* ---- connecting ---- */

static void connects_from_its_source(void **state)
{
	int fd = serve("127.0.0.2", NULL, NULL), s;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct ip_addr a;

	(void)state;
	peer[0].source = addr("127.0.0.42");
	start();
	assert_int_equal(tcp_connect(tcp, 0, 5), 0);
	assert_int_equal(tcp_connect(tcp, 0, 5), -EINVAL); /* the number is taken */
	assert_true(reaches(&seen.n_connected, 1));
	assert_true(ip_equal(&seen.local, &peer[0].source));
	s = accept(fd, (struct sockaddr *)&from, &len);
	a = tcp_sock_ip(&from, NULL);
	assert_true(ip_equal(&a, &peer[0].source));
	assert_int_equal(tcp_send(tcp, 5, (const uint8_t *)"hello", 5), 5);
	close(s);
	assert_true(reaches(&seen.n_closed, 1));
	close(fd);
}

static void says_why_it_cannot_connect(void **state)
{
	(void)state;
	start();
	assert_int_equal(tcp_connect(tcp, 0, 5), 0); /* nobody listens */
	assert_true(reaches(&seen.n_closed, 1));
	assert_int_equal(seen.conn, 5);
	assert_int_equal(seen.err, -ECONNREFUSED);
	peer[0].source = addr("198.51.100.7");
	start();
	assert_int_equal(tcp_connect(tcp, 0, 6), -EADDRNOTAVAIL);
	assert_int_equal(tcp_connect(tcp, 2, 6), -EINVAL); /* nobody has this index */
	assert_int_equal(tcp_connect(tcp, 99, 6), -EINVAL);
}

static void gives_up_connecting_when_told_to(void **state)
{
	struct secret other = key_b;
	int fd = serve("127.0.0.2", &peer[0].source, &other); /* never answers an unsigned SYN */

	(void)state;
	start();
	assert_int_equal(tcp_connect(tcp, 0, 5), 0);
	idle(20);
	tcp_close(tcp, 5);
	tcp_close(tcp, 5); /* an unknown number is fine */
	idle(20);
	assert_int_equal(seen.n_closed, 0);
	close(fd);
}

/* ---- octets ---- */

static void may_be_used_before_its_number_is_told(void **state)
{
	char buf[16];
	int fd, err;

	(void)state;
	seen.say = "open";
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(tcp_send(tcp, seen.conn, (const uint8_t *)"more", 4), 4);
	tcp_close(tcp, seen.conn);
	assert_int_equal(read_all(fd, buf, sizeof(buf), &err), 8);
	assert_memory_equal(buf, "openmore", 8);
	assert_int_equal(err, 0);
	close(fd);
}

static void says_goodbye_to_whom_it_refuses(void **state)
{
	char buf[16];
	int fd, err;

	(void)state;
	seen.say = "cease";
	seen.say_bye = true;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(comes_up(fd, WAIT_MS));
	assert_int_equal(read_all(fd, buf, sizeof(buf), &err), 5);
	assert_int_equal(err, 0);
	close(fd);
}

static void closes_whom_it_refuses(void **state)
{
	char buf[16];
	int fd, err;

	(void)state;
	seen.refuse = true;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(comes_up(fd, WAIT_MS));
	assert_int_equal(read_all(fd, buf, sizeof(buf), &err), 0);
	assert_int_equal(err, 0);
	close(fd);
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A close() over unread octets is a RST, and a RST takes what the peer has not read yet. */
static void what_was_sent_arrives_before_the_end(void **state)
{
	unsigned files;
	char buf[64];
	int fd, err;

	(void)state;
	start();
	files = open_files();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(send(fd, "unread", 6, 0), 6);
	poll(NULL, 0, 20); /* it lies in the socket, and the loop does not turn */
	assert_int_equal(tcp_send(tcp, seen.conn, (const uint8_t *)"notification", 12), 12);
	tcp_close(tcp, seen.conn);
	assert_int_equal(send(fd, "more", 4, 0), 4);
	assert_int_equal(read_all(fd, buf, sizeof(buf), &err), 12);
	assert_int_equal(err, 0);
	assert_memory_equal(buf, "notification", 12);
	assert_int_equal(tcp_leaving(tcp), 0);
	assert_int_equal(seen.octets, 0); /* of a closed connection nothing is heard */
	close(fd);
	idle(20);
	assert_int_equal(seen.n_closed, 0);
	assert_int_equal(open_files(), files); /* it does not linger when the peer has closed */
}

static void knows_what_is_still_leaving(void **state)
{
	int fd, zero = 1;

	(void)state;
	peer[0].min_ttl = 255;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 255, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(tcp_sock_ttl(fd, IP_V4, (uint8_t)zero), 0); /* its ACKs do not count any more */
	assert_int_equal(tcp_send(tcp, seen.conn, (const uint8_t *)"notification", 12), 12);
	assert_int_equal(tcp_leaving(tcp), 0);
	tcp_close(tcp, seen.conn);
	assert_int_equal(tcp_leaving(tcp), 1);
	close(fd);
}

static void a_drain_ends_in_time(void **state)
{
	uint64_t from;
	char buf[4];
	int fd;

	(void)state;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	tcp_close(tcp, seen.conn);
	from = loop_now_ms();
	while (loop_now_ms() < from + 2 * TCP_DRAIN_MS) { /* talks on and on, and never closes */
		if (send(fd, "talk", 4, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
			break;
		idle(10);
	}
	assert_in_range(loop_now_ms() - from, TCP_DRAIN_MS - 100, TCP_DRAIN_MS + 1000);
	assert_true(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) <= 0);
	close(fd);
}

static void a_storm_of_connections_takes_few_files(void **state)
{
	enum { STORM = 3 * TCP_DRAINING_MAX };
	int fd[STORM];
	unsigned files;

	(void)state;
	seen.say = "cease";
	seen.say_bye = true;
	start();
	files = open_files();
	for (unsigned i = 0; i < STORM; i++) { /* none of them ever closes */
		fd[i] = call("127.0.0.2", "127.0.0.1", 0, NULL);
		assert_true(reaches(&seen.n_accepted, i + 1));
	}
	assert_int_equal(open_files() - files, STORM + TCP_DRAINING_MAX);
	for (unsigned i = 0; i < STORM; i++)
		close(fd[i]);
}

static void a_full_socket_asks_for_patience(void **state)
{
	static uint8_t big[1 << 20];
	static char sink[1 << 16];
	size_t sent = 0, n, got = 0;
	int fd;

	(void)state;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	do {
		n = tcp_send(tcp, seen.conn, big, sizeof(big));
		sent += n;
	} while (n == sizeof(big));
	idle(30);
	assert_int_equal(seen.n_writable, 0);
	while (got < sent) {
		ssize_t k = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);

		if (k > 0)
			got += (size_t)k;
		else
			idle(1);
	}
	assert_true(reaches(&seen.n_writable, 1));
	idle(20);
	assert_int_equal(seen.n_writable, 1); /* once: there was nothing to send */
	assert_int_equal(tcp_send(tcp, seen.conn, big, 10), 10);
	close(fd);
}

static void reads_in_turns(void **state)
{
	static uint8_t big[200 * 1024];
	size_t sent = 0;
	unsigned before;
	int fd;

	(void)state;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	while (sent < sizeof(big)) {
		ssize_t k = send(fd, big + sent, sizeof(big) - sent, MSG_DONTWAIT);

		if (k < 0)
			break;
		sent += (size_t)k;
	}
	assert_true(sent > 2 * TCP_READ_MAX);
	before = seen.turns;
	uv_run(&loop.uv, UV_RUN_NOWAIT);
	assert_int_equal(seen.turns, before + 1);
	while (seen.octets < sent && reaches(&seen.turns, seen.turns + 1))
		;
	assert_int_equal(seen.octets, sent);
	close(fd);
}

static void a_reset_does_not_hide_what_came_before_it(void **state)
{
	struct linger l = {1, 0};
	int fd;

	(void)state;
	start();
	fd = call("127.0.0.2", "127.0.0.1", 0, NULL);
	assert_true(reaches(&seen.n_accepted, 1));
	assert_int_equal(send(fd, "cease", 5, 0), 5);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	close(fd); /* RST */
	poll(NULL, 0, 20);
	assert_true(reaches(&seen.n_closed, 1));
	assert_int_equal(seen.octets, 5);
	assert_int_equal(seen.err, -ECONNRESET);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lets_configured_peers_in_and_nobody_else),
		T(refuses_a_peer_at_the_address_of_another),
		T(listens_only_where_a_peer_may_connect),
		T(listens_on_an_address_that_is_not_there_yet),
		T(speaks_ipv6),
		T(connects_from_its_source),
		T(says_why_it_cannot_connect),
		T(gives_up_connecting_when_told_to),
		T(may_be_used_before_its_number_is_told),
		T(says_goodbye_to_whom_it_refuses),
		T(closes_whom_it_refuses),
		T(what_was_sent_arrives_before_the_end),
		T(knows_what_is_still_leaving),
		T(a_drain_ends_in_time),
		T(a_storm_of_connections_takes_few_files),
		T(a_full_socket_asks_for_patience),
		T(reads_in_turns),
		T(a_reset_does_not_hide_what_came_before_it),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
