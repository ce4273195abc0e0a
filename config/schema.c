#include "config/schema.h"

#include <stddef.h>

#include "base/xalloc.h"
#include "config/field.h"
#include "config/lists.h"
#include "config/select.h"

enum {
	MTU_MIN = 576, /* RFC 791 3.2: what every host must take */
	MTU_MAX = 9216,
	LIFETIME_MIN_S = 10,
	LIFETIME_MAX_S = 30 * 86400,
};

#define AT(type, member)    .off = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define COUNT(type, member) .off_n = offsetof(struct type, member)
#define LATER(word)                               \
	{                                         \
		.key = word, .type = SCHEMA_LATER \
	}

static const char *const idle_words[] = {"adaptive", "spin", NULL};
static const char *const start_words[] = {"always", "on-traffic", "respond-only", NULL};
static const char *const encap_words[] = {"auto", "force", "never", NULL};
static const char *const df_words[] = {"copy", "set", "clear", NULL};

static void *room_ports(struct load *l, void *base, unsigned n, unsigned line, size_t *stride)
{
	struct config *c = base;

	if (n > CFG_PORTS_MAX) {
		load_error(l, line, "%u ports: at most %d are taken", n, CFG_PORTS_MAX);
		return NULL;
	}
	c->n_ports = n;
	for (unsigned i = 0; i < n; i++)
		c->port[i].mtu = 1500;
	*stride = sizeof(c->port[0]);
	return c->port;
}

static void *room_routes(struct load *l, void *base, unsigned n, unsigned line, size_t *stride)
{
	struct config *c = base;

	(void)l;
	(void)line;
	c->n_routes = n; /* check_net.c compares it with max-routes, which may stand further down */
	c->route = xcalloc(n, sizeof(c->route[0]));
	for (unsigned i = 0; i < n; i++)
		c->route[i].distance = 1;
	*stride = sizeof(c->route[0]);
	return c->route;
}

static void *room_tunnels(struct load *l, void *base, unsigned n, unsigned line, size_t *stride)
{
	struct config *c = base;

	if (n > CFG_TUNNELS_MAX) {
		load_error(l, line, "%u tunnels: at most %d are taken", n, CFG_TUNNELS_MAX);
		return NULL;
	}
	c->n_tunnels = n;
	c->tunnel = xcalloc(n, sizeof(c->tunnel[0]));
	c->psk_file = xcalloc(n, sizeof(c->psk_file[0]));
	for (unsigned i = 0; i < n; i++) {
		struct cfg_tunnel *t = &c->tunnel[i];

		t->ike.lifetime_s = 86400;
		t->esp.lifetime_s = 3600;
		t->esp.replay_window = 1024;
		t->dpd_s = 30;
		t->dscp = CFG_DSCP_COPY;
		t->ike.fragment_size = 1280;
	}
	*stride = sizeof(c->tunnel[0]);
	return c->tunnel;
}

static const struct schema_key gateway_keys[] = {
	{.key = "name", .type = SCHEMA_CUSTOM, .read = field_gateway_name, .help = "the gateway's name"},
	{.key = "addresses",
	 .type = SCHEMA_PREFIXES,
	 AT(config, gateway_addr),
	 COUNT(config, n_gateway_addr),
	 .cap = CFG_ADDRS_MAX,
	 .help = "addresses such as [10.2.2.2/32]"},
};

static const struct schema_key dataplane_keys[] = {
	{.key = "workers", .type = SCHEMA_CUSTOM, .read = field_workers, .help = "a number, or CPUs such as [2, 3]"},
	{.key = "idle", .type = SCHEMA_WORD, AT(cfg_dataplane, idle), .words = idle_words, .help = "adaptive or spin"},
	{.key = "hugepages", .type = SCHEMA_CUSTOM, .read = field_hugepages, .help = "auto, yes or no"},
	{.key = "memory",
	 .type = SCHEMA_SIZE,
	 AT(cfg_dataplane, memory_mb),
	 .min = 64ULL << 20,
	 .max = 1ULL << 40,
	 .unit = 1 << 20,
	 .help = "a size such as 512MB"},
	{.key = "max-sas",
	 .type = SCHEMA_UINT,
	 AT(cfg_dataplane, sa_max),
	 .min = 16,
	 .max = 1 << 20,
	 .help = "a power of two such as 4096"},
	{.key = "max-routes",
	 .type = SCHEMA_UINT,
	 AT(cfg_dataplane, routes_max),
	 .min = 16,
	 .max = 4000000,
	 .help = "a number such as 65536"},
	{.key = "tun", .type = SCHEMA_CUSTOM, .read = field_tun, .help = "a name such as esplanade0"},
};

static const struct schema_key port_keys[] = {
	{.key = "device",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_device,
	 .help = "af_packet:IFACE, pcap:rx=FILE,tx=FILE or pcap:iface=IFACE"},
	{.key = "addresses",
	 .type = SCHEMA_PREFIXES,
	 AT(cfg_port, addr),
	 COUNT(cfg_port, n_addr),
	 .cap = CFG_ADDRS_MAX,
	 .help = "addresses such as [192.0.2.10/24]"},
	{.key = "mtu",
	 .type = SCHEMA_UINT,
	 AT(cfg_port, mtu),
	 .min = MTU_MIN,
	 .max = MTU_MAX,
	 .help = "a number of octets such as 1500"},
	LATER("management"),
};

static const struct schema_key route_keys[] = {
	{.key = "to",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_to,
	 .help = "a network such as 10.0.1.0/24"},
	{.key = "via", .type = SCHEMA_CUSTOM, .read = field_via, .help = "the next router's address"},
	{.key = "tunnel", .type = SCHEMA_CUSTOM, .read = field_route_tunnel, .help = "the name of a tunnel"},
	{.key = "blackhole", .type = SCHEMA_CUSTOM, .read = field_blackhole, .help = "true"},
	{.key = "distance",
	 .type = SCHEMA_UINT,
	 AT(cfg_route, distance),
	 .min = 1,
	 .max = 255,
	 .help = "a number of 1 to 255"},
};

static const struct schema_key local_keys[] = {
	{.key = "port",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_local_port,
	 .help = "the name of a port"},
	{.key = "id", .type = SCHEMA_CUSTOM, .read = field_local_id, .help = "our identity"},
	{.key = "address", .type = SCHEMA_CUSTOM, .read = field_local_address, .help = "an address of the port"},
	LATER("cert"),
	LATER("addresses"),
};

static const struct schema_key remote_keys[] = {
	{.key = "address",
	 .type = SCHEMA_CUSTOM,
	 .required = true,
	 .read = field_remote_address,
	 .help = "the peer's address, or `any`"},
	{.key = "id", .type = SCHEMA_CUSTOM, .read = field_remote_id, .help = "the peer's identity"},
	LATER("cert"),
	LATER("ca"),
	LATER("addresses"),
};

static const struct schema_key auth_keys[] = {
	{.key = "psk-file", .type = SCHEMA_CUSTOM, .read = field_psk_file, .help = "the path of a file of mode 0600"},
	{.key = "psk", .type = SCHEMA_CUSTOM, .read = field_psk, .help = "the pre-shared key in quotes"},
	LATER("cert"),
	LATER("key"),
	LATER("ca"),
	LATER("certificates"),
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
	LATER("legacy"),
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
	LATER("esn"),
};

#define SCHEMA(keys)                \
	{                           \
		keys, N_ELEMS(keys) \
	}
static const struct schema gateway = SCHEMA(gateway_keys), dataplane = SCHEMA(dataplane_keys), port = SCHEMA(port_keys);
static const struct schema route = SCHEMA(route_keys), local = SCHEMA(local_keys), remote = SCHEMA(remote_keys);
static const struct schema auth = SCHEMA(auth_keys), ike = SCHEMA(ike_keys), esp = SCHEMA(esp_keys);

/* The blocks below a tunnel write into the tunnel's own struct: off 0. */
static const struct schema_key tunnel_keys[] = {
	{.key = "local", .type = SCHEMA_BLOCK, .sub = &local, .required = true, .help = "{port: NAME}"},
	{.key = "remote", .type = SCHEMA_BLOCK, .sub = &remote, .required = true, .help = "{address: ADDRESS}"},
	{.key = "auth", .type = SCHEMA_BLOCK, .sub = &auth, .help = "{psk-file: PATH}"},
	{.key = "ike", .type = SCHEMA_BLOCK, .sub = &ike, .help = "{proposals: [...], lifetime: 8h}"},
	{.key = "esp", .type = SCHEMA_BLOCK, .sub = &esp, .help = "{proposals: [...], lifetime: 1h}"},
	{.key = "selectors", .type = SCHEMA_CUSTOM, .read = select_read, .help = "any, or a list of {local, remote}"},
	{.key = "mode", .type = SCHEMA_CUSTOM, .read = field_mode, .help = "tunnel"},
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
	LATER("kind"),
	LATER("mss"),
	LATER("fragment"),
};
static const struct schema tunnel = SCHEMA(tunnel_keys);

static const struct schema_key root_keys[] = {
	{.key = "gateway", .type = SCHEMA_BLOCK, .sub = &gateway, .help = "{name: NAME, addresses: [...]}"},
	{.key = "dataplane",
	 .type = SCHEMA_BLOCK,
	 AT(config, dataplane),
	 .sub = &dataplane,
	 .help = "{workers: 1, idle: adaptive}"},
	{.key = "ports",
	 .type = SCHEMA_NAMED,
	 .required = true,
	 .sub = &port,
	 .rows = room_ports,
	 .help = "NAME: {device: \"af_packet:IFACE\", addresses: [...]}"},
	{.key = "routes",
	 .type = SCHEMA_LIST,
	 AT(cfg_route, line),
	 .sub = &route,
	 .rows = room_routes,
	 .help = "- {to: NETWORK, via: ADDRESS}"},
	{.key = "tunnels",
	 .type = SCHEMA_NAMED,
	 AT(cfg_tunnel, line),
	 .sub = &tunnel,
	 .rows = room_tunnels,
	 .help = "NAME: {local: ..., remote: ..., auth: ...}"},
	{.key = "bgp", .type = SCHEMA_BLOCK, AT(config, bgp), .sub = &schema_bgp, .help = "{as: NUMBER, peers: ...}"},
	{.key = "prefix-lists", .type = SCHEMA_CUSTOM, .read = lists_prefix, .help = "NAME: [{permit: NETWORK}]"},
	{.key = "as-path-lists", .type = SCHEMA_CUSTOM, .read = lists_as_path, .help = "NAME: [{permit: \"REGEX\"}]"},
	{.key = "policies", .type = SCHEMA_CUSTOM, .read = lists_policy, .help = "NAME: [{permit: {}}]"},
	LATER("rules"),
	LATER("nat"),
	LATER("management"),
	LATER("include"),
	LATER("remote-access"),
};

const struct schema schema_root = SCHEMA(root_keys);
