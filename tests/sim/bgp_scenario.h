/* What every BGP scenario file needs: cmocka, the simulator, two nodes up. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/bgp_sim.h"

/* SIM_SEEDS multiplies how many seeds a scenario runs through (default 1). */
static inline uint64_t bgp_scenario_seeds(uint64_t n)
{
	const char *s = getenv("SIM_SEEDS");

	return n * (s && *s ? strtoull(s, NULL, 10) : 1);
}

static inline void bgp_scenario_agree(struct bgp_sim *s, uint64_t max_ms)
{
	if (!bgp_sim_until(s, bgp_sim_agreed, max_ms))
		fail_msg("%s", bgp_sim_why(s));
}

static inline void bgp_scenario_up(struct bgp_sim *s, uint64_t max_ms)
{
	if (!bgp_sim_until(s, bgp_sim_up, max_ms))
		fail_msg("%s", bgp_sim_why(s));
}
