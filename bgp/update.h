/* UPDATE messages: carve, iterate NLRI, build. RFC 4271 4.3, 6.3; 4760 3-5; 7606 5. Private to bgp/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bgp/attr.h"
#include "bgp/wire.h"

/* A decoded UPDATE. NLRI fields are views of the message and have been checked: update_next() cannot fail on them. With
 * verdict TREAT_AS_WITHDRAW the caller withdraws what announce_* name and everything in withdraw_*; attrs are then void. */
struct bgp_update {
	struct rd withdraw_v4, announce_v4; /* the classic fields */
	struct rd withdraw_mp, announce_mp; /* of MP_UNREACH and MP_REACH; empty when absent or not negotiated */
	uint8_t mp_withdraw_family, mp_announce_family; /* enum ip_family */
	bool has_attrs;                                 /* attrs are whole and belong to the announced prefixes */
	bool eor_v4, eor_v6;                            /* End-of-RIB (RFC 4724 2) */
	unsigned discarded;                             /* attributes left out (RFC 7606) */
	struct ip_addr mp_nexthop;                      /* of MP_REACH's prefixes */
	struct bgp_attrs_draft attrs;                   /* nexthop: of the classic NLRI */
};

/* body: the message behind its header. err is filled for all verdicts but OK. RESET when NLRI cannot be carved, when a strong error
 * meets a message without reachable NLRI (7606 5.2), on duplicate MP_REACH/MP_UNREACH (7606 3g). */
enum bgp_verdict update_decode(struct rd body, const struct bgp_codec *c, struct bgp_update *u, struct bgp_error *err);

/* The next prefix of a checked NLRI field, host bits cleared; false at the end. Multicast and link-local ones, which cannot be
 * routes (4271 6.3), are passed over. */
bool update_next(struct rd *nlri, uint8_t family, struct ip_prefix *out);

/* --- building: one message, header included, at most BGP_MSG_MAX octets --- */

struct update_build {
	struct wr w;
	uint8_t family;
	size_t attrs_at; /* where the attributes' length is patched in */
	size_t len_at;   /* where the length of the withdrawn routes, or of MP_*, is patched in; 0: nowhere */
	size_t tail;     /* octets behind the NLRI: kept at the end of the buffer, or zeroes */
};
/* Begin an announcement of prefixes of one family with set a (v6: MP_REACH with a->nexthop). buf of cap octets. */
void update_build_announce(struct update_build *b, uint8_t *buf, size_t cap, const struct bgp_attrs *a,
			   const struct bgp_codec *c, uint8_t family);
void update_build_withdraw(struct update_build *b, uint8_t *buf, size_t cap, uint8_t family);
/* false: it does not fit, the message is full. */
bool update_build_add(struct update_build *b, const struct ip_prefix *p);
/* Patch lengths; octets of the message. 0: not even the attributes fit. */
size_t update_build_end(struct update_build *b);
/* End-of-RIB of a family. */
size_t update_build_eor(uint8_t *buf, size_t cap, uint8_t family);
