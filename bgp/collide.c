#include "bgp/peer.h"

enum collide_verdict collide(enum bgp_state old, uint32_t old_id, bool ours, struct collide_side local,
			     struct collide_side remote)
{
	bool ours_wins;

	/* "Unless allowed via configuration": Established stays. */
	if (old == BGP_ESTABLISHED)
		return COLLIDE_NEW_LOSES;
	/* One in OpenSent may be dead at the other end: it is judged when its OPEN comes. */
	if (old != BGP_OPENCONFIRM)
		return COLLIDE_NONE;
	/* Not the same speaker any more: it has come back with another identifier. */
	if (old_id != remote.id)
		return COLLIDE_OLD_LOSES;
	/* The connection made by the speaker with the higher identifier stays; equal ones: by the higher AS (6286 2.3). */
	ours_wins = local.id != remote.id ? local.id > remote.id : local.as > remote.as;
	return ours_wins == ours ? COLLIDE_OLD_LOSES : COLLIDE_NEW_LOSES;
}
