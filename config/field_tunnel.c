#include "config/field_tunnel.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "config/proposal.h"
#include "config/value.h"

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
	field_address(l, n, "an address of the port", &t->local.addr);
}

/* RFC 1123 2.1, and "_", which names in the field do have: labels of 1 to 63, 253 in all; the last one is no number, or a
 * mistyped address would be looked for in the DNS. */
static bool is_fqdn(const char *s)
{
	size_t len = strlen(s), at = 0;

	if (!len || len > 253)
		return false;
	for (;;) {
		size_t n = strcspn(s + at, ".");

		if (!n || n > 63 || s[at] == '-' || s[at + n - 1] == '-')
			return false;
		for (size_t i = at; i < at + n; i++)
			if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
				return false;
		if (!s[at + n])
			return strspn(s + at, "0123456789") != n;
		at += n + 1;
	}
}

void field_remote_address(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;
	struct ip_addr a;

	load_mark(l, &t->remote.addr, n->line);
	if (n->kind == TREE_VALUE && !strcmp(n->s, "any"))
		return;
	if (n->kind == TREE_VALUE && ip_parse(n->s, &a) < 0 && is_fqdn(n->s))
		memcpy(t->remote.name, n->s, strlen(n->s) + 1);
	else if (!field_address(l, n, "the peer's address, its name, or `any`", &t->remote.addr))
		t->remote.name[0] = '?'; /* no address, but not any either */
}

static void read_id(struct load *l, const struct tree_node *n, struct cfg_id *out)
{
	const char *s = load_value(l, n, "an identity such as 192.0.2.1, gw.example.net or user@example.net");
	char show[80];

	load_mark(l, out, n->line);
	if (s && cfg_id_parse(s, out) < 0)
		load_error(l, n->line,
			   "\"%s\" is not an identity: write an address, a host name, user@host, \"C=DE, O=Example, "
			   "CN=gw\" or "
			   "key:HEX (256 octets at most)",
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

	load_mark(l, &t->esp.replay_window, n->line);
	if (!s)
		return;
	if (value_uint(s, &v) < 0 || v > 1024 || (v & (v - 1)) || (v && v < 64))
		load_error(l, n->line,
			   "\"%s\" is not a replay window: write 64, 128, 256, 512 or 1024 packets (0: off)",
			   load_show(n, show));
	else
		t->esp.replay_window = (uint16_t)v;
}

/* RFC 9293 3.7.1: the smallest that a host must take; no packet of a port is larger than 9216. */
void field_mss(struct load *l, const struct tree_node *n, void *tunnel)
{
	const char *s = load_value(l, n, "auto, off, or octets");
	struct cfg_tunnel *t = tunnel;
	char show[80];
	uint64_t v;

	load_mark(l, &t->mss, n->line);
	if (!s)
		return;
	if (!strcmp(s, "auto"))
		t->mss = CFG_MSS_AUTO;
	else if (!strcmp(s, "off"))
		t->mss = CFG_MSS_OFF;
	else if (value_uint(s, &v) < 0 || v < 536 || v > 9176)
		load_error(l, n->line, "\"%s\" is not an MSS: write auto, off, or 536 to 9176 octets",
			   load_show(n, show));
	else
		t->mss = (uint16_t)v;
}

void field_dscp(struct load *l, const struct tree_node *n, void *tunnel)
{
	const char *s = load_value(l, n, "copy, or a number of 0 to 63");
	struct cfg_tunnel *t = tunnel;
	char show[80];
	uint64_t v;

	load_mark(l, &t->dscp, n->line);
	if (!s)
		return;
	if (!strcmp(s, "copy"))
		t->dscp = CFG_DSCP_COPY;
	else if (value_uint(s, &v) < 0 || v > 63)
		load_error(l, n->line, "\"%s\" is not a DSCP: write copy, or a number of 0 to 63 (46 is EF)",
			   load_show(n, show));
	else
		t->dscp = (uint8_t)v;
}
