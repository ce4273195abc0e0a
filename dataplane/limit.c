#include "dataplane/limit.h"

#include <rte_byteorder.h>

#include "dataplane/sad.h"
#include "dataplane/worker.h"

/* The next octet or packet count to look out for: soft first, then hard. */
static uint64_t next_mark(uint64_t soft, uint64_t hard, bool soft_seen)
{
	return u64_min(soft_seen ? hard : u64_min(soft, hard), INT64_MAX);
}

static uint64_t seq_mark(const struct sa_cold *c)
{
	uint64_t past_hard = u64_min(c->hard_packets, c->seq_last) + 1;

	return c->soft_seen ? past_hard : u64_min(c->soft_packets, past_hard);
}

void limit_start_in(struct sa_in *sa, struct sa_cold *c)
{
	c->bytes_mark = next_mark(c->soft_bytes, c->hard_bytes, false);
	c->packets_mark = next_mark(c->soft_packets, c->hard_packets, false);
	sa->bytes_left = (int64_t)c->bytes_mark;
	sa->packets_left = (int64_t)c->packets_mark;
}

void limit_start_out(struct sa_out *sa, struct sa_cold *c)
{
	c->soft_packets = u64_min(c->soft_packets, c->seq_last - LIMIT_SEQ_LEFT + 1);
	c->bytes_mark = next_mark(c->soft_bytes, c->hard_bytes, false);
	sa->bytes_left = (int64_t)c->bytes_mark;
	sa->seq_limit = seq_mark(c);
}

static void raise_event(struct worker *w, uint32_t slot, uint32_t dir, enum msg_type type, bool *sent)
{
	const struct sad *s = w->sad;
	const struct sa_cold *c = dir == MSG_DIR_IN ? &s->cold_in[slot] : &s->cold_out[slot];
	struct msg_sa_event e = {.sa = {slot, c->gen}, .tunnel = c->tunnel, .dir = dir, .spi = c->spi};

	sad_counters(s, slot, dir, &e.c);
	*sent = worker_event(w, type, &e, sizeof(e));
}

static void soft_reached(struct worker *w, struct sa_cold *c, uint32_t slot, uint32_t dir)
{
	if (c->soft_seen)
		return;
	c->soft_seen = true;
	raise_event(w, slot, dir, MSG_SA_SOFT, &c->soft_sent);
}

static void hard_reached(struct worker *w, struct sa_cold *c, uint32_t slot, uint32_t dir, uint16_t *flags)
{
	*flags |= SA_STOPPED;
	if (c->hard_seen)
		return;
	c->hard_seen = true;
	raise_event(w, slot, dir, MSG_SA_HARD, &c->hard_sent);
}

void limit_in(struct worker *w, struct sa_in *sa)
{
	uint32_t slot = spi_slot(rte_be_to_cpu_32(sa->spi_be));
	struct sa_cold *c = &w->sad->cold_in[slot];
	uint64_t packets = c->packets_mark - (uint64_t)sa->packets_left;
	uint64_t bytes = c->bytes_mark - (uint64_t)sa->bytes_left;

	if (packets >= c->soft_packets || bytes >= c->soft_bytes)
		soft_reached(w, c, slot, MSG_DIR_IN);
	if (packets >= c->hard_packets || bytes >= c->hard_bytes) {
		hard_reached(w, c, slot, MSG_DIR_IN, &sa->flags);
		return;
	}
	c->packets_mark = next_mark(c->soft_packets, c->hard_packets, c->soft_seen);
	c->bytes_mark = next_mark(c->soft_bytes, c->hard_bytes, c->soft_seen);
	sa->packets_left = (int64_t)(c->packets_mark - packets);
	sa->bytes_left = (int64_t)(c->bytes_mark - bytes);
}

void limit_out_bytes(struct worker *w, struct sa_out *sa)
{
	struct sa_cold *c = &w->sad->cold_out[sa->slot];
	uint64_t bytes = c->bytes_mark - (uint64_t)sa->bytes_left;

	if (bytes >= c->soft_bytes)
		soft_reached(w, c, sa->slot, MSG_DIR_OUT);
	if (bytes >= c->hard_bytes) {
		hard_reached(w, c, sa->slot, MSG_DIR_OUT, &sa->flags);
		return;
	}
	c->bytes_mark = next_mark(c->soft_bytes, c->hard_bytes, c->soft_seen);
	sa->bytes_left = (int64_t)(c->bytes_mark - bytes);
	sa->seq_limit = seq_mark(c);
}

bool limit_out_seq(struct worker *w, struct sa_out *sa, uint64_t seq)
{
	struct sa_cold *c = &w->sad->cold_out[sa->slot];

	if (seq > u64_min(c->hard_packets, c->seq_last)) {
		hard_reached(w, c, sa->slot, MSG_DIR_OUT, &sa->flags);
		return false;
	}
	if (seq >= c->soft_packets)
		soft_reached(w, c, sa->slot, MSG_DIR_OUT);
	sa->seq_limit = seq_mark(c);
	return true;
}

enum stats_drop limit_reason_out(const struct sa_out *sa)
{
	return sa->seq >= (sa->flags & SA_ESN ? LIMIT_ESN_LAST : LIMIT_SEQ_LAST) ? DROP_SEQ_END : DROP_LIMIT;
}

void limit_retry(struct worker *w, uint32_t slot, uint32_t dir)
{
	struct sa_cold *c = dir == MSG_DIR_IN ? &w->sad->cold_in[slot] : &w->sad->cold_out[slot];

	if (unlikely(c->soft_seen && !c->soft_sent))
		raise_event(w, slot, dir, MSG_SA_SOFT, &c->soft_sent);
	if (unlikely(c->hard_seen && !c->hard_sent))
		raise_event(w, slot, dir, MSG_SA_HARD, &c->hard_sent);
}
