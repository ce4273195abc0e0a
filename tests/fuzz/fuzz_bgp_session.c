/* A live BGP core with two peers, and a script of everything that can come from outside.
 *
 * An octet's low three bits say what happens, its high five how: time passes, TCP opens or closes, a message comes (whole, changed in
 * one octet, or cut), raw octets come, a socket blocks or has room, an operator or the routing asks for something. Whatever
 * happens: nothing crashes, nothing is sent on or closed that is not open, at most one connection of a peer is Established,
 * the deadline moves, and at the end every attribute set was given back (intern_free() asserts it).
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/peer.h"

enum { STEPS_MAX = 400, CONNS = 64, TICKS_MAX = 5000 };

struct conn_end {
	uint32_t id, peer;
	bool ours, open, blocked;
};

struct world {
	struct bgp *b;
	struct config cfg[2];
	struct cfg_bgp_peer peer[2][2];
	struct cfg_policy policy;
	struct cfg_policy_entry entry;
	struct ip_prefix own[2];
	unsigned now_cfg;
	uint64_t now;
	const uint8_t *p, *end;
	struct conn_end conn[CONNS];
	size_t room;
	struct ip_addr nexthop[8];
	unsigned n_nexthops;
	uint32_t rng;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t next(struct world *w)
{
	return w->p < w->end ? *w->p++ : 0;
}

static struct conn_end *find(struct world *w, uint32_t id)
{
	for (unsigned i = 0; i < CONNS; i++)
		if (id && w->conn[i].id == id)
			return &w->conn[i];
	return NULL;
}

static void note(struct world *w, uint32_t id, uint32_t peer, bool ours)
{
	for (unsigned i = 0; i < CONNS; i++) {
		if (w->conn[i].id)
			continue;
		w->conn[i] = (struct conn_end){.id = id, .peer = peer, .ours = ours, .open = !ours};
		return;
	}
	abort(); /* two per peer at most */
}

/* ---- hands ---- */

static int env_connect(void *ctx, uint32_t peer, uint32_t id)
{
	struct world *w = ctx;

	if (find(w, id))
		abort();
	if (w->rng++ % 7 == 6)
		return -ENETUNREACH;
	note(w, id, peer, true);
	return 0;
}

static size_t env_send(void *ctx, uint32_t id, const uint8_t *b, size_t len)
{
	struct world *w = ctx;
	struct conn_end *c = find(w, id);
	size_t n = len < w->room ? len : w->room;
	volatile uint8_t sum = 0;

	if (!c || !c->open || c->blocked || len == 0)
		abort();
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + b[i]);
	w->room -= n;
	c->blocked = n < len;
	return n;
}

static void env_close(void *ctx, uint32_t id)
{
	struct conn_end *c = find(ctx, id);

	if (!c)
		abort();
	c->id = 0;
}

static uint32_t env_random(void *ctx)
{
	return ((struct world *)ctx)->rng += 0x9e3779b9;
}

static void env_route_change(void *ctx, const struct ip_prefix *prefix, const struct bgp_best *b)
{
	(void)ctx;
	if (prefix->addr.family == IP_NONE || (b && (b->n < 1 || b->n > BGP_PATHS_MAX)))
		abort();
}

static void env_nexthop_watch(void *ctx, const struct ip_addr *nh)
{
	struct world *w = ctx;

	w->nexthop[w->n_nexthops++ % N_ELEMS(w->nexthop)] = *nh;
}

static void env_nexthop_unwatch(void *ctx, const struct ip_addr *nh)
{
	(void)ctx, (void)nh;
}

static void env_notice(void *ctx, const struct bgp_notice *n)
{
	(void)ctx;
	for (const char *s = n->cause; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			abort(); /* not escaped */
}

/* ---- messages ---- */

static size_t an_open(struct world *w, uint8_t *buf)
{
	uint8_t how = next(w);
	struct bgp_open o = {.version = 4,
			     .as = how & 1 ? 65010 : 4200000000,
			     .hold_s = how & 2   ? 0
				       : how & 4 ? 3
						 : 90,
			     .id = how & 8 ? 1 : 0xf0000000,
			     .as4 = !(how & 16),
			     .refresh = true,
			     .mp = !(how & 32),
			     .mp_v4 = how & 64,
			     .mp_v6 = how & 128};

	return wire_open_build(buf, BGP_MSG_MAX, &o);
}

static size_t an_update(struct world *w, uint8_t *buf)
{
	static const uint8_t path[] = {BGP_AS_SEQUENCE, 2, 0, 0, 0xfd, 0xf2, 0, 0, 1, 1};
	uint8_t how = next(w), family = how & 1 ? IP_V6 : IP_V4;
	struct bgp_codec codec = {.as4 = !(how & 2), .mp_v4 = true, .mp_v6 = true};
	struct update_build b;
	struct bgp_attrs_draft d;

	if (how & 4)
		return update_build_eor(buf, BGP_MSG_MAX, family);
	memset(&d, 0, sizeof(d));
	d.a.nexthop = ip_v4(0x0a000000 + (how >> 5));
	if (family == IP_V6)
		d.a.nexthop = ip_from_bytes(IP_V6, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	if (attr_set_part(&d, 0, path, how & 16 ? sizeof(path) : 0))
		return 0;
	if (how & 8)
		update_build_withdraw(&b, buf, BGP_MSG_MAX, family);
	else
		update_build_announce(&b, buf, BGP_MSG_MAX, &d.a, &codec, family);
	for (unsigned n = 1 + next(w) % 20; n; n--) {
		struct ip_prefix p = {.addr = ip_v4(0xcb000000 + ((uint32_t)next(w) << 8)), .len = 24};

		if (family == IP_V6)
			p = (struct ip_prefix){.addr = ip_from_bytes(IP_V6, "\x20\x01\x0d\xb8\1\1\0\0\0\0\0\0\0\0\0\0"),
					       .len = 48};
		update_build_add(&b, &p);
	}
	return update_build_end(&b);
}

static size_t a_message(struct world *w, uint8_t *buf)
{
	switch (next(w) % 6) {
	case 0:
		return an_open(w, buf);
	case 1:
		return wire_keepalive_build(buf, BGP_MSG_MAX);
	case 2:
	case 3:
		return an_update(w, buf);
	case 4:
		return wire_refresh_build(buf, BGP_MSG_MAX, next(w) & 3, next(w) & 1);
	default:
		return wire_notification_build(buf, BGP_MSG_MAX, next(w), next(w), "\3a\033b", next(w) & 3);
	}
}

static struct conn_end *pick(struct world *w, uint8_t how)
{
	struct conn_end *c = NULL;

	for (unsigned i = 0, n = how & 3; i < CONNS; i++)
		if (w->conn[i].id && (c = &w->conn[i]) && n-- == 0)
			break;
	return c;
}

static void message(struct world *w, uint8_t how, bool spoilt)
{
	uint8_t buf[BGP_MSG_MAX];
	struct conn_end *c = pick(w, how);
	size_t len = a_message(w, buf);
	uint32_t id = c ? c->id : 0;

	if (!c || !c->open || !len)
		return;
	if (spoilt) {
		uint8_t at = next(w);

		buf[(size_t)at * len / 256] ^= next(w);
		if (how & 4)
			len = (size_t)at * len / 256;
	}
	if (bgp_input(w->b, id, buf, len, w->now) != (find(w, id) != NULL))
		abort();
}

static void raw(struct world *w, uint8_t how)
{
	struct conn_end *c = pick(w, how);
	size_t n = (size_t)(w->end - w->p) < 64 ? (size_t)(w->end - w->p) : 64;

	if (c && c->open)
		(void)bgp_input(w->b, c->id, w->p, n, w->now);
	w->p += n;
}

/* ---- the rest of the world ---- */

static void tcp(struct world *w, uint8_t how)
{
	struct ip_addr local = ip_v4(0x0a000001);
	struct conn_end *c = pick(w, how);
	uint32_t id;

	switch (how >> 2) {
	case 0:
	case 1:
	case 2:
		if (c && !c->open) {
			c->open = true;
			bgp_connected(w->b, c->id, &local, w->now);
		}
		break;
	case 3:
	case 4:
		id = bgp_accepted(w->b, how & 1, &local, w->now);
		if (id)
			note(w, id, how & 1, false);
		break;
	case 5:
		if (!c)
			break;
		id = c->id;
		c->id = 0;
		bgp_closed(w->b, id, how & 1 ? -ECONNRESET : 0, w->now);
		break;
	case 6:
		w->room = (size_t)next(w) * 16;
		break;
	default:
		w->room = SIZE_MAX;
		for (unsigned i = 0; i < CONNS; i++) {
			if (!w->conn[i].id || !w->conn[i].blocked)
				continue;
			w->conn[i].blocked = false;
			bgp_writable(w->b, w->conn[i].id, w->now);
		}
		break;
	}
}

static void ask(struct world *w, uint8_t how)
{
	struct cfg_bgp_peer *p;
	uint8_t v = next(w);

	switch (how % 7) {
	case 0:
		if (bgp_clear(w->b, v & 1, v & 2, w->now) > 0)
			abort();
		break;
	case 1:
		bgp_peer_reachable(w->b, v & 1, v & 2, "the tunnel is down", w->now);
		break;
	case 2:
		bgp_originate(w->b, &w->own[v & 1], v & 2, w->now);
		break;
	case 3:
		if (w->n_nexthops)
			bgp_nexthop(w->b, &w->nexthop[v % 8], v & 8, v >> 4, w->now);
		break;
	case 4:
	case 5:
		w->now_cfg ^= 1;
		p = w->peer[w->now_cfg];
		memcpy(p, w->peer[!w->now_cfg], sizeof(w->peer[0]));
		p[v & 1].shutdown = (v & 14) == 2;
		p[v & 1].max_prefix_in = (v & 16) ? 3 : 0;
		p[v & 1].export[0] = (v & 32) ? 'a' : '\0';
		p[v & 1].hold_s = v & 64 ? 90 : 3;
		w->cfg[w->now_cfg].bgp.n_peers = v & 128 ? 1 : 2;
		bgp_config(w->b, &w->cfg[w->now_cfg], w->now);
		break;
	default:
		if (v == 0x5a)
			bgp_shutdown(w->b, "gone", w->now);
		break;
	}
}

static void pass(struct world *w, uint64_t ms)
{
	uint64_t end = w->now + ms;
	unsigned there = 0;

	for (uint64_t t; (t = bgp_deadline(w->b)) <= end;) {
		if (t > w->now) {
			w->now = t;
			there = 0;
		}
		if (++there > TICKS_MAX)
			abort();
		bgp_tick(w->b, w->now);
	}
	w->now = end;
}

static void check(const struct world *w)
{
	for (unsigned i = 0; i < w->b->n_peers; i++) {
		const struct peer *p = w->b->peer[i];
		struct bgp_peer_info info;

		if (!p)
			continue;
		if (p->conn[0].state == BGP_ESTABLISHED && p->conn[1].state == BGP_ESTABLISHED)
			abort();
		if (!bgp_peer_info(w->b, i, &info) || info.state != peer_best(p)->state)
			abort();
	}
}

static void step(struct world *w, uint8_t op)
{
	static const uint32_t spans[] = {0, 1, 200, 1000, 5000, 30000, 90000, 480000};
	uint8_t how = op >> 3;

	switch (op & 7) {
	case 0:
		pass(w, spans[how & 7]);
		break;
	case 1:
	case 2:
		tcp(w, how);
		break;
	case 3:
	case 4:
		message(w, how, false);
		break;
	case 5:
		message(w, how, true);
		break;
	case 6:
		raw(w, how);
		break;
	default:
		ask(w, how);
		break;
	}
	pass(w, 0);
	check(w);
}

static void world_init(struct world *w)
{
	struct bgp_env env = {w,          env_connect,      env_send,          env_close,
			      env_random, env_route_change, env_nexthop_watch, env_nexthop_unwatch,
			      env_notice};

	memset(w, 0, sizeof(*w));
	w->now = 1000;
	w->room = SIZE_MAX;
	snprintf(w->policy.name, sizeof(w->policy.name), "a");
	w->entry.permit = true;
	w->policy.entry = &w->entry;
	w->policy.n_entries = 1;
	for (unsigned i = 0; i < 2; i++) {
		struct cfg_bgp_peer *p = &w->peer[0][i];

		w->own[i] = (struct ip_prefix){.addr = ip_v4(0x0a010000 + (i << 16)), .len = 16};
		*p = (struct cfg_bgp_peer){.addr = ip_v4(0x0a000002 + i),
					   .as = i ? 4200000000 : 65010,
					   .hold_s = 90,
					   .connect_retry_s = 10,
					   .families = i ? CFG_BGP_V4 | CFG_BGP_V6 : CFG_BGP_V4,
					   .import = "a",
					   .export = "a"};
		snprintf(p->name, sizeof(p->name), "p%u", i);
		w->cfg[i].policy = &w->policy;
		w->cfg[i].n_policies = 1;
		w->cfg[i].bgp = (struct cfg_bgp){.as = 65050,
						 .router_id = 0x0a000001,
						 .multipath = 8,
						 .port = 179,
						 .originate = w->own,
						 .n_originate = 2,
						 .peer = w->peer[i],
						 .n_peers = 2};
	}
	w->b = bgp_new(&env);
	bgp_config(w->b, &w->cfg[0], w->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;

	world_init(&w);
	w.p = data;
	w.end = data + len;
	for (unsigned i = 0; i < STEPS_MAX && w.p < w.end; i++)
		step(&w, next(&w));
	bgp_shutdown(w.b, "end", w.now);
	pass(&w, 1000);
	for (unsigned i = 0; i < CONNS; i++)
		if (w.conn[i].id)
			abort(); /* left open */
	bgp_free(w.b);
	return 0;
}
