#include "controlplane/sadb.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "controlplane/place.h"
#include "controlplane/sadb_pair.h"
#include "ring/spi.h"

struct sadb *sadb_new(struct dp *dp, struct tunnels *ts, const struct sadb_ops *ops)
{
	struct sadb *s = xcalloc(1, sizeof(*s));

	s->dp = dp;
	s->ts = ts;
	s->ops = *ops;
	/* generations of a former control plane must not meet ours */
	ops->random(ops->ctx, &s->gen, sizeof(s->gen));
	s->nobody.cfg.name[0] = '-';
	s->nobody.handle.slot = IKE_NO_TUNNEL;
	list_init(&s->nobody.pairs);
	return s;
}

void sadb_free(struct sadb *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_slots; i++)
		if (s->slot[i]) {
			list_del(&s->slot[i]->link);
			free(s->slot[i]);
		}
	free(s->slot);
	free(s->free_slot);
	free(s);
}

/* ---- the core's hands ---- */

int sadb_spi_alloc(struct sadb *s, uint32_t tunnel, uint32_t *spi)
{
	struct tunnel *t = tunnels_at(s->ts, tunnel);
	struct pair *p;
	uint32_t slot, rnd;
	int rc;

	if (!t)
		return -ENOENT;
	if (!s->listed || t->worker == PLACE_NONE)
		return -ENOTCONN;
	rc = sadb_pair_slot(s, &slot);
	if (rc) {
		log_warn(LOG_SADB, "tunnel=%s cause=\"all %u SA slots are taken\" remedy=\"raise dataplane: sa-max\"",
			 t->cfg.name, s->n_slots);
		return rc;
	}
	s->ops.random(s->ops.ctx, &rnd, sizeof(rnd));
	if (!++s->gen)
		s->gen = 1;
	p = sadb_pair_new(s, t, slot, s->gen);
	p->spi_in = *spi = spi_make(slot, rnd);
	p->named = true;
	return 0;
}

void sadb_spi_free(struct sadb *s, uint32_t tunnel, uint32_t spi)
{
	struct pair *p = sadb_pair_find(s, tunnel, spi);

	if (!p)
		return;
	p->named = false;
	sadb_pair_settle(s, p);
}

static void add_answered(void *ctx, uint64_t arg, int status)
{
	struct sadb *s = ctx;
	unsigned dir;
	struct pair *p = sadb_pair_of_arg(s, arg, &dir);
	struct half *h;

	if (!p || p->half[dir].state != HALF_ADDING)
		return;
	h = &p->half[dir];
	if (!status) {
		h->state = HALF_READY;
		if (dir == MSG_DIR_OUT)
			sadb_pair_outdo(s, p->tunnel);
		sadb_pair_event(s, p, dir == MSG_DIR_IN ? IKE_EV_IN_READY : IKE_EV_OUT_READY, 0);
		return;
	}
	log_warn(LOG_SADB, "tunnel=%s event=install-failed dir=%s spi_in=0x%08x worker=%u cause=\"%s\"",
		 p->tunnel->cfg.name, dir == MSG_DIR_IN ? "in" : "out", p->spi_in, p->worker, err_str(status));
	if (status == -ECONNRESET) {
		h->state = HALF_DOOMED;
	} else {
		*h = (struct half){.state = HALF_NONE, .used = true};
		s->n_halves--;
	}
	sadb_pair_event(s, p, IKE_EV_INSTALL_FAILED, status);
}

int sadb_install(struct sadb *s, const struct ike_child_half *h, unsigned dir)
{
	struct pair *p = sadb_pair_find(s, h->tunnel, h->spi_in);
	union msg m;
	int rc;

	if (!p || !p->named)
		return -ENOENT;
	if (p->half[dir].used)
		return -EEXIST; /* a key is installed once in its life */
	if (!dp_attached(s->dp) || !s->listed)
		return -ENOTCONN;
	if (!p->half[!dir].used)
		p->worker = p->tunnel->worker;
	p->path = h->path;
	p->child = h->child;
	if (dir == MSG_DIR_OUT)
		p->spi_out = h->spi;
	rc = sadb_pair_msg(s, p, h, dir, (struct msg_sa_add *)(void *)&m);
	if (!rc)
		rc = dp_send(s->dp, p->worker, &m, sizeof(struct msg_sa_add), add_answered, s, sadb_pair_arg(p, dir));
	secret_wipe(&m, sizeof(struct msg_sa_add));
	if (rc)
		return rc;
	p->half[dir] = (struct half){.state = HALF_ADDING, .used = true};
	s->n_halves++;
	return 0;
}

void sadb_remove(struct sadb *s, uint32_t tunnel, uint32_t spi_in, unsigned dir)
{
	struct pair *p = sadb_pair_find(s, tunnel, spi_in);

	if (!p)
		return;
	if (dir == MSG_DIR_IN)
		p->named = false;
	switch (p->half[dir].state) {
	case HALF_ADDING:
	case HALF_READY:
	case HALF_DOOMED:
		sadb_pair_stop(s, p, dir);
		break;
	default:
		sadb_pair_settle(s, p);
	}
}

static void move_answered(void *ctx, uint64_t arg, int status)
{
	struct sadb *s = ctx;
	unsigned dir;
	const struct pair *p = sadb_pair_of_arg(s, arg, &dir);

	if (p && status && status != -ECONNRESET)
		log_warn(LOG_SADB, "tunnel=%s event=move-failed spi_in=0x%08x cause=\"%s\"", p->tunnel->cfg.name,
			 p->spi_in, err_str(status));
}

void sadb_move(struct sadb *s, uint32_t tunnel, uint32_t spi_in, const struct ike_path *path)
{
	struct pair *p = sadb_pair_find(s, tunnel, spi_in);
	union msg m = {.hdr.type = MSG_SA_MOVE};
	struct msg_sa_move *v = (void *)&m;
	uint8_t state;

	if (!p)
		return;
	p->path = *path;
	state = p->half[MSG_DIR_OUT].state;
	if (state != HALF_ADDING && state != HALF_READY)
		return;
	v->sa = p->handle;
	v->dir = MSG_DIR_OUT;
	v->family = path->remote.family;
	v->remote_port = path->encap ? path->remote_port : 0;
	memcpy(v->remote, path->remote.b, sizeof(v->remote));
	if (dp_send(s->dp, p->worker, &m, sizeof(*v), move_answered, s, sadb_pair_arg(p, MSG_DIR_OUT)))
		log_warn(LOG_SADB, "tunnel=%s event=move-failed spi_in=0x%08x cause=\"the data plane is away or busy\"",
			 p->tunnel->cfg.name, p->spi_in);
}

static uint64_t packets_of(struct sadb *s, uint32_t tunnel, uint32_t spi_in, unsigned dir)
{
	struct pair *p = sadb_pair_find(s, tunnel, spi_in);

	if (!p)
		return 0;
	sadb_pair_refresh(s, p, dir);
	return p->half[dir].c.packets;
}

uint64_t sadb_rx_packets(struct sadb *s, uint32_t tunnel, uint32_t spi_in)
{
	return packets_of(s, tunnel, spi_in, MSG_DIR_IN);
}

uint64_t sadb_tx_packets(struct sadb *s, uint32_t tunnel, uint32_t spi_in)
{
	return packets_of(s, tunnel, spi_in, MSG_DIR_OUT);
}

/* ---- asking ---- */

bool sadb_ready(const struct sadb *s)
{
	return s->listed && dp_attached(s->dp);
}

bool sadb_counters(struct sadb *s, uint32_t spi_in, unsigned dir, struct msg_sa_counters *out)
{
	struct pair *p = sadb_pair_find(s, IKE_NO_TUNNEL, spi_in);

	if (!p)
		return false;
	sadb_pair_refresh(s, p, dir);
	*out = p->half[dir].c;
	return true;
}

uint32_t sadb_mtu(struct sadb *s, uint32_t spi_in)
{
	const struct pair *p = sadb_pair_find(s, IKE_NO_TUNNEL, spi_in);

	return p && p->half[MSG_DIR_OUT].state != HALF_NONE ? dp_sa_mtu(s->dp, p->handle.slot, p->handle.gen) : 0;
}

void sadb_totals(struct sadb *s, const struct tunnel *t, struct msg_sa_counters out[2])
{
	memcpy(out, t->gone, sizeof(t->gone));
	list_each (e, (struct list *)&t->pairs) {
		struct pair *p = list_entry(e, struct pair, link);

		for (unsigned d = 0; d < 2; d++) {
			sadb_pair_refresh(s, p, d);
			out[d].packets += p->half[d].c.packets;
			out[d].octets += p->half[d].c.octets;
			for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
				out[d].drop[i] += p->half[d].c.drop[i];
		}
	}
}

uint32_t sadb_used(const struct sadb *s, uint32_t *of)
{
	*of = s->n_slots;
	return s->n_slots - s->n_free;
}
