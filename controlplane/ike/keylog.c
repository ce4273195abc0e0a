#include "controlplane/ike/keylog.h"

#ifdef ESPLANADE_KEYLOG

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE = 4096 };

void (*ike_keylog)(const char *line);

struct line {
	char b[LINE];
	size_t len;
};

static void put(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->b + l->len, LINE - l->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < LINE - l->len)
		l->len += (size_t)n;
}

static void put_hex(struct line *l, const struct secret *s)
{
	put(l, " ");
	for (unsigned i = 0; i < s->len; i++)
		put(l, "%02x", s->b[i]);
	if (!s->len)
		put(l, "-");
}

static void put_alg(struct line *l, const struct alg *a)
{
	put(l, " %u", a ? a->id : 0);
}

static void say(struct line *l)
{
	if (ike_keylog)
		ike_keylog(l->b);
	secret_wipe(l, sizeof(*l));
}

void keylog_ike(const struct keymat_input *in, const struct keymat_ike *keys)
{
	struct line l = {.len = 0};

	put(&l, "ike %016" PRIx64 " %016" PRIx64, in->spi_i, in->spi_r);
	put_alg(&l, in->encr);
	put(&l, " %u", in->encr->key_bits);
	put_hex(&l, &keys->ei);
	put_hex(&l, &keys->er);
	put_alg(&l, in->integ);
	put_hex(&l, &keys->ai);
	put_hex(&l, &keys->ar);
	say(&l);
}

void ike_keylog_child(const struct ike_child_half *h, bool in)
{
	char local[IP_STR], remote[IP_STR];
	struct line l = {.len = 0};

	ip_str(&h->path.local, local);
	ip_str(&h->path.remote, remote);
	put(&l, "esp %s %s %08x", in ? remote : local, in ? local : remote, h->spi);
	put_alg(&l, h->encr);
	put(&l, " %u", h->encr->key_bits);
	put_alg(&l, h->integ);
	put_hex(&l, &h->key);
	say(&l);
}

#else
typedef int keylog_is_off; /* an empty file is no C */
#endif
