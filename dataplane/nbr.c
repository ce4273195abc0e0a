#include "dataplane/nbr.h"

#include <string.h>

#include <rte_malloc.h>
#include <rte_ring.h>

#include "base/ip.h"
#include "base/log.h"
#include "dataplane/fib.h"
#include "dataplane/nbr_core.h"
#include "dataplane/onlink.h"
#include "dataplane/pkt.h"

enum { POOL = 1023, ROOM_MIN = 8, TICK_MS = 200, NO_ENTRY = UINT16_MAX };

_Static_assert(NBR_FAMILIES *NBR_HOLD_ALL + NBR_TURN + ROOM_MIN < NEIGH_DOWN, "what is held can always go back");

struct nbr *nbr_new(struct neigh *n, struct fib *f, const struct port_set *ports, int numa_node)
{
	struct nbr *a = rte_zmalloc_socket("nbr", sizeof(*a), 64, numa_node);

	if (!a)
		return NULL;
	a->neigh = n;
	a->fib = f;
	a->ports = ports;
	a->next_ms = UINT64_MAX;
	for (unsigned i = 0; i < NEIGH_TABLE; i++)
		a->entry_at[i] = NO_ENTRY;
	for (unsigned i = 0; i < NBR_ENTRIES; i++)
		a->free_entry[i] = (uint16_t)(NBR_ENTRIES - 1 - i);
	a->pool = rte_pktmbuf_pool_create("nbr", POOL, 0, 0, NBR_FRAME, numa_node);
	if (!a->pool) {
		rte_free(a);
		return NULL;
	}
	return a;
}

void nbr_free(struct nbr *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < NBR_ENTRIES; i++)
		rte_pktmbuf_free_bulk(a->entry[i].held, a->entry[i].n_held);
	/* frames on their way may still lie in the rings: neigh_free() comes first */
	rte_mempool_free(a->pool);
	rte_free(a);
}

const struct nbr_stats *nbr_counts(const struct nbr *a)
{
	return &a->count;
}

unsigned nbr_known(const struct nbr *a, unsigned *all)
{
	*all = a->n_entries;
	return a->n_entries - a->n_incomplete[0] - a->n_incomplete[1];
}

static unsigned family(const struct nbr_entry *e)
{
	return e->who.six;
}

/* --- frames --- */

/* Places in a worker's ring beyond those that the packets held may need: they can always go back, and are counted. */
static int room(const struct nbr *a, uint8_t worker)
{
	return (int)rte_ring_free_count(a->neigh->link[worker].down) - (int)(a->n_held[0] + a->n_held[1]);
}

static void down(struct nbr *a, uint8_t worker, struct rte_mbuf *m)
{
	if (rte_ring_sp_enqueue(a->neigh->link[worker].down, m)) {
		rte_pktmbuf_free(m);
		a->count.lost++;
	}
}

/* Back to its worker, which counts and frees it. */
static void give_up(struct nbr *a, uint8_t worker, struct rte_mbuf *m)
{
	pkt_of(m)->kind = NEIGH_GIVEN_UP;
	down(a, worker, m);
}

struct rte_mbuf *nbr_frame(struct nbr *a, uint8_t worker, uint16_t len)
{
	struct rte_mbuf *m = room(a, worker) > ROOM_MIN ? rte_pktmbuf_alloc(a->pool) : NULL;

	if (m && !rte_pktmbuf_append(m, len)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}

void nbr_send(struct nbr *a, uint8_t worker, uint16_t port, struct rte_mbuf *m)
{
	m->port = port;
	*pkt_of(m) = (struct pkt){.kind = NEIGH_OWN};
	down(a, worker, m);
}

/* We keep the address, and tell the operator: a gateway that gave way would be silenced by anybody on the link. */
void nbr_conflict(struct nbr *a, const struct port *p, const struct ip_addr *addr, const uint8_t mac[6])
{
	char text[IP_STR];

	if (!memcmp(mac, p->mac, 6))
		return; /* our own, come back */
	a->count.conflicts++;
	log_warn(LOG_PORT, "port=%s event=address-conflict address=%s mac=%02x:%02x:%02x:%02x:%02x:%02x", p->cfg->name,
		 ip_str(addr, text), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void ask(struct nbr *a, const struct nbr_entry *e)
{
	if (e->who.six)
		nd_ask(a, e);
	else
		arp_ask(a, e);
}

/* --- entries --- */

static uint16_t *entry_at(struct nbr *a, const struct neigh_place *p)
{
	return &a->entry_at[p - a->neigh->place];
}

struct nbr_entry *nbr_find(struct nbr *a, const struct neigh_who *who)
{
	struct neigh_place *p = neigh_find(a->neigh, who);

	return p ? &a->entry[*entry_at(a, p)] : NULL;
}

uint64_t nbr_mac(const struct nbr_entry *e)
{
	return atomic_load_explicit(&e->place->mac, memory_order_relaxed);
}

static void enter(struct nbr *a, struct nbr_entry *e, enum nbr_state state, uint64_t deadline_ms)
{
	a->n_incomplete[family(e)] += (unsigned)(state == NBR_INCOMPLETE) - (e->state == NBR_INCOMPLETE);
	e->state = (uint8_t)state;
	e->tries = 0;
	e->deadline_ms = deadline_ms;
	if (deadline_ms < a->next_ms)
		a->next_ms = deadline_ms;
}

/* Kept, and looked at every second whether workers use it. */
static void enter_stale(struct nbr *a, struct nbr_entry *e, uint64_t now_ms)
{
	enter(a, e, NBR_STALE, now_ms + NBR_STALE_MS);
	a->next_ms = u64_min(a->next_ms, now_ms + NBR_RETRY_MS);
}

static void release(struct nbr *a, struct nbr_entry *e)
{
	for (unsigned i = 0; i < e->n_held; i++)
		give_up(a, e->worker[i], e->held[i]);
	a->n_held[family(e)] -= e->n_held;
	a->n_incomplete[family(e)] -= e->state == NBR_INCOMPLETE;
	a->n_entries--;
	*entry_at(a, e->place) = NO_ENTRY;
	neigh_remove(e->place);
	*e = (struct nbr_entry){.state = NBR_FREE};
	a->free_entry[NBR_ENTRIES - 1 - a->n_entries] = (uint16_t)(e - a->entry);
}

/* Room at the cost of a neighbour that nobody has used for long. */
static bool evict(struct nbr *a)
{
	for (unsigned i = 0; i < NBR_ENTRIES; i++) {
		if (a->entry[i].state == NBR_STALE) {
			release(a, &a->entry[i]);
			return true;
		}
	}
	return false;
}

struct nbr_entry *nbr_make(struct nbr *a, const struct neigh_who *who, uint8_t worker)
{
	struct neigh_place *place;
	struct nbr_entry *e;

	if (a->n_entries == NBR_ENTRIES && !evict(a))
		return NULL;
	place = neigh_add(a->neigh, who);
	if (!place)
		return NULL;
	e = &a->entry[a->free_entry[NBR_ENTRIES - 1 - a->n_entries++]];
	*e = (struct nbr_entry){.place = place, .who = *who, .asks = worker};
	*entry_at(a, place) = (uint16_t)(e - a->entry);
	return e;
}

void nbr_resolve(struct nbr *a, struct nbr_entry *e, const uint8_t mac[6], enum nbr_state state, uint64_t now_ms)
{
	uint64_t new = neigh_mac_pack(mac), old = nbr_mac(e);
	uint16_t port = e->who.port;

	a->count.moved += old && old != new;
	if (old != new)
		atomic_store_explicit(&e->place->mac, new, memory_order_release);
	if (state == NBR_STALE)
		enter_stale(a, e, now_ms);
	else
		enter(a, e, state, now_ms + NBR_REACHABLE_MS);
	for (unsigned i = 0; i < e->n_held; i++) {
		if (neigh_frame(e->held[i], new, a->ports->p[port].mac)) {
			e->held[i]->port = port;
			down(a, e->worker[i], e->held[i]);
		} else {
			give_up(a, e->worker[i], e->held[i]);
		}
	}
	a->n_held[family(e)] -= e->n_held;
	e->n_held = 0;
}

void nbr_doubt(struct nbr *a, struct nbr_entry *e, uint64_t now_ms)
{
	if (e->state != NBR_INCOMPLETE)
		enter_stale(a, e, now_ms);
}

/* --- what workers send up --- */

/* RFC 1122 2.3.2.2, RFC 4861 7.2.2: at least one packet, the latest, is kept; here the latest NBR_HOLD. */
static void hold(struct nbr *a, struct nbr_entry *e, uint8_t worker, struct rte_mbuf *m)
{
	unsigned *all = &a->n_held[family(e)];

	if (e->n_held == NBR_HOLD || (e->n_held && *all == NBR_HOLD_ALL)) {
		give_up(a, e->worker[0], e->held[0]);
		e->n_held--;
		--*all;
		memmove(e->held, e->held + 1, e->n_held * sizeof(e->held[0]));
		memmove(e->worker, e->worker + 1, e->n_held);
	} else if (*all == NBR_HOLD_ALL) {
		give_up(a, worker, m);
		return;
	}
	e->held[e->n_held] = m;
	e->worker[e->n_held++] = worker;
	++*all;
}

static bool is_ours(const struct port *p, const struct neigh_who *who)
{
	return who->six ? onlink_is_ours6(p, who->addr6) : arp_is_ours(p, who->addr_be);
}

static void packet_up(struct nbr *a, uint8_t worker, struct rte_mbuf *m, uint64_t now_ms)
{
	struct fib_nh nh = fib_nh(a->fib, pkt_of(m)->next);
	struct neigh_who who = neigh_who(a->fib, m, nh);
	struct nbr_entry *e;
	uint64_t mac;

	if (nh.kind != FIB_PORT || nh.port >= a->ports->n || is_ours(&a->ports->p[nh.port], &who)) {
		give_up(a, worker, m);
		return;
	}
	e = nbr_find(a, &who);
	if (!e) {
		e = a->n_incomplete[who.six] < NBR_INCOMPLETE_MAX ? nbr_make(a, &who, worker) : NULL;
		if (!e) {
			give_up(a, worker, m);
			return;
		}
		enter(a, e, NBR_INCOMPLETE, now_ms + NBR_RETRY_MS);
		e->tries = 1;
		ask(a, e);
	}
	mac = nbr_mac(e);
	if (!mac) {
		hold(a, e, worker, m);
	} else if (neigh_frame(m, mac, a->ports->p[nh.port].mac)) { /* answered meanwhile */
		m->port = nh.port;
		down(a, worker, m);
	} else {
		give_up(a, worker, m);
	}
}

static void take(struct nbr *a, uint8_t worker, struct rte_mbuf *m, uint64_t now_ms)
{
	uint8_t kind = pkt_of(m)->kind;

	if (kind != NEIGH_ARP && kind != NEIGH_ND) {
		packet_up(a, worker, m, now_ms);
		return;
	}
	if (m->port < a->ports->n && kind == NEIGH_ARP)
		arp_in(a, worker, m, now_ms);
	else if (m->port < a->ports->n)
		nd_in(a, worker, m, now_ms);
	rte_pktmbuf_free(m);
}

bool nbr_turn(struct nbr *a, uint64_t now_ms)
{
	bool more = false, full = false;

	for (uint8_t w = 0; w < a->neigh->n_workers; w++)
		full |= room(a, w) <= NBR_TURN + ROOM_MIN;
	for (uint8_t w = 0; w < a->neigh->n_workers; w++) {
		struct neigh_link *l = &a->neigh->link[w];
		struct rte_mbuf *m[NBR_TURN];
		unsigned n = 0;

		atomic_store_explicit(&l->rung, false, memory_order_seq_cst); /* before looking: none is missed */
		if (!full)
			n = rte_ring_sc_dequeue_burst(l->up, (void **)m, NBR_TURN / a->neigh->n_workers, NULL);
		for (unsigned i = 0; i < n; i++)
			take(a, w, m[i], now_ms);
		more |= !rte_ring_empty(l->up);
	}
	return more;
}

/* --- timers --- */

static bool used(struct nbr_entry *e)
{
	return atomic_exchange_explicit(&e->place->used, 0, memory_order_relaxed);
}

static void ask_again(struct nbr *a, struct nbr_entry *e, uint64_t now_ms)
{
	if (e->tries == NBR_TRIES) {
		release(a, e);
		return;
	}
	e->tries++;
	e->deadline_ms = now_ms + NBR_RETRY_MS;
	ask(a, e);
}

static void expire(struct nbr *a, struct nbr_entry *e, uint64_t now_ms)
{
	switch ((enum nbr_state)e->state) {
	case NBR_FREE:
		break;
	case NBR_INCOMPLETE:
	case NBR_PROBE:
		ask_again(a, e, now_ms);
		break;
	case NBR_REACHABLE:
		if (used(e)) {
			enter(a, e, NBR_PROBE, 0);
			ask_again(a, e, now_ms);
		} else {
			enter_stale(a, e, now_ms);
		}
		break;
	case NBR_STALE:
		release(a, e);
		break;
	}
}

static void announce(struct nbr *a, uint16_t port, bool first)
{
	arp_announce(a, port);
	nd_announce(a, port, first);
}

void nbr_announce(struct nbr *a, uint16_t port, uint64_t now_ms)
{
	announce(a, port, true);
	a->announce_left[port] = NBR_ANNOUNCE - 1;
	if (now_ms + NBR_RETRY_MS < a->next_ms)
		a->next_ms = now_ms + NBR_RETRY_MS;
}

uint64_t nbr_tick(struct nbr *a, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	if (now_ms < a->next_ms)
		return a->next_ms;
	for (uint16_t i = 0; i < a->ports->n; i++) {
		if (a->announce_left[i]) {
			a->announce_left[i]--;
			announce(a, i, false);
		}
		if (a->announce_left[i])
			next = now_ms + NBR_RETRY_MS;
	}
	for (unsigned i = 0, seen = 0, all = a->n_entries; i < NBR_ENTRIES && seen < all; i++) {
		struct nbr_entry *e = &a->entry[i];

		if (e->state == NBR_FREE)
			continue;
		seen++;
		if (e->state == NBR_STALE && used(e)) {
			enter(a, e, NBR_PROBE, 0);
			ask_again(a, e, now_ms);
		} else if (now_ms >= e->deadline_ms) {
			expire(a, e, now_ms);
		}
		if (e->state == NBR_STALE && now_ms + NBR_RETRY_MS < next) /* is it in use again? */
			next = now_ms + NBR_RETRY_MS;
		else if (e->state != NBR_FREE && e->deadline_ms < next)
			next = e->deadline_ms;
	}
	/* a whole walk at most every TICK_MS, however the deadlines lie */
	a->next_ms = next == UINT64_MAX ? next : u64_max(next, now_ms + TICK_MS);
	return a->next_ms;
}
