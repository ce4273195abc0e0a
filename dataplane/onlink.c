#include "dataplane/onlink.h"

#include <errno.h>

#include "dataplane/fib.h"

static int put(struct fib *f, uint32_t addr, uint8_t plen, enum fib_kind kind, uint16_t port)
{
	int ret = fib_own_set(f, addr, plen, kind, port);

	if (ret != -EAGAIN)
		return ret;
	fib_commit(f);
	return fib_advance(f) ? fib_own_set(f, addr, plen, kind, port) : -EAGAIN;
}

static int install(struct fib *f, const struct ip_prefix *p, uint16_t port)
{
	uint32_t addr = ip_v4_u32(&p->addr), host = p->len < 32 ? UINT32_MAX >> p->len : 0;
	uint32_t net = addr & ~host;
	int ret = 0;

	if (p->len < 32)
		ret = put(f, net, p->len, FIB_PORT, port);
	if (!ret && p->len <= 30) /* a /31 has neither: RFC 3021 */
		ret = put(f, net, 32, FIB_DROP, 0);
	if (!ret && p->len <= 30)
		ret = put(f, net | host, 32, FIB_DROP, 0);
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
				ret = put(f, ip_v4_u32(&c->port[i].addr[k].addr), 32, FIB_LOCAL, 0);
	fib_commit(f);
	return ret ? ret : fib_advance(f) ? 0 : -EAGAIN;
}
