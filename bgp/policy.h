/* Import and export policies, compiled: prefix lists, as-path lists (FRR's regex dialect), entries in order. Private to bgp/.
 *
 * First matching entry decides; an entry without conditions matches all; the end of a policy denies. A list: first matching row
 * decides, permit = matches, deny = does not match; its end = does not match. RFC 8212 is the caller's: no policy, no routes.
 * Verdicts of as-path lists are remembered by path, and what the last set became by each entry that sets something: such an
 * entry holds a reference to both until it sees another one, or the set of policies is freed. Thread: the core's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "bgp/attr.h"
#include "config/config.h"

struct intern;
struct policy_set; /* all of a config */
struct policy;

/* The config has been checked: regexes compile, names exist. c and in are lent for the life of the set. */
struct policy_set *policy_set_new(const struct config *c, struct intern *in);
void policy_set_free(struct policy_set *s);
/* NULL: no such name, or "". */
const struct policy *policy_find(const struct policy_set *s, const char *name);
/* Do these say the same (for "which peers must be evaluated anew")? */
bool policy_equal(const struct policy *a, const struct policy *b);

/* Whom a route is from or to. */
struct policy_ctx {
	uint32_t local_as, peer_as;
};
/* What p says to prefix with set a. NULL: denied. Else the resulting set, one reference for the caller (a itself when nothing is
 * set). *entry: number of the entry that decided (1..), 0: the end; may be NULL.
 * Of an entry: remove-as, as-override, prepend in this order; remove-communities before community; next-hop only for a prefix of
 * its family. What would become larger than a set can be is denied. */
const struct bgp_attrs *policy_apply(const struct policy *p, const struct policy_ctx *ctx,
				     const struct ip_prefix *prefix, const struct bgp_attrs *a, unsigned *entry);
