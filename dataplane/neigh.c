#include "dataplane/neigh.h"

#include <stdio.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <rte_ring.h>

#include "dataplane/drop.h"
#include "dataplane/fib6.h"
#include "dataplane/icmp.h"
#include "dataplane/icmp6.h"
#include "dataplane/nd_msg.h"
#include "dataplane/pkt.h"
#include "dataplane/una.h"
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
	n->hash_key = (uint32_t)rte_rand();
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

enum { KEY_VALID = 63, KEY_SIX = 62, KEY_PORT6 = 48, KEY_PORT = 32, KEY_NUMBER = 32 };

#define NUMBER_MASK (0xffffull << KEY_NUMBER)

static uint64_t key_of(uint16_t port, uint32_t addr_be)
{
	return 1ull << KEY_VALID | (uint64_t)port << KEY_PORT | addr_be;
}

/* Without a number. */
static uint64_t key_of6(const struct neigh *n, uint16_t port, struct ip6 a)
{
	uint32_t words[4] = {(uint32_t)(a.hi >> 32), (uint32_t)a.hi, (uint32_t)(a.lo >> 32), (uint32_t)a.lo};

	return 3ull << KEY_SIX | (uint64_t)port << KEY_PORT6 | rte_jhash_32b(words, 4, n->hash_key ^ port);
}

/* Where a key's places begin; the number has no part in it. */
static uint32_t hash(uint64_t key)
{
	if (key >> KEY_SIX & 1)
		key &= ~NUMBER_MASK;
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 40) & (NEIGH_TABLE - 1);
}

static uint64_t get(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

static struct neigh_place *find4(struct neigh *n, uint64_t key)
{
	uint32_t at = hash(key);

	/* no stop at an empty place: what stood there may have been removed, and others stand behind it */
	for (unsigned i = 0; i < NEIGH_PROBE; i++) {
		struct neigh_place *p = &n->place[(at + i) & (NEIGH_TABLE - 1)];

		if (get(&p->key) == key)
			return p;
	}
	return NULL;
}

/* The key as it was before the address was read, in *key. */
static struct neigh_place *find6(struct neigh *n, uint16_t port, struct ip6 a, uint64_t *key)
{
	uint64_t wanted = key_of6(n, port, a);
	uint32_t at = hash(wanted);

	for (unsigned i = 0; i < NEIGH_PROBE; i++) {
		struct neigh_place *p = &n->place[(at + i) & (NEIGH_TABLE - 1)];

		*key = get(&p->key);
		if ((*key & ~NUMBER_MASK) == wanted && get(&p->hi) == a.hi && get(&p->lo) == a.lo)
			return p;
	}
	return NULL;
}

struct neigh_place *neigh_find(struct neigh *n, const struct neigh_who *who)
{
	uint64_t key;

	return who->six ? find6(n, who->port, who->addr6, &key) : find4(n, key_of(who->port, who->addr_be));
}

struct neigh_place *neigh_add(struct neigh *n, const struct neigh_who *who)
{
	uint64_t key = who->six ? key_of6(n, who->port, who->addr6) : key_of(who->port, who->addr_be);
	uint32_t at = hash(key);

	if (who->six)
		key |= (uint64_t)++n->number << KEY_NUMBER;
	for (unsigned i = 0; i < NEIGH_PROBE; i++) {
		struct neigh_place *p = &n->place[(at + i) & (NEIGH_TABLE - 1)];

		if (atomic_load_explicit(&p->key, memory_order_relaxed) == 0) {
			atomic_store_explicit(&p->used, 0, memory_order_relaxed);
			atomic_store_explicit(&p->hi, who->addr6.hi, memory_order_release);
			atomic_store_explicit(&p->lo, who->addr6.lo, memory_order_release);
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

static uint64_t mac_at(struct neigh_place *p, uint64_t key)
{
	uint64_t mac;

	if (!p)
		return 0;
	mac = get(&p->mac);
	if (get(&p->key) != key)
		return 0;
	if (mac && !atomic_load_explicit(&p->used, memory_order_relaxed))
		atomic_store_explicit(&p->used, 1, memory_order_relaxed);
	return mac;
}

static inline uint16_t type_of(struct rte_mbuf *m)
{
	return pkt_is_v6(m) ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
}

/* Both MACs in the low 48 bits, in memory order. */
static inline bool frame(struct rte_mbuf *m, uint64_t dst_mac, uint64_t src_mac, uint16_t type_be)
{
	uint8_t *eth = (void *)rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);

	if (unlikely(!eth))
		return false;
	una_put64(eth, dst_mac << 16 >> 16 | src_mac << 48);
	una_put32(eth + 8, (uint32_t)(src_mac >> 16));
	una_put16(eth + 12, type_be);
	return true;
}

bool neigh_frame(struct rte_mbuf *m, uint64_t dst_mac, const uint8_t src_mac[6])
{
	uint64_t src = 0;

	memcpy(&src, src_mac, 6);
	return frame(m, dst_mac, src, type_of(m));
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

/* The packet or its gateway is IPv6's. */
static __rte_noinline uint64_t mac_six(struct worker *w, struct rte_mbuf *m, struct fib_nh nh)
{
	struct neigh_who who = neigh_who(w->fib, m, nh);
	uint64_t key;

	if (who.six) {
		struct neigh_place *p = find6(w->neigh, who.port, who.addr6, &key);

		return mac_at(p, key);
	}
	key = key_of(who.port, who.addr_be);
	return mac_at(find4(w->neigh, key), key);
}

/* The last one of mac_six(): mostly the next packet's, too. */
struct six {
	struct fib_nh nh;
	bool on_link;
	uint64_t dst[2]; /* on_link */
	uint64_t mac;
};

static inline bool six_again(const struct six *last, struct rte_mbuf *m, struct fib_nh nh)
{
	return una_get64(&nh) == una_get64(&last->nh) &&
	       (!last->on_link || (pkt_is_v6(m) && ip6_same(ip6_dst(pkt_ip6(m)), last->dst)));
}

static inline uint64_t six_mac(struct worker *w, struct rte_mbuf *m, struct fib_nh nh, struct six *last)
{
	if (unlikely(!six_again(last, m, nh))) {
		*last = (struct six){
			.nh = nh, .on_link = nh.n != FIB_GATEWAY6 && nh.arg == 0, .mac = mac_six(w, m, nh)};
		if (last->on_link)
			memcpy(last->dst, ip6_dst(pkt_ip6(m)), sizeof(last->dst));
	}
	return last->mac;
}

static inline bool plain(struct rte_mbuf *m, struct fib_nh nh)
{
	return likely(nh.n == 0 && !pkt_is_v6(m));
}

uint16_t neigh_rewrite(struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	uint64_t last_key = 0, last_mac = 0;
	struct six six = {.nh.kind = FIB_NONE}; /* nobody's */
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct fib_nh nh = fib_nh(w->fib, pkt_of(m)->next);
		uint16_t type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
		uint64_t mac;

		if (unlikely(nh.kind != FIB_PORT)) { /* changed since the lookup */
			drop(w, m, DROP_NO_ROUTE);
			continue;
		}
		if (plain(m, nh)) {
			uint64_t key = key_of(nh.port, nh.arg ? nh.arg : pkt_ip(m)->dst_addr);

			if (key != last_key) {
				last_mac = mac_at(find4(w->neigh, key), key);
				last_key = key;
			}
			mac = last_mac;
		} else {
			mac = six_mac(w, m, nh, &six);
			type = type_of(m);
		}
		if (unlikely(!mac)) {
			(void)up(w, m, DROP_NO_NEIGH);
			continue;
		}
		if (unlikely(!frame(m, mac, una_get64(w->port[nh.port].mac), type))) {
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

/* Is it about an address of ours, or an answer? Most that is sent to our groups is neither; which port's the address is, the ctl thread
 * knows. */
static bool nd_for_us(const struct worker *w, const struct nd_msg *d)
{
	uint32_t id;

	if (d->type == ND_ADVERT)
		return true;
	fib6_lookup(w->fib, &d->target, &id, 1);
	return fib_nh(w->fib, id).kind == FIB_LOCAL;
}

void neigh_nd_in(struct worker *w, struct rte_mbuf *m)
{
	struct nd_msg d;
	enum stats_drop why = nd_msg_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &d);

	if (why == DROP_N && !nd_for_us(w, &d))
		why = DROP_NOT_FOR_US;
	if (why != DROP_N) {
		drop(w, m, why);
		return;
	}
	pkt_of(m)->kind = NEIGH_ND;
	w->count.punt += up(w, m, DROP_PUNT_FULL);
}

static void given_up(struct worker *w, struct rte_mbuf *m)
{
	if (pkt_is_v6(m))
		icmp6_error(w, m, ICMP6_UNREACHABLE, ICMP6_ADDRESS, 0);
	else
		icmp_error(w, m, ICMP_UNREACHABLE, ICMP_HOST, 0);
	drop(w, m, DROP_NO_NEIGH);
}

uint16_t neigh_poll(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	struct neigh_link *l = &w->neigh->link[w->id];
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(l->down, (void **)m, VEC_BURST, NULL);

	for (uint16_t i = 0; i < n; i++) {
		if (pkt_of(m[i])->kind == NEIGH_GIVEN_UP) {
			given_up(w, m[i]);
			continue;
		}
		w->count.arp_sent += pkt_of(m[i])->kind == NEIGH_OWN;
		vec_give(w, &w->tx[m[i]->port], m[i]);
	}
	return n;
}
