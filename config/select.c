#include "config/select.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "config/schema.h"
#include "config/value.h"

enum { ICMP = 1, ICMP6 = 58 };

/* IANA's protocol numbers, by the words that people write. */
static const struct {
	const char *word;
	uint8_t number;
	bool ports;
} protocols[] = {
	{"icmp", ICMP, false}, {"igmp", 2, false},  {"ipip", 4, false},     {"tcp", 6, true},  {"udp", 17, true},
	{"dccp", 33, true},    {"gre", 47, false},  {"esp", 50, false},     {"ah", 51, false}, {"icmpv6", ICMP6, false},
	{"ospf", 89, false},   {"sctp", 132, true}, {"udplite", 136, true},
};

const char *select_protocol_str(uint8_t protocol, char buf[8])
{
	if (!protocol)
		return NULL;
	for (unsigned i = 0; i < N_ELEMS(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].word;
	snprintf(buf, 8, "%u", protocol);
	return buf;
}

/* Both families; who says a network on one side says the other's family. */
static void any_pair(struct cfg_ts *ts, uint8_t family)
{
	ts->local.addr.family = family;
	ts->remote.addr.family = family;
	ts->local_port_hi = UINT16_MAX;
	ts->remote_port_hi = UINT16_MAX;
}

void select_any(struct cfg_tunnel *t)
{
	any_pair(&t->ts[0], IP_V4);
	any_pair(&t->ts[1], IP_V6);
	t->n_ts = 2;
}

bool select_is_any(const struct cfg_tunnel *t)
{
	struct cfg_tunnel any;

	memset(&any, 0, sizeof(any));
	select_any(&any);
	return t->n_ts == any.n_ts && !memcmp(t->ts, any.ts, any.n_ts * sizeof(any.ts[0]));
}

/* RFC 4301 5.1: transport mode protects what goes from the one address to the other. */
void select_hosts(struct cfg_tunnel *t)
{
	uint8_t len = (uint8_t)(ip_size(t->local.addr.family) * 8);

	any_pair(&t->ts[0], t->local.addr.family);
	t->ts[0].local = (struct ip_prefix){.addr = t->local.addr, .len = len};
	t->ts[0].remote = (struct ip_prefix){.addr = t->remote.addr, .len = len};
	t->n_ts = 1;
}

/* What `any` is says the other side: the family stays open. */
static void read_side(struct load *l, const struct tree_node *n, struct ip_prefix *out)
{
	if (n->kind == TREE_LIST)
		load_error(l, n->line, "a list stands here: write one network, and one {local, remote} for each pair");
	else if (n->kind != TREE_VALUE || strcmp(n->s, "any"))
		field_prefix(l, n, false, out);
}

static void read_local(struct load *l, const struct tree_node *n, void *ts)
{
	read_side(l, n, &((struct cfg_ts *)ts)->local);
}

static void read_remote(struct load *l, const struct tree_node *n, void *ts)
{
	read_side(l, n, &((struct cfg_ts *)ts)->remote);
}

static void read_protocol(struct load *l, const struct tree_node *n, void *ts)
{
	const char *s = load_value(l, n, "a protocol such as tcp, udp or icmp, or its number");
	struct cfg_ts *to = ts;
	char show[80];
	uint64_t v;

	if (!s || !strcmp(s, "any"))
		return;
	for (unsigned i = 0; i < N_ELEMS(protocols); i++)
		if (!strcmp(s, protocols[i].word)) {
			to->protocol = protocols[i].number;
			return;
		}
	if (value_uint(s, &v) < 0 || !v || v > UINT8_MAX)
		load_error(l, n->line,
			   "\"%s\" is not a protocol: write tcp, udp, icmp, ..., any, or a number of 1 to 255",
			   load_show(n, show));
	else
		to->protocol = (uint8_t)v;
}

/* "N", "N-M" or "any". */
static bool parse_ports(const char *s, uint16_t *lo, uint16_t *hi)
{
	char first[8];
	size_t n = strcspn(s, "-");
	uint64_t a, b;

	if (!strcmp(s, "any"))
		return true;
	if (n >= sizeof(first))
		return false;
	memcpy(first, s, n);
	first[n] = '\0';
	if (value_uint(first, &a) < 0)
		return false;
	b = a;
	if (s[n] && value_uint(s + n + 1, &b) < 0)
		return false;
	if (a > b || b > UINT16_MAX)
		return false;
	*lo = (uint16_t)a;
	*hi = (uint16_t)b;
	return true;
}

static void read_ports(struct load *l, const struct tree_node *n, uint16_t *lo, uint16_t *hi)
{
	const char *s = load_value(l, n, "a port such as 443, or a range such as 1000-1999");
	char show[80];

	if (s && !parse_ports(s, lo, hi))
		load_error(l, n->line,
			   "\"%s\" is neither a port nor a range: write one such as 443 or 1000-1999 (up to 65535)",
			   load_show(n, show));
}

static void read_local_ports(struct load *l, const struct tree_node *n, void *ts)
{
	struct cfg_ts *to = ts;

	read_ports(l, n, &to->local_port_lo, &to->local_port_hi);
}

static void read_remote_ports(struct load *l, const struct tree_node *n, void *ts)
{
	struct cfg_ts *to = ts;

	read_ports(l, n, &to->remote_port_lo, &to->remote_port_hi);
}

static const struct schema_key keys[] = {
	{.key = "local", .type = SCHEMA_CUSTOM, .read = read_local, .help = "a network of our side, or any"},
	{.key = "remote", .type = SCHEMA_CUSTOM, .read = read_remote, .help = "a network of the peer's side, or any"},
	{.key = "protocol",
	 .type = SCHEMA_CUSTOM,
	 .read = read_protocol,
	 .help = "tcp, udp, icmp, ..., any, or a number"},
	{.key = "local-ports", .type = SCHEMA_CUSTOM, .read = read_local_ports, .help = "443, or 1000-1999"},
	{.key = "remote-ports", .type = SCHEMA_CUSTOM, .read = read_remote_ports, .help = "443, or 1000-1999"},
};
static const struct schema pair_keys = {keys, N_ELEMS(keys)};

static bool has_ports(uint8_t protocol)
{
	for (unsigned i = 0; i < N_ELEMS(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].ports;
	return false;
}

static bool any_ports(const struct cfg_ts *ts)
{
	return !ts->local_port_lo && ts->local_port_hi == UINT16_MAX && !ts->remote_port_lo &&
	       ts->remote_port_hi == UINT16_MAX;
}

/* A network on one side that lies in the other's is fine: a branch with 10.1.0.0/16 behind it has 10.0.0.0/8 as its
 * remote side. The same network on both is a mistake. */
static void check_pair(struct load *l, const struct tree_node *n, const struct cfg_tunnel *t, const struct cfg_ts *ts)
{
	char text[IP_STR], other[IP_STR];

	if (ts->local.addr.family != ts->remote.addr.family)
		load_error(l, n->line, "%s and %s are of two families: write one pair for each",
			   ip_prefix_str(&ts->local, text), ip_prefix_str(&ts->remote, other));
	else if ((ts->protocol == ICMP && ts->local.addr.family == IP_V6) ||
		 (ts->protocol == ICMP6 && ts->local.addr.family == IP_V4))
		load_error(l, n->line, "%s is not a protocol of this family: write `protocol: %s`",
			   ts->protocol == ICMP ? "icmp" : "icmpv6", ts->protocol == ICMP ? "icmpv6" : "icmp");
	if (ts->local.len && ip_prefix_equal(&ts->local, &ts->remote))
		load_error(l, n->line, "local and remote overlap: both are %s: write the peer's network as `remote`",
			   ip_prefix_str(&ts->local, text));
	for (const struct cfg_ts *o = t->ts; o < ts; o++)
		if (!memcmp(o, ts, sizeof(*o)))
			load_error(l, n->line, "the same pair stands in the list twice: leave one out");
}

/* Sides that say `any` get the family of the other one, or of the protocol; 0: nothing says it. */
static uint8_t family_of(const struct cfg_ts *ts)
{
	uint8_t family = ts->local.addr.family ? ts->local.addr.family : ts->remote.addr.family;

	if (family)
		return family;
	return ts->protocol == ICMP ? IP_V4 : ts->protocol == ICMP6 ? IP_V6 : 0;
}

/* One pair, or one for each family. */
static bool add_pair(struct load *l, const struct tree_node *n, struct cfg_tunnel *t, const struct cfg_ts *from)
{
	uint8_t given = family_of(from), families[] = {given ? given : IP_V4, IP_V6};

	if (!has_ports(from->protocol) && !any_ports(from))
		load_error(l, n->line,
			   "ports need a protocol that has them: add `protocol: tcp` or udp, sctp, dccp, udplite");
	for (unsigned i = 0; i < (given ? 1 : 2); i++) {
		struct cfg_ts *ts = &t->ts[t->n_ts];

		if (t->n_ts == CFG_TS_MAX) {
			load_error(l, n->line,
				   "more than %d pairs (one for each family where both sides are any): leave "
				   "some out, or write `selectors: any`",
				   CFG_TS_MAX);
			return false;
		}
		memcpy(ts, from, sizeof(*ts));
		if (!ts->local.addr.family)
			ts->local.addr.family = families[i];
		if (!ts->remote.addr.family)
			ts->remote.addr.family = families[i];
		check_pair(l, n, t, ts);
		t->n_ts++;
	}
	return true;
}

static void read_pairs(struct load *l, const struct tree_node *n, struct cfg_tunnel *t)
{
	unsigned before = l->errs->n;

	if (!n->n || n->n > CFG_TS_MAX) {
		load_error(l, n->line, "%u pairs: write 1 to %d, or `selectors: any` and routes to the tunnel", n->n,
			   CFG_TS_MAX);
		return;
	}
	for (const struct tree_node *c = n->first; c; c = c->next) {
		struct cfg_ts ts;

		memset(&ts, 0, sizeof(ts)); /* equal rows are equal octet by octet: padding too */
		ts.local_port_hi = UINT16_MAX;
		ts.remote_port_hi = UINT16_MAX;
		schema_read(l, &pair_keys, c, &ts);
		if (l->errs->n == before && !add_pair(l, c, t, &ts))
			return;
	}
}

void select_read(struct load *l, const struct tree_node *n, void *tunnel)
{
	struct cfg_tunnel *t = tunnel;
	char show[80];

	load_mark(l, &t->n_ts, n->line);
	if (n->kind == TREE_LIST)
		read_pairs(l, n, t);
	else if (n->kind != TREE_VALUE || strcmp(n->s, "any"))
		load_error(l, n->line,
			   "\"%s\" is no list of selectors: write any, or lines of - {local: NETWORK, remote: NETWORK}",
			   load_show(n, show));
}
