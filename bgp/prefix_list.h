/* A prefix list, compiled. First matching rule decides; its end does not match. Private to bgp/.
 *
 * A rule matches a prefix that lies in its network and whose length is from ge to le. The rules are kept sorted by network, so
 * that a lookup costs one search for each length that the list has networks of, however long it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "config/config.h"

struct prefix_list;

/* c is lent for the life of the list. */
struct prefix_list *prefix_list_new(const struct cfg_prefix_list *c);
void prefix_list_free(struct prefix_list *x); /* NULL is fine */
bool prefix_list_match(const struct prefix_list *x, const struct ip_prefix *p);
/* Do two lists have the same rules? Names do not count. */
bool prefix_list_equal(const struct cfg_prefix_list *a, const struct cfg_prefix_list *b);
