#include "dataplane/tun.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "base/log.h"
#include "dataplane/drop.h"
#include "dataplane/fib6.h"
#include "dataplane/parse.h"
#include "dataplane/pkt.h"
#include "dataplane/tundev.h"
#include "dataplane/una.h"

enum { FWD_KEEP = 3 * VEC_BURST }; /* left free in w->fwd, as PUNT_OUT_KEEP */

static int link_new(struct tun_link *l, uint8_t id, int numa_node)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "tun_up_%u", id);
	l->up = rte_ring_create(name, TUN_RING, numa_node, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "tun_down_%u", id);
	l->down = rte_ring_create(name, TUN_RING, numa_node, RING_F_SP_ENQ | RING_F_SC_DEQ);
	for (unsigned i = 0; i < TUN_FROM_N; i++) {
		worker_bucket_init(&l->fresh[i], rte_get_tsc_hz(), TUN_NEW_PER_S, TUN_NEW_BURST);
		worker_bucket_init(&l->rest[i], rte_get_tsc_hz(), TUN_PER_S, TUN_BURST);
	}
	return l->up && l->down ? 0 : -ENOMEM;
}

struct tun *tun_new(struct tundev *dev, struct rte_mempool *pool, uint8_t n_workers, int bell_ctl, int numa_node)
{
	struct tun *t = rte_zmalloc_socket("tun", sizeof(*t), 64, numa_node);

	if (!t)
		return NULL;
	t->dev = dev;
	t->pool = pool;
	t->bell_ctl = bell_ctl;
	t->n_workers = n_workers;
	atomic_init(&t->up, dev->up);
	for (uint8_t i = 0; i < n_workers; i++) {
		if (link_new(&t->link[i], i, numa_node)) {
			tun_free(t);
			return NULL;
		}
	}
	return t;
}

static void ring_free(struct rte_ring *r)
{
	void *m;

	while (r && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void tun_free(struct tun *t)
{
	if (!t)
		return;
	rte_pktmbuf_free(t->spare);
	for (uint8_t i = 0; i < t->n_workers; i++) {
		ring_free(t->link[i].up);
		ring_free(t->link[i].down);
	}
	rte_free(t);
}

/* --- worker --- */

static struct fib_nh way_back(const struct worker *w, struct rte_mbuf *m)
{
	uint32_t addr, id;
	struct ip6 addr6;

	if (pkt_is_v6(m)) {
		addr6 = ip6_get(ip6_src(pkt_ip6(m)));
		fib6_lookup(w->fib, &addr6, &id, 1);
	} else {
		addr = rte_be_to_cpu_32(pkt_ip(m)->src_addr);
		fib_lookup(w->fib, &addr, &id, 1);
	}
	return fib_nh(w->fib, id);
}

/* What is in the packet, and where; IPv6's extension headers have been looked at. */
static uint8_t upper(struct rte_mbuf *m, uint16_t *off)
{
	struct ip6_chain c;

	if (!pkt_is_v6(m)) {
		*off = pkt_ihl(pkt_ip(m));
		return pkt_ip(m)->next_proto_id;
	}
	if (ip6_walk(pkt_ip6(m), m->data_len, &c) != DROP_N || c.later)
		return IP6_NONE;
	*off = c.off;
	return c.proto;
}

/* It should have come by a tunnel: whoever is on the wire could otherwise speak in a session inside it. RFC 4301 5.2 */
static bool bare(const struct worker *w, struct rte_mbuf *m)
{
	return !(pkt_of(m)->flags & (PKT_OWN | PKT_DECAPPED)) && fib_is_tunnel(way_back(w, m));
}

/* Anybody may send it: no TCP, or the first segment of a connection. */
static bool is_fresh(struct rte_mbuf *m)
{
	uint16_t off = 0;
	uint8_t proto = upper(m, &off);
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, const struct rte_tcp_hdr *, off);

	return proto != IPPROTO_TCP || m->data_len < off + sizeof(*tcp) ||
	       (tcp->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) == RTE_TCP_SYN_FLAG;
}

/* A kernel on the other end of a virtual wire may leave the sum of the pseudo header only, for a device to complete that does not
 * exist (punt.c). Ours would take that for damage. */
static void cksum_complete(struct rte_mbuf *m)
{
	uint16_t off = 0, len, pseudo, sum;
	uint8_t proto = upper(m, &off);
	bool udp = proto == IPPROTO_UDP;
	uint8_t *l4 = rte_pktmbuf_mtod_offset(m, uint8_t *, off), *field = l4 + (udp ? 6 : 16);

	if (!udp && proto != IPPROTO_TCP)
		return;
	len = (uint16_t)(m->data_len - off);
	if (pkt_is_v6(m))
		pseudo = (uint16_t)~ip6_cksum_pseudo(ip6_get(ip6_src(pkt_ip6(m))), ip6_get(ip6_dst(pkt_ip6(m))), proto,
						     len);
	else
		pseudo = rte_ipv4_phdr_cksum(pkt_ip(m), 0);
	if (len < (udp ? sizeof(struct rte_udp_hdr) : sizeof(struct rte_tcp_hdr)) || una_get16(field) != pseudo)
		return;
	sum = rte_raw_cksum(l4, len);
	sum = (uint16_t)~sum; /* as it is already, when it is whole and looks otherwise by chance */
	una_put16(field, sum == 0 && udp ? 0xffff : sum);
}

static bool within_rate(const struct worker *w, struct tun_link *l, struct rte_mbuf *m)
{
	enum tun_from from = pkt_of(m)->flags & PKT_DECAPPED ? TUN_FROM_TUNNEL : TUN_FROM_WIRE;

	return worker_bucket_take(is_fresh(m) ? &l->fresh[from] : &l->rest[from], w->now_tsc);
}

/* Wake the ctl thread, when it may be asleep. */
static void wake(const struct tun *t, struct tun_link *l)
{
	uint64_t one = 1;

	if (!atomic_exchange_explicit(&l->rung, true, memory_order_acq_rel) && t->bell_ctl >= 0 &&
	    write(t->bell_ctl, &one, sizeof(one)) < 0)
		return; /* full: it rings already */
}

void tun_push(struct worker *w, struct rte_mbuf *m)
{
	struct tun *t = w->tun;
	struct tun_link *l = t ? &t->link[w->id] : NULL;

	cksum_complete(m);
	if (!t)
		drop(w, m, DROP_PROTOCOL);
	else if (bare(w, m))
		drop(w, m, DROP_CLEAR_TO_PROTECTED);
	else if (!atomic_load_explicit(&t->up, memory_order_relaxed))
		drop(w, m, DROP_LINK_DOWN);
	else if (!within_rate(w, l, m))
		drop(w, m, DROP_TUN_POLICED);
	else if (rte_ring_sp_enqueue(l->up, m))
		drop(w, m, DROP_PUNT_FULL);
	else {
		w->count.to_tun++;
		wake(t, l);
	}
}

/* Into w->fwd, or dropped. The kernel is trusted no more than a wire. */
static void from_kernel(struct worker *w, struct rte_mbuf *m)
{
	bool six = *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 == 6;
	enum stats_drop why = six ? parse_ip6(pkt_ip6(m), m->data_len) : parse_ip(pkt_ip(m), m->data_len, false);

	*pkt_of(m) = (struct pkt){.kind = PKT_CLEAR, .flags = PKT_TUN | (six ? PKT_V6 : 0)};
	if (why == DROP_N && way_back(w, m).kind != FIB_LOCAL)
		why = DROP_BAD_ADDRESS;
	if (why != DROP_N) {
		drop(w, m, why);
		return;
	}
	m->data_len = six ? (uint16_t)(IP6_HDR + rte_be_to_cpu_16(pkt_ip6(m)->payload_len))
			  : rte_be_to_cpu_16(pkt_ip(m)->total_length);
	m->pkt_len = m->data_len;
	vec_give(w, &w->fwd, m);
}

uint16_t tun_poll(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	uint16_t n;

	if (!w->tun || vec_room(&w->fwd) < FWD_KEEP)
		return 0;
	n = (uint16_t)rte_ring_sc_dequeue_burst(w->tun->link[w->id].down, (void **)m, VEC_BURST, NULL);
	for (uint16_t i = 0; i < n; i++)
		from_kernel(w, m[i]);
	w->count.from_tun += n;
	return n;
}

/* --- ctl thread --- */

static bool to_device(struct tun *t, struct tun_link *l)
{
	struct rte_mbuf *m[TUN_TURN];
	unsigned n;

	atomic_exchange_explicit(&l->rung, false, memory_order_acq_rel);
	n = rte_ring_sc_dequeue_burst(l->up, (void **)m, TUN_TURN, NULL);
	for (unsigned i = 0; i < n; i++)
		if (write(t->dev->fd, rte_pktmbuf_mtod(m[i], const void *), m[i]->data_len) < 0)
			t->lost++; /* it went down just now, or has no memory */
	rte_pktmbuf_free_bulk(m, n);
	return n == TUN_TURN;
}

/* Room for a whole turn in every ring, so that what has been read from the kernel always finds a place. */
static bool room(const struct tun *t)
{
	for (uint8_t i = 0; i < t->n_workers; i++)
		if (rte_ring_free_count(t->link[i].down) < TUN_TURN)
			return false;
	return true;
}

/* One worker per pair of addresses. */
static struct tun_link *link_of(struct tun *t, const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const void *)p;
	uint32_t sum = m->data_len < sizeof(*ip) ? 0 : ip->src_addr + ip->dst_addr;

	if (m->data_len >= IP6_HDR && p[0] >> 4 == 6)
		for (unsigned i = 0; i < 32; i += 4)
			sum = i ? sum * 31 + una_get32(p + 8 + i) : una_get32(p + 8);

	return &t->link[((uint64_t)(sum * 0x9e3779b1u) * t->n_workers) >> 32];
}

static bool from_device(struct tun *t)
{
	t->stuck = false;
	for (unsigned i = 0; i < TUN_TURN; i++) {
		struct rte_mbuf *m = t->spare ? t->spare : rte_pktmbuf_alloc(t->pool);
		ssize_t n;

		if (!m || (i == 0 && !room(t))) {
			t->spare = m;
			t->stuck = true;
			return false;
		}
		t->spare = m;
		n = read(t->dev->fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
		if (n <= 0)
			return false;
		m->data_len = (uint16_t)n;
		m->pkt_len = (uint32_t)n;
		m->port = 0;
		t->spare = NULL;
		(void)rte_ring_sp_enqueue(link_of(t, m)->down, m); /* room() has said so */
	}
	return true;
}

bool tun_turn(struct tun *t)
{
	bool more = false;

	for (uint8_t i = 0; i < t->n_workers; i++)
		more |= to_device(t, &t->link[i]);
	return (!t->dev->gone && from_device(t)) || more;
}

int tun_fd(const struct tun *t)
{
	return t->stuck || t->dev->gone ? -1 : t->dev->fd;
}

void tun_watch(struct tun *t)
{
	tundev_watch(t->dev);
	if (t->lost != t->told)
		log_warn(LOG_CTL, "tun=%s event=lost packets=%llu cause=\"the device did not take them\"", t->dev->name,
			 (unsigned long long)(t->lost - t->told));
	t->told = t->lost;
	atomic_store_explicit(&t->up, t->dev->up, memory_order_relaxed);
}
