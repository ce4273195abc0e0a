#include "dataplane/tundev.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "base/err.h"
#include "base/log.h"

#define NODE "/dev/net/tun"

enum { TABLE = 0x45000000, TABLE_MASK = 0xff000000, RULES_MAX = 8192, WATCH_RULES = 4 };

static int fail(char *why, unsigned cap, const char *name, const char *what, int err)
{
	snprintf(why, cap, "TUN device %s: %s: %s", name, what, err_str(err));
	return err;
}

/* --- the device --- */

static int create(struct tundev *t, const char *name, char *why, unsigned cap)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int ret;

	t->fd = open(NODE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->fd < 0) {
		ret = -errno;
		snprintf(why, cap,
			 NODE
			 " does not open: %s; the kernel's sockets have no other way to the network: modprobe tun, and "
			 "give a container the device " NODE,
			 err_str(ret));
		return ret;
	}
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(t->fd, TUNSETIFF, &r)) {
		ret = -errno;
		snprintf(why, cap, "TUN device %s is not to be had: %s; write another name for dataplane.tun, or none",
			 name, err_str(ret));
		return ret;
	}
	snprintf(t->name, sizeof(t->name), "%s", r.ifr_name);
	t->ifindex = (int)if_nametoindex(t->name);
	return t->ifindex ? 0 : fail(why, cap, t->name, "it went away", -errno);
}

static int flags(const struct tundev *t, struct ifreq *r)
{
	*r = (struct ifreq){0};
	memcpy(r->ifr_name, t->name, sizeof(r->ifr_name));
	return ioctl(t->sock, SIOCGIFFLAGS, r) ? -errno : 0;
}

static int bring_up(struct tundev *t, uint16_t mtu)
{
	struct ifreq r = {.ifr_mtu = mtu};

	memcpy(r.ifr_name, t->name, sizeof(r.ifr_name));
	if (ioctl(t->sock, SIOCSIFMTU, &r) || flags(t, &r))
		return -errno;
	r.ifr_flags = (short)((r.ifr_flags & ~IFF_MULTICAST) | IFF_UP);
	return ioctl(t->sock, SIOCSIFFLAGS, &r) ? -errno : 0;
}

static uint32_t table_of(int ifindex)
{
	return TABLE | ((uint32_t)ifindex & ~TABLE_MASK);
}

/* Rules of a process that was killed: the interface of their table is gone, or its number is ours now. */
static int remove_leftovers(struct tundev *t, uint8_t family)
{
	struct rtnl_rule *r = calloc(RULES_MAX, sizeof(*r));
	int n = r ? rtnl_rules(&t->rtnl, family, r, RULES_MAX) : -ENOMEM, ret = n < 0 ? n : 0;
	char name[IF_NAMESIZE];

	for (int i = 0; i < n && !ret; i++) {
		uint32_t ifindex = r[i].table & ~TABLE_MASK;

		if ((r[i].table & TABLE_MASK) != TABLE ||
		    (ifindex != (uint32_t)t->ifindex && if_indextoname(ifindex, name)))
			continue;
		ret = rtnl_rule_del(&t->rtnl, &r[i]);
		if (!ret)
			ret = rtnl_wall_del(&t->rtnl, family, r[i].table);
		log_info(LOG_CTL, "tun=%s event=leftover-rule-removed table=%u", t->name, r[i].table);
	}
	free(r);
	return ret;
}

/* The routes of the table. 1: there was nothing to do. */
static int routes(struct tundev *t, uint8_t family)
{
	int wall = rtnl_wall_set(&t->rtnl, family, t->table), way = wall < 0 ? wall : 1;

	if (wall >= 0 && t->up)
		way = rtnl_default(&t->rtnl, family, t->ifindex, t->table);
	return way < 0 ? way : wall && way;
}

/* Hosts and containers often have it off by default; this device is ours to say. A kernel without it is none's fault. */
static void with_six(struct tundev *t)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", t->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "0", 1) != 1)
			log_debug(LOG_CTL, "tun=%s event=disable_ipv6-stays", t->name);
		close(fd);
	}
	ret = remove_leftovers(t, IP_V6);
	if (!ret)
		ret = routes(t, IP_V6);
	t->six = ret >= 0;
	if (!t->six)
		log_info(LOG_CTL, "tun=%s event=no-ipv6 cause=\"%s\"", t->name, err_str(ret));
}

int tundev_open(struct tundev *t, const char *name, uint16_t mtu, char *why, unsigned cap)
{
	int ret;

	t->fd = -1;
	t->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ret = t->sock < 0 ? -errno : rtnl_open(&t->rtnl);
	if (ret)
		return fail(why, cap, name, "no sockets to set it up", ret);
	ret = create(t, name[0] ? name : TUNDEV_NAME, why, cap);
	if (ret)
		return ret;
	t->table = table_of(t->ifindex);
	if ((ret = remove_leftovers(t, IP_V4)) != 0)
		return fail(why, cap, t->name, "rules of an earlier process do not go away", ret);
	if ((ret = rtnl_quiet(&t->rtnl, t->ifindex)) != 0)
		return fail(why, cap, t->name, "its settings are refused", ret);
	if ((ret = bring_up(t, mtu)) != 0)
		return fail(why, cap, t->name, "it does not come up", ret);
	t->up = true;
	ret = routes(t, IP_V4);
	if (ret < 0)
		return fail(why, cap, t->name, "no route to it", ret);
	with_six(t);
	log_info(LOG_CTL, "tun=%s event=open mtu=%u table=%u", t->name, mtu, t->table);
	return 0;
}

void tundev_close(struct tundev *t)
{
	while (t->n_addrs) {
		struct ip_addr a = t->addr[t->n_addrs - 1];

		if (tundev_addr_del(t, &a)) {
			log_warn(LOG_CTL, "tun=%s event=address-stays", t->name);
			t->n_addrs--;
		}
	}
	if (t->table && rtnl_wall_del(&t->rtnl, IP_V4, t->table))
		log_warn(LOG_CTL, "tun=%s event=route-stays table=%u", t->name, t->table);
	if (t->six && rtnl_wall_del(&t->rtnl, IP_V6, t->table))
		log_warn(LOG_CTL, "tun=%s event=route-stays family=6 table=%u", t->name, t->table);
	if (t->fd > 0)
		close(t->fd);
	if (t->sock > 0)
		close(t->sock);
	rtnl_close(&t->rtnl);
	*t = (struct tundev){0};
}

/* --- addresses --- */

static struct ip_addr *find(struct tundev *t, const struct ip_addr *a)
{
	for (unsigned i = 0; i < t->n_addrs; i++)
		if (ip_equal(&t->addr[i], a))
			return &t->addr[i];
	return NULL;
}

int tundev_addr_set(struct tundev *t, const struct ip_addr *a)
{
	const struct rtnl_rule rule = {.src = *a, .table = t->table};
	int ret;

	if (find(t, a) || t->gone || (a->family == IP_V6 && !t->six))
		return 0;
	if (t->n_addrs == TUNDEV_ADDRS_MAX)
		return -ENOSPC;
	ret = rtnl_rule_set(&t->rtnl, &rule); /* first: the address never answers by another way */
	if (ret >= 0)
		ret = rtnl_addr_set(&t->rtnl, t->ifindex, a);
	if (ret) {
		log_err(LOG_CTL, "tun=%s event=address-refused cause=\"%s\"", t->name, err_str(ret));
		(void)!rtnl_rule_del(&t->rtnl, &rule);
		return ret;
	}
	t->addr[t->n_addrs++] = *a;
	return 0;
}

int tundev_addr_del(struct tundev *t, const struct ip_addr *a)
{
	const struct rtnl_rule rule = {.src = *a, .table = t->table};
	struct ip_addr *at = find(t, a);
	int ret;

	if (!at)
		return 0;
	ret = t->gone ? 0 : rtnl_addr_del(&t->rtnl, t->ifindex, a);
	if (!ret)
		ret = rtnl_rule_del(&t->rtnl, &rule);
	if (!ret)
		*at = t->addr[--t->n_addrs];
	return ret;
}

/* --- watching --- */

/* The kernel forgets the routes of a device that is set down. */
static void came_up(struct tundev *t)
{
	int ret;

	t->up = true;
	ret = routes(t, IP_V4);
	if (ret >= 0 && t->six)
		ret = routes(t, IP_V6);
	if (ret < 0)
		log_err(LOG_CTL, "tun=%s event=no-route cause=\"%s\"", t->name, err_str(ret));
	t->up = ret >= 0;
}

/* Another hand may have removed them: systemd-networkd takes all rules and routes away that it does not know, when it starts. Without them
 * our packets would leave by the main table. */
static void put_back(struct tundev *t)
{
	unsigned n = t->n_addrs < WATCH_RULES ? t->n_addrs : WATCH_RULES, back = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct rtnl_rule rule = {.src = t->addr[t->watched++ % t->n_addrs], .table = t->table};

		back += rtnl_rule_set(&t->rtnl, &rule) == 0;
	}
	back += routes(t, IP_V4) == 0;
	back += t->six && routes(t, IP_V6) == 0;
	if (back)
		log_warn(LOG_CTL,
			 "tun=%s event=rules-put-back n=%u table=%u cause=\"somebody removed them\" "
			 "cure=\"systemd-networkd: ManageForeignRoutingPolicyRules=no, ManageForeignRoutes=no\"",
			 t->name, back, t->table);
}

void tundev_watch(struct tundev *t)
{
	bool was = t->up;
	struct ifreq r;

	if (t->gone || !t->ifindex)
		return;
	if (flags(t, &r)) {
		t->gone = true;
		t->up = false;
		log_err(LOG_CTL,
			"tun=%s event=gone cause=\"it was removed; BGP and other sockets of this host have no way to "
			"the "
			"network\" cure=\"restart esplanade-dataplane\"",
			t->name);
		return;
	}
	if (!(r.ifr_flags & IFF_UP))
		t->up = false;
	else if (!t->up)
		came_up(t);
	put_back(t);
	if (t->up != was)
		log_info(LOG_CTL, "tun=%s event=%s", t->name, t->up ? "up" : "down");
}
