#include "controlplane/tunnels.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "controlplane/place.h"

void tunnels_init(struct tunnels *ts)
{
	*ts = (struct tunnels){0};
}

static void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	secret_fini(&t->psk);
	cfg_certs_unref(t->cfg.certs);
	free(t);
}

void tunnels_fini(struct tunnels *ts)
{
	for (uint32_t i = 0; i < ts->n; i++)
		tunnel_free(ts->t[i]);
	free(ts->t);
	tunnels_init(ts);
}

/* FNV-1a. The handle's generation comes from the name, so that a restarted control plane gives a tunnel the handle that
 * the data plane already knows. */
static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h ? h : 1;
}

struct tunnel *tunnels_at(const struct tunnels *ts, uint32_t index)
{
	return index < ts->n ? ts->t[index] : NULL;
}

struct tunnel *tunnels_find(const struct tunnels *ts, const char *name)
{
	struct tunnel *t = ts->bucket[name_hash(name) % TUNNELS_BUCKETS];

	while (t && strcmp(t->cfg.name, name))
		t = t->next_name;
	return t;
}

struct tunnel *tunnels_by_handle(const struct tunnels *ts, const struct msg_handle *h)
{
	struct tunnel *t = tunnels_at(ts, h->slot);

	return t && t->handle.gen == h->gen ? t : NULL;
}

const char *tunnels_name(const struct tunnels *ts, uint32_t index)
{
	const struct tunnel *t = tunnels_at(ts, index);

	return t ? t->cfg.name : "-";
}

static void take_cfg(struct tunnel *t, const struct cfg_tunnel *cfg)
{
	bool same_peer = !strcmp(t->cfg.remote.name, cfg->remote.name) && cfg->remote.name[0];
	struct cfg_certs *certs = t->cfg.certs;

	t->cfg = *cfg;
	cfg_certs_ref(t->cfg.certs);
	cfg_certs_unref(certs); /* last: it may be the same */
	secret_fini(&t->psk);
	t->cfg.psk = NULL;
	if (cfg->psk) {
		t->psk = *cfg->psk;
		t->cfg.psk = &t->psk;
	}
	if (!same_peer) {
		t->peer = cfg->remote.addr;
		t->resolved = false;
		t->n_name_addr = t->name_at = 0;
		t->asked_ms = 0;
	}
}

static uint32_t free_index(struct tunnels *ts)
{
	for (uint32_t i = 0; i < ts->n; i++)
		if (!ts->t[i])
			return i;
	if (ts->n == CFG_TUNNELS_MAX)
		return ts->n;
	if (!(ts->n & (ts->n - 1))) /* grows by doubling: n is 0 or a power of two */
		ts->t = xrealloc(ts->t, ts->n ? (size_t)ts->n * 2 : 1, sizeof(*ts->t));
	ts->t[ts->n] = NULL;
	return ts->n++;
}

struct tunnel *tunnels_add(struct tunnels *ts, const struct cfg_tunnel *cfg)
{
	uint32_t i = free_index(ts), h = name_hash(cfg->name);
	struct tunnel *t;

	if (i >= CFG_TUNNELS_MAX)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->handle = (struct msg_handle){.slot = i, .gen = h};
	t->worker = PLACE_NONE;
	list_init(&t->pairs);
	list_init(&t->touched);
	take_cfg(t, cfg);
	t->next_name = ts->bucket[h % TUNNELS_BUCKETS];
	ts->bucket[h % TUNNELS_BUCKETS] = t;
	ts->t[i] = t;
	return t;
}

/* Rows come zeroed from the config room, so that equal ones are equal octet by octet. */
static bool same(const struct tunnel *t, const struct cfg_tunnel *cfg)
{
	struct cfg_tunnel a = t->cfg, b = *cfg;

	if (!a.psk != !b.psk)
		return false;
	if (a.psk && (a.psk->len != b.psk->len || !secret_equal(a.psk->b, b.psk->b, a.psk->len)))
		return false;
	if (!cfg_certs_same(a.certs, b.certs))
		return false;
	a.certs = b.certs = NULL;
	a.psk = b.psk = NULL;
	a.line = b.line = 0;
	return !memcmp(&a, &b, sizeof(a));
}

bool tunnels_change(struct tunnel *t, const struct cfg_tunnel *cfg)
{
	if (same(t, cfg)) {
		t->cfg.line = cfg->line;
		return false;
	}
	take_cfg(t, cfg);
	return true;
}

void tunnels_del(struct tunnels *ts, struct tunnel *t)
{
	struct tunnel **p = &ts->bucket[t->handle.gen % TUNNELS_BUCKETS];

	while (*p != t)
		p = &(*p)->next_name;
	*p = t->next_name;
	list_del(&t->touched);
	ts->t[t->handle.slot] = NULL;
	tunnel_free(t);
}
