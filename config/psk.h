/* Pre-shared keys from files of their own. Private to the room. */
#pragma once

#include <stddef.h>

#include "base/build.h"
#include "base/secret.h"

/* The whole of path (relative to dir unless that is NULL) without the newline at its end. 0; or -errno, with what is
 * wrong and the cure in err, a text of cap octets. Nothing of the contents is ever in err. */
int psk_read(const char *dir, const char *path, struct secret *out, char *err, size_t cap) MUST_USE;
