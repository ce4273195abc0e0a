/* Payload bodies (RFC 7296 3.3 to 3.15): bytes to plain structs in host order, and back.
 *
 * x_decode reads one body (a view behind the generic header) and returns OK, SYNTAX (structure), LIMIT or TOO_LONG.
 * Pointers in the results are views into the message. Nothing is allocated, and no number of the peer's sizes anything.
 * x_encode writes a body to w (sticky when full). Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/rd.h"
#include "base/wr.h"
#include "base/xlist.h"
#include "config/config.h"
#include "controlplane/ike/wire.h"

enum {
	PAYLOAD_PROPOSALS_MAX = 64,   /* kept of one SA payload; those behind are checked and left out */
	PAYLOAD_TRANSFORMS_MAX = 512, /* kept of one SA payload */
	PAYLOAD_TS_MAX = 64,          /* selectors kept of one TS payload */
	PAYLOAD_DELETE_MAX = 1024,    /* SPIs in one Delete */
	NONCE_MIN = 16,               /* octets, RFC 7296 2.10 */
	NONCE_MAX = 256,
	NONCE_LEN = 32, /* octets of ours */
};

/* ---- SA: 3.3 ---- */

struct payload_transform {
	uint8_t type; /* enum alg_type, or unknown */
	uint16_t id;
	uint16_t key_bits; /* the Key Length attribute; meaningless unless has_key_bits */
	bool has_key_bits;
	bool unacceptable; /* has an attribute that we do not know, or one twice: 3.3.6 */
};

struct payload_proposal {
	uint8_t num, protocol; /* enum ike_protocol */
	uint8_t spi_size;      /* 0, 4 or 8 */
	uint64_t spi;          /* host order; 0 when spi_size is 0 */
	uint16_t first, n;     /* its transforms: payload_sa.transform[first .. first + n) */
	bool unacceptable;     /* parts of it were left out, or its SPI has a size that no protocol has */
};

struct payload_sa {
	unsigned n; /* proposals, in the sender's order */
	unsigned n_transforms;
	unsigned left_out; /* proposals that were too many for us */
	struct payload_proposal proposal[PAYLOAD_PROPOSALS_MAX];
	struct payload_transform transform[PAYLOAD_TRANSFORMS_MAX];
};

/* Proposal numbers must rise by one (from 1 in an offer; an answer has one proposal of any number). */
enum ike_verdict payload_sa_decode(struct rd body, struct payload_sa *out) MUST_USE;
void payload_sa_encode(struct wr *w, const struct payload_sa *sa);

/* ---- KE: 3.4 ---- */

struct payload_ke {
	uint16_t group;
	uint16_t len;        /* octets of data; not yet compared with the group's */
	const uint8_t *data; /* view */
};

enum ike_verdict payload_ke_decode(struct rd body, struct payload_ke *out) MUST_USE;
void payload_ke_encode(struct wr *w, uint16_t group, const uint8_t *data, size_t len);

/* ---- Nonce: 3.9 ---- */

struct ike_nonce {
	uint16_t len;
	uint8_t b[NONCE_MAX];
};

enum ike_verdict payload_nonce_decode(struct rd body, struct ike_nonce *out) MUST_USE;
void payload_nonce_encode(struct wr *w, const struct ike_nonce *n);
/* <0, 0, >0 as memcmp over the shorter length, then by length: which nonce is the lowest (RFC 7296 2.8.1). */
int payload_nonce_cmp(const struct ike_nonce *a, const struct ike_nonce *b);

/* ---- IDi, IDr: 3.5 ---- */

/* TOO_LONG: well formed, but does not fit cfg_id (out is then NONE). IPv4 and IPv6 types must have 4 and 16 octets.
 * Types that we have no name for are taken as they are. AUTH is computed over the body as received, reserved octets and
 * all: keep the payload's body for auth.h, do not re-encode. */
enum ike_verdict payload_id_decode(struct rd body, struct cfg_id *out) MUST_USE;
void payload_id_encode(struct wr *w, const struct cfg_id *id);
/* Same type and same octets. */
bool payload_id_equal(const struct cfg_id *a, const struct cfg_id *b);

/* ---- AUTH: 3.8 ---- */

enum ike_auth_method {
	IKE_AUTH_RSA = 1,
	IKE_AUTH_PSK = 2,
	IKE_AUTH_DSS = 3,
	IKE_AUTH_ECDSA_256 = 9, /* RFC 4754: with SHA2-256, -384 and -512 */
	IKE_AUTH_ECDSA_384 = 10,
	IKE_AUTH_ECDSA_521 = 11,
	IKE_AUTH_NULL = 13,
	IKE_AUTH_SIGNATURE = 14, /* RFC 7427 */
};

struct payload_auth {
	uint8_t method;
	uint16_t len;        /* >= 1 */
	const uint8_t *data; /* view */
};

enum ike_verdict payload_auth_decode(struct rd body, struct payload_auth *out) MUST_USE;
void payload_auth_encode(struct wr *w, uint8_t method, const uint8_t *data, size_t len);

/* ---- CERT, CERTREQ: 3.6, 3.7; Vendor ID: 3.12 ---- */

enum { IKE_CERT_X509 = 4 }; /* X.509 certificate - signature; the one encoding that we take and give */

struct payload_cert {
	uint8_t encoding;
	uint16_t len;
	const uint8_t *data; /* view */
};

enum ike_verdict payload_cert_decode(struct rd body, struct payload_cert *out) MUST_USE;
void payload_cert_encode(struct wr *w, uint8_t encoding, const uint8_t *data, size_t len);
enum ike_verdict payload_vendor_decode(struct rd body, const uint8_t **data, uint16_t *len) MUST_USE;
void payload_vendor_encode(struct wr *w, const void *data, size_t len);

/* ---- Notify: 3.10 ---- */

#define IKE_NOTIFIES(X)                                                            \
	X(N_UNSUPPORTED_CRITICAL_PAYLOAD, 1, "UNSUPPORTED_CRITICAL_PAYLOAD")       \
	X(N_INVALID_IKE_SPI, 4, "INVALID_IKE_SPI")                                 \
	X(N_INVALID_MAJOR_VERSION, 5, "INVALID_MAJOR_VERSION")                     \
	X(N_INVALID_SYNTAX, 7, "INVALID_SYNTAX")                                   \
	X(N_INVALID_MESSAGE_ID, 9, "INVALID_MESSAGE_ID")                           \
	X(N_INVALID_SPI, 11, "INVALID_SPI")                                        \
	X(N_NO_PROPOSAL_CHOSEN, 14, "NO_PROPOSAL_CHOSEN")                          \
	X(N_INVALID_KE_PAYLOAD, 17, "INVALID_KE_PAYLOAD")                          \
	X(N_AUTHENTICATION_FAILED, 24, "AUTHENTICATION_FAILED")                    \
	X(N_SINGLE_PAIR_REQUIRED, 34, "SINGLE_PAIR_REQUIRED")                      \
	X(N_NO_ADDITIONAL_SAS, 35, "NO_ADDITIONAL_SAS")                            \
	X(N_INTERNAL_ADDRESS_FAILURE, 36, "INTERNAL_ADDRESS_FAILURE")              \
	X(N_FAILED_CP_REQUIRED, 37, "FAILED_CP_REQUIRED")                          \
	X(N_TS_UNACCEPTABLE, 38, "TS_UNACCEPTABLE")                                \
	X(N_INVALID_SELECTORS, 39, "INVALID_SELECTORS")                            \
	X(N_TEMPORARY_FAILURE, 43, "TEMPORARY_FAILURE")                            \
	X(N_CHILD_SA_NOT_FOUND, 44, "CHILD_SA_NOT_FOUND")                          \
	X(N_INITIAL_CONTACT, 16384, "INITIAL_CONTACT")                             \
	X(N_SET_WINDOW_SIZE, 16385, "SET_WINDOW_SIZE")                             \
	X(N_ADDITIONAL_TS_POSSIBLE, 16386, "ADDITIONAL_TS_POSSIBLE")               \
	X(N_IPCOMP_SUPPORTED, 16387, "IPCOMP_SUPPORTED")                           \
	X(N_NAT_DETECTION_SOURCE_IP, 16388, "NAT_DETECTION_SOURCE_IP")             \
	X(N_NAT_DETECTION_DESTINATION_IP, 16389, "NAT_DETECTION_DESTINATION_IP")   \
	X(N_COOKIE, 16390, "COOKIE")                                               \
	X(N_USE_TRANSPORT_MODE, 16391, "USE_TRANSPORT_MODE")                       \
	X(N_HTTP_CERT_LOOKUP_SUPPORTED, 16392, "HTTP_CERT_LOOKUP_SUPPORTED")       \
	X(N_REKEY_SA, 16393, "REKEY_SA")                                           \
	X(N_ESP_TFC_PADDING_NOT_SUPPORTED, 16394, "ESP_TFC_PADDING_NOT_SUPPORTED") \
	X(N_NON_FIRST_FRAGMENTS_ALSO, 16395, "NON_FIRST_FRAGMENTS_ALSO")           \
	X(N_FRAGMENTATION_SUPPORTED, 16430, "FRAGMENTATION_SUPPORTED")             \
	X(N_SIGNATURE_HASH_ALGORITHMS, 16431, "SIGNATURE_HASH_ALGORITHMS")

#define PAYLOAD_NOTIFY_ENUM(id, value, name) id = value,
enum ike_notify { IKE_NOTIFIES(PAYLOAD_NOTIFY_ENUM) IKE_NOTIFY_FIRST_STATUS = 16384 };
/* "?" for a number that has no row. */
const char *payload_notify_name(unsigned type);

static inline bool payload_notify_is_error(unsigned type)
{
	return type < IKE_NOTIFY_FIRST_STATUS;
}

struct payload_notify {
	uint8_t protocol; /* enum ike_protocol, or anything when spi_size is 0 */
	uint8_t spi_size; /* 0, 4 or 8; SYNTAX for others */
	uint64_t spi;     /* host order */
	uint16_t type;
	uint16_t len;        /* octets of data */
	const uint8_t *data; /* view */
};

enum ike_verdict payload_notify_decode(struct rd body, struct payload_notify *out) MUST_USE;
void payload_notify_encode(struct wr *w, const struct payload_notify *n);
/* Find the first well-formed Notify of this type in a chain. */
bool payload_notify_find(const struct ike_chain *c, uint16_t type, struct payload_notify *out);
/* The first error notify of a chain (type < 16384), for messages to people. */
bool payload_notify_error(const struct ike_chain *c, struct payload_notify *out);
/* Add a whole Notify payload without SPI (protocol 0) to a message. data may be NULL with len 0. */
void payload_notify_add(struct wire_out *o, uint16_t type, const void *data, size_t len);
/* The same about one child SA: protocol ESP, 4-octet SPI (REKEY_SA, CHILD_SA_NOT_FOUND). */
void payload_notify_add_esp(struct wire_out *o, uint16_t type, uint32_t spi);

/* ---- Delete: 3.11 ---- */

struct payload_delete {
	uint8_t protocol; /* IKE: no SPIs; AH, ESP: n SPIs of 4 octets */
	uint16_t n;
	struct rd spis; /* view; read them with payload_delete_next() */
};

enum ike_verdict payload_delete_decode(struct rd body, struct payload_delete *out) MUST_USE;
/* Take the next SPI (host order); false at the end. */
bool payload_delete_next(struct payload_delete *d, uint32_t *spi);
/* protocol IKE: n must be 0. */
void payload_delete_encode(struct wr *w, uint8_t protocol, const uint32_t *spi, unsigned n);

/* ---- TSi, TSr: 3.13 ---- */

enum { IKE_TS_IPV4 = 7, IKE_TS_IPV6 = 8 };

/* One selector; lo and hi are of one family. ICMP: type << 8 | code instead of ports. */
struct ike_ts {
	uint8_t protocol; /* 0: any */
	uint16_t port_lo, port_hi;
	struct ip_addr lo, hi;
};

struct payload_ts {
	unsigned n;
	unsigned left_out; /* of unknown type, OPAQUE ports, or too many for us */
	struct ike_ts ts[PAYLOAD_TS_MAX];
};

/* SYNTAX: none at all, a length that is not its type's, lo > hi in address or port. All skipped: OK with n 0. */
enum ike_verdict payload_ts_decode(struct rd body, struct payload_ts *out) MUST_USE;
void payload_ts_encode(struct wr *w, const struct payload_ts *ts);

/* ---- CP: 3.15 ---- recognised and checked, its attributes are not used */

struct payload_cp {
	uint8_t cfg_type; /* 1 request, 2 reply, 3 set, 4 ack */
	unsigned n;       /* attributes */
};

enum ike_verdict payload_cp_decode(struct rd body, struct payload_cp *out) MUST_USE;
