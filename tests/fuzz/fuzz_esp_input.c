/* Frames into the worker, and text into its SA.
 *
 * The first octet says what the rest is:
 *   0  a frame on the WAN port          2  an IPv4 packet on the WAN port, checksum put right
 *   1  a frame on the LAN port          3  the same on the LAN port
 *   4  the text of an ESP packet: sealed with the SA's key, so that what stands behind the ICV check is reached
 *   5  the same in UDP                  6, 7  the same, by the SA that has selectors with ports
 * Two good packets of each direction go before and after it in the same burst: they must come out, and no mbuf may be missing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rte_ring.h>

#include "dataplane/handoff.h"
#include "dataplane/neigh.h"
#include "tests/stage/rig.h"

enum { SLOTS = 2, GOOD_SEQ = 1000 };

static struct rig_sa in[SLOTS], out;
static bool started;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void install(void)
{
	struct msg_sa_event gone;
	uint32_t slot = 0;

	for (; slot < SLOTS; slot++) {
		(void)!sad_del(rig, (struct msg_handle){slot, 1}, MSG_DIR_IN, &gone);
		in[slot] = rig_sa_make(slot, MSG_DIR_IN);
	}
	in[1].add.ts[0].proto = 17;
	in[1].add.ts[0].remote.port_hi = 5000;
	for (slot = 0; slot < SLOTS; slot++)
		check(rig_sa_add(&in[slot], MSG_DIR_IN) == 0);
	(void)!sad_del(rig, (struct msg_handle){0, 1}, MSG_DIR_OUT, &gone);
	out = rig_sa_make(0, MSG_DIR_OUT);
	check(rig_sa_add(&out, MSG_DIR_OUT) == 0);
}

/* One packet of each direction that has to arrive. */
static void good(uint32_t seq)
{
	struct rig_bytes ip, f;

	rig_udp(&ip, RIG_FAR_HOST, RIG_LAN_HOST, 100, 1);
	rig_seal(&f, &in[0], seq, &ip, NULL);
	rig_rx(RIG_WAN, &f);
	rig_rx_clear(100, 1);
}

static void bad(uint8_t kind, const uint8_t *data, uint16_t len)
{
	struct rig_bytes f, ip = {.len = len};
	const struct rig_sa *sa = &in[kind / 2 % 2];

	if (kind < 2) {
		f = ip;
		memcpy(f.b, data, len);
	} else if (kind < 4) {
		memcpy(ip.b, data, len);
		if (len >= 20)
			rig_cksum(&ip);
		rig_frame(&f, kind % 2, &ip);
	} else {
		struct rig_sa wrapped = *sa;

		wrapped.encap = kind % 2;
		wrapped.add.remote_port = 4500;
		len = (uint16_t)(len & ~3);
		rig_seal_text(&f, &wrapped, GOOD_SEQ + 1, data, len, len > 0 ? data[0] : 0);
		rig_rx(RIG_WAN, &f);
		return;
	}
	rig_rx(kind % 2, &f);
}

static void drain(void)
{
	struct rte_ring *rings[] = {rig->handoff->w[0].to[1], rig->neigh->link[0].up};
	struct rig_bytes f;
	union msg e;
	void *m;

	for (uint16_t i = 0; i < RIG_PORTS; i++)
		while (rig_tx(i, &f))
			;
	for (unsigned i = 0; i < 2; i++)
		while (rte_ring_dequeue(rings[i], &m) == 0)
			rte_pktmbuf_free(m);
	while (rig_event(&e))
		;
}

/* What EAL's memory holds, the leak detector cannot see. */
static void finish(void)
{
	(void)rig_clear(NULL);
	(void)rig_stop(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t before_in, before_out;

	if (!started) {
		check(rig_start(NULL) == 0 && rig_reset(NULL) == 0);
		started = true;
		atexit(finish);
	}
	if (len < 1 || len > 1600)
		return 0;
	install();
	before_in = rig->count.esp_in;
	before_out = rig->count.esp_out;
	good(GOOD_SEQ);
	bad(data[0] % 8, data + 1, (uint16_t)(len - 1));
	good(GOOD_SEQ + 2);
	rig_run();
	drain();
	check(rig->count.esp_in >= before_in + 2 && rig->count.esp_out >= before_out + 2);
	check(rte_mempool_in_use_count(rig->pool) == 0);
	return 0;
}
