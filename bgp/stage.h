/* What a peer is to hear next: prefixes grouped by the set that they share, withdrawals first. Private to bgp/.
 *
 * Filled once, then emptied; a prefix stands in it once. Sets in it are references.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "bgp/attr.h"

struct intern;
struct stage;

struct stage *stage_new(void);
void stage_free(struct stage *s); /* of an empty one; NULL is fine */
bool stage_empty(const struct stage *s);
bool stage_full(const struct stage *s);
/* set: a reference, taken over; NULL: withdraw. Not when full. */
void stage_add(struct stage *s, struct intern *in, const struct bgp_attrs *set, const struct ip_prefix *p);
/* The next prefix of the first group, NULL: all is gone. *set: the group's. */
const struct ip_prefix *stage_peek(const struct stage *s, const struct bgp_attrs **set);
/* Take off what stage_peek() shows; the set's reference goes with the last of its group. */
void stage_pop(struct stage *s, struct intern *in);
/* Forget all. */
void stage_drop(struct stage *s, struct intern *in);
uint64_t stage_octets(void);
