/* The management socket, RUN_DIR/control.sock: requests of gwctl, one after the other on each connection.
 *
 * Reply: {"ok": true, "data": ...} or {"ok": false, "error": "words and the way out"}. Who may speak: root and our own
 * user, by SO_PEERCRED. At most STATUS_CLIENTS_MAX connections; one that is silent for STATUS_IDLE_MS is closed; a
 * connection is not read while its reply is on the way, so what a client can make us hold is one frame and one reply.
 * Thread: the loop's.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/build.h"
#include "controlplane/loop.h"
#include "controlplane/status_req.h"

enum { STATUS_CLIENTS_MAX = 64, STATUS_IDLE_MS = 30000, STATUS_TICKET_MS = 5000, STATUS_WHY_MAX = 512 };

/* The answer to a question: data (a new reference), or a ticket (status_answer() follows), or why not. */
struct status_answer {
	json_t *data;
	uint32_t ticket;
	char why[STATUS_WHY_MAX];
};

struct status_ops {
	void *ctx;
	void (*show)(void *ctx, const struct status_req *req, struct status_answer *a);
	/* 0: done; > 0: begun, tunnel number rc - 1 will be settled by status_settle(); -errno and why. */
	int (*tunnel)(void *ctx, const struct status_req *req, char *why, size_t why_len);
	/* Why tunnel number `index` is not up, in words; "" where nothing is known. */
	void (*cause)(void *ctx, uint32_t index, char *why, size_t why_len);
	/* 0, or -errno and why. */
	int (*bgp)(void *ctx, const struct status_req *req, char *why, size_t why_len);
};

struct status;

/* A listening socket at path, mode 0600 and owned by uid:gid (-1: leave). fd; -EADDRINUSE: another process listens
 * there. */
int status_listen(const char *path, uint32_t uid, uint32_t gid) MUST_USE;
/* Takes fd over. NULL: errno says why. */
struct status *status_new(struct loop *loop, int fd, const struct status_ops *ops);
/* Closes all; handles end when the loop has run once more. */
void status_free(struct status *s);
/* Tunnel number `index` has come up (cause NULL) or its attempt has failed: whoever waits for it is told. */
void status_settle(struct status *s, uint32_t index, const char *cause);
/* A ticket number that nobody has. */
uint32_t status_ticket(struct status *s);
/* What the holder of the ticket waits for: data (taken over), or NULL and why. Who is gone is told nothing. */
void status_answer(struct status *s, uint32_t ticket, json_t *data, const char *why);
unsigned status_clients(const struct status *s);
