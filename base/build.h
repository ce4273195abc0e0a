/* Compiler and cache-line helpers that every room may use. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define MUST_USE     __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UNUSED       __attribute__((unused))

#define CACHE_LINE 64

#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that holds member m at p. DPDK has one of its own, and says the same. */
#ifndef container_of
#define container_of(p, type, m) ((type *)(void *)((char *)(p)-offsetof(type, m)))
#endif

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
