#include "dataplane/punt.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <rte_udp.h>

#include "base/ip.h"
#include "dataplane/cmd.h"
#include "dataplane/drop.h"
#include "dataplane/ip6.h"
#include "dataplane/pkt.h"
#include "ring/shm.h"

/* RFC 7296 3.1: SPIs, next payload, version, exchange type, flags, message ID, length. */
enum {
	IKE_HDR = 28,
	IKE_SPI_R = 8,
	IKE_VERSION = 17,
	IKE_EXCHANGE = 18,
	IKE_FLAGS = 19,
	IKE_SA_INIT = 34,
	IKE_RESPONSE = 0x20
};
enum { MARKER = 4, KEEPALIVE = 0xff, TTL = 64, MTU_MIN = 576 /* of IPv4 */ };

_Static_assert((MSG_IKE_MAX + MARKER + 8) / ((MTU_MIN - 20) & ~7) + 1 <= PUNT_OUT_ROOM, "room for every fragment");

struct punt *punt_new(const struct worker *w, int numa_node)
{
	struct punt *p = rte_zmalloc_socket("punt", sizeof(*p), 64, numa_node);

	if (!p)
		return NULL;
	worker_bucket_init(&p->init, rte_get_tsc_hz(), PUNT_INIT_PER_S, PUNT_INIT_BURST);
	worker_bucket_init(&p->ike, rte_get_tsc_hz(), PUNT_IKE_PER_S, PUNT_IKE_BURST);
	p->mtu_min = UINT16_MAX;
	for (uint16_t i = 0; i < w->n_ports; i++)
		if (w->port[i].mtu < p->mtu_min)
			p->mtu_min = w->port[i].mtu;
	return p;
}

void punt_free(struct punt *p)
{
	rte_free(p);
}

/* Sum of the pseudo header of a UDP datagram of len octets, not complemented. RFC 768 */
static uint16_t pseudo_sum(uint32_t src_be, uint32_t dst_be, uint32_t len)
{
	struct rte_ipv4_hdr ip = {.version_ihl = 0x45,
				  .next_proto_id = IPPROTO_UDP,
				  .src_addr = src_be,
				  .dst_addr = dst_be,
				  .total_length = rte_cpu_to_be_16((uint16_t)(sizeof(ip) + len))};

	return rte_ipv4_phdr_cksum(&ip, 0);
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* RFC 8200 8.1: there always is one. */
static bool cksum_ok6(const struct rte_ipv6_hdr *ip, const struct rte_udp_hdr *udp, uint16_t len)
{
	const struct ip6 src = ip6_get(ip6_src(ip)), dst = ip6_get(ip6_dst(ip));
	uint16_t pseudo = (uint16_t)~ip6_cksum_pseudo(src, dst, IP6_UDP, len);

	if (udp->dgram_cksum == 0)
		return false;
	return udp->dgram_cksum == pseudo || ip6_cksum(src, dst, IP6_UDP, udp, len) == 0; /* as below */
}

/* RFC 768. A kernel on the other end of a virtual wire may leave the sum of the pseudo header only, for a device to
 * complete that does not exist: such a packet was never on a real wire, and is whole. */
static bool cksum_ok(struct rte_mbuf *m, const struct rte_udp_hdr *udp, uint16_t len)
{
	const struct rte_ipv4_hdr *ip = pkt_ip(m);
	uint16_t pseudo;

	if (pkt_is_v6(m))
		return cksum_ok6(pkt_ip6(m), udp, len);
	pseudo = pseudo_sum(ip->src_addr, ip->dst_addr, len);
	if (udp->dgram_cksum == 0 || udp->dgram_cksum == pseudo)
		return true;
	return fold((uint32_t)pseudo + rte_raw_cksum(udp, len)) == 0xffff;
}

static enum stats_drop check(struct rte_mbuf *m, const struct rte_udp_hdr *udp, uint16_t room, uint8_t **data,
			     uint16_t *len)
{
	uint16_t udp_len = rte_be_to_cpu_16(udp->dgram_len);

	if (udp_len < sizeof(*udp) || udp_len > room)
		return DROP_BAD_LENGTH;
	if (udp->src_port == 0) /* RFC 768: no answer is wanted, and IKE is nothing without */
		return DROP_BAD_ADDRESS;
	if (!cksum_ok(m, udp, udp_len))
		return DROP_BAD_CHECKSUM;
	*data = (uint8_t *)(uintptr_t)(udp + 1);
	*len = (uint16_t)(udp_len - sizeof(*udp));
	if (udp->dst_port == RTE_BE16(PUNT_PORT_NATT)) {
		if (*len == 1 && **data == KEEPALIVE) /* RFC 3948 2.3 */
			return DROP_KEEPALIVE;
		if (*len < MARKER)
			return DROP_RUNT;
		*data += MARKER;
		*len = (uint16_t)(*len - MARKER);
	}
	if (*len < IKE_HDR)
		return DROP_RUNT;
	/* RFC 7296 2.5: a higher major version gets an answer, from the control plane; what is not IKEv1 or later, none
	 */
	return (*data)[IKE_VERSION] >> 4 == 0 ? DROP_BAD_VERSION : DROP_N;
}

/* The first message of a new IKE SA: the only kind that anybody on the net can send. RFC 7296 1.2, 3.1 */
static bool is_init_request(const uint8_t *ike)
{
	static const uint8_t none[8];

	return ike[IKE_EXCHANGE] == IKE_SA_INIT && !(ike[IKE_FLAGS] & IKE_RESPONSE) &&
	       !memcmp(ike + IKE_SPI_R, none, 8);
}

static void addresses(struct rte_mbuf *m, struct msg_ike *h)
{
	bool six = pkt_is_v6(m);

	h->family = six ? IP_V6 : IP_V4;
	if (six) {
		memcpy(h->local, ip6_dst(pkt_ip6(m)), 16);
		memcpy(h->remote, ip6_src(pkt_ip6(m)), 16);
	} else {
		memcpy(h->local, &pkt_ip(m)->dst_addr, 4);
		memcpy(h->remote, &pkt_ip(m)->src_addr, 4);
	}
}

static enum stats_drop push(struct worker *w, struct rte_mbuf *m, const struct rte_udp_hdr *udp, const uint8_t *data,
			    uint16_t len)
{
	struct punt *p = w->punt;
	bool init = is_init_request(data);
	int ret;

	if (!p->rings)
		return DROP_PUNT_FULL;
	if (!worker_bucket_take(init ? &p->init : &p->ike, w->now_tsc))
		return DROP_IKE_POLICED;
	memset(&p->head, 0, MSG_IKE_HDR);
	p->head.attach = p->limits.attach;
	p->head.flags = udp->dst_port == RTE_BE16(PUNT_PORT_NATT) ? MSG_IKE_ENCAP : 0;
	addresses(m, &p->head);
	p->head.local_port = rte_be_to_cpu_16(udp->dst_port);
	p->head.remote_port = rte_be_to_cpu_16(udp->src_port);
	p->head.port = m->port;
	p->head.worker = w->id;
	ret = shm_ike_push(init ? &p->rings->ike_init : &p->rings->ike_in, &p->head, data, len);
	if (ret == -EPROTO)
		cmd_broken(w);
	return ret ? DROP_PUNT_FULL : DROP_N;
}

void punt_ike_in(struct worker *w, struct rte_mbuf *m, uint16_t off)
{
	const struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, off);
	uint16_t len = 0;
	enum stats_drop why;
	uint8_t *data = NULL;

	if (m->data_len < off + sizeof(*udp)) {
		drop(w, m, DROP_RUNT);
		return;
	}
	why = check(m, udp, (uint16_t)(m->data_len - off), &data, &len);
	if (why == DROP_N)
		why = push(w, m, udp, data, len);
	if (why != DROP_N) {
		drop(w, m, why);
		return;
	}
	w->count.punt++;
	w->bell_pending = true;
	rte_pktmbuf_free(m);
}

/* One UDP datagram that is to be sent, in our scratch: header, marker, payload. */
struct out {
	const uint8_t *head; /* UDP header and marker */
	uint16_t head_len;
	const uint8_t *data;
	uint32_t data_len;
	uint32_t src, dst; /* network order */
	struct ip6 src6, dst6;
	bool six;
	uint32_t id; /* of fragments */
	uint16_t mtu, port;
};

static void copy_part(const struct out *o, uint32_t off, uint32_t n, uint8_t *to)
{
	if (off < o->head_len) {
		uint32_t k = RTE_MIN(n, o->head_len - off);

		memcpy(to, o->head + off, k);
		to += k;
		off += k;
		n -= k;
	}
	if (n)
		memcpy(to, o->data + (off - o->head_len), n);
}

/* One IPv4 packet with n octets of the datagram from off on. RFC 791 3.1, 3.2 */
static struct rte_mbuf *fragment(struct worker *w, const struct out *o, uint32_t off, uint32_t n, bool more)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	struct rte_ipv4_hdr *ip;

	if (!m)
		return NULL;
	ip = (void *)rte_pktmbuf_append(m, (uint16_t)(sizeof(*ip) + n));
	if (!ip) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + n)),
		.packet_id = rte_cpu_to_be_16((uint16_t)o->id),
		.fragment_offset = rte_cpu_to_be_16((uint16_t)(off / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0))),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = o->src,
		.dst_addr = o->dst,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	copy_part(o, off, n, (uint8_t *)(ip + 1));
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN};
	m->port = o->port;
	return m;
}

/* The same in IPv6, behind a fragment header unless it is all of the datagram. RFC 8200 4.5 */
static struct rte_mbuf *fragment6(struct worker *w, const struct out *o, uint32_t off, uint32_t n, bool more)
{
	bool whole = off == 0 && !more;
	uint16_t ext = whole ? 0 : IP6_FRAG_HDR;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	struct rte_ipv6_hdr *ip = m ? (void *)rte_pktmbuf_append(m, (uint16_t)(IP6_HDR + ext + n)) : NULL;
	uint8_t *p = (uint8_t *)ip;

	if (!ip) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	ip->vtc_flow = IP6_VERSION;
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(ext + n));
	ip->proto = whole ? IP6_UDP : IP6_FRAGMENT;
	ip->hop_limits = TTL;
	ip6_put(p + 8, o->src6);
	ip6_put(p + 24, o->dst6);
	p += IP6_HDR;
	if (!whole) {
		p[0] = IP6_UDP;
		p[1] = 0;
		una_put16(p + 2, rte_cpu_to_be_16((uint16_t)(off | more)));
		una_put32(p + 4, o->id);
	}
	copy_part(o, off, n, p + ext);
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_OWN | PKT_V6};
	m->port = o->port;
	return m;
}

/* All packets of a datagram, or none of them. Number of packets. */
static uint16_t send_out(struct worker *w, const struct out *o, struct vec *v)
{
	uint32_t total = o->head_len + o->data_len;
	uint32_t room = o->mtu - (uint32_t)(o->six ? IP6_HDR : sizeof(struct rte_ipv4_hdr));
	uint16_t before = v->n;

	if (total > room)
		room = (room - (o->six ? IP6_FRAG_HDR : 0)) & ~7u;
	for (uint32_t off = 0; off < total; off += room) {
		bool more = total - off > room;
		uint32_t part = more ? room : total - off;
		struct rte_mbuf *m = o->six ? fragment6(w, o, off, part, more) : fragment(w, o, off, part, more);

		if (!m) {
			drop_count(w, DROP_NO_MBUF);
			while (v->n > before)
				rte_pktmbuf_free(v->m[--v->n]);
			return 0;
		}
		vec_push(v, m);
	}
	return (uint16_t)(v->n - before);
}

/* UDP header with checksum, and the marker where it belongs. RFC 3948 2.2; a keepalive has none, 2.3 */
static uint16_t head_make(const struct punt *p, uint32_t len, uint8_t head[sizeof(struct rte_udp_hdr) + MARKER])
{
	const struct msg_ike *h = &p->head;
	bool marker = (h->flags & MSG_IKE_ENCAP) && !(len == 1 && p->data[0] == KEEPALIVE);
	struct rte_udp_hdr udp = {.src_port = rte_cpu_to_be_16(h->local_port),
				  .dst_port = rte_cpu_to_be_16(h->remote_port)};
	uint16_t head_len = sizeof(udp) + (marker ? MARKER : 0);
	uint32_t src, dst, sum;

	memcpy(&src, h->local, 4);
	memcpy(&dst, h->remote, 4);
	udp.dgram_len = rte_cpu_to_be_16((uint16_t)(head_len + len));
	memset(head, 0, sizeof(udp) + MARKER);
	memcpy(head, &udp, sizeof(udp));
	if (h->family == IP_V6)
		sum = (uint16_t)~ip6_cksum_pseudo(ip6_get(h->local), ip6_get(h->remote), IP6_UDP, head_len + len);
	else
		sum = pseudo_sum(src, dst, head_len + len);
	udp.dgram_cksum = (uint16_t)~fold(sum + rte_raw_cksum(head, head_len) + rte_raw_cksum(p->data, len));
	if (udp.dgram_cksum == 0) /* RFC 768: 0 says that there is none */
		udp.dgram_cksum = 0xffff;
	memcpy(head, &udp, sizeof(udp));
	return head_len;
}

static uint16_t datagram(struct worker *w, uint32_t len, struct vec *v)
{
	uint8_t head[sizeof(struct rte_udp_hdr) + MARKER];
	struct punt *p = w->punt;
	struct out o = {.head = head, .data = p->data, .data_len = len, .six = p->head.family == IP_V6};

	if (sizeof(struct rte_ipv4_hdr) + sizeof(head) + len > UINT16_MAX) {
		drop_count(w, DROP_TOO_BIG);
		return 0;
	}
	o.head_len = head_make(p, len, head);
	o.mtu = p->head.port < w->n_ports ? w->port[p->head.port].mtu : p->mtu_min;
	o.mtu = RTE_MAX(o.mtu, (uint16_t)(o.six ? IP6_MIN_MTU : MTU_MIN));
	o.port = p->head.port < w->n_ports ? p->head.port : 0;
	o.id = o.six ? (uint32_t)rte_rand() : w->ip_id++; /* RFC 7739: nobody foresees it */
	o.src6 = ip6_get(p->head.local);
	o.dst6 = ip6_get(p->head.remote);
	memcpy(&o.src, p->head.local, 4);
	memcpy(&o.dst, p->head.remote, 4);
	return send_out(w, &o, v);
}

uint16_t punt_ike_out(struct worker *w, struct vec *v)
{
	struct punt *p = w->punt;
	uint16_t n = 0;

	for (unsigned i = 0; i < PUNT_OUT_TURN && p->rings && vec_room(v) >= PUNT_OUT_ROOM + PUNT_OUT_KEEP; i++) {
		int len = shm_ike_pop(&p->rings->ike_out, &p->limits, &p->head, p->data, sizeof(p->data));

		if (len == -EAGAIN)
			break;
		if (len == -EPROTO)
			cmd_broken(w);
		else if (len < 0)
			w->count.bad_msgs++;
		else
			n = (uint16_t)(n + datagram(w, (uint32_t)len, v));
	}
	return n;
}
