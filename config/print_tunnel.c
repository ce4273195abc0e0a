#include <inttypes.h>

#include "config/preset.h"
#include "config/print.h"
#include "config/proposal.h"
#include "config/select.h"
#include "config/value.h"

static const char *const start_words[] = {"always", "on-traffic", "respond-only"};
static const char *const encap_words[] = {"auto", "force", "never"};
static const char *const df_words[] = {"copy", "set", "clear"};
static const char *const mode_words[] = {"tunnel", "transport"};
static const char *const fragment_words[] = {"before", "after"};
static const char *const esn_words[] = {"prefer", "require", "no"};
static const char *const children_words[] = {"one", "per-selector"};

static void put_id(FILE *f, const struct cfg_id *id)
{
	char text[2 * CFG_ID_MAX + 16];

	fputs("      id: ", f);
	cfg_id_str(id, text, sizeof(text));
	print_quoted(f, text);
	fputc('\n', f);
}

static void put_ends(FILE *f, const struct cfg_tunnel *t)
{
	fprintf(f, "    local:\n      port: %s\n      address: ", t->local.port);
	print_addr(f, &t->local.addr);
	fputc('\n', f);
	if (t->local.id.type != CFG_ID_NONE)
		put_id(f, &t->local.id);
	fputs("    remote:\n      address: ", f);
	if (t->remote.addr.family)
		print_addr(f, &t->remote.addr);
	else
		fputs(t->remote.name[0] ? t->remote.name : "any", f);
	fputc('\n', f);
	put_id(f, &t->remote.id);
}

static void put_files(FILE *f, const char *key, const struct cfg_file *file, unsigned n)
{
	fprintf(f, "      %s: [", key);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "", f);
		print_quoted(f, file[i].path);
	}
	fputs("]\n", f);
}

static void put_certs(FILE *f, const struct cfg_certs *c)
{
	fputs("    auth:\n", f);
	put_files(f, "cert", c->cert, c->n_cert);
	fputs("      key: ", f);
	print_quoted(f, c->key.path);
	fputc('\n', f);
	put_files(f, "ca", c->ca, c->n_ca);
	if (c->n_crl)
		put_files(f, "crl", c->crl, c->n_crl);
	fprintf(f, "      crl-strict: %s\n", c->crl_strict ? "true" : "false");
}

static void put_auth(FILE *f, const struct cfg_tunnel *t, const char *psk_file)
{
	if (t->certs) {
		put_certs(f, t->certs);
	} else if (psk_file) {
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
	fprintf(f, "      lifetime: %s\n", value_duration_str(t->ike.lifetime_s, text));
	fprintf(f, "      legacy: %s\n      fragmentation: %s\n      fragment-size: %u\n",
		t->ike.legacy ? "true" : "false", t->ike.no_fragmentation ? "no" : "yes", t->ike.fragment_size);
	fputs("    esp:\n", f);
	put_proposals(f, t->esp.proposal, t->esp.n_proposals);
	fprintf(f, "      lifetime: %s\n", value_duration_str(t->esp.lifetime_s, text));
	fprintf(f, "      lifetime-bytes: %s\n",
		t->esp.lifetime_bytes ? value_size_str(t->esp.lifetime_bytes, text) : "0");
	fprintf(f, "      lifetime-packets: %" PRIu64 "\n", t->esp.lifetime_packets);
	fprintf(f, "      replay-window: %u\n      esn: %s\n", t->esp.replay_window, esn_words[t->esp.esn]);
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

static void put_pair(FILE *f, const struct cfg_ts *ts)
{
	char protocol[8];

	fputs("      - {local: ", f);
	print_prefix(f, &ts->local);
	fputs(", remote: ", f);
	print_prefix(f, &ts->remote);
	if (ts->protocol)
		fprintf(f, ", protocol: %s", select_protocol_str(ts->protocol, protocol));
	put_range(f, "local-ports", ts->local_port_lo, ts->local_port_hi);
	put_range(f, "remote-ports", ts->remote_port_lo, ts->remote_port_hi);
	fputs("}\n", f);
}

static void put_selectors(FILE *f, const struct cfg_tunnel *t)
{
	if (select_is_any(t)) {
		fputs("    selectors: any\n", f);
		return;
	}
	fputs("    selectors:\n", f);
	for (unsigned i = 0; i < t->n_ts; i++)
		put_pair(f, &t->ts[i]);
}

static void put_size(FILE *f, const struct cfg_tunnel *t)
{
	fprintf(f, "    df: %s\n    fragment: %s\n", df_words[t->df], fragment_words[t->fragment]);
	if (t->mtu)
		fprintf(f, "    mtu: %u\n", t->mtu);
	else
		fputs("    mtu: auto\n", f);
	if (t->mss == CFG_MSS_AUTO || t->mss == CFG_MSS_OFF)
		fprintf(f, "    mss: %s\n", t->mss == CFG_MSS_AUTO ? "auto" : "off");
	else
		fprintf(f, "    mss: %u\n", t->mss);
	if (t->dscp == CFG_DSCP_COPY)
		fputs("    dscp: copy\n", f);
	else
		fprintf(f, "    dscp: %u\n", t->dscp);
}

void print_tunnel(FILE *f, const struct cfg_tunnel *t, const char *psk_file)
{
	char text[VALUE_STR];

	fprintf(f, "  %s:\n    kind: %s\n", t->name, preset_words[t->kind]);
	put_ends(f, t);
	put_auth(f, t, psk_file);
	put_crypto(f, t);
	put_selectors(f, t);
	fprintf(f, "    children: %s\n    mode: %s\n", children_words[t->children], mode_words[t->mode]);
	fprintf(f, "    encapsulation: %s\n    start: %s\n    dpd: %s\n", encap_words[t->encap], start_words[t->start],
		t->dpd_s ? value_duration_str(t->dpd_s, text) : "off");
	print_prefixes(f, "    ", t->addr, t->n_addr);
	put_size(f, t);
}
