#include "dataplane/transport.h"

#include <string.h>

#include <netinet/in.h>

#include <rte_udp.h>

#include "dataplane/drop.h"
#include "dataplane/handoff.h"
#include "dataplane/ip6.h"
#include "dataplane/pkt.h"
#include "dataplane/sad.h"
#include "dataplane/selector.h"
#include "dataplane/una.h"
#include "dataplane/worker.h"

enum { IKE_PORT = 500, NATT_PORT = 4500, ICMP_HDR = 8, ICMP6_ERRORS = 128, ND_FIRST = 133, ND_LAST = 137 };
#define NONE UINT32_MAX
#define BUSY (UINT32_MAX - 1) /* the table changes just now */

/* --- ctl --- */

void transport_begin(struct transport *t)
{
	uint32_t v = atomic_load_explicit(&t->version, memory_order_relaxed);

	atomic_store_explicit(&t->version, v + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void transport_end(struct transport *t)
{
	uint32_t v = atomic_load_explicit(&t->version, memory_order_relaxed);

	atomic_store_explicit(&t->version, v + 1, memory_order_release);
}

void transport_list(struct transport *t, uint32_t tunnel, bool is)
{
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed), i = 0;

	while (i < n && t->tunnel[i] != tunnel)
		i++;
	if (is && i == n)
		t->tunnel[n++] = tunnel;
	else if (!is && i < n)
		memmove(&t->tunnel[i], &t->tunnel[i + 1], (--n - i) * sizeof(t->tunnel[0]));
	atomic_store_explicit(&t->n, n, memory_order_relaxed);
}

/* --- which packets --- */

static struct ip6 addr_of(const uint8_t a[16], uint8_t family)
{
	return family == 6 ? ip6_get(a) : (struct ip6){0, rte_be_to_cpu_32(una_get32(a))};
}

/* Between the tunnel's addresses, and named by its selectors. Of a fragment the ports are not known: it may be of what is named. */
static bool is_of(const struct sad_tunnel_conf *c, uint32_t dir, const struct selector_key *k)
{
	struct ip6 local = addr_of(c->local, c->family), remote = addr_of(c->remote, c->family);
	uint8_t n = c->n_ts;

	if (c->family != k->family || ip6_is_any(remote) || !ip6_equal(dir == MSG_DIR_OUT ? k->src : k->dst, local) ||
	    !ip6_equal(dir == MSG_DIR_OUT ? k->dst : k->src, remote))
		return false;
	return n == 0 || (n <= MSG_TS_MAX && selector_may_match(c->ts, n, dir, k));
}

/* The tunnel that protects this packet, NONE or BUSY. */
static uint32_t find(const struct sad *s, uint32_t dir, const struct selector_key *k)
{
	const struct transport *t = &s->transport;
	uint32_t before = atomic_load_explicit(&t->version, memory_order_acquire), found = NONE;
	uint32_t n = atomic_load_explicit(&t->n, memory_order_relaxed);

	for (uint32_t i = 0; i < n && i < s->n_tunnels && found == NONE; i++) {
		uint32_t tunnel = t->tunnel[i];

		if (tunnel < s->n_tunnels && is_of(&s->conf[tunnel], dir, k))
			found = tunnel;
	}
	atomic_thread_fence(memory_order_acquire);
	if (before % 2 != 0 || atomic_load_explicit(&t->version, memory_order_relaxed) != before)
		return BUSY;
	return found;
}

static bool is_nd(const struct selector_key *k)
{
	return k->family == 6 && k->proto == IPPROTO_ICMPV6 && k->ports_known && k->sport >> 8 >= ND_FIRST &&
	       k->sport >> 8 <= ND_LAST;
}

static bool is_ike_port(uint16_t port)
{
	return port == IKE_PORT || port == NATT_PORT;
}

/* An ICMP error about ESP or IKE, which travel outside of the SA: so does what is said of them. RFC 4301 5.2 (3c), 6 */
static bool is_about_outside(struct rte_mbuf *m, const struct selector_key *k)
{
	const uint8_t *icmp = rte_pktmbuf_mtod(m, const uint8_t *) + k->off;
	struct selector_key q;
	bool v6 = k->family == 6;
	uint16_t at = (uint16_t)(k->off + ICMP_HDR), hdr = v6 ? IP6_HDR : 20;

	if (k->proto != (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || !k->ports_known || m->data_len < at + hdr)
		return false;
	if (v6 ? icmp[0] >= ICMP6_ERRORS : icmp[0] != 3 && icmp[0] != 11 && icmp[0] != 12)
		return false;
	if (icmp[ICMP_HDR] >> 4 != k->family)
		return false;
	selector_key(&q, icmp + ICMP_HDR, (uint16_t)(m->data_len - at), v6);
	return q.proto_known &&
	       (q.proto == IPPROTO_ESP || (q.proto == IPPROTO_UDP && q.ports_known && is_ike_port(q.sport)));
}

bool transport_bare(struct worker *w, struct rte_mbuf *m)
{
	struct selector_key k;

	if (pkt_of(m)->flags & (PKT_OWN | PKT_TUN | PKT_DECAPPED))
		return false;
	selector_key(&k, rte_pktmbuf_mtod(m, const void *), m->data_len, pkt_is_v6(m));
	if (k.fragment) /* the whole is asked, when there is one: nothing else comes of fragments (reasm.h) */
		return false;
	if (k.proto_known &&
	    (k.proto == IPPROTO_ESP || (k.proto == IPPROTO_UDP && k.ports_known && is_ike_port(k.dport))))
		return false;
	return find(w->sad, MSG_DIR_IN, &k) != NONE && !is_nd(&k) && !is_about_outside(m, &k);
}

/* --- out --- */

/* To the worker that owns the tunnel; as the forwarder would. */
static void to_owner(struct worker *w, struct rte_mbuf *m, uint32_t tunnel)
{
	uint8_t owner = tunnel == BUSY ? SAD_NOBODY : sad_owner_tunnel(w->sad, tunnel);

	if (owner == SAD_NOBODY) {
		drop(w, m, DROP_NO_SA);
		return;
	}
	pkt_of(m)->kind = PKT_TUNNEL;
	pkt_of(m)->next = tunnel;
	if (owner == w->id)
		vec_give(w, &w->enc, m);
	else
		handoff_push(w, owner, m);
}

static uint32_t tunnel_for(struct worker *w, struct rte_mbuf *m)
{
	uint8_t flags = pkt_of(m)->flags;
	struct selector_key k;

	if (!(flags & (PKT_OWN | PKT_TUN)))
		return NONE;
	selector_key(&k, rte_pktmbuf_mtod(m, const void *), m->data_len, pkt_is_v6(m));
	/* what we make ourselves and is UDP is IKE, in fragments where need be */
	if ((flags & PKT_OWN && k.proto_known && k.proto == IPPROTO_UDP) || is_nd(&k))
		return NONE;
	return find(w->sad, MSG_DIR_OUT, &k);
}

uint16_t transport_out(struct worker *w, struct rte_mbuf **m, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t tunnel = tunnel_for(w, m[i]);

		if (tunnel == NONE)
			m[kept++] = m[i];
		else
			to_owner(w, m[i], tunnel);
	}
	return kept;
}

bool transport_fits(const struct sa_out *s, struct rte_mbuf *m, const struct selector_key *k)
{
	struct ip6 src = s->flags & SA_V6 ? ip6_get(s->src6) : (struct ip6){0, rte_be_to_cpu_32(s->src_be)};
	struct ip6 dst = s->flags & SA_V6 ? ip6_get(s->dst6) : (struct ip6){0, rte_be_to_cpu_32(s->dst_be)};

	return pkt_of(m)->flags & (PKT_OWN | PKT_TUN) && !k->fragment && k->family == (s->flags & SA_V6 ? 6 : 4) &&
	       ip6_equal(k->src, src) && ip6_equal(k->dst, dst);
}

/* Hop-by-hop options and routing headers, and destination options that stand before a routing header, are for nodes on the way: they
 * stay in front. RFC 8200 4.1, RFC 4303 3.1.1 */
static uint16_t head6(struct rte_mbuf *m, uint16_t *next)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t at = IP6_HDR, head = IP6_HDR;
	uint8_t proto = ip[6];

	*next = 6;
	for (unsigned i = 0; i < IP6_CHAIN_MAX && !ip6_is_upper(proto) && proto != IP6_FRAGMENT; i++) {
		uint16_t len;

		if (at + 8 > m->data_len)
			return 0;
		len = (uint16_t)((ip[at + 1] + 1) * 8);
		if (at + len > m->data_len)
			return 0;
		if (proto != IP6_DEST_OPTIONS) {
			*next = at;
			head = (uint16_t)(at + len);
		}
		proto = ip[at];
		at = (uint16_t)(at + len);
	}
	return head;
}

uint16_t transport_head(struct rte_mbuf *m, uint16_t *next)
{
	if (pkt_is_v6(m))
		return head6(m, next);
	*next = offsetof(struct rte_ipv4_hdr, next_proto_id);
	return pkt_ihl(pkt_ip(m));
}

/* --- in --- */

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Where its checksum is in a header of this kind that covers the addresses, too; 0: it has none, or is cut off. */
static uint16_t cksum_field(uint8_t proto, bool v6, uint16_t len)
{
	if (proto == IPPROTO_TCP && len >= 20)
		return 16;
	if (proto == IPPROTO_UDP && len >= sizeof(struct rte_udp_hdr))
		return 6;
	return proto == IPPROTO_ICMPV6 && v6 && len >= 4 ? 2 : 0;
}

/* RFC 3948 3.1.2 (2): a NAT changed addresses that the checksum counts and that it could not reach. The ICV has vouched for the rest. */
static void cksum_renew(struct rte_mbuf *m, bool v6)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *), *l4;
	struct selector_key k;
	uint16_t len, field, sum;

	selector_key(&k, ip, m->data_len, v6);
	if (k.off == 0 || k.fragment || !k.proto_known)
		return;
	l4 = ip + k.off;
	len = (uint16_t)(m->data_len - k.off);
	field = cksum_field(k.proto, v6, len);
	if (field == 0)
		return;
	if (k.proto == IPPROTO_UDP) {
		uint16_t dgram = rte_be_to_cpu_16(una_get16(l4 + 4));

		if (dgram < sizeof(struct rte_udp_hdr) || dgram > len || una_get16(l4 + 6) == 0)
			return; /* RFC 768: it has none */
		len = dgram;
	}
	una_put16(l4 + field, 0);
	if (v6) {
		sum = ip6_cksum(k.src, k.dst, k.proto, l4, len);
	} else {
		uint32_t pseudo = (uint32_t)k.proto + len;

		pseudo = rte_cpu_to_be_16(fold(pseudo)) + (uint32_t)rte_raw_cksum(ip + 12, 8);
		sum = (uint16_t)~fold(pseudo + rte_raw_cksum(l4, len));
	}
	una_put16(l4 + field, sum == 0 && k.proto == IPPROTO_UDP ? 0xffff : sum);
}

/* The octet of the header that says what follows it: now this. false: it is not to be found. */
static bool next_set(uint8_t *ip, uint16_t head, bool v6, uint8_t next)
{
	struct ip6_chain c;

	if (!v6) {
		ip[offsetof(struct rte_ipv4_hdr, next_proto_id)] = next;
		return true;
	}
	if (ip6_walk((const struct rte_ipv6_hdr *)(const void *)ip, head, &c) != DROP_N || c.off != head)
		return false;
	ip[c.last] = next;
	return true;
}

bool transport_open(struct rte_mbuf *m, uint8_t *text, uint16_t len, uint8_t next)
{
	const uint8_t flags = pkt_of(m)->flags;
	bool v6 = flags & PKT_V6;
	uint16_t head = (uint16_t)(pkt_of(m)->esp_off - (flags & PKT_ENCAP ? sizeof(struct rte_udp_hdr) : 0));
	uint16_t total = (uint16_t)(head + len);
	uint8_t *ip = text - head;

	memmove(ip, rte_pktmbuf_mtod(m, const void *), head);
	m->data_off = (uint16_t)(ip - (uint8_t *)m->buf_addr);
	m->data_len = total;
	m->pkt_len = total;
	if (!next_set(ip, head, v6, next))
		return false;
	if (v6) {
		((struct rte_ipv6_hdr *)(void *)ip)->payload_len = rte_cpu_to_be_16((uint16_t)(total - IP6_HDR));
	} else {
		struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)(void *)ip;

		h->total_length = rte_cpu_to_be_16(total);
		h->hdr_checksum = 0;
		h->hdr_checksum = (uint16_t)~rte_raw_cksum(h, head);
	}
	if (flags & PKT_ENCAP)
		cksum_renew(m, v6);
	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = (uint8_t)(PKT_DECAPPED | (flags & PKT_V6))};
	return true;
}
