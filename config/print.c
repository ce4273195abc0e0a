/* The canonical file: every key with its value in force, in the schema's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/print.h"

static const char *const idle_words[] = {"adaptive", "spin"};

/* The character at *s of well-formed UTF-8; *s moves behind it. */
static uint32_t take_char(const char **s)
{
	const uint8_t *p = (const uint8_t *)*s;
	unsigned n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t ch = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	for (unsigned i = 1; i < n && (p[i] & 0xc0) == 0x80; i++)
		ch = ch << 6 | (p[i] & 0x3f);
	*s += n;
	return ch;
}

/* YAML 1.1 5.1: not printable, or read as a line break. */
static bool is_odd(uint32_t ch)
{
	return ch < ' ' || (ch >= 0x7f && ch <= 0xa0) || ch == 0x2028 || ch == 0x2029 || ch == 0xfeff ||
	       (ch & 0xfffe) == 0xfffe;
}

/* Between double quotes; the tree gives nothing but UTF-8. YAML 1.1 5.6 */
void print_quoted(FILE *f, const char *s)
{
	fputc('"', f);
	while (*s) {
		const char *start = s;
		uint32_t ch = take_char(&s);

		if (ch == '"' || ch == '\\')
			fprintf(f, "\\%c", (char)ch);
		else if (is_odd(ch))
			fprintf(f, "\\U%08x", ch);
		else
			fprintf(f, "%.*s", (int)(s - start), start);
	}
	fputc('"', f);
}

static void put_text(FILE *f, uint8_t family, const char *text)
{
	fprintf(f, family == IP_V6 ? "\"%s\"" : "%s", text);
}

void print_addr(FILE *f, const struct ip_addr *a)
{
	char text[IP_STR];

	put_text(f, a->family, ip_str(a, text));
}

void print_prefix(FILE *f, const struct ip_prefix *p)
{
	char text[IP_STR];

	put_text(f, p->addr.family, ip_prefix_str(p, text));
}

void print_prefixes(FILE *f, const char *indent, const struct ip_prefix *p, unsigned n)
{
	if (!n)
		return;
	fprintf(f, "%saddresses: [", indent);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "", f);
		print_prefix(f, &p[i]);
	}
	fputs("]\n", f);
}

static void put_dataplane(FILE *f, const struct cfg_dataplane *d)
{
	fputs("dataplane:\n  workers: ", f);
	if (d->cpus_set) {
		for (unsigned i = 0; i < d->n_workers; i++)
			fprintf(f, "%s%u", i ? ", " : "[", d->cpu[i]);
		fputs("]\n", f);
	} else {
		fprintf(f, "%u\n", d->n_workers);
	}
	fprintf(f, "  idle: %s\n", idle_words[d->idle]);
	fprintf(f, "  hugepages: %s\n", !d->hugepages_set ? "auto" : d->hugepages ? "yes" : "no");
	if (d->memory_mb)
		fprintf(f, "  memory: %uMB\n", d->memory_mb);
	fprintf(f, "  max-sas: %u\n  max-routes: %u\n  max-routes6: %u\n", d->sa_max, d->routes_max, d->routes6_max);
	if (strcmp(d->tun, CFG_TUN_DEFAULT))
		fprintf(f, "  tun: %s\n", d->tun);
}

static void put_ports(FILE *f, const struct config *c)
{
	fputs("ports:\n", f);
	for (unsigned i = 0; i < c->n_ports; i++) {
		const struct cfg_port *p = &c->port[i];

		fprintf(f, "  %s:\n    device: ", p->name);
		print_quoted(f, p->device);
		fputc('\n', f);
		print_prefixes(f, "    ", p->addr, p->n_addr);
		fprintf(f, "    mtu: %u\n", p->mtu);
	}
}

static void put_routes(FILE *f, const struct config *c)
{
	char text[IP_STR];

	if (c->n_routes)
		fputs("routes:\n", f);
	for (unsigned i = 0; i < c->n_routes; i++) {
		const struct cfg_route *r = &c->route[i];

		fputs("  - {to: ", f);
		print_prefix(f, &r->to);
		if (r->blackhole) {
			fputs(", blackhole: true", f);
		} else if (r->tunnel[0]) {
			fprintf(f, ", tunnel: %s", r->tunnel);
		} else {
			fputs(", via: ", f);
			if (r->via_port[0])
				fprintf(f, "\"%s%%%s\"", ip_str(&r->via, text), r->via_port);
			else
				print_addr(f, &r->via);
		}
		if (r->distance != 1)
			fprintf(f, ", distance: %u", r->distance);
		fputs("}\n", f);
	}
}

char *config_print(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		log_fatal(LOG_CONFIG, "out of memory for the canonical file");
	fputs("gateway:\n  name: ", f);
	print_quoted(f, c->gateway_name);
	fputc('\n', f);
	print_prefixes(f, "  ", c->gateway_addr, c->n_gateway_addr);
	put_dataplane(f, &c->dataplane);
	put_ports(f, c);
	put_routes(f, c);
	if (c->n_tunnels)
		fputs("tunnels:\n", f);
	for (unsigned i = 0; i < c->n_tunnels; i++)
		print_tunnel(f, &c->tunnel[i], c->psk_file[i]);
	print_bgp(f, c);
	if (fclose(f) != 0)
		log_fatal(LOG_CONFIG, "out of memory for the canonical file");
	return text;
}
