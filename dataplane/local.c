#include "dataplane/local.h"

#include <string.h>

#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/icmp.h"
#include "dataplane/pkt.h"
#include "dataplane/punt.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

/* An SPI that no SA of ours has: the control plane may want to know, so that a peer that still believes in a lost SA
 * hears of it (RFC 7296 1.5); rate limited. RFC 4303 3.4.2: an auditable event. */
static void bad_spi(struct worker *w, struct rte_mbuf *m, const uint8_t *esp)
{
	uint32_t spi = rte_be_to_cpu_32(una_get32(esp)), slot = spi_slot(spi);
	struct msg_bad_spi e = {.spi = spi, .family = 4};

	/* the right SPI, but to another of our addresses than its SA's */
	if (sad_owner_in(w->sad, spi) == w->id && w->sad->cold_in[slot].spi == spi) {
		w->sad->cold_in[slot].drop[MSG_SA_DROP_INVALID_SA]++;
		drop(w, m, DROP_SA_MISMATCH);
		return;
	}
	memcpy(e.remote, &pkt_ip(m)->src_addr, 4);
	if (spi != 0 && worker_bucket_take(&w->bad_spi, w->now_tsc))
		worker_event(w, MSG_BAD_SPI, &e, sizeof(e));
	drop(w, m, DROP_BAD_SPI);
}

static void esp_in(struct worker *w, struct rte_mbuf *m, uint16_t off)
{
	if (m->data_len < off + 8)
		drop(w, m, DROP_ESP_RUNT);
	else if (pkt_of(m)->flags & PKT_DECAPPED)
		drop(w, m, DROP_RECURSION); /* a tunnel to us inside a tunnel to us */
	else
		bad_spi(w, m, (const uint8_t *)pkt_ip(m) + off);
}

/* UDP 4500 carries both: ESP when the first 4 octets are not zero. RFC 3948 2.2 */
static bool is_esp_in_udp(const struct rte_mbuf *m, const struct rte_udp_hdr *udp, uint16_t ihl)
{
	return udp->dst_port == RTE_BE16(PUNT_PORT_NATT) && m->data_len >= ihl + sizeof(*udp) + 4 &&
	       una_get32(udp + 1) != 0;
}

static void udp_in(struct worker *w, struct rte_mbuf *m, uint16_t ihl)
{
	const struct rte_udp_hdr *udp = (const void *)((const uint8_t *)pkt_ip(m) + ihl);

	if (m->data_len < ihl + sizeof(*udp))
		drop(w, m, DROP_RUNT);
	else if (is_esp_in_udp(m, udp, ihl))
		esp_in(w, m, (uint16_t)(ihl + sizeof(*udp)));
	else if (udp->dst_port == RTE_BE16(PUNT_PORT_IKE) || udp->dst_port == RTE_BE16(PUNT_PORT_NATT))
		punt_ike_in(w, m);
	else
		tun_push(w, m);
}

static void local_one(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	uint16_t ihl = pkt_ihl(ip);

	if (pkt_of(m)->flags & (PKT_L2_MANY | PKT_TUN)) { /* RFC 1122 3.3.6; the kernel talks to itself without us */
		drop(w, m, DROP_NOT_FOR_US);
		return;
	}
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) {
		drop(w, m, DROP_FRAGMENT);
		return;
	}
	switch (ip->next_proto_id) {
	case IPPROTO_ICMP:
		icmp_in(w, m);
		break;
	case IPPROTO_UDP:
		udp_in(w, m, ihl);
		break;
	case IPPROTO_ESP:
		esp_in(w, m, ihl);
		break;
	default:
		tun_push(w, m);
	}
}

void local_burst(struct worker *w)
{
	bool transport = transport_any(&w->sad->transport);

	for (uint16_t i = 0; i < w->local.n; i++) {
		if (transport && transport_bare(w, w->local.m[i]))
			drop(w, w->local.m[i], DROP_CLEAR_TO_PROTECTED);
		else
			local_one(w, w->local.m[i]);
	}
	w->local.n = 0;
}
