/* ICMPv6 that the gateway sends: errors about packets, and echo replies. RFC 4443 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

struct ip6_chain;
struct worker;

enum {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAM_PROBLEM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129
};
enum {
	ICMP6_NO_ROUTE = 0,
	ICMP6_PROHIBITED = 1,
	ICMP6_SCOPE = 2,
	ICMP6_ADDRESS = 3,
	ICMP6_PORT = 4
};                                                                 /* of UNREACHABLE */
enum { ICMP6_HOPS = 0 };                                           /* of TIME_EXCEEDED */
enum { ICMP6_FIELD = 0, ICMP6_NEXT_HEADER = 1, ICMP6_OPTION = 2 }; /* of PARAM_PROBLEM */

/* Tell m's source about it: the error is put into w->fwd. m stays the caller's, to be dropped. Nothing happens where RFC 4443 2.4
 * forbids it (about ICMPv6 errors and redirects, groups, our own packets), and when the worker's rate is used up. word: the MTU of
 * TOO_BIG, the pointer of PARAM_PROBLEM, else 0. */
void icmp6_error(struct worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code, uint32_t word);
/* Takes an ICMPv6 packet to one of our own addresses, its headers at c, no fragment; answers echo (the reply goes to w->fwd), hands
 * neighbour discovery to neigh, all else is the kernel's. Drops: BAD_ICMP, BAD_CHECKSUM, BAD_ND, and those of neigh.h and tun.h. */
void icmp6_in(struct worker *w, struct rte_mbuf *m, const struct ip6_chain *c);
