/* The decision process in numbered steps. RFC 4271 9.1.1, 9.1.2.2. Private to bgp/. Thread: the core's.
 *
 * Phase 2 as elimination: each step takes out of the candidates those that are worse, and says so in their lost_at; so the
 * order in which paths came never matters (MED is compared among paths of one neighbouring AS only, 9.1.2.2 c, and is
 * therefore no order between pairs).
 *
 *   1  originated here          before all that is learned (as others do by weight; 9.1.1 leaves it open)
 *   2  LOCAL_PREF               higher; 100 when the import policy has set none (9.1.1)
 *   3  AS_PATH                  shorter; a set counts 1 (9.1.2.2 a)
 *   4  ORIGIN                   lower (b)
 *   5  MED                      lower, among the same neighbouring AS; missing is 0 (c)
 *      eBGP before iBGP         (d): all are eBGP
 *   6  distance of the next hop lower (e)
 *   7  BGP Identifier           lower (f)
 *   8  peer address             lower (g)
 *
 * Those that are equal through step 6 share the load when they come from the same neighbouring AS as the best and have
 * another next hop than each before them. (Equal length is given by step 3. FRR asks for the identical path, or with
 * `multipath-relax` for equal length only: this lies between.)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/xlist.h"
#include "bgp/attr.h"

#define DECIDE_STEPS(X)                       \
	X(DECIDE_BEST, "best")                \
	X(DECIDE_LOCAL, "originated here")    \
	X(DECIDE_PREF, "local preference")    \
	X(DECIDE_PATH, "AS path length")      \
	X(DECIDE_ORIGIN, "origin")            \
	X(DECIDE_MED, "MED")                  \
	X(DECIDE_METRIC, "next hop distance") \
	X(DECIDE_ID, "router ID")             \
	X(DECIDE_ADDR, "peer address")
XLIST_ENUM(decide_step, DECIDE_STEP_N, DECIDE_STEPS);
const char *decide_step_name(unsigned v);

enum { DECIDE_PREF_DEFAULT = 100 };

/* An eligible path. */
struct decide_path {
	const struct bgp_attrs *a; /* after import policy */
	const struct ip_addr *peer;
	uint32_t metric, id;
	uint32_t nexthop; /* equal numbers are the same next hop */
	uint32_t tag;     /* the caller's */
	bool local;       /* originated here */
	uint8_t lost_at;  /* out: enum decide_step */
};

/* Order p[n]: the best, then those that share with it (at most max together), then all others. How many are in force; 0
 * only for n == 0. */
unsigned decide(struct decide_path *p, unsigned n, unsigned max);
