/* The config's routes, the networks of the ports and our own addresses as candidates. */
#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/feed_state.h"

/* ---- candidates ---- */

static uint32_t place(struct feed *f)
{
	uint32_t i = f->free_cand;

	if (i) {
		f->free_cand = f->cand[i].next;
		return i;
	}
	if (f->n_cand >= 64 ? !(f->n_cand & (f->n_cand - 1)) : !f->cand)
		f->cand = xrealloc(f->cand, f->n_cand >= 64 ? (size_t)f->n_cand * 2 : 64, sizeof(*f->cand));
	return f->n_cand++;
}

/* Pins first, then by distance, then by owner. */
static unsigned rank(const struct feed_cand *c)
{
	return c->owner == FEED_PIN ? 0 : 1 + (unsigned)c->distance * 4 + c->owner;
}

uint32_t feed_cfg_add(struct feed *f, const struct ip_prefix *p, uint8_t owner, uint8_t distance, uint32_t hop)
{
	uint32_t node = rtable_get(&f->rt, p), i = place(f), *at = &rtable_at(&f->rt, node)->cand;
	struct feed_cand *c = &f->cand[i];

	*c = (struct feed_cand){
		.node = node, .hop = hop, .owner = owner, .distance = distance, .wanted = true, .live = true};
	while (*at && rank(&f->cand[*at]) <= rank(c))
		at = &f->cand[*at].next;
	c->next = *at;
	*at = i;
	c->hop_next = f->hop[hop].first;
	if (c->hop_next)
		f->cand[c->hop_next].hop_prev = i;
	f->hop[hop].first = i;
	if (owner != FEED_PIN)
		feed_way_touch(f, rtable_at(&f->rt, node));
	f->originate_dirty = true;
	feed_route_changed(f, node);
	return i;
}

void feed_cfg_del(struct feed *f, uint32_t i)
{
	struct feed_cand *c = &f->cand[i];
	uint32_t node = c->node, *at = &rtable_at(&f->rt, node)->cand;

	while (*at != i)
		at = &f->cand[*at].next;
	*at = c->next;
	if (c->hop_next)
		f->cand[c->hop_next].hop_prev = c->hop_prev;
	if (c->hop_prev)
		f->cand[c->hop_prev].hop_next = c->hop_next;
	else
		f->hop[c->hop].first = c->hop_next;
	if (c->owner != FEED_PIN)
		feed_way_touch(f, rtable_at(&f->rt, node));
	feed_hop_put(f, c->hop);
	f->originate_dirty = true;
	*c = (struct feed_cand){.next = f->free_cand};
	f->free_cand = i;
	feed_route_changed(f, node);
}

/* ---- what the config wants ---- */

static void want(struct feed *f, const struct ip_prefix *to, uint8_t owner, uint8_t distance,
		 const struct feed_hop *key)
{
	struct ip_prefix p = *to;
	uint32_t hop = feed_hop_get(f, key), node;

	ip_mask(&p.addr, p.len);
	node = rtable_find(&f->rt, &p);
	for (uint32_t c = node ? rtable_at(&f->rt, node)->cand : 0; c; c = f->cand[c].next)
		if (f->cand[c].owner == owner && f->cand[c].distance == distance && f->cand[c].hop == hop) {
			f->cand[c].wanted = true;
			feed_hop_put(f, hop); /* the reference that it has is enough */
			return;
		}
	(void)feed_cfg_add(f, &p, owner, distance, hop);
}

static void want_static(struct feed *f, const struct config *c, const struct cfg_route *r)
{
	struct feed_path path = {.peer = BGP_NO_PEER};
	struct feed_hop key = {.kind = HOP_DROP};
	uint8_t distance = r->distance ? r->distance : 1;
	char to[IP_STR];

	if (r->tunnel[0]) {
		key.kind = HOP_TUNNEL;
		key.tunnel = tunnels_find(f->ts, r->tunnel);
		if (!key.tunnel) {
			log_err(LOG_CTL, "route=%s cause=\"there is no tunnel %s\"", ip_prefix_str(&r->to, to),
				r->tunnel);
			return;
		}
	} else if (r->via_port[0]) {
		key.kind = HOP_NEIGHBOUR;
		key.port = (uint16_t)(config_port(c, r->via_port) - c->port); /* check_net.c: it is there */
		key.via = r->via;
	} else if (!r->blackhole) {
		path.way = feed_way_get(f, &r->via);
		key.kind = HOP_VIA;
		key.n = 1;
		key.path = &path;
	}
	want(f, &r->to, FEED_STATIC, distance, &key);
	if (key.kind == HOP_VIA)
		feed_way_put(f, path.way);
}

static void want_own(struct feed *f, const struct ip_prefix *a)
{
	struct ip_prefix host = {.addr = a->addr, .len = (uint8_t)rtable_host_len(&a->addr)};

	want(f, &host, FEED_CONNECTED, 0, &(struct feed_hop){.kind = HOP_LOCAL});
}

static void want_addresses(struct feed *f, const struct config *c)
{
	for (unsigned p = 0; p < c->n_ports; p++)
		for (unsigned i = 0; i < c->port[p].n_addr; i++) {
			struct feed_hop link = {.kind = HOP_LINK, .port = (uint16_t)p};

			want_own(f, &c->port[p].addr[i]);
			if (c->port[p].addr[i].len < rtable_host_len(&c->port[p].addr[i].addr))
				want(f, &c->port[p].addr[i], FEED_CONNECTED, 0, &link);
		}
	for (uint32_t i = 0; i < f->n_addr; i++) {
		const struct ip_prefix *a = &f->addr[i].p;

		if (!f->addr[i].wanted)
			continue;
		want_own(f, a);
		if (a->len < rtable_host_len(&a->addr))
			want(f, a, FEED_CONNECTED, 0, &(struct feed_hop){.kind = HOP_NET});
	}
}

static void want_originate(struct feed *f, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < f->n_originate; i++)
		if (ip_prefix_equal(&f->originate[i].p, p)) {
			f->originate[i].wanted = true;
			return;
		}
	f->originate = xrealloc(f->originate, f->n_originate + 1, sizeof(*f->originate));
	f->originate[f->n_originate++] = (struct feed_originate){.p = *p, .wanted = true};
}

void feed_cfg_take(struct feed *f, const struct config *c)
{
	for (uint32_t i = 1; i < f->n_cand; i++)
		if (f->cand[i].owner != FEED_PIN)
			f->cand[i].wanted = false;
	want_addresses(f, c);
	for (unsigned i = 0; i < c->n_routes; i++)
		want_static(f, c, &c->route[i]);
	for (uint32_t i = 1; i < f->n_cand; i++)
		if (f->cand[i].live && !f->cand[i].wanted)
			feed_cfg_del(f, i);
	for (uint32_t i = 0; i < f->ts->n; i++)
		if (f->ts->t[i]) {
			feed_hop_tunnel(f, f->ts->t[i]);
			feed_pin_endpoint(f, f->ts->t[i]);
		}
	for (uint32_t i = 0; i < f->n_originate; i++)
		f->originate[i].wanted = false;
	for (unsigned i = 0; i < c->bgp.n_originate; i++)
		want_originate(f, &c->bgp.originate[i]);
	f->originate_dirty = true;
}

/* ---- originate ---- */

static bool present(const struct feed *f, const struct ip_prefix *p)
{
	uint32_t node = rtable_find(&f->rt, p);

	for (uint32_t c = node ? rtable_at(&f->rt, node)->cand : 0; c; c = f->cand[c].next) {
		const struct feed_hop *h = &f->hop[f->cand[c].hop];

		if (f->cand[c].owner != FEED_PIN && (h->usable || h->kind == HOP_NET))
			return true;
	}
	return false;
}

void feed_cfg_originate(struct feed *f)
{
	if (!f->originate_dirty)
		return;
	f->originate_dirty = false;
	for (uint32_t i = 0; i < f->n_originate;) {
		struct feed_originate *o = &f->originate[i], was = *o;

		o->told = true;
		o->present = o->wanted && present(f, &o->p);
		if ((was.present != o->present || (!was.told && o->wanted)) && f->ops.originate)
			f->ops.originate(f->ops.ctx, &was.p, o->present);
		if (was.wanted)
			i++;
		else
			f->originate[i] = f->originate[--f->n_originate];
	}
}
