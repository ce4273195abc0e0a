/* Keys live here and nowhere else: fixed storage, wiped at the end, compared in constant time, without a print function. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_MAX 512 /* octets; a modp4096 shared secret fits */

struct secret {
	uint16_t len; /* octets in b */
	uint8_t b[SECRET_MAX];
};

/* Overwrite memory so that the compiler cannot leave it out. */
void secret_wipe(void *p, size_t len);
/* Set s to len octets; -EMSGSIZE (s wiped) when they do not fit. */
int secret_set(struct secret *s, const void *from, size_t len) __attribute__((warn_unused_result));
void secret_fini(struct secret *s);
/* Same octets? Time depends on len only. */
bool secret_equal(const void *a, const void *b, size_t len);
