/* Secrets from files of their own: pre-shared keys, passwords. Private to the room. */
#pragma once

#include <stddef.h>

#include "base/build.h"
#include "base/secret.h"

/* The whole of path (relative to dir unless that is NULL) without the newline at its end: `what`, of at most max octets
 * (<= CFG_PSK_MAX). 0; or -errno, with what is wrong and the cure in err, a text of cap octets. Nothing of the contents is
 * ever in err. */
int psk_read(const char *dir, const char *path, const char *what, size_t max, struct secret *out, char *err,
	     size_t cap) MUST_USE;
