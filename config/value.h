/* Numbers with units, as people write them: durations, sizes, counts. Private to the room.
 *
 * Durations: ms s m h d w. Sizes: B KB MB GB TB and the same with i (KiB); 1 KB is 1024 octets, in the file as in
 * Azure's policies. All are unsigned decimal integers without blanks; an overflow is an error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"

enum { VALUE_STR = 32 };

/* 0; -EINVAL: not a number with such a unit; -ERANGE: too large; -ENOKEY: the number is fine, but the unit is missing
 * (*out then holds the number). */
int value_duration_ms(const char *s, uint64_t *out) MUST_USE;
int value_size(const char *s, uint64_t *out) MUST_USE;
/* Digits only. 0, -EINVAL, -ERANGE. */
int value_uint(const char *s, uint64_t *out) MUST_USE;
/* true yes on, false no off, as YAML 1.1 has them. 0 or -EINVAL. */
int value_bool(const char *s, bool *out) MUST_USE;
/* In the largest unit that divides it: "8h", "100MB". */
const char *value_duration_str(uint64_t s, char buf[VALUE_STR]);
const char *value_size_str(uint64_t octets, char buf[VALUE_STR]);
