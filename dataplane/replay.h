/* The anti-replay window as a ring of 64-bit words, and extended sequence numbers. RFC 6479; RFC 4303 3.4.3, A2
 *
 * Bit s % BITS of the ring stands for sequence number s. Moving the head clears only the words that it passes; nothing
 * is shifted. The ring holds one word more than the largest window needs, so that the word being filled never overlaps
 * the window's left edge. Owner worker only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"

enum { REPLAY_WORDS = 32, REPLAY_BITS = REPLAY_WORDS * 64, REPLAY_WINDOW_MAX = 1024 };
_Static_assert(REPLAY_WINDOW_MAX <= REPLAY_BITS - 64, "RFC 6479 2: one word is redundant");

enum replay { REPLAY_OK, REPLAY_OLD, REPLAY_SEEN };

/* The 64-bit number whose low half is `low`: the one that lies nearest to the window. RFC 4303 A2.2. 0, which no packet has: it would
 * be before the first. Without a window the largest one is assumed. */
static inline uint64_t replay_esn(uint64_t head, uint16_t window, uint32_t low)
{
	const uint64_t high = head >> 32;
	const uint32_t span = window != 0 ? window : REPLAY_WINDOW_MAX;
	const uint32_t top = (uint32_t)head, bottom = top - span + 1; /* mod 2^32 */

	if (top >= span - 1) /* A: the window lies in one subspace; what is below it is in the next */
		return (low >= bottom ? high : high + 1) << 32 | low;
	if (low >= bottom) /* B: it spans two; this is in the former */
		return high == 0 ? 0 : (high - 1) << 32 | low;
	return high << 32 | low;
}

/* Would seq be taken? head: highest so far. window 0: everything but 0 is taken. */
static inline enum replay replay_check(const uint64_t bitmap[REPLAY_WORDS], uint64_t head, uint16_t window,
				       uint64_t seq)
{
	if (unlikely(seq == 0)) /* RFC 4303 3.4.3: the first packet is 1 */
		return REPLAY_OLD;
	if (seq > head || window == 0)
		return REPLAY_OK;
	if (head - seq >= window)
		return REPLAY_OLD;
	return bitmap[(seq / 64) % REPLAY_WORDS] >> (seq % 64) & 1 ? REPLAY_SEEN : REPLAY_OK;
}

/* Enter an authenticated seq that replay_check() lets pass. */
static inline void replay_update(uint64_t bitmap[REPLAY_WORDS], uint64_t *head, uint64_t seq)
{
	if (seq > *head) {
		uint64_t word = *head / 64, steps = seq / 64 - word;

		if (unlikely(steps > REPLAY_WORDS))
			steps = REPLAY_WORDS;
		for (uint64_t i = 1; i <= steps; i++)
			bitmap[(word + i) % REPLAY_WORDS] = 0;
		*head = seq;
	}
	bitmap[(seq / 64) % REPLAY_WORDS] |= UINT64_C(1) << (seq % 64);
}
