/* `prefix-lists`, `as-path-lists` and `policies`: blocks of NAME: [rows]. Private to the room. base: struct config */
#pragma once

#include "config/load.h"

void lists_prefix(struct load *l, const struct tree_node *n, void *config);
void lists_as_path(struct load *l, const struct tree_node *n, void *config);
void lists_policy(struct load *l, const struct tree_node *n, void *config);
