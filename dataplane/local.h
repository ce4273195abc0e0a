/* Packets to one of the gateway's own addresses: IKE goes up, echo is answered, ESP that no SA knows is named. */
#pragma once

struct worker;

/* Takes w->local. Replies go to w->fwd. Drops: FRAGMENT, BAD_SPI, SA_MISMATCH, RECURSION, PROTOCOL, and those of icmp.h
 * and punt.h. RFC 4303 3.4.2, RFC 3948 2 */
void local_burst(struct worker *w);
