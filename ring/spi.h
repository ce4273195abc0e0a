/* An inbound SPI that we allocate is a slot index in its low bits and randomness above, so that lookup is an array access
 * and a compare. Nobody but this file knows the split. 0..255 are reserved (RFC 4303 2.1) and never come out.
 */
#pragma once

#include <stdint.h>

enum { SPI_SLOT_BITS = 20, SPI_SLOTS_MAX = 1 << SPI_SLOT_BITS };

/* slot < SPI_SLOTS_MAX; rnd is any random value. */
static inline uint32_t spi_make(uint32_t slot, uint32_t rnd)
{
	uint32_t hi = rnd >> SPI_SLOT_BITS;

	if (hi == 0) /* would reach into 0..255 and other small numbers */
		hi = 1 + (rnd & 0x7ff);
	return hi << SPI_SLOT_BITS | slot;
}

static inline uint32_t spi_slot(uint32_t spi)
{
	return spi & (SPI_SLOTS_MAX - 1);
}
