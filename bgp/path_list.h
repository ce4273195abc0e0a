/* The as-path lists of a config, compiled. First matching pattern decides; the end does not match. Private to bgp/.
 *
 * A verdict depends on the path alone, so verdicts are remembered by path: octet by octet, without a reference to the set that it
 * came with. Thread: the core's (a match changes what is remembered).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct path_lists;

/* c is lent for the life of the lists; its patterns compile. */
struct path_lists *path_lists_new(const struct config *c);
void path_lists_free(struct path_lists *x); /* NULL is fine */
/* Does list number `list` of the config match the path (as in aspath.h)? */
bool path_lists_match(struct path_lists *x, unsigned list, const uint8_t *path, size_t len);
/* Do two lists have the same rules? Names do not count. */
bool path_lists_equal(const struct cfg_as_path_list *a, const struct cfg_as_path_list *b);
