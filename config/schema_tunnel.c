/* The keys of a tunnel. */
#include <stddef.h>

#include "base/xalloc.h"
#include "config/field.h"
#include "config/field_tunnel.h"
#include "config/preset.h"
#include "config/schema.h"
#include "config/select.h"

enum {
	LIFETIME_MIN_S = 10,
	LIFETIME_MAX_S = 30 * 86400,
};

static const char *const start_words[] = {"always", "on-traffic", "respond-only", NULL};
static const char *const encap_words[] = {"auto", "force", "never", NULL};
static const char *const df_words[] = {"copy", "set", "clear", NULL};
static const char *const mode_words[] = {"tunnel", "transport", NULL};
static const char *const fragment_words[] = {"before", "after", NULL};
static const char *const esn_words[] = {"prefer", "require", "no", NULL};
static const char *const children_words[] = {"one", "per-selector", NULL};

void *schema_tunnel_rows(struct load *l, void *config, unsigned n, unsigned line, size_t *stride)
{
	struct config *c = config;

	if (n > CFG_TUNNELS_MAX) {
		load_error(l, line, "%u tunnels: at most %d are taken", n, CFG_TUNNELS_MAX);
		return NULL;
	}
	c->n_tunnels = n;
	c->tunnel = xcalloc(n, sizeof(c->tunnel[0]));
	c->psk_file = xcalloc(n, sizeof(c->psk_file[0]));
	for (unsigned i = 0; i < n; i++) {
		struct cfg_tunnel *t = &c->tunnel[i];

		t->esp.replay_window = 1024;
		t->dscp = CFG_DSCP_COPY;
		t->ike.fragment_size = 1280; /* the rest is its kind's (preset.c) */
	}
	*stride = sizeof(c->tunnel[0]);
	return c->tunnel;
}

static const struct schema_key local_keys[] = {
	{.key = "port",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_local_port,
	 .help = "the name of a port"},
	{.key = "id", .type = SCHEMA_CUSTOM, .read = field_local_id, .help = "our identity"},
	{.key = "address", .type = SCHEMA_CUSTOM, .read = field_local_address, .help = "an address of the port"},
	LATER("addresses"),
};

static const struct schema_key remote_keys[] = {
	{.key = "address",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_remote_address,
	 .help = "the peer's address, or `any`"},
	{.key = "id", .type = SCHEMA_CUSTOM, .read = field_remote_id, .help = "the peer's identity"},
	LATER("addresses"),
};

static const struct schema_key auth_keys[] = {
	{.key = "psk-file", .type = SCHEMA_CUSTOM, .read = field_psk_file, .help = "the path of a file of mode 0600"},
	{.key = "psk", .type = SCHEMA_CUSTOM, .read = field_psk, .help = "the pre-shared key in quotes"},
	{.key = "cert", .type = SCHEMA_CUSTOM, .read = field_cert, .help = "the file of our certificate, or a list"},
	{.key = "key", .type = SCHEMA_CUSTOM, .read = field_cert_key, .help = "the file of its private key, mode 0600"},
	{.key = "ca", .type = SCHEMA_CUSTOM, .read = field_ca, .help = "the file of the peer's CA, or a list"},
	{.key = "crl", .type = SCHEMA_CUSTOM, .read = field_crl, .help = "a file of revoked certificates, or a list"},
	{.key = "crl-strict", .type = SCHEMA_CUSTOM, .read = field_crl_strict, .help = "true or false"},
};

static const struct schema_key ike_keys[] = {
	{.key = "proposals",
	 .type = SCHEMA_CUSTOM,
	 .read = field_ike_proposals,
	 .help = "proposals such as [aes256gcm16-prfsha384-x25519]"},
	{.key = "lifetime",
	 .type = SCHEMA_DURATION,
	 AT(cfg_tunnel, ike.lifetime_s),
	 .min = LIFETIME_MIN_S,
	 .max = LIFETIME_MAX_S,
	 .help = "a time such as 8h"},
	{.key = "legacy", .type = SCHEMA_BOOL, AT(cfg_tunnel, ike.legacy), .help = "true or false"},
	{.key = "fragmentation",
	 .type = SCHEMA_BOOL,
	 .inverse = true,
	 AT(cfg_tunnel, ike.no_fragmentation),
	 .help = "yes or no"},
	{.key = "fragment-size",
	 .type = SCHEMA_UINT,
	 AT(cfg_tunnel, ike.fragment_size),
	 .min = 576,
	 .max = 9216,
	 .help = "a number of octets such as 1280"},
};

static const struct schema_key esp_keys[] = {
	{.key = "proposals",
	 .type = SCHEMA_CUSTOM,
	 .read = field_esp_proposals,
	 .help = "proposals such as [aes256gcm16-x25519]"},
	{.key = "lifetime",
	 .type = SCHEMA_DURATION,
	 AT(cfg_tunnel, esp.lifetime_s),
	 .min = LIFETIME_MIN_S,
	 .max = LIFETIME_MAX_S,
	 .help = "a time such as 1h"},
	{.key = "lifetime-bytes",
	 .type = SCHEMA_SIZE,
	 AT(cfg_tunnel, esp.lifetime_bytes),
	 .zero = true,
	 .min = 64 << 10,
	 .max = 1ULL << 50,
	 .unit = 1,
	 .help = "a size such as 100GB (0: no limit)"},
	{.key = "lifetime-packets",
	 .type = SCHEMA_UINT,
	 AT(cfg_tunnel, esp.lifetime_packets),
	 .zero = true,
	 .min = 100,
	 .max = UINT32_MAX,
	 .help = "a number of packets (0: no limit)"},
	{.key = "replay-window", .type = SCHEMA_CUSTOM, .read = field_replay_window, .help = "64 to 1024 packets"},
	{.key = "esn",
	 .type = SCHEMA_WORD,
	 AT(cfg_tunnel, esp.esn),
	 .words = esn_words,
	 .help = "prefer, require or no"},
};

static const struct schema local = SCHEMA(local_keys), remote = SCHEMA(remote_keys), auth = SCHEMA(auth_keys);
static const struct schema ike = SCHEMA(ike_keys), esp = SCHEMA(esp_keys);

/* The blocks below a tunnel write into the tunnel's own struct: off 0. */
static const struct schema_key tunnel_keys[] = {
	{.key = "kind",
	 .type = SCHEMA_WORD,
	 AT(cfg_tunnel, kind),
	 .words = preset_words,
	 .help = "plain, azure-vpn-gateway, windows-rras or aws-vpn"},
	{.key = "local", .type = SCHEMA_BLOCK, .sub = &local, .required = true, .help = "{port: NAME}"},
	{.key = "remote", .type = SCHEMA_BLOCK, .sub = &remote, .required = true, .help = "{address: ADDRESS}"},
	{.key = "auth",
	 .type = SCHEMA_BLOCK,
	 .sub = &auth,
	 .help = "{psk-file: PATH}, or {cert: PATH, key: PATH, ca: PATH}"},
	{.key = "ike", .type = SCHEMA_BLOCK, .sub = &ike, .help = "{proposals: [...], lifetime: 8h}"},
	{.key = "esp", .type = SCHEMA_BLOCK, .sub = &esp, .help = "{proposals: [...], lifetime: 1h}"},
	{.key = "selectors", .type = SCHEMA_CUSTOM, .read = select_read, .help = "any, or a list of {local, remote}"},
	{.key = "children",
	 .type = SCHEMA_WORD,
	 AT(cfg_tunnel, children),
	 .words = children_words,
	 .help = "one or per-selector"},
	{.key = "mode", .type = SCHEMA_WORD, AT(cfg_tunnel, mode), .words = mode_words, .help = "tunnel or transport"},
	{.key = "encapsulation",
	 .type = SCHEMA_WORD,
	 AT(cfg_tunnel, encap),
	 .words = encap_words,
	 .help = "auto, force or never"},
	{.key = "start",
	 .type = SCHEMA_WORD,
	 AT(cfg_tunnel, start),
	 .words = start_words,
	 .help = "always, on-traffic or respond-only"},
	{.key = "dpd",
	 .type = SCHEMA_DURATION,
	 AT(cfg_tunnel, dpd_s),
	 .zero = true,
	 .min = 1,
	 .max = 86400,
	 .help = "a time such as 30s (0: off)"},
	{.key = "addresses",
	 .type = SCHEMA_PREFIXES,
	 AT(cfg_tunnel, addr),
	 COUNT(cfg_tunnel, n_addr),
	 .cap = CFG_ADDRS_MAX,
	 .help = "addresses such as [169.254.0.1/30]"},
	{.key = "df", .type = SCHEMA_WORD, AT(cfg_tunnel, df), .words = df_words, .help = "copy, set or clear"},
	{.key = "mtu", .type = SCHEMA_CUSTOM, .read = field_tunnel_mtu, .help = "auto, or octets"},
	{.key = "mss", .type = SCHEMA_CUSTOM, .read = field_mss, .help = "auto, off, or octets"},
	{.key = "fragment",
	 .type = SCHEMA_WORD,
	 AT(cfg_tunnel, fragment),
	 .words = fragment_words,
	 .help = "before or after"},
	{.key = "dscp", .type = SCHEMA_CUSTOM, .read = field_dscp, .help = "copy, or a number of 0 to 63"},
};

const struct schema schema_tunnel = SCHEMA(tunnel_keys);
