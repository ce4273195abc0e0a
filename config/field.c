#include "config/field.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "config/proposal.h"
#include "config/psk.h"
#include "config/value.h"

enum { CPU_MAX = 1023 };

bool field_name(struct load *l, const char *s, unsigned line, char out[CFG_NAME_MAX])
{
	size_t n = strlen(s);
	bool ok = n && n < CFG_NAME_MAX && isalnum((unsigned char)s[0]);
	char esc[80];

	for (size_t i = 0; ok && i < n; i++)
		ok = isalnum((unsigned char)s[i]) || strchr("_.-", s[i]);
	if (!ok) {
		load_error(l, line,
			   "\"%s\" is not a name: write 1 to %d of A-Z a-z 0-9 _ . - beginning with a letter or digit",
			   log_esc(s, n, esc, sizeof(esc)), CFG_NAME_MAX - 1);
		return false;
	}
	memcpy(out, s, n + 1);
	return true;
}

/* Only IPv4 goes through this release. */
static bool only_v4(struct load *l, const struct tree_node *n, uint8_t family)
{
	if (family == IP_V4)
		return true;
	load_error(l, n->line, "IPv6 is not in this release: write an IPv4 address");
	return false;
}

bool field_prefix(struct load *l, const struct tree_node *n, bool keep_host, struct ip_prefix *out)
{
	const char *s = load_value(l, n, "an address with its length such as 10.0.1.0/24");
	struct ip_prefix p, net;
	char show[80], text[IP_STR];

	if (!s)
		return false;
	if (ip_prefix_parse(s, true, &p) < 0) {
		load_error(l, n->line, "\"%s\" is not an address with its length: write one such as 10.0.1.0/24",
			   load_show(n, show));
		return false;
	}
	if (!only_v4(l, n, p.addr.family))
		return false;
	if (keep_host && !strchr(s, '/')) {
		load_error(l, n->line,
			   "\"%s\" lacks the length of its network: write %s/24, or /32 for a single address",
			   load_show(n, show), ip_str(&p.addr, text));
		return false;
	}
	net = p;
	ip_mask(&net.addr, net.len);
	if (!keep_host && !ip_equal(&net.addr, &p.addr)) {
		load_error(l, n->line, "\"%s\" has bits behind its length: write %s", load_show(n, show),
			   ip_prefix_str(&net, text));
		return false;
	}
	*out = p;
	return true;
}

static bool read_address(struct load *l, const struct tree_node *n, const char *what, struct ip_addr *out)
{
	const char *s = load_value(l, n, what);
	struct ip_addr a;
	char show[80];

	if (!s)
		return false;
	if (ip_parse(s, &a) < 0) {
		load_error(l, n->line, "\"%s\" is not an address: write %s", load_show(n, show), what);
		return false;
	}
	if (!only_v4(l, n, a.family))
		return false;
	if (ip_is_any(&a) || ip_is_multicast(&a) || a.b[0] == 127 || a.b[0] >= 240) {
		load_error(l, n->line, "%s is not the address of one host: write %s", load_show(n, show), what);
		return false;
	}
	*out = a;
	return true;
}

void field_gateway_name(struct load *l, const struct tree_node *n, void *config)
{
	struct config *c = config;
	const char *s = load_value(l, n, "a name");

	if (s)
		field_name(l, s, n->line, c->gateway_name);
}

/* One CPU of the list. */
static void add_cpu(struct load *l, const struct tree_node *n, struct cfg_dataplane *d)
{
	uint64_t v;
	char show[80];

	if (n->kind != TREE_VALUE || value_uint(n->s, &v) < 0 || v > CPU_MAX) {
		load_error(l, n->line, "\"%s\" is not a CPU: write numbers of 0 to %d such as [2, 3]",
			   load_show(n, show), CPU_MAX);
		return;
	}
	for (unsigned i = 0; i < d->n_workers; i++)
		if (d->cpu[i] == v) {
			load_error(l, n->line, "CPU %u stands in the list twice: each worker needs its own",
				   (unsigned)v);
			return;
		}
	d->cpu[d->n_workers++] = (uint16_t)v;
}

void field_workers(struct load *l, const struct tree_node *n, void *dataplane)
{
	struct cfg_dataplane *d = dataplane;
	char show[80];
	uint64_t v;

	load_mark(l, &d->n_workers, n->line);
	if (n->kind == TREE_LIST) {
		if (!n->n || n->n > CFG_WORKERS_MAX) {
			load_error(l, n->line, "%u CPUs are listed: list 1 to %d", n->n, CFG_WORKERS_MAX);
			return;
		}
		d->cpus_set = true;
		d->n_workers = 0;
		for (const struct tree_node *c = n->first; c; c = c->next)
			add_cpu(l, c, d);
		return;
	}
	if (n->kind != TREE_VALUE || value_uint(n->s, &v) < 0 || !v || v > CFG_WORKERS_MAX) {
		load_error(l, n->line,
			   "\"%s\" is not a number of workers: write 1 to %d, or a list of CPUs such as [2, 3]",
			   load_show(n, show), CFG_WORKERS_MAX);
		return;
	}
	d->n_workers = (unsigned)v;
}

void field_hugepages(struct load *l, const struct tree_node *n, void *dataplane)
{
	static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false", "off"};
	const char *s = load_value(l, n, "auto, yes or no");
	struct cfg_dataplane *d = dataplane;
	char show[80];

	if (!s || !strcmp(s, "auto"))
		return;
	for (unsigned i = 0; i < N_ELEMS(yes); i++)
		if (!strcmp(s, yes[i]) || !strcmp(s, no[i])) {
			d->hugepages_set = true;
			d->hugepages = !strcmp(s, yes[i]);
			return;
		}
	load_error(l, n->line, "\"%s\" is none of its words: write auto, yes or no", load_show(n, show));
}

static bool is_iface(const char *s, size_t n)
{
	if (!n || n > 15 || (n == 1 && s[0] == '.') || (n == 2 && !memcmp(s, "..", 2)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)s[i]) || strchr("/:,", s[i]))
			return false;
	return true;
}

/* rx=FILE,tx=FILE in any order, one of them at least; or iface=IFACE. */
static bool is_pcap(const char *s)
{
	bool rx = false, tx = false;

	if (!strncmp(s, "iface=", 6))
		return is_iface(s + 6, strlen(s + 6));
	for (;;) {
		size_t n = strcspn(s, ",");
		bool *seen = !strncmp(s, "rx=", 3) ? &rx : !strncmp(s, "tx=", 3) ? &tx : NULL;

		if (!seen || *seen || n <= 3)
			return false;
		*seen = true;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

void field_device(struct load *l, const struct tree_node *n, void *port)
{
	static const char *const later[] = {"pci:", "vmbus:", "af_xdp:", "memif:", "tap:", "net_null:", "net_ring:"};
	const char *s = load_value(l, n, "a device such as af_packet:eth1");
	struct cfg_port *p = port;
	char show[80];

	load_mark(l, p->device, n->line);
	if (!s)
		return;
	for (unsigned i = 0; i < N_ELEMS(later); i++)
		if (!strncmp(s, later[i], strlen(later[i]))) {
			load_error(l, n->line, "`%s` devices are not in this release: write af_packet:IFACE", later[i]);
			return;
		}
	if (strlen(s) >= sizeof(p->device)) {
		load_error(l, n->line, "the device has more than %zu octets", sizeof(p->device) - 1);
		return;
	}
	if (!strncmp(s, "af_packet:", 10) && is_iface(s + 10, strlen(s + 10)))
		memcpy(p->device, s, strlen(s));
	else if (!strncmp(s, "pcap:", 5) && is_pcap(s + 5))
		memcpy(p->device, s, strlen(s));
	else
		load_error(l, n->line,
			   "\"%s\" is not a device: write af_packet:IFACE, pcap:rx=FILE,tx=FILE or pcap:iface=IFACE",
			   load_show(n, show));
}

void field_to(struct load *l, const struct tree_node *n, void *route)
{
	struct cfg_route *r = route;

	load_mark(l, &r->to, n->line);
	field_prefix(l, n, false, &r->to);
}

void field_via(struct load *l, const struct tree_node *n, void *route)
{
	struct cfg_route *r = route;

	load_mark(l, &r->via, n->line);
	read_address(l, n, "the next router's address", &r->via);
}

void field_route_tunnel(struct load *l, const struct tree_node *n, void *route)
{
	struct cfg_route *r = route;
	const char *s = load_value(l, n, "the name of a tunnel");

	load_mark(l, r->tunnel, n->line);
	if (s)
		field_name(l, s, n->line, r->tunnel);
}

void field_tun(struct load *l, const struct tree_node *n, void *dataplane)
{
	const char *s = load_value(l, n, "a name such as esplanade0");
	struct cfg_dataplane *d = dataplane;
	char show[80];

	load_mark(l, d->tun, n->line);
	if (!s)
		return;
	if (!is_iface(s, strlen(s)))
		load_error(l, n->line,
			   "\"%s\" is not the name of an interface: write up to 15 octets such as esplanade0",
			   load_show(n, show));
	else
		snprintf(d->tun, sizeof(d->tun), "%s", s);
}

void field_blackhole(struct load *l, const struct tree_node *n, void *route)
{
	struct cfg_route *r = route;
	const char *s = load_value(l, n, "true");
	char show[80];

	load_mark(l, &r->blackhole, n->line);
	if (!s)
		return;
	r->blackhole = !strcmp(s, "true") || !strcmp(s, "yes");
	if (!r->blackhole)
		load_error(l, n->line, "\"%s\" says nothing: write true, or leave `blackhole` out", load_show(n, show));
}

void field_local_port(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;
	const char *s = load_value(l, n, "the name of a port");

	load_mark(l, t->local.port, n->line);
	if (s)
		field_name(l, s, n->line, t->local.port);
}

void field_local_address(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	load_mark(l, &t->local.addr, n->line);
	read_address(l, n, "an address of the port", &t->local.addr);
}

void field_remote_address(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;
	struct ip_addr a;

	load_mark(l, &t->remote.addr, n->line);
	if (n->kind == TREE_VALUE && !strcmp(n->s, "any"))
		return;
	if (n->kind == TREE_VALUE && ip_parse(n->s, &a) < 0 && isalpha((unsigned char)n->s[0]) && !strchr(n->s, '/')) {
		load_error(l, n->line, "names are not resolved in this release: write an address or `any`");
	} else if (read_address(l, n, "the peer's address, or `any`", &t->remote.addr)) {
		return;
	}
	t->remote.name[0] = '?'; /* no address, but not any either */
}

static void read_id(struct load *l, const struct tree_node *n, struct cfg_id *out)
{
	const char *s = load_value(l, n, "an identity such as 192.0.2.1, gw.example.net or user@example.net");
	char show[80];

	load_mark(l, out, n->line);
	if (s && cfg_id_parse(s, out) < 0)
		load_error(l, n->line,
			   "\"%s\" is not an identity: write an address, a host name, user@host or key:HEX (256 octets "
			   "at most)",
			   load_show(n, show));
}

void field_local_id(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	read_id(l, n, &t->local.id);
}

void field_remote_id(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	if (n->kind == TREE_VALUE && !strcmp(n->s, "any"))
		load_mark(l, &t->remote.id, n->line); /* check.c: only of a peer at any address */
	else
		read_id(l, n, &t->remote.id);
}

void field_secret(struct load *l, const struct tree_node *n, const struct field_secret *k, struct secret **out)
{
	const char *s = load_value(l, n, k->inline_what);

	load_mark(l, out, n->line);
	load_inline(l, k->name, k->file_key, n->line);
	if (!s)
		return;
	if (strlen(s) > k->max) {
		load_error(l, n->line, "the %s is longer than %u octets", k->name, k->max);
		return;
	}
	if (!l->secrets || *out) /* both given: the checks say so */
		return;
	*out = xcalloc(1, sizeof(**out));
	if (secret_set(*out, s, strlen(s)) < 0)
		load_error(l, n->line, "the %s is longer than %u octets", k->name, k->max);
}

void field_secret_file(struct load *l, const struct tree_node *n, const struct field_secret *k, char **file,
		       struct secret **out)
{
	const char *s = load_value(l, n, k->file_what);
	struct secret got = {0};
	char err[512];

	load_mark(l, file, n->line);
	if (!s)
		return;
	*file = xstrdup(s);
	if (!l->secrets)
		return;
	if (psk_read(l->dir, s, k->name, k->max, &got, err, sizeof(err)) < 0) {
		load_error(l, n->line, "%s", err);
	} else if (!*out) { /* both given: the checks say so */
		*out = xcalloc(1, sizeof(**out));
		**out = got;
	}
	secret_fini(&got);
}

static const struct field_secret psk = {"PSK", "psk-file", "the pre-shared key in quotes",
					"the path of a file that holds the pre-shared key", CFG_PSK_MAX};

void field_psk(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	field_secret(l, n, &psk, &t->psk);
}

void field_psk_file(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	field_secret_file(l, n, &psk, &l->c->psk_file[t - l->c->tunnel], &t->psk);
}

static void read_proposal(struct load *l, const struct tree_node *n, enum proposal_of of, struct cfg_proposal *p,
			  unsigned *n_p)
{
	const char *s = load_value(l, n,
				   of == PROPOSAL_IKE ? "a proposal such as aes256gcm16-prfsha384-x25519"
						      : "a proposal such as aes256gcm16");
	char err[320], one[320], other[320], show[80];

	if (!s)
		return;
	if (*n_p == CFG_PROPOSALS_MAX) {
		load_error(l, n->line, "more than %d proposals: leave some out", CFG_PROPOSALS_MAX);
		return;
	}
	if (proposal_parse(s, of, &p[*n_p], err, sizeof(err)) < 0) {
		load_error(l, n->line, "\"%s\": %s", load_show(n, show), err);
		memset(&p[*n_p], 0, sizeof(p[*n_p]));
		return;
	}
	proposal_str(&p[*n_p], one, sizeof(one));
	for (unsigned i = 0; i < *n_p; i++)
		if (!strcmp(one, proposal_str(&p[i], other, sizeof(other)))) {
			load_error(l, n->line, "%s stands in the list twice: leave one out", one);
			memset(&p[*n_p], 0, sizeof(p[*n_p]));
			return;
		}
	(*n_p)++;
}

/* One value, or a list of them. */
static void read_proposals(struct load *l, const struct tree_node *n, enum proposal_of of, struct cfg_proposal *p,
			   unsigned *n_p)
{
	load_mark(l, n_p, n->line);
	if (n->kind != TREE_LIST) {
		read_proposal(l, n, of, p, n_p);
		return;
	}
	if (!n->n)
		load_error(l, n->line, "the list is empty: write a proposal, or leave `proposals` out for the default");
	for (const struct tree_node *c = n->first; c; c = c->next)
		read_proposal(l, c, of, p, n_p);
}

void field_ike_proposals(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	read_proposals(l, n, PROPOSAL_IKE, t->ike.proposal, &t->ike.n_proposals);
}

void field_esp_proposals(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;

	read_proposals(l, n, PROPOSAL_ESP, t->esp.proposal, &t->esp.n_proposals);
}

void field_mode(struct load *l, const struct tree_node *n, void *tunnel)
{
	const char *s = load_value(l, n, "tunnel");
	struct cfg_tunnel *t = tunnel;
	char show[80];

	if (!s)
		return;
	if (!strcmp(s, "tunnel"))
		t->mode = CFG_MODE_TUNNEL;
	else if (!strcmp(s, "transport"))
		load_error(l, n->line, "transport mode is not in this release: write tunnel, or leave `mode` out");
	else
		load_error(l, n->line, "\"%s\" is not a mode: write tunnel, or leave `mode` out", load_show(n, show));
}

void field_tunnel_mtu(struct load *l, const struct tree_node *n, void *tunnel)
{
	const char *s = load_value(l, n, "auto, or octets");
	struct cfg_tunnel *t = tunnel;
	char show[80];
	uint64_t v;

	load_mark(l, &t->mtu, n->line);
	if (!s || !strcmp(s, "auto"))
		return;
	if (value_uint(s, &v) < 0 || v < 576 || v > 9216)
		load_error(l, n->line, "\"%s\" is not an MTU: write auto, or 576 to 9216 octets", load_show(n, show));
	else
		t->mtu = (uint16_t)v;
}

void field_replay_window(struct load *l, const struct tree_node *n, void *tunnel)
{
	const char *s = load_value(l, n, "a number of packets");
	struct cfg_tunnel *t = tunnel;
	char show[80];
	uint64_t v;

	if (!s)
		return;
	if (value_uint(s, &v) < 0 || v > 1024 || (v & (v - 1)) || (v && v < 64))
		load_error(l, n->line,
			   "\"%s\" is not a replay window: write 64, 128, 256, 512 or 1024 packets (0: off)",
			   load_show(n, show));
	else
		t->esp.replay_window = (uint16_t)v;
}
