/* Path MTU of tunnels: what routers on the way tell of our ESP packets, believed only with proof. RFC 1191, RFC 8201, RFC 4301 8.2.1
 *
 * The message quotes the packet: it must be one of a live SA, with that SA's SPI and addresses, from the last PMTU_RECENT sequence
 * numbers, and (IPv4) with DF. Who does not see our packets cannot make such a quote. What is learned belongs to the tunnel: it holds for
 * all its SAs and their successors, and is forgotten after PMTU_LIFE_S.
 *
 *   worker with the message: pmtu_in() --owner of the SA--> pmtu_take()
 *   owner: sa_out.mtu shrinks; senders of larger packets hear of it, or their packets are cut
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/sa.h"

struct sad;
struct worker;

enum {
	PMTU_LIFE_S = 600, /* RFC 1191 6.3, RFC 8201 5.3: ten minutes */
	PMTU_FLOOR4 = 576, /* RFC 1191 3: nobody is below it, but for those who want to harm */
	PMTU_RECENT = 1 << 16,
	PMTU_PER_S = 50, /* messages that are looked at; beyond, they are not */
	PMTU_BURST = 50,
};

/* Per tunnel; the owner worker's. */
struct pmtu {
	uint32_t gen;   /* of the tunnel that it was learned for */
	uint16_t outer; /* octets of the outer packet; 0: the port's MTU */
	uint64_t until_tsc;
};

/* An ICMP (type 3, code 4) or ICMPv6 (type 2) message to one of our addresses, its checksum right; quote: octets from the IP header to the quoted
 * packet; mtu: as it says. false: it is about none of our ESP packets, and m the caller's; else m is taken. Drops: PMTU,
 * PMTU_REFUSED. */
bool pmtu_in(struct worker *w, struct rte_mbuf *m, uint16_t quote, uint32_t mtu);
/* The same at the SA's owner: pkt.next is the SA's slot, pkt.esp_off the quote. Takes m. */
void pmtu_take(struct worker *w, struct rte_mbuf *m);

/* The largest inner packet of an SA now: of the port's MTU, what the path lets through and what the config allows. 0: too small for any.
 * Owner worker; sa.flags, family and suite are set. */
uint16_t pmtu_inner(const struct worker *w, const struct sa_out *sa, uint32_t tunnel);
/* The largest outer packet. Owner worker. */
uint16_t pmtu_outer(const struct worker *w, const struct sa_out *sa, uint32_t tunnel);
/* Now and then, for a live SA: what was learned long ago is forgotten. Owner worker. */
void pmtu_age(struct worker *w, struct sa_out *sa, uint32_t tunnel);
