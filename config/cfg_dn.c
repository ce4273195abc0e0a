#include "config/cfg_dn.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/rd.h"
#include "base/wr.h"

enum {
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_T61 = 0x14,
	DER_IA5 = 0x16,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	VALUE_MAX = CFG_ID_MAX,
};

/* RFC 4514 3, RFC 5280 A.1. ia5: an IA5String by its definition; printable: a PrintableString by it. */
static const struct attr {
	const char *name;
	uint8_t len, oid[10];
	bool ia5, printable;
} attrs[] = {
	{"CN", 3, {0x55, 4, 3}, false, false},
	{"SN", 3, {0x55, 4, 4}, false, false},
	{"serialNumber", 3, {0x55, 4, 5}, false, true},
	{"C", 3, {0x55, 4, 6}, false, true},
	{"L", 3, {0x55, 4, 7}, false, false},
	{"ST", 3, {0x55, 4, 8}, false, false},
	{"S", 3, {0x55, 4, 8}, false, false},
	{"street", 3, {0x55, 4, 9}, false, false},
	{"O", 3, {0x55, 4, 10}, false, false},
	{"OU", 3, {0x55, 4, 11}, false, false},
	{"title", 3, {0x55, 4, 12}, false, false},
	{"GN", 3, {0x55, 4, 42}, false, false},
	{"UID", 10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}, false, false},
	{"DC", 10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}, true, false},
	{"emailAddress", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}, true, false},
	{"E", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}, true, false},
};

/* ---- text -> DER ---- */

static const struct attr *attr_named(const char *s, size_t n)
{
	for (size_t i = 0; i < N_ELEMS(attrs); i++)
		if (strlen(attrs[i].name) == n && !strncasecmp(attrs[i].name, s, n))
			return &attrs[i];
	return NULL;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* One value up to an unescaped comma; trailing spaces go, unless they were escaped. -1: malformed or too long. */
static int value_read(const char **at, uint8_t out[VALUE_MAX])
{
	const char *s = *at;
	int n = 0, keep = 0; /* keep: octets up to the last that is not a plain space */

	while (*s && *s != ',') {
		char c = *s++;

		if (n == VALUE_MAX || strchr("+;<>\"", c))
			return -1;
		if (c != '\\') {
			out[n++] = (uint8_t)c;
			keep = c == ' ' ? keep : n;
			continue;
		}
		if (nibble(s[0]) >= 0 && nibble(s[1]) >= 0) {
			c = (char)(nibble(s[0]) << 4 | nibble(s[1]));
			s += 2;
		} else if (*s && strchr(" ,+\"\\<>;=#", *s)) {
			c = *s++;
		} else {
			return -1;
		}
		out[n++] = (uint8_t)c;
		keep = n;
	}
	*at = s;
	return keep;
}

/* X.680 41.4 */
static bool is_printable(const uint8_t *b, int n)
{
	for (int i = 0; i < n; i++)
		if (b[i] >= 0x80 || !b[i] || (!isalnum(b[i]) && !strchr(" '()+,-./:=?", b[i])))
			return false;
	return true;
}

static bool is_ascii(const uint8_t *b, int n)
{
	for (int i = 0; i < n; i++)
		if (b[i] >= 0x80)
			return false;
	return true;
}

/* RFC 3629: shortest form, no surrogates. */
static bool is_utf8(const uint8_t *b, int n)
{
	for (int i = 0; i < n;) {
		int more = b[i] < 0x80   ? 0
			   : b[i] < 0xc2 ? -1
			   : b[i] < 0xe0 ? 1
			   : b[i] < 0xf0 ? 2
			   : b[i] < 0xf5 ? 3
					 : -1;

		if (more < 0 || i + more >= n)
			return false;
		for (int j = 1; j <= more; j++)
			if ((b[i + j] & 0xc0) != 0x80)
				return false;
		if ((b[i] == 0xe0 && b[i + 1] < 0xa0) || (b[i] == 0xed && b[i + 1] >= 0xa0) ||
		    (b[i] == 0xf0 && b[i + 1] < 0x90) || (b[i] == 0xf4 && b[i + 1] >= 0x90))
			return false;
		i += more + 1;
	}
	return true;
}

/* 0: the attribute cannot have that value. */
static uint8_t string_type(const struct attr *a, const uint8_t *b, int n)
{
	if (n <= 0)
		return 0;
	if (a->ia5)
		return is_ascii(b, n) ? DER_IA5 : 0;
	if (is_printable(b, n))
		return DER_PRINTABLE;
	return !a->printable && is_utf8(b, n) ? DER_UTF8 : 0;
}

static size_t header_len(size_t n)
{
	return n < 128 ? 2 : n < 256 ? 3 : 4;
}

static void put_header(struct wr *w, uint8_t tag, size_t n)
{
	wr_u8(w, tag);
	if (n >= 256) {
		wr_u8(w, 0x82);
		wr_u16(w, (uint16_t)n);
		return;
	}
	if (n >= 128)
		wr_u8(w, 0x81);
	wr_u8(w, (uint8_t)n);
}

/* SET { SEQUENCE { OID, string } } */
static void put_rdn(struct wr *w, const struct attr *a, uint8_t type, const uint8_t *b, size_t n)
{
	size_t pair = 2u + a->len + header_len(n) + n;

	put_header(w, DER_SET, header_len(pair) + pair);
	put_header(w, DER_SEQUENCE, pair);
	put_header(w, DER_OID, a->len);
	wr_copy(w, a->oid, a->len);
	put_header(w, type, n);
	wr_copy(w, b, n);
}

int cfg_dn_parse(const char *s, struct cfg_id *out)
{
	uint8_t body[CFG_ID_MAX], value[VALUE_MAX], type;
	struct wr w = wr_of(body, sizeof(body)), whole;
	const struct attr *a;

	memset(out, 0, sizeof(*out));
	for (;;) {
		size_t n = strcspn(s += strspn(s, " "), "=,");
		int len;

		if (s[n] != '=')
			return -EINVAL;
		len = (int)n;
		while (len && s[len - 1] == ' ')
			len--;
		a = attr_named(s, (size_t)len);
		s += n + 1;
		s += strspn(s, " ");
		len = a ? value_read(&s, value) : -1;
		type = len > 0 ? string_type(a, value, len) : 0;
		if (!type)
			return -EINVAL;
		put_rdn(&w, a, type, value, (size_t)len);
		if (!*s)
			break;
		s++; /* the comma: another must follow */
	}
	whole = wr_of(out->b, sizeof(out->b));
	put_header(&whole, DER_SEQUENCE, w.len);
	wr_copy(&whole, body, w.len);
	if (w.full || whole.full) {
		memset(out, 0, sizeof(*out));
		return -EINVAL;
	}
	out->type = CFG_ID_DN;
	out->len = (uint16_t)whole.len;
	return 0;
}

/* ---- DER -> text ---- */

/* A value of this tag; bad where it is another, or a length is not DER's shortest. */
static struct rd take(struct rd *r, uint8_t *tag)
{
	uint8_t first;
	size_t n;

	*tag = rd_u8(r);
	first = rd_u8(r);
	n = first;
	if (first == 0x81) {
		n = rd_u8(r);
		r->bad |= n < 128;
	} else if (first == 0x82) {
		n = rd_u16(r);
		r->bad |= n < 256;
	} else if (first >= 0x80) {
		r->bad = true;
	}
	return rd_sub(r, r->bad ? 0 : n);
}

static struct rd take_tag(struct rd *r, uint8_t wanted)
{
	uint8_t tag;
	struct rd sub = take(r, &tag);

	if (tag != wanted || r->bad)
		r->bad = sub.bad = true;
	return sub;
}

static const struct attr *attr_with(const struct rd *oid)
{
	for (size_t i = 0; i < N_ELEMS(attrs); i++)
		if (rd_left(oid) == attrs[i].len && !memcmp(oid->p, attrs[i].oid, attrs[i].len))
			return &attrs[i];
	return NULL;
}

struct out {
	char *buf;
	unsigned len, cap;
	bool cut;
};

static void say(struct out *o, const char *s, unsigned n)
{
	if (o->cut || o->len + n + 4 > o->cap) { /* "..." and NUL */
		o->cut = true;
		return;
	}
	memcpy(o->buf + o->len, s, n);
	o->len += n;
}

/* Letters, digits and what cannot mislead a reader of a log or a terminal, as they are. */
static void say_value(struct out *o, struct rd v)
{
	size_t n = rd_left(&v);
	char hex[4];

	for (size_t i = 0; i < n; i++) {
		uint8_t c = rd_u8(&v);
		bool edge = c == ' ' && (i == 0 || i == n - 1);

		if (c < 0x80 && c && !edge && (isalnum(c) || strchr(" '()-./:?@_*", c)))
			say(o, (const char *)&c, 1);
		else
			say(o, hex, (unsigned)snprintf(hex, sizeof(hex), "\\%02X", c));
	}
}

static bool say_rdn(struct out *o, struct rd *names)
{
	struct rd set = take_tag(names, DER_SET), pair = take_tag(&set, DER_SEQUENCE);
	struct rd oid = take_tag(&pair, DER_OID), value;
	const struct attr *a;
	uint8_t tag;

	value = take(&pair, &tag);
	if (names->bad || set.bad || oid.bad || pair.bad || !rd_done(&set) || !rd_done(&pair))
		return false; /* several attributes in one set among them */
	a = attr_with(&oid);
	if (!a || (tag != DER_UTF8 && tag != DER_PRINTABLE && tag != DER_IA5 && tag != DER_T61) || !rd_left(&value))
		return false;
	if (o->len)
		say(o, ", ", 2);
	say(o, a->name, (unsigned)strlen(a->name));
	say(o, "=", 1);
	say_value(o, value);
	return true;
}

bool cfg_dn_str(const struct cfg_id *id, char *buf, unsigned cap)
{
	struct rd r = rd_of(id->b, id->len), names = take_tag(&r, DER_SEQUENCE);
	struct out o = {.buf = buf, .cap = cap};

	if (r.bad || !rd_done(&r) || !rd_left(&names) || cap < 8)
		return false;
	while (rd_left(&names))
		if (!say_rdn(&o, &names))
			return false;
	if (o.cut) {
		memcpy(buf + o.len, "...", 3);
		o.len += 3;
	}
	buf[o.len] = '\0';
	return true;
}
