#include "config/field.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
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

bool field_is_host(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, loopback[16] = {[15] = 1};

	if (ip_is_any(a) || ip_is_multicast(a))
		return false;
	if (a->family == IP_V4)
		return a->b[0] != 127 && a->b[0] != 0 && a->b[0] < 240;
	return memcmp(a->b, loopback, 16) && memcmp(a->b, mapped, 12); /* RFC 4291 2.5.3, 2.5.5.2 */
}

bool field_is_link_local(const struct ip_addr *a)
{
	return a->family == IP_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
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
	if (keep_host && !strchr(s, '/')) {
		load_error(l, n->line, "\"%s\" lacks the length of its network: write %s/%s for a single address",
			   load_show(n, show), ip_str(&p.addr, text),
			   p.addr.family == IP_V4 ? "24, or /32" : "64, or /128");
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

bool field_address(struct load *l, const struct tree_node *n, const char *what, struct ip_addr *out)
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
	if (field_is_link_local(&a)) {
		load_error(l, n->line,
			   "%s means another host on every link: write an address of it that is not link-local "
			   "(fe80::/10)",
			   load_show(n, show));
		return false;
	}
	if (!field_is_host(&a)) {
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
	const char *s = load_value(l, n, "auto, yes or no");
	struct cfg_dataplane *d = dataplane;
	char show[80];

	if (!s || !strcmp(s, "auto"))
		return;
	d->hugepages_set = true;
	if (value_bool(s, &d->hugepages) < 0)
		load_error(l, n->line, "\"%s\" is none of its words: write auto, yes or no", load_show(n, show));
}

bool field_is_iface(const char *s, size_t n)
{
	if (!n || n > 15 || (n == 1 && s[0] == '.') || (n == 2 && !memcmp(s, "..", 2)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)s[i]) || strchr("/:,", s[i]))
			return false;
	return true;
}

void field_to(struct load *l, const struct tree_node *n, void *route)
{
	struct cfg_route *r = route;

	load_mark(l, &r->to, n->line);
	field_prefix(l, n, false, &r->to);
}

/* "fe80::1%wan0": RFC 4007 11, with our name of the port. */
static void read_scoped(struct load *l, const struct tree_node *n, struct cfg_route *r)
{
	const char *at = strchr(n->s, '%');
	char host[IP_STR], show[80];
	struct ip_addr a;

	snprintf(host, sizeof(host), "%.*s", (int)(at ? at - n->s : IP_STR - 1), n->s);
	if (ip_parse(host, &a) < 0)
		load_error(l, n->line, "\"%s\" is not an address: write the next router's address", load_show(n, show));
	else if (!at)
		load_error(l, n->line, "%s is link-local: add the port that it is on: %s%%PORT", host, host);
	else if (!field_is_link_local(&a))
		load_error(l, n->line, "%s is not link-local, so its port is known: write %s", host, host);
	else if (field_name(l, at + 1, n->line, r->via_port))
		r->via = a;
}

void field_via(struct load *l, const struct tree_node *n, void *route)
{
	struct cfg_route *r = route;
	struct ip_addr a;

	load_mark(l, &r->via, n->line);
	if (n->kind == TREE_VALUE && (strchr(n->s, '%') || (ip_parse(n->s, &a) == 0 && field_is_link_local(&a))))
		read_scoped(l, n, r);
	else
		field_address(l, n, "the next router's address", &r->via);
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
	if (!field_is_iface(s, strlen(s)))
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
