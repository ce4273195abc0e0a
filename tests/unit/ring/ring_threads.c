/* Two threads on one segment, for the thread sanitizer: a command ring and an IKE ring with datagrams over many slots,
 * every octet of every message checked. TAP. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/shm.h"
#include "valid.h"

enum { COMMANDS = 2000000, DATAGRAMS = 60000, LONGEST = 9000 };

static struct shm seg;

static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	return x * 0x846ca68bu;
}

static uint32_t length_of(uint32_t i)
{
	return 1 + mix(i) % (i % 64 == 0 ? LONGEST : 600);
}

struct side {
	struct spsc cmd, ike; /* this side's own view, as in two processes */
	uint64_t full, empty;
	const char *fault;
};

/* Small commands, as most are: 32 octets, all derived from i. */
struct small {
	struct msg_hdr hdr;
	uint32_t v[4];
};

static struct small small_of(uint32_t i)
{
	return (struct small){.hdr = {.type = MSG_BARRIER, .len = sizeof(struct small), .seq = i, .attach = ~i},
			      .v = {i, mix(i), ~i, i * 3}};
}

static bool send_command(struct side *s, uint32_t i)
{
	struct small m = small_of(i);

	if (spsc_push(&s->cmd, &m, sizeof(m)) == 0)
		return true;
	s->full++;
	return false;
}

static bool send_datagram(struct side *s, uint32_t i)
{
	static uint8_t data[LONGEST];
	struct msg_ike h = valid_ike();
	uint32_t n = length_of(i);

	memset(data, (int)(i & 0xff), n);
	memcpy(data, &i, n < 4 ? n : 4);
	h.remote_port = (uint16_t)(1 + i % 60000);
	if (shm_ike_push(&s->ike, &h, data, n) == 0)
		return true;
	s->full++;
	return false;
}

static void *produce(void *arg)
{
	struct side *s = arg;
	uint32_t commands = 0, datagrams = 0;

	while (commands < COMMANDS || datagrams < DATAGRAMS) {
		bool moved = false;

		if (commands < COMMANDS && send_command(s, commands)) {
			commands++;
			moved = true;
		}
		if (datagrams < DATAGRAMS && commands >= (uint64_t)datagrams * COMMANDS / DATAGRAMS &&
		    send_datagram(s, datagrams)) {
			datagrams++;
			moved = true;
		}
		if (!moved)
			sched_yield();
	}
	return NULL;
}

static bool take_command(struct side *s, uint32_t i)
{
	struct small want = small_of(i);
	union msg m;

	if (spsc_pop(&s->cmd, &m) != 0) {
		s->empty++;
		return false;
	}
	if (memcmp(&m, &want, sizeof(want)) != 0)
		s->fault = "a command is not what was sent";
	for (size_t k = sizeof(want); k < MSG_SLOT; k += 61)
		if (m.bytes[k] != 0)
			s->fault = "a slot was not wiped";
	return true;
}

static bool take_datagram(struct side *s, uint32_t i)
{
	static uint8_t data[MSG_IKE_MAX], want[LONGEST];
	struct msg_ike h;
	int n = shm_ike_pop(&s->ike, &valid_limits, &h, data, sizeof(data));

	if (n <= 0) {
		if (n != -EAGAIN)
			s->fault = "a datagram was refused";
		s->empty++;
		return false;
	}
	memset(want, (int)(i & 0xff), (size_t)n <= LONGEST ? (size_t)n : LONGEST);
	memcpy(want, &i, n < 4 ? (size_t)n : 4);
	if ((uint32_t)n != length_of(i) || h.remote_port != 1 + i % 60000 || memcmp(data, want, (size_t)n) != 0)
		s->fault = "a datagram is not what was sent";
	return true;
}

static void consume(struct side *s)
{
	uint32_t commands = 0, datagrams = 0;

	while (!s->fault && (commands < COMMANDS || datagrams < DATAGRAMS)) {
		bool moved = false;

		if (commands < COMMANDS && take_command(s, commands)) {
			commands++;
			moved = true;
		}
		if (datagrams < DATAGRAMS && take_datagram(s, datagrams)) {
			datagrams++;
			moved = true;
		}
		if (!moved)
			sched_yield();
	}
}

int main(void)
{
	const struct shm_params p = {.workers = 2,
				     .ports = 3,
				     .sas = 64,
				     .tunnels = 16,
				     .nexthops = 32,
				     .epoch = 1,
				     .attach = valid_limits.attach};
	struct side tx, rx;
	pthread_t thread;

	puts("1..1");
	if (shm_create(&seg, &p))
		return 1;
	tx = rx = (struct side){.cmd = seg.w[0].cmd, .ike = seg.w[0].ike_in};
	if (pthread_create(&thread, NULL, produce, &tx))
		return 1;
	consume(&rx);
	if (rx.fault) { /* the producer may wait for room for ever */
		printf("not ok 1 - %s\n", rx.fault);
		fflush(stdout);
		_Exit(1);
	}
	pthread_join(thread, NULL);
	printf("ok 1 - %d commands and %d datagrams crossed two threads unchanged\n", COMMANDS, DATAGRAMS);
	printf("# found full %llu times, empty %llu times\n", (unsigned long long)tx.full,
	       (unsigned long long)rx.empty);
	shm_fini(&seg);
	return 0;
}
