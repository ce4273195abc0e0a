/* One question to the control plane: RUN_DIR/control.sock, frames of a 32-bit big-endian length and that many octets of
 * JSON, one request and one reply. The reply is bounded in size and in time; what is not a reply is an error in words.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/build.h"

enum { CLIENT_REPLY_MAX = 64 << 20, CLIENT_TIMEOUT_MS = 10000 };

/* A connection to run_dir's control plane: an fd, or -errno and why (cap octets). */
int client_connect(const char *run_dir, char *why, size_t cap) MUST_USE;
/* Send req over fd and wait for the reply at most timeout_ms, all in all. 0: *data is the reply's data, a new reference;
 * -errno and why: the control plane refused (-EREMOTEIO, why is its reason), or did not answer properly. */
int client_ask(int fd, const json_t *req, unsigned timeout_ms, json_t **data, char *why, size_t cap) MUST_USE;
