/* Neighbour discovery messages, in and out of frames. RFC 4861 4, 7.1 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/ip6.h"
#include "ring/stats.h"

enum {
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT = 134,
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
	ND_REDIRECT = 137,
	ND_ROUTER = 0x80, /* flags of ADVERT */
	ND_SOLICITED = 0x40,
	ND_OVERRIDE = 0x20,
	ND_FRAME = 14 + IP6_HDR + 24 + 8, /* octets of a frame of ours at most */
};

struct nd_msg {
	struct ip6 src, dst, target;
	uint8_t type;       /* SOLICIT or ADVERT */
	uint8_t flags;      /* ND_*, of ADVERT */
	bool has_mac;       /* the link-layer address option of its type */
	uint8_t mac[6];     /* from there */
	uint8_t src_mac[6]; /* of the frame */
	uint8_t dst_mac[6];
};

/* A frame of len octets that begins at the Ethernet header. DROP_N: a sound solicitation or advertisement. DROP_BAD_ND: what 7.1 has
 * us discard. DROP_NOT_FOR_US: about routers, and redirects: a gateway has its routes from elsewhere. */
enum stats_drop nd_msg_read(const uint8_t *frame, uint16_t len, struct nd_msg *out);
/* The frame that says m, with the checksum; ND_FRAME octets at most. How many. */
uint16_t nd_msg_write(const struct nd_msg *m, uint8_t *frame);
/* The Ethernet address of a group. RFC 2464 7 */
void nd_group_mac(struct ip6 group, uint8_t mac[6]);
