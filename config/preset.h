/* What is known of the peers of a tunnel's kind: data, so that another one is another row. Private to the room; config.h has
 * struct cfg_preset. */
#pragma once

#include "config/load.h"

extern const char *const preset_words[]; /* by enum cfg_tunnel_kind, NULL-terminated */
/* What the file does not say comes from t's kind. All marks have been made. */
void preset_fill(struct load *l, struct cfg_tunnel *t);
