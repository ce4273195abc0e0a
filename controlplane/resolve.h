/* Peers that are given by name: asked for when the tunnel starts, each minute, and when an attempt failed or the peer died.
 * One writer: the loop's thread.
 *
 * A name may stand for several addresses of both families; those are taken that our port has an address of. The tunnel uses one of
 * them, the next after each failure. What is in use stays while the tunnel is up, whatever the name says by then; a
 * failed question, or an answer without an address that we could use, keeps what we have.
 */
#pragma once

#include "controlplane/loop.h"
#include "controlplane/tunnels.h"

enum { RESOLVE_AGAIN_MS = 60000, RESOLVE_RETRY_MS = 5000, RESOLVE_PARALLEL = 16 };

struct resolve;

/* usable: can t reach addresses of this family? */
struct resolve *resolve_new(struct loop *loop, struct tunnels *ts,
			    bool (*usable)(void *ctx, const struct tunnel *t, uint8_t family), void *ctx);
/* Questions that are under way are waited for by loop_fini(). */
void resolve_free(struct resolve *r);
/* A tunnel has come or changed: ask soon. */
void resolve_kick(struct resolve *r);
/* The peer at the address in use did not answer: try the next, and ask again unless that was a moment ago. NULL r, or a tunnel
 * without a name: nothing. */
void resolve_failed(struct resolve *r, struct tunnel *t);
