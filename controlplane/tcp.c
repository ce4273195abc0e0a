#include "controlplane/tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "controlplane/tcp_listen.h"
#include "controlplane/tcp_sock.h"

enum conn_state { CONNECTING, OPEN, DRAINING, CLOSED };

struct conn {
	struct list link; /* t->open[] by number, or t->draining */
	struct tcp *t;
	uint32_t number, peer;
	enum conn_state state;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer; /* end of connecting, end of draining */
	unsigned n_open;  /* handles */
	bool more_to_send;
	int error; /* that send() met: -errno */
};

static void number(struct conn *c, uint32_t n);

/* A number that nobody has while a connection is being accepted is that one's: the owner has numbered it and uses it
 * before it tells us. */
static struct conn *find(const struct tcp *t, uint32_t n)
{
	const struct list *bucket = &t->open[n % N_ELEMS(t->open)];

	list_each (e, bucket) {
		struct conn *c = list_entry(e, struct conn, link);

		if (c->number == n)
			return c;
	}
	if (!t->accepting || t->accepting->number)
		return NULL;
	number(t->accepting, n);
	return t->accepting;
}

void tcp_release(struct tcp *t)
{
	if (--t->n_open || !t->freed)
		return;
	free(t->peer);
	free(t);
}

/* ---- the end of a connection ---- */

static void handle_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	struct tcp *t = c->t;

	if (!--c->n_open)
		free(c);
	tcp_release(t);
}

static void end(struct conn *c)
{
	c->state = CLOSED;
	list_del(&c->link);
	uv_close((uv_handle_t *)&c->poll, handle_closed);
	uv_close((uv_handle_t *)&c->timer, handle_closed);
	close(c->fd);
}

static void fail(struct conn *c, int err)
{
	struct tcp *t = c->t;
	uint32_t n = c->number;

	end(c);
	t->ops.closed(t->ops.ctx, n, err);
}

static int socket_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? -errno : -err;
}

/* ---- events ---- */

static void polled(uv_poll_t *p, int status, int events);

static void watch(struct conn *c)
{
	bool out = c->state == CONNECTING || (c->state == OPEN && c->more_to_send);

	uv_poll_start(&c->poll, (c->state == CONNECTING ? 0 : UV_READABLE) | (out ? UV_WRITABLE : 0), polled);
}

static void connect_done(struct conn *c)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);
	struct ip_addr local;
	int err = socket_error(c->fd);

	if (!err && getsockname(c->fd, (struct sockaddr *)&s, &len))
		err = -errno;
	if (err) {
		fail(c, err);
		return;
	}
	uv_timer_stop(&c->timer);
	c->state = OPEN;
	watch(c);
	local = tcp_sock_ip(&s, NULL);
	c->t->ops.connected(c->t->ops.ctx, c->number, &local);
}

/* false: the connection has ended. */
static bool take_octets(struct conn *c)
{
	struct tcp *t = c->t;
	ssize_t n = recv(c->fd, t->buf, sizeof(t->buf), MSG_DONTWAIT);
	int err = n < 0 ? -errno : c->error;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		err = socket_error(c->fd);
		if (!err)
			return true;
	}
	if (n > 0 && c->state == OPEN)
		t->ops.input(t->ops.ctx, c->number, t->buf, (size_t)n);
	if (n > 0)
		return c->state != CLOSED;
	if (c->state == DRAINING)
		end(c);
	else
		fail(c, err);
	return false;
}

/* status < 0: the socket has an error. libuv stops then; octets that came before it are still to be had. */
static void polled(uv_poll_t *p, int status, int events)
{
	struct conn *c = p->data;

	if (c->state == CONNECTING) {
		connect_done(c);
		return;
	}
	if ((status < 0 || events & UV_READABLE) && !take_octets(c))
		return;
	if (events & UV_WRITABLE && c->state == OPEN && c->more_to_send) {
		c->more_to_send = false;
		c->t->ops.writable(c->t->ops.ctx, c->number);
	}
	if (c->state != CLOSED)
		watch(c);
}

static void too_long(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	if (c->state == CONNECTING)
		fail(c, -ETIMEDOUT);
	else if (c->state == DRAINING)
		end(c);
}

/* ---- the beginning of a connection ---- */

static struct conn *add(struct tcp *t, uint32_t peer, int fd, enum conn_state state)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->t = t;
	c->peer = peer;
	c->state = state;
	c->fd = fd;
	c->n_open = 2;
	t->n_open += 2;
	uv_poll_init(&t->loop->uv, &c->poll, fd);
	uv_timer_init(&t->loop->uv, &c->timer);
	c->poll.data = c->timer.data = c;
	list_init(&c->link);
	return c;
}

static void number(struct conn *c, uint32_t n)
{
	c->number = n;
	list_add_tail(&c->t->open[n % N_ELEMS(c->t->open)], &c->link);
	watch(c);
}

static int protect(int fd, const struct tcp_peer *p)
{
	int rc = tcp_sock_ttl(fd, p->addr.family, p->ttl);

	if (!rc)
		rc = tcp_sock_min_ttl(fd, p->addr.family, p->min_ttl);
	if (!rc && p->password) /* of one that waited at the listener since before the key: nothing more is heard */
		rc = tcp_sock_md5(fd, &p->addr, p->password);
	return rc;
}

void tcp_take(struct tcp *t, uint32_t peer, int fd, const struct ip_addr *local)
{
	const struct tcp_peer *p = &t->peer[peer];
	struct conn *c;
	uint32_t n;

	tcp_sock_prepare(fd, p->addr.family);
	(void)!tcp_sock_gtsm(fd, p->addr.family, NULL,
			     0); /* inherited: the socket's own minimum does it from here on */
	if (protect(fd, p)) {
		t->c.refused++;
		close(fd);
		return;
	}
	c = t->accepting = add(t, peer, fd, OPEN);
	n = t->ops.accepted(t->ops.ctx, peer, local);
	t->accepting = NULL;
	if (n)
		t->c.accepted++;
	else
		t->c.refused++;
	if (n && !c->number)
		number(c, n);
	else if (!n && c->state == OPEN)
		end(c);
}

static int start(int fd, const struct tcp_peer *p, uint16_t port)
{
	struct sockaddr_storage s;
	socklen_t len;
	int one = 1, rc = protect(fd, p);

	if (!rc)
		rc = tcp_sock_mss(fd, p->mss);
	if (rc)
		return rc;
	if (p->source.family != IP_NONE) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		len = tcp_sock_addr(&p->source, 0, &s);
		if (bind(fd, (struct sockaddr *)&s, len))
			return -errno;
	}
	len = tcp_sock_addr(&p->addr, port, &s);
	return connect(fd, (struct sockaddr *)&s, len) && errno != EINPROGRESS ? -errno : 0;
}

int tcp_connect(struct tcp *t, uint32_t peer, uint32_t conn)
{
	const struct tcp_peer *p = peer < t->n_peers ? &t->peer[peer] : NULL;
	struct conn *c;
	int fd, rc;

	if (!p || p->addr.family == IP_NONE || !conn || find(t, conn))
		return -EINVAL;
	fd = tcp_sock_new(p->addr.family);
	if (fd < 0)
		return fd;
	rc = start(fd, p, t->port);
	if (rc) {
		close(fd);
		return rc;
	}
	t->c.connects++;
	c = add(t, peer, fd, CONNECTING);
	uv_timer_start(&c->timer, too_long, TCP_CONNECT_MS, 0);
	number(c, conn);
	return 0;
}

/* ---- while it is open ---- */

size_t tcp_send(struct tcp *t, uint32_t conn, const uint8_t *b, size_t len)
{
	struct conn *c = find(t, conn);
	size_t sent = 0;
	ssize_t n;

	if (!c || c->state != OPEN)
		return 0;
	while (sent < len) {
		n = send(c->fd, b + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	if (sent == len)
		return sent;
	if (errno != EAGAIN)
		c->error = -errno; /* the poll says so too, and ends it */
	c->more_to_send = true;
	watch(c);
	return sent;
}

static void end_oldest(struct tcp *t)
{
	unsigned n = 0;

	list_each (e, &t->draining)
		n++;
	if (n > TCP_DRAINING_MAX)
		end(list_entry(t->draining.next, struct conn, link));
}

void tcp_close(struct tcp *t, uint32_t conn)
{
	struct conn *c = find(t, conn);

	if (!c)
		return;
	if (c->state == CONNECTING || shutdown(c->fd, SHUT_WR)) {
		end(c);
		return;
	}
	c->state = DRAINING;
	list_del(&c->link);
	list_add_tail(&t->draining, &c->link);
	uv_timer_start(&c->timer, too_long, TCP_DRAIN_MS, 0);
	watch(c);
	end_oldest(t);
}

unsigned tcp_leaving(const struct tcp *t)
{
	unsigned n = 0;

	list_each (e, &t->draining) {
		int unacked = 0;

		n += !ioctl(list_entry(e, struct conn, link)->fd, SIOCOUTQ, &unacked) && unacked;
	}
	return n;
}

bool tcp_info_get(const struct tcp *t, uint32_t conn, struct tcp_info_row *out)
{
	const struct conn *c = find(t, conn);
	struct sockaddr_storage here, there;
	socklen_t a = sizeof(here), b = sizeof(there), n = sizeof(struct tcp_info);
	struct tcp_info i = {0};

	*out = (struct tcp_info_row){0};
	if (!c || c->state != OPEN || getsockname(c->fd, (struct sockaddr *)&here, &a) ||
	    getpeername(c->fd, (struct sockaddr *)&there, &b) || getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &i, &n))
		return false;
	out->local = tcp_sock_ip(&here, &out->local_port);
	out->remote = tcp_sock_ip(&there, &out->remote_port);
	out->mss = i.tcpi_snd_mss;
	out->rtt_us = i.tcpi_rtt;
	out->retrans = i.tcpi_total_retrans;
	out->ttl = c->peer < t->n_peers ? t->peer[c->peer].ttl : 0;
	return true;
}

void tcp_counters(const struct tcp *t, struct tcp_counters *out)
{
	*out = t->c;
}

/* ---- life ---- */

struct tcp *tcp_new(struct loop *loop, const struct tcp_ops *ops)
{
	struct tcp *t = xcalloc(1, sizeof(*t));

	t->loop = loop;
	t->ops = *ops;
	list_init(&t->listeners);
	list_init(&t->draining);
	for (unsigned i = 0; i < N_ELEMS(t->open); i++)
		list_init(&t->open[i]);
	t->n_open = 1; /* the owner */
	return t;
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	tcp_listen_close_all(t);
	list_each_safe (e, &t->draining)
		end(list_entry(e, struct conn, link));
	for (unsigned i = 0; i < N_ELEMS(t->open); i++)
		list_each_safe (e, &t->open[i])
			end(list_entry(e, struct conn, link));
	t->freed = true;
	tcp_release(t);
}

void tcp_config(struct tcp *t, uint16_t port, const struct tcp_peer *peers, uint32_t n)
{
	t->port = port;
	free(t->peer);
	t->peer = xcalloc(n + 1, sizeof(*t->peer));
	t->n_peers = n;
	if (n)
		memcpy(t->peer, peers, n * sizeof(*peers));
	tcp_listen_sync(t);
}

void tcp_peer_mss(struct tcp *t, uint32_t peer, uint16_t mss)
{
	if (peer >= t->n_peers || t->peer[peer].mss == mss)
		return;
	t->peer[peer].mss = mss;
	tcp_listen_resize(t);
}
