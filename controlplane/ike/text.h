/* A bounded text for messages to people: writes what fits, always ends with NUL. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/build.h"

struct text {
	char *buf;
	size_t len, cap;
};

static inline struct text text_of(char *buf, size_t cap)
{
	if (cap > 0)
		buf[0] = '\0';
	return (struct text){.buf = buf, .cap = cap};
}

static inline void PRINTF(2, 3) text_say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->len + 1 >= t->cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->cap - t->len ? (size_t)n : t->cap - t->len - 1;
}

/* Show a cut: the last three characters become dots when the text is full. Lends the text. */
static inline const char *text_end(struct text *t)
{
	if (t->cap > 4 && t->len + 1 >= t->cap)
		for (size_t i = 1; i <= 3; i++)
			t->buf[t->cap - 1 - i] = '.';
	return t->cap ? t->buf : "";
}
