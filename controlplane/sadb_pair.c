#include "controlplane/dp_ts.h"
#include "controlplane/sadb_pair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "ring/spi.h"

/* Without ESN the sequence number ends at 2^32 (RFC 4303 3.3.3): begin the rekey at three quarters, early enough for a
 * tunnel at full speed. */
static const uint64_t seq_end = UINT32_MAX, seq_soft = UINT64_C(3) << 30;

uint64_t sadb_pair_arg(const struct pair *p, unsigned dir)
{
	return (uint64_t)p->handle.gen << 32 | p->handle.slot << 1 | dir;
}

struct pair *sadb_pair_of_arg(const struct sadb *s, uint64_t arg, unsigned *dir)
{
	*dir = arg & 1;
	return sadb_pair_at(s, (uint32_t)arg >> 1, (uint32_t)(arg >> 32));
}

struct pair *sadb_pair_at(const struct sadb *s, uint32_t slot, uint32_t gen)
{
	struct pair *p = slot < s->n_slots ? s->slot[slot] : NULL;

	return p && p->handle.gen == gen ? p : NULL;
}

struct pair *sadb_pair_find(const struct sadb *s, uint32_t tunnel, uint32_t spi_in)
{
	uint32_t slot = spi_slot(spi_in);
	struct pair *p = slot < s->n_slots ? s->slot[slot] : NULL;

	if (!p || p->orphan || p->spi_in != spi_in)
		return NULL;
	return tunnel == IKE_NO_TUNNEL || p->tunnel->handle.slot == tunnel ? p : NULL;
}

/* Oldest free slot first: late packets of its last SA have had the longest time to die out. */
int sadb_pair_slot(struct sadb *s, uint32_t *slot)
{
	if (!s->n_free)
		return -ENOSPC;
	*slot = s->free_slot[s->free_head];
	s->free_head = (s->free_head + 1) % s->n_slots;
	s->n_free--;
	return 0;
}

static void give_slot(struct sadb *s, uint32_t slot)
{
	s->free_slot[(s->free_head + s->n_free) % s->n_slots] = slot;
	s->n_free++;
}

struct pair *sadb_pair_new(struct sadb *s, struct tunnel *t, uint32_t slot, uint32_t gen)
{
	struct pair *p = xcalloc(1, sizeof(*p));

	p->tunnel = t;
	p->worker = t->worker;
	p->handle = (struct msg_handle){.slot = slot, .gen = gen};
	s->slot[slot] = p;
	list_add_tail(&t->pairs, &p->link);
	return p;
}

void sadb_pair_settle(struct sadb *s, struct pair *p)
{
	struct tunnel *t = p->tunnel;

	if (p->named || p->half[0].state != HALF_NONE || p->half[1].state != HALF_NONE)
		return;
	s->slot[p->handle.slot] = NULL;
	give_slot(s, p->handle.slot);
	list_del(&p->link);
	free(p);
	if (list_empty(&t->pairs) && t != &s->nobody)
		s->ops.tunnel_idle(s->ops.ctx, t);
}

void sadb_pair_requeue(struct sadb *s)
{
	s->free_head = s->n_free = 0;
	for (uint32_t i = 0; i < s->n_slots; i++)
		if (!s->slot[i])
			give_slot(s, i);
}

void sadb_pair_resize(struct sadb *s, uint32_t n)
{
	struct pair **old = s->slot;
	uint32_t n_old = s->n_slots;

	s->slot = xcalloc(n, sizeof(*s->slot));
	free(s->free_slot);
	s->free_slot = xcalloc(n, sizeof(*s->free_slot));
	s->n_slots = n;
	for (uint32_t i = 0; i < n_old; i++) {
		if (!old[i])
			continue;
		if (i < n) {
			s->slot[i] = old[i];
			continue;
		}
		list_del(&old[i]->link);
		free(old[i]);
	}
	free(old);
	sadb_pair_requeue(s);
}

void sadb_pair_refresh(struct sadb *s, struct pair *p, unsigned dir)
{
	struct half *h = &p->half[dir];
	struct msg_sa_counters c;

	if (h->state != HALF_NONE && dp_sa_counters(s->dp, p->handle.slot, p->handle.gen, dir, &c))
		h->c = c;
}

static void add_counters(struct msg_sa_counters *to, const struct msg_sa_counters *c)
{
	to->packets += c->packets;
	to->octets += c->octets;
	for (unsigned i = 0; i < MSG_SA_DROP_N; i++)
		to->drop[i] += c->drop[i];
}

void sadb_pair_gone(struct sadb *s, struct pair *p, unsigned dir, const char *how)
{
	struct half *h = &p->half[dir];
	char local[IP_STR], remote[IP_STR];

	add_counters(&p->tunnel->gone[dir], &h->c);
	log_info(LOG_SADB,
		 "tunnel=%s event=sa-gone dir=%s spi_in=0x%08x spi_out=0x%08x local=%s remote=%s packets=%" PRIu64
		 " octets=%" PRIu64 " cause=\"%s\"",
		 p->tunnel->cfg.name, dir == MSG_DIR_IN ? "in" : "out", p->spi_in, p->spi_out,
		 ip_str(&p->path.local, local), ip_str(&p->path.remote, remote), h->c.packets, h->c.octets, how);
	*h = (struct half){.state = HALF_NONE, .used = true};
	s->n_halves--;
}

void sadb_pair_event(struct sadb *s, const struct pair *p, enum ike_event_type type, int err)
{
	struct ike_event ev = {.type = type, .spi_in = p->spi_in, .err = err, .path = p->path};

	if (p->orphan)
		return;
	ev.tunnel = p->tunnel->handle.slot;
	s->ops.event(s->ops.ctx, &ev);
}

/* ---- what a former control plane has left ---- */

/* Children that traffic has not asked for yet may never come: what is left for them goes after so many sweeps. */
enum { ORPHAN_SWEEPS = 30 };

static bool all_send(const struct tunnel *t)
{
	unsigned n = t->cfg.children == CFG_CHILDREN_PER_SELECTOR && t->cfg.n_ts ? t->cfg.n_ts : 1, have = 0;

	list_each (e, (struct list *)&t->pairs) {
		const struct pair *p = list_entry(e, struct pair, link);

		if (!p->orphan && p->half[MSG_DIR_OUT].state == HALF_READY)
			have |= 1u << p->child;
	}
	return have == (1u << n) - 1;
}

void sadb_pair_outdo(struct sadb *s, struct tunnel *t)
{
	if (all_send(t)) {
		sadb_drop_orphans(s, t);
		return;
	}
	list_each (e, &t->pairs) {
		struct pair *p = list_entry(e, struct pair, link);

		if (!p->orphan || p->orphan_left)
			continue;
		p->orphan_left = ORPHAN_SWEEPS;
		s->waning = true;
	}
}

void sadb_pair_wane(struct sadb *s)
{
	if (!s->waning || !dp_attached(s->dp))
		return;
	s->waning = false;
	for (uint32_t i = 0; i < s->n_slots; i++) {
		struct pair *p = s->slot[i];

		if (!p || !p->orphan_left)
			continue;
		if (--p->orphan_left) {
			s->waning = true;
			continue;
		}
		for (unsigned d = 0; d < 2 && s->slot[i]; d++)
			if (p->half[d].state == HALF_READY)
				sadb_pair_stop(s, p, d);
	}
}

static void stop_answered(void *ctx, uint64_t arg, int status)
{
	struct sadb *s = ctx;
	unsigned dir;
	struct pair *p = sadb_pair_of_arg(s, arg, &dir);

	/* 0: SA_GONE brings the counters. -ECONNRESET: said again after the attach. */
	if (!p || p->half[dir].state != HALF_DELETING || !status || status == -ECONNRESET)
		return;
	sadb_pair_gone(s, p, dir, "the data plane does not know it");
	sadb_pair_settle(s, p);
}

void sadb_pair_stop(struct sadb *s, struct pair *p, unsigned dir)
{
	union msg m = {.hdr.type = MSG_SA_DEL};
	struct msg_sa_del *d = (void *)&m;

	sadb_pair_refresh(s, p, dir);
	p->half[dir].state = HALF_DELETING;
	d->sa = p->handle;
	d->dir = dir;
	/* not sent (no data plane, table full): sadb_attached() or sadb_sweep() says it again */
	p->half[dir].unsent = dp_send(s->dp, p->worker, &m, sizeof(*d), stop_answered, s, sadb_pair_arg(p, dir)) != 0;
	s->unsent |= p->half[dir].unsent;
}

/* ---- the message ---- */

/* IANA's numbers to the ring's; what is not here cannot be installed, whatever was agreed. */
static const struct {
	uint16_t id, key_bits;
	uint8_t encr;
} encrs[] = {
	{ALG_ENCR_AES_GCM_16, 128, MSG_ENCR_AES128_GCM16},
	{ALG_ENCR_AES_GCM_16, 192, MSG_ENCR_AES192_GCM16},
	{ALG_ENCR_AES_GCM_16, 256, MSG_ENCR_AES256_GCM16},
	{ALG_ENCR_CHACHA20_POLY1305, 0, MSG_ENCR_CHACHA20_POLY1305},
	{ALG_ENCR_AES_GMAC, 128, MSG_ENCR_AES128_GMAC},
	{ALG_ENCR_AES_GMAC, 192, MSG_ENCR_AES192_GMAC},
	{ALG_ENCR_AES_GMAC, 256, MSG_ENCR_AES256_GMAC},
	{ALG_ENCR_AES_CBC, 128, MSG_ENCR_AES128_CBC},
	{ALG_ENCR_AES_CBC, 192, MSG_ENCR_AES192_CBC},
	{ALG_ENCR_AES_CBC, 256, MSG_ENCR_AES256_CBC},
	{ALG_ENCR_3DES, 0, MSG_ENCR_3DES_CBC},
	{ALG_ENCR_NULL, 0, MSG_ENCR_NULL},
};
static const struct {
	uint16_t id;
	uint8_t integ;
} integs[] = {
	{ALG_INTEG_HMAC_SHA1_96, MSG_INTEG_HMAC_SHA1_96},
	{ALG_INTEG_HMAC_SHA2_256_128, MSG_INTEG_HMAC_SHA256_128},
	{ALG_INTEG_HMAC_SHA2_384_192, MSG_INTEG_HMAC_SHA384_192},
	{ALG_INTEG_HMAC_SHA2_512_256, MSG_INTEG_HMAC_SHA512_256},
};

/* Cipher and integrity of a half; false: the ring does not have them, they do not go together, or the key is not theirs. */
static bool put_suite(const struct ike_child_half *h, struct msg_sa_add *m)
{
	for (unsigned i = 0; h->encr && i < N_ELEMS(encrs); i++)
		if (encrs[i].id == h->encr->id && encrs[i].key_bits == h->encr->key_bits)
			m->encr = encrs[i].encr;
	for (unsigned i = 0; h->integ && i < N_ELEMS(integs); i++)
		if (integs[i].id == h->integ->id)
			m->integ = integs[i].integ;
	return m->encr != MSG_ENCR_NONE && (h->integ != NULL) == (m->integ != MSG_INTEG_NONE) &&
	       msg_encr_is_aead(m->encr) == !h->integ &&
	       h->key.len == msg_encr_key_len(m->encr) + msg_integ_key_len(m->integ) && h->key.len <= MSG_KEY_MAX;
}

/* 85 to 95 % of limit, so that two ends with the same limit seldom rekey at the same time. RFC 7296 2.8 */
static uint64_t soft_of(const struct sadb *s, uint64_t limit)
{
	uint8_t r;

	s->ops.random(s->ops.ctx, &r, sizeof(r));
	return u64_max(1, limit / 1000 * (850 + r % 100) + limit % 1000 * 85 / 100);
}

static void put_limits(const struct sadb *s, struct msg_sa_add *m, const struct cfg_tunnel *cfg, bool esn)
{
	m->soft_bytes = m->hard_bytes = m->soft_packets = m->hard_packets = UINT64_MAX;
	if (cfg->esp.lifetime_bytes) {
		m->hard_bytes = cfg->esp.lifetime_bytes;
		m->soft_bytes = soft_of(s, m->hard_bytes);
	}
	if (cfg->esp.lifetime_packets) {
		m->hard_packets = cfg->esp.lifetime_packets;
		m->soft_packets = soft_of(s, m->hard_packets);
	}
	if (!esn) {
		m->hard_packets = u64_min(m->hard_packets, seq_end);
		m->soft_packets = u64_min(m->soft_packets, seq_soft);
	}
}

int sadb_pair_msg(const struct sadb *s, const struct pair *p, const struct ike_child_half *h, unsigned dir,
		  struct msg_sa_add *m)
{
	memset(m, 0, sizeof(*m));
	m->hdr.type = dir == MSG_DIR_IN ? MSG_SA_IN_ADD : MSG_SA_OUT_ADD;
	if (!put_suite(h, m))
		return -ENOTSUP;
	if (!h->n_ts || h->n_ts > MSG_TS_MAX)
		return -E2BIG;
	m->sa = p->handle;
	m->tunnel = p->tunnel->handle;
	m->spi = h->spi;
	m->flags = (uint8_t)((h->encap_udp ? MSG_SA_ENCAP_UDP : 0) | (h->esn ? MSG_SA_ESN : 0) |
			     (h->transport ? MSG_SA_TRANSPORT : 0));
	m->family = h->path.remote.family;
	m->n_ts = (uint8_t)h->n_ts;
	memcpy(m->local, h->path.local.b, sizeof(m->local));
	memcpy(m->remote, h->path.remote.b, sizeof(m->remote));
	if (h->encap_udp) {
		m->local_port = h->path.local_port;
		m->remote_port = h->path.remote_port;
	}
	m->replay_window = dir == MSG_DIR_IN ? p->tunnel->cfg.esp.replay_window : 0;
	put_limits(s, m, &p->tunnel->cfg, h->esn);
	for (unsigned i = 0; i < h->n_ts; i++)
		dp_ts_put(&m->ts[i], &h->ts[i]);
	m->key_len = h->key.len;
	memcpy(m->key, h->key.b, h->key.len);
	m->child = h->child;
	return 0;
}
