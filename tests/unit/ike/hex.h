/* Octets from text for tests: hex digits, blanks ignored. */
#pragma once

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint8_t hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Write the octets of s into buf (big enough); their number. */
static inline size_t hex(const char *s, uint8_t *buf)
{
	size_t n = 0;

	while (*s) {
		if (isspace((unsigned char)*s)) {
			s++;
			continue;
		}
		buf[n++] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
		s += 2;
	}
	return n;
}

/* The octets of s in memory of exactly their size, so that the address sanitizer sees a read beyond them. Free it. */
static inline uint8_t *hex_exact(const char *s, size_t *len)
{
	uint8_t *big = malloc(strlen(s) / 2 + 1), *exact;

	*len = hex(s, big);
	exact = malloc(*len ? *len : 1);
	memcpy(exact, big, *len);
	free(big);
	return exact;
}
