/* Twins: two IKE SAs of one tunnel with the same peer, as when both ends begin at once.
 *
 * Both carry traffic, so neither is wrong; but one is enough. The one with the lower initiator's SPI goes, on which both
 * ends agree; the end that began it closes it soon, the other one only if that does not happen. First the other's child
 * is rekeyed, which moves what both ends send over to it, so that nothing is lost.
 */
#pragma once

#include "controlplane/ike/sa.h"

/* A child of sa came up: is there a twin? */
void twin_look(struct ike *k, struct ike_sa *sa);
/* sa->twin_at_ms has come. May end sa. */
void twin_tick(struct ike *k, struct ike_sa *sa);
