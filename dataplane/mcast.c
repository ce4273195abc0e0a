#include "dataplane/mcast.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include <rte_ethdev.h>

#include "dataplane/nd_msg.h"
#include "dataplane/onlink.h"
#include "dataplane/port.h"

enum { GROUPS = ONLINK_ADDRS6 + 1 };

/* Ethernet addresses of the groups that a port listens to: all nodes, and one for each of its addresses. How many. */
static unsigned groups(const struct port *p, struct rte_ether_addr mac[GROUPS])
{
	struct ip6 addr[ONLINK_ADDRS6];
	unsigned n = onlink_addrs6(p, addr);

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		nd_group_mac(ip6_solicited_node(addr[i]), mac[i].addr_bytes);
	nd_group_mac((struct ip6){0xff02000000000000, 1}, mac[n].addr_bytes);
	return n + 1;
}

static int join(int fd, const struct port *p)
{
	struct rte_ether_addr mac[GROUPS];
	unsigned n = groups(p, mac);

	for (unsigned i = 0; i < n; i++) {
		struct packet_mreq r = {.mr_ifindex = p->ifindex, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6};

		memcpy(r.mr_address, mac[i].addr_bytes, 6);
		if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)))
			return -errno;
	}
	return 0;
}

int mcast_join(const struct port_set *ports)
{
	struct ip6 any;
	int fd = 0, ret = 0;

	for (uint16_t i = 0; i < ports->n && !ret; i++) {
		const struct port *p = &ports->p[i];

		if (!p->ifindex || !onlink_link6(p, &any))
			continue;
		if (fd == 0)
			fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		ret = fd < 0 ? -errno : join(fd, p);
	}
	if (ret && fd > 0)
		close(fd);
	return ret ? ret : fd;
}

int mcast_filter(const struct port *p)
{
	struct rte_ether_addr mac[GROUPS];
	unsigned n = groups(p, mac);

	if (n == 0 || rte_eth_dev_set_mc_addr_list(p->dev, mac, n) == 0 || rte_eth_allmulticast_enable(p->dev) == 0)
		return 0;
	return rte_eth_promiscuous_enable(p->dev);
}
