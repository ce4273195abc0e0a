/* What the core tells about itself: plain copies, no pointers into it but algorithm rows. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/ike/core.h"
#include "controlplane/ike/ike.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/tunnel.h"

static void sa_info(const struct ike_sa *sa, struct ike_sa_info *i)
{
	/* both ends know that it is over: it only answers repeats */
	bool lingers = sa->state == IKE_SA_CLOSING && sa->die_at_ms;

	*i = (struct ike_sa_info){
		.tunnel = sa->tunnel,
		.serial = sa->serial,
		.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.initiator = sa->initiator,
		.state = lingers ? IKE_SA_DEAD : sa->state,
		.path = sa->path,
		.local_id = sa->local_id,
		.remote_id = sa->remote_id,
		.encr = sa->encr,
		.prf = sa->prf,
		.integ = sa->integ,
		.dh = sa->dh,
		.nat_local = sa->natt.nat_local,
		.nat_remote = sa->natt.nat_remote,
		.up_since_ms = sa->up_since_ms,
		.rekey_at_ms = sa->rekey_at_ms,
		.expires_at_ms = sa->expires_at_ms,
		.mid_out = sa->mid.out.next,
		.mid_in = sa->mid.in.next,
	};
}

void ike_sa_walk(const struct ike *k, bool (*fn)(void *arg, const struct ike_sa_info *i), void *arg)
{
	list_each (e, &k->sas) {
		struct ike_sa_info i;

		sa_info(list_entry(e, struct ike_sa, all), &i);
		if (!fn(arg, &i))
			return;
	}
}

static void child_info(const struct ike_sa *sa, const struct ike_child *c, struct ike_child_info *i)
{
	*i = (struct ike_child_info){
		.tunnel = c->tunnel,
		.ike_serial = sa->serial,
		.spi_in = c->spi_in,
		.spi_out = c->spi_out,
		.state = c->state,
		.initiator = c->initiator,
		.encr = c->encr,
		.integ = c->integ,
		.dh = c->dh,
		.encap_udp = c->encap,
		.esn = c->esn,
		.transport = c->transport,
		.child = c->index,
		.path = c->path,
		.n_ts = c->n_ts,
		.up_since_ms = c->up_since_ms,
		.rekey_at_ms = c->rekey_at_ms,
		.expires_at_ms = c->expires_at_ms,
	};
	memcpy(i->ts, c->ts, sizeof(i->ts));
}

void ike_child_walk(const struct ike *k, bool (*fn)(void *arg, const struct ike_child_info *i), void *arg)
{
	list_each (e, &k->sas) {
		const struct ike_sa *sa = list_entry(e, struct ike_sa, all);

		list_each (f, &sa->children) {
			struct ike_child_info i;

			child_info(sa, list_entry(f, struct ike_child, node), &i);
			if (!fn(arg, &i))
				return;
		}
	}
}

int ike_tunnel_info(const struct ike *k, uint32_t index, struct ike_tunnel_info *out)
{
	const struct ike_tunnel *t = tunnel_find(k, index);

	if (!t)
		return -ENOENT;
	*out = (struct ike_tunnel_info){.wanted = t->wanted, .attempts = t->attempts, .retry_at_ms = t->retry_at_ms};
	snprintf(out->last_error, sizeof(out->last_error), "%s", t->last_error);
	list_each (e, &t->sas) {
		const struct ike_sa *sa = list_entry(e, struct ike_sa, in_tunnel);

		out->n_ike += sa->state == IKE_SA_UP;
		/* not believed yet, and asked again until the attempt ends; but whoever looks wants to know */
		if (sa->birth && sa->birth->refusal[0])
			snprintf(out->last_error, sizeof(out->last_error), "%s", sa->birth->refusal);
		list_each (f, &sa->children) {
			const struct ike_child *c = list_entry(f, struct ike_child, node);

			/* what is still being installed carries nothing yet */
			out->n_child += child_alive(c) && c->state != IKE_CHILD_INSTALLING;
			out->n_sending += c->out == HALF_READY && !c->lost;
			if (c->out == HALF_READY && !c->lost)
				out->sending |= (uint8_t)(1u << c->index);
		}
	}
	return 0;
}

void ike_counters(const struct ike *k, struct ike_counters *out)
{
	*out = k->counters;
}
