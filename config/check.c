#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/index.h"
#include "config/nearest.h"
#include "config/proposal.h"
#include "config/select.h"

static void at(struct load *l, const struct cfg_tunnel *t, const char *key)
{
	l->path[0] = "tunnels";
	l->path[1] = t->name;
	l->path[2] = key;
	l->depth = key ? 3 : 2;
}

static bool has_addr(const struct ip_prefix *p, unsigned n, const struct ip_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_equal(&p[i].addr, a))
			return true;
	return false;
}

static bool is_ours(const struct config *c, const struct ip_addr *a)
{
	for (unsigned i = 0; i < c->n_ports; i++)
		if (has_addr(c->port[i].addr, c->port[i].n_addr, a))
			return true;
	return has_addr(c->gateway_addr, c->n_gateway_addr, a);
}

/* Our outer address: as written, or the port's first. */
static void check_local(struct load *l, struct cfg_tunnel *t)
{
	const struct config *c = l->c;
	const struct cfg_port *p = config_port(c, t->local.port);
	char text[IP_STR];

	if (!t->local.port[0])
		return;
	if (!p) {
		at(l, t, "local.port");
		nearest_name_error(l, load_line(l, t->local.port), "port", "ports", t->local.port, c->port,
				   sizeof(c->port[0]), c->n_ports);
		return;
	}
	if (t->mtu && t->mtu >= p->mtu) {
		at(l, t, "mtu");
		load_error(l, load_line(l, &t->mtu), "%u leaves no room for ESP on a port of %u: write less, or auto",
			   t->mtu, p->mtu);
	}
	if (t->local.addr.family) {
		at(l, t, "local.address");
		if (!has_addr(p->addr, p->n_addr, &t->local.addr) &&
		    !has_addr(c->gateway_addr, c->n_gateway_addr, &t->local.addr))
			load_error(l, load_line(l, &t->local.addr),
				   "%s is no address of port %s, nor of the gateway: write one of them",
				   ip_str(&t->local.addr, text), p->name);
		return;
	}
	if (p->n_addr) {
		t->local.addr = p->addr[0].addr;
		return;
	}
	at(l, t, "local.port");
	load_error(l, load_line(l, t->local.port), "port %s has no address: give it one, or write `address` here",
		   p->name);
}

static void id_from_addr(struct cfg_id *id, const struct ip_addr *a)
{
	id->type = a->family == IP_V4 ? CFG_ID_IPV4 : CFG_ID_IPV6;
	id->len = (uint16_t)ip_size(a->family);
	memcpy(id->b, a->b, id->len);
}

static void check_remote(struct load *l, struct cfg_tunnel *t)
{
	unsigned line = load_line(l, &t->remote.id);
	char text[IP_STR];

	if (t->remote.addr.family && is_ours(l->c, &t->remote.addr)) {
		at(l, t, "remote.address");
		load_error(l, load_line(l, &t->remote.addr), "%s is our own address: write the peer's",
			   ip_str(&t->remote.addr, text));
	}
	/* a mark without an identity: `any`, or one that could not be read */
	if (line && t->remote.id.type == CFG_ID_NONE && t->remote.addr.family) {
		at(l, t, "remote.id");
		load_error(l, line,
			   "a peer at a known address needs an identity: write it, or leave `id` out for the address");
	}
	if (!line && t->remote.addr.family)
		id_from_addr(&t->remote.id, &t->remote.addr);
	if (!load_line(l, &t->local.id) && t->local.addr.family)
		id_from_addr(&t->local.id, &t->local.addr);
}

/* A peer at an unknown address can only come to us. */
static void check_start(struct load *l, struct cfg_tunnel *t)
{
	unsigned line = load_line(l, &t->start);

	if (t->remote.addr.family || t->remote.name[0] || !load_line(l, &t->remote.addr))
		return;
	if (!line)
		t->start = CFG_START_RESPOND_ONLY;
	else if (t->start != CFG_START_RESPOND_ONLY) {
		at(l, t, "start");
		load_error(l, line,
			   "a peer at address `any` cannot be called: write respond-only, or the peer's address");
	}
}

static void check_auth(struct load *l, const struct cfg_tunnel *t)
{
	unsigned in_file = load_line(l, &l->c->psk_file[t - l->c->tunnel]), here = load_line(l, &t->psk);

	at(l, t, "auth");
	if (in_file && here)
		load_error(l, in_file > here ? in_file : here,
			   "both psk and psk-file are given: keep one (psk-file is safer)");
	else if (!in_file && !here && load_line(l, t->local.port)) /* else this is hardly a tunnel at all */
		load_error(l, t->line, "no PSK is given: write auth: {psk-file: PATH}, a file of mode 0600");
}

static void no_legacy(struct load *l, const struct cfg_tunnel *t, const char *block, const struct cfg_proposal *p,
		      const unsigned *n)
{
	l->path[0] = "tunnels";
	l->path[1] = t->name;
	l->path[2] = block;
	l->path[3] = "proposals";
	l->depth = 4;
	for (unsigned i = 0; i < *n; i++) {
		const struct alg *a = proposal_legacy(&p[i]);

		if (a)
			load_error(l, load_line(l, n),
				   "`%s` is weak and only kept for old peers (RFC 8221, 8247): write something "
				   "stronger, or ike: {legacy: true} in this tunnel to allow it",
				   a->word);
	}
}

/* A key that said nothing usable keeps its error; one that is absent gets the default. */
static void fill(struct load *l, struct cfg_tunnel *t)
{
	if (!load_line(l, &t->ike.n_proposals))
		t->ike.n_proposals = proposal_defaults(PROPOSAL_IKE, t->ike.proposal);
	if (!load_line(l, &t->esp.n_proposals))
		t->esp.n_proposals = proposal_defaults(PROPOSAL_ESP, t->esp.proposal);
	if (!t->n_ts)
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
		check_local(l, t);
		check_remote(l, t);
		check_start(l, t);
		check_auth(l, t);
		if (!t->ike.legacy) {
			no_legacy(l, t, "ike", t->ike.proposal, &t->ike.n_proposals);
			no_legacy(l, t, "esp", t->esp.proposal, &t->esp.n_proposals);
		}
		fill(l, t);
	}
	check_peers(l);
	check_twins(l, routed);
	check_policies(l);
	check_bgp(l);
	index_fini(&names);
	free(routed);
}
