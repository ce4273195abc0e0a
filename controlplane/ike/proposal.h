/* Negotiation of algorithms (RFC 7296 3.3, 3.3.6; 5282 8 for AEAD).
 *
 * Ours is the config's list (struct cfg_proposal[n]), the peer's a decoded SA payload. A protocol is IKE or ESP.
 * Nothing outside config/alg.h can be chosen. Pure functions of their arguments, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/ike/payload.h"
#include "controlplane/ike/wire.h"

/* What was agreed. */
struct proposal_choice {
	uint8_t num;      /* the proposal's number in the offer */
	uint8_t protocol; /* enum ike_protocol */
	uint8_t spi_size;
	uint64_t spi;                              /* the peer's (offer in choose, answer in verify) */
	const struct alg *encr, *prf, *integ, *dh; /* NULL: none of that type (dh of ESP: no PFS) */
	bool esn;
	bool say_integ_none, say_dh_none; /* the offer had NONE as an explicit transform: repeat it in the answer */
};

/* How an SA payload is meant. */
enum {
	PROPOSAL_NO_DH = 1 << 0,     /* ESP in IKE_AUTH: no KE, so DH is neither offered nor asked for (1.2) */
	PROPOSAL_NO_PFS_OK = 1 << 1, /* choose: accept an offer without DH although ours lists groups */
	/* ESP's extended sequence numbers (RFC 4303 2.2.1): neither flag: without alone */
	PROPOSAL_ESN_PREFER = 1 << 2,  /* with before without */
	PROPOSAL_ESN_REQUIRE = 1 << 3, /* with alone */
};

/* Responder: choose one set from the peer's offer. Ours comes first: our first proposal that matches any of theirs, and
 * in it our first transform of each type; among their proposals the first. ke_group: group of the KE in the same
 * message, 0: there was none (fits only a choice without DH). OK; NO_PROPOSAL; INVALID_KE: all agree but the KE is of
 * another group: out->dh names the group to ask for (1.3). A choice that ke_group fits is preferred over one that costs
 * another round trip. RFC 7296 2.7, 3.3. */
enum ike_verdict proposal_choose(const struct cfg_proposal *ours, unsigned n_ours, uint8_t protocol,
				 const struct payload_sa *offer, uint16_t ke_group, unsigned flags,
				 struct proposal_choice *out) MUST_USE;

/* Initiator: write our offer. spi_size 0 (IKE_SA_INIT), 4 (ESP) or 8 (IKE rekey). */
void proposal_build(const struct cfg_proposal *ours, unsigned n_ours, uint8_t protocol, uint64_t spi, uint8_t spi_size,
		    unsigned flags, struct payload_sa *out);

/* Responder: write the answer to an offer: its number, one transform of each type, our SPI. */
void proposal_answer(const struct proposal_choice *choice, uint64_t our_spi, struct payload_sa *out);

/* Initiator: the answer is one proposal, a single set out of what was offered, number and protocol the same, SPI of the
 * right size and not zero. OK, SYNTAX (SPI), NO_PROPOSAL (anything else; the exchange must end, 3.3.6). */
enum ike_verdict proposal_verify(const struct payload_sa *offered, const struct payload_sa *answer,
				 struct proposal_choice *out) MUST_USE;

/* Is this group in one of our proposals? The check of an INVALID_KE_PAYLOAD's word (1.3, 2.21.1). NULL: no. */
const struct alg *proposal_group(const struct cfg_proposal *ours, unsigned n_ours, uint16_t group);
/* The group whose KE goes into the first try: our first proposal's first group; NULL: none listed (ESP without PFS). */
const struct alg *proposal_first_group(const struct cfg_proposal *ours, unsigned n_ours);

/* One line for people: what the peer offered, what we allow, the first difference of the nearest pair, and the edit
 * that would make it fit. Numbers without a name are printed as numbers; no peer octets. buf of cap octets, lent. */
const char *proposal_explain(const struct cfg_proposal *ours, unsigned n_ours, uint8_t protocol,
			     const struct payload_sa *offer, unsigned flags, char *buf, size_t cap);
/* "aes256gcm16-prfsha256-x25519" */
const char *proposal_choice_str(const struct proposal_choice *choice, char *buf, size_t cap);
