/* What a hostile process can put into a ring: octet 0 chooses the door, the rest is the slot. What passes a check is
 * then used as its owner would, within the limits it was promised. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ring/msg.h"
#include "ring/shm.h"
#include "ring/spi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct msg_limits limits = {
	.sas = 64, .tunnels = 16, .nexthops = 32, .ports = 3, .workers = 2, .attach = 0x01020304};

static void promise(bool kept)
{
	if (!kept)
		abort();
}

static void use_sa_add(const struct msg_sa_add *a)
{
	promise(a->sa.slot < limits.sas && a->tunnel.slot < limits.tunnels && a->sa.gen && a->tunnel.gen);
	promise(a->key_len <= MSG_KEY_MAX && a->n_ts >= 1 && a->n_ts <= MSG_TS_MAX && a->spi > 255);
	promise(a->hdr.type != MSG_SA_IN_ADD || spi_slot(a->spi) == a->sa.slot);
	promise((a->replay_window & (a->replay_window - 1)) == 0 && a->replay_window <= 1024);
	for (unsigned i = 0; i < a->n_ts; i++)
		promise(memcmp(a->ts[i].local.lo, a->ts[i].local.hi, 16) <= 0);
}

static void use_cmd(const union msg *m)
{
	promise(m->hdr.len <= MSG_SLOT && m->hdr.attach == limits.attach);
	switch (m->hdr.type) {
	case MSG_SA_IN_ADD:
	case MSG_SA_OUT_ADD:
		use_sa_add((const struct msg_sa_add *)m);
		break;
	case MSG_SA_DEL:
		promise(((const struct msg_sa_del *)m)->sa.slot < limits.sas &&
			((const struct msg_sa_del *)m)->dir <= 1);
		break;
	case MSG_TUNNEL_SET:
		promise(((const struct msg_tunnel_set *)m)->worker < limits.workers);
		promise(strnlen(((const struct msg_tunnel_set *)m)->name, 32) < 32);
		break;
	case MSG_NEXTHOP_SET:
		promise(((const struct msg_nexthop *)m)->id < limits.nexthops);
		break;
	default:
		promise(m->hdr.type < MSG_TYPE_N);
	}
}

/* The data as the segment's bytes of an IKE ring: two indexes, then slots. */
static void pop_ike(const uint8_t *data, size_t len)
{
	enum { CAP = 64 };
	static _Alignas(64) uint8_t ring[sizeof(struct spsc_shm) + CAP * MSG_IKE_SLOT];
	static uint8_t out[MSG_IKE_MAX];
	struct spsc_shm *shm = (struct spsc_shm *)ring;
	struct msg_ike h;
	struct spsc q;
	size_t n = len < 8 ? 0 : len - 8;
	uint32_t head = 0;

	if (len >= 8)
		memcpy(&head, data, 4);
	/* the same octets stand for many slots */
	for (uint32_t i = 0; i < CAP; i++) {
		memset(shm->slots + i * MSG_IKE_SLOT, 0, MSG_IKE_SLOT);
		if (n)
			memcpy(shm->slots + i * MSG_IKE_SLOT, data + 8, n < MSG_IKE_SLOT ? n : MSG_IKE_SLOT);
	}
	spsc_init(&q, shm, CAP, MSG_IKE_SLOT);
	atomic_store_explicit(&shm->head, head, memory_order_relaxed);
	for (int k = 0; k <= CAP; k++) {
		int rc = shm_ike_pop(&q, &limits, &h, out, k & 1 ? 3000 : sizeof(out));

		promise(rc <= MSG_IKE_MAX && (rc > 0 || rc == -EAGAIN || rc == -EBADMSG || rc == -EPROTO));
		if (rc == -EAGAIN || rc == -EPROTO)
			return;
	}
	promise(spsc_used(&q) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	union msg m = {0};
	struct msg_route r = {0};

	if (len == 0)
		return 0;
	memcpy(m.bytes, data + 1, len - 1 < MSG_SLOT ? len - 1 : MSG_SLOT);
	memcpy(&r, m.bytes, sizeof(r));
	switch (data[0] % 4) {
	case 0:
		if (msg_check_cmd(&m, &limits) == 0)
			use_cmd(&m);
		break;
	case 1:
		if (msg_check_evt(&m, &limits) == 0)
			promise(m.hdr.type >= MSG_ACK && m.hdr.type <= MSG_SA_INFO_END);
		break;
	case 2:
		if (msg_check_route(&r, &limits) == 0)
			promise(r.nexthop < limits.nexthops && r.plen <= 128);
		break;
	default:
		pop_ike(data + 1, len - 1);
	}
	return 0;
}
