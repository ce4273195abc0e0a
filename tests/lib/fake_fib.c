#include "tests/lib/fake_fib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t half(const struct fake_fib *f)
{
	return f->dp->shm.hello.attach & 1;
}

static struct fake_fib_route *find(const struct fake_fib *f, const struct ip_prefix *p)
{
	uint32_t at = (uint32_t)p->len << 3 ^ p->addr.family;

	for (size_t i = 0; i < ip_size(p->addr.family); i++)
		at = (at ^ p->addr.b[i]) * 2654435761u;
	for (at ^= at >> 15;; at++) {
		struct fake_fib_route *r = &f->route[at & (f->cap - 1)];

		if (!r->mark || ip_prefix_equal(&r->to, p))
			return r;
	}
}

/* Places of dead routes stay taken until the table is made anew. */
static void grow(struct fake_fib *f)
{
	struct fake_fib_route *old = f->route;
	uint32_t cap = f->cap;

	f->cap = cap ? cap * 2 : 1024;
	f->route = calloc(f->cap, sizeof(*f->route));
	f->taken = f->n;
	for (uint32_t i = 0; i < cap; i++)
		if (old[i].live)
			*find(f, &old[i].to) = old[i];
	free(old);
}

static void wrong(struct fake_fib *f, const char *what)
{
	fprintf(stderr, "fake FIB: %s\n", what);
	f->bad++;
}

static struct ip_prefix to_of(const struct msg_route *m)
{
	return (struct ip_prefix){.addr = ip_from_bytes(m->family, m->addr), .len = m->plen};
}

static int set(struct fake_fib *f, const struct msg_route *m)
{
	struct ip_prefix to = to_of(m);
	struct fake_fib_route *r;

	if (m->nexthop >= FAKE_FIB_NEXTHOPS || !f->nh[half(f)][m->nexthop].n) {
		wrong(f, "a route to a next hop that is not there");
		return -ENOENT;
	}
	if (f->taken > f->cap / 2)
		grow(f);
	r = find(f, &to);
	f->n += !r->live;
	f->taken += !r->mark;
	*r = (struct fake_fib_route){.to = to, .live = true, .half = half(f), .id = m->nexthop, .mark = f->mark};
	return 0;
}

static int del(struct fake_fib *f, const struct msg_route *m)
{
	struct ip_prefix to = to_of(m);
	struct fake_fib_route *r = find(f, &to);

	if (!r->live)
		return -ENOENT;
	r->live = false;
	f->n--;
	return 0;
}

static int on_route(void *ctx, const struct msg_route *m)
{
	struct fake_fib *f = ctx;
	int rc = f->refuse ? f->refuse(m) : 0;

	if (rc)
		return rc;
	switch (m->type) {
	case MSG_SYNC_BEGIN:
		f->mark++;
		break;
	case MSG_SYNC_END:
		for (uint32_t i = 0; i < f->cap; i++)
			if (f->route[i].live && f->route[i].mark != f->mark) {
				f->route[i].live = false;
				f->n--;
			}
		break;
	case MSG_ROUTE_SET:
		return set(f, m);
	case MSG_ROUTE_DEL:
		return del(f, m);
	}
	return 0;
}

static void check_unused(struct fake_fib *f, uint32_t id)
{
	for (uint32_t i = 0; i < f->cap; i++)
		if (f->route[i].live && f->route[i].half == half(f) && f->route[i].id == id)
			wrong(f, "a next hop goes before its routes");
}

static void check_tunnel(struct fake_fib *f, uint32_t slot)
{
	for (uint32_t id = 0; id < FAKE_FIB_NEXTHOPS; id++)
		for (unsigned l = 0; l < f->nh[half(f)][id].n; l++)
			if (f->nh[half(f)][id].leg[l].kind == MSG_NH_TUNNEL &&
			    f->nh[half(f)][id].leg[l].tunnel.slot == slot)
				wrong(f, "a tunnel goes before its next hops");
}

static int on_cmd(void *ctx, unsigned to, const union msg *m)
{
	struct fake_fib *f = ctx;
	const struct msg_nexthop *n = (const void *)m;

	(void)to;
	if (m->hdr.type == MSG_NEXTHOP_SET) {
		f->nh[half(f)][n->id].n = n->n;
		memcpy(f->nh[half(f)][n->id].leg, n->leg, sizeof(n->leg));
	} else if (m->hdr.type == MSG_NEXTHOP_DEL) {
		check_unused(f, n->id);
		f->nh[half(f)][n->id].n = 0;
	} else if (m->hdr.type == MSG_TUNNEL_DEL) {
		check_tunnel(f, ((const struct msg_tunnel_del *)m)->tunnel.slot);
	}
	return 0;
}

void fake_fib_init(struct fake_fib *f, struct fake_dp *dp)
{
	*f = (struct fake_fib){.dp = dp, .mark = 1};
	grow(f);
	dp->ctx = f;
	dp->on_cmd = on_cmd;
	dp->on_route = on_route;
}

void fake_fib_fini(struct fake_fib *f)
{
	free(f->route);
	f->route = NULL;
}

void fake_fib_clear(struct fake_fib *f)
{
	memset(f->nh, 0, sizeof(f->nh));
	memset(f->route, 0, f->cap * sizeof(*f->route));
	f->n = f->taken = 0;
}

const struct fake_fib_nh *fake_fib_get(const struct fake_fib *f, const struct ip_prefix *p)
{
	const struct fake_fib_route *r = find(f, p);

	return r->live ? &f->nh[r->half][r->id] : NULL;
}

const struct fake_fib_nh *fake_fib_lookup(const struct fake_fib *f, const struct ip_addr *a)
{
	for (int len = (int)ip_size(a->family) * 8; len >= 0; len--) {
		struct ip_prefix p = {.addr = *a, .len = (uint8_t)len};
		const struct fake_fib_nh *nh;

		ip_mask(&p.addr, p.len);
		nh = fake_fib_get(f, &p);
		if (nh)
			return nh;
	}
	return NULL;
}
