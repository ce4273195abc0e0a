/* BGP messages but UPDATE: bytes <-> plain structs, no state. RFC 4271 4, 6.1, 6.2; 5492, 9072 (capabilities); 6793, 4760, 2918;
 * 6286 (identifier); 7607 (AS 0); 4486, 6608 (subcodes); 9003 (shutdown text).
 *
 * A parser that says false has filled err: the NOTIFICATION to send (code, subcode, data) and words for the log. A builder writes
 * one whole message with its header and returns its octets; 0: cap is too small.
 * Private to bgp/. Any thread.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"
#include "bgp/attr.h"

enum {
	BGP_HDR = 19, /* octets of the header */
	BGP_MSG_MAX = 4096,
	BGP_OPEN_MIN = 29,
	BGP_UPDATE_MIN = 23,
	BGP_NOTIFICATION_MIN = 21,
	BGP_REFRESH_LEN = 23,
	BGP_VERSION = 4,
	BGP_SHUTDOWN_TEXT_MAX = 255, /* octets that may come (9003 2); bgp_shutdown() sends 128 at most (8203) */
};

enum bgp_msg_type { BGP_OPEN = 1, BGP_UPDATE, BGP_NOTIFICATION, BGP_KEEPALIVE, BGP_ROUTE_REFRESH };

/* NOTIFICATION codes and subcodes. */
enum {
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN = 2,
	BGP_ERR_UPDATE = 3,
	BGP_ERR_HOLD = 4,
	BGP_ERR_FSM = 5,
	BGP_ERR_CEASE = 6,
	BGP_ERR_REFRESH = 7,   /* RFC 7313 5 */
	BGP_ERR_SEND_HOLD = 8, /* RFC 9687 */
};
enum { BGP_HDR_NOT_SYNC = 1, BGP_HDR_BAD_LENGTH, BGP_HDR_BAD_TYPE };
enum {
	BGP_OPEN_UNSPECIFIC = 0,
	BGP_OPEN_BAD_VERSION = 1,
	BGP_OPEN_BAD_AS = 2,
	BGP_OPEN_BAD_ID = 3,
	BGP_OPEN_BAD_PARAM = 4,
	BGP_OPEN_BAD_HOLD = 6,
	BGP_OPEN_BAD_CAP = 7, /* RFC 5492 5 */
};
enum {
	BGP_UPD_MALFORMED_LIST = 1,
	BGP_UPD_UNKNOWN_WELL_KNOWN = 2,
	BGP_UPD_MISSING = 3,
	BGP_UPD_FLAGS = 4,
	BGP_UPD_LENGTH = 5,
	BGP_UPD_ORIGIN = 6,
	BGP_UPD_NEXT_HOP = 8,
	BGP_UPD_OPTIONAL = 9,
	BGP_UPD_NETWORK = 10,
	BGP_UPD_AS_PATH = 11,
};
enum { BGP_FSM_UNSPECIFIC, BGP_FSM_OPENSENT, BGP_FSM_OPENCONFIRM, BGP_FSM_ESTABLISHED }; /* RFC 6608 */
enum {
	BGP_CEASE_MAX_PREFIX = 1,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CONFIG = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8,
	BGP_CEASE_HARD_RESET = 9, /* RFC 8538 */
};

enum { BGP_AFI_V4 = 1, BGP_AFI_V6 = 2, BGP_SAFI_UNICAST = 1 };

struct wire_hdr {
	uint16_t len; /* of the whole message, 19..4096 */
	uint8_t type; /* enum bgp_msg_type */
};

/* What an OPEN says. Built from it: capabilities for what is true, all in one parameter; none when nothing is. */
struct bgp_open {
	uint8_t version;
	uint16_t my_as;  /* the fixed field; built from `as` (AS_TRANS when it is too large) */
	uint32_t as;     /* what counts: capability 65's, else my_as */
	uint16_t hold_s; /* 0, or >= 3 */
	uint32_t id;     /* host order, not 0 */
	bool as4, refresh;
	bool mp;           /* any multiprotocol capability: without one, IPv4 unicast is meant (4760 8) */
	bool mp_v4, mp_v6; /* unicast */
	uint8_t unknown;   /* capabilities that we do not know, ignored (255: or more) */
};

struct bgp_notification {
	uint8_t code, sub;
	struct rd data; /* view of the message */
	bool has_text;  /* a Shutdown Communication came, and is well formed */
	struct rd text; /* then; UTF-8 by the peer's word only: log_esc() before it is shown */
};

/* Check a header: marker, length, type, length for the type. p: BGP_HDR octets. 1/1, 1/2 with the length, 1/3 with the type. */
bool wire_hdr_parse(const uint8_t p[BGP_HDR], struct wire_hdr *h, struct bgp_error *err) MUST_USE;

/* body: the message behind its header. In this order: 2/1 (data: 4), 2/0 or 2/4 for parameters, 2/2 for AS 0, 2/6, 2/3. */
bool wire_open_parse(struct rd body, struct bgp_open *o, struct bgp_error *err) MUST_USE;
/* Is it the AS that we expect? 2/2. */
bool wire_open_check_as(const struct bgp_open *o, uint32_t peer_as, struct bgp_error *err) MUST_USE;
size_t wire_open_build(uint8_t *buf, size_t cap, const struct bgp_open *o);

/* A NOTIFICATION cannot be answered: what is wrong in it stays unread. body has 2 octets at least (wire_hdr_parse). */
void wire_notification_parse(struct rd body, struct bgp_notification *n);
size_t wire_notification_build(uint8_t *buf, size_t cap, uint8_t code, uint8_t sub, const void *data, size_t len);
/* Cease 6/2 or 6/4 with a text, cut to 128 octets at a character's boundary; NULL or "": without one. */
size_t wire_shutdown_build(uint8_t *buf, size_t cap, uint8_t sub, const char *text);
/* "Cease/Administrative Shutdown" ("code 77/3" for what has no name); with the peer's text in quotes, escaped. buf is lent. */
const char *wire_notification_text(const struct bgp_notification *n, char *buf, size_t cap);
/* The same for a code and subcode alone. */
const char *wire_error_text(uint8_t code, uint8_t sub, char *buf, size_t cap);

size_t wire_keepalive_build(uint8_t *buf, size_t cap);

struct bgp_refresh {
	uint16_t afi;
	uint8_t safi, subtype; /* 0: a request (2918); others: ignore (7313 5) */
};
/* msg: the whole message, header included. A length other than 23: 7/1, data: the message (cut). */
bool wire_refresh_parse(struct rd msg, struct bgp_refresh *r, struct bgp_error *err) MUST_USE;
size_t wire_refresh_build(uint8_t *buf, size_t cap, uint16_t afi, uint8_t safi);

/* A header with length 0, to be patched by wire_end(). */
void wire_begin(struct wr *w, uint8_t type);
/* Octets of the message; 0: it did not fit, or is longer than BGP_MSG_MAX. */
size_t wire_end(struct wr *w);

/* Fill an error; data may be NULL, and is cut. fmt: words for the log, what comes from the peer already escaped. */
void wire_error(struct bgp_error *err, uint8_t code, uint8_t sub, const void *data, size_t len, const char *fmt, ...)
	PRINTF(6, 7);
void wire_verror(struct bgp_error *err, uint8_t code, uint8_t sub, const void *data, size_t len, const char *fmt,
		 va_list ap);
