/* AS_PATH in its kept form: segments {type, count, count 4-octet AS numbers in network order}. RFC 4271 4.3, 5.1.2, 9.1.2.2;
 * 6793 4.2 (2-octet peers); 7607 (AS 0); 9774 (sets). Confederations (5065) have no place here.
 *
 * Private to bgp/. Paths in kept form are well formed: aspath_decode() has seen to it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"

/* Length for the decision: each AS of a sequence counts, a set counts 1. */
unsigned aspath_hops(const uint8_t *path, size_t len);
/* The first AS of a leading AS_SEQUENCE; 0: empty, or it begins with a set. */
uint32_t aspath_first(const uint8_t *path, size_t len);
/* The AS that originated the route: the last of the last sequence; 0: none. */
uint32_t aspath_origin(const uint8_t *path, size_t len);
bool aspath_contains(const uint8_t *path, size_t len, uint32_t as);
/* "65010 65020 {1,2}": sets in braces, separated by commas (as FRR prints and matches). Always NUL-terminated, cut without "...".
 * The length that was needed. */
size_t aspath_text(const uint8_t *path, size_t len, char *buf, size_t cap);
/* The path with as put in front n times (a new or the leading sequence, split at 255). Octets written; 0: cap is too small. */
size_t aspath_prepend(const uint8_t *path, size_t len, uint32_t as, unsigned n, uint8_t *out, size_t cap);
/* Every `from` of the path becomes `to` (as-override), or goes (to 0). Octets written. out has len octets. */
size_t aspath_replace(const uint8_t *path, size_t len, uint32_t from, uint32_t to, uint8_t *out);

/* --- the wire --- */

enum {
	ASPATH_AS4 = 1 << 0,         /* numbers of 4 octets */
	ASPATH_SETS = 1 << 1,        /* sets are fine */
	ASPATH_DROP_CONFED = 1 << 2, /* confederation segments are left out (AS4_PATH, 6793 6), not an error */
};
/* An AS_PATH's value into kept form; out has room for twice its octets. NULL: *len octets are in out, *hops as aspath_hops() says;
 * else what is wrong, in words. */
const char *aspath_decode(struct rd v, unsigned flags, uint8_t *out, size_t *len, unsigned *hops) MUST_USE;
/* The value for a peer that takes 4 octets or (AS_TRANS for what does not fit) 2. */
void aspath_encode(struct wr *w, const uint8_t *path, size_t len, bool as4);
/* Does it need AS4_PATH beside a 2-octet AS_PATH? */
bool aspath_wide(const uint8_t *path, size_t len);
bool aspath_has_set(const uint8_t *path, size_t len);
/* RFC 6793 4.2.3: the leading part of path that as4 does not cover, and as4 behind it. path has as many hops as as4 or more. out has
 * room for both. Octets written. */
size_t aspath_merge(const uint8_t *path, size_t len, const uint8_t *as4, size_t as4_len, uint8_t *out);
