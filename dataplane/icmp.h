/* ICMP that the gateway sends: errors about packets, and echo replies. RFC 792, RFC 1191, RFC 1812 4.3 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

struct worker;

enum { ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_ECHO = 8, ICMP_TIME_EXCEEDED = 11 };
enum { ICMP_NET = 0, ICMP_HOST = 1, ICMP_FRAG_NEEDED = 4 }; /* codes of UNREACHABLE */
enum { ICMP_TTL = 0 };                                      /* of TIME_EXCEEDED */
enum { ICMP_ERRORS_PER_S = 100, ICMP_ERRORS_BURST = 50 };

/* Tell m's source about it: the error is put into w->fwd. m stays the caller's, to be dropped. Nothing happens where
 * RFC 1812 4.3.2.7 forbids it (about ICMP errors, later fragments, group addresses, link broadcasts, our own packets),
 * and when the worker's rate is used up. mtu: for FRAG_NEEDED, else 0. */
void icmp_error(struct worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code, uint16_t mtu);
/* Takes an ICMP packet to one of our own addresses; answers echo (the reply goes to w->fwd), all else is the kernel's. Drops:
 * BAD_ICMP, BAD_CHECKSUM, and tun.h's. RFC 1122 3.2.2.6 */
void icmp_in(struct worker *w, struct rte_mbuf *m);
