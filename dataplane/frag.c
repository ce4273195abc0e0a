#include "dataplane/frag.h"

#include <string.h>

#include "dataplane/drop.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"

enum { IP_HDR = sizeof(struct rte_ipv4_hdr), IHL_MAX = 60, OPT_COPIED = 0x80 };

/* The header of the later pieces: options only where their copied flag is set, padded with end-of-list. Its octets. */
static uint16_t later_header(const struct rte_ipv4_hdr *ip, uint8_t to[IHL_MAX])
{
	const uint8_t *p = (const uint8_t *)(ip + 1), *end = (const uint8_t *)ip + pkt_ihl(ip);
	uint16_t len = IP_HDR;

	memcpy(to, ip, IP_HDR);
	while (p < end && *p != 0) { /* lengths were checked by parse_ip() */
		uint8_t n = *p == 1 ? 1 : p[1];

		if (*p & OPT_COPIED) {
			memcpy(to + len, p, n);
			len = (uint16_t)(len + n);
		}
		p += n;
	}
	while (len % 4 != 0)
		to[len++] = 0;
	to[0] = (uint8_t)(0x40 | len / 4);
	return len;
}

/* Length, offset and flags of one piece, and its checksum. offset: in units of 8 octets. */
static void piece_header(struct rte_mbuf *m, uint16_t total, uint16_t offset, bool more)
{
	struct rte_ipv4_hdr *ip = pkt_ip(m);

	ip->total_length = rte_cpu_to_be_16(total);
	ip->fragment_offset = rte_cpu_to_be_16((uint16_t)(offset | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	m->data_len = total;
	m->pkt_len = total;
}

/* A piece of its own: header, then len octets of text. Its headroom is the pool's, for the headers to come. */
static void piece_fill(struct rte_mbuf *m, const struct rte_mbuf *from, const uint8_t *hdr, uint16_t hdr_len,
		       const uint8_t *text, uint16_t len)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	memcpy(p, hdr, hdr_len);
	memcpy(p + hdr_len, text, len);
	m->port = from->port;
	m->ol_flags = 0;
	m->hash = from->hash; /* pkt */
}

uint16_t frag_split(struct worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **out, uint16_t max)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	const uint16_t ihl = pkt_ihl(ip), was = rte_be_to_cpu_16(ip->fragment_offset);
	const bool more = was & RTE_IPV4_HDR_MF_FLAG;
	uint8_t hdr[IHL_MAX];
	uint16_t hdr_len = later_header(ip, hdr), left, first, step, n, offset = was & RTE_IPV4_HDR_OFFSET_MASK;
	const uint8_t *text = (const uint8_t *)ip + ihl;

	if (mtu < ihl + 8 || mtu > rte_pktmbuf_data_room_size(w->pool) - RTE_PKTMBUF_HEADROOM) {
		drop(w, m, DROP_TOO_BIG);
		return 0;
	}
	first = (uint16_t)((mtu - ihl) & ~7);
	step = (uint16_t)((mtu - hdr_len) & ~7);
	left = (uint16_t)(m->data_len - ihl - first);
	n = (uint16_t)(1 + (left + step - 1) / step);
	if (n > max || rte_pktmbuf_alloc_bulk(w->pool, out + 1, n - 1u) != 0) {
		drop(w, m, DROP_NO_MBUF);
		return 0;
	}
	out[0] = m;
	text += first;
	offset = (uint16_t)(offset + first / 8);
	for (uint16_t i = 1; i < n; i++) {
		uint16_t len = left < step ? left : step;

		piece_fill(out[i], m, hdr, hdr_len, text, len);
		piece_header(out[i], (uint16_t)(hdr_len + len), offset, more || i + 1 < n);
		text += len;
		left = (uint16_t)(left - len);
		offset = (uint16_t)(offset + len / 8);
	}
	piece_header(m, (uint16_t)(ihl + first), was & RTE_IPV4_HDR_OFFSET_MASK, true);
	frag_make_room(m);
	return n;
}
