/* Which nets have changed, in order, for readers at their own pace (the Adj-RIBs-Out). Private to bgp/.
 *
 * One array for all readers. The owner sees to it that a net whose entry nobody has read yet is not entered again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct journal {
	uint32_t *ring;
	uint32_t cap;        /* a power of two, or 0 */
	uint64_t start, end; /* entries start..end-1 are kept */
	uint64_t read;       /* entries before this one have been read by somebody */
};

void journal_fini(struct journal *j);
void journal_add(struct journal *j, uint32_t v);
/* Entries before `to` are wanted by nobody any more. */
void journal_trim(struct journal *j, uint64_t to);

static inline uint32_t journal_at(const struct journal *j, uint64_t pos)
{
	return j->ring[pos & (j->cap - 1)];
}
