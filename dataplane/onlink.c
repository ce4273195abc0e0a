#include "dataplane/onlink.h"

#include "dataplane/fib6.h"
#include "dataplane/port.h"

static int install(struct fib *f, const struct ip_prefix *p, uint16_t port)
{
	uint32_t addr = ip_v4_u32(&p->addr), host = p->len < 32 ? UINT32_MAX >> p->len : 0;
	uint32_t net = addr & ~host;
	int ret = 0;

	if (p->len < 32)
		ret = fib_own_set(f, net, p->len, FIB_PORT, port);
	if (!ret && p->len <= 30) /* a /31 has neither: RFC 3021 */
		ret = fib_own_set(f, net, 32, FIB_DROP, 0);
	if (!ret && p->len <= 30)
		ret = fib_own_set(f, net | host, 32, FIB_DROP, 0);
	return ret;
}

int onlink_install(struct fib *f, const struct config *c)
{
	int ret = 0;

	for (uint16_t i = 0; i < c->n_ports && !ret; i++)
		for (unsigned k = 0; k < c->port[i].n_addr && !ret; k++)
			if (c->port[i].addr[k].addr.family == IP_V4)
				ret = install(f, &c->port[i].addr[k], i);
	/* last, so that an own address wins over a broadcast of another network */
	for (uint16_t i = 0; i < c->n_ports && !ret; i++)
		for (unsigned k = 0; k < c->port[i].n_addr && !ret; k++)
			if (c->port[i].addr[k].addr.family == IP_V4)
				ret = fib_own_set(f, ip_v4_u32(&c->port[i].addr[k].addr), 32, FIB_LOCAL, 0);
	return ret;
}

/* --- IPv6 --- */

static bool is_v6(const struct port *p, unsigned i)
{
	return p->cfg->addr[i].addr.family == IP_V6;
}

static struct ip6 at(const struct port *p, unsigned i)
{
	return ip6_get(p->cfg->addr[i].addr.b);
}

static struct ip6 net(const struct port *p, unsigned i)
{
	struct ip6 a = at(p, i), m = lpm6_mask(p->cfg->addr[i].len);

	return (struct ip6){a.hi & m.hi, a.lo & m.lo};
}

static bool holds(const struct port *p, unsigned i, struct ip6 a)
{
	struct ip6 m = lpm6_mask(p->cfg->addr[i].len);

	return is_v6(p, i) && ip6_equal((struct ip6){a.hi & m.hi, a.lo & m.lo}, net(p, i));
}

bool onlink_link6(const struct port *p, struct ip6 *out)
{
	bool any = false;

	for (unsigned i = 0; i < p->cfg->n_addr; i++) {
		any |= is_v6(p, i);
		if (is_v6(p, i) && ip6_is_link_local(at(p, i))) {
			*out = at(p, i);
			return true;
		}
	}
	*out = ip6_eui64(p->mac);
	return any;
}

unsigned onlink_addrs6(const struct port *p, struct ip6 out[ONLINK_ADDRS6])
{
	unsigned n = onlink_link6(p, &out[0]);

	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (is_v6(p, i) && !ip6_equal(at(p, i), out[0]))
			out[n++] = at(p, i);
	return n;
}

bool onlink_is_ours6(const struct port *p, struct ip6 a)
{
	struct ip6 ours[ONLINK_ADDRS6];
	unsigned n = onlink_addrs6(p, ours);

	while (n-- > 0)
		if (ip6_equal(ours[n], a))
			return true;
	return false;
}

bool onlink_is_anycast6(const struct port *p, struct ip6 a)
{
	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (is_v6(p, i) && p->cfg->addr[i].len < 127 && ip6_equal(net(p, i), a) && !ip6_is_link_local(a))
			return !onlink_is_ours6(p, a);
	return false;
}

bool onlink_is_on6(const struct port *p, struct ip6 a)
{
	struct ip6 own;

	if (ip6_is_link_local(a))
		return onlink_link6(p, &own);
	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (holds(p, i, a))
			return true;
	return false;
}

bool onlink_source6(const struct port *p, struct ip6 to, struct ip6 *out)
{
	for (unsigned i = 0; i < p->cfg->n_addr && !ip6_is_link_local(to); i++) {
		if (holds(p, i, to)) {
			*out = at(p, i);
			return true;
		}
	}
	return onlink_link6(p, out);
}

static int install6(struct fib *f, const struct port *p)
{
	struct ip6 ours[ONLINK_ADDRS6];
	unsigned n = onlink_addrs6(p, ours);
	int ret = 0;

	for (unsigned i = 0; i < p->cfg->n_addr && !ret; i++) {
		if (!is_v6(p, i) || ip6_is_link_local(at(p, i)))
			continue;
		if (p->cfg->addr[i].len < 128)
			ret = fib6_own_set(f, net(p, i), p->cfg->addr[i].len, FIB_PORT, p->index);
		if (!ret && p->cfg->addr[i].len < 127)
			ret = fib6_own_set(f, net(p, i), 128, FIB_LOCAL, FIB_ANYCAST);
	}
	while (n-- > 0 && !ret)
		ret = fib6_own_set(f, ours[n], 128, FIB_LOCAL, 0);
	return ret;
}

int onlink_install6(struct fib *f, const struct port_set *ports)
{
	int ret = fib6_own_set(f, (struct ip6){0xfe80000000000000, 0}, 10, FIB_DROP, 0);

	if (!ret)
		ret = fib6_own_set(f, (struct ip6){0xff00000000000000, 0}, 8, FIB_DROP, 0);
	for (uint16_t i = 0; i < ports->n && !ret; i++)
		ret = install6(f, &ports->p[i]);
	return ret;
}
