#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/index.h"
#include "config/preset.h"
#include "config/proposal.h"
#include "config/select.h"

static void at(struct load *l, const struct cfg_tunnel *t, const char *block, const char *key)
{
	l->path[0] = "tunnels";
	l->path[1] = t->name;
	l->path[2] = block;
	l->path[3] = key;
	l->depth = key ? 4 : 3;
}

static void no_legacy(struct load *l, const struct cfg_tunnel *t, const char *block, const struct cfg_proposal *p,
		      const unsigned *n)
{
	unsigned line = load_line(l, n);

	at(l, t, block, "proposals");
	for (unsigned i = 0; line && i < *n; i++) {
		const struct alg *a = proposal_legacy(&p[i]);

		if (a)
			load_error(l, line,
				   "`%s` is weak and only kept for old peers (RFC 8221, 8247): write something "
				   "stronger, or ike: {legacy: true} in this tunnel to allow it",
				   a->word);
	}
}

/* Weak algorithms are never taken because of a kind alone. */
static void no_legacy_kind(struct load *l, const struct cfg_tunnel *t)
{
	const struct alg *a = NULL;

	for (unsigned i = 0; !load_line(l, &t->ike.n_proposals) && !a && i < t->ike.n_proposals; i++)
		a = proposal_legacy(&t->ike.proposal[i]);
	for (unsigned i = 0; !load_line(l, &t->esp.n_proposals) && !a && i < t->esp.n_proposals; i++)
		a = proposal_legacy(&t->esp.proposal[i]);
	if (!a)
		return;
	at(l, t, "kind", NULL);
	load_error(
		l, load_line(l, &t->kind),
		"what %s does by default is weak (`%s`; RFC 8221, 8247): better set a policy on its side and write the "
		"same in ike: {proposals: [...]} and esp: {proposals: [...]}, or take it: ike: {legacy: true}",
		preset_words[t->kind], a->word);
}

/* RFC 2410, RFC 4543: authentic, and in clear. */
static void note_clear(struct load *l, const struct cfg_tunnel *t)
{
	unsigned line = load_line(l, &t->esp.n_proposals);

	at(l, t, "esp", "proposals");
	for (unsigned i = 0; line && i < t->esp.n_proposals; i++)
		for (unsigned j = 0; j < t->esp.proposal[i].encr.n; j++) {
			const struct alg *a = t->esp.proposal[i].encr.alg[j];

			if (a->id != ALG_ENCR_NULL && a->id != ALG_ENCR_AES_GMAC)
				continue;
			load_note(l, line, "`%s` enciphers nothing: everybody on the way can read what it carries",
				  a->word);
			return;
		}
}

/* A key that said nothing usable keeps its error; one that is absent gets the default. */
static void fill(struct load *l, struct cfg_tunnel *t)
{
	preset_fill(l, t);
	if (!t->n_ts && t->mode == CFG_MODE_TRANSPORT && t->local.addr.family == t->remote.addr.family)
		select_hosts(t);
	else if (!t->n_ts)
		select_any(t);
}

static void check_dataplane(struct load *l)
{
	const struct cfg_dataplane *d = &l->c->dataplane;

	l->path[0] = "dataplane";
	l->path[1] = "max-sas";
	l->depth = 2;
	if (d->sa_max & (d->sa_max - 1))
		load_error(l, load_line(l, &d->sa_max), "%u is no power of two: write %u", d->sa_max,
			   1u << (32 - __builtin_clz(d->sa_max)));
	l->depth = 0;
}

void check_all(struct load *l)
{
	struct config *c = l->c;
	bool *routed = xcalloc(c->n_tunnels, sizeof(*routed));
	struct index names;

	index_init(&names, c);
	check_dataplane(l);
	check_net(l, &names, routed);
	for (unsigned i = 0; i < c->n_tunnels; i++) {
		struct cfg_tunnel *t = &c->tunnel[i];

		if (!t->name[0])
			continue;
		check_tunnel(l, t);
		fill(l, t);
		if (!t->ike.legacy) {
			no_legacy(l, t, "ike", t->ike.proposal, &t->ike.n_proposals);
			no_legacy(l, t, "esp", t->esp.proposal, &t->esp.n_proposals);
			no_legacy_kind(l, t);
		}
		note_clear(l, t);
		check_mode(l, t);
	}
	check_peers(l);
	check_twins(l, routed);
	check_policies(l);
	check_bgp(l);
	index_fini(&names);
	free(routed);
}
