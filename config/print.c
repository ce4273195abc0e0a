/* The canonical file: every key with its value in force, in the schema's order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/print.h"
#include "config/proposal.h"
#include "config/select.h"
#include "config/value.h"

static const char *const idle_words[] = {"adaptive", "spin"};
static const char *const start_words[] = {"always", "on-traffic", "respond-only"};
static const char *const encap_words[] = {"auto", "force", "never"};
static const char *const df_words[] = {"copy", "set", "clear"};

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

static void put_prefixes(FILE *f, const char *indent, const struct ip_prefix *p, unsigned n)
{
	char text[IP_STR];

	if (!n)
		return;
	fprintf(f, "%saddresses: [", indent);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s%s", i ? ", " : "", ip_prefix_str(&p[i], text));
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
	fprintf(f, "  max-sas: %u\n  max-routes: %u\n", d->sa_max, d->routes_max);
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
		put_prefixes(f, "    ", p->addr, p->n_addr);
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

		fprintf(f, "  - {to: %s, ", ip_prefix_str(&r->to, text));
		if (r->blackhole)
			fputs("blackhole: true", f);
		else if (r->tunnel[0])
			fprintf(f, "tunnel: %s", r->tunnel);
		else
			fprintf(f, "via: %s", ip_str(&r->via, text));
		if (r->distance != 1)
			fprintf(f, ", distance: %u", r->distance);
		fputs("}\n", f);
	}
}

static void put_id(FILE *f, const struct cfg_id *id)
{
	char text[2 * CFG_ID_MAX + 16];

	fputs("      id: ", f);
	if (id->type == CFG_ID_EMAIL) { /* as text for people its `\` and `"` are escaped: not here, YAML does that */
		memcpy(text, id->b, id->len);
		text[id->len] = '\0';
	} else {
		cfg_id_str(id, text, sizeof(text));
	}
	print_quoted(f, text);
	fputc('\n', f);
}

static void put_ends(FILE *f, const struct cfg_tunnel *t)
{
	char text[IP_STR];

	fprintf(f, "    local:\n      port: %s\n      address: %s\n", t->local.port, ip_str(&t->local.addr, text));
	put_id(f, &t->local.id);
	fprintf(f, "    remote:\n      address: %s\n", t->remote.addr.family ? ip_str(&t->remote.addr, text) : "any");
	put_id(f, &t->remote.id);
}

static void put_auth(FILE *f, const char *psk_file)
{
	if (psk_file) {
		fputs("    auth: {psk-file: ", f);
		print_quoted(f, psk_file);
		fputs("}\n", f);
	} else {
		fputs("    auth: {psk: \"<hidden>\"}  # not shown: write the PSK here, or better psk-file\n", f);
	}
}

static void put_proposals(FILE *f, const struct cfg_proposal *p, unsigned n)
{
	char text[320];

	fputs("      proposals:\n", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "        - %s\n", proposal_str(&p[i], text, sizeof(text)));
}

static void put_crypto(FILE *f, const struct cfg_tunnel *t)
{
	char text[VALUE_STR];

	fputs("    ike:\n", f);
	put_proposals(f, t->ike.proposal, t->ike.n_proposals);
	fprintf(f, "      lifetime: %s\n    esp:\n", value_duration_str(t->ike.lifetime_s, text));
	put_proposals(f, t->esp.proposal, t->esp.n_proposals);
	fprintf(f, "      lifetime: %s\n", value_duration_str(t->esp.lifetime_s, text));
	if (t->esp.lifetime_bytes)
		fprintf(f, "      lifetime-bytes: %s\n", value_size_str(t->esp.lifetime_bytes, text));
	if (t->esp.lifetime_packets)
		fprintf(f, "      lifetime-packets: %" PRIu64 "\n", t->esp.lifetime_packets);
	fprintf(f, "      replay-window: %u\n", t->esp.replay_window);
}

static void put_range(FILE *f, const char *key, uint16_t lo, uint16_t hi)
{
	if (lo == 0 && hi == UINT16_MAX)
		return;
	if (lo == hi)
		fprintf(f, ", %s: %u", key, lo);
	else
		fprintf(f, ", %s: %u-%u", key, lo, hi);
}

static bool is_any(const struct cfg_ts *ts)
{
	return !ts->local.len && !ts->remote.len && !ts->protocol && !ts->local_port_lo && !ts->remote_port_lo &&
	       ts->local_port_hi == UINT16_MAX && ts->remote_port_hi == UINT16_MAX;
}

static void put_selectors(FILE *f, const struct cfg_tunnel *t)
{
	char text[IP_STR], protocol[8];

	if (t->n_ts == 1 && is_any(&t->ts[0])) {
		fputs("    selectors: any\n", f);
		return;
	}
	fputs("    selectors:\n", f);
	for (unsigned i = 0; i < t->n_ts; i++) {
		const struct cfg_ts *ts = &t->ts[i];

		fprintf(f, "      - {local: %s", ip_prefix_str(&ts->local, text));
		fprintf(f, ", remote: %s", ip_prefix_str(&ts->remote, text));
		if (ts->protocol)
			fprintf(f, ", protocol: %s", select_protocol_str(ts->protocol, protocol));
		put_range(f, "local-ports", ts->local_port_lo, ts->local_port_hi);
		put_range(f, "remote-ports", ts->remote_port_lo, ts->remote_port_hi);
		fputs("}\n", f);
	}
}

static void put_tunnel(FILE *f, const struct cfg_tunnel *t, const char *psk_file)
{
	char text[VALUE_STR];

	fprintf(f, "  %s:\n", t->name);
	put_ends(f, t);
	put_auth(f, psk_file);
	put_crypto(f, t);
	put_selectors(f, t);
	fprintf(f, "    mode: tunnel\n    encapsulation: %s\n    start: %s\n    dpd: %s\n", encap_words[t->encap],
		start_words[t->start], t->dpd_s ? value_duration_str(t->dpd_s, text) : "off");
	put_prefixes(f, "    ", t->addr, t->n_addr);
	fprintf(f, "    df: %s\n", df_words[t->df]);
	if (t->mtu)
		fprintf(f, "    mtu: %u\n", t->mtu);
	else
		fputs("    mtu: auto\n", f);
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
	put_prefixes(f, "  ", c->gateway_addr, c->n_gateway_addr);
	put_dataplane(f, &c->dataplane);
	put_ports(f, c);
	put_routes(f, c);
	if (c->n_tunnels)
		fputs("tunnels:\n", f);
	for (unsigned i = 0; i < c->n_tunnels; i++)
		put_tunnel(f, &c->tunnel[i], c->psk_file[i]);
	print_bgp(f, c);
	if (fclose(f) != 0)
		log_fatal(LOG_CONFIG, "out of memory for the canonical file");
	return text;
}
