/* Own addresses and tunnels in the data plane. */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/dp_ts.h"
#include "controlplane/feed_state.h"

/* ---- addresses ---- */

static void want_addr(struct feed *f, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < f->n_addr; i++)
		if (ip_equal(&f->addr[i].p.addr, &p->addr)) {
			f->addr[i].wanted = true;
			return;
		}
	f->addr = xrealloc(f->addr, f->n_addr + 1, sizeof(*f->addr));
	f->addr[f->n_addr++] = (struct feed_addr){.p = *p, .wanted = true, .state = FEED_ABSENT};
}

void feed_obj_config(struct feed *f, const struct config *c)
{
	for (uint32_t i = 0; i < f->n_addr; i++)
		f->addr[i].wanted = false;
	for (unsigned i = 0; i < c->n_gateway_addr; i++)
		want_addr(f, &c->gateway_addr[i]);
	for (unsigned t = 0; t < c->n_tunnels; t++)
		for (unsigned i = 0; i < c->tunnel[t].n_addr; i++)
			want_addr(f, &c->tunnel[t].addr[i]);
}

static void addr_answered(void *ctx, uint64_t i, int status)
{
	struct feed *f = ctx;
	struct feed_addr *a = i < f->n_addr ? &f->addr[i] : NULL;
	char text[IP_STR];

	f->in_flight--;
	if (!a || status == -ECONNRESET)
		return;
	if (a->state == FEED_REMOVING) {
		a->state = FEED_ABSENT;
	} else if (a->state == FEED_SENDING) {
		a->state = status ? FEED_FAILED : FEED_DONE;
		if (status)
			log_err(LOG_CTL, "address=%s event=address-refused cause=\"%s\"", ip_prefix_str(&a->p, text),
				err_str(status));
	}
	f->kick = true;
}

static bool send_addr(struct feed *f, uint32_t i, uint16_t type)
{
	union msg m = {.hdr.type = type};
	struct msg_addr *a = (void *)&m;

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	a->family = f->addr[i].p.addr.family;
	a->plen = f->addr[i].p.len;
	memcpy(a->addr, f->addr[i].p.addr.b, sizeof(a->addr));
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*a), addr_answered, f, i))
		return false;
	f->in_flight++;
	f->addr[i].state = type == MSG_ADDR_SET ? FEED_SENDING : FEED_REMOVING;
	return true;
}

static void pump_addrs(struct feed *f)
{
	for (uint32_t i = 0; i < f->n_addr; i++) {
		const struct feed_addr *a = &f->addr[i];

		if (a->wanted && a->state == FEED_ABSENT && !send_addr(f, i, MSG_ADDR_SET))
			return;
		if (!a->wanted && a->state == FEED_DONE && !send_addr(f, i, MSG_ADDR_DEL))
			return;
	}
}

/* ---- tunnels ---- */

static void tunnel_answered(void *ctx, uint64_t index, int status)
{
	struct feed *f = ctx;
	struct tunnel *t = tunnels_at(f->ts, (uint32_t)index);

	f->in_flight--;
	if (!t || status == -ECONNRESET)
		return;
	if (t->dp_state == FEED_REMOVING) {
		t->dp_state = FEED_ABSENT;
		f->ops.tunnel_gone(f->ops.ctx, t);
	} else if (t->dp_state == FEED_SENDING) {
		t->dp_state = status ? FEED_FAILED : FEED_DONE;
		if (status)
			log_err(LOG_CTL, "tunnel=%s event=tunnel-refused cause=\"%s\"", t->cfg.name, err_str(status));
	} /* else: changed meanwhile, and to be sent again */
	f->kick = true;
}

static bool send_tunnel(struct feed *f, struct tunnel *t)
{
	union msg m = {.hdr.type = MSG_TUNNEL_SET};
	struct msg_tunnel_set *s = (void *)&m;

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	s->tunnel = t->handle;
	s->worker = t->worker;
	s->family = t->cfg.local.addr.family;
	s->df = t->cfg.df;
	s->mtu = t->cfg.mtu;
	s->port = t->port;
	memcpy(s->local, t->cfg.local.addr.b, sizeof(s->local));
	memcpy(s->name, t->cfg.name, sizeof(s->name));
	if (t->peer.family == s->family)
		memcpy(s->remote, t->peer.b, sizeof(s->remote));
	s->mode = t->cfg.mode;
	s->fragment = t->cfg.fragment;
	s->dscp = t->cfg.dscp;
	s->mss = t->cfg.mss;
	s->n_ts = (uint8_t)t->cfg.n_ts;
	s->n_children = t->cfg.children == CFG_CHILDREN_PER_SELECTOR ? s->n_ts : 1;
	for (unsigned i = 0; i < t->cfg.n_ts; i++)
		dp_ts_put(&s->ts[i], &t->cfg.ts[i]);
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*s), tunnel_answered, f, t->handle.slot))
		return false;
	f->in_flight++;
	t->dp_state = FEED_SENDING;
	return true;
}

/* Its routes and SAs have gone: now the tunnel itself. */
static bool send_tunnel_del(struct feed *f, struct tunnel *t)
{
	union msg m = {.hdr.type = MSG_TUNNEL_DEL};
	struct msg_tunnel_del *d = (void *)&m;

	if (f->in_flight >= FEED_IN_FLIGHT_MAX)
		return false;
	d->tunnel = t->handle;
	if (dp_send(f->dp, DP_CTL, &m, sizeof(*d), tunnel_answered, f, t->handle.slot))
		return false;
	f->in_flight++;
	t->dp_state = FEED_REMOVING;
	return true;
}

static void pump_tunnels(struct feed *f)
{
	for (uint32_t i = 0; i < f->ts->n; i++) {
		struct tunnel *t = f->ts->t[i];

		if (!t)
			continue;
		if (t->wanted && t->dp_state == FEED_ABSENT && !send_tunnel(f, t))
			return;
		if (!t->wanted && !t->known && !t->nexthop && list_empty(&t->pairs) && t->dp_state != FEED_SENDING &&
		    t->dp_state != FEED_REMOVING && !send_tunnel_del(f, t))
			return;
	}
}

void feed_obj_pump(struct feed *f)
{
	pump_addrs(f);
	pump_tunnels(f);
}

bool feed_obj_settled(const struct feed *f)
{
	for (uint32_t i = 0; i < f->n_addr; i++)
		if (f->addr[i].wanted && (f->addr[i].state == FEED_ABSENT || f->addr[i].state == FEED_SENDING))
			return false;
	for (uint32_t i = 0; i < f->ts->n; i++) {
		const struct tunnel *t = f->ts->t[i];

		if (t && t->wanted && (t->dp_state == FEED_ABSENT || t->dp_state == FEED_SENDING))
			return false;
	}
	return true;
}
