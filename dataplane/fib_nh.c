#include <errno.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/fib_core.h"

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
		nh_put(f, fib_id_none(f), nh);
	if (id == f->ctl->dflt6)
		nh_put(f, fib_id_none6(f), nh);
}

void fib_nh_default(struct fib *f, uint32_t id)
{
	f->ctl->dflt = id;
	nh_put(f, fib_id_none(f), id == fib_id_none(f) ? (struct fib_nh){.kind = FIB_NONE} : fib_nh(f, id));
}

void fib_nh_default6(struct fib *f, uint32_t id)
{
	f->ctl->dflt6 = id;
	nh_put(f, fib_id_none6(f), id == fib_id_none6(f) ? (struct fib_nh){.kind = FIB_NONE} : fib_nh(f, id));
}

/* --- room --- */

/* Every next hop and leg may have a gateway of its own, and those that workers may still look at have theirs. */
static uint32_t n_gateways(uint32_t n_nexthops)
{
	return 2 * n_nexthops + 2 * FIB_GROUPS * MSG_NH_LEGS;
}

uint64_t fib_nh_memory(uint32_t n_nexthops)
{
	uint64_t ids = 2 * (uint64_t)n_nexthops + 64 + FIB_GROUPS * MSG_NH_LEGS;

	return ids * sizeof(uint64_t) + n_gateways(n_nexthops) * (sizeof(struct ip6) + sizeof(struct fib_spare)) +
	       FIB_GROUPS * sizeof(struct fib_spare);
}

static int spares_init(struct fib_spares *r, uint32_t n, uint32_t first, uint32_t step, int numa_node)
{
	r->s = rte_zmalloc_socket("fib_spare", n * sizeof(*r->s), 64, numa_node);
	if (!r->s)
		return -ENOMEM;
	r->n = n;
	r->tail = n;
	for (uint32_t i = 0; i < n; i++)
		r->s[i].at = first + i * step;
	return 0;
}

int fib_nh_init(struct fib *f, const struct fib_params *p)
{
	struct fib_ctl *c = f->ctl;

	f->links = fib_id_own(f, FIB_PORT, 0);
	c->legs = fib_id_own(f, FIB_PORT, p->n_ports);
	f->n_all = c->legs + FIB_GROUPS * MSG_NH_LEGS;
	c->dflt = fib_id_none(f);
	c->dflt6 = fib_id_none6(f);
	f->nh = rte_zmalloc_socket("fib_nh", f->n_all * sizeof(*f->nh), 64, p->numa_node);
	f->gateway =
		rte_zmalloc_socket("fib_gateway", n_gateways(p->n_nexthops) * sizeof(*f->gateway), 64, p->numa_node);
	if (!f->nh || !f->gateway || spares_init(&c->groups, FIB_GROUPS, c->legs, MSG_NH_LEGS, p->numa_node) ||
	    spares_init(&c->gateways, n_gateways(p->n_nexthops), 0, 1, p->numa_node))
		return -ENOMEM;
	nh_store(f, fib_id_own(f, FIB_LOCAL, 0), (struct fib_nh){.kind = FIB_LOCAL});
	nh_store(f, fib_id_own(f, FIB_LOCAL, FIB_ANYCAST), (struct fib_nh){.kind = FIB_LOCAL, .port = FIB_ANYCAST});
	nh_store(f, fib_id_own(f, FIB_DROP, 0), (struct fib_nh){.kind = FIB_DROP});
	for (uint16_t i = 0; i < p->n_ports; i++)
		nh_store(f, fib_id_own(f, FIB_PORT, i), (struct fib_nh){.kind = FIB_PORT, .port = i});
	return 0;
}

void fib_nh_fini(struct fib *f)
{
	rte_free(f->ctl->groups.s);
	rte_free(f->ctl->gateways.s);
	rte_free(f->gateway);
	rte_free((void *)(uintptr_t)f->nh);
}

static int spare_take(const struct fib_ctl *c, struct fib_spares *r, uint32_t *at)
{
	const struct fib_spare *s = &r->s[r->head % r->n];

	if (r->head == r->tail)
		return -ENOSPC;
	if (c->qsbr && rte_rcu_qsbr_check(c->qsbr, s->token, false) != 1)
		return -EAGAIN;
	*at = s->at;
	r->head++;
	return 0;
}

static void spare_give(const struct fib_ctl *c, struct fib_spares *r, uint32_t at)
{
	r->s[r->tail++ % r->n] = (struct fib_spare){.token = c->qsbr ? rte_rcu_qsbr_start(c->qsbr) : 0, .at = at};
}

/* What has a gateway has it no more. */
static void gateway_give(struct fib_ctl *c, struct fib_nh nh)
{
	if (nh.kind == FIB_PORT && nh.n == FIB_GATEWAY6)
		spare_give(c, &c->gateways, nh.arg);
}

/* --- next hops --- */

/* What a next hop was is not read by those who come now. */
static void nh_replace(struct fib *f, uint32_t id, struct fib_nh nh)
{
	struct fib_nh was = fib_nh(f, id);

	nh_store(f, id, nh);
	gateway_give(f->ctl, was);
	if (!(was.kind & FIB_LEGS))
		return;
	for (uint32_t i = 0; i < was.n; i++)
		gateway_give(f->ctl, fib_nh(f, was.arg + i));
	spare_give(f->ctl, &f->ctl->groups, was.arg);
}

static int port_leg(struct fib *f, const struct msg_nh_leg *l, struct fib_nh *nh)
{
	static const uint8_t none[16];
	uint32_t at;
	int ret;

	if (fib_id_own(f, FIB_PORT, l->port) >= f->ctl->legs)
		return -EINVAL;
	*nh = (struct fib_nh){.kind = FIB_PORT, .port = l->port};
	if (l->family != IP_V6) {
		memcpy(&nh->arg, l->via, sizeof(nh->arg));
		return 0;
	}
	if (!memcmp(l->via, none, sizeof(none)))
		return 0;
	ret = spare_take(f->ctl, &f->ctl->gateways, &at);
	if (ret)
		return ret;
	f->gateway[at] = ip6_get(l->via); /* the next hop is stored after it */
	nh->n = FIB_GATEWAY6;
	nh->arg = at;
	return 0;
}

static int leg_read(struct fib *f, const struct msg_nh_leg *l, struct fib_nh *nh)
{
	*nh = (struct fib_nh){.kind = FIB_DROP};
	switch ((int)l->kind) {
	case MSG_NH_DROP:
		return 0;
	case MSG_NH_LOCAL:
		nh->kind = FIB_LOCAL;
		return 0;
	case MSG_NH_PORT:
		return port_leg(f, l, nh);
	case MSG_NH_TUNNEL:
		*nh = (struct fib_nh){.kind = FIB_TUNNEL, .arg = l->tunnel.slot};
		return 0;
	default:
		return -EINVAL;
	}
}

static int group_make(struct fib *f, const struct fib_nh *leg, uint8_t n, struct fib_nh *nh)
{
	uint8_t kind = FIB_TUNNELS;
	uint32_t first;
	int ret = spare_take(f->ctl, &f->ctl->groups, &first);

	if (ret)
		return ret;
	for (uint8_t i = 0; i < n; i++) {
		nh_store(f, first + i, leg[i]);
		if (leg[i].kind != FIB_TUNNEL)
			kind = FIB_LEGS;
	}
	*nh = (struct fib_nh){.kind = kind, .n = n, .arg = first};
	return 0;
}

int fib_nexthop_set(struct fib *f, const struct msg_nexthop *m)
{
	struct fib_nh leg[MSG_NH_LEGS], nh;
	uint8_t read = 0;
	int ret = 0;

	if (m->id >= f->n_nexthops || m->n < 1 || m->n > MSG_NH_LEGS)
		return -EINVAL;
	for (; read < m->n && !ret; read++)
		ret = leg_read(f, &m->leg[read], &leg[read]);
	nh = leg[0];
	if (!ret && m->n > 1)
		ret = group_make(f, leg, m->n, &nh);
	if (!ret) {
		nh_replace(f, fib_id_of(f, m->id), nh);
		return 0;
	}
	for (uint8_t i = 0; i < read; i++)
		gateway_give(f->ctl, leg[i]);
	return ret;
}

int fib_nexthop_del(struct fib *f, uint32_t id)
{
	if (id >= f->n_nexthops)
		return -EINVAL;
	nh_replace(f, fib_id_of(f, id), (struct fib_nh){.kind = FIB_NONE});
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

void fib_nh_found(const struct fib *f, uint32_t id, struct fib_found *out)
{
	struct fib_nh nh = fib_nh(f, id);

	*out = (struct fib_found){.n = 1, .nexthop = id < fib_id_none(f) ? id % f->n_nexthops : UINT32_MAX};
	out->leg[0] = nh;
	if (nh.kind == FIB_NONE)
		out->n = 0;
	if (nh.kind & FIB_LEGS)
		for (out->n = 0; out->n < nh.n; out->n++)
			out->leg[out->n] = fib_nh(f, nh.arg + out->n);
}
