#include "dataplane/frag.h"

#include <string.h>

#include "dataplane/drop.h"
#include "dataplane/ip6.h"
#include "dataplane/pkt.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum { HEAD_MAX = IP6_HDR + IP6_FRAG_HDR };

/* The header of one piece. offset: octets in the fragmentable part; more: not the last. RFC 8200 4.5 */
static void head(uint8_t *to, const uint8_t ip[IP6_HDR], uint32_t id_be, uint16_t offset, uint16_t len, bool more)
{
	struct rte_ipv6_hdr *h = (void *)to;
	uint8_t *f = to + IP6_HDR;

	memcpy(to, ip, IP6_HDR);
	f[0] = h->proto;
	f[1] = 0;
	una_put16(f + 2, rte_cpu_to_be_16((uint16_t)(offset | more)));
	una_put32(f + 4, id_be);
	h->proto = IP6_FRAGMENT;
	h->payload_len = rte_cpu_to_be_16((uint16_t)(IP6_FRAG_HDR + len));
}

static void piece_end(struct rte_mbuf *m, uint16_t len)
{
	m->data_len = (uint16_t)(HEAD_MAX + len);
	m->pkt_len = m->data_len;
}

uint16_t frag6_split(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **out, uint16_t max)
{
	uint16_t text = (uint16_t)(m->data_len - IP6_HDR), step, n;
	uint8_t ip[IP6_HDR], *p;
	uint32_t id_be = rte_cpu_to_be_32(w->frag6_id++);

	if (mtu < IP6_MIN_MTU || mtu > rte_pktmbuf_data_room_size(w->pool) - RTE_PKTMBUF_HEADROOM ||
	    !ip6_is_upper(pkt_ip6(m)->proto)) {
		drop(w, m, DROP_TOO_BIG);
		return 0;
	}
	step = (uint16_t)((mtu - HEAD_MAX) & ~7);
	n = (uint16_t)((text + step - 1) / step);
	if (n > max || rte_pktmbuf_alloc_bulk(w->pool, out + 1, n - 1u) != 0) {
		drop(w, m, DROP_NO_MBUF);
		return 0;
	}
	p = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(ip, p, IP6_HDR);
	for (uint16_t i = 1; i < n; i++) {
		uint16_t at = (uint16_t)(i * step), len = text - at < step ? (uint16_t)(text - at) : step;
		uint8_t *to = rte_pktmbuf_mtod(out[i], uint8_t *);

		head(to, ip, id_be, at, len, i + 1 < n);
		memcpy(to + HEAD_MAX, p + IP6_HDR + at, len);
		out[i]->port = m->port;
		out[i]->ol_flags = 0;
		out[i]->hash = m->hash; /* pkt */
		piece_end(out[i], len);
	}
	/* the first piece: its headers move to the front by a fragment header */
	m->data_len = (uint16_t)(IP6_HDR + step);
	frag_make_room(m);
	m->data_off = (uint16_t)(m->data_off - IP6_FRAG_HDR);
	head(rte_pktmbuf_mtod(m, uint8_t *), ip, id_be, 0, step, n > 1);
	piece_end(m, step);
	out[0] = m;
	return n;
}
