#include "controlplane/tcp_listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/tcp_sock.h"

enum { BACKLOG = 64, ACCEPTS_PER_TURN = 16, PAUSE_MS = 200, REFUSED_LOG_MS = 1000 };

struct listener {
	struct list link;
	struct tcp *t;
	struct ip_addr addr; /* b zero: any */
	uint16_t port;
	int fd; /* -1: not open; the timer tries again */
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned n_open; /* handles */
	bool polling;    /* poll is initialized */
	bool wanted;
	struct ip_addr *keyed; /* peers whose key the socket has */
	unsigned n_keyed;
};

/* ---- one listener ---- */

static void handle_closed(uv_handle_t *h)
{
	struct listener *l = h->data;
	struct tcp *t = l->t;

	if (!--l->n_open) {
		free(l->keyed);
		free(l);
	}
	tcp_release(t);
}

static void shut(struct listener *l)
{
	list_del(&l->link);
	uv_close((uv_handle_t *)&l->timer, handle_closed);
	if (l->polling)
		uv_close((uv_handle_t *)&l->poll, handle_closed);
	if (l->fd >= 0)
		close(l->fd);
}

static bool is_of(const struct listener *l, const struct tcp_peer *p)
{
	if (!p->accept || p->addr.family != l->addr.family)
		return false;
	return p->source.family == IP_NONE ? ip_is_any(&l->addr) : ip_equal(&p->source, &l->addr);
}

static struct ip_addr address_for(const struct tcp_peer *p)
{
	return p->source.family == IP_NONE ? (struct ip_addr){.family = p->addr.family} : p->source;
}

/* ---- connections ---- */

static void refuse(struct listener *l, int fd, const struct ip_addr *from, const char *cause)
{
	char peer[IP_STR], local[IP_STR];

	uint64_t now = loop_now_ms();

	close(fd);
	l->t->c.refused++;
	if (l->t->refused_ms && now - l->t->refused_ms < REFUSED_LOG_MS) {
		l->t->refused_mum++;
		return;
	}
	log_warn(LOG_BGP,
		 "event=connection-refused from=%s to=%s cause=\"%s\" not-shown=%llu remedy=\"configure it under bgp: "
		 "peers:, or stop it there\"",
		 ip_str(from, peer), ip_str(&l->addr, local), cause, (unsigned long long)l->t->refused_mum);
	l->t->refused_ms = now;
	l->t->refused_mum = 0;
}

static void admit(struct listener *l, int fd, const struct sockaddr_storage *from)
{
	struct ip_addr remote = tcp_sock_ip(from, NULL);
	struct tcp *t = l->t;
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);
	bool known = false;

	for (uint32_t i = 0; i < t->n_peers; i++) {
		struct ip_addr local;

		if (!ip_equal(&t->peer[i].addr, &remote))
			continue;
		known = true;
		if (!is_of(l, &t->peer[i]))
			continue;
		if (getsockname(fd, (struct sockaddr *)&s, &len)) { /* gone already */
			close(fd);
			return;
		}
		local = tcp_sock_ip(&s, NULL);
		tcp_take(t, i, fd, &local);
		return;
	}
	refuse(l, fd, &remote,
	       known ? "this peer shall not connect, or not to this address: see its connect: and source:"
		     : "no BGP peer has this address");
}

static void polled(uv_poll_t *p, int status, int events);

static void pause_over(uv_timer_t *timer)
{
	struct listener *l = timer->data;

	uv_poll_start(&l->poll, UV_READABLE, polled);
}

static void polled(uv_poll_t *p, int status UNUSED, int events UNUSED)
{
	struct listener *l = p->data;

	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(l, fd, &from);
			continue;
		}
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
			return; /* none waits, or it went away before we took it */
		log_warn(LOG_BGP, "cause=\"cannot take a connection: %s\" remedy=\"raise LimitNOFILE\"",
			 err_str(errno));
		uv_poll_stop(&l->poll); /* it would be ready without end */
		uv_timer_start(&l->timer, pause_over, PAUSE_MS, 0);
		return;
	}
}

/* ---- options ---- */

/* The SYN-ACK leaves before we know who it was: the largest TTL and the smallest size of the peers here fit all of them. */
static void set_common(struct listener *l)
{
	uint8_t ttl = 1;
	uint16_t mss = 0;

	for (uint32_t i = 0; i < l->t->n_peers; i++) {
		const struct tcp_peer *p = &l->t->peer[i];

		if (!is_of(l, p))
			continue;
		ttl = p->ttl > ttl ? p->ttl : ttl;
		if (p->mss && (!mss || p->mss < mss))
			mss = p->mss;
	}
	(void)!tcp_sock_ttl(l->fd, l->addr.family, ttl);
	(void)!tcp_sock_mss(l->fd, mss);
}

static void say_unprotected(const struct tcp_peer *p, const char *what, int rc)
{
	char text[IP_STR];

	log_err(LOG_BGP,
		"peer=%s cause=\"the kernel takes no %s: %s\" remedy=\"until it does, this peer is not let in\"",
		ip_str(&p->addr, text), what, err_str(rc));
}

/* New keys before old ones go: a peer in both never is without. */
static void set_keys(struct listener *l)
{
	struct tcp *t = l->t;
	struct ip_addr *now = xcalloc(t->n_peers + 1, sizeof(*now));
	unsigned n = 0;

	for (uint32_t i = 0; i < t->n_peers; i++) {
		struct tcp_peer *p = &t->peer[i];
		int rc;

		if (!is_of(l, p) || !p->password)
			continue;
		rc = tcp_sock_md5(l->fd, &p->addr, p->password);
		if (rc) {
			say_unprotected(p, "TCP-MD5 key", rc);
			p->accept = false;
			continue;
		}
		now[n++] = p->addr;
	}
	for (unsigned i = 0; i < l->n_keyed; i++) {
		bool stays = false;

		for (unsigned k = 0; k < n && !stays; k++)
			stays = ip_equal(&now[k], &l->keyed[i]);
		if (!stays)
			(void)!tcp_sock_md5(l->fd, &l->keyed[i], NULL);
	}
	free(l->keyed);
	l->keyed = now;
	l->n_keyed = n;
}

/* What all peers there ask for, the listener asks for itself, and what it accepts inherits it. Beyond that a filter tells peer from
 * peer, but some kernels let nobody without CAP_NET_ADMIN attach one. */
static void set_gtsm(struct listener *l)
{
	struct tcp *t = l->t;
	struct tcp_sock_gtsm *rows = xcalloc(t->n_peers + 1, sizeof(*rows));
	uint8_t least = UINT8_MAX, most = 0;
	unsigned n = 0;
	int all, rc;

	for (uint32_t i = 0; i < t->n_peers; i++) {
		uint8_t min = t->peer[i].min_ttl;

		if (!is_of(l, &t->peer[i]))
			continue;
		least = min < least ? min : least;
		most = min > most ? min : most;
		if (min)
			rows[n++] = (struct tcp_sock_gtsm){t->peer[i].addr, min};
	}
	all = tcp_sock_min_ttl(l->fd, l->addr.family, n ? least : 0);
	rc = tcp_sock_gtsm(l->fd, l->addr.family, rows, n);
	if (rc && (all || least != most)) /* the accepted socket still refuses what comes from afar */
		log_warn(LOG_BGP, "peers=%u cause=\"GTSM does not cover SYNs: %s\"", n, err_str(rc));
	free(rows);
}

static void set_options(struct listener *l)
{
	set_common(l);
	set_keys(l);
	set_gtsm(l);
}

/* ---- opening ---- */

static int bind_to(struct listener *l)
{
	struct sockaddr_storage s;
	socklen_t len = tcp_sock_addr(&l->addr, l->port, &s);
	bool v6 = l->addr.family == IP_V6;
	int one = 1, fd = tcp_sock_new(l->addr.family);

	if (fd < 0)
		return fd;
	l->fd = fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one));
	set_options(l); /* before listen(): no SYN is answered without them */
	if (!bind(fd, (struct sockaddr *)&s, len) && !listen(fd, BACKLOG))
		return 0;
	l->fd = -errno;
	close(fd);
	l->n_keyed = 0;
	fd = l->fd;
	l->fd = -1;
	return fd;
}

static const char *remedy(int rc)
{
	if (rc == -EACCES)
		return "the control plane keeps CAP_NET_BIND_SERVICE for it: start it as root or by its unit, or give "
		       "bgp: "
		       "port: above 1023";
	if (rc == -EADDRINUSE)
		return "another BGP speaker listens there: stop it (ss -ltnp), or give another bgp: port:";
	return "it is tried again every 5 s";
}

static void try_open(uv_timer_t *timer)
{
	struct listener *l = timer->data;
	char text[IP_STR];
	int rc = bind_to(l);

	if (rc) {
		log_warn(LOG_BGP, "event=listen-failed address=%s port=%u cause=\"%s\" remedy=\"%s\"",
			 ip_str(&l->addr, text), l->port, err_str(rc), remedy(rc));
		uv_timer_start(&l->timer, try_open, TCP_LISTEN_RETRY_MS, 0);
		return;
	}
	uv_poll_init(&l->t->loop->uv, &l->poll, l->fd);
	l->poll.data = l;
	l->polling = true;
	l->n_open++;
	l->t->n_open++;
	uv_poll_start(&l->poll, UV_READABLE, polled);
	log_debug(LOG_BGP, "event=listening address=%s port=%u", ip_str(&l->addr, text), l->port);
}

static struct listener *want(struct tcp *t, const struct ip_addr *addr)
{
	struct listener *l;

	list_each (e, &t->listeners) {
		l = list_entry(e, struct listener, link);
		if (l->port == t->port && ip_equal(&l->addr, addr))
			return l;
	}
	l = xcalloc(1, sizeof(*l));
	l->t = t;
	l->addr = *addr;
	l->port = t->port;
	l->fd = -1;
	l->n_open = 1;
	t->n_open++;
	uv_timer_init(&t->loop->uv, &l->timer);
	l->timer.data = l;
	list_add_tail(&t->listeners, &l->link);
	return l;
}

void tcp_listen_sync(struct tcp *t)
{
	list_each (e, &t->listeners)
		list_entry(e, struct listener, link)->wanted = false;
	for (uint32_t i = 0; i < t->n_peers; i++) {
		struct ip_addr addr = address_for(&t->peer[i]);

		if (t->peer[i].accept && t->peer[i].addr.family != IP_NONE)
			want(t, &addr)->wanted = true;
	}
	/* first those that go: a new one may take the place of an old one */
	list_each_safe (e, &t->listeners) {
		struct listener *l = list_entry(e, struct listener, link);

		if (!l->wanted)
			shut(l);
	}
	list_each_safe (e, &t->listeners) {
		struct listener *l = list_entry(e, struct listener, link);

		if (l->fd >= 0)
			set_options(l);
		else
			try_open(&l->timer);
	}
}

void tcp_listen_resize(struct tcp *t)
{
	list_each (e, &t->listeners)
		if (list_entry(e, struct listener, link)->fd >= 0)
			set_common(list_entry(e, struct listener, link));
}

void tcp_listen_close_all(struct tcp *t)
{
	list_each_safe (e, &t->listeners)
		shut(list_entry(e, struct listener, link));
}
