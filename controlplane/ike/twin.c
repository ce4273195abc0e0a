#include "controlplane/ike/twin.h"

#include "controlplane/ike/notice.h"
#include "controlplane/ike/tunnel.h"
#include "controlplane/ike/xchg.h"

enum { SOON_MS = 3000, LATE_MS = 30000, STEP_MS = 2000 };

static bool settled(const struct ike_sa *sa)
{
	return sa->state == IKE_SA_UP && !sa->quiet && !sa->predecessor && child_count_alive(sa) > 0;
}

/* The SA of the same tunnel and peer that stays in place of this one. */
static struct ike_sa *survivor_of(struct ike *k, const struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	if (!t)
		return NULL;
	list_each (e, &t->sas) {
		struct ike_sa *other = list_entry(e, struct ike_sa, in_tunnel);

		if (other != sa && settled(other) && other->spi_i > sa->spi_i &&
		    payload_id_equal(&other->remote_id, &sa->remote_id))
			return other;
	}
	return NULL;
}

static void look_at(struct ike *k, struct ike_sa *sa)
{
	if (sa->twin_at_ms || !settled(sa) || !survivor_of(k, sa))
		return;
	sa->twin_moved = false;
	sa->twin_at_ms = k->now_ms + (sa->initiator ? SOON_MS : LATE_MS);
	sa_rearm(k, sa);
}

void twin_look(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);

	if (!t)
		return;
	list_each (e, &t->sas)
		look_at(k, list_entry(e, struct ike_sa, in_tunnel));
}

/* The one pair of an SA that is in use, when nothing is under way with it; NULL: something is. */
static struct ike_child *calm_child(const struct ike_sa *sa)
{
	struct ike_child *found = NULL;

	if (sa->x_out || sa->x_in)
		return NULL;
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->state == IKE_CHILD_OLD)
			continue;
		if (found || c->state != IKE_CHILD_UP || c->redundant || c->waits_for_use || c->out != HALF_READY)
			return NULL;
		found = c;
	}
	return found;
}

void twin_tick(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct ike_sa *other = survivor_of(k, sa);
	struct ike_child *c = other ? calm_child(other) : NULL;
	bool heard = child_rx_grew(k, sa); /* the peer still sends on this one */

	sa->twin_at_ms = 0;
	if (!t || !other || !settled(sa))
		return; /* one of them has gone another way */
	if (sa->twin_moved && c && t->tx_spi_in == c->spi_in && !heard && calm_child(sa)) {
		notice_sa(k, sa, IKE_NOTICE_IKE_DOWN, "both ends began at once, and one IKE SA is enough");
		sa->quiet = true;
		sa_end(k, sa, SA_END_DELETE, "");
		return;
	}
	if (c) {
		xchg_queue(k, other, XCHG_CHILD_REKEY, c->spi_in, k->now_ms);
		sa_rearm(k, other);
		sa->twin_moved = true;
	}
	sa->twin_at_ms = k->now_ms + STEP_MS;
}
