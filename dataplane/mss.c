#include "dataplane/mss.h"

#include <rte_tcp.h>

#include "dataplane/una.h"
#include "ring/msg.h"

enum {
	TCP_HDR = 20,
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_MSS_LEN = 4,
	MSS_MIN = 216, /* below it nobody is served: a tunnel of 256 octets */
};

/* The MSS option's value, or NULL. RFC 9293 3.1 */
static uint8_t *find_mss(uint8_t *tcp, uint16_t len)
{
	uint8_t *p = tcp + TCP_HDR, *end = tcp + (uint16_t)((tcp[12] >> 4) * 4);

	if (end < p || end > tcp + len)
		return NULL;
	while (p < end && *p != OPT_END) {
		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return NULL;
		if (*p == OPT_MSS)
			return p[1] == OPT_MSS_LEN ? p + 2 : NULL;
		p += p[1];
	}
	return NULL;
}

/* The two octets at p become v; p may stand at an odd place, where they are halves of two words of the sum. RFC 1624 eqn. 3 */
static void put_summed(uint8_t *tcp, uint8_t *p, uint16_t v)
{
	struct rte_tcp_hdr *h = (void *)tcp;
	uint32_t sum = (uint16_t)~rte_be_to_cpu_16(h->cksum);
	uint16_t was = (uint16_t)(p[0] << 8 | p[1]);

	if ((p - tcp) & 1) {
		was = (uint16_t)(was << 8 | was >> 8);
		sum += (uint16_t)~was + (uint32_t)(uint16_t)(v << 8 | v >> 8);
	} else {
		sum += (uint16_t)~was + (uint32_t)v;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	h->cksum = rte_cpu_to_be_16((uint16_t)~sum);
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void mss_clamp(struct rte_mbuf *m, uint16_t mtu, uint16_t conf)
{
	bool v6 = pkt_is_v6(m);
	uint16_t at = v6 ? IP6_HDR : pkt_ihl(pkt_ip(m));
	/* RFC 6691 2: of the fixed headers only */
	uint16_t most = (uint16_t)((v6 ? IP6_HDR : sizeof(struct rte_ipv4_hdr)) + TCP_HDR);
	uint8_t *tcp = rte_pktmbuf_mtod(m, uint8_t *) + at, *mss;

	if (conf == MSG_MSS_OFF || mtu < most + MSS_MIN)
		return;
	most = (uint16_t)(mtu - most);
	if (conf != MSG_MSS_AUTO && conf < most)
		most = conf;
	if (!v6 && pkt_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return;
	mss = find_mss(tcp, (uint16_t)(m->data_len - at));
	if (mss && (mss[0] << 8 | mss[1]) > most)
		put_summed(tcp, mss, most);
}
