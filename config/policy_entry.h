/* One entry of a policy: {permit: {prefix, as-path, community, set: {...}}}. Private to the room. */
#pragma once

#include "config/load.h"

void policy_entry_read(struct load *l, const struct tree_node *n, struct cfg_policy_entry *e);
