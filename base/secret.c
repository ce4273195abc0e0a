#include "base/secret.h"

#include <errno.h>
#include <string.h>

void secret_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

int secret_set(struct secret *s, const void *from, size_t len)
{
	secret_fini(s);
	if (len > sizeof(s->b))
		return -EMSGSIZE;
	memcpy(s->b, from, len);
	s->len = (uint16_t)len;
	return 0;
}

void secret_fini(struct secret *s)
{
	secret_wipe(s, sizeof(*s));
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= (uint8_t)(x[i] ^ y[i]);
	return diff == 0;
}
