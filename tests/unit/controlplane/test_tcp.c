/* BGP's sockets against plain ones, in a network namespace of the test's own: all of 127.0.0.0/8 and any port. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/tcp.h"
#include "controlplane/tcp_sock.h"
#include "tests/unit/controlplane/own_ns.h"

enum { PORT = 179, WAIT_MS = 5000, NUMBER = 1000 };

static struct loop loop;
static struct tcp *tcp;
static struct tcp_peer peer[3];
static struct secret key_a, key_b;

/* what tcp.c has said */
static struct {
	unsigned n_accepted, n_connected, n_closed, n_writable;
	uint32_t peer, conn;
	int err;
	struct ip_addr local;
	size_t octets;
	unsigned turns; /* input() calls */
	char first[64];
	bool refuse;     /* what accepted() answers */
	const char *say; /* what it sends before it answers */
	bool say_bye;    /* and then closes */
} seen;

/* ---- the owner ---- */

static void connected(void *ctx, uint32_t conn, const struct ip_addr *local)
{
	(void)ctx;
	seen.n_connected++;
	seen.conn = conn;
	seen.local = *local;
}

static uint32_t accepted(void *ctx, uint32_t who, const struct ip_addr *local)
{
	(void)ctx;
	seen.n_accepted++;
	seen.peer = who;
	seen.local = *local;
	if (seen.refuse)
		return 0;
	seen.conn = NUMBER + seen.n_accepted;
	if (seen.say)
		assert_int_equal(tcp_send(tcp, seen.conn, (const uint8_t *)seen.say, strlen(seen.say)),
				 strlen(seen.say));
	if (seen.say_bye) {
		tcp_close(tcp, seen.conn);
		return 0;
	}
	return seen.conn;
}

static void closed(void *ctx, uint32_t conn, int err)
{
	(void)ctx;
	seen.n_closed++;
	seen.conn = conn;
	seen.err = err;
}

static void input(void *ctx, uint32_t conn, const uint8_t *p, size_t len)
{
	(void)ctx;
	(void)conn;
	if (!seen.octets)
		memcpy(seen.first, p, len < sizeof(seen.first) ? len : sizeof(seen.first));
	assert_true(len <= TCP_READ_MAX);
	seen.octets += len;
	seen.turns++;
}

static void writable(void *ctx, uint32_t conn)
{
	(void)ctx;
	(void)conn;
	seen.n_writable++;
}

static uint64_t no_deadline(void *ctx)
{
	(void)ctx;
	return UINT64_MAX;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

/* Turn the loop until *what has reached n; false: it did not. */
static bool reaches(const unsigned *what, unsigned n)
{
	uint64_t end = loop_now_ms() + WAIT_MS;

	while (*what < n && loop_now_ms() < end) {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	return *what >= n;
}

/* Turn the loop for some time in which nothing may happen. */
static void idle(unsigned ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (loop_now_ms() < end) {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
}

/* ---- the other side: plain sockets ---- */

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static int set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v));
}

static int get_int(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	assert_int_equal(getsockopt(fd, level, name, &v, &len), 0);
	return v;
}

/* From `from` to `to`, not waited for. ttl 0: the kernel's. */
static int call(const char *from, const char *to, unsigned ttl, const struct secret *key)
{
	struct ip_addr a = addr(from), b = addr(to);
	struct sockaddr_storage s;
	int fd = socket(a.family == IP_V6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len;

	assert_true(fd >= 0);
	len = tcp_sock_addr(&a, 0, &s);
	assert_int_equal(bind(fd, (struct sockaddr *)&s, len), 0);
	if (ttl)
		assert_int_equal(tcp_sock_ttl(fd, a.family, (uint8_t)ttl), 0);
	if (key)
		assert_int_equal(tcp_sock_md5(fd, &b, key), 0);
	len = tcp_sock_addr(&b, PORT, &s);
	if (connect(fd, (struct sockaddr *)&s, len))
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

/* Is it connected within ms? The loop turns meanwhile. */
static bool comes_up(int fd, unsigned ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	uint64_t end = loop_now_ms() + ms;

	do {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		if (poll(&p, 1, 5) == 1)
			return !get_int(fd, SOL_SOCKET, SO_ERROR);
	} while (loop_now_ms() < end);
	return false;
}

static int serve(const char *at, const struct ip_addr *who, const struct secret *key)
{
	struct ip_addr a = addr(at);
	struct sockaddr_storage s;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = tcp_sock_addr(&a, PORT, &s);

	assert_int_equal(set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	if (key)
		assert_int_equal(tcp_sock_md5(fd, who, key), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&s, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* What comes until the end of the stream, the loop turning; -errno in *err when it ends otherwise. */
static size_t read_all(int fd, char *buf, size_t cap, int *err)
{
	uint64_t end = loop_now_ms() + WAIT_MS;
	size_t n = 0;

	*err = -ETIMEDOUT;
	while (loop_now_ms() < end) {
		ssize_t k = recv(fd, buf + n, cap - n, MSG_DONTWAIT);

		uv_run(&loop.uv, UV_RUN_NOWAIT);
		if (k > 0) {
			n += (size_t)k;
		} else if (k == 0 || errno != EAGAIN) {
			*err = k ? -errno : 0;
			return n;
		} else {
			poll(NULL, 0, 1);
		}
	}
	return n;
}

/* ---- a capture of lo ---- */

static int sniff(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));

	assert_true(fd >= 0);
	return fd;
}

/* TTL of the next TCP segment from port PORT of `from` with these flags; -1: none came. */
static int ttl_of(int fd, const char *from, uint8_t flags)
{
	struct ip_addr a = addr(from);
	uint64_t end = loop_now_ms() + WAIT_MS;
	uint8_t b[2048];

	while (loop_now_ms() < end) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		const struct iphdr *ip = (const void *)b;
		const struct tcphdr *t;

		uv_run(&loop.uv, UV_RUN_NOWAIT);
		if (poll(&p, 1, 5) != 1 || recv(fd, b, sizeof(b), 0) < 40)
			continue;
		t = (const void *)(b + ip->ihl * 4);
		if (ip->protocol == IPPROTO_TCP && !memcmp(&ip->saddr, a.b, 4) && b[ip->ihl * 4 + 13] == flags &&
		    (t->source == htons(PORT) || t->dest == htons(PORT)))
			return ip->ttl;
	}
	return -1;
}

/* ---- set-up ---- */

static int set_up(void **state)
{
	(void)state;
	if (own_ns())
		return -1;
	return secret_set(&key_a, "first key", 9) || secret_set(&key_b, "second key", 10);
}

/* Peer 0 is 127.0.0.2, peer 1 127.0.0.3, both speak to 127.0.0.1. */
static int up(void **state)
{
	struct tcp_ops ops = {NULL, connected, accepted, closed, input, writable};
	struct loop_ops lops = {NULL, no_deadline, nothing, nothing, nothing, nothing};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(peer, 0, sizeof(peer));
	for (unsigned i = 0; i < 2; i++)
		peer[i] = (struct tcp_peer){.source = addr("127.0.0.1"), .ttl = 255, .accept = true};
	peer[0].addr = addr("127.0.0.2");
	peer[1].addr = addr("127.0.0.3");
	assert_int_equal(loop_init(&loop, &lops, false), 0);
	tcp = tcp_new(&loop, &ops);
	return 0;
}

static int down(void **state)
{
	(void)state;
	tcp_free(tcp);
	loop_fini(&loop);
	return 0;
}

static void start(void)
{
	tcp_config(tcp, PORT, peer, 3);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
}

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
