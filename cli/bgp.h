/* BGP's state for people, in the words that routers use. data: what the control plane gives (status_bgp.c). */
#pragma once

#include "cli/page.h"

void bgp_summary_print(FILE *f, const json_t *data);
void bgp_neighbor_print(FILE *f, const json_t *data);
/* All paths of one prefix. */
void bgp_route_print(FILE *f, const char *prefix, const json_t *data);
/* Tables of routes: a path of each prefix, or all paths of each. ctx is not used. */
extern const struct page_view bgp_table, bgp_paths;
