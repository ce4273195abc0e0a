/* Traffic selectors of a tunnel. Private to the room. RFC 7296 2.9 */
#pragma once

#include "config/load.h"

/* `selectors: any`, or a list of {local, remote, protocol, local-ports, remote-ports}. */
void select_read(struct load *l, const struct tree_node *n, void *tunnel);
/* One pair that covers everything. */
void select_any(struct cfg_tunnel *t);
/* "tcp", or a number; NULL for 0 (any). buf is lent. */
const char *select_protocol_str(uint8_t protocol, char buf[8]);
