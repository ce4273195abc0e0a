#include "dataplane/stats.h"

#include "base/build.h"
#include "dataplane/limit.h"
#include "dataplane/sad.h"
#include "dataplane/worker.h"

_Static_assert(sizeof(struct stats_worker) % sizeof(uint64_t) == 0, "copied word by word");
_Static_assert(sizeof(struct msg_sa_counters) % sizeof(uint64_t) == 0, "copied word by word");

static void store(void *to, const void *from, size_t len)
{
	uint64_t *t = to;
	const uint64_t *f = from;

	for (size_t i = 0; i < len / sizeof(*t); i++)
		__atomic_store_n(&t[i], f[i], __ATOMIC_RELAXED);
}

static void publish_sa(struct worker *w, uint32_t slot, uint32_t dir)
{
	const struct sad *s = w->sad;
	const struct sa_cold *c = dir == MSG_DIR_IN ? &s->cold_in[slot] : &s->cold_out[slot];
	struct msg_sa_counters now;

	limit_retry(w, slot, dir);
	if (w->sa_stats == NULL)
		return;
	struct stats_sa *to = &w->sa_stats[slot * 2 + dir];

	sad_counters(s, slot, dir, &now);
	store(&to->c, &now, sizeof(now));
	if (dir == MSG_DIR_OUT) {
		pmtu_age(w, &w->sad->out[slot], c->tunnel.slot);
		__atomic_store_n(&to->mtu, w->sad->out[slot].mtu, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&to->spi, c->spi, __ATOMIC_RELAXED);
	__atomic_store_n(&to->gen, c->gen, __ATOMIC_RELEASE);
}

static void publish_slots(struct worker *w, uint32_t from, uint32_t to)
{
	const struct sad *s = w->sad;

	for (uint32_t i = from; i < to; i++) {
		if (atomic_load_explicit(&s->owner_in[i], memory_order_relaxed) == w->id)
			publish_sa(w, i, MSG_DIR_IN);
		if (atomic_load_explicit(&s->owner_out[i], memory_order_relaxed) == w->id)
			publish_sa(w, i, MSG_DIR_OUT);
	}
}

void stats_publish(struct worker *w, bool all)
{
	uint32_t n = w->sad->n_sas, from = all ? 0 : w->sa_publish_next;
	uint32_t to = all || n - from < STATS_SAS_PER_TURN ? n : from + STATS_SAS_PER_TURN;

	publish_slots(w, from, to);
	w->sa_publish_next = to < n ? to : 0;
	if (w->stats != NULL)
		store(w->stats, &w->count, sizeof(w->count));
	w->published_tsc = w->now_tsc;
}
