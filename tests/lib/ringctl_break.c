/* Commands that break the contract. */
#include <string.h>
#include <unistd.h>

#include "ringctl.h"

static struct spsc *ring_by_name(const json_t *o)
{
	const char *name = ringctl_text(o, "ring");
	uint32_t w = (uint32_t)ringctl_num(o, "worker", 0) % SHM_WORKERS_MAX;
	const struct {
		const char *name;
		struct spsc *q;
	} all[] = {{"cmd", &ctl.shm.w[w].cmd},           {"evt", &ctl.shm.w[w].evt},
		   {"ike_init", &ctl.shm.w[w].ike_init}, {"ike_in", &ctl.shm.w[w].ike_in},
		   {"ike_out", &ctl.shm.w[w].ike_out},   {"ctl_cmd", &ctl.shm.ctl_cmd},
		   {"ctl_evt", &ctl.shm.ctl_evt},        {"route", &ctl.shm.route}};

	for (size_t i = 0; i < N_ELEMS(all); i++)
		if (strcmp(name, all[i].name) == 0 && all[i].q->shm)
			return all[i].q;
	return NULL;
}

static void ring_all_bells(void)
{
	for (uint32_t w = 0; w < ctl.limits.workers; w++)
		shm_ring_bell(ctl.shm.bell_worker[w]);
	shm_ring_bell(ctl.shm.bell_ctl);
}

/* push: ring worker data: these octets as a slot. */
static void push_raw(const json_t *o)
{
	struct spsc *q = ring_by_name(o);
	uint8_t slot[MSG_IKE_SLOT] = {0};

	if (!q) {
		ringctl_say_error("no such ring");
		return;
	}
	(void)ringctl_unhex(ringctl_text(o, "data"), slot, q->slot_size);
	ringctl_say_sent(spsc_push(q, slot, q->slot_size));
	ring_all_bells();
}

/* index: ring worker head | tail: set an index of the segment. */
static void set_index(const json_t *o)
{
	struct spsc *q = ring_by_name(o);

	if (!q) {
		ringctl_say_error("no such ring");
		return;
	}
	if (json_object_get(o, "head"))
		atomic_store(&q->shm->head, (uint32_t)ringctl_num(o, "head", 0));
	if (json_object_get(o, "tail"))
		atomic_store(&q->shm->tail, (uint32_t)ringctl_num(o, "tail", 0));
	ring_all_bells();
	ringctl_say(json_pack("{ss}", "done", "index"));
}

/* spoil: ring worker n seed: push n slots of noise, half of them with a head that looks good. */
static void spoil(const json_t *o)
{
	struct spsc *q = ring_by_name(o);
	uint64_t x = ringctl_num(o, "seed", 1) * 0x9e3779b97f4a7c15u | 1, pushed = 0;
	uint8_t slot[MSG_IKE_SLOT];

	for (uint64_t i = 0, n = ringctl_num(o, "n", 100); q && i < n; i++) {
		for (uint32_t k = 0; k < sizeof(slot); k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			slot[k] = (uint8_t)(x >> 40);
		}
		if (i & 1 && q->slot_size == MSG_SLOT) {
			struct msg_hdr h = {.type = (uint16_t)(x % (MSG_TYPE_N + 2)),
					    .len = (uint16_t)(x >> 20) % 600,
					    .attach = ctl.limits.attach};

			memcpy(slot, &h, sizeof(h));
		}
		pushed += spsc_push(q, slot, q->slot_size) == 0;
		ring_all_bells();
		if (i % 64 == 63)
			usleep(1000);
	}
	ringctl_say(json_pack("{sI}", "done", (json_int_t)pushed));
}

/* stamp: every octet of the segment that we can write, with noise. */
static void stamp(const json_t *o)
{
	uint64_t x = ringctl_num(o, "seed", 1) * 0x9e3779b97f4a7c15u | 1;

	for (uint64_t i = 0; i < ctl.shm.hello.size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		ctl.shm.base[i] = (uint8_t)(x >> 32);
	}
	ring_all_bells();
	ringctl_say(json_pack("{ss}", "done", "stamp"));
}

bool ringctl_break(const char *cmd, const json_t *o)
{
	if (strcmp(cmd, "push") == 0)
		push_raw(o);
	else if (strcmp(cmd, "index") == 0)
		set_index(o);
	else if (strcmp(cmd, "spoil") == 0)
		spoil(o);
	else if (strcmp(cmd, "stamp") == 0)
		stamp(o);
	else
		return false;
	return true;
}
