/* Traffic selectors of the config and the IKE core as the rings carry them. Any thread. */
#pragma once

#include "config/config.h"
#include "ring/msg.h"

/* A pair without a family is 0.0.0.0/0 <-> 0.0.0.0/0. */
void dp_ts_put(struct msg_ts_pair *to, const struct cfg_ts *ts);
