/* IKE messages on the wire (RFC 7296 3.1, 3.2): header, payload chain, emission.
 *
 * The parser fills plain structs with views (struct rd) into the datagram; views live as long as the datagram. It
 * checks structure only: lengths, chain, counts, the critical bit. It does not allocate, log, send or change state.
 * What a payload says is payload.h's business, what may come when is the step table's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"
#include "base/rd.h"
#include "base/wr.h"
#include "base/xlist.h"

enum {
	IKE_HDR_LEN = 28, /* octets */
	IKE_PAYLOAD_HDR_LEN = 4,
	IKE_PAYLOADS_MAX = 64, /* payloads of one chain; more is refused before any of it is used */
	IKE_VERSION = 0x20,    /* 2.0 */
	IKE_SPI_LEN = 8,
};

/* RFC 7296 3.1 */
enum { IKE_FLAG_INITIATOR = 0x08, IKE_FLAG_VERSION = 0x10, IKE_FLAG_RESPONSE = 0x20 };
enum ike_exchange { IKE_X_SA_INIT = 34, IKE_X_AUTH = 35, IKE_X_CREATE_CHILD = 36, IKE_X_INFORMATIONAL = 37 };
enum ike_protocol { IKE_PROTO_NONE = 0, IKE_PROTO_IKE = 1, IKE_PROTO_AH = 2, IKE_PROTO_ESP = 3 };

/* RFC 7296 3.2: the types that we understand; every other one is unknown, IKEv1's 1..16 among them. */
enum ike_payload_type {
	IKE_PL_NONE = 0,
	IKE_PL_SA = 33,
	IKE_PL_KE = 34,
	IKE_PL_IDI = 35,
	IKE_PL_IDR = 36,
	IKE_PL_CERT = 37,
	IKE_PL_CERTREQ = 38,
	IKE_PL_AUTH = 39,
	IKE_PL_NONCE = 40,
	IKE_PL_NOTIFY = 41,
	IKE_PL_DELETE = 42,
	IKE_PL_VENDOR = 43,
	IKE_PL_TSI = 44,
	IKE_PL_TSR = 45,
	IKE_PL_SK = 46,
	IKE_PL_CP = 47,
	IKE_PL_EAP = 48,
	IKE_PL_SKF = 53, /* RFC 7383 2.5 */
};
/* A known payload type as a bit of ike_chain.seen and of the step rows. */
#define IKE_PL_BIT(type) (1u << ((type)-IKE_PL_SA))

/* What became of a message, payload or negotiation: the one verdict of all parsers of this room. */
#define IKE_VERDICTS(X)                                                                                 \
	X(IKE_V_OK, "ok")                                                                               \
	X(IKE_V_SHORT, "shorter than an IKE header")                                                    \
	X(IKE_V_LENGTH, "the header's length is not the datagram's")                                    \
	X(IKE_V_OLD_VERSION, "the peer speaks IKEv1")       /* major < 2: drop */                       \
	X(IKE_V_NEW_VERSION, "the peer speaks a newer IKE") /* major > 2: INVALID_MAJOR_VERSION, 2.5 */ \
	X(IKE_V_BAD_SPI, "the initiator's SPI is zero")                                                 \
	X(IKE_V_SYNTAX, "malformed")                      /* INVALID_SYNTAX where a reply is due */     \
	X(IKE_V_CRITICAL, "unknown critical payload")     /* UNSUPPORTED_CRITICAL_PAYLOAD, 2.5 */       \
	X(IKE_V_LIMIT, "more elements than we take")      /* treat like SYNTAX */                       \
	X(IKE_V_TOO_LONG, "longer than we hold")          /* well formed, but over our storage */       \
	X(IKE_V_DECRYPT, "not decryptable")               /* drop and count, 2.21.4 of silence */       \
	X(IKE_V_NO_PROPOSAL, "no proposal in common")     /* NO_PROPOSAL_CHOSEN */                      \
	X(IKE_V_INVALID_KE, "another DH group is wanted") /* INVALID_KE_PAYLOAD, 1.3 */                 \
	X(IKE_V_TS_UNACCEPTABLE, "no traffic selectors in common")                                      \
	X(IKE_V_AUTH_FAILED, "authentication failed")                                                   \
	X(IKE_V_INTERNAL, "our own failure") /* out of memory, OpenSSL: TEMPORARY_FAILURE */
XLIST_ENUM(ike_verdict, IKE_V_N, IKE_VERDICTS);
const char *ike_verdict_name(unsigned v);

struct ike_hdr {
	uint64_t spi_i, spi_r;
	uint8_t next;     /* first payload's type */
	uint8_t version;  /* major << 4 | minor */
	uint8_t exchange; /* enum ike_exchange, or anything */
	uint8_t flags;    /* reserved bits as received; never looked at */
	uint32_t mid;
	uint32_t len; /* octets of the whole message */
};

static inline bool ike_hdr_response(const struct ike_hdr *h)
{
	return h->flags & IKE_FLAG_RESPONSE;
}

/* The sender is the IKE SA's original initiator. */
static inline bool ike_hdr_initiator(const struct ike_hdr *h)
{
	return h->flags & IKE_FLAG_INITIATOR;
}

struct ike_payload {
	uint8_t type;
	bool critical;
	bool known;     /* one of enum ike_payload_type */
	struct rd body; /* behind the generic header; copy it before reading from it */
};

/* One chain: the clear one of a message, or that inside SK. */
struct ike_chain {
	unsigned n;
	struct ike_payload pl[IKE_PAYLOADS_MAX];
	uint32_t seen;     /* IKE_PL_BIT of each known type in it */
	uint32_t repeated; /* of those that are in it more than once */
	unsigned n_unknown;
	uint8_t critical_type; /* type of the first unknown critical payload (verdict CRITICAL); else 0 */
};

struct ike_msg {
	struct ike_hdr hdr;
	struct ike_chain clear; /* SK and SKF are not in pl[], but in seen */
	bool has_sk;            /* SK or SKF */
	bool is_fragment;       /* SKF; its numbers as they are: nothing is checked of them (RFC 7383 2.6) */
	uint16_t frag_num, frag_total;
	struct rd sk;       /* IV, ciphertext, ICV */
	uint8_t sk_next;    /* type of the first payload inside */
	const uint8_t *raw; /* the datagram */
	size_t len;         /* octets of it */
	size_t aad_len;     /* octets from raw up to and with the SK or SKF payload's header (RFC 5282 5.1) */
};

/* Read the header only: enough to find the SA. OK, SHORT, LENGTH, OLD_VERSION, NEW_VERSION, BAD_SPI; for the last three
 * and LENGTH h is filled. Any thread. RFC 7296 3.1. */
enum ike_verdict wire_hdr_read(const uint8_t *msg, size_t len, struct ike_hdr *h) MUST_USE;

/* Read header and clear chain of one datagram (without the non-ESP marker). OK or any verdict up to LIMIT. On CRITICAL
 * the structure was fine and all of out is usable; on another verdict only out->hdr is, and only where wire_hdr_read()
 * says so. SK or SKF is the last payload or an error. Unknown payloads are recorded (known false) and may be skipped. */
enum ike_verdict wire_parse(const uint8_t *msg, size_t len, struct ike_msg *out) MUST_USE;

/* Read a chain that starts with a payload of type `first` and fills r to its end (the inside of SK). An SK or SKF in it is
 * an error. OK, SYNTAX, CRITICAL, LIMIT. first 0 with no octets is the empty chain. RFC 7296 3.2, 3.14. */
enum ike_verdict wire_chain_parse(uint8_t first, struct rd r, struct ike_chain *out) MUST_USE;

/* The first payload of a type, lent; NULL when there is none. */
const struct ike_payload *wire_find(const struct ike_chain *c, uint8_t type);
/* The next payload of the same type behind p; NULL at the end. */
const struct ike_payload *wire_find_next(const struct ike_chain *c, const struct ike_payload *p);

const char *wire_exchange_name(unsigned exchange); /* "?" for others */
const char *wire_payload_name(unsigned type);

/* ---- emission ---- */

/* A message being written. Fill payload bodies through w; overflow is sticky and told by wire_msg_end() or sk_seal(). */
struct wire_out {
	struct wr w;
	size_t next_at; /* where the next payload's type goes */
	size_t open_at; /* start of the open payload; 0: none */
	size_t sk_at;   /* start of the SK or SKF payload; 0: none */
	size_t text_at; /* start of its inside */
};

/* Start a message in buf (cap octets, the caller's): header with h's SPIs, exchange, flags (I, R) and message id.
 * Version is 2.0, next and len are patched later. */
void wire_msg_begin(struct wire_out *o, void *buf, size_t cap, const struct ike_hdr *h);
/* End the payload before, if any, and start one of this type; its body is then written to o->w. */
void wire_payload(struct wire_out *o, uint8_t type);
/* End a message without SK. Its length in octets, or 0: it did not fit. */
size_t wire_msg_end(struct wire_out *o) MUST_USE;
/* End the open payload without starting another (sk.c). */
void wire_payload_end(struct wire_out *o);
