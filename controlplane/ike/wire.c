#include "controlplane/ike/wire.h"

XLIST_NAME(ike_verdict_name, IKE_V_N, IKE_VERDICTS)

enum { NEXT_AT = 16, LEN_AT = 24 }; /* RFC 7296 3.1: offsets in the header */

static bool known_type(uint8_t type)
{
	return (type >= IKE_PL_SA && type <= IKE_PL_EAP) || type == IKE_PL_SKF;
}

/* The header of a message of at least IKE_HDR_LEN octets. RFC 7296 3.1. */
static void hdr_read(struct rd *r, struct ike_hdr *h)
{
	h->spi_i = rd_u64(r);
	h->spi_r = rd_u64(r);
	h->next = rd_u8(r);
	h->version = rd_u8(r);
	h->exchange = rd_u8(r);
	h->flags = rd_u8(r);
	h->mid = rd_u32(r);
	h->len = rd_u32(r);
}

/* The version comes first: it says how the rest is to be read, and a peer with another one is to be told (2.5). */
static enum ike_verdict hdr_check(const struct ike_hdr *h, size_t len)
{
	unsigned major = h->version >> 4;

	if (major < IKE_VERSION >> 4)
		return IKE_V_OLD_VERSION;
	if (major > IKE_VERSION >> 4)
		return IKE_V_NEW_VERSION;
	if (h->len != len)
		return IKE_V_LENGTH;
	if (h->spi_i == 0)
		return IKE_V_BAD_SPI;
	return IKE_V_OK;
}

enum ike_verdict wire_hdr_read(const uint8_t *msg, size_t len, struct ike_hdr *h)
{
	struct rd r = rd_of(msg, len);

	memset(h, 0, sizeof(*h));
	if (len < IKE_HDR_LEN)
		return IKE_V_SHORT;
	hdr_read(&r, h);
	return hdr_check(h, len);
}

/* Add a payload to the chain's list and marks. */
static bool chain_add(struct ike_chain *c, const struct ike_payload *pl)
{
	if (c->n == IKE_PAYLOADS_MAX)
		return false;
	c->pl[c->n++] = *pl;
	if (pl->known) {
		if (c->seen & IKE_PL_BIT(pl->type))
			c->repeated |= IKE_PL_BIT(pl->type);
		c->seen |= IKE_PL_BIT(pl->type);
		return true;
	}
	c->n_unknown++;
	/* RFC 7296 2.5: the critical bit counts only for payloads that are not understood */
	if (pl->critical && c->critical_type == 0)
		c->critical_type = pl->type;
	return true;
}

/* RFC 7383 2.5: the two numbers are part of the payload's header. */
static bool fragment_read(struct ike_msg *m)
{
	m->is_fragment = true;
	m->frag_num = rd_u16(&m->sk);
	m->frag_total = rd_u16(&m->sk);
	return !m->sk.bad;
}

/* Walk a chain that must fill r exactly. m: where an SK or SKF payload goes (it ends the chain); NULL: none is allowed. RFC
 * 7296 3.2, 3.14. */
static enum ike_verdict chain_read(uint8_t first, struct rd *r, struct ike_chain *c, struct ike_msg *m)
{
	uint8_t type = first;

	c->n = 0;
	c->seen = c->repeated = 0;
	c->n_unknown = 0;
	c->critical_type = 0;
	while (type != IKE_PL_NONE) {
		struct ike_payload pl = {.type = type, .known = known_type(type)};
		uint8_t next = rd_u8(r);
		uint16_t len;

		pl.critical = rd_u8(r) & 0x80; /* the other bits are reserved: ignored */
		len = rd_u16(r);
		if (r->bad || len < IKE_PAYLOAD_HDR_LEN)
			return IKE_V_SYNTAX;
		pl.body = rd_sub(r, (size_t)len - IKE_PAYLOAD_HDR_LEN);
		if (pl.body.bad)
			return IKE_V_SYNTAX;
		if (type == IKE_PL_SK || type == IKE_PL_SKF) {
			if (!m)
				return IKE_V_SYNTAX;
			m->has_sk = true;
			m->sk = pl.body;
			m->sk_next = next;
			c->seen |= IKE_PL_BIT(type);
			if (type == IKE_PL_SKF && !fragment_read(m))
				return IKE_V_SYNTAX;
			break;
		}
		if (!chain_add(c, &pl))
			return IKE_V_LIMIT;
		type = next;
	}
	if (!rd_done(r))
		return IKE_V_SYNTAX;
	return c->critical_type ? IKE_V_CRITICAL : IKE_V_OK;
}

enum ike_verdict wire_parse(const uint8_t *msg, size_t len, struct ike_msg *out)
{
	struct rd r = rd_of(msg, len);
	enum ike_verdict v = wire_hdr_read(msg, len, &out->hdr);

	out->clear.n = 0;
	out->clear.seen = out->clear.repeated = 0;
	out->clear.n_unknown = 0;
	out->clear.critical_type = 0;
	out->has_sk = out->is_fragment = false;
	out->frag_num = out->frag_total = 0;
	out->sk = (struct rd){0};
	out->sk_next = IKE_PL_NONE;
	out->raw = msg;
	out->len = len;
	out->aad_len = 0;
	if (v != IKE_V_OK)
		return v;
	rd_skip(&r, IKE_HDR_LEN);
	v = chain_read(out->hdr.next, &r, &out->clear, out);
	if (v != IKE_V_OK && v != IKE_V_CRITICAL)
		return v;
	if (out->has_sk)
		out->aad_len = len - rd_left(&out->sk);
	return v;
}

enum ike_verdict wire_chain_parse(uint8_t first, struct rd r, struct ike_chain *out)
{
	return chain_read(first, &r, out, NULL);
}

const struct ike_payload *wire_find(const struct ike_chain *c, uint8_t type)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->pl[i].type == type)
			return &c->pl[i];
	return NULL;
}

const struct ike_payload *wire_find_next(const struct ike_chain *c, const struct ike_payload *p)
{
	for (const struct ike_payload *q = p + 1; q < c->pl + c->n; q++)
		if (q->type == p->type)
			return q;
	return NULL;
}

const char *wire_exchange_name(unsigned exchange)
{
	static const char *const names[] = {"IKE_SA_INIT", "IKE_AUTH", "CREATE_CHILD_SA", "INFORMATIONAL"};

	if (exchange < IKE_X_SA_INIT || exchange > IKE_X_INFORMATIONAL)
		return "?";
	return names[exchange - IKE_X_SA_INIT];
}

const char *wire_payload_name(unsigned type)
{
	static const char *const names[] = {"SA",     "KE",     "IDi", "IDr", "CERT", "CERTREQ", "AUTH", "Nonce",
					    "Notify", "Delete", "V",   "TSi", "TSr",  "SK",      "CP",   "EAP"};

	if (type == IKE_PL_SKF)
		return "SKF";
	if (type < IKE_PL_SA || type > IKE_PL_EAP)
		return "?";
	return names[type - IKE_PL_SA];
}

void wire_msg_begin(struct wire_out *o, void *buf, size_t cap, const struct ike_hdr *h)
{
	*o = (struct wire_out){.w = wr_of(buf, cap), .next_at = NEXT_AT};
	wr_u64(&o->w, h->spi_i);
	wr_u64(&o->w, h->spi_r);
	wr_u8(&o->w, IKE_PL_NONE);
	wr_u8(&o->w, IKE_VERSION);
	wr_u8(&o->w, h->exchange);
	/* RFC 7296 3.1: what is not I or R is sent as zero */
	wr_u8(&o->w, h->flags & (IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE));
	wr_u32(&o->w, h->mid);
	wr_u32(&o->w, 0);
}

void wire_payload_end(struct wire_out *o)
{
	if (o->open_at)
		wr_len16_end(&o->w, o->open_at + 2, o->open_at);
	o->open_at = 0;
}

void wire_payload(struct wire_out *o, uint8_t type)
{
	wire_payload_end(o);
	wr_patch8(&o->w, o->next_at, type);
	o->open_at = o->next_at = o->w.len;
	wr_u32(&o->w, 0); /* no next payload, not critical (3.2), length is patched */
}

size_t wire_msg_end(struct wire_out *o)
{
	wire_payload_end(o);
	if (o->w.full || o->w.len > UINT32_MAX)
		return 0;
	wr_patch32(&o->w, LEN_AT, (uint32_t)o->w.len);
	return o->w.len;
}
