/* Traffic selectors of a tunnel. Private to the room. RFC 7296 2.9 */
#pragma once

#include "config/load.h"

/* `selectors: any`, or a list of {local, remote, protocol, local-ports, remote-ports}. */
void select_read(struct load *l, const struct tree_node *n, void *tunnel);
/* One pair for each family that covers everything; is it that? */
void select_any(struct cfg_tunnel *t);
bool select_is_any(const struct cfg_tunnel *t);
/* One pair: from our outer address to the peer's, both known and of one family. */
void select_hosts(struct cfg_tunnel *t);
/* "tcp", or a number; NULL for 0 (any). buf is lent. */
const char *select_protocol_str(uint8_t protocol, char buf[8]);
