#include "dataplane/fib.h"

#include <errno.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>

#include "base/log.h"

enum {
	BLOCKS_MIN = 256,
	SELF_MAX = 4096,
	THERE_MAX = 24,
	SWEEP_LOOK = 4096,
	INDEX_OCTETS = 64,
	THERE_OCTETS = 2 << THERE_MAX >> 3
};

/* Who a route belongs to: a higher one is not given up for a lower one. */
enum owner { OWNER_ROUTE, OWNER_ADDR, OWNER_SELF };

struct route {
	uint32_t addr, id;
	uint32_t mark; /* ROUTE: sync it was set in; ADDR: attach */
	uint8_t plen, owner;
	bool live;
};

/* A group that is no next hop's, and when nobody reads it any more. */
struct group {
	uint64_t token;
	uint32_t first; /* its first leg's id */
};

struct fib_ctl {
	struct rte_rcu_qsbr *qsbr;
	struct rte_hash *index; /* prefix -> place in route */
	struct route *route;
	uint32_t n_places, n_routes, routes_max;
	uint32_t n_len[33]; /* routes by length, all owners */
	uint64_t *there;    /* a bit for every prefix up to /24: has it a route? */

	uint32_t half;   /* 0 or 1: the next-hop ids of this attach */
	uint32_t attach; /* counts fib_attached() */
	uint32_t sync;   /* counts syncs */
	uint32_t sweep_at;
	bool syncing, sweeping;

	uint32_t dflt; /* id of 0.0.0.0/0's next hop; id_none(): there is no such route */

	uint32_t legs;                 /* id of the first leg of all */
	uint32_t free_head, free_tail; /* run free; the one that was given up first is taken first */
	struct group free[FIB_GROUPS];
};

/* Our own next hops stand above both halves. */
static uint32_t id_none(const struct fib *f)
{
	return 2 * f->n_nexthops;
}

static uint32_t id_own(const struct fib *f, enum fib_kind kind, uint16_t port)
{
	uint32_t base = id_none(f);

	if (kind == FIB_LOCAL)
		return base + 1;
	if (kind == FIB_DROP)
		return base + 2;
	return base + 3 + port;
}

static uint32_t id_of(const struct fib *f, uint32_t nexthop)
{
	return f->ctl->half * f->n_nexthops + nexthop;
}

static void nh_put(struct fib *f, uint32_t id, struct fib_nh nh)
{
	union {
		struct fib_nh nh;
		uint64_t v;
	} u = {.nh = nh};

	_Static_assert(sizeof(struct fib_nh) == sizeof(uint64_t), "one store");
	atomic_store_explicit(&f->nh[id], u.v, memory_order_release);
}

static void nh_store(struct fib *f, uint32_t id, struct fib_nh nh)
{
	nh_put(f, id, nh);
	if (id == f->ctl->dflt)
		nh_put(f, id_none(f), nh);
}

/* 0.0.0.0/0 would be 16 million words. It is what "none" stands for instead: a copy of its next hop. */
static void dflt_set(struct fib *f, uint32_t id)
{
	f->ctl->dflt = id;
	nh_put(f, id_none(f), id == id_none(f) ? (struct fib_nh){.kind = FIB_NONE} : fib_nh(f, id));
}

/* Blocks of 256 addresses with routes longer than /24: fewer are left of the Internet's by far. */
static uint32_t n_blocks(uint32_t routes_max)
{
	uint32_t n = routes_max / 4 + SELF_MAX / 4;

	return n < BLOCKS_MIN ? BLOCKS_MIN : n;
}

uint64_t fib_memory(uint32_t routes_max)
{
	uint64_t places = (uint64_t)routes_max + SELF_MAX;

	return lpm_memory(n_blocks(routes_max)) + places * (sizeof(struct route) + INDEX_OCTETS) + THERE_OCTETS +
	       sizeof(struct fib_ctl) + (uint64_t)FIB_GROUPS * MSG_NH_LEGS * sizeof(uint64_t) + (8 << 20);
}

static int tables_new(struct fib *f, const struct fib_params *p)
{
	struct fib_ctl *c = f->ctl;
	struct rte_hash_parameters hash = {
		.name = "fib_index",
		.entries = c->n_places,
		.key_len = sizeof(uint64_t),
		.hash_func = rte_jhash,
		.socket_id = p->numa_node,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	f->nh = rte_zmalloc_socket("fib_nh", f->n_all * sizeof(*f->nh), 64, p->numa_node);
	c->route = rte_zmalloc_socket("fib_route", (size_t)c->n_places * sizeof(*c->route), 64, p->numa_node);
	c->index = rte_hash_create(&hash);
	c->there = rte_zmalloc_socket("fib_there", THERE_OCTETS, 64, p->numa_node);
	if (!f->nh || !c->route || !c->index || !c->there)
		return -ENOMEM;
	memset(c->route, 0, (size_t)c->n_places * sizeof(*c->route)); /* no page faults later */
	return lpm_init(&f->lpm, id_none(f), n_blocks(p->routes_max), p->numa_node, p->qsbr);
}

struct fib *fib_new(const struct fib_params *p)
{
	struct fib *f = rte_zmalloc_socket("fib", sizeof(*f), 64, p->numa_node);

	if (!f)
		return NULL;
	f->n_nexthops = p->n_nexthops;
	f->n_all = id_none(f) + 3u + p->n_ports + FIB_GROUPS * MSG_NH_LEGS;
	f->hash_key = (uint32_t)rte_rand();
	f->ctl = rte_zmalloc_socket("fib_ctl", sizeof(*f->ctl), 64, p->numa_node);
	if (!f->ctl)
		goto free_fib;
	f->ctl->routes_max = p->routes_max;
	f->ctl->n_places = p->routes_max + SELF_MAX;
	f->ctl->qsbr = p->qsbr;
	f->ctl->dflt = id_none(f);
	f->ctl->legs = f->n_all - FIB_GROUPS * MSG_NH_LEGS;
	for (uint32_t i = 0; i < FIB_GROUPS; i++)
		f->ctl->free[i].first = f->ctl->legs + i * MSG_NH_LEGS;
	f->ctl->free_tail = FIB_GROUPS;
	if (tables_new(f, p))
		goto free_fib;
	nh_store(f, id_own(f, FIB_LOCAL, 0), (struct fib_nh){.kind = FIB_LOCAL});
	nh_store(f, id_own(f, FIB_DROP, 0), (struct fib_nh){.kind = FIB_DROP});
	for (uint16_t i = 0; i < p->n_ports; i++)
		nh_store(f, id_own(f, FIB_PORT, i), (struct fib_nh){.kind = FIB_PORT, .port = i});
	return f;
free_fib:
	fib_free(f);
	return NULL;
}

void fib_free(struct fib *f)
{
	if (!f)
		return;
	if (f->ctl) {
		rte_hash_free(f->ctl->index);
		rte_free(f->ctl->route);
		rte_free(f->ctl->there);
	}
	lpm_fini(&f->lpm);
	rte_free(f->ctl);
	rte_free(f->nh);
	rte_free(f);
}

static uint64_t key_of(uint32_t addr, uint8_t plen)
{
	return (uint64_t)plen << 32 | addr;
}

static struct route *find(const struct fib_ctl *c, uint32_t addr, uint8_t plen)
{
	uint64_t key = key_of(addr, plen);
	int32_t at = rte_hash_lookup(c->index, &key);

	return at < 0 ? NULL : &c->route[at];
}

static uint32_t prefix_mask(unsigned plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

static bool prefix_ok(uint32_t addr, uint8_t plen)
{
	return plen <= 32 && (addr & ~prefix_mask(plen)) == 0;
}

/* Prefixes of one length stand side by side, behind all shorter ones. */
static uint32_t there_bit(uint32_t addr, unsigned plen)
{
	return 1u << plen | (plen ? addr >> (32 - plen) : 0);
}

static bool is_there(const struct fib_ctl *c, uint32_t addr, unsigned plen)
{
	uint32_t bit;

	if (plen > THERE_MAX)
		return c->n_len[plen] != 0;
	bit = there_bit(addr, plen);
	return c->there[bit / 64] >> bit % 64 & 1;
}

static void there_put(struct fib_ctl *c, uint32_t addr, unsigned plen, bool is)
{
	uint32_t bit;

	if (plen > THERE_MAX)
		return;
	bit = there_bit(addr, plen);
	c->there[bit / 64] = (c->there[bit / 64] & ~(1ull << bit % 64)) | (uint64_t)is << bit % 64;
}

/* A new place for a prefix. The control plane has routes_max of them; the rest is for what is ours. */
static struct route *place_new(struct fib_ctl *c, uint32_t addr, uint8_t plen, enum owner owner)
{
	uint64_t key = key_of(addr, plen);
	int32_t at;

	if (owner == OWNER_ROUTE && c->n_routes >= c->routes_max)
		return NULL;
	at = rte_hash_add_key(c->index, &key);
	if (at < 0 || (uint32_t)at >= c->n_places)
		return NULL;
	c->route[at] = (struct route){.addr = addr, .plen = plen, .owner = owner};
	c->n_len[plen]++;
	there_put(c, addr, plen, true);
	return &c->route[at];
}

static void place_free(struct fib_ctl *c, struct route *r)
{
	uint64_t key = key_of(r->addr, r->plen);

	(void)rte_hash_del_key(c->index, &key);
	c->n_len[r->plen]--;
	there_put(c, r->addr, r->plen, false);
	*r = (struct route){0};
}

static int words_set(struct fib *f, const struct route *r, uint32_t id)
{
	if (r->plen > 0)
		return lpm_set(&f->lpm, r->addr, r->plen, id, !r->live);
	dflt_set(f, id);
	return 0;
}

static int set(struct fib *f, uint32_t addr, uint8_t plen, uint32_t id, enum owner owner, uint32_t mark)
{
	struct fib_ctl *c = f->ctl;
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
	if (owner == OWNER_ROUTE && !r->live)
		c->n_routes++;
	else if (owner != OWNER_ROUTE && r->live && r->owner == OWNER_ROUTE)
		c->n_routes--;
	r->live = true;
	r->id = id;
	r->owner = owner;
	r->mark = mark;
	return 0;
}

/* The longest route around this one, but for the default. */
static const struct route *around(const struct fib_ctl *c, const struct route *r)
{
	for (unsigned plen = r->plen; plen-- > 1;) {
		const struct route *p = NULL;

		if (is_there(c, r->addr, plen))
			p = find(c, r->addr & prefix_mask(plen), (uint8_t)plen);
		if (p)
			return p;
	}
	return NULL;
}

static void del(struct fib *f, struct route *r)
{
	const struct route *under = around(f->ctl, r);

	if (r->plen == 0)
		dflt_set(f, id_none(f));
	else
		lpm_del(&f->lpm, r->addr, r->plen, under ? under->id : 0, under ? under->plen : -1);
	if (r->owner == OWNER_ROUTE)
		f->ctl->n_routes--;
	place_free(f->ctl, r);
}

int fib_set(struct fib *f, uint32_t addr, uint8_t plen, uint32_t nexthop)
{
	uint32_t id = nexthop < f->n_nexthops ? id_of(f, nexthop) : 0;

	if (nexthop >= f->n_nexthops || fib_nh(f, id).kind == FIB_NONE)
		return -ENOENT;
	return set(f, addr, plen, id, OWNER_ROUTE, f->ctl->sync);
}

static int del_owned(struct fib *f, uint32_t addr, uint8_t plen, enum owner owner)
{
	struct route *r = prefix_ok(addr, plen) ? find(f->ctl, addr, plen) : NULL;

	if (!r || r->owner < owner)
		return -ENOENT;
	if (r->owner > owner)
		return -EEXIST;
	del(f, r);
	return 0;
}

int fib_del(struct fib *f, uint32_t addr, uint8_t plen)
{
	return del_owned(f, addr, plen, OWNER_ROUTE);
}

int fib_own_set(struct fib *f, uint32_t addr, uint8_t plen, enum fib_kind kind, uint16_t port)
{
	uint32_t id = id_own(f, kind, port);

	return id < f->ctl->legs ? set(f, addr, plen, id, OWNER_SELF, 0) : -EINVAL;
}

int fib_addr_set(struct fib *f, uint32_t addr)
{
	uint32_t id = id_own(f, FIB_LOCAL, 0);
	const struct route *r = find(f->ctl, addr, 32);

	if (r && r->owner == OWNER_SELF && r->id == id)
		return 0; /* a port has it too */
	return set(f, addr, 32, id, OWNER_ADDR, f->ctl->attach);
}

int fib_addr_del(struct fib *f, uint32_t addr)
{
	return del_owned(f, addr, 32, OWNER_ADDR);
}

bool fib_is_local(const struct fib *f, uint32_t addr)
{
	const struct route *r = find(f->ctl, addr, 32);

	return r && r->live && r->id == id_own(f, FIB_LOCAL, 0);
}

void fib_prefetch(const struct fib *f, const uint32_t *addr, const uint8_t *plen, unsigned n)
{
	const struct fib_ctl *c = f->ctl;
	const void *key[FIB_PREFETCH];
	uint64_t keys[FIB_PREFETCH];
	int32_t at[FIB_PREFETCH];

	for (unsigned i = 0; i < n; i++) {
		lpm_prefetch(&f->lpm, addr[i]);
		keys[i] = key_of(addr[i], plen[i]);
		key[i] = &keys[i];
	}
	if (n == 0 || rte_hash_lookup_bulk(c->index, key, n, at))
		return;
	for (unsigned i = 0; i < n; i++)
		if (at[i] >= 0)
			rte_prefetch0(&c->route[at[i]]);
}

void fib_attached(struct fib *f)
{
	f->ctl->half ^= 1;
	f->ctl->attach++;
	f->ctl->syncing = f->ctl->sweeping = false;
}

void fib_sync_begin(struct fib *f)
{
	f->ctl->sync++;
	f->ctl->syncing = true;
	f->ctl->sweeping = false;
}

void fib_sync_end(struct fib *f)
{
	if (!f->ctl->syncing)
		return;
	f->ctl->syncing = false;
	f->ctl->sweeping = true;
	f->ctl->sweep_at = 0;
}

static bool stale(const struct fib_ctl *c, const struct route *r)
{
	if (!r->live || r->owner == OWNER_SELF)
		return false;
	return r->mark != (r->owner == OWNER_ROUTE ? c->sync : c->attach);
}

bool fib_sweep(struct fib *f)
{
	struct fib_ctl *c = f->ctl;
	unsigned gone = 0;

	for (unsigned looked = 0; c->sweeping && looked < SWEEP_LOOK && gone < FIB_SWEEP; looked++) {
		struct route *r = &c->route[c->sweep_at];

		if (stale(c, r)) {
			gone += r->plen < FIB_SHORT ? FIB_SWEEP : 1;
			del(f, r);
		}
		if (++c->sweep_at == c->n_places)
			c->sweeping = false;
	}
	return c->sweeping;
}

/* --- next hops --- */

/* What a next hop was is not read by those who come now. */
static void nh_replace(struct fib *f, uint32_t id, struct fib_nh nh)
{
	struct fib_ctl *c = f->ctl;
	struct fib_nh was = fib_nh(f, id);

	nh_store(f, id, nh);
	if (was.kind & FIB_LEGS)
		c->free[c->free_tail++ % FIB_GROUPS] =
			(struct group){.token = c->qsbr ? rte_rcu_qsbr_start(c->qsbr) : 0, .first = was.arg};
}

static int leg_read(const struct fib *f, const struct msg_nh_leg *l, struct fib_nh *nh)
{
	*nh = (struct fib_nh){.kind = FIB_DROP};
	switch ((int)l->kind) {
	case MSG_NH_DROP:
		return 0;
	case MSG_NH_LOCAL:
		nh->kind = FIB_LOCAL;
		return 0;
	case MSG_NH_PORT:
		if (id_own(f, FIB_PORT, l->port) >= f->ctl->legs)
			return -EINVAL;
		*nh = (struct fib_nh){.kind = FIB_PORT, .port = l->port};
		memcpy(&nh->arg, l->via, sizeof(nh->arg));
		return 0;
	case MSG_NH_TUNNEL:
		*nh = (struct fib_nh){.kind = FIB_TUNNEL, .arg = l->tunnel.slot};
		return 0;
	default:
		return -EINVAL;
	}
}

static int group_make(struct fib *f, const struct fib_nh *leg, uint8_t n, struct fib_nh *nh)
{
	struct fib_ctl *c = f->ctl;
	const struct group *g = &c->free[c->free_head % FIB_GROUPS];
	uint8_t kind = FIB_TUNNELS;

	if (c->free_head == c->free_tail)
		return -ENOSPC;
	if (c->qsbr && rte_rcu_qsbr_check(c->qsbr, g->token, false) != 1)
		return -EAGAIN;
	c->free_head++;
	for (uint8_t i = 0; i < n; i++) {
		nh_store(f, g->first + i, leg[i]);
		if (leg[i].kind != FIB_TUNNEL)
			kind = FIB_LEGS;
	}
	*nh = (struct fib_nh){.kind = kind, .n = n, .arg = g->first};
	return 0;
}

int fib_nexthop_set(struct fib *f, const struct msg_nexthop *m)
{
	struct fib_nh leg[MSG_NH_LEGS], nh;
	int ret = 0;

	if (m->id >= f->n_nexthops || m->n < 1 || m->n > MSG_NH_LEGS)
		return -EINVAL;
	for (uint8_t i = 0; i < m->n && !ret; i++)
		ret = leg_read(f, &m->leg[i], &leg[i]);
	nh = leg[0];
	if (!ret && m->n > 1)
		ret = group_make(f, leg, m->n, &nh);
	if (!ret)
		nh_replace(f, id_of(f, m->id), nh);
	return ret;
}

int fib_nexthop_del(struct fib *f, uint32_t id)
{
	if (id >= f->n_nexthops)
		return -EINVAL;
	nh_replace(f, id_of(f, id), (struct fib_nh){.kind = FIB_NONE});
	return 0;
}

void fib_tunnel_gone(struct fib *f, uint32_t tunnel)
{
	for (uint32_t id = 0; id < f->n_all; id++) {
		struct fib_nh nh = fib_nh(f, id);

		if (nh.kind == FIB_TUNNEL && nh.arg == tunnel)
			nh_store(f, id, (struct fib_nh){.kind = FIB_DROP});
	}
}

bool fib_find(const struct fib *f, uint32_t addr, struct fib_found *out)
{
	struct fib_nh nh;
	uint32_t id;
	int plen = lpm_find(&f->lpm, addr, &id);

	if (plen < 0) {
		if (f->ctl->dflt == id_none(f))
			return false;
		plen = 0;
		id = f->ctl->dflt;
	}
	*out = (struct fib_found){.addr = addr & prefix_mask((unsigned)plen),
				  .plen = (uint8_t)plen,
				  .n = 1,
				  .nexthop = id < id_none(f) ? id % f->n_nexthops : UINT32_MAX};
	nh = fib_nh(f, id);
	out->leg[0] = nh;
	if (nh.kind == FIB_NONE)
		out->n = 0;
	if (nh.kind & FIB_LEGS)
		for (out->n = 0; out->n < nh.n; out->n++)
			out->leg[out->n] = fib_nh(f, nh.arg + out->n);
	return true;
}

uint32_t fib_count(const struct fib *f)
{
	return f->ctl->n_routes;
}
