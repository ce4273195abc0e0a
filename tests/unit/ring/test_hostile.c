/* A peer that writes garbage into every header, index and slot of the segment while we work on it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ring/shm.h"
#include "ring/spi.h"
#include "valid.h"

enum { ROUNDS = 60000, SECONDS = 4 };

static uint64_t rnd_state = 88172645463325252u;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 32);
}

/* The victim's own indexes, told to the hostile process so that its lies are near the truth as often as far from it. */
static _Atomic uint32_t *progress;

/* One ring, one piece of mischief: an index a little or far off, a slot of noise, a valid message with one octet wrong.
 */
static void spoil_ring(struct spsc *q, uint32_t at)
{
	_Atomic uint32_t *index = rnd() & 1 ? &q->shm->head : &q->shm->tail;
	uint8_t *slot = spsc_slot(q, at + rnd() % 4);
	union msg m;

	switch (rnd() % 8) {
	case 0:
		atomic_store_explicit(index, rnd() % 16 ? at : rnd(), memory_order_relaxed);
		return;
	case 1:
	case 2:
		atomic_store_explicit(&q->shm->head, at + rnd() % (q->mask + 3), memory_order_relaxed);
		atomic_store_explicit(&q->shm->tail, at - rnd() % (q->mask + 3), memory_order_relaxed);
		return;
	case 3:
		for (uint32_t i = 0; i < q->slot_size; i++)
			slot[i] = (uint8_t)rnd();
		return;
	case 4: /* a datagram that never ends, or an almost good one */
		if (q->slot_size == MSG_IKE_SLOT) {
			struct msg_ike k = valid_ike();

			k.len = rnd() & 1 ? MSG_IKE_DATA : (uint16_t)rnd();
			k.flags |= rnd() & 1;
			memcpy(slot, &k, MSG_IKE_HDR);
		}
		return;
	default:
		if (q->slot_size == MSG_SLOT && valid_msg(&m, rnd() % MSG_TYPE_N)) {
			if (rnd() & 1)
				m.bytes[rnd() % m.hdr.len] = (uint8_t)rnd();
			memcpy(slot, &m, sizeof(m));
		}
	}
}

static unsigned all_rings(struct shm *s, struct spsc *out[16])
{
	unsigned n = 0;

	for (uint32_t w = 0; w < s->hello.workers; w++) {
		out[n++] = &s->w[w].cmd;
		out[n++] = &s->w[w].evt;
		out[n++] = &s->w[w].ike_init;
		out[n++] = &s->w[w].ike_in;
		out[n++] = &s->w[w].ike_out;
	}
	out[n++] = &s->ctl_cmd;
	out[n++] = &s->ctl_evt;
	out[n++] = &s->route;
	return n;
}

static void be_hostile(struct shm *s)
{
	struct spsc *q[16];
	unsigned n = all_rings(s, q), i;

	/* never a bell, never an end: killed by the test */
	for (;;) {
		i = rnd() % n;
		spoil_ring(q[i], atomic_load_explicit(&progress[i], memory_order_relaxed));
		((uint8_t *)s->hdr)[rnd() % sizeof(*s->hdr)] = (uint8_t)rnd();
		((uint8_t *)s->worker_stats)[rnd() % (2 * sizeof(*s->worker_stats))] = (uint8_t)rnd();
	}
}

struct tally {
	uint64_t good, bad, stale, proto;
};

static void count(struct tally *t, int rc)
{
	t->good += rc >= 0;
	t->bad += rc == -EBADMSG;
	t->stale += rc == -ESTALE;
	t->proto += rc == -EPROTO;
}

/* What passed may be used to index: these arrays have exactly the promised sizes. */
static void use(const union msg *m, uint8_t *sas, uint8_t *tunnels, uint8_t *nexthops)
{
	switch (m->hdr.type) {
	case MSG_SA_IN_ADD:
	case MSG_SA_OUT_ADD: {
		const struct msg_sa_add *a = (const void *)m;
		uint8_t copy[36];

		sas[a->sa.slot]++;
		tunnels[a->tunnel.slot]++;
		if (a->hdr.type == MSG_SA_IN_ADD)
			sas[spi_slot(a->spi)]++;
		memcpy(copy, a->key, a->key_len);
		assert_in_range(a->n_ts, 1, MSG_TS_MAX);
		break;
	}
	case MSG_TUNNEL_SET:
		tunnels[((const struct msg_tunnel_set *)m)->tunnel.slot]++;
		assert_true(strlen(((const struct msg_tunnel_set *)m)->name) < 32);
		break;
	case MSG_NEXTHOP_SET:
		nexthops[((const struct msg_nexthop *)m)->id]++;
		break;
	case MSG_SA_SOFT:
		sas[((const struct msg_sa_event *)m)->sa.slot]++;
		break;
	default:
		break;
	}
}

/* Every pop and push that either process does, on its end of every ring. */
static void work(struct shm *s, struct tally *t, uint8_t *sas, uint8_t *tunnels, uint8_t *nexthops, uint8_t *out)
{
	struct msg_route r;
	struct msg_ike k;
	union msg m;
	int rc;

	for (uint32_t w = 0; w < 2; w++) {
		rc = spsc_pop(&s->w[w].cmd, &m);
		if (!rc)
			rc = msg_check_cmd(&m, &valid_limits);
		count(t, rc);
		if (!rc)
			use(&m, sas, tunnels, nexthops);
		rc = shm_ike_pop(&s->w[w].ike_out, &valid_limits, &k, out, MSG_IKE_MAX);
		count(t, rc > 0 ? 0 : rc);
		memset(&m, 0, sizeof(m));
		count(t, spsc_push(&s->w[w].evt, &m, 100));
		k = valid_ike();
		count(t, shm_ike_push(&s->w[w].ike_in, &k, out, 1 + rnd() % MSG_IKE_MAX));
	}
	rc = spsc_pop(&s->ctl_cmd, &m);
	count(t, rc ? rc : msg_check_cmd(&m, &valid_limits));
	rc = spsc_pop(&s->route, &r);
	if (!rc)
		rc = msg_check_route(&r, &valid_limits);
	count(t, rc);
	if (!rc)
		nexthops[r.nexthop]++;
	/* and what a control plane does with a data plane like that */
	rc = spsc_pop(&s->ctl_evt, &m);
	if (!rc)
		rc = msg_check_evt(&m, &valid_limits);
	count(t, rc);
	if (!rc)
		use(&m, sas, tunnels, nexthops);
}

static void tell_progress(struct shm *s)
{
	struct spsc *q[16];
	unsigned n = all_rings(s, q);

	for (unsigned i = 0; i < n; i++)
		atomic_store_explicit(&progress[i], q[i]->own, memory_order_relaxed);
}

static void garbage_everywhere_is_counted_and_survived(void **state UNUSED)
{
	const struct shm_params p = {.workers = 2,
				     .ports = 3,
				     .sas = 64,
				     .tunnels = 16,
				     .nexthops = 32,
				     .epoch = 1,
				     .attach = valid_limits.attach};
	uint8_t *sas = calloc(64, 1), *tunnels = calloc(16, 1), *nexthops = calloc(32, 1),
		*out = calloc(MSG_IKE_MAX, 1);
	struct timespec now, start;
	struct tally t = {0};
	struct shm s;
	pid_t pid;
	int status;

	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(progress != MAP_FAILED);
	assert_int_equal(shm_create(&s, &p), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_hostile(&s);
	for (int i = 0; i < ROUNDS; i++) {
		work(&s, &t, sas, tunnels, nexthops, out);
		tell_progress(&s);
		/* on a single CPU the other must have its turn */
		if (i % 16 == 0 && usleep(20) == 0 && clock_gettime(CLOCK_MONOTONIC, &now) == 0 &&
		    now.tv_sec - start.tv_sec >= SECONDS)
			break;
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	print_message("# good %llu bad %llu stale %llu impossible index %llu\n", (unsigned long long)t.good,
		      (unsigned long long)t.bad, (unsigned long long)t.stale, (unsigned long long)t.proto);
	assert_true(t.bad > 0);
	assert_true(t.proto > 0);
	assert_true(t.good > 0);
	/* the private copies are as they were */
	assert_int_equal(s.hello.workers, 2);
	assert_int_equal(s.route.mask, SHM_ROUTE_CAP - 1);
	shm_fini(&s);
	munmap(progress, 4096);
	free(sas);
	free(tunnels);
	free(nexthops);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(garbage_everywhere_is_counted_and_survived)};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
