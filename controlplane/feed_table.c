#include "controlplane/feed_table.h"

#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"

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

void feed_table_addrs(struct feed *f, const struct config *c)
{
	for (uint32_t i = 0; i < f->n_addr; i++)
		f->addr[i].wanted = false;
	for (unsigned i = 0; i < c->n_gateway_addr; i++)
		want_addr(f, &c->gateway_addr[i]);
	for (unsigned t = 0; t < c->n_tunnels; t++)
		for (unsigned i = 0; i < c->tunnel[t].n_addr; i++)
			want_addr(f, &c->tunnel[t].addr[i]);
}

uint32_t feed_table_id(const struct feed *f, uint32_t i)
{
	const struct msg_limits *l = dp_limits(f->dp);

	return i + (l->attach & 1 ? l->nexthops / 2 : 0);
}

static bool nh_free(const struct feed_nh *h)
{
	return !h->refs && h->state == FEED_ABSENT;
}

static uint32_t nh_find(const struct feed *f, uint8_t kind, uint16_t port, const struct ip_addr *via)
{
	for (uint32_t i = 0; i < f->n_nh; i++) {
		const struct feed_nh *h = &f->nh[i];

		/* one that is being taken away is left to go */
		if (!nh_free(h) && h->state != FEED_REMOVING && h->kind == kind && h->port == port &&
		    ip_equal(&h->via, via))
			return i;
	}
	return UINT32_MAX;
}

static uint32_t nh_place(struct feed *f)
{
	uint32_t i = 0;

	while (i < f->n_nh && !nh_free(&f->nh[i]))
		i++;
	if (i == f->n_nh) {
		if (!(f->n_nh & (f->n_nh - 1)))
			f->nh = xrealloc(f->nh, f->n_nh ? (size_t)f->n_nh * 2 : 1, sizeof(*f->nh));
		f->n_nh++;
	}
	return i;
}

/* The next hop of that meaning, one reference more. */
static uint32_t nh_ref(struct feed *f, uint8_t kind, struct tunnel *t, uint16_t port, const struct ip_addr *via)
{
	uint32_t i = t ? t->nexthop - 1 : nh_find(f, kind, port, via); /* no next hop yet: UINT32_MAX too */

	if (i == UINT32_MAX || f->nh[i].state == FEED_REMOVING) {
		i = nh_place(f);
		f->nh[i] = (struct feed_nh){.kind = kind, .port = port, .via = *via, .tunnel = t, .state = FEED_ABSENT};
		if (t)
			t->nexthop = i + 1;
	}
	f->nh[i].refs++;
	return i;
}

void feed_table_forget(struct feed *f, uint32_t i)
{
	struct feed_nh *h = &f->nh[i];

	if (h->tunnel && h->tunnel->nexthop == i + 1)
		h->tunnel->nexthop = 0;
	*h = (struct feed_nh){.state = FEED_ABSENT};
}

void feed_table_unref(struct feed *f, uint32_t i)
{
	struct feed_nh *h = &f->nh[i];

	if (--h->refs)
		return;
	h->idle_at = dp_routes_pushed(f->dp);
	if (h->state == FEED_ABSENT)
		feed_table_forget(f, i);
}

/* The port on whose network via is; UINT16_MAX: none. */
static uint16_t port_of(const struct config *c, const struct ip_addr *via)
{
	for (unsigned p = 0; p < c->n_ports; p++)
		for (unsigned i = 0; i < c->port[p].n_addr; i++)
			if (ip_prefix_contains(&c->port[p].addr[i], via))
				return (uint16_t)p;
	return UINT16_MAX;
}

static bool target(struct feed *f, const struct config *c, const struct cfg_route *r, uint32_t *nh)
{
	static const struct ip_addr none = {0};
	char to[IP_STR];
	uint16_t port;

	if (r->blackhole) {
		*nh = nh_ref(f, MSG_NH_DROP, NULL, 0, &none);
		return true;
	}
	if (r->tunnel[0]) {
		struct tunnel *t = tunnels_find(f->ts, r->tunnel);

		if (t)
			*nh = nh_ref(f, MSG_NH_TUNNEL, t, 0, &none);
		return t;
	}
	port = port_of(c, &r->via);
	if (port == UINT16_MAX) {
		log_err(LOG_CTL, "route=%s cause=\"its gateway is on no port's network\"", ip_prefix_str(&r->to, to));
		return false;
	}
	*nh = nh_ref(f, MSG_NH_PORT, NULL, port, &r->via);
	return true;
}

static struct feed_route *route_find(struct feed *f, const struct ip_prefix *to)
{
	for (uint32_t i = 0; i < f->n_route; i++)
		if (ip_prefix_equal(&f->route[i].to, to))
			return &f->route[i];
	return NULL;
}

static void want_route(struct feed *f, const struct config *c, const struct cfg_route *cr)
{
	struct feed_route *r;
	uint32_t nh;

	if (!target(f, c, cr, &nh))
		return;
	r = route_find(f, &cr->to);
	if (!r) {
		if (!(f->n_route & (f->n_route - 1)))
			f->route = xrealloc(f->route, f->n_route ? (size_t)f->n_route * 2 : 1, sizeof(*f->route));
		f->route[f->n_route++] = (struct feed_route){
			.to = cr->to, .nh = nh, .wanted = true, .dirty = true, .state = FEED_ABSENT};
		return;
	}
	r->wanted = true;
	if (r->nh == nh) {
		feed_table_unref(f, nh); /* the reference that it has is enough */
		return;
	}
	feed_table_unref(f, r->nh);
	r->nh = nh;
	r->dirty = true;
}

void feed_table_config(struct feed *f, const struct config *c)
{
	feed_table_addrs(f, c);
	for (uint32_t i = 0; i < f->n_route; i++)
		f->route[i].wanted = false;
	for (unsigned i = 0; i < c->n_routes; i++)
		want_route(f, c, &c->route[i]);
}
