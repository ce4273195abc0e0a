/* Which frames of an AF_XDP port are the gateway's, and which the kernel's.
 *
 * A port of the gateway's own: all go to the sockets. With management (steer.h), what is to those TCP and UDP ports goes to the
 * kernel, and so do ARP and neighbour discovery, which both need. ESP, ESP in UDP, IKE, fragments and all that is to be forwarded go
 * to the socket of the queue that they came in by. A queue without a socket, or whose gateway was killed: dropped, so
 * that the kernel never answers in the gateway's place.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/xdp/steer.h"

enum { IP_FRAGMENT = 0x3fff, IP_VHL_PLAIN = 0x45, ICMP6 = 58, ND_FIRST = 133, ND_LAST = 137 };

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps"); /* the driver knows it by this name */

/* Written into the object before it is loaded. */
const volatile struct steer_conf steer_conf = {.magic = STEER_MAGIC};

/* UDP and TCP begin alike: source port, destination port. */
struct ports {
	__be16 src, dst;
};

static __always_inline int to_kernel(__u8 protocol, const struct ports *p, const void *end)
{
	if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || (const void *)(p + 1) > end)
		return 0;
	for (unsigned int i = 0; i < STEER_MGMT_MAX; i++)
		if (i < steer_conf.n_mgmt && steer_conf.mgmt[i].protocol == protocol &&
		    steer_conf.mgmt[i].port == bpf_ntohs(p->dst))
			return 1;
	return 0;
}

static __always_inline int ip4(const struct iphdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end || *(const __u8 *)ip != IP_VHL_PLAIN || ip->frag_off & bpf_htons(IP_FRAGMENT))
		return 0;
	return to_kernel(ip->protocol, (const void *)(ip + 1), end);
}

static __always_inline int ip6(const struct ipv6hdr *ip, const void *end)
{
	const __u8 *type = (const void *)(ip + 1);

	if ((const void *)(ip + 1) > end)
		return 0;
	if (ip->nexthdr == ICMP6)
		return (const void *)(type + 1) <= end && *type >= ND_FIRST && *type <= ND_LAST;
	return to_kernel(ip->nexthdr, (const void *)(ip + 1), end);
}

SEC("xdp")
int esplanade_steer(struct xdp_md *ctx)
{
	const void *end = (const void *)(unsigned long)ctx->data_end;
	const struct ethhdr *eth = (const void *)(unsigned long)ctx->data;
	int pass = 0;

	if (steer_conf.n_mgmt && (const void *)(eth + 1) <= end) {
		if (eth->h_proto == bpf_htons(ETH_P_IP))
			pass = ip4((const void *)(eth + 1), end);
		else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
			pass = ip6((const void *)(eth + 1), end);
		else
			pass = eth->h_proto == bpf_htons(ETH_P_ARP);
	}
	if (pass)
		return XDP_PASS;
	return (int)bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_DROP);
}

char steer_license[] SEC("license") = "Dual BSD/GPL";
