/* BGP's sockets against plain ones, in a network namespace of the test's own: all of 127.0.0.0/8 and any port. */
#pragma once

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

static inline void connected(void *ctx, uint32_t conn, const struct ip_addr *local)
{
	(void)ctx;
	seen.n_connected++;
	seen.conn = conn;
	seen.local = *local;
}

static inline uint32_t accepted(void *ctx, uint32_t who, const struct ip_addr *local)
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

static inline void closed(void *ctx, uint32_t conn, int err)
{
	(void)ctx;
	seen.n_closed++;
	seen.conn = conn;
	seen.err = err;
}

static inline void input(void *ctx, uint32_t conn, const uint8_t *p, size_t len)
{
	(void)ctx;
	(void)conn;
	if (!seen.octets)
		memcpy(seen.first, p, len < sizeof(seen.first) ? len : sizeof(seen.first));
	assert_true(len <= TCP_READ_MAX);
	seen.octets += len;
	seen.turns++;
}

static inline void writable(void *ctx, uint32_t conn)
{
	(void)ctx;
	(void)conn;
	seen.n_writable++;
}

static inline uint64_t no_deadline(void *ctx)
{
	(void)ctx;
	return UINT64_MAX;
}

static inline void nothing(void *ctx)
{
	(void)ctx;
}

/* Turn the loop until *what has reached n; false: it did not. */
static inline bool reaches(const unsigned *what, unsigned n)
{
	uint64_t end = loop_now_ms() + WAIT_MS;

	while (*what < n && loop_now_ms() < end) {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
	return *what >= n;
}

/* Turn the loop for some time in which nothing may happen. */
static inline void idle(unsigned ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (loop_now_ms() < end) {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		poll(NULL, 0, 1);
	}
}

/* ---- the other side: plain sockets ---- */

static inline struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(s, &a), 0);
	return a;
}

static inline int set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v));
}

static inline int get_int(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	assert_int_equal(getsockopt(fd, level, name, &v, &len), 0);
	return v;
}

/* From `from` to `to`, not waited for. ttl 0: the kernel's. */
static inline int call(const char *from, const char *to, unsigned ttl, const struct secret *key)
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
static inline bool comes_up(int fd, unsigned ms)
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

static inline int serve(const char *at, const struct ip_addr *who, const struct secret *key)
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
static inline size_t read_all(int fd, char *buf, size_t cap, int *err)
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

static inline int sniff(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));

	assert_true(fd >= 0);
	return fd;
}

/* TTL of the next TCP segment from port PORT of `from` with these flags; -1: none came. */
static inline int ttl_of(int fd, const char *from, uint8_t flags)
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

static inline int set_up(void **state)
{
	(void)state;
	if (own_ns())
		return -1;
	return secret_set(&key_a, "first key", 9) || secret_set(&key_b, "second key", 10);
}

/* Peer 0 is 127.0.0.2, peer 1 127.0.0.3, both speak to 127.0.0.1. */
static inline int up(void **state)
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

static inline int down(void **state)
{
	(void)state;
	tcp_free(tcp);
	loop_fini(&loop);
	return 0;
}

static inline void start(void)
{
	tcp_config(tcp, PORT, peer, 3);
	uv_run(&loop.uv, UV_RUN_NOWAIT);
}
