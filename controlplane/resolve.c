#include "controlplane/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"

struct resolve {
	struct tunnels *ts; /* NULL: freed, the last answer frees the rest */
	uv_loop_t *uv;
	uv_timer_t timer;
	uint32_t next; /* tunnel to look at */
	unsigned asking;
	bool failed; /* something of this round has */
	bool closed;
};

struct question {
	uv_getaddrinfo_t req;
	struct resolve *r;
	char tunnel[CFG_NAME_MAX], host[256]; /* the tunnel may be another one when the answer comes */
};

static void ask_some(struct resolve *r);

static void free_if_done(struct resolve *r)
{
	if (r->closed && !r->asking)
		free(r);
}

static bool still_there(const struct addrinfo *list, const struct ip_addr *a)
{
	for (; list; list = list->ai_next) {
		const struct sockaddr_in *in = (const void *)list->ai_addr;
		struct ip_addr b;

		if (list->ai_family != AF_INET)
			continue;
		b = ip_from_bytes(IP_V4, &in->sin_addr);
		if (ip_equal(a, &b))
			return true;
	}
	return false;
}

static void take_answer(struct tunnel *t, const struct addrinfo *list)
{
	char text[IP_STR];

	if (t->resolved && still_there(list, &t->peer))
		return;
	for (; list; list = list->ai_next) {
		const struct sockaddr_in *in = (const void *)list->ai_addr;

		if (list->ai_family != AF_INET)
			continue;
		t->peer = ip_from_bytes(IP_V4, &in->sin_addr);
		t->resolved = true;
		log_info(LOG_IKE, "tunnel=%s event=peer-resolved name=%s address=%s", t->cfg.name, t->cfg.remote.name,
			 ip_str(&t->peer, text));
		return;
	}
}

static void answered(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct question *q = req->data;
	struct resolve *r = q->r;
	struct tunnel *t = r->ts ? tunnels_find(r->ts, q->tunnel) : NULL;

	r->asking--;
	if (t && !strcmp(t->cfg.remote.name, q->host)) {
		if (status) {
			r->failed = true;
			log_warn(LOG_IKE, "tunnel=%s event=peer-not-resolved name=%s cause=\"%s\"", t->cfg.name,
				 q->host, uv_strerror(status));
		} else {
			take_answer(t, list);
		}
	}
	uv_freeaddrinfo(list);
	free(q);
	if (r->ts)
		ask_some(r);
	else
		free_if_done(r);
}

static void ask(struct resolve *r, const struct tunnel *t)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
	struct question *q = xcalloc(1, sizeof(*q));

	q->r = r;
	q->req.data = q;
	memcpy(q->tunnel, t->cfg.name, sizeof(q->tunnel));
	memcpy(q->host, t->cfg.remote.name, sizeof(q->host));
	if (uv_getaddrinfo(r->uv, &q->req, answered, q->host, NULL, &hints)) {
		r->failed = true;
		free(q);
		return;
	}
	r->asking++;
}

static void due(uv_timer_t *timer)
{
	struct resolve *r = timer->data;

	r->next = 0;
	r->failed = false;
	ask_some(r);
}

/* Go on with the round; at its end set the time of the next. */
static void ask_some(struct resolve *r)
{
	for (; r->next < r->ts->n && r->asking < RESOLVE_PARALLEL; r->next++) {
		const struct tunnel *t = r->ts->t[r->next];

		if (t && t->wanted && t->cfg.remote.name[0])
			ask(r, t);
	}
	if (r->next >= r->ts->n && !r->asking)
		uv_timer_start(&r->timer, due, r->failed ? RESOLVE_RETRY_MS : RESOLVE_AGAIN_MS, 0);
}

struct resolve *resolve_new(struct loop *loop, struct tunnels *ts)
{
	struct resolve *r = xcalloc(1, sizeof(*r));

	r->ts = ts;
	r->uv = &loop->uv;
	uv_timer_init(&loop->uv, &r->timer);
	r->timer.data = r;
	return r;
}

void resolve_kick(struct resolve *r)
{
	uv_timer_start(&r->timer, due, 0, 0);
}

static void timer_closed(uv_handle_t *h)
{
	struct resolve *r = h->data;

	r->closed = true;
	free_if_done(r);
}

void resolve_free(struct resolve *r)
{
	if (!r)
		return;
	r->ts = NULL;
	uv_close((uv_handle_t *)&r->timer, timer_closed);
}
