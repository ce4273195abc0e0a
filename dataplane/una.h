/* Words at any address: packets put them where they like. In memory order; on x86 each is one plain load or store. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint16_t una_get16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t una_get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t una_get64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void una_put16(void *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void una_put32(void *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void una_put64(void *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}
