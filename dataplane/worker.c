#include "dataplane/worker.h"

#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>

#include "base/err.h"
#include "dataplane/classify.h"
#include "dataplane/cmd.h"
#include "dataplane/drop.h"
#include "dataplane/esp_in.h"
#include "dataplane/esp_out.h"
#include "dataplane/fwd.h"
#include "dataplane/handoff.h"
#include "dataplane/icmp.h"
#include "dataplane/local.h"
#include "dataplane/neigh.h"
#include "dataplane/parse.h"
#include "dataplane/pmtu.h"
#include "dataplane/punt.h"
#include "dataplane/reasm.h"
#include "dataplane/rx.h"
#include "dataplane/sad.h"
#include "dataplane/stats.h"
#include "dataplane/tun.h"
#include "dataplane/tx.h"

enum {
	IDLE_SPINS = 1024, /* empty polls before the first sleep */
	IDLE_SLEEP_MAX_US = 100,
	BAD_SPI_PER_S = 10,
	BAD_SPI_BURST = 10,
	PUBLISH_HZ = 100,
};

/* --- the packet's way --- */

/* ESP to inner packets. The next burst is taken from the ports before the cipher runs, which fetches its lines
 * meanwhile: the memory's latency is then hidden behind the arithmetic. */
static void decrypt(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	struct sa_in *sa[VEC_BURST];
	uint16_t n, at = 0;

	while ((n = vec_next(&w->esp, &at, m)) != 0) {
		n = esp_in_lookup(w, m, sa, n);
		esp_in_prepare(w, m, sa, n, w->batch_in);
		rx_ahead(w);
		crypto_run(&w->crypto, w->batch_in, w->ahead, w->n_ahead);
		n = esp_in_finish(w, w->batch_in, m);
		vec_append(&w->fwd, m, n);
	}
}

/* Clear packets to their port (w->out) or tunnel (w->enc, another worker). Answers to packets for ourselves, and ICMP
 * errors, join the list that is being worked on. */
static void forward(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	struct fib_nh nh[VEC_BURST];
	uint16_t n, at = 0;

	while ((n = vec_next(&w->fwd, &at, m)) != 0) {
		if (transport_any(&w->sad->transport))
			n = transport_out(w, m, n);
		fwd_lookup(w, m, nh, n);
		fwd_send(w, m, nh, n);
		local_burst(w);
	}
}

/* Clear packets of our tunnels to ESP, and that to its port. */
static void encrypt(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	uint16_t n, at = 0;

	esp_out_lookup(w);
	while ((n = vec_next(&w->ready, &at, m)) != 0) {
		esp_out_prepare(w, m, w->ready_sa + at - n, n, w->batch_out);
		rx_ahead(w);
		crypto_run(&w->crypto, w->batch_out, w->ahead, w->n_ahead);
		n = esp_out_finish(w, w->batch_out, m);
		fwd_outer(w, m, n);
	}
}

/* Ethernet headers, and out. A neighbour is looked up after the cipher, never before: a packet that has to wait for one
 * must not wait in clear. */
static void transmit(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	uint16_t n, at = 0;

	while ((n = vec_next(&w->out, &at, m)) != 0) {
		n = neigh_rewrite(w, m, n);
		tx_push(w, m, n);
	}
	tx_flush(w);
}

/* A stage of a timed poll has ended, n packets went through it. */
static inline void staged(struct worker *w, enum stats_stage stage, uint32_t n)
{
	uint64_t now;

	if (likely(!w->sampled))
		return;
	now = rte_rdtsc();
	if (n != 0) {
		w->count.stage[stage].packets += n;
		w->count.stage[stage].cycles += now - w->mark_tsc;
	}
	w->mark_tsc = now;
}

bool worker_poll(struct worker *w)
{
	struct rte_mbuf *m[VEC_BURST];
	uint16_t n;

	w->now_tsc = rte_rdtsc();
	w->worked = false;
	if (unlikely(w->polls_left-- == 0))
		worker_turn(w);
	w->sampled = ++w->n_polls % WORKER_SAMPLE == 0;
	if (unlikely(w->sampled))
		w->mark_tsc = rte_rdtsc(); /* the turn is behind us */

	/* From the wire: sound IPv4 only; ESP of our SAs to w->esp, of others' to their owner, all else to w->fwd. */
	n = rx_burst(w, m);
	w->worked |= n != 0;
	staged(w, STATS_RX, n);
	n = parse_burst(w, m, n);
	classify_burst(w, m, n);
	staged(w, STATS_PARSE, n);

	/* From other workers: ESP of our SAs to w->esp, clear packets for our tunnels to w->enc; frames that
	 * they have no queue for to w->tx[]. */
	n = handoff_pop(w, m, VEC_BURST);
	w->worked |= n != 0;
	classify_handed(w, m, n);

	/* From the control plane: IKE to w->fwd. From the ctl thread: what the kernel sends, to w->fwd; frames that waited for their
	 * neighbour. */
	w->worked |= punt_ike_out(w, &w->fwd) != 0;
	w->worked |= tun_poll(w) != 0;
	w->worked |= neigh_poll(w) != 0;

	n = w->esp.n;
	decrypt(w); /* w->esp -> w->fwd */
	staged(w, STATS_DECRYPT, n);
	n = w->fwd.n;
	forward(w); /* w->fwd -> w->out, w->enc; w->local -> IKE rings, TUN, or back into w->fwd */
	staged(w, STATS_FORWARD, n);
	n = w->enc.n;
	encrypt(w); /* w->enc -> w->ready -> w->out */
	staged(w, STATS_ENCRYPT, n);
	n = w->out.n;
	transmit(w); /* w->out -> w->tx[] -> the wire */
	staged(w, STATS_TX, n);

	handoff_flush(w);
	drop_flush(w); /* every packet that is dead by now, in one go */
	if (unlikely(w->bell_pending)) {
		w->bell_pending = false;
		shm_ring_bell(w->bell_control);
	}
	return w->worked;
}

/* --- what is not per packet --- */

void worker_turn(struct worker *w)
{
	bool rest = !w->worked && w->idle_polls != 0;
	uint64_t since = w->now_tsc - w->published_tsc;

	w->polls_left = WORKER_POLLS_PER_TURN;
	w->worked |= cmd_poll(w);
	reasm_age(w);
	if (w->qsbr != NULL)
		rte_rcu_qsbr_quiescent(w->qsbr, w->id);
	if (since < w->tsc_hz / PUBLISH_HZ)
		return;
	if (!rest)
		stats_publish(w, false);
	else if (w->unpublished || since >= w->tsc_hz)
		stats_publish(w, true);
	w->unpublished = !rest;
}

bool worker_event(struct worker *w, enum msg_type type, void *m, uint16_t len)
{
	struct msg_hdr *h = m;
	int err;

	if (w->evt == NULL)
		return false;
	*h = (struct msg_hdr){.type = (uint16_t)type, .len = len, .attach = w->attach};
	err = spsc_push(w->evt, m, len);
	if (err != 0) {
		w->count.evt_lost++;
		if (err == -EPROTO)
			cmd_broken(w);
		return false;
	}
	w->bell_pending = true;
	return true;
}

void worker_bucket_init(struct worker_bucket *b, uint64_t tsc_hz, uint32_t per_s, uint32_t burst)
{
	*b = (struct worker_bucket){.cost_tsc = tsc_hz / per_s, .last_tsc = rte_rdtsc()};
	b->cap_tsc = b->cost_tsc * burst;
	b->tokens_tsc = b->cap_tsc;
}

bool worker_bucket_take(struct worker_bucket *b, uint64_t now_tsc)
{
	if (now_tsc > b->last_tsc) {
		b->tokens_tsc = u64_min(b->tokens_tsc + u64_min(now_tsc - b->last_tsc, b->cap_tsc), b->cap_tsc);
		b->last_tsc = now_tsc;
	}
	if (b->tokens_tsc < b->cost_tsc)
		return false;
	b->tokens_tsc -= b->cost_tsc;
	return true;
}

int worker_init(struct worker *w, uint8_t id, const char **why)
{
	const char *set = "";
	int err = crypto_self_test(&set);

	*why = "out of memory";
	if (err != 0) {
		*why = err == -EIO ? "a known-answer test of the cipher failed" : *why;
		return err == -EIO ? -ENOTSUP : err;
	}
	err = crypto_init(&w->crypto);
	if (err != 0) {
		if (err == -ENOTSUP)
			*why = "the CPU has no AES instructions that the cipher could use";
		else if (err == -EIO)
			*why = "the kernel gives no randomness";
		return err;
	}
	w->id = id;
	w->batch_in = rte_zmalloc("batch", sizeof(*w->batch_in), CACHE_LINE);
	w->batch_out = rte_zmalloc("batch", sizeof(*w->batch_out), CACHE_LINE);
	if (w->batch_in == NULL || w->batch_out == NULL) {
		worker_fini(w);
		return -ENOMEM;
	}
	w->tsc_hz = rte_get_tsc_hz();
	w->now_tsc = rte_rdtsc();
	w->started_tsc = w->now_tsc;
	w->ip_id = (uint16_t)rte_rand();
	w->frag6_id = (uint32_t)rte_rand();
	worker_bucket_init(&w->icmp, w->tsc_hz, ICMP_ERRORS_PER_S, ICMP_ERRORS_BURST);
	worker_bucket_init(&w->icmp6, w->tsc_hz, ICMP_ERRORS_PER_S, ICMP_ERRORS_BURST);
	worker_bucket_init(&w->bad_spi, w->tsc_hz, BAD_SPI_PER_S, BAD_SPI_BURST);
	worker_bucket_init(&w->pmtu, w->tsc_hz, PMTU_PER_S, PMTU_BURST);
	return 0;
}

static void vec_free(struct vec *v)
{
	rte_pktmbuf_free_bulk(v->m, v->n);
	v->n = 0;
}

void worker_fini(struct worker *w)
{
	struct vec *lists[] = {&w->esp, &w->fwd, &w->local, &w->enc, &w->ready, &w->out, &w->dead};

	rte_pktmbuf_free_bulk(w->ahead, w->n_ahead);
	w->n_ahead = 0;
	for (unsigned i = 0; i < N_ELEMS(lists); i++)
		vec_free(lists[i]);
	for (unsigned i = 0; i < WORKER_PORTS_MAX; i++)
		vec_free(&w->tx[i]);
	rte_free(w->batch_in);
	rte_free(w->batch_out);
	w->batch_in = w->batch_out = NULL;
	crypto_fini(&w->crypto);
}

/* --- the thread --- */

/* Nothing to do: wait a little, longer each time, unless the doorbell rings. The cap keeps the first packet of a quiet
 * port from waiting longer than that. */
static void rest(struct worker *w)
{
	uint32_t beyond;
	struct timespec t = {0};
	struct pollfd bell = {.fd = w->bell, .events = POLLIN};

	w->idle_polls++;
	if (w->spin || w->idle_polls < IDLE_SPINS) {
		rte_pause();
		return;
	}
	beyond = w->idle_polls - IDLE_SPINS;
	t.tv_nsec = (beyond < 100 ? beyond + 1 : IDLE_SLEEP_MAX_US) * 1000;
	w->count.idle_sleeps++;
	if (ppoll(&bell, 1, &t, NULL) > 0 && !shm_clear_bell(w->bell))
		cmd_broken(w);
	w->now_tsc = rte_rdtsc();
	worker_turn(w);
}

int worker_run(void *arg)
{
	struct worker *w = arg;
	uint64_t last;

	prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0); /* ns: the default of 50 us is too coarse for sleeps of 100 us */
	if (w->qsbr != NULL) {
		rte_rcu_qsbr_thread_register(w->qsbr, w->id);
		rte_rcu_qsbr_thread_online(w->qsbr, w->id);
	}
	last = rte_rdtsc();
	while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
		bool worked = worker_poll(w);
		uint64_t now = rte_rdtsc();

		w->count.polls++;
		w->count.tsc_total += now - last; /* sleeps included */
		if (worked) {
			w->count.tsc_busy += now - w->now_tsc;
			w->idle_polls = 0;
			w->unpublished = true;
		} else {
			rest(w);
		}
		last = now;
	}
	stats_publish(w, true);
	if (w->qsbr != NULL) {
		rte_rcu_qsbr_thread_offline(w->qsbr, w->id);
		rte_rcu_qsbr_thread_unregister(w->qsbr, w->id);
	}
	return 0;
}
