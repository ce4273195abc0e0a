/* The keys of `bgp`. */
#include <stddef.h>

#include "base/xalloc.h"
#include "config/field_bgp.h"
#include "config/kind.h"
#include "config/schema.h"

static const char *const connect_words[] = {"both", "active", "passive", NULL};

static void *room_peers(struct load *l, void *base, unsigned n, unsigned line, size_t *stride)
{
	struct cfg_bgp *b = base;

	if (n > CFG_BGP_PEERS_MAX) {
		load_error(l, line, "%u peers: at most %d are taken", n, CFG_BGP_PEERS_MAX);
		return NULL;
	}
	b->n_peers = n;
	b->peer = xcalloc(n, sizeof(b->peer[0]));
	b->password_file = xcalloc(n, sizeof(b->password_file[0]));
	for (unsigned i = 0; i < n; i++)
		b->peer[i].connect_retry_s = 10;
	*stride = sizeof(b->peer[0]);
	return b->peer;
}

static const struct schema_key peer_keys[] = {
	{.key = "kind",
	 .type = SCHEMA_WORD,
	 AT(cfg_bgp_peer, kind),
	 .words = kind_words,
	 .help = "plain, azure-vpn-gateway or azure-route-server"},
	{.key = "address",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_bgp_address,
	 .help = "the peer's address"},
	{.key = "as",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_bgp_peer_as,
	 .help = "the peer's AS number"},
	{.key = "source", .type = SCHEMA_CUSTOM, .read = field_bgp_source, .help = "an address of this gateway"},
	{.key = "import", .type = SCHEMA_CUSTOM, .read = field_bgp_import, .help = "the name of a policy"},
	{.key = "export", .type = SCHEMA_CUSTOM, .read = field_bgp_export, .help = "the name of a policy"},
	{.key = "families", .type = SCHEMA_CUSTOM, .read = field_bgp_families, .help = "[ipv4, ipv6]"},
	{.key = "connect",
	 .type = SCHEMA_WORD,
	 AT(cfg_bgp_peer, connect),
	 .words = connect_words,
	 .help = "both, active or passive"},
	{.key = "multihop",
	 .type = SCHEMA_UINT,
	 AT(cfg_bgp_peer, multihop),
	 .min = 1,
	 .max = 255,
	 .help = "a TTL of 1 to 255"},
	{.key = "ttl-security",
	 .type = SCHEMA_UINT,
	 AT(cfg_bgp_peer, gtsm_hops),
	 .min = 1,
	 .max = 254,
	 .help = "the number of hops to the peer, such as 1"},
	{.key = "hold-time",
	 .type = SCHEMA_DURATION,
	 AT(cfg_bgp_peer, hold_s),
	 .zero = true,
	 .min = 3,
	 .max = UINT16_MAX,
	 .help = "a time such as 90s (0: off)"},
	{.key = "keepalive",
	 .type = SCHEMA_DURATION,
	 AT(cfg_bgp_peer, keepalive_s),
	 .min = 1,
	 .max = UINT16_MAX / 3,
	 .help = "a time such as 30s"},
	{.key = "connect-retry",
	 .type = SCHEMA_DURATION,
	 AT(cfg_bgp_peer, connect_retry_s),
	 .min = 1,
	 .max = 3600,
	 .help = "a time such as 10s"},
	{.key = "default-originate", .type = SCHEMA_BOOL, AT(cfg_bgp_peer, default_originate), .help = "true or false"},
	{.key = "shutdown", .type = SCHEMA_BOOL, AT(cfg_bgp_peer, shutdown), .help = "true or false"},
	{.key = "password", .type = SCHEMA_CUSTOM, .read = field_bgp_password, .help = "the password in quotes"},
	{.key = "password-file",
	 .type = SCHEMA_CUSTOM,
	 .read = field_bgp_password_file,
	 .help = "the path of a file of mode 0600"},
	{.key = "max-prefix-in",
	 .type = SCHEMA_UINT,
	 AT(cfg_bgp_peer, max_prefix_in),
	 .zero = true,
	 .min = 1,
	 .max = UINT32_MAX,
	 .help = "a number of prefixes (0: no limit)"},
	{.key = "max-prefix-out",
	 .type = SCHEMA_UINT,
	 AT(cfg_bgp_peer, max_prefix_out),
	 .zero = true,
	 .min = 1,
	 .max = UINT32_MAX,
	 .help = "a number of prefixes (0: no limit)"},
	{.key = "description", .type = SCHEMA_CUSTOM, .read = field_bgp_description, .help = "some words on the peer"},
};
static const struct schema peer = {peer_keys, N_ELEMS(peer_keys)};

static const struct schema_key bgp_keys[] = {
	{.key = "as", .type = SCHEMA_CUSTOM, .required = true, .read = field_bgp_as, .help = "our AS number"},
	{.key = "router-id",
	 .type = SCHEMA_CUSTOM,
	 .read = field_bgp_router_id,
	 .help = "four octets such as 10.2.2.2"},
	{.key = "originate",
	 .type = SCHEMA_CUSTOM,
	 .read = field_bgp_originate,
	 .help = "networks such as [192.168.2.0/24]"},
	{.key = "multipath",
	 .type = SCHEMA_UINT,
	 AT(cfg_bgp, multipath),
	 .min = 1,
	 .max = 8,
	 .help = "a number of paths such as 8"},
	{.key = "port", .type = SCHEMA_UINT, AT(cfg_bgp, port), .min = 1, .max = UINT16_MAX, .help = "a TCP port"},
	{.key = "peers",
	 .type = SCHEMA_NAMED,
	 AT(cfg_bgp_peer, line),
	 .sub = &peer,
	 .rows = room_peers,
	 .help = "NAME: {address: ADDRESS, as: NUMBER, import: POLICY, export: POLICY}"},
};

const struct schema schema_bgp = {bgp_keys, N_ELEMS(bgp_keys)};
