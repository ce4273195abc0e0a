/* Tables that come in pages: asked for one after the other over one connection, printed as they come, so that a table of a
 * million rows is neither held here nor in one answer. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/build.h"

/* What people get. ctx is the caller's. */
struct page_view {
	void (*head)(FILE *f, const json_t *page, void *ctx);                  /* of the first page; may be NULL */
	void (*rows)(FILE *f, const json_t *rows, bool first, void *ctx);      /* of each page */
	void (*foot)(FILE *f, const json_t *page, unsigned long n, void *ctx); /* n: rows in all; may be NULL */
	bool object; /* what programs get: {..., "rows": [...], "total": n} rather than [...] */
};

/* Print all pages of req (which is changed). 0; -errno and why, as client_ask(). */
int page_print(FILE *f, int fd, json_t *req, const struct page_view *v, void *ctx, bool json, char *why,
	       size_t cap) MUST_USE;
