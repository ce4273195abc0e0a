#include "controlplane/ike/payload.h"

/* What is left of a body, as a view. A body has at most 65531 octets, so its length fits. */
static const uint8_t *rest(struct rd *r, uint16_t *len)
{
	*len = (uint16_t)rd_left(r);
	return rd_take(r, *len);
}

enum ike_verdict payload_ke_decode(struct rd body, struct payload_ke *out)
{
	out->group = rd_u16(&body);
	rd_skip(&body, 2);
	out->data = rest(&body, &out->len);
	return body.bad || out->len == 0 ? IKE_V_SYNTAX : IKE_V_OK;
}

void payload_ke_encode(struct wr *w, uint16_t group, const uint8_t *data, size_t len)
{
	wr_u16(w, group);
	wr_u16(w, 0);
	wr_copy(w, data, len);
}

enum ike_verdict payload_nonce_decode(struct rd body, struct ike_nonce *out)
{
	size_t len = rd_left(&body);

	out->len = 0;
	if (len < NONCE_MIN || len > NONCE_MAX)
		return IKE_V_SYNTAX;
	rd_copy(&body, out->b, len);
	out->len = (uint16_t)len;
	return IKE_V_OK;
}

void payload_nonce_encode(struct wr *w, const struct ike_nonce *n)
{
	wr_copy(w, n->b, n->len);
}

int payload_nonce_cmp(const struct ike_nonce *a, const struct ike_nonce *b)
{
	int d = memcmp(a->b, b->b, a->len < b->len ? a->len : b->len);

	return d ? d : (int)a->len - (int)b->len;
}

enum ike_verdict payload_id_decode(struct rd body, struct cfg_id *out)
{
	uint8_t type = rd_u8(&body);
	size_t len;

	rd_skip(&body, 3);
	*out = (struct cfg_id){.type = CFG_ID_NONE};
	if (body.bad || type == CFG_ID_NONE)
		return IKE_V_SYNTAX;
	len = rd_left(&body);
	if ((type == CFG_ID_IPV4 && len != 4) || (type == CFG_ID_IPV6 && len != 16))
		return IKE_V_SYNTAX;
	if (len > sizeof(out->b))
		return IKE_V_TOO_LONG;
	out->type = type;
	out->len = (uint16_t)len;
	rd_copy(&body, out->b, len);
	return IKE_V_OK;
}

void payload_id_encode(struct wr *w, const struct cfg_id *id)
{
	wr_u8(w, id->type);
	wr_zero(w, 3);
	wr_copy(w, id->b, id->len);
}

bool payload_id_equal(const struct cfg_id *a, const struct cfg_id *b)
{
	return a->type == b->type && a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

enum ike_verdict payload_auth_decode(struct rd body, struct payload_auth *out)
{
	out->method = rd_u8(&body);
	rd_skip(&body, 3);
	out->data = rest(&body, &out->len);
	return body.bad || out->len == 0 ? IKE_V_SYNTAX : IKE_V_OK;
}

void payload_auth_encode(struct wr *w, uint8_t method, const uint8_t *data, size_t len)
{
	wr_u8(w, method);
	wr_zero(w, 3);
	wr_copy(w, data, len);
}

enum ike_verdict payload_cert_decode(struct rd body, struct payload_cert *out)
{
	out->encoding = rd_u8(&body);
	out->data = rest(&body, &out->len); /* a CERTREQ may name no authority */
	return body.bad ? IKE_V_SYNTAX : IKE_V_OK;
}

void payload_cert_encode(struct wr *w, uint8_t encoding, const uint8_t *data, size_t len)
{
	wr_u8(w, encoding);
	wr_copy(w, data, len);
}

enum ike_verdict payload_vendor_decode(struct rd body, const uint8_t **data, uint16_t *len)
{
	*data = rest(&body, len);
	return IKE_V_OK;
}

void payload_vendor_encode(struct wr *w, const void *data, size_t len)
{
	wr_copy(w, data, len);
}

const char *payload_notify_name(unsigned type)
{
	switch (type) {
#define ROW(id, value, name) \
	case value:          \
		return name;
		IKE_NOTIFIES(ROW)
#undef ROW
	}
	return "?";
}

enum ike_verdict payload_notify_decode(struct rd body, struct payload_notify *out)
{
	out->protocol = rd_u8(&body);
	out->spi_size = rd_u8(&body);
	out->type = rd_u16(&body);
	out->spi = 0;
	switch (out->spi_size) {
	case 0:
		break;
	case 4:
		out->spi = rd_u32(&body);
		break;
	case 8:
		out->spi = rd_u64(&body);
		break;
	default: /* RFC 7296 3.10: no protocol has SPIs of another size */
		return IKE_V_SYNTAX;
	}
	out->data = rest(&body, &out->len);
	return body.bad ? IKE_V_SYNTAX : IKE_V_OK;
}

void payload_notify_encode(struct wr *w, const struct payload_notify *n)
{
	wr_u8(w, n->protocol);
	wr_u8(w, n->spi_size);
	wr_u16(w, n->type);
	if (n->spi_size == 4)
		wr_u32(w, (uint32_t)n->spi);
	else if (n->spi_size == 8)
		wr_u64(w, n->spi);
	wr_copy(w, n->data, n->len);
}

bool payload_notify_find(const struct ike_chain *c, uint16_t type, struct payload_notify *out)
{
	for (const struct ike_payload *p = wire_find(c, IKE_PL_NOTIFY); p; p = wire_find_next(c, p))
		if (payload_notify_decode(p->body, out) == IKE_V_OK && out->type == type)
			return true;
	return false;
}

bool payload_notify_error(const struct ike_chain *c, struct payload_notify *out)
{
	for (const struct ike_payload *p = wire_find(c, IKE_PL_NOTIFY); p; p = wire_find_next(c, p))
		if (payload_notify_decode(p->body, out) == IKE_V_OK && payload_notify_is_error(out->type))
			return true;
	return false;
}

void payload_notify_add(struct wire_out *o, uint16_t type, const void *data, size_t len)
{
	wire_payload(o, IKE_PL_NOTIFY);
	wr_u8(&o->w, IKE_PROTO_NONE);
	wr_u8(&o->w, 0);
	wr_u16(&o->w, type);
	wr_copy(&o->w, data, len);
}

void payload_notify_add_esp(struct wire_out *o, uint16_t type, uint32_t spi)
{
	wire_payload(o, IKE_PL_NOTIFY);
	wr_u8(&o->w, IKE_PROTO_ESP);
	wr_u8(&o->w, 4);
	wr_u16(&o->w, type);
	wr_u32(&o->w, spi);
}

enum ike_verdict payload_delete_decode(struct rd body, struct payload_delete *out)
{
	uint8_t spi_size;

	out->protocol = rd_u8(&body);
	spi_size = rd_u8(&body);
	out->n = rd_u16(&body);
	out->spis = body;
	if (body.bad)
		return IKE_V_SYNTAX;
	/* RFC 7296 3.11: the IKE SA is the message's own; others are named by 4 octets each */
	if (out->protocol == IKE_PROTO_IKE)
		return spi_size == 0 && out->n == 0 && rd_done(&body) ? IKE_V_OK : IKE_V_SYNTAX;
	if (out->protocol != IKE_PROTO_AH && out->protocol != IKE_PROTO_ESP)
		return IKE_V_SYNTAX;
	if (spi_size != 4 || rd_left(&body) != 4u * out->n)
		return IKE_V_SYNTAX;
	return out->n > PAYLOAD_DELETE_MAX ? IKE_V_LIMIT : IKE_V_OK;
}

bool payload_delete_next(struct payload_delete *d, uint32_t *spi)
{
	*spi = 0;
	if (rd_left(&d->spis) == 0)
		return false;
	*spi = rd_u32(&d->spis);
	return !d->spis.bad;
}

void payload_delete_encode(struct wr *w, uint8_t protocol, const uint32_t *spi, unsigned n)
{
	wr_u8(w, protocol);
	wr_u8(w, protocol == IKE_PROTO_IKE ? 0 : 4);
	wr_u16(w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++)
		wr_u32(w, spi[i]);
}

/* One selector's fields behind its header, of a type that we know. RFC 7296 3.13.1. */
static bool ts_read(struct rd *r, uint8_t family, uint8_t protocol, struct ike_ts *ts)
{
	const uint8_t *lo, *hi;

	ts->protocol = protocol;
	ts->port_lo = rd_u16(r);
	ts->port_hi = rd_u16(r);
	lo = rd_take(r, ip_size(family));
	hi = rd_take(r, ip_size(family));
	if (!lo || !hi || !rd_done(r))
		return false;
	ts->lo = ip_from_bytes(family, lo);
	ts->hi = ip_from_bytes(family, hi);
	return ip_cmp(&ts->lo, &ts->hi) <= 0;
}

static bool ts_keep(struct payload_ts *out, const struct ike_ts *ts)
{
	if (out->n == PAYLOAD_TS_MAX)
		return false;
	out->ts[out->n++] = *ts;
	return true;
}

enum ike_verdict payload_ts_decode(struct rd body, struct payload_ts *out)
{
	unsigned n = rd_u8(&body);

	out->n = out->left_out = 0;
	rd_skip(&body, 3);
	if (body.bad || n == 0)
		return IKE_V_SYNTAX;
	while (n-- > 0) {
		uint8_t type = rd_u8(&body), protocol = rd_u8(&body);
		uint16_t len = rd_u16(&body);
		struct ike_ts ts;
		struct rd r;

		if (body.bad || len < 4)
			return IKE_V_SYNTAX;
		r = rd_sub(&body, len - 4u);
		if (r.bad)
			return IKE_V_SYNTAX;
		if (type != IKE_TS_IPV4 && type != IKE_TS_IPV6) {
			out->left_out++; /* 2.9: a type that is not known is ignored */
			continue;
		}
		if (!ts_read(&r, type == IKE_TS_IPV4 ? IP_V4 : IP_V6, protocol, &ts))
			return IKE_V_SYNTAX;
		if (ts.port_lo == 65535 && ts.port_hi == 0)
			out->left_out++; /* 3.13.1: OPAQUE ports, which our policy never has */
		else if (ts.port_lo > ts.port_hi)
			return IKE_V_SYNTAX;
		else if (!ts_keep(out, &ts))
			out->left_out++;
	}
	return rd_done(&body) ? IKE_V_OK : IKE_V_SYNTAX;
}

void payload_ts_encode(struct wr *w, const struct payload_ts *list)
{
	wr_u8(w, (uint8_t)list->n);
	wr_zero(w, 3);
	for (unsigned i = 0; i < list->n; i++) {
		const struct ike_ts *ts = &list->ts[i];
		size_t size = ip_size(ts->lo.family);

		wr_u8(w, ts->lo.family == IP_V6 ? IKE_TS_IPV6 : IKE_TS_IPV4);
		wr_u8(w, ts->protocol);
		wr_u16(w, (uint16_t)(8 + 2 * size));
		wr_u16(w, ts->port_lo);
		wr_u16(w, ts->port_hi);
		wr_copy(w, ts->lo.b, size);
		wr_copy(w, ts->hi.b, size);
	}
}

enum ike_verdict payload_cp_decode(struct rd body, struct payload_cp *out)
{
	out->n = 0;
	out->cfg_type = rd_u8(&body);
	rd_skip(&body, 3);
	if (body.bad)
		return IKE_V_SYNTAX;
	while (rd_left(&body) > 0) {
		rd_skip(&body, 2);
		rd_skip(&body, rd_u16(&body));
		out->n++;
	}
	return body.bad ? IKE_V_SYNTAX : IKE_V_OK;
}
