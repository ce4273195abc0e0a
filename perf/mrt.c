#include "perf/mrt.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/rd.h"
#include "base/wr.h"
#include "base/xalloc.h"

/* RFC 6396 4, 4.4 */
enum { BGP4MP = 16, BGP4MP_ET = 17, MESSAGE_AS4 = 4, AFI_V4 = 1 };
/* RFC 4271 4 */
enum { HDR = 19, MSG_MAX = 4096, UPDATE = 2, EXTENDED = 0x10 };
enum { AS_PATH = 2, LOCAL_PREF = 5, ORIGINATOR_ID = 9, CLUSTER_LIST = 10, AS_SEQUENCE = 2 };

struct mrt {
	uint8_t *b;
	size_t len;
	struct rd at;
};

static int load(struct mrt *m, gzFile f)
{
	size_t cap = 1 << 20;
	int n;

	m->b = xrealloc(NULL, cap, 1);
	while ((n = gzread(f, m->b + m->len, (unsigned)(cap - m->len))) > 0) {
		m->len += (size_t)n;
		if (m->len == cap)
			m->b = xrealloc(m->b, cap *= 2, 1);
	}
	return n;
}

struct mrt *mrt_open(const char *path, char *err, size_t cap)
{
	gzFile f = gzopen(path, "rb");
	uint8_t buf[MSG_MAX];
	struct mrt *m;

	if (!f) {
		snprintf(err, cap, "%s: cannot be opened", path);
		return NULL;
	}
	m = xcalloc(1, sizeof(*m));
	if (load(m, f) < 0)
		m->len = 0;
	gzclose(f);
	mrt_rewind(m);
	if (!mrt_next(m, 0, buf)) {
		snprintf(err, cap, "%s: has no UPDATE of a BGP4MP session", path);
		mrt_close(m);
		return NULL;
	}
	mrt_rewind(m);
	return m;
}

void mrt_close(struct mrt *m)
{
	if (m)
		free(m->b);
	free(m);
}

void mrt_rewind(struct mrt *m)
{
	m->at = rd_of(m->b, m->len);
}

/* One record; the BGP message in it, or an empty view when it is something else. */
static struct rd record(struct rd *r)
{
	struct rd none = {.p = NULL}, body;
	uint16_t type, sub, afi;

	rd_skip(r, 4); /* time */
	type = rd_u16(r);
	sub = rd_u16(r);
	body = rd_sub(r, rd_u32(r));
	if ((type != BGP4MP && type != BGP4MP_ET) || sub != MESSAGE_AS4)
		return none;
	rd_skip(&body, type == BGP4MP_ET ? 4 : 0); /* microseconds */
	rd_skip(&body, 4 + 4 + 2);                 /* both ASes, interface */
	afi = rd_u16(&body);
	rd_skip(&body, afi == AFI_V4 ? 8 : 32);
	return rd_left(&body) > HDR && rd_left(&body) <= MSG_MAX && body.p[HDR - 1] == UPDATE ? body : none;
}

/* AS_PATH's value with `as` in front. */
static void put_path(struct wr *w, struct rd v, uint32_t as)
{
	struct rd look = v;
	uint8_t type = rd_u8(&look), n = rd_u8(&look);
	bool join = !look.bad && type == AS_SEQUENCE && n < 255;

	wr_u8(w, 0x40 | EXTENDED);
	wr_u8(w, AS_PATH);
	wr_u16(w, (uint16_t)(rd_left(&v) + (join ? 4 : 6)));
	wr_u8(w, AS_SEQUENCE);
	wr_u8(w, join ? (uint8_t)(n + 1) : 1);
	wr_u32(w, as);
	if (join)
		rd_skip(&v, 2);
	wr_copy(w, v.p, rd_left(&v));
}

static void put_attributes(struct wr *w, struct rd r, uint32_t as)
{
	while (rd_left(&r)) {
		const uint8_t *tlv = r.p;
		uint8_t flags = rd_u8(&r), code = rd_u8(&r);
		struct rd v = rd_sub(&r, flags & EXTENDED ? rd_u16(&r) : rd_u8(&r));

		if (r.bad)
			return;
		if (code == AS_PATH)
			put_path(w, v, as);
		else if (code != LOCAL_PREF && code != ORIGINATOR_ID && code != CLUSTER_LIST)
			wr_copy(w, tlv, (size_t)(r.p - tlv));
	}
}

/* The message as an eBGP peer would send it. */
static size_t rewrite(struct rd msg, uint32_t as, uint8_t *buf)
{
	struct wr w = wr_of(buf, MSG_MAX);
	struct rd withdrawn, attrs;
	size_t mark;

	wr_copy(&w, msg.p, HDR);
	rd_skip(&msg, HDR);
	withdrawn = rd_sub(&msg, rd_u16(&msg));
	attrs = rd_sub(&msg, rd_u16(&msg));
	wr_u16(&w, (uint16_t)rd_left(&withdrawn));
	wr_copy(&w, withdrawn.p, rd_left(&withdrawn));
	mark = wr_len16(&w);
	put_attributes(&w, attrs, as);
	wr_len16_end(&w, mark, mark + 2);
	wr_copy(&w, msg.p, rd_left(&msg));
	wr_len16_end(&w, HDR - 3, 0);
	return w.full || msg.bad ? 0 : w.len;
}

/* Has it NLRI behind its attributes? */
static bool announces(struct rd msg)
{
	rd_skip(&msg, HDR);
	rd_skip(&msg, rd_u16(&msg));
	rd_skip(&msg, rd_u16(&msg));
	return rd_left(&msg) > 0;
}

size_t mrt_next(struct mrt *m, uint32_t as, uint8_t *buf)
{
	while (rd_left(&m->at)) {
		struct rd msg = record(&m->at);

		if (!announces(msg))
			continue;
		if (as)
			return rewrite(msg, as, buf);
		memcpy(buf, msg.p, rd_left(&msg));
		return rd_left(&msg);
	}
	return 0;
}
