/* Tunnels by name, for the checks: a gateway may have a hundred thousand. Private to the room. */
#pragma once

#include "config/load.h"

struct index {
	const struct cfg_tunnel **t; /* sorted by name */
	unsigned n;
};

void index_init(struct index *x, const struct config *c);
void index_fini(struct index *x);
const struct cfg_tunnel *index_find(const struct index *x, const char *name);
/* "there is no tunnel `x`", with the nearest name there is. */
void index_error(struct load *l, unsigned line, const struct index *x, const char *what, const char *name);
