#include "dataplane/fib.h"

#include <errno.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/fib_core.h"

enum { BLOCKS_MIN = 256, THERE_MAX = 24, SWEEP_LOOK = 4096, INDEX_OCTETS = 64, THERE_OCTETS = 2 << THERE_MAX >> 3 };

struct fib_route4 {
	uint32_t addr, id;
	uint32_t mark; /* ROUTE: sync it was set in; ADDR: attach */
	uint8_t plen, owner;
	bool live;
};

/* Blocks of 256 addresses with routes longer than /24: fewer are left of the Internet's by far. */
static uint32_t n_blocks(uint32_t routes_max)
{
	uint32_t n = routes_max / 4 + FIB_SELF_MAX / 4;

	return n < BLOCKS_MIN ? BLOCKS_MIN : n;
}

uint64_t fib_memory(const struct fib_params *p)
{
	uint64_t places = (uint64_t)p->routes_max + FIB_SELF_MAX;

	return lpm_memory(n_blocks(p->routes_max)) + places * (sizeof(struct fib_route4) + INDEX_OCTETS) +
	       THERE_OCTETS + fib6_memory(p->routes6_max) + fib_nh_memory(p->n_nexthops) + sizeof(struct fib_ctl) +
	       (8 << 20);
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

	c->route = rte_zmalloc_socket("fib_route", (size_t)c->n_places * sizeof(*c->route), 64, p->numa_node);
	c->index = rte_hash_create(&hash);
	c->there = rte_zmalloc_socket("fib_there", THERE_OCTETS, 64, p->numa_node);
	if (!c->route || !c->index || !c->there)
		return -ENOMEM;
	memset(c->route, 0, (size_t)c->n_places * sizeof(*c->route)); /* no page faults later */
	return lpm_init(&f->lpm, fib_id_none(f), n_blocks(p->routes_max), p->numa_node, p->qsbr);
}

struct fib *fib_new(const struct fib_params *p)
{
	struct fib *f = rte_zmalloc_socket("fib", sizeof(*f), 64, p->numa_node);

	if (!f)
		return NULL;
	f->n_nexthops = p->n_nexthops;
	f->hash_key = (uint32_t)rte_rand();
	f->ctl = rte_zmalloc_socket("fib_ctl", sizeof(*f->ctl), 64, p->numa_node);
	if (!f->ctl)
		goto free_fib;
	f->ctl->routes_max = p->routes_max;
	f->ctl->n_places = p->routes_max + FIB_SELF_MAX;
	f->ctl->qsbr = p->qsbr;
	if (fib_nh_init(f, p) || tables_new(f, p) || fib6_init(f, p))
		goto free_fib;
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
		fib6_fini(f);
		fib_nh_fini(f);
		rte_hash_free(f->ctl->index);
		rte_free(f->ctl->route);
		rte_free(f->ctl->there);
	}
	lpm_fini(&f->lpm);
	rte_free(f->ctl);
	rte_free(f);
}

static uint64_t key_of(uint32_t addr, uint8_t plen)
{
	return (uint64_t)plen << 32 | addr;
}

static struct fib_route4 *find(const struct fib_ctl *c, uint32_t addr, uint8_t plen)
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
static struct fib_route4 *place_new(struct fib_ctl *c, uint32_t addr, uint8_t plen, enum fib_owner owner)
{
	uint64_t key = key_of(addr, plen);
	int32_t at;

	if (owner == FIB_OWNER_ROUTE && c->n_routes >= c->routes_max)
		return NULL;
	at = rte_hash_add_key(c->index, &key);
	if (at < 0 || (uint32_t)at >= c->n_places)
		return NULL;
	c->route[at] = (struct fib_route4){.addr = addr, .plen = plen, .owner = owner};
	c->n_len[plen]++;
	there_put(c, addr, plen, true);
	return &c->route[at];
}

static void place_free(struct fib_ctl *c, struct fib_route4 *r)
{
	uint64_t key = key_of(r->addr, r->plen);

	(void)rte_hash_del_key(c->index, &key);
	c->n_len[r->plen]--;
	there_put(c, r->addr, r->plen, false);
	*r = (struct fib_route4){0};
}

static int words_set(struct fib *f, const struct fib_route4 *r, uint32_t id)
{
	if (r->plen > 0)
		return lpm_set(&f->lpm, r->addr, r->plen, id, !r->live);
	fib_nh_default(f, id);
	return 0;
}

static int set(struct fib *f, uint32_t addr, uint8_t plen, uint32_t id, enum fib_owner owner, uint32_t mark)
{
	struct fib_ctl *c = f->ctl;
	struct fib_route4 *r;
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
	r->owner = owner;
	r->mark = mark;
	return 0;
}

/* The longest route around this one, but for the default. */
static const struct fib_route4 *around(const struct fib_ctl *c, const struct fib_route4 *r)
{
	for (unsigned plen = r->plen; plen-- > 1;) {
		const struct fib_route4 *p = NULL;

		if (is_there(c, r->addr, plen))
			p = find(c, r->addr & prefix_mask(plen), (uint8_t)plen);
		if (p)
			return p;
	}
	return NULL;
}

static void del(struct fib *f, struct fib_route4 *r)
{
	const struct fib_route4 *under = around(f->ctl, r);

	if (r->plen == 0)
		fib_nh_default(f, fib_id_none(f));
	else
		lpm_del(&f->lpm, r->addr, r->plen, under ? under->id : 0, under ? under->plen : -1);
	if (r->owner == FIB_OWNER_ROUTE)
		f->ctl->n_routes--;
	place_free(f->ctl, r);
}

int fib_set(struct fib *f, uint32_t addr, uint8_t plen, uint32_t nexthop)
{
	uint32_t id = nexthop < f->n_nexthops ? fib_id_of(f, nexthop) : 0;

	if (nexthop >= f->n_nexthops || fib_nh(f, id).kind == FIB_NONE)
		return -ENOENT;
	return set(f, addr, plen, id, FIB_OWNER_ROUTE, f->ctl->sync);
}

static int del_owned(struct fib *f, uint32_t addr, uint8_t plen, enum fib_owner owner)
{
	struct fib_route4 *r = prefix_ok(addr, plen) ? find(f->ctl, addr, plen) : NULL;

	if (!r || r->owner < owner)
		return -ENOENT;
	if (r->owner > owner)
		return -EEXIST;
	del(f, r);
	return 0;
}

int fib_del(struct fib *f, uint32_t addr, uint8_t plen)
{
	return del_owned(f, addr, plen, FIB_OWNER_ROUTE);
}

int fib_own_set(struct fib *f, uint32_t addr, uint8_t plen, enum fib_kind kind, uint16_t port)
{
	uint32_t id = fib_id_own(f, kind, port);

	return id < f->ctl->legs ? set(f, addr, plen, id, FIB_OWNER_SELF, 0) : -EINVAL;
}

int fib_addr_set(struct fib *f, uint32_t addr)
{
	uint32_t id = fib_id_own(f, FIB_LOCAL, 0);
	const struct fib_route4 *r = find(f->ctl, addr, 32);

	if (r && r->owner == FIB_OWNER_SELF && r->id == id)
		return 0; /* a port has it too */
	return set(f, addr, 32, id, FIB_OWNER_ADDR, f->ctl->attach);
}

int fib_addr_del(struct fib *f, uint32_t addr)
{
	return del_owned(f, addr, 32, FIB_OWNER_ADDR);
}

bool fib_is_local(const struct fib *f, uint32_t addr)
{
	const struct fib_route4 *r = find(f->ctl, addr, 32);

	return r && r->live && r->id == fib_id_own(f, FIB_LOCAL, 0);
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
	fib6_sweep_begin(f);
}

static bool stale(const struct fib_ctl *c, const struct fib_route4 *r)
{
	if (!r->live || r->owner == FIB_OWNER_SELF)
		return false;
	return r->mark != (r->owner == FIB_OWNER_ROUTE ? c->sync : c->attach);
}

bool fib_sweep(struct fib *f)
{
	struct fib_ctl *c = f->ctl;
	unsigned gone = 0;

	for (unsigned looked = 0; c->sweep_at < c->n_places && c->sweeping && looked < SWEEP_LOOK && gone < FIB_SWEEP;
	     looked++) {
		struct fib_route4 *r = &c->route[c->sweep_at];

		if (stale(c, r)) {
			gone += r->plen < FIB_SHORT ? FIB_SWEEP : 1;
			del(f, r);
		}
		c->sweep_at++;
	}
	if (c->sweeping && c->sweep_at == c->n_places)
		c->sweeping = fib6_sweep(f, &gone);
	return c->sweeping;
}

bool fib_find(const struct fib *f, uint32_t addr, struct fib_found *out)
{
	uint32_t id;
	int plen = lpm_find(&f->lpm, addr, &id);

	if (plen < 0) {
		if (f->ctl->dflt == fib_id_none(f))
			return false;
		plen = 0;
		id = f->ctl->dflt;
	}
	fib_nh_found(f, id, out);
	out->addr = ip_v4(addr & prefix_mask((unsigned)plen));
	out->plen = (uint8_t)plen;
	return true;
}

uint32_t fib_count(const struct fib *f)
{
	return f->ctl->n_routes;
}
