#include "bgp/wire.h"

#include <stdio.h>

#include "base/log.h"

enum { PARAM_CAPABILITIES = 2, PARAM_EXTENDED = 255 };               /* RFC 5492 4; 9072 2 */
enum { CAP_MULTIPROTOCOL = 1, CAP_ROUTE_REFRESH = 2, CAP_AS4 = 65 }; /* 4760 8; 2918 2; 6793 3 */
enum { SHUTDOWN_SEND_MAX = 128 };

void wire_verror(struct bgp_error *err, uint8_t code, uint8_t sub, const void *data, size_t len, const char *fmt,
		 va_list ap)
{
	err->code = code;
	err->sub = sub;
	err->data_len = (uint16_t)u64_min(len, sizeof(err->data));
	if (err->data_len)
		memcpy(err->data, data, err->data_len);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

void wire_error(struct bgp_error *err, uint8_t code, uint8_t sub, const void *data, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	wire_verror(err, code, sub, data, len, fmt, ap);
	va_end(ap);
}

void wire_begin(struct wr *w, uint8_t type)
{
	uint8_t *marker = wr_room(w, 16);

	if (marker)
		memset(marker, 0xff, 16);
	wr_u16(w, 0);
	wr_u8(w, type);
}

size_t wire_end(struct wr *w)
{
	if (w->full || w->len > BGP_MSG_MAX)
		return 0;
	w->buf[16] = (uint8_t)(w->len >> 8);
	w->buf[17] = (uint8_t)w->len;
	return w->len;
}

/* --- header --- */

static bool length_fits(const struct wire_hdr *h)
{
	if (h->len < BGP_HDR || h->len > BGP_MSG_MAX)
		return false;
	switch (h->type) {
	case BGP_OPEN:
		return h->len >= BGP_OPEN_MIN;
	case BGP_UPDATE:
		return h->len >= BGP_UPDATE_MIN;
	case BGP_NOTIFICATION:
		return h->len >= BGP_NOTIFICATION_MIN;
	case BGP_KEEPALIVE:
		return h->len == BGP_HDR;
	}
	return true; /* ROUTE-REFRESH has an error of its own (7313 5) */
}

/* RFC 4271 6.1 */
bool wire_hdr_parse(const uint8_t p[BGP_HDR], struct wire_hdr *h, struct bgp_error *err)
{
	static const uint8_t marker[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rd r = rd_of(p, BGP_HDR);

	if (memcmp(p, marker, sizeof(marker)) != 0) {
		wire_error(err, BGP_ERR_HEADER, BGP_HDR_NOT_SYNC, NULL, 0,
			   "the marker is not all ones: this is no BGP, or octets were lost");
		return false;
	}
	rd_skip(&r, sizeof(marker));
	h->len = rd_u16(&r);
	h->type = rd_u8(&r);
	if (!length_fits(h)) {
		wire_error(err, BGP_ERR_HEADER, BGP_HDR_BAD_LENGTH, p + 16, 2, "a message of type %u with length %u",
			   h->type, h->len);
		return false;
	}
	if (h->type < BGP_OPEN || h->type > BGP_ROUTE_REFRESH) {
		wire_error(err, BGP_ERR_HEADER, BGP_HDR_BAD_TYPE, p + 18, 1, "a message of unknown type %u", h->type);
		return false;
	}
	return true;
}

/* --- OPEN --- */

static bool cap_multiprotocol(struct rd v, struct bgp_open *o)
{
	uint16_t afi = rd_u16(&v);

	rd_skip(&v, 1);
	uint8_t safi = rd_u8(&v);

	if (!rd_done(&v))
		return false;
	o->mp = true;
	o->mp_v4 |= afi == BGP_AFI_V4 && safi == BGP_SAFI_UNICAST;
	o->mp_v6 |= afi == BGP_AFI_V6 && safi == BGP_SAFI_UNICAST;
	return true;
}

static bool capability(uint8_t code, struct rd v, struct bgp_open *o)
{
	switch (code) {
	case CAP_MULTIPROTOCOL:
		return cap_multiprotocol(v, o);
	case CAP_ROUTE_REFRESH:
		o->refresh = true;
		return rd_done(&v);
	case CAP_AS4:
		o->as4 = true;
		o->as = rd_u32(&v);
		return rd_done(&v);
	default:
		if (o->unknown < UINT8_MAX)
			o->unknown++;
		return true;
	}
}

/* A Capabilities parameter's value: one capability or many. RFC 5492 4 */
static bool capabilities(struct rd r, struct bgp_open *o, struct bgp_error *err)
{
	while (rd_left(&r)) {
		uint8_t code = rd_u8(&r), len = rd_u8(&r);
		struct rd v = rd_sub(&r, len);

		if (v.bad || !capability(code, v, o)) {
			wire_error(err, BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC, NULL, 0,
				   "OPEN: capability %u with length %u%s", code, len,
				   v.bad ? " runs over its parameter" : "");
			return false;
		}
	}
	return true;
}

/* Optional parameters; wide: with lengths of two octets (9072 2). */
static bool params(struct rd r, bool wide, struct bgp_open *o, struct bgp_error *err)
{
	while (rd_left(&r)) {
		uint8_t type = rd_u8(&r);
		struct rd v = rd_sub(&r, wide ? rd_u16(&r) : rd_u8(&r));

		if (r.bad) {
			wire_error(err, BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC, NULL, 0,
				   "OPEN: optional parameter %u runs over the end", type);
			return false;
		}
		if (type != PARAM_CAPABILITIES) {
			wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_PARAM, NULL, 0,
				   "OPEN: optional parameter %u is not supported", type);
			return false;
		}
		if (!capabilities(v, o, err))
			return false;
	}
	return true;
}

/* The length octet(s), then exactly so many octets of parameters. RFC 4271 4.2; 9072 2 */
static bool all_params(struct rd r, struct bgp_open *o, struct bgp_error *err)
{
	size_t len = rd_u8(&r);
	bool wide = len > 0 && rd_left(&r) && r.p[0] == PARAM_EXTENDED;

	if (wide) {
		rd_skip(&r, 1);
		len = rd_u16(&r);
	}
	if (r.bad || rd_left(&r) != len) {
		wire_error(err, BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC, NULL, 0,
			   "OPEN: %zu octets of optional parameters where the length says %zu", rd_left(&r), len);
		return false;
	}
	return params(r, wide, o, err);
}

bool wire_open_parse(struct rd body, struct bgp_open *o, struct bgp_error *err)
{
	static const uint8_t version[2] = {0, BGP_VERSION};

	*o = (struct bgp_open){.version = rd_u8(&body)};
	o->my_as = rd_u16(&body);
	o->as = o->my_as;
	o->hold_s = rd_u16(&body);
	o->id = rd_u32(&body);
	if (o->version != BGP_VERSION) {
		wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_VERSION, version, sizeof(version), "OPEN: BGP version %u",
			   o->version);
		return false;
	}
	if (!all_params(body, o, err))
		return false;
	if (o->my_as == 0 || o->as == 0) { /* RFC 7607 2 */
		wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_AS, NULL, 0, "OPEN: AS 0");
		return false;
	}
	if (o->hold_s == 1 || o->hold_s == 2) {
		wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_HOLD, NULL, 0,
			   "OPEN: a hold time of %u s (0, or 3 at least)", o->hold_s);
		return false;
	}
	if (o->id == 0) { /* RFC 6286 2.2 */
		wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_ID, NULL, 0, "OPEN: BGP identifier 0.0.0.0");
		return false;
	}
	return true;
}

bool wire_open_check_as(const struct bgp_open *o, uint32_t peer_as, struct bgp_error *err)
{
	if (o->as == peer_as)
		return true;
	wire_error(err, BGP_ERR_OPEN, BGP_OPEN_BAD_AS, NULL, 0, "OPEN: the peer says AS %u, configured is AS %u", o->as,
		   peer_as);
	return false;
}

static void build_multiprotocol(struct wr *w, uint16_t afi)
{
	wr_u8(w, CAP_MULTIPROTOCOL);
	wr_u8(w, 4);
	wr_u16(w, afi);
	wr_u8(w, 0);
	wr_u8(w, BGP_SAFI_UNICAST);
}

static void build_capabilities(struct wr *w, const struct bgp_open *o)
{
	if (o->mp_v4)
		build_multiprotocol(w, BGP_AFI_V4);
	if (o->mp_v6)
		build_multiprotocol(w, BGP_AFI_V6);
	if (o->refresh) {
		wr_u8(w, CAP_ROUTE_REFRESH);
		wr_u8(w, 0);
	}
	if (o->as4) {
		wr_u8(w, CAP_AS4);
		wr_u8(w, 4);
		wr_u32(w, o->as);
	}
}

size_t wire_open_build(uint8_t *buf, size_t cap, const struct bgp_open *o)
{
	struct wr w = wr_of(buf, cap);

	wire_begin(&w, BGP_OPEN);
	wr_u8(&w, BGP_VERSION);
	wr_u16(&w, o->as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)o->as); /* RFC 6793 9 */
	wr_u16(&w, o->hold_s);
	wr_u32(&w, o->id);
	if (!o->mp_v4 && !o->mp_v6 && !o->refresh && !o->as4) {
		wr_u8(&w, 0);
		return wire_end(&w);
	}
	size_t mark = w.len;

	wr_u8(&w, 0);
	wr_u8(&w, PARAM_CAPABILITIES);
	wr_u8(&w, 0);
	build_capabilities(&w, o);
	wr_patch8(&w, mark, (uint8_t)(w.len - mark - 1));
	wr_patch8(&w, mark + 2, (uint8_t)(w.len - mark - 3));
	return wire_end(&w);
}

/* --- NOTIFICATION --- */

void wire_notification_parse(struct rd body, struct bgp_notification *n)
{
	*n = (struct bgp_notification){.code = rd_u8(&body), .sub = rd_u8(&body)};
	n->data = body;
	if (n->code != BGP_ERR_CEASE || (n->sub != BGP_CEASE_SHUTDOWN && n->sub != BGP_CEASE_RESET) || !rd_left(&body))
		return;
	n->text = rd_sub(&body, rd_u8(&body));
	n->has_text = rd_done(&body) && rd_left(&n->text) > 0;
}

size_t wire_notification_build(uint8_t *buf, size_t cap, uint8_t code, uint8_t sub, const void *data, size_t len)
{
	struct wr w = wr_of(buf, cap);

	wire_begin(&w, BGP_NOTIFICATION);
	wr_u8(&w, code);
	wr_u8(&w, sub);
	wr_copy(&w, data, len);
	return wire_end(&w);
}

size_t wire_shutdown_build(uint8_t *buf, size_t cap, uint8_t sub, const char *text)
{
	uint8_t data[1 + SHUTDOWN_SEND_MAX];
	size_t len = text ? strnlen(text, SHUTDOWN_SEND_MAX + 1) : 0;

	if (len > SHUTDOWN_SEND_MAX) {
		len = SHUTDOWN_SEND_MAX;
		while (len && ((uint8_t)text[len] & 0xc0) == 0x80) /* inside a UTF-8 sequence */
			len--;
	}
	if (!len)
		return wire_notification_build(buf, cap, BGP_ERR_CEASE, sub, NULL, 0);
	data[0] = (uint8_t)len;
	memcpy(data + 1, text, len);
	return wire_notification_build(buf, cap, BGP_ERR_CEASE, sub, data, len + 1);
}

static const char *const code_names[] = {
	[BGP_ERR_HEADER] = "Message Header Error",         [BGP_ERR_OPEN] = "OPEN Message Error",
	[BGP_ERR_UPDATE] = "UPDATE Message Error",         [BGP_ERR_HOLD] = "Hold Timer Expired",
	[BGP_ERR_FSM] = "Finite State Machine Error",      [BGP_ERR_CEASE] = "Cease",
	[BGP_ERR_REFRESH] = "ROUTE-REFRESH Message Error", [BGP_ERR_SEND_HOLD] = "Send Hold Timer Expired",
};

/* IANA's registry of subcodes, as far as it goes; 0 has no name. */
static const char *const sub_names[N_ELEMS(code_names)][12] = {
	[BGP_ERR_HEADER] = {NULL, "Connection Not Synchronized", "Bad Message Length", "Bad Message Type"},
	[BGP_ERR_OPEN] = {NULL, "Unsupported Version Number", "Bad Peer AS", "Bad BGP Identifier",
			  "Unsupported Optional Parameter", "Authentication Failure", "Unacceptable Hold Time",
			  "Unsupported Capability", NULL, NULL, NULL, "Role Mismatch"},
	[BGP_ERR_UPDATE] = {NULL, "Malformed Attribute List", "Unrecognized Well-known Attribute",
			    "Missing Well-known Attribute", "Attribute Flags Error", "Attribute Length Error",
			    "Invalid ORIGIN Attribute", "AS Routing Loop", "Invalid NEXT_HOP Attribute",
			    "Optional Attribute Error", "Invalid Network Field", "Malformed AS_PATH"},
	[BGP_ERR_FSM] = {NULL, "Unexpected Message in OpenSent", "Unexpected Message in OpenConfirm",
			 "Unexpected Message in Established"},
	[BGP_ERR_CEASE] = {NULL, "Maximum Number of Prefixes Reached", "Administrative Shutdown", "Peer De-configured",
			   "Administrative Reset", "Connection Rejected", "Other Configuration Change",
			   "Connection Collision Resolution", "Out of Resources", "Hard Reset", "BFD Down"},
	[BGP_ERR_REFRESH] = {NULL, "Invalid Message Length"},
};

const char *wire_error_text(uint8_t code, uint8_t sub, char *buf, size_t cap)
{
	const char *name = code < N_ELEMS(code_names) ? code_names[code] : NULL;
	const char *detail = name && sub < N_ELEMS(sub_names[0]) ? sub_names[code][sub] : NULL;

	if (!name)
		snprintf(buf, cap, "code %u/%u", code, sub);
	else if (detail)
		snprintf(buf, cap, "%s/%s", name, detail);
	else if (sub)
		snprintf(buf, cap, "%s/%u", name, sub);
	else
		snprintf(buf, cap, "%s", name);
	return buf;
}

const char *wire_notification_text(const struct bgp_notification *n, char *buf, size_t cap)
{
	char text[BGP_SHUTDOWN_TEXT_MAX * 4 + 8], name[80];

	wire_error_text(n->code, n->sub, name, sizeof(name));
	if (n->has_text)
		snprintf(buf, cap, "%s: \"%s\"", name, log_esc(n->text.p, rd_left(&n->text), text, sizeof(text)));
	else
		snprintf(buf, cap, "%s", name);
	return buf;
}

/* --- KEEPALIVE, ROUTE-REFRESH --- */

size_t wire_keepalive_build(uint8_t *buf, size_t cap)
{
	struct wr w = wr_of(buf, cap);

	wire_begin(&w, BGP_KEEPALIVE);
	return wire_end(&w);
}

bool wire_refresh_parse(struct rd msg, struct bgp_refresh *r, struct bgp_error *err)
{
	const uint8_t *all = msg.p;
	size_t len = rd_left(&msg);

	if (len != BGP_REFRESH_LEN) {
		wire_error(err, BGP_ERR_REFRESH, 1, all, len, "ROUTE-REFRESH: a message of %zu octets", len);
		return false;
	}
	rd_skip(&msg, BGP_HDR);
	r->afi = rd_u16(&msg);
	r->subtype = rd_u8(&msg);
	r->safi = rd_u8(&msg);
	return true;
}

size_t wire_refresh_build(uint8_t *buf, size_t cap, uint16_t afi, uint8_t safi)
{
	struct wr w = wr_of(buf, cap);

	wire_begin(&w, BGP_ROUTE_REFRESH);
	wr_u16(&w, afi);
	wr_u8(&w, 0);
	wr_u8(&w, safi);
	return wire_end(&w);
}
