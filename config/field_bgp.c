#include "config/field_bgp.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/field.h"
#include "config/value.h"

enum { AS_TRANS = 23456 };

/* RFC 7607: 0; 6793: 23456 stands for numbers that do not fit; 7300: the last ones. */
static bool nobodys(uint32_t as)
{
	return as == 0 || as == AS_TRANS || as == UINT16_MAX || as == UINT32_MAX;
}

bool field_bgp_as_number(struct load *l, const struct tree_node *n, bool any, uint32_t *out)
{
	const char *s = load_value(l, n, "an AS number such as 65010");
	char show[80];
	uint64_t v;

	if (!s)
		return false;
	if (value_uint(s, &v) < 0 || v > UINT32_MAX || !v) {
		load_error(l, n->line, "\"%s\" is not an AS number: write 1 to 4294967294, without dots",
			   load_show(n, show));
		return false;
	}
	if (!any && nobodys((uint32_t)v)) {
		load_error(l, n->line, "nobody can have AS %u (it is reserved): write a number such as 65010",
			   (unsigned)v);
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

bool field_bgp_network(struct load *l, const struct tree_node *n, struct ip_prefix *out)
{
	const char *s = load_value(l, n, "a network such as 10.0.1.0/24");
	struct ip_prefix p, net;
	char show[80], text[IP_STR];

	if (!s)
		return false;
	if (ip_prefix_parse(s, true, &p) < 0) {
		load_error(l, n->line, "\"%s\" is not a network: write one such as 10.0.1.0/24", load_show(n, show));
		return false;
	}
	net = p;
	ip_mask(&net.addr, net.len);
	if (!ip_equal(&net.addr, &p.addr)) {
		load_error(l, n->line, "\"%s\" has bits behind its length: write %s", load_show(n, show),
			   ip_prefix_str(&net, text));
		return false;
	}
	*out = p;
	return true;
}

bool field_bgp_host(struct load *l, const struct tree_node *n, const char *what, struct ip_addr *out)
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
	if (!field_is_host(&a)) {
		load_error(l, n->line, "%s is not the address of one host: write %s", load_show(n, show), what);
		return false;
	}
	*out = a;
	return true;
}

void field_bgp_as(struct load *l, const struct tree_node *n, void *bgp)
{
	struct cfg_bgp *b = bgp;

	load_mark(l, &b->as, n->line);
	field_bgp_as_number(l, n, false, &b->as);
}

/* RFC 6286 2.1: any four octets but 0; in the form of an address. */
void field_bgp_router_id(struct load *l, const struct tree_node *n, void *bgp)
{
	const char *s = load_value(l, n, "four octets such as 10.2.2.2");
	struct cfg_bgp *b = bgp;
	struct ip_addr a;
	char show[80];

	load_mark(l, &b->router_id, n->line);
	if (!s)
		return;
	if (ip_parse(s, &a) < 0 || a.family != IP_V4 || ip_is_any(&a))
		load_error(l, n->line,
			   "\"%s\" is not a router ID: write four octets such as 10.2.2.2, other than 0.0.0.0",
			   load_show(n, show));
	else
		b->router_id = ip_v4_u32(&a);
}

/* A list, or a single one. */
void field_bgp_originate(struct load *l, const struct tree_node *n, void *bgp)
{
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;
	struct cfg_bgp *b = bgp;
	char text[IP_STR];

	load_mark(l, &b->originate, n->line);
	b->originate = xcalloc(n->kind == TREE_LIST ? n->n : 1, sizeof(*b->originate));
	for (; c; c = n->kind == TREE_LIST ? c->next : NULL) {
		struct ip_prefix p;
		bool twice = false;

		if (!field_bgp_network(l, c, &p))
			continue;
		for (unsigned i = 0; i < b->n_originate; i++)
			twice |= ip_prefix_equal(&p, &b->originate[i]);
		if (twice)
			load_error(l, c->line, "%s stands in the list twice: leave one out", ip_prefix_str(&p, text));
		else
			b->originate[b->n_originate++] = p;
	}
}

void field_bgp_address(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	load_mark(l, &p->addr, n->line);
	field_address(l, n, "the peer's address", &p->addr);
}

void field_bgp_peer_as(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	load_mark(l, &p->as, n->line);
	field_bgp_as_number(l, n, false, &p->as);
}

void field_bgp_source(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	load_mark(l, &p->source, n->line);
	field_address(l, n, "an address of this gateway", &p->source);
}

static void read_policy(struct load *l, const struct tree_node *n, char out[CFG_NAME_MAX])
{
	const char *s = load_value(l, n, "the name of a policy");

	load_mark(l, out, n->line);
	if (s)
		field_name(l, s, n->line, out);
}

void field_bgp_import(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	read_policy(l, n, p->import);
}

void field_bgp_export(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	read_policy(l, n, p->export);
}

void field_bgp_families(struct load *l, const struct tree_node *n, void *peer)
{
	const struct tree_node *c = n->kind == TREE_LIST ? n->first : n;
	struct cfg_bgp_peer *p = peer;
	char show[80];

	load_mark(l, &p->families, n->line);
	if (!c)
		load_error(l, n->line, "the list is empty: write ipv4, ipv6 or both");
	for (; c; c = n->kind == TREE_LIST ? c->next : NULL) {
		const char *s = load_value(l, c, "ipv4 or ipv6");
		unsigned bit = !s ? 0 : !strcmp(s, "ipv4") ? CFG_BGP_V4 : !strcmp(s, "ipv6") ? CFG_BGP_V6 : 0;

		if (!s)
			continue;
		if (!bit)
			load_error(l, c->line, "\"%s\" is no family: write ipv4 or ipv6", load_show(c, show));
		else if (p->families & bit)
			load_error(l, c->line, "%s stands in the list twice: leave one out", s);
		p->families |= (uint8_t)bit;
	}
}

static const struct field_secret password = {"password", "password-file", "the password in quotes",
					     "the path of a file that holds the password", CFG_BGP_PASSWORD_MAX};

void field_bgp_password(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	p->has_password = true;
	field_secret(l, n, &password, &p->password);
}

void field_bgp_password_file(struct load *l, const struct tree_node *n, void *peer)
{
	struct cfg_bgp_peer *p = peer;

	p->has_password = true;
	field_secret_file(l, n, &password, &l->c->bgp.password_file[p - l->c->bgp.peer], &p->password);
}

void field_bgp_description(struct load *l, const struct tree_node *n, void *peer)
{
	const char *s = load_value(l, n, "some words on the peer");
	struct cfg_bgp_peer *p = peer;

	if (!s)
		return;
	if (strlen(s) >= sizeof(p->description))
		load_error(l, n->line, "the text is longer than %zu octets: shorten it", sizeof(p->description) - 1);
	else
		memcpy(p->description, s, strlen(s) + 1);
}
