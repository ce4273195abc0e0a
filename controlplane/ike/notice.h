/* What the core tells people: life events, and bad peers in measure. */
#pragma once

#include "base/build.h"
#include "controlplane/ike/child.h"
#include "controlplane/ike/core.h"
#include "controlplane/ike/sa.h"

/* Room for a cause in words. */
enum { NOTICE_MAX = 512 };

void notice_sa(struct ike *k, const struct ike_sa *sa, enum ike_notice_kind kind, const char *cause);
void notice_child(struct ike *k, const struct ike_sa *sa, const struct ike_child *c, enum ike_notice_kind kind,
		  const char *cause);
/* A bad peer or message on an SA; cause and remedy. Rate-limited over the whole core. */
void notice_bad(struct ike *k, const struct ike_sa *sa, const char *fmt, ...) PRINTF(3, 4);
/* The same where there is no SA. spi_i, spi_r: of the message. */
void notice_stranger(struct ike *k, uint32_t tunnel, const struct ike_path *path, uint64_t spi_i, uint64_t spi_r,
		     const char *fmt, ...) PRINTF(6, 7);
/* An attempt of a tunnel failed. */
void notice_failed(struct ike *k, uint32_t tunnel, const struct ike_sa *sa, const char *cause);
