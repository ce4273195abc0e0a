#include "controlplane/ike/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/ike/tunnel.h"

XLIST_NAME(ike_notice_name, IKE_NOTICE_N, IKE_NOTICES)

enum { NOTICES_PER_S = 20 };

void notice_sa(struct ike *k, const struct ike_sa *sa, enum ike_notice_kind kind, const char *cause)
{
	struct ike_notice n = {
		.kind = kind,
		.tunnel = sa->tunnel,
		.path = &sa->path,
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.cause = cause,
	};

	k->env.notice(k->env.ctx, &n);
}

void notice_child(struct ike *k, const struct ike_sa *sa, const struct ike_child *c, enum ike_notice_kind kind,
		  const char *cause)
{
	struct ike_notice n = {
		.kind = kind,
		.tunnel = c->tunnel,
		.path = &sa->path,
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.spi_in = c->spi_in,
		.spi_out = c->spi_out,
		.cause = cause,
	};

	k->env.notice(k->env.ctx, &n);
}

/* Peers cause these, so they are told in measure; what was left out is said with the next one. */
static void bad(struct ike *k, struct ike_notice *n, const char *fmt, va_list ap)
{
	char cause[NOTICE_MAX];
	uint32_t left_out = k->notices.suppressed;
	int len;

	if (!ike_bucket_take(&k->notices, NOTICES_PER_S, k->now_ms))
		return;
	len = vsnprintf(cause, sizeof(cause), fmt, ap);
	k->notices.suppressed = 0;
	if (left_out && len >= 0 && (size_t)len < sizeof(cause))
		snprintf(cause + len, sizeof(cause) - (size_t)len, " (and %u more of this kind)", left_out);
	n->kind = IKE_NOTICE_PEER_ERROR;
	n->cause = cause;
	k->env.notice(k->env.ctx, n);
}

void notice_bad(struct ike *k, const struct ike_sa *sa, const char *fmt, ...)
{
	struct ike_notice n = {.tunnel = sa->tunnel, .path = &sa->path, .spi_i = sa->spi_i, .spi_r = sa->spi_r};
	va_list ap;

	va_start(ap, fmt);
	bad(k, &n, fmt, ap);
	va_end(ap);
}

void notice_stranger(struct ike *k, uint32_t tunnel, const struct ike_path *path, uint64_t spi_i, uint64_t spi_r,
		     const char *fmt, ...)
{
	struct ike_notice n = {.tunnel = tunnel, .path = path, .spi_i = spi_i, .spi_r = spi_r};
	va_list ap;

	va_start(ap, fmt);
	bad(k, &n, fmt, ap);
	va_end(ap);
}

void notice_failed(struct ike *k, uint32_t tunnel, const struct ike_sa *sa, const char *cause)
{
	struct ike_notice n = {
		.kind = IKE_NOTICE_FAILED,
		.tunnel = tunnel,
		.path = sa ? &sa->path : NULL,
		.spi_i = sa ? sa->spi_i : 0,
		.spi_r = sa ? sa->spi_r : 0,
		.cause = cause,
	};

	k->env.notice(k->env.ctx, &n);
}
