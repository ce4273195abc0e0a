/* What was meant by a key that does not exist. Private to the room. */
#pragma once

#include "config/schema.h"

/* Report the unknown key of n with the nearest known one, the block where it belongs, or all keys of this block. */
void nearest_error(struct load *l, const struct schema *s, const struct tree_node *n);
/* "there is no `what` `name`": with the nearest of n rows, each beginning with its name, or the block to look in. */
void nearest_name_error(struct load *l, unsigned line, const char *what, const char *block, const char *name,
			const void *rows, size_t stride, unsigned n);
/* Single edits (insert, delete, change, swap neighbours) from a to b, at most max + 1. */
unsigned nearest_distance(const char *a, const char *b, unsigned max);
