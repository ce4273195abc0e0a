/* A tunnel's fields against each other and against the rest of the file. */
#include <string.h>

#include "config/check.h"
#include "config/nearest.h"
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

/* The port's first address of the family; of any, the first of IPv4 before those of IPv6. */
static const struct ip_addr *first_addr(const struct cfg_port *p, uint8_t family)
{
	for (unsigned i = 0; i < p->n_addr; i++)
		if (p->addr[i].addr.family == (family ? family : IP_V4))
			return &p->addr[i].addr;
	return !family && p->n_addr ? &p->addr[0].addr : NULL;
}

/* Our outer address: as written, or the port's first. */
static void check_local(struct load *l, struct cfg_tunnel *t)
{
	const struct config *c = l->c;
	const struct cfg_port *p = config_port(c, t->local.port);
	const struct ip_addr *first;
	char text[IP_STR], peer[IP_STR];

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
		else if (t->remote.addr.family && t->remote.addr.family != t->local.addr.family)
			load_error(l, load_line(l, &t->local.addr),
				   "%s and the peer's address %s are of two families: write two of one",
				   ip_str(&t->local.addr, text), ip_str(&t->remote.addr, peer));
		return;
	}
	first = first_addr(p, t->remote.addr.family);
	if (first) {
		t->local.addr = *first;
		return;
	}
	at(l, t, "local.port");
	if (p->n_addr)
		load_error(l, load_line(l, t->local.port),
			   "port %s has no %s address, which the peer's is: give it one, or write `address` here",
			   p->name, t->remote.addr.family == IP_V4 ? "IPv4" : "IPv6");
	else
		load_error(l, load_line(l, t->local.port),
			   "port %s has no address: give it one, or write `address` here", p->name);
}

static void id_from_addr(struct cfg_id *id, const struct ip_addr *a)
{
	id->type = a->family == IP_V4 ? CFG_ID_IPV4 : CFG_ID_IPV6;
	id->len = (uint16_t)ip_size(a->family);
	memcpy(id->b, a->b, id->len);
}

static void id_from_name(struct cfg_id *id, const char *name)
{
	id->type = CFG_ID_FQDN;
	id->len = (uint16_t)strlen(name);
	memcpy(id->b, name, id->len);
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
	if (line && t->remote.id.type == CFG_ID_NONE && (t->remote.addr.family || t->remote.name[0])) {
		at(l, t, "remote.id");
		load_error(l, line,
			   "a peer at a known address needs an identity: write it, or leave `id` out for the %s",
			   t->remote.addr.family ? "address" : "name");
	}
	if (!line && t->remote.addr.family)
		id_from_addr(&t->remote.id, &t->remote.addr);
	else if (!line && t->remote.name[0] && t->remote.name[0] != '?')
		id_from_name(&t->remote.id, t->remote.name);
	/* with certificates it is the subject of ours: ike/tunnel.h */
	if (!load_line(l, &t->local.id) && t->local.addr.family && !t->certs)
		id_from_addr(&t->local.id, &t->local.addr);
}

static void check_fragment(struct load *l, struct cfg_tunnel *t)
{
	if (t->fragment != CFG_FRAGMENT_AFTER || t->df != CFG_DF_SET)
		return;
	at(l, t, "fragment");
	load_error(
		l, load_line(l, &t->fragment),
		"packets that are cut after the cipher cannot have `df: set`: write `fragment: before`, or `df: copy`");
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

static void check_psk(struct load *l, const struct cfg_tunnel *t)
{
	unsigned in_file = load_line(l, &l->c->psk_file[t - l->c->tunnel]), here = load_line(l, &t->psk);

	if (in_file && here)
		load_error(l, in_file > here ? in_file : here,
			   "both psk and psk-file are given: keep one (psk-file is safer)");
	else if (!in_file && !here && load_line(l, t->local.port)) /* else this is hardly a tunnel at all */
		load_error(l, t->line,
			   "no PSK is given: write auth: {psk-file: PATH}, a file of mode 0600, or certificates: auth: "
			   "{cert: "
			   "PATH, key: PATH, ca: PATH}");
}

static void check_certs(struct load *l, const struct cfg_tunnel *t)
{
	const struct cfg_certs *c = t->certs;
	unsigned psk = load_line(l, &l->c->psk_file[t - l->c->tunnel]), here = load_line(l, &t->psk);
	unsigned cert = load_line(l, &c->n_cert), key = load_line(l, &c->key), ca = load_line(l, &c->n_ca);
	unsigned strict = load_line(l, &c->crl_strict);

	if (psk || here)
		load_error(l, psk > here ? psk : here, "both a PSK and certificates are given: keep one");
	if (!cert)
		load_error(l, t->line, "`cert` is missing: write the path of our certificate");
	if (!key)
		load_error(l, t->line,
			   "`key` is missing: write the path of the certificate's private key, a file of mode "
			   "0600");
	if (!ca)
		load_error(l, t->line,
			   "`ca` is missing: write the path of the CA's certificate that the peer's comes from");
	if (c->crl_strict && !load_line(l, &c->n_crl))
		load_error(l, strict, "crl-strict without `crl` refuses every peer: write crl: PATH, or leave it out");
}

static void check_auth(struct load *l, const struct cfg_tunnel *t)
{
	at(l, t, "auth");
	if (t->certs)
		check_certs(l, t);
	else
		check_psk(l, t);
}

void check_tunnel(struct load *l, struct cfg_tunnel *t)
{
	check_local(l, t);
	check_remote(l, t);
	check_start(l, t);
	check_fragment(l, t);
	check_auth(l, t);
}

/* RFC 4301 5.1: transport mode has no addresses but the two ends'. */
static void check_transport(struct load *l, const struct cfg_tunnel *t)
{
	struct ip_prefix local = {.addr = t->local.addr, .len = (uint8_t)(ip_size(t->local.addr.family) * 8)};
	struct ip_prefix remote = {.addr = t->remote.addr, .len = local.len};
	char text[IP_STR], peer[IP_STR];

	at(l, t, "mode");
	if (!t->remote.addr.family && load_line(l, &t->remote.addr))
		load_error(l, load_line(l, &t->mode),
			   "transport mode protects what goes from one address to another: write the peer's as "
			   "remote.address, or mode: tunnel");
	at(l, t, "addresses");
	if (t->n_addr)
		load_error(l, load_line(l, &t->n_addr),
			   "in transport mode there are no inner addresses: remove them, or write mode: tunnel");
	if (!t->remote.addr.family || t->local.addr.family != t->remote.addr.family)
		return;
	at(l, t, "selectors");
	for (unsigned i = 0; i < t->n_ts; i++)
		if (!ip_prefix_equal(&t->ts[i].local, &local) || !ip_prefix_equal(&t->ts[i].remote, &remote)) {
			load_error(
				l, load_line(l, &t->n_ts),
				"transport mode carries nothing but what goes from %s to %s: write those as local and "
				"remote, or leave `selectors` out",
				ip_str(&local.addr, text), ip_str(&remote.addr, peer));
			return;
		}
}

void check_mode(struct load *l, const struct cfg_tunnel *t)
{
	if (t->mode == CFG_MODE_TRANSPORT)
		check_transport(l, t);
	at(l, t, "children");
	if (t->children == CFG_CHILDREN_PER_SELECTOR && select_is_any(t))
		load_error(l, load_line(l, &t->children),
			   "`selectors: any` is one child: write a list of {local, remote}, or children: one");
}
