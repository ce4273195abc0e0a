/* TCP between the nodes: order is kept, nothing is lost but with the connection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/xalloc.h"
#include "tests/sim/bgp_sim.h"

static struct bgp_tcp_end *end_of(struct bgp_sim_node *n, uint32_t conn, struct bgp_tcp_link **link, unsigned *at)
{
	for (unsigned i = 0; i < BGP_SIM_LINKS; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct bgp_tcp_end *e = &n->s->link[i].end[k];

			if (!n->s->link[i].used || e->node != n || e->conn != conn || e->gone)
				continue;
			*link = &n->s->link[i];
			*at = k;
			return e;
		}
	return NULL;
}

/* To the other end of `from`; in order. */
static void post(struct bgp_sim *s, struct bgp_tcp_link *l, unsigned from, enum bgp_sim_kind kind, int err,
		 const uint8_t *b, size_t len)
{
	struct bgp_tcp_end *e = &l->end[from];
	struct bgp_sim_event ev = {
		.kind = kind, .link = (unsigned)(l - s->link), .serial = l->serial, .to = !from, .err = err};

	e->last = u64_max(e->last, s->now + bgp_sim_delay(s));
	ev.at = e->last;
	if (len) {
		ev.b = xcalloc(1, len);
		memcpy(ev.b, b, len);
		ev.len = len;
	}
	bgp_sim_push(s, ev);
}

static void release(struct bgp_tcp_link *l)
{
	if (l->end[0].gone && l->end[1].gone)
		l->used = false;
}

int bgp_tcp_connect(void *node, uint32_t peer, uint32_t conn)
{
	struct bgp_sim_node *n = node;
	struct bgp_sim *s = n->s;
	struct bgp_peer_info info;
	struct bgp_tcp_link *l = NULL;

	for (unsigned i = 0; i < BGP_SIM_LINKS && !l; i++)
		if (!s->link[i].used)
			l = &s->link[i];
	if (!l || !bgp_peer_info(n->b, peer, &info))
		abort();
	memset(l, 0, sizeof(*l));
	l->used = true;
	l->serial = ++s->serial;
	l->end[0].node = n;
	l->end[0].conn = conn;
	for (unsigned i = 0; i < s->n; i++)
		if (ip_equal(&s->node[i].addr, &info.cfg->addr))
			l->end[1].node = &s->node[i];
	post(s, l, 0, BGP_SIM_SYN, 0, NULL, 0);
	return 0;
}

size_t bgp_tcp_send(void *node, uint32_t conn, const uint8_t *b, size_t len)
{
	struct bgp_sim_node *n = node;
	struct bgp_sim *s = n->s;
	struct bgp_tcp_link *l;
	unsigned at;
	struct bgp_tcp_end *e = end_of(n, conn, &l, &at);
	size_t done = 0;

	if (!e || !e->open || e->fin) {
		fprintf(stderr, "bgp_sim: seed %llu: node %u sends on a connection that is not open\n",
			(unsigned long long)s->seed, n->id);
		abort();
	}
	while (done < len && e->inflight < s->window) {
		size_t piece = len - done;

		if (piece > s->window - e->inflight)
			piece = s->window - e->inflight;
		if (piece > s->segment)
			piece = 1 + bgp_sim_random(s, (uint32_t)s->segment);
		post(s, l, at, BGP_SIM_DATA, 0, b + done, piece);
		e->inflight += piece;
		done += piece;
	}
	e->blocked = done < len;
	return done;
}

void bgp_tcp_close(void *node, uint32_t conn)
{
	struct bgp_sim_node *n = node;
	struct bgp_tcp_link *l;
	unsigned at;
	struct bgp_tcp_end *e = end_of(n, conn, &l, &at);

	if (!e) {
		fprintf(stderr, "bgp_sim: seed %llu: node %u closes what is not its own\n",
			(unsigned long long)n->s->seed, n->id);
		abort();
	}
	post(n->s, l, at, BGP_SIM_FIN, 0, NULL, 0);
	e->gone = true;
	e->conn = 0;
	release(l);
}

/* The end hears that the connection is over. */
static void over(struct bgp_sim *s, struct bgp_tcp_link *l, unsigned at, int err)
{
	struct bgp_tcp_end *e = &l->end[at];
	uint32_t conn = e->conn;

	if (e->gone)
		return;
	e->gone = true;
	e->conn = 0;
	release(l);
	if (!e->node->b || !conn)
		return;
	bgp_sim_enter(e->node);
	bgp_closed(e->node->b, conn, err, s->now);
	bgp_sim_leave(e->node);
}

static void on_syn(struct bgp_sim *s, struct bgp_tcp_link *l)
{
	struct bgp_tcp_end *e = &l->end[1];
	struct bgp_sim_node *n = e->node;
	uint32_t conn = 0;

	if (l->end[0].gone) { /* given up meanwhile */
		e->gone = true;
		release(l);
		return;
	}
	if (n->b) {
		bgp_sim_enter(n);
		conn = bgp_accepted(n->b, bgp_peer_by_addr(n->b, &l->end[0].node->addr), &n->addr, s->now);
		if (conn) {
			e->conn = conn;
			e->open = true;
		}
		bgp_sim_leave(n);
	}
	if (conn || (n->b && s->accept_late))
		post(s, l, 1, BGP_SIM_OPENED, 0, NULL, 0);
	if (!conn) {
		post(s, l, 1, n->b && s->accept_late ? BGP_SIM_FIN : BGP_SIM_RESET, -ECONNREFUSED, NULL, 0);
		e->gone = true;
	}
}

static void on_opened(struct bgp_sim *s, struct bgp_tcp_link *l)
{
	struct bgp_tcp_end *e = &l->end[0];

	if (e->gone || !e->node->b)
		return;
	e->open = true;
	bgp_sim_enter(e->node);
	bgp_connected(e->node->b, e->conn, &e->node->addr, s->now);
	bgp_sim_leave(e->node);
}

static void on_data(struct bgp_sim *s, struct bgp_tcp_link *l, const struct bgp_sim_event *ev)
{
	struct bgp_tcp_end *e = &l->end[ev->to], *from = &l->end[!ev->to];

	from->inflight -= ev->len;
	if (e->gone) {
		if (!from->gone)
			post(s, l, ev->to, BGP_SIM_RESET, -ECONNRESET, NULL, 0);
		return;
	}
	bgp_sim_enter(e->node);
	bgp_input(e->node->b, e->conn, ev->b, ev->len, s->now);
	bgp_sim_leave(e->node);
	if (from->gone || !from->blocked || !from->node->b)
		return;
	from->blocked = false;
	bgp_sim_enter(from->node);
	bgp_writable(from->node->b, from->conn, s->now);
	bgp_sim_leave(from->node);
}

void bgp_tcp_handle(struct bgp_sim *s, struct bgp_sim_event *ev)
{
	struct bgp_tcp_link *l = &s->link[ev->link];

	if (!l->used || l->serial != ev->serial)
		return;
	switch (ev->kind) {
	case BGP_SIM_SYN:
		on_syn(s, l);
		break;
	case BGP_SIM_OPENED:
		on_opened(s, l);
		break;
	case BGP_SIM_DATA:
		on_data(s, l, ev);
		break;
	case BGP_SIM_FIN:
		over(s, l, ev->to, 0);
		break;
	case BGP_SIM_RESET:
		over(s, l, ev->to, ev->err);
		break;
	case BGP_SIM_NEXTHOP:
		break;
	}
}

void bgp_tcp_break(struct bgp_sim *s, bool half)
{
	unsigned n = bgp_tcp_open(s), pick = n ? bgp_sim_random(s, n) : 0;

	for (unsigned i = 0; i < BGP_SIM_LINKS && n; i++) {
		struct bgp_tcp_link *l = &s->link[i];

		if (!l->used || !l->end[0].open || !l->end[1].open || pick-- != 0)
			continue;
		over(s, l, 0, -ETIMEDOUT);
		if (!half && l->used)
			over(s, l, 1, -ETIMEDOUT);
		return;
	}
}

void bgp_tcp_node_died(struct bgp_sim_node *n, bool rst)
{
	struct bgp_sim *s = n->s;

	for (unsigned i = 0; i < BGP_SIM_LINKS; i++)
		for (unsigned k = 0; k < 2; k++) {
			struct bgp_tcp_link *l = &s->link[i];
			struct bgp_tcp_end *e = &l->end[k];

			if (!l->used || e->node != n || e->gone)
				continue;
			if (k == 1 && !e->conn)
				continue; /* its SYN is still under way */
			if (rst)
				post(s, l, k, BGP_SIM_RESET, -ECONNRESET, NULL, 0);
			e->gone = true;
			e->conn = 0;
			release(l);
		}
}

unsigned bgp_tcp_open(const struct bgp_sim *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BGP_SIM_LINKS; i++)
		n += s->link[i].used && s->link[i].end[0].open && s->link[i].end[1].open;
	return n;
}
