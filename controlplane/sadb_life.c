/* sadb: attach, loss, other lives of the data plane, and its events. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "controlplane/sadb_pair.h"

/* Another life of the data plane: no half exists any more. Names without a half (in negotiation) stay. */
static void forget_all(struct sadb *s)
{
	for (uint32_t i = 0; i < s->n_slots; i++) {
		struct pair *p = s->slot[i];

		if (!p)
			continue;
		for (unsigned d = 0; d < 2; d++)
			if (p->half[d].state != HALF_NONE) {
				sadb_pair_gone(s, p, d, "the data plane restarted");
				p->named = false;
			}
		sadb_pair_settle(s, p);
	}
}

/* The same life: what was to stop is told so again, for nobody knows whether it has heard. */
static void stop_again(struct sadb *s)
{
	for (uint32_t i = 0; i < s->n_slots; i++)
		for (unsigned d = 0; d < 2 && s->slot[i]; d++) {
			struct pair *p = s->slot[i];

			if (p->half[d].state == HALF_DELETING || p->half[d].state == HALF_DOOMED)
				sadb_pair_stop(s, p, d);
		}
}

void sadb_sweep(struct sadb *s)
{
	sadb_pair_wane(s);
	if (!s->unsent || !dp_attached(s->dp))
		return;
	s->unsent = false;
	for (uint32_t i = 0; i < s->n_slots; i++)
		for (unsigned d = 0; d < 2 && s->slot[i]; d++)
			if (s->slot[i]->half[d].unsent)
				sadb_pair_stop(s, s->slot[i], d);
}

bool sadb_stop_all(struct sadb *s)
{
	for (uint32_t i = 0; i < s->n_slots; i++)
		for (unsigned d = 0; d < 2 && s->slot[i]; d++) {
			uint8_t state = s->slot[i]->half[d].state;

			if (state != HALF_NONE && state != HALF_DELETING)
				sadb_pair_stop(s, s->slot[i], d);
		}
	return !s->n_halves;
}

static void list_answered(void *ctx, uint64_t worker, int status)
{
	struct sadb *s = ctx;

	if (status && status != -ECONNRESET)
		log_debug(LOG_SADB, "worker=%u cause=\"it cannot list its SAs: %s\"", (unsigned)worker,
			  err_str(status));
	if (!s->lists_out || --s->lists_out || status == -ECONNRESET)
		return;
	s->listed = true;
	sadb_pair_requeue(s);
	s->ops.ready(s->ops.ctx);
}

/* Ask each worker what lives there from a former control plane, before any slot is given away. */
static void ask_lists(struct sadb *s)
{
	unsigned n = dp_limits(s->dp)->workers;

	s->lists_out = n;
	for (unsigned w = 0; w < n; w++) {
		union msg m = {.hdr.type = MSG_SA_LIST};

		if (dp_send(s->dp, w, &m, sizeof(struct msg_sa_list), list_answered, s, w))
			list_answered(s, w, -EAGAIN);
	}
}

void sadb_attached(struct sadb *s, bool new_life)
{
	if (new_life) {
		forget_all(s);
		s->listed = false;
	}
	if (s->n_slots != dp_limits(s->dp)->sas)
		sadb_pair_resize(s, dp_limits(s->dp)->sas);
	if (!s->listed) {
		ask_lists(s);
		return;
	}
	stop_again(s);
	s->ops.ready(s->ops.ctx);
}

void sadb_lost(struct sadb *s)
{
	for (uint32_t i = 0; i < s->n_slots; i++)
		for (unsigned d = 0; d < 2 && s->slot[i]; d++)
			sadb_pair_refresh(s, s->slot[i], d);
	s->lists_out = 0;
}

/* ---- events ---- */

static void take_gone(struct sadb *s, const struct msg_sa_event *e)
{
	struct pair *p = sadb_pair_at(s, e->sa.slot, e->sa.gen);
	bool asked;

	if (!p || p->half[e->dir].state == HALF_NONE)
		return;
	p->half[e->dir].c = e->c;
	asked = p->half[e->dir].state == HALF_DELETING;
	sadb_pair_gone(s, p, e->dir, asked ? "deleted" : "the data plane dropped it");
	if (!asked)
		sadb_pair_event(s, p, IKE_EV_CHILD_HARD, 0);
	sadb_pair_settle(s, p);
}

static void take_limit(struct sadb *s, const struct msg_sa_event *e)
{
	struct pair *p = sadb_pair_at(s, e->sa.slot, e->sa.gen);
	bool hard = e->hdr.type == MSG_SA_HARD;

	if (!p || p->half[e->dir].state != HALF_READY)
		return;
	p->half[e->dir].c = e->c;
	log_info(LOG_SADB, "tunnel=%s event=%s dir=%s spi_in=0x%08x packets=%" PRIu64 " octets=%" PRIu64,
		 p->tunnel->cfg.name, hard ? "sa-hard-limit" : "sa-soft-limit", e->dir == MSG_DIR_IN ? "in" : "out",
		 p->spi_in, e->c.packets, e->c.octets);
	sadb_pair_event(s, p, hard ? IKE_EV_CHILD_HARD : IKE_EV_CHILD_SOFT, 0);
}

static void take_moved(struct sadb *s, const struct msg_peer_moved *e)
{
	const struct pair *p = sadb_pair_at(s, e->sa.slot, e->sa.gen);
	struct ike_event ev = {.type = IKE_EV_PEER_MOVED};

	if (!p || p->orphan || p->half[MSG_DIR_IN].state != HALF_READY)
		return;
	ev.tunnel = p->tunnel->handle.slot;
	ev.spi_in = p->spi_in;
	ev.path = p->path;
	ev.path.remote = ip_from_bytes(e->family, e->remote);
	ev.path.remote_port = e->remote_port;
	s->ops.event(s->ops.ctx, &ev);
}

/* An SA that we did not install: a former control plane's. It carries traffic until its tunnel has a pair of ours. */
static void take_info(struct sadb *s, unsigned worker, const struct msg_sa_event *e)
{
	struct pair *p = e->sa.slot < s->n_slots ? s->slot[e->sa.slot] : NULL;
	struct tunnel *t = tunnels_by_handle(s->ts, &e->tunnel);

	if (s->listed || (p && p->handle.gen != e->sa.gen) || (p && p->half[e->dir].state != HALF_NONE))
		return;
	if (!p) {
		p = sadb_pair_new(s, t ? t : &s->nobody, e->sa.slot, e->sa.gen);
		p->orphan = true;
	}
	p->worker = (uint8_t)worker;
	p->half[e->dir] = (struct half){.state = HALF_READY, .used = true, .c = e->c};
	s->n_halves++;
	if (e->dir == MSG_DIR_IN)
		p->spi_in = e->spi;
	else
		p->spi_out = e->spi;
	if (!t || !t->wanted)
		sadb_pair_stop(s, p, e->dir);
}

void sadb_drop_orphans(struct sadb *s, struct tunnel *t)
{
	list_each_safe (e, &t->pairs) {
		struct pair *p = list_entry(e, struct pair, link);

		for (unsigned d = 0; d < 2 && p->orphan; d++)
			if (p->half[d].state == HALF_READY)
				sadb_pair_stop(s, p, d);
	}
}

void sadb_event(struct sadb *s, unsigned worker, const union msg *m)
{
	switch (m->hdr.type) {
	case MSG_SA_GONE:
		take_gone(s, (const void *)m);
		break;
	case MSG_SA_SOFT:
	case MSG_SA_HARD:
		take_limit(s, (const void *)m);
		break;
	case MSG_PEER_MOVED:
		take_moved(s, (const void *)m);
		break;
	case MSG_SA_INFO:
		take_info(s, worker, (const void *)m);
		break;
	default:
		break;
	}
}
