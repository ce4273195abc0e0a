#include "dataplane/selector.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_byteorder.h>

#include "base/build.h"

struct ports {
	bool known;
	uint16_t src, dst;
};

/* RFC 7296 3.13.1: for ICMP, type and code stand where a port stands, in both ends. */
static struct ports ports_of(const struct rte_ipv4_hdr *ip, uint16_t total)
{
	uint16_t ihl = (uint16_t)((ip->version_ihl & 15) * 4);
	const uint8_t *l4 = (const uint8_t *)ip + ihl;
	struct ports p = {false, 0, 0};

	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK) || total < ihl + 4)
		return p;
	switch (ip->next_proto_id) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		p = (struct ports){true, (uint16_t)(l4[0] << 8 | l4[1]), (uint16_t)(l4[2] << 8 | l4[3])};
		break;
	case IPPROTO_ICMP:
		p = (struct ports){true, (uint16_t)(l4[0] << 8 | l4[1]), (uint16_t)(l4[0] << 8 | l4[1])};
		break;
	}
	return p;
}

static bool addr_in(const struct msg_ts *t, uint32_t a_be)
{
	/* network order: octet by octet is by value */
	return memcmp(t->lo, &a_be, 4) <= 0 && memcmp(&a_be, t->hi, 4) <= 0;
}

static bool ports_any(const struct msg_ts *t)
{
	return t->port_lo == 0 && t->port_hi == 65535;
}

static bool port_in(const struct msg_ts *t, const struct ports *p, uint16_t port)
{
	return ports_any(t) || (p->known && t->port_lo <= port && port <= t->port_hi);
}

bool selector_match(const struct sa_cold *c, uint32_t dir, const struct rte_ipv4_hdr *ip, uint16_t total)
{
	struct ports p = ports_of(ip, total);

	for (unsigned i = 0; i < c->n_ts; i++) {
		const struct msg_ts_pair *t = &c->ts[i];
		const struct msg_ts *src = dir == MSG_DIR_IN ? &t->remote : &t->local;
		const struct msg_ts *dst = dir == MSG_DIR_IN ? &t->local : &t->remote;

		if (addr_in(src, ip->src_addr) && addr_in(dst, ip->dst_addr) &&
		    (t->proto == 0 || t->proto == ip->next_proto_id) && port_in(src, &p, p.src) &&
		    port_in(dst, &p, p.dst))
			return true;
	}
	return false;
}
