/* Attribute sets, each kept once: a table by content with reference counts. Private to bgp/. Thread: the core's. */
#pragma once

#include <stdint.h>

#include "bgp/attr.h"

struct intern;

struct intern *intern_new(void);
/* All references must have been given back (asserted). NULL is fine. */
void intern_free(struct intern *t);
/* The kept set equal to draft, one reference more. Never NULL. */
const struct bgp_attrs *intern_get(struct intern *t, const struct bgp_attrs *draft);
static inline const struct bgp_attrs *intern_ref(const struct bgp_attrs *a)
{
	((struct bgp_attrs *)a)->refs++;
	return a;
}
/* One reference less; the last one frees. NULL is fine. */
void intern_put(struct intern *t, const struct bgp_attrs *a);
uint32_t intern_count(const struct intern *t);
uint64_t intern_octets(const struct intern *t); /* that the table and its sets take */
