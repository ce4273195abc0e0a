#include "dataplane/onlink.h"

#include "dataplane/fib.h"

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
