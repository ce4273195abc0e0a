/* Packets to one of the gateway's own addresses: IKE goes up, echo is answered, ESP that no SA knows is named, all else is the
 * kernel's. */
#pragma once

struct worker;

/* Takes w->local. Replies go to w->fwd. Drops: NOT_FOR_US, FRAGMENT, BAD_SPI, SA_MISMATCH, RECURSION, EXT_HEADER, BAD_ADDRESS, and those
 * of icmp.h, icmp6.h, punt.h and tun.h. RFC 4303 3.4.2, RFC 3948 2, RFC 8200 4 */
void local_burst(struct worker *w);
