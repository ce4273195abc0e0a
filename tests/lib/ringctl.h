/* The parts of ringctl: what it attached to, and its lines of JSON. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring/shm.h"

struct ringctl {
	struct shm shm;
	struct msg_limits limits;
	uint32_t seq; /* of the last command sent */
	int sock;     /* -1: none */
};

extern struct ringctl ctl;

/* Print one line; takes o. */
void ringctl_say(json_t *o);
void ringctl_say_error(const char *what);
/* The answer to a command that was pushed (rc: of the push). */
void ringctl_say_sent(int rc);
uint64_t ringctl_num(const json_t *o, const char *key, uint64_t def);
const char *ringctl_text(const json_t *o, const char *key);
/* Octets of the hex string, at most cap. */
uint32_t ringctl_unhex(const char *s, uint8_t *out, uint32_t cap);

/* ringctl_cmd.c: false: not a command of that kind. */
bool ringctl_cmd_ring(const char *cmd, const json_t *o);
bool ringctl_cmd_route(const char *cmd, const json_t *o);
void ringctl_cmd_ike(const json_t *o);
/* ringctl_break.c: commands that break the contract; false: none of them. */
bool ringctl_break(const char *cmd, const json_t *o);
/* ringctl_show.c */
void ringctl_show_counters(void);
void ringctl_show_events(void);
