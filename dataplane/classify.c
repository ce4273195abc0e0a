#include "dataplane/classify.h"

#include <rte_esp.h>
#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/handoff.h"
#include "dataplane/ip6.h"
#include "dataplane/pkt.h"
#include "dataplane/pmtu.h"
#include "dataplane/reasm.h"
#include "dataplane/sad.h"
#include "dataplane/tx.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

/* Where the ESP header begins, or 0 when there is none: protocol 50, or UDP to port 4500 whose first 4 octets are not
 * the non-ESP marker (RFC 3948 2.2). Fragments have no ESP header to speak of (RFC 4303 3.4.1). */
static inline uint16_t esp_offset(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint8_t *flags)
{
	const uint16_t ihl = pkt_ihl(ip);
	const uint8_t *l4 = (const uint8_t *)ip + ihl;
	const struct rte_udp_hdr *udp = (const void *)l4;

	if (ip->next_proto_id != IPPROTO_ESP && ip->next_proto_id != IPPROTO_UDP)
		return 0;
	if (unlikely(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
		return 0;
	if (ip->next_proto_id == IPPROTO_ESP)
		return m->data_len >= ihl + sizeof(struct rte_esp_hdr) ? ihl : 0;
	if (m->data_len < ihl + sizeof(*udp) + sizeof(struct rte_esp_hdr) || udp->dst_port != RTE_BE16(4500))
		return 0;
	if (una_get32(udp + 1) == 0)
		return 0;
	*flags |= PKT_ENCAP;
	return (uint16_t)(ihl + sizeof(*udp));
}

/* The same of IPv6, where a header of this kind is at off. */
static inline uint16_t esp_behind6(const struct rte_mbuf *m, const uint8_t *ip, uint8_t proto, uint16_t off,
				   uint8_t *flags)
{
	const struct rte_udp_hdr *udp = (const void *)(ip + off);

	if (proto == IP6_ESP)
		return m->data_len >= off + sizeof(struct rte_esp_hdr) ? off : 0;
	if (proto != IP6_UDP || m->data_len < off + sizeof(*udp) + sizeof(struct rte_esp_hdr) ||
	    udp->dst_port != RTE_BE16(4500) || una_get32(udp + 1) == 0)
		return 0;
	*flags |= PKT_ENCAP;
	return (uint16_t)(off + sizeof(*udp));
}

static __rte_noinline uint16_t esp_behind_chain(struct rte_mbuf *m, uint8_t *flags)
{
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);
	struct ip6_chain c;

	if (ip6_walk(ip, m->data_len, &c) != DROP_N || !c.whole)
		return 0;
	return esp_behind6(m, (const uint8_t *)ip, c.proto, c.off, flags);
}

static inline uint16_t esp_offset6(struct rte_mbuf *m, uint8_t *flags)
{
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);

	if (unlikely(!ip6_is_upper(ip->proto)))
		return esp_behind_chain(m, flags);
	return esp_behind6(m, (const uint8_t *)ip, ip->proto, IP6_HDR, flags);
}

/* ESP for an SA of ours, or of another worker; false: for nobody that we know. */
static inline bool take_esp(struct worker *w, struct rte_mbuf *m, uint16_t off, uint8_t flags)
{
	uint32_t spi = rte_be_to_cpu_32(una_get32(rte_pktmbuf_mtod(m, const uint8_t *) + off));
	uint8_t owner = sad_owner_in(w->sad, spi);

	if (unlikely(owner == SAD_NOBODY))
		return false;
	*pkt_of(m) = (struct pkt){.kind = PKT_ESP, .flags = flags, .esp_off = off};
	if (unlikely(owner != w->id)) {
		handoff_push(w, owner, m);
		return true;
	}
	rte_prefetch0(&w->sad->in[spi_slot(spi)]);
	vec_push(&w->esp, m);
	return true;
}

void classify_burst(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint8_t flags = pkt_of(m[i])->flags;
		uint16_t off =
			likely(!(flags & PKT_V6)) ? esp_offset(m[i], pkt_ip(m[i]), &flags) : esp_offset6(m[i], &flags);

		if (off == 0 || !take_esp(w, m[i], off, flags))
			vec_push(&w->fwd, m[i]);
	}
}

void classify_handed(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint8_t kind = pkt_of(m[i])->kind;

		if (unlikely(kind == PKT_FRAME))
			tx_push(w, &m[i], 1);
		else if (unlikely(kind == PKT_PMTU))
			pmtu_take(w, m[i]);
		else if (unlikely(kind == PKT_FRAG))
			reasm_take(w, m[i]);
		else
			vec_push(kind == PKT_TUNNEL ? &w->enc : &w->esp, m[i]);
	}
}
