/* Traffic selectors: may this inner packet travel by this SA? RFC 4301 4.4.1.1, 5.2, 7; RFC 7296 2.9
 *
 * The first pair's addresses are in the SA's hot line when that is all there is; this is the whole test, for SAs with
 * more pairs, a protocol or ports.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_ip.h>

#include "dataplane/sa.h"

/* dir: MSG_DIR_*. ip: a header that parse_ip() found sound, with its `total` octets behind it. A fragment other than
 * the first has no ports to look at, so it matches no pair that names some (RFC 4301 7.2 would need a stateful check).
 */
bool selector_match(const struct sa_cold *c, uint32_t dir, const struct rte_ipv4_hdr *ip, uint16_t total);
