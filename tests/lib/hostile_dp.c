/* A data plane that lies, for tests: hostile_dp RUN_DIR ROUNDS SEED
 *
 * Each round: a new segment for whoever connects, then noise and half-true events in all rings, impossible indexes,
 * counters that run backwards; every third round the hello itself lies. Prints "round N attached" or "round N refused".
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ring/shm.h"
#include "ring/spi.h"

enum { CONNECT_MS = 15000, ANSWER_MS = 2000, SPOIL_MS = 250 };

static uint64_t state;

static uint32_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void noise(void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)rnd();
}

/* Events whose form is right and whose sense is anybody's guess: answers nobody asked for, SAs that are not there. */
static uint16_t half_true(union msg *m, const struct shm *s)
{
	struct msg_handle sa = {rnd() % s->hello.sas, 1 + rnd() % 3},
			  tunnel = {rnd() % s->hello.tunnels, 1 + rnd() % 3};

	memset(m, 0, sizeof(*m));
	m->hdr.type = (uint16_t)(MSG_ACK + rnd() % (MSG_SA_INFO_END - MSG_ACK + 1));
	m->hdr.seq = rnd() % 64;
	m->hdr.attach = s->hello.attach;
	switch (m->hdr.type) {
	case MSG_ACK:
	case MSG_NACK: {
		struct msg_ack *a = (void *)m;

		a->type = (uint16_t)(1 + rnd() % (MSG_ACK - 1));
		a->status = m->hdr.type == MSG_ACK ? 0 : -(int32_t)(1 + rnd() % 133);
		return sizeof(*a);
	}
	case MSG_NO_SA: {
		struct msg_no_sa *n = (void *)m;

		*n = (struct msg_no_sa){.hdr = n->hdr, .tunnel = tunnel, .family = 4, .src = {10}, .dst = {10, 2}};
		return sizeof(*n);
	}
	case MSG_PEER_MOVED: {
		struct msg_peer_moved *p = (void *)m;

		*p = (struct msg_peer_moved){.hdr = p->hdr,
					     .sa = sa,
					     .tunnel = tunnel,
					     .family = 4,
					     .remote_port = (uint16_t)rnd(),
					     .remote = {1, 2, 3, 4}};
		return sizeof(*p);
	}
	case MSG_BAD_SPI: {
		struct msg_bad_spi *b = (void *)m;

		*b = (struct msg_bad_spi){.hdr = b->hdr, .spi = rnd(), .family = 4, .remote = {1, 2, 3, 4}};
		return sizeof(*b);
	}
	case MSG_LINK: {
		struct msg_link *k = (void *)m;

		*k = (struct msg_link){
			.hdr = k->hdr, .port = (uint16_t)(rnd() % (s->hello.ports + 1)), .up = rnd() & 1};
		return sizeof(*k);
	}
	case MSG_SA_INFO_END:
		return sizeof(struct msg_hdr);
	default: {
		struct msg_sa_event *e = (void *)m;

		*e = (struct msg_sa_event){
			.hdr = e->hdr, .sa = sa, .tunnel = tunnel, .dir = rnd() & 1, .spi = spi_make(sa.slot, rnd())};
		noise(&e->c, sizeof(e->c));
		return sizeof(*e);
	}
	}
}

static void spoil_events(struct shm *s, struct spsc *q)
{
	union msg m;

	if (rnd() % 3 == 0)
		noise(&m, sizeof(m));
	else
		m.hdr.len = half_true(&m, s);
	(void)!spsc_push(q, &m, sizeof(m));
}

static void spoil_ike(struct shm *s, struct spsc *q)
{
	static uint8_t data[20000];
	struct msg_ike h = {.attach = s->hello.attach,
			    .family = 4,
			    .local = {203, 0, 113, 1},
			    .remote = {203, 0, 113, 2},
			    .local_port = 500,
			    .remote_port = 500};

	noise(data, sizeof(data));
	if (rnd() & 1)
		noise(&h, MSG_IKE_HDR);
	else if (rnd() & 1) /* an IKE header that looks like one */
		memcpy(data + 16, (uint8_t[]){33, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 1, 0}, 12);
	h.attach = s->hello.attach;
	(void)!shm_ike_push(q, &h, data, 1 + rnd() % (rnd() & 7 ? 600 : sizeof(data)));
}

static void spoil(struct shm *s, bool indexes)
{
	uint64_t end = now_ms() + SPOIL_MS;

	while (now_ms() < end) {
		struct shm_worker_rings *w = &s->w[rnd() % s->hello.workers];

		spoil_events(s, rnd() & 1 ? &w->evt : &s->ctl_evt);
		spoil_ike(s, rnd() & 1 ? &w->ike_init : &w->ike_in);
		noise(s->worker_stats, sizeof(*s->worker_stats));
		noise(&s->sa_stats[rnd() % (2 * s->hello.sas)], sizeof(*s->sa_stats));
		atomic_store(&s->hdr->applied, rnd());
		if (indexes && rnd() % 200 == 0)
			atomic_store(&(rnd() & 1 ? &w->evt : &s->route)->shm->head, rnd());
		if (indexes && rnd() % 200 == 0)
			atomic_store(&(rnd() & 1 ? &w->cmd : &w->ike_out)->shm->tail, rnd());
		shm_ring_bell(s->bell_control);
		if (rnd() % 16 == 0)
			usleep(500);
	}
}

static void lie(struct shm_hello *h)
{
	switch (rnd() % 7) {
	case 0:
		h->layout++;
		return;
	case 1:
		h->size += rnd();
		return;
	case 2:
		h->sas = rnd();
		return;
	case 3:
		h->workers = rnd() % 64;
		return;
	case 4:
		h->epoch = 0;
		return;
	case 5:
		memset(h->build, 0xff, sizeof(h->build));
		return;
	default:
		noise(h, sizeof(*h));
	}
}

static bool one_round(int listener, uint32_t n)
{
	const struct shm_params p = {
		.workers = 2, .ports = 2, .sas = 64, .tunnels = 8, .nexthops = 32, .epoch = 1 + n / 2, .attach = n};
	bool attached;
	struct shm s;
	int sock;

	if (!readable(listener, CONNECT_MS))
		return false;
	sock = accept(listener, NULL, NULL);
	if (sock < 0 || shm_create(&s, &p))
		exit(1);
	if (n % 3 == 0) { /* what is freed later is what was made, not what was said */
		struct shm liar = s;

		lie(&liar.hello);
		if (liar.hello.workers > SHM_WORKERS_MAX)
			liar.hello.workers = SHM_WORKERS_MAX;
		(void)!shm_send(&liar, sock);
	} else {
		(void)!shm_send(&s, sock);
	}
	attached = readable(sock, ANSWER_MS) && shm_take_answer(&s, sock) == 0;
	if (attached)
		spoil(&s, n & 1);
	printf("round %u %s\n", n, attached ? "attached" : "refused");
	fflush(stdout);
	close(sock);
	shm_fini(&s);
	return true;
}

int main(int argc, char **argv)
{
	char path[200];
	int listener;

	if (argc != 4)
		return 2;
	state = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15u | 1;
	snprintf(path, sizeof(path), "%s/dataplane.sock", argv[1]);
	listener = shm_listen(path);
	if (listener < 0)
		return 1;
	for (uint32_t n = 1; n <= strtoul(argv[2], NULL, 10); n++)
		if (!one_round(listener, n))
			return 3;
	unlink(path);
	return 0;
}
