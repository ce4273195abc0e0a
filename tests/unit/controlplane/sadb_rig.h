/* A SA database with one tunnel on the rig, for the files that test it. */
#pragma once

#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/place.h"
#include "controlplane/sadb.h"
#include "ring/spi.h"

static struct tunnels ts;
static struct tunnel *tunnel;
static struct sadb *sadb;
static unsigned n_ready, n_idle, n_events[16];
static struct ike_event last;
static const struct alg gcm256 = {.type = ALG_ENCR, .id = ALG_ENCR_AES_GCM_16, .key_bits = 256, .key_len = 36};

static inline void on_event(void *ctx, const struct ike_event *ev)
{
	(void)ctx;
	n_events[ev->type]++;
	last = *ev;
}

static inline void on_ready(void *ctx)
{
	(void)ctx;
	n_ready++;
}

static inline void on_idle(void *ctx, struct tunnel *t)
{
	(void)ctx;
	assert_ptr_equal(t, tunnel);
	n_idle++;
}

static inline void some_random(void *ctx, void *buf, size_t len)
{
	static uint8_t n;

	(void)ctx;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = n += 37;
}

static inline void dp_attached_now(bool new_life)
{
	sadb_attached(sadb, new_life);
}

static inline void dp_lost_now(void)
{
	sadb_lost(sadb);
}

static inline void dp_event_now(unsigned worker, const union msg *m)
{
	sadb_event(sadb, worker, m);
}

static inline void start(unsigned workers)
{
	struct sadb_ops ops = {NULL, on_event, on_ready, on_idle, some_random};
	struct cfg_tunnel cfg;

	n_ready = n_idle = 0;
	memset(n_events, 0, sizeof(n_events));
	memset(&cfg, 0, sizeof(cfg));
	snprintf(cfg.name, sizeof(cfg.name), "azure");
	cfg.esp.replay_window = 1024;
	cfg.esp.lifetime_bytes = 1000000;
	tunnels_init(&ts);
	tunnel = tunnels_add(&ts, &cfg);
	tunnel->worker = (uint8_t)(workers - 1);
	tunnel->wanted = true;
	rig_up(workers, true);
	sadb = sadb_new(rig.dp, &ts, &ops);
	rig.on_attached = dp_attached_now;
	rig.on_lost = dp_lost_now;
	rig.on_event = dp_event_now;
}

static inline int up(void **state)
{
	(void)state;
	start(2);
	AWAIT(n_ready == 1);
	return 0;
}

static inline int up_unready(void **state)
{
	(void)state;
	start(1);
	return 0;
}

static inline int down(void **state)
{
	(void)state;
	rig.on_lost = NULL;
	sadb_free(sadb);
	rig_down();
	tunnels_fini(&ts);
	return 0;
}

static inline struct ike_child_half half_of(uint32_t spi_in, uint32_t spi)
{
	struct ike_child_half h;

	memset(&h, 0, sizeof(h));
	h.spi_in = spi_in;
	h.spi = spi;
	h.encr = &gcm256;
	h.key.len = 36;
	memset(h.key.b, 0x5a, 36);
	h.path.local = ip_v4(0xc0000201);
	h.path.remote = ip_v4(0xc6336401);
	h.n_ts = 1;
	h.ts[0].local_port_hi = h.ts[0].remote_port_hi = UINT16_MAX;
	return h;
}

static inline uint32_t install_pair(void)
{
	struct ike_child_half in, out;
	unsigned before = n_events[IKE_EV_OUT_READY];
	uint32_t spi;

	assert_int_equal(sadb_spi_alloc(sadb, 0, &spi), 0);
	in = half_of(spi, spi);
	out = half_of(spi, 0xcafe0000 + spi_slot(spi));
	assert_int_equal(sadb_install(sadb, &in, MSG_DIR_IN), 0);
	assert_int_equal(sadb_install(sadb, &out, MSG_DIR_OUT), 0);
	AWAIT(n_events[IKE_EV_OUT_READY] == before + 1);
	return spi;
}

static inline void remove_pair(uint32_t spi)
{
	sadb_remove(sadb, 0, spi, MSG_DIR_OUT);
	sadb_remove(sadb, 0, spi, MSG_DIR_IN);
}

static inline uint32_t used(void)
{
	uint32_t of;

	return sadb_used(sadb, &of);
}

/* SA_DEL stays without an answer. */
static inline int hold_dels(void *ctx, unsigned to, const union msg *m)
{
	(void)ctx;
	(void)to;
	return m->hdr.type == MSG_SA_DEL;
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
#define U(name) cmocka_unit_test_setup_teardown(name, up_unready, down)
