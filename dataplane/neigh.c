#include "dataplane/neigh.h"

#include <stdio.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "dataplane/drop.h"
#include "dataplane/fib.h"
#include "dataplane/icmp.h"
#include "dataplane/pkt.h"
#include "dataplane/worker.h"

_Static_assert((NEIGH_TABLE & (NEIGH_TABLE - 1)) == 0, "a mask");

static int link_new(struct neigh_link *l, uint8_t id, int numa_node)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "neigh_up_%u", id);
	l->up = rte_ring_create(name, NEIGH_RING, numa_node, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "neigh_down_%u", id);
	l->down = rte_ring_create(name, NEIGH_DOWN, numa_node, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return l->up && l->down ? 0 : -ENOMEM;
}

struct neigh *neigh_new(uint8_t n_workers, int numa_node)
{
	struct neigh *n = rte_zmalloc_socket("neigh", sizeof(*n), 64, numa_node);

	if (!n)
		return NULL;
	n->n_workers = n_workers;
	n->bell_ctl = -1;
	for (uint8_t i = 0; i < n_workers; i++) {
		if (link_new(&n->link[i], i, numa_node)) {
			neigh_free(n);
			return NULL;
		}
	}
	return n;
}

static void ring_free(struct rte_ring *r)
{
	void *m;

	while (r && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void neigh_free(struct neigh *n)
{
	if (!n)
		return;
	for (uint8_t i = 0; i < n->n_workers; i++) {
		ring_free(n->link[i].up);
		ring_free(n->link[i].down);
	}
	rte_free(n);
}

/* --- the table --- */

static uint32_t hash(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 40) & (NEIGH_TABLE - 1);
}

struct neigh_place *neigh_find(struct neigh *n, uint64_t key)
{
	uint32_t at = hash(key);

	/* no stop at an empty place: what stood there may have been removed, and others stand behind it */
	for (unsigned i = 0; i < NEIGH_PROBE; i++) {
		struct neigh_place *p = &n->place[(at + i) & (NEIGH_TABLE - 1)];

		if (atomic_load_explicit(&p->key, memory_order_acquire) == key)
			return p;
	}
	return NULL;
}

struct neigh_place *neigh_add(struct neigh *n, uint64_t key)
{
	uint32_t at = hash(key);

	for (unsigned i = 0; i < NEIGH_PROBE; i++) {
		struct neigh_place *p = &n->place[(at + i) & (NEIGH_TABLE - 1)];

		if (atomic_load_explicit(&p->key, memory_order_relaxed) == 0) {
			atomic_store_explicit(&p->used, 0, memory_order_relaxed);
			atomic_store_explicit(&p->key, key, memory_order_release);
			return p;
		}
	}
	return NULL;
}

/* The MAC goes first: a reader that saw the old key and then a new owner's MAC looks at the key again. */
void neigh_remove(struct neigh_place *p)
{
	atomic_store_explicit(&p->mac, 0, memory_order_release);
	atomic_store_explicit(&p->key, 0, memory_order_release);
}

/* A neighbour's MAC, or 0. */
static uint64_t mac_of(struct neigh *n, uint64_t key)
{
	struct neigh_place *p = neigh_find(n, key);
	uint64_t mac;

	if (!p)
		return 0;
	mac = atomic_load_explicit(&p->mac, memory_order_acquire);
	if (atomic_load_explicit(&p->key, memory_order_acquire) != key)
		return 0;
	if (mac && !atomic_load_explicit(&p->used, memory_order_relaxed))
		atomic_store_explicit(&p->used, 1, memory_order_relaxed);
	return mac;
}

bool neigh_frame(struct rte_mbuf *m, uint64_t dst_mac, const uint8_t src_mac[6])
{
	struct rte_ether_hdr *eth = (void *)rte_pktmbuf_prepend(m, sizeof(*eth));

	if (unlikely(!eth))
		return false;
	memcpy(&eth->dst_addr, &dst_mac, 6);
	memcpy(&eth->src_addr, src_mac, 6);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	return true;
}

/* --- worker --- */

/* Up to the ctl thread, which is woken only when it may be asleep. */
static bool up(struct worker *w, struct rte_mbuf *m, enum stats_drop full)
{
	struct neigh_link *l = &w->neigh->link[w->id];
	uint64_t one = 1;

	if (rte_ring_sp_enqueue(l->up, m)) {
		drop(w, m, full);
		return false;
	}
	if (!atomic_exchange_explicit(&l->rung, true, memory_order_acq_rel) && w->neigh->bell_ctl >= 0 &&
	    write(w->neigh->bell_ctl, &one, sizeof(one)) < 0)
		return true; /* full: it rings already */
	return true;
}

uint16_t neigh_rewrite(struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t last_key = 0, last_mac = 0;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct fib_nh nh = fib_nh(w->fib, pkt_of(m)->next);
		uint64_t key = neigh_key(nh.port, nh.arg ? nh.arg : pkt_ip(m)->dst_addr);

		if (unlikely(nh.kind != FIB_PORT)) { /* changed since the lookup */
			drop(w, m, DROP_NO_ROUTE);
			continue;
		}
		if (key != last_key) {
			last_mac = mac_of(w->neigh, key);
			last_key = key;
		}
		if (unlikely(!last_mac)) {
			(void)up(w, m, DROP_NO_NEIGH);
			continue;
		}
		if (unlikely(!neigh_frame(m, last_mac, w->port[nh.port].mac))) {
			drop(w, m, DROP_NO_HEADROOM);
			continue;
		}
		m->port = nh.port;
		pkts[kept++] = m;
	}
	return kept;
}

/* RFC 826: hardware Ethernet, protocol IPv4, and a sender that can be one. */
static bool arp_sound(const struct rte_mbuf *m)
{
	const struct rte_arp_hdr *a = rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));

	return m->data_len >= sizeof(struct rte_ether_hdr) + sizeof(*a) &&
	       a->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) && a->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       a->arp_hlen == RTE_ETHER_ADDR_LEN && a->arp_plen == 4 &&
	       (a->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) || a->arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY)) &&
	       rte_is_valid_assigned_ether_addr(&a->arp_data.arp_sha);
}

void neigh_arp_in(struct worker *w, struct rte_mbuf *m)
{
	if (!arp_sound(m)) {
		drop(w, m, DROP_BAD_ARP);
		return;
	}
	pkt_of(m)->kind = NEIGH_ARP;
	w->count.punt += up(w, m, DROP_PUNT_FULL);
}

void neigh_nd_in(struct worker *w, struct rte_mbuf *m)
{
	drop(w, m, DROP_BAD_ND);
}

uint16_t neigh_poll(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	struct neigh_link *l = &w->neigh->link[w->id];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(l->down, (void **)m, VEC_BURST, NULL);

	for (uint16_t i = 0; i < n; i++) {
		if (pkt_of(m[i])->kind == NEIGH_GIVEN_UP) {
			icmp_error(w, m[i], ICMP_UNREACHABLE, ICMP_HOST, 0);
			drop(w, m[i], DROP_NO_NEIGH);
			continue;
		}
		if (rte_pktmbuf_mtod(m[i], struct rte_ether_hdr *)->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP))
			w->count.arp_sent++;
		vec_give(w, &w->tx[m[i]->port], m[i]);
	}
	return n;
}
