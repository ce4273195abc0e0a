#include "dataplane/local.h"

#include <string.h>

#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/icmp.h"
#include "dataplane/icmp6.h"
#include "dataplane/ip6.h"
#include "dataplane/pkt.h"
#include "dataplane/punt.h"
#include "dataplane/reasm.h"
#include "dataplane/sad.h"
#include "dataplane/tun.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

/* An SPI that no SA of ours has: the control plane may want to know, so that a peer that still believes in a lost SA
 * hears of it (RFC 7296 1.5); rate limited. RFC 4303 3.4.2: an auditable event. */
static void bad_spi(struct worker *w, struct rte_mbuf *m, const uint8_t *esp)
{
	uint32_t spi = rte_be_to_cpu_32(una_get32(esp)), slot = spi_slot(spi);
	struct msg_bad_spi e = {.spi = spi, .family = pkt_is_v6(m) ? IP_V6 : IP_V4};

	/* the right SPI, but to another of our addresses than its SA's */
	if (sad_owner_in(w->sad, spi) == w->id && w->sad->cold_in[slot].spi == spi) {
		w->sad->cold_in[slot].drop[MSG_SA_DROP_INVALID_SA]++;
		drop(w, m, DROP_SA_MISMATCH);
		return;
	}
	if (pkt_is_v6(m))
		memcpy(e.remote, ip6_src(pkt_ip6(m)), 16);
	else
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
static bool is_esp_in_udp(const struct rte_mbuf *m, const struct rte_udp_hdr *udp, uint16_t off)
{
	return udp->dst_port == RTE_BE16(PUNT_PORT_NATT) && m->data_len >= off + sizeof(*udp) + 4 &&
	       una_get32(udp + 1) != 0;
}

static void udp_in(struct worker *w, struct rte_mbuf *m, uint16_t off)
{
	const struct rte_udp_hdr *udp = (const void *)((const uint8_t *)pkt_ip(m) + off);

	if (m->data_len < off + sizeof(*udp))
		drop(w, m, DROP_RUNT);
	else if (is_esp_in_udp(m, udp, off))
		esp_in(w, m, (uint16_t)(off + sizeof(*udp)));
	else if (udp->dst_port == RTE_BE16(PUNT_PORT_IKE) || udp->dst_port == RTE_BE16(PUNT_PORT_NATT))
		punt_ike_in(w, m, off);
	else
		tun_push(w, m);
}

static void proto_in(struct worker *w, struct rte_mbuf *m, uint8_t proto, uint16_t off)
{
	switch (proto) {
	case IPPROTO_UDP:
		udp_in(w, m, off);
		break;
	case IPPROTO_ESP:
		esp_in(w, m, off);
		break;
	default:
		tun_push(w, m);
	}
}

/* A header that the sender wants us to understand, and we do not: dropped, and he is told where it is. RFC 8200 4.2, 4.4 */
static bool not_understood(struct worker *w, struct rte_mbuf *m, uint8_t type, uint16_t off)
{
	const uint8_t *p = (const uint8_t *)pkt_ip6(m) + off;
	struct ip6_option unknown = {0};

	if (type == IP6_ROUTING && p[3] != 0) {
		icmp6_error(w, m, ICMP6_PARAM_PROBLEM, ICMP6_FIELD, off + 2u);
	} else if (type == IP6_HOP_BY_HOP || type == IP6_DEST_OPTIONS) {
		if (ip6_options(pkt_ip6(m), off, &unknown) && unknown.action == 0)
			return false;
		if (unknown.action > 1) /* we have no groups: 2 and 3 are the same */
			icmp6_error(w, m, ICMP6_PARAM_PROBLEM, ICMP6_OPTION, unknown.off);
	} else {
		return false;
	}
	drop(w, m, DROP_EXT_HEADER);
	return true;
}

/* The extension headers of a packet to us, in their order. */
static bool headers_ok(struct worker *w, struct rte_mbuf *m, const struct ip6_chain *c)
{
	const uint8_t *base = (const uint8_t *)pkt_ip6(m);
	uint8_t type = pkt_ip6(m)->proto;

	for (uint16_t off = IP6_HDR; off < c->off;) {
		const uint8_t *p = base + off;
		uint8_t is = type;

		if (not_understood(w, m, is, off))
			return false;
		type = p[0];
		off = (uint16_t)(off + (is == IP6_FRAGMENT ? IP6_FRAG_HDR : (p[1] + 1) * 8));
	}
	return true;
}

/* Link-local addresses are of one link: the port's own, and nothing out of a tunnel. RFC 4007 6 */
static bool zone_ok(const struct worker *w, struct rte_mbuf *m)
{
	const struct ip6 src = ip6_get(ip6_src(pkt_ip6(m))), dst = ip6_get(ip6_dst(pkt_ip6(m)));

	if (!ip6_is_link_local(src) && !ip6_is_link_local(dst))
		return true;
	if (pkt_of(m)->flags & PKT_DECAPPED || m->port >= w->n_ports)
		return false;
	return !ip6_is_link_local(dst) || ip6_equal(dst, w->port[m->port].link6);
}

static void local_six(struct worker *w, struct rte_mbuf *m)
{
	struct ip6_chain c;
	enum stats_drop why = ip6_walk(pkt_ip6(m), m->data_len, &c);

	if (why == DROP_N && !zone_ok(w, m))
		why = DROP_BAD_ADDRESS;
	if (why == DROP_N && !c.whole) {
		reasm_push(w, m);
		return;
	}
	if (why == DROP_N && c.proto == IP6_NONE)
		why = DROP_PROTOCOL;
	if (why != DROP_N)
		drop(w, m, why);
	else if (unlikely(c.off != IP6_HDR) && !headers_ok(w, m, &c))
		return;
	else if (c.proto == IP6_ICMP)
		icmp6_in(w, m, &c);
	else
		proto_in(w, m, c.proto, c.off);
}

static void local_one(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);

	if (pkt_of(m)->flags & (PKT_L2_MANY | PKT_TUN)) { /* RFC 1122 3.3.6; the kernel talks to itself without us */
		drop(w, m, DROP_NOT_FOR_US);
		return;
	}
	if (pkt_is_v6(m)) {
		local_six(w, m);
		return;
	}
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) {
		reasm_push(w, m);
		return;
	}
	if (ip->next_proto_id == IPPROTO_ICMP)
		icmp_in(w, m);
	else
		proto_in(w, m, ip->next_proto_id, pkt_ihl(ip));
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
