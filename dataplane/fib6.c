#include "dataplane/fib6.h"

#include <errno.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "dataplane/fib_core.h"

enum { SWEEP_LOOK = 4096, INDEX_OCTETS = 80 };

/* What the index knows a prefix by. */
struct key {
	struct ip6 addr;
	uint64_t plen;
};

struct route {
	struct ip6 addr;
	uint32_t id;
	uint32_t mark; /* ROUTE: sync it was set in; ADDR: attach */
	uint8_t plen, owner;
	bool live;
};

struct fib6_ctl {
	struct rte_hash *index; /* prefix -> place in route */
	struct route *route;
	uint32_t n_places, n_routes, routes_max;
	uint32_t n_len[129]; /* routes by length, all owners */
	uint32_t sweep_at;
};

uint64_t fib6_memory(uint32_t routes_max)
{
	uint64_t places = (uint64_t)routes_max + FIB_SELF_MAX;

	return lpm6_memory((uint32_t)(LPM6_NODES_PER_ROUTE * places)) + places * (sizeof(struct route) + INDEX_OCTETS) +
	       sizeof(struct fib6_ctl) + (2 << 20);
}

int fib6_init(struct fib *f, const struct fib_params *p)
{
	struct fib6_ctl *c = rte_zmalloc_socket("fib6", sizeof(*c), 64, p->numa_node);
	struct rte_hash_parameters hash = {
		.name = "fib6_index",
		.entries = p->routes6_max + FIB_SELF_MAX,
		.key_len = sizeof(struct key),
		.hash_func = rte_jhash,
		.hash_func_init_val = (uint32_t)rte_rand(), /* peers choose prefixes */
		.socket_id = p->numa_node,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	f->ctl->six = c;
	if (!c)
		return -ENOMEM;
	c->routes_max = p->routes6_max;
	c->n_places = hash.entries;
	c->route = rte_zmalloc_socket("fib6_route", (size_t)c->n_places * sizeof(*c->route), 64, p->numa_node);
	c->index = rte_hash_create(&hash);
	if (!c->route || !c->index)
		return -ENOMEM;
	return lpm6_init(&f->lpm6, fib_id_none6(f), LPM6_NODES_PER_ROUTE * c->n_places, p->numa_node, p->qsbr);
}

void fib6_fini(struct fib *f)
{
	if (f->ctl->six) {
		rte_hash_free(f->ctl->six->index);
		rte_free(f->ctl->six->route);
	}
	if (f->lpm6.ctl)
		lpm6_fini(&f->lpm6);
	rte_free(f->ctl->six);
}

static struct route *find(const struct fib6_ctl *c, struct ip6 addr, uint8_t plen)
{
	struct key key = {.addr = addr, .plen = plen};
	int32_t at = c->n_len[plen] ? rte_hash_lookup(c->index, &key) : -1;

	return at < 0 ? NULL : &c->route[at];
}

static struct ip6 masked(struct ip6 a, unsigned plen)
{
	struct ip6 m = lpm6_mask(plen);

	return (struct ip6){a.hi & m.hi, a.lo & m.lo};
}

static bool prefix_ok(struct ip6 addr, uint8_t plen)
{
	return plen <= 128 && ip6_equal(addr, masked(addr, plen));
}

static struct route *place_new(struct fib6_ctl *c, struct ip6 addr, uint8_t plen, enum fib_owner owner)
{
	struct key key = {.addr = addr, .plen = plen};
	int32_t at;

	if (owner == FIB_OWNER_ROUTE && c->n_routes >= c->routes_max)
		return NULL;
	at = rte_hash_add_key(c->index, &key);
	if (at < 0 || (uint32_t)at >= c->n_places)
		return NULL;
	c->route[at] = (struct route){.addr = addr, .plen = plen, .owner = (uint8_t)owner};
	c->n_len[plen]++;
	return &c->route[at];
}

static void place_free(struct fib6_ctl *c, struct route *r)
{
	struct key key = {.addr = r->addr, .plen = r->plen};

	(void)rte_hash_del_key(c->index, &key);
	c->n_len[r->plen]--;
	*r = (struct route){0};
}

static int words_set(struct fib *f, const struct route *r, uint32_t id)
{
	if (r->plen > 0)
		return lpm6_set(&f->lpm6, r->addr, r->plen, id, !r->live);
	fib_nh_default6(f, id);
	return 0;
}

static int set(struct fib *f, struct ip6 addr, uint8_t plen, uint32_t id, enum fib_owner owner, uint32_t mark)
{
	struct fib6_ctl *c = f->ctl->six;
	struct route *r;
	int ret;

	if (!prefix_ok(addr, plen))
		return -EINVAL;
	r = find(c, addr, plen);
	if (r && r->owner > owner)
		return -EEXIST;
	if (!r && !(r = place_new(c, addr, plen, owner)))
		return -ENOSPC;
	if (!r->live || r->id != id) {
		ret = words_set(f, r, id);
		if (ret) { /* only what is new needs anything */
			place_free(c, r);
			return ret;
		}
	}
	if (owner == FIB_OWNER_ROUTE && !r->live)
		c->n_routes++;
	else if (owner != FIB_OWNER_ROUTE && r->live && r->owner == FIB_OWNER_ROUTE)
		c->n_routes--;
	r->live = true;
	r->id = id;
	r->owner = (uint8_t)owner;
	r->mark = mark;
	return 0;
}

/* The longest route around this one within its stride; beyond, the table knows itself. */
static const struct route *around(const struct fib6_ctl *c, const struct route *r)
{
	for (unsigned plen = r->plen; plen-- > lpm6_floor(r->plen) + 1u;) {
		const struct route *p = find(c, masked(r->addr, plen), (uint8_t)plen);

		if (p)
			return p;
	}
	return NULL;
}

static void del(struct fib *f, struct route *r)
{
	const struct route *under;

	if (r->plen == 0) {
		fib_nh_default6(f, fib_id_none6(f));
	} else {
		under = around(f->ctl->six, r);
		lpm6_del(&f->lpm6, r->addr, r->plen, under ? under->id : 0, under ? under->plen : -1);
	}
	if (r->owner == FIB_OWNER_ROUTE)
		f->ctl->six->n_routes--;
	place_free(f->ctl->six, r);
}

int fib6_set(struct fib *f, struct ip6 addr, uint8_t plen, uint32_t nexthop)
{
	uint32_t id = nexthop < f->n_nexthops ? fib_id_of(f, nexthop) : 0;

	if (nexthop >= f->n_nexthops || fib_nh(f, id).kind == FIB_NONE)
		return -ENOENT;
	return set(f, addr, plen, id, FIB_OWNER_ROUTE, f->ctl->sync);
}

static int del_owned(struct fib *f, struct ip6 addr, uint8_t plen, enum fib_owner owner)
{
	struct route *r = prefix_ok(addr, plen) ? find(f->ctl->six, addr, plen) : NULL;

	if (!r || r->owner < owner)
		return -ENOENT;
	if (r->owner > owner)
		return -EEXIST;
	del(f, r);
	return 0;
}

int fib6_del(struct fib *f, struct ip6 addr, uint8_t plen)
{
	return del_owned(f, addr, plen, FIB_OWNER_ROUTE);
}

int fib6_own_set(struct fib *f, struct ip6 addr, uint8_t plen, enum fib_kind kind, uint16_t port)
{
	uint32_t id = fib_id_own(f, kind, port);

	return id < f->ctl->legs ? set(f, addr, plen, id, FIB_OWNER_SELF, 0) : -EINVAL;
}

int fib6_addr_set(struct fib *f, struct ip6 addr)
{
	uint32_t id = fib_id_own(f, FIB_LOCAL, 0);
	const struct route *r = find(f->ctl->six, addr, 128);

	if (r && r->owner == FIB_OWNER_SELF && r->id == id)
		return 0; /* a port has it too */
	return set(f, addr, 128, id, FIB_OWNER_ADDR, f->ctl->attach);
}

int fib6_addr_del(struct fib *f, struct ip6 addr)
{
	return del_owned(f, addr, 128, FIB_OWNER_ADDR);
}

bool fib6_is_local(const struct fib *f, struct ip6 addr)
{
	const struct route *r = find(f->ctl->six, addr, 128);

	return r && r->live && r->id == fib_id_own(f, FIB_LOCAL, 0);
}

/* --- sweep --- */

void fib6_sweep_begin(struct fib *f)
{
	f->ctl->six->sweep_at = 0;
}

static bool stale(const struct fib_ctl *c, const struct route *r)
{
	if (!r->live || r->owner == FIB_OWNER_SELF)
		return false;
	return r->mark != (r->owner == FIB_OWNER_ROUTE ? c->sync : c->attach);
}

bool fib6_sweep(struct fib *f, unsigned *gone)
{
	struct fib6_ctl *c = f->ctl->six;

	for (unsigned looked = 0; c->sweep_at < c->n_places && looked < SWEEP_LOOK && *gone < FIB_SWEEP; looked++) {
		struct route *r = &c->route[c->sweep_at++];

		if (!stale(f->ctl, r))
			continue;
		*gone += r->plen < FIB6_SHORT ? FIB_SWEEP : 1;
		del(f, r);
	}
	return c->sweep_at < c->n_places;
}

/* --- what the workers see --- */

bool fib6_find(const struct fib *f, struct ip6 addr, struct fib_found *out)
{
	uint8_t octets[16];
	uint32_t id;
	int plen = lpm6_find(&f->lpm6, addr, &id);

	if (plen < 0) {
		if (f->ctl->dflt6 == fib_id_none6(f))
			return false;
		plen = 0;
		id = f->ctl->dflt6;
	}
	fib_nh_found(f, id, out);
	ip6_put(octets, masked(addr, (unsigned)plen));
	out->addr = ip_from_bytes(IP_V6, octets);
	out->plen = (uint8_t)plen;
	return true;
}

uint32_t fib6_count(const struct fib *f)
{
	return f->ctl->six->n_routes;
}
