/* gwctl top: what the gateway does, once a second: tunnels with rates and loss, workers' load, cycles per packet, drops. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { TOP_ROWS_MAX = 200, TOP_INTERVAL_MAX_S = 3600, TOP_COUNT_MAX = 1000000 };

struct top_opts {
	const char *run_dir;
	unsigned interval_s; /* 1.. */
	unsigned count;      /* frames; 0: on a terminal until q, else one */
	bool json;           /* the counters themselves, once */
};

/* Exit code. On a terminal it redraws in place and waits for a control plane that goes away. */
int top_run(const struct top_opts *o);
/* One frame: what happened between two answers to {"op": "show", "what": "top"}. lines: how many there is room for, 0: all. */
void top_print(FILE *f, const json_t *before, const json_t *now, unsigned lines);
