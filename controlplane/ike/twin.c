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

/* Nothing is under way with the SA's pairs, and there is one for each child at most. */
static bool calm(const struct ike_sa *sa)
{
	unsigned seen = 0; /* by index */

	if (sa->x_out || sa->x_in)
		return false;
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->state == IKE_CHILD_OLD)
			continue;
		if (seen & 1u << c->index || c->state != IKE_CHILD_UP || c->redundant || c->waits_for_use ||
		    c->out != HALF_READY)
			return false;
		seen |= 1u << c->index;
	}
	return seen != 0;
}

/* What we send goes through `other` for each child that sa has. */
static bool carried_by(struct ike_tunnel *t, const struct ike_sa *sa, const struct ike_sa *other)
{
	list_each (e, &sa->children) {
		const struct ike_child *c = list_entry(e, struct ike_child, node), *d = child_of_index(other, c->index);
		const struct ike_want *w = tunnel_want_of(t, c->index);

		if (c->state != IKE_CHILD_OLD && w && (!d || w->tx_spi_in != d->spi_in))
			return false;
	}
	return true;
}

/* A child that was made or rekeyed last is the one that both ends send on. */
static void move_to(struct ike *k, const struct ike_sa *sa, struct ike_sa *other)
{
	list_each (e, &sa->children) {
		const struct ike_child *c = list_entry(e, struct ike_child, node), *d = child_of_index(other, c->index);

		if (c->state == IKE_CHILD_OLD)
			continue;
		if (d)
			xchg_queue(k, other, XCHG_CHILD_REKEY, d->spi_in, k->now_ms);
		else
			child_ask(k, other, c->index, k->now_ms);
	}
	sa_rearm(k, other);
}

void twin_tick(struct ike *k, struct ike_sa *sa)
{
	struct ike_tunnel *t = tunnel_find(k, sa->tunnel);
	struct ike_sa *other = survivor_of(k, sa);
	bool heard = child_rx_grew(k, sa); /* the peer still sends on this one */

	sa->twin_at_ms = 0;
	if (!t || !other || !settled(sa))
		return; /* one of them has gone another way */
	if (sa->twin_moved && calm(other) && carried_by(t, sa, other) && !heard && calm(sa)) {
		notice_sa(k, sa, IKE_NOTICE_IKE_DOWN, "both ends began at once, and one IKE SA is enough");
		sa->quiet = true;
		sa_end(k, sa, SA_END_DELETE, "");
		return;
	}
	if (calm(other)) {
		move_to(k, sa, other);
		sa->twin_moved = true;
	}
	sa->twin_at_ms = k->now_ms + STEP_MS;
}
