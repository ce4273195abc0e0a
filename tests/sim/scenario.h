/* What every scenario file needs: cmocka, the simulator, and the first minute of a tunnel. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/sim.h"

static inline uint64_t scenario_lost(const struct sim *s)
{
	return s->node[0].probes_lost + s->node[1].probes_lost;
}

/* Start both cores and wait until the tunnel carries traffic both ways. */
static inline void scenario_up(struct sim *s)
{
	sim_start(s);
	assert_true(sim_run_until(s, sim_up, 60000));
}

static inline void scenario_settle(struct sim *s, uint64_t max_ms)
{
	if (!sim_run_until(s, sim_settled, max_ms))
		fail_msg("%s", sim_why(s));
}

/* SPIs of now, to be compared with those after a rekey. */
struct scenario_spis {
	uint64_t ike_i, ike_r;
	uint32_t child_in, child_out;
};

static inline struct scenario_spis scenario_spis(struct sim_node *n)
{
	struct ike_sa_info sa;
	struct ike_child_info child;

	assert_true(sim_the_ike(n, &sa));
	assert_true(sim_the_child(n, &child));
	return (struct scenario_spis){sa.spi_i, sa.spi_r, child.spi_in, child.spi_out};
}

static inline void scenario_child_changed(const struct scenario_spis *a, const struct scenario_spis *b)
{
	assert_int_not_equal(a->child_in, b->child_in);
	assert_int_not_equal(a->child_out, b->child_out);
}

static inline void scenario_ike_changed(const struct scenario_spis *a, const struct scenario_spis *b)
{
	assert_true(a->ike_i != b->ike_i);
	assert_true(a->ike_r != b->ike_r);
}

/* A well-formed IKE_SA_INIT request, as a core sends it. */
struct scenario_request {
	uint8_t msg[SIM_DATAGRAM_MAX];
	size_t len;
};

static inline enum sim_fate scenario_keep(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct scenario_request *r = arg;

	if (from == 0 && nth == 0 && len <= sizeof(r->msg)) {
		memcpy(r->msg, msg, len);
		r->len = len;
	}
	return SIM_DROP;
}

/* Give node 1 n IKE_SA_INIT requests that differ in SPI and source, and hear none of the answers. */
static inline void scenario_flood(struct sim *s, unsigned n)
{
	struct sim *other = sim_new(9999);
	struct scenario_request r = {.len = 0};

	other->net.filter = scenario_keep;
	other->net.filter_arg = &r;
	sim_start(other);
	sim_run(other, 300);
	sim_free(other);
	assert_true(r.len > 28);
	for (unsigned i = 0; i < n; i++) {
		struct ike_path p = {.local = s->node[1].addr,
				     .remote = ip_v4(0xc6330000u + i),
				     .local_port = 500,
				     .remote_port = 500};

		r.msg[0] = (uint8_t)(i >> 8);
		r.msg[1] = (uint8_t)i;
		r.msg[2] = 0xa5;
		sim_inject(&s->node[1], &p, r.msg, r.len);
		sim_run(s, 5);
	}
}
