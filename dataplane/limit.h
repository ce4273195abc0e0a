/* Lifetimes of SAs in packets and octets, and the end of the sequence space. RFC 4301 4.4.2.1, RFC 4303 3.3.3
 *
 * The hot struct only counts towards the next limit; these functions are asked when it is reached. Soft raises SA_SOFT
 * once and traffic goes on; hard raises SA_HARD once and nothing passes any more. The packet limit of an outbound SA is
 * exact: number `hard` is the last. The other limits are looked at once per run of an SA in a burst, so that up to a
 * burst may go beyond. Owner worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/sa.h"
#include "ring/stats.h"

struct worker;

/* The last number that may be sent without ESN, and with it. */
#define LIMIT_SEQ_LAST UINT64_C(0xffffffff)
#define LIMIT_ESN_LAST (UINT64_MAX - 1)
/* So many packets are left at the soft end of the sequence space, whatever limits were given. */
#define LIMIT_SEQ_LEFT (UINT64_C(1) << 28)

/* Begin to count: c has the limits. */
void limit_start_in(struct sa_in *sa, struct sa_cold *c);
void limit_start_out(struct sa_out *sa, struct sa_cold *c);

/* packets_left or bytes_left has come to 0. */
void limit_in(struct worker *w, struct sa_in *sa);
/* bytes_left has come to 0. */
void limit_out_bytes(struct worker *w, struct sa_out *sa);
/* seq has come to seq_limit. May it be sent? */
bool limit_out_seq(struct worker *w, struct sa_out *sa, uint64_t seq);
/* Why a stopped SA drops. */
enum stats_drop limit_reason_out(const struct sa_out *sa);
/* Events that did not fit into the ring when their time came. */
void limit_retry(struct worker *w, uint32_t slot, uint32_t dir);
