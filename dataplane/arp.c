/* ARP's frames. RFC 826, RFC 5227 */
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>

#include "base/ip.h"
#include "dataplane/nbr_core.h"

/* dst: NULL for broadcast. RFC 826 */
static void transmit(struct nbr *a, uint8_t worker, uint16_t port, uint16_t op, uint32_t sender_be, const uint8_t *dst,
		     uint32_t target_be)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct port *p = &a->ports->p[port];
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;
	struct rte_mbuf *m = nbr_frame(a, worker, sizeof(*eth) + sizeof(*arp));

	if (!m)
		return; /* it is asked again */
	eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	memcpy(&eth->dst_addr, dst ? dst : all, 6);
	memcpy(&eth->src_addr, p->mac, 6);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	arp = (void *)(eth + 1);
	*arp = (struct rte_arp_hdr){.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
				    .arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
				    .arp_hlen = 6,
				    .arp_plen = 4,
				    .arp_opcode = rte_cpu_to_be_16(op),
				    .arp_data = {.arp_sip = sender_be, .arp_tip = target_be}};
	memcpy(&arp->arp_data.arp_sha, p->mac, 6);
	if (dst)
		memcpy(&arp->arp_data.arp_tha, dst, 6);
	nbr_send(a, worker, port, m);
}

static uint32_t be(const struct ip_addr *addr)
{
	uint32_t v;

	memcpy(&v, addr->b, 4);
	return v;
}

/* Our address in the network of addr, or 0. Its being in one says that addr is on link here. */
static uint32_t source_for(const struct port *p, uint32_t addr_be)
{
	struct ip_addr addr = ip_from_bytes(IP_V4, &addr_be);

	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4 && ip_prefix_contains(&p->cfg->addr[i], &addr))
			return be(&p->cfg->addr[i].addr);
	return 0;
}

bool arp_is_ours(const struct port *p, uint32_t addr_be)
{
	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4 && be(&p->cfg->addr[i].addr) == addr_be)
			return true;
	return false;
}

void arp_ask(struct nbr *a, const struct nbr_entry *e)
{
	const struct port *p = &a->ports->p[e->who.port];
	uint32_t from = source_for(p, e->who.addr_be);
	uint64_t mac = nbr_mac(e);

	/* a gateway outside the port's networks: asked for with the first address */
	for (unsigned i = 0; !from && i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4)
			from = be(&p->cfg->addr[i].addr);
	transmit(a, e->asks, e->who.port, RTE_ARP_OP_REQUEST, from, mac ? (const uint8_t *)&mac : NULL, e->who.addr_be);
}

/* RFC 826 "Packet Reception": merge; then, if it is for us, add and answer. */
void arp_in(struct nbr *a, uint8_t worker, const struct rte_mbuf *m, uint64_t now_ms)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));
	const struct rte_arp_ipv4 d = arp->arp_data;
	const struct port *p = &a->ports->p[m->port];
	const struct neigh_who who = {.addr_be = d.arp_sip, .port = m->port};
	const struct ip_addr sender = ip_from_bytes(IP_V4, &d.arp_sip);
	bool request = arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST), for_us;
	struct nbr_entry *e;

	if (arp_is_ours(p, d.arp_sip)) {
		nbr_conflict(a, p, &sender, d.arp_sha.addr_bytes);
		return;
	}
	for_us = arp_is_ours(p, d.arp_tip);
	e = d.arp_sip ? nbr_find(a, &who) : NULL;
	/* an entry of its own only for a host of this link: others would be a way to fill the table */
	if (!e && for_us && request && d.arp_sip && source_for(p, d.arp_sip))
		e = nbr_make(a, &who, worker);
	if (e)
		nbr_resolve(a, e, d.arp_sha.addr_bytes, NBR_REACHABLE, now_ms);
	else if (!for_us)
		a->count.ignored++;
	if (for_us && request)
		transmit(a, worker, m->port, RTE_ARP_OP_REPLY, d.arp_tip, d.arp_sha.addr_bytes, d.arp_sip);
}

void arp_announce(struct nbr *a, uint16_t port)
{
	const struct port *p = &a->ports->p[port];

	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4)
			transmit(a, 0, port, RTE_ARP_OP_REQUEST, be(&p->cfg->addr[i].addr), NULL,
				 be(&p->cfg->addr[i].addr));
}
