/* The simulator's inside: its events, and the hands that it lends to the cores. Only sim*.c include it. */
#pragma once

#include "tests/sim/sim.h"

enum sim_event_kind { SIM_EV_DATAGRAM, SIM_EV_JOB, SIM_EV_INSTALL, SIM_EV_PROBE };

struct sim_event {
	enum sim_event_kind kind;
	int node; /* whose it is */
	uint64_t at, seq;
	/* DATAGRAM */
	struct ike_path path;
	uint8_t *msg; /* owned */
	size_t len;
	/* JOB */
	struct ike_job *job;
	/* INSTALL, PROBE */
	uint32_t spi; /* INSTALL: spi_in; PROBE: SPI on the wire */
	bool in;
	struct secret key; /* PROBE */
};

struct sim_event *sim_push(struct sim *s, enum sim_event_kind kind, int node, uint64_t delay_ms);
void sim_handle(struct sim *s, const struct sim_event *ev);
void sim_env_init(struct sim_node *n);
/* Send one data packet through the model data plane. */
void sim_probe(struct sim_node *n);
