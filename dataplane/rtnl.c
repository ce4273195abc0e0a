#include "dataplane/rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>

enum {
	PROTO = 0xe5,     /* who made it: no routing daemon has this number */
	PRIORITY = 10000, /* before main (32766), behind local (0) */
	ANSWER = 32768,
	WAIT_S = 2, /* an answer that does not come must not stop the thread */
};

/* A request under construction. */
struct req {
	struct nlmsghdr h;
	uint8_t body[256];
};

int rtnl_open(struct rtnl *n)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	*n = (struct rtnl){.fd = fd};
	return 0;
}

void rtnl_close(struct rtnl *n)
{
	if (n->fd > 0)
		close(n->fd);
	*n = (struct rtnl){0};
}

/* --- writing --- */

/* len octets at the end of the request, zeroed. Requests are ours, and all fit. */
static void *grow(struct req *r, uint32_t len)
{
	void *at = (uint8_t *)r + NLMSG_ALIGN(r->h.nlmsg_len);

	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + NLMSG_ALIGN(len);
	return at;
}

static void *begin(struct req *r, struct rtnl *n, uint16_t type, uint16_t flags, uint32_t len)
{
	memset(r, 0, sizeof(*r));
	r->h = (struct nlmsghdr){.nlmsg_len = sizeof(r->h),
				 .nlmsg_type = type,
				 .nlmsg_flags = NLM_F_REQUEST | flags,
				 .nlmsg_seq = ++n->seq};
	return grow(r, len);
}

static struct rtattr *attr(struct req *r, uint16_t type, const void *data, uint16_t len)
{
	struct rtattr *a = grow(r, (uint32_t)RTA_LENGTH(len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	return a;
}

static void attr_u32(struct req *r, uint16_t type, uint32_t v)
{
	(void)attr(r, type, &v, sizeof(v));
}

/* All that was written since belongs into it. */
static void nest_end(struct req *r, struct rtattr *a)
{
	a->rta_len = (uint16_t)((uint8_t *)r + r->h.nlmsg_len - (uint8_t *)a);
}

/* --- asking --- */

/* The answer to our last request, -errno or 0. */
static int answer(struct rtnl *n)
{
	_Alignas(NLMSG_ALIGNTO) uint8_t buf[1024];
	const struct nlmsghdr *h = (const void *)buf;
	struct nlmsgerr e;

	for (;;) {
		ssize_t len = recv(n->fd, buf, sizeof(buf), 0);

		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if ((size_t)len < sizeof(*h) + sizeof(e) || h->nlmsg_seq != n->seq || h->nlmsg_type != NLMSG_ERROR)
			continue; /* the late answer to one that was given up */
		memcpy(&e, NLMSG_DATA(h), sizeof(e));
		return e.error;
	}
}

static int ask(struct rtnl *n, struct req *r)
{
	r->h.nlmsg_flags |= NLM_F_ACK;
	if (send(n->fd, r, r->h.nlmsg_len, 0) < 0)
		return -errno;
	return answer(n);
}

static uint8_t bits(const struct ip_addr *a)
{
	return (uint8_t)(8 * ip_size(a->family));
}

static uint8_t domain(uint8_t family)
{
	return family == IP_V6 ? AF_INET6 : AF_INET;
}

static int addr(struct rtnl *n, uint16_t type, uint16_t flags, int ifindex, const struct ip_addr *a)
{
	struct req r;
	struct ifaddrmsg *m = begin(&r, n, type, flags, sizeof(*m));

	m->ifa_family = domain(a->family);
	m->ifa_prefixlen = bits(a);
	m->ifa_index = (uint32_t)ifindex;
	(void)attr(&r, IFA_LOCAL, a->b, (uint16_t)ip_size(a->family));
	(void)attr(&r, IFA_ADDRESS, a->b, (uint16_t)ip_size(a->family));
	attr_u32(&r, IFA_FLAGS, IFA_F_NOPREFIXROUTE | (a->family == IP_V6 ? IFA_F_NODAD : 0));
	return ask(n, &r);
}

int rtnl_addr_set(struct rtnl *n, int ifindex, const struct ip_addr *a)
{
	return addr(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, a);
}

int rtnl_addr_del(struct rtnl *n, int ifindex, const struct ip_addr *a)
{
	int ret = addr(n, RTM_DELADDR, 0, ifindex, a);

	return ret == -EADDRNOTAVAIL || ret == -ENODEV ? 0 : ret;
}

static int rule(struct rtnl *n, uint16_t type, uint16_t flags, const struct rtnl_rule *rule)
{
	const uint8_t proto = PROTO;
	struct req r;
	struct fib_rule_hdr *m = begin(&r, n, type, flags, sizeof(*m));

	m->family = domain(rule->src.family);
	m->src_len = bits(&rule->src);
	m->action = FR_ACT_TO_TBL;
	(void)attr(&r, FRA_SRC, rule->src.b, (uint16_t)ip_size(rule->src.family));
	attr_u32(&r, FRA_TABLE, rule->table);
	attr_u32(&r, FRA_PRIORITY, PRIORITY);
	(void)attr(&r, FRA_PROTOCOL, &proto, sizeof(proto));
	return ask(n, &r);
}

int rtnl_rule_set(struct rtnl *n, const struct rtnl_rule *r)
{
	int ret = rule(n, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, r);

	return ret == -EEXIST ? 1 : ret;
}

int rtnl_rule_del(struct rtnl *n, const struct rtnl_rule *r)
{
	int ret = rule(n, RTM_DELRULE, 0, r);

	return ret == -ENOENT ? 0 : ret;
}

static struct rtmsg *route(struct req *r, struct rtnl *n, uint16_t type, uint16_t flags, uint8_t family, uint32_t table)
{
	struct rtmsg *m = begin(r, n, type, flags, sizeof(*m));

	m->rtm_family = domain(family);
	m->rtm_protocol = PROTO;
	attr_u32(r, RTA_TABLE, table);
	return m;
}

int rtnl_default(struct rtnl *n, uint8_t family, int ifindex, uint32_t table)
{
	struct req r;
	struct rtmsg *m = route(&r, n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, family, table);
	int ret;

	m->rtm_scope = RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	attr_u32(&r, RTA_OIF, (uint32_t)ifindex);
	ret = ask(n, &r);
	return ret == -EEXIST ? 1 : ret;
}

static int wall(struct rtnl *n, uint16_t type, uint16_t flags, uint8_t family, uint32_t table)
{
	struct req r;

	route(&r, n, type, flags, family, table)->rtm_type = RTN_UNREACHABLE;
	attr_u32(&r, RTA_PRIORITY, UINT32_MAX);
	return ask(n, &r);
}

int rtnl_wall_set(struct rtnl *n, uint8_t family, uint32_t table)
{
	int ret = wall(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, family, table);

	return ret == -EEXIST ? 1 : ret;
}

int rtnl_wall_del(struct rtnl *n, uint8_t family, uint32_t table)
{
	int ret = wall(n, RTM_DELROUTE, 0, family, table);

	return ret == -ESRCH || ret == -ENOENT ? 0 : ret;
}

/* Each address family of the interface has its settings in a nest of its own. */
static int settings(struct rtnl *n, int ifindex, uint8_t family)
{
	static const uint16_t zero[] = {IPV4_DEVCONF_FORWARDING, IPV4_DEVCONF_RP_FILTER, IPV4_DEVCONF_ACCEPT_REDIRECTS,
					IPV4_DEVCONF_SEND_REDIRECTS, IPV4_DEVCONF_ACCEPT_LOCAL};
	const uint8_t no_addresses = IN6_ADDR_GEN_MODE_NONE;
	struct req r;
	struct ifinfomsg *m = begin(&r, n, RTM_NEWLINK, 0, sizeof(*m));
	struct rtattr *spec, *af, *conf;

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = ifindex;
	spec = attr(&r, IFLA_AF_SPEC | NLA_F_NESTED, NULL, 0);
	af = attr(&r, family | NLA_F_NESTED, NULL, 0);
	if (family == AF_INET) {
		conf = attr(&r, IFLA_INET_CONF | NLA_F_NESTED, NULL, 0);
		for (unsigned i = 0; i < N_ELEMS(zero); i++)
			attr_u32(&r, zero[i], 0);
		nest_end(&r, conf);
	} else {
		(void)attr(&r, IFLA_INET6_ADDR_GEN_MODE, &no_addresses, sizeof(no_addresses));
	}
	nest_end(&r, af);
	nest_end(&r, spec);
	return ask(n, &r);
}

int rtnl_quiet(struct rtnl *n, int ifindex)
{
	int ret = settings(n, ifindex, AF_INET6);

	if (ret && ret != -EAFNOSUPPORT && ret != -EINVAL && ret != -ENODEV) /* a kernel without IPv6 */
		return ret;
	return settings(n, ifindex, AF_INET);
}

/* --- listing --- */

/* One of ours, as rtnl_rule_set() writes them. */
static bool rule_read(const struct nlmsghdr *h, struct rtnl_rule *out)
{
	struct fib_rule_hdr m;
	int left = (int)h->nlmsg_len - (int)NLMSG_SPACE(sizeof(m));
	const struct rtattr *a = (const void *)((const uint8_t *)h + NLMSG_SPACE(sizeof(m)));
	bool ours = false, has_src = false;

	if (h->nlmsg_type != RTM_NEWRULE || left < 0)
		return false;
	memcpy(&m, NLMSG_DATA(h), sizeof(m));
	*out = (struct rtnl_rule){.src.family = m.family == AF_INET6 ? IP_V6 : IP_V4, .table = m.table};
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		const void *data = RTA_DATA(a);
		size_t len = RTA_PAYLOAD(a);

		if (a->rta_type == FRA_PROTOCOL && len == 1) {
			ours = *(const uint8_t *)data == PROTO;
		} else if (a->rta_type == FRA_TABLE && len == 4) {
			memcpy(&out->table, data, 4);
		} else if (a->rta_type == FRA_SRC && len == ip_size(out->src.family)) {
			memcpy(out->src.b, data, len);
			has_src = true;
		}
	}
	return ours && has_src && m.family == domain(out->src.family) && m.src_len == bits(&out->src);
}

int rtnl_rules(struct rtnl *n, uint8_t family, struct rtnl_rule *out, unsigned cap)
{
	_Alignas(NLMSG_ALIGNTO) uint8_t buf[ANSWER];
	unsigned found = 0;
	struct req r;
	struct fib_rule_hdr *m = begin(&r, n, RTM_GETRULE, NLM_F_DUMP, sizeof(*m));

	m->family = domain(family);
	if (send(n->fd, &r, r.h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t got = recv(n->fd, buf, sizeof(buf), 0);
		size_t left = got > 0 ? (size_t)got : 0;

		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_seq != n->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return (int)found;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -EIO;
			if (found < cap && rule_read(h, &out[found]))
				found++;
		}
	}
}
