#include "controlplane/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/wr.h"
#include "base/xalloc.h"

enum { BACKLOG = 16 };

struct client {
	struct list link;
	struct status *s;
	uv_pipe_t pipe;
	uv_timer_t timer; /* silence, or the end of a wait */
	unsigned n_open;  /* handles */
	bool closing;
	bool last;    /* close when the reply has left */
	bool waiting; /* for tunnel `index` */
	uint32_t index;
	uint32_t ticket; /* it waits for this answer; 0: it does not */
	struct status_frame frame;
	char *more; /* octets behind the frame that is being answered */
	size_t n_more;
	char in[4096];
};

struct reply {
	uv_write_t req;
	struct client *c;
	uint8_t head[4];
	char *text;
};

struct status {
	struct loop *loop;
	struct status_ops ops;
	uv_pipe_t listener;
	struct list clients;
	unsigned n_clients;
	uint32_t last_ticket;
};

static void client_read(struct client *c);

static void handle_closed(uv_handle_t *h)
{
	struct client *c = h->data;

	if (--c->n_open)
		return;
	status_req_reset(&c->frame);
	free(c->more);
	free(c);
}

static void client_close(struct client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	list_del(&c->link);
	c->s->n_clients--;
	uv_close((uv_handle_t *)&c->pipe, handle_closed);
	uv_close((uv_handle_t *)&c->timer, handle_closed);
}

static void silent_too_long(uv_timer_t *t)
{
	client_close(t->data);
}

/* ---- replies ---- */

static void reply_written(uv_write_t *req, int status)
{
	struct reply *r = req->data;
	struct client *c = r->c;

	free(r->text);
	free(r);
	if (c->closing)
		return;
	if (status || c->last) {
		client_close(c);
		return;
	}
	client_read(c);
}

/* Takes doc over. */
static void client_reply(struct client *c, json_t *doc)
{
	struct reply *r = xcalloc(1, sizeof(*r));
	struct wr w = wr_of(r->head, sizeof(r->head));
	uv_buf_t bufs[2];
	size_t len;

	r->c = c;
	r->req.data = r;
	r->text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!r->text || strlen(r->text) > UINT32_MAX) {
		free(r->text);
		free(r);
		client_close(c);
		return;
	}
	len = strlen(r->text);
	wr_u32(&w, (uint32_t)len);
	bufs[0] = uv_buf_init((char *)r->head, sizeof(r->head));
	bufs[1] = uv_buf_init(r->text, (unsigned)len);
	uv_timer_start(&c->timer, silent_too_long, STATUS_IDLE_MS, 0);
	if (uv_write(&r->req, (uv_stream_t *)&c->pipe, bufs, 2, reply_written)) {
		free(r->text);
		free(r);
		client_close(c);
	}
}

static void reply_error(struct client *c, const char *why)
{
	client_reply(c, json_pack("{s:b, s:s%}", "ok", 0, "error", why, strlen(why)));
}

static void reply_ok(struct client *c, json_t *data)
{
	client_reply(c, json_pack("{s:b, s:o}", "ok", 1, "data", data));
}

/* ---- requests ---- */

static void waited_too_long(uv_timer_t *t)
{
	struct client *c = t->data;
	char why[STATUS_WHY_MAX] = "", text[STATUS_WHY_MAX + 64];

	c->waiting = false;
	c->s->ops.cause(c->s->ops.ctx, c->index, why, sizeof(why));
	snprintf(text, sizeof(text), "it did not come up in that time: %s",
		 why[0] ? why : "there is no answer from the peer yet; is its address right, and is it reachable?");
	reply_error(c, text);
}

static void do_tunnel(struct client *c, const struct status_req *req)
{
	char why[STATUS_WHY_MAX] = "";
	int rc = c->s->ops.tunnel(c->s->ops.ctx, req, why, sizeof(why));

	if (rc < 0) {
		reply_error(c, why[0] ? why : err_str(rc));
	} else if (rc == 0 || !req->wait_s) {
		reply_ok(c, json_array());
	} else {
		c->waiting = true;
		c->index = (uint32_t)rc - 1;
		uv_timer_start(&c->timer, waited_too_long, (uint64_t)req->wait_s * 1000, 0);
	}
}

static void ticket_too_late(uv_timer_t *t)
{
	struct client *c = t->data;

	c->ticket = 0;
	reply_error(c, "the data plane did not answer: see its log, and `gwctl show workers`");
}

static void do_show(struct client *c, const struct status_req *req)
{
	struct status_answer a = {0};

	c->s->ops.show(c->s->ops.ctx, req, &a);
	if (a.data) {
		reply_ok(c, a.data);
	} else if (a.ticket) {
		c->ticket = a.ticket;
		uv_timer_start(&c->timer, ticket_too_late, STATUS_TICKET_MS, 0);
	} else {
		reply_error(c, a.why);
	}
}

static void do_bgp(struct client *c, const struct status_req *req)
{
	char why[STATUS_WHY_MAX] = "";
	int rc = c->s->ops.bgp(c->s->ops.ctx, req, why, sizeof(why));

	if (rc)
		reply_error(c, why[0] ? why : err_str(rc));
	else
		reply_ok(c, json_array());
}

static void answer(struct client *c)
{
	char why[STATUS_WHY_MAX] = "";
	struct status_req req;
	int rc = status_req_parse(c->frame.body, c->frame.len, &req, why, sizeof(why));

	status_req_reset(&c->frame);
	if (rc)
		reply_error(c, why);
	else if (req.op == STATUS_SHOW)
		do_show(c, &req);
	else if (req.op == STATUS_BGP)
		do_bgp(c, &req);
	else
		do_tunnel(c, &req);
}

void status_settle(struct status *s, uint32_t index, const char *cause)
{
	list_each_safe (e, &s->clients) {
		struct client *c = list_entry(e, struct client, link);

		if (!c->waiting || c->index != index)
			continue;
		c->waiting = false;
		if (cause)
			reply_error(c, cause);
		else
			reply_ok(c, json_array());
	}
}

uint32_t status_ticket(struct status *s)
{
	if (!++s->last_ticket)
		s->last_ticket = 1;
	return s->last_ticket;
}

void status_answer(struct status *s, uint32_t ticket, json_t *data, const char *why)
{
	list_each_safe (e, &s->clients) {
		struct client *c = list_entry(e, struct client, link);

		if (!ticket || c->ticket != ticket)
			continue;
		c->ticket = 0;
		if (data)
			reply_ok(c, json_incref(data));
		else
			reply_error(c, why);
	}
	json_decref(data);
}

/* ---- reading ---- */

static void keep_more(struct client *c, const char *data, size_t len)
{
	char *old = c->more;

	c->more = len ? xcalloc(1, len) : NULL;
	c->n_more = len;
	if (len)
		memcpy(c->more, data, len);
	free(old); /* data may point into it */
}

/* false: the frame is not whole yet. */
static bool client_feed(struct client *c, const char *data, size_t len)
{
	size_t used;
	int rc = status_req_frame(&c->frame, data, len, &used);

	if (rc == 0) {
		keep_more(c, NULL, 0);
		return false;
	}
	uv_read_stop((uv_stream_t *)&c->pipe);
	if (rc < 0) {
		c->last = true; /* what follows cannot be framed any more */
		keep_more(c, NULL, 0);
		reply_error(c, "a frame is 1 octet to 1 MiB: send a 32-bit big-endian length and that much JSON");
		return true;
	}
	keep_more(c, data + used, len - used);
	answer(c);
	return true;
}

static void give_buf(uv_handle_t *h, size_t want UNUSED, uv_buf_t *buf)
{
	struct client *c = h->data;

	*buf = uv_buf_init(c->in, sizeof(c->in));
}

static void got_octets(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = stream->data;

	if (n < 0)
		client_close(c);
	else if (n > 0)
		client_feed(c, buf->base, (size_t)n);
}

/* On with the next request: first what came together with the last one. */
static void client_read(struct client *c)
{
	if (c->n_more && client_feed(c, c->more, c->n_more))
		return;
	uv_timer_start(&c->timer, silent_too_long, STATUS_IDLE_MS, 0);
	if (uv_read_start((uv_stream_t *)&c->pipe, give_buf, got_octets))
		client_close(c);
}

/* ---- connections ---- */

static bool allowed(int fd)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len))
		return false;
	if (u.uid == 0 || u.uid == geteuid())
		return true;
	log_warn(LOG_MGMT, "event=client-refused uid=%u pid=%d cause=\"only root and our own user may speak here\"",
		 u.uid, u.pid);
	return false;
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct status *s = listener->data;
	struct client *c;
	uv_os_fd_t fd;

	if (status)
		return;
	c = xcalloc(1, sizeof(*c));
	c->s = s;
	c->n_open = 2;
	uv_pipe_init(&s->loop->uv, &c->pipe, 0);
	uv_timer_init(&s->loop->uv, &c->timer);
	c->pipe.data = c->timer.data = c;
	list_add_tail(&s->clients, &c->link);
	s->n_clients++;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) || uv_fileno((uv_handle_t *)&c->pipe, &fd) || !allowed(fd)) {
		client_close(c);
	} else if (s->n_clients > STATUS_CLIENTS_MAX) {
		log_warn(LOG_MGMT, "event=client-refused cause=\"%d connections are open\"", STATUS_CLIENTS_MAX);
		client_close(c);
	} else {
		client_read(c);
	}
}

/* 0; -EADDRINUSE: somebody answers there, or it is no socket. */
static int remove_old(const struct sockaddr_un *a)
{
	struct stat st;
	int fd, rc;

	if (lstat(a->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
	close(fd);
	if (!rc || rc == EAGAIN)
		return -EADDRINUSE;
	return unlink(a->sun_path) ? -errno : 0;
}

int status_listen(const char *path, uint32_t uid, uint32_t gid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path));
	rc = remove_old(&a);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* nobody can connect before listen(), so mode and owner are in force in time */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(path, 0600) || lchown(path, uid, gid) ||
	    listen(fd, BACKLOG)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void free_closed(uv_handle_t *h)
{
	free(h->data);
}

struct status *status_new(struct loop *loop, int fd, const struct status_ops *ops)
{
	struct status *s = xcalloc(1, sizeof(*s));
	int rc;

	s->loop = loop;
	s->ops = *ops;
	list_init(&s->clients);
	uv_pipe_init(&loop->uv, &s->listener, 0);
	s->listener.data = s;
	rc = uv_pipe_open(&s->listener, fd);
	if (!rc)
		rc = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
	if (rc) {
		uv_close((uv_handle_t *)&s->listener, free_closed);
		errno = -rc;
		return NULL;
	}
	return s;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	list_each_safe (e, &s->clients)
		client_close(list_entry(e, struct client, link));
	uv_close((uv_handle_t *)&s->listener, free_closed);
}

unsigned status_clients(const struct status *s)
{
	return s->n_clients;
}
