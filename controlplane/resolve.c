#include "controlplane/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"

struct resolve {
	struct tunnels *ts; /* NULL: freed, the last answer frees the rest */
	bool (*usable)(void *ctx, const struct tunnel *t, uint8_t family);
	void *ctx;
	uv_loop_t *uv;
	uv_timer_t timer;
	uint32_t next; /* tunnel to look at */
	unsigned asking;
	bool round;  /* under way */
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

/* ---- an answer ---- */

static struct ip_addr addr_of(const struct addrinfo *i)
{
	const struct sockaddr_in *in = (const void *)i->ai_addr;
	const struct sockaddr_in6 *in6 = (const void *)i->ai_addr;

	if (i->ai_family == AF_INET)
		return ip_from_bytes(IP_V4, &in->sin_addr);
	if (i->ai_family == AF_INET6)
		return ip_from_bytes(IP_V6, &in6->sin6_addr);
	return (struct ip_addr){.family = IP_NONE};
}

static bool known(const struct ip_addr *list, unsigned n, const struct ip_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_equal(&list[i], a))
			return true;
	return false;
}

static void use(struct tunnel *t, unsigned at)
{
	char now[IP_STR], before[IP_STR];
	bool had = t->peer.family != IP_NONE, same = ip_equal(&t->peer, &t->name_addr[at]);

	t->name_at = (uint8_t)at;
	if (t->resolved && same)
		return;
	log_info(LOG_IKE, "tunnel=%s event=peer-resolved name=%s address=%s was=%s of=%u", t->cfg.name,
		 t->cfg.remote.name, ip_str(&t->name_addr[at], now), had ? ip_str(&t->peer, before) : "-",
		 t->n_name_addr);
	t->peer = t->name_addr[at];
	t->resolved = true;
}

/* Where the address in use is in the list; 0, its first, where it is not. */
static unsigned place_of(const struct tunnel *t)
{
	for (unsigned i = 0; i < t->n_name_addr; i++)
		if (ip_equal(&t->name_addr[i], &t->peer))
			return i;
	return 0;
}

static void take_answer(const struct resolve *r, struct tunnel *t, const struct addrinfo *list)
{
	struct ip_addr got[TUNNELS_ADDRS_MAX];
	unsigned n = 0;

	for (; list && n < TUNNELS_ADDRS_MAX; list = list->ai_next) {
		struct ip_addr a = addr_of(list);

		if (a.family != IP_NONE && !ip_is_any(&a) && r->usable(r->ctx, t, a.family) && !known(got, n, &a))
			got[n++] = a;
	}
	if (!n) {
		log_warn(LOG_IKE,
			 "tunnel=%s event=peer-not-resolved name=%s cause=\"it has no address of a family that port %s "
			 "has\" remedy=\"give the port an address of the other family, or the name another one\"",
			 t->cfg.name, t->cfg.remote.name, t->cfg.local.port);
		return;
	}
	memcpy(t->name_addr, got, n * sizeof(got[0]));
	t->n_name_addr = (uint8_t)n;
	if (t->resolved && t->up_since_ms)
		t->name_at = (uint8_t)place_of(t); /* it works: let it */
	else
		use(t, place_of(t));
}

static void answered(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct question *q = req->data;
	struct resolve *r = q->r;
	struct tunnel *t = r->ts ? tunnels_find(r->ts, q->tunnel) : NULL;

	r->asking--;
	if (t)
		t->asking = false;
	if (t && !strcmp(t->cfg.remote.name, q->host)) {
		if (status) {
			r->failed = true;
			log_warn(LOG_IKE, "tunnel=%s event=peer-not-resolved name=%s cause=\"%s\"", t->cfg.name,
				 q->host, uv_strerror(status));
		} else {
			take_answer(r, t, list);
		}
	}
	uv_freeaddrinfo(list);
	free(q);
	if (r->ts)
		ask_some(r);
	else
		free_if_done(r);
}

/* ---- questions ---- */

static void ask(struct resolve *r, struct tunnel *t)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
	struct question *q;

	if (t->asking)
		return;
	q = xcalloc(1, sizeof(*q));
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
	t->asking = true;
	t->asked_ms = loop_now_ms();
}

static void due(uv_timer_t *timer)
{
	struct resolve *r = timer->data;

	r->next = 0;
	r->failed = false;
	r->round = true;
	ask_some(r);
}

/* Go on with the round; at its end set the time of the next. */
static void ask_some(struct resolve *r)
{
	if (!r->round)
		return;
	for (; r->next < r->ts->n && r->asking < RESOLVE_PARALLEL; r->next++) {
		struct tunnel *t = r->ts->t[r->next];

		if (t && t->wanted && t->cfg.remote.name[0])
			ask(r, t);
	}
	if (r->next < r->ts->n || r->asking)
		return;
	r->round = false;
	uv_timer_start(&r->timer, due, r->failed ? RESOLVE_RETRY_MS : RESOLVE_AGAIN_MS, 0);
}

void resolve_failed(struct resolve *r, struct tunnel *t)
{
	if (!r || !r->ts || !t->cfg.remote.name[0] || !t->wanted)
		return;
	if (t->n_name_addr && !known(t->name_addr, t->n_name_addr, &t->peer))
		use(t, 0);
	else if (t->n_name_addr > 1)
		use(t, (t->name_at + 1u) % t->n_name_addr);
	if (r->asking < RESOLVE_PARALLEL && (!t->asked_ms || loop_now_ms() - t->asked_ms >= RESOLVE_RETRY_MS))
		ask(r, t);
}

/* ---- life ---- */

struct resolve *resolve_new(struct loop *loop, struct tunnels *ts,
			    bool (*usable)(void *ctx, const struct tunnel *t, uint8_t family), void *ctx)
{
	struct resolve *r = xcalloc(1, sizeof(*r));

	r->ts = ts;
	r->usable = usable;
	r->ctx = ctx;
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
