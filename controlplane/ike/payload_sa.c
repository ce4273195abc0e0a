/* The SA payload: proposals of transforms of attributes (RFC 7296 3.3). Three nested TLVs with counts; all must agree.
 */
#include "controlplane/ike/payload.h"

enum {
	MORE_PROPOSALS = 2, /* 3.3.1, 3.3.2: values of "Last Substruc" */
	MORE_TRANSFORMS = 3,
	PROPOSAL_HDR_LEN = 8,
	TRANSFORM_HDR_LEN = 8,
	ATTR_KEY_LENGTH = 14,
	ATTR_TV = 0x8000,
};

/* RFC 7296 3.3.5. What we do not understand makes the transform unacceptable, not the message malformed (3.3.6). */
static bool attributes_read(struct rd *r, struct payload_transform *t)
{
	while (rd_left(r) > 0) {
		uint16_t type = rd_u16(r), value = rd_u16(r);

		if (r->bad)
			return false;
		if (!(type & ATTR_TV)) {
			rd_skip(r, value); /* may be 0: the header was consumed */
			t->unacceptable = true;
		} else if ((type & ~ATTR_TV) != ATTR_KEY_LENGTH || t->has_key_bits) {
			t->unacceptable = true;
		} else {
			t->has_key_bits = true;
			t->key_bits = value;
		}
	}
	return !r->bad;
}

/* One transform out of r. RFC 7296 3.3.2. */
static bool transform_read(struct rd *r, struct payload_transform *t)
{
	uint8_t more = rd_u8(r);
	uint16_t len;
	struct rd body;

	*t = (struct payload_transform){0};
	rd_skip(r, 1);
	len = rd_u16(r);
	if (r->bad || len < TRANSFORM_HDR_LEN)
		return false;
	body = rd_sub(r, len - 4u);
	t->type = rd_u8(&body);
	rd_skip(&body, 1);
	t->id = rd_u16(&body);
	if (body.bad || more != (rd_left(r) ? MORE_TRANSFORMS : 0))
		return false;
	return attributes_read(&body, t);
}

/* Read n transforms that fill r. keep: store them; when the pool is full, the whole proposal is marked unacceptable. */
static bool transforms_read(struct rd *r, unsigned n, struct payload_sa *sa, struct payload_proposal *p, bool keep)
{
	unsigned seen = 0;

	while (rd_left(r) > 0) {
		struct payload_transform t;

		if (!transform_read(r, &t))
			return false;
		seen++;
		if (!keep || p->unacceptable)
			continue;
		if (sa->n_transforms == PAYLOAD_TRANSFORMS_MAX) {
			sa->n_transforms = p->first;
			p->n = 0;
			p->unacceptable = true;
			continue;
		}
		sa->transform[sa->n_transforms++] = t;
		p->n++;
	}
	return !r->bad && seen == n;
}

static bool spi_read(struct rd *r, struct payload_proposal *p)
{
	struct rd spi = rd_sub(r, p->spi_size);

	switch (p->spi_size) {
	case 0:
		break;
	case 4:
		p->spi = rd_u32(&spi);
		break;
	case 8:
		p->spi = rd_u64(&spi);
		break;
	default:
		p->unacceptable = true;
		p->spi_size = 0;
	}
	return !spi.bad;
}

/* One proposal out of r. RFC 7296 3.3.1. */
static bool proposal_read(struct rd *r, struct payload_sa *sa, struct payload_proposal *p, bool keep)
{
	uint8_t more = rd_u8(r);
	uint16_t len;
	unsigned n;
	struct rd body;

	*p = (struct payload_proposal){.first = (uint16_t)sa->n_transforms};
	rd_skip(r, 1);
	len = rd_u16(r);
	if (r->bad || len < PROPOSAL_HDR_LEN)
		return false;
	body = rd_sub(r, len - 4u);
	p->num = rd_u8(&body);
	p->protocol = rd_u8(&body);
	p->spi_size = rd_u8(&body);
	n = rd_u8(&body);
	if (body.bad || !spi_read(&body, p) || more != (rd_left(r) ? MORE_PROPOSALS : 0))
		return false;
	return transforms_read(&body, n, sa, p, keep);
}

enum ike_verdict payload_sa_decode(struct rd body, struct payload_sa *out)
{
	unsigned seen = 0;
	uint8_t num = 0;

	out->n = out->n_transforms = out->left_out = 0;
	while (rd_left(&body) > 0) {
		struct payload_proposal p;
		bool keep = out->n < PAYLOAD_PROPOSALS_MAX;

		if (!proposal_read(&body, out, &p, keep) || p.num == 0)
			return IKE_V_SYNTAX;
		/* 3.3.1: numbers rise by one from 1; a single proposal (an answer) has the number of the offer's */
		if (seen > 0 && (p.num != num + 1 || (seen == 1 && num != 1)))
			return IKE_V_SYNTAX;
		num = p.num;
		seen++;
		if (keep)
			out->proposal[out->n++] = p;
		else
			out->left_out++;
	}
	return body.bad || seen == 0 ? IKE_V_SYNTAX : IKE_V_OK;
}

static void transform_write(struct wr *w, const struct payload_transform *t, bool last)
{
	wr_u8(w, last ? 0 : MORE_TRANSFORMS);
	wr_u8(w, 0);
	wr_u16(w, t->has_key_bits ? TRANSFORM_HDR_LEN + 4 : TRANSFORM_HDR_LEN);
	wr_u8(w, t->type);
	wr_u8(w, 0);
	wr_u16(w, t->id);
	if (t->has_key_bits) {
		wr_u16(w, ATTR_TV | ATTR_KEY_LENGTH);
		wr_u16(w, t->key_bits);
	}
}

void payload_sa_encode(struct wr *w, const struct payload_sa *sa)
{
	for (unsigned i = 0; i < sa->n; i++) {
		const struct payload_proposal *p = &sa->proposal[i];
		size_t from = w->len, mark;

		wr_u8(w, i + 1 < sa->n ? MORE_PROPOSALS : 0);
		wr_u8(w, 0);
		mark = wr_len16(w);
		wr_u8(w, p->num);
		wr_u8(w, p->protocol);
		wr_u8(w, p->spi_size);
		wr_u8(w, (uint8_t)p->n);
		if (p->spi_size == 4)
			wr_u32(w, (uint32_t)p->spi);
		else if (p->spi_size == 8)
			wr_u64(w, p->spi);
		for (unsigned k = 0; k < p->n; k++)
			transform_write(w, &sa->transform[p->first + k], k + 1 == p->n);
		wr_len16_end(w, mark, from);
	}
}
