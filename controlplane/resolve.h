/* Peers that are given by name: asked for when the tunnel starts, and again while it lives. One writer: the loop's
 * thread.
 *
 * An answer that still contains the address in use changes nothing. A failed question keeps the last address.
 */
#pragma once

#include "controlplane/loop.h"
#include "controlplane/tunnels.h"

enum { RESOLVE_AGAIN_MS = 60000, RESOLVE_RETRY_MS = 5000, RESOLVE_PARALLEL = 16 };

struct resolve;

struct resolve *resolve_new(struct loop *loop, struct tunnels *ts);
/* Questions that are under way are waited for by loop_fini(). */
void resolve_free(struct resolve *r);
/* A tunnel has come or changed: ask soon. */
void resolve_kick(struct resolve *r);
