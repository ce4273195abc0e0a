/* Rekey collisions (RFC 7296 2.8.1, 2.8.2) and the IKE SA's heirs. */
#pragma once

#include "controlplane/ike/sa.h"
#include "controlplane/ike/xchg.h"

/* The lower of the two nonces of an exchange. */
const struct ike_nonce *rekey_low(const struct ike_nonce *ni, const struct ike_nonce *nr);
/* Of two exchanges that rekeyed the same SA, known by their lower nonces: is `ours` the one to be closed, by the side
 * that began it (the one that holds the lowest of the four)? */
bool rekey_loses(const struct ike_nonce *ours, const struct ike_nonce *theirs);

/* What to answer to a request about a child (2.25.1). */
enum rekey_answer { REKEY_PROCEED, REKEY_TEMPORARY, REKEY_NOT_FOUND };
/* The peer asks to rekey old (NULL: no such pair), or (want_old false) to make a new one. */
enum rekey_answer rekey_child_judge(const struct ike_sa *sa, const struct ike_child *old, bool want_old);
/* The peer asks to rekey the IKE SA (2.25.1, 2.25.2). */
enum rekey_answer rekey_ike_judge(const struct ike_sa *sa);

/* Our rekey of a child was answered and its inbound half is there. True: it lost a collision and is not to be used.
 * Marks the other one where ours won. */
bool rekey_child_settle(struct ike *k, struct ike_sa *sa, struct ike_child *made);
/* The successor of sa inherits children and tasks (2.8): the peer deleted sa, or used the successor. */
void rekey_ike_inherit(struct ike *k, struct ike_sa *sa);
/* Our rekey of the IKE SA was refused or failed: again after a pause. */
void rekey_ike_failed(struct ike *k, struct ike_sa *sa, uint64_t pause_ms);
/* The key pair for our rekey is made: the request leaves. */
xchg_then_fn rekey_ike_made;
