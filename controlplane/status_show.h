/* What `gwctl show` shows: rows of JSON from the live state. Thread: the loop's. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/status_req.h"
#include "ring/shm.h"

struct gateway;

/* Kept between calls: a worker's load is over the time since the last question. */
struct status_show_state {
	uint64_t busy[SHM_WORKERS_MAX], total[SHM_WORKERS_MAX]; /* TSC cycles */
	uint64_t epoch;
};

/* An array of objects (routes: a page); a new reference. req->all: with rows that say nothing (drops of 0). */
json_t *status_show(struct gateway *g, const struct status_req *req);

/* status_show.c: what the IKE core knows. status_show_dp.c: what the data plane's segment tells. */
json_t *status_show_tunnels(struct gateway *g);
json_t *status_show_ike_sas(struct gateway *g);
json_t *status_show_child_sas(struct gateway *g);
json_t *status_show_routes(struct gateway *g, const struct status_req *req);
json_t *status_show_ports(struct gateway *g);
json_t *status_show_workers(struct gateway *g);
json_t *status_show_drops(struct gateway *g, bool all);
/* status_top.c: all that `gwctl top` shows, in one object: counters since the start, so that who asks makes rates of them. At most
 * max tunnels: those that are not up first, then those with the most traffic. */
json_t *status_top(struct gateway *g, uint32_t max);
