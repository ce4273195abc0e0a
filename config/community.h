/* Standard communities as people write them: "65010:1", or the word of a well-known one. RFC 1997, 3765, 7999, 8326 */
#pragma once

#include <stdint.h>

#include "base/build.h"

enum { COMMUNITY_STR = 24 };

/* 0 or -EINVAL. */
int community_parse(const char *s, uint32_t *out) MUST_USE;
/* The word, or "AS:VALUE"; buf is lent. */
const char *community_str(uint32_t c, char buf[COMMUNITY_STR]);
