/* Transport mode: the gateway's own traffic with a peer, protected packet by packet. RFC 4301 4.1, 5; RFC 4303 3.1.1; RFC 3948 3.1.2
 *
 * A tunnel of this mode has no routes: it protects what its config's selectors name between its local and its remote address, and only
 * what this host sends and takes itself. Whether such tunnels exist is one load per burst for everybody else.
 *
 *   own packets      transport_out()    named: to the tunnel's SA, or lost (NO_SA). Never in clear
 *   to ourselves     transport_bare()   named, but in clear: lost (CLEAR_TO_PROTECTED)
 *   ESP              transport_open()   the packet as it was before it was protected
 *
 * IKE, ESP, neighbour discovery and ICMP errors about those are outside of it (RFC 4301 5.2: bypass). Fragments are not carried (4.1).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/build.h"

struct worker;
struct sad;
struct sa_out;
struct selector_key;

/* Which tunnels there are. Writer: ctl. A reader that sees a change under its hands takes the packet for protected. */
struct transport {
	_Atomic uint32_t n;
	_Atomic uint32_t version; /* odd: it changes, or one of the tunnels does */
	uint32_t *tunnel;         /* [n] of [n_tunnels] */
};

/* --- ctl thread --- */

/* Around every change of a tunnel. */
void transport_begin(struct transport *t);
void transport_end(struct transport *t);
/* Between these: the tunnel is of this mode, or not. */
void transport_list(struct transport *t, uint32_t tunnel, bool is);

/* --- worker --- */

static inline bool transport_any(const struct transport *t)
{
	return unlikely(atomic_load_explicit(&t->n, memory_order_relaxed) != 0);
}

/* Of n packets on their way to the FIB, those of our own that a tunnel protects go to its owner. What is left, in order. */
uint16_t transport_out(struct worker *w, struct rte_mbuf **m, uint16_t n);
/* A packet to ourselves, in clear, that should have come protected. */
bool transport_bare(struct worker *w, struct rte_mbuf *m);
/* May this packet leave by that SA? Between its addresses, our own, and whole. */
bool transport_fits(const struct sa_out *s, struct rte_mbuf *m, const struct selector_key *k);
/* Octets in front of what ESP protects: the IP header with its options, or with the extension headers that are not the far end's (RFC
 * 4303 3.1.1). *next: the octet in it that says what follows. 0: it is not to be told. */
uint16_t transport_head(struct rte_mbuf *m, uint16_t *next);
/* The decrypted packet: len octets at text, of protocol next, go behind the header that they came under. false: it does not hold
 * together. A NAT on the way has left the checksums wrong: they are made anew when it came in UDP. */
bool transport_open(struct rte_mbuf *m, uint8_t *text, uint16_t len, uint8_t next);
