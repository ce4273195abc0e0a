/* A recorded table as a gateway shall forward by it, made from the octets alone: no code of bgp/ or the FIB is used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_SLOTS = 1 << 21 };

struct table_prefix {
	uint32_t addr, nexthop; /* host order; nexthop 0: withdrawn */
	uint8_t len;
	bool used;
};

struct table {
	struct table_prefix *slot; /* an open hash */
	uint32_t n;                /* with a next hop */
	uint32_t taken, n_lens[33];
	uint32_t left_out; /* messages that count as withdrawals */
};

void table_init(struct table *t);
void table_fini(struct table *t);
/* An UPDATE, header included, in which the peer names this next hop. It is written into the message, too. */
void table_update(struct table *t, uint8_t *msg, size_t len, uint32_t nexthop);
void table_set(struct table *t, uint32_t addr, uint8_t len, uint32_t nexthop);
/* Next hop of the longest match; 0: none. */
uint32_t table_lookup(const struct table *t, uint32_t addr);
