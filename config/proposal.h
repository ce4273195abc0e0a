/* Proposals in strongSwan's words, joined by '-': "aes256gcm16-prfsha384-ecp256-x25519", "aes256-sha256-modp2048". Private
 * to the room. */
#pragma once

#include "config/config.h"

enum proposal_of { PROPOSAL_IKE, PROPOSAL_ESP };

/* s to *out (zeroed by the caller). 0; or -EINVAL, and why and what to write instead in err, a text of cap octets. */
int proposal_parse(const char *s, enum proposal_of of, struct cfg_proposal *out, char *err, size_t cap) MUST_USE;
/* The words of p in canonical order; buf of cap octets is lent. */
const char *proposal_str(const struct cfg_proposal *p, char *buf, size_t cap);
/* The first algorithm in it that only a tunnel with `legacy: true` may name; NULL: none. */
const struct alg *proposal_legacy(const struct cfg_proposal *p);
/* Fill p[CFG_PROPOSALS_MAX] with what is offered when the file says nothing; the count. */
unsigned proposal_defaults(enum proposal_of of, struct cfg_proposal *p);
