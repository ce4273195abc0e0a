/* The management socket's bytes: frames of a 32-bit big-endian length and that many octets of JSON, and what requests
 * say.
 *
 * Nothing here acts: bytes in, a plain struct out. Requests:
 *   {"op": "show", "what": "tunnels|ike-sas|child-sas|ports|workers|drops|bgp-summary", "all": bool}
 *   {"op": "show", "what": "top", "max": 1..STATUS_ROWS_MAX}
 *   {"op": "show", "what": "routes", "after": "PREFIX", "max": 1..STATUS_ROWS_MAX}
 *   {"op": "show", "what": "fib", "address": "A"}
 *   {"op": "show", "what": "bgp-neighbor", "name": "x"}
 *   {"op": "show", "what": "bgp-received|bgp-routes|bgp-advertised", "name": "x", "after": "PREFIX", "max": n}
 *   {"op": "show", "what": "bgp-best", "after": "PREFIX", "max": n}
 *   {"op": "show", "what": "bgp-route", "prefix": "PREFIX"}
 *   {"op": "bgp", "name": "x", "action": "clear", "soft": bool}
 *   {"op": "tunnel", "name": "x", "action": "up|down|rekey", "ike": bool, "wait_s": 0..600}
 * A table that may be large comes in pages of at most max rows or prefixes; the next one is behind `after`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/build.h"
#include "base/xlist.h"
#include "config/config.h"

enum { STATUS_FRAME_MAX = 1 << 20, STATUS_WAIT_MAX_S = 600, STATUS_ROWS_MAX = 2000, STATUS_ROWS_DEFAULT = 1000 };

/* A frame that is coming in. Zeroed: none yet. */
struct status_frame {
	uint8_t head[4];
	uint32_t n_head; /* octets of head that are there */
	uint32_t len;    /* of the body */
	uint32_t got;
	char *body; /* owned; NULL before the head is whole */
};

enum status_op { STATUS_SHOW, STATUS_TUNNEL, STATUS_BGP };

#define STATUS_SHOWS(X)                        \
	X(STATUS_TUNNELS, "tunnels")           \
	X(STATUS_IKE_SAS, "ike-sas")           \
	X(STATUS_CHILD_SAS, "child-sas")       \
	X(STATUS_ROUTES, "routes")             \
	X(STATUS_PORTS, "ports")               \
	X(STATUS_WORKERS, "workers")           \
	X(STATUS_DROPS, "drops")               \
	X(STATUS_TOP, "top")                   \
	X(STATUS_FIB, "fib")                   \
	X(STATUS_BGP_SUMMARY, "bgp-summary")   \
	X(STATUS_BGP_NEIGHBOR, "bgp-neighbor") \
	X(STATUS_BGP_RECEIVED, "bgp-received") \
	X(STATUS_BGP_ROUTES, "bgp-routes")     \
	X(STATUS_BGP_ADVERTISED, "bgp-advertised") X(STATUS_BGP_BEST, "bgp-best") X(STATUS_BGP_ROUTE, "bgp-route")
XLIST_ENUM(status_show, STATUS_SHOW_N, STATUS_SHOWS);
const char *status_req_show_name(unsigned v);

#define STATUS_ACTIONS(X) X(STATUS_UP, "up") X(STATUS_DOWN, "down") X(STATUS_REKEY, "rekey")
XLIST_ENUM(status_action, STATUS_ACTION_N, STATUS_ACTIONS);
const char *status_req_action_name(unsigned v);

struct status_req {
	enum status_op op;
	enum status_show show;
	bool all;
	char name[IP_STR];       /* of a tunnel; of a BGP peer, or its address */
	struct ip_prefix prefix; /* bgp-route; fib: a host's */
	struct ip_prefix after;  /* family IP_NONE: from the start */
	uint32_t max;            /* rows */
	enum status_action action;
	bool ike;
	bool soft;
	uint32_t wait_s;
};

/* Take octets from data. *used: how many. 1: the frame is whole (then take body or call status_req_reset); 0: more is
 * needed; -EMSGSIZE: longer than STATUS_FRAME_MAX, or empty. */
int status_req_frame(struct status_frame *f, const void *data, size_t len, size_t *used) MUST_USE;
void status_req_reset(struct status_frame *f);
/* 0; -EINVAL and why (why_len octets) says what is wrong and what would be right. */
int status_req_parse(const char *json, size_t len, struct status_req *out, char *why, size_t why_len) MUST_USE;
