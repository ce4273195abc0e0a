/* Files that the config names: opened with care, read as a whole. Private to the room. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/build.h"

struct file_want {
	const char *what; /* "PSK", "private key": for texts */
	size_t max;       /* octets */
	bool secret;      /* refused when others than its owner can read it */
};

/* Open path (relative to dir unless that is NULL). A descriptor; or -errno, with what is wrong and the cure in err, a text of
 * cap octets. */
int file_open(const char *dir, const char *path, const struct file_want *want, char *err, size_t cap) MUST_USE;
/* Fill b as far as the file goes; the count, or -errno. */
ssize_t file_fill(int fd, uint8_t *b, size_t cap) MUST_USE;
/* The whole of path in *p, malloc'd: *len octets, 1..max. Where it is secret, the caller wipes it. 0 or as file_open(). Nothing
 * of the contents is ever in err. */
int file_read(const char *dir, const char *path, const struct file_want *want, uint8_t **p, size_t *len, char *err,
	      size_t cap) MUST_USE;
