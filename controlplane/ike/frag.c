#include "controlplane/ike/frag.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/ike/msgid.h"

/* ---- receiving ---- */

void frag_drop(struct frag_set *s)
{
	for (unsigned i = 0; i < s->total; i++)
		free(s->piece[i].p);
	free(s->piece);
	*s = (struct frag_set){.total = 0};
}

uint64_t frag_deadline(const struct frag *f)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < N_ELEMS(f->set); i++)
		if (f->set[i].total)
			at = u64_min(at, f->set[i].forget_ms);
	return at;
}

void frag_tick(struct frag *f, uint64_t now_ms)
{
	for (unsigned i = 0; i < N_ELEMS(f->set); i++)
		if (f->set[i].total && now_ms >= f->set[i].forget_ms)
			frag_drop(&f->set[i]);
}

void frag_fini(struct frag *f)
{
	for (unsigned i = 0; i < N_ELEMS(f->set); i++)
		frag_drop(&f->set[i]);
}

/* An authentic fragment of another message, or of a newer cut of this one, begins anew. */
static void begin(struct frag_set *s, const struct ike_msg *m, uint64_t now_ms)
{
	frag_drop(s);
	s->mid = m->hdr.mid;
	s->total = m->frag_total;
	s->forget_ms = now_ms + FRAG_MS;
	s->piece = xcalloc(s->total, sizeof(*s->piece));
}

static void keep(struct frag_set *s, const struct ike_msg *m, const uint8_t *text, size_t len)
{
	struct frag_piece *p = &s->piece[m->frag_num - 1];

	p->p = xcalloc(1, len ? len : 1);
	memcpy(p->p, text, len);
	p->len = (uint16_t)len;
	s->octets += (uint32_t)len;
	s->have++;
	if (m->len > s->largest)
		s->largest = (uint16_t)m->len;
	if (m->frag_num == 1) {
		s->next = m->sk_next;
		s->print = msgid_print(m->raw, m->len);
	}
}

/* RFC 7383 2.6: "merged together to form the content of the original Encrypted payload" */
static size_t merge(const struct frag_set *s, uint8_t *text)
{
	size_t len = 0;

	for (unsigned i = 0; i < s->total; i++) {
		memcpy(text + len, s->piece[i].p, s->piece[i].len);
		len += s->piece[i].len;
	}
	return len;
}

enum frag_verdict frag_take(struct frag_set *s, const struct ike_msg *m, const struct sk_key *key, uint8_t *text,
			    size_t cap, size_t *len, uint64_t now_ms)
{
	bool same;
	size_t n;

	if (s->total && (s->mid != m->hdr.mid || now_ms >= s->forget_ms))
		frag_drop(s); /* the window has moved on, or it took too long */
	/* RFC 7383 2.6: 1. the numbers */
	if (m->frag_num == 0 || m->frag_num > m->frag_total || (s->total && m->frag_total < s->total))
		return FRAG_BAD;
	if (m->frag_num > 1 && m->sk_next != 0) /* 2.5 */
		return FRAG_BAD;
	/* 2. is it new */
	same = s->total == m->frag_total;
	if (same && s->piece[m->frag_num - 1].p)
		return FRAG_REPEAT;
	/* 3. is it authentic */
	if (m->len > UINT16_MAX || sk_open_text(m, key, text, cap, &n) != IKE_V_OK)
		return FRAG_FORGED;
	/* 5: so many and no more */
	if (m->frag_total > FRAG_COUNT_MAX || (same ? s->octets : 0) + n > u64_min(FRAG_OCTETS_MAX, cap)) {
		frag_drop(s);
		return FRAG_FLOOD;
	}
	/* 4. a newer cut replaces the older one; 5. it is kept */
	if (!same)
		begin(s, m, now_ms);
	keep(s, m, text, n);
	if (s->have < s->total)
		return FRAG_KEPT;
	*len = merge(s, text);
	return FRAG_WHOLE;
}

/* ---- sending ---- */

size_t frag_limit(const struct ike_path *path, size_t size)
{
	/* IP without options, UDP, the non-ESP marker */
	size_t before = (path->remote.family == IP_V6 ? 40 : 20) + 8 + (path->encap ? 4 : 0);

	return size > before ? size - before : 0;
}

void frag_fit(struct frag *f, const struct ike_path *path, size_t largest)
{
	size_t small = path->remote.family == IP_V6 ? FRAG_SIZE_SMALL_V6 : FRAG_SIZE_SMALL;
	size_t size = largest + IKE_MSG_MAX - frag_limit(path, IKE_MSG_MAX);

	if (size < small)
		size = small;
	if (size < f->size)
		f->size = (uint16_t)size;
}

static bool seal_one(const struct wire_out *from, const struct ike_hdr *h, size_t at, size_t n, uint16_t num,
		     uint16_t total, struct sk_key *key, const struct ike_env *env, struct wr *to)
{
	uint8_t random[SK_RANDOM_LEN];
	struct wire_out o;
	size_t len;

	wire_msg_begin(&o, to->buf + to->len, to->cap - to->len, h);
	sk_begin_fragment(&o, key, num, total, num == 1 ? from->w.buf[from->sk_at] : 0);
	wr_copy(&o.w, from->w.buf + at, n);
	env->random(env->ctx, random, sizeof(random));
	len = sk_seal(&o, key, random);
	to->len += len;
	return len > 0;
}

uint8_t *frag_seal(struct wire_out *o, struct sk_key *key, size_t limit, const struct ike_env *env, size_t *len)
{
	size_t room = sk_room(key, limit, true), n, total;
	struct ike_hdr h;
	struct wr to;

	wire_payload_end(o);
	if (o->w.full || !o->sk_at || !room || wire_hdr_read(o->w.buf, o->w.len, &h) == IKE_V_SHORT)
		return NULL;
	n = o->w.len - o->text_at;
	total = (n + room - 1) / room;
	if (n > FRAG_OCTETS_MAX || total == 0 || total > FRAG_COUNT_MAX)
		return NULL;
	to = wr_of(xcalloc(total, limit), total * limit);
	for (size_t i = 0; i < total; i++) {
		size_t left = n - i * room;

		if (seal_one(o, &h, o->text_at + i * room, left < room ? left : room, (uint16_t)(i + 1),
			     (uint16_t)total, key, env, &to))
			continue;
		secret_wipe(to.buf, to.cap);
		free(to.buf);
		return NULL;
	}
	*len = to.len;
	return to.buf;
}

/* The first message of several behind each other; its octets, 0: there is none. */
static size_t first_of(const uint8_t *msgs, size_t len)
{
	struct rd r = rd_of(msgs, len);
	uint32_t n;

	rd_skip(&r, IKE_HDR_LEN - 4);
	n = rd_u32(&r);
	return r.bad || n < IKE_HDR_LEN || n > len ? 0 : n;
}

/* What we sealed, unsealed into o. The number of messages that it was; 0: it is not what it should be. */
static unsigned unseal(const uint8_t *msgs, size_t len, const struct sk_key *key, struct wire_out *o, uint8_t *buf,
		       uint8_t *text, size_t cap)
{
	unsigned count = 0;

	for (size_t n; (n = first_of(msgs, len)) > 0; msgs += n, len -= n) {
		struct ike_msg m;
		size_t text_len;

		if (wire_parse(msgs, n, &m) != IKE_V_OK || sk_open_text(&m, key, text, cap, &text_len) != IKE_V_OK)
			return 0;
		if (count++ == 0) {
			wire_msg_begin(o, buf, cap, &m.hdr);
			sk_begin(o, key);
			wr_patch8(&o->w, o->sk_at, m.sk_next);
		}
		wr_copy(&o->w, text, text_len);
	}
	return len || (count && o->w.full) ? 0 : count;
}

uint8_t *frag_smaller(struct frag *f, const struct ike_path *path, const uint8_t *msgs, size_t msgs_len,
		      struct sk_key *key, const struct ike_env *env, uint8_t *buf, uint8_t *text, size_t cap,
		      size_t *len)
{
	size_t size = path->remote.family == IP_V6 ? FRAG_SIZE_SMALL_V6 : FRAG_SIZE_SMALL, room;
	struct wire_out o;
	unsigned count;

	if (f->size <= size || first_of(msgs, msgs_len) <= frag_limit(path, size))
		return NULL;
	count = unseal(msgs, msgs_len, key, &o, buf, text, cap);
	room = sk_room(key, frag_limit(path, size), true);
	/* "MUST ensure that the value in the Total Fragments field is really increased" */
	if (!count || (o.w.len - o.text_at + room - 1) / room <= count)
		return NULL;
	f->size = (uint16_t)size;
	return frag_seal(&o, key, frag_limit(path, size), env, len);
}

unsigned frag_send(const struct ike_env *env, const struct ike_path *path, const uint8_t *msgs, size_t len)
{
	unsigned count = 0;

	for (size_t n; (n = first_of(msgs, len)) > 0; msgs += n, len -= n, count++)
		env->send(env->ctx, path, msgs, n);
	return count;
}
