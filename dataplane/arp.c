#include "dataplane/arp.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#include "base/ip.h"
#include "base/log.h"
#include "dataplane/fib.h"
#include "dataplane/pkt.h"

enum { POOL = 1023, ROOM = 256, ROOM_MIN = 8, TICK_MS = 200, NO_ENTRY = UINT16_MAX };

enum state { FREE, INCOMPLETE, REACHABLE, PROBE, STALE };

struct entry {
	struct neigh_place *place;
	uint64_t key, deadline_ms;
	uint8_t state, tries, n_held;
	uint8_t worker[ARP_HOLD]; /* who sends held[i] */
	uint8_t asks;             /* worker that sends our requests */
	struct rte_mbuf *held[ARP_HOLD];
};

struct arp {
	struct neigh *neigh;
	struct fib *fib;
	const struct port_set *ports;
	struct rte_mempool *pool;
	struct arp_stats count;
	unsigned n_entries, n_incomplete, n_held;
	uint64_t next_ms; /* when arp_tick() looks at the entries again */
	uint8_t announce_left[CFG_PORTS_MAX];
	uint16_t entry_at[NEIGH_TABLE]; /* place -> entry, or NO_ENTRY */
	uint16_t free_entry[NEIGH_MAX];
	struct entry entry[NEIGH_MAX];
};

struct arp *arp_new(struct neigh *n, struct fib *f, const struct port_set *ports, int numa_node)
{
	struct arp *a = rte_zmalloc_socket("arp", sizeof(*a), 64, numa_node);

	if (!a)
		return NULL;
	a->neigh = n;
	a->fib = f;
	a->ports = ports;
	a->next_ms = UINT64_MAX;
	for (unsigned i = 0; i < NEIGH_TABLE; i++)
		a->entry_at[i] = NO_ENTRY;
	for (unsigned i = 0; i < NEIGH_MAX; i++)
		a->free_entry[i] = (uint16_t)(NEIGH_MAX - 1 - i);
	a->pool = rte_pktmbuf_pool_create("arp", POOL, 0, 0, ROOM, numa_node);
	if (!a->pool) {
		rte_free(a);
		return NULL;
	}
	return a;
}

void arp_free(struct arp *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < NEIGH_MAX; i++)
		rte_pktmbuf_free_bulk(a->entry[i].held, a->entry[i].n_held);
	/* frames on their way may still lie in the rings: neigh_free() comes first */
	rte_mempool_free(a->pool);
	rte_free(a);
}

const struct arp_stats *arp_counts(const struct arp *a)
{
	return &a->count;
}

unsigned arp_known(const struct arp *a, unsigned *all)
{
	*all = a->n_entries;
	return a->n_entries - a->n_incomplete;
}

static uint16_t port_of(const struct entry *e)
{
	return (uint16_t)(e->key >> 32 & 0x7fff);
}

static uint32_t addr_of(const struct entry *e)
{
	return (uint32_t)e->key;
}

/* --- frames --- */

/* Places in a worker's ring beyond those that the packets held may need: they can always go back, and are counted. */
static int room(const struct arp *a, uint8_t worker)
{
	return (int)rte_ring_free_count(a->neigh->link[worker].down) - (int)a->n_held;
}

static void down(struct arp *a, uint8_t worker, struct rte_mbuf *m)
{
	if (rte_ring_sp_enqueue(a->neigh->link[worker].down, m)) {
		rte_pktmbuf_free(m);
		a->count.lost++;
	}
}

/* Back to its worker, which counts and frees it. */
static void give_up(struct arp *a, uint8_t worker, struct rte_mbuf *m)
{
	pkt_of(m)->kind = NEIGH_GIVEN_UP;
	down(a, worker, m);
}

/* dst: NULL for broadcast. RFC 826 */
static void transmit(struct arp *a, uint8_t worker, uint16_t port, uint16_t op, uint32_t sender_be, const uint8_t *dst,
		     uint32_t target_be)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct port *p = &a->ports->p[port];
	struct rte_mbuf *m = room(a, worker) > ROOM_MIN ? rte_pktmbuf_alloc(a->pool) : NULL;
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;

	if (!m)
		return; /* it is asked again */
	eth = (void *)rte_pktmbuf_append(m, sizeof(*eth) + sizeof(*arp));
	if (!eth) {
		rte_pktmbuf_free(m);
		return;
	}
	memcpy(&eth->dst_addr, dst ? dst : all, 6);
	memcpy(&eth->src_addr, p->mac, 6);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	arp = (void *)(eth + 1);
	*arp = (struct rte_arp_hdr){.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
				    .arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
				    .arp_hlen = 6,
				    .arp_plen = 4,
				    .arp_opcode = rte_cpu_to_be_16(op),
				    .arp_data = {.arp_sip = sender_be, .arp_tip = target_be}};
	memcpy(&arp->arp_data.arp_sha, p->mac, 6);
	if (dst)
		memcpy(&arp->arp_data.arp_tha, dst, 6);
	m->port = port;
	*pkt_of(m) = (struct pkt){0};
	down(a, worker, m);
}

static uint32_t be(const struct ip_addr *addr)
{
	uint32_t v;

	memcpy(&v, addr->b, 4);
	return v;
}

/* Our address in the network of addr, or 0. Its being in one says that addr is on link here. */
static uint32_t source_for(const struct port *p, uint32_t addr_be)
{
	struct ip_addr addr = ip_from_bytes(IP_V4, &addr_be);

	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4 && ip_prefix_contains(&p->cfg->addr[i], &addr))
			return be(&p->cfg->addr[i].addr);
	return 0;
}

static bool is_ours(const struct port *p, uint32_t addr_be)
{
	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4 && be(&p->cfg->addr[i].addr) == addr_be)
			return true;
	return false;
}

static void ask(struct arp *a, const struct entry *e)
{
	const struct port *p = &a->ports->p[port_of(e)];
	uint32_t from = source_for(p, addr_of(e));
	uint64_t mac = atomic_load_explicit(&e->place->mac, memory_order_relaxed);

	/* a gateway outside the port's networks: asked for with the first address */
	for (unsigned i = 0; !from && i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4)
			from = be(&p->cfg->addr[i].addr);
	transmit(a, e->asks, port_of(e), RTE_ARP_OP_REQUEST, from, mac ? (const uint8_t *)&mac : NULL, addr_of(e));
}

/* --- entries --- */

static uint16_t *entry_at(struct arp *a, const struct neigh_place *p)
{
	return &a->entry_at[p - a->neigh->place];
}

static struct entry *find(struct arp *a, uint64_t key)
{
	struct neigh_place *p = neigh_find(a->neigh, key);

	return p ? &a->entry[*entry_at(a, p)] : NULL;
}

static void enter(struct arp *a, struct entry *e, enum state state, uint64_t deadline_ms)
{
	a->n_incomplete += (state == INCOMPLETE) - (e->state == INCOMPLETE);
	e->state = state;
	e->tries = 0;
	e->deadline_ms = deadline_ms;
	if (deadline_ms < a->next_ms)
		a->next_ms = deadline_ms;
}

static void release(struct arp *a, struct entry *e)
{
	for (unsigned i = 0; i < e->n_held; i++)
		give_up(a, e->worker[i], e->held[i]);
	a->n_held -= e->n_held;
	a->n_incomplete -= e->state == INCOMPLETE;
	a->n_entries--;
	*entry_at(a, e->place) = NO_ENTRY;
	neigh_remove(e->place);
	*e = (struct entry){.state = FREE};
	a->free_entry[NEIGH_MAX - 1 - a->n_entries] = (uint16_t)(e - a->entry);
}

/* Room at the cost of a neighbour that nobody has used for long. */
static bool evict(struct arp *a)
{
	for (unsigned i = 0; i < NEIGH_MAX; i++) {
		if (a->entry[i].state == STALE) {
			release(a, &a->entry[i]);
			return true;
		}
	}
	return false;
}

static struct entry *make(struct arp *a, uint64_t key, uint8_t worker)
{
	struct neigh_place *place;
	struct entry *e;

	if (a->n_entries == NEIGH_MAX && !evict(a))
		return NULL;
	place = neigh_add(a->neigh, key);
	if (!place)
		return NULL;
	e = &a->entry[a->free_entry[NEIGH_MAX - 1 - a->n_entries++]];
	*e = (struct entry){.place = place, .key = key, .asks = worker};
	*entry_at(a, place) = (uint16_t)(e - a->entry);
	return e;
}

/* The neighbour has this MAC: say so to the workers, and send what waited. */
static void resolve(struct arp *a, struct entry *e, const uint8_t mac[6], uint64_t now_ms)
{
	uint64_t new = neigh_mac_pack(mac), old = atomic_load_explicit(&e->place->mac, memory_order_relaxed);
	uint16_t port = port_of(e);

	a->count.moved += old && old != new;
	if (old != new)
		atomic_store_explicit(&e->place->mac, new, memory_order_release);
	enter(a, e, REACHABLE, now_ms + ARP_REACHABLE_MS);
	for (unsigned i = 0; i < e->n_held; i++) {
		if (neigh_frame(e->held[i], new, a->ports->p[port].mac)) {
			e->held[i]->port = port;
			down(a, e->worker[i], e->held[i]);
		} else {
			give_up(a, e->worker[i], e->held[i]);
		}
	}
	a->n_held -= e->n_held;
	e->n_held = 0;
}

/* --- what workers send up --- */

/* RFC 1122 2.3.2.2: at least one packet, the latest, is kept; here the latest ARP_HOLD. */
static void hold(struct arp *a, struct entry *e, uint8_t worker, struct rte_mbuf *m)
{
	if (e->n_held == ARP_HOLD || (e->n_held && a->n_held == ARP_HOLD_ALL)) {
		give_up(a, e->worker[0], e->held[0]);
		e->n_held--;
		a->n_held--;
		memmove(e->held, e->held + 1, e->n_held * sizeof(e->held[0]));
		memmove(e->worker, e->worker + 1, e->n_held);
	} else if (a->n_held == ARP_HOLD_ALL) {
		give_up(a, worker, m);
		return;
	}
	e->held[e->n_held] = m;
	e->worker[e->n_held++] = worker;
	a->n_held++;
}

static void packet_up(struct arp *a, uint8_t worker, struct rte_mbuf *m, uint64_t now_ms)
{
	struct fib_nh nh = fib_nh(a->fib, pkt_of(m)->next);
	uint32_t addr = nh.arg ? nh.arg : pkt_ip(m)->dst_addr;
	uint64_t key = neigh_key(nh.port, addr), mac;
	struct entry *e;

	if (nh.kind != FIB_PORT || nh.port >= a->ports->n || is_ours(&a->ports->p[nh.port], addr)) {
		give_up(a, worker, m);
		return;
	}
	e = find(a, key);
	if (!e) {
		e = a->n_incomplete < ARP_INCOMPLETE_MAX ? make(a, key, worker) : NULL;
		if (!e) {
			give_up(a, worker, m);
			return;
		}
		enter(a, e, INCOMPLETE, now_ms + ARP_RETRY_MS);
		e->tries = 1;
		ask(a, e);
	}
	mac = atomic_load_explicit(&e->place->mac, memory_order_relaxed);
	if (!mac) {
		hold(a, e, worker, m);
	} else if (neigh_frame(m, mac, a->ports->p[nh.port].mac)) { /* answered meanwhile */
		m->port = nh.port;
		down(a, worker, m);
	} else {
		give_up(a, worker, m);
	}
}

/* RFC 5227 2.4: we keep the address, and tell the operator. */
static void conflict(struct arp *a, const struct port *p, const struct rte_arp_ipv4 *d)
{
	struct ip_addr addr = ip_from_bytes(IP_V4, &d->arp_sip);
	const uint8_t *mac = d->arp_sha.addr_bytes;
	char text[IP_STR];

	if (!memcmp(mac, p->mac, 6))
		return; /* our own, come back */
	a->count.conflicts++;
	log_warn(LOG_PORT, "port=%s event=address-conflict address=%s mac=%02x:%02x:%02x:%02x:%02x:%02x", p->cfg->name,
		 ip_str(&addr, text), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* RFC 826 "Packet Reception": merge; then, if it is for us, add and answer. */
static void frame_up(struct arp *a, uint8_t worker, const struct rte_mbuf *m, uint64_t now_ms)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));
	const struct rte_arp_ipv4 d = arp->arp_data;
	const struct port *p = &a->ports->p[m->port];
	bool request = arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST), for_us;
	struct entry *e;

	if (is_ours(p, d.arp_sip)) {
		conflict(a, p, &d);
		return;
	}
	for_us = is_ours(p, d.arp_tip);
	e = d.arp_sip ? find(a, neigh_key(m->port, d.arp_sip)) : NULL;
	/* an entry of its own only for a host of this link: others would be a way to fill the table */
	if (!e && for_us && request && d.arp_sip && source_for(p, d.arp_sip))
		e = make(a, neigh_key(m->port, d.arp_sip), worker);
	if (e)
		resolve(a, e, d.arp_sha.addr_bytes, now_ms);
	else if (!for_us)
		a->count.ignored++;
	if (for_us && request)
		transmit(a, worker, m->port, RTE_ARP_OP_REPLY, d.arp_tip, d.arp_sha.addr_bytes, d.arp_sip);
}

static void take(struct arp *a, uint8_t worker, struct rte_mbuf *m, uint64_t now_ms)
{
	if (pkt_of(m)->kind != NEIGH_ARP) {
		packet_up(a, worker, m, now_ms);
		return;
	}
	if (m->port < a->ports->n)
		frame_up(a, worker, m, now_ms);
	rte_pktmbuf_free(m);
}

bool arp_turn(struct arp *a, uint64_t now_ms)
{
	bool more = false, full = false;

	for (uint8_t w = 0; w < a->neigh->n_workers; w++)
		full |= room(a, w) <= ARP_TURN + ROOM_MIN;
	for (uint8_t w = 0; w < a->neigh->n_workers; w++) {
		struct neigh_link *l = &a->neigh->link[w];
		struct rte_mbuf *m[ARP_TURN];
		unsigned n = 0;

		atomic_store_explicit(&l->rung, false, memory_order_seq_cst); /* before looking: none is missed */
		if (!full)
			n = rte_ring_sc_dequeue_burst(l->up, (void **)m, ARP_TURN / a->neigh->n_workers, NULL);
		for (unsigned i = 0; i < n; i++)
			take(a, w, m[i], now_ms);
		more |= !rte_ring_empty(l->up);
	}
	return more;
}

/* --- timers --- */

static bool used(struct entry *e)
{
	return atomic_exchange_explicit(&e->place->used, 0, memory_order_relaxed);
}

static void ask_again(struct arp *a, struct entry *e, uint64_t now_ms)
{
	if (e->tries == ARP_TRIES) {
		release(a, e);
		return;
	}
	e->tries++;
	e->deadline_ms = now_ms + ARP_RETRY_MS;
	ask(a, e);
}

static void expire(struct arp *a, struct entry *e, uint64_t now_ms)
{
	switch ((enum state)e->state) {
	case FREE:
		break;
	case INCOMPLETE:
	case PROBE:
		ask_again(a, e, now_ms);
		break;
	case REACHABLE:
		if (used(e)) {
			enter(a, e, PROBE, 0);
			ask_again(a, e, now_ms);
		} else {
			enter(a, e, STALE, now_ms + ARP_STALE_MS);
		}
		break;
	case STALE:
		release(a, e);
		break;
	}
}

static void announce(struct arp *a, uint16_t port)
{
	const struct port *p = &a->ports->p[port];

	for (unsigned i = 0; i < p->cfg->n_addr; i++)
		if (p->cfg->addr[i].addr.family == IP_V4)
			transmit(a, 0, port, RTE_ARP_OP_REQUEST, be(&p->cfg->addr[i].addr), NULL,
				 be(&p->cfg->addr[i].addr));
}

void arp_announce(struct arp *a, uint16_t port, uint64_t now_ms)
{
	announce(a, port);
	a->announce_left[port] = ARP_ANNOUNCE - 1;
	if (now_ms + ARP_RETRY_MS < a->next_ms)
		a->next_ms = now_ms + ARP_RETRY_MS;
}

uint64_t arp_tick(struct arp *a, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	if (now_ms < a->next_ms)
		return a->next_ms;
	for (uint16_t i = 0; i < a->ports->n; i++) {
		if (a->announce_left[i]) {
			a->announce_left[i]--;
			announce(a, i);
		}
		if (a->announce_left[i])
			next = now_ms + ARP_RETRY_MS;
	}
	for (unsigned i = 0, seen = 0, all = a->n_entries; i < NEIGH_MAX && seen < all; i++) {
		struct entry *e = &a->entry[i];

		if (e->state == FREE)
			continue;
		seen++;
		if (e->state == STALE && used(e)) {
			enter(a, e, PROBE, 0);
			ask_again(a, e, now_ms);
		} else if (now_ms >= e->deadline_ms) {
			expire(a, e, now_ms);
		}
		if (e->state == STALE && now_ms + ARP_RETRY_MS < next) /* is it in use again? */
			next = now_ms + ARP_RETRY_MS;
		else if (e->state != FREE && e->deadline_ms < next)
			next = e->deadline_ms;
	}
	/* a whole walk at most every TICK_MS, however the deadlines lie */
	a->next_ms = next == UINT64_MAX ? next : u64_max(next, now_ms + TICK_MS);
	return a->next_ms;
}
