/* `gwctl show bgp ...`: BGP's state as JSON. Of the core and its hands alone, so that a speaker without a gateway shows the same.
 *
 * Tables are asked for page by page: a request names the last prefix it has, a page says whether there is more. What
 * changes between two pages may be missed or shown in either state, like in any table that is read while it lives.
 * New references. Thread: the loop's.
 */
#pragma once

#include <jansson.h>

#include "controlplane/bgp_io.h"

enum { STATUS_BGP_PAGE = 1000 /* rows */ };

json_t *status_bgp_summary(struct bgp_io *io);
/* peer: an index that is in use. */
json_t *status_bgp_neighbor(struct bgp_io *io, uint32_t peer);
/* {"rows": [...], "more": bool, "after": "prefix"} and what stands above such a table. after: IP_NONE from the start. max: 1.. */
json_t *status_bgp_rows(struct bgp_io *io, enum bgp_view v, uint32_t peer, const struct ip_prefix *after, unsigned max);
/* All paths of one prefix, each with what decided: an array, empty when it is not known. */
json_t *status_bgp_route(struct bgp_io *io, const struct ip_prefix *p);
