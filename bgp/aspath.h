/* AS_PATH in its kept form: segments {type, count, count 4-octet AS numbers in network order}. RFC 4271 4.3, 5.1.2, 9.1.2.2; 5065 no.
 *
 * Private to bgp/. Paths given here are well formed (attr.c has seen to it).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
